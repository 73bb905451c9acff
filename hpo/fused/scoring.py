"""Score a kept model on rows it has never seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from hpo.dataset import Rows, TargetScaling
from hpo.errors import lookup
from hpo.fused.device import Memory
from hpo.fused.engines import LANE_FIRST
from hpo.fused.layers import LaneWeights, Layout
from hpo.fused.losses import LOSSES
from hpo.fused.metrics import METRICS, Scale, Tally
from hpo.fused.network import Network
from hpo.fused.targets import Target
from hpo.training import LaneSettings, SharedSettings, shape_of


class DataFacts(Protocol):
    """What scoring must know of the data; TrainingData knows it."""

    @property
    def n_features(self) -> int:
        """Columns of x."""

    @property
    def n_classes(self) -> int:
        """0 for regression."""

    @property
    def target_scaling(self) -> TargetScaling:
        """How to bring outputs back to the target's own unit."""

    @property
    def positive(self) -> int | None:
        """The class precision, recall and f1 are of with two classes."""


def score(
    shared: SharedSettings,
    settings: LaneSettings,
    lanes: Sequence[LaneWeights],
    data: DataFacts,
    test: Rows,
    metrics: Sequence[str],
) -> dict[str, list[float]]:
    """Each metric of each lane on the test rows. Raises UnknownName."""
    # At its own widths: nothing is padded.
    shape = shape_of(shared, settings, data.n_features, data.n_classes)
    layout, n = Layout(shape), len(lanes)
    flat = layout.empty(n, torch.device("cpu"), torch.float32)
    for row, lane in zip(flat, lanes, strict=True):
        layout.put(row, lane, shape)
    rows, memory = min(LANE_FIRST.validation_rows, len(test.x)), Memory(flat.device, flat.dtype)
    network = Network(layout, flat, [settings] * n, memory, batch=1, max_rows=rows)
    loss = LOSSES[shared.loss]([settings] * n, rows, data.n_classes, memory, None)
    tally = Tally(n, Scale(data.n_classes, data.positive, data.target_scaling), metrics, flat.device)
    x, y = torch.from_numpy(test.x), torch.from_numpy(test.y)
    targets = Target(y, y.long()).split(LANE_FIRST.validation_rows)
    for x_rows, target in zip(torch.split(x, LANE_FIRST.validation_rows), targets, strict=True):
        p = network.forward(x_rows)
        tally.add(loss, p, target)
    return {name: lookup(METRICS, name, "metric")(tally).tolist() for name in metrics}
