const box = made => made.getBoundingClientRect(), all = query => [...document.querySelectorAll(query)];
const svg = document.querySelector("#picture svg"), shown = box(svg), scale = shown.width / svg.viewBox.baseVal.width;
const texts = all("#picture text").filter(made => made.textContent);
const covers = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top + 2 < b.bottom - 2 && b.top + 2 < a.bottom - 2;
const pairs = texts.flatMap((a, k) => texts.slice(k + 1).filter(b => covers(box(a), box(b))).map(b => `${a.textContent} | ${b.textContent}`));
const clipped = texts.filter(made => box(made).left < shown.left - 1 || box(made).right > shown.right + 1).map(made => made.textContent);
const small = all("button, select, input, .neuron .target").filter(made => box(made).width && Math.min(box(made).width, box(made).height) < 23.9);
const on = made => ({ x: Number(made.getAttribute("x")), y: Number(made.getAttribute("y")) });
const far = (path, p) => Math.min(...Array.from({ length: 201 }, (_, k) => path.getPointAtLength(k * path.getTotalLength() / 200)).map(q => Math.hypot(p.x - q.x, p.y - q.y)));
// the k-th weight belongs to the k-th edge; those of its own that stand elsewhere, and edges that pass behind a neuron between their ends
const off = all(".weight").map((made, k) => far(all(".edge")[k], on(made))).filter(away => away > 2);
const discs = all(".disc").map(made => ({ x: made.cx.baseVal.value, y: made.cy.baseVal.value, r: made.r.baseVal.value }));
const covered = all(".edge").flatMap(path => discs.filter(d => { const ends = [0, path.getTotalLength()].map(l => path.getPointAtLength(l)); return ends.every(q => Math.hypot(q.x - d.x, q.y - d.y) > 1) && far(path, d) < d.r; }));
document.body.append(Object.assign(document.createElement("pre"), { id: "told", textContent: JSON.stringify({
  width: innerWidth, letters: Math.min(...texts.map(made => scale * parseFloat(getComputedStyle(made).fontSize))), pairs, clipped,
  small: small.map(made => made.id || made.textContent), words: all("#picture .column").map(made => made.textContent),
  touching: all(".value").filter(made => made.textContent && all(".disc").some(disc => covers(box(made), box(disc)))).map(made => made.textContent),
  scrolled: document.querySelector("#picture").scrollLeft, scrollbars: ["#picture", ".scroll"].flatMap(all).filter(made => made.scrollWidth > made.clientWidth || made.offsetHeight - made.clientHeight > 4).length,
  names: all("#picture .name").map(made => made.textContent), titles: asked, off, covered,
  order: all("main section").filter(made => box(made).height).sort((a, b) => box(a).top - box(b).top).map(made => made.id),
}) }));
