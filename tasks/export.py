"""Writes a release as one file that judges without Kensa and Keras, and keeps it only where it says the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import keras

from tasks.core.errors import NotExportable, UnusableFolder
from tasks.core.files import ensure_writable, file_digest, write_json
from tasks.core.results import ExportResult
from tasks.core.stages import MANIFEST, scratch_folder, seal_folder, verified_manifest
from tasks.core.text import one_line
from tasks.registry.loading import LoadedRelease, load_release
from tasks.scoring import standalone
from tasks.scoring.export_formats import FORMATS, require_format
from tasks.scoring.export_graph import CODES, INPUT, OUTPUTS, verdict_model
from tasks.scoring.export_parity import gate

EXPORT_FILES = 1  # the form of an export; raise it when another is made of the same release

EXPORT_FORMAT_NAMES = ("tolerance", "records", "largest_difference")

ONNX = """`verdict.py` reads it with numpy and onnxruntime alone: `python verdict.py maps.npy`, or

```python
import numpy as np
from verdict import Inspector

inspector = Inspector("model.onnx")
maps = np.load("maps.npy")             # (n, {rows}, {cols}) or (n, {values}), row by row
for verdict in inspector.verdicts(maps):
    print(verdict["verdict"], verdict["mode"], verdict["margin"])
print(inspector.facts["release"], inspector.facts["thresholds"])
```"""
SAVED = """TensorFlow alone reads it:

```python
import json
import numpy as np
import tensorflow as tf

model = tf.saved_model.load("model")
facts = json.loads(model.facts().numpy())
maps = np.load("maps.npy").astype("float32").reshape(-1, {values})   # {rows} × {cols}, row by row
found = model.serve(maps)
print([facts["verdicts"][code] for code in found["verdict"].numpy()])
```"""
CARD = """# {release} as {format}

A release of Kensa that judges without Kensa and Keras: tower, prototypes, anchors and thresholds lie within.
{usage}

Input `map` (n, {values}) float32. Outputs: `distances` (n, modes) and `distance` to the nearest, `mode` and
`verdict` as codes (places in `modes` and `verdicts` of `facts.json`), `score` (larger is more anomalous) and
`margin` (threshold minus score), `beta` and `sqrt_ve` against the nearest mode's anchor. A map with a value that
is no finite number has the verdict `unreadable`. `facts.json` stands in the model too; `parity.json` says on
which maps the file gave the verdicts of the release, and within what.
"""


def export(artifacts: Path, version: str, kind: str, out: Path | None) -> ExportResult:
    """The folder `out`, by default `exports/VERSION-FORMAT` below the artifacts, with the release as `kind`.

    It is there already where it was made from the same release; raises UnusableFolder where `out` holds
    something else, NotExportable, MissingExtra, what opening a release does, and ParityLost, after which
    nothing is left.
    """
    require_format(kind)
    opened = load_release(artifacts, version)
    target = out or artifacts / "exports" / f"{opened.release.version}-{kind}"
    facts = facts_of(opened, kind)
    found = _existing(target, facts)
    if found is not None:
        return _to_result(target, found, "unchanged")
    with scratch_folder(ensure_writable(target.parent), "export") as draft:
        parity = _write(opened, kind, facts, draft)
        seal_folder(
            draft, {**facts, "parity": {name: parity[name] for name in ("tolerance", "records", "largest_difference")}}
        )
        _place(draft, target)
    return _to_result(target, json.loads((target / MANIFEST).read_text()), "exported")


def facts_of(opened: LoadedRelease, kind: str) -> dict[str, Any]:
    """What an exported model says of itself; thresholds with value, rule, unit and interval."""
    release, judge, data = opened.release, opened.judge, opened.data
    return {
        "export": EXPORT_FILES,
        "format": kind,
        "release": release.version,
        "manifest": file_digest(release.path / MANIFEST),
        "weights": release.manifest["weights"],
        "rows": data.rows,
        "cols": data.cols,
        "input": INPUT,
        "outputs": list(OUTPUTS),
        "modes": judge.modes,
        "verdicts": list(CODES),
        "distance": judge.distance.get_config(),
        "units": {"distance": judge.distance.name, "score": judge.unit},
        "thresholds": {name: threshold.as_json() for name, threshold in opened.thresholds.items()},
    }


def _existing(target: Path, facts: dict[str, Any]) -> dict[str, Any] | None:
    """The manifest of the same export where it is there already; raises UnusableFolder for anything else."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return None
    found = verified_manifest(target) if target.is_dir() else None
    if found is not None and all(found.get(name) == value for name, value in facts.items()):
        return found
    raise UnusableFolder(
        f"{target}: expected an empty folder, or the same export of {facts['release']}, found something else; "
        "choose another with --out"
    )


def _write(opened: LoadedRelease, kind: str, facts: dict[str, Any], draft: Path) -> dict[str, Any]:
    """The model and all that lies beside it, once the written file has passed the gate."""
    tower = keras.saving.load_model(opened.release.path / "model.keras", compile=False)
    try:
        model = verdict_model(opened, tower)
    except (TypeError, ValueError, AttributeError, NotImplementedError) as error:  # a formula of one's own
        raise NotExportable(
            f"{opened.release.version}: expected a distance in keras.ops, found {opened.judge.distance.name}, which "
            f"is none ({one_line(error)}); write its pair() with xp alone"
        ) from None
    parity = gate(opened, FORMATS[kind](model, facts, draft))
    write_json(draft / "parity.json", parity)
    write_json(draft / "facts.json", facts)
    size = {"rows": facts["rows"], "cols": facts["cols"], "values": facts["rows"] * facts["cols"]}
    usage = (ONNX if kind == "onnx" else SAVED).format(**size)
    (draft / "README.md").write_text(CARD.format(usage=usage, **facts, values=size["values"]), encoding="utf-8")
    if kind == "onnx":
        shutil.copyfile(standalone.__file__, draft / "verdict.py")
    return parity


def _place(draft: Path, target: Path) -> None:
    try:
        draft.rename(target)  # onto an empty folder, or where none is
    except OSError as error:
        raise UnusableFolder(f"{target}: cannot be made ({error.strerror}); choose another with --out") from None


def _to_result(target: Path, manifest: dict[str, Any], status: str) -> ExportResult:
    return ExportResult(status, manifest["release"], manifest["format"], str(target), manifest["parity"])
