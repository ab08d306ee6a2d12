"""Measure a portfolio whose traders all change each second, with pages that watch.

    python tests/bench/bench_portfolio.py --traders 50 --pages 3

The manager is a scripted one that speaks its API: what is measured is the portfolio-service alone.
"""

import argparse
import shutil
import statistics
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from tests.support.browser import running
from tests.support.dashboard import PAGES, Dashboard
from tests.support.portfolio_process import PortfolioUnderTest, serving_portfolio
from tests.support.postgres_servers import open_folder
from tests.support.scripted_manager import TOKEN, scripted
from tests.support.venue_process import eventually

BUDGET = 0.05
"""Of one core, with 50 traders."""


class Page(threading.Thread):
    """Somebody who watches: counts bytes and messages."""

    def __init__(self, portfolio: PortfolioUnderTest) -> None:
        super().__init__(daemon=True)
        self._portfolio = portfolio
        self.bytes = self.messages = 0

    def run(self) -> None:
        headers = {"authorization": f"Bearer {self._portfolio.token('viewer')}"}
        url = self._portfolio.url + "/api/stream"
        try:
            with httpx.stream("GET", url, headers=headers, timeout=30) as reply:
                for piece in reply.iter_raw():
                    self.bytes += len(piece)
                    self.messages += piece.count(b"\nevent: ")
        except httpx.HTTPError:
            return


def paint(portfolio: PortfolioUnderTest, count: int, loads: int = 7) -> None:
    """Measure what somebody waits for who opens the page, with nothing of it in a cache."""
    program = shutil.which("chromium")
    if program is None:
        print("first paint: no chromium here")
        return
    first, drawn = [], []
    with TemporaryDirectory() as folder, running(program, Path(folder)) as browser:
        dashboard = Dashboard(browser, portfolio.url)
        dashboard.log_in(portfolio.token("viewer"))
        page = dashboard.page
        for _ in range(loads):
            page.call("Network.clearBrowserCache")
            page.open(portfolio.url)
            page.wait("performance.getEntriesByName('first-contentful-paint').length")
            first.append(
                page.read("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            )
            rows = "document.querySelectorAll('#leaderboard tbody tr').length"
            lines = "Number(document.querySelector('#curves .chart').dataset.lines)"
            page.wait(f"{rows} === {count} && {lines} >= {count}")
            drawn.append(page.read("performance.now()"))
        for name in PAGES:
            dashboard.go(name)
        page.wait("document.querySelector('main').dataset.page === 'system'")
        weight = page.read(
            "performance.getEntriesByType('resource').filter((one) => !one.name.includes('/api/'))"
            ".reduce((sum, one) => sum + one.decodedBodySize, 0)"
        )
    print(
        f"{count} traders, a page of an empty cache: first contentful paint after"
        f" {statistics.median(first):.0f} ms ({min(first):.0f} to {max(first):.0f}), all curves and"
        f" rows after {statistics.median(drawn):.0f} ms; budget 1,000 ms;"
        f" all six pages weigh {weight / 1000:.0f} kB unpacked, budget 600"
    )


def measure(count: int, pages: int, seconds: float) -> float:
    """Measure; which part of a core it took."""
    with ExitStack() as stack:
        url = stack.enter_context(scripted(count))
        folder = stack.enter_context(open_folder())
        begun = time.monotonic()
        portfolio = stack.enter_context(serving_portfolio(folder, url, TOKEN))
        eventually(
            lambda: portfolio.get("/api/portfolio")["sums"]["compared"] == count, limit_s=120
        )
        ready_s = time.monotonic() - begun
        watching = [Page(portfolio) for _ in range(pages)]
        for page in watching:
            page.start()
        eventually(lambda: all(page.messages > 2 for page in watching), limit_s=30)
        before_s, before_b, at = portfolio.cpu_s(), watching[0].bytes, time.monotonic()
        messages = watching[0].messages
        time.sleep(seconds)
        took_s = time.monotonic() - at
        used = (portfolio.cpu_s() - before_s) / took_s
        told = portfolio.get("/api/portfolio")
        size = httpx.get(
            portfolio.url + "/api/equity?points=500",
            headers={"authorization": f"Bearer {portfolio.token()}"},
            timeout=60,
        )
        memory = next(
            line for line in Path(f"/proc/{portfolio.process.pid}/status").read_text().splitlines()
            if line.startswith("VmRSS")
        )  # fmt: skip
        print(
            f"{count} traders, {pages} pages: {used:.1%} of a core, budget"
            f" {BUDGET:.0%} for 50; first picture after {ready_s:.1f} s;"
            f" {(watching[0].messages - messages) / took_s:.2f} messages/s,"
            f" {(watching[0].bytes - before_b) / took_s / 1000:.1f} kB/s a page;"
            f" {len(size.content) / 1000:.0f} kB of curves; {memory.split()[1]} kB;"
            f" sums agree: {told['sums']['ok']} over {told['sums']['compared']}"
        )
        if count <= 50:
            paint(portfolio, count)
        return used


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traders", type=int, nargs="*", default=[50, 500])
    parser.add_argument("--pages", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20)
    chosen = parser.parse_args()
    for number in chosen.traders:
        measure(number, chosen.pages, chosen.seconds)
