"""The manifests for Kubernetes: what its own schemas, Ray's own reader and kubectl make of them, and what each pod may."""

import re
import shutil
import subprocess
from functools import partial
from itertools import chain

import pytest
import yaml
from ray.autoscaler._private.kuberay import autoscaling_config

from hpo.service import settings_page
from tests.docker.composing import FILE, ROOT
from tests.docker.test_compose import CHECKS

FOLDER = ROOT / "docker/kuberay"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
OBJECTS = list(
    chain.from_iterable(
        yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")) for name in KUSTOMIZATION["resources"]
    )
)
(CLUSTER,) = [found for found in OBJECTS if found["kind"] == "RayCluster"]
GROUPS = {"head": CLUSTER["spec"]["headGroupSpec"]} | {
    group["groupName"]: group for group in CLUSTER["spec"]["workerGroupSpecs"]
}
PODS = {
    found["metadata"]["name"]: found["spec"]["template"]
    for found in OBJECTS
    if "template" in found.get("spec", {})
} | {f"ray-{name}": group["template"] for name, group in GROUPS.items()}


@pytest.fixture(scope="module")
def validate():
    """Raises for what is no object of Kubernetes' newest version."""
    schemas = pytest.importorskip(
        "kubernetes_validate", reason="kubernetes-validate is not installed; the extra `images` has it"
    )
    return partial(schemas.validate, desired_version=schemas.latest_version(), strict=True)


def of_kind(kind):
    return [found for found in OBJECTS if found["kind"] == kind]


def container_of(name):
    (container,) = PODS[name]["spec"]["containers"]
    return container


def told(name):
    return {entry["name"]: entry["value"] for entry in container_of(name)["env"]}


def test_every_file_is_of_the_kustomization():
    assert {file.name for file in FOLDER.glob("*.yaml")} == {
        *KUSTOMIZATION["resources"],
        "kustomization.yaml",
    }


@pytest.mark.parametrize(
    "found",
    [one for one in OBJECTS if one["kind"] != "RayCluster"],
    ids=lambda one: f"{one['kind']}-{one['metadata']['name']}",
)
def test_every_object_is_one_of_kubernetes(validate, found):
    validate(found)


@pytest.mark.parametrize("name", PODS)
def test_every_pod_is_one_of_kubernetes(validate, name):
    validate({"apiVersion": "v1", "kind": "Pod", **PODS[name]})


def test_ray_reads_of_the_cluster_what_each_node_offers():
    named = CLUSTER | {"metadata": {"name": "hpo", "namespace": "hpo"}}

    read = autoscaling_config._derive_autoscaling_config_from_ray_cr(named)

    types = read["available_node_types"]
    offers = {
        name: (found["resources"]["CPU"], found["resources"].get("GPU", 0)) for name, found in types.items()
    }
    assert offers == {"headgroup": (0, 0), "cpu": (4, 0), "gpu": (4, 1)}
    assert {name for name, found in types.items() if found["max_workers"] > 0} == {"cpu", "gpu"}


def test_the_cluster_names_the_ray_of_the_images():
    assert f"\nray=={CLUSTER['spec']['rayVersion']}\n" in (ROOT / "constraints.txt").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("name", PODS)
def test_every_pod_is_locked_in(name):
    pod, container = PODS[name]["spec"], container_of(name)

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert not any("hostPath" in volume for volume in pod.get("volumes", []))


def test_kubernetes_itself_refuses_pods_that_are_not():
    (namespace,) = of_kind("Namespace")

    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("name", PODS)
def test_every_pod_is_asked_whether_it_lives_and_given_time_to_begin(name):
    container = container_of(name)

    assert {"startupProbe", "livenessProbe"} <= set(container)
    for probe in (container[key] for key in container if key.endswith("Probe")):
        words = probe.get("exec", {}).get("command", [])
        assert words[:1] != ["hpo-healthy"] or words[1] in CHECKS


def test_postgresql_is_given_an_hour_to_recover_from_a_crash():
    probe = container_of("database")["startupProbe"]

    assert probe["periodSeconds"] * probe["failureThreshold"] >= 3600


def test_postgresql_has_the_shared_memory_that_compose_gives_it():
    composed = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]["database"]["shm_size"]
    paths = {mount["name"]: mount["mountPath"] for mount in container_of("database")["volumeMounts"]}

    given = {
        paths[volume["name"]]: volume["emptyDir"]["sizeLimit"]
        for volume in PODS["database"]["spec"]["volumes"]
        if volume.get("emptyDir", {}).get("medium") == "Memory"
    }

    assert given == {"/dev/shm": composed.replace("mb", "Mi")}


@pytest.mark.parametrize("name", PODS)
def test_every_path_that_is_named_is_mounted_from_a_volume_that_there_is(name):
    container, pod = container_of(name), PODS[name]["spec"]
    claims = next((one["spec"] for one in of_kind("StatefulSet") if one["metadata"]["name"] == name), {})
    volumes = {volume["name"] for volume in (*pod["volumes"], *_claims(claims))}

    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}

    assert set(mounts.values()) == volumes
    files = [value for value in told(name).values() if value.startswith("/")]
    assert all(any(value.startswith(path) for path in mounts) for value in files)


def _claims(spec):
    return [claim["metadata"] for claim in spec.get("volumeClaimTemplates", [])]


@pytest.mark.parametrize("name", PODS)
def test_secrets_are_files_that_the_kustomization_makes(name):
    made = {
        secret["name"]: {file.rpartition("/")[2] for file in secret["files"]}
        for secret in KUSTOMIZATION["secretGenerator"]
    }
    (volume,) = [volume for volume in PODS[name]["spec"]["volumes"] if volume["name"] == "secrets"]
    sources = volume.get("projected", {}).get("sources") or [
        {"secret": {"name": volume["secret"]["secretName"]}}
    ]
    given = set().union(*(made[source["secret"]["name"]] for source in sources))

    named = {key: value for key, value in told(name).items() if re.search("PASSWORD|TOKEN|SECRET|KEY", key)}

    assert {value.rpartition("/")[2] for value in named.values()} == given
    assert all("valueFrom" not in entry for entry in container_of(name)["env"])
    assert name in ("api", "coordinator", "database") or given == {"ray_token"}


@pytest.mark.parametrize("name", PODS)
def test_what_a_pod_is_told_of_hpo_are_settings(name):
    known = {*settings_page.OURS, *settings_page.SERVERS}

    assert {key for key in told(name) if key.startswith("HPO_")} <= known


def test_ray_asks_for_a_token_reports_to_nobody_and_has_no_dashboard():
    for name in ("coordinator", "ray-head", "ray-cpu", "ray-gpu"):
        assert told(name).items() >= {("RAY_AUTH_MODE", "token"), ("RAY_USAGE_STATS_ENABLED", "0")}
    assert GROUPS["head"]["rayStartParams"]["include-dashboard"] == "false"


def test_the_images_are_those_of_compose():
    ours = {container_of(name)["image"] for name in PODS if name != "database"}
    composed = FILE.read_text(encoding="utf-8")

    assert ours == {image["name"] for image in KUSTOMIZATION["images"]}
    assert f"image: {container_of('database')['image']}\n" in composed


def reaches(policy, labels):
    """Whether a policy is for pods of these labels."""
    return _selects(policy["spec"]["podSelector"], labels)


def _selects(selector, labels):
    wanted = selector.get("matchLabels", {})
    among = {entry["key"]: entry["values"] for entry in selector.get("matchExpressions", [])}
    return labels.items() >= wanted.items() and all(
        labels.get(key) in values for key, values in among.items()
    )


@pytest.mark.parametrize(
    ("name", "callers"),
    [
        ("api", None),
        ("database", {"api", "coordinator"}),
        ("coordinator", {"coordinator", "ray-head", "ray-cpu", "ray-gpu"}),
        ("ray-head", {"coordinator", "ray-head", "ray-cpu", "ray-gpu"}),
    ],
)
def test_only_those_who_must_reach_a_pod(name, callers):
    labels = {pod: template["metadata"]["labels"] for pod, template in PODS.items()}
    policies = [policy for policy in of_kind("NetworkPolicy") if reaches(policy, labels[name])]
    rules = [rule for policy in policies for rule in policy["spec"].get("ingress", [])]

    found = {
        pod
        for pod in PODS
        for rule in rules
        for peer in rule.get("from", [])
        if _selects(peer["podSelector"], labels[pod])
    }

    assert any(
        policy["spec"]["podSelector"] == {} and "Ingress" in policy["spec"]["policyTypes"]
        for policy in policies
    )
    assert (None if any("from" not in rule for rule in rules) else found) == callers


ON_RAY = {"coordinator", "ray-head", "ray-cpu", "ray-gpu"}
NAMES = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}


@pytest.mark.parametrize(
    ("name", "reached"),
    [
        ("api", {"database"}),
        ("database", set()),
        ("coordinator", {"database"} | ON_RAY),
        *((name, ON_RAY) for name in sorted(ON_RAY - {"coordinator"})),
    ],
)
def test_a_pod_reaches_only_those_whom_it_must_and_the_names_of_the_cluster(name, reached):
    labels = {pod: template["metadata"]["labels"] for pod, template in PODS.items()}
    policies = [policy["spec"] for policy in of_kind("NetworkPolicy") if reaches(policy, labels[name])]
    rules = [rule for policy in policies for rule in policy.get("egress", [])]

    peers = [(peer, rule.get("ports")) for rule in rules for peer in rule["to"]]
    elsewhere = [(peer, ports) for peer, ports in peers if set(peer) != {"podSelector"}]

    assert any(policy["podSelector"] == {} and "Egress" in policy["policyTypes"] for policy in policies)
    assert elsewhere == [(NAMES, [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}])]
    assert reached == {
        pod
        for pod in PODS
        for peer, _ in peers
        if set(peer) == {"podSelector"} and _selects(peer["podSelector"], labels[pod])
    }


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="this machine has no kubectl")
def test_kubectl_builds_the_whole_with_the_secrets_of_the_files(tmp_path):
    built = shutil.copytree(FOLDER, tmp_path / "kuberay", ignore=shutil.ignore_patterns("secrets"))
    (built / "secrets").mkdir()
    for name in ("database_password", "ray_token"):
        (built / "secrets" / name).write_text(name)

    done = subprocess.run(["kubectl", "kustomize", built], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    made = list(yaml.safe_load_all(done.stdout))
    assert len(made) == len(OBJECTS) + len(KUSTOMIZATION["secretGenerator"])
    assert not re.search(r"image: hpo-", done.stdout)  # also those of the RayCluster have the registry's name
