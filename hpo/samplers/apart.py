"""A learning sampler whose plans are worked out in a process of its own, while the coordinator goes on."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hpo
from hpo.errors import SamplerFailed
from hpo.lines import impatient
from hpo.samplers.adaptive import AdaptiveSampler, Learning, Question
from hpo.samplers.thinking import BEAT_S, ENVIRONMENT
from hpo.trial import Trial, TrialPlan

MODULE = "hpo.samplers.thinking"
MOST_DEATHS = 2  # of its process before one plan has come back
# Its process says every BEAT_S that it lives. A routine that holds Python's lock keeps it from doing so for as long as
# it takes, which in a plan is a few seconds at most. Only until the first answer torch is loaded, perhaps from a slow
# disk, in one such routine.
SILENCE_S = 30.0
SILENCE_AT_START_S = 300.0
_CURE = "resume the study, or go on with sampler: tpe in a fork of it"
_DEATH_S = 3.0  # from when it is killed until it can be waited for, unless the kernel holds it


class ApartSampler:
    """An AdaptiveSampler that does not keep its caller waiting.

    A question goes to the process with all that is known, and asks for the rest of a batch; until the
    answer is there `ask` gives no plans and `thinking` is true. The first batches, which know of no
    result, are answered here. total: plans beyond it are worked out only when asked for one by one.
    silence_s: how long a process that thinks may say nothing; silence_at_start_s: until its first answer
    """

    def __init__(
        self,
        learning: Learning,
        total: int,
        *,
        silence_s: float = SILENCE_S,
        silence_at_start_s: float = SILENCE_AT_START_S,
    ) -> None:
        self._silence_s, self._silence_at_start_s = silence_s, silence_at_start_s
        self._here = AdaptiveSampler(learning)
        self._batch = learning.batch
        self._total = total
        self._process: _Process | None = None
        self._asked: range | None = None  # of the question that is not yet answered
        self._plans: dict[int, TrialPlan] = {}  # answered, by number
        self._deaths = 0

    def ask(self, first: int, n: int, place: int | None = None) -> list[TrialPlan]:
        """The plans of trials from first on that have been worked out; never waits. Raises SamplerFailed."""
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
        self._process = self._process or _Process(self._silence_s, self._silence_at_start_s)
        self._asked = range(first, last)
        self._process.send(self._here.question(first, last - first))

    def _collect(self) -> None:
        """Take an answer that has come."""
        if self._process is None or self._asked is None:
            return
        try:
            answer = self._process.answer()
        except EOFError as error:
            self._died(str(error))
            return
        if isinstance(answer, str):
            self._hang_up()
            raise SamplerFailed(f"no plans could be worked out: {answer}; {_CURE}")
        if answer is not None:
            self._plans, self._asked, self._deaths = {plan.number: plan for plan in answer}, None, 0

    def _died(self, how: str) -> None:
        """The same question is asked once more, of a new process. Raises SamplerFailed when that dies too."""
        code = self._hang_up()
        self._deaths += 1
        if self._deaths >= MOST_DEATHS:
            self._deaths = 0  # for whoever asks again
            raise SamplerFailed(
                f"the process that works out plans died twice ({how or f'exit code {code}'}); {_CURE}"
            )

    def _hang_up(self) -> int | None:
        process, self._process, self._asked = self._process, None, None
        return None if process is None else process.end()


class _Process:
    """One process of `hpo.samplers.thinking`."""

    def __init__(self, silence_s: float, silence_at_start_s: float) -> None:
        self._silence_s, self._patience_s = silence_s, silence_at_start_s
        self._silent_s = 0.0  # since it last said something, or was asked, as far as anybody listened
        self._listened_at = time.monotonic()
        self._listens = False
        self._unasked: Question | None = None  # until it listens
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
            self._connection = impatient(ours)

    def send(self, question: Question) -> None:
        """Ask, once it listens; a process that has died, or does not listen, is noticed by `answer`."""
        self._silent_s, self._listened_at = 0.0, time.monotonic()
        self._unasked = question
        if self._listens:
            self._ask()

    def _ask(self) -> None:
        question, self._unasked = self._unasked, None
        if question is None:
            return
        try:
            self._connection.send(question)
        except OSError:  # half a question may be on its way: nothing more can be said
            self._process.kill()

    def answer(self) -> list[TrialPlan] | str | None:
        """The answer, or in words why there is none; None when it is not there yet.

        Raises EOFError once it has died or been silent for too long, with a word on the latter.
        """
        self._count_silence()
        try:
            while self._connection.poll(0):
                said: list[TrialPlan] | str | None = self._connection.recv()
                self._silent_s, self._listens = 0.0, True
                if said is not None:
                    self._patience_s = self._silence_s
                    return said
                self._ask()
        except OSError as error:
            raise EOFError from error
        if self._silent_s > self._patience_s:
            raise EOFError(f"silent for {self._silent_s:.0f} s")
        return None

    def _count_silence(self) -> None:
        """Add the time since the last look, but not that in which this process itself slept or was busy."""
        now = time.monotonic()
        self._silent_s += min(now - self._listened_at, BEAT_S)
        self._listened_at = now

    def end(self) -> int | None:
        """Kill it, for it holds nothing that is not known here; its exit code, None while the kernel holds it."""
        self._process.kill()
        self._connection.close()
        try:
            return self._process.wait(_DEATH_S)
        except subprocess.TimeoutExpired:
            return None
