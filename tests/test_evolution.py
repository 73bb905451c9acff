"""Following a trial's weights back to who began them, and what changed on the way."""

import pytest

from hpo.errors import SpecError
from hpo.evolution import Change, Evolution, history, schedule_of
from hpo.space import Choice, Fixed, Range, SearchSpace
from hpo.states import TrialState
from hpo.trial import Inheritance, Trial

SPACE = SearchSpace(
    {
        "learning_rate": Range(low=0.0, high=1.0, type="float"),
        "schedule": Choice(choices=("constant", "step")),
        "decay": Fixed(value=0.5, when={"schedule": ("step",)}),
    }
)


def trial_of(number, *lineage, state=TrialState.COMPLETE, reason=None):
    return Trial(
        number=number,
        state=state,
        reason=reason,
        value=1.0,
        stderr=None,
        params={"learning_rate": number / 100, "schedule": "constant"},
        epochs=9,
        best_epoch=9,
        retry_of=None,
        cohort=1,
        started_at=None,
        finished_at=None,
        lineage=tuple(Inheritance(epoch=e, source=s, params={"learning_rate": r}) for e, s, r in lineage),
    )


TRIALS = {
    1: trial_of(1, (2, 2, 0.21)),
    2: trial_of(2, (2, 3, 0.31), (8, 1, 0.9)),
    3: trial_of(3, (4, 1, 0.41), (6, 2, 0.61)),
}


@pytest.mark.parametrize(
    ("number", "epoch", "start", "changes"),
    [
        (3, 4, 3, []),
        # What trial 1 had at the end of epoch 4 came from trial 2 at the end of epoch 2, before that one took over.
        (3, 5, 2, [(2, 2, 0.21), (4, 1, 0.41)]),
        (3, 9, 3, [(2, 3, 0.31), (6, 2, 0.61)]),
        (1, 2, 1, []),
    ],
)
def test_weights_are_followed_back_to_their_beginning(number, epoch, start, changes):
    params, found = history(TRIALS, number, epoch)

    assert params == TRIALS[start].params
    assert [(c.epoch, c.source, c.params["learning_rate"]) for c in found] == changes


def test_an_ancestor_of_which_nothing_is_known_is_an_error():
    for unknown in (
        trial_of(2, state=TrialState.RUNNING),
        trial_of(2, state=TrialState.FAIL, reason="lost"),
    ):
        with pytest.raises(SpecError, match="trial 2, from which the weights come"):
            history(TRIALS | {2: unknown}, 3, 9)
    with pytest.raises(SpecError, match="trial 2"):
        history({3: TRIALS[3]}, 3, 9)


def test_a_schedule_says_what_differs_and_what_is_no_longer_given():
    changes = [
        Inheritance(epoch=2, source=1, params={"learning_rate": 0.1, "schedule": "step"}),
        Inheritance(epoch=4, source=1, params={"learning_rate": 0.1, "schedule": "step"}),
        Inheritance(epoch=6, source=2, params={"learning_rate": 0.2, "schedule": "constant"}),
    ]

    schedule = schedule_of(SPACE, {"learning_rate": 0.1, "schedule": "constant"}, changes)

    assert schedule == (
        Change(epoch=2, values={"schedule": "step", "decay": 0.5}),
        Change(epoch=6, values={"learning_rate": 0.2, "schedule": "constant", "decay": None}),
    )
    evolution = Evolution(space=SPACE, settled={"epochs": 9}, params={}, schedule=schedule)
    first = {"learning_rate": 0.1, "schedule": "constant"}
    assert evolution.values(first, 1) == {"epochs": 9, **first}
    assert evolution.values(first, 5) == {"epochs": 9, **first, "schedule": "step", "decay": 0.5}
    assert evolution.values(first, 6) == {"epochs": 9, "learning_rate": 0.2, "schedule": "constant"}
