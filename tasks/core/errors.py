"""What can go wrong, one class for each situation.

KensaError                  anything Kensa says in one line, without a traceback
├── BadInput                the person who started the run can mend it (exit code 2)
│   ├── BadSetting          a setting that is unknown, of the wrong type or out of bounds
│   ├── UnknownSource       no such folder, or no such dataset on the Hub
│   ├── UnknownRevision     the dataset exists, the revision does not
│   ├── NoPermission        private or gated, and the token does not open it
│   ├── SourceUnreachable   no answer from the Hub: may pass, so it is worth a retry
│   ├── UnreadableSource    files that cannot be read as a table
│   ├── UnfitData           a required check failed; carries all findings
│   ├── UnusableFolder      the data or artifacts folder, or the store of both, cannot be used
│   ├── UnknownRelease      no such release, or nothing to roll back to
│   ├── UnfitRelease        a release whose distance, thresholds or map size do not belong together
│   ├── NewerRelease        a release made by a later Kensa
│   ├── NothingToCalibrate  a release without the scores that another threshold needs
│   ├── CannotCalibrate     calibration records that do not give the threshold that is asked for
│   ├── NothingToCompare    too few records, or a release without a reference, to tell of drift
│   ├── UnreadablePhotos    photographs that are missing, broken, of another size, or wrongly labelled
│   ├── UnfitStandard       good photographs of which no standard can be made
│   ├── NotExportable       a release whose formula cannot be written in the format that is asked for
│   ├── MissingExtra        an optional package that the command needs is not installed
│   ├── UnknownRepository   no such model repository on the Hub, or no right to make it
│   ├── AlreadyPublished    the Hub has another content under the release's tag
│   ├── SourceChanged       a source is no longer what a release was trained on
│   ├── MapSizeChanged      the champion takes maps of another size
│   ├── DamagedStage        a folder given as a stage that is none, or not sound
│   ├── ServerUnreachable   no Prefect server answers where one is configured
│   └── ClusterUnreachable  no Dask cluster with workers at the address, or no client for it
└── Failure                 the run itself failed (exit code 1)
    ├── TrainingDiverged    the loss is no number any more
    ├── TrainingCollapsed   every record has the same embedding
    ├── ParityLost          an exported file says something else than its release: it is not kept
    ├── DamagedRelease      a release whose files do not have their digests
    ├── DamagedLedger       the ledger of dataset versions is no whole database
    ├── ChampionMoved       another run, or another machine of the store, changed the champion in the meantime
    ├── FrozenSetMoved      another run gave the frozen test set's name to a set of its own
    ├── NotComparable       the champion cannot be judged beside the challenger: told as a rejection
    ├── NotPrepared         the server did not take pool, deployments or automations
    ├── SomeLinesFailed     some product lines failed; the others were done
    ├── ProcessDied         the process of a trial ended before it answered
    ├── TrialFailed         a trial of a sweep diverged or collapsed; the others go on
    ├── NoTrialLeft         every trial of a sweep failed
    └── GaveUp              a run that crashed too often is not taken up again
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.core.results import Finding


class KensaError(Exception):
    """Base of all errors that are told in one line; `exit_code` is the command's."""

    exit_code = 1
    may_pass = False  # True where trying again later can help

    def __str__(self) -> str:
        """One line, whatever a name or a library has put into it: no new line, nothing that steers a terminal."""
        return "".join(one if one.isprintable() else " " for one in super().__str__())


class BadInput(KensaError):
    """Something that the person who started the run can mend."""

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
    """A private or gated dataset that the token does not open."""


class SourceUnreachable(BadInput):
    """The Hub gave no usable answer; it may later."""

    may_pass = True


class UnreadableSource(BadInput):
    """Files that cannot be read as a table."""


class UnfitData(BadInput):
    """A required check of the data failed.

    `findings` holds all of them, also those that passed, so that the table can be shown.
    """

    def __init__(self, source: str, findings: tuple[Finding, ...]) -> None:
        super().__init__(source, findings)
        self.source = source
        self.findings = findings

    def __str__(self) -> str:
        failed = [f for f in self.findings if f.required and not f.success]
        return f"{self.source} cannot be trained on: " + "; ".join(f"{f.name}: {f.notes}" for f in failed)


class UnusableFolder(BadInput):
    """A folder that Kensa must write to and cannot."""


class UnknownRelease(BadInput):
    """No release of that name, or none to go back to."""


class UnfitRelease(BadInput):
    """A release whose distance, thresholds or map size do not belong together."""


class NewerRelease(BadInput):
    """A release in a form that only a later Kensa knows."""


class NothingToCalibrate(BadInput):
    """A release without the scores of good and defective parts that another threshold needs."""


class CannotCalibrate(BadInput):
    """Calibration records that do not give the threshold that is asked for."""


class NothingToCompare(BadInput):
    """Too few records, or a release without a reference, to tell whether parts drifted."""


class UnreadablePhotos(BadInput):
    """Photographs that are missing, broken, of another size than the standard, or wrongly labelled."""


class UnfitStandard(BadInput):
    """Good photographs of which no standard can be made, or a standard that does not fit."""


class NotExportable(BadInput):
    """A release whose distance or tower cannot be written in the format that is asked for."""


class MissingExtra(BadInput):
    """An optional package that the command needs is not installed."""


class UnknownRepository(BadInput):
    """No such model repository on the Hub, and no right to make it."""


class AlreadyPublished(BadInput):
    """The Hub has another content under the release's tag."""


class SourceChanged(BadInput):
    """A source is no longer what a release was trained on, so that the release cannot be made again."""


class MapSizeChanged(BadInput):
    """The champion takes maps of another size, so the two cannot be compared."""


class DamagedStage(BadInput):
    """A folder given as a stage that is none, or whose files do not have their digests."""


class ServerUnreachable(BadInput):
    """No Prefect server answers at the configured address."""


class ClusterUnreachable(BadInput):
    """No Dask cluster with workers answers at the address, or the client for it is not installed."""


class Failure(KensaError):
    """The run itself failed."""


class TrainingDiverged(Failure):
    """The loss is no finite number any more."""


class TrainingCollapsed(Failure):
    """All records have the same embedding: the loss sits at the margin."""


class ParityLost(Failure):
    """An exported file, run by its own runtime, says something else than the release that it comes from."""


class DamagedRelease(Failure):
    """A release whose files do not have the digests of its manifest."""


class DamagedLedger(Failure):
    """The ledger of dataset versions is no whole database, or says what was never written."""


class ChampionMoved(Failure):
    """Another run changed the champion while this one compared itself with it."""


class FrozenSetMoved(Failure):
    """Another run gave the name of this run's frozen test set to a set of its own."""


class NotComparable(Failure):
    """The champion cannot be judged beside the challenger; the run ends in a rejection that says why."""


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


class GaveUp(Failure):
    """A run that crashed too often is not taken up again."""
