"""The `kensa` command. Heavy libraries are imported by the commands that need them, when they run."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tasks.config import PRESETS, Retrain
from tasks.errors import BadSetting, KensaError, SourceUnreachable, UnfitData
from tasks.handover import Outcome
from tasks.settings import keys, with_settings


def main(words: list[str] | None = None) -> int:
    """Run one command; 0 when it did its work, 2 for bad input, 1 for a failure."""
    arguments = parser().parse_args(words)
    try:
        return arguments.run(arguments)
    except UnfitData as error:
        print(findings_table(error), file=sys.stderr)
        return _told(error)
    except KensaError as error:
        return _told(error)
    except KeyboardInterrupt:
        print("kensa: interrupted; nothing half-written is left, and the next run goes on", file=sys.stderr)
        return 130


def _told(error: KensaError) -> int:
    print(f"kensa: {error}", file=sys.stderr)
    return error.exit_code


def parser() -> argparse.ArgumentParser:
    """The command's words."""
    top = argparse.ArgumentParser(
        prog="kensa", description="Retrains the inspection model and releases it when it is better."
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _retrain_words(commands)
    for name, run, text in (
        ("releases", list_releases, "list the releases with their data and figures, and which is champion"),
        ("promote", promote, "make a release the champion"),
        ("rollback", rollback, "make the champion before the present one the champion again"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--artifacts", default="artifacts", metavar="DIR", help="folder of the releases")
        command.add_argument("--json", action="store_true", help="print one JSON object on stdout")
        if name == "promote":
            command.add_argument("version", metavar="VERSION", help="such as v3")
        command.set_defaults(run=run)
    return top


def _retrain_words(commands: Any) -> None:
    settings = "\n".join(
        f"  {key:<26}{field.metadata.get('description', '')}" for key, field in keys().items() if "." in key
    )
    command = commands.add_parser(
        "retrain",
        help="download, train, evaluate, and release the model if it passes the gate",
        epilog=f"settings for --set:\n{settings}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--train", default="demo", metavar="SOURCE", help="org/name[@revision] on the Hub, a folder, or demo"
    )
    command.add_argument(
        "--test", metavar="SOURCE", help="separate test source; else a part of the training source is held out"
    )
    command.add_argument("--revision", metavar="REV", help="branch, tag or commit of the training source")
    command.add_argument("--preset", default=Retrain.preset, metavar="NAME", help=f"one of {', '.join(PRESETS)}")
    command.add_argument(
        "--set", action="append", default=[], metavar="key=value", dest="settings", help="a setting, see below"
    )
    command.add_argument("--data", default="data", metavar="DIR", help="folder of the caches and stages")
    command.add_argument("--artifacts", default="artifacts", metavar="DIR", help="folder of the releases")
    command.add_argument("--json", action="store_true", help="print one JSON object on stdout, and nothing else there")
    command.set_defaults(run=retrain)


def configured(arguments: argparse.Namespace) -> Retrain:
    """The run that the words ask for; raises BadSetting."""
    config = Retrain(
        train=arguments.train,
        test=arguments.test,
        revision=arguments.revision,
        preset=arguments.preset,
        data_folder=arguments.data,
        artifacts_folder=arguments.artifacts,
    )
    fixed = {"train", "test", "revision", "preset", "data_folder", "artifacts_folder"}
    for word in arguments.settings:
        if word.partition("=")[0].strip() in fixed:
            raise BadSetting(f"--set {word}: give it as an option of its own, see kensa retrain --help")
    return with_settings(config, arguments.settings)


def retrain(arguments: argparse.Namespace) -> int:
    """`kensa retrain`: decide first whether there is anything to do, and only then start Prefect."""
    from flows.server import require_server, server_configured, set_defaults

    set_defaults()
    config = configured(arguments)
    outcome = None if server_configured() else unchanged(config)
    if outcome is None:
        require_server()
        from flows.retrain import retrain as line

        outcome = line(config)
    _print_outcome(outcome, arguments.json)
    return 0


def unchanged(config: Retrain) -> Outcome | None:
    """The outcome of the same run before, found without Prefect and TensorFlow."""
    from tasks.download import resolve
    from tasks.identity import fingerprint
    from tasks.publish import concluded
    from tasks.stages import usable

    for folder in (config.data_folder, config.artifacts_folder):
        usable(Path(folder))
    try:
        train = resolve(config.train, config.revision, config)
        test = resolve(config.test, None, config) if config.test else None
    except SourceUnreachable:
        return None  # the flow tries again, and shows each try
    return concluded(config, fingerprint(train, test, config))


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


def findings_table(error: UnfitData) -> str:
    """All findings as a text table, the failed ones first."""
    order = sorted(error.findings, key=lambda finding: (finding.success, not finding.required))
    width = max(len(finding.name) for finding in order)
    lines = (f"  {finding.verdict:<8} {finding.name:<{width}}  {finding.notes}" for finding in order)
    return "\n".join([f"checks of {error.source}:", *lines])


def list_releases(arguments: argparse.Namespace) -> int:
    """`kensa releases`: one line a release, the champion marked."""
    from tasks.releases import pointer, releases

    artifacts = Path(arguments.artifacts)
    champion, known = pointer(artifacts)["champion"], releases(artifacts)
    if arguments.json:
        rows = [
            {"version": r.version, "path": str(r.path), "champion": r.version == champion, **_told_of(r)} for r in known
        ]
        print(json.dumps({"champion": champion, "releases": rows}))
        return 0
    if not known:
        print(f"no releases in {artifacts}; kensa retrain makes the first")
    for release in known:
        told = _told_of(release)
        mark = "*" if release.version == champion else " "
        source = f"{told['train']['source']}@{told['train']['revision'][:12]}"
        figures = told["metrics"]
        print(
            f"{mark} {release.version:<6}{told['created'][:16].replace('T', ' ')}  {source:<40} "
            f"auroc {figures['auroc']:.3f}  mode accuracy {figures['mode_accuracy']:.3f}"
        )
    return 0


def _told_of(release: Any) -> dict[str, Any]:
    return {name: release.manifest[name] for name in ("created", "train", "test", "metrics", "compared_with")}


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
