"""The verbs that move a study: pause, stop, cancel, rm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from hpo.cli import session
from hpo.cli.output import QuietOption, StudyArgument, YesOption, say
from hpo.errors import SpecError
from hpo.states import Wanted

if TYPE_CHECKING:
    from hpo.service.lifecycle import Changed


def pause(study: StudyArgument, quiet: QuietOption = False) -> None:
    """Hand running cohorts back and rest; `hpo resume` goes on."""
    _say_changed(_wish(study, Wanted.PAUSE), "pause", quiet=quiet)


def stop(study: StudyArgument, quiet: QuietOption = False) -> None:
    """Start no more trials, let the running ones finish, and be COMPLETED."""
    _say_changed(_wish(study, Wanted.STOP), "stop", quiet=quiet)


def cancel(study: StudyArgument, quiet: QuietOption = False) -> None:
    """Kill the running trials; the study is CANCELLED for good."""
    _say_changed(_wish(study, Wanted.CANCEL), "cancel", quiet=quiet)


def _wish(study: str, wanted: Wanted) -> Changed:
    from hpo.service import lifecycle

    with session.storage() as storage:
        return lifecycle.wish(storage, study, wanted, me=session.me(), is_alive=session.is_alive)


def _say_changed(changed: Changed, verb: str, *, quiet: bool) -> None:
    name = changed.study.name
    if changed.asked is None:
        say(f"study {name} is {changed.study.state}", quiet=quiet)
    else:
        say(f"{changed.asked} was asked to {verb} study {name}; `hpo watch {name}` follows it", quiet=quiet)


def rm(study: StudyArgument, yes: YesOption = False, quiet: QuietOption = False) -> None:
    """Remove a study with all its trials."""
    from hpo.service import lifecycle

    with session.storage() as storage:
        found = storage.get_study(study)
        confirm(f"remove study {study} with its {found.n_planned} trials for good?", yes=yes)
        lifecycle.remove(storage, study, me=session.me(), is_alive=session.is_alive)
    say(f"study {study} is removed", quiet=quiet)


def confirm(question: str, *, yes: bool) -> None:
    """Ask, unless --yes has answered. Raises typer.Abort for no, SpecError when nobody can answer."""
    if yes:
        return
    try:
        typer.confirm(question, abort=True, err=True)
    except EOFError:
        raise SpecError("nobody answers; say --yes") from None
