"""`python -m anchor.sandbox.network`: the network alone, until it is told to end."""

import argparse
import signal
import sys
import threading

from stellar_sdk import Network as Passphrases

from anchor.sandbox.network.sandbox import Sandbox


def main(arguments: list[str] | None = None) -> int:
    """Run the network, print its URL in one line when it answers, end on SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m anchor.sandbox.network", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--passphrase", default=Passphrases.TESTNET_NETWORK_PASSPHRASE)
    parser.add_argument("--state", metavar="FILE", help="go on from this file, and keep it")
    parser.add_argument("--close-every", type=float, default=1, metavar="S", help="0: by hand")
    parser.add_argument("--close-on-submit", action="store_true", help="close when one waits")
    chosen = parser.parse_args(arguments)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        sandbox = Sandbox(
            chosen.passphrase,
            close_every_s=chosen.close_every,
            close_on_submit=chosen.close_on_submit,
            state_file=chosen.state,
            host=chosen.host,
            port=chosen.port,
        )
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    with sandbox:
        sys.stdout.write(f"{sandbox.url}\n")
        sys.stdout.flush()
        ended.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
