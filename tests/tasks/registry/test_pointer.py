"""The pointer's file; tests/tasks/registry/test_champion.py has how it is read, damaged and moved."""

from __future__ import annotations

import json

from tasks.registry.pointer import ChampionState, Move, champion_state, write_pointer

MOVE = Move("promoted", "v1", "2026-01-02T03:04:05.678+00:00", "M. Sato", "fewer escapes", "run 1")


def test_the_last_move_is_kept(tmp_path):
    write_pointer(tmp_path, ChampionState("v2", ("v1", "v2"), ("v1", "v2"), MOVE))
    assert champion_state(tmp_path).moved == MOVE


def test_a_pointer_without_a_move_is_stored_as_before(tmp_path):
    write_pointer(tmp_path, ChampionState())
    assert list(json.loads((tmp_path / "champion.json").read_text())) == ["champion", "history", "ever", "seal"]
    assert champion_state(tmp_path).moved is None
