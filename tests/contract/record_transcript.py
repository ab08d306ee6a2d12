"""Write docs/transcripts/sdk-basic-order.md: what the official SDK says and hears in two examples.

Usage: PYTHONPATH=. python tests/contract/record_transcript.py > docs/transcripts/sdk-basic-order.md
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from eth_account import Account
from tests.support.sdk import GTC, many, one, set_up, trigger
from tests.support.venue_process import running_venue

HEAD = """# The SDK's basic order and tpsl flows

Recorded from hyperliquid-python-sdk 0.24.0, unmodified, at a venue that `virtual-exchange serve`
served with a synthetic market, by `tests/contract/record_transcript.py`. Lines after `->` are what
the client posted and after `<-` what it was answered, as they were; of signatures only the first
digits are shown. The key is the test key `0x1111...11` and holds simulated money only.
"""


class Transcript:
    """Wraps the one method by which the client talks."""

    def __init__(self, post: Any) -> None:
        self._post = post

    def __call__(self, path: str, payload: Any = None) -> Any:
        reply = self._post(path, payload)
        shown = dict(payload or {})
        if "signature" in shown:
            halves = {half: shown["signature"][half][:10] + "..." for half in ("r", "s")}
            shown["signature"] = {**shown["signature"], **halves}
        print(f"-> {path} {json.dumps(shown)}\n<- {json.dumps(reply)}\n")
        return reply


def section(title: str) -> None:
    print(f"```\n\n## {title}\n\n```text")


def record(folder: Path) -> None:
    with running_venue(folder, speed=60) as venue:
        sdk = set_up(venue, Account.from_key("0x" + "11" * 32))
        info, exchange, address = sdk.info, sdk.exchange, sdk.address
        bid, low, high = (sdk.price("ETH", factor) for factor in (0.8, 0.95, 1.05))
        for half in (info, exchange, exchange.info):
            half.post = Transcript(half.post)
        print(f"{HEAD}\n## The account: the faucet opens it\n\n```text")
        info.user_state(address)
        section("basic_order: rest, query by oid, cancel")
        oid = one(exchange.order("ETH", True, 0.2, bid, GTC))["resting"]["oid"]
        info.query_order_by_oid(address, oid)
        exchange.cancel("ETH", oid)
        section("basic_tpsl: enter, stop, take profit, cancel both by their oid")
        one(exchange.order("ETH", True, 0.02, high, GTC))
        for price, tpsl in ((low, "sl"), (high, "tp")):
            kind = trigger(price, tpsl)
            leg = one(exchange.order("ETH", False, 0.02, price, kind, reduce_only=True))
            exchange.cancel("ETH", leg["resting"]["oid"])
        section("basic_tpsl: one group (normalTpsl), and its end with its entry")
        leg = {"coin": "ETH", "is_buy": False, "sz": 0.02, "reduce_only": True}
        orders = [
            {**leg, "is_buy": True, "reduce_only": False, "limit_px": bid, "order_type": GTC},
            {**leg, "limit_px": high, "order_type": trigger(high, "tp")},
            {**leg, "limit_px": bid - 100, "order_type": trigger(bid - 100, "sl")},
        ]
        entry, *_ = many(exchange.bulk_orders(orders, grouping="normalTpsl"))
        info.frontend_open_orders(address)
        exchange.cancel("ETH", entry["resting"]["oid"])
        info.frontend_open_orders(address)
        section("market_close, and what is left to see")
        exchange.market_close("ETH")
        info.user_fills(address)
        print("```")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        record(Path(place))
    sys.stdout.flush()
