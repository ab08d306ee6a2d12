"""Accounts files of the live venue, and the keys that they name."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from eth_account import Account

ANNA_KEY = "17" * 32
"""An example key: it signs at a stand-in of the venue alone."""

TRADER_LIMITS: dict[str, Any] = {
    "max_order_usd": "5000",
    "max_position_usd": "10000",
    "max_account_usd": "20000",
    "max_leverage": 10,
    "max_open_orders": 100,
    "max_orders_per_s": 50,
    "max_orders_per_minute": 1000,
    "max_day_loss_usd": "1000",
    "max_drawdown_usd": "2000",
    "max_executions": 10000,
    "price_collar": "0.05",
    "duplicate_s": "0.5",
    "facts_age_s": 20,
}
GLOBAL_LIMITS: dict[str, Any] = {
    "max_gross_usd": "100000",
    "max_orders_per_s": 100,
    "max_day_loss_usd": "5000",
}


@dataclass
class WrittenTrader:
    """One entry, with a key of its own.

    Attributes:
        number: two digits of which its key is made.
        fields: further ones of the entry; None takes one away.
        limits: that are otherwise.
    """

    trader_id: str
    number: int
    address: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)

    @property
    def secret(self) -> str:
        return f"{self.number:02x}" * 32

    @property
    def signer(self) -> str:
        """Address of its agent."""
        return str(Account.from_key(self.secret).address).lower()

    def entry(self) -> dict[str, Any]:
        plain = {
            "trader_id": self.trader_id,
            "address": self.address or f"0x{self.number:02x}{'a1' * 19}",
            "key_file": f"keys/{self.trader_id}.key",
            "symbols": ["BTC", "ETH"],
            "limits": TRADER_LIMITS | self.limits,
        }
        return {name: value for name, value in (plain | self.fields).items() if value is not None}


def accounts_document(
    traders: Iterable[WrittenTrader], *, network: str = "testnet", **limits: Any
) -> dict[str, Any]:
    """The file as a library would read it."""
    return {
        "network": network,
        "limits": GLOBAL_LIMITS | limits,
        "accounts": [trader.entry() for trader in traders],
    }


def write_accounts(
    folder: Path, traders: Iterable[WrittenTrader], *, network: str = "testnet", **limits: Any
) -> Path:
    """Write `accounts.yaml` and the key files that it names; its path."""
    traders = list(traders)
    folder.mkdir(parents=True, exist_ok=True)
    for trader in traders:
        if (name := trader.entry().get("key_file")) is not None:
            write_key(folder / name, trader.secret)
    path = folder / "accounts.yaml"
    document = accounts_document(traders, network=network, **limits)
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def write_key(path: Path, secret: str, *, mode: int = 0o400) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{secret}\n")
    path.chmod(mode)


def anna(**fields: Any) -> WrittenTrader:
    """The usual trader."""
    return WrittenTrader("anna", 0x17, fields=fields)


def bert(**fields: Any) -> WrittenTrader:
    """Another one."""
    return WrittenTrader("bert", 0x18, fields=fields)
