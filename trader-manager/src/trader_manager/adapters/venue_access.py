"""The way of traders to their venue: an account and its token, and the secrets that they name."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from pydantic import SecretStr

from suite.contracts.clock import ClockState
from suite.contracts.trader import TraderSpec, expand_env, variables_in
from suite.contracts.world import AccountRequest, AccountsRequest, WorldCreated
from suite.errors import ConfigError, StorageError, SuiteError, UpstreamUnavailable, one_line
from suite.service.http import admin_client, shown
from trader_manager.application.runtime import Launch
from trader_manager.domain.traders import StoredTrader

_TIMEOUT_S: Final = 30.0
_WORLD: Final = "/w/"
_DEFAULT: Final = "default"


class VenueAccess:
    """What traders are started with at one venue.

    A token that is named is used. Without one, an account is opened where the venue is simulated
    and its operator's token is known; the new token is kept in a file, as it is told once only.

    Args:
        venue_url: of the venue; a world's own address for one of several.
        data_url: of market data.
        tokens: of accounts, by trader.
        operator_token: of a simulated venue, empty for none.
        folder: of the tokens of accounts that were opened here.
        env: values of `${NAME}`.
        seed: of what traders draw at random.
    """

    def __init__(
        self,
        *,
        venue_url: str,
        data_url: str,
        tokens: Mapping[str, SecretStr],
        operator_token: SecretStr,
        folder: Path,
        env: Mapping[str, str],
        seed: int,
    ) -> None:
        self._venue_url = venue_url
        self._data_url = data_url
        self._tokens = tokens
        self._operator_token = operator_token
        self._folder = folder
        self._env = env
        self._seed = seed

    async def launch(self, trader: StoredTrader) -> Launch:
        """Say what a trader is started with, its token included.

        Raises:
            ConfigError: a secret is not set, or there is no token and no way to one.
            SuiteError: the venue refuses to open its account, or does not answer.
        """
        secrets = {}
        for name in variables_in(trader.spec):
            if name not in self._env:
                raise ConfigError(f"environment variable {name} is not set")
            secrets[name] = SecretStr(self._env[name])
        spec = msgspec.convert(expand_env(dict(trader.spec), self._env), TraderSpec)
        return Launch(
            trader_id=trader.trader_id,
            written=trader.spec,
            secrets=secrets,
            generation=trader.generation,
            venue_url=self._venue_url,
            data_url=self._data_url,
            token=self._tokens.get(trader.trader_id) or await self._token(spec),
            seed=self._seed,
        )

    async def _token(self, spec: TraderSpec) -> SecretStr:
        """Find the token of an account that was opened here, or open it."""
        operator = self._operator_token.get_secret_value()
        async with admin_client(self._venue_url, timeout_s=_TIMEOUT_S) as client:
            world = (await _answer(client, "GET", "/clock", kind=ClockState)).world
        path = self._folder / (world or _DEFAULT) / f"{spec.account_id}.token"
        if path.is_file():
            return SecretStr(path.read_text().strip())
        if not operator or not world:
            raise ConfigError(
                f"no token for {spec.trader_id}: name it in TRADER_TOKENS"
                + ("" if not world else ", or the venue's operator in VENUE_OPERATOR_TOKEN")
            )
        root, _, name = self._venue_url.partition(_WORLD)
        wanted = AccountRequest(id=spec.account_id, initial_balance=spec.initial_balance)
        async with admin_client(root, token=operator, timeout_s=_TIMEOUT_S) as client:
            opened = await _answer(
                client,
                "POST",
                f"/worlds/{name or _DEFAULT}/accounts",
                AccountsRequest(accounts=(wanted,)),
                kind=WorldCreated,
            )
        token = opened.tokens[spec.account_id]
        _keep(path, token)
        return SecretStr(token)


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
        raise SuiteError(one_line(reply.text))
    return msgspec.json.decode(reply.content, type=kind)


def _keep(path: Path, token: str) -> None:
    """Write a token where only its owner can read it, before anybody relies on it."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        with os.fdopen(handle, "w") as file:
            file.write(f"{token}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StorageError(f"cannot keep the token in {path}: {error.strerror}") from None
