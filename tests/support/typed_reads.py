"""Reads of typed-hyperliquid: every method of `info` that this venue answers."""

from datetime import UTC, datetime
from typing import Any

SINCE = {"start_time": datetime.fromtimestamp(0, UTC)}
DAY = {
    "start_time": datetime(2025, 5, 5, tzinfo=UTC),
    "end_time": datetime(2025, 5, 6, tzinfo=UTC),
}
OF_MARKET: dict[str, dict[str, Any]] = {
    "all_mids": {},
    "all_perp_metas": {},
    "exchange_status": {},
    "outcome_meta": {},
    "outcome_templates": {},
    "perp_categories": {},
    "perp_concise_annotations": {},
    "perp_annotation": {"coin": "BTC"},
    "perp_deploy_auction_status": {},
    "spot_pair_deploy_auction_status": {},
    "all_borrow_lend_reserve_states": {},
    "aligned_quote_token_info": {"token": 0},
    "perp_dexs": {},
    "perp_meta": {},
    "perp_meta_and_asset_ctxs": {},
    "perps_at_open_interest_cap": {},
    "predicted_fundings": {},
    "spot_meta": {},
    "spot_meta_and_asset_ctxs": {},
    "token_details": {"token_id": "0xc1fb593aeffbeb02f85e0308e9956a90"},
    "vault_details": {"vault_address": "0x" + "1" * 40},
    "funding_history": {"coin": "BTC", **SINCE},
    "l2_book": {"coin": "ETH", "n_sig_figs": 5, "mantissa": 2},
    "candle_snapshot": {"coin": "ETH", "interval": "1m", **DAY},
}


def account_reads(*, builder: str, cloid: str) -> dict[str, dict[str, Any]]:
    """Name the methods of `info` about an account, with what they need besides the account.

    Args:
        builder: one whose fee the account has approved.
        cloid: of an order of the account.
    """
    return {
        "active_asset_data": {"coin": "ETH"},
        "builder_fee_approved": {"builder": builder},
        "clearinghouse_state": {},
        "frontend_open_orders": {},
        "open_orders": {},
        "order_status": {"oid": cloid},
        "spot_clearinghouse_state": {},
        "spot_deploy_state": {},
        "staking_delegations": {},
        "staking_history": {},
        "staking_rewards": {},
        "staking_summary": {},
        "sub_accounts": {},
        "user_abstraction": {},
        "user_dex_abstraction": {},
        "user_fees": {},
        "user_fills": {"aggregate_by_time": True},
        "user_fills_by_time": SINCE,
        "user_funding": SINCE,
        "user_non_funding_ledger_updates": SINCE,
        "user_portfolio": {},
        "user_rate_limit": {},
        "user_referral": {},
        "user_role": {},
        "user_twap_slice_fills": {},
        "user_vault_equities": {},
    }
