"""A page of trials reads of the database what its items show, and no more."""

from contextlib import contextmanager

import pytest
from sqlalchemy import event

from hpo.service import paging
from hpo.service.paging import Wanted
from hpo.storage.open import open_storage
from tests.service.conftest import Studies

HEAVY = ("params", "facts", "lineage")


@pytest.fixture
def storage(tmp_path):
    storage = open_storage(f"sqlite:///{tmp_path / 'hpo.db'}")
    Studies(storage).ended(values=[0.5, 0.9, 0.7])
    yield storage
    storage.close()


@contextmanager
def statements(storage):
    """The SELECTs that were sent to the database."""
    sent = []

    def note(_connection, _cursor, statement, *_rest):
        sent.extend([statement] if statement.startswith("SELECT") else [])

    event.listen(storage._db.engine, "before_cursor_execute", note)
    yield sent
    event.remove(storage._db.engine, "before_cursor_execute", note)


def heavy_of_trials(sent):
    """The heavy columns that were read of trials."""
    shown = [
        statement.partition("FROM hpo_trials")[0] for statement in sent if "FROM hpo_trials" in statement
    ]
    return {name for name in HEAVY if any(f"hpo_trials.{name}" in columns for columns in shown)}


@pytest.mark.parametrize(
    ("wanted", "columns"),
    [
        (Wanted(), {"params", "lineage"}),
        (Wanted(fields=("number", "value")), set()),
        (Wanted(fields=("number",), where="params.learning_rate < 0.1"), set()),
        (Wanted(fields=("params",)), {"params"}),
        (Wanted(fields=("params.learning_rate",)), {"params"}),
        (Wanted(fields=("number",), sort="-params.learning_rate"), {"params"}),
        (Wanted(fields=("number", "lineage")), {"lineage"}),
    ],
)
def test_only_what_is_shown_is_read(storage, wanted, columns):
    with statements(storage) as sent:
        paging.trials_page(storage, "digits", wanted)

    assert heavy_of_trials(sent) == columns


@pytest.mark.parametrize("sort", ["number", "-number"])
def test_a_page_of_finished_trials_is_one_statement(storage, sort):
    paging.trials_page(storage, "digits", Wanted(sort=sort))

    with statements(storage) as sent:
        paging.trials_page(storage, "digits", Wanted(sort=sort), limit=2)

    assert len(sent) == 1


@pytest.mark.parametrize("sort", ["number", "-value", "params.learning_rate", "-params.momentum"])
def test_pages_of_few_fields_go_on_where_those_of_all_do(storage, sort):
    def walked(*fields):
        wanted = Wanted(fields=fields, sort=sort)
        return list(
            paging.all_items(
                lambda _, cursor: paging.trials_page(storage, "digits", wanted, limit=1, cursor=cursor), None
            )
        )

    assert walked("number", "value") == [{"number": t["number"], "value": t["value"]} for t in walked()]
