"""Frozen records from their JSON form, and back; JSON has lists where records have tuples."""

from __future__ import annotations

import functools
from dataclasses import asdict, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

Json = dict[str, Any]  # an object as `json.loads` returns it


def present_fields(record: Any) -> Json:
    """The fields of a record that are not None, as plain values."""
    return {name: value for name, value in asdict(record).items() if value is not None}


def record_of(kind: type, entries: Json) -> Any:
    """A record of the dataclass `kind`.

    Keys that it does not have are left out; a missing key must have a default. Raises TypeError otherwise.
    """
    hints = _type_hints(kind)
    return kind(
        **{item.name: value_of(hints[item.name], entries[item.name]) for item in fields(kind) if item.name in entries}
    )


_type_hints = functools.cache(get_type_hints)  # a manifest is read for each line of `kensa releases`


def value_of(kind: Any, value: Any) -> Any:
    """A JSON value as the type says: a record, a tuple, or a list or dictionary of such; anything else as it is."""
    if value is None:
        return None
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return value_of(next(choice for choice in arguments if choice is not NoneType), value)
    if origin in (tuple, list):
        return origin(value_of(arguments[0], item) for item in value)
    if origin is dict:
        return {name: value_of(arguments[1], item) for name, item in value.items()}
    if is_dataclass(kind):
        return kind.from_json(value) if hasattr(kind, "from_json") else record_of(kind, value)
    return value
