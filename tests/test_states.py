"""The life of a study: legal moves, as drawn in the specification."""

from __future__ import annotations

import itertools

import pytest

from hpo.errors import IllegalMove
from hpo.states import FINAL, MOVES, Reason, StudyState, TrialState, check_move, why_failed

# As the specification draws it, one line a state.
DRAWN = """
QUEUED RUNNING PAUSED CANCELLED
RUNNING PAUSED STOPPING CANCELLED COMPLETED FAILED
PAUSED QUEUED COMPLETED CANCELLED
STOPPING COMPLETED CANCELLED FAILED
COMPLETED QUEUED
FAILED QUEUED
CANCELLED
"""


def drawn():
    lines = [line.split() for line in DRAWN.strip().splitlines()]
    return {line[0]: set(line[1:]) for line in lines}


@pytest.mark.parametrize(("old", "new"), list(itertools.product(StudyState, StudyState)))
def test_a_study_moves_only_along_the_drawn_lines(old, new):
    if new in drawn()[old]:
        check_move("s", old, new)
    else:
        with pytest.raises(IllegalMove, match="'s'"):
            check_move("s", old, new)


def test_every_state_has_its_moves_and_final_ones_never_run_on_directly():
    assert set(MOVES) == set(StudyState)
    assert all(StudyState.RUNNING not in MOVES[state] for state in FINAL)


def test_a_cancelled_study_says_what_to_do_instead():
    with pytest.raises(IllegalMove, match="`hpo fork s` makes a new one"):
        check_move("s", StudyState.CANCELLED, StudyState.QUEUED)


def test_only_three_states_of_a_trial_are_final():
    assert [state.value for state in TrialState if state.finished] == ["COMPLETE", "PRUNED", "FAIL"]


def test_a_reason_may_carry_its_epoch():
    assert Reason.STOPPED_EARLY.at(17) == "stopped_early@17"


def test_a_study_whose_trials_were_all_pruned_says_what_to_do():
    assert why_failed(["median@3", "median@1"], {}, all_pruned=True) == (
        "not one trial is complete: 2 median; all were pruned: loosen the pruner, or leave it out"
    )


def test_trials_that_ended_with_the_time_of_their_study_are_no_pruners_work():
    assert why_failed(["wall_time@1"], {}, all_pruned=True) == "not one trial is complete: 1 wall_time"
