"""Checks of the machine, the process and the files, 2 to 18: no venue is needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hyperliquid_exchange.domain.accounts import GlobalLimits, LiveAccount
from hyperliquid_exchange.domain.skew import SKEW_FAIL_MS, SKEW_WARN_MS
from suite.checklist import Line, failed, judged, passed, skipped, warned

DISK_FREE: Final = 0.2
DISK_FAIL: Final = 0.05
FSYNC_P99_MS: Final = 20.0
FSYNC_FAIL_MS: Final = 250.0
FILES_MIN: Final = 8192
ROOT_UID: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """A file with a key.

    Attributes:
        path: of it.
        mode: its permission bits; None where it is not there.
        is_own: whether it belongs to the user that runs this.
        signer: address of the key in it; None where it holds none.
    """

    path: str
    mode: int | None
    is_own: bool
    signer: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What was found of the machine and the process.

    Attributes:
        has_native_curve: the C library of secp256k1 is there.
        optimized: Python runs with `-O`, which takes assertions out.
        disk_free: share of the state folder's disk that is free, 0 to 1.
        fsync_ms: how long each of some appends with fsync took, ms.
        open_files_max: how many files may be open.
        uid: of the process.
        has_capabilities: of the kernel, in effect.
        listens: the address that will be listened on is loopback's.
        trusted_network: another one was vouched for.
        leaks: places where something was found that looks like the key of an account, without it.
        service: the process that serves now; empty where none does.
        other_owner: who else owns a signer; empty where nobody does.
    """

    has_native_curve: bool
    optimized: bool
    disk_free: float
    fsync_ms: tuple[float, ...]
    open_files_max: int
    uid: int
    has_capabilities: bool
    listens: bool
    trusted_network: bool
    leaks: tuple[str, ...]
    service: str = ""
    other_owner: str = ""


def check_curve(host: Host) -> Line:
    """2: recovering a signature without the C library takes 4 ms."""
    if host.has_native_curve:
        return passed(2, "native secp256k1", "signatures are made and checked in C")
    return failed(
        2, "native secp256k1", "coincurve does not load", "pip install coincurve, from a wheel"
    )


def check_assertions(host: Host) -> Line:
    """3: the checks of libraries stay on."""
    if host.optimized:
        return failed(
            3,
            "Python without -O",
            "assertions are taken out",
            "unset PYTHONOPTIMIZE, run without -O",
        )
    return passed(3, "Python without -O", "assertions are on")


def check_clock(skews_ms: Mapping[str, int], *, required: bool) -> Line:
    """4: nonces and expiries are wall time.

    Args:
        skews_ms: by source, how far the source's clock is ahead of ours.
        required: whether some source had to answer.
    """
    name, fix = "clock", "let chrony or systemd-timesyncd set the clock, slewing"
    if not skews_ms:
        return skipped(4, name, "no source of time answered", fix, required=required)
    worst = max(skews_ms.values(), key=abs)
    told = ", ".join(f"{source} {skew:+d} ms" for source, skew in sorted(skews_ms.items()))
    if abs(worst) >= SKEW_FAIL_MS:
        return failed(4, name, told, fix)
    if abs(worst) >= SKEW_WARN_MS:
        return warned(4, name, told, fix)
    if len(skews_ms) == 1:
        return warned(4, name, f"{told}; a second source did not answer", fix)
    return passed(4, name, told)


def check_disk(host: Host) -> Line:
    """5: an intent is on the disk before it leaves."""
    name, fix = "disk", "free space below the state folder, or move it to a faster disk"
    slowest = sorted(host.fsync_ms)[min(len(host.fsync_ms) - 1, len(host.fsync_ms) * 99 // 100)]
    told = f"{host.disk_free:.0%} free, fsync p99 {slowest:.1f} ms"
    if host.disk_free < DISK_FAIL or slowest >= FSYNC_FAIL_MS:
        return failed(5, name, told, fix)
    if host.disk_free < DISK_FREE or slowest >= FSYNC_P99_MS:
        return warned(5, name, told, fix)
    return passed(5, name, told)


def check_files(host: Host) -> Line:
    """6: connections are files."""
    told = f"{host.open_files_max} open files allowed"
    if host.open_files_max < FILES_MIN:
        return warned(6, "limits of the process", told, f"ulimit -n {FILES_MIN}")
    return passed(6, "limits of the process", told)


def check_owner(host: Host) -> Line:
    """7: one signer, one process."""
    if host.other_owner:
        return failed(
            7,
            "no other instance",
            host.other_owner,
            "stop the other instance, or give it other keys",
        )
    told = f"the service is {host.service}" if host.service else "nobody owns a signer"
    return passed(7, "no other instance", told)


def check_privileges(host: Host) -> Line:
    """8: what holds keys has no rights that it does not need."""
    if host.uid == ROOT_UID or host.has_capabilities:
        who = "root" if host.uid == ROOT_UID else "a process with capabilities"
        return warned(
            8, "privileges", f"runs as {who}", "run the container of docker-compose.yml, or a user"
        )
    return passed(8, "privileges", f"user {host.uid}, no capabilities")


def check_key_files(files: Sequence[KeyFile]) -> Line:
    """9: only the process may read them."""
    faults, loose = [], []
    for file in files:
        if file.mode is None:
            faults.append(f"{file.path} is not there")
        elif file.mode not in {0o400, 0o600}:
            faults.append(f"{file.path} has mode {file.mode:04o}")
        elif not file.is_own:
            faults.append(f"{file.path} belongs to another user")
        elif file.signer is None:
            faults.append(f"{file.path} holds no key")
        elif file.mode == 0o600:
            loose.append(f"{file.path} may be written")
    fix = "chmod 0400 the file, as the user that runs the service"
    if loose and not faults:
        return warned(9, "key files", "; ".join(loose), fix)
    return judged(9, "key files", faults, f"{len(files)} of mode 0400", fix)


def check_leaks(host: Host) -> Line:
    """11: no key of a master is on a machine of the suite, and no agent's but in its file."""
    return judged(
        11,
        "no key lies about",
        [f"{place} holds a private key" for place in host.leaks],
        "environment and configuration looked through",
        "move the funds to a new wallet, take the key away; approve new agents",
    )


def check_listener(host: Host) -> Line:
    """14: nobody but this machine reaches the port."""
    if host.listens:
        return passed(14, "listener", "loopback only")
    if host.trusted_network:
        return warned(
            14,
            "listener",
            "another address than loopback, vouched for by TRUSTED_NETWORK",
            "make sure that only traders reach the port: a network of their own",
        )
    return failed(
        14, "listener", "another address than loopback", "HYPERLIQUID_EXCHANGE_HOST=127.0.0.1"
    )


def check_redaction(line: str, canary: str) -> Line:
    """16: a secret that slips into a log is not written.

    Args:
        line: what the log wrote of a text with the canary in it.
        canary: a token made up for this.
    """
    if canary in line:
        return failed(16, "log redaction", "a token was written to the log", "report it: a bug")
    return passed(16, "log redaction", "a made-up token did not reach the log")


def check_limits(accounts: Sequence[LiveAccount], overall: GlobalLimits) -> Line:
    """17 and 22: every limit is set, and each is below the one around it."""
    faults = []
    for account in accounts:
        limits = account.limits
        ordered = limits.max_order_usd <= limits.max_position_usd <= limits.max_account_usd
        if not ordered:
            faults.append(f"{account.trader_id}: order <= position <= account does not hold")
        if limits.max_account_usd > overall.max_gross_usd:
            faults.append(f"{account.trader_id}: account is above the limit over all")
        numbers = [getattr(limits, name) for name in type(limits).__slots__]
        if not all(isinstance(number, (int, float)) and number > 0 for number in numbers):
            faults.append(f"{account.trader_id}: a limit is not above zero")
    if not accounts:
        faults.append("no trader is named")
    return judged(
        17,
        "limits",
        faults,
        f"{len(accounts)} traders",
        "put the limits of the accounts file right",
    )


def check_network(named: Mapping[str, str]) -> Line:
    """18: everything that names a network names the same.

    Args:
        named: network by where it is named.
    """
    told = ", ".join(f"{place} {network}" for place, network in sorted(named.items()))
    if len(set(named.values())) > 1:
        return failed(18, "network", told, "say the same everywhere, or nothing is signed")
    return passed(18, "network", told)
