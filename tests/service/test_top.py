"""The best settings of a study say which of them cannot be told apart from the best."""

from dataclasses import replace

import pytest

from hpo.cohort import CohortPlan
from hpo.service import specfile
from hpo.service.top import judge_of, sentence, top
from hpo.states import StudyState, TrialState
from hpo.study import Direction, NewStudy, ObjectiveSpec
from hpo.trial import TrialPlan, TrialResult

FILE = "{data: digits, repeats: REPEATS, parameters: {learning_rate: [0.1, 0.2, 0.3, 0.4]}}"


@pytest.fixture
def ended(storage, me):
    """A study that has ended, of trials with these (value, standard error)."""

    def put(*values, metric="accuracy", repeats=1, n_validation=360, objectives=()):
        spec = specfile.parse(FILE.replace("REPEATS", str(repeats)))
        storage.create_study(
            NewStudy(
                name="digits",
                direction=Direction.MAXIMIZE,
                metric=metric,
                n_trials=4,
                spec=specfile.to_json(spec),
                data={"n_validation": n_validation, "n_folds": 1},
                objectives=objectives,
            )
        )
        claim = storage.claim_study("digits", me)
        numbers = tuple(range(len(values)))
        plans = [TrialPlan(number=n, params={"learning_rate": 0.1}) for n in numbers]
        [cohort] = storage.plan_trials(claim, spec.parameters, plans, [CohortPlan(numbers=numbers)])
        cohort = storage.start_cohort(claim, cohort.id)
        results = [
            TrialResult(number=n, state=TrialState.COMPLETE, value=value, stderr=stderr)
            for n, (value, stderr) in enumerate(values)
        ]
        if objectives:
            results = [replace(r, value=None, values=(r.value, -r.value)) for r in results]
        storage.finish_trials(claim, cohort.id, cohort.attempt, results, done=True)
        return storage.release(claim, StudyState.COMPLETED)

    return put


def ties(found):
    return {record["number"]: record["tied_with_best"] for record in found}


def test_accuracies_of_one_network_each_are_judged_by_the_validation_rows(storage, ended):
    ended((0.80, None), (0.95, None), (0.94, None))

    found = top(storage, "digits", 5)

    assert ties(found) == {1: True, 2: True, 0: False}
    assert (
        sentence(found)
        == "trial 2 cannot be told apart from trial 1 (=): the difference is within what chance does"
    )


def test_with_repeats_the_standard_errors_judge(storage, ended):
    ended((0.80, 0.1), (0.95, 0.001), (0.94, 0.001), (0.949, 0.001), repeats=5)

    found = top(storage, "digits", 5)

    assert ties(found) == {1: True, 3: True, 2: False, 0: True}
    assert sentence(found).startswith(
        "trials 3 and 0 cannot be told apart from trial 1 (=): their differences"
    )


def test_one_network_each_says_nothing_of_other_metrics(storage, ended):
    ended((0.8, None), (0.9, None), metric="f1")

    found = top(storage, "digits", 5)

    assert ties(found) == {1: None, 0: None}
    assert "unknown: one network each says nothing of how f1 varies by chance; write repeats: 3" in sentence(
        found
    )


def test_a_clear_best_is_said_to_be_one(storage, ended):
    ended((0.5, None), (0.9, None))

    assert sentence(top(storage, "digits", 5)) == "trial 1 differs from all of these by more than chance does"


def test_of_one_trial_or_of_a_front_nothing_is_said(storage, ended):
    both = (ObjectiveSpec(metric="accuracy", direction=Direction.MAXIMIZE),
            ObjectiveSpec(metric="n_parameters", direction=Direction.MINIMIZE))  # fmt: skip
    ended((0.5, None), (0.9, None), objectives=both)

    found = top(storage, "digits", 5)

    assert set(ties(found).values()) == {None}
    assert sentence(found) is None
    assert sentence(found[:1]) is None


def test_lanes_are_repeats_times_folds(ended):
    study = ended((0.5, None), repeats=3)

    assert judge_of(replace(study, data={"n_folds": 5, "n_validation": 50})).lanes == 15
