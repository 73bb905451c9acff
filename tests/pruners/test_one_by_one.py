"""Trials judged one by one: the same decisions as Optuna's pruners on curves that only improve."""

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.pruners.one_by_one import halving_loses, make_judge, median_loses
from hpo.space import SearchSpace
from hpo.study import EXTERNAL, Direction, PrunerSpec, StudySpec

EPOCHS = 30
optuna.logging.set_verbosity(optuna.logging.WARNING)


def judge_of(direction=Direction.MAXIMIZE, epochs=EPOCHS, **pruner):
    spec = StudySpec(parameters=SearchSpace({}), trainer=EXTERNAL, epochs=epochs, pruner=PrunerSpec(**pruner))
    return make_judge(spec, direction)


class Race:
    """Trials one after another, each trained until its judge ends it."""

    def __init__(self, judge):
        self.judge, self.at, self.complete = judge, {}, set()

    def train(self, number, curve):
        """The epoch in which the trial was ended; None when it never was."""
        for epoch, best in enumerate(curve, 1):
            rung = self.judge.rung(number, epoch - 1, epoch)
            if rung is None:
                continue
            rivals = self.at.setdefault(rung, {})
            known = {n: v for n, v in rivals.items() if not self.judge.only_complete or n in self.complete}
            lost = self.judge.loses(number, best, known)
            rivals[number] = best
            if lost:
                return epoch
        self.complete.add(number)
        return None


def ended_by_optuna(pruner, direction, curves):
    study = optuna.create_study(direction=direction.value, pruner=pruner)
    ended = []
    for curve in curves:
        trial, found = study.ask(), None
        for epoch, best in enumerate(curve, 1):
            trial.report(best, epoch)
            if trial.should_prune():
                found = epoch
                break
        study.tell(trial, *((None, optuna.trial.TrialState.PRUNED) if found else (curve[-1],)))
        ended.append(found)
    return ended


def improving(direction):
    """Curves that never become worse: then the best so far is the value itself."""
    steps = st.lists(st.integers(0, 9), min_size=EPOCHS, max_size=EPOCHS)

    def curve(start, gains):
        values, value = [], float(start)
        for gain in gains:
            value += -direction.sign * gain / 8
            values.append(value)
        return values

    return st.lists(st.builds(curve, st.integers(0, 40), steps), min_size=1, max_size=25)


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize(
    ("pruner", "theirs"),
    [
        (
            {"name": "median", "min_epochs": 4},
            lambda: optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=4),
        ),
        (
            {"name": "halving", "min_epochs": 2, "factor": 3},
            lambda: optuna.pruners.SuccessiveHalvingPruner(min_resource=2, reduction_factor=3),
        ),
    ],
    ids=["median", "halving"],
)
def test_trials_one_after_another_end_as_optunas_pruner_has_it(pruner, theirs, direction):
    @settings(max_examples=40, deadline=None)
    @given(improving(direction))
    def agree(curves):
        race = Race(judge_of(direction, **pruner))

        ours = [race.train(number, curve[: EPOCHS - 1]) for number, curve in enumerate(curves)]

        assert ours == ended_by_optuna(theirs(), direction, [curve[: EPOCHS - 1] for curve in curves])

    agree()


@pytest.mark.parametrize(
    ("best", "others", "lost"),
    [
        (0.5, [], False),
        (0.5, [0.4], False),
        (0.3, [0.4], True),
        (0.4, [0.4], False),
        (0.4, [0.5, 0.3, 0.2, 0.1, 0.1], False),
        (0.3, [0.5, 0.4, 0.2, 0.1, 0.1], True),
    ],
)
def test_a_third_of_those_at_a_rung_goes_on_and_always_the_best(best, others, lost):
    assert halving_loses(3, -1, best, others) is lost


def test_the_median_rule_waits_for_five_trials():
    assert not median_loses(-1, 0.0, [1.0] * 4)
    assert median_loses(-1, 0.0, [1.0] * 5)
    assert not median_loses(1, 0.0, [1.0] * 5)


def test_who_reports_seldom_is_judged_at_the_last_rung_that_it_has_passed():
    judge = judge_of(name="halving", min_epochs=1, factor=3)

    assert [judge.rung(0, last, epoch) for last, epoch in ((0, 1), (1, 2), (2, 10), (10, 26), (9, 29))] == [
        1,
        None,
        9,
        None,
        27,
    ]


def test_hyperband_compares_only_trials_with_the_same_rungs():
    judge = judge_of(name="hyperband", min_epochs=1, factor=3, epochs=9)  # brackets of 9, 5 and 3

    assert (judge.rung(0, 0, 1), judge.rung(9, 0, 1), judge.rung(9, 0, 3), judge.rung(14, 0, 9)) == (
        1,
        None,
        3,
        None,
    )
    rivals = {9: 0.9, 10: 0.9, 18: 0.1}  # 18 is in the first bracket of the second cycle

    assert not judge.loses(1, 0.5, rivals)
    assert judge.loses(11, 0.5, rivals)


def test_nobody_is_judged_without_a_pruner():
    assert judge_of(name="none") is None
