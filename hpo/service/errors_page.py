"""Write the reference page of all errors from their classes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from hpo import errors
from hpo.errors import HpoError

# What the command line ends with, besides the exit codes of errors.
EXIT_CODES = {
    0: "done",
    1: "an error of another kind; nothing, or nothing more, was done",
    2: "what was typed or written cannot be: the study file, an option, the data",
    3: "the study ended without a usable result, or `hpo check` found fault",
    4: "there is no such study, trial, data set, model, figure, space or key",
    5: "an API key is missing or does not allow that",
    130: "interrupted by Ctrl-C; a study is paused, `hpo resume` goes on",
}
# What the API answers where no error of ours was raised.
OF_HTTP = {
    "not_found": (404, "nothing is at this address"),
    "method_not_allowed": (405, "this address does not take that method; Allow says which"),
    "http_error": (400, "what the framework refuses otherwise"),
    "internal": (500, "the server itself failed; its log has the details"),
}
_INTRO = """\
# Errors

<!-- Written from the classes in hpo/errors.py by `make docs`: change those. -->

Every error is one sentence with its place and, where there is one, a cure. It is the same at every door:

- on the command line a line on standard error, `error: PLACE: SENTENCE`, and an exit code;
- over REST `application/problem+json` (RFC 9457) with `status`, `code`, `detail` (the sentence) and `path` (the place);
- in Python, of `hpo.client` too, an exception of that class in `hpo.errors`, all of them `HpoError`.

`code` never changes, sentences may. The sentence below is the one that is said when nothing more is known.
"""


def classes() -> list[type[HpoError]]:
    """Every class of error, in the order in which they are written down."""
    return [
        kind
        for kind in vars(errors).values()
        if inspect.isclass(kind) and issubclass(kind, HpoError) and kind.__module__ == errors.__name__
    ]


def page() -> str:
    """The page in Markdown."""
    exits = "".join(f"| {code} | {means} |\n" for code, means in EXIT_CODES.items())
    return "\n".join(
        [
            _INTRO,
            f"## Exit codes\n\n| code | means |\n|---|---|\n{exits}",
            "## Codes\n\n| code | class | status | exit code | sentence |\n|---|---|---|---|---|\n"
            + "".join(_rows()),
        ]
    )


def _rows() -> Iterator[str]:
    for kind in classes():
        yield f"| `{kind.code}` | {kind.__name__} | {kind.status} | {kind.exit_code} | {kind().detail} |\n"
    for code, (status, sentence) in OF_HTTP.items():
        yield f"| `{code}` | | {status} | | {sentence} |\n"
