"""The process that works out plans: it says that it lives, however long that takes."""

from __future__ import annotations

import socket
import subprocess
import sys
from multiprocessing.connection import Connection

import pytest

from hpo.samplers.adaptive import AdaptiveSampler, Learning
from hpo.samplers.apart import MODULE
from hpo.space import Range, SearchSpace
from hpo.study import Direction

SPACE = SearchSpace({"rate": Range(low=1e-4, high=1.0, log=True, type="float")})
ENDLESS = 10_000_000


def question(n):
    """For plans of the first n trials."""
    learning = Learning(
        engine="nsga2", space=SPACE, directions=(Direction.MINIMIZE,), seed=0, batch=n, options={}
    )
    return AdaptiveSampler(learning).question(0, n)


@pytest.fixture
def thinking():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        fd = theirs.fileno()
        process = subprocess.Popen([sys.executable, "-m", MODULE, str(fd)], pass_fds=[fd])
        connection = Connection(ours.detach())
    yield connection
    process.kill()
    process.wait()
    connection.close()


def next_words(connection):
    assert connection.poll(30)
    return connection.recv()


def test_it_says_that_it_listens_before_it_is_asked(thinking):
    assert next_words(thinking) is None


def test_it_says_that_it_lives_while_it_thinks(thinking):
    thinking.send(question(ENDLESS))

    assert [next_words(thinking) for _ in range(4)] == [None] * 4
