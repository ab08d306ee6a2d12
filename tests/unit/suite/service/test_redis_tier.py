"""A Redis that is down, gone, hung, flapping, emptied or old costs speed and no answer.

On the system's Redis where there is one, else on one that is made of Python.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.support.redis_server import RedisProcess, free_port, redis_server
from tests.support.waiting import until

from data_collector.settings import Settings
from suite.bodies import Encoded
from suite.errors import ConfigError
from suite.service.caching import Version
from suite.service.redis_tier import RedisTier, encrypted

KEY, NOW = "klines/BTC", Version(1_795_000_000_000, "abc")
OLDER, NEWER = Version(NOW.at_ms - 1, "aaa"), Version(NOW.at_ms + 1, "ccc")
VALUE, OTHER = Encoded.of(b'[{"close":1.0}]'), Encoded.of(b"[]")
SECRET = "not-for-anybody"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisProcess]:
    with redis_server(tmp_path) as server:
        yield server


@asynccontextmanager
async def following(
    url: str, *, shares: bool = True, call_s: float = 5.0
) -> AsyncIterator[RedisTier]:
    """A tier at work, which tries again soon; it waits long, as this machine may be busy."""
    tier = RedisTier(url, "test", call_s=call_s, break_s=0.02)
    work = asyncio.create_task(tier.run())
    try:
        if shares:
            await until(lambda: not tier.trouble, 30)
        yield tier
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


async def kept(tier: RedisTier, version: Version = NOW, value: Encoded = VALUE) -> None:
    """Offer a value, and wait until it was taken or refused."""
    tier.offer(KEY, version, value)
    await until(lambda: not tier._offers)


async def test_what_one_keeps_the_other_finds(redis: RedisProcess) -> None:
    async with following(redis.url) as one, following(redis.url) as other:
        assert await other.find(KEY, NOW) is None
        await kept(one)
        assert VALUE == await other.find(KEY, NOW)
        assert await other.find(KEY, OLDER) is None
        assert await other.find(KEY, NEWER) is None


async def test_values_last_five_seconds(redis: RedisProcess) -> None:
    async with following(redis.url) as tier:
        await kept(tier)
        with redis.client() as client:
            (name,) = client.keys("*/of/*")
            assert 0 < client.pttl(name) <= 5000


async def test_what_one_keeps_it_tells_the_others(redis: RedisProcess) -> None:
    heard: list[tuple[str, int]] = []
    async with following(redis.url) as one, following(redis.url) as other:
        other.on_newer = lambda key, at_ms: heard.append((key, at_ms))
        await kept(one)
        await until(lambda: heard)
    assert [(KEY, NOW.at_ms)] == heard


async def test_a_lower_version_never_replaces_a_higher_one(redis: RedisProcess) -> None:
    async with following(redis.url) as one, following(redis.url) as other:
        await kept(one, NOW)
        await kept(other, OLDER, OTHER)
        assert VALUE == await other.find(KEY, NOW)
        await kept(other, NEWER, OTHER)
        assert OTHER == await one.find(KEY, NEWER)


async def test_one_that_is_down_at_the_start_is_used_when_it_comes(tmp_path: Path) -> None:
    server = RedisProcess(tmp_path)
    server.port = free_port()
    async with following(server.url, shares=False) as tier:
        await until(lambda: tier.turns > 2)
        assert await tier.find(KEY, NOW) is None
        await kept(tier)
        assert "it cannot be reached" == tier.trouble
        server.start()
        try:
            await until(lambda: not tier.trouble, 30)
            await kept(tier)
            assert VALUE == await tier.find(KEY, NOW)
        finally:
            server.kill()


async def test_one_that_goes_away_is_done_without_and_found_again(redis: RedisProcess) -> None:
    """Again and again; who follows it notices by itself, before anybody asks."""
    async with following(redis.url) as tier:
        for losses in range(1, 6):
            await kept(tier)
            assert VALUE == await tier.find(KEY, NOW)
            redis.kill()
            await until(lambda: tier.trouble)
            assert await tier.find(KEY, NOW) is None
            assert losses == tier.losses
            redis.start()
            await until(lambda: not tier.trouble, 30)
            assert await tier.find(KEY, NOW) is None


async def test_one_that_hangs_is_waited_for_once(redis: RedisProcess) -> None:
    """And what was in it does not return with it."""
    async with following(redis.url, call_s=0.05) as tier, following(redis.url) as other:
        await kept(other)
        with redis.client() as client:
            (name,) = client.keys("*/of/*")
            client.persist(name)
            redis.freeze()
            assert await tier.find(KEY, NOW) is None
            assert "no answer within 50 ms" == tier.trouble
            assert await tier.find(KEY, NOW) is None  # at once: it is not asked
            redis.thaw()
            await until(lambda: not tier.trouble, 30)
            assert client.exists(name)
        assert await other.find(KEY, NOW) is None


async def test_one_that_is_emptied_has_nothing_and_is_used_again(redis: RedisProcess) -> None:
    async with following(redis.url) as tier:
        await kept(tier)
        with redis.client() as client:
            client.flushall()
        assert await tier.find(KEY, NOW) is None
        await kept(tier)
        assert VALUE == await tier.find(KEY, NOW)
        assert "" == tier.trouble


async def test_old_values_that_return_are_no_answers(redis: RedisProcess) -> None:
    """As from a backup, or a replica that had not heard of what was newer."""
    async with following(redis.url) as tier, following(redis.url):
        await kept(tier)
        with redis.client() as client:
            (name,) = client.keys("*/of/*")
            old = client.get(name)
            assert isinstance(old, bytes)
            await kept(tier, NEWER, OTHER)
            client.set(name, old)
            assert await tier.find(KEY, NEWER) is None
            async with following(redis.url):  # somebody has come (back): a new namespace
                client.set(name, old)
                assert await tier.find(KEY, NOW) is None


@pytest.mark.parametrize("spoiled", [b"", b"\xff\xfe", b"1 2 3\n", b"0 1795000000000 abc \n[]"])
async def test_what_is_not_a_value_is_none(redis: RedisProcess, spoiled: bytes) -> None:
    async with following(redis.url) as tier:
        await kept(tier)
        with redis.client() as client:
            (name,) = client.keys("*/of/*")
            held = client.get(name)
            assert isinstance(held, bytes)
            for wrong in (spoiled, held[:-1], held + b" ", held.replace(b"close", b"cl0se")):
                client.set(name, wrong)
                assert await tier.find(KEY, NOW) is None
            client.delete(name)
            client.lpush(name, "a list")
        assert await tier.find(KEY, NOW) is None


@asynccontextmanager
async def server_that(said: bytes | None) -> AsyncIterator[int]:
    """A server that answers all commands with the same; None to end each connection."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while await reader.read(1 << 16):
                if said is None:
                    break
                writer.write(said)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


@pytest.mark.parametrize(
    ("said", "trouble"),
    [
        (b"-WRONGPASS invalid username-password pair " + SECRET.encode() + b"\r\n", "password"),
        (b"-NOPERM this user has no permissions\r\n", "may not"),
        (b"-LOADING Redis is loading the dataset in memory\r\n", "loading"),
        (b"-ERR unknown command\r\n", "refuses a command"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "cannot be reached"),
        (None, "cannot be reached"),
    ],
    ids=["wrong password", "no rights", "loading", "no Redis 7", "no Redis", "resets"],
)
async def test_one_that_refuses_is_done_without(
    said: bytes | None, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with server_that(said) as port:
        url = f"redis://:{SECRET}@127.0.0.1:{port}/0"
        async with following(url, shares=False) as tier:
            await until(lambda: tier.turns > 2)
            assert trouble in tier.trouble
            assert await tier.find(KEY, NOW) is None
            tier.offer(KEY, NOW, VALUE)
            assert SECRET not in f"{tier.trouble}{tier!r}{caplog.text}"


@pytest.mark.parametrize(
    ("url", "trusted", "used"),
    [
        ("redis://127.0.0.1:6379/0", False, "redis://127.0.0.1:6379/0"),
        ("redis://localhost", False, "redis://localhost"),
        ("redis://[::1]:6379", False, "redis://[::1]:6379"),
        ("redis://:word@cache:6379/1?x=y", False, "rediss://:word@cache:6379/1?x=y"),
        ("redis://:word@cache:6379/1", True, "redis://:word@cache:6379/1"),
        ("rediss://cache", True, "rediss://cache"),
    ],
)
def test_what_leaves_this_machine_is_encrypted(url: str, trusted: bool, used: str) -> None:
    assert used == encrypted(url, trusted_network=trusted)


@pytest.mark.parametrize(
    "url",
    [f"http://:{SECRET}@127.0.0.1", f"{SECRET}:6379", f"redis://:{SECRET}@", f"redis://{SECRET}:x"],
)
def test_what_is_no_address_is_refused_in_one_line(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(ConfigError, match="REDIS_URL: not a Redis; write") as refused:
        Settings.load()
    assert SECRET not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_no_client_knows_is_refused_without_the_address() -> None:
    url = f"redis://:{SECRET}@127.0.0.1:6379/0?no_such={SECRET}"
    with pytest.raises(ConfigError, match="REDIS_URL has something in it") as refused:
        RedisTier(url, "test")
    assert SECRET not in str(refused.value)


def test_the_address_is_in_no_picture_of_the_settings() -> None:
    settings = Settings(redis_url=SecretStr(f"redis://:{SECRET}@127.0.0.1:6379/0"))
    assert SECRET not in f"{settings!r}{settings}{settings.model_dump_json()}"


def test_without_the_client_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "redis.asyncio", None)
    with pytest.raises(ConfigError, match="pip install redis"):
        RedisTier("redis://127.0.0.1:6379/0", "test")
