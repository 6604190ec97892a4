"""The bill of materials of a release, as CycloneDX: the model, the data it was made from, and the installed packages.

The same release made again gives the same file: its number is a digest of what it names, and its time the release's.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import re
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.files import file_digest
from tasks.core.text import one_line

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

SBOM_FILE = "sbom.json"
NAMESPACE = uuid.UUID("6f1f1a52-0a3c-5d1e-9f0e-6b656e736100")  # of the numbers of these files


@dataclass(frozen=True)
class Origin:
    """What a release is. fingerprint: of its run; created: ISO time, None in the oldest; sources: (name, revision)."""

    version: str
    fingerprint: str
    created: str | None
    sources: dict[str, tuple[str, str]] = field(default_factory=dict)


def write_sbom(folder: Path, origin: Origin, weights: Path) -> None:
    """Write `sbom.json` into a release's folder. weights: the file of the tower."""
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.output.json import JsonV1Dot6

    model = _model(origin, weights)
    parts = [*_data(origin), *installed_packages()]
    identity = "\n".join([origin.fingerprint, origin.version, *(str(part.bom_ref.value) for part in parts)])
    created = None if origin.created is None else datetime.datetime.fromisoformat(origin.created)
    bom = Bom(
        components=parts,
        serial_number=uuid.uuid5(NAMESPACE, identity),
        metadata=BomMetaData(component=model, timestamp=created),
    )
    bom.register_dependency(model, parts)
    (folder / SBOM_FILE).write_text(JsonV1Dot6(bom).output_as_string(indent=2) + "\n", encoding="utf-8")


def _model(origin: Origin, weights: Path) -> Component:
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component, ComponentType

    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name="kensa release",
        version=origin.version,
        bom_ref=f"release:{origin.version}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=file_digest(weights))],
    )


def _data(origin: Origin) -> list[Component]:
    """The training source and the test source, each at its revision."""
    from cyclonedx.model.component import Component, ComponentType

    return [
        Component(type=ComponentType.DATA, name=one_line(name), version=revision, bom_ref=f"data:{role}:{revision}")
        for role, (name, revision) in origin.sources.items()
    ]


def installed_packages() -> list[Component]:
    """The packages of this environment, by name; one that is there twice as Python finds it."""
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    versions: dict[str, str] = {}
    for package in importlib.metadata.distributions():
        name = re.sub(r"[-_.]+", "-", package.metadata["Name"] or "").lower()  # PEP 503
        versions.setdefault(name, package.version)
    return [
        Component(
            type=ComponentType.LIBRARY,
            name=name,
            version=version,
            bom_ref=f"pkg:pypi/{name}@{version}",
            purl=PackageURL(type="pypi", name=name, version=version),
        )
        for name, version in sorted(versions.items())
        if name
    ]
