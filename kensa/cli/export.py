"""`kensa export`: a release as one file that gives verdicts without Kensa and Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from typer import Option

from kensa.cli.command import with_examples
from kensa.cli.options import ARTIFACTS, AS_JSON, STANDARD, VERIFY_KEY, VERSION
from kensa.cli.terminal import print_result
from tasks.core.results import ExportResult

DEFAULT_FOLDER = "exports/VERSION-FORMAT in --artifacts"


@with_examples("kensa export v3", "kensa export v3 --format savedmodel --out ./line-7")
def export(
    version: str = VERSION,
    export_format: Literal["onnx", "savedmodel"] = Option("onnx", "--format", help="Format of the file."),
    out: Path | None = Option(None, metavar="DIR", help="An empty or new folder.", show_default=DEFAULT_FOLDER),
    standard: Path | None = STANDARD,
    verify_key: Path | None = VERIFY_KEY,
    artifacts: Path = ARTIFACTS,
    as_json: bool = AS_JSON,
) -> None:
    """Write a release as ONNX or SavedModel.

    The file gives verdicts without Kensa and Keras. It is written only if it gives the same verdicts as the release.
    With the standard of kensa maps it takes photographs, too; a release that was trained on its maps carries it.
    """
    from tasks.registry.releases import get_release

    get_release(artifacts, version)  # a mistyped name is refused before TensorFlow starts, which takes seconds
    from tasks.export import export as write

    result = write(artifacts, version, export_format, out, standard)
    print_result(result, as_json, _print_result)


def _print_result(result: ExportResult) -> None:
    parity = result.parity
    print(f"{result.status}: {result.release} as {result.format} in {result.path}")
    print(
        f"  the release's own verdicts on {parity.records} maps, distances within {parity.largest_difference:.1g} "
        f"({parity.tolerance:g} allowed)"
    )
