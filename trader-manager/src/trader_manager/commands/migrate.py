"""From a set-up of one trader to many: each with an account and a secret of its own."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml
from dotenv import dotenv_values

from suite.contracts.trader import TraderSpec, is_secret, variables_in
from suite.errors import BadRequest, ConfigError, Conflict, StorageError
from suite.service.traders_file import parse_yaml
from trader_manager.application.config_loader import ConfigLoader

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_FLAT: Final = ("llm_model", "api_key", "base_url", "symbol", "symbols", "strategy", "params")
"""Keys that an entry may have beside those of a traders file."""
_FILE_MODE: Final = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What is to be written.

    Attributes:
        traders: the new traders file; secrets are names in it.
        secrets: values of those names.
        left_out: keys of the old set-up that no trader has.
        problems: what a manager would say of the new file.
    """

    traders: str
    secrets: Mapping[str, str]
    left_out: tuple[str, ...]
    problems: tuple[str, ...]


def plan(source: Path, names: Sequence[str]) -> Move:
    """Make the many of the one.

    Args:
        source: a traders file with one entry, one flat entry as YAML, under its name or without
            one, or a `.env` file.
        names: ids of the new traders.

    Raises:
        ConfigError: the source cannot be read, or is not of one trader.
        BadRequest: a name is none, or is there twice.
    """
    _check(names)
    entry, left_out = _entry(source)
    secrets: dict[str, str] = {}
    entries = [_own(entry, name, secrets) for name in names]
    env = {**os.environ, **secrets}
    config = ConfigLoader(env).load({"traders": entries})
    written = [dict(config.written.get(one["trader_id"], one)) for one in entries]
    return Move(
        traders=yaml.safe_dump({"traders": written}, sort_keys=False, allow_unicode=True),
        secrets=secrets,
        left_out=left_out,
        problems=config.problems,
    )


def write(move: Move, *, traders: Path, env_file: Path) -> None:
    """Write both files, or none; what is there is never written over.

    Raises:
        Conflict: one of them is there.
        StorageError: the disk refuses.
    """
    wanted = [(env_file, _env_text(move.secrets))] if move.secrets else []
    wanted.append((traders, move.traders))
    for path, _ in wanted:
        if path.exists() or path.is_symlink():
            raise Conflict(f"{path} is there already: name another file, or move it away")
    done: list[Path] = []
    try:
        for path, text in wanted:
            _write_new(path, text)
            done.append(path)
    except OSError as error:
        for path in done:
            path.unlink(missing_ok=True)
        raise StorageError(f"cannot write {path}: {error.strerror}") from None


def _check(names: Sequence[str]) -> None:
    if not names:
        raise BadRequest("name the new traders: --names anna,bert")
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise BadRequest(f"{name[:40]!r} is no name: small letters, digits, - and _")
    if len(set(names)) < len(names):
        raise BadRequest("a name is there twice")


def _entry(source: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Read the one trader, and which keys beside it are none of a trader's."""
    try:
        content = source.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {source}: {error.strerror}") from None
    known = {field.encode_name for field in msgspec.structs.fields(TraderSpec)} | {*_FLAT}
    if source.suffix not in {".yaml", ".yml"}:
        found: Any = {name.lower(): value for name, value in dotenv_values(source).items() if value}
    else:
        found = parse_yaml(content, source).value
    if isinstance(found, dict) and "traders" in found:
        found = found["traders"]
        if isinstance(found, dict):
            found = [{"trader_id": name, **entry} for name, entry in found.items()]
        if not isinstance(found, list) or len(found) != 1:
            raise ConfigError(f"{source} is not of one trader")
        found = found[0]
    elif isinstance(found, dict) and found and all(isinstance(one, dict) for one in found.values()):
        if len(found) != 1:
            raise ConfigError(f"{source} is not of one trader")
        (found,) = ({"trader_id": name, **entry} for name, entry in found.items())
    if not isinstance(found, dict):
        raise ConfigError(f"{source} holds no trader")
    entry = {key: value for key, value in found.items() if key in known}
    if not {"strategy", "llm_model"} & entry.keys():
        raise ConfigError(f"{source} names neither a strategy nor an llm_model")
    return entry, tuple(sorted(str(key) for key in found if key not in known))


def _own(entry: Mapping[str, Any], name: str, secrets: dict[str, str]) -> dict[str, Any]:
    """Make a trader of it with an account and secrets of its own; a name says which is whose."""
    of_old = ("trader_id", "account", "name")
    rest = {key: value for key, value in entry.items() if key not in of_old}
    called = f"{entry['name']} {name}" if "name" in entry else ""
    own = {"trader_id": name, **({"name": called} if called else {}), "account": name, **rest}
    prefix = re.sub("[^A-Z0-9]", "_", name.upper())
    moved: dict[str, Any] = _moved(own, "", prefix, secrets)
    return moved


def _moved(value: Any, key: str, prefix: str, secrets: dict[str, str]) -> Any:
    """Put names where secrets stand."""
    if isinstance(value, dict):
        return {name: _moved(item, name, prefix, secrets) for name, item in value.items()}
    if isinstance(value, list):
        return [_moved(item, key, prefix, secrets) for item in value]
    if not (isinstance(value, str) and value and is_secret(key)) or variables_in(value):
        return value
    name = f"{prefix}_{key.upper()}"
    secrets[name] = value
    return f"${{{name}}}"


def _env_text(secrets: Mapping[str, str]) -> str:
    return "".join(f"{line}\n" for line in _lines(secrets))


def _lines(secrets: Mapping[str, str]) -> Iterator[str]:
    for name, value in secrets.items():
        quoted = value.replace("\\", "\\\\").replace("'", "\\'")
        yield f"{name}='{quoted}'"


def _write_new(path: Path, text: str) -> None:
    """Write a file that is not there, for its owner only."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
