"""What can go wrong: one class for each situation, each reported in one line, without a traceback.

BadInput is what the person who started the run can correct (exit code 2), Failure a run that failed (exit code 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.core.results import Finding


class KensaError(Exception):
    """Base of all errors that are reported in one line; `exit_code` is the command's."""

    exit_code = 1
    may_pass = False  # True where a later retry can help

    def __str__(self) -> str:
        """The text without line breaks and control characters, which a name or a library may have put into it."""
        return "".join(character if character.isprintable() else " " for character in super().__str__())


class BadInput(KensaError):
    """Something that the person who started the run can correct."""

    exit_code = 2


class BadSetting(BadInput, ValueError):
    """A setting that is unknown, of the wrong type or out of bounds.

    A ValueError too, because Prefect reports those as errors of the run's parameters.
    """


class UnknownSource(BadInput):
    """No such folder, or no such dataset on the Hub."""


class UnknownRevision(BadInput):
    """The dataset exists, the revision does not."""


class NoPermission(BadInput):
    """A private or gated repository that the token does not open."""


class SourceUnreachable(BadInput):
    """The Hub gave no usable answer; a retry can help."""

    may_pass = True


class UnreadableSource(BadInput):
    """Files that cannot be read as a table."""


class UnfitData(BadInput):
    """A required check of the data failed.

    `findings` holds all checks, also those that passed, for the table that people see.
    """

    def __init__(self, source: str, findings: tuple[Finding, ...]) -> None:
        super().__init__(source, findings)
        self.source = source
        self.findings = findings

    def __str__(self) -> str:
        failed = (finding for finding in self.findings if finding.required and not finding.success)
        reasons = "; ".join(f"{finding.name}: {finding.notes}" for finding in failed)
        return f"{self.source} cannot be trained on: {reasons}"


class UnusableFolder(BadInput):
    """A folder, or a store of folders, that cannot be read or written."""


class LimitedMemory(BadInput):
    """The process may use less memory than the libraries need."""


class UnknownRelease(BadInput):
    """No such release, or none to roll back to."""


class NotACandidate(BadInput):
    """A release that does not wait for approval, or one that does and was to be promoted without."""


class UnfitRelease(BadInput):
    """A release whose distance, thresholds or map size do not belong together."""


class NothingToPublish(BadInput):
    """No decision that the dataset does not have."""


class NothingToReview(BadInput):
    """No part that people should look at."""


class DecidedMeanwhile(BadInput):
    """Another person decided on the same part after it was shown."""


class NewerRelease(BadInput):
    """A release in a format that only a later Kensa can read."""


class NothingToCalibrate(BadInput):
    """A release without the scores of good and defective parts that another threshold needs."""


class CannotCalibrate(BadInput):
    """Calibration records that cannot give the requested threshold."""


class CannotEnrol(BadInput):
    """Too few parts for a mode or a lot, or parts that the release cannot learn without harm to what it knows."""


class UnfitStudy(BadInput):
    """A study whose parts, plan or answers are not complete, or do not belong together."""


class NothingToCompare(BadInput):
    """Too few records, or a release without a reference, to test for drift."""


class UnreadablePhotos(BadInput):
    """Photographs that are missing, broken, of another size than the standard, or wrongly labelled."""


class UnfitStandard(BadInput):
    """Good photographs that give no standard, or a standard that does not fit."""


class NotExportable(BadInput):
    """A release whose distance or tower cannot be exported in the requested format."""


def install_hint(extra: str) -> str:
    """How the packages of an extra are had: from Kensa's own source, with the pins and hashes of its lock."""
    return f"run make setup EXTRAS={extra} in the folder of Kensa's source"


class MissingExtra(BadInput):
    """An optional package that the command needs is not installed; `needed_by` is the option or input that asked."""

    def __init__(self, needed_by: str, packages: str, extra: str) -> None:
        super().__init__(f"{needed_by}: expected the package {packages}, found none; {install_hint(extra)}")


class UnknownRepository(BadInput):
    """No such model repository on the Hub, or no permission to create it."""


class AlreadyPublished(BadInput):
    """The release's tag on the Hub holds something else."""


class SourceChanged(BadInput):
    """A source has changed since a release was trained on it, so that the release cannot be reproduced."""


class MapSizeChanged(BadInput):
    """The champion takes maps of another size, so the two cannot be compared."""


class DamagedStage(BadInput):
    """A folder given as a stage is none, or its files do not match their digests."""


class MissingStage(BadInput):
    """A stage that a release was made from is not in the data folder, or is damaged."""


class ServerUnreachable(BadInput):
    """No Prefect server answers at the configured address."""


class ClusterUnreachable(BadInput):
    """No Dask cluster with workers answers at the address, or the client for it is not installed."""


class Failure(KensaError):
    """The run itself failed."""


class NotServable(Failure):
    """A release that cannot be exported, and so not be served."""


class TrainingDiverged(Failure):
    """The loss is no finite number any more."""


class TrainingCollapsed(Failure):
    """All records have the same embedding: the loss sits at the margin."""


class ParityLost(Failure):
    """An exported file, run by its own runtime, gives other results than its release."""


class DamagedRelease(Failure):
    """A release whose files do not match the digests of its manifest."""


class UntrustedRelease(Failure):
    """A release without a signature by the key that is asked for."""


class DamagedJournal(Failure):
    """A journal of which an entry was changed, removed or moved."""


class DamagedDecisions(Failure):
    """The reviewers' decisions are not as they were written."""


class DamagedLedger(Failure):
    """The ledger of dataset versions is a damaged database, or holds what was never written."""


class ChampionMoved(Failure):
    """Another run changed the champion while this one compared with it."""


class FrozenSetMoved(Failure):
    """Another run gave the name of this run's frozen test set to another set."""


class NotComparable(Failure):
    """Champion and challenger cannot be compared; the run ends in a rejection that says why."""


class NotPrepared(Failure):
    """The server did not take the work pool, the deployments or the automations."""


class SomeLinesFailed(Failure):
    """Some product lines failed; the others were done."""


class ProcessDied(Failure):
    """The process of a trial ended before it answered."""


class TrialFailed(Failure):
    """A trial of a sweep diverged or collapsed; the others go on."""


class NoTrialLeft(Failure):
    """Every trial of a sweep failed."""


class ClusterLost(Failure):
    """The workers of a Dask cluster ended during the work, and none came back."""

    may_pass = True


class GaveUp(Failure):
    """A run crashed too often to be resumed again."""
