"""What every Storage must do for searches: the queue, several objectives, constraints, lineages, notes."""

# ruff: noqa: D102 - the name of a test is its sentence

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hpo.cohort import CohortPlan
from hpo.errors import IllegalMove, SpecError, StudyNotFound
from hpo.space import Params
from hpo.states import StudyState, TrialState
from hpo.storage.base import Claim, Origins, Storage
from hpo.study import MAX_TRIALS, Direction, ObjectiveSpec
from hpo.testing.studies import (
    SPACE,
    begun,
    complete,
    driver,
    finished,
    new_study,
    numbers,
    plans,
)
from hpo.trial import Inheritance, TrialPlan, TrialResult

SMALL: Params = {"learning_rate": 0.1 + 0.2, "hidden_units": 16}
LARGE: Params = {"hidden_units": 256, "optimizer": "adam"}
BOTH = (
    ObjectiveSpec(metric="accuracy", direction=Direction.MAXIMIZE),
    ObjectiveSpec(metric="n_parameters", direction=Direction.MINIMIZE),
)


def pair(number: int, *values: float, **changes: object) -> TrialResult:
    """A trial that ended well, with a value for each objective."""
    return TrialResult(number=number, state=TrialState.COMPLETE, values=values, epochs=5, **changes)  # type: ignore[arg-type]


class QueueContract:
    """Settings that wait for a number, and what is noted of where trials come from."""

    def test_settings_wait_in_order_and_raise_the_total(self, storage: Storage) -> None:
        storage.create_study(new_study())

        first = storage.enqueue("wine", [(SMALL, None), (LARGE, 3)])
        second = storage.enqueue("wine", [({"optimizer": "größer"}, None)])

        assert (first.n_trials, second.n_trials) == (10, 11)
        assert (first.n_queued, second.n_queued) == (2, 3)
        assert first.state is StudyState.QUEUED
        waiting = storage.queue("wine")
        assert [entry.params for entry in waiting] == [SMALL, LARGE, {"optimizer": "größer"}]
        assert [entry.retry_of for entry in waiting] == [None, 3, None]
        assert sorted({entry.id for entry in waiting}) == [entry.id for entry in waiting]

    def test_a_new_study_may_bring_settings_that_its_total_counts(self, storage: Storage) -> None:
        storage.create_study(new_study("other", enqueue=(LARGE,)))
        made = storage.create_study(new_study(enqueue=(SMALL, LARGE)))

        assert made.n_trials == 8
        assert [entry.params for entry in storage.queue("wine")] == [SMALL, LARGE]

    def test_planning_takes_settings_off_the_queue_or_changes_nothing(self, storage: Storage) -> None:
        storage.create_study(new_study(enqueue=(SMALL, LARGE)))
        claim = storage.claim_study("wine", driver())
        one, two = storage.queue("wine")
        taken = TrialPlan(number=0, params=one.params, queued=one.id, epochs=3)
        own = TrialPlan(number=1, params=LARGE)
        unknown = TrialPlan(number=1, params=LARGE, queued=two.id + 100)

        for wrong in ([taken, unknown], [taken, TrialPlan(number=1, params=SMALL, queued=one.id)]):
            with pytest.raises(ValueError, match="not in the queue"):
                storage.plan_trials(claim, SPACE, wrong, [CohortPlan(numbers=(0, 1))])
        assert storage.queue("wine") == [one, two]
        assert storage.trials("wine") == []
        storage.plan_trials(claim, SPACE, [taken, own], [CohortPlan(numbers=(0, 1))])

        assert storage.queue("wine") == [two]
        assert [(t.sampled, t.budget) for t in storage.trials("wine")] == [(False, 3), (True, None)]

    def test_an_entry_of_another_study_is_not_taken(self, storage: Storage) -> None:
        storage.create_study(new_study("other", enqueue=(SMALL,)))
        storage.create_study(new_study())
        [foreign] = storage.queue("other")

        with pytest.raises(ValueError, match="not in the queue"):
            self._plan(storage, storage.claim_study("wine", driver()), foreign.id)

        assert storage.queue("other") == [foreign]

    def test_the_id_of_an_entry_is_never_used_again(self, storage: Storage) -> None:
        storage.create_study(new_study(enqueue=(SMALL,)))
        [first] = storage.queue("wine")
        self._plan(storage, storage.claim_study("wine", driver()), first.id)

        storage.enqueue("wine", [(SMALL, None)])

        [second] = storage.queue("wine")
        assert second.id > first.id

    def test_of_two_retries_of_a_trial_at_the_same_moment_one_is_refused(self, storage: Storage) -> None:
        storage.create_study(new_study())
        together = threading.Barrier(2)

        def retry(_: int) -> bool:
            together.wait()
            try:
                storage.enqueue("wine", [(LARGE, 2), (SMALL, None), (SMALL, 0)])
            except IllegalMove:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(retry, range(2)))

        assert sorted(done) == [False, True]
        assert [entry.retry_of for entry in storage.queue("wine")] == [2, None, 0]
        assert storage.get_study("wine").n_trials == 11

    def test_a_trial_whose_retry_has_its_number_is_not_retried_again(self, storage: Storage) -> None:
        storage.create_study(new_study())
        storage.enqueue("wine", [(SMALL, 7)])
        [entry] = storage.queue("wine")
        plan = TrialPlan(number=0, params=SMALL, queued=entry.id, retry_of=7)
        storage.plan_trials(storage.claim_study("wine", driver()), SPACE, [plan], [CohortPlan(numbers=(0,))])

        with pytest.raises(IllegalMove, match="trials 7 were retried already"):
            storage.enqueue("wine", [(LARGE, 6), (SMALL, 7)])

        assert storage.queue("wine") == []
        storage.create_study(new_study("other"))
        assert storage.enqueue("other", [(SMALL, 7)]).n_queued == 1

    def test_where_trials_come_from_is_counted_without_their_study_mates(self, storage: Storage) -> None:
        finished(storage, [0.5], name="other")
        storage.create_study(new_study(enqueue=(SMALL, LARGE)))
        before = storage.origins("wine")
        claim = storage.claim_study("wine", driver())
        taken = [
            TrialPlan(number=n, params=entry.params, queued=entry.id, retry_of=n or None)
            for n, entry in enumerate(storage.queue("wine"))
        ]
        drawn = [TrialPlan(number=2, params=LARGE), TrialPlan(number=3, params=SMALL, retry_of=0)]
        [cohort] = storage.plan_trials(claim, SPACE, taken + drawn, [CohortPlan(numbers=(0, 1, 2, 3))])
        started = storage.start_cohort(claim, cohort.id)
        step = Inheritance(epoch=2, source=0, params=LARGE)
        results = [complete(0, 0.5), complete(2, 0.7, lineage=(step, step))]
        storage.finish_trials(claim, cohort.id, started.attempt, results)

        assert before == Origins(n_enqueued=0, n_inherited=0, retries={})
        assert storage.origins("wine") == Origins(n_enqueued=2, n_inherited=1, retries={0: 3, 1: 1})
        with pytest.raises(StudyNotFound):
            storage.origins("nobody")

    def _plan(self, storage: Storage, claim: Claim, entry: int) -> None:
        plan = TrialPlan(number=0, params=SMALL, queued=entry)
        storage.plan_trials(claim, SPACE, [plan], [CohortPlan(numbers=(0,))])

    @pytest.mark.parametrize("state", [StudyState.COMPLETED, StudyState.FAILED])
    def test_a_study_that_has_ended_waits_again_for_a_driver(
        self, storage: Storage, state: StudyState
    ) -> None:
        storage.release(finished(storage, [0.5]), state, reason="enough")

        again = storage.enqueue("wine", [(SMALL, None)])

        assert (again.state, again.reason, again.finished_at, again.n_trials) == (
            StudyState.QUEUED,
            None,
            None,
            9,
        )

    @pytest.mark.parametrize("state", [StudyState.RUNNING, StudyState.PAUSED])
    def test_a_study_that_goes_on_keeps_its_state(self, storage: Storage, state: StudyState) -> None:
        claim, _ = begun(storage)
        if state is StudyState.PAUSED:
            storage.release(claim, state)

        assert storage.enqueue("wine", [(SMALL, None)]).state is state

    def test_a_cancelled_or_stopping_study_takes_no_settings(self, storage: Storage) -> None:
        claim, _ = begun(storage)
        storage.move_claimed(claim, StudyState.STOPPING)
        with pytest.raises(IllegalMove, match="stopping"):
            storage.enqueue("wine", [(SMALL, None)])
        storage.release(claim, StudyState.CANCELLED)
        with pytest.raises(IllegalMove, match="for good"):
            storage.enqueue("wine", [(SMALL, None)])

        assert storage.queue("wine") == []
        assert storage.get_study("wine").n_trials == 8

    def test_there_is_an_end_of_trials(self, storage: Storage) -> None:
        storage.create_study(new_study(n_trials=MAX_TRIALS))

        with pytest.raises(SpecError, match="10,000,000"):
            storage.enqueue("wine", [(SMALL, None)])

    def test_nothing_enqueued_changes_nothing(self, storage: Storage) -> None:
        storage.release(finished(storage, [0.5]), StudyState.COMPLETED)

        assert storage.enqueue("wine", []).state is StudyState.COMPLETED

    def test_a_removed_study_leaves_no_queue_behind(self, storage: Storage) -> None:
        storage.create_study(new_study(enqueue=(SMALL,)))

        storage.delete_study("wine")

        storage.create_study(new_study())
        assert storage.queue("wine") == []

    def test_the_samplers_notes_stand_with_the_study(self, storage: Storage) -> None:
        claim, _ = begun(storage)
        assert storage.get_study("wine").notes == {}
        notes = {"rounds": [{"box": {"learning_rate": [1e-4, 0.1]}, "why": "größer"}]}

        storage.set_notes(claim, {"rounds": []})
        storage.set_notes(claim, notes)

        assert storage.get_study("wine").notes == notes

    def test_a_lineage_reads_back_as_written(self, storage: Storage) -> None:
        claim, cohort = begun(storage)
        lineage = (
            Inheritance(epoch=2, source=3, params={"learning_rate": 0.1 + 0.2}),
            Inheritance(epoch=4, source=1, params={"learning_rate": 0.02, "optimizer": "sgd"}),
        )

        storage.finish_trials(
            claim, cohort.id, cohort.attempt, [complete(0, 0.5, lineage=lineage), complete(1, 0.5)]
        )

        assert [trial.lineage for trial in storage.trials("wine")][:3] == [lineage, (), ()]


class FrontContract:
    """Several objectives and constraints: which trials are the best."""

    def test_objectives_read_back_and_the_first_stands_for_the_study(self, storage: Storage) -> None:
        made = storage.create_study(new_study(objectives=BOTH))

        assert made.objectives == BOTH
        assert (made.metric, made.direction) == ("accuracy", Direction.MAXIMIZE)
        assert storage.create_study(new_study("one")).objectives == ()

    def test_values_read_back_in_the_order_of_the_objectives(self, storage: Storage) -> None:
        claim, cohort = begun(storage, objectives=BOTH)

        storage.finish_trials(claim, cohort.id, cohort.attempt, [pair(0, 0.1 + 0.2, 1e6)])

        trial = storage.get_trial("wine", 0)
        assert (trial.value, trial.values) == (None, (0.1 + 0.2, 1e6))
        assert trial.state is TrialState.COMPLETE
        assert storage.get_trial("wine", 1).values == ()

    def test_the_front_is_what_nothing_beats_by_the_first_objective(self, storage: Storage) -> None:
        claim, cohort = begun(storage, 8, objectives=BOTH)
        pruned = TrialResult(number=5, state=TrialState.PRUNED, values=(0.99, 1), reason="halving@3")
        points = [(0.7, 100), (0.9, 400), (0.8, 400), (0.9, 500), (0.7, 100)]
        results = [pair(number, *values) for number, values in enumerate(points)]

        storage.finish_trials(
            claim, cohort.id, cohort.attempt, [*results, pruned, pair(6, math.inf, 1), pair(7, math.nan, 1)]
        )

        assert numbers(storage.pareto("wine")) == [1, 0, 4]
        assert numbers(storage.best_trials("wine", 2)) == [1, 0]
        assert storage.get_trial("wine", 7).state is TrialState.FAIL
        assert storage.get_trial("wine", 7).values == ()

    def test_with_one_objective_the_front_is_all_that_share_the_best(self, storage: Storage) -> None:
        storage.create_study(new_study("empty"))
        finished(storage, [0.9, 0.5, 0.9, 0.1])

        assert numbers(storage.pareto("wine")) == [0, 2]
        assert storage.pareto("empty") == []

    def test_a_trial_that_breaks_a_constraint_is_never_the_best(self, storage: Storage) -> None:
        claim, cohort = begun(storage)
        results = [complete(0, 0.9, feasible=False), complete(1, 0.5), complete(2, 0.9, feasible=False)]

        storage.finish_trials(claim, cohort.id, cohort.attempt, results)

        assert [trial.feasible for trial in storage.trials("wine")] == [False, True, False, True]
        assert numbers(storage.best_trials("wine", 9)) == [1]
        assert numbers(storage.pareto("wine")) == [1]

    def test_nor_does_it_stand_on_the_front(self, storage: Storage) -> None:
        claim, cohort = begun(storage, objectives=BOTH)
        results = [pair(0, 0.9, 1, feasible=False), pair(1, 0.5, 2), pair(2, 0.4, 1)]

        storage.finish_trials(claim, cohort.id, cohort.attempt, results)

        assert numbers(storage.pareto("wine")) == [1, 2]

    def test_curves_are_read_for_many_trials_at_once(self, storage: Storage) -> None:
        claim, _ = begun(storage)
        storage.plan_trials(claim, SPACE, plans(4, 1), [CohortPlan(numbers=(4,))])

        assert storage.curves("wine", range(5_000)) == {}
