"""Why a figure is empty, in a sentence."""

from __future__ import annotations

from collections import Counter

import numpy as np

from hpo.figures.columns import Trials
from hpo.states import TrialState


def why_empty(trials: Trials) -> str:
    """Why no trial of these can be drawn; empty when some can."""
    if not len(trials.numbers):
        return "No trial has been tried yet."
    if trials.counted().any():
        return ""
    states = Counter(map(str, trials.states))
    if states[TrialState.FAIL] == len(trials.numbers):
        return f"All {len(trials.numbers):,} trials failed, so none has a value."
    if not states[TrialState.COMPLETE]:
        said = ", ".join(f"{n:,} {state}" for state, n in sorted(states.items()))
        return f"No trial is complete yet: {said}."
    if not np.isfinite(trials.values).all(axis=1).any():
        return "No complete trial has a finite value."
    return "No complete trial with a finite value meets the study's constraints."
