"""What a network needs to run: buffers, data cast at the border, and the only calls of kernels."""
