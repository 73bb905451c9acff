"""Data sets in the database: kept by content, listed, used, removed."""

import pytest

from hpo.account import Account, Role
from hpo.errors import DataError, DatasetNotFound, IllegalMove, NotAllowed
from hpo.service import datasets, specfile
from hpo.states import StudyState
from hpo.testing.studies import new_study

CSV = "a,b,y\n" + "\n".join(f"{i % 7},{i % 5},{'yes' if i % 3 else 'no'}" for i in range(60)) + "\n"


@pytest.fixture
def csv_file(tmp_path):
    path = tmp_path / "small.csv"
    path.write_text(CSV)
    return path


def test_the_same_bytes_are_kept_once(storage, csv_file):
    first = datasets.add(storage, csv_file)
    second = datasets.add(storage, csv_file)

    assert first == second
    assert first["id"].startswith(datasets.STORED)
    assert first["n_bytes"] == len(CSV)
    assert b"".join(storage.read_dataset(first["id"])) == CSV.encode()


def test_bytes_that_two_keep_are_the_firsts_and_in_use_by_both(storage, csv_file):
    ann, bob = (Account(owner=name, role=Role.SUBMITTER) for name in ("ann", "bob"))

    def kept_by(account):
        with csv_file.open("rb") as file:
            return datasets.keep(storage, f"{account.owner}.csv", file, owner=account.owner)

    first, second = kept_by(ann), kept_by(bob)
    storage.create_study(new_study("bobs", owner="bob", spec={"data": {"source": second["id"]}}))

    assert second == first
    assert (second["name"], second["owner"]) == ("ann.csv", "ann")
    with pytest.raises(NotAllowed, match="belongs to ann"):
        datasets.remove(storage, second["id"], account=bob)
    with pytest.raises(IllegalMove, match=r"'bobs' uses data set 'ann\.csv'"):
        datasets.remove(storage, first["id"], account=ann)
    storage.move_study("bobs", StudyState.CANCELLED)
    datasets.remove(storage, "ann.csv", account=ann)
    assert (kept_by(bob)["id"], kept_by(ann)["owner"]) == (first["id"], "bob")


def test_the_list_has_the_built_in_ones_and_the_kept_ones(storage, csv_file):
    kept = datasets.add(storage, csv_file, name="mine")

    listed = {row["name"]: row["kind"] for row in datasets.listed(storage)}

    assert listed["digits"] == "built in"
    assert listed["mine"] == "stored"
    assert kept["name"] == "mine"


def test_a_study_reads_a_kept_data_set_as_it_reads_the_file(storage, csv_file, tmp_path):
    kept = datasets.add(storage, csv_file)

    from_file, from_database = (
        datasets.prepared(
            specfile.parse(f"data: {{source: {source}, target: y}}\nparameters: {{learning_rate: 0.1}}"),
            scalings=(None,),
            folder=tmp_path,
            storage=lambda: storage,
        )
        for source in ("small.csv", kept["id"])
    )

    assert from_file.info.sha256 == from_database.info.sha256
    [(train, _)] = from_file.scaled["standardize"].training.folds
    [(stored_train, _)] = from_database.scaled["standardize"].training.folds
    assert (train.x == stored_train.x).all()


@pytest.mark.parametrize(("metric", "refused"), [("auc", True), ("f1", False)])
def test_auc_wants_validation_rows_of_two_classes(storage, tmp_path, metric, refused):
    parts = ["train"] * 6 + ["validation"] * 3
    rows = [f"{i},{part},{'yes' if part == 'validation' or i % 2 else 'no'}" for i, part in enumerate(parts)]
    (tmp_path / "parts.csv").write_text("a,part,y\n" + "\n".join(rows) + "\n")
    spec = specfile.parse(
        "data: {source: parts.csv, target: y, split: {column: part}}\n"
        f"parameters: {{learning_rate: 0.1}}\nobjective: {metric}"
    )

    def look():
        return datasets.prepared(spec, scalings=(None,), folder=tmp_path, storage=lambda: storage)

    if not refused:
        assert look().info.n_validation == 3
        return
    with pytest.raises(DataError, match="two classes") as caught:
        look()
    assert caught.value.field == "data.split"


def test_the_database_is_not_opened_for_a_file(csv_file, tmp_path):
    def never():
        raise RuntimeError("opened")

    spec = specfile.parse("data: {source: small.csv, target: y}\nparameters: {learning_rate: 0.1}")

    assert datasets.prepared(spec, scalings=(None,), folder=tmp_path, storage=never).info.n_rows == 60
    assert datasets.shown(never, "small.csv", target="y", folder=tmp_path)["n_rows"] == 60


def test_what_is_neither_kept_nor_built_in_nor_a_file_is_named(storage, tmp_path):
    with pytest.raises(DatasetNotFound, match="did you mean 'digits'"):
        datasets.shown(lambda: storage, "digit", target=None, folder=tmp_path)


def test_removing_takes_an_id_or_a_name(storage, csv_file):
    datasets.add(storage, csv_file, name="mine")

    datasets.remove(storage, "mine")

    with pytest.raises(DatasetNotFound):
        datasets.remove(storage, "mine")


def test_a_file_that_is_missing_or_empty_is_not_kept(storage, tmp_path):
    (tmp_path / "empty.csv").touch()

    for name in ("empty.csv", "missing.csv"):
        with pytest.raises(DataError, match=name):
            datasets.add(storage, tmp_path / name)
    assert storage.list_datasets() == []
