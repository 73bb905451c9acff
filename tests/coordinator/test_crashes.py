"""The coordinator dies, freezes or meets another one: every trial is there once, none is lost."""

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from hpo.errors import LeaseLost, StorageFull, StorageUnavailable, StudyOwned
from hpo.service.processes import is_alive, this_process
from hpo.space import Range
from hpo.states import StudyState, TrialState, Wanted
from hpo.storage.base import Storage
from hpo.storage.open import open_storage
from hpo.study import Direction, ObjectiveSpec
from hpo.testing.small_jobs import space_of, spec_of

WRITES = (
    "claim_study",
    "plan_trials",
    "start_cohort",
    "record_epochs",
    "finish_trials",
    "save_model",
    "save_checkpoint",
    "release",
)


class Killed(BaseException):
    """The process is gone: nothing catches this."""


class Deadly:
    """A storage whose caller dies before or after its n-th write (from 0)."""

    def __init__(self, storage: Storage, nth: int | None, *, after: bool) -> None:
        self._storage = storage
        self._nth = nth
        self._after = after
        self.n_writes = 0

    def __getattr__(self, name):
        method = getattr(self._storage, name)
        if name not in WRITES:
            return method

        def write(*args, **kwargs):
            now = self.n_writes == self._nth
            self.n_writes += 1
            if now and not self._after:
                raise Killed
            answer = method(*args, **kwargs)
            if now:
                raise Killed
            return answer

        return write


class Mute:
    """A storage that loses its n-th answer to a kind of write: the database went away after the commit."""

    def __init__(self, storage: Storage, nth: int, write: str = "finish_trials") -> None:
        self._storage, self._left, self._write = storage, nth, write

    def __getattr__(self, name):
        found = getattr(self._storage, name)
        if name != self._write:
            return found

        def loses(*args, **kwargs):
            answer = found(*args, **kwargs)
            self._left -= 1
            if self._left == -1:
                raise StorageUnavailable("the connection was closed")
            return answer

        return loses


SPEC = spec_of(trials=30, epochs=2)
# A third of these are refused before they train.
CONSTRAINED = spec_of(trials=30, epochs=2, constraints={"learning_rate": "<= 0.05"})
SEVERAL = replace(
    spec_of(trials=30, epochs=2),
    objectives=(
        ObjectiveSpec(metric="log_loss", direction=Direction.MINIMIZE),
        ObjectiveSpec(metric="accuracy", direction=Direction.MAXIMIZE),
    ),
)


def n_writes(make_world, spec=SPEC) -> int:
    world = make_world(spec)
    counter = Deadly(world.storage, None, after=False)
    world.run(storage=counter, max_lanes=5)
    return counter.n_writes


@pytest.mark.parametrize("spec", [SPEC, CONSTRAINED, SEVERAL], ids=["all", "constrained", "several"])
@pytest.mark.parametrize("after", [False, True])
def test_death_at_any_write_loses_nothing_and_repeats_nothing_that_was_finished(make_world, after, spec):
    undisturbed = make_world(spec)
    expected = undisturbed.run()
    total = n_writes(make_world, spec)
    assert total > 15

    for nth in range(total):
        world = make_world(spec)
        with pytest.raises(Killed):
            world.run(storage=Deadly(world.storage, nth, after=after), max_lanes=5)
        left = world.storage.get_study("small")
        finished = {t.number: t.finished_at for t in world.trials() if t.state.finished}
        trained_before = len(world.trained())
        study = left if left.state is StudyState.COMPLETED else world.run(max_lanes=5, dead=left.driver)

        assert study.state is StudyState.COMPLETED, nth
        assert world.bits() == undisturbed.bits(), nth
        assert {t.number: t.finished_at for t in world.trials() if t.number in finished} == finished, nth
        assert not set(finished) & set(world.trained()[trained_before:]), nth
        assert study.test == expected.test, nth  # and scored once


def test_a_model_is_never_lost_between_two_writes(make_world):
    for nth in range(n_writes(make_world)):
        world = make_world(SPEC)
        with pytest.raises(Killed):
            world.run(storage=Deadly(world.storage, nth, after=True), max_lanes=5)

        best = world.storage.best_trials("small")
        model = world.storage.model("small")

        assert not best or model.value <= best[0].value


def test_a_living_coordinator_keeps_its_study(make_world):
    world = make_world(spec_of(trials=40))
    errors = []

    def second():
        if world.n_finished and not errors:
            with pytest.raises(StudyOwned) as caught:
                world.storage.claim_study("small", this_process())
            errors.append(caught.value)

    study = world.run(max_lanes=5, each_poll=second)

    assert study.state is StudyState.COMPLETED
    assert "process" in errors[0].detail


def test_a_coordinator_whose_study_was_taken_over_writes_nothing_more(make_world):
    world = make_world(spec_of(trials=40))
    taken = []

    def take_over():
        if world.n_finished and not taken:
            frozen = world.storage.get_study("small").driver
            taken.append(world.storage.claim_study("small", this_process(), dead=frozen))
            taken.append(world.bits())

    with pytest.raises(LeaseLost):
        world.run(max_lanes=5, each_poll=take_over)

    study = world.storage.get_study("small")
    assert world.bits() == taken[1]
    assert (study.state, study.driver) == (StudyState.RUNNING, taken[0].driver)
    world.pools[0].poll(0.0)
    assert not any(slot.task for slot in world.pools[0].slots())


class Troubled:
    """A storage that cannot be used for some of its writes (from 0)."""

    def __init__(self, storage, trouble, error):
        self._storage = storage
        self._trouble = trouble
        self._error = error
        self.n_writes = 0

    def __getattr__(self, name):
        method = getattr(self._storage, name)
        if name not in (*WRITES[1:], "renew"):
            return method

        def write(*args, **kwargs):
            self.n_writes += 1
            if self.n_writes - 1 in self._trouble:
                raise self._error
            return method(*args, **kwargs)

        return write


def test_a_database_that_is_locked_for_a_moment_costs_a_moment(make_world):
    world, undisturbed = make_world(SPEC), make_world(SPEC)
    troubled = Troubled(world.storage, {3, 4, 9}, StorageUnavailable("the database is locked"))

    study = world.run(storage=troubled, max_lanes=5)
    undisturbed.run()

    assert study.state is StudyState.COMPLETED
    assert world.bits() == undisturbed.bits()


@pytest.mark.parametrize("error", [StorageUnavailable("the database is locked"), StorageFull()])
def test_a_database_that_stays_away_leaves_a_study_that_can_be_resumed(make_world, error):
    world, undisturbed = make_world(SPEC), make_world(SPEC)
    undisturbed.run()

    with pytest.raises(type(error)) as caught:
        world.run(storage=Troubled(world.storage, range(9, 10**6), error), max_lanes=5)
    left = world.storage.get_study("small")
    study = world.run(dead=left.driver)

    assert caught.value is error
    assert left.state is StudyState.RUNNING  # not even that could be written
    assert study.state is StudyState.COMPLETED
    assert world.bits() == undisturbed.bits()


CHILD = """
import sys
from hpo.coordinator.loop import Coordinator, Job, Options
from hpo.service.processes import is_alive
from hpo.storage.open import open_storage
from hpo.study import Direction, ObjectiveSpec
from hpo.testing.simulated_pool import SimulatedPool
from hpo.testing.small_jobs import data_of, spec_of

def step():
    print("epoch", flush=True)
    sys.stdin.readline()

url, trials = sys.argv[1], int(sys.argv[2])
storage = open_storage(url)
driver = storage.get_study("small").driver
dead = driver if driver is not None and is_alive(driver) is False else None
job = Job(name="small", spec=spec_of(trials=trials, epochs=20), data=data_of())
study = Coordinator(storage, SimulatedPool(each_poll=step), options=Options(max_lanes=10, renew_s=0.1)).run(job, dead=dead)
print(study.state, flush=True)
"""


def run_child(url: str, *, trials: int, epochs: int | None = None, after_one=lambda: None) -> str:
    """Run the study in another process, step by step; kill it in the middle of the work after so many epochs."""
    last = ""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, url, str(trials)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        for n, last in enumerate(child.stdout, start=1):  # noqa: B007
            child.stdin.write("\n")
            child.stdin.flush()
            if n == 1:
                after_one()
            if n == epochs:
                child.kill()
                break
        child.stdin.close()
    return last.strip()


def test_a_coordinator_killed_and_resumed_three_times_finishes_every_trial_once(make_world, tmp_path: Path):
    spec = spec_of(trials=200, epochs=20)
    undisturbed = make_world(spec)
    undisturbed.run()
    url = f"sqlite:///{tmp_path / 'hpo.db'}"
    world = make_world(spec, url=url)
    finished: dict[int, object] = {}

    for epochs in (5, 50, 71, None):
        last = run_child(url, trials=200, epochs=epochs)
        now = {t.number: t.finished_at for t in world.trials() if t.state.finished}
        assert {n: now[n] for n in finished} == finished
        assert len(now) == 200 or epochs is not None
        finished = now

    assert last == StudyState.COMPLETED
    assert world.bits() == undisturbed.bits()
    assert Counter(t.state for t in world.trials()) == {TrialState.COMPLETE: 200}
    study = world.storage.get_study("small")
    assert study.test["number"] == undisturbed.storage.get_study("small").test["number"]


def test_a_wish_from_another_process_is_obeyed(make_world, tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'hpo.db'}"
    world = make_world(spec_of(trials=5000, epochs=20), url=url)

    last = run_child(url, trials=5000, after_one=lambda: open_storage(url).want("small", Wanted.PAUSE))

    study = world.storage.get_study("small")
    assert last == study.state == StudyState.PAUSED
    assert study.driver is None
    assert is_alive(this_process())


@pytest.mark.parametrize("write", ["plan_trials", "start_cohort"])
def test_an_answer_that_is_lost_before_trials_are_trained_makes_none_of_them_twice(make_world, write):
    spec = replace(CONSTRAINED, trials=80)
    undisturbed, world = make_world(spec), make_world(spec)
    undisturbed.run(max_lanes=8)

    study = world.run(storage=Mute(world.storage, 0, write), max_lanes=8)

    assert study.state is StudyState.COMPLETED
    assert world.bits() == undisturbed.bits()


def test_a_study_has_ended_well_though_the_answer_was_lost(make_world):
    world = make_world(SPEC)

    study = world.run(storage=Mute(world.storage, 0, "release"), max_lanes=8)

    assert (study.state, study.test["scored"]) == (StudyState.COMPLETED, 1)


def test_a_study_goes_on_stopping_though_the_answer_was_lost(make_world):
    world = make_world(spec_of(trials=400, epochs=5))

    study = world.run(
        storage=Mute(world.storage, 0, "move_claimed"),
        max_lanes=8,
        each_poll=lambda: world.n_finished and world.coordinator.ask(Wanted.STOP),
    )

    assert study.state is StudyState.COMPLETED
    assert study.n_planned < 400


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_an_answer_that_is_lost_to_a_write_that_was_carried_out_loses_no_trial(
    make_world, monkeypatch, sampler
):
    monkeypatch.setattr("hpo.coordinator.flight.WRITE_EVERY_S", 0.0)  # results are written while others train
    # Some of these diverge, long before the rest of their cohort ends.
    space = space_of({"learning_rate": Range(low=1.0, high=100.0, log=True, type="float")})
    spec = spec_of(trials=80, epochs=4, space=space, sampler=sampler)
    undisturbed = make_world(spec)
    undisturbed.run(max_lanes=8)

    for nth in range(12):
        world = make_world(spec)
        world.run(storage=Mute(world.storage, nth), max_lanes=8)

        assert world.bits() == undisturbed.bits()
        assert world.seen[-1].counts == undisturbed.seen[-1].counts
