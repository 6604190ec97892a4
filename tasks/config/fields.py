"""Fields that explain and check themselves: what the settings of a run are made of."""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from dataclasses import field
from typing import Any, ClassVar, Literal

from tasks.core.errors import BadSetting


def setting(default: Any, description: str, least: float | None = None, most: float | None = None) -> Any:
    """A dataclass field with its description and inclusive bounds."""
    extra = {key: value for key, value in (("minimum", least), ("maximum", most)) if value is not None}
    metadata = {"description": description, "least": least, "most": most, "json_schema_extra": extra}
    return field(default=default, metadata=metadata)


def section(kind: type, description: str) -> Any:
    """A dataclass field that holds a group of settings."""
    return field(default_factory=kind, metadata={"description": description})


def allowed_values(annotation: Any) -> tuple[Any, ...]:
    """The types (or, for a Literal, the values) that an annotation names, None included."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return tuple(part for option in typing.get_args(annotation) for part in allowed_values(option))
    if typing.get_origin(annotation) is Literal:
        return typing.get_args(annotation)
    return (annotation,)


def require_scheduler(address: str | None, word: str) -> None:
    """Raise BadSetting for what cannot be the address of a Dask scheduler."""
    if address is not None and not re.fullmatch(r"(tcp|tls|ws|wss|ucx)://[^\s/]+:[0-9]+", address):
        raise BadSetting(f"{word} {address}: expected a scheduler's address such as tcp://127.0.0.1:8786")


class ValidatedConfig:
    """Checks every field against its annotation and bounds; raises BadSetting."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # Prefect's form and API would drop unknown keys silently

    def __post_init__(self) -> None:
        """Raise BadSetting for the first field of the wrong type or out of bounds."""
        hints = typing.get_type_hints(type(self))
        for part in dataclasses.fields(self):
            self._check_type(part, allowed_values(hints[part.name]))
            self._check_bounds(part)

    def _check_type(self, part: dataclasses.Field, options: tuple[Any, ...]) -> None:
        value = getattr(self, part.name)
        kinds = tuple(option for option in options if isinstance(option, type))
        whole = isinstance(value, int) and not isinstance(value, bool)
        if whole and float in kinds and int not in kinds:
            object.__setattr__(self, part.name, float(value))
        elif not (bool in kinds if isinstance(value, bool) else _named(value, options) or isinstance(value, kinds)):
            expected = " or ".join(_printable(option) for option in options)
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


def _printable(option: Any) -> str:
    """A type or value as the message names it: None is typed as `none`."""
    return "none" if option is type(None) else getattr(option, "__name__", repr(option))


def require_path(name: str, value: str, known: str) -> None:
    """Raise BadSetting where `value` has not the form `module:name`."""
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", value):
        raise BadSetting(f"{name}: expected {known}, or module:name of one's own, found {value!r}")
