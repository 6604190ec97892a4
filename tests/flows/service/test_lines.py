"""The settings file of the product lines."""

from __future__ import annotations

import asyncio

import pytest
from prefect.server.schemas.schedules import CronSchedule

from flows.service.lines import NewPartsSource, Schedule, read_lines
from tasks.config.model import TrainingConfig
from tasks.config.overrides import read_run
from tasks.config.run import DataConfig, RunConfig
from tasks.core.errors import BadSetting

GOOD = """
tries = 5
notify = "slack-webhook/kensa"
[lines.boards]
train = "acme/boards"
set = ["fit.epochs=5", "data.rows=4"]
[lines.old-boards]
train = "acme/boards@v1"
test = "acme/boards-test"
preset = "notebook"
"""


@pytest.fixture
def written(tmp_path):
    """Reads a settings file with the given text."""

    def read(text):
        path = tmp_path / "kensa.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_lines(path)

    return read


def test_every_line_has_its_dataset_branch_settings_and_folder(written):
    lines = written(GOOD)
    assert (lines.tries, lines.notify, list(lines.by_name)) == (5, "slack-webhook/kensa", ["boards", "old-boards"])
    boards, old = lines["boards"], lines["old-boards"]
    assert boards.branches == [("acme/boards", "main")]
    assert (old.branches, old.config.test) == ([("acme/boards", "v1")], "acme/boards-test")
    assert (boards.config.fit.epochs, boards.config.data.rows, old.config.fit.epochs) == (5, 4, None)
    assert boards.config.artifacts_folder == "artifacts/boards"
    assert old.config.artifacts_folder == "artifacts/old-boards"


def test_a_line_may_have_several_sources(written):
    text = '[lines.a]\ntrain = ["acme/boards@v1", "s3://factory/night"]\ntest = ["x.csv", "y.csv"]\n'
    text += 'drift = ["acme/new", "z.csv"]\n'
    line = written(text)["a"]
    assert (line.config.train, line.config.test) == ("acme/boards@v1; s3://factory/night", "x.csv; y.csv")
    assert line.drift == NewPartsSource("acme/new; z.csv")
    assert (line.branches, line.has_several_sources) == ([("acme/boards", "v1")], True)
    assert line.config_at("a" * 40) is line.config


def test_a_version_of_a_line_is_that_of_its_dataset(written):
    line = written('[lines.a]\ntrain = "hf://datasets/acme/boards@v1/front#part=x"\n[lines.b]\ntrain = "demo"\n')
    config = line["a"].config_at("abc")
    assert (config.train, config.revision) == ("hf://datasets/acme/boards/front#part=x", "abc")
    assert line["b"].config_at("abc") is line["b"].config
    assert not line["a"].has_several_sources


def test_three_tries_and_nobody_to_notify_are_the_default(written):
    lines = written('[lines.boards]\ntrain = "demo"\n')
    assert (lines.tries, lines.notify) == (3, None)


def test_a_line_is_retrained_by_its_own_schedule_else_by_the_one_of_all(written):
    text = (
        'schedule = "30 6 * * mon-fri"\n[lines.a]\ntrain = "demo"\n[lines.b]\ntrain = "demo"\ntimezone = "Asia/Tokyo"\n'
    )
    lines = written(text)
    assert lines["a"].schedule == Schedule("30 6 * * mon-fri", "Europe/Berlin")
    assert lines["b"].schedule == Schedule("30 6 * * mon-fri", "Asia/Tokyo")
    assert written(GOOD)["boards"].schedule is None


def test_new_parts_are_a_source_or_a_table_that_chooses_of_it(written):
    text = '[lines.a]\ntrain = "demo"\ndrift = {}\n'
    assert not written(text.format('"acme/new"'))["a"].shadow
    assert written(text.format('"acme/new"') + "shadow = true\n")["a"].shadow
    assert written(text.format('"acme/new@week"'))["a"].drift == NewPartsSource("acme/new@week")
    table = '{source = "acme/new", config = "front", part = "station1"}'
    assert written(text.format(table))["a"].drift == NewPartsSource("acme/new", "front", "station1")


def test_an_unknown_line_names_those_that_exist(written):
    with pytest.raises(BadSetting, match="line housings: expected one of boards, old-boards"):
        written(GOOD)["housings"]


def test_no_file_says_so(tmp_path):
    with pytest.raises(BadSetting, match="expected the settings file of the product lines, found none"):
        read_lines(tmp_path / "kensa.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[lines.boards", "cannot be read"),
        (b'[lines.boards]\ntrain = "\xff"', "cannot be read"),
        ("", "expected at least one [lines.NAME], found None"),
        ("lines = 3", "expected at least one [lines.NAME], found 3"),
        ('tries = 0\n[lines.a]\ntrain = "demo"', "expected tries of 1 or more"),
        ('tries = true\n[lines.a]\ntrain = "demo"', "expected tries of 1 or more"),
        ('tries = "3"\n[lines.a]\ntrain = "demo"', "expected tries of 1 or more"),
        ('notify = "slack"\n[lines.a]\ntrain = "demo"', "expected notify as TYPE/NAME"),
        ('retries = 3\n[lines.a]\ntrain = "demo"', "found retries"),
        ('notify = "a/b/c"\n[lines.a]\ntrain = "demo"', "expected notify as TYPE/NAME"),
        ("[lines.a]\ntrain = 'demo'\nshadow = 'yes'", "line a: expected shadow as true or false, found 'yes'"),
        ("[lines.a]\ntrain = 'demo'\ndrift = 3", "line a: expected drift as a source of new parts"),
        (
            "[lines.a]\ntrain = 'demo'\ndrift = {part = 'x'}",
            "found {'part': 'x'}: neither a source nor a table with one",
        ),
        ("[lines.a]\ntrain = 'demo'\ndrift = {source = 'demo', split = 'x'}", "split is not source, config or part"),
        ("[lines.a]\ntrain = 'demo'\ndrift = {source = 'demo', part = 3}", "neither a source nor a table with one"),
        ("[lines.a]\ntrain = 'demo'\nschedule = '@daily'", "line a: expected schedule as five cron fields"),
        ("[lines.a]\ntrain = 'demo'\nschedule = '0 0 5 * * 1'", "line a: expected schedule as five cron fields"),
        ("[lines.a]\ntrain = 'demo'\nschedule = '0 5 31 2 *'", "line a: expected schedule as five cron fields"),
        ('timezone = "Asia/Tokio"\n[lines.a]\ntrain = "demo"', "expected timezone as an IANA name"),
        ('schedule = "0 5 * *"\n[lines.a]\ntrain = "demo"', "expected schedule as five cron fields"),
        ("[lines.a]\ntrain = 'demo'\nschedule = 5", "line a: expected schedule as five cron fields"),
        ("[lines.a]\ntrain = 'demo'\nschedule = '60 5 * * 1'", "line a: expected schedule as five cron fields"),
        ("[lines.a]\ntrain = 'demo'\nschedule = '*/0 5 * * 1'", "line a: expected schedule as five cron fields"),
        ("[lines.a]\ntrain = 'demo'\nschedule = '0 5 * * fri-mon'", "line a: expected schedule as five cron"),
        ("[lines.a]\ntrain = 'demo'\ntimezone = '../x'", "line a: expected timezone as an IANA name"),
        ("[lines.a]\ntrain = 'demo'\ntimezone = 'localtime'", "found 'localtime': unknown to the scheduler"),
        ('timezone = "Factory"\n[lines.a]\ntrain = "demo"', "found 'Factory': unknown to the scheduler"),
        ("[lines.a]\ntrain = 'demo'\ntimezone = 'asia/tokyo'", "found 'asia/tokyo': unknown to the scheduler"),
        ("[lines.a]\ntrain = 'demo'\ntimezone = '+09:00'", "found '+09:00': unknown to the scheduler"),
        ("[lines.a]\ntrain = 'demo'\ntimezone = ''", "found '': unknown to the scheduler"),
        ("[lines.a]\ntrain = “demo”", 'expected straight quotes (") around text'),
        ('[lines.a]\ntrain = "C:\\new\\parts"', "write folders with / instead of \\"),
        ("\ufeff[lines.a]\ntrain = 'demo'".encode("utf-16"), "expected UTF-8, found other bytes in line 1"),
        ("# 基板\n[lines.a]\ntrain = '基板'".encode("cp932"), "expected UTF-8, found other bytes in line 1"),
        ("lines.a = 3", "line a: expected train"),
        ("[lines.a]\ntest = 'demo'", "line a: expected train"),
        ("[lines.a]\ntrain = 3", "line a: expected train"),
        ("[lines.a]\ntrain = 'demo'\nepochs = 3", "line a: expected train"),
        ("[lines.A_b]\ntrain = 'demo'", "line A_b: expected a name of small letters"),
        ("[lines.'../x']\ntrain = 'demo'", "expected a name of small letters"),
        ("[lines.all]\ntrain = 'demo'", "line all: expected another name"),
        ("[lines.a]\ntrain = 'demo'\nset = 'fit.epochs=3'", "line a: expected set as a list"),
        ("[lines.a]\ntrain = 'demo'\nset = ['fit.epoch=3']", "line a: set fit.epoch: unknown setting"),
        ("[lines.a]\ntrain = 'demo'\nset = ['fit.epochs=0']", "line a: set fit.epochs=0: epochs: expected at least"),
        ("[lines.a]\ntrain = 'demo'\nset = ['train=x']", "line a: expected no train in set"),
        ("[lines.a]\ntrain = 'demo'\npreset = 'none'", "line a: preset: expected 'best' or 'rt' or 'notebook'"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_in_one_line(written, text, message):
    with pytest.raises(BadSetting) as caught:
        written(text)
    assert message in str(caught.value)
    assert str(caught.value).count("\n") == 0
    assert "kensa.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("cron", "reason"),
    [
        ("0 5 31 2 *", "no such day ever comes"),
        ("0 5 30,31 2 *", "no such day ever comes"),
        ("0 5 31 4,6,9,11 *", "no such day ever comes"),
        ("0 5 31 2 mon", "no such day ever comes"),
        ("0 5 31 nov *", "no such day ever comes"),
        ("0 5 * *", "4 fields"),
        ("@daily", "1 fields"),
        ("0 5 * * 5L", "Prefect does not know 5L"),
        ("0 5 LW * *", "Prefect does not know LW"),
        ("0 5 ? * 1", "Prefect does not know ?"),
        ("H 5 * * 1", "Bad minute"),
        ("0 5 * * 1,3#1", "Prefect does not know 1,3#1"),
        ("0 5 1 * 1#1", "Prefect does not know 1#1"),
        ("0 5 * * 1-1", "Prefect does not know 1-1"),
        ("５ 5 * * *", "Prefect does not know ５"),
        ("0 5 0 * *", "Bad day-of-month"),
        ("0 5 32 * *", "Bad day-of-month"),
        ("0 5 * 0 *", "Bad month"),
        ("0 5 * * 8", "Bad day-of-week"),
        ("0 24 * * *", "Bad hour"),
    ],
)
def test_a_schedule_that_stops_the_scheduler_or_never_comes_is_refused_with_the_reason(written, cron, reason):
    with pytest.raises(BadSetting) as caught:
        written(f'schedule = "{cron}"\n[lines.a]\ntrain = "demo"')
    assert str(caught.value).endswith(f"found {cron!r}: {reason}")


@pytest.mark.parametrize(
    "cron",
    [
        "*/5 * * * *",
        "0 5 29 2 *",
        "0 5 L * *",
        "0 5 * * fri#2",
        "0 5 1,31 2 *",
        "0 5 31 * 7",
        "0 5 * jan-mar sun",
        "7 8-18/2 * * 1-5",
    ],
)
def test_prefect_s_scheduler_finds_the_next_run_of_what_is_read(written, cron):
    zone = "America/New_York"
    schedule = written(f'schedule = " {cron.replace(" ", "  ")} "\ntimezone = "{zone}"\n[lines.a]\ntrain = "demo"')[
        "a"
    ].schedule
    assert schedule == Schedule(cron, zone)
    (date,) = asyncio.run(CronSchedule(cron=schedule.cron, timezone=schedule.timezone).get_dates(1))
    assert date


def test_a_line_keeps_what_it_does_not_set_of_the_schedule_of_all(written):
    text = 'schedule = "0 6 * * *"\ntimezone = "Asia/Tokyo"\n[lines.a]\ntrain = "demo"\nschedule = "0 7 * * *"'
    assert written(text)["a"].schedule == Schedule("0 7 * * *", "Asia/Tokyo")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_the_file_is_utf_8_with_or_without_a_mark(written, encoding):
    lines = written('[lines.boards]\ntrain = "./基板"\nset = ["data.good=良品"]'.encode(encoding))
    assert (lines["boards"].config.train, lines["boards"].config.data.good) == ("./基板", "良品")


def test_one_run_is_told_with_the_keys_of_a_line(tmp_path):
    (tmp_path / "best.toml").write_text('train = "acme/boards"\nset = ["data.rows=4", "fit.margin=0.2"]')
    expected = RunConfig(train="acme/boards", data=DataConfig(rows=4), fit=TrainingConfig(margin=0.2))
    assert read_run(tmp_path / "best.toml") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: [Errno 2] No such file"),
        ("train =", "cannot be read"),
        ("set = []", "expected train and, optionally, preset, set, test"),
        ("train = 'demo'\nseed = 3", "expected train and, optionally, preset, set, test"),
        ("train = 'demo'\nset = 'fit.epochs=3'", "expected set as a list"),
        ("train = 'demo'\nset = ['fit.epochs=0']", "set fit.epochs=0: epochs: expected at least 1"),
    ],
)
def test_what_is_wrong_with_a_run_is_told_in_one_line(tmp_path, text, message):
    path = tmp_path / "best.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadSetting) as caught:
        read_run(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"--settings {path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a/b", "a_b", "a b", "a.b", "a\\n"])
def test_a_line_s_name_is_a_folder_s_to_its_last_letter(written, name):
    with pytest.raises(BadSetting, match="expected a name of small letters"):
        written(f'[lines."{name}"]\ntrain = "demo"')
