"""What a release needs beside its code."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def test_all_distributions_have_one_version_and_the_licence() -> None:
    projects = [
        tomllib.loads(path.read_text())["project"] for path in sorted(ROOT.glob("*/pyproject.toml"))
    ]
    assert 7 == len(projects)
    assert 1 == len({one["version"] for one in projects})
    assert {"Apache-2.0"} == {one["license"] for one in projects}
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    version = projects[0]["version"]
    assert f"SUITE_TAG:-{version}" in (ROOT / "docker-compose.yml").read_text()


def test_changelog_tells_what_is_coming() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"(?m)^## (.*)$", text)
    assert "[Unreleased]" == headings[0]


def test_people_are_told_how_to_report() -> None:
    assert "privately" in (ROOT / "SECURITY.md").read_text()
    assert "make check" in (ROOT / "CONTRIBUTING.md").read_text()
    assert (ROOT / ".github" / "pull_request_template.md").is_file()
    assert 3 == len(FORMS)


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_forms_for_issues_can_be_read(path: Path) -> None:
    form = yaml.safe_load(path.read_text())
    if path.stem == "config":
        assert form == {"blank_issues_enabled": False}
        return
    assert {"name", "description", "labels", "body"} == set(form)
    for part in form["body"]:
        assert part["type"] in {"markdown", "textarea", "input"}
        told = part["attributes"]
        assert all(isinstance(value, str) for value in told.values()), told
        assert set(told) <= {"label", "description", "render", "value"}, told
