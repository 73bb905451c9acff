"""What a sampler decided, as people read it: a table of rounds with their boxes, and sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpo.cli.cells import cell
from hpo.cli.tables import table


def notes_text(notes: Mapping[str, Any], *, width: int | None = None) -> str:
    """The notes of a study; nothing when there are none. width: of the terminal

    >>> print(notes_text({"rounds": [{"round": 1, "trials": 9, "epochs": 5, "ended": True, "best_value": 0.5,
    ...     "box": {"l2": {"low": 0.1, "high": 1.0}}, "why": "as written"}], "sentences": ["One round."]}))
    round  trials  epochs  best  l2       why
        1       9       5   0.5  0.1 … 1  as written
    One round.
    """
    rounds = [_row(record) for record in notes.get("rounds", ())]
    parts = [table(rounds, width=width)] if rounds else []
    return "\n".join([*parts, *notes.get("sentences", ())])


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "round": record["round"],
        "trials": record["trials"],
        "epochs": record["epochs"],
        "best": record["best_value"] if record["ended"] else None,
        **{name: _box(box) for name, box in record["box"].items()},
        "why": record["why"],
    }


def _box(box: Any) -> str:
    """Low and high of a range, or the choices.

    >>> _box({"low": 1e-4, "high": 0.02}), _box({"choices": ["sgd", True]})
    ('0.0001 … 0.02', 'sgd true')
    """
    if "choices" in box:
        return " ".join(map(cell, box["choices"]))
    return " … ".join(
        f"{end:.3g}" if isinstance(end, float) else str(end) for end in (box["low"], box["high"])
    )
