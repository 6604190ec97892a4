"""Options that several commands share: their defaults, and the names that a shell offers."""

from __future__ import annotations

from types import SimpleNamespace

from kensa.cli.main import COMMANDS, load_command
from kensa.cli.options import release_names


def test_a_shell_is_offered_the_releases_of_the_folder_that_was_typed(tmp_path):
    for name in ("v1", "v12", "v2"):
        (tmp_path / "releases" / name).mkdir(parents=True)
    (tmp_path / "releases" / "v1.lock").touch()
    assert release_names(SimpleNamespace(params={"artifacts": str(tmp_path)}), "v1") == ["v1", "v12"]
    assert release_names(SimpleNamespace(params={"artifacts": None}), "no-such-release") == []


def test_one_option_means_the_same_in_every_command():
    texts: dict[str, set[str]] = {}
    for name in COMMANDS:
        for parameter in load_command(name).params:
            texts.setdefault(parameter.opts[0], set()).add(f"{parameter.help} {parameter.default}")
    for option in ("--artifacts", "--json", "--language", "--release", "--train", "--settings"):
        assert len(texts[option]) == 1, option
