"""What there is of a kind, a line each: shown as it is asked for, in Python and by the command line."""

import inspect
from collections.abc import Mapping
from typing import Any


class Listing(dict[str, str]):
    """Names, and a sentence about each."""

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        return "\n".join(f"{name:<{width}}  {sentence}" for name, sentence in self.items())


def by_docstring(table: Mapping[str, Any]) -> Listing:
    """The entries of a table of classes or functions, each with the first line of its docstring."""
    sentences = {name: (inspect.getdoc(entry) or "").partition("\n")[0] for name, entry in table.items()}
    return Listing({name: sentence.replace("``", "") or "one of your own" for name, sentence in sentences.items()})
