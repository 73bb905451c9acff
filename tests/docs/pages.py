"""The pages of docs/ and the README: their blocks, and a folder in which these run as they stand."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import hpo

ROOT = Path(hpo.__file__).parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of a page: its language, and what stands in it."""

    language: str
    text: str


def text_of(page: str) -> str:
    """A page as it is written; page: from the root of the repository."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks_of(page: str) -> list[Block]:
    """The blocks of a page, in its order."""
    return [Block(*found) for found in BLOCK.findall(text_of(page))]


class Shell:
    """A folder with the programs `hpo`, `python` and `ray` in its PATH, a HPO_HOME of its own, and nothing set that a reader has not set.

    warm: where a process waits that performs `hpo` without its start; None starts it each time
    """

    def __init__(self, folder: Path, *, warm: Path | None = None, **settings: str) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        ours = "-m hpo.cli.main" if warm is None else f"-IS {ROOT / 'tests/docs/warm.py'} {warm}"
        programs = {"hpo": ours, "python": "", "ray": "-m ray.scripts.scripts"}
        (folder / "bin").mkdir()
        for name, words in programs.items():
            program = folder / "bin" / name
            program.write_text(f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n')
            program.chmod(0o755)
        known = {name: value for name, value in os.environ.items() if not name.startswith("HPO_")}
        self.environ = known | {
            "HOME": str(folder),
            "HPO_HOME": str(folder / "home"),
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            **settings,
        }

    def run(self, block: Block) -> str:
        """What a block of bash or Python writes to standard output; an AssertionError when it fails."""
        command = (
            ["bash", "-e", "-o", "pipefail", "-c"] if block.language == "bash" else [sys.executable, "-c"]
        )
        done = subprocess.run(
            [*command, block.text], cwd=self.folder, env=self.environ, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{block.text}\n{done.stdout}{done.stderr}"
        return done.stdout


def build() -> ModuleType:
    """The program that `make docs` runs."""
    return program("build")


def program(name: str) -> ModuleType:
    """A program of docs/, which is in no package."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for their own
    spec.loader.exec_module(module)
    return module
