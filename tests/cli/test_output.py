"""Answers: what people read, what programs read, and what may not reach a terminal."""

import csv
import io
import json
import math

import pytest

from hpo.cli.cells import cell
from hpo.cli.output import Format, fit, pairs, write_json, write_record, write_rows
from hpo.cli.tables import table


def test_json_of_records_is_one_document_that_parses_back(capsys):
    rows = [{"number": 0, "params": {"l2": 0.5}}, {"number": 1, "params": {}}]

    write_rows(iter(rows), Format.JSON)

    assert json.loads(capsys.readouterr().out) == rows


def test_json_of_no_records_is_an_empty_list(capsys):
    write_rows([], Format.JSON)

    assert json.loads(capsys.readouterr().out) == []


def test_json_refuses_what_json_has_no_word_for():
    with pytest.raises(ValueError, match="JSON"):
        write_json([{"value": math.nan}])


def test_csv_spreads_mappings_out_and_reads_back(capsys):
    write_rows([{"number": 0, "params": {"l2": 0.5, "optimizer": "adam"}}], Format.CSV)

    assert list(csv.DictReader(io.StringIO(capsys.readouterr().out))) == [
        {"number": "0", "params.l2": "0.5", "params.optimizer": "adam"}
    ]


def test_a_table_aligns_numbers_to_the_right_and_text_to_the_left():
    lines = table([{"name": "a", "n": 5}, {"name": "long", "n": 1234}]).split("\n")

    assert lines == ["name     n", "a        5", "long  1234"]


def test_a_table_shows_columns_that_only_some_rows_have():
    assert table([{"a": 1}, {"b": 2}]).split("\n") == ["a  b", "1  -", "-  2"]


def test_escape_sequences_in_names_do_not_reach_the_terminal():
    assert "\x1b" not in table([{"name": "\x1b[2Jhidden"}])
    assert "\x1b" not in pairs({"name": "\x1b[2Jhidden"})


def test_a_record_for_people_is_the_text_given(capsys):
    write_record({"a": 1}, Format.TABLE, "a is one")

    assert capsys.readouterr().out == "a is one\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-7, "1e-07"), (0.987654321, "0.98765"), (False, "false"), ([], "-"), (["a", "b"], "a, b")],
)
def test_values_are_short(value, text):
    assert cell(value) == text


def test_text_in_the_last_column_is_broken_to_the_terminals_width():
    rows = [{"name": "a", "about": "what this one is about and what is not"}, {"name": "bcd", "about": "-"}]

    lines = table(rows, width=30).split("\n")

    assert lines == [
        "name  about",
        "a     what this one is about",
        "      and what is not",
        "bcd   -",
    ]


def test_a_sentence_is_broken_between_words_on_a_terminal_only(monkeypatch):
    sentence = "  classification of quality: it has few distinct whole numbers"
    monkeypatch.setattr("hpo.cli.output.width_of", lambda stream: 30)

    assert fit(sentence, io.StringIO()).split("\n") == [
        "  classification of quality:",
        "    it has few distinct whole",
        "    numbers",
    ]
    monkeypatch.undo()
    assert fit(sentence, io.StringIO()) == sentence
