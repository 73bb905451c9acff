"""What comes out of a study, in the shapes that the contract fixes."""

import json
import math
import shlex

import pytest

from hpo.errors import SpecError, StudyFailed, StudyNotFound, TrialNotFound, UnknownName
from hpo.service import results, specfile, submit
from hpo.service.records import plain
from hpo.service.repeating import commands
from hpo.service.settings_given import setting_of
from hpo.states import StudyState, TrialState
from hpo.trial import Inheritance, TrialResult


def test_best_has_the_shape_of_the_contract(storage, studies):
    studies.ended(values=[0.5, 0.9, 0.7, None], test=(1, {"accuracy": 0.88}))

    [best] = results.best(storage, "digits")

    assert best == {
        "study": "digits",
        "number": 1,
        "value": 0.9,
        "stderr": None,
        "metric": "accuracy",
        "params": {"learning_rate": 0.01, "optimizer": "momentum", "momentum": 0.9},
        "fixed": {"hidden_units": 32},
        "test": {"accuracy": 0.88, "scored": 1},
        "n_trials": 4,
        "states": {"COMPLETE": 3, "FAIL": 1},
        "seconds": best["seconds"],
    }
    assert best["seconds"] >= 0
    assert json.loads(json.dumps(best)) == best


@pytest.mark.parametrize("number", [0, 1])
def test_a_trial_says_how_to_train_it_once_more(storage, studies, number):
    studies.ended(values=[0.5, 0.9])
    trial = results.trial(storage, "digits", number)

    enqueue, resume = map(shlex.split, trial["repeat"])
    space = specfile.from_json(storage.get_study("digits").spec).parameters
    setting = setting_of(space, submit.parse_settings(enqueue[3:], example="", field=""))

    assert enqueue[:3] == ["hpo", "enqueue", "digits"]
    assert setting == trial["params"]
    assert resume == ["hpo", "resume", "digits"]


@pytest.mark.parametrize("reason", ["error", "lost", "out_of_memory"])
def test_a_trial_that_failed_by_no_fault_of_its_own_is_to_be_retried(storage, studies, reason):
    studies.ended(values=[0.5])
    study, trial = storage.get_study("digits"), storage.get_trial("digits", 0)

    again = commands(study, trial._replace(state=TrialState.FAIL, reason=reason))

    assert again == ["hpo retry digits --trial 0", "hpo resume digits"]


@pytest.mark.parametrize(
    ("state", "changes"),
    [
        (StudyState.CANCELLED, {}),
        (StudyState.COMPLETED, {"reason": "infeasible"}),
        (StudyState.COMPLETED, {"budget": 3}),
        (StudyState.COMPLETED, {"params": {}}),
    ],
)
def test_a_trial_that_cannot_be_had_again_says_nothing_of_it(storage, studies, state, changes):
    studies.ended(values=[0.5], state=state)
    study, trial = storage.get_study("digits"), storage.get_trial("digits", 0)

    assert commands(study, trial._replace(**changes)) == []


def test_a_trial_that_inherited_is_replayed(storage, studies):
    studies.ended(values=[0.5])
    trial = storage.get_trial("digits", 0)._replace(lineage=(Inheritance(epoch=2, source=3, params={}),))

    assert commands(storage.get_study("digits"), trial) == ["hpo fork digits --replay --trial 0"]


def test_only_the_trial_that_was_scored_has_a_test_score(storage, studies):
    studies.ended(values=[0.5, 0.9, 0.7], test=(1, {"accuracy": 0.88}))

    found = results.best(storage, "digits", top=3)

    assert [(best["number"], best["test"]) for best in found] == [
        (1, {"accuracy": 0.88, "scored": 1}),
        (2, None),
        (0, None),
    ]


def test_a_score_of_a_trial_that_is_the_best_no_more_is_not_shown(storage, studies):
    studies.ended(values=[0.5, 0.9], test=(0, {"accuracy": 0.4}))

    assert results.best(storage, "digits")[0]["test"] is None


def test_no_best_trial_yet_is_not_the_same_as_none_ever(storage, studies):
    studies.running("young", n_running=1)
    studies.ended("failed", values=[None, None], state=StudyState.FAILED)

    with pytest.raises(TrialNotFound, match="yet"):
        results.best(storage, "young")
    with pytest.raises(StudyFailed, match="2 FAIL"):
        results.best(storage, "failed")
    with pytest.raises(StudyNotFound):
        results.best(storage, "nothing")


def test_trials_have_the_shape_of_the_contract(storage, studies, parse_time):
    studies.ended(values=[0.5, None])

    first, second = results.trials(storage, "digits")

    assert list(first) == [
        "number",
        "state",
        "reason",
        "value",
        "stderr",
        "params",
        "epochs",
        "best_epoch",
        "retry_of",
        "started_at",
        "finished_at",
    ]
    assert (first["state"], first["value"], first["best_epoch"]) == ("COMPLETE", 0.5, 3)
    assert (second["state"], second["reason"], second["value"]) == ("FAIL", "diverged@2", None)
    assert parse_time(first["started_at"]) <= parse_time(first["finished_at"])


@pytest.mark.parametrize(
    ("sort", "numbers"),
    [("number", [0, 1, 2, 3]), ("-number", [3, 2, 1, 0]), ("value", [0, 2, 1, 3]), ("-value", [1, 2, 0, 3])],
)
def test_trials_are_sorted_with_those_without_a_value_last(storage, studies, sort, numbers):
    studies.ended(values=[0.5, 0.9, 0.7, None])

    assert [trial["number"] for trial in results.trials(storage, "digits", sort=sort)] == numbers


def test_trials_of_a_state_and_of_a_limit(storage, studies):
    studies.ended(values=[0.5, None, 0.7, None])

    assert [t["number"] for t in results.trials(storage, "digits", states=["fail"])] == [1, 3]
    assert [t["number"] for t in results.trials(storage, "digits", sort="-value", limit=1)] == [2]


def test_more_trials_than_a_page_come_once_each_and_in_order(storage, studies):
    n = 2 * results.PAGE + 1
    studies.ended(values=[i / n for i in range(n)], n_trials=n)

    assert [trial["number"] for trial in results.trials(storage, "digits")] == list(range(n))
    limited = results.trials(storage, "digits", sort="-number", limit=results.PAGE + 5)
    assert [trial["number"] for trial in limited] == list(range(n - 1, n - results.PAGE - 6, -1))


def test_wrong_words_are_refused_with_a_hint(storage, studies):
    studies.ended(values=[0.5])

    with pytest.raises(UnknownName, match="-value"):
        results.trials(storage, "digits", sort="best")
    with pytest.raises(UnknownName, match="COMPLETE"):
        results.trials(storage, "digits", states=["complet"])
    with pytest.raises(SpecError, match="limit"):
        results.trials(storage, "digits", limit=0)
    with pytest.raises(UnknownName, match="did you mean 'PAUSED'"):
        results.studies(storage, state="pause")
    with pytest.raises(StudyNotFound):
        results.trials(storage, "nothing")


def test_studies_come_newest_first_with_their_best_value(storage, studies):
    studies.ended("old", values=[0.5, 0.6])
    studies.queued("new")

    listed = results.studies(storage)

    assert [(study["name"], study["state"], study["value"]) for study in listed] == [
        ("new", "QUEUED", None),
        ("old", "COMPLETED", 0.6),
    ]
    assert [study["name"] for study in results.studies(storage, state="completed")] == ["old"]
    assert [study["name"] for study in results.studies(storage, limit=1)] == ["new"]


def test_a_study_shows_its_driver_its_spec_and_json_types_only(storage, studies, parse_time):
    studies.running(values=[0.5], n_running=1)

    shown = results.show(storage, "digits")

    assert shown["driver"] == {"host": "here", "pid": 2}
    assert shown["states"] == {"RUNNING": 1, "COMPLETE": 1}
    assert (shown["n_trials"], shown["n_finished"], shown["best_number"]) == (4, 1, 0)
    assert shown["spec"]["data"]["source"] == "digits"
    assert parse_time(shown["created_at"])
    assert json.loads(json.dumps(shown, allow_nan=False)) == shown


def test_infinities_and_nan_are_null():
    assert plain([float("inf"), float("-inf"), float("nan"), 1.5]) == [None, None, None, 1.5]


def test_what_few_trials_have_is_shown_with_those_alone(storage, studies):
    claim = studies.running(n_running=2)
    lineage = (Inheritance(epoch=2, source=1, params={"learning_rate": 0.02, "optimizer": "sgd"}),)
    unusual = TrialResult(
        number=0, state=TrialState.COMPLETE, values=(0.5, math.inf), feasible=False, lineage=lineage
    )
    plain_one = TrialResult(number=1, state=TrialState.COMPLETE, value=0.5)
    [cohort] = storage.open_cohorts("digits")
    storage.finish_trials(claim, cohort.id, cohort.attempt, [unusual, plain_one])

    first, second = results.trials(storage, "digits")

    assert first["values"] == [0.5, None]
    assert first["feasible"] is False
    assert first["lineage"] == [
        {"epoch": 2, "source": 1, "params": {"learning_rate": 0.02, "optimizer": "sgd"}}
    ]
    assert {name for name in first if name not in second} == {"values", "feasible", "lineage"}
