"""The end of a study with folds or `refit`: one network per repeat trained anew on all other rows, then scored."""

from dataclasses import replace

import pytest

from hpo.cohort import CohortTask, ScoreTask
from hpo.states import StudyState, Wanted
from hpo.study import DataSpec, SplitSpec
from hpo.testing.simulated_pool import Fault
from hpo.testing.small_jobs import data_of, spec_of
from hpo.training import NEVER

SPLIT = SplitSpec(folds=5, test=0.2, seed=0)


def cross_validated(**rest):
    spec = spec_of(trials=10, epochs=4, **rest)
    return replace(spec, data=DataSpec(source="made-up", target="y", split=SPLIT))


def by_kind(pool):
    """(training tasks of the search, the refit's, the scoring)."""
    cohorts = [task for task in pool.submitted if isinstance(task, CohortTask)]
    scores = [task for task in pool.submitted if isinstance(task, ScoreTask)]
    return [t for t in cohorts if t.until is None], [t for t in cohorts if t.until is not None], scores


def test_with_folds_the_best_trial_is_trained_on_all_other_rows_for_its_best_number_of_epochs(make_world):
    data = data_of(folds=5)
    world = make_world(cross_validated(repeats=3), data=data)

    study = world.run()

    pool = world.pools[0]
    searched, [refit], [scored] = by_kind(pool)
    best = world.storage.best_trials("small")[0]
    assert all(len(task.lanes) == 15 * len(task.numbers) for task in searched)
    assert [(lane.number, lane.repeat, lane.fold) for lane in refit.lanes] == [
        (best.number, repeat, 0) for repeat in range(3)
    ]
    assert refit.until == best.best_epoch
    assert pool.data[refit.data] is data.refit["standardize"].training
    assert all(pool.data[task.data] is data.scaled["standardize"].training for task in searched)
    assert scored.test is data.refit["standardize"].test[0]
    model = world.storage.model("small")
    assert (model.number, model.value) == (best.number, best.value)
    assert study.test["number"] == best.number


@pytest.mark.parametrize("folds", [1, 5])
def test_no_weights_of_the_search_are_kept_when_the_model_is_trained_anew(make_world, folds):
    spec = cross_validated() if folds > 1 else spec_of(trials=10, epochs=4, refit=True)
    world = make_world(spec, data=data_of(folds=folds))
    kept = []

    def look():
        if not by_kind(world.pools[0])[1]:
            kept.append(world.storage.model("small"))

    world.run(each_poll=look)

    assert len(by_kind(world.pools[0])[1]) == 1
    assert kept
    assert set(kept) == {None}
    assert world.storage.model("small") is not None


def test_without_folds_and_refit_nothing_is_trained_anew(make_world):
    world = make_world(spec_of(trials=10, epochs=4, repeats=3))

    world.run()

    assert by_kind(world.pools[0])[1] == []


def test_the_schedule_of_a_refit_is_the_trials_own(make_world):
    world = make_world(cross_validated(), data=data_of(folds=5))

    world.run()

    searched, [refit], _ = by_kind(world.pools[0])
    [lane] = refit.lanes
    same = [other.settings for task in searched for other in task.lanes if other.number == lane.number]
    assert lane.settings == same[0]
    assert lane.settings.patience == NEVER


def test_without_test_rows_the_model_is_trained_but_not_scored(make_world):
    world = make_world(cross_validated(), data=data_of(folds=5, test=False))

    study = world.run()

    assert (study.state, study.test, study.reason) == (StudyState.COMPLETED, None, None)
    assert world.storage.model("small") is not None


def test_a_refit_whose_worker_is_lost_is_done_again(make_world):
    world = make_world(cross_validated(), data=data_of(folds=5))
    world.run()
    n_cohorts = len(by_kind(world.pools[0])[0])

    again = make_world(cross_validated(), data=data_of(folds=5))
    study = again.run(faults=[Fault(submission=n_cohorts)])

    assert len(by_kind(again.pools[0])[1]) == 2
    assert study.test == world.storage.get_study("small").test


def test_a_refit_that_fails_leaves_its_reason_and_no_score(make_world):
    world = make_world(cross_validated(), data=data_of(folds=5))
    world.run()
    n_cohorts = len(by_kind(world.pools[0])[0])

    again = make_world(cross_validated(), data=data_of(folds=5))
    study = again.run(faults=[Fault(submission=n_cohorts, reason="error")])

    assert (study.state, study.test) == (StudyState.COMPLETED, None)
    assert "could not be trained anew on all 24 rows but the test rows: simulated error" in study.reason
    assert again.storage.model("small") is None


def test_a_study_paused_during_its_refit_is_resumed_there(make_world):
    world = make_world(cross_validated(), data=data_of(folds=5))

    def pause():
        if by_kind(world.pools[0])[1]:
            world.coordinator.ask(Wanted.PAUSE)

    paused = world.run(each_poll=pause)
    assert (paused.state, paused.n_finished, paused.test) == (StudyState.PAUSED, 10, None)

    world.storage.move_study("small", StudyState.QUEUED)
    study = world.run()

    searched, refit, scores = by_kind(world.pools[1])
    assert study.state is StudyState.COMPLETED
    assert (len(searched), len(refit), len(scores)) == (0, 1, 1)
    assert study.test["scored"] == 1
