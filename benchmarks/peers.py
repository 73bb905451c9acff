"""The same search by hpo and by its peers, in turn on one machine: wall clock, imports and all.

    python benchmarks/peers.py [--trials 256 1024] [--peers hpo optuna ray_tune sklearn] [--repeat 1]

Everybody searches learning rate, l2, dropout and optimizer of a 64-64-64-10 network on scikit-learn's digits,
20 epochs, batch 64, two processes of one thread. Each is a fresh process; hpo starts with an empty HPO_HOME.
scikit-learn's MLPClassifier has no dropout and two of the four optimizers: its row is for orientation.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
PEERS = {"optuna": "run_optuna.py", "ray_tune": "run_ray_tune.py", "sklearn": "run_sklearn.py"}

STUDY = """
name: digits-peers
data: {source: digits, split: {validation: 0.2, test: 0.2}}
trials: TRIALS
epochs: 20
parameters:
  learning_rate: {low: 1e-4, high: 1e-1, log: true}
  l2: {low: 1e-6, high: 1e-2, log: true}
  dropout: {low: 0.0, high: 0.5}
  optimizer: [sgd, momentum, adam, rmsprop]
  hidden_layers: 2
  hidden_units: 64
  batch_size: 64
"""


def run_hpo(n_trials: int) -> tuple[float, dict[str, float]]:
    """Seconds of `hpo run`, and what `hpo best` says."""
    with tempfile.TemporaryDirectory() as home:
        env = os.environ | {"HPO_HOME": home}
        study = Path(home) / "study.yaml"
        study.write_text(STUDY.replace("TRIALS", str(n_trials)))
        hpo = [sys.executable, "-m", "hpo.cli.main"]
        started = time.perf_counter()
        run = [*hpo, "run", str(study), "--workers", "2", "--quiet"]
        subprocess.run(run, env=env, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - started
        best = subprocess.run(
            [*hpo, "best", "digits-peers", "-f", "json"], env=env, check=True, capture_output=True
        )
        told = json.loads(best.stdout)
    return seconds, {"trials": sum(told["states"].values()), "best": told["value"]}


def run_peer(script: str, n_trials: int) -> tuple[float, dict[str, float]]:
    """Seconds of a peer's script, and what it printed last."""
    env = os.environ | {"PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
    started = time.perf_counter()
    command = [sys.executable, str(HERE / "peers" / script), "--trials", str(n_trials)]
    done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    return seconds, json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    """Run everything asked for and print seconds, trials a second and ratios to hpo."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[256, 1024])
    parser.add_argument("--peers", nargs="+", default=["hpo", *PEERS], choices=["hpo", *PEERS])
    parser.add_argument("--repeat", type=int, default=1, help="medians of so many")
    args = parser.parse_args()
    rows = []
    for n_trials in args.trials:
        hpo_seconds = None
        for peer in args.peers:
            runs = [
                run_hpo(n_trials) if peer == "hpo" else run_peer(PEERS[peer], n_trials)
                for _ in range(args.repeat)
            ]
            seconds = statistics.median(run[0] for run in runs)
            told = runs[-1][1]
            hpo_seconds = seconds if peer == "hpo" else hpo_seconds
            ratio = seconds / hpo_seconds if hpo_seconds else None
            rows.append(
                {"peer": peer, "asked": n_trials, "seconds": round(seconds, 2), "ratio": ratio, **told}
            )
            print(
                f"{peer:>9}  {n_trials:>5} trials  {seconds:8.2f} s  {n_trials / seconds:7.1f} trials/s"
                f"  best validation accuracy {told['best']:.4f}"
                + (f"  {ratio:5.2f} x hpo's time" if ratio else ""),
                flush=True,
            )
    names = ("torch", "optuna", "ray", "scikit-learn")
    result = {"rows": rows, "versions": {n: version(n) for n in names}, "machine": platform.processor()}
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "peers.json").write_text(
        json.dumps(result | {"cores": os.cpu_count()}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
