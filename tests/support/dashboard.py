"""The dashboard in a browser, over a whole stack."""

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from tests.support.browser import Browser, Page
from tests.support.buttons import Buttons
from tests.support.live_stack import LiveStack
from tests.support.manager_process import Manager, end_traders, managing
from tests.support.portfolio_process import PortfolioUnderTest, serving_portfolio
from tests.support.postgres_servers import open_folder
from tests.support.present_market import present_market, present_stack
from tests.support.venue_process import VenueUnderTest, eventually, running_venue

SHOTS = "DASHBOARD_SHOTS"
"""Names the folder that pictures are kept in; none are where it is not set."""
PAGES = ("arena", "trader", "backtests", "portfolio", "data", "system")


@dataclass(frozen=True)
class Stack:
    """What runs behind the page."""

    venue: VenueUnderTest
    manager: Manager
    portfolio: PortfolioUnderTest


@contextmanager
def serving_data(store: Path) -> Iterator[str]:
    """Serve a store that is there already; its address."""
    command = [str(Path(sys.executable).with_name("data-collector")), "serve", "--port", "0"]
    env = os.environ | {"DISABLE_REST_FALLBACK": "true"}
    with subprocess.Popen(
        [*command, "--data", str(store)], cwd=store, env=env, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


@contextmanager
def running_stack(folder: Path, traders: str, *, speed: float) -> Iterator[Stack]:
    """Run a venue, its data, a manager with traders, and the portfolio-service.

    Args:
        folder: for the venue.
        traders: `traders.yaml`.
        speed: of the world.
    """
    with ExitStack() as stack:
        home = stack.enter_context(open_folder())
        stack.callback(end_traders, home)
        venue = stack.enter_context(running_venue(folder, coins=("BTC", "ETH"), speed=speed))
        (home / "traders.yaml").write_text(traders)
        manager = stack.enter_context(
            managing(
                home,
                venue,
                "--traders",
                "traders.yaml",
                TRADER_MANAGER_COLLECTING_PAUSE_S="0.2",
            )
        )
        data = stack.enter_context(serving_data(folder / "var/data"))
        token = (home / "var/tokens/operator.token").read_text().strip()
        portfolio = stack.enter_context(
            serving_portfolio(
                home / "portfolio",
                manager.url,
                token,
                TRADING_URL=venue.url,
                VENUE_TOKEN_FILE=str(folder / "var/tokens/operator.token"),
                DATA_SERVICE_URL=data,
            )
        )
        yield Stack(venue, manager, portfolio)


def all_ended(number: int) -> Callable[[list[str]], bool]:
    """So many runs, and none that still runs."""
    return lambda found: len(found) == number and "running" not in found


def words_of_both() -> tuple[set[str], dict[str, str]]:
    """What is said in English and otherwise in Chinese; and all that is said in Chinese, by key."""
    web = files("portfolio_service") / "web/words"
    english = json.loads((web / "en.json").read_text("utf-8"))
    chinese = json.loads((web / "zh.json").read_text("utf-8"))
    return {
        text for key, text in english.items() if text != chinese[key] and len(text) > 3
    }, chinese


def saved(folder: Path, pattern: str) -> Path:
    """The one file of that name that the browser has saved as a whole."""
    found = eventually(
        lambda: [] if list(folder.glob("*.crdownload")) else list(folder.glob(pattern)),
        limit_s=30,
    )
    return found[0]


@dataclass(frozen=True)
class LiveDashboard:
    """What runs behind the page where the venue is the live proxy."""

    proxy: LiveStack
    manager: Manager
    portfolio: PortfolioUnderTest
    store: Path


@contextmanager
def running_live(folder: Path, *names: str) -> Iterator[LiveDashboard]:
    """Run a venue as strict as mainnet, the live proxy, a manager with traders, and the portfolio.

    Args:
        folder: for the venue and the proxy.
        names: of traders that hold BTC.
    """
    market = present_market(folder / "present")
    with ExitStack() as stack:
        home = stack.enter_context(open_folder())
        stack.callback(end_traders, home)
        proxy = stack.enter_context(present_stack(folder / "stack", market, *names))
        (home / "traders.yaml").write_text(
            "traders:\n"
            + "".join(
                f"  - {{trader_id: {name}, strategy: {{kind: hodl}}, symbols: [BTC],"
                " interval: 1m}\n"
                for name in names
            )
        )
        tokens = proxy.folder / "var" / "tokens"
        manager = stack.enter_context(
            managing(
                home,
                VenueUnderTest("hyperliquid-exchange", proxy.url, proxy.folder),
                *("--traders", "traders.yaml"),
                DATA_SERVICE_URL=proxy.venue.url,
                TRADER_TOKENS_DIR=str(tokens),
                TRADER_MANAGER_COLLECTING_PAUSE_S="0.5",
            )
        )
        portfolio = stack.enter_context(
            serving_portfolio(
                home / "portfolio",
                manager.url,
                (home / "var/tokens/operator.token").read_text().strip(),
                TRADING_URL=proxy.url,
                VENUE_TOKEN_FILE=str(tokens / "operator.token"),
                DATA_SERVICE_URL=proxy.venue.url,
                PORTFOLIO_SERVICE_LIVE="true",
            )
        )
        yield LiveDashboard(proxy, manager, portfolio, market.store)


class Dashboard:
    """Somebody who looks at it.

    Args:
        browser: of theirs.
        url: of the service.
        buttons: takes note of what is seen and pressed.

    Attributes:
        page: the tab.
    """

    def __init__(self, browser: Browser, url: str, buttons: Buttons | None = None) -> None:
        self.url = url
        self.page: Page = browser.page()
        if buttons is not None:
            buttons.watch(self.page)
        self.page.call("Network.enable")
        self.page.call("Network.clearBrowserCookies")
        self.page.resize(1280, 800)

    def log_in(self, token: str) -> None:
        """Show a token, as a person does."""
        self.page.open(self.url)
        self.page.read("localStorage.clear()")
        self.page.open(self.url)
        self.page.wait("document.activeElement.id === 'token'")
        self.type(token)
        self.page.press("Enter")
        self.page.wait("document.querySelector('#link.up')")
        self.page.wait("document.querySelector('main').dataset.page !== 'login'")
        self.page.errors.clear()  # of a session that was not there yet: 401

    def type(self, text: str) -> None:
        """Type into whatever has the focus."""
        self.page.call("Input.insertText", text=text)

    def fill(self, selector: str, text: str) -> None:
        """Replace what a field has."""
        self.page.read(f"document.querySelector({json.dumps(selector)}).select?.()")
        self.page.focus(selector)
        if self.page.read(f"document.querySelector({json.dumps(selector)}).type") == "date":
            self.set(selector, text)
            return
        self.page.read("document.activeElement.value = ''")
        self.type(text)

    def set(self, selector: str, value: str) -> None:
        """Choose what a field has."""
        self.page.read(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
            f" one.value = {json.dumps(value)};"
            " one.dispatchEvent(new Event('change', { bubbles: true })); })()"
        )

    def go(self, place: str) -> None:
        """Go to a page of it."""
        self.page.read(f"location.hash = '#/{place}'")
        name = place.partition("/")[0]
        self.page.wait(
            f"document.querySelector('main').dataset.page === '{name}'"
            " && document.querySelector('main h1')"
        )

    def shows_status(self, status: str) -> None:
        """Wait until the page of a trader says so."""
        self.page.wait(f"document.querySelector('.trader-head .pill').textContent === '{status}'")

    def press_choices(self, place: str) -> list[str]:
        """Press each of the choices that are there, and see it pressed; their values."""
        found = f"[...document.querySelectorAll('{place} [data-value]')]"
        values: list[str] = self.page.read(f"{found}.map((one) => one.dataset.value)")
        for value in values:
            one = f"{place} [data-value='{value}']"
            self.page.click(one)
            self.page.wait(f'document.querySelector("{one}").ariaPressed === "true"')
        return values

    def confirm(self, word: str = "") -> None:
        """Say yes in the dialog, with the word that it asks for."""
        self.page.wait("document.querySelector('dialog[open]')")
        if word:
            self.fill("#confirm-word", word)
        self.page.click("dialog button[type=submit]")
        self.page.wait("!document.querySelector('dialog')")

    def ask(self, method: str, path: str, body: Any = None) -> int:
        """Ask as the page itself would: the status of the answer."""
        sent = "undefined" if body is None else json.dumps(json.dumps(body))
        return int(
            self.page.read(
                f"fetch({json.dumps(path)}, {{ method: {json.dumps(method)}, body: {sent},"
                " headers: { 'content-type': 'application/json' } }).then((a) => a.status)"
            )
        )

    def sideways(self) -> int:
        """How much wider the page is than its screen, px."""
        return int(
            self.page.read(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
        )

    def run_backtest(self, name: str, kind: str, params: str = "{}") -> None:
        """Fill the form of backtests and press its button."""
        fields = {"name": name, "kind": kind, "coins": "BTC", "params": params}
        for field, text in (fields | {"from": "2025-05-05", "to": "2025-05-08"}).items():
            self.fill(f"#bt-{field}", text)
        self.page.read("document.querySelector('#bt-trouble').textContent = ''")
        self.page.click("#bt-run")
        if params == "{}":  # the name of the next one is proposed once this has begun
            self.page.wait(f"document.querySelector('#bt-name').value !== '{name}'")

    def shoot(self, name: str, *, of: str = "") -> None:
        """Keep a picture, where somebody wants it; of one element, where a selector says so."""
        folder = os.environ.get(SHOTS)
        if folder:
            more: dict[str, Any] = {}
            if of:
                found = f"document.querySelector({json.dumps(of)}).getBoundingClientRect().toJSON()"
                box = self.page.read(found)
                sides = {name: box[name] for name in ("x", "y", "width", "height")}
                more = {"clip": {**sides, "scale": 1}}
            data = self.page.call("Page.captureScreenshot", format="png", **more)["data"]
            Path(folder).mkdir(parents=True, exist_ok=True)
            (Path(folder) / f"{name}.png").write_bytes(base64.b64decode(data))
