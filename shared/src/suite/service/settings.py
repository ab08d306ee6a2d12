"""Settings: environment and `.env`, one frozen object, unknown names refused.

Precedence, strongest first: keyword arguments (the options of a command), environment variables,
the file `.env` in the working directory, defaults. An empty value counts as not set.
A service subclasses `ServiceSettings` with its own prefix:

    class Settings(ServiceSettings):
        model_config = settings_config("VIRTUAL_EXCHANGE_")
        port: int = 8100

so `port` is `VIRTUAL_EXCHANGE_PORT`. A name with the prefix that no field has is an error with the
nearest known name in it. Names without the prefix (`TRADING_URL`) come from `shared_name`, which
every service reads alike. Kubernetes injects `<SERVICE>_PORT` variables of its own into every pod
that has service links; such pods set `enableServiceLinks: false`.
"""

import difflib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from dotenv import dotenv_values
from pydantic import AfterValidator, AliasChoices, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from suite.errors import ConfigError
from suite.hosts import is_loopback
from suite.service.http import is_base_url

BODY_LIMIT_BYTES = 1 << 20
_NAMED = re.compile(r'field "(\w+)"')


def _base_url(text: str) -> str:
    if not is_base_url(text):
        raise PydanticCustomError("address", "not an address; write http://host:port")
    return text


BaseUrl = Annotated[str, AfterValidator(_base_url)]
"""Address of a service, to which paths are added."""


def settings_config(prefix: str) -> SettingsConfigDict:
    """Make the pydantic configuration of a service's settings.

    Args:
        prefix: of its variables, with the underscore: `VIRTUAL_EXCHANGE_`.
    """
    return SettingsConfigDict(env_prefix=prefix)


def shared_name(name: str) -> AliasChoices:
    """Read a field from a variable without the service's prefix: `validation_alias=...`."""
    return AliasChoices(name)


class EnvironmentSettings(BaseSettings):
    """What is told by environment and `.env`; a subclass has the prefix and the fields.

    Attributes:
        not_ours: endings of names that begin with the prefix and are somebody else's.
    """

    not_ours: ClassVar[tuple[str, ...]] = ()

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",  # names of other services; those with our prefix are refused below
        env_file=".env",
        env_ignore_empty=True,
        populate_by_name=True,
        hide_input_in_errors=True,  # a value may be a secret
        allow_inf_nan=False,  # a limit of infinity is none
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  signature of the library
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Two sources besides arguments, after a look for names that nobody reads."""
        guard = _RefuseUnknownNames(settings_cls)
        return init_settings, guard, _SplitLists(env_settings), _SplitLists(dotenv_settings)

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read all sources.

        Args:
            overrides: values that win over every source; None means not given.

        Raises:
            ConfigError: something is wrong; all of it in one line, without the values.
        """
        try:
            return cls(**{name: value for name, value in overrides.items() if value is not None})
        except ValidationError as error:
            prefix = cls.model_config.get("env_prefix", "")
            problems = "; ".join(
                f"{_variable(cls, prefix, item['loc'])}: {item['msg']}" for item in error.errors()
            )
            raise ConfigError(f"bad settings: {problems}") from None
        except SettingsError as error:  # its cause quotes the value, which may be a secret
            field = _NAMED.search(str(error))
            name = _variable(
                cls, cls.model_config.get("env_prefix", ""), (field[1],) if field else ()
            )
            raise ConfigError(f"bad settings: {name}: not JSON") from None


class ServiceSettings(EnvironmentSettings):
    """What every service can be told.

    Attributes:
        host: address to listen on; another than loopback needs `trusted_network`.
        port: TCP port, 0 for any free one.
        trusted_network: `TRUSTED_NETWORK`; the operator vouches for everything that can reach the
            port. Only the container files set it.
        allowed_hosts: further names in the `Host` header, comma-separated.
        allowed_origins: further browser origins, comma-separated; none by default.
        body_limit_bytes: largest request body and WebSocket frame.
        shutdown_timeout_s: how long a stop waits for open requests; after 20 s all is over.
        token_days: `TOKEN_DAYS`, how long a token in a file lasts after it was written.
        request_rate: requests a second of one token, or of one peer without any; 0 where the
            service has limits of its own.
        state_dir: where the service writes; tokens are in `tokens/` below it.
        log_level: least severe event that is written.
        log_format: `auto` is `console` on a terminal, else `json`.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    trusted_network: bool = Field(default=False, validation_alias=shared_name("TRUSTED_NETWORK"))
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = ()
    body_limit_bytes: int = Field(default=BODY_LIMIT_BYTES, gt=0)
    shutdown_timeout_s: int = Field(default=15, ge=0, le=19)
    token_days: float = Field(
        default=365.0, gt=0, le=3650, validation_alias=shared_name("TOKEN_DAYS")
    )
    request_rate: int = Field(default=1000, ge=0)
    state_dir: Path = Path("var")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"

    @property
    def is_loopback(self) -> bool:
        """Only this machine can reach the port."""
        return is_loopback(self.host)


class ServedSettings(ServiceSettings):
    """What a service can be told that `suite.service.server` runs.

    Attributes:
        crash_delay_s: `CRASH_DELAY_S`, how long a start waits after more than three crashes within
            ten minutes.
        stall_limit_s: how long the event loop may stand still before the process ends itself, to
            be started again; 0 for ever.
    """

    crash_delay_s: float = Field(
        default=60.0, ge=0, le=3600, validation_alias=shared_name("CRASH_DELAY_S")
    )
    stall_limit_s: float = Field(default=120.0, ge=0)


def refuse_unknown_names(settings_cls: type[BaseSettings]) -> None:
    """Look in the environment and in `.env` for names that begin as a service's and are none.

    Raises:
        ConfigError: a name is unknown.
    """
    config = settings_cls.model_config
    if prefix := config.get("env_prefix", ""):
        known = {name.upper() for name in known_names(settings_cls)}
        not_ours = settings_cls.not_ours if issubclass(settings_cls, EnvironmentSettings) else ()
        for name in sorted(_present_names(config.get("env_file"))):
            begins = name.upper().startswith(prefix) and not name.upper().endswith(not_ours)
            if begins and name.upper() not in known:
                raise ConfigError(f"unknown setting {name}{_hint(name.upper(), known)}")


class _RefuseUnknownNames(PydanticBaseSettingsSource):
    """A source that gives nothing and refuses names with the service's prefix that no field has."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Know nothing about any field."""
        del field
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Look at the environment and the file.

        Raises:
            ConfigError: a name is unknown.
        """
        refuse_unknown_names(self.settings_cls)
        return {}


class _SplitLists(PydanticBaseSettingsSource):
    """Another source, with comma-separated text made into tuples where the field is one."""

    def __init__(self, inner: PydanticBaseSettingsSource) -> None:
        super().__init__(inner.settings_cls)
        self._inner = inner

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Ask the other source."""
        return self._inner.get_field_value(field, field_name)

    def __call__(self) -> dict[str, Any]:
        """Read the other source and split."""
        values = self._inner()
        for name, field in self.settings_cls.model_fields.items():
            if any(isinstance(item, type) and item is NoDecode for item in field.metadata):
                for key in {name, *_alias_names(field)} & values.keys():
                    if isinstance(values[key], str):
                        parts = (part.strip() for part in values[key].split(","))
                        values[key] = tuple(part for part in parts if part)
        return values


def _alias_names(field: FieldInfo) -> list[str]:
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return [choice for choice in alias.choices if isinstance(choice, str)]
    return [alias] if isinstance(alias, str) else []


def known_names(settings_cls: type[BaseSettings]) -> Iterator[str]:
    """Name the variables of a service's settings."""
    prefix = settings_cls.model_config.get("env_prefix", "")
    for name, field in settings_cls.model_fields.items():
        yield from _alias_names(field) or [f"{prefix}{name}"]


def _present_names(env_file: Any) -> set[str]:
    names = set(os.environ)
    if isinstance(env_file, (str, Path)) and Path(env_file).is_file():
        names |= set(dotenv_values(env_file))
    return names


def _hint(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f", did you mean {near[0]}?" if near else ""


def _variable(settings_cls: type[BaseSettings], prefix: str, location: tuple[Any, ...]) -> str:
    """Name the variable behind a field of a validation error."""
    name = str(location[0]) if location else "settings"
    field = settings_cls.model_fields.get(name)
    if field is None:
        return name
    return (_alias_names(field) or [f"{prefix}{name}".upper()])[0]
