"""The journal: killed at every operation, two at once, no room on the disk, and every entry turned, cut and moved.

The same command is given again after each fault. Then every event stands in the journal once, the champion is the one
that the journal names last, and every seal holds.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot  # noqa: F401  # here, once, and not in every child
import numpy as np
from support import inspected_parts as parts
from support.decided import decision

from bench.faults.kill_points import die_at
from bench.faults.result_row import RECOVERED, REFUSED, Row
from tasks.config.run import GateConfig
from tasks.core.authorship import Authorship
from tasks.core.errors import DamagedJournal, KensaError, UnusableFolder
from tasks.data.listing import DECIDED_FILE
from tasks.overrule import promote_draft
from tasks.publish import find_previous_result, publish
from tasks.registry.candidates import approve, refuse
from tasks.registry.champion import champion_state, promote, registry_lock, rollback
from tasks.registry.journal import JOURNAL_FILE, read_journal
from tasks.registry.journal_events import bring_up_to_date, last_champion, verify_journal
from tasks.registry.prune import prune
from tasks.review.decisions import decide, decisions_of, unpublished, write_down
from tasks.review.publishing import publish_labels
from tasks.sources.decided_labels import read_decided

LATER = 300  # no command does more to files than this
BEFORE = ["released v1", "promoted v1", f"rejected {'b' * 16}", "released v2", "promoted v2", "candidate v3"]
AUTHOR = Authorship("M. Sato", "as the records show", "a run")


@dataclass(frozen=True)
class Command:
    """What is done to a line, whether it was done, and the events that it adds to the journal."""

    kind: str
    act: Callable[[Path], object]
    is_done: Callable[[Path], bool]
    adds: tuple[str, ...]


def retrain(folder: Path, mark: str, reasons: tuple[str, ...] = (), approval: str = "none") -> str:
    """The end of a retraining: an earlier result, or a release or draft; `mark` stands for its data."""
    config = parts.configured(folder, gate=GateConfig(approval=approval))
    if previous := find_previous_result(config, mark * 64):
        return previous.status
    champion = champion_state(config.artifacts_path).champion
    return publish(parts.judged(folder, reasons), config, champion, mark * 64, parts.FACTS, run=f"run {mark}").status


def _removed(folder: Path) -> bool:
    return not list((folder / "artifacts" / "drafts").glob("[!.]*"))


def decide_once(folder: Path) -> None:
    """A reviewer's decision, unless it was kept."""
    artifacts = folder / "artifacts"
    write_down(artifacts)
    if not decisions_of(artifacts):
        decide(artifacts, decision(1), known=0)


def publish_once(folder: Path) -> None:
    """The same, and then to the dataset, which has it once at the end."""
    decide_once(folder)
    if unpublished(folder / "artifacts"):
        publish_labels(folder / "artifacts", str(folder / "dataset"), AUTHOR)
    assert len(read_decided(folder / "dataset" / DECIDED_FILE)) == 1


COMMANDS = (
    Command("a release", lambda folder: retrain(folder, "c"), lambda _: False, ("released v4", "promoted v4")),
    Command("a rejection", lambda folder: retrain(folder, "d", ("weak",)), lambda _: False, (f"rejected {'d' * 16}",)),
    Command(
        "a promotion",
        lambda folder: promote(folder / "artifacts", "v1"),
        lambda folder: champion_state(folder / "artifacts").champion == "v1",
        ("promoted v1",),
    ),
    Command(
        "a rollback",
        lambda folder: rollback(folder / "artifacts"),
        lambda folder: champion_state(folder / "artifacts").champion == "v1",
        ("rolled back v1",),
    ),
    Command(
        "an approval",
        lambda folder: approve(folder / "artifacts", "v3", AUTHOR),
        lambda _: False,
        ("approved v3",),
    ),
    Command("a refusal", lambda folder: refuse(folder / "artifacts", "v3", AUTHOR), lambda _: False, ("refused v3",)),
    Command(
        "a draft that a person promotes",
        lambda folder: promote_draft(folder / "artifacts", "b" * 16, AUTHOR),
        lambda _: False,
        ("released v4", "promoted v4"),
    ),
    Command("a decision on a label", decide_once, lambda _: False, ("label decided SN-1",)),
    Command(
        "labels that are published",
        publish_once,
        lambda _: False,
        ("label decided SN-1", "labels published {folder}/dataset"),
    ),
    Command("a deletion", lambda folder: prune(folder / "data", folder / "artifacts", 0, -1), _removed, ("pruned",)),
)


def prepare(folder: Path) -> Path:
    """A line with the champion v2, its predecessor, a rejected draft, and the candidate v3; all are in the journal.

    Beside it a folder that takes labels.
    """
    (folder / "dataset").mkdir(parents=True)
    retrain(folder, "a")
    retrain(folder, "b", ("too weak",))
    retrain(folder, "e")
    retrain(folder, "f", approval="required")
    return folder


def journal(folder: Path, seed: int, share: float) -> list[Row]:
    """All rows of this part."""
    every = max(1, round(1 / share))
    base = prepare(folder / "base")
    rows = [
        Row("journal", f"SIGKILL at every file operation of {command.kind}").timed(
            lambda row, command=command: at_every_operation(base, command, row, every)
        )
        for command in COMMANDS
    ]
    rows.append(Row("journal", "no space left for an entry").timed(lambda row: without_room(base, row)))
    rows.append(
        Row("journal", "two promotions at once").timed(lambda row: at_once(base, row, max(2, round(20 * share))))
    )
    rows.append(Row("journal", "a bit turned", seed).timed(lambda row: turned(base, row, round(2000 * share))))
    rows.append(Row("journal", "an entry cut, moved or doubled").timed(lambda row: rearranged(base, row)))
    return rows


def find_wrong(folder: Path, expected: list[str]) -> str | None:
    """Why the journal is not what an undisturbed line has, or None; it is brought up to date first."""
    artifacts = folder / "artifacts"
    with registry_lock(artifacts):
        bring_up_to_date(artifacts)
    written = read_journal(artifacts)
    if verify_journal(artifacts).entries != written.entries or written.half:
        return "it is not up to date"
    events = Counter(f"{entry.event} {entry.subject}".strip() for entry in written.entries)
    if events != Counter(expected):
        return f"expected {sorted(expected)}, found {sorted(events.elements())}"
    hidden = [path.name for path in folder.rglob(".*") if path.name != ".kensa" and not path.name.endswith(".lock")]
    if left := [name for name in hidden if not name.startswith(".going-")]:  # half deleted: a later prune goes on
        return f"left over: {left}"
    if last_champion(written) != champion_state(artifacts).champion:
        return f"{last_champion(written)} is champion in the journal, {champion_state(artifacts).champion} is"
    return None


def at_every_operation(base: Path, command: Command, row: Row, every: int) -> None:
    """Kill a command before each of its operations, and give it again."""
    for number in range(1, LATER, every):
        folder = copy(base)
        status = in_child(lambda folder=folder, number=number: (die_at(number, folder), command.act(folder)))
        if status == 0:
            row.notes = f"{number - 1} operations"
            return
        wrong = f"it ended with {status}" if status != signal.SIGKILL else again(folder, command)
        row.count(f"operation {number}: {wrong}" if wrong else RECOVERED)


def again(folder: Path, command: Command) -> str | None:
    """Give the command once more, unless the line shows that it was done; why the journal is wrong, or None."""
    if not command.is_done(folder):
        command.act(folder)
    return find_wrong(folder, [*BEFORE, *(event.format(folder=folder) for event in command.adds)])


def without_room(base: Path, row: Row) -> None:
    """No file may grow past so many bytes: a command is refused in one line, and works when there is room."""
    size = (base / "artifacts" / JOURNAL_FILE).stat().st_size
    for command in COMMANDS[2:4]:
        for more in (1, 60, 200, 400, 700):
            folder = copy(base)
            status = in_child(lambda folder=folder, limit=size + more, act=command.act: _limited(act, folder, limit))
            wrong = again(folder, command)
            row.count(wrong or (REFUSED if status else RECOVERED))


def _limited(act: Callable[[Path], object], folder: Path, limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        act(folder)
    except UnusableFolder:
        os._exit(2)


def at_once(base: Path, row: Row, tries: int) -> None:
    """Two processes that promote v1 and v2 in turn, at the same time: each move stands in the journal."""
    for _ in range(tries):
        folder = copy(base)
        children = [fork(lambda f=folder: _move_in_turn(f / "artifacts")) for _ in range(2)]
        ends = [os.waitpid(child, 0)[1] for child in children]
        journal_now = read_journal(folder / "artifacts")
        before = [entry.facts["before"] for entry in journal_now.entries if entry.event == "promoted"]
        subjects = [entry.subject for entry in journal_now.entries if entry.event == "promoted"]
        chained = before[1:] == subjects[:-1]
        row.count(RECOVERED if ends == [0, 0] and chained and subjects[-1] != subjects[-2] else f"{ends}: {subjects}")


def _move_in_turn(artifacts: Path) -> None:
    for _ in range(5):
        promote(artifacts, "v1" if champion_state(artifacts).champion == "v2" else "v2")


def turned(base: Path, row: Row, tries: int) -> None:
    """One bit of the journal turned: found when it is read."""
    folder = copy(base)
    path = folder / "artifacts" / JOURNAL_FILE
    content = path.read_bytes()
    for bit in np.random.default_rng(row.seed).choice(8 * len(content), tries, replace=False):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        row.count(REFUSED if is_found(path.parent) else f"bit {bit} is not found")


def rearranged(base: Path, row: Row) -> None:
    """Whole entries removed, doubled, or put in another order, and the end cut at every byte."""
    folder = copy(base)
    path = folder / "artifacts" / JOURNAL_FILE
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    for place, line in enumerate(lines):
        others = [*lines[:place], *lines[place + 1 :]]
        for changed in (others, [*others, line], [*lines[:place], line, *lines[place:]], [line, *others]):
            if changed[: len(lines)] != lines:  # what stands after the last entry is a killed process's, and is dropped
                path.write_bytes(b"".join(changed))
                row.count(REFUSED if is_found(path.parent) else f"entry {place + 1} is not found")
    for end in range(0, len(content) - 1, 7):
        path.write_bytes(content[:end])
        row.count(REFUSED if is_found(path.parent) else f"a cut at {end} is not found")


def is_found(artifacts: Path) -> bool:
    """Whether a read of the journal says in one line that it is damaged, and so does a move of the champion."""
    moves = 0
    for use in (read_journal, lambda folder: promote(folder, "v1")):
        try:
            use(artifacts)
        except DamagedJournal as error:
            moves += "\n" not in str(error)
        except KensaError:
            return False
    return moves == 2 and champion_state(artifacts).champion == "v2"


def copy(base: Path) -> Path:
    """A fresh copy of a prepared line."""
    folder = base.parent / "work"
    shutil.rmtree(folder, ignore_errors=True)
    return Path(shutil.copytree(base, folder, symlinks=True))


def fork(work: Callable[[], object]) -> int:
    """The process id of a child that does the work, and ends with 0, or 1 where it failed."""
    child = os.fork()
    if child:
        return child
    status = 1
    with contextlib.suppress(BaseException):
        work()
        status = 0
    os._exit(status)


def in_child(work: Callable[[], object]) -> int:
    """How a child that does the work ended: 0, the number of the signal that killed it, or 1 and more for an error."""
    status = os.waitpid(fork(work), 0)[1]
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
