"""A model card as a reader sees it, in a real Chromium: verdict, exits, light and dark."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.support.browser import Browser, Page, opened
from tests.unit.strategy_core.learning.worlds import LABEL, QUICK, drawn_events

from strategy_agent.cards.rendering import render_card
from strategy_core.exits.kinds import ExitKind
from strategy_core.learning.ablation import ExitReport, WithoutExit
from strategy_core.learning.artefact import read
from strategy_core.learning.metrics import Interval
from strategy_core.learning.training import Circumstances, Trained, train
from strategy_core.learning.walkforward import Trial, evaluate
from suite.bars import DAY_MS, MINUTE_MS

pytestmark = pytest.mark.process

COSTLY = ExitKind.STRUCTURE_INVALIDATION
EXITS = ExitReport(
    who="Every proposal, no model asked", trades=3000, label_bp=-9.31, net_bp=-9.74,
    net_95=Interval(-14.1, -4.6),
    without=tuple(
        WithoutExit(
            exit=kind, acted=31 * (kind is COSTLY), net_bp=-9.31, adds_bp=-0.43,
            adds_95=Interval(-1.19, -0.25),
        )
        for kind in ExitKind
    ),
)  # fmt: skip
NONE = ExitReport(
    who="Trades that the model took", trades=0, label_bp=0.0, net_bp=0.0,
    net_95=Interval(0.0, 0.0), without=(),
)  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The card of a market of chance, with a model of another one."""
    chance = Trial("of chance", drawn_events(3000), MINUTE_MS, LABEL, QUICK)
    known = drawn_events(3000, edge=0.8)
    asked = Circumstances(MINUTE_MS, LABEL, QUICK, int(known.end_ms.max()) + DAY_MS)
    found = train(known, asked)
    assert isinstance(found, Trained)
    path = tmp_path_factory.mktemp("card") / "card.html"
    card = render_card(
        evaluation=evaluate([chance], volatility={}),
        model=read(found.files),
        shown=known.features[np.arange(200)],
        synthetic=True,
        exits=(EXITS, NONE),
    )
    path.write_text(card, encoding="utf-8")
    return path


@pytest.fixture
def card(browser: Browser, written: Path) -> Iterator[Page]:
    with opened(browser, written) as page:
        yield page


def theme(page: Page) -> tuple[str, str]:
    return (
        page.read("document.documentElement.dataset.theme"),
        page.read("getComputedStyle(document.body).backgroundColor"),
    )


def test_verdict_is_said_first_and_a_synthetic_market_is_named(card: Page) -> None:
    assert ["No edge was found."] == card.texts("#verdict .verdict")
    assert card.read("!document.getElementById('synthetic').hidden")
    assert 5 == card.read("document.querySelectorAll('#folds tbody tr').length")
    assert 12 == card.read("document.querySelectorAll('#shares tbody tr').length")


def test_what_each_exit_adds_is_a_table_and_one_that_costs_is_marked(card: Page) -> None:
    assert [EXITS.who, NONE.who] == card.texts("#exits h3")
    assert [kind.value for kind in ExitKind] == card.texts("#exits td:first-child")
    assert ["−0.43"] == card.texts("#exits td.bad")
    assert ["−1.19 to −0.25"] == card.texts("#exits tr:has(td.bad) td:last-child")


def test_button_switches_between_light_and_dark(card: Page) -> None:
    light = theme(card)
    assert "light" == light[0]
    card.click("#theme")
    dark = theme(card)
    assert "dark" == dark[0]
    assert light[1] != dark[1]
    card.click("#theme")
    assert light == theme(card)
