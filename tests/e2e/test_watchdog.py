"""The watchdog as a process: what is frozen is killed, what gets on is left alone."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.watched_stack import WatchedStack, until, watched_stack

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[WatchedStack]:
    with watched_stack(tmp_path) as one:
        yield one


def test_a_frozen_service_is_killed_and_one_that_gets_on_is_not(watched: WatchedStack) -> None:
    one = watched
    one.protect_and_enter()
    seen = one.beats()
    until(lambda: one.beats() > seen + 60)  # three times the limit
    assert not one.kill_file.exists()
    assert one.level() == "LIVE"

    one.signal_service(signal.SIGSTOP)
    until(one.kill_file.exists)
    until(lambda: [order["reduceOnly"] for order in one.orders()] == [True])
    assert one.kill_file.read_text().startswith("watchdog: no progress for ")
    assert '"kind": "killed"' in one.log()

    one.signal_service(signal.SIGCONT)
    assert "KILLED" in str(one.order(limit_px=str(one.mid() * 9 // 10)))
    assert one.level() == "KILLED"
    causes = one.ask("/safety", who="operator")["causes"]
    assert [("all", "sentinel")] == [(cause["scope"], cause["by"]) for cause in causes]
    assert len(one.orders()) == 1  # the stop


def test_a_watchdog_that_is_gone_pauses_until_it_is_back(watched: WatchedStack) -> None:
    one = watched
    until(lambda: one.level() == "LIVE")
    assert "watchdog heard " in one.stack.run("status", "--url", one.stack.url).stdout
    one.end_watchdog()
    until(lambda: one.level() == "PAUSED")
    assert "watchdog is gone" in str(one.order())

    one.start_watchdog()
    until(lambda: one.level() == "LIVE")
    assert one.end_watchdog(signal.SIGTERM) == 0
    assert not one.kill_file.exists()


def test_a_kill_by_command_goes_without_the_service(watched: WatchedStack) -> None:
    one = watched
    assert one.stack.run("pause", "alice", "--url", one.stack.url).returncode == 0
    assert one.level() == "PAUSED"
    assert one.stack.run("resume", "alice", "--url", one.stack.url).returncode == 0
    assert one.level() == "LIVE"

    one.stack.kill()
    killed = one.stack.run("kill", "alice", "--url", one.stack.url)
    assert (0, True) == (killed.returncode, (one.safety / "KILL.alice").exists())
    assert "by the file" in killed.stdout

    one.stack.start()
    told = one.stack.run("status", "--url", one.stack.url)
    assert "alice  KILLED" in told.stdout
    refused = one.stack.run("resume", "alice", "--url", one.stack.url, "--confirm", "please")
    assert (1, True) == (refused.returncode, "type exactly" in refused.stderr)


def test_a_kill_cancels_and_closes_at_the_venue(watched: WatchedStack) -> None:
    """By the command, with the words of its answer, and verified at the venue itself."""
    one = watched
    one.protect_and_enter()
    held = one.positions()
    assert list(held) == ["BTC"]

    stopped = one.stack.run("stop", "alice", "--url", one.stack.url)
    assert (stopped.returncode, "1 canceled, 0 entries and 1 stops" in stopped.stdout) == (0, True)
    assert [order["reduceOnly"] for order in one.orders()] == [True]
    assert one.positions() == held
    assert "STOPPED by operator" in str(one.order())
    closing = one.order(is_buy=False, sz="0.001", reduce_only=True)
    assert isinstance(closing, list), closing

    killed = one.stack.run("kill", "--flatten", "--url", one.stack.url)
    assert killed.returncode == 0, killed.stdout + killed.stderr
    assert "0 entries and 0 stops rest, positions none" in killed.stdout
    assert ({}, []) == (one.positions(), one.orders())


def test_a_watchdog_without_a_service_only_says_so(tmp_path: Path) -> None:
    with watched_stack(tmp_path) as one:
        one.end_watchdog()
        one.stack.stop()
        for file in one.safety.glob("*.beat"):
            file.unlink()
        one.start_watchdog()
        until(lambda: "peer_never_seen" in one.log())

        assert not one.kill_file.exists()
        one.stack.start()
        until(lambda: one.beats("proxy") > 2)
        assert one.level() == "LIVE"
