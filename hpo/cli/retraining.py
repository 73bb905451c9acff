"""Train a trial once more in this terminal, for the model that was not kept."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from hpo.cli import session
from hpo.cli.running import RunOptions, started_pool


def train_again(study: str, number: int | None) -> None:
    """Train a finished trial, or the best one, again and keep its model. Raises NotRepeatable, DataChanged, DataError."""
    from hpo.coordinator.loop import Job
    from hpo.coordinator.retraining import retrain
    from hpo.service import datasets, kept_models, specfile, submit

    with ExitStack() as stack:
        opened = session.opener(stack)
        found, trial = kept_models.chosen(opened(), study, number)
        pool = stack.enter_context(started_pool(RunOptions(workers=1)))
        # The worker imports torch meanwhile.
        spec = specfile.from_json(found.spec)
        data = datasets.prepared(
            spec, scalings=submit.scalings_of(spec), folder=Path(found.folder or "."), storage=opened
        )
        model = retrain(opened(), pool, Job(name=study, spec=spec, data=data), trial.number)
        opened().fulfil_request(study, model)
