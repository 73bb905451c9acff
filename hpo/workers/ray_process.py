"""A Ray actor as its pool sees it: started, spoken to, ended."""

from __future__ import annotations

import re
from typing import Any

import ray
import ray.exceptions
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from hpo import __version__
from hpo.cohort import LastReport
from hpo.workers.messages import FromWorker, Hello, Order, ToWorker, Unfit
from hpo.workers.places import Place
from hpo.workers.ray_worker import RayWorker

# Ray calls an actor in threads, and the heaps of threads go back to the kernel as soon as they are empty, whatever
# hpo.fused.device says: a study of small networks took 58,000 pages anew in each worker, and takes 5,300 so.
ONE_HEAP = {"MALLOC_ARENA_MAX": "1"}


class RayProcess:
    """An actor and what it does now. Ray starts it; the constructor returns before it is there.

    place: the node where it is to be, and nowhere else; if that is gone, it dies at once
    """

    def __init__(self, place: Place, environment: dict[str, str]) -> None:
        actor_class: Any = ray.remote(RayWorker)
        options = actor_class.options(
            max_restarts=0,
            max_concurrency=3,  # perform, say and live
            num_cpus=1,
            num_gpus=place.share,
            scheduling_strategy=NodeAffinitySchedulingStrategy(place.node, soft=False),
            runtime_env={"env_vars": environment | ONE_HEAP},
        )
        self._actor: Any = options.remote("cuda:0" if place.share else "cpu", __version__)
        self._hello: Any = self._actor.hello.remote()
        self._life: Any = self._actor.live.remote()
        self._stream: Any = None
        self._pid, self.death = 0, ""

    @property
    def waiting_for(self) -> Any:
        """What `ray.wait` may wait for: the hello, the next report, or the end of its life."""
        return next(source for source in (self._hello, self._stream, self._life) if source is not None)

    def send(self, message: ToWorker) -> None:
        """Say something; an actor that has died does not hear it, and `receive` will tell."""
        if isinstance(message, Order):
            perform = self._actor.perform.options(num_returns="streaming")
            self._stream = perform.remote(message.task, message.data)
        else:
            self._actor.say.remote(message)

    def receive(self) -> list[FromWorker] | None:
        """Everything it has said by now; None once it has died and all was heard."""
        messages: list[FromWorker] = []
        while not self.death:
            ready, _ = ray.wait([self.waiting_for], timeout=0)
            if not ready:
                break
            self._next(messages)
        return None if self.death and not messages else messages

    def kill(self) -> None:
        """End it at once, or have no more to do with it where Ray cannot reach it; `receive` will tell."""
        if not self.death:
            ray.kill(self._actor, no_restart=True)
            self.death = "it was ended"

    def obituary(self) -> str:
        """Who it was and how it ended."""
        return f"Ray worker process {self._pid or '(starting)'} died: {self.death}"

    def last_words(self) -> str:
        """Ray keeps the logs of actors itself."""
        return "see Ray's logs, by default in /tmp/ray/session_latest/logs"

    def _next(self, messages: list[FromWorker]) -> None:
        try:
            source = self.waiting_for
            message = ray.get(next(source) if source is self._stream else source)
        except StopIteration:
            self.death = "it ended a task without a last report"
        except ray.exceptions.RayError as error:
            self.death = _why(error)
        else:
            messages.append(message)
            if isinstance(message, Hello | Unfit):
                self._hello = None
                self._pid = message.pid if isinstance(message, Hello) else 0
            elif isinstance(message, LastReport):
                self._stream = None
        if self.death:
            ray.kill(self._actor, no_restart=True)  # a task that failed in Ray's hands leaves a living actor


def _why(error: ray.exceptions.RayError) -> str:
    """The one line of Ray's long message that says what happened."""
    if isinstance(error, ray.exceptions.ActorUnschedulableError):
        return "its machine has left the cluster"
    text = str(error).strip()
    detail = re.search(r"Worker exit detail: (.*?)(\. |\.?$)", text, re.MULTILINE)
    if detail is not None:
        return detail[1]
    lines = text.splitlines() or [type(error).__name__]
    return lines[-1] if isinstance(error, ray.exceptions.RayTaskError) else lines[0]
