"""`kensa maps`: photographs of parts become a source of RT maps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from kensa.cli.command import with_examples
from kensa.cli.options import AsJson
from kensa.cli.terminal import print_result
from tasks.core.errors import BadSetting
from tasks.core.results import MapsResult

DEMO = "demo"

Photos = Annotated[
    str,
    Argument(metavar="PHOTOS", help="A folder; demo writes photographs of the demonstration part to --out."),
]
Standard = Annotated[
    Path | None,
    Option(metavar="PLACE", help="Folder of good photographs, or of a standard.npz; required."),
]
Out = Annotated[Path, Option(metavar="DIR", help="The new source, a new folder.")]


@with_examples(
    "kensa maps ./photos --standard ./photos/good --out ./maps",
    "kensa maps demo --out ./demo",
)
def maps(
    photos: Photos,
    out: Out,
    standard: Standard = None,
    rows: Annotated[int, Option(min=1, max=4096, metavar="N", help="Rows of a map.")] = 36,
    cols: Annotated[int, Option(min=1, max=4096, metavar="N", help="Columns of a map.")] = 39,
    register: Annotated[
        Literal["none", "shift", "rigid"],
        Option(help="Correct nothing, shifts, or shifts and turns of the photographs."),
    ] = "rigid",
    max_shift: Annotated[
        float,
        Option(metavar="PIXELS", help="Largest shift to correct, in the reduced photograph."),
    ] = 12,
    max_turn: Annotated[float, Option(metavar="DEGREES", help="Largest turn to correct.")] = 6,
    most_unregistered: Annotated[
        float,
        Option(metavar="SHARE", help="Largest share of photographs that may not be registered."),
    ] = 0.1,
    good: Annotated[str, Option(metavar="NAME", help="Subfolder of the good parts.")] = "good",
    as_json: AsJson = False,
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
    from tasks.imaging.standard import MapOptions
    from tasks.maps import make_maps

    options = MapOptions(rows, cols, register, max_shift, max_turn)
    result = make_maps(Path(photos), standard, out, options, good, most_unregistered)
    print_result(result, as_json, _print_result)


def _write_demo(out: Path, as_json: bool) -> None:
    from tasks.imaging.demo_files import write_demo

    folders = write_demo(out)
    photos, standard = folders["photographs"], folders["standard"]
    command = f"kensa maps {photos} --standard {standard} --out {out / 'maps'}"
    print(json.dumps(folders) if as_json else f"{photos}, {standard}; next: {command}")


def _print_result(result: MapsResult) -> None:
    modes = ", ".join(f"{count:,} {mode}" for mode, count in sorted(result.modes.items()))
    print(f"{result.path}: {result.records:,} maps ({modes}) against a standard of {result.standard:,}")
    if result.unregistered:
        print(f"  {len(result.unregistered):,} could not be registered, such as {result.unregistered[0]}")
    if result.overlap:
        print(f"  {result.overlap:,} are in the standard, too: their maps look better than those of new parts")
