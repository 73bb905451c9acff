"""Input scalings: fit one on training rows, chunk by chunk, as a record of JSON types, and transform any rows by it."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from hpo.data.table import Floats64
from hpo.errors import DataError, lookup

MAX_QUANTILES = 1_000
_SMALL_CELLS = 2_000_000  # a matrix up to this size is decomposed itself, a larger one by its covariance

Record = dict[str, Any]
Chunks = Callable[
    [], Iterator[Floats64]
]  # the rows fitted on, [c, m] at a time; the chunks may be overwritten
Transform = Callable[[Floats64], Floats64]  # [c, m] -> [c, width]; what it is given may be overwritten


class Scaling(NamedTuple):
    """fit: the record, from chunks of rows and their number of columns; transform: how to apply a record."""

    fit: Callable[[Chunks, int], Record]
    transform: Callable[[Mapping[str, Any]], Transform]


def fit_scaling(kind: str, chunks: Chunks, m: int) -> Record:
    """The record of an input scaling of m columns, of pca and whiten with all components. Raises UnknownName."""
    return {"kind": kind} | lookup(SCALINGS, kind, "scaling").fit(chunks, m)


def transform_of(record: Mapping[str, Any]) -> Transform:
    """How to scale rows by a record."""
    return SCALINGS[record["kind"]].transform(record)


def n_components(record: Mapping[str, Any]) -> int | None:
    """How many columns a record of pca or whiten makes of the numbers; None for others, which keep their number."""
    return record["components"]["shape"][0] if "components" in record else None


def first_components(record: Mapping[str, Any], n: int) -> Record:
    """A record of pca or whiten with its n first components only."""
    return {**record, "components": _pack(_unpack(record["components"])[:n])}


def _pack(array: Floats64) -> Record:
    """An array in JSON types, exact and compact: a thousand pixels have up to a million coefficients."""
    return {"shape": list(array.shape), "float64": b64encode(array.astype("<f8").tobytes()).decode("ascii")}


def _unpack(packed: Mapping[str, Any]) -> Floats64:
    array = np.frombuffer(b64decode(packed["float64"]), dtype="<f8").reshape(packed["shape"])
    return array.astype(np.float64)


# Shift and scale: (x - shift) / scale


def _affine(record: Mapping[str, Any]) -> Transform:
    shift, scale = (np.array(record[key], dtype=np.float64) for key in ("shift", "scale"))

    def transform(chunk: Floats64) -> Floats64:
        with np.errstate(over="ignore"):
            chunk -= shift
            chunk /= scale
        return chunk

    return transform


def _shift_and_scale(shift: Floats64, scale: Floats64) -> Record:
    return {"shift": shift.tolist(), "scale": scale.tolist()}


def _none(chunks: Chunks, m: int) -> Record:
    return _shift_and_scale(np.zeros(m), np.ones(m))


def _center(chunks: Chunks, m: int) -> Record:
    return _shift_and_scale(_mean(chunks, m), np.ones(m))


def _mean(chunks: Chunks, m: int) -> Floats64:
    total, n = np.zeros(m), 0
    for chunk in chunks():
        total += chunk.sum(axis=0)
        n += len(chunk)
    return total / n


def _standardize(chunks: Chunks, m: int) -> Record:
    """Mean 0 and (population) standard deviation 1."""
    mean = _mean(chunks, m)
    total, n = np.zeros(m), 0
    for chunk in chunks():
        chunk -= mean
        total += np.square(chunk, out=chunk).sum(axis=0)
        n += len(chunk)
    return _shift_and_scale(mean, _nonzero(np.sqrt(total / n)))


def _minmax(chunks: Chunks, m: int) -> Record:
    """The smallest training value becomes 0, the largest 1."""
    low, high = np.full(m, np.inf), np.full(m, -np.inf)
    for chunk in chunks():
        low, high = np.minimum(low, chunk.min(axis=0)), np.maximum(high, chunk.max(axis=0))
    return _shift_and_scale(low, _nonzero(high - low))


def _nonzero(scale: Floats64) -> Floats64:
    # A constant pixel: leave it where it is.
    return np.where(scale > 0, scale, 1.0)


# Principal components: (x - shift) @ components.T


def _project(record: Mapping[str, Any]) -> Transform:
    shift, components = np.array(record["shift"], dtype=np.float64), _unpack(record["components"])

    def transform(chunk: Floats64) -> Floats64:
        with np.errstate(over="ignore", invalid="ignore"):
            chunk -= shift
            return chunk @ components.T

    return transform


def _pca(chunks: Chunks, m: int) -> Record:
    """Directions of greatest variance of the centered numbers, those of variance 0 left out."""
    mean, components, _ = _principal(chunks, m)
    return {"shift": mean.tolist(), "components": _pack(components)}


def _whiten(chunks: Chunks, m: int) -> Record:
    """The same, each direction scaled to (sample) variance 1."""
    mean, components, variances = _principal(chunks, m)
    return {"shift": mean.tolist(), "components": _pack(components / np.sqrt(variances)[:, None])}


def _principal(chunks: Chunks, m: int) -> tuple[Floats64, Floats64, Floats64]:
    """Means [m], components [c, m] by falling variance, variances [c]; signs as scikit-learn has them."""
    mean = _mean(chunks, m)
    n = sum(len(chunk) for chunk in chunks())
    decompose = _by_values if n * m <= _SMALL_CELLS or n < m else _by_covariance
    variances, components = decompose(lambda: (chunk - mean for chunk in chunks()), n, m)
    largest = np.abs(components).argmax(axis=1)
    components = components * np.sign(components[np.arange(len(components)), largest])[:, None]
    return mean, components, variances


def _by_values(centered: Chunks, n: int, m: int) -> tuple[Floats64, Floats64]:
    _, singular, components = np.linalg.svd(
        np.concatenate([np.zeros((0, m)), *centered()]), full_matrices=False
    )
    kept = singular > singular.max(initial=0.0) * max(n, m) * np.finfo(float).eps
    return np.square(singular[kept]) / (n - 1), components[kept]


def _by_covariance(centered: Chunks, n: int, m: int) -> tuple[Floats64, Floats64]:
    covariance = np.zeros((m, m))
    with np.errstate(over="ignore", invalid="ignore"):
        for chunk in centered():
            covariance += chunk.T @ chunk
    if not np.isfinite(covariance).all():
        raise DataError("the numbers are too large for principal components; use another scaling")
    variances, components = np.linalg.eigh(covariance / (n - 1))
    variances, components = variances[::-1], components.T[::-1]
    kept = variances > variances.max() * m * np.finfo(float).eps
    return variances[kept], components[kept]


# Ranks among the training rows: 0 at the smallest, 1 at the largest


def _by_rank(record: Mapping[str, Any]) -> Transform:
    quantiles = _unpack(record["quantiles"])  # [m, quantiles]
    ranks = np.linspace(0, 1, quantiles.shape[1])

    def transform(chunk: Floats64) -> Floats64:
        for place, known in enumerate(quantiles):
            x = chunk[:, place].copy()
            # From either side: among equal quantiles a value stands in the middle of their ranks.
            up, down = np.interp(x, known, ranks), -np.interp(-x, -known[::-1], -ranks[::-1])
            middle = (up + down) / 2
            middle[x == known[-1]] = 1.0
            middle[x == known[0]] = 0.0
            chunk[:, place] = middle
        return chunk

    return transform


def _quantile(chunks: Chunks, m: int) -> Record:
    """Uniform on [0, 1]: a value's rank by at most 1,000 quantiles, linear between them."""
    n = sum(len(chunk) for chunk in chunks())
    percents = np.linspace(0, 1, min(MAX_QUANTILES, n)) * 100
    quantiles = np.empty((m, len(percents)))
    # Some columns at a time, which must be whole: a second copy of a large table would not always fit.
    width = max(1, 8 * _SMALL_CELLS // n)
    for start in range(0, m, width):
        columns = np.concatenate([chunk[:, start : start + width] for chunk in chunks()])
        quantiles[start : start + width] = np.percentile(columns, percents, axis=0).T
    # Rounding of the interpolation must not turn the order round.
    return {"quantiles": _pack(np.maximum.accumulate(quantiles, axis=1))}


SCALINGS: dict[str, Scaling] = {
    "none": Scaling(_none, _affine),
    "center": Scaling(_center, _affine),
    "standardize": Scaling(_standardize, _affine),
    "minmax": Scaling(_minmax, _affine),
    "pca": Scaling(_pca, _project),
    "whiten": Scaling(_whiten, _project),
    "quantile": Scaling(_quantile, _by_rank),
}
