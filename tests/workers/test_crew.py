"""What a crew does with workers that cannot work, whatever processes they are."""

import pytest

from hpo.errors import PoolError
from hpo.workers.crew import Crew
from hpo.workers.messages import Hello, Unfit
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
