"""`kensa maps`: photographs of parts become a source of RT maps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from typer import Argument, Option

from kensa.cli.command import with_examples
from kensa.cli.options import AS_JSON, DASK
from kensa.cli.terminal import print_result, print_unread
from tasks.core.errors import BadSetting
from tasks.core.results import MapsResult

DEMO = "demo"


@with_examples("kensa maps ./photos --standard ./photos/good --out ./maps", "kensa maps demo --out ./demo")
def maps(
    photos: str = Argument(
        metavar="PHOTOS", help="A folder; demo writes photographs of the demonstration part to --out."
    ),
    out: Path = Option(metavar="DIR", help="The new source, a new folder."),
    standard: Path | None = Option(
        None,
        metavar="PLACE",
        help="Folder of good photographs, or of a standard.npz.",
        show_default="none; needed but for demo",
    ),
    rows: int = Option(36, min=1, max=4096, metavar="N", help="Rows of a map."),
    cols: int = Option(39, min=1, max=4096, metavar="N", help="Columns of a map."),
    register: Literal["none", "shift", "rigid"] = Option("rigid", help="Correct nothing, shifts, or shifts and turns."),
    max_shift: float = Option(12, metavar="PIXELS", help="Largest shift to correct, in the reduced photograph."),
    max_turn: float = Option(6, metavar="DEGREES", help="Largest turn to correct."),
    most_unregistered: float = Option(
        0.1, metavar="SHARE", help="Largest share of photographs that may not be registered."
    ),
    good: str = Option("good", metavar="NAME", help="Subfolder of the good parts; none if all are defective."),
    dask: str | None = DASK,
    as_json: bool = AS_JSON,
) -> None:
    """Turn photographs into RT maps, a source for the others.

    Each subfolder of PHOTOS holds the parts of one failure mode. A map says how far each window of a photograph is
    from the good photographs of the standard.
    """
    if photos == DEMO:
        _write_demo(out, as_json)
        return
    if standard is None:
        raise BadSetting("--standard: expected a folder of good photographs, or of a standard.npz, found none")
    from tasks.core.progress import Heartbeat
    from tasks.imaging.standard import MapOptions
    from tasks.maps import make_maps

    options = MapOptions(rows, cols, register, max_shift, max_turn)
    with Heartbeat("maps"):
        result = make_maps(Path(photos), standard, out, options, good, most_unregistered, dask)
    print_result(result, as_json, _print_result)


def _write_demo(out: Path, as_json: bool) -> None:
    from tasks.imaging.demo import write_demo

    folders = write_demo(out)
    photos, standard = folders["photographs"], folders["standard"]
    command = f"kensa maps {photos} --standard {standard} --out {out / 'maps'}"
    print(json.dumps(folders) if as_json else f"{photos}, {standard}; next: {command}")


def _print_result(result: MapsResult) -> None:
    modes = ", ".join(f"{count:,} {mode}" for mode, count in sorted(result.modes.items()))
    print(f"{result.path}: {result.records:,} maps ({modes}) against a standard of {result.standard:,}")
    if result.unregistered:
        print(f"  {len(result.unregistered):,} could not be registered, such as {result.unregistered[0]}")
    print_unread(result.unread)
    if result.overlap:
        print(f"  {result.overlap:,} are in the standard, too: their maps look better than those of new parts")
