"""The verbs that add to a study: enqueue a setting, retry failed trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hpo.cli import session
from hpo.cli.moving import driver_text
from hpo.cli.output import Format, FormatOption, QuietOption, StudyArgument, plural, say, write_record
from hpo.states import StudyState

if TYPE_CHECKING:
    from hpo.client.base import Backend


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
    from hpo.service import submit

    setting = submit.parse_settings(words, example="learning_rate=1e-3", field="enqueue")
    with session.backend() as backend:
        done = backend.enqueue(study, [setting])
        what = f"{plural(len(done['enqueued']), 'setting')} enqueued in study {study}"
        _tell(backend, done, what, format, quiet=quiet)


def retry(
    study: StudyArgument,
    trial: Annotated[
        list[int] | None, typer.Option("--trial", min=0, help="This one; may be given several times.")
    ] = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> None:
    """Train trials once more that failed by error, lost or out_of_memory, under new numbers."""
    from hpo.service.repeating import RETRIED

    with session.backend() as backend:
        done = backend.retry(study, trial or ())
        if not done["enqueued"] and format is Format.TABLE:
            reasons = ", ".join(RETRIED)
            say(
                f"study {study} has no trial to retry: none failed by {reasons}, or each was retried",
                quiet=quiet,
            )
            return
        numbers = ", ".join(map(str, done["retry_of"]))
        what = f"trial {numbers} of study {study} will be trained once more"
        _tell(backend, done, what, format, quiet=quiet)


def _tell(backend: Backend, done: dict[str, Any], what: str, format: Format, *, quiet: bool) -> None:  # noqa: A002
    """What was added, and who will train it."""
    if format is not Format.TABLE:
        write_record(done, format, "")
        return
    total = plural(done["n_trials"], "trial")
    say(f"{what}; its total is {total} now; {who_goes_on(backend, done['study'])}", quiet=quiet)


def who_goes_on(backend: Backend, study: str) -> str:
    """Who will train what was added to a study."""
    from hpo.study import EXTERNAL

    record = backend.study(study)
    driver = driver_text(record)
    if record["spec"].get("trainer") == EXTERNAL:
        return "whoever asks next gets it"
    if driver is not None and backend.progress(study).message is None:
        return f"{driver} goes on with it"
    if record["served"] and record["state"] == StudyState.QUEUED:
        return f"the server goes on with it, `hpo watch {study}` follows"
    return f"`hpo resume {study}` goes on"
