"""Disk, network and keys of the live venue."""
