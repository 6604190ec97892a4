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


GAP = "\u200b"


def safe(text: object) -> str:
    """Text from a dataset, made harmless in Markdown and HTML: no element, no link, also none that makes itself."""
    plain = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return unlinked(re.sub(r"([\\`*_~\[\]|!#])", r"\\\1", plain)).replace("\n", " ")


def unlinked(text: str) -> str:
    """Text in which no bare address becomes a link, as GitHub's Markdown makes of http://…, www.… and a@b.

    A space of no width breaks them: entities are read before links are sought.
    """
    return re.sub(r"(:(?=//)|\bwww(?=\.)|@)", rf"\1{GAP}", text, flags=re.I)
