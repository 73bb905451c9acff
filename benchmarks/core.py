"""Fused training against a plain torch loop, one process each, on digits: milliseconds of a trial, and the ratio.

    python benchmarks/core.py [--lanes 32] [--epochs 10] [--rounds 5] [--optimizer adam]

Rounds alternate, so that a busy machine slows both; the medians are reported.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import time

os.environ["MKL_CBWR"] = "AVX2"

import torch
from sklearn.datasets import load_digits

from hpo.cohort import CohortTask, LaneTask
from hpo.dataset import Rows, Task, TrainingData
from hpo.fused.device import prepare_process
from hpo.fused.reference import LOSSES, OPTIMIZERS
from hpo.fused.trainer import Trainer
from hpo.study import Direction
from hpo.training import LaneSettings, settings_of

OPTIMIZER_NAMES = ("sgd", "momentum", "adam", "rmsprop")


def digits() -> TrainingData:
    """1,078 training and 359 validation rows, standardized."""
    x, y = load_digits(return_X_y=True)
    x = (x - x[:1078].mean(0)) / (x[:1078].std(0) + 1e-9)
    parts = [
        Rows(x=x[a:b].astype("float32"), y=y[a:b].astype("float32")) for a, b in ((0, 1078), (1078, 1437))
    ]
    return TrainingData(task=Task.CLASSIFICATION, folds=((parts[0], parts[1]),), n_features=64, n_classes=10)


def make_task(n_lanes: int, epochs: int, optimizer: str | None, first: int = 0) -> CohortTask:
    """A random search over rate, l2, dropout and optimizer."""
    rnd = random.Random(first)
    lanes = []
    for number in range(first, first + n_lanes):
        params = {
            "learning_rate": 10 ** rnd.uniform(-4, -1),
            "l2": 10 ** rnd.uniform(-6, -2),
            "dropout": rnd.uniform(0, 0.5),
            "optimizer": optimizer or rnd.choice(OPTIMIZER_NAMES),
            "epochs": epochs,
        }
        shared, settings = settings_of(params, task=Task.CLASSIFICATION, n_classes=10)
        lanes.append(LaneTask(number=number, repeat=0, fold=0, settings=settings))
    return CohortTask(
        id=1, attempt=1, data="digits", shared=shared, lanes=tuple(lanes), seed=0, metric="accuracy",
        direction=Direction.MAXIMIZE,
    )  # fmt: skip


def train_plain(settings: LaneSettings, data: TrainingData, loss_name: str) -> float:
    """One trial as one would write it: torch.nn, torch.optim, nn.Dropout."""
    train, validation = data.folds[0]
    x, y = torch.from_numpy(train.x), torch.from_numpy(train.y).long()
    vx, vy = torch.from_numpy(validation.x), torch.from_numpy(validation.y).long()
    p = settings.dropout
    net = torch.nn.Sequential(
        torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Dropout(p),
        torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Dropout(p),
        torch.nn.Linear(64, 10),
    )  # fmt: skip
    weights = [m.weight for m in net if isinstance(m, torch.nn.Linear)]
    biases = [m.bias for m in net if isinstance(m, torch.nn.Linear)]
    groups: list[dict[str, object]] = [
        {"params": weights, "weight_decay": settings.l2},
        {"params": biases},
    ]
    optimizer = OPTIMIZERS[settings.optimizer](settings, groups)
    loss_of, best = LOSSES[loss_name](), 0.0
    for _ in range(settings.epochs):
        net.train()
        for rows in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            loss_of(net(x[rows]), y[rows]).backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            best = max(best, (net(vx).argmax(1) == vy).float().mean().item())
    return best


def main() -> None:
    """Alternate the two and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lanes", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--optimizer", choices=OPTIMIZER_NAMES)
    args = parser.parse_args()
    prepare_process()
    data, fused, plain = digits(), [], []
    for turn in range(args.rounds):
        task = make_task(args.lanes, args.epochs, args.optimizer, first=turn * args.lanes)
        begin = time.perf_counter()
        Trainer(task, data).run(lambda result: None)
        fused.append((time.perf_counter() - begin) / args.lanes * 1e3)
        begin = time.perf_counter()
        some = task.lanes[:8]
        for lane in some:
            train_plain(lane.settings, data, task.shared.loss)
        plain.append((time.perf_counter() - begin) / len(some) * 1e3)
    ratio = statistics.median(p / f for p, f in zip(plain, fused, strict=True))
    print(
        json.dumps(
            {
                "lanes": args.lanes,
                "epochs": args.epochs,
                "plain_ms_per_trial": round(statistics.median(plain), 2),
                "fused_ms_per_trial": round(statistics.median(fused), 2),
                "ratio": round(ratio, 2),
                "best_ratio": round(min(plain) / min(fused), 2),
            }
        )
    )


if __name__ == "__main__":
    main()
