"""Populations from the study file to the results: the same on any workers, through any loss, and refused when too large."""

import itertools
import os
import signal
from dataclasses import replace

import pytest

from hpo.cohort import CohortTask
from hpo.coordinator.capacity import Machine
from hpo.coordinator.loop import Coordinator, Job, Options
from hpo.coordinator.planner import Planner, Resolver
from hpo.coordinator.populations import blocks, whole_blocks
from hpo.errors import SpecError
from hpo.models import from_bytes
from hpo.samplers.random import RandomSampler
from hpo.space import Choice, Range
from hpo.states import StudyState, TrialState, Wanted
from hpo.storage.open import open_storage
from hpo.study import PrunerSpec
from hpo.testing.simulated_pool import Fault
from hpo.testing.small_jobs import L2, LEARNING_RATE, create, data_of, space_of, spec_of
from hpo.workers.local_pool import LocalPool

OPTIONS = {"quantile": 0.3, "perturb": [0.5, 2.0], "resample": 0.2}
SPACE = space_of(
    {
        "learning_rate": LEARNING_RATE,
        "l2": L2,
        "optimizer": Choice(choices=("momentum", "adam")),
        "activation": Choice(choices=("relu", "tanh")),
    },
    hidden_units=11,
    hidden_layers=1,
    dropout=0.2,
    batch_size=7,
)


def population_of(size, *, every=2, options=None):
    return PrunerSpec(name="population", bracket=size, min_epochs=every, options=options or OPTIONS)


def spec(trials=24, epochs=12, size=8, **rest):
    return spec_of(trials=trials, epochs=epochs, space=SPACE, pruner=population_of(size), **rest)


@pytest.fixture(scope="module")
def pools(tmp_path_factory):
    """Pools of one and of two workers, started once for the module."""
    scratch = tmp_path_factory.mktemp("scratch")
    found = {n: LocalPool(n_workers=n, device="cpu", scratch=scratch / str(n)) for n in (1, 2)}
    for pool in found.values():
        pool.start()
    yield found
    for pool in found.values():
        pool.close()


def run(pool, spec, *, max_lanes=None, watch=lambda progress: None, storage=None):
    storage = storage or open_storage("memory://")
    create(storage, spec)
    coordinator = Coordinator(storage, pool, watch=watch, options=Options(max_lanes=max_lanes))
    study = coordinator.run(Job(name="small", spec=spec, data=data_of()))
    return storage, study, bits_of(storage)


def bits_of(storage):
    return [
        (t.number, t.state, t.value.hex(), t.best_epoch, dict(t.params), t.lineage)
        for t in storage.trials("small")
    ]


@pytest.fixture(scope="module")
def undisturbed(pools):
    return run(pools[1], spec())


def test_one_worker_or_two_with_any_width_of_cohorts_give_the_same_bits(pools, undisturbed):
    _, one, bits = undisturbed
    _, two, bits_of_two = run(pools[2], spec(), max_lanes=3)

    assert one.state is two.state is StudyState.COMPLETED
    assert bits == bits_of_two
    assert one.test == two.test
    assert sum(bool(lineage) for *_, lineage in bits) > 10
    for number, *_, lineage in bits:
        assert {change.source // 8 for change in lineage} <= {number // 8}


def test_killing_a_worker_in_the_middle_of_a_population_changes_no_result(pools, undisturbed):
    killed = []

    def kill_one(progress):
        if progress.model_steps_per_s > 0 and not killed:
            killed.append(pools[2].pids()[0])
            os.kill(killed[0], signal.SIGKILL)

    long = spec(epochs=40)
    _, expected_study, expected = run(pools[1], long)
    _, disturbed, bits = run(pools[2], long, watch=kill_one)

    assert killed
    assert killed[0] not in pools[2].pids()
    assert bits == expected
    assert disturbed.test == expected_study.test


def test_the_best_trials_model_is_found_again_when_it_was_lost(pools, undisturbed):
    storage, study, _ = undisturbed
    kept = storage.model("small")

    class Forgetful:
        """The same storage; a model that is saved before all trials have ended is lost."""

        def __init__(self):
            self.inner, self.saved = open_storage("memory://"), []

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def save_model(self, claim, model):
            self.saved.append(all(trial.state.finished for trial in self.inner.trials("small")))
            if self.saved[-1]:
                self.inner.save_model(claim, model)

    forgetful = Forgetful()
    again, _, _ = run(pools[1], spec(), storage=forgetful)

    assert storage.get_trial("small", kept.number).lineage
    assert forgetful.saved[-2:] == [False, True]
    assert again.model("small").data == kept.data
    assert again.get_study("small").test == study.test


def test_a_network_trained_anew_on_more_rows_follows_the_schedule_that_was_found(pools, undisturbed):
    storage, study, bits = run(pools[1], spec(refit=True))

    [best] = storage.best_trials("small")
    last = [change for change in best.lineage if change.epoch < best.best_epoch][-1]
    settings = from_bytes(storage.model("small").data).settings
    assert bits == undisturbed[2]
    assert (settings.learning_rate, settings.l2) == (last.params["learning_rate"], last.params["l2"])
    assert settings.learning_rate != best.params["learning_rate"]
    assert study.test["number"] == best.number


def test_a_population_is_one_cohort_whatever_the_machine(make_world):
    world = make_world(spec(trials=20))

    world.run(workers=3, max_lanes=2)

    tasks = [task for task in world.pools[0].submitted if isinstance(task, CohortTask)]
    assert [task.numbers for task in tasks] == [tuple(range(8)), tuple(range(8, 16)), tuple(range(16, 20))]
    assert {task.evolution.every for task in tasks} == {2}
    assert all(set(task.evolution.params) == set(task.numbers) for task in tasks)


def test_a_population_whose_worker_always_dies_is_not_cut_and_ends(make_world):
    rates = Range(low=1.0, high=5.0, type="float")
    space = space_of({"learning_rate": rates}, batch_size=7)
    world = make_world(replace(spec(trials=8), parameters=space))

    study = world.run(workers=1, deadly=[3])

    assert (study.state, study.reason) == (StudyState.FAILED, "not one trial is complete: 8 lost")
    assert world.trained() == [*range(8)] * 3


def test_a_lost_population_trains_again_whole_though_some_have_ended(make_world):
    """A trial that diverges ends in its first epoch; its population is lost in the second."""
    rates = Range(low=1.0, high=20.0, type="float")
    space = space_of({"learning_rate": rates}, batch_size=7)
    world, plain = (make_world(replace(spec(trials=8), parameters=space)) for _ in range(2))
    world.run(workers=1, faults=[Fault(submission=0, epoch=2)])
    plain.run(workers=1)

    assert world.trained()[:16] == [*range(8), *range(8)]
    assert {t.state for t in world.trials()} == {TrialState.COMPLETE, TrialState.FAIL}
    assert world.bits() == plain.bits()


def test_a_coordinator_that_takes_over_trains_the_whole_population(make_world):
    rates = Range(low=1.0, high=20.0, type="float")
    world = make_world(
        replace(spec(trials=8, epochs=30), parameters=space_of({"learning_rate": rates}, batch_size=7))
    )

    polls = itertools.count()

    def pause_at_the_third():
        if next(polls) == 2:
            world.coordinator.ask(Wanted.PAUSE)

    first = world.run(workers=1, each_poll=pause_at_the_third)
    assert first.state is StudyState.PAUSED
    ended = {t.number for t in world.trials(TrialState.FAIL)}
    world.storage.move_study("small", StudyState.QUEUED)
    second = world.run(workers=1)

    assert ended
    assert second.state is StudyState.COMPLETED
    assert world.pools[1].submitted[0].numbers == tuple(range(8))
    assert {t.number for t in world.trials(TrialState.FAIL)} == ended


def test_a_population_that_does_not_fit_into_memory_ends_the_study_with_a_sentence(make_world):
    world = make_world(spec(trials=16))

    study = world.run(workers=1, most_lanes=5)

    assert study.state is StudyState.FAILED
    assert "a population of 8 trials does not fit into a worker's memory" in study.reason
    assert "pruner.bracket" in study.reason
    assert {t.reason for t in world.trials()} == {"out_of_memory", "cancelled"}
    assert len(world.trained()) == 8


def ready(spec, n):
    resolver = Resolver(spec, data_of().info)
    return [resolver.resolve(p.number, p.params) for p in RandomSampler(0, spec.parameters).ask(0, n)]


def test_trials_that_cannot_share_a_cohort_are_refused():
    mixed = replace(spec(), parameters=space_of({"batch_size": Choice(choices=(7, 9))}))

    with pytest.raises(SpecError, match="side by side"):
        blocks(ready(mixed, 8), 8)


def test_windows_end_where_populations_end():
    assert [whole_blocks(first, n, 8) for first, n in [(0, 1), (0, 8), (0, 9), (5, 1), (5, 3), (5, 4)]] == [
        8,
        8,
        16,
        3,
        3,
        11,
    ]


def test_a_replay_may_be_cut_like_any_other_study():
    told = replace(
        spec(trials=6), pruner=PrunerSpec(name="population", options={"schedule": [{"epoch": 3, "l2": 0.1}]})
    )
    planner = Planner(told, data_of().info, Machine(n_slots=2, memory_bytes=2**30), max_lanes=2)

    assert planner.population is None
    assert all(len(part) <= 2 for part in planner.cohorts(ready(told, 6)))
