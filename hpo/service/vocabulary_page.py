"""Write the reference page of all hyperparameters from their tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from hpo.hyperparams import (
    HYPERPARAMETERS,
    INITIALIZER_SCALES,
    OPTIMIZER_KNOBS,
    SCHEDULE_KNOBS,
    Hyperparameter,
)
from hpo.relevance import READ_BY

GROUPS: dict[str, tuple[str, ...]] = {
    "Network": (
        "hidden_layers",
        "hidden_units",
        "samples_alpha",
        "activation",
        "negative_slope",
        "elu_alpha",
        "maxout_pieces",
        "batch_norm",
        "dropout",
        "input_dropout",
    ),
    "Initial weights": ("initializer", "init_scale", "init_mode", "init_distribution", "bias_init"),
    "Loss": ("loss", "huber_delta", "label_smoothing", "class_weight"),
    "Optimizer": (
        "optimizer",
        "learning_rate",
        "momentum",
        "beta1",
        "beta2",
        "rho",
        "epsilon",
        "centered",
    ),
    "Regularisation": ("l1", "l2", "weight_decay"),
    "Gradient cut-off": ("clip_norm", "clip_value", "skip_norm"),
    "Learning rate schedule": (
        "schedule",
        "step_epochs",
        "decay",
        "rate_floor",
        "cycle_epochs",
        "cyclic_mode",
        "warmup_epochs",
    ),
    "Loop": ("batch_size", "epochs", "patience", "min_delta"),
    "Inputs": ("scaling", "pca_components"),
}
# Defaults that are no value of the table; those of knobs come from the tables of who reads them.
DERIVED = {
    "initializer": "he_normal; lecun_normal for selu; glorot_uniform for linear, sigmoid and tanh",
    "loss": "cross_entropy, binary_cross_entropy or mse, by task",
    "clip_norm": "off",
    "clip_value": "off",
    "skip_norm": "off",
    "patience": "off",
    "scaling": "standardize; minmax for images",
    "pca_components": "all",
}
_INTRO = """\
# Hyperparameters

<!-- Written from the tables in hpo/hyperparams.py by `make docs`: change those. -->

What may stand under `parameters` in a study file: as a value, a list of choices, or a range
`{low: …, high: …, log: true}`. Every one of them can be searched. Those marked *own* may differ between trials that
train together as one tensor program; trials that differ in a *shared* one train in different cohorts, which costs time
and changes no result. A range of `hidden_units` is cheap all the same: trials of one rung of a fixed ladder of widths
share a cohort.

Formulas and defaults of optimizers are those of torch.optim, of initializers those of Keras.

With `trainer: external` parameters have any names and only whoever trains knows what they mean; a range under a name
of this page is of its kind all the same ([Train elsewhere](../howto/external-trainer.md)).
"""


def page() -> str:
    """The page in Markdown."""
    parts = [_INTRO]
    for title, names in GROUPS.items():
        rows = [_row(name, HYPERPARAMETERS[name]) for name in names]
        parts.append(f"## {title}\n\n{_table(('name', 'values', 'default', 'cohort', 'meaning'), rows)}")
    parts += [
        _knobs("What an optimizer reads", "optimizer", OPTIMIZER_KNOBS, "`weight_decay` is read by all."),
        _knobs("What a schedule reads", "schedule", SCHEDULE_KNOBS, "`warmup_epochs` is read by all."),
        f"## What counts only beside something else\n\n{_relevance()}",
    ]
    return "\n".join(parts)


def _row(name: str, h: Hyperparameter) -> tuple[str, ...]:
    return f"`{name}`", values_in_words(h), _default(name, h), "own" if h.fusible else "shared", h.doc


def values_in_words(h: Hyperparameter) -> str:
    """What a hyperparameter may be.

    >>> values_in_words(HYPERPARAMETERS["dropout"]), values_in_words(HYPERPARAMETERS["batch_size"])
    ('at least 0, below 1', 'whole, 1 to 1,000,000')
    """
    if h.kind == "flag":
        return "true, false"
    if h.kind == "choice":
        return ", ".join(h.choices)
    whole = "whole, " if h.kind != "float" else ""
    ends = []
    if math.isfinite(h.low) and math.isfinite(h.high) and not (h.low_open or h.high_open):
        return f"{whole}{_number(h.low)} to {_number(h.high)}"
    if math.isfinite(h.low):
        ends.append(f"{'above' if h.low_open else 'at least'} {_number(h.low)}")
    if math.isfinite(h.high):
        ends.append(f"{'below' if h.high_open else 'at most'} {_number(h.high)}")
    return whole + (", ".join(ends) or "any number")


def _number(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not value.is_integer():
        return f"{value:g}"
    return f"{int(value):,}" if isinstance(value, int | float) else str(value)


def _default(name: str, h: Hyperparameter) -> str:
    if h.default is not None:
        return _number(h.default)
    if name in DERIVED:
        return DERIVED[name]
    if name == "init_scale":
        return _by_reader(INITIALIZER_SCALES)
    tables = (OPTIMIZER_KNOBS, SCHEDULE_KNOBS)
    found = {who: knobs[name] for table in tables for who, knobs in table.items() if name in knobs}
    return f"{'0; ' if name == 'weight_decay' else ''}{_by_reader(found)}"


def _by_reader(values: Mapping[str, object]) -> str:
    """The value of each reader, the readers of one value together."""
    groups: dict[object, list[str]] = {}
    for who, value in values.items():
        groups.setdefault(value, []).append(who)
    return "; ".join(f"{_number(value)} for {', '.join(who)}" for value, who in groups.items())


def _knobs(title: str, what: str, table: Mapping[str, Mapping[str, object]], note: str) -> str:
    rows = [
        (who, ", ".join(f"`{knob}` {_number(value)}" for knob, value in knobs.items()) or "nothing else")
        for who, knobs in table.items()
    ]
    return f"## {title}\n\n{_table((what, 'reads, with its default'), rows)}\n{note}\n"


def _relevance() -> str:
    rows = [(f"`{name}`", f"`{r.selector}`: {r.words}") for name, r in READ_BY.items()]
    after = "`hpo validate` notes a hyperparameter that no trial of a study reads.\n"
    return f"{_table(('name', 'counts where'), rows)}\n{after}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
