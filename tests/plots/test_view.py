"""What a picture shows of a step."""

import numpy as np
import pytest

import neuronsim as ns
from neuronsim.errors import SettingError
from neuronsim.plots import network
from neuronsim.plots.figures import SIGNED, zero_centred


class TestSteps:
    @pytest.mark.parametrize("field", ["delta", "z", "y", "bias", "db"])
    def test_a_step_is_drawn_as_it_was(self, field: str, run: ns.Run):
        step = run.at(7)
        picture = network(step, color=field)
        named = {"bias": step.biases, "db": step.biases_after - step.biases}
        expected = named[field] if field in named else getattr(step, field)
        shown = expected[picture.layout.ids]
        has = ~run.replay.graph.is_input if field in named else np.ones(6, bool)
        colors = SIGNED(zero_centred(shown[has])(shown[has]))
        np.testing.assert_allclose(picture.neurons.get_facecolor()[has], colors, atol=1e-12)
        assert "step 7" in picture.ax.get_title()
        assert f"{step.loss:.3g}"[:4] in picture.ax.get_title()

    def test_an_unknown_field_names_those_that_there_are(self, run: ns.Run):
        with pytest.raises(SettingError, match="delta"):
            network(run.at(7), color="delt")
