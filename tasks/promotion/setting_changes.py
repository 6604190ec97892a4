"""The settings of a run that are not those of its champion: a difference between two models may come from these."""

from __future__ import annotations

from dataclasses import asdict

from tasks.config.run import RunConfig
from tasks.core.json_form import Json
from tasks.evaluation.evaluation_report import SettingChange

# Where data and results lie, how they are worded, and what can only refuse a source: no model differs by these.
PLACES = ("train", "test", "revision", "data_folder", "artifacts_folder", "evaluate.dask")
LEFT_OUT = (*PLACES, "data.most_", "cost.", "report.", "engine.")


def setting_changes(config: RunConfig, champion: Json) -> tuple[SettingChange, ...]:
    """Every setting that differs, by its key; champion: the settings in the champion's manifest.

    A champion of an earlier version lacks settings that came later: it was made with their defaults.
    """
    now = _flat(asdict(config.resolved()))
    defaults = _flat(asdict(RunConfig(preset=champion.get("preset", RunConfig.preset)).resolved()))
    then = defaults | _flat(champion)
    keys = [key for key in now if not key.startswith(LEFT_OUT) and now[key] != then[key]]
    return tuple(SettingChange(key, then[key], now[key]) for key in keys)


def _flat(settings: Json) -> Json:
    sections = {name: values for name, values in settings.items() if isinstance(values, dict)}
    nested = {f"{name}.{key}": value for name, values in sections.items() for key, value in values.items()}
    return {name: value for name, value in settings.items() if name not in sections} | nested
