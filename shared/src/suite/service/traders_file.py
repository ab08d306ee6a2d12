"""`traders.yaml` from disk, with the line of everything that is wrong in it."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from suite.contracts.trader import Check, TradersFileError, TraderSpec, parse_traders
from suite.errors import ConfigError

_STEP: Final = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")
_REPEATED: Final = re.compile(r"(trader_id|account): (\S+) appears ")


@dataclass(frozen=True, slots=True, kw_only=True)
class TradersDocument:
    """A traders file that is in order.

    Attributes:
        traders: all of them.
        written: each entry as it stands in the file, by trader id: secrets are still names.
    """

    traders: tuple[TraderSpec, ...]
    written: Mapping[str, Mapping[str, Any]]


def read_traders_file(path: Path, *, check: Check, env_file: Path | None = None) -> TradersDocument:
    """Read and judge the whole file.

    Args:
        path: of the file.
        check: further rules for one trader, see `parse_traders`.
        env_file: further values for `${NAME}`; the environment wins.

    Raises:
        TradersFileError: something in it is wrong; all of it is told, each with its line.
        ConfigError: the file cannot be read, or is no YAML.
    """
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {_in_one_line(error)}") from None
    try:
        root = loader.get_single_node()
        twice = list(_repeated_keys(root)) if root is not None else []
        document = loader.construct_document(root) if root is not None else None
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{path} is not YAML: {_in_one_line(error)}") from None
    finally:
        loader.dispose()
    problems = list(twice)
    traders: tuple[TraderSpec, ...] = ()
    try:
        traders = parse_traders(document, _environment(env_file), check=check).traders
    except TradersFileError as error:
        problems += [(_line_of(root, problem), problem) for problem in error.problems]
    if problems:
        problems.sort(key=lambda found: found[0])
        raise TradersFileError([f"line {line}: {problem}" for line, problem in problems])
    return TradersDocument(
        traders=traders,
        written={entry["trader_id"]: entry for entry in document["traders"]} if document else {},
    )


def _environment(env_file: Path | None) -> dict[str, str]:
    from dotenv import dotenv_values

    stored = dotenv_values(env_file) if env_file is not None else {}
    return {**{name: value for name, value in stored.items() if value is not None}, **os.environ}


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _repeated_keys(node: yaml.Node, place: str = "") -> Iterator[tuple[int, str]]:
    """Find keys that a mapping has twice, of which YAML would silently take the last."""
    match node:
        case yaml.MappingNode():
            seen: set[str] = set()
            for key, value in node.value:
                inner = f"{place}.{key.value}".lstrip(".")
                if isinstance(key, yaml.ScalarNode) and key.value in seen:
                    yield key.start_mark.line + 1, f"{inner}: the key is there twice"
                seen.add(str(key.value))
                yield from _repeated_keys(value, inner)
        case yaml.SequenceNode():
            for index, item in enumerate(node.value):
                yield from _repeated_keys(item, f"{place}[{_name(item) or index}]")


def _line_of(root: yaml.Node | None, problem: str) -> int:
    """Find the line of the place that a problem begins with; of the nearest that is there."""
    if root is None:
        return 1
    if (repeated := _REPEATED.match(problem)) is not None:
        return _last_line_with(root, repeated[1], repeated[2])
    node, line = root, root.start_mark.line
    for step in _STEP.finditer(problem.partition(": ")[0]):
        found = _item(node, step[1]) if step[1] is not None else _value(node, step[2])
        if found is None:
            break
        key, node = found
        line = key.start_mark.line
    return line + 1


def _item(node: yaml.Node, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    """Find an item of a list by its trader id, else by its number."""
    if not isinstance(node, yaml.SequenceNode):
        return None
    named = [item for item in node.value if _name(item) == name]
    if not named and name.isdecimal() and int(name) < len(node.value):
        named = [node.value[int(name)]]
    return (named[0], named[0]) if named else None


def _value(node: yaml.Node, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next(((name, value) for name, value in pairs if name.value == key), None)


def _name(entry: yaml.Node) -> str:
    found = _value(entry, "trader_id")
    return str(found[1].value) if found is not None else ""


def _last_line_with(root: yaml.Node, key: str, name: str) -> int:
    """Find the last entry that calls itself so; an account is named by its trader too."""
    traders = _value(root, "traders")
    line = root.start_mark.line
    for entry in traders[1].value if traders is not None else ():
        for known in {key, "trader_id"}:
            found = _value(entry, known)
            if found is not None and found[1].value == name:
                line = max(line, found[0].start_mark.line)
    return line + 1
