"""What an installation has and lacks, and what to do about it: found in seconds, without a large import or a change."""

from __future__ import annotations

import datetime
import email.utils
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import httpx

from flows.health.checks import TIMEOUT_SECONDS, Check, ask_server, check_folder, check_server, check_worker, run_locks
from flows.service.server import configured_server
from kensa import __version__
from tasks.config.keras_backend import keras_backend
from tasks.core.errors import KensaError, install_hint
from tasks.core.files import is_locked
from tasks.core.text import one_line
from tasks.registry.journal import HEAD_FILE
from tasks.registry.journal_events import verify_journal

ROOT = Path(__file__).parents[1]
MOST_SECONDS_OFF = 60
SERVER_CURES = dict.fromkeys(("server", "worker"), "start kensa up, or unset PREFECT_API_URL")
EXTRAS = {"photos": "cv2", "onnx": "onnxruntime", "s3": "s3fs", "gs": "gcsfs", "http": "aiohttp", "jax": "jax"}
EXTRAS |= {
    "dask": "prefect_dask",
    "serve": "onnxruntime",
    "sign": "model_signing",
    "lineage": "openlineage",
    "mlflow": "mlflow",
    "tensorboard": "tensorboardX",
    "notebook": "ipykernel",
    "docs": "mkdocs",
    "dev": "pytest",
}


def check_installation(data: Path, artifacts: Path) -> Iterator[Check]:
    """All checks, one after the other; a check that cannot be made is a failed one."""
    checks: dict[str, Callable[[], Check]] = {
        "version": _check_version,
        "packages": _check_packages,
        "extras": _check_extras,
        "disk, data": lambda: check_folder("disk, data", data),
        "disk, artifacts": lambda: check_folder("disk, artifacts", artifacts),
        "locks": lambda: check_locks(data, artifacts),
        "journal": lambda: check_journals(artifacts),
        "server": lambda: check_server(configured_server()),
        "worker": lambda: check_worker(configured_server()),
        "Hub": _check_hub,
        "token": _check_token,
        "clock": _check_clock,
        "chromium": _check_chromium,
        "GPU": _check_gpu,
    }
    for name, check in checks.items():
        try:
            yield check()
        except (KensaError, OSError, httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            yield Check(name, "failed", one_line(error), SERVER_CURES.get(name, ""))


def _check_version() -> Check:
    python = platform.python_version()
    state = f"kensa {__version__}, Python {python}, {platform.system()} {platform.machine()}"
    if (3, 11) <= sys.version_info[:2] < (3, 14):
        return Check("version", "ok", state)
    return Check("version", "failed", state, "install Python 3.11 to 3.13, then make clean and make setup")


def _check_packages() -> Check:
    """The versions that are installed beside those of the lock of the line."""
    from packaging.requirements import Requirement

    if not (path := ROOT / "requirements" / "line.lock").exists():
        return Check("packages", "warning", f"{path}: not there, nothing to compare with", "reinstall Kensa")
    lines = [line.rstrip(" \\") for line in path.read_text(encoding="utf-8").splitlines() if line[:1].isalnum()]
    pins = [pin for pin in map(Requirement, lines) if pin.marker is None or pin.marker.evaluate()]
    others = [
        f"{pin.name} {_installed(pin.name)}" for pin in pins if not pin.specifier.contains(_installed(pin.name) or "0")
    ]
    if not others:
        return Check("packages", "ok", f"{len(pins)} as in requirements/line.lock")
    state = f"{len(others)} of {len(pins)} differ from requirements/line.lock: {', '.join(others[:4])}"
    return Check("packages", "warning", state, "run make setup")


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _check_extras() -> Check:
    installed = {extra: bool(importlib.util.find_spec(module)) for extra, module in EXTRAS.items()}
    names = [", ".join(extra for extra in EXTRAS if installed[extra] is there) or "none" for there in (True, False)]
    return Check("extras", "ok", f"installed: {names[0]}; not installed: {names[1]}")


def check_locks(data: Path, artifacts: Path) -> Check:
    """Which locks living processes hold, and which runs died and were not restarted."""
    names = {data / ".up.lock": "kensa up runs here"}
    for path in (artifacts / ".run.lock", *artifacts.glob("*/.run.lock")):
        names[path] = f"a run retrains into {path.parent}"
    held = [text for path, text in names.items() if is_locked(path)]
    dead = run_locks(data).dead
    holders = ", ".join(held) or "none is held"
    if dead:
        return Check("locks", "warning", f"{holders}; died: {', '.join(dead)}", "kensa up restarts them")
    return Check("locks", "ok", holders)


def check_journals(artifacts: Path) -> Check:
    """Whether the journals of the folder and of the lines below it are whole, and what reviewers decided."""
    folders = [path.parent for path in (artifacts / HEAD_FILE, *artifacts.glob(f"*/{HEAD_FILE}")) if path.exists()]
    journals = [verify_journal(folder) for folder in folders]
    if any((folder / "review").is_dir() for folder in folders):
        from tasks.review.decisions import decisions_of  # pyarrow

        for folder in folders:
            decisions_of(folder)
    state = f"{len(journals)} with {sum(len(journal.entries) for journal in journals)} entries, intact"
    return Check("journal", "ok", state if journals else "none yet")


def _check_hub() -> Check:
    endpoint = _hub_endpoint()
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return Check("Hub", "warning", "HF_HUB_OFFLINE is set: only what is here is read", "unset it to go online")
    try:
        answer = _ask_hub()
    except httpx.HTTPError as error:
        state = f"{endpoint}: no answer ({type(error).__name__})"
        return Check("Hub", "warning", state, "check the network, the proxy and HF_ENDPOINT, if you use the Hub")
    if answer.is_success or answer.status_code in (401, 403):
        return Check("Hub", "ok", f"{endpoint} answers")
    return Check("Hub", "warning", f"{endpoint} answers {answer.status_code}", "try again later, or check HF_ENDPOINT")


def _hub_endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def _ask_hub(**headers: str) -> httpx.Response:
    """Who we are; without a token the Hub answers 401, which is an answer, too."""
    address = f"{_hub_endpoint()}/api/whoami-v2"
    return httpx.get(address, headers=headers, timeout=TIMEOUT_SECONDS, follow_redirects=True)


def _hub_token() -> str | None:
    """HF_TOKEN, or what `hf auth login` has stored."""
    if token := os.environ.get("HF_TOKEN", "").strip():
        return token
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    path = Path(os.environ.get("HF_TOKEN_PATH", home / "token"))
    return path.read_text(encoding="utf-8").strip() or None if path.is_file() else None


def _check_token() -> Check:
    token = _hub_token()
    if token is None:
        return Check("token", "ok", "none: public datasets alone can be read")
    try:
        answer = _ask_hub(Authorization=f"Bearer {token}")
    except httpx.HTTPError as error:
        return Check("token", "warning", f"could not be tried ({type(error).__name__})", "see the check Hub")
    if answer.is_success:
        return Check("token", "ok", f"of {answer.json().get('name', 'somebody')}")
    return Check("token", "failed", f"the Hub answers {answer.status_code}", "set another HF_TOKEN")


def _check_clock() -> Check:
    """This machine's time beside that of the first server that tells one."""
    server = configured_server()
    servers = [lambda: ask_server(server, "health")] if server else []
    for ask in (*servers, _ask_hub):
        try:
            date = ask().headers.get("date")
        except (KensaError, httpx.HTTPError):
            continue
        if date:
            return _compare_clock(email.utils.parsedate_to_datetime(date))
    return Check("clock", "ok", f"{datetime.datetime.now().astimezone():%Y-%m-%d %H:%M %Z}; no server to compare")


def _compare_clock(server_time: datetime.datetime) -> Check:
    off = (datetime.datetime.now(datetime.UTC) - server_time).total_seconds()
    if abs(off) <= MOST_SECONDS_OFF:
        return Check("clock", "ok", f"{datetime.datetime.now().astimezone():%Y-%m-%d %H:%M %Z}")
    state = f"{abs(off):,.0f} s {'ahead of' if off > 0 else 'behind'} the server's"
    return Check("clock", "failed", state, "set the clock, for instance by timedatectl set-ntp true")


def _check_chromium() -> Check:
    path = shutil.which("chromium")
    if path or not importlib.util.find_spec("pytest"):
        return Check("chromium", "ok", path or "not needed: only the tests use it")
    return Check("chromium", "warning", "not found; the browser tests need it", "apt-get install chromium")


def _check_gpu() -> Check:
    """The GPUs of the driver, and whether the backend can use them."""
    backend, program = keras_backend(), shutil.which("nvidia-smi")
    done = program and subprocess.run([program, "-L"], capture_output=True, text=True, timeout=10, check=False)
    names = [line.partition(" (UUID")[0] for line in done.stdout.splitlines() if line.startswith("GPU")] if done else []
    if not names:
        return Check("GPU", "ok", f"none; {backend} runs on the processor")
    state = f"{', '.join(names)}; backend {backend}"
    if _uses_gpu(backend):
        return Check("GPU", "ok", state)
    cure = f"{install_hint('jax')}, install jax[cuda13] and set KERAS_BACKEND=jax (docs/scale.md)"
    return Check("GPU", "warning", f"{state} runs on the processor", cure)


def _uses_gpu(backend: str) -> bool:
    if backend == "jax":
        return any(importlib.util.find_spec(f"jax_cuda{major}_plugin") for major in (12, 13))
    return _installed("tensorflow") is not None and importlib.util.find_spec("nvidia") is not None
