"""The program in this process, with a home of its own and studies in its database."""

import shutil
from contextlib import closing

import pytest

from hpo.api.site import Site
from hpo.cli.main import main
from hpo.cohort import CohortPlan
from hpo.service import specfile
from hpo.service.processes import this_process
from hpo.settings import read_settings
from hpo.states import StudyState, TrialState
from hpo.storage.base import ScoredTest
from hpo.storage.open import open_storage
from hpo.study import Direction, NewStudy
from hpo.testing.serving import serving
from hpo.trial import TrialPlan, TrialResult

FILE = "{name: NAME, data: digits, parameters: {learning_rate: {low: 1e-4, high: 0.1, log: true}}, trials: 4}"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setenv("HPO_HOME", str(home))
    for name in ("HPO_STORAGE", "HPO_SERVER", "HPO_API_KEY", "HPO_LOG", "HPO_DEVICE", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return home


@pytest.fixture
def made(home, empty_database):
    """Makes the database that the program uses, unless it is there; gives its URL."""

    def make():
        home.mkdir(mode=0o700, exist_ok=True)
        file = home / "hpo.db"
        if not file.exists():
            shutil.copy(empty_database, file)
        return f"sqlite:///{file}"

    return make


@pytest.fixture
def place(request, home, monkeypatch):
    """Where verbs work: `here`, on the local database, or on a `server` over it; for `indirect` parameters."""
    if request.param == "here":
        yield request.param
        return
    url = request.getfixturevalue("made")()
    settings = read_settings({"HPO_HOME": str(home), "HPO_STORAGE": url})
    with closing(open_storage(url)) as storage, serving(Site(settings=settings, storage=storage)) as address:
        monkeypatch.setenv("HPO_SERVER", address)
        yield request.param


@pytest.fixture
def hpo(capsys):
    """Runs the program; gives (exit code, standard output, standard error)."""

    def run(*words):
        capsys.readouterr()
        code = main(list(words))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def database(made):
    """Opens the database that the program uses."""

    def opened():
        return closing(open_storage(made()))

    return opened


@pytest.fixture
def study(database):
    """Puts a study into the database: values of its finished trials (None: FAIL), its state, a test score."""

    def put(name="digits", *, values=(0.5, 0.9, None), state=StudyState.COMPLETED, test=None, driver=None):
        spec = specfile.parse(FILE.replace("NAME", name))
        new = NewStudy(
            name=name,
            direction=Direction.MAXIMIZE,
            metric="accuracy",
            n_trials=4,
            spec=specfile.to_json(spec),
            data={"sha256": "ab" * 32, "source": "digits", "n_rows": 9, "n_features": 2}
            | {"task": "classification", "target": "digit", "n_train": 5, "n_validation": 2, "n_test": 2},
        )
        with database() as storage:
            storage.create_study(new)
            if state is StudyState.QUEUED:
                return
            claim = storage.claim_study(name, driver or this_process())
            numbers = tuple(range(len(values)))
            plans = [TrialPlan(number=i, params={"learning_rate": 0.01}) for i in numbers]
            [cohort] = storage.plan_trials(claim, spec.parameters, plans, [CohortPlan(numbers=numbers)])
            cohort = storage.start_cohort(claim, cohort.id)
            results = [
                TrialResult(
                    number=i,
                    state=TrialState.COMPLETE,
                    value=value,
                    best_epoch=1,
                    epochs=2,
                    facts={"initial_loss": 2.31, "dead_units": 0.03 * (i + 1), "saturated_units": None},
                )
                if value is not None
                else TrialResult(number=i, state=TrialState.FAIL, reason="diverged@1", epochs=1)
                for i, value in enumerate(values)
            ]
            storage.finish_trials(claim, cohort.id, cohort.attempt, results, done=True)
            if state is not StudyState.RUNNING:
                made = None if test is None else ScoredTest(number=test[0], scores=test[1])
                storage.release(claim, state, test=made)

    return put
