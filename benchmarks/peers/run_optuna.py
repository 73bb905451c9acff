"""Optuna as its documentation says for one machine: processes that share a study in a SQLite file."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path


def worker(url: str, n_trials: int) -> None:
    """Train a share of the trials, one network at a time on one thread."""
    import optuna
    import plain
    import torch

    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    data = plain.load()

    def objective(trial: optuna.Trial) -> float:
        params = {
            "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True),
            "l2": trial.suggest_float("l2", 1e-6, 1e-2, log=True),
            "dropout": trial.suggest_float("dropout", 0.0, 0.5),
            "optimizer": trial.suggest_categorical("optimizer", list(plain.OPTIMIZERS)),
        }
        return plain.train(params, data)

    study = optuna.load_study(study_name="digits", storage=url, sampler=optuna.samplers.RandomSampler())
    study.optimize(objective, n_trials=n_trials)


def main() -> None:
    """Start the processes, wait, and print what the study holds as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=256)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        worker(args.worker, args.trials)
        return

    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'study.db'}"
        study = optuna.create_study(study_name="digits", storage=url, direction="maximize")
        shares = [len(range(i, args.trials, args.workers)) for i in range(args.workers)]
        command = [sys.executable, __file__, "--worker", url, "--trials"]
        children = [subprocess.Popen([*command, str(share)]) for share in shares]
        if any(child.wait() for child in children):
            sys.exit("a worker failed")
        print(json.dumps({"trials": len(study.trials), "best": study.best_value}))


if __name__ == "__main__":
    main()
