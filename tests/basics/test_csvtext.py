"""Rows as the text of a CSV file."""

import csv

from neuronsim.basics.csvtext import csv_text


def test_there_and_back():
    rows = [["a,b", 1.5, 'say "x"'], ["", -2, "two\nlines"]]
    text = csv_text(["name", "x", "said"], rows)
    assert text.startswith("name,x,said\n")
    assert list(csv.reader(text.splitlines(keepends=True)))[1:] == [[str(cell) for cell in row] for row in rows]
    assert csv_text(["alone"], []) == "alone\n"
