"""Two API processes that make the same study, or fill the same quota, at the same moment; data removed meanwhile."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from hpo.account import Quota
from hpo.errors import DatasetNotFound, HpoError, IllegalMove, QuotaReached
from hpo.storage.base import Once, Storage
from hpo.storage.open import open_storage
from hpo.testing.studies import new_study

REQUEST = Once(owner="ann", key="k-1", digest="00")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres"))
    return f"sqlite:///{request.getfixturevalue('file')}"


@pytest.fixture
def both(url: str) -> Iterator[tuple[Storage, Storage]]:
    one, two = open_storage(url), open_storage(url)
    yield one, two
    one.close()
    two.close()


def at_once(*calls: object) -> list[object]:
    """What each call gave or raised, all begun at the same moment."""
    barrier = Barrier(len(calls))

    def run(call: object) -> object:
        barrier.wait()
        try:
            return call()  # type: ignore[operator]
        except HpoError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_a_request_that_comes_twice_at_the_same_moment_makes_one_study(both: tuple[Storage, Storage]):
    for turn in range(20):
        once = Once(owner="ann", key=f"k-{turn}", digest="00")

        def create(storage: Storage, name: str, once: Once = once) -> str:
            return storage.create_study(new_study(name), once=once).name

        names = [f"study-{turn}", f"study-{turn}" if turn % 2 else f"other-{turn}"]
        made = at_once(*[lambda s=s, n=n: create(s, n) for s, n in zip(both, names, strict=True)])

        assert made[0] == made[1]
    assert len(both[0].study_names()) == 20


def test_two_processes_with_one_request_make_one_study(url: str):
    code = (
        "import sys; from hpo.storage.open import open_storage\n"
        "from hpo.storage.base import Once; from hpo.testing.studies import new_study\n"
        f"storage = open_storage({url!r}); storage.study_names(); print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "for i in range(10):\n"
        "    once = Once(owner='ann', key=str(i), digest='00')\n"
        "    print(storage.create_study(new_study(f'{sys.argv[1]}-{i}'), once=once).name)\n"
    )
    open_storage(url).close()
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in ("a", "b")
    ]
    assert [p.stdout.readline() for p in started if p.stdout] == ["ready\n"] * 2

    for process in started:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate()[0].split() for process in started]

    assert said[0] == said[1]
    assert len(said[0]) == 10


def test_studies_made_at_the_same_moment_do_not_pass_a_quota_together(both: tuple[Storage, Storage]):
    for turn in range(10):
        owner = f"owner-{turn}"
        made = at_once(
            *[
                lambda s=s, n=n, o=owner: s.create_study(new_study(n, owner=o), quota=Quota(studies=1))
                for s, n in zip(both, (f"a-{turn}", f"b-{turn}"), strict=True)
            ]
        )

        assert sorted(isinstance(answer, QuotaReached) for answer in made) == [False, True]


def test_a_request_that_comes_twice_takes_its_owners_last_room_once(both: tuple[Storage, Storage]):
    for turn in range(10):
        owner = f"owner-{turn}"
        once = Once(owner=owner, key="k", digest="00")
        made = at_once(
            *[
                lambda s=s, o=owner, k=once: (
                    s.create_study(new_study(o, owner=o), once=k, quota=Quota(studies=1)).name
                )
                for s in both
            ]
        )

        assert made == [owner, owner]


def test_data_removed_while_a_study_on_it_is_made_is_kept_or_missed(both: tuple[Storage, Storage]):
    creator, remover = both
    for turn in range(20):
        kept = creator.add_dataset(f"d-{turn}", [str(turn).encode()], {})
        new = new_study(f"study-{turn}", spec={"data": {"source": kept.id}})

        made, removed = at_once(
            lambda new=new: creator.create_study(new), lambda id_=kept.id: remover.delete_dataset(id_)
        )

        there = [dataset.id for dataset in creator.list_datasets()]
        if isinstance(made, DatasetNotFound):
            assert removed is None
            assert kept.id not in there
        else:
            assert isinstance(removed, IllegalMove)
            assert kept.id in there
