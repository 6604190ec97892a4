"""What a reviewer can say of a part: one of the release's modes, good, or a mode that is new; each by one key."""

from __future__ import annotations

import string
from dataclasses import dataclass

from tasks.registry.loading import LoadedRelease

RESERVED = {"next": "s", "back": "b", "undo": "u", "new": "n", "publish": "p"}
KEYS = "1234567890" + "".join(letter for letter in string.ascii_lowercase if letter not in {*RESERVED.values(), "g"})
NO_GOOD = "none"  # the setting data.good where a line has no good parts
MAX_NAME = 100  # characters of a mode that is new


@dataclass(frozen=True)
class ModeChoice:
    """A mode with the label that its parts have; key: None where there are more modes than keys."""

    mode: str
    label: str
    good: bool
    key: str | None


def mode_choices(release: LoadedRelease) -> list[ModeChoice]:
    """The release's modes in their order; g is the first one that good parts have."""
    names, good_label = release.classifier.modes, release.data.good
    good_codes = [code for code in range(len(names)) if _is_good(release, code)]
    keys = iter(KEYS)
    return [
        ModeChoice(
            mode=name,
            label=good_label if code in good_codes else defect_label(good_label),
            good=code in good_codes,
            key="g" if code in good_codes[:1] else next(keys, None),
        )
        for code, name in enumerate(names)
    ]


def defect_label(good_label: str) -> str:
    """A label that is not the one of good parts."""
    return "1" if good_label in ("0", NO_GOOD) else "defect"


def _is_good(release: LoadedRelease, code: int) -> bool:
    """Whether most of the training records of a mode that the release keeps are good."""
    gallery = release.gallery
    if release.data.good == NO_GOOD or gallery is None:
        return False
    of_mode = gallery.mode == code
    return bool(of_mode.any()) and bool(gallery.good[of_mode].mean() > 0.5)
