"""The accounts file and its keys together: what is in order, and every mistake with its line."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.live_accounts import (
    TRADER_LIMITS,
    WrittenTrader,
    accounts_document,
    anna,
    bert,
    write_accounts,
    write_key,
)

from hyperliquid_exchange.adapters.accounts_file import AccountsFileError, parse_accounts
from hyperliquid_exchange.custody import Custody, Role, open_custody
from hyperliquid_exchange.domain.accounts import GlobalLimits, LiveAccount, Network, TraderLimits
from suite.errors import ConfigError
from suite.fixed import Rate, Usd
from suite.ids import TraderId

LIMITS = TraderLimits(
    max_order_usd=Usd(5_000_000_000),
    max_position_usd=Usd(10_000_000_000),
    max_account_usd=Usd(20_000_000_000),
    max_leverage=10,
    max_open_orders=100,
    max_orders_per_s=50,
    max_orders_per_minute=1000,
    max_day_loss_usd=Usd(1_000_000_000),
    max_drawdown_usd=Usd(2_000_000_000),
    max_executions=10000,
    price_collar=Rate(50_000_000),
    duplicate_s=0.5,
    facts_age_s=20.0,
)


def opened(
    path: Path,
    *,
    network: Network = "testnet",
    is_stand_in: bool = True,
    role: Role = "proxy",
    **environment: str,
) -> Custody:
    return open_custody(
        path, network=network, is_stand_in=is_stand_in, environment=environment, role=role
    )


def problems(path: Path, **options: Any) -> list[str]:
    with pytest.raises(AccountsFileError) as caught:
        opened(path, **options)
    assert str(caught.value) == "; ".join(caught.value.problems)
    return list(caught.value.problems)


def test_file_in_order(tmp_path: Path) -> None:
    """Amounts are exact, addresses lower case, the agent's address that of the key."""
    vault, master = "0x" + "5A" * 20, "0x" + "6b" * 20
    client = "0x" + "7c" * 20
    traders = [
        anna(),
        WrittenTrader(
            "bert",
            0x18,
            address=vault,
            fields={
                "master": master,
                "native": "resign",
                "client_signers": [client],
                "symbols": ["btc", "ETH/USDC:USDC", "1000PEPEUSDT"],
            },
            limits={"max_order_usd": "0.000001", "price_collar": "0.000000001"},
        ),
    ]
    custody = opened(write_accounts(tmp_path, traders))
    own = traders[0].entry()["address"]
    assert custody.network == "testnet"
    assert custody.limits == GlobalLimits(
        max_gross_usd=Usd(100_000_000_000),
        max_orders_per_s=100,
        max_day_loss_usd=Usd(5_000_000_000),
    )
    assert list(custody.accounts) == ["anna", "bert"]
    assert custody.accounts[TraderId("anna")] == LiveAccount(
        trader_id=TraderId("anna"),
        address=own,
        master=own,
        signer=traders[0].signer,
        native="forward",
        client_signers=(),
        symbols=("BTC", "ETH"),
        limits=LIMITS,
    )
    other = custody.accounts[TraderId("bert")]
    assert (other.address, other.vault) == (vault.lower(), vault.lower())
    assert (other.master, other.native) == (master, "resign")
    assert (other.client_signers, other.symbols) == ((client,), ("BTC", "ETH", "kPEPE"))
    assert (other.limits.max_order_usd, other.limits.price_collar) == (1, 1)
    assert {trader.signer for trader in traders} == custody.wallets.keys()


def test_every_mistake_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "accounts.yaml"
    path.write_text(
        """\
network: mainnet
limitz: {}
limits:
  max_gross_usd: 1e5
  max_orders_per_s: 0
accounts:
  - trader_id: anna
    address: "0x12"
    key_file: anna.key
    key_env: ANNA_KEY
    natve: forward
    symbols: [BTC, btc, "?"]
    limits: {max_order_usd: -1, max_order_usd: 5}
  - trader_id: "an na"
    address: "0x0000000000000000000000000000000000000000"
    native: resign
    symbols: []
    limits: none
  - 7
"""
    )
    missing = [name for name in TRADER_LIMITS if name != "max_order_usd"]
    number = "must be a plain number: digits, and a point where needed"
    networks = (
        "mainnet here, but HYPERLIQUID_EXCHANGE_NETWORK is testnet; both must name the network "
        "that is meant"
    )
    name = (
        "must be 1 to 64 letters (A to Z, a to z), digits and `_ . -`, the first a letter or a "
        "digit"
    )
    assert problems(path) == [
        f"line 1: network: {networks}",
        "line 2: limitz: unknown key, did you mean limits?",
        f"line 4: limits.max_gross_usd: {number}",
        "line 4: limits.max_day_loss_usd: missing",
        "line 5: limits.max_orders_per_s: must be from 1 to 1000 orders",
        "line 8: accounts[anna].address: must be an address: 0x and 40 hex digits, in quotes",
        "line 10: accounts[anna].key_env: give key_file or key_env, not both",
        "line 11: accounts[anna].natve: unknown key, did you mean native?",
        "line 12: accounts[anna].symbols[2]: must be a coin, as BTC",
        "line 12: accounts[anna].symbols: BTC is there twice",
        "line 13: accounts[anna].limits.max_order_usd: the key is there twice",
        f"line 13: accounts[anna].limits.max_order_usd: {number}",
        *(f"line 13: accounts[anna].limits.{limit}: missing" for limit in missing),
        f"line 14: accounts[1].trader_id: {name}",
        "line 14: accounts[1].key_file: missing (or key_env, on testnet)",
        "line 14: accounts[1].client_signers: missing: native: resign takes nobody's signature",
        "line 15: accounts[1].address: is nobody's: write your own",
        "line 17: accounts[1].symbols: must be a list with at least one entry",
        "line 18: accounts[1].limits: must be a mapping of keys to values",
        "line 19: accounts[2]: must be a mapping of keys to values",
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"max_order_usd": "10000.000001"}, "max_order_usd: is above max_position_usd"),
        ({"max_position_usd": "20001"}, "max_position_usd: is above max_account_usd"),
        ({"max_account_usd": "100001"}, "max_account_usd: is above limits.max_gross_usd of all"),
        ({"max_day_loss_usd": "5001"}, "max_day_loss_usd: is above limits.max_day_loss_usd of all"),
        ({"max_orders_per_s": 101}, "max_orders_per_s: is above limits.max_orders_per_s of all"),
        ({"max_orders_per_minute": 49}, "max_orders_per_s: is above max_orders_per_minute"),
        ({"max_order_usd": "1.0000001"}, "max_order_usd: finer than 6 decimals"),
        ({"max_order_usd": "0"}, "max_order_usd: must be from 0.000001 to 1000000000 USD"),
        ({"price_collar": "0.6"}, "price_collar: must be from 0.000000001 to 0.5 of the mid"),
        ({"duplicate_s": "0"}, "duplicate_s: must be from 0.001 to 3600 seconds"),
        ({"facts_age_s": "61"}, "facts_age_s: must be from 0.1 to 60 seconds"),
        ({"max_leverage": "1.5"}, "max_leverage: finer than 0 decimals"),
    ],
)
def test_limits_bound_something(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    trader = anna()
    trader.limits = change
    found = problems(write_accounts(tmp_path, [trader]))
    assert any(f"accounts[anna].limits.{told}" in problem for problem in found)


@pytest.mark.parametrize("name", sorted(LIMITS.__slots__))
@pytest.mark.parametrize(
    "text",
    ["", "~", "off", ".inf", "-1", "+1", "1_000", "0100", "1e3", "1:30", "0x10", "[]", "${A}"],
)
def test_no_limit_has_an_off_value_or_a_second_reading(name: str, text: str) -> None:
    """What a YAML library takes for a number is none here, unless a person reads it alike."""
    import yaml

    limits = "\n".join(
        f"      {key}: {text if key == name else value}"
        for key, value in anna().entry()["limits"].items()
    )
    document = accounts_document([anna()])
    entry = document["accounts"].pop()
    del entry["limits"]
    head = yaml.safe_dump({key: document[key] for key in ("network", "limits")})
    body = yaml.safe_dump(entry).replace("\n", "\n    ").rstrip()
    with pytest.raises(AccountsFileError, match=rf"limits\.{name}: (must be|missing)"):
        parse_accounts(
            f"{head}accounts:\n  - {body}\n    limits:\n{limits}\n",
            folder=Path(),
            network="testnet",
        )


def test_two_traders_share_nothing(tmp_path: Path) -> None:
    one = anna()
    address = one.entry()["address"]
    path = write_accounts(
        tmp_path,
        [
            one,
            WrittenTrader("Anna", 0x19),
            WrittenTrader("carl", 0x20, address=address),
            WrittenTrader("dora", 0x21, fields={"key_file": "keys/../keys/anna.key"}),
        ],
    )
    found = [problem.partition(": ")[2] for problem in problems(path)]
    assert found == [
        "accounts[Anna].trader_id: an earlier entry is anna; capitals make no other name",
        "accounts[carl].address: is that of anna; one account, one trader",
        "accounts[dora].key_file: is that of anna; every trader has a key alone",
    ]


def test_tenth_trader_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """The venue has no more connections for one address; nine are as many as it has."""
    nine = [WrittenTrader(f"trader{number}", 0x20 + number) for number in range(9)]
    assert 9 == len(opened(write_accounts(tmp_path, nine)).accounts)
    (found,) = problems(write_accounts(tmp_path, [*nine, anna()]))
    assert found == (
        "accounts: 10 traders, and the venue lets one address follow 9: run another "
        "hyperliquid-exchange, at another address, for the others"
    )


def test_copy_of_a_key_is_found_by_its_address(tmp_path: Path) -> None:
    path = write_accounts(tmp_path, [anna(), bert()])
    (tmp_path / "keys" / "bert.key").unlink()
    write_key(tmp_path / "keys" / "bert.key", anna().secret)
    (found,) = problems(path)
    assert found.endswith("the key is that of anna too; every trader has one alone")


def test_names_of_others_are_refused(tmp_path: Path) -> None:
    """Each is the name of a token."""
    for name in ("operator", "Operator", "watchdog", "risk-pause", "Risk-Resume"):
        (found,) = problems(write_accounts(tmp_path, [WrittenTrader(name, 0x30)]))
        assert "is the name of somebody else here" in found


def test_keys_of_wallets_are_refused(tmp_path: Path) -> None:
    """One that can withdraw: of this account, of its master, of another trader's account."""
    one, two = anna(), bert()
    for address, fields in (
        (one.signer, {}),
        ("", {"master": one.signer}),
    ):
        trader = WrittenTrader("anna", one.number, address=address, fields=fields)
        (found,) = problems(write_accounts(tmp_path, [trader]))
        assert "this is the master wallet's key" in found
        assert "hyperliquid-exchange keys new anna" in found
    two.address = one.signer
    (found,) = problems(write_accounts(tmp_path, [one, two]))
    assert "accounts[anna].key_file: this is the master wallet's key" in found


def test_key_of_a_client_is_refused(tmp_path: Path) -> None:
    trader = anna(native="resign")
    trader.fields["client_signers"] = [trader.signer]
    (found,) = problems(write_accounts(tmp_path, [trader]))
    assert "is a client's signer too" in found


def test_example_key_signs_at_a_stand_in_alone(tmp_path: Path) -> None:
    path = write_accounts(tmp_path, [anna()])
    assert len(opened(path, is_stand_in=True).wallets) == 1
    (found,) = problems(path, is_stand_in=False)
    assert "is an example (its digits repeat themselves)" in found


def test_key_in_the_environment(tmp_path: Path) -> None:
    """On testnet, and taken out; on mainnet refused."""
    trader = anna(key_file=None, key_env="ANNA_KEY")
    environment = {"ANNA_KEY": trader.secret}
    path = write_accounts(tmp_path, [trader])
    custody = open_custody(path, network="testnet", is_stand_in=True, environment=environment)
    assert ({}, {trader.signer}) == (environment, set(custody.wallets))
    path = write_accounts(tmp_path, [trader], network="mainnet")
    (found,) = problems(path, network="mainnet", ANNA_KEY=trader.secret)
    assert "a key for mainnet may not be in the environment (ANNA_KEY)" in found


def test_key_that_is_not_there_is_told_beside_the_others(tmp_path: Path) -> None:
    path = write_accounts(tmp_path, [anna(), bert()])
    (tmp_path / "keys" / "anna.key").chmod(0o644)
    (tmp_path / "keys" / "bert.key").unlink()
    first, second = problems(path)
    assert "run: chmod 400" in first
    assert "hyperliquid-exchange keys new bert" in second


def test_watchdog_has_keys_of_its_own(tmp_path: Path) -> None:
    """One for all accounts of a wallet, none that trades, and the proxy does not read it."""
    master = "0x" + "6b" * 20
    shared = {"master": master, "watchdog_key_file": "keys/watchdog.key"}
    traders = [anna(**shared), bert(**shared), WrittenTrader("carl", 0x19)]
    path = write_accounts(tmp_path, traders)
    assert len(opened(path).accounts) == 3
    watchdog = WrittenTrader("w", 0x77)
    write_key(tmp_path / "keys" / "watchdog.key", watchdog.secret)
    custody = opened(path, role="watchdog")
    assert ["anna", "bert"] == list(custody.accounts)
    assert {watchdog.signer} == {account.signer for account in custody.accounts.values()}
    traders[1].fields["master"] = "0x" + "6c" * 20
    (found,) = problems(write_accounts(tmp_path, traders))
    assert "an agent is that of one wallet alone" in found
    traders = [anna(watchdog_key_file="keys/bert.key"), bert()]
    (found,) = problems(write_accounts(tmp_path, traders))
    assert "is the trading key of bert" in found


@pytest.mark.parametrize(
    "text",
    [
        "key_file: {}",
        "key_env: {}",
        "key: {}",
        "{}: 1",
        "trader_id: {}",
        "address: {}",
        "native: 0x{}",
        "symbols: [{}]",
        "limits: {{max_order_usd: {}}}",
        "watchdog_key_file: 0x{}",
        "client_signers: [0x{}]",
        "key_file: *{}",
        "key_file: '{}",
        "key_file: {} : : {}",
        "? {}",
        "!{} x: y",
        "%{}",
    ],
)
def test_key_in_the_file_is_refused_and_never_repeated(tmp_path: Path, text: str) -> None:
    """Wherever somebody put it, nor a part of it."""
    secret = "8f2a559490d1c3b7e60f4a9b2c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d"
    path = tmp_path / "accounts.yaml"
    path.write_text(
        f"network: testnet\nlimits: {{}}\naccounts:\n  - {text.format(secret, secret)}\n"
    )
    with pytest.raises(ConfigError) as caught:
        opened(path)
    told = str(caught.value)
    assert not any(secret[at : at + 8] in told for at in range(0, 57, 8))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file holds nothing"),
        (b"[]", "the file: must be a mapping"),
        (b"\xff", "not UTF-8"),
        (b"a: [", "this is no YAML"),
        (b"a: 1\n---\nb: 2\n", "this is no YAML"),
        (b"network: testnet\x07", "this is no YAML"),
        (b"[" * 5000, "this is no YAML"),
        (b" " * ((1 << 20) + 1), "larger than"),
    ],
)
def test_what_is_no_accounts_file_is_told_in_one_line(
    tmp_path: Path, content: bytes, told: str
) -> None:
    path = tmp_path / "accounts.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=told) as caught:
        opened(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="cannot read"):
        opened(tmp_path / "none.yaml")


def test_wrong_digit_of_an_address_is_found_by_its_capitals(tmp_path: Path) -> None:
    """EIP-55; an address in one case alone has no checksum."""
    right = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    assert opened(write_accounts(tmp_path, [WrittenTrader("anna", 0x17, address=right)])).accounts
    wrong = right.replace("6053", "6054")
    (found,) = problems(write_accounts(tmp_path, [WrittenTrader("anna", 0x17, address=wrong)]))
    assert "its capitals do not fit" in found
