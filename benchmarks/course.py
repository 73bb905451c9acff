"""The course's four Playground experiments: spiral, seven features, one layer of 8, 500 passes over the rows.

    python benchmarks/course.py [--rows rate] [--repeats 5] [--save]

Each setting is trained from so many seeds at once, as lanes. Printed are the mean over seeds of the validation
loss at the end and at its best, of the accuracy at the end, and how unsteady the loss is: the mean size of
its change from one pass to the next over the last hundred, as a share of its mean there.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

os.environ["MKL_CBWR"] = "AVX2"

import numpy as np

from hpo.cohort import CohortTask, LaneTask
from hpo.data.prepare import prepare
from hpo.dataset import TrainingData
from hpo.fused.device import prepare_process
from hpo.fused.trainer import Trainer
from hpo.service import spaces
from hpo.space import Choice, Fixed, Value
from hpo.study import DataSpec, Direction
from hpo.training import SharedSettings, settings_of
from hpo.trial import TrialResult

RESULTS = Path(__file__).parent / "results" / "course.json"
EPOCHS = 500
LAST = 100
ROWS = {
    "batch": "playground-batch-size",
    "rate": "playground-learning-rate",
    "activation": "playground-activation",
    "regularisation": "playground-regularisation",
}


def grid(space: str) -> tuple[list[str], list[dict[str, Value]]]:
    """The searched names of a named space, and every setting of it."""
    parameters = spaces.load(space).parameters
    fixed = {name: p.value for name, p in parameters.items() if isinstance(p, Fixed)}
    lists = {name: p.choices for name, p in parameters.items() if isinstance(p, Choice)}
    points = [fixed | dict(zip(lists, values, strict=True)) for values in product(*lists.values())]
    return list(lists), points


def train(points: Sequence[Mapping[str, Value]], data: TrainingData, repeats: int) -> list[list[TrialResult]]:
    """Every setting from every seed, [setting][seed]: a trial each, since a trial's curve is the mean over its lanes."""
    groups: dict[SharedSettings, list[LaneTask]] = {}
    for number, (place, repeat) in enumerate(product(range(len(points)), range(repeats))):
        params = points[place] | {"epochs": EPOCHS}
        shared, settings = settings_of(params, task=data.task, n_classes=data.n_classes)
        lane = LaneTask(number=number, repeat=repeat, fold=0, settings=settings)
        groups.setdefault(shared, []).append(lane)
    ended: dict[int, TrialResult] = {}
    for shared, lanes in groups.items():
        task = CohortTask(
            id=1,
            attempt=1,
            data="spiral",
            shared=shared,
            lanes=tuple(lanes),
            seed=0,
            metric="log_loss",
            direction=Direction.MINIMIZE,
        )
        Trainer(task, data).run(lambda report: ended.update({r.number: r for r in report.ended}))
    return [[ended[place * repeats + repeat] for repeat in range(repeats)] for place in range(len(points))]


def summary(results: Sequence[TrialResult]) -> dict[str, float]:
    """What the curves of one setting show, mean over seeds; a seed that diverged counts as chance."""
    rows = []
    for result in results:
        assert result.curve is not None
        loss, accuracy = (
            np.array(result.curve.column(f"validation_{name}")) for name in ("loss", "accuracy")
        )
        if len(loss) < EPOCHS:
            rows.append((np.log(2), np.nanmin([np.log(2), *loss]), 0.5, np.nan, 1.0))
            continue
        unsteady = np.abs(np.diff(loss[-LAST:])).mean() / loss[-LAST:].mean()
        rows.append((loss[-LAST:].mean(), loss.min(), accuracy[-LAST:].mean(), unsteady, 0.0))
    names = ("loss", "best_loss", "accuracy", "unsteady", "diverged")
    return {
        name: float(np.nanmean(column)) if not np.isnan(column).all() else float("nan")
        for name, column in zip(names, np.array(rows).T, strict=True)
    }


def experiment(row: str, data: TrainingData, repeats: int) -> list[dict[str, Any]]:
    """One experiment, setting by setting."""
    names, points = grid(ROWS[row])
    found = []
    for point, results in zip(points, train(points, data, repeats), strict=True):
        found.append({name: point[name] for name in names} | summary(results))
        print(
            row,
            " ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in found[-1].items()),
        )
    return found


def main() -> None:
    """Print the experiments asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--save", action="store_true")
    args = parser.parse_args()
    prepare_process()
    prepared = prepare(DataSpec(source="spiral"), scalings=["none"], folder=Path(), seed=0)
    data = prepared.scaled["none"].training  # the Playground scales nothing, and its spaces say so
    found = {row: experiment(row, data, args.repeats) for row in args.rows}
    if args.save:
        held = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps(held | {"repeats": args.repeats} | found, indent=2) + "\n")


if __name__ == "__main__":
    main()
