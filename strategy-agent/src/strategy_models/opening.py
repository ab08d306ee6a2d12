"""Putting together what a process needs to ask models."""

import hashlib
import threading
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Final

from strategy_core.llm.port import Model, ModelChoice
from strategy_models.cassette import Cassette
from strategy_models.chain import Chain
from strategy_models.clients import Client, SdkClient
from strategy_models.exchange import Exchange, Line, Surroundings
from strategy_models.gate import Breaker, Gate
from strategy_models.prices import FREE, Price, usd_of
from strategy_models.providers import UNNAMED, Catalog, Provider, environment
from strategy_models.settings import Settings
from strategy_models.spending import FileLedger, Ledger, MemoryLedger, Purse
from strategy_models.wire import anthropic_messages, openai_chat
from strategy_models.wire.options import Options
from suite.errors import ConfigError
from suite.service.clock import SystemClock

_WIRES: Final[Mapping[str, ModuleType]] = {"openai": openai_chat, "anthropic": anthropic_messages}
_MACHINE: Final = "machine"


class Models:
    """Where the traders of a process get their models; for several threads.

    Args:
        settings: of the process.
        remembers: traders' budgets last over restarts, as they must where time is real; a
            simulated world begins its days anew.
        secrets: the environment with the keys.
        around: time.
        client: makes the way to a provider; by itself its official library.

    Raises:
        ConfigError: the file of providers, or the cassette, is wrong.
        StorageError: something cannot be kept.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        remembers: bool,
        secrets: Mapping[str, str],
        around: Surroundings,
        client: Callable[..., Client] = SdkClient,
    ) -> None:
        self._settings = settings
        self._around = around
        self._make_client = client
        self._catalog = Catalog(
            settings.providers_file,
            local_url=settings.local_url,
            environment=secrets,
            trusted_network=secrets.get("TRUSTED_NETWORK", "").lower() == "true",
        )
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], Client] = {}
        self._gates: dict[tuple[str, str], Gate] = {}
        self._options: dict[tuple[str, str], Options] = {}
        self.cassette: Cassette | None = None
        if settings.cassette is not None and settings.mode != "live":
            self.cassette = Cassette(settings.cassette, records=settings.mode == "record")
        self._own: Ledger = MemoryLedger()
        self._common: Ledger = MemoryLedger()
        if settings.mode != "replay":
            self._common = FileLedger(settings.ledger)
            if remembers:
                self._own = self._common

    def open(self, choice: ModelChoice) -> Model:
        """Make a model ready; nothing is sent yet.

        Raises:
            ConfigError: no such provider, no key, no price for it; in one line, without the key.
        """
        if not choice.names:
            raise ConfigError("no model is named; write provider/model, as openai/gpt-5-mini")
        purses = (self._purse_of(choice), self._purse_of_machine())
        exchanges = [
            Exchange(
                self._line(name, choice),
                trader_id=choice.trader_id,
                mode=self._settings.mode,
                cassette=self.cassette,
                purses=purses,
                attempts=self._settings.attempts,
                timeout_s=choice.timeout_s,
                around=self._around,
            )
            for name in choice.names
        ]
        return Chain(exchanges, patience_s=self._settings.patience_s, now_s=self._around.now_s)

    @property
    def digest(self) -> str:
        """Name what answers: in a replay the content of the cassette, else only the mode."""
        if self._settings.mode == "replay" and self.cassette is not None:
            return f"replay {self.cassette.digest}"
        return self._settings.mode

    def tally(self) -> str:
        """Say in one line where answers came from; empty without a cassette."""
        if self.cassette is None:
            return ""
        counts = self.cassette.counts
        asked = sum(counts[name] for name in ("replayed", "recorded", "missed"))
        share = f" ({100 * counts['replayed'] / asked:.1f} %)" if asked else ""
        return (
            f"models: {counts['replayed']} of {asked} questions answered by "
            f"{self.cassette.path}{share}, {counts['recorded']} recorded, {counts['missed']} missed"
        )

    def close(self) -> None:
        """Close connections and files."""
        for client in self._clients.values():
            client.close()
        self._own.close()
        self._common.close()

    def _line(self, name: str, choice: ModelChoice) -> Line:
        """Find the way to one model.

        Raises:
            ConfigError: there is none.
        """
        owner, _, model = name.partition("/")
        if choice.base_url and not (model and self._catalog.knows(owner)):
            owner, model = UNNAMED, name
        if not (owner and model):
            raise ConfigError(
                f"{name[:60]!r} is no model; write provider/model, as openai/gpt-5-mini, or the "
                "name alone with base_url"
            )
        provider = self._catalog.provider(owner, base_url=choice.base_url)
        with self._lock:
            options = self._options.setdefault(
                (provider.base_url, model), Options(provider.structured, provider.extra)
            )
            if self._settings.mode == "replay":
                key, client = "", None
                price = self._recorded_price(owner, model)
            else:
                price = self._catalog.price_of(owner, model, provider)
                key = self._catalog.key_of(owner, provider, given=choice.api_key)
                client = self._client(owner, provider, key)
            return Line(
                provider=owner,
                model=model,
                wire=_WIRES[provider.wire],
                price=price,
                options=options,
                gate=self._gate(owner, provider, key),
                client=client,
            )

    def _recorded_price(self, owner: str, model: str) -> Price:
        """Find what a model cost when it was recorded; one that is not in it never was paid."""
        found = None if self.cassette is None else self.cassette.price_of(owner, model)
        return found or FREE

    def _client(self, owner: str, provider: Provider, key: str) -> Client:
        place = (provider.base_url, _hashed(key))
        if place not in self._clients:
            self._clients[place] = self._make_client(provider, key, name=owner)
            if self.cassette is not None:
                self.cassette.keep_out(key)
        return self._clients[place]

    def _gate(self, owner: str, provider: Provider, key: str) -> Gate:
        place = (provider.base_url, _hashed(key))
        if place not in self._gates:
            breaker = Breaker(
                failures=self._settings.breaker_failures,
                pause_s=self._settings.breaker_pause_s,
                now_s=self._around.now_s,
            )
            self._gates[place] = Gate(
                owner,
                per_minute=provider.requests_per_minute,
                at_once=provider.at_once,
                breaker=breaker,
                now_s=self._around.now_s,
            )
        return self._gates[place]

    def _purse_of(self, choice: ModelChoice) -> Purse:
        budget = choice.budget
        return Purse(
            self._own,
            f"trader {choice.trader_id}",
            owner=choice.trader_id,
            per_day=usd_of(budget.usd_per_day),
            total=None if budget.usd_total is None else usd_of(budget.usd_total),
            cure="raise its budget.usd_per_day or budget.usd_total, or let it ask less",
        )

    def _purse_of_machine(self) -> Purse:
        settings = self._settings
        return Purse(
            self._common,
            _MACHINE,
            owner="this machine",
            per_day=usd_of(settings.usd_per_day),
            total=None if settings.usd_total is None else usd_of(settings.usd_total),
            cure="raise LLM_USD_PER_DAY or LLM_USD_TOTAL",
        )


def _hashed(key: str) -> str:
    """Tell keys apart without holding them."""
    return hashlib.sha256(key.encode()).hexdigest()


def open_models(*, remembers: bool) -> Models:
    """Read settings and keys, and make what a process hands to its traders.

    Args:
        remembers: traders' budgets last over restarts.

    Raises:
        ConfigError: a setting is wrong, or the cassette.
        StorageError: something cannot be kept.
    """
    return Models(
        Settings.load(),
        remembers=remembers,
        secrets=environment(),
        around=Surroundings(wall=SystemClock()),
    )
