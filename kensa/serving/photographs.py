"""The photographs of a request's body: one as it is, or several as multipart/form-data, measured by a standard.

Their decoders are native code that reads what strangers wrote: all of it happens in a process that may end.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from kensa.serving.bodies import MOST_NAME, MULTIPART, Parts, Refused

MOST_PHOTOGRAPHS = 100  # of one request: each takes some milliseconds


def read_photographs(content_type: str, body: bytes, standard: Path) -> Parts:
    """The maps of a body's photographs, their file names, and which were aligned with the standard; raises Refused."""
    kind = content_type.partition(";")[0].strip().lower()
    named = _read_multipart(content_type, body) if kind == MULTIPART else [(None, body)]
    if not named:
        raise Refused(422, "expected at least one photograph, found none")
    measure, measured = _standard(standard).measure, []
    for number, (name, content) in enumerate(named):
        try:
            measured.append(measure(content))
        except ValueError as error:
            raise Refused(422, f"photograph {number}{f' ({name})' if name else ''}: {error}") from None
    maps = np.stack([each.map.ravel() for each in measured])
    names = [name for name, _ in named] if kind == MULTIPART else None
    return Parts(maps, names, [each.registered for each in measured])


@functools.lru_cache(maxsize=2)  # a release, and the one before it
def _standard(path: Path) -> Any:
    from tasks.scoring.standalone_photographs import Standard  # it imports OpenCV, which is an extra

    return Standard(path)


def _read_multipart(content_type: str, body: bytes) -> list[tuple[str | None, bytes]]:
    """Name and content of each file of a form, whatever its field is called; raises Refused."""
    from python_multipart import create_form_parser
    from python_multipart.exceptions import FormParserError

    files: list[tuple[str | None, bytes]] = []

    def add(file: Any) -> None:
        if len(files) == MOST_PHOTOGRAPHS:
            raise Refused(413, f"expected at most {MOST_PHOTOGRAPHS} photographs in one request; send several")
        file.file_object.seek(0)
        files.append((_name(file.file_name), file.file_object.read()))
        file.close()

    def refuse(field: Any) -> None:
        raise Refused(422, "expected files alone in the form, found a field without a file name")

    headers, memory = {"Content-Type": content_type.encode("latin-1", "replace")}, {"MAX_MEMORY_FILE_SIZE": len(body)}
    try:
        parser = create_form_parser(headers, refuse, add, config=memory)
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError, KeyError):
        raise Refused(400, "body: expected multipart/form-data with its boundary, found something else") from None
    return files


def _name(name: bytes | None) -> str | None:
    text = (name or b"").decode("utf-8", "replace").replace("\\", "/").rpartition("/")[2]
    if len(text) > MOST_NAME:
        raise Refused(422, f"expected names of at most {MOST_NAME} characters, found a longer one")
    return text or None
