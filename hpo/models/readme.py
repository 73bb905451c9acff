"""The README of a model's folder: what it is, what it reads, and a program of its own that uses it without hpo."""

from __future__ import annotations

import json
from typing import Any

from hpo.dataset import Task
from hpo.model import BATCH_NORM_EPSILON
from hpo.models.model import Model
from hpo.models.preparing import CATEGORY, DATE, InputColumn
from hpo.models.saved import SavedModel

SHOWN = 8  # columns of the example row
LISTED = 200

_SIGMOID = "1 / (1 + np.exp(-x))"
_SOFTPLUS = "np.logaddexp(0, x)"
# What the program does after each hidden layer; x is [units].
ACTIVATION_LINES: dict[str, str] = {
    "linear": "x",
    "sigmoid": _SIGMOID,
    "tanh": "np.tanh(x)",
    "relu": "np.maximum(x, 0)",
    "leaky_relu": "np.where(x > 0, x, {negative_slope!r} * x)",
    "prelu": 'np.where(x > 0, x, tensors[f"lane{{lane}}.layer{{layer}}.slope"] * x)',
    "elu": "np.where(x > 0, x, {elu_alpha!r} * np.expm1(np.minimum(x, 0)))",
    "maxout": "x.reshape({pieces}, -1).max(axis=0)",
    "gelu": "x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2",
    "silu": f"x * ({_SIGMOID})",
    "selu": "1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))",
    "softplus": _SOFTPLUS,
    "mish": f"x * np.tanh({_SOFTPLUS})",
}
_AFFINE = ('    x = (x - prep["scaling"]["shift"]) / prep["scaling"]["scale"]',)
_PROJECT = ('    x = (x - prep["scaling"]["shift"]) @ tensors[prep["scaling"]["components"]["tensor"]].T',)
_RANK = (
    '    known = tensors[prep["scaling"]["quantiles"]["tensor"]]',
    "    r = np.linspace(0, 1, known.shape[1])",
    "    rank = lambda v, k: (np.interp(v, k, r) - np.interp(-v, -k[::-1], -r[::-1])) / 2",
    "    x = np.array([0.0 if v == k[0] else 1.0 if v == k[-1] else rank(v, k) for v, k in zip(x, known)])",
)
_SCALING_LINES: dict[str, tuple[str, ...]] = {
    "none": _AFFINE,
    "center": _AFFINE,
    "standardize": _AFFINE,
    "minmax": _AFFINE,
    "pca": _PROJECT,
    "whiten": _PROJECT,
    "quantile": _RANK,
}


def readme(saved: SavedModel, *, onnx: bool) -> str:
    """The text of a model's README.md."""
    about, model = saved.about, saved.model
    files = [
        "- `model.json`: what the model is, and every number and name of the preparation of its columns",
        "- `model.safetensors`: its weights (float32), and larger tables of the preparation (float64)",
    ]
    if onnx:
        files.append("- `model.onnx`: preparation and network as one graph, for ONNX Runtime")
    return "\n".join(
        [
            f"# Trial {model.number} of study {about.get('study', '?')}",
            "",
            _what(saved),
            "",
            *files,
            "",
            "With hpo: `hpo predict THIS_FOLDER rows.csv`, or in Python",
            "",
            "```python",
            "from hpo.models import load_folder",
            "",
            f'print(load_folder(".").predict([{_row(saved)}]))',
            "```",
            "",
            "## Columns",
            "",
            *_columns(saved.columns),
            "",
            "A number that is missing counts as the median of the training rows, a category that training did not",
            "have as the others.",
            "",
            "## Without hpo",
            "",
            "numpy and safetensors are enough:",
            "",
            "```python",
            program(saved),
            "```",
            "",
        ]
    )


def _what(saved: SavedModel) -> str:
    """What the model predicts, and how well it did."""
    about, model = saved.about, saved.model
    what = f"It predicts `{_plain(saved.target)}`"
    if model.task is Task.CLASSIFICATION:
        what += f", one of {model.n_classes} classes"
    widths = "-".join(map(str, model.widths))
    what += f", by a network of widths {widths}"
    if len(model.lanes) > 1:
        what += f"; the prediction is the mean of {len(model.lanes)} such networks"
    found = [what + "."]
    if about.get("value") is not None:
        found.append(f"{about.get('metric')} on validation rows: {about['value']:.6g}.")
    test = about.get("test") or {}
    scores = ", ".join(f"{name} {score:.6g}" for name, score in test.items() if name != "scored")
    if scores:
        found.append(f"On test rows: {scores}.")
    return " ".join(found)


def _columns(columns: tuple[InputColumn, ...]) -> list[str]:
    lines = [f"- `{_plain(column.name)}`: {_kind(column)}" for column in columns[:LISTED]]
    if len(columns) > LISTED:
        lines.append(f"- and {len(columns) - LISTED:,} more, see `model.json`")
    return lines


def _kind(column: InputColumn) -> str:
    if column.kind == DATE:
        return "date, as days since 1970-01-01"
    if column.kind != CATEGORY:
        return column.kind
    shown = ", ".join(f"`{_plain(level)}`" for level in column.levels[:SHOWN])
    more = f" and {len(column.levels) - SHOWN} more" if len(column.levels) > SHOWN else ""
    return f"category, as text: {shown}{more}"


def _plain(name: str) -> str:
    """A name inside backticks, on one line."""
    return json.dumps(name, ensure_ascii=False)[1:-1].replace("`", "'")


def example_row(saved: SavedModel) -> dict[str, Any]:
    """A row in the middle of the training rows: medians, and the most frequent categories; of some columns."""
    record = saved.model.preprocessing[0]
    row: dict[str, Any] = dict(zip(record["numbers"], record["medians"], strict=True))
    row |= {entry["name"]: entry["levels"][0] for entry in record["categories"] if entry["levels"]}
    return dict(list(row.items())[:SHOWN])


def _row(saved: SavedModel) -> str:
    return repr(example_row(saved))


def program(saved: SavedModel) -> str:
    """A program that predicts a row with numpy and safetensors alone, and prints probabilities or the value."""
    model = saved.model
    lines = [
        *(["import math"] if model.settings.activation == "gelu" else []),
        "import json",
        "import numpy as np",
        "from safetensors.numpy import load_file",
        "",
        'model, tensors = json.load(open("model.json"))["model"], load_file("model.safetensors")',
        "",
        "def inputs(row, prep):",
        *_input_lines(model),
        "",
        "def network(x, lane):",
        *_network_lines(model),
        "",
        f"row = {_row(saved)}  # what is left out is missing",
        'preps = [model["preprocessing"][fold] for _, fold in model["lanes"]]',
        "print(np.mean([network(inputs(row, prep), lane) for lane, prep in enumerate(preps)], axis=0).tolist())",
    ]
    return "\n".join(lines)


def _input_lines(model: Model) -> list[str]:
    first = model.preprocessing[0]
    lines = [
        '    filled = [m if row.get(n) is None else row[n] for n, m in zip(prep["numbers"], prep["medians"])]',
        "    x = np.array(filled, dtype=float)",
        *_SCALING_LINES[first["scaling"]["kind"]],
        '    x = [*x, *(float(row.get(n) is None) for n in prep["indicators"])]',
        '    for c in prep["categories"]:',
        '        value, words = row.get(c["name"]), c["levels"]',
        "        x += [float(value == word) for word in words]",
        '        x += [float(value is not None and value not in words)] * c["other"]',
        '        x += [float(value is None)] * c["missing"]',
        '    return np.array(x + [0.0] * prep["padding"], dtype=np.float32)',
    ]
    if not any(record["categories"] for record in model.preprocessing):
        lines = [*lines[: lines.index('    for c in prep["categories"]:')], lines[-1]]
    return lines


def _network_lines(model: Model) -> list[str]:
    settings, shape = model.settings, model.shape
    n_hidden = len(shape.hidden)
    knobs = {
        "negative_slope": settings.negative_slope,
        "elu_alpha": settings.elu_alpha,
        "pieces": shape.pieces,
    }
    lines = ['    t = lambda layer, what: tensors[f"lane{lane}.layer{layer}.{what}"]']
    if n_hidden:
        lines += [
            f"    for layer in range({n_hidden}):",
            '        x = t(layer, "weight") @ x + t(layer, "bias")',
        ]
        if shape.batch_norm:
            lines += [
                f'        x = (x - t(layer, "mean")) / np.sqrt(t(layer, "variance") + {BATCH_NORM_EPSILON!r})',
                '        x = x * t(layer, "gamma") + t(layer, "beta")',
            ]
        lines.append(f"        x = {ACTIVATION_LINES[settings.activation].format(**knobs)}")
    lines.append(f'    z = t({n_hidden}, "weight") @ x + t({n_hidden}, "bias")')
    return [*lines, *_output_lines(model)]


def _output_lines(model: Model) -> list[str]:
    """From the output to probabilities, in the order of the classes, or to the value in the target's own unit."""
    if model.task is Task.CLASSIFICATION:
        if model.shared.loss == "cross_entropy":
            return ["    p = np.exp(z - z.max())", "    return p / p.sum()"]
        return ["    p = 1 / (1 + np.exp(-z))", "    return np.concatenate([1 - p, p])"]
    lines = [
        '    scaling = model["preprocessing"][model["lanes"][lane][1]]["target"]["scaling"]',
        '    y = z * scaling["scale"] + scaling["mean"]',
    ]
    logarithmic = model.scaling_of(0).kind == "log1p"
    return [*lines, f"    return {'np.expm1(y)' if logarithmic else 'y'}"]
