"""The commands of `kensa`, one module each: `words(commands)` declares it, `run(arguments)` does it.

A module here imports at its top what its words need, which is standard library and settings; what the
command itself needs is imported when it runs. `kensa --help` must not wait for Prefect or TensorFlow.
"""

from __future__ import annotations

import argparse


def artifacts_word(command: argparse.ArgumentParser) -> None:
    """`--artifacts DIR`."""
    command.add_argument("--artifacts", default="artifacts", metavar="DIR", help="folder of the releases")


def json_word(command: argparse.ArgumentParser) -> None:
    """`--json`."""
    command.add_argument("--json", action="store_true", help="print one JSON object on stdout, and nothing else there")
