"""When a product line is retrained: a cron expression and a time zone, as `kensa.toml` tells them.

schedule = "0 5 * * 1"     # minute, hour, day of the month, month, day of the week
timezone = "Asia/Tokyo"    # a name of the IANA database
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import available_timezones

from tasks.errors import BadSetting

KEYS = {"schedule", "timezone"}
BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))  # 0 and 7 are both Sunday
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
NAMES = {3: {name: i for i, name in enumerate(MONTHS, 1)}, 4: {name: i for i, name in enumerate(DAYS)}}
PART = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/(\d+))?")


@dataclass(frozen=True)
class Schedule:
    """Five cron fields, read in a time zone; Monday 05:00 in Berlin by default, as in prefect.yaml."""

    cron: str = "0 5 * * 1"
    timezone: str = "Europe/Berlin"


def read_schedule(where: str, told: Mapping[str, Any], above: Schedule | None) -> Schedule | None:
    """The schedule that a part of the file names, over the one above it; None where neither names one; BadSetting."""
    if not KEYS & set(told):
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
    return int(word) if word.isascii() and word.isdigit() else NAMES.get(place, {}).get(word.lower(), -1)
