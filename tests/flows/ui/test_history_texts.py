"""The artifact `history`: the newest models first, with a link; tests/flows has it on a server."""

from __future__ import annotations

from dataclasses import replace

from support.histories import line_of

from flows.ui.history_texts import LAST, history_text


def test_the_newest_models_come_first():
    history = line_of(12)
    models = (
        *history.models[:-2],
        replace(history.models[-2], people="was refused by <b>Sato</b>"),
        history.models[-1],
    )
    lines = history_text(replace(history, models=models), "[history.html](http://x)").splitlines()
    assert lines[0] == "| model | what became of it | escapes | false alarms | minus the champion |"
    assert lines[2] == "| v12 | **champion** | 8.0% | 5.0% | +0.020 [+0.010, +0.030] |"
    assert lines[3].startswith("| v11 | released, was refused by &lt;b&gt;Sato&lt;/b&gt; |")
    assert len(lines) == 2 + LAST + 2
    assert lines[-1] == "All 12 models, with their picture: [history.html](http://x)"


def test_in_japanese():
    text = history_text(line_of(3), "x", "ja")
    assert "| 00000003 | 不合格 |" in text
    assert "全 3 モデルと図: x" in text
