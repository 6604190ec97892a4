"""Who did something: the system's user or a name that was given, in one line."""

from __future__ import annotations

import os
import pwd

import pytest

from tasks.core.authorship import MAX_NAME, MAX_REASON, Authorship, system_user
from tasks.core.errors import BadSetting


def test_without_words_it_is_the_user_of_the_system(monkeypatch):
    monkeypatch.setenv("USER", "somebody")
    monkeypatch.setenv("LOGNAME", "somebody")
    assert Authorship.of() == Authorship(pwd.getpwuid(os.getuid()).pw_name, "", None)


def test_a_user_without_a_name_has_a_number(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 987_654)
    assert system_user() == "uid 987654"


def test_words_are_one_line():
    assert Authorship.of(" M.\n Sato ", "too many\n\tfalse alarms", "run 1") == Authorship(
        "M. Sato", "too many false alarms", "run 1"
    )


@pytest.mark.parametrize(
    ("by", "reason", "option"),
    [("x" * (MAX_NAME + 1), "", "--by"), ("a", "x" * (MAX_REASON + 1), "--reason"), ("a\x1b[31m", "", "--by")],
)
def test_what_is_too_long_or_no_text_is_refused(by, reason, option):
    with pytest.raises(BadSetting, match=f"{option}: expected at most .* printable characters"):
        Authorship.of(by, reason)
