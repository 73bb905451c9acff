"""Break the parts of running searches at random, and let the checker judge what is left; `make chaos` plays a hundred.

`python -m tests.chaos.rounds --rounds 10 --home DIR`: each round is a stage, a database, a few studies and a few faults,
drawn by the round's number and the seed, in a sandbox of its own. A line a round; exit code 1 if anything was wrong.
`--round N --seed S` plays one again: the same stage, studies and faults, at about the same moments. `--strike` names what
happens instead, in this order, each while a study of its own runs, and each must hit somebody.
"""

from __future__ import annotations

import argparse
import os
import random
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.chaos import checker, sandbox
from tests.chaos.faults import FAULTS
from tests.chaos.plans import draw, named
from tests.chaos.play import Play
from tests.chaos.programs import CHECKOUT, HPO, faketime
from tests.chaos.stages import STAGES
from tests.chaos.studies import STUDIES, file_of

DATABASES = ("sqlite", "postgres")
ROUND_S = 420.0
HIT = "hit: "


def within(words: argparse.Namespace) -> int:
    """Play one round, in the sandbox that this process is in."""
    sandbox.enter()
    number = words.round
    dice = random.Random(f"{words.seed} {number}")
    plan = draw(words, number, dice)
    print(plan, flush=True)
    out = words.home / f"round-{number}"
    texts = {name: file_of(name, trials=words.trials, epochs=words.epochs) for name in plan.studies}
    play = Play(plan, out, texts, dice)
    try:
        play.play()
        play.judge(reference_of(words))
    except TimeoutError as error:
        play.wrong.append(str(error))
    finally:
        play.close()
        if play.wrong:  # what is in memory goes with the sandbox
            for disk in sandbox.DISKS:
                shutil.copytree(sandbox.ROOT / disk, out / disk, ignore=_no_files)
    print(HIT + (", ".join(f"{fault} {n_hit}" for fault, n_hit in play.hits) or "nothing"))
    print("\n".join(play.wrong), flush=True)
    return 1 if play.wrong else 0


def _no_files(folder: str, names: list[str]) -> list[str]:
    """Sockets and the like, which cannot be copied."""
    there = Path(folder)
    return [name for name in names if not ((there / name).is_file() or (there / name).is_dir())]


def whole_of(words: argparse.Namespace) -> Path:
    """The home of the undisturbed studies of this size."""
    return Path(words.home) / f"whole-{words.trials}-{words.epochs}"


def reference_of(words: argparse.Namespace) -> str:
    """The database of the undisturbed studies."""
    return f"sqlite:///{whole_of(words)}/hpo.db"


def undisturbed(words: argparse.Namespace, studies: Sequence[str]) -> None:
    """Each study alone, by the local pool on SQLite: what all others are compared with."""
    home = whole_of(words)
    home.mkdir(parents=True, exist_ok=True)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HPO_", "RAY_"))}
    environment = kept | {"HPO_HOME": str(home), "PYTHONPATH": str(CHECKOUT)}
    there = checker.states(reference_of(words))
    for name in studies:
        if name not in there:
            (home / f"{name}.yaml").write_text(file_of(name, trials=words.trials, epochs=words.epochs))
            command = [*HPO, "run", f"{name}.yaml", "--pool", "local", "--workers", "2", "--quiet"]
            subprocess.run(
                [*sandbox.TIED, *command], env=environment, cwd=home, check=True, stdout=subprocess.DEVNULL
            )


def main() -> int:
    """Play the rounds, each in a sandbox of its own."""
    words = read_words()
    if words.within:
        return within(words)
    if (reason := sandbox.missing()) is not None:
        print(f"no round was played: {reason}")
        return 2
    if (reason := sandbox.no_postgres()) is not None and "postgres" in words.databases:
        print(f"without PostgreSQL: {reason}")
        words.databases = ["sqlite"]
    if faketime() is None:
        print("without steps of a clock: this machine has no libfaketime")
    undisturbed(words, words.studies or list(STUDIES))
    numbers = [words.round] if words.round is not None else range(words.first, words.first + words.rounds)
    n_wrong = sum(not alone(words, number) for number in numbers)
    print(f"{len(numbers)} rounds, {n_wrong} with findings")
    return 1 if n_wrong else 0


def alone(words: argparse.Namespace, number: int) -> bool:
    """Play a round in a sandbox of its own, and say how it went; whether it went well. What is wrong is kept."""
    out = words.home / f"round-{number}"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    command = [sys.executable, "-m", "tests.chaos.rounds", *sys.argv[1:], "--within", "--round", str(number)]
    command = sandbox.inside([*command, "--databases", *words.databases])
    began = time.monotonic()
    with (out / "round.log").open("w") as log:
        try:
            code = subprocess.run(
                command, cwd=CHECKOUT, stdout=log, stderr=log, timeout=words.limit
            ).returncode
        except subprocess.TimeoutExpired:
            code = 1
            print(f"not over after {words.limit:g} s", file=log)
    lines = (out / "round.log").read_text().strip().splitlines()
    told = [*lines[:1], *(line for line in lines if line.startswith(HIT))]
    wrong = [line for line in lines if line not in told]
    well = code == 0
    took_s = time.monotonic() - began
    print(f"round {number}: {'ok' if well else 'WRONG'}, {took_s:.0f} s, {'; '.join(told)}", flush=True)
    if well:
        shutil.rmtree(out)
        return True
    print("\n".join(f"    {line}" for line in wrong))
    print(f"    kept in {out}; again: {again(number)}", flush=True)
    return False


def again(number: int) -> str:
    """The command line that plays a round once more."""
    return f"python -m tests.chaos.rounds {shlex.join(sys.argv[1:])} --round {number}"


def _strike(words: str) -> str:
    try:
        named(words, study="")
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}: say it as in 'silence node1 6'") from error
    return words


def _folder(word: str) -> Path:
    return Path(word).absolute()


def read_words() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first round's number")
    parser.add_argument("--round", type=int, default=None, help="this one only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stages", nargs="*", choices=list(STAGES), default=list(STAGES))
    parser.add_argument("--databases", nargs="*", choices=DATABASES, default=list(DATABASES))
    parser.add_argument("--studies", nargs="*", choices=list(STUDIES), default=None)
    parser.add_argument("--faults", nargs="*", choices=list(FAULTS), default=None)
    parser.add_argument(
        "--strike", nargs="*", type=_strike, help="these blows, as 'silence node1 6', in this order"
    )
    parser.add_argument(
        "--limit", type=float, default=ROUND_S, help="seconds after which a round is given up"
    )
    parser.add_argument(
        "--blows", type=int, help="how often it is hit; by default as often as a minute allows"
    )
    parser.add_argument("--held", type=float, default=18.0, help="for how many seconds in all")
    parser.add_argument("--trials", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--home", type=_folder, required=True)
    parser.add_argument("--within", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
