"""The named sets of values for tower and fit.

`best` is the recipe that won on every set it was tried on, `rt` the same tower under Taguchi's RT
distance, `notebook` the recipe from which Kensa comes, exactly.
"""

from __future__ import annotations

from typing import Any

BEST: dict[str, dict[str, Any]] = {
    "tower": {"kind": "conv", "widths": "24-32-64-128", "scaling": "auto", "dropout": 0.3, "normalise": True},
    "fit": {
        "batches": "records",
        "distance": "euclidean",
        "blocks": 1,
        "prototype": "mean-embedding",
        "margin": 0.4,
        "mining": "all",
        "triplet_weight": 1.0,
        "prototype_weight": 0.3,
        "temperature": 0.1,
        "learn_temperature": False,
        "learning_rate": 2e-3,
        "schedule": "cosine",
        "batch": 120,
        "modes_per_batch": 10,
        "records_per_mode": 12,
        "steps": 50,
        "looks": 30,
        "shift": True,
        "overlay": 1.0,
        "noise": 0.0,
        "epochs": 18,
        "patience": 2,
        "keep": "last",
        "devices": 1,
    },
}
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "best": BEST,
    "rt": {
        "tower": BEST["tower"],
        "fit": {
            **BEST["fit"],
            "distance": "rt",
            "blocks": 16,
            "triplet_weight": 0.0,
            "prototype_weight": 1.0,
            "temperature": 1.0,
            "learn_temperature": True,
        },
    },
    "notebook": {
        "tower": {"kind": "mlp", "widths": "512-256-128", "scaling": "none", "dropout": 0.0, "normalise": False},
        "fit": {
            **BEST["fit"],
            "batches": "triplets",
            "prototype": "mean-map",
            "learning_rate": 3e-5,
            "schedule": "constant",
            "batch": 32,
            "epochs": 20,
            "keep": "best",
        },
    },
}
