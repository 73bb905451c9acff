"""The facts of a trial against plain torch, and that they are of one lane alone."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from hpo.dataset import Rows
from hpo.fused.batches import batch_ends, row_order
from hpo.fused.facts import COLUMNS, levels
from hpo.fused.trainer import Trainer
from hpo.states import TrialState
from hpo.testing.lanes import make_data, make_task, reference_lane
from hpo.trial import FACTS

SMALL = {"hidden_units": "12-8", "batch_size": 16, "epochs": 3}


def results_of(task, data):
    reports = []
    Trainer(task, data).run(lambda report: reports.append(report))
    return {result.number: result for report in reports for result in report.ended}


def plain_gradients(task, lane, data, epoch):
    """Norms of the first and last weight gradient at the last full batch of an epoch, and the first loss."""
    plain = reference_lane(task, lane, data)
    rows, size = data.folds[lane.fold][0], task.shared.batch_size
    x, y = torch.from_numpy(rows.x), torch.from_numpy(rows.y)
    norms, first = [], math.nan
    for now in range(1, epoch + 1):
        order = row_order(len(x), seed=task.seed, repeat=lane.repeat, epoch=now)
        ends = batch_ends(len(x), size)
        for place, (begin, end) in enumerate(ends):
            loss = plain.step(x[order[begin:end]], y[order[begin:end]])
            first = loss if (now, place) == (1, 0) else first
            if (now, place) == (epoch, len(x) // size - 1):
                weights = plain.linears[0].weight, plain.linears[-1].weight
                norms = [float(w.grad.norm()) for w in weights]
    return norms, first, plain


def plain_units(plain, module, x):
    """The values of every unit of every hidden layer on all rows, [rows, units]."""
    seen = []
    for layer in plain.net.modules():
        if isinstance(layer, module):
            layer.register_forward_hook(lambda _, __, out: seen.append(out.detach()))
    plain.outputs(x)
    return torch.cat(seen, 1)


@pytest.mark.parametrize("n_rows", [80, 83])
def test_first_loss_and_gradients_are_those_of_plain_torch(n_rows):
    data = make_data(n_rows, 6, 3)
    task = make_task(data, [SMALL | {"l1": 0.01}, SMALL | {"activation": "tanh", "l2": 0.0}])

    results = results_of(task, data)

    for lane in task.lanes:
        for epoch in (1, 3):
            norms, first, _ = plain_gradients(task, lane, data, epoch)
            curve = results[lane.number].curve
            got = [curve.column(name)[epoch - 1] for name in ("gradient_first", "gradient_last")]
            assert got == pytest.approx(norms, rel=1e-4)
        assert results[lane.number].facts["initial_loss"] == pytest.approx(first, rel=1e-5)
        assert results[lane.number].facts["gradient_last"] == pytest.approx(norms[1], rel=1e-4)


def test_dead_units_are_the_relu_units_that_never_fire():
    data = make_data(60, 6, 3, n_validation=150)  # more rows than go through at once
    dying = SMALL | {"bias_init": -2.0, "learning_rate": 0.01, "optimizer": "sgd"}
    task = make_task(data, [dying, SMALL | {"activation": "leaky_relu"}, SMALL | {"activation": "tanh"}])

    results = results_of(task, data)

    plain = plain_gradients(task, task.lanes[0], data, 3)[2]
    units = plain_units(plain, nn.ReLU, torch.from_numpy(data.folds[0][1].x))
    share = float((units.amax(0) <= 0).double().mean())
    assert 0 < share < 1
    assert results[0].facts["dead_units"] == pytest.approx(share)
    assert results[0].facts["saturated_units"] is None
    assert [results[n].facts["dead_units"] for n in (1, 2)] == [None, None]


@pytest.mark.parametrize(
    ("activation", "bias", "module", "is_saturated"),
    [
        ("tanh", 2.7, nn.Tanh, lambda h: h.abs() > 0.99),
        ("sigmoid", 4.6, nn.Sigmoid, lambda h: (h < 0.01) | (h > 0.99)),
    ],
)
def test_saturated_units_are_counted_by_row_and_unit(activation, bias, module, is_saturated):
    data = make_data(60, 6, 3, n_validation=150)
    task = make_task(data, [SMALL | {"activation": activation, "bias_init": bias}, SMALL])

    results = results_of(task, data)

    plain = plain_gradients(task, task.lanes[0], data, 3)[2]
    units = plain_units(plain, module, torch.from_numpy(data.folds[0][1].x))
    share = float(is_saturated(units).double().mean())
    assert 0.05 < share < 0.95
    assert results[0].facts["saturated_units"] == pytest.approx(share, abs=2 / units.numel())
    assert results[0].facts["dead_units"] is None


def test_a_network_without_hidden_layers_has_no_units_to_speak_of():
    data = make_data(60, 6, 3)

    facts = results_of(make_task(data, [SMALL | {"hidden_units": 8, "hidden_layers": 0}]), data)[0].facts

    assert (facts["dead_units"], facts["saturated_units"]) == (None, None)
    assert facts["gradient_first"] == facts["gradient_last"] > 0
    assert list(facts) == list(FACTS)


def test_units_beyond_a_lanes_own_widths_do_not_count():
    data = make_data(61, 6, 3, n_validation=150)
    kinds = {"relu": -2.0, "tanh": 2.7, "sigmoid": 4.6, "elu": 0.0, "softplus": 0.0}
    slow = SMALL | {"hidden_units": "13-5", "learning_rate": 0.01, "optimizer": "sgd"}
    trials = [slow | {"activation": kind, "bias_init": bias} for kind, bias in kinds.items()]
    padded, bare = make_task(data, trials, rungs=True), make_task(data, trials)

    got, wanted = results_of(padded, data), results_of(bare, data)

    assert padded.shared.hidden != bare.shared.hidden == (13, 5)
    for number in wanted:
        for name in FACTS:
            one, other = got[number].facts[name], wanted[number].facts[name]
            assert one == other if other is None else one == pytest.approx(other, rel=1e-4)
    assert 0 < got[0].facts["dead_units"] < 1
    assert 0 < got[1].facts["saturated_units"] < 1


def test_without_validation_rows_nothing_is_said_of_units():
    data = make_data(60, 6, 3)
    training, validation = data.folds[0]
    none = replace(data, folds=((training, Rows(x=validation.x[:0], y=validation.y[:0])),))
    trainer = Trainer(make_task(none, [SMALL]), none)

    facts = trainer.groups[0].train_epoch(1).facts

    assert facts.isnan().tolist() == [[False, False, True, True]]


def test_facts_of_a_lane_depend_on_no_neighbour():
    data = make_data(61, 5, 3, n_validation=131)
    kinds = ["relu", "tanh", "sigmoid", "relu", "elu", "tanh", "relu"]
    trials = [
        SMALL | {"hidden_units": "13-5", "activation": kind, "learning_rate": 0.01 * (n + 1), "l2": 0.01 * n}
        for n, kind in enumerate(kinds)
    ]
    together = results_of(make_task(data, trials), data)

    task = make_task(data, trials)
    for number in range(len(trials)):
        alone = replace(task, lanes=tuple(lane for lane in task.lanes if lane.number == number))
        result = results_of(alone, data)[number]
        assert result.facts == together[number].facts
        assert result.curve.block.tobytes() == together[number].curve.block.tobytes()


def test_facts_of_a_trial_are_the_mean_over_its_lanes():
    data = make_data(60, 6, 3, folds=2)

    trial = results_of(make_task(data, [SMALL], repeats=2), data)[0]

    task = make_task(data, [SMALL], repeats=2)
    lanes = [results_of(replace(task, lanes=(lane,)), data)[0] for lane in task.lanes]
    for name in ("initial_loss", "chance_loss", "gradient_first", "dead_units"):
        mean = sum(lane.facts[name] for lane in lanes) / len(lanes)
        assert trial.facts[name] == pytest.approx(mean, rel=1e-6)


def test_a_trial_that_diverges_keeps_its_first_loss_and_says_no_more():
    data = make_data(60, 6, 3)
    wild = SMALL | {"optimizer": "sgd", "learning_rate": 1e30, "activation": "linear"}

    result = results_of(make_task(data, [wild, SMALL]), data)[0]

    assert result.state is TrialState.FAIL
    assert math.isfinite(result.facts["initial_loss"])
    assert result.facts["untrained_loss"] == pytest.approx(math.log(3))
    assert [result.facts[name] for name in (*COLUMNS, "oscillation")] == [None] * 5


def test_oscillation_is_the_share_of_epochs_in_which_the_loss_rose():
    data = make_data(60, 6, 3)
    unsteady = SMALL | {"epochs": 12, "learning_rate": 3.0, "optimizer": "momentum"}

    result = results_of(make_task(data, [unsteady]), data)[0]

    losses = np.array(result.curve.column("train_loss"))
    share = float((np.diff(losses) > 0).mean())
    assert 0 < share < 1
    assert result.facts["oscillation"] == pytest.approx(share)


def test_facts_are_the_same_after_a_checkpoint():
    data = make_data(60, 6, 3)
    task = make_task(data, [SMALL, SMALL | {"activation": "tanh"}], repeats=2)
    trainer, saved = Trainer(task, data), []

    trainer.run(lambda report: saved.append(trainer.checkpoint()))

    whole = results_of(task, data)
    again = results_of(replace(task, checkpoints=(saved[0],)), data)
    assert {n: r.facts for n, r in again.items()} == {n: r.facts for n, r in whole.items()}


def _targets(n_classes):
    rng = np.random.default_rng(5)
    if n_classes:
        return torch.from_numpy(
            rng.choice(n_classes, size=500, p=np.arange(1, n_classes + 1) / sum(range(n_classes + 1)))
        )
    return torch.from_numpy(rng.exponential(2.0, size=501))


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_the_best_constant_of_a_regression_is_found(loss):
    y, settings = _targets(0), _settings(huber_delta=0.7)
    cost = {
        "mse": nn.MSELoss(),
        "mae": nn.L1Loss(),
        "huber": nn.HuberLoss(delta=0.7),
    }[loss]
    tried = [float(cost(torch.full_like(y, c), y)) for c in torch.linspace(-1, 6, 7001).tolist()]

    untrained, chance = levels(loss, y, settings, n_classes=0, balanced=False)

    assert untrained == pytest.approx(float(cost(torch.zeros_like(y), y)))
    assert chance == pytest.approx(min(tried), rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_chance_of_classes_is_what_the_best_constant_logits_cost(n_classes, smoothing):
    y = _targets(n_classes)
    shares = torch.bincount(y).double() / len(y)
    best = ((1 - smoothing) * shares + smoothing / n_classes).log().expand(len(y), -1)
    cost = nn.CrossEntropyLoss(label_smoothing=smoothing)

    loss = "cross_entropy" if n_classes > 2 else "binary_cross_entropy"
    untrained, chance = levels(
        loss, y, _settings(label_smoothing=smoothing), n_classes=n_classes, balanced=False
    )

    assert untrained == pytest.approx(math.log(n_classes))
    assert chance == pytest.approx(float(cost(best, y)))
    assert chance < untrained
    balanced = levels(loss, y, _settings(), n_classes=n_classes, balanced=True)
    assert balanced == pytest.approx((math.log(n_classes),) * 2)


def _settings(**changes):
    data = make_data(10, 2, 0)
    return replace(make_task(data, [{}]).lanes[0].settings, **changes)


@pytest.mark.parametrize(
    ("n_classes", "params"),
    [
        (3, {}),
        (3, {"label_smoothing": 0.1, "class_weight": "balanced"}),
        (2, {"label_smoothing": 0.3}),
        (2, {"class_weight": "balanced"}),
        (2, {"loss": "cross_entropy"}),
        (0, {}),
        (0, {"loss": "mae"}),
        (0, {"loss": "huber", "huber_delta": 0.5}),
    ],
)
def test_a_network_of_zeros_begins_with_the_loss_of_outputs_of_zero(n_classes, params):
    data = make_data(64, 6, n_classes)
    zeros = SMALL | {"initializer": "zeros", "batch_size": 64}

    facts = results_of(make_task(data, [zeros | params]), data)[0].facts

    assert facts["initial_loss"] == pytest.approx(facts["untrained_loss"], rel=1e-6)
    assert facts["chance_loss"] <= facts["untrained_loss"] + 1e-12


@pytest.mark.parametrize(
    ("n_classes", "params"),
    [
        (3, {"label_smoothing": 0.1, "class_weight": "balanced"}),
        (2, {"label_smoothing": 0.3}),
        (0, {"loss": "mae"}),
        (0, {"loss": "huber", "huber_delta": 0.5}),
        (0, {"loss": "mse"}),
    ],
)
def test_a_network_that_sees_nothing_learns_no_more_than_chance(n_classes, params):
    data = make_data(64, 2, n_classes)
    training, validation = data.folds[0]
    blind = replace(data, folds=((Rows(x=training.x * 0, y=training.y + 0.5 * (not n_classes)), validation),))
    patient = {"hidden_layers": 0, "batch_size": 64, "epochs": 400, "learning_rate": 0.01}

    result = results_of(make_task(blind, [patient | {"hidden_units": 8} | params]), blind)[0]

    reached = min(result.curve.column("train_loss"))
    assert reached == pytest.approx(result.facts["chance_loss"], rel=1e-3)
