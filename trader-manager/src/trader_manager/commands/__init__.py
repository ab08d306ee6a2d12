"""What operators do beside serving: look, prove, prepare, move over, measure."""
