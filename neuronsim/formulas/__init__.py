"""The lectures' equations in plain Python: activations, losses, optimisers, schedules, and a twin of every kernel."""
