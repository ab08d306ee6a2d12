"""Proof on the running system: nobody shares what is somebody's own, and all say the same.

It runs on the machine of the manager, as the same user: it reads token files, the environments of
the traders' processes and the database, and asks the manager and the venue.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import psutil

from suite.addresses import account_address
from suite.contracts.trader import variables_in
from suite.errors import SuiteError, one_line
from trader_manager.adapters.postgres import PostgresStore
from trader_manager.adapters.traders_file import written_traders
from trader_manager.adapters.venue_reads import VenueReadsHttp
from trader_manager.application.config_loader import ConfigLoader
from trader_manager.commands.agreement import agreement
from trader_manager.commands.checks import Check
from trader_manager.commands.fleet_client import FleetClient
from trader_manager.settings import Settings

_TOKEN: Final = "TRADER_TOKEN"  # noqa: S105 - the name of a variable
_NOT_THEIRS: Final = ("DATABASE_URL", "TRADER_TOKENS", "TRADER_TOKENS_DIR", "VENUE_OPERATOR_TOKEN")
_OWN_PROCESS: Final = "process"
_HERE: Final = {_OWN_PROCESS, "fleet"}
"""Runtimes whose traders have a folder, and a process, on this machine."""
_SECRET_MIN: Final = 8
"""Letters of a secret that is looked for; a shorter one is found everywhere by chance."""
_DECISIONS: Final = 1000
_AS_WANTED: Final = {
    "running": {"running", "ended"},
    "stopped": {"absent", "ended", "crashed", "claimable"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One trader as it is seen on this machine.

    Attributes:
        row: of `GET /traders`.
        folder: of its process.
        environment: of it; None where it runs elsewhere, or may not be read.
    """

    row: Mapping[str, Any]
    folder: Path
    environment: Mapping[str, str] | None
    command: Sequence[str]

    @property
    def name(self) -> str:
        """Its id."""
        return str(self.row["trader_id"])


def verify(client: FleetClient, settings: Settings) -> Iterator[Check]:
    """Look at everything once.

    Raises:
        SuiteError: the manager does not answer.
    """
    listed = client.get("/traders")
    seen = [_seen(row, settings.state_dir / "fleet") for row in listed["traders"]]
    here = [one for one in seen if one.row["runtime"] in _HERE and one.row["pid"]]
    own = [one for one in here if one.row["runtime"] == _OWN_PROCESS]
    yield Check(name="supervision", problem=listed["trouble"], told="this manager supervises")
    yield _distinct("accounts", ((one.name, one.row["account"]) for one in seen))
    yield _distinct(
        "tokens", ((one.name, (one.environment or {}).get(_TOKEN, "")) for one in own), hidden=True
    )
    yield _distinct("processes", ((one.name, str(one.row["pid"])) for one in own))
    yield _elsewhere(seen)
    yield _distinct("journals", _files(here, "var/journal/{}.jsonl"))
    yield _locks(here)
    yield _distinct(
        "rate budgets", ((one.name, account_address(one.row["account"])) for one in here)
    )
    yield _desired(seen)
    secrets = _secrets(settings, seen)
    yield _hidden("secrets in answers", secrets, _answers(client, seen))
    yield _hidden("secrets in files", secrets, _written(settings))
    yield from _environments(here, secrets)
    yield from asyncio.run(
        _stored(client, settings, secrets, settings.trading_url or listed["venue"])
    )
    yield _file(settings, seen)


def _seen(row: Mapping[str, Any], fleet: Path) -> _Seen:
    environment: Mapping[str, str] | None = None
    command: Sequence[str] = ()
    with suppress(psutil.Error, OSError):
        if row["pid"]:
            process = psutil.Process(row["pid"])
            environment, command = process.environ(), process.cmdline()
    return _Seen(row=row, folder=fleet / row["trader_id"], environment=environment, command=command)


def _distinct(name: str, owned: Iterable[tuple[str, str]], *, hidden: bool = False) -> Check:
    """Look whether everybody has one, and no two share one."""
    owners: dict[str, list[str]] = {}
    count = 0
    for owner, thing in owned:
        count += 1
        if not thing:
            return Check(name=name, problem=f"{owner} has none, or it cannot be read")
        owners.setdefault(thing, []).append(owner)
    for thing, sharing in owners.items():
        if len(sharing) > 1:
            what = "" if hidden else f": {thing}"
            return Check(name=name, problem=f"{' and '.join(sharing)} share one{what}")
    return Check(name=name, told=f"{count} traders, each has its own")


def _elsewhere(seen: Iterable[_Seen]) -> Check:
    """Tell who has no process here, and is not looked at in the checks of processes."""
    places = Counter(
        one.row["runtime"] if one.row["runtime"] not in _HERE else "no process at present"
        for one in seen
        if one.row["runtime"] not in _HERE or not one.row["pid"]
    )
    told = ", ".join(f"{count} of {place}" for place, count in sorted(places.items()))
    return Check(name="not looked into", told=told or "nobody")


def _files(seen: Iterable[_Seen], pattern: str) -> Iterator[tuple[str, str]]:
    """Tell the files of traders by what they are on the disk, not by their names."""
    for one in seen:
        found = ""
        with suppress(OSError):
            state = (one.folder / pattern.format(one.name)).stat()
            found = f"{state.st_dev}:{state.st_ino}"
        yield one.name, found


def _locks(seen: Sequence[_Seen]) -> Check:
    shared = _distinct("state locks", _files(seen, "var/state/{}.lock"))
    if shared.problem:
        return shared
    for one in seen:
        holder = (one.folder / f"var/state/{one.name}.lock").read_text().strip()
        if holder != str(one.row["pid"]):
            told = f"{one.name}: process {holder} holds it, and {one.row['pid']} is its own"
            return Check(name="state locks", problem=told)
    return shared


def _desired(seen: Iterable[_Seen]) -> Check:
    wrong = [
        f"{one.name} shall be {one.row['desired']} and is {one.row['actual']}{_had(one.row)}"
        for one in seen
        if one.row["actual"] not in _AS_WANTED[one.row["desired"]]
        or (one.row["desired"] == "stopped" and one.row["holder"])
    ]
    return Check(name="wanted and so", problem="; ".join(wrong), told="all are as they are wanted")


def _had(row: Mapping[str, Any]) -> str:
    return f", {row['holder']} has it" if row["holder"] else ""


# secrets


def _secrets(settings: Settings, seen: Iterable[_Seen]) -> Mapping[str, str]:
    """Find all secrets that can be known here, and whose they are."""
    found = {settings.venue_operator_token.get_secret_value(): "VENUE_OPERATOR_TOKEN"}
    for name, token in settings.trader_tokens.items():
        found[token.get_secret_value()] = f"token of {name}"
    for path in [
        *(settings.trader_tokens_dir.glob("*.token") if settings.trader_tokens_dir else ()),
        *(settings.state_dir / "tokens").rglob("*.token"),
        *(settings.state_dir / "fleet").glob("*/var/tokens/*.token"),
    ]:
        with suppress(OSError):
            found[path.read_text().strip()] = str(path)
    for one in seen:
        for name in variables_in(one.row["entry"]):
            value = (one.environment or {}).get(name) or os.environ.get(name, "")
            found[value] = f"{name} of {one.name}"
    return {secret: whose for secret, whose in found.items() if len(secret) >= _SECRET_MIN}


def _hidden(name: str, secrets: Mapping[str, str], texts: Iterable[tuple[str, bytes]]) -> Check:
    """Look for secrets where none may be; what is told names them and does not tell them."""
    wanted = {secret.encode(): whose for secret, whose in secrets.items()}
    count = 0
    for place, text in texts:
        count += 1
        for secret, whose in wanted.items():
            if secret in text:
                return Check(name=name, problem=f"{place} has the secret of {whose}")
    return Check(name=name, told=f"none of {len(wanted)} in {count} places")


def _answers(client: FleetClient, seen: Iterable[_Seen]) -> Iterator[tuple[str, bytes]]:
    paths = ["/traders", "/schema", "/openapi.json", "/ready", "/metrics"]
    for one in seen:
        paths += [f"/traders/{one.name}", f"/traders/{one.name}/decisions?limit={_DECISIONS}"]
    for path in paths:
        yield path, client.reply(path).content


def _written(settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Read what is written beside the tokens themselves: logs, journals, memories, entries."""
    for path in sorted((settings.state_dir / "fleet").rglob("*")):
        if path.is_file() and path.suffix != ".token":
            with suppress(OSError):
                yield str(path), path.read_bytes()


def _environments(here: Sequence[_Seen], secrets: Mapping[str, str]) -> Iterator[Check]:
    """Look for secrets in processes: of its own a trader has its own, in the fleet's nobody has."""
    name = "secrets of others"
    unread = [one.name for one in here if one.environment is None]
    if unread:
        yield Check(name=name, problem=f"the environment of {', '.join(unread)} cannot be read")
        return
    yield _hidden(
        "secrets in commands",
        secrets,
        ((f"command line of {one.name}", " ".join(one.command).encode()) for one in here),
    )
    for one in here:
        environment = one.environment or {}
        is_own = one.row["runtime"] == _OWN_PROCESS
        theirs = {_TOKEN, *variables_in(one.row["entry"])} if is_own else set()
        kept = [key for key in _NOT_THEIRS if key in environment]
        kept += [
            key for key, value in environment.items() if key not in theirs and value in secrets
        ]
        if kept:
            yield Check(name=name, problem=f"the process of {one.name} sees {', '.join(kept)}")
            return
    yield Check(name=name, told=f"{len(here)} traders, none sees those of others")


# what is stored


async def _stored(
    client: FleetClient, settings: Settings, secrets: Mapping[str, str], venue_url: str
) -> Sequence[Check]:
    store = PostgresStore(settings.database_url.get_secret_value(), connections=2)
    venue = VenueReadsHttp(venue_url, token=settings.reader_token(), token_of=settings.token_of)
    try:
        await store.open()
        traders = await store.list_traders()
        rows = [(f"row of {one.trader_id}", _bytes(one.spec)) for one in traders]
        world = (await asyncio.to_thread(client.get, "/best"))["world"]
        for one in traders:
            decided = await store.get_decisions(world, one.trader_id, limit=_DECISIONS)
            crashes = await store.list_crashes(one.trader_id, window_ms=1 << 40)
            rows += [(f"decisions of {one.trader_id}", _bytes([row.body for row in decided]))]
            rows += [(f"crashes of {one.trader_id}", _bytes([row.reason for row in crashes]))]
        return [
            _hidden("secrets in rows", secrets, rows),
            await _clocks(venue, client),
            *await agreement(store, venue, traders, world),
        ]
    except SuiteError as error:
        return [Check(name="database and venue", problem=one_line(str(error)))]
    finally:
        await venue.close()
        await store.close()


def _bytes(value: Any) -> bytes:
    return msgspec.json.encode(value)


async def _clocks(venue: VenueReadsHttp, client: FleetClient) -> Check:
    """Look whether the manager and the traders have the venue's time."""
    rows = (await asyncio.to_thread(client.get, "/traders"))["traders"]
    if not rows:
        return Check(name="clocks", told="there is no trader")
    path = f"/traders/{rows[0]['trader_id']}/positions"  # a board may be of a little earlier
    before = await venue.clock()
    moment = await asyncio.to_thread(client.get, path)
    after = await venue.clock()
    if not before.now_ms <= moment["now_ms"] <= after.now_ms:
        told = f"the manager says {moment['now_ms']}, the venue {before.now_ms} to {after.now_ms}"
        return Check(name="clocks", problem=told)
    ahead = [
        f"{row['trader_id']} is at {row['status']['now_ms']}"
        for row in rows
        if row["status"] and row["status"]["now_ms"] > after.now_ms
    ]
    if ahead:
        return Check(name="clocks", problem=f"{'; '.join(ahead)}, the venue at {after.now_ms}")
    return Check(name="clocks", told=f"manager and traders are at the venue's {after.now_ms} ms")


def _file(settings: Settings, seen: Iterable[_Seen]) -> Check:
    """Look whether the traders are as their file says."""
    name = "traders file"
    try:
        written = written_traders(settings.traders, settings.traders_config)
        if written is None:
            return Check(name=name, told="none is named: --traders FILE compares with one")
        document = written.document()
    except SuiteError as error:
        return Check(name=name, problem=str(error))
    config = ConfigLoader(os.environ).load(document.value)
    stored = {one.name: one.row["entry"] for one in seen}
    differing = [
        f"{trader_id} is not there" if trader_id not in stored else f"{trader_id} differs"
        for trader_id, entry in config.written.items()
        if stored.get(trader_id) != entry
    ]
    return Check(
        name=name,
        problem="; ".join([*config.problems, *differing]),
        told=f"{len(config.written)} traders are as it says",
    )
