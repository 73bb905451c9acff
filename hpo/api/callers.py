"""Who asks: keys and cookies looked up, remembered for a few seconds, and those who guess slowed down."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from hpo.account import SECRET_MARK, SESSION_MARK, Account, ApiKey
from hpo.api.asked import Head
from hpo.api.buckets import Buckets
from hpo.errors import NotSignedIn, StorageUnavailable, TooManyRequests
from hpo.service import keys
from hpo.storage.base import Storage

COOKIE = "hpo_session"
REMEMBERED_S = 2.0  # for so long a revoked key may still be let in, by a process that has seen it
MANY = 10_000
GUESSES, GUESSES_PER_S = 20, 0.2  # wrong keys of one address at once, and in the long run

_CREDENTIAL = re.compile(rf"(?:{SECRET_MARK}|{SESSION_MARK})[A-Za-z0-9_-]{{43}}")


@dataclass(frozen=True, slots=True)
class _Known:
    account: Account
    until: float


class Callers:
    """Finds out who asks. For one event loop; the database is asked in a thread."""

    def __init__(self, storage: Storage, clock: Callable[[], float] = time.monotonic) -> None:
        self._storage, self._clock = storage, clock
        self._known: dict[str, _Known] = {}  # by digest: no secret stays in memory
        self._guesses = Buckets(GUESSES_PER_S, GUESSES, clock)

    async def account_of(self, credential: str, address: str) -> Account:
        """Whose key or session that is. Raises NotSignedIn, TooManyRequests for an address that guesses."""
        if not _CREDENTIAL.fullmatch(credential):
            self._check_guesses(address)
            self._guesses.take(address)
            raise NotSignedIn("that is no API key; one begins with hpo_ and has 47 characters")
        known = self._known.get(keys.digest_of(credential))
        if known is not None and known.until > self._clock():
            return known.account
        key = await self.guessing(address, lambda: self._find(credential))
        self._remember(credential, key)
        return key.account

    def _find(self, credential: str) -> ApiKey:
        find = keys.by_secret if credential.startswith(SECRET_MARK) else keys.by_session
        return find(self._storage, credential)

    async def is_valid(self, credential: str) -> bool:
        """Whether one that was let in is good still; while the database is away it is."""
        known = self._known.get(keys.digest_of(credential))
        if known is not None and known.until > self._clock():
            return True
        try:
            self._remember(credential, await run_in_threadpool(self._find, credential))
        except NotSignedIn:
            return False
        except StorageUnavailable:
            return True
        return True

    async def guessing(self, address: str, find: Callable[[], ApiKey]) -> ApiKey:
        """What a look-up finds, unless the address has been wrong too often. Raises NotSignedIn, TooManyRequests."""
        self._check_guesses(address)
        try:
            return await run_in_threadpool(find)
        except NotSignedIn:
            self._guesses.take(address)
            raise

    def _check_guesses(self, address: str) -> None:
        wait = self._guesses.wait_s(address)
        if wait > 0:
            raise TooManyRequests("too many wrong API keys from this address", retry_after_s=wait)

    def _remember(self, credential: str, key: ApiKey) -> None:
        if len(self._known) >= MANY:
            now = self._clock()
            self._known = {d: known for d, known in self._known.items() if known.until > now}
        if len(self._known) < MANY:
            self._known[keys.digest_of(credential)] = _Known(key.account, self._clock() + REMEMBERED_S)

    def forget(self, credential: str) -> None:
        """Look it up again the next time."""
        self._known.pop(keys.digest_of(credential), None)


def credential_of(head: Head) -> str | None:
    """The secret or the cookie that a request shows. Raises NotSignedIn for one of another kind."""
    shown = head.text(b"authorization")
    if not shown:
        return cookie_of(head.text(b"cookie"))
    scheme, _, secret = shown.partition(" ")
    if scheme.lower() != "bearer":
        raise NotSignedIn("an API key is shown as `Authorization: Bearer hpo_…`")
    return secret.strip()


def cookie_of(cookies: str) -> str | None:
    """The session of a Cookie header.

    >>> cookie_of("a=1; hpo_session=hps_x; b=2"), cookie_of("a=1")
    ('hps_x', None)
    """
    for pair in cookies.split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE:
            return value
    return None
