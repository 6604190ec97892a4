"""What clients of the Hub and of servers say, without what nobody may read: tokens, passwords, signed addresses."""

from __future__ import annotations

import re

MOST = 200  # characters that are told
HIDDEN = "…"
SECRETS = (
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/@'\"]*@", re.I), rf"\1{HIDDEN}@"),  # user:password@
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s?'\"<>]*)\?[^\s'\"<>]*", re.I), rf"\1?{HIDDEN}"),  # signatures
    (re.compile(r"\bhf_\w+|\b(?:Bearer|Basic)\s+[\w.~+/=-]+", re.I), HIDDEN),
)


def harmless(said: object) -> str:
    """The words of an error in one line, their secrets hidden, and not many of them."""
    text = " ".join(str(said).split())
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text if len(text) <= MOST else text[: MOST - 1] + HIDDEN
