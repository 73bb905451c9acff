"""One process of a benchmark, one thread: `worker.py plain|exact|fast`; an order a line comes in, an answer goes out.

{"row": name, "side": "ours"|"peer", "n": 64, "part": 0, "n_parts": 3, "n_slots": 2} -> {"cpu_seconds", "best"}
{"gemm": 1024} -> {"gflops"}
{"row": name, "bytes": 8} -> {"bytes"} that a cohort of 8 lanes holds
"""

from __future__ import annotations

import gc
import json
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

import torch

from fusing import plain
from fusing.data import DATA
from fusing.rows import ROWS, Net, Row, cohort, cohorts, trial
from hpo.cohort import CohortTask, EpochResult
from hpo.dataset import TrainingData
from hpo.fused.device import prepare_process, products
from hpo.fused.trainer import Trainer

Order, Answer = dict[str, Any], dict[str, float]


@cache
def data_of(net: Net) -> TrainingData:
    """A net's data, made once."""
    return DATA[net.data]()


@lru_cache(2)
def planned(row: str, n_trials: int, n_slots: int, mixed: bool) -> list[CohortTask]:
    """A search as the planner cuts it: the coordinator's work, so not done again for each cohort."""
    net = ROWS[row].net
    return cohorts(net, data_of(net), n_trials, n_slots=n_slots, mixed=mixed)


def train_cohort(row: Row, order: Order, how: str) -> float:
    """The best validation accuracy of one of a search's cohorts."""
    best: list[float] = []

    def hear(result: EpochResult) -> None:
        best.extend(result.values)

    task = planned(row.name, order["n"], order["n_slots"], row.mixed and order["side"] == "ours")[
        order["part"]
    ]
    Trainer(replace(task, precision=how), data_of(row.net)).run(hear)
    return max(best)


def train_plain(net: Net, order: Order) -> float:
    """The same of every n-th trial, trained one after another."""
    data = data_of(net)
    trials = [trial(net, data, number) for number in range(order["part"], order["n"], order["n_parts"])]
    return max(plain.train(one.shared, one.lane, data) for one in trials)


def run(order: Order, how: str) -> Answer:
    """Train some trials of a row and take the time."""
    row = ROWS[order["row"]]
    data_of(row.net)
    began = time.process_time()
    best = train_plain(row.net, order) if how == "plain" else train_cohort(row, order, how)
    return {"cpu_seconds": time.process_time() - began, "best": best}


def gemm(order: Order, how: str) -> Answer:
    """The rate of a square product: the best of some."""
    size = order["gemm"]
    a, b = torch.randn(size, size), torch.randn(size, size)
    out, seconds = a @ b, []
    for _ in range(20):
        began = time.perf_counter()
        torch.mm(a, b, out=out)
        seconds.append(time.perf_counter() - began)
    return {"gflops": 2 * size**3 / min(seconds) / 1e9}


def held_bytes(order: Order, how: str) -> Answer:
    """Bytes of all tensors that are alive after an epoch of one cohort."""
    row, data = ROWS[order["row"]], data_of(ROWS[order["row"]].net)
    task = cohort(row.net, [trial(row.net, data, number) for number in range(order["bytes"])])
    trainer = Trainer(replace(task, precision=how), data)
    for group in trainer.groups:
        group.train_epoch(1)
    gc.collect()
    storages = [one.untyped_storage() for one in gc.get_objects() if type(one) is torch.Tensor]
    return {"bytes": sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())}


ACTS = {"gemm": gemm, "bytes": held_bytes, "n": run}


def main(how: str) -> None:
    """Answer orders until there are no more."""
    torch.set_num_threads(1)
    if how != "plain":
        prepare_process()
    with nullcontext() if how == "plain" else products(how):
        for line in sys.stdin:
            order = json.loads(line)
            answer = next(act for key, act in ACTS.items() if key in order)(order, how)
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
