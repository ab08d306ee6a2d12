"""The way of traders to their venue: an account and its token, and the secrets that they name."""

import asyncio
import hashlib
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from pydantic import SecretStr

from suite.contracts.clock import ClockState
from suite.contracts.trader import TraderSpec, expand_env, variables_in
from suite.contracts.world import AccountRequest, AccountsRequest, WorldCreated
from suite.errors import (
    ConfigError,
    Conflict,
    StorageError,
    UpstreamRefused,
    UpstreamUnavailable,
    one_line,
)
from suite.service.http import admin_client, shown
from suite.service.statuses import fault_of
from trader_manager.application.held import held_coins
from trader_manager.application.runtime import Launch
from trader_manager.application.venue_reads import VenueReads
from trader_manager.domain.reserved import check_names
from trader_manager.domain.traders import StoredTrader

_TIMEOUT_S: Final = 30.0
_WORLD: Final = "/w/"
_DEFAULT: Final = "default"
_WORLD_ID: Final = re.compile("[0-9a-z]*")
_UNSAFE: Final = re.compile("[^A-Za-z0-9_-]+")


class VenueAccess:
    """What traders are started with at one venue.

    A token that is named is used. Without one, an account is opened where the venue is simulated
    and its operator's token is known; the new token is kept in a file, as it is told once only.

    Args:
        venue_url: of the venue; a world's own address for one of several.
        venue: reads it.
        data_url: of market data.
        token_of: tells the token of a trader; None where none is named.
        operator_token: of a simulated venue, empty for none.
        folder: of the tokens of accounts that were opened here.
        env: values of `${NAME}`.
        seed: of what traders draw at random.
    """

    def __init__(
        self,
        *,
        venue_url: str,
        venue: VenueReads,
        data_url: str,
        token_of: Callable[[str], SecretStr | None],
        operator_token: SecretStr,
        folder: Path,
        env: Mapping[str, str],
        seed: int,
    ) -> None:
        self._venue_url = venue_url
        self._venue = venue
        self._data_url = data_url
        self._token_of = token_of
        self._operator_token = operator_token
        self._folder = folder
        self._env = env
        self._seed = seed
        self._opening: dict[Path, asyncio.Lock] = {}

    async def launch(self, trader: StoredTrader, *, with_secrets: bool = True) -> Launch:
        """Say what a trader is started with, its token included.

        Args:
            trader: as it is wanted.
            with_secrets: with the values of what its entry names; who claims it has its own.

        Raises:
            ConfigError: a secret is not set or the suite's own, or there is no token and no way to
                one.
            SuiteError: the venue refuses to open its account, or does not answer.
        """
        names = variables_in(trader.spec)
        check_names(names)
        values = self._values(names) if with_secrets else {name: name for name in names}
        try:
            spec = msgspec.convert(expand_env(dict(trader.spec), values), TraderSpec)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{trader.trader_id}: {one_line(str(error))}") from None
        world, token = "", self._token_of(trader.trader_id)
        if token is None:
            world, token = await self._token(spec)
        return Launch(
            trader_id=trader.trader_id,
            written=trader.spec,
            secrets={k: SecretStr(v) for k, v in values.items()} if with_secrets else {},
            generation=trader.generation,
            venue_url=self._venue_url,
            data_url=self._data_url,
            token=token,
            seed=self._seed,
            world=world,
        )

    async def world(self) -> str:
        """Name the venue's present world; empty where money is real."""
        return (await self._venue.clock()).world

    async def held(self, trader: StoredTrader) -> tuple[str, ...]:
        """Tell the coins of which a trader holds a position, as its venue says it.

        Raises:
            Conflict: that cannot be told, and why.
        """
        return await held_coins(self._venue, trader)

    def _values(self, names: tuple[str, ...]) -> dict[str, str]:
        """Find the values of variables.

        Raises:
            ConfigError: one is not set.
        """
        for name in names:
            if name not in self._env:
                raise ConfigError(f"environment variable {name} is not set")
        return {name: self._env[name] for name in names}

    async def _token(self, spec: TraderSpec) -> tuple[str, SecretStr]:
        """Find the token of an account that was opened here, or open it; in which world it is."""
        operator = self._operator_token.get_secret_value()
        async with admin_client(self._venue_url, timeout_s=_TIMEOUT_S) as client:
            world = (await _answer(client, "GET", "/clock", kind=ClockState)).world
        path = self._path(world, spec.account_id)
        async with self._opening.setdefault(path, asyncio.Lock()):
            if path.is_file():
                return world, SecretStr(path.read_text().strip())
            return world, SecretStr(await self._opened(spec, path, operator, world))

    async def _opened(self, spec: TraderSpec, path: Path, operator: str, world: str) -> str:
        """Open an account where that can be done.

        Raises:
            ConfigError: it cannot: there is no token, and no way to one.
        """
        if not operator or not world:
            raise ConfigError(
                f"no token for {spec.trader_id}: name it in TRADER_TOKENS or TRADER_TOKENS_DIR"
                + ("" if not world else ", or the venue's operator in VENUE_OPERATOR_TOKEN")
            )
        return await self._open(spec, path, operator)

    async def _open(self, spec: TraderSpec, path: Path, operator: str) -> str:
        """Open an account and keep its token.

        A mark tells that this was begun: an account whose token got lost on the way is this
        manager's own, and gets another token; one that was there before is somebody else's.
        """
        root, _, name = self._venue_url.partition(_WORLD)
        wanted = AccountRequest(id=spec.account_id, initial_balance=spec.initial_balance)
        mark = path.with_suffix(".opening")
        again = mark.exists()
        _write(mark, spec.account_id)
        try:
            async with admin_client(root, token=operator, timeout_s=_TIMEOUT_S) as client:
                opened = await _answer(
                    client,
                    "POST",
                    f"/worlds/{name or _DEFAULT}/accounts",
                    AccountsRequest(accounts=(wanted,), again=again),
                    kind=WorldCreated,
                )
        except Conflict:
            if not again:
                mark.unlink(missing_ok=True)
            raise
        token: str = opened.tokens[spec.account_id]
        _write(path, token)
        mark.unlink(missing_ok=True)
        return token

    def _path(self, world: str, account: str) -> Path:
        """Name the file of a token: no name that somebody else chose is a part of a path.

        Raises:
            UpstreamRefused: the venue names its world in a way no venue does.
        """
        if _WORLD_ID.fullmatch(world) is None:
            raise UpstreamRefused(f"the venue calls its world {world[:40]!r}")
        digest = hashlib.sha256(f"{world}\n{account}".encode()).hexdigest()[:32]
        readable = _UNSAFE.sub("-", account)[:32]
        return self._folder / (world or _DEFAULT) / f"{readable}.{digest}.token"


async def _answer(
    client: httpx.AsyncClient, method: str, path: str, body: Any = None, *, kind: type[Any]
) -> Any:
    """Ask once.

    Raises:
        UpstreamUnavailable: nobody answers.
        SuiteError: it is refused, in the venue's words.
    """
    content = None if body is None else msgspec.json.encode(body)
    headers = {"content-type": "application/json"}
    try:
        reply = await client.request(method, path, content=content, headers=headers)
    except httpx.HTTPError as error:
        where = shown(str(client.base_url))
        raise UpstreamUnavailable(f"{where} does not answer: {type(error).__name__}") from None
    if reply.is_error:
        raise fault_of(reply.status_code)(one_line(reply.text))
    return msgspec.json.decode(reply.content, type=kind)


def _write(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    draft = path.with_suffix(".new")
    try:
        for folder in (path.parent.parent, path.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        with os.fdopen(handle, "w") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from None
