"""How splits, means and scores are put into words for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpo.cli.cells import cell
from hpo.cli.output import plural


def split_text(n_folds: int, n_train: int, n_validation: int, n_test: int) -> str:
    """How rows are divided.

    >>> split_text(1, 90, 30, 30), split_text(5, 96, 24, 30)
    ('90 train, 30 validate, 30 test', '5 folds of 96 train, 24 validate; 30 test')
    """
    if n_folds > 1:
        return f"{n_folds} folds of {n_train:,} train, {n_validation:,} validate; {n_test:,} test"
    return f"{n_train:,} train, {n_validation:,} validate, {n_test:,} test"


def with_stderr(value: float | None, stderr: float | None) -> str:
    """A mean over repeats and folds with its standard error.

    >>> with_stderr(0.95, 0.0123456), with_stderr(63824.0, 417.8), with_stderr(0.95, None)
    ('0.95 ± 0.012', '63824 ± 420', '0.95')
    """
    return cell(value) if stderr is None else f"{cell(value)} ± {cell(float(f'{stderr:.2g}'))}"


def score_texts(test: dict[str, Any]) -> dict[str, str]:
    """The scores of a study's test record, as people read them."""
    stderrs = test.get("stderr", {})
    return {
        name: with_stderr(score, stderrs.get(name))
        for name, score in test.items()
        if name not in ("number", "scored", "stderr")
    }


def values_by_metric(record: Mapping[str, Any]) -> dict[str, Any]:
    """A trial's value by the name of its metric; of several objectives all values.

    >>> values_by_metric({"metric": "accuracy", "value": 0.9})
    {'accuracy': 0.9}
    """
    if not record.get("values"):
        return {record["metric"]: record["value"]}
    return dict(zip((one["metric"] for one in record["objectives"]), record["values"], strict=True))


def pruner_text(pruner: Mapping[str, Any]) -> str | None:
    """A study file's pruner with what it is told; nothing when there is none.

    >>> pruner_text({"name": "halving", "factor": 3, "options": {}}), pruner_text({"name": "none"})
    ('halving, factor 3', None)
    >>> pruner_text({"name": "population", "options": {"until": 18, "schedule": [{"epoch": 6}, {"epoch": 12}]}})
    'population, until 18, schedule of 2 steps'
    """
    if pruner.get("name", "none") == "none":
        return None
    told = {key: value for key, value in pruner.items() if key not in ("name", "options")}
    options = dict(pruner.get("options") or {})
    steps = options.pop("schedule", None)  # a whole table of settings
    words = [f"{key} {cell(value)}" for key, value in {**told, **options}.items() if value is not None]
    return ", ".join(
        [pruner["name"], *words, *([f"schedule of {plural(len(steps), 'step')}"] if steps else [])]
    )


def front_text(record: dict[str, Any]) -> str:
    """How many trials no other beats, and the first of them.

    >>> objectives = [{"metric": "accuracy"}, {"metric": "epochs"}]
    >>> front_text({"on_front": 3, "objectives": objectives, "values": [0.9, 7.0], "metric": "", "best_number": 4})
    '3 trials on the Pareto front; the first: accuracy 0.9, epochs 7 (trial 4)'
    """
    if not record["values"]:
        return "-"
    first = cell(values_by_metric(record))
    return f"{plural(record['on_front'], 'trial')} on the Pareto front; the first: {first} (trial {record['best_number']})"
