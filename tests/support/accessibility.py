"""What a page owes to people who do not see it, or do not use a mouse.

Names come from the browser's own accessibility tree; the rest is read from the page as it is drawn.
"""

from pathlib import Path
from typing import Any

from tests.support.browser import Page

NAMED = {
    "button", "link", "textbox", "searchbox", "combobox", "checkbox", "slider", "spinbutton",
    "progressbar", "img", "region", "table", "dialog", "navigation", "DisclosureTriangle", "Date",
}  # fmt: skip

_FINDINGS = Path(__file__).with_suffix(".js").read_text("utf-8")


def findings(page: Page) -> list[str]:
    """List what is wrong with a page as it is shown now."""
    told: list[str] = page.read(_FINDINGS)
    tree: list[dict[str, Any]] = page.call("Accessibility.getFullAXTree")["nodes"]
    for node in tree:
        role = str(node.get("role", {}).get("value", ""))
        if node.get("ignored") or role not in NAMED:
            continue
        if not str(node.get("name", {}).get("value", "")).strip():
            told.append(f"{role} has no name")
    return told
