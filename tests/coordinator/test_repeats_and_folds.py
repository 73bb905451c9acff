"""Repeats and folds are lanes: on real workers a trial's value is the mean of networks trained one by one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hpo.cohort import CohortDone, EpochResult, LaneTask
from hpo.coordinator.flight import TaskMaker
from hpo.coordinator.loop import Coordinator, Job, Options
from hpo.coordinator.planner import Resolver
from hpo.data.prepare import prepare
from hpo.models import from_bytes, predict
from hpo.space import Choice
from hpo.states import StudyState
from hpo.storage.open import open_storage
from hpo.study import DataSpec, Direction, EarlyStopping, SplitSpec
from hpo.testing.small_jobs import LEARNING_RATE, create, data_of, space_of, spec_of
from hpo.workers.local_pool import LocalPool

SPEC = replace(
    spec_of(
        trials=6,
        epochs=5,
        repeats=3,
        early_stopping=EarlyStopping(patience=2),
        space=space_of(
            {"learning_rate": LEARNING_RATE, "optimizer": Choice(choices=("momentum", "adam"))},
            hidden_units=13,
            hidden_layers=1,
            dropout=0.2,
            batch_size=16,
        ),
    ),
    data=DataSpec(source="iris", split=SplitSpec(folds=5, test=0.2, seed=0)),
)


@pytest.fixture(scope="module")
def data():
    return prepare(SPEC.data, scalings=[None], folder=Path(), seed=0)


@pytest.fixture(scope="module")
def pools(tmp_path_factory):
    """Pools of one and of two workers."""
    scratch: Path = tmp_path_factory.mktemp("scratch")
    found = {n: LocalPool(n_workers=n, device="cpu", scratch=scratch / str(n)) for n in (1, 2)}
    for pool in found.values():
        pool.start()
    yield found
    for pool in found.values():
        pool.close()


def run(pool, data, spec=SPEC, *, max_lanes=None):
    storage = open_storage("memory://")
    create(storage, spec)
    coordinator = Coordinator(storage, pool, options=Options(max_lanes=max_lanes))
    study = coordinator.run(Job(name="small", spec=spec, data=data))
    return storage, study


def bits(storage):
    return [
        (t.number, t.state, t.reason, t.value.hex(), t.stderr.hex(), t.best_epoch)
        for t in storage.trials("small")
    ]


def alone(pool, task, lane):
    """The validation values of one lane, trained in a cohort of its own."""
    single = replace(task, id=1000 + lane.repeat * 10 + lane.fold, lanes=(lane,))
    pool.submit(single)
    values = []
    while True:
        for report in pool.poll(1.0):
            if isinstance(report, EpochResult):
                values += report.values
            elif isinstance(report, CohortDone):
                return values


def test_values_and_stderrs_depend_neither_on_workers_nor_on_the_cut(pools, data):
    one, first = run(pools[1], data, max_lanes=15)
    two, second = run(pools[2], data, max_lanes=1000)

    assert first.state is second.state is StudyState.COMPLETED
    assert bits(one) == bits(two)
    assert first.test == second.test
    assert one.model("small").data == two.model("small").data


def test_a_value_is_the_mean_of_networks_trained_one_by_one(pools, data):
    storage, _ = run(pools[2], data)
    best = storage.best_trials("small")[0]
    maker = TaskMaker(spec=SPEC, info=data.info, metric="log_loss", direction=Direction.MINIMIZE)
    trial = Resolver(SPEC, data.info).resolve(best.number, best.params)
    # Each for all its epochs: when the trial stopped is decided on the mean.
    endless = replace(trial.lane, patience=1000)
    task = maker.task(1, 1, (trial,))
    pools[1].put_data(task.data, data.scaled["standardize"].training)

    curves = np.array(
        [
            alone(pools[1], task, LaneTask(number=0, repeat=repeat, fold=fold, settings=endless))
            for repeat in range(3)
            for fold in range(5)
        ]
    )

    mean = curves.mean(axis=0)[: best.epochs]
    at = int(mean.argmin())
    assert best.best_epoch == at + 1
    assert best.value == pytest.approx(mean[at], rel=1e-15)
    assert best.stderr == pytest.approx(curves[:, at].std(ddof=1) / np.sqrt(15), rel=1e-12)


def test_the_model_is_a_network_for_each_repeat_trained_on_all_other_rows(pools, data):
    storage, study = run(pools[2], data)

    model = from_bytes(storage.model("small").data)
    assert [(lane.repeat, lane.fold) for lane in model.lanes] == [(0, 0), (1, 0), (2, 0)]
    assert set(study.test) == {"number", "log_loss", "accuracy", "f1", "stderr", "scored"}
    assert set(study.test["stderr"]) == {"log_loss", "accuracy", "f1"}
    # Trained with the scaling of all 120 rows, so its predictions are those that were scored.
    test = data.refit["standardize"].test[0]
    per_lane = [(predict(replace(model, lanes=(lane,)), [test.x]) == test.y).mean() for lane in model.lanes]
    assert study.test["accuracy"] == pytest.approx(np.mean(per_lane), rel=1e-12)
    assert study.test["stderr"]["accuracy"] == pytest.approx(np.std(per_lane, ddof=1) / np.sqrt(3), rel=1e-9)


def test_a_refit_that_diverges_leaves_a_reason_and_no_score(pools):
    """Rows too large to train on were validation rows; their outputs are wrong, but of some class."""
    spec = replace(
        spec_of(trials=2, epochs=2, space=space_of(batch_size=6, optimizer="sgd"), metric="accuracy"),
        refit=True,
    )
    made = data_of()
    known = made.refit["standardize"]
    ((rows, nothing),) = known.training.folds
    huge = replace(rows, x=rows.x * np.float32(1e30))
    refit = replace(known, training=replace(known.training, folds=((huge, nothing),)))

    storage, study = run(pools[1], replace(made, refit={"standardize": refit}), spec)

    assert (study.state, study.test) == (StudyState.COMPLETED, None)
    assert study.reason == (
        "the best trial's model could not be trained anew on all 24 rows but the test rows: it ended diverged@1"
    )
    assert storage.model("small") is None


def test_repeats_without_folds_are_scored_by_the_weights_that_were_kept(pools):
    spec = replace(SPEC, data=DataSpec(source="iris", split=SplitSpec(validation=0.2, test=0.2, seed=0)))
    plain = prepare(spec.data, scalings=[None], folder=Path(), seed=0)

    storage, study = run(pools[2], plain, spec)
    again, same = run(pools[1], plain, spec, max_lanes=3)

    model = from_bytes(storage.model("small").data)
    assert [(lane.repeat, lane.fold) for lane in model.lanes] == [(0, 0), (1, 0), (2, 0)]
    assert study.test["stderr"]["accuracy"] >= 0
    assert (study.test, bits(storage)) == (same.test, bits(again))
