"""Turns `--set key=value` words into a checked `Retrain`."""

from __future__ import annotations

import dataclasses
import difflib
import operator
import tomllib
import typing
from collections.abc import Set
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.config.fields import ValidatedConfig, allowed_values
from tasks.config.run import RunConfig
from tasks.core.errors import BadSetting

OPTIONS = {"train", "test", "revision", "preset", "data_folder", "artifacts_folder"}  # not for --set


def setting_fields() -> dict[str, dataclasses.Field]:
    """Every setting of a run by its dotted key, in the order of the form."""
    found: dict[str, dataclasses.Field] = {}
    for part in dataclasses.fields(RunConfig):
        if part.default_factory is dataclasses.MISSING:
            found[part.name] = part
        else:
            found |= {f"{part.name}.{inner.name}": inner for inner in dataclasses.fields(part.default_factory)}
    return found


def types_of(key: str) -> set[Any]:
    """The types and values that the setting `key`, a known one, takes."""
    place, _, name = key.rpartition(".")
    holder = type(getattr(RunConfig(), place)) if place else RunConfig
    return set(allowed_values(typing.get_type_hints(holder)[name]))


def read_value(config: RunConfig, key: str) -> Any:
    """The value of the setting `key`, a known one."""
    return operator.attrgetter(key)(config)


def to_overrides(config: RunConfig) -> list[str]:
    """The `key=value` words that make `config` from one with its source, preset and folders alone."""
    plain, words = RunConfig(), []
    for key in setting_fields():
        if key in OPTIONS:
            continue
        value = read_value(config, key)
        if value != read_value(plain, key):
            words.append(f"{key}={'none' if value is None else value}")
    return words


def apply_overrides(config: RunConfig, words: list[str]) -> RunConfig:
    """`config` with every `key=value` of `words` applied; BadSetting names key, value and cure."""
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise BadSetting(f"--set {word}: expected key=value, such as --set fit.epochs=5")
        config = _apply_one(config, key.strip(), text.strip())
    return config


def _apply_one(config: RunConfig, key: str, text: str) -> RunConfig:
    if key not in setting_fields():
        near = difflib.get_close_matches(key, setting_fields(), n=3, cutoff=0.3) or sorted(setting_fields())
        raise BadSetting(f"--set {key}: unknown setting; did you mean {', '.join(near)}?")
    place, _, name = key.rpartition(".")
    holder = getattr(config, place) if place else config
    try:
        changed = replace(holder, **{name: parse(text, type(holder), name)})
    except BadSetting as error:
        raise BadSetting(f"--set {key}={text}: {error}") from None
    return replace(config, **{place: changed}) if place else changed


def parse(text: str, holder: type[ValidatedConfig], name: str) -> Any:
    """`text` as the type that the field `name` of `holder` is annotated with.

    Text that fits none of the types stays text, so that the field's own check names what it expected.
    """
    options = allowed_values(typing.get_type_hints(holder)[name])
    if type(None) in options and text.lower() in ("none", ""):
        return None
    if bool in options and text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        if kind in options:
            try:
                return kind(text)
            except ValueError:
                continue
    return text


RUN_KEYS = {"train", "test", "preset", "set"}


RUN_KEYS_NOT_SETTINGS = {"train", "test", "preset", "revision"}  # no settings here: keys of their own, or part of train


def read_run(path: Path) -> RunConfig:
    """The run that a settings file asks for, with the keys of one line at its top; BadSetting."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSetting(f"--settings {path}: cannot be read: {error}") from None
    return _parse_run(f"--settings {path}", told)


def _parse_run(where: str, told: Any, also: Set[str] = frozenset()) -> RunConfig:
    known = RUN_KEYS | also
    if not isinstance(told, dict) or not set(told) <= known or not isinstance(told.get("train"), str):
        raise BadSetting(f"{where}: expected train and, at will, {', '.join(sorted(known - {'train'}))}")
    words = told.get("set", [])
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise BadSetting(f'{where}: expected set as a list such as ["fit.epochs=5"], found {words!r}')
    if surplus := {word.partition("=")[0].strip() for word in words} & RUN_KEYS_NOT_SETTINGS:
        raise BadSetting(f"{where}: expected no {', '.join(sorted(surplus))} in set; give train, test, preset as keys")
    try:
        return apply_overrides(
            RunConfig(**{key: value for key, value in told.items() if key in RUN_KEYS - {"set"}}), words
        )
    except BadSetting as error:
        raise BadSetting(f"{where}: {str(error).replace('--set ', 'set ')}") from None
