"""The how-to on containers: its secrets can be made, its commands do what it says, and its tables are whole."""

import os
import re
import shutil
import stat
import subprocess

import pytest
import yaml

from hpo.testing.postgres import has_postgres, own_server
from tests.docker.composing import FILE, GPU, MISSING, compose
from tests.docs.pages import ROOT, Shell, blocks_of, text_of

PAGE = "docs/howto/containers.md"
TEXT = text_of(PAGE)
SECRETS, COPY = (block for block in blocks_of(PAGE) if block.language == "bash")
LINES = [block for block in blocks_of(PAGE) if block.language == "sh"]
COMMANDS = [
    command.strip()
    for block in LINES
    for line in block.text.replace("\\\n", " ").splitlines()
    for command in re.split(r"&& \(umask 077;|&&", line)
]
DUMPS = [block for block in LINES if "pg_dump" in block.text]
RESTORES = [block for block in LINES if "dropdb" in block.text]
WHERE = ("compose", "kubernetes")
DAY = "2026-01-31"
# docker, kubectl and hpo, where PostgreSQL's programs are this machine's: what they are told is written down.
STAND_IN = """\
#!/bin/sh
echo "${0##*/} $*" >> "$TOLD"
case "$*" in *port-forward*) exec sleep 60 ;; esac  # until it is killed
while [ $# -gt 0 ]; do
    case "$1" in dropdb|createdb|psql|pg_dump) exec "$@" ;; esac
    shift
done
"""


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


def test_no_secret_and_no_dump_that_was_made_can_be_committed_or_sent_to_a_builder():
    paths = ["docker/secrets/ray_token", "docker/kuberay/secrets/ray_token", f"hpo-{DAY}.sql", "hpo.sql.new"]

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
        words = re.split(" [<>|] ", command)[0].split()[2:]
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


@pytest.fixture
def shell(tmp_path):
    """A shell with stand-ins, on the day that the page names."""
    made = Shell(tmp_path, TOLD=str(tmp_path / "told"))
    for name, text in {
        **dict.fromkeys(("docker", "kubectl", "hpo"), STAND_IN),
        "date": f"#!/bin/sh\necho {DAY}\n",
    }.items():
        program(made, name, text)
    return made


def program(shell, name, text):
    file = shell.folder.parent / "bin" / name
    file.write_text(text)
    file.chmod(0o755)


def pasted(shell, block):
    """A block as one pastes it: a line that fails does not keep those after it from being run."""
    return subprocess.run(
        ["bash", "-c", block.text], cwd=shell.folder, env=shell.environ, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def server():
    """What PostgreSQL's programs are told to find a server with an empty database `hpo`."""
    if not has_postgres() or shutil.which("pg_dump") is None:
        pytest.skip("this machine has no PostgreSQL")
    with own_server() as server:
        settings = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port)}
        subprocess.run(["createdb", "--username=hpo", "hpo"], env=os.environ | settings, check=True)
        yield settings


@pytest.mark.postgres
@pytest.mark.parametrize(("dump", "restore"), [*zip(DUMPS, RESTORES, strict=True)], ids=WHERE)
def test_what_was_dumped_is_for_its_owner_alone_and_comes_back(shell, server, dump, restore):
    shell.environ.update(server)

    def sql(text):
        words = ["psql", "--username=hpo", "--tuples-only", "--no-align", f"--command={text}", "hpo"]
        return subprocess.run(words, env=shell.environ, capture_output=True, text=True, check=True).stdout

    sql("DROP TABLE IF EXISTS kept; CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)")
    dumped = pasted(shell, dump)
    sql("UPDATE kept SET n = 0; CREATE TABLE IF NOT EXISTS made_since (n int)")

    restored = pasted(shell, restore)

    (file,) = shell.folder.iterdir()
    assert (file.name, stat.S_IMODE(file.stat().st_mode)) == (f"hpo-{DAY}.sql", 0o600)
    assert (restored.returncode, dumped.stderr, restored.stderr) == (0, "", "")
    assert sql("SELECT n, to_regclass('made_since') FROM kept") == "42|\n"


@pytest.mark.parametrize("dump", DUMPS, ids=WHERE)
def test_a_dump_that_fails_leaves_the_last_one_and_nothing_is_upgraded(shell, dump):
    program(shell, "pg_dump", "#!/bin/sh\necho half\nexit 1\n")
    last = shell.folder / f"hpo-{DAY}.sql"
    last.write_text("whole")

    pasted(shell, dump)

    told = (shell.folder.parent / "told").read_text()
    assert last.read_text() == "whole"
    assert "pg_dump" in told
    assert not re.search("build|upgrade|delete raycluster|apply|up --detach", told)


def test_on_kubernetes_a_newer_coordinator_begins_when_the_older_pods_are_gone(shell):
    program(shell, "pg_dump", "#!/bin/sh\n")

    done = pasted(shell, DUMPS[1])

    told = (shell.folder.parent / "told").read_text().splitlines()
    steps = ("--replicas=0", "(api,coordinator) --for=delete", "pg_dump", "hpo db upgrade --yes")
    steps += ("delete raycluster/hpo", "component=ray --for=delete", "apply")
    order = [next(i for i, line in enumerate(told) if step in line) for step in steps]
    assert done.stderr == ""
    assert order == sorted(order)


def test_every_object_and_label_that_a_command_to_kubectl_names_is_of_the_manifests():
    files = [file.read_text(encoding="utf-8") for file in (ROOT / "docker/kuberay").glob("*.yaml")]
    made = {
        (found["kind"].lower(), found["metadata"]["name"])
        for text in files
        for found in yaml.safe_load_all(text)
        if "metadata" in found
    }
    components = set(re.findall(r"app\.kubernetes\.io/component: (\w+)", "".join(files)))
    text = "\n".join(block.text for block in LINES)

    named = re.findall(r"\b(deployment|statefulset|service|raycluster)/(\w+)", text)
    selected = re.findall(r"app\.kubernetes\.io/component(?:=| in \()([\w,]+)", text)

    assert named
    assert set(named) <= made
    assert selected
    assert {name for names in selected for name in names.split(",")} <= components


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
