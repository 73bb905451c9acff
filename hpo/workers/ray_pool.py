"""A pool of Ray actors, in a Ray of its own on this machine or in a running cluster."""

from __future__ import annotations

import atexit
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
import ray.exceptions
from ray._private import worker as ray_internals
from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]

from hpo.cohort import CohortTask, Report, Task
from hpo.dataset import TrainingData
from hpo.errors import PoolError
from hpo.workers.base import Slot
from hpo.workers.child_process import worker_environment
from hpo.workers.crew import Crew, Worker
from hpo.workers.devices import memory_per_worker, n_cores, torch_has_cuda, visible_gpus
from hpo.workers.messages import Order
from hpo.workers.places import Node, Place, chosen, has_gpus, places_of
from hpo.workers.ray_cluster import LOOK_S, RayCluster, nodes
from hpo.workers.ray_door import WITH_TOKEN, knock, way_in
from hpo.workers.ray_process import RayProcess
from hpo.workers.ray_signals import sigterm_kept
from hpo.workers.ray_token import MODE, TOKEN, TOKEN_PATH, token_file
from hpo.workers.undertaker import VARIABLE, Undertaker, below

log = logging.getLogger(__name__)

_OBJECT_STORE_BYTES = 512 * 2**20  # what does not fit goes to disk
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else Ray warns of a change to come
}


class RayPool:
    """A WorkerPool of Ray actors, one CPU or one GPU each. Data is put once and shared by a node's actors.

    address: of a running cluster, or None for a Ray of our own that ends with the pool
    n_workers: None means one per core, or one per GPU; a Ray of our own takes any number, in a cluster it is the most
    device: auto, cpu or cuda; home: HPO_HOME, for the token of a Ray of our own
    A ScoreTask that cannot be done is reported as CohortFailed of its id, attempt 0.

    Slots come and go with the machines of a cluster. Where auto has found GPUs at first, only they train.
    """

    def __init__(self, *, n_workers: int | None, address: str | None, device: str, home: Path) -> None:
        self._n_workers, self._address, self._device, self._home = n_workers, address, device, home
        self._crew: Crew[RayProcess] | None = None
        self._data: dict[str, Any] = {}  # data key -> reference
        self._cluster: RayCluster | None = None  # that was joined
        self._nodes: Sequence[Node] = ()  # that workers are placed on
        self._gpus: bool | None = None  # whether GPUs train; None: not known yet
        self._per_gpu: int | None = None  # workers; None: not known yet
        self._n_places: int | None = None  # as it was last said
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
            places = self._begin_own() if self._address is None else self._join(self._address)
            self._crew = Crew("ray", lambda place: RayProcess(place, worker_environment()))
            self._crew.fill(places)
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
        self._follow_cluster()
        try:
            return self._started().poll(timeout_s, self._heard)
        except OSError as error:  # so Ray says it, unless it ends this process first
            self._check_heads()
            raise PoolError(
                f"Ray's process of this machine has died: {error}; start Ray again and go on"
            ) from error

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
        if self._cluster is not None:
            self._cluster.close()
        if self._crew is not None and ray.is_initialized() and not self._headless:
            for worker in self._crew.workers:
                worker.process.kill()
        if self._undertaker is not None:  # Ray's shutdown ends the heads and leaves their children to nobody
            self._undertaker.tell(p.pid for head in self._heads.values() for p in below(head.pid))
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
        if not sources:
            time.sleep(min(timeout_s, LOOK_S))  # for a machine to join
            return []
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

    @property
    def _headless(self) -> bool:
        """Whether the cluster that was joined has lost its head: then Ray answers nothing more."""
        return self._cluster is not None and self._cluster.gone

    def _follow_cluster(self) -> None:
        """Have workers where the cluster's machines are now. Raises PoolError when its head has gone."""
        cluster = self._cluster
        if cluster is None:
            return
        if cluster.gone:
            raise PoolError(
                f"the head of the Ray cluster at {cluster.address} has not answered for {cluster.away_s:.0f} s; "
                "start Ray there again, and on its other machines, and go on"
            )
        if cluster.nodes != self._nodes:
            self._started().fill(self._places(cluster.nodes))

    def _begin_own(self) -> list[Place]:
        """Start a Ray that listens to nobody without our token; where the workers are to be."""
        n_gpus = len(visible_gpus(os.environ)) if self._device != "cpu" and torch_has_cuda() else 0
        if self._device == "cuda" and not n_gpus:
            raise PoolError("Ray finds no GPU; set HPO_DEVICE=cpu")
        n_workers = self._n_workers or n_gpus or n_cores()
        try:
            token = token_file(self._home)
            self._undertaker = Undertaker(worker_environment())
        except OSError as error:
            raise PoolError(f"no token for Ray in {self._home}: {error.strerror}") from error
        secured = {MODE: WITH_TOKEN, TOKEN_PATH: str(token)}
        wanted = {**_ENVIRONMENT, **secured, VARIABLE: self._undertaker.mark}
        self._set_environment(wanted, unwanted=(TOKEN, "RAY_ADDRESS"))
        _init(
            address="local",
            num_cpus=n_workers,
            num_gpus=n_gpus,
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            _node_ip_address="127.0.0.1",
        )
        self._heads = _heads()
        self._undertaker.tell((process.pid for process in self._heads.values()), _session_folder())
        memory_bytes = memory_per_worker(n_workers)
        return [replace(place, memory_bytes=memory_bytes, host="") for place in self._places(nodes())]

    def _join(self, address: str) -> list[Place]:
        door = knock(address, os.environ)
        self._set_environment(way_in(door, os.environ, self._home))
        _init(address=door.address)
        self._cluster = RayCluster(ray.get_runtime_context().gcs_address)
        return self._places(self._cluster.nodes)

    def _places(self, nodes: Sequence[Node]) -> list[Place]:
        """Where workers are to be on these machines: where they are already, then elsewhere."""
        self._choose_devices(nodes)
        self._share_gpus(nodes)
        self._nodes = nodes
        possible = [
            p for node in nodes for p in places_of(node, gpus=bool(self._gpus), per_gpu=self._per_gpu or 1)
        ]
        there = [] if self._crew is None else self._crew.places()
        places = chosen(possible, there, self._n_workers)
        self._say_how_many(len(places))
        return places

    def _say_how_many(self, n_places: int) -> None:
        """Say that workers wait for machines, whenever there are more or fewer that do."""
        wanted = self._n_workers or 1
        if n_places >= wanted or n_places == self._n_places:
            pass
        elif n_places:
            log.warning(
                "the Ray cluster has %s for %d of %d workers; the others begin when machines join",
                "GPUs" if self._gpus else "cores",
                n_places,
                wanted,
            )
        else:
            log.warning(
                "the Ray cluster has no %s for a worker now; training waits until a machine joins",
                "GPU" if self._gpus else "core",
            )
        self._n_places = n_places

    def _share_gpus(self, nodes: Sequence[Node]) -> None:
        """Settle, when the first GPUs are there, how many workers have one together; they keep their shares."""
        n_gpus = sum(node.n_gpus for node in nodes)
        if self._gpus and n_gpus and self._per_gpu is None:
            self._per_gpu = -(-(self._n_workers or n_gpus) // n_gpus)

    def _choose_devices(self, nodes: Sequence[Node]) -> None:
        """Whether GPUs or cores train is settled for good once there is one of either; results should not mix them."""
        there = has_gpus(nodes)
        if self._gpus is None and (self._device != "auto" or any(node.n_cpus for node in nodes)):
            self._gpus = self._device == "cuda" or (self._device == "auto" and there)
        elif self._gpus is False and self._device == "auto" and there and not has_gpus(self._nodes):
            log.warning(
                "the Ray cluster has GPUs now, but training has begun on cores; start hpo anew to use them"
            )

    def _set_environment(self, wanted: dict[str, str], unwanted: Sequence[str] = ()) -> None:
        self._before = {name: os.environ.get(name) for name in (*wanted, *unwanted)}
        for name in unwanted:
            os.environ.pop(name, None)
        os.environ.update(wanted)
        Config.initialize("")  # Ray has read its mode of authentication when it was imported
        AuthenticationTokenLoader.instance().reset_cache()  # an earlier Ray of this process had another


def _init(**options: Any) -> None:
    """Start or join Ray, quietly, and leave SIGTERM to whoever had it. Raises PoolError."""
    # Ray prints what it thinks of a dead worker on standard output; the pool reports it in its own way.
    ray_internals._worker_logs_enabled = False
    try:
        with sigterm_kept():
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
    except Exception as error:  # where a start takes too long, Ray raises Exception itself
        raise PoolError(f"Ray could not be started or reached: {_first_line(error)}") from error


def _session_folder() -> str:
    """Where the Ray that this process has started writes its logs."""
    node: Any = ray_internals._global_node
    return str(node.get_session_dir_path())


def _heads() -> dict[str, Any]:
    """The processes of the Ray that this process has started, by what they are."""
    node: Any = ray_internals._global_node
    return {name: infos[0].process for name, infos in node.all_processes.items() if infos}


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
