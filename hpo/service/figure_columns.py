"""The columns of each figure: how many trials it looks at, and what of them is read."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from hpo.analysis.importance import importances
from hpo.errors import SpecError, UnknownName, suggest
from hpo.figures import curves, heatmap, parallel
from hpo.figures import slice as slices
from hpo.figures.columns import Box, Boxes, Curves, Floats, Heirs, Ints, Pairs, Shares, Spans, Trials
from hpo.figures.sampling import MOST, best_place, ranks
from hpo.service.figure_source import Options, Source, best_number, valued
from hpo.service.populations import POPULATION
from hpo.states import TrialState
from hpo.storage.base import TrialQuery
from hpo.study import COSTS
from hpo.trial import Curve

JUDGED = 2_000  # trials for importances, which come at 0.2 s
CURVE_NUMBERS = 200_000  # epochs of all curves that one figure reads: long ones of fewer trials
FEWEST = 200  # trials, however long their curves
FAMILY = 4_096  # trials of a lineage, where no population says how many
WRITING_S = 0.25  # at most so long after its end a cohort's results are in the database


def history(source: Source, options: Options) -> Trials:
    """All trials."""
    return source.trials(metric=options.metric)


def pareto(source: Source, options: Options) -> Trials:
    """All trials; x, y: metrics of the objectives to stand across and up."""
    if options.x is not None and options.x == options.y:
        raise SpecError(f"must be another one than x, got {options.y[:80]!r} for both", field="y")
    x = options.x
    if x is None and options.y is not None:  # the other one: who is named first stands across
        x = next((one.metric for one in source.objectives if one.metric != options.y), None)
    return source.trials(x=x, y=options.y)


def parallel_(source: Source, options: Options) -> Trials:
    """All trials, and the settings of those that are drawn."""
    trials = source.trials(metric=options.metric)
    return replace(trials, params=source.params(parallel.places(trials)))


def slice_(source: Source, options: Options) -> Trials:
    """All trials, and the settings of thousands of them."""
    trials = source.trials(metric=options.metric)
    return replace(trials, params=source.params(slices.places(trials)))


def heatmap_(source: Source, options: Options) -> tuple[Trials, str | None, str | None]:
    """All trials with two parameters, since any of them may be the best of its cell; x, y: their names."""
    for option, name in (("x", options.x), ("y", options.y)):
        if name is not None and name not in source.space:
            hint = suggest(name[:80], source.space) or f"; there are {', '.join(source.space) or 'none'}"
            raise UnknownName(f"no parameter that is searched is called {name[:80]!r}{hint}", field=option)
    if options.x is not None and options.x == options.y:
        raise SpecError(f"must be another one than x, got {options.y[:80]!r} for both", field="y")
    trials = source.trials(metric=options.metric)
    names = heatmap.sides(list(source.space), options.x, options.y)
    places = np.flatnonzero(trials.counted()).astype(np.int64)
    read = source.params(places, names) if names else {}
    return replace(trials, params=read), options.x, options.y


def importance(source: Source, options: Options) -> Shares:
    """The shares of the parameters, by a sample of the trials that may be the best."""
    trials = source.trials(metric=options.metric)
    counted = np.flatnonzero(trials.counted())
    n = min(len(counted), JUDGED)
    places = counted[np.arange(n) * len(counted) // max(n, 1)].astype(np.int64)
    params = source.params(places)
    seen = [
        (
            {
                name: parameter.external(params[name][place])
                for name, parameter in source.space.items()
                if np.isfinite(params[name][place])
            },
            float(trials.first[place]),
        )
        for place in places
    ]
    distributions = {name: parameter.distribution_json() for name, parameter in source.space.items()}
    found = importances(seen, distributions, minimize=trials.objective.direction.sign > 0)
    return Shares(objective=trials.objective, shares=list(found), n_seen=n, n=len(counted))


def curves_(source: Source, options: Options) -> Curves:
    """Curves of trials evenly from the best to the worst; where none has a value, of some that failed."""
    trials = _measured(source, options)
    best, values = best_number(trials), valued(trials)
    keep = [] if best is None else [int(np.searchsorted(trials.numbers, best))]
    places = ranks(values, curves.MOST_CURVES, keep=keep)
    if not len(places):
        places = np.flatnonzero(np.asarray(trials.states) == TrialState.FAIL.value)[: curves.MOST_CURVES]
    numbers = trials.numbers[places].tolist()
    found = source.storage.curves(source.study.name, numbers)
    read = {number: _column(found[number], "validation", trials) for number in numbers if number in found}
    shown = {number: curve for number, curve in read.items() if curve is not None}
    return Curves(
        objective=trials.objective,
        numbers=list(shown),
        curves=list(shown.values()),
        best=best,
        n=int(np.isfinite(values).sum()) or None,
    )


def scatter(source: Source, options: Options) -> Pairs:
    """Both metrics at the best epoch of many trials, evenly from the best to the worst."""
    trials = _measured(source, options)
    best, values = best_number(trials), valued(trials)
    keep = [] if best is None else [int(np.searchsorted(trials.numbers, best))]
    most = min(MOST, max(FEWEST, CURVE_NUMBERS // max(source.spec.epochs or 1, 1)))
    numbers = trials.numbers[ranks(values, most, keep=keep)].tolist()
    found = source.storage.curves(source.study.name, numbers)
    pairs = [_at_best(found[number], trials) if number in found else (np.nan, np.nan) for number in numbers]
    both = np.array(pairs, dtype=np.float64).reshape(len(numbers), 2)
    n = int(np.isfinite(values).sum())
    return Pairs(
        objective=trials.objective,
        numbers=np.array(numbers, dtype=np.int64),
        train=both[:, 0],
        validation=both[:, 1],
        n=n if n > len(numbers) else None,
    )


def _measured(source: Source, options: Options) -> Trials:
    """All trials by an objective that is measured after each epoch: the first one unless one is named."""
    named = [one.metric for one in source.objectives]
    # What another program reports after each epoch may be called like a cost.
    measured = named if source.study.external else [metric for metric in named if metric not in COSTS]
    metric = options.metric or measured[0]
    if metric in COSTS and metric not in measured:
        raise UnknownName(f"{metric} is no metric of epochs; there are {', '.join(measured)}", field="metric")
    return source.trials(metric=metric)


def _column(curve: Curve, part: str, trials: Trials) -> Floats | None:
    """A curve's metric on a part of the rows; of an external trial what it reported."""
    metric = trials.objective.metric
    name = f"{part}_{metric}" if f"{part}_{metric}" in curve.columns else metric
    if name not in curve.columns or (name == metric and part == "train"):
        return None
    block = np.frombuffer(curve.block, dtype=np.float32).reshape(-1, len(curve.columns))
    return block[:, curve.columns.index(name)].astype(np.float64)


def _at_best(curve: Curve, trials: Trials) -> tuple[float, float]:
    """Train and validation metric at the first epoch with the best of the latter."""
    train, validation = _column(curve, "train", trials), _column(curve, "validation", trials)
    if train is None or validation is None:
        return np.nan, np.nan
    at = best_place(validation, trials.objective.direction.sign)
    if at is None:
        return np.nan, np.nan
    return float(train[at]), float(validation[at])


def timeline(source: Source, _: Options) -> Spans:
    """The cohorts, in as few rows as keep them apart: nobody notes which slot of a worker had which."""
    spans = source.storage.cohort_spans(source.study.name)
    begun = min((span.started_at for span in spans), default=datetime.now(UTC))
    seconds = [(span.started_at - begun).total_seconds() for span in spans]
    ends = [
        np.nan if span.finished_at is None else (span.finished_at - begun).total_seconds() for span in spans
    ]
    now = (datetime.now(UTC) - begun).total_seconds()
    if source.study.driver is None:  # it rests, and nothing trains
        now = max([0.0, *seconds, *(end for end in ends if np.isfinite(end))])
    until = [now if np.isnan(end) else end for end in ends]
    slot, n_slots = rows_apart(seconds, [_free(*bar) for bar in zip(seconds, until, strict=True)])
    return Spans(
        slots=[str(place + 1) for place in range(n_slots)],
        slot=slot,
        cohorts=np.array([span.cohort for span in spans], dtype=np.int64),
        starts=np.array(seconds, dtype=np.float64),
        ends=np.array(ends, dtype=np.float64),
        lanes=np.array([span.lanes for span in spans], dtype=np.int64),
        now=now,
    )


def _free(start: float, end: float) -> float:
    """When a cohort's slot had the next one: before what it brought was written, which is the end that is known."""
    return end - min(WRITING_S, (end - start) / 2)


def rows_apart(starts: Sequence[float], ends: Sequence[float]) -> tuple[Ints, int]:
    """The row of each bar, the first that is free when it begins; and how many rows there are."""
    rows = np.zeros(len(starts), dtype=np.int64)
    busy: list[tuple[float, int]] = []
    free: list[int] = []
    n_rows = 0
    for place in np.argsort(np.array(starts, dtype=np.float64), kind="stable").tolist():
        while busy and busy[0][0] <= starts[place]:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if not free:
            heapq.heappush(free, n_rows)
            n_rows += 1
        rows[place] = heapq.heappop(free)
        heapq.heappush(busy, (ends[place], int(rows[place])))
    return rows, n_rows


def rounds(source: Source, _: Options) -> Boxes:
    """What the sampler noted of its rounds."""
    boxes = [
        _box(record["round"], name, box, source)
        for record in source.study.notes.get("rounds", ())
        for name, box in record["box"].items()
        if name in source.space
    ]
    return Boxes(parameters=source.space, boxes=boxes)


def _box(round_: int, name: str, box: Mapping[str, Any], source: Source) -> Box:
    if "choices" not in box:
        return Box(round=round_, name=name, low=box["low"], high=box["high"])
    parameter = source.space[name]
    places = [int(parameter.internal(one)) for one in box["choices"] if parameter.contains(one)]
    return Box(round=round_, name=name, choices=tuple(places))


def lineage(source: Source, _: Options) -> Heirs:
    """The population of the best trial: those beside which it trained."""
    if source.spec.pruner.name != POPULATION:
        return Heirs(epochs={}, steps=[])
    size = source.spec.pruner.bracket or FAMILY
    best = best_number(source.trials())
    query = TrialQuery(limit=size, offset=(best or 0) // size * size, unread=("params", "facts"))
    found = source.storage.trials(source.study.name, query)
    steps = [(step.epoch, step.source, trial.number) for trial in found for step in trial.lineage]
    return Heirs(epochs={trial.number: trial.epochs for trial in found}, steps=steps, best=best)
