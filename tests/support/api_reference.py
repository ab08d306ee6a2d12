"""The pages docs/api/*.md, written from what the services say of themselves (OpenAPI).

python -m tests.support.api_reference
"""

import asyncio
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.support.metrics import SERVICES, application

FOLDER: Final = Path(__file__).parents[2] / "docs" / "api"
_LONGEST: Final = 1200
"""Characters of an example; a longer one is in the service's own openapi.json."""
_CONTRACTS: Final = {
    "data-collector": "8000",
    "virtual-exchange": "8100",
    "hyperliquid-exchange": "8200",
    "strategy-agent": "8300",
    "trader-manager": "8400",
    "portfolio-service": "8500",
}

Described = Mapping[str, Any]


def page(service: str, told: Described) -> str:
    """Write the page of a service."""
    port = _CONTRACTS[service]
    lines = [
        f"# API of {service}",
        "",
        "Written by `python -m tests.support.api_reference` from what the service itself serves:",
        f"`http://127.0.0.1:{port}/openapi.json` for programs, `/docs` for people.",
        "`/health`, `/ready` and `/metrics` are everywhere. A refusal is one line of text.",
        "",
    ]
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            lines += _operation(f"{method.upper()} {path}", operation)
    lines += _schemas(told.get("components", {}).get("schemas", {}))
    return "\n".join(lines).rstrip() + "\n"


def pages() -> dict[str, str]:
    """Write all pages, by name of their file."""
    return asyncio.run(_pages())


async def _pages() -> dict[str, str]:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "data").mkdir()
        return {
            f"{service}.md": page(service, application(service, folder).openapi())
            for service in SERVICES
        }


def _operation(title: str, operation: Described) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    about = operation.get("description", "").strip()
    summary = operation.get("summary", "").strip()
    yield _end(summary) + (f" {_line(about)}" if about and about != summary else "")
    yield ""
    if operation.get("parameters"):
        yield from ("| Parameter | In | Type | |", "| --- | --- | --- | --- |")
        for one in operation["parameters"]:
            what = one.get("description") or ""
            needed = "required" if one.get("required") else ""
            note = "; ".join(filter(None, (needed, _line(what))))
            yield f"| `{one['name']}` | {one['in']} | {_type(one.get('schema', {}))} | {note} |"
        yield ""
    if body := operation.get("requestBody"):
        yield from _content("Body", body.get("content", {}))
    answers = dict(sorted(operation.get("responses", {}).items()))
    for status, answer in answers.items():
        if status.startswith("2"):
            yield from _content(f"Answer, {status}", answer.get("content", {}))
    others = [
        f"{status} {_line(answer.get('description', ''))}"
        for status, answer in answers.items()
        if not status.startswith("2")
    ]
    if others:
        yield f"Else: {'; '.join(others)}."
        yield ""


def _content(title: str, content: Described) -> Iterator[str]:
    for kind, told in content.items():
        yield f"{title}: {_type(told.get('schema', {}))} as `{kind}`."
        yield ""
        if "example" in told:
            shown = json.dumps(told["example"], ensure_ascii=False)
            if len(shown) <= _LONGEST:
                yield from ("```json", shown, "```", "")


def _schemas(schemas: Described) -> Iterator[str]:
    if schemas:
        yield from ("## Shapes", "")
    for name, schema in schemas.items():
        yield from (f"### {name}", "")
        if told := schema.get("description"):
            yield from (_line(told.split("\n\n")[0]), "")
        if "properties" not in schema:
            yield from (_type(schema), "")
            continue
        required = schema.get("required", ())
        yield from ("| Field | Type | |", "| --- | --- | --- |")
        for field, of in schema["properties"].items():
            default = f"default `{json.dumps(of['default'])}`" if "default" in of else ""
            note = "required" if field in required else default
            note = "; ".join(filter(None, (note, _line(of.get("description", "")))))
            yield f"| `{field}` | {_type(of)} | {note} |"
        yield ""


def _type(schema: Described) -> str:
    """Write a type in a few words, with links to shapes."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for way in ("anyOf", "oneOf", "allOf"):
        if way in schema:
            return " or ".join(dict.fromkeys(_type(one) for one in schema[way]))
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " or ".join(f"`{json.dumps(value)}`" for value in values)
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        return " or ".join(kind)
    if "prefixItems" in schema:
        return f"[{', '.join(_type(one) for one in schema['prefixItems'])}]"
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    return str(kind)


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _end(text: str) -> str:
    return text if not text or text.endswith((".", ":", "?")) else f"{text}."


def main() -> None:
    """Write the files, and take away those of no service."""
    FOLDER.mkdir(exist_ok=True)
    written = pages()
    for path in FOLDER.glob("*.md"):
        if path.name not in written:
            path.unlink()
    for name, text in written.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
