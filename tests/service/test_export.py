"""Exports read back by other programs' readers."""

import csv
import io
import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from pyarrow.csv import read_csv as csv_of

from hpo.errors import UnknownName
from hpo.service import results
from hpo.service.export import export, schema_of
from hpo.service.flat import write_csv
from hpo.space import Choice, Range, SearchSpace
from hpo.study import EXTERNAL, StudySpec
from hpo.trial import FACTS


def exported(storage, kind):
    out = io.BytesIO()
    export(storage, "digits", kind, out)
    return out.getvalue()


def test_json_is_what_trials_prints_and_the_facts(storage, studies):
    studies.ended(values=[0.5, None, 0.25])

    found = json.loads(exported(storage, "json"))

    facts = [trial.pop("facts") for trial in found]
    assert found == list(results.trials(storage, "digits"))
    assert facts == [{"initial_loss": 2.5, "dead_units": None}, {}, {"initial_loss": 2.5, "dead_units": None}]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_have_a_column_for_each_fact(storage, studies, kind):
    studies.ended(values=[0.5, None])

    written = io.BytesIO(exported(storage, kind))

    table = pq.read_table(written) if kind == "parquet" else csv_of(written)
    assert set(table.column_names) >= {f"facts.{name}" for name in FACTS}
    assert table["facts.initial_loss"].to_pylist() == [2.5, None]
    assert table["facts.dead_units"].to_pylist() == [None, None]


def test_csv_has_a_column_for_each_parameter_and_empty_cells_for_inactive_ones(storage, studies):
    studies.ended(values=[0.5, None])

    rows = list(csv.DictReader(io.StringIO(exported(storage, "csv").decode())))

    assert [row["value"] for row in rows] == ["0.5", ""]
    assert [row["params.momentum"] for row in rows] == ["", "0.9"]
    assert [row["params.optimizer"] for row in rows] == ["sgd", "momentum"]


def test_parquet_keeps_types_and_nulls(storage, studies):
    studies.ended(values=[0.5, None])

    table = pq.read_table(io.BytesIO(exported(storage, "parquet")))

    assert table["number"].to_pylist() == [0, 1]
    assert table["value"].to_pylist() == [0.5, None]
    assert table["params.momentum"].to_pylist() == [None, 0.9]
    assert table["reason"].to_pylist() == [None, "diverged@2"]


def test_a_study_without_trials_exports_as_an_empty_table(storage, studies):
    studies.queued()

    assert json.loads(exported(storage, "json")) == []
    assert len(exported(storage, "csv").splitlines()) == 1
    assert pq.read_table(io.BytesIO(exported(storage, "parquet"))).num_rows == 0


def test_columns_of_choices_take_the_narrowest_type():
    space = SearchSpace(
        {
            "units": Choice(choices=(32, "64-32")),
            "rate": Choice(choices=(1, 0.5)),
            "layers": Range(low=1, high=3, type="int"),
            "flag": Choice(choices=(True, False)),
            "absent": Choice(choices=(None, 3)),
        }
    )

    types = {field.name: str(field.type) for field in schema_of(StudySpec(parameters=space))}

    assert types["params.units"] == "string"
    assert types["params.rate"] == "double"
    assert types["params.layers"] == "int64"
    assert types["params.flag"] == "bool"
    assert types["params.absent"] == "int64"


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)"])
def test_text_that_looks_like_a_formula_is_made_harmless_but_numbers_are_not_touched(text):
    out = io.StringIO()

    write_csv([{"text": text, "number": -1.5}], out)

    [row] = csv.DictReader(io.StringIO(out.getvalue()))
    assert row == {"text": f"'{text}", "number": "-1.5"}


def test_a_study_that_is_trained_elsewhere_has_no_columns_of_facts():
    spec = StudySpec(parameters=SearchSpace({"rate": Range(low=0.1, high=1.0)}))

    here, elsewhere = schema_of(spec).names, schema_of(replace(spec, trainer=EXTERNAL)).names

    assert here == [*elsewhere, *(f"facts.{name}" for name in FACTS)]


def test_an_unknown_format_is_named(storage, studies):
    studies.ended(values=[0.5])

    with pytest.raises(UnknownName, match="did you mean 'parquet'"):
        export(storage, "digits", "parqet", io.BytesIO())
