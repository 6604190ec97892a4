"""`kensa retrain`: the words of a run, and the line itself."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.config.model import PRESETS
from tasks.config.overrides import OPTIONS, apply_overrides, setting_fields
from tasks.config.run import RunConfig
from tasks.core.errors import BadSetting, SourceUnreachable
from tasks.core.results import PinnedSource, RetrainResult


def words(commands: Any) -> None:
    """The command's words."""
    command = commands.add_parser(
        "retrain",
        help="download, train, evaluate, and release the model if it passes the gate",
        epilog=settings_text(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run_words(command)
    command.set_defaults(run=run)


def settings_text() -> str:
    """Every setting with its description, as the help of a command ends."""
    settings = "\n".join(
        f"  {key:<26}{field.metadata.get('description', '')}"
        for key, field in setting_fields().items()
        if key not in OPTIONS
    )
    return f"settings for --set:\n{settings}"


def run_words(command: argparse.ArgumentParser) -> None:
    """The words that a retraining and a search of its settings have in common."""
    command.add_argument(
        "--train", metavar="SOURCE", help="org/name[@revision] on the Hub, a folder, or demo (default)"
    )
    command.add_argument(
        "--test", metavar="SOURCE", help="separate test source; else a part of the training source is held out"
    )
    command.add_argument("--revision", metavar="REV", help="branch, tag or commit of the training source")
    command.add_argument("--preset", metavar="NAME", help=f"one of {', '.join(PRESETS)}; {RunConfig.preset} by default")
    command.add_argument(
        "--settings", metavar="FILE", dest="settings_file", help="such as a sweep's best.toml; other options win"
    )
    command.add_argument(
        "--set", action="append", default=[], metavar="key=value", dest="settings", help="a setting, see below"
    )
    command.add_argument("--data", default="data", metavar="DIR", help="folder of the caches and stages")
    command.add_argument("--artifacts", default="artifacts", metavar="DIR", help="folder of the releases")
    command.add_argument("--json", action="store_true", help="print one JSON object on stdout, and nothing else there")


def configured(arguments: argparse.Namespace) -> RunConfig:
    """The run that the words ask for, on top of the settings file where one is named; raises BadSetting."""
    from tasks.config.overrides import read_run

    options = {name: getattr(arguments, name) for name in ("train", "test", "revision", "preset")}
    given = {name: value for name, value in options.items() if value is not None}
    config = read_run(Path(arguments.settings_file)) if arguments.settings_file else RunConfig()
    config = replace(config, **given, data_folder=arguments.data, artifacts_folder=arguments.artifacts)
    for word in arguments.settings:
        if word.partition("=")[0].strip() in OPTIONS:
            raise BadSetting(f"--set {word}: give it as an option of its own, see kensa retrain --help")
    return apply_overrides(config, arguments.settings)


def run(arguments: argparse.Namespace) -> int:
    """`kensa retrain`: decide first whether there is anything to do, and only then start Prefect."""
    from flows.service.server import configured_server, require_server, set_library_defaults
    from kensa.cli.retrain import preload_training
    from tasks.core.files import ensure_writable

    set_library_defaults()
    config = configured(arguments)
    for folder in (config.data_folder, config.artifacts_folder):
        ensure_writable(Path(folder))  # before a training whose model could not be kept
    outcome = None if configured_server() else unchanged(config)
    if outcome is None:
        cluster = config.evaluate.cluster()
        require_server(needed=cluster is not None)  # its workers speak to the server too
        if cluster is not None:
            from flows.service.cluster import require_cluster

            require_cluster(cluster, "evaluate.dask")
        from flows.retrain import retrain as line

        if not configured_server():
            preload_training()
        outcome = line(config=config)
    _print_outcome(outcome, arguments.json)
    return 0


def unchanged(config: RunConfig) -> RetrainResult | None:
    """The outcome of the same run before, found without Prefect and TensorFlow."""
    from tasks.config.fingerprints import fingerprint
    from tasks.publish import find_previous_result

    sources = pinned(config)
    return find_previous_result(config, fingerprint(*sources, config)) if sources else None


def pinned(config: RunConfig) -> tuple[PinnedSource, PinnedSource | None] | None:
    """The two sources at their present revisions; None where the Hub does not answer: the flow tries again."""
    from tasks.download import resolve

    try:
        return (
            resolve(config.train, config.revision, config.data_path),
            resolve(config.test, None, config.data_path) if config.test else None,
        )
    except SourceUnreachable:
        return None  # the flow shows each try


def _print_outcome(outcome: RetrainResult, as_json: bool) -> None:
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


def preload_training() -> None:
    """Import Keras and its backend on another thread, while this one waits for Prefect's temporary server."""

    def work() -> None:
        with contextlib.suppress(Exception):  # whoever needs it imports it again, and is told
            importlib.import_module("tasks.train")

    threading.Thread(target=work, name="import-training").start()
