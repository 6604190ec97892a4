"""What Kensa writes for people, in their language: English in the code, the others in a catalogue beside it.

A catalogue (`ja.toml`) maps each English text to its translation, and a text that is not in it stays
English. Names in braces, `{count}` or `%(count)s`, stand in both.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Callable
from pathlib import Path

Translate = Callable[[str], str]


@functools.cache
def catalogue(language: str) -> dict[str, str]:
    """The translations into a language by their English text; none for English."""
    if language == "en":
        return {}
    return tomllib.loads((Path(__file__).parent / f"{language}.toml").read_text(encoding="utf-8"))


def translator(language: str) -> Translate:
    """The function that says an English text in `language`, one of config.LANGUAGES."""
    texts = catalogue(language)
    return lambda text: texts.get(text, text)
