"""The settings of the model and its training, and the presets that give their values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from tasks.config.fields import ValidatedConfig, require_path, setting
from tasks.core.errors import BadSetting

TOWERS = ("mlp", "conv")
DISTANCES = ("euclidean", "squared-euclidean", "cosine", "snr", "rt")
MAX_WIDTH = 65536


@dataclass(frozen=True)
class TowerConfig(ValidatedConfig):
    """The network that embeds a map; None is the preset's value."""

    kind: str | None = setting(None, "Network: mlp, conv, or module:function of your own (docs/models.md)")
    widths: str | None = setting(
        None, "Widths of the layers, the embedding last: 512-256-128 (mlp), 24-16-64-128 (conv: filters, embedding)"
    )
    scaling: Literal["none", "standard", "root", "auto"] | None = setting(
        None, "Scaling of raw maps, fitted on training records; auto: a root first if no value is negative"
    )
    dropout: float | None = setting(None, "Dropout rate before the embedding", 0, 0.9)
    normalise: bool | None = setting(None, "Normalise embeddings to length 1")

    def __post_init__(self) -> None:
        """Raise BadSetting for widths that are no positive numbers, and for a kind that does not exist, too."""
        super().__post_init__()
        if self.widths is not None:
            parse_widths(self.widths)
        if self.kind is not None and self.kind not in TOWERS:
            require_path("kind", self.kind, ", ".join(TOWERS))


def parse_widths(text: str) -> list[int]:
    """`512-256-128` as numbers; raises BadSetting."""
    words = text.split("-")
    if not all(word.isdecimal() and len(word) <= 5 and 0 < int(word) <= MAX_WIDTH for word in words):
        raise BadSetting(f"widths: expected positive numbers such as 512-256-128, found {text!r}")
    return [int(word) for word in words]


@dataclass(frozen=True)
class TrainingConfig(ValidatedConfig):
    """How the tower is trained; None is the preset's value."""

    FORM_TITLE: ClassVar = "Fit"

    batches: Literal["triplets", "records"] | None = setting(
        None, "Train on offline triplets, or on balanced batches of records with mining in the batch"
    )
    distance: str | None = setting(
        None, f"Distance of loss, thresholds, metrics and verdicts: {', '.join(DISTANCES)}, or module:Class of your own"
    )
    blocks: int | None = setting(
        None, "RT distance: number of blocks of the embedding, each reduced to two coordinates", 1, 4096
    )
    prototype: Literal["mean-map", "mean-embedding"] | None = setting(
        None, "Prototype of a mode: the embedding of its mean map, or the mean of its embeddings"
    )
    margin: float | None = setting(None, "Margin of the triplet loss, in units of the distance", 0, 1e6)
    mining: Literal["all", "semi-hard", "multi-similarity"] | None = setting(
        None, "Which triplets of a balanced batch enter the loss"
    )
    triplet_weight: float | None = setting(None, "Weight of the triplets in the loss", 0, 1e6)
    prototype_weight: float | None = setting(None, "Weight of the prototypes' cross-entropy in the loss", 0, 1e6)
    temperature: float | None = setting(None, "Squared distance that counts as one unit of log-odds", 1e-6, 1e6)
    learn_temperature: bool | None = setting(None, "Learn the temperature, starting from the value given")
    learning_rate: float | None = setting(None, "Learning rate of Adam", 1e-9, 10)
    schedule: Literal["constant", "cosine"] | None = setting(
        None, "Learning rate: constant, or cosine decay to 0 over all steps"
    )
    batch: int | None = setting(None, "Triplets per batch; for balanced batches, the minimum of records", 1, 65536)
    modes_per_batch: int | None = setting(None, "Maximum modes in a balanced batch", 2, 4096)
    records_per_mode: int | None = setting(None, "Minimum records per mode in a balanced batch", 2, 4096)
    steps: int | None = setting(None, "Maximum balanced batches per epoch", 1, 1000000)
    looks: int | None = setting(
        None,
        "How often each record is seen in the whole training; small sets get fewer steps, at least half",
        1,
        1000000,
    )
    shift: bool | None = setting(None, "Shift each map by up to one cell in training; edges are repeated")
    overlay: float | None = setting(
        None, "Sparse maps: fraction of records augmented by the element-wise maximum with a good map", 0, 1
    )
    noise: float | None = setting(None, "Standard deviation of the noise added to scaled maps in training", 0, 100)
    epochs: int | None = setting(None, "Maximum epochs", 1, 100000)
    patience: int | None = setting(None, "Epochs without a lower validation loss before training stops", 1, 100000)
    keep: Literal["best", "last"] | None = setting(
        None, "Keep the weights of the lowest validation loss and stop early, or train all epochs and keep the last"
    )
    devices: int | None = setting(None, "Devices to train on (only with KERAS_BACKEND=jax); 0 takes all", 0, 4096)

    def __post_init__(self) -> None:
        """Raise BadSetting for a distance that does not exist, and for a loss without any term, too."""
        super().__post_init__()
        if self.distance is not None and self.distance not in DISTANCES:
            require_path("distance", self.distance, ", ".join(DISTANCES))
        if self.triplet_weight == 0 and self.prototype_weight == 0:
            raise BadSetting("triplet_weight: expected a loss, found both of its weights 0")


@dataclass(frozen=True)
class ZeroConfig(ValidatedConfig):
    """How a model is made where the source has good parts alone; nothing here is read elsewhere."""

    parent: str | None = setting(
        None,
        "Good parts alone: embed them by another line's tower: a folder of releases (its champion) or of one release",
    )


BEST: dict[str, dict[str, Any]] = {
    "tower": {"kind": "conv", "widths": "24-16-64-128", "scaling": "auto", "dropout": 0.3, "normalise": True},
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
        "learning_rate": 4e-3,
        "schedule": "cosine",
        "batch": 120,
        "modes_per_batch": 10,
        "records_per_mode": 12,
        "steps": 40,
        "looks": 60,
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
            "steps": 50,
            "looks": 30,
            "epochs": 20,
            "keep": "best",
        },
    },
}
