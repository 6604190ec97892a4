"""The product lines of a factory: one short settings file, `kensa.toml`, for all of them.

tries = 3                      # of one dataset version, before it is given up
notify = "slack-webhook/kensa" # a Prefect block, told of failures, rejections and promotions
schedule = "0 5 * * 1"         # of every line that names none, with timezone = "Asia/Tokyo"
[lines.boards]                 # releases go to artifacts/boards
train = "acme/boards"          # the branch is main, or what stands after @
preset = "notebook"
set = ["fit.epochs=5"]
drift = "acme/inspected"       # new parts, compared each day with those that the champion was made with
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tasks.config import Retrain
from tasks.errors import BadSetting
from tasks.ledger import Ledger
from tasks.schedule import KEYS, Schedule, read_schedule
from tasks.settings import with_settings

FILE = Path("kensa.toml")
KNOWN = {"train", "test", "preset", "set"}
OUTSIDE = {"train", "test", "preset", "revision"}  # no settings here: keys of their own, or part of train


@dataclass(frozen=True)
class Line:
    """One product line: its name, the retraining that it asks for, when, if the file names any schedule, and the
    source of the new parts that are compared with its champion's."""

    name: str
    config: Retrain
    schedule: Schedule | None = None
    drift: str | None = None

    @property
    def dataset(self) -> str:
        """The training source without its branch."""
        return self.config.train.partition("@")[0]

    @property
    def branch(self) -> str:
        """The branch that is watched on the Hub."""
        return self.config.train.partition("@")[2] or "main"


@dataclass(frozen=True)
class Lines:
    """All product lines, by name; how often one dataset version is tried; the notification block, if any."""

    by_name: dict[str, Line]
    tries: int = 3
    notify: str | None = None

    def __getitem__(self, name: str) -> Line:
        if name not in self.by_name:
            raise BadSetting(f"line {name}: expected one of {', '.join(self.by_name)}; name it in {FILE}")
        return self.by_name[name]

    def ledger(self) -> Ledger:
        """The one ledger of all lines, beside the caches."""
        return Ledger(Retrain().data_folder, self.tries)


def read_lines(path: Path = FILE) -> Lines:
    """The lines of a settings file; BadSetting says what is wrong with it, and where."""
    try:
        told = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise BadSetting(
            f"{path}: expected the settings file of the product lines, found none; see the README"
        ) from None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSetting(f"{path}: cannot be read: {error}") from None
    tries, lines = told.get("tries", 3), told.get("lines", {})
    if type(tries) is not int or tries < 1 or not isinstance(lines, dict) or not lines:
        raise BadSetting(
            f"{path}: expected tries of 1 or more and at least one [lines.NAME], found neither or wrong ones"
        )
    notify = told.get("notify")
    if notify is not None and not (isinstance(notify, str) and notify.count("/") == 1):
        raise BadSetting(f"{path}: expected notify as TYPE/NAME of a Prefect block, such as slack-webhook/kensa")
    if surplus := set(told) - {"tries", "notify", "lines", *KEYS}:
        raise BadSetting(
            f"{path}: expected tries, notify, schedule, timezone and [lines.NAME], found {', '.join(sorted(surplus))}"
        )
    when = read_schedule(str(path), told, None)
    return Lines({name: _line(path, name, settings, when) for name, settings in lines.items()}, tries, notify)


def _line(path: Path, name: str, told: Any, above: Schedule | None) -> Line:
    where = f"{path}, line {name}"
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise BadSetting(f"{where}: expected a name of small letters, digits and hyphens")
    if name == "all":
        raise BadSetting(f"{where}: expected another name, for this one means every line")
    config = _run(where, told, KEYS | {"drift"})
    drift = told.get("drift")
    if drift is not None and not isinstance(drift, str):
        raise BadSetting(f'{where}: expected drift as a source of new parts such as "acme/inspected", found {drift!r}')
    when = read_schedule(where, told, above)
    return Line(name, replace(config, artifacts_folder=str(Path(config.artifacts_folder) / name)), when, drift)


def read_run(path: Path) -> Retrain:
    """The run that a settings file asks for, with the keys of one line at its top; BadSetting."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSetting(f"--settings {path}: cannot be read: {error}") from None
    return _run(f"--settings {path}", told)


def _run(where: str, told: Any, also: Set[str] = frozenset()) -> Retrain:
    known = KNOWN | also
    if not isinstance(told, dict) or not set(told) <= known or not isinstance(told.get("train"), str):
        raise BadSetting(f"{where}: expected train and, at will, {', '.join(sorted(known - {'train'}))}")
    words = told.get("set", [])
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise BadSetting(f'{where}: expected set as a list such as ["fit.epochs=5"], found {words!r}')
    if surplus := {word.partition("=")[0].strip() for word in words} & OUTSIDE:
        raise BadSetting(f"{where}: expected no {', '.join(sorted(surplus))} in set; give train, test, preset as keys")
    try:
        return with_settings(Retrain(**{key: value for key, value in told.items() if key in KNOWN - {"set"}}), words)
    except BadSetting as error:
        raise BadSetting(f"{where}: {str(error).replace('--set ', 'set ')}") from None
