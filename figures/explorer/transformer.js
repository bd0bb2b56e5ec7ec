// The reduced transformer with its core terms (docs/reduced_transformer.md), solved in the page; a test holds these numbers
// against iclrace.simulate. State y = [w, |v|², β, ln ρ, ln λ, J]: label gain, value, score of a copy, what is left of the
// random scores between items and along the label, clock of the memory. Averages run over sampled contexts.
//
// CONSTANTS.coupling holds perceptrons trained alone, read off evenly over their clocks: k, G², s_φ, g₂, ⟨|∇f|²⟩, Θ, margins.

const READINGS = 257, COLUMNS = ["gain", "mean_gradient", "novel_std", "noise_cost", "slope_square", "self_kernel"];
const SMALL = [0.1, 1, 1, 1, 1, 1], HALFWAY = 0.75; // K*: halfway from chance to perfect

// The couplings at one K over an even grid of J/I_K(∞), interpolated in ln K between the runs around it.
function couplings(K) {
  const { runs, quantiles } = CONSTANTS.coupling, width = 6 + quantiles;
  if (K === Infinity) { // nothing is memorised: the perceptron stays as it starts
    const last = runs.at(-1), row = [...COLUMNS.map((name) => last[name][0]), ...Array(quantiles).fill(0)];
    row[5] = 0; // no item comes back
    return { total: 1, width, rows: Float64Array.from([...row, ...row]) };
  }
  const at = runs.findIndex((run) => run.task_diversity >= K);
  const i = clip((at < 0 ? runs.length : at) - 1, 0, runs.length - 2), [low, high] = [runs[i], runs[i + 1]];
  const place = Math.log(K / low.task_diversity) / Math.log(high.task_diversity / low.task_diversity);
  const share = clip(place, 0, 1), rows = new Float64Array(READINGS * width);
  const read = (values, x, f) => {
    const reach = x * (values.length - 1), k = Math.min(Math.floor(reach), values.length - 2);
    return f(values[k]) + (reach - k) * (f(values[k + 1]) - f(values[k]));
  };
  for (let p = 0; p < READINGS; p++) {
    const x = p / (READINGS - 1), row = p * width;
    COLUMNS.forEach((name, c) => {
      rows[row + c] = Math.exp((1 - share) * read(low[name], x, Math.log) + share * read(high[name], x, Math.log));
    });
    for (let q = 0; q < quantiles; q++) {
      const margin = (run) => read(run.margins, x, (reading) => reading[q]);
      rows[row + 6 + q] = (1 - share) * margin(low) + share * margin(high);
    }
  }
  return { total: Math.exp((1 - place) * Math.log(low.total) + place * Math.log(high.total)), width, rows };
}

function readRow(table, fraction, row) {
  const last = table.rows.length / table.width - 1, place = clip(fraction, 0, 1) * last;
  const i = Math.min(Math.floor(place), last - 1), share = place - i, at = i * table.width;
  for (let j = 0; j < table.width; j++) row[j] = (1 - share) * table.rows[at + j] + share * table.rows[at + table.width + j];
}

// Draws of everything random in a sequence, each with its mirror image; the same ones for every K.
function drawContexts(N, D, draws, seed = 1) {
  let state = seed;
  const uniform = () => { // mulberry32
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const gaussian = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const both = 2 * draws, found = { N, draws: both };
  for (const name of ["labels", "items", "overlaps"]) found[name] = new Float64Array(both * N);
  for (const name of ["own", "common", "label"]) found[name] = new Float64Array(both);
  found.rank = new Int32Array(both);
  const quantiles = CONSTANTS.coupling.quantiles, order = Array.from({ length: draws }, (_, i) => i % quantiles);
  for (let i = draws - 1; i > 0; i--) {
    const j = Math.floor(uniform() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  for (let i = 0; i < draws; i++) {
    const mirror = i + draws, own = gaussian(), common = gaussian(), label = gaussian();
    for (const [at, sign] of [[i, 1], [mirror, -1]]) {
      found.own[at] = own;
      found.common[at] = common;
      found.label[at] = sign * label;
      found.rank[at] = order[i];
    }
    for (let j = 0; j < N; j++) {
      const copy = j === 0, side = copy ? 1 : uniform() < 0.5 ? -1 : 1;
      const item = copy ? own : gaussian(), overlap = copy ? 1 : gaussian() / Math.sqrt(D);
      for (const [at, sign] of [[i, 1], [mirror, copy ? 1 : -1]]) {
        found.labels[at * N + j] = sign * side;
        found.items[at * N + j] = item;
        found.overlaps[at * N + j] = overlap;
      }
    }
  }
  return found;
}

// Sizes of a transformer of settings s = {N, D, K, r, scale, decay}.
function transformer(s) {
  const d = s.D + 2;
  return { ...s, d, label2: d / 4, residual: 1, table: couplings(s.K), weights: new Float64Array(s.N),
    row: new Float64Array(6 + CONSTANTS.coupling.quantiles), scales: new Float64Array(5), onSelf: 0 };
}

// Standard deviations of the scores between items, of the own one, of that common to all, of that along the label, and
// A = |W_Q row|² + |W_K row|².
function scoreScales(m, y, t) {
  const unit = m.scale ** 2 * Math.exp(-2 * m.decay * t), rough = Math.exp(y[3]);
  const onLabel = unit * Math.sqrt(m.label2) / 3;
  m.scales[0] = rough * unit * Math.sqrt(m.d / 18);
  m.scales[1] = rough * unit * Math.sqrt(m.d) / 3;
  m.scales[2] = rough * onLabel;
  m.scales[3] = Math.exp(y[4]) * onLabel;
  m.scales[4] = 2 * unit / 3;
}

// Attention of draw i from context token `first` on into m.weights, on the target itself into m.onSelf; the attended label.
function attend(m, contexts, i, beta, first) {
  const { N, labels, items, overlaps } = contexts, { scales, weights } = m, at = i * N;
  const item = scales[0], along = scales[3] * contexts.label[i], copied = scales[1] * Math.SQRT1_2; // a copy's is the target's
  let onSelf = scales[1] * contexts.own[i] + Math.SQRT2 * beta - scales[2] * contexts.common[i], top = onSelf;
  for (let j = first; j < N; j++) {
    const overlap = overlaps[at + j];
    const score = (overlap === 1 ? copied : item) * items[at + j] + beta * overlap + along * labels[at + j];
    weights[j] = score;
    if (score > top) top = score;
  }
  onSelf = Math.exp(onSelf - top);
  let total = onSelf, attended = 0;
  for (let j = first; j < N; j++) {
    const weight = Math.exp(weights[j] - top);
    weights[j] = weight;
    total += weight;
    attended += weight * labels[at + j];
  }
  for (let j = first; j < N; j++) weights[j] /= total;
  m.onSelf = onSelf / total;
  return attended / total;
}

function transformerRates(m, contexts, t, y, out) {
  const { d, D, K, r, row, label2, weights } = m, { N, labels, overlaps, draws, rank } = contexts;
  readRow(m.table, y[5] / m.table.total, row);
  scoreScales(m, y, t);
  const w = y[0], value = y[1], beta = y[2], square = m.scales[4];
  let drive = 0, wrong = 0, turn = 0, recruit = 0, stein = 0, slope = 0, seen = 0, seenTwice = 0;
  for (let i = 0; i < draws; i++) {
    const a = attend(m, contexts, i, beta, 0), onSelf = m.onSelf, spread = 1 - onSelf - a * a;
    const error = 1 / (1 + Math.exp(row[6 + rank[i]] + w * a)), curve = error * (1 - error), onCopy = weights[0], at = i * N;
    let towards = onCopy * overlaps[at] * (labels[at] - a), others = 0, squares = 0, firsts = 0;
    for (let j = 1; j < N; j++) {
      const x = weights[j], lean = labels[at + j] - a;
      towards += x * overlaps[at + j] * lean;
      others += x * x;
      squares += x * x * lean * lean;
      firsts += x * (1 - 2 * x) * lean;
    }
    towards -= Math.SQRT2 * onSelf * a;
    const noise = others + 0.5 * onCopy * onCopy;
    drive += error * a;
    wrong += error;
    turn += error * w * towards;
    recruit += d * onSelf * noise + d * Math.SQRT1_2 * (onCopy * noise - 0.5 * onCopy * onCopy);
    stein += error * w * firsts - curve * w * w * squares;
    slope += error * w * a * (onSelf - 2 * spread) - curve * (w * spread) ** 2;
    seen += onSelf * onSelf;
    seenTwice += (onSelf * (1 - onSelf)) ** 2;
  }
  out[0] = (r * row[0] * value + label2 * (row[1] + w * w / value)) * drive / draws - m.decay * w;
  out[1] = 2 * label2 * w * drive / draws - 2 * m.decay * value;
  out[2] = d * d / (2 * D) * square * turn / draws + d * Math.SQRT1_2 / D * square * row[3] / 3 * recruit / draws
    - 2 * m.decay * beta;
  out[3] = d * d / (2 * D * D) * square * stein / draws;
  out[4] = label2 * d * square / D * slope / draws;
  const attention = K === Infinity ? 0 : row[4] * (d * seen + square * d * d / 3 * seenTwice) / draws / (K * row[5]);
  out[5] = (r + attention) * wrong / draws;
}

// ICL accuracy on novel items, and IWL accuracy on training items without a copy in the context.
function transformerAccuracy(m, contexts, t, y, iwl = false) {
  readRow(m.table, y[5] / m.table.total, m.row);
  scoreScales(m, y, t);
  let icl = 0, known = 0;
  for (let i = 0; i < contexts.draws; i++) {
    icl += normal(y[0] * attend(m, contexts, i, y[2], 0) / m.row[2]);
    if (!iwl) continue;
    const logit = m.row[6 + contexts.rank[i]] + y[0] * attend(m, contexts, i, y[2], 1);
    known += logit > 0 ? 1 : logit === 0 ? 0.5 : 0;
  }
  return iwl ? [icl / contexts.draws, known / contexts.draws] : icl / contexts.draws;
}

// From y0 to T by Bogacki and Shampine's pair; with `keep` the state after every step, and when
// ICL accuracy first exceeds 95 %.
function solveTransformer(m, contexts, start, T, keep = true, rtol = 2e-3) {
  const n = 6, found = { times: [], states: [], icl: [], acquired: NaN, steps: 0 };
  let y = Float64Array.from(start), t = 0, h = Math.min(0.05, T);
  let k1 = new Float64Array(n), k2 = new Float64Array(n), k3 = new Float64Array(n), k4 = new Float64Array(n);
  const at = new Float64Array(n), end = new Float64Array(n);
  const rates = (time, state, out) => transformerRates(m, contexts, time, state, out);
  const record = (accuracy) => { found.times.push(t); found.states.push(Array.from(y)); found.icl.push(accuracy); };
  let accuracy = transformerAccuracy(m, contexts, 0, y);
  if (accuracy > CONSTANTS.level) found.acquired = 0;
  rates(0, y, k1);
  record(accuracy);
  while (t < T) {
    if (++found.steps > 20000) throw new Error(`the transformer's equations need too many steps at t = ${t}`);
    h = Math.min(h, T - t);
    for (let j = 0; j < n; j++) at[j] = y[j] + 0.5 * h * k1[j];
    rates(t + 0.5 * h, at, k2);
    for (let j = 0; j < n; j++) at[j] = y[j] + 0.75 * h * k2[j];
    rates(t + 0.75 * h, at, k3);
    for (let j = 0; j < n; j++) end[j] = y[j] + h * (2 * k1[j] + 3 * k2[j] + 4 * k3[j]) / 9;
    rates(t + h, end, k4);
    let norm = 0;
    for (let j = 0; j < n; j++) {
      const error = h * (-5 * k1[j] / 72 + k2[j] / 12 + k3[j] / 9 - k4[j] / 8);
      const size = rtol * SMALL[j] + rtol * Math.max(Math.abs(y[j]), Math.abs(end[j]));
      norm = Number.isFinite(end[j]) ? Math.max(norm, Math.abs(error) / size) : Infinity;
      if (norm === Infinity) break;
    }
    if (norm > 1 && h < 1e-9 * T) throw new Error(`the step vanished at t = ${t}`);
    if (norm <= 1) {
      if (keep) accuracy = transformerAccuracy(m, contexts, t + h, end);
      if (keep && Number.isNaN(found.acquired) && accuracy > CONSTANTS.level) {
        let low = 0, high = 1;
        for (let turn = 0; turn < 12; turn++) {
          const x = 0.5 * (low + high);
          for (let j = 0; j < n; j++) {
            at[j] = (1 + 2 * x) * (1 - x) ** 2 * y[j] + x * x * (3 - 2 * x) * end[j]
              + h * x * (1 - x) * ((1 - x) * k1[j] - x * k4[j]);
          }
          if (transformerAccuracy(m, contexts, t + x * h, at) > CONSTANTS.level) high = x; else low = x;
        }
        found.acquired = t + 0.5 * (low + high) * h;
      }
      t = h >= T - t ? T : t + h;
      y.set(end);
      [k1, k4] = [k4, k1];
      if (keep) record(accuracy);
    }
    h *= clip(norm === 0 ? 5 : 0.9 * norm ** (-1 / 3), 0.2, 5);
  }
  found.end = Array.from(y);
  return found;
}

// Start of settings s: w = 0, |v|² = d/12, and β0 at s.start of its standard deviations over initial weights.
const transformerStart = (s) => [0, (s.D + 2) / 12, s.start * s.scale ** 2 * Math.sqrt((s.D + 2) / (18 * s.D)), 0, 0, 0];

// ICL accuracy at T over K; contexts are the same for every K.
function transformerEnd(s, K, contexts) {
  const m = transformer({ ...s, K });
  return transformerAccuracy(m, contexts, s.T, solveTransformer(m, contexts, transformerStart(s), s.T, false).end);
}

// K*: where accuracies over K first rise through 3/4, as iclrace.simulate.reduced_threshold reads it; NaN outside.
function halfway(diversities, accuracies) {
  const i = accuracies.findIndex((one) => one >= HALFWAY);
  if (i < 0) return Infinity;
  if (i === 0) return diversities[0];
  const share = (HALFWAY - accuracies[i - 1]) / (accuracies[i] - accuracies[i - 1]);
  return diversities[i - 1] * (diversities[i] / diversities[i - 1]) ** share;
}

// What the page shows of a transformer at once, for settings {N, K, start, scale, r, decay, T}; longer contexts take fewer draws.
function computeTransformer(s) {
  const sized = { ...s, D: CONSTANTS.coupling.settings.dimension }, m = transformer(sized);
  const contexts = drawContexts(s.N, sized.D, clip(Math.round(7500 / s.N), 100, 500));
  const found = solveTransformer(m, contexts, transformerStart(sized), s.T);
  const gains = found.states.map((y) => (readRow(m.table, y[5] / m.table.total, m.row), m.row[0] / m.table.rows[0]));
  const tests = found.states.map((y, k) => transformerAccuracy(m, contexts, found.times[k], y, true));
  return { ...found, settings: s, sized, contexts, gains, total: m.table.total, iwl: tests.map(([, iwl]) => iwl),
    final: tests.at(-1) };
}

// What comes later, piece by piece: t_ICL at K → ∞, then ICL accuracy at T and K*, both on the same contexts.
function* scanTransformer(found) {
  const s = found.sized, diversities = geomspace(32, 8192, 13), scan = [];
  const endless = solveTransformer(transformer({ ...s, K: Infinity }), found.contexts, transformerStart(s), s.T).acquired;
  for (const K of diversities) {
    yield;
    scan.push([K, transformerEnd(s, K, found.contexts)]);
  }
  return { ...found, endless, scan, threshold: halfway(diversities, scan.map(([, icl]) => icl)) };
}
