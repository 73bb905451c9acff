"""One trial as one would write it by hand: torch.nn and torch.optim, one network at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from hpo.dataset import TrainingData
from hpo.training import LaneSettings, SharedSettings

# What the rows of the table train; each as its documentation writes it.
ACTIVATIONS: Mapping[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh}
OPTIMIZERS: Mapping[str, Callable[[Iterable[Tensor], LaneSettings], torch.optim.Optimizer]] = {
    "sgd": lambda p, s: torch.optim.SGD(p, lr=s.learning_rate, weight_decay=s.l2),
    "momentum": lambda p, s: torch.optim.SGD(p, lr=s.learning_rate, momentum=s.momentum, weight_decay=s.l2),
    "adam": lambda p, s: torch.optim.Adam(p, lr=s.learning_rate, weight_decay=s.l2),
}


def network(shared: SharedSettings, settings: LaneSettings, data: TrainingData) -> nn.Sequential:
    """Dense layers with an activation and, where asked for, dropout between them."""
    width, modules = data.n_features, []
    for units in shared.hidden:
        modules += [nn.Linear(width, units), ACTIVATIONS[settings.activation]()]
        if settings.dropout:
            modules.append(nn.Dropout(settings.dropout))
        width = units
    return nn.Sequential(*modules, nn.Linear(width, data.n_classes if data.n_classes > 2 else 1))


def train(shared: SharedSettings, settings: LaneSettings, data: TrainingData) -> float:
    """Train one network; the best of its validation accuracies, looked at each epoch."""
    training, validation = data.folds[0]
    x, y, val_x, val_y = map(torch.from_numpy, (training.x, training.y, validation.x, validation.y))
    two = data.n_classes == 2
    loss_of = nn.BCEWithLogitsLoss() if two else nn.CrossEntropyLoss()
    y, val_y = (y.unsqueeze(1), val_y.unsqueeze(1) > 0.5) if two else (y.long(), val_y.long())
    model = network(shared, settings, data)
    optimizer = OPTIMIZERS[settings.optimizer](model.parameters(), settings)
    best = 0.0
    for _ in range(settings.epochs):
        model.train()
        for rows in torch.randperm(len(x)).split(shared.batch_size):
            optimizer.zero_grad()
            loss_of(model(x[rows]), y[rows]).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            out = model(val_x)
            right = (out > 0) == val_y if two else out.argmax(1) == val_y
            best = max(best, right.float().mean().item())
    return best
