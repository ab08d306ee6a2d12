"""Traders as processes of this machine: one for each, or one for all."""

from trader_manager.adapters.local_processes.fleet import FleetProcess
from trader_manager.adapters.local_processes.one_each import LocalProcesses

__all__ = ["FleetProcess", "LocalProcesses"]
