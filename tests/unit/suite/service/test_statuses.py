"""Faults as HTTP statuses, and back."""

import pytest

from suite import errors
from suite.service.statuses import STATUS_OF_FAULT, fault_of, status_of


def fault_classes(
    kind: type[errors.SuiteError] = errors.SuiteError,
) -> list[type[errors.SuiteError]]:
    return [c for child in kind.__subclasses__() for c in [child, *fault_classes(child)]]


def test_every_fault_has_a_status() -> None:
    ours = {kind for kind in fault_classes() if kind.__module__ == "suite.errors"}
    assert ours == set(STATUS_OF_FAULT)


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        *((422, errors.BadRequest), (404, errors.NotFound), (409, errors.Conflict)),
        *((504, errors.UpstreamTimeout), (503, errors.UpstreamUnavailable)),
        *((500, errors.UpstreamRefused), (418, errors.UpstreamRefused)),
    ],
)
def test_a_status_of_another_service_is_a_fault(
    status: int, fault: type[errors.SuiteError]
) -> None:
    """Its settings and its disk are its own affair; what nobody has heard of is a refusal."""
    assert fault is fault_of(status)


def test_a_fault_that_is_passed_on_keeps_its_status() -> None:
    """But for what is the other service's own affair."""
    passed = {status_of(fault_of(status)("")) for status in STATUS_OF_FAULT.values()}
    assert set(STATUS_OF_FAULT.values()) - {500} == passed
