"""`kensa sweep`: try settings and seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from kensa.cli.command import with_examples
from kensa.cli.options import Artifacts, AsJson, Data
from kensa.cli.retrain import Preset, Revision, Settings, SettingsFile, Test, Train, run_config, setting_rows
from kensa.cli.terminal import print_result
from kensa.runs import pinned_sources
from tasks.config.search_space import MetricName, Sweep
from tasks.core.errors import BadSetting
from tasks.core.results import SweepResult

Grid = Annotated[
    list[str] | None,
    Option(
        metavar="key=values",
        help="Values such as fit.margin=0.2,0.4, a range with steps such as fit.margin=0.1..0.5:5, or with --random a "
        "range such as fit.learning_rate=1e-4..1e-2:log; repeat it for more settings.",
    ),
]
Random = Annotated[
    int | None,
    Option(metavar="N", help="Number of random combinations.", show_default="all combinations"),
]
Seeds = Annotated[int, Option(metavar="N", help="Trainings of each combination, each with a seed.")]
Figure = Annotated[MetricName, Option(help="Metric that chooses the best combination.")]
Workers = Annotated[
    int | None,
    Option(metavar="N", help="Trials at the same time.", show_default=str(Sweep.workers)),
]
Dask = Annotated[
    str | None,
    Option(metavar="ADDRESS", help="Run on a Dask scheduler, such as tcp://127.0.0.1:8786."),
]
Out = Annotated[
    Path | None,
    Option(metavar="DIR", help="Folder of the sweeps.", show_default="sweeps in --artifacts"),
]


@with_examples(
    "kensa sweep --grid fit.margin=0.2,0.4 --grid fit.epochs=10,20",
    "kensa sweep --grid fit.learning_rate=1e-4..1e-2:log --random 8 --seeds 2",
    **{"Settings for --grid and --set": setting_rows},
)
def sweep(
    grid: Grid = None,
    random: Random = None,
    seeds: Seeds = Sweep.seeds,
    figure: Figure = Sweep.figure,
    workers: Workers = None,
    dask: Dask = None,
    out: Out = None,
    train: Train = None,
    test: Test = None,
    revision: Revision = None,
    preset: Preset = None,
    settings_file: SettingsFile = None,
    settings: Settings = None,
    data: Data = Path("data"),
    artifacts: Artifacts = Path("artifacts"),
    as_json: AsJson = False,
) -> None:
    """Try settings and seeds, and write the best as a file.

    Trials are evaluated on the calibration part; the test part is not read. The metric of the best combination is
    optimistic, because the combination was chosen by it: kensa retrain --settings best.toml evaluates it on the test
    part.
    """
    options = {"train": train, "test": test, "revision": revision, "preset": preset}
    run = run_config(options, settings_file, settings or [], data, artifacts)
    if dask and workers is not None:
        raise BadSetting("--workers: expected it without --dask, whose workers do the work")
    _require_disjoint(grid or [], settings or [])
    plan = Sweep(
        run=run,
        grid=tuple(grid or ()),
        seeds=seeds,
        random=random,
        figure=figure,
        workers=Sweep.workers if workers is None else workers,
        dask=dask,
        out=str(out or artifacts / "sweeps"),
    )
    result = _run(plan)
    print_result(result, as_json, _print_result)


def _require_disjoint(grid: list[str], settings: list[str]) -> None:
    """Raise BadSetting for a setting that is searched and set."""
    searched, fixed = ({word.partition("=")[0].strip() for word in words} for words in (grid, settings))
    if both := searched & fixed:
        raise BadSetting(f"--grid {both.pop()}: expected it there or in --set, found it in both")


def _run(plan: Sweep) -> SweepResult:
    """Run the search; folders, sources and addresses are checked before Prefect is started."""
    from flows.service.server import require_server, set_library_defaults
    from tasks.core.files import ensure_writable

    set_library_defaults()
    for folder in (plan.run.data_path, Path(plan.out)):
        ensure_writable(folder)
    pinned_sources(plan.run)
    require_server(needed=plan.dask is not None)  # the cluster's workers need the server too
    if plan.dask is not None:
        from flows.service.cluster import require_cluster

        require_cluster(plan.dask, "--dask")
    from flows.sweep import run

    return run(plan)


def _print_result(result: SweepResult) -> None:
    folder = Path(result.path)
    print((folder / "table.md").read_text(encoding="utf-8"))
    print(f"{result.trials} trials, {result.failed} failed: {folder}")
    print(f"next: kensa retrain --settings {folder / 'best.toml'}")
