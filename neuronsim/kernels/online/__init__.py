"""One sample at a time, a lane a source: forward, and back with each weight updated on the way."""
