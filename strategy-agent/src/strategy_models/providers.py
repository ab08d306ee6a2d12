"""Which providers there are, where their keys are, and what their models cost."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import msgspec

from strategy_models.prices import FREE, Price
from suite.contracts.trader import near
from suite.errors import ConfigError, one_line
from suite.hosts import is_loopback
from suite.service.http import is_base_url, shown

Wire = Literal["openai", "anthropic"]
Structured = Literal["schema", "object", "none"]


class Provider(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One service that has models.

    Attributes:
        base_url: of its API.
        wire: protocol that it speaks.
        key: name of the environment variable with its key, or, with `_FILE` behind it, with the
            path of a file that holds it; empty where it wants none.
        requests_per_minute: that leave at most; further ones wait.
        at_once: requests under way at a time.
        free: it costs nothing, whatever the model.
        structured: how an answer can be held to a schema: by it, to any JSON object, not at all;
            what is refused is found out and not tried again.
        extra: further fields of every request, as `{"reasoning_effort": "low"}`.
    """

    base_url: str
    wire: Wire = "openai"
    key: str = ""
    requests_per_minute: int = 60
    at_once: int = 4
    free: bool = False
    structured: Structured = "schema"
    extra: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if not is_base_url(self.base_url):
            raise ValueError("base_url is not an address; write https://host/v1")
        if self.requests_per_minute < 1 or self.at_once < 1:
            raise ValueError("requests_per_minute and at_once must be at least 1")


_AT_HOME: Final = 60_000
"""Requests a minute: one's own server is as fast as it is."""

KNOWN: Final[Mapping[str, Provider]] = {
    "anthropic": Provider(
        base_url="https://api.anthropic.com", wire="anthropic", key="ANTHROPIC_API_KEY"
    ),
    "deepseek": Provider(
        base_url="https://api.deepseek.com/v1", key="DEEPSEEK_API_KEY", structured="object"
    ),
    "local": Provider(
        base_url="http://127.0.0.1:8310/v1", free=True, at_once=1, requests_per_minute=_AT_HOME
    ),
    "ollama": Provider(
        base_url="http://127.0.0.1:11434/v1", free=True, at_once=1, requests_per_minute=_AT_HOME
    ),
    "openai": Provider(base_url="https://api.openai.com/v1", key="OPENAI_API_KEY"),
    "openrouter": Provider(base_url="https://openrouter.ai/api/v1", key="OPENROUTER_API_KEY"),
    "qwen": Provider(
        base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        key="DASHSCOPE_API_KEY",
        structured="object",
    ),
    "server": Provider(base_url="http://127.0.0.1:8080/v1", requests_per_minute=_AT_HOME),
    "vllm": Provider(
        base_url="http://127.0.0.1:8000/v1", free=True, at_once=8, requests_per_minute=_AT_HOME
    ),
}
"""Those that need no entry in a file; one of the same name there replaces it."""


UNNAMED: Final = "server"
"""Provider of a model that is named alone, with an address."""


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    providers: dict[str, Provider] = {}
    prices: dict[str, Price] = {}


class Catalog:
    """Providers, keys and prices of a process.

    Args:
        file: of further ones, None for none.
        local_url: of the provider `local`.
        environment: where keys are.
        trusted_network: keys may go to other machines without TLS.

    Raises:
        ConfigError: the file is wrong.
    """

    def __init__(
        self,
        file: Path | None,
        *,
        local_url: str,
        environment: Mapping[str, str],
        trusted_network: bool = False,
    ) -> None:
        local = msgspec.structs.replace(KNOWN["local"], base_url=local_url)
        read = _File() if file is None else _read(file)
        self._providers = {**KNOWN, "local": local, **read.providers}
        self._prices = read.prices
        self._environment = environment
        self._trusted_network = trusted_network
        self._file = file

    def knows(self, name: str) -> bool:
        """Whether there is such a provider."""
        return name in self._providers

    def provider(self, name: str, *, base_url: str = "") -> Provider:
        """Find a provider.

        Args:
            name: as in `name/model`.
            base_url: of a server that is asked instead, in the same protocol; not with its key.

        Raises:
            ConfigError: there is none, or the address is none.
        """
        found = self._providers.get(name)
        if found is None:
            known = ", ".join(sorted(self._providers))
            raise ConfigError(
                f"no provider {name[:40]!r}: it is one of {known}{near(name, self._providers)}, or "
                "one of your own in LLM_PROVIDERS_FILE"
            )
        if not base_url or base_url == found.base_url:
            return found
        if not is_base_url(base_url):
            raise ConfigError("base_url is not an address; write https://host/v1")
        host = urlsplit(base_url).hostname or ""
        free = found.free or (name == UNNAMED and is_loopback(host))
        return msgspec.structs.replace(found, base_url=base_url, key="", free=free)

    def key_of(self, name: str, provider: Provider, *, given: str = "") -> str:
        """Find the key of a provider; empty where it wants none.

        Args:
            name: of the provider.
            provider: it.
            given: by the trader itself.

        Raises:
            ConfigError: it is missing, or would be sent where others can read it.
        """
        key = given.strip() or self._key_in_environment(name, provider)
        if key and not key.isprintable():
            raise ConfigError(f"the key for {name} holds characters that no key has")
        if key and not (self._trusted_network or _is_private(provider.base_url)):
            raise ConfigError(
                f"the key for {name} would go to {shown(provider.base_url)} unencrypted: use https"
            )
        return key

    def _key_in_environment(self, name: str, provider: Provider) -> str:
        if not provider.key:
            return ""
        if key := self._environment.get(provider.key, "").strip():
            return key
        path = self._environment.get(f"{provider.key}_FILE", "")
        if not path:
            raise ConfigError(
                f"no key for {name}: set {provider.key}, or {provider.key}_FILE to a file with it"
            )
        try:
            key = Path(path).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not plain text"
            raise ConfigError(f"cannot read {path} of {provider.key}_FILE: {reason}") from None
        if not key:
            raise ConfigError(f"{path} of {provider.key}_FILE is empty")
        return key

    def price_of(self, name: str, model: str, provider: Provider) -> Price:
        """Find what a model costs: in the file, nothing where it is free, else as is known.

        Raises:
            ConfigError: nobody knows.
        """
        full = f"{name}/{model}"
        if (price := self._prices.get(full)) is not None:
            return price
        if provider.free:
            return FREE
        if (price := _published(name, model)) is not None:
            return price
        where = self._file or "the file that LLM_PROVIDERS_FILE names"
        raise ConfigError(
            f"no price for {full}: add to {where}: "
            f'prices: {{"{full}": {{input: 0.25, output: 2.00}}}}, USD for a million tokens'
        )


def environment() -> dict[str, str]:
    """Read what keys may be in: the environment, and `.env` below it."""
    from dotenv import dotenv_values

    written = {name: value for name, value in dotenv_values(".env").items() if value}
    return {**written, **os.environ}


def _read(file: Path) -> _File:
    import yaml

    try:
        loaded = yaml.safe_load(file.read_bytes()) or {}
        return msgspec.convert(loaded, _File, strict=False)
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from None
    except (yaml.YAMLError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {one_line(str(error))}") from None


def _published(name: str, model: str) -> Price | None:
    """Look a price up in the table that genai-prices ships; of tiers the dearest."""
    try:
        import genai_prices
    except ImportError:
        return None
    try:
        usage = genai_prices.Usage(input_tokens=1, output_tokens=1)
        found = genai_prices.calc_price(usage, model_ref=model, provider_id=name).model_price
    except LookupError:
        return None
    rates = (found.input_mtok, found.output_mtok, found.cache_read_mtok)
    entry, answer, cached = map(_dearest, rates)
    if entry is None or answer is None:
        return None
    return Price(input=entry, output=answer, cached_input=cached)


def _dearest(rate: Any) -> Any:
    tiers = getattr(rate, "tiers", None)
    return rate if tiers is None else max(rate.base, *(tier.price for tier in tiers))


def _is_private(url: str) -> bool:
    """Whether nobody else can read what is sent there."""
    parts = urlsplit(url)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")
