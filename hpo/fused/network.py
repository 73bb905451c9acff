"""The forward and backward pass of K perceptrons, written out by hand over buffers made once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest

import torch
from torch import Tensor

from hpo.errors import lookup
from hpo.fused.activations import (
    ACTIVATIONS,
    KEEPS_INPUT,
    KNOBS,
    NEEDS_RESULT,
    TELLS_DROPPED,
    Run,
    Step,
)
from hpo.fused.device import Memory, column
from hpo.fused.layers import Layout
from hpo.fused.normalisation import BatchNorm
from hpo.fused.outputs import Outputs
from hpo.fused.penalties import Penalties
from hpo.fused.products import FastProducts, Products
from hpo.training import LaneSettings


@dataclass(slots=True, kw_only=True)
class Pass(Outputs):
    """Everything one pass over B rows needs, as views made once for this B.

    inputs: what each dense layer reads, [K, B, in]; the first is set by `forward`
    z, z_grad: what each hidden layer's units give, [K, B, pieces * H]; act, grad: what the layer makes of
        it, [K, B, H]; out, out_grad: logits and their gradient, [K, B, C]
    norms: of z, before the activation, for each hidden layer; empty without batch norm
    masks: float dropout masks by layer, 0 for the inputs, [K, B, width]; None where no lane drops
    """

    inputs: list[Tensor]
    z: list[Tensor]
    grad: list[Tensor]
    z_grad: list[Tensor]
    masks: list[Tensor | None]
    dropped: list[Tensor | None]
    norms: list[BatchNorm]
    steps: list[list[tuple[Step, Step]]]


class Network:
    """K lanes of one shape.

    flat: [K, P] weights, biases and the rest as `layout` lays them out; grads: the same for the gradient
    settings: of each lane; lanes of one activation in one stretch are computed together
    batch: rows of the largest training batch; max_rows: of the largest pass of any kind
    fast: make products in the way that is quickest where `device.products` is not exact
    """

    def __init__(
        self,
        layout: Layout,
        flat: Tensor,
        settings: Sequence[LaneSettings],
        memory: Memory,
        *,
        batch: int,
        max_rows: int,
        fast: bool = False,
    ) -> None:
        self.layout, self.flat, self.settings = layout, flat, settings
        self.n_lanes, self.batch, self.max_rows = len(flat), batch, max_rows
        self.device, self.dtype = flat.device, flat.dtype
        self.grads = memory.flat("grads", flat.numel())[: flat.numel()].view_as(flat)
        self.grads.zero_()  # the room between layers is never written to
        self.weights, self.biases = layout.weights(flat), layout.biases(flat)
        self._products = (FastProducts if fast else Products)(self.weights, memory, max_rows)
        self._bias_rows = [b.unsqueeze(1) for b in self.biases]
        self.weight_grads, self.bias_grads = layout.weights(self.grads), layout.biases(self.grads)
        self._extras, self._extra_grads = layout.extras(flat), layout.extras(self.grads)
        raw = memory.flat("raw", max(w.numel() for w in self.weights))
        self._raw = [raw[: w.numel()].view_as(w) for w in self.weights]
        self._make_buffers(memory)
        self._passes: dict[tuple[int, bool], Pass] = {}
        self.keep = [column([1 - s.input_dropout for s in settings], self.device, self.dtype).unsqueeze(2)]
        self.keep.append(column([1 - s.dropout for s in settings], self.device, self.dtype).unsqueeze(2))
        self._scale = [1 / column([1 - p for p in ps], self.device, torch.float64) for ps in self._rates()]
        self.scale = [s.to(self.dtype).unsqueeze(2) for s in self._scale]

    @property
    def parameter_grads(self) -> list[Tensor]:
        """The gradient of every parameter, [K, ...], in the order of torch's `parameters()`."""
        learned = [self._extra_grads.get(name, []) for name in ("gamma", "beta", "slope")]
        layers = zip_longest(self.weight_grads, self.bias_grads, *learned)  # the last layer has no extras
        return [g for layer in layers for g in layer if g is not None]

    def _rates(self) -> tuple[list[float], list[float]]:
        return [s.input_dropout for s in self.settings], [s.dropout for s in self.settings]

    @property
    def drops(self) -> list[bool]:
        """Whether any lane drops inputs (first entry) or units of each hidden layer."""
        inputs, hidden = self._rates()
        return [any(inputs)] + [any(hidden)] * len(self.layout.shape.hidden)

    def _make_buffers(self, memory: Memory) -> None:
        shape, hidden = self.layout.shape, self.layout.shape.hidden
        self._memory = memory

        def flat(name: str, width: int, rows: int) -> Tensor:
            return memory.flat(name, self.n_lanes * rows * width)

        widest, batch, rows = max(hidden, default=0), self.batch, self.max_rows
        self._act = [flat(f"act{i}", h, rows) for i, h in enumerate(hidden)]
        # What is activated is overwritten by the result, unless backward needs it.
        keeps = any(s.activation in KEEPS_INPUT for s in self.settings)
        kept = [flat(f"z{i}", h * shape.pieces, rows) for i, h in enumerate(hidden)] if keeps else self._act
        self._z = kept
        self._grad = [flat(f"grad{i}", widest, batch) for i in range(2)]
        several = shape.pieces > 1
        self._z_grad = [flat("z_grad", widest * shape.pieces, batch)] * 2 if several else self._grad
        self._scratch = flat("scratch", widest, rows)
        self._out, self._out_grad = (flat(n, shape.n_outputs, rows) for n in ("out", "out_grad"))
        widths = (shape.n_inputs, *hidden)
        drops = list(enumerate(zip(widths, self.drops, strict=True)))
        # Where backward can tell from the result what was dropped, all layers share one mask.
        self._keeps_masks = any(s.activation not in TELLS_DROPPED for s in self.settings)
        self._mask = [
            flat(f"mask{i if self._keeps_masks else ''}", w, batch) if drop else None
            for i, (w, drop) in drops
        ]
        # Dropped inputs need memory of their own; dropped activations, where backward needs both.
        apart = any(s.activation in NEEDS_RESULT for s in self.settings)
        self._dropped = [
            (flat(f"dropped{i}", w, batch) if apart or i == 0 else self._act[i - 1]) if drop else None
            for i, (w, drop) in drops
        ]

    def _pass_of(self, rows: int, training: bool) -> Pass:
        """The views for passes of so many rows: at most `batch` in training, else `max_rows`."""
        key = rows, training
        if key not in self._passes:
            self._passes[key] = self._make_pass(rows, training)
        return self._passes[key]

    def _make_pass(self, rows: int, training: bool) -> Pass:
        shape, n = self.layout.shape, self.n_lanes * rows

        def view(flat: Tensor, width: int) -> Tensor:
            return flat[: n * width].view(self.n_lanes, rows, width)

        def views(flats: Sequence[Tensor | None]) -> list[Tensor | None]:
            widths = (shape.n_inputs, *shape.hidden)
            found = zip(flats, widths, strict=True)
            return [view(f, w) if training and f is not None else None for f, w in found]

        act = [view(f, h) for f, h in zip(self._act, shape.hidden, strict=True)]
        # A pass that only looks has no gradient: act, z and out stand in for it, unread.
        grads = [self._grad[i % 2] if training else f for i, f in enumerate(self._act)]
        z_grads = [self._z_grad[i % 2] if training else f for i, f in enumerate(self._z)]
        units = [h * shape.pieces for h in shape.hidden]
        return Pass(
            rows=rows,
            inputs=[self.flat] * len(shape.layers),
            z=[view(f, n) for f, n in zip(self._z, units, strict=True)],
            act=act,
            grad=[view(f, h) for f, h in zip(grads, shape.hidden, strict=True)],
            z_grad=[view(f, n) for f, n in zip(z_grads, units, strict=True)],
            out=view(self._out, shape.n_outputs),
            out_grad=view(self._out_grad if training else self._out, shape.n_outputs),
            masks=views(self._mask),
            dropped=views(self._dropped),
            norms=self._norms(rows, training) if shape.batch_norm else [],
            steps=[self._runs(i, rows, grads[i], z_grads[i]) for i in range(len(shape.hidden))],
        )

    def _norms(self, rows: int, training: bool) -> list[BatchNorm]:
        return [
            BatchNorm(
                {name: parts[layer] for name, parts in self._extras.items()},
                {name: parts[layer] for name, parts in self._extra_grads.items()},
                self._memory,
                layer=layer,
                rows=rows,
                training=training,
            )
            for layer in range(len(self.layout.shape.hidden))
        ]

    def _runs(self, layer: int, rows: int, grad: Tensor, z_grad: Tensor) -> list[tuple[Step, Step]]:
        steps, at, dropped, shape = [], 0, self._dropped[layer + 1], self.layout.shape
        lane = rows * shape.hidden[layer]
        for name, members in groupby(self.settings, key=lambda s: s.activation):
            group = list(members)
            part = slice(at, at + len(group))
            knob, knob_grad = self._knob(name, layer, part)
            run = Run(
                z=self._z[layer],
                act=self._act[layer],
                read=self._act[layer] if dropped is None else dropped,
                grad=grad,
                z_grad=z_grad,
                scratch=self._scratch,
                begin=part.start * lane,
                end=part.stop * lane,
                lane=lane,
                width=shape.hidden[layer],
                pieces=shape.pieces,
                knob=knob,
                knob_grad=knob_grad,
                mask=self._units(group, layer),
            )
            steps.append(lookup(ACTIVATIONS, name, "activation")(run))
            at = part.stop
        return steps

    def _knob(self, name: str, layer: int, part: slice) -> tuple[Tensor, Tensor]:
        """An activation's number for each lane of a run, [k, 1], and where its gradient goes if it is learned."""
        if name == "prelu":
            return self._extras["slope"][layer][part], self._extra_grads["slope"][layer][part]
        group = self.settings[part]
        knobs = [getattr(s, KNOBS[name]) if name in KNOBS else 0.0 for s in group]
        found = column(knobs, self.device, self.dtype)
        return found, found

    def _units(self, group: Sequence[LaneSettings], layer: int) -> Tensor | None:
        """1 for a lane's own units, 0 for padding, [k, 1, H]; None where no lane is padded."""
        width = self.layout.shape.hidden[layer]
        own = [s.hidden[layer] for s in group]
        if min(own) == width:
            return None
        unit = torch.arange(width, device=self.device, dtype=self.dtype)
        return torch.lt(unit, column([float(n) for n in own], self.device, self.dtype).unsqueeze(2)).to(
            self.dtype
        )

    def forward(self, x: Tensor, noise: Sequence[Tensor | None] | None = None) -> Pass:
        """The logits of rows x [B, in], in `out` of the pass returned.

        noise: uniform numbers [B, width] for the inputs and each hidden layer, shared by all lanes, when
        training (all None without dropout); left out for a pass that only looks
        """
        p = self._pass_of(len(x), noise is not None)
        h = self._drop(p, 0, x.unsqueeze(0).expand(self.n_lanes, -1, -1), noise)
        last = len(p.inputs) - 1
        for i, b in enumerate(self._bias_rows):
            p.inputs[i] = h
            self._products.forward(i, b, h, p.out if i == last else p.z[i])
            if i < last:
                if p.norms:
                    p.norms[i].forward(p.z[i])
                for activate, _ in p.steps[i]:
                    activate()
                h = self._drop(p, i + 1, p.act[i], noise)
        return p

    def weights_changed(self) -> None:
        """To be told before a `flat` that was written to is used."""
        self._products.weights_changed()

    def _drop(self, p: Pass, layer: int, h: Tensor, noise: Sequence[Tensor | None] | None) -> Tensor:
        mask, out, which = p.masks[layer], p.dropped[layer], min(layer, 1)
        u = noise[layer] if noise is not None else None
        if u is None or mask is None or out is None:
            return h
        torch.lt(u, self.keep[which], out=mask)
        mask.mul_(self.scale[which])
        return torch.mul(h, mask, out=out)

    def backward(self, p: Pass, penalties: Penalties) -> None:
        """From `out_grad` of a training pass to the gradient of loss and penalties, in `grads`."""
        g = p.out_grad
        for i in range(len(p.inputs) - 1, -1, -1):
            h = p.inputs[i]
            self._products.weight_gradient(i, g, h, self._raw[i])
            penalties.write(self._raw[i], self.weights[i], self.weight_grads[i])
            torch.sum(g, 1, out=self.bias_grads[i])
            if i:
                below = p.grad[i - 1]
                self._products.input_gradient(i, g, below)
                mask = p.masks[i]
                if mask is not None:
                    below.mul_(mask if self._keeps_masks else self.scale[1])
                for _, differentiate in p.steps[i - 1]:
                    differentiate()
                g = p.z_grad[i - 1]
                if p.norms:
                    p.norms[i - 1].backward(g)
