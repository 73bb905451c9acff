"""The fused core against plain torch loops: the time of a trial, the ratio, and what it was made of.

    python benchmarks/core.py [--rows digits cifar] [--quick] [--rounds 3] [--no-curve] [--save]

Both sides run as one process per core with one thread each, started alike; time is taken from the order to
the slower one's answer, without imports and data, with a look at the validation rows each epoch. Rounds
alternate, so that a busy machine slows both; ratios are made within a round, and medians reported.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fusing.data import DATA
from fusing.rows import ROWS, Row, cohorts, flops_per_trial

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "core.json"
N_PROCESSES = os.cpu_count() or 1
GEMM_SIZE = 1024
CURVE_ROW = "digits"
CURVE_UP_TO = 4096

Orders = Iterable[Mapping[str, Any]]
Answer = dict[str, float]


class Pair:
    """One process per core, all of one mode: plain, exact or fast. They wait without using time."""

    def __init__(self, how: str) -> None:
        # What hpo's workers have in their environment; a plain loop has what its users would set.
        env = os.environ | {
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join((str(HERE), str(HERE.parent))),
        }
        env.pop("MKL_CBWR", None)
        command = [sys.executable, "-m", "fusing.worker", how]
        self.processes = [
            subprocess.Popen(
                command,
                env=env if how == "plain" else env | {"MKL_CBWR": "AVX2"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(N_PROCESSES)
        ]

    def ask(self, orders: Orders) -> tuple[float, list[Answer]]:
        """Seconds until the last of these orders is done, and the answers; who is free takes the next."""
        queue, answers = iter(orders), []

        def serve(process: subprocess.Popen[str]) -> None:
            assert process.stdin is not None
            assert process.stdout is not None
            for order in queue:
                process.stdin.write(json.dumps(order) + "\n")
                process.stdin.flush()
                answers.append(json.loads(process.stdout.readline()))

        began = time.perf_counter()
        with ThreadPoolExecutor(len(self.processes)) as threads:
            list(threads.map(serve, self.processes))
        return time.perf_counter() - began, answers

    def close(self) -> None:
        """End them: they stop when nobody speaks any more."""
        for process in self.processes:
            if process.stdin is not None:
                process.stdin.close()
            process.wait()


class Bench:
    """The processes of all modes, started when first needed."""

    def __init__(self) -> None:
        self._pairs: dict[str, Pair] = {}

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        for pair in self._pairs.values():
            pair.close()

    def pair(self, how: str) -> Pair:
        """The processes of a mode."""
        if how not in self._pairs:
            self._pairs[how] = Pair(how)
        return self._pairs[how]

    def ms_per_trial(self, row: Row, side: str, n_trials: int) -> tuple[float, float]:
        """Milliseconds of a trial on one side of a row, all processes at work: by the clock, and of processor time.

        Each process has a core of its own on a quiet machine, and then the second is the first times processes.
        """
        how = row.ours if side == "ours" else row.peer
        n_slots = min(n_trials, N_PROCESSES)
        n_parts = n_slots if how == "plain" else n_cohorts(row, side, n_trials, n_slots)
        orders = [
            {
                "row": row.name,
                "side": side,
                "n": n_trials,
                "part": part,
                "n_parts": n_parts,
                "n_slots": n_slots,
            }
            for part in range(n_parts)
        ]
        seconds, answers = self.pair(how).ask(orders)
        cpu_seconds = sum(told["cpu_seconds"] for told in answers)
        return seconds / n_trials * 1e3, cpu_seconds / n_trials * 1e3

    def gflops(self, how: str) -> float:
        """The rate of a large product, all processes at it, in a mode."""
        return sum(told["gflops"] for told in self.pair(how).ask([{"gemm": GEMM_SIZE}] * N_PROCESSES)[1])

    def bytes_per_lane(self, row: Row) -> float:
        """What one more lane takes: from the difference between two cohorts."""
        many, few = row.n_trials, row.n_trials // 2
        held = [self.pair(row.ours).ask([{"row": row.name, "bytes": n}])[1][0]["bytes"] for n in (many, few)]
        return (held[0] - held[1]) / (many - few)


@cache
def n_cohorts(row: Row, side: str, n_trials: int, n_slots: int) -> int:
    """In how many cohorts the planner cuts a search."""
    data, mixed = DATA[row.net.data](), row.mixed and side == "ours"
    return len(cohorts(row.net, data, n_trials, n_slots=n_slots, mixed=mixed))


def measure(bench: Bench, row: Row, *, rounds: int, quick: bool) -> dict[str, Any]:
    """One line of the table."""
    n_ours, n_peer = (max(8, n // 8) if quick else n for n in (row.n_trials, row.n_peer))
    for side in ("ours", "peer"):
        bench.ms_per_trial(row, side, 2 * N_PROCESSES)  # data is loaded, memory is warm
    ours, peer, gemm = [], [], []
    for _ in range(rounds):
        gemm.append(bench.gflops(row.ours))
        ours.append(bench.ms_per_trial(row, "ours", n_ours))
        peer.append(bench.ms_per_trial(row, "peer", n_peer))
    ratios, cpu_ratios = ([b[i] / a[i] for a, b in zip(ours, peer, strict=True)] for i in range(2))
    (ours_ms, ours_cpu_ms), (peer_ms, _) = (
        map(statistics.median, zip(*side, strict=True)) for side in (ours, peer)
    )
    flops = flops_per_trial(row.net, DATA[row.net.data]())
    rates = [flops / ms / 1e6 / rate for (ms, _), rate in zip(ours, gemm, strict=True)]
    return {
        "ours": row.ours,
        "peer": row.peer,
        "trials": n_ours,
        "peer_trials": n_peer,
        "ms_per_trial": round(ours_ms, 3),
        "peer_ms_per_trial": round(peer_ms, 3),
        "ratio": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
        "cpu_ms_per_trial": round(ours_cpu_ms, 3),
        "cpu_ratio": round(statistics.median(cpu_ratios), 2),
        "at_least": round(row.at_least, 2),
        "aim": row.aim,
        "gemm_gflops": round(statistics.median(gemm), 1),
        "share_of_gemm": round(statistics.median(rates), 3),
        "bytes_per_lane": round(bench.bytes_per_lane(row)),
    }


def curve(bench: Bench, up_to: int) -> dict[int, float]:
    """Milliseconds of a trial for searches of 1, 2, 4 … trials."""
    widths = [1 << power for power in range(up_to.bit_length())]
    return {n: round(bench.ms_per_trial(ROWS[CURVE_ROW], "ours", n)[0], 3) for n in widths}


def line(name: str, told: Mapping[str, Any]) -> str:
    """A row as one reads it."""
    verdict = "ok" if told["ratio"] >= told["at_least"] else "BELOW"
    return (
        f"{name:<13}{told['ours']:>6} {told['ms_per_trial']:>9.3f} ms  {told['peer']:>6}"
        f" {told['peer_ms_per_trial']:>9.3f} ms  {told['ratio']:>7.2f} x, {told['cpu_ratio']:.2f} x of processor time  (at least {told['at_least']:g}: {verdict})"
        f"  {told['share_of_gemm']:>4.0%} of {told['gemm_gflops']:.0f} GFLOP/s  {told['bytes_per_lane'] / 1024:.3g} KiB a lane"
    )


def save(rows: Mapping[str, Any], points: Mapping[int, float]) -> None:
    """Put what was measured beside what is kept; rows that were not measured stay."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"rows": {}, "curve": {}}
    machine = {
        "cores": N_PROCESSES,
        "processor": platform.processor() or platform.machine(),
        "torch": version("torch"),
        "python": platform.python_version(),
    }
    told = {
        "rows": {name: {**kept["rows"], **rows}[name] for name in ROWS if name in {**kept["rows"], **rows}},
        "curve_ms_per_trial": points or kept.get("curve_ms_per_trial", {}),
        "machine": machine,
    }
    RESULTS.write_text(json.dumps(told, indent=1) + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the rows asked for, print them, keep them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="an eighth of the trials")
    parser.add_argument("--no-curve", action="store_true", help="rows only")
    parser.add_argument("--save", action="store_true", help=f"keep the figures in {RESULTS.name}")
    args = parser.parse_args(arguments)
    rows: dict[str, Any] = {}
    points: dict[int, float] = {}
    with Bench() as bench:
        for name in args.rows:
            rows[name] = measure(bench, ROWS[name], rounds=args.rounds, quick=args.quick)
            print(line(name, rows[name]), flush=True)
        if not args.no_curve:
            points = curve(bench, CURVE_UP_TO // 8 if args.quick else CURVE_UP_TO)
            print(
                f"{CURVE_ROW}, ms of a trial by trials in the search: "
                + "  ".join(f"{n}: {ms:.2f}" for n, ms in points.items())
            )
    if args.save:
        save(rows, points)


if __name__ == "__main__":
    main()
