"""scikit-learn's RandomizedSearchCV over MLPClassifier, two processes; it has no dropout and fewer optimizers."""

from __future__ import annotations

import argparse
import json
import warnings

import numpy as np
from scipy.stats import loguniform
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import PredefinedSplit, RandomizedSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier


def main() -> None:
    """Run the search and print what came out as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=256)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    x, y = load_digits(return_X_y=True)
    x, _, y, _ = train_test_split(x / 16.0, y, test_size=0.2, random_state=0, stratify=y)
    fold = np.where(np.random.default_rng(0).random(len(x)) < 0.25, 0, -1)
    model = MLPClassifier(hidden_layer_sizes=(64, 64), batch_size=64, max_iter=20, n_iter_no_change=1000)
    space = {
        "learning_rate_init": loguniform(1e-4, 1e-1),
        "alpha": loguniform(1e-6, 1e-2),
        "solver": ["sgd", "adam"],
        "momentum": [0.0, 0.9],
    }
    search = RandomizedSearchCV(
        model, space, n_iter=args.trials, cv=PredefinedSplit(fold), n_jobs=args.workers, refit=False
    )
    with np.errstate(all="ignore"):
        search.fit(x, y)
    scores = search.cv_results_["mean_test_score"]
    print(json.dumps({"trials": len(scores), "best": float(np.nanmax(scores))}))


if __name__ == "__main__":
    main()
