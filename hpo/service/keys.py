"""API keys: make one, whose secret is shown once and kept nowhere; list them, revoke one; sessions that stand for one."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hpo.account import SECRET_MARK, SESSION_MARK, Account, ApiKey, NewKey, Quota, Role, hide_secrets
from hpo.durations import seconds_of
from hpo.errors import BadRequest, NotAllowed, NotSignedIn, SpecError, suggest
from hpo.service.records import plain
from hpo.storage.base import Storage

DAY_S = 86_400.0
MAX_LIFETIME_S = 36_500 * DAY_S  # dates end with the year 9999
SESSION_S = 7 * DAY_S
MAX_QUOTA = 2**31 - 1
QUOTA_WORDS = ("studies", "trials", "slots")
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
_ID_BYTES, _SECRET_BYTES = 6, 32


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOrder:
    """A key to make. expires: a length of time such as 30d; None: it does not.

    studies, trials, slots: the owner's quota from now on; None leaves that one as it is
    no_quota: first take away the quota that the owner has
    """

    owner: str
    role: str = Role.SUBMITTER.value
    expires: str | float | None = None
    studies: int | None = None
    trials: int | None = None
    slots: int | None = None
    no_quota: bool = False


def digest_of(secret: str) -> str:
    """What is kept of a secret. It is random, so a plain hash of it tells nobody anything."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def create(storage: Storage, order: KeyOrder) -> dict[str, Any]:
    """A new key as `listed` has it, and its `secret`: the one time it is seen. Raises SpecError."""
    owner, given = _owner(order.owner), _quota(order)
    secret = SECRET_MARK + secrets.token_urlsafe(_SECRET_BYTES)
    new = NewKey(
        id=f"key_{secrets.token_hex(_ID_BYTES)}",
        owner=owner,
        role=_role(order.role),
        digest=digest_of(secret),
        lifetime_s=_lifetime(order.expires),
    )
    if given or order.no_quota:
        storage.set_quota(owner, Quota(**given), keep=not order.no_quota)
    key = storage.add_key(new)
    return _record(key, storage.quotas(), datetime.now(UTC)) | {"secret": secret}


def _owner(word: str) -> str:
    if not _OWNER.fullmatch(word) or hide_secrets(word) != word:
        # Not repeated: somebody may have put a secret in its place.
        raise SpecError(
            "must be a name or an address of up to 64 letters, digits and . _ @ + -, beginning with a letter or digit",
            field="owner",
        )
    return word


def _role(word: str) -> Role:
    roles = [role.value for role in Role]
    if word not in roles:
        hint = suggest(word, roles) or f"; there are {', '.join(roles)}"
        raise SpecError(f"no role is called {hide_secrets(word)[:40]!r}{hint}", field="role")
    return Role(word)


def _lifetime(expires: str | float | None) -> float | None:
    if expires is None:
        return None
    try:
        seconds = seconds_of(expires)
    except SpecError as error:
        raise SpecError(error.detail, field="expires") from None
    if seconds > MAX_LIFETIME_S:
        raise SpecError(
            "must be at most 36500d; leave it out for a key that does not expire", field="expires"
        )
    return seconds


def _quota(order: KeyOrder) -> dict[str, int]:
    """Those parts of the quota that the order sets."""
    given = {word: getattr(order, word) for word in QUOTA_WORDS if getattr(order, word) is not None}
    for word, limit in given.items():
        if not 0 <= limit <= MAX_QUOTA:
            raise SpecError(f"must be from 0 to {MAX_QUOTA:,}, got {limit}", field=word)
    return given


def listed(storage: Storage) -> list[dict[str, Any]]:
    """All keys, void ones too, by owner and age; never a secret."""
    quotas, now = storage.quotas(), datetime.now(UTC)
    return [_record(key, quotas, now) for key in storage.list_keys()]


def revoke(storage: Storage, id: str) -> dict[str, Any]:  # noqa: A002
    """Make a key void for good. Raises KeyNotFound, BadRequest for a secret in place of an id."""
    if hide_secrets(id) != id:
        raise BadRequest(
            "this is the secret of a key; it is revoked by its id, which `hpo keys ls` shows", field="id"
        )
    return _record(storage.revoke_key(id), storage.quotas(), datetime.now(UTC))


def _record(key: ApiKey, quotas: Mapping[str, Quota], now: datetime) -> dict[str, Any]:
    quota = quotas.get(key.owner, Quota())
    return {
        "id": key.id,
        "owner": key.owner,
        "role": key.role.value,
        "state": _state(key, now),
        "created_at": plain(key.created_at),
        "last_used_at": plain(key.last_used_at),
        "expires_at": plain(key.expires_at),
        "revoked_at": plain(key.revoked_at),
        "quota": {word: getattr(quota, word) for word in QUOTA_WORDS},
    }


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "valid"


def check_may_make_keys(account: Account) -> None:
    """Raises NotAllowed for one who came without a key: a key outlives the open server that it was made on."""
    if account.key is None:
        raise NotAllowed("this server asks for no keys; `hpo keys` makes them on its database")


def by_secret(storage: Storage, secret: str) -> ApiKey:
    """The valid key of a secret. Raises NotSignedIn."""
    found = storage.find_key(digest_of(secret))
    if found is None:
        raise NotSignedIn("this API key is not known, or no longer valid; `hpo keys create` makes a new one")
    return found


def by_session(storage: Storage, cookie: str) -> ApiKey:
    """The valid key that a session stands for. Raises NotSignedIn."""
    found = storage.find_session(digest_of(cookie))
    if found is None:
        raise NotSignedIn("this session is over; sign in again with an API key")
    return found


def sign_in(storage: Storage, secret: str) -> tuple[ApiKey, str]:
    """Open a session for a key; the key, and what the cookie holds. Raises NotSignedIn."""
    key = by_secret(storage, secret)
    cookie = SESSION_MARK + secrets.token_urlsafe(_SECRET_BYTES)
    storage.open_session(key.id, digest_of(cookie), SESSION_S)
    return key, cookie


def sign_out(storage: Storage, cookie: str) -> None:
    """End a session."""
    storage.close_session(digest_of(cookie))
