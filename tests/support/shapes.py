"""Shapes of JSON values: which names, and which type each has; no values.

A shape is JSON itself. A text names types, several of them apart by `|`. An object has exactly its
keys; one that ends in `?` may be absent, and `*` stands for any key. A list of one shape is a list
of any length, but not empty unless `?` stands behind the shape; `{"row": [...]}` is a list of fixed
length, `{"any": [...]}` is one of several shapes. `@name` stands for a shape of that name
elsewhere, `=text` for that text itself, and `anything` is checked elsewhere.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

_TEXTS: Final = {
    "address": r"0x[0-9a-f]{40}",
    "cloid": r"0x[0-9a-f]{32}",
    "hash": r"0x[0-9a-f]{64}",
    "token": r"0x[0-9a-f]{32}",
    "decimal": r"-?(0|[1-9]\d*)\.\d*[1-9]|-?(0|[1-9]\d*)\.0",
    "unsigned": r"(0|[1-9]\d*)\.\d*[1-9]|(0|[1-9]\d*)\.0",
    "side": r"[AB]",
    "text": r"(?s).*",
}
"""Decimals have a point, one digit behind it at least, and no zero that says nothing."""
_FIRST_MS: Final = 1_500_000_000_000


class Golden:
    """The shapes of a folder, by their names in it.

    Attributes:
        shared: what `@name` stands for.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.shared = json.loads((folder / "shared.json").read_text())

    def names(self, kind: str) -> set[str]:
        """What there is a shape of."""
        return {path.stem for path in (self._folder / kind).glob("*.json")}

    def problems(self, kind: str, name: str, value: Any) -> list[str]:
        """Where a value differs from its shape."""
        shape = json.loads((self._folder / kind / f"{name}.json").read_text())
        return list(problems(shape, value, self.shared, f"{kind}.{name}"))


def problems(shape: Any, value: Any, shared: Mapping[str, Any], at: str = "$") -> Iterator[str]:
    """Compare a value with its shape; yield where they differ."""
    match shape:
        case "anything":
            return
        case str() if shape.startswith("@"):
            yield from problems(shared[shape[1:]], value, shared, at)
        case str():
            if not any(_is(name, value) for name in shape.split("|")):
                yield f"{at}: {value!r:.80} is not {shape}"
        case [inner, *rest]:
            yield from _of_list(inner, value, shared, at, may_be_empty=rest == ["?"])
        case {"row": inner}:
            yield from _of_row(inner, value, shared, at)
        case {"any": inner}:
            found = [list(problems(option, value, shared, at)) for option in inner]
            if all(found):
                closest = max(found, key=lambda told: told[0].count("."))
                yield f"{at}: none of {len(inner)} shapes; {closest[0]}"
        case {"*": inner}:
            if not isinstance(value, dict):
                yield f"{at}: {value!r:.80} is no object"
                return
            for key in value:
                yield from problems(inner, value[key], shared, f"{at}.{key}")
        case _:
            yield from _of_object(shape, value, shared, at)


def _of_list(
    inner: Any, value: Any, shared: Mapping[str, Any], at: str, *, may_be_empty: bool
) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{at}: {value!r:.80} is no list"
        return
    if not value and not may_be_empty:
        yield f"{at}: nothing in it to look at"
    for place, item in enumerate(value):
        yield from problems(inner, item, shared, f"{at}[{place}]")


def _of_row(inner: list[Any], value: Any, shared: Mapping[str, Any], at: str) -> Iterator[str]:
    if not isinstance(value, list) or len(value) != len(inner):
        yield f"{at}: {value!r:.80} is no list of {len(inner)}"
        return
    for place, (shape, item) in enumerate(zip(inner, value, strict=True)):
        yield from problems(shape, item, shared, f"{at}[{place}]")


def _of_object(
    shape: dict[str, Any], value: Any, shared: Mapping[str, Any], at: str
) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at}: {value!r:.80} is no object"
        return
    known = {name.removesuffix("?"): name for name in shape}
    for name in value.keys() - known.keys():
        yield f"{at}.{name}: not in the golden file"
    for name, key in known.items():
        if name in value:
            yield from problems(shape[key], value[name], shared, f"{at}.{name}")
        elif not key.endswith("?"):
            yield f"{at}.{name}: missing"


def _is(name: str, value: Any) -> bool:
    if name in _TEXTS:
        return isinstance(value, str) and re.fullmatch(_TEXTS[name], value) is not None
    if name.startswith("="):
        return bool(value == name[1:])
    match name:
        case "null":
            return value is None
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "ms":
            return isinstance(value, int) and value > _FIRST_MS
    raise AssertionError(f"no such type: {name}")
