"""The whole suite in one process: services on simulated machines, one seed a whole history.

Each service is the real one, from its routes to its files. What is simulated is what is around it:
time and chance (`machine.py`), the disk (`disk.py`) and the network (`network.py`).
"""
