"""`kensa sweep`: try settings and seeds."""

from __future__ import annotations

from pathlib import Path

from typer import Option

from kensa.cli.command import with_examples
from kensa.cli.options import ARTIFACTS, AS_JSON, DATA
from kensa.cli.retrain import PRESET, REVISION, SETTINGS, SETTINGS_FILE, TEST, TRAIN, configure_run, setting_rows
from kensa.cli.terminal import print_result
from kensa.runs import pinned_sources, require_services
from tasks.config.run import PresetName
from tasks.config.search_space import MetricName, Sweep
from tasks.core.errors import BadSetting
from tasks.core.results import SweepResult

GRID_HELP = (
    "Values such as fit.margin=0.2,0.4, a range with steps such as fit.margin=0.1..0.5:5, or with --random a range "
    "such as fit.learning_rate=1e-4..1e-2:log; repeat it for more settings."
)


@with_examples(
    "kensa sweep --grid fit.margin=0.2,0.4 --grid fit.epochs=10,20",
    "kensa sweep --grid fit.learning_rate=1e-4..1e-2:log --random 8 --seeds 2",
    **{"Settings for --grid and --set": setting_rows},
)
def sweep(
    grid: list[str] = Option([], metavar="key=values", help=GRID_HELP),
    random: int | None = Option(
        None, metavar="N", help="Number of random combinations.", show_default="all combinations"
    ),
    seeds: int = Option(Sweep.seeds, metavar="N", help="Trainings of each combination, each with a seed."),
    figure: MetricName = Option(Sweep.figure, help="Metric that chooses the best combination."),
    workers: int | None = Option(None, metavar="N", help="Trials at the same time.", show_default=str(Sweep.workers)),
    dask: str | None = Option(None, metavar="ADDRESS", help="Run on a Dask scheduler, such as tcp://127.0.0.1:8786."),
    out: Path | None = Option(None, metavar="DIR", help="Folder of the sweeps.", show_default="sweeps in --artifacts"),
    train: list[str] = TRAIN,
    test: list[str] = TEST,
    revision: str | None = REVISION,
    preset: PresetName | None = PRESET,
    settings_file: Path | None = SETTINGS_FILE,
    settings: list[str] = SETTINGS,
    data: Path = DATA,
    artifacts: Path = ARTIFACTS,
    as_json: bool = AS_JSON,
) -> None:
    """Try settings and seeds, and write the best as a file.

    Trials are evaluated on the validation part; calibration and test part are not read. The metric of the best
    combination is optimistic, because the combination was chosen by it: kensa retrain --settings best.toml evaluates it
    on the test part.
    """
    options = {"train": train, "test": test, "revision": revision, "preset": preset}
    run = configure_run(options, settings_file, settings, data, artifacts)
    if dask and workers is not None:
        raise BadSetting("--workers: expected it without --dask, whose workers do the work")
    _require_disjoint(grid, settings)
    plan = Sweep(
        run=run,
        grid=tuple(grid),
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
    from tasks.core.files import ensure_writable
    from tasks.core.progress import Heartbeat

    for folder in (plan.run.data_path, Path(plan.out)):
        ensure_writable(folder)
    pinned_sources(plan.run)
    with Heartbeat("sweep"):
        require_services(plan.dask, "--dask")
        from flows.sweep import run

        return run(plan)


def _print_result(result: SweepResult) -> None:
    folder = Path(result.path)
    print((folder / "table.md").read_text(encoding="utf-8"))
    print(f"{result.trials} trials, {result.failed} failed: {folder}")
    print(f"next: kensa retrain --settings {folder / 'best.toml'}")
