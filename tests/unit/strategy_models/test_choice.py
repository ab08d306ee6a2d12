"""Which server a name leads to, and with which key: never somebody else's."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.model_server import ModelServer
from tests.support.models_setting import KEY, Setting, asked, choice

from strategy_core.llm.port import ModelChoice
from strategy_models.local_server import packaged_model, serve
from strategy_models.providers import KNOWN
from strategy_models.settings import Settings
from suite.errors import ConfigError, StorageError


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), "no model is named"),
        (("gpt-5-mini",), "write provider/model"),
        (("openai/",), "write provider/model"),
        (("/x",), "write provider/model"),
        (("openay/x",), "did you mean openai"),
    ],
)
def test_a_name_that_leads_nowhere_is_told(
    setting: Setting, names: tuple[str, ...], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        setting.models().open(ModelChoice(trader_id="t", names=names))


def test_a_missing_key_is_told_with_the_variable(setting: Setting) -> None:
    setting.env = {}
    with pytest.raises(ConfigError, match="set OPENAI_API_KEY, or OPENAI_API_KEY_FILE"):
        setting.models().open(choice())


def test_a_key_may_be_in_a_file(setting: Setting, server: ModelServer) -> None:
    file = setting.folder / "key"
    setting.env = {"OPENAI_API_KEY_FILE": str(file)}
    for content, words in ((None, "cannot read"), ("", "is empty"), ("\u00e4", "not plain text")):
        if content is not None:
            file.write_text(content)
        with pytest.raises(ConfigError, match=words):
            setting.models().open(choice())
    file.write_text(f"{KEY}\n")
    asked(setting.models().open(choice()))
    assert f"Bearer {KEY}" == server.headers[0]["authorization"]


@pytest.mark.parametrize("key", ["two\nlines", "a\x00b"])
def test_a_key_that_is_none_is_refused_without_showing_it(setting: Setting, key: str) -> None:
    with pytest.raises(ConfigError) as told:
        setting.models().open(choice(api_key=key))
    assert key not in str(told.value)


def test_a_key_goes_to_its_own_provider_only(setting: Setting, server: ModelServer) -> None:
    """Whoever writes a traders file could else have it sent anywhere."""
    elsewhere = f"{server.url}/elsewhere"
    asked(setting.models().open(choice("openai/big", base_url=elsewhere)))
    assert "Bearer none" == server.headers[0]["authorization"]
    asked(setting.models().open(choice("openai/big", base_url=elsewhere, api_key="own")))
    assert "Bearer own" == server.headers[1]["authorization"]


def test_a_key_leaves_the_machine_encrypted_only(setting: Setting) -> None:
    setting.url = "http://models.example/v1"
    with pytest.raises(ConfigError, match=r"to http://models.example/v1 unencrypted: use https"):
        setting.models().open(choice())
    setting.env["TRUSTED_NETWORK"] = "true"
    setting.models().open(choice())


@pytest.mark.parametrize("name", ["my-model", "Qwen/Qwen3-8B"])
def test_a_name_alone_is_a_model_of_the_address(
    setting: Setting, server: ModelServer, name: str
) -> None:
    reply = asked(setting.models().open(choice(name, base_url=server.url)))
    assert f"server/{name}" == reply.model
    assert name == server.bodies[0]["model"]
    assert 0 == reply.cost_usd
    with pytest.raises(ConfigError, match=f"no price for server/{name}"):
        setting.models().open(choice(name, base_url="https://models.example/v1"))


def test_names_with_a_slash_of_their_own(setting: Setting, server: ModelServer) -> None:
    setting.prices = {"openrouter/qwen/qwen3-max": {"input": 1, "output": 1}}
    asked(setting.models().open(choice("openrouter/qwen/qwen3-max", base_url=server.url)))
    assert "qwen/qwen3-max" == server.bodies[0]["model"]


@pytest.mark.parametrize("name", KNOWN)
def test_every_known_provider_has_an_address_of_its_own(name: str) -> None:
    one = KNOWN[name]
    assert one.base_url.startswith("https" if one.key else "http://127.0.0.1")
    assert 1 == [other.base_url for other in KNOWN.values()].count(one.base_url)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LLM_MODE", "dream"),
        ("LLM_MODE", "replay"),
        ("LLM_USD_PER_DAY", "-1"),
        ("LLM_USD_TOTAL", "much"),
        ("LLM_LOCAL_URL", "here"),
        ("LLM_ATTEMPTS", "0"),
        ("LLM_CASETTE", "x"),
    ],
)
def test_a_setting_that_cannot_be_is_told(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="LLM_"):
        Settings.load()


def test_a_key_of_a_traders_file_may_begin_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_API_KEY", "x")
    assert "live" == Settings.load().mode


def test_a_model_file_that_is_none_is_told(tmp_path: Path) -> None:
    fields: dict[str, Any] = {"host": "127.0.0.1", "port": 0, "context": 256, "threads": 1}
    with pytest.raises(StorageError, match="there is no model file"):
        serve(tmp_path / "none.gguf", tell=lambda _: None, **fields)


def test_a_local_model_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="make setup installs it"):
        packaged_model()
