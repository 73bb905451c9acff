"""One lane by plain torch.nn and torch.optim: what the fused code is held against. Slow on purpose.

The classes are torch's own; given from outside are only the first weights, the order of the rows and
the dropout noise, which are those of the fused code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hpo.errors import lookup
from hpo.fused.batches import DropoutNoise, batch_ends, row_order
from hpo.fused.initializers import initial_weight
from hpo.fused.layers import Floats, LaneWeights
from hpo.fused.normalisation import MOMENTUM
from hpo.fused.reference_update import ReferenceSchedule, ReferenceUpdate
from hpo.model import BATCH_NORM_EPSILON, NetworkShape
from hpo.training import LaneSettings, SharedSettings

Params = list[dict[str, object]]

ACTIVATIONS: dict[str, Callable[[LaneSettings], nn.Module]] = {
    "linear": lambda s: nn.Identity(),
    "sigmoid": lambda s: nn.Sigmoid(),
    "tanh": lambda s: nn.Tanh(),
    "relu": lambda s: nn.ReLU(),
    "leaky_relu": lambda s: nn.LeakyReLU(s.negative_slope),
    "prelu": lambda s: nn.PReLU(1),
    "elu": lambda s: nn.ELU(s.elu_alpha),
    "maxout": lambda s: Maxout(),
    "gelu": lambda s: nn.GELU(),
    "silu": lambda s: nn.SiLU(),
    "selu": lambda s: nn.SELU(),
    "softplus": lambda s: nn.Softplus(),
    "mish": lambda s: nn.Mish(),
}
OPTIMIZERS: dict[str, Callable[[LaneSettings, Params], torch.optim.Optimizer]] = {
    "sgd": lambda s, p: torch.optim.SGD(p, lr=s.learning_rate),
    "momentum": lambda s, p: torch.optim.SGD(p, lr=s.learning_rate, momentum=s.momentum),
    "nesterov": lambda s, p: torch.optim.SGD(p, lr=s.learning_rate, momentum=s.momentum, nesterov=True),
    "adagrad": lambda s, p: torch.optim.Adagrad(p, lr=s.learning_rate, eps=s.epsilon),
    "adadelta": lambda s, p: torch.optim.Adadelta(p, lr=s.learning_rate, rho=s.rho, eps=s.epsilon),
    "rmsprop": lambda s, p: torch.optim.RMSprop(
        p, lr=s.learning_rate, alpha=s.rho, eps=s.epsilon, centered=s.centered
    ),
    "adam": lambda s, p: torch.optim.Adam(p, **_adam(s)),
    "amsgrad": lambda s, p: torch.optim.Adam(p, **_adam(s), amsgrad=True),
    "nadam": lambda s, p: torch.optim.NAdam(p, **_adam(s), decoupled_weight_decay=s.weight_decay > 0),
    "adamw": lambda s, p: torch.optim.AdamW(p, **_adam(s), weight_decay=0.0),
    "radam": lambda s, p: torch.optim.RAdam(p, **_adam(s), decoupled_weight_decay=s.weight_decay > 0),
    "adamax": lambda s, p: torch.optim.Adamax(p, **_adam(s)),
}


class BinaryCrossEntropy(nn.Module):
    """BCEWithLogitsLoss of smoothed targets, a row weighing as its class does."""

    def __init__(self, smoothing: float, class_weights: Tensor | None) -> None:
        super().__init__()
        self.smoothing, self.class_weights = smoothing, class_weights

    def forward(self, out: Tensor, y: Tensor) -> Tensor:
        """The mean over rows. out, y: [B, 1]."""
        weight = None if self.class_weights is None else self.class_weights[y.long()]
        soft = y * (1 - self.smoothing) + self.smoothing / 2
        loss: Tensor = nn.BCEWithLogitsLoss(weight=weight)(out, soft)
        return loss


LOSSES: dict[str, Callable[[LaneSettings, Tensor | None], nn.Module]] = {
    "cross_entropy": lambda s, w: nn.CrossEntropyLoss(weight=w, label_smoothing=s.label_smoothing),
    "binary_cross_entropy": lambda s, w: BinaryCrossEntropy(s.label_smoothing, w),
    "mse": lambda s, w: nn.MSELoss(),
    "mae": lambda s, w: nn.L1Loss(),
    "huber": lambda s, w: nn.HuberLoss(delta=s.huber_delta),
}


def _adam(s: LaneSettings) -> dict[str, Any]:
    return {"lr": s.learning_rate, "betas": (s.beta1, s.beta2), "eps": s.epsilon}


class Maxout(nn.Module):
    """The largest of a unit's linear pieces, which stand one after another: [n, pieces * width]."""

    width = 0  # set once it is known

    def forward(self, z: Tensor) -> Tensor:
        """[n, width]."""
        return z.view(len(z), -1, self.width).max(1).values


class GivenDropout(nn.Module):
    """Inverted dropout whose noise comes from outside: `noise` is set before each batch."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.noise: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """x where noise < 1 - rate, scaled up; x itself in evaluation or without noise."""
        if not self.training or self.noise is None:
            return x
        return x * (self.noise < 1 - self.rate).to(x.dtype) * (1 / (1 - self.rate))


class ReferenceLane:
    """A perceptron as a textbook would write it. class_weights: [C], when they differ. Raises UnknownName."""

    def __init__(
        self,
        shared: SharedSettings,
        settings: LaneSettings,
        shape: NetworkShape,
        *,
        seed: int = 0,
        repeat: int = 0,
        dtype: torch.dtype = torch.float32,
        class_weights: Tensor | None = None,
    ) -> None:
        self.shared, self.settings, self.shape = shared, settings, shape
        self.seed, self.repeat, self.dtype = seed, repeat, dtype
        self.dropouts = [GivenDropout(settings.input_dropout)]
        self.linears = [nn.Linear(n_in, n_out).to(dtype) for n_in, n_out in shape.layers]
        modules: list[nn.Module] = [self.dropouts[0]]
        self.norms: list[nn.BatchNorm1d] = []
        self.activations: list[nn.Module] = []
        for width, linear in zip(shape.hidden, self.linears, strict=False):
            self.dropouts.append(GivenDropout(settings.dropout))
            activation = lookup(ACTIVATIONS, settings.activation, "activation")(settings).to(dtype)
            if isinstance(activation, Maxout):
                activation.width = width
            self.activations.append(activation)
            if shared.batch_norm:
                self.norms.append(
                    nn.BatchNorm1d(
                        linear.out_features, eps=BATCH_NORM_EPSILON, momentum=MOMENTUM, dtype=dtype
                    )
                )
            modules += [linear, *self.norms[-1:], activation, self.dropouts[-1]]
        self.net = nn.Sequential(*modules, self.linears[-1])
        weights = None if class_weights is None else class_weights.to(dtype)
        self.loss = lookup(LOSSES, shared.loss, "loss")(settings, weights)
        self.update = ReferenceUpdate(self.net, [linear.weight for linear in self.linears], settings)
        others = [linear.bias for linear in self.linears]
        others += [p for module in (*self.norms, *self.activations) for p in module.parameters()]
        groups: Params = [self.update.group, {"params": others}]
        self.optimizer = lookup(OPTIMIZERS, settings.optimizer, "optimizer")(settings, groups)
        self.schedule: ReferenceSchedule | None = None
        self._begin()

    @torch.no_grad()
    def _begin(self) -> None:
        for layer, linear in enumerate(self.linears):
            n_in, n_out = linear.in_features, linear.out_features
            first = initial_weight(
                self.settings, n_in, n_out, seed=self.seed, repeat=self.repeat, layer=layer
            )
            linear.weight.copy_(first)
            linear.bias.fill_(self.settings.bias_init)

    def step(self, x: Tensor, y: Tensor, noise: Sequence[Tensor | None] = ()) -> float:
        """One batch: forward, backward, update. Returns the loss without penalties."""
        own = (self.shape.n_inputs, *self.shape.hidden)
        for dropout, u, width in zip(self.dropouts, noise, own, strict=False):
            dropout.noise = None if u is None else u[:, :width]
        self.optimizer.zero_grad()
        out = self.net(x)
        target = y.long() if self.shared.loss == "cross_entropy" else y.to(self.dtype).unsqueeze(1)
        loss = self.loss(out, target)
        penalty = self.settings.l1 * sum(linear.weight.abs().sum() for linear in self.linears)
        (loss + penalty if self.settings.l1 else loss).backward()
        self.update.step(self.optimizer)
        return float(loss.detach())

    def train_epoch(self, x: Tensor, y: Tensor, epoch: int) -> float:
        """One epoch (from 1) over all rows; the mean loss over rows as trained."""
        order = row_order(len(x), seed=self.seed, repeat=self.repeat, epoch=epoch)
        widths = (self.shape.n_inputs, *self.shared.hidden)  # a padded lane uses the first of each
        wanted = [d.rate > 0 for d in self.dropouts]
        noise = DropoutNoise(widths, wanted, seed=self.seed, repeat=self.repeat, epoch=epoch).take(len(x))
        total = 0.0
        self.net.train()
        ends = batch_ends(len(x), self.shared.batch_size, joined=self.shared.batch_norm)
        if self.schedule is None:
            self.schedule = ReferenceSchedule(self.optimizer, self.settings, len(ends))
        for begin, end in ends:
            rows = order[begin:end]
            part = [None if u is None else u[begin:end] for u in noise]
            total += self.step(x[rows].to(self.dtype), y[rows], part) * (end - begin)
            self.schedule.after_step()
        self.schedule.after_epoch()
        return total / len(x)

    @torch.no_grad()
    def outputs(self, x: Tensor) -> Tensor:
        """The logits or outputs [n, C], dropout off."""
        self.net.eval()
        out: Tensor = self.net(x.to(self.dtype))
        return out

    def lane_weights(self, fold: int = 0) -> LaneWeights:
        """The weights as they are now."""
        return LaneWeights(
            repeat=self.repeat,
            fold=fold,
            weights=tuple(linear.weight.detach().numpy().copy() for linear in self.linears),
            biases=tuple(linear.bias.detach().numpy().copy() for linear in self.linears),
            extras=self._extras(),
        )

    def extra_tensors(self) -> dict[str, list[Tensor]]:
        """What hidden layers have besides weights and biases, by the names of `LaneWeights`."""
        return {
            "gamma": [norm.weight for norm in self.norms],
            "beta": [norm.bias for norm in self.norms],
            "mean": [norm.get_buffer("running_mean") for norm in self.norms],
            "variance": [norm.get_buffer("running_var") for norm in self.norms],
            "slope": [p for module in self.activations for p in module.parameters()],
        }

    def _extras(self) -> dict[str, tuple[Floats, ...]]:
        return {
            name: tuple(t.detach().numpy().copy() for t in tensors)
            for name, tensors in self.extra_tensors().items()
            if tensors
        }
