"""What a field would have taken, beside the text that says what it did not take.

msgspec names the place and the wrong value of a field with a closed set of words, or a field that
does not exist, and leaves out the words.
"""

import re
from typing import Any, Final

from msgspec import inspect

from suite.intervals import INTERVAL_MS

_WRONG: Final = re.compile(
    r"(Invalid enum value .*?|Object contains unknown field .*?)(?: - at `(.*)`)?$"
)
_STEP: Final = re.compile(r"\.(\w+)|\[[^\]]*\]")


def with_choices(text: str, kind: Any) -> str:
    """Add what would have been right to the text of a `msgspec.ValidationError`.

    Args:
        text: of the error.
        kind: type that was decoded.

    Returns:
        The text, longer where it is about a closed set of words or about the name of a field.
    """
    found = _WRONG.fullmatch(text)
    if found is None:
        return text
    types = [inspect.type_info(kind)]
    for name in _STEP.findall((found[2] or "$")[1:]):
        types = [inner for outer in types for inner in _inside(outer, name)]
    field = found[1].startswith("Object")
    words = [word for one in types for word in (_fields(one) if field else _values(one))]
    return f"{text}; there are {', '.join(dict.fromkeys(words))}" if words else text


def _inside(outer: inspect.Type, name: str) -> list[inspect.Type]:
    """Types of a field, or of the items where the step has no name."""
    match outer:
        case inspect.UnionType(types=types):
            return [inner for one in types for inner in _inside(one, name)]
        case inspect.StructType(fields=fields):
            return [field.type for field in fields if field.encode_name == name]
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item) if not name:
            return [item]
        case inspect.DictType(value_type=value) if not name:
            return [value]
        case _:
            return []


def _values(one: inspect.Type) -> list[str]:
    match one:
        case inspect.UnionType(types=types):
            return [value for inner in types for value in _values(inner)]
        case inspect.LiteralType(values=values):
            return sorted(map(str, values), key=lambda value: INTERVAL_MS.get(value, 0))
        case inspect.EnumType(cls=cls):
            return [str(member.value) for member in cls]
        case _:
            return []


def _fields(one: inspect.Type) -> list[str]:
    """Fields of a struct, or of the only one in a union: of several, it is not known which."""
    match one:
        case inspect.UnionType(types=types):
            structs = [inner for inner in types if isinstance(inner, inspect.StructType)]
            return _fields(structs[0]) if len(structs) == 1 else []
        case inspect.StructType(fields=fields):
            return [field.encode_name for field in fields]
        case _:
            return []
