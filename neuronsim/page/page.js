"use strict";
(() => {

// ── the data ──

const D = JSON.parse(document.getElementById("data").textContent);
const N = D.network;
const STEPS = D.steps;
const PHASES = ["forward", "error", "backward", "update"];
const IS_F32 = N.dtype === "float32";
const MOST_ROWS = 12;       // rows of a table before "show all"
const MOST_TERMS = 4;       // terms written out in a formula
const MOST_NUMBERED = 40;   // neurons with their value beneath
const MOST_WEIGHTS = 24;    // edges with their weight

const incoming = N.ids.map(() => []), outgoing = N.ids.map(() => []);
N.sources.forEach((source, e) => { outgoing[source].push(e); incoming[N.sinks[e]].push(e); });
const rowOf = new Map(N.names.map((name, r) => [name, r]));
const edgeOf = new Map(N.sources.map((source, e) => [source + " " + N.sinks[e], e]));
const outputAt = new Map(N.outputs.map((row, k) => [row, k]));

// A value as the run had it: a float32 is written with its own fewest digits.
const value = v => v === null ? null : IS_F32 ? Math.fround(Number(v)) : Number(v);
// A product or difference as the run's dtype rounds it; exact products of float32 are rounded once.
const rounded = v => IS_F32 ? Math.fround(v) : v;

/** What a neuron stands for in the table that was trained on: a column, or a class. */
const meant = r => N.meanings[r] === null ? "" : ` · ${N.meanings[r]}`;

const view = { missed: null, k: 0, phase: 0, sample: 0, neuron: null, edge: null, all: false, digits: false, colour: "auto" };
const step = () => STEPS[view.k];
const sample = () => step().samples[Math.min(view.sample, step().samples.length - 1)];

const at = (list, k) => value(list[k]);
const weight = (e, s = step()) => at(s.w, e);
const after = (s, name) => s[name + "a"] ?? STEPS[STEPS.indexOf(s) + 1][name];
const weightAfter = (e, s = step()) => at(after(s, "w"), e);
const change = (e, s = step()) => rounded(weightAfter(e, s) - weight(e, s));
const bias = (r, s = step()) => at(s.b, r);
const biasAfter = (r, s = step()) => at(after(s, "b"), r);
const biasChange = (r, s = step()) => rounded(biasAfter(r, s) - bias(r, s));
const biasGradient = (r, s = step(), p = sample()) => s.gb ? at(s.gb, r) : at(p.d, r);
const gradient = (e, s = step(), p = sample()) => s.g ? at(s.g, e) : sampleGradient(e, p);
const sampleGradient = (e, p) => rounded(at(p.d, N.sinks[e]) * at(p.y, N.sources[e]));

// ── numbers ──

/** The fewest digits that give the number back. */
function full(v) {
  if (Object.is(v, -0)) return "-0";
  if (IS_F32 && Number.isFinite(v) && Math.fround(v) === v) {
    for (let digits = 1; digits < 10; digits++) {
      const tried = Number(v.toPrecision(digits));
      if (Math.fround(tried) === v) return String(tried);
    }
  }
  return String(v);
}

/** So many significant digits, as C's %g. */
function short(v, digits = 9) {
  if (!Number.isFinite(v) || v === 0) return String(v).replace("-", "−");
  const [mantissa, e] = v.toExponential(digits - 1).split("e");
  const trimmed = text => text.includes(".") ? text.replace(/\.?0+$/, "") : text;
  const power = Number(e);
  const text = power < -4 || power >= digits ? `${trimmed(mantissa)}e${power < 0 ? "−" : "+"}${String(Math.abs(power)).padStart(2, "0")}`
    : trimmed(v.toFixed(Math.max(0, digits - 1 - power)));
  return text.replace("-", "−");
}

/** A number on the page: short to look at, whole when it is copied. */
function number(v, kind = "", digits = 9) {
  if (v === null || v === undefined) return el("span", { class: "n", title: "not known" }, "not known");
  const whole = full(v);
  return el("span", { class: `n ${kind}`, "data-v": whole, title: whole }, view.digits ? whole.replace("-", "−") : short(v, digits));
}

/** In wide tables. */
const cell = v => number(v, "", 6);

/** An old and a new number, with all digits where 9 would not tell them apart. */
function pair(old, now) {
  const parts = [number(old), number(now, "now")];
  if (old !== now && short(old) === short(now)) parts.forEach(part => { part.textContent = part.dataset.v.replace("-", "−"); });
  return parts;
}

const bracketed = v => v < 0 || Object.is(v, -0) ? ["(", number(v), ")"] : [number(v)];
const counted = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;
const sum = values => values.reduce((total, v) => total + v, 0);

// ── making elements ──

const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set(["svg", "g", "path", "circle", "text", "image", "rect", "title"]);

function el(tag, attributes = {}, ...children) {
  const made = DRAWN.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, given] of Object.entries(attributes)) {
    if (name === "onclick") made.addEventListener("click", given);
    else if (name === "style") made.style.cssText = given;
    else if (given !== false && given !== null) made.setAttribute(name, given === true ? "" : given);
  }
  made.append(...children.flat(9).filter(child => child !== null && child !== undefined));
  return made;
}

const find = id => document.getElementById(id);
const link = (text, act, label = null) => el("button", { type: "button", class: "link", onclick: act, "aria-label": label }, text);
const neuronLink = r => link(fitted(N.names[r], 24), () => visit({ neuron: r }), `neuron ${N.names[r]}`);
const named = r => [neuronLink(r), el("span", { class: "quiet" }, fitted(meant(r), 24))];
const edgeLink = (e, text) => link(text, () => visit({ edge: e }), `edge from ${N.names[N.sources[e]]} to ${N.names[N.sinks[e]]}`);

// ── colours ──

const mixed = (v, percent) => `color-mix(in oklab, var(--${v < 0 ? "negative" : "positive"}) ${percent}%, var(--neutral))`;

/** Orange below 0, blue above, as strong as the value is large. */
const signed = (v, most) => v === null || !Number.isFinite(v) || !most ? "var(--neutral)" : mixed(v, Math.round(100 * Math.min(1, Math.abs(v) / most) ** 0.5));
const largest = values => Math.max(0, ...values.filter(Number.isFinite).map(Math.abs));

// ── the picture: where everything stands ──

let picture = null;

/** As much of a name as fits: its middle goes, for names differ at their ends. */
const fitted = (name, most) => name.length <= most ? name : `${name.slice(0, Math.ceil((most - 1) / 2))}…${name.slice(name.length - Math.floor((most - 1) / 2))}`;
const LONGEST = 16;         // characters of a name in the picture
const LETTER = 7.4;         // their width

/** Places in pixels: as wide as the page allows, and wider, to be scrolled, where levels would be too close. */
function layOut() {
  const columns = N.levels.map((n, level) => ({ level, n, rows: N.ids.map((_, r) => r).filter(r => N.level[r] === level) }))
    .filter(column => column.rows.length);
  const longest = rows => Math.min(LONGEST, Math.max(2, ...rows.map(r => N.names[r].length)));
  const terse = longest(N.ids.map((_, r) => r)) <= 4, few = N.ids.length <= MOST_NUMBERED;
  const tallest = Math.max(...columns.map(column => column.rows.length), 1);
  const room = find("picture").clientWidth || 780, image = N.image ? Math.min(150, room / 4) : 0;
  const left = image + 36 + LETTER * longest(columns[0].rows), right = 36 + LETTER * longest(columns.at(-1).rows);
  const wide = Math.max(room, left + right + (columns.length <= 6 ? 84 : 26) * (columns.length - 1)), apart = (wide - left - right) / Math.max(columns.length - 1, 1);
  const each = few && !terse ? 68 : 46;
  const height = Math.max(Math.min(340, 0.9 * room), Math.min(900, each * tallest + 90), Math.min(1400, 26 * tallest + 90));
  const top = 44, bottom = N.folded ? 62 : 40, x = [], y = [];
  let pitch = Infinity;
  columns.forEach((column, c) => {
    column.x = columns.length === 1 ? wide / 2 : left + c * apart;
    column.gap = Math.min((height - top - bottom) / column.rows.length, 120);
    pitch = Math.min(pitch, column.gap);
    column.rows.forEach((r, k) => {
      x[r] = column.x;
      y[r] = top + (height - top - bottom) / 2 + (k - (column.rows.length - 1) / 2) * column.gap;
    });
  });
  const numbered = few && pitch >= 40 && apart > 70, weighed = N.sources.length <= MOST_WEIGHTS && apart > 95;
  const radius = Math.max(5, Math.min(25, 0.36 * pitch, (weighed ? 0.2 : 0.27) * apart, numbered ? (pitch - (terse ? 18 : 34)) / 2 : 25));
  return { columns, x, y, wide, height, radius, apart, image, pitch, numbered, weighed, inside: terse && radius >= 11 };
}

/** A line to the next level; past others an arc with room beside what lies between, away from the middle where that is free. */
function curve(e) {
  const { x, y, apart, height, radius } = picture, a = N.sources[e], b = N.sinks[e], span = Math.round((x[b] - x[a]) / apart);
  if (span < 2) return `M${x[a]} ${y[a]}L${x[b]} ${y[b]}`;
  const middle = (y[a] + y[b]) / 2, side = middle < height / 2 - 1 ? -1 : middle > height / 2 + 1 ? 1 : span % 2 ? 1 : -1;
  const least = side * Math.min(0.55 * Math.min(picture.pitch, 60) + 8 * span, height / 4);
  let bend = least, most = -1;
  for (const wished of [least, 0, -least, 1.6 * least, -1.6 * least]) {
    const tried = Math.max((8 - middle) / 0.75, Math.min((height - 8 - middle) / 0.75, wished)), room = clearance(a, b, tried);
    if (room > most) [bend, most] = [tried, room];
    if (room >= radius + 10) break;
  }
  const third = (x[b] - x[a]) / 3;
  return `M${x[a]} ${y[a]}C${x[a] + third} ${y[a] + bend} ${x[b] - third} ${y[b] + bend} ${x[b]} ${y[b]}`;
}

/** How far an arc keeps from the neurons of the levels that it passes. */
function clearance(a, b, bend) {
  const { x, y, columns } = picture;
  let least = Infinity;
  for (const column of columns) {
    if (column.x <= x[a] + 1 || column.x >= x[b] - 1) continue;
    // x is linear in t here, for its points lie a third apart; y = y_a + (y_b − y_a)(3t² − 2t³) + 3 · bend · t(1 − t)
    const t = (column.x - x[a]) / (x[b] - x[a]), height = y[a] + (y[b] - y[a]) * t * t * (3 - 2 * t) + 3 * bend * t * (1 - t);
    for (const r of column.rows) least = Math.min(least, Math.abs(y[r] - height));
  }
  return least;
}

function drawOnce() {
  picture = layOut();
  const { wide, height, image } = picture;
  picture.edges = N.sources.map((source, e) => el("path", { d: curve(e), class: "edge", style: `--turn:${N.level[source]}` }));
  picture.weights = picture.weighed ? weightTexts() : null;
  picture.neurons = N.ids.map((_, r) => neuronMark(r));
  const groups = [picture.edges, N.sources.map((_, e) => touchPath(e)), picture.weights, picture.neurons, [columnWords(), image ? inputsImage() : null]];
  picture.svg = el("svg", { viewBox: `0 0 ${wide} ${height}`, width: wide, height, role: "group", "aria-label": "The network by levels, inputs at the left" },
    groups.map(children => el("g", {}, children)));
  find("picture").replaceChildren(picture.svg);
}

/** A wider path, not seen, that is easier to click. */
const touchPath = e => el("path", { d: curve(e), class: "touch", onclick: () => visit({ edge: e }) },
  el("title", {}, `${N.names[N.sources[e]]} → ${N.names[N.sinks[e]]}`));

/** Places for the weights on their edges, nearer to the sources, clear of neurons and of each other where that is possible. */
function weightTexts() {
  const { x, y, radius, edges, numbered } = picture, taken = numbered ? x.map((left, r) => ({ x: left, y: y[r] + radius + 10, half: 36 })) : [];
  // how far two labels are from touching, and a label from a neuron
  const apart = (p, q) => Math.max(Math.abs(p.x - q.x) / (23 + (q.half ?? 23)), Math.abs(p.y - q.y) / 15);
  const away = (p, r) => Math.max((Math.abs(p.x - x[r]) - radius) / 25, (Math.abs(p.y - y[r]) - radius) / 9);
  return edges.map(path => {
    const length = path.getTotalLength();
    let best = null, most = -Infinity;
    for (const part of [0.3, 0.4, 0.5, 0.25, 0.6, 0.7, 0.2]) {
      const p = path.getPointAtLength(part * length), room = Math.min(...taken.map(q => apart(p, q)), ...x.map((_, r) => away(p, r)));
      if (room > most) [best, most] = [p, room];
      if (room >= 1) break;
    }
    taken.push(best);
    return el("text", { class: "weight halo", "font-size": 12, x: best.x, y: best.y });
  });
}

function neuronMark(r) {
  const { x, y, radius, pitch } = picture, kind = outputAt.has(r) ? "output" : N.is_input[r] ? "input" : "neuron";
  const mark = el("g", { class: `neuron ${kind}`, tabindex: 0, role: "button", onclick: () => visit({ neuron: r }), style: `--turn:${N.level[r]}` },
    el("title", {}, N.names[r] + meant(r)), el("circle", { class: "target", cx: x[r], cy: y[r], r: Math.max(radius, Math.min(13, pitch / 2)) }),
    el("circle", { class: "disc", cx: x[r], cy: y[r], r: radius }), nameText(r),
    el("text", { class: "value halo", x: x[r], y: y[r] + radius + 14, "font-size": 12 }));
  mark.addEventListener("keydown", event => { if (event.key === "Enter") visit({ neuron: r }); });
  return mark;
}

/** A name in its neuron where all fit, else left of the first level, right of the last or a crowded one, above others; null without room. */
function nameText(r) {
  const { x, y, radius, inside, columns, apart } = picture, c = columns.findIndex(column => column.level === N.level[r]), { gap } = columns[c];
  const end = c === 0 ? -1 : c === columns.length - 1 ? 1 : 0, side = end || (gap < 2 * radius + 16 ? 1 : 0);
  const most = Math.min(LONGEST, end ? LONGEST : Math.floor((side ? apart - 2 * radius - 12 : apart) / LETTER));
  const cut = name => name.length > most && most < 6, crowded = side && (gap < 12 || !end && N.ids.length > 100);
  if (!inside && !N.asked.includes(r) && (most < 2 || cut(N.names[r]) || crowded)) return null;
  const place = inside ? { x: x[r], y: y[r] } : side ? { x: x[r] + side * (radius + 5), y: y[r], style: `text-anchor:${side < 0 ? "end" : "start"}` } : { x: x[r], y: y[r] - radius - 8 };
  return el("text", { class: `name${inside ? "" : " halo"}`, "font-size": inside ? Math.min(15, 0.72 * radius) : 11.5, ...place }, fitted(N.names[r], N.asked.includes(r) ? LONGEST : Math.max(most, 6)));
}

/** What a level consists of: inputs, neurons, and how many of the outputs. */
function levelWords(level) {
  const n = N.levels[level], inputs = N.level_inputs[level], outputs = N.level_outputs[level], words = [];
  if (inputs) words.push(counted(inputs, "input"));
  if (n > inputs + outputs || !inputs && outputs < N.n_outputs) words.push(N.folded ? counted(n - inputs, "neuron") : `level ${level}`);
  if (outputs) words.push(outputs < N.n_outputs ? `${outputs} of ${N.n_outputs} outputs` : counted(outputs, "output"));
  return words;
}

/** Above each level its size, below it what is left out and the means; where levels are close, only some have room for words. */
function columnWords() {
  const { columns, height, apart } = picture, every = Math.ceil(118 / apart);
  const text = (column, y, size, ...words) => el("text", { class: "column halo", x: column.x, y, "font-size": size }, ...words);
  return columns.map((column, c) => {
    const left = column.n - column.rows.length, words = levelWords(column.level), alone = c === 0 || column === columns.at(-1);
    const fits = 7.2 * Math.max(...words.map(word => word.length)) < apart || alone && apart * (columns.length - 1) > 180;
    const made = fits ? words.map((word, k) => text(column, 13 + 15 * k, 12.5, word)) : [];
    if (!N.folded || c % every !== 0) return made;
    if (left > 0) made.push(text(column, height - 40, 12, `… ${left.toLocaleString("en")} more`));
    column.means = [22, 7].map(below => text(column, height - below, 11.5));
    column.means.forEach(mean => mean.classList.add("value"));
    return [made, column.means];
  });
}

function inputsImage() {
  const { image, height } = picture;
  picture.bitmap = el("image", { x: 10, y: height / 2 - image / 2, width: image, height: image, style: "image-rendering:pixelated", role: "img", "aria-label": "the inputs as a picture" });
  return [picture.bitmap, el("text", { class: "column", x: 10 + image / 2, y: height / 2 + image / 2 + 16, "font-size": 12 }, `inputs, ${N.image} × ${N.image}`)];
}

// ── the picture: what it shows now ──

/** What colours the neurons, with its symbol: one value a neuron, null where the phase has none. */
function shownValues() {
  const p = sample(), all = name => N.ids.map((_, r) => at(p[name], r));
  const by = view.colour === "auto" ? PHASES[view.phase] : view.colour;
  if (by === "z") return ["z", all("z")];
  if (by === "y" || by === "forward") return ["y", all("y")];
  if (by === "d" || by === "backward") return ["δ", all("d")];
  if (by === "error") return ["own δ", N.ids.map((_, r) => outputAt.has(r) ? at(p.own, outputAt.get(r)) : null)];
  return ["Δb", N.ids.map((_, r) => N.is_input[r] ? null : biasChange(r))];
}

const mostWeight = STEPS.flatMap(s => s.w).reduce((most, w) => Math.max(most, Math.abs(Number(w)) || 0), 0);

function drawNow(wave) {
  const [symbol, values] = shownValues(), most = largest(values), updating = PHASES[view.phase] === "update";
  const edgeValues = N.sources.map((_, e) => updating ? change(e) : weight(e));
  const mostEdge = updating ? largest(edgeValues) : mostWeight;
  picture.edges.forEach((path, e) => showEdge(path, e, edgeValues[e], mostEdge));
  picture.neurons.forEach((mark, r) => showNeuron(mark, r, symbol, values[r], most));
  for (const column of picture.columns) column.means?.forEach((text, k) => {
    text.textContent = `mean |${"yδ"[k]}| ${short(Number(step().levels[column.level][k]), 3)}`;
  });
  if (picture.image) picture.bitmap.setAttribute("href", bitmap(sample().image));
  drawLegend(symbol, most, updating ? "Δw" : "w", mostEdge, updating);
  if (wave) ripple();
}

/** Colour, width and weight of an edge; those not chosen step back. */
function showEdge(path, e, v, most) {
  const n = N.sources.length || 1, thick = Math.min(7, 1.5 + 24 / Math.sqrt(n)), crowd = Math.max(0.35, Math.min(0.9, 12 / Math.sqrt(n)));
  const quiet = PHASES[view.phase] === "error" ? 0.25 : 1, share = most ? Math.min(1, Math.abs(v) / most) : 0;
  const chosen = view.neuron !== null || view.edge !== null;
  const near = view.edge === e || view.neuron === N.sources[e] || view.neuron === N.sinks[e];
  path.style.stroke = share === 0 ? "var(--line)" : mixed(v, Math.round(35 + 65 * Math.sqrt(share)));
  path.style.strokeWidth = (0.7 + thick * share).toFixed(2) + (view.edge === e ? 2 : 0);
  path.style.opacity = (near ? 1 : quiet * crowd * (0.35 + 0.65 * Math.sqrt(share))).toFixed(3);
  path.classList.toggle("dim", chosen && !near && N.sources.length > 30);
  if (picture.weights) picture.weights[e].textContent = short(v, 3);
}

/** Colour of a neuron, and its value beneath it where there is room or it is chosen. */
function showNeuron(mark, r, symbol, v, most) {
  const chosen = view.neuron === r, strong = most && Number.isFinite(v) && (Math.abs(v) / most) ** 0.5 > 0.62;
  mark.querySelector(".disc").style.fill = signed(v, most);
  mark.classList.toggle("chosen", chosen);
  mark.querySelector(".name")?.classList.toggle("light", Boolean(picture.inside && strong));
  const own = chosen && !mark.querySelector(".name") ? fitted(N.names[r], LONGEST) : "", told = v !== null && (picture.numbered || chosen) ? `${symbol} ${short(v, picture.apart > 100 ? 4 : 3)}` : "";
  mark.querySelector(".value").textContent = [own, told].filter(Boolean).join(" · ");
  mark.setAttribute("aria-label", `${N.is_input[r] ? "input" : outputAt.has(r) ? "output" : "neuron"} ${N.names[r]}${meant(r)}${v === null ? "" : `, ${symbol} = ${short(v, 4)}`}`);
  mark.setAttribute("aria-pressed", String(chosen));
}

function bitmap(pixels) {
  const side = N.image, canvas = el("canvas", { width: side, height: side }), context = canvas.getContext("2d");
  const data = context.createImageData(side, side), numbers = pixels.map(Number), low = Math.min(...numbers), range = Math.max(...numbers) - low || 1;
  numbers.forEach((v, k) => data.data.set([255, 255, 255].map(() => 255 - 255 * (v - low) / range).concat(255), 4 * k));
  context.putImageData(data, 0, 0);
  return canvas.toDataURL();
}

/** Levels light up in the order in which the signals pass. */
function ripple() {
  const back = PHASES[view.phase] === "backward", levels = N.levels.length;
  if (!back && PHASES[view.phase] !== "forward") return;
  picture.svg.style.setProperty("--pace", `${Math.min(260, 1600 / levels)}ms`);
  picture.neurons.forEach((g, r) => g.style.setProperty("--turn", back ? levels - 1 - N.level[r] : N.level[r]));
  picture.edges.forEach((path, e) => path.style.setProperty("--turn", back ? levels - 1 - N.level[N.sinks[e]] : N.level[N.sources[e]]));
  picture.svg.classList.remove("wave");
  void picture.svg.getBoundingClientRect();
  picture.svg.classList.add("wave");
}

function drawLegend(symbol, most, edgeSymbol, mostEdge, updating) {
  const scale = (what, top, note) => el("span", {}, what, " ", short(-top, 3), el("span", { class: "bar" }), short(top, 3), note);
  find("legend").replaceChildren(scale(`neurons: ${symbol}`, most, " in this step"), scale(`edges: ${edgeSymbol}`, mostEdge, updating ? " in this step" : " in these steps"));
}

// ── the moment: which step, which phase ──

const SAYS = {
  forward: () => ["Level by level, every neuron adds up its messages, z = b + Σ w · y, and answers with y = f(z)."],
  error: () => [`The loss compares the outputs with what was wanted: ${D.loss_name} = `, number(value(sample().loss)), ". It puts its own δ on each output."],
  backward: () => ["Level by level back: δ = (the loss's own part +) Σ w · δ of the sinks · f′(z), with the weights from before the update."],
  update: () => !step().rule ? ["Every weight: w := w − μ · δ of its sink · y of its source, μ = ", number(step().rate), step().n > 1 ? `, ${D.reduction} over the batch.` : "."]
    : [step().rule],
};

function drawMoment() {
  const s = step(), p = sample(), batch = s.n > 1;
  const parts = [s.epoch === null ? null : `epoch ${s.epoch}`, batch ? `batch of ${s.n}` : `sample ${p.row}`].filter(Boolean);
  const missed = view.missed === null ? null : el("span", { class: "missed" }, ` Step ${view.missed.toLocaleString("en")} is not on this page: the nearest is shown.`);
  find("where").replaceChildren(`Step ${s.number.toLocaleString("en")}`, el("span", {}, `of ${D.n_steps.toLocaleString("en")} · ${parts.join(", ")}`), missed ?? "");
  find("of-batch").replaceChildren(...batch ? ["shown, of the largest losses in the batch:", s.samples.map((q, k) => el("button", { type: "button",
    "aria-pressed": String(p === q), onclick: () => { view.sample = k; show(); } }, `sample ${q.row}`))].flat() : []);
  find("loss").replaceChildren("loss ", number(value(s.loss), "now"));
  find("phase-says").replaceChildren(...SAYS[PHASES[view.phase]]());
  [...find("phases").children].forEach((button, k) => button.setAttribute("aria-pressed", String(k === view.phase)));
  const slider = find("slider");
  slider.value = view.k;
  slider.setAttribute("aria-valuetext", `step ${s.number} of ${D.n_steps}`);
  find("first").disabled = find("previous").disabled = view.k === 0;
  find("last").disabled = find("next").disabled = view.k === STEPS.length - 1;
  find("live").textContent = `Step ${s.number}, ${PHASES[view.phase]}, loss ${short(value(s.loss), 5)}`;
}

// ── the panel ──

function drawPanel() {
  const made = view.edge !== null ? edgePanel(view.edge) : view.neuron !== null ? neuronPanel(view.neuron) : lossPanel();
  find("panel").replaceChildren(...made.flat(9).filter(Boolean));
  const charts = view.edge !== null ? edgeCharts(view.edge) : view.neuron !== null ? neuronCharts(view.neuron) : [];
  if (charts.length) {
    const host = el("div", { class: "charts" }, el("h3", {}, "over the steps of this page"));
    find("panel").append(host);
    charts.forEach(([name, values]) => chart(host, name, STEPS.map(s => s.number), [{ name, values }], { height: 120 }));
  }
}

function heading(text, kind) {
  const close = view.neuron === null && view.edge === null ? null : el("button", { type: "button", class: "more", title: "back to the loss (Esc)", onclick: leave }, "close");
  return el("div", { class: "title" }, el("h2", {}, text, el("span", { class: "kind" }, kind)), close);
}

const line = (left, ...right) => [el("span", { class: "left" }, left), el("span", { class: "line" }, ...right)];
const about = text => [el("span"), el("span", { class: "line about" }, text)];
const gap = () => el("span", { class: "gap" });

/** A table; of many rows those that come first, and a button for all. */
function table(head, rows, last = []) {
  const shown = view.all ? rows : rows.slice(0, MOST_ROWS), hidden = rows.length - shown.length;
  const body = el("tbody", {}, shown.map(cells => el("tr", {}, cells.map(content => el("td", {}, content)))),
    last.map(cells => el("tr", { class: "sum" }, cells.map(content => el("td", {}, content)))));
  const made = [el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, head.map(text => el("th", { scope: "col" }, text)))), body))];
  if (hidden > 0) made.push(el("p", { class: "quiet" }, `the ${shown.length} largest of ${rows.length}; `, el("button", { type: "button", class: "link more", onclick: () => { view.all = true; show(); } }, `show ${hidden} more`)));
  return made;
}

function lossPanel() {
  const p = sample(), rows = N.outputs.map((r, k) => ({ r, k, e: at(p.e, k) }));
  if (rows.length > MOST_ROWS) rows.sort((a, b) => Math.abs(b.e) - Math.abs(a.e));
  return [heading("The loss", `${D.loss_name}${step().n > 1 ? ", one sample of the batch" : ""}`),
    el("div", { class: "formula" }, line("L =", number(value(p.loss), "now"), p.row === null ? "" : ` for sample ${p.row}`)),
    table(["output", "y", "t", "y − t", "∂L/∂y", "own δ"], rows.map(({ r, k, e }) =>
      [named(r), number(at(p.y, r)), number(at(p.t, k)), number(at(p.y, r) - at(p.t, k)), number(e), number(at(p.own, k))])),
    el("p", { class: "quiet", style: "margin-top:12px" }, "Choose a neuron for its formula and its messages, an edge for its gradient and its history.")];
}

function neuronPanel(r) {
  const p = sample(), isInput = Boolean(N.is_input[r]), output = outputAt.get(r);
  const kind = [isInput ? "input" : N.activations[r], output !== undefined ? "output" : null, `level ${N.level[r]}`, N.meanings[r]].filter(Boolean).join(" · ");
  const update = updateLines("b", pair(bias(r), biasAfter(r)), N.bias_rates, r, biasChange(r), biasGradient(r), step().g ? "∂L/∂b" : "δ");
  const formula = el("div", { class: "formula" }, isInput ? line("y =", "x = ", number(at(p.y, r), "now")) : [forwardLines(r, p), gap(), activationLines(r, p)], gap(), backwardLines(r, p), isInput ? null : [gap(), update]);
  return [heading(N.names[r], kind), formula, edgeTable(r, p, true), edgeTable(r, p, false)];
}

/** Σ w · signal over n edges: its terms where they are short and all on the page, else its value, with the rest that the page leaves out. */
const terms = (edges, n, signal, rest, ends) => n <= MOST_TERMS && edges.length === n
  ? edges.map((e, k) => [k ? " + " : "", bracketed(weight(e)), " · ", bracketed(signal(e))])
  : [bracketed(sum(edges.map(e => weight(e) * signal(e))) + Number(rest ?? 0)), ` from ${counted(n, ends)}`];

function forwardLines(r, p) {
  const n = incoming[r].length + N.other_sources[r], messages = terms(incoming[r], n, e => at(p.y, N.sources[e]), p.rf?.[r], "source");
  return [line("z =", "b + Σ w · y"), line("=", bracketed(bias(r)), n ? " + " : null, messages), line("=", number(at(p.z, r), "now z"))];
}

function activationLines(r, p) {
  const name = N.activations[r], z = at(p.z, r), y = number(at(p.y, r), "now y");
  if (name === "softmax") {
    const group = N.outputs.filter(o => N.activations[o] === "softmax");
    return [line("y =", `e^z / Σ e^z over the ${group.length} softmax outputs`), line("=", y)];
  }
  const slope = name === "prelu" ? [", slope ", number(at(step().s, r))] : [];
  return [line("y =", `f(z) = ${name}(`, number(z), slope, ")"), line("=", y)];
}

/** The parts of δ: what the loss puts there itself, and what comes back from the sinks. */
function backwardLines(r, p) {
  const isInput = Boolean(N.is_input[r]), output = outputAt.get(r), n = outgoing[r].length + N.other_sinks[r];
  const symbol = isInput ? "∂L/∂x =" : "δ =", slope = p.f[r] === null ? null : at(p.f, r), d = number(at(p.d, r), "now delta");
  if (!n && output === undefined) return [line(symbol, d), about("it sends to nobody and is no output: nothing comes back")];
  return [output === undefined ? [] : lossLines(r, p, output, slope, n ? "own δ =" : symbol), output !== undefined && n ? line("=", number(at(p.own, output), "now")) : [],
    n ? sinkLines(r, p, output, slope, symbol) : [], line("=", d)];
}

/** The part of an output's δ that the loss puts there itself. */
function lossLines(r, p, output, slope, symbol) {
  const isInput = Boolean(N.is_input[r]), y = at(p.y, r), t = at(p.t, output);
  if (p.fused[output]) return [line(symbol, `y − t, which is what ${N.activations[r]} with ${D.loss_name} gives`), line("=", number(y), " − ", bracketed(t))];
  if (slope === null) return [line(symbol, "y · (∂L/∂y − Σ ∂L/∂y · y of the softmax group)")];
  return [line(symbol, isInput ? "∂L/∂y" : "∂L/∂y · f′(z)"), line("=", bracketed(at(p.e, output)), isInput ? [] : [" · ", bracketed(slope)])];
}

/** What comes back from the sinks. */
function sinkLines(r, p, output, slope, symbol) {
  const isInput = Boolean(N.is_input[r]), n = outgoing[r].length + N.other_sinks[r], messages = terms(outgoing[r], n, e => at(p.d, N.sinks[e]), p.rb?.[r], "sink");
  return [line(symbol, `${output === undefined ? "" : "own δ + "}${isInput ? "Σ w · δ" : "f′(z) · Σ w · δ of its sinks"}`),
    line("=", output === undefined ? [] : [bracketed(at(p.own, output)), " + "], isInput ? [] : [bracketed(slope ?? NaN), " · ("], messages, isInput ? "" : ")")];
}

/** How the update changes a weight or a bias; its rate is μ times a factor of its own. */
function updateLines(name, [old, now], rates, k, changed, g, symbol) {
  const factor = rates ? at(rates, k) : 1;
  if (factor < 0) return [line(`${name} =`, old), about("frozen: the update leaves it alone")];
  if (step().rule) return [line(`new ${name} =`, old, " + ", bracketed(changed), ` (${D.rule})`), line("=", now)];
  return [line(`new ${name} =`, `${name} − μ · ${symbol} = `, old, " − ", number(step().rate * factor), " · ", bracketed(g)), line("=", now)];
}

/** The edges from its sources or to its sinks, with what passes along them either way. */
function edgeTable(r, p, incomes) {
  const edges = (incomes ? incoming : outgoing)[r].slice(), n = (incomes ? N.other_sources : N.other_sinks)[r], y = at(p.y, r), d = at(p.d, r);
  if (!edges.length && !n) return !incomes || N.is_input[r] ? [] : [el("h3", {}, "messages from its sources"), el("p", { class: "quiet" }, "none: z is its bias")];
  const end = incomes ? N.sources : N.sinks, signal = e => at(incomes ? p.y : p.d, end[e]), product = e => weight(e) * signal(e);
  const updating = PHASES[view.phase] === "update", size = e => Math.abs(updating ? change(e) : product(e));
  if (edges.length > MOST_ROWS) edges.sort((a, b) => size(b) - size(a));
  const others = `${n.toLocaleString("en")} others`;
  if (updating) return [el("h3", {}, incomes ? "weights from its sources" : "weights to its sinks"),
    table([incomes ? "source" : "sink", "w", step().g ? "∂L/∂w, batch" : "∂L/∂w", "Δw", "new w"],
      edges.map(e => [named(end[e]), edgeLink(e, cell(weight(e))), cell(gradient(e)), cell(change(e)), cell(weightAfter(e))]), n ? [[others, "", "", "", ""]] : [])];
  const title = incomes ? "from its sources: y arrives, w · δ goes back" : "to its sinks: w · y goes out, δ comes back";
  const head = [...(incomes ? ["source", "w", "y", "w · y", "w · δ back"] : ["sink", "w", "w · y", "δ", "w · δ"]), step().g ? "∂L/∂w, batch" : "∂L/∂w"];
  const passing = e => incomes ? [signal(e), product(e), weight(e) * d] : [weight(e) * y, signal(e), product(e)];
  const last = incomes ? [others, "", "", cell(Number(p.rf?.[r])), "", ""] : [others, "", "", "", cell(Number(p.rb?.[r])), ""];
  return [el("h3", {}, title), table(head, edges.map(e => [named(end[e]), edgeLink(e, cell(weight(e))), ...passing(e).map(cell), cell(gradient(e))]), n ? [last] : [])];
}

function edgePanel(e) {
  const p = sample(), a = N.sources[e], b = N.sinks[e], w = weight(e), y = at(p.y, a), d = at(p.d, b), g = gradient(e), s = step();
  const [old, now] = pair(w, weightAfter(e)), update = updateLines("w", [old, now], N.weight_rates, e, change(e), g, "∂L/∂w");
  const gradientLines = s.g ? [line("δ · y =", number(d), " · ", bracketed(y), " = ", number(sampleGradient(e, p)), " of this sample"), line("∂L/∂w =", number(g, "now gradient"), ` of the batch of ${s.n}, ${D.reduction}`)]
    : [line("∂L/∂w =", `δ of ${N.names[b]} · y of ${N.names[a]} = `, number(d), " · ", bracketed(y)), line("=", number(g, "now gradient"))];
  return [heading(`${N.names[a]} → ${N.names[b]}`, "edge"), el("p", { class: "quiet" }, "from ", neuronLink(a), " to ", neuronLink(b)),
    el("div", { class: "formula" }, line("forward", "w · y = ", old.cloneNode(true), " · ", bracketed(y), " = ", number(w * y, "now")), gap(),
      line("backward", "w · δ = ", old.cloneNode(true), " · ", bracketed(d), " = ", number(w * d, "now")), gap(), gradientLines, gap(), update, line("Δw =", number(change(e))))];
}

// ── curves ──

const first = s => s.samples[0];
const neuronCharts = r => [["z", STEPS.map(s => at(first(s).z, r))], ["y", STEPS.map(s => at(first(s).y, r))], [N.is_input[r] ? "∂L/∂x" : "δ", STEPS.map(s => at(first(s).d, r))]];
const edgeCharts = e => [["w", STEPS.map(s => weight(e, s))], ["∂L/∂w", STEPS.map(s => gradient(e, s, first(s)))], ["Δw", STEPS.map(s => change(e, s))]];

let charts = [];
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const finite = v => Number.isFinite(v) ? v : null;
const strokeOf = k => ["--negative", "--positive", "--quiet", "--ink"][k % 4];

/** A curve over steps; a click goes to the nearest step of the page. */
function chart(host, title, x, series, { height = 146, log = false, of = title } = {}) {
  const reading = el("span"), canvas = el("div");
  host.append(el("div", { class: "chart" }, el("div", { class: "caption" }, el("b", {}, title), reading), canvas));
  const u = new uPlot({
    width: Math.max(200, canvas.clientWidth || host.clientWidth), height, legend: { show: false },
    scales: { x: { time: false }, y: log ? { distr: 3 } : { range: (_, low, high) => low === 0 && high === 0 ? [-1, 1] : uPlot.rangeNum(low, high, 0.1, true) } }, axes: chartAxes(log, of), series: [{}, ...series.map(chartLine)],
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    hooks: { draw: [markStep], setCursor: [u => { reading.textContent = readAt(u.cursor.idx, x, series); }] },
  }, [x, ...series.map(one => one.values.map(finite))], canvas);
  const ends = series[0].values.filter(v => finite(v) !== null);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${title} over the steps${ends.length ? `, from ${short(ends[0], 4)} to ${short(ends.at(-1), 4)}` : ""}`);
  u.over.addEventListener("click", () => { if (u.cursor.left >= 0) go(nearest(u.posToVal(u.cursor.left, "x"))); });
  charts.push({ u, canvas });
}

/** Whole steps along x; along a logarithmic y only the decades are named. */
function chartAxes(log, of) {
  const grid = { stroke: css("--line"), width: 1 }, axis = { stroke: css("--quiet"), grid, ticks: { show: false }, font: "11px system-ui, sans-serif", labelFont: "11px system-ui, sans-serif", labelSize: 15, labelGap: 0 };
  const decades = splits => splits.map(v => !log || Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-9 ? v : null);
  const whole = [1, 2, 5].flatMap(d => [...Array(9).keys()].map(k => d * 10 ** k)).sort((a, b) => a - b);
  return [{ ...axis, size: 22, incrs: whole, label: "step" },
    { ...axis, size: 56, space: 22, label: of, grid: { ...grid, filter: (_, splits) => decades(splits) }, values: (_, ticks) => ticks.map(v => v === null ? "" : short(v, 4)) }];
}

/** A line, or points where there are gaps between steps or too few of them. */
function chartLine(one, k) {
  const stroke = css(strokeOf(k)), show = Boolean(one.points) || one.values.filter(v => finite(v) !== null).length < 3;
  return { label: one.name, stroke, width: one.points ? 0 : 1.8, spanGaps: true, paths: one.points ? () => null : undefined, points: { show, size: 4.5, stroke, fill: stroke } };
}

/** The line at the present step. */
function markStep(u) {
  const place = u.valToPos(step().number, "x", true);
  if (place < u.bbox.left || place > u.bbox.left + u.bbox.width) return;
  const width = 1.5 * devicePixelRatio;
  u.ctx.save();
  u.ctx.fillStyle = css("--ink");
  u.ctx.fillRect(place - width / 2, u.bbox.top, width, u.bbox.height);
  u.ctx.restore();
}

/** The numbers under the pointer. */
function readAt(k, x, series) {
  if (k === null || k === undefined) return "";
  const numbers = series.map(one => `${series.length > 1 ? one.name + " " : ""}${one.values[k] === null ? "–" : short(one.values[k], 6)}`);
  return `step ${x[k].toLocaleString("en")}: ${numbers.join(", ")}`;
}

function drawCharts() {
  charts = [];
  for (const id of ["loss-chart", "traces"]) find(id).replaceChildren();
  drawLosses(find("loss-chart"));
  find("trace-card").hidden = !D.traces.length;
  for (const t of D.traces) chart(find("traces"), t.name, t.x, [{ name: t.name, values: t.y.map(value) }], { height: 126, of: t.name.split(" of ")[0] });
  charts.fixed = charts.length;
}

/** The losses of the page's steps and of the history, over all steps that either knows. */
function drawLosses(host) {
  const curves = [{ name: "each step of this page", x: STEPS.map(s => s.number), y: STEPS.map(s => s.loss), points: STEPS.length < D.n_steps }, ...D.loss_curve];
  const x = [...new Set(curves.flatMap(c => c.x))].sort((a, b) => a - b);
  const series = curves.map(c => { const known = new Map(c.x.map((q, k) => [q, value(c.y[k])])); return { name: c.name, points: c.points, values: x.map(q => known.get(q) ?? null) }; });
  const values = series.flatMap(one => one.values).filter(v => finite(v) !== null);
  const log = values.length > 0 && Math.min(...values) > 0 && Math.max(...values) / Math.min(...values) > 50;
  if (x.length) chart(host, "", x, series, { height: 166, log, of: "loss" });
  if (series.length > 1) host.append(el("p", { class: "quiet" }, series.map((one, k) => el("span", { style: `color:var(${strokeOf(k)});margin-right:16px` }, `${one.points ? "●" : "━"} ${one.name}`))));
}

// ── samples and findings ──

const className = label => D.classes?.[label] ?? String(label);
const labelOf = new Map((D.blamed.labels ?? []).map((label, k) => [D.blamed.rows[k], label]));

/** The inputs of a sample as a small picture, four bits a pixel. */
function thumbnail(row) {
  const packed = D.pictures?.[row];
  if (!packed) return D.pictures ? el("span", { class: "thumbnail" }) : null;
  const pixels = [...atob(packed)].flatMap(c => [c.charCodeAt(0) >> 4, c.charCodeAt(0) & 15]).slice(0, N.image ** 2);
  return el("img", { src: bitmap(pixels), class: "thumbnail", alt: `the inputs of sample ${row}` });
}

function drawSamples() {
  const s = step(), r = view.neuron, [rows, values, answers] = r === null ? s.worst : s.worst_of[r], most = largest(values.map(value));
  const some = D.blamed.n < D.blamed.of ? `${D.blamed.n} of ${D.blamed.of.toLocaleString("en")} samples, spread evenly` : `all ${counted(D.blamed.n, "sample")}`;
  find("samples-say").textContent = `With the weights of step ${s.number.toLocaleString("en")}, sorted by ${r === null ? "loss" : `|δ| of ${N.names[r]}`}: the first ${rows.length} of ${some}.`;
  const used = new Map();
  STEPS.forEach((q, k) => q.samples.forEach((p, j) => { const had = used.get(p.row); if (!had || Math.abs(k - view.k) < Math.abs(had.k - view.k)) used.set(p.row, { k, j }); }));
  const body = rows.map((row, k) => {
    const v = value(values[k]), seen = used.get(row), answer = answers?.[k], right = answer === labelOf.get(row);
    return [[thumbnail(row), `sample ${row.toLocaleString("en")}`],
      ...answers ? [className(labelOf.get(row)), el("span", { class: right ? "right" : "wrong" }, `${className(answer)} ${right ? "✓" : "✗"}`)] : [],
      number(v), el("span", { class: "meter", style: `width:${Number.isFinite(v) ? most && 100 * Math.abs(v) / most : 100}%;background:var(--${v < 0 ? "negative" : "positive"})` }),
      seen ? link(`step ${STEPS[seen.k].number.toLocaleString("en")}`, () => { go(seen.k, seen.j); }) : el("span", { title: "no step of this page shows it" }, "–")];
  });
  const head = ["", ...s.worst[2] ? ["class", "predicted"] : [], r === null ? "loss" : "δ", "", "seen at"];
  find("samples").replaceChildren(...table(head, body));
}

function drawFindings() {
  find("looked-at").textContent = `${D.findings.length ? "Looked" : "Nothing found. Looked"} at ${D.looked_at}.`;
  find("findings").replaceChildren(...D.findings.map(f => el("li", {}, f.sentence, " ", findingLink(f), shownOf(f), f.advice && el("span", { class: "advice" }, f.advice))));
}

/** To the step of a finding, or the nearest one that the page has, and to its first neuron. */
function findingLink(f) {
  if (f.step === null) return null;
  const k = nearest(f.step), here = STEPS[k].number, name = f.step < D.n_steps ? `step ${f.step.toLocaleString("en")}` : "after the last step";
  return link(here === Math.min(f.step, D.n_steps - 1) ? name : `${name} (nearest here: ${here.toLocaleString("en")})`, () => lead(f, f.neurons[0]));
}

/** Its neurons by name, where there are several. */
const shownOf = f => f.neurons.length < 2 ? null : el("span", {}, " at ", f.neurons.flatMap((r, k) => [k ? ", " : "", link(N.names[r], () => lead(f, r), `neuron ${N.names[r]}`)]));

function lead(f, r) {
  Object.assign(view, { k: f.step === null ? view.k : nearest(f.step), sample: 0 });
  visit({ neuron: r ?? null });
}

// ── going about ──

const nearest = q => STEPS.reduce((best, s, k) => Math.abs(s.number - q) < Math.abs(STEPS[best].number - q) ? k : best, 0);

function go(k, sampleAt = 0) {
  Object.assign(view, { k: Math.max(0, Math.min(STEPS.length - 1, k)), sample: sampleAt });
  show();
}

function goPhase(by) {
  const moment = PHASES.length * view.k + view.phase + by;
  if (moment < 0 || moment >= PHASES.length * STEPS.length) return;
  [view.k, view.phase] = [Math.floor(moment / PHASES.length), moment % PHASES.length];
  show(true);
}

function choose({ neuron = null, edge = null }) {
  Object.assign(view, { neuron, edge, all: false });
  show();
}

/** Choose, and bring the choice into view: its mark, and where the panel lies below the picture, the panel. */
function visit(what) {
  choose(what);
  if (what.neuron !== undefined && what.neuron !== null) scrollAcross(picture.x[what.neuron]);
  if (!matchMedia("(max-width: 1080px)").matches) return;
  const { top } = find("panel").getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) find("panel").scrollIntoView();
}

function scrollAcross(x) {
  const host = find("picture"), from = host.scrollLeft;
  if (x < from + 30 || x > from + host.clientWidth - 30) host.scrollLeft = x - host.clientWidth / 2;
}

/** What an address leads to, where the picture is wider than its place. */
function chosenIntoView() {
  if (view.neuron !== null) scrollAcross(picture.x[view.neuron]);
  else if (view.edge !== null) scrollAcross((picture.x[N.sources[view.edge]] + picture.x[N.sinks[view.edge]]) / 2);
}

/** Back to the loss, and to the picture. */
function leave() {
  choose({});
  if (find("picture").getBoundingClientRect().bottom < 0) find("picture").scrollIntoView();
}

// ── finding a neuron by its name ──

function findNeuron() {
  const box = find("find"), name = box.value.trim(), r = rowOf.get(name);
  find("found").textContent = !name || r !== undefined ? "" : notFound(name);
  if (r === undefined) return;
  box.value = "";
  box.blur();
  visit({ neuron: r });
}

/** Why a name leads nowhere: it is not drawn, or there is none. */
function notFound(name) {
  const drawn = `${N.ids.length.toLocaleString("en")} of ${counted(N.n_neurons, "neuron")} are drawn`;
  if (N.others?.includes(name)) return `${name} is not drawn: ${drawn}. A page made with neurons="${name}" has it.`;
  if (N.folded && !N.others) return `No ${name} here: ${drawn}.`;
  const low = name.toLowerCase(), near = [...N.names, ...N.others ?? []].find(other => other.toLowerCase().includes(low) || low.includes(other.toLowerCase()));
  return `There is no neuron ${name}${near ? `; is it ${near}?` : "."}`;
}

function leaveFind() {
  find("find").value = find("found").textContent = "";
  find("find").blur();
}

/** Everything anew, and the address that leads here. */
function show(wave = false, keepAddress = false) {
  const focused = document.activeElement, inPanel = find("panel").contains(focused) || find("samples").contains(focused);
  charts.splice(charts.fixed ?? charts.length).forEach(({ u }) => u.destroy());
  if (!keepAddress) view.missed = null;
  drawMoment();
  drawNow(wave);
  drawPanel();
  drawSamples();
  charts.slice(0, charts.fixed).forEach(({ u }) => u.redraw(false));
  if (inPanel && !document.contains(focused)) find("panel").focus({ preventScroll: true });
  if (!keepAddress) writeAddress();
}

function writeAddress() {
  const words = new URLSearchParams({ step: step().number, phase: PHASES[view.phase] });
  if (view.sample) words.set("sample", view.sample);
  if (view.neuron !== null) words.set("neuron", N.names[view.neuron]);
  if (view.edge !== null) { words.set("source", N.names[N.sources[view.edge]]); words.set("sink", N.names[N.sinks[view.edge]]); }
  if (view.colour !== "auto") words.set("colour", view.colour);
  history.replaceState(null, "", "#" + words);
}

function readAddress() {
  const words = new URLSearchParams(location.hash.slice(1));
  const asked = words.has("step") ? Number(words.get("step")) || 0 : null;
  if (asked !== null) view.k = nearest(asked);
  view.missed = asked === null || step().number === asked ? null : asked;
  view.phase = Math.max(0, PHASES.indexOf(words.get("phase")));
  view.sample = Number(words.get("sample")) || 0;
  view.neuron = rowOf.get(words.get("neuron")) ?? null;
  view.edge = edgeOf.get(`${rowOf.get(words.get("source"))} ${rowOf.get(words.get("sink"))}`) ?? null;
  if (["z", "y", "d"].includes(words.get("colour"))) find("colour").value = view.colour = words.get("colour");
  if (["light", "dark"].includes(words.get("theme"))) document.documentElement.dataset.theme = words.get("theme");
}

function toggleTheme() {
  const dark = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  document.documentElement.dataset.theme = dark === "dark" ? "light" : "dark";
  again();
}

/** Picture and charts take their width, charts their colours, when they are made. */
function again() {
  charts.forEach(({ u }) => u.destroy());
  drawOnce();
  drawCharts();
  show();
}

/** Paper is white: charts, which are pixels, are drawn anew for it and after it. */
let themeOnScreen;
function toPaper() {
  themeOnScreen = document.documentElement.dataset.theme ?? "";
  document.documentElement.dataset.theme = "light";
  again();
}

function fromPaper() {
  if (themeOnScreen) document.documentElement.dataset.theme = themeOnScreen;
  else delete document.documentElement.dataset.theme;
  again();
}

function toggleDigits() {
  view.digits = !view.digits;
  find("digits").setAttribute("aria-pressed", String(view.digits));
  show();
}

const KEYS = {
  ArrowRight: () => go(view.k + 1), ArrowLeft: () => go(view.k - 1), ArrowDown: () => goPhase(1), ArrowUp: () => goPhase(-1), " ": () => goPhase(1),
  Home: () => go(0), End: () => go(STEPS.length - 1), Escape: () => choose({}), d: toggleDigits, t: toggleTheme, "?": () => find("keys").showModal(),
};

function onKey(event) {
  const on = event.target, typing = on.matches("select, textarea, input:not([type=range])"), pressing = event.key === " " && on.matches("button");
  if (event.ctrlKey || event.metaKey || event.altKey || typing || pressing || find("keys").open || !(event.key in KEYS)) return;
  event.preventDefault();
  KEYS[event.key]();
}

/** Numbers are copied with all their digits, tables with tabs between their cells. */
function onCopy(event) {
  const selection = getSelection();
  if (selection.isCollapsed || !selection.rangeCount) return;
  const lines = document.createElement("div");
  lines.append(selection.getRangeAt(0).cloneContents());
  const numbers = lines.querySelectorAll(".n[data-v]");
  if (!numbers.length) {
    // The selection lies within one number: a double click on it.
    const holder = selection.getRangeAt(0).commonAncestorContainer.parentElement?.closest(".n[data-v]");
    if (!holder) return;
    lines.textContent = holder.dataset.v;
  }
  numbers.forEach(n => { n.textContent = n.dataset.v; });
  lines.querySelectorAll("td, th").forEach(made => made.append("\t"));
  lines.querySelectorAll("tr, p, .line, h2, h3").forEach(block => block.append("\n"));
  lines.querySelectorAll(".left").forEach(left => left.append(" "));
  event.clipboardData.setData("text/plain", lines.textContent);
  event.preventDefault();
}

let pageWidth = innerWidth, waiting = 0;
function onResize() {
  if (innerWidth === pageWidth) return;
  pageWidth = innerWidth;
  clearTimeout(waiting);
  waiting = setTimeout(again, 120);
}

function listen() {
  document.addEventListener("keydown", onKey);
  document.addEventListener("copy", onCopy);
  const buttons = { first: KEYS.Home, last: KEYS.End, previous: KEYS.ArrowLeft, next: KEYS.ArrowRight, digits: toggleDigits, theme: toggleTheme, help: KEYS["?"] };
  for (const [id, act] of Object.entries(buttons)) find(id).onclick = act;
  find("slider").addEventListener("input", event => go(Number(event.target.value)));
  find("colour").addEventListener("change", event => { view.colour = event.target.value; show(); });
  find("find").addEventListener("change", findNeuron);
  find("find").addEventListener("keydown", event => { if (event.key === "Enter") findNeuron(); else if (event.key === "Escape") leaveFind(); });
  addEventListener("beforeprint", toPaper);
  addEventListener("afterprint", fromPaper);
  addEventListener("hashchange", () => { readAddress(); show(true, true); chosenIntoView(); });
  addEventListener("resize", onResize);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
}

function start() {
  find("facts").textContent = D.facts.join(" · ");
  find("left-out").textContent = D.left_out.length ? D.left_out.join("; ") + "." : "";
  PHASES.forEach((name, k) => find("phases").append(el("button", { type: "button", onclick: () => { view.phase = k; show(true); } }, name)));
  find("names").append(...N.names.map(name => el("option", { value: name })));
  find("slider").max = STEPS.length - 1;
  readAddress();
  drawOnce();
  drawCharts();
  drawFindings();
  listen();
  show(false, true);
  chosenIntoView();
  requestAnimationFrame(() => { document.documentElement.dataset.ready = ""; });
}

start();
})();
