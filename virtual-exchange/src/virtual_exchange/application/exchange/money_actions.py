"""Native actions on money and rights: transfers, sub-accounts, agents, builders, referrers.

Money moves between accounts of the world, between their perp and spot wallets, and out of the
world; never into an account that does not exist.
"""

from collections.abc import Callable
from typing import Final

from suite.addresses import is_address, normal_address
from suite.contracts import hyperliquid_exchange as wire
from suite.errors import Conflict
from suite.fixed import USD_DECIMALS, Usd, parse_fixed
from virtual_exchange.application.exchange.answers import DONE, Answer, err, ok
from virtual_exchange.application.exchange.identity import Identity
from virtual_exchange.application.world import World
from virtual_exchange.domain.accounts import Account
from virtual_exchange.domain.record import LedgerKind, LedgerUpdate

_WITHDRAWAL_FEE_USD: Final = Usd(1_000_000)
_LARGEST_USD: Final = 1 << 60
_TOO_LITTLE: Final = "Insufficient balance for withdrawal."
_PERP, _SPOT = "", "spot"


class MoneyActions:
    """What an account may do with its money and its keys."""

    def __init__(self, world: World, identity: Identity) -> None:
        self._world = world
        self._identity = identity
        self._user_signed: dict[str, Callable[[Account, wire.UserAction], Answer]] = {
            "approveAgent": self._approve_agent,
            "approveBuilderFee": self._approve_builder,
            "usdSend": self._usd_send,
            "spotSend": self._spot_send,
            "sendAsset": self._send_asset,
            "usdClassTransfer": self._class_transfer,
            "withdraw3": self._withdraw,
            "userSetAbstraction": self._set_abstraction,
            "userDexAbstraction": self._set_abstraction,
        }

    def create_sub_account(self, account: Account, action: wire.CreateSubAccount) -> Answer:
        """`createSubAccount`: answers its address."""
        try:
            opened = self._identity.open_sub_account(account, action.name)
        except Conflict as full:
            return err(str(full))
        if isinstance(opened, str):
            return err(opened)
        return ok("createSubAccount", opened.address)

    def sub_account_transfer(self, master: Account, action: wire.SubAccountTransfer) -> Answer:
        """`subAccountTransfer`: between perp wallets."""
        sub = self._own_sub_account(master, action.subAccountUser)
        if sub is None:
            return err(f"Sub-account not registered: {action.subAccountUser}")
        source, target = (master, sub) if action.isDeposit else (sub, master)
        return self._send(source, target, action.usd, "subAccountTransfer")

    def sub_account_spot(self, master: Account, action: wire.SubAccountSpotTransfer) -> Answer:
        """`subAccountSpotTransfer`: between spot wallets."""
        sub = self._own_sub_account(master, action.subAccountUser)
        if sub is None:
            return err(f"Sub-account not registered: {action.subAccountUser}")
        if not _is_usdc(action.token):
            return err(_not_traded(action.token))
        source, target = (master, sub) if action.isDeposit else (sub, master)
        return self._send_spot(source, target, action.amount)

    def _own_sub_account(self, master: Account, address: str) -> Account | None:
        sub = self._world.by_address.get(address)
        return sub if sub is not None and sub.master == master.index else None

    def vault_transfer(self, _account: Account, action: wire.VaultTransfer) -> Answer:
        """`vaultTransfer`: there are no vaults here."""
        return err(f"Vault not registered: {action.vaultAddress}")

    def set_referrer(self, account: Account, action: wire.SetReferrer) -> Answer:
        """`setReferrer`."""
        done = self._identity.set_referrer(account.index, action.code)
        return DONE if done else err("Referrer already set.")

    def user_signed(self, account: Account, action: wire.UserAction) -> Answer:
        """Carry out an action that a wallet signed in readable form; it acts for the wallet."""
        carry_out = self._user_signed.get(action.type)
        if carry_out is None:
            return err(f"{action.type} is not simulated.")
        return carry_out(account, action)

    def _approve_agent(self, account: Account, action: wire.UserAction) -> Answer:
        address = normal_address(action.agentAddress)
        text = self._identity.approve_agent(account, address, action.agentName or "")
        return DONE if text is None else err(text)

    def _set_abstraction(self, _account: Account, action: wire.UserAction) -> Answer:
        classic = action.abstraction in {"", "disabled", "default"} and not action.enabled
        return DONE if classic else err("Only classic accounts are simulated.")

    def _approve_builder(self, account: Account, action: wire.UserAction) -> Answer:
        text = action.maxFeeRate.removesuffix("%")
        try:
            # percent to tenths of a basis point
            tenths = parse_fixed(text, 3)
        except ValueError:
            return err("Invalid max fee rate.")
        if not action.maxFeeRate.endswith("%") or not 0 <= tenths <= 1000:
            return err("Invalid max fee rate.")
        self._identity.approve_builder_fee(account.index, action.builder, tenths)
        return DONE

    def _usd_send(self, account: Account, action: wire.UserAction) -> Answer:
        target = self._world.by_address.get(normal_address(action.destination))
        if target is None:
            return err(_unknown(action.destination))
        return self._send(account, target, _usd(action.amount) or 0, "internalTransfer")

    def _spot_send(self, account: Account, action: wire.UserAction) -> Answer:
        target = self._world.by_address.get(normal_address(action.destination))
        if target is None:
            return err(_unknown(action.destination))
        if not _is_usdc(action.token):
            return err(_not_traded(action.token))
        return self._send_spot(account, target, action.amount)

    def _send_asset(self, account: Account, action: wire.UserAction) -> Answer:
        """Any way between wallets: of the main dex (empty) or spot, of one account or two."""
        source: Account | None = account
        if action.fromSubAccount:
            source = self._own_sub_account(account, normal_address(action.fromSubAccount))
        target = self._world.by_address.get(normal_address(action.destination))
        ways = {action.sourceDex, action.destinationDex}
        if source is None:
            return err(f"Sub-account not registered: {action.fromSubAccount}")
        if target is None:
            return err(_unknown(action.destination))
        if not _is_usdc(action.token) or ways - {_PERP, _SPOT}:
            return err(_not_traded(action.token))
        if len(ways) == 2:
            if source is not target:
                return err("Move the money between your own wallets first.")
            return self._between_wallets(source, action.amount, to_perp=action.sourceDex == _SPOT)
        if ways == {_SPOT}:
            return self._send_spot(source, target, action.amount)
        return self._send(source, target, _usd(action.amount) or 0, "send")

    def _class_transfer(self, account: Account, action: wire.UserAction) -> Answer:
        amount, _, sub_account = action.amount.partition(" subaccount:")
        if sub_account:
            found = self._own_sub_account(account, normal_address(sub_account))
            if found is None:
                return err(f"Sub-account not registered: {sub_account}")
            account = found
        return self._between_wallets(account, amount, to_perp=action.toPerp)

    def _between_wallets(self, account: Account, text: str, *, to_perp: bool) -> Answer:
        amount = _usd(text)
        if amount is None:
            return err("Invalid amount.")
        book = self._world.books[account.index]
        signed = Usd(amount if to_perp else -amount)
        if to_perp and book.spot_usd < amount:
            return err(_TOO_LITTLE)
        if not self._world.move_money(account.index, signed, "accountClassTransfer", usd=signed):
            return err(_TOO_LITTLE)
        book.spot_usd = Usd(book.spot_usd - signed)
        return DONE

    def _withdraw(self, account: Account, action: wire.UserAction) -> Answer:
        amount = _usd(action.amount)
        if amount is None or amount <= _WITHDRAWAL_FEE_USD:
            return err("Invalid amount.")
        if not is_address(action.destination):
            return err(f"Invalid destination {action.destination[:42]!r}.")
        fields = {
            "usd": Usd(amount - _WITHDRAWAL_FEE_USD),
            "fee_usd": _WITHDRAWAL_FEE_USD,
            "user": account.address,
            "destination": action.destination.lower(),
        }
        if not self._world.move_money(account.index, -amount, "withdraw", **fields):
            return err(_TOO_LITTLE)
        return DONE

    def _send(self, source: Account, target: Account, usd: int, kind: LedgerKind) -> Answer:
        """Move micro-USD between two perp wallets."""
        if not 0 < usd < _LARGEST_USD:
            return err("Invalid amount.")
        if source is target:
            return err("Cannot self-transfer.")
        if not self._world.transfer(source, target, Usd(usd), kind):
            return err(_TOO_LITTLE)
        return DONE

    def _send_spot(self, source: Account, target: Account, text: str) -> Answer:
        """Move USDC between two spot wallets."""
        amount = _usd(text)
        if amount is None:
            return err("Invalid amount.")
        if source is target:
            return err("Cannot self-transfer.")
        payer, payee = self._world.books[source.index], self._world.books[target.index]
        if payer.spot_usd < amount:
            return err(_TOO_LITTLE)
        payer.spot_usd, payee.spot_usd = Usd(payer.spot_usd - amount), Usd(payee.spot_usd + amount)
        update = LedgerUpdate(
            time_ms=self._world.now_ms,
            kind="send",
            usd=amount,
            perp_usd=Usd(0),
            user=source.address,
            destination=target.address,
        )
        payer.ledger.append(update)
        payee.ledger.append(update)
        return DONE


def _usd(text: str) -> Usd | None:
    """Read an amount in USD, None when it is none."""
    try:
        amount = parse_fixed(text, USD_DECIMALS)
    except ValueError:
        return None
    return Usd(amount) if 0 < amount < _LARGEST_USD else None


def _is_usdc(token: str) -> bool:
    return token.partition(":")[0] == "USDC"


def _not_traded(token: str) -> str:
    return f"Only USDC on the main dex and spot is simulated, not {token[:40]!r}."


def _unknown(address: str) -> str:
    return f"Unknown destination {address[:42]!r}: a transfer opens no account in this world."
