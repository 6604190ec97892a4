"""Decisions go to a store and come from it: none is lost, none is replaced."""

from __future__ import annotations

import pytest
from support import inspected_parts as parts
from support.decided import decision

from tasks.core.errors import DamagedDecisions
from tasks.registry.champion import promote
from tasks.review.decisions import FILE, FOLDER, decide, decisions_of
from tasks.review.shared_decisions import NAME, pull_decisions, push_decisions
from tasks.sources.object_store import ObjectStore


@pytest.fixture
def machines(tmp_path):
    """The artifacts of two machines of one line."""
    for name in ("one", "two"):
        parts.release(tmp_path / name, "v1")
        promote(tmp_path / name, "v1")
    return tmp_path / "one", tmp_path / "two"


@pytest.fixture
def address(tmp_path):
    return (tmp_path / "shared").as_uri()


def test_decisions_go_from_one_machine_to_the_other_and_back(machines, address):
    one, two = machines
    first = decide(one, decision(1), known=0)
    push_decisions(one, address)
    pull_decisions(two, address)
    second = decide(two, decision(2, by="K. Ito"), known=0)
    push_decisions(two, address)
    push_decisions(one, address)  # has nothing new
    pull_decisions(one, address)
    assert decisions_of(one) == decisions_of(two) == [first, second]


def test_without_decisions_nothing_is_written(machines, address, tmp_path):
    push_decisions(machines[0], address)
    pull_decisions(machines[0], address)
    assert not (tmp_path / "shared").exists()
    assert not (machines[0] / FOLDER).exists()


def test_where_both_have_decided_neither_is_replaced(machines, address, capsys):
    for number, machine in enumerate(machines):
        decide(machine, decision(number), known=0)
    push_decisions(machines[0], address)
    before = [(machine / FOLDER / FILE).read_bytes() for machine in machines]
    push_decisions(machines[1], address)
    pull_decisions(machines[1], address)
    assert capsys.readouterr().err.count("reviewers decided here and elsewhere") == 2
    assert [(machine / FOLDER / FILE).read_bytes() for machine in machines] == before
    assert ObjectStore(address).read(NAME) == before[0]


def test_half_a_line_is_not_sent_and_a_damaged_file_neither(machines, address):
    file = machines[0] / FOLDER / FILE
    kept = decide(machines[0], decision(1), known=0)
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:40])
    push_decisions(machines[0], address)
    assert ObjectStore(address).read(NAME) == whole
    file.write_bytes(whole.replace(kept.by.encode(), b"Somebody"))
    with pytest.raises(DamagedDecisions):
        push_decisions(machines[0], address)
    assert ObjectStore(address).read(NAME) == whole
