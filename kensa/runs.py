"""Runs of the line as functions: retrain, score new parts, and list the releases that came of it."""

from __future__ import annotations

import contextlib
import importlib
import resource
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kensa.libraries import set_defaults
from tasks.config.fields import require_cluster_address
from tasks.config.overrides import apply_overrides
from tasks.config.run import ARTIFACTS_FOLDER, DATA_FOLDER, RunConfig
from tasks.core.errors import LimitedMemory, SourceUnreachable
from tasks.core.inspection import ScoreRequest, ScoreResult
from tasks.core.progress import Heartbeat, step_line
from tasks.core.results import PinnedSource, RetrainResult
from tasks.sources.address import join_sources

if TYPE_CHECKING:
    from tasks.imaging.demo import DemoPart
    from tasks.registry.releases import Release

LEAST_ADDRESSES = 4_000_000_000  # bytes; a small training was seen to reserve 3.9 GB
TOP_KEYS = {"test", "revision", "preset", "data_folder", "artifacts_folder"}  # those that are no `--set key=value`


def retrain(train: str | Sequence[str] = "demo", **settings: Any) -> RetrainResult:
    """Train and evaluate a model, and release it if it passes the gate; the same as `kensa retrain`.

    Args:
        train: The training source: org/name[@revision] on the Hub, files, a folder, an address such as
            s3://bucket/folder, or demo; or several of them.
        settings: Any setting of `kensa retrain --help`, a section as a mapping: `preset="rt"`, `fit={"epochs": 5}`,
            `data_folder="cache"`.

    Returns:
        The status (released, candidate, rejected or unchanged), the release and its folder, the metrics and the
        reasons. Nothing is trained where the same data and settings were evaluated before.

    Raises:
        BadInput: A setting or a source is wrong; `BadSetting`, `UnknownSource` and `UnfitData` among others.
        Failure: The run failed, for instance because the training diverged.

    Examples:
        >>> import kensa
        >>> result = kensa.retrain("demo", preset="notebook", fit={"epochs": 2})
        >>> result.status, result.metrics["auroc"]  # doctest: +SKIP
        ('released', 0.752...)
    """
    return retrain_with(run_config(train, settings))


def run_config(train: str | Sequence[str], settings: Mapping[str, Any]) -> RunConfig:
    """The run with these settings; raises BadSetting for one that is unknown, of another type or out of bounds."""
    values: dict[str, Any] = {}
    for key, value in settings.items():
        values |= (
            {f"{key}.{name}": inner for name, inner in value.items()} if isinstance(value, Mapping) else {key: value}
        )
    top = {key: values.pop(key) for key in TOP_KEYS & set(values)}
    if isinstance(top.get("test"), list | tuple):
        top["test"] = join_sources(top["test"])
    words = [f"{key}={'none' if value is None else value}" for key, value in values.items()]
    return apply_overrides(RunConfig(train=join_sources(train), **top), words)


def retrain_with(config: RunConfig) -> RetrainResult:
    """Retrain with a configuration; whether there is anything to do is found out before Prefect is started.

    Raises what `retrain` does, and ServerUnreachable where the configured Prefect server does not answer.
    """
    from flows.service.server import configured_server
    from tasks.core.files import ensure_writable

    set_defaults()
    for folder in (config.data_path, config.artifacts_path):
        ensure_writable(folder)  # before a training whose model could not be stored
    result = None if configured_server() else previous_result(config)
    with Heartbeat("retrain"):
        return result or _run_flow(config)


def previous_result(config: RunConfig) -> RetrainResult | None:
    """The result of the same run before, None where there is none; needs neither Prefect nor TensorFlow."""
    from tasks.config.fingerprints import fingerprint
    from tasks.publish import find_previous_result

    sources, parent = pinned_sources(config), None
    if config.zero.parent:
        from tasks.zero.parent import find_parent

        parent = find_parent(config).manifest.fingerprint
    return find_previous_result(config, fingerprint(*sources, config, parent)) if sources else None


def pinned_sources(config: RunConfig) -> tuple[PinnedSource, PinnedSource | None] | None:
    """The run's two sources at their current revisions; None where the Hub does not answer: the flow tries again."""
    from tasks.download import resolve

    try:
        return (
            resolve(config.train, config.revision, config.data_path),
            resolve(config.test, None, config.data_path) if config.test else None,
        )
    except SourceUnreachable:
        return None  # the flow shows each try


def _run_flow(config: RunConfig) -> RetrainResult:
    from flows.service.server import configured_server

    require_services(config.evaluate.cluster(), "evaluate.dask")
    from flows.retrain import retrain as flow

    if not configured_server():
        preload_training()
    return flow(config=config)


def require_services(cluster: str | None = None, setting: str = "") -> None:
    """Raise ServerUnreachable, ClusterUnreachable or LimitedMemory where a run (on this cluster) cannot start."""
    _require_addresses()
    from flows.service.server import configured_server, require_server

    require_server(needed=cluster is not None)  # the cluster's workers need the server too
    if not configured_server():
        from flows.service.temporary_server import prepare_temporary_server

        step_line("start Prefect's temporary server")
        prepare_temporary_server()
    if cluster is not None:
        from flows.service.cluster import require_cluster

        require_cluster(cluster, setting)


def _require_addresses() -> None:
    """Raise LimitedMemory for an `ulimit -v` within which native libraries end the process without a word."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < LEAST_ADDRESSES:
        raise LimitedMemory(
            f"ulimit -v: expected 4 GB or more, which TensorFlow and Prefect reserve, found {limit / 1e9:.1f} GB; "
            "run ulimit -v unlimited first"
        )


def preload_training() -> threading.Thread:
    """Import Keras and its backend on another thread, while this one waits for Prefect's temporary server."""

    def load() -> None:
        with contextlib.suppress(Exception):  # whoever needs it imports it again, and gets the error
            importlib.import_module("tasks.train")

    thread = threading.Thread(target=load, name="import-training")
    thread.start()
    return thread


def score(
    source: str | Sequence[str],
    *,
    release: str | None = None,
    out: str | Path = "verdicts.parquet",
    report: str | Path | None = None,
    against: str | None = None,
    config: str | None = None,
    part: str | None = None,
    good: str | None = None,
    id: str | None = None,  # the setting's name
    language: str | None = None,
    shadow: bool = False,
    dask: str | None = None,
    artifacts: str | Path = ARTIFACTS_FOLDER,
) -> ScoreResult:
    """Write the verdict on every record of a source to a Parquet file; the same as `kensa score`.

    Args:
        source: org/name[@revision] on the Hub, files, a folder, an address, or demo; or several of them.
        release: A release such as v3; the champion by default.
        out: The Parquet file, a row a record: row, mode, distance, score, verdict, margin, beta, sqrt_ve, part, record,
            release, digest, time.
        report: An HTML file that explains the verdicts.
        against: Another release; the records whose verdict it changes are written beside `out`.
        config: The configuration of the source, where it has several.
        part: The split of the source, where it has several.
        good: The label of a good part in the source; by default that of the release's training source.
        id: The column that names a part in the source, or several with commas between; by default that of the release's
            training source, else file and row.
        language: en or ja, the language of the report; the release's own by default.
        shadow: Whether the champion's candidate or challenger judges the records beside it.
        dask: A Dask scheduler whose workers judge the records, such as tcp://127.0.0.1:8786, or local:2 for two
            processes of this machine.
        artifacts: The folder of the releases.

    Returns:
        The files, the counts of good, defect and unknown, and, where records have labels, how well both agree.

    Raises:
        UnknownSource, UnknownRelease: There is no such source or release.
        UnreadableSource: The source's maps are of another size than the release's.
    """
    set_defaults()
    from tasks.download import download, resolve
    from tasks.registry.champion import select_release

    page = None if report is None else Path(report)
    require_cluster_address(dask, "dask")
    words = {"config": config, "part": part, "good": good, "id": id, "shadow": shadow, "dask": dask}
    request = ScoreRequest(Path(out), page, version=release, against=against, language=language, **words)
    with Heartbeat("score"):
        parts = download(resolve(join_sources(source), None, Path(DATA_FOLDER)))
        select_release(Path(artifacts), release)  # before the libraries, which take seconds
        from tasks.score import score as write_verdicts

        return write_verdicts(parts, Path(artifacts), request)


def releases(artifacts: str | Path = ARTIFACTS_FOLDER) -> list[Release]:
    """Every release in the folder, oldest first: its `version`, `path` and `manifest`; empty where there is none.

    Raises DamagedRelease for a folder without a readable manifest.
    """
    from tasks.registry.releases import releases as read_releases

    return read_releases(Path(artifacts))


def demo(seed: int = 42, good: int = 600, per_mode: int = 100) -> DemoPart:
    """Records of the built-in demonstration part, to try things on.

    Args:
        seed: Which records and lots; 42 has those that the source `demo` trains on, any other has new ones.
        good: How many good records.
        per_mode: How many records of each of the nine failure modes.

    Returns:
        `maps` (n, 1404) float32, 36 × 39 values each; `label` (n,), 0 good and 1 defect; `fmode` (n,), 0 good, else
        where the defect is, 1 to 9; `group` (n,), the lot.
    """
    from tasks.imaging.demo import make_demo

    return make_demo(seed, good, per_mode)
