"""The process of Prefect's temporary server; it imports Prefect only when it is sure to end with its parent.

    python -m flows.service.temporary_server_process PORT PARENT

PARENT is the process whose end ends the server, 0 for none.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys


def main(port: int, parent: int) -> None:
    """Serve until a signal comes; Linux sends one when the parent's main thread ends, however it ended."""
    if parent and sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            return  # it ended before
    from tasks.core.log_lines import uvicorn_logging, write_json_if_asked

    write_json_if_asked()
    import uvicorn

    application = "flows.service.server_process:create_temporary_server"
    uvicorn.run(application, factory=True, port=port, log_level="error", lifespan="on", **uvicorn_logging())


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
