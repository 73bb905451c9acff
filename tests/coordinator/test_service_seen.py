"""What others see of a serving coordinator, and what they change while it runs."""

from dataclasses import replace

from hpo.errors import PoolError
from hpo.states import StudyState, Wanted
from hpo.storage.base import Amendment
from hpo.storage.open import open_storage
from hpo.testing.coordinating import QUICK, job_of, serving_coordinator, submit, wait_until
from hpo.testing.served_studies import Gate, alone, bits, file_of
from hpo.testing.simulated_pool import Fault, SimulatedPool


def test_data_that_no_study_needs_any_more_leave_the_pool():
    storage, gate = open_storage("memory://"), Gate(n_slots=1)
    pool = gate.pool

    with serving_coordinator(storage, pool) as serving:
        submit(storage, file_of("a", seed=1))
        submit(storage, file_of("b", seed=1))
        submit(storage, file_of("c", seed=2))
        wait_until(lambda: len(serving.service._pool._shares) == 3, "all are driven")
        wait_until(
            lambda: all(s.waiting or pool.submitted for s in serving.service._pool._shares.values()), "begun"
        )
        held = len(pool.data)
        gate.open.set()
        serving.ended("a", "b", "c")
        wait_until(lambda: not pool.data, "no data are left")

    assert held > 0


def test_a_pool_that_dies_ends_the_coordinator_and_leaves_the_studies_to_the_next():
    storage = open_storage("memory://")
    text = file_of("wine")
    submit(storage, text)

    with serving_coordinator(storage, SimulatedPool(faults=[Fault(submission=1, reason="pool")])) as first:
        wait_until(lambda: not first.thread.is_alive(), "the coordinator has ended")
    left = storage.get_study("wine")
    with serving_coordinator(storage, SimulatedPool()) as second:
        second.ended("wine")

    assert isinstance(first.error, PoolError)
    assert left.state is StudyState.QUEUED
    assert bits(storage, "wine") == alone(text)[0]


def test_a_coordinator_says_what_its_slots_do_and_how_fast_studies_go():
    storage, gate = open_storage("memory://"), Gate(n_slots=3)

    with serving_coordinator(storage, gate.pool) as serving:
        submit(storage, file_of("wine", repeats=2, trials=600, kind="random"))
        gate.polled.wait(30.0)
        wait_until(lambda: any(s["study"] for b in storage.coordinators() for s in b.slots), "slots work")
        wait_until(lambda: storage.get_study("wine").live.get("n_busy", 0) > 0, "the study is live")
        [beat] = storage.coordinators()
        live = storage.get_study("wine").live
        gate.open.set()
        storage.want("wine", Wanted.CANCEL)
        serving.ended("wine")

    assert (beat.pool, len(beat.slots)) == ("simulated", 3)
    assert {slot["id"] for slot in beat.slots} == {"slot-0", "slot-1", "slot-2"}
    assert {slot["device"] for slot in beat.slots} == {"cpu"}
    assert {slot["study"] for slot in beat.slots} <= {"wine", None}
    assert all(slot["lanes"] > 0 for slot in beat.slots if slot["study"])
    assert set(live) == {"trials_per_s", "model_steps_per_s", "seconds_left", "n_slots", "n_busy", "n_lanes"}
    assert live["n_slots"] == 3
    assert live["n_lanes"] >= 2 * live["n_busy"]
    assert storage.coordinators() == []
    assert storage.get_study("wine").live == {}


def test_limits_that_are_changed_are_obeyed_while_the_study_runs():
    storage, pool = open_storage("memory://"), SimulatedPool(n_slots=2)
    submit(storage, file_of("wine", trials=10_000_000, epochs=2))

    with serving_coordinator(storage, pool) as serving:
        serving.finished("wine", 1)
        storage.amend_study("wine", Amendment(limits={"wall_time": "1s"}))
        [study] = serving.ended("wine")

    assert study.state is StudyState.COMPLETED
    assert study.reason == "limits.wall_time 1s is over"
    assert study.n_planned < 10_000_000


def test_limits_that_are_changed_while_the_data_are_prepared_are_obeyed():
    storage, pool = open_storage("memory://"), SimulatedPool(n_slots=2)

    def slowly(storage, study):
        job = job_of(storage, study)
        storage.amend_study("wine", Amendment(limits={"wall_time": "1s"}))
        return job

    with serving_coordinator(storage, pool, replace(QUICK, load=slowly)) as serving:
        submit(storage, file_of("wine", trials=10_000_000, epochs=2))
        [study] = serving.ended("wine")

    assert study.reason == "limits.wall_time 1s is over"


def test_a_priority_that_is_changed_counts_at_once():
    storage, gate = open_storage("memory://"), Gate(n_slots=1)
    submit(storage, file_of("wine", trials=100_000, epochs=2))

    with serving_coordinator(storage, gate.pool) as serving:
        wait_until(lambda: bool(serving.service._pool._shares), "it is driven")
        [share] = serving.service._pool._shares.values()
        before = share.weight
        storage.amend_study("wine", Amendment(priority=3))
        wait_until(lambda: share.weight == 8.0, "it weighs eight times as much")
        gate.open.set()
        storage.want("wine", Wanted.CANCEL)
        serving.ended("wine")

    assert before == 1.0
