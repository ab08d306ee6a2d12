"""Reads of what an account pays, has traded, and may still ask of the venue."""

from datetime import UTC, datetime
from typing import Any, Final

from suite.addresses import NOBODY
from suite.bars import DAY_MS
from suite.fixed import RATE_DECIMALS, Rate, format_fixed
from virtual_exchange.application.activity import Activities, Activity, DayVolume
from virtual_exchange.application.info.history import DayWindow
from virtual_exchange.application.info.values import usd
from virtual_exchange.application.limits import ActionLimits
from virtual_exchange.application.world import World
from virtual_exchange.domain.rate_limits import ActionBudgets

_SHOWN_DAYS: Final = 14
"""Full days whose volumes are told, besides today."""
_SPOT_TAKER, _SPOT_MAKER = "0.0007", "0.0004"
"""Spot is not traded here; the venue's own base rates. Source: its "Fees" page, read 2026-11."""
_TO_REFER: Final = "10000.0"


class FeeReads:
    """Fees and volumes of one world's accounts.

    Args:
        world: whose accounts they are.
        days: rolling volumes of its coins.
        activities: what accounts have traded.
        limits: what they have sent.
    """

    def __init__(
        self, world: World, days: list[DayWindow], activities: Activities, limits: ActionLimits
    ) -> None:
        self._world = world
        self._days = days
        self._activities = activities
        self._limits = limits

    def fees(self, account: int | None) -> dict[str, Any]:
        """`userFees`: the schedule of the world's rules, and where in it the account is."""
        activity = Activity() if account is None else self._activities.of(account)
        today = self._world.now_ms // DAY_MS
        engine = self._world.engine
        taker, maker = self._base() if account is None else engine.fee_rates(account)
        return {
            "dailyUserVlm": [
                self._day(activity, day) for day in range(today - _SHOWN_DAYS, today + 1)
            ],
            "feeSchedule": self._schedule(),
            "userCrossRate": _rate(taker),
            "userAddRate": _rate(maker),
            "userSpotCrossRate": _SPOT_TAKER,
            "userSpotAddRate": _SPOT_MAKER,
            "activeReferralDiscount": "0.0",
            "trial": None,
            "feeTrialEscrow": "0.0",
            "nextTrialAvailableTimestamp": None,
            "stakingLink": None,
            "activeStakingDiscount": {"bpsOfMaxSupply": "0.0", "discount": "0.0"},
        }

    def _base(self) -> tuple[Rate, Rate]:
        """Taker and maker fee of who has not traded."""
        rules = self._world.rules
        if not rules.fee_tiers:
            return rules.taker_fee, rules.maker_fee
        return rules.fee_tiers[0].taker, rules.fee_tiers[0].maker

    def _day(self, activity: Activity, number: int) -> dict[str, str]:
        own = activity.days.get(number, DayVolume())
        from_ms, now_ms = number * DAY_MS, self._world.now_ms
        traded = sum(
            day.notional_between(from_ms, from_ms + DAY_MS, now_ms=now_ms) for day in self._days
        )
        return {
            "date": datetime.fromtimestamp(from_ms / 1000, UTC).date().isoformat(),
            "userCross": usd(own.taker_usd),
            "userAdd": usd(own.maker_usd),
            "exchange": usd(round(traded * 10**6)),
        }

    def _schedule(self) -> dict[str, Any]:
        cross, add = self._base()
        spot = {"spotCross": _SPOT_TAKER, "spotAdd": _SPOT_MAKER}
        vip = [
            {
                "ntlCutoff": usd(tier.volume_usd),
                "cross": _rate(tier.taker),
                "add": _rate(tier.maker),
                **spot,
            }
            for tier in self._world.rules.fee_tiers[1:]
        ]
        return {
            "cross": _rate(cross),
            "add": _rate(add),
            **spot,
            "tiers": {"vip": vip, "mm": []},
            "referralDiscount": "0.0",
            "stakingDiscountTiers": [{"bpsOfMaxSupply": "0.0", "discount": "0.0"}],
        }

    def rate_limit(self, account: int | None) -> dict[str, Any]:
        """`userRateLimit`: actions sent, and how many may be."""
        volume, used, cap = 0, 0, ActionBudgets.cap(0)
        if account is not None:
            volume = self._activities.of(account).total_usd
            used, cap = self._limits.used(account), self._limits.cap(account)
        return {
            "cumVlm": usd(volume),
            "nRequestsUsed": used,
            "nRequestsCap": cap,
            "nRequestsSurplus": 0,
        }

    def referral(self, account: int | None, code: str | None) -> dict[str, Any]:
        """`referral`: nothing is paid for referring; the code an account has named is echoed.

        Args:
            account: None where there is none.
            code: that it has named.
        """
        volume = 0 if account is None else self._activities.of(account).total_usd
        return {
            "referredBy": None if code is None else {"referrer": NOBODY, "code": code},
            "cumVlm": usd(volume),
            "unclaimedRewards": "0.0",
            "claimedRewards": "0.0",
            "builderRewards": "0.0",
            "referrerState": {"stage": "needToTrade", "data": {"required": _TO_REFER}},
            "rewardHistory": [],
            "tokenToState": [],
        }


def _rate(rate: Rate) -> str:
    return format_fixed(rate, RATE_DECIMALS)
