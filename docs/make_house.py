"""Makes the picture of the house from its own imports: ``python docs/make_house.py``.

A room is a folder of the package or a file beside them, its caption the first line of its docstring. A room stands one
floor above the highest that it imports; an arrow that others imply is not drawn.
"""

import ast
import textwrap
from html import escape
from pathlib import Path

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "neuronsim"
PICTURE = HERE / "images" / "house.svg"

#: What people hold: short methods that hand on to the rooms above them, so their imports set no floor.
FACADES = ("network", "run", "step")
#: Names that people import, each the very module of `formulas` or `training`; and the two ways in.
DOORS = ("activations", "losses", "optimizers", "schedules", "stop", "__main__", "__init__")

WIDTH, HEIGHT, GAP, RISE, MARGIN = 262, 66, 20, 40, 16
FILL = {"facade": "#fdf1dc", "room": "#eef3fb"}


def rooms() -> dict[str, str]:
    """The caption of every room, by its name."""
    files = {path.stem: path for path in PACKAGE.glob("*.py") if path.stem not in DOORS}
    folders = {path.parent.name: path for path in PACKAGE.glob("*/__init__.py")}
    return {name: _caption(path) for name, path in sorted((files | folders).items())}


def imports() -> dict[str, set[str]]:
    """Which rooms each room imports, at any depth of the code."""
    known = rooms()
    found: dict[str, set[str]] = {name: set() for name in known}
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).with_suffix("").parts[0]
        if room not in known:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for module in _modules(node):
                parts = module.split(".")
                if parts[0] == "neuronsim" and len(parts) > 1 and parts[1] in known and parts[1] != room:
                    found[room].add(parts[1])
    return found


def floors(arrows: dict[str, set[str]]) -> list[list[str]]:
    """The rooms from the ground up; a façade stands above all that it needs to be made, not above what it calls."""
    below = {room: {other for other in others if not _calls_up(room, other, arrows)} for room, others in arrows.items()}
    level: dict[str, int] = {}
    while len(level) < len(below):
        ready = [room for room, others in below.items() if room not in level and others <= level.keys()]
        if not ready:
            raise ValueError(f"these rooms import each other in a circle: {sorted(below.keys() - level.keys())}")
        level |= {room: 1 + max((level[other] for other in below[room]), default=-1) for room in ready}
    return [sorted(room for room in level if level[room] == n) for n in range(max(level.values()) + 1)]


def drawn(arrows: dict[str, set[str]]) -> list[tuple[str, str]]:
    """The arrows that others do not imply."""
    below = {room: {other for other in others if not _calls_up(room, other, arrows)} for room, others in arrows.items()}
    return sorted(
        (room, other)
        for room, others in below.items()
        for other in others
        if not any(other in _reached(third, below) for third in others - {other})
    )


def picture() -> str:
    """The house as SVG."""
    captions, arrows = rooms(), imports()
    levels = floors(arrows)
    widest = max(map(len, levels))
    width = widest * WIDTH + (widest - 1) * GAP + 2 * MARGIN
    height = len(levels) * (HEIGHT + RISE) - RISE + 2 * MARGIN
    places: dict[str, tuple[float, float]] = {}
    for n, level in reversed(list(enumerate(levels))):
        left = (width - len(level) * WIDTH - (len(level) - 1) * GAP) / 2
        for k, room in enumerate(sorted(level, key=lambda room: _beneath(room, drawn(arrows), places))):
            places[room] = left + k * (WIDTH + GAP), height - MARGIN - HEIGHT - n * (HEIGHT + RISE)
    lines = [_arrow(places[a], places[b]) for a, b in drawn(arrows)]
    boxes = [_box(room, captions[room], *places[room]) for room in sorted(places)]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="Helvetica, Arial, sans-serif">'
    )
    ground = f'<rect width="{width}" height="{height}" fill="white"/>'
    return "\n".join([head, ground, *lines, *boxes, "</svg>", ""])


def _caption(path: Path) -> str:
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return doc.split("\n\n")[0].replace("\n", " ").rstrip(".").replace("`", "")


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module == "neuronsim":
        return [f"neuronsim.{alias.name}" for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []


def _calls_up(room: str, other: str, arrows: dict[str, set[str]]) -> bool:
    """Whether a façade reaches a room that needs a façade itself, or another façade."""
    return room in FACADES and (other in FACADES or bool(_reached(other, arrows, FACADES) & set(FACADES)))


def _reached(room: str, arrows: dict[str, set[str]], stop: tuple[str, ...] = ()) -> set[str]:
    """A room, and all that it imports, at once or through others."""
    seen, todo = set(), [room]
    while todo:
        here = todo.pop()
        if here not in seen:
            seen.add(here)
            todo += [] if here in stop else arrows[here]
    return seen


def _beneath(room: str, lines: list[tuple[str, str]], places: dict[str, tuple[float, float]]) -> tuple[float, str]:
    """Where a room stands best: in the middle beneath those that import it."""
    above = [places[upper][0] for upper, lower in lines if lower == room]
    return (sum(above) / len(above) if above else 0.0), room


def _arrow(upper: tuple[float, float], lower: tuple[float, float]) -> str:
    x1, y1, x2, y2 = upper[0] + WIDTH / 2, upper[1] + HEIGHT, lower[0] + WIDTH / 2, lower[1]
    bend = max((y2 - y1) / 2, RISE / 2)
    path = f"M{x1:g} {y1:g} C{x1:g} {y1 + bend:g} {x2:g} {y2 - bend:g} {x2:g} {y2:g}"
    line = f'<path d="{path}" fill="none" stroke="#8aa0bd" stroke-width="1.2"/>'
    return f'{line}<circle cx="{x2:g}" cy="{y2:g}" r="3" fill="#8aa0bd"/>'


def _box(room: str, caption: str, x: float, y: float) -> str:
    fill = FILL["facade" if room in FACADES else "room"]
    name = room if (PACKAGE / room).is_dir() else f"{room}.py"
    lines = textwrap.wrap(caption, 46)[:3]
    words = "".join(
        f'<text x="{x + 10:g}" y="{y + 34 + 12 * k:g}" font-size="10" fill="#44546a">{escape(line)}</text>'
        for k, line in enumerate(lines)
    )
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="{fill}" stroke="#8aa0bd"/>'
        f'<text x="{x + 10:g}" y="{y + 19:g}" font-size="13" font-weight="bold" fill="#1d2b3e">{name}</text>{words}'
    )


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    print(PICTURE)
