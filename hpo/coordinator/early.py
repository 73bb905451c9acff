"""Bring a driven study to an early end, as its rules or somebody's wish have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo.states import StudyState

if TYPE_CHECKING:
    from hpo.coordinator.drive import Drive


def obey_rules(drive: Drive) -> None:
    """End a study if a rule of its file says so. Raises StudyFailed for too many failures, and LeaseLost."""
    verdict = drive.rules.check()
    if verdict is None:
        return
    if not drive.stopping:
        stop(drive, verdict.reason, counted=verdict.counted, at_once=verdict.at_once)
    if verdict.at_once:
        for flight in drive.flights.values():
            if not flight.called_in:
                flight.called_in = True
                drive.pool.keep(flight.id, ())


def _withdraw(drive: Drive) -> None:
    """Take back what still waits for its turn at a pool that others use too: it has not begun.

    Who is judged stays: the others of his bracket may train already.
    """
    training = {slot.task for slot in drive.pool.slots()}
    for flight in drive.flights.values():
        if flight.id not in training and flight.work.contest is None and not flight.work.losses.any():
            flight.withdrawn = True
            drive.pool.cancel(flight.id)


def stop(
    drive: Drive, reason: str | None = None, *, counted: int | None = None, at_once: bool = False
) -> None:
    """Begin no further trial. Raises LeaseLost.

    reason: None when somebody wants it; counted: see Study; at_once: the running ones are called in too
    """
    claim = drive.claim
    study = drive.write(
        lambda: drive.storage.move_claimed(claim, StudyState.STOPPING, reason=reason, counted=counted)
    )
    drive.state, drive.reason = study.state, reason
    begun = [work for work in drive.ready if work.begun]
    drive.ready.clear()  # in place: others hold it too
    drive.ready += begun
    if counted is not None:
        best = drive.write(lambda: drive.storage.best_trials(claim.name))
        drive.tally.count_only(counted, best[0] if best else None)
    _withdraw(drive)
    running = "end with their best so far" if at_once else "finish"
    drive.show(message=f"{reason or 'stopping'}: no further trials begin, the running ones {running}")
