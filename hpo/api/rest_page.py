"""The page docs/reference/rest.md, from the OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hpo.api.answers import ALWAYS
from hpo.api.app import make_app
from hpo.api.site import Site
from hpo.settings import read_settings
from hpo.storage.open import open_storage

HEAD = """# REST

Made from the OpenAPI document by `make docs`; the document itself is at `/api/v1/openapi.json`.

All paths begin with `/api/v1`. Lists answer `{"items": […], "next_cursor": "…"|null}`: give `cursor` for the next page.
Times are ISO 8601 in UTC with Z, NaN and infinities are null. A GET answers with an ETag and takes `If-None-Match`.
Every error is `application/problem+json` with `code`, for programs; `detail`, what is wrong and how to mend it; and
`path`, the place in what was sent. A parameter, or a key of a body, that an address does not know is an error: 422.
Each address may answer with {ALWAYS}; others stand with it.
"""

Node = Mapping[str, Any]


def page() -> str:
    """The whole page."""
    site = Site(settings=read_settings({}), storage=open_storage("memory://"))
    document = make_app(site).openapi()
    groups: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            text = "\n".join(
                _operation(document, f"{method.upper()} {path.removeprefix('/api/v1')}", operation)
            )
            groups.setdefault(operation["tags"][0], []).append(text)
    sections = [f"## {tag.capitalize()}\n\n" + "\n".join(texts) for tag, texts in groups.items()]
    head = HEAD.replace("{ALWAYS}", ", ".join(map(str, ALWAYS)))
    return "\n".join([head, *sections])


def _operation(document: Node, title: str, operation: Node) -> Iterator[str]:
    """One address: what it does, takes and answers."""
    yield f"### `{title}`\n"
    yield f"{operation['description'].strip()}\n"
    parameters = operation.get("parameters", [])
    if parameters:
        yield "| parameter | in | default | |\n|---|---|---|---|"
        yield from map(_parameter, parameters)
        yield ""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"Body, `{media_type}`{_example(document, content)}"
        if media_type == "application/json":
            break  # YAML says the same
    for status, answer in operation["responses"].items():
        if int(status) < 400:
            yield from _answer(document, status, answer)
    others = [s for s in operation["responses"] if int(s) >= 400 and int(s) not in ALWAYS]
    if others:
        yield f"Problems: {', '.join(sorted(others))}.\n"


def _parameter(parameter: Node) -> str:
    schema = parameter.get("schema", {})
    default = schema.get("default")
    shown = "" if default in (None, []) else f"`{json.dumps(default, ensure_ascii=False)}`"
    about = str(parameter.get("description", "")).replace("|", "\\|")
    return f"| `{parameter['name']}` | {parameter['in']} | {shown} | {about} |"


def _answer(document: Node, status: str, answer: Node) -> Iterator[str]:
    described = answer["description"].rstrip(".")
    content = answer.get("content", {})
    if not content:
        yield f"Answer {status}: {described}.\n"
    for media_type, one in content.items():
        yield f"Answer {status}, `{media_type}`: {described}{_example(document, one)}"


def _example(document: Node, content: Node) -> str:
    """The example of a body as a block of JSON, or the end of the sentence."""
    found = content.get("example", _resolved(document, content.get("schema", {})).get("example"))
    if found is None or isinstance(found, str):
        return ".\n"
    return f":\n\n```json\n{json.dumps(found, indent=2, ensure_ascii=False)}\n```\n"


def _resolved(document: Node, schema: Node) -> Node:
    """A schema behind its references; of several the first."""
    while "$ref" in schema or "anyOf" in schema:
        if "anyOf" in schema:
            schema = schema["anyOf"][0]
        else:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema
