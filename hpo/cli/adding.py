"""The verbs that add to a study: enqueue a setting, retry failed trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hpo.cli import session
from hpo.cli.output import Format, FormatOption, QuietOption, StudyArgument, plural, say, write_record

if TYPE_CHECKING:
    from hpo.service.enqueueing import Enqueued


def enqueue(
    study: StudyArgument,
    words: Annotated[
        list[str],
        typer.Argument(metavar="NAME=VALUE …", help="Parameters of the setting; what is left out is drawn."),
    ],
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> None:
    """Have a setting of your own tried before what the sampler proposes next; the total grows by one."""
    from hpo.service import enqueueing, submit

    setting = submit.parse_settings(words, example="learning_rate=1e-3", field="enqueue")
    with session.storage() as storage:
        done = enqueueing.enqueue(storage, study, [setting], is_alive=session.is_alive)
    _tell(done, f"{plural(len(done.settings), 'setting')} enqueued in study {study}", format, quiet=quiet)


def retry(
    study: StudyArgument,
    trial: Annotated[
        list[int] | None, typer.Option("--trial", min=0, help="This one; may be given several times.")
    ] = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> None:
    """Train trials once more that failed by error, lost or out_of_memory, under new numbers."""
    from hpo.service import enqueueing, repeating

    with session.storage() as storage:
        done = enqueueing.retry(storage, study, trial or (), is_alive=session.is_alive)
    if not done.settings and format is Format.TABLE:
        reasons = ", ".join(repeating.RETRIED)
        say(
            f"study {study} has no trial to retry: none failed by {reasons}, or each was retried", quiet=quiet
        )
        return
    numbers = ", ".join(map(str, done.retry_of))
    _tell(done, f"trial {numbers} of study {study} will be trained once more", format, quiet=quiet)


def _tell(done: Enqueued, what: str, format: Format, *, quiet: bool) -> None:  # noqa: A002
    """What was added, and who will train it."""
    study = done.study
    if format is not Format.TABLE:
        record = {
            "study": study.name,
            "state": study.state.value,
            "n_trials": study.n_trials,
            "enqueued": [dict(setting) for setting in done.settings],
            "retry_of": list(done.retry_of),
        }
        write_record(record, format, "")
        return
    who = f"`hpo resume {study.name}` goes on" if done.driver is None else f"{done.driver} goes on with it"
    say(f"{what}; its total is {plural(study.n_trials, 'trial')} now; {who}", quiet=quiet)
