"""What each word of the `kensa` command does. Heavy libraries are imported when a command runs."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.config import Retrain
from tasks.errors import BadSetting, ServerUnreachable, SomeLinesFailed, SourceUnreachable
from tasks.handover import Outcome, Resolved, Swept
from tasks.search import Sweep
from tasks.settings import OPTIONS, with_settings


def configured(arguments: argparse.Namespace) -> Retrain:
    """The run that the words ask for, on top of the settings file where one is named; raises BadSetting."""
    from tasks.lines import read_run

    options = {name: getattr(arguments, name) for name in ("train", "test", "revision", "preset")}
    given = {name: value for name, value in options.items() if value is not None}
    config = read_run(Path(arguments.settings_file)) if arguments.settings_file else Retrain()
    config = replace(config, **given, data_folder=arguments.data, artifacts_folder=arguments.artifacts)
    for word in arguments.settings:
        if word.partition("=")[0].strip() in OPTIONS:
            raise BadSetting(f"--set {word}: give it as an option of its own, see kensa retrain --help")
    return with_settings(config, arguments.settings)


def retrain(arguments: argparse.Namespace) -> int:
    """`kensa retrain`: decide first whether there is anything to do, and only then start Prefect."""
    from flows.server import require_server, server_configured, set_defaults
    from tasks.stages import usable

    set_defaults()
    config = configured(arguments)
    for folder in (config.data_folder, config.artifacts_folder):
        usable(Path(folder))  # before a training whose model could not be kept
    outcome = None if server_configured() else unchanged(config)
    if outcome is None:
        require_server()
        from flows.retrain import retrain as line

        outcome = line(config=config)
    _print_outcome(outcome, arguments.json)
    return 0


def unchanged(config: Retrain) -> Outcome | None:
    """The outcome of the same run before, found without Prefect and TensorFlow."""
    from tasks.identity import fingerprint
    from tasks.publish import concluded

    pinned = _pinned(config)
    return concluded(config, fingerprint(*pinned, config)) if pinned else None


def _pinned(config: Retrain) -> tuple[Resolved, Resolved | None] | None:
    """The two sources at their present revisions; None where the Hub does not answer: the flow tries again."""
    from tasks.download import resolve

    try:
        return (
            resolve(config.train, config.revision, config),
            resolve(config.test, None, config) if config.test else None,
        )
    except SourceUnreachable:
        return None  # the flow shows each try


def _print_outcome(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        print(json.dumps(outcome.as_json()))
        return
    print(f"{outcome.status}: {outcome.release or 'no release'}  ({outcome.path})")
    for reason in outcome.reasons:
        print(f"  {reason}")
    for name in ("auroc", "mode_accuracy", "good_auroc", "good_accuracy", "angular_accuracy_at_0.5"):
        if name in outcome.metrics:
            print(f"  {name.replace('_', ' '):<26}{outcome.metrics[name]:.3f}")
    print(f"  champion                  {outcome.champion or 'none yet'}")
    print(f"  report                    {Path(outcome.path) / 'report.html'}")


def sweep(arguments: argparse.Namespace) -> int:
    """`kensa sweep`: everything that was typed is checked before Prefect is started."""
    from flows.server import require_server, set_defaults
    from tasks.stages import usable

    set_defaults()
    plan = planned(arguments)
    for folder in (plan.run.data_folder, plan.out):
        usable(Path(folder))
    _pinned(plan.run)  # a mistyped source is told at once
    require_server(needed=plan.dask is not None)  # the workers speak to it too
    from flows.sweep import require_cluster, run

    if plan.dask is not None:
        require_cluster(plan.dask)
    _print_swept(run(plan), arguments.json)
    return 0


def planned(arguments: argparse.Namespace) -> Sweep:
    """The search that the words ask for; raises BadSetting."""
    if arguments.dask and arguments.workers is not None:
        raise BadSetting("--workers: expected it without --dask, whose workers do the work")
    searched = {word.partition("=")[0].strip() for word in arguments.grid}
    if both := searched & {word.partition("=")[0].strip() for word in arguments.settings}:
        raise BadSetting(f"--grid {both.pop()}: expected it there or in --set, found it in both")
    return Sweep(
        run=configured(arguments),
        grid=tuple(arguments.grid),
        seeds=arguments.seeds,
        random=arguments.random,
        figure=arguments.figure,
        dask=arguments.dask,
        out=arguments.out or f"{arguments.artifacts}/sweeps",
        **({} if arguments.workers is None else {"workers": arguments.workers}),
    )


def _print_swept(swept: Swept, as_json: bool) -> None:
    if as_json:
        print(json.dumps(swept.as_json()))
        return
    folder = Path(swept.path)
    print((folder / "table.md").read_text(encoding="utf-8"))
    print(f"{swept.trials} trials, {swept.failed} failed: {folder}")
    print(f"next: kensa retrain --settings {folder / 'best.toml'}")


def promote(arguments: argparse.Namespace) -> int:
    """`kensa promote VERSION`."""
    from tasks.releases import promote as move

    return _moved(move(Path(arguments.artifacts), arguments.version), arguments.json)


def rollback(arguments: argparse.Namespace) -> int:
    """`kensa rollback`."""
    from tasks.releases import rollback as move

    return _moved(move(Path(arguments.artifacts)), arguments.json)


def _moved(release: Any, as_json: bool) -> int:
    print(json.dumps({"champion": release.version}) if as_json else f"champion: {release.version}")
    return 0


def up(arguments: argparse.Namespace) -> int:
    """`kensa up`."""
    from flows.server import set_defaults
    from flows.up import up as run

    set_defaults()
    return run(arguments.port, arguments.webhook_port)


def watch(arguments: argparse.Namespace) -> int:
    """`kensa watch`: needs a server, which starts the retraining."""
    from flows.server import require_server, set_defaults

    set_defaults()
    require_server(needed=True)
    import httpx

    from flows.watch import watch as look

    while True:
        try:
            require_server(needed=True)
            for version in look():
                print(f"told: {version}", flush=True)
        except (SomeLinesFailed, ServerUnreachable, httpx.HTTPError) as error:
            if arguments.once:
                raise
            said = f"the Prefect server went away ({error})" if isinstance(error, httpx.HTTPError) else str(error)
            print(f"kensa: {said}; looking again in {arguments.every:g} s", file=sys.stderr, flush=True)
        if arguments.once:
            return 0
        time.sleep(arguments.every)


def score(arguments: argparse.Namespace) -> int:
    """`kensa score SOURCE`: plain functions, for Prefect has nothing to add to a look at some parts."""
    from flows.server import set_defaults

    set_defaults()
    from tasks.download import download, resolve
    from tasks.score import score as run

    config = Retrain(artifacts_folder=arguments.artifacts)
    downloaded = download(resolve(arguments.source, None, config))
    scored = run(downloaded, config, arguments.release, arguments.out)
    told = {"release": scored.release, "path": scored.path, "counts": scored.counts}
    print(json.dumps(told) if arguments.json else f"{scored.path}: {scored.counts} by {scored.release}")
    return 0
