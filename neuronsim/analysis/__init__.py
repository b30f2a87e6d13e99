"""Questions to a whole run: who is to blame, what happened first, what is wrong, where two runs part."""
