"""The page of a run: one HTML file that shows every step, neuron and edge, offline."""
