"""The settings of a run: frozen dataclasses whose fields explain and check themselves.

Every field carries its title, description and bounds, from which the command's help, the README
table and the form in the Prefect UI are made. A field of `None` in `Tower` and `Fit` means "as the
preset says"; `Retrain.resolved()` fills those in.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tasks.config.fields import ValidatedConfig, require_scheduler, section, setting
from tasks.config.model import PRESETS, TowerConfig, TrainingConfig, parse_widths
from tasks.core.errors import BadSetting

LANGUAGES = ("en", "ja")
DATA_FOLDER, ARTIFACTS_FOLDER = "data", "artifacts"  # below the working folder, unless the run says otherwise


@dataclass(frozen=True)
class DataConfig(ValidatedConfig):
    """How the source's tables are read."""

    rows: int = setting(36, "Rows of a map", 1, 4096)
    cols: int = setting(39, "Columns of a map", 1, 4096)
    good: str = setting("0", "The label of a good part; 'none' where the data has no good parts")
    group: str = setting("group", "Optional column (lot, board, part) whose records stay on one side of every split")
    config: str | None = setting(None, "Configuration of the Hub dataset, where it has several")
    part: str | None = setting(None, "Split of the Hub dataset to read; by default train (for --test: test)")
    most_records: int = setting(5_000_000, "Rows of a source beyond which it is refused unread", 1, 10**12)
    most_bytes: int = setting(64 * 2**30, "Bytes of a source, unpacked, beyond which it is refused", 1, 10**15)

    def fingerprint_fields(self) -> dict[str, Any]:
        """What can change what is read; the bounds can only refuse it."""
        return {name: value for name, value in dataclasses.asdict(self).items() if not name.startswith("most_")}


@dataclass(frozen=True)
class SplitConfig(ValidatedConfig):
    """Shares of the records; they are scaled to sum to one."""

    train: float = setting(0.65, "Share of the records to train on", 0.05, 1)
    stop: float = setting(0.05, "Share for early stopping", 0.01, 0.9)
    calibrate: float = setting(0.15, "Share for calibrating the thresholds", 0.01, 0.9)
    test: float = setting(0.15, "Share for the test, opened once; unused with --test", 0.01, 0.9)
    unit: Literal["group", "record"] = setting(
        "group", "What stays on one side: groups, or single records (for groups, only where --test brings others)"
    )
    seed: int = setting(42, "Seed of the split alone: keep it, or the champion has seen the new test", 0, 2**31 - 1)


@dataclass(frozen=True)
class TripletsConfig(ValidatedConfig):
    """How triplets are made."""

    per_record: int = setting(2, "Triplets generated for each record, where the data brings none", 1, 1000)
    replace_crossing: bool = setting(
        True, "Give a wide triplet that crosses the split a new negative on the positive's side"
    )


@dataclass(frozen=True)
class EvaluateConfig(ValidatedConfig):
    """How the model is judged."""

    rule: Literal["target_fpr", "youden", "max_f1", "min_precision", "min_recall"] = setting(
        "target_fpr", "Rule of the good-or-defect threshold"
    )
    target: float = setting(
        0.05, "The rule's target: false positive rate, or least precision or recall", 0.0001, 0.9999
    )
    bootstrap: int = setting(1000, "Bootstrap samples of records behind each interval", 100, 100000)
    confidence: float = setting(0.95, "Confidence of the intervals", 0.5, 0.999)
    most_records: int = setting(
        60_000, "Records that are judged, drawn at random where there are more; memory is 20 kB for each", 1000, 10**12
    )
    score: Literal["distance", "fused"] = setting(
        "distance", "What tells good from defect: the distance to good, or its rank and that of the map's peak added"
    )
    unseen: bool = setting(False, "Leave each defect mode out in turn and train anew: how are unknown defects judged?")
    permutation: bool = setting(False, "Deal the modes out anew and train: an honest judgement then gives 0.5")
    dask: str | None = setting(
        None, "Dask scheduler that takes these trainings over, such as tcp://10.0.0.5:8786; else one after the other"
    )

    def __post_init__(self) -> None:
        """Raise BadSetting for what is no scheduler's address, too."""
        super().__post_init__()
        require_scheduler(self.dask, "evaluate.dask")

    def cluster(self) -> str | None:
        """The scheduler to which trainings go, where there are any."""
        return self.dask if self.unseen or self.permutation else None

    def fingerprint_fields(self) -> dict[str, Any]:
        """What can change a judgement, and not where it is made."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name != "dask"}


@dataclass(frozen=True)
class GateConfig(ValidatedConfig):
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


@dataclass(frozen=True)
class CostConfig(ValidatedConfig):
    """What mistakes cost on the line; nothing here changes a model or a figure, and what is None is not known."""

    prevalence: float | None = setting(None, "Share of defective parts on the line", 0, 1)
    escape: float | None = setting(None, "Cost of a defect that passes as good", 0, 1e12)
    overkill: float | None = setting(None, "Cost of a good part that is stopped", 0, 1e12)
    currency: str = setting("", "What the costs are in, such as EUR")


@dataclass(frozen=True)
class ReportConfig(ValidatedConfig):
    """How the results are told; nothing here changes a model or a figure."""

    language: Literal["en", "ja"] = setting("en", "Language of reports, cards and the artifacts in Prefect's UI")


@dataclass(frozen=True)
class RunConfig(ValidatedConfig):
    """One retraining: the sources, the preset and every setting."""

    train: str = setting("demo", "Training source: org/name[@revision] on the Hub, a folder, or demo")
    test: str | None = setting(None, "Separate test source; without it a part of the training source is held out")
    revision: str | None = setting(None, "Branch, tag or commit of the training source; main by default")
    preset: Literal["best", "rt", "notebook"] = setting("best", "Named set of values for what is None in tower and fit")
    seed: int = setting(42, "Seed of the triplets, the weights and the batches", 0, 2**31 - 1)
    data_folder: str = setting(DATA_FOLDER, "Folder of the caches and stages")
    artifacts_folder: str = setting(ARTIFACTS_FOLDER, "Folder of the releases and drafts")
    data: DataConfig = section(DataConfig, "How the tables are read")
    split: SplitConfig = section(SplitConfig, "How the records are split")
    triplets: TripletsConfig = section(TripletsConfig, "How triplets are made")
    tower: TowerConfig = section(TowerConfig, "The network that embeds a map; None is as the preset says")
    fit: TrainingConfig = section(TrainingConfig, "How the network is trained; None is as the preset says")
    evaluate: EvaluateConfig = section(EvaluateConfig, "How the model is judged")
    gate: GateConfig = section(GateConfig, "What a model must show to be released")
    cost: CostConfig = section(CostConfig, "What mistakes cost on the line")
    report: ReportConfig = section(ReportConfig, "How the results are told")

    def __post_init__(self) -> None:
        """Raise BadSetting for settings that do not go together, too."""
        super().__post_init__()
        tower, fit = self._filled("tower"), self._filled("fit")
        if tower.kind == "conv" and len(parse_widths(tower.widths)) < 2:
            raise BadSetting(
                f"tower.widths: expected filters and the embedding, such as 24-32-64-128, found {tower.widths!r}"
            )
        if fit.distance == "rt" and fit.prototype == "mean-map":
            raise BadSetting(
                "fit.prototype: expected mean-embedding for the RT distance, found mean-map, which has no V"
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
        return replace(self, tower=self._filled("tower"), fit=self._filled("fit"))

    def _filled(self, name: str) -> Any:
        own = getattr(self, name)
        return replace(own, **{key: v for key, v in PRESETS[self.preset][name].items() if getattr(own, key) is None})

    def fingerprint_fields(self) -> dict[str, Any]:
        """What can change the result, as plain values: no folder or address, no source's name, no wording, no cost."""
        values = dataclasses.asdict(self.resolved())
        for name in ("train", "test", "revision", "data_folder", "artifacts_folder", "preset", "cost", "report"):
            values.pop(name)
        return values | {"data": self.data.fingerprint_fields(), "evaluate": self.evaluate.fingerprint_fields()}
