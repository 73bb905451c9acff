"""A Storage in memory: the database's twin, for tests and for searches that nobody wants to keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hpo.account import Quota, Usage
from hpo.errors import StudyExists
from hpo.states import FINAL, StudyState, Wanted, check_move
from hpo.storage.base import Amendment, Check, Entry, Once, StudyQuery
from hpo.storage.memory_accounts import MemoryAccounts
from hpo.storage.memory_base import alone
from hpo.storage.memory_census import MemoryCensus
from hpo.storage.memory_columns import MemoryColumns
from hpo.storage.memory_coordinators import MemoryCoordinators
from hpo.storage.memory_datasets import MemoryDatasets
from hpo.storage.memory_driving import MemoryDriving
from hpo.storage.memory_external import MemoryExternal
from hpo.storage.memory_models import MemoryModels
from hpo.storage.memory_reading import MemoryReading
from hpo.storage.memory_study import KeptStudy, plain, study_of
from hpo.storage.rules import (
    HEEDS_WISHES,
    amended_spec,
    check_enqueue,
    check_new_total,
    check_not_driven,
    check_not_retried,
    check_quota,
    check_same,
    dataset_gone,
    growth,
    is_driven,
    uploaded_source,
)
from hpo.study import NewStudy, Study
from hpo.trial import Queued


class Memory(
    MemoryDriving,
    MemoryReading,
    MemoryDatasets,
    MemoryCoordinators,
    MemoryAccounts,
    MemoryModels,
    MemoryExternal,
    MemoryCensus,
    MemoryColumns,
):
    """A Storage in this process's memory; what each method does and raises stands in `base.Storage`."""

    def __init__(self) -> None:
        super().__init__()
        self._last_study = 0
        self._last_queued = 0
        self._requests: dict[tuple[str, str], tuple[str, int]] = {}

    @alone
    def create_study(self, new: NewStudy, *, once: Once | None = None, quota: Quota | None = None) -> Study:
        """A new study, QUEUED, or the one that the same request made before."""
        if once is not None and (once.owner, once.key) in self._requests:
            digest, id_ = self._requests[once.owner, once.key]
            for kept in self.kept.values():
                if kept.study.id == id_:
                    check_same(once, digest)
                    return kept.now()
        if quota is not None and new.owner is not None:
            more = Usage(studies=1, trials=new.n_trials)
            check_quota(new.owner, quota, self.usage(new.owner), more)
        source = uploaded_source(new.spec)
        if source is not None and source not in self.datasets:
            raise dataset_gone(source)
        if new.name in self.kept:
            raise StudyExists(
                f"a study called {new.name!r} exists already, see `hpo show {new.name}`; choose another name"
            )
        self._last_study += 1
        self.kept[new.name] = kept = KeptStudy(study_of(self._last_study, new))
        self._put_in_queue(kept, [(params, None) for params in new.enqueue])
        if once is not None:
            self._requests[once.owner, once.key] = once.digest, self._last_study
        return kept.now()

    def _put_in_queue(self, kept: KeptStudy, entries: Sequence[Entry]) -> None:
        for params, retry_of in entries:
            self._last_queued += 1
            kept.queue[self._last_queued] = Queued(
                id=self._last_queued, params=plain(params), retry_of=retry_of
            )

    @alone
    def get_study(self, name: str) -> Study:
        """The study of that name."""
        return self.find(name).now()

    @alone
    def list_studies(self, query: StudyQuery = StudyQuery()) -> list[Study]:  # noqa: B008 - frozen
        """Studies, the newest first."""
        studies = [kept.now() for kept in reversed(self.kept.values())]
        return [
            study
            for study in studies
            if (not query.states or study.state in query.states)
            and set(query.labels) <= set(study.labels.items())
            and query.owner in (None, study.owner)
            and query.served in (None, study.served)
            and (query.after is None or study.id < query.after)
        ][: query.limit]

    @alone
    def study_names(self, prefix: str = "") -> list[str]:
        """The names that begin with the prefix, the newest study's first."""
        return [name for name in reversed(self.kept) if name.startswith(prefix)]

    @alone
    def want(self, name: str, wanted: Wanted, *, instead_of: Wanted | None = None) -> Study:
        """Leave word for the study's driver."""
        kept = self.find(name)
        if kept.study.state in HEEDS_WISHES and instead_of in (None, kept.study.wanted):
            kept.study = replace(kept.study, wanted=wanted)
        return kept.now()

    @alone
    def move_study(
        self, name: str, state: StudyState, *, reason: str | None = None, served: bool | None = None
    ) -> Study:
        """Move a study that nobody drives."""
        kept = self.find(name)
        check_not_driven(kept.now())
        check_move(name, kept.study.state, state)
        self._check_growth(kept.study, kept.study.n_trials, wakes=state not in FINAL)
        kept.leave(state, reason)
        return self._handed_over(kept, served)

    def _handed_over(self, kept: KeptStudy, served: bool | None) -> Study:
        if served is not None and not is_driven(kept.now()):
            kept.study = replace(kept.study, served=served and not kept.study.external)
        return kept.now()

    @alone
    def set_trials(self, name: str, n_trials: int) -> Study:
        """Raise the total of trials."""
        kept = self.find(name)
        self._check_total(kept.now(), n_trials)
        kept.study = replace(kept.study, n_trials=n_trials)
        return kept.now()

    def _check_total(self, study: Study, n_trials: int) -> None:
        check_new_total(study, n_trials)
        self._check_growth(study, n_trials, wakes=study.n_finished < n_trials)

    def _check_growth(self, study: Study, n_trials: int, *, wakes: bool = True) -> None:
        quota = self.quotas().get(study.owner or "")
        if quota is not None and study.owner is not None:
            check_quota(study.owner, quota, self.usage(study.owner), growth(study, n_trials, wakes=wakes))

    @alone
    def set_note(self, name: str, text: str) -> None:
        """No dashboard of Optuna's looks here."""
        self.find(name)

    @alone
    def amend_study(self, name: str, changes: Amendment, *, check: Check | None = None) -> Study:
        """Set what may change while a study lives."""
        kept = self.find(name)
        if check is not None:
            check(kept.now())
        study, n_trials = kept.study, changes.n_trials
        if n_trials is not None:
            self._check_total(kept.now(), n_trials)
        kept.study = replace(
            study,
            spec=plain(amended_spec(study.spec, changes)),
            n_trials=study.n_trials if n_trials is None else n_trials,
            priority=study.priority if changes.priority is None else changes.priority,
            labels=study.labels if changes.labels is None else dict(changes.labels),
        )
        return kept.now()

    @alone
    def enqueue(self, name: str, entries: Sequence[Entry], *, served: bool | None = None) -> Study:
        """Put settings into the queue and raise the total."""
        kept = self.find(name)
        check_enqueue(kept.study, len(entries))
        if not entries:
            return kept.now()
        waiting, planned = kept.queue.values(), kept.trials.values()
        retried = {one.retry_of for one in waiting} | {one.retry_of for one in planned}
        check_not_retried(name, [number for _, number in entries if number is not None], retried)
        self._check_growth(kept.study, kept.study.n_trials + len(entries))
        self._put_in_queue(kept, entries)
        kept.study = replace(kept.study, n_trials=kept.study.n_trials + len(entries))
        if kept.study.state in FINAL:
            kept.leave(StudyState.QUEUED, None)
        return self._handed_over(kept, served)

    @alone
    def queue(self, name: str) -> list[Queued]:
        """The settings that wait for a number."""
        return list(self.find(name).queue.values())

    @alone
    def delete_study(self, name: str) -> None:
        """Remove a study with all that is its own."""
        check_not_driven(self.find(name).now())
        del self.kept[name]

    def close(self) -> None:
        """Nothing to let go of."""
