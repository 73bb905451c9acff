"""Studies for people to look at: with curves, failures, and names as nobody should choose them."""

from __future__ import annotations

import math
from array import array

from hpo.states import TrialState
from hpo.storage.base import Storage
from hpo.testing.coordinating import submit
from hpo.testing.studies import trained
from hpo.trial import Curve, TrialPlan, TrialResult

EPOCHS = 6
FILE = """
name: {name}
description: {description}
data: {{source: iris}}
objective: {{metric: log_loss}}
trials: {trials}
epochs: {epochs}
labels: {{course: {label}}}
parameters:
  learning_rate: {{low: 1e-4, high: 1e-1, log: true}}
  l2: {{low: 1e-6, high: 1e-2, log: true}}
  hidden_units: {{low: 8, high: 2048, type: int}}
  optimizer: [sgd, adam]
"""


def file_of(
    name: str = "wine", *, trials: int = 40, label: str = "cs231n", description: str = "How fast?"
) -> str:
    """A study file."""
    return FILE.format(
        name=name, trials=trials, epochs=EPOCHS, label=repr(label), description=repr(description)
    )


def a_study(storage: Storage, name: str = "wine", *, n: int = 24, **words: str) -> None:
    """A study that runs, and n trials of it that have ended: every eighth diverged."""
    submit(storage, file_of(name, trials=n + 16, **words))
    trained(storage, name, [_plan(i, n) for i in range(n)], [_result(i) for i in range(n)])


def _plan(i: int, n: int) -> TrialPlan:
    rates = {"learning_rate": 10 ** (-4 + 3 * i / n), "l2": 10 ** (-6 + 4 * ((i * 7) % n) / n)}
    return TrialPlan(
        number=i, params={**rates, "hidden_units": 8 + i % 2000, "optimizer": ("sgd", "adam")[i % 2]}
    )


def _result(i: int) -> TrialResult:
    if i % 8 == 5:
        return TrialResult(number=i, state=TrialState.FAIL, reason="diverged@1", epochs=1)
    value = 0.6 + 0.35 * math.sin(i / 5)
    rows = [(1 / epoch, 1.2 / epoch, value * epoch / EPOCHS) for epoch in range(1, EPOCHS + 1)]
    curve = Curve(
        columns=("train_log_loss", "validation_log_loss", "validation_accuracy"),
        block=array("f", [one for row in rows for one in row]),
    )
    return TrialResult(
        number=i, state=TrialState.COMPLETE, value=value, epochs=EPOCHS, best_epoch=EPOCHS, curve=curve,
        facts={"initial_loss": 1.1}, steps={EPOCHS: value},
    )  # fmt: skip
