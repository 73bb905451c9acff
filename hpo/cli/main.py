"""The program `hpo`: its verbs, and the one door at which errors become a sentence and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from hpo import __version__
from hpo.account import hide_secrets
from hpo.cli import (
    adding,
    checking,
    data,
    db,
    exporting,
    keys,
    looking,
    modelling,
    moving,
    reporting,
    searching,
    watching,
    where,
)
from hpo.cli.cells import clean
from hpo.cli.diagnosing import diagnose
from hpo.cli.doctor import doctor
from hpo.cli.entry import INTERRUPTED
from hpo.cli.forking import fork
from hpo.cli.log import set_up_log
from hpo.cli.output import fit
from hpo.cli.serving import serve
from hpo.cli.submitting import submit
from hpo.cli.terminal import has_colour, painted
from hpo.cli.validating import validate
from hpo.errors import HpoError
from hpo.settings import read_settings

COMPLETE = "_HPO_COMPLETE"  # set by a shell that asks how a word may go on

# One line that works as it stands, for the help of each verb; "": of the program itself.
EXAMPLES: dict[str, str] = {
    "": "hpo run --data digits --trials 64",
    "run": "hpo run --data digits --trials 64 --set parameters.dropout=0.2",
    "submit": "hpo submit study.yaml --watch --server http://localhost:8000",
    "validate": "hpo validate study.yaml",
    "serve": "hpo serve --port 8000 --pool local",
    "check": "hpo check --data digits --set parameters.optimizer=sgd",
    "ls": "hpo ls --state running",
    "show": "hpo show digits",
    "watch": "hpo watch digits",
    "trials": "hpo trials digits --sort -value --limit 10",
    "best": "hpo best digits --top 5 -f json",
    "pause": "hpo pause digits",
    "resume": "hpo resume digits --trials 512",
    "stop": "hpo stop digits",
    "cancel": "hpo cancel digits",
    "rm": "hpo rm digits --yes",
    "enqueue": "hpo enqueue digits learning_rate=1e-3 optimizer=adam",
    "retry": "hpo retry digits --trial 7",
    "fork": "hpo fork digits --set trials=512 --set seed=1",
    "export": "hpo export digits -o trials.parquet",
    "report": "hpo report digits -o digits.html",
    "model": "hpo model digits --trial 7 -o digits-7 --onnx",
    "predict": "hpo predict digits-7 rows.csv -o predictions.csv",
    "spaces": "hpo spaces mlp-default",
    "diagnose": "hpo diagnose digits --trial 7",
    "doctor": "hpo doctor",
    "data": "hpo data show table.csv --target label",
    "data add": "hpo data add table.csv --name wine-red",
    "data ls": "hpo data ls",
    "data show": "hpo data show table.csv --target label",
    "data rm": "hpo data rm wine-red --yes",
    "db": "hpo db status",
    "db status": "hpo db status -f json",
    "db upgrade": "hpo db upgrade --yes",
    "keys": "hpo keys create ada --role submitter --expires 30d",
    "keys create": "hpo keys create ada --role submitter --expires 30d",
    "keys ls": "hpo keys ls -f json",
    "keys revoke": "hpo keys revoke key_1f2e3d4c5b6a",
}

app = typer.Typer(
    name="hpo",
    help="Search hyperparameters of multilayer perceptrons: hundreds of trials train as one tensor program.",
    rich_markup_mode=None,  # rich takes longer to import than all else that `hpo --help` does
    pretty_exceptions_enable=False,
    epilog=f"Example: {EXAMPLES['']}",
)
data_app = typer.Typer(help="Data sets: add, ls, show, rm.", rich_markup_mode=None)
db_app = typer.Typer(help="The database itself: status, upgrade.", rich_markup_mode=None)
keys_app = typer.Typer(help="API keys of a server: create, ls, revoke.", rich_markup_mode=None)

VERBS: dict[str, Callable[..., Any]] = {
    "run": searching.run,
    "submit": submit,
    "validate": validate,
    "serve": serve,
    "check": checking.check,
    "ls": looking.ls,
    "show": looking.show,
    "watch": watching.watch,
    "trials": looking.trials,
    "best": looking.best,
    "pause": moving.pause,
    "resume": searching.resume,
    "stop": moving.stop,
    "cancel": moving.cancel,
    "rm": moving.rm,
    "enqueue": adding.enqueue,
    "retry": adding.retry,
    "fork": fork,
    "export": exporting.export,
    "report": reporting.report,
    "model": modelling.model,
    "predict": modelling.predict,
    "spaces": looking.spaces,
    "diagnose": diagnose,
    "doctor": doctor,
}
DATA_VERBS: dict[str, Callable[..., Any]] = {
    "add": data.add,
    "ls": data.ls,
    "show": data.show,
    "rm": data.rm,
}
DB_VERBS: dict[str, Callable[..., Any]] = {"status": db.status, "upgrade": db.upgrade}
KEYS_VERBS: dict[str, Callable[..., Any]] = {
    "create": keys.create,
    "ls": keys.ls,
    "revoke": keys.revoke,
}
# Families of verbs that stand behind a word of their own.
FAMILIES: dict[str, tuple[typer.Typer, dict[str, Callable[..., Any]]]] = {
    "data": (data_app, DATA_VERBS),
    "keys": (keys_app, KEYS_VERBS),
    "db": (db_app, DB_VERBS),
}

# What the option parser says of a word that it cannot use, and what we say: `--limit: must be …`.
_MISFITS = {
    "unable to parse string as an integer": "must be a whole number",
    "greater than or equal to": "must be at least",
    "is not one of": "must be one of",
}


def _version(wanted: bool) -> None:
    if wanted:
        print(f"hpo {__version__}")
        raise typer.Exit()


@app.callback()
def _hpo(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Search hyperparameters of multilayer perceptrons: hundreds of trials train as one tensor program."""


def _add(to: typer.Typer, words: str, verb: Callable[..., Any]) -> None:
    """A verb with its example; a list of verbs says the whole of its first line, not the first 45 letters."""
    about = (verb.__doc__ or "").split("\n")[0]
    to.command(words.split()[-1], short_help=about, epilog=f"Example: {EXAMPLES[words]}")(
        where.placed(words, verb)
    )


for _name, _verb in VERBS.items():
    _add(app, _name, _verb)
for _family, (_app, _verbs) in FAMILIES.items():
    for _name, _verb in _verbs.items():
        _add(_app, f"{_family} {_name}", _verb)
    app.add_typer(_app, name=_family, epilog=f"Example: {EXAMPLES[_family]}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; the exit code. Every error ends as one sentence on standard error."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        code = _reader_left()
    return code


def _run(given: list[str]) -> int:
    try:
        if COMPLETE not in os.environ:  # a shell that asks for words wants no complaints
            set_up_log(read_settings().log)
        alone = not given or (len(given) == 1 and given[0] in FAMILIES)
        code = app([*given, "--help"] if alone else given, prog_name="hpo", standalone_mode=False)
        return int(code or 0)
    except HpoError as error:
        return _tell(str(error), error.exit_code)
    except typer.TyperException as error:
        return _tell(_usage(error, given), error.exit_code)
    except typer.Abort:
        return _tell("answered no; nothing was done", 1)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except SystemExit:  # what typer makes of a pipe that nobody reads any more
        raise BrokenPipeError from None
    except MemoryError:
        return _tell("there is not enough memory for that", 1)
    except Exception as error:  # noqa: BLE001 - the door: told in a sentence, kept in the log
        return _tell(_unexpected(error), 1)


def _tell(sentence: str, code: int) -> int:
    mark = "error:"
    said = fit(clean(f"{mark} {sentence}"), sys.stderr).removeprefix(mark)
    print(painted(mark, "bad", colour=has_colour(sys.stderr)) + said, file=sys.stderr)
    return code


def _usage(error: typer.TyperException, given: list[str]) -> str:
    """What is wrong with the words typed, in the style of all other errors."""
    message = error.format_message().strip().rstrip(".")
    message = _misfit(error, message) or message[:1].lower() + message[1:]
    if "Did you mean" in message:
        return message.replace(". Did you mean", "; did you mean")
    verb = [word for word in given[:1] if word in VERBS or word in FAMILIES]
    return f"{message}; `{' '.join(['hpo', *verb])} --help` shows what there is"


def _misfit(error: typer.TyperException, message: str) -> str | None:
    """A word that does not fit its option, in the words of the study file's errors."""
    if not isinstance(error, typer.BadParameter) or error.param is None:
        return None
    for sign, sentence in _MISFITS.items():
        _, found, after = message.partition(sign)
        if found:
            return f"{error.param.opts[-1]}: {sentence}{after}"
    return None


def _unexpected(error: Exception) -> str:
    """Keep the traceback in the log and say where."""
    trace = hide_secrets("".join(traceback.format_exception(error)))
    if "debug" in os.environ.get("HPO_LOG", ""):
        print(trace, file=sys.stderr)
    what = hide_secrets(f"{type(error).__name__}: {error}").splitlines()[0]
    try:
        path = read_settings().home / "log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            log.write(hide_secrets(f"{datetime.now(UTC).isoformat()} {' '.join(sys.argv)}\n{trace}\n"))
    except (OSError, HpoError):
        return f"hpo itself failed ({what}); HPO_LOG=debug shows where"
    return f"hpo itself failed ({what}); {path} has the details"


def _reader_left() -> int:
    """`| head` has seen enough: quiet, and no complaint when Python flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
