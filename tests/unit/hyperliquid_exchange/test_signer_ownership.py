"""One signer, one process: on one machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hyperliquid_exchange.adapters.signer_ownership import Holder, SignerOwnership
from suite.errors import InUse, NotOwner, StorageError

A, B, C = ("0x" + pair * 20 for pair in ("aa", "bb", "cc"))
ME = Holder(pid=os.getpid(), host="here", since_ms=1)


def test_second_is_refused_with_a_line_that_names_the_first(tmp_path: Path) -> None:
    """All or none: what it took before is free again."""
    first, second = SignerOwnership(tmp_path, ME), SignerOwnership(tmp_path, ME)
    first.take([B])
    first.check(B)
    with pytest.raises(InUse) as caught:
        second.take([A, B])
    assert str(caught.value) == (
        f"the signer {B} is in use: process {os.getpid()} on here holds {tmp_path}/{B}.lock; one "
        "key, one process: stop that one first"
    )
    for signer in (A, B):
        with pytest.raises(NotOwner, match="not that of this process"):
            second.check(signer)
    first.take([A])
    first.close()
    with pytest.raises(NotOwner):
        first.check(B)
    second.take([A, B])
    second.check(B)


def test_lock_that_was_replaced_is_nobodys(tmp_path: Path) -> None:
    """Who deletes the file lets another take it; then the first may not sign."""
    first, second = SignerOwnership(tmp_path, ME), SignerOwnership(tmp_path, ME)
    first.take([A])
    (tmp_path / f"{A}.lock").unlink()
    with pytest.raises(NotOwner, match="nobody can say"):
        first.check(A)
    second.take([A])
    second.check(A)
    with pytest.raises(NotOwner, match="was replaced"):
        first.check(A)


def test_child_of_the_owner_is_none(tmp_path: Path) -> None:
    """It has the locks of its parent, and signs with the same nonces."""
    own = SignerOwnership(tmp_path, ME)
    own.take([A])
    child = os.fork()
    if child == 0:
        try:
            own.check(A)
        except NotOwner:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    own.check(A)


def test_lease_is_asked_too(tmp_path: Path) -> None:
    class Lost:
        def check(self, signer: str) -> None:
            raise NotOwner(f"{signer} was lost")

    own = SignerOwnership(tmp_path, ME, lease=Lost())
    own.take([A])
    with pytest.raises(NotOwner, match="was lost"):
        own.check(A)


def test_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot open"):
        SignerOwnership(tmp_path / "file" / "locks", ME).take([A])


@pytest.mark.process
def test_lock_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\n"
        "from hyperliquid_exchange.adapters.signer_ownership import *\n"
        "own = SignerOwnership(Path(sys.argv[1]), Holder(pid=1, host='there', since_ms=1))\n"
        "own.take([sys.argv[2]])\nprint('taken', flush=True)\ntime.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), C], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "taken\n"
    own = SignerOwnership(tmp_path, ME)
    with pytest.raises(InUse, match="process 1 on there"):
        own.take([C])
    process.kill()
    process.communicate()
    own.take([C])
    own.check(C)
