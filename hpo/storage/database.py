"""The database as a Storage: each method one transaction around functions of the module that knows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.exc import IntegrityError

from hpo.account import Quota
from hpo.cohort import Cohort, CohortPlan
from hpo.errors import DatasetNotFound
from hpo.space import SearchSpace
from hpo.states import StudyState, Wanted
from hpo.storage import (
    blobs,
    claims,
    cohorts,
    coordinators,
    creating,
    datasets,
    models,
    note,
    queue,
    reading,
    studies,
    trials,
)
from hpo.storage.base import (
    LEASE_S,
    Amendment,
    Check,
    Claim,
    CoordinatorBeat,
    Entry,
    Once,
    Origins,
    ScoredTest,
    StoredDataset,
    StoredModel,
    StudyQuery,
    TrialQuery,
)
from hpo.storage.database_accounts import DatabaseAccounts
from hpo.storage.database_census import DatabaseCensus
from hpo.storage.database_columns import DatabaseColumns
from hpo.storage.database_external import DatabaseExternal
from hpo.storage.database_models import DatabaseModels
from hpo.storage.engine import Transactions
from hpo.storage.records import study_of
from hpo.storage.stuck import end_stuck
from hpo.storage.study_keys import StudyKeys
from hpo.storage.tables import CHUNK_BYTES
from hpo.study import Driver, NewStudy, Study
from hpo.trial import Curve, Queued, Trial, TrialPlan, TrialResult

_SPOOL_BYTES = 8 << 20


class Database(DatabaseAccounts, DatabaseModels, DatabaseExternal, DatabaseCensus, DatabaseColumns):
    """A Storage in SQLite or PostgreSQL; what each method does and raises stands in `base.Storage`."""

    def __init__(self, transactions: Transactions) -> None:
        self._db = transactions
        self._study_keys = StudyKeys()

    # Studies

    def create_study(self, new: NewStudy, *, once: Once | None = None, quota: Quota | None = None) -> Study:
        """A new study, QUEUED, or the one that the same request made before."""
        try:
            with self._db.write() as connection:
                return creating.create(connection, new, once, quota)
        except IntegrityError:  # two at the same moment, on PostgreSQL: now the other one's can be seen
            with self._db.write() as connection:
                return creating.create(connection, new, once, quota)

    def get_study(self, name: str) -> Study:
        """The study of that name."""
        with self._db.read() as connection:
            return study_of(studies.find(connection, name))

    def list_studies(self, query: StudyQuery = StudyQuery()) -> list[Study]:  # noqa: B008 - frozen
        """Studies, the newest first."""
        with self._db.read() as connection:
            return studies.list_some(connection, query)

    def study_names(self, prefix: str = "") -> list[str]:
        """The names that begin with the prefix."""
        with self._db.read() as connection:
            return studies.names(connection, prefix)

    def want(self, name: str, wanted: Wanted, *, instead_of: Wanted | None = None) -> Study:
        """Leave word for the study's driver."""
        with self._db.write() as connection:
            return studies.want(connection, name, wanted, instead_of)

    def move_study(
        self, name: str, state: StudyState, *, reason: str | None = None, served: bool | None = None
    ) -> Study:
        """Move a study that nobody drives."""
        with self._db.write() as connection:
            return studies.move(connection, name, state, reason, served)

    def set_trials(self, name: str, n_trials: int) -> Study:
        """Raise the total of trials."""
        with self._db.write() as connection:
            return studies.set_trials(connection, name, n_trials)

    def amend_study(self, name: str, changes: Amendment, *, check: Check | None = None) -> Study:
        """Set what may change while a study lives."""
        with self._db.write() as connection:
            return studies.amend(connection, name, changes, check)

    def set_note(self, name: str, text: str) -> None:
        """The note that Optuna's dashboard shows with it."""
        with self._db.write() as connection:
            note.write(connection, studies.study_id(connection, name), text)

    def delete_study(self, name: str) -> None:
        """Remove a study with all that is its own."""
        with self._db.write() as connection:
            studies.remove(connection, name)

    def enqueue(self, name: str, entries: Sequence[Entry], *, served: bool | None = None) -> Study:
        """Put settings into the queue and raise the total."""
        with self._db.write() as connection:
            return queue.enqueue(connection, name, entries, served)

    def queue(self, name: str) -> list[Queued]:
        """The settings that wait for a number."""
        with self._db.read() as connection:
            return queue.waiting(connection, name)

    # Driving a study

    def claim_study(
        self, name: str, driver: Driver, *, dead: Driver | None = None, lease_s: float = LEASE_S
    ) -> Claim:
        """Take a study to RUNNING."""
        with self._db.write() as connection:
            if claims.is_void(studies.find(connection, name), dead):
                end_stuck(connection)  # before it is locked
            return claims.claim(connection, name, driver, dead, lease_s)

    def renew(
        self, claim: Claim, *, lease_s: float = LEASE_S, live: Mapping[str, Any] | None = None
    ) -> Wanted:
        """Keep the claim; what is wanted."""
        with self._db.write() as connection:
            return claims.renew(connection, claim, lease_s, live)

    def release(
        self,
        claim: Claim,
        state: StudyState,
        *,
        reason: str | None = None,
        test: ScoredTest | None = None,
        obeys: Wanted = Wanted.NOTHING,
    ) -> Study:
        """End driving."""
        with self._db.write() as connection:
            left = claims.left_before(connection, claim, state)
            if left is not None:
                return left
            if test is not None:
                models.save_test(connection, claim, test)
            return claims.release(connection, claim, state, reason, obeys)

    def hand_over(self, claim: Claim) -> Study:
        """Leave a driven study to another driver."""
        with self._db.write() as connection:
            return claims.hand_over(connection, claim)

    def move_claimed(
        self, claim: Claim, state: StudyState, *, reason: str | None = None, counted: int | None = None
    ) -> Study:
        """Move a driven study."""
        with self._db.write() as connection:
            return claims.move(connection, claim, state, reason, counted)

    def set_notes(self, claim: Claim, notes: Mapping[str, Any]) -> None:
        """Keep what the sampler decided."""
        with self._db.write() as connection:
            claims.set_notes(connection, claim, notes)

    # Trials and cohorts of a driven study

    def plan_trials(
        self,
        claim: Claim,
        space: SearchSpace,
        plans: Sequence[TrialPlan],
        cohorts: Sequence[CohortPlan],
    ) -> list[Cohort]:
        """Insert trials, RUNNING, and their cohorts, READY."""
        with self._db.write() as connection:
            return trials.plan(connection, claim, space, plans, cohorts)

    def open_cohorts(self, name: str) -> list[Cohort]:
        """The cohorts that are not DONE, by id."""
        with self._db.read() as connection:
            return cohorts.not_done(connection, studies.study_id(connection, name))

    def unfinished(self, name: str) -> list[Trial]:
        """The RUNNING trials by number."""
        with self._db.read() as connection:
            return reading.running(connection, name)

    def start_cohort(self, claim: Claim, cohort: int) -> Cohort:
        """To RUNNING with attempt + 1."""
        with self._db.write() as connection:
            return cohorts.start(connection, claim, cohort)

    def record_epochs(
        self, claim: Claim, cohort: int, attempt: int, epoch: int, steps: Mapping[int, Mapping[int, float]]
    ) -> None:
        """How far a cohort is, and steps of its trials."""
        with self._db.write() as connection:
            trials.record(connection, claim, cohort, attempt, epoch, steps)

    def finish_trials(
        self, claim: Claim, cohort: int, attempt: int, results: Sequence[TrialResult], *, done: bool = False
    ) -> list[int]:
        """RUNNING trials to their final state."""
        with self._db.write() as connection:
            return trials.finish(connection, claim, cohort, attempt, results, done)

    def save_checkpoint(self, claim: Claim, cohort: int, attempt: int, data: bytes) -> None:
        """Keep where a running cohort stands."""
        with self._db.write() as connection:
            cohorts.save(connection, claim, cohort, attempt, data)

    def checkpoint(self, cohort: int) -> bytes | None:
        """What was kept last."""
        with self._db.read() as connection:
            return cohorts.saved(connection, cohort)

    def save_model(self, claim: Claim, model: StoredModel) -> None:
        """Keep a model in place of an earlier one."""
        with self._db.write() as connection:
            models.save(connection, claim, model)

    # Reading

    def trials(self, name: str, query: TrialQuery = TrialQuery()) -> list[Trial]:  # noqa: B008 - frozen
        """Trials of a study."""
        with self._db.read() as connection:
            return self._study_keys.read(
                connection, name, lambda study: reading.page(connection, study, query)
            )

    def get_trial(self, name: str, number: int) -> Trial:
        """One trial."""
        with self._db.read() as connection:
            return reading.one(connection, name, number)

    def origins(self, name: str) -> Origins:
        """Where its trials come from."""
        with self._db.read() as connection:
            return reading.origins(connection, name)

    def best_trials(self, name: str, n: int = 1) -> list[Trial]:
        """The best COMPLETE trials."""
        with self._db.read() as connection:
            return self._study_keys.read(connection, name, lambda study: reading.best(connection, study, n))

    def leaders(self, names: Sequence[str]) -> dict[str, Trial]:
        """The first of the best trials of each of the studies."""
        with self._db.read() as connection:
            return reading.leaders(connection, names)

    def pareto(self, name: str) -> list[Trial]:
        """The Pareto front."""
        with self._db.read() as connection:
            return self._study_keys.read(connection, name, lambda study: reading.pareto(connection, study))

    def curve(self, name: str, number: int) -> Curve | None:
        """The curve of a finished trial."""
        with self._db.read() as connection:
            return reading.curve(connection, name, number)

    def curves(self, name: str, numbers: Sequence[int]) -> dict[int, Curve]:
        """The curves of those of the trials that have one."""
        with self._db.read() as connection:
            return reading.some_curves(connection, name, numbers)

    def finished_after(self, name: str, place: int, limit: int) -> list[Trial]:
        """Trials that finished after the one of that place."""
        with self._db.read() as connection:
            return reading.finished_after(connection, name, place, limit)

    # Coordinators that serve

    def beat(self, beat: CoordinatorBeat) -> None:
        """A coordinator is there."""
        with self._db.write() as connection:
            coordinators.beat(connection, beat)

    def forget_coordinator(self, token: str) -> None:
        """It has gone."""
        with self._db.write() as connection:
            coordinators.forget(connection, token)

    def coordinators(self) -> list[CoordinatorBeat]:
        """Those that were seen within `rules.SEEN_S`."""
        with self._db.read() as connection:
            return coordinators.seen(connection)

    # Data sets

    def add_dataset(self, name: str, chunks: Iterable[bytes], info: Mapping[str, Any]) -> StoredDataset:
        """Keep bytes, by SHA-256."""
        # Spooled first: a slow upload must not hold SQLite's only write lock.
        with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as file:
            sha256, n_bytes = datasets.spool(chunks, file)
            try:
                with self._db.write() as connection:
                    return datasets.add(connection, name, file, sha256, n_bytes, info)
            except IntegrityError:  # as for a study: somebody has just kept the same bytes
                file.seek(0)
                with self._db.write() as connection:
                    return datasets.add(connection, name, file, sha256, n_bytes, info)

    def list_datasets(
        self, *, limit: int | None = None, after: tuple[str, str] | None = None
    ) -> list[StoredDataset]:
        """Uploaded data sets, by name."""
        with self._db.read() as connection:
            return datasets.list_some(connection, limit, after)

    def get_dataset(self, key: str) -> StoredDataset:
        """By id or name."""
        with self._db.read() as connection:
            return datasets.get(connection, key)

    def read_dataset(self, key: str) -> Iterator[bytes]:
        """Its bytes in chunks of at most 1 MiB."""
        with self._db.read() as connection:
            blob, kept = datasets.blob_of(connection, key), datasets.get(connection, key)
        return self._pieces(blob, kept)

    def _pieces(self, blob: int, kept: StoredDataset) -> Iterator[bytes]:
        """A transaction per chunk: a slow reader keeps none open."""
        for place in range(-(-kept.n_bytes // CHUNK_BYTES)):
            with self._db.read() as connection:
                data = blobs.piece(connection, blob, place)
            if data is None:
                raise DatasetNotFound(f"data set {kept.name!r} was removed while it was read")
            yield data

    def delete_dataset(self, key: str) -> None:
        """Remove it."""
        with self._db.write() as connection:
            datasets.remove(connection, key)

    def close(self) -> None:
        """Let go of connections."""
        self._db.close()
