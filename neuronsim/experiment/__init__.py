"""Experiments: one TOML file says network, data and training; a run leaves a directory with all of it."""

from neuronsim.experiment.execute import Outcome, again, run, trained
from neuronsim.experiment.file import Experiment, read
from neuronsim.experiment.template import new

__all__ = ["Experiment", "Outcome", "again", "new", "read", "run", "trained"]
