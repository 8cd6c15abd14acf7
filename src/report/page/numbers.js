// Numbers as people read them. A value that is absent is a dash.

const dash = '–';
const minus = '−';
const blank = '\u00a0';  // between a number and its unit: no line ends there

function isNumber(value) {
  return typeof value === 'number' && Number.isFinite(value);
}

// "12,345"; thousands from five digits on.
function whole(value) {
  if (!isNumber(value)) return dash;
  const digits = Math.abs(Math.round(value)).toString();
  const grouped = digits.length > 4 ? digits.replace(/\B(?=(\d{3})+$)/g, ',') : digits;
  return (value < 0 ? minus : '') + grouped;
}

// Four significant digits, or more where `digits` says so; very small and very large ones by power of ten.
function plain(value, digits = 4) {
  if (!isNumber(value)) return dash;
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) {
    const [mantissa, power] = value.toExponential(Math.max(0, digits - 2)).split('e');
    return `${signed(mantissa.replace(/\.?0+$/, ''))}e${signed(power.replace('+', ''))}`;
  }
  if (size >= 10000) return whole(value);
  return signed(String(Number(value.toPrecision(digits))));
}

function signed(text) {
  return text.replace('-', minus);
}

function percent(fraction, decimals = 2) {
  return isNumber(fraction) ? `${(100 * fraction).toFixed(decimals)}${blank}%` : dash;
}

// A time of a step's part: "12.3 ms", "1.25 s", "840 µs".
function shortTime(seconds) {
  if (!isNumber(seconds)) return dash;
  if (seconds === 0) return `0${blank}ms`;
  if (seconds >= 1) return `${plain(seconds, 3)}${blank}s`;
  return seconds >= 1e-3 ? `${plain(1e3 * seconds, 3)}${blank}ms` : `${plain(1e6 * seconds, 3)}${blank}µs`;
}

// A time of a run: "42 s", "3 min 05 s", "2 h 07 min", "3 d 04 h".
function longTime(seconds) {
  if (!isNumber(seconds)) return dash;
  const two = (value) => String(value).padStart(2, '0');
  const all = Math.round(seconds);
  const parts = all < 60 ? [all, 's']
    : all < 3600 ? [Math.floor(all / 60), 'min', two(all % 60), 's']
      : all < 86400 ? [Math.floor(all / 3600), 'h', two(Math.floor(all % 3600 / 60)), 'min']
        : [Math.floor(all / 86400), 'd', two(Math.floor(all % 86400 / 3600)), 'h'];
  return parts.join(blank);
}

// "1 step", "3 steps", of whole and broken counts.
function counted(value, noun) {
  const text = Number.isInteger(value) ? whole(value) : plain(value, 3);
  return `${text} ${noun}${text === '1' ? '' : 's'}`;
}
