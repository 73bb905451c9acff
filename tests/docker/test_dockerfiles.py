"""The images' recipes: without a fault that hadolint knows, and with the packages that belong in."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from ray._private import ray_constants

from hpo.service import settings_page
from hpo.testing.ray_health import HEALTH
from tests.docker.composing import ROOT

IMAGES = [ROOT / "docker/api.Dockerfile", ROOT / "docker/worker.Dockerfile"]
AT_ONCE = "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize(
    "file", [*IMAGES, ROOT / "tests/docker/postgres.Dockerfile"], ids=lambda file: file.name
)
def test_hadolint_finds_no_fault(file):
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("hadolint is not installed; the extra `images` has it")

    done = subprocess.run([hadolint, file], capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (0, "")


def needed_by(image):
    """The names of the packages that an image's `needs.py …` asks for."""
    words = re.search(r"python needs\.py (.*?) >", image.read_text(encoding="utf-8"))[1]
    command = [sys.executable, ROOT / "docker/needs.py", *words.split()]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {Requirement(line).name for line in lines.splitlines()}


def needed_by_package(*extras):
    """The names of what the package says that it needs."""
    lists = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] for extra in extras)]
    return {Requirement(line).name for lines in lists for line in lines}


def test_the_image_that_trains_has_all_that_the_package_needs():
    assert needed_by(IMAGES[1]) == needed_by_package("postgres")


def test_the_image_of_the_api_has_all_of_it_but_torch_and_ray():
    assert needed_by(IMAGES[0]) == needed_by_package("onnx", "postgres", "telemetry") - {"torch", "ray"}


@pytest.mark.parametrize("image", IMAGES, ids=lambda file: file.name)
def test_an_image_ends_as_a_user_with_a_number(image):
    users = re.findall(r"^USER (.*)$", image.read_text(encoding="utf-8"), re.MULTILINE)

    assert users
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])


@pytest.mark.parametrize("image", IMAGES, ids=lambda file: file.name)
def test_what_an_image_sets_of_hpo_are_settings(image):
    named = set(re.findall(r"\b(HPO_\w+)=", image.read_text(encoding="utf-8")))

    assert named
    assert named <= {*settings_page.OURS, *settings_page.SERVERS}


def test_the_image_that_trains_finds_dead_machines_as_soon_as_the_how_to_does():
    text = (ROOT / "docker/worker.Dockerfile").read_text(encoding="utf-8")

    assert all(f"{name}={value}" in text for name, value in HEALTH.items())


def test_a_node_of_the_image_that_trains_leaves_as_soon_as_it_is_told_to():
    text = (ROOT / "docker/worker.Dockerfile").read_text(encoding="utf-8")

    assert hasattr(ray_constants, AT_ONCE)  # else this Ray does not read it
    assert f" {AT_ONCE}=0\n" in text


def test_all_that_an_image_copies_is_sent_to_its_builder():
    sent = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }

    for image in IMAGES:
        text = image.read_text(encoding="utf-8")
        copied = [
            word for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE) for word in line.split()
        ]
        assert set(copied) - {"."} <= sent
        assert set(re.findall(r"install -m 755 (\S+)", text)) <= sent
    # What hatchling packs, by pyproject.toml.
    assert sent >= {"hpo", "dashboards", "search_spaces", "README.md", "LICENSE"}
    assert all((ROOT / path).exists() for path in sent)
