"""A table as it was read: named columns of numpy arrays, before anything was decided about them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.dataset import Task
from hpo.errors import DataError, suggest

MAX_COLUMNS = 10_000
MAX_NAME = 500  # characters of a column's name, or of a class

Floats64 = NDArray[np.float64]
Ints = NDArray[np.int64]
Array = NDArray[Any]


class Kind(StrEnum):
    """How a column's cells are held."""

    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """One column of n cells.

    values: text: [n] whole numbers into levels, -1 where empty; else [n] float64, NaN where empty
        (dates in days since 1970-01-01, booleans 0 and 1)
    levels: the distinct texts of a text column
    whole: numbers of an integer column
    ordered: the levels stand in an order of their own (classes of a built-in set)
    form: of dates that were text, see `literals.DATE_FORMS`
    """

    name: str
    kind: Kind
    values: Array
    levels: tuple[str, ...] = ()
    whole: bool = False
    ordered: bool = False
    form: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """Columns of equally many rows; numbers that came as one matrix stay one (`block`, [n, m]).

    target, task: what the source itself knows of them (built-in sets, IDX)
    images: the block's columns are the pixels of an image
    test: [n] bool, the official test rows
    comma: numbers may be written with a decimal comma
    """

    columns: tuple[Column, ...] = ()
    block: Array | None = None
    block_names: tuple[str, ...] = ()
    target: str | None = None
    task: Task | None = None
    images: bool = False
    test: NDArray[np.bool_] | None = None
    comma: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = self.names
        if len(names) > MAX_COLUMNS:
            raise DataError(f"has {len(names):,} columns; at most {MAX_COLUMNS:,} are possible")
        seen: set[str] = set()
        for name in names:
            if len(name) > MAX_NAME:
                raise DataError(
                    f"has a column with a name of {len(name):,} characters ({name[:40]!r} …); at most {MAX_NAME} are possible"
                )
            if name in seen:
                cure = (
                    "begin the file with a line of column names" if _is_number(name) else "rename one of them"
                )
                raise DataError(f"has two columns called {name!r}; {cure}")
            seen.add(name)

    @property
    def names(self) -> tuple[str, ...]:
        """All columns, in order."""
        return (*self.block_names, *(column.name for column in self.columns))

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        if self.block is not None:
            return len(self.block)
        return len(self.columns[0].values) if self.columns else 0

    def check_name(self, name: str, field: str) -> None:
        """Raises DataError with the nearest name unless there is such a column."""
        if name in self.names:
            return
        names = self.names
        shown = ", ".join(names[:20]) + (f" and {len(names) - 20:,} more" if len(names) > 20 else "")
        hint = suggest(name, names) or f"; there are {shown}"
        raise DataError(f"no column is called {name!r}{hint}", field=field)

    def column(self, name: str) -> Column:
        """The column of that name, which must exist; one of the block comes as numbers."""
        for column in self.columns:
            if column.name == name:
                return column
        block = self.block
        if block is None:
            raise DataError(f"no column is called {name!r}")
        values = block[:, self.block_names.index(name)]
        whole = values.dtype.kind in "iub"
        return Column(name=name, kind=Kind.NUMBER, values=values.astype(np.float64), whole=whole)


def number_column(name: str, values: Array) -> Column:
    """A column of numbers from an array of any numeric or boolean dtype."""
    kind = Kind.BOOLEAN if values.dtype.kind == "b" else Kind.NUMBER
    return Column(name=name, kind=kind, values=values.astype(np.float64), whole=values.dtype.kind in "iu")


def text_column(name: str, texts: Array) -> Column:
    """A column of text from an array of strings.

    >>> text_column("c", np.array(["b", "a", "b"])).levels
    ('a', 'b')
    """
    levels, codes = np.unique(texts, return_inverse=True)
    return Column(name=name, kind=Kind.TEXT, values=codes.reshape(-1), levels=tuple(map(str, levels)))


def _is_number(name: str) -> bool:
    """Whether the name of a column is a number, as in a file without a line of names."""
    try:
        float(name)
    except ValueError:
        return False
    return True
