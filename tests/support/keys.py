"""Keys on NIST curves, as a person makes them with openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make_key(folder: Path, name: str = "release", password: str | None = None) -> tuple[Path, Path]:
    """The private and the public key, as PEM files."""
    private, public = folder / f"{name}.key", folder / f"{name}.pub"
    run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", private)
    run("ec", "-in", private, "-pubout", "-out", public)
    if password:
        run("ec", "-in", private, "-aes256", "-passout", f"pass:{password}", "-out", private)
    return private, public


def run(*words: object) -> None:
    """openssl."""
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
