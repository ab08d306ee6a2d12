"""The traders of a fleet, from what somebody wrote down.

Three ways of writing are understood, and made one:

    {traders: [{trader_id: a, strategy: {kind: hodl}, symbols: [BTC]}]}      traders.yaml
    {a: {strategy: {kind: hodl}, symbols: [BTC]}, b: {...}}                  TRADERS_CONFIG
    {a: {llm_model: m, api_key: "${KEY}", symbol: BTC}}                      flat entries of either
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from strategy_core.registry import problems as problems_of
from suite.contracts.trader import TradersFile, TradersFileError, TraderSpec, parse_traders

_SECRETS: Final = re.compile(r"(^|_)(api_key|secret|private_key|password|passphrase|token)$")
_OF_MODEL: Final = {"llm_model": "model", "api_key": "api_key", "base_url": "base_url"}
"""Parameters of a language model as flat keys of an entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetConfig:
    """What somebody wrote down.

    Attributes:
        traders: those that are in order.
        written: each of them as it was written, in the one form; secrets are still names.
        problems: what is wrong with the others, and with the whole.
    """

    traders: tuple[TraderSpec, ...]
    written: Mapping[str, Mapping[str, Any]]
    problems: tuple[str, ...]


class ConfigLoader:
    """Reads and judges the traders of a fleet.

    Args:
        env: values of `${NAME}`.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def load(self, document: Any) -> FleetConfig:
        """Take those that are in order; one that is not keeps nobody else from running."""
        entries = _entries(document)
        problems = list(_plain_secrets(entries))
        wrong: set[int | None] = {index for index, _ in problems}
        told = [text for _, text in problems]
        try:
            parse_traders({"traders": entries}, self._env, check=problems_of)
        except TradersFileError as error:
            told += error.problems
            wrong |= set(error.entries)
        good = [entry for index, entry in enumerate(entries) if index not in wrong]
        traders: tuple[TraderSpec, ...] = ()
        if good and None not in wrong:
            traders = parse_traders({"traders": good}, self._env, check=problems_of).traders
        return FleetConfig(
            traders=traders,
            written={entry["trader_id"]: entry for entry in good},
            problems=tuple(dict.fromkeys(told)),
        )

    def validate_config(self, document: Any) -> tuple[str, ...]:
        """List everything that is wrong, each with its place."""
        return self.load(document).problems


def schema() -> dict[str, Any]:
    """Describe `traders.yaml` as a JSON schema."""
    return msgspec.json.schema(TradersFile)


def _entries(document: Any) -> list[Any]:
    """Bring every way of writing into the one form."""
    if not isinstance(document, dict):
        return []
    listed = document.get("traders")
    if isinstance(listed, list):
        return [_unflattened(entry) for entry in listed]
    named = listed if isinstance(listed, dict) else document
    return [
        _unflattened({"trader_id": name, **entry}) if isinstance(entry, dict) else entry
        for name, entry in named.items()
    ]


def _unflattened(entry: Any) -> Any:
    """Sort flat keys of an entry into its strategy and its symbols."""
    if not isinstance(entry, dict):
        return entry
    rest = {key: value for key, value in entry.items() if key not in {*_OF_MODEL, "params"}}
    strategy = rest.get("strategy")
    model = {to: entry[key] for key, to in _OF_MODEL.items() if key in entry}
    params = {**model, **entry["params"]} if isinstance(entry.get("params"), dict) else model
    if isinstance(strategy, str):
        rest["strategy"] = {"kind": strategy, "params": params}
    elif strategy is None and "llm_model" in entry:
        rest["strategy"] = {"kind": "llm", "params": params}
    elif params or "params" in entry:
        return entry  # the reader says which keys it does not know
    symbol = rest.pop("symbol", None) if "symbols" not in rest else None
    if symbol is not None:
        rest["symbols"] = symbol.split(",") if isinstance(symbol, str) else symbol
    return rest


def _plain_secrets(entries: Sequence[Any]) -> Iterator[tuple[int, str]]:
    """Find keys of other people's services that stand in the file themselves."""
    for index, entry in enumerate(entries):
        name = entry.get("trader_id", index) if isinstance(entry, dict) else index
        for place, value in _texts(entry, ""):
            if _SECRETS.search(place.rpartition(".")[2]) and value and "${" not in value:
                yield (
                    index,
                    (
                        f"traders[{name}].{place}: a secret stands here; write ${{NAME}}, and the "
                        "secret into the environment"
                    ),
                )


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{place}[{index}]")
