"""The page on models: its blocks run as they stand, one after the other."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hpo
from hpo.models import load_folder

ROOT = Path(hpo.__file__).parents[1]
PAGE = ROOT / "docs/howto/use-a-model.md"
BLOCKS = re.findall(r"```(bash|python)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_every_block_of_the_page_runs(tmp_path):
    program = tmp_path / "bin" / "hpo"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m hpo.cli.main "$@"\n')
    program.chmod(0o755)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HPO_")},
        "HPO_HOME": str(tmp_path / "home"),
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }

    for language, text in BLOCKS:
        command = ["bash", "-e", "-c", text] if language == "bash" else [sys.executable, "-c", text]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{text}\n{done.stderr}"

    assert [language for language, _ in BLOCKS] == ["bash", "bash", "python", "python", "bash"]
    lines = (tmp_path / "predicted.csv").read_text().splitlines()
    assert lines[0] == "prediction,p_setosa,p_versicolor,p_virginica"
    assert [line.split(",")[0] for line in lines[1:]] == ["setosa", "virginica"]
    assert load_folder(tmp_path / "third").about["trial"] == 3
