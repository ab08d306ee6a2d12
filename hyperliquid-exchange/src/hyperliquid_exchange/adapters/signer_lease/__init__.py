"""Who has a signer, between machines."""

from hyperliquid_exchange.adapters.signer_lease.lease import SignerLease, boot_time_s

__all__ = ["SignerLease", "boot_time_s"]
