"""Styles, scripts and pages that nothing compiles: what a merge left in them would be seen by readers first."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
MARK = re.compile(rb"^(<{7} |={7}$|>{7} )", re.MULTILINE)


def test_no_file_keeps_the_marks_of_a_merge():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    files = [ROOT / name.decode() for name in listed.split(b"\0") if name]

    assert [str(file) for file in files if file.is_file() and MARK.search(file.read_bytes())] == []
    assert ROOT / "dashboards/assets/style.css" in files
