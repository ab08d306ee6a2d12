"""Accounts files that somebody got wrong, and what a person would read in them."""

import random
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import yaml

from hyperliquid_exchange.adapters.accounts_file import WrittenAccounts
from suite.fixed import RATE_DECIMALS, USD_DECIMALS

TEXT = """\
# who trades
network: testnet
limits:
  max_gross_usd: 100000
  max_orders_per_s: 100
  max_day_loss_usd: 5000.5
accounts:
  - trader_id: anna
    address: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    key_file: keys/anna.key
    watchdog_key_file: keys/watchdog.key
    symbols: [BTC, ETH]
    limits:
      max_order_usd: 5000
      max_position_usd: 10000.25
      max_account_usd: 20000
      max_leverage: 10
      max_open_orders: 100
      max_orders_per_s: 50
      max_orders_per_minute: 1000
      max_day_loss_usd: 1000
      max_drawdown_usd: 2000
      max_executions: 10000
      price_collar: 0.05
      duplicate_s: 0.5
      facts_age_s: 20
  - trader_id: bert
    address: "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
    master: "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB"
    key_env: BERT_KEY
    native: resign
    client_signers: ["0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"]
    symbols: [SOL]
    limits: {max_order_usd: 1, max_position_usd: 2, max_account_usd: 3, max_leverage: 1,
      max_open_orders: 1, max_orders_per_s: 1, max_orders_per_minute: 1, max_day_loss_usd: 1,
      max_drawdown_usd: 1, max_executions: 1, price_collar: 0.01, duplicate_s: 1, facts_age_s: 5}
"""
_NUMBER = re.compile(r"(?<=: )[0-9]+(\.[0-9]+)?(?=[,}\n])")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_WRONG_NUMBERS = (
    "",
    "~",
    "off",
    "none",
    ".inf",
    "-1",
    "0",
    "1_0",
    "010",
    "1e3",
    "1:30",
    "0x5",
    "$5",
)


def with_one_thing_wrong() -> Iterator[tuple[str, str]]:
    """Files that must be refused: what was done, and the text."""
    lines = TEXT.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if ":" in line and not line.startswith("#"):
            yield f"without line {number + 1}", "".join(lines[:number] + lines[number + 1 :])
        key = line.split(":")[0].strip().removeprefix("- ")
        if key.isidentifier():
            for wrong in (key.upper(), f"{key}s", key[:-1], f"x{key}", f"{key}_"):
                yield (
                    f"{key} as {wrong}",
                    "".join([*lines[:number], line.replace(key, wrong, 1), *lines[number + 1 :]]),
                )
            indent = len(line) - len(line.lstrip())
            again = f"{' ' * indent}{line.strip().removeprefix('- ')}\n"
            if indent and "{" not in line and not line.rstrip().endswith(":") and "- " not in line:
                yield f"{key} twice", "".join([*lines[: number + 1], again, *lines[number + 1 :]])
    for match in _NUMBER.finditer(TEXT):
        for wrong in _WRONG_NUMBERS:
            yield f"{match[0]} as {wrong!r}", TEXT[: match.start()] + wrong + TEXT[match.end() :]
    for match in _ADDRESS.finditer(TEXT):
        for place in range(2, 42):
            at = match.start() + place
            other = "0123456789abcdef"[(int(TEXT[at], 16) + 1) % 16]
            yield f"digit {place} of {match[0]}", TEXT[:at] + other + TEXT[at + 1 :]


def with_random_slips(count: int, seed: int) -> Iterator[str]:
    """Files with one to three slips of a finger, which may still be in order."""
    chance = random.Random(seed)
    for _ in range(count):
        text = TEXT
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            at = chance.randrange(len(text))
            match chance.randrange(5):
                case 0:
                    text = text[:at] + text[at + 1 :]
                case 1:
                    text = (
                        text[:at]
                        + chance.choice("0123456789 .,:-#'\"[]{}_eExab\n\t&*!|>%@")
                        + text[at:]
                    )
                case 2:
                    text = text[:at] + chance.choice("0123456789 .:-_eE\n") + text[at + 1 :]
                case 3:
                    text = text[:at] + text[at : at + 2][::-1] + text[at + 2 :]
                case _:
                    lines = text.splitlines(keepends=True)
                    one, other = (chance.randrange(len(lines)) for _ in range(2))
                    lines[one], lines[other] = lines[other], lines[one]
                    text = "".join(lines)
        yield text


def as_a_person_reads(text: str) -> dict[str, Any]:
    """Read a file with nothing but texts in it; another reader than that of the service."""
    document = yaml.load(text, Loader=yaml.BaseLoader)
    return {
        "network": document["network"],
        "limits": _amounts(document["limits"]),
        "accounts": [_account(entry) for entry in document["accounts"]],
    }


def as_the_service_does(accounts: WrittenAccounts) -> dict[str, Any]:
    """The same of what the service has read."""
    return {
        "network": accounts.network,
        "limits": _exact(accounts.limits),
        "accounts": [
            {
                "trader_id": account.trader_id,
                "address": account.address,
                "master": account.master,
                "keys": (
                    account.key.env or str(account.key.file),
                    "" if account.watchdog_key is None else str(account.watchdog_key.file),
                ),
                "native": account.native,
                "client_signers": list(account.client_signers),
                "symbols": list(account.symbols),
                "limits": _exact(account.limits),
            }
            for account in accounts.accounts
        ],
    }


def _account(entry: dict[str, Any]) -> dict[str, Any]:
    known = {
        *("trader_id", "address", "master", "key_file", "key_env", "watchdog_key_file"),
        *("native", "client_signers", "symbols", "limits"),
    }
    assert entry.keys() <= known
    return {
        "trader_id": entry["trader_id"],
        "address": entry["address"].lower(),
        "master": entry.get("master", entry["address"]).lower(),
        "keys": (
            entry.get("key_env") or entry["key_file"],
            entry.get("watchdog_key_file", ""),
        ),
        "native": entry.get("native", "forward"),
        "client_signers": [signer.lower() for signer in entry.get("client_signers", [])],
        "symbols": [symbol.upper() for symbol in entry["symbols"]],
        "limits": _amounts(entry["limits"]),
    }


def _amounts(limits: dict[str, str]) -> dict[str, Decimal]:
    assert all(re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) for text in limits.values())
    return {name: Decimal(text) for name, text in limits.items()}


def _exact(limits: Any) -> dict[str, Decimal]:
    found = {}
    for name in limits.__slots__:
        value = getattr(limits, name)
        if name.endswith("_usd"):
            found[name] = Decimal(value).scaleb(-USD_DECIMALS)
        elif name == "price_collar":
            found[name] = Decimal(value).scaleb(-RATE_DECIMALS)
        else:
            found[name] = Decimal(str(value))
    return found
