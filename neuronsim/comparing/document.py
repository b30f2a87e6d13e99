"""The page of a comparison: one file that loads nothing, with the curves and a table that sorts."""

import base64
import hashlib
import html
from pathlib import Path
from typing import Any

from neuronsim.basics.atomic import replacing
from neuronsim.documents.explanation import Explanation
from neuronsim.plots.figures import encoded

_STYLE = """\
:root { color-scheme: light dark; --line: #8884; --quiet: #777 }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h5 { font-size: 1.05rem; margin: 1.6rem 0 .4rem }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
td, th { padding: .3rem .8rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }
td:first-child, th:first-child { text-align: left } th button { all: unset; cursor: pointer; font-weight: 600 }
th button:focus-visible { outline: 2px solid; outline-offset: 2px }
th[aria-sort=ascending] button::after { content: " ↑" }
th[aria-sort=descending] button::after { content: " ↓" }
img { max-width: 100%; background: white; border-radius: 6px } p, footer { color: var(--quiet) }"""

_SCRIPT = """\
document.querySelectorAll("th button").forEach((button, k) => button.addEventListener("click", () => {
  const th = button.parentElement, body = document.querySelector("#runs tbody");
  const up = th.getAttribute("aria-sort") !== "ascending";
  document.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
  th.setAttribute("aria-sort", up ? "ascending" : "descending");
  const key = row => row.cells[k].textContent.replace("−", "-");
  const order = (a, b) => {
    const x = parseFloat(key(a)), y = parseFloat(key(b));
    if (key(a) === "" || key(b) === "") return (key(a) === "") - (key(b) === "");
    const by = Number.isNaN(x) || Number.isNaN(y) ? key(a).localeCompare(key(b), undefined, { numeric: true }) : x - y;
    return up ? by : -by;
  };
  [...body.rows].sort(order).forEach(row => body.append(row));
}));"""


def _picture(axes: Any, metric: str) -> str:
    data = base64.b64encode(encoded(axes, "svg", 100)).decode()
    seen = html.escape(f"{metric} by epoch, a line and a band for each group")
    return f'<img alt="{seen}" src="data:image/svg+xml;base64,{data}">'


def write(path: Path, explained: Explanation, table: list[tuple[str, ...]], axes: Any) -> Path:
    """Write the page.

    Parameters
    ----------
    path : Path
    explained : Explanation
        Of the comparison; its first section is the table.
    table : list of tuple of str
        Names first.
    axes : Axes or None
        The picture, if there is one.
    """
    names, *rows = table
    head = "".join(f"<th><button>{html.escape(name)}</button></th>" for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    first, *others = explained.sections
    remarks = "".join(f"<p>{html.escape(remark)}</p>" for remark in first.remarks)
    rest = "".join(f'<div class="scroll">{section.to_html()}</div>' for section in others)
    picture = "" if axes is None else _picture(axes, first.heading)
    allowed = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'"
    text = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{html.escape(first.heading)}: {len(rows)} groups</title><style>{_STYLE}</style></head><body>
<h1>{html.escape(explained.title)}</h1>
{picture}
<h5>{html.escape(first.heading)}</h5>
<div class="scroll"><table id="runs"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{remarks}
{rest}
<footer>Made by neuronsim</footer><script>{_SCRIPT}</script></body></html>
"""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")
    return path
