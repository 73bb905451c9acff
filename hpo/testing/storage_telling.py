"""What every Storage must do with what is reported and told of trials that are trained elsewhere."""

# ruff: noqa: D102 - the name of a test is its sentence

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from hpo.errors import IllegalMove, LeaseLost, TrialNotFound
from hpo.states import StudyState, TrialState
from hpo.storage.base import Storage
from hpo.storage.base_external import Terms, Told
from hpo.study import Direction, ObjectiveSpec
from hpo.testing.storage_external import LAPSING, TERMS, ask, complete, outside
from hpo.testing.studies import counted, numbers


@dataclass(frozen=True)
class Threshold:
    """Judges at every epoch: a trial loses when some rival is better."""

    name: str = "threshold"
    only_complete: bool = False

    def rung(self, number: int, last: int, epoch: int) -> int | None:
        return epoch

    def loses(self, number: int, best: float, rivals: Mapping[int, float]) -> bool:
        return any(value > best for value in rivals.values())


class ReportingContract:
    """What is said of a trial while it trains."""

    def test_reports_make_the_curve_and_the_value_of_a_trial_that_tells_none(self, storage: Storage) -> None:
        outside(storage)
        ask(storage)
        for epoch, value in ((1, 0.25), (2, 0.75), (4, 0.5)):
            assert not storage.report_epoch("wine", 0, "one", epoch, value, TERMS)
        assert storage.get_trial("wine", 0).epochs == 4

        trial = storage.tell_trial("wine", 0, Told(state=TrialState.COMPLETE), TERMS)

        assert (trial.value, trial.best_epoch, trial.epochs, trial.place) == (0.75, 2, 4, 1)
        curve = storage.curve("wine", 0)
        assert curve is not None
        assert curve.columns == ("accuracy",)
        assert [value if value == value else None for value in curve.block] == [0.25, 0.75, None, 0.5]

    def test_the_same_report_again_gives_the_same_answer(self, storage: Storage) -> None:
        outside(storage)
        judged = Terms(judge=Threshold())
        ask(storage, count=2, terms=judged)
        assert not storage.report_epoch("wine", 0, "one", 1, 0.5, judged)
        assert storage.report_epoch("wine", 1, "one", 1, 0.4, judged)

        assert not storage.report_epoch("wine", 0, "one", 1, 0.5, judged)
        assert storage.report_epoch("wine", 1, "one", 1, 0.4, judged)
        with pytest.raises(IllegalMove, match="reported 0"):
            storage.report_epoch("wine", 0, "one", 1, 0.6, judged)

    def test_epochs_are_reported_in_order(self, storage: Storage) -> None:
        outside(storage)
        ask(storage)
        storage.report_epoch("wine", 0, "one", 3, 0.5, TERMS)

        with pytest.raises(IllegalMove, match="in order"):
            storage.report_epoch("wine", 0, "one", 2, 0.5, TERMS)

    def test_a_judge_sees_the_best_so_far_of_others_at_the_rung(self, storage: Storage) -> None:
        outside(storage)
        judged = Terms(judge=Threshold())
        ask(storage, count=2, terms=judged)
        storage.report_epoch("wine", 0, "one", 1, 0.9, judged)
        storage.report_epoch("wine", 0, "one", 2, 0.1, judged)
        storage.report_epoch("wine", 1, "one", 1, 0.95, judged)

        assert not storage.report_epoch("wine", 1, "one", 2, 0.5, judged)

    def test_only_complete_trials_are_compared_with_where_the_judge_says_so(self, storage: Storage) -> None:
        outside(storage)
        judged = Terms(judge=Threshold(only_complete=True))
        ask(storage, count=3, terms=judged)
        storage.report_epoch("wine", 0, "one", 1, 0.9, judged)
        assert not storage.report_epoch("wine", 1, "one", 1, 0.1, judged)

        storage.tell_trial("wine", 0, complete(0.9), judged)

        assert storage.report_epoch("wine", 2, "one", 1, 0.1, judged)

    def test_a_pruned_trial_says_by_whom_and_when_and_keeps_its_best(self, storage: Storage) -> None:
        outside(storage)
        judged = Terms(judge=Threshold())
        ask(storage, count=2, terms=judged)
        storage.report_epoch("wine", 0, "one", 1, 0.9, judged)
        storage.report_epoch("wine", 1, "one", 1, 0.4, judged)
        storage.report_epoch("wine", 1, "one", 2, 0.3, judged)

        trial = storage.tell_trial("wine", 1, Told(state=TrialState.PRUNED, reason="threshold"), judged)

        assert (trial.state, trial.value, trial.reason) == (TrialState.PRUNED, 0.4, "threshold@1")

    def test_reports_and_heartbeats_renew_the_lease(self, storage: Storage) -> None:
        outside(storage)
        for renew in (
            lambda: storage.renew_lease("wine", 0, "one", TERMS),
            lambda: storage.report_epoch("wine", 0, "one", 1, 0.5, TERMS),
            lambda: storage.renew_lease("wine", 0, None, TERMS),
        ):
            ask(storage, "one", 1, LAPSING)
            storage.renew_lease("wine", 0, "one", LAPSING)
            assert storage.look("wine", "two", 1).lapsed == 1

            renew()

            assert storage.look("wine", "two", 1).lapsed == 0

    def test_who_has_lost_a_trial_is_told_so(self, storage: Storage) -> None:
        outside(storage)
        ask(storage, "one", 1, LAPSING)
        ask(storage, "two", 1)

        with pytest.raises(LeaseLost, match="'two' has the trial"):
            storage.renew_lease("wine", 0, "one", TERMS)
        with pytest.raises(LeaseLost):
            storage.report_epoch("wine", 0, "one", 1, 0.5, TERMS)
        assert storage.look("wine", "three", 1).lapsed == 0

    def test_nothing_is_reported_of_trials_that_have_ended_or_are_not_there(self, storage: Storage) -> None:
        outside(storage)
        ask(storage)
        storage.tell_trial("wine", 0, complete(0.5), TERMS)

        with pytest.raises(IllegalMove, match="COMPLETE"):
            storage.report_epoch("wine", 0, "one", 1, 0.5, TERMS)
        with pytest.raises(IllegalMove, match="COMPLETE"):
            storage.renew_lease("wine", 0, "one", TERMS)
        for number in (1, 9):
            with pytest.raises(TrialNotFound):
                storage.report_epoch("wine", number, "one", 1, 0.5, TERMS)
            with pytest.raises(TrialNotFound):
                storage.tell_trial("wine", number, complete(0.5), TERMS)


class TellingContract:
    """How trials and studies end."""

    def test_an_equal_tell_repeated_changes_nothing_and_another_is_refused(self, storage: Storage) -> None:
        outside(storage)
        ask(storage)
        told = storage.tell_trial("wine", 0, complete(0.5, epochs=7), TERMS)

        assert storage.tell_trial("wine", 0, complete(0.5, epochs=7), TERMS) == told
        assert storage.tell_trial("wine", 0, complete(0.5), TERMS) == told
        for other in (complete(0.6), complete(0.5, epochs=8), Told(state=TrialState.FAIL, reason="error")):
            with pytest.raises(IllegalMove, match="already"):
                storage.tell_trial("wine", 0, other, TERMS)
        assert counted(storage.get_study("wine").counts) == {"COMPLETE": 1}

    def test_the_first_to_tell_counts_whoever_has_the_lease(self, storage: Storage) -> None:
        outside(storage)
        ask(storage, "one", 1, LAPSING)
        ask(storage, "two", 1)

        storage.tell_trial("wine", 0, complete(0.5), TERMS)  # by the first client, which was only slow

        with pytest.raises(IllegalMove):
            storage.tell_trial("wine", 0, complete(0.6), TERMS)

    def test_several_objectives_are_told_together(self, storage: Storage) -> None:
        both = (
            ObjectiveSpec(metric="accuracy", direction=Direction.MAXIMIZE),
            ObjectiveSpec(metric="size", direction=Direction.MINIMIZE),
        )
        outside(storage, objectives=both)
        ask(storage)

        trial = storage.tell_trial("wine", 0, Told(state=TrialState.COMPLETE, values=(0.5, 12.0)), TERMS)

        assert (trial.value, trial.values) == (None, (0.5, 12.0))
        assert numbers(storage.pareto("wine")) == [0]

    def test_a_failed_trial_has_a_reason_and_no_value(self, storage: Storage) -> None:
        outside(storage)
        ask(storage, count=2)
        storage.report_epoch("wine", 1, "one", 3, 0.5, TERMS)

        failed = storage.tell_trial("wine", 0, Told(state=TrialState.FAIL, reason="error"), TERMS)
        diverged = storage.tell_trial("wine", 1, Told(state=TrialState.FAIL, reason="diverged"), TERMS)

        assert (failed.state, failed.reason, failed.value) == (TrialState.FAIL, "error", None)
        assert (diverged.reason, diverged.value, diverged.epochs) == ("diverged@3", None, 3)

    def test_the_last_tell_completes_the_study(self, storage: Storage) -> None:
        outside(storage, n_trials=2)
        ask(storage, count=2)
        storage.tell_trial("wine", 1, complete(0.5), TERMS)
        assert storage.get_study("wine").state is StudyState.RUNNING

        storage.tell_trial("wine", 0, complete(0.7), TERMS)

        study = storage.get_study("wine")
        assert (study.state, study.finished_at is not None) == (StudyState.COMPLETED, True)
        assert numbers(storage.best_trials("wine")) == [0]
        assert numbers(storage.finished_after("wine", 0, 9)) == [1, 0]
        assert ask(storage).trials == ()

    def test_a_study_of_which_no_trial_is_complete_has_failed(self, storage: Storage) -> None:
        outside(storage, n_trials=1)
        ask(storage)

        storage.tell_trial("wine", 0, Told(state=TrialState.FAIL, reason="error"), TERMS)

        study = storage.get_study("wine")
        assert (study.state, study.reason) == (StudyState.FAILED, "not one trial is complete: 1 error")

    def test_a_study_whose_trials_were_all_pruned_says_what_to_do(self, storage: Storage) -> None:
        outside(storage, n_trials=1)
        ask(storage)
        storage.report_epoch("wine", 0, "one", 1, 0.5, TERMS)

        storage.tell_trial("wine", 0, Told(state=TrialState.PRUNED, reason="median"), TERMS)

        assert storage.get_study("wine").reason == (
            "not one trial is complete: 1 median; all were pruned: loosen the pruner, or leave it out"
        )

    def test_a_stopping_study_lets_its_running_trials_finish(self, storage: Storage) -> None:
        outside(storage)
        ask(storage, "one", 2)
        storage.tell_trial("wine", 0, complete(0.5), TERMS)

        stopping = storage.wind_up("wine", TERMS, reason="enough", counted=1)

        assert (stopping.state, stopping.reason, stopping.counted) == (StudyState.STOPPING, "enough", 1)
        assert numbers(ask(storage, "one", 2).trials) == [1]
        assert ask(storage, "two", 1).trials == []
        storage.tell_trial("wine", 1, complete(0.9), TERMS)
        study = storage.get_study("wine")
        assert (study.state, study.reason, study.counted) == (StudyState.COMPLETED, "enough", 1)
        assert numbers(storage.best_trials("wine")) == [0]

    def test_a_study_whose_time_is_over_ends_its_running_trials_with_their_best(
        self, storage: Storage
    ) -> None:
        outside(storage)
        ask(storage, count=3)
        storage.tell_trial("wine", 0, complete(0.5), TERMS)
        storage.report_epoch("wine", 1, "one", 4, 0.25, TERMS)

        study = storage.wind_up("wine", TERMS, reason="limits.wall_time 1m is over", at_once=True)

        assert (study.state, study.reason) == (StudyState.COMPLETED, "limits.wall_time 1m is over")
        one, two = storage.get_trial("wine", 1), storage.get_trial("wine", 2)
        assert (one.state, one.reason, one.value) == (TrialState.PRUNED, "wall_time@4", 0.25)
        assert (two.state, two.reason, two.value) == (TrialState.PRUNED, "wall_time@0", None)
        assert sorted(t.place or 0 for t in (one, two)) == [2, 3]

    def test_a_study_with_nothing_running_is_wound_up_at_once(self, storage: Storage) -> None:
        outside(storage)
        ask(storage)
        storage.tell_trial("wine", 0, complete(0.5), TERMS)
        storage.move_study("wine", StudyState.PAUSED)

        assert storage.wind_up("wine", TERMS, reason="stop").state is StudyState.COMPLETED

    def test_cancelling_ends_what_runs_and_refuses_what_is_told_later(self, storage: Storage) -> None:
        outside(storage)
        ask(storage)

        storage.move_study("wine", StudyState.CANCELLED)

        assert storage.get_trial("wine", 0).reason == "cancelled"
        assert storage.look("wine", "one", 1).pending == 0
        with pytest.raises(IllegalMove, match="cancelled"):
            storage.tell_trial("wine", 0, complete(0.5), TERMS)

    def test_time_is_counted_while_it_runs_and_not_while_it_rests(self, storage: Storage) -> None:
        outside(storage)
        assert storage.get_study("wine").seconds == 0.0
        ask(storage)
        before = storage.get_study("wine").seconds
        deadline = time.monotonic() + 5.0

        while storage.get_study("wine").seconds <= before:  # by a clock of milliseconds
            assert time.monotonic() < deadline
        rested = storage.move_study("wine", StudyState.PAUSED).seconds
        assert storage.get_study("wine").seconds == rested
