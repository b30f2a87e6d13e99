"""`fit`: epochs of compiled steps, what they record, when they stop, and what they keep for replay."""
