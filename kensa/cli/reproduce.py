"""`kensa reproduce`: train a release again, and compare."""

from __future__ import annotations

from pathlib import Path

from typer import Option

from kensa.cli.command import with_examples
from kensa.cli.options import ARTIFACTS, AS_JSON, VERSION
from kensa.cli.terminal import print_result, print_table
from kensa.runs import require_services
from tasks.core.results import ReproduceResult

EXIT_CODES = {"equal": 0, "equivalent": 0, "differs": 1}


@with_examples("kensa reproduce v3", "kensa reproduce v3 --data ./data")
def reproduce(
    version: str = VERSION,
    data: Path | None = Option(
        None, metavar="DIR", help="Folder whose caches may be used.", show_default="none, everything is made again"
    ),
    artifacts: Path = ARTIFACTS,
    as_json: bool = AS_JSON,
) -> int:
    """Train a release again from its manifest, and compare.

    The exit code is 0 where the new model is equal (the same weights) or equivalent (metrics within the intervals),
    and 1 where it differs.
    """
    from tasks.registry.reproduction import find_target

    find_target(artifacts, version)  # a release that cannot be read is refused before Prefect is started
    require_services()
    from flows.reproduce import reproduce as flow

    result = flow(version, str(artifacts), None if data is None else str(data))
    print_result(result, as_json, _print_result)
    return EXIT_CODES[result.verdict]


def _print_result(result: ReproduceResult) -> None:
    print(f"{result.verdict}: {result.release}, weights {result.weights['again']}")
    rows = [
        (
            name.replace("_", " "),
            f"{metric.release:.4f}",
            f"now {metric.again:.4f}",
            "[{:.4f}, {:.4f}]".format(*metric.interval),
        )
        for name, metric in result.figures.items()
    ]
    if rows:
        print_table(rows)
    for difference in result.differences:
        print(f"  differs: {difference}")
