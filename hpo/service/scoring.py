"""Which metrics test rows, and rows that a model predicts, are scored by."""

from __future__ import annotations

from hpo.dataset import Task

USUAL_METRICS = {
    Task.CLASSIFICATION: ("accuracy", "log_loss", "f1"),
    Task.REGRESSION: ("rmse", "r2", "mae"),
}


def test_metrics(metric: str, task: Task) -> tuple[str, ...]:
    """What the test score consists of: the objective, then the usual ones of the task.

    >>> test_metrics("log_loss", Task.CLASSIFICATION)
    ('log_loss', 'accuracy', 'f1')
    """
    return tuple(dict.fromkeys((metric, *USUAL_METRICS[task])))
