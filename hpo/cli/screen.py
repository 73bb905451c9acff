"""What the live view shows of a study, as lines that fit the terminal; the narrower it is, the less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hpo.cli.letters import columns_of, cut
from hpo.cli.pace import best_text, left_text, rate_text, so_far_text, steps_text
from hpo.cli.sparkline import BARS, PLAIN_BARS, BestSoFar, sparkline
from hpo.cli.terminal import STATE_STYLES, painted
from hpo.progress import Progress
from hpo.states import TrialState

NARROW, LOW = 32, 6  # fewer characters a line, or lines, and the whole view is one line
GAP = "  "
LEAST_BAR, MOST_BAR, MOST_SPARKS = 8, 64, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """Where it is drawn. width: characters a line may have; blocks: whether it has characters for bars."""

    width: int
    height: int
    colour: bool = True
    blocks: bool = True


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a line. rank: the highest is the first to go where there is no room."""

    text: str
    rank: int
    style: str = "plain"


# state -> its character in the bar, that without block characters, its rank among the counts
STATES: dict[TrialState, tuple[str, str, int]] = {
    TrialState.COMPLETE: ("█", "#", 1),
    TrialState.PRUNED: ("▓", "=", 2),
    TrialState.FAIL: ("▒", "x", 0),
    TrialState.RUNNING: ("░", "~", 3),
    TrialState.WAITING: ("·", ".", 4),
}


def lines(progress: Progress, best: BestSoFar, canvas: Canvas) -> list[str]:
    """The study as it is now: at most four lines, none wider than the canvas."""
    if canvas.width < NARROW or canvas.height < LOW:
        return [_in_one(progress, canvas)]
    rows = (_head(progress, canvas), _best(progress, best, canvas), _speed(progress, canvas))
    return [*filter(None, rows), _counts(progress, canvas)]


def fitted(parts: Sequence[Part], width: int) -> list[Part]:
    """The parts that have room, in their order; the last one left is cut.

    >>> [part.text for part in fitted([Part("best 0.9", 0), Part("4 of 8 slots", 2), Part("3 s left", 1)], 20)]
    ['best 0.9', '3 s left']
    """
    left = [part for part in parts if part.text]
    while len(left) > 1 and _length(left) > width:
        left.remove(max(left, key=lambda part: part.rank))
    if left and columns_of(left[0].text) > width:
        only = left[0]
        left = [Part(cut(only.text, width), only.rank, only.style)]
    return left


def bar(progress: Progress, width: int, canvas: Canvas) -> str:
    """All trials of the study in so many characters, by their states; those without a number yet at the end."""
    total = max(progress.n_trials, sum(progress.counts.values()), 1)
    done, drawn, pieces = 0, 0, []
    for state, (block, sign, _) in STATES.items():
        done += progress.counts.get(state, 0)
        upto = width * done // total
        piece = (block if canvas.blocks else sign) * (upto - drawn)
        pieces.append(painted(piece, STATE_STYLES[state], colour=canvas.colour))
        drawn = upto
    return "".join(pieces) + painted((" " if canvas.blocks else ".") * (width - drawn), "faint", colour=False)


def _length(parts: Sequence[Part]) -> int:
    return sum(columns_of(part.text) for part in parts) + len(GAP) * max(0, len(parts) - 1)


def _joined(parts: Sequence[Part], canvas: Canvas) -> str:
    return GAP.join(painted(part.text, part.style, colour=canvas.colour) for part in parts)


def _done(progress: Progress) -> str:
    return f"{progress.n_finished}/{progress.n_trials} trials"


def _head(progress: Progress, canvas: Canvas) -> str:
    """Name and state, the bar, and how many of the trials are done."""
    end = _done(progress)
    room = canvas.width - len(end) - len(GAP) * 2 - LEAST_BAR - 2
    name = [Part(progress.study, 0, "strong"), Part(progress.state, 1, STATE_STYLES[progress.state])]
    first = fitted(name, min(room, canvas.width // 2))
    width = min(MOST_BAR, canvas.width - _length(first) - len(end) - len(GAP) * 2 - 2)
    if width < LEAST_BAR:
        return _joined(fitted([*first, Part(end, 0)], canvas.width), canvas)
    return f"{_joined(first, canvas)}{GAP}[{bar(progress, width, canvas)}]{GAP}{end}"


def _best(progress: Progress, best: BestSoFar, canvas: Canvas) -> str:
    """The best value, its trial, and, once there was another one before it, how it came to be."""
    text = best_text(progress)
    if columns_of(text) > canvas.width and progress.best_value is not None:
        text = f"best {progress.best_value:.5g}"
    first = fitted([Part(text, 0, "strong")], canvas.width)
    room = min(MOST_SPARKS, canvas.width - _length(first) - len(GAP))
    values = best.sampled(room) if room >= LEAST_BAR and best.has_moved else []
    sparks = Part(sparkline(values, BARS if canvas.blocks else PLAIN_BARS), 1, "good")
    return _joined(fitted([*first, sparks], canvas.width), canvas)


def _speed(progress: Progress, canvas: Canvas) -> str:
    """How fast it goes, on how many slots, and the time left."""
    slots = f"{progress.n_busy} of {progress.n_slots} slots busy" if progress.n_slots else ""
    parts = [
        Part(rate_text(progress), 1),
        Part(steps_text(progress), 3),
        Part(slots, 2),
        Part(left_text(progress) or so_far_text(progress), 0),
    ]
    return _joined(fitted(parts, canvas.width), canvas)


def _counts(progress: Progress, canvas: Canvas) -> str:
    """How many trials are in which state, each beside its character in the bar."""
    parts = [
        Part(
            f"{block if canvas.blocks else sign} {progress.counts[state]} {state}", rank, STATE_STYLES[state]
        )
        for state, (block, sign, rank) in STATES.items()
        if progress.counts.get(state)
    ]
    return _joined(fitted(parts or [Part("no trial yet", 0, "faint")], canvas.width), canvas)


def _in_one(progress: Progress, canvas: Canvas) -> str:
    """All in one line, for a window with no room for more; the best value is the last to go."""
    best = "" if progress.best_value is None else f"best {progress.best_value:.4g}"
    parts = [
        Part(progress.study, 3, "faint"),
        Part(_done(progress), 1),
        Part(best, 0, "strong"),
        Part(left_text(progress), 2),
    ]
    return _joined(fitted(parts, canvas.width), canvas)
