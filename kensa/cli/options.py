"""Options and arguments that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Context, Option


def release_names(ctx: Context, incomplete: str) -> list[str]:
    """The releases that a shell offers for VERSION."""
    folder = Path(ctx.params.get("artifacts") or "artifacts") / "releases"
    return sorted(path.name for path in folder.glob(f"{incomplete}*") if path.is_dir())


Artifacts = Annotated[Path, Option(metavar="DIR", help="Folder of the releases.")]
Data = Annotated[Path, Option(metavar="DIR", help="Folder of the caches and stages.")]
AsJson = Annotated[bool, Option("--json", help="Print one JSON object on stdout, and nothing else there.")]
Source = Annotated[str, Argument(metavar="SOURCE", help="org/name[@revision] on the Hub, a folder, or demo.")]
Version = Annotated[str, Argument(metavar="VERSION", help="A release, such as v3.", autocompletion=release_names)]
ReleaseName = Annotated[
    str | None,
    Option(
        metavar="VERSION",
        help="The release to use, such as v3.",
        show_default="the champion",
        autocompletion=release_names,
    ),
]
Language = Annotated[
    Literal["en", "ja"] | None,
    Option(help="Language of the page.", show_default="the release's own"),
]
