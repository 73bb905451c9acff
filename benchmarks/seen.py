"""What people wait for: help, the first page, the page of a study of 100,000 trials, the report of one of 10,000.

    python benchmarks/seen.py [--databases sqlite postgres] [--trials 100000] [--save]

A real server, `hpo.server.api` in a process of its own, and a headless Chromium with nothing in its cache, both on
this machine's cores. A page counts from the click to its first rows, or to its first picture.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import which
from statistics import median
from typing import Any

from api import N_CORES, served
from api_data import fill, result
from playwright.sync_api import Browser, Page, sync_playwright

from hpo.storage.open import open_storage
from hpo.testing.postgres import postgres_server
from hpo.trial import Curve, TrialResult

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "seen.json"
LARGE, REPORTED = "large", "reported"
N_REPORTED, EPOCHS = 10_000, 30
TURNS = 5
CHROMIUM = which("chromium") or which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def with_curve(number: int, rng: random.Random) -> TrialResult:
    """A made-up result whose losses fall and whose accuracy rises to its value."""
    made = result(number, rng)
    assert made.value is not None
    rows = [(2.3 / epoch, 2.4 / epoch, made.value * epoch / EPOCHS) for epoch in range(1, EPOCHS + 1)]
    columns = ("train_log_loss", "validation_log_loss", "validation_accuracy")
    return replace(made, curve=Curve(columns=columns, block=array("f", [one for row in rows for one in row])))


def opened(browser: Browser, url: str, shown: str) -> float:
    """Seconds from asking for a page to the moment at which something on it can be seen."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page: Page = context.new_page()
    begin = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_selector(shown, timeout=60_000)
    took = time.perf_counter() - begin
    context.close()
    return took


def pages(url: str) -> dict[str, Any]:
    """A server's first answer to anybody, and the median of those after it, in seconds."""
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as browser,
    ):
        opened(browser, "about:blank", "html")  # the browser has started
        looks: dict[str, Callable[[str], float]] = {
            "first_page": lambda root: opened(browser, root, "#studies tbody tr"),
            "study_first_picture": lambda root: opened(
                browser, f"{root}/studies/{LARGE}", "#figure-history .main-svg"
            ),
        }
        found = {}
        for name, look in looks.items():
            with served(url) as port:  # one that has answered nothing of this yet
                times = [look(f"http://127.0.0.1:{port}") for _ in range(1 + TURNS)]
            found[name] = {"first_s": times[0], "later_s": median(times[1:])}
    return found


def typed(*words: str, **environment: str) -> float:
    """Median of seconds that a command of `hpo` takes."""
    times = []
    for _ in range(TURNS):
        begin = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "hpo", *words],
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
            capture_output=True,
            check=True,
        )
        times.append(time.perf_counter() - begin)
    return median(times)


def measured(url: str, n_trials: int, folder: str) -> dict[str, Any]:
    """Everything over one database."""
    storage = open_storage(url)
    for name, n in ((REPORTED, N_REPORTED), (LARGE, n_trials)):
        fill(storage, name, n, with_curve)
    storage.close()
    output = Path(folder) / "report.html"
    report_s = typed("report", REPORTED, "-o", str(output), HPO_STORAGE=url, HPO_HOME=folder)
    return pages(url) | {"report_s": report_s, "report_mb": output.stat().st_size / 1e6}


def table(found: dict[str, Any]) -> None:
    """Print it, with what is wanted."""
    for name, wanted in (("first_page", 1), ("study_first_picture", 2)):
        one = found[name]
        print(
            f"  {name:22} {one['first_s']:6.2f} s the first time, then {one['later_s']:.2f} s (< {wanted} s)"
        )
    print(
        f"  report of {N_REPORTED:,}       {found['report_s']:6.2f} s (< 5 s), {found['report_mb']:.1f} MB (< 15)"
    )


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgres"])
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/seen.json")
    arguments = parser.parse_args()
    record: dict[str, Any] = {"cores": N_CORES, "trials": arguments.trials, "help_s": typed("--help")}
    print(f"hpo --help {record['help_s']:.2f} s (< 0.3 s)")
    with tempfile.TemporaryDirectory() as folder, postgres_server() as postgres:
        urls = {"sqlite": f"sqlite:///{folder}/hpo.db", "postgres": postgres}
        for name in arguments.databases:
            if urls[name] is None:
                print(f"{name}: this machine has no server of it")
                continue
            print(f"{name}", flush=True)
            load = os.getloadavg()[0]  # of others: with much of it no figure says anything
            record[name] = {"load": load} | measured(urls[name], arguments.trials, folder)
            table(record[name])
    if arguments.save:
        RESULTS.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
