"""A disk that is full, read-only or not ours; and every file of a line truncated or with a bit turned, one by one."""

from __future__ import annotations

import ctypes
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.faults.harness import copied, ended_as, find_damage, left_over, moved_to, run_in_child, walk
from bench.faults.killed_steps import Prepared
from bench.faults.result_row import RECOVERED, REFUSED, Row
from flows.service.ledger import Ledger
from tasks.config.run import RunConfig
from tasks.core.errors import KensaError


def disk(folder: Path, seed: int, share: float) -> list[Row]:
    """All rows of this part."""
    prepared, rows = Prepared(folder), []
    rows.append(Row("disk", "no space left, from 0 KiB on", seed).timed(lambda row: _full(prepared, row, share)))
    rows.append(Row("disk", "a read-only disk").timed(lambda row: _read_only(prepared, row)))
    rows.append(Row("disk", "permission lost on a folder or file").timed(lambda row: _forbidden(prepared, row)))
    for kind, damage in DAMAGES.items():
        rows.append(
            Row("disk", f"every file {kind}", seed).timed(
                lambda row, damage=damage: _every_file(prepared, row, damage, max(1, round(1 / share)))
            )
        )
    rows.append(Row("disk", "the ledger damaged", seed).timed(lambda row: _ledger(folder, row, round(200 * share))))
    return rows


def _refused(artifacts: Path, error: str | None, text: str) -> str:
    """Whether a run that failed said so in one line and left everything as it was."""
    if error is None:
        return "it did not fail"
    if "\n" in text or not issubclass(_class(error), KensaError):
        return f"no clear line: {error}: {text}"
    if wrong := find_damage(artifacts):
        return wrong
    return f"left over: {files}" if (files := left_over(artifacts.parent)) else REFUSED


def _class(name: str) -> type:
    from tasks.core import errors

    return getattr(errors, name, Exception)


def _full(prepared: Prepared, row: Row, share: float) -> None:
    """The walk on a small disk of its own, larger at each try; then with room again."""
    disk = prepared.work.parent / "disk"
    disk.mkdir(exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], check=False).returncode:
        row.notes = "not tried: it takes root to mount a small disk"
        return
    try:
        for free in np.linspace(0, 900, max(4, round(40 * share))).astype(int).tolist():
            for old in disk.iterdir():
                shutil.rmtree(old) if old.is_dir() else old.unlink()
            place = Path(shutil.copytree(prepared.before, disk / "line"))
            _fill(disk, free)
            config = moved_to(prepared.config, place)
            ended = run_in_child(lambda config=config: walk(config).status)
            if ended.error:
                outcome = _refused(place / "artifacts", ended.error, ended.text)
                if outcome != REFUSED:
                    row.count(f"{free} KiB: {outcome}")
                    continue
            (disk / "filler").unlink()
            again = run_in_child(lambda config=config: walk(config).status)
            wrong = again.error or ended_as(place / "artifacts", prepared.wanted, ["v1", "v2"])
            row.count(
                f"{free} KiB, then room: {wrong} {again.text}" if wrong else REFUSED if ended.error else RECOVERED
            )
    finally:
        subprocess.run(["umount", disk], check=True)


def _fill(disk: Path, free: int) -> None:
    """Leave so many KiB free."""
    room = shutil.disk_usage(disk).free // 1024 - free
    with (disk / "filler").open("wb") as file:
        file.write(b"\0" * (room * 1024))


def _read_only(prepared: Prepared, row: Row) -> None:
    """The walk on a disk that was remounted read-only, before it and as it begins a step."""
    disk = prepared.work.parent / "readonly"
    disk.mkdir(exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], check=False).returncode:
        row.notes = "not tried: it takes root to mount a small disk"
        return
    try:
        place = Path(shutil.copytree(prepared.before, disk / "line"))
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        config = moved_to(prepared.config, place)
        ended = run_in_child(lambda: walk(config).status)
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        row.count(_refused(place / "artifacts", ended.error, ended.text))
        again = run_in_child(lambda: walk(config).status)
        row.count(again.error or ended_as(place / "artifacts", prepared.wanted, ["v1", "v2"]) or RECOVERED)
    finally:
        subprocess.run(["umount", disk], check=True)


def _forbidden(prepared: Prepared, row: Row) -> None:
    """The walk without the permission on one folder or file, as no superuser; then with it again."""
    names = ["data", "data/cache", "data/stages", "artifacts", "artifacts/releases", "artifacts/champion.json"]
    names += ["artifacts/frozen.json", "artifacts/releases/v1", "artifacts/releases/v1/model.keras", "artifacts/.lock"]
    names += ["artifacts/releases/v1/manifest.json", "artifacts/.run.lock", "source", "source/table.parquet"]
    for name in names:
        for mode in (0o000, 0o555 if (prepared.before / name).is_dir() else 0o444):
            place = copied(prepared.before, prepared.work)
            former = (place / name).stat().st_mode
            (place / name).chmod(mode)
            config = moved_to(prepared.config, place)
            ended = run_in_child(lambda config=config: _unprivileged(config))
            (place / name).chmod(former)
            outcome = _refused(place / "artifacts", ended.error, ended.text) if ended.error else RECOVERED
            if outcome not in (RECOVERED, REFUSED):
                row.count(f"{name} {mode:o}: {outcome}")
                continue
            again = run_in_child(lambda config=config: _unprivileged(config))
            wrong = again.error or ended_as(place / "artifacts", prepared.wanted, ["v1", "v2"])
            row.count(f"{name} {mode:o}, mended: {wrong} {again.text}" if wrong else outcome)


def _unprivileged(config: RunConfig) -> str:
    """The walk without root's right to pass by permissions, which capset(2) takes away from this child."""
    libc, header, capabilities = (
        ctypes.CDLL(None, use_errno=True),
        (ctypes.c_uint32 * 2)(0x20080522, 0),
        (ctypes.c_uint32 * 6)(),
    )
    libc.capget(header, capabilities)
    for place in (0, 1):  # effective and permitted, of the first 32 capabilities
        capabilities[place] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    if libc.capset(header, capabilities):
        raise OSError(ctypes.get_errno(), "capset")
    return walk(config).status


def truncated(path: Path, draw: np.random.Generator) -> None:
    """Cut it somewhere."""
    os.truncate(path, int(draw.integers(0, max(1, path.stat().st_size))))


def flipped(path: Path, draw: np.random.Generator) -> None:
    """Turn one bit."""
    content = bytearray(path.read_bytes())
    bit = int(draw.integers(0, 8 * len(content)))
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def removed(path: Path, draw: np.random.Generator) -> None:
    """Take it away."""
    path.unlink()


DAMAGES: dict[str, Callable[[Path, np.random.Generator], None]] = {
    "truncated": truncated,
    "with a bit turned": flipped,
    "removed": removed,
}


def _every_file(prepared: Prepared, row: Row, damage: Callable[[Path, np.random.Generator], None], every: int) -> None:
    """Damage each file that the line keeps before the second run, and see what that run makes of it."""
    draw = np.random.default_rng(row.seed)
    files = [path for path in sorted(prepared.base.rglob("*")) if path.is_file() and path.stat().st_size]
    files = [path for path in files if "source" not in path.parts and not path.name.endswith((".lock", ".sqlite"))]
    for path in files[::every]:
        name = path.relative_to(prepared.base)
        config = prepared.without(None)
        whole_before = (prepared.work / name).read_bytes()
        damage(prepared.work / name, draw)
        content = (prepared.work / name).read_bytes() if (prepared.work / name).exists() else None
        row.count(_named(str(name), _after_damage(prepared, config, name, whole_before, content)))


def _named(name: str, outcome: str) -> str:
    return outcome if outcome in (RECOVERED, REFUSED) else f"{name}: {outcome}"


def _after_damage(prepared: Prepared, config: RunConfig, name: Path, before: bytes, content: bytes | None) -> str:
    """Refused with one line and mended by the file's return, or recovered: never used."""
    artifacts = config.artifacts_path
    ended = run_in_child(lambda: walk(config).status)
    if not ended.error:
        if name.parts[0] == "data":
            return ended_as(artifacts, prepared.wanted, ["v1", "v2"]) or RECOVERED
        return _beside_the_point(prepared, config, name, before, content)
    if "\n" in ended.text or not issubclass(_class(ended.error), KensaError):
        return f"no clear line: {ended.error}: {ended.text}"
    (prepared.work / name).write_bytes(before)
    again = run_in_child(lambda: walk(config).status)
    return again.error or ended_as(artifacts, prepared.wanted, ["v1", "v2"]) or REFUSED


def _beside_the_point(prepared: Prepared, config: RunConfig, name: Path, before: bytes, content: bytes | None) -> str:
    """A run that went on over a damaged file of the artifacts must have been right to, or have reported it."""
    artifacts = config.artifacts_path
    same = content is not None and name.suffix == ".json" and content.split() == before.split()
    if same:  # white space that turned into other white space
        return RECOVERED
    (prepared.work / name).write_bytes(before)
    return ended_as(artifacts, prepared.wanted, ["v1", "v2"]) or RECOVERED


def _ledger(folder: Path, row: Row, tries: int) -> None:
    """A bit turned or the end cut off: opened as it was, or refused in one line."""
    place = folder / "ledger"
    ledger = Ledger(place)
    for number in range(12):
        ledger.head("boards", f"{number:040x}")
        ledger.claim("boards", f"{number:040x}", f"run {number}")
        ledger.finish("boards", f"{number:040x}", f"run {number}", "done")
    _settled(ledger.path)
    whole_file, before = ledger.path.read_bytes(), _contents(ledger)
    draw = np.random.default_rng(row.seed)
    row.notes = ""
    other = 0
    for number in range(tries):
        for beside in place.glob("ledger.sqlite-*"):
            beside.unlink()
        ledger.path.write_bytes(whole_file)
        (flipped if number % 4 else truncated)(ledger.path, draw)
        try:
            contents = _contents(Ledger(place))
        except KensaError as error:
            row.count(REFUSED if "\n" not in str(error) else f"no one line: {error}")
            continue
        other += contents != before
        row.count(RECOVERED)
    row.notes = f"{other} times a number or name within a row read otherwise"


def _contents(ledger: Ledger) -> list[tuple[str, str, str, int]]:
    return [(version.line, version.revision, version.state, version.tries) for version in ledger.versions()]


def _settled(path: Path) -> None:
    table = sqlite3.connect(path)
    table.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    table.close()
