"""The verbs that add to a study."""

import json

import pytest

from hpo.cohort import CohortPlan
from hpo.service import specfile
from hpo.service.processes import this_process
from hpo.states import StudyState
from hpo.trial import TrialPlan

# On the local database, and on a server over it.
pytestmark = [
    pytest.mark.usefixtures("place"),
    pytest.mark.parametrize("place", ["here", "server"], indirect=True),
]


def test_a_setting_is_enqueued_and_the_next_step_said(hpo, study, database, place):
    study()

    code, out, err = hpo("enqueue", "digits", "learning_rate=1e-3")

    assert (code, out) == (0, "")
    who = {
        "here": "`hpo resume digits` goes on",
        "server": "the server goes on with it, `hpo watch digits` follows",
    }
    assert f"1 setting enqueued in study digits; its total is 5 trials now; {who[place]}" in err
    with database() as storage:
        assert [entry.params for entry in storage.queue("digits")] == [{"learning_rate": 1e-3}]
        assert storage.get_study("digits").state is StudyState.QUEUED
    assert "1 setting without a number yet" in hpo("show", "digits")[1]
    assert json.loads(hpo("show", "digits", "-f", "json")[1])["n_enqueued"] == 1


def test_a_running_study_takes_it_up_by_itself(hpo, study):
    study(state=StudyState.RUNNING)

    _, out, err = hpo("enqueue", "digits", "learning_rate=1e-3", "-f", "json")

    assert json.loads(out) == {
        "study": "digits",
        "state": "RUNNING",
        "n_trials": 5,
        "enqueued": [{"learning_rate": 1e-3}],
        "retry_of": [],
    }
    assert err == ""
    assert "process" in hpo("enqueue", "digits", "learning_rate=1e-3")[2]


@pytest.mark.parametrize(
    ("words", "sentence", "code"),
    [
        (["digits", "lr=1e-3"], "lr: the study has no parameter 'lr'; there are learning_rate", 2),
        (["digits", "learning-rate=1e-3"], "did you mean 'learning_rate'?", 2),
        (["digits", "learning_rate=7"], "learning_rate: must be between 0.0001 and 0.1, got 7", 2),
        (["digits", "1e-3"], "enqueue: must be KEY=VALUE like learning_rate=1e-3, got '1e-3'", 2),
        (["nobody", "learning_rate=1e-3"], "no study is called 'nobody'", 4),
        (["digits"], "missing argument", 2),
    ],
)
def test_a_wrong_setting_is_one_sentence(hpo, study, words, sentence, code):
    study()

    given, out, err = hpo("enqueue", *words)

    assert (given, out) == (code, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_retry_says_when_there_is_nothing_to_retry(hpo, study):
    study()  # its failed trial diverged, and would again

    code, _, err = hpo("retry", "digits")

    assert code == 0
    assert "no trial to retry: none failed by error, lost, out_of_memory" in err
    assert json.loads(hpo("retry", "digits", "-f", "json")[1])["enqueued"] == []
    assert "only trials that failed by error" in hpo("retry", "digits", "--trial", "2")[2]


def test_trials_show_what_they_are_a_retry_of(hpo, study, database):
    study(state=StudyState.PAUSED)
    assert "retry_of" not in hpo("trials", "digits")[1]
    with database() as storage:
        space = specfile.from_json(storage.get_study("digits").spec).parameters
        storage.move_study("digits", StudyState.QUEUED)
        claim = storage.claim_study("digits", this_process())
        plan = TrialPlan(number=3, params={"learning_rate": 0.01}, retry_of=2)
        storage.plan_trials(claim, space, [plan], [CohortPlan(numbers=(3,))])

    assert "retry_of" in hpo("trials", "digits")[1]
