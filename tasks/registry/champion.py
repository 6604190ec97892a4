"""The pointer to the champion: reading it, moving it, and the locks under which it moves."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tasks.config.run import RunConfig
from tasks.core.errors import DamagedRelease, MapSizeChanged, UnknownRelease
from tasks.core.files import add_checksum, checksum_matches, ensure_writable, translate_disk_errors, write_json
from tasks.registry.releases import VERSION_NAME, Release, _folders, get_release, verify_release

POINTER = "champion.json"


def next_version(artifacts: Path) -> str:
    """The name of the next release; one that was champion and then removed does not give its name away."""
    names = [*_folders(artifacts), *champion_state(artifacts)["ever"]]
    return f"v{max((int(name[1:]) for name in names), default=0) + 1}"


def champion_state(artifacts: Path) -> dict[str, Any]:
    """The champion's name (None before the first), the way back, and all that ever were champion.

    DamagedRelease where it is not as it was written, or is gone while there are releases: a run that took
    that for a beginning would put its model in the place of a champion that it was never compared with.
    """
    path = artifacts / POINTER
    try:
        return _read_state(json.loads(path.read_text()))
    except FileNotFoundError:
        if _folders(artifacts):
            raise DamagedRelease(
                f"{path}: is gone, and there are releases; restore it from a backup, or promote a release"
            ) from None
        return {"champion": None, "history": [], "ever": []}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DamagedRelease(
            f"{path}: expected JSON with champion, history and ever, as it was written; "
            "restore it, or remove it and promote a release"
        ) from None


def _read_state(told: dict[str, Any]) -> dict[str, Any]:
    """The pointer; ValueError where a bit of it has turned. Those of before had no seal, and no other key."""
    state = {"champion": told["champion"], "history": [*told["history"]], "ever": [*told["ever"]]}
    if set(told) != set(state) and not checksum_matches(told):
        raise ValueError("not as it was sealed")
    names = [*state["history"], *state["ever"], *([] if state["champion"] is None else [state["champion"]])]
    if not all(isinstance(name, str) and VERSION_NAME.fullmatch(name) for name in names):
        raise ValueError("no names of releases")
    return state


def current_champion(artifacts: Path) -> Release | None:
    """The champion, verified; None before the first release."""
    name = champion_state(artifacts)["champion"]
    return None if name is None else verify_release(get_release(artifacts, name))


@contextmanager
def registry_lock(artifacts: Path) -> Iterator[None]:
    """Hold the lock under which releases are numbered and the pointer moves; the system drops it at a kill."""
    lock = FileLock(ensure_writable(artifacts) / ".lock")
    with translate_disk_errors(artifacts):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def exclusive_run(artifacts: Path) -> Iterator[None]:
    """Hold the lock of a whole retraining: of two runs into the same folder, the second waits and then looks again."""
    lock = FileLock(ensure_writable(artifacts) / ".run.lock")
    try:
        with translate_disk_errors(artifacts):
            lock.acquire(timeout=0)
    except Timeout:
        print(f"kensa: another run retrains into {artifacts}; waiting for it", file=sys.stderr, flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def promote(artifacts: Path, version: str) -> Release:
    """Make a release the champion; it is verified first. Where the pointer is gone, it is made anew."""
    get_release(artifacts, version)  # before the lock, which would make a folder of a mistyped name
    with registry_lock(artifacts):
        release = verify_release(get_release(artifacts, version))
        if not (artifacts / POINTER).exists():  # all may have been champion; none must become it by itself
            _write(artifacts, None, [], [*_folders(artifacts)])
        set_champion(artifacts, version)
        return release


def rollback(artifacts: Path) -> Release:
    """Make the champion before the present one the champion again; UnknownRelease where there is none."""
    _earlier_champions(artifacts)  # before the lock, which would make a folder of a mistyped name
    with registry_lock(artifacts):
        history, state = _earlier_champions(artifacts), champion_state(artifacts)
        release = verify_release(get_release(artifacts, history[-2]))
        _write(artifacts, release.version, history[:-1], state["ever"])
        return release


def _earlier_champions(artifacts: Path) -> list[str]:
    """The champions so far, two at least."""
    history = champion_state(artifacts)["history"]
    if len(history) < 2:
        raise UnknownRelease(f"{artifacts}: expected an earlier champion to go back to, found none")
    return history


def set_champion(artifacts: Path, version: str) -> None:
    """Move the pointer; the caller holds the lock and has verified the release."""
    state = champion_state(artifacts)
    if state["champion"] != version:
        ever = state["ever"] + [version] * (version not in state["ever"])
        _write(artifacts, version, [*state["history"], version], ever)


def init_champion_file(artifacts: Path) -> None:
    """Write the pointer before the first release is there, so that its loss can be told from a beginning."""
    if not (artifacts / POINTER).exists():
        state = champion_state(artifacts)
        _write(artifacts, state["champion"], state["history"], state["ever"])


def _write(artifacts: Path, version: str | None, history: list[str], ever: list[str]) -> None:
    write_json(artifacts / POINTER, add_checksum({"champion": version, "history": history, "ever": ever}))


def comparable_champion(config: RunConfig) -> Release | None:
    """The champion that a run must not fall behind; MapSizeChanged where it takes other maps."""
    found = current_champion(ensure_writable(config.artifacts_path))
    if found is None:
        return None
    sizes = [(found.manifest["config"]["data"][name], getattr(config.data, name)) for name in ("rows", "cols")]
    if any(old != new for old, new in sizes):
        (rows, new_rows), (cols, new_cols) = sizes
        raise MapSizeChanged(
            f"{config.artifacts_folder}: the champion {found.version} takes {rows}×{cols} maps, this run has "
            f"{new_rows}×{new_cols}; use another --artifacts folder for them"
        )
    return found


def select_release(artifacts: Path, version: str | None) -> Release:
    """The release of that name, or the champion, verified. Raises UnknownRelease, DamagedRelease, NewerRelease."""
    release = verify_release(get_release(artifacts, version)) if version else current_champion(artifacts)
    if release is None:
        raise UnknownRelease(
            f"{artifacts}: expected a champion to judge with, found none; kensa retrain makes the first"
        )
    return release
