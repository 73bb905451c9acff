"""The addresses of the pages; a page that is about a study or a trial is there only if that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from hpo.account import Account, Role
from hpo.api.deps import SiteOf, StorageOf, Submitter, Viewer
from hpo.api.names import StudyName, TrialNumber, Word
from hpo.api.pages.faces import SIGN_IN
from hpo.api.pages.rendering import page
from hpo.figures.catalogue import FIGURES
from hpo.service import diagnosing, forking, results, spaces, specfile
from hpo.service.choices import PRUNERS, SAMPLERS
from hpo.service.datasets import page as datasets_page
from hpo.service.figure_choices import AXES, choices
from hpo.service.figure_source import Source
from hpo.service.figure_surface import has_plane
from hpo.service.paging import MAX_PAGE
from hpo.states import StudyState, TrialState
from hpo.storage.base import Storage
from hpo.study import Study

router = APIRouter(include_in_schema=False)

# In the order of the page; those that a study has no use for say so in a sentence.
FIGURES_OF_A_STUDY = tuple(FIGURES)
MOST_COMPARED = 8  # lines of one picture that can be told apart

Begun = Annotated[Word | None, Query()]  # the study whose file a form begins with
After = Annotated[Word | None, Query(alias="next")]  # or the one whose diagnosis proposes it


@router.get("/")
def studies(request: Request, _: Viewer) -> Response:
    """All studies."""
    return page(request, "studies", "Studies", states=list(StudyState))


@router.get("/studies/{name}")
def study(request: Request, name: StudyName, account: Viewer, storage: StorageOf) -> Response:
    """One study. Raises StudyNotFound."""
    found = storage.get_study(name)
    spec = specfile.from_json(found.spec)
    return page(
        request,
        "study",
        name,
        description=spec.description,
        external=spec.external,
        file=specfile.to_yaml(spec),
        figures=[_drawn(Source(storage, found), figure) for figure in FIGURES_OF_A_STUDY],
        may_move=_may_move(account, found),
        may_submit=account.role.includes(Role.SUBMITTER),
        states=list(TrialState),
    )


class Drawn(NamedTuple):
    """A figure of a page. choices: what of it may be chosen, option -> its values; axes: those of values"""

    name: str
    shows: str
    choices: Mapping[str, Sequence[str]]
    axes: str


def _drawn(source: Source, figure: str) -> Drawn:
    return Drawn(figure, FIGURES[figure].shows, choices(source, figure), AXES.get(figure, ""))


@router.get(SIGN_IN)
def sign_in(request: Request, site: SiteOf) -> Response:
    """Where a key becomes a cookie."""
    if not site.auth:
        return RedirectResponse("/", status_code=303)
    query = f"?{request.url.query}" if request.url.query else ""
    return page(request, "login", "Sign in", action=f"{SIGN_IN}{query}", wrong=None)


@router.get("/studies/{name}/trials/{number}")
def trial(
    request: Request, name: StudyName, number: TrialNumber, account: Viewer, storage: StorageOf
) -> Response:
    """One trial. Raises StudyNotFound, TrialNotFound."""
    found = storage.get_study(name)
    storage.get_trial(name, number)
    spec = specfile.from_json(found.spec)
    return page(
        request,
        "trial",
        f"Trial {number} of {name}",
        name=name,
        number=number,
        external=spec.external,
        surface=FIGURES["surface"].shows if has_plane(found, spec) else None,
        may_move=_may_move(account, found),
    )


@router.get("/submit")
def submit(
    request: Request, _: Submitter, storage: StorageOf, fork: Begun = None, after: After = None
) -> Response:
    """A form for a study file, checked as it is typed: empty, or with the file of a study. Raises StudyNotFound."""
    return page(
        request,
        "submit",
        "Submit a study",
        file=_begin(storage, fork, after),
        datasets=datasets_page(storage, limit=MAX_PAGE)["items"],
        spaces=spaces.listed(),
        samplers=SAMPLERS,
        pruners=PRUNERS,
    )


def _begin(storage: Storage, fork: str | None, after: str | None) -> str:
    """The study file that a form begins with."""
    if fork is not None:
        return forking.text_of(forking.draft_of_study(storage, fork, {}))
    if after is not None:
        found = diagnosing.diagnosis(storage, after)
        return diagnosing.next_file(found, results.show(storage, after))
    return ""


@router.get("/datasets")
def datasets(request: Request, account: Viewer) -> Response:
    """Data sets: those there are, and one's own."""
    return page(request, "datasets", "Data sets", may_add=account.role.includes(Role.SUBMITTER))


@router.get("/workers")
def workers(request: Request, _: Viewer) -> Response:
    """The coordinators that serve, and what their slots do."""
    return page(request, "workers", "Workers")


@router.get("/compare")
def compare(
    request: Request,
    _: Viewer,
    storage: StorageOf,
    names: Annotated[list[Word], Query(alias="study")] = [],  # noqa: B006
) -> Response:
    """Several studies side by side. Raises StudyNotFound."""
    for name in names[:MOST_COMPARED]:
        storage.get_study(name)
    return page(request, "compare", "Compare studies", names=list(dict.fromkeys(names))[:MOST_COMPARED])


def _may_move(account: Account, study: Study) -> bool:
    """Whether buttons that change a study are shown; the server checks again when they are pressed."""
    return account.role is Role.ADMIN or (
        account.role.includes(Role.SUBMITTER) and study.owner in (None, account.owner)
    )
