"""Settings of whatever asks language models; variables begin with `LLM_`."""

from decimal import Decimal
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from suite.service.settings import BaseUrl, EnvironmentSettings, settings_config

Mode = Literal["live", "record", "replay"]


class Settings(EnvironmentSettings):
    """What the operator decides, the same for an agent and for a backtest in one process.

    Attributes:
        mode: `live` asks providers; `record` does and keeps what they answer, and asks nothing
            twice; `replay` answers from the cassette alone, without key and network.
        cassette: the file to record into or to replay.
        providers_file: YAML with further providers and prices, see docs/llm-providers.md.
        usd_per_day: what all traders that share the ledger may spend in a day of the wall clock,
            UTC; beside the budget of each.
        usd_total: the same for ever; no limit when not given.
        ledger: file of what was spent; processes of one machine share it.
        attempts: of one question at one model, the first included.
        patience_s: how long one question may take in all, attempts, pauses and cheaper models
            included; a decision of two questions must fit into
            `STRATEGY_AGENT_SLOW_DECISION_S`.
        breaker_failures: in a row, after which a provider is left alone.
        breaker_pause_s: for how long at first; twice as long each time, up to 16 times.
        local_url: of the server that `strategy-agent model-server` starts.
    """

    model_config = settings_config("LLM_")
    not_ours = ("_KEY", "_KEY_FILE")  # LLM_API_KEY and the like, for ${...} in traders files

    mode: Mode = "live"
    cassette: Path | None = None
    providers_file: Path | None = None
    usd_per_day: Decimal = Field(default=Decimal(10), ge=0)
    usd_total: Decimal | None = Field(default=None, ge=0)
    ledger: Path = Path("var/models/spent.sqlite")
    attempts: int = Field(default=3, ge=1, le=10)
    patience_s: float = Field(default=50.0, gt=0)
    breaker_failures: int = Field(default=5, ge=1)
    breaker_pause_s: float = Field(default=30.0, gt=0)
    local_url: BaseUrl = "http://127.0.0.1:8310/v1"

    @model_validator(mode="after")
    def _has_cassette(self) -> "Settings":
        if self.mode != "live" and self.cassette is None:
            raise ValueError(f"LLM_MODE={self.mode} needs LLM_CASSETTE, the file with the answers")
        return self
