"""The file that names the champion: what it holds, and how it is read and written.

artifacts/champion.json    {"champion": "v3", "history": ["v1", "v3"], "ever": ["v1", "v2", "v3"], "moved": …,
                           "seal": …}
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tasks.core.errors import DamagedRelease
from tasks.core.files import add_checksum, checksum_matches, write_json
from tasks.core.json_form import record_of
from tasks.registry.releases import VERSION_NAME, release_folders

CHAMPION_FILE = "champion.json"
FIRST_KEYS = {"champion", "history", "ever"}  # those of the oldest files, which had no checksum


@dataclass(frozen=True)
class Move:
    """How the pointer came to where it is: `promoted`, `approved` or `rolled back`, from which champion, when, by whom,
    why, and in which of Prefect's runs."""

    event: str
    before: str | None
    when: str
    by: str
    why: str = ""
    run: str | None = None


@dataclass(frozen=True)
class ChampionState:
    """The champion's name (None before the first), the champions so far, and every release that was one.

    `history` is the way back that a rollback takes; `ever` tells a release that never was champion from one that
    was rolled back; `moved` says who moved the pointer last, and is None in the files of earlier versions.
    """

    champion: str | None = None
    history: tuple[str, ...] = ()
    ever: tuple[str, ...] = ()
    moved: Move | None = field(default=None, compare=False)

    @classmethod
    def from_json(cls, entries: dict[str, Any]) -> ChampionState:
        """The state as it is stored; ValueError, KeyError or TypeError where it was changed or is of another form.

        The oldest files had these three keys and no checksum.
        """
        state = cls(entries["champion"], tuple(entries["history"]), tuple(entries["ever"]))
        if (moved := entries.get("moved")) is not None:
            state = replace(state, moved=record_of(Move, moved))
        if set(entries) != FIRST_KEYS and not checksum_matches(entries):
            raise ValueError("it differs from its checksum")
        names = [*state.history, *state.ever, *([] if state.champion is None else [state.champion])]
        if not all(isinstance(name, str) and VERSION_NAME.fullmatch(name) for name in names):
            raise ValueError("expected names of releases")
        return state

    def as_json(self) -> dict[str, Any]:
        """The state as it is stored, with its checksum."""
        return add_checksum({name: value for name, value in asdict(self).items() if name != "moved" or value})


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


def write_pointer(artifacts: Path, state: ChampionState) -> None:
    """Store the state; the caller holds the registry's lock."""
    write_json(artifacts / CHAMPION_FILE, state.as_json())
