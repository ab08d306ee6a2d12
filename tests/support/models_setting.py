"""Models over a scripted server, with time that a test moves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from strategy_core.llm.port import (
    Message,
    Model,
    ModelBudget,
    ModelChoice,
    ModelReply,
    ModelRequest,
)
from strategy_models.exchange import Surroundings
from strategy_models.opening import Models
from strategy_models.settings import Settings
from suite.clock import ManualClock

DAY_MS = 86_400_000
KEY = "sk-canary-0123456789abcdef"
PRICES = {"openai/big": {"input": 2, "output": 8}, "openai/small": {"input": 0.5, "output": 1}}
SCHEMA = {"type": "object", "properties": {"signal": {"type": "string"}}}


class Time:
    """Seconds that pass while somebody sleeps."""

    def __init__(self) -> None:
        self.at_s = 1000.0
        self.slept: list[float] = []

    def now_s(self) -> float:
        return self.at_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at_s += seconds


@dataclass
class Setting:
    """Models of one process, and what is around them.

    Attributes:
        folder: of its files.
        url: of the server behind `openai` and `anthropic`.
        env: the environment with the keys.
    """

    folder: Path
    url: str
    env: dict[str, str] = field(
        default_factory=lambda: {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY}
    )
    time: Time = field(default_factory=Time)
    wall: ManualClock = field(default_factory=lambda: ManualClock(20_000 * DAY_MS))
    prices: Mapping[str, Any] = field(default_factory=lambda: PRICES)
    provider: dict[str, Any] = field(default_factory=dict)

    def models(self, *, remembers: bool = False, **settings: Any) -> Models:
        openai = {"base_url": self.url, "key": "OPENAI_API_KEY", **self.provider}
        claude = {"base_url": self.url.removesuffix("/v1"), "wire": "anthropic", "free": True}
        file = self.folder / "providers.yaml"
        written = {
            "providers": {"openai": openai, "anthropic": {**claude, "key": "ANTHROPIC_API_KEY"}},
            "prices": dict(self.prices),
        }
        file.write_text(yaml.safe_dump(written))
        told = {"providers_file": file, "ledger": self.folder / "spent.sqlite", **settings}
        return Models(
            Settings.load(**told),
            remembers=remembers,
            secrets=self.env,
            around=Surroundings(wall=self.wall, now_s=self.time.now_s, sleep=self.time.sleep),
        )


def choice(*names: str, trader_id: str = "t", budget: str = "100", **fields: Any) -> ModelChoice:
    return ModelChoice(
        trader_id=trader_id,
        names=names or ("openai/big",),
        budget=ModelBudget(usd_per_day=Decimal(budget)),
        **fields,
    )


def question(text: str = "BTC?", **fields: Any) -> ModelRequest:
    fields.setdefault("max_output_tokens", 50)
    return ModelRequest(messages=(Message("system", "Trade."), Message("user", text)), **fields)


def asked(model: Model, text: str = "BTC?", **fields: Any) -> ModelReply:
    return model.complete(question(text, **fields))
