"""Who may what: every route has exactly one role, and every role is held to it."""

import re

import pytest
from fastapi.routing import APIRoute

from hpo.account import Role
from hpo.api.app import OUTSIDE, PREFIX, ROUTERS
from hpo.api.deps import Admin, Submitter, Viewer
from hpo.api.guard import PUBLIC, PUBLIC_FOLDERS

ROUTES = [
    (method, route)
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods)
]
CHECKS = {
    alias.__metadata__[0].dependency: role
    for alias, role in zip((Viewer, Submitter, Admin), Role, strict=True)
}

# The rule: to look needs a viewer, to change a submitter. And what is otherwise:
FOR_ADMINS = re.compile(r"/keys.*")
FOR_VIEWERS = re.compile(r"/studies:validate|.*/predict")


def role_of(method, path):
    """The role that a route should need."""
    if FOR_ADMINS.fullmatch(path):
        return Role.ADMIN
    if method in ("GET", "HEAD") or FOR_VIEWERS.fullmatch(path):
        return Role.VIEWER
    return Role.SUBMITTER


def checks_of(dependant):
    """The roles that a route asks for, wherever among its dependencies."""
    own = [CHECKS[dependant.call]] if dependant.call in CHECKS else []
    return own + [role for inner in dependant.dependencies for role in checks_of(inner)]


@pytest.mark.parametrize(("method", "route"), ROUTES, ids=[f"{m} {r.path}" for m, r in ROUTES])
def test_a_route_needs_exactly_one_role_and_the_right_one(method, route):
    assert checks_of(route.dependant) == [role_of(method, route.path)]


def test_no_route_is_open_but_those_that_are_known(keyed):
    outside = {route.path for router in OUTSIDE for route in router.routes}
    closed = [
        re.sub(r"\{[^}]*\}", "nothing", path)
        for path in outside - set(PUBLIC)
        if not path.startswith(PUBLIC_FOLDERS)
    ]

    assert {"/dashboard", "/metrics"} <= set(closed)
    assert {path: keyed.ask("GET", path).status_code for path in closed} == dict.fromkeys(closed, 401)


def test_every_route_holds_every_role_to_it(keyed):
    wrong = []
    for method, route in ROUTES:
        needed = role_of(method, route.path)
        path = PREFIX + route.path.replace("{number}", "0").replace("{n}", "0").replace("{name}", "nothing")
        path = re.sub(r"\{[^}]*\}", "nothing", path)
        for role in (None, *Role):
            body = {} if method in ("GET", "DELETE") else {"json": {}}
            status = keyed.ask(method, path, role and role.value, **body).status_code
            refused = {401} if role is None else set() if role.includes(needed) else {403}
            if (refused and status not in refused) or (not refused and status in (401, 403, 500)):
                wrong.append((method, path, role, status))

    assert wrong == []
