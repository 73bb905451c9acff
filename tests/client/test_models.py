"""Models asked of a server and of the local database: the same answers, the same errors."""

from contextlib import closing

import pytest

from hpo.api.site import Site
from hpo.client.handle import StudyHandle
from hpo.client.remote import Remote
from hpo.data.prepare import prepare
from hpo.errors import DataError, ModelNotKept, NotRepeatable, StudyNotFound, TooLarge, TrialNotFound
from hpo.models import load_folder, to_bytes
from hpo.models.folder import load_zip
from hpo.service.local import Local
from hpo.settings import read_settings
from hpo.storage.base_models import StoredModel
from hpo.storage.open import open_storage
from hpo.study import DataSpec, SplitSpec
from hpo.testing.serving import serving
from hpo.testing.studies import finished
from tests.models.conftest import csv_of, model_of, table

ROWS = [{"a": 1.5, "b, big": -2000.0, "day": "03.05.2024", "kind": "k1", "code": 2}]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "data.csv").write_text(csv_of(table()))
    spec = DataSpec(source="data.csv", target="y", split=SplitSpec(), categories=("code",))
    return model_of(prepare(spec, scalings=["standardize"], folder=folder, seed=0), "standardize")


@pytest.fixture(params=["local", "server"])
def backend(request, tmp_path, sqlite, saved):
    """Where a study is whose best trial's model is kept."""
    with closing(open_storage(sqlite)) as storage:
        claim = finished(storage, [0.5, 0.9, float("nan")], data={"source": "iris"})
        storage.save_model(claim, StoredModel(number=1, value=0.9, data=to_bytes(saved.model)))
        if request.param == "local":
            with closing(Local(sqlite)) as local:
                yield local
            return
        settings = read_settings({"HPO_HOME": str(tmp_path)})
        with serving(Site(settings=settings, storage=storage)) as server, closing(Remote(server)) as remote:
            yield remote


def test_a_model_is_a_zip_and_predicts(backend, saved):
    found = load_zip(backend.model("wine"))

    assert found.predict(ROWS) == saved.predict(ROWS)
    assert backend.model("wine", trial=1) == backend.model("wine")
    assert backend.predict("wine", ROWS)["predictions"] == saved.predict(ROWS)


def test_errors_are_the_same_on_both_sides(backend):
    with pytest.raises(StudyNotFound):
        backend.model("gone")
    with pytest.raises(TrialNotFound):
        backend.predict("wine", ROWS, trial=99)
    with pytest.raises(NotRepeatable, match="has no result"):
        backend.model("wine", trial=2)
    with pytest.raises(ModelNotKept, match="trial 0 of study 'wine' was not kept"):
        backend.predict("wine", ROWS, trial=0)
    with pytest.raises(DataError, match="row 1 says 'red'"):
        backend.predict("wine", [ROWS[0] | {"a": "red"}])
    with pytest.raises(TooLarge):
        backend.predict("wine", ROWS * 10_001)


def test_what_was_not_kept_is_asked_of_a_server_and_trained_here_without_one(backend):
    if backend.server is None:
        with pytest.raises(ModelNotKept):
            backend.model("wine", trial=0)
    else:
        assert backend.model("wine", trial=0) is None


def test_a_study_in_a_notebook_predicts_and_saves_its_model(backend, saved, tmp_path):
    study = StudyHandle(backend, "wine")

    study.save_model(tmp_path / "wine.zip")

    assert load_folder(tmp_path / "wine.zip").predict(ROWS) == saved.predict(ROWS)
    assert study.predict(ROWS)["predictions"] == saved.predict(ROWS)
