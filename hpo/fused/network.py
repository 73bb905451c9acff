"""The forward and backward pass of K perceptrons, written out by hand over buffers made once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import torch
from torch import Tensor

from hpo.errors import lookup
from hpo.fused.activations import ACTIVATIONS, KEEPS_INPUT, KNOBS, NEEDS_RESULT, Run, Step
from hpo.fused.device import buffer, column
from hpo.fused.layers import Layout
from hpo.training import LaneSettings


@dataclass(slots=True)
class Pass:
    """Everything one pass over B rows needs, as views made once for this B.

    inputs: what each dense layer reads, [K, B, in]; the first is set by `forward`
    act, grad: of each hidden layer, [K, B, H]; out, out_grad: logits and their gradient, [K, B, C]
    masks: float dropout masks by layer, 0 for the inputs, [K, B, width]; None where no lane drops
    """

    rows: int
    inputs: list[Tensor]
    act: list[Tensor]
    grad: list[Tensor]
    out: Tensor
    out_grad: Tensor
    masks: list[Tensor | None]
    dropped: list[Tensor | None]
    steps: list[list[tuple[Step, Step]]]
    grad_t: list[Tensor] = field(default_factory=list)


class Network:
    """K lanes of one shape.

    flat: [K, P] weights and biases as `layout` lays them out; grads: the same for the gradient
    settings: of each lane; lanes of one activation in one stretch are computed together
    """

    def __init__(self, layout: Layout, flat: Tensor, settings: Sequence[LaneSettings], max_rows: int) -> None:
        self.layout, self.flat, self.settings = layout, flat, settings
        self.n_lanes, self.max_rows = len(flat), max_rows
        self.device, self.dtype = flat.device, flat.dtype
        self.grads = torch.zeros_like(flat)
        self.weights, self.biases = layout.weights(flat), layout.biases(flat)
        self._weights_t = [w.transpose(1, 2) for w in self.weights]
        self._bias_rows = [b.unsqueeze(1) for b in self.biases]
        self.weight_grads, self.bias_grads = layout.weights(self.grads), layout.biases(self.grads)
        # A product may only be written to contiguous memory: MKL's batched call is lost otherwise.
        self.raw = [torch.empty_like(w, memory_format=torch.contiguous_format) for w in self.weights]
        self._make_buffers()
        self._passes: dict[int, Pass] = {}
        self.keep = [column([1 - s.input_dropout for s in settings], self.device, self.dtype).unsqueeze(2)]
        self.keep.append(column([1 - s.dropout for s in settings], self.device, self.dtype).unsqueeze(2))
        self._scale = [1 / column([1 - p for p in ps], self.device, torch.float64) for ps in self._rates()]
        self.scale = [s.to(self.dtype).unsqueeze(2) for s in self._scale]

    def _rates(self) -> tuple[list[float], list[float]]:
        return [s.input_dropout for s in self.settings], [s.dropout for s in self.settings]

    @property
    def drops(self) -> list[bool]:
        """Whether any lane drops inputs (first entry) or units of each hidden layer."""
        inputs, hidden = self._rates()
        return [any(inputs)] + [any(hidden)] * len(self.layout.shape.hidden)

    def _make_buffers(self) -> None:
        shape, n = self.layout.shape, self.n_lanes * self.max_rows

        def flat(width: int) -> Tensor:
            return buffer(n * width, self.device, self.dtype)

        widest = max(shape.hidden, default=0)
        keeps = any(s.activation in KEEPS_INPUT for s in self.settings)
        self._act = [flat(h) for h in shape.hidden]
        self._kept = [flat(h) if keeps else flat(0) for h in shape.hidden]
        self._grad = [flat(widest), flat(widest)]
        self._scratch = flat(widest)
        self._out, self._out_grad = flat(shape.n_outputs), flat(shape.n_outputs)
        widths = (shape.n_inputs, *shape.hidden)
        drops = self.drops
        self._mask = [flat(w) if d else None for w, d in zip(widths, drops, strict=True)]
        # Dropped inputs need memory of their own; dropped activations, where backward needs both.
        apart = any(s.activation in NEEDS_RESULT for s in self.settings)
        self._dropped: list[Tensor | None] = [flat(widths[0]) if drops[0] else None]
        for width, act, drop in zip(shape.hidden, self._act, drops[1:], strict=True):
            self._dropped.append((flat(width) if apart else act) if drop else None)

    def pass_of(self, rows: int) -> Pass:
        """The views for batches of so many rows, at most max_rows."""
        if rows not in self._passes:
            self._passes[rows] = self._make_pass(rows)
        return self._passes[rows]

    def _make_pass(self, rows: int) -> Pass:
        shape, n = self.layout.shape, self.n_lanes * rows

        def view(flat: Tensor, width: int) -> Tensor:
            return flat[: n * width].view(self.n_lanes, rows, width)

        def views(flats: Sequence[Tensor | None]) -> list[Tensor | None]:
            widths = (shape.n_inputs, *shape.hidden)
            return [None if f is None else view(f, w) for f, w in zip(flats, widths, strict=True)]

        act = [view(f, h) for f, h in zip(self._act, shape.hidden, strict=True)]
        grad = [view(self._grad[i % 2], h) for i, h in enumerate(shape.hidden)]
        return Pass(
            rows=rows,
            inputs=[self.flat] * len(shape.layers),
            act=act,
            grad=grad,
            out=view(self._out, shape.n_outputs),
            out_grad=view(self._out_grad, shape.n_outputs),
            masks=views(self._mask),
            dropped=views(self._dropped),
            steps=[self._runs(i, rows * h) for i, h in enumerate(shape.hidden)],
        )

    def _runs(self, layer: int, lane: int) -> list[tuple[Step, Step]]:
        steps, at = [], 0
        for name, members in groupby(self.settings, key=lambda s: s.activation):
            group = list(members)
            knobs = [getattr(s, KNOBS[name]) if name in KNOBS else 0.0 for s in group]
            run = Run(
                act=self._act[layer],
                grad=self._grad[layer % 2],
                kept=self._kept[layer],
                scratch=self._scratch,
                begin=at * lane,
                end=(at + len(group)) * lane,
                lane=lane,
                knob=column(knobs, self.device, self.dtype),
            )
            steps.append(lookup(ACTIVATIONS, name, "activation")(run))
            at += len(group)
        return steps

    def forward(self, x: Tensor, noise: Sequence[Tensor | None] | None = None) -> Pass:
        """The logits of rows x [B, in], in `out` of the pass returned.

        noise: uniform numbers [B, width] for the inputs and each hidden layer, shared by all lanes, when
        training; None for a pass without dropout
        """
        p = self.pass_of(len(x))
        h = self._drop(p, 0, x.unsqueeze(0).expand(self.n_lanes, -1, -1), noise)
        last = len(p.inputs) - 1
        for i, (w, b) in enumerate(zip(self._weights_t, self._bias_rows, strict=True)):
            p.inputs[i] = h
            z = p.out if i == last else p.act[i]
            torch.baddbmm(b, h, w, out=z)
            if i < last:
                for activate, _ in p.steps[i]:
                    activate()
                h = self._drop(p, i + 1, z, noise)
        return p

    def _drop(self, p: Pass, layer: int, h: Tensor, noise: Sequence[Tensor | None] | None) -> Tensor:
        mask, out, which = p.masks[layer], p.dropped[layer], min(layer, 1)
        u = noise[layer] if noise is not None else None
        if u is None or mask is None or out is None:
            return h
        torch.lt(u, self.keep[which], out=mask)
        mask.mul_(self.scale[which])
        return torch.mul(h, mask, out=out)

    def backward(self, p: Pass) -> None:
        """From `out_grad` of a training pass to the gradient of the loss: `raw` for weights, `grads` for biases."""
        g = p.out_grad
        for i in range(len(p.inputs) - 1, -1, -1):
            h = p.inputs[i]
            torch.bmm(g.transpose(1, 2), h, out=self.raw[i])
            torch.sum(g, 1, out=self.bias_grads[i])
            if i:
                below = p.grad[i - 1]
                torch.bmm(g, self.weights[i], out=below)
                mask = p.masks[i]
                if mask is not None:
                    below.mul_(mask)
                for _, differentiate in p.steps[i - 1]:
                    differentiate()
                g = below
