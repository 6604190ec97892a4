"""Pieces of work on real worker processes: in order, and done again where a worker is killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from support.factory import dask_cluster
from support.prefect_server import free_port

from tasks.core.errors import ClusterLost, ClusterUnreachable, UnreadableSource
from tasks.workers import cluster
from tasks.workers.cluster import connected, map_pieces


def square(number):
    """Later pieces are done first."""
    time.sleep(0.02 * (5 - number % 5))
    return number**2


def refuse(number):
    if number == 3:
        raise UnreadableSource("row 3: expected a number, found three")
    return number


def die_once(folder, number):
    """The worker that gets piece 5 or 11 first is killed by it, as by a machine that has no memory left."""
    mark = Path(folder) / str(number)
    if number in (5, 11) and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die(_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_in_this_process_where_no_cluster_is_named():
    pieces = iter(range(10))
    results = map_pieces(square, pieces)
    assert next(results) == 0
    assert next(pieces) == 1, "pieces are made as they are needed"


@pytest.mark.slow
def test_results_come_in_the_order_of_the_pieces_of_which_few_are_under_way():
    drawn = []
    pieces = (drawn.append(number) or number for number in range(40))
    for number, result in enumerate(map_pieces(square, pieces, "local:2")):
        assert result == number**2
        assert len(drawn) <= number + 4


@pytest.mark.slow
def test_an_error_of_a_piece_is_the_callers(workers):
    results = map_pieces(refuse, range(10), workers)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(UnreadableSource, match="row 3: expected a number, found three"):
        next(results)


@pytest.mark.slow
def test_a_piece_whose_worker_was_killed_is_done_again(tmp_path, workers):
    assert list(map_pieces(partial(die_once, str(tmp_path)), range(20), workers)) == list(range(20))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["11", "5"]


@pytest.mark.slow
def test_a_piece_that_ends_every_worker_ends_the_work(monkeypatch, workers):
    monkeypatch.setattr(cluster, "MAX_TRIES", 1)
    with pytest.raises(ClusterLost, match="found that one piece of work ended each worker that tried it") as error:
        list(map_pieces(die, [1], workers))
    assert "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["workers", "scheduler"])
def test_a_cluster_that_ends_is_told(tmp_path, monkeypatch, lost):
    monkeypatch.setattr(cluster, "WAIT_SECONDS", 0.2)
    monkeypatch.setattr(cluster, "LOST_SECONDS", 0.4)
    with dask_cluster(tmp_path, {}) as (address, _), connected(address, "--dask") as client:
        if lost == "workers":  # with the processes that would start them again
            processes = [*client.run(os.getppid).values(), *client.run(os.getpid).values()]
        else:
            processes = [client.run_on_scheduler(os.getpid)]
        results = map_pieces(time.sleep, [0.1] * 100, address)
        next(results)
        for process in processes:
            os.kill(process, signal.SIGKILL)
        with pytest.raises(ClusterLost, match="expected workers, found none any more; start the cluster") as error:
            list(results)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_no_cluster_there():
    address = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(ClusterUnreachable, match=rf"--dask {address}: expected a Dask scheduler such as tcp://"):
        list(map_pieces(square, [1], address))


def test_without_the_extra(monkeypatch):
    """Its import fails as where it is not installed."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterUnreachable, match="--dask: expected the package prefect-dask, found none"):
        list(map_pieces(square, [1], "local:2"))
