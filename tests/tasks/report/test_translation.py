"""What people read, in their language: nothing untranslated, nothing left over, names kept, sentences told again."""

from __future__ import annotations

import ast
import json
import re

import pytest
from support.evaluations import comparison
from support.project import ROOT

from tasks.config.run import LANGUAGES, GateConfig
from tasks.core.sentences import ENGLISH, Sentence
from tasks.pages.templating import environment
from tasks.promotion.verdict import comparison_sentence
from tasks.report.translation import read_catalogue, translator

TEMPLATES = sorted((ROOT / "tasks" / "pages" / "templates").glob("*.html"))
OTHERS = [language for language in LANGUAGES if language != "en"]
SAME = {"AUROC", "p"}  # are written alike in every language
NAMES = re.compile(r"%\((\w+)\)s|\{(\w+)(?::[^}]*)?\}")


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


def texts(language):
    """The catalogue's translations by their English text."""
    return {text: told for text, told in read_catalogue(language).items() if text != "sentences"}


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
    known = texts(language)
    assert sorted(TEXTS[name] - set(known)) == []


@pytest.mark.parametrize("language", OTHERS)
def test_translations_keep_the_names_and_are_none_of_the_english(language):
    for text, told in texts(language).items():
        assert names(text) == names(told), text
        assert text != told or text in SAME
        assert ("%%" in text) <= ("%%" in told), f"a per cent sign is doubled in both: {text}"


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_is_translated_with_its_parameters(language):
    sentences = read_catalogue(language)["sentences"]
    assert sentences.keys() == ENGLISH.keys()
    for code, text in ENGLISH.items():
        assert names(text) == names(sentences[code]), code


@pytest.mark.parametrize("language", OTHERS)
def test_no_translation_is_left_over(language):
    """An entry is a marked text, or a word that code or a template holds as such."""
    sources = "".join(path.read_text(encoding="utf-8") for path in [*TEMPLATES, *ROOT.glob("tasks/**/*.py")])
    sources += "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("flows/**/*.py"))
    marks = set().union(*TEXTS.values())
    left = [text for text in texts(language) if text not in marks and not held(text, sources)]
    assert left == []


def held(text, sources):
    """Whether a word stands in a source, or is put together there of such."""
    best = text.removeprefix("best ")
    return any(f'"{one}"' in sources for one in (text, best, text.lower(), best.replace("E", "e"))) or text.startswith(
        ("raw map, ", "best raw map, ", "two defects of ", "two records of ", "enough ")
    )


def test_a_stored_sentence_is_translated_by_its_code():
    verdict = comparison_sentence(comparison(0.001, half=0.005), GateConfig())
    stored = Sentence.from_json(str(verdict), json.loads(json.dumps(verdict.as_json())))
    assert translator("ja")(stored) == (
        "チャンピオン v3 より優れているとは示されなかった: 照合 AUROC の差 +0.0010 [-0.0040, +0.0060]、信頼度 95 %、"
        "凍結集合 f2 の同じ試験記録 40 件。下端は 0 を超えなければならない"
    )
    assert translator("en")(stored) == verdict


def test_a_sentence_without_a_code_stays_as_it_was_stored():
    """A manifest of an older Kensa has texts alone."""
    assert translator("ja")(Sentence.from_json("a tie with the champion v1", None)) == "a tie with the champion v1"


def test_english_is_what_stands_in_the_code():
    assert translator("en")("good") == "good"
    assert translator("ja")("good") == "良品"


@pytest.mark.parametrize("language", OTHERS)
def test_the_names_of_all_checks_are_translated(language):
    """They stand as literals where a Finding is made."""
    code = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "tasks").rglob("*.py")))
    checks = set(re.findall(r'(?:Finding|_count)\("([a-z. ]+)"', code))
    checks |= {f"enough {name}" for name in re.findall(r'_check\("([a-z ]+)"', code)}
    assert {"finite values", "enough test records"} <= checks
    assert sorted(checks - set(texts(language))) == []
