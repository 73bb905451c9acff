"""Checks of an installation: what is there, what is wrong, and the cure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from hpo.checkup import Check
from hpo.errors import HpoError
from hpo.service.database import without_password
from hpo.service.submit import versions
from hpo.settings import Settings
from hpo.storage.inspection import inspect_database
from hpo.storage.open import open_storage

LEAST_FREE_BYTES = 1 << 30
PROBE_S = 120.0

# Runs in a process of its own: the command line never imports torch, and importing it may crash.
_PROBE = """
import json, torch
gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads(), "gpus": gpus,
    "built_for": torch.version.cuda}))
"""


def checks(settings: Settings) -> list[Check]:
    """All checks, in the order in which a fault explains the later ones."""
    return [*(check(settings) for check in CHECKS), *torch_checks(settings)]


def _versions(settings: Settings) -> Check:
    found = versions()
    missing = [name for name in ("torch", "optuna", "numpy") if name not in found]
    words = ", ".join(f"{name} {version}" for name, version in found.items())
    if missing:
        return Check(
            name="versions", ok=False, found=f"{words}; no {', '.join(missing)}", cure="pip install hpo"
        )
    return Check(name="versions", ok=True, found=words)


def _home(settings: Settings) -> Check:
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.home):
            pass
    except OSError as error:
        found = f"{settings.home} cannot be written: {error.strerror}"
        return Check(name="home", ok=False, found=found, cure="set HPO_HOME to a folder of yours")
    return Check(name="home", ok=True, found=f"{settings.home} can be written")


def _driver(settings: Settings) -> Check:
    """What talks to the kind of database that is named."""
    if not settings.storage.startswith("postgresql"):
        return Check(name="driver", ok=True, found="SQLite comes with Python; PostgreSQL is not asked for")
    try:
        return Check(name="driver", ok=True, found=f"psycopg {version('psycopg')}")
    except PackageNotFoundError:
        return Check(
            name="driver", ok=False, found="psycopg is not installed", cure="pip install 'hpo[postgres]'"
        )


def _database(settings: Settings) -> Check:
    try:
        with closing(open_storage(settings.storage)) as storage:
            n_studies = len(storage.list_studies())
        found = inspect_database(settings.storage)
    except HpoError as error:
        return Check(
            name="database", ok=False, found=str(error), cure="set HPO_STORAGE, or cure what it says"
        )
    return Check(
        name="database",
        ok=True,
        found=f"{without_password(settings.storage)}: {found.kind} {found.version}, revision {found.revision}, "
        f"{n_studies} studies",
    )


def _keys(settings: Settings) -> Check:
    """How many API keys a server on this database would know."""
    try:
        with closing(open_storage(settings.storage)) as storage:
            kept = storage.list_keys()
    except HpoError:
        return Check(name="keys", ok=False, found="cannot be read", cure="cure the database first")
    now = datetime.now(UTC)
    valid = [
        key for key in kept if key.revoked_at is None and (key.expires_at is None or key.expires_at > now)
    ]
    hint = "" if valid else "; a server that others reach needs one: `hpo keys create NAME`"
    return Check(name="keys", ok=True, found=f"{len(valid)} valid of {len(kept)}{hint}")


def _disk(settings: Settings) -> Check:
    folder = settings.home if settings.home.exists() else settings.home.parent
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Check(name="disk", ok=False, found=f"{folder}: {error.strerror}", cure="set HPO_HOME")
    return Check(
        name="disk",
        ok=free >= LEAST_FREE_BYTES,
        found=f"{free / 1e9:.1f} GB free in {folder}",
        cure=None if free >= LEAST_FREE_BYTES else "free some space, or set HPO_HOME to another disk",
    )


def _cores(settings: Settings) -> Check:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Check(name="cores", ok=True, found=f"{usable} of {os.cpu_count()} may be used: one worker on each")


CHECKS: tuple[Callable[[Settings], Check], ...] = (
    _versions,
    _home,
    _driver,
    _database,
    _keys,
    _disk,
    _cores,
)


def torch_checks(settings: Settings) -> list[Check]:
    """What torch says of itself in a process of its own."""
    environment = os.environ | {"MKL_CBWR": "AVX2", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, text=True, env=environment, timeout=PROBE_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return [Check(name="torch", ok=False, found=f"did not start: {error}", cure="install torch again")]
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"ended with code {done.returncode}"])[-1]
        return [Check(name="torch", ok=False, found=last, cure="install torch again: pip install torch")]
    said = json.loads(done.stdout)
    one = said["threads"] == 1
    threads = Check(
        name="torch",
        ok=one,
        found=f"torch {said['torch']} starts, {said['threads']} thread in each worker",
        cure=None if one else "unset what sets torch's threads in this environment",
    )
    return [threads, _gpu(settings, said["gpus"], said["built_for"])]


def _gpu(settings: Settings, gpus: list[str], built_for: str | None) -> Check:
    if gpus:
        return Check(name="GPU", ok=True, found=", ".join(gpus))
    wanted = settings.device.startswith("cuda")
    found = "none seen" if built_for else "none seen (this torch is built for CPUs only)"
    cure = "set HPO_DEVICE=auto, or install a torch with CUDA and a driver" if wanted else None
    return Check(name="GPU", ok=not wanted, found=found, cure=cure)
