"""The example rail, really installed: offline, into a folder of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def install_example_rail(folder: Path) -> Path:
    """Install it below `folder` as pip does, and return what belongs on the import path."""
    source, target = folder / "source", folder / "site"
    shutil.copytree(ROOT / "tests" / "example_rail", source)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"),
            *("--no-build-isolation", "--disable-pip-version-check", "--target"),
            *(str(target), str(source)),
        ],
        check=True,
        env=dict(os.environ, PIP_NO_INDEX="1"),
    )
    return target
