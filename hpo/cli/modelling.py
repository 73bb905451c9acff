"""The verbs of trained models: model takes one home, predict puts one to work."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hpo.cli import session
from hpo.cli.cells import cell, clean
from hpo.cli.output import (
    Format,
    FormatOption,
    QuietOption,
    StudyArgument,
    YesOption,
    answer,
    fit,
    pairs,
    plural,
    say,
    width_of,
    write_record,
    write_rows,
)
from hpo.cli.tables import table
from hpo.errors import ModelNotKept, SpecError
from hpo.files import write_whole

if TYPE_CHECKING:
    from hpo.client.base import Backend
    from hpo.models import SavedModel

LOOK_S = 1.0
SHOWN = 20  # predictions that people are shown

TrialOption = Annotated[
    int | None, typer.Option("--trial", min=0, metavar="N", help="Whose; the best one's unless given.")
]


def model(
    study: StudyArgument,
    trial: TrialOption = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="The folder to write; else STUDY-N.")
    ] = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="An ONNX graph too, for ONNX Runtime.")] = False,
    yes: YesOption = False,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> None:
    """The best trial's model, or another's, as a folder that numpy can use; trained again if it was not kept."""
    from hpo.models.folder import check_free, folder_files, load_zip, write_folder
    from hpo.service.model_files import check_onnx, onnx_of, stem_of

    if output is not None:
        check_free(output, replace=yes)
    if onnx:
        check_onnx()
    with session.backend() as backend:
        saved = load_zip(_zip_of(backend, study, trial, quiet=quiet))
    folder = output or Path(stem_of(saved))
    files = folder_files(saved, onnx_of(saved) if onnx else None)
    write_folder(folder, files, replace=yes)
    record = {
        "study": study,
        "trial": saved.about.get("trial"),
        "folder": str(folder),
        "files": sorted(files),
        **{name: saved.about.get(name) for name in ("metric", "value", "test")},
    }
    write_record(record, format, _model_text(record))


def _model_text(record: Mapping[str, Any]) -> str:
    value = "" if record["value"] is None else f" ({record['metric']} {cell(record['value'])})"
    return fit(
        clean(
            f"{record['folder']} holds the model of trial {record['trial']} of study {record['study']}{value}: "
            f"{', '.join(record['files'])}"
        ),
        sys.stdout,
    )


def _zip_of(backend: Backend, study: str, trial: int | None, *, quiet: bool) -> bytes:
    """A model's folder as a zip; waits while a server trains it again, or trains it again here."""
    pause, waited = threading.Event(), False
    while True:
        try:
            data = backend.model(study, trial=trial)
        except ModelNotKept as error:
            if backend.server is not None:
                raise
            from hpo.cli.retraining import train_again

            say(f"{error.detail.split(';')[0]}; training it once more", quiet=quiet)
            train_again(study, trial)
            continue
        if data is not None:
            return data
        if not waited:
            say("the model was not kept; the server trains the trial once more", quiet=quiet)
        waited = True
        pause.wait(LOOK_S)


def predict(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model's folder or zip, or a study.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="Rows: CSV, TSV, Parquet, NPZ or JSON.")],
    trial: TrialOption = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to: .csv or .json.")
    ] = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: QuietOption = False,
) -> None:
    """What a model says of rows, and how right it is where they have the target."""
    from hpo.service.predicting import prediction_rows, predictions
    from hpo.service.rows import rows_of_file

    if output is not None and output.suffix.lower() not in (".csv", ".json"):
        raise SpecError(f"must end with .csv or .json, got {str(output)!r}", field="output")
    saved = _model_of(model, trial, quiet=quiet)
    record = predictions(saved, rows_of_file(saved, Path(data)))
    for sentence in (*record["notes"], *_ignored(record)):
        say(sentence, quiet=quiet)
    if output is not None:
        _write(record, output)
        say(f"{output} holds {plural(record['n_rows'], 'prediction')}", quiet=quiet)
        if record["scores"] and format is Format.TABLE:
            answer(clean(pairs(record["scores"])))
        return
    if format is Format.JSON:
        write_record(record, format, "")
    elif format is Format.CSV:
        write_rows(list(prediction_rows(record)), format)
    else:
        answer(_predictions_text(record))


def _ignored(record: Mapping[str, Any]) -> list[str]:
    """What to say of columns that the model does not read."""
    names = record["ignored"]
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return [f"not read: {', '.join(names[:10])}{more}"] if names else []


def _model_of(model: str, trial: int | None, *, quiet: bool) -> SavedModel:
    """The model of a folder, a zip or a study."""
    from hpo.models.folder import load_folder, load_zip

    path = Path(model)
    if "/" in model or path.suffix == ".zip" or (path / "model.json").exists():
        if trial is not None:
            raise SpecError("a folder holds one model; give a study to choose a trial", field="--trial")
        return load_folder(path)
    with session.backend() as backend:
        return load_zip(_zip_of(backend, model, trial, quiet=quiet))


def _write(record: Mapping[str, Any], path: Path) -> None:
    """All predictions as a file, whole or not at all."""
    import io
    import json

    from hpo.service.flat import write_csv
    from hpo.service.predicting import prediction_rows

    text = io.StringIO()
    if path.suffix.lower() == ".json":
        json.dump(record, text, ensure_ascii=False, allow_nan=False)
    else:
        write_csv(prediction_rows(record), text)
    write_whole(path, [text.getvalue().encode()])


def _predictions_text(record: Mapping[str, Any]) -> str:
    """The first predictions as people read them, and the scores."""
    from itertools import islice

    from hpo.service.predicting import prediction_rows

    parts = [table(list(islice(prediction_rows(record), SHOWN)), width=width_of(sys.stdout))]
    if record["n_rows"] > SHOWN:
        parts.append(f"and {plural(record['n_rows'] - SHOWN, 'row')} more: -o FILE.csv has them all")
    if record["scores"]:
        parts.append(f"against the {record['target']} of these rows:\n{pairs(record['scores'], indent=2)}")
    return clean("\n\n".join(parts))
