"""What a package drags in when it is really imported: in a fresh process where other libraries cannot be had."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import hpo

ROOT = Path(hpo.__file__).parent

HEAVY = ("ray", "optuna", "fastapi", "pydantic", "sqlalchemy", "plotly", "sklearn", "pandas")
# package -> libraries that must not be needed; "*" is every library
WITHOUT = {
    "vocabulary": ("*",),
    "fused": HEAVY,
    "models": ("torch", *HEAVY),
    "samplers": ("torch", "ray", "fastapi", "sklearn"),
    "storage": ("torch", "ray", "fastapi", "pydantic", "plotly", "sklearn", "pandas"),
    "data": ("torch", "ray", "optuna", "fastapi", "pydantic", "sqlalchemy", "plotly"),
    "figures": ("torch", "ray", "optuna", "fastapi", "pydantic", "sqlalchemy", "sklearn", "pandas"),
    "service": ("torch", "ray", "fastapi", "typer"),
    "coordinator": ("torch", "ray", "fastapi"),
    "api": ("torch", "ray", "sklearn", "pandas"),
    "client": ("torch", "optuna", "ray", "fastapi", "sqlalchemy"),
}
# modules that must come up quickly or before anything heavy, one by one
ALONE = {
    "hpo.cli.main": ("torch", *HEAVY),
    "hpo.workers.base": ("torch", *HEAVY),
    "hpo.storage.base": ("torch", *HEAVY),
    "hpo.samplers.base": ("torch", *HEAVY),
}

SCRIPT = """
import importlib, sys

blocked, names = sys.argv[1].split(","), sys.argv[2].split(",")
known = set(sys.stdlib_module_names) | {"hpo"}

class Blocker:
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top in blocked or ("*" in blocked and top not in known):
            raise ModuleNotFoundError(f"{top} must not be needed here", name=name)

for name in [n for n in sys.modules if n.split(".")[0] in blocked]:
    del sys.modules[name]
sys.meta_path.insert(0, Blocker())
for name in names:
    importlib.import_module(name)
"""


def modules_of(package: str) -> list[str]:
    """Every module of a package by its dotted name, none for a package that is not there."""
    files = ROOT.glob("*.py") if package == "vocabulary" else (ROOT / package).rglob("*.py")
    names = [".".join(("hpo", *path.relative_to(ROOT).with_suffix("").parts)) for path in sorted(files)]
    # Migrations are loaded by Alembic from their files; __main__ is run, not imported.
    return [
        n.removesuffix(".__init__") for n in names if ".migrations." not in n and not n.endswith("__main__")
    ]


def import_without(names: list[str], blocked: tuple[str, ...]) -> str:
    """What a fresh process says that imports the modules without the libraries; empty when it can."""
    command = [sys.executable, "-c", SCRIPT, ",".join(blocked), ",".join(names)]
    done = subprocess.run(command, cwd=ROOT.parent, capture_output=True, text=True, timeout=50, check=False)
    return "" if done.returncode == 0 else done.stderr


@pytest.mark.parametrize("package", [package for package in WITHOUT if modules_of(package)])
def test_a_package_is_imported_without_the_libraries_of_others(package):
    assert import_without(modules_of(package), WITHOUT[package]) == ""


@pytest.mark.parametrize("module", [m for m in ALONE if (ROOT.parent / f"{m.replace('.', '/')}.py").exists()])
def test_a_light_module_needs_nothing_heavy(module):
    assert import_without([module], ALONE[module]) == ""


def test_the_blocker_blocks():
    assert "numpy must not be needed here" in import_without(["numpy"], ("*",))
    assert "optuna must not be needed here" in import_without(["hpo.samplers.grid"], ("optuna",))
