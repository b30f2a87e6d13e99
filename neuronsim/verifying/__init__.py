"""Gradients against central differences, and other programs' steps against the lectures' rule."""
