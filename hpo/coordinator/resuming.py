"""What a driver takes up of a study that others have driven: results for its sampler, cohorts that have not ended.

A large study takes longer to read than its lease holds, so that is renewed between one page and the next. What somebody
wants of the study meanwhile stays in the storage, and is heard when it trains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hpo.cohort import Cohort
from hpo.coordinator.recovery import what_is_left
from hpo.states import TrialState
from hpo.storage.base import TrialQuery
from hpo.trial import Trial

if TYPE_CHECKING:
    from hpo.coordinator.drive import Drive

PAGE = 1000


def tell_stored(drive: Drive, n_planned: int) -> None:
    """Tell the sampler of trials that finished under earlier drivers."""
    finished = tuple(state for state in TrialState if state.finished)
    for offset in range(0, n_planned, PAGE):
        drive.write.renew_if_due(drive.renew_s, dict)
        query = TrialQuery(states=finished, limit=PAGE, offset=offset)
        page = drive.write(lambda query=query: drive.storage.trials(drive.claim.name, query))  # type: ignore[misc]
        drive.proposals.stored(page)
        drive.proposals.finished(page)
        drive.rules.finished(page)
        if len(page) < PAGE:
            return


def take_up(drive: Drive) -> None:
    """Cohorts that an earlier driver left go first, under the same numbers."""
    name = drive.claim.name
    cohorts = drive.write(lambda: drive.storage.open_cohorts(name))
    unfinished = drive.write(lambda: drive.storage.unfinished(name)) if cohorts else []
    drive.proposals.stored(unfinished)
    drive.proposals.begun(unfinished)
    n_planned = drive.tally.n_planned
    for cohort, trials in what_is_left(cohorts, unfinished, stopping=drive.stopping):
        drive.write.renew_if_due(drive.renew_s, dict)
        drive.results.running |= {trial.number: trial for trial in trials}
        whole = _whole(drive, cohort) if trials and drive.planner.population else trials
        members = [drive.resolver.resolve(t.number, t.params, t.budget) for t in whole]
        may, refused = drive.feasibility.parted(members)
        if refused:  # a driver died before it could write that
            drive.results.refuse(cohort, refused, done=not may)
        if may or not refused:
            drive.referee.recall(may, n_planned)
            drive.ready += drive.referee.again(cohort, may)


def _whole(drive: Drive, cohort: Cohort) -> Sequence[Trial]:
    """All trials of a stored population: those that have ended train again for the others."""
    query = TrialQuery(limit=cohort.numbers[-1] + 1 - cohort.numbers[0], offset=cohort.numbers[0])
    stored = drive.write(lambda: drive.storage.trials(drive.claim.name, query))
    return [trial for trial in stored if trial.number in cohort.numbers]
