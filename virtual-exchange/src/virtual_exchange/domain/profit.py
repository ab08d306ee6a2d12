"""Where a profit came from: the spread, the inventory, fees and funding, to the micro-USD.

A fill at `price` while the mid stood at `mid` earned `side * (mid - price) * size` by its price, at
once; whatever the coin did from there to its `mark` at the end is the inventory's:

    spread    =  sum of side * (mid - price) * size
    inventory =  sum of side * (mark - mid) * size + what insurance paid or kept
    fees      = -sum of fees paid
    funding   =  sum of funding received

The four add up to what was earned in the coin: mids cancel, and a size that was bought and sold
again has no mark left in it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from perp_engine.events import Fill, FundingPaid, InsuranceMoved
from suite.fixed import Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfitSplit:
    """Four parts of a profit, micro-USD, each as the account sees it: what costs is negative."""

    spread_usd: Usd = Usd(0)
    inventory_usd: Usd = Usd(0)
    fees_usd: Usd = Usd(0)
    funding_usd: Usd = Usd(0)

    @property
    def net_usd(self) -> Usd:
        """Their sum."""
        return Usd(self.spread_usd + self.inventory_usd + self.fees_usd + self.funding_usd)

    def plus(self, other: "ProfitSplit") -> "ProfitSplit":
        """Add two, part by part."""
        return ProfitSplit(
            spread_usd=Usd(self.spread_usd + other.spread_usd),
            inventory_usd=Usd(self.inventory_usd + other.inventory_usd),
            fees_usd=Usd(self.fees_usd + other.fees_usd),
            funding_usd=Usd(self.funding_usd + other.funding_usd),
        )


def split_by_coin(
    fills: Sequence[Fill],
    mids: Sequence[int],
    *,
    funding: Iterable[FundingPaid],
    insurance: Iterable[InsuranceMoved],
    marks: Sequence[int],
) -> Mapping[int, ProfitSplit]:
    """Split what one account earned in each coin that it touched.

    Args:
        fills: all of them.
        mids: of each fill, price units: the print that the book stood around last before it.
        funding, insurance: what was paid, all of it.
        marks: of each coin at the end, price units.

    Returns:
        By symbol, in rising order.
    """
    spread, inventory, fees, received = (Counter[int]() for _ in range(4))
    for fill, mid in zip(fills, mids, strict=True):
        signed = fill.side * fill.size
        spread[fill.symbol] += signed * (mid - fill.price)
        inventory[fill.symbol] += signed * (marks[fill.symbol] - mid)
        fees[fill.symbol] -= fill.fee_usd
    for paid in funding:
        received[paid.symbol] += paid.usd
    for moved in insurance:
        inventory[moved.symbol] += moved.usd
    return {
        symbol: ProfitSplit(
            spread_usd=Usd(spread[symbol]),
            inventory_usd=Usd(inventory[symbol]),
            fees_usd=Usd(fees[symbol]),
            funding_usd=Usd(received[symbol]),
        )
        for symbol in sorted({*inventory, *received})
    }


def total_of(splits: Iterable[ProfitSplit]) -> ProfitSplit:
    """Add up the coins."""
    total = ProfitSplit()
    for split in splits:
        total = total.plus(split)
    return total
