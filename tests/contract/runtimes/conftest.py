"""A venue with two accounts, and each place where traders can run here."""

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.contract.runtimes.places import PLACES, Place
from tests.support.venue_process import VenueUnderTest, running_venue


@pytest.fixture(scope="session")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueUnderTest]:
    folder = tmp_path_factory.mktemp("venue")
    with running_venue(folder, "--accounts", "anna,bert", coins=("BTC",), speed=60) as found:
        yield found


@pytest.fixture(params=PLACES)
async def place(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    venue: VenueUnderTest,
) -> AsyncIterator[Place]:
    made = PLACES[request.param](tmp_path_factory.mktemp(request.param), venue)
    await made.open()
    yield made
    await made.close()
