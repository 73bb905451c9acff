"""The verb check: what can be known of a network on a data set before a search."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from hpo.cli import session
from hpo.cli.cells import cell
from hpo.cli.output import Format, FormatOption, QuietOption, fit, say, write_record
from hpo.cli.running import say_data
from hpo.cli.searching import (
    DataOption,
    FileArgument,
    SeedOption,
    SetOption,
    SpaceOption,
    TargetOption,
    draft,
)
from hpo.errors import SpecError, StudyFailed

if TYPE_CHECKING:
    from hpo.coordinator.planner import ReadyTrial
    from hpo.dataset import PreparedData
    from hpo.fused.checks import Memorised, RateTest, Start
    from hpo.study import StudySpec

BARS = "▁▂▃▄▅▆▇█"


def check(
    file: FileArgument = None,
    data: DataOption = None,
    target: TargetOption = None,
    space: SpaceOption = None,
    seed: SeedOption = None,
    set_: SetOption = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> int:
    """Before a search: is the first loss that of chance, can 20 rows be memorised, which learning rates work."""
    if file is None and data is None:
        raise SpecError("give a data set with --data (`hpo data ls` shows those there are), or a study file")
    from hpo.coordinator.planner import Resolver
    from hpo.service import datasets, submit

    asked = draft(file, data, target, space, set_, seed=seed)
    left_out = tuple(asked.spec.parameters.searched)
    asked = replace(asked, spec=_only_fixed(asked.spec))
    with ExitStack() as stack:
        prepared = datasets.prepared(
            asked.spec,
            scalings=submit.scalings_of(asked.spec),
            folder=asked.folder,
            storage=session.opener(stack),
        )
    say_data(asdict(prepared.info), quiet=quiet)
    if left_out:
        say(f"searched parameters stand at their defaults: {', '.join(left_out)}", quiet=quiet)
    trial = Resolver(asked.spec, prepared.info).resolve(0, {})
    say(f"checked: {cell(_network(trial))}", quiet=quiet)
    memory, start, rates = _checked(trial, prepared, asked.spec.seed)
    record = {**_record(memory, start, rates), "network": _network(trial)}
    write_record(record, format, fit_lines(memory, start, rates))
    return 0 if record["passed"] else StudyFailed.exit_code


def _only_fixed(spec: StudySpec) -> StudySpec:
    """The study without what is searched: one setting."""
    from hpo.space import SearchSpace

    fixed = {
        name: parameter
        for name, parameter in spec.parameters.parameters.items()
        if name in spec.parameters.fixed and not parameter.when
    }
    return replace(spec, parameters=SearchSpace(fixed))


def _network(trial: ReadyTrial) -> dict[str, Any]:
    """What stands fast in all checks."""
    return {
        "hidden_units": "-".join(map(str, trial.lane.hidden)) or "none",
        "activation": trial.lane.activation,
        "initializer": trial.lane.initializer,
        "optimizer": trial.lane.optimizer,
        "batch_size": trial.shared.batch_size,
    }


def _checked(trial: ReadyTrial, prepared: PreparedData, seed: int) -> tuple[Memorised, Start, RateTest]:
    """All checks, on the first device there is."""
    from hpo.workers.child import ENVIRONMENT

    os.environ.update(ENVIRONMENT)  # torch reads it when it is first imported, here below
    from hpo.fused import checks
    from hpo.fused.device import prepare_process
    from hpo.workers.devices import worker_devices

    prepare_process()
    device = worker_devices(1, session.settings().device)[0]
    rows = prepared.scaled[trial.shared.scaling].training
    memory = checks.memorise(trial.shared, trial.lane, rows, seed=seed, device=device)
    return memory, *checks.try_rates(trial.shared, trial.lane, rows, seed=seed, device=device)


def _record(memory: Memorised, start: Start, rates: RateTest) -> dict[str, Any]:
    """What `hpo check -f json` prints."""
    points = zip(rates.rates, rates.losses, strict=True)
    suggested = {"low": rates.low, "high": rates.high, "log": True} if rates.passed else None
    found = {name: getattr(rates, name) for name in ("start", "steps", "best", "steepest", "edge")}
    return {
        "passed": memory.passed and start.passed and rates.passed,
        "memorised": {"passed": memory.passed, **asdict(memory)},
        "first_loss": {"passed": start.passed, **asdict(start)},
        "learning_rates": {
            "passed": rates.passed,
            **found,
            "points": [{"learning_rate": rate, "loss": loss} for rate, loss in points],
            "learning_rate": suggested,
        },
    }


def fit_lines(memory: Memorised, start: Start, rates: RateTest) -> str:
    """The same as people read it."""
    import sys

    sections = [
        ("first loss", start.passed, [_start_text(start)]),
        (f"{memory.n_rows} rows by heart", memory.passed, _memory_text(memory)),
        ("learning rates", rates.passed, _rates_text(rates)),
    ]
    lines = []
    for name, passed, texts in sections:
        lines.append(f"{name}: {'passed' if passed else 'FAILED'}")
        lines += [f"  {text}" for text in texts]
    return fit("\n".join(lines), sys.stdout)


def _start_text(start: Start) -> str:
    begins = "it is no finite number" if start.initial is None else f"it is {start.initial:.3g}"
    text = (
        f"{begins}; outputs of zero cost {start.untrained:.3g}, the best constant answer {start.chance:.3g}"
    )
    if start.passed:
        return text
    return f"{text}; the first outputs are too large: look at scaling, initializer and init_scale"


def _memory_text(memory: Memorised) -> list[str]:
    what = f"{memory.metric} {memory.goal:g} without regularisation"
    texts = []
    if memory.learning_rate is None:
        best = "no number" if memory.value is None else f"{memory.value:.3g}"
        texts.append(f"{what} was not reached in {memory.steps:,} steps at any learning rate: {best} at best")
        texts.append(
            f"{memory.conflicts} of the {memory.n_rows} rows have the inputs of another row and a different "
            "target: nothing can tell them apart; look at the columns that were left out"
            if memory.conflicts
            else "look at initializer, activation, the size of the network, scaling and gradient cut-offs; "
            "then at the data"
        )
        return texts
    texts.append(f"{what} after {memory.steps:,} steps with learning_rate {memory.learning_rate:.2g}")
    if memory.learning_rate != memory.own_rate:
        texts.append(f"not with {memory.own_rate:g}, the one that was set: look at the learning rates below")
    return texts


def _rates_text(rates: RateTest) -> list[str]:
    first, last = rates.rates[0], rates.rates[-1]
    texts = [
        f"loss on training rows after {rates.steps:,} steps; x where it is above {rates.start:.3g} or diverged",
        f"{first:g} {spark(rates.losses, rates.start)} {last:g}",
    ]
    if rates.best is None:
        texts.append(
            "it falls at none of them: look at the data and the target, then at initializer and activation"
        )
        return texts
    least = rates.losses[rates.rates.index(rates.best)]
    edge = "no rate is too high" if rates.edge is None else f"too high from {rates.edge:.2g} on"
    texts.append(
        f"lowest, {least:.3g}, at {rates.best:.2g}; falls fastest near {rates.steepest:.2g}, {edge}; search in"
    )
    texts.append(f"learning_rate: {{low: {rates.low:g}, high: {rates.high:g}, log: true}}")
    return texts


def spark(values: Sequence[float | None], top: float) -> str:
    """A line of bars from the least value to the top; x for what is above it or no number.

    >>> spark([2.5, 2.0, 1.0, 0.0, None], 2.0)
    'x█▅▁x'
    """
    known = [value for value in values if value is not None and value <= top]
    low = min(known, default=top)
    height = (top - low) or 1.0

    def bar(value: float | None) -> str:
        if value is None or value > top:
            return "x"
        return BARS[math.floor((value - low) / height * (len(BARS) - 1) + 0.5)]

    return "".join(map(bar, values))
