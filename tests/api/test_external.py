"""Trials trained elsewhere, over a socket: clients that come and go, die, ask at the same moment, send nonsense."""

import threading
import time
from functools import partial

import optuna
import optuna_dashboard
import pytest

from hpo.account import ANYBODY
from hpo.service import acting
from hpo.states import TrialState

STUDY = {
    "name": "cache",
    "trainer": "external",
    "objective": {"metric": "qps", "direction": "maximize"},
    "parameters": {"size": {"low": 1, "high": 1024, "log": True, "type": "int"}, "index": ["hash", "tree"]},
    "trials": 6,
}


@pytest.fixture
def study(server):
    """Makes an external study with some keys changed, and gives a way to call its verbs."""

    def make(**changes):
        answer = server.client.post("/studies", json=STUDY | changes)
        assert answer.status_code == 201, answer.text
        return Caller(server)

    return make


class Caller:
    """The verbs of the study `cache`."""

    def __init__(self, server):
        self.client, self.storage, self.server = server.client, server.storage, server

    def post(self, verb, body=None, status=200):
        answer = self.client.post(f"/studies/cache{verb}", json=body or {})
        assert answer.status_code == status, answer.text
        return answer.json()

    def ask(self, client="one", count=1):
        return self.post("/trials:ask", {"client_id": client, "count": count})

    def numbers(self, client="one", count=1):
        return [trial["number"] for trial in self.ask(client, count)["trials"]]

    def tell(self, number, status=200, **body):
        return self.post(f"/trials/{number}:tell", body, status)

    def show(self):
        return self.client.get("/studies/cache").json()


def test_a_client_that_asks_trains_and_tells_ends_the_study(study, server):
    cache = study()
    values = {}

    while not (handed := cache.ask())["over"]:
        [trial] = handed["trials"]
        assert trial["lease_s"] == 60.0
        assert set(trial["params"]) == {"size", "index"}
        values[trial["number"]] = float(trial["params"]["size"])
        cache.tell(trial["number"], value=values[trial["number"]])

    assert sorted(values) == list(range(6))
    shown = cache.show()
    assert (shown["state"], shown["value"]) == ("COMPLETED", max(values.values()))
    assert handed["reason"] == "study 'cache' is COMPLETED"


def test_optunas_dashboard_has_a_note_of_the_study_once_its_last_trial_is_told(study, server):
    cache = study(trials=2, description="How <large>?")
    first, last = cache.numbers(count=2)
    read = partial(optuna.load_study, study_name="cache", storage=str(server.site.settings.storage))

    cache.tell(first, value=1.0)
    before = optuna_dashboard.get_note(read())
    cache.tell(last, state="FAIL", reason="diverged")
    note = optuna_dashboard.get_note(read())

    assert before == ""
    assert note.startswith("How &lt;large&gt;?\n\n**Diagnosis**")
    assert "- **severe** 1 of 2 trials failed" in note


@pytest.mark.parametrize("most", [{}, {"epochs": 59}], ids=["no end of epochs", "59 epochs"])
def test_optuna_reads_the_study_with_params_values_and_steps(study, server, most):
    cache = study(trials=2, **most)
    for number in cache.numbers(count=2):
        for epoch in range(1, 60):
            cache.post(f"/trials/{number}:report", {"epoch": epoch, "value": epoch / 10})
        cache.tell(number)

    read = optuna.load_study(study_name="cache", storage=str(server.site.settings.storage))

    assert [trial.value for trial in read.trials] == [5.9, 5.9]
    assert read.trials[0].params == cache.storage.get_trial("cache", 0).params
    steps = read.trials[0].intermediate_values
    assert len(steps) <= 20
    assert steps[59] == 5.9
    assert list(cache.storage.curve("cache", 0).block)[:2] == pytest.approx([0.1, 0.2])


def test_the_same_client_gets_its_trial_again_and_another_one_the_next(study):
    cache = study()

    assert [cache.numbers("one"), cache.numbers("one"), cache.numbers("two")] == [[0], [0], [1]]
    assert cache.numbers("one", 3) == [0, 2, 3]


def test_a_client_that_dies_loses_its_trial_and_then_the_trial_is_lost(study):
    cache = study(limits={"lease": 1, "retries": 1}, trials=2)
    assert cache.numbers("dies") == [0]
    assert cache.numbers("lives") == [1]
    cache.tell(1, value=1.0)

    taken = poll(lambda: cache.ask("two")["trials"])
    assert taken[0]["number"] == 0
    cache.post("/trials/0:heartbeat", {"client_id": "dies"}, status=409)
    over = poll(lambda: cache.ask("three")["over"])

    assert over
    assert cache.storage.get_trial("cache", 0).reason == "lost"
    assert cache.show()["state"] == "COMPLETED"


def poll(look, patience_s=10.0):
    """What is seen once there is something to see."""
    deadline = time.monotonic() + patience_s
    while not (seen := look()):
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.05)
    return seen


def test_two_hundred_that_ask_at_the_same_moment_get_two_hundred_numbers(study):
    cache = study(trials=200)
    found, lock = [], threading.Lock()

    def asks(first):
        for client in range(first, 200, 20):
            numbers = cache.numbers(f"client-{client}")
            with lock:
                found.extend(numbers)

    threads = [threading.Thread(target=asks, args=(first,)) for first in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == list(range(200))


def test_two_programs_with_one_id_train_the_same_trial_and_the_first_to_tell_counts(study):
    cache = study()

    assert [cache.numbers("same"), cache.numbers("same")] == [[0], [0]]
    cache.tell(0, value=1.0)

    cache.tell(0, value=1.0)
    assert cache.tell(0, 409, value=2.0)["code"] == "illegal_move"
    assert cache.numbers("same") == [1]


def test_a_pruner_ends_what_falls_behind(study):
    cache = study(epochs=9, pruner={"name": "halving", "min_epochs": 1, "factor": 3})
    pruned = []
    for number in cache.numbers(count=4):
        answer = cache.post(f"/trials/{number}:report", {"epoch": 1, "value": 1.0 - number / 10})
        if answer["prune"]:
            pruned.append(number)
            assert cache.tell(number, state="PRUNED")["reason"] == "halving@1"

    assert pruned == [1, 2, 3]
    assert cache.storage.get_trial("cache", 1).value == 0.9


def test_a_paused_study_hands_out_nothing_until_it_is_resumed(study):
    cache = study()
    cache.ask()
    cache.post(":pause")

    paused = cache.ask()
    assert (paused["trials"], paused["over"], paused["state"]) == ([], False, "PAUSED")
    assert paused["retry_after_s"] > 0
    cache.tell(0, value=1.0)
    cache.post(":resume")

    assert cache.numbers() == [1]


def test_a_stopped_study_waits_for_what_is_trained(study):
    cache = study()
    cache.ask(count=2)
    cache.tell(0, value=1.0)
    assert cache.post(":stop")["state"] == "STOPPING"

    assert cache.ask("two")["trials"] == []
    cache.tell(1, value=2.0)

    assert cache.show()["state"] == "COMPLETED"


def test_a_cancelled_study_takes_nothing_more(study):
    cache = study()
    cache.ask()
    cache.post(":cancel")

    assert cache.tell(0, 409, value=1.0)["code"] == "illegal_move"
    assert cache.post("/trials/0:report", {"epoch": 1, "value": 1.0}, 409)["code"] == "illegal_move"
    assert cache.ask()["over"]


def test_an_equal_tell_is_taken_twice_and_another_one_refused(study):
    cache = study()
    cache.ask()

    assert cache.tell(0, value=1.5) == cache.tell(0, value=1.5)
    assert "something else" in cache.tell(0, 409, value=1.6)["detail"]


def test_the_study_ends_at_the_value_it_was_to_reach(study):
    cache = study(stop={"value": 10.0}, trials=100)
    cache.ask(count=4)
    for number in range(4):
        cache.tell(number, value=float(number * 5))

    shown = cache.show()
    assert (shown["state"], shown["counted"]) == ("COMPLETED", 3)
    assert shown["value"] == 10.0
    assert "stop.value 10 reached by trial 2" in shown["reason"]


def test_too_many_failures_fail_the_study(study):
    cache = study(limits={"max_failed": 1})
    cache.ask(count=3)
    cache.tell(0, state="FAIL")
    cache.tell(1, state="FAIL", reason="out_of_memory")

    shown = cache.show()
    assert (shown["state"], shown["states"]) == ("FAILED", {"FAIL": 3})
    assert "max_failed" in shown["reason"]


def test_enqueued_settings_go_first_and_failed_trials_can_be_retried(study):
    cache = study()
    acting.enqueue(cache.storage, ANYBODY, "cache", [{"size": 77}])

    [first] = cache.ask()["trials"]
    assert first["params"]["size"] == 77
    cache.tell(0, state="FAIL")
    acting.retry(cache.storage, ANYBODY, "cache", [0])

    [again] = cache.ask()["trials"]
    assert again["params"] == first["params"]
    assert cache.storage.get_trial("cache", 1).retry_of == 0


def test_trials_of_several_objectives_are_told_with_all_values(study):
    both = [{"metric": "qps", "direction": "maximize"}, {"metric": "memory", "direction": "minimize"}]
    cache = study(objective=both, sampler="nsga2")
    cache.ask()

    assert cache.tell(0, 422, value=1.0)["path"] == "value"
    assert cache.tell(0, 422, values=[1.0])["path"] == "values"
    assert cache.post("/trials/0:report", {"epoch": 1, "value": 1.0}, 409)["code"] == "illegal_move"
    assert cache.tell(0, values=[1.0, 2.0])["values"] == [1.0, 2.0]


GARBAGE = [
    ("/trials:ask", {}, 422, "client_id"),
    ("/trials:ask", {"client_id": ""}, 422, "client_id"),
    ("/trials:ask", {"client_id": "a\x00b"}, 422, "client_id"),
    ("/trials:ask", {"client_id": "one", "count": 0}, 422, "count"),
    ("/trials:ask", {"client_id": "one", "count": 1001}, 422, "count"),
    ("/trials:ask", {"client_id": "one", "count": 10**40}, 422, "count"),
    ("/trials:ask", {"client_id": "one", "cout": 1}, 422, "cout"),
    ("/trials:ask", {"client_id": 7}, 422, "client_id"),
    ("/trials/0:report", {"epoch": 0, "value": 1.0}, 422, "epoch"),
    ("/trials/0:report", {"epoch": 10**9, "value": 1.0}, 422, "epoch"),
    ("/trials/0:report", {"epoch": 1, "value": "high"}, 422, "value"),
    ("/trials/0:report", {"epoch": True, "value": 1.0}, 422, "epoch"),
    ("/trials/0:report", {"epoch": 1}, 422, "value"),
    ("/trials/0:report", {"epoch": 1, "value": True}, 422, "value"),
    ("/trials/9:report", {"epoch": 1, "value": 1.0}, 404, None),
    ("/trials/9:heartbeat", {}, 404, None),
    ("/trials/0:heartbeat", {"client_id": "another"}, 409, None),
    ("/trials/0:tell", {}, 422, "value"),
    ("/trials/0:tell", {"state": "DONE", "value": 1.0}, 422, "state"),
    ("/trials/0:tell", {"state": "FAIL", "value": 1.0}, 422, "value"),
    ("/trials/0:tell", {"state": "FAIL", "reason": "tired"}, 422, "reason"),
    ("/trials/0:tell", {"value": 1.0, "reason": "error"}, 422, "reason"),
    ("/trials/0:tell", {"value": 1.0, "values": [1.0]}, 422, "values"),
    ("/trials/0:tell", {"value": 1.0, "epochs": -1}, 422, "epochs"),
    ("/trials/9:tell", {"value": 1.0}, 404, None),
]


def test_nonsense_is_refused_with_its_place_and_changes_nothing(study):
    cache = study()
    cache.ask()
    before = cache.storage.trials("cache")

    for verb, body, status, place in GARBAGE:
        problem = cache.post(verb, body, status)
        assert problem["path"] == place, (verb, body, problem)

    assert cache.storage.trials("cache") == before


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"value": NaN}', b'{"value": 1e999}', b"\xff\xfe"])
def test_what_is_no_json_is_refused(study, body):
    cache = study()
    cache.ask()
    headers = {"Content-Type": "application/json"}

    answer = cache.client.post("/studies/cache/trials/0:tell", content=body, headers=headers)

    assert answer.status_code == 422
    assert cache.storage.get_trial("cache", 0).state is TrialState.RUNNING


def test_a_study_that_hpo_trains_hands_out_nothing(server):
    server.client.post("/studies", json={"name": "own", "data": "iris", "parameters": {"l1": [0.1, 0.2]}})

    answer = server.client.post("/studies/own/trials:ask", json={"client_id": "one"})

    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_move")
    assert "trainer: external" in answer.json()["detail"]
