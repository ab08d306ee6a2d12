"""A trader that asks a language model, on its page: question, answer, verdicts and costs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import model_server
from tests.support.accessibility import findings
from tests.support.browser import Browser
from tests.support.dashboard import Dashboard, Stack, running_stack
from tests.support.venue_process import eventually

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(300)]

REASON = "The 4 h trend is up."
ANSWER = {
    "decisions": [
        {
            "coin": "BTC", "signal": "buy_to_enter", "size_usd": 20_000, "risk_usd": None,
            "leverage": 3, "entry": "market", "stop_loss": 50_000, "take_profit": 200_000,
            "invalidation": None, "confidence": 0.6, "valid_for": "4h", "reasoning": REASON,
        }
    ],
    "notes": [],
}  # fmt: skip


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with model_server.serving() as server:
        server.text = json.dumps(ANSWER)
        params = f'{{model: local/scripted, base_url: "{server.url}", heartbeat: 8h}}'
        traders = (
            f"traders:\n  - {{trader_id: mind, symbols: [BTC], interval: 1m, "
            f"strategy: {{kind: llm, params: {params}}}}}\n"
            "  - {trader_id: ict, symbols: [BTC], interval: 1m, strategy: {kind: ict_xgboost}}\n"
        )
        with running_stack(tmp_path, traders, speed=60) as started:
            eventually(
                started.portfolio.traders,
                lambda found: found.get("mind", {}).get("fills", 0) > 0,
                limit_s=120,
            )
            yield started


def test_a_decision_leads_to_its_question_and_answer(stack: Stack, browser: Browser) -> None:
    dashboard = Dashboard(browser, stack.portfolio.url)
    dashboard.log_in(stack.portfolio.token())
    page = dashboard.page
    dashboard.go("trader/mind")
    page.wait(f"document.querySelector('main').innerText.includes({json.dumps(REASON)})")
    page.read(
        "[...document.querySelectorAll('main details')]"
        f".find((one) => one.innerText.includes({json.dumps(REASON)})).open = true"
    )
    page.wait("document.querySelectorAll('main details.panel').length === 4")
    page.read("document.querySelectorAll('main details.panel').forEach((one) => {one.open = true})")

    prompt, reply, trace, counterfactual = page.texts("main details.panel pre")
    assert "BTC" in prompt
    assert ANSWER == json.loads(reply)
    assert "stop" in trace
    assert "BTC" in counterfactual
    shown = page.text("main")
    assert "tokens: 110" in shown.splitlines()
    assert "model: local/scripted" in shown.splitlines()
    assert [] == findings(page)
    assert [] == page.errors


def test_a_trader_that_learns_shows_its_model_and_why_it_has_none(
    stack: Stack, browser: Browser
) -> None:
    eventually(
        stack.portfolio.traders,
        lambda found: "warming up" in ((found["ict"].get("model") or {}).get("reason") or ""),
        limit_s=120,
    )
    dashboard = Dashboard(browser, stack.portfolio.url)
    dashboard.log_in(stack.portfolio.token())
    page = dashboard.page
    dashboard.go("trader/ict")
    page.wait("document.querySelector('#model-why')?.innerText.includes('warming up: BTC')")
    shown = page.text("#model")
    for words in ("no model", "labelled trades of 1000", "0 promoted, 0 refused"):
        assert words in shown, shown
    assert [] == findings(page)
    dashboard.shoot("model")
    page.click("#language")
    page.wait("document.documentElement.lang === 'zh'")
    page.wait("document.querySelector('#model')?.innerText.includes('无模型')")
    dashboard.shoot("model-zh")
    dashboard.go("trader/mind")
    page.wait("document.querySelector('#model').hidden")
    assert [] == page.errors
