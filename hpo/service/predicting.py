"""Predictions of a model for rows, and what they are worth where the target is known; one record for all doors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.dataset import Task
from hpo.models import SavedModel
from hpo.models.saved import Prediction
from hpo.models.scores import CLASSIFICATION, REGRESSION, Classified
from hpo.service import records
from hpo.service.rows import MOST_IGNORED, GivenRows
from hpo.service.scoring import test_metrics

MOST_ROWS = 10_000  # of one request
MOST_CELLS = 2_000_000  # probabilities of one answer


def predictions(saved: SavedModel, rows: GivenRows) -> dict[str, Any]:
    """What a model says of rows: predictions, class probabilities, and scores where the target is known.

    Of several networks (repeats, folds) the mean is predicted and scored; `network_scores` is the mean of
    the scores of each, as the test score of a study is.
    """
    found = saved.predicted(rows.columns, rows.n)
    classes = list(saved.classes) if saved.model.task is Task.CLASSIFICATION else None
    scores = scored(saved, rows, found)
    record = {
        "study": saved.about.get("study"),
        "trial": saved.model.number,
        "task": saved.model.task.value,
        "target": saved.target,
        "n_rows": rows.n,
        "classes": classes,
        "predictions": _listed(found.labels) if classes is None else [classes[n] for n in found.labels],
        "probabilities": None if found.probabilities is None else _listed(found.probabilities),
        "scores": records.plain(scores),
        "network_scores": None if scores is None else records.plain(network_scores(saved, rows)),
        "ignored": list(rows.ignored[:MOST_IGNORED]),
        "notes": list(rows.notes),
    }
    return record


def most_rows(saved: SavedModel) -> int:
    """How many rows one request may have predicted: with very many classes fewer than else."""
    return min(MOST_ROWS, MOST_CELLS // max(1, saved.model.n_classes))


def _listed(array: NDArray[Any]) -> Any:
    """The numbers of an array in JSON types; what is not finite is null."""
    found = array.tolist()
    return found if np.isfinite(array).all() else records.plain(found)


def scored(saved: SavedModel, rows: GivenRows, found: Prediction) -> dict[str, float] | None:
    """The scores of predictions on the rows whose target is known; None when there is no such row."""
    if rows.target is None:
        return None
    known: NDArray[np.bool_] = (
        rows.target >= 0 if found.log_p is not None else np.isfinite(rows.target.astype(np.float64))
    )
    if not known.any():
        return None
    names = test_metrics(str(saved.about.get("metric")), saved.model.task)
    if found.log_p is None:
        y = rows.target[known].astype(np.float64)
        predicted = found.labels[known].astype(np.float64)
        return {name: REGRESSION[name](y, predicted) for name in names if name in REGRESSION}
    given = Classified(labels=rows.target[known], log_p=found.log_p[known], positive=saved.model.positive)
    return {name: CLASSIFICATION[name](given) for name in names if name in CLASSIFICATION}


def network_scores(saved: SavedModel, rows: GivenRows) -> dict[str, float] | None:
    """The mean of the scores of each network alone; None for one network, or for those of several folds."""
    lanes = saved.model.lanes
    if len(lanes) == 1 or saved.model.n_folds > 1:
        return None
    alone = [replace(saved, model=replace(saved.model, lanes=(lane,))) for lane in lanes]
    found = [scored(one, rows, one.predicted(rows.columns, rows.n)) or {} for one in alone]
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def prediction_rows(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The predictions of a record as the rows of a table: `prediction`, and a column for each class."""
    classes = record["classes"] or []
    chances = record["probabilities"] or [[]] * record["n_rows"]
    for prediction, chance in zip(record["predictions"], chances, strict=True):
        named = {f"p_{name}": value for name, value in zip(classes, chance, strict=True)}
        yield {"prediction": prediction, **named}
