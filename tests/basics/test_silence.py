"""Warnings of divergence, and only they, are kept quiet, and only there."""

import warnings

import pytest

from neuronsim.basics.silence import silenced
from neuronsim.errors import CompileWarning, DivergenceWarning


def test_divergence_alone():
    with silenced():
        warnings.warn("ran away", DivergenceWarning, stacklevel=1)
        with pytest.warns(CompileWarning):
            warnings.warn("not kept", CompileWarning, stacklevel=1)
    with pytest.warns(DivergenceWarning):
        warnings.warn("ran away", DivergenceWarning, stacklevel=1)
