"""Every form in which people have their parts, given to the real commands: the same verdicts come of all of them."""

from __future__ import annotations

import functools
import io
import json
import re
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pyarrow.parquet as pq
import pytest
from support.commands import Place
from support.fake_gcs import fake_gcs
from support.fake_hub import Hub
from support.inspected_parts import Parts, wide_records
from support.project import ROOT
from support.s3_server import s3_server

pytestmark = pytest.mark.slow
CARD = b"""---
configs:
- config_name: front
  data_files:
  - {split: holdout, path: "front/*"}
  - {split: rest, path: "other/*"}
- config_name: back
  data_files: "other/*"
---
"""


def parquet(parts):
    """The parts as a Parquet file, with the columns of the CSV files."""
    file = io.BytesIO()
    pq.write_table(wide_records(parts), file)
    return file.getvalue()


def csv(parts, encoding="utf-8", good="0", bad="1", **options):
    """The parts as a CSV file, written by pandas."""
    table = wide_records(parts).to_pandas()
    table["label"] = [good if str(label) == "0" else bad for label in table["label"]]
    return table.to_csv(**{"index": False, **options}).encode(encoding)


@dataclass
class Sources:
    """A folder with a release and the parts in all forms, and servers that have them, too."""

    place: Place
    address: str

    def score(self, *sources, **env):
        """The verdicts' counts, without the number of those that could not be judged, by the command."""
        done = self.place.kensa("score", *[source.replace("WEB", self.address) for source in sources], "--json", **env)
        assert done.code == 0, done.err
        return done.told


@pytest.fixture(scope="module")
def sources(small_line, a_place, hidden, tmp_path_factory):
    """The parts in two halves, as people have them."""
    parts = hidden(each=40, seed=3)
    halves = [
        Parts(*(values[half] for values in (parts.maps, parts.label, parts.mode, parts.group)))
        for half in (slice(60), slice(60, None))
    ]
    home = tmp_path_factory.mktemp("sources")
    folder = home / "place"
    files = {"lots/a.parquet": parquet(halves[0]), "lots/b.parquet": parquet(halves[1])}
    with (
        Hub() as hub,
        fake_gcs({"factory": files}) as gcs,
        s3_server("factory", files) as s3,
        web_server(folder / "lots") as address,
    ):
        place = a_place(folder, {**hub.env(home), **s3, **gcs})
        (folder / "artifacts").symlink_to(small_line.artifacts_path)
        write_files(folder, parts, halves, files)
        hub.commit("acme/lots", {"data/a.parquet": files["lots/a.parquet"], "data/b.parquet": files["lots/b.parquet"]})
        hub.commit(
            "acme/views",
            {"README.md": CARD, "front/a.parquet": parquet(parts), "other/b.parquet": parquet(halves[0])},
        )
        yield Sources(place, address)


def write_files(folder, parts, halves, files):
    """The local forms."""
    contents = {
        **files,
        "parts.parquet": parquet(parts),
        "monday.csv": csv(halves[0]),
        "tuesday.csv": csv(halves[1]),
        "japan.csv": csv(parts, "cp932", "良品", "不良", index=True),
        "europe.csv": csv(parts, "cp1252", "gut", "Größe falsch", sep=";", decimal=","),
        "excel.csv": b"sep=;\r\n" + csv(parts, "utf-8", sep=";", decimal=",", lineterminator="\r\n"),
        "spaces.csv": re.sub(rb"(?m)\A.*$", lambda line: line[0].replace(b",", b" , "), csv(parts, "utf-8-sig")),
    }
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    with zipfile.ZipFile(folder / "parts.zip", "w") as file:
        file.writestr("lots/monday.csv", contents["monday.csv"])
        file.writestr("lots/tuesday.csv", contents["tuesday.csv"])


@contextmanager
def web_server(folder):
    """A web server of a folder; its address."""
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


FORMS = {
    "a folder": ["lots"],
    "a file": ["parts.parquet"],
    "several files": ["monday.csv", "tuesday.csv"],
    "a pattern": ["lots/*.parquet"],
    "files of several kinds": ["monday.csv", "lots/b.parquet"],
    "a zip archive": ["parts.zip"],
    "an address of a file": ["file:///PLACE/parts.parquet"],
    "a folder of S3": ["s3://factory/lots"],
    "a pattern of S3": ["s3://factory/*/*.parquet"],
    "files of S3": ["s3://factory/lots/a.parquet", "s3://factory/lots/b.parquet"],
    "a folder of Google's store": ["gs://factory/lots"],
    "web addresses": ["WEB/a.parquet", "WEB/b.parquet"],
    "a dataset of the Hub": ["acme/lots"],
    "an address of the Hub": ["hf://datasets/acme/lots@main"],
    "a pattern of the Hub": ["hf://datasets/acme/lots/data/*.parquet"],
    "a configuration and a split": ["acme/views#config=front,part=holdout"],
    "sources of several kinds": ["monday.csv", "s3://factory/lots/b.parquet"],
}
CSV = {
    "Shift_JIS with row names": ["japan.csv", "--good", "良品"],
    "semicolons and decimal commas": ["europe.csv", "--good", "gut"],
    "a spreadsheet's line sep=": ["excel.csv"],
    "spaces in the headings and a byte order mark": ["spaces.csv"],
}


@pytest.fixture(scope="module")
def expected(sources):
    """What comes of the one file."""
    return sources.score("parts.parquet")


@pytest.mark.parametrize("form", {**FORMS, **CSV})
def test_the_same_verdicts_come_of_every_form(sources, expected, form):
    words = [word.replace("/PLACE", str(sources.place.folder)) for word in {**FORMS, **CSV}[form]]
    told = sources.score(*words)
    assert told["counts"] == expected["counts"]
    assert told["figures"]["false_alarms"] == expected["figures"]["false_alarms"]
    assert told["figures"]["escapes"] == expected["figures"]["escapes"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing.parquet"], "nothing.parquet: expected org/name[@revision] on the Hub, a folder, a file, an address"),
        (["nothing/*.csv"], "nothing/*.csv: expected parquet, csv,"),
        (["s3://factory/nothing"], "s3://factory/nothing: expected a file, a folder or a pattern, found none there"),
        (["s3://nobody/lots"], "s3://nobody/lots: expected a file, a folder or a pattern, found none there"),
        (["WEB/nothing.csv"], "nothing.csv: expected a file, a folder or a pattern, found none there"),
        (
            ["hf://datasets/acme/lots/nothing/*.csv"],
            "expected parquet, csv, tsv, json, jsonl, ndjson, arrow files, found none",
        ),
        (["acme/views#config=left"], "acme/views#config=left: expected the configuration left, found front, back"),
        (["acme/views#config=front,part=x"], "expected the split x, found holdout, rest"),
        (["parts.parquet#part=test"], "expected files without #part=test: what is named is read as a whole"),
        (["acme/views#front"], "expected #config=NAME, #part=NAME or both with a comma behind a source, found #front"),
        (["parts.parquet", "nothing.csv"], "nothing.csv: expected org/name[@revision] on the Hub"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_cannot_be_read_is_one_line(sources, words, said):
    words = [word.replace("WEB", sources.address) for word in words]
    done = sources.place.kensa("score", *words, "--out", "refused.parquet")
    assert (done.code, done.out) == (2, "")
    [line] = done.err.splitlines()
    assert said in line
    assert not (sources.place.folder / "refused.parquet").exists()


def test_drift_reads_the_same_forms(sources):
    done = sources.place.kensa("drift", "monday.csv", "s3://factory/lots/b.parquet", "--json")
    assert done.code == 0, done.err
    assert (
        done.told["records"]
        == sources.place.kensa("drift", "lots/*.parquet", "--report", "again.html", "--json").told["records"]
    )


def test_every_training_source_has_its_revision_in_the_manifest(a_place, sources, hidden, tmp_path):
    """Of a file, of an address and of the Hub; the same sources again are unchanged."""
    place = a_place(
        tmp_path / "place",
        {name: value for name, value in sources.place.env.items() if name not in ("HOME", "PREFECT_HOME")},
    )
    (place.folder / "first.parquet").write_bytes(parquet(hidden(each=150)))
    (place.folder / "s3.parquet").write_bytes(parquet(hidden(each=60, seed=5)))
    names = ["first.parquet", "s3://factory/lots", "acme/lots"]
    words = [word for name in names for word in ("--train", name)]
    done = place.kensa("retrain", *words, "--json")
    assert done.code == 0, done.err
    path = place.folder / done.told["path"] / "manifest.json"
    train = json.loads(path.read_text())["train"]
    assert (train["source"], train["kind"], train["records"]) == ("; ".join(names), "several", 570)
    assert [(one["source"], one["kind"]) for one in train["sources"]] == list(
        zip(names, ("files", "address", "hub"), strict=True)
    )
    assert all(re.fullmatch("[0-9a-f]{40}", one["revision"]) for one in train["sources"])
    assert place.kensa("retrain", *words, "--json").told["status"] == "unchanged"
    assert place.kensa("retrain", "--train", "; ".join(names), "--json").told["status"] == "unchanged"
    revision = place.kensa("retrain", *words, "--revision", "v1")
    assert (revision.code, revision.err.count("\n")) == (2, 1)
    assert "--revision: expected one training source, found several" in revision.err


def test_every_form_is_in_the_documentation():
    page = (ROOT / "docs" / "data.md").read_text()
    forms = [
        "parts.parquet",
        "lots/*.parquet",
        "parts.zip",
        "s3://",
        "gs://",
        "https://",
        "hf://datasets/",
        "#config=",
        "--train A --train B",
    ]
    assert [form for form in forms if form not in page] == []
