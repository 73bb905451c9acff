"""A pool of Ray actors, in a Ray of its own on this machine or in a running cluster. The only home of ray."""

from __future__ import annotations

import atexit
import logging
import os
import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray
import ray.exceptions
from ray._private import worker as ray_internals
from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]

from hpo.cohort import CohortTask, LastReport, Report, Task
from hpo.dataset import TrainingData
from hpo.errors import PoolError
from hpo.workers.base import Slot
from hpo.workers.child_process import worker_environment
from hpo.workers.crew import Crew, Worker
from hpo.workers.devices import memory_per_worker, n_cores, torch_has_cuda, visible_gpus
from hpo.workers.messages import FromWorker, Hello, Order, ToWorker, Unfit
from hpo.workers.ray_signals import sigterm_kept
from hpo.workers.ray_token import token_file
from hpo.workers.ray_worker import RayWorker
from hpo.workers.undertaker import VARIABLE, Undertaker

_OBJECT_STORE_BYTES = 512 * 2**20  # what does not fit goes to disk
_CONNECT_S = 10.0
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else Ray warns of a change to come
}


class RayProcess:
    """An actor and what it does now. Ray starts it; the constructor returns before it is there.

    device: cpu or cuda:0; resources: num_cpus and num_gpus of the actor
    """

    def __init__(self, *, device: str, resources: dict[str, float], environment: dict[str, str]) -> None:
        actor_class: Any = ray.remote(RayWorker)
        options = actor_class.options(
            max_restarts=0,
            max_concurrency=3,  # perform, say and live
            runtime_env={"env_vars": environment},
            **resources,
        )
        self._actor: Any = options.remote(device)
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
        """End it at once; `receive` will tell."""
        ray.kill(self._actor, no_restart=True)

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
            self.kill()  # a task that failed in Ray's hands leaves a living actor


class RayPool:
    """A WorkerPool of Ray actors, one CPU or one GPU each. Data is put once and shared by a node's actors.

    address: of a running cluster, or None for a Ray of our own that ends with the pool
    n_workers: None means one per core (of the cluster), or one per GPU; a Ray of our own takes any number
    device: auto, cpu or cuda; home: HPO_HOME, for the token of a Ray of our own
    A ScoreTask that cannot be done is reported as CohortFailed of its id, attempt 0.
    """

    def __init__(self, *, n_workers: int | None, address: str | None, device: str, home: Path) -> None:
        self._n_workers, self._address, self._device, self._home = n_workers, address, device, home
        self._crew: Crew[RayProcess] | None = None
        self._data: dict[str, Any] = {}  # data key -> reference
        self._resources: dict[str, float] = {}
        self._before: dict[str, str | None] = {}  # environment variables as they were
        self._connected = False
        self._undertaker: Undertaker | None = None  # of a Ray of our own
        self._heads: dict[str, Any] = {}

    def start(self) -> None:
        """Start or find Ray (2 to 4 seconds), begin to start actors, and return before they are ready. Raises PoolError."""
        if self._n_workers is not None and self._n_workers < 1:
            raise PoolError(f"a pool has at least 1 worker, not {self._n_workers}")
        if self._device not in ("auto", "cpu", "cuda"):
            raise PoolError(f"Ray chooses among GPUs itself: say cuda instead of {self._device}")
        if ray.is_initialized():
            raise PoolError("this process is using Ray already; close that first")
        atexit.register(self.close)
        self._connected = True
        try:
            devices = self._begin_own() if self._address is None else self._join(self._address)
            self._crew = Crew("ray", devices, memory_per_worker(len(devices)), self._hire)
        except PoolError:
            self.close()
            raise

    def slots(self) -> Sequence[Slot]:
        """The slots there are, starting ones included. A GPU's memory is known when its worker is ready."""
        return self._started().slots()

    def pids(self) -> list[int]:
        """The processes that are ready, by slot; on whatever node they are."""
        return self._started().pids()

    def put_data(self, key: str, data: TrainingData) -> None:
        """Make data known to every worker, once; a key that is known is left as it is. Raises PoolError."""
        self._started()
        if key not in self._data:
            try:
                self._data[key] = ray.put(data)
            except (ray.exceptions.RayError, OSError) as error:
                raise PoolError(f"training data could not be given to Ray: {_first_line(error)}") from error

    def drop_data(self, key: str) -> None:
        """Forget data; Ray frees its memory once no actor reads it any more."""
        self._data.pop(key, None)

    def room(self) -> int:
        """How many tasks it would take now."""
        return self._started().room()

    def submit(self, task: Task) -> None:
        """Give a task to a free slot. Raises PoolError when none is free."""
        data = self._data.get(task.data) if isinstance(task, CohortTask) else None
        self._started().submit(Order(task=task, data=data))

    def poll(self, timeout_s: float) -> list[Report]:
        """Reports that have arrived, waiting at most so long for the first. Raises PoolError."""
        self._check_heads()
        return self._started().poll(timeout_s, self._heard)

    def keep(self, cohort: int, mask: Sequence[bool]) -> None:
        """Answer an EpochResult of a judged cohort: which of its `numbers` go on."""
        self._started().keep(cohort, mask)

    def cancel(self, cohort: int) -> None:
        """Ask a cohort to end at once; its last report is CohortFailed `cancelled`.

        A worker that does not heed it within CANCEL_GRACE_S, in a long epoch, is killed and replaced.
        """
        self._started().cancel(cohort)

    def close(self) -> None:
        """End the actors, and a Ray of our own with all its processes. Once more does nothing."""
        atexit.unregister(self.close)
        if self._crew is not None and ray.is_initialized():
            for worker in self._crew.workers:
                worker.process.kill()
        self._crew, self._data, self._heads = None, {}, {}
        if self._connected:
            self._connected = False
            # In a cluster the processes are not ours, and this only hangs up.
            ray.shutdown()
        if self._undertaker is not None:
            self._undertaker.bury()
            self._undertaker = None
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._before = {}

    def _started(self) -> Crew[RayProcess]:
        if self._crew is None:
            raise PoolError("the pool has not been started")
        return self._crew

    def _heard(self, workers: Sequence[Worker[RayProcess]], timeout_s: float) -> Sequence[Worker[RayProcess]]:
        """Workers that have said something or died, waiting at most so long. Raises PoolError."""
        dead = [worker for worker in workers if worker.process.death]
        if dead:
            return dead
        sources = [worker.process.waiting_for for worker in workers]
        ready, _ = ray.wait(sources, num_returns=1, timeout=timeout_s)
        self._check_heads()  # a Ray that has died makes every worker look dead
        if ready:
            ready, _ = ray.wait(sources, num_returns=len(sources), timeout=0)
        heard = {id(source) for source in ready}
        return [worker for worker, source in zip(workers, sources, strict=True) if id(source) in heard]

    def _check_heads(self) -> None:
        """Raises PoolError when a process is gone without which our own Ray does nothing, or worse, waits."""
        for name, process in self._heads.items():
            if process.poll() is not None:
                raise PoolError(f"Ray's own process {name} ({process.pid}) has died, and Ray with it")

    def _begin_own(self) -> list[str]:
        """Start a Ray that listens to nobody without our token; the devices of the workers to be."""
        n_gpus = len(visible_gpus(os.environ)) if self._device != "cpu" and torch_has_cuda() else 0
        devices = self._devices(n_cores(), n_gpus)
        try:
            token = token_file(self._home)
            self._undertaker = Undertaker(worker_environment())
        except OSError as error:
            raise PoolError(f"no token for Ray in {self._home}: {error.strerror}") from error
        self._set_environment(token, self._undertaker.mark)
        _init(
            address="local",
            num_cpus=len(devices),
            num_gpus=n_gpus,
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            _node_ip_address="127.0.0.1",
        )
        self._heads = _heads()
        self._undertaker.tell(process.pid for process in self._heads.values())
        return devices

    def _join(self, address: str) -> list[str]:
        _check_address(address)
        _init(address=address)
        total: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        n_cpus, n_gpus = int(total.get("CPU", 0)), int(total.get("GPU", 0))
        devices = self._devices(n_cpus, 0 if self._device == "cpu" else n_gpus)
        if len(devices) > n_cpus:
            raise PoolError(f"the Ray cluster has {n_cpus} CPUs, too few for {len(devices)} workers")
        return devices

    def _devices(self, n_cpus: int, n_gpus: int) -> list[str]:
        """One device for each worker, and what each asks of Ray. Raises PoolError."""
        if n_gpus == 0:
            if self._device == "cuda":
                raise PoolError("Ray finds no GPU; set HPO_DEVICE=cpu")
            self._resources = {"num_cpus": 1, "num_gpus": 0}
            return ["cpu"] * (self._n_workers or n_cpus)
        n_workers = self._n_workers or n_gpus
        sharers = -(-n_workers // n_gpus)
        self._resources = {"num_cpus": 1, "num_gpus": 1 / sharers}
        return [f"cuda:{place % n_gpus}" for place in range(n_workers)]

    def _set_environment(self, token: Path, mark: str) -> None:
        # Without a mode of the user's, ray.init turns token authentication on for a Ray it starts.
        wanted = {**_ENVIRONMENT, "RAY_AUTH_TOKEN_PATH": str(token), VARIABLE: mark}
        unwanted = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_ADDRESS")
        self._before = {name: os.environ.get(name) for name in (*wanted, *unwanted)}
        for name in unwanted:
            os.environ.pop(name, None)
        os.environ.update(wanted)
        AuthenticationTokenLoader.instance().reset_cache()  # an earlier Ray of this process had another

    def _hire(self, place: int, device: str) -> RayProcess:
        inside = "cpu" if device == "cpu" else "cuda:0"
        return RayProcess(device=inside, resources=self._resources, environment=worker_environment())


def _check_address(address: str) -> None:
    """Raises PoolError at once where Ray would try for minutes."""
    if address.startswith("ray://"):
        raise PoolError("reports cannot stream through ray://; give the head's own address, as host:6379")
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        return  # auto, which Ray looks up
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
    except OSError as error:
        raise PoolError(f"no Ray answers at {address}: {error.strerror or error}") from error


def _init(**options: Any) -> None:
    """Start or join Ray, quietly, and leave SIGTERM to whoever had it. Raises PoolError."""
    # Ray prints what it thinks of a dead worker on standard output; the pool reports it in its own way.
    ray_internals._worker_logs_enabled = False
    try:
        with sigterm_kept():
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
    except (ray.exceptions.RayError, OSError, RuntimeError, ValueError) as error:
        raise PoolError(f"Ray could not be started or reached: {_first_line(error)}") from error


def _heads() -> dict[str, Any]:
    """The processes of the Ray that this process has started, by what they are."""
    node: Any = ray_internals._global_node
    return {name: infos[0].process for name, infos in node.all_processes.items() if infos}


def _why(error: ray.exceptions.RayError) -> str:
    """The one line of Ray's long message that says what happened."""
    text = str(error).strip()
    detail = re.search(r"Worker exit detail: (.*?)(\. |\.?$)", text, re.MULTILINE)
    if detail is not None:
        return detail[1]
    lines = text.splitlines() or [type(error).__name__]
    return lines[-1] if isinstance(error, ray.exceptions.RayTaskError) else lines[0]


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
