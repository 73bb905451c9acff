"""What every worker pool must do, as a test class: subclass it and say how to make a pool."""

# ruff: noqa: D102  (the name of a test is its sentence)

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import psutil
import pytest

from hpo.bracket import Judge
from hpo.cohort import (
    CohortDone,
    CohortFailed,
    CohortHalted,
    EpochResult,
    ScoreDone,
    ScoreTask,
)
from hpo.errors import PoolError
from hpo.models import from_bytes, predict
from hpo.states import TrialState
from hpo.study import PrunerSpec
from hpo.testing.pool_talk import (
    FOREVER,
    KEY,
    PATIENCE_S,
    alive,
    bits,
    collect,
    first_epoch,
    heard_of,
    make_data,
    make_task,
)
from hpo.workers import crew
from hpo.workers.base import WorkerPool
from hpo.workers.local_pool import LocalPool


class LocatedPool(WorkerPool, Protocol):
    """A pool that says which processes of this machine its workers are."""

    def pids(self) -> list[int]:
        """The process of each slot, once it is known."""


class Keeper:
    """Keeps one pool of two workers for many tests, and makes a new one after a test has closed it."""

    def __init__(self, make: Callable[[Path, int], LocatedPool], folder: Path) -> None:
        self._make, self._folder = make, folder
        self._pool: LocatedPool | None = None

    def pool(self) -> LocatedPool:
        """The pool with both workers ready and the data under KEY. Raises TimeoutError."""
        if self._pool is None:
            self._pool = self._make(self._folder, 2)
            self._pool.start()
            self._pool.put_data(KEY, make_data())
        deadline = time.monotonic() + PATIENCE_S
        while len(self._pool.pids()) < 2:
            assert self._pool.poll(0.1) == []
            if time.monotonic() > deadline:
                raise TimeoutError(f"only workers {self._pool.pids()} are ready")
        return self._pool

    def close(self) -> None:
        """Close the pool, and once more, which does nothing."""
        if self._pool is not None:
            self._pool.close()
            self._pool.close()
        self._pool = None


class WorkerPoolContract:
    """Subclass it with a `make` that gives a pool of n workers, not yet started.

    At most one pool of the kind is open at a time.
    """

    @classmethod
    def make(cls, folder: Path, n_workers: int) -> LocatedPool:
        """A new pool."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def keeper(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
        """Who keeps the pool between tests."""
        keeper = Keeper(cls.make, tmp_path_factory.mktemp("pool"))
        yield keeper
        keeper.close()

    @pytest.fixture
    def pool(self, keeper: Keeper) -> LocatedPool:
        """A pool of two workers, all of them idle, with the data under KEY."""
        return keeper.pool()

    def test_a_cohort_reports_each_epoch_in_order_and_then_its_end(self, pool: LocatedPool) -> None:
        pool.submit(make_task([4, 7], id=3, epochs=4))

        *epochs, done = collect(pool)

        assert [(r.cohort, r.attempt, r.epoch, r.numbers) for r in epochs if isinstance(r, EpochResult)] == [
            (3, 1, epoch, (4, 7)) for epoch in (1, 2, 3, 4)
        ]
        assert sorted(bits(epochs)) == [4, 7]
        assert isinstance(done, CohortDone)
        assert (done.cohort, done.attempt, done.lane_steps) == (3, 1, 2 * 4 * 5)

    def test_the_model_that_comes_back_is_the_best_trials(self, pool: LocatedPool) -> None:
        pool.submit(make_task([1, 2, 3]))

        *epochs, done = collect(pool)

        values = {
            trial.number: trial.value for r in epochs if isinstance(r, EpochResult) for trial in r.ended
        }
        assert isinstance(done, CohortDone)
        assert done.model is not None
        assert from_bytes(done.model).number == done.best_number == min(values, key=lambda n: values[n] or 0)
        assert done.best_value == values[done.best_number]

    def test_a_model_comes_back_only_when_it_is_good_enough(self, pool: LocatedPool) -> None:
        pool.submit(replace(make_task([1]), beat=0.0))

        done = collect(pool)[-1]

        assert isinstance(done, CohortDone)
        assert done.model is None
        assert done.best_number == 1

    def test_two_cohorts_train_at_once(self, pool: LocatedPool) -> None:
        pool.submit(make_task([0], id=1, judged=True))
        pool.submit(make_task([1], id=2, judged=True))

        started = heard_of(pool, {1, 2})  # neither goes on without its mask

        assert started == {1, 2}
        assert {slot.task for slot in pool.slots()} == {1, 2}
        waiting = range(10, 10 + pool.room())  # a share of a pool takes tasks that wait for their turn
        for cohort in waiting:
            pool.submit(make_task([2], id=cohort))
        with pytest.raises(PoolError):
            pool.submit(make_task([2], id=5))
        for cohort in [*waiting, *started]:
            pool.cancel(cohort)
        collect(pool, 2 + len(waiting))

    def test_dropped_data_are_gone_and_their_key_may_have_others(self, pool: LocatedPool) -> None:
        pool.put_data("other", make_data(seed=3))
        pool.submit(replace(make_task([0], id=1), data="other"))
        first = bits(collect(pool))

        pool.drop_data("other")
        pool.drop_data("other")
        pool.submit(replace(make_task([0], id=2), data="other"))
        unknown = collect(pool)[-1]
        pool.put_data("other", make_data(seed=4))
        pool.submit(replace(make_task([0], id=3), data="other"))
        second = bits(collect(pool))
        pool.drop_data("other")

        assert isinstance(unknown, CohortFailed)
        assert unknown.reason == "error"
        assert sorted(first) == sorted(second) == [0]
        assert first != second

    def test_a_cancelled_cohort_ends_as_cancelled_and_frees_its_slot(self, pool: LocatedPool) -> None:
        pool.submit(make_task([0], id=8, epochs=FOREVER))
        first_epoch(pool)
        workers = set(pool.pids())

        pool.cancel(8)

        last = collect(pool)[-1]
        assert isinstance(last, CohortFailed)
        assert (last.cohort, last.attempt, last.reason) == (8, 1, "cancelled")
        assert workers <= set(pool.pids())  # it heard and lives
        assert all(slot.task is None for slot in pool.slots())

    def test_cancelling_one_attempt_leaves_the_next_alone(self, pool: LocatedPool) -> None:
        pool.submit(make_task([0], id=8, epochs=FOREVER))
        first_epoch(pool)
        pool.cancel(8)
        pool.cancel(8)
        collect(pool)

        pool.submit(replace(make_task([0], id=8), attempt=2))

        last = collect(pool)[-1]
        assert isinstance(last, CohortDone)
        assert last.attempt == 2

    def test_a_judged_cohort_drops_the_trials_its_mask_drops(self, pool: LocatedPool) -> None:
        pool.submit(make_task([0, 1, 2], id=1, epochs=2, judged=True))
        first = first_epoch(pool)

        pool.keep(1, [True, False, True])
        second = first_epoch(pool)
        pool.keep(1, [True, True])
        last = collect(pool)

        assert first.numbers == (0, 1, 2)
        assert second.numbers == (0, 2)
        ended = {
            t.number: t.state for r in [first, second, *last] if isinstance(r, EpochResult) for t in r.ended
        }
        assert ended == {0: TrialState.COMPLETE, 1: TrialState.PRUNED, 2: TrialState.COMPLETE}
        assert isinstance(last[-1], CohortDone)

    def test_cohorts_that_halt_free_their_slots_and_go_on_together(self, pool: LocatedPool) -> None:
        pool.submit(make_task(range(4), id=1, epochs=4))
        undisturbed = bits(collect(pool))

        pool.submit(replace(make_task([0, 2], id=2, epochs=4), halt=2))
        pool.submit(replace(make_task([1, 3], id=3, epochs=4), halt=2))
        halted = [report for report in collect(pool, 2) if isinstance(report, CohortHalted)]
        free = [slot.task is None for slot in pool.slots()]
        checkpoints = tuple(report.checkpoint for report in halted)
        pool.submit(replace(make_task(range(3), id=4, epochs=4), checkpoints=checkpoints))
        merged = bits(collect(pool))

        assert sorted((r.cohort, r.attempt, len(r.standing)) for r in halted) == [(2, 1, 2), (3, 1, 2)]
        assert free == [True, True]
        assert merged == {number: undisturbed[number] for number in range(3)}

    def test_a_cohort_with_a_judge_is_halved_without_a_word_from_the_pool(self, pool: LocatedPool) -> None:
        halving = PrunerSpec(name="halving", min_epochs=1, factor=2, bracket=4)
        pool.submit(replace(make_task(range(4), epochs=3), judge=Judge(pruner=halving, epochs=3)))

        reports = collect(pool)

        ended = [t for r in reports if isinstance(r, EpochResult) for t in r.ended]
        assert sorted(t.reason or "" for t in ended) == ["", "halving@1", "halving@1", "halving@2"]
        assert isinstance(reports[-1], CohortDone)

    def test_an_empty_mask_ends_a_cohort_that_nobody_judges(self, pool: LocatedPool) -> None:
        pool.submit(make_task([0, 1, 2], id=1, epochs=FOREVER))
        first_epoch(pool)

        pool.keep(1, ())
        *reports, last = collect(pool)

        ended = [t for r in reports if isinstance(r, EpochResult) for t in r.ended]
        assert [(t.number, t.state) for t in ended] == [(n, TrialState.PRUNED) for n in (0, 1, 2)]
        assert all(t.value is not None and t.reason == f"pruned@{t.epochs}" for t in ended)
        assert isinstance(last, CohortDone)

    def test_a_task_that_cannot_be_done_is_an_error_and_the_worker_lives(self, pool: LocatedPool) -> None:
        before = pool.pids()
        pool.submit(replace(make_task([0], id=1), data="no-such-key"))
        unknown_data = collect(pool)[-1]
        pool.submit(replace(make_task([0], id=2), metric="no-such-metric"))
        unknown_metric = collect(pool)[-1]
        pool.submit(ScoreTask(id=3, model=b"rubbish", test=make_data().folds[0][1], metrics=("f1",)))
        no_model = collect(pool)[-1]

        failures = [unknown_data, unknown_metric, no_model]
        assert [(f.cohort, f.reason) for f in failures if isinstance(f, CohortFailed)] == [
            (1, "error"),
            (2, "error"),
            (3, "error"),
        ]
        assert isinstance(unknown_data, CohortFailed)
        assert "no-such-key" in unknown_data.detail
        assert pool.pids() == before

    def test_a_kept_model_is_scored_on_test_rows(self, pool: LocatedPool) -> None:
        pool.submit(make_task([0, 1], epochs=8))
        done = collect(pool)[-1]
        test = make_data(seed=5).folds[0][0]
        assert isinstance(done, CohortDone)
        assert done.model is not None

        pool.submit(ScoreTask(id=9, model=done.model, test=test, metrics=("accuracy", "log_loss")))

        (score,) = collect(pool)
        assert isinstance(score, ScoreDone)
        assert score.id == 9
        assert score.scores["accuracy"] == pytest.approx(
            np.mean(predict(from_bytes(done.model), [test.x]) == test.y), abs=1e-6
        )
        assert score.scores["log_loss"] > 0

    def test_bits_do_not_depend_on_pools_workers_or_cohorts(self, pool: LocatedPool, tmp_path: Path) -> None:
        pool.submit(make_task(range(4), id=1))
        pool.submit(make_task(range(4, 7), id=2))
        two = bits(collect(pool, 2))

        single = LocalPool(n_workers=1, device="cpu", scratch=tmp_path)
        single.start()
        single.put_data(KEY, make_data())
        single.submit(make_task(range(7)))
        one = bits(collect(single))
        single.close()

        assert sorted(one) == list(range(7))
        assert one == two

    def test_killed_workers_lose_their_cohorts_and_are_replaced(self, pool: LocatedPool) -> None:
        pool.submit(make_task([0], id=4, epochs=FOREVER))
        pool.submit(make_task([1], id=5, epochs=FOREVER))
        while len(pool.pids()) < 2:
            pool.poll(1.0)
        killed = pool.pids()

        for pid in killed:
            os.kill(pid, signal.SIGKILL)

        lost = [report for report in collect(pool, 2) if not isinstance(report, EpochResult)]
        assert sorted((r.cohort, r.attempt, r.reason) for r in lost if isinstance(r, CohortFailed)) == [
            (4, 1, "lost"),
            (5, 1, "lost"),
        ]
        details = " ".join(report.detail for report in lost if isinstance(report, CohortFailed))
        assert all(str(pid) in details for pid in killed)
        pool.submit(replace(make_task([0], id=4), attempt=2))
        assert isinstance(collect(pool)[-1], CohortDone)
        assert set(pool.pids()).isdisjoint(killed)

    def test_a_worker_that_falls_silent_loses_its_cohort_and_is_replaced(
        self, pool: LocatedPool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(crew, "SILENCE_S", 2.5)
        pool.submit(make_task([0], id=4, judged=True))
        pool.submit(make_task([1], id=5, epochs=FOREVER))
        heard = heard_of(pool, {4, 5})
        frozen = next(slot for slot in pool.slots() if slot.task == 5)
        place = [slot.id for slot in pool.slots()].index(frozen.id)
        process = psutil.Process(pool.pids()[place])

        process.suspend()
        last = [report for report in collect(pool) if not isinstance(report, EpochResult)]

        assert heard == {4, 5}
        assert [(r.cohort, r.reason) for r in last if isinstance(r, CohortFailed)] == [(5, "lost")]
        assert "silent" in " ".join(r.detail for r in last if isinstance(r, CohortFailed))
        # The other one trained nothing all the time, and yet was heard.
        assert 4 in {slot.task for slot in pool.slots()}
        assert psutil.wait_procs([process], timeout=PATIENCE_S)[0] == [process]
        pool.cancel(4)
        collect(pool)

    def test_close_leaves_no_process_even_in_the_middle_of_an_epoch(
        self, pool: LocatedPool, keeper: Keeper
    ) -> None:
        pool.submit(make_task([0], epochs=FOREVER))
        first_epoch(pool)
        started = psutil.Process().children(recursive=True)
        workers = [psutil.Process(pid) for pid in pool.pids()]

        keeper.close()

        assert workers
        assert not alive({*started, *workers})
