"""`traders.yaml` from disk, with the line of everything that is wrong in it."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from suite.contracts.trader import Check, TradersFileError, TraderSpec, parse_traders
from suite.errors import ConfigError

_ENTRY: Final = re.compile(r"traders\[[^\]]*\]\.?")
_FILE_CHARACTERS_MAX: Final = 256 * 1024
_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"
_INDEX: Final = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class TradersDocument:
    """A traders file that is in order.

    Attributes:
        traders: all of them.
        written: each entry as it stands in the file, by trader id: secrets are still names.
    """

    traders: tuple[TraderSpec, ...]
    written: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenDocument:
    """A loaded YAML document that knows its lines.

    Attributes:
        value: what the library made of it.
        repeated: keys that are there twice: line, and what is wrong.
        root: of its nodes; None where it holds nothing.
    """

    value: Any
    repeated: tuple[tuple[int, str], ...]
    root: yaml.Node | None

    def line_of(self, problem: str, entry: int | None) -> int:
        """Find the line of the place that a problem begins with, from 1.

        Args:
            problem: `place: reason`, as of `parse_traders`.
            entry: number of its entry; None where the place is one of the file.
        """
        return _line_of(self.root, problem, entry)


def parse_yaml(content: bytes, path: Path) -> WrittenDocument:
    """Load one YAML document.

    Args:
        content: of the file.
        path: of it, for messages.

    Raises:
        ConfigError: it is no YAML.
    """
    try:
        loader = _loader(content.decode(), path)
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {_in_one_line(error)}") from None
    try:
        root = loader.get_single_node()
        twice = tuple(_repeated_keys(root)) if root is not None else ()
        value = loader.construct_document(root) if root is not None else None
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{path} is not YAML: {_in_one_line(error)}") from None
    finally:
        loader.dispose()
    return WrittenDocument(value=value, repeated=twice, root=root)


def load_yaml(path: Path) -> Any:
    """Load a YAML file; `!file NAME` in it is the text of a file beside it.

    Raises:
        ConfigError: it cannot be read, or is no YAML.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    return parse_yaml(content, path).value


def _loader(text: str, path: Path) -> yaml.SafeLoader:
    """Make a loader that knows where files stand that the text names; a day stays as written."""

    class Loader(yaml.SafeLoader):
        pass

    def read(loader: yaml.SafeLoader, node: yaml.Node) -> str:
        name = str(loader.construct_scalar(node)) if isinstance(node, yaml.ScalarNode) else ""
        line = node.start_mark.line + 1
        try:
            found = (path.parent / name).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ConfigError(f"{path}, line {line}: cannot read {name!r}: {reason}") from None
        if len(found) > _FILE_CHARACTERS_MAX:
            raise ConfigError(f"{path}, line {line}: {name!r} is too long for a text")
        return found

    Loader.add_constructor("!file", read)
    Loader.add_constructor(_TIMESTAMP, lambda _, node: str(node.value))
    return Loader(text)


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
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    written = parse_yaml(content, path)
    document, problems = _without_places(written.value), list(written.repeated)
    traders: tuple[TraderSpec, ...] = ()
    try:
        traders = parse_traders(document, _environment(env_file), check=check).traders
    except TradersFileError as error:
        problems += [
            (written.line_of(problem, entry), problem)
            for problem, entry in zip(error.problems, error.entries, strict=True)
        ]
    if problems:
        problems.sort(key=lambda found: found[0])
        raise TradersFileError([f"line {line}: {problem}" for line, problem in problems])
    return TradersDocument(
        traders=traders,
        written={entry["trader_id"]: entry for entry in document["traders"]} if document else {},
    )


def _without_places(document: Any) -> Any:
    """Leave out where traders shall run, `runtime`: only a trader-manager has a use for that."""
    if not isinstance(document, dict) or not isinstance(document.get("traders"), list):
        return document
    entries = [
        {key: value for key, value in entry.items() if key != "runtime"}
        if isinstance(entry, dict) and isinstance(entry.get("runtime"), str)
        else entry
        for entry in document["traders"]
    ]
    return {**document, "traders": entries}


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


def _line_of(root: yaml.Node | None, problem: str, entry: int | None) -> int:
    """Find the line of the place that a problem begins with; of the nearest that is there.

    Args:
        root: the document.
        problem: `place: reason`; the place may begin with its entry, `traders[a].`.
        entry: number of the entry, None where the place is one of the file.
    """
    if root is None:
        return 1
    node, line, place = root, root.start_mark.line, problem.partition(": ")[0]
    if entry is not None:
        entries = _entries(root)
        node = entries[entry] if entry < len(entries) else root
        line, place = node.start_mark.line, _ENTRY.sub("", place, count=1)
    while (found := _step(node, place)) is not None:
        line, node, place = found
    return line + 1


def _entries(root: yaml.Node) -> Sequence[yaml.Node]:
    """Find the entries: a list, or a mapping by their ids, which may be the whole document."""
    if not isinstance(root, yaml.MappingNode):
        return ()
    listed = {key.value: value for key, value in root.value}.get("traders", root)
    entries: list[Any] = listed.value if isinstance(listed, yaml.CollectionNode) else []
    return [value for _, value in entries] if isinstance(listed, yaml.MappingNode) else entries


def _step(node: yaml.Node, place: str) -> tuple[int, yaml.Node, str] | None:
    """Go one step down a place: the line, what is there, and the rest of the place."""
    match node:
        case yaml.SequenceNode() if (index := _INDEX.match(place)) is not None:
            if int(index[1]) < len(node.value):
                item = node.value[int(index[1])]
                return item.start_mark.line, item, place[index.end() :].lstrip(".")
        case yaml.MappingNode():
            # Of a key that is there twice the last one counts, as does an own one before one that
            # is merged; a key may have dots, so the longest that fits is meant.
            fitting = [pair for pair in node.value if _begins_with(place, str(pair[0].value))]
            if fitting:
                key, value = max(reversed(fitting), key=lambda pair: len(str(pair[0].value)))
                return key.start_mark.line, value, place[len(str(key.value)) :].lstrip(".")
    return None


def _begins_with(place: str, key: str) -> bool:
    return place.startswith(key) and place[len(key) : len(key) + 1] in {"", ".", "["}


def _name(entry: yaml.Node) -> str:
    pairs = entry.value if isinstance(entry, yaml.MappingNode) else ()
    return next((str(value.value) for key, value in pairs if key.value == "trader_id"), "")
