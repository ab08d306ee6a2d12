"""The accounts file."""

from hyperliquid_exchange.adapters.accounts_file.file import (
    AccountsFileError,
    KeySource,
    WrittenAccount,
    WrittenAccounts,
    parse_accounts,
    read_accounts_file,
)
from hyperliquid_exchange.adapters.accounts_file.schema import accounts_schema

__all__ = [
    "AccountsFileError",
    "KeySource",
    "WrittenAccount",
    "WrittenAccounts",
    "accounts_schema",
    "parse_accounts",
    "read_accounts_file",
]
