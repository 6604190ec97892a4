"""Verdicts as the body of an answer: JSON, or a stream of Arrow where the request accepts it."""

from __future__ import annotations

from typing import Any

import numpy as np

from kensa.serving.bodies import ARROW, JSON, Parts
from kensa.serving.served_release import NUMBERS, Verdicts


def answer_body(verdicts: Verdicts, parts: Parts, accepted: str) -> tuple[str, bytes]:
    """The media type and the bytes; `accepted` is the request's header Accept."""
    if ARROW in accepted:
        return ARROW, _arrow(verdicts, parts)
    from pydantic_core import to_json

    content = {"release": verdicts.release, "digest": verdicts.digest, "verdicts": _rows(verdicts, parts)}
    return JSON, to_json(content, inf_nan_mode="null")


def _rows(verdicts: Verdicts, parts: Parts) -> list[dict[str, Any]]:
    columns: dict[str, list[Any]] = {"row": list(range(len(verdicts)))}
    columns |= {"part": parts.names} if parts.names else {}
    columns |= {name: verdicts.columns[name].tolist() for name in ("verdict", "mode", *NUMBERS)}
    columns |= {"registered": parts.registered} if parts.registered else {}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _arrow(verdicts: Verdicts, parts: Parts) -> bytes:
    """The columns of `kensa score`'s table, with release and digest as metadata."""
    import pyarrow as pa

    columns: dict[str, Any] = {"row": np.arange(len(verdicts))}
    columns |= {"part": pa.array(parts.names, pa.string())} if parts.names else {}
    columns |= {name: pa.array(verdicts.columns[name], pa.string()) for name in ("verdict", "mode")}
    columns |= {name: verdicts.columns[name] for name in NUMBERS}
    columns |= {"registered": parts.registered} if parts.registered else {}
    metadata = {"release": verdicts.release, "digest": verdicts.digest}
    table = pa.table(columns).replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()
