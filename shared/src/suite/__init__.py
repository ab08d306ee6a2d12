"""What two processes must agree on bit for bit: values, wire contracts, the service chassis."""
