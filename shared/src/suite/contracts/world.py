"""A world: one simulated market with its own time and accounts. Bodies of `/worlds`."""

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

from suite.addresses import Address
from suite.contracts.clock import Interval
from suite.contracts.venue import Name, Wire

AccountName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-/]{0,63}$")]
Moment = str | int
"""Epoch ms, or an ISO date (`2025-05-05`) or date and time in UTC."""
Weeks = Annotated[int, msgspec.Meta(ge=-3000, le=400_000)]
Fraction = Annotated[Decimal, msgspec.Meta(description="a fraction: 0.00045 is 4.5 basis points")]


class AccountRequest(Wire, frozen=True, kw_only=True):
    """One account with its own money.

    Attributes:
        address: of its wallet; derived from the id when not given.
        agents: addresses of API wallets that may sign for it, besides those it approves itself.
        initial_balance: USD, positive.
    """

    id: AccountName
    address: Address | None = None
    agents: Annotated[tuple[Address, ...], msgspec.Meta(max_length=16)] = ()
    initial_balance: Decimal = Decimal(10000)


class FeeTier(Wire, frozen=True, kw_only=True):
    """Fees from a traded notional upward.

    Attributes:
        volume: USD traded in the 14 full days before.
        taker, maker: fractions of notional; a negative one is a rebate.
    """

    volume: Decimal
    taker: Fraction
    maker: Fraction


class Fees(Wire, frozen=True, kw_only=True):
    """Fractions of notional that a fill costs; a negative one is a rebate.

    Attributes:
        tiers: `hyperliquid`, the venue's own table, or tiers by rising volume, the first at 0; in
            the place of the two flat fees.
    """

    taker: Fraction | None = None
    maker: Fraction | None = None
    tiers: (
        Literal["hyperliquid"]
        | Annotated[tuple[FeeTier, ...], msgspec.Meta(min_length=1, max_length=32)]
        | None
    ) = None


class MarketModel(Wire, frozen=True, kw_only=True):
    """How the simulated market behaves; what is not given comes from the profile.

    Attributes:
        profile: `default`, or `plain` for comparison with other engines: no spread, slippage or
            caps, and a touched limit fills.
        fees: of taker and maker fills.
        spread: half the spread around the print.
        slippage: of taker fills.
        impact: slippage of a taker fill as large as its bar's volume; smaller ones in proportion.
        participation: highest share of a bar's volume that maker fills may be; 0 is no cap.
        fill_at: `open`: the book stands around the opening print of the bar that starts now;
            `close`: around the last close.
        limit_fill: `through`: the bar must trade beyond a limit to fill it; `touch`.
        bar_path: in which order a bar's extremes come; `recorded`: through the finer bars of the
            store, which a world of longer bars than they has.
        mark: what margin and triggers look at; only the trade path is modelled.
        funding: hourly rate of coins without recorded funding.
        latency: ms that an order, cancel or modification is on its way, rounded up to a bar.
    """

    profile: Literal["default", "plain"] = "default"
    fees: Fees = Fees()
    spread: Fraction | None = None
    slippage: Fraction | None = None
    impact: Fraction | None = None
    participation: Fraction | None = None
    fill_at: Literal["open", "close"] | None = None
    limit_fill: Literal["through", "touch"] | None = None
    bar_path: Literal["pessimistic", "ohlc", "olhc", "recorded"] | None = None
    mark: Literal["trade", "ema", "recorded"] = "trade"
    funding: Fraction | None = None
    latency: Annotated[int, msgspec.Meta(ge=0, le=86_400_000)] = 0


class MaskRequest(Wire, frozen=True, kw_only=True):
    """How a market is made unrecognizable.

    Attributes:
        seed: of factors, names, order and dates; the world's when not given.
        scale: one factor for all prices, after each coin's point has moved to where its sizes have
            two decimals; not given: one is drawn for each coin. With a power of ten nothing else
            moves, and results are exactly those of the recorded market.
        shift_weeks: by how many weeks dates move; drawn when not given.
        rename: shown name by recorded name; the others are `COIN1`, `COIN2`, ...
    """

    seed: Annotated[int, msgspec.Meta(ge=0)] | None = None
    scale: Decimal | None = None
    shift_weeks: Weeks | None = None
    rename: dict[Name, Name] = msgspec.field(default_factory=dict)


class WorldRequest(MarketModel, frozen=True, kw_only=True):
    """Body of `POST /worlds`.

    Attributes:
        symbols: coins, by any venue's name for them.
        from_: first moment, on the wire `from`; the start of the data when not given.
        to: last moment, exclusive; the end of the data when not given.
        interval: length of the engine's bars, made of the stored minutes; orders meet the market
            once a bar.
        participants: accounts without which time does not start. Not given: in lockstep all
            accounts, in other worlds none.
        clock: `lockstep`: time moves when all participants wait; `paced`: by a timer; `paper`: with
            the live market that the service is fed with.
        speed: simulated seconds per second of a paced world.
        supervised: whoever runs the world watches its participants; none is dropped for silence.
        allow_partial: accept symbols that do not cover the whole range.
        capacity: room for accounts, those that are opened later included; by default 16 more than
            are named, with a faucet 256 more.
        faucet: USD that an address is given when it is first named in a read; 0 is none.
        mask: another market is made of the recorded one, so that none who knows the past finds it
            again; `true` for one with the world's seed.
        time_shift: weeks by which bars and funding are moved; `now`, in a paced world: so many that
            it begins within the last seven days.
    """

    symbols: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=64)]
    from_: Moment | None = msgspec.field(default=None, name="from")
    to: Moment | None = None
    interval: Interval = "1m"
    accounts: Annotated[tuple[AccountRequest, ...], msgspec.Meta(min_length=1, max_length=1024)]
    participants: tuple[AccountName, ...] | None = None
    clock: Literal["lockstep", "paced", "paper"] = "lockstep"
    speed: Annotated[float, msgspec.Meta(gt=0, le=1_000_000)] = 60.0
    seed: int = 0
    supervised: bool = False
    allow_partial: bool = False
    capacity: Annotated[int, msgspec.Meta(ge=1, le=4096)] | None = None
    faucet: Decimal = Decimal(0)
    mask: MaskRequest | bool | None = None
    time_shift: Literal["now"] | Weeks | None = None


class AccountsRequest(Wire, frozen=True, kw_only=True):
    """Body of `POST /worlds/{id}/accounts`: who else shall trade in a world that goes on.

    Attributes:
        again: one that is there already is left as it is and gets another token, in the place of
            those that it had; without it, it is a conflict.
    """

    accounts: Annotated[tuple[AccountRequest, ...], msgspec.Meta(min_length=1, max_length=1024)]
    again: bool = False


class WorldCreated(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of `POST /worlds`.

    Attributes:
        base_url: what an agent needs as `TRADING_URL` and `DATA_SERVICE_URL`.
        tokens: account id to bearer token, shown this once.
    """

    world_id: str
    base_url: str
    tokens: dict[str, str]


class WorldStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `GET /worlds`, and the answer of `GET /worlds/{id}`.

    What would tell where the market of a masked world came from is for the operator only: others
    get None in `seed`, `mask` and `time_shift_weeks`.

    Attributes:
        speed: simulated seconds per second, 0 in lockstep; 1 in a paper world, unless what feeds it
            is simulated too.
        participants: where each is: `expected`, `deciding`, `waiting` or `dropped`.
        waits_for: accounts that have not joined and without which time does not begin.
        late: bars of a paced world that passed while someone was deciding, by account; those who
            were always in time are not in it.
        degraded: accounts that were dropped at some time.
        rules: every parameter of the market model, as in the report.
        mask: seed, scale, weeks and names of a masked world.
        time_shift_weeks: by how many weeks the dates were moved.
        feed: of a paper world: address, `state` (`live` or `degraded`), since when, why, and which
            coins have no price at the moment.
    """

    world_id: str
    base_url: str
    symbols: tuple[str, ...]
    accounts: tuple[str, ...]
    clock: str
    speed: float
    interval: str
    from_ms: int
    to_ms: int
    now_ms: int
    finished: bool
    percent: float
    supervised: bool
    participants: dict[str, str]
    late: dict[str, int]
    degraded: tuple[str, ...]
    rules: dict[str, Any]
    seed: int | None
    mask: dict[str, Any] | None
    time_shift_weeks: int | None
    feed: dict[str, Any] | None = None
    waits_for: tuple[str, ...] = ()


class FaucetRequest(Wire, frozen=True, kw_only=True):
    """Body of `POST /faucet`."""

    address: Address


class Transfer(Wire, frozen=True, kw_only=True):
    """Body of `POST /transfers`.

    Attributes:
        from_, to: account ids or addresses; on the wire `from` and `to`.
        usd_micro: how much, micro-USD.
        idempotency_key: the same key moves money once.
    """

    from_: Name = msgspec.field(name="from")
    to: Name
    usd_micro: Annotated[int, msgspec.Meta(gt=0, le=10**18)]
    idempotency_key: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class TransferDone(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of `POST /transfers`."""

    from_: str = msgspec.field(name="from")
    to: str
    usd_micro: int
    time_ms: int
