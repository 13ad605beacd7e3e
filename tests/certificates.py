"""Certificates that sign themselves, for servers that speak TLS."""

import shutil
import subprocess
from pathlib import Path

import pytest


def make(folder: Path, name: str) -> Path:
    """Return a file with a certificate for a host's name, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, made = folder / "key.pem", folder / "made.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run(
        [*command.split(), *subject, "-keyout", str(key), "-out", str(made)],
        check=True,
        capture_output=True,
    )
    made.write_text(made.read_text() + key.read_text())
    return made
