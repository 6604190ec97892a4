"""The settings of a run: frozen dataclasses whose fields describe and check themselves.

Every field has a description and bounds, from which the command's help and the form in Prefect's UI are made.
None in `tower` and `fit` means "the preset's value"; `RunConfig.resolved()` fills those in.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tasks.config.engine import EngineConfig
from tasks.config.fields import (
    ValidatedConfig,
    require_folder,
    require_scheduler,
    section,
    setting,
)
from tasks.config.model import PRESETS, TowerConfig, TrainingConfig, ZeroConfig, parse_widths
from tasks.core.errors import BadSetting

LANGUAGES = ("en", "ja")
ThresholdRule = Literal["target_fpr", "target_fpr_pac", "youden", "max_f1", "min_precision", "min_recall"]
Language = Literal["en", "ja"]
PresetName = Literal["best", "rt", "notebook"]
GateMetric = Literal["good_auroc", "auroc", "mode_accuracy", "macro_mode_accuracy", "average_precision"]
LATER_GATE_SETTINGS = (
    *("better", "escape_margin", "false_alarm_margin", "auroc_margin", "accuracy_margin", "spend"),
    "approval",
)
PLACES = ("train", "test", "revision", "data_folder", "artifacts_folder")
DATA_FOLDER, ARTIFACTS_FOLDER = "data", "artifacts"  # below the working folder, unless the run says otherwise


@dataclass(frozen=True)
class DataConfig(ValidatedConfig):
    """How the source's tables are read."""

    rows: int = setting(36, "Rows of a map", 1, 4096)
    cols: int = setting(39, "Columns of a map", 1, 4096)
    good: str = setting("0", "Label of a good part; 'none' if the data has no good parts")
    group: str = setting("group", "Optional column (lot, board, part) whose records stay in one part of every split")
    id: str = setting(
        "", "Column that names a part, such as serial; several with commas between; default: its file and row"
    )
    config: str | None = setting(None, "Configuration of the Hub dataset, if it has several")
    part: str | None = setting(None, "Split of the Hub dataset to read; default: train, or test for --test")
    most_records: int = setting(5_000_000, "Maximum rows of a source; more are refused before they are read", 1, 10**12)
    most_bytes: int = setting(64 * 2**30, "Maximum bytes of a source, unpacked; more are refused", 1, 10**15)

    def fingerprint_fields(self) -> dict[str, Any]:
        """What can change what is read; the maxima can only refuse it. `id` came later, and counts where it is set."""
        values = dataclasses.asdict(self)
        later = () if self.id else ("id",)
        return {name: value for name, value in values.items() if not name.startswith("most_") and name not in later}

    @property
    def id_columns(self) -> tuple[str, ...]:
        """The columns that name a part together; none where its file and row do."""
        return tuple(filter(None, (name.strip() for name in self.id.split(","))))


@dataclass(frozen=True)
class SplitConfig(ValidatedConfig):
    """Shares of the records; they are scaled to sum to one."""

    train: float = setting(0.65, "Share of the records to train on", 0.05, 1)
    stop: float = setting(0.05, "Share of the records for early stopping (validation set)", 0.01, 0.9)
    calibrate: float = setting(0.15, "Share of the records for calibrating the thresholds", 0.01, 0.9)
    test: float = setting(0.15, "Share of the records for the test set; unused with --test", 0.01, 0.9)
    unit: Literal["group", "record"] = setting(
        "group", "Split whole groups, or single records (only if --test brings groups of its own)"
    )
    seed: int = setting(42, "Seed of the split; with another, the champion has seen the new test set", 0, 2**31 - 1)
    fixed: bool = setting(
        False, "A group's part depends on its name and the seed alone: it keeps its part, and shares vary more"
    )
    replay: Literal["notebook"] | None = setting(
        None, "Train once more on the notebook's own split of triplets, to show its accuracy beside the honest one"
    )

    def fingerprint_fields(self) -> dict[str, Any]:
        """What can change the result; a setting that came later counts where it is set, for old runs lack it."""
        values = dataclasses.asdict(self)
        return {name: value for name, value in values.items() if name not in ("fixed", "replay") or value}

    def split_fields(self) -> dict[str, Any]:
        """What can change the split itself; another split that is replayed beside it cannot."""
        return {name: value for name, value in self.fingerprint_fields().items() if name != "replay"}


@dataclass(frozen=True)
class TripletsConfig(ValidatedConfig):
    """How triplets are made."""

    per_record: int = setting(2, "Triplets generated per record, if the source has none", 1, 1000)
    replace_crossing: bool = setting(
        True, "Give a wide triplet that crosses the split a new negative from the positive's part"
    )


@dataclass(frozen=True)
class EvaluateConfig(ValidatedConfig):
    """How the model is evaluated."""

    rule: ThresholdRule = setting("target_fpr", "Rule that sets the threshold between good and defect")
    target: float = setting(
        0.05, "Target of the rule: false-positive rate, minimum precision or minimum recall", 0.0001, 0.9999
    )
    target_confidence: float = setting(
        0.9, "Confidence of the rule target_fpr_pac: in so many cases the rate is at most the target", 0.5, 0.999
    )
    bootstrap: int = setting(
        1000, "Bootstrap samples of the records for each interval (groups are left out in turn)", 100, 100000
    )
    confidence: float = setting(0.95, "Confidence level of the intervals", 0.5, 0.999)
    most_records: int = setting(
        60_000, "Maximum records to evaluate, a random sample of more; each takes 20 kB of memory", 1000, 10**12
    )
    score: Literal["distance", "fused", "patches"] = setting(
        "distance",
        "Anomaly score: the distance to good; fused: its p-value and that of the map's peak; patches: its p-value and "
        "that of the map's strangest place",
    )
    shifts: Literal[1, 5, 9] = setting(
        1, "Judge by the mean embedding of each map and its shifts by one cell; so many passes through the tower"
    )
    unseen: bool = setting(False, "Leave out each defect mode in turn and retrain: how are unknown defects judged?")
    permutation: bool = setting(False, "Permute the modes and retrain: a sound evaluation then gives 0.5")
    dask: str | None = setting(
        None, "Dask scheduler for these trainings, such as tcp://10.0.0.5:8786; default: one after the other"
    )
    cross: int | None = setting(
        None, "Test each group once: train so many times without a set of groups, which then calibrate, too", 2, 100
    )

    def __post_init__(self) -> None:
        """Raise BadSetting for what is no scheduler's address, too."""
        super().__post_init__()
        require_scheduler(self.dask, "evaluate.dask")

    def cluster(self) -> str | None:
        """The scheduler of the extra trainings; None where there are none, or they run here."""
        return self.dask if self.unseen or self.permutation or self.cross else None

    def fingerprint_fields(self) -> dict[str, Any]:
        """What can change the evaluation; where the trainings run cannot.

        What came later counts where it is used, for old runs lack it.
        """
        used = {"target_confidence": self.rule == "target_fpr_pac", "cross": self.cross is not None}
        used["shifts"] = self.shifts != 1
        later = [name for name, is_used in used.items() if not is_used]
        return {name: value for name, value in dataclasses.asdict(self).items() if name not in ("dask", *later)}


@dataclass(frozen=True)
class GateConfig(ValidatedConfig):
    """What a draft must show to be released.

    Margins are differences to the champion that count as no loss; where a set has no good parts, `better`,
    `escape_margin` and `false_alarm_margin` have no meaning.
    """

    figure: Literal["auroc", "mode_accuracy", "macro_mode_accuracy", "average_precision"] = setting(
        "auroc", "Metric that must beat the raw map; also the champion, if set or without good parts"
    )
    beat_raw_by: float = setting(0.0, "Minimum gain of the metric over the raw-map baseline", 0, 1)
    confidence: float = setting(0.95, "Confidence level at which the model must be better than the champion", 0.5, 0.99)
    least_gain: float = setting(0.0, "Minimum gain of the metric over the champion", 0, 1)
    mode_margin: float = setting(0.05, "Non-inferiority margin of each mode's accuracy against the champion", 0, 1)
    may_lose_modes: bool = setting(False, "Accept a model that lacks a mode that the champion has")
    better: GateMetric | None = setting(
        None, "Metric that must be better than the champion's; default: good_auroc with good parts, or gate.figure"
    )
    escape_margin: float = setting(0.05, "Non-inferiority margin of the share of defects missed", 0, 1)
    false_alarm_margin: float = setting(0.05, "Non-inferiority margin of the share of good parts stopped", 0, 1)
    auroc_margin: float = setting(0.02, "Non-inferiority margin of the verification AUROC", 0, 1)
    accuracy_margin: float = setting(0.05, "Non-inferiority margin of the mode accuracy", 0, 1)
    spend: bool = setting(
        True, "Ask for more confidence with each comparison with the same champion, to bound the error of a year"
    )
    approval: Literal["none", "required"] = setting(
        "none", "Approval by a person: with required, a model that passes is a candidate until somebody approves it"
    )

    def fingerprint_fields(self) -> dict[str, Any]:
        """What can change the decision; settings that came later count where they are set, for old runs lack them."""
        defaults = {name: getattr(type(self), name) for name in LATER_GATE_SETTINGS}
        values = dataclasses.asdict(self)
        return {name: value for name, value in values.items() if name not in defaults or value != defaults[name]}


@dataclass(frozen=True)
class CostConfig(ValidatedConfig):
    """What mistakes cost on the line; nothing here changes a model or a metric. None is unknown."""

    prevalence: float | None = setting(None, "Share of defective parts on the line", 0, 1)
    escape: float | None = setting(None, "Cost of one missed defect", 0, 1e12)
    overkill: float | None = setting(None, "Cost of one good part that is rejected", 0, 1e12)
    currency: str = setting("", "Currency of the costs, such as EUR")


@dataclass(frozen=True)
class ReportConfig(ValidatedConfig):
    """How results are presented; nothing here changes a model or a metric."""

    language: Language = setting("en", "Language of reports, model cards and artifacts in Prefect's UI")


@dataclass(frozen=True)
class RunConfig(ValidatedConfig):
    """One retraining: the sources, the preset and every setting."""

    train: str = setting(
        "demo",
        "Training source: org/name[@revision] on the Hub, files, a folder, an address, or demo; several with ; between",
    )
    test: str | None = setting(None, "Separate test source; default: a part of the training source is held out")
    revision: str | None = setting(None, "Branch, tag or commit of the training source; default: main")
    preset: PresetName = setting("best", "Preset: the values of what is None in tower and fit")
    seed: int = setting(42, "Seed of the triplets, the weights and the batches", 0, 2**31 - 1)
    data_folder: str = setting(DATA_FOLDER, "Folder of the caches and stages")
    artifacts_folder: str = setting(ARTIFACTS_FOLDER, "Folder of the releases and drafts")
    data: DataConfig = section(DataConfig, "How the tables are read")
    split: SplitConfig = section(SplitConfig, "How the records are split")
    triplets: TripletsConfig = section(TripletsConfig, "How triplets are made")
    tower: TowerConfig = section(TowerConfig, "The network that embeds a map; None is the preset's value")
    fit: TrainingConfig = section(TrainingConfig, "How the network is trained; None is the preset's value")
    evaluate: EvaluateConfig = section(EvaluateConfig, "How the model is evaluated")
    gate: GateConfig = section(GateConfig, "What a model must show to be released")
    cost: CostConfig = section(CostConfig, "What mistakes cost on the line")
    report: ReportConfig = section(ReportConfig, "How results are presented")
    engine: EngineConfig = section(EngineConfig, "Where work is done")
    zero: ZeroConfig = section(ZeroConfig, "How a model is made of good parts alone")

    def __post_init__(self) -> None:
        """Raise BadSetting for settings that do not go together, too."""
        super().__post_init__()
        for name in ("data_folder", "artifacts_folder"):
            require_folder(name, getattr(self, name))
        tower, fit = self._with_preset("tower"), self._with_preset("fit")
        if tower.kind == "conv" and len(parse_widths(tower.widths)) < 2:
            raise BadSetting(
                f"tower.widths: expected filters and the embedding, such as 24-16-64-128, found {tower.widths!r}"
            )
        if fit.distance == "rt" and fit.prototype == "mean-map":
            raise BadSetting(
                "fit.prototype: expected mean-embedding for the RT distance, found mean-map, which has no V"
            )
        if self.evaluate.score == "patches" and tower.kind == "mlp":
            raise BadSetting("evaluate.score: expected tower.kind=conv for patches, found mlp; use fused or distance")
        if self.split.replay and fit.batches != "triplets":
            raise BadSetting(
                f"split.replay: expected fit.batches=triplets, as in preset notebook, found {fit.batches}: "
                "there are no triplets to split"
            )

    @property
    def data_path(self) -> Path:
        """The folder of the caches and stages."""
        return Path(self.data_folder)

    @property
    def stages_path(self) -> Path:
        """The folder of the stages, below that of the data."""
        return self.data_path / "stages"

    @property
    def artifacts_path(self) -> Path:
        """The folder of the releases and drafts."""
        return Path(self.artifacts_folder)

    def resolved(self) -> RunConfig:
        """The same run with every None of tower and fit filled in from the preset."""
        return replace(self, tower=self._with_preset("tower"), fit=self._with_preset("fit"))

    def _with_preset(self, name: Literal["tower", "fit"]) -> Any:
        settings = getattr(self, name)
        values = PRESETS[self.preset][name].items()
        return replace(settings, **{key: value for key, value in values if getattr(settings, key) is None})

    def fingerprint_fields(self) -> dict[str, Any]:
        """What can change the result, as plain values: no folder or address, no source's name, no wording, no cost."""
        values = dataclasses.asdict(self.resolved())
        for name in (*PLACES, "preset", "cost", "report", "engine", "zero"):
            values.pop(name)
        sections = {name: getattr(self, name).fingerprint_fields() for name in ("data", "split", "evaluate", "gate")}
        return values | sections
