"""The same study on 1, 2 and 4 workers, with cohorts cut small and large, gives identical trials."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpo.coordinator.loop import Coordinator, Job, Options
from hpo.fused.device import prepare_process
from hpo.space import Choice, Range
from hpo.states import StudyState, TrialState
from hpo.storage.open import open_storage
from hpo.study import Limits, PrunerSpec, SamplerSpec, StopSpec
from hpo.testing.simulated_pool import SimulatedPool
from hpo.testing.small_jobs import L2, create, data_of, space_of, spec_of
from hpo.workers.local_pool import LocalPool

RATES = Range(low=1e-4, high=100.0, log=True, type="float")  # those above 10 diverge
SPACE = space_of(
    {
        "learning_rate": RATES,
        "l2": L2,
        "optimizer": Choice(choices=("adam", "momentum")),
        "momentum": Range(low=0.8, high=0.99, type="float", when={"optimizer": ("momentum",)}),
        "hidden_units": Choice(choices=(8, 16, 23)),
    }
)
POINTS = space_of(
    {
        "optimizer": Choice(choices=("adam", "momentum")),
        "momentum": Range(low=0.8, high=0.98, num=3, type="float", when={"optimizer": ("momentum",)}),
        "learning_rate": replace(RATES, num=5),
        "hidden_units": Choice(choices=(8, 16)),
    }
)
ONE_SHAPE = space_of({"learning_rate": RATES, "l2": L2}, hidden_units=23)


def study(sampler="random", *, batch=None, **rest):
    spec = spec_of(**{"trials": 60, "epochs": 4, "space": SPACE} | rest)
    return replace(spec, sampler=SamplerSpec(name=sampler, seed=1, batch=batch))


def pruned(name, **options):
    return study(pruner=PrunerSpec(name=name, **options), epochs=9, space=ONE_SHAPE)


STUDIES = {
    "random": study(),
    "random with repeats": study(repeats=3, trials=20),
    "grid": study("grid", space=POINTS, trials=2 * 5 * (1 + 3)),
    "sobol": study("sobol"),
    "coarse_to_fine": study("coarse_to_fine"),
    "tpe": study("tpe", batch=8, trials=40),
    "cmaes": study("cmaes", batch=8, trials=40, space=ONE_SHAPE),
    "gp": study("gp", batch=8, trials=24),
    "nsga2": study("nsga2", batch=8, trials=40),
    "population": pruned(
        "population",
        bracket=12,
        min_epochs=3,
        options={"quantile": 0.25, "perturb": [0.8, 1.25], "resample": 0.25},
    ),
    "halving": pruned("halving", min_epochs=1, factor=3, bracket=16),
    "hyperband": pruned("hyperband", min_epochs=1, factor=3),
    "median": pruned("median", min_epochs=2, bracket=16),
    "halving in parallel": replace(
        pruned("halving", min_epochs=1, factor=3, bracket=16), limits=Limits(parallel=5)
    ),
    "parallel": study(limits=Limits(parallel=5)),
}
SIZES = ((1, 256), (2, 3), (2, None), (4, 1), (4, 64))  # workers, lanes of a cohort


def run(spec, pool, max_lanes):
    """A study from its beginning to its end, in a storage of its own."""
    storage = open_storage("memory://")
    create(storage, spec)
    coordinator = Coordinator(storage, pool, options=Options(max_lanes=max_lanes, poll_s=0.01))
    ended = coordinator.run(Job(name="small", spec=spec, data=data_of()))
    return storage, ended


def bits(trials):
    """Everything of trials that must not depend on who trained them beside whom."""
    return [
        (t.number, dict(t.params), None if t.value is None else t.value.hex(), t.state, t.reason, t.epochs)
        for t in trials
    ]


@pytest.fixture(scope="module")
def references():
    """Each study's trials and test score, on one worker with cohorts as they pay."""
    found = {}

    def reference(name):
        if name not in found:
            storage, ended = run(STUDIES[name], SimulatedPool(n_slots=1), None)
            found[name] = bits(storage.trials("small")), ended.test
        return found[name]

    return reference


@pytest.mark.parametrize(("workers", "max_lanes"), SIZES)
@pytest.mark.parametrize("name", STUDIES)
def test_workers_and_cuts_change_nothing(references, name, workers, max_lanes):
    expected, test = references(name)

    storage, ended = run(STUDIES[name], SimulatedPool(n_slots=workers), max_lanes)

    assert ended.state is StudyState.COMPLETED
    assert len(expected) == STUDIES[name].trials
    assert bits(storage.trials("small")) == expected
    assert ended.test == test


@pytest.mark.parametrize(("workers", "max_lanes"), SIZES)
@pytest.mark.parametrize(
    "stop", [StopSpec(value=1.0), StopSpec(plateau={"trials": 9})], ids=["value", "plateau"]
)
@pytest.mark.parametrize("sampler", ["random", "sobol", "coarse_to_fine", "tpe"])
def test_a_rule_of_ending_comes_to_the_same_result(sampler, stop, workers, max_lanes):
    spec = study(sampler, batch=8 if sampler == "tpe" else None, stop=stop)
    reference, expected = run(spec, SimulatedPool(n_slots=1), None)

    storage, ended = run(spec, SimulatedPool(n_slots=workers), max_lanes)

    counted = expected.counted
    assert counted is not None
    assert (ended.counted, ended.reason, ended.test) == (counted, expected.reason, expected.test)
    assert bits(storage.trials("small"))[:counted] == bits(reference.trials("small"))[:counted]
    beyond = {(t.state, t.reason) for t in storage.trials("small")[counted:]}
    assert (TrialState.RUNNING, None) not in beyond


@pytest.fixture(scope="module")
def pools(tmp_path_factory):
    """Pools of one and of two real workers, started once for the module."""
    prepare_process()
    scratch = tmp_path_factory.mktemp("scratch")
    found = {n: LocalPool(n_workers=n, device="cpu", scratch=scratch / str(n)) for n in (1, 2)}
    for pool in found.values():
        pool.start()
    yield found
    for pool in found.values():
        pool.close()


REAL = ("random", "grid", "sobol", "coarse_to_fine", "tpe", "population", "halving")


@pytest.mark.parametrize("name", REAL)
def test_real_workers_train_the_same_bits(pools, name):
    spec = replace(STUDIES[name], trials=min(STUDIES[name].trials, 24))

    one, _ = run(spec, pools[1], 5)
    two, ended = run(spec, pools[2], None)

    assert ended.state is StudyState.COMPLETED
    assert bits(one.trials("small")) == bits(two.trials("small"))
