"""What Kensa writes for people, in their language: English in the code, the others in a catalogue beside it.

A catalogue (`ja.toml`) maps each English text to its translation, and a text that is not in it stays
English. Names in braces, `{count}` or `%(count)s`, stand in both.

What is kept for good (reasons in a manifest, the names of checks) is kept in English, so that it means the same
whoever asks. A page tells it in the reader's language: the catalogue's table `sentences` holds such sentences
with their names in braces, and what stood in their place is translated, too.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

Translate = Callable[[str], str]


@functools.cache
def catalogue(language: str) -> dict[str, str]:
    """The translations into a language by their English text; none for English."""
    return {text: told for text, told in _read(language).items() if isinstance(told, str)}


@functools.cache
def sentences(language: str) -> list[tuple[re.Pattern[str], str]]:
    """Sentences with names in them: what each is known by, and its translation; the first that fits is meant."""
    return [(_known_by(text), told) for text, told in _read(language).get("sentences", {}).items()]


def _read(language: str) -> dict[str, Any]:
    if language == "en":
        return {}
    return tomllib.loads((Path(__file__).parent / f"{language}.toml").read_text(encoding="utf-8"))


def _known_by(text: str) -> re.Pattern[str]:
    """`a tie with {champion}` as a pattern that names what stands for the champion."""
    parts = re.split(r"\{(\w+)\}", text)
    return re.compile("".join(f"(?P<{part}>.+?)" if i % 2 else re.escape(part) for i, part in enumerate(parts)), re.S)


def translator(language: str) -> Translate:
    """The function that says an English text in `language`, one of config.LANGUAGES."""
    texts = catalogue(language)
    return lambda text: texts.get(text, text)


def sentence_translator(language: str) -> Translate:
    """The function that says a kept English sentence in `language`; one that it does not know stays English."""
    texts, known = catalogue(language), sentences(language)

    def tell(text: str) -> str:
        if text in texts:
            return texts[text]
        for pattern, told in known:
            if found := pattern.fullmatch(text):
                return told.format(**{name: tell(part) for name, part in found.groupdict().items()})
        return text

    return tell
