"""Make the data sets of the TensorFlow Playground: spiral, circle, xor, gauss and the plane."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.random import Generator

from hpo.data.table import Floats64, Table, number_column
from hpo.dataset import Task
from hpo.errors import DataError, suggest
from hpo.seeds import seed_of

FEATURES: dict[str, Callable[[Floats64, Floats64], Floats64]] = {
    "x1": lambda x, y: x,
    "x2": lambda x, y: y,
    "x1²": lambda x, y: x * x,
    "x2²": lambda x, y: y * y,
    "x1x2": lambda x, y: x * y,
    "sin(x1)": lambda x, y: np.sin(x),
    "sin(x2)": lambda x, y: np.sin(y),
}
_SPELLINGS = {"x1^2": "x1²", "x2^2": "x2²", "x1*x2": "x1x2", "x1_squared": "x1²", "x2_squared": "x2²"}
_OPTIONS = ("noise", "rows", "features", "seed")
MAX_NOISE = 0.5
MAX_ROWS = 10_000_000

Points = tuple[Floats64, Floats64, Floats64]  # x1, x2, label


def spiral(n: int, noise: float, random: Generator) -> Points:
    """Two arms, each winding 1.75 times."""
    arms = []
    for half, shift, label in ((n - n // 2, 0.0, 1.0), (n // 2, math.pi, -1.0)):
        at = np.arange(half) / half
        angle = 1.75 * at * 2 * math.pi + shift
        x = 5 * at * np.sin(angle) + random.uniform(-1, 1, half) * noise
        y = 5 * at * np.cos(angle) + random.uniform(-1, 1, half) * noise
        arms.append((x, y, np.full(half, label)))
    return _join(arms)


def circle(n: int, noise: float, random: Generator) -> Points:
    """A disc and the ring around it; noise moves the point that the label is asked of."""
    rings = []
    for half, low, high in ((n - n // 2, 0.0, 2.5), (n // 2, 3.5, 5.0)):
        radius, angle = random.uniform(low, high, half), random.uniform(0, 2 * math.pi, half)
        x, y = radius * np.sin(angle), radius * np.cos(angle)
        moved_x = x + random.uniform(-5, 5, half) * noise
        moved_y = y + random.uniform(-5, 5, half) * noise
        rings.append((x, y, np.where(np.hypot(moved_x, moved_y) < 2.5, 1.0, -1.0)))
    return _join(rings)


def xor(n: int, noise: float, random: Generator) -> Points:
    """Four squares, the label the sign of x1 x2, with a gap of 0.3 on both sides of the axes."""
    x, y = random.uniform(-5, 5, n), random.uniform(-5, 5, n)
    x, y = x + np.where(x > 0, 0.3, -0.3), y + np.where(y > 0, 0.3, -0.3)
    moved_x, moved_y = x + random.uniform(-5, 5, n) * noise, y + random.uniform(-5, 5, n) * noise
    return x, y, np.where(moved_x * moved_y >= 0, 1.0, -1.0)


def gauss(n: int, noise: float, random: Generator) -> Points:
    """Two normal clouds around (2, 2) and (-2, -2), of variance 0.5 to 4 as noise goes from 0 to 0.5."""
    spread = math.sqrt(0.5 + 7.0 * noise)
    clouds = []
    for half, centre, label in ((n - n // 2, 2.0, 1.0), (n // 2, -2.0, -1.0)):
        x, y = random.normal(centre, spread, half), random.normal(centre, spread, half)
        clouds.append((x, y, np.full(half, label)))
    return _join(clouds)


def plane(n: int, noise: float, random: Generator) -> Points:
    """A plane over a square: (x1 + x2) / 10."""
    x, y = random.uniform(-6, 6, n), random.uniform(-6, 6, n)
    moved_x, moved_y = x + random.uniform(-6, 6, n) * noise, y + random.uniform(-6, 6, n) * noise
    return x, y, (moved_x + moved_y) / 10


GENERATORS: dict[str, Callable[[int, float, Generator], Points]] = {
    "spiral": spiral,
    "circle": circle,
    "xor": xor,
    "gauss": gauss,
    "plane": plane,
}


def load(name: str, options: Mapping[str, object]) -> Table:
    """The points of one set. Options: noise 0 to 0.5, rows, features, seed. Raises DataError.

    Without options the sizes are the Playground's: 500 points in classes, 1,200 of the plane.
    """
    for option in options:
        if option not in _OPTIONS:
            hint = suggest(option, _OPTIONS) or f"; there are {', '.join(_OPTIONS)}"
            raise DataError(f"{name} has no option {option!r}{hint}", field=f"data.options.{option}")
    regression = name == "plane"
    noise = _number(options, "noise", 0.0, 0.0, MAX_NOISE)
    n = int(_number(options, "rows", 1200 if regression else 500, 10, MAX_ROWS, whole=True))
    seed = int(_number(options, "seed", 0, 0, 2**63, whole=True))
    x, y, label = GENERATORS[name](n, noise, np.random.default_rng(seed_of("playground", name, seed)))
    features = _features(options.get("features"))
    block = np.stack([FEATURES[feature](x, y) for feature in features], axis=1)
    task = Task.REGRESSION if regression else Task.CLASSIFICATION
    target = number_column("label", label if regression else label.astype(np.int64))
    return Table(columns=(target,), block=block, block_names=tuple(features), target="label", task=task)


def _join(parts: Sequence[Points]) -> Points:
    x, y, label = (np.concatenate(pieces) for pieces in zip(*parts, strict=True))
    return x, y, label


def _features(asked: object) -> list[str]:
    if asked is None or asked == "all":
        return list(FEATURES)
    words = asked.replace(",", " ").split() if isinstance(asked, str) else asked
    if not isinstance(words, list | tuple) or not words:
        raise DataError(f"must be names such as x1, x2, x1x2, got {asked!r}", field="data.options.features")
    names = list(dict.fromkeys(_SPELLINGS.get(str(word), str(word)) for word in words))
    for feature in names:
        if feature not in FEATURES:
            hint = suggest(feature, FEATURES) or f"; there are {', '.join(FEATURES)}"
            raise DataError(f"no feature is called {feature!r}{hint}", field="data.options.features")
    return names


def _number(
    options: Mapping[str, object], key: str, default: float, low: float, high: float, whole: bool = False
) -> float:
    value = options.get(key, default)
    right = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    if not right or (whole and not isinstance(value, int)):
        kind = "a whole number" if whole else "a number"
        hint = " (the Playground's 25 is 0.25 here)" if key == "noise" else ""
        raise DataError(
            f"must be {kind} from {low:g} to {high:g}, got {value!r}{hint}", field=f"data.options.{key}"
        )
    return value  # type: ignore[return-value]  # checked just above
