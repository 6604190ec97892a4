"""Options and arguments that several commands take."""

from __future__ import annotations

import os
from pathlib import Path

from typer import Argument, Context, Option

from tasks.config.fields import require_cluster_address
from tasks.config.run import ARTIFACTS_FOLDER, DATA_FOLDER
from tasks.core.errors import BadSetting


def line_artifacts(line: str | None, artifacts: Path) -> Path:
    """The folder of a line's releases, or `artifacts` without a line; raises BadSetting for an unknown line."""
    if line is None:
        return artifacts
    from flows.service.lines import artifacts_of

    return artifacts_of(line)


def line_data(line: str | None, data: Path) -> Path:
    """The folder of a line's caches and stages, or `data` without a line; raises BadSetting for an unknown line."""
    if line is None:
        return data
    from flows.service.lines import read_lines

    return read_lines()[line].config.data_path


def release_names(ctx: Context, incomplete: str) -> list[str]:
    """The releases that a shell offers for VERSION."""
    folder = Path(ctx.params.get("artifacts") or ARTIFACTS_FOLDER) / "releases"
    return sorted(path.name for path in folder.glob(f"{incomplete}*") if path.is_dir())


def require_key(key: Path | None) -> Path | None:
    """Have every release of this process, and of those that it starts, verified by a public key."""
    if key is not None:
        if not key.is_file():
            raise BadSetting(f"--verify-key {key}: expected a public key as PEM, found no such file")
        os.environ["KENSA_VERIFY_KEY"] = str(key.resolve())
    return key


def require_workers(address: str | None) -> str | None:
    """The address of workers, or BadSetting."""
    require_cluster_address(address, "--dask")
    return address


A_RELEASE = {"metavar": "VERSION", "autocompletion": release_names}
VERSION = Argument(help="A release, such as v3.", **A_RELEASE)
RELEASE = Option(None, help="The release to use, such as v3.", show_default="the champion", **A_RELEASE)
SOURCE_FORMS = "org/name[@revision] on the Hub, files, a folder, an address such as s3://bucket/folder, or demo"
SOURCES = Argument(metavar="SOURCE", help=f"{SOURCE_FORMS}; several are read as one.")
ARTIFACTS = Option(
    ARTIFACTS_FOLDER,
    metavar="DIR",
    help="Folder of the releases, or the address of a store such as s3://bucket/folder.",
)
DATA = Option(DATA_FOLDER, metavar="DIR", help="Folder of the caches and stages, or the address that --artifacts has.")
AS_JSON = Option(False, "--json", help="Print one JSON object on stdout, and nothing else there.")
CONFIG = Option(None, metavar="NAME", help="Configuration of the source, if it has several.")
PART = Option(None, metavar="NAME", help="Split of the source to read.", show_default="test, else train, else all")
STANDARD = Option(
    None,
    metavar="PLACE",
    help="Folder or file of a standard.npz, for photographs.",
    show_default="the release's own, if it carries one",
)
VERIFY_KEY = Option(
    None,
    "--verify-key",
    metavar="FILE",
    help="Public key by which the release must be signed.",
    show_default="KENSA_VERIFY_KEY, if it is set",
    callback=require_key,
)
BY = Option(None, metavar="NAME", help="Who wants it, for the journal.", show_default="the system's user")
REASON = Option(None, metavar="TEXT", help="Why, for the journal.")
LINE = Option(None, metavar="NAME", help="A product line of kensa.toml, in place of --artifacts.")
DASK = Option(
    None,
    metavar="ADDRESS",
    help="Workers that do it: a Dask scheduler such as tcp://127.0.0.1:8786, or local:2 for two processes.",
    show_default="this process",
    callback=require_workers,
)
LANGUAGE = Option(None, help="Language of the page.", show_default="the release's own")
