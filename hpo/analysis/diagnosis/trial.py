"""What ails one trial, by the recipe: what training data say comes first."""

from __future__ import annotations

from collections.abc import Callable

from hpo.analysis.diagnosis.illnesses import Finding, Severity, found
from hpo.analysis.diagnosis.learning import FEWEST_EPOCHS, Learning, Observed, learning_of, why_unseen
from hpo.states import Reason

# Thresholds; their reasons stand in `illnesses.OF_TRIALS`.
LEARNED_LITTLE, LEARNED_WELL = 0.25, 0.5
EXPLODED, JUMPS, JUMP = 1.5, 0.3, 0.1
STEADY, STILL_FALLING = 0.1, 0.25
VANISHED = 1e-3
MANY_UNITS = 0.5
BAD_FIRST = 20.0
GAP, TIMES = 0.3, 2.0
RISE, FALL_SINCE = 0.05, 0.15

Rule = Callable[[Observed, Learning], Finding | None]


def diagnose_trial(observed: Observed) -> list[Finding]:
    """What ails a trial, the most severe first; where too little was measured to tell, that alone."""
    trial = observed.trial
    if trial.reason is not None and trial.reason.split("@")[0] == Reason.DIVERGED.value:
        return [_diverged(observed)]
    learning = learning_of(observed)
    if learning is None:
        return [_untold(observed)]
    findings = [finding for rule in _RULES if (finding := rule(observed, learning)) is not None]
    severe = [finding for finding in findings if finding.severity is Severity.SEVERE]
    bad = learning.learned < LEARNED_LITTLE
    if bad and not severe:
        severe = [found("underfit", trial.number, loss=min(learning.train), chance=learning.chance)]
    return severe + [finding for finding in findings if finding.severity is not Severity.SEVERE]


def _untold(observed: Observed) -> Finding:
    trial = observed.trial
    if trial.state.finished and not observed.elsewhere and 0 < trial.epochs < FEWEST_EPOCHS:
        return found("too_short", trial.number, epochs=trial.epochs)
    return found("not_seen", trial.number, why=why_unseen(trial, elsewhere=observed.elsewhere))


def _diverged(observed: Observed) -> Finding:
    if observed.elsewhere:  # at which rate, and when, only who trained it knows
        return found("diverged", observed.trial.number)
    _, _, epoch = (observed.trial.reason or "").partition("@")
    return found("diverged", observed.trial.number, epoch=epoch or "?", learning_rate=_rate(observed))


def _too_high(observed: Observed, learning: Learning) -> Finding | None:
    facts = observed.trial.facts
    initial = max(facts.get("initial_loss") or 0.0, facts.get("untrained_loss") or learning.chance)
    exploded = max(learning.train) > EXPLODED * initial
    jumps = learning.rises >= JUMPS and learning.jump >= JUMP
    if learning.learned >= LEARNED_LITTLE or not (exploded or jumps):
        return None
    return found(
        "rate_too_high",
        observed.trial.number,
        highest=max(learning.train),
        initial=initial,
        rises=learning.rises,
        learning_rate=_rate(observed),
    )


def _too_low(observed: Observed, learning: Learning) -> Finding | None:
    slow = learning.rises <= STEADY and learning.late >= STILL_FALLING
    if learning.learned >= LEARNED_LITTLE or not slow:
        return None
    return found(
        "rate_too_low",
        observed.trial.number,
        begin=learning.train[0],
        end=learning.train[-1],
        epochs=len(learning.train),
        chance=learning.chance,
        learning_rate=_rate(observed),
    )


def _vanishing(observed: Observed, learning: Learning) -> Finding | None:
    first, last = (observed.trial.facts.get(f"gradient_{layer}") for layer in ("first", "last"))
    if learning.learned >= LEARNED_LITTLE or first is None or not last or first / last >= VANISHED:
        return None
    if _too_high(observed, learning) is not None:  # its weights grew until nothing passes
        return None
    layers = _layers(observed)
    activation = str(observed.setting("activation"))
    return found(
        "vanishing_gradients",
        observed.trial.number,
        ratio=first / last,
        layers=layers,
        activation=activation,
    )


def _units(code: str) -> Rule:
    def rule(observed: Observed, learning: Learning) -> Finding | None:
        share = observed.trial.facts.get(code)
        if share is None or share < MANY_UNITS:
            return None
        severity = Severity.SEVERE if learning.learned < LEARNED_LITTLE else None
        activation = str(observed.setting("activation"))
        return found(code, observed.trial.number, severity=severity, share=share, activation=activation)

    return rule


def _bad_first(observed: Observed, learning: Learning) -> Finding | None:
    facts = observed.trial.facts
    initial, untrained = facts.get("initial_loss"), facts.get("untrained_loss")
    if initial is None or not untrained or initial < BAD_FIRST * untrained:
        return None
    return found(
        "bad_first_loss",
        observed.trial.number,
        severity=Severity.SEVERE if learning.learned < LEARNED_LITTLE else None,
        initial=initial,
        untrained=untrained,
        times=initial / untrained,
    )


def _overfit(observed: Observed, learning: Learning) -> Finding | None:
    train, validation = learning.train[-1], learning.validation[-1]
    well = 1 - train / learning.chance >= LEARNED_WELL
    apart = well and learning.gap >= GAP and validation >= TIMES * train
    if not apart and not _turned(observed, learning):
        return None
    least = min(learning.validation)
    return found(
        "overfit",
        observed.trial.number,
        train=train,
        validation=validation,
        least=least,
        least_epoch=learning.validation.index(least) + 1,
        gap=learning.gap,
    )


def _turned(observed: Observed, learning: Learning) -> bool:
    """Whether validation loss rose while training loss fell on; where early stopping saw to that it is no illness.

    On noisy data nothing that is worth learning takes half of chance away: what shows there is the turn.
    """
    stopped = (observed.trial.reason or "").split("@")[0] == Reason.STOPPED_EARLY.value
    some = learning.learned >= LEARNED_LITTLE
    return some and not stopped and learning.rise >= RISE and learning.fall_since >= FALL_SINCE


def _layers(observed: Observed) -> int:
    """How many hidden layers: those of "64-32" are counted in its widths."""
    units = observed.setting("hidden_units")
    if isinstance(units, str) and "-" in units:
        return units.count("-") + 1
    return int(observed.setting("hidden_layers") or 0)


def _rate(observed: Observed) -> float:
    return float(observed.setting("learning_rate") or 0.0)


_RULES: tuple[Rule, ...] = (
    _too_high,
    _too_low,
    _vanishing,
    _units("dead_units"),
    _units("saturated_units"),
    _bad_first,
    _overfit,
)
