"""The verb watch, and how a study that somebody else runs is followed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo.cli import session
from hpo.cli.live import open_view
from hpo.cli.output import Format, FormatOption, QuietOption, StudyArgument, plural, say, write_record
from hpo.errors import StudyFailed
from hpo.states import StudyState

if TYPE_CHECKING:
    from hpo.client.base import Backend
    from hpo.progress import Progress


def watch(study: StudyArgument, format: FormatOption = Format.TABLE, quiet: QuietOption = False) -> int:  # noqa: A002
    """Follow a study that another process runs. Ctrl-C stops looking."""
    with session.backend() as backend:
        progress = follow(backend, study, format, quiet=quiet)
        record = backend.study(study)
    ended = (
        f"study {study} is {progress.state}: {progress.n_finished} of {plural(progress.n_trials, 'trial')}"
    )
    write_record(record, format, ended)
    return exit_code(progress)


def follow(backend: Backend, study: str, format: Format, *, quiet: bool) -> Progress:  # noqa: A002
    """Show how far a study is until it rests, and where it then is. Raises StudyOwned when nobody runs it."""
    from hpo.client.following import followed

    try:
        with open_view(quiet=quiet or format is not Format.TABLE) as view:
            for progress in followed(backend, study):
                view.show(progress)
            return progress
    except KeyboardInterrupt:
        say(f"study {study} goes on without you; `hpo watch {study}` looks again", quiet=quiet)
        raise


def exit_code(progress: Progress) -> int:
    """3 for a study that failed; that it was paused or cancelled is no failure of whoever looks."""
    return StudyFailed.exit_code if progress.state is StudyState.FAILED else 0
