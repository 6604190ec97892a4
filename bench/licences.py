"""Writes docs/licences.md: every locked package that is installed here, its version, its licence as it states it.

python -m bench.licences
"""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "licences.md"
MOST = 60  # characters of a licence: some packages put its whole text there
HEAD = """# Licences

What Kensa is installed with: the packages of `requirements.lock`, each with the licence that its own metadata
states. Made by `python -m bench.licences` in the environment of `make test`; those for other systems or Python
versions, which are not installed there, are named at the end.

| package | version | licence |
| --- | --- | --- |
"""


def locked() -> list[str]:
    """The names in requirements.lock."""
    return re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==", (ROOT / "requirements.lock").read_text(), re.M)


def licence(metadata: importlib.metadata.PackageMetadata) -> str:
    """The licence expression, else the classifiers, else the first line of the licence field."""
    if expression := metadata.get("License-Expression"):
        return expression
    kinds = [
        line.rpartition(":: ")[2] for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")
    ]
    field = (metadata.get("License") or "").strip().partition("\n")[0][:MOST]
    return ", ".join(kinds) or field or "not stated"


def main() -> None:
    """Write the page."""
    rows, absent = [], []
    for name in locked():
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            absent.append(name)
            continue
        rows.append(f"| {name} | {distribution.version} | {licence(distribution.metadata)} |")
    text = HEAD + "\n".join(rows) + "\n"
    text += f"\nNot installed here: {', '.join(absent)}.\n" if absent else ""
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
