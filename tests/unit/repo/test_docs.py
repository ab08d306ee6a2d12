"""The documentation holds together: every page has its place, every link leads somewhere."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\(([^)\s]+)\)")
PICTURE = re.compile(r"!\[[^\]\n]*\]\(([^)\s]+)\)")


def _in_nav(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    found = node.values() if isinstance(node, dict) else node
    return [page for one in found for page in _in_nav(one)]


def _plain(text: str) -> str:
    """Text without code, which has brackets of its own."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).strip().replace(" ", "-") for one in headings}


def test_every_page_is_found() -> None:
    """In the navigation, or by a link of another page."""
    nav = _in_nav(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    assert len(nav) == len(set(nav))
    written = {str(page.relative_to(DOCS)) for page in PAGES}
    assert set(nav) <= written
    linked = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in PAGES
        for target in LINK.findall(_plain(page.read_text(encoding="utf-8")))
    }
    lost = {page for page in written - set(nav) if (DOCS / page).resolve() not in linked}
    assert {page for page in lost if not page.startswith("adr/")} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_links_lead_somewhere(page: Path) -> None:
    text = _plain(page.read_text(encoding="utf-8"))
    for target in [*LINK.findall(text), *PICTURE.findall(text)]:
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        assert other.exists(), target
        if anchor and other.suffix == ".md":
            assert anchor in _anchors(other), target


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    generator = Path(sys.executable).with_name("zensical")
    if not generator.is_file():
        pytest.skip("zensical is not installed: make setup")
    shutil.copytree(DOCS, tmp_path / "docs")
    (tmp_path / "mkdocs.yml").write_text((ROOT / "mkdocs.yml").read_text())
    command = [str(generator), "build", "--strict", "--clean"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=110
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "arning" not in done.stdout + done.stderr
    site = tmp_path / "var" / "site"
    assert (site / "index.html").is_file()
    assert (site / "kubernetes" / "index.html").is_file()
