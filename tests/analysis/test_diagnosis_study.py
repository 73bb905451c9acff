"""What is said of a study as a whole, on trials whose values and places are known, and the study to try next."""

from array import array
from dataclasses import replace

import pytest

from hpo.analysis.diagnosis.illnesses import Severity, found
from hpo.analysis.diagnosis.learning import Observed
from hpo.analysis.diagnosis.next_step import next_study
from hpo.analysis.diagnosis.study import Seen, diagnose_study
from hpo.analysis.importance import Importance
from hpo.analysis.ties import Judge
from hpo.space import Choice, Range, SearchSpace
from hpo.states import TrialState
from hpo.trial import Curve, Trial
from tests.analysis.specimens import ILL, WELL, train

RATE = Range(low=1e-4, high=1e-1, log=True, type="float")
SPACE = SearchSpace({"learning_rate": RATE, "dropout": Range(low=0.0, high=0.5, type="float")})
TREE = {
    "seed": 0,
    "data": {"source": "digits", "split": {"validation": 0.2, "seed": 0}},
    "parameters": {
        "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
        "dropout": {"low": 0.0, "high": 0.5},
        "activation": ["relu", "elu"],
        "elu_alpha": {"low": 0.5, "high": 2.0, "when": {"activation": ["elu"]}},
    },
    "trials": 40,
    "epochs": 20,
    "repeats": 1,
    "enqueue": [{"learning_rate": 1e-4}],
    "sampler": {"name": "random", "seed": 0},
}


# Half of the way in the first epoch, and slower from there on: learned, and nothing more to come.
FALLING = Curve(
    columns=("train_loss", "validation_loss"),
    block=array("f", [x for n in range(12) for x in (0.5**n, 0.5**n + 0.01)]),
)


def trials(rates, *, dropout=0.25, values=None, curve=FALLING):
    return [
        Observed(
            curve=curve,
            trial=Trial(
                number=number,
                state=TrialState.COMPLETE,
                params={"learning_rate": rate, "dropout": dropout},
                value=0.9 if values is None else values[number],
                epochs=12 if curve is FALLING else 2,
                facts={"chance_loss": 1.0},
            ),
        )
        for number, rate in enumerate(rates)
    ]


def seen(best=(), sample=(), **changes):
    counts = {"ended": 100, "failed": 0, "complete": 100}
    return Seen(space=SPACE, best=best, sample=sample, **(counts | changes))


def codes(one):
    return [finding.code for finding in diagnose_study(one)]


def changed(*findings, best=None, tree=TREE):
    return next_study(tree, findings, best or {}, name="wine", taken=())


def test_a_study_in_order_has_nothing_said_of_it():
    assert codes(seen(trials([1e-3, 2e-3, 5e-3, 1e-2, 6e-4]))) == []


def test_of_a_study_without_a_trial_that_has_ended_nothing_can_be_told():
    [finding] = diagnose_study(seen(ended=0, complete=0))

    assert (finding.code, finding.severity) == ("not_begun", Severity.NOTE)


def test_best_trials_too_short_to_tell_are_named_and_short_ones_elsewhere_in_a_search_are_not():
    short, long = trials([1e-3, 2e-3], curve=None), trials([1e-3, 2e-3])

    [finding] = diagnose_study(seen(short, long))

    assert (finding.numbers["illness"], finding.severity) == ("too_short", Severity.NOTE)
    assert diagnose_study(seen(long, short)) == []


@pytest.mark.parametrize(
    ("rates", "end"),
    [([9e-2, 8e-2, 6e-2, 1e-3, 9.9e-2], "highest"), ([1e-4, 1.1e-4, 1.5e-4, 1e-2, 1.2e-4], "lowest")],
)
def test_best_settings_that_crowd_at_an_end_are_named_with_the_end(rates, end):
    [finding] = diagnose_study(seen(trials(rates)))

    assert (finding.code, finding.numbers["parameter"], finding.numbers["end"]) == (
        "at_edge",
        "learning_rate",
        end,
    )
    assert finding.sentence == (
        f"4 of the best 5 trials have learning_rate in the {end} tenth of its range (0.0001 to 0.1)"
    )


def test_an_end_at_which_a_hyperparameter_ends_is_no_illness():
    assert codes(seen(trials([1e-3, 2e-3, 5e-3, 1e-2, 6e-4], dropout=0.0))) == []


def test_most_trials_failed():
    [finding] = diagnose_study(seen(trials([1e-3]), failed=60, diverged=50))

    assert finding.sentence == "60 of 100 trials failed, 50 of them because they diverged"


def test_few_trials_for_many_parameters():
    assert codes(seen(trials([1e-3]), complete=19, ended=19)) == ["few_trials"]
    assert codes(seen(trials([1e-3]), complete=4, ended=20)) == [], "pruned trials have a value too"


def test_a_list_of_one_is_no_parameter_to_search():
    space = SearchSpace({"learning_rate": RATE, "optimizer": Choice(choices=("adam",))})

    assert codes(replace(seen(trials([1e-3]), complete=10, ended=10), space=space)) == []


def test_a_parameter_that_explains_nothing_is_named_from_fifty_trials_on():
    importances = (Importance("learning_rate", 0.99), Importance("dropout", 0.01))

    assert codes(seen(importances=importances)) == ["does_not_matter"]
    assert codes(seen(importances=importances, complete=49)) == []


@pytest.mark.parametrize(("value", "wanted"), [(0.949, ["told_apart"]), (0.60, [])])
def test_best_settings_within_chance_cannot_be_told_apart(value, wanted):
    best = trials([1e-3, 2e-3, 5e-3], values=[0.95, value, value])

    assert codes(seen(best, judge=Judge(lanes=1, rows=360))) == wanted


def test_what_most_trained_networks_suffer_from_is_said_of_the_study():
    ill = [train(ILL["rate_too_low: adam at 1e-6"], seed) for seed in (0, 1)]
    well = [train(WELL["digits, adam"], seed) for seed in (0, 1)]

    of_all = diagnose_study(seen(ill, ill))
    of_corners = diagnose_study(seen(well, ill))

    assert [(one.code, one.severity, one.numbers["illness"]) for one in of_all] == [
        ("common", Severity.SEVERE, "rate_too_low")
    ]
    assert [(one.code, one.severity) for one in of_corners] == [("common", Severity.MILD)]
    assert "raise the learning rate" in of_all[0].cure
    assert diagnose_study(seen(well, well)) == []


def test_the_next_study_has_a_new_name_and_seed_and_the_same_split():
    new = changed()

    assert (new["name"], new["sampler"]["seed"], new["data"]) == ("wine-next", 1, TREE["data"])
    assert "enqueue" not in new
    assert new["parameters"] == TREE["parameters"]


def common(illness, severity=Severity.SEVERE):
    return found("common", severity=severity, illness=illness)


@pytest.mark.parametrize(
    ("illness", "best", "low", "high"),
    [
        ("rate_too_low", 0.1, 0.01, 1.0),
        ("rate_too_low", 0.02, 3.162e-3, 0.2),
        ("rate_too_low", 1e-3, 3.162e-4, 0.01),
        ("rate_too_high", 1e-4, 1e-5, 1e-3),
        ("rate_too_high", 1e-3, 1e-4, 3.162e-3),
        ("rate_too_high", 0.1, 0.01, 0.3162),
    ],
)
def test_a_rate_that_is_wrong_moves_its_range_with_the_best_one_in_it(illness, best, low, high):
    rate = changed(common(illness), best={"learning_rate": best})["parameters"]["learning_rate"]

    assert (rate["low"], rate["high"], rate["log"]) == (low, high, True)


def test_where_no_trial_was_complete_the_rates_go_below_all_that_were_tried():
    rate = changed(common("diverged"), best={})["parameters"]["learning_rate"]

    assert rate == {"low": 1e-6, "high": 3.333e-5, "log": True}


@pytest.mark.parametrize(("epochs", "wanted"), [(1, 8), (3, 8), (30, 60)])
def test_epochs_are_doubled_and_enough_to_tell(epochs, wanted):
    assert changed(common("too_short"), tree=TREE | {"epochs": epochs})["epochs"] == wanted


def test_an_edge_moves_by_a_decade():
    finding = found("at_edge", parameter="learning_rate", end="highest")

    assert changed(finding)["parameters"]["learning_rate"]["high"] == 1.0


def test_an_edge_moves_half_of_the_way_to_an_end_that_is_no_value():
    finding = found("at_edge", parameter="dropout", end="highest")

    assert changed(finding)["parameters"]["dropout"]["high"] == 0.75


def test_overfitting_gets_early_stopping_and_penalties_and_keeps_what_is_searched():
    new = changed(common("overfit", Severity.MILD))

    assert new["early_stopping"] == {"patience": 4}
    assert new["parameters"]["l2"]["log"]
    assert new["parameters"]["dropout"] == {"low": 0.0, "high": 0.5}


def test_underfitting_gets_larger_networks_and_no_dropout():
    parameters = changed(common("underfit"))["parameters"]

    assert parameters["hidden_units"]["low"] == 64
    assert "dropout" not in parameters


def test_a_parameter_without_effect_is_fixed_unless_others_hang_on_it():
    best = {"dropout": 0.2, "activation": "elu"}
    new = changed(
        *(found("does_not_matter", parameter=name) for name in best), best=best
    )["parameters"]  # fmt: skip

    assert (new["dropout"], new["activation"]) == (0.2, ["relu", "elu"])


def test_what_counted_only_under_a_choice_that_is_gone_goes_too():
    assert "elu_alpha" not in changed(common("saturated_units"))["parameters"]
    assert "elu_alpha" in changed(common("dead_units"))["parameters"]


def test_first_well_then_sure():
    sure = found("told_apart")

    assert changed(sure)["repeats"] == 3
    assert changed(common("rate_too_low"), sure)["repeats"] == 1
