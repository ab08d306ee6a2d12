"""Settings that somebody got wrong, of all services: refused, or read as a person reads them.

What is spoilt are the files of `deploy/env`, with every setting in force, a line at a time: names
misspelt, values of other types, out of range, empty or doubled. A start with another meaning than
what stands there is what must not happen.
"""

import math
import random
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pytest

import data_collector.settings
import hyperliquid_exchange.settings
import portfolio_service.settings
import strategy_agent.settings
import trader_manager.settings
import virtual_exchange.settings
from suite.errors import ConfigError
from suite.service.settings import EnvironmentSettings

FOLDER = Path(__file__).parents[3] / "deploy" / "env"
SERVICES: dict[str, type[EnvironmentSettings]] = {
    "agent": strategy_agent.settings.Settings,
    "backtest": virtual_exchange.settings.Settings,
    "collector": data_collector.settings.Settings,
    "hyperliquid-exchange": hyperliquid_exchange.settings.Settings,
    "portfolio-service": portfolio_service.settings.Settings,
    "trader-manager": trader_manager.settings.Settings,
}
_TRUE = {"true": True, "1": True, "yes": True, "on": True, "t": True, "y": True}
_FALSE = {"false": False, "0": False, "no": False, "off": False, "f": False, "n": False}
ODD = ("x", "-1", "1e999", "nan", "0x10", "1_000", "1,5", "true false", "²", "None", "--", "9" * 30)


def lines(name: str) -> list[tuple[str, str]]:
    """Names and values of a file, in force or not."""
    text = (FOLDER / f"{name}.env.example").read_text()
    return re.findall(r"^#?([A-Z_]+)=(.*)$", text, re.MULTILINE)


def spoilt(settings: list[tuple[str, str]]) -> Iterator[tuple[str, str, str, str]]:
    """Spoil one line at a time: what was done, the setting, the name and the value as written."""
    chance = random.Random(7)
    for name, value in settings:
        cut = chance.randrange(max(1, len(name) - 4), len(name))
        yield "a letter missing", name, name[:cut] + name[cut + 1 :], value
        yield "two letters swapped", name, name[:-2] + name[-1] + name[-2], value
        yield "a plural", name, f"{name}S", value
        for odd in chance.sample(ODD, 4):
            yield "another value", name, name, odd


def meaning(value: object) -> str:
    """Write a value as its owner would; secrets by what is in them."""
    secret = getattr(value, "get_secret_value", None)
    return str(secret() if secret is not None else value)


def says(written: str, read: object) -> bool:
    """Whether what was read is what stands there, to a person."""
    if isinstance(read, bool):
        return {**_TRUE, **_FALSE}.get(written.lower()) is read
    if isinstance(read, int | float | Decimal):
        try:
            exact = type(read)(written) if isinstance(read, float) else Decimal(written)
            return math.isfinite(read) and exact == read
        except (InvalidOperation, ValueError):
            return False
    if isinstance(read, tuple):
        parts = tuple(part.strip() for part in written.split(",") if part.strip())
        return parts == tuple(map(str, read))
    return meaning(read).rstrip("/") == written.strip().rstrip("/")


def of_setting(settings: EnvironmentSettings, name: str) -> object:
    """Find the value of a setting by the name of its variable."""
    prefix = str(settings.model_config.get("env_prefix", ""))
    for field, info in type(settings).model_fields.items():
        alias = info.validation_alias
        names = getattr(alias, "choices", None) or [f"{prefix}{field}"]
        if name.upper() in {str(one).upper() for one in names}:
            return getattr(settings, field)
    raise AssertionError(name)


def started(service: str, folder: Path, written: Mapping[str, str]) -> EnvironmentSettings | None:
    """Load the settings as a start does; None where it refuses, with one clear line."""
    (folder / ".env").write_text("".join(f"{key}={value}\n" for key, value in written.items()))
    told = ""
    try:
        return SERVICES[service].load()
    except ConfigError as error:
        told = str(error)
    assert "\n" not in told
    return None


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_starts_with_another_meaning(
    service: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    figure: Callable[[str, str], None],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, _ in lines(service):
        monkeypatch.delenv(name, raising=False)
    prefix = str(SERVICES[service].model_config["env_prefix"])
    tried = refused = 0
    known, wrong = {name for name, _ in lines(service)}, []
    for what, setting, name, value in spoilt(lines(service)):
        is_other = name != setting and (name in known or not name.startswith(prefix))
        if not value or is_other:
            continue  # an empty value is not set; another name, or one that is not ours, is right
        tried += 1
        loaded = started(service, tmp_path, {name: value})
        if loaded is None:
            refused += 1
        elif name != setting or not says(value, of_setting(loaded, setting)):
            wrong.append((what, name, value))
    assert [] == wrong
    assert refused > tried / 4
    figure("S3", f"{tried} spoilt settings of {service}: {refused} refused, 0 of another meaning")
