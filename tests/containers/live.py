"""The profile `live`, with a virtual-exchange as the venue that it trades at."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Final

from tests.containers.engine import (
    ENGINE,
    OPERATOR,
    PROJECT,
    ROOT,
    Failed,
    Stack,
    ask,
    eventually,
    image,
    inspect,
    python,
    run,
    say,
)

STAND_IN: Final = f"{PROJECT}-stand-in"
FIRST: Final = ("data-collector", "hyperliquid-exchange", "watchdog")
THEN: Final = ("live-manager", "live-agent", "live-portfolio")
_DASHBOARD: Final = "http://127.0.0.1:8500/api"
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


def stand_in() -> None:
    """Start a venue that takes testnet signatures alone, on the network that leads outside."""
    mount = ["-v", f"{STAND_IN}-klines:/klines"]
    market = ["generate", "--symbols", "BTC,ETH,SOL", "--days", "7", "--data", "/klines"]
    run(ENGINE, "volume", "create", f"{STAND_IN}-klines")
    run(ENGINE, "run", "--rm", *mount, image("data-collector"), *market)
    serve = ["serve", "--data", "/klines", "--symbols", "BTC,ETH,SOL", "--host", "0.0.0.0"]
    _stands_in(*mount, "-e", "TRUSTED_NETWORK=true", image("virtual-exchange"), *serve,
               "--signatures", "testnet")  # fmt: skip
    eventually(
        lambda: "status" in ask(STAND_IN, "http://127.0.0.1:8100/health"), "a venue to trade at"
    )


def live_market() -> None:
    """Start a venue that trades in real time, four times a second, and takes no orders."""
    _stands_in("-v", f"{ROOT / 'tests'}:/suite/tests:ro", "-w", "/suite", "--entrypoint", "python",
               image("virtual-exchange"), "-m", "tests.support.live_venue", "8100")  # fmt: skip
    mids = {"type": "allMids"}
    eventually(
        lambda: isinstance(ask(STAND_IN, "http://127.0.0.1:8100/info", body=mids), list),
        "a market to look at",
    )


def _stands_in(*words: str) -> None:
    network = ["--network", f"{PROJECT}_outside", "--network-alias", "stand-in"]
    run(ENGINE, "run", "-d", "--name", STAND_IN, *network, *words)


def _files(folder: Path) -> None:
    """Write what a person prepares: keys, approved at the venue, accounts and a trader."""
    for name in ("keys", "watchdog-keys"):
        (folder / name).mkdir()
    addresses = []
    make = (
        "import sys; from eth_account import Account; a = Account.create();"
        "print(a.address, a.key.hex())"
    )
    for name in ("keys", "watchdog-keys"):
        told = run(ENGINE, "run", "--rm", "--entrypoint", "python",
                   image("hyperliquid-exchange"), "-c", make)  # fmt: skip
        address, key = told.split()
        (folder / name / "anna.key").write_text(key if key.startswith("0x") else f"0x{key}")
        (folder / name / "anna.key").chmod(0o400)
        addresses.append(address)
    master = run(
        *(ENGINE, "run", "--rm", "--network", f"{PROJECT}_outside", "--entrypoint", "python"),
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
    run(*(ENGINE, "run", "--rm", "--user", "0", *mount, "--entrypoint", "sh"),
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
        stack.await_healthy(FIRST)
        stack.compose("up", "-d")
        stack.await_healthy((*FIRST, *THEN))
        _closed(stack)
        _trades(stack)
    finally:
        clean(stack)
        shutil.rmtree(folder, ignore_errors=True)


def clean(stack: Stack) -> None:
    """Take a profile and its venue away, with all that they kept."""
    run(ENGINE, "rm", "-f", STAND_IN, check=False)
    stack.down()
    run(ENGINE, "volume", "rm", f"{STAND_IN}-klines", check=False)


def _closed(stack: Stack) -> None:
    """Look at what each may see: no variable is a secret, and nobody can end a kill.

    Raises:
        Failed: one sees more.
    """
    for service in (*FIRST, *THEN):
        if "act_" in inspect(stack.container(service), "{{json .Config}}"):
            raise Failed(f"{service} shows a token to `inspect`")
    handed = {
        "live-manager": ["anna.token", "reader.token"],
        "live-portfolio": ["operator.token"],
        "live-agent": [],
    }
    find = (
        "import json, pathlib\n"
        "found = pathlib.Path('/tokens').rglob('*.token')\n"
        "names = [one.name for one in found if one.parent.name in ('traders', 'operator')]\n"
        "print(json.dumps(sorted(names)))"
    )
    for service, tokens in handed.items():
        if (found := json.loads(python(stack.container(service), find))) != tokens:
            raise Failed(f"{service} was handed {found}")
    say("tokens are handed to who needs them")


def _trades(stack: Stack) -> None:
    """See an order filled that the trader has sent, the books agree, and one filled by hand.

    Raises:
        Failed: that is not so.
    """
    proxy, dashboard = stack.container("hyperliquid-exchange"), stack.container("live-portfolio")
    url, token = "http://127.0.0.1:8200", "var/tokens/anna.token"

    def holds() -> bool:
        state = ask(proxy, f"{url}/info", token_file=token, body={"type": "clearinghouseState"})
        return "BTC" in json.dumps(state)

    def books_agree() -> bool:
        told = ask(dashboard, f"{_DASHBOARD}/portfolio", token_file=OPERATOR)
        sums = told.get("sums", {})
        return sums.get("compared") == 1 and sums["ok"] is True

    eventually(holds, "the trader has bought what it holds", limit_s=300)
    eventually(books_agree, "the portfolio's books of it are the venue's", limit_s=120)
    # Afterwards: a fill that is not its own pauses a trader.
    order = {"coin": "ETH", "is_buy": True, "sz": "0.01"}

    def filled() -> bool:
        told = ask(proxy, f"{url}/exchange/order", token_file=token, body=order)
        return "filled" in json.dumps(told)

    eventually(filled, "an order by hand through the live profile is filled", limit_s=120)
    pressed = {"reason": "a look at the switch", "confirmation": "STOP"}
    told = ask(dashboard, f"{_DASHBOARD}/safety/stop", token_file=OPERATOR, body=pressed)
    levels = ask(proxy, f"{url}/safety", token_file=OPERATOR)["levels"]
    if levels != {"anna": "STOPPED"}:
        raise Failed(f"the dashboard's switch: {told}, and at the proxy {levels}")
    say("the profile live trades, and stops by the dashboard's switch")
