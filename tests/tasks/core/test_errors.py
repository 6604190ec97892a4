"""Every error is one line with an exit code, and says which situation it is for."""

from __future__ import annotations

import inspect
import pickle

import pytest

from tasks.core import errors
from tasks.core.errors import BadInput, BadSetting, ClusterLost, Failure, KensaError, SourceUnreachable, UnfitData
from tasks.core.results import Finding

CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_describes_itself_and_has_its_exit_code(kind):
    assert kind.__doc__ != kind.__base__.__doc__
    assert issubclass(kind, KensaError)
    assert kind.exit_code == (2 if issubclass(kind, BadInput) else 1)
    assert kind in (KensaError, BadInput, Failure) or issubclass(kind, BadInput) != issubclass(kind, Failure)


def test_an_error_is_one_line_without_control_characters():
    assert str(BadSetting("two\nlines \x1b[31mred\r")) == "two lines  [31mred "


def test_only_what_is_temporary_is_worth_a_retry():
    assert [kind for kind in CLASSES if kind.may_pass] == [ClusterLost, SourceUnreachable]


def test_unfit_data_names_the_failed_checks_and_crosses_processes_with_all_of_them():
    findings = (
        Finding("finite values", False, True, "3 maps with NaN"),
        Finding("maps vary", False, False, "1 constant map"),
        Finding("records present", True, True, "9 rows"),
    )
    error = pickle.loads(pickle.dumps(UnfitData("acme/boards", findings)))
    assert str(error) == "acme/boards cannot be trained on: finite values: 3 maps with NaN"
    assert error.findings == findings
    assert [finding.verdict for finding in findings] == ["failed", "warning", "ok"]
