"""`kensa sign` and `--verify-key` by the real command."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys

import pytest
from support.keys import make_key
from support.releases import NO_DRAFTS


@pytest.fixture
def signing(place, small_line):
    shutil.copytree(small_line.artifacts_folder, place.folder / "artifacts", ignore=NO_DRAFTS)
    make_key(place.folder)
    return place


@pytest.mark.slow
def test_a_release_is_signed_and_a_standard_program_agrees(signing):
    done = signing.kensa("sign", "v1", "--key", "release.key")
    assert (done.code, done.out) == (0, "signed: v1, by artifacts/signatures/v1.sig\n")
    assert signing.kensa("sign", "v1", "--key", "release.key", "--json").told["release"] == "v1"
    signature = ["--signature", "artifacts/signatures/v1.sig", "--public_key", "release.pub"]
    words = ["-m", "model_signing", "verify", "key", "artifacts/releases/v1", *signature]
    checked = subprocess.run([sys.executable, *words], cwd=signing.folder, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert signing.left_over() == []


@pytest.mark.slow
def test_the_journal_says_who_signed(signing):
    words = ("--by", "M. Sato", "--reason", "checked on lot 7")
    assert signing.kensa("sign", "v1", "--key", "release.key", *words).code == 0
    entry = signing.kensa("journal", "--json").told["listed"][-1]
    assert (entry["event"], entry["subject"], entry["by"], entry["why"]) == ("signed", "v1", *words[1::2])
    signature = (signing.folder / "artifacts" / "signatures" / "v1.sig").read_bytes()
    assert entry["facts"] == {"signature": hashlib.sha256(signature).hexdigest()}
    again = signing.kensa("journal", "--verify", "--json").told["listed"]
    assert [each["event"] for each in again].count("signed") == 1
    assert "signed" in signing.kensa("history", "--json").out


@pytest.mark.slow
def test_no_command_opens_an_unsigned_release_where_a_key_is_asked_for(signing):
    key = ("--verify-key", "release.pub")
    commands = [
        ("promote", "v1", *key),
        ("score", "demo", *key),
        ("drift", "demo", *key),
        ("export", "v1", *key),
        ("recalibrate", "v1", "--rule", "youden", *key),
        ("push", "v1", "acme/boards", *key),
        ("serve", "--port", "1", *key),
    ]
    line = "kensa: v1: expected a signature of it by the key of "
    for words in commands:
        done = signing.kensa(*words)
        assert (done.code, done.err.count(line), "Traceback" in done.err) == (1, 1, False), (words, done.err)
    done = signing.kensa("promote", "v1", KENSA_VERIFY_KEY=str(signing.folder / "release.pub"))
    assert (done.code, line in done.err) == (1, True)
    signing.kensa("sign", "v1", "--key", "release.key")
    assert signing.kensa("promote", "v1", *key).code == 0
    assert signing.kensa("export", "v1", "--json", *key).told["status"] == "exported"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("sign", "v1", "--key", "absent"), "kensa: --key absent: expected a private key on a NIST curve as PEM"),
        (("sign", "v9", "--key", "release.key"), "kensa: v9: no such release in artifacts; there are v1"),
        (("export", "v1", "--verify-key", "absent"), "kensa: --verify-key absent: expected a public key as PEM"),
    ],
)
def test_bad_words_are_one_line(signing, words, line):
    done = signing.kensa(*words)
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    assert line in done.err
