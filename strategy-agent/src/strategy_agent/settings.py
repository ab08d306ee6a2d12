"""Settings of the strategy-agent."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from strategy_core.asking import BUDGETS
from strategy_core.learning.port import Switches
from suite.service.database_url import DatabaseUrl
from suite.service.settings import ServiceSettings, settings_config, shared_name
from suite.service.token_file import read_token


class Settings(ServiceSettings):
    """What the operator decides; variables begin with `STRATEGY_AGENT_` but for the shared ones.

    Attributes:
        trading_url: `TRADING_URL`, base of the venue contract, a world's path included.
        data_service_url: `DATA_SERVICE_URL`, base of the data contract; the venue's when not given.
            Lockstep and paced worlds send snapshots with every step, so nothing is asked of it
            there.
        trader_token: `TRADER_TOKEN`, bearer token of the account.
        trader_tokens: `TRADER_TOKENS`, a JSON object of tokens by trader id, for several traders in
            one process; wins over `trader_token`.
        trader_tokens_dir: `TRADER_TOKENS_DIR`, a folder with a file `<trader>.token` for each whose
            token is in none of these: the `var/tokens` of a venue.
        seed: of what traders draw at random, with their id; equal to the world's to repeat an
            in-process backtest.
        heartbeat_s: how often the venue is told that the trader is alive.
        connect_window_s: how long a venue that does not answer at all is tried at the start.
        retry_window_s: how long a call is repeated later on.
        retry_pauses_s: how long to wait before a failed run is tried again, a JSON list: before the
            first try, the second, ...; the last one before each further try.
        quick_decision_s: how long a decision may take that is made at once.
        slow_decision_s: how long one may take that is made in a thread of its own.
        local_steps: sleep by the own clock also where the venue would wake the trader.
        ccxt_exchange: `CCXT_EXCHANGE`, an exchange of ccxt to trade at, e.g. `binanceusdm`;
            instead of `TRADING_URL`.
        ccxt_api_key: `CCXT_API_KEY`, of one account; the keys that its exchange wants.
        ccxt_secret: `CCXT_SECRET`, likewise.
        ccxt_password: `CCXT_PASSWORD`, likewise.
        ccxt_wallet_address: `CCXT_WALLET_ADDRESS`, likewise.
        ccxt_private_key: `CCXT_PRIVATE_KEY`, likewise.
        ccxt_sandbox: `CCXT_SANDBOX`, the exchange's play money; real money needs `false` here and
            `ALLOW_DIRECT_CCXT_LIVE=true`.
        ccxt_url: `CCXT_URL`, another address for all services of the exchange.
        allow_direct_ccxt_live: `ALLOW_DIRECT_CCXT_LIVE`, real money through ccxt is meant.
        control_token: another operator's token for the control API, beside the one in its file: for
            who starts the process and cannot read that file.
        hosts_plugins: `strategy-agent host` takes plugins too: code of others, beside all traders
            of the process.
        manager_url: `MANAGER_URL`, of a trader-manager that gives traders to who claims them.
        manager_token: `MANAGER_TOKEN`, for that; the manager has it in `var/tokens/agent.token`.
        manager_token_file: `MANAGER_TOKEN_FILE`, a file with it.
        backtest_url: `BACKTEST_URL`, an exchange that replays orders over recorded bars before a
            meeting decides; none when not given.
        backtest_token: `BACKTEST_TOKEN`, of its operator.
        backtest_token_file: `BACKTEST_TOKEN_FILE`, a file with it.
        control_url: where the manager reaches the control API. When not given, the address that it
            listens on; of all of them, the one by which it reaches the manager.
        paused: why its traders begin PAUSED, for a person to resume; they trade at once without it.
        plugin_dir: where modules of plugins are looked for too, before the working directory; a
            manager on this machine names its own working directory.
        memory_limit_mb: address space that the process may have, MiB; a leak then ends it, or the
            decision that leaks, and nothing else of the machine.
        disable_model_training: `DISABLE_MODEL_TRAINING`, no model is trained; the one in use goes
            on, and labelled trades are collected.
        relaxed_signal_mode: `RELAXED_SIGNAL_MODE`, more trades are proposed; needs a model trained
            on such.
        feature_schema_lock: `FEATURE_SCHEMA_LOCK`, a model of other features stops the start.
        models_dir: `MODELS_DIR`, folder of models that traders may name.
        models_database_url: `MODELS_DATABASE_URL`, a database for the models of live traders, in
            place of folders.
        trade_without_evidence: `TRADE_WITHOUT_EVIDENCE`, models, comma-separated, that may risk
            real money without an evaluation that found an edge.
    """

    model_config = settings_config("STRATEGY_AGENT_")

    port: int = Field(default=8300, ge=0, le=65535)
    trading_url: str = Field(default="", validation_alias=shared_name("TRADING_URL"))
    data_service_url: str = Field(default="", validation_alias=shared_name("DATA_SERVICE_URL"))
    trader_token: SecretStr = Field(
        default=SecretStr(""), validation_alias=shared_name("TRADER_TOKEN")
    )
    trader_tokens: dict[str, SecretStr] = Field(
        default_factory=dict, validation_alias=shared_name("TRADER_TOKENS")
    )
    seed: int = Field(default=0, ge=0)
    heartbeat_s: float = Field(default=10.0, gt=0)
    connect_window_s: float = Field(default=5.0, ge=0)
    retry_window_s: float = Field(default=30.0, ge=0)
    retry_pauses_s: tuple[Annotated[float, Field(gt=0)], ...] = (1.0, 5.0, 30.0, 60.0)
    quick_decision_s: float = Field(default=BUDGETS.quick_s, gt=0)
    slow_decision_s: float = Field(default=BUDGETS.slow_s, gt=0)
    local_steps: bool = False
    trader_tokens_dir: Path | None = Field(
        default=None, validation_alias=shared_name("TRADER_TOKENS_DIR")
    )
    ccxt_exchange: str = Field(default="", validation_alias=shared_name("CCXT_EXCHANGE"))
    ccxt_api_key: SecretStr = Field(
        default=SecretStr(""), validation_alias=shared_name("CCXT_API_KEY")
    )
    ccxt_secret: SecretStr = Field(
        default=SecretStr(""), validation_alias=shared_name("CCXT_SECRET")
    )
    ccxt_password: SecretStr = Field(
        default=SecretStr(""), validation_alias=shared_name("CCXT_PASSWORD")
    )
    ccxt_wallet_address: SecretStr = Field(
        default=SecretStr(""), validation_alias=shared_name("CCXT_WALLET_ADDRESS")
    )
    ccxt_private_key: SecretStr = Field(
        default=SecretStr(""), validation_alias=shared_name("CCXT_PRIVATE_KEY")
    )
    ccxt_sandbox: bool = Field(default=True, validation_alias=shared_name("CCXT_SANDBOX"))
    ccxt_url: str = Field(default="", validation_alias=shared_name("CCXT_URL"))
    allow_direct_ccxt_live: bool = Field(
        default=False, validation_alias=shared_name("ALLOW_DIRECT_CCXT_LIVE")
    )
    control_token: SecretStr = SecretStr("")
    hosts_plugins: bool = False
    manager_url: str = Field(default="", validation_alias=shared_name("MANAGER_URL"))
    manager_token: SecretStr = Field(
        default=SecretStr(""), validation_alias=shared_name("MANAGER_TOKEN")
    )
    manager_token_file: Path | None = Field(
        default=None, validation_alias=shared_name("MANAGER_TOKEN_FILE")
    )
    backtest_url: str = Field(default="", validation_alias=shared_name("BACKTEST_URL"))
    backtest_token: SecretStr = Field(
        default=SecretStr(""), validation_alias=shared_name("BACKTEST_TOKEN")
    )
    backtest_token_file: Path | None = Field(
        default=None, validation_alias=shared_name("BACKTEST_TOKEN_FILE")
    )
    control_url: str = ""
    paused: str = ""
    plugin_dir: Path = Path()
    memory_limit_mb: int | None = Field(default=None, ge=64)
    disable_model_training: bool = Field(
        default=False, validation_alias=shared_name("DISABLE_MODEL_TRAINING")
    )
    relaxed_signal_mode: bool = Field(
        default=False, validation_alias=shared_name("RELAXED_SIGNAL_MODE")
    )
    feature_schema_lock: bool = Field(
        default=True, validation_alias=shared_name("FEATURE_SCHEMA_LOCK")
    )
    models_dir: Path = Field(default=Path("var/models"), validation_alias=shared_name("MODELS_DIR"))
    models_database_url: DatabaseUrl = Field(
        default=SecretStr(""), validation_alias=shared_name("MODELS_DATABASE_URL")
    )
    trade_without_evidence: str = Field(
        default="", validation_alias=shared_name("TRADE_WITHOUT_EVIDENCE")
    )

    @field_validator(
        *("trading_url", "data_service_url", "ccxt_url", "manager_url", "control_url"),
        "backtest_url",
    )
    @classmethod
    def _is_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError("must be an address such as http://127.0.0.1:8100/w/name")
        return url.rstrip("/")

    @property
    def switches(self) -> Switches:
        """What concerns models of traders."""
        return Switches(
            training=not self.disable_model_training,
            relaxed=self.relaxed_signal_mode,
            schema_lock=self.feature_schema_lock,
            unproven=tuple(self.trade_without_evidence.replace(",", " ").split()),
        )

    def token_of(self, trader_id: str) -> str:
        """Find the token of a trader; empty for none.

        Raises:
            ConfigError: others may read its file, or this process may not.
        """
        given = self.trader_tokens.get(trader_id, self.trader_token).get_secret_value()
        if given or self.trader_tokens_dir is None:
            return given
        return read_token(self.trader_tokens_dir, trader_id)
