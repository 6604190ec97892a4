"""Sentences that are stored and shown: English text with its code and parameters, so that a page can translate it.

Manifests hold the text, and beside it `{"code": …, "params": {…}}`; an older manifest has only the text.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from tasks.core.json_form import Json

ENGLISH = {
    "leak": "leakage: {leak}",
    "shared_records": "{count} records are in more than one part",
    "wrong_hashes": "{count} records do not match their hashes",
    "crossing_triplets": "{count} triplets cross the split",
    "wrong_anchors": "the anchors are not the means of the training records",
    "wrong_prototypes": "the prototypes are not those of the training records",
    "both": "{first}; {second}",
    "not_clean": "The test is not clean: {leaks}.",
    "cut_groups": "{split} of {groups} groups are in more than one part",
    "cut_components": "{split} of {components} components of linked records are in more than one part; "
    "the largest holds {largest} of {records} records",
    "near_copies": "{count} of {records} test records are near copies of training records (a group column keeps "
    "copies together)",
    "cut": "No record is in more than one part, but {cut}: split by {split_by}.",
    "clean_records": "No record is in more than one part.",
    "clean_records_groups": "No record or group is in more than one part.",
    "clean_records_components": "No record or component is in more than one part.",
    "clean_records_groups_components": "No record, group or component is in more than one part.",
    "not_better_than_raw_map": "{metric} {value:.4f} does not beat the {baseline} ({raw:.4f}): "
    "no improvement over the raw-map baseline",
    "raw_map_margin": "{metric} {value:.4f} does not beat the {baseline} ({raw:.4f}) by the required {margin:g}",
    "raw_map_not_shown": "{metric} {value:.4f} is not shown to beat the {baseline} ({raw:.4f}): "
    "difference {difference:+z.4f} [{low:+z.4f}, {high:+z.4f}] at {confidence:g} % confidence; "
    "the lower end must exceed {margin:g}",
    "few_test_records": "only {count} test records: {needed} are needed to judge a model",
    "no_threshold": "no {name} threshold: {why}",
    "one_kind": "the calibration records are all of one kind",
    "few_for_fpr": "{count} good calibration records, a false-positive rate of {rate:g} needs {needed}",
    "few_for_certain_fpr": "{count} good calibration records, a false-positive rate of {rate:g} with {confidence:g} % "
    "confidence needs {needed}",
    "no_precision": "no cut reaches a precision of {target:g}; the best is {best:.3f}",
    "not_comparable": "cannot be compared with the champion {champion}: {why}",
    "few_to_compare": "{records} test records in {modes} modes are new to it and known by it; {needed} in 2 are needed",
    "few_good_and_defective": "{good} good and {defects} defective test records are new to it; {needed} together, some "
    "of each, are needed",
    "few_good_to_compare": "{good} good test records are new to it; {needed} are needed",
    "good_against_trained": "it was trained with {modes} modes, and good parts alone do not show what a model finds of "
    "defects",
    "modes_not_compared": "verification AUROC and mode accuracy were not compared, because {champion} is made from "
    "good parts alone and knows no modes",
    "alarms_no_worse": "no worse than the champion {champion} on good parts: {alarms}, on {on}; what either finds of "
    "defects is unknown",
    "alarms_not_shown": "not shown to be no worse than the champion {champion} on good parts: {alarms}, on {on}; the "
    "upper end must be below {margin:g}; what either finds of defects is unknown",
    "alarm_rates": "champion {champion} → this model: {false_alarms}",
    "same_model": "a tie: the same model as the champion {champion}, with the same distances on {on}; "
    "the champion stays",
    "tie": "a tie with the champion {champion}: the same {metric} on {on}; the champion stays",
    "better": "better than the champion {champion}: {difference}",
    "worse": "worse than the champion {champion}: {difference}; the lower end must exceed {least_gain:g}",
    "not_better": "not shown to be better than the champion {champion}: {difference}; "
    "the lower end must exceed {least_gain:g}",
    "same_records": "the same {records} test records of {frozen}",
    "counted": "{on} (comparison {number} with this champion)",
    "difference": "{metric} difference {difference:+z.4f} [{low:+z.4f}, {high:+z.4f}] "
    "at {confidence:g} % confidence, on {on}",
    "errors_rose": "{rate} rose from {then:.3g} % to {now:.3g} % against the champion {champion}: {before} → {after} "
    "of {records} {kind}, {points:+z.1f} points [{low:+z.1f}, {high:+z.1f}]; the upper end must be below {margin:g}",
    "errors_not_shown": "{rate} are not shown to be no worse than the champion {champion}'s: "
    "{then:.3g} % → {now:.3g} %, {before} → {after} of {records} {kind}, "
    "{points:+z.1f} points [{low:+z.1f}, {high:+z.1f}]; the upper end must be below {margin:g}",
    "error_rate": "{rate} {then:.3g} % → {now:.3g} % ({before} → {after} of {records} {kind}, "
    "{points:+z.1f} points [{low:+z.1f}, {high:+z.1f}])",
    "error_rates": "champion {champion} → this model: {escapes}; {false_alarms}",
    "rates_not_compared": "escapes and false alarms were not compared: {why}",
    "no_good_to_compare": "there are no good and defective parts on which both models can be judged",
    "no_threshold_to_compare": "a model has no threshold between good and defect",
    "metric_fell": "{metric} fell against the champion {champion}: {then:.4f} → {now:.4f}, "
    "difference {difference:+z.4f} [{low:+z.4f}, {high:+z.4f}]; the lower end must exceed -{margin:g}",
    "metric_not_shown": "{metric} is not shown to be no worse than the champion {champion}'s: {then:.4f} → {now:.4f}, "
    "difference {difference:+z.4f} [{low:+z.4f}, {high:+z.4f}]; the lower end must exceed -{margin:g}",
    "worse_mode": "mode {mode} is worse than the champion {champion}'s: accuracy {then:.3f} → {now:.3f} on {records} "
    "test records, difference {difference:+z.4f} [{low:+z.4f}, {high:+z.4f}]; {margin:g} is allowed",
    "worse_modes": "the modes of fewer than {fewest} {units} ({modes}) are worse than the champion {champion}'s: "
    "accuracy {then:.3f} → {now:.3f} on {records} test records, "
    "difference {difference:+z.4f} [{low:+z.4f}, {high:+z.4f}]; {margin:g} is allowed",
    "costs_more": "On the test records the new threshold costs more: {test_before:,.0f} → {test_after:,.0f}. "
    "The calibration records, which chose it, say {calibration_before:,.0f} → {calibration_after:,.0f}. "
    "They are too few to agree: keep the old threshold, or collect more parts",
    "enrolled_mode": "{parent} with the mode {name}, enrolled from {parts} parts without training: {recall_count} of "
    "{recall_of} are nearest to it when left out [{recall_low:.1f} %, {recall_high:.1f} %]; {changed_count} of "
    "{changed_of} verdicts on test records change [{changed_low:.1f} %, {changed_high:.1f} %]",
    "enrolled_lot": "{parent} for the lot {name}, enrolled from {parts} good parts without training: {before_count} of "
    "{before_of} were stopped [{before_low:.1f} %, {before_high:.1f} %], {after_count} of {after_of} are by its own "
    "threshold when left out [{after_low:.1f} %, {after_high:.1f} %]",
    "lost_modes": "no longer knows {modes}, which the champion {champion} does; gate.may_lose_modes=true allows it",
}

METRIC_TITLES = {
    "auroc": "verification AUROC",
    "average_precision": "average precision",
    "mode_accuracy": "mode accuracy",
    "macro_mode_accuracy": "mean mode accuracy",
    "good_auroc": "good-or-defect AUROC",
}


class Sentence(str):
    """English text; `code` is empty for a text without parameters, which a catalogue translates by itself."""

    code: str
    params: Json

    def __new__(cls, text: str, code: str = "", params: Json | None = None) -> Sentence:
        """The text as it is."""
        sentence = super().__new__(cls, text)
        sentence.code, sentence.params = code, params or {}
        return sentence

    @classmethod
    def from_json(cls, text: str, entry: Json | None) -> Sentence:
        """The text with the code and parameters that are stored beside it, if they are."""
        params = {} if entry is None else entry["params"]
        parts = {
            name: cls.from_json(value["text"], value) if isinstance(value, dict) else value
            for name, value in params.items()
        }
        return cls(text, "" if entry is None else entry["code"], parts)

    def as_json(self) -> Json:
        """Code and parameters; a parameter that is a sentence is stored with its text."""
        parts = {
            name: {"text": str(value), **value.as_json()} if isinstance(value, Sentence) else value
            for name, value in self.params.items()
        }
        return {"code": self.code, "params": parts}


def sentence(code: str, **params: Any) -> Sentence:
    """The English sentence of a code; a parameter that is to be translated is a Sentence."""
    return Sentence(ENGLISH[code].format(**params), code, params)


def metric_title(metric: str) -> Sentence:
    """A metric as people read it."""
    return Sentence(METRIC_TITLES.get(metric, metric))


def join_sentences(sentences: Sequence[Sentence]) -> Sentence:
    """One or more sentences with semicolons between them."""
    return functools.reduce(lambda first, second: sentence("both", first=first, second=second), sentences)


def read_sentences(texts: list[str], codes: list[Json] | None) -> tuple[Sentence, ...]:
    """Stored texts with the codes beside them; without codes where these are not one for each text."""
    entries = codes if codes and len(codes) == len(texts) else [None] * len(texts)
    return tuple(map(Sentence.from_json, texts, entries))


def code_of(text: str) -> Json:
    """What is stored beside a text; no code for a plain one."""
    return (text if isinstance(text, Sentence) else Sentence(text)).as_json()
