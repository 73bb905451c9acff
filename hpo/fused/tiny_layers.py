"""A dense layer of many tiny lanes, the lane last in memory: elementwise work that vectorises over lanes.

Which of several ways to add up products is taken depends on the layer's widths and the batch alone.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Step = Callable[[], None]


def weighted_sum(h: Tensor, w: Tensor, b: Tensor, out: Tensor, scratch: Tensor) -> Step:
    """out[B, O, K] = b[O, K] + the sum over I of h[B, I, K] w[I, O, K], as a function to call again and again.

    scratch: flat, of at least B * I * K numbers
    """
    n_in, n_out = h.shape[1], out.shape[1]
    if n_out == 1 or 2 * n_out < n_in:
        each = scratch[: h.numel()].view_as(h)
        columns = [(w[:, o], out[:, o]) for o in range(n_out)]

        def by_output() -> None:
            for column, total in columns:
                torch.sum(torch.mul(h, column, out=each), 1, out=total)
            out.add_(b)

        return by_output
    first, *rest = [(h[:, i : i + 1], w[i]) for i in range(n_in)]

    def by_input() -> None:
        torch.addcmul(b, *first, out=out)
        for unit, row in rest:
            out.addcmul_(unit, row)

    return by_input


def pulled_back(g: Tensor, w: Tensor, out: Tensor, scratch: Tensor) -> Step:
    """out[B, I, K] = the sum over O of g[B, O, K] w[I, O, K]; scratch: at least B * O * K numbers."""
    n_in, n_out = out.shape[1], g.shape[1]
    if 2 * n_in < n_out:
        each = scratch[: g.numel()].view_as(g)
        rows = [(w[i], out[:, i]) for i in range(n_in)]

        def by_input() -> None:
            for row, total in rows:
                torch.sum(torch.mul(g, row, out=each), 1, out=total)

        return by_input
    first, *rest = [(g[:, o : o + 1], w[:, o]) for o in range(n_out)]

    def by_output() -> None:
        torch.mul(*first, out=out)
        for unit, column in rest:
            out.addcmul_(unit, column)

    return by_output


def outer_sum(h: Tensor, g: Tensor, out: Tensor, scratch: Tensor) -> Step:
    """out[I, O, K] = the sum over B of h[B, I, K] g[B, O, K]; scratch: at least B * max(I, O) * K numbers."""
    rows, n_in, n_out = len(h), h.shape[1], g.shape[1]
    if rows <= 2 * min(n_in, n_out):
        first, *rest = [(h[b].unsqueeze(1), g[b].unsqueeze(0)) for b in range(rows)]

        def by_row() -> None:
            torch.mul(*first, out=out)
            for left, right in rest:
                out.addcmul_(left, right)

        return by_row
    if n_out <= n_in:
        terms = [(h, g[:, o : o + 1], out[:, o]) for o in range(n_out)]
    else:
        terms = [(g, h[:, i : i + 1], out[i]) for i in range(n_in)]
    each = scratch[: terms[0][0].numel()].view_as(terms[0][0])

    def by_unit() -> None:
        for many, one, total in terms:
            torch.sum(torch.mul(many, one, out=each), 0, out=total)

    return by_unit
