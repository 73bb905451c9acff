"""Ray Tune with a class Trainable whose actors are reused, two at a time, each on one core."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")

import plain
import ray
import torch
from ray import tune


class Digits(tune.Trainable):
    """One trial: all its epochs are one step, so that Tune's own bookkeeping is as small as it can be."""

    def setup(self, config: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        self.data = plain.load()
        self.params = config

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.params = new_config
        return True

    def step(self) -> dict[str, Any]:
        return {"accuracy": plain.train(self.params, self.data), "done": True}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing is kept of a trial but its result."""


def main() -> None:
    """Run the search and print what came out as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=256)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ray.init(address="local", num_cpus=args.workers, include_dashboard=False, log_to_driver=False)
        space = {
            "learning_rate": tune.loguniform(1e-4, 1e-1),
            "l2": tune.loguniform(1e-6, 1e-2),
            "dropout": tune.uniform(0.0, 0.5),
            "optimizer": tune.choice(list(plain.OPTIMIZERS)),
        }
        tuner = tune.Tuner(
            tune.with_resources(Digits, {"cpu": 1}),
            param_space=space,
            tune_config=tune.TuneConfig(
                metric="accuracy", mode="max", num_samples=args.trials, reuse_actors=True
            ),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
        results = tuner.fit()
        best = results.get_best_result().metrics["accuracy"]
        n_trials = sum(result.error is None for result in results)
        ray.shutdown()
    print(json.dumps({"trials": n_trials, "best": best}))


if __name__ == "__main__":
    main()
