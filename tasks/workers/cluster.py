"""Pieces of work on the workers of a Dask cluster, or in this process where no cluster is named.

The results come in the order of the pieces, and a bounded number of pieces is under way, so that memory does not grow
with their number. A piece whose worker is lost is done again by another worker. Where the pieces' results do not
depend on where they are made, neither does anything that is made of them.

A cluster is named by the address of its scheduler, or is `local:N`: N processes of this machine, started for the call.
"""

from __future__ import annotations

import contextlib
import logging
import os
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from tasks.core import quiet_tensorflow
from tasks.core.errors import ClusterLost, ClusterUnreachable, install_hint
from tasks.core.text import one_line

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 10  # for a scheduler to answer
WAIT_SECONDS = 5  # between two looks at whether there is still a worker
LOST_SECONDS = 300  # without any worker; somebody or something may start one again
MAX_TRIES = 3  # of a piece, each until Dask gives it up after some four lost workers: the piece may be what ends them
AHEAD = 2  # pieces a thread that wait for their turn, so that no worker waits for us
LOCAL = "local:"
Piece, Result = TypeVar("Piece"), TypeVar("Result")


def map_pieces(
    function: Callable[[Piece], Result], pieces: Iterable[Piece], address: str | None = None, setting: str = "--dask"
) -> Iterator[Result]:
    """`function` of each piece, in the order of the pieces.

    function: one that pickle can send; setting: what named the address, for the error's words.
    Raises what the function raises; ClusterUnreachable, and ClusterLost where the workers end and none comes back.
    """
    if address is None:
        yield from map(function, pieces)
        return
    with connected(address, setting) as client:
        most = AHEAD * sum(client.nthreads().values())
        waiting: deque[tuple[Piece, Future]] = deque()
        for piece in pieces:
            waiting.append((piece, _submitted(client, function, piece)))
            if len(waiting) >= most:
                yield _result(client, function, *waiting.popleft())
        while waiting:
            yield _result(client, function, *waiting.popleft())


@contextlib.contextmanager
def connected(address: str, setting: str) -> Iterator[Client]:
    """A client of the cluster, which has a worker; raises ClusterUnreachable."""
    try:
        import distributed
    except ImportError:
        raise ClusterUnreachable(
            f"{setting}: expected the package prefect-dask, found none; {install_hint('dask')}"
        ) from None
    with contextlib.ExitStack() as stack:
        if address.startswith(LOCAL):
            count = int(address.removeprefix(LOCAL))
            address = stack.enter_context(distributed.LocalCluster(n_workers=count, **_local_options(count)))
        try:
            client = stack.enter_context(distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False))
        except (OSError, ValueError) as error:
            raise ClusterUnreachable(
                f"{setting} {address}: expected a Dask scheduler such as tcp://127.0.0.1:8786, found none ({error})"
            ) from None
        if not _has_workers(client):
            raise ClusterUnreachable(f"{setting} {address}: expected workers, found none; start dask worker {address}")
        yield client


def _local_options(count: int) -> dict[str, Any]:
    """Options of a cluster on this machine, whose `count` processes share its processors."""
    threads = str(max(1, len(os.sched_getaffinity(0)) // count))
    return {
        "host": "127.0.0.1",
        "dashboard_address": "127.0.0.1:0",  # None takes a fixed port
        "threads_per_worker": 1,
        "memory_limit": None,
        "silence_logs": logging.CRITICAL,
        "preload": [quiet_tensorflow.__name__] if quiet_tensorflow.tensorflow_is_quiet() else [],
        "env": {"TF_NUM_INTRAOP_THREADS": threads, "OMP_NUM_THREADS": threads, **os.environ},
    }


def _has_workers(client: Client) -> bool:
    try:
        return bool(client.scheduler_info(n_workers=-1)["workers"])
    except OSError:
        return False


def _submitted(client: Client, function: Callable[[Piece], Result], piece: Piece) -> Future:
    """Under a name of its own: Dask would print the function, with all that it holds."""
    return client.submit(function, piece, key=f"piece-{uuid.uuid4().hex}", pure=False)


def _result(client: Client, function: Callable[[Piece], Result], piece: Piece, future: Future) -> Result:
    """The result of a piece, which is sent again where its workers were lost."""
    from distributed import KilledWorker

    for _ in range(MAX_TRIES):
        try:
            return _await(client, future)
        except KilledWorker:
            future = _submitted(client, function, piece)
        except ImportError as error:
            raise ClusterUnreachable(
                f"{client.scheduler.addr}: expected workers in the environment of this project, found one without "
                f"it ({one_line(error)}); start dask worker there"
            ) from None
    raise ClusterLost(
        f"{client.scheduler.addr}: expected workers that live, found that one piece of work ended each worker that "
        "tried it; look at their logs: was there enough memory?"
    )


def _await(client: Client, future: Future) -> Result:
    """The result, also where it was lost with the worker that held it: another then makes it again."""
    from distributed.client import FutureCancelledError
    from distributed.comm import CommClosedError

    without = 0.0
    while without < LOST_SECONDS:
        try:
            return future.result(timeout=WAIT_SECONDS)
        except (FutureCancelledError, CommClosedError):  # the scheduler is gone, and all that it knew
            break
        except TimeoutError:
            if future.status == "error":  # it is the piece's own
                raise
            without = 0.0 if _has_workers(client) else without + WAIT_SECONDS
    raise ClusterLost(
        f"{client.scheduler.addr}: expected workers, found none any more; start the cluster, and run again"
    )
