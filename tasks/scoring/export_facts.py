"""What an exported model says of itself: release, map size, modes, distance and thresholds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tasks.core.files import file_digest
from tasks.core.stages import MANIFEST
from tasks.registry.loading import LoadedRelease
from tasks.scoring.export_graph import CODES, INPUT, OUTPUTS

EXPORT_VERSION = 1  # of the form of an export; raise it when the same release is exported as something else


@dataclass(frozen=True)
class ExportFacts:
    """The content of `facts.json`, of an export's manifest, and of the metadata within the model.

    manifest: SHA-256 of the release's manifest; weights: digest of its weights; modes, verdicts: what the output codes
    mean; units: of `distance` and of `score`; thresholds: by name, each with value, rule, unit and interval.
    """

    export: int
    format: str
    release: str
    manifest: str
    weights: str
    rows: int
    cols: int
    input: str
    outputs: list[str]
    modes: list[str]
    verdicts: list[str]
    distance: dict[str, Any]
    units: dict[str, str]
    thresholds: dict[str, dict[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """The facts as one JSON object."""
        return asdict(self)


def export_facts(release: LoadedRelease, export_format: str) -> ExportFacts:
    """The facts of a release exported in a format."""
    classifier, data = release.classifier, release.data
    return ExportFacts(
        export=EXPORT_VERSION,
        format=export_format,
        release=release.version,
        manifest=file_digest(release.path / MANIFEST),
        weights=release.manifest.weights,
        rows=data.rows,
        cols=data.cols,
        input=INPUT,
        outputs=list(OUTPUTS),
        modes=classifier.modes,
        verdicts=list(CODES),
        distance=classifier.distance.get_config(),
        units={"distance": classifier.distance.name, "score": classifier.unit},
        thresholds={name: threshold.as_json() for name, threshold in release.thresholds.items()},
    )
