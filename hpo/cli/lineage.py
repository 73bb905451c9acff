"""One trial as people read it, with what it inherited from others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpo.cli.cells import cell
from hpo.cli.output import pairs, plural
from hpo.cli.phrases import values_by_metric, with_stderr


def trial_text(record: Mapping[str, Any], *, width: int | None = None) -> str:
    """All there is to say of a trial."""
    from hpo.service.facts import sentence

    lines = {
        "trial": f"{record['number']} of {record['study']}",
        "state": record["state"] + (f", {record['reason']}" if record["reason"] else ""),
        record["metric"]: with_stderr(record["value"], record["stderr"])
        if record["value"] is not None
        else None,
        "values": values_by_metric(record) if record.get("values") else None,
        "feasible": record.get("feasible"),
        "epochs": record["epochs"],
        "best epoch": record["best_epoch"],
        "retry of": record["retry_of"],
        "training": sentence(record["facts"]),
        "started": record["started_at"],
        "finished": record["finished_at"],
    }
    parts = [pairs({name: value for name, value in lines.items() if value is not None}, width=width)]
    if record["params"]:
        parts += ["params", pairs(record["params"], indent=2)]
    parts += lineage_lines(record)
    if record["fixed"]:
        parts += ["fixed", pairs(record["fixed"], indent=2)]
    if record["repeat"]:
        parts += ["to train it once more", *(f"  {command}" for command in record["repeat"])]
    return "\n".join(parts)


def lineage_lines(record: Mapping[str, Any]) -> list[str]:
    """What a trial inherited, and which of its values differ from those it had before; nothing if it did not.

    >>> step = {"epoch": 6, "source": 12, "params": {"learning_rate": 0.012, "optimizer": "adam"}}
    >>> trial = {"params": {"learning_rate": 0.5, "optimizer": "adam"}, "lineage": [step]}
    >>> lineage_lines(trial)
    ['inherited', '  epoch 6: from trial 12, learning_rate 0.012']
    """
    lines, before = [], record["params"]
    for step in record.get("lineage", ()):
        after = step["params"]
        changes = {name: value for name, value in after.items() if before.get(name, _NOTHING) != value}
        texts = [f"{name} {cell(value)}" for name, value in changes.items()]
        texts += [f"no {name}" for name in before if name not in after]
        lines.append(", ".join([f"  epoch {step['epoch']}: from trial {step['source']}", *texts]))
        before = after
    return ["inherited", *lines] if lines else []


def inherited_text(record: Mapping[str, Any]) -> str | None:
    """How many trials of a study went on from another; None for a study without populations.

    >>> inherited_text({"n_inherited": 0, "n_finished": 1}), inherited_text({})
    ('0 of 1 trial went on from another one', None)
    """
    if "n_inherited" not in record:
        return None
    return f"{record['n_inherited']:,} of {plural(record['n_finished'], 'trial')} went on from another one"


_NOTHING = object()
