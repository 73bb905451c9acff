"""Many studies on one pool: each as if it were alone, none in another's way, all left well."""

from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from hpo.service.processes import this_process
from hpo.states import StudyState, TrialState, Wanted
from hpo.storage.base import LEASE_S, CoordinatorBeat
from hpo.storage.open import open_storage
from hpo.study import NewStudy
from hpo.testing.coordinating import QUICK, serving_coordinator, submit, wait_until
from hpo.testing.served_studies import KINDS, Gate, alone, bits, file_of, n_waiting
from hpo.testing.simulated_pool import Fault, SimulatedPool


class Clock:
    """Time that a test moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize("n_slots", [1, 3])
def test_many_studies_at_once_come_to_what_each_comes_to_alone(n_slots):
    storage, pool = open_storage("memory://"), SimulatedPool(n_slots=n_slots)
    files = {
        f"{kind}-{seed}": file_of(f"{kind}-{seed}", kind=kind, seed=seed) for kind in KINDS for seed in (0, 1)
    }

    with serving_coordinator(storage, pool) as serving:
        for text in files.values():
            submit(storage, text)
        studies = serving.ended(*files)

    assert {study.state for study in studies} == {StudyState.COMPLETED}
    for study in studies:
        assert (bits(storage, study.name), study.test) == alone(files[study.name])


def test_lost_workers_of_a_shared_pool_cost_time_but_no_result():
    faults = [Fault(submission=n, epoch=2, late=n % 2 == 0) for n in (0, 1, 4, 7, 11)]
    storage, pool = open_storage("memory://"), SimulatedPool(n_slots=2, faults=faults)
    files = {name: file_of(name, seed=seed) for seed, name in enumerate(("a", "b", "c"))}

    with serving_coordinator(storage, pool) as serving:
        for text in files.values():
            submit(storage, text)
        serving.ended(*files)

    for name, text in files.items():
        assert bits(storage, name) == alone(text)[0]


def test_a_short_study_does_not_wait_for_a_long_one_to_end():
    storage, pool = open_storage("memory://"), SimulatedPool(n_slots=1)
    submit(storage, file_of("long", trials=1_000_000, epochs=10))

    with serving_coordinator(storage, pool) as serving:
        serving.finished("long", 1)
        submit(storage, file_of("short", trials=5))
        serving.ended("short")
        during = storage.get_study("long")
        storage.want("long", Wanted.CANCEL)
        serving.ended("long")

    assert during.state is StudyState.RUNNING
    assert 0 < during.n_finished < 1_000_000


def turns(cohorts):
    """How many of them each of four studies had, by its seed."""
    return [sum(cohort.seed == seed for cohort in cohorts) for seed in range(4)]


def test_owners_have_equal_shares_whatever_they_submit():
    names, served = ["ann-0", "ann-1", "ann-2", "bob"], []

    def wait_for_all():  # the real ones, too, are hungry again long before a cohort has ended
        if served and len({task.seed for task in pool.submitted}) == 4 and len(pool.submitted) < 400:
            wait_until(lambda: n_waiting(served[0]) == 4, "all are hungry")

    storage, pool = open_storage("memory://"), SimulatedPool(n_slots=4, each_poll=wait_for_all)

    with serving_coordinator(storage, pool) as serving:
        for seed, name in enumerate(names):
            submit(storage, file_of(name, seed=seed, trials=30_000, epochs=1), owner=name.split("-")[0])
        served.append(serving)
        wait_until(lambda: len(pool.submitted) >= 400, "400 cohorts have begun")
        # How long a simulated cohort takes is chance, and with it who is behind; but nobody starves.
        wait_until(lambda: min(turns(pool.submitted[200:])) >= 10, "each has had its turns")
        for name in names:
            storage.want(name, Wanted.CANCEL)
        serving.ended(*names)

    assert turns(pool.submitted[200:400])[3] == pytest.approx(100, abs=10)


def test_a_study_whose_data_cannot_be_had_fails_with_the_sentence_and_harms_nobody():
    storage = open_storage("memory://")
    bad = submit(storage, file_of("bad"))
    changed = {**bad.data, "sha256": "0" * 64}
    storage.create_study(
        NewStudy(
            name="changed",
            direction=bad.direction,
            metric=bad.metric,
            n_trials=5,
            spec={**bad.spec, "name": "changed"},
            data=changed,
            served=True,
        )
    )

    with serving_coordinator(storage, SimulatedPool()) as serving:
        good, failed = serving.ended("bad", "changed")

    assert good.state is StudyState.COMPLETED
    assert failed.state is StudyState.FAILED
    assert "is not the data study 'changed' began with" in failed.reason


class Faulty:
    """A storage with a fault of ours, in what it does for one study."""

    def __init__(self, storage, name):
        self._storage, self._name, self.n_faults = storage, name, 0

    def plan_trials(self, claim, *rest):
        if claim.name == self._name:
            self.n_faults += 1
            raise KeyError("a fault")
        return self._storage.plan_trials(claim, *rest)

    def __getattr__(self, name):
        return getattr(self._storage, name)


def test_a_fault_of_ours_in_one_study_is_tried_twice_then_said_and_harms_no_other():
    storage = open_storage("memory://")
    faulty = Faulty(storage, "faulty")
    submit(storage, file_of("faulty"))
    submit(storage, file_of("good"))

    with serving_coordinator(faulty, SimulatedPool()) as serving:
        failed, good = serving.ended("faulty", "good")

    assert good.state is StudyState.COMPLETED
    assert failed.state is StudyState.FAILED
    assert "a fault of hpo's ended it 2 times" in failed.reason
    assert faulty.n_faults == 2


def test_a_coordinator_that_is_stopped_leaves_its_studies_to_the_next():
    storage, gate = open_storage("memory://"), Gate(n_slots=2, tasks=20)
    text = file_of("wine", trials=600, limits="{parallel: 4}")
    submit(storage, text)
    with serving_coordinator(storage, gate.pool) as first:
        first.finished("wine", 10)
        first.stop.set()
        gate.open.set()
        first.leave()
        left = storage.get_study("wine")

    with serving_coordinator(storage, SimulatedPool(n_slots=3)) as second:
        [study] = second.ended("wine")

    assert (left.state, left.driver, left.reason) == (StudyState.QUEUED, None, None)
    assert left.n_finished < 600
    assert storage.coordinators() == []
    assert (bits(storage, "wine"), study.test) == alone(text)


def test_a_stopping_study_is_ended_by_the_next_coordinator():
    storage, gate = open_storage("memory://"), Gate(n_slots=2)
    submit(storage, file_of("wine", trials=600))
    with serving_coordinator(storage, gate.pool) as first:
        gate.polled.wait(30.0)
        storage.want("wine", Wanted.STOP)
        first.in_state("wine", StudyState.STOPPING)
        first.stop.set()
        gate.open.set()
        first.leave()
        left = storage.get_study("wine")
    begun = [t.number for t in storage.unfinished("wine")]

    with serving_coordinator(storage, SimulatedPool()) as second:
        [study] = second.ended("wine")

    complete = [t.number for t in storage.trials("wine") if t.state is TrialState.COMPLETE]
    assert left.state in (StudyState.STOPPING, StudyState.COMPLETED)
    assert study.state is StudyState.COMPLETED
    assert complete
    assert len(complete) < 600
    assert set(complete) <= set(begun) | set(complete)


def test_studies_of_a_driver_that_died_on_this_host_go_on_at_once():
    storage = open_storage("memory://")
    text = file_of("wine")
    submit(storage, text)
    dead = replace(this_process(), pid=free_pid(), token="dead")
    storage.claim_study("wine", dead)

    with serving_coordinator(storage, SimulatedPool()) as serving:
        wait_until(lambda: storage.get_study("wine").n_finished > 0, "it goes on", LEASE_S / 2)
        [study] = serving.ended("wine")

    assert study.state is StudyState.COMPLETED
    assert bits(storage, "wine") == alone(text)[0]


def free_pid():
    return next(pid for pid in range(30_000, 60_000) if not psutil.pid_exists(pid))


def test_a_coordinator_that_is_not_the_only_one_says_so_once(caplog):
    storage = open_storage("memory://")

    def beat(**who):
        driver = replace(this_process(), **who)
        storage.beat(CoordinatorBeat(driver=driver, version="1", pool="local", slots=()))

    beat(host="elsewhere", pid=17, token="lives")
    beat(pid=free_pid(), token="was killed a moment ago")
    with serving_coordinator(storage, SimulatedPool()) as serving:
        submit(storage, file_of("wine"))
        serving.ended("wine")

    said = [r.getMessage() for r in caplog.records if "serves this database already" in r.getMessage()]
    assert said == [
        "another coordinator serves this database already (process 17 on elsewhere): each takes studies that "
        "wait, this one all of them when the other ends"
    ]


def test_a_coordinator_that_is_the_only_one_says_nothing(caplog):
    storage = open_storage("memory://")

    with serving_coordinator(storage, SimulatedPool()) as serving:
        submit(storage, file_of("wine"))
        serving.ended("wine")

    assert not [record for record in caplog.records if record.name == "hpo.coordinator.service"]


def test_two_coordinators_share_the_studies_of_a_database_and_each_is_run_once(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'hpo.db'}"
    pools = SimulatedPool(n_slots=2), SimulatedPool(n_slots=1)
    names = [f"study-{n}" for n in range(8)]
    few = replace(QUICK, most_studies=2)
    with (
        serving_coordinator(open_storage(url), pools[0], few) as first,
        serving_coordinator(open_storage(url), pools[1], few),
    ):
        for seed, name in enumerate(names):
            submit(first.storage, file_of(name, seed=seed, trials=40))
        first.ended(*names)

    storage = open_storage(url)
    trained = [task for pool in pools for task in pool.submitted]
    assert all(pool.submitted for pool in pools)
    for seed, name in enumerate(names):
        numbers = [n for task in trained if getattr(task, "seed", None) == seed for n in task.numbers]
        assert sorted(numbers) == list(range(40))
        assert bits(storage, name) == alone(file_of(name, seed=seed, trials=40))[0]


@pytest.mark.parametrize("ending", ["stop", "wall_time"])
def test_what_waits_for_its_turn_does_not_begin_once_a_study_is_stopping(ending):
    storage, pool, clock = open_storage("memory://"), SimulatedPool(n_slots=1), Clock()
    options = replace(QUICK, driving=replace(QUICK.driving, clock=clock))

    with serving_coordinator(storage, pool, options) as serving:
        submit(storage, file_of("long", trials=1, epochs=100_000))
        wait_until(lambda: bool(pool.submitted), "it has the slot")
        submit(storage, file_of("wine", seed=1, limits="{wall_time: 10m}"))
        wait_until(lambda: n_waiting(serving) == 1, "the other waits for it")
        if ending == "stop":
            storage.want("wine", Wanted.STOP)
        else:
            clock.now += 600.0
        [study] = serving.ended("wine")
        during = storage.get_study("long")
        storage.want("long", Wanted.CANCEL)
        serving.ended("long")

    assert study.state is StudyState.COMPLETED
    assert study.reason == (None if ending == "stop" else "limits.wall_time 10m is over")
    assert (during.state, during.n_finished) == (StudyState.RUNNING, 0)
    assert {(t.state, t.reason) for t in storage.trials("wine")} == {(TrialState.FAIL, "cancelled")}
    assert {task.seed for task in pool.submitted} == {0}


def test_studies_of_terminals_and_external_trainers_are_left_alone():
    storage = open_storage("memory://")
    served = submit(storage, file_of("served"))
    storage.create_study(
        NewStudy(
            name="terminal",
            direction=served.direction,
            metric=served.metric,
            n_trials=5,
            spec={**served.spec, "name": "terminal"},
            data=served.data,
        )
    )

    with serving_coordinator(storage, SimulatedPool()) as serving:
        serving.ended("served")

    assert storage.get_study("terminal").state is StudyState.QUEUED


def test_a_study_in_many_threads_heeds_wishes_and_what_is_enqueued_later():
    storage = open_storage("memory://")
    submit(storage, file_of("wine", trials=5))

    with serving_coordinator(storage, SimulatedPool()) as serving:
        serving.ended("wine")
        storage.enqueue("wine", [({"learning_rate": 0.01, "l2": 1e-3}, None)], served=True)
        serving.finished("wine", 6)
        [study] = serving.ended("wine")

    assert study.state is StudyState.COMPLETED
    assert study.test["scored"] == 2
