"use strict";
// The coupled equations of iclrace.theory and iclrace.simulate, solved in the page; a test holds these numbers against
// Python's. State y = [w, β, φ, I_K]: readout weight, attention strength, margin of the memory, clock of the memory.
//
//   u = φ + w a,  a = (e^β + n)/Z,  Z = e^β + (N − 1) e^{β²/2D}
//   dw/dt = E_n[σ(−u) a] − λ w,  dβ/dt = E_n[σ(−u) w ∂a/∂β] − λ β,  dφ/dt = r_K (1 + φ/p)^q E_n[σ(−u)],  dI_K/dt = σ(−φ)
//
// CONSTANTS (Hermite nodes, Rodas5P, the 95 % level, p and q) are written in front of this file by explorer.py.

const BETA_MAX = 300, EXPONENT_MAX = 600, ATOL = 1e-9;
const STAGES = CONSTANTS.rodas5p.a.length;
const RODAS = { gamma: CONSTANTS.rodas5p.gamma };
for (const name of ["a", "c", "h"]) RODAS[name] = Float64Array.from(CONSTANTS.rodas5p[name].flat());
const clip = (x, low, high) => Math.min(Math.max(x, low), high);
const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

// Φ(x), by a rational approximation of erfc with relative error below 1.2e-7 (W. J. Cody's form, Numerical Recipes).
function normal(x) {
  const z = Math.abs(x) * Math.SQRT1_2, t = 1 / (1 + 0.5 * z);
  const c = [-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587,
    -0.82215223, 0.17087277];
  const half = 0.5 * t * Math.exp(-z * z + c.reduceRight((sum, one) => sum * t + one, 0));
  return x > 0 ? 1 - half : half;
}

const totalClock = (s, K) => s.A * K ** s.nu;

// What the field needs of the settings; K = Infinity leaves the memory at φ = 0.
function model(s, K, decay) {
  const balanced = s.labels === "balanced", others = s.N - 1;
  const growth = CONSTANTS.growth_exponent, scale = CONSTANTS.margin_scale;
  return {
    N: s.N, D: s.D, balanced, others, decay, growth, scale,
    mean: balanced ? -1 : 0,
    deviation: Math.sqrt(others),
    nodes: Float64Array.from(balanced ? [0] : CONSTANTS.nodes),
    weights: Float64Array.from(balanced ? [1] : CONSTANTS.weights),
    rate: K === Infinity ? 0 : scale / ((growth - 1) * totalClock(s, K)),
    level: acquiredBeta(s),
  };
}

function iclAccuracy(m, w, beta) {
  if (Math.abs(w) < 10 * ATOL) return 0.5; // decayed: the sign of what is left is the solver's, not the flow's
  beta = clip(beta, -BETA_MAX, BETA_MAX);
  const correct = m.balanced ? balancedAccuracy(m.N, m.D, beta) : normal(Math.exp(beta) / m.deviation);
  return w > 0 ? correct : 1 - correct;
}

function balancedAccuracy(N, D, beta) {
  const spread = Math.min(beta * beta / D, 0.5 * EXPONENT_MAX);
  const variance = (N - 1) * Math.exp(spread) * Math.expm1(spread);
  if (!(variance > 0)) return 0.5 * (1 + Math.sign(beta));
  return normal((Math.exp(beta) - Math.exp(0.5 * spread)) / Math.sqrt(variance));
}

// β at which ICL accuracy reaches 95 % for w > 0.
function acquiredBeta(s) {
  if (s.labels === "iid") return Math.log(CONSTANTS.level_deviate * Math.sqrt(s.N - 1));
  if (s.D === Infinity) return 0;
  const reached = (beta) => balancedAccuracy(s.N, s.D, beta) >= CONSTANTS.level;
  const last = Math.min(Math.sqrt(s.D), 20), count = 4000;
  for (let k = 0; k < count; k++) {
    const at = 1e-6 + k / (count - 1) * (last - 1e-6);
    if (reached(at)) return k === 0 ? at : bisect((beta) => !reached(beta), at - last / (count - 1), at, 1e-12);
  }
  return Infinity;
}

// Where a condition that holds at `low` and not at `high` stops holding.
function bisect(holds, low, high, width) {
  while (high - low > width) {
    const middle = 0.5 * (low + high);
    if (middle === low || middle === high) break;
    if (holds(middle)) low = middle; else high = middle;
  }
  return 0.5 * (low + high);
}

// Rates at y; with `J`, also ∂(rates of w, β, φ)/∂(w, β, φ) by rows, and ∂(dI/dt)/∂φ after them.
function field(m, y, rates, J) {
  const w = y[0], beta = clip(y[1], -BETA_MAX, BETA_MAX), phi = y[2], nodes = m.nodes, weights = m.weights;
  const copy = Math.exp(beta), rate = beta / m.D;
  const others = m.others * Math.exp(Math.min(0.5 * beta * rate, EXPONENT_MAX));
  const Z = copy + others, Z1 = copy + rate * others, Z2 = copy + (rate * rate + 1 / m.D) * others;
  const a0 = (copy + m.mean) / Z, d0 = m.deviation / Z;
  // copy Z − (copy + n) Z′ with the part of Z and Z′ that is the copy's own taken out, which would cancel
  const a1 = (copy * others * (1 - rate) - m.mean * Z1) / (Z * Z), d1 = -d0 * Z1 / Z;
  const a2 = (copy - 2 * a1 * Z1 - a0 * Z2) / Z, d2 = (-2 * d1 * Z1 - d0 * Z2) / Z;
  let residual = 0, pull = 0, turn = 0, bend = 0, c = 0, ca = 0, cb = 0, caa = 0, cab = 0, cbb = 0;
  for (let k = 0; k < nodes.length; k++) {
    const x = nodes[k], a = a0 + d0 * x, b = a1 + d1 * x, s = 1 / (1 + Math.exp(phi + w * a)), r = weights[k] * s;
    residual += r;
    pull += r * a;
    turn += r * b;
    if (J === undefined) continue;
    const change = r * (1 - s);
    bend += r * (a2 + d2 * x);
    c += change;
    ca += change * a;
    cb += change * b;
    caa += change * a * a;
    cab += change * a * b;
    cbb += change * b * b;
  }
  const base = Math.max(1 + phi / m.scale, 1e-300), growth = m.rate === 0 ? 0 : m.rate * base ** m.growth;
  rates[0] = pull - m.decay * w;
  rates[1] = w * turn - m.decay * y[1];
  rates[2] = growth * residual;
  rates[3] = sigmoid(-phi);
  if (J === undefined) return;
  J[0] = -caa - m.decay;
  J[1] = J[3] = turn - w * cab;
  J[2] = -ca;
  J[4] = w * bend - w * w * cbb - m.decay;
  J[5] = -w * cb;
  J[6] = -growth * ca;
  J[7] = -growth * w * cb;
  J[8] = growth * (m.growth * residual / (base * m.scale) - c);
  J[9] = -rates[3] * (1 - rates[3]);
}

// out = inverse of 1/(γh) − J for the components w, β, φ, by cofactors.
function invert(J, diagonal, out) {
  const a = diagonal - J[0], b = -J[1], c = -J[2], d = -J[3], e = diagonal - J[4], f = -J[5], g = -J[6], h = -J[7];
  const i = diagonal - J[8], A = e * i - f * h, B = f * g - d * i, C = d * h - e * g, det = a * A + b * B + c * C;
  out[0] = A / det;
  out[1] = (c * h - b * i) / det;
  out[2] = (b * f - c * e) / det;
  out[3] = B / det;
  out[4] = (a * i - c * g) / det;
  out[5] = (c * d - a * f) / det;
  out[6] = C / det;
  out[7] = (b * g - a * h) / det;
  out[8] = (a * e - b * d) / det;
}

// One step of Rodas5P, an L-stable Rosenbrock method, from work.y to work.end; the norm of its error.
//   (1/(γh) − J) k_i = f(y + Σ_j a_ij k_j) + Σ_j c_ij k_j/h
function rosenbrock(m, h, work) {
  const { gamma, a, c } = RODAS, { y, end, stages, rates, point, J, inv } = work;
  invert(J, 1 / (gamma * h), inv);
  for (let i = 0; i < STAGES; i++) {
    for (let n = 0; n < 4; n++) {
      let sum = y[n];
      for (let j = 0; j < i; j++) sum += a[i * STAGES + j] * stages[4 * j + n];
      point[n] = sum;
    }
    field(m, point, rates);
    for (let n = 0; n < 4; n++) {
      let sum = 0;
      for (let j = 0; j < i; j++) sum += c[i * STAGES + j] * stages[4 * j + n];
      rates[n] += sum / h;
    }
    for (let n = 0; n < 3; n++) {
      stages[4 * i + n] = inv[3 * n] * rates[0] + inv[3 * n + 1] * rates[1] + inv[3 * n + 2] * rates[2];
    }
    stages[4 * i + 3] = gamma * h * (rates[3] + J[9] * stages[4 * i + 2]);
  }
  let square = 0;
  for (let n = 0; n < 4; n++) {
    const last = stages[4 * (STAGES - 1) + n];
    end[n] = point[n] + last;
    square += (last / (ATOL + CONSTANTS.rtol * Math.max(Math.abs(y[n]), Math.abs(end[n])))) ** 2;
  }
  return Math.sqrt(square);
}

// State at the fraction x of the step in `work`: y + x (Δ + (1 − x) (K1 + x (K2 + x K3))), K_i = Σ_j h_ij k_j.
function dense(work, x) {
  const { y, end, stages } = work, state = [0, 0, 0, 0];
  for (let n = 0; n < 4; n++) {
    let k1 = 0, k2 = 0, k3 = 0;
    for (let j = 0; j < STAGES; j++) {
      k1 += RODAS.h[j] * stages[4 * j + n];
      k2 += RODAS.h[STAGES + j] * stages[4 * j + n];
      k3 += RODAS.h[2 * STAGES + j] * stages[4 * j + n];
    }
    state[n] = y[n] + x * (end[n] - y[n] + (1 - x) * (k1 + x * (k2 + x * k3)));
  }
  return state;
}

// Adaptive steps from y0 to T; states at `times`, and when ICL is acquired and lost (NaN for what does not happen).
function solve(m, y0, T, times, stopWhenAcquired) {
  // Positive once ICL is acquired, beyond 10 ATOL, as the signs of what has decayed to 0 are rounding. It is lost below
  // −10 ATOL: what decays towards 0 from above never gets there.
  const event = (state) => Math.min(state[1] - m.level, state[0]);
  const work = {
    y: Float64Array.from(y0), end: new Float64Array(4), point: new Float64Array(4), rates: new Float64Array(4),
    stages: new Float64Array(4 * STAGES), J: new Float64Array(10), inv: new Float64Array(9),
  };
  const found = { acquired: NaN, lost: NaN, clockAcquired: NaN, samples: [], steps: 0 };
  let t = 0, h = Math.min(1e-2, T), next = 0;
  while (t < T) {
    field(m, work.y, work.rates, work.J);
    let error;
    for (;;) {
      h = Math.min(h, T - t);
      error = rosenbrock(m, h, work);
      if (error <= 1) break;
      h *= error < Infinity ? clip(0.9 * error ** -0.2, 0.1, 0.9) : 0.1;
      if (h < 1e-14 * Math.max(t, 1e-3)) throw new Error(`the step vanished at t = ${t}`);
    }
    const before = event(work.y), after = event(work.end);
    const locate = (holds) => bisect((x) => holds(event(dense(work, x))), 0, 1, 1e-12);
    if (Number.isNaN(found.acquired) && after > 10 * ATOL) {
      const x = before >= 0 ? 0 : locate((value) => value <= 0);
      found.acquired = t + x * h;
      found.clockAcquired = dense(work, x)[3];
      if (stopWhenAcquired) return found;
    } else if (!Number.isNaN(found.acquired) && Number.isNaN(found.lost) && after < -10 * ATOL) {
      found.lost = t + h * locate((value) => value >= -10 * ATOL);
    }
    const last = h >= T - t ? T : t + h;
    while (next < times.length && times[next] <= last) found.samples.push(dense(work, (times[next++] - t) / h));
    t = last;
    work.y.set(work.end);
    found.steps++;
    h *= clip(0.9 * error ** -0.2, 0.2, 6);
  }
  return found;
}

// Accuracies and losses on the two tests, along the samples of a solution.
function observe(m, samples) {
  const average = (f) => CONSTANTS.nodes.reduce((sum, x, k) => sum + CONSTANTS.weights[k] * f(x), 0);
  const curves = { icl_accuracy: [], iwl_accuracy: [], icl_loss: [], iwl_loss: [], clock: [], w: [], beta: [], margin: [] };
  for (const [w, beta, phi, clock] of samples) {
    const copy = Math.exp(clip(beta, -BETA_MAX, BETA_MAX));
    const overlaps = Math.exp(Math.min(beta * beta / (2 * m.D), EXPONENT_MAX)), Z = copy + m.others * overlaps;
    const spread = Math.abs(w) * Math.min(overlaps / Math.sqrt(m.N), 1); // of labels without the target's
    const logit = (x) => w * (copy + m.mean + m.deviation * x) / Z;
    curves.icl_accuracy.push(iclAccuracy(m, w, beta));
    curves.iwl_accuracy.push(spread > 0 ? normal(phi / spread) : 0.5 * (1 + Math.sign(phi)));
    curves.icl_loss.push(m.balanced ? softplus(-logit(0)) : average((x) => softplus(-logit(x))));
    curves.iwl_loss.push(average((x) => softplus(-phi - spread * x)));
    curves.clock.push(clock);
    curves.w.push(w);
    curves.beta.push(beta);
    curves.margin.push(phi);
  }
  return curves;
}

// I* at β0 = mean + z std for z = −4 … 4. Neither K nor the memory, λ or T change it, so the last one is kept.
let kept = { key: "", clocks: [] };
const DEVIATES = Array.from({ length: 33 }, (_, k) => (k - 16) / 4);
function clocks(s) {
  const key = JSON.stringify([s.N, String(s.D), s.labels, s.mean, s.std]);
  if (key !== kept.key) kept = { key, clocks: DEVIATES.map((z) => clockAtAcquisition(s, s.mean + z * s.std)) };
  return kept.clocks;
}

// I* = t_ICL(K → ∞)/2: the memory's clock at which ICL is acquired, whatever K; Infinity where it never is.
function clockAtAcquisition(s, beta0) {
  if (s.labels === "balanced" && beta0 <= 0) return Infinity; // the saddle at β = 0
  const endless = solve(model(s, Infinity, 0), [0, beta0, 0, 0], 1e15, [], true);
  return Number.isNaN(endless.acquired) ? Infinity : 0.5 * endless.acquired;
}

// The memory alone: t = G(φ)/r_K with G = ∫_0^φ (1 + e^φ)/(1 + φ/p)^q dφ, and I_K = I_K(∞) [1 − (1 + φ/p)^{1−q}]. G hangs on
// p and q alone, so it is tabulated once (Simpson's rule) and read with its own slope.
const PHI_STEP = 0.05, PHI_MAX = 60;
const LONE = (() => {
  const { margin_scale: p, growth_exponent: q } = CONSTANTS;
  const slope = (phi) => (1 + Math.exp(phi)) / (1 + phi / p) ** q, table = [0];
  for (let k = 1; k * PHI_STEP <= PHI_MAX; k++) {
    const low = (k - 1) * PHI_STEP, high = k * PHI_STEP;
    table.push(table[k - 1] + PHI_STEP / 6 * (slope(low) + 4 * slope((low + high) / 2) + slope(high)));
  }
  const at = (phi) => {
    if (!(phi < PHI_MAX)) return Infinity;
    const k = Math.floor(phi / PHI_STEP), x = phi / PHI_STEP - k, low = k * PHI_STEP;
    const rise = table[k + 1] - table[k], a = slope(low) * PHI_STEP, b = slope(low + PHI_STEP) * PHI_STEP;
    return table[k] + x * (a + x * (3 * rise - 2 * a - b + x * (a + b - 2 * rise)));
  };
  const share = (phi) => 1 - (1 + phi / p) ** (1 - q); // of the total clock
  return { table, at, share, margin: (part) => p * ((1 - part) ** (-1 / (q - 1)) - 1), unit: (q - 1) / p };
})();

// When the lone memory of total clock `total` reads `clock`.
const timeOfClock = (total, clock) => (clock < total ? LONE.unit * total * LONE.at(LONE.margin(clock / total)) : Infinity);

// K*(T) of the race, λ = 0: the lone memory reads I* at T. A total clock without end takes 2 I*.
function threshold(s, clock, T) {
  if (clock === Infinity || T <= 2 * clock) return Infinity;
  if (clock === 0) return 0;
  const diversity = (total) => (total / s.A) ** (1 / s.nu);
  let high = 1;
  while (timeOfClock(clock * Math.exp(high), clock) > T) if ((high *= 2) > 600) return Infinity;
  const late = (x) => timeOfClock(clock * Math.exp(x), clock) > T;
  return Math.max(diversity(clock * Math.exp(bisect(late, 0, high, 1e-9))), 1);
}

// The lone memory's clock along time, as points (t, I).
function loneClock(s, points = 200) {
  const total = totalClock(s, s.K), found = { x: [], y: [] };
  const last = bisect((phi) => LONE.unit * total * LONE.at(phi) < s.T, 0, PHI_MAX, 1e-9);
  for (let k = 0; k <= points; k++) {
    const phi = last * (k / points) ** 2; // closer where the clock starts
    found.x.push(LONE.unit * total * LONE.at(phi));
    found.y.push(total * LONE.share(phi));
  }
  return found;
}

// K*(T) of the coupled equations with λ, so that it and the verdict on this K never disagree; Infinity if no K acquires.
function coupledThreshold(s, race) {
  const misses = (x) => Number.isNaN(solve(model(s, Math.exp(x), s.decay), [0, s.mean, 0, 0], s.T, [], true).acquired);
  if (misses(Infinity)) return Infinity;
  let low = Math.log(race < Infinity ? Math.max(race, 1) : 1e3), high = low;
  for (let step = 0.2; misses(high); step *= 2) if ((low = high, high += step) > 60) return Infinity;
  for (let step = 0.2; low === high || !misses(low); step *= 2) {
    if (low <= 0) return 1;
    if (low < high) high = low;
    low = Math.max(low - step, 0);
  }
  return Math.exp(bisect(misses, low, high, 5e-4));
}

// P(acquire ICL by T) over β0 ~ N(mean, std²), from the β0 that just acquires it under the coupled equations.
function probability(s, acquiredAtMean) {
  const m = model(s, s.K, s.decay);
  const misses = (beta0) => Number.isNaN(solve(m, [0, beta0, 0, 0], s.T, [], true).acquired);
  if (s.std === 0) return acquiredAtMean ? 1 : 0;
  let low = s.mean - 5 * s.std, high = s.mean + 5 * s.std;
  if (acquiredAtMean) high = s.mean; else low = s.mean;
  if (acquiredAtMean ? !misses(low) : misses(high)) return acquiredAtMean ? 1 : 0;
  return normal((s.mean - bisect(misses, low, high, 2e-4 * s.std)) / s.std);
}

function geomspace(low, high, count) {
  return Array.from({ length: count }, (_, k) => low * (high / low) ** (k / (count - 1)));
}

// Everything that the page shows for settings {N, K, D, labels, mean, std, decay, A, nu, T}.
function compute(s, points = 240) {
  const times = geomspace(1, s.T, points), m = model(s, s.K, s.decay);
  const start = (z) => [0, s.mean + z * s.std, 0, 0];
  const main = solve(m, start(0), s.T, times, false);
  const spread = s.std === 0 ? [] : [-1, 1].map((z) => observe(m, solve(m, start(z), s.T, times, false).samples));
  const acquired = !Number.isNaN(main.acquired), lost = !Number.isNaN(main.lost), needed = clocks(s);
  const clock = needed[DEVIATES.indexOf(0)], race = threshold(s, clock, s.T);
  return {
    settings: s, times, curves: observe(m, main.samples), spread, acquired: main.acquired, lost: main.lost,
    clockAcquired: main.clockAcquired, clock, total: totalClock(s, s.K), threshold: race,
    coupledThreshold: coupledThreshold(s, race), lone: loneClock(s),
    phase: acquired ? (lost ? "transient" : "lasting") : "no ICL", probability: probability(s, acquired),
    // (K, P): the diversity at which one β0 just wins the race by T, and the share of larger ones
    race: s.std === 0 ? [[10, 0], [race, 0], [race, 1], [1e6, 1]]
      : DEVIATES.map((z, k) => [threshold(s, needed[k], s.T), normal(-z)]).reverse(),
  };
}
