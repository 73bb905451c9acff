"""The course's Playground experiments come out as the course says, where the truth does (docs/explain/course.md)."""

from pathlib import Path

import pytest

from benchmarks import course
from hpo.data.prepare import prepare
from hpo.fused.device import prepare_process
from hpo.study import DataSpec

SEEDS = 2


@pytest.fixture(autouse=True)
def _as_a_worker_does():
    prepare_process()


@pytest.fixture(scope="module")
def spiral():
    return (
        prepare(DataSpec(source="spiral"), scalings=["none"], folder=Path(), seed=0).scaled["none"].training
    )


def summaries(space, data, name, values):
    """What settings of a named space come to, by this value of theirs; all else is the first there is."""
    _, points = course.grid(space)
    first = [next(point for point in points if point[name] == value) for value in values]
    trained = course.train(first, data, SEEDS)
    return {value: course.summary(results) for value, results in zip(values, trained, strict=True)}


@pytest.mark.timeout(180)
def test_at_rate_1_sigmoid_learns_where_tanh_and_relu_fail(spiral):
    found = summaries(course.ROWS["activation"], spiral, "activation", ["sigmoid", "tanh", "relu"])

    assert found["sigmoid"]["accuracy"] > 0.9
    assert max(found["tanh"]["accuracy"], found["relu"]["accuracy"]) < 0.8


@pytest.mark.timeout(180)
def test_larger_rates_end_better_and_less_steadily_until_nothing_converges(spiral):
    found = summaries(course.ROWS["rate"], spiral, "learning_rate", [0.001, 0.01, 0.1, 3.0])

    assert found[0.001]["loss"] > found[0.01]["loss"] > found[0.1]["loss"]
    assert found[0.001]["unsteady"] < found[0.1]["unsteady"] < found[3.0]["unsteady"]
    assert found[3.0]["accuracy"] < 0.8 < 0.98 < found[0.1]["accuracy"]


@pytest.mark.timeout(180)
def test_smaller_batches_end_better_and_less_steadily(spiral):
    found = summaries(course.ROWS["batch"], spiral, "batch_size", [5, 30])

    assert found[5]["loss"] < found[30]["loss"]
    assert found[5]["unsteady"] > found[30]["unsteady"]


@pytest.mark.timeout(180)
def test_a_little_l2_reaches_further_and_much_ruins(spiral):
    found = summaries(course.ROWS["regularisation"], spiral, "l2", [0.0, 0.001, 0.1])

    assert found[0.001]["best_loss"] < found[0.0]["best_loss"]
    assert found[0.1]["accuracy"] < 0.6
