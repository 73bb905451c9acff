"""The study files of the rounds: one of each kind, small enough that four of them end within half a minute."""

from __future__ import annotations

COMMON = """
name: NAME
data: {source: iris}
objective: {metric: log_loss}
limits: {retries: 100, parallel: 32}
epochs: EPOCHS
"""
RANGES = """
trials: TRIALS
parameters:
  learning_rate: {low: 1e-4, high: 1e+3, log: true}
  dropout: {low: 0.0, high: 0.5}
  optimizer: [sgd, momentum, adam]
  hidden_units: [5, 23]
"""
POINTS = """
parameters:
  learning_rate: RATES
  l2: [0.0, 0.0001, 0.001, 0.01, 0.1]
  activation: [relu, tanh, sigmoid, elu, linear]
  hidden_units: 7
"""
STUDIES = {
    "random": RANGES
    + "early_stopping: {patience: 4}\n"
    + "enqueue: [{learning_rate: 1e-2, optimizer: sgd}, {dropout: 0.25}]\n",
    "grid": POINTS + "sampler: {name: grid}\nenqueue: [{l2: 0.1, activation: relu}]\n",
    "halving": RANGES + "pruner: {name: halving, min_epochs: 2, bracket: 16}\n",
    "tpe": RANGES + "sampler: {name: tpe, batch: 16}\n",
}


def kind_of(name: str) -> str:
    """The kind of a study, after which it is named: `random`, or `random-2`."""
    return name.partition("-")[0]


def file_of(name: str, *, trials: int, epochs: int) -> str:
    """The file of the study of this name; a grid has about as many points as others have trials."""
    rates = [round(0.001 * 1.3**place, 6) for place in range(max(1, trials // 25))]
    written = {"NAME": name, "TRIALS": trials, "EPOCHS": epochs, "RATES": rates}
    text = COMMON + STUDIES[kind_of(name)]
    for word, value in written.items():
        text = text.replace(word, str(value))
    return text
