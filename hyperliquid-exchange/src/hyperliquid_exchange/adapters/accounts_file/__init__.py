"""The accounts file."""

from hyperliquid_exchange.adapters.accounts_file.file import (
    AccountsFileError,
    KeySource,
    WrittenAccount,
    WrittenAccounts,
    parse_accounts,
    read_accounts_file,
)

__all__ = [
    "AccountsFileError",
    "KeySource",
    "WrittenAccount",
    "WrittenAccounts",
    "parse_accounts",
    "read_accounts_file",
]
