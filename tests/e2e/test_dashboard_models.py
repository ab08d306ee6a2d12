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


PAINTED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
PROSE = "I would buy bitcoin here."
PROVIDERS = """
providers: {lab: {base_url: "URL"}}
prices:
  lab/big: {input: 20, output: 80}
  lab/odd: {input: 1, output: 1}
"""
TRADERS = """
traders:
  - trader_id: mind
    symbols: [BTC]
    interval: 1m
    strategy: {kind: llm, params: {model: lab/big, heartbeat: 8h, training_cutoff: 2024-06-30}}
  - trader_id: broke
    symbols: [BTC]
    interval: 1m
    budget: {usd_per_day: 0.001}
    strategy: {kind: llm, params: {model: lab/big, heartbeat: 8h, when_day_spent: hold}}
  - trader_id: odd
    symbols: [BTC]
    interval: 1m
    strategy: {kind: llm, params: {model: lab/odd, heartbeat: 8h}}
  - {trader_id: ict, symbols: [BTC], interval: 1m, strategy: {kind: ict_xgboost}}
"""


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    with model_server.serving() as server:
        server.answers = lambda body: PROSE if body["model"] == "odd" else json.dumps(ANSWER)
        providers = tmp_path / "providers.yaml"
        providers.write_text(PROVIDERS.replace("URL", server.url))
        monkeypatch.setenv("LLM_PROVIDERS_FILE", str(providers))
        monkeypatch.setenv("LLM_LEDGER", str(tmp_path / "spent.sqlite"))
        with running_stack(tmp_path, TRADERS, speed=60) as started:
            eventually(
                started.portfolio.traders,
                lambda found: found.get("mind", {}).get("fills", 0) > 0,
                limit_s=120,
            )
            yield started


def open_decision(dashboard: Dashboard) -> None:
    """Open the decision that gave the reason, and all that it consists of."""
    page = dashboard.page
    page.wait(f"document.querySelector('main').innerText.includes({json.dumps(REASON)})")
    page.read(
        "[...document.querySelectorAll('main details')]"
        f".find((one) => one.innerText.includes({json.dumps(REASON)})).open = true"
    )
    page.wait("document.querySelectorAll('main details.panel').length === 4")
    page.read("document.querySelectorAll('main details.panel').forEach((one) => {one.open = true})")


def test_a_decision_leads_to_its_question_and_answer(stack: Stack, browser: Browser) -> None:
    """In both languages; what it cost, and whether its model can know the prices, stand beside."""
    dashboard = Dashboard(browser, stack.portfolio.url)
    dashboard.log_in(stack.portfolio.token())
    page = dashboard.page
    page.resize(1280, 2200)
    for language, badge in (("en", "after training cut-off"), ("zh-CN", "晚于训练截止日")):
        dashboard.go("trader/mind")
        open_decision(dashboard)
        prompt, reply, trace, counterfactual = page.texts("main details.panel pre")
        assert "BTC" in prompt
        assert ANSWER == json.loads(reply)
        assert "stop" in trace
        assert "BTC" in counterfactual
        shown = page.text("main")
        for told in ("110", "lab/big", "0.0028"):  # of 100 tokens of a question, 10 of an answer
            assert told in shown
        assert [] == findings(page)
        dashboard.shoot(f"llm-{language}")
        page.read("document.querySelector('main details.panel').open = false")
        page.read("document.querySelectorAll('main details.panel')[3].scrollIntoView(false)")
        page.read(PAINTED)
        dashboard.shoot(f"llm-trace-{language}", of=".card:has(> .decisions)")
        for trader, why in (
            ("broke", "model: day_spent: broke may spend 0.001 USD a day"),
            ("odd", "model: unusable: its answer has no_json"),
        ):
            dashboard.go(f"trader/{trader}")
            page.wait(f"document.querySelector('main').innerText.includes({json.dumps(why)})")
            page.wait("document.querySelector('main .decisions summary')")
            dashboard.shoot(f"llm-{trader}-{language}")
        dashboard.go("arena")
        page.wait(f"document.querySelector('main').innerText.includes({json.dumps(badge)})")
        dashboard.shoot(f"llm-arena-{language}")
        page.click("#language")
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
