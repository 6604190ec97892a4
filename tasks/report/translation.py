"""What Kensa writes for people, in their language: English in the code, the others in a catalogue beside it.

A catalogue (`ja.toml`) maps each English text to its translation, and a text that is not in it stays English. Names in
braces, `{count}` or `%(count)s`, stand in both. Its table `sentences` maps the codes of tasks/core/sentences.py.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Callable
from pathlib import Path

from tasks.core.json_form import Json
from tasks.core.sentences import Sentence

Translate = Callable[[str], str]


@functools.cache
def read_catalogue(language: str) -> Json:
    """The translations into a language by their English text, and `sentences` by their code; none for English."""
    if language == "en":
        return {"sentences": {}}
    return tomllib.loads((Path(__file__).parent / f"{language}.toml").read_text(encoding="utf-8"))


def translator(language: str) -> Translate:
    """The function that translates an English text or Sentence into `language`, one of config.LANGUAGES."""
    texts = read_catalogue(language)

    def say(text: str) -> str:
        template = texts["sentences"].get(text.code) if isinstance(text, Sentence) else None
        if template is None:
            return texts.get(text, text)
        parts = {name: say(part) if isinstance(part, Sentence) else part for name, part in text.params.items()}
        return template.format(**parts)

    return say
