"""A round within its sandbox: programs are started, studies submitted, things broken and mended, the end judged."""

from __future__ import annotations

import random
import time
from collections.abc import Collection
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import psutil

from tests.chaos import checker
from tests.chaos.faults import FAULTS, Scene, there
from tests.chaos.plans import Blow, Plan
from tests.chaos.programs import Clock, Program, living, told
from tests.chaos.stages import STAGES, URL, Place, database
from tests.chaos.studies import kind_of

PATIENCE_S = 120.0  # after the last fault
ORPHANS_S = 15.0
LOOK_S = 0.25
OVER = {"COMPLETED", "CANCELLED", "FAILED"}
FAULTY = ("Traceback", "hpo itself failed")  # what hpo never says


class Play:
    """A round within its sandbox. hits: fault -> how much it hit, in turn; wrong: what was, so far"""

    def __init__(self, plan: Plan, out: Path, texts: dict[str, str], dice: random.Random) -> None:
        steps = {
            fault.split()[1] for blow in plan.blows for fault in blow.faults if fault.startswith("step ")
        }
        clocks = {machine: Clock(machine) for machine in sorted(steps)}
        place = Place(out=out, texts=texts, database=plan.database, clocks=clocks)
        self._plan, self._place, self._scene = (
            plan,
            place,
            Scene(dice=dice, server=place.url.replace("+psycopg", ""), clocks=clocks),
        )
        self._programs: list[Program] = [*database(place), *STAGES[plan.stage].programs(place)]
        self._seen: dict[str, dict[int, checker.Row]] = {name: {} for name in texts}
        self._served = STAGES[plan.stage].served
        self._look_at = 0.0
        self.hits: list[tuple[str, int]] = []
        self.wrong: list[str] = []

    def play(self) -> None:
        """Start, submit, break, wait for the end, end."""
        self._keep()
        for blow in self._plan.blows:
            self._begin(blow.study)
            if self._comes(blow):
                self._strike(blow)
            else:
                self.hits += [(fault, 0) for fault in blow.faults]
        self._miss()
        if not self._over_after(PATIENCE_S):
            self.wrong.append(f"not over: {checker.states(self._place.url)}")
        self._look()
        for program in reversed(self._programs):
            if program.name != "database":
                self.wrong += [*program.end(), *program.crashes]
        for process in living():
            if told(process).startswith(STAGES[self._plan.stage].swept):
                with suppress(psutil.Error):
                    process.kill()
        self.wrong += self._orphans(but=["postgres"])

    def judge(self, reference: str) -> None:
        """Have the checker look at every study."""
        for name in self._place.texts:
            found = checker.check(self._place.url, name)
            found += checker.compare(self._place.url, reference, name, kind_of(name)) if not found else []
            self.wrong += [f"{name}: {line}" for line in found]
        for file in sorted(self._place.out.glob("*.txt")):
            lines = file.read_text(errors="replace").splitlines()
            if file.name.startswith(("run", "serve", "second")):
                self.wrong += [
                    f"{file.name}: {line}" for line in lines if any(sign in line for sign in FAULTY)
                ][:1]

    def close(self) -> None:
        """End the database, too."""
        for program in self._programs:
            program.end()
        self.wrong += self._orphans()

    def _keep(self) -> None:
        """Look after the programs and at what has finished, four times a second."""
        if time.monotonic() < self._look_at:
            return
        for program in self._programs:
            program.keep()
        self._look()
        self._look_at = time.monotonic() + LOOK_S

    def _begin(self, name: str) -> None:
        """Start a study's program, or submit it over REST until the server has it."""
        self._place.begun.append(name)
        if not self._served:
            return self._keep()
        deadline = time.monotonic() + PATIENCE_S
        headers = {"Content-Type": "application/yaml", "Idempotency-Key": name}
        text = self._place.texts[name]
        while (answer := self._ask("POST", "/studies", content=text, headers=headers)) is None:
            if time.monotonic() > deadline:
                raise TimeoutError("the server does not come")
            self._keep()
            time.sleep(0.2)
        if answer.status_code != 201:
            self.wrong.append(f"submit {name}: {answer.status_code} {answer.text}")
        return None

    def _comes(self, blow: Blow) -> bool:
        """Wait for a blow's moment, after the first trial of its study; False if the study is over before."""
        deadline = time.monotonic() + PATIENCE_S
        runs_since: float | None = None
        while (now := time.monotonic()) < deadline:
            state = checker.states(self._place.url).get(blow.study)
            if state in OVER:
                return False
            if runs_since is None and state == "RUNNING" and checker.finished(self._place.url, blow.study):
                runs_since = now
            ready = not self._plan.sure or all(there(fault) for fault in blow.faults)
            if runs_since is not None and now >= runs_since + blow.after_s and ready:
                return True
            self._keep()
            time.sleep(0.05)
        self.wrong.append(f"{blow.study} does not begin: {checker.states(self._place.url)}")
        return False

    def _miss(self) -> None:
        """A blow that had to hit and did not is a finding."""
        missed = [fault for blow in self._plan.blows for fault in blow.faults]
        for fault in (fault for fault, n_hit in self.hits if n_hit):
            missed.remove(fault)
        if self._plan.sure and missed:
            self.wrong.append(f"hit nothing: {', '.join(missed)}")

    def _ask(self, method: str, path: str, **more: object) -> httpx.Response | None:
        """An answer; None while the server or its database is away. A fault of the server's is noted."""
        try:
            answer = httpx.request(method, URL + path, timeout=5, **more)  # type: ignore[arg-type]
        except httpx.HTTPError:
            return None
        if answer.status_code in (503, 507):
            return None
        if answer.status_code >= 500:
            self.wrong.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer

    def _over_after(self, seconds: float) -> bool:
        """Wait so long, looking after the programs; True at once when all studies are over."""
        deadline = time.monotonic() + seconds
        while True:
            states = checker.states(self._place.url)
            if all(states.get(name) in OVER for name in self._place.begun):
                return True
            self._keep()
            if time.monotonic() >= deadline:
                return False
            time.sleep(min(0.25, max(0.0, deadline - time.monotonic())))

    def _strike(self, blow: Blow) -> None:
        """Break, hold, mend; no trial that had finished may look different afterwards."""
        self._look()
        with ExitStack() as stack:
            for fault in blow.faults:
                self.hits.append((fault, stack.enter_context(FAULTS[fault](self._scene))))
            time.sleep(blow.hold_s)
            if self._served:
                self._ask("GET", "/studies")

    def _look(self) -> None:
        for name, before in self._seen.items():
            now = checker.finished(self._place.url, name)
            if now and not before.items() <= now.items():
                self.wrong.append(f"{name}: finished trials have changed")
            self._seen[name] = now or before

    def _orphans(self, but: Collection[str] = ()) -> list[str]:
        """What is still there a while after all should have ended."""
        deadline = time.monotonic() + ORPHANS_S
        while (left := living(but)) and time.monotonic() < deadline:
            time.sleep(0.1)
        return [f"left behind: {words}" for process in left if (words := told(process))]
