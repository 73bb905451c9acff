"""Read PromQL as Prometheus would, and hold it against the series there are: names, kinds, labels, values."""

import re
from collections.abc import Iterator, Mapping

import promql_parser as ast

from tests.dashboards.pages import Series

COUNTED, MEASURED = ("counter", "histogram"), ("gauge",)
# A function of a range -> the kinds of series of which it says something.
RANGES = {"rate": COUNTED, "deriv": MEASURED, "avg_over_time": MEASURED}
KEEPS = {"topk", "bottomk"}  # aggregations that choose among series and leave them as they are


class Wrong(Exception):
    """An expression that no Prometheus would answer as it is meant."""


def parse(expression: str) -> ast.Expr:
    """The tree of an expression. Raises Wrong."""
    try:
        return ast.parse(expression)
    except ValueError as error:
        raise Wrong(str(error)) from error


def parts(node: ast.Expr) -> list[ast.Expr]:
    """What stands directly within a node."""
    names = ("expr", "vector_selector", "lhs", "rhs")
    found = [getattr(node, name) for name in names if hasattr(node, name)]
    return found + list(getattr(node, "args", ()))


def selectors(node: ast.Expr, taken: str | None = None) -> Iterator[tuple[ast.VectorSelector, str | None]]:
    """Every selector, with the aggregation nearest around it."""
    if isinstance(node, ast.VectorSelector):
        yield node, taken
    elif isinstance(node, ast.AggregateExpr) and str(node.op) not in KEEPS:
        taken = str(node.op)
    for part in parts(node):
        yield from selectors(part, taken)


def labels_of(node: ast.Expr, known: Mapping[str, Series]) -> set[str] | None:
    """The labels of the series that come out; None: a number. Raises Wrong where something in it is not so."""
    for kind, read in READERS.items():
        if isinstance(node, kind):
            return read(node, known)
    raise Wrong(f"nobody has said what {type(node).__name__} does to labels")


def _selector(node: ast.VectorSelector, known: Mapping[str, Series]) -> set[str]:
    series = _series(node, known)
    if series.kind not in MEASURED:
        raise Wrong(f"{node.name} only ever grows: ask for its rate")
    return set(series.labels)


def _series(node: ast.VectorSelector, known: Mapping[str, Series]) -> Series:
    if node.name not in known:
        raise Wrong(f"nobody exports {node.name}")
    series = known[node.name]
    for matcher in node.matchers.matchers:
        if matcher.name not in series.labels:
            raise Wrong(f"{node.name} has no label {matcher.name}")
        values = series.labels[matcher.name]
        for wanted in matcher.value.split("|"):
            if not any(re.fullmatch(wanted, value) for value in values):
                raise Wrong(f"{matcher.name} of {node.name} is never {wanted}")
    return series


def _call(node: ast.Call, known: Mapping[str, Series]) -> set[str] | None:
    name, args = node.func.name, node.args
    if name in RANGES:
        selector = args[0].vector_selector
        series = _series(selector, known)
        if series.kind not in RANGES[name]:
            raise Wrong(f"{name} says nothing of {selector.name}, which is a {series.kind}")
        return set(series.labels)
    if name == "absent":
        _series(args[0], known)
        return {matcher.name for matcher in args[0].matchers.matchers}
    if name == "histogram_quantile":
        labels = labels_of(args[1], known)
        names = [selector.name for selector, _ in selectors(args[1])]
        if "le" not in labels or not all(name.endswith("_bucket") for name in names):
            raise Wrong("a quantile is one of buckets, by le")
        return labels - {"le"}
    if name == "clamp_min":
        return labels_of(args[0], known)
    raise Wrong(f"nobody has said what {name} does to labels")


def _aggregate(node: ast.AggregateExpr, known: Mapping[str, Series]) -> set[str]:
    inner = labels_of(node.expr, known)
    if str(node.op) in KEEPS:
        return inner
    by = set(node.modifier.labels) if node.modifier else set()
    if not by <= inner:
        raise Wrong(f"by {', '.join(sorted(by - inner))}, which the series do not have")
    return by


def _binary(node: ast.BinaryExpr, known: Mapping[str, Series]) -> set[str] | None:
    left, right = labels_of(node.lhs, known), labels_of(node.rhs, known)
    if left is None or right is None:
        return right if left is None else left
    matching = node.modifier.matching if node.modifier else None
    if matching is not None:
        on = set(matching.labels)
        if not on <= left & right:
            raise Wrong("on a label that one side does not have")
        return on
    if left != right:
        raise Wrong(f"nothing of {sorted(left)} meets anything of {sorted(right)}")
    return left


READERS = {
    ast.NumberLiteral: lambda node, known: None,
    ast.ParenExpr: lambda node, known: labels_of(node.expr, known),
    ast.VectorSelector: _selector,
    ast.Call: _call,
    ast.AggregateExpr: _aggregate,
    ast.BinaryExpr: _binary,
}
