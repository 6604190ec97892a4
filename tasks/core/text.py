"""What clients of the Hub and of servers say, without what nobody may read: tokens, passwords, signed addresses."""

from __future__ import annotations

import re

MAX_TEXT = 200  # characters that are told


REDACTED = "…"


SECRET_PATTERNS = (
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/@'\"]*@", re.I), rf"\1{REDACTED}@"),  # user:password@
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s?'\"<>]*)\?[^\s'\"<>]*", re.I), rf"\1?{REDACTED}"),  # signatures
    (re.compile(r"\bhf_\w+|\b(?:Bearer|Basic)\s+[\w.~+/=-]+", re.I), REDACTED),
)


def redact(said: object) -> str:
    """The words of an error in one line, their secrets hidden, and not many of them."""
    text = " ".join(str(said).split())
    for pattern, instead in SECRET_PATTERNS:
        text = pattern.sub(instead, text)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + REDACTED


INVISIBLE = "\u200b"


def escape_markdown(text: object) -> str:
    """Text from a dataset, made harmless in Markdown and HTML: no element, no link, also none that makes itself."""
    plain = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return break_links(re.sub(r"([\\`*_~\[\]|!#])", r"\\\1", plain)).replace("\n", " ")


def break_links(text: str) -> str:
    """Text in which no bare address becomes a link, as GitHub's Markdown makes of http://…, www.… and a@b.

    A space of no width breaks them: entities are read before links are sought.
    """
    return re.sub(r"(:(?=//)|\bwww(?=\.)|@)", rf"\1{INVISIBLE}", text, flags=re.I)
