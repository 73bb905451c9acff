"""A learning sampler whose plans are worked out in a process of its own, while the coordinator goes on."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import hpo
from hpo.errors import PoolError
from hpo.samplers.adaptive import AdaptiveSampler, Learning, Question
from hpo.samplers.thinking import ENVIRONMENT
from hpo.trial import Trial, TrialPlan

MODULE = "hpo.samplers.thinking"
MOST_DEATHS = 2  # of its process before one plan has come back
_PATIENCE_S = 3.0


class ApartSampler:
    """An AdaptiveSampler that does not keep its caller waiting.

    A question goes to the process with all that is known, and asks for the rest of a batch; until the
    answer is there `ask` gives no plans and `thinking` is true. The first batches, which know of no
    result, are answered here. total: plans beyond it are worked out only when asked for one by one.
    """

    def __init__(self, learning: Learning, total: int) -> None:
        self._here = AdaptiveSampler(learning)
        self._batch = learning.batch
        self._total = total
        self._process: _Process | None = None
        self._asked: range | None = None  # of the question that is not yet answered
        self._plans: dict[int, TrialPlan] = {}  # answered, by number
        self._deaths = 0

    def ask(self, first: int, n: int, place: int | None = None) -> list[TrialPlan]:
        """The plans of trials from first on that have been worked out; never waits. Raises PoolError."""
        if n_blind := self._here.n_blind(first):
            return self._here.ask(first, min(n, n_blind))
        self._here.forget(first)
        self._collect()
        if first not in self._plans:
            if self._asked is None and self._here.is_due(first):
                self._question(first, n)
            return []
        plans: list[TrialPlan] = []
        while len(plans) < n and (plan := self._plans.get(first + len(plans))) is not None:
            plans.append(plan)
        self._here.take(plans)
        return plans

    def tell(self, trials: Sequence[Trial]) -> None:
        """Finished trials, in order of number."""
        self._here.tell(trials)

    def warm(self, trials: Sequence[Trial]) -> None:
        """Finished trials of other studies."""
        self._here.warm(trials)

    def planned(self, trials: Sequence[Trial]) -> None:
        """Who got the next numbers; what was worked out for them and later ones is void if it was another."""
        for trial in trials:
            number, known = trial.number, self._plans.get(trial.number)
            if known is None or dict(known.params) != dict(trial.params):
                self._plans = {earlier: plan for earlier, plan in self._plans.items() if earlier < number}
                if self._asked is not None and number in self._asked:
                    self._hang_up()  # what it works out is for another history
        self._here.planned(trials)

    def raised(self, total: int) -> None:
        """So many trials are worked out by the batch, no longer one by one."""
        self._total = total

    def thinking(self) -> bool:
        """Whether a question has not been answered."""
        return self._asked is not None

    def close(self) -> None:
        """End the process."""
        self._hang_up()

    def notes(self) -> dict[str, Any]:
        """Nothing to say."""
        return {}

    def _question(self, first: int, n: int) -> None:
        """Ask for the rest of the batch, as far as the study goes."""
        last = min((first // self._batch + 1) * self._batch, max(self._total, first + n))
        self._process = self._process or _Process()
        self._asked = range(first, last)
        self._process.send(self._here.question(first, last - first))

    def _collect(self) -> None:
        """Take an answer that has come."""
        if self._process is None or self._asked is None:
            return
        try:
            answer = self._process.answer()
        except EOFError:
            self._died()
            return
        if isinstance(answer, str):
            raise PoolError(f"no plans could be worked out: {answer}")
        if answer is not None:
            self._plans, self._asked, self._deaths = {plan.number: plan for plan in answer}, None, 0

    def _died(self) -> None:
        """The same question is asked once more, of a new process. Raises PoolError when that dies too."""
        code = self._hang_up()
        self._deaths += 1
        if self._deaths >= MOST_DEATHS:
            raise PoolError(
                f"the process that works out plans died twice (exit code {code}); "
                "resume the study, or go on with sampler: tpe"
            )

    def _hang_up(self) -> int | None:
        process, self._process, self._asked = self._process, None, None
        return None if process is None else process.end()


class _Process:
    """One process of `hpo.samplers.thinking`."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        root = str(Path(hpo.__file__).parent.parent)
        path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), root]))
        with ours, theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", MODULE, str(theirs.fileno())],
                env={**os.environ, **ENVIRONMENT, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C in the terminal is not for it
            )
            self._connection = Connection(ours.detach())

    def send(self, question: Question) -> None:
        """Ask; a process that has died is noticed when its answer is waited for."""
        try:
            self._connection.send(question)
        except OSError:
            return

    def answer(self) -> list[TrialPlan] | str | None:
        """The answer, or in words why there is none; None when it is not there yet. Raises EOFError."""
        try:
            if not self._connection.poll(0):
                return None
            answer: list[TrialPlan] | str = self._connection.recv()
        except OSError as error:
            raise EOFError from error
        return answer

    def end(self) -> int:
        """Hang up and end it; its exit code."""
        self._connection.close()
        self._process.terminate()
        try:
            return self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
