"use strict";
/* Numbers, conditions and parameters as text: for a reader, for a shell, for a file. Pure. */
const Text = (() => {
  /** A number as a reader wants it: so many digits, thousands apart; as satisfice.choose.bounds.number_text. */
  function number(value, digits = 4) {
    if (Number.isNaN(value)) return "NaN";
    if (!Number.isFinite(value)) return value > 0 ? "infinite" : "minus infinite";
    const whole = Number.isInteger(value) || Math.abs(value) >= 10 ** digits;
    if (whole && Math.abs(value) < 1e12) return Math.round(value).toLocaleString("en-US");
    return general(value, digits);
  }

  /** As Python's %.{digits}g. */
  function general(value, digits) {
    if (value === 0) return "0";
    const [lead, exponent] = value.toExponential(digits - 1).split("e");
    const power = Number(exponent);
    const trim = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
    if (power < -4 || power >= digits) {
      return `${trim(lead)}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
    }
    return trim(value.toFixed(Math.max(0, digits - 1 - power)));
  }

  /** A metric beside its bounds: with enough digits that rounding does not change a verdict. */
  function beside(value, bounds) {
    let text = number(value);
    for (const c of bounds) {
      for (let digits = 4; digits < 18 && Number.isFinite(value); digits++) {
        const own = number(value, digits);
        if (Choose.satisfied(c, Number(own.replaceAll(",", ""))) === Choose.satisfied(c, value)) {
          if (own.length > text.length) text = own;
          break;
        }
      }
    }
    return text;
  }

  const UNITS = { mb: "MB", kb: "kB", bytes: "bytes", ms: "ms", us: "µs", s: "s" };

  /** A value with the unit that the metric's name ends in. */
  function withUnit(study, name, value) {
    const unit = Choose.quantityOf(study, name) === name ? undefined : UNITS[name.slice(name.lastIndexOf("_") + 1)];
    return unit === undefined ? number(value) : `${number(value)} ${unit}`;
  }

  /** "95% 0.77 to 0.87"; empty where there is no interval. */
  const between = (ends) => (ends === null ? "" : `95% ${number(ends[0], 3)} to ${number(ends[1], 3)}`);

  /** A bound as it is written in a study file and on the command line, with all its digits. */
  const clause = (c) => `${c.metric} ${c.operator} ${c.bound}`;

  /** A word of a POSIX shell. */
  const quoted = (word) => (/^[A-Za-z0-9_./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

  /** A value of a parameter as Python or TOML writes it; null where TOML has no word for it. */
  function value(param, place, language) {
    const raw = param.values[place];
    if (param.kind === "choice") return param.choices[raw][language];
    if (param.exact?.[place] !== undefined) return param.exact[place];
    if (typeof raw === "string") return language === "python" ? `float("${raw}")` : raw;
    return param.kind === "float" && Number.isInteger(raw) && !String(raw).includes("e") ? `${raw}.0` : String(raw);
  }

  const isBare = (name) => /^[A-Za-z0-9_-]+$/.test(name);
  const string = (text) => JSON.stringify(text).replaceAll("\x7f", "\\u007f");

  /** The active parameters of a trial, as TOML or as a Python dict. */
  function parameters(study, place, language) {
    const active = study.params.filter((p) => p.values[place] !== null);
    if (language === "python") return `{${active.map((p) => `${string(p.name)}: ${value(p, place, language)}`).join(", ")}}`;
    return active
      .map((p) => {
        const name = isBare(p.name) ? p.name : string(p.name), own = value(p, place, language);
        return own === null ? `# ${name} is None` : `${name} = ${own}`;
      })
      .join("\n");
  }

  /** A parameter's value for a reader. */
  function shown(param, place) {
    const raw = param.values[place];
    if (raw === null) return "–";
    if (param.kind === "choice") return param.choices[raw].text;
    return param.exact?.[place] ?? number(Choose.number(raw));
  }

  const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;

  /** "a", "a and b", "a, b and c". */
  const joined = (parts) => (parts.length > 1 ? `${parts.slice(0, -1).join(", ")} and ${parts[parts.length - 1]}` : parts.join(""));

  return { number, general, beside, clause, quoted, value, parameters, shown, plural, joined, withUnit, between };
})();
if (typeof module !== "undefined") {
  globalThis.Choose ??= require("./choose.js");
  module.exports = Text;
}
