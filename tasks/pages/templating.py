"""How pages are made of templates: everything escaped, nothing left undefined, in the reader's language.

A template holds all wording of its page, in `{% trans %}`; whatever comes from a dataset is hostile until
escaped, which Jinja does with every value.
"""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tasks.report.translation import translator


def environment(language: str = "en") -> Environment:
    """The templates of `tasks/pages/templates/`, with filters that format numbers."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    templates.policies["ext.i18n.trimmed"] = True  # line breaks of a template are no part of its texts
    say = translator(language)
    templates.install_gettext_callables(
        say, lambda single, plural, count: say(single if count == 1 else plural), newstyle=True
    )
    templates.filters |= {
        "say": say,
        "figure": figure,
        "share": share,
        "span": span,
        "count": count,
        "short": short,
        "gain": gain,
    }
    return templates


def figure(value: float | None) -> str:
    """Three decimals; a dash for what could not be computed."""
    return "–" if value is None else f"{value:.3f}"


def share(value: float | None, digits: int = 1) -> str:
    """A share 0..1 in per cent."""
    return "–" if value is None else f"{100 * value:.{digits}f}\u202f%"


def span(edges: list[float] | None) -> str:
    """An interval; nothing where there is none."""
    return "" if edges is None else f"{edges[0]:.3f}\u2009–\u2009{edges[1]:.3f}"


def gain(value: float, digits: int = 3) -> str:
    """A difference with its sign, a minus as printers set it."""
    return f"{value:+z.{digits}f}".replace("-", "\u2212")


def count(value: int) -> str:
    """A number with its thousands apart."""
    return f"{value:,}"


def short(text: object, most: int = 60) -> str:
    """Names may be of any length, and may differ only in their last letters: cut from the middle."""
    plain = str(text)
    head = 2 * most // 3
    return plain if len(plain) <= most else f"{plain[:head]}…{plain[head + 1 - most :]}"
