"""A model file says what torch says, survives a round trip, and refuses what is no model."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from hpo.dataset import TargetScaling, Task
from hpo.errors import DataError
from hpo.hyperparams import ACTIVATIONS
from hpo.models import Lane, Model, files, from_bytes, predict, probabilities, to_bytes
from hpo.models.predict import ACTIVATIONS as ACTIVATE
from hpo.models.predict import Knobs
from hpo.training import settings_of

PIECES = 3
TORCH = {
    "linear": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
    "prelu": lambda: nn.PReLU(1, init=0.3),
    "elu": lambda: nn.ELU(0.7),
    "maxout": lambda: Maxout(),
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "selu": nn.SELU,
    "softplus": nn.Softplus,
    "mish": nn.Mish,
}


class Maxout(nn.Module):
    def forward(self, z):
        return z.view(len(z), PIECES, -1).amax(1)


def make_net(widths, activation, seed=0, batch_norm=False):
    torch.manual_seed(seed)
    modules = []
    for n_in, n_out in pairwise(widths[:-1]):
        units = n_out * (PIECES if activation == "maxout" else 1)
        modules += [
            nn.Linear(n_in, units),
            *[nn.BatchNorm1d(units, eps=1e-3)] * batch_norm,
            TORCH[activation](),
        ]
    for norm in of(nn.BatchNorm1d, modules):
        for tensor in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
            tensor.uniform_(0.5, 1.5)
    return nn.Sequential(*modules, nn.Linear(*widths[-2:])).eval()


def of(kind, net):
    return [module for module in net if isinstance(module, kind)]


def arrays(tensors):
    return tuple(tensor.detach().numpy() for tensor in tensors)


def lane_of(net, repeat=0, fold=0):
    layers, norms = of(nn.Linear, net), of(nn.BatchNorm1d, net)
    extras = {
        "gamma": arrays(norm.weight for norm in norms),
        "beta": arrays(norm.bias for norm in norms),
        "mean": arrays(norm.running_mean for norm in norms),
        "variance": arrays(norm.running_var for norm in norms),
        "slope": arrays(module.weight for module in of(nn.PReLU, net)),
    }
    return Lane(
        repeat=repeat,
        fold=fold,
        weights=arrays(layer.weight for layer in layers),
        biases=arrays(layer.bias for layer in layers),
        extras={name: found for name, found in extras.items() if found},
    )


def make_model(nets, params=(), n_classes=3, folds=False, rungs=False, **rest):
    task = Task.CLASSIFICATION if n_classes else Task.REGRESSION
    knobs = {"hidden_units": "23-5", "negative_slope": 0.2, "elu_alpha": 0.7, "maxout_pieces": PIECES}
    shared, settings = settings_of(knobs | dict(params), task=task, n_classes=n_classes, rungs=rungs)
    lanes = tuple(lane_of(net, 0, i) if folds else lane_of(net, i, 0) for i, net in enumerate(nets))
    about = {"number": 7, "task": task, "n_features": 7, "n_classes": n_classes}
    return Model(shared=shared, settings=settings, lanes=lanes, **about, **rest)


def rows(n=50, seed=1):
    return np.random.default_rng(seed).normal(scale=3, size=(n, 7)).astype(np.float32)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_class_probabilities_are_torchs(activation, batch_norm):
    net, x = make_net((7, 23, 5, 3), activation, batch_norm=batch_norm), rows()
    model = from_bytes(to_bytes(make_model([net], {"activation": activation, "batch_norm": batch_norm})))

    wanted = net(torch.from_numpy(x)).softmax(1).detach().numpy()

    np.testing.assert_allclose(probabilities(model, [x]), wanted, atol=1e-5)
    np.testing.assert_array_equal(predict(model, [x]), wanted.argmax(1))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_hidden_activations_are_torchs_to_a_hundred_thousandth(activation):
    x = torch.linspace(-30, 30, 6000).view(-1, PIECES * 2)
    settings = make_model([make_net((7, 23, 5, 3), "relu")]).settings

    found = ACTIVATE[activation](x.numpy(), Knobs(settings, 0.3, PIECES))

    wanted = TORCH[activation]()(x).detach().numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    assert found.dtype == np.float32


def test_a_lane_of_a_padded_cohort_is_a_model_of_its_own_widths():
    net, x = make_net((7, 23, 5, 3), "relu"), rows()

    model = from_bytes(to_bytes(make_model([net], rungs=True)))

    assert (model.shared.hidden, model.widths) == ((24, 8), (7, 23, 5, 3))
    wanted = net(torch.from_numpy(x)).softmax(1).detach().numpy()
    np.testing.assert_allclose(probabilities(model, [x]), wanted, atol=1e-5)


def test_two_classes_come_from_one_output():
    net, x = make_net((7, 23, 5, 1), "tanh"), rows()
    model = make_model([net], {"activation": "tanh"}, n_classes=2)

    p = torch.sigmoid(net(torch.from_numpy(x))).detach().numpy()

    np.testing.assert_allclose(probabilities(model, [x]), np.hstack([1 - p, p]), atol=1e-5)
    np.testing.assert_array_equal(predict(model, [x]), (p[:, 0] > 0.5).astype(int))


def test_outputs_far_from_zero_overflow_nowhere():
    net = make_net((7, 23, 5, 1), "sigmoid")
    model = make_model([net], {"activation": "sigmoid"}, n_classes=2)
    net[0].weight.data.mul_(1e4)
    net[4].weight.data.mul_(1e3)

    with np.errstate(all="raise", under="ignore"):
        found = probabilities(make_model([net], {"activation": "sigmoid"}, n_classes=2), [rows()])

    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)
    assert model.number == 7


@pytest.mark.parametrize("kind", ["none", "standardize", "log1p"])
def test_values_come_in_the_targets_own_unit(kind):
    net, x = make_net((7, 23, 5, 1), "relu"), rows()
    scaling = TargetScaling(kind=kind, mean=0.5, scale=2.0)
    model = from_bytes(to_bytes(make_model([net], n_classes=0, target_scaling=scaling)))

    scaled = net(torch.from_numpy(x)).detach().double().numpy()[:, 0] * 2 + 0.5

    wanted = np.expm1(scaled) if kind == "log1p" else scaled
    np.testing.assert_allclose(predict(model, [x]), wanted, rtol=1e-5, atol=1e-5)


def test_repeats_are_averaged_on_the_same_rows_and_folds_on_their_own():
    nets = [make_net((7, 23, 5, 3), "relu", seed) for seed in (0, 1)]
    a, b = rows(seed=1), rows(seed=2)

    def one(net, x):
        return net(torch.from_numpy(x)).softmax(1).detach().numpy()

    repeats = probabilities(make_model(nets), [a])
    folds = probabilities(make_model(nets, folds=True), [a, b])

    np.testing.assert_allclose(repeats, (one(nets[0], a) + one(nets[1], a)) / 2, atol=1e-5)
    np.testing.assert_allclose(folds, (one(nets[0], a) + one(nets[1], b)) / 2, atol=1e-5)
    with pytest.raises(DataError, match="2 folds, got 1"):
        probabilities(make_model(nets, folds=True), [a])


def test_a_round_trip_keeps_everything_to_the_bit():
    nets = [make_net((7, 23, 5, 3), "relu", seed) for seed in (0, 1)]
    model = make_model(nets, positive=1, preprocessing=({"mean": [0.1, 1e-17], "names": ["ä"]},))

    data = to_bytes(model)
    back = from_bytes(data)

    assert to_bytes(back) == data
    assert replace(back, lanes=model.lanes) == model
    for lane, wanted in zip(back.lanes, model.lanes, strict=True):
        assert (lane.repeat, lane.fold) == (wanted.repeat, wanted.fold)
        for found, array in zip(lane.weights + lane.biases, wanted.weights + wanted.biases, strict=True):
            np.testing.assert_array_equal(found, array)


def test_a_network_without_hidden_layers_is_a_model_too():
    net, x = make_net((7, 3), "relu"), rows()
    shared, settings = settings_of({"hidden_layers": 0}, task=Task.CLASSIFICATION, n_classes=3)
    model = replace(
        make_model([make_net((7, 23, 5, 3), "relu")]), shared=shared, settings=settings, lanes=(lane_of(net),)
    )

    found = probabilities(from_bytes(to_bytes(model)), [x])

    np.testing.assert_allclose(found, net(torch.from_numpy(x)).softmax(1).detach().numpy(), atol=1e-5)


def test_weights_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="do not fit its network 7-23-5-3"):
        make_model([make_net((7, 23, 4, 3), "relu")])
    with pytest.raises(DataError, match="rows of 7 numbers"):
        predict(make_model([make_net((7, 23, 5, 3), "relu")]), [rows()[:, :6]])


@pytest.mark.parametrize("data", [b"", b"rubbish", b"\x08" + bytes(7) + b"{}      ", bytes(100)])
def test_bytes_that_are_no_model_are_refused(data):
    with pytest.raises(DataError, match="not a model that hpo has written"):
        from_bytes(data)


def rewritten(data, change):
    """A model's bytes with what is said about it changed."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    about = json.loads(header["__metadata__"]["hpo"])
    change(about)
    header["__metadata__"]["hpo"] = json.dumps(about)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[end:]


def test_a_model_of_the_first_format_is_still_read():
    def as_it_was(about):
        about["format"] = 1
        for name in ("batch_norm", "maxout_pieces", "class_weight"):
            del about["shared"][name]
        for name in ("hidden", "init_scale", "schedule", "huber_delta"):
            del about["settings"][name]

    model = make_model([make_net((7, 23, 5, 3), "relu")])

    back = from_bytes(rewritten(to_bytes(model), as_it_was))

    assert back.widths == (7, 23, 5, 3)
    np.testing.assert_array_equal(probabilities(back, [rows()]), probabilities(model, [rows()]))


def test_a_model_of_a_newer_hpo_is_refused():
    data = rewritten(
        to_bytes(make_model([make_net((7, 23, 5, 3), "relu")])),
        lambda about: about.update(format=files.FORMAT + 1),
    )

    with pytest.raises(DataError, match="newer version"):
        from_bytes(data)
