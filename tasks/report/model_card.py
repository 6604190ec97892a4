"""The model card: a release's README.md with the Hub's metadata, written from the run itself."""

from __future__ import annotations

import json
import re

from tasks.config.run import RunConfig
from tasks.core.sentences import Sentence
from tasks.core.text import break_links
from tasks.evaluation.comparison_report import Difference
from tasks.evaluation.evaluation_report import EvaluationReport
from tasks.promotion.gate import format_difference, printable
from tasks.registry.manifest import ReleaseManifest
from tasks.registry.release_files import TOWER_FILE
from tasks.report.notice import overruled_sentence
from tasks.report.translation import Translate, translator

FIGURES = {
    "auroc": "verification AUROC",
    "mode_accuracy": "mode accuracy",
    "average_precision": "average precision",
    "triplet_accuracy": "triplet accuracy",
    "good_auroc": "good-or-defect AUROC",
    "good_tpr_at_1_fpr": "defects found at 1 % false alarms",
    "good_accuracy": "good-or-defect accuracy at the threshold",
    "good_balanced_accuracy": "good-or-defect balanced accuracy at the threshold",
    "cross_good_auroc": "good-or-defect AUROC, every group tested once",
    "cross_good_fpr": "good parts stopped, every group tested once",
    "cross_good_tpr": "defects caught, every group tested once",
    "cross_mode_accuracy": "mode accuracy, every group tested once",
    "unseen_good_auroc": "good-or-defect AUROC of modes left out of training, mean",
    "angular_accuracy_at_0.5": "angular accuracy at 0.5 (the notebook's)",
}
UNSAFE = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in YAML


def model_card(manifest: ReleaseManifest, report: EvaluationReport) -> str:
    """Markdown with YAML front matter; every value comes from manifest and report."""
    parts = (_front_matter, _summary, _figures, _against_champion, _tower, _settings, _log)
    return "\n\n".join(filter(None, (part(manifest, report) for part in parts))) + "\n"


def _front_matter(manifest: ReleaseManifest, report: EvaluationReport) -> str:
    """JSON is YAML but for a few characters: quoting it this way, no name of a dataset can break out of its place."""
    train = manifest.train
    dataset = {"name": train.source, "type": train.source, "revision": train.revision}
    results = [{"type": name, "name": title, "value": manifest.metrics[name]} for name, title in _known(manifest)]
    values = {
        "library_name": "keras",
        "pipeline_tag": "feature-extraction",
        "tags": ["kensa", "siamese-network", "metric-learning", "visual-inspection", "keras"],
        "datasets": train.hub_datasets,
        "model-index": [
            {
                "name": f"kensa {manifest.version}",
                "results": [{"task": {"type": "feature-extraction"}, "dataset": dataset, "metrics": results}],
            }
        ],
    }
    lines = (f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items())
    escaped = (UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", line) for line in lines)
    return "\n".join(["---", *escaped, "---"])


def _code(value: object) -> str:
    """Inline code, in text or a table, that nothing in `value` can end."""
    text = " ".join(UNSAFE.sub(" ", str(value)).replace("|", "\\|").split())
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if "`" in text else f"`{text}`"


def _plain(text: str) -> str:
    """Text in which a mode's name can be neither Markdown nor HTML."""
    return break_links(re.sub(r"([\\`*_~<>\[\]|#&!])", r"\\\1", " ".join(UNSAFE.sub(" ", text).split())))


def _known(manifest: ReleaseManifest) -> list[tuple[str, str]]:
    return [(name, title) for name, title in FIGURES.items() if name in manifest.metrics]


def _say(manifest: ReleaseManifest) -> Translate:
    return translator(manifest.language)


def _summary(manifest: ReleaseManifest, report: EvaluationReport) -> str:
    say = _say(manifest)
    train, config, frozen = manifest.train, manifest.config, manifest.frozen
    size = f"{config['data']['rows']}×{config['data']['cols']}"
    reasons = "".join(f"\n- {_plain(say(reason))}" for reason in manifest.reasons)
    scores = {
        "fused": say(", good or defect by that distance and the map's peak, fused"),
        "patches": say(", good or defect by that distance and the map's strangest place, fused"),
    }
    score = scores.get(config["evaluate"]["score"], "")
    shifts = config["evaluate"].get("shifts", 1)  # manifests of earlier versions have none
    looks = say("; an embedding is the mean over {shifts} shifts of the map").format(shifts=shifts)
    score += looks if shifts > 1 else ""
    what = say(
        "A Siamese tower that embeds {size} inspection maps; records are classified by their {distance} distance "
        "to the prototypes in `anchors.npz`{score}, with the thresholds in `threshold.json`."
    )
    if manifest.zero:
        what = say(
            "A unit space of good parts alone on {size} inspection maps, without training; what lies beyond the "
            "threshold in `threshold.json` is not good. **Detection power unknown**: no defect was shown to it, and "
            "how many it finds was not measured."
        )
    trained = say("trained on {source} at revision `{revision}` ({records} records, {modes} modes)")
    if manifest.zero:
        trained = say("made from the good parts of {source} at revision `{revision}` ({records} records)")
    tested = say(
        "tested on {records} records that were not used for training, validation or calibration "
        "(frozen set {set}, `{digest}`)"
    )
    origin = say("made {created}, seed {seed}, preset `{preset}`")
    overruled = overruled_sentence(manifest, manifest.language)
    lines = [
        *([f"**{_plain(overruled)}**"] if overruled else []),
        f"{say('status')}: **{say(manifest.status)}**{reasons}",
        trained.format(source=_code(train.source), revision=train.revision, records=train.records, modes=train.modes),
        tested.format(records=report.metrics.records, set=frozen.version, digest=frozen.digest[:12]),
        origin.format(created=manifest.created, seed=config["seed"], preset=config["preset"]),
        *_parent_tower(manifest, say),
        *_enrolled(manifest, say),
        *_journal(manifest, say),
    ]
    body = what.format(size=size, distance=config["fit"]["distance"], score=score)
    return "\n".join([f"# kensa {manifest.version}", "", body, "", *(f"- {line}" for line in lines)])


def _parent_tower(manifest: ReleaseManifest, say: Translate) -> list[str]:
    """Whose tower embeds the good parts; none where the map itself is compared."""
    parent = (manifest.zero or {}).get("parent")
    if parent is None:
        return []
    text = say("embedded by the tower of another line's release {version} (`{digest}`), trained on {source}")
    named = {"version": parent["version"], "digest": parent["fingerprint"][:12], "source": _code(parent["source"])}
    return [text.format(**named)]


def _enrolled(manifest: ReleaseManifest, say: Translate) -> list[str]:
    """What the release learnt without training; its metrics are those of its parent."""
    if not manifest.enrolled or manifest.comparison is None:
        return []
    verdict = Sentence.from_json(manifest.comparison["verdict"], manifest.comparison.get("verdict_code"))
    return [_plain(say(verdict)), say("the metrics below are those of {parent}").format(parent=manifest.parent_version)]


def _journal(manifest: ReleaseManifest, say: Translate) -> list[str]:
    """Which entry of the line's journal was the last one when the release was made; none in an earlier version."""
    journal = manifest.journal or {}
    if not journal.get("head"):
        return []
    text = say("the line's journal had {count} entries before it, head `{head}`")
    return [text.format(count=journal["entries"], head=journal["head"])]


def _figures(manifest: ReleaseManifest, report: EvaluationReport) -> str:
    say = _say(manifest)
    if manifest.zero:
        return _zero_figures(report, say)
    edges = report.metrics.intervals | {"good_auroc": report.metrics.good_auroc_interval}
    raw = {name: report.best_raw_map(name)[1] for name in ("auroc", "mode_accuracy")}
    heads = " | ".join(say(head) for head in ("metric", "this model", "interval", "best raw map"))
    lines = [f"## {say('Metrics')}", "", f"| {heads} |", "| --- | --- | --- | --- |"]
    for name, title in _known(manifest):
        low_high = edges.get(name)
        interval = f"{low_high[0]:.3f} – {low_high[1]:.3f}" if low_high else ""
        best = f"{raw[name]:.3f}" if name in raw else ""
        lines.append(f"| {say(title)} | {manifest.metrics[name]:.3f} | {interval} | {best} |")
    return "\n".join(lines)


def _zero_figures(report: EvaluationReport, say: Translate) -> str:
    """What was asked of a model from good parts alone, what was seen, and what is not known."""
    metrics, edges = report.metrics, report.metrics.good_fpr_interval
    interval = f"{edges[0]:.3f} – {edges[1]:.3f}" if edges else ""
    rate = "" if metrics.good_fpr is None else f"{metrics.good_fpr:.3f}"
    rows = [
        (say("false alarms asked for"), f"{report.zero['target']:.3f}", ""),
        (say("false alarms on {count} good test parts").format(count=metrics.records), rate, interval),
        (say("defects found"), say("unknown"), ""),
    ]
    heads = " | ".join(say(head) for head in ("metric", "this model", "interval"))
    lines = [f"## {say('Metrics')}", "", f"| {heads} |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _against_champion(manifest: ReleaseManifest, report: EvaluationReport) -> str | None:
    """The verdict, and the differences with their intervals by figure and by mode; None without a champion."""
    if report.comparison is None:
        return None
    say, result = _say(manifest), report.comparison.result
    title = say("Against the champion {version}").format(version=report.comparison.version)
    sentences = [report.verdict.rates, report.verdict.verdict]
    lines = [f"## {title}", "", "\n\n".join(_plain(say(text)) for text in sentences if text)]
    if result is not None:
        confidence = f"{100 * result.confidence:g} %"
        lines += ["", f"| challenger − champion | difference, each end with {confidence} confidence |", "| --- | --- |"]
        lines += [f"| {name.replace('_', ' ')} | {_difference(entry)} |" for name, entry in result.figures.items()]
        lines += [
            f"| accuracy of mode {_code(printable(mode))} ({entry.n}) | {_difference(entry)} |"
            for mode, entry in result.modes.items()
        ]
    return "\n".join(lines)


def _difference(entry: Difference) -> str:
    return format_difference(entry) if entry.interval else f"{entry.difference:+z.4f}, too few records for an interval"


def _tower(manifest: ReleaseManifest, report: EvaluationReport) -> str | None:
    """The diagram, which lies beside the card; None in a report of an earlier version."""
    if not report.model.get("layers"):
        return None
    say = _say(manifest)
    alt = say("layers, output shapes and numbers of parameters of the tower")
    return f"## {say('The tower')}\n\n![{alt}]({TOWER_FILE})"


def _settings(manifest: ReleaseManifest, report: EvaluationReport) -> str:
    """Settings that differ from those of the preset come first, marked."""
    defaults, rows = RunConfig(preset=manifest.config["preset"]).fingerprint_fields(), []
    for key, value in manifest.config.items():
        if key in defaults and isinstance(value, dict):
            rows += [
                (f"{key}.{name}", inner, inner != defaults[key][name])
                for name, inner in value.items()
                if name in defaults[key] and not (manifest.zero and _without_meaning(f"{key}.{name}"))
            ]
    rows.sort(key=lambda row: not row[2])
    body = "\n".join(f"| {'**' + key + '**' if changed else key} | {_code(value)} |" for key, value, changed in rows)
    say = _say(manifest)
    return f"## {say('Settings')}\n\n| {say('setting')} | {say('value')} |\n| --- | --- |\n{body}"


def _without_meaning(key: str) -> bool:
    """Whether a setting is of a training, and so says nothing of a model from good parts alone."""
    return key.startswith(("tower.", "triplets.", "fit.")) and key not in ("fit.distance", "fit.blocks")


LOG_HEADS = ("epoch", "loss", "validation loss", "validation AUROC", "validation accuracy", "active triplets")


def _log(manifest: ReleaseManifest, report: EvaluationReport) -> str | None:
    """The epochs; None where nothing was trained."""
    if not report.history["epochs"]:
        return None
    best = report.history["best_epoch"]
    rows = "\n".join(
        f"| {line['epoch']}{' (saved)' if line['epoch'] == best else ''} "
        f"| {line['loss']:.4f} | {line['val_loss']:.4f} | {_share(line.get('val_auroc'))} "
        f"| {_share(line.get('val_mode_accuracy'))} | {line['active']:.1%} |"
        for line in report.history["epochs"]
    )
    say = _say(manifest)
    heads = " | ".join(say(head) for head in LOG_HEADS)
    return f"## {say('Training log')}\n\n| {heads} |\n|{' --- |' * len(LOG_HEADS)}\n{rows}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
