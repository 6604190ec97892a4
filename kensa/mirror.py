"""Artifacts and data at an address: a command works in this machine's copy, fetched before it and sent after it.

    kensa retrain --train org/name --artifacts s3://factory/boards --data s3://factory/boards

The address is a store as `kensa store` fills it (tasks/registry/sync.py). The copy lies below KENSA_MIRRORS, by default
~/.cache/kensa/mirrors, and stays, so that the next command fetches only what is new.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.core.errors import BadSetting, ChampionMoved
from tasks.core.files import digest_of, ensure_writable, translate_disk_errors, write_bytes
from tasks.core.progress import note_line

MIRRORS = "KENSA_MIRRORS"


def address_of(path: Path | str) -> str | None:
    """The address that was typed as an option, of which Path has taken a slash; None for a folder."""
    scheme, colon, rest = str(path).partition(":")
    if not colon or not re.fullmatch(r"[a-z][a-z0-9+.-]+", scheme) or not rest.startswith("/"):
        return None
    return f"{scheme}://{'/' if scheme == 'file' else ''}{rest.lstrip('/')}"


@contextlib.contextmanager
def local_copies(options: dict[str, Any]) -> Iterator[None]:
    """Put folders in the place of addresses among a command's options; what the command has done is sent after it.

    options: changed in place. Raises BadSetting where data and artifacts are at two addresses, ChampionMoved where
    another machine has moved the champion during the command, and what a store does.
    """
    address = address_of(options["artifacts"]) if options.get("artifacts") else None
    data = address_of(options["data"]) if options.get("data") else None
    if data is not None and data != address:
        place = address or "a folder"
        raise BadSetting(
            f"--data {data}: expected --artifacts at the same address, found {place}; give both, or a folder"
        )
    if address is None:
        yield
        return
    mirror = _Mirror(address, shares_data=data is not None)
    mirror.fetch()
    options["artifacts"] = mirror.artifacts
    if data is not None:
        options["data"] = mirror.folder / "data"
    yield
    mirror.send()


class _Mirror:
    """This machine's copy of what is at an address."""

    def __init__(self, address: str, shares_data: bool) -> None:
        default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kensa" / "mirrors"
        root = ensure_writable(Path(os.environ.get(MIRRORS) or default))
        self.address, self.folder = address, ensure_writable(root / digest_of(address)[:16])
        self.artifacts = ensure_writable(self.folder / "artifacts")
        self.data = ensure_writable(self.folder / "data") if shares_data else None
        write_bytes(self.folder / "address.txt", f"{address}\n".encode())

    def fetch(self) -> None:
        """Fetch what is new; a command that was killed before it could send what it did is finished first."""
        from tasks.registry.sync import is_filled, pull
        from tasks.review.shared_decisions import pull_decisions

        if not is_filled(self.address):
            return
        try:
            pull(self.data, self.artifacts, self.address)
        except ChampionMoved:
            self._finish_earlier()
            pull(self.data, self.artifacts, self.address)
        pull_decisions(self.artifacts, self.address)

    def send(self) -> None:
        """Send what is new; where another machine was first, set the copy of the artifacts aside and say so."""
        from tasks.registry.champion import champion_state
        from tasks.registry.sync import push
        from tasks.review.shared_decisions import push_decisions

        if champion_state(self.artifacts).champion is None:
            note_line(f"{self.address}: nothing was sent, because there is no release yet")
            return
        try:
            push(self.data, self.artifacts, self.address)
        except ChampionMoved as error:
            raise ChampionMoved(
                f"{error}; what was done here is kept in {self._set_aside()}, and was not sent: run the command again"
            ) from None
        push_decisions(self.artifacts, self.address)

    def _finish_earlier(self) -> None:
        try:
            self.send()
        except ChampionMoved as error:
            note_line(str(error).removesuffix(": run the command again"))

    def _set_aside(self) -> Path:
        now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        with translate_disk_errors(self.artifacts):
            kept = self.artifacts.rename(self.artifacts.with_name(f"artifacts-{now}"))
            self.artifacts.mkdir()
        return kept
