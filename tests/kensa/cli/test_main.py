"""`kensa` itself: every word that was ever there, options that may stand anywhere, and how errors end."""

from __future__ import annotations

import json
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from support.inspected_parts import map_column
from support.project import ROOT

from kensa.cli import main as command
from kensa.cli.main import COMMANDS, load_command
from tasks.core.errors import Failure, UnfitData
from tasks.core.results import Finding

PROMISED = {  # commands and options of the first version: scripts and product lines use them
    "retrain": "--artifacts --data --json --preset --revision --set --settings --test --train",
    "sweep": "--artifacts --dask --data --figure --grid --json --out --preset --random --revision --seeds --set "
    "--settings --test --train --workers",
    "up": "--port --webhook-port --pages-port --review --review-port",
    "watch": "--every --once",
    "releases": "--artifacts --json",
    "promote": "VERSION --artifacts --json",
    "rollback": "--artifacts --json",
    "sign": "VERSION --artifacts --json --key --line",
    "trace": "PART --artifacts --json --line",
    "approve": "VERSION --artifacts --by --json --line --reason --refuse",
    "history": "--artifacts --json --language --line --out",
    "review": "SOURCE --artifacts --by --data --json --language --line --most --port --publish --pull-request --random "
    "--reason",
    "study": "WHAT [SOURCE]... --answers --artifacts --config --folder --good --id --inspectors --json --line --near "
    "--part --parts --release --trials --verify-key",
    "journal": "--artifacts --json --last --line --verify",
    "score": "SOURCE --against --artifacts --dask --json --language --out --release --report",
    "serve": "--artifacts --host --keep --max-body --port --queue --release --standard --verify-key --workers",
    "drift": "SOURCE --artifacts --dask --json --language --release --report",
    "maps": "PHOTOS --cols --dask --good --json --max-shift --max-turn --most-unregistered --out --register --rows "
    "--standard",
    "recalibrate": "VERSION --artifacts --cheapest --currency --escape --json --overkill --prevalence --promote --rule "
    "--target",
    "enrol": "WHAT SOURCE --artifacts --by --config --data --good --json --line --margin --name --part --promote "
    "--reason --recall --release --verify-key",
    "report": "VERSION --artifacts --data --json --language --out",
    "export": "VERSION --artifacts --format --json --out --standard --verify-key",
    "push": "VERSION REPOSITORY --artifacts --json --public",
    "doctor": "--artifacts --data --json",
    "reproduce": "VERSION --artifacts --data --json",
    "store": "WAY ADDRESS --artifacts --data --json",
    "prune": "--artifacts --data --dry-run --json --keep --older-than --runs --traces",
}
HEAVY = {"tensorflow", "keras", "prefect", "pandas", "matplotlib", "numpy", "pyarrow", "httpx"}


def kensa(*words, **env):
    """`python -m kensa` in a process of its own, and the modules that it imports."""
    env = {"PYTHONPROFILEIMPORTTIME": "1", "PATH": "", **env}
    done = subprocess.run(
        [sys.executable, "-m", "kensa", *words], capture_output=True, text=True, cwd=ROOT, env=env, check=False
    )
    lines = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    return done, {line.partition(".")[0] for line in lines}


def test_every_command_and_option_that_ever_was_is_there():
    assert set(PROMISED) == set(COMMANDS)
    for name, words in PROMISED.items():
        parameters = load_command(name).params
        names = [option for parameter in parameters for option in parameter.opts if option.startswith("--")]
        arguments = [
            parameter.metavar or parameter.name.upper() for parameter in parameters if parameter.opts[0][0] != "-"
        ]
        assert {*names, *arguments} >= set(words.split()), name
        assert arguments == [word for word in words.split() if word[0] != "-"], "in this order"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_is_the_first_sentence_of_the_help(name):
    assert load_command(name).help.splitlines()[0] == COMMANDS[name][1]


@pytest.mark.parametrize("words", [["--help"], ["releases"], ["retrain", "--help"], ["--version"]], ids=" ".join)
def test_the_light_commands_import_no_large_library(words):
    done, imported = kensa(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert not imported & HEAVY


def test_the_first_help_imports_neither_rich_nor_pydantic():
    _, imported = kensa("--help")
    assert not imported & {"rich", "pydantic"}


def test_a_shell_completes_commands_options_and_releases(tmp_path):
    (tmp_path / "releases" / "v1").mkdir(parents=True)
    for typed, offered in {
        "kensa rec": ["recalibrate"],
        "kensa prune --ke": ["--keep"],
        f"kensa promote --artifacts {tmp_path} v": ["v1"],
    }.items():
        position = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
        done, _ = kensa(_KENSA_COMPLETE="complete_bash", **position)
        assert done.stdout.split() == offered, typed


@pytest.mark.parametrize(
    ("words", "quiet", "level", "tensorflow"),
    [
        ((), True, "warning", "3"),
        (("--verbose",), False, "info", "0"),
        (("--log-level", "debug"), True, "debug", "3"),
        (("--log-level=error", "--verbose"), False, "error", "0"),
    ],
    ids=["neither", "verbose", "level", "both"],
)
@pytest.mark.parametrize("is_first", [True, False], ids=["before", "after"])
def test_the_options_of_the_log_may_stand_anywhere(
    run, monkeypatch, tmp_path, words, quiet, level, tensorflow, is_first
):
    calls = {}
    monkeypatch.setattr(command, "silence", lambda: calls.update(silence=True))
    monkeypatch.setattr(command, "log_prefect", lambda level, default: calls.update(level=level or default))
    monkeypatch.setattr(command, "set_defaults", lambda tensorflow_level: calls.update(tensorflow=tensorflow_level))
    rest = ("releases", "--artifacts", tmp_path)
    assert run(*words, *rest).code == 0 if is_first else run(*rest, *words).code == 0
    assert calls == {"level": level, "tensorflow": tensorflow, **({"silence": True} if quiet else {})}


def fails(error):
    """A function that raises it."""

    def function(*_, **__):
        raise error

    return function


def test_an_error_is_one_line_with_its_exit_code(run, monkeypatch):
    monkeypatch.setattr("tasks.registry.champion.promote", fails(Failure("v1: expected this,\nfound that")))
    ended = run("promote", "v1")
    assert (ended.code, ended.out, ended.err) == (1, "", "kensa: v1: expected this, found that\n")


def test_unfit_data_is_shown_as_a_table_before_the_line(run, monkeypatch):
    findings = (Finding("columns present", True, True, ""), Finding("finite values", False, True, "3 maps"))
    monkeypatch.setattr("kensa.runs.retrain_with", fails(UnfitData("set", findings)))
    ended = run("retrain")
    lines = ended.err.splitlines()
    assert ended.code == 2
    assert lines[0] == "checks of set:"
    assert lines[1].startswith("  failed")
    assert lines[-1].startswith("kensa: set cannot be")


NOT_MAPPED = "libtensorflow_cc.so.2: failed to map segment from shared object"


@pytest.mark.parametrize("error", [MemoryError(), ImportError(NOT_MAPPED)], ids=["array", "library"])
def test_a_memory_limit_is_told_in_one_line(run, monkeypatch, error):
    monkeypatch.setattr("kensa.runs.retrain_with", fails(error))
    ended = run("retrain")
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert ended.err.startswith("kensa: not enough memory; ulimit -v")


def test_another_error_of_an_import_is_not_one_of_memory(run, monkeypatch):
    monkeypatch.setattr("kensa.runs.retrain_with", fails(ImportError("no module named x")))
    with pytest.raises(ImportError, match="no module named x"):
        run("retrain")


def test_an_interrupted_run_ends_with_130(run, monkeypatch):
    monkeypatch.setattr("kensa.runs.retrain_with", fails(KeyboardInterrupt()))
    ended = run("retrain")
    assert (ended.code, ended.out) == (130, "")
    assert ended.err == "kensa: interrupted; nothing half-written is left, and the next run goes on\n"


def test_a_reader_that_goes_away_ends_the_command_in_silence():
    code = "import errno, sys; from kensa.cli import main as command, releases\n"
    code += "def gone(*_): raise BrokenPipeError(errno.EPIPE, 'Broken pipe')\n"
    code += "releases.print_table = releases.all_releases = gone; sys.exit(command.main(['releases']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (141, "", "")


def test_json_is_alone_on_stdout(run, tmp_path):
    ended = run("releases", "--json", "--artifacts", tmp_path)
    assert json.loads(ended.out)["champion"] is None
    assert ended.err == ""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["option", "environment"])
def test_the_log_is_json_where_it_is_asked_for(place, how):
    words, env = (["--log-format", "json"], {}) if how == "option" else ([], {"KENSA_LOG_FORMAT": "json"})
    done = place.kensa("score", "./absent", *words, **env)
    (entry,) = map(json.loads, done.err.splitlines())
    assert (done.code, entry["level"], entry["logger"]) == (2, "error", "kensa")
    assert entry["message"].startswith("kensa: ./absent: ")
    assert place.kensa("score", "./absent").err.startswith("kensa: ./absent: ")


@pytest.mark.slow
def test_every_line_of_a_retraining_is_an_entry_of_its_run(served, hidden):
    """As a process of its own, with all that TensorFlow and Prefect write."""
    (served.folder / "boards").mkdir()
    pq.write_table(map_column(hidden(200)), served.folder / "boards" / "table.parquet")
    words = ("retrain", "--train", "./boards", "--json", "--log-format", "json", "--verbose")
    done = served.kensa(*words, TF_CPP_MIN_LOG_LEVEL="0")
    assert done.told["status"] in ("released", "rejected"), done.err
    entries = [json.loads(line) for line in done.err.splitlines()]
    assert all({"time", "level", "logger", "message", "line", "run"} <= entry.keys() for entry in entries)
    loggers = {entry["logger"] for entry in entries}
    assert {"kensa", "prefect.flow_runs", "prefect.task_runs", "stderr"} <= loggers, "stderr is TensorFlow's own"
    (run,) = {entry["run"] for entry in entries if entry["logger"] == "prefect.flow_runs"}
    epochs = [entry for entry in entries if entry["message"].startswith("  epoch")]
    assert epochs
    assert {entry["run"] for entry in epochs} == {run}
