"""The forward and backward pass of K tiny perceptrons of one activation, the lane last in memory.

For matrices this small a batched product costs more in calls than in arithmetic. Here the first layer is
one product for all lanes, since they read the same rows, and the rest is elementwise over lanes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from hpo.errors import lookup
from hpo.fused.activations import KEEPS_INPUT, KNOBS, NEEDS_RESULT
from hpo.fused.device import Memory, column
from hpo.fused.outputs import Outputs
from hpo.fused.penalties import Penalties
from hpo.fused.tiny_activations import ACTIVATIONS, TinyRun
from hpo.fused.tiny_layers import outer_sum, pulled_back, weighted_sum
from hpo.fused.tiny_layout import TinyLayout
from hpo.fused.tiny_norm import TinyBatchNorm
from hpo.training import LaneSettings

Step = Callable[[], object]
Noise = Sequence[Tensor | None]


@dataclass(slots=True, kw_only=True)
class TinyPass(Outputs):
    """One pass over B rows: its steps, bound once to their buffers.

    x, noise: the rows [B, in] and the uniform numbers [B, width] by layer, which `forward` sets
    backward: by layer, the first layer's first
    """

    x: Tensor
    noise: Noise = ()
    forward: list[Step] = field(default_factory=list)
    backward: list[list[Step]] = field(default_factory=list)


class TinyNetwork:
    """K lanes of one shape and one activation; either all of them drop inputs or none does.

    flat: [K, P] as `layout` lays it out; grads: the same for the gradient
    batch: rows of the largest training batch; max_rows: of the largest pass of any kind
    fast: changes nothing: what is fast for larger products is not for these
    """

    def __init__(
        self,
        layout: TinyLayout,
        flat: Tensor,
        settings: Sequence[LaneSettings],
        memory: Memory,
        *,
        batch: int,
        max_rows: int,
        fast: bool = False,
    ) -> None:
        self.layout, self.flat, self.settings, self._memory = layout, flat, settings, memory
        self.n_lanes, self.batch, self.max_rows = len(flat), batch, max_rows
        self.grads = layout.rows(memory.flat("grads", flat.numel()), self.n_lanes)
        self.grads.zero_()  # running means and variances have no gradient
        self.weights, self.biases = layout.weights(flat), layout.biases(flat)
        self.weight_grads, self.bias_grads = layout.weights(self.grads), layout.biases(self.grads)
        self._w, self._w_grads = ([w.permute(2, 1, 0) for w in layout.weights(t)] for t in self._both)
        self._b, self._b_grads = ([b.t() for b in layout.biases(t)] for t in self._both)
        self._extras, self._extra_grads = (
            {name: [e.t() for e in parts] for name, parts in layout.extras(t).items()} for t in self._both
        )
        end = layout.weights_end
        self._decayed = self.grads[:, :end].unsqueeze(2), flat[:, :end].unsqueeze(2)
        self.activation = settings[0].activation
        self._make_buffers()
        self._passes: dict[tuple[int, bool], TinyPass] = {}

    @property
    def parameter_grads(self) -> list[Tensor]:
        """The gradient of every parameter, [K, ...]."""
        return [self.grads]

    @property
    def _both(self) -> tuple[Tensor, Tensor]:
        return self.flat, self.grads

    @property
    def drops(self) -> list[bool]:
        """Whether any lane drops inputs (first entry) or units of each hidden layer."""
        inputs, hidden = ([s.input_dropout for s in self.settings], [s.dropout for s in self.settings])
        return [any(inputs)] + [any(hidden)] * len(self.layout.shape.hidden)

    def _row(self, values: list[float]) -> Tensor:
        """A number for each lane, [1, K], cast once from Python's doubles."""
        return column(values, self.flat.device, self.flat.dtype).t()

    def _make_buffers(self) -> None:
        shape = self.layout.shape
        widths = (shape.n_inputs, *shape.hidden)

        def flat(name: str, width: int, rows: int) -> Tensor:
            return self._memory.flat(name, self.n_lanes * rows * width)

        keeps, apart = self.activation in KEEPS_INPUT, self.activation in NEEDS_RESULT
        units = [h * shape.pieces for h in shape.hidden]
        self._act = [flat(f"act{i}", h, self.max_rows) for i, h in enumerate(shape.hidden)]
        self._z = [flat(f"z{i}", n, self.max_rows) for i, n in enumerate(units)] if keeps else self._act
        norms = units if shape.batch_norm else []
        self._normed = [flat(f"norm{i}", n, self.max_rows) for i, n in enumerate(norms)]
        self._grad = [flat(f"grad{i}", h, self.batch) for i, h in enumerate(shape.hidden)]
        several = shape.pieces > 1
        self._z_grad = (
            [flat(f"z_grad{i}", n, self.batch) for i, n in enumerate(units)] if several else self._grad
        )
        self._scratch = flat("scratch", max(*widths, *units, shape.n_outputs), self.max_rows)
        self._out, self._out_grad = (flat(n, shape.n_outputs, self.max_rows) for n in ("out", "out_grad"))
        drops = list(zip(widths, self.drops, strict=True))
        self._mask = [flat(f"mask{i}", w, self.batch) if drop else None for i, (w, drop) in enumerate(drops)]
        self._dropped = [
            (flat(f"dropped{i}", w, self.batch) if apart or i == 0 else self._act[i - 1]) if drop else None
            for i, (w, drop) in enumerate(drops)
        ]
        self._keep = [self._row([1 - rate for rate in rates]) for rates in self._rates()]
        doubles = [
            column([1 - rate for rate in rates], self.flat.device, torch.float64) for rates in self._rates()
        ]
        self._scale = [(1 / kept).to(self.flat.dtype).t() for kept in doubles]

    def _rates(self) -> tuple[list[float], list[float]]:
        return [s.input_dropout for s in self.settings], [s.dropout for s in self.settings]

    def weights_changed(self) -> None:
        """To be told before a `flat` that was written to is used: nothing is kept of it here."""

    def forward(self, x: Tensor, noise: Noise | None = None) -> TinyPass:
        """The logits of rows x [B, in], in `out` of the pass returned.

        noise: uniform numbers [B, width] for the inputs and each hidden layer, shared by all lanes, when
        training (all None without dropout); left out for a pass that only looks
        """
        key = len(x), noise is not None
        if key not in self._passes:
            self._passes[key] = self._bind(*key)
        p = self._passes[key]
        p.x, p.noise = x, noise or ()
        for step in p.forward:
            step()
        return p

    def backward(self, p: TinyPass, penalties: Penalties) -> None:
        """From `out_grad` of a training pass to the gradient of loss and penalties, in `grads`."""
        for steps in reversed(p.backward):
            for step in steps:
                step()
        gradient, weights = self._decayed
        penalties.write(gradient, weights, gradient)

    def _view(self, flat: Tensor, rows: int, width: int) -> Tensor:
        return flat[: rows * width * self.n_lanes].view(rows, width, self.n_lanes)

    def _bind(self, rows: int, training: bool) -> TinyPass:
        """The steps of a pass over so many rows."""
        shape = self.layout.shape
        out = self._view(self._out, rows, shape.n_outputs)
        out_grad = self._view(self._out_grad, rows, shape.n_outputs)
        p = TinyPass(
            rows=rows, out=out.permute(2, 0, 1), out_grad=out_grad.permute(2, 0, 1), act=[], x=self.flat
        )
        reads = self._drop_inputs(p) if training else None
        last = len(shape.layers) - 1
        for i, (_, n_out) in enumerate(shape.layers):
            if i == last:
                z, g = out, out_grad
            else:
                to = self._normed if shape.batch_norm else self._z
                z = self._view(to[i], rows, n_out)
                g = self._view(self._z_grad[i], rows, n_out) if training else z
            p.forward.append(self._product(p, i, reads, z))
            p.backward.append(self._product_back(p, i, reads, g) if training else [])
            if i < last:
                reads = self._hidden(p, i, training)
        return p

    def _product(self, p: TinyPass, i: int, reads: Tensor | None, z: Tensor) -> Step:
        w, b = self._w[i], self._b[i]
        if reads is not None:
            return weighted_sum(reads, w, b, z, self._scratch)
        w_sheet, b_sheet, z_sheet = w.flatten(1), b.flatten(), z.flatten(1)
        return lambda: torch.addmm(b_sheet, p.x, w_sheet, out=z_sheet)

    def _product_back(self, p: TinyPass, i: int, reads: Tensor | None, g: Tensor) -> list[Step]:
        """To the gradients of weights, biases and, but for the first layer, of what it reads."""
        w, w_grad, b_grad = self._w[i], self._w_grads[i], self._b_grads[i]

        def biases() -> None:
            torch.sum(g, 0, out=b_grad)

        if reads is None:
            w_sheet, g_sheet = w_grad.flatten(1), g.flatten(1)
            return [biases, lambda: torch.mm(p.x.t(), g_sheet, out=w_sheet)]
        steps: list[Step] = [biases, outer_sum(reads, g, w_grad, self._scratch)]
        if i:
            below = self._view(self._grad[i - 1], p.rows, w.shape[0])
            steps.append(pulled_back(g, w, below, self._scratch))
        return steps

    def _drop_inputs(self, p: TinyPass) -> Tensor | None:
        """What the first layer reads where inputs are dropped: [B, in, K]."""
        mask, out = self._mask[0], self._dropped[0]
        if mask is None or out is None:
            return None
        n = self.layout.shape.n_inputs
        mask, dropped = self._view(mask, p.rows, n), self._view(out, p.rows, n)
        keep, scale = self._keep[0], self._scale[0]

        def drop() -> None:
            torch.lt(_noise(p, 0), keep, out=mask)
            mask.mul_(scale)
            torch.mul(p.x.unsqueeze(2), mask, out=dropped)

        p.forward.append(drop)
        return dropped

    def _hidden(self, p: TinyPass, i: int, training: bool) -> Tensor:
        """Normalise, activate and drop; what the next layer reads, [B, H, K]. Adds steps of both directions."""
        shape, rows, h = self.layout.shape, p.rows, self.layout.shape.hidden[i]
        back: list[Step] = []
        if shape.batch_norm:
            n = h * shape.pieces
            norm = TinyBatchNorm(
                {name: parts[i].flatten() for name, parts in self._extras.items()},
                {name: parts[i].flatten() for name, parts in self._extra_grads.items()},
                self._view(self._normed[i], rows, n).flatten(1),
                self._view(self._z[i], rows, n).flatten(1),
                training=training,
            )
            p.forward.append(norm.forward)
            z_grad = self._view(self._z_grad[i], rows, n).flatten(1) if training else self.flat
            back.append(lambda: norm.backward(z_grad))
        act, mask, out = self._view(self._act[i], rows, h), self._mask[i + 1], self._dropped[i + 1]
        p.act.append(act.permute(2, 0, 1))
        drops = training and mask is not None and out is not None
        reads = self._view(out, rows, h) if drops and out is not None else act
        activate, differentiate = self._activation(i, rows, reads, training)
        p.forward.append(activate)
        back.insert(0, differentiate)
        if drops and mask is not None:
            kept = self._view(mask, rows, h)
            keep, scale, grad = self._keep[1], self._scale[1], self._view(self._grad[i], rows, h)

            def drop() -> None:
                torch.lt(_noise(p, i + 1), keep, out=kept)
                kept.mul_(scale)
                torch.mul(act, kept, out=reads)

            p.forward.append(drop)
            back.insert(0, lambda: grad.mul_(kept))
        if training:
            p.backward[i][:0] = back
        return reads

    def _activation(self, i: int, rows: int, reads: Tensor, training: bool) -> tuple[Step, Step]:
        h, name = self.layout.shape.hidden[i], self.activation
        knobs = [getattr(s, KNOBS[name]) if name in KNOBS else 0.0 for s in self.settings]
        knob = knob_grad = self._row(knobs)
        if name == "prelu":
            knob, knob_grad = self._extras["slope"][i], self._extra_grads["slope"][i]
        run = TinyRun(
            z=self._z[i],
            act=self._act[i],
            read=reads.flatten(),
            grad=self._grad[i] if training else self._act[i],
            z_grad=self._z_grad[i] if training else self._z[i],
            scratch=self._scratch,
            begin=0,
            end=rows * h * self.n_lanes,
            lane=self.n_lanes,
            width=h * self.n_lanes,
            pieces=self.layout.shape.pieces,
            knob=knob,
            knob_grad=knob_grad,
            mask=self._units(i),
        )
        return lookup(ACTIVATIONS, name, "activation")(run)

    def _units(self, i: int) -> Tensor | None:
        """1 for a lane's own units, 0 for padding, [1, 1, H * K]; None where no lane is padded."""
        width = self.layout.shape.hidden[i]
        own = [float(s.hidden[i]) for s in self.settings]
        if min(own) == width:
            return None
        unit = torch.arange(width, device=self.flat.device, dtype=self.flat.dtype).unsqueeze(1)
        return torch.lt(unit, self._row(own)).to(self.flat.dtype).view(1, 1, -1)


def _noise(p: TinyPass, layer: int) -> Tensor:
    """The uniform numbers of a layer as [B, width, 1]."""
    u = p.noise[layer]
    assert u is not None
    return u.unsqueeze(2)
