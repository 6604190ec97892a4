"""An existing Dask cluster on which trainings run, by the address of its scheduler."""

from __future__ import annotations

from typing import Any

from prefect.task_runners import TaskRunner

from tasks.core.errors import ClusterUnreachable, install_hint

TIMEOUT_SECONDS = 10  # for a Dask scheduler to answer


def cluster_runner(address: str) -> TaskRunner[Any]:
    """A task runner that submits a flow's tasks to the cluster."""
    from prefect_dask import DaskTaskRunner

    return DaskTaskRunner(address=address)


def require_cluster(address: str, option: str) -> None:
    """Raise ClusterUnreachable unless a Dask scheduler with a worker answers there, and its client is installed.

    `option` is the option or setting that named it.
    """
    try:
        from distributed import Client
        from prefect_dask import DaskTaskRunner  # noqa: F401  # both come with the extra
    except ImportError:
        raise ClusterUnreachable(
            f"{option}: expected the package prefect-dask, found none; {install_hint('dask')}"
        ) from None
    try:
        with Client(address, timeout=TIMEOUT_SECONDS, set_as_default=False) as client:
            workers = client.scheduler_info(n_workers=-1)["workers"]
    except (OSError, ValueError) as error:
        raise ClusterUnreachable(
            f"{option} {address}: expected a Dask scheduler such as tcp://127.0.0.1:8786, found none ({error})"
        ) from None
    if not workers:
        raise ClusterUnreachable(f"{option} {address}: expected workers, found none; start dask worker {address}")
