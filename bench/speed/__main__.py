"""What Kensa is measured against, and by how much it is ahead: ratios of medians from runs in turns.

    make bench                                   everything, and the table in docs/speed.md
    python -m bench.speed.__main__ --parts start,data     some of: training, data, line, start; --rounds 1 for a look

Every way runs in a process of its own. The peers are written plainly, as their users would: bench/speed/notebook.py
and bench/speed/training_process.py.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from bench.speed.command import line, start
from bench.speed.data import data
from bench.speed.table import Line
from bench.speed.timing import OUT, ROOT, machine, peaks
from bench.speed.training import training

PAGE = ROOT / "docs" / "speed.md"
MARKS = ("<!-- bench: make bench -->", "<!-- bench end -->")
PARTS = {"start": start, "training": training, "data": data, "line": line}


def table(lines: list[Line], peak: dict[str, float]) -> str:
    """The whole table with the machine above it."""
    head = f"{machine()}; float32 matrix product {peak['product']:.0f} GFLOP/s, copy {peak['copy']:.1f} GB/s."
    names = "| | what | Kensa | beside it | ratio | goal |\n| --- | --- | ---: | ---: | ---: | ---: |"
    return "\n".join([head, "", names, *(one.text() for one in lines)])


def written(page: str, text: str) -> str:
    """The page with the table between its marks."""
    return re.sub(f"{MARKS[0]}.*?{MARKS[1]}", lambda _: f"{MARKS[0]}\n{text}\n{MARKS[1]}", page, flags=re.S)


def main() -> None:
    """Measure, print, and keep."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--parts", default=",".join(PARTS))
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--write", action="store_true", help="write the table into docs/speed.md")
    asked = words.parse_args()
    peak, lines = peaks(), []
    for name in asked.parts.split(","):
        print(f"bench: {name}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as folder:
            lines += PARTS[name](Path(folder), asked.rounds)
    text = table(lines, peak)
    print(text)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "speed.json").write_text(json.dumps({"peaks": peak, "lines": [asdict(one) for one in lines]}, indent=1))
    if asked.write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")


if __name__ == "__main__":
    main()
