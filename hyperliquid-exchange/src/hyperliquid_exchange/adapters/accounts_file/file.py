"""`accounts.yaml`: who trades here, for which account, with which key, within which limits.

    network: testnet
    limits: {max_gross_usd: 50000, max_orders_per_s: 20, max_day_loss_usd: 500}
    accounts:
      - trader_id: anna
        address: "0x..."        # the account traded on: the master wallet, a sub-account or a vault
        master: "0x..."         # the wallet that approved the agent, where that is another
        key_file: keys/anna.key # of the agent; or key_env: a variable, on testnet
        symbols: [BTC, ETH]
        limits: {max_order_usd: 1000, ...}

The file is judged as a whole: every mistake is told, with its line. There is no limit that can be
left out, or that a value switches off. Keys are never in it.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import yaml

from hyperliquid_exchange.adapters.accounts_file.yaml_texts import (
    Problems,
    Section,
    load,
    number,
    one_of,
)
from hyperliquid_exchange.domain.accounts import GlobalLimits, Native, Network, TraderLimits
from suite.addresses import NOBODY, is_address, keccak
from suite.errors import ConfigError
from suite.fixed import RATE_DECIMALS, RATE_ONE, USD_DECIMALS, USD_ONE, Rate
from suite.ids import TraderId
from suite.instrument import coin_of

NETWORKS: Final = ("testnet", "mainnet")
NATIVE: Final = ("forward", "resign")
_MOST_USD: Final = 10**9 * USD_ONE
_MOST_BYTES: Final = 1 << 20
_RESERVED: Final = frozenset({"operator", "watchdog", "risk-pause", "risk-resume"})
_TRADER_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}", re.ASCII)
_ENV_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_HEX_64: Final = re.compile(r"(0[xX])?[0-9a-fA-F]{64}")
_SETTINGS: Final = "HYPERLIQUID_EXCHANGE_"

_KEYS: Final = ("network", "limits", "accounts")
ACCOUNT_KEYS: Final = (
    "trader_id",
    "address",
    "master",
    "key_file",
    "key_env",
    "watchdog_key_file",
    "watchdog_key_env",
    "native",
    "client_signers",
    "symbols",
    "limits",
)
_INLINE: Final = "a key is never written here: key_file names a file of mode 0400"
_HINTS: Final = dict.fromkeys(
    ("key", "private_key", "secret", "secret_key", "agent_key", "wallet"), _INLINE
)

_usd = number(USD_DECIMALS, 1, _MOST_USD, "USD")
_rate = number(RATE_DECIMALS, 1, RATE_ONE // 2, "of the mid")
_SECONDS: Final = 1000
TRADER_RULES: Final = {
    "max_order_usd": _usd,
    "max_position_usd": _usd,
    "max_account_usd": _usd,
    "max_leverage": number(0, 1, 50, ""),
    "max_open_orders": number(0, 1, 1000, "orders"),
    "max_orders_per_s": number(0, 1, 1000, "orders"),
    "max_orders_per_minute": number(0, 1, 60_000, "orders"),
    "max_day_loss_usd": _usd,
    "max_drawdown_usd": _usd,
    "max_executions": number(0, 1, 1_000_000, "fills"),
    "price_collar": _rate,
    "duplicate_s": number(3, 1, 3600 * _SECONDS, "seconds"),
    "facts_age_s": number(3, 100, 60 * _SECONDS, "seconds"),
}
GLOBAL_RULES: Final = {
    "max_gross_usd": _usd,
    "max_orders_per_s": number(0, 1, 1000, "orders"),
    "max_day_loss_usd": _usd,
}
_ORDERED: Final = (
    ("max_order_usd", "max_position_usd"),
    ("max_position_usd", "max_account_usd"),
    ("max_day_loss_usd", "max_account_usd"),
    ("max_orders_per_s", "max_orders_per_minute"),
)
"""Of each pair the first may not be above the second."""
_BELOW_ALL: Final = (
    ("max_account_usd", "max_gross_usd"),
    ("max_orders_per_s", "max_orders_per_s"),
    ("max_day_loss_usd", "max_day_loss_usd"),
)
"""Limits of a trader, and those over all that they may not be above."""


class AccountsFileError(ConfigError):
    """`accounts.yaml` is wrong.

    Attributes:
        problems: everything that is, each with its line.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySource:
    """Where a key is.

    Attributes:
        file: path of it, None where it is in the environment.
        env: name of the variable, None where it is in a file.
        line: of the accounts file that says so.
        place: in it.
    """

    file: Path | None
    env: str | None
    line: int
    place: str

    @property
    def identity(self) -> tuple[str, str]:
        """What two sources of one key have in common."""
        if self.file is not None:
            return "file", str(self.file.resolve())
        return "env", str(self.env)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenAccount:
    """One entry of the file; as `LiveAccount`, but its key was not looked at.

    Attributes:
        key: of the trader's agent.
        watchdog_key: of the agent with which the watchdog cancels; None where it cannot.
        line: of the entry.
    """

    trader_id: TraderId
    address: str
    master: str
    key: KeySource
    watchdog_key: KeySource | None
    native: Native
    client_signers: tuple[str, ...]
    symbols: tuple[str, ...]
    limits: TraderLimits
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenAccounts:
    """An accounts file that is in order."""

    network: Network
    limits: GlobalLimits
    accounts: tuple[WrittenAccount, ...]


def read_accounts_file(path: Path, *, network: Network) -> WrittenAccounts:
    """Read and judge the whole file.

    Args:
        path: of the file; names of key files are relative to its folder.
        network: that the settings name: the file must name the same.

    Raises:
        AccountsFileError: something in it is wrong; all of it is told, each with its line.
        ConfigError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    if len(content) > _MOST_BYTES:
        raise ConfigError(f"{path} is larger than {_MOST_BYTES} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    return parse_accounts(text, folder=path.parent, network=network)


def parse_accounts(text: str, *, folder: Path, network: Network) -> WrittenAccounts:
    """Judge the text of an accounts file; see `read_accounts_file`.

    Raises:
        AccountsFileError: something in it is wrong.
    """
    try:
        root = load(text)
    except ConfigError as error:
        raise AccountsFileError((str(error),)) from None
    if root is None:
        raise AccountsFileError(("line 1: the file holds nothing",))
    problems = Problems()
    top = Section(root, "", problems)
    top.only(_KEYS)
    written = top.read("network", one_of(*NETWORKS))
    if written is not None and written != network:
        top.wrong(
            "network",
            f"{written} here, but {_SETTINGS}NETWORK is {network}; both must name the network "
            "that is meant",
        )
    limits = _global_limits(top.section("limits"))
    sections = _account_sections(top, problems)
    accounts = [_account(section, folder, limits) for section in sections]
    _refuse_twins(accounts, sections)
    if found := problems.told():
        raise AccountsFileError(found)
    return WrittenAccounts(
        network=network,
        limits=cast("GlobalLimits", limits),
        accounts=tuple(account for account in accounts if account is not None),
    )


def _account_sections(top: Section, problems: Problems) -> list[Section]:
    """Name each entry by its trader where it has one."""
    sections = []
    for index, node in enumerate(top.items("accounts")):
        name: object = ""
        if isinstance(node, yaml.MappingNode):
            name = {str(key.value): value.value for key, value in node.value}.get("trader_id")
        place = name if isinstance(name, str) and _TRADER_ID.fullmatch(name) else str(index)
        sections.append(Section(node, f"accounts[{place}]", problems))
    return sections


def _account(
    section: Section, folder: Path, over_all: GlobalLimits | None
) -> WrittenAccount | None:
    """Read one entry; None where something in it is wrong."""
    section.only(ACCOUNT_KEYS, _HINTS)
    trader_id = section.read("trader_id", _trader_id)
    address = section.read("address", _address)
    master = section.optional("master", _address) if "master" in section else address
    key = _key_source(section, folder, "key", is_needed=True)
    watchdog_key = _key_source(section, folder, "watchdog_key", is_needed=False)
    native = section.optional("native", one_of(*NATIVE)) if "native" in section else "forward"
    signers = _client_signers(section, native)
    symbols = _distinct(section, "symbols", section.texts("symbols", _coin))
    limits = _trader_limits(section.section("limits"), over_all)
    parts = (trader_id, address, master, key, native, limits)
    if any(part is None for part in parts):
        return None
    return WrittenAccount(
        trader_id=TraderId(cast("str", trader_id)),
        address=cast("str", address),
        master=cast("str", master),
        key=cast("KeySource", key),
        watchdog_key=watchdog_key,
        native=cast("Native", native),
        client_signers=signers,
        symbols=symbols,
        limits=cast("TraderLimits", limits),
        line=section.line,
    )


def _key_source(section: Section, folder: Path, name: str, *, is_needed: bool) -> KeySource | None:
    """Read where a key is: a file or a variable, never both."""
    in_file, in_env = f"{name}_file", f"{name}_env"
    if in_file in section and in_env in section:
        section.wrong(in_env, f"give {in_file} or {in_env}, not both")
        return None
    if in_file in section:
        file = section.optional(in_file, _path)
        if file is None:
            return None
        return KeySource(
            file=folder / file, env=None, line=section.line_of(in_file), place=section.at(in_file)
        )
    if in_env in section:
        env = section.optional(in_env, _env_name)
        if env is None:
            return None
        return KeySource(file=None, env=env, line=section.line_of(in_env), place=section.at(in_env))
    if is_needed and section.is_mapping:
        section.problems.add(
            section.line, section.at(in_file), f"missing (or {in_env}, on testnet)"
        )
    return None


def _client_signers(section: Section, native: str | None) -> tuple[str, ...]:
    if "client_signers" not in section:
        if native == "resign":
            section.wrong("client_signers", "missing: native: resign takes nobody's signature")
        return ()
    found = _distinct(section, "client_signers", section.texts("client_signers", _address))
    if native == "forward":
        section.wrong("client_signers", "only native: resign has a use for it")
    return found


def _distinct(section: Section, key: str, values: tuple[str, ...]) -> tuple[str, ...]:
    for value in dict.fromkeys(values):
        if values.count(value) > 1:
            section.wrong(key, f"{value} is there twice")
    return values


def _trader_limits(section: Section, over_all: GlobalLimits | None) -> TraderLimits | None:
    """Read all limits of a trader, and hold them against each other."""
    read = _limits(section, TRADER_RULES)
    for low, high in _ORDERED:
        _compare(section, read, low, read.get(high), high)
    if over_all is not None:
        for mine, limit in _BELOW_ALL:
            _compare(section, read, mine, getattr(over_all, limit), f"limits.{limit} of all")
    if any(value is None for value in read.values()):
        return None
    values: dict[str, Any] = dict(read)
    values["price_collar"] = Rate(values["price_collar"])
    for name in ("duplicate_s", "facts_age_s"):
        values[name] = values[name] / _SECONDS
    return TraderLimits(**values)


def _global_limits(section: Section) -> GlobalLimits | None:
    read = _limits(section, GLOBAL_RULES)
    _compare(section, read, "max_day_loss_usd", read["max_gross_usd"], "max_gross_usd")
    if any(value is None for value in read.values()):
        return None
    values: dict[str, Any] = dict(read)
    return GlobalLimits(**values)


def _limits(section: Section, rules: dict[str, Any]) -> dict[str, int | None]:
    section.only(rules)
    return {name: section.read(name, rule) for name, rule in rules.items()}


def _compare(
    section: Section, read: dict[str, int | None], low: str, bound: int | None, name: str
) -> None:
    value = read.get(low)
    if value is not None and bound is not None and value > bound:
        section.wrong(low, f"is above {name}, so it bounds nothing")


def _refuse_twins(accounts: list[WrittenAccount | None], sections: list[Section]) -> None:
    """Refuse what two traders may not share: a name, an account, a key."""
    names: dict[str, str] = {}
    addresses: dict[str, str] = {}
    keys: dict[tuple[str, str], str] = {}
    masters: dict[tuple[str, str], str] = {}
    whole = [
        (account, section)
        for account, section in zip(accounts, sections, strict=True)
        if account is not None
    ]
    for account, section in whole:
        name = account.trader_id
        if name.lower() in names:
            taken = names[name.lower()]
            section.wrong("trader_id", f"an earlier entry is {taken}; capitals make no other name")
            continue
        names[name.lower()] = name
        if (taken := addresses.setdefault(account.address, name)) != name:
            section.wrong("address", f"is that of {taken}; one account, one trader")
        if (taken := keys.setdefault(account.key.identity, name)) != name:
            section.wrong(_last(account.key), f"is that of {taken}; every trader has a key alone")
    for account, section in whole:
        if (watchdog := account.watchdog_key) is None:
            continue
        if (taken := keys.get(watchdog.identity, "")) != "":
            section.wrong(_last(watchdog), f"is the trading key of {taken}")
        if masters.setdefault(watchdog.identity, account.master) != account.master:
            section.wrong(_last(watchdog), "an agent is that of one wallet alone")


def _last(source: KeySource) -> str:
    return source.place.rpartition(".")[2]


def _trader_id(text: str) -> str:
    if _TRADER_ID.fullmatch(text) is None:
        raise ValueError(
            "must be 1 to 64 letters (A to Z, a to z), digits and `_ . -`, the first a letter or "
            "a digit"
        )
    if text.lower() in _RESERVED:
        raise ValueError(f"{text} is the name of somebody else here; take another")
    return text


def _address(text: str) -> str:
    if not text.startswith("0x") or not is_address(text):
        raise ValueError("must be an address: 0x and 40 hex digits, in quotes")
    lower = text.lower()
    if lower == NOBODY:
        raise ValueError("is nobody's: write your own")
    if text[2:] not in {lower[2:], lower[2:].upper()} and text != _with_checksum(lower):
        raise ValueError("its capitals do not fit: a digit is wrong (EIP-55)")
    return lower


def _with_checksum(lower: str) -> str:
    """Write an address with its checksum in the case of its letters.

    Source: EIP-55.
    """
    digest = keccak(lower[2:].encode()).hex()
    return "0x" + "".join(
        letter.upper() if int(bit, 16) > 7 else letter
        for letter, bit in zip(lower[2:], digest, strict=False)
    )


def _path(text: str) -> Path:
    if _HEX_64.fullmatch(text.strip()):
        raise ValueError(_INLINE)
    if not text or "\0" in text:
        raise ValueError("must be the path of a file")
    return Path(text)


def _env_name(text: str) -> str:
    if _HEX_64.fullmatch(text.strip()):
        raise ValueError("is the name of a variable; the key itself is never written here")
    if _ENV_NAME.fullmatch(text) is None:
        raise ValueError("must be the name of a variable: letters, digits, `_`")
    if text.upper().startswith(_SETTINGS):
        raise ValueError(f"variables that begin with {_SETTINGS} are settings; take another name")
    return text


def _coin(text: str) -> str:
    try:
        return coin_of(text)
    except ValueError:
        raise ValueError("must be a coin, as BTC") from None
