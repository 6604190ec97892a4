"""The settings of a run: frozen dataclasses whose fields explain and check themselves.

Every field carries its title, description and bounds, from which the command's help, the README
table and the form in the Prefect UI are made. A field of `None` in `Tower` and `Fit` means "as the
preset says"; `Retrain.resolved()` fills those in.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from tasks.errors import BadSetting

DistanceName = Literal["euclidean", "cosine"]


def setting(default: Any, description: str, least: float | None = None, most: float | None = None) -> Any:
    """A dataclass field with its description and inclusive bounds."""
    extra = {key: value for key, value in (("minimum", least), ("maximum", most)) if value is not None}
    metadata = {"description": description, "least": least, "most": most, "json_schema_extra": extra}
    return field(default=default, metadata=metadata)


def section(kind: type, description: str) -> Any:
    """A dataclass field that holds a group of settings."""
    return field(default_factory=kind, metadata={"description": description})


def allowed(annotation: Any) -> tuple[Any, ...]:
    """The types (or, for a Literal, the values) that an annotation names, None included."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return tuple(part for option in typing.get_args(annotation) for part in allowed(option))
    if typing.get_origin(annotation) is Literal:
        return typing.get_args(annotation)
    return (annotation,)


class Checked:
    """Checks every field against its annotation and bounds; raises BadSetting."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # Prefect's form and API would drop unknown keys silently

    def __post_init__(self) -> None:
        """Raise BadSetting for the first field of the wrong type or out of bounds."""
        hints = typing.get_type_hints(type(self))
        for part in dataclasses.fields(self):
            self._check_type(part, allowed(hints[part.name]))
            self._check_bounds(part)

    def _check_type(self, part: dataclasses.Field, options: tuple[Any, ...]) -> None:
        value = getattr(self, part.name)
        kinds = tuple(option for option in options if isinstance(option, type))
        whole = isinstance(value, int) and not isinstance(value, bool)
        if whole and float in kinds and int not in kinds:
            object.__setattr__(self, part.name, float(value))
        elif not (bool in kinds if isinstance(value, bool) else _named(value, options) or isinstance(value, kinds)):
            expected = " or ".join(_shown(option) for option in options)
            raise BadSetting(f"{part.name}: expected {expected}, found {value!r}")

    def _check_bounds(self, part: dataclasses.Field) -> None:
        value, least, most = getattr(self, part.name), part.metadata.get("least"), part.metadata.get("most")
        if value is None or not isinstance(value, int | float):
            return
        if (least is not None and not value >= least) or (most is not None and not value <= most):
            bounds = " and ".join(
                f"{word} {edge}" for word, edge in (("at least", least), ("at most", most)) if edge is not None
            )
            raise BadSetting(f"{part.name}: expected {bounds}, found {value}")


def _named(value: Any, options: tuple[Any, ...]) -> bool:
    """Whether `value` is one of the values of a Literal."""
    return any(not isinstance(option, type) and value == option for option in options)


def _shown(option: Any) -> str:
    """A type or value as the message names it: None is typed as `none`."""
    return "none" if option is type(None) else getattr(option, "__name__", repr(option))


@dataclass(frozen=True)
class Data(Checked):
    """How the source's tables are read."""

    rows: int = setting(36, "Rows of a map", 1, 4096)
    cols: int = setting(39, "Columns of a map", 1, 4096)
    good: str = setting("0", "The label of a good part; 'none' where the data has no good parts")
    group: str = setting("group", "Optional column (lot, board, part) whose records stay on one side of every split")
    config: str | None = setting(None, "Configuration of the Hub dataset, where it has several")
    part: str | None = setting(None, "Split of the Hub dataset to read; by default train (for --test: test)")


@dataclass(frozen=True)
class Split(Checked):
    """Shares of the records; they are scaled to sum to one."""

    train: float = setting(0.65, "Share of the records to train on", 0.05, 1)
    stop: float = setting(0.05, "Share for early stopping", 0.01, 0.9)
    calibrate: float = setting(0.15, "Share for calibrating the thresholds", 0.01, 0.9)
    test: float = setting(0.15, "Share for the test, opened once; unused with --test", 0.01, 0.9)
    seed: int = setting(42, "Seed of the split alone: keep it, or the champion has seen the new test", 0, 2**31 - 1)


@dataclass(frozen=True)
class Triplets(Checked):
    """How triplets are made."""

    per_record: int = setting(2, "Triplets generated for each record, where the data brings none", 1, 1000)
    replace_crossing: bool = setting(
        True, "Give a wide triplet that crosses the split a new negative on the positive's side"
    )


@dataclass(frozen=True)
class Tower(Checked):
    """The network that embeds a map; None is the preset's value."""

    kind: Literal["mlp"] | None = setting(None, "Kind of tower")
    widths: str | None = setting(None, "Widths of the dense layers, the embedding last, such as 512-256-128")

    def __post_init__(self) -> None:
        """Raise BadSetting for widths that are no positive numbers too: long before the network is built."""
        super().__post_init__()
        if self.widths is not None:
            parse_widths(self.widths)


def parse_widths(text: str) -> list[int]:
    """`512-256-128` as numbers; raises BadSetting."""
    words = text.split("-")
    if not all(word.isdecimal() and len(word) <= 5 and 0 < int(word) <= 65536 for word in words):
        raise BadSetting(f"widths: expected positive numbers such as 512-256-128, found {text!r}")
    return [int(word) for word in words]


@dataclass(frozen=True)
class Fit(Checked):
    """How the tower is trained; None is the preset's value."""

    distance: DistanceName | None = setting(None, "The one distance of loss, threshold, evaluation and verdict")
    prototype: Literal["mean-map", "mean-embedding"] | None = setting(
        None, "A mode's prototype: its embedded mean map, or the mean of its embeddings"
    )
    margin: float | None = setting(None, "Margin of the triplet loss, in units of the distance", 0, 1e6)
    learning_rate: float | None = setting(None, "Adam's learning rate", 1e-9, 10)
    batch: int | None = setting(None, "Triplets a batch", 1, 65536)
    epochs: int | None = setting(None, "Epochs at most", 1, 100000)
    patience: int | None = setting(None, "Epochs without a better validation loss before training stops", 1, 100000)


@dataclass(frozen=True)
class Evaluate(Checked):
    """How the model is judged."""

    rule: Literal["target_fpr", "youden", "max_f1", "min_precision", "min_recall"] = setting(
        "target_fpr", "Rule of the good-or-defect threshold"
    )
    target: float = setting(
        0.05, "The rule's target: false positive rate, or least precision or recall", 0.0001, 0.9999
    )
    bootstrap: int = setting(1000, "Bootstrap samples of records behind each interval", 100, 100000)
    confidence: float = setting(0.95, "Confidence of the intervals", 0.5, 0.999)


@dataclass(frozen=True)
class Gate(Checked):
    """What a draft must show to be released."""

    figure: Literal["auroc", "mode_accuracy", "macro_mode_accuracy", "average_precision"] = setting(
        "auroc", "The figure that decides"
    )
    beat_raw_by: float = setting(0.0, "By how much the figure must exceed the raw map's", 0, 1)
    confidence: float = setting(
        0.95, "Confidence with which the model must be shown to be better than the champion", 0.5, 0.99
    )
    least_gain: float = setting(0.0, "By how much it must be shown to be better than the champion", 0, 1)
    mode_margin: float = setting(
        0.05, "By how much a mode's accuracy may fall below the champion's, chance left aside", 0, 1
    )
    may_lose_modes: bool = setting(False, "Let a model pass that no longer knows a mode that the champion knows")


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "notebook": {
        "tower": {"kind": "mlp", "widths": "512-256-128"},
        "fit": {
            "distance": "euclidean",
            "prototype": "mean-map",
            "margin": 0.4,
            "learning_rate": 3e-5,
            "batch": 32,
            "epochs": 20,
            "patience": 2,
        },
    },
}


@dataclass(frozen=True)
class Retrain(Checked):
    """One retraining: the sources, the preset and every setting."""

    train: str = setting("demo", "Training source: org/name[@revision] on the Hub, a folder, or demo")
    test: str | None = setting(None, "Separate test source; without it a part of the training source is held out")
    revision: str | None = setting(None, "Branch, tag or commit of the training source; main by default")
    preset: Literal["notebook"] = setting("notebook", "Named set of values for tower and fit")
    seed: int = setting(42, "Seed of the triplets, the weights and the batches", 0, 2**31 - 1)
    data_folder: str = setting("data", "Folder of the caches and stages")
    artifacts_folder: str = setting("artifacts", "Folder of the releases and drafts")
    data: Data = section(Data, "How the tables are read")
    split: Split = section(Split, "How the records are split")
    triplets: Triplets = section(Triplets, "How triplets are made")
    tower: Tower = section(Tower, "The network")
    fit: Fit = section(Fit, "The training")
    evaluate: Evaluate = section(Evaluate, "The judgement")
    gate: Gate = section(Gate, "The gate before a release")

    def resolved(self) -> Retrain:
        """The same run with every None of tower and fit filled in from the preset."""
        filled = {
            name: replace(
                getattr(self, name),
                **{k: v for k, v in values.items() if getattr(getattr(self, name), k) is None},
            )
            for name, values in PRESETS[self.preset].items()
        }
        return replace(self, **filled)

    def science(self) -> dict[str, Any]:
        """Everything that can change the result, as plain values: no folder, no source's name."""
        values = dataclasses.asdict(self.resolved())
        for name in ("train", "test", "revision", "data_folder", "artifacts_folder", "preset"):
            values.pop(name)
        return values
