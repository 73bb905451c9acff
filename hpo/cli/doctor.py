"""The verb doctor: is this installation well, and what to do if not."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING

from hpo.cli import session
from hpo.cli.cells import clean
from hpo.cli.output import Format, FormatOption, QuietOption, answer, write_rows
from hpo.errors import HpoError

if TYPE_CHECKING:
    from hpo.checkup import Check
    from hpo.settings import Settings


def doctor(format: FormatOption = Format.TABLE, quiet: QuietOption = False) -> int:  # noqa: A002
    """Check versions, database, keys, disk, cores, torch and GPU, the Ray cluster and the server if one is named.

    Exit 1 when something is wrong.
    """
    from hpo.service.doctor import checks
    from hpo.workers.ray_checks import cluster_checks

    settings = session.settings()
    found = [*checks(settings), *cluster_checks(os.environ, settings.home), *_server(settings)]
    if format is Format.TABLE:
        for check in found:
            line = f"{'ok' if check.ok else 'problem':<8}{check.name:<9} {check.found}"
            if not (quiet and check.ok):
                answer(clean(line + (f"; {check.cure}" if check.cure else "")))
    else:
        write_rows([asdict(check) for check in found], format)
    return 0 if all(check.ok for check in found) else 1


def _server(settings: Settings) -> list[Check]:
    """Whether the server answers that --server or HPO_SERVER names, with the key that is set."""
    from hpo.checkup import Check

    if settings.server is None:
        return []
    try:
        with session.backend() as server:
            version, coordinators = server.version()["hpo"], server.workers()
    except HpoError as error:
        cure = "start it with `hpo serve`, or set HPO_SERVER and HPO_API_KEY to those of yours"
        return [Check(name="server", ok=False, found=str(error), cure=cure)]
    found = f"{settings.server} runs hpo {version}"
    if not coordinators:
        cure = "start one where the server runs: `hpo serve --only coordinator`"
        return [
            Check(
                name="server", ok=False, found=f"{found}, and no coordinator that trains studies", cure=cure
            )
        ]
    return [Check(name="server", ok=True, found=f"{found}, {len(coordinators)} coordinator(s)")]
