"""The verb doctor: is this installation well, and what to do if not."""

from __future__ import annotations

from dataclasses import asdict

from hpo.cli.output import Format, FormatOption, QuietOption, answer, clean, write_rows


def doctor(format: FormatOption = Format.TABLE, quiet: QuietOption = False) -> int:  # noqa: A002
    """Check versions, database, disk, cores, torch and GPU; exit 1 when something is wrong."""
    from hpo.service.doctor import checks
    from hpo.settings import read_settings

    found = checks(read_settings())
    if format is Format.TABLE:
        for check in found:
            line = f"{'ok' if check.ok else 'problem':<8}{check.name:<9} {check.found}"
            if not (quiet and check.ok):
                answer(clean(line + (f"; {check.cure}" if check.cure else "")))
    else:
        write_rows([asdict(check) for check in found], format)
    return 0 if all(check.ok for check in found) else 1
