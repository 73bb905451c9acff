"""Asking for numbers and telling of results in order."""

from dataclasses import dataclass, field

from hpo.coordinator.proposals import Proposals
from hpo.states import TrialState
from hpo.trial import Trial, TrialPlan


@dataclass
class Patient:
    """A sampler that proposes no more than four trials beyond the last one it was told of."""

    asked: list[int] = field(default_factory=list)
    told: list[int] = field(default_factory=list)

    def ask(self, first, n, place):
        plans = [TrialPlan(number=i, params={}) for i in range(first, min(first + n, len(self.told) + 4))]
        self.asked += [plan.number for plan in plans]
        return plans

    def tell(self, trials):
        self.told += [trial.number for trial in trials]


def finished(*numbers: int) -> list[Trial]:
    nothing = dict.fromkeys(
        ("reason", "stderr", "best_epoch", "retry_of", "cohort", "started_at", "finished_at")
    )
    return [
        Trial(number=n, state=TrialState.COMPLETE, value=0.0, params={}, epochs=1, **nothing) for n in numbers
    ]


def test_trials_that_end_in_any_order_are_told_in_order_of_number():
    sampler = Patient()
    proposals = Proposals(sampler, planned=4, total=10)

    proposals.finished(finished(2, 1))
    before = list(sampler.told)
    proposals.finished(finished(0, 3))

    assert (before, sampler.told) == ([], [0, 1, 2, 3])


def test_a_number_is_asked_for_once_however_often_it_is_looked_at():
    sampler = Patient()
    proposals = Proposals(sampler, planned=0, total=10)

    for n in (1, 2, 2, 64):
        proposals.peek(n)
    proposals.planned(3)

    assert sampler.asked == [0, 1, 2, 3]
    assert [plan.number for plan in proposals.peek(64)] == [3]


def test_a_sampler_that_waits_goes_on_when_it_is_told():
    sampler = Patient()
    proposals = Proposals(sampler, planned=0, total=6)
    proposals.planned(len(proposals.peek(64)))
    waiting = proposals.peek(64)

    proposals.finished(finished(0, 1, 2, 3))

    assert waiting == []
    assert [plan.number for plan in proposals.peek(64)] == [4, 5]
