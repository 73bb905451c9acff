"""docker/compose.yaml as a compose program understands it: the plugin of docker where it is, else Debian's docker-compose."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE, GPU = ROOT / "docker/compose.yaml", ROOT / "docker/compose.gpu.yaml"
MISSING = "this machine has no compose; Debian's package `docker-compose` has one"


def compose(folder: Path, *overrides: Path) -> list[str] | None:
    """How a command to compose begins; None where there is no compose.

    folder: for a copy of the file, since the older program knows no `name`
    """
    files = [FILE, *overrides]
    if shutil.which("docker") and _answers(["docker", "compose", "version"]):
        begin = ["docker", "compose"]
    elif shutil.which("docker-compose"):
        begin = ["docker-compose"]
        files[0] = folder / "compose.yaml"
        lines = FILE.read_text(encoding="utf-8").splitlines(keepends=True)
        files[0].write_text("".join(line for line in lines if not line.startswith("name:")))
    else:
        return None
    given = [word for file in files for word in ("--file", str(file))]
    return [*begin, "--project-name", "hpo", "--project-directory", str(FILE.parent), *given]


def understood(begin: list[str], **settings: str) -> dict[str, Any]:
    """The file with its defaults and anchors put in, as `compose config` prints it."""
    config = [*begin, "config"]
    said = subprocess.run(config, env=os.environ | settings, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    found: dict[str, Any] = yaml.safe_load(said.stdout)
    return found


def _answers(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True).returncode == 0
