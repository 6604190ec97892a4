"""The settings of a model and its training: the network and the fit, of which `tasks/config/run.py` makes a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tasks.config.fields import ValidatedConfig, require_path, setting
from tasks.core.errors import BadSetting

DISTANCES = ("euclidean", "squared-euclidean", "cosine", "snr", "rt")


@dataclass(frozen=True)
class TowerConfig(ValidatedConfig):
    """The network that embeds a map; None is the preset's value."""

    kind: str | None = setting(None, "mlp, conv, or module:function of one's own (see docs/models.md)")
    widths: str | None = setting(
        None,
        "Widths of the layers, the embedding last: 512-256-128 (mlp), 24-32-64-128 (conv: filters, then embedding)",
    )
    scaling: Literal["none", "standard", "root", "auto"] | None = setting(
        None,
        "What the tower does to a raw map first, learnt from training records; auto: root where no value is negative",
    )
    dropout: float | None = setting(
        None, "Share of the values before the embedding that a training step leaves out", 0, 0.9
    )
    normalise: bool | None = setting(None, "Bring every embedding to length 1")

    def __post_init__(self) -> None:
        """Raise BadSetting for widths that are no positive numbers too: long before the network is built."""
        super().__post_init__()
        if self.widths is not None:
            parse_widths(self.widths)
        if self.kind is not None and self.kind not in ("mlp", "conv"):
            require_path("kind", self.kind, "mlp, conv")


def parse_widths(text: str) -> list[int]:
    """`512-256-128` as numbers; raises BadSetting."""
    words = text.split("-")
    if not all(word.isdecimal() and len(word) <= 5 and 0 < int(word) <= 65536 for word in words):
        raise BadSetting(f"widths: expected positive numbers such as 512-256-128, found {text!r}")
    return [int(word) for word in words]


@dataclass(frozen=True)
class TrainingConfig(ValidatedConfig):
    """How the tower is trained; None is the preset's value."""

    batches: Literal["triplets", "records"] | None = setting(
        None, "Train on offline triplets, or on balanced batches of records with mining in the batch"
    )
    distance: str | None = setting(
        None, f"The one distance of loss, threshold, evaluation and verdict: {', '.join(DISTANCES)}, or module:Class"
    )
    blocks: int | None = setting(
        None, "RT distance: parts of the embedding, each with its own two coordinates", 1, 4096
    )
    prototype: Literal["mean-map", "mean-embedding"] | None = setting(
        None, "A mode's prototype: its embedded mean map, or the mean of its embeddings"
    )
    margin: float | None = setting(None, "Margin of the triplet loss, in units of the distance", 0, 1e6)
    mining: Literal["all", "semi-hard", "multi-similarity"] | None = setting(
        None, "Which triplets of a balanced batch count"
    )
    triplet_weight: float | None = setting(None, "Weight of the mined triplets in the loss", 0, 1e6)
    prototype_weight: float | None = setting(None, "Weight of the prototypes' cross-entropy in the loss", 0, 1e6)
    temperature: float | None = setting(None, "Squared distance that is worth one unit of log-odds", 1e-6, 1e6)
    learn_temperature: bool | None = setting(None, "Learn the temperature; it then only starts as given")
    learning_rate: float | None = setting(None, "Adam's learning rate", 1e-9, 10)
    schedule: Literal["constant", "cosine"] | None = setting(
        None, "The learning rate stays, or falls to 0 over all steps"
    )
    batch: int | None = setting(None, "Triplets a batch; records of a balanced one, where that is more", 1, 65536)
    modes_per_batch: int | None = setting(None, "Modes in a balanced batch, at most", 2, 4096)
    records_per_mode: int | None = setting(None, "Records of each mode in a balanced batch, at least", 2, 4096)
    steps: int | None = setting(None, "Balanced batches an epoch, at most", 1, 1000000)
    looks: int | None = setting(
        None,
        "Looks at each record in the whole training, which shorten an epoch to half its batches at the least",
        1,
        1000000,
    )
    shift: bool | None = setting(None, "Move each map by up to one cell in training, edges repeated")
    overlay: float | None = setting(
        None,
        "Sparse maps: share of the records over which a good one is laid in training, the larger value standing",
        0,
        1,
    )
    noise: float | None = setting(None, "Deviation of the noise on scaled maps in training", 0, 100)
    epochs: int | None = setting(None, "Epochs at most", 1, 100000)
    patience: int | None = setting(None, "Epochs without a better validation loss before training stops", 1, 100000)
    keep: Literal["best", "last"] | None = setting(
        None, "Keep the weights of the best validation loss and stop early, or train all epochs and keep the last"
    )

    devices: int | None = setting(None, "Devices to train on at once (KERAS_BACKEND=jax alone); 0 takes all", 0, 4096)

    def __post_init__(self) -> None:
        """Raise BadSetting for a distance that is neither known nor a path, and for a loss without any term."""
        super().__post_init__()
        if self.distance is not None and self.distance not in DISTANCES:
            require_path("distance", self.distance, ", ".join(DISTANCES))
        if self.triplet_weight == 0 and self.prototype_weight == 0:
            raise BadSetting("triplet_weight: expected a loss, found both of its weights 0")


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
