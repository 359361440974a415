"""OpenAPI document: what does it say? Made from the list of calls: nothing stands twice."""

import inspect
from collections import Counter
from typing import Any

from cloudgate import __version__
from cloudgate.api.http.router import Outcome, Parameter, Route, segments
from cloudgate.api.openapi.schemas import reference, schemas
from cloudgate.api.openapi.values import Json
from cloudgate.network.api_headers import SESSION_ID
from cloudgate.wire.description import ResourceType
from cloudgate.wire.resources.base import Error

JSON = "application/json"
_ABOUT = """\
Cloudgate's REST API, compatible with the REST API of Veeam Backup Enterprise Manager.

This describes its JSON side: send `Accept: application/json`, and `Content-Type: application/json`
with a body. Without these, bodies are XML, and `GET /api/schema` has the XML schema.

Log on with `POST /api/sessionMngr/` and HTTP Basic. The answer's token goes into the header or the
cookie `X-RestSvcSessionId` of each later request; when both come, the cookie wins. Programs may
show an API token instead, as `Authorization: Bearer`.

Paths match in any case. Where an ID is a GUID, the whole UID may stand in its place.
"""
_SESSION: list[Json] = [{"sessionHeader": []}, {"sessionCookie": []}]
_FORMAT = Parameter(
    name="format",
    description="`Entity` for the whole of what is asked for; without it come references.",
)
_ERRORS = {
    "400": "The request is malformed, incomplete, or against a rule.",
    "401": "Nobody, or somebody unknown, is asking.",
    "403": "Who is asking may not have this.",
    "404": "What was named does not exist.",
    "405": "The path is there, but not for this verb. `Allow` lists those that it is there for.",
    "412": "Somebody else has changed it since: `If-Match` does not fit.",
    "413": "The body is larger than any that is allowed.",
    "415": "The body is neither XML nor JSON.",
    "429": "More passwords are said from one place, or by all, than can be looked at.",
    "500": "Internal error.",
    "501": "The product does not offer this.",
    "503": "A part that is needed does not answer right now.",
}
_HEADERS = {
    "Allow": "The verbs that there are.",
    "Location": "Where the new resource is.",
    "Set-Cookie": "The session's token once more.",
    "WWW-Authenticate": "How to log on.",
    SESSION_ID: "The session's token.",
}


def document(routes: list[Route]) -> Json:
    """The OpenAPI document of an API that has these calls."""
    names = _operation_ids(routes)
    paths: dict[str, Json] = {}
    for variants in _by_path_and_verb(routes):
        first = variants[0]
        operation = _operation(variants, names[id(first)])
        paths.setdefault(first.path, {})[first.verb.lower()] = operation
    kinds = {kind for route in routes for kind in _kinds(route)} | {Error}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Cloudgate",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/api"}],
        "security": [*_SESSION, {"token": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(_tag(route) for route in routes)],
        "paths": paths,
        "components": {
            "schemas": schemas(sorted(kinds, key=lambda kind: kind.__name__)),
            "responses": {status: _error(status) for status in _ERRORS},
            "securitySchemes": {
                "sessionHeader": {"type": "apiKey", "in": "header", "name": SESSION_ID},
                "sessionCookie": {"type": "apiKey", "in": "cookie", "name": SESSION_ID},
                "logon": {"type": "http", "scheme": "basic"},
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _operation_ids(routes: list[Route]) -> dict[int, str]:
    """The handlers' names; where more than one has the same, verb and path."""
    count = Counter(route.handler.__name__ for route in routes)
    found = {}
    for route in routes:
        name = route.handler.__name__
        if count[name] > 1:
            path = "_".join(segment.strip("{}") for segment in segments(route.path))
            name = f"{route.verb.lower()}_{path}"
        found[id(route)] = name
    return found


def _by_path_and_verb(routes: list[Route]) -> list[list[Route]]:
    """Calls that differ in nothing but their action are one operation to OpenAPI."""
    found: dict[tuple[str, str], list[Route]] = {}
    for route in routes:
        found.setdefault((route.path, route.verb), []).append(route)
    return list(found.values())


def _kinds(route: Route) -> tuple[type[ResourceType], ...]:
    return route.bodies + (route.answers.kinds if route.answers else ())


def _tag(route: Route) -> str:
    return next(iter(segments(route.path)), "root").removesuffix(".json")


def _operation(variants: list[Route], name: str) -> Json:
    first = variants[0]
    bodies = list(dict.fromkeys(kind for route in variants for kind in route.bodies))
    operation: Json = {
        "operationId": name,
        "tags": [_tag(first)],
        "summary": " / ".join(_summary(route) for route in variants),
        "parameters": [*_variables(first), *_query(variants), *_headers(variants)],
        "responses": _responses(variants),
    }
    if bodies:
        needed = all(route.bodies and not route.body_optional for route in variants)
        content = {JSON: {"schema": _one_of(bodies)}}
        operation["requestBody"] = {"required": needed, "content": content}
    if not first.needs_session:
        operation["security"] = [{"logon": []}] if _shows_password(first) else []
    elif not first.by_token:
        operation["security"] = _SESSION
    return operation


def _summary(route: Route) -> str:
    """The first line of the handler's docstring, with code marked as Markdown marks it."""
    return (inspect.getdoc(route.handler) or "").partition("\n")[0].replace("``", "`")


def _shows_password(route: Route) -> bool:
    """Whether it comes with a name and a password in place of a session."""
    shown = route.proof is not None and route.proof.by_password
    return shown and not route.needs_session


def _one_of(kinds: list[type[ResourceType]]) -> Json:
    found = [reference(kind) for kind in kinds]
    return found[0] if len(found) == 1 else {"anyOf": found}


def _variables(route: Route) -> list[Json]:
    return [
        {
            "name": segment.strip("{}"),
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": route.identifier},
        }
        for segment in segments(route.path)
        if segment.startswith("{")
    ]


def _query(variants: list[Route]) -> list[Json]:
    found: dict[str, Parameter] = {}
    actions = tuple(route.action for route in variants if route.action)
    if actions:
        found["action"] = Parameter(
            name="action",
            description="Which of the calls at this address is meant.",
            values=actions,
            required=len(actions) == len(variants) and actions != ("create",),
        )
    if any(route.answers and route.answers.formats for route in variants):
        found["format"] = _FORMAT
    for route in variants:
        found |= {parameter.name: parameter for parameter in route.query}
    return [_parameter(parameter) for parameter in found.values()]


def _headers(variants: list[Route]) -> list[Json]:
    found = {parameter.name: parameter for route in variants for parameter in route.headers}
    return [_parameter(parameter, "header") for parameter in found.values()]


def _parameter(parameter: Parameter, place: str = "query") -> Json:
    schema: Json = {"type": "string"}
    if parameter.values:
        schema["enum"] = list(parameter.values)
    if parameter.pattern:
        schema["pattern"] = parameter.pattern
    return {
        "name": parameter.name,
        "in": place,
        "description": parameter.description,
        "required": parameter.required,
        "schema": schema,
    }


def _responses(variants: list[Route]) -> Json:
    found: dict[str, Any] = {}
    for route in variants:
        status, response = _response(route)
        if status in found and "content" in response:
            response = _merged(found[status], response)
        found[status] = response
    for status in _error_statuses(variants):
        found[status] = {"$ref": f"#/components/responses/{status}"}
    return dict(sorted(found.items()))


def _response(route: Route) -> tuple[str, Json]:
    outcome = route.answers
    if outcome is not None and str(outcome.status) in _ERRORS:
        return str(outcome.status), {"$ref": f"#/components/responses/{outcome.status}"}
    if outcome is None:
        return "2XX", {"description": "It is done.", "content": {JSON: {"schema": {}}}}
    response: Json = {"description": _outcome_text(outcome)}
    if outcome.headers:
        response["headers"] = {name: _header(name) for name in outcome.headers}
    if outcome.kinds:
        response["content"] = {JSON: {"schema": _one_of(list(outcome.kinds))}}
    elif outcome.document:
        schema: Json = {} if outcome.document == JSON else {"type": "string"}
        response["content"] = {outcome.document: {"schema": schema}}
    return str(outcome.status), response


def _outcome_text(outcome: Outcome) -> str:
    words = {201: "It is there.", 202: "It is under way.", 204: "It is done."}
    return words.get(outcome.status, "Here it is.")


def _merged(one: Json, other: Json) -> Json:
    """The answer of two actions at one address: either's."""
    if one.get("content") == other.get("content"):
        return one
    both = [_schema(one), _schema(other)]
    return other | {"content": {JSON: {"schema": {"anyOf": both}}}}


def _schema(response: Json) -> Json:
    schema: Json = response.get("content", {}).get(JSON, {}).get("schema", {})
    return schema


def _header(name: str) -> Json:
    return {"description": _HEADERS[name], "required": True, "schema": {"type": "string"}}


def _error_statuses(variants: list[Route]) -> list[str]:
    found = {"400", "405", "413", "500", "503"}
    for route in variants:
        found |= {str(status) for status in route.refuses_with}
        if route.needs_session or route.proof is not None:
            found |= {"401", "403"}
        if "{" in route.path or route.bodies:
            found.add("404")
        if route.bodies:
            found |= {"415", "501"}
        if route.verb != "GET":
            found |= {"403", "415"}  # a page of another site, or its form
        if route.proof is not None:
            found.add("429")
    return sorted(found)


def _error(status: str) -> Json:
    response: Json = {
        "description": _ERRORS[status],
        "content": {JSON: {"schema": reference(Error)}},
    }
    if status == "405":
        response["headers"] = {"Allow": _header("Allow")}
    return response
