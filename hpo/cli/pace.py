"""A study's progress in words: the best value, speeds, the time left."""

from __future__ import annotations

from hpo.progress import Progress
from hpo.states import StudyState, TrialState

# From how many on -> what it is counted in.
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (0.0, ""))


def duration(seconds: float | None) -> str:
    """A time as people say it.

    >>> duration(3.21), duration(75), duration(7322), duration(None)
    ('3.2 s', '1 min 15 s', '2 h 2 min', '?')
    """
    if seconds is None:
        return "?"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def best_text(progress: Progress) -> str:
    """The best value so far, in words."""
    if progress.best_value is None:
        return f"no {progress.metric} yet"
    return f"best {progress.metric} {progress.best_value:.5g} (trial {progress.best_number})"


def rate_text(progress: Progress) -> str:
    """How fast trials end; nothing while none has."""
    return f"{progress.trials_per_s:.1f} trials/s" if progress.trials_per_s > 0 else ""


def left_text(progress: Progress) -> str:
    """The time left; nothing while nobody can know it: before a trial has ended, and unless it is RUNNING."""
    known = progress.seconds_left is not None and progress.state is StudyState.RUNNING
    if not known or progress.n_finished >= progress.n_trials:
        return ""
    return f"{duration(progress.seconds_left)} left"


def line(progress: Progress) -> str:
    """The study in one plain line."""
    failed = progress.counts.get(TrialState.FAIL, 0)
    parts = [
        f"{progress.n_finished}/{progress.n_trials} trials",
        best_text(progress),
        rate_text(progress),
        left_text(progress),
        f"{failed} failed" if failed else "",
    ]
    return f"{progress.study}: {', '.join(part for part in parts if part)}"


def amount(number: float) -> str:
    """A large number in three digits.

    >>> amount(90_512), amount(1_234_567), amount(999.6), amount(12.5)
    ('90.5k', '1.23M', '1000', '12.5')
    """
    unit, prefix = next((unit, prefix) for unit, prefix in _PREFIXES if number >= unit)
    scaled = number / (unit or 1.0)
    return f"{scaled:.0f}{prefix}" if scaled >= 100 else f"{scaled:.3g}{prefix}"


def steps_text(progress: Progress) -> str:
    """Optimizer steps of single networks a second; nothing while there are none."""
    found = progress.model_steps_per_s
    return f"{amount(found)} model-steps/s" if found > 0 else ""


def so_far_text(progress: Progress) -> str:
    """For how long it has run."""
    return f"{duration(progress.seconds)} so far"


def summary(progress: Progress) -> str:
    """What is left on the terminal when nobody looks any more, in one plain line."""
    others = (TrialState.PRUNED, TrialState.FAIL)
    parts = [
        f"{progress.n_finished}/{progress.n_trials} trials in {duration(progress.seconds)}",
        best_text(progress),
        *(f"{progress.counts[state]} {state}" for state in others if progress.counts.get(state)),
    ]
    return f"{progress.study}: {', '.join(parts)}"
