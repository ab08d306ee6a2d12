"""`strategy-agent run` over ccxt as a process: it trades, keeps secrets, and ends in order."""

import asyncio
import os
import signal
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.agent_process import COMMAND, Agent
from tests.support.binance_trading_server import KEY, SECRET, TradingServer, binance_trading

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

TRADERS = """
traders:
  - {trader_id: a, strategy: {kind: random, params: {probability: 1}}, symbols: [BTC, ETH]}
"""


def started(folder: Path, server: TradingServer, **more: str) -> "subprocess.Popen[str]":
    (folder / "traders.yaml").write_text(TRADERS)
    settings = {
        "CCXT_EXCHANGE": "binanceusdm",
        "CCXT_API_KEY": KEY,
        "CCXT_SECRET": SECRET,
        "CCXT_URL": server.url,
        "DATA_SERVICE_URL": "http://127.0.0.1:9",
        **more,
    }
    return subprocess.Popen(
        [COMMAND, "run", "--config", "traders.yaml", "--trader", "a", "--control-port", "0"],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k != "TRADING_URL"} | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def files_with(text: str, folder: Path) -> list[Path]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if text.encode() in path.read_bytes()]


async def test_trader_process_trades_over_ccxt_and_ends_in_order(tmp_path: Path) -> None:
    server = TradingServer(
        prices={"BTCUSDT": Decimal(100_000), "ETHUSDT": Decimal(2_500)}, cash=Decimal(50_000)
    )
    async with binance_trading(server):
        process = await asyncio.to_thread(started, tmp_path, server)
        assert process.stdout is not None
        line = await asyncio.to_thread(process.stdout.readline)
        agent = Agent(tmp_path, line.split()[-1], process)
        async with asyncio.timeout(60):
            while not server.trades:  # noqa: ASYNC110 - the exchange tells nobody
                await asyncio.sleep(0.1)
        status = await asyncio.to_thread(agent.status, "a")
        code, _, errors = await asyncio.to_thread(agent.stop)
    assert 0 == code, errors
    assert "LIVE" == status["status"]
    assert [] == server.unsigned
    assert {1} == set(server.arrived.values())
    assert "GET v1/openOrders" in server.asked
    assert server.asked["GET v3/positionRisk"] <= 8
    assert [] == files_with(SECRET, tmp_path)
    assert SECRET not in errors


async def test_flags_that_do_not_agree_end_a_process_with_one_line(tmp_path: Path) -> None:
    server = TradingServer(prices={}, url="")
    process = await asyncio.to_thread(started, tmp_path, server, CCXT_SANDBOX="false")
    output, errors = await asyncio.to_thread(process.communicate)
    assert 0 != process.returncode
    told = [line for line in (output + errors).splitlines() if "ALLOW_DIRECT_CCXT_LIVE" in line]
    assert 1 == len(told), output + errors
    assert "Traceback" not in output + errors
    assert signal.SIGTERM != -process.returncode
