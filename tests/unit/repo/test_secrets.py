"""Nothing in the repository looks like a secret, and whatever does would be found."""

import base64

import pytest
from tests.support.secret_scan import RULES, findings, known, scan

# Put together here, so that this file has none of them.
PLANTED = {
    "64 hex digits, as a private key has them": "0x" + "a1b2c3d4" * 8,
    "a token of this suite": "act_" + "Ab1-_" * 8 + "xyz",
    "a private key": "-----BEGIN EC " + "PRIVATE KEY-----",
    "a key of a cloud": "AKIA" + "ABCDEFGH23456789",
    "a token of a code host": "ghp_" + "a1" * 18,
    "a key of a model provider": "sk-" + "ant-" + "a1B2" * 10,
    "a token of a chat": "123456789" + ":AA" + "x1" * 16 + "y",
    "an address of a chat's webhook": "https://discord.com/api/" + "webhooks/1234/" + "ab1" * 10,
    "words of a wallet's seed": "mnemonic: " + "abandon " * 11 + "about",
}


def test_the_repository_has_no_secret() -> None:
    assert [] == [str(one) for one in findings()]


@pytest.mark.parametrize("rule", RULES)
def test_a_planted_secret_is_found_and_not_repeated(rule: str) -> None:
    secret = PLANTED[rule]
    (found,) = scan("x.py", f"one\nKEY = '{secret}'  # two\n")
    assert (2, rule) == (found.line, found.rule)
    assert secret not in str(found)


def test_a_checksum_of_a_lock_is_none() -> None:
    digest = "0123456789abcdef" * 4
    assert [] == list(scan("a.lock", f"    --hash=sha256:{digest} \\\n"))
    assert [] == list(scan("a.md", base64.b64encode(b"x" * 60).decode()))


def test_what_is_known_says_why() -> None:
    assert all(len(why) > 10 for why in known().values())
