"""One coordinator under a cluster that is not there: 1,000 slots, 50 studies, 1,000,000 trials; where the limit is.

    python benchmarks/scale.py --measure                              # how long real cohorts take
    python benchmarks/scale.py [--slots 1000] [--studies 50] [--trials 1000000] [--epochs 20] [--slower 1]
        [--seconds 60] [--database sqlite|postgres] [--only KIND] [--api] [--save NAME]

The serving coordinator, its shared pool, its studies and the database are the real ones, and so is the crew that talks to
workers; the workers pretend (benchmarks/scaling/farm.py), in a process of their own: an epoch takes as long as one that was
measured, times --slower, for larger networks. With --seconds the run is ended after so long and looked at from a third of it
on; without it goes on until all trials have ended, and is looked at from 10 % of the trials to 90 %. What a trial costs is in
processor time of the coordinator's process, by what it was spent on.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from api import served
from scaling import studies, times
from scaling.farm import FarmPool, Sample
from scaling.probe import WRITES, Asker, Spent, Threads, TimedStorage, cpu_of, rss_mib

from hpo.coordinator.jobs import load_job
from hpo.coordinator.loop import Job
from hpo.coordinator.service import ServiceOptions
from hpo.states import FINAL
from hpo.storage.base import Storage, StudyQuery
from hpo.storage.open import open_storage
from hpo.study import Study
from hpo.testing.coordinating import serving_coordinator, submit
from hpo.testing.postgres import own_server

RESULTS = Path(__file__).parent / "results" / "scale.json"
ASKED = ("/api/v1/workers", "/api/v1/studies/random-0")
LOOK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was so at a moment of a run."""

    at: float
    finished: int
    cpu_s: float
    parts: dict[str, float]
    spent: dict[str, Spent]
    database_cpu_s: float
    rss_mib: float


@dataclass(slots=True, kw_only=True)
class Watch:
    """Looks at a run every second."""

    storage: Storage
    timed: TimedStorage
    server: int | None
    threads: Threads = field(default_factory=Threads)
    looks: list[Look] = field(default_factory=list)

    def look(self) -> Sequence[Study]:
        """The studies as they are now."""
        found = self.storage.list_studies(StudyQuery())
        self.looks.append(
            Look(
                at=time.monotonic(),
                finished=sum(study.n_finished for study in found),
                cpu_s=time.process_time(),
                parts=self.threads.look(),
                spent=self.timed.so_far(),
                database_cpu_s=cpu_of(self.server),
                rss_mib=rss_mib(),
            )
        )
        return found

    def until_over(self, seconds: float | None) -> None:
        """Look until all studies have ended, or for so long."""
        began = time.monotonic()
        while seconds is None or time.monotonic() - began < seconds:
            time.sleep(LOOK_S)
            if all(study.state in FINAL for study in self.look()):
                return

    def window(self, seconds: float | None, trials: int) -> tuple[Look, Look]:
        """The first and the last look at the run when it was steady."""
        if seconds is not None:
            began = self.looks[0].at
            steady = [look for look in self.looks if look.at - began >= seconds / 3]
        else:
            steady = [look for look in self.looks if 0.1 * trials <= look.finished <= 0.9 * trials]
        if len(steady) < 2:
            steady = self.looks
        return steady[0], steady[-1]


def job_of(storage: Storage, study: Study) -> Job:
    """The job of a study for workers that pretend, whose models have no place for a preparation."""
    job = load_job(storage, study)
    return replace(job, data=replace(job.data, preparations={}, refit_preparations={}))


@contextmanager
def database(kind: str) -> Iterator[tuple[str, int | None]]:
    """The URL of an empty database, and the process of its server."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        if kind == "sqlite":
            yield f"sqlite:///{folder}/hpo.db", None
            return
        with own_server() as server:
            yield server.url, int((server.folder / "postmaster.pid").read_text().split()[0])


def run(case: argparse.Namespace) -> dict[str, Any]:
    """One run, and what it showed."""
    measured = times.read(case.slower)
    with ExitStack() as stack:
        url, server = stack.enter_context(database(case.database))
        storage = open_storage(url)
        stack.callback(storage.close)
        timed = TimedStorage(storage)
        for text in studies.files(case.studies, case.trials, case.epochs, case.only):
            submit(storage, text)
        pool = FarmPool(case.slots, measured)
        watch = Watch(storage=storage, timed=timed, server=server)
        asker = Asker(stack.enter_context(served(url)), ASKED) if case.api else None
        began = time.monotonic()
        with serving_coordinator(
            timed,  # type: ignore[arg-type]
            pool,
            ServiceOptions(load=job_of, most_studies=case.studies),
        ) as serving:
            watch.look()
            watch.until_over(case.seconds)
            if asker is not None:
                asker.close()
            if serving.error is not None:
                raise serving.error
        found = report(watch, pool.samples, case)
        left = [study for study in watch.look() if study.state not in FINAL]
        if case.seconds is None and left:
            raise RuntimeError(f"studies have not ended: {[study.name for study in left]}")
        found["whole_run"] = {
            "seconds": round(watch.looks[-1].at - began, 1),
            "trials": watch.looks[-1].finished,
            "bytes_per_trial": round(size_of(storage, url) / max(1, planned(storage))),
        }
        if asker is not None:
            found["answers_ms"] = {
                path: [round(1e3 * median(took), 1), round(1e3 * max(took), 1)]
                for path, took in asker.seconds.items()
                if took
            }
    return found


def planned(storage: Storage) -> int:
    """Trials that have a number, the running ones too: they take their place."""
    return sum(sum(study.counts.values()) for study in storage.list_studies(StudyQuery()))


def size_of(storage: Storage, url: str) -> int:
    """Bytes of the whole database."""
    if url.startswith("sqlite"):
        return sum(
            file.stat().st_size for file in Path(url.removeprefix("sqlite:///")).parent.glob("hpo.db*")
        )
    with storage._db.read() as connection:  # type: ignore[attr-defined]
        return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())


def report(watch: Watch, samples: Sequence[Sample], case: argparse.Namespace) -> dict[str, Any]:
    """Rates and costs while the run was steady."""
    first, last = watch.window(case.seconds, case.trials)
    farm_first = min(samples, key=lambda sample: abs(sample.at - first.at))
    farm_last = min(samples, key=lambda sample: abs(sample.at - last.at))
    seconds, trials = last.at - first.at, max(1, last.finished - first.finished)
    farm_s = max(1e-9, farm_last.at - farm_first.at)
    epochs = farm_last.epochs - farm_first.epochs
    calls = {name: _since(spent, first.spent.get(name, Spent())) for name, spent in last.spent.items()}
    calls = {name: spent for name, spent in calls.items() if spent.calls}
    in_store = sum(spent.cpu_s for spent in calls.values())
    parts = {name: cpu_s - first.parts.get(name, 0.0) for name, cpu_s in last.parts.items()}
    cohorts = calls["start_cohort"].calls if "start_cohort" in calls else 0
    by_part = {
        "store": in_store,
        "studies beside the store": parts.get("studies", 0.0) - in_store,
        **{name: cpu_s for name, cpu_s in parts.items() if name != "studies"},
    }
    return {
        "seconds": round(seconds, 1),
        "trials": trials,
        "trials_per_s": round(trials / seconds, 1),
        "busy": round((farm_last.busy_s - farm_first.busy_s) / farm_s / case.slots, 3),
        "epochs_per_s": round(epochs / farm_s, 1),
        "trials_per_cohort": round(trials / cohorts, 1) if cohorts else None,
        "writes_per_s": round(sum(calls[name].calls for name in WRITES if name in calls) / seconds, 1),
        "coordinator_cpu": round((last.cpu_s - first.cpu_s) / seconds, 3),
        "database_cpu": round((last.database_cpu_s - first.database_cpu_s) / seconds, 3),
        "cpu_us_per_trial": round(1e6 * (last.cpu_s - first.cpu_s) / trials),
        "by_part_us": {name: round(1e6 * cpu_s / trials) for name, cpu_s in by_part.items()},
        "by_call": {
            name: {
                "calls_per_s": round(spent.calls / seconds, 1),
                "cpu_us_per_trial": round(1e6 * spent.cpu_s / trials),
                "cpu_ms": round(1e3 * spent.cpu_s / spent.calls, 2),
                "ms": round(1e3 * spent.seconds / spent.calls, 2),
            }
            for name, spent in sorted(calls.items(), key=lambda pair: -pair[1].cpu_s)[:8]
        },
        "rss_mib": round(max(look.rss_mib for look in watch.looks)),
        "farm_cpu": round((farm_last.cpu_s - farm_first.cpu_s) / farm_s, 3),
        "farm_late_ms": round(1e3 * (farm_last.late_s - farm_first.late_s) / max(1, epochs), 2),
    }


def _since(now: Spent, before: Spent) -> Spent:
    return Spent(now.calls - before.calls, now.cpu_s - before.cpu_s, now.seconds - before.seconds)


def show(found: dict[str, Any]) -> None:
    """Print a run."""
    whole = found["whole_run"]
    print(f"{whole['trials']} trials ended in {whole['seconds']:.1f} s; while it was steady:")
    print(
        f"{found['trials_per_s']:8.1f} trials/s, slots busy {found['busy']:.0%}, {found['epochs_per_s']:.0f} epochs/s, "
        f"{found['trials_per_cohort']} trials a cohort, {found['writes_per_s']:.0f} writes/s; "
        f"coordinator {found['coordinator_cpu']:.2f} cores, {found['cpu_us_per_trial']} us a trial, "
        f"database server {found['database_cpu']:.2f}, farm {found['farm_cpu']:.2f} "
        f"(late {found['farm_late_ms']:.1f} ms), {found['rss_mib']} MiB, "
        f"{found['whole_run']['bytes_per_trial']} bytes a trial"
    )
    for name, us in sorted(found["by_part_us"].items(), key=lambda pair: -pair[1]):
        print(f"    {name:26} {us:7d} us a trial")
    for name, call in found["by_call"].items():
        print(
            f"    {name:18} {call['calls_per_s']:8.1f}/s {call['cpu_us_per_trial']:6d} us a trial, "
            f"{call['cpu_ms']:7.2f} ms each, {call['ms']:8.2f} ms by the clock"
        )
    for path, (middle, worst) in found.get("answers_ms", {}).items():
        print(f"    GET {path}: {middle} ms, at most {worst} ms")


def save(name: str, found: dict[str, Any]) -> None:
    """Keep a run under its name."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    kept[name] = found
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n")


def arguments() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slots", type=int, default=1_000)
    parser.add_argument("--studies", type=int, default=50)
    parser.add_argument("--trials", type=int, default=1_000_000, help="of all studies together")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--slower", type=float, default=1.0, help="so many times what was measured")
    parser.add_argument("--seconds", type=float, help="end the run after so long")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--only", choices=tuple(studies.KINDS), help="studies of this kind instead of a mix")
    parser.add_argument("--api", action="store_true", help="ask a server for pages meanwhile")
    parser.add_argument(
        "--measure", action="store_true", help="measure how long real cohorts take, and keep it"
    )
    parser.add_argument("--save", metavar="NAME", help="keep the run in benchmarks/results/scale.json")
    return parser.parse_args()


def main() -> None:
    """Measure, print, keep."""
    case = arguments()
    if case.measure:
        found = times.measure(os.cpu_count() or 1)
        times.FILE.write_text(json.dumps(found) + "\n")
        for width, seconds in found["epoch_seconds"].items():
            print(f"{width:>4} lanes: {1e3 * median(seconds):7.2f} ms an epoch")
        return
    found = run(case)
    show(found)
    if case.save:
        asked = {name: value for name, value in vars(case).items() if name not in ("save", "measure")}
        machine = {"cores": os.cpu_count(), "machine": platform.machine(), "load": os.getloadavg()[0]}
        save(case.save, {"asked": asked, "machine": machine} | found)


if __name__ == "__main__":
    main()
