"""The manifest of a release or rejected draft: a record whose form is checked when it is read.

Checked by hand: reading it with pydantic would double the time of `kensa releases` (docs/speed.md).
"""

from __future__ import annotations

import functools
import json
import operator
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import UnionType
from typing import Any, Self, get_args, get_origin, get_type_hints

from tasks.config.fingerprints import RELEASE_FORMAT
from tasks.core.errors import DamagedRelease, NewerRelease
from tasks.core.files import CHECKSUM_KEY
from tasks.core.sentences import code_of, read_sentences
from tasks.core.stages import MANIFEST, manifest_is_intact
from tasks.core.text import one_line
from tasks.sources.address import at_revision, hub_branches, join_sources

Form = dict[str, type | UnionType]
REQUIRED_KEYS = ("fingerprint", "status", "reasons", "compared_with", "metrics", "train", "test", "config", "files")
NOT_FIELDS = (CHECKSUM_KEY, "reason_codes")  # the codes become part of the reasons
LATER_KEYS = ("parent", "recalibrated", "enrolled", "made", "journal", "overruled", "zero")  # stored where they are set
SOURCE_FORM: Form = {"source": str, "revision": str}


@dataclass(frozen=True, kw_only=True)
class StoredRecord:
    """A record whose fields are the keys under which it is stored; more: keys that a later Kensa has added."""

    more: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, entries: dict[str, Any]) -> Self:
        """The record as it is stored."""
        names = {item.name for item in fields(cls)} - {"more"}
        values = {name: value for name, value in entries.items() if name in names}
        return cls(**values, more={name: value for name, value in entries.items() if name not in names})

    def as_json(self) -> dict[str, Any]:
        """The entries to store."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "more"} | self.more


@dataclass(frozen=True, kw_only=True)
class SourceSummary(StoredRecord):
    """A pinned source, and how many records, modes and triplets to train on it held; None where that is not stored.

    sources: of several, the `source`, `kind` and `revision` of each.
    """

    source: str
    kind: str | None = None
    revision: str
    source_kind: str | None = None
    records: int | None = None
    modes: int | None = None
    triplets: int | None = None
    sources: list[dict[str, str]] | None = None

    @property
    def pinned(self) -> str:
        """The source with the revision of each dataset of the Hub in its name."""
        each = self.sources or [{"source": self.source, "kind": self.kind or "", "revision": self.revision}]
        hub = [at_revision(one["source"], one["revision"]) if one["kind"] == "hub" else one["source"] for one in each]
        return join_sources(hub)

    @property
    def hub_datasets(self) -> list[str]:
        """The datasets of the Hub that were read."""
        if self.kind not in ("hub", "several"):
            return []
        return list(dict.fromkeys(name for name, _ in hub_branches(self.source)))

    def as_json(self) -> dict[str, Any]:
        """The entries to store."""
        return {name: value for name, value in super().as_json().items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class FrozenSet(StoredRecord):
    """A frozen test set: its name, the SHA-256 of its records, how many there are, and of how many modes."""

    version: str
    digest: str
    records: int | None = None
    modes: int | None = None


@dataclass(frozen=True, kw_only=True)
class ReleaseManifest(StoredRecord):
    """What the manifest of a release or rejected draft says.

    version: the release's name, or the first digits of a draft's fingerprint; format: 1 before manifests had a
    checksum; status: `released`, `candidate` (released once a person approves it) or `rejected`; reasons: why a draft
    was rejected, as Sentences; compared_with: the champion of that time; metrics: name → number; comparison: the
    verdict on champion and challenger; config: all settings as they were stored; reading: the version by which the
    sources' files were read; stages: name → digest; weights: digest of the tower's weights; parent and recalibrated:
    of a release with another threshold, the release it was made from and what changed; enrolled: of one that learnt a
    mode or a lot without training, which and what it did (tasks/enrol.py); made: `by`, `why` and `run`,
    as in an Authorship; journal: how many entries the line's journal had, and the seal of the last as `head`;
    overruled: of a rejected draft that a person promoted, `by`, `why` and the name of the `draft`; its reasons stay;
    zero: of a model from good parts alone, how it was made (tasks/zero);
    files: name → SHA-256.
    """

    version: str = ""
    format: int = 1
    status: str
    reasons: tuple[str, ...]
    fingerprint: str
    created: str | None = None
    train: SourceSummary
    test: SourceSummary | None
    changes: dict[str, Any] | None = None
    metrics: dict[str, float]
    compared_with: str | None
    frozen: FrozenSet | None = None
    comparison: dict[str, Any] | None = None
    config: dict[str, Any]
    reading: int = 1
    stages: dict[str, str] = field(default_factory=dict)
    weights: str = ""
    packages: dict[str, str] = field(default_factory=dict)
    git_commit: str | None = None
    parent: dict[str, str] | str | None = None
    recalibrated: dict[str, Any] | None = None
    enrolled: dict[str, Any] | None = None
    made: dict[str, Any] | None = None
    journal: dict[str, Any] | None = None
    overruled: dict[str, Any] | None = None
    zero: dict[str, Any] | None = None
    files: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, entries: dict[str, Any]) -> ReleaseManifest:
        """The manifest as it is stored; ValueError says what is missing or of another kind."""
        _require_forms(entries)
        test, frozen = entries["test"], entries.get("frozen")
        parsed = {
            "reasons": read_sentences(entries["reasons"], entries.get("reason_codes")),
            "train": SourceSummary.from_json(entries["train"]),
            "test": None if test is None else SourceSummary.from_json(test),
            "frozen": None if frozen is None else FrozenSet.from_json(frozen),
        }
        return super().from_json({name: value for name, value in (entries | parsed).items() if name not in NOT_FIELDS})

    def as_json(self) -> dict[str, Any]:
        """The facts that `seal_folder` stores; it adds `files` and the checksum."""
        entries = super().as_json() | {"reasons": list(self.reasons)}
        entries["reason_codes"] = [code_of(reason) for reason in self.reasons]
        entries |= {
            name: value and value.as_json()
            for name, value in (("train", self.train), ("test", self.test), ("frozen", self.frozen))
        }
        unset = {name for name in LATER_KEYS if entries[name] is None}
        return {name: value for name, value in entries.items() if name not in {"files", *unset}}

    @property
    def map_size(self) -> tuple[int, int]:
        """Rows and columns of the maps."""
        return self.config["data"]["rows"], self.config["data"]["cols"]

    @property
    def distance(self) -> str | None:
        """The distance that the tower was trained with; None in the oldest manifests."""
        return self.config.get("fit", {}).get("distance")

    @property
    def language(self) -> str:
        """The language of the release's reports."""
        return self.config.get("report", {}).get("language", "en")

    @property
    def made_by(self) -> str:
        """`enrolled` or `recalibrated` of a release that was made of another without training, else the status."""
        if self.enrolled:
            return "enrolled"
        return "recalibrated" if self.recalibrated else self.status

    @property
    def parent_version(self) -> str | None:
        """The release that this one was made from without training, None for a release that was trained."""
        return self.parent["version"] if isinstance(self.parent, dict) else self.parent


def read_manifest(folder: Path) -> ReleaseManifest:
    """The manifest in a release's folder.

    Raises DamagedRelease where it is not as it was sealed or of another form, and NewerRelease where it is of another
    form because a later Kensa wrote it.
    """
    try:
        entries = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if not isinstance(entries, dict) or "fingerprint" not in entries:
            raise ValueError("no manifest of a release")
        if not manifest_is_intact(entries):
            raise ValueError("it differs from its checksum")
    except RecursionError:
        raise DamagedRelease(f"{folder}: its {MANIFEST} is nested without end; restore it from a backup") from None
    except (OSError, ValueError) as error:
        raise _damaged(folder, error) from None
    try:
        return ReleaseManifest.from_json(entries)
    except ValueError as error:
        if is_newer(entries.get("format")):
            raise newer_release(folder, entries["format"]) from None
        raise _damaged(folder, error) from None


def is_newer(form: Any) -> bool:
    """Whether a release of this format was made by a later Kensa."""
    return isinstance(form, int) and form > RELEASE_FORMAT


def newer_release(folder: Path, form: int) -> NewerRelease:
    """The error that says so."""
    return NewerRelease(
        f"{folder}: expected a release of format {RELEASE_FORMAT} at most, found {form}; a later Kensa made it: update"
    )


def _damaged(folder: Path, error: Exception) -> DamagedRelease:
    return DamagedRelease(f"{folder}: its {MANIFEST} cannot be read ({one_line(error)}); restore it from a backup")


def _require_forms(entries: dict[str, Any]) -> None:
    """Raise ValueError unless the manifest has everything that its readers need; other keys are optional."""
    _require_form(entries, _stored_form(ReleaseManifest), "", REQUIRED_KEYS)
    for name in ("train", "test"):
        if entries[name] is not None:
            _require_form(entries[name], SOURCE_FORM, f"{name}.", SOURCE_FORM)
    config = entries["config"]
    _require_form(config, {"data": dict, "fit": dict, "evaluate": dict, "report": dict}, "config.", ("data",))
    _require_form(config["data"], {"rows": int, "cols": int}, "config.data.", ("rows", "cols"))
    for reason in entries["reasons"]:
        _require_kind(reason, str, "each of reasons")
    _require_form(entries, {"reason_codes": list}, "", ())
    for code in entries.get("reason_codes", ()):
        _require_form(code, {"code": str, "params": dict}, "reason_codes.", ("code", "params"))
    for name, value in entries["metrics"].items():
        _require_kind(value, int | float, f"metrics.{name}")


@functools.cache
def _stored_form(cls: type) -> Form:
    """The JSON kinds of a record's fields, from their annotations: tuples are stored as lists, records as objects."""

    def stored_kind(kind: Any) -> type | UnionType:
        if isinstance(kind, UnionType):
            return functools.reduce(operator.or_, map(stored_kind, get_args(kind)))
        if isinstance(kind, type) and issubclass(kind, StoredRecord):
            return dict
        return {tuple: list}.get(get_origin(kind), get_origin(kind) or kind)

    return {name: stored_kind(kind) for name, kind in get_type_hints(cls).items() if name != "more"}


def _require_form(entries: dict[str, Any], form: Form, where: str, required: Iterable[str]) -> None:
    for name in required:
        if name not in entries:
            raise ValueError(f"expected {where}{name}, found none")
    for name, kind in form.items():
        if name in entries:
            _require_kind(entries[name], kind, f"{where}{name}")


def _require_kind(value: Any, kind: type | UnionType, name: str) -> None:
    if not isinstance(value, kind):
        kinds = kind.__name__ if isinstance(kind, type) else str(kind)
        raise ValueError(f"expected {name} as {kinds}, found {str(value)[:60]!r}")
