"""Lost workers, full memory, dead pools; pause, stop, cancel: what happens to trials and study."""

from collections import Counter
from dataclasses import replace

import optuna
import optuna_dashboard
import pytest

from hpo.cohort import CohortFailed, CohortTask, ScoreTask
from hpo.coordinator.loop import Coordinator, Options
from hpo.errors import PoolError
from hpo.space import Range
from hpo.states import StudyState, TrialState, Wanted
from hpo.storage.base import StoredModel
from hpo.study import PrunerSpec
from hpo.testing.simulated_pool import Fault, SimulatedPool
from hpo.testing.small_jobs import space_of, spec_of


@pytest.fixture
def undisturbed(make_world):
    """The trials of the same study when nothing happens."""

    def bits(spec):
        world = make_world(spec)
        world.run()
        return world.bits()

    return bits


def ask_after(world, wanted: Wanted, n_finished: int):
    """Ask the coordinator as a signal handler would, once so many trials have ended."""

    def look():
        if world.n_finished >= n_finished:
            world.coordinator.ask(wanted)

    return look


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_lost_worker_costs_time_but_no_result(make_world, undisturbed, epoch):
    spec = spec_of(trials=40)
    world = make_world(spec)

    study = world.run(
        max_lanes=10, faults=[Fault(submission=1, epoch=epoch), Fault(submission=3, epoch=epoch)]
    )

    assert study.state is StudyState.COMPLETED
    assert world.bits() == undisturbed(spec)
    assert any("lost" in (progress.message or "") for progress in world.seen)


def test_what_a_lost_worker_says_later_is_void(make_world, undisturbed):
    spec = spec_of(trials=40)
    world = make_world(spec)

    world.run(max_lanes=10, faults=[Fault(submission=0, epoch=2, late=True)])

    assert world.bits() == undisturbed(spec)


@pytest.mark.parametrize(
    "pruner", [PrunerSpec(), PrunerSpec(name="halving", min_epochs=3, factor=2, bracket=8)]
)
def test_a_trial_that_kills_its_workers_ends_alone_and_the_others_finish(make_world, undisturbed, pruner):
    spec = replace(spec_of(trials=32), pruner=pruner)
    world = make_world(spec)

    study = world.run(workers=1, max_lanes=32, deadly=[21])

    guilty = world.trials()[21]
    assert study.state is StudyState.COMPLETED
    assert (guilty.state, guilty.reason) == (TrialState.FAIL, "lost")
    times = Counter(world.trained())
    assert times[21] == 3 + 4 + 3  # whole, in halves of 16, 8, 4 and 2, and alone
    assert sum(times.values()) < 3 * 32 + 2 * 32 + 3


def test_a_trial_that_kills_its_workers_changes_no_other(make_world, undisturbed):
    world = make_world(spec_of(trials=32))

    world.run(workers=2, max_lanes=16, deadly=[5, 30])

    others = [bits for bits in world.bits() if bits[0] not in (5, 30)]
    assert others == [bits for bits in undisturbed(spec_of(trials=32)) if bits[0] not in (5, 30)]
    assert [t.reason for t in world.trials(TrialState.FAIL)] == ["lost", "lost"]


def test_an_error_fails_the_cohort_and_spares_the_others(make_world):
    world = make_world(spec_of(trials=20))

    study = world.run(max_lanes=5, faults=[Fault(submission=1, reason="error")])

    failed = world.trials(TrialState.FAIL)
    assert study.state is StudyState.COMPLETED
    assert {t.reason for t in failed} == {"error"}
    assert len(failed) == 5


@pytest.mark.parametrize("most_lanes", [1, 3, 7])
def test_cohorts_that_do_not_fit_are_halved_until_they_do(make_world, undisturbed, most_lanes):
    spec = spec_of(trials=40)
    world = make_world(spec)

    study = world.run(most_lanes=most_lanes)

    assert study.state is StudyState.COMPLETED
    assert world.bits() == undisturbed(spec)


def test_a_trial_that_fits_nowhere_ends_fail_out_of_memory(make_world):
    world = make_world(spec_of(trials=4, repeats=3))

    study = world.run(most_lanes=2)

    assert study.reason == "not one trial is complete: 4 out_of_memory"


@pytest.mark.parametrize("n_finished", [0, 1, 30])
def test_a_paused_study_goes_on_as_if_it_had_never_stopped(make_world, undisturbed, n_finished):
    spec = spec_of(trials=70)
    world = make_world(spec)

    paused = world.run(max_lanes=5, each_poll=ask_after(world, Wanted.PAUSE, n_finished))
    finished = {t.number: t.finished_at for t in world.trials() if t.state.finished}
    world.storage.move_study("small", StudyState.QUEUED)
    done_before = set(finished)
    trained_before = len(world.trained())
    study = world.run(max_lanes=64)

    assert (paused.state, paused.driver) == (StudyState.PAUSED, None)
    assert not any(slot.task for slot in world.pools[0].slots())
    assert study.state is StudyState.COMPLETED
    assert world.bits() == undisturbed(spec)
    assert not done_before & set(world.trained()[trained_before:])
    assert {t.number: t.finished_at for t in world.trials() if t.number in finished} == finished


def test_stop_starts_nothing_more_finishes_what_runs_and_scores_the_best(make_world):
    world = make_world(spec_of(trials=400, epochs=5))
    begun = []

    def stop():
        if world.n_finished and not begun:
            begun.extend(world.pools[0].submitted)
            world.coordinator.ask(Wanted.STOP)

    study = world.run(max_lanes=8, each_poll=stop)

    by_state = Counter(t.reason or t.state for t in world.trials())
    *trained, score = world.pools[0].submitted
    assert trained == begun
    assert isinstance(score, ScoreTask)
    assert study.state is StudyState.COMPLETED
    assert {t.number for t in world.trials(TrialState.COMPLETE)} == {
        n for task in begun for n in task.numbers
    }
    assert set(by_state) <= {TrialState.COMPLETE, "cancelled"}
    assert study.n_planned < 400
    assert study.test["number"] == world.storage.best_trials("small")[0].number


def test_cancel_ends_what_runs_and_leaves_what_is_finished(make_world):
    world = make_world(spec_of(trials=400, epochs=5))

    study = world.run(max_lanes=8, each_poll=ask_after(world, Wanted.CANCEL, 1))

    states = Counter((t.state, t.reason) for t in world.trials())
    assert study.state is StudyState.CANCELLED
    assert study.test is None
    assert states[TrialState.COMPLETE, None] > 0
    assert set(states) == {(TrialState.COMPLETE, None), (TrialState.FAIL, "cancelled")}
    assert not any(isinstance(task, ScoreTask) for task in world.pools[0].submitted)


@pytest.mark.parametrize("wanted", [Wanted.PAUSE, Wanted.CANCEL])
def test_the_dashboard_has_a_note_of_a_study_that_was_interrupted(make_world, sqlite, wanted):
    world = make_world(replace(spec_of(trials=400, epochs=5), description="How fast?"), url=sqlite)

    world.run(max_lanes=8, each_poll=ask_after(world, wanted, 1))

    note = optuna_dashboard.get_note(optuna.load_study(study_name="small", storage=sqlite))
    assert note.startswith("How fast?\n\n**Diagnosis**")


@pytest.mark.parametrize(
    ("wanted", "state"),
    [
        (Wanted.PAUSE, StudyState.PAUSED),
        (Wanted.STOP, StudyState.COMPLETED),
        (Wanted.CANCEL, StudyState.CANCELLED),
    ],
)
def test_a_wish_left_in_the_storage_is_obeyed(make_world, wanted, state):
    world = make_world(spec_of(trials=400))

    def watch():
        if world.n_finished and not world.storage.get_study("small").wanted:
            world.storage.want("small", wanted)

    study = world.run(max_lanes=8, each_poll=watch)

    assert (study.state, study.wanted) == (state, Wanted.NOTHING)
    assert study.n_finished < 400


def test_a_pause_that_is_taken_back_while_workers_are_called_in_leaves_the_study_to_go_on(
    make_world, undisturbed
):
    spec = spec_of(trials=70)
    world = make_world(spec)
    said = []

    def watch():
        if world.n_finished and len(said) < 2:  # the second time it has been heard, and workers are called in
            said.append(Wanted.NOTHING if said else Wanted.PAUSE)
            world.storage.want("small", said[-1])

    left = world.run(max_lanes=8, each_poll=watch, serving=True)
    study = world.run(max_lanes=8, serving=True)

    assert (left.state, left.driver) == (StudyState.QUEUED, None)
    assert left.n_finished < 70
    assert study.state is StudyState.COMPLETED
    assert world.bits() == undisturbed(spec)


def test_pausing_a_study_that_stops_changes_nothing(make_world):
    world = make_world(spec_of(trials=400))

    def watch():
        study = world.storage.get_study("small")
        if study.n_finished:
            world.coordinator.ask(Wanted.PAUSE if study.state is StudyState.STOPPING else Wanted.STOP)

    study = world.run(max_lanes=8, each_poll=watch)

    assert study.state is StudyState.COMPLETED


def test_a_dead_pool_leaves_a_study_that_can_be_resumed(make_world, undisturbed):
    spec = spec_of(trials=40)
    world = make_world(spec)

    with pytest.raises(PoolError, match="cannot be started"):
        world.run(max_lanes=5, faults=[Fault(submission=3, epoch=2, reason="pool")])
    left = world.storage.get_study("small")
    world.storage.move_study("small", StudyState.QUEUED)
    world.run()

    assert (left.state, left.driver) == (StudyState.PAUSED, None)
    assert "cannot be started" in left.reason
    assert world.bits() == undisturbed(spec)


class Dying(SimulatedPool):
    """A pool whose head has gone once three trials were reported as ended. said: the numbers of these"""

    def __init__(self):
        super().__init__(n_slots=1)
        self.said = set()

    def poll(self, timeout_s):
        if len(self.said) >= 3:
            raise PoolError("its head has gone")
        reports = super().poll(timeout_s)
        self.said |= {r.number for report in reports for r in getattr(report, "ended", ())}
        return reports


def test_what_a_dying_pool_has_reported_of_cohorts_that_run_is_stored(make_world, undisturbed):
    rates = Range(low=1e-3, high=40.0, log=True, type="float")  # the largest diverge in their first epoch
    spec = spec_of(trials=32, epochs=30, space=space_of({"learning_rate": rates}))
    world, pool = make_world(spec), Dying()

    with pytest.raises(PoolError, match="its head has gone"):
        Coordinator(world.storage, pool).run(world.job)
    stored = {trial.number for trial in world.trials() if trial.state.finished}
    world.storage.move_study("small", StudyState.QUEUED)
    world.run()

    assert stored == pool.said
    assert world.bits() == undisturbed(spec)


def test_a_pool_that_dies_while_a_study_is_paused_does_not_keep_it_from_pausing(make_world, undisturbed):
    spec = spec_of(trials=40)
    world = make_world(spec)
    asked = []

    def ask_then_die():
        if asked:
            raise PoolError("gone")
        if world.n_finished:
            asked.append(Wanted.PAUSE)
            world.coordinator.ask(Wanted.PAUSE)

    study = world.run(max_lanes=5, each_poll=ask_then_die)
    world.storage.move_study("small", StudyState.QUEUED)
    world.run()

    assert study.state is StudyState.PAUSED
    assert world.bits() == undisturbed(spec)


@pytest.mark.parametrize("gone", [True, False])
def test_the_best_trials_model_is_trained_again_when_there_is_none_or_another_ones(make_world, gone):
    world = make_world(spec_of(trials=20))
    world.run()
    best = world.storage.best_trials("small")[0]
    other = None if gone else StoredModel(number=best.number + 1, value=0.0, data=b"another trial's")
    world.storage.move_study("small", StudyState.QUEUED)

    class Forgetful:
        """The storage with the wrong model until one is saved."""

        def __init__(self):
            self.saved = False

        def model(self, name, number=None):
            if self.saved:
                return world.storage.model(name, number)
            return other if other is not None and number in (None, other.number) else None

        def save_model(self, claim, model):
            self.saved = True
            world.storage.save_model(claim, model)

        def __getattr__(self, name):
            return getattr(world.storage, name)

    study = world.run(storage=Forgetful())

    again, score = world.pools[1].submitted
    assert isinstance(again, CohortTask)
    assert again.numbers == (best.number,)
    assert isinstance(score, ScoreTask)
    assert (study.test["number"], study.test["log_loss"]) == (best.number, best.value)
    assert len(world.trials()) == 20


@pytest.mark.parametrize("reason", ["lost", "error"])
def test_a_scoring_that_fails_is_told_and_the_study_completes(make_world, reason):
    class NoScores(SimulatedPool):
        """A pool whose workers die of scoring."""

        def poll(self, timeout_s):
            failed = [
                CohortFailed(cohort=t.id, attempt=0, reason=reason, detail="it broke") for t in self._scores
            ]
            self._scores.clear()
            return failed or super().poll(timeout_s)

    world = make_world(spec_of(trials=5))
    world_pool = NoScores(n_slots=1)

    study = Coordinator(world.storage, world_pool, options=Options(poll_s=0.0, renew_s=0.0)).run(world.job)

    assert (study.state, study.test) == (StudyState.COMPLETED, None)
    assert study.reason == "the test rows could not be scored: it broke"
    assert sum(isinstance(task, ScoreTask) for task in world_pool.submitted) == (3 if reason == "lost" else 1)
