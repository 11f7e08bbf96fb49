"""The description of the API (OpenAPI 3.1), written from the table of operations and the structs that validate."""

from typing import Any
from urllib.parse import urlsplit

import msgspec

from schema import VERSION
from schema.http.operations import ALWAYS, JSON, OPERATIONS, PDF, PROBLEM, ZIP, Operation, Success
from schema.http.problems import CATALOGUE, TYPE_BASE, problem_of
from schema.http.responses import Problem
from schema.http.webhooks import EVENTS, SIGNED

_TAGS = {
    "reports": "Ask for reports",
    "products": "What can be asked for, and what each needs",
    "jobs": "Follow, fetch, cancel and replay them",
    "batches": "Jobs that were asked for together",
    "deliveries": "What became of callbacks",
    "dead letters": "What gave up, and trying it again",
    "queues": "How much waits, and pausing it",
    "health": "For machines that watch",
}
_INTRO = """Report requests become PDFs. Submit one, get 202 with a `job_id`, and be told the end by a callback; or ask
for the job, or wait for it. Every error is `application/problem+json` with a stable `code` and a `next_step`
([all codes]({links}/docs/problems)). Times are RFC 3339, UTC. Of a field that stands twice in a body the last one counts."""
_ROLES = {
    "read": "Needs the role `read`; `submit` and `operate` include it.",
    "submit": "Needs the role `submit`; `operate` includes it.",
    "operate": "Needs the role `operate`.",
}
_HEADERS: dict[str, dict[str, Any]] = {
    "Idempotency-Key": {
        "description": "1–255 printable ASCII characters, yours alone: the same key and body make no second job, "
        "and are answered with the first one as it stands by then",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$", "examples": ["1234-0"]},
    },
    "Prefer": {
        "description": "`wait=N`: seconds to wait for the end, at most 60; `respond-async`: do not wait; "
        "`handling=strict`: check `data` before the job is made (RFC 7240)",
        "schema": {"type": "string", "examples": ["wait=30", "respond-async", "handling=strict"]},
    },
    "traceparent": {
        "description": "W3C Trace Context; kept with the job. One that cannot be read is passed over.",
        "schema": {"type": "string", "examples": ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]},
    },
    "Location": {"description": "Where it is found", "schema": {"type": "string", "format": "uri-reference"}},
    "Retry-After": {"description": "Seconds until asking again makes sense", "schema": {"type": "integer", "minimum": 0}},
    "Idempotent-Replayed": {
        "description": "Set when an earlier request with this key made the job",
        "schema": {"type": "string", "const": "true"},
    },
    "Deprecation": {
        "description": "Since when this endpoint is deprecated (RFC 9745): once the rollout is at 100 %",
        "schema": {"type": "string", "examples": ["@1795456803"]},
    },
    "Sunset": {"description": "When it may go (RFC 8594)", "schema": {"type": "string"}},
    "Preference-Applied": {"description": "How long was waited", "schema": {"type": "string"}},
}  # fmt: skip


def document(server: str, *, secured: bool) -> dict[str, Any]:
    """The whole description; `secured` tells whether keys are needed."""
    (*_, problem), components = msgspec.json.schema_components(
        [*_kinds(), *map(type, EVENTS), Problem], ref_template="#/components/schemas/{name}"
    )
    components["Problem"]["properties"]["code"]["examples"] = list(CATALOGUE)[:3]
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, problem, secured)
    described: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "reportq",
            "version": VERSION,
            "description": _INTRO.format(links=links_path(server)),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": server}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "webhooks": {event.type: {"post": _webhook(event)} for event in EVENTS},  # type: ignore[attr-defined]
        "components": {"schemas": components},
    }
    if secured:
        described["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
    return described


def links_path(server: str) -> str:
    """The path of the public URL, which begins every link."""
    return urlsplit(server).path.rstrip("/")


def _kinds() -> list[Any]:
    kinds: list[Any] = []
    for operation in OPERATIONS:
        candidates = [operation.body, *(answer.body for answer in operation.answers.values())]
        kinds += [kind for kind in candidates if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    return list(dict.fromkeys(kinds))


def _operation(operation: Operation, problem: Any, secured: bool) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": _told(operation, secured),
        "parameters": _parameters(operation),
        "responses": _responses(operation, problem, secured),
    }
    if operation.role:
        described["x-required-role"] = operation.role
    if secured:
        described["security"] = [{"bearer": []}, {"apiKey": []}] if operation.role else []
    if operation.body is not None:
        content = {"schema": _schema(operation.body)}
        if operation.example is not None:
            content["examples"] = {"usual": {"value": operation.example}}
        described["requestBody"] = {"required": operation.body_required, "content": {JSON: content}}
    return described


def _webhook(event: msgspec.Struct) -> dict[str, Any]:
    """A callback: the request that the receiver gets. Its answer's status decides; a body is not needed."""
    kind = type(event)
    name = kind.__name__[:1].lower() + kind.__name__[1:]
    return {
        "operationId": name,
        "summary": kind.__doc__,
        "description": "Signed as Standard Webhooks describe. The same `webhook-id` may come twice: it is one event.",
        "parameters": [
            {"name": header, "in": "header", "required": header != SIGNED[-1], "schema": {"type": "string"}}
            for header in SIGNED
        ],
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": _schema(kind), "examples": {"usual": {"value": event}}}},
        },
        "responses": {"2XX": {"description": "It has arrived and is not sent again"}},
    }


def _told(operation: Operation, secured: bool) -> str:
    """What the call does beyond its summary; whom it is for where there are keys."""
    role = _ROLES[operation.role] if secured and operation.role else ""
    return "\n\n".join(filter(None, [operation.detail, role])) or f"{operation.summary.rstrip('?')}."


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    for name in [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]:
        schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[A-Za-z0-9_.:-]+$"}
        parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
    if operation.query is not None:
        for spec in msgspec.structs.fields(operation.query):
            schema = _without_null(msgspec.json.schema(spec.type))
            parameters.append(
                {"name": spec.encode_name, "in": "query", "required": spec.required, "schema": schema,
                 "description": schema.pop("description", spec.encode_name)}
            )  # fmt: skip
    for name in operation.headers:
        parameters.append({"name": name, "in": "header", "required": False, **_HEADERS[name]})
    return parameters


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query parameter is there or not; it is never null."""
    options = [option for option in schema.pop("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1:
        schema = {**options[0], **schema}
    if isinstance(schema.get("enum"), list):
        schema["enum"] = [word for word in schema["enum"] if word is not None]
    return schema


def _responses(operation: Operation, problem: Any, secured: bool) -> dict[str, Any]:
    answers = {str(status): _answer(operation, answer) for status, answer in operation.answers.items()}
    codes: dict[int, list[str]] = {}
    absent = ("host_refused",) if secured else ("unauthorized", "forbidden", "rate_limited")
    always = [code for code in ALWAYS if code not in absent] if operation.role is not None else []
    for code in dict.fromkeys((*operation.problems, *always)):
        codes.setdefault(problem_of(code).status, []).append(code)
    for status, named in sorted(codes.items()):
        described = answers.setdefault(str(status), {"description": "", "content": {}})
        told = "; ".join(f"`{code}`: {CATALOGUE[code].title}" for code in named)
        described["description"] = "; ".join(filter(None, [described["description"], told]))
        examples = {code: {"value": _example(code, operation.path)} for code in named}
        described.setdefault("content", {})[PROBLEM] = {"schema": problem, "examples": examples}
        if status in (429, 503):
            described.setdefault("headers", {})["Retry-After"] = _HEADERS["Retry-After"]
    return answers


def _answer(operation: Operation, answer: Success) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.description}
    if answer.body in (PDF, ZIP):
        described["content"] = {answer.body: {"schema": {"type": "string", "contentMediaType": answer.body}}}
    elif isinstance(answer.body, str):
        described["content"] = {answer.body: {"schema": {"type": "string"}}}
        if operation.negotiated:
            described["content"]["application/openmetrics-text"] = {"schema": {"type": "string"}}
    elif answer.body is not None:
        described["content"] = {JSON: {"schema": _schema(answer.body)}}
    if answer.headers:
        described["headers"] = {name: _HEADERS[name] for name in answer.headers}
    if answer.links:
        described["links"] = {
            target: {"operationId": target, "parameters": {pointer.rpartition("/")[2]: f"$response.body#{pointer}"}}
            for target, pointer in answer.links.items()
        }
    return described


def _schema(kind: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return {"$ref": f"#/components/schemas/{kind.__name__}"}
    return msgspec.json.schema(kind)


def _example(code: str, path: str) -> dict[str, Any]:
    entry = problem_of(code)
    return {
        "type": TYPE_BASE + code,
        "title": entry.title,
        "status": entry.status,
        "code": code,
        "detail": entry.title + ".",
        "next_step": entry.next_step,
        "instance": path.replace("{job_id}", "pdf_01JDCS7Q4W8Y3M6R5T2V9X0ZAB"),
        "request_id": "01JDCS7Q4W8Y3M6R5T2V9X0ZAB",
    }
