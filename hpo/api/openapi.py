"""The OpenAPI document: what FastAPI makes of the routes, with our problems and with bodies that are read raw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from hpo.api.callers import COOKIE
from hpo.api.schemas.problem import Problem

# How a client shows who it is; docs/explain/accounts.md.
_SHOWN = {
    "key": {"type": "http", "scheme": "bearer", "description": "The secret of an API key, `hpo_…`."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "What POST /login gives pages.",
    },
}
_REFS = "#/components/schemas/"
_NOT_OURS = ("HTTPValidationError", "ValidationError")  # FastAPI's own shape of errors, which nothing answers


def document(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """What `app.openapi` is to be: the document, made once."""

    def made() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _made(app)
        return app.openapi_schema

    return made


def _made(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    schemas: dict[str, Any] = found.setdefault("components", {}).setdefault("schemas", {})
    for name in _NOT_OURS:
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema()
    found["paths"] = _hoisted(found["paths"], schemas)
    examples = dict(_examples(BaseModel))
    for schema in _schemas(found):
        if schema.get("title") in examples:
            schema["example"] = examples[schema["title"]]
    found["components"]["securitySchemes"] = _SHOWN
    found["security"] = [{name: []} for name in _SHOWN] + [{}]  # an open server asks for nothing
    found["components"]["schemas"] = dict(sorted(schemas.items()))
    return found


def _hoisted(node: Any, schemas: dict[str, Any]) -> Any:
    """A part of the document with the definitions of its schemas moved to the components."""
    if isinstance(node, list):
        return [_hoisted(entry, schemas) for entry in node]
    if not isinstance(node, dict):
        return node
    for name, definition in node.get("$defs", {}).items():
        schemas.setdefault(name, _hoisted(definition, schemas))
    moved = {key: _hoisted(entry, schemas) for key, entry in node.items() if key != "$defs"}
    if isinstance(moved.get("$ref"), str):
        moved["$ref"] = moved["$ref"].replace("#/$defs/", _REFS)
    return moved


def _examples(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    """The examples of our models as they were written: FastAPI takes what is null out of them."""
    for kind in model.__subclasses__():
        more = kind.model_config.get("json_schema_extra")
        if kind.__module__.startswith("hpo.") and isinstance(more, dict) and "example" in more:
            yield kind.__name__, more["example"]
        yield from _examples(kind)


def _schemas(node: Any) -> Iterator[dict[str, Any]]:
    """Every schema of a document that has an example."""
    if isinstance(node, list):
        for entry in node:
            yield from _schemas(entry)
    if isinstance(node, dict):
        if "example" in node and "title" in node:
            yield node
        for entry in node.values():
            yield from _schemas(entry)
