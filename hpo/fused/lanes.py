"""Lanes that read the same rows in the same order: one repeat of one fold, one lane for each trial."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, groupby
from typing import TypeVar

import torch
from torch import Tensor

from hpo.cohort import LaneTask
from hpo.dataset import Rows, TrainingData
from hpo.errors import DataError
from hpo.fused.clipping import Clipping
from hpo.fused.copying import OTHER_PARAMETERS, check_copy
from hpo.fused.device import Memory
from hpo.fused.engines import LANE_LAST, Engine, engine_of
from hpo.fused.facts import Watch, levels
from hpo.fused.fast_adam import fast_optimizer_of
from hpo.fused.feed import Batch, Feed
from hpo.fused.initializers import begin_
from hpo.fused.layers import LaneWeights
from hpo.fused.metrics import METRICS, Scale, Tally
from hpo.fused.optimizers import n_states, optimizer_of, variant
from hpo.fused.penalties import Penalties
from hpo.fused.recording import Recorder, Repeated
from hpo.fused.schedules import Rates
from hpo.fused.targets import Target, balanced_weights
from hpo.fused.update import Optimizer, SkippingOptimizer, Slice, skips
from hpo.model import NetworkShape
from hpo.training import LaneSettings, SharedSettings, shape_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What one epoch showed of a group's lanes. train, validation: [K, 1 + metrics] float64 on the CPU
    (the loss first); finite: [K], whether every batch loss and every weight is a finite number; facts:
    [K, facts.COLUMNS]; first: [K], the loss of the epoch's first batch."""

    train: Tensor
    validation: Tensor
    finite: Tensor
    facts: Tensor
    first: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What all groups of a cohort share."""

    shared: SharedSettings
    data: TrainingData
    metrics: tuple[str, ...]
    seed: int
    device: torch.device
    dtype: torch.dtype
    recorder: Callable[[], Recorder] | None  # how an epoch is recorded, None not at all
    fast: bool = False  # whether products may be made in any way that is near

    def shape_of(self, lane: LaneTask) -> NetworkShape:
        """The network of one lane, at its own widths."""
        return shape_of(self.shared, lane.settings, self.data.n_features, self.data.n_classes)

    def padded_shape(self, lane: LaneTask) -> NetworkShape:
        """The same at the widths that tensors have."""
        return replace(self.shape_of(lane), hidden=self.shared.hidden)

    def engine(self, lane: LaneTask) -> Engine:
        """What the lane is computed by."""
        training, _ = self.data.folds[lane.fold]
        batch = min(self.shared.batch_size, len(training.x))
        return engine_of(self.padded_shape(lane), batch, self.device.type)


class LaneGroup:
    """The lanes of one (repeat, fold) and one kind of network, sorted so that those of one optimizer and activation adjoin.

    lanes: in the order of the first axis of every tensor here; a lone lane has a shadow in tensors,
        since torch multiplies a batch of one by other code, with other bits
    flat: [K, P] weights; states: up to three of the same shape, of the optimizers
    skipped: [K] updates each lane has thrown away
    best: [K, P] weights of the epoch each trial was best in
    """

    def __init__(self, recipe: Recipe, lanes: Sequence[LaneTask]) -> None:
        self.recipe, data = recipe, recipe.data
        self.lanes = sorted(lanes, key=_order)
        self.repeat, self.fold = lanes[0].repeat, lanes[0].fold
        self.steps_done = 0
        self._engine = recipe.engine(lanes[0])
        self.layout = self._engine.layout(recipe.padded_shape(lanes[0]))
        self.scale = Scale(data.n_classes, data.positive, data.target_scaling(self.fold))
        training, validation = data.folds[self.fold]
        self._class_weights = self._weigh(training)
        self._feed = self._make_feed(training)
        self._validation_x, self._validation_target = self._rows(validation)
        self.flat = self._begin()
        states = n_states([lane.settings for lane in self.lanes])
        self.states = [torch.zeros_like(self.flat) for _ in range(states)]
        self.skipped = torch.zeros(len(self.flat), dtype=torch.int64, device=recipe.device)
        self.best = self.flat.clone()
        self._levels: dict[tuple[float, float], tuple[float, float]] = {}
        self._memory = Memory(recipe.device, recipe.dtype)
        self._build()

    def _make_feed(self, training: Rows) -> Feed:
        shape, r = self.layout.shape, self.recipe
        if shape.batch_norm and min(len(training.x), r.shared.batch_size) < 2:
            raise DataError(
                f"batch_norm needs batches of two rows at least; there are {len(training.x)} training rows "
                f"in batches of {r.shared.batch_size}"
            )
        return Feed(
            *self._rows(training),
            (shape.n_inputs, *shape.hidden),
            batch_size=r.shared.batch_size,
            joined=shape.batch_norm,
            seed=r.seed,
            repeat=self.repeat,
        )

    def _rows(self, rows: Rows) -> tuple[Tensor, Target]:
        r = self.recipe
        y = torch.from_numpy(rows.y).to(r.device)
        labels, weights = y.long(), self._class_weights
        weight = None if weights is None else weights[labels]
        return torch.from_numpy(rows.x).to(r.device, r.dtype), Target(y.to(r.dtype), labels, weight)

    def _weigh(self, training: Rows) -> Tensor | None:
        """The weight of each class by how rare it is among the fold's training rows, [C], if asked for."""
        r = self.recipe
        if r.shared.class_weight != "balanced":
            return None
        return balanced_weights(torch.from_numpy(training.y).long(), r.data.n_classes).to(r.device, r.dtype)

    def _begin(self) -> Tensor:
        r, lanes = self.recipe, self._filled(self.lanes)
        flat = self.layout.empty(len(lanes), torch.device("cpu"), torch.float64)
        begin_(
            flat, self.layout, [(lane.settings, self.shape_of(lane)) for lane in lanes], r.seed, self.repeat
        )
        return flat.to(r.device, r.dtype)

    def shape_of(self, lane: LaneTask) -> NetworkShape:
        """The network of one lane, at its own widths."""
        return self.recipe.shape_of(lane)

    def lane_weights(self, flat: Tensor, place: int) -> LaneWeights:
        """The lane in this place, as a storage like `flat` has it."""
        lane = self.lanes[place]
        return self.layout.lane(flat[place], lane.repeat, lane.fold, self.shape_of(lane))

    def _build(self) -> None:
        """Make everything that depends on which lanes there are."""
        r, settings = self.recipe, [lane.settings for lane in self._filled(self.lanes)]
        batch = self._feed.largest_batch
        largest = max(batch, min(self._engine.validation_rows, len(self._validation_x)))
        self.network = self._engine.network(
            self.layout, self.flat, settings, self._memory, batch=batch, max_rows=largest, fast=r.fast
        )
        self.loss = self._engine.losses[r.shared.loss](
            settings, largest, self.scale.n_classes, self._memory, self._class_weights
        )
        self._watch = Watch(settings, self.layout.shape.hidden, r.device)
        self.penalties = Penalties(settings, self.flat)
        self.clipping = Clipping(settings, self.network.parameter_grads, self.network.grads)
        self.rates = Rates(settings, self.steps_per_epoch)
        self._feed.want(self.network.drops)
        self._repeated = Repeated(r.recorder)
        self.optimizers: list[tuple[slice, Optimizer | SkippingOptimizer]] = []
        at = 0
        for _, members in groupby(settings, key=variant):
            group = list(members)
            part = slice(at, at + len(group))
            self.optimizers.append((part, self._optimizer(part, group)))
            at += len(group)

    def _optimizer(self, part: slice, settings: Sequence[LaneSettings]) -> Optimizer | SkippingOptimizer:
        """What moves the lanes of one variant, which stand in this part of the group."""
        p = self.flat[part]

        def memory(name: str) -> Tensor:
            # The optimizers take turns, so they share memory: the less of it, the more is in cache.
            return self.layout.rows(self._memory.flat(name, self.flat.numel()), len(p))

        lanes = Slice(
            p=p,
            g=self.network.grads[part],
            decayed=p[:, : self.layout.weights_end],
            states=tuple(state[part] for state in self.states),
            t=memory("step0"),
            d=memory("step1"),
            settings=settings,
        )
        if skips(settings[0]):
            return self._skipping(part, optimizer_of(settings[0])(lanes), memory)
        quick = fast_optimizer_of(settings[0], p.shape[1]) if self.recipe.fast and p.stride(1) == 1 else None
        return (quick or optimizer_of(settings[0]))(lanes)

    def _skipping(
        self, part: slice, optimizer: Optimizer, memory: Callable[[str], Tensor]
    ) -> SkippingOptimizer:
        before = [memory(f"before{i}") for i in range(1 + optimizer.n_states)]
        return SkippingOptimizer(optimizer, self.clipping.norms[part], self.skipped[part], before)

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch."""
        return self._feed.n_steps

    @torch.inference_mode()
    def train_epoch(self, epoch: int) -> Measures:
        """Train one epoch (from 1) and look at the validation rows."""
        tally = Tally(len(self.flat), self.scale, self.recipe.metrics, self.recipe.device)
        rates, at = self.rates.of_epoch(epoch), 0
        self.network.weights_changed()
        for place, piece in enumerate(self._feed.epoch(epoch)):
            for part, optimizer in self.optimizers:
                optimizer.begin(self.steps_done + 1, rates[at : at + len(piece), part])
            tally.absorb(self._repeated(("train", place), partial(self._train, piece, at)))
            self.steps_done += len(piece)
            at += len(piece)
        validation, finite = self._repeated("look", self._look)
        n = len(self.lanes)
        return Measures(
            train=self._columns(tally)[:n].cpu(),
            validation=validation[:n].cpu(),
            finite=(tally.loss.isfinite() & finite)[:n].cpu(),
            facts=self._watch.columns(len(self._validation_x))[:n].cpu(),
            first=self._watch.first[:n].cpu(),
        )

    def _train(self, piece: Sequence[Batch], at: int) -> Tally:
        """Steps over the batches of a piece, of which the first is number `at` (from 0) of the epoch."""
        r, net, sampled = self.recipe, self.network, self._feed.last_full - at
        tally = Tally(len(self.flat), self.scale, r.metrics, r.device)
        for i, batch in enumerate(piece):
            p = net.forward(batch.x, batch.noise)
            tally.add(self.loss, p, batch.target)
            if at + i == 0:
                self._watch.first.copy_(tally.mean_loss())
            self.loss.backward(p, batch.target)
            net.backward(p, self.penalties)
            if i == sampled:
                self._watch.gradients_(net.weight_grads[0], net.weight_grads[-1])
            self.clipping.clip_()
            for _, optimizer in self.optimizers:
                optimizer.step_(i)
            net.weights_changed()
        return tally

    def _look(self) -> tuple[Tensor, Tensor]:
        """Columns of the validation rows, NaN without such rows; and which lanes are finite."""
        if len(self._validation_x):
            return self._columns(self.validate()), self._finite()
        return self.flat.new_full((len(self.flat), 1 + len(self.recipe.metrics)), math.nan), self._finite()

    def _finite(self) -> Tensor:
        """Whether everything a lane has is a finite number, [K].

        The room between layers is not looked at: with an epsilon of 0 it turns NaN, as 0 / 0.
        """
        parts = [*self.network.weights, *self.network.biases, *chain(*self.layout.extras(self.flat).values())]
        ends = [end(part, tuple(range(1, part.dim()))) for part in parts for end in (torch.amax, torch.amin)]
        return torch.stack(ends).isfinite().all(0)

    def validate(self) -> Tally:
        """One pass over the validation rows, dropout off."""
        r, x = self.recipe, self._validation_x
        tally = Tally(len(self.flat), self.scale, r.metrics, r.device)
        targets = self._validation_target.split(self._engine.validation_rows)
        self._watch.begin_()
        for x_rows, rows in zip(torch.split(x, self._engine.validation_rows), targets, strict=True):
            p = self.network.forward(x_rows)
            self._watch.units_(p.act)
            tally.add(self.loss, p, rows)
        return tally

    def _columns(self, tally: Tally) -> Tensor:
        columns = [tally.mean_loss(), *(METRICS[m](tally) for m in self.recipe.metrics)]
        return torch.stack(columns, 1)

    def levels(self, settings: LaneSettings) -> tuple[float, float]:
        """What outputs of zero cost a lane on the training rows, and what the best constant answer does."""
        key = settings.label_smoothing, settings.huber_delta
        if key not in self._levels:
            shared, data = self.recipe.shared, self.recipe.data
            self._levels[key] = levels(
                shared.loss,
                torch.from_numpy(data.folds[self.fold][0].y),
                settings,
                n_classes=data.n_classes,
                balanced=shared.class_weight == "balanced",
            )
        return self._levels[key]

    def remember(self, places: Sequence[int]) -> None:
        """Keep the weights that the lanes in these places have now: they have not been better."""
        if len(places) == len(self.lanes):
            self.best.copy_(self.flat)
        elif places:
            index = torch.tensor(places, device=self.flat.device)
            self.best[index] = self.flat[index]

    def keep(self, places: Sequence[int]) -> None:
        """Go on with the lanes in these places only."""
        if not places:
            self.lanes = []
            return
        self._arrange([self.lanes[place] for place in places], places, places)

    def copy(self, pairs: Sequence[tuple[int, int]], settings: Sequence[LaneSettings]) -> None:
        """Let the second lane of each pair of places go on from where the first is, with settings of its own.

        It takes over weights, states and the number of updates; what it was best with stays its own. All
        are read before any is written, so lanes may be exchanged. Places may change. Raises SpecError when
        the settings do not go with what is taken over, ValueError for two sources of one lane.
        """
        if len({to for _, to in pairs}) < len(pairs):
            raise ValueError(f"a lane can go on from one other only, got {list(pairs)}")
        lanes, sources = list(self.lanes), list(range(len(self.lanes)))
        for (source, to), new in zip(pairs, settings, strict=True):
            check_copy(self.lanes[source].settings, new)
            lanes[to], sources[to] = replace(lanes[to], settings=new), source
        self._arrange(lanes, sources, range(len(lanes)))

    def take_over(self, place: int, running: tuple[LaneGroup, int], best: tuple[LaneGroup, int]) -> None:
        """Let the lane in this place go on from a lane of any group; what was best comes from another."""
        (source, at), (own, own_at) = running, best
        rows = self.rows_of(place)
        self.flat[rows], self.skipped[rows] = source.flat[at], source.skipped[at]
        for state, theirs in zip(self.states, source.states, strict=False):
            state[rows] = theirs[at]
        self.best[rows] = own.best[own_at]

    def rows_of(self, place: int) -> slice:
        """Where tensors have the lane in this place: the last one has shadows."""
        return slice(place, None if place == len(self.lanes) - 1 else place + 1)

    def _filled(self, items: Sequence[T]) -> list[T]:
        """The items, and the last one again for each shadow there must be in tensors."""
        return [*items, *[items[-1]] * (self.layout.lanes_of(len(items)) - len(items))]

    def _arrange(self, lanes: Sequence[LaneTask], sources: Sequence[int], own: Sequence[int]) -> None:
        """Go on with these lanes: each with the state of a lane there is, and the best of one. Both are places."""
        order = sorted(range(len(lanes)), key=lambda place: _order(lanes[place]))
        taken = torch.tensor(self._filled([sources[place] for place in order]), device=self.flat.device)
        best = torch.tensor(self._filled([own[place] for place in order]), device=self.flat.device)
        self.lanes = [lanes[place] for place in order]
        self.flat, self.best = self.layout.pick(self.flat, taken), self.layout.pick(self.best, best)
        self.states = [self.layout.pick(state, taken) for state in self.states]
        self.skipped = self.skipped[taken]
        self._build()


def _order(lane: LaneTask) -> tuple[str, tuple[str, bool, bool]]:
    """Sorted by it, lanes of one activation adjoin, and among them those of one optimizer.

    A stretch of lanes of one activation costs some calls in each layer, forward and backward; one of one
    optimizer a few calls in all.
    """
    return lane.settings.activation, variant(lane.settings)


def kind_of(recipe: Recipe, lane: LaneTask) -> str:
    """Lanes of one kind have the same parameters, and are computed alike.

    Maxout has more linear units than outputs, prelu has slopes. Tiny networks are computed by activation,
    and those that drop inputs apart from those that all read the same.
    """
    activation = lane.settings.activation
    if recipe.engine(lane) is LANE_LAST:
        return f"tiny {activation}{' without some inputs' if lane.settings.input_dropout else ''}"
    return activation if activation in OTHER_PARAMETERS else "plain"
