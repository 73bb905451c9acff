"""Drive a study in this terminal: pool, coordinator, Ctrl-C, and what is said at the end."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from types import FrameType
from typing import TYPE_CHECKING, Any

from hpo.cli import session
from hpo.cli.cells import cell, clean
from hpo.cli.entry import INTERRUPTED
from hpo.cli.lineage import lineage_lines
from hpo.cli.live import open_view
from hpo.cli.output import Format, fit, pairs, plural, say, width_of, write_record
from hpo.cli.pace import duration
from hpo.cli.phrases import score_texts, split_text, values_by_metric, with_stderr
from hpo.cli.tables import table
from hpo.cli.where import typed
from hpo.errors import PoolError, StorageUnavailable, StudyFailed
from hpo.settings import EXACT, FAST
from hpo.states import StudyState, Wanted

if TYPE_CHECKING:
    from hpo.coordinator.loop import Coordinator, Job
    from hpo.settings import Settings
    from hpo.storage.base import Storage
    from hpo.study import Driver, Study
    from hpo.workers.base import WorkerPool

FRONT_SHOWN = 20  # trials of a Pareto front that people are shown

EXIT_CODES: dict[StudyState, int] = {
    StudyState.COMPLETED: 0,
    StudyState.FAILED: StudyFailed.exit_code,
    StudyState.PAUSED: INTERRUPTED,
    StudyState.CANCELLED: INTERRUPTED,
}


class PoolChoice(StrEnum):
    """Which kind of worker pool."""

    AUTO = "auto"
    LOCAL = "local"
    RAY = "ray"


class PrecisionChoice(StrEnum):
    """How products are made."""

    EXACT = EXACT
    FAST = FAST


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to run; none of it changes a result."""

    pool: PoolChoice = PoolChoice.AUTO
    workers: int | None = None
    cohort_lanes: int | None = None
    format: Format = Format.TABLE
    quiet: bool = False


def _local(settings: Settings, workers: int | None) -> WorkerPool:
    from hpo.workers.local_pool import LocalPool

    return LocalPool(n_workers=workers, device=settings.device, scratch=settings.home / "scratch")


def _ray(settings: Settings, workers: int | None) -> WorkerPool:
    from hpo.workers.ray_pool import RayPool

    return RayPool(
        n_workers=workers, address=settings.ray_address, device=settings.device, home=settings.home
    )


POOLS: dict[PoolChoice, Callable[[Settings, int | None], WorkerPool]] = {
    PoolChoice.LOCAL: _local,
    PoolChoice.RAY: _ray,
}


@contextmanager
def started_pool(options: RunOptions) -> Iterator[WorkerPool]:
    """A pool whose workers have begun to start; closed at the end, whatever happens. Raises PoolError."""
    settings = session.settings()
    session.make_home(settings)
    choice = options.pool
    if choice is PoolChoice.AUTO:
        choice = PoolChoice.RAY if settings.ray_address else PoolChoice.LOCAL
    with ExitStack() as stack:
        pool = POOLS[choice](settings, options.workers)
        stack.callback(pool.close)
        pool.start()
        yield pool


@dataclass(slots=True)
class Interrupts:
    """Ctrl-C: the first one pauses the study, or ends the program when none runs yet; the second kills.

    wipe: what to write before a line, since a view may be drawn where it goes
    """

    coordinator: Coordinator | None = None
    study: str | None = None
    wipe: str = "\n"
    n_caught: int = field(default=0)

    def caught(self, _number: int, _frame: FrameType | None) -> None:
        """The signal handler."""
        self.n_caught += 1
        if self.n_caught > 2:
            self._write("")
            os._exit(INTERRUPTED)
        if self.coordinator is None or self.n_caught == 2:
            raise KeyboardInterrupt
        self.coordinator.ask(Wanted.PAUSE)
        self._write(f"pausing study {self.study}; Ctrl-C again kills it\n")

    def _write(self, text: str) -> None:
        # print() is not safe in a signal handler: it may have been interrupted itself.
        with contextlib.suppress(OSError):  # a closed terminal
            os.write(2, f"{self.wipe}{text}".encode())


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Catch Ctrl-C, termination and a closed terminal for the length of a run."""
    found = Interrupts()
    before = {
        number: signal.signal(number, found.caught)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield found
    except KeyboardInterrupt:
        if found.study is None:
            say("interrupted before a study was made; nothing is left behind")
        else:
            say(f"interrupted; `hpo resume {found.study}` goes on")
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def drive(
    storage: Storage,
    pool: WorkerPool,
    job: Job,
    *,
    options: RunOptions,
    caught: Interrupts,
    dead: Driver | None = None,
) -> Study:
    """Run a study to its end in this terminal, and return it."""
    from hpo.coordinator.loop import Coordinator
    from hpo.coordinator.loop import Options as HowToRun

    caught.study = job.name
    with open_view(quiet=options.quiet or options.format is not Format.TABLE) as view:
        coordinator = Coordinator(
            storage, pool, watch=view.show, options=HowToRun(max_lanes=options.cohort_lanes)
        )
        caught.coordinator, caught.wipe = coordinator, view.wipe
        try:
            return coordinator.run(job, dead=dead)
        except (PoolError, StorageUnavailable) as error:
            if "hpo resume" in error.detail:
                raise
            raise type(error)(f"{error.detail}; then `hpo resume {job.name}` goes on") from error


def say_data(data: Mapping[str, Any], *, quiet: bool) -> None:
    """What was made of the data: one line, then the sentences that the data gave rise to. data: `info_record`'s"""
    if quiet or not data:
        return
    classes = f", {plural(len(data['classes']), 'class')}" if data["classes"] else ""
    rows = split_text(data["n_folds"], data["n_train"], data["n_validation"], data["n_test"])
    say(
        f"{data['source']}: {plural(data['n_rows'], 'row')}, {plural(data['n_features'], 'feature')}{classes}; {rows}"
    )
    for sentence in (f"{data['task']} of {data['target']}: {data['task_reason']}", *data["notes"]):
        say(f"  {sentence}")


def say_notes(notes: Sequence[str], *, quiet: bool) -> None:
    """What a study file says in vain, one line each."""
    for sentence in notes:
        say(f"note: {sentence}", quiet=quiet)


def finish(storage: Storage, study: Study, options: RunOptions) -> int:
    """Say how a study ended; the exit code."""
    from hpo.service import results

    record = results.show(storage, study.name)
    return ended(
        record, lambda: results.best(storage, study.name)[0], format=options.format, quiet=options.quiet
    )


def ended(
    record: dict[str, Any],
    best: Callable[[], dict[str, Any]],
    *,
    format: Format,  # noqa: A002
    quiet: bool,
) -> int:
    """Say how a study ended; the exit code. record: of the study; best: gives that of its best trial.

    Raises StudyFailed.
    """
    name, state = record["name"], StudyState(record["state"])
    if state is StudyState.FAILED:
        raise StudyFailed(
            f"study {name!r} failed: {record['reason'] or 'no reason was recorded'}; "
            f"`hpo trials {name}` shows its trials"
        )
    code = EXIT_CODES.get(state, 1)
    if code == INTERRUPTED:
        cure = f"; `hpo resume {name}` goes on" if state is StudyState.PAUSED else ""
        say(f"study {name} is {state} after {record['n_finished']} of {record['n_trials']} trials{cure}")
        return code
    found = best()
    write_record(found, format, best_report(found, rows=bool(record["data"])))
    if record["reason"]:
        say(f"study {name}: {record['reason']}", quiet=quiet)
    for sentence in record["notes"].get("sentences", ()):
        say(sentence, quiet=quiet)
    if not quiet and format is Format.TABLE:
        print("\n" + next_commands(name, record["direction"]))
    return code


def best_report(best: dict[str, Any], *, rows: bool) -> str:
    """The best trial as people read it: value, settings, test score, how many trials.

    rows: whether the study has any; one that is trained elsewhere has none
    """
    done = ", ".join(f"{n} {state}" for state, n in best["states"].items())
    where = " on validation rows" if rows else ""
    lines = _front_lines(best, where) if "front" in best else _best_lines(best, where)
    lines += lineage_lines(best)
    if best["fixed"]:
        lines += ["fixed", pairs(best["fixed"], indent=2)]
    if best["test"] is not None:
        scores = score_texts(best["test"])
        again = f", scored {best['test']['scored']} times" if best["test"].get("scored", 1) > 1 else ""
        whose = f" (trial {best['number']})" if "front" in best else ""
        lines.append(f"on test rows{whose}: {cell(scores)}{again}")
    elif rows:
        lines.append("on test rows: not scored")
    rate = f", {sum(best['states'].values()) / best['seconds']:.1f} trials/s" if best["seconds"] else ""
    lines.append(f"{plural(best['n_trials'], 'trial')} ({done}) in {duration(best['seconds'])}{rate}")
    return fit(clean("\n".join(lines)), sys.stdout)


def _best_lines(best: dict[str, Any], where: str) -> list[str]:
    value = with_stderr(best["value"], best["stderr"])
    lines = [f"best {best['metric']} of {best['study']}{where}: {value} (trial {best['number']})"]
    return [*lines, pairs(best["params"], indent=2)] if best["params"] else lines


def _front_lines(best: dict[str, Any], where: str) -> list[str]:
    """The trials that no other beats in every objective, by the first one."""
    front = best["front"]
    wanted = " and ".join(f"{one['direction']} {one['metric']}" for one in best["objectives"])
    lines = [f"Pareto front of {best['study']}{where} ({wanted}): {plural(len(front), 'trial')}"]
    rows = [
        {"number": one["number"], **values_by_metric(best | one), **one["params"]}
        for one in front[:FRONT_SHOWN]
    ]
    lines.append(table(rows, width=width_of(sys.stdout)))
    if len(front) > FRONT_SHOWN:
        lines.append(f"and {len(front) - FRONT_SHOWN} more: `hpo best {best['study']} -f json` has them all")
    return lines


def next_commands(study: str, direction: str) -> str:
    """What to type next."""
    from hpo.study import Direction

    sort = "-value" if direction == Direction.MAXIMIZE else "value"
    looks = (
        f"hpo diagnose {study}",
        f"hpo trials {study} --sort {sort} --limit 10",
        f"hpo report {study}",
    )
    lines = ["next:", *(f"  {typed(look)}" for look in looks)]
    settings = session.settings()
    if settings.server is not None:
        from hpo.client.address import address_of

        lines.append(f"  {address_of(settings.server)}/studies/{study}")
    elif settings.storage.startswith("sqlite:"):
        lines.append(f"  optuna-dashboard {settings.storage}")
    return "\n".join(lines)
