"""Who asks: roles, accounts, API keys, quotas."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

# A secret is a mark to know it by and 256 random bits: that of an API key, that of a session (in a cookie).
SECRET_MARK, SESSION_MARK = "hpo_", "hps_"
_SECRET = re.compile(r"(hp[os]_)[A-Za-z0-9_-]{43}")


def hide_secrets(text: str) -> str:
    """Text without secrets: what is written to a log goes through here.

    >>> hide_secrets("GET /?key=hpo_" + 43 * "x" + "&a=1")
    'GET /?key=hpo_…&a=1'
    """
    return _SECRET.sub(r"\1…", text)


class Role(StrEnum):
    """What an account may do; each may all that those before it may."""

    VIEWER = "viewer"  # look
    SUBMITTER = "submitter"  # submit studies, and move those that are its own
    ADMIN = "admin"  # everything, other people's studies included

    def includes(self, other: Role) -> bool:
        """Whether this role may do what the other may.

        >>> Role.ADMIN.includes(Role.VIEWER), Role.VIEWER.includes(Role.SUBMITTER)
        (True, False)
        """
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who asks. owner: what studies are marked with; None: nobody in particular, on a server without keys."""

    owner: str | None
    role: Role
    key: str | None = None  # the id of the API key


# Whoever talks to a server, or a database, that asks for no keys.
ANYBODY = Account(owner=None, role=Role.ADMIN)
# Whoever has shown no key yet to a server that asks for them.
NOBODY = Account(owner=None, role=Role.VIEWER)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """An API key without its secret. id: what it is listed and revoked by, no secret itself."""

    id: str
    owner: str
    role: Role
    created_at: datetime
    last_used_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    @property
    def account(self) -> Account:
        """Whoever shows this key."""
        return Account(owner=self.owner, role=self.role, key=self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """An API key to keep. digest: SHA-256 of its secret, in hex; lifetime_s: None: it does not expire."""

    id: str
    owner: str
    role: Role
    digest: str
    lifetime_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What one owner may have at a time; None: no limit.

    studies: that are not final; trials: of those, together; slots: of the worker pool, while others wait
    """

    studies: int | None = None
    trials: int | None = None
    slots: int | None = None

    def over(self, before: Quota) -> Quota:
        """This quota, and where it says nothing the one from before."""
        return Quota(
            studies=before.studies if self.studies is None else self.studies,
            trials=before.trials if self.trials is None else self.trials,
            slots=before.slots if self.slots is None else self.slots,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one owner has now. studies: that are not final; trials: the totals of those, together."""

    studies: int
    trials: int
