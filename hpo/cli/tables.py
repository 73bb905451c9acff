"""Tables that fit the window: which columns are shortened and which left out, by a table of priorities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hpo.cli.cells import Record, cell, is_number
from hpo.cli.letters import broken, columns_of, cut, padded
from hpo.cli.terminal import STATE_STYLES, painted

GAP = 2
LEAST_TEXT = 12  # a text is not shortened below so many characters; a number never is
LEAST_WIDTH = 20  # of a text that is broken into lines beside others
ELLIPSIS = "…"

# Columns by how much they are wanted. What is not named comes after all of these, parameters for one, and of those
# the last one goes first.
WANTED: tuple[str, ...] = (
    "number",
    "name",
    "state",
    "value",
    "trials",
    "id",
    "study",
    "metric",
    "reason",
    "stderr",
    "",
    "lanes",
    "model_steps_per_s",
    "seen",
    "coordinator",
)
# Those that are wanted less than any that is not named, the first to go first.
UNWANTED: tuple[str, ...] = ("ran for", "created", "best_epoch", "epochs", "pool")

# Texts that say nothing when they are cut: they stand whole or not at all.
WHOLE: tuple[str, ...] = ("state", "trials", "created", "ran for", "seen")


@dataclass(slots=True, eq=False)
class _Column:
    """A column with its texts. width: what it is given; to_right: it has numbers, which are never cut"""

    name: str
    texts: list[str]
    to_right: bool
    place: int
    width: int = 0
    heading: str = ""
    styles: Mapping[str, str] = field(default_factory=dict)  # text -> the style in which it stands

    def __post_init__(self) -> None:
        self.heading = cell(self.name)
        self.width = max(columns_of(text) for text in [self.heading, *self.texts])

    @property
    def least(self) -> int:
        """The least width at which it still says something."""
        if self.to_right or self.name in WHOLE:
            return self.width
        return min(self.width, max(LEAST_TEXT, columns_of(self.heading)))

    @property
    def rank(self) -> tuple[int, int]:
        """How early it is left out: the greatest first."""
        if self.name in WANTED:
            return 0, WANTED.index(self.name)
        if self.name in UNWANTED:
            return 2, len(UNWANTED) - UNWANTED.index(self.name)
        return 1, self.place

    def line(self, i: int) -> str:
        """One of its texts, or with -1 its name, in its width."""
        text = self.heading if i < 0 else self.texts[i]
        if columns_of(text) > self.width:
            text = cut(text, self.width - 1) + ELLIPSIS
        line = padded(text, self.width, to_right=self.to_right)
        return (
            line if i < 0 or text not in self.styles else line.replace(text, painted(text, self.styles[text]))
        )


def table(
    rows: Iterable[Record],
    columns: Sequence[str] | None = None,
    *,
    width: int | None = None,
    colour: bool = False,
) -> str:
    """Rows under their headings, numbers to the right.

    width: of the terminal; to fit it, text in the last column is broken into lines, other texts are shortened, and
    then columns are left out, which a last line names. None: nothing is cut
    colour: states stand in theirs

    >>> print(table([{"name": "a", "n": 5}, {"name": "bcd", "n": 12}]))
    name   n
    a      5
    bcd   12
    >>> print(table([{"number": 3, "l2": 1e-05, "dropout": 0.5}], width=20))
    number     l2
         3  1e-05
    not shown: dropout
    """
    records = list(rows)
    names = list(columns or dict.fromkeys(name for record in records for name in record))
    found = [
        _Column(
            name=name,
            texts=[cell(record.get(name)) for record in records],
            to_right=any(is_number(record.get(name)) for record in records),
            place=place,
            styles=STATE_STYLES if colour and name == "state" else {},
        )
        for place, name in enumerate(names)
    ]
    if width is None or not found:
        return _drawn(found, len(records))
    kept = _kept(found, width)
    left_out = [column.heading for column in found if column not in kept]
    text = _drawn(kept, len(records)) if _narrowed(kept, width) else _broken(kept, len(records), width)
    if left_out:
        note = f"not shown: {', '.join(left_out)}"
        text += "\n" + "\n".join(broken(note, max(width, LEAST_TEXT), indent="  ", cut_words=True))
    return text


def _all(widths: Iterable[int]) -> int:
    found = list(widths)
    return sum(found) + GAP * (len(found) - 1)


def _kept(columns: list[_Column], width: int) -> list[_Column]:
    """The columns that have room at their least; of one that is wanted most there is always something."""
    kept = list(columns)
    while len(kept) > 1 and _all(column.least for column in kept) > width:
        kept.remove(max(kept, key=lambda column: column.rank))
    return kept


def _narrowed(columns: list[_Column], width: int) -> bool:
    """Shorten texts until all fit, the longest first; False where the last one is better broken into lines."""
    last = columns[-1]
    if not last.to_right and _all(column.width for column in columns) > width:
        room = width - _all([*(column.width for column in columns[:-1]), 0])
        if room >= LEAST_WIDTH:
            last.width = room
            return False
    while (over := _all(column.width for column in columns) - width) > 0:
        longest = max(columns, key=lambda column: column.width - column.least)
        if longest.width <= longest.least:
            break
        longest.width -= min(over, longest.width - longest.least)
    return True


def _drawn(columns: Sequence[_Column], n_rows: int) -> str:
    gap = " " * GAP
    return "\n".join(gap.join(column.line(i) for column in columns).rstrip() for i in range(-1, n_rows))


def _broken(columns: Sequence[_Column], n_rows: int, width: int) -> str:
    """As drawn, the last column's texts in lines of its width."""
    *others, last = columns
    gap = " " * GAP
    lines = [_drawn(columns, 0)]
    for i in range(n_rows):
        first, *rest = broken(last.texts[i], last.width, cut_words=True)
        blank = " " * _all([*(column.width for column in others), 0]) if others else ""
        lines.append(gap.join([*(column.line(i) for column in others), first]).rstrip())
        lines += [blank + line for line in rest]
    return "\n".join(lines)
