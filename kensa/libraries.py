"""Settings of the libraries, and what they write about themselves: nothing, unless a person asks for it."""

from __future__ import annotations

import logging
import os
import sys
import warnings

from tasks.config.keras_backend import set_keras_backend
from tasks.core.quiet_tensorflow import quieten_tensorflow

DEFAULTS = {
    # A fresh database takes 10 to 17 s on a small machine; Prefect gives up after 20.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",  # a bar for seconds of reading, broken into the logs
    "HF_HUB_VERBOSITY": "error",
    "DATASETS_VERBOSITY": "error",
}
CONSOLE_LEVEL = "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def set_defaults(tensorflow_level: str = "3") -> None:
    """Settings of the libraries that must stand before they are imported; the user's own win.

    Raises BadSetting for a KERAS_BACKEND on which Kensa does not run.

    tensorflow_level: 0 lets TensorFlow log everything, 3 errors alone.
    """
    if os.environ.get("PREFECT_API_URL") == "":
        del os.environ["PREFECT_API_URL"]  # an empty address breaks Prefect's event worker
    for name, value in (DEFAULTS | {"TF_CPP_MIN_LOG_LEVEL": tensorflow_level}).items():
        os.environ.setdefault(name, value)
    _bypass_proxies()
    set_keras_backend()


def _bypass_proxies() -> None:
    """Reach this machine directly: a factory's proxy does not know Prefect's server on its loopback.

    Both spellings are set, because libraries differ in which they read first.
    """
    hosts = [host.strip() for host in (os.environ.get("no_proxy") or os.environ.get("NO_PROXY", "")).split(",")]
    value = ",".join(dict.fromkeys([*filter(None, hosts), *LOOPBACK]))
    os.environ.update(NO_PROXY=value, no_proxy=value)


def log_prefect(level: str | None, default: str) -> None:
    """Print Prefect's log from this level on; where it is None from the environment's, or else from `default`."""
    if level == "debug":
        os.environ["PREFECT_LOGGING_LEVEL"] = "DEBUG"
    if level or CONSOLE_LEVEL not in os.environ:
        os.environ[CONSOLE_LEVEL] = (level or os.environ.get("PREFECT_LOGGING_LEVEL") or default).upper()


def silence() -> None:
    """Drop warnings, those of TensorFlow's own log and what it writes while it is imported, and gcsfs' log."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # an evaluation with five towers "retraces"
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # a traceback for what it then raises
    quieten_tensorflow()
