"""Settings of the virtual exchange."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import NoDecode

from strategy_core.learning.port import Switches
from suite.service.settings import BaseUrl, ServedSettings, settings_config, shared_name


class Settings(ServedSettings):
    """What the operator decides; variables begin with `VIRTUAL_EXCHANGE_`.

    Attributes:
        data: kline store, a folder or an address such as `s3://bucket/prefix`.
        symbols: coins of the default world, comma-separated; without any there is no default world.
        range_from, range_to: its range, ISO dates or epoch ms; what is stored when not given.
        clock: how its time moves.
        feed: address of a data-collector, or of another virtual-exchange, whose market paper worlds
            trade in.
        feed_silence_s: after how long without any news a feed counts as lost.
        speed: simulated seconds per second of a paced world.
        accounts: ids of its accounts, comma-separated.
        traders: a traders file whose accounts it has; in lockstep it waits for all of them.
        world: a YAML or JSON file with options of the default world: the fields of `POST /worlds`.
        options: the same as `name=value`, comma-separated; stronger than the file.
        seed: recorded in its report.
        faucet: USD that an address gets when it is first named in a read of the default world; not
            given: 10,000 in a paced or paper world, nothing in others.
        allow_partial: accept coins that do not cover the range.
        worlds_max: how many worlds this process holds at most.
        world_positions_max: room for accounts times coins of one world at most.
        world_minutes_max: stored bars of all coins of one world at most; each is 88 bytes.
        backtests_max: how many backtests may run at a time.
        ws_stall_s: how long a WebSocket client may take nothing of what it is sent.
        ws_silence_s: after how long without a message a WebSocket is closed; the live venue does so
            after 60, 0 is never.
        rate_limits: refuse what goes beyond the weight of an IP address (429), or beyond the
            actions that an account may send for what it has traded.
        signatures: `mainnet` or `testnet` take what is signed for that network over the venue's own
            notation of an action, as the live venue does; `any` takes all that can be read.
        keep_worlds: `supervised` worlds (a backtest, an arena) survive the end of the process, or
            `all`, or `none`; a paper world never does.
        keep_sync: what comes to a world that is kept is on the disk before it acts, and survives a
            power cut too; else what the system had not written by then is missing.
        disable_model_training: `DISABLE_MODEL_TRAINING`, no model is trained; the one in use goes
            on, and labelled trades are collected.
        relaxed_signal_mode: `RELAXED_SIGNAL_MODE`, more trades are proposed; needs a model trained
            on such.
        feature_schema_lock: `FEATURE_SCHEMA_LOCK`, a model of other features stops the start.
        models_dir: `MODELS_DIR`, folder of models that traders may name.
    """

    model_config = settings_config("VIRTUAL_EXCHANGE_")

    port: int = Field(default=8100, ge=0, le=65535)
    request_rate: int = Field(default=0, ge=0)
    data: Path | str = Path("var/data")
    symbols: Annotated[tuple[str, ...], NoDecode] = ()
    range_from: str | None = None
    range_to: str | None = None
    clock: Literal["lockstep", "paced", "paper"] = "paced"
    feed: BaseUrl | None = None
    feed_silence_s: float = Field(default=15.0, ge=1, le=3600)
    speed: float = Field(default=60.0, gt=0, le=1_000_000)
    accounts: Annotated[tuple[str, ...], NoDecode] = ()
    traders: Path | None = None
    world: Path | None = None
    options: Annotated[tuple[str, ...], NoDecode] = ()
    seed: int = Field(default=0, ge=0)
    faucet: Decimal | None = Field(default=None, ge=0)
    allow_partial: bool = False
    worlds_max: int = Field(default=128, ge=1)
    world_positions_max: int = Field(default=65_536, ge=1)
    world_minutes_max: int = Field(default=10_000_000, ge=1)
    backtests_max: int = Field(default=2, ge=1)
    ws_stall_s: float = Field(default=10.0, gt=0, le=3600)
    ws_silence_s: float = Field(default=0.0, ge=0, le=3600)
    rate_limits: bool = False
    signatures: Literal["any", "mainnet", "testnet"] = "any"
    keep_worlds: Literal["none", "supervised", "all"] = "supervised"
    keep_sync: bool = False
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

    @property
    def switches(self) -> Switches:
        """What concerns models of traders."""
        return Switches(
            training=not self.disable_model_training,
            relaxed=self.relaxed_signal_mode,
            schema_lock=self.feature_schema_lock,
        )
