"""What was noted of a trial while it trained, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping


def sentence(facts: Mapping[str, float | None]) -> str | None:
    """The facts of a trial in one line; None when there are none.

    >>> sentence({"initial_loss": 2.314, "untrained_loss": 2.3026, "chance_loss": 2.29, "dead_units": 0.03})
    'began at 2.31 (outputs of zero 2.3, chance 2.29), 3 % dead units'
    >>> sentence({"gradient_first": 0.8, "gradient_last": 0.05, "oscillation": 0.25, "dead_units": None})
    'gradients 0.8 first / 0.05 last layer, training loss rose in 25 % of epochs'
    """
    have = {name: value for name, value in facts.items() if value is not None}
    parts = []
    if "initial_loss" in have:
        levels = {"outputs of zero": have.get("untrained_loss"), "chance": have.get("chance_loss")}
        known = [f"{name} {level:.3g}" for name, level in levels.items() if level is not None]
        parts.append(f"began at {have['initial_loss']:.3g}" + (f" ({', '.join(known)})" if known else ""))
    if "gradient_first" in have and "gradient_last" in have:
        parts.append(f"gradients {have['gradient_first']:.2g} first / {have['gradient_last']:.2g} last layer")
    for name in ("dead_units", "saturated_units"):
        if name in have:
            parts.append(f"{have[name]:.0%} {name.replace('_', ' ')}".replace("%", " %"))
    if "oscillation" in have:
        parts.append(f"training loss rose in {have['oscillation']:.0%} of epochs".replace("%", " %", 1))
    return ", ".join(parts) or None
