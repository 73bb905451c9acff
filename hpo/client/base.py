"""What can be asked about studies, of a server or of the local database: one interface for both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from hpo.asked import Asked
from hpo.progress import Event, Progress

# What a service function answers, in JSON types: the same with and without a server, and what `-f json` prints.
Record = dict[str, Any]


class Studies(Protocol):
    """Studies: submit, look, move. Every method that names one raises StudyNotFound."""

    def studies(
        self, *, state: str | None = None, labels: Mapping[str, str] | None = None, limit: int | None = None
    ) -> Iterator[Record]:
        """The studies, the newest first, one line each. Raises UnknownName for a state that is none."""

    def study(self, name: str) -> Record:
        """All there is to say of a study."""

    def act(self, name: str, verb: str) -> Record:
        """pause, stop or cancel; the study afterwards. Raises IllegalMove."""

    def submit(self, asked: Asked) -> Record:
        """Store a study for a coordinator to run; the study. Raises SpecError, DataError, StudyExists."""

    def validate(self, asked: Asked) -> Record:
        """The completed study file and what would run; stores nothing. Raises SpecError, DataError."""

    def resume(self, name: str, *, trials: int | None = None) -> Record:
        """Have a coordinator go on, up to a new total; the study afterwards. Raises IllegalMove, StudyOwned."""

    def amend(self, name: str, changes: Mapping[str, Any]) -> Record:
        """Change trials, priority, limits or labels; the study afterwards. Raises SpecError, IllegalMove."""

    def fork(
        self,
        name: str,
        changes: Mapping[str, Any],
        *,
        replay: bool = False,
        trial: int | None = None,
    ) -> Record:
        """A new study with the study file of this one and dotted changes; the new study. Raises SpecError."""

    def figure(self, name: str, figure: str, **options: str | int | None) -> Record:
        """A figure in Plotly's JSON. options: metric, x, y, trial. Raises FigureNotFound, SpecError."""

    def report_html(self, name: str) -> Iterator[bytes]:
        """One HTML file with the figures and all that is known of the study."""

    def remove(self, name: str) -> None:
        """Remove a study with its trials. Raises StudyOwned while somebody drives it."""

    def progress(self, name: str) -> Progress:
        """How far a study is; its message says so when nobody runs one that should run."""

    def events(self, name: str, *, after: str | None = None) -> Iterator[Event]:
        """What happens to a study behind the event of an id (`now`: from now on; None: all), until it is final."""


class Trials(Protocol):
    """The trials of a study. Every method raises StudyNotFound, one that takes a number TrialNotFound."""

    def trials(
        self,
        name: str,
        *,
        sort: str = "number",
        states: Sequence[str] = (),
        where: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Record]:
        """Trials, read page by page. Raises SpecError, UnknownName for a question that is none."""

    def trial(self, name: str, number: int) -> Record:
        """All there is to say of one trial."""

    def curve(self, name: str, number: int, *, points: int = 200) -> Record:
        """What a trial's epochs came to."""

    def best(self, name: str) -> Record:
        """The best trial. Raises StudyFailed when the study ended without one, TrialNotFound when there is none yet."""

    def top(self, name: str, n: int) -> list[Record]:
        """The n best trials, each with `tied_with_best`. Raises as `best` does."""

    def importance(self, name: str) -> Record:
        """How much each parameter matters."""

    def diagnosis(self, name: str, *, trial: int | None = None) -> Record:
        """What ails the study or one of its trials, and `next`, the study file to try after it."""

    def pareto(self, name: str) -> list[Record]:
        """The trials that no other beats in every objective."""

    def export(self, name: str, format: str) -> Iterator[bytes]:  # noqa: A002
        """All trials as a file: csv, json or parquet. Raises UnknownName for another format."""

    def enqueue(self, name: str, settings: Sequence[Mapping[str, Any]]) -> Record:
        """Have settings tried first; the total grows by as many. Raises SpecError, IllegalMove."""

    def retry(self, name: str, numbers: Sequence[int] = ()) -> Record:
        """Train failed trials once more: those given, or all. Raises IllegalMove."""


class Models(Protocol):
    """The trained models of a study. Every method raises StudyNotFound, TrialNotFound; NotRepeatable for a trial
    that has no model to come by.

    trial: whose; the best one's unless given
    """

    def model(self, name: str, *, trial: int | None = None) -> bytes | None:
        """The model as a zip of its folder. One that was not kept: None while the server trains it once more;
        without a server raises ModelNotKept."""

    def predict(self, name: str, rows: Sequence[Mapping[str, Any]], *, trial: int | None = None) -> Record:
        """What the model says of rows, 10,000 at most, cells by the names of columns. Raises ModelNotKept,
        DataError with row and column, TooLarge."""


class External(Protocol):
    """Trials that another program trains (`trainer: external`). Every method raises StudyNotFound, IllegalMove."""

    def ask(self, name: str, *, client_id: str, count: int = 1) -> Record:
        """`trials` to train, those this client has already first; or why there are none now, and when to come again."""

    def report(self, name: str, number: int, *, epoch: int, value: float, client_id: str) -> Record:
        """Say what an epoch came to; `prune`: whether to end the trial. Raises TrialNotFound, LeaseLost."""

    def heartbeat(self, name: str, number: int, *, client_id: str) -> Record:
        """Keep a trial for another lease. Raises TrialNotFound, LeaseLost."""

    def tell(self, name: str, number: int, outcome: Mapping[str, Any]) -> Record:
        """Say how a trial ended: state, value or values, reason, epochs; the trial. Raises TrialNotFound."""


class Data(Protocol):
    """Data sets and named search spaces."""

    def datasets(self) -> list[Record]:
        """Every data set, the built-in ones first."""

    def dataset(self, source: str, *, target: str | None = None) -> Record:
        """What hpo makes of a data set: columns, task, split. Raises DatasetNotFound, DataError."""

    def kept_dataset(self, key: str) -> Record:
        """An uploaded data set by id or name, not looked into. Raises DatasetNotFound, also for a built-in one."""

    def upload(self, path: Path, *, name: str | None = None) -> Record:
        """Keep a file's bytes; the same bytes again give the same data set. Raises DataError, TooLarge."""

    def remove_dataset(self, key: str) -> Record:
        """Remove an uploaded data set. Raises DatasetNotFound, IllegalMove while a study uses it."""

    def spaces(self) -> list[Record]:
        """The named search spaces."""

    def space(self, name: str) -> Record:
        """One of them with its text. Raises UnknownName."""


class Running(Protocol):
    """The installation itself."""

    def version(self) -> Record:
        """The versions of hpo and of what results depend on."""

    def workers(self) -> list[Record]:
        """The coordinators that serve, and what the slots of each do."""

    def api_keys(self) -> list[Record]:
        """The API keys, without their secrets."""

    def create_key(self, order: Mapping[str, Any]) -> Record:
        """A new API key with its secret, which is never shown again; order: what `hpo keys create` takes."""

    def revoke_key(self, key: str) -> Record:
        """End a key by its id. Raises KeyNotFound."""


class Backend(Studies, Trials, External, Models, Data, Running, Protocol):
    """Where studies live: `Remote` is a server, `hpo.service.local.Local` the database of this machine.

    server: its address, None for the local database
    """

    server: str | None

    def close(self) -> None:
        """Let go of connections."""
