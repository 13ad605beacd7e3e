"""The OpenAPI document laid out for people: doors, their operations, and what goes in and out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

#: A schema in a schema in a schema is read well; deeper ones say their name alone.
_DEPTH = 4


@dataclass(frozen=True)
class Line:
    """A field: `name` in dots and brackets, what it holds, and whether it has to be there."""

    name: str
    kind: str
    is_required: bool
    notes: str
    place: str = ""


@dataclass(frozen=True)
class Answer:
    """A status with its words, and the fields of its body."""

    status: str
    said: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    name: str
    method: str
    path: str
    summary: str
    token: str
    parameters: tuple[Line, ...]
    body: tuple[Line, ...]
    answers: tuple[Answer, ...]
    refusals: tuple[Answer, ...]


def doors(document: dict[str, Any]) -> list[tuple[str, list[Operation]]]:
    """Return the operations by their doors, in the order of the document."""
    found: dict[str, list[Operation]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            found[operation["tags"][0]].append(_operation(document, path, method, operation))
    return list(found.items())


def _operation(
    document: dict[str, Any], path: str, method: str, operation: dict[str, Any]
) -> Operation:
    content = operation.get("requestBody", {}).get("content", {})
    responses = [
        Answer(status, each["description"], _answer(document, each) if status < "300" else ())
        for status, each in operation["responses"].items()
    ]
    return Operation(
        name=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        token=_token(operation),
        parameters=tuple(
            _line(each["name"], each["schema"], bool(each.get("required")), each["in"])
            for each in operation["parameters"]
        ),
        body=tuple(_fields(document, content["application/json"]["schema"])) if content else (),
        answers=tuple(each for each in responses if each.status < "300"),
        refusals=tuple(each for each in responses if each.status >= "400"),
    )


def _token(operation: dict[str, Any]) -> str:
    """Return whose token an operation wants, nothing where it wants none."""
    schemes = [scheme for each in operation.get("security", ()) for scheme in each]
    return {"session": "token", "operator": "operator’s token"}[schemes[0]] if schemes else ""


def _answer(document: dict[str, Any], response: dict[str, Any]) -> tuple[Line, ...]:
    for media, content in response.get("content", {}).items():
        if media == "application/json":
            return tuple(_fields(document, content["schema"]))
        return (Line(media, "document", is_required=True, notes=""),)
    return ()


def _fields(
    document: dict[str, Any], schema: dict[str, Any], prefix: str = "", depth: int = 0
) -> Iterator[Line]:
    schema = _resolved(document, schema)
    required = schema.get("required", ())
    for name, found in schema.get("properties", {}).items():
        inner, dots = found, f"{prefix}{name}"
        yield _line(dots, _resolved(document, found), name in required)
        if inner.get("type") == "array":
            inner, dots = inner["items"], f"{dots}[]"
        elif isinstance(inner.get("additionalProperties"), dict):
            inner, dots = inner["additionalProperties"], f"{dots}.*"
        if depth < _DEPTH:
            yield from _fields(document, inner, f"{dots}.", depth + 1)


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _line(name: str, schema: dict[str, Any], is_required: bool, place: str = "") -> Line:
    kinds = schema.get("type", "any")
    kind = " or ".join(kinds) if isinstance(kinds, list) else kinds
    return Line(name, schema.get("format") or kind, is_required, ", ".join(_notes(schema)), place)


def _notes(schema: dict[str, Any]) -> Iterator[str]:
    if values := [value for value in schema.get("enum", ()) if value is not None]:
        yield "one of " + ", ".join(map(str, values))
    if "maxLength" in schema:
        yield f"{schema['maxLength']} characters at most"
    if "minimum" in schema:
        yield f"{schema['minimum']} or more"
    if "maximum" in schema:
        yield f"{schema['maximum']} or less"
    if "default" in schema:
        yield f"{schema['default']} by default".lower()
    if "description" in schema:
        yield schema["description"]
