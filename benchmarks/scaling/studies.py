"""A mix of studies as a busy server has them: random search, grids, halving, and here and there a tpe."""

from __future__ import annotations

from collections.abc import Iterator

# Of every 25 studies so many; tpe learns from its trials one after another, so nobody gives it many.
MIX = {"random": 15, "grid": 5, "halving": 4, "tpe": 1}
MOST_TPE = 1_000
SPACE = """
parameters:
  learning_rate: {low: 1e-4, high: 1e-1, log: true, num: 50}
  l2: {low: 1e-6, high: 1e-2, log: true, num: 40}
  dropout: {low: 0.0, high: 0.5, num: 25}
  optimizer: [sgd, momentum, rmsprop, adam]
  hidden_layers: 2
  hidden_units: 64
  batch_size: 64
"""
KINDS = {
    "random": "sampler: {name: random}",
    "grid": "sampler: {name: grid}",
    "halving": "sampler: {name: random}\npruner: {name: halving, min_epochs: 2, factor: 3}",
    "tpe": "sampler: {name: tpe}",
}


def kinds(n: int) -> list[str]:
    """The kinds of n studies, mixed evenly.

    >>> kinds(4)
    ['random', 'grid', 'halving', 'random']
    """
    given = dict.fromkeys(MIX, 0)
    chosen = []
    for place in range(1, n + 1):
        share = sum(MIX.values())
        kind = max(MIX, key=lambda kind: MIX[kind] * place / share - given[kind])
        given[kind] += 1
        chosen.append(kind)
    return chosen


def files(n: int, trials: int, epochs: int, only: str | None = None) -> Iterator[str]:
    """Study files of n studies with so many trials in all."""
    wanted = [only] * n if only else kinds(n)
    n_tpe = wanted.count("tpe")
    each_tpe = min(MOST_TPE, trials // n)
    others = n - n_tpe
    left = trials - n_tpe * each_tpe
    over = left % others if others else 0  # one more for so many
    for place, kind in enumerate(wanted):
        size = each_tpe
        if kind != "tpe":
            size, over = left // others + (over > 0), over - 1
        yield (
            f"name: {kind}-{place}\nseed: {place}\ndata: {{source: digits, split: {{seed: 0}}}}\n"
            f"objective: {{metric: log_loss}}\ntrials: {size}\nepochs: {epochs}\n{KINDS[kind]}\n{SPACE}"
        )
