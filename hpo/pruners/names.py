"""Optuna's pruners by name; apart from what runs them, so that reading a study file does not load Optuna."""

from __future__ import annotations

DEFAULT_BRACKET = 64
NAMES = (
    "HyperbandPruner",
    "MedianPruner",
    "PatientPruner",
    "PercentilePruner",
    "SuccessiveHalvingPruner",
    "ThresholdPruner",
    "WilcoxonPruner",
)
