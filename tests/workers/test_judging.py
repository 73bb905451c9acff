"""A worker judges whole brackets by itself, halts where it must wait, and goes on from what others have saved."""

from dataclasses import replace

import pytest

from hpo.bracket import History, Judge
from hpo.cohort import CohortDone, CohortHalted, EpochResult
from hpo.fused.device import prepare_process
from hpo.pruners.own import own_pruner
from hpo.states import TrialState
from hpo.study import Direction, PrunerSpec
from hpo.testing.pool_talk import bits, make_data, make_task
from hpo.workers.runner import perform

HALVING = Judge(pruner=PrunerSpec(name="halving", min_epochs=2, factor=2, bracket=4), epochs=8)


@pytest.fixture(autouse=True)
def _as_in_a_worker():
    prepare_process()


def run(task, mask=lambda result: None):
    """Everything a worker says about a task; no pool answers."""
    said: list[EpochResult] = []

    def report(result):
        said.append(result)
        return mask(result)

    return said, perform(task, make_data, device="cpu", report=report)


def ended(said):
    return {trial.number: trial for result in said for trial in result.ended}


def test_brackets_of_one_cohort_are_halved_each_by_itself():
    said, done = run(make_task(range(8), epochs=8))
    whole = ended(said)

    said, done_judged = run(replace(make_task(range(8), epochs=8), judge=HALVING))

    pruned = ended(said)
    assert isinstance(done_judged, CohortDone)
    for first in (0, 4):
        left = list(range(first, first + 4))
        for rung in (2, 4):
            column = "validation_log_loss"
            best = {n: min(whole[n].curve.column(column)[:rung]) for n in left}
            left.sort(key=lambda n, best=best: (best[n], n))
            for number in left[len(left) // 2 :]:
                assert (pruned[number].state, pruned[number].reason) == (TrialState.PRUNED, f"halving@{rung}")
                assert pruned[number].value == pytest.approx(best[number], rel=1e-6)
                assert pruned[number].epochs == rung
            del left[len(left) // 2 :]
        assert [pruned[n].state for n in left] == [TrialState.COMPLETE]
        assert pruned[left[0]] == whole[left[0]]
    assert done_judged.best_number in {n for n, trial in pruned.items() if trial.state is TrialState.COMPLETE}
    assert done_judged.lane_steps == done.lane_steps * (8 * 2 + 4 * 2 + 2 * 4) // 64


def test_members_that_have_ended_elsewhere_are_judged_by_what_they_had():
    known = {n: History(values=(9.0, 0.0), last=2) for n in (0, 1)}  # far better than any of the cohort

    said, _ = run(replace(make_task([2, 3], epochs=8), judge=replace(HALVING, known=known)))

    assert [trial.reason for trial in ended(said).values()] == ["halving@2"] * 2


@pytest.mark.parametrize("params", [{}, {"patience": 1, "min_delta": 0.05}], ids=["all", "early"])
def test_cohorts_that_halt_and_are_merged_end_as_if_they_had_never_parted(params):
    said, done = run(make_task(range(5), epochs=6, **params))
    undisturbed = bits(said)

    parts = [run(replace(make_task(numbers, epochs=6, **params), halt=3)) for numbers in ([0, 3], [1, 2, 4])]
    first = {k: v for reports, _ in parts for k, v in bits(reports).items()}
    assert all(isinstance(last, CohortHalted) for _, last in parts)
    standing = [trial for _, last in parts for trial in last.standing]
    left = sorted(trial.number for trial in standing)
    task = replace(
        make_task(left, epochs=6, **params), checkpoints=tuple(last.checkpoint for _, last in parts)
    )
    said, merged = run(task)

    assert all((trial.state, trial.reason) == (TrialState.PRUNED, "pruned@3") for trial in standing)
    assert first | bits(said) == undisturbed
    assert not set(first) & set(left)
    assert isinstance(merged, CohortDone)
    models = [(m.best_value, m.model) for m in (merged, *(last for _, last in parts)) if m.model]
    assert min(models)[1] == done.model


def test_who_stops_early_in_the_epoch_of_a_halt_is_judged_first_and_stops_then():
    stops = {"patience": 1, "min_delta": 10.0, "learning_rate": 0.01}
    task = make_task([0, 1], epochs=6, **stops)

    said, halted = run(replace(task, halt=2))
    again, done = run(replace(make_task([1], epochs=6, **stops), checkpoints=(halted.checkpoint,)))

    assert [trial.number for trial in halted.standing] == [0, 1]
    assert ended(said) == {}
    assert ended(again)[1].reason == "stopped_early@2"
    assert isinstance(done, CohortDone)


def test_a_cohort_whose_trials_have_all_ended_does_not_halt():
    said, done = run(replace(make_task([0, 1], epochs=3, learning_rate=1e30, optimizer="sgd"), halt=1))

    assert isinstance(done, CohortDone)
    assert {trial.reason for trial in ended(said).values()} == {"diverged@1"}


def test_a_halved_cohort_goes_on_from_a_checkpoint_with_what_was_known_so_far():
    judge = replace(HALVING, pruner=replace(HALVING.pruner, bracket=8))
    said, _ = run(replace(make_task(range(8), epochs=8), judge=judge))
    undisturbed = {n: (t.reason, t.value) for n, t in ended(said).items()}

    _, halted = run(replace(make_task(range(8), epochs=8), halt=3))
    pruner = own_pruner(judge.pruner, 8, Direction.MINIMIZE)
    values = {t.number: tuple(t.curve.column("validation_log_loss")) for t in halted.standing}
    living = {n: History(values=v, last=7) for n, v in values.items()}
    out = pruner.losers(pruner.bracket(0), 2, living)
    left = [n for n in range(8) if n not in out]
    known = {n: History(values=values[n][:2], last=2) if n in out else living[n] for n in range(8)}
    task = replace(
        make_task(left, epochs=8), checkpoints=(halted.checkpoint,), judge=replace(judge, known=known)
    )
    said, _ = run(task)

    assert {n: (t.reason, t.value) for n, t in ended(said).items()} == {n: undisturbed[n] for n in left}


def test_a_mask_from_the_pool_counts_beside_the_judge():
    said, _ = run(
        replace(make_task(range(4), epochs=8), judge=HALVING),
        mask=lambda result: [number != 0 for number in result.numbers] if result.epoch == 1 else None,
    )

    assert ended(said)[0].reason == "pruned@1"  # the judge had no part in it
