"""A review with hostile names, and its page on a free port."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from support.applications import served_application
from support.inspected_parts import Parts, map_column, source
from support.releases import NO_DRAFTS, reseal

from kensa.review.service import ReviewService
from kensa.review.session import ReviewSession
from tasks.review.items import Choice

TOKEN = "a-token-that-nobody-guesses"
SCRIPT = '"><script>document.title="owned"</script>'


def open_session(small_line: Any, parts: Parts, folder: Path, language: str | None = None) -> ReviewSession:
    """A review of new parts, the first with a script as its name; the line's source is the folder `dataset`."""
    artifacts = Path(shutil.copytree(small_line.artifacts_folder, folder / "artifacts", ignore=NO_DRAFTS))
    dataset = folder / "dataset"
    dataset.mkdir()
    pq.write_table(map_column(parts), dataset / "table.parquet")
    release = artifacts / "releases" / "v1"
    train = {"source": str(dataset), "kind": "folder", "revision": "0" * 40}
    reseal(release, train=train, config=_config(release, id="serial"))
    parts.maps[0] += 40  # far from every mode, so that it is shown
    count = len(parts.maps)
    names = pa.array([SCRIPT, *(f"SN-{i}" for i in range(1, count))])
    table = map_column(parts).select(["map"]).append_column("serial", names)
    return ReviewSession.open(artifacts, source(table, folder / "new"), Choice(most=4, random_share=0.3), language)


def _config(release: Path, **data: str) -> dict[str, Any]:
    config = json.loads((release / "manifest.json").read_text())["config"]
    return config | {"data": config["data"] | data}


@contextlib.contextmanager
def served_review(session: ReviewSession) -> Iterator[str]:
    """The address of the page, without the token; it ends with the block."""
    with served_application(ReviewService(session, TOKEN).application()) as address:
        yield address
