"""Requests to a server: the key goes along, what can be repeated is repeated, and errors are ours."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from hpo import __version__
from hpo.client.address import FIELD, PREFIX, address_of, check_key, is_loopback
from hpo.client.problems import error_of, no_answer, retry_after
from hpo.errors import HpoError, ServerError

CONNECT_S = 5.0
ANSWER_S = 60.0  # until the first byte, and between two

KEPT_S = 2.0  # a connection that idles, less than servers keep it: a request on one that they close is lost

ATTEMPTS = 5
FIRST_WAIT_S = 0.2  # doubles with each attempt
PATIENCE_S = 30.0  # longer is not waited, whatever the server says

# Statuses after which the same request may work: too many requests, or something is away for a moment.
_TOO_MANY = 429
_AWAY = (502, 503, 504)

Wait = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. path: below /api/v1; body: its bytes anew for each attempt; repeatable: twice is as good as once."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    body: Callable[[], Iterator[bytes]] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False

    @property
    def may_repeat(self) -> bool:
        """Whether it may be sent again though the server may have obeyed it."""
        return self.repeatable or self.method in ("GET", "DELETE", "PUT")


class Transport:
    """A server that is asked.

    said_in: where its address was said; wait: lets so many seconds pass between two attempts
    """

    def __init__(
        self,
        server: str,
        *,
        api_key: str | None = None,
        insecure: bool = False,
        said_in: str = FIELD,
        wait: Wait = time.sleep,
    ) -> None:
        self.server = address_of(server, field=said_in)
        check_key(self.server, api_key, insecure=insecure, field=said_in)
        self._wait = wait
        headers = {"User-Agent": f"hpo/{__version__}", "Accept": "application/json"}
        if api_key is not None:
            headers["Authorization"] = f"Bearer {api_key}"
        self._http = httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
            limits=httpx.Limits(keepalive_expiry=KEPT_S),
            trust_env=not is_loopback(self.server),  # no proxy on the way to this machine
        )

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    def pause(self, attempt: int) -> None:
        """Let some time pass before the next attempt, twice as long each time."""
        self._wait(FIRST_WAIT_S * 2**attempt * random.uniform(0.8, 1.2))

    def json(self, call: Call) -> Any:
        """The record that a request is answered with; None for an answer without a body.

        Raises the error that the server tells, ServerError when nothing can be made of its answer.
        """
        answer = self.send(call)
        if answer.status_code == httpx.codes.NO_CONTENT:
            return None
        try:
            return answer.json()
        except ValueError:
            raise no_answer(answer, self.server) from None

    def send(self, call: Call) -> httpx.Response:
        """The answer to a request, read whole. Raises as `json` does."""
        with self.stream(call) as answer:
            try:
                answer.read()
            except httpx.HTTPError as error:
                raise self._cut_off(error) from None
            return answer

    @contextmanager
    def stream(self, call: Call, *, answer_s: float = ANSWER_S) -> Iterator[httpx.Response]:
        """The answer to a request, its body not read yet. answer_s: the longest silence. Raises as `json` does."""
        answer = self._answered(call, answer_s)
        try:
            yield answer
        finally:
            answer.close()

    def chunks(self, call: Call) -> Iterator[bytes]:
        """The body of an answer as it comes. Raises as `json` does, also when it is cut off."""
        with self.stream(call) as answer:
            try:
                yield from answer.iter_bytes()
            except httpx.HTTPError as error:
                raise self._cut_off(error) from None

    def _answered(self, call: Call, answer_s: float) -> httpx.Response:
        """Ask until there is an answer that counts."""
        for attempt in range(ATTEMPTS):
            last = attempt == ATTEMPTS - 1
            pause = FIRST_WAIT_S * 2**attempt * random.uniform(0.8, 1.2)
            try:
                answer = self._http.send(self._request(call, answer_s), stream=True)
            except httpx.HTTPError as error:
                if last or not _may_try_again(call, error):
                    raise self._silent(error) from None
            else:
                if answer.is_success:
                    return answer
                wanted = self._problem_pause(call, answer)
                if last or wanted is None or wanted > PATIENCE_S:
                    raise self._told(answer)
                answer.close()
                pause = max(pause, wanted)
            self._wait(pause)
        raise AssertionError("the last attempt answers or raises")

    def _request(self, call: Call, answer_s: float) -> httpx.Request:
        return self._http.build_request(
            call.method,
            f"{self.server}{PREFIX}/{call.path}",  # whole: "studies:validate" alone is taken for a scheme
            params={name: value for name, value in call.params.items() if value is not None},
            json=call.json,
            content=None if call.body is None else call.body(),
            headers=dict(call.headers),
            timeout=httpx.Timeout(answer_s, connect=CONNECT_S),
        )

    @staticmethod
    def _problem_pause(call: Call, answer: httpx.Response) -> float | None:
        """How long to wait before asking again; None: the answer stands."""
        wanted = retry_after(answer)
        if answer.status_code == _TOO_MANY:
            return wanted  # a quota says no time: waiting does not help
        if answer.status_code in _AWAY and call.may_repeat:
            return wanted or 0.0
        return None

    def _told(self, answer: httpx.Response) -> HpoError:
        try:
            answer.read()
        except httpx.HTTPError as error:
            return self._cut_off(error)
        finally:
            answer.close()
        return error_of(answer, self.server)

    def _silent(self, error: httpx.HTTPError) -> ServerError:
        """No answer at all."""
        if isinstance(error, httpx.ReadTimeout):
            return ServerError(f"{self.server} did not answer within {ANSWER_S:.0f} s; try again")
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return ServerError(
                f"no server answers at {self.server} ({_why(error)}); is `hpo serve` running there?"
            )
        return ServerError(f"the connection to {self.server} broke ({_why(error)}); try again")

    def _cut_off(self, error: httpx.HTTPError) -> ServerError:
        return ServerError(f"the answer of {self.server} was cut off ({_why(error)}); try again")


def _may_try_again(call: Call, error: httpx.HTTPError) -> bool:
    """Whether a request that failed on its way may be sent again: it never arrived, or twice is as good as once."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return True
    return call.may_repeat and not isinstance(error, httpx.UnsupportedProtocol)


def _why(error: httpx.HTTPError) -> str:
    """What went wrong, in a few words on one line."""
    return (str(error).splitlines() or [""])[0] or type(error).__name__
