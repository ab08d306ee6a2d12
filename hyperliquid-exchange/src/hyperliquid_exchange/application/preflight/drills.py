"""Canned orders and actions, held against the real limits: dry, nothing is signed or sent.

The account in which they are tried is made up, apart from its limits: nearly empty, in a market
that is as it is now.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from hyperliquid_exchange.domain.accounts import GlobalLimits, LiveAccount
from hyperliquid_exchange.domain.actions import ALLOWED, forbidden
from hyperliquid_exchange.domain.facts import AccountFacts
from hyperliquid_exchange.domain.gate import Situation, judge
from hyperliquid_exchange.domain.wanted import wanted_orders
from suite.contracts import hyperliquid_exchange as wire
from suite.contracts.hyperliquid_signing import USER_SIGNED
from suite.fixed import RATE_ONE, Price, Size, Usd
from suite.instrument import Instrument

NOBODY: Final = "0x" + "0" * 40
SMALL: Final = Usd(11_000_000)
"""Notional of an order that every trader may send, micro-USD: a dollar above the venue's least."""


def gate_refusals(
    account: LiveAccount,
    overall: GlobalLimits,
    universe: Sequence[Instrument],
    mids: Mapping[int, Price],
) -> dict[str, str | None]:
    """Try the gate with a good order and with those that it is there for.

    Args:
        account: whose limits are tried.
        overall: limits over all traders.
        universe: what is listed.
        mids: prices by asset.

    Returns:
        What the gate said of each; None where it would have let it leave. Nothing at all where no
        coin of the trader has a price.
    """
    places = {instrument.coin: place for place, instrument in enumerate(universe)}
    tradable = [places[coin] for coin in account.symbols if mids.get(places.get(coin, -1), 0) > 0]
    if not tradable:
        return {}
    asset = tradable[0]
    mid, instrument = mids[asset], universe[asset]
    limits = account.limits
    small = Size(SMALL // mid + 1)
    much = Size(limits.max_order_usd // mid + max(1, limits.max_order_usd // mid // 100))
    beyond = Price(mid + mid * limits.price_collar // RATE_ONE + mid // 1000 + 1)
    foreign = next(
        (place for place in range(len(universe)) if universe[place].coin not in account.symbols),
        len(universe),
    )
    facts = AccountFacts(
        equity_usd=Usd(max(limits.max_account_usd, 1)),
        positions={asset: small},
        orders=(),
        mids=dict(mids),
        instruments=tuple(universe),
        age_s=0.0,
        trouble=(),
        executions=0,
        net_deposits_usd=Usd(0),
        state_age_s=0.0,
    )
    good = _order(asset, instrument, small, mid)
    sent = tuple(order.content for order in wanted_orders(good, universe))

    def asked(action: wire.Order, recent: Sequence[tuple[object, ...]] = ()) -> str | None:
        now = Situation(
            account=account, overall=overall, facts=facts, universe=universe, recent=recent
        )
        return judge(action, now).refusal

    return {
        "good": asked(good),
        "oversize": asked(_order(asset, instrument, much, mid)),
        "off_collar": asked(_order(asset, instrument, small, beyond, tif="Ioc")),
        "wrong_symbol": asked(_order(foreign, instrument, small, mid)),
        "duplicate": asked(good, sent),
        "flipping": asked(
            _order(asset, instrument, Size(much + small), mid, is_buy=False, reduce_only=True)
        ),
    }


def _order(
    asset: int,
    instrument: Instrument,
    size: Size,
    price: Price,
    *,
    is_buy: bool = True,
    reduce_only: bool = False,
    tif: Literal["Gtc", "Ioc"] = "Gtc",
) -> wire.Order:
    item = wire.OrderItem(
        a=asset,
        b=is_buy,
        p=instrument.format_price(price),
        s=instrument.format_size(size),
        r=reduce_only,
        t=wire.Kind(limit=wire.LimitKind(tif=tif)),
    )
    action = wire.Order(orders=[item], grouping="na")
    wire.canonical(action)
    return action


def action_refusals() -> dict[str, bool]:
    """Try the list of actions with everything that moves money, or hands rights on."""
    tried: dict[str, wire.L1Action] = {
        "createSubAccount": wire.CreateSubAccount(name="x"),
        "subAccountTransfer": wire.SubAccountTransfer(
            subAccountUser=NOBODY, isDeposit=False, usd=1
        ),
        "subAccountSpotTransfer": wire.SubAccountSpotTransfer(
            subAccountUser=NOBODY,
            isDeposit=False,
            token="USDC",  # noqa: S106
            amount="1",
        ),
        "vaultTransfer": wire.VaultTransfer(vaultAddress=NOBODY, isDeposit=True, usd=1),
        "reserveRequestWeight": wire.ReserveRequestWeight(weight=1),
        "setReferrer": wire.SetReferrer(code="x"),
        "twapOrder": wire.TwapOrder(twap=wire.Twap(a=0, b=True, s="1", r=False, m=5, t=False)),
        "an order that pays a builder": wire.Order(
            orders=[], grouping="na", builder=wire.Builder(b=NOBODY, f=1)
        ),
    }
    refused = {name: forbidden(action) is not None for name, action in tried.items()}
    # what a wallet signs in readable form, and actions beyond perpetuals, have no way out at all
    for name in (*USER_SIGNED, *wire.OTHER_L1):
        refused[name] = name not in ALLOWED
    return refused
