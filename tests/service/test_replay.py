"""What a replay's study file says, and which trials have none."""

import pytest

from hpo.cohort import CohortPlan
from hpo.errors import IllegalMove, SpecError, StudyFailed, TrialNotFound
from hpo.service import forking, specfile
from hpo.service.replay import replayed
from hpo.space import Fixed
from hpo.states import TrialState
from hpo.study import Direction, NewStudy
from hpo.trial import Inheritance, TrialPlan, TrialResult

FILE = """
name: pop
seed: 4
data: {source: digits}
objective: {metric: log_loss}
trials: 6
epochs: 20
pruner: {name: population, bracket: 3}
early_stopping: {patience: 5}
limits: {retries: 1}
parameters:
  learning_rate: {low: 1e-3, high: 1.0, log: true}
  schedule: [step, cosine]
  decay: {low: 0.1, high: 0.9, when: {schedule: [step]}}
  step_epochs: {value: 4, when: {schedule: [step]}}
  hidden_units: 11
"""
COSINE = {"learning_rate": 0.01, "schedule": "cosine"}
STEP = {"learning_rate": 0.1, "schedule": "step", "decay": 0.5}


def ended(number, value, best_epoch, *lineage, reason=None):
    return TrialResult(
        number=number,
        state=TrialState.FAIL if value is None else TrialState.COMPLETE,
        reason=reason,
        value=value,
        best_epoch=best_epoch,
        epochs=20,
        lineage=lineage,
    )


@pytest.fixture
def population(storage, me):
    """Six trials in two populations; trial 4 went on from trial 5, which had gone on from trial 3."""
    spec = specfile.parse(FILE)
    storage.create_study(
        NewStudy(
            name="pop",
            direction=Direction.MINIMIZE,
            metric="log_loss",
            n_trials=6,
            spec=specfile.to_json(spec),
            data={},
        )
    )
    claim = storage.claim_study("pop", me)
    plans = [TrialPlan(number=n, params=STEP if n % 2 else COSINE) for n in range(6)]
    first, second = storage.plan_trials(
        claim, spec.parameters, plans, [CohortPlan(numbers=(0, 1, 2)), CohortPlan(numbers=(3, 4, 5))]
    )
    lost = ended(1, None, None, reason="lost")
    heir_of_lost = ended(2, 0.5, 9, Inheritance(epoch=3, source=1, params=COSINE))
    moved = STEP | {"learning_rate": 0.2}
    there = {"learning_rate": 0.02, "schedule": "cosine"}
    for cohort, results in (
        (first, [ended(0, 0.6, 2), lost, heir_of_lost]),
        (
            second,
            [
                ended(3, 0.3, 20, Inheritance(epoch=8, source=4, params=there)),
                ended(4, 0.1, 17, Inheritance(epoch=6, source=5, params=there)),
                ended(5, 0.3, 20, Inheritance(epoch=4, source=3, params=moved)),
            ],
        ),
    ):
        started = storage.start_cohort(claim, cohort.id)
        storage.finish_trials(claim, cohort.id, started.attempt, results, done=True)
    return claim


def test_the_best_trial_is_followed_back_and_what_changed_stands_in_the_schedule(storage, population):
    tree = replayed(storage, "pop")

    assert tree["parameters"] == STEP | {"step_epochs": 4, "hidden_units": 11}
    assert tree["pruner"]["options"] == {
        "schedule": [
            {"epoch": 4, "learning_rate": 0.2},
            {"epoch": 6, "learning_rate": 0.02, "schedule": "cosine", "decay": None, "step_epochs": None},
        ],
        "until": 17,
    }
    kept = {key: tree[key] for key in ("seed", "epochs", "trials", "objective")}
    assert (kept["seed"], kept["epochs"], kept["trials"]) == (4, 20, 1)
    assert not {"name", "early_stopping", "limits", "sampler"} & set(tree)


def test_a_trial_whose_best_epoch_came_before_it_inherited_has_no_changes(storage, population):
    tree = replayed(storage, "pop", 0)

    assert tree["pruner"]["options"] == {"schedule": [], "until": 2}
    spec = forking.draft_of_replay(storage, "pop", 0, {"name": "again"}).spec
    assert spec.name == "again"
    assert all(isinstance(one, Fixed) for one in spec.parameters.parameters.values())


def test_what_has_no_schedule_is_one_sentence(storage, studies, population):
    studies.ended("plain", values=(0.5,))
    studies.ended("bad", values=(None,))

    with pytest.raises(SpecError, match="trial 1, from which the weights come"):
        replayed(storage, "pop", 2)
    with pytest.raises(IllegalMove, match="has no value"):
        replayed(storage, "pop", 1)
    with pytest.raises(TrialNotFound):
        replayed(storage, "pop", 6)
    with pytest.raises(SpecError, match="no population"):
        replayed(storage, "plain")


def test_a_population_without_a_value_says_so(storage, me):
    spec = specfile.parse(FILE)
    storage.create_study(
        NewStudy(
            name="none",
            direction=Direction.MINIMIZE,
            metric="log_loss",
            n_trials=6,
            spec=specfile.to_json(spec),
            data={},
        )
    )

    with pytest.raises((StudyFailed, TrialNotFound), match="no finished trial"):
        replayed(storage, "none")
