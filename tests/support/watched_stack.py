"""The live stack with its watchdog: a third process, with an agent key of its own."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.support.live_accounts import write_key
from tests.support.live_stack import (
    LiveStack,
    LiveTrader,
    command,
    fetch,
    running_stack,
    user_signed,
    wallet,
)
from tests.support.venue_process import SPEED

TRADER = "alice"
LIMIT_S = 3.0
PATIENCE_S = 40.0


@dataclass
class WatchedStack:
    """A venue, the service, and its watchdog.

    Attributes:
        stack: venue and service.
        watchdog: the process; None while it does not run.
    """

    stack: LiveStack
    watchdog: "subprocess.Popen[bytes] | None" = None

    @property
    def safety(self) -> Path:
        return self.stack.folder / "var" / "safety"

    @property
    def kill_file(self) -> Path:
        return self.safety / "KILL"

    def start_watchdog(self) -> None:
        with (self.stack.folder / "watchdog.log").open("ab") as log:
            self.watchdog = subprocess.Popen(
                [command(), "watchdog", "--url", self.stack.url],
                cwd=self.stack.folder,
                env=os.environ | self.stack.settings,
                stdout=log,
                stderr=log,
            )

    def end_watchdog(self, number: int = signal.SIGKILL) -> int:
        assert self.watchdog is not None
        self.watchdog.send_signal(number)
        code = self.watchdog.wait(30)
        self.watchdog = None
        return code

    def beats(self, of: str = "watchdog") -> int:
        """Count beats of a process; 0 before the first."""
        try:
            found: int = json.loads((self.safety / f"{of}.beat").read_text())["number"]
        except (OSError, ValueError):
            return 0
        return found

    def signal_service(self, number: int) -> None:
        assert self.stack.process is not None
        self.stack.process.send_signal(number)

    def ask(self, what: str, body: dict[str, Any] | None = None, who: str = TRADER) -> Any:
        """Ask the service; the answer, or the status where it is no 200."""
        status, text = fetch(f"{self.stack.url}{what}", body, self.stack.headers(who))
        return json.loads(text) if status == 200 else status

    def order(self, **changed: Any) -> Any:
        """Ask for an order of BTC; text of a refusal, or the statuses."""
        usual = {
            "coin": "BTC",
            "is_buy": True,
            "sz": "0.01",
            "limit_px": "0",
            "order_type": {"limit": {"tif": "Gtc"}},
            "reduce_only": False,
        }
        told = self.ask("/exchange/order", usual | changed)
        if not isinstance(told, dict) or told.get("status") != "ok":
            return told["response"] if isinstance(told, dict) else told
        return told["response"]["data"]["statuses"]

    def level(self) -> str:
        levels: dict[str, str] = self.ask("/safety", who="operator")["levels"]
        return levels[TRADER]

    def is_watchdog_heard(self) -> bool:
        """Whether the service knows that its watchdog gets on."""
        return self.ask("/safety", who="operator")["watchdog_silent_s"] is not None

    def mid(self) -> int:
        return int(float(self.stack.venue.info("allMids")["BTC"]))

    def orders(self) -> list[dict[str, Any]]:
        """List what rests at the venue."""
        address = self.stack.traders[TRADER].address
        found: list[dict[str, Any]] = self.stack.venue.info("frontendOpenOrders", user=address)
        return found

    def positions(self) -> dict[str, str]:
        """Tell signed sizes by coin, as the venue has them."""
        address = self.stack.traders[TRADER].address
        found = self.stack.venue.info("clearinghouseState", user=address)["assetPositions"]
        return {one["position"]["coin"]: one["position"]["szi"] for one in found}

    def protect_and_enter(self) -> None:
        """Buy, protect it, and leave an entry at the venue."""
        mid = self.mid()
        until(lambda: isinstance(self.order(order_type={"limit": {"tif": "Ioc"}}), list))
        stop = {"trigger": {"isMarket": True, "triggerPx": str(mid // 2), "tpsl": "sl"}}
        placed = self.order(is_buy=False, limit_px=str(mid // 2), order_type=stop, reduce_only=True)
        assert isinstance(placed, list), placed
        entry = self.order(limit_px=str(mid * 9 // 10))
        assert isinstance(entry, list), entry
        until(lambda: len(self.orders()) == 2)

    def log(self) -> str:
        return (self.stack.folder / "watchdog.log").read_text()


def until(holds: Callable[[], object], limit_s: float = PATIENCE_S) -> None:
    """Wait until something holds; fail when it does not in time."""
    end_s = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end_s, f"not within {limit_s} s"
        time.sleep(0.05)


@contextmanager
def watched_stack(folder: Path, speed: float = SPEED) -> Iterator[WatchedStack]:
    """Start all three; the service trades, and its watchdog has beaten.

    Args:
        folder: of everything.
        speed: of the venue's world; see `running_venue`.
    """
    limit = {"HYPERLIQUID_EXCHANGE_WATCHDOG_LIMIT_S": str(LIMIT_S)}
    trader = LiveTrader(TRADER)
    with running_stack(folder, trader, starts=False, settings=limit, speed=speed) as stack:
        trader, key = stack.traders[TRADER], wallet("watchdog of alice")
        told = user_signed(
            stack.venue,
            trader.master,
            "approveAgent",
            agentAddress=key.address,
            agentName="watchdog",
        )
        assert told["status"] == "ok", told
        write_key(stack.folder / "keys" / "watchdog.key", bytes(key.key).hex())
        document = yaml.safe_load(stack.accounts_path.read_text())
        document["accounts"][0]["watchdog_key_file"] = "keys/watchdog.key"
        stack.accounts_path.write_text(yaml.safe_dump(document, sort_keys=False))
        stack.start()
        one = WatchedStack(stack)
        one.start_watchdog()
        try:
            until(lambda: one.beats() > 2 and one.is_watchdog_heard())
            yield one
        finally:
            one.signal_service(signal.SIGCONT)
            if one.watchdog is not None:
                one.end_watchdog()
