"""Settings come from one place, say what is wrong in one line, and never show a value."""

from pathlib import Path

import pytest
from pydantic import Field, SecretStr, ValidationError

from suite.errors import ConfigError
from suite.service.settings import BaseUrl, ServiceSettings, settings_config, shared_name


class Settings(ServiceSettings):
    model_config = settings_config("DEMO_")

    port: int = 8100
    upstream: BaseUrl | None = None
    trading_url: str = Field(default="", validation_alias=shared_name("TRADING_URL"))
    api_key: SecretStr = SecretStr("")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_environment_wins_over_file_and_arguments_over_both(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Settings.load().port == 8100
    (empty_folder / ".env").write_text("DEMO_PORT=1\nOTHER_SERVICE_PORT=9\n")
    assert Settings.load().port == 1
    monkeypatch.setenv("DEMO_PORT", "2")
    assert Settings.load().port == 2
    assert Settings.load(port=3).port == 3
    assert Settings.load(port=None).port == 2


def test_empty_value_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_PORT", "")
    assert Settings.load().port == 8100


@pytest.mark.parametrize("place", ["environment", "file"])
def test_unknown_name_is_refused_with_the_nearest_one(
    place: str, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if place == "file":
        (empty_folder / ".env").write_text("DEMO_PROT=1\n")
    else:
        monkeypatch.setenv("DEMO_PROT", "1")
    with pytest.raises(ConfigError, match="unknown setting DEMO_PROT, did you mean DEMO_PORT"):
        Settings.load()


def test_shared_names_have_no_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_URL", "http://127.0.0.1:8100/w/a")
    monkeypatch.setenv("TRUSTED_NETWORK", "true")
    settings = Settings.load()
    assert settings.trading_url == "http://127.0.0.1:8100/w/a"
    assert settings.trusted_network


def test_lists_are_comma_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_ALLOWED_HOSTS", "venue, venue.local,")
    assert Settings.load().allowed_hosts == ("venue", "venue.local")
    assert Settings.load(allowed_hosts=("a",)).allowed_hosts == ("a",)


def test_all_problems_are_told_in_one_line_without_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_PORT", "hunter2")
    monkeypatch.setenv("DEMO_LOG_LEVEL", "loud")
    with pytest.raises(ConfigError) as caught:
        Settings.load()
    text = str(caught.value)
    assert "DEMO_PORT" in text
    assert "DEMO_LOG_LEVEL" in text
    assert "hunter2" not in text
    assert "\n" not in text


def test_settings_are_frozen_and_hide_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_API_KEY", "hunter2")
    settings = Settings.load()
    assert "hunter2" not in repr(settings)
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]  # that it is refused is the test


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("db", False)],
)
def test_loopback_is_recognised(host: str, *, expected: bool) -> None:
    assert Settings.load(host=host).is_loopback is expected


@pytest.mark.parametrize(
    "text",
    ["foo", "http://", "https:///path", "ftp://host", "http://a b", "http://host?x=1", "//h"],
)
def test_address_that_is_none_is_refused_without_being_shown(text: str) -> None:
    """Paths are put behind it, so it has a host and no options."""
    with pytest.raises(ConfigError) as caught:
        Settings.load(upstream=text)
    expected = "bad settings: DEMO_UPSTREAM: not an address; write http://host:port"
    assert expected == str(caught.value)


def test_address_may_have_a_path() -> None:
    for text in ("http://127.0.0.1:8100", "https://host/w/abc/"):
        assert text == Settings.load(upstream=text).upstream
