"""The digits search as one trains it by hand: plain torch.nn and torch.optim, one network at a time.

Rows lie in memory and batches are slices of a permutation, which is several times faster than a DataLoader:
the peers get the best plain loop there is. Sixty per cent of the rows train, twenty validate, as in hpo.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

EPOCHS = 20
BATCH = 64
HIDDEN = 64
OPTIMIZERS = ("sgd", "momentum", "adam", "rmsprop")

Data = tuple[Tensor, Tensor, Tensor, Tensor]


def load() -> Data:
    """x_train [1078, 64], y_train, x_validation [359, 64], y_validation; inputs scaled to 0..1."""
    x, y = load_digits(return_X_y=True)
    x, _, y, _ = train_test_split(x, y, test_size=0.2, random_state=0, stratify=y)
    x_train, x_val, y_train, y_val = train_test_split(x, y, test_size=0.25, random_state=0, stratify=y)
    low, span = x_train.min(0), (x_train.max(0) - x_train.min(0)).clip(1e-12)
    scaled = [torch.tensor((part - low) / span, dtype=torch.float32) for part in (x_train, x_val)]
    return scaled[0], torch.tensor(y_train), scaled[1], torch.tensor(y_val)


def optimizer_of(model: nn.Module, params: Mapping[str, float | str]) -> torch.optim.Optimizer:
    """The optimizer a setting asks for, with l2 on every parameter, as torch has it."""
    rate, decay = float(params["learning_rate"]), float(params["l2"])
    kinds = {
        "sgd": lambda p: torch.optim.SGD(p, lr=rate, weight_decay=decay),
        "momentum": lambda p: torch.optim.SGD(p, lr=rate, momentum=0.9, weight_decay=decay),
        "adam": lambda p: torch.optim.Adam(p, lr=rate, weight_decay=decay),
        "rmsprop": lambda p: torch.optim.RMSprop(p, lr=rate, weight_decay=decay),
    }
    return kinds[str(params["optimizer"])](model.parameters())


def train(params: Mapping[str, float | str], data: Data) -> float:
    """The best validation accuracy over the epochs of one network."""
    x, y, x_val, y_val = data
    dropout = float(params["dropout"])
    model = nn.Sequential(
        nn.Linear(64, HIDDEN),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(HIDDEN, HIDDEN),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(HIDDEN, 10),
    )
    optimizer = optimizer_of(model, params)
    best = 0.0
    for _ in range(EPOCHS):
        model.train()
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            best = max(best, (model(x_val).argmax(1) == y_val).float().mean().item())
    return best
