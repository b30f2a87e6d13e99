"""Write ``keys.md``, the reference of experiment files, from the table that checks them: `python docs/make_keys.py`."""

import inspect
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from neuronsim.experiment import keys
from neuronsim.experiment.settings import Key
from neuronsim.experiment.template import written

PAGE = Path(__file__).parent / "keys.md"

_TITLES = {"optimizer": "Optimisers", "learning_rate": "Schedules", "stop": "Stopping rules"}


def page() -> str:
    """The whole page."""
    lines = [
        "# Every key of an experiment file",
        "",
        "What a key may be, what holds without it, and what it means. A file that says something else is refused",
        "before anything is read or trained, with the key's name and the nearest valid one. `neuronsim new` writes a",
        "file with all of it as comments. (This page is made from the table that checks: `python docs/make_keys.py`.)",
        "",
        "## At the top",
        "",
        *_table(keys.TOP),
        "## `[network]`",
        "",
        "Either a file:",
        "",
        *_table(keys.NETWORK_FILE),
        "Or a wiring with its arguments:",
        "",
    ]
    shared = [key for key in keys.wiring_keys("layered") if key.name != "sizes"]
    names = {key.name for key in shared}
    lines += _table(shared)
    for name, wiring in keys.WIRINGS.items():
        own = [key for key in keys.wiring_keys(name) if key.name not in names]
        lines += [f'### `wiring = "{name}"`', "", _caption(wiring), "", *_table(own)]
    lines += ["## `[data]`", "", "From one of three sources: a data set by its name, a CSV file, or IDX files.", ""]
    shared = keys.set_keys("xor")
    lines += ["### A data set", "", *_table(shared)]
    for name in keys.DATA_SETS:
        own = [key for key in keys.set_keys(name) if key.name not in {key.name for key in shared}]
        lines += [f'Also with `name = "{name}"`:', "", *_table(own)] if own else []
    for title, table in {"A CSV file": keys.CSV, "IDX files": keys.IDX}.items():
        lines += [f"### {title}", "", *_table(table)]
    lines += ["In the tables of `train` and `test`:", "", *_table(keys.IDX_FILES)]
    lines += ["In the table of `distort`:", "", *_table(keys.DISTORT)]
    lines += ["## `[training]`", "", *_table(keys.TRAINING)]
    for objects in keys.OBJECTS.values():
        lines += [f"### {_TITLES[objects.key]}", ""]
        lines += [f"`{objects.key} = {{ {objects.chooser} = … }}`, with the settings of:", ""]
        for name, cls in objects.classes.items():
            settings = objects.keys(name)[1:]
            lines += [f"**`{name}`**: {_caption(cls)}", "", *(_table(settings) if settings else [])]
    return "\n".join([*lines, "## `[trace]`", "", *_table(keys.TRACE)])


def _table(table: Iterable[Key]) -> Iterator[str]:
    yield "| key | is | without it | means |"
    yield "|---|---|---|---|"
    for key in table:
        names = f": {', '.join(f'`{name}`' for name in key.allowed)}" if key.allowed else ""
        without = "*it must be there*" if key.required else key.without
        if key.default is not None:
            without = f"`{written(key.default)}`"
        yield f"| `{key.name}` | {key.describe()}{names} | {without} | {key.meaning} |"
    yield ""


def _caption(thing: object) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(str(inspect.getdoc(thing)).partition("\n\n")[0].split())


if __name__ == "__main__":
    if "--print" in sys.argv:
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
        print(page(), end="")
    else:
        PAGE.write_text(page(), encoding="utf-8")
        print(PAGE)
