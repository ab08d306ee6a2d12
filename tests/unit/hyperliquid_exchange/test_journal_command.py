"""`hyperliquid-exchange journal verify`: whether the journal of intents is whole."""

from pathlib import Path

from tests.support.live_intents import intent, settled
from typer.testing import CliRunner

from hyperliquid_exchange.adapters.intent_journal import IntentJournal, JournalRules
from hyperliquid_exchange.cli import cli
from suite.clock import ManualClock


async def write(folder: Path) -> Path:
    journal = IntentJournal(folder, ManualClock(0), rules=JournalRules(reserve_bytes=0))
    await journal.begin(intent(1))
    await journal.begin(intent(2))
    await journal.settle(settled(1), durable=True)
    await journal.close()
    return folder / "00000001.intents"


def verify(place: Path) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["journal", "verify", str(place)])
    return result.exit_code, result.stdout


async def test_whole_journal_is_in_order(tmp_path: Path) -> None:
    await write(tmp_path)
    code, told = verify(tmp_path)
    assert code == 0
    assert "1 segments, 4 records, whole: 2 intents, 0 noops, 1 fates" in told


async def test_first_bad_line_is_named_and_what_to_do(tmp_path: Path) -> None:
    path = await write(tmp_path)
    data = bytearray(path.read_bytes())
    data[data.index(b"\n") + 50] ^= 1
    path.write_bytes(data)
    code, told = verify(tmp_path)
    assert code == 1
    assert "is damaged in line 2" in told
    assert "look up at the venue which orders are open" in told
