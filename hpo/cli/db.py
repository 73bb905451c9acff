"""The verbs of `hpo db`: how the database stands, and bringing it up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpo.cli.output import Format, FormatOption, QuietOption, YesOption, pairs, plural, say, write_record
from hpo.settings import read_settings

if TYPE_CHECKING:
    from hpo.storage.inspection import Inspection


def status(format: FormatOption = Format.TABLE) -> int:  # noqa: A002
    """Say where the database is, its revision, Optuna's version, its size, and whether it needs an upgrade."""
    from hpo.service import database

    found = database.status(read_settings().storage)
    write_record(found, format, _text(found))
    return 0


def upgrade(
    yes: YesOption = False,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> int:
    """Bring the database to the revision of this hpo, while nothing else uses it.

    A SQLite file is copied first, to FILE.bak-REVISION; of a PostgreSQL database take a dump.
    """
    from hpo.service import database
    from hpo.storage.inspection import OLDER

    settings = read_settings()
    before = database.look_before_upgrade(settings.storage)
    if before.state == OLDER and not yes:
        _agree(before)
    after = database.upgrade(settings.storage)
    if format is Format.TABLE:
        say(_done(before, after), quiet=quiet)
    else:
        write_record(after, format, "")
    return 0


def _agree(found: Inspection) -> None:
    """Ask before tables are changed. Raises typer.Abort."""
    import typer

    others = f" ({plural(found.n_others, 'other connection')} now)" if found.n_others else ""
    typer.confirm(
        f"upgrade {found.place} from revision {found.revision or 'none'} to {found.newest}? "
        f"Nothing else may use it meanwhile{others}",
        abort=True,
        err=True,
    )


def _done(before: Inspection, after: dict[str, Any]) -> str:
    if before.state == "current":
        return f"{before.place} is of revision {before.revision} already; nothing to do"
    return f"{before.place}: from revision {before.revision or 'none'} to {after['revision']}"


def _text(found: dict[str, Any]) -> str:
    """How a database stands, as people read it."""
    revision = f"{found['revision'] or 'none'} (this hpo has {found['newest']})"
    record = {
        "database": found["place"],
        "kind": " ".join(filter(None, [found["kind"], found["version"]])),
        "revision": revision,
        "Optuna's tables": found["optuna"],
        "size": f"{found['n_bytes'] / 1e6:,.1f} MB",
        "studies": found["n_studies"],
        "trials": found["n_trials"],
        "data sets": found["n_datasets"],
    }
    return f"{pairs(record)}\n{found['note']}"
