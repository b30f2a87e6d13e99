"""What is said of a step: rules that cannot be told apart, and a table."""

from nets import T222, X222, net_222


def test_one_sample_cannot_tell_a_sum_from_a_mean():
    net = net_222(frozen=False)
    after = net.copy()
    after.step(X222, T222, learning_rate=0.5)
    found = net.check_foreign(X222, T222, after, learning_rate=0.5)
    assert found.ok
    assert "summed instead of averaged" in found.fits
    assert "here it cannot be told apart from: summed instead of averaged" in str(found)


def test_notebooks_get_a_table():
    net = net_222()
    assert "<td>no step</td>" in net.check_foreign(X222, T222, net, learning_rate=0.5)._repr_html_()
