"""The product lines of a factory: one short settings file, `kensa.toml`, for all of them.

tries = 3                      # of one dataset version, before it is given up
notify = "slack-webhook/kensa" # a Prefect block that notifies people of failures, rejections and promotions
schedule = "0 5 * * 1"         # of every line without its own, with timezone = "Asia/Tokyo"
[lines.boards]                 # releases go to artifacts/boards
train = "acme/boards"          # the branch is main, or what follows an @; several: ["acme/boards", "./night"]
preset = "notebook"
set = ["fit.epochs=5"]
drift = "acme/inspected"       # new parts, compared each day with those that the champion was made with
# or drift = {source = "acme/inspected", config = "front", part = "station1"}, as `kensa drift --config --part`
shadow = true                  # the candidate or challenger judges every scored source beside the champion
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import available_timezones

import pytz
from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from flows.service.ledger import Ledger
from tasks.config.overrides import parse_run
from tasks.config.run import ARTIFACTS_FOLDER, DATA_FOLDER, RunConfig
from tasks.config.toml_file import read_toml
from tasks.core.errors import BadSetting, KensaError
from tasks.core.log_lines import say
from tasks.sources.address import at_revision, hub_branches, join_sources, split_sources

LINES_FILE = Path("kensa.toml")
# What CronSim and Prefect's croniter read alike; to croniter a range from a day to itself is every day.
CRON_ITEM = re.compile(r"(\*|(\w+)(-(?!\2\b)\w+)?)(/\d+)?", re.ASCII)
NTH_WEEKDAY = re.compile(r"\w+#[1-5]", re.ASCII)


def _check_cron(text: str) -> str:
    """The five fields with one space between, as far as Prefect's scheduler reads them as CronSim does.

    One schedule that raises in the scheduler stops those of all lines, so a date that never comes is refused here.
    """
    fields = text.split()
    if len(fields) != 5:
        raise ValueError(f"{len(fields)} fields")
    minute, hour, day, month, weekday = fields
    numbered = NTH_WEEKDAY.fullmatch(weekday) and day == "*"
    for field in fields[: 4 if numbered else 5]:
        if not all(map(CRON_ITEM.fullmatch, field.split(","))):
            raise ValueError(f"Prefect does not know {field}")
    if "W" in day.upper() or weekday.upper().endswith("L"):
        raise ValueError(f"Prefect does not know {day if 'W' in day.upper() else weekday}")
    _parse_cron(minute, hour, "*", month, weekday)
    _parse_cron(minute, hour, day, "*", weekday)
    try:
        # Without the weekday: Prefect looks for both days, and fails where one of them never comes.
        _parse_cron(minute, hour, day, month, "*")
    except ValueError:
        raise ValueError("no such day ever comes") from None
    return " ".join(fields)


def _parse_cron(*fields: str) -> None:
    try:
        CronSim(" ".join(fields), datetime.datetime(2024, 1, 1))
    except CronSimError as error:
        raise ValueError(str(error)) from None


def _check_zone(name: str) -> str:
    if name not in available_timezones() or name not in pytz.all_timezones_set:  # Prefect's scheduler asks both
        raise ValueError("unknown to the scheduler")
    return name


class _Keys(BaseModel):
    """Keys of the whole file and of a line; a description completes the sentence `expected …`."""

    model_config = ConfigDict(strict=True)
    schedule: Annotated[str, AfterValidator(_check_cron)] | None = Field(
        None, description='schedule as five cron fields such as "0 5 * * 1"'
    )
    timezone: Annotated[str, AfterValidator(_check_zone)] | None = Field(
        None, description='timezone as an IANA name such as "Asia/Tokyo"'
    )

    @classmethod
    def parse(cls, where: str, table: dict[str, Any]) -> Self:
        """The keys of a table; raises BadSetting with the place of the first mistake."""
        try:
            return cls.model_validate(table)
        except ValidationError as error:
            entry = error.errors()[0]
            key = str(entry["loc"][0])
            field = cls.model_fields.get(key)
            expected = field.description if field else f"no key but {', '.join(cls.model_fields)}"
            reason = f": {entry['ctx']['error']}" if entry["type"] == "value_error" else ""
            value = f"{table.get(key)!r}{reason}" if field else key
            raise BadSetting(f"{where}: expected {expected}, found {value}") from None

    def schedule_over(self, default: Schedule | None) -> Schedule | None:
        """The schedule of these keys; what they leave out is as in `default`, or as in prefect.yaml."""
        keys = {"cron": self.schedule, "timezone": self.timezone}
        changes = {name: value for name, value in keys.items() if value is not None}
        return replace(default or Schedule(), **changes) if changes else default


@dataclass(frozen=True)
class NewPartsSource:
    """The source of new parts; its configuration and split, where it has several."""

    source: str
    config: str | None = None
    part: str | None = None


def _parse_new_parts(content: Any) -> NewPartsSource:
    """A source or a list of them, or a table of `source`, `config` and `part`."""
    table = dict(content) if isinstance(content, dict) else {"source": content}
    if isinstance(table.get("source"), list) and all(isinstance(text, str) for text in table["source"]):
        table["source"] = join_sources(table["source"])
    if (
        not isinstance(table, dict)
        or "source" not in table
        or not all(isinstance(text, str) for text in table.values())
    ):
        raise ValueError("neither a source nor a table with one")
    if unknown := sorted(set(table) - {"source", "config", "part"}):
        raise ValueError(f"{unknown[0]} is not source, config or part")
    return NewPartsSource(**table)


class _LineKeys(_Keys, arbitrary_types_allowed=True):
    shadow: bool = Field(False, description="shadow as true or false")
    drift: Annotated[NewPartsSource, BeforeValidator(_parse_new_parts)] | None = Field(
        None,
        description='drift as a source of new parts such as "acme/new" or {source = "acme/new", part = "test"}',
    )


class _FileKeys(_Keys, extra="forbid"):
    tries: int = Field(3, ge=1, description="tries of 1 or more")
    notify: str | None = Field(
        None,
        pattern="^[^/]+/[^/]+$",
        description="notify as TYPE/NAME of a Prefect block, such as slack-webhook/kensa",
    )
    lines: dict[str, Any] = Field({}, min_length=1, validate_default=True, description="at least one [lines.NAME]")


@dataclass(frozen=True)
class Schedule:
    """Five cron fields, read in a time zone; Monday 05:00 in Berlin by default, as in prefect.yaml."""

    cron: str = "0 5 * * 1"
    timezone: str = "Europe/Berlin"


@dataclass(frozen=True)
class ProductLine:
    """One product line: its name, the settings of its retraining, its schedule if it has one, and the source of the
    new parts that are compared with its champion's. shadow: whether the challenger judges beside the champion."""

    name: str
    config: RunConfig
    schedule: Schedule | None = None
    drift: NewPartsSource | None = None
    shadow: bool = False

    @property
    def branches(self) -> list[tuple[str, str]]:
        """The datasets of the Hub that are trained on, each with its branch."""
        return hub_branches(self.config.train)

    @property
    def has_several_sources(self) -> bool:
        """Whether a version of the line is made of the versions of several sources."""
        return len(split_sources(self.config.train)) > 1

    def config_at(self, revision: str) -> RunConfig:
        """The configuration on one version of its dataset; of several sources, or of files, always the present one."""
        if self.has_several_sources or not self.branches:
            return self.config
        return replace(self.config, train=at_revision(self.config.train, None), revision=revision)


@dataclass(frozen=True)
class FactoryConfig:
    """All product lines, by name; how often one dataset version is tried; the notification block, if any."""

    by_name: dict[str, ProductLine]
    tries: int
    notify: str | None

    def __getitem__(self, name: str) -> ProductLine:
        if name not in self.by_name:
            raise BadSetting(f"line {name}: expected one of {', '.join(self.by_name)}; name it in {LINES_FILE}")
        return self.by_name[name]

    def ledger(self) -> Ledger:
        """The one ledger of all lines, beside the caches."""
        return Ledger(DATA_FOLDER, self.tries)


def artifacts_of(line: str | None) -> Path:
    """The folder of a line's releases; that of the runs without a line where there is none."""
    return read_lines()[line].config.artifacts_path if line else Path(ARTIFACTS_FOLDER)


def language_of(line: str | None) -> str:
    """The language of a line's reports; English without a line."""
    return read_lines()[line].config.report.language if line else "en"


def read_lines(path: Path = LINES_FILE) -> FactoryConfig:
    """The lines of a settings file; raises BadSetting with the place of the first mistake."""
    try:
        table = read_toml(path, str(path))
    except (FileNotFoundError, NotADirectoryError):
        raise BadSetting(
            f"{path}: expected the settings file of the product lines, found none; see the README"
        ) from None
    keys = _FileKeys.parse(str(path), table)
    schedule = keys.schedule_over(None)
    lines = {name: _line(f"{path}, line {name}", name, settings, schedule) for name, settings in keys.lines.items()}
    return FactoryConfig(lines, keys.tries, keys.notify)


def run_for_lines(action: Callable[[FactoryConfig], None]) -> int:
    """Do something for all lines, as a command: an error is one line on stderr; returns the exit code."""
    try:
        action(read_lines())
    except KensaError as error:
        say(f"kensa: {error}", "error")
        return error.exit_code
    return 0


def _line(where: str, name: str, table: Any, default: Schedule | None) -> ProductLine:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise BadSetting(f"{where}: expected a name of small letters, digits and hyphens")
    if name == "all":
        raise BadSetting(f"{where}: expected another name, for this one means every line")
    config = parse_run(where, table, set(_LineKeys.model_fields))
    keys = _LineKeys.parse(where, {name: table[name] for name in _LineKeys.model_fields if name in table})
    config = replace(config, artifacts_folder=str(config.artifacts_path / name))
    return ProductLine(name, config, keys.schedule_over(default), keys.drift, keys.shadow)
