"""Options of a world from a file and from the command line: the fields of `POST /worlds`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from suite.contracts.world import WorldRequest
from suite.errors import ConfigError

_NEEDED = {"symbols": ["BTC"], "accounts": [{"id": "nobody"}]}


def world_fields(path: Path | None, options: Iterable[str] = ()) -> dict[str, Any]:
    """Read options of a world.

    Args:
        path: a YAML or JSON file with fields of a world, None for none.
        options: `name=value`, the value as YAML; `fees.tiers=hyperliquid` reaches inside. They are
            stronger than the file.

    Returns:
        The fields that are named, by their name in `WorldRequest`.

    Raises:
        ConfigError: the file cannot be read, or an option is unknown or has an impossible value.
    """
    document = {} if path is None else _document(path)
    for option in options:
        name, found, value = option.partition("=")
        if not found:
            raise ConfigError(f"option {option[:40]!r} is not name=value")
        _put(document, name.strip(), _yaml(value, f"option {name.strip()[:40]}"))
    try:
        request = msgspec.convert(_NEEDED | document, WorldRequest, strict=False)
    except msgspec.ValidationError as error:
        place = "world options" if path is None else f"world options ({path})"
        raise ConfigError(f"{place}: {error}") from None
    names = {field.encode_name: field.name for field in msgspec.structs.fields(WorldRequest)}
    return {names[name]: getattr(request, names[name]) for name in document}


def _document(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not text") from None
    document = _yaml(text, str(path))
    if not isinstance(document, dict):
        raise ConfigError(f"{path} must hold fields of a world, as `interval: 5m`")
    return document


def _yaml(text: str, place: str) -> Any:
    """Read YAML as plain texts; what they mean is the field's business."""
    import yaml

    try:
        return yaml.load(text, yaml.BaseLoader)  # noqa: S506 - it makes nothing but texts
    except yaml.YAMLError as error:
        raise ConfigError(f"{place} is not YAML: {' '.join(str(error).split())}") from None


def _put(document: dict[str, Any], name: str, value: Any) -> None:
    """Set a field, or a field inside one."""
    *outer, last = name.split(".")
    place = document
    for part in outer:
        inner = place.get(part)
        place[part] = place = dict(inner) if isinstance(inner, dict) else {}
    place[last] = value
