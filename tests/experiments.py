"""An experiment file that several files test with."""

XOR = """
seed = 3
[network]
wiring = "layered"
sizes = [2, 3, 1]
activation = "tanh"
[data]
name = "xor"
[training]
learning_rate = 0.5
epochs = 4
"""
