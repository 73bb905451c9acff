"""Bodies: read whole up to a limit, then as plain JSON, then as what a route takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from fastapi import Request
from pydantic import ValidationError

from hpo.api.answers import JSON, YAML
from hpo.api.schemas.base import Sent
from hpo.api.wording import sentence_of_all
from hpo.errors import SpecError, TooLarge, WrongMediaType, suggest
from hpo.service.plain_text import MAX_BYTES, read_plain

S = TypeVar("S", bound=Sent)


def media_type_of(request: Request) -> str:
    """The type of the body, without its parameters, in small letters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def raw(request: Request, *media_types: str, most: int = MAX_BYTES) -> bytes:
    """The body, of one of these types where there is one.

    Raises WrongMediaType, TooLarge as soon as it has more than `most` bytes, those of a study file.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise TooLarge(f"a body here has at most {most:,} bytes")
    said = media_type_of(request)
    if said not in media_types and (body or said):
        raise WrongMediaType(f"Content-Type must be {' or '.join(media_types)}, got {said or 'nothing'}")
    return bytes(body)


async def study_text(request: Request) -> bytes:
    """A study file as it came, JSON or YAML: a dependency of routes that take one."""
    return await raw(request, JSON, YAML)


def sent(model: type[S]) -> Callable[[Request], Awaitable[S]]:
    """A dependency: the body as what the model says, `body: Annotated[Model, Depends(sent(Model))]`.

    Raises WrongMediaType, TooLarge, SpecError for text that is no JSON and for values of a wrong kind. No body
    is {}.
    """

    async def parsed(request: Request) -> S:
        body = await raw(request, JSON)
        return parse(model, read_plain(body) if body.strip() else {})

    return parsed


def parse(model: type[S], tree: Any) -> S:
    """What plain JSON types say. Raises SpecError with the one place to look at first: an unknown key, else the first."""
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        unknown = [one for one in errors if one["type"] == "extra_forbidden"]
        raise _one_error(unknown or errors, model, tree) from None


def _one_error(errors: Sequence[Any], model: type[Sent], tree: Any) -> SpecError:
    error = errors[0]
    words = _words(error, tree)
    place = ".".join(words) or None
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, SpecError):
        return SpecError(cause.detail, field=".".join(filter(None, (place, cause.field))) or None)
    if error["type"] == "extra_forbidden":
        known = list(model.model_fields) if len(words) == 1 else []
        listed = f"; there are {', '.join(known)}" if known else ""
        return SpecError(f"there is no such key{suggest(words[-1], known) or listed}", field=place)
    return SpecError(sentence_of_all(one for one in errors if _words(one, tree) == words), field=place)


def _words(error: Any, tree: Any) -> list[str]:
    """The place of an error in what was sent; where a value may be of several kinds, pydantic adds the one it tried."""
    words = []
    for word in error["loc"]:
        if isinstance(tree, dict) and (word in tree or error["type"] == "missing"):
            tree = tree.get(word)
        elif isinstance(tree, list) and isinstance(word, int):
            tree = tree[word]
        else:
            break
        words.append(str(word))
    return words
