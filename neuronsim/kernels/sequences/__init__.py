"""Networks with memory: sequences forward through time and back, a lane per sequence."""
