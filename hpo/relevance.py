"""Which hyperparameter counts only under certain values of another, and which of a search space never count."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from hpo.hyperparams import HYPERPARAMETERS, INITIALIZER_SCALES, OPTIMIZER_KNOBS, SCHEDULE_KNOBS
from hpo.space import Choice, Fixed, SearchSpace, Value

Values = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Readers:
    """A hyperparameter counts only where `selector` has one of these values; words: how to say them."""

    selector: str
    values: Container[Value]
    words: str


def _readers(selector: str, *names: str) -> Readers:
    return Readers(selector, names, listed(names, "or"))


def _of_table(selector: str, table: Mapping[str, Mapping[str, object]]) -> dict[str, Readers]:
    """The readers of each knob of a table NAME -> its knobs."""
    knobs = dict.fromkeys(knob for read in table.values() for knob in read)
    return {
        knob: _readers(selector, *(name for name, read in table.items() if knob in read)) for knob in knobs
    }


def listed(words: tuple[Value, ...], last: str) -> str:
    """Words as a sentence lists them.

    >>> listed(("adam", "nadam", "adamw"), "or")
    'adam, nadam or adamw'
    """
    names = [str(word) for word in words]
    return f"{', '.join(names[:-1])} {last} {names[-1]}" if len(names) > 1 else "".join(names)


_SOME_LAYER = Readers("hidden_layers", range(1, 17), "1 or more")

# Every optimizer reads weight_decay, whatever its default, so it is not among them.
READ_BY: dict[str, Readers] = {
    **{knob: r for knob, r in _of_table("optimizer", OPTIMIZER_KNOBS).items() if knob != "weight_decay"},
    **_of_table("schedule", SCHEDULE_KNOBS),
    "init_scale": _readers("initializer", *INITIALIZER_SCALES),
    "init_mode": _readers("initializer", "variance_scaling"),
    "init_distribution": _readers("initializer", "variance_scaling"),
    "negative_slope": _readers("activation", "leaky_relu"),
    "elu_alpha": _readers("activation", "elu"),
    "maxout_pieces": _readers("activation", "maxout"),
    "huber_delta": _readers("loss", "huber"),
    "pca_components": _readers("scaling", "pca", "whiten"),
    "samples_alpha": _readers("hidden_units", "samples"),
    "hidden_units": _SOME_LAYER,
    "activation": _SOME_LAYER,
    "batch_norm": _SOME_LAYER,
    "dropout": _SOME_LAYER,
}


@dataclass(frozen=True, slots=True)
class Unread:
    """A hyperparameter of a search space that not every trial reads.

    found: the values its selector can have there; reading: those of them under which it counts
    """

    name: str
    readers: Readers
    found: Values
    reading: Values


def unread(space: SearchSpace, defaults: Mapping[str, Value]) -> list[Unread]:
    """The hyperparameters that change nothing in some trials of the space, or in all.

    defaults: of the selectors whose default depends on the data
    """
    found = []
    for name in space.parameters:
        readers = READ_BY.get(name)
        if readers is None:
            continue
        values = _values_beside(space, name, readers.selector, defaults)
        reading = tuple(value for value in values or () if value in readers.values)
        if values is not None and len(reading) < len(values):
            found.append(Unread(name, readers, values, reading))
    return found


def _values_beside(
    space: SearchSpace, name: str, selector: str, defaults: Mapping[str, Value]
) -> Values | None:
    """What a selector can be in the trials that have the hyperparameter; None: too many to say."""
    default = defaults.get(selector, HYPERPARAMETERS[selector].default)
    parameter = space.parameters.get(selector)
    if selector == "hidden_layers" and parameter is None:
        return None  # hidden_units may say it with dashes
    if parameter is None:
        return (default,)
    if not isinstance(parameter, Choice | Fixed):
        return None
    values = parameter.choices if isinstance(parameter, Choice) else (parameter.value,)
    only = space.parameters[name].when.get(selector)
    if only is not None:
        return tuple(only)
    return (*values, default) if parameter.when else values
