// The page: controls, numbers and charts. Everything it shows comes from compute(settings).

let mode, CONTROLS;
const LOG = { to: Math.log, from: Math.exp }, LINEAR = { to: (x) => x, from: (x) => x };
const three = (x) => Number(x.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3, useGrouping: true });

const MINIMAL_CONTROLS = [
  { group: "Task" },
  { key: "N", name: "Context pairs N", low: 4, high: 1000, scale: LOG, whole: true,
    help: "Labelled items in the context; a longer one dilutes attention, so ICL comes later, in proportion to N." },
  { key: "K", name: "Task diversity K", low: 10, high: 1e6, scale: LOG, whole: true,
    help: "Item-label pairs in the training set; more of them take longer to memorise, which leaves ICL more time." },
  { key: "labels", name: "Context labels", options: { iid: "independent", balanced: "exactly half of each" },
    help: "Balanced contexts have no fluctuating label sum: ICL is then acquired only from β0 > 0." },
  { key: "D", name: "Item dimension D", options: { 16: "16", 31: "31", 63: "63", 127: "127", 255: "255", Infinity: "∞" },
    help: "Items overlap less in more dimensions; at ∞ they are exactly orthogonal." },
  { group: "Network" },
  { key: "mean", name: "Initial attention β0, mean", low: -3, high: 3, step: 0.01, scale: LINEAR,
    help: "How strongly attention favours the copy of the target before training; raise it and ICL wins sooner." },
  { key: "std", name: "Initial attention β0, width", low: 0, high: 2, step: 0.01, scale: LINEAR,
    help: "Spread of β0 between seeds; it makes acquisition times long-tailed and outcomes near K* two-sided." },
  { key: "decay", name: "Weight decay λ", low: 1e-6, high: 3e-2, scale: LOG, zero: true,
    help: "Decay of the attention parameters; it lets memory take over again (transience) or keeps ICL from forming." },
  { group: "Memory law I_K(∞) = A K^ν" },
  { key: "A", name: "Amplitude A", low: 0.1, high: 50, scale: LOG,
    help: "Total clock of the memory at K = 1, in gradient-flow time: slower memories have a larger one." },
  { key: "nu", name: "Exponent ν", low: 0.3, high: 1.2, step: 0.01, scale: LINEAR,
    help: "How the memory's clock grows with K; about 0.7 in the paper's setting, to be measured for each network." },
  { group: "Training" },
  { key: "T", name: "Training time T", low: 100, high: 1e6, scale: LOG,
    help: "When training stops, in units of learning rate × steps." },
];

const TRANSFORMER_CONTROLS = [
  { group: "Task" },
  { key: "N", name: "Context pairs N", low: 4, high: 63, scale: LOG, whole: true,
    help: "Labelled items in the context, one of them the target's copy; a longer one dilutes attention." },
  { key: "K", name: "Task diversity K", low: 32, high: 8192, scale: LOG, whole: true,
    help: "Item-label pairs in the training set; the perceptron takes longer to memorise more of them." },
  { group: "Network" },
  { key: "start", name: "Initial attention β0, in its deviations", low: -2, high: 2, step: 0.01, scale: LINEAR,
    help: "Where this network lies among initial weights: at 0 attention starts with no preference for the copy." },
  { key: "scale", name: "Scale of W_Q and W_K at the start", low: 0.25, high: 2, scale: LOG,
    help: "Below 1 the first attention is smoother, which lets the copy's label through sooner." },
  { key: "r", name: "Learning rate of the perceptron over the attention's, r", low: 0.25, high: 4, scale: LOG,
    help: "A faster perceptron memorises sooner, and learns sooner to read the attention." },
  { key: "decay", name: "Weight decay λ", low: 1e-5, high: 3e-2, scale: LOG, zero: true,
    help: "Decay of W_Q, W_K and V; the perceptron keeps what it has memorised." },
  { group: "Training" },
  { key: "T", name: "Training time T", low: 10, high: 1000, scale: LOG,
    help: "When training stops, in units of learning rate × steps." },
];

function show(control, value) {
  if (control.whole) return Math.round(value).toLocaleString("en");
  if (value === 0) return "0";
  return Math.abs(value) < 1e-2 ? value.toExponential(1).replace("e-", " × 10⁻").replace(/\d+$/, superscript)
    : three(value);
}

const superscript = (digits) => [...String(digits)].map((d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"["0123456789".indexOf(d)] ?? "⁻").join("");

// Value of a control's element, and the element's position for a value.
function read(control) {
  const element = document.getElementById(control.key);
  if (control.options) return control.key === "D" ? Number(element.value) : element.value;
  const position = Number(element.value);
  if (control.scale === LINEAR) return position;
  if (control.zero && position === 0) return 0;
  const value = control.low * (control.high / control.low) ** position;
  return control.whole ? Math.round(value) : Number(value.toPrecision(3));
}

function write(control, value) {
  const element = document.getElementById(control.key);
  if (control.options || control.scale === LINEAR) element.value = String(value);
  else if (control.zero && value === 0) element.value = "0";
  else element.value = String(Math.log(value / control.low) / Math.log(control.high / control.low));
}

function buildControls() {
  const form = document.getElementById("controls");
  form.textContent = "";
  let group;
  for (const control of CONTROLS) {
    if (control.group) {
      group = form.appendChild(document.createElement("fieldset"));
      group.innerHTML = `<legend>${control.group}</legend>`;
      continue;
    }
    const linear = control.scale === LINEAR;
    const range = linear ? [control.low, control.high, control.step] : [0, 1, "any"];
    const input = control.options
      ? `<select id="${control.key}" aria-describedby="${control.key}-help">${Object.entries(control.options).map(([value, name]) =>
        `<option value="${value}">${name}</option>`).join("")}</select>`
      : `<input type="range" id="${control.key}" aria-describedby="${control.key}-help" min="${range[0]}"`
        + ` max="${range[1]}" step="${range[2]}">`;
    const box = group.appendChild(document.createElement("div"));
    box.className = "control";
    box.innerHTML = `<label for="${control.key}">${control.name}</label><output for="${control.key}"></output>`
      + `${input}<small id="${control.key}-help">${control.help}</small>`;
  }
  const reset = form.appendChild(document.createElement("button"));
  reset.type = "button";
  reset.textContent = "Reset";
  reset.addEventListener("click", () => { setAll(defaults()); update(); });
  setAll(defaults());
}

const defaults = () => (mode === "minimal" ? CONSTANTS.defaults : CONSTANTS.transformer);

// Which network's equations are solved; its controls, charts and numbers come with it.
function choose(name) {
  mode = name;
  CONTROLS = name === "minimal" ? MINIMAL_CONTROLS : TRANSFORMER_CONTROLS;
  document.getElementById("model").value = name;
  document.querySelectorAll("[data-model]").forEach((element) => { element.hidden = element.dataset.model !== name; });
  buildControls();
  buildCharts();
}

// The settings in the address, which is thereby a link to share: only those that differ from the page's own.
function shared() {
  const given = new URLSearchParams(location.hash.slice(1)), found = {};
  for (const control of CONTROLS) {
    if (!control.key || !given.has(control.key)) continue;
    const text = given.get(control.key), value = control.key === "labels" ? text : Number(text);
    const known = control.options ? text in control.options
      : text !== "" && ((value >= control.low && value <= control.high) || (control.zero && value === 0));
    if (known) found[control.key] = value;
  }
  return found;
}

function share(settings) {
  const told = new URLSearchParams(mode === CONSTANTS.model ? {} : { model: mode });
  for (const { key } of CONTROLS) {
    if (key && settings[key] !== (defaults()[key] ?? Infinity)) told.set(key, String(settings[key]));
  }
  if (location.hash.slice(1) !== told.toString()) history.replaceState(null, "", `#${told}`);
}

function setAll(values) {
  for (const control of CONTROLS) if (control.key && control.key in values) write(control, values[control.key] ?? Infinity);
}

function readAll() {
  const settings = {};
  for (const control of CONTROLS) if (control.key) settings[control.key] = read(control);
  if (settings.labels === "balanced") settings.N -= settings.N % 2; // exactly half of each sign
  for (const control of CONTROLS) {
    if (!control.key || control.options) continue;
    const shown = show(control, settings[control.key]);
    document.querySelector(`output[for="${control.key}"]`).textContent = shown;
    document.getElementById(control.key).setAttribute("aria-valuetext", shown);
  }
  return settings;
}

// The address's model and settings, or the page's own.
function open() {
  const given = new URLSearchParams(location.hash.slice(1)).get("model");
  choose(["minimal", "transformer"].includes(given) ? given : CONSTANTS.model);
  setAll(shared());
  update();
}

const time = (t) => (Number.isNaN(t) ? "never" : t === 0 ? "at once" : three(t));
const large = (x) => (x === Infinity ? "∞" : x > 1e9 || (x > 0 && x < 1e-3) ? x.toExponential(1) : three(x));

function tell(found) {
  const { sentence, rows } = mode === "minimal" ? minimalWords(found) : transformerWords(found);
  document.getElementById("verdict").textContent = sentence;
  document.getElementById("numbers").innerHTML =
    rows.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join("");
}

const when = (t) => (t === 0 ? "at once" : `at t = ${time(t)}`);

function minimalWords(found) {
  const s = found.settings, at = `With K = ${s.K.toLocaleString("en")} and β0 = ${s.mean}`;
  const end = `T = ${three(s.T)}`;
  const sentence = {
    "no ICL": `${at} the network memorises: ICL is not acquired by ${end}.`,
    lasting: `${at} the network learns in context: acquired ${when(found.acquired)}, and kept to ${end}.`,
    transient: `${at} ICL is transient: acquired ${when(found.acquired)}, lost at t = ${time(found.lost)}.`,
  }[found.phase];
  return { sentence, rows: [
    ["phase", found.phase],
    [`threshold K* by ${end}`, large(found.coupledThreshold)],
    [`the same by the race, λ = 0`, large(found.threshold)],
    ["P(acquire | K) by T", found.probability.toFixed(3)],
    ["ICL acquired at t", time(found.acquired)],
    ["ICL lost at t", time(found.lost)],
    ["clock needed I*", large(found.clock)],
    ["clock there is I_K(∞)", large(found.total)],
  ] };
}

function transformerWords(found) {
  const s = found.settings, [icl, iwl] = found.final, end = `T = ${three(s.T)}`;
  const acquired = Number.isNaN(found.acquired) ? "" : `, acquired ${when(found.acquired)}`;
  const outcome = icl >= HALFWAY ? `learns in context${acquired}` : acquired ? `loses ICL again${acquired}` : "memorises";
  return {
    sentence: `With K = ${s.K.toLocaleString("en")} the transformer ${outcome}: at ${end} accuracy is ${icl.toFixed(2)} on `
      + `novel items and ${iwl.toFixed(2)} on training items.`,
    rows: [
      [`threshold K* by ${end}`, found.scan ? large(found.threshold) : "…"],
      ["ICL accuracy at T", icl.toFixed(3)],
      ["IWL accuracy at T", iwl.toFixed(3)],
      ["ICL acquired at t", time(found.acquired)],
      ["ICL at K → ∞ acquired at t", found.scan ? time(found.endless) : "…"],
      ["clock at T of I_K(∞)", `${large(found.states.at(-1)[5])} of ${large(found.total)}`],
      ["kernel's growth k(T)/k(0)", three(found.gains.at(-1))],
    ],
  };
}

// One chart: axes with decades or even ticks, lines, rules and dots, as the text of an SVG element.
function chart(width, { x, y, lines, rules = [], dots = [] }, height = 250) {
  const left = 52, right = 10, top = 8, bottom = 40;
  const axis = (a, low, high) => (v) => low + (high - low) * (a.scale.to(v) - a.scale.to(a.low))
    / (a.scale.to(a.high) - a.scale.to(a.low));
  const px = axis(x, left, width - right), py = axis(y, height - bottom, top);
  const inside = (a, v) => clip(v, a.low, a.high), parts = [];
  for (const v of ticks(x)) {
    parts.push(`<path d="M${px(v)} ${top}V${height - bottom + 4}" stroke="#e4e4e4"/>`
      + `<text x="${px(v)}" y="${height - bottom + 17}" text-anchor="middle">${label(x, v)}</text>`);
  }
  for (const v of ticks(y)) {
    parts.push(`<path d="M${left - 4} ${py(v)}H${width - right}" stroke="#e4e4e4"/>`
      + `<text x="${left - 7}" y="${py(v) + 4}" text-anchor="end">${label(y, v)}</text>`);
  }
  for (const rule of rules) {
    const across = rule.x !== undefined, a = across ? x : y, v = across ? rule.x : rule.y;
    if (!(v >= a.low && v <= a.high)) continue;
    const d = across ? `M${px(v)} ${top}V${height - bottom}` : `M${left} ${py(v)}H${width - right}`;
    parts.push(`<path d="${d}" stroke="${rule.colour}" stroke-dasharray="${rule.dash ?? "5 4"}" fill="none"/>`);
  }
  for (const line of lines) {
    const path = line.x.map((v, k) => [v, line.y[k]]).filter(([u, v]) => u >= x.low && u <= x.high && v === v)
      .map(([u, v]) => `${px(u).toFixed(1)} ${py(inside(y, v)).toFixed(1)}`).join("L");
    if (path) {
      parts.push(`<path d="M${path}" fill="none" stroke="${line.colour}" stroke-width="${line.thick ?? 2}"`
        + ` stroke-dasharray="${line.dash ?? "none"}" stroke-opacity="${line.opacity ?? 1}"/>`);
    }
  }
  for (const dot of dots) {
    if (!Number.isFinite(dot.x) || !Number.isFinite(dot.y)) continue;
    const at = px(inside(x, dot.x)), end = at > width / 2;
    parts.push(`<circle cx="${at}" cy="${py(inside(y, dot.y))}" r="5" fill="${dot.colour}"/>`);
    if (dot.text) {
      parts.push(`<text x="${at + (end ? -9 : 9)}" y="${clip(py(inside(y, dot.y)) + (end ? 16 : -6), 20, height - bottom - 6)}"`
        + ` text-anchor="${end ? "end" : "start"}" paint-order="stroke" stroke="#fff" stroke-width="4">${dot.text}</text>`);
    }
  }
  parts.push(`<path d="M${left} ${top}V${height - bottom}H${width - right}" fill="none" stroke="#333"/>`
    + `<text x="${(left + width - right) / 2}" y="${height - 6}" text-anchor="middle">${x.name}</text>`
    + `<text transform="translate(13 ${(top + height - bottom) / 2}) rotate(-90)" text-anchor="middle">${y.name}</text>`);
  return parts.join("");
}

function ticks(axis) {
  if (axis.scale === LINEAR) return [0, 1, 2, 3, 4].map((k) => axis.low + k / 4 * (axis.high - axis.low));
  const first = Math.ceil(Math.log10(axis.low) - 1e-9), last = Math.floor(Math.log10(axis.high) + 1e-9);
  const every = Math.ceil((last - first + 1) / 8), found = [];
  for (let k = first; k <= last; k += every) found.push(10 ** k);
  return found;
}

const label = (axis, v) => (axis.scale === LINEAR ? String(v) : `10${superscript(Math.round(Math.log10(v)))}`);

const ICL = "var(--icl)", IWL = "var(--iwl)", THEORY = "var(--theory)", GREEN = "var(--measured)", FAINT = "var(--faint)";

// The four charts: title, what the lines are, caption, and content from what was computed.
const MINIMAL_CHARTS = [
  { title: "Accuracy", caption: "ICL: novel items, a copy in the context. IWL: training items, no copy in the context.",
    key: [["ICL, mean β0", ICL, "none", 2.5], ["ICL, β0 one width off", ICL, "none", 1], ["IWL", IWL, "7 4", 2]],
    content: (found) => ({
      x: timeAxis(found), y: { name: "accuracy", low: 0, high: 1, scale: LINEAR },
      lines: [...found.spread.map((curves) => ({ x: found.times, y: curves.icl_accuracy, colour: ICL, thick: 1 })),
        { x: found.times, y: found.curves.iwl_accuracy, colour: IWL, dash: "7 4" },
        { x: found.times, y: found.curves.icl_accuracy, colour: ICL, thick: 2.5 }],
    }),
    says: (found) => `at the end ICL ${found.curves.icl_accuracy.at(-1).toFixed(2)}, IWL ${found.curves.iwl_accuracy.at(-1).toFixed(2)}` },
  { title: "Loss", caption: "Logistic loss on the same two tests, mean β0, in nats; what memory learns shows here first.",
    key: [["ICL", ICL, "none", 2.5], ["IWL", IWL, "7 4", 2]],
    content: (found) => ({
      x: timeAxis(found), y: { name: "loss", low: 1e-4, high: 2, scale: LOG },
      lines: [{ x: found.times, y: found.curves.iwl_loss, colour: IWL, dash: "7 4" },
        { x: found.times, y: found.curves.icl_loss, colour: ICL, thick: 2.5 }],
    }),
    says: (found) => `at the end ICL ${three(found.curves.icl_loss.at(-1))}, IWL ${three(found.curves.iwl_loss.at(-1))}` },
  { title: "The race", caption: "Alone, the memory's clock ends at I_K(∞); it wins if that is short of I*. ICL, as it forms, slows the memory, whose clock then runs on.",
    key: [["clock of the memory alone", IWL, "none", 2.5], ["beside ICL, until acquired", IWL, "7 4", 1.5],
      ["needed, I*", ICL, "5 4", 1.5], ["all there is, I_K(∞)", FAINT, "2 3", 1.5]],
    content: (found) => {
      const won = found.phase !== "no ICL", until = won ? found.acquired : found.settings.T;
      const beside = found.times.map((t, k) => [t, found.curves.clock[k]]).filter(([t]) => t <= until);
      if (won && found.acquired > 0) beside.push([found.acquired, found.clockAcquired]);
      const finite = [found.total, found.clock, ...beside.map(([, clock]) => clock)].filter((v) => v > 0 && v < Infinity);
      return {
        x: timeAxis(found), y: { name: "clock", low: 0.3, high: Math.max(...finite, 10) * 3, scale: LOG },
        lines: [{ ...found.lone, colour: IWL, thick: 2.5 },
          { x: beside.map(([t]) => t), y: beside.map(([, clock]) => clock), colour: IWL, dash: "7 4", thick: 1.5 }],
        rules: [{ y: found.clock, colour: ICL }, { y: found.total, colour: FAINT, dash: "2 3" }],
        dots: won ? [{ x: found.acquired, y: found.clockAcquired, colour: ICL, text: "ICL acquired" }] : [],
      };
    },
    says: (found) => `alone the memory's clock ends at ${large(found.total)}; ICL needs ${large(found.clock)}` },
  { title: "Who wins, against task diversity",
    caption: "Line: by the race at this T, λ = 0. Dot and K*: coupled equations, λ and T as set.",
    key: [["P(acquire) by T, race", THEORY, "none", 2], ["K* by T", ICL, "5 4", 1.5], ["this K", GREEN, "0 6", 9]],
    content: (found) => ({
      x: { name: "task diversity K", low: 10, high: 1e6, scale: LOG },
      y: { name: "P(acquire ICL)", low: 0, high: 1, scale: LINEAR },
      lines: [{ x: found.race.map(([K]) => K), y: found.race.map(([, P]) => P), colour: THEORY }],
      rules: [{ x: found.coupledThreshold, colour: ICL }],
      dots: [{ x: found.settings.K, y: found.probability, colour: GREEN,
        text: `K* = ${large(found.coupledThreshold)} by T = ${three(found.settings.T)}` }],
    }),
    says: (found) => `P is ${found.probability.toFixed(2)} at this K; K* by T is ${large(found.coupledThreshold)}` },
];

const TRANSFORMER_CHARTS = [
  { title: "Accuracy", caption: "ICL: novel items, a copy in the context. IWL: training items, no copy in the context.",
    key: [["ICL", ICL, "none", 2.5], ["IWL", IWL, "7 4", 2]],
    content: (found) => ({
      x: timeAxis(found), y: { name: "accuracy", low: 0, high: 1, scale: LINEAR },
      lines: [{ x: found.times, y: found.iwl, colour: IWL, dash: "7 4" },
        { x: found.times, y: found.icl, colour: ICL, thick: 2.5 }],
      dots: Number.isNaN(found.acquired) ? [] : [{ x: found.acquired, y: CONSTANTS.level, colour: ICL, text: "ICL acquired" }],
    }),
    says: (found) => `at the end ICL ${found.final[0].toFixed(2)}, IWL ${found.final[1].toFixed(2)}` },
  { title: "What attention learns", caption: "The score of the copy, β, and the label gain w by which the perceptron reads the attended label.",
    key: [["score of the copy β", ICL, "none", 2.5], ["label gain w", GREEN, "7 4", 2]],
    content: (found) => {
      const beta = found.states.map((y) => y[2]), w = found.states.map((y) => y[0]), most = Math.max(...beta, ...w, 4);
      return {
        x: timeAxis(found), y: { name: "β, w", low: -4, high: 16 * Math.ceil((most + 4) / 16) - 4, scale: LINEAR },
        lines: [{ x: found.times, y: w, colour: GREEN, dash: "7 4" }, { x: found.times, y: beta, colour: ICL, thick: 2.5 }],
      };
    },
    says: (found) => `at the end β ${three(found.states.at(-1)[2])}, w ${three(found.states.at(-1)[0])}` },
  { title: "The shared perceptron", caption: "The circuits are not independent: as the clock J runs, the perceptron's kernel k grows, and with it the speed at which it learns to read the attention.",
    key: [["clock J over I_K(∞)", IWL, "none", 2.5], ["kernel k over its start", GREEN, "7 4", 2]],
    content: (found) => ({
      x: timeAxis(found), y: { name: "ratio", low: 1e-2, high: 1e4, scale: LOG },
      lines: [{ x: found.times, y: found.states.map((y) => Math.max(y[5] / found.total, 1e-2)), colour: IWL, thick: 2.5 },
        { x: found.times, y: found.gains, colour: GREEN, dash: "7 4" }],
    }),
    says: (found) => `at the end J is ${three(found.states.at(-1)[5] / found.total)} of I_K(∞), k ${three(found.gains.at(-1))} times its start` },
  { title: "Who wins, against task diversity",
    caption: "ICL accuracy at T of networks with other K and the same start. K*: halfway from chance to perfect.",
    key: [["ICL accuracy at T", ICL, "none", 2.5], ["K* by T", ICL, "5 4", 1.5], ["this K", GREEN, "0 6", 9]],
    content: (found) => ({
      x: { name: "task diversity K", low: 32, high: 8192, scale: LOG }, y: { name: "ICL accuracy at T", low: 0, high: 1, scale: LINEAR },
      lines: found.scan ? [{ x: found.scan.map(([K]) => K), y: found.scan.map(([, icl]) => icl), colour: ICL, thick: 2.5 }] : [],
      rules: found.scan ? [{ x: found.threshold, colour: ICL }] : [],
      dots: [{ x: found.settings.K, y: found.final[0], colour: GREEN,
        text: found.scan ? `K* = ${large(found.threshold)} by T = ${three(found.settings.T)}` : "" }],
    }),
    says: (found) => (found.scan ? `K* by T is ${large(found.threshold)}` : "being computed") },
];

const charts = () => (mode === "minimal" ? MINIMAL_CHARTS : TRANSFORMER_CHARTS);

const timeAxis = (found) => ({ name: "time t = learning rate × steps", low: 1, high: found.settings.T, scale: LOG });

function buildCharts() {
  document.getElementById("charts").innerHTML = charts().map(({ title, key, caption }) => {
    const entries = key.map(([name, colour, dash, thick]) => `<span><svg aria-hidden="true"><path d="M0 5H26"`
      + ` stroke="${colour}" stroke-width="${thick}" stroke-dasharray="${dash}"`
      + `${dash === "0 6" ? ' stroke-linecap="round" transform="translate(13 0)" pathLength="6"' : ""}/></svg>${name}</span>`);
    return `<figure><h2>${title}</h2><p class="key">${entries.join("")}</p>`
      + `<svg class="plot" role="img" aria-label="${title}"></svg><figcaption>${caption}</figcaption></figure>`;
  }).join("");
}

function draw(found) {
  tell(found);
  document.querySelectorAll("svg.plot").forEach((element, k) => {
    element.innerHTML = chart(element.clientWidth, charts()[k].content(found), element.clientHeight);
    element.setAttribute("aria-label", `${charts()[k].title}: ${charts()[k].says(found)}`); // what a screen reader says of it
  });
}

// The transformer's scan over K comes after its curves: it takes seconds, and moving a slider starts it again.
let scanning = 0;
function update() {
  const settings = readAll();
  share(settings);
  const mine = ++scanning;
  if (mode === "minimal") return draw(compute(settings));
  const found = computeTransformer(settings), pieces = scanTransformer(found);
  draw(found);
  const next = () => {
    if (mine !== scanning) return;
    const { done, value } = pieces.next();
    if (!done) return void setTimeout(next);
    draw(value);
    document.getElementById("charts").dataset.settled = mine;
  };
  setTimeout(next, 150);
}

document.getElementById("version").textContent = CONSTANTS.version;
document.getElementById("controls").addEventListener("input", update);
document.getElementById("model").addEventListener("input", (event) => { choose(event.target.value); update(); });
open();
addEventListener("resize", update);
addEventListener("hashchange", open);
