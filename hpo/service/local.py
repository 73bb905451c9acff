"""The local database behind the client's interface: the same answers as a server's, by the same functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hpo.account import ANYBODY
from hpo.asked import Asked
from hpo.errors import HpoError
from hpo.progress import Event, Progress
from hpo.service import acting, follow, local_events, paging, processes, results
from hpo.service.local_data import LocalData
from hpo.service.local_models import LocalModels
from hpo.service.local_running import LocalRunning
from hpo.service.local_trials import LocalTrials
from hpo.settings import Settings

Record = dict[str, Any]


class Local(LocalTrials, LocalModels, LocalData, LocalRunning):
    """What `hpo.client.base.Backend` says, on a database that this process opens itself."""

    def studies(
        self, *, state: str | None = None, labels: Mapping[str, str] | None = None, limit: int | None = None
    ) -> Iterator[Record]:
        """The studies, the newest first, one line each."""
        states = [] if state is None else [state]
        marks = [f"{label}={value}" for label, value in (labels or {}).items()]
        return paging.all_items(
            lambda size, cursor: paging.studies_page(
                self.storage, states=states, labels=marks, limit=size, cursor=cursor
            ),
            limit,
        )

    def study(self, name: str) -> Record:
        """All there is to say of a study."""
        return results.show(self.storage, name)

    def submit(self, asked: Asked) -> Record:
        """Store a study for a coordinator of this database to run; a data file is kept with it."""
        from hpo.service import local_submission

        made = local_submission.submit_study(self.storage, asked, precision=self._precision)
        return results.show(self.storage, made)

    def validate(self, asked: Asked) -> Record:
        """The completed study file and what would run."""
        from hpo.service import local_submission

        return local_submission.validate(self.open, asked)

    def act(self, name: str, verb: str) -> Record:
        """pause, stop or cancel."""
        acting.act(self.storage, ANYBODY, name, verb)
        return results.show(self.storage, name)

    def resume(self, name: str, *, trials: int | None = None) -> Record:
        """Have a coordinator of this database go on."""
        acting.resume(self.storage, ANYBODY, name, trials=trials)
        return results.show(self.storage, name)

    def amend(self, name: str, changes: Mapping[str, Any]) -> Record:
        """Change trials, priority, limits or labels."""
        from hpo.service import amending

        amending.amend(self.storage, ANYBODY, name, changes)
        return results.show(self.storage, name)

    def fork(
        self, name: str, changes: Mapping[str, Any], *, replay: bool = False, trial: int | None = None
    ) -> Record:
        """A new study with the study file of this one, run by whoever ran that: a coordinator, or a terminal."""
        from hpo.service import local_submission

        made = local_submission.fork(self.storage, name, changes, replay=replay, trial=trial)
        return results.show(self.storage, made)

    def figure(self, name: str, figure: str, **options: str | int | None) -> Record:
        """A figure in Plotly's JSON."""
        from hpo.service import figures

        return figures.figure(self.storage, name, figure, figures.options_of(options))

    def report_html(self, name: str) -> Iterator[bytes]:
        """One HTML file of the study."""
        from hpo.service import report

        return iter([report.report(self.storage, name).html.encode()])

    def remove(self, name: str) -> None:
        """Remove a study with its trials."""
        acting.remove(self.storage, ANYBODY, name)

    def progress(self, name: str) -> Progress:
        """How far a study is."""
        return follow.progress(self.storage, name, is_alive=processes.is_alive)

    def events(self, name: str, *, after: str | None = None) -> Iterator[Event]:
        """What happens to a study."""
        return local_events.follow(self.storage, name, after=after)


def local_of(settings: Settings) -> Local:
    """The database of the settings; HPO_HOME is made when it is first needed."""

    def prepare() -> None:
        try:
            settings.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HpoError(
                f"the folder {str(settings.home)!r} cannot be made: {error.strerror}; choose another one",
                field="HPO_HOME",
            ) from None

    return Local(settings.storage, prepare=prepare, precision=settings.precision)
