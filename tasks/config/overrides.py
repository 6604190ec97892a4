"""Settings as text: `--set key=value` words, and the files that hold a run."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import operator
from collections.abc import Iterable, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.config.fields import ValidatedConfig, allowed_values
from tasks.config.run import RunConfig
from tasks.config.toml_file import read_toml
from tasks.core.errors import BadSetting
from tasks.core.text import one_line

OPTIONS = {"train", "test", "revision", "preset", "data_folder", "artifacts_folder"}  # not for --set
RUN_KEYS = {"train", "test", "preset", "set"}  # of a run in a file
NOT_IN_SET = {"train", "test", "preset", "revision"}  # there: keys of their own, or part of train


@functools.cache
def setting_fields() -> dict[str, dataclasses.Field]:
    """Every setting of a run by its dotted key, in the order of the form."""
    fields: dict[str, dataclasses.Field] = {}
    for part in dataclasses.fields(RunConfig):
        if part.default_factory is dataclasses.MISSING:
            fields[part.name] = part
        else:
            fields |= {f"{part.name}.{inner.name}": inner for inner in dataclasses.fields(part.default_factory)}
    return fields


def types_of(key: str) -> tuple[Any, ...]:
    """The types and values that the existing setting `key` takes."""
    holder, name = _holder(RunConfig(), key)
    return allowed_values(type(holder), name)


def read_value(config: RunConfig, key: str) -> Any:
    """The value of the existing setting `key`."""
    return operator.attrgetter(key)(config)


def _holder(config: RunConfig, key: str) -> tuple[ValidatedConfig, str]:
    """The section that holds a setting, or the run itself, and the setting's name there."""
    section, _, name = key.rpartition(".")
    return (getattr(config, section) if section else config), name


def to_overrides(config: RunConfig) -> list[str]:
    """The `key=value` words that turn a run with the same source, preset and folders into `config`."""
    default = RunConfig()
    values = {key: read_value(config, key) for key in setting_fields() if key not in OPTIONS}
    return [
        f"{key}={'none' if value is None else value}"
        for key, value in values.items()
        if value != read_value(default, key)
    ]


def apply_overrides(config: RunConfig, words: Iterable[str]) -> RunConfig:
    """`config` with every `key=value` of `words` applied, the last wins; BadSetting names key, value and cure."""
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise BadSetting(f"--set {word}: expected key=value, such as --set fit.epochs=5")
        config = _apply_override(config, key.strip(), text.strip())
    return config


def _apply_override(config: RunConfig, key: str, text: str) -> RunConfig:
    fields = setting_fields()
    if key not in fields:
        near = difflib.get_close_matches(key, fields, n=3, cutoff=0.3) or sorted(fields)
        raise BadSetting(f"--set {key}: unknown setting; did you mean {', '.join(near)}?")
    holder, name = _holder(config, key)
    try:
        changed = replace(holder, **{name: parse(text, allowed_values(type(holder), name))})
    except BadSetting as error:
        raise BadSetting(f"--set {key}={text}: {error}") from None
    return changed if holder is config else replace(config, **{key.partition(".")[0]: changed})


def parse(text: str, options: tuple[Any, ...]) -> Any:
    """`text` as the first of the types or values `options` that it fits.

    Text that fits none of the types stays text, so that the field's own check names what it expected.
    """
    if type(None) in options and text.lower() in ("none", ""):
        return None
    if bool in options and text.lower() in ("true", "false"):
        return text.lower() == "true"
    for value in options:
        if not isinstance(value, type) and text == str(value):
            return value
    for kind in (int, float):
        if kind in options:
            try:
                return kind(text)
            except ValueError:
                continue
    return text


def read_run(path: Path) -> RunConfig:
    """The run of a settings file: the keys of RUN_KEYS at its top; BadSetting."""
    where = f"--settings {path}"
    try:
        return parse_run(where, read_toml(path, where))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadSetting(f"{where}: cannot be read: {one_line(error)}") from None


def _with_joined_sources(table: Any) -> Any:
    """The table with a list of sources as one text, as `RunConfig` has them."""
    if not isinstance(table, dict):
        return table
    lists = {key: table[key] for key in ("train", "test") if isinstance(table.get(key), list)}
    joined = {key: "; ".join(value) for key, value in lists.items() if all(isinstance(text, str) for text in value)}
    return table | joined


def parse_run(where: str, table: Any, other_keys: Set[str] = frozenset()) -> RunConfig:
    """The run of a table of a TOML file, which may hold `other_keys` beside; BadSetting says where it is wrong."""
    keys = RUN_KEYS | other_keys
    table = _with_joined_sources(table)
    if not isinstance(table, dict) or not set(table) <= keys or not isinstance(table.get("train"), str):
        raise BadSetting(f"{where}: expected train and, optionally, {', '.join(sorted(keys - {'train'}))}")
    words = table.get("set", [])
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise BadSetting(f'{where}: expected set as a list such as ["fit.epochs=5"], found {words!r}')
    if surplus := {word.partition("=")[0].strip() for word in words} & NOT_IN_SET:
        raise BadSetting(f"{where}: expected no {', '.join(sorted(surplus))} in set; give train, test, preset as keys")
    options = {key: value for key, value in table.items() if key in RUN_KEYS - {"set"}}
    try:
        return apply_overrides(RunConfig(**options), words)
    except BadSetting as error:
        raise BadSetting(f"{where}: {str(error).replace('--set ', 'set ')}") from None
