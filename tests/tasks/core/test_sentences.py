"""A sentence is text for whoever prints it, and keeps its code and parameters for whoever translates it."""

from __future__ import annotations

import copy
import json
import pickle

from tasks.core.sentences import Sentence, code_of, join_sentences, sentence
from tasks.report.translation import translator


def test_a_sentence_is_its_english_text():
    leak = sentence("leak", leak=sentence("shared_records", count=3))
    assert leak == "leakage: 3 records are in more than one part"
    assert json.dumps([leak]) == '["leakage: 3 records are in more than one part"]'


def test_code_and_parameters_survive_storing_copying_and_pickling():
    leak = sentence("leak", leak=sentence("shared_records", count=3))
    stored = json.loads(json.dumps(leak.as_json()))
    for again in (Sentence.from_json(str(leak), stored), copy.deepcopy(leak), pickle.loads(pickle.dumps(leak))):
        assert (again, again.code) == (leak, "leak")
        assert (again.params["leak"].code, again.params["leak"].params) == ("shared_records", {"count": 3})


def test_sentences_are_joined_and_keep_their_codes():
    leaks = [sentence("shared_records", count=3), sentence("wrong_anchors"), sentence("wrong_hashes", count=1)]
    joined = join_sentences(leaks)
    assert joined == "; ".join(leaks)
    assert translator("ja")(joined) == "、".join(map(translator("ja"), leaks))
    assert join_sentences(leaks[:1]) is leaks[0]


def test_a_plain_text_has_no_code():
    assert code_of("too weak") == {"code": "", "params": {}}
    assert Sentence.from_json("too weak", None) == "too weak"
