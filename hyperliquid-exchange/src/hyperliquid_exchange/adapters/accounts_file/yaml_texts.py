"""YAML as it was written: texts with their lines, before anybody guesses what they mean.

A YAML library reads `0100` as 64, `1_0` as 10, `1:30` as 90, `off` as false, and `.inf` as a limit.
Nothing of that may happen to a limit, so scalars are left as text here, and each field is read by a
rule of its own. What is wrong is collected, each with its line; what looks like a private key is
never repeated.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

import yaml

from suite.errors import ConfigError
from suite.fixed import parse_fixed

T = TypeVar("T")
_PLAIN_NUMBER: Final = re.compile(r"(0|[1-9][0-9]{0,17})(\.[0-9]{1,9})?", re.ASCII)
_LONG_HEX: Final = re.compile(r"(0[xX])?[0-9a-fA-F]{41,}")
_PLAIN_TAGS: Final = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "value", "merge")
)


def without_keys(text: str) -> str:
    """Leave out of a text what may be a private key, or a part of one."""
    return _LONG_HEX.sub("[hidden]", text)


def load(text: str) -> yaml.Node | None:
    """Read one document.

    Raises:
        ConfigError: it is no YAML; what stands there is not repeated.
    """
    try:
        return yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        why = without_keys(str(error.problem))
        raise ConfigError(f"line {line}: this is no YAML: {why}") from None
    except yaml.YAMLError:
        raise ConfigError("line 1: this is no YAML: a character that may not be there") from None
    except RecursionError:
        raise ConfigError("line 1: this is no YAML: nested too deep") from None


class Problems:
    """Everything that is wrong in a file."""

    def __init__(self) -> None:
        self._found: list[tuple[int, str]] = []

    def add(self, line: int, place: str, reason: str) -> None:
        """Take note of a mistake.

        Args:
            line: from 1.
            place: of the value, `accounts[anna].key_file`.
            reason: what is wrong with it.
        """
        self._found.append((line, without_keys(f"{place}: {reason}" if place else reason)))

    def told(self) -> tuple[str, ...]:
        """Tell them in the order of their lines, each once."""
        return tuple(
            dict.fromkeys(
                f"line {line}: {text}" for line, text in sorted(self._found, key=lambda it: it[0])
            )
        )


class Section:
    """One mapping: its keys, and where they stand.

    Args:
        node: of it.
        place: what to call it, empty for the whole file.
        problems: where mistakes go.
        line: of it, where there is no node.
    """

    def __init__(
        self, node: yaml.Node | None, place: str, problems: Problems, *, line: int = 1
    ) -> None:
        self.place = place
        self.line = node.start_mark.line + 1 if node is not None else line
        self.problems = problems
        self.is_mapping = isinstance(node, yaml.MappingNode)
        self._values: dict[str, tuple[int, yaml.Node]] = {}
        if isinstance(node, yaml.MappingNode):
            self._take(node)
        elif node is not None:
            problems.add(self.line, place or "the file", "must be a mapping of keys to values")

    def _take(self, node: yaml.MappingNode) -> None:
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self.problems.add(line, self.place, "a key must be a word")
            elif key.value in self._values:
                self.problems.add(line, self.at(key.value), "the key is there twice")
            else:
                self._values[key.value] = (line, value)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def at(self, key: str) -> str:
        """Name the place of a key."""
        return f"{self.place}.{key}" if self.place else key

    def line_of(self, key: str) -> int:
        """Tell the line of a key, of the section where it is not there."""
        return self._values[key][0] if key in self._values else self.line

    def wrong(self, key: str, reason: str) -> None:
        """Take note of a mistake at a key."""
        self.problems.add(self.line_of(key), self.at(key), reason)

    def only(self, known: Iterable[str], hints: Mapping[str, str] | None = None) -> None:
        """Refuse keys that are not known.

        Args:
            known: those that are.
            hints: what to say of some others.
        """
        names = list(known)
        for key in self._values.keys() - set(names):
            near = difflib.get_close_matches(key, names, n=1)
            hint = (hints or {}).get(key) or (f"did you mean {near[0]}?" if near else "")
            self.wrong(key, f"unknown key{', ' if hint else ''}{hint}")

    def section(self, key: str) -> "Section":
        """Go into a mapping; one that is missing is a mistake, and empty."""
        if not self._is_there(key):
            return Section(None, self.at(key), self.problems, line=self.line)
        return Section(self._values[key][1], self.at(key), self.problems)

    def items(self, key: str) -> list[yaml.Node]:
        """Take the items of a list that must be there."""
        if not self._is_there(key):
            return []
        node = self._values[key][1]
        if isinstance(node, yaml.SequenceNode) and node.value:
            return list(node.value)
        self.wrong(key, "must be a list with at least one entry")
        return []

    def read(self, key: str, rule: Callable[[str], T]) -> T | None:
        """Read a value that must be there.

        Args:
            key: of it.
            rule: makes a value of a text; raises ValueError with a reason.

        Returns:
            None where it is missing or wrong, which is then noted.
        """
        return self.optional(key, rule) if self._is_there(key) else None

    def optional(self, key: str, rule: Callable[[str], T]) -> T | None:
        """Read a value that may be missing; None where it is, or is wrong."""
        if key not in self._values:
            return None
        line, node = self._values[key]
        return self._scalar(node, line, self.at(key), rule)

    def texts(self, key: str, rule: Callable[[str], T]) -> tuple[T, ...]:
        """Read a list of texts, each with a rule; those that are wrong are noted and left out."""
        place = self.at(key)
        found = (
            self._scalar(item, item.start_mark.line + 1, f"{place}[{index}]", rule)
            for index, item in enumerate(self.items(key))
        )
        return tuple(value for value in found if value is not None)

    def _is_there(self, key: str) -> bool:
        if key not in self._values and self.is_mapping:
            self.problems.add(self.line, self.at(key), "missing")
        return key in self._values

    def _scalar(self, node: yaml.Node, line: int, place: str, rule: Callable[[str], T]) -> T | None:
        if not isinstance(node, yaml.ScalarNode) or node.tag not in _PLAIN_TAGS:
            self.problems.add(line, place, "must be one plain value")
            return None
        try:
            return rule(node.value)
        except ValueError as error:
            self.problems.add(line, place, str(error))
            return None


def number(decimals: int, least: int, most: int, unit: str) -> Callable[[str], int]:
    """Make the rule of a number: digits, a point, nothing else; exact, and within bounds.

    Args:
        decimals: digits after the point that the unit has.
        least, most: bounds, in the unit of 10^-decimals, both allowed.
        unit: for people, `USD`.
    """

    def read(text: str) -> int:
        if _PLAIN_NUMBER.fullmatch(text) is None:
            raise ValueError("must be a plain number: digits, and a point where needed")
        value = parse_fixed(text, decimals)
        if not least <= value <= most:
            low, high = (_plain(bound, decimals) for bound in (least, most))
            raise ValueError(f"must be from {low} to {high} {unit}".rstrip())
        return value

    return read


def one_of(*words: str) -> Callable[[str], str]:
    """Make the rule of a word among a few."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return text

    return read


def _plain(value: int, decimals: int) -> str:
    whole, rest = divmod(value, 10**decimals)
    return f"{whole}.{rest:0{decimals}d}".rstrip("0").rstrip(".") if rest else str(whole)
