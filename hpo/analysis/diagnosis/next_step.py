"""The study to run next: the study file with what the findings ask for changed, and nothing else."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from math import inf
from typing import Any

from hpo.analysis.diagnosis.illnesses import Finding, Severity
from hpo.analysis.diagnosis.learning import FEWEST_EPOCHS
from hpo.analysis.diagnosis.study import illnesses_of, legal_ends
from hpo.hyperparams import HYPERPARAMETERS, KINDS
from hpo.space import Params
from hpo.study import EXTERNAL, MAX_EPOCHS, MAX_REPEATS, MAX_TRIALS

Tree = dict[str, Any]  # a study file as plain JSON types
Change = Callable[[Tree], None]

ADAPTIVE = ("tpe", "cmaes", "gp", "nsga2")  # samplers that learn from finished trials, and so from warm_start
POPULATION = "population"
LONGEST_NAME = 64
_SUFFIX = re.compile(r"-next(-[0-9]+)?$")
GRID_POINTS = 5
HALF_A_DECADE = 10**0.5


def next_study(
    tree: Mapping[str, Any], findings: Sequence[Finding], best: Params, *, name: str, taken: Collection[str]
) -> Tree:
    """The study file to try next.

    tree: the study file, completed; best: params of its best trial; name: of the study; taken: names in use
    The sampler's seed is the next one, or it would propose the same places again; the split stays as it was,
    so that values can be compared.
    """
    new = copy.deepcopy(dict(tree))
    if any(finding.severity is Severity.SEVERE for finding in findings):  # first well, then sure
        findings = [finding for finding in findings if finding.severity is not Severity.NOTE]
    new["name"] = next_name(name, taken)
    known = _ELSEWHERE if tree.get("trainer") == EXTERNAL else _CHANGES
    wanted = [change for code in illnesses_of(findings) for change in known.get(code, ())]
    if not best and _LOW in wanted:  # every rate of the range was too high
        wanted.insert(0, _FAR_LOW)
        wanted = [change for change in wanted if change is not _LOW]
    for change in dict.fromkeys(wanted):  # two illnesses may ask for one change
        change(new)
    if {_LOW, _HIGH} & set(wanted):
        _stay_near(new, tree["parameters"], best)
    for finding in findings:
        if finding.code == "at_edge":
            _move(new, finding, tree["parameters"])
        elif finding.code == "does_not_matter":
            _fix(new, str(finding.numbers["parameter"]), best)
    _forget_conditions(new["parameters"])
    new.pop("enqueue", None)  # they have been tried, and may lie outside the ranges now
    sampler = new.setdefault("sampler", {"name": "random"})
    if sampler.get("name") == "grid":
        new.pop("trials", None)  # all points of the grid
        _points(new)
    else:
        sampler["seed"] = int(sampler.get("seed", new.get("seed", 0))) + 1
    if sampler.get("name") in ADAPTIVE:
        new["warm_start"] = [name]
    return new


def stem_of(name: str) -> str:
    """A study's name without the suffix of an earlier step.

    >>> stem_of("wine-next-2"), stem_of("my-nextgen")
    ('wine', 'my-nextgen')
    """
    return _SUFFIX.sub("", name)


def next_name(name: str, taken: Collection[str]) -> str:
    """The study's name with a suffix that is free.

    >>> next_name("wine", []), next_name("wine", ["wine-next"]), next_name("wine-next", [])
    ('wine-next', 'wine-next-2', 'wine-next-2')
    """
    stem, counter = stem_of(name), 1
    while True:
        suffix = "-next" if counter == 1 else f"-next-{counter}"
        new = stem[: LONGEST_NAME - len(suffix)] + suffix
        if new != name and new not in taken:
            return new
        counter += 1


def _move(tree: Tree, finding: Finding, written: Mapping[str, Any]) -> None:
    """An end at which the best crowd goes a decade or a width further, as far as the hyperparameter may."""
    name = str(finding.numbers["parameter"])
    one = tree["parameters"].get(name)
    if one != written[name]:  # another illness has changed it
        return
    low, high, log = one["low"], one["high"], one.get("log", False)
    least, most = legal_ends(name)
    if tree.get("trainer") == EXTERNAL:  # what its program takes is not known: no other sign than was written
        least, most = (-inf if low < 0 else 0.0), (inf if high > 0 else 0.0)
    if name == "hidden_units":
        most = min(most, _widest(tree["parameters"]))
    whole = one.get("type") == "int" or (name in HYPERPARAMETERS and KINDS[name] == "int")
    if finding.numbers["end"] == "lowest":
        moved = _tidy(max(low / 10 if log else 2 * low - high, least), whole)
        moved = moved if moved >= least else _tidy((low + least) / 2, whole)
        one["low"] = low if log and moved <= 0 else moved
    else:
        moved = _tidy(min(high * 10 if log else 2 * high - low, most), whole)
        # An end that is no legal value itself, such as dropout 1: half of the way there.
        one["high"] = moved if moved <= most else _tidy((high + most) / 2, whole)


def _tidy(value: float, whole: bool) -> float:
    return round(value) if whole else float(f"{value:.4g}")


def _fix(tree: Tree, name: str, best: Params) -> None:
    """A parameter that does not matter gets the best trial's value, unless others depend on it."""
    parameters = tree["parameters"]
    needed = {other for one in parameters.values() if isinstance(one, dict) for other in one.get("when", {})}
    if name in best and name not in needed and len(_searched(parameters)) > 1:
        when = parameters[name].get("when") if isinstance(parameters[name], dict) else None
        parameters[name] = {"value": best[name], "when": when} if when else best[name]


def _forget_conditions(parameters: Tree) -> None:
    """Parameters that counted only under values which are gone go too, and then those that hung on them."""
    for name, one in list(parameters.items()):
        for other, values in (one.get("when", {}) if isinstance(one, dict) else {}).items():
            one["when"][other] = [value for value in values if _may_be(parameters.get(other), value)]
            if not one["when"][other]:
                del parameters[name]
                return _forget_conditions(parameters)


def _may_be(one: Any, value: Any) -> bool:
    """Whether a written parameter may have a value."""
    choices = _choices(one)
    if choices is not None:
        return value in choices
    return isinstance(value, int | float) and bool(one["low"] <= value <= one["high"])


def _choices(one: Any) -> list[Any] | None:
    """What a written parameter may be; None for a range, and nothing for one that is not there."""
    if isinstance(one, list):
        return one
    if isinstance(one, dict):
        return None if "low" in one else one.get("choices", [one.get("value")])
    return [] if one is None else [one]


def _searched(parameters: Mapping[str, Any]) -> list[str]:
    """The names of parameters that may have more than one value."""
    return [name for name, one in parameters.items() if (_choices(one) or [0, 1])[1:]]


def _rates(down: bool, *, beyond: bool = False) -> Change:
    """Learning rates lower or higher: a range is moved by a decade, a single rate becomes a range beyond it.

    beyond: a range too becomes one beyond itself
    """

    def change(tree: Tree) -> None:
        if tree.get("trainer") == EXTERNAL and "learning_rate" not in tree["parameters"]:
            return  # only its trainer knows what its parameters are
        one = tree["parameters"].get("learning_rate", HYPERPARAMETERS["learning_rate"].default)
        if not _are_rates(one):
            return
        low, high = _ends(one)
        low = low or high / 1000  # a range that begins at 0 has no decades
        if down:
            ends = (low / 100, low / 3) if beyond or low == high else (low / 10, (low * high) ** 0.5)
        else:
            ends = (high * 3, high * 1000) if low == high else ((low * high) ** 0.5, high * 10)
        tree["parameters"]["learning_rate"] = _range(one, *ends)

    return change


def _stay_near(tree: Tree, written: Mapping[str, Any], best: Params) -> None:
    """A range of rates that was moved goes no further than a decade from the best trial's, and half of one at least:
    the others were wrong, and how wrong the best one is it says itself."""
    rate, before = best.get("learning_rate"), written.get("learning_rate")
    if rate is None or before is None or not _are_rates(before) or len(set(_ends(before))) == 1:
        return
    one = tree["parameters"]["learning_rate"]
    low = min(max(one["low"], float(rate) / 10), float(rate) / HALF_A_DECADE)
    high = max(min(one["high"], float(rate) * 10), float(rate) * HALF_A_DECADE)
    tree["parameters"]["learning_rate"] = _range(one, low, high)


def _are_rates(one: Any) -> bool:
    """Whether a written parameter has numbers of 0 and more: the learning_rate of another program may be anything."""
    values = [one["low"], one["high"]] if isinstance(one, dict) and "low" in one else _choices(one) or []
    numbers = [value for value in values if type(value) in (int, float)]
    return len(numbers) == len(values) and min(numbers, default=-1) >= 0 < max(numbers, default=0)


def _ends(one: Any) -> tuple[float, float]:
    """The least and the greatest value that a written parameter may take."""
    if isinstance(one, dict) and "low" in one:
        return one["low"], one["high"]
    values = _choices(one) or []
    return min(values), max(values)


def _range(one: Any, low: float, high: float) -> dict[str, Any]:
    """A log range in place of a written parameter, under the same condition."""
    when = {"when": one["when"]} if isinstance(one, dict) and one.get("when") else {}
    return {"low": float(f"{low:.4g}"), "high": float(f"{high:.4g}"), "log": True, **when}


def _put(**parameters: Any) -> Change:
    """Parameters as given, in place of what is written."""
    return lambda tree: tree["parameters"].update(copy.deepcopy(parameters))


def _add(**parameters: Any) -> Change:
    """Parameters that the study does not have yet."""
    return lambda tree: tree["parameters"].update(
        copy.deepcopy({name: one for name, one in parameters.items() if name not in tree["parameters"]})
    )


def _grow(tree: Tree) -> None:
    """Larger networks: from what was the largest to eight times that, in one to three layers."""
    parameters = tree["parameters"]
    units = parameters.get("hidden_units", HYPERPARAMETERS["hidden_units"].default)
    try:
        largest = int(_ends(units)[1])
    except (TypeError, ValueError):  # widths by layer, or a rule
        largest = 64
    largest, widest = max(largest, 4), _widest(parameters)
    if tree.get("pruner", {}).get("name") == POPULATION:  # its trials train as one cohort, all of one size
        parameters |= {"hidden_units": min(4 * largest, widest), "hidden_layers": 2}
        return
    parameters["hidden_units"] = {"low": min(largest, widest), "high": min(8 * largest, widest), "log": True}
    parameters["hidden_layers"] = [1, 2, 3]


def _widest(parameters: Tree) -> int:
    """Units of the widest layer that there may be; one of maxout is several linear ones."""
    most = int(HYPERPARAMETERS["hidden_units"].high)
    if "maxout" not in (_choices(parameters.get("activation")) or ()):
        return most
    pieces = parameters.get("maxout_pieces", HYPERPARAMETERS["maxout_pieces"].default)
    return most // int(_ends(pieces)[1])


def _without_dropout(tree: Tree) -> None:
    for name in ("dropout", "input_dropout"):
        tree["parameters"].pop(name, None)


def _times(key: str, factor: int, most: int) -> Change:
    """A number of the study file made larger."""

    def change(tree: Tree) -> None:
        tree[key] = min(most, factor * int(tree.get(key, 1)))

    return change


def _train_longer(tree: Tree) -> None:
    """Twice the epochs, of those that are searched the most, and enough to tell how a trial learned."""
    searched = tree["parameters"].pop("epochs", None)
    epochs = int(tree.get("epochs", 50)) if searched is None else int(_ends(searched)[1])
    tree["epochs"] = min(MAX_EPOCHS, 2 * max(epochs, FEWEST_EPOCHS))


def _stop_early(tree: Tree) -> None:
    if "early_stopping" not in tree and not {"patience", "min_delta"} & tree["parameters"].keys():
        tree["early_stopping"] = {"patience": max(2, int(tree.get("epochs", 50)) // 5)}


def _points(tree: Tree) -> None:
    """A grid needs points on every range."""
    for one in tree["parameters"].values():
        if isinstance(one, dict) and "low" in one and not {"num", "step"} & one.keys():
            one["num"] = GRID_POINTS


_LOW, _FAR_LOW, _HIGH = _rates(down=True), _rates(down=True, beyond=True), _rates(down=False)
_RELUS = _put(activation=["relu", "leaky_relu", "elu"], initializer="he_normal")
# Illness -> what changes in the study file. Those that name a parameter are in _move and _fix.
_CHANGES: dict[str, tuple[Change, ...]] = {
    "diverged": (_LOW,),
    "rate_too_high": (_LOW,),
    "rate_too_low": (_HIGH,),
    "vanishing_gradients": (_RELUS,),
    "dead_units": (_put(activation=["leaky_relu", "elu"], bias_init=0.01),),
    "saturated_units": (_put(activation=["relu", "tanh"], initializer="glorot_uniform"),),
    "bad_first_loss": (_put(initializer=["he_normal", "glorot_uniform"]),),
    "underfit": (_grow, _without_dropout),
    "overfit": (
        _stop_early,
        _add(l2={"low": 1e-5, "high": 1e-1, "log": True}, dropout={"low": 0.0, "high": 0.5}),
    ),
    "told_apart": (_times("repeats", 3, MAX_REPEATS),),
    "few_trials": (_times("trials", 2, MAX_TRIALS),),
    "few_epochs": (_train_longer,),
    "too_short": (_train_longer,),
}
# Of trials that another program trains: what it makes of other hyperparameters only that program knows.
_ELSEWHERE = {code: _CHANGES[code] for code in ("diverged", "few_trials")}
