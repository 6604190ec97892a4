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
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from flows.service.ledger import Ledger
from tasks.config.overrides import parse_run
from tasks.config.run import DATA_FOLDER, RunConfig
from tasks.core.errors import BadSetting

LINES_FILE = Path("kensa.toml")


@dataclass(frozen=True)
class ProductLine:
    """One product line: its name, the retraining that it asks for, when, if the file names any schedule, and the
    source of the new parts that are compared with its champion's."""

    name: str
    config: RunConfig
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
class FactoryConfig:
    """All product lines, by name; how often one dataset version is tried; the notification block, if any."""

    by_name: dict[str, ProductLine]
    tries: int = 3
    notify: str | None = None

    def __getitem__(self, name: str) -> ProductLine:
        if name not in self.by_name:
            raise BadSetting(f"line {name}: expected one of {', '.join(self.by_name)}; name it in {LINES_FILE}")
        return self.by_name[name]

    def ledger(self) -> Ledger:
        """The one ledger of all lines, beside the caches."""
        return Ledger(DATA_FOLDER, self.tries)


def read_lines(path: Path = LINES_FILE) -> FactoryConfig:
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
    if surplus := set(told) - {"tries", "notify", "lines", *SCHEDULE_KEYS}:
        raise BadSetting(
            f"{path}: expected tries, notify, schedule, timezone and [lines.NAME], found {', '.join(sorted(surplus))}"
        )
    when = read_schedule(str(path), told, None)
    return FactoryConfig({name: _line(path, name, settings, when) for name, settings in lines.items()}, tries, notify)


def _line(path: Path, name: str, told: Any, above: Schedule | None) -> ProductLine:
    where = f"{path}, line {name}"
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise BadSetting(f"{where}: expected a name of small letters, digits and hyphens")
    if name == "all":
        raise BadSetting(f"{where}: expected another name, for this one means every line")
    config = parse_run(where, told, SCHEDULE_KEYS | {"drift"})
    drift = told.get("drift")
    if drift is not None and not isinstance(drift, str):
        raise BadSetting(f'{where}: expected drift as a source of new parts such as "acme/inspected", found {drift!r}')
    when = read_schedule(where, told, above)
    return ProductLine(name, replace(config, artifacts_folder=str(config.artifacts_path / name)), when, drift)


SCHEDULE_KEYS = {"schedule", "timezone"}


BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))  # 0 and 7 are both Sunday


MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]


DAY_NAMES = {3: {name: i for i, name in enumerate(MONTHS, 1)}, 4: {name: i for i, name in enumerate(DAYS)}}


PART = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/(\d+))?")


@dataclass(frozen=True)
class Schedule:
    """Five cron fields, read in a time zone; Monday 05:00 in Berlin by default, as in prefect.yaml."""

    cron: str = "0 5 * * 1"
    timezone: str = "Europe/Berlin"


def read_schedule(where: str, told: Mapping[str, Any], above: Schedule | None) -> Schedule | None:
    """The schedule that a part of the file names, over the one above it; None where neither names one; BadSetting."""
    if not SCHEDULE_KEYS & set(told):
        return above
    base = above or Schedule()
    cron, zone = told.get("schedule", base.cron), told.get("timezone", base.timezone)
    if not isinstance(cron, str) or not _is_cron(cron):
        raise BadSetting(f'{where}: expected schedule as five cron fields such as "0 5 * * 1", found {cron!r}')
    if not isinstance(zone, str) or zone not in available_timezones():
        raise BadSetting(f'{where}: expected timezone as an IANA name such as "Asia/Tokyo", found {zone!r}')
    return Schedule(" ".join(cron.split()), zone)


def _is_cron(text: str) -> bool:
    """Stricter than croniter, which takes seconds and random fields too: every field in its bounds."""
    fields = text.split()
    return len(fields) == 5 and all(
        _is_part(part, place) for place, field in enumerate(fields) for part in field.split(",")
    )


def _is_part(part: str, place: int) -> bool:
    found = PART.fullmatch(part)
    if not found or (found[3] and not int(found[3])):
        return False
    ends = [_number(end, place) for end in found.groups()[:2] if end]
    low, high = BOUNDS[place]
    return all(low <= end <= high for end in ends) and ends == sorted(ends)


def _number(word: str, place: int) -> int:
    """-1, which is out of all bounds, for a word that is neither a number nor a name of this field."""
    return int(word) if word.isascii() and word.isdigit() else DAY_NAMES.get(place, {}).get(word.lower(), -1)
