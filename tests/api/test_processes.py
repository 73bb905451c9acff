"""Several API processes on one database: a request that arrives at two of them at the same moment works once."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Barrier

import httpx
import pytest

from hpo.storage.open import open_storage

ALONE = Path(__file__).parent / "serve_alone.py"
STUDY = {"data": {"source": "iris"}, "trials": 4, "parameters": {"learning_rate": 0.1}}
ROUNDS = 8


@contextmanager
def process(database_url) -> Iterator[str]:
    """The address of an API process."""
    command = [sys.executable, str(ALONE), database_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child.stdout.readline().strip()
        finally:
            child.stdin.close()
            child.wait(timeout=20)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_one_request_at_two_processes_at_the_same_moment_is_one_study(database_url):
    open_storage(database_url).close()
    with ExitStack() as stack:
        urls = [stack.enter_context(process(database_url)) for _ in range(2)]
        clients = [
            stack.enter_context(httpx.Client(base_url=f"{url}/api/v1", timeout=30)) for url in urls * 2
        ]
        pool = stack.enter_context(ThreadPoolExecutor(len(clients)))
        rounds = []

        for number in range(ROUNDS):
            together = Barrier(len(clients))

            def submit(client, number=number, together=together):
                together.wait()
                return client.post("/studies", json=STUDY, headers={"Idempotency-Key": f"k-{number}"})

            rounds.append(list(pool.map(submit, clients)))
        names = [study["name"] for study in clients[0].get("/studies").json()["items"]]

    assert {answer.status_code for answers in rounds for answer in answers} == {201}
    assert [len({answer.json()["name"] for answer in answers}) for answers in rounds] == [1] * ROUNDS
    assert len(names) == ROUNDS
