"""Bad data at every entry, made by properties: a refusal is a known error in one line, and nothing else is one.

`check_…` take one input each; tests/test_bad_data.py runs a few hundred of them in `make test`.
"""

from __future__ import annotations

import io
import json
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from bench.faults.harness import COLS, ROWS
from bench.faults.result_row import RECOVERED, REFUSED, Row
from flows.service.lines import read_lines
from flows.service.webhook import TokenBucket, receiver
from kensa.cli.main import main
from tasks.cache import cache
from tasks.config.overrides import apply_overrides, read_run, setting_fields
from tasks.config.run import DataConfig, RunConfig
from tasks.core.errors import KensaError
from tasks.core.stages import MANIFEST, seal_folder
from tasks.download import download, resolve
from tasks.registry.manifest import read_manifest

SLOW = 20  # seconds for one input: then it hangs
SECRET = "a secret of the factory"
TEXT = st.text(max_size=30)
NUMBER = st.one_of(st.integers(), st.floats(), st.sampled_from([0, -1, 2**63, 10**40, 1e308, float("nan")]))
LEAF = st.one_of(st.none(), st.booleans(), NUMBER, TEXT)
JSON = st.recursive(LEAF, lambda one: st.one_of(st.lists(one, max_size=4), st.dictionaries(TEXT, one, max_size=4)))


def one_line(error: KensaError) -> str:
    """A refusal; AssertionError where it takes more than a line, or none."""
    assert str(error).strip(), type(error)
    assert "\n" not in str(error), str(error)
    return REFUSED


# settings ---------------------------------------------------------------------------------------------------

VALUES = st.one_of(TEXT, NUMBER.map(str), st.sampled_from(["none", "true", "", "64-32", "a:b", "os:system", "1e999"]))
WORDS = st.lists(
    st.one_of(st.tuples(st.sampled_from(sorted(setting_fields())), VALUES).map("=".join), TEXT, VALUES),
    min_size=1,
    max_size=4,
)


def check_settings(words: list[str]) -> str:
    """`--set` words become a run or a refusal."""
    try:
        apply_overrides(RunConfig(), words)
    except KensaError as error:
        return one_line(error)
    return RECOVERED


# kensa.toml -------------------------------------------------------------------------------------------------

TOML_KEYS = st.sampled_from(["tries", "notify", "schedule", "timezone", "train", "test", "preset", "set", "lines"])
TOML_VALUES = st.one_of(
    TEXT.map(json.dumps), NUMBER.map(str), st.sampled_from(["[]", '["fit.epochs=3"]', "{}", "true"])
)
LINE = st.one_of(
    st.tuples(st.one_of(TOML_KEYS, TEXT), TOML_VALUES).map(" = ".join),
    TEXT.map(lambda name: f"[lines.{json.dumps(name)}]"),
    st.sampled_from(["[lines.a]", "[lines]", "[[lines.a]]", 'train = "demo"', "\x00", "\ufeff"]),
)
FILES = st.one_of(st.lists(LINE, max_size=8).map(lambda lines: "\n".join(lines).encode()), st.binary(max_size=200))


def check_toml(content: bytes) -> str:
    """A settings file of lines, or of one run."""
    told = RECOVERED
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        Path(file.name).write_bytes(content)
        for read in (read_lines, read_run):
            try:
                read(Path(file.name))
            except KensaError as error:
                told = one_line(error)
    return told


# webhook ----------------------------------------------------------------------------------------------------

SHAS = st.one_of(st.just("a" * 40), st.integers(10**39, 10**40 - 1), JSON)
REFS = st.one_of(
    JSON,
    st.lists(st.fixed_dictionaries({"ref": st.one_of(st.just("refs/heads/main"), JSON), "newSha": SHAS}), max_size=3),
)
DELIVERY = st.fixed_dictionaries(
    {
        "repo": st.one_of(st.just({"type": "dataset", "name": "acme/boards"}), JSON),
        "event": st.one_of(st.just({"action": "update", "scope": "repo.content"}), JSON),
        "updatedRefs": REFS,
    }
)
BODIES = st.one_of(
    DELIVERY.map(lambda told: json.dumps(told).encode()),
    JSON.map(lambda told: json.dumps(told).encode()),
    st.binary(max_size=400),
    st.integers(1, 3000).map(lambda deep: b"[" * deep),
    st.just(b" " * (64 * 1024 + 1)),
)
SECRETS = st.one_of(st.just(SECRET.encode()), st.just(SECRET.encode()), st.binary(max_size=20))
ANSWERS = {202, 400, 401, 408, 413, 422, 403, 429}


class Receiver:
    """The receiver as it serves, with a ledger of its own."""

    def __init__(self, folder: Path) -> None:
        from starlette.testclient import TestClient

        from flows.service.ledger import Ledger

        (folder / "kensa.toml").write_text('[lines.boards]\ntrain = "acme/boards"\n')
        lines = read_lines(folder / "kensa.toml")
        self.ledger = Ledger(folder)
        app = receiver(lines, self.ledger, SECRET, TokenBucket(1e9, 1e9))
        self.client = TestClient(app)  # raises what the application would only log

    def check(self, body: bytes, secret: bytes) -> str:
        """A delivery is answered by a status of ours, and lets in nobody without the secret."""
        headers = {"X-Webhook-Secret": bytes(byte for byte in secret if 32 < byte < 127 or byte > 160 or byte == 32)}
        headers = {name: value.strip() for name, value in headers.items()}
        answer = self.client.post("/webhook", content=body, headers=headers)
        assert answer.status_code in ANSWERS, answer.status_code
        assert headers["X-Webhook-Secret"] == SECRET.encode() or answer.status_code == 401
        for version in self.ledger.versions():
            assert len(version.revision) == 40 and version.line == "boards", version
        return RECOVERED if answer.status_code == 202 else REFUSED


# manifests --------------------------------------------------------------------------------------------------

GOOD: dict[str, Any] = {
    "fingerprint": "f" * 64,
    "status": "released",
    "reasons": [],
    "compared_with": None,
    "created": "2026-01-01T00:00:00+00:00",
    "metrics": {"auroc": 0.9, "mode_accuracy": 0.8},
    "train": {"source": "acme/boards", "revision": "a" * 40},
    "test": None,
    "config": {"data": {"rows": ROWS, "cols": COLS}},
    "format": 2,
}
CHANGES = st.lists(st.tuples(st.sampled_from([*GOOD, "frozen", "comparison", "files", "seal"]), JSON), max_size=3)


def check_manifest(changes: list[tuple[str, Any]], sealed: bool, whole: bytes | None) -> str:
    """A manifest with some keys changed, sealed anew or not, or no JSON at all: read, or refused; so is the listing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "releases" / "v1"
        folder.mkdir(parents=True)
        told = GOOD | dict(changes)
        if whole is not None:
            (folder / MANIFEST).write_bytes(whole)
        elif sealed and _is_json(told):
            seal_folder(folder, told)
        else:
            (folder / MANIFEST).write_text(json.dumps(told | {"files": {}}))
        (Path(name) / "champion.json").write_text('{"champion": null, "history": [], "ever": []}')
        with redirect_stdout(io.StringIO()), _no_stderr():
            for words in (["releases"], ["releases", "--json"]):
                assert main([*words, "--artifacts", name]) in (0, 1, 2)
        try:
            read_manifest(folder)
        except KensaError as error:
            return one_line(error)
        return RECOVERED


def _is_json(told: Any) -> bool:
    try:
        json.dumps(told, allow_nan=False)
    except ValueError:
        return False
    return True


class _no_stderr(redirect_stdout):  # noqa: N801  # as contextlib names its own
    _stream = "stderr"

    def __init__(self) -> None:
        super().__init__(io.StringIO())


# sources ----------------------------------------------------------------------------------------------------

PLAIN = (pa.int8(), pa.int64(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.string(), pa.bool_())
LISTS = (pa.list_(pa.float32()), pa.list_(pa.list_(pa.float64())), pa.list_(pa.string()))
ODD = (pa.large_string(), pa.binary(), pa.date32(), pa.null(), pa.decimal128(5, 2), pa.timestamp("s"))
KINDS = st.sampled_from([*PLAIN, *LISTS, *ODD, pa.list_(pa.float32(), ROWS * COLS)])
NAMES = st.sampled_from(["map", "label", "fmode", "mode", "group", "data0", "pos0", "neg0", "arch0", "pmode", "x", ""])
SCHEMAS = st.lists(st.tuples(st.one_of(NAMES, TEXT), KINDS), max_size=6, unique_by=lambda column: column[0])


def table_of(columns: list[tuple[str, pa.DataType]], rows: int, seed: int, full: bool) -> pa.Table:
    """Columns of any kind; with `full`, every column of wide records too, some of another kind."""
    draw = np.random.default_rng(seed)
    if full:
        known = {name for name, _ in columns}
        columns = columns + [(f"data{i}", pa.float32()) for i in range(ROWS * COLS) if f"data{i}" not in known]
        columns = columns + [(name, pa.int64()) for name in ("label", "fmode") if name not in known]
    return pa.table({name: _column(kind, rows, draw) for name, kind in columns} or {"x": pa.array([None] * rows)})


def _column(kind: pa.DataType, rows: int, draw: np.random.Generator) -> pa.Array:
    values = draw.normal(0, 10, rows).round(2)
    values[draw.random(rows) < 0.05] = draw.choice([np.nan, np.inf, 1e300])
    if pa.types.is_floating(kind):
        return pa.array(values.astype(np.float16 if kind == pa.float16() else np.float64)).cast(kind, safe=False)
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        sizes = [ROWS * COLS] * rows if pa.types.is_fixed_size_list(kind) else draw.integers(0, 2 * ROWS * COLS, rows)
        return pa.array([_cells(kind.value_type, int(size), draw) for size in sizes], kind)
    if pa.types.is_integer(kind):
        return pa.array(draw.integers(0, 4, rows)).cast(kind)
    if pa.types.is_boolean(kind):
        return pa.array(draw.random(rows) < 0.5)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pa.array([f"m{int(code)}" if code > 0 else None for code in draw.integers(0, 4, rows)], kind)
    return pa.nulls(rows, kind)


def _cells(kind: pa.DataType, size: int, draw: np.random.Generator) -> list[Any]:
    if pa.types.is_list(kind):
        return [_cells(kind.value_type, COLS, draw) for _ in range(size % 6)]
    return [str(value) if pa.types.is_string(kind) else float(value) for value in draw.normal(size=size)]


def check_source(folder: Path, table: pa.Table | None, content: bytes, name: str) -> str:
    """A table or any bytes as a folder: cached, or refused with findings; nothing half-written either way."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "source").mkdir(parents=True)
    if table is None:
        (folder / "source" / name).write_bytes(content)
    else:
        pq.write_table(table, folder / "source" / "t.parquet")
    config = RunConfig(data=DataConfig(rows=ROWS, cols=COLS), data_folder=str(folder / "data"))
    try:
        cache(download(resolve(str(folder / "source"), None, config.data_path)), config.data, config.data_path)
    except KensaError as error:
        return one_line(error)
    finally:
        left = [path for path in folder.rglob(".*") if path.is_dir()]
        assert not left, left
    return RECOVERED


KINDS_OF_FILE = st.sampled_from(["t.parquet", "t.csv", "t.json", "t.jsonl", "t.arrow", "t.csv.gz", "t.tsv"])
MADE = st.builds(table_of, SCHEMAS, st.integers(0, 30), st.integers(0, 10**6), st.booleans())
TABLES = st.one_of(
    st.tuples(
        st.builds(table_of, SCHEMAS, st.integers(0, 30), st.integers(0, 10**6), st.booleans()),
        st.just(b""),
        st.just(""),
    ),
    st.tuples(st.none(), st.one_of(st.binary(max_size=300), TEXT.map(str.encode), BODIES), KINDS_OF_FILE),
)


# all --------------------------------------------------------------------------------------------------------


def entries(folder: Path) -> dict[str, tuple[int, Callable[..., str], tuple[Any, ...]]]:
    """Each entry: how many inputs in full, its check, and what makes its inputs."""
    webhook = Receiver(_made(folder / "webhook"))
    return {
        "`--set` words": (3000, check_settings, (WORDS,)),
        "kensa.toml and settings files": (2500, check_toml, (FILES,)),
        "deliveries to the webhook": (3000, webhook.check, (BODIES, SECRETS)),
        "manifests of releases": (1500, check_manifest, (CHANGES, st.booleans(), st.none() | st.binary(max_size=80))),
        "tables and files as sources": (
            500,
            lambda given_: check_source(folder / "sources", *given_),
            (TABLES,),
        ),
    }


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def fuzz(check: Callable[..., str], strategies: tuple[Any, ...], count: int, seed: int, row: Row) -> None:
    """Put so many inputs to a check; a failure is lost, with the smallest input that shows it."""

    def one(inputs: tuple[Any, ...]) -> None:
        start = time.monotonic()
        told = check(*inputs)
        assert time.monotonic() - start < SLOW, "it hangs"
        row.count(told)

    wild = settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    wild(given(TEXT)(lambda _: None))()  # hypothesis' table of characters: 200 MB for a moment, and none of ours
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        seeded(seed)(wild(given(st.tuples(*strategies))(one)))()
    except Exception as error:  # an error that nobody foresaw is what is looked for
        row.count(
            f"{type(error).__name__}: {str(error)[:300]}; {[note[:600] for note in getattr(error, '__notes__', [])]}"
        )
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    row.notes = f"memory +{grown // 1024} MB"


def baddata(folder: Path, seed: int, share: float) -> list[Row]:
    """All rows of this part."""
    return [
        Row("bad data", kind, seed).timed(
            lambda row, count=count, check=check, made=made: fuzz(check, made, max(20, round(count * share)), seed, row)
        )
        for kind, (count, check, made) in entries(folder).items()
    ]
