"""A real Postgres on loopback, where Debian's packages have one."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from support.prefect_server import free_port

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
USER = "postgres"  # it refuses to run as root


def can_run_postgres() -> bool:
    """Whether it is installed, and may be run as somebody who is not root."""
    if not PROGRAMS or os.geteuid():
        return bool(PROGRAMS)
    return shutil.which("runuser") is not None and any(entry.pw_name == USER for entry in pwd.getpwall())


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The address of a database of its own, without its scheme: `user@127.0.0.1:port/postgres`."""
    programs, port, data = PROGRAMS[-1].parent, free_port(), folder / "cluster"
    as_user = [] if os.geteuid() else ["runuser", "-u", USER, "--"]
    folder.mkdir()
    if as_user:
        shutil.chown(folder, USER)
        for above in folder.parents:
            if above != Path("/tmp") and above.is_relative_to("/tmp"):
                above.chmod(above.stat().st_mode | 0o011)

    def run(*words: str) -> None:
        subprocess.run([*as_user, *words], cwd=folder, check=True, capture_output=True, timeout=120)

    run(str(programs / "initdb"), "-D", str(data), "-U", "kensa", "--auth", "trust", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    control = str(programs / "pg_ctl")
    run(control, "-D", str(data), "-w", "-l", str(folder / "postgres.log"), "-o", options, "start")
    try:
        yield f"kensa@127.0.0.1:{port}/postgres"
    finally:
        run(control, "-D", str(data), "-w", "-m", "immediate", "stop")
