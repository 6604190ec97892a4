"""Text that others wrote, made safe to print: one line without secrets, and Markdown without links."""

from __future__ import annotations

import re

MAX_TEXT = 200  # characters of another's text in an error of ours
ELLIPSIS = "…"
INVISIBLE = "\u200b"  # a space of no width

# user:password@ in an address; the query of an address, which may be a signature; tokens and credentials.
SECRETS = (
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/@'\"]*@", re.I), rf"\1{ELLIPSIS}@"),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s?'\"<>]*)\?[^\s'\"<>]*", re.I), rf"\1?{ELLIPSIS}"),
    (re.compile(r"\bhf_\w+|\b(?:Bearer|Basic)\s+[\w.~+/=-]+", re.I), ELLIPSIS),
)


def one_line(error: object) -> str:
    """What an error or an address says: in one line of at most MAX_TEXT characters, its secrets replaced by `…`.

    The name of its class where an error says nothing.
    """
    text = " ".join(str(error).split()) or type(error).__name__
    for pattern, replacement in SECRETS:
        text = pattern.sub(replacement, text)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + ELLIPSIS


def escape_markdown(text: object) -> str:
    """Text from a dataset without effect in Markdown and HTML: no element, no link, no address that becomes one."""
    plain = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return break_links(re.sub(r"([\\`*_~\[\]|!#])", r"\\\1", plain)).replace("\n", " ")


def break_markup(text: object) -> str:
    """Text from a dataset for a cell that one page shows as it is and another reads as Markdown.

    An escape would be seen on the first; a space of no width is seen on neither, and leaves no element and no link.
    """
    return break_links(re.sub(r"([<&]|\](?=[(\[]))", rf"\1{INVISIBLE}", str(text))).replace("\n", " ")


def break_links(text: str) -> str:
    """Text in which GitHub's Markdown makes no link of a bare address: http://…, www.… or a@b.

    A space of no width breaks each of them. Escapes would not help: entities are read before links are found.
    """
    return re.sub(r"(:(?=//)|\bwww(?=\.)|@)", rf"\1{INVISIBLE}", text, flags=re.I)
