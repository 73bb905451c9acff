"""The compose files, as a compose program understands them: what each service may, and what it is told."""

import re
import runpy
import subprocess

import pytest

from hpo.service import settings_page
from hpo.service.exposure import is_loopback
from hpo.settings import read_settings
from hpo.workers.places import Node, places_of
from tests.docker.composing import GPU, MISSING, ROOT, compose, understood

OURS = ("api", "coordinator", "head", "worker")
SERVICES = (*OURS, "database")
ON_RAY = ("coordinator", "head", "worker")
CHECKS = runpy.run_path(str(ROOT / "docker/healthy"))["CHECKS"]


@pytest.fixture(scope="module")
def begins(tmp_path_factory):
    found = {
        gpu: compose(tmp_path_factory.mktemp("compose"), *([GPU] if gpu else [])) for gpu in (False, True)
    }
    if None in found.values():
        pytest.skip(MISSING)
    return found


@pytest.fixture(scope="module")
def plain(begins):
    return understood(begins[False])


@pytest.fixture(scope="module")
def with_gpus(begins):
    return understood(begins[True])


@pytest.mark.parametrize("gpu", [False, True])
def test_compose_finds_no_fault(begins, gpu):
    done = subprocess.run([*begins[gpu], "config", "--quiet"], capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_services_are_these(plain):
    assert sorted(plain["services"]) == sorted(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_locked_in(plain, with_gpus, name):
    for found in (plain, with_gpus):
        service = found["services"][name]

        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not {"privileged", "cap_add", "devices", "network_mode", "pid", "ipc"} & set(service)


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_s_log_grows_without_end(plain, name):
    assert plain["services"][name]["logging"]["options"] == {"max-size": "20m", "max-file": "5"}


def test_each_image_is_built_by_one_service(plain, with_gpus):
    for found in (plain, with_gpus):
        services = [found["services"][name] for name in OURS]

        built = [service["image"] for service in services if "build" in service]

        assert sorted(built) == sorted({service["image"] for service in services})


def test_who_shares_an_image_that_another_builds_asks_no_registry_for_it(plain):
    services = [plain["services"][name] for name in OURS]

    assert {service["pull_policy"] for service in services if "build" not in service} == {"never"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_writes_into_memory_or_a_volume_of_compose_s(plain, name):
    service = plain["services"][name]
    mounted = [
        str(volume.get("source") if isinstance(volume, dict) else volume.split(":")[0])
        for volume in service.get("volumes", [])
    ]

    assert service["tmpfs"]
    assert set(mounted) <= set(plain["volumes"])


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_asked_whether_it_does_its_work(plain, name):
    check = plain["services"][name]["healthcheck"]

    program, *words = check["test"][1:]
    assert check["test"][0] == "CMD"
    assert (program, *words) == ("hpo-healthy", words[0]) if name in OURS else program == "pg_isready"
    assert name not in OURS or words[0] in CHECKS


def test_only_the_api_is_reached_from_without_and_by_this_machine_alone(plain):
    published = {
        name: service["ports"] for name, service in plain["services"].items() if service.get("ports")
    }
    inside = {name for name, network in plain["networks"].items() if (network or {}).get("internal")}
    with_a_way_out = {
        name for name, service in plain["services"].items() if not set(service["networks"]) <= inside
    }

    assert with_a_way_out == set(published) == {"api"}
    (port,) = published["api"]
    address = port["host_ip"] if isinstance(port, dict) else port.split(":")[0]
    assert is_loopback(address)


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_stands_in_the_environment(plain, name):
    service = plain["services"][name]
    files = {f"/run/secrets/{secret['source']}" for secret in service["secrets"]}

    told = {
        key: value
        for key, value in service["environment"].items()
        if re.search("PASSWORD|TOKEN|SECRET|KEY", key)
    }

    assert set(told.values()) == files
    assert all(key.endswith(("_FILE", "_PATH")) for key in told)
    assert all(set(secret) <= {"file", "name"} for secret in plain["secrets"].values())


def test_a_machine_that_trains_has_no_password_of_the_database(plain):
    for name in ("head", "worker"):
        assert [secret["source"] for secret in plain["services"][name]["secrets"]] == ["ray_token"]


@pytest.mark.parametrize("name", OURS)
def test_what_a_service_is_told_are_settings_of_hpo_and_can_be_read(plain, tmp_path, name):
    told = plain["services"][name]["environment"]
    (tmp_path / "password").write_text("secret")
    here = {key: str(tmp_path / "password") for key in told if key == "HPO_STORAGE_PASSWORD_FILE"}

    read_settings(told | here)

    known = {*settings_page.OURS, *settings_page.SERVERS}
    assert {key for key in told if key.startswith("HPO_")} <= known


@pytest.mark.parametrize("name", ON_RAY)
def test_ray_asks_for_a_token_and_reports_to_nobody(plain, name):
    service = plain["services"][name]

    assert service["environment"].items() >= {
        ("RAY_AUTH_MODE", "token"),
        ("RAY_AUTH_TOKEN_PATH", "/run/secrets/ray_token"),
        ("RAY_USAGE_STATS_ENABLED", "0"),
    }
    assert ("--include-dashboard=false" in service["command"]) == (name == "head")


def test_a_service_of_ray_has_shared_memory_for_more_than_its_objects(plain):
    for name in ON_RAY:
        service = plain["services"][name]
        (store,) = [word for word in service["command"] if word.startswith("--object-store-memory=")]
        shared = str(service["shm_size"])
        n_bytes = int(shared.removesuffix("mb")) << 20 if shared.endswith("mb") else int(shared)

        assert n_bytes > int(store.split("=")[1])


@pytest.mark.parametrize("gpu", [False, True])
def test_a_worker_offers_the_cores_that_it_may_use(begins, gpu):
    worker = understood(begins[gpu], WORKER_CPUS="3")["services"]["worker"]

    assert float(worker["cpus"]) == 3
    assert "--num-cpus=3" in worker["command"]


def test_a_worker_with_the_gpus_of_a_large_machine_has_a_core_for_each(plain, with_gpus):
    words = {name: found["services"]["worker"]["command"] for name, found in enumerate((plain, with_gpus))}
    (cores,) = [int(word.split("=")[1]) for word in words[1] if word.startswith("--num-cpus=")]
    node = Node(id="", host="", n_cpus=cores, n_gpus=8, memory_bytes=0)

    assert len(places_of(node, gpus=True)) == 8
    assert [word for word in words[0] if "cpus" not in word] == [
        word for word in words[1] if "cpus" not in word
    ]


def test_the_proxies_that_are_trusted_are_those_that_are_named(begins):
    told = [
        understood(begins[False], **named)["services"]["api"]["environment"]["HPO_TRUSTED_PROXIES"]
        for named in ({}, {"TRUSTED_PROXIES": "172.18.0.1, 10.0.0.0/8"})
    ]

    read = [read_settings({"HPO_TRUSTED_PROXIES": one}).trusted_proxies for one in told]
    assert read == [(), ("172.18.0.1", "10.0.0.0/8")]


def test_gpus_are_for_workers_with_a_torch_of_their_own(plain, with_gpus):
    # docker-compose 1.29 forgets `pull_policy` where it puts two files together.
    left_out = {"networks": None, "pull_policy": None}
    told = [{name: found["services"][name] | left_out for name in SERVICES} for found in (plain, with_gpus)]
    worker = with_gpus["services"]["worker"]

    assert {name for name in SERVICES if told[0][name] != told[1][name]} == {
        "worker",
        "coordinator",
    }
    assert read_settings({"HPO_DEVICE": told[1]["coordinator"]["environment"]["HPO_DEVICE"]}).device == "cuda"
    (device,) = worker["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    assert "/cu" in worker["build"]["args"]["TORCH_INDEX"]
    assert worker["image"] != plain["services"]["worker"]["image"]
