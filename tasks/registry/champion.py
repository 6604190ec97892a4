"""The pointer to the champion: reading it, moving it, and the locks under which it moves.

artifacts/champion.json    {"champion": "v3", "history": ["v1", "v3"], "ever": ["v1", "v2", "v3"], "seal": …}
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tasks.config.run import RunConfig
from tasks.core.errors import DamagedRelease, MapSizeChanged, UnknownRelease
from tasks.core.files import (
    add_checksum,
    checksum_matches,
    ensure_writable,
    inherit_group_write,
    translate_disk_errors,
    write_json,
)
from tasks.registry.releases import VERSION_NAME, Release, get_release, release_folders, verify_release

CHAMPION_FILE = "champion.json"


@dataclass(frozen=True)
class ChampionState:
    """The champion's name (None before the first), the champions so far, and every release that was one.

    `history` is the way back that a rollback takes; `ever` tells a release that never was champion from one that
    was rolled back.
    """

    champion: str | None = None
    history: tuple[str, ...] = ()
    ever: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, entries: dict[str, Any]) -> ChampionState:
        """The state as it is stored; ValueError, KeyError or TypeError where it was changed or is of another form.

        The oldest files had these three keys and no checksum.
        """
        state = cls(entries["champion"], tuple(entries["history"]), tuple(entries["ever"]))
        if set(entries) != set(asdict(state)) and not checksum_matches(entries):
            raise ValueError("it differs from its checksum")
        names = [*state.history, *state.ever, *([] if state.champion is None else [state.champion])]
        if not all(isinstance(name, str) and VERSION_NAME.fullmatch(name) for name in names):
            raise ValueError("expected names of releases")
        return state

    def as_json(self) -> dict[str, Any]:
        """The state as it is stored, with its checksum."""
        return add_checksum(asdict(self))


def champion_state(artifacts: Path) -> ChampionState:
    """What the pointer says.

    Raises DamagedRelease where it was changed, or is missing while there are releases: a run that started anew would
    replace a champion with which it was never compared.
    """
    path = artifacts / CHAMPION_FILE
    try:
        return ChampionState.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        if release_folders(artifacts):
            raise DamagedRelease(
                f"{path}: is missing, and there are releases; restore it from a backup, or promote a release"
            ) from None
        return ChampionState()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DamagedRelease(
            f"{path}: expected JSON with champion, history and ever, as it was written; "
            "restore it, or remove it and promote a release"
        ) from None


def current_champion(artifacts: Path) -> Release | None:
    """The champion, verified; None before the first release."""
    name = champion_state(artifacts).champion
    return None if name is None else verify_release(get_release(artifacts, name))


def select_release(artifacts: Path, version: str | None) -> Release:
    """The release of that name, or the champion, verified. Raises UnknownRelease, DamagedRelease, NewerRelease."""
    release = verify_release(get_release(artifacts, version)) if version else current_champion(artifacts)
    if release is None:
        raise UnknownRelease(f"{artifacts}: expected a champion, found none; kensa retrain makes the first")
    return release


def comparable_champion(config: RunConfig) -> Release | None:
    """The champion with which a run is compared; MapSizeChanged where it takes maps of another size."""
    champion = current_champion(ensure_writable(config.artifacts_path))
    size = config.data.rows, config.data.cols
    if champion is not None and champion.manifest.map_size != size:
        (rows, cols), (new_rows, new_cols) = champion.manifest.map_size, size
        raise MapSizeChanged(
            f"{config.artifacts_folder}: the champion {champion.version} takes {rows}×{cols} maps, this run has "
            f"{new_rows}×{new_cols}; use another --artifacts folder for them"
        )
    return champion


@contextmanager
def registry_lock(artifacts: Path) -> Iterator[None]:
    """Hold the lock under which releases are numbered and the pointer moves; a killed process loses it."""
    path = ensure_writable(artifacts) / ".lock"
    with translate_disk_errors(path):
        lock = FileLock(_shared(path)).acquire()
    with lock:
        yield


@contextmanager
def exclusive_run(artifacts: Path) -> Iterator[None]:
    """Hold the lock of a whole retraining: a second run into the same folder waits until the first has ended."""
    path = ensure_writable(artifacts) / ".run.lock"
    try:
        with translate_disk_errors(path):
            lock = FileLock(_shared(path))
            holder = lock.acquire(timeout=0)
    except Timeout:
        print(f"kensa: another run retrains into {artifacts}; waiting for it", file=sys.stderr, flush=True)
        holder = lock.acquire()
    with holder:
        yield


def _shared(lock: Path) -> Path:
    """The file of a lock, writable for the group where its folder is: two users may share the releases."""
    if not lock.exists():
        lock.touch()
        inherit_group_write(lock)
    return lock


def promote(artifacts: Path, version: str) -> Release:
    """Verify a release, then make it the champion. A missing pointer is written again."""
    get_release(artifacts, version)  # before the lock, which would make a folder of a mistyped name
    with registry_lock(artifacts):
        release = verify_release(get_release(artifacts, version))
        if not (artifacts / CHAMPION_FILE).exists():  # any may have been champion; a rerun must not make it so again
            _write(artifacts, ChampionState(ever=tuple(release_folders(artifacts))))
        set_champion(artifacts, version)
        return release


def rollback(artifacts: Path) -> Release:
    """Make the previous champion the champion again; UnknownRelease where there is none."""
    _state_with_history(artifacts)  # before the lock, which would make a folder of a mistyped name
    with registry_lock(artifacts):
        state = _state_with_history(artifacts)
        release = verify_release(get_release(artifacts, state.history[-2]))
        _write(artifacts, ChampionState(release.version, state.history[:-1], state.ever))
        return release


def _state_with_history(artifacts: Path) -> ChampionState:
    """The state, with at least two champions so far."""
    state = champion_state(artifacts)
    if len(state.history) < 2:
        raise UnknownRelease(f"{artifacts}: expected an earlier champion to go back to, found none")
    return state


def set_champion(artifacts: Path, version: str) -> None:
    """Move the pointer; the caller holds the lock and has verified the release."""
    state = champion_state(artifacts)
    if state.champion != version:
        ever = state.ever if version in state.ever else (*state.ever, version)
        _write(artifacts, ChampionState(version, (*state.history, version), ever))


def init_champion_file(artifacts: Path) -> None:
    """Write the pointer before the first release is placed, so that its loss is noticed."""
    if not (artifacts / CHAMPION_FILE).exists():
        _write(artifacts, champion_state(artifacts))


def _write(artifacts: Path, state: ChampionState) -> None:
    write_json(artifacts / CHAMPION_FILE, state.as_json())
