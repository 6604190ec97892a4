"""What the tests of `kensa up` overlook in its log: a locked database of Prefect's server, and nothing else."""

from __future__ import annotations

import pytest
from support.factory import without_locked_database

LIBRARY = "/opt/kensa/.venv/lib/python3.11/site-packages"
BEFORE = "18:32:27.470 | ERROR   | prefect.server.events.triggers - Error running periodic evaluation\n"
AFTER = "18:32:28.001 | INFO    | kensa - released v2\n"
# As Prefect 3.8.8 logged it while another process held the database, with fewer frames.
SERVER = f"""Traceback (most recent call last):
  File "{LIBRARY}/aiosqlite/core.py", line 63, in _connection_worker_thread
    result = function()
             ^^^^^^^^^^
sqlite3.OperationalError: database is locked

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "{LIBRARY}/prefect/server/events/triggers.py", line 1164, in sweep_closed_buckets
    await session.execute(
  File "{LIBRARY}/sqlalchemy/engine/base.py", line 2000, in _exec_single_context
    self.dialect.do_execute(
sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) database is locked
[SQL: DELETE FROM automation_bucket
WHERE automation_bucket."end" <= :end_1]
[parameters: {{'end_1': '2026-11-25 18:30:27.367131'}}]
(Background on this error at: https://sqlalche.me/e/20/e3q8)
"""
LAST = "\nDuring handling of the above exception, another exception occurred:\n\n"


@pytest.mark.parametrize("times", [1, 3])
def test_the_servers_locked_database_is_cut_out_and_all_else_stays(times):
    assert without_locked_database((BEFORE + SERVER + AFTER) * times) == (BEFORE + AFTER) * times


def test_one_at_the_end_of_a_log_that_was_cut_short_goes_too():
    assert without_locked_database(BEFORE + SERVER.rstrip("\n")) == BEFORE


@pytest.mark.parametrize(
    "words",
    [
        SERVER.replace(f"{LIBRARY}/prefect/server/events/triggers.py", "/opt/kensa/flows/service/webhook.py"),
        SERVER.replace(f"{LIBRARY}/aiosqlite/core.py", "/opt/kensa/flows/service/ledger.py"),
        SERVER.replace("/prefect/server/", "/prefect/client/"),
        SERVER.replace("database is locked", "no such table: flow_run"),
        SERVER.replace("OperationalError) database is locked", "IntegrityError) UNIQUE constraint failed"),
        SERVER + LAST + 'Traceback (most recent call last):\n  File "/a.py", line 1, in a\n    a()\nKeyError: 1\n',
        'Traceback (most recent call last):\n  File "/opt/kensa/tasks/a.py", line 1, in a\n    a()\nKeyError: 1\n',
    ],
)
def test_every_other_traceback_stays(words):
    """Ours, another library's, another error, and an error that came of the locked database."""
    assert without_locked_database(BEFORE + words + AFTER) == BEFORE + words + AFTER
    assert without_locked_database(BEFORE + SERVER + AFTER + words) == BEFORE + AFTER + words
