"""Every page: its links and pictures are there, and its commands are commands of Kensa with options that exist."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from support.commands import SMALL
from support.inspected_parts import map_column
from support.project import BIN, ROOT

from kensa.cli.main import COMMANDS, load_command

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.M | re.S)
LINK = re.compile(r"(?<!`)\]\(([^)\s]+)\)")
MISTAKE = "fit.epoch"  # shown as one
MAKE = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)


def prose(page):
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page):
    """The names by which headings are linked, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(page):
    """The lines of blocks that call make or kensa, without comments; `&&` joins two."""
    blocks = FENCE.findall(page.read_text(encoding="utf-8"))
    lines = [part.strip() for block in blocks for line in block.splitlines() for part in line.split("&&")]
    words = [
        shlex.split(re.sub(r"^\$ ", "", line), comments=True) for line in lines if re.search(r"\b(kensa|make) ", line)
    ]
    words = [row[next((i for i, word in enumerate(row) if "=" not in word), 0) :] for row in words if row]
    return [row for row in words if row and row[0] in ("kensa", "make")]


CALLS = [(page, words) for page in PAGES if page.name != "commands.md" for words in commands(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_resolve(page):
    for target in LINK.findall(prose(page)):
        if re.match(r"https?:|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), target


def test_there_are_pages_and_calls():
    assert len(PAGES) > 20
    assert len(CALLS) > 30


@pytest.mark.parametrize(
    ("page", "words"), CALLS, ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else ""
)
def test_a_command_exists_with_its_options(page, words):
    if words[0] == "make":
        assert words[1] in MAKE, page.name
        return
    options = [word.partition("=")[0] for word in words[1:] if word.startswith("--")]
    if not words[1:] or words[1].startswith("-"):
        assert set(options) <= {"--help", "--version", "--install-completion"}, page.name
        return
    assert words[1] in COMMANDS, page.name
    known = {option for parameter in load_command(words[1]).params for option in parameter.opts}
    assert set(options) <= known | {"--help", "--verbose", "--log-level", "--log-format"}, page.name


def test_settings_that_pages_set_exist():
    """Whatever follows --set, in blocks and in the text."""
    from tasks.config.overrides import setting_fields

    for page in PAGES:
        for name in re.findall(r"--set ([a-z_]+(?:\.[a-z_]+)?)=", page.read_text(encoding="utf-8")):
            assert name in {*setting_fields(), "key", "fit.epoch"}, (
                f"{page.name}: {name}"
            )  # the last: an error on purpose


@pytest.mark.slow
def test_photographs_become_a_source_that_is_trained_on(a_place, tmp_path):
    """The block at the top of docs/photos.md as it stands, with two epochs of training."""
    place = a_place(tmp_path / "place")
    calls = commands(ROOT / "docs" / "photos.md")[:3]
    assert [words[1] for words in calls] == ["maps", "maps", "retrain"]
    for words in calls:
        short = ("--set", "fit.epochs=2") if words[1] == "retrain" else ()
        done = place.kensa(*words[1:], *short, small=False)
        assert done.code in ((0, 1) if short else (0,)), done.err  # two epochs may not pass the gate
        assert "Traceback" not in done.err


@pytest.mark.slow
def test_a_model_that_was_trained_elsewhere_is_taken(served, hidden):
    """docs/scale.md: trained from a stage by python -m tasks.train on JAX, then judged and released here."""
    (served.folder / "boards").mkdir()
    pq.write_table(map_column(hidden(200)), served.folder / "boards" / "table.parquet")
    assert served.kensa("retrain", "--train", "boards", "--set", "fit.epochs=1").code in (0, 1)
    (stage,) = (served.folder / "data" / "stages").glob("triplets-*")
    settings = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    words = [BIN / "python", "-m", "tasks.train", stage, "--preset", "notebook", "--data", served.folder / "there"]
    there = subprocess.run(
        [*words, *settings],
        capture_output=True,
        text=True,
        check=False,
        cwd=served.folder,
        env={**served.env, "KERAS_BACKEND": "jax"},
    )
    assert there.returncode == 0, there.stderr
    model = Path(there.stdout.strip())
    shutil.copytree(served.folder / model, served.folder / "data" / "stages" / model.name)
    done = served.kensa("retrain", "--train", "boards", "--json", "--log-level", "info", KERAS_BACKEND="jax")
    assert done.told["status"] in ("released", "rejected"), done.err
    assert not re.search(r"epoch +1/", done.err), "nothing is trained here"
    assert f"kept: data/stages/{model.name}" in done.err
