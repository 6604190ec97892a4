"""Runs the parts, and writes the table.

python -m bench.faults [--parts kill,disk,…] [--seed 42] [--share 1.0] [--work FOLDER] [--write]
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "MPLBACKEND": "agg"}

from bench.faults.result_row import Row, say

PARTS = {
    "kill": "killed_steps:kills",
    "command": "killed_command:commands",
    "disk": "disk:disk",
    "network": "network:network",
    "pairs": "concurrency:pairs",
    "data": "bad_data:baddata",
    "journal": "journal:journal",
    "hostile": "hostile_input:hostile",
    "workers": "lost_workers:workers",
    "addresses": "shared_address:addresses",
    "soak": "soak:soak",
}
ROOT = Path(__file__).parents[2]
KEPT = ROOT / "bench" / "out" / "faults.json"
PAGE = ROOT / "docs" / "reliability.md"
MARKS = ("<!-- faults: make faults -->", "<!-- faults end -->")


def part(name: str) -> Callable[[Path, int, float], list[Row]]:
    """The function that runs a part, imported when it is asked for."""
    module, _, function = PARTS[name].partition(":")
    return getattr(importlib.import_module(f"bench.faults.{module}"), function)


def main(words: list[str] | None = None) -> int:
    """Run what is asked for; 1 where anything was lost."""
    command = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__.splitlines()[0])
    command.add_argument("--parts", default="all", help=f"all, or some of {', '.join(PARTS)}")
    command.add_argument("--seed", type=int, default=int(time.time()) % 2**31, help="printed; give it to repeat a run")
    command.add_argument("--share", type=float, default=1.0, help="of the tries of each part, such as 0.1")
    command.add_argument("--work", type=Path, help="folder to work in; a temporary one by default")
    command.add_argument("--write", action="store_true", help="write the table into docs/reliability.md")
    arguments = command.parse_args(words)
    names = list(PARTS) if arguments.parts == "all" else arguments.parts.split(",")
    say(f"seed {arguments.seed}, parts {', '.join(names)}, share {arguments.share}")
    lost = 0
    for name in names:
        with tempfile.TemporaryDirectory(dir=arguments.work, prefix=f"faults-{name}-") as folder:
            rows = part(name)(Path(folder), arguments.seed, arguments.share)
        lost += sum(len(row.lost) for row in rows)
        keep(name, rows, arguments.seed, arguments.share)
    if arguments.write:
        write_table()
    say(f"{lost} lost")
    return 1 if lost else 0


def keep(name: str, rows: list[Row], seed: int, share: float) -> None:
    """Put a part's rows in the place of those of its last run."""
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    rows_by_part = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    rows_by_part[name] = {"seed": seed, "share": share, "rows": [asdict(row) for row in rows]}
    KEPT.write_text(json.dumps(rows_by_part, indent=1))


def write_table() -> None:
    """Between the marks of docs/reliability.md: the kept rows; those of parts that were not run here stay."""
    page = PAGE.read_text(encoding="utf-8")
    before = re.search(f"{MARKS[0]}.*?{MARKS[1]}", page, re.S)[0]
    rows = {name: [line for line in before.splitlines() if line.startswith(f"| {name} |")] for name in PARTS}
    seeds = dict(re.findall(r"(\w+) (\d+(?: \(share [\d.]+\))?)", before.partition("Seeds: ")[2]))
    for name, part in json.loads(KEPT.read_text()).items():
        rows[name] = [_line(name, row) for row in part["rows"]]
        seeds[name] = f"{part['seed']}" + (f" (share {part['share']:g})" if part["share"] != 1 else "")
    lines = [line for name in PARTS for line in rows[name]]
    total = [sum(int(line.split("|")[place].replace(",", "")) for line in lines) for place in range(-5, -1)]
    text = "\n".join(
        [
            MARKS[0],
            "| part | kind of fault | tried | recovered | refused cleanly | lost |",
            "| --- | --- | ---: | ---: | ---: | ---: |",
            *lines,
            "| | **all** | " + " | ".join(f"**{count:,}**" for count in total) + " |",
            "",
            f"Seeds: {', '.join(f'{name} {seed}' for name, seed in seeds.items())}.",
            MARKS[1],
        ]
    )
    PAGE.write_text(page.replace(before, text), encoding="utf-8")


def _line(name: str, row: dict[str, Any]) -> str:
    lost = len(row["lost"])
    counts = [row["recovered"] + row["refused"] + lost, row["recovered"], row["refused"], lost]
    kind = row["kind"] + (f" ({row['notes']})" if row["notes"] else "")
    return f"| {name} | {kind} | {' | '.join(f'{count:,}' for count in counts)} |"


if __name__ == "__main__":
    sys.exit(main())
