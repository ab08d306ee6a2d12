"""What a trader is: the entries of `traders.yaml`."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, TypeVar

import msgspec

from suite.contracts.decimals import odd_decimal
from suite.contracts.venue import Wire
from suite.errors import ConfigError
from suite.instrument import coin_of
from suite.intervals import INTERVAL_MS

TraderName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$")]
AccountOfTrader = Annotated[
    str, msgspec.Meta(pattern=r"^([A-Za-z0-9](?!.*\.\.)[A-Za-z0-9_.\-]{0,63})?$")
]
"""Empty, a name or an address; never a path."""


class StrategySpec(Wire, frozen=True, kw_only=True):
    """Which strategy, with which parameters.

    Attributes:
        kind: `hodl`, `random`, `flat`, `sma_cross`, or `plugin: package.module:Class`.
        params: the strategy's own; unknown ones are refused by it.
    """

    kind: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    params: dict[str, Any] = msgspec.field(default_factory=dict)


class TraderSpec(Wire, frozen=True, kw_only=True):
    """One trader with its own money.

    Attributes:
        trader_id: unique; names the account too unless `account` does.
        symbols: coins it may trade, at least one; any venue's spelling in the file.
        interval: how often it decides, one of `suite.bars.INTERVAL_MS`.
        account: a name or an address; the trader's own name when not given.
        initial_balance: USD, positive.
        risk: limits of the guard; unknown ones are refused by it.
        exits: which positions are closed without being asked for, and when.
        execution: how orders are worked.
    """

    trader_id: TraderName
    name: str = ""
    strategy: StrategySpec
    symbols: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    interval: str = "15m"
    account: AccountOfTrader = ""
    initial_balance: Decimal = Decimal(10000)
    budget: dict[str, Any] = msgspec.field(default_factory=dict)
    risk: dict[str, Any] = msgspec.field(default_factory=dict)
    exits: dict[str, Any] = msgspec.field(default_factory=dict)
    execution: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def account_id(self) -> str:
        """Account the trader trades on."""
        return self.account or self.trader_id


class TradersFile(Wire, frozen=True, kw_only=True):
    """The whole of `traders.yaml`."""

    traders: Annotated[tuple[TraderSpec, ...], msgspec.Meta(min_length=1)]


class TradersFileError(ConfigError):
    """`traders.yaml` is wrong.

    Attributes:
        problems: everything that is, each with its place.
        entries: of which entry each of them is, by its number in the list; None for the file's.
    """

    def __init__(self, problems: Sequence[str], entries: Sequence[int | None] = ()) -> None:
        super().__init__("; ".join(dict.fromkeys(problems)))
        self.problems = tuple(problems)
        self.entries = tuple(entries) or (None,) * len(self.problems)


_SIGNS = "1 to 64 letters (A to Z, a to z), digits and `_ . -`, the first a letter or a digit"
_NAMES = {
    "trader_id": f"may be {_SIGNS}",
    "account": f"may be {_SIGNS}, without `..`: a name or an address",
}
"""What a text of a pattern may be, for people."""
_SECRETS = re.compile(r"(^|_)(api_key|secret|private_key|password|passphrase|token)$")
_FOR_OTHERS = frozenset({"template"})
"""Keys of texts that go to a language model: no value of the environment gets into them."""
_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PATH = re.compile(r"(.*) - at `\$(.*)`$", re.DOTALL)
BALANCE_MAX_USD = Decimal(10) ** 11
"""What an account may begin with, and may hold."""

S = TypeVar("S", bound=msgspec.Struct)
Check = Callable[[TraderSpec], Sequence[str]]


def expand_env(value: Any, env: Mapping[str, str]) -> Any:
    """Replace `${NAME}` in every text of a loaded YAML document but those that others read.

    Raises:
        KeyError: the variable is not set.
    """
    if isinstance(value, str):
        return _ENV.sub(lambda match: env[match[1]], value)
    if isinstance(value, dict):
        return {
            key: item if key in _FOR_OTHERS else expand_env(item, env)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [expand_env(item, env) for item in value]
    return value


def is_secret(key: str) -> bool:
    """Whether what stands under a key opens a door."""
    return _SECRETS.search(key) is not None


def without_secrets(value: Any) -> Any:
    """Leave out of a loaded document what opens a door."""
    if isinstance(value, Mapping):
        return {key: without_secrets(item) for key, item in value.items() if not is_secret(key)}
    if isinstance(value, list | tuple):
        return [without_secrets(item) for item in value]
    return value


def variables_in(value: Any) -> tuple[str, ...]:
    """Names of all `${NAME}` in a loaded document, each once."""
    return tuple(dict.fromkeys(name for _, name in _variables(value, "")))


def parse_traders(
    document: Any, env: Mapping[str, str], *, check: Check | None = None
) -> TradersFile:
    """Read the loaded document of `traders.yaml`, as a whole.

    Args:
        document: what the YAML library returned.
        env: values of `${NAME}`.
        check: further rules for one trader, each broken one as `key: reason`
            (`strategy_core.registry.problems` knows the strategies and the guard).

    Returns:
        The traders, with symbols under their coin's name.

    Raises:
        TradersFileError: something is wrong; all of it, each with its place, separated by `; `.
    """
    if not isinstance(document, dict) or not isinstance(document.get("traders"), list):
        raise TradersFileError(["the file must hold a list `traders:` with at least one entry"])
    problems: list[tuple[int | None, str]] = [
        (None, f"{key}: unknown key{near(str(key), ('traders',))}")
        for key in document
        if key != "traders"
    ]
    if not document["traders"]:
        problems.append((None, "traders: the list is empty"))
    specs: list[TraderSpec] = []
    for index, entry in enumerate(document["traders"]):
        spec, found = _read_trader(entry, env, check)
        specs.append(spec)
        problems += [(index, f"{_place(index, entry)}.{problem}") for problem in found]
    problems += _taken_twice(specs)
    if problems:
        problems = list(dict.fromkeys(problems))
        raise TradersFileError([text for _, text in problems], [entry for entry, _ in problems])
    return TradersFile(
        traders=tuple(
            msgspec.structs.replace(spec, symbols=tuple(coin_of(name) for name in spec.symbols))
            for spec in specs
        )
    )


def read_struct(kind: type[S], raw: Any, *, place: str) -> tuple[S | None, list[str]]:
    """Read a mapping into a struct, finding every wrong key and not only the first.

    Args:
        kind: a struct whose fields all have types that msgspec converts.
        raw: the mapping.
        place: what to call it in the problems, empty for the top.

    Returns:
        The struct, None when something is wrong, and what is wrong as `place.key: reason`.
    """
    dot = f"{place}." if place else ""
    if not isinstance(raw, dict):
        return None, [f"{place or 'entry'}: must be a mapping of keys to values"]
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    problems = [
        f"{dot}{key}: unknown key{near(str(key), fields)}" for key in raw if key not in fields
    ]
    good = {}
    for name, field in fields.items():
        if name not in raw:
            found = [f"{dot}{name}: missing"] if field.required else []
        elif isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            found = read_struct(field.type, raw[name], place=f"{dot}{name}")[1]
        else:
            found = _convert(raw[name], field.type, f"{dot}{name}")[1]
        problems.extend(found)
        if name in raw and not found:
            good[name] = raw[name]
    if not problems:
        return _convert(raw, kind, place)
    if all(name in good for name, field in fields.items() if field.required):
        # what is wrong with the others together is told as well
        problems.extend(_convert(good, kind, place)[1])
    return None, problems


def near(name: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    """Say which known name was probably meant; empty when none is near."""
    matches = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean {matches[0]}?" if matches else ""


def _convert(value: Any, kind: Any, place: str) -> tuple[Any, list[str]]:
    """Convert with msgspec; the problem names the place inside the value as well."""
    try:
        converted = msgspec.convert(value, kind)
        if (odd := odd_decimal(converted, value)) is None:
            return converted, []
        text = f"Invalid decimal string - at `{odd}`"
    except msgspec.ValidationError as error:
        text = str(error)
    match = _PATH.match(text)
    if "matching regex" in text and not match and place in _NAMES:
        text = _NAMES[place]
    inner, reason = (match[2], match[1]) if match else ("", text)
    where = f"{place}{inner}".lstrip(".") or "entry"
    return None, [f"{where}: {reason[0].lower()}{reason[1:]}"]


def _place(index: int, entry: Any) -> str:
    """Name an entry by its id where it has one."""
    name = entry.get("trader_id") if isinstance(entry, dict) else None
    return f"traders[{index}]" if not isinstance(name, str) or not name else f"traders[{name}]"


def _read_trader(
    entry: Any, env: Mapping[str, str], check: Check | None
) -> tuple[TraderSpec, list[str]]:
    """Read one entry.

    Returns:
        The trader, with stand-ins where the entry is wrong, so that the rest is judged too; and
        what is wrong.
    """
    if not isinstance(entry, dict):
        return _STAND_IN, ["entry: must be a mapping of keys to values"]
    unset = [(place, name) for place, name in _variables(entry, "") if name not in env]
    problems = [f"{place}: environment variable {name} is not set" for place, name in unset]
    hidden = {re.split(r"[.\[]", place)[0] for place, _ in unset}
    raw = {key: expand_env(value, env) for key, value in entry.items() if key not in hidden}
    _, found = read_struct(TraderSpec, raw, place="")
    problems += [problem for problem in found if problem.split(":")[0] not in hidden]
    fields = {field.name: field.type for field in msgspec.structs.fields(TraderSpec)}
    good = {
        key: _convert(value, fields[key], key)[0]
        for key, value in raw.items()
        if key in fields and not _convert(value, fields[key], key)[1]
    }
    spec = msgspec.structs.replace(_STAND_IN, **good)
    return spec, problems + _check_trader(spec) + list(check(spec) if check else ())


def _variables(value: Any, place: str) -> list[tuple[str, str]]:
    """Find every `${NAME}` with its place."""
    if isinstance(value, str):
        return [(place or "entry", match[1]) for match in _ENV.finditer(value)]
    if isinstance(value, Mapping):
        items = [
            (f"{place}.{key}".lstrip("."), item)
            for key, item in value.items()
            if key not in _FOR_OTHERS
        ]
    elif isinstance(value, list):
        items = [(f"{place}[{index}]", item) for index, item in enumerate(value)]
    else:
        return []
    return [found for where, item in items for found in _variables(item, where)]


def _check_trader(spec: TraderSpec) -> list[str]:
    """Apply the rules of one trader that types cannot say."""
    problems = []
    coins: list[str] = []
    for index, symbol in enumerate(spec.symbols):
        try:
            coin = coin_of(symbol)
        except ValueError as error:
            problems.append(f"symbols[{index}]: {error}")
            continue
        if coin in coins:
            problems.append(f"symbols[{index}]: {coin} is there already")
        coins.append(coin)
    if spec.interval not in INTERVAL_MS:
        known = ", ".join(INTERVAL_MS)
        problems.append(f"interval: {spec.interval[:20]!r} is not one of {known}")
    balance = spec.initial_balance
    if not balance.is_finite() or not 0 < balance <= BALANCE_MAX_USD:
        problems.append("initial_balance: must be above 0 and at most 1e11 USD")
    elif balance != round(balance, 6):
        problems.append("initial_balance: finer than 0.000001 USD")
    return problems


_STAND_IN = TraderSpec(trader_id="", strategy=StrategySpec(kind="flat"), symbols=("BTC",))


def _taken_twice(specs: Sequence[TraderSpec]) -> list[tuple[int, str]]:
    """Find ids and accounts that an earlier entry has; a taken id tells its account too."""
    problems: list[tuple[int, str]] = []
    names: set[str] = set()
    accounts: dict[str, str] = {}
    for index, spec in enumerate(specs):
        name, account = spec.trader_id, spec.account_id
        place = f"traders[{name or index}]"
        if name in names:
            problems.append((index, f"{place}.trader_id: an earlier entry is {name} already"))
        elif account in accounts:
            taken = f"the account {account} is that of {accounts[account]}"
            problems.append((index, f"{place}.account: {taken}; take another"))
        if name:
            names.add(name)
        if account:
            accounts.setdefault(account, f"traders[{name or index}]")
    return problems
