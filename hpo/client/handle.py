"""One study in the hands of a notebook: wait for it, read it, move it, train its trials elsewhere."""

from __future__ import annotations

import importlib
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from hpo.client.base import Backend, Record
from hpo.client.following import followed
from hpo.errors import HpoError
from hpo.files import write_whole
from hpo.progress import Event, Progress

Show = Callable[[Progress], object]

MODEL_LOOK_S = 1.0  # between two questions whether a model has been trained


class StudyHandle:
    """A study by its name; whatever is asked of it is asked anew. Every method raises StudyNotFound once it is gone."""

    def __init__(self, backend: Backend, name: str) -> None:
        self.name = name
        self._backend = backend
        self._client_id = f"python-{uuid.uuid4()}"  # of trials that this process asks for

    def __repr__(self) -> str:
        record = self.status()
        value = "" if record["value"] is None else f", best {record['metric']} {record['value']:.5g}"
        return (
            f"<study {self.name!r}: {record['state']}, {record['n_finished']} of {record['n_trials']} trials"
            f"{value}>"
        )

    # Reading

    def status(self) -> Record:
        """All there is to say of the study, as `hpo show -f json` has it."""
        return self._backend.study(self.name)

    @property
    def state(self) -> str:
        """QUEUED, RUNNING, PAUSED, STOPPING, COMPLETED, CANCELLED or FAILED."""
        return str(self.status()["state"])

    @property
    def best(self) -> Record:
        """The best trial, as `hpo best -f json` has it. Raises TrialNotFound while there is none, StudyFailed."""
        return self._backend.best(self.name)

    def top(self, n: int) -> list[Record]:
        """The n best trials, each with `tied_with_best`: whether it cannot be told apart from the best."""
        return self._backend.top(self.name, n)

    def trials(
        self,
        *,
        sort: str = "number",
        state: str | Sequence[str] = (),
        where: str | None = None,
        limit: int | None = None,
    ) -> list[Record]:
        """The trials, as `hpo trials -f json` has them.

        sort: number, value, finished_at, epochs or params.NAME, `-` reverses; where: such as "value >= 0.9 and
        params.optimizer in [adam, sgd]". Raises SpecError, UnknownName.
        """
        states = [state] if isinstance(state, str) else list(state)
        return list(self._backend.trials(self.name, sort=sort, states=states, where=where, limit=limit))

    def trials_frame(self, **question: Any) -> Any:
        """The same as a pandas DataFrame with a column for each parameter. Raises HpoError without pandas."""
        try:
            pandas = importlib.import_module("pandas")
        except ImportError:
            raise HpoError("pandas is not installed; `pip install pandas`, or use trials()") from None
        return pandas.json_normalize(self.trials(**question))

    def trial(self, number: int) -> Record:
        """All there is to say of one trial. Raises TrialNotFound."""
        return self._backend.trial(self.name, number)

    def curve(self, number: int, *, points: int = 200) -> Record:
        """What a trial's epochs came to, in at most so many points. Raises TrialNotFound."""
        return self._backend.curve(self.name, number, points=points)

    def importance(self) -> Record:
        """How much each searched parameter matters."""
        return self._backend.importance(self.name)

    def diagnosis(self, *, trial: int | None = None) -> Record:
        """What ails the study or one of its trials: `findings`, each with sentence and cure, the most severe first.

        `next` is the study file to try after it, as `submit` takes it; None for a trial. Raises TrialNotFound.
        """
        return self._backend.diagnosis(self.name, trial=trial)

    def pareto(self) -> list[Record]:
        """The trials that no other beats in every objective."""
        return self._backend.pareto(self.name)

    def export(self, path: str | Path, format: str | None = None) -> None:  # noqa: A002
        """Write all trials to a file: csv, json or parquet, else as its name ends."""
        file = Path(path)
        ending = format or file.suffix.lower().removeprefix(".")
        write_whole(file, self._backend.export(self.name, ending))

    # Following

    def save_model(self, path: str | Path, *, trial: int | None = None) -> None:
        """Write the best trial's model, or another's, as a zip that `hpo.models.load_folder` reads.

        Waits while a server trains one that was not kept once more. Raises ModelNotKept where there is no server,
        NotRepeatable.
        """
        while (data := self._backend.model(self.name, trial=trial)) is None:
            time.sleep(MODEL_LOOK_S)
        write_whole(Path(path), [data])

    def predict(self, rows: Sequence[Mapping[str, Any]], *, trial: int | None = None) -> Record:
        """What the best trial's model, or another that was kept, says of rows, cells by the names of columns.

        Raises ModelNotKept, DataError with row and column.
        """
        return self._backend.predict(self.name, rows, trial=trial)

    def wait(self, timeout: float | None = None, *, progress: bool | Show = True) -> StudyHandle:
        """Wait until nothing more will happen by itself: COMPLETED, FAILED, CANCELLED or PAUSED; the handle.

        timeout: in seconds; progress: whether to write how far it is to standard error, or what to call with it
        Raises TimeoutError; StudyOwned when nobody runs the study and nobody comes to.
        """
        ends_at = None if timeout is None else time.monotonic() + timeout
        show, line = _shown(progress)
        try:
            for moment in followed(self._backend, self.name, events=timeout is None):
                show(moment)
                if ends_at is not None and time.monotonic() >= ends_at:
                    raise TimeoutError(f"study {self.name!r} is still {moment.state} after {timeout:g} s")
        finally:
            line.end()
        return self

    def events(self, *, after: str | None = None) -> Iterator[Event]:
        """What happens to the study until it is final.

        after: the id of an event, `now`, or None for every trial from the first. kind is trial (data: items, the
        trials that finished), progress (counts, best, speeds) or study (its state). A connection that breaks is
        made again where it broke.
        """
        return self._backend.events(self.name, after=after)

    # Moving

    def pause(self) -> StudyHandle:
        """Hand running cohorts back and rest. Raises IllegalMove."""
        return self._acted("pause")

    def stop(self) -> StudyHandle:
        """Start no more trials, let the running ones finish, be COMPLETED. Raises IllegalMove."""
        return self._acted("stop")

    def cancel(self) -> StudyHandle:
        """Kill the running trials; CANCELLED for good. Raises IllegalMove."""
        return self._acted("cancel")

    def _acted(self, verb: str) -> StudyHandle:
        self._backend.act(self.name, verb)
        return self

    def resume(self, *, trials: int | None = None) -> StudyHandle:
        """Have a coordinator go on; trials: a larger total. Raises IllegalMove, StudyOwned."""
        self._backend.resume(self.name, trials=trials)
        return self

    def amend(self, **changes: Any) -> StudyHandle:
        """Change trials, priority, limits or labels. Raises SpecError, IllegalMove."""
        self._backend.amend(self.name, changes)
        return self

    def fork(self, name: str | None = None, *, changes: Mapping[str, Any] | None = None) -> StudyHandle:
        """A new study with the study file of this one and dotted changes. Raises SpecError, StudyExists."""
        wanted = {**(changes or {}), **({} if name is None else {"name": name})}
        return StudyHandle(self._backend, self._backend.fork(self.name, wanted)["name"])

    def enqueue(self, *settings: Mapping[str, Any]) -> StudyHandle:
        """Have settings tried before what the sampler proposes next. Raises SpecError, IllegalMove."""
        self._backend.enqueue(self.name, settings)
        return self

    def retry(self, *numbers: int) -> StudyHandle:
        """Train failed trials once more under new numbers: those given, or all. Raises IllegalMove."""
        self._backend.retry(self.name, numbers)
        return self

    def remove(self) -> None:
        """Remove the study with its trials, for good. Raises StudyOwned while somebody runs it."""
        self._backend.remove(self.name)

    # Trials that this program trains itself (`trainer: external`)

    def ask(self, count: int = 1) -> Record:
        """`trials` to train, each with number, params and lease_s, those this handle has already first.

        None now: `reason` says why, `retry_after_s` when to ask again; `over`: the study has ended.
        Raises IllegalMove for a study that hpo trains itself.
        """
        return self._backend.ask(self.name, client_id=self._client_id, count=count)

    def report(self, number: int, *, epoch: int, value: float) -> bool:
        """Say what an epoch came to; True: the pruner wants the trial to end, tell it PRUNED."""
        found = self._backend.report(self.name, number, epoch=epoch, value=value, client_id=self._client_id)
        return bool(found["prune"])

    def heartbeat(self, number: int) -> Record:
        """Keep a trial for another lease while an epoch takes long."""
        return self._backend.heartbeat(self.name, number, client_id=self._client_id)

    def tell(
        self,
        number: int,
        value: float | Sequence[float] | None = None,
        *,
        state: str = "COMPLETE",
        reason: str | None = None,
        epochs: int | None = None,
    ) -> Record:
        """Say how a trial ended, COMPLETE, PRUNED or FAIL; the trial.

        value: one for each of several objectives; left out, the best that was reported
        reason: why it failed: error, out_of_memory, diverged or infeasible
        """
        key = "value" if value is None or isinstance(value, int | float) else "values"
        given = value if key == "value" else list(value)  # type: ignore[arg-type]
        told = {key: given, "state": state, "reason": reason, "epochs": epochs}
        outcome = {name: word for name, word in told.items() if word is not None}
        return self._backend.tell(self.name, number, outcome)


class _Line:
    """How far a study is, on one line of a stream that is written over and over."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._text = ""

    def show(self, progress: Progress) -> None:
        """Write the line anew if it has changed."""
        best = "" if progress.best_value is None else f", best {progress.metric} {progress.best_value:.5g}"
        text = (
            f"{progress.study}: {progress.state}, {progress.n_finished} of {progress.n_trials} trials{best}"
        )
        text += f"; {progress.message}" if progress.message else ""
        if text != self._text:
            self._out.write(f"\r{text}{' ' * max(0, len(self._text) - len(text))}")
            self._out.flush()
            self._text = text

    def end(self) -> None:
        """The next to write begins a new line."""
        if self._text:
            self._out.write("\n")


def _shown(progress: bool | Show) -> tuple[Show, _Line]:
    line = _Line(sys.stderr)
    if callable(progress):
        return progress, line
    return (line.show if progress else lambda _: None), line
