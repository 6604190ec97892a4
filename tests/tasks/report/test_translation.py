"""What people read, in their language: nothing untranslated, nothing left over, names kept, sentences told again."""

from __future__ import annotations

import ast
import re

import pytest
from support.project import ROOT

from tasks.config.run import LANGUAGES
from tasks.report.templating import environment
from tasks.report.translation import catalogue, sentence_translator, sentences, translator

TEMPLATES = sorted((ROOT / "tasks" / "report" / "templates").glob("*.html"))
OTHERS = [language for language in LANGUAGES if language != "en"]
SAME = {"AUROC", "p"}  # are written alike in every language
NAMES = re.compile(r"%\((\w+)\)s|\{(\w+)\}")


def marked(path):
    """The texts that a template marks for translation."""
    found = environment().extract_translations(path.read_text(encoding="utf-8"))
    return {text for _, _, texts in found for text in (texts if isinstance(texts, tuple) else (texts,)) if text}


def said(path):
    """The texts that code says: the one literal argument of say(…), and what it makes sentences of."""
    text = path.read_text(encoding="utf-8")
    if "from tasks.report.translation import" not in text:
        return set()  # the command speaks English, and so does what has another say()
    tree = ast.parse(text)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {
        call.args[0].value
        for call in calls
        if getattr(call.func, "id", "") == "say" and call.args and isinstance(call.args[0], ast.Constant)
    }


TEXTS = {path.name: marked(path) for path in TEMPLATES} | {
    str(path.relative_to(ROOT)): said(path)
    for folder in ("tasks", "flows")
    for path in sorted((ROOT / folder).rglob("*.py"))
}


def names(text):
    return sorted({one or other for one, other in NAMES.findall(text)})


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("name", [name for name, texts in TEXTS.items() if texts])
def test_every_text_is_translated(language, name):
    known = catalogue(language)
    assert sorted(TEXTS[name] - set(known)) == []


@pytest.mark.parametrize("language", OTHERS)
def test_translations_keep_the_names_and_are_none_of_the_english(language):
    for text, told in catalogue(language).items():
        assert names(text) == names(told), text
        assert text != told or text in SAME
        assert ("%%" in text) <= ("%%" in told), f"a per cent sign is doubled in both: {text}"


@pytest.mark.parametrize("language", OTHERS)
def test_sentences_with_names_come_before_no_other_that_fits_them(language):
    for pattern, told in sentences(language):
        assert sorted(pattern.groupindex) == names(told)


@pytest.mark.parametrize("language", OTHERS)
def test_no_translation_is_left_over(language):
    """An entry is a marked text, or a word that code or a template holds as such."""
    sources = "".join(path.read_text(encoding="utf-8") for path in [*TEMPLATES, *ROOT.glob("tasks/**/*.py")])
    sources += "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("flows/**/*.py"))
    marks = set().union(*TEXTS.values())
    left = [text for text in catalogue(language) if text not in marks and not held(text, sources)]
    assert left == []


def held(text, sources):
    """Whether a word stands in a source, or is put together there of such."""
    best = text.removeprefix("best ")
    return any(f'"{one}"' in sources for one in (text, best, text.lower(), best.replace("E", "e"))) or text.startswith(
        ("raw map, ", "best raw map, ", "two defects of ", "two records of ")
    )


def test_a_kept_sentence_is_told_with_what_stands_in_it():
    tell = sentence_translator("ja")
    told = tell(
        "not shown to be better than the champion v1: auroc difference +0.0010 [-0.0040, +0.0060] at 95 % confidence, "
        "on the same 90 test records of f1; the lower end must exceed 0"
    )
    assert told == (
        "チャンピオン v1 より優れているとは示されなかった: auroc の差 +0.0010 [-0.0040, +0.0060]、信頼度 95 %、"
        "凍結集合 f1 の同じ試験記録 90 件。下端は 0 を超えなければならない"
    )
    assert tell("something new") == "something new"
    assert sentence_translator("en")("a tie with the champion v1") == "a tie with the champion v1"


def test_english_is_what_stands_in_the_code():
    assert translator("en")("good") == "good"
    assert translator("ja")("good") == "良品"
