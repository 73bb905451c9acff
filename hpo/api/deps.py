"""What routes ask for: the site, the database, who asks and whether they may.

None of these waits for anything, and so they are `async`: each plain function would go to another thread and back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, cast

from fastapi import Depends, Request

from hpo.account import ANYBODY, Account, Role
from hpo.api.site import Site
from hpo.errors import NotAllowed
from hpo.storage.base import Storage


async def site_of(request: Request) -> Site:
    """The site of the process."""
    return cast(Site, request.app.state.site)


async def storage_of(request: Request) -> Storage:
    """The open database."""
    return (await site_of(request)).storage


async def account_of(request: Request) -> Account:
    """Who asks, as the guard found out."""
    return cast(Account, getattr(request.state, "account", ANYBODY))


def needs(role: Role) -> Callable[[Request], Awaitable[Account]]:
    """A dependency that lets only accounts of a role, or a higher one, pass. Every route has one."""

    async def checked(request: Request) -> Account:
        account = await account_of(request)  # called: a dependency of its own would cost as much as the check
        if not account.role.includes(role):
            raise NotAllowed(f"needs the role {role}, this key has {account.role}")
        return account

    return checked


SiteOf = Annotated[Site, Depends(site_of)]
StorageOf = Annotated[Storage, Depends(storage_of)]
Viewer = Annotated[Account, Depends(needs(Role.VIEWER))]
Submitter = Annotated[Account, Depends(needs(Role.SUBMITTER))]
Admin = Annotated[Account, Depends(needs(Role.ADMIN))]
