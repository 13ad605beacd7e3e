"""The kinds of process of an anchor, and a program that runs them all.

`flask anchor up` becomes that program, which stays as long as they do: it imports little.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from anchor import logs
from anchor.supervisor import Child, Supervisor


def children(web_fd: int, *, has_broker: bool, env: Mapping[str, str] | None = None) -> list[Child]:
    """Return the four kinds of process; without a broker, the services in loops.

    The web answers on the listening socket `web_fd`, so that its port is ours all the time.
    """
    scripts = Path(sys.executable).parent
    flask = [str(scripts / "flask"), "--app", "anchor:create_app()", "anchor"]
    web = [
        *(str(scripts / "gunicorn"), "anchor:create_app()", "--bind", f"fd://{web_fd}"),
        *("--workers", "1", "--threads", "8", "--log-level", "warning", "--no-control-socket"),
        # Longer than clients keep a connection that they use again: whoever asks in the moment
        # in which it is closed gets no answer.
        *("--keep-alive", "75", "--logger-class", "anchor.web_logs.Logger"),
    ]
    argvs: dict[str, list[str]] = {"web": web}
    if has_broker:
        argvs |= {
            "workers": [
                *(str(scripts / "dramatiq"), "anchor.actors", "--processes", "1"),
                *("--threads", "8", "--worker-shutdown-timeout", "5000"),
            ],
            "scheduler": [str(scripts / "periodiq"), "anchor.actors"],
            "stream": [*flask, "watch-transactions", "-x", "--use-dramatiq"],
        }
    else:
        argvs |= {
            "stream": [*flask, "watch-transactions"],
            "payouts": [*flask, "execute-outgoing-transactions", "--loop", "--interval", "1"],
            "polls": [*flask, "poll-outgoing-transactions", "--loop", "--interval", "5"],
            "deposits": [*flask, "poll-pending-deposits", "--loop", "--interval", "5"],
            "trust": [*flask, "check-trustlines", "--loop", "--interval", "10"],
            "work": [*flask, "work", "--loop", "--interval", "1"],
        }
    fds = {"web": (web_fd,)}
    return [Child(name, argv, env, fds=fds.get(name, ())) for name, argv in argvs.items()]


def become(web_fd: int, *, has_broker: bool, env: Mapping[str, str]) -> NoReturn:
    """Turn this process into one that runs them until SIGINT or SIGTERM, in `env`."""
    os.set_inheritable(web_fd, True)
    means = ["--broker"] if has_broker else []
    means += ["--json"] if logs.words_of(env)[0] == logs.JSON else []
    argv = [sys.executable, "-m", "anchor.processes", str(web_fd), *means]
    os.execve(sys.executable, argv, dict(env))  # noqa: S606


def main() -> None:
    """Run the processes on the descriptor that the command line names."""
    web_fd, has_broker = int(sys.argv[1]), "--broker" in sys.argv
    write = logs.line_of if "--json" in sys.argv else None
    Supervisor(children(web_fd, has_broker=has_broker), write=write).run()


if __name__ == "__main__":
    main()
