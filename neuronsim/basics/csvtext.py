"""Rows as the text of a CSV file."""

import csv
import io
from collections.abc import Iterable
from typing import Any


def csv_text(names: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A line of names, and a line for each row.

    Parameters
    ----------
    names : iterable of str
    rows : iterable of rows
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue()
