// Scales from values to pixels, and the values at which axes have marks.

// Round steps: 1, 2, 2.5 or 5 times a power of ten.
function roundStep(range, most) {
  const rough = range / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 2.5, 5, 10].find((one) => one * power >= rough * (1 - 1e-9));
  return factor * power;
}

// `least` to `most` in about `count` round values; where `integral`, whole numbers only.
function linearTicks(least, most, count, integral = false) {
  if (!(most > least)) return [least];
  let step = roundStep(most - least, count);
  if (integral) step = Math.max(1, Math.round(step));
  const ticks = [];
  for (let index = Math.ceil(least / step - 1e-9); index * step <= most + step * 1e-9; ++index)
    ticks.push(Number((index * step).toPrecision(12)));
  return ticks;
}

// Powers of ten, with values between them where there is room; round values in a range that holds hardly any.
function logTicks(least, most, count) {
  const decades = Math.log10(most / least);
  const factors = decades > count ? [1] : decades > count / 3 ? [1, 3] : [1, 2, 3, 5, 7];
  const stride = Math.max(1, Math.ceil(decades / count));
  const ticks = [];
  const first = Math.floor(Math.log10(least) / stride) * stride;
  for (let power = first; 10 ** power <= most; power += stride)
    for (const factor of factors) {
      const tick = Number((factor * 10 ** power).toPrecision(12));
      if (tick >= least * (1 - 1e-9) && tick <= most * (1 + 1e-9)) ticks.push(tick);
    }
  return ticks.length < 3 ? linearTicks(least, most, count) : ticks;
}

// Maps [least, most] to [from, to]; on a logarithmic scale values at or below 0 have no place.
function scaleOf(least, most, from, to, log) {
  const across = log ? (value) => (value > 0 ? Math.log(value) : NaN) : (value) => value;
  const start = across(least);
  const range = across(most) - start || 1;
  const scale = (value) => from + (across(value) - start) / range * (to - from);
  scale.least = least;
  scale.most = most;
  scale.value = (pixel) => {
    const part = start + (pixel - from) / (to - from) * range;
    return log ? Math.exp(part) : part;
  };
  return scale;
}

// The range that shows all values, with some air; `fromZero`: it begins at 0 (linear scales only).
function rangeOf(values, {log = false, fromZero = false} = {}) {
  let least = Infinity;
  let most = -Infinity;
  for (const value of values) {
    if (!isNumber(value) || (log && value <= 0)) continue;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  if (least > most) return log ? [0.1, 1] : [0, 1];
  if (log) return least === most ? [least / 2, most * 2] : [least / 1.1, most * 1.1];
  if (fromZero) least = Math.min(0, least);
  if (least === most) return least === 0 ? [0, 1] : [Math.min(0, least), most + Math.abs(most) * 0.1];
  const air = (most - least) * 0.06;
  return [fromZero && least === 0 ? 0 : least - air, most + air];
}
