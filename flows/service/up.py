"""`kensa up`: server, work pool, deployments, automations, worker, pages and receiver, kept alive until Ctrl-C."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from filelock import FileLock, Timeout

from flows.health.checks import POOL
from flows.service.lines import LINES_FILE, read_lines
from flows.service.next_runs import NextRuns
from flows.service.recovery import RunRecovery
from flows.service.server import PrefectServer, require_usable_proxies
from flows.ui.page_links import PAGES_URL
from tasks.config.run import DATA_FOLDER
from tasks.core import log_lines
from tasks.core.errors import BadSetting, NotPrepared, ServerUnreachable, UnusableFolder
from tasks.core.files import ensure_writable

START = 120  # seconds that a fresh server may take on a small machine
LOOK = 4  # rounds of half a second between two looks for dead runs
STOP = 30  # seconds for a process to end by itself
# Prefect keeps concurrency slots in memory: a restarted server would start no run of a deployment, or two.
LEASES = {"PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem"}
# It keeps ended runs for ever by default: those that ended 90 days ago are deleted hourly and at a start.
BOUNDED = {
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(90 * 24 * 3600),
}
# Nothing here tells anybody outside what is done with it, and no page advertises.
QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "DO_NOT_TRACK": "1",
}


@dataclass
class Service:
    """One child process that is started again when it dies, a little later each time."""

    name: str
    command: list[str]
    environment: dict[str, str]
    process: subprocess.Popen | None = None
    starts: int = 0
    next_start: float = 0.0
    began: float = field(default=0.0)

    def start(self) -> None:
        """Start it in a session of its own, so that Ctrl-C reaches only `kensa up`, which stops it in order."""
        say(f"{'starting' if not self.starts else 'starting again'} {self.name}")
        self.process = subprocess.Popen(
            self.command,
            env=self.environment,
            stdout=sys.stderr,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509  # nothing here runs threads
        )
        self.starts += 1
        self.began = time.monotonic()

    def tend(self) -> None:
        """Start it again where it has died; 1 s later, then 2, 4, … up to 60."""
        if self.process is None or self.process.poll() is None:
            return
        if not self.next_start:
            lived = time.monotonic() - self.began
            self.starts = 1 if lived > 300 else self.starts
            wait = min(2 ** (self.starts - 1), 60)
            say(f"{self.name} ended with {self.process.returncode}; starting it again in {wait} s")
            self.next_start = time.monotonic() + wait
        elif time.monotonic() >= self.next_start:
            self.next_start = 0.0
            self.start()

    def stop(self) -> None:
        """End it and wait; by force where it does not end by itself."""
        if self.process is None or self.process.poll() is not None:
            return
        say(f"stopping {self.name}")
        self.process.send_signal(signal.SIGINT if self.name == "server" else signal.SIGTERM)
        try:
            self.process.wait(STOP)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _die_with_parent() -> None:
    """Linux ends the child when `kensa up` is killed: no orphan keeps a port or the database."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def say(text: str) -> None:
    """One line on stderr."""
    log_lines.say(f"kensa up: {text}")


@dataclass(frozen=True)
class Ports:
    """Ports of the loopback interface: of Prefect's server, the webhook receiver, the pages, and the review."""

    server: int = 4200
    webhook: int = 4280
    pages: int = 4240
    review: int = 4270

    def require_free(self) -> None:
        """Raise BadSetting for a port that is taken."""
        for option, port in (("--port", self.server), ("--webhook-port", self.webhook), ("--pages-port", self.pages)):
            _require_free(option, port)


def up(ports: Ports = Ports(), review: str | None = None) -> int:
    """Run everything from this folder until Ctrl-C or SIGTERM, and the review of a line; returns 0 after a clean stop.

    Raises UnusableFolder where it runs already, BadSetting, ServerUnreachable, and NotPrepared without deployments.
    """
    require_usable_proxies()
    lines = read_lines(LINES_FILE)
    if not Path("prefect.yaml").exists() or not Path("flows/retrain.py").exists():
        raise UnusableFolder(
            f"{Path.cwd()}: expected Kensa's own folder with prefect.yaml and flows/; run kensa up there"
        )
    with _only_one(), _stopping() as stopped:
        ports.require_free()
        address = f"http://127.0.0.1:{ports.server}/api"
        environment = _environment(address, ports)
        services = _services(environment, ports)
        if review:
            words = [sys.executable, "-m", "kensa", "review", "--line", lines[review].name, "--port", str(ports.review)]
            services.append(Service("review", words, environment))
        prefect = PrefectServer(address, environment.get("PREFECT_API_AUTH_STRING"))
        recovery = RunRecovery(prefect, Path(DATA_FOLDER))
        try:
            services[0].start()
            _wait_for(address, services[0], stopped)
            _prepare(environment, stopped)
            for service in services[1:]:
                if not stopped():
                    service.start()
            if not stopped():
                say(f"ready: http://127.0.0.1:{ports.server}; Ctrl-C stops everything")
                say(f"reports, /health and /metrics: {environment[PAGES_URL]}")
            _tend(services, recovery, NextRuns(prefect, lines), stopped)
        finally:
            for service in reversed(services):
                service.stop()
    say("stopped")
    return 0


def _environment(address: str, ports: Ports) -> dict[str, str]:
    """What all services inherit; the user's settings win over the defaults here."""
    places = {"PREFECT_API_URL": address, "KENSA_ROOT": str(Path.cwd())}
    pages = {PAGES_URL: f"http://127.0.0.1:{ports.pages}"}
    return {**LEASES, **BOUNDED, **QUIET, **pages, **os.environ, **_auth(), **places}


def _auth() -> dict[str, str]:
    """The server's user:password under both names, for the server and for its clients, whichever is set."""
    names = ("PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING")
    values = {os.environ[name] for name in names if os.environ.get(name)}
    if len(values) > 1:
        raise BadSetting(f"{names[1]}: expected the value of {names[0]}, found another one; set only one of them")
    return {name: value for value in values for name in names}


def _tend(services: list[Service], recovery: RunRecovery, next_runs: NextRuns, stopped: Callable[[], bool]) -> None:
    """Keep the services alive, restart the runs that died here, and say each line's next run, until somebody stops."""
    rounds = 0
    while not stopped():
        for service in services:
            service.tend()
        if rounds % LOOK == 0:
            _recover(recovery, next_runs)
        rounds += 1
        time.sleep(0.5)


def _recover(recovery: RunRecovery, next_runs: NextRuns) -> None:
    try:
        for name in recovery.recover_due():
            say(f"restarted: {name}")
        for sentence in next_runs.news():
            say(sentence)
        next_runs.name_planned()
    except ServerUnreachable:
        pass  # the server died itself, and is started again by _tend


def _services(environment: dict[str, str], ports: Ports) -> list[Service]:
    prefect, python = [str(Path(sys.executable).parent / "prefect"), "--no-prompt"], [sys.executable, "-m"]
    worker = {**environment, "PREFECT_WORKER_QUERY_SECONDS": environment.get("PREFECT_WORKER_QUERY_SECONDS", "5")}
    pages = Service("pages", [*python, "flows.service.pages", "--port", str(ports.pages)], environment)
    services = [
        Service("server", [*python, "flows.service.server_process", "--port", str(ports.server)], environment),
        Service("worker", [*prefect, "worker", "start", "--pool", POOL, "--type", "process"], worker),
        pages,
    ]
    if environment.get("KENSA_WEBHOOK_SECRET") or environment.get("KENSA_WEBHOOK_SECRET_FILE"):
        command = [*python, "flows.service.webhook", "--port", str(ports.webhook)]
        services.append(Service("receiver", command, environment))
        pages.command += ["--receiver", f"http://127.0.0.1:{ports.webhook}"]
    else:
        say("no receiver: KENSA_WEBHOOK_SECRET is not set; new versions are found by a check every 15 minutes")
    return services


def _prepare(environment: dict[str, str], stopped: Callable[[], bool]) -> None:
    """Work pool, deployments, automations, schedules and forms; made again, none of them is doubled.

    Their messages are shown where one fails: Prefect would tell people to start a worker, which `kensa up` does.
    """
    prefect = [str(Path(sys.executable).parent / "prefect"), "--no-prompt"]
    for command in (
        [*prefect, "work-pool", "create", POOL, "--type", "process", "--overwrite"],
        [*prefect, "deploy", "--all"],
        [sys.executable, "-m", "flows.service.automations"],
        [sys.executable, "-m", "flows.service.schedules"],
        [sys.executable, "-m", "flows.service.forms"],
    ):
        if stopped():
            return
        done = subprocess.run(
            command, env=environment, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if not stopped() and done.returncode:  # Ctrl-C reaches these too, and they end with an error
            print(done.stdout, file=sys.stderr)
            raise NotPrepared(f"{' '.join(command[-3:])}: ended with {done.returncode}; see its messages above")


def _require_free(option: str, port: int) -> None:
    """Raise BadSetting for a taken port: another Prefect server there would answer as if it were ours."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that was closed just now is free
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            raise BadSetting(f"{option} {port}: expected a free port, found it taken; choose another") from None


def _wait_for(address: str, server: Service, stopped: Callable[[], bool]) -> None:
    end = time.monotonic() + START
    while time.monotonic() < end and not stopped():
        if server.process.poll() is not None:
            break
        try:
            if httpx.get(f"{address}/health", timeout=2).is_success:
                return
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.3)
    if not stopped():
        code = server.process.poll()
        problem = f"did not answer within {START} s" if code is None else f"ended with {code}"
        raise ServerUnreachable(f"{address}: the server {problem}; see its messages above")


@contextmanager
def _only_one() -> Iterator[None]:
    lock = FileLock(ensure_writable(Path("data")) / ".up.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UnusableFolder(
            f"{Path.cwd()}: kensa up runs here already; stop it first, or use another folder"
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _stopping() -> Iterator[Callable[[], bool]]:
    """A function that returns True once Ctrl-C or SIGTERM came."""
    received: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: received.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
