"""Who did something, why, and in which run: kept with every move of the champion and every entry of the journal."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass

from tasks.core.errors import BadSetting

MAX_REASON, MAX_NAME = 1000, 100  # characters


@dataclass(frozen=True)
class Authorship:
    """by: a name, of the system's user where nobody gave another; why: the reason, empty where none was given.

    run: the id of Prefect's run, None outside of one.
    """

    by: str
    why: str = ""
    run: str | None = None

    @classmethod
    def of(cls, by: str | None = None, reason: str | None = None, run: str | None = None) -> Authorship:
        """The words of a command or form, in one line each; raises BadSetting for too many of them."""
        name, why = (" ".join((text or "").split()) for text in (by, reason))
        for option, text, most in (("--by", name, MAX_NAME), ("--reason", why, MAX_REASON)):
            if len(text) > most or not text.isprintable():
                raise BadSetting(f"{option}: expected at most {most} printable characters, found {len(text)}")
        return cls(name or system_user(), why, run)


def system_user() -> str:
    """The name of the user whose process this is, from the system and not from the environment."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container with a user that has no name
        return f"uid {os.getuid()}"
