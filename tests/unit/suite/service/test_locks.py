"""Feature locks are in one list, typed, and told by the service that reads them."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import Field
from tests.unit.repo.test_settings_listed import SERVICES

from suite.service.app import install_chassis
from suite.service.locks import LOCKS, locks_set
from suite.service.settings import ServiceSettings, known_names, shared_name

ROOT = Path(__file__).parents[4]


class Settings(ServiceSettings):
    disable_model_training: bool = Field(
        default=False, validation_alias=shared_name("DISABLE_MODEL_TRAINING")
    )


def told(settings: ServiceSettings, path: str) -> dict[str, Any]:
    app = FastAPI(title="demo")
    install_chassis(app, settings)
    answer: dict[str, Any] = TestClient(app, base_url="http://127.0.0.1").get(path).json()
    return answer


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_a_lock_that_is_set_is_told(path: str, tmp_path: Path) -> None:
    plain = Settings(state_dir=tmp_path)
    assert () == locks_set(plain)
    assert "locks" not in told(plain, path)
    locked = Settings(state_dir=tmp_path, disable_model_training=True, trusted_network=True)
    assert ("DISABLE_MODEL_TRAINING", "TRUSTED_NETWORK") == locks_set(locked)
    assert "DISABLE_MODEL_TRAINING, TRUSTED_NETWORK" == told(locked, path)["locks"]


def test_every_switch_of_that_kind_is_listed() -> None:
    """A variable that disables, allows or relaxes is a lock; and no lock is read by nobody."""
    words = ("DISABLE_", "ALLOW_DIRECT", "RELAXED_", "_LOCK", "WITHOUT_EVIDENCE")
    read = {name.upper() for kind in SERVICES.values() for name in known_names(kind)}
    assert {name for name in read if any(word in name for word in words)} <= set(LOCKS)
    assert set(LOCKS) <= read


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_dashboard_has_words_for_each(language: str) -> None:
    words = Path("portfolio-service/src/portfolio_service/web/words") / f"{language}.json"
    told = msgspec.json.decode((ROOT / words).read_bytes())
    assert {f"lock.{name}" for name in LOCKS} == {key for key in told if key.startswith("lock.")}
