"""The verbs of API keys: keys create, ls, revoke."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hpo.account import Role
from hpo.cli import session
from hpo.cli.output import Format, FormatOption, QuietOption, say, write_record, write_rows


def create(
    owner: Annotated[
        str, typer.Argument(metavar="OWNER", help="Whose key it is; their studies are marked so.")
    ],
    role: Annotated[Role, typer.Option("--role", help="What the key allows.")] = Role.SUBMITTER,
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="TIME", help="After which time, such as 30d; else never."),
    ] = None,
    studies: Annotated[
        int | None,
        typer.Option("--studies", metavar="N", help="Quota: the owner's studies that are not final."),
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", metavar="N", help="Quota: trials of those studies, together.")
    ] = None,
    slots: Annotated[
        int | None, typer.Option("--slots", metavar="N", help="Quota: slots of workers, while others wait.")
    ] = None,
    no_quota: Annotated[bool, typer.Option("--no-quota", help="Take away the owner's quota.")] = False,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> None:
    """Make an API key; its secret is shown this once."""
    order = {
        "owner": owner,
        "role": role.value,
        "expires": expires,
        "studies": studies,
        "trials": trials,
        "slots": slots,
        "no_quota": no_quota,
    }
    with session.backend() as backend:
        record = backend.create_key(order)
    write_record(record, format, record["secret"])
    if format is Format.TABLE:
        say(
            f"key {record['id']} of {record['owner']} ({record['role']}); keep its secret, it is not shown again: "
            "set HPO_API_KEY to it",
            quiet=quiet,
        )


def ls(format: FormatOption = Format.TABLE, quiet: QuietOption = False) -> None:  # noqa: A002
    """The API keys there are, without their secrets."""
    with session.backend() as backend:
        records = backend.api_keys()
    write_rows(map(_row, records) if format is Format.TABLE else records, format)


def _row(record: dict[str, Any]) -> dict[str, Any]:
    """A key as people read it."""
    shown = ("id", "owner", "role", "state", "created_at", "last_used_at", "expires_at")
    limits = {word: limit for word, limit in record["quota"].items() if limit is not None}
    return {name: record[name] for name in shown} | {"quota": limits}


def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="The key's id (`hpo keys ls`).")],
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> None:
    """Make an API key void, for good; its sessions end."""
    with session.backend() as backend:
        record = backend.revoke_key(key)
    if format is not Format.TABLE:
        write_record(record, format, "")
        return
    say(f"key {record['id']} of {record['owner']} is revoked", quiet=quiet)
