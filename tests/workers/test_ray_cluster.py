"""Workers follow the machines of a Ray cluster: they are where these are, and a machine that goes takes only its own work."""

import contextlib
from collections import Counter

import pytest
import ray
from ray._raylet import AuthenticationTokenLoader, Config
from ray.cluster_utils import Cluster

from hpo.cohort import CohortDone, EpochResult
from hpo.errors import PoolError
from hpo.testing.pool_talk import (
    FOREVER,
    KEY,
    bits,
    collect,
    first_epoch,
    heard_of,
    make_data,
    make_task,
)
from hpo.testing.ray_health import HEALTH
from hpo.testing.server_program import until
from hpo.workers import ray_cluster
from hpo.workers.local_pool import LocalPool
from hpo.workers.ray_pool import RayPool
from hpo.workers.ray_token import token_file

pytestmark = [pytest.mark.ray, pytest.mark.timeout(180)]

SMALL = {"object_store_memory": 80 * 2**20, "include_dashboard": False}


@contextlib.contextmanager
def a_cluster(home):
    """A cluster whose head trains nothing, closed to strangers."""
    with pytest.MonkeyPatch.context() as patch:
        settings = HEALTH | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token_file(home))}
        for name, value in settings.items():
            patch.setenv(name, value)
        # What a process reads when it imports ray.
        Config.initialize("")
        AuthenticationTokenLoader.instance().reset_cache()
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **SMALL})
        try:
            yield cluster
        finally:
            cluster.shutdown()


@pytest.fixture(scope="module")
def shared_cluster(tmp_path_factory):
    with a_cluster(tmp_path_factory.mktemp("home")) as cluster:
        yield cluster


@pytest.fixture
def cluster(shared_cluster):
    """The cluster without any machine that trains, before and after."""
    yield shared_cluster
    for node in list(shared_cluster.worker_nodes):
        shared_cluster.remove_node(node)


@contextlib.contextmanager
def a_pool(cluster, **options):
    """A pool on a cluster, with the data under KEY."""
    pool = RayPool(
        **{"n_workers": None, "address": cluster.address, "device": "auto", "home": None} | options
    )
    pool.start()
    try:
        pool.put_data(KEY, make_data())
        yield pool
    finally:
        pool.close()


def look(pool, what):
    """Poll until the slots are as they should be; whether they became so."""
    return until(lambda: (pool.poll(0.1), what(pool.slots()))[1])


def n_ready(n):
    return lambda slots: len(slots) == n and all(slot.ready for slot in slots)


def test_a_machine_that_goes_takes_its_slot_and_one_that_comes_brings_one(cluster):
    machines = [cluster.add_node(num_cpus=1, **SMALL)]
    with a_pool(cluster) as pool:
        assert look(pool, n_ready(1))
        pool.submit(make_task([0], id=1, epochs=FOREVER))
        first_epoch(pool)

        machines.append(cluster.add_node(num_cpus=1, **SMALL))
        assert look(pool, n_ready(2))
        pool.submit(make_task([1], id=2, epochs=FOREVER))
        assert heard_of(pool, {1, 2}) == {1, 2}
        places = {slot.task: slot.node for slot in pool.slots()}
        cluster.remove_node(machines[0], allow_graceful=False)
        lost = [report for report in collect(pool) if not isinstance(report, EpochResult)]
        left = look(pool, lambda slots: len(slots) == 1) and pool.slots()

        assert places[1] != places[2]
        assert [(r.cohort, r.reason) for r in lost] == [(1, "lost")]
        assert [(slot.task, slot.node.split()[0]) for slot in left] == [(2, places[2].split()[0])]
        assert pool.room() == 0


def test_a_pool_waits_for_its_first_machine_and_trains_there_as_anywhere(cluster, tmp_path):
    with a_pool(cluster) as pool:
        none = list(pool.slots()), pool.room(), pool.poll(0.1)
        with pytest.raises(PoolError):
            pool.submit(make_task([0], id=1))

        cluster.add_node(num_cpus=2, **SMALL)
        assert look(pool, lambda slots: len(slots) == 2)  # not ready: the task waits in line
        pool.submit(make_task(range(4), id=1))
        reports = collect(pool)

    local = LocalPool(n_workers=1, device="cpu", scratch=tmp_path)
    local.start()
    local.put_data(KEY, make_data())
    local.submit(make_task(range(4), id=1))
    expected = bits(collect(local))
    local.close()
    assert none == ([], 0, [])
    assert isinstance(reports[-1], CohortDone)
    assert bits(reports) == expected


def test_the_last_machine_may_go_however_many_workers_it_has(cluster):
    machine = cluster.add_node(num_cpus=6, **SMALL)
    with a_pool(cluster) as pool:
        assert look(pool, n_ready(6))
        pool.submit(make_task([0], id=1, epochs=FOREVER))
        first_epoch(pool)

        cluster.remove_node(machine, allow_graceful=False)
        lost = collect(pool)[-1]
        none = look(pool, lambda slots: not slots)

        assert (lost.cohort, lost.reason) == (1, "lost")
        assert none


def test_workers_stay_where_they_are_and_move_when_they_must(cluster):
    machine = cluster.add_node(num_cpus=1, **SMALL)
    with a_pool(cluster, n_workers=1) as pool:
        assert look(pool, n_ready(1))
        before = pool.pids()

        cluster.add_node(num_cpus=1, **SMALL)
        assert look(pool, lambda slots: len(pool._nodes) == 3)  # it has heard
        stayed = pool.pids()
        cluster.remove_node(machine, allow_graceful=False)
        moved = look(pool, lambda slots: n_ready(1)(slots) and pool.pids() != before)

        assert stayed == before
        assert moved


def test_gpus_are_shared_out_as_ray_has_them(cluster):
    cluster.add_node(num_cpus=4, num_gpus=2, **SMALL)
    cluster.add_node(num_cpus=4, num_gpus=1, **SMALL)

    with a_pool(cluster, n_workers=5) as pool:
        slots = list(pool.slots())
        free = until(lambda: ray.available_resources().get("GPU", 0.0) < 0.6)
        gpus = ray.available_resources()

    per_device = Counter((slot.node, slot.device) for slot in slots)
    assert sorted(per_device.values()) == [1, 2, 2]
    assert sorted(Counter(node for node, _ in per_device).values()) == [1, 2]
    assert free
    assert gpus["GPU"] == pytest.approx(0.5)  # 3 GPUs, of which 5 workers have a half each
    assert gpus["CPU"] == 3


def test_a_head_that_dies_is_one_sentence_and_the_pool_closes(tmp_path, monkeypatch):
    monkeypatch.setattr(ray_cluster, "AWAY_S", 4.0)
    with a_cluster(tmp_path) as cluster:
        sentence = f"the head of the Ray cluster at {cluster.address} has not answered"
        cluster.add_node(num_cpus=1, **SMALL)
        with a_pool(cluster) as pool:
            assert look(pool, n_ready(1))
            pool.submit(make_task([0], epochs=FOREVER))
            first_epoch(pool)

            cluster.head_node.kill_gcs_server(check_alive=False)

            with pytest.raises(PoolError, match=sentence):
                collect(pool)
