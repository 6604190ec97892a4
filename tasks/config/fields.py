"""Settings that describe and check themselves: dataclass fields with a description and bounds.

By hand, not by pydantic: a frozen pydantic dataclass checks the same in about as many lines (its errors need a
translation into one line), but it adds 0.27 s to the 0.09 s that the settings take at the start of every command,
and one more package to a machine that only trains. Prefect's form reads descriptions and bounds from here.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import types
import typing
from dataclasses import field
from typing import Any, ClassVar, Literal

from tasks.core.errors import BadSetting

BOUND_WORDS = {"minimum": "at least", "maximum": "at most"}


def setting(default: Any, description: str, minimum: float | None = None, maximum: float | None = None) -> Any:
    """A dataclass field with its description and inclusive bounds, both by the names of JSON schemas."""
    bounds = {name: value for name, value in (("minimum", minimum), ("maximum", maximum)) if value is not None}
    return field(default=default, metadata={"description": description, "json_schema_extra": bounds})


def section(kind: type, description: str) -> Any:
    """A dataclass field that holds a group of settings."""
    return field(default_factory=kind, metadata={"description": description})


def form_title(kind: type) -> str:
    """A section's heading in the form of Prefect's UI: the name of its settings keys."""
    return getattr(kind, "FORM_TITLE", kind.__name__.removesuffix("Config"))


class ValidatedConfig:
    """Base of frozen dataclasses of settings: checks every field against its annotation and bounds."""

    # Prefect's form and API would drop unknown keys silently
    __pydantic_config__: ClassVar = {"extra": "forbid", "model_title_generator": form_title}

    def __post_init__(self) -> None:
        """Raise BadSetting for the first field of the wrong type or out of bounds; whole numbers become floats."""
        for part in dataclasses.fields(self):
            options, value = allowed_values(type(self), part.name), getattr(self, part.name)
            if type(value) is int and float in options and int not in options:
                value = float(value)  # 1 and 1.0 give the same digest
                object.__setattr__(self, part.name, value)
            _require_type(part.name, value, options)
            _require_bounds(part, value)


@functools.cache
def allowed_values(kind: type, name: str) -> tuple[Any, ...]:
    """The types (or, for a Literal, the values) that the field `name` of `kind` takes, NoneType included."""
    return _options(_type_hints(kind)[name])


_type_hints = functools.cache(typing.get_type_hints)  # it evaluates every annotation each time


def _options(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return tuple(value for option in typing.get_args(annotation) for value in _options(option))
    return typing.get_args(annotation) if typing.get_origin(annotation) is Literal else (annotation,)


def _require_type(name: str, value: Any, options: tuple[Any, ...]) -> None:
    kinds = tuple(option for option in options if isinstance(option, type))
    literals = tuple(option for option in options if not isinstance(option, type))
    fits = bool in kinds if isinstance(value, bool) else isinstance(value, kinds) or value in literals
    if not fits:
        expected = " or ".join(_printable(option) for option in options)
        raise BadSetting(f"{name}: expected {expected}, found {value!r}")


def _printable(option: Any) -> str:
    """A type or value as a message names it: None is typed as `none`."""
    return "none" if option is type(None) else getattr(option, "__name__", repr(option))


def _require_bounds(part: dataclasses.Field, value: Any) -> None:
    bounds = part.metadata.get("json_schema_extra")
    if not bounds or value is None:
        return
    if not bounds.get("minimum", value) <= value <= bounds.get("maximum", value):
        expected = " and ".join(f"{BOUND_WORDS[name]} {bound}" for name, bound in bounds.items())
        raise BadSetting(f"{part.name}: expected {expected}, found {value}")


def require_scheduler(address: str | None, word: str) -> None:
    """Raise BadSetting for what cannot be the address of a Dask scheduler."""
    if address is not None and not re.fullmatch(r"(tcp|tls|ws|wss|ucx)://[^\s/]+:[0-9]+", address):
        raise BadSetting(f"{word} {address}: expected a scheduler's address such as tcp://127.0.0.1:8786")


def require_cluster_address(address: str | None, word: str) -> None:
    """Raise BadSetting for what is neither the address of a Dask scheduler nor local:N."""
    if address is not None and not re.fullmatch(r"local:[1-9][0-9]{0,2}", address):
        try:
            require_scheduler(address, word)
        except BadSetting:
            raise BadSetting(
                f"{word} {address}: expected a scheduler's address such as tcp://127.0.0.1:8786, or local:2 for two "
                "processes of this machine"
            ) from None


def require_folder(name: str, value: str) -> None:
    """Raise BadSetting for an address: a run works in folders of its machine."""
    if "://" in value:
        raise BadSetting(
            f"{name} {value}: expected a folder; an address is for --artifacts and --data of a command, or kensa store"
        )


def require_path(name: str, value: str, builtin: str) -> None:
    """Raise BadSetting where `value`, which is none of the built-in ones, does not have the form `module:name`."""
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", value):
        raise BadSetting(f"{name}: expected {builtin}, or module:name of your own, found {value!r}")
