"""What a crew does with workers that cannot work, whatever processes they are."""

import pytest

from hpo.cohort import CohortFailed
from hpo.errors import PoolError
from hpo.testing.pool_talk import make_task
from hpo.workers.crew import Crew
from hpo.workers.messages import Hello, Order, Unfit
from hpo.workers.places import Place

ILL = Unfit(detail="no such GPU")


class Scripted:
    """A process that says what it is told to, and dies when it is killed."""

    def __init__(self, place):
        self.place, self.said, self.dead = place, [], False

    def send(self, message): ...

    def receive(self):
        said, self.said = self.said, []
        return None if self.dead and not said else said

    def kill(self):
        self.dead = True

    def obituary(self):
        return f"the process of {self.place.device} was ended"

    def last_words(self):
        return "none"


def heard(workers, timeout_s):
    return [worker for worker in workers if worker.process.said or worker.process.dead]


def crew_of(n):
    crew = Crew("scripted", Scripted)
    crew.fill(Place(device=f"cuda:{rank}", rank=rank, memory_bytes=0) for rank in range(n))
    return crew


def say(crew, device, message):
    next(worker for worker in crew.workers if worker.place.device == device).process.said.append(message)


def test_an_ill_gpu_that_says_so_before_the_others_are_ready_does_not_end_the_pool():
    crew = crew_of(8)

    say(crew, "cuda:3", ILL)
    crew.poll(0.0, heard)
    crew.poll(0.0, heard)
    for rank in (0, 1, 2, 4, 5, 6, 7):
        say(crew, f"cuda:{rank}", Hello(pid=100 + rank))
    crew.poll(0.0, heard)

    assert crew.pids() == [100, 101, 102, 104, 105, 106, 107]


@pytest.mark.parametrize("n", [1, 4])
def test_when_no_gpu_is_well_the_pool_says_why(n):
    crew = crew_of(n)
    for rank in range(n):
        say(crew, f"cuda:{rank}", ILL)

    with pytest.raises(PoolError, match="no such GPU"):
        crew.poll(0.0, heard)


class Clock:
    """Time that goes by as a crew waits."""

    def __init__(self):
        self.now_s = 0.0

    def monotonic(self):
        return self.now_s

    def wait(self, workers, timeout_s):
        dead = [worker for worker in workers if worker.process.dead]
        self.now_s += 0.0 if dead else max(timeout_s, 0.01)
        return dead or heard(workers, timeout_s)


def test_workers_for_which_a_cluster_has_no_core_are_waited_for_however_long_it_takes(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("hpo.workers.crew.time", clock)
    crew = Crew("scripted", Scripted)
    crew.fill([Place(device="cpu", rank=0, memory_bytes=0, node="node", host="host")])
    crew.submit(Order(task=make_task([0])))

    while clock.now_s < 4 * 3600:
        crew.poll(1.0, clock.wait)
    say(crew, "cpu", Hello(pid=100))
    crew.poll(0.0, heard)

    assert crew.pids() == [100]
    assert [slot.task for slot in crew.slots()] == [make_task([0]).id]


def test_what_the_others_said_is_heard_though_the_last_worker_that_could_not_start_ends_the_pool():
    crew = crew_of(2)
    crew.submit(Order(task=make_task([0], id=7)))
    say(crew, "cuda:0", Hello(pid=100))
    crew.poll(0.0, heard)
    say(crew, "cuda:0", CohortFailed(cohort=7, attempt=1, reason="error", detail="made up"))
    crew.workers[0].unfit = "its GPU fell off"
    say(crew, "cuda:1", ILL)

    with pytest.raises(PoolError, match="no such GPU"):
        crew.poll(0.0, heard)

    assert [report.cohort for report in crew.poll(0.0, lambda workers, timeout_s: [])] == [7]
