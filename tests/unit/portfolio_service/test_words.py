"""Both languages say the same things, and all that is said has words."""

import json
import re
from importlib.resources import files

import pytest

WEB = files("portfolio_service") / "web"
WORDS = {
    tongue: json.loads((WEB / "words" / f"{tongue}.json").read_text("utf-8"))
    for tongue in ("en", "zh")
}
SCRIPTS = "\n".join(
    one.read_text("utf-8")
    for folder in (WEB, WEB / "pages")
    for one in folder.iterdir()
    if one.name.endswith(".js")
)
ALIKE = {"%", "JSON", "UTC", "TradingView", "Lightweight", "Charts", "traders.yaml"}
"""What is written alike in both."""
NAMES = re.compile(
    r"portfolio-service|hyperliquid-exchange resume|trader-manager|traders\.yaml|var/tokens"
    r"|training_cutoff|virtual-exchange memory-score"
    r"|operator\.token|viewer\.token|risk-resume\.token"
    r"|TradingView Lightweight Charts|\{\w+\}|JSON|UTC"
)


def test_both_have_the_same_keys() -> None:
    assert set(WORDS["en"]) == set(WORDS["zh"])
    assert list(WORDS["en"]) == list(WORDS["zh"])


@pytest.mark.parametrize("key", sorted(WORDS["en"]))
def test_parts_that_are_filled_in_are_the_same(key: str) -> None:
    en, zh = (set(re.findall(r"\{(\w+)\}", WORDS[tongue][key])) for tongue in ("en", "zh"))
    assert en == zh


def test_nothing_is_left_in_english() -> None:
    left = {
        key: text
        for key, text in WORDS["zh"].items()
        if not re.search(r"[\u4e00-\u9fff]", text) and NAMES.sub("", text).strip(" .:™,%–")
    }
    assert {} == left


def test_no_chinese_text_keeps_an_english_word() -> None:
    left = {
        key: found
        for key, text in WORDS["zh"].items()
        if (found := re.findall(r"[A-Za-z]{2,}", NAMES.sub("", text)))
    }
    assert {} == left


def test_all_that_scripts_say_has_words() -> None:
    said = set(re.findall(r"\bt\(\"([^\"]+)\"", SCRIPTS))
    assert set() == said - set(WORDS["en"])


def test_no_words_are_kept_that_nobody_says() -> None:
    said = set(re.findall(r"\"([\w.]+)\"", SCRIPTS))
    groups = set(re.findall(r"(?:\bt\(`|named\(\")([a-z]+(?:\.[a-z]+)?)(?:\.\$|\",)", SCRIPTS))
    left = [
        key
        for key in WORDS["en"]
        if key not in said and not any(key.startswith(f"{group}.") for group in groups)
    ]
    assert [] == left


def test_scripts_have_no_words_of_their_own() -> None:
    """What is written beside an element's `text` in a script would not be translated."""
    found = re.findall(r"text: \"([A-Z][^\"]{3,})\"", SCRIPTS)
    examples = [one for one in found if "=" in one]
    assert ["AutoCryptoTrader"] == sorted(set(found) - set(examples))
