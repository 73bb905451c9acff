"""The table of metrics in docs/howto/monitoring.md, held against what servers export."""

import re
from pathlib import Path

import hpo

TEXT = (Path(hpo.__file__).parents[1] / "docs/howto/monitoring.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)` \| (\w+) \|(.*?)\| (\w+) \| .+ \|$", TEXT, re.MULTILINE)


def test_the_table_has_every_metric_of_hpo_with_its_kind(whole):
    ours = {name: kind for name, kind in whole.families.items() if name.startswith("hpo_")}

    assert {name: kind for name, kind, _, _ in ROWS} == ours


def test_the_table_has_the_labels_of_every_metric(whole, away):
    for name, _, labels, _ in ROWS:
        assert set(re.findall(r"`(\w+)`", labels)) == whole.labels_of(name) | away.labels_of(name), name


def test_the_table_says_what_is_read_from_the_database(of_database):
    assert {name for name, _, _, of in ROWS if of == "database"} == of_database
    assert {of for _, _, _, of in ROWS} == {"database", "process"}


def test_processes_tell_of_their_memory_processor_and_files(whole):
    kinds = {
        "process_resident_memory_bytes": "gauge",
        "process_cpu_seconds_total": "counter",
        "process_open_fds": "gauge",
    }

    assert {name: whole.families.get(name) for name in kinds} == kinds
