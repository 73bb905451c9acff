"""The coordinator on real child processes that really train."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from hpo.coordinator.loop import Coordinator, Job, Options
from hpo.space import Choice
from hpo.states import StudyState, Wanted
from hpo.storage.open import open_storage
from hpo.study import EarlyStopping, PrunerSpec, SamplerSpec
from hpo.testing.small_jobs import L2, LEARNING_RATE, create, data_of, space_of, spec_of
from hpo.workers.local_pool import LocalPool

SPACE = space_of(
    {
        "learning_rate": LEARNING_RATE,
        "l2": L2,
        "optimizer": Choice(choices=("sgd", "momentum", "adam", "rmsprop")),
        "activation": Choice(choices=("relu", "tanh", "elu")),
    },
    hidden_units=23,
    hidden_layers=1,
    dropout=0.2,
    batch_size=7,
)


@pytest.fixture(scope="module")
def pools(tmp_path_factory):
    """Pools of one and of two workers, started once for the module."""
    scratch: Path = tmp_path_factory.mktemp("scratch")
    found = {n: LocalPool(n_workers=n, device="cpu", scratch=scratch / str(n)) for n in (1, 2)}
    for pool in found.values():
        pool.start()
    yield found
    for pool in found.values():
        pool.close()


def run(pool, spec, *, max_lanes=None, watch=lambda progress: None):
    storage = open_storage("memory://")
    create(storage, spec)
    options = Options(max_lanes=max_lanes)
    coordinator = Coordinator(storage, pool, watch=watch, options=options)
    study = coordinator.run(Job(name="small", spec=spec, data=data_of()))
    bits = [
        (t.number, t.value and t.value.hex(), t.best_epoch, dict(t.params)) for t in storage.trials("small")
    ]
    return storage, study, bits


def test_one_worker_or_two_cohorts_of_5_or_of_256_give_the_same_bits(pools):
    spec = spec_of(trials=24, epochs=6, space=SPACE)

    _, one, bits_of_one = run(pools[1], spec, max_lanes=5)
    _, two, bits_of_two = run(pools[2], spec, max_lanes=256)

    assert one.state is two.state is StudyState.COMPLETED
    assert bits_of_one == bits_of_two
    assert one.test == two.test


def test_gp_regression_proposes_the_same_on_one_worker_and_on_two(pools):
    sampler = SamplerSpec(name="gp", seed=0, batch=3, options={"n_startup_trials": 3})
    spec = replace(spec_of(trials=8, epochs=2), sampler=sampler)

    _, one, bits_of_one = run(pools[1], spec, max_lanes=2)
    _, _, bits_of_two = run(pools[2], spec)

    assert one.state is StudyState.COMPLETED
    assert [number for number, *_ in bits_of_one] == list(range(8))
    assert bits_of_one == bits_of_two
    assert set(one.test) == {"number", "scored", "log_loss", "accuracy", "f1"}


def test_killing_a_worker_in_the_middle_of_a_cohort_changes_no_result(pools):
    spec = spec_of(trials=24, epochs=60, space=SPACE)
    killed: list[int] = []

    def kill_one(progress):
        if progress.model_steps_per_s > 0 and not killed:
            killed.append(pools[2].pids()[0])
            os.kill(killed[0], signal.SIGKILL)

    _, disturbed, bits = run(pools[2], spec, max_lanes=6, watch=kill_one)
    _, undisturbed, expected = run(pools[1], spec)

    assert killed
    assert killed[0] not in pools[2].pids()
    assert disturbed.state is StudyState.COMPLETED
    assert bits == expected
    assert disturbed.test == undisturbed.test


def test_the_kept_model_is_found_again_when_it_was_lost(pools):
    """The best trial trained alone, without the study's other trials, scores the same."""
    spec = spec_of(trials=12, epochs=5, space=SPACE)
    storage, study, _ = run(pools[1], spec)
    kept = storage.model("small").data
    best = storage.best_trials("small")[0]

    alone = spec_of(trials=best.number + 1, epochs=5, space=SPACE)
    again, shorter, _ = run(pools[1], alone, max_lanes=1)

    assert shorter.test == study.test
    assert again.model("small").data == kept


def test_pausing_calls_the_workers_back_and_frees_them(pools):
    spec = spec_of(trials=24, epochs=100_000, space=SPACE)
    storage = open_storage("memory://")
    create(storage, spec)
    coordinator = Coordinator(
        storage,
        pools[2],
        watch=lambda progress: coordinator.ask(Wanted.PAUSE) if progress.model_steps_per_s else None,
    )

    study = coordinator.run(Job(name="small", spec=spec, data=data_of()))

    assert study.state is StudyState.PAUSED
    assert all(slot.task is None for slot in pools[2].slots())
    assert len(storage.unfinished("small")) == 24


@pytest.mark.parametrize("name", ["halving", "median"])
def test_brackets_with_repeats_and_early_stopping_end_alike_on_any_workers(pools, name):
    keys = {"factor": 2} if name == "halving" else {}
    spec = spec_of(
        trials=16,
        epochs=6,
        repeats=3,
        early_stopping=EarlyStopping(patience=2, min_delta=0.01),
        space=space_of(
            {"learning_rate": LEARNING_RATE, "hidden_units": Choice(choices=(8, 23))}, batch_size=7
        ),
        pruner=PrunerSpec(name=name, min_epochs=2, bracket=8, **keys),
    )
    ends = []

    for workers, max_lanes in ((1, 256), (2, 6)):
        storage, study, _ = run(pools[workers], spec, max_lanes=max_lanes)
        assert study.state is StudyState.COMPLETED
        trials = storage.trials("small")
        ends.append(
            [(t.number, t.state, t.reason, t.value, t.stderr, t.best_epoch, t.epochs) for t in trials]
        )
        ends[-1].append(study.test)

    assert ends[0] == ends[1]
    assert {name, "stopped_early"} <= {str(trial.reason).split("@")[0] for trial in trials}
