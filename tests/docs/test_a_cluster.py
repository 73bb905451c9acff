"""The how-to on clusters: its blocks make a Ray of two nodes on this machine, train on both, and end what they began."""

import re
import socket
import stat
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from hpo.testing.pool_talk import alive
from hpo.testing.ray_health import HEALTH
from hpo.testing.server_program import until
from tests.docs.pages import Block, Shell, blocks_of, text_of

PAGE = "docs/howto/a-cluster.md"
TOKEN, HEAD, NODE, RUN, SERVE, LOOK = blocks_of(PAGE)
# Two nodes of one machine have a core each, and not a third of its memory.
SMALL = "--num-cpus=1 --num-gpus=0 --object-store-memory=80000000"


@pytest.fixture
def shell(tmp_path):
    # Ray's sockets have names of at most 107 letters, folders and all.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as short:
        yield Shell(tmp_path, RAY_TMPDIR=short)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def here(block, ports):
    """A block for two nodes of this machine, at ports that are free."""
    text = block.text.replace("10.0.0.1", "127.0.0.1").replace("ray start", f"exec ray start {SMALL}")
    text = text.replace("hpo serve", "exec hpo serve --port 8000")
    for written, port in ports.items():
        text = text.replace(written, str(port))
    return Block(block.language, text)


@contextmanager
def staying(shell, block, word):
    """The process of a block that stays, from when it has said a word; it ends by SIGTERM, with all that it started."""
    command = ["bash", "-e", "-c", block.text]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    program = subprocess.Popen(command, cwd=shell.folder, env=shell.environ, **pipes)
    process, said = psutil.Process(program.pid), ""
    try:
        while word not in said:
            line = program.stdout.readline()
            assert line, f"{block.text}\n{said}"
            said += line
        yield process
    finally:
        started = process.children(recursive=True)
        program.terminate()
        program.communicate()
    until(lambda: not alive(started), patience_s=30.0)


def trains(node):
    """Whether a node has a worker of hpo's now."""
    for child in node.children(recursive=True):
        with suppress(psutil.Error):  # it has ended meanwhile
            if "RayWorker" in " ".join(child.cmdline()):
                return True
    return False


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_every_block_of_the_page_runs(shell):
    ports = {"6379": free_port(), "8000": free_port()}

    shell.run(TOKEN)
    with (
        staying(shell, here(HEAD, ports), "block forever") as head,
        staying(shell, here(NODE, ports), "block forever") as node,
    ):
        said = shell.run(here(RUN, ports))
        with staying(shell, here(SERVE, ports), "hpo is ready"):
            until(lambda: trains(head) and trains(node))
            shown = shell.run(here(LOOK, ports))

    token = shell.folder.parent / ".ray" / "auth_token"
    assert (stat.S_IMODE(token.stat().st_mode), len(token.read_text().strip())) == (0o600, 64)
    assert "best accuracy of flowers" in said
    # Neither did children of this machine train, nor a Ray of hpo's own.
    assert not {"scratch", "ray_token"} & {path.name for path in Path(shell.environ["HPO_HOME"]).iterdir()}
    assert re.findall(r"\bray-\d", shown) == ["ray-0", "ray-1"]


def test_every_start_of_ray_and_of_a_server_that_the_page_shows_asks_for_the_token():
    for block in (HEAD, NODE, SERVE):
        assert "export RAY_AUTH_MODE=token " in block.text
    assert "--include-dashboard=false" in HEAD.text
    assert all(f"{name}={value}" in HEAD.text for name, value in HEALTH.items())
    assert all("RAY_USAGE_STATS_ENABLED=0" in block.text for block in (HEAD, NODE))


def test_the_sentences_that_the_page_explains_are_those_of_the_pool():
    pool = text_of("hpo/workers/ray_pool.py") + text_of("hpo/workers/ray_door.py")

    for sentence in (
        "no Ray answers at",
        "reports cannot stream through ray://",
        "asks for a token, and there is none here",
        "refuses the token in",
        "is OPEN: it asks for no token",
        "is not the head of a Ray cluster",
    ):
        assert re.search(f"`[^`]*{sentence}", text_of(PAGE))
        assert sentence in pool
    assert "the others begin when machines join" in pool
