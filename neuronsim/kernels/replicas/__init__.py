"""Replicas of one wiring side by side, a lane a replica."""
