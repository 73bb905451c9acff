"""Which settings cannot be told apart from the best one: their difference is within what chance does.

Two ways to know what chance does, and no third:

- With repeats or folds each value is a mean with a standard error, and the difference is judged by Welch's test
  (B. L. Welch, The generalization of "Student's" problem, Biometrika 34, 1947): t = (a - b) / sqrt(ea^2 + eb^2)
  against Student's distribution of (ea^2 + eb^2)^2 / ((ea^4 + eb^4) / (n - 1)) degrees of freedom, n lanes each.
- One network each, and the metric is the accuracy: a share of right answers on so many rows. The difference of
  two shares is judged as Agresti and Caffo do (The American Statistician 54, 2000): one right and one wrong
  answer are added to each, then z = (p - q) / sqrt(p(1 - p)/(n + 2) + q(1 - q)/(n + 2)).

Both take the two settings as independent. They share their validation rows and their seeds, which makes their true
difference surer than it looks: so too many are called tied rather than too few. A best of many is also the luckiest
of many; no test of two repairs that. One network each under any other metric: nothing is said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# Student's distribution, the value that is exceeded in 2.5 % of cases, by degrees of freedom; beyond: the normal's.
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
      2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042)  # fmt: skip
_T_UP_TO = ((40, 2.042), (60, 2.021), (120, 2.000), (math.inf, 1.980))
Z = 1.960


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """What is known of how a study's values vary.

    lanes: networks of a trial (repeats times folds); rows: validation rows when the value is the share of them
    that was right, None for other metrics
    """

    lanes: int
    rows: int | None = None

    def tied(self, best: tuple[float, float | None], other: tuple[float, float | None]) -> bool | None:
        """Whether two (value, standard error) cannot be told apart at 5 %; None when nothing can be said.

        >>> Judge(lanes=5).tied((0.95, 0.01), (0.94, 0.01)), Judge(lanes=5).tied((0.95, 0.001), (0.94, 0.001))
        (True, False)
        >>> Judge(lanes=1, rows=360).tied((0.95, None), (0.94, None)), Judge(lanes=1).tied((0.3, None), (0.2, None))
        (True, None)

        What another program reports as accuracy may be percent, of which nothing is known:

        >>> Judge(lanes=1, rows=360).tied((95.0, None), (94.0, None)) is None
        True
        """
        (a, error_a), (b, error_b) = best, other
        if self.lanes > 1 and error_a is not None and error_b is not None:
            return _welch(a - b, error_a, error_b, self.lanes)
        if self.lanes == 1 and self.rows is not None and 0 <= a <= 1 and 0 <= b <= 1:
            return _shares(a, b, self.rows)
        return None


def _welch(difference: float, error_a: float, error_b: float, n: int) -> bool:
    squares = error_a**2 + error_b**2
    if squares == 0:  # every lane gave the same
        return difference == 0
    freedom = squares**2 * (n - 1) / (error_a**4 + error_b**4)
    return abs(difference) <= quantile(freedom) * math.sqrt(squares)


def _shares(a: float, b: float, n: int) -> bool:
    p, q = ((share * n + 1) / (n + 2) for share in (a, b))
    error = math.sqrt((p * (1 - p) + q * (1 - q)) / (n + 2))
    return abs(p - q) <= Z * error


def quantile(freedom: float) -> float:
    """What Student's t exceeds in 2.5 % of cases; degrees between two of the table count as the lower.

    >>> quantile(4.0), quantile(4.9), quantile(1000.0)
    (2.776, 2.776, 1.98)
    """
    if freedom < len(_T) + 1:
        return _T[max(1, math.floor(freedom + 1e-9)) - 1]
    return next(value for up_to, value in _T_UP_TO if freedom < up_to or up_to == math.inf)
