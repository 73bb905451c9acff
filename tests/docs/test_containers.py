"""The how-to on containers: its secrets can be made, its commands are those of the files, and its tables are whole."""

import re
import shutil
import stat
import subprocess

import pytest
import yaml

from tests.docker.composing import FILE, GPU, MISSING, compose
from tests.docs.pages import ROOT, Shell, blocks_of, text_of

PAGE = "docs/howto/containers.md"
TEXT = text_of(PAGE)
SECRETS, COPY = (block for block in blocks_of(PAGE) if block.language == "bash")
COMMANDS = [
    line
    for block in blocks_of(PAGE)
    if block.language == "sh"
    for line in block.text.replace("\\\n", " ").splitlines()
]


def rows(heading):
    """The first cells of the table under a heading, without their marks."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [
        tuple(cell.strip().strip("`") for cell in line.strip("|").split("|"))
        for line in re.findall(r"^\| `.*$", section, re.MULTILINE)
    ]


def test_the_secrets_are_made_for_containers_to_read_and_for_nobody_else(tmp_path):
    shell = Shell(tmp_path)
    (shell.folder / "docker/kuberay").mkdir(parents=True)

    shell.run(SECRETS)
    shell.run(COPY)

    made = shell.folder / "docker/secrets"
    named = yaml.safe_load(FILE.read_text(encoding="utf-8"))["secrets"]
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    for folder in (made, shell.folder / "docker/kuberay/secrets"):
        assert {file.name for file in folder.iterdir()} == set(named)
        assert all(stat.S_IMODE(file.stat().st_mode) == 0o444 for file in folder.iterdir())
        assert (
            len(
                {
                    file.read_text()
                    for file in folder.iterdir()
                    if re.fullmatch(r"[0-9a-f]{64}\n", file.read_text())
                }
            )
            == 2
        )


def test_no_secret_that_was_made_can_be_committed_or_sent_to_a_builder():
    paths = ["docker/secrets/ray_token", "docker/kuberay/secrets/ray_token"]

    ignored = subprocess.run(["git", "check-ignore", *paths], cwd=ROOT, capture_output=True, text=True).stdout

    assert ignored.split() == paths
    assert (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()[1] == "*"


def test_the_services_and_the_manifests_that_it_lists_are_those_there_are():
    services = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
    resources = yaml.safe_load((ROOT / "docker/kuberay/kustomization.yaml").read_text(encoding="utf-8"))[
        "resources"
    ]

    assert {row[0] for row in rows("Five commands")} == set(services)
    assert {row[0] for row in rows("Kubernetes")} == set(resources)


def test_the_variables_that_it_lists_are_those_of_the_files_with_their_defaults():
    for heading, file in (("Scale", FILE), ("GPUs", GPU)):
        named = re.findall(r"\$\{(\w+):-([^}]*)\}", file.read_text(encoding="utf-8"))
        assert {row[:2] for row in rows(heading)} == set(named)


def test_every_command_to_compose_is_about_services_and_files_that_there_are(tmp_path):
    begin = compose(tmp_path)
    if begin is None:
        pytest.skip(MISSING)
    services = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
    program = begin[: begin.index("--project-name")]

    for command in filter(lambda line: line.startswith("docker compose"), COMMANDS):
        words = command.split(" > ")[0].split()[2:]
        while words[0] == "--file":
            assert (ROOT / words[1]).exists()
            words = words[2:]
        verb, *rest = words
        known = subprocess.run([*program, verb, "--help"], capture_output=True, text=True, check=True).stdout
        options = [
            word
            for word in rest[: next((i for i, word in enumerate(rest) if word in services), None)]
            if word.startswith("-")
        ]
        assert all(re.search(rf"(?<![\w-]){option}\b", known) for option in options), command
        assert verb in ("up", "build") or set(rest) & set(services), command


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="this machine has no kubectl")
def test_every_command_to_kubectl_has_a_verb_and_options_that_there_are():
    for command in filter(lambda line: line.startswith("kubectl"), COMMANDS):
        words = command.split(" -- ")[0].removesuffix("&").split()[1:]
        verb = next(
            word for i, word in enumerate(words) if not word.startswith("-") and words[i - 1] != "--namespace"
        )
        known = "".join(
            subprocess.run(["kubectl", *said], capture_output=True, text=True, check=True).stdout
            for said in ([verb, "--help"], ["options"])
        )
        assert all(f"{word.split('=')[0]}=" in known for word in words if word.startswith("--")), command
