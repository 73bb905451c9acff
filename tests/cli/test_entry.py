"""The first moments of the program, while its modules load: real processes, a real SIGINT."""

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import hpo as package

ROOT = Path(package.__file__).parents[1]
STARTS = {
    "script": "import sys; from hpo.cli.entry import main; sys.exit(main())",
    "module": "import runpy; runpy.run_module('hpo', run_name='__main__', alter_sys=True)",
}
# Sends this process SIGINT when it begins to import a module.
INTERRUPTED_AT = """
import os, signal, sys

class Interrupter:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupter())
sys.argv = ["hpo", "--version"]
"""


def begun(start, module, **how):
    """What comes of the program when Ctrl-C comes at the import of a module."""
    program = INTERRUPTED_AT.format(module=module) + STARTS[start]
    known = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=known, **how
    )


def default_ctrl_c():
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a test run in the background has it ignored


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("module", ["hpo.cli.main", "typer", "hpo.settings", "hpo.cli.validating"])
def test_ctrl_c_while_modules_load_ends_it_without_a_word(start, module):
    done = begun(start, module, preexec_fn=default_ctrl_c)

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_where_ctrl_c_is_ignored_it_stays_ignored():
    done = begun("script", "typer", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))

    assert (done.returncode, done.stdout) == (0, f"hpo {package.__version__}\n")


def test_the_script_begins_there():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert project["scripts"] == {"hpo": "hpo.cli.entry:main"}
