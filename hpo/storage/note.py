"""The note that Optuna's dashboard shows with a study, as `optuna_dashboard.save_note` writes it.

A version, which whoever writes raises by one, and the text in parts. Ours gives way: once somebody has written
another one, it stays.
"""

from __future__ import annotations

import json

from sqlalchemy import Connection, delete, insert, or_, select

from hpo.storage import optuna_tables as optuna

VERSION = "dashboard:note_ver"
PART = "dashboard:note_str:"
OURS = "hpo:note_ver"  # the version that hpo wrote last
PART_LENGTH = 2_045  # optuna_dashboard._note.SYSTEM_ATTR_MAX_LENGTH


def write(connection: Connection, study_id: int, text: str) -> None:
    """Write a note in Markdown in place of hpo's last one, or where there is none."""
    attributes = optuna.system_attributes
    keys = or_(attributes.c.key.in_((VERSION, OURS)), attributes.c.key.startswith(PART, autoescape=True))
    of_note = (attributes.c.study_id == study_id, keys)
    rows = select(attributes.c.key, attributes.c.value_json).where(*of_note)
    there = {key: json.loads(value) for key, value in connection.execute(rows)}
    version = int(there.get(VERSION, 0))
    if version != there.get(OURS, 0):
        return
    parts = [text[start : start + PART_LENGTH] for start in range(0, len(text), PART_LENGTH)]
    values: dict[str, int | str] = {VERSION: version + 1, OURS: version + 1}
    values |= {f"{PART}{place}": part for place, part in enumerate(parts)}
    connection.execute(delete(attributes).where(*of_note))
    connection.execute(
        insert(attributes),
        [
            {"study_id": study_id, "key": key, "value_json": json.dumps(value)}
            for key, value in values.items()
        ],
    )
