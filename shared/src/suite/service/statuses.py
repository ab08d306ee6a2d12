"""Which HTTP status tells which fault, and which fault the status of another service is."""

from collections.abc import Mapping
from typing import Final

from suite.errors import (
    BadRequest,
    ConfigError,
    Conflict,
    DataGap,
    Forbidden,
    InUse,
    JoinFirst,
    NotFound,
    NotOwner,
    RateLimited,
    StorageError,
    SuiteError,
    Unauthorized,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
)

STATUS_OF_FAULT: Final[dict[type[SuiteError], int]] = {
    BadRequest: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    DataGap: 404,
    Conflict: 409,
    JoinFirst: 409,
    NotOwner: 409,
    RateLimited: 429,
    ConfigError: 500,
    InUse: 500,
    StorageError: 500,
    UpstreamRefused: 502,
    UpstreamUnavailable: 503,
    UpstreamTimeout: 504,
}
_INTERNAL: Final = 500
"""Settings and disks of another service are no faults of one's own."""
_FAULT_OF_STATUS: Final[Mapping[int, type[SuiteError]]] = {
    422: BadRequest,
    **{status: kind for kind, status in reversed(STATUS_OF_FAULT.items()) if status != _INTERNAL},
}


def status_of(fault: SuiteError) -> int:
    """Find the HTTP status of a fault; a subclass has its parent's."""
    for kind in type(fault).__mro__:
        if kind in STATUS_OF_FAULT:
            return STATUS_OF_FAULT[kind]
    return _INTERNAL


def fault_of(status: int) -> type[SuiteError]:
    """Find the fault that the status of another service's answer tells."""
    return _FAULT_OF_STATUS.get(status, UpstreamRefused)
