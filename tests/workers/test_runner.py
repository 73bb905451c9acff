"""Whatever happens to a task in a worker becomes one report with one sentence."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hpo.cohort import CohortDone, CohortFailed, EpochResult
from hpo.dataset import Rows, TargetScaling, Task, TrainingData
from hpo.fused.device import products
from hpo.models import from_bytes, predict
from hpo.study import Direction
from hpo.testing.pool_talk import make_data, make_task
from hpo.training import settings_of
from hpo.workers.mailbox import Cancelled
from hpo.workers.runner import perform


def go_on(result):
    return None


def failing(error):
    def report(result):
        raise error

    return report


@pytest.mark.parametrize(
    ("error", "reason", "detail"),
    [
        (MemoryError(), "out_of_memory", "MemoryError"),
        (
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: x\nframe 1"
            ),
            "out_of_memory",
            "RuntimeError: [enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: x",
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "out_of_memory", None),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "error", None),
        (KeyError("weights"), "error", "KeyError: 'weights'"),
        (Cancelled(), "cancelled", "the cohort was cancelled"),
    ],
)
def test_a_failure_is_one_report_with_one_sentence(error, reason, detail):
    failed = perform(make_task([0], id=6), make_data, device="cpu", report=failing(error))

    assert isinstance(failed, CohortFailed)
    assert (failed.cohort, failed.attempt, failed.reason) == (6, 1, reason)
    assert "\n" not in failed.detail
    assert failed.detail == (detail or f"{type(error).__name__}: {error}")


def test_a_cohort_that_cannot_fit_into_memory_says_so():
    """Not an error made up by a test: the allocator's own, for more than a 64-bit process can address."""
    task = make_task([0], hidden_units="-".join(["65536"] * 16))
    huge = replace(task, lanes=tuple(replace(task.lanes[0], number=n) for n in range(1000)))

    failed = perform(huge, make_data, device="cpu", report=go_on)

    assert isinstance(failed, CohortFailed)
    assert failed.reason == "out_of_memory"


def test_the_model_of_a_regression_predicts_what_its_value_was_measured_on():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((90, 4), dtype=np.float32)
    unit = (5 * x[:, 0] - x[:, 1] + 100).astype(np.float32)
    scaling = TargetScaling(kind="standardize", mean=float(unit.mean()), scale=float(unit.std()))
    y = ((unit - scaling.mean) / scaling.scale).astype(np.float32)
    parts = Rows(x=x[:60], y=y[:60]), Rows(x=x[60:].copy(), y=y[60:])
    data = TrainingData(
        task=Task.REGRESSION, folds=(parts,), n_features=4, n_classes=0, target_scalings=(scaling,)
    )
    shared, settings = settings_of(
        {"epochs": 30, "learning_rate": 0.01, "hidden_units": 9}, task=Task.REGRESSION, n_classes=0
    )
    task = make_task([3])
    task = replace(
        task,
        shared=shared,
        lanes=(replace(task.lanes[0], settings=settings),),
        metric="rmse",
        direction=Direction.MINIMIZE,
    )

    done = perform(task, lambda: data, device="cpu", report=go_on)

    assert isinstance(done, CohortDone)
    found = predict(from_bytes(done.model), [x[60:]])
    assert np.sqrt(np.mean((found - unit[60:]) ** 2)) == pytest.approx(done.best_value, rel=1e-4)


def test_repeats_and_folds_come_back_as_lanes_of_the_model():
    data = replace(make_data(), folds=make_data().folds * 2)
    task = make_task([5])
    lanes = tuple(replace(task.lanes[0], repeat=repeat, fold=fold) for repeat in (0, 1) for fold in (0, 1))
    seen: list[EpochResult] = []

    done = perform(replace(task, lanes=lanes), lambda: data, device="cpu", report=seen.append)

    assert isinstance(done, CohortDone)
    model = from_bytes(done.model)
    assert sorted((lane.repeat, lane.fold) for lane in model.lanes) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert seen[-1].ended[0].value == done.best_value


def test_a_fast_task_is_made_with_fast_products_and_leaves_exact_ones_behind():
    exact, fast = make_task([0], id=6), replace(make_task([0], id=6), precision="fast")
    with products("fast") as in_force:  # exact where the processor would round off too much
        fast_name = torch.get_float32_matmul_precision()
    seen = {}

    def report(result):
        seen[result.cohort] = torch.get_float32_matmul_precision()

    for number, task in enumerate((exact, fast, exact)):
        perform(replace(task, id=number), make_data, device="cpu", report=report)

    assert seen == {0: "highest", 1: fast_name, 2: "highest"}
    assert (fast_name == "medium") is (in_force == "fast")
