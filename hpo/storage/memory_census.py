"""Everything in the in-memory storage, counted."""

from __future__ import annotations

from hpo.states import StudyState, TrialState
from hpo.storage.base_census import Census
from hpo.storage.memory_base import MemoryBase, alone
from hpo.storage.memory_study import now_s
from hpo.storage.tables import REVISIONS


class MemoryCensus(MemoryBase):
    """What each method does and raises stands in `base_census`."""

    def revision(self) -> str:
        """That of this hpo."""
        return REVISIONS[-1]

    @alone
    def census(self) -> Census:
        """Everything there is."""
        found = [kept.now() for kept in self.kept.values()]
        waiting = [
            now_s() - kept.queued_at_s
            for kept in self.kept.values()
            if kept.study.state is StudyState.QUEUED and kept.study.served
        ]
        return Census(
            studies={state: sum(study.state is state for study in found) for state in StudyState},
            trials={state: sum(study.counts.get(state, 0) for study in found) for state in TrialState},
            n_resting=sum(study.counts[TrialState.RUNNING] for study in found if study.at_rest),
            waits_s=max([0.0, *waiting]),
            live=tuple(study.live for study in found if study.live),
        )
