"""Bad data at every entry, made by properties: a refusal is a known error in one line, and nothing else is one.

`check_…` take one input each; tests/bench/faults/test_bad_data.py runs a few hundred of them in `make test`.
"""

from __future__ import annotations

import io
import json
import resource
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from bench.faults.bad_tables import SCHEMAS, TEXT, check_source, table_of
from bench.faults.harness import COLS, ROWS
from bench.faults.result_row import RECOVERED, REFUSED, Row, refusal
from flows.service.lines import read_lines
from flows.service.webhook import TokenBucket, receiver
from kensa.cli.main import main
from tasks.config.overrides import apply_overrides, read_run, setting_fields
from tasks.config.run import RunConfig
from tasks.core.errors import KensaError
from tasks.core.stages import MANIFEST, seal_folder
from tasks.registry.manifest import read_manifest

SLOW = 20  # seconds for one input: then it hangs
SECRET = "a secret of the factory"
NUMBER = st.one_of(st.integers(), st.floats(), st.sampled_from([0, -1, 2**63, 10**40, 1e308, float("nan")]))
LEAF = st.one_of(st.none(), st.booleans(), NUMBER, TEXT)
JSON = st.recursive(
    LEAF, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4))
)


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
        return refusal(error)
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
    outcome = RECOVERED
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        Path(file.name).write_bytes(content)
        for read in (read_lines, read_run):
            try:
                read(Path(file.name))
            except KensaError as error:
                outcome = refusal(error)
    return outcome


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
    DELIVERY.map(lambda body: json.dumps(body).encode()),
    JSON.map(lambda body: json.dumps(body).encode()),
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
        app = receiver(lines, self.ledger, lambda: [SECRET], TokenBucket(1e9, 1e9))
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


def check_manifest(changes: list[tuple[str, Any]], sealed: bool, content: bytes | None) -> str:
    """A manifest with some keys changed, sealed anew or not, or no JSON at all: read, or refused; so is the listing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "releases" / "v1"
        folder.mkdir(parents=True)
        manifest = GOOD | dict(changes)
        if content is not None:
            (folder / MANIFEST).write_bytes(content)
        elif sealed and _is_json(manifest):
            seal_folder(folder, manifest)
        else:
            (folder / MANIFEST).write_text(json.dumps(manifest | {"files": {}}))
        (Path(name) / "champion.json").write_text('{"champion": null, "history": [], "ever": []}')
        with redirect_stdout(io.StringIO()), _no_stderr():
            for words in (["releases"], ["releases", "--json"]):
                assert main([*words, "--artifacts", name]) in (0, 1, 2)
        try:
            read_manifest(folder)
        except KensaError as error:
            return refusal(error)
        return RECOVERED


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


class _no_stderr(redirect_stdout):  # noqa: N801  # as contextlib names its own
    _stream = "stderr"

    def __init__(self) -> None:
        super().__init__(io.StringIO())


# sources ----------------------------------------------------------------------------------------------------

KINDS_OF_FILE = st.sampled_from(["t.parquet", "t.csv", "t.json", "t.jsonl", "t.arrow", "t.csv.gz", "t.tsv"])
GENERATED = st.builds(table_of, SCHEMAS, st.integers(0, 30), st.integers(0, 10**6), st.booleans())
TABLES = st.one_of(
    st.tuples(GENERATED, st.just(b""), st.just("")),
    st.tuples(st.none(), st.one_of(st.binary(max_size=300), TEXT.map(str.encode), BODIES), KINDS_OF_FILE),
)


# all --------------------------------------------------------------------------------------------------------


def entries(folder: Path) -> dict[str, tuple[int, Callable[..., str], tuple[Any, ...]]]:
    """Each entry: how many inputs in full, its check, and what makes its inputs."""
    webhook = Receiver(_new_folder(folder / "webhook"))
    return {
        "`--set` words": (3000, check_settings, (WORDS,)),
        "kensa.toml and settings files": (2500, check_toml, (FILES,)),
        "deliveries to the webhook": (3000, webhook.check, (BODIES, SECRETS)),
        "manifests of releases": (1500, check_manifest, (CHANGES, st.booleans(), st.none() | st.binary(max_size=80))),
        "tables and files as sources": (500, lambda source: check_source(folder / "sources", *source), (TABLES,)),
    }


def _new_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def fuzz(check: Callable[..., str], strategies: tuple[Any, ...], count: int, seed: int, row: Row) -> None:
    """Put so many inputs to a check; a failure is lost, with the smallest input that shows it."""

    def check_one(inputs: tuple[Any, ...]) -> None:
        start = time.monotonic()
        outcome = check(*inputs)
        assert time.monotonic() - start < SLOW, "it hangs"
        row.count(outcome)

    options = settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    options(given(TEXT)(lambda _: None))()  # hypothesis' table of characters: 200 MB for a moment, and none of ours
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        seeded(seed)(options(given(st.tuples(*strategies))(check_one)))()
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
            lambda row, count=count, check=check, strategies=strategies: fuzz(
                check, strategies, max(20, round(count * share)), seed, row
            )
        )
        for kind, (count, check, strategies) in entries(folder).items()
    ]
