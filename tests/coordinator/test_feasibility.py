"""Constraints before training: what is refused, and that nothing else changes."""

import itertools
from collections import Counter
from dataclasses import replace

import pytest
import torch

from hpo.constraints import NUMBERS, Constraint
from hpo.coordinator.feasibility import feasibility_of, network_of
from hpo.coordinator.planner import Resolver
from hpo.hyperparams import OPTIMIZERS, SCHEDULES
from hpo.space import Choice, Fixed, Range
from hpo.states import StudyState, TrialState, Wanted
from hpo.testing.small_jobs import LEARNING_RATE, data_of, grid_of, space_of, spec_of

DATA = data_of()
WIDTHS = {"learning_rate": LEARNING_RATE, "hidden_units": Range(low=4, high=64, log=True, type="int")}
SMALL = {"n_parameters": "<= 200"}


def known(params, name, *, space=None, **fixed):
    """What a constraint reads of a trial under a name."""
    spec = spec_of(space=space or space_of(**fixed))
    trial = Resolver(spec, DATA.info).resolve(0, params)
    return feasibility_of(spec, DATA.info).known(trial, [Constraint(name, "<= 1")])[name]


@pytest.mark.parametrize("hidden", ["5", "8-3", "16-16-4"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_parameters_are_counted_as_torch_counts_them(hidden, batch_norm):
    widths = [4, *map(int, hidden.split("-")), 3]
    layers = [torch.nn.Linear(a, b) for a, b in itertools.pairwise(widths)]
    norms = [torch.nn.BatchNorm1d(width) for width in widths[1:-1]] if batch_norm else []
    network = torch.nn.ModuleList([*layers, *norms])
    params = {"hidden_units": hidden if "-" in hidden else int(hidden), "hidden_layers": 1}

    found = known(params, "n_parameters", batch_norm=batch_norm)

    assert found == sum(weights.numel() for weights in network.parameters())


def test_widths_are_counted_without_padding():
    spec = spec_of(space=space_of(WIDTHS, hidden_layers=1))
    trial = Resolver(spec, DATA.info).resolve(0, {"learning_rate": 0.1, "hidden_units": 17})

    assert trial.shared.hidden == (20,)
    assert network_of(trial, DATA.info).n_parameters == 4 * 17 + 17 + 17 * 3 + 3


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_number_has_a_value_in_every_trial(optimizer):
    for schedule in SCHEDULES:
        for name in NUMBERS:
            assert isinstance(known({}, name, optimizer=optimizer, schedule=schedule), int | float)


def test_a_hyperparameter_that_a_trial_does_not_have_counts_as_its_settings_have_it():
    space = space_of(
        {
            "optimizer": Choice(choices=("sgd", "momentum", "adam")),
            "momentum": Range(low=0.5, high=0.99, when={"optimizer": ("momentum",)}, type="float"),
            "l2": Fixed(value=0.25, when={"optimizer": ("sgd",)}),
        }
    )

    assert known({"optimizer": "momentum", "momentum": 0.75}, "momentum", space=space) == 0.75
    assert known({"optimizer": "adam"}, "momentum", space=space) == 0.0
    assert known({"optimizer": "adam"}, "beta1", space=space) == 0.9
    assert known({"optimizer": "sgd"}, "l2", space=space) == 0.25
    assert known({"optimizer": "adam"}, "l2", space=space) == 0.0


def test_widths_with_dashes_count_as_their_layers_and_the_widest():
    assert known({"hidden_units": "64-32-8"}, "hidden_units") == 64
    assert known({"hidden_units": "64-32-8"}, "hidden_layers") == 3


@pytest.mark.parametrize("sampler", ["random", "grid"])
def test_refused_trials_take_their_number_and_change_nothing_for_the_others(make_world, sampler):
    space = grid_of(6, 5) if sampler == "grid" else space_of(WIDTHS, hidden_layers=1)
    rule = {"learning_rate": "<= 1000 * l2"} if sampler == "grid" else SMALL
    spec = spec_of(trials=30, space=space, sampler=sampler)
    free, bound = make_world(spec), make_world(replace(spec, constraints=rule))
    feasibility = feasibility_of(bound.job.spec, DATA.info)
    resolver = Resolver(spec, DATA.info)

    free.run()
    study = bound.run(max_lanes=5)

    expected = {
        t.number for t in free.trials() if not feasibility.admits(resolver.resolve(t.number, t.params))
    }
    refused = {t.number for t in bound.trials(TrialState.FAIL)}
    assert study.state is StudyState.COMPLETED
    assert 3 < len(expected) < 27
    assert refused == expected
    assert {(t.reason, t.value, t.epochs) for t in bound.trials(TrialState.FAIL)} == {("infeasible", None, 0)}
    assert Counter(bound.trained()) == Counter(set(range(30)) - refused)
    assert [t.params for t in bound.trials()] == [t.params for t in free.trials()]
    assert [b for b in bound.bits() if b[0] not in refused] == [b for b in free.bits() if b[0] not in refused]


def test_what_is_refused_does_not_depend_on_workers_or_the_cut(make_world):
    spec = spec_of(trials=200, space=space_of(WIDTHS, hidden_layers=1), constraints=SMALL)
    worlds = [make_world(spec) for _ in range(3)]

    for world, workers, lanes in zip(worlds, (1, 2, 4), (3, None, 50), strict=True):
        world.run(workers=workers, max_lanes=lanes)

    assert worlds[0].bits() == worlds[1].bits() == worlds[2].bits()


def test_a_study_in_which_all_trials_are_refused_fails_with_a_cure(make_world):
    world = make_world(spec_of(trials=700, constraints={"n_parameters": "<= 10", "l2": "<= 1"}))

    study = world.run()

    assert study.state is StudyState.FAILED
    assert study.counts[TrialState.FAIL] == 700
    assert study.reason == (
        "not one of the trials meets the constraints (n_parameters <= 10, l2 <= 1); "
        "loosen them, or narrow the parameters"
    )
    assert world.trained() == []


def test_a_study_whose_trials_are_all_refused_can_be_stopped_between_windows(make_world):
    world = make_world(spec_of(trials=100_000, constraints={"n_parameters": "<= 10"}))

    class Stopping(list):
        def append(self, progress):
            super().append(progress)
            world.storage.want("small", Wanted.STOP)

    world.seen = Stopping()

    study = world.run()

    assert 0 < study.n_finished < 100_000
    assert study.state is StudyState.FAILED
