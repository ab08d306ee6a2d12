"""What a request asks for: parameters that do not exist, and the form of the answer."""

from collections.abc import Collection, Iterable

from suite.errors import BadRequest


def refuse_unknown_query(names: Iterable[str], known: Collection[str]) -> None:
    """Refuse query parameters that a route does not have: a misspelt one would be ignored.

    Raises:
        BadRequest: names the parameter and those that there are.
    """
    for name in names:
        if name not in known:
            there = ", ".join(known) or "none"
            raise BadRequest(f"unknown query parameter {name[:40]!r}; there are {there}")


def prefers(accept: str, special: str, usual: str) -> bool:
    """Say whether a caller wants the special form of an answer.

    It does where it names that form and gives it no smaller weight than the usual one.

    Args:
        accept: the header `Accept`, empty where there is none.
        special, usual: media types, in lower case.

    Source: RFC 9110, section 12.5.1, read 2026-11.
    """
    weights = dict(map(_weight, accept.lower().split(",")))
    usual_weight = next((weights[name] for name in _ranges(usual) if name in weights), 0.0)
    return weights.get(special, 0.0) > 0.0 and weights[special] >= usual_weight


def _weight(item: str) -> tuple[str, float]:
    """Read `type/name; q=0.5`; what cannot be read weighs nothing."""
    name, *parameters = (part.strip() for part in item.split(";"))
    text = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    try:
        return name, float(text)
    except ValueError:
        return name, 0.0


def _ranges(media_type: str) -> tuple[str, str, str]:
    """Name what covers a type, the most specific first."""
    return media_type, f"{media_type.partition('/')[0]}/*", "*/*"
