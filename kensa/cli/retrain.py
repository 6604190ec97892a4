"""`kensa retrain`, and the options of a run that `kensa sweep` has too."""

from __future__ import annotations

from dataclasses import Field, replace
from pathlib import Path
from typing import Any

from typer import Option

from kensa.cli.command import Rows, with_examples
from kensa.cli.options import ARTIFACTS, AS_JSON, DATA, SOURCE_FORMS
from kensa.cli.terminal import print_result, print_table
from tasks.config.model import PRESETS
from tasks.config.overrides import OPTIONS, apply_overrides, read_run, setting_fields, types_of
from tasks.config.run import PresetName, RunConfig
from tasks.core.errors import BadSetting
from tasks.core.results import RetrainResult
from tasks.report.notice import DETECTION_UNKNOWN
from tasks.sources.address import join_sources, split_sources

METRICS = ("auroc", "mode_accuracy", "good_auroc", "good_accuracy", "angular_accuracy_at_0.5")
EXTRA_METRICS = {  # of extra trainings, where they were asked for
    "unseen_good_auroc": "unseen modes, good auroc, mean",
    "unseen_caught": "unseen modes, caught at the threshold",
    "permutation_auroc": "modes permuted, auroc, mean",
    "cross_good_tpr": "every group tested once, defects caught",
    "cross_good_fpr": "every group tested once, good parts stopped",
}

TRAIN = Option(
    [], metavar="SOURCE", help=f"Training source: {SOURCE_FORMS}; repeat it for more.", show_default=RunConfig.train
)
TEST = Option(
    [], metavar="SOURCE", help="Separate test source; repeat it for more.", show_default="a part of the training source"
)
REVISION = Option(None, metavar="REV", help="Branch, tag or commit of the training source.", show_default="main")
PRESET = Option(None, help="Values of the network's and the training's settings.", show_default=RunConfig.preset)
SETTINGS_FILE = Option(
    None, "--settings", metavar="FILE", help="A run as a file, such as a sweep's best.toml; options override it."
)
SETTINGS = Option(
    [], "--set", metavar="key=value", help="A setting, such as fit.epochs=5; repeat it for more settings."
)


def setting_rows() -> Rows:
    """Every setting for `--set` with its description, its choices and its default."""
    fields = setting_fields().items()
    return [(key, _with_default(key, field)) for key, field in fields if key not in OPTIONS]


def _with_default(key: str, field: Field) -> str:
    """The description with the choices and the default, which may stand in the description already."""
    types, description = types_of(key), field.metadata["description"]
    choices = "|".join(["true", "false"] if bool in types else [option for option in types if isinstance(option, str)])
    default = _preset_default(key) if key.startswith(("tower.", "fit.")) else _as_typed(field.default)
    facts = [choices, "" if "default: " in description else f"default: {default}"]
    return f"{description}  [{'; '.join(filter(None, facts))}]".removesuffix("  []")


def _preset_default(key: str) -> str:
    """The value of the presets: one for all, or each with those that have it."""
    section, name = key.split(".")
    names: dict[str, list[str]] = {}
    for preset, values in PRESETS.items():
        names.setdefault(_as_typed(values[section][name]), []).append(preset)
    if len(names) == 1:
        return next(iter(names))
    return ", ".join(f"{value} ({' and '.join(presets)})" for value, presets in names.items())


def _as_typed(value: Any) -> str:
    """The value as `--set` takes it."""
    if value in (None, ""):
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


@with_examples(
    "kensa retrain --train acme/boards",
    "kensa retrain --train s3://factory/boards --train ./night-shift.csv",
    "kensa retrain --train ./boards --test ./night-shift --set fit.epochs=20 --set report.language=ja",
    **{"Settings for --set": setting_rows},
)
def retrain(
    train: list[str] = TRAIN,
    test: list[str] = TEST,
    revision: str | None = REVISION,
    preset: PresetName | None = PRESET,
    settings_file: Path | None = SETTINGS_FILE,
    settings: list[str] = SETTINGS,
    data: Path = DATA,
    artifacts: Path = ARTIFACTS,
    as_json: bool = AS_JSON,
) -> None:
    """Train a model, and release it if it passes the gate.

    Nothing is trained where the same data and settings were evaluated before: then the status is unchanged.
    """
    from kensa.runs import retrain_with

    options = {"train": train, "test": test, "revision": revision, "preset": preset}
    result = retrain_with(configure_run(options, settings_file, settings, data, artifacts))
    print_result(result, as_json, _print_result)


def configure_run(
    options: dict[str, Any], settings_file: Path | None, settings: list[str], data: Path, artifacts: Path
) -> RunConfig:
    """The run of a settings file, with the options that were typed; raises BadSetting."""
    for word in settings:
        if word.partition("=")[0].strip() in OPTIONS:
            raise BadSetting(f"--set {word}: expected it as an option; see kensa retrain --help")
    config = read_run(settings_file) if settings_file else RunConfig()
    typed = {name: value for name, value in options.items() if value not in (None, [])}
    typed |= {name: join_sources(typed[name]) for name in ("train", "test") if name in typed}
    config = replace(config, **typed, data_folder=str(data), artifacts_folder=str(artifacts))
    if config.revision and len(split_sources(config.train)) > 1:
        raise BadSetting("--revision: expected one training source, found several; write each as org/name@revision")
    return apply_overrides(config, settings)


def _print_result(result: RetrainResult) -> None:
    print(f"{result.status}: {result.release or 'no release'}  ({result.path})")
    if result.comparison and result.comparison.get("escapes"):
        print(f"  {result.comparison['rates']}")
    if result.status == "candidate":
        print(f"  {result.release} waits for approval: kensa approve {result.release} --reason TEXT, or --refuse")
    for reason in result.reasons:
        print(f"  {reason}")
    if "auroc" not in result.metrics:
        print(f"  {DETECTION_UNKNOWN}: made from good parts alone, without training")
    rows = _error_rows(result)
    rows += [(name.replace("_", " "), f"{result.metrics[name]:.3f}") for name in METRICS if name in result.metrics]
    rows += [(title, f"{result.metrics[name]:.3f}") for name, title in EXTRA_METRICS.items() if name in result.metrics]
    rows += [("champion", result.champion or "none yet"), ("report", str(Path(result.path) / "report.html"))]
    print_table(rows)


def _error_rows(result: RetrainResult) -> list[tuple[str, str]]:
    """The shares of defects passed and of good parts stopped at the threshold, if both were evaluated."""
    tpr, fpr = (result.metrics.get(name) for name in ("good_tpr", "good_fpr"))
    if fpr is None:
        return []
    return [("escapes", "unknown" if tpr is None else f"{1 - tpr:.3f}"), ("false alarms", f"{fpr:.3f}")]
