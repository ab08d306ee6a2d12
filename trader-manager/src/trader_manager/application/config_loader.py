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
from suite.contracts.trader import (
    TradersFile,
    TradersFileError,
    TraderSpec,
    near,
    parse_traders,
)
from trader_manager.domain.reserved import is_reserved, refusal

_SECRETS: Final = re.compile(r"(^|_)(api_key|secret|private_key|password|passphrase|token)$")
_OF_MODEL: Final = {"llm_model": "model", "api_key": "api_key", "base_url": "base_url"}
"""Parameters of a language model as flat keys of an entry."""
_UNSET: Final = re.compile(r"(.*): environment variable (\w+) is not set")
_BASELINE: Final = "flat"
_TAKEN: Final = "flat is the trader that never trades, on every leaderboard"


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
        env: values of `${NAME}`; those of the suite itself are nobody's.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = {name: value for name, value in env.items() if not is_reserved(name)}

    def load(self, document: Any) -> FleetConfig:
        """Take those that are in order; one that is not keeps nobody else from running."""
        entries = _entries(document)
        problems = [*_plain_secrets(entries), *_names_of_baselines(entries)]
        wrong: set[int | None] = {index for index, _ in problems}
        told = [*_unknown_keys(document), *(text for _, text in problems)]
        try:
            parse_traders({"traders": entries}, self._env, check=problems_of)
        except TradersFileError as error:
            told += map(_without_reserved, error.problems)
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


def _unknown_keys(document: Any) -> Iterator[str]:
    """Find what stands beside the traders; it keeps none of them out."""
    if isinstance(document, dict) and isinstance(document.get("traders"), list | dict):
        for key in document:
            if key != "traders":
                yield f"{key}: unknown key{near(str(key), ('traders',))}"


def _names_of_baselines(entries: Sequence[Any]) -> Iterator[tuple[int, str]]:
    """Find traders that a leaderboard would take for the one that never trades."""
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or entry.get("trader_id") != _BASELINE:
            continue
        strategy = entry.get("strategy")
        if not isinstance(strategy, dict) or strategy.get("kind") != _BASELINE:
            place = f"traders[{_BASELINE}].trader_id"
            yield index, f"{place}: {_TAKEN}; choose another name"


def _without_reserved(problem: str) -> str:
    """Say of a variable that is the suite's own why it is not there for a trader."""
    match = _UNSET.fullmatch(problem)
    if match is None or not is_reserved(match[2]):
        return problem
    return f"{match[1]}: {refusal(match[2])}"


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
