"""One HTML file out of a template, the shared look and drawing code, scripts and data.

The file needs no server and no network: its policy lets nothing be fetched, and only the very
scripts run that were put in here. Data is text and never markup: scripts read it as JSON.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

import msgspec

_SHARED: Final = (
    "lightweight-charts.js",
    "structures.js",
    "words.js",
    "figures.js",
    "charts.js",
)
_encode = msgspec.json.Encoder(order="deterministic").encode


def assemble(
    template: str, *, title: str, data: Mapping[str, Any], scripts: Sequence[str], style: str = ""
) -> str:
    """Put a page together.

    Args:
        template: with the marks `<!--HEAD-->`, `<!--BAR-->`, `<!--DATA-->` and `<!--SCRIPTS-->`,
            each once and in this order.
        title: what the page is, as in `Arena`.
        data: plain values by the id of the element that holds them, as JSON.
        scripts: of this page, run in this order after the shared ones, which give them `words`,
            `figures` and `drawing`.
        style: of this page, after the shared one.
    """
    assets = files("suite.page") / "assets"
    every = [*((assets / name).read_text("utf-8") for name in _SHARED), *scripts]
    head = {
        "/*POLICY*/": " ".join(map(_source_hash, every)),
        "<!--TITLE-->": title,
        "/*STYLE*/": (assets / "look.css").read_text("utf-8") + style,
    }
    parts = {
        "<!--HEAD-->": _filled((assets / "head.html").read_text("utf-8").rstrip(), head),
        "<!--BAR-->": _filled(
            (assets / "bar.html").read_text("utf-8").strip(), {"<!--PLACE-->": title.lower()}
        ),
        "<!--DATA-->": "\n".join(_element(name, value) for name, value in data.items()),
        "<!--SCRIPTS-->": "\n".join(f"<script>{script}</script>" for script in every),
    }
    return _filled(template, parts)


def _filled(template: str, parts: Mapping[str, str]) -> str:
    """Put each part in the place of its mark, once; marks inside of parts stay as they are."""
    pieces: list[str] = []
    for mark in sorted(parts, key=template.index):
        before, _, template = template.partition(mark)
        pieces += [before, parts[mark]]
    return "".join([*pieces, template])


def _element(name: str, value: Any) -> str:
    text = _encode(value).decode().replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'


def _source_hash(script: str) -> str:
    """Name a script for the Content-Security-Policy: only these very bytes may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
