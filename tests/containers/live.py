"""The profile `live`, with a virtual-exchange as the venue that it trades at."""

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.containers.engine import PROJECT, Failed, Stack, ask, eventually, image, run, say

STAND_IN: Final = f"{PROJECT}-stand-in"
SERVICES: Final = ("data-collector", "hyperliquid-exchange", "watchdog", "live-agent")
_PERSON: Final = """
import sys, time
from eth_account import Account
from hyperliquid.api import API
from hyperliquid.utils.signing import sign_agent
venue = API("http://stand-in:8100")
master = Account.create()
venue.post("/info", {"type": "clearinghouseState", "user": master.address})
for number, agent in enumerate(sys.argv[1:]):
    nonce = int(time.time() * 1000) + number
    action = {"type": "approveAgent", "agentAddress": agent, "agentName": "n%d" % number,
              "nonce": nonce}
    signature = sign_agent(master, action, False)
    told = venue.post("/exchange", {"action": action, "nonce": nonce, "signature": signature})
    assert told["status"] == "ok", told
print(master.address)
"""
_LIMITS: Final = """\
    limits: {max_order_usd: 20000, max_position_usd: 50000, max_account_usd: 90000, max_leverage: 5,
      max_open_orders: 50, max_orders_per_s: 5, max_orders_per_minute: 60, max_day_loss_usd: 200,
      max_drawdown_usd: 400, max_executions: 1000, price_collar: 0.03, duplicate_s: 0.5,
      facts_age_s: 20}
"""


def stand_in(*, present: bool = False) -> None:
    """Start a venue that takes testnet signatures alone, on the network that leads outside.

    Args:
        present: its time is that of the wall, as a live market's is; else it runs ahead.
    """
    run("docker", "volume", "create", f"{STAND_IN}-klines")
    mount = ["-v", f"{STAND_IN}-klines:/klines"]
    market = ["generate", "--symbols", "BTC,ETH,SOL", "--days", "7", "--data", "/klines"]
    now_s = int(time.time())
    pace: list[str] = []
    if present:
        end = time.strftime("%Y-%m-%d", time.gmtime(now_s + 2 * 86_400))
        market += ["--end", end]
        pace = ["--from", str((now_s // 60 + 1) * 60_000), "--speed", "1"]
    run("docker", "run", "--rm", *mount, image("data-collector"), *market)
    network = ["--network", f"{PROJECT}_outside", "--network-alias", "stand-in"]
    serve = ["serve", "--data", "/klines", "--symbols", "BTC,ETH,SOL", "--host", "0.0.0.0"]
    run(
        *(
            "docker",
            "run",
            "-d",
            "--name",
            STAND_IN,
            *network,
            *mount,
            "-e",
            "TRUSTED_NETWORK=true",
        ),
        *(image("virtual-exchange"), *serve, *pace, "--signatures", "testnet"),
    )
    eventually(
        lambda: "status" in ask(STAND_IN, "http://127.0.0.1:8100/health"), "a venue to trade at"
    )


def _files(folder: Path) -> None:
    """Write what a person prepares: keys, approved at the venue, accounts and a trader."""
    for name in ("keys", "watchdog-keys", "tokens"):
        (folder / name).mkdir()
    addresses = []
    make = (
        "import sys; from eth_account import Account; a = Account.create();"
        "print(a.address, a.key.hex())"
    )
    for name in ("keys", "watchdog-keys"):
        told = run("docker", "run", "--rm", "--entrypoint", "python",
                   image("hyperliquid-exchange"), "-c", make)  # fmt: skip
        address, key = told.split()
        (folder / name / "anna.key").write_text(key if key.startswith("0x") else f"0x{key}")
        (folder / name / "anna.key").chmod(0o400)
        addresses.append(address)
    master = run(
        *("docker", "run", "--rm", "--network", f"{PROJECT}_outside", "--entrypoint", "python"),
        *(image("hyperliquid-exchange"), "-c", _PERSON, *addresses),
    ).splitlines()[-1]
    (folder / "accounts.yaml").write_text(
        "network: testnet\n"
        "limits: {max_gross_usd: 90000, max_orders_per_s: 20, max_day_loss_usd: 500}\n"
        f'accounts:\n  - trader_id: anna\n    address: "{master}"\n    key_file: keys/anna.key\n'
        f"    watchdog_key_file: watchdog-keys/anna.key\n    symbols: [BTC, ETH]\n{_LIMITS}"
    )
    (folder / "exchange.env").write_text("")
    (folder / "traders.yaml").write_text(
        "traders: [{trader_id: anna, strategy: {kind: hodl}, symbols: [BTC], interval: 1m}]\n"
    )


def _own(folder: Path) -> None:
    """Give the files to the user of the images, closed to others."""
    mount = ["-v", f"{folder}:/live"]
    command = "chown -R 10001:10001 /live && chmod -R go= /live"
    run(*("docker", "run", "--rm", "--user", "0", *mount, "--entrypoint", "sh"),
        *(image("hyperliquid-exchange"), "-c", command))  # fmt: skip


def run_live() -> None:
    """Bring the profile up, and see an order of its trader filled.

    Raises:
        Failed: it does not trade.
    """
    folder = Path(tempfile.mkdtemp(prefix="live-"))
    folder.chmod(0o755)
    files = folder / "files"
    files.mkdir()
    stack = Stack(
        "live",
        {
            "LIVE_FILES": str(files),
            "LIVE_TRADERS": "anna",
            "HYPERLIQUID_EXCHANGE_UPSTREAM_URL": "http://stand-in:8100",
            "DATA_COLLECTOR_URL": "http://stand-in:8100",
        },
    )
    try:
        stack.compose("up", "--no-start", "data-collector")  # its networks are there now
        stand_in()
        _files(files)
        _own(files)
        stack.compose("up", "-d", "data-collector", "watchdog", "hyperliquid-exchange")
        stack.await_healthy(SERVICES[:3])
        proxy = stack.container("hyperliquid-exchange")
        token = run("docker", "exec", proxy, "cat", "var/tokens/anna.token")
        run(
            *("docker", "run", "--rm", "--user", "0", "-v", f"{files}:/live", "--entrypoint", "sh"),
            *(image("hyperliquid-exchange"), "-c"),
            f"umask 377; cd /live/tokens; echo {token} > anna.token; chown 10001 anna.token",
        )
        stack.compose("up", "-d")
        stack.await_healthy(SERVICES)
        _trades(proxy)
    finally:
        clean(stack)
        shutil.rmtree(folder, ignore_errors=True)


def clean(stack: Stack) -> None:
    """Take a profile and its venue away, with all that they kept."""
    run("docker", "rm", "-f", STAND_IN, check=False)
    stack.compose("down", "--volumes", check=False)
    run("docker", "volume", "rm", f"{STAND_IN}-klines", check=False)


def _trades(proxy: str) -> None:
    """See an order filled that the trader has sent, and one by hand."""
    url, token = "http://127.0.0.1:8200", "var/tokens/anna.token"

    def holds() -> bool:
        state = ask(proxy, f"{url}/info", token_file=token, body={"type": "clearinghouseState"})
        return "BTC" in json.dumps(state)

    eventually(holds, "the trader has bought what it holds", limit_s=300)
    # Afterwards: a fill that is not its own pauses a trader.
    order = {"coin": "ETH", "is_buy": True, "sz": "0.01"}

    def filled() -> bool:
        told = ask(proxy, f"{url}/exchange/order", token_file=token, body=order)
        return "filled" in json.dumps(told)

    eventually(filled, "an order by hand through the live profile is filled", limit_s=120)
    shown = run("docker", "inspect", "--format", "{{json .Config.Env}}", proxy)
    if "act_" in shown:
        raise Failed("the proxy shows a token to `inspect`")
    say("the profile live trades")
