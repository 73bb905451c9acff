"""The verbs of data sets: data add, ls, show, rm."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hpo.cli import completing, session
from hpo.cli.moving import confirm
from hpo.cli.output import (
    Format,
    FormatOption,
    QuietOption,
    YesOption,
    pairs,
    say,
    width_of,
    write_record,
    write_rows,
)
from hpo.cli.tables import table

KeyArgument = Annotated[
    str,
    typer.Argument(metavar="DATA", help="Id or name (`hpo data ls`).", autocompletion=completing.datasets),
]


def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, TSV, Parquet, NPZ; .gz too.")],
    name: Annotated[str | None, typer.Option("--name", help="What to call it; else the file's name.")] = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> None:
    """Keep a file in the database; `source: ds_…` then names it."""
    with session.backend() as backend:
        record = backend.upload(file, name=name)
        verb = "run" if backend.server is None else "submit"
    write_record(record, format, record["id"])
    if format is Format.TABLE:
        kept = f"{record['name']} is kept"
        if record["name"] != (name or file.name):
            kept = f"these bytes are kept already, as {record['name']}, and stay so"
        say(f"{kept}; `hpo {verb} --data {record['id']}` searches on it", quiet=quiet)


def ls(format: FormatOption = Format.TABLE, quiet: QuietOption = False) -> None:  # noqa: A002
    """The data sets there are, built in and stored."""
    with session.backend() as backend:
        write_rows(backend.datasets(), format)


def show(
    source: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Built-in name, file, or id of a stored set.",
            autocompletion=completing.sources,
        ),
    ],
    target: Annotated[str | None, typer.Option("--target", help="The column to predict.")] = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> None:
    """What hpo makes of a data set: columns, task, split."""
    # A file of this machine is looked at here: a server reads none, and it need not travel for that.
    with session.backend(here=Path(source).is_file()) as backend:
        record = backend.dataset(source, target=target)
    write_record(record, format, _data_text(record))


def _data_text(record: dict[str, Any]) -> str:
    """A data set as people read it."""
    classes = record["classes"]
    lines = {
        "data": record["source"],
        "SHA-256": record["sha256"],
        "rows": f"{record['n_rows']:,}{_split_text(record)}",
        "features": record["n_features"],
        "target": record["target"] or "none yet; --target NAME says which column is to be predicted",
        "task": f"{record['task']}: {record['task_reason']}" if record["task"] else None,
        "classes": f"{len(classes)}: {', '.join(classes[:20])}" if classes else None,
    }
    text = pairs({name: value for name, value in lines.items() if value is not None})
    notes = [f"  {note}" for note in record["notes"]]
    columns = ["", table(record["columns"], width=width_of(sys.stdout))] if record["columns"] else []
    return "\n".join([text, *notes, *columns])


def _split_text(record: dict[str, Any]) -> str:
    """How a study divides the rows, once it is known what is to be predicted."""
    if record["n_train"] is None:
        return ""
    return f" ({record['n_train']:,} train, {record['n_validation']:,} validate, {record['n_test']:,} test)"


def rm(
    key: KeyArgument,
    yes: YesOption = False,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> None:
    """Remove a stored data set."""
    with session.backend() as backend:
        kept = backend.kept_dataset(key)
        confirm(
            f"remove data set {kept['name']} ({kept['id']}, {kept['n_bytes']:,} bytes) for good?", yes=yes
        )
        backend.remove_dataset(kept["id"])
    if format is not Format.TABLE:
        write_record({"id": kept["id"], "name": kept["name"], "removed": True}, format, "")
        return
    say(f"data set {kept['name']} is removed", quiet=quiet)
