"""What Optuna's samplers are shown of our trials: read back from Optuna's own study."""

from __future__ import annotations

import pytest
from optuna.trial import TrialState as OptunaState

from hpo.samplers.engines import ENGINES
from hpo.samplers.history import History
from hpo.space import Range, SearchSpace
from hpo.states import TrialState
from hpo.study import Direction
from hpo.trial import Trial

SPACE = SearchSpace({name: Range(low=0.0, high=1.0, type="float") for name in ("x", "y")})
PARAMS = {"x": 0.25, "y": 0.5}


def trial(number, value=None, state=TrialState.COMPLETE, **rest):
    said = {"number": number, "value": value, "state": state, "params": PARAMS, "epochs": 4}
    return Trial(**said | rest)


def failed(number, reason):
    return trial(number, state=TrialState.FAIL, reason=reason)


def history_of(engine="tpe", directions=(Direction.MINIMIZE,), **rest):
    return History(ENGINES[engine], SPACE, directions, seed=0, options={}, **rest)


def shown(*batches, engine="tpe", **rest):
    """Optuna's trials after these batches of ours."""
    history = history_of(engine, **rest)
    for trials in batches:
        for _ in trials:
            history.enter(PARAMS)
        history.show(trials)
    return history._study.get_trials()


@pytest.mark.parametrize("engine", ["tpe", "cmaes", "nsga2"])
def test_trials_keep_their_parameters_and_values_and_run_until_they_are_shown(engine):
    history = history_of(engine)
    history.propose()
    for _ in range(2):
        history.enter(PARAMS)

    history.show([trial(0, 3.0), trial(1, 4.0)])

    found = history._study.get_trials()
    assert [t.state for t in found] == [OptunaState.COMPLETE, OptunaState.COMPLETE, OptunaState.RUNNING]
    assert [t.value for t in found] == [3.0, 4.0, None]
    assert [t.params for t in found[1:]] == [PARAMS, PARAMS]


@pytest.mark.parametrize(("direction", "worst"), [(Direction.MINIMIZE, 7.0), (Direction.MAXIMIZE, 1.0)])
def test_what_diverged_counts_as_the_worst_value_so_far(direction, worst):
    found = shown([trial(0, 7.0), failed(1, "diverged@2"), trial(2, 1.0)], directions=(direction,))

    assert [t.value for t in found] == [7.0, worst, 1.0]
    assert {t.state for t in found} == {OptunaState.COMPLETE}


def test_the_worst_is_that_of_the_batches_shown_not_of_later_ones():
    found = shown([trial(0, 7.0), failed(1, "error")], [trial(2, 9.0), failed(3, "out_of_memory")])

    assert [t.value for t in found] == [7.0, 7.0, 9.0, 9.0]


def test_with_several_objectives_the_worst_is_the_worst_of_each():
    both = (Direction.MINIMIZE, Direction.MAXIMIZE)

    found = shown(
        [trial(0, values=(1.0, 5.0)), trial(1, values=(3.0, 8.0)), failed(2, "error")], directions=both
    )

    assert found[2].values == [3.0, 5.0]


@pytest.mark.parametrize("reason", ["lost", "cancelled"])
def test_what_was_nobodys_fault_is_passed_over(reason):
    found = shown([trial(0, 7.0), failed(1, reason)])

    assert (found[1].state, found[1].value) == (OptunaState.FAIL, None)


def test_while_there_is_no_value_a_failure_is_one_for_optuna_too():
    found = shown([failed(0, "diverged@1")], [trial(1, 2.0)])

    assert [t.state for t in found] == [OptunaState.FAIL, OptunaState.COMPLETE]


def test_a_pruned_trial_is_shown_as_far_as_it_came():
    found = shown([trial(0, 2.5, TrialState.PRUNED)])

    assert (found[0].state, found[0].value, found[0].intermediate_values) == (
        OptunaState.PRUNED,
        2.5,
        {4: 2.5},
    )


@pytest.mark.parametrize("engine", ["tpe", "nsga2"])
def test_constraints_are_shown_of_every_trial(engine):
    infeasible = failed(2, "infeasible")

    found = shown([trial(0, 1.0), trial(1, 2.0, feasible=False), infeasible], engine=engine, constrained=True)

    assert [all(c <= 0 for c in t.constraints.values()) for t in found] == [True, False, False]
    assert [t.value for t in found] == [1.0, 2.0, 2.0]
    assert all(len(t.constraints) == 1 for t in found)


def test_without_constraints_there_are_none_to_show():
    assert shown([trial(0, 1.0)])[0].constraints == {}


def test_cma_es_knows_no_constraints_so_what_breaks_them_is_the_worst():
    found = shown([trial(0, 9.0), trial(1, 2.0, feasible=False)], engine="cmaes", constrained=True)

    assert [t.value for t in found] == [9.0, 9.0]
    assert [t.constraints for t in found] == [{}, {}]


def test_trials_of_other_studies_come_first_and_have_no_number():
    history = history_of(warm=[trial(17, 5.0), failed(18, "diverged@1"), failed(19, "lost")])
    history.enter(PARAMS)
    history.show([failed(0, "diverged@1")])

    assert len(history) == 1
    assert [t.value for t in history._study.get_trials()] == [5.0, 5.0, 5.0]


def test_cma_es_begins_where_other_studies_were_good():
    good = [trial(n, n / 10, params={"x": 0.9 - n / 200, "y": 0.1}) for n in range(20)]
    cold, warm = history_of("cmaes", warm=good[:1]), history_of("cmaes", warm=good)

    means = [sum(history.propose()["x"] for _ in range(20)) / 20 for history in (cold, warm)]

    assert means[0] == pytest.approx(0.5, abs=0.1)
    assert means[1] == pytest.approx(0.9, abs=0.06)


def test_equal_states_of_cma_es_are_kept_once():
    history = history_of("cmaes")
    for number in range(30):
        history.propose()
        if number % 10 == 9:
            history.show([trial(n, float(n)) for n in range(number - 9, number + 1)])

    states = [
        v
        for t in history._study.get_trials(deepcopy=False)
        for k, v in t.system_attrs.items()
        if "optimizer" in k
    ]
    assert len({id(state) for state in states}) == len(set(states)) < len(states)


def test_the_parents_of_a_generation_are_chosen_from_all_of_the_one_before():
    """Asked in batches, half of a generation ends after the next one has begun."""
    history = History(ENGINES["nsga2"], SPACE, (Direction.MINIMIZE,), seed=0, options={"population_size": 4})
    for _ in range(8):
        history.propose()
    history.show([trial(n, 10.0 + n) for n in range(4)])
    history.propose()  # the first of generation 1
    history.show([trial(n, float(n)) for n in range(4, 8)])
    history.propose()

    sampler, study = history._study.sampler, history._study
    parents = sampler.get_parent_population(study, 1)
    assert sorted(t.number for t in parents) == [4, 5, 6, 7]
