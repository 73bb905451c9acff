"""A finished trial is trained once more to the same weights, or refused with the reason."""

from dataclasses import replace
from pathlib import Path

import pytest

from hpo.coordinator.loop import Coordinator, Job, Options
from hpo.coordinator.retraining import retrain
from hpo.data.prepare import prepare
from hpo.errors import DataChanged, NotRepeatable, TrialNotFound
from hpo.models import from_bytes
from hpo.space import Choice
from hpo.states import TrialState
from hpo.storage.open import open_storage
from hpo.study import DataSpec, EarlyStopping, PrunerSpec, SplitSpec
from hpo.testing.simulated_pool import Fault, SimulatedPool
from hpo.testing.small_jobs import LEARNING_RATE, create, space_of, spec_of
from hpo.workers.local_pool import LocalPool

SPACE = space_of(
    {
        "learning_rate": LEARNING_RATE,
        "optimizer": Choice(choices=("momentum", "adam")),
        "scaling": Choice(choices=("standardize", "pca")),
    },
    hidden_units=13,
    hidden_layers=1,
    dropout=0.2,
    batch_size=16,
)
PLAIN = replace(
    spec_of(trials=8, epochs=6, space=SPACE, repeats=2, early_stopping=EarlyStopping(patience=2)),
    data=DataSpec(source="iris", split=SplitSpec(validation=0.2, test=0.2, seed=0)),
)
SPECS = {
    "plain": PLAIN,
    "halving": replace(PLAIN, pruner=PrunerSpec(name="halving", min_epochs=2, factor=2, bracket=8)),
    "population": replace(
        PLAIN,
        early_stopping=None,
        epochs=8,
        parameters=space_of(
            {"learning_rate": LEARNING_RATE}, hidden_units=13, hidden_layers=1, batch_size=16
        ),
        pruner=PrunerSpec(
            name="population",
            bracket=8,
            min_epochs=2,
            options={"quantile": 0.3, "perturb": [0.5, 2.0], "resample": 0.2},
        ),
    ),
}


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    pool = LocalPool(n_workers=1, device="cpu", scratch=tmp_path_factory.mktemp("scratch"))
    pool.start()
    yield pool
    pool.close()


def finished(pool, spec):
    """A study of that file that has been run: its storage, its job."""
    data = prepare(spec.data, scalings=["standardize", "pca"], folder=Path(), seed=0)
    storage = open_storage("memory://")
    create(storage, spec, data={"sha256": data.info.sha256})
    job = Job(name="small", spec=spec, data=data)
    Coordinator(storage, pool, options=Options()).run(job)
    return storage, job


@pytest.mark.parametrize("kind", SPECS)
def test_the_kept_model_comes_out_again_to_the_bit(pool, kind):
    storage, job = finished(pool, SPECS[kind])
    kept = storage.model("small")

    again = retrain(storage, pool, job, kept.number)

    assert again == replace(kept, meta={})
    scaling = from_bytes(kept.data).shared.scaling
    assert from_bytes(again.data).preprocessing == job.data.scaled[scaling].preprocessing


@pytest.mark.parametrize("kind", SPECS)
def test_any_trial_that_has_a_value_is_trained_to_that_value(pool, kind):
    storage, job = finished(pool, SPECS[kind])

    found = {t.number: retrain(storage, pool, job, t.number).value for t in storage.trials("small")}

    assert found == {t.number: t.value for t in storage.trials("small")}
    states = {t.state for t in storage.trials("small")}
    assert (TrialState.PRUNED in states) == (kind == "halving")


def test_with_folds_the_networks_are_those_of_all_rows_but_the_test_rows(pool):
    spec = replace(PLAIN, data=DataSpec(source="iris", split=SplitSpec(folds=3, test=0.2, seed=0)))
    storage, job = finished(pool, spec)
    kept = storage.model("small")

    again = retrain(storage, pool, job, kept.number)

    assert again == replace(kept, meta={})
    assert [(lane.repeat, lane.fold) for lane in from_bytes(again.data).lanes] == [(0, 0), (1, 0)]
    scaling = from_bytes(kept.data).shared.scaling
    assert from_bytes(again.data).preprocessing == job.data.refit[scaling].preprocessing


def test_another_result_than_the_stored_one_is_refused_and_nothing_is_kept(pool):
    storage, job = finished(pool, PLAIN)
    other = replace(job, spec=replace(job.spec, seed=1))

    with pytest.raises(NotRepeatable, match=r"trial 3 of study 'small' came out as .* not as"):
        retrain(storage, pool, other, 3)


@pytest.mark.parametrize(("device", "precision", "off"), [("cuda:0", "exact", 5e-4), ("cpu", "fast", 5e-4)])
def test_where_bits_are_not_promised_the_value_may_be_a_little_off(pool, device, precision, off):
    storage, job = finished(pool, PLAIN)

    def trained(slot_device, study_precision, shift):
        changed = Changed(storage, 3, shift, study_precision)
        return retrain(changed, Renamed(pool, slot_device), job, 3)

    assert trained(device, precision, off).number == 3
    with pytest.raises(NotRepeatable, match="came out as"):
        trained(device, precision, 5e-3)
    with pytest.raises(NotRepeatable, match="came out as"):
        trained("cpu", "exact", 1e-12)


class Changed:
    """A storage in which one trial has another value, and its study was trained in some precision."""

    def __init__(self, storage, number, shift, precision):
        self._storage, self._number, self._shift, self._precision = storage, number, shift, precision

    def __getattr__(self, name):
        return getattr(self._storage, name)

    def get_study(self, name):
        return replace(self._storage.get_study(name), versions={"precision": self._precision})

    def get_trial(self, name, number):
        trial = self._storage.get_trial(name, number)
        return trial._replace(value=trial.value * (1 + self._shift))


class Renamed:
    """A pool whose slots say that they are of another device."""

    def __init__(self, pool, device):
        self._pool, self._device = pool, device

    def __getattr__(self, name):
        return getattr(self._pool, name)

    def slots(self):
        return [replace(slot, device=self._device) for slot in self._pool.slots()]


def test_other_data_are_refused_before_anything_is_trained(pool):
    storage, job = finished(pool, PLAIN)
    info = replace(job.data.info, sha256="f" * 64)

    with pytest.raises(DataChanged, match="not the data study 'small' began with"):
        retrain(storage, pool, replace(job, data=replace(job.data, info=info)), 0)
    with pytest.raises(TrialNotFound):
        retrain(storage, pool, job, 99)


def test_a_lost_worker_is_replaced_and_one_that_fails_gives_the_reason(pool):
    storage, job = finished(pool, PLAIN)
    lossy = SimulatedPool(n_slots=1, faults=[Fault(submission=n) for n in range(3)])
    failing = SimulatedPool(n_slots=1, faults=[Fault(submission=0, reason="error")])

    with pytest.raises(NotRepeatable, match="trial 0 of study 'small' could not be trained again"):
        retrain(storage, lossy, job, 0)
    with pytest.raises(NotRepeatable, match="could not be trained again: simulated error"):
        retrain(storage, failing, job, 0)

    assert (len(lossy.submitted), len(failing.submitted)) == (3, 1)


def test_whoever_waits_may_give_up(pool):
    storage, job = finished(pool, PLAIN)
    calls = iter(range(2))

    def heed():
        if next(calls, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retrain(storage, pool, job, 0, heed=heed)

    assert retrain(storage, pool, job, 0).number == 0  # the slot is free again
