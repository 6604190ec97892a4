"""The step `export`: a release as one model file that runs without Kensa and Keras, if it gives the same verdicts."""

from __future__ import annotations

import importlib.util
import json
import shutil
import tempfile
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import keras

from tasks.core.errors import BadSetting, NotExportable, UnfitStandard, UnusableFolder
from tasks.core.files import ensure_writable, file_digest, write_json
from tasks.core.progress import note_line
from tasks.core.results import ExportParity, ExportResult
from tasks.core.stages import scratch_folder, seal_folder, verified_manifest
from tasks.core.text import one_line
from tasks.imaging.photos import require_opencv
from tasks.imaging.standard import STANDARD_FILE
from tasks.registry.loading import LoadedRelease, load_release
from tasks.scoring.export_formats import FORMATS, require_format
from tasks.scoring.export_graph import ExportFacts, export_facts, verdict_model
from tasks.scoring.export_parity import ParityReport, Run, gate
from tasks.scoring.photograph_parity import photograph_gate
from tasks.sources.standards import read_fitting_standard

# Not imported here: they need ONNX Runtime and OpenCV, which are extras.
STANDALONE = Path(__file__).parent / "scoring" / "standalone.py"
STANDALONE_PHOTOGRAPHS = Path(__file__).parent / "scoring" / "standalone_photographs.py"
ONNX_USAGE = """`verdict.py` runs it with numpy and onnxruntime alone: `python verdict.py maps.npy`, or

```python
import numpy as np
from verdict import Inspector

inspector = Inspector("model.onnx")
maps = np.load("maps.npy")             # (n, {rows}, {cols}) or (n, {values}), row by row
for verdict in inspector.verdicts(maps):
    print(verdict["verdict"], verdict["mode"], verdict["margin"])
print(inspector.facts["release"], inspector.facts["thresholds"])
```"""
PHOTOGRAPHS_USAGE = """

It takes photographs, too, of {height}×{width} pixels in {colour}, as PNG, TIFF, BMP or JPEG files:
`python verdict.py part.png`. They are measured against `standard.npz` by `photographs.py`, which needs numpy and OpenCV
(opencv-python-headless)."""
SAVEDMODEL_USAGE = """TensorFlow alone runs it:

```python
import json
import numpy as np
import tensorflow as tf

model = tf.saved_model.load("model")
facts = json.loads(model.facts().numpy())
maps = np.load("maps.npy").astype("float32").reshape(-1, {values})   # {rows} × {cols}, row by row
outputs = model.serve(maps)
print([facts["verdicts"][code] for code in outputs["verdict"].numpy()])
```"""
MISSING_OPENCV = "expected the package opencv-python-headless, found none; run make setup EXTRAS=photos"
README = """# {release} as {format}

A release of Kensa that gives verdicts without Kensa and Keras. The file contains the tower, prototypes, anchors and
thresholds. {usage}

Input: `map` (n, {values}) float32. Outputs: `distances` (n, modes) and `distance` to the nearest mode, `mode` and
`verdict` as codes (positions in `modes` and `verdicts` of `facts.json`), `score` (larger is more anomalous),
`margin` (threshold minus score), `beta` and `sqrt_ve` against the nearest mode's anchor. A map with a value that
is not finite has the verdict `unreadable`. `facts.json` is also inside the model. `parity.json` says on which maps
the file was compared with the release, and how large the differences are.
"""


def export(
    artifacts: Path, version: str, export_format: str, out: Path | None, standard: Path | None = None
) -> ExportResult:
    """Write the release as `onnx` or `savedmodel` into `out`, by default `exports/VERSION-FORMAT` of the artifacts.

    A folder that already holds this export is left as it is. standard: a standard of photographs, or its folder, for a
    release that carries none. Raises UnusableFolder where `out` holds anything else, NotExportable, MissingExtra, what
    loading a release does, UnfitStandard, and ParityLost; after an error nothing is written.
    """
    require_format(export_format)
    release = load_release(artifacts, version)
    target = out or artifacts / "exports" / f"{release.version}-{export_format}"
    standard_file = _standard(release, export_format, standard)
    facts = export_facts(release, export_format, standard_file)
    manifest = _existing_manifest(target, facts)
    if manifest is not None:
        parity = ExportParity(**{field.name: manifest["parity"][field.name] for field in fields(ExportParity)})
        return ExportResult("unchanged", facts.release, facts.format, str(target), parity)
    with scratch_folder(ensure_writable(target.parent), "export") as draft:
        report = _write(release, facts, standard_file, draft)
        seal_folder(draft, {**facts.as_json(), "parity": asdict(report.summary)})
        _move(draft, target)
    return ExportResult("exported", facts.release, facts.format, str(target), report.summary)


def _existing_manifest(target: Path, facts: ExportFacts) -> dict[str, Any] | None:
    """The manifest of the same export in the target folder, None for an empty one; raises UnusableFolder."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return None
    manifest = verified_manifest(target) if target.is_dir() else None
    expected = {"photographs": None, **facts.as_json()}
    if manifest is not None and all(manifest.get(name) == value for name, value in expected.items()):
        return manifest
    raise UnusableFolder(
        f"{target}: expected an empty folder, or the same export of {facts.release}, found something else; "
        "choose another with --out"
    )


def _standard(release: LoadedRelease, export_format: str, given: Path | None) -> Path | None:
    """The file of the standard that the export carries: the release's own, or the one given; None without.

    Without OpenCV the gate from photograph to verdict cannot be run: a line says so, and the export takes maps alone.
    """
    own = release.path / STANDARD_FILE
    if given is None and not own.is_file():
        return None
    if export_format != "onnx":
        if given is not None:
            raise BadSetting(f"--standard: expected --format onnx with it, found {export_format}")
        return None
    if given is not None:
        return _given_standard(release, own, given / STANDARD_FILE if given.is_dir() else given)
    if importlib.util.find_spec("cv2") is None:
        note_line(f"{release.version} takes photographs, but this export does not: {MISSING_OPENCV}")
        return None
    read_fitting_standard(own, release.data)
    return own


def _given_standard(release: LoadedRelease, own: Path, given: Path) -> Path:
    require_opencv()
    read_fitting_standard(given, release.data)
    if own.is_file() and file_digest(own) != file_digest(given):
        raise UnfitStandard(
            f"--standard: {release.version} carries the standard of its own training maps, found another; leave it out"
        )
    return given


def _write(release: LoadedRelease, facts: ExportFacts, standard: Path | None, draft: Path) -> ParityReport:
    """Write the model and the files beside it; raises NotExportable and ParityLost."""
    model = _verdict_model(release)
    run = FORMATS[facts.format](model, json.dumps(facts.as_json()), draft)
    report = gate(release, run)
    if standard is not None:
        report = _add_photographs(release, run, standard, report, draft)
    write_json(draft / "parity.json", report.as_json())
    write_json(draft / "facts.json", facts.as_json())
    (draft / "README.md").write_text(_readme(facts), encoding="utf-8")
    if facts.format == "onnx":
        shutil.copyfile(STANDALONE, draft / "verdict.py")
    return report


def _add_photographs(
    release: LoadedRelease, run: Run, standard: Path, report: ParityReport, draft: Path
) -> ParityReport:
    """Write what photographs need, and judge some by the export's own files; raises ParityLost."""
    shutil.copyfile(standard, draft / STANDARD_FILE)
    shutil.copyfile(STANDALONE_PHOTOGRAPHS, draft / "photographs.py")
    with tempfile.TemporaryDirectory() as scratch:
        measure = read_fitting_standard(standard, release.data)
        photographs = photograph_gate(release, run, measure, draft / STANDARD_FILE, Path(scratch))
    return ParityReport({**report.sets, "photographs": photographs})


def _verdict_model(release: LoadedRelease) -> keras.Model:
    try:
        return verdict_model(release)
    except (TypeError, ValueError, AttributeError, NotImplementedError) as error:  # a user's own distance in numpy
        raise NotExportable(
            f"{release.version}: expected a distance in keras.ops, found {release.classifier.distance.name}, which "
            f"is none ({one_line(error)}); write its pair() with xp alone"
        ) from None


def _readme(facts: ExportFacts) -> str:
    size = {"rows": facts.rows, "cols": facts.cols, "values": facts.rows * facts.cols}
    usage = (ONNX_USAGE if facts.format == "onnx" else SAVEDMODEL_USAGE).format(**size)
    if facts.photographs:
        colour = "grey" if facts.photographs["channels"] == 1 else "colour"
        usage += PHOTOGRAPHS_USAGE.format(colour=colour, **facts.photographs)
    return README.format(usage=usage, release=facts.release, format=facts.format, values=size["values"])


def _move(draft: Path, target: Path) -> None:
    try:
        draft.rename(target)  # also onto an empty folder
    except OSError as error:
        raise UnusableFolder(f"{target}: cannot be made ({error.strerror}); choose another with --out") from None
