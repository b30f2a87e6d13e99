"""Compiled loops over flat arrays: they know no class, no file and no network."""
