"""Why an order is refused, and how the environment fails.

A rejection is a value (`RejectReason`); a fault is an exception (`SuiteError`); a bug is
`suite.checks.InvariantViolated`.

    SuiteError
    ├── ConfigError            the operator must change something
    ├── BadRequest             the caller must change something
    ├── Unauthorized           no token, or a wrong one
    ├── Forbidden              the token does not cover this
    ├── NotFound               no such world, trader, job, symbol
    ├── Conflict               the state does not allow it now
    │   ├── NotOwner           another process has what only one may have
    │   └── JoinFirst          the venue knows no such step of the participant; it is to join
    ├── UpstreamTimeout        no answer in time; the effect is unknown
    ├── UpstreamUnavailable    no connection, or a 5xx
    ├── UpstreamRefused        the other side said no
    ├── RateLimited            try again after `retry_after_ms`
    ├── StorageError           disk or database
    └── DataGap                market data asked for is not stored
"""

from enum import StrEnum


class RejectReason(StrEnum):
    """Why the venue refuses an order, in order of precedence: the first that applies is told."""

    HALTED = "halted"
    UNKNOWN_COIN = "unknown_coin"
    ZERO_SIZE = "zero_size"
    INVALID_SIZE = "invalid_size"
    INVALID_PRICE = "invalid_price"
    PRICE_TOO_FAR = "price_too_far"
    VALUE_TOO_LARGE = "value_too_large"
    EXPIRED = "expired"
    DUPLICATE_CLOID = "duplicate_cloid"
    TOO_MANY_OPEN_ORDERS = "too_many_open_orders"
    BAD_TRIGGER_PRICE = "bad_trigger_price"
    TRIGGER_NOT_REDUCE_ONLY = "trigger_not_reduce_only"
    REDUCE_ONLY_INCREASES = "reduce_only_increases"
    MIN_NOTIONAL = "min_notional"
    POSITION_LIMIT = "position_limit"
    INSUFFICIENT_MARGIN = "insufficient_margin"
    POST_ONLY_WOULD_MATCH = "post_only_would_match"
    IOC_NO_MATCH = "ioc_no_match"
    UNKNOWN_ORDER = "unknown_order"
    CANNOT_MODIFY = "cannot_modify"
    INVALID_LEVERAGE = "invalid_leverage"
    LEVERAGE_NEEDS_MARGIN = "leverage_needs_margin"
    ISOLATED_LEVERAGE_NEEDS_MARGIN = "isolated_leverage_needs_margin"
    MARGIN_MODE_WITH_POSITION = "margin_mode_with_position"
    NOT_ISOLATED = "not_isolated"
    MARGIN_IN_USE = "margin_in_use"
    SCHEDULE_TOO_SOON = "schedule_too_soon"
    SCHEDULE_LIMIT = "schedule_limit"


class Overrun(BaseException):
    """The time of foreign code is over (`suite.deadline`); it must not catch this by accident."""


class SuiteError(Exception):
    """A fault of the environment, in one clear line.

    Attributes:
        code: stable machine-readable name.
        retryable: the same call may succeed later without a change.
        retry_after_ms: how long to wait before that, when known.
    """

    code = "error"
    retryable = False

    def __init__(self, message: str, *, retry_after_ms: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms


class ConfigError(SuiteError):
    """A setting is wrong; the operator must act.

    Attributes:
        problems: each of several mistakes, which a command tells in a line of its own.
    """

    code = "config_error"
    problems: tuple[str, ...] = ()


class InUse(ConfigError):
    """Somebody else has at present what only one may have; it may be over without a change."""

    code = "in_use"


class BadRequest(SuiteError):
    """The caller asked for something that cannot be."""

    code = "bad_request"


class Unauthorized(SuiteError):
    """No token, or one that is not known."""

    code = "unauthorized"


class Forbidden(SuiteError):
    """The token is known but does not cover this."""

    code = "forbidden"


class NotFound(SuiteError):
    """The thing named does not exist."""

    code = "not_found"


class Conflict(SuiteError):
    """The present state does not allow it."""

    code = "conflict"


class NotOwner(Conflict):
    """Another process has what only one may have, as the key of a signer."""

    code = "not_owner"


class JoinFirst(Conflict):
    """The venue knows no such step: the participant must join, first or again."""

    code = "join_first"


class UpstreamTimeout(SuiteError):
    """No answer in time: whether the request took effect is unknown."""

    code = "upstream_timeout"
    retryable = True


class UpstreamUnavailable(SuiteError):
    """The other side cannot be reached, or is failing."""

    code = "upstream_unavailable"
    retryable = True


class UpstreamRefused(SuiteError):
    """The other side understood and said no."""

    code = "upstream_refused"


class RateLimited(SuiteError):
    """Too many requests."""

    code = "rate_limited"
    retryable = True


class StorageError(SuiteError):
    """Disk or database failed, or a stored file is damaged."""

    code = "storage_error"


class DataGap(SuiteError):
    """Market data asked for is not stored."""

    code = "data_gap"


def one_line(text: str) -> str:
    """Fold text into one line of readable length, of whole characters."""
    line = " ".join(text.encode(errors="replace").decode().split())
    return line if len(line) <= 500 else f"{line[:497]}..."


def trouble_of(error: Exception) -> str:
    """Tell an error in one line: in its words, and of what kind where that is none of the suite."""
    kind = "" if isinstance(error, SuiteError) else f"{type(error).__name__}: "
    return one_line(f"{kind}{error}")
