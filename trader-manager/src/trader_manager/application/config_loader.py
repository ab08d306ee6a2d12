"""The traders of a fleet, from what somebody wrote down.

Three ways of writing are understood, and made one:

    {traders: [{trader_id: a, strategy: {kind: hodl}, symbols: [BTC]}]}      traders.yaml
    {a: {strategy: {kind: hodl}, symbols: [BTC]}, b: {...}}                  TRADERS_CONFIG
    {a: {llm_model: m, api_key: "${KEY}", symbol: BTC}}     entries of either without `strategy: {}`
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from strategy_core.registry import problems as problems_of
from suite.contracts.trader import (
    TradersFile,
    TradersFileError,
    TraderSpec,
    is_secret,
    near,
    parse_traders,
    variables_in,
)
from trader_manager.application.claims import REPLICAS
from trader_manager.domain.reserved import is_reserved, refusal

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
        places: of each problem the number of its entry; None where it is of the whole.
        named: ids of all entries, wrong ones too; None where one has none, so that it is not known
            whom it means.
        runtimes: where those shall run that say so themselves, by `runtime`.
        refused: those that are not in order, in the one form as far as they could be read.
    """

    traders: tuple[TraderSpec, ...]
    written: Mapping[str, Mapping[str, Any]]
    problems: tuple[str, ...]
    places: tuple[int | None, ...]
    named: frozenset[str] | None
    runtimes: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[Any, ...] = ()


class ConfigLoader:
    """Reads and judges the traders of a fleet.

    Args:
        env: values of `${NAME}`; those of the suite itself are nobody's.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = {name: value for name, value in env.items() if not is_reserved(name)}

    def load(self, document: Any, *, claimed: bool = False) -> FleetConfig:
        """Take those that are in order; one that is not keeps nobody else from running.

        Args:
            document: what somebody wrote down.
            claimed: whoever claims the traders has the values of `${NAME}`, as with those that say
                so by their `runtime`.
        """
        if (shape := _shape(document)) is not None:
            return FleetConfig(
                traders=(), written={}, problems=(shape,), places=(None,), named=None
            )
        entries, runtimes = _without_runtimes(_entries(document))
        elsewhere = [entry for entry in entries if claimed or _is_claimed(entry, runtimes)]
        env = {**_stand_ins(elsewhere), **self._env}
        told: list[tuple[int | None, str]] = [
            *((None, text) for text in _unknown_keys(document)),
            *_plain_secrets(entries),
            *_names_of_baselines(entries),
        ]
        wrong = {index for index, _ in told} - {None}
        try:
            parse_traders({"traders": entries}, env, check=problems_of)
        except TradersFileError as error:
            texts = map(_without_reserved, error.problems)
            told += zip(error.entries, texts, strict=True)
            wrong |= set(error.entries)
        good = [entry for index, entry in enumerate(entries) if index not in wrong]
        traders: tuple[TraderSpec, ...] = ()
        if good and None not in wrong:
            traders = parse_traders({"traders": good}, env, check=problems_of).traders
        problems = {text: place for place, text in reversed(told)}
        return FleetConfig(
            traders=traders,
            written={entry["trader_id"]: entry for entry in good},
            problems=tuple(reversed(problems)),
            places=tuple(reversed(problems.values())),
            named=_named(entries),
            runtimes=runtimes,
            refused=tuple(entry for index, entry in enumerate(entries) if index in wrong),
        )

    def validate_config(self, document: Any) -> tuple[str, ...]:
        """List everything that is wrong, each with its place."""
        return self.load(document).problems


def _shape(document: Any) -> str | None:
    """Say what is wrong with a document that is in none of the forms."""
    match document:
        case list():
            return "the top level is a list: write the key `traders:` above it"
        case dict() if "traders" not in document and _looks_like_one(document):
            name = document.get("trader_id")
            name = name if isinstance(name, str) and name else "anna"
            return (
                "the top level is one entry, without a list or a name around it: write it as "
                f"`{name}: {{...}}`, or as the first of a list under the key `traders:`"
            )
        case _:
            return None


def _looks_like_one(document: Mapping[Any, Any]) -> bool:
    """Whether a mapping is an entry itself: it has keys of one, and no value is an entry."""
    keys = {"trader_id", "strategy", "symbols", "symbol", "llm_model"}
    return not keys.isdisjoint(document) and not any(
        isinstance(value, dict) and not keys.isdisjoint(value) for value in document.values()
    )


def _is_claimed(entry: Any, runtimes: Mapping[str, str]) -> bool:
    return isinstance(entry, dict) and runtimes.get(str(entry.get("trader_id"))) == REPLICAS


def _stand_ins(entries: Sequence[Any]) -> dict[str, str]:
    """Make values for variables that somebody else has; none for the suite's own."""
    return {name: name for name in variables_in(list(entries)) if not is_reserved(name)}


def schema() -> dict[str, Any]:
    """Describe `traders.yaml` as a JSON schema, with what the manager alone takes from it."""
    found = msgspec.json.schema(TradersFile)
    del found["$defs"]["TradersFile"]["properties"]["traders"]["minItems"]  # a fleet of nobody
    found["$defs"]["TraderSpec"]["properties"]["runtime"] = {
        "type": "string",
        "description": "where it runs; where TRADER_MANAGER_RUNTIME says, when not given",
    }
    return found


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


def _without_runtimes(entries: Sequence[Any]) -> tuple[list[Any], dict[str, str]]:
    """Take out where traders shall run: that is the manager's business, and no other's."""
    runtimes = {
        str(entry.get("trader_id")): entry["runtime"]
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("runtime"), str)
    }
    rest = [
        {key: value for key, value in entry.items() if key != "runtime"}
        if isinstance(entry, dict) and isinstance(entry.get("runtime"), str)
        else entry
        for entry in entries
    ]
    return rest, runtimes


def _named(entries: Sequence[Any]) -> frozenset[str] | None:
    """Tell the ids of all entries; None where one has none."""
    ids = [entry.get("trader_id") if isinstance(entry, dict) else None for entry in entries]
    named = frozenset(name for name in ids if isinstance(name, str) and name)
    return named if len(named) == len(set(ids)) else None


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
            if is_secret(place.rpartition(".")[2]) and value and "${" not in value:
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
