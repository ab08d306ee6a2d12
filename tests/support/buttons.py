"""Which controls pages show, and which of them a person has pressed in some test."""

import hashlib
from importlib.resources import files
from pathlib import Path

import pytest
from tests.support.browser import Page

_SCRIPT = Path(__file__).with_name("buttons.js").read_text("utf-8")


class Buttons:
    """Controls of all pages that are watched.

    What was pressed is remembered for as long as the pages are the same, so that a test that is run
    again alone does not ask for all the others.

    Args:
        cache: of the run before; None remembers nothing.

    Attributes:
        seen: by name, wherever they were visible.
        pressed: likewise.
    """

    def __init__(self, cache: pytest.Cache | None) -> None:
        self._cache = cache
        self._key = f"dashboard/pressed-{_version()}"
        self.seen: set[str] = set()
        self.pressed: set[str] = set()
        if cache is not None:
            self.pressed.update(cache.get(self._key, []))

    def watch(self, page: Page) -> None:
        """Have a tab tell what it shows and what is pressed in it, from its next load on."""
        page.told = self._take
        page.call("Runtime.addBinding", name="controlTold")
        page.call("Page.addScriptToEvaluateOnNewDocument", source=_SCRIPT)

    def _take(self, told: str) -> None:
        what, _, name = told.partition(" ")
        (self.pressed if what == "pressed" else self.seen).add(name)

    def remember(self) -> None:
        """Keep what was pressed."""
        if self._cache is not None:
            self._cache.set(self._key, sorted(self.pressed))


def _version() -> str:
    """Name the pages as they are."""
    found = hashlib.sha256(_SCRIPT.encode())
    web = files("portfolio_service") / "web"
    for folder in (web, web / "pages"):
        for one in sorted(folder.iterdir(), key=lambda one: one.name):
            if one.is_file():
                found.update(one.read_bytes())
    return found.hexdigest()[:16]
