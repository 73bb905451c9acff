"""What ails a study or a trial, over REST: findings with their numbers, and the study file to try next."""

from array import array

import pytest

from hpo.api.schemas.diagnosis import Diagnosis
from hpo.cohort import CohortPlan
from hpo.service import specfile
from hpo.states import TrialState
from hpo.testing.studies import complete, driver
from hpo.trial import Curve, TrialPlan, TrialResult


def curve(train, validation):
    losses = [loss for epoch in zip(train, validation, strict=True) for loss in epoch]
    return Curve(columns=("train_loss", "validation_loss"), block=array("f", losses))


OVERFIT = {
    "curve": curve([1.0, 0.5, 0.2, 0.1, 0.05], [1.0, 0.7, 0.8, 1.0, 1.3]),
    "facts": {"chance_loss": 1.1},
}


@pytest.fixture
def trained(server, given):
    """Makes a study whose trials ended so."""

    def make(*results, **keys):
        given("wine", **keys)
        claim = server.storage.claim_study("wine", driver())
        space = specfile.from_json(server.storage.get_study("wine").spec).parameters
        numbers = tuple(range(len(results)))
        params = [{"learning_rate": 0.01, "hidden_units": 16 + n, "optimizer": "adam"} for n in numbers]
        plans = [TrialPlan(number=n, params=params[n]) for n in numbers]
        [cohort] = server.storage.plan_trials(claim, space, plans, [CohortPlan(numbers=numbers)])
        cohort = server.storage.start_cohort(claim, cohort.id)
        server.storage.finish_trials(claim, cohort.id, cohort.attempt, results, done=True)

    return make


def failed(number):
    return TrialResult(number=number, state=TrialState.FAIL, reason="diverged@2", epochs=2)


def asked(server, **question):
    return server.client.get("/studies/wine/diagnosis", params=question)


def test_a_study_of_which_most_failed_says_so_and_its_next_one_can_be_posted_as_it_is(server, trained):
    trained(failed(0), failed(1), complete(2, 0.9))

    found = asked(server).json()
    made = server.client.post("/studies", json=found["next"])

    Diagnosis.model_validate(found)
    first = found["findings"][0]
    assert (found["study"], found["trial"], found["metric"]) == ("wine", None, "accuracy")
    assert (first["code"], first["severity"]) == ("most_failed", "severe")
    assert first["sentence"] == "2 of 3 trials failed, 2 of them because they diverged"
    assert first["numbers"] == {"failed": 2, "ended": 3, "diverged": 2}
    assert (made.status_code, made.json()["name"]) == (201, "wine-next")


def test_a_trial_is_diagnosed_by_its_curve_and_has_no_next_study(server, trained):
    trained(complete(0, 0.9), complete(1, 0.8, **OVERFIT))

    unseen, ill = asked(server, trial=0).json(), asked(server, trial=1).json()

    Diagnosis.model_validate(ill)
    [finding] = ill["findings"]
    assert [one["code"] for one in unseen["findings"]] == ["not_seen"]
    assert (ill["trial"], ill["next"], finding["code"], finding["trials"]) == (1, None, "overfit", [1])
    assert finding["numbers"]["validation"] == pytest.approx(1.3)
    assert finding["numbers"]["least_epoch"] == 2


def test_of_several_objectives_the_first_says_which_trials_are_the_best(server, trained):
    def of(number, accuracy, n_parameters, **more):
        values = (accuracy, n_parameters)
        return TrialResult(number=number, state=TrialState.COMPLETE, values=values, epochs=5, **more)

    cheap = [of(n, 0.5 - n / 100, 100.0 - n) for n in range(3, 8)]
    trained(
        *(of(n, 0.9, 9000.0 + n, **OVERFIT) for n in range(3)),
        *cheap,
        objective=[{"metric": "accuracy"}, {"metric": "n_parameters"}],
    )

    found = asked(server).json()
    finding = next(one for one in found["findings"] if one["code"] == "common")

    assert found["metric"] == "accuracy"
    assert (finding["numbers"]["illness"], finding["trials"]) == ("overfit", [0, 1, 2])
    assert finding["numbers"]["which"] == "best trials"


def test_of_a_study_that_has_not_begun_nothing_can_be_told(server, given):
    given("wine")

    found = asked(server).json()

    assert [one["code"] for one in found["findings"]] == ["not_begun"]
    assert found["next"]["name"] == "wine-next"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("nobody/diagnosis", 404, "study_not_found"),
        ("wine/diagnosis?trial=7", 404, "trial_not_found"),
        ("wine/diagnosis?trial=-1", 422, "invalid_request"),
        ("wine/diagnosis?trial=best", 422, "invalid_request"),
        ("wine/diagnosis?top=3", 422, "invalid_request"),
    ],
)
def test_what_cannot_be_diagnosed_is_a_problem(server, trained, path, status, code):
    trained(complete(0, 0.9))

    answer = server.client.get(f"/studies/{path}")

    assert answer.status_code == status
    assert answer.json()["code"] == code
