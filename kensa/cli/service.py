"""`kensa up`, `watch` and `serve`, which run unattended, and `kensa doctor`, which looks at what they need."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

from typer import Exit, Option

from kensa.cli.command import with_examples
from kensa.cli.options import ARTIFACTS, AS_JSON, DATA, RELEASE, STANDARD, VERIFY_KEY
from kensa.cli.terminal import print_table
from tasks.core.errors import ServerUnreachable, SomeLinesFailed
from tasks.core.log_lines import say


@with_examples("kensa up", "kensa up --port 4300 --webhook-port 4380", "kensa up --review boards")
def up(
    port: int = Option(4200, metavar="PORT", help="Port of the Prefect server and its UI."),
    webhook_port: int = Option(4280, metavar="PORT", help="Port of the webhook receiver."),
    pages_port: int = Option(4240, metavar="PORT", help="Port of the reports, pages and pictures below artifacts/."),
    review: str | None = Option(None, metavar="LINE", help="Also run kensa review of this product line."),
    review_port: int = Option(4270, metavar="PORT", help="Port of the review."),
) -> int:
    """Run server, worker, webhook receiver and the pages of the reports until Ctrl-C.

    It is started in Kensa's own folder, which holds prefect.yaml and kensa.toml.
    """
    from flows.service.up import Ports
    from flows.service.up import up as serve

    return serve(Ports(port, webhook_port, pages_port, review_port), review)


@with_examples("kensa watch", "kensa watch --once")
def watch(
    once: bool = Option(False, "--once", help="Look once, and end."),
    every: float = Option(60, min=0, metavar="SECONDS", help="Seconds between two looks."),
) -> None:
    """Look for new dataset versions, and report them to Prefect.

    Prefect's server, which must run, then starts the retraining of the product lines that use the dataset.
    """
    from flows.service.server import require_server

    require_server(needed=True)
    import httpx

    from flows.watch import watch as look

    while True:
        try:
            require_server(needed=True)
            versions = look()
            for version in versions:
                print(f"announced: {version}", flush=True)
            if once and not versions:
                print("nothing new: no watched dataset has a version that was not announced before")
        except (SomeLinesFailed, ServerUnreachable, httpx.HTTPError) as error:
            if once:
                raise
            reason = f"the Prefect server went away ({error})" if isinstance(error, httpx.HTTPError) else str(error)
            say(f"kensa: {reason}; looking again in {every:g} s", "warning")
        if once:
            return
        time.sleep(every)


@with_examples(
    "kensa serve",
    "kensa serve --artifacts artifacts/boards --port 4261",
    "kensa serve --keep artifacts/traces/served",
    "KENSA_SERVE_TOKEN=… kensa serve --host 0.0.0.0",
)
def serve(
    release: str | None = RELEASE,
    host: str = Option("127.0.0.1", metavar="ADDRESS", help="Address to listen on; another needs KENSA_SERVE_TOKEN."),
    port: int = Option(4260, min=1, max=65535, metavar="PORT", help="Port to listen on."),
    workers: int = Option(2, min=1, max=256, metavar="N", help="Requests that are judged at the same time."),
    queue: int = Option(64, min=0, max=100_000, metavar="N", help="Further requests that wait; more get 429."),
    max_body: int = Option(16, min=1, max=1024, metavar="MB", help="Largest body of a request."),
    standard: Path | None = STANDARD,
    keep: Path | None = Option(
        None, metavar="DIR", help="Keep the verdicts there, as Parquet by day.", show_default="they are not kept"
    ),
    verify_key: Path | None = VERIFY_KEY,
    artifacts: Path = ARTIFACTS,
) -> None:
    """Give verdicts over HTTP until Ctrl-C.

    Maps as JSON, in NumPy's format, as Parquet or Arrow, or photographs; the verdicts are those of kensa score. Without
    --release the champion judges, also after a promotion or a rollback, without an interruption. With
    KENSA_SERVE_TOKEN, or KENSA_SERVE_TOKEN_FILE, requests need the header Authorization: Bearer TOKEN.
    """
    from kensa.serving.listener import listen
    from kensa.serving.service import ServiceLimits

    listen(artifacts, release, host, port, ServiceLimits(workers, queue, max_body * 2**20), standard, keep)


@with_examples("kensa doctor", "kensa doctor --json")
def doctor(data: Path = DATA, artifacts: Path = ARTIFACTS, as_json: bool = AS_JSON) -> None:
    """Check this installation, and say what to do.

    Versions, extras, disk, locks, server, worker, Hub, token, clock, chromium and GPU, in seconds. Nothing is changed.
    The exit code is 1 where a check failed; a warning does not count.
    """
    from kensa.installation import check_installation

    checks = list(check_installation(data, artifacts))
    if as_json:
        print(json.dumps({"checks": [asdict(check) for check in checks]}))
    else:
        print_table([(check.verdict, check.name, check.found) for check in checks])
        for check in checks:
            if check.cure:
                print(f"{check.name}: {check.cure}")
    if any(check.verdict == "failed" for check in checks):
        raise Exit(1)
