"""Bodies: read whole up to a limit, then as plain JSON, then as what a route takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import Request
from pydantic import ValidationError

from hpo.api.answers import JSON, YAML
from hpo.api.schemas.base import Sent
from hpo.errors import SpecError, TooLarge, WrongMediaType, suggest
from hpo.service.plain_text import MAX_BYTES, read_plain

S = TypeVar("S", bound=Sent)

# Where pydantic's own words are not ours.
_SENTENCES = {
    "missing": "is needed",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "finite_number": "must be a finite number",
}


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
        raise _one_error((unknown or errors)[0], model) from None


def _one_error(error: Any, model: type[Sent]) -> SpecError:
    place = ".".join(map(str, error["loc"])) or None
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, SpecError):
        return SpecError(cause.detail, field=".".join(filter(None, (place, cause.field))) or None)
    if error["type"] == "extra_forbidden":
        known = list(model.model_fields) if len(error["loc"]) == 1 else []
        listed = f"; there are {', '.join(known)}" if known else ""
        return SpecError(
            f"there is no such key{suggest(str(error['loc'][-1]), known) or listed}", field=place
        )
    words = _SENTENCES.get(error["type"])
    return SpecError(words or f"{error['msg'][0].lower()}{error['msg'][1:]}", field=place)
