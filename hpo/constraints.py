"""Conditions that a study's trials must meet: arithmetic over hyperparameters and results, compared with a bound.

In a study file an expression stands before what it is compared with, `n_parameters: "<= 200000"` or
`"hidden_units * hidden_layers": "<= 512"`; several comparisons of one expression are divided by commas.
Only numbers, names, + - * / ** and brackets are understood: nothing is ever executed.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from hpo.errors import SpecError, UnknownName, suggest
from hpo.hyperparams import HYPERPARAMETERS
from hpo.study import COSTS, METRICS

MAX_TEXT = 200  # letters of an expression: deeper nesting than anybody means is not read

# What a trial has shown when it ends, by name -> column of its curve, as it stands at the best epoch.
CURVE_COLUMNS: dict[str, str] = {
    **{name: f"validation_{name}" for name in METRICS},
    **{f"train_{name}": f"train_{name}" for name in METRICS},
    "train_loss": "train_loss",
    "validation_loss": "validation_loss",
}
# The costs that are known only when a trial has ended; n_parameters is known before.
SPENT = tuple(name for name in COSTS if name != "n_parameters")
RESULTS = (*CURVE_COLUMNS, *SPENT)
# Hyperparameters that are numbers; `epochs` is what was trained, so a result.
NUMBERS = tuple(name for name, h in HYPERPARAMETERS.items() if h.kind != "choice" and name not in RESULTS)
NAMES = ("n_parameters", *NUMBERS, *RESULTS)

_COMPARISON = re.compile(r"\s*(<=|>=|==|!=|<|>)(.*)", re.DOTALL)
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_ARITHMETIC: dict[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_EXAMPLE = 'write a bound like n_parameters: "<= 200000"'


@dataclass(frozen=True, slots=True)
class Constraint:
    """One entry of `constraints`: an expression, and the comparisons it must meet.

    Raises SpecError, UnknownName when they cannot be read.

    >>> c = Constraint("hidden_units * hidden_layers", ">= 16, <= 512")
    >>> c.holds({"hidden_units": 128, "hidden_layers": 3}), c.holds({"hidden_units": 256, "hidden_layers": 3})
    (True, False)
    """

    expression: str
    condition: str

    def __post_init__(self) -> None:
        _read(self.expression, self.condition)

    def __str__(self) -> str:
        return f"{self.expression} {self.condition}"

    @property
    def names(self) -> frozenset[str]:
        """Everything it reads."""
        return _read(self.expression, self.condition).names

    @property
    def of_result(self) -> bool:
        """Whether it can be judged only when a trial has ended."""
        return not self.names.isdisjoint(RESULTS)

    def holds(self, values: Mapping[str, float]) -> bool:
        """Whether it is met. An expression without a value (division by zero, NaN, beyond all floats) meets nothing."""
        read = _read(self.expression, self.condition)
        left = _value(read.left, values)
        return all(_met(compare, left, _value(right, values)) for compare, right in read.comparisons)


@dataclass(frozen=True, slots=True)
class _Read:
    """A constraint as syntax: the expression, and each comparison with what stands on its right."""

    left: ast.expr
    comparisons: tuple[tuple[str, ast.expr], ...]
    names: frozenset[str]


def constraints_of(written: Mapping[str, str]) -> tuple[Constraint, ...]:
    """All constraints of a study file. Raises SpecError, UnknownName with the place."""
    found = []
    for expression, condition in written.items():
        try:
            found.append(Constraint(expression, condition))
        except SpecError as error:
            raise type(error)(error.detail, field=f"constraints.{expression}") from None
    return tuple(found)


def metrics_read(constraints: Iterable[Constraint]) -> tuple[str, ...]:
    """The metrics whose columns constraints read, in their order in METRICS.

    >>> metrics_read([Constraint("train_f1 - f1", "<= 0.1"), Constraint("epochs", "< 9")])
    ('f1',)
    """
    names = frozenset().union(*(constraint.names for constraint in constraints))
    return tuple(metric for metric in METRICS if names & {metric, f"train_{metric}"})


@lru_cache(maxsize=1024)
def _read(expression: str, condition: str) -> _Read:
    left = _syntax(expression)
    comparisons = []
    for part in condition.split(","):
        match = _COMPARISON.fullmatch(part)
        if match is None:
            raise SpecError(
                f"must begin with {', '.join(_COMPARE)}, got {condition!r}; {_EXAMPLE}"
                if condition.strip()
                else f"is compared with nothing; {_EXAMPLE}"
            )
        comparisons.append((match[1], _syntax(match[2])))
    names = _names(left).union(*(_names(right) for _, right in comparisons))
    if not names:
        raise SpecError("is the same for every trial: it names no hyperparameter, no metric and no cost")
    return _Read(left, tuple(comparisons), names)


def _syntax(text: str) -> ast.expr:
    """An expression's tree. Raises SpecError, UnknownName for what is not plain arithmetic over known names."""
    if len(text) > MAX_TEXT:
        raise SpecError(f"is longer than {MAX_TEXT} letters; divide it into several constraints")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise SpecError(
            f"{text.strip()!r} is no arithmetic; write names, numbers, + - * / ** and brackets"
        ) from None
    _check(tree)
    return tree


def _check(node: ast.expr) -> None:
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        _check(node.left)
        _check(node.right)
    elif isinstance(node, ast.UnaryOp) and type(node.op) in _ARITHMETIC:
        _check(node.operand)
    elif isinstance(node, ast.Name):
        _check_name(node.id)
    elif isinstance(node, ast.Compare | ast.BoolOp):
        raise SpecError(
            f"holds a comparison inside an expression; {_EXAMPLE}, and a comma before a second bound"
        )
    elif not (isinstance(node, ast.Constant) and type(node.value) in (int, float)):
        what = (
            f"{ast.unparse(node)!r} is no number"
            if isinstance(node, ast.Constant)
            else repr(ast.unparse(node))
        )
        raise SpecError(f"{what}: only numbers, names, + - * / ** and brackets may stand here")


def _check_name(name: str) -> None:
    if name in NAMES:
        return
    if name in HYPERPARAMETERS:
        raise SpecError(f"{name} is a name, not a number; list those you want under parameters.{name}")
    hint = (
        suggest(name, NAMES)
        or "; there are n_parameters, the numeric hyperparameters, metrics, epochs and train_seconds"
    )
    raise UnknownName(f"nothing is called {name!r}{hint}")


def _names(node: ast.expr) -> frozenset[str]:
    return frozenset(part.id for part in ast.walk(node) if isinstance(part, ast.Name))


def _value(node: ast.expr, values: Mapping[str, float]) -> float:
    """An expression's value; NaN when it has none."""
    try:
        value = _compute(node, values)
    except (ZeroDivisionError, OverflowError):
        return math.nan
    return value if isinstance(value, float) else math.nan  # a root of a negative number is complex


def _compute(node: ast.expr, values: Mapping[str, float]) -> float:
    if isinstance(node, ast.Constant):
        return float(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.Name):
        return float(values[node.id])
    if isinstance(node, ast.UnaryOp):
        return _ARITHMETIC[type(node.op)](_compute(node.operand, values))
    if isinstance(node, ast.BinOp):
        return _ARITHMETIC[type(node.op)](_compute(node.left, values), _compute(node.right, values))
    raise TypeError(f"{ast.dump(node)} was let through")


def _met(compare: str, left: float, right: float) -> bool:
    return not (math.isnan(left) or math.isnan(right)) and _COMPARE[compare](left, right)
