"""Adam by torch's fused kernel, one lane after another: one pass over memory in place of eight.

It rounds otherwise than torch.optim's default, so only the fast mode has it.
"""

from __future__ import annotations

from typing import Any

import torch

from hpo.fused.adam import Adam
from hpo.fused.update import Numbers, Optimizer, Slice
from hpo.training import LaneSettings

aten: Any = torch.ops.aten

# Below so many numbers in a lane, calls for each lane cost more than passes over all lanes do.
LEAST_PARAMETERS = 4096


class FastAdam(Adam):
    """`Adam` on a CPU, where a lane's numbers adjoin; with weight decay this is AdamW."""

    def __init__(self, lanes: Slice) -> None:
        super().__init__(lanes)
        lists = ([one] for part in (lanes.p, lanes.g, *lanes.states[:2]) for one in part)
        n_lanes, tensors = len(lanes.p), list(lists)
        self._count = torch.zeros(())
        self._lanes = [(*tensors[place::n_lanes], [], [self._count]) for place in range(n_lanes)]
        self._knobs = [{"beta1": s.beta1, "beta2": s.beta2, "eps": s.epsilon} for s in lanes.settings]
        self._first, self._rates, self._shrink = 1, [[0.0]], torch.zeros(0)

    def begin(self, first: int, rates: Numbers) -> None:
        """Prepare for the steps from `first` (the first ever is 1), one for each row of rates [n, k]."""
        self._first, self._rates = first, rates.tolist()
        self._shrink = self._cast(1 - torch.from_numpy(rates) * self._decay).unsqueeze(2)

    def step_(self, i: int) -> None:
        """Move p by one step along the gradient."""
        if self._decays:
            self.lanes.decayed.mul_(self._shrink[i])
        self._count.fill_(self._first + i)
        for lane, knobs, rate in zip(self._lanes, self._knobs, self._rates[i], strict=True):
            aten._fused_adam_(*lane, lr=rate, **knobs, weight_decay=0.0, amsgrad=False, maximize=False)


FAST_OPTIMIZERS: dict[str, type[Optimizer]] = {"adam": FastAdam, "adamw": FastAdam}


def fast_optimizer_of(settings: LaneSettings, n_parameters: int) -> type[Optimizer] | None:
    """What moves lanes of so many numbers each more quickly than their optimizer, where there is such a thing."""
    return FAST_OPTIMIZERS.get(settings.optimizer) if n_parameters >= LEAST_PARAMETERS else None
