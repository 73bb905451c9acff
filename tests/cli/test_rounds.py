"""The rounds of a search as people and programs read them, from the run's end and from `hpo show`."""

import json

from hpo.cli.rounds import notes_text

STUDY = """
name: rounds
data: iris
trials: 24
epochs: 4
sampler: {name: coarse_to_fine, widen: true}
parameters: {learning_rate: {low: 1e-6, high: 1e-4, log: true}}
"""


def test_a_study_without_notes_has_nothing_to_show():
    assert notes_text({}) == ""


def test_a_run_ends_with_its_rounds_and_show_has_them_as_a_table_and_for_programs(hpo, tmp_path):
    (tmp_path / "rounds.yaml").write_text(STUDY)

    code, _, told = hpo("run", "rounds.yaml", "--workers", "1")
    _, table, _ = hpo("show", "rounds")
    _, record, _ = hpo("show", "rounds", "-f", "json")

    assert code == 0, told
    assert "coarse to fine: 3 rounds at 1, 2, 4 epochs" in told
    lines = table.splitlines()
    [head] = [place for place, line in enumerate(lines) if line.startswith("round  trials  epochs")]
    assert [line.split()[:3] for line in lines[head + 1 : head + 4]] == [
        ["1", "8", "1"],
        ["2", "8", "2"],
        ["3", "8", "4"],
    ]
    assert "1e-06 … 0.0001" in lines[head + 1]
    notes = json.loads(record)["notes"]
    assert [r["epochs"] for r in notes["rounds"]] == [1, 2, 4]
    assert all(sentence in table and sentence in told for sentence in notes["sentences"])
