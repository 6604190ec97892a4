"""What a stranger could bring: names that lead elsewhere, bombs, code in data and models, markup; and secrets."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as pf
import pyarrow.parquet as pq
from support.fake_hub import Hub
from support.inspected_parts import map_column

from bench.faults.harness import COLS, ROOT, ROWS, hidden, run_in_child, small, walk, written
from bench.faults.hostile_models import HOSTILE_MODELS
from bench.faults.killed_steps import Prepared
from bench.faults.network import CODE
from bench.faults.result_row import RECOVERED, REFUSED, Row, say
from tasks.cache import cache
from tasks.config.run import DataConfig, RunConfig
from tasks.core.stages import MANIFEST, seal_folder
from tasks.download import download, resolve
from tasks.registry.loading import load_release

TOKEN, SECRET = "hf_a-token-that-nobody-may-see", "a webhook's secret, known to nobody"


def hostile(folder: Path, seed: int, share: float) -> list[Row]:
    """All rows of this part."""
    parts = {
        "source names with .., absolute paths, links": _names,
        "file names in a repository that lead out of it": _files,
        "cards that name files elsewhere or over the network": _cards,
        "Parquet, Arrow, gzip and YAML bombs": _bombs,
        "loading scripts and trust_remote_code": _scripts,
        "models with a Lambda layer, a custom object, a pickle": _models,
        "HTML and Markdown in names of modes and groups": _markup,
        "token and secret in files, logs and process lists": _secrets,
    }
    return [Row("hostile", kind).timed(lambda row, put=put: put(folder, row)) for kind, put in parts.items()]


def count_refusal(row: Row, work: Callable[[], object], what: str) -> None:
    """Count a refusal; whatever is let in is lost."""
    ended = run_in_child(lambda: bool(work()))
    if os.environ.get("FAULTS_LOUD"):
        say(f"{what}: {ended.text[:300]}")
    row.count(
        REFUSED if ended.error and "\n" not in ended.text else f"{what}: {ended.value} {ended.error} {ended.text}"
    )


def _names(folder: Path, row: Row) -> None:
    config = RunConfig(data_folder=str(folder / "data"))
    os.environ["HF_HUB_OFFLINE"] = "1"
    names = [
        "../x",
        "/etc/passwd",
        "a/../b",
        "../../etc/x",
        "a/b@../../x",
        ".hidden/x",
        "a//b",
        "a/b/c",
        "~/x",
        "a/b\n/c",
    ]
    for name in names:
        count_refusal(row, lambda name=name: resolve(name, None, config.data_path), name)


def _files(folder: Path, row: Row) -> None:
    table = io.BytesIO()
    pq.write_table(map_column(hidden(20)), table)
    for number, name in enumerate(("../../../../out.parquet", "/tmp/kensa-out.parquet", "a/../../../../out.parquet")):
        place = folder / f"files{number}"
        place.mkdir()
        with Hub() as hub:
            hub.commit("acme/boards", {name: table.getvalue()})
            env = {**hub.env(place / "home"), "PYTHONPATH": str(ROOT)}
            done = subprocess.run(
                [sys.executable, "-c", CODE],
                cwd=place,
                env=env,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        out = [path for path in folder.rglob("*out.parquet") if "snapshots" not in path.parts]
        fine = done.returncode == 2 and "Traceback" not in done.stderr and not out
        row.count(REFUSED if fine and not Path("/tmp/kensa-out.parquet").exists() else f"{name}: {done.stderr} {out}")


def _source(folder: Path, card: str = "") -> Path:
    written(hidden(20), folder)
    (folder / "README.md").write_text(card)
    return folder


def _cached(source: Path, **data: int) -> object:
    config = RunConfig(data=DataConfig(rows=ROWS, cols=COLS, **data), data_folder=str(source.parent / "data"))
    return cache(download(resolve(str(source), None, config.data_path)), config.data, config.data_path)


def _cards(folder: Path, row: Row) -> None:
    secret = written(hidden(20, seed=5), folder / "secret")
    patterns = [
        "../secret/*.parquet",
        str(secret / "*"),
        "http://127.0.0.1:9/x.parquet",
        "zip://x::http://127.0.0.1:9/x",
    ]
    patterns += ["hf://datasets/acme/other/*", "file:///etc/*", "sub/../../secret/table.parquet"]
    for number, pattern in enumerate(patterns):
        for form in (
            f"data_files: {json.dumps(pattern)}",
            f"data_files: [{{split: train, path: [{json.dumps(pattern)}]}}]",
        ):
            source = _source(folder / f"card{number}", f"---\nconfigs:\n- config_name: default\n  {form}\n---\n")
            count_refusal(row, lambda source=source: _cached(source), pattern)


def _bombs(folder: Path, row: Row) -> None:
    """Each in seconds, and in little memory: it is counted, not unpacked."""
    ones = pa.table({"label": pa.array(np.ones(20_000_000, np.int8)).dictionary_encode()})
    (folder / "parquet").mkdir()
    pq.write_table(ones, folder / "parquet" / "t.parquet", compression="zstd")
    (folder / "lists").mkdir()
    many = pa.ListArray.from_arrays(pa.array([0, 30_000_000]), pa.array(np.zeros(30_000_000, np.float32)))
    pq.write_table(pa.table({"map": many}), folder / "lists" / "t.parquet", compression="zstd")
    _named_often(folder / "names")
    (folder / "arrow").mkdir()
    pf.write_feather(pa.table({"a": np.zeros(40_000_000)}), folder / "arrow" / "t.arrow", compression="zstd")
    (folder / "gzip").mkdir()
    with gzip.open(folder / "gzip" / "t.csv.gz", "wb", 9) as file:
        for _ in range(400):
            file.write(b"0" * (1 << 20))
    _source(folder / "yaml", "---\na: &a [x,x,x,x,x,x,x,x,x]\n" + _laughs() + "---\n")
    _source(folder / "deep", "---\nconfigs: " + "[" * 100_000 + "\n---\n")
    for name in ("parquet", "lists", "names", "arrow", "gzip", "yaml", "deep"):
        size = sum(path.stat().st_size for path in (folder / name).iterdir())
        start = time.monotonic()
        bounds = {"most_records": 1_000_000, "most_bytes": 100_000_000}
        ended = run_in_child(lambda name=name, bounds=bounds: bool(_cached(folder / name, **bounds)))
        seconds = time.monotonic() - start
        fine = (ended.error and "\n" not in ended.text) or (name == "yaml" and ended.value)
        row.count(
            (REFUSED if ended.error else RECOVERED) if fine and seconds < 20 else f"{name}: {ended} {seconds:.0f} s"
        )
        row.notes += f"{name} of {size // 1024} KiB in {seconds:.1f} s; "


def _named_often(folder: Path) -> None:
    """A label of a megabyte, half a million times over."""
    folder.mkdir()
    table, count = map_column(hidden(20)), 500_000
    rows = table.take(np.arange(count) % len(table)).drop_columns(["label"])
    words = pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), pa.array(["x" * 1_000_000]))
    pq.write_table(rows.append_column("label", words), folder / "t.parquet", compression="zstd")


def _laughs() -> str:
    letters = "abcdefgh"
    lines = [f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]" for old, new in itertools.pairwise(letters)]
    return "\n".join(lines) + "\nconfigs: *h\n"


def _scripts(folder: Path, row: Row) -> None:
    ran = folder / "ran"
    source = _source(folder / "boards")
    (source / "boards.py").write_text(f"open({str(ran)!r}, 'w')")
    count_refusal(row, lambda: _cached(source), "a script of the folder's name")
    other = _source(folder / "others")
    (other / "loader.py").write_text(f"open({str(ran)!r}, 'w')")
    ended = run_in_child(lambda: bool(_cached(other)))
    row.count(RECOVERED if ended.value and not ran.exists() else f"{ended}")
    text = "".join(path.read_text() for path in [*(ROOT / "tasks").glob("*.py"), *(ROOT / "flows").rglob("*.py")])
    row.count(RECOVERED if "trust_remote_code" not in text and not ran.exists() else "trust_remote_code is used")


def _models(folder: Path, row: Row) -> None:
    """In a release whose digests fit, as a stranger could have made it."""
    prepared = Prepared(folder / "models")
    ran = folder / "ran-model"
    for name, write in HOSTILE_MODELS.items():
        config = prepared.without(None)
        release = config.artifacts_path / "releases" / "v1"
        written_model = run_in_child(lambda write=write, release=release: write(release, ran))
        assert not written_model.error, written_model
        seal_folder(release, {k: v for k, v in json.loads((release / MANIFEST).read_text()).items() if k != "files"})
        count_refusal(row, lambda config=config: load_release(config.artifacts_path), name)
        if ran.exists():
            row.count(f"{name}: its code ran")


MARKUP = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[a](javascript:alert(1)) ![x](http://127.0.0.1:9/x)",
)


class _Markup(HTMLParser):
    """Elements and attributes that a report must not have."""

    def __init__(self) -> None:
        super().__init__()
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Scripts, handlers, and addresses of elsewhere."""
        strange = [
            name for name, value in attrs if name.startswith("on") or (value or "").strip().startswith("javascript:")
        ]
        if tag in ("script", "iframe", "object", "embed") or strange:
            self.bad.append(f"{tag} {attrs}"[:200])


def _markup(folder: Path, row: Row) -> None:
    place = folder / "markup"
    table = map_column(hidden()).to_pandas()
    table["fmode"] = [MARKUP[code] for code in table["fmode"]]
    table["group"] = [f"{MARKUP[number % 3]}{number % 7}" for number in range(len(table))]
    (place / "source").mkdir(parents=True)
    pq.write_table(pa.Table.from_pandas(table), place / "source" / "t.parquet")
    ended = run_in_child(lambda: walk(small(place)).path)
    if ended.error:
        row.count(f"{ended.error} {ended.text}")
        return
    markup = _Markup()
    markup.feed((Path(ended.value) / "report.html").read_text(encoding="utf-8"))
    row.count(RECOVERED if not markup.bad else f"report.html: {markup.bad}")
    card = (Path(ended.value) / "README.md").read_text(encoding="utf-8")
    bare = [text for text in MARKUP if any(text in line and f"`{text}" not in line for line in card.splitlines())]
    row.count(RECOVERED if not bare else f"README.md: {bare}")


def _secrets(folder: Path, row: Row) -> None:
    """A run with both in its environment, and every file and command line that it leaves or shows."""
    place = folder / "secrets"
    place.mkdir()
    table = io.BytesIO()
    pq.write_table(map_column(hidden(20)), table)
    with Hub() as hub:
        hub.commit("acme/boards", {"t.parquet": table.getvalue()})
        hub.private("acme/boards", TOKEN)
        env = {**hub.env(place / "home", TOKEN), "PYTHONPATH": str(ROOT), "KENSA_WEBHOOK_SECRET": SECRET}
        words = [sys.executable, "-c", CODE]
        child = subprocess.Popen(words, cwd=place, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        lines = set()
        while child.poll() is None:
            lines |= {path.read_bytes() for path in Path("/proc").glob(f"{child.pid}/cmdline")}
            time.sleep(0.02)
        output = b"".join(child.communicate())
        row.count(RECOVERED if child.returncode == 0 and hub.saw_token(TOKEN) else f"it did not run: {output[-500:]!r}")
    leaks = [
        path
        for path in place.rglob("*")
        if path.is_file() and any(w.encode() in path.read_bytes() for w in (TOKEN, SECRET))
    ]
    row.count(RECOVERED if not leaks else f"in {leaks}")
    row.count(
        RECOVERED if not any(w.encode() in text for text in [output, *lines] for w in (TOKEN, SECRET)) else "shown"
    )
