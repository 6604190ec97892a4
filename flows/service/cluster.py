"""An existing Dask cluster on which trainings run, by the address of its scheduler."""

from __future__ import annotations

from typing import Any

from prefect.task_runners import TaskRunner

from tasks.core.errors import ClusterUnreachable, install_hint
from tasks.workers.cluster import connected


def cluster_runner(address: str) -> TaskRunner[Any]:
    """A task runner that submits a flow's tasks to the cluster."""
    from prefect_dask import DaskTaskRunner

    return DaskTaskRunner(address=address)


def require_cluster(address: str, option: str) -> None:
    """Raise ClusterUnreachable unless a Dask scheduler with a worker answers there, and its client is installed.

    `option` is the option or setting that named it.
    """
    try:
        import prefect_dask  # noqa: F401  # both come with the extra
    except ImportError:
        raise ClusterUnreachable(
            f"{option}: expected the package prefect-dask, found none; {install_hint('dask')}"
        ) from None
    with connected(address, option):
        pass
