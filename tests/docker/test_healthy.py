"""What a container says of itself where a raylet was killed and the folder of its socket has outlived it."""

import os
import runpy
import socket
from contextlib import closing, contextmanager

import pytest

from tests.docker.composing import ROOT


@pytest.fixture
def node(tmp_path, monkeypatch):
    """The check of a node whose sockets lie in a folder of ours."""
    check = runpy.run_path(str(ROOT / "docker/healthy"))["CHECKS"]["node"]
    monkeypatch.setitem(check.__globals__, "SOCKETS", tmp_path)
    return check


@contextmanager
def raylet(path, *, at_s):
    """A socket that takes connections, made at some time; its name stays when it is closed."""
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(str(path))
        listening.listen()
        os.utime(path, (at_s, at_s))
        yield


def test_a_raylet_that_lives_is_healthy_however_many_have_died_there(node, tmp_path):
    for number, name in enumerate(("raylet", "raylet.1")):
        with raylet(tmp_path / name, at_s=number):
            pass
    with raylet(tmp_path / "raylet.2", at_s=2):
        node()


@pytest.mark.parametrize("name", ["raylet", None], ids=["it was killed", "it was never there"])
def test_a_node_without_a_raylet_is_ill(node, tmp_path, name):
    if name is not None:
        with raylet(tmp_path / name, at_s=0):
            pass

    with pytest.raises(OSError, match=r"refused|No such file"):
        node()
