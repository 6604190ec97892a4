"""A process that kills itself before the n-th thing that it does to a file.

It counts what it is about to do: open for writing, rename, remove, make and remove folders, link, fsync.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}


def die_at(number: int, folder: Path) -> None:
    """Make this process kill itself before the `number`-th thing that it does to a file below `folder`."""
    remaining, root = [number], str(folder)

    def counted(path: Any) -> None:
        if isinstance(path, str | bytes | os.PathLike) and os.fsdecode(path).startswith(root):
            remaining[0] -= 1
            if remaining[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in CHANGES or (event == "open" and _writes(arguments[2])):
            counted(arguments[0])

    sys.addaudithook(hook)
    real = os.fsync

    def fsync(descriptor: Any) -> None:
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        counted(Path(f"/proc/self/fd/{number}").readlink())
        real(descriptor)

    os.fsync = fsync


def _writes(flags: Any) -> bool:
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))
