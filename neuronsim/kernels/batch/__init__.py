"""Mini-batches, a lane a sample: forward, backward, gradients, a whole step."""
