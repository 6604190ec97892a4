"""The artifact `journal`: the last entries first, with names that cannot be markup; tests/flows has it on a server."""

from __future__ import annotations

from flows.ui.journal_texts import LAST, journal_text
from tasks.registry.journal import Entry, Journal, chain


def journal(count: int) -> Journal:
    entries = [
        Entry(
            event="rolled back",
            subject=f"v{number}",
            key=str(number),
            when=f"2026-01-02T03:{number:02}:05.678+00:00",
            by="<b>Sato</b>",
            why="see [here](http://x)",
        )
        for number in range(1, count + 1)
    ]
    return chain(Journal(), entries)


def test_the_last_entries_come_first():
    lines = journal_text(journal(12)).splitlines()
    assert lines[0] == "| when | event | of | by | why |"
    assert lines[2].startswith("| 2026-01-02 03:12 UTC | **rolled back** | v12 | &lt;b&gt;Sato&lt;/b&gt; |")
    assert r"see \[here\](http:" in lines[2]
    assert len(lines) == 2 + LAST + 2
    assert lines[-1].startswith("12 entries in all, head `")


def test_in_japanese():
    text = journal_text(journal(1), "ja")
    assert "| 日時 | 出来事 | 対象 | 実行者 | 理由 |" in text
    assert "**差し戻し**" in text


def test_what_is_not_known_is_said():
    text = journal_text(chain(Journal(), [Entry(event="promoted", subject="v1", key="a")]))
    assert "| not known | **promoted** | v1 | not known | – |" in text
