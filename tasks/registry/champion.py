"""The pointer to the champion: reading it, moving it, and the locks under which it moves.

Each move is written to the journal (tasks/registry/journal_events.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from tasks.config.run import RunConfig
from tasks.core.authorship import Authorship
from tasks.core.errors import MapSizeChanged, UnknownRelease
from tasks.core.files import ensure_writable, inherit_group_write, translate_disk_errors
from tasks.core.log_lines import say
from tasks.provenance.signatures import sign_folder
from tasks.registry.journal import read_journal
from tasks.registry.journal_events import bring_up_to_date, record_signature, utc_now
from tasks.registry.pointer import CHAMPION_FILE, ChampionState, Move, champion_state, write_pointer
from tasks.registry.releases import Release, get_release, release_folders, require_whole, verify_release


def current_champion(artifacts: Path) -> Release | None:
    """The champion, verified; None before the first release."""
    name = champion_state(artifacts).champion
    return None if name is None else verify_release(get_release(artifacts, name))


def select_release(artifacts: Path, version: str | None) -> Release:
    """The release of that name, or the champion, verified. Raises UnknownRelease, DamagedRelease, NewerRelease."""
    release = verify_release(get_release(artifacts, version)) if version else current_champion(artifacts)
    if release is None:
        waiting = list(release_folders(artifacts))[-1:]  # without a champion, every release is a candidate
        cure = (
            f"kensa approve {waiting[0]} makes the candidate champion" if waiting else "kensa retrain makes the first"
        )
        raise UnknownRelease(f"{artifacts}: expected a champion, found none; {cure}")
    return release


def comparable_champion(config: RunConfig) -> Release | None:
    """The champion with which a run is compared; MapSizeChanged where it takes maps of another size.

    Raises DamagedJournal, too: a run whose result could not be written down is refused before it trains.
    """
    champion = current_champion(ensure_writable(config.artifacts_path))
    read_journal(config.artifacts_path)
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
        say(f"kensa: another run retrains into {artifacts}; waiting for it")
        holder = lock.acquire()
    with holder:
        yield


def _shared(lock: Path) -> Path:
    """The file of a lock, writable for the group where its folder is: two users may share the releases."""
    if not lock.exists():
        lock.touch()
        inherit_group_write(lock)
    return lock


def promote(artifacts: Path, version: str, author: Authorship | None = None) -> Release:
    """Verify a release, then make it the champion. A missing pointer is written again."""
    get_release(artifacts, version)  # before the lock, which would make a folder of a mistyped name
    with registry_lock(artifacts):
        release = verify_release(get_release(artifacts, version))
        if not (artifacts / CHAMPION_FILE).exists():  # any may have been champion; a rerun must not make it so again
            read_journal(artifacts)
            write_pointer(artifacts, ChampionState(ever=tuple(release_folders(artifacts))))
        set_champion(artifacts, version, author)
        return release


def rollback(artifacts: Path, author: Authorship | None = None) -> Release:
    """Make the previous champion the champion again; UnknownRelease where there is none."""
    _state_with_history(artifacts)  # before the lock, which would make a folder of a mistyped name
    with registry_lock(artifacts):
        state = _state_with_history(artifacts)
        release = verify_release(get_release(artifacts, state.history[-2]))
        _move(artifacts, ChampionState(release.version, state.history[:-1], state.ever), "rolled back", author)
        return release


def sign(artifacts: Path, version: str, key: Path, author: Authorship | None = None) -> Path:
    """Sign a whole release and write that to the journal; the signature's path. Raises what `sign_folder` does."""
    get_release(artifacts, version)  # before the lock, which would make a folder of a mistyped name
    with registry_lock(artifacts):
        release = require_whole(get_release(artifacts, version))
        bring_up_to_date(artifacts)
        signature = sign_folder(release.path, key)
        record_signature(artifacts, signature, author or Authorship.of())
        return signature


def _state_with_history(artifacts: Path) -> ChampionState:
    """The state, with at least two champions so far."""
    state = champion_state(artifacts)
    if len(state.history) < 2:
        raise UnknownRelease(f"{artifacts}: expected an earlier champion to go back to, found none")
    return state


def set_champion(artifacts: Path, version: str, author: Authorship | None = None, event: str = "promoted") -> None:
    """Move the pointer; the caller holds the lock and has verified the release."""
    state = champion_state(artifacts)
    if state.champion != version:
        ever = state.ever if version in state.ever else (*state.ever, version)
        _move(artifacts, ChampionState(version, (*state.history, version), ever), event, author)


def _move(artifacts: Path, state: ChampionState, event: str, author: Authorship | None) -> None:
    """Write the pointer, which is when the champion changes, between two looks at the journal.

    The first writes down the move before, which this one overwrites: a move that cannot be written down is not made.
    """
    bring_up_to_date(artifacts)
    author, before = author or Authorship.of(), champion_state(artifacts).champion
    moved = Move(event, before, utc_now(), author.by, author.why, author.run)
    write_pointer(artifacts, replace(state, moved=moved))
    bring_up_to_date(artifacts)


def init_champion_file(artifacts: Path) -> None:
    """Write the pointer before the first release is placed, so that its loss is noticed."""
    if not (artifacts / CHAMPION_FILE).exists():
        write_pointer(artifacts, champion_state(artifacts))
