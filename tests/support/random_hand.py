"""Somebody who trades at random over the simple REST, so that something happens to an account."""

import random
from typing import Any

import httpx
from tests.support.venue_process import VenueUnderTest

COINS = ("BTC", "ETH", "SOL")
SIZES = {"BTC": 0.001, "ETH": 0.02, "SOL": 0.2}
"""So small that fees leave something to trade with for thousands of fills."""


class RandomHand:
    """Acts on one account.

    Args:
        venue: where.
        name: of the account.
        seed: of everything.
    """

    def __init__(self, venue: VenueUnderTest, name: str, *, seed: int) -> None:
        self.chance = random.Random(seed)
        self._name = name
        self._venue = venue
        headers = {"authorization": f"Bearer {venue.token(name)}"}
        self._client = httpx.Client(base_url=venue.url, headers=headers, timeout=20)

    def close(self) -> None:
        self._client.close()

    def act(self) -> None:
        """Do one thing; the venue may refuse it."""
        coin = self.chance.choice(COINS)
        self.chance.choice((self._market, self._market, self._rest, self._rest, self._cancel,
                            self._protected, self._flat))(coin)  # fmt: skip

    def post(self, path: str, body: Any) -> Any:
        reply = self._client.post(path, json=body)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def _order(self, coin: str, **more: Any) -> None:
        body = {
            "coin": coin,
            "is_buy": self.chance.random() < 0.5,
            "sz": SIZES[coin] * self.chance.randint(1, 3),
            "limit_px": 0,
            "order_type": {"limit": {"tif": "Ioc"}},
        }
        self.post("/exchange/order", body | more)

    def _price(self, coin: str, factor: float) -> float:
        return float(f"{self._venue.mid(coin) * factor:.4g}")

    def _market(self, coin: str) -> None:
        self._order(coin)

    def _rest(self, coin: str) -> None:
        """A limit order that the next bars may well reach."""
        is_buy = self.chance.random() < 0.5
        factor = 1 + self.chance.uniform(0.0002, 0.004) * (-1 if is_buy else 1)
        tif = {"limit": {"tif": "Gtc"}}
        self._order(coin, is_buy=is_buy, limit_px=self._price(coin, factor), order_type=tif)

    def _cancel(self, coin: str) -> None:
        orders = self._venue.info("openOrders", user=self._name)
        if orders:
            order = self.chance.choice(orders)
            self.post("/exchange/cancel", {"coin": order["coin"], "oid": order["oid"]})

    def _protected(self, coin: str) -> None:
        """A market entry with its stop and target."""
        is_buy = self.chance.random() < 0.5
        away = 0.004 if is_buy else -0.004
        legs = {"stop_loss": 1 - away, "take_profit": 1 + away}
        self._order(
            coin,
            is_buy=is_buy,
            **{name: {"price": self._price(coin, factor)} for name, factor in legs.items()},
        )

    def _flat(self, coin: str) -> None:
        """Close what is held, and cancel what rests of a coin."""
        for order in self._venue.info("openOrders", user=self._name):
            if order["coin"] == coin:
                self.post("/exchange/cancel", {"coin": coin, "oid": order["oid"]})
        held = self._venue.info("clearinghouseState", user=self._name)["assetPositions"]
        for row in held:
            size = float(row["position"]["szi"])
            if row["position"]["coin"] == coin:
                self._order(coin, is_buy=size < 0, sz=abs(size), reduce_only=True)
