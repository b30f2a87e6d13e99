"""The integers by which kernels know activations, losses and optimisers; a test compares them with the registries."""

IDENTITY, SIGMOID, TANH, SCALED_TANH, RELU, LEAKY_RELU, PRELU, ELU, SELU = range(9)
SOFTPLUS, SOFTSIGN, GELU, SILU, SINE, GAUSSIAN, HARD_SIGMOID, STEP, SOFTMAX = range(9, 18)
FIRST_USER = 64

# A loss that a user registered is minus the address of its compiled function.
HALF_SQUARED, SQUARED, MEAN_SQUARED, ABSOLUTE, L2_NORM, BINARY_CROSS_ENTROPY, CROSS_ENTROPY, HUBER = range(8)
#: Not a loss: L = y of output ``code − SINGLE_OUTPUT``. Its gradients are a row of the Jacobian.
SINGLE_OUTPUT = 1000

SGD, MOMENTUM, NESTEROV, RMSPROP, ADAM, ADAMW, RPROP = range(7)

#: What a neuron keeps some of from one step to the next.
NO_LEAK, LEAK_OF_OUTPUT, LEAK_OF_POTENTIAL = range(3)
