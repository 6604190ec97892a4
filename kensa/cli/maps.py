"""`kensa maps`: photographs of parts become a source of RT maps."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from kensa.cli.options import json_word
from tasks.core.errors import BadSetting
from tasks.core.results import MapsResult


def words(commands: Any) -> None:
    """The command's words."""
    text = "turn photographs into RT maps against photographs of good parts: a source for retrain, score and drift"
    command = commands.add_parser("maps", help=text, description=text)
    command.add_argument("photos", metavar="PHOTOS", help="a folder; demo writes photographs of the demonstration part")
    command.add_argument("--standard", metavar="PLACE", help="folder of good photographs, or of a standard.npz")
    command.add_argument("--out", required=True, metavar="DIR", help="the new source, a new folder")
    command.add_argument("--rows", type=int, default=36, help="rows of a map")
    command.add_argument("--cols", type=int, default=39, help="columns of a map")
    command.add_argument("--register", choices=("none", "shift", "rigid"), default="rigid", help="what is evened out")
    command.add_argument("--max-shift", type=float, default=12, metavar="PIXELS", help="of the reduced photograph")
    command.add_argument("--max-turn", type=float, default=6, metavar="DEGREES", help="that are evened out at most")
    command.add_argument("--most-unregistered", type=float, default=0.1, metavar="SHARE", help="of the photographs")
    command.add_argument("--good", default="good", metavar="NAME", help="the subfolder of good parts")
    json_word(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """`kensa maps PHOTOS --standard GOOD --out SOURCE`."""
    out = Path(arguments.out)
    if arguments.photos == "demo":
        from tasks.imaging.demo_files import write_demo

        folders = write_demo(out)
        print(json.dumps(folders) if arguments.json else f"{folders['photographs']}, {folders['standard']}; next: "
              f"kensa maps {folders['photographs']} --standard {folders['standard']} --out {out / 'maps'}")  # fmt: skip
        return 0
    if arguments.standard is None:
        raise BadSetting("--standard: expected a folder of good photographs, or of a standard.npz, found none")
    for name in ("rows", "cols"):
        if not 1 <= getattr(arguments, name) <= 4096:
            raise BadSetting(f"--{name}: expected 1 to 4096, found {getattr(arguments, name)}")
    from tasks.imaging.standard import MapOptions
    from tasks.maps import make_maps

    asked = MapOptions(arguments.rows, arguments.cols, arguments.register, arguments.max_shift, arguments.max_turn)
    places = Path(arguments.photos), Path(arguments.standard), out
    made = make_maps(*places, asked, arguments.good, arguments.most_unregistered)
    print(json.dumps(made.as_json()) if arguments.json else format_result(made))
    return 0


def format_result(made: MapsResult) -> str:
    """The source, as text."""
    modes = ", ".join(f"{count:,} {mode}" for mode, count in sorted(made.modes.items()))
    lines = [f"{made.path}: {made.records:,} maps ({modes}) against a standard of {made.standard:,}"]
    if made.unregistered:
        lines.append(f"  {len(made.unregistered):,} could not be registered, such as {made.unregistered[0]}")
    if made.overlap:
        lines.append(f"  {made.overlap:,} are in the standard, too: their maps flatter them")
    return "\n".join(lines)
