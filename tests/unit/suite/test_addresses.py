"""Addresses of accounts, which a venue, a trader and its manager find alike."""

from suite.addresses import account_address, keccak


def test_the_name_of_an_account_makes_its_address() -> None:
    assert "0x" + keccak(b"account:alice")[-20:].hex() == account_address("alice")


def test_an_account_that_is_named_by_its_address_has_that() -> None:
    assert "0x" + "ab" * 20 == account_address("AB" * 20)
