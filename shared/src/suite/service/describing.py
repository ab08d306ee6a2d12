"""`/docs`: what a service answers, as a page that asks nobody else for anything."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse

_OWN: Final = frozenset({"/docs", "/docs/oauth2-redirect", "/redoc"})
_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;"
    "color-scheme:light dark}table{border-collapse:collapse;width:100%}"
    "td{border-top:1px solid #8888;padding:.4rem;vertical-align:top}code{white-space:nowrap}"
    "small{display:block}"
)


def describe_locally(app: FastAPI) -> None:
    """Put a page of our own where the framework's would load its scripts from elsewhere."""
    app.router.routes[:] = [
        route for route in app.router.routes if getattr(route, "path", "") not in _OWN
    ]

    async def get_docs(_request: Request) -> HTMLResponse:
        return HTMLResponse(_page(app.openapi()))

    app.add_route("/docs", get_docs, methods=["GET"], include_in_schema=False)


def _page(described: Mapping[str, Any]) -> str:
    title = escape(described["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style><h1>{title}</h1>"
        '<p>For programs, with all bodies and answers: <a href="openapi.json">openapi.json</a>.</p>'
        f"<table>{''.join(_rows(described['paths']))}</table></html>"
    )


def _rows(paths: Mapping[str, Any]) -> Iterator[str]:
    for path, operations in paths.items():
        for method, told in operations.items():
            named = (
                f"<small><code>{escape(one['name'])}</code>"
                f" {escape(one.get('description') or one.get('schema', {}).get('title', ''))}"
                "</small>"
                for one in told.get("parameters", ())
            )
            yield (
                f"<tr><td><code>{method.upper()} {escape(path)}</code>"
                f"<td>{escape(told.get('summary', ''))}{''.join(named)}"
                f"<td>{escape(', '.join(told.get('responses', ())))}"
            )
