"""Verdicts on inspection maps by an exported Kensa model. It needs numpy and onnxruntime, nothing else.

    python verdict.py maps.npy              one JSON object a map, on the standard output
    python verdict.py maps.npy > verdicts.jsonl
    python verdict.py left.png right.png    the same for photographs, where the export has a standard.npz (and OpenCV)

`maps.npy` holds numbers, n maps of rows × cols values: its shape is (n, rows, cols) or (n, rows·cols). A single map
(rows, cols) will do. The model lies beside this program as `model.onnx`, and contains its modes and thresholds.

In another Python program:

    from verdict import Inspector
    inspector = Inspector("model.onnx")
    inspector.verdicts(maps)                # a list of dictionaries
    inspector.facts                         # release, map size, modes, units, thresholds
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

MODEL = Path(__file__).with_name("model.onnx")
NUMBERS = ("distance", "score", "margin", "beta", "sqrt_ve")
FIELDS = """each verdict has:
  verdict   good, defect (of the nearest mode), unknown (far from every mode), or unreadable (not finite)
  mode      the nearest failure mode
  distance  how far that mode is
  score     larger is more anomalous; null where the model knows no good parts
  margin    threshold minus score: negative for a part that is not good
  beta      level of the map: 1 is that of the mode's mean map
  sqrt_ve   how much the map's shape differs from the mode's mean map, in the map's unit
of a photograph also:
  file        its name
  registered  whether it was aligned with the good parts; false: another part, or the camera moved
"""
PHOTOGRAPHS = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")


class Inspector:
    """An exported model; `facts` says what it is: release, map size, modes, units, thresholds.

    threads: of one call, by default one for each core. Raises ValueError for a model that Kensa did not export.
    """

    def __init__(self, path: str | Path = MODEL, threads: int | None = None) -> None:
        options = onnxruntime.SessionOptions()
        if threads is not None:
            options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        metadata = self.session.get_modelmeta().custom_metadata_map
        if "kensa" not in metadata:
            raise ValueError(f"{path}: expected a model exported by Kensa, found another")
        self.facts = json.loads(metadata["kensa"])
        self.names = [output.name for output in self.session.get_outputs()]

    def outputs(self, maps: np.ndarray) -> dict[str, np.ndarray]:
        """Every output by name, of maps (n, rows·cols) or (n, rows, cols), or of one map (rows, cols).

        Raises ValueError for another shape.
        """
        rows, cols = self.facts["rows"], self.facts["cols"]
        values = np.asarray(maps, np.float32)
        values = values[None] if values.shape == (rows, cols) else values
        if values.shape[1:] not in ((rows * cols,), (rows, cols)):
            raise ValueError(f"expected maps of {rows}×{cols} values, found the shape {values.shape}")
        flat = values.reshape(len(values), rows * cols)
        return dict(zip(self.names, self.session.run(self.names, {"map": flat}), strict=True))

    def verdicts(self, maps: np.ndarray) -> list[dict[str, Any]]:
        """One dictionary a map: verdict, mode (nearest), distance to it, score, margin, beta and sqrt_ve.

        A number that is not finite is None.
        """
        outputs = self.outputs(maps)
        return [
            {
                "verdict": self.facts["verdicts"][outputs["verdict"][i]],
                "mode": self.facts["modes"][outputs["mode"][i]],
                **{name: _finite(outputs[name][i]) for name in NUMBERS},
            }
            for i in range(len(outputs["verdict"]))
        ]


def load_maps(path: Path) -> np.ndarray:
    """The maps of a file; raises OSError where it cannot be read, and ValueError where it holds no numbers."""
    try:
        maps = np.load(path)
    except (ValueError, EOFError):
        maps = None
    if not isinstance(maps, np.ndarray) or maps.dtype.kind not in "iuf":
        raise ValueError(f"{path}: expected numbers as numpy.save writes them, found something else")
    return maps


def photograph_verdicts(paths: list[Path], inspector: Inspector, standard: Path) -> Iterator[dict[str, Any] | str]:
    """The verdict on each photograph, or a line that says why there is none.

    standard: the export's standard.npz. Raises OSError and ValueError where the export takes no photographs.
    """
    if "photographs" not in inspector.facts:
        raise ValueError(f"{paths[0]}: expected maps.npy: {inspector.facts['release']} takes no photographs")
    try:
        from photographs import Standard  # beside this program
    except ImportError as error:
        raise ValueError(f"{paths[0]}: expected OpenCV (opencv-python-headless) for photographs: {error}") from None
    measure = Standard(standard).measure
    for path in paths:
        try:
            measured = measure(path.read_bytes())
            (verdict,) = inspector.verdicts(measured.map)
            yield {"file": str(path), **verdict, "registered": measured.registered}
        except (OSError, ValueError) as error:
            yield f"{path}: {error}"


def _finite(number: np.floating) -> float | None:
    return float(number) if np.isfinite(number) else None


def main(words: list[str] | None = None) -> int:
    """Print the verdicts on maps or photographs; 0, or 2 where one of them or the model cannot be used."""
    parser = argparse.ArgumentParser(
        description="Print the verdict on each inspection map or photograph, as one JSON object a line.",
        epilog=FIELDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="MAPS.npy: maps as numpy.save writes them, (n, rows, cols); or photographs: PNG, TIFF, BMP, JPEG",
    )
    parser.add_argument("--model", type=Path, default=MODEL, metavar="FILE", help="model.onnx beside it by default")
    arguments = parser.parse_args(words)
    code = 0
    try:
        for verdict in _verdicts(arguments.files, arguments.model):
            if isinstance(verdict, dict):
                print(json.dumps(verdict))
            else:
                code = 2
                print(f"{parser.prog}: {verdict}", file=sys.stderr)
    except (OSError, ValueError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    return code


def _verdicts(files: list[Path], model: Path) -> Iterator[dict[str, Any] | str]:
    if not model.is_file():
        raise FileNotFoundError(f"{model}: no such model; name it with --model")
    inspector = Inspector(model)
    photographs = [path for path in files if path.suffix.lower() in PHOTOGRAPHS]
    for path in files:
        if path not in photographs:
            yield from inspector.verdicts(load_maps(path))
    if photographs:
        yield from photograph_verdicts(photographs, inspector, model.with_name("standard.npz"))


if __name__ == "__main__":
    sys.exit(main())
