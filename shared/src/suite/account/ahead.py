"""Fills that are known before a full state of the venue has them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import groupby

from suite.account.events import StatePush, signed_size
from suite.account.picture import ZERO, held_in
from suite.account.view import state_with
from suite.contracts.hyperliquid_info import ClearinghouseState, UserFill


class FillsAhead:
    """The latest full state, with the fills that it does not have yet.

    Attributes:
        state: the state with them; None before the first.
        fills: they, oldest first.
    """

    def __init__(self) -> None:
        self.state: ClearinghouseState | None = None
        self.fills: list[UserFill] = []
        self._base: ClearinghouseState | None = None
        self._held: dict[str, Decimal] = {}
        self._ahead: dict[str, Decimal] = {}

    def take_state(self, push: StatePush, sizes: Mapping[str, Decimal]) -> None:
        """Stand on another state, and forget the fills that it has.

        Args:
            push: the state.
            sizes: signed position by coin as it follows from all fills.
        """
        self._base, self._held = push.state, held_in(push)
        self._forget_seen(sizes)

    def take_fills(self, news: Sequence[UserFill], sizes: Mapping[str, Decimal]) -> None:
        """Add fills; those that the state has already count no more.

        Args:
            news: were not known before.
            sizes: as they are with them.
        """
        self.fills += news
        for fill in news:
            self._ahead[fill.coin] = self._ahead.get(fill.coin, ZERO) + signed_size(fill)
        if any(self._offset(fill.coin, sizes) != self._ahead[fill.coin] for fill in news):
            self._forget_seen(sizes)
        elif self.state is not None:
            self.state = state_with(self.state, news)

    def clear(self) -> None:
        """Believe the state as it is."""
        self.fills, self._ahead, self.state = [], {}, self._base

    def _offset(self, coin: str, sizes: Mapping[str, Decimal]) -> Decimal:
        return sizes.get(coin, ZERO) - self._held.get(coin, ZERO)

    def _forget_seen(self, sizes: Mapping[str, Decimal]) -> None:
        """Keep the latest fills of each coin that make up what the state lacks, if any do."""
        kept: list[UserFill] = []
        self._ahead = {}
        for coin, group in groupby(sorted(self.fills, key=_coin_of), key=_coin_of):
            offset, missing, ahead = self._offset(coin, sizes), ZERO, list(group)
            count = 0
            while missing != offset and count < len(ahead):
                count += 1
                missing += signed_size(ahead[-count])
            if missing == offset:
                kept += ahead[len(ahead) - count :]
                self._ahead[coin] = missing
        self.fills = sorted(kept, key=lambda fill: fill.time)
        if self._base is not None:
            self.state = state_with(self._base, self.fills)


def _coin_of(fill: UserFill) -> str:
    return fill.coin
