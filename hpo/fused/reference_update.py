"""How plain torch moves a reference lane: its real schedulers, gradient cut-offs and weight decay."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from math import isfinite

import torch
from torch import Tensor, nn
from torch.optim import Optimizer, lr_scheduler

from hpo.errors import lookup
from hpo.training import LaneSettings

Scheduler = lr_scheduler.LRScheduler

# Schedulers that step after every epoch, and those that step after every batch; n: steps of an epoch
BY_EPOCH: dict[str, Callable[[Optimizer, LaneSettings, int], Scheduler]] = {
    "constant": lambda o, s, n: lr_scheduler.ConstantLR(o, factor=1.0),
    "step": lambda o, s, n: lr_scheduler.StepLR(o, s.step_epochs, s.decay),
    "exponential": lambda o, s, n: lr_scheduler.ExponentialLR(o, s.decay),
    "cosine": lambda o, s, n: lr_scheduler.CosineAnnealingLR(
        o, max(s.epochs - s.warmup_epochs, 1), eta_min=s.rate_floor * s.learning_rate
    ),
}
BY_STEP: dict[str, Callable[[Optimizer, LaneSettings, int], Scheduler]] = {
    "cyclic": lambda o, s, n: lr_scheduler.CyclicLR(
        o,
        s.rate_floor * s.learning_rate,
        s.learning_rate,
        step_size_up=s.cycle_epochs * n / 2,  # type: ignore[arg-type]
        mode=s.cyclic_mode,  # type: ignore[arg-type]
        cycle_momentum=False,
    ),
    "one_cycle": lambda o, s, n: lr_scheduler.OneCycleLR(
        o, s.learning_rate, total_steps=max(s.epochs - s.warmup_epochs, 1) * n, cycle_momentum=False
    ),
}
# Those of torch.optim that decay weights by themselves, the last two when told to.
DECOUPLED = ("adamw", "nadam", "radam")


class ReferenceSchedule:
    """A warm-up step by step, then the schedule from its own start. Raises UnknownName."""

    def __init__(self, optimizer: Optimizer, settings: LaneSettings, steps_per_epoch: int) -> None:
        self._optimizer, self._settings, self._n = optimizer, settings, steps_per_epoch
        self._left = settings.warmup_epochs * steps_per_epoch
        self._warmup = self._left > 0
        self._scheduler = self._rise(self._left) if self._warmup else self._main()

    def _rise(self, n: int) -> Scheduler:
        return lr_scheduler.LambdaLR(self._optimizer, lambda step: (step + 1) / n)

    def _main(self) -> Scheduler:
        s = self._settings
        for group in self._optimizer.param_groups:
            group["lr"] = s.learning_rate
            group.pop("initial_lr", None)  # what the warm-up left, CyclicLR would begin with
        return lookup(BY_EPOCH | BY_STEP, s.schedule, "schedule")(self._optimizer, s, self._n)

    def after_step(self) -> None:
        """A batch was trained, its update taken or thrown away."""
        if self._warmup or self._settings.schedule in BY_STEP:
            self._step()
        self._left -= 1

    def after_epoch(self) -> None:
        """The last batch of an epoch was trained."""
        if self._warmup and self._left == 0:
            self._warmup = False
            self._scheduler = self._main()
        elif not self._warmup and self._settings.schedule in BY_EPOCH:
            self._step()

    def _step(self) -> None:
        with warnings.catch_warnings():
            # It warns of a scheduler that steps before its optimizer, as when the first update is skipped.
            warnings.simplefilter("ignore", UserWarning)
            self._scheduler.step()


class ReferenceUpdate:
    """From the gradient of the loss to new weights.

    weights: those that L2 and weight decay touch; optimizer: over groups of these and of all others
    """

    def __init__(self, net: nn.Module, weights: Sequence[Tensor], settings: LaneSettings) -> None:
        self._net, self._weights, self._settings = net, weights, settings

    @property
    def group(self) -> dict[str, object]:
        """torch.optim's parameter group of the weights."""
        s = self._settings
        decay = s.weight_decay if self._decoupled else 0.0 if self._l2_by_hand else s.l2
        return {"params": list(self._weights), "weight_decay": decay}

    @property
    def _decoupled(self) -> bool:
        s = self._settings
        return s.optimizer in DECOUPLED and (s.weight_decay > 0 or s.optimizer == "adamw")

    @property
    def _l2_by_hand(self) -> bool:
        """Whether L2 must be in the gradient before torch.optim would add it."""
        s = self._settings
        cuts = isfinite(s.clip_norm) or isfinite(s.clip_value) or isfinite(s.skip_norm)
        return cuts or s.weight_decay > 0 or self._decoupled

    @torch.no_grad()
    def step(self, optimizer: Optimizer) -> None:
        """One update, or none when the gradient is too long."""
        s, parameters = self._settings, list(self._net.parameters())
        if self._l2_by_hand and s.l2:
            for w in self._weights:
                if w.grad is not None:
                    w.grad = w.grad.add(w, alpha=s.l2)
        grads = [p.grad for p in parameters if p.grad is not None]
        if float(nn.utils.get_total_norm(grads)) > s.skip_norm:
            return
        if isfinite(s.clip_norm):
            nn.utils.clip_grad_norm_(parameters, s.clip_norm)
        if isfinite(s.clip_value):
            nn.utils.clip_grad_value_(parameters, s.clip_value)
        if s.weight_decay and not self._decoupled:
            for w in self._weights:
                w.mul_(1 - optimizer.param_groups[0]["lr"] * s.weight_decay)
        optimizer.step()
