"""A wallet's SDK from npm, installed once for each of its lock files, and its flows.

It is kept in the folder for temporary files: nothing of it is in the checkout.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
INSTALL_S = 300
FLOW_S = 100
SDK = "node_modules/@stellar/typescript-wallet-sdk/lib/bundle_browser.js"


def _installed() -> Path:
    """Return the ``node_modules`` of the lock file; the first one there installs them."""
    lock = (HERE / "package-lock.json").read_bytes()
    mark = hashlib.sha256(lock).hexdigest()[:12]
    kept = Path(tempfile.gettempdir()) / f"anchor-tests-{os.getuid()}-npm-{mark}"
    if not kept.exists():
        part = Path(tempfile.mkdtemp(prefix=f"{kept.name}-"))
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, part)
        subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=part,
            timeout=INSTALL_S,
            check=True,
        )
        try:
            part.rename(kept)
        except OSError:  # somebody else was faster
            shutil.rmtree(part)
    return kept / "node_modules"


@pytest.fixture(scope="session")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the flows, beside the SDK that they import."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed: scripts/test --all --install does that")
    folder = tmp_path_factory.mktemp("flows")
    for source in [HERE / "package.json", *HERE.glob("*.js")]:
        shutil.copy(source, folder)
    (folder / "node_modules").symlink_to(_installed())
    return folder


def run(
    folder: Path,
    name: str,
    env: Mapping[str, str],
    answer: Callable[[dict[str, Any]], Any] | None = None,
) -> Any:
    """Run a flow to its end, and return what it found.

    `answer` does what it asks for on its way, as whoever the wallet cannot be would.
    """
    node = shutil.which("node")
    assert node is not None
    with (folder / f"{name}.log").open("w+b") as errors:
        with subprocess.Popen(
            [node, f"{name}.js"],
            cwd=folder,
            env={"PATH": os.defpath, "HOME": str(folder), **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as flow:
            assert flow.stdin is not None
            assert flow.stdout is not None
            for line in flow.stdout:
                said = json.loads(line)
                if "done" in said:
                    return said["done"]
                assert answer is not None, said
                flow.stdin.write(json.dumps(answer(said["ask"])) + "\n")
                flow.stdin.flush()
        errors.seek(0)
        raise AssertionError(f"{name}.js ended with {flow.wait()}:\n{errors.read().decode()}")


def run_in_a_browser(
    browser: Any,
    folder: Path,
    name: str,
    env: Mapping[str, str],
    answer: Callable[[dict[str, Any]], Any] | None = None,
) -> Any:
    """Run the same flow in a page of the network's origin, to which the anchor is another one."""
    page = browser.new_page()
    place = f"{env['NETWORK']}/flows/"

    def serve(route: Any) -> None:
        asked = route.request.url.removeprefix(place)
        if asked == "photo":
            route.fulfill(path=env["PHOTO"])
        elif asked == "host.js":
            route.fulfill(path=folder / "host_in_a_browser.js", content_type="text/javascript")
        else:
            route.fulfill(path=folder / asked, content_type="text/javascript")

    page.route(f"{place}**", serve)
    page.expose_function("askTheTest", answer or (lambda what: pytest.fail(str(what))))
    # A page that really came from this machine: others may not ask what is on it.
    page.goto(f"{env['NETWORK']}/fee_stats")
    page.add_script_tag(path=folder / SDK)
    found = page.evaluate(
        """async ([env, name]) => {
          window.flow = { env };
          await import(`/flows/${name}.js`).catch((error) => {
            throw new Error(`${error.message} ${error.stack}`);
          });
          return window.flow.found;
        }""",
        [dict(env), name],
    )
    page.close()
    return found
