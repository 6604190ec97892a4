"""A release in the hands of other programs: verdicts on maps that are in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tasks.config.run import ARTIFACTS_FOLDER
from tasks.core.errors import UnreadableSource
from tasks.data.decode import DecodedBlock
from tasks.data.schema import MapBlock
from tasks.registry.loading import LoadedRelease, load_release, load_verified_release
from tasks.registry.manifest import ReleaseManifest
from tasks.registry.releases import VERSION_NAME, read_release, verify_release
from tasks.scoring.batch import ScoredBatch
from tasks.scoring.explain import Explanation
from tasks.scoring.explain import explain as explain_record
from tasks.scoring.table import to_record_batch
from tasks.scoring.verdicts import predict

if TYPE_CHECKING:
    import pandas as pd

UNLABELLED = MapBlock("record", "map", "")


@dataclass(frozen=True)
class Inspector:
    """A release that inspects parts; made by `kensa.load`.

    Maps are arrays (n, rows, cols) or (n, rows·cols) of finite numbers in the unit of the training maps; a single map
    (rows, cols) is taken as n = 1. Every method raises UnreadableSource for maps of another form.
    """

    release: LoadedRelease

    @property
    def version(self) -> str:
        """The release's name, such as v3."""
        return self.release.version

    @property
    def manifest(self) -> ReleaseManifest:
        """What the release was trained on, with which settings, and its metrics."""
        return self.release.manifest

    @property
    def modes(self) -> list[str]:
        """The failure modes that the release knows, and the good parts."""
        return self.release.classifier.modes

    @property
    def threshold(self) -> float:
        """The score above which a part is not good; NaN in a release that was trained without good parts."""
        return self.release.defect_threshold

    def predict(self, maps: np.ndarray) -> pd.DataFrame:
        """The verdicts on n maps, a row a map.

        Columns: row; mode, the nearest; distance to it; score, larger is more anomalous; verdict, `good`, `defect` or
        `unknown`; margin, threshold minus score; beta (no unit) and sqrt_ve (the map's unit), RT's level and shape
        against the mean map of the nearest mode. `pyarrow.Table.from_pandas` makes an Arrow table of it.
        """
        return pa.Table.from_batches([to_record_batch(self._scored(maps), self.modes)]).to_pandas()

    def embed(self, maps: np.ndarray) -> np.ndarray:
        """The embeddings (n, d) of n maps, float64."""
        return self.release.classifier.embed(self._flat(maps)).vectors

    def explain(self, map_: np.ndarray) -> Explanation:
        """Why one map (rows, cols) has its verdict: level or shape, where it is anomalous, the most similar records."""
        return explain_record(self.release, self._scored(map_).record(0))

    def _scored(self, maps: np.ndarray) -> ScoredBatch:
        flat = self._flat(maps)
        texts = [None] * len(flat)
        records = DecodedBlock(UNLABELLED, flat, texts, texts, texts, np.zeros(len(flat), bool))
        return ScoredBatch(0, records, predict(self.release, flat))

    def _flat(self, maps: np.ndarray) -> np.ndarray:
        """The maps as (n, values); float32, as tables are read."""
        maps, size = np.asarray(maps, np.float32), (self.release.data.rows, self.release.data.cols)
        if maps.shape[-2:] != size and (maps.ndim != 2 or maps.shape[1] != size[0] * size[1]):
            raise UnreadableSource(
                f"maps: expected an array (n, {size[0]}, {size[1]}), as {self.version} was trained on, "
                f"found {maps.shape}; pass one row a map"
            )
        flat = maps.reshape(-1, size[0] * size[1])
        finite = np.isfinite(flat).all(axis=1)
        if not finite.all():
            row = int(np.argmin(finite))
            raise UnreadableSource(f"maps: expected finite values, found others in map {row}; correct or remove it")
        return flat


def load(release: str | Path | None = None, artifacts: str | Path = ARTIFACTS_FOLDER) -> Inspector:
    """A release, verified and ready to inspect parts.

    Args:
        release: A name such as v3, or the folder of a release; the champion by default.
        artifacts: The folder of the releases, where `release` is a name or None.

    Raises:
        UnknownRelease: There is no such release, or no champion yet.
        DamagedRelease, NewerRelease, UnfitRelease: Its files do not match their digests, need a later Kensa, or do not
            fit together.

    Examples:
        >>> import kensa
        >>> inspector = kensa.load("v3")  # doctest: +SKIP
        >>> inspector.predict(maps).verdict.value_counts()  # doctest: +SKIP
    """
    if release is None or VERSION_NAME.fullmatch(str(release)):
        return Inspector(load_release(Path(artifacts), None if release is None else str(release)))
    return Inspector(load_verified_release(verify_release(read_release(Path(release)))))
