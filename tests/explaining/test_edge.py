"""Edges explained: what they carried, and their update."""

from nets import T222, X222, net_222


def test_an_edge():
    text = str(net_222().step(X222, T222, learning_rate=0.5).explain("i1", "h1"))
    assert "w[i1→h1] · y[i1]  0.15 · 0.05  =  0.0075" in text
    assert "w_old: the weight before this step's update" in text
    assert "δ[h1] · y[i1]  0.00877135469 · 0.05  =  0.000438567734" in text
    assert "new     0.149780716" in text
