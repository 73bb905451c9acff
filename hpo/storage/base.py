"""What a place where studies live can do; the database and its in-memory twin both do it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from hpo.account import Quota
from hpo.cohort import Cohort, CohortPlan
from hpo.space import Params, SearchSpace, Value
from hpo.states import StudyState, TrialState, Wanted
from hpo.storage.base_accounts import AccountStorage
from hpo.storage.base_census import CensusStorage
from hpo.storage.base_columns import ColumnStorage
from hpo.storage.base_external import ExternalStorage
from hpo.storage.base_models import ModelStorage
from hpo.storage.base_models import StoredModel as StoredModel
from hpo.study import Driver, NewStudy, Study
from hpo.trial import Curve, Queued, Trial, TrialPlan, TrialResult

LEASE_S = 15.0

Check = Callable[[Study], None]  # raises where a study is not what it is thought to be
Entry = tuple[Params, int | None]  # a setting to enqueue, and the failed trial that it is once more


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to run a study: every write of its driver carries it and is refused once it is void."""

    study: int
    name: str
    driver: Driver
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """name: number, value, finished_at, epochs or params.NAME; op: one of = != < <= > >= in (then a tuple)."""

    name: str
    op: str
    value: Value | tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """The last trial of the page before: what it was sorted by, and its number."""

    key: Value
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialQuery:
    """Which trials, in which order.

    sort: number, value, finished_at, epochs or params.NAME, `-` reverses; trials without one come last, ties by
        number; texts, which come behind numbers, are told apart by their first 500 characters
    where: all must hold; one about a parameter holds only of trials that have it
    after: the page begins behind that trial, at the same cost wherever it is
    unread: of `params`, `facts` and `lineage` what is not to be read, and then is empty: JSON, most of what a trial takes
    """

    states: tuple[TrialState, ...] = ()
    sort: str = "number"
    where: tuple[Condition, ...] = ()
    after: After | None = None
    limit: int | None = None
    offset: int = 0
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """Where the trials of a study come from, beside its sampler.

    n_enqueued: how many stood in the queue; n_inherited: how many went on from another one
    retries: failed trial -> the trial that is it once more, the last one if there are several
    """

    n_enqueued: int
    n_inherited: int
    retries: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyQuery:
    """Which studies, the newest first. labels: all of them; after: the id of the last one of the page before."""

    states: tuple[StudyState, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    owner: str | None = None
    served: bool | None = None
    limit: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """A request that must not work twice. owner: whose; key: its Idempotency-Key; digest: SHA-256 of what it says."""

    owner: str
    key: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinatorBeat:
    """A coordinator that serves: who it is and what its slots do, in JSON types.

    slots: [{id, device, memory_bytes, study, lanes, model_steps_per_s}, …]; study: null for an idle one
    age_s: seconds since it was last seen, by the database's clock
    """

    driver: Driver
    version: str
    pool: str
    slots: Sequence[Mapping[str, Any]]
    started_at: datetime | None = None
    age_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredTest:
    """What the chosen trial's model is worth on the test rows, metric by metric.

    scores: means over repeats; stderrs: their standard errors, empty without repeats
    """

    number: int
    scores: Mapping[str, float]
    stderrs: Mapping[str, float] = field(default_factory=dict)

    def record(self, times: int) -> dict[str, Any]:
        """What a study keeps of it, in JSON types. times: how often test rows were scored, this one included."""
        stderr = {"stderr": dict(self.stderrs)} if self.stderrs else {}
        return {"number": self.number, **self.scores, **stderr, "scored": times}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDataset:
    """An uploaded data set, without its bytes. id: ds_ and the first 16 digits of its SHA-256."""

    id: str
    name: str
    sha256: str
    n_bytes: int
    info: Mapping[str, Any] = field(default_factory=dict)
    added_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """What is to change in a study that lives; None: stays. labels, limits: the whole of them."""

    n_trials: int | None = None
    priority: int | None = None
    labels: Mapping[str, str] | None = None
    limits: Mapping[str, Any] | None = None


class Storage(AccountStorage, ModelStorage, ExternalStorage, CensusStorage, ColumnStorage, Protocol):
    """Where studies live. Values in, values out: what is returned never changes afterwards.

    Every method is one transaction, all or nothing. Any may raise StorageUnavailable or StorageFull.
    """

    # Studies

    def create_study(self, new: NewStudy, *, once: Once | None = None, quota: Quota | None = None) -> Study:
        """A new study, QUEUED. once: the same request again gives the study it made before, unless that is
        gone. quota: of its owner. Raises StudyExists, KeyReused, QuotaReached, DatasetNotFound when the uploaded
        data set that its file names is gone."""

    def get_study(self, name: str) -> Study:
        """The study of that name. Raises StudyNotFound."""

    def list_studies(self, query: StudyQuery = ...) -> list[Study]:
        """Studies, the newest first."""

    def study_names(self, prefix: str = "") -> list[str]:
        """The names that begin with the prefix, the newest study's first."""

    def want(self, name: str, wanted: Wanted, *, instead_of: Wanted | None = None) -> Study:
        """Leave word for the study's driver; NOTHING takes it back. instead_of: only where that is the word now,
        another one stays. Raises StudyNotFound."""

    def move_study(
        self, name: str, state: StudyState, *, reason: str | None = None, served: bool | None = None
    ) -> Study:
        """Move a study that nobody drives. served: from now on a server's or not; None: as it is. Raises
        StudyNotFound, IllegalMove, StudyOwned, QuotaReached when a final one is more than its owner may have."""

    def set_trials(self, name: str, n_trials: int) -> Study:
        """Raise the total of trials. Raises StudyNotFound, IllegalMove when it would fall, QuotaReached."""

    def amend_study(self, name: str, changes: Amendment, *, check: Check | None = None) -> Study:
        """Set what may change while a study lives, in its row and its study file (`trials` of the file stay);
        its driver reads it again within seconds. check: looks at the study as it is before, under the lock, and
        may raise. Raises StudyNotFound, IllegalMove when the total of trials would fall, QuotaReached."""

    def set_note(self, name: str, text: str) -> None:
        """The note in Markdown that Optuna's dashboard shows with it, in place of the last one from here; one
        that somebody else wrote stays. Raises StudyNotFound."""

    def enqueue(self, name: str, entries: Sequence[Entry], *, served: bool | None = None) -> Study:
        """Put settings into the queue, at its end, and raise the total by as many; COMPLETED and FAILED
        go to QUEUED (served: as for move_study). Raises StudyNotFound, QuotaReached, IllegalMove when the
        study is CANCELLED or STOPPING, or a failed trial has its retry already."""

    def queue(self, name: str) -> list[Queued]:
        """The settings that wait for a number, the first to go first. Raises StudyNotFound."""

    def delete_study(self, name: str) -> None:
        """Remove a study with all that is its own. Raises StudyNotFound, StudyOwned."""

    # Driving a study

    def claim_study(
        self, name: str, driver: Driver, *, dead: Driver | None = None, lease_s: float = LEASE_S
    ) -> Claim:
        """Take a QUEUED study, or a RUNNING or STOPPING one whose lease ran out or whose driver is
        the `dead` one, to RUNNING (STOPPING stays). Raises StudyNotFound, StudyOwned, IllegalMove."""

    def renew(
        self, claim: Claim, *, lease_s: float = LEASE_S, live: Mapping[str, Any] | None = None
    ) -> Wanted:
        """Keep the claim, and its RUNNING cohorts', for another lease; what is wanted. live: how fast it
        goes, kept until the study is released. Raises LeaseLost."""

    def release(
        self,
        claim: Claim,
        state: StudyState,
        *,
        reason: str | None = None,
        test: ScoredTest | None = None,
        obeys: Wanted = Wanted.NOTHING,
    ) -> Study:
        """End driving: move the study, forget driver and wish; unless the study is PAUSED, cohorts
        not DONE and their trials that still run end FAIL `cancelled` (PAUSED: cohorts go back to
        READY). A study to be PAUSED that somebody wants cancelled is CANCELLED. test: kept with it;
        `scored` counts how often. obeys: the word that the driver had found; of a pause that was taken
        back since comes QUEUED, of one that became a stop COMPLETED. To the same state once more, as when
        an answer was lost, gives the study as it was left. Raises LeaseLost, IllegalMove."""

    def hand_over(self, claim: Claim) -> Study:
        """End driving, so that another driver may go on at once: RUNNING to QUEUED, by way of PAUSED; STOPPING
        stays, with its reason and its cohorts. A wish stays for the next. Raises LeaseLost."""

    def move_claimed(
        self, claim: Claim, state: StudyState, *, reason: str | None = None, counted: int | None = None
    ) -> Study:
        """Move a driven study (RUNNING to STOPPING); reason and counted stay with it until it is claimed
        again after its end. The same once more is no move. Raises LeaseLost, IllegalMove."""

    def set_notes(self, claim: Claim, notes: Mapping[str, Any]) -> None:
        """Keep what the sampler decided in place of what it said before. Raises LeaseLost."""

    # Trials and cohorts of a driven study

    def plan_trials(
        self,
        claim: Claim,
        space: SearchSpace,
        plans: Sequence[TrialPlan],
        cohorts: Sequence[CohortPlan],
    ) -> list[Cohort]:
        """Insert trials of the next consecutive numbers, RUNNING, in order, and their cohorts, READY;
        take the entries of plans that were enqueued off the queue. The same once more, as when an answer
        was lost, gives those cohorts until one is begun. Raises LeaseLost, ValueError when
        numbers do not follow the last, cohorts do not cover them or an entry is not in the queue,
        IllegalMove when another program added trials through Optuna."""

    def open_cohorts(self, name: str) -> list[Cohort]:
        """The cohorts that are not DONE, by id. Raises StudyNotFound."""

    def unfinished(self, name: str) -> list[Trial]:
        """The RUNNING trials by number: what a driver that takes over has still to train."""

    def start_cohort(self, claim: Claim, cohort: int) -> Cohort:
        """READY, or RUNNING of an earlier attempt or driver, to RUNNING with attempt + 1. Raises LeaseLost."""

    def record_epochs(
        self, claim: Claim, cohort: int, attempt: int, epoch: int, steps: Mapping[int, Mapping[int, float]]
    ) -> None:
        """How far a cohort is; steps: number -> epoch -> value, upserts into Optuna's intermediate
        values, ignored for finished trials. Raises LeaseLost when claim or attempt are void."""

    def finish_trials(
        self, claim: Claim, cohort: int, attempt: int, results: Sequence[TrialResult], *, done: bool = False
    ) -> list[int]:
        """RUNNING trials to their final state, everything about them written before or with it; a
        finished one is left as it is. done: the cohort is DONE. The numbers really finished now.
        The same once more, as when an answer was lost, changes nothing and gives nothing.
        COMPLETE without a value, or with NaN, is kept as FAIL `error`, as Optuna does; with several
        objectives the same goes for `values`.
        Raises LeaseLost, TrialNotFound for a trial that is not the cohort's."""

    def save_checkpoint(self, claim: Claim, cohort: int, attempt: int, data: bytes) -> None:
        """Keep where a running cohort stands in place of an earlier time, until it is DONE. Raises LeaseLost."""

    def checkpoint(self, cohort: int) -> bytes | None:
        """What was kept last, under whatever attempt."""

    def save_model(self, claim: Claim, model: StoredModel) -> None:
        """Keep the model of the best trial so far in place of an earlier one. Raises LeaseLost."""

    # Reading

    def trials(self, name: str, query: TrialQuery = ...) -> list[Trial]:
        """Trials of a study. Raises StudyNotFound."""

    def get_trial(self, name: str, number: int) -> Trial:
        """One trial. Raises StudyNotFound, TrialNotFound."""

    def origins(self, name: str) -> Origins:
        """Where its trials come from, without reading them. Raises StudyNotFound."""

    def best_trials(self, name: str, n: int = 1) -> list[Trial]:
        """The best COMPLETE trials, ties to the lowest number; values NaN or inf are never best, nor
        are trials that are not feasible, or beyond those that are counted. With several objectives the Pareto front, by the first one."""

    def leaders(self, names: Sequence[str]) -> dict[str, Trial]:
        """The first of `best_trials` of each of the studies that has one, by name, at the cost of a few questions
        for all of them together; of unknown names nothing."""

    def pareto(self, name: str) -> list[Trial]:
        """The feasible COMPLETE trials that no other is better than in one objective and as good as in
        the rest, by the first objective; with one objective all that share the best value. Raises
        StudyNotFound."""

    def curve(self, name: str, number: int) -> Curve | None:
        """The curve of a finished trial. Raises StudyNotFound, TrialNotFound."""

    def curves(self, name: str, numbers: Sequence[int]) -> dict[int, Curve]:
        """The curves of those of the trials that have one, by number. Raises StudyNotFound."""

    def finished_after(self, name: str, place: int, limit: int) -> list[Trial]:
        """Trials that finished after the one of that place (0: all), in the order in which they did.
        Raises StudyNotFound."""

    # Coordinators that serve

    def beat(self, beat: CoordinatorBeat) -> None:
        """A coordinator is there, and what it does now."""

    def forget_coordinator(self, token: str) -> None:
        """It has gone."""

    def coordinators(self) -> list[CoordinatorBeat]:
        """Those that were seen within `rules.SEEN_S`, the oldest first."""

    # Data sets

    def add_dataset(self, name: str, chunks: Iterable[bytes], info: Mapping[str, Any]) -> StoredDataset:
        """Keep bytes, by SHA-256; the same bytes again give the same data set."""

    def list_datasets(
        self, *, limit: int | None = None, after: tuple[str, str] | None = None
    ) -> list[StoredDataset]:
        """Uploaded data sets by name, then id. after: name and id of the last one of the page before."""

    def get_dataset(self, key: str) -> StoredDataset:
        """By id or name. Raises DatasetNotFound."""

    def read_dataset(self, key: str) -> Iterator[bytes]:
        """Its bytes in chunks of at most 1 MiB. Raises DatasetNotFound."""

    def delete_dataset(self, key: str) -> None:
        """Remove it. Raises DatasetNotFound, IllegalMove while a study that is not final uses it."""

    def close(self) -> None:
        """Let go of connections."""
