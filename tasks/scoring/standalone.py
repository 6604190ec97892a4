"""Verdicts on maps by an exported model: a program for the shop floor, with numpy and onnxruntime alone.

    python verdict.py maps.npy

prints one JSON object a map. `maps.npy` holds float values (n, rows·cols) or (n, rows, cols), row by row.
It lies beside `model.onnx`, which holds modes, prototypes and thresholds, and knows nothing else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime


class Inspector:
    """An exported model, opened once; `facts` says what it is: release, modes, units, thresholds."""

    def __init__(self, path: str | Path = Path(__file__).with_name("model.onnx")) -> None:
        self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self.facts = json.loads(self.session.get_modelmeta().custom_metadata_map["kensa"])
        self.names = [output.name for output in self.session.get_outputs()]

    def outputs(self, maps: np.ndarray) -> dict[str, np.ndarray]:
        """Every output by name, of maps (n, rows·cols) or (n, rows, cols), or one map (rows, cols)."""
        rows, cols = self.facts["rows"], self.facts["cols"]
        values = np.asarray(maps, np.float32)
        values = values[None] if values.shape == (rows, cols) else values
        if values.shape[1:] not in ((rows * cols,), (rows, cols)):
            raise ValueError(f"expected maps of {rows}×{cols} values, found the shape {values.shape}")
        return dict(
            zip(self.names, self.session.run(self.names, {"map": values.reshape(len(values), -1)}), strict=True)
        )

    def verdicts(self, maps: np.ndarray) -> list[dict[str, Any]]:
        """One dictionary a map: verdict, mode (nearest), distance to it, score, margin, beta and sqrt_ve.

        A number that is none (a score where the model knows no good parts) is None.
        """
        found = self.outputs(maps)
        numbers = ("distance", "score", "margin", "beta", "sqrt_ve")
        return [
            {
                "verdict": self.facts["verdicts"][found["verdict"][i]],
                "mode": self.facts["modes"][found["mode"][i]],
                **{name: float(found[name][i]) if np.isfinite(found[name][i]) else None for name in numbers},
            }
            for i in range(len(found["verdict"]))
        ]


if __name__ == "__main__":
    for verdict in Inspector().verdicts(np.load(sys.argv[1])):
        print(json.dumps(verdict))
