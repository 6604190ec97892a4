"""How many records a judgement needs in each part of the split: known before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tasks.config.run import EvaluateConfig, RunConfig
from tasks.core.errors import UnfitData
from tasks.core.facts import BankFacts
from tasks.core.results import Finding
from tasks.data.split import FITTED_PARTS, PARTS

MIN_TEST_RECORDS = 20  # with fewer, two models cannot be told apart
MIN_CALIBRATION_RECORDS = 20  # with fewer, a threshold between modes is chance
FALSE_ALARM_RULES = ("target_fpr", "target_fpr_pac")  # of evaluate.rule: they need good records alone
MIN_CROSSED_GROUPS = 3  # one is tested, and two are trained on and calibrate
MIN_VALIDATION_RECORDS = 10  # where they choose the epoch


def require_least_sizes(facts: BankFacts, config: RunConfig, source: str) -> tuple[Finding, ...]:
    """The checks of the parts' sizes; raises UnfitData where a trained model could not be judged or released."""
    findings = tuple(size_findings(facts, config))
    if not all(finding.success for finding in findings):
        raise UnfitData(source, findings)
    return findings


def size_findings(facts: BankFacts, config: RunConfig) -> Iterator[Finding]:
    """A required check of each size that the training's choice of an epoch, the thresholds and the test need.

    Good and defective records are needed where the training part has good ones: without, no verdict is given.
    """
    records, good = facts.records, facts.good
    if facts.good_alone:
        yield from _good_alone_checks(facts, config)
        return
    if config.resolved().fit.keep == "best":
        yield _check("validation records", records["stop"], MIN_VALIDATION_RECORDS, "split.stop")
    yield _check("calibration records", records["calibrate"], MIN_CALIBRATION_RECORDS, "split.calibrate")
    yield _check("test records", records["test"], MIN_TEST_RECORDS, "split.test")
    crossed = config.evaluate.cross is not None
    if crossed:
        yield _crossed_groups_check(facts, config)
    if not good["train"]:
        return
    calibrating = sum(good[part] for part in FITTED_PARTS) if crossed else good["calibrate"]
    yield _good_calibration_check(calibrating, config.evaluate)
    yield _check("good test records", good["test"], 1, "split.test")
    for part, title in (("calibrate", "calibration"), ("test", "test")):
        yield _check(f"defective {title} records", records[part] - good[part], 1, f"split.{part}")


def _good_alone_checks(facts: BankFacts, config: RunConfig) -> Iterator[Finding]:
    """A model from good parts alone calibrates on the parts that it is made from, each left out in turn."""
    settings, share = config.evaluate, config.split.test / sum(getattr(config.split, part) for part in PARTS)
    followed = settings.rule in FALSE_ALARM_RULES
    other = f"expected {' or '.join(FALSE_ALARM_RULES)}, found {settings.rule}, which needs defects; set evaluate.rule"
    yield Finding("a rule for good parts alone", followed, True, settings.rule if followed else other)
    if followed:
        least, reason = _least_good_records(settings)
        in_all = math.ceil(max(least / (1 - share), MIN_TEST_RECORDS / share))
        setting = f"evaluate.target, or bring about {in_all} good parts in all"
        yield _check("good records to calibrate on", facts.good["train"], least, setting, reason)
    yield _check("good test records", facts.good["test"], MIN_TEST_RECORDS, "split.test")


def _crossed_groups_check(facts: BankFacts, config: RunConfig) -> Finding:
    """With fewer groups, a model that is trained without one cannot be trained, stopped and calibrated on others."""
    parts = FITTED_PARTS if config.test and not facts.pooled else PARTS
    count = sum(facts.groups[part] for part in parts)
    missing = (
        f"expected {MIN_CROSSED_GROUPS} at least, found {count} in the column {config.data.group!r}; add records of "
        "more groups, name their column with data.group, or leave evaluate.cross out"
    )
    enough = count >= MIN_CROSSED_GROUPS
    return Finding("enough groups for evaluate.cross", enough, True, f"{count}" if enough else missing)


def min_good_records(target: float, confidence: float | None = None) -> int:
    """The fewest good calibration records for a false-positive rate of `target`, on average or with a confidence.

    On average the rate must have a quantile among them. With a confidence, a rate above the target must be so likely
    to show among them: (1 − target)ⁿ ≤ 1 − confidence.
    """
    return math.ceil(1 / target if confidence is None else math.log(1 - confidence) / math.log(1 - target))


def _good_calibration_check(count: int, settings: EvaluateConfig) -> Finding:
    name, setting = "good calibration records", "split.calibrate"
    if settings.rule not in FALSE_ALARM_RULES:
        return _check(name, count, 1, setting)
    least, reason = _least_good_records(settings)
    return _check(name, count, least, f"{setting} or evaluate.target", reason)


def _least_good_records(settings: EvaluateConfig) -> tuple[int, str]:
    """The fewest good records for a rate of false alarms, and what asks for them, as a check says it."""
    least, target = min_good_records(settings.target), f"evaluate.target={settings.target:g}"
    if settings.rule == "target_fpr_pac":
        least = max(least, min_good_records(settings.target, settings.target_confidence))
        target += f" with evaluate.target_confidence={settings.target_confidence:g}"
    return least, f" for {target}"


def _check(name: str, count: int, least: int, settings: str, reason: str = "") -> Finding:
    missing = f"expected {least} at least{reason}, found {count}; add records, or raise {settings}"
    return Finding(f"enough {name}", count >= least, True, missing if count < least else f"{count}")
