#!/usr/bin/env node
// supertick 0.2.0: cron for supervisord, in one file. MIT License, the supertick authors.
// Is it whole? The release has a SHA256SUMS: in a directory with both, sha256sum -c SHA256SUMS
// Made from listener.ts, where the comments are: read and change that one.
"use strict";
if (parseInt(process.version.slice(1), 10) < 12) {
  console.error("supertick: needs Node 12 or later, this is " + process.version);
  process.exit(2);
}
const supertick = (function (require, module) {
var __defProp = Object.defineProperty;
var __getOwnPropDesc = Object.getOwnPropertyDescriptor;
var __getOwnPropNames = Object.getOwnPropertyNames;
var __hasOwnProp = Object.prototype.hasOwnProperty;
var __export = (target, all) => {
  for (var name in all)
    __defProp(target, name, { get: all[name], enumerable: true });
};
var __copyProps = (to, from, except, desc) => {
  if (from && typeof from === "object" || typeof from === "function") {
    for (let key of __getOwnPropNames(from))
      if (!__hasOwnProp.call(to, key) && key !== except)
        __defProp(to, key, { get: () => from[key], enumerable: !(desc = __getOwnPropDesc(from, key)) || desc.enumerable });
  }
  return to;
};
var __toCommonJS = (mod) => __copyProps(__defProp({}, "__esModule", { value: true }), mod);

var main_exports = {};
__export(main_exports, {
  main: () => main
});
module.exports = __toCommonJS(main_exports);

var fs = require("fs");
var ProtocolError = class extends Error {
};
var READY = "READY\n";
var ANSWER = "RESULT 2\nOKREADY\n";
var MAX_HEADER_BYTES = 64 * 1024;
var MAX_PAYLOAD_LENGTH = 2 ** 31;
var MAX_KEPT_PAYLOAD_BYTES = 1024 * 1024;
var MIN_BYTE_LENGTHS = 3;
var EventReader = class {
  constructor() {
    this.line = "";
    this.kept = "";
    this.byteCount = 0;
    this.codePoints = 0;
    this.owedBytes = 0;
    this.byteLengths = 0;
    this.isStrayLineAllowed = false;
  }
  push(bytes) {
    let rest = bytes;
    while (this.header === void 0) {
      if (rest === "") return void 0;
      rest = this.readHeader(rest);
    }
    const { length } = this.header;
    const end = this.readPayload(rest, length);
    const isWhole = this.countsBytes ? this.isAmbiguous : this.codePoints === length && this.owedBytes === 0;
    if (!isWhole) return void 0;
    const hasMore = end < rest.length;
    if (hasMore || this.byteCount > length) this.byteLengths = 0;
    return this.complete(this.header, hasMore || this.countsBytes && !isAscii(this.kept));
  }
  get isAmbiguous() {
    return this.header !== void 0 && this.byteCount === this.header.length;
  }
  settle() {
    this.byteLengths++;
    return this.complete(this.header, true);
  }
  get countsBytes() {
    return this.byteLengths >= MIN_BYTE_LENGTHS;
  }
  readHeader(bytes) {
    const newline = bytes.indexOf("\n");
    this.line += newline < 0 ? bytes : bytes.slice(0, newline);
    const { line } = this;
    if (line.length > MAX_HEADER_BYTES) throw new ProtocolError(`a line of more than 64 KiB: ${quoteBytes(line)}`);
    if (newline < 0) return "";
    this.header = parseHeader(line);
    if (this.header === void 0 && !this.isStrayLineAllowed)
      throw new ProtocolError(`a line that is not an event header: ${quoteBytes(line)}`);
    this.line = this.kept = "";
    this.byteCount = this.codePoints = this.owedBytes = 0;
    this.isStrayLineAllowed = false;
    return bytes.slice(newline + 1);
  }
  readPayload(bytes, length) {
    const end = this.countsBytes ? Math.min(bytes.length, length - this.byteCount) : this.readCodePoints(bytes, length);
    this.byteCount += end;
    this.kept = this.byteCount > MAX_KEPT_PAYLOAD_BYTES ? "" : this.kept + bytes.slice(0, end);
    return end;
  }
  readCodePoints(bytes, length) {
    let end = 0;
    for (; end < bytes.length; end++) {
      const byte = bytes.charCodeAt(end);
      if (this.owedBytes > 0 && (byte & 192) === 128) {
        this.owedBytes--;
      } else {
        this.owedBytes = 0;
        if (this.codePoints === length) break;
        this.codePoints++;
        this.owedBytes = byte < 192 ? 0 : byte < 224 ? 1 : byte < 240 ? 2 : 3;
      }
    }
    return end;
  }
  complete({ name, serial, poolSerial }, isStrayLineAllowed) {
    this.header = void 0;
    this.isStrayLineAllowed = isStrayLineAllowed;
    const isDropped = this.byteCount > MAX_KEPT_PAYLOAD_BYTES || void 0;
    return { name, serial, poolSerial, payload: decodeUtf8(this.kept), isDropped };
  }
};
function parseHeader(line) {
  const tail = / eventname:([A-Z][A-Z0-9_]*) len:(\d+)$/.exec(line);
  if (tail === null) return void 0;
  const poolSerialAt = line.lastIndexOf(" poolserial:", tail.index);
  const serialAt = line.lastIndexOf(" serial:", poolSerialAt);
  const serial = /^ serial:(\d{1,15}) /.exec(line.slice(serialAt));
  const length = Number(tail[2]);
  if (poolSerialAt < 0 || serialAt < 0 || serial === null) return void 0;
  if (length > MAX_PAYLOAD_LENGTH) throw new ProtocolError(`an event that is too long: ${quoteBytes(line.slice(-80))}`);
  const poolSerial = line.slice(poolSerialAt + " poolserial:".length, tail.index);
  const isNumber = /^\d{1,15}$/.test(poolSerial);
  return { name: tail[1], serial: Number(serial[1]), poolSerial: isNumber ? Number(poolSerial) : void 0, length };
}
function decodeUtf8(bytes) {
  return isAscii(bytes) ? bytes : Buffer.from(bytes, "latin1").toString("utf8");
}
function isAscii(bytes) {
  return /^[\x00-\x7f]*$/.test(bytes);
}
function parseRemoteCommunication(payload) {
  const [, type, data = ""] = /^(?:type:)?([^\n]*)(?:\n([\s\S]*))?$/.exec(payload);
  return { type, data };
}
function quote(text) {
  return jsonText(text.length > 80 ? `${text.slice(0, 80)}\u2026` : text);
}
function shown(text) {
  return quote(text).slice(1, -1);
}
function quoteName(text) {
  return quote(text.replace(new RegExp("=.*", "s"), "=\u2026").replace(new RegExp("^(-[a-z]).+", "is"), "$1\u2026"));
}
function jsonText(value) {
  return escapeUnsafe(JSON.stringify(value));
}
function escapeUnsafe(text) {
  return text.replace(/[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, escapeCodeUnit);
}
function escapeAll(text) {
  return escapeUnsafe(text.replace(/[\u0000-\u001f]/g, escapeCodeUnit));
}
function escapeLines(text) {
  return escapeUnsafe(text.replace(/[\0-\x08\x0b-\x1f]/g, escapeCodeUnit));
}
function escapeCodeUnit(unit) {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
function quoteBytes(bytes) {
  return quote(decodeUtf8(bytes.slice(0, 400)));
}
var TICK_PERIODS = { TICK_5: 5, TICK_60: 60, TICK_3600: 3600 };
var USUAL_TICK = "TICK_60";
function parseTick(event) {
  const periodSeconds = TICK_PERIODS[event.name];
  const when = /^when:(\d{1,12})(?!\d)/.exec(event.payload);
  if (periodSeconds === void 0 || when === null) return void 0;
  const whenSeconds = Math.floor(Number(when[1]) / periodSeconds) * periodSeconds;
  return { serial: event.serial, whenSeconds, periodSeconds };
}
var MAX_SERIALS = 1e3;
var MAX_SERIALS_TEXT = 120;
var SerialSet = class _SerialSet {
  constructor(serials = [], floor = -1) {
    this.serials = serials;
    this.floor = floor;
    this.steps = "";
    this.countSteps();
  }
  has(serial) {
    return serial <= this.floor || this.serials.includes(serial);
  }
  add(serial) {
    const { serials } = this;
    const highest2 = serials.length === 0 ? -1 : serials[serials.length - 1];
    let place = serials.length;
    while (place > 0 && serials[place - 1] > serial) place--;
    serials.splice(place, 0, serial);
    if (serials.length > MAX_SERIALS) this.floor = serials.shift();
    if (serial < highest2) this.countSteps();
    else if (highest2 >= 0) this.steps = fitSteps(`.${(serial - highest2).toString(36)}${this.steps}`);
  }
  countSteps() {
    const { serials } = this;
    let steps = this.floor < 0 ? "" : "-";
    for (let i = 1; i < serials.length; i++) steps = `.${(serials[i] - serials[i - 1]).toString(36)}${steps}`;
    this.steps = fitSteps(steps);
  }
  format() {
    const { serials, steps } = this;
    return serials.length === 0 ? "" : serials[serials.length - 1].toString(36) + steps;
  }
  static parse(text) {
    if (!/^[0-9a-z]{1,10}(\.[0-9a-z]{1,10}){0,999}-?$/.test(text)) return new _SerialSet();
    const serials = [];
    for (const part of text.replace("-", "").split(".")) {
      const number = Number.parseInt(part, 36);
      serials.unshift(serials.length === 0 ? number : serials[0] - number);
    }
    return new _SerialSet(serials, text.endsWith("-") ? serials[0] - 1 : -1);
  }
};
function fitSteps(steps) {
  return steps.length <= MAX_SERIALS_TEXT ? steps : `${steps.slice(0, steps.lastIndexOf(".", MAX_SERIALS_TEXT))}-`;
}
var USUAL_BUFFER = 10;
var EVENT_BUFFER = 1e3;
var PoolGaps = class {
  constructor(highest2) {
    this.highest = highest2;
    this.gaps = [];
    this.isFirst = true;
  }
  get isOpen() {
    return this.gaps.length > 0;
  }
  get missing() {
    return this.gaps.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  }
  add(number) {
    var _a, _b;
    if (this.isFirst && number < ((_a = this.highest) != null ? _a : 0) / 2 - USUAL_BUFFER) this.highest = void 0;
    this.isFirst = false;
    const next = ((_b = this.highest) != null ? _b : number) + 1;
    this.highest = Math.max(number, next - 1);
    if (number > next) this.gaps.push({ from: next, to: number - 1, isOld: false });
    if (!this.isOpen) return;
    const halves = this.gaps.flatMap((gap) => [
      { ...gap, to: Math.min(gap.to, number - 1) },
      { ...gap, from: Math.max(gap.from, number + 1) }
    ]);
    this.gaps = halves.filter(({ from, to }) => from <= to);
  }
  look() {
    const count = this.gaps.reduce((sum, { from, to, isOld }) => sum + (isOld ? to - from + 1 : 0), 0);
    this.gaps = this.gaps.filter(({ isOld }) => !isOld).map((gap) => ({ ...gap, isOld: true }));
    return count;
  }
};
function countTick(last, counted, tick) {
  var _a;
  const { serial, whenSeconds } = tick;
  const isKnown = last !== void 0 && !last.isForeign;
  if (isKnown ? counted.has(serial) : whenSeconds === (last == null ? void 0 : last.whenSeconds)) return void 0;
  if (isKnown && serial < last.serial) return { isLate: true, setBackSeconds: 0 };
  return { isLate: false, setBackSeconds: Math.max(0, ((_a = last == null ? void 0 : last.whenSeconds) != null ? _a : 0) - whenSeconds) };
}
var MOST_COUNTED = 1001;
var Schedule = class {
  constructor() {
    this.isFixed = false;
    this.catchUpSeconds = Number.POSITIVE_INFINITY;
  }
  firstAfter(_decided, _until = Infinity) {
    return Infinity;
  }
  latestIn(decided, upTo) {
    let due = this.firstAfter(decided, upTo);
    let clear = Math.floor(upTo);
    while (due < clear) {
      const middle = Math.floor((due + clear) / 2);
      const later = this.firstAfter(middle, clear);
      if (later <= clear) due = later;
      else clear = middle;
    }
    return due <= upTo ? due : void 0;
  }
  countIn(decided, upTo) {
    let count = 0;
    for (let due = decided; count < MOST_COUNTED; count++) {
      due = this.firstAfter(due, upTo);
      if (due > upTo) break;
    }
    return count;
  }
  misfits(periodSeconds, from) {
    const ticks = nextDueTimes(this, from, 60).map((due) => due / periodSeconds);
    if (ticks.every(Number.isInteger)) return [];
    const isFiner = ticks.some((tick, i) => Math.ceil(tick) === Math.ceil(ticks[i + 1]));
    const [verb, why] = isFiner ? ["is finer than", ": due times between two ticks are one run"] : ["does not fit", "; each run starts with the first tick after its due time"];
    return [`${this.describe()} ${verb} a tick every ${formatDuration(periodSeconds)}${why}`];
  }
};
var TickSchedule = class extends Schedule {
  constructor(every, isOfAll = false) {
    super();
    this.every = every;
    this.isOfAll = isOfAll;
    this.kind = "ticks";
    this.record = { ticks: this.every, ofAll: this.isOfAll || void 0 };
  }
  describe() {
    return this.every === 1 ? "every tick" : `every ${this.every} ticks`;
  }
  isReached(count, undecided = 0) {
    if (!this.isOfAll) return count >= this.every;
    return Math.floor(count / this.every) > Math.floor((count - 1 - undecided) / this.every);
  }
  ticksToGo(count) {
    return this.isOfAll ? this.every - count % this.every : Math.max(1, this.every - count);
  }
  countAfter(count) {
    return !this.isOfAll && this.isReached(count) ? 0 : count;
  }
};
var SliceSchedule = class extends Schedule {
  constructor(everySeconds, offsetSeconds) {
    super();
    this.everySeconds = everySeconds;
    this.offsetSeconds = offsetSeconds;
    this.kind = "slices";
    this.record = { every: this.everySeconds, offset: this.offsetSeconds };
  }
  describe() {
    const offset = this.offsetSeconds === 0 ? "" : `, offset ${formatDuration(this.offsetSeconds)}`;
    return `every ${formatDuration(this.everySeconds)}${offset}`;
  }
  firstAfter(decided) {
    const { everySeconds, offsetSeconds } = this;
    return (Math.floor((decided - offsetSeconds) / everySeconds) + 1) * everySeconds + offsetSeconds;
  }
};
var CronSchedule = class extends Schedule {
  constructor(cron, zone, catchUpSeconds) {
    super();
    this.cron = cron;
    this.zone = zone;
    this.catchUpSeconds = catchUpSeconds;
    this.kind = "cron";
    this.record = { cron: this.cron.text, tz: this.zone.name === LOCAL_TIME ? void 0 : this.zone.name };
    this.isFixed = this.cron.isFixed;
  }
  describe() {
    return describeCron(this.cron, this.zone.name);
  }
  firstAfter(decided, until) {
    return nextDue(this.cron, this.zone, decided, until);
  }
  misfits(periodSeconds, from) {
    const isByMinutes = this.cron.seconds.every((second) => second === 0);
    return isByMinutes && 60 % periodSeconds === 0 ? [] : super.misfits(periodSeconds, from);
  }
};
var EventSchedule = class extends Schedule {
  constructor(names) {
    super();
    this.names = names;
    this.kind = "events";
    this.record = { on: this.names };
  }
  describe() {
    return `on ${this.names.join(", ")}`;
  }
};
var StartSchedule = class extends Schedule {
  constructor() {
    super(...arguments);
    this.kind = "start";
    this.record = { start: true };
  }
  describe() {
    return "when the listener starts";
  }
};
function tryReadSchedule(record, localZone) {
  const { ticks, ofAll, every, offset, cron, tz, on, start } = Object(record);
  if (Number.isInteger(ticks)) return new TickSchedule(Number(ticks), ofAll === true);
  if (Number.isInteger(offset) && Number(every) > 0) return new SliceSchedule(Number(every), Number(offset));
  if (Array.isArray(on)) return new EventSchedule(on.map(String));
  if (start === true) return new StartSchedule();
  try {
    return new CronSchedule(parseCron(String(cron)), tz === void 0 ? localZone() : zoneNamed(String(tz)), 0);
  } catch (e) {
    return void 0;
  }
}
function isByClock({ kind }) {
  return kind === "slices" || kind === "cron";
}
function nextDueTimes(schedule, from, count) {
  const dues = [];
  for (let due = from; dues.length < count; dues.push(due)) {
    due = schedule.firstAfter(due);
    if (due === Infinity) break;
  }
  return dues;
}
function isAmong(eventNames, wanted) {
  return eventNames.some((name) => name === "EVENT" || name === wanted || wanted.startsWith(`${name}_`));
}
function stableDelay(key, limitSeconds) {
  return hash32(key) % Math.max(1, limitSeconds);
}
function hash32(text, basis = 2166136261, prime = 16777619) {
  let hash = basis;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), prime);
  return hash >>> 0;
}
function longestDelay(schedule, from, limit) {
  const dues = nextDueTimes(schedule, from, 50);
  return dues.slice(1).reduce((shortest, due, i) => Math.min(shortest, due - dues[i]), limit);
}
var DURATION_UNITS = { w: 604800, d: 86400, h: 3600, m: 60, s: 1 };
var MAX_DURATION_SECONDS = Math.floor(Number.MAX_SAFE_INTEGER / 1e3);
var DURATION = /^(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/;
function parseDuration(text) {
  var _a, _b;
  const [all, ...counts] = (_a = DURATION.exec(text.trim().replace(/^\d+$/, "$&s"))) != null ? _a : [""];
  if (all === "") throw new Expectation(`a duration such as ${(_b = withoutFraction(text)) != null ? _b : "30s, 5m or 1h30m"}`);
  const seconds = Object.values(DURATION_UNITS).reduce((sum, size, i) => {
    var _a2;
    return sum + Number((_a2 = counts[i]) != null ? _a2 : 0) * size;
  }, 0);
  if (seconds > MAX_DURATION_SECONDS) throw new Expectation(`a duration of at most ${MAX_DURATION_SECONDS}s`);
  return seconds;
}
function withoutFraction(text) {
  var _a;
  const [, count, unit] = (_a = /^(\d*\.\d+)([wdhms])$/.exec(text)) != null ? _a : [];
  const seconds = Number(count) * DURATION_UNITS[unit];
  return seconds >= 0 ? formatDuration(Math.max(1, Math.round(seconds))) : void 0;
}
function formatDuration(seconds) {
  let rest = seconds;
  let text = "";
  for (const [unit, size] of Object.entries(DURATION_UNITS)) {
    if (unit === "w" && seconds % size !== 0) continue;
    if (rest >= size) text += `${Math.floor(rest / size)}${unit}`;
    rest %= size;
  }
  return text || "0s";
}
function formatTime(epochSeconds) {
  return new Date(epochSeconds * 1e3).toISOString().replace(/\.\d+Z$/, "Z");
}
var MONTHS = "January February March April May June July August September October November December".split(" ");
var WEEKDAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");
var threeLetters = (name) => name.slice(0, 3).toUpperCase();
var CRON_FIELDS = [
  { name: "second", low: 0, high: 59, size: 60, everyUnit: "s", names: [] },
  { name: "minute", low: 0, high: 59, size: 60, everyUnit: "m", names: [] },
  { name: "hour", low: 0, high: 23, size: 24, everyUnit: "h", names: [] },
  { name: "day-of-month", low: 1, high: 31, size: 31, everyUnit: "d", names: [] },
  { name: "month", low: 1, high: 12, size: 12, everyUnit: "", names: MONTHS.map(threeLetters) },
  { name: "day-of-week", low: 0, high: 7, size: 7, everyUnit: "d", names: WEEKDAYS.map(threeLetters) }
];
var MACROS = {
  "@hourly": "0 * * * *",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@noon": "0 12 * * *",
  "@weekly": "0 0 * * 0",
  "@monthly": "0 0 1 * *",
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *"
};
function parseCron(text) {
  const fields = splitCron(text);
  const [seconds, minutes, hours, days, months, weekdays] = fields.map(knownField);
  const cron = {
    ...{ seconds, minutes, hours, days, months, weekdays },
    text: fields.join(" "),
    hasSeconds: /^\S+(?:\s+\S+){5}$/.test(text.trim()),
    isFixed: !fields[1].startsWith("*") && !fields[2].startsWith("*"),
    needsBothDays: /^[*?]/.test(fields[3]) || /^[*?]/.test(fields[5])
  };
  if (firstDay(cron, 0, DAYS_IN_400_YEARS) < Infinity) return cron;
  throw new Error(`expression ${quote(text)} never matches: its months have no such day`);
}
var MAX_CRON_LENGTH = 1e3;
function splitCron(text) {
  var _a, _b;
  if (text.length > MAX_CRON_LENGTH)
    throw new Error(`expression ${quote(text)} has over ${MAX_CRON_LENGTH} characters`);
  const [token = ""] = (_a = /[^ \t]*?[^ -~\t]/.exec(text)) != null ? _a : [];
  if (token !== "") {
    const code = escapeCodeUnit(token.slice(-1)).slice(2).toUpperCase();
    throw new Error(`expression has U+${code} in ${quote(token)}: blanks are spaces or tabs, ranges use -`);
  }
  const words = text.split(/[ \t]+/).filter((word) => word !== "");
  const plain = words.join(" ");
  checkExpression(plain);
  const fields = words.length === 6 ? words : `0 ${(_b = MACROS[plain.toLowerCase()]) != null ? _b : plain}`.split(" ");
  if (fields.length === 6) return fields;
  if (plain.startsWith("@")) {
    const known = listed(Object.keys(MACROS), "or");
    throw new Error(`macro ${quote(plain)} is unknown: expected ${known}, or the options --every and --run-on-start`);
  }
  if (MACROS[`@${plain.toLowerCase()}`] !== void 0)
    throw new Error(`expression ${quote(plain)} is not a schedule: did you mean @${plain}?`);
  const names = listed(CRON_FIELDS.slice(1).map(({ name }) => name));
  throw new Error(`expression ${quote(plain)}: expected five fields, ${names}, or six with seconds in front`);
}
var KNOWN_FIELDS = CRON_FIELDS.map(() => /* @__PURE__ */ new Map());
var MOST_KNOWN_FIELDS = 100;
function knownField(text, i) {
  var _a;
  const known = KNOWN_FIELDS[i];
  const set = (_a = known.get(text)) != null ? _a : parseField(CRON_FIELDS[i], text);
  if (known.size >= MOST_KNOWN_FIELDS) known.clear();
  known.set(text, set);
  return set;
}
function parseField(field, text) {
  const items = text === "?" && field.name.startsWith("day") ? ["*"] : text.split(",");
  const values = items.flatMap((item) => {
    if (item === "") throw refusal(field, text, text, "has an empty list element: no blank may be beside a comma");
    return parseDayItem(field, text, item) || parseRange(field, text, item);
  });
  return [...new Set(values)].sort((a, b) => a - b);
}
var NEAREST_WEEKDAY = 100;
function parseDayItem(field, text, item) {
  if (field.name === "day-of-month") {
    const [, back] = /^L-([1-9]|[12]\d|30)$/i.exec(item) || [];
    if (back !== void 0) return [-Number(back)];
    const [, day, weekday2] = /^(L|\d+(?=W))(W?)$/i.exec(item) || [];
    if (day === void 0) return void 0;
    const number = day.toUpperCase() === "L" ? 0 : parseValue(field, text, day);
    return [weekday2 === "" ? number : NEAREST_WEEKDAY + number];
  }
  if (field.name !== "day-of-week") return void 0;
  const [, weekday, nth = 0] = /^(\d+|[a-z]{3})(?:#?L|#([1-5]))$/i.exec(item) || [];
  if (weekday !== void 0) return [7 * Number(nth) + parseValue(field, text, weekday) % 7];
  return parseRange(field, text, item).flatMap((day) => [1, 2, 3, 4, 5].map((n) => 7 * n + day % 7));
}
function parseRange(field, text, item) {
  const match = /^(?:\*|(\d+|[a-z]{3,})(?:-(\d+|[a-z]{3,}(?<!-...L)))?)(?:\/(\d+))?$/i.exec(item);
  if (match === null)
    throw refusal(field, text, item, syntaxHint(field.name, item) || `is not ${expectedValue(field)}`);
  const [, from, to, step = "1"] = match;
  if (Number(step) < 1 || Number(step) > field.size) {
    const instead = Number(step) < 1 || field.everyUnit === "" ? "" : `, or --every ${step}${field.everyUnit}`;
    throw refusal(field, text, item, `has a step of ${step}: expected 1 to ${field.size}${instead}`);
  }
  let [low, high] = [field.low, field.low + field.size - 1];
  if (from !== void 0) [low, high] = parseBounds(field, text, item, from, to);
  return Array.from({ length: Math.floor((high - low) / Number(step)) + 1 }, (_, i) => low + i * Number(step));
}
function parseBounds(field, text, item, from, to) {
  const hasStep = item.includes("/");
  const low = parseValue(field, text, from);
  if (to === void 0) return [low, hasStep ? Math.max(low, field.low + field.size - 1) : low];
  let high = parseValue(field, text, to);
  const isWeekday = field.name === "day-of-week";
  if (isWeekday && high === 0 && low > 0) high = 7;
  if (low <= high) return [low, high];
  const [first, last] = isWeekday ? [1, 7] : [field.low, field.high];
  const instead = hasStep ? "write a list" : `write ${from}-${last},${first}-${to}`;
  throw refusal(field, text, item, `runs backwards: ${instead}`);
}
function parseValue(field, text, token) {
  const named = field.names.indexOf(token.toUpperCase());
  if (named >= 0) return field.low + named;
  if (!/^\d+$/.test(token)) throw refusal(field, text, token, nameMistake(field, token));
  const value = Number(token);
  if (value < field.low) throw refusal(field, text, token, `is below ${field.low}`);
  if (value > field.high) throw refusal(field, text, token, syntaxHint(field.name, token) || `is above ${field.high}`);
  return value;
}
function nameMistake(field, token) {
  const name = threeLetters(token);
  const owner = CRON_FIELDS.find(({ names }) => names.includes(name));
  if (owner === field) return `is not a name of three letters: did you mean ${name}?`;
  return owner === void 0 ? `is not ${expectedValue(field)}` : `is the name of a ${owner.name}: fields shifted?`;
}
function expectedValue({ names }) {
  return names.length === 0 ? "a number" : `a number or a name from ${names[0]} to ${names[names.length - 1]}`;
}
var HAS_ZONE = "has a zone: that is --tz $1, in a crontab a line CRON_TZ=$1";
var SYNTAX_HINTS = [
  [/^expr/, /^(?:CRON_)?TZ=(\S*)/i, HAS_ZONE],
  [/^expr/, /^(?:\S+ ){5,6}(UTC|GMT|[A-Z]\w+\/[A-Z]\S*)/, HAS_ZONE],
  [/^expr/, /^(?:\S+ ){5,6}(\d{4}(?:[-,/]\S*)?)$/, "has the year $1: there is no year field"],
  [/^expr/, /^(?:\S+ ){6}[*?]$/, "has a year field: leave out the last *, in a crontab the seconds too"],
  [/^expr/, /^(?:\S+ ){5}\*\/([89]|\d\d+)$/, "has */$1 as day-of-week: seconds come first, in a crontab @every $1s"],
  [/^expr/, /^@every (\S+)$/i, "is an option of its own: --every $1"],
  [
    /^expr/,
    / \*\/(?:3[2-9]|[4-9]\d|\d{3,}),1-7 \S+ (\d|[a-z]{3})$/i,
    "has a step over 31: the first such weekday is $1#1"
  ],
  [/^expr/, /^/, ""],
  [/^hour/, /^24$/, "is above 23: midnight is 0"],
  [/^day-of-week/, /^\d{4}$/, "is above 7: there is no year field"],
  [/^day-of-month/, /^-\d+$/, "counts from the month's end: L is its last day, L-1 the one before"],
  [/^day-of-month/, /^W(L|\d+)$/i, "has the W in front: write $1W"],
  [/^day-of-week/, /^L([0-7])$/i, "has the L in front: write $1L"],
  [/./, /^@/, "is a macro: a macro stands alone"],
  [/./, /["'`]/, "has a quotation mark: write the expression without quotes"],
  [/./, /^[+-]|\/[+-]|\./, "has a sign or a point: values and steps are whole numbers, ranges use one hyphen"],
  [/./, /;/, "has a semicolon: lists use commas"],
  [/./, /~|^H($|[(/])/, "is a random value, which is not supported: --jitter spreads runs"],
  [/./, /\?/, "has a question mark, which means * where it stands alone in a day field"],
  [/^day/, /-.*(W$|L$|#)/i, "has L, W or # on a range: they go with one day"],
  [/^day-of-month/, /^L-/i, "is not L-1 to L-30, the days before the last"],
  [/^(?!day-of-week)/, /\dL$|#/i, "names a weekday: nL and n#m belong in day-of-week"],
  [/^(?!day-of-month)/, /^(\d*|L)W$/i, "is a day's nearest weekday: nW and LW belong in day-of-month"],
  [/^(?!day-of-month)/, /^L$/i, "is the month's last day in day-of-month; the last Saturday is 6L in day-of-week"],
  [/^day-of-week/, /#/, "has no occurrence from 1 to 5, as in 5#2; the last one is 5L"],
  [/./, /[-/]/, "is not a range such as 1-5 or a step such as */5"]
];
function syntaxHint(field, text) {
  var _a, _b, _c;
  const [, item, says] = (_a = SYNTAX_HINTS.find(([fields, items]) => fields.test(field) && items.test(text))) != null ? _a : [];
  const found = (_c = (_b = item == null ? void 0 : item.exec(text)) == null ? void 0 : _b[1]) != null ? _c : "";
  return says == null ? void 0 : says.replace(/\$1/g, () => {
    var _a2;
    return (_a2 = withoutFraction(found)) != null ? _a2 : found;
  });
}
function checkExpression(text) {
  const hint = syntaxHint("expression", text);
  if (hint) throw new Error(`expression ${quote(text)} ${hint}`);
}
function refusal(field, text, token, why) {
  const shown2 = /^\d+$/.test(token) ? token : quoteName(token);
  return new Error(`${field.name} ${shown2}${token === text ? "" : ` in ${quoteName(text)}`} ${why}`);
}
function listed(words, conjunction = "and") {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} ${conjunction} ${words[words.length - 1]}`;
}
var SECONDS_IN_DAY = DURATION_UNITS.d;
var DAYS_IN_400_YEARS = 146097;
function firstReading(cron, from, until) {
  const day = Math.floor(from / SECONDS_IN_DAY);
  const lastDay = Math.floor(until / SECONDS_IN_DAY);
  let match = firstDay(cron, day, lastDay);
  if (match === day) {
    const time = firstTime(cron, from - day * SECONDS_IN_DAY);
    if (time >= 0) return day * SECONDS_IN_DAY + time;
    match = firstDay(cron, day + 1, lastDay);
  }
  return match * SECONDS_IN_DAY + firstTime(cron, 0);
}
function firstTime({ hours, minutes, seconds }, from) {
  for (const hour of hours) {
    if ((hour + 1) * 3600 <= from) continue;
    for (const minute of minutes) {
      const start = hour * 3600 + minute * 60;
      if (start + 60 > from) {
        for (const second of seconds) if (start + second >= from) return start + second;
      }
    }
  }
  return -1;
}
function firstDay(cron, from, until) {
  const date = new Date(from * SECONDS_IN_DAY * 1e3);
  let day = date.getUTCDate();
  for (let month = date.getUTCFullYear() * 12 + date.getUTCMonth(); ; month++) {
    const first = firstOfMonth(month);
    if (!(first <= until)) return Infinity;
    const length = cron.months.includes(month % 12 + 1) ? firstOfMonth(month + 1) - first : 0;
    for (; day <= length; day++) if (matchesDay(cron, day, length, first)) return first + day - 1;
    day = 1;
  }
}
function firstOfMonth(month) {
  return Date.UTC(Math.floor(month / 12), month % 12, 1) / 1e3 / SECONDS_IN_DAY;
}
function matchesDay(cron, day, length, first) {
  const { days, weekdays, needsBothDays } = cron;
  const byDay = days.includes(day) || days.some((value) => dayOf(value, length, first) === day);
  if (byDay !== needsBothDays) return byDay;
  const weekday = weekdayOf(first + day - 1);
  return weekdays.includes(7 * Math.ceil(day / 7) + weekday) || day + 7 > length && weekdays.includes(weekday);
}
function dayOf(value, length, first) {
  const number = value % NEAREST_WEEKDAY;
  const day = number > 0 ? number : length + number;
  const weekday = value < NEAREST_WEEKDAY || day > length ? void 0 : weekdayOf(first + day - 1);
  if (weekday === 6) return day > 1 ? day - 1 : day + 2;
  if (weekday === 0) return day < length ? day + 1 : day - 2;
  return day;
}
var weekdayOf = (day) => ((day + 4) % 7 + 7) % 7;
var ZONE_AREAS = /^(Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Brazil|Canada|Chile|Etc|Europe|Indian|Mexico|Pacific|US)\//i;
var ZONE_LINKS = `
UTC=UTC UCT=UTC GMT=UTC Zulu=UTC Universal=UTC Etc/UTC=UTC Etc/GMT=UTC CET=Europe/Brussels MET=Europe/Brussels
EET=Europe/Athens WET=Europe/Lisbon EST=America/Panama MST=America/Phoenix HST=Pacific/Honolulu EST5EDT=America/New_York
CST6CDT=America/Chicago MST7MDT=America/Denver PST8PDT=America/Los_Angeles GB=Europe/London NZ=Pacific/Auckland
Hongkong=Asia/Hong_Kong Israel=Asia/Jerusalem Japan=Asia/Tokyo PRC=Asia/Shanghai ROK=Asia/Seoul Singapore=Asia/Singapore
Turkey=Europe/Istanbul US/Alaska=America/Anchorage US/Arizona=America/Phoenix US/Central=America/Chicago
US/Eastern=America/New_York US/Hawaii=Pacific/Honolulu US/Michigan=America/Detroit US/Mountain=America/Denver
US/Pacific=America/Los_Angeles America/Nuuk=America/Godthab Europe/Kyiv=Europe/Kiev`;
var STRETCH_SECONDS = 4 * SECONDS_IN_DAY;
var STRETCHES_KEPT = 100;
var SAVING_LIMIT_SECONDS = 3 * 3600;
var LARGEST_SHIFT_SECONDS = 26 * 3600;
var UTC_SPAN = { start: -Infinity, end: Infinity, offset: 0, jump: 0 };
var LOCAL_TIME = "local time";
function createZone(name, offsetAt = intlOffset(name)) {
  if (offsetAt === void 0) return { name, spanAt: () => UTC_SPAN };
  const stretches = /* @__PURE__ */ new Map();
  const spanAt = (second) => {
    var _a;
    const stretch = Math.floor(second / STRETCH_SECONDS);
    if (stretches.size > STRETCHES_KEPT) stretches.clear();
    const spans = (_a = stretches.get(stretch)) != null ? _a : spansOfStretch(offsetAt, stretch * STRETCH_SECONDS);
    stretches.set(stretch, spans);
    return second < spans[0].end ? spans[0] : spans[1];
  };
  return { name, spanAt };
}
var namedZones = /* @__PURE__ */ new Map();
function zoneNamed(name) {
  var _a;
  const zone = (_a = namedZones.get(name)) != null ? _a : createZone(name);
  namedZones.set(name, zone);
  return zone;
}
function spansOfStretch(offsetAt, stretchStart) {
  const start = stretchStart - SAVING_LIMIT_SECONDS;
  const end = stretchStart + STRETCH_SECONDS;
  const before = offsetAt(start);
  const after = offsetAt(end - 1);
  if (before === after) return [{ start, end, offset: before, jump: 0 }];
  let [unchanged, changed] = [start, end - 1];
  while (changed - unchanged > 1) {
    const middle = Math.floor((unchanged + changed) / 2);
    if (offsetAt(middle) === before) unchanged = middle;
    else changed = middle;
  }
  return [
    { start, end: changed, offset: before, jump: 0 },
    { start: changed, end, offset: after, jump: after - before }
  ];
}
function clockChanges(zone, from, until) {
  const changes = [];
  for (let second = zone.spanAt(from).end; second <= until; second = zone.spanAt(second).end) {
    const span2 = zone.spanAt(second);
    if (span2.jump !== 0 && span2.start === second) changes.push(span2);
  }
  return changes;
}
function intlOffset(name) {
  var _a;
  const wanted = `${name.toLowerCase()}=`;
  const link = ZONE_LINKS.split(/\s/).find((pair) => pair.toLowerCase().startsWith(wanted));
  const known = (_a = link == null ? void 0 : link.slice(wanted.length)) != null ? _a : name;
  if (/^(?:UTC|(?:UTC|GMT)[+-]?0)$/i.test(known)) return void 0;
  const date = { year: "numeric", month: "numeric", day: "numeric" };
  const time = { hour: "numeric", minute: "numeric", second: "numeric", hourCycle: "h23" };
  try {
    if (!ZONE_AREAS.test(known) && !/^[A-Z][a-z]+$/.test(known)) throw new RangeError();
    const clock = new Intl.DateTimeFormat("en-US", { timeZone: known, ...date, ...time });
    return (second) => {
      const [month, day, year, hours, minutes, seconds] = (clock.format(second * 1e3).match(/\d+/g) || []).map(Number);
      return Date.UTC(year, month - 1, day, hours, minutes, seconds) / 1e3 - second;
    };
  } catch (e) {
    throw new Error(`timezone ${quote(name)} ${zoneMistake(name)}: expected UTC or a zone such as Europe/Berlin`);
  }
}
function zoneMistake(name) {
  if (name.trim() === "") return "is empty";
  if (/^(UTC|GMT)?[+-]\d/i.test(name)) return "is an offset";
  if (/^(?:[a-z]{3,}|<[^>]*>)[+-]?\d/i.test(name)) return "is a POSIX rule";
  return /^[A-Z]{2,5}$/.test(name) ? "is an abbreviation" : "is unknown";
}
var SEARCH_SECONDS = 100 * 366 * SECONDS_IN_DAY;
var LAST_SECOND = 6e12;
function nextDue(cron, zone, from, until = Infinity) {
  const last = Math.min(until, from + SEARCH_SECONDS, LAST_SECOND);
  let second = Math.floor(from) + 1;
  while (second <= last) {
    const span2 = zone.spanAt(second);
    const due = firstDueWithin(cron, span2, second, last + LARGEST_SHIFT_SECONDS);
    if (due < span2.end) return due <= last ? due : Infinity;
    const isNearEnd = span2.end - second < LARGEST_SHIFT_SECONDS;
    second = isNearEnd ? span2.end : Math.max(span2.end, due - LARGEST_SHIFT_SECONDS);
  }
  return Infinity;
}
function firstDueWithin(cron, span2, second, until) {
  let from = second + span2.offset;
  if (cron.isFixed && span2.jump !== 0 && Math.abs(span2.jump) < SAVING_LIMIT_SECONDS) {
    const firstShown = span2.start + span2.offset;
    const isStart = second === span2.start;
    if (span2.jump > 0 && isStart && firstReading(cron, firstShown - span2.jump, firstShown) < firstShown) return second;
    if (span2.jump < 0) from = Math.max(from, firstShown - span2.jump);
  }
  return firstReading(cron, from, until + span2.offset) - span2.offset;
}
var MOST_TIMES_LISTED = 6;
function describeCron(cron, zoneName) {
  const months = rangeWords(cron.months, (month) => MONTHS[month - 1]);
  const monthWords = cron.months.length === 12 ? "" : `in ${listed(months)}`;
  return `${[timeWords(cron), dayWords(cron), monthWords].filter((part) => part !== "").join(" ")}, ${zoneName}`;
}
function timeWords({ hours, minutes, seconds }) {
  if (hours.length * minutes.length * seconds.length <= MOST_TIMES_LISTED) {
    const readings = hours.flatMap((h) => minutes.flatMap((m) => seconds.map((s) => h * 3600 + m * 60 + s)));
    return `at ${listed(readings.map(clockWords))}`;
  }
  const words = [setWords("second", seconds, 60), setWords("minute", minutes, 60), setWords("hour", hours, 24)];
  if (words[0] === "second 0") words.shift();
  const text = words.join(" of ").replace(/(every( \w+)? (second|minute))( of every (minute|hour))+/, "$1");
  return text.startsWith("every") ? text : `at ${text}`;
}
function setWords(unit, values, size) {
  if (values.length === size) return `every ${unit}`;
  if (values[0] === 0 && isEven(values, size)) return `every ${ordinal(values[1])} ${unit}`;
  return `${unit}${values.length === 1 ? "" : "s"} ${listed(rangeWords(values, String))}`;
}
function dayWords(cron) {
  const [days, weekdays] = [dayOfMonthWords(cron), dayOfWeekWords(cron)];
  if (days !== "" && weekdays !== "") return `on ${days} ${cron.needsBothDays ? "if also" : "or"} on ${weekdays}`;
  return cron.needsBothDays && days + weekdays !== "" ? `on ${days}${weekdays}` : "";
}
function dayOfMonthWords({ days }) {
  const plain = days.filter((day) => day > 0 && day < NEAREST_WEEKDAY);
  if (plain.length === 31) return "";
  const fromEnd = (day) => `the ${day === 0 ? "" : `${ordinal(1 - day)} `}last day of the month`;
  const name = (day) => day > 0 ? `the ${ordinal(day)}` : fromEnd(day);
  const nearest = days.filter((day) => day >= NEAREST_WEEKDAY);
  const words = nearest.map((day) => `the weekday nearest ${name(day - NEAREST_WEEKDAY)}`);
  return listed([...rangeWords(plain, name), ...words, ...days.filter((day) => day <= 0).map(name)]);
}
function dayOfWeekWords({ weekdays }) {
  const isWeekly = (day) => [1, 2, 3, 4, 5].every((n) => weekdays.includes(7 * n + day % 7));
  const weekly = [1, 2, 3, 4, 5, 6, 7].filter(isWeekly);
  if (weekly.length === 7) return "";
  const others = weekdays.filter((value) => !weekly.includes(value % 7 || 7));
  const nth = (value) => value < 7 ? "last" : ordinal(Math.floor(value / 7));
  const words = others.map((value) => `the ${nth(value)} ${WEEKDAYS[value % 7]} of the month`);
  return listed([...rangeWords(weekly, (day) => `${WEEKDAYS[day % 7]}s`), ...words]);
}
function cronWarnings(schedule, from, tickPeriod = 60) {
  const misfits = schedule.misfits(tickPeriod, from);
  const warnings = [fieldWarnings, dayWarnings, stepWarnings].flatMap((warningsOf) => warningsOf(schedule.cron));
  return [...warnings, ...misfits, ...changeWarnings(schedule, from)];
}
function fieldWarnings({ text, hasSeconds, months }) {
  const [second, , , day, , weekday] = text.split(" ");
  const warnings = hasSeconds ? [`six fields: the first, ${second}, is seconds`] : [];
  if (day === "?" && /\d/.test(weekday.replace(/[#/]\d/g, "")))
    warnings.push(`day-of-week ${weekday}: 1 is Monday here; Quartz's 1 is Sunday`);
  const length = (month) => firstOfMonth(1970 * 12 + month) - firstOfMonth(1970 * 12 + month - 1);
  const shortest = Math.min(...months.map(length));
  const late = day.split(",").find((item) => /^\d+W?$/i.test(item) && parseInt(item, 10) > shortest);
  if (late !== void 0)
    warnings.push(`day-of-month ${late}: not every month has it; ${late.replace(/\d+/, "L")} is the last one`);
  return warnings;
}
function dayWarnings({ text, needsBothDays }) {
  const [, , , day, , weekday] = text.split(" ");
  if (/^[*?]$/.test(day) || /^[*?]$/.test(weekday)) return [];
  const rule = needsBothDays ? "a day must match both, since one of them begins with *" : "a day that matches either is due (the first Monday of a month would be MON#1)";
  return [`day-of-month and day-of-week are both set: ${rule}`];
}
function stepWarnings(cron) {
  return cron.text.split(" ").flatMap((text, i) => {
    const [, step] = /^(?:\*|\w+)\/(\d+)$/.exec(text) || [];
    if (step === void 0 || step === "1") return [];
    const field = CRON_FIELDS[i];
    const values = parseRange(field, text, text);
    const [first, last] = [values[0], values[values.length - 1]];
    if (first === last) return [`${field.name} ${text} is the same as ${first}`];
    if (field.name !== "day-of-month" && isEven(values, field.size)) return [];
    const instead = field.everyUnit === "" ? "" : `; --every ${step}${field.everyUnit} is even`;
    return [`${field.name} ${text} is uneven: after ${last} comes ${first}${instead}`];
  });
}
function changeWarnings({ cron, zone }, from) {
  if (!cron.isFixed && cron.hours.length === 24) return [];
  return clockChanges(zone, from, from + 366 * SECONDS_IN_DAY).flatMap(({ start, offset, jump }) => {
    const [before, after] = [start + offset - jump, start + offset];
    const [low, high] = [Math.min(before, after), Math.max(before, after)];
    const times = [];
    for (let match = firstReading(cron, low, high); match < high; match = firstReading(cron, match + 1, high))
      times.push(clockWords(match));
    if (times.length === 0) return [];
    if (times.length > 3) times.splice(3, times.length, "more");
    const isSaving = cron.isFixed && high - low < SAVING_LIMIT_SECONDS;
    const skipRule = isSaving ? `it runs at ${clockWords(after)} once` : "it does not run then";
    const repeatRule = isSaving ? "it runs the first time only" : "it runs both times";
    const [verb, rule] = jump > 0 ? ["skips", skipRule] : ["repeats", repeatRule];
    return [`on ${formatTime(low).slice(0, 10)} the clock ${verb} ${listed(times)}: ${rule}`];
  });
}
function isEven(values, size) {
  const step = size / values.length;
  return values.length > 1 && values.every((value, i) => value === values[0] + i * step);
}
function rangeWords(values, show2) {
  const lasts = values.filter((value) => !values.includes(value + 1));
  return values.filter((value) => !values.includes(value - 1)).map((first, i) => first === lasts[i] ? show2(first) : `${show2(first)} to ${show2(lasts[i])}`);
}
function ordinal(value) {
  const suffix = Math.floor(value / 10) === 1 ? void 0 : ["th", "st", "nd", "rd"][value % 10];
  return `${value}${suffix || "th"}`;
}
var clockWords = (reading) => formatTime(reading).slice(11, 19).replace(/:00$/, "");
var RESULTS = ["success", "failure", "timeout", "interrupted"];
var CAUSES = ["timeout", "stop", "replace"];
var LISTENER = "";
var NOTHING = [];
var MAX_RECENT = 20;
var MAX_EARLIER = 4;
var FRESH_STATE = {
  lastRun: 0,
  failures: 0,
  recent: "",
  counts: {},
  delay: 0,
  runs: NOTHING,
  waiting: NOTHING,
  left: NOTHING
};
function remember(state, fact) {
  switch (fact.type) {
    case "job":
      return rememberJob(state, fact);
    case "waiting":
      return withDue(state, { waiting: [...without(state.waiting, fact), dueOf(fact)] }, fact);
    case "skipped":
      return withCounted(withDue(state, {}, fact), "skipped");
    case "missed":
      return withNamed(withCounted(state, "missed", fact.count), { due: fact.due, reason: "schedule" });
    case "starting":
      return rememberStarting(state, fact);
    case "started":
      return changeRun(state, fact.run, { phase: "running", pid: fact.pid, start: fact.start, at: fact.at });
    case "ending":
      return changeRun(state, fact.run, { phase: "ending", cause: fact.cause });
    case "ended":
      return rememberEnded(state, fact);
    case "dropped":
      return rememberDropped(state, fact);
    case "paused":
      return { ...state, paused: { until: fact.until } };
    case "resumed": {
      const { decided = state.decided } = fact;
      return { ...state, paused: void 0, decided: decided && highest(state.decided, decided) };
    }
    case "removed":
      return FRESH_STATE;
    case "yielded":
      return { ...state, yielded: { supervisor: fact.supervisor, at: fact.at } };
  }
}
function rememberJob(state, { name, schedule, delay = 0, decided = state.decided, past }) {
  return { ...state, ...past && pastOf(past), name, schedule, delay, decided };
}
function rememberStarting(state, fact) {
  var _a;
  const { run: number, attempt, at } = fact;
  const place = placeOf(state.runs, number);
  const before = ((_a = state.runs[place]) == null ? void 0 : _a.number) === number ? state.runs[place] : void 0;
  const run = { ...before, ...NO_ATTEMPT, ...dueOf(fact), number, attempt, at, phase: "starting", hasSlot: true };
  const runs = [...state.runs];
  runs.splice(place, before === void 0 ? 0 : 1, run);
  const changes = { runs, lastRun: Math.max(state.lastRun, number) };
  return attempt === 1 ? withDue(state, changes, fact) : { ...state, ...changes };
}
function withDue(state, changes, fact) {
  const [waiting, left] = [without(state.waiting, fact), without(state.left, fact)];
  const isNamed = waiting.length < state.waiting.length || left.length < state.left.length;
  const next = { ...state, waiting, left, ...changes };
  return isNamed ? next : withNamed(next, fact);
}
var NO_ATTEMPT = {
  pid: void 0,
  start: void 0,
  cause: void 0,
  end: void 0,
  result: void 0,
  seconds: void 0,
  tail: void 0,
  isOrphan: void 0
};
function rememberEnded(state, fact) {
  const { run, result, at, seconds, exit, signal, error, retryIn, tail } = fact;
  const end = error === void 0 ? { exit, signal } : { exit, signal, error };
  if (retryIn !== void 0)
    return changeRun(state, run, { phase: "backoff", end, result, seconds, tail, hasSlot: false });
  return withResult(state, { run, result, at, seconds, tail, ...end });
}
function rememberDropped(state, { run: number, why, result, at }) {
  var _a, _b;
  const run = state.runs.find((one) => one.number === number);
  if (result !== void 0)
    return withResult(state, {
      ...(_a = run == null ? void 0 : run.end) != null ? _a : UNSEEN,
      ...{ run: number, result, at, seconds: (_b = run == null ? void 0 : run.seconds) != null ? _b : 0, tail: run == null ? void 0 : run.tail }
    });
  const left = withoutRun(state, number);
  return why === "held" ? left : withCounted(left, "skipped");
}
var UNSEEN = { exit: null, signal: null };
function withResult(state, last) {
  var _a, _b;
  const { result, seconds, tail } = last;
  const failures = result === "success" ? 0 : state.failures + 1;
  const recentSeconds = [...(_a = state.recentSeconds) != null ? _a : [], seconds].slice(-MAX_RECENT);
  const { earlier = [], last: before } = state;
  const known = [...earlier, before].filter(isPresent).slice(-MAX_EARLIER);
  const kept = tail === void 0 ? known : known.map((one) => ({ ...one, tail: void 0 }));
  const { due, reason } = (_b = state.runs.find(({ number }) => number === last.run)) != null ? _b : {};
  const lastSuccess = result === "success" ? last.at : state.lastSuccess;
  const next = withCounted(withoutRun(state, last.run), result);
  return { ...next, last: { ...last, due, reason }, earlier: kept, lastSuccess, failures, recentSeconds };
}
function withCounted(state, what, times = 1) {
  var _a;
  const letter = what === "skipped" || what === "missed" ? "-" : what[0];
  const counts = { ...state.counts, [what]: ((_a = state.counts[what]) != null ? _a : 0) + times };
  return { ...state, counts, recent: `${state.recent}${letter}`.slice(-MAX_RECENT) };
}
function withNamed(state, { due, reason, serial, supervisor }) {
  if (reason === "event" || reason === "remote")
    return serial === void 0 || supervisor === void 0 ? state : { ...state, lastEvent: { serial, supervisor } };
  if (!isByTick(reason)) return state;
  const lastTick = serial === void 0 ? state.lastTick : { due, serial, supervisor };
  return { ...state, decided: highest(state.decided, due), reached: highest(state.reached, due), lastTick };
}
function isByTick(reason) {
  return reason === "schedule" || reason === "catch-up";
}
function highest(a, b) {
  return a === void 0 ? b : Math.max(a, b);
}
function dueOf({ due, reason, id, serial, supervisor }) {
  return { due, reason, id, serial, supervisor };
}
function without(waiting, { id }) {
  return waiting.some((one) => one.id === id) ? waiting.filter((one) => one.id !== id) : waiting;
}
function placeOf(runs, number) {
  let [low, high] = [0, runs.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (runs[middle].number < number) low = middle + 1;
    else high = middle;
  }
  return low;
}
function changeRun(state, number, changes) {
  var _a;
  const place = placeOf(state.runs, number);
  if (((_a = state.runs[place]) == null ? void 0 : _a.number) !== number) return state;
  const runs = [...state.runs];
  runs[place] = { ...runs[place], ...changes };
  return { ...state, runs };
}
function withoutRun(state, number) {
  const runs = state.runs.filter((run) => run.number !== number);
  return { ...state, runs: runs.length === 0 ? NOTHING : runs };
}
function factsOf(state, at) {
  const { name, schedule, delay, decided, runs, waiting, yielded } = state;
  if (yielded !== void 0) return [{ type: "yielded", ...yielded }];
  const waits = waiting.map((due) => ({ type: "waiting", ...dueOf(due), why: "", at }));
  const open = [...runs.flatMap(runFacts), ...waits];
  if (name === void 0 || schedule === void 0) return open;
  const job = { type: "job", name, schedule, delay: delay || void 0, decided, past: pastOf(state), at };
  return [...open, job];
}
function pastOf(past) {
  const { lastRun, failures, recent, recentSeconds, last, earlier, lastSuccess, counts } = past;
  const { reached, lastTick, lastEvent, paused } = past;
  const known = [...RESULTS, "skipped", "missed"].filter((what) => counts[what] !== void 0);
  const few = Object.fromEntries(known.map((what) => [what, counts[what]]));
  const results = { lastRun, failures, recent: recent.slice(-MAX_RECENT), last, earlier, lastSuccess, counts: few };
  return { ...results, recentSeconds: recentSeconds == null ? void 0 : recentSeconds.slice(-MAX_RECENT), reached, lastTick, lastEvent, paused };
}
function runFacts(run) {
  const { number, attempt, pid, start = 0, cause, end, result, seconds = 0, tail, at } = run;
  const facts = [{ type: "starting", run: number, attempt, ...dueOf(run), at }];
  if (pid !== void 0) facts.push({ type: "started", run: number, pid, start, at });
  if (cause !== void 0) facts.push({ type: "ending", run: number, cause, at });
  if (result !== void 0)
    facts.push({ type: "ended", run: number, attempt, result, seconds, retryIn: 0, tail, ...end, at });
  return facts;
}
function readJournal(lines) {
  const states = /* @__PURE__ */ new Map();
  let open = 0;
  for (const text of lines) {
    const line = tryParseLine(text);
    if (line === void 0) continue;
    const { job: key, was, fact } = line;
    const before = states.get(was != null ? was : key);
    if (before === void 0 && states.size === MOST_JOBS_BELIEVED) continue;
    const state = believable(remember(before != null ? before : FRESH_STATE, fact), open < MOST_OPEN_OF_ALL ? MOST_OPEN : 1);
    open += openOf(state) - openOf(before != null ? before : FRESH_STATE);
    if (was !== void 0) states.delete(was);
    if (fact.type === "removed") states.delete(key);
    else states.set(key, fact.type === "job" ? { ...state, id01: line.id01 } : state);
  }
  return states;
}
var MOST_JOBS_BELIEVED = 2e4;
var MOST_OPEN = 1500;
var MOST_OPEN_OF_ALL = 1e4;
var openOf = ({ runs, waiting }) => runs.length + waiting.length;
function believable(state, most) {
  const { runs, waiting } = state;
  if (runs.length <= most && waiting.length <= most) return state;
  return { ...state, runs: runs.slice(-most), waiting: waiting.slice(-most) };
}
var isText = (value) => typeof value === "string" && !value.includes("\0");
var isOptional = (is) => (value) => value === void 0 || is(value);
var isOneOf = (values) => (value) => values.includes(value);
var has = (fields) => (value) => Object(value) === value && Object.keys(fields).every((field) => fields[field](Object(value)[field]));
var DUE_FIELDS = {
  due: isCount,
  reason: isText,
  serial: isOptional(isCount),
  supervisor: isOptional(isText),
  id: isOptional(isText)
};
var END_FIELDS = {
  run: isCount,
  result: isOneOf(RESULTS),
  seconds: isAmount,
  exit: (value) => value === null || isCount(value),
  signal: (value) => value === null || isText(value),
  error: isOptional(isText),
  tail: isOptional((value) => typeof value === "string")
};
var PAUSE_FIELDS = { until: isOptional(isCount) };
var isResult = has({ ...END_FIELDS, at: isAmount, due: isOptional(isCount), reason: isOptional(isText) });
var PAST_FIELDS = {
  lastRun: isCount,
  failures: isCount,
  recent: isText,
  recentSeconds: isOptional((value) => Array.isArray(value) && value.every(isAmount)),
  last: isOptional(isResult),
  earlier: isOptional((value) => Array.isArray(value) && value.every(isResult)),
  lastSuccess: isOptional(isAmount),
  counts: (value) => Object(value) === value && Object.values(value).every(isCount),
  reached: isOptional(isCount),
  lastTick: isOptional(has({ due: isCount, serial: isCount, supervisor: isOptional(isText) })),
  lastEvent: isOptional(has({ serial: isCount, supervisor: isText })),
  paused: isOptional(has(PAUSE_FIELDS))
};
var JOB_FIELDS = { name: isText, was: isOptional(isText), delay: isOptional(isCount), decided: isOptional(isCount) };
var FIELDS = {
  job: { ...JOB_FIELDS, past: isOptional(has(PAST_FIELDS)) },
  waiting: DUE_FIELDS,
  skipped: DUE_FIELDS,
  missed: { due: isCount, count: isCount },
  starting: { ...DUE_FIELDS, run: isCount, attempt: isCount },
  started: { run: isCount, pid: (value) => isCount(value) && value > 1, start: isCount },
  ending: { run: isCount, cause: isOneOf(CAUSES) },
  ended: { ...END_FIELDS, attempt: isCount, retryIn: isOptional(isAmount) },
  dropped: { run: isCount, why: isText, result: isOptional(isOneOf(RESULTS)) },
  paused: PAUSE_FIELDS,
  resumed: { decided: isOptional(isCount), count: isCount },
  removed: {},
  yielded: { supervisor: isText }
};
var LEAST_LINE = '{"type":"removed","job":"","at":0}'.length;
var MOST_LINE = 2 ** 16;
function tryParseLine(text) {
  const { length } = text;
  if (length < LEAST_LINE || length > MOST_LINE || text[0] !== "{" || text[length - 1] !== "}") return void 0;
  try {
    const whole = from01(JSON.parse(text));
    const { job, was, id, ...line } = whole;
    const isKnown = isOneOf(Object.keys(FIELDS))(line.type);
    if (!isKnown || !isText(job) || !isAmount(line.at) || !has(FIELDS[line.type])(whole))
      return void 0;
    if (line.type === "job") return { job, was, id01: isText(id) ? id : void 0, fact: line };
    return { job, fact: { ...line, id: id != null ? id : `${line.due} ${line.reason}` } };
  } catch (e) {
    return void 0;
  }
}
function from01(line) {
  const { type, job, lastRun = 0, failures = 0, recent = "", last, lastDue } = line;
  if (type === "finished") return { ...line, type: "ended" };
  if (type === "givenUp") return { ...line, type: "dropped", why: "due" };
  if (type === "held") return { ...line, type: "dropped" };
  if (type !== "job" || !isText(line.id)) return line;
  const past = lastRun === 0 && recent === "" ? void 0 : { lastRun, failures, recent, counts: {} };
  const result = last === void 0 ? {} : { last: { ...UNSEEN, run: lastRun, ...last } };
  return { ...line, name: job, decided: lastDue == null ? void 0 : lastDue.due, past: past && { ...past, ...result } };
}
function isAmount(value) {
  return Number.isFinite(value) && value >= 0 && value < 1e12;
}
function isCount(value) {
  return Number.isInteger(value) && isAmount(value);
}
var DROP_REASONS = {
  held: "held back by --only-if",
  error: "held back, since --only-if failed",
  timeout: "held back, since --only-if did not answer",
  replaced: "another one is due",
  stopped: "supertick is being stopped",
  paused: "the job is paused",
  due: "the next run is due first",
  busy: "another run is still going",
  limit: "--retries allows no more attempts now",
  lost: "its event was lost with the listener that had it"
};
function describeFact(fact, about) {
  switch (fact.type) {
    case "paused":
      return describePause(fact);
    case "resumed":
      return `resumed${fact.count === 0 ? "" : `; ${countWords(fact.count)} went by while it was paused`}`;
    case "waiting":
      return `the run due ${formatTime(fact.due)} waits ${fact.why}`;
    case "skipped":
      return `skipped the run due ${formatTime(fact.due)} (${fact.reason}): ${fact.why}`;
    case "started":
      return `run ${fact.run} started (pid ${fact.pid}, due ${formatTime(about.due)}, ${reasonOf(about)})`;
    case "ending":
      return describeEnding(fact, about.job.options.policy);
    case "ended":
      return describeEnded(fact, about);
    case "dropped": {
      const what = fact.result === void 0 ? `, due ${formatTime(about.due)}, does not start` : " is not tried again";
      const detail = fact.error === void 0 ? "" : ` (${fact.error})`;
      return `run ${fact.run}${what}: ${DROP_REASONS[fact.why]}${detail}`;
    }
    default:
      return void 0;
  }
}
function isFailure(fact) {
  var _a;
  if (fact.type !== "ended" && fact.type !== "dropped") return false;
  return fact.error !== void 0 || ((_a = fact.result) != null ? _a : "success") !== "success";
}
function describeEnding({ run, cause }, { timeoutSeconds, killAfterSeconds }) {
  const causes = {
    timeout: `timed out after ${timeoutSeconds}s`,
    stop: "is being stopped",
    replace: "is being replaced"
  };
  return `run ${run} ${causes[cause]}; sent SIGTERM, SIGKILL follows in ${killAfterSeconds}s`;
}
function describeEnded(fact, { due, pid, isOrphan, since, job }) {
  const { run, attempt, result, seconds, retryIn, why } = fact;
  const how = howEnded(fact);
  let text = `run ${run} ${ENDED[result]}: ${how}, ${seconds.toFixed(1)}s`;
  if (since === void 0) text = `run ${run}, due ${formatTime(due)}, was interrupted: ${how}`;
  else if (pid === void 0 && !isOrphan) text = `run ${run} failed to start: ${how}`;
  if (retryIn === void 0) return why === void 0 ? text : `${text}; not tried again: ${DROP_REASONS[why]}`;
  return `${text}; attempt ${attempt + 1} of ${job.options.policy.retries + 1} in ${formatDuration(retryIn)}`;
}
var ENDED = {
  success: "finished",
  failure: "failed",
  timeout: "timed out",
  interrupted: "interrupted"
};
function howEnded({ exit, signal, error }) {
  var _a;
  return (_a = error != null ? error : signal) != null ? _a : `exit ${exit}`;
}
function reasonOf({ attempt, reason }) {
  return attempt !== void 0 && attempt > 1 ? "retry" : reason;
}
function whatIsDue(schedule, state, upTo, periodSeconds) {
  const { decided: begin = upTo, reached = upTo + 1 } = state;
  const isPast = reached < upTo || reached === upTo && schedule.firstAfter(begin) < reached;
  const decided = isPast ? Math.max(begin, reached) : begin;
  const due = schedule.latestIn(decided, upTo);
  if (due === void 0) return void 0;
  const count = decided < upTo - periodSeconds ? schedule.countIn(decided, upTo) : 1;
  if (due > upTo - 2 * periodSeconds) return { due, is: "schedule", count };
  return { due, is: upTo - due <= schedule.catchUpSeconds ? "catch-up" : "missed", count };
}
function beginsAt(schedule, { decided }, { whenSeconds, periodSeconds }, setBackSeconds, delay) {
  if (!isByClock(schedule)) return void 0;
  if (decided === void 0) return Math.max(0, whenSeconds - periodSeconds);
  const begin = Math.max(0, whenSeconds - delay);
  const backSeconds = setBackSeconds != null ? setBackSeconds : decided - whenSeconds;
  const isSetBack = schedule.isFixed ? backSeconds >= SAVING_LIMIT_SECONDS : backSeconds > 2 * periodSeconds;
  return isSetBack && decided > begin ? begin : void 0;
}
var LAST_GRACE_SECONDS = 1;
var MAX_RETRY_DELAY_SECONDS = 3600;
var MAX_WAITING_BYTES = 64 * 1024 * 1024;
var UNKNOWN_END = { ...UNSEEN, error: "exit status unknown, an earlier listener started it" };
function decide(job, state, input, moment) {
  const decision = new Decision(job, state, moment);
  decision.take(input);
  return decision;
}
function slotsOf({ runs }) {
  return runs.reduce((slots, { hasSlot }) => slots + (hasSlot ? 1 : 0), 0);
}
var Decision = class {
  constructor(job, state, moment) {
    this.job = job;
    this.state = state;
    this.moment = moment;
    this.notes = [];
    this.effects = [];
    this.slotsBefore = slotsOf(state);
  }
  record(fact, about = "run" in fact ? this.runOf(fact.run) : void 0) {
    this.notes.push({ fact, about });
    this.state = remember(this.state, fact);
  }
  take(input) {
    if (input.type === "due") return this.takeDue(input);
    if (input.type === "turn") return this.takeTurn(input.id);
    if (input.type === "stop") return this.stop(input.how);
    if (input.type === "pause") return this.pause(input.id, input.seconds);
    if (input.type === "resume") return this.endPause(input.id);
    const run = this.runOf(input.run);
    if (run !== void 0) this.takeOfRun(run, input);
  }
  takeOfRun(run, input) {
    var _a;
    switch (input.type) {
      case "answered":
        return this.takeAnswer(run, input.verdict, input.error);
      case "started":
        return this.begin(run, input.pid, input.start);
      case "startFailed":
        return this.endAttempt(run, { ...UNSEEN, error: input.error });
      case "outputLeft":
        return this.leaderExited(run, input.end);
      case "exited":
        return this.exited(run, (_a = run.end) != null ? _a : input.end);
      case "groupGone":
        return run.end !== void 0 && isBeingEnded(run) ? this.endAttempt(run, run.end) : void 0;
      case "alarm":
        return this.alarm(run);
      case "found":
        return this.found(run, input);
    }
  }
  runOf(number) {
    return this.state.runs.find((run) => run.number === number);
  }
  change(run, changes) {
    this.state = changeRun(this.state, run.number, changes);
    return { ...run, ...changes };
  }
  setAlarm(run, seconds) {
    this.effects.push({ do: "alarm", run, seconds });
  }
  get policy() {
    return this.job.options.policy;
  }
  policyOf({ job }) {
    return (job != null ? job : this.job).options.policy;
  }
  hasFreeSlot() {
    return this.moment.freeSlots > slotsOf(this.state) - this.slotsBefore;
  }
  takeDue({ type: _, ...due }) {
    if (this.moment.isStopping || !isByHand(due) && this.isStillPaused()) return;
    const { overlap, queueLimit } = this.policy;
    this.giveWay();
    const behind = overlap === "allow" ? void 0 : describeBehind(this.state);
    const inherits = overlap === "replace" && slotsOf(this.state) > 0;
    if (behind !== void 0 && overlap === "replace") this.dismissAll("replaced");
    if (behind === void 0 || overlap === "replace") return this.admit(due, inherits);
    const waiting = this.state.waiting.filter(({ awaitsSlot }) => !awaitsSlot).length;
    if (overlap === "skip" || waiting >= queueLimit) return this.skip(due, behind.why);
    this.wait(due, behind.until, false);
  }
  skip(due, why) {
    this.record({ type: "skipped", ...dueOf(due), why, at: this.moment.at }, due);
  }
  wait(due, why, awaitsSlot) {
    const bytes = due.event && memoryOf(due.event.payload);
    if (!this.state.waiting.some(({ id }) => id === due.id)) {
      const reason = bytes === void 0 ? void 0 : this.whyNoRoom(bytes);
      if (reason !== void 0) return this.skip(due, reason);
      this.record({ type: "waiting", ...dueOf(due), why, at: this.moment.at }, due);
    }
    const waiting = this.state.waiting.map((one) => one.id === due.id ? { ...due, awaitsSlot, bytes } : one);
    this.state = { ...this.state, waiting };
    if (awaitsSlot) this.effects.push({ do: "queue", id: due.id });
  }
  whyNoRoom(more) {
    const { waiting } = this.state;
    if (waiting.length > this.policy.queueLimit) return `${waiting.length} events wait`;
    const bytes = waiting.reduce((sum, { bytes: bytes2 = 0 }) => sum + bytes2, more);
    return bytes > MAX_WAITING_BYTES ? "the events that wait would have over 64 MiB" : void 0;
  }
  admit(due, inherits = false) {
    if (inherits || this.hasFreeSlot()) return this.open(due, !inherits || slotsOf(this.state) === 0);
    this.wait(due, "for its turn (--max-running)", true);
  }
  takeTurn(id) {
    const run = this.state.runs.find((one) => one.id === id && one.phase === "queued");
    if (run !== void 0) return this.beginAttempt(run, true);
    const due = this.state.waiting.find(({ awaitsSlot }) => awaitsSlot);
    if (due !== void 0) this.open(due, true);
  }
  open(due, hasSlot) {
    const run = { ...due, job: this.job, number: this.state.lastRun + 1, attempt: 0, phase: "queued", at: 0 };
    this.state = { ...this.state, runs: [...this.state.runs, run] };
    this.beginAttempt(run, hasSlot);
  }
  beginAttempt(before, hasSlot) {
    const { at, seconds: since } = this.moment;
    const { number, attempt, result, pid } = before;
    const isNew = attempt === 0 || result === "interrupted" && pid === void 0;
    const isAsked = this.policyOf(before).isAsking && !isByHand(before) && isNew;
    this.record({ type: "starting", run: number, attempt: attempt + 1, ...dueOf(before), at });
    const run = this.change(this.runOf(number), { hasSlot, since, phase: isAsked ? "asking" : "next" });
    if (isAsked) this.effects.push({ do: "ask", run });
    else this.makeWay(run);
  }
  takeAnswer(run, verdict, error) {
    if (run.phase !== "asking") return;
    if (verdict === "allowed") return this.makeWay(this.change(run, { phase: "next" }));
    this.drop(run, verdict, error);
    this.advance(run);
  }
  makeWay(run) {
    const isReplacing = this.policyOf(run).overlap === "replace";
    for (const other of isReplacing ? this.state.runs : NOTHING) {
      if (other.phase === "running") this.terminate(other, "replace");
      else if (/backoff|queued/.test(other.phase)) this.drop(other, "replaced");
    }
    if (!isReplacing || this.state.runs.length === 1) this.start(run);
  }
  start(run) {
    this.effects.push({ do: "spawn", run: this.change(run, { phase: "starting" }) });
  }
  begin(run, pid, start) {
    const { at, seconds } = this.moment;
    this.record({ type: "started", run: run.number, pid, start, at });
    const running = this.change(this.runOf(run.number), { since: seconds });
    if (this.state.runs.some(({ phase }) => phase === "next")) return this.terminate(running, "replace");
    this.setDeadline(running, 0);
  }
  setDeadline(run, elapsedSeconds) {
    const { timeoutSeconds } = this.policyOf(run);
    if (timeoutSeconds > 0) this.setAlarm(run, Math.max(1, timeoutSeconds - elapsedSeconds));
  }
  dismissAll(why) {
    for (const due of this.state.waiting) this.skip(due, DROP_REASONS[why]);
    const phases = why === "replaced" ? /asking|next|queued/ : /asking|next|queued|backoff/;
    for (const run of this.state.runs) if (phases.test(run.phase)) this.drop(run, why);
  }
  pause(id, seconds) {
    const until = seconds && Math.ceil(this.moment.now) + seconds;
    this.record({ type: "paused", until, id, at: this.moment.at });
    this.dismissAll("paused");
  }
  isStillPaused() {
    var _a;
    const { until = Infinity } = (_a = this.state.paused) != null ? _a : {};
    if (until <= this.moment.now) this.endPause();
    return this.state.paused !== void 0;
  }
  endPause(id) {
    var _a;
    const { paused, decided: before } = this.state;
    if (paused === void 0) return;
    const { schedule } = this.job;
    const { now } = this.moment;
    const decided = isByClock(schedule) ? Math.floor(Math.min(now, (_a = paused.until) != null ? _a : now)) : void 0;
    const count = before === void 0 || decided === void 0 ? 0 : schedule.countIn(before, decided);
    this.record({ type: "resumed", decided, count, id, at: this.moment.at });
  }
  drop({ number, attempt, end, result = "interrupted" }, why, error) {
    const isOver = attempt > 1 || end !== void 0;
    const { at } = this.moment;
    this.record({ type: "dropped", run: number, why, result: isOver ? result : void 0, error, at });
  }
  alarm(run) {
    var _a;
    if (run.phase === "running") this.terminate(run, "timeout");
    else if (run.phase === "draining") this.terminate(run, "stop");
    else if (run.phase === "ending") this.kill(run);
    else if (run.phase === "backoff") this.retry(run);
    else if (run.phase === "killed" && (run.end !== void 0 || this.moment.isStopping))
      this.endAttempt(run, (_a = run.end) != null ? _a : { ...UNSEEN, error: "SIGKILL did not end it" });
  }
  terminate(run, cause) {
    if (run.end !== void 0) return;
    this.record({ type: "ending", run: run.number, cause, at: this.moment.at });
    const ending = this.runOf(run.number);
    this.effects.push({ do: "signal", run: ending, signal: "SIGTERM" });
    this.setAlarm(ending, this.policyOf(run).killAfterSeconds);
  }
  kill(run) {
    const killed = this.change(run, { phase: "killed" });
    this.effects.push({ do: "signal", run: killed, signal: "SIGKILL" });
    this.setAlarm(killed, LAST_GRACE_SECONDS);
  }
  leaderExited(run, end) {
    if (!/running|draining/.test(run.phase)) return;
    this.setAlarm(this.change(run, { phase: "running", end, seconds: this.secondsOf(run) }), void 0);
  }
  exited(run, end) {
    if (run.phase !== "ending") return this.endAttempt(run, end);
    this.effects.push({ do: "watch", run: this.change(run, { end }) });
  }
  secondsOf({ since }) {
    return since === void 0 ? 0 : Math.round((this.moment.seconds - since) * 1e3) / 1e3;
  }
  endAttempt(run, end) {
    var _a, _b;
    const { number, attempt, cause } = run;
    const result = resultOf(run, end);
    const why = result === "success" ? void 0 : this.whyNotRetried(run);
    const retryIn = result === "success" || why !== void 0 ? void 0 : this.retryDelayOf(run);
    const seconds = cause === void 0 && run.seconds !== void 0 ? run.seconds : this.secondsOf(run);
    const { at } = this.moment;
    const shown2 = why === "limit" ? void 0 : why;
    const tail = result === "success" ? void 0 : (_b = (_a = this.moment).tailOf) == null ? void 0 : _b.call(_a, number);
    this.record({ type: "ended", run: number, attempt, result, seconds, retryIn, why: shown2, tail, ...end, at });
    if (retryIn !== void 0) this.setAlarm(run, retryIn);
    this.advance(run);
  }
  retryDelayOf(run) {
    return Math.min(MAX_RETRY_DELAY_SECONDS, this.policyOf(run).retryDelaySeconds * 2 ** (run.attempt - 1));
  }
  whyNotRetried(run) {
    const { retries, overlap, isRetryYielding } = this.policyOf(run);
    if (run.attempt > retries) return "limit";
    if (this.moment.isStopping || run.cause === "stop") return "stopped";
    if (this.state.paused !== void 0) return "paused";
    if (run.cause === "replace" || this.state.runs.some(({ phase }) => phase === "next")) return "replaced";
    if (run.reason === "event" && run.event === void 0) return "lost";
    if (!isRetryYielding) return void 0;
    const isLater = ({ number }) => overlap !== "allow" && number > run.number;
    if (this.state.waiting.length > 0 || this.state.runs.some(isLater)) return "due";
    return this.retryDelayOf(run) >= this.moment.secondsToNextRun() ? "due" : void 0;
  }
  retry(run) {
    const { overlap } = this.policyOf(run);
    const isInTheWay = (other) => overlap === "replace" ? other.number > run.number : other.phase !== "backoff";
    if (overlap !== "allow" && this.state.runs.some(isInTheWay)) {
      this.drop(run, "busy");
      return this.advance(run);
    }
    if (this.hasFreeSlot()) return this.beginAttempt(run, true);
    this.change(run, { phase: "queued" });
    this.effects.push({ do: "queue", id: run.id });
  }
  giveWay() {
    for (const run of this.state.runs)
      if (/backoff|queued/.test(run.phase) && this.policyOf(run).isRetryYielding) this.drop(run, "due");
  }
  advance({ number, hasSlot }) {
    const heir = this.state.runs.find((run) => /asking|next/.test(run.phase) && !run.hasSlot && run.number !== number);
    if (hasSlot && heir !== void 0) this.change(heir, { hasSlot: true });
    if (this.state.runs.some(({ phase }) => phase !== "next")) return;
    const [next] = this.state.runs;
    if (next !== void 0) return this.start(next);
    const [first] = this.state.waiting;
    if (first !== void 0 && !first.awaitsSlot && !this.moment.isStopping) this.admit(first);
  }
  stop(how) {
    this.dismissAll("stopped");
    for (const run of this.state.runs) this.stopOne(run, how);
  }
  stopOne(run, how) {
    const { drainSeconds } = this.policyOf(run);
    if (run.phase === "starting")
      this.endAttempt({ ...run, cause: "stop" }, { ...UNSEEN, error: "stopped before it started" });
    else if (run.phase === "killed") this.setAlarm(run, LAST_GRACE_SECONDS);
    else if (run.phase === "ending") {
      if (how === "kill") this.kill(run);
    } else if (run.end !== void 0) {
      if (how === "kill") this.endAttempt(run, run.end);
    } else if (how === "drain" && drainSeconds > 0) this.drain(run, drainSeconds);
    else this.terminate(run, "stop");
  }
  drain(run, seconds) {
    const { timeoutSeconds } = this.policyOf(run);
    const isLimited = timeoutSeconds > 0 && timeoutSeconds - this.secondsOf(run) < seconds;
    if (!isLimited) this.setAlarm(this.change(run, { phase: "draining" }), seconds);
    const limit = isLimited ? "until its --timeout" : `for ${formatDuration(seconds)} at most`;
    this.effects.push({ do: "log", text: `run ${run.number} may go on ${limit} (--drain)` });
  }
  found(before, { leader, isAlive: isAlive2, hasGroup: hasGroup2, ageSeconds }) {
    const { at, seconds } = this.moment;
    if (before.phase === "backoff") return this.resume(this.change(before, { job: this.job }));
    if (before.pid === void 0 && leader !== void 0)
      this.record({ type: "started", run: before.number, ...leader, at });
    const run = this.change(this.runOf(before.number), { job: this.job, isOrphan: true });
    if (!isAlive2 && !(hasGroup2 && run.phase === "ending"))
      return this.endAttempt(run, { ...UNSEEN, error: "the listener was killed while it was going" });
    const orphan = this.change(run, {
      hasSlot: true,
      since: seconds - ageSeconds,
      end: isAlive2 ? void 0 : UNKNOWN_END
    });
    this.effects.push({ do: "watch", run: orphan });
    if (run.phase === "ending") return this.terminate({ ...orphan, end: void 0 }, run.cause);
    this.setDeadline(this.change(orphan, { phase: "running" }), ageSeconds);
  }
  resume(run) {
    const why = this.whyNotRetried({ ...run, cause: void 0 });
    if (why === void 0) this.setAlarm(run, this.retryDelayOf(run));
    else this.drop(run, why);
  }
};
function resultOf(run, end) {
  if (run.cause === "timeout") return "timeout";
  if (run.cause !== void 0 || run.isOrphan) return "interrupted";
  return end.exit === 0 ? "success" : "failure";
}
function isGoingOn({ phase, end }) {
  return /running|draining/.test(phase) && end === void 0;
}
function isByHand({ reason }) {
  return reason === "signal" || reason === "remote";
}
function describePause({ until }) {
  return until === void 0 ? "paused" : `paused until ${formatTime(until)}`;
}
var countOf = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;
function countWords(count) {
  return count >= MOST_COUNTED ? "over 1,000 due times" : count === 1 ? "one due time" : `${count} due times`;
}
function memoryOf(text) {
  return isAscii(text) ? text.length : 2 * text.length;
}
function isBeingEnded({ phase }) {
  return phase === "ending" || phase === "killed";
}
function describeBehind({ runs, waiting }) {
  const [run] = runs;
  if (run !== void 0)
    return { why: `run ${run.number} ${describePhase(run)}`, until: `for the end of run ${run.number}` };
  const [due] = waiting;
  if (due === void 0) return void 0;
  const what = `the run due ${formatTime(due.due)}`;
  return { why: `${what} waits for its turn (--max-running)`, until: `for the end of ${what}` };
}
function describePhase({ phase, pid, attempt, end }) {
  if (phase === "asking") return "waits for --only-if";
  if (phase === "backoff") return `waits for its attempt ${attempt + 1}`;
  if (phase === "queued") return "waits for its turn (--max-running)";
  if (phase === "running" && end !== void 0) return "is over, but its output is still being read";
  return pid === void 0 ? "is starting" : `is still going (pid ${pid})`;
}
var Expectation = class extends Error {
};
var UsageError = class extends Error {
  constructor(message, origin) {
    super(message);
    this.origin = origin;
  }
};
function checked(expected, convert, isLegal) {
  return (text) => {
    const value = convert(text);
    if (isLegal(value)) return value;
    throw new Expectation(expected);
  };
}
function wholeNumber(low, high, alternative = "") {
  const convert = (text) => /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return checked(`a whole number from ${low} to ${high}${alternative}`, convert, (n) => n >= low && n <= high);
}
function oneOf(...words) {
  const isListed = (word) => words.includes(word);
  return checked(words.join(" or "), (text) => text, isListed);
}
var USER_NAME = /^[A-Za-z_][\w.-]*\$?$/;
var NAME = "a name of 1 to 100 characters, without / and control characters, that begins with no dot or space";
var parseName = checked(NAME, String, (text) => /^[^\s/\p{C}.][^/\p{C}]{0,99}$/u.test(text));
var parseUserName = checked("the name of a user", String, (text) => USER_NAME.test(text));
var parsePath = checked("a file name", String, (text) => /^[^\0]+$/.test(text));
var parseShellCommand = checked("a shell command", String, (text) => /^[^\0]*[^\s\0][^\0]*$/.test(text));
var parseHosts = checked("names of hosts, by comma", (text) => text.toLowerCase().split(","), areHosts);
var parseUrl = checked("an http or https URL", String, isWebUrl);
var yesOrNo = checked("yes or no", (text) => /^(?:(yes|true|1|on)|no|false|0|off)$/i.exec(text), Boolean);
var parseSwitch = (text) => yesOrNo(text)[1] !== void 0;
var parseSpeed = (text) => text === "max" ? Number.POSITIVE_INFINITY : wholeNumber(1, 1e6, " or max")(text);
var positiveDuration = checked("a duration of at least 1s", parseDuration, (seconds) => seconds > 0);
var parseRetryDelay = checked("a duration of at most 1h", positiveDuration, (s) => s <= MAX_RETRY_DELAY_SECONDS);
var parsePause = checked("a duration of at most 3650d", positiveDuration, (s) => s <= 3650 * SECONDS_IN_DAY);
var parseTime = checked("a time such as 2025-03-30T00:55:00Z", secondsOf, (seconds) => seconds >= 0);
function areHosts(names) {
  return names.every((name) => /^[\w-]+(\.[\w-]+)*$/.test(name));
}
function isWebUrl(text) {
  try {
    return /^https?:$/.test(new URL(text).protocol);
  } catch (e) {
    return false;
  }
}
function secondsOf(text) {
  var _a;
  if (/^\d{5,12}$/.test(text)) return Number(text);
  const pattern = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d+)?(?:Z|([+-]\d\d):?(\d\d))?)?$/;
  const [, day, clock = "00:00", hours = "+00", minutes = "00"] = (_a = pattern.exec(text)) != null ? _a : [];
  if (day === void 0 || !new Date(Date.parse(day) || 0).toISOString().startsWith(day)) return Number.NaN;
  return Date.parse(`${day}T${clock}${hours}:${minutes}`) / 1e3;
}
var EVENT_TYPES = `EVENT PROCESS_STATE PROCESS_STATE_STARTING PROCESS_STATE_RUNNING PROCESS_STATE_BACKOFF
PROCESS_STATE_STOPPING PROCESS_STATE_EXITED PROCESS_STATE_STOPPED PROCESS_STATE_FATAL PROCESS_STATE_UNKNOWN
REMOTE_COMMUNICATION PROCESS_LOG PROCESS_LOG_STDOUT PROCESS_LOG_STDERR
PROCESS_COMMUNICATION PROCESS_COMMUNICATION_STDOUT PROCESS_COMMUNICATION_STDERR
SUPERVISOR_STATE_CHANGE SUPERVISOR_STATE_CHANGE_RUNNING SUPERVISOR_STATE_CHANGE_STOPPING
PROCESS_GROUP PROCESS_GROUP_ADDED PROCESS_GROUP_REMOVED`.split(/\s/);
function parseEventNames(text) {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !EVENT_TYPES.includes(name));
  if (unknown === void 0) return names;
  if (unknown.startsWith("TICK")) throw new Error("ticks are for --ticks, --every and --cron");
  const kin = EVENT_TYPES.filter((name) => name.endsWith(unknown.replace(/^.*_/, "_").toUpperCase()));
  const near = suggestion(unknown.toUpperCase(), EVENT_TYPES) || (kin.length === 1 ? `; did you mean ${kin[0]}?` : "");
  throw new Error(`unknown event ${quote(unknown)}${near}`);
}
var GROUPS = { schedule: "Schedule, one of", when: "When", how: "How", telling: "Telling", trial: "Subcommands" };
function option(usage, group, scope, parse, about, more = {}) {
  const [flag, metavar = ""] = usage.split(" ");
  const variable = group === "trial" ? void 0 : `TICK_${flag.slice(2).replace(/-/g, "_").toUpperCase()}`;
  return { flag, metavar, env: variable, scope, group, parse, about, ...more };
}
var OPTIONS = {
  ticks: option(
    "--ticks N",
    "schedule",
    "job",
    wholeNumber(1, 2 ** 31),
    "run on every Nth tick counted (1 to 2^31)",
    { env: "TICK_GOAL", twin: "tick" }
  ),
  every: option(
    "--every D",
    "schedule",
    "job",
    positiveDuration,
    "run once in every slice of D; slices are aligned to the epoch, so 1h means on the hour (UTC)",
    { twin: "cron" }
  ),
  cron: option(
    "--cron EXPR",
    "schedule",
    "job",
    parseCron,
    "run at the times of a cron expression: minute hour day month weekday, or @daily and the like",
    { twin: "every" }
  ),
  on: option(
    "--on EVENTS",
    "schedule",
    "job",
    parseEventNames,
    "run on events of supervisord, such as PROCESS_STATE_FATAL; a list by comma, the payload on stdin"
  ),
  crontab: option(
    "--crontab FILE",
    "schedule",
    "listener",
    parsePath,
    "many jobs: a crontab, or a directory such as /etc/cron.d, read again when it changes and on SIGHUP"
  ),
  userColumn: option(
    "--user-column WHICH",
    "schedule",
    "listener",
    oneOf("auto", "yes", "no"),
    "with --crontab: is there a user before each command? auto looks at the words",
    {
      default: "auto",
      onlyWith: ["crontab"]
    }
  ),
  offset: option(
    "--offset D",
    "schedule",
    "job",
    parseDuration,
    "with --every: move the slices by D, less than the slice",
    { default: "0", onlyWith: ["every", "crontab"] }
  ),
  tick: option(
    "--tick TYPE",
    "when",
    "listener",
    oneOf("TICK_5", "TICK_60", "TICK_3600"),
    "which tick counts: TICK_5, TICK_60 or TICK_3600",
    { env: "TICK_EVENT", defaultText: "the first type seen", twin: "ticks" }
  ),
  tz: option(
    "--tz ZONE",
    "when",
    "job",
    zoneNamed,
    "with --cron: the time zone, such as Europe/Berlin",
    { defaultText: "TZ, else the system's", onlyWith: ["cron", "crontab"] }
  ),
  catchUp: option(
    "--catch-up D",
    "when",
    "job",
    parseDuration,
    "make up for a cron run missed by up to D; 0: never",
    { default: "1h", onlyWith: ["cron", "crontab"] }
  ),
  jitter: option(
    "--jitter D",
    "when",
    "job",
    parseDuration,
    "delay each run by a time below D, fixed by host and job",
    { default: "0", onlyWith: ["every", "cron", "crontab"] }
  ),
  runOnStart: option("--run-on-start", "when", "job", parseSwitch, "also run once at start", { default: "no" }),
  name: option(
    "--name NAME",
    "how",
    "job",
    parseName,
    "the job's name in log and state",
    { defaultText: "supervisord's process name, else the command's", onlyWith: ["ticks", "every", "cron", "on"] }
  ),
  overlap: option(
    "--overlap POLICY",
    "how",
    "job",
    oneOf("skip", "queue", "replace", "allow"),
    "what a due run does while the last one is still going: skip, queue (one waits; with --on 1,000), replace (ends it first) or allow (runs beside it)",
    { defaultText: "skip; with --on queue" }
  ),
  timeout: option(
    "--timeout D",
    "how",
    "job",
    parseDuration,
    "end a run after D: SIGTERM to its process group, SIGKILL after --kill-after; 0: no limit",
    { default: "0" }
  ),
  killAfter: option(
    "--kill-after D",
    "how",
    "job",
    positiveDuration,
    "time from SIGTERM to SIGKILL, also at stop; keep it below supervisord's stopwaitsecs (10 s)",
    { default: "5s" }
  ),
  drain: option(
    "--drain D",
    "how",
    "job",
    parseDuration,
    "at a stop, let a run go on for D before SIGTERM; keep D and --kill-after below stopwaitsecs",
    { default: "0" }
  ),
  retries: option(
    "--retries N",
    "how",
    "job",
    wholeNumber(0, 1e3),
    "try a failed run again up to N times (1000 at most); a retry gives way to the next due run",
    { default: "0" }
  ),
  retryDelay: option(
    "--retry-delay D",
    "how",
    "job",
    parseRetryDelay,
    "the wait before the first retry; it doubles, up to 1h",
    { default: "10s", onlyWith: ["retries", "crontab"] }
  ),
  user: option(
    "--user NAME",
    "how",
    "job",
    parseUserName,
    "run the command, and --only-if, as that user of this machine, with its groups, HOME, USER, LOGNAME and SHELL"
  ),
  envFile: option(
    "--job-env-file FILE",
    "how",
    "job",
    parsePath,
    "more variables for the command: NAME=value lines, without quotes, read before each run",
    { env: "TICK_ENV_FILE" }
  ),
  maxRunning: option(
    "--max-running N",
    "how",
    "listener",
    wholeNumber(0, 2 ** 31),
    "how many commands may run at a time in all, the rest wait in order; 0: no limit",
    { default: "0" }
  ),
  onlyIf: option(
    "--only-if CMD",
    "how",
    "job",
    parseShellCommand,
    "before a run, /bin/sh -c CMD: exit 0 runs it, 1 holds it back, as does an error: any other exit, or 10s"
  ),
  state: option("--state FILE", "telling", "listener", parsePath, "the counter file; the run journal is FILE.runs beside it", { defaultText: "/var/lib/supertick/NAME, else /tmp/supertick-UID/NAME" }),
  verbose: option("--verbose", "telling", "listener", parseSwitch, "also log ticks and the count", { default: "no" }),
  log: option(
    "--log FORM",
    "telling",
    "listener",
    oneOf("raw", "prefix", "json"),
    "raw: output as it is; prefix: time, job and run before each line; json: an object a line",
    { default: "raw" }
  ),
  onFailure: option(
    "--on-failure CMD",
    "telling",
    "job",
    parseShellCommand,
    "after the last attempt of a run that failed, timed out or was interrupted: /bin/sh -c CMD, 60s at most"
  ),
  onSuccess: option("--on-success CMD", "telling", "job", parseShellCommand, "the same after a run that succeeded"),
  onSkip: option(
    "--on-skip CMD",
    "telling",
    "job",
    parseShellCommand,
    "the same for a due run that was skipped, or that --only-if could not decide on"
  ),
  ping: option("--ping URL", "telling", "job", parseUrl, "report to a service such as healthchecks: POST URL/start, then URL or URL/fail; 10s at most, no run waits for it", { isSecret: true }),
  for: option(
    "--for D",
    "trial",
    "simulate",
    positiveDuration,
    "simulate: how much of supervisord's time to play",
    { default: "1h" }
  ),
  speed: option(
    "--speed N",
    "trial",
    "simulate",
    parseSpeed,
    "simulate: how many times faster than the clock, or max: no pause, but no tick during a run",
    { default: "600" }
  ),
  frames: option(
    "--frames",
    "trial",
    "simulate",
    parseSwitch,
    "simulate: show the bytes of every message",
    { default: "no" }
  ),
  from: option(
    "--from TIME",
    "trial",
    "trial",
    parseTime,
    "simulate, check: the time to begin at, as 2025-03-30T00:55:00Z; UTC without a zone",
    { defaultText: "now" }
  ),
  number: option(
    "-n N",
    "trial",
    "check",
    wholeNumber(1, 1e3),
    "check: how many of the next runs to list, 1 to 1000",
    { default: "5" }
  ),
  wait: option(
    "--wait",
    "trial",
    "run",
    parseSwitch,
    "run: follow the run to its end, and exit as it does",
    { default: "no" }
  ),
  pauseFor: option("--for D", "trial", "pause", parsePause, "pause: for so long; else until resume"),
  requestState: option(
    "--state FILE",
    "trial",
    "request",
    parsePath,
    "run, pause, resume: the counter file of the listener that is meant"
  ),
  host: option(
    "--host NAMES",
    "trial",
    "serve",
    parseHosts,
    "serve: names, by comma, under which it may be asked for; an address and localhost always may"
  ),
  json: option("--json", "trial", "report", parseSwitch, "check, status: print one JSON object", { default: "no" }),
  prometheus: option(
    "--prometheus",
    "trial",
    "status",
    parseSwitch,
    "status: print metrics in Prometheus' text format; the exit status is 0",
    { default: "no" }
  )
};
var OPTION_KEYS = Object.keys(OPTIONS);
var SCHEDULE_KEYS = ["ticks", "every", "cron", "on", "crontab"];
var specOf = (key) => OPTIONS[key];
var flagOf = (key) => specOf(key).flag;
var isSwitch = (key) => specOf(key).metavar === "";
var OPTION_VARIABLES = OPTION_KEYS.map((key) => {
  var _a;
  return (_a = specOf(key).env) != null ? _a : "";
});
function parseCommandLine(args, scopes, files) {
  var _a;
  const texts = /* @__PURE__ */ new Map();
  const words = args.slice(0, [...args, "--"].indexOf("--"));
  for (let at = 0; at < words.length; at++) {
    const [, flag, value] = (_a = new RegExp("^(-\\w|-[^=]*)(?:(?:=|(?=\\d))(.*))?$", "s").exec(words[at])) != null ? _a : [];
    if (flag === void 0) {
      if (files === void 0) throw notAnOption(words[at], [...texts.values()].pop());
      files.push(words[at]);
      continue;
    }
    const key = optionOf(flag, scopes);
    const text = value != null ? value : isSwitch(key) ? "yes" : words[++at];
    if (texts.has(key)) throw new UsageError(`${flag} is given twice`);
    if (text === void 0) throw new UsageError(`${flag} needs a value: ${specOf(key).about}`);
    texts.set(key, { text, origin: flag });
  }
  return { layer: { texts }, command: args.slice(words.length + 1) };
}
function optionOf(flag, scopes) {
  var _a;
  const isLegal = (key2) => scopes.includes(specOf(key2).scope);
  const keys = OPTION_KEYS.filter((k) => flagOf(k) === flag);
  const key = (_a = keys.find(isLegal)) != null ? _a : keys[0];
  if (key !== void 0 && isLegal(key)) return key;
  if (key !== void 0) throw new UsageError(`${flag} does not belong here: see supertick --help for what takes it`);
  const flags = OPTION_KEYS.filter(isLegal).map(flagOf);
  throw new UsageError(`unknown option ${quoteName(flag)}${suggestion(flag, flags)}`);
}
function notAnOption(word, before) {
  const hint = ": the command goes behind --, a value with spaces needs quotes, and a switch takes no value but =no";
  const shown2 = before === void 0 ? quoteName(word) : `a word behind ${before.origin}`;
  const near = suggestion(`--${word}`, ["--help", "--version"]) || suggestion(word, Object.keys(SUBCOMMANDS));
  return new UsageError(`${shown2} is not an option${near || hint}`);
}
function unknownVariable(name) {
  return `${name.slice(0, 80)} is not a variable of supertick${suggestion(name, OPTION_VARIABLES)}`;
}
function optionOfVariable(name) {
  const key = OPTION_KEYS[OPTION_VARIABLES.indexOf(name)];
  const other = OPTION_KEYS[OPTION_VARIABLES.indexOf(name.replace(/_FILE$/, ""))];
  const isFile = key === void 0 && other !== void 0 && specOf(other).parse !== parsePath;
  return { key: isFile ? other : key, isFile };
}
function parseEnvironment(env, readSecret2 = () => "") {
  const texts = /* @__PURE__ */ new Map();
  const warnings = [];
  const own = Object.entries(env).filter(([name, text]) => name.startsWith("TICK_") && text !== "");
  for (const [name, text = ""] of own.sort()) {
    const { key, isFile } = optionOfVariable(name);
    if (key === void 0) warnings.push(unknownVariable(name));
    else if (texts.has(key)) throw new UsageError(`${texts.get(key).origin} and ${name} are given; give one`, name);
    else texts.set(key, givenBy(name, text, isFile, readSecret2));
  }
  return { layer: { texts }, warnings };
}
function givenBy(origin, text, isFile, readSecret2) {
  if (!isFile) return { text, origin };
  try {
    return { text: readSecret2(text).replace(/\r?\n$/, ""), origin, secretFile: text };
  } catch (error) {
    throw new UsageError(`${origin}: cannot read ${quote(text)}: ${describeError(error)}`, origin);
  }
}
function resolveSettings(layers) {
  for (const { texts } of layers) {
    const given = SCHEDULE_KEYS.filter((key) => texts.has(key));
    const origins = given.map((key) => texts.get(key).origin);
    if (given.length > 1) throw new UsageError(`${origins.join(" and ")} are two schedules; give one`, origins[0]);
    if (given.length === 1) return valuesOf(layers, given[0]);
  }
  for (const { texts } of layers) if (texts.has("tick")) parseSetting("tick", texts.get("tick"));
  const choices = SCHEDULE_KEYS.map((key) => `${flagOf(key)} (${specOf(key).env})`);
  throw new UsageError(`no schedule given: use one of ${choices.join(", ")}`);
}
function valuesOf(layers, schedule) {
  const find = (key) => {
    var _a;
    return (_a = layers.find(({ texts }) => texts.has(key))) == null ? void 0 : _a.texts.get(key);
  };
  const isInUse = (key) => SCHEDULE_KEYS.includes(key) ? key === schedule : find(key) !== void 0;
  const settings = {};
  for (const key of OPTION_KEYS) {
    const { flag, parse, default: standard, onlyWith = [key] } = specOf(key);
    const given = find(key);
    if (given !== void 0 && onlyWith.some(isInUse)) settings[key] = parseSetting(key, given);
    else if (given == null ? void 0 : given.origin.startsWith("-"))
      throw new UsageError(`${flag} has no effect here: it goes with ${listed(onlyWith.map(flagOf), "or")}`);
    else settings[key] = standard === void 0 ? void 0 : parse(standard);
  }
  return settings;
}
function parseSetting(key, { text, origin, value, secretFile }) {
  if (value !== void 0) return value;
  const isSecret = specOf(key).isSecret || secretFile !== void 0;
  const { parse, twin } = specOf(key);
  try {
    return parse(text);
  } catch (error) {
    const isTwins = twin !== void 0 && tryTo(() => specOf(twin).parse(text)) !== void 0;
    const hint = isTwins ? `; did you mean ${flagOf(twin)}?` : "";
    const { message } = error;
    const shown2 = origin === "schedule" ? text.replace(new RegExp("(^|\\s)(?![\\d*?]|[a-z]{3}\\b(?!=)).*", "is"), "$1\u2026") : text;
    const whole = isSecret ? `${origin}: not a legal value` : `${origin} ${quote(shown2)}: ${message}${hint}`;
    if (!(error instanceof Expectation)) throw new UsageError(whole, origin);
    throw new UsageError(`${origin}: expected ${message}${isSecret ? "" : `, got ${quote(text)}`}${hint}`, origin);
  }
}
var isGiven = (layer, key) => valuesOf([layer], "crontab")[key] === true;
function scheduleOf(settings, defaultZone2) {
  const { cron, tz, catchUp, on, every, offset, ticks, crontab } = settings;
  if (cron !== void 0) return new CronSchedule(cron, tz != null ? tz : defaultZone2(), catchUp);
  if (on !== void 0) return new EventSchedule(on);
  if (every === void 0) return new TickSchedule(ticks, crontab !== void 0);
  if (offset < every) return new SliceSchedule(every, offset);
  throw new UsageError(
    `the offset of ${formatDuration(offset)} is not less than the slice of ${formatDuration(every)}`
  );
}
var MAX_WAITING_EVENTS = 1e3;
function policyOf(settings) {
  const { on, overlap = on === void 0 ? "skip" : "queue" } = settings;
  return {
    overlap,
    queueLimit: on === void 0 ? 1 : MAX_WAITING_EVENTS,
    timeoutSeconds: settings.timeout,
    killAfterSeconds: settings.killAfter,
    drainSeconds: settings.drain,
    retries: settings.retries,
    retryDelaySeconds: settings.retryDelay,
    isRetryYielding: on === void 0 || overlap === "replace",
    isAsking: settings.onlyIf !== void 0
  };
}
function suggestion(word, known) {
  var _a;
  const near = (edits) => known.find((name2) => isNear(word, name2, edits));
  const name = (_a = near(1)) != null ? _a : word.length < 8 ? void 0 : near(2);
  const isPartOf = (other) => other.startsWith(`${word}.`) || word.length >= 6 && (other.startsWith(word.slice(0, -1)) || other.endsWith(word.replace(/^-/, "")));
  const longer = known.filter(isPartOf);
  const meant = listed(name === void 0 ? longer : [name], "or");
  return meant === "" ? "" : `; did you mean ${meant}?`;
}
function isNear(a, b, edits) {
  if (a === b) return true;
  const [restOfA, restOfB] = [a.slice(1), b.slice(1)];
  if (a[0] === b[0]) return isNear(restOfA, restOfB, edits);
  const isNearer = (x, y) => isNear(x, y, edits - 1);
  const isSwapped = edits > 0 && a !== "" && a[0] === b[1] && a[1] === b[0] && isNearer(a.slice(2), b.slice(2));
  return edits > 0 && (isSwapped || isNearer(a, restOfB) || isNearer(restOfA, b) || isNearer(restOfA, restOfB));
}
var ONLY_JOB = ".";
function optionsOf(settings) {
  const { runOnStart, jitter, onlyIf, onFailure, onSuccess, onSkip, ping, envFile } = settings;
  return { policy: policyOf(settings), runOnStart, jitter, onlyIf, onFailure, onSuccess, onSkip, ping, envFile };
}
function jobOf(name, command, schedule, settings, user) {
  return { key: ONLY_JOB, name, command, schedule, options: optionsOf(settings), user };
}
function argvOf({ command, env }) {
  return typeof command === "string" ? [(env == null ? void 0 : env.SHELL) || "/bin/sh", "-c", asUtf8(command)] : command;
}
var STRAY_BYTE = /[\udc80-\udcff]/u;
function asUtf8(command) {
  if (!STRAY_BYTE.test(command)) return command;
  const octal = (sign) => `\\${(sign.charCodeAt(0) & 255).toString(8).padStart(3, "0")}`;
  return `eval "$(printf '${command.replace(/%/g, "%%").replace(/[\\'\udc80-\udcff]/gu, octal)}')"`;
}
function bytesOf(text) {
  if (typeof text !== "string") return text;
  if (!STRAY_BYTE.test(text)) return Buffer.from(text);
  return Buffer.from(Array.from(text, (sign) => sign.charCodeAt(0) & 255));
}
function textOfLines(bytes) {
  const text = bytes.toString();
  if (!text.includes("\uFFFD")) return text;
  const lines = bytes.toString("latin1").split("\n");
  if (lines.length > 1) return lines.map((line) => textOfLines(Buffer.from(line, "latin1"))).join("\n");
  return lines[0].replace(/[\x80-\xff]/g, (byte) => String.fromCharCode(56320 | byte.charCodeAt(0)));
}
var isRunOnStart = ({ schedule, options }) => options.runOnStart || schedule.kind === "start";
var jitterOf = ({ schedule, options }) => isByClock(schedule) ? options.jitter : 0;
function keyOf({
  schedule,
  command,
  input,
  user
}) {
  const hash = hash32(JSON.stringify([schedule.record, command, input, ...user === void 0 ? [] : [user.name]]));
  return hash.toString(16).padStart(8, "0");
}
function idOf01(job) {
  const text = JSON.stringify([job.schedule.record, argvOf(job)]);
  return (hash32(text, 1) * 2 ** 21 + (hash32(text, 2, 1540483477) >>> 11)).toString(36);
}
var SHELL_TOKEN = new RegExp(`\\d*[<>]+&?[ \\t]*[^\\s;&|()<>]*|[;&|()\\n]+|(?:"(?:\\\\.|[^"\\\\])*"|'[^']*'|\\\\.|\\$\\([^)]*\\)?|[^\\s;&|()<>"'\\\\])+`, "gs");
var PASSED_OVER = new RegExp("^(?:[!{}]|if|then|elif|else|fi|while|until|do|done|[\\w.]+=.*|-.*|\\d+[smhd]?)$", "s");
var OPTION_WITH_WORD = /^(?:(?:sudo|runuser|chpst) -[ueg]|su -s|ionice -c|env -u|timeout -s|(?:perl|ruby) -I|bash -o|php -c|node -r|python -[WX])$/;
var PREPARATION = /^(?:cd|[.:]|source|export|set|umask|ulimit|trap|test|\[\[?|command|sleep|mkdir|for|case)$/;
var RUNNER = new RegExp(
  "^(?:exec|nohup|time|setsid|env|nice|ionice|timeout|chronic|chpst|tini|dumb-init|sudo|runuser|bundle|sh|bash|php|python|node|ruby|perl)$"
);
var RUNNER_WITH_WORD = /^(?:flock|su|gosu|su-exec|setuser|s6-setuidgid)$/;
var CONSOLE = /^(?:artisan|manage|console|(?:gitlab-)?rake|wp|occ|magento|yii|drush)$/;
function jobName(command) {
  var _a, _b;
  const commands = [[]];
  for (const [token] of command.slice(0, 1e3).matchAll(SHELL_TOKEN)) {
    if (/^[;&|()\n]/.test(token)) commands.push([]);
    else if (!/^\d*[<>]/.test(token)) commands[commands.length - 1].push(token);
  }
  const names = commands.map((words) => programOf(words)).filter((name2) => name2 !== "");
  const isAbout = (name2) => !PREPARATION.test(name2) && runnerOf(name2) === void 0;
  const name = (_b = (_a = names.find(isAbout)) != null ? _a : names[names.length - 1]) != null ? _b : "";
  return /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.:@+-]{0,99}$/u.test(name) ? name : "job";
}
function runnerOf(program) {
  const name = program.replace(/[\d.]+$/, "");
  return RUNNER.test(name) || RUNNER_WITH_WORD.test(name) ? name : void 0;
}
function programOf(words) {
  var _a, _b;
  const { at, runner, name } = behindRunners(words);
  if (at >= words.length) return name;
  const word = words[at].replace(new RegExp(`^(["'])(.*)\\1$`, "s"), "$2");
  if (runner !== "" && /[\s;&|()<>]/.test(word)) return /^(?:ba)?sh$/.test(runner) ? jobName(word) : name;
  const program = programName(word);
  const subcommand = CONSOLE.test(program) ? words.slice(at + 1).find((one) => !/^-.*=/.test(one)) : void 0;
  return (_b = (_a = /^\w[\w:.-]*/.exec(subcommand != null ? subcommand : "")) == null ? void 0 : _a[0]) != null ? _b : program;
}
var programName = (word) => word.replace(/["'\\]/g, "").replace(new RegExp("^.*\\/|\\.(?:sh|bash|py|php|[cm]?js|ts|rb|pl)$", "gs"), "");
function behindRunners(words) {
  let [at, runner, name] = [0, "", ""];
  for (; at < words.length; at++) {
    if (PASSED_OVER.test(words[at]) || OPTION_WITH_WORD.test(`${runner} ${words[at - 1]}`)) continue;
    if (RUNNER_WITH_WORD.test(runner)) {
      runner = "sh";
      continue;
    }
    const program = programName(words[at]);
    const next = runnerOf(program);
    if (next === void 0) break;
    [runner, name] = [next, program];
  }
  return { at, runner, name };
}
var VARIABLE_NOTES = [
  [/^MAILTO=(?!(?:""|'')?$)/, "supertick sends no mail; TICK_ON_FAILURE can"],
  [/^HOME=/, "the commands start in supertick's own directory, not in this one as under cron"],
  [/^RANDOM_DELAY=/, "it delays nothing; TICK_JITTER does"],
  [/^TZ=/, "it reaches the commands only, as in cron; schedules use CRON_TZ or TICK_TZ"],
  [/^PATH=.*\$/, "$ is not expanded in it, as in cron: write the directories"],
  [/=[^"'].*\s#/, "the value goes on to the end of the line, # included, as in cron"]
];
var EVERY_MINUTE = /^0 \*(?:\/1)? \* \* \* \*$/;
var EVERY_MINUTE_NOTE = "as of each line for every minute: while its last run goes on, that of the next minute is skipped; cron would start it, as TICK_OVERLAP=allow does";
var MOST_JOBS = 1e4;
var MOST_VARIABLES = 1e3;
var MOST_ZONES = 100;
var MOST_MISTAKES = 100;
function parseCrontab(text, context, which = "auto") {
  const lines = text.replace(/^\ufeff/, "").split("\n").map((line) => line.trim());
  const userColumn = which === "auto" ? findUserColumn(lines, context) : which === "yes" ? "--user-column" : void 0;
  const reader = new CrontabReader(context, userColumn, which === "auto");
  const mistakes = [];
  for (let i = 0; i < lines.length && mistakes.length < MOST_MISTAKES; i++) {
    try {
      reader.take(lines[i], i + 1);
    } catch (error) {
      mistakes.push(`${context.path}:${i + 1}: ${error.message}`);
    }
  }
  if (mistakes.length === MOST_MISTAKES) mistakes.push(`${context.path}: what follows was not read`);
  const { jobs, warnings, title } = reader;
  if (title !== void 0) mistakes.push(`${context.path}:${title.line}: TICK_NAME without a job below it`);
  const minutely = jobs.find((job) => !job.settings.overlap && EVERY_MINUTE.test(`${job.schedule.record.cron}`));
  if (minutely !== void 0) reader.warn(minutely.line, EVERY_MINUTE_NOTE);
  const lacksUsers = userColumn === void 0 && which === "auto" && isSystemCrontab(context.path);
  if (lacksUsers && jobs.length > 0) reader.warn(jobs[0].line, NO_USERS_NOTE);
  return { jobs: toldApart(jobs), mistakes, warnings, userColumn };
}
var NO_USERS_NOTE = "no line names a user, so that all commands run as supertick's own";
var isSystemCrontab = (path) => /^\/etc\/crontab$|(?:^|\/)cron\.d\/[^/]*$/.test(path);
var COMMAND_WORD = /^(?:@(?:every|ticks)[ \t]+\S+|@\S+|(?:\S+[ \t]+){4}\S+)[ \t]+(\S+)/i;
var SHELL_WORD = /^(?:cd|if|for|while|until|case|exec|eval|export|set|source|trap|umask|ulimit|unset|wait|type|time)$/;
var isOtherWord = (word) => !USER_NAME.test(word) || SHELL_WORD.test(word);
function findUserColumn(lines, { path, users, isCommand }) {
  var _a;
  const isSystem = isSystemCrontab(path);
  let searchPath;
  let strange;
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i].startsWith("#") ? "" : lines[i];
    const [, , name, value = ""] = (_a = VARIABLE_LINE.exec(line)) != null ? _a : [];
    if (name === "PATH") searchPath = value.replace(/^(["'])(.*)\1$/, "$2");
    const [, word = ""] = name === void 0 && COMMAND_WORD.exec(line) || [];
    const [user] = word.replace(/["']/g, "").split(/[:,]/, 1);
    const isProgram2 = isOtherWord(user) || isCommand(user, searchPath);
    if (users.has(user) && (isSystem || !isProgram2)) return `line ${i + 1} names the user ${user}`;
    if (!isProgram2) strange != null ? strange : strange = i + 1;
  }
  if (strange === void 0 || !isSystem) return void 0;
  return `cron wants one here, and line ${strange} begins with no command`;
}
function toldApart(jobs, digits = 4) {
  var _a;
  const counts = /* @__PURE__ */ new Map();
  for (const { name } of jobs) counts.set(name, ((_a = counts.get(name)) != null ? _a : 0) + 1);
  if (counts.size === jobs.length || digits > 8) return jobs;
  const named = jobs.map((job) => {
    if (counts.get(job.name) === 1 || job.key === job.name) return job;
    return { ...job, name: `${jobName(job.command)}.${job.key.slice(0, digits)}${job.key.slice(8)}` };
  });
  return toldApart(named, digits + 4);
}
var CrontabReader = class {
  constructor(context, userColumn, mustLookForUsers) {
    this.context = context;
    this.userColumn = userColumn;
    this.mustLookForUsers = mustLookForUsers;
    this.jobs = [];
    this.warnings = [];
    this.lines = /* @__PURE__ */ new Map();
    this.copies = /* @__PURE__ */ new Map();
    this.zones = /* @__PURE__ */ new Set();
    this.variables = 0;
    this.parsed = /* @__PURE__ */ new Map();
    this.texts = /* @__PURE__ */ new Map();
    this.env = {};
  }
  take(line, number) {
    var _a;
    if (line === "" || line.startsWith("#")) return;
    if (line.includes("\0")) throw new Error("the line has a NUL byte: is this a text file?");
    if (line.endsWith("\\"))
      this.warn(number, "the backslash at its end does not join it and the next line, as in cron");
    const [, , name, value] = (_a = VARIABLE_LINE.exec(line)) != null ? _a : [];
    if (name === void 0) return this.takeJob(line, number);
    if (/^(?:CRON_)?TZ$/.test(name) && /^\S+[ \t]+[\d*@]/.test(value)) checkExpression(line.split(/[ \t]/, 1)[0]);
    const text = withoutQuotes(name, value);
    if (name.startsWith("TICK_") || name === "CRON_TZ") return this.takeOption(name, text, number);
    if (this.env[name] !== text) this.setVariable(name, text);
    for (const [pattern, note] of VARIABLE_NOTES)
      if (pattern.test(`${name}=${value}`)) this.warn(number, `${name}: ${note}`);
  }
  setVariable(name, text) {
    if (++this.variables > MOST_VARIABLES) throw new Error(`over ${MOST_VARIABLES} lines that change a variable`);
    this.env = { ...this.env, [name]: text };
  }
  warn(line, text) {
    this.warnings.push(`${this.context.path}:${line}: ${text}`);
  }
  takeOption(name, text, line) {
    const { key, isFile } = optionOfVariable(name === "CRON_TZ" ? "TICK_TZ" : name);
    if (key === void 0) throw new Error(unknownVariable(name));
    if (SCHEDULE_KEYS.includes(key)) throw new Error(`${name} is a schedule: it goes at the beginning of a job's line`);
    if (specOf(key).scope !== "job")
      throw new Error(`${name} is an option of the listener: give it as ${flagOf(key)}, or in its environment`);
    const given = text === "" ? { text, origin: name } : givenBy(name, text, isFile, this.context.readSecret);
    if (key === "tz" && this.zones.add(text).size > MOST_ZONES) throw new Error(`over ${MOST_ZONES} time zones`);
    const value = text === "" ? void 0 : parseSetting(key, given);
    if (key === "name") {
      this.title = text === "" ? void 0 : { text, line };
      return;
    }
    if (text === "") this.texts.delete(key);
    else this.texts.set(key, { ...given, value });
    this.settings = this.options = void 0;
  }
  takeJob(text, line) {
    var _a, _b, _c;
    const { env, title, context } = this;
    this.title = void 0;
    if (this.jobs.length === MOST_JOBS) throw new Error(`over ${MOST_JOBS} jobs`);
    (_a = this.settings) != null ? _a : this.settings = valuesOf([context.flags, { texts: this.texts }, context.environment], "crontab");
    (_b = this.options) != null ? _b : this.options = optionsOf(this.settings);
    const { settings, options } = this;
    const [times, rest] = splitJobLine(text);
    const schedule = this.lineSchedule(times, settings);
    const [userName = settings.user, words] = this.splitUser(rest);
    const { command, input } = splitPercent(words);
    if (/^\s*(?:#|$)/.test(command)) throw new Error("the command is empty, or only a comment");
    const user = userName === void 0 ? void 0 : context.users.get(userName);
    const key = this.newKey(title == null ? void 0 : title.text, keyOf({ schedule, command, input, user }), line);
    const name = (_c = title == null ? void 0 : title.text) != null ? _c : jobName(command);
    this.jobs.push({ key, name, command, schedule, options, user, env, input, path: context.path, line, settings });
    if (input !== void 0)
      this.warn(line, "the first % ends the command, and its stdin follows, as in cron, not as in busybox; \\% is a %");
  }
  splitUser(text) {
    const { context, userColumn } = this;
    const [word, next = ""] = text.split(/[ \t]+/, 2);
    if (userColumn !== void 0) {
      const remedy = /names the user/.test(userColumn) ? "make that user, correct the name, or --user-column no" : "--user-column no";
      if (!context.users.has(word))
        throw new Error(`${quote(word)} is not a user of this machine, but ${userColumn}: ${remedy}`);
      if (/^(?:[-|&;<>]|$)/.test(next)) throw new Error(`there is no command behind the user ${quote(word)}`);
      return [word, text.slice(word.length).trimStart()];
    }
    const isProgram2 = (one) => SHELL_WORD.test(one) || context.isCommand(one, this.env.PATH);
    const isBeforeProgram = /^(?:[$!(]|\w+=)|\//.test(next) || runnerOf(next) !== void 0 || isProgram2(next);
    if (this.mustLookForUsers && next !== "" && !isOtherWord(word) && !isProgram2(word) && isBeforeProgram)
      throw new Error(`${quote(word)} is neither a command nor a user of this machine: --user-column says which it is`);
    return [context.owner, text];
  }
  newKey(title, hash, line) {
    var _a;
    let copy = (_a = this.copies.get(hash)) != null ? _a : 1;
    let key = title != null ? title : hash;
    const { otherKeys } = this.context;
    while (title === void 0 && (this.lines.has(key) || otherKeys.has(key))) key = `${hash}.${++copy}`;
    this.copies.set(hash, copy);
    if (otherKeys.has(key)) throw new Error(`a job in another file already has the name ${quote(key)}`);
    const other = this.lines.get(key);
    if (other !== void 0) throw new Error(`the job in line ${other} already has the name ${quote(key)}`);
    this.lines.set(key, line);
    return key;
  }
  lineSchedule(text, settings) {
    var _a;
    const [first, value] = text.split(/[ \t]+/);
    const word = first.toLowerCase();
    if (word === "@start" || word === "@reboot") return new StartSchedule();
    const key = word === "@every" ? "every" : word === "@ticks" ? "ticks" : "cron";
    const given = key === "cron" ? { text, origin: "schedule" } : { text: value, origin: word };
    const parsed = (_a = this.parsed.get(text)) != null ? _a : parseSetting(key, given);
    this.parsed.set(text, parsed);
    const { tz, catchUp, offset, crontab } = settings;
    return scheduleOf({ tz, catchUp, offset, crontab, [key]: parsed }, () => this.context.defaultZone());
  }
};
var SCHEDULE_WORDS = [...Object.keys(MACROS), "@every", "@ticks", "@start", "@reboot"];
var VARIABLE_LINE = /^(["']?)([A-Za-z_][\w.-]*)\1[ \t]*=[ \t]*((?:[^ \t].*)?)$/;
var FIELD_OR_UTC = /[\d*?][\d*?,/-]*|(?:SUN|MON|TUE|WED|THU|FRI|SAT)(?:[-,#][\dA-Z,#-]+)?|UTC|GMT/;
var BEYOND_FIVE = new RegExp(`^(?:(?:${FIELD_OR_UTC.source}|${ZONE_AREAS.source.slice(1)}[A-Z]\\S*)(?:[ \\t]+|$))+`);
function withoutQuotes(name, value) {
  if (STRAY_BYTE.test(value)) throw new Error(`the value of ${name} is not UTF-8, as variables and options must be`);
  const mark = value[0];
  if (mark !== '"' && mark !== "'") return value;
  if (value.length > 1 && value.indexOf(mark, 1) === value.length - 1) return value.slice(1, -1);
  throw new Error(`the value of ${name} has no closing ${mark} at its end`);
}
function splitJobLine(line) {
  var _a;
  const [first] = line.split(/[ \t]/, 1);
  const isWord = first.startsWith("@");
  if (isWord && !SCHEDULE_WORDS.includes(first.toLowerCase())) {
    const instead = suggestion(first.toLowerCase(), SCHEDULE_WORDS) || `: expected ${listed(SCHEDULE_WORDS, "or")}`;
    throw new Error(`${quote(first)} is not a schedule${instead}`);
  }
  const isWithValue = /^@(?:every|ticks)$/i.test(first);
  const count = isWithValue ? 2 : isWord ? 1 : 5;
  const [, schedule, command] = (_a = new RegExp(`^((?:[^ \\t]+[ \\t]+){${count}})([^ \\t].*)$`).exec(line)) != null ? _a : [];
  if (command === void 0) {
    const example = isWithValue ? `${first} 5` : isWord ? first : "30 2 * * *";
    throw new Error(`expected a schedule and then a command, as in ${example} /path/to/command`);
  }
  const [unit] = isWithValue && /^[smhdw](?=[ \t])/.exec(command) || [];
  if (unit !== void 0) throw new Error(`there is a blank in the duration: write ${schedule.trim()}${unit}`);
  const [beyond] = !isWord && BEYOND_FIVE.exec(command) || [];
  if (beyond !== void 0) {
    checkExpression((schedule + beyond).trim().replace(/[ \t]+/g, " "));
    throw new Error("there is a sixth time field: a line has five, then the command; for seconds use @every 10s");
  }
  return [schedule.trim(), command];
}
function splitPercent(text) {
  const [before] = /^(?:\\.|[^%])*/.exec(text);
  const command = before.replace(/\\%/g, "%");
  if (before === text) return { command };
  const input = text.slice(before.length + 1).replace(/\\?%/g, (mark) => mark === "%" ? "\n" : "%");
  return { command, input: input === "" || input.endsWith("\n") ? input : `${input}
` };
}
var isBun = process.versions.bun !== void 0;
var isDeno = process.versions.deno !== void 0;
var MAX_QUEUED_LINES = 1e3;
var LOG_RETRY_MS = 10;
var LOG_EAGER_SECONDS = 2e-3;
var LOG_PATIENCE_SECONDS = 1;
var MAX_UNFINISHED_BYTES = 64 * 1024;
var STREAM_NAMES = ["stdout", "stderr"];
function createLog(form) {
  const queue = new LogQueue(form);
  const logOf = (job) => ({
    line: (text, facts) => queue.sendLine(ownLine(form, "info", job, text, facts)),
    error: (text, facts) => queue.sendLine(ownLine(form, "error", job, text, facts)),
    ofJob: logOf,
    form,
    outputOf: (source) => new Output(form, source, queue, pipeProblem),
    flush: () => queue.flush()
  });
  const log = logOf();
  const pipeProblem = createProblemReport(log);
  return log;
}
function needsPipe(form, options = {}, user) {
  if (form === "raw" && isBun) return false;
  const isOther = user !== void 0 && user.uid !== process.geteuid();
  return form !== "raw" || isOther || tellsOutput(options) || !hasStderrName();
}
function tellsOutput({ onFailure, onSuccess, ping }) {
  return [onFailure, onSuccess, ping].some(isPresent);
}
function outputDoubt(form, options) {
  if (!isBun || form !== "raw" || !tellsOutput(options)) return void 0;
  return "on Bun, hooks and pings get the end of the output with --log prefix or json only; commands can't open /dev/stderr then";
}
var hasStderrName = once(() => {
  try {
    fs.closeSync(reopenStderr());
    return true;
  } catch (error) {
    return !["EACCES", "ENXIO"].includes(errorCode(error));
  }
});
function reopenStderr() {
  const { O_WRONLY, O_APPEND, O_NONBLOCK } = fs.constants;
  return fs.openSync("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK);
}
function createProblemReport(log) {
  let reported;
  return {
    report(problem, text = problem) {
      if (problem !== reported) log.error(text);
      reported = problem;
    },
    clear() {
      reported = void 0;
    }
  };
}
var LogQueue = class {
  constructor(form) {
    this.form = form;
    this.queue = [];
    this.lost = 0;
    this.paused = [];
    this.isWaiting = false;
    this.writtenSeconds = 0;
    this.isLineOpen = false;
    this.mayWait = true;
  }
  send(bytes, stream) {
    var _a;
    (_a = this.fd) != null ? _a : this.fd = openStderr();
    this.isLineOpen = bytes[bytes.length - 1] !== NEWLINE;
    this.queue.push(bytes);
    this.drain();
    if (this.fd === 2) this.flush();
    if (stream !== void 0 && this.queue.length > 0) {
      this.queue.push(Buffer.from(this.queue.pop()));
      this.paused.push(stream.pause());
    }
    this.drainLater();
  }
  sendLine(line) {
    if (this.queue.length < MAX_QUEUED_LINES) this.send(Buffer.from(this.isLineOpen ? `
${line}` : line));
    else this.lost++;
  }
  flush() {
    const end = monotonicSeconds() + LOG_PATIENCE_SECONDS;
    this.drain();
    while (this.queue.length > 0 && this.mayWait) {
      sleep(10);
      this.drain();
      if (monotonicSeconds() > end) this.mayWait = false;
    }
  }
  drain() {
    while (this.queue.length > 0) {
      const [first] = this.queue;
      const written = tryWrite(this.fd, first);
      if (written === void 0) return;
      this.writtenSeconds = monotonicSeconds();
      if (written < first.length) this.queue[0] = first.slice(written);
      else this.queue.shift();
    }
    this.mayWait = true;
    if (this.lost === 0) return;
    const text = `the reader of this log was stopped; lines lost: ${this.lost}`;
    this.lost = 0;
    this.sendLine(ownLine(this.form, "error", void 0, text));
  }
  drainLater() {
    if (this.queue.length === 0 || this.isWaiting) return;
    this.isWaiting = true;
    const retry = () => {
      this.isWaiting = false;
      this.drain();
      if (this.queue.length === 0) for (const stream of this.paused.splice(0)) stream.resume();
      this.drainLater();
    };
    if (monotonicSeconds() - this.writtenSeconds < LOG_EAGER_SECONDS) setImmediate(retry);
    else setTimeout(retry, LOG_RETRY_MS).unref();
  }
};
function openStderr() {
  var _a;
  if (tryTo(() => fs.fstatSync(2).isFile())) return 2;
  return (_a = tryTo(reopenStderr)) != null ? _a : 2;
}
var MAX_WRITE_BYTES = isDeno ? 4096 : Number.POSITIVE_INFINITY;
function tryWrite(fd, bytes) {
  try {
    return fs.writeSync(fd, bytes, 0, Math.min(bytes.length, MAX_WRITE_BYTES));
  } catch (error) {
    return errorCode(error) === "EAGAIN" ? void 0 : bytes.length;
  }
}
function ownLine(form, level, job, text, facts = () => ({})) {
  const time = form === "raw" ? "" : (/* @__PURE__ */ new Date()).toISOString();
  if (form === "json") return `${jsonText({ time, level, source: "supertick", job, ...facts(), message: text })}
`;
  const whose = job === void 0 ? "" : `${job}: `;
  const line = escapeAll(`supertick: ${whose}${text}`);
  return form === "prefix" ? `${time} ${line}
` : `${line}
`;
}
var Output = class {
  constructor(form, source, queue, pipeProblem) {
    this.form = form;
    this.source = source;
    this.queue = queue;
    this.pipeProblem = pipeProblem;
    this.end = new Tail();
    this.readers = [];
  }
  makePipes() {
    const pipes = tryMakePipes(this.form === "json" ? 2 : 1);
    if (pipes.length > 0 || isDeno) this.pipeProblem.clear();
    else this.pipeProblem.report("no pipe", `${NO_PIPE}: ${this.needsName ? NO_TAIL : NO_NAME}`);
    return pipes;
  }
  get needsName() {
    return this.form === "raw" && !isDeno;
  }
  read(from, name) {
    const take = (bytes) => {
      this.end.add(bytes);
      copy.take(bytes);
    };
    const stream = typeof from === "number" ? openSocket(from, outputBuffer(), take) : from.on("data", take);
    const copy = copyOutput(outputFormat(this.form, this.source, name), (bytes) => this.queue.send(bytes, stream));
    stream.on("error", () => {
    });
    for (const event of ["end", "close"]) stream.on(event, copy.finish);
    this.readers.push({ stream, fd: typeof from === "number" ? from : void 0, take, finish: copy.finish });
    return stream;
  }
  finish() {
    var _a;
    const buffer = outputBuffer();
    for (const { stream, fd, take, finish } of this.readers) {
      if (stream.isPaused()) continue;
      for (let left = MAX_LAST_READS; fd !== void 0 && !stream.destroyed && left > 0; left--) {
        const length = (_a = tryTo(() => fs.readSync(fd, buffer, 0, buffer.length, null))) != null ? _a : 0;
        if (length === 0) break;
        take(buffer.slice(0, length));
      }
      finish();
    }
  }
  tail(limit) {
    return this.end.last(limit);
  }
};
var NO_PIPE = `no pipe can be made (${isBun ? "Bun can't read one" : "mkfifo in $TMPDIR, /tmp or /dev/shm"})`;
var NO_TAIL = "hooks and pings don't get the end of the output";
var NO_NAME = "commands write to sockets, which can't be opened as /dev/stdout and /dev/stderr";
var OUTPUT_BUFFER_BYTES = 64 * 1024;
var MAX_LAST_READS = 16;
var outputBuffer = once(() => Buffer.allocUnsafeSlow(OUTPUT_BUFFER_BYTES));
function copyOutput(format, send) {
  if (format === void 0) return { take: send, finish() {
  } };
  let rest = Buffer.alloc(0);
  const sendStart = (length, isPartial) => {
    if (length > 0) send(format(rest.slice(0, length), isPartial));
    rest = rest.slice(length);
  };
  return {
    take(bytes) {
      rest = Buffer.concat([rest, bytes]);
      const length = readyLength(rest);
      sendStart(length, rest[length - 1] !== NEWLINE);
    },
    finish: () => sendStart(rest.length, false)
  };
}
var Tail = class {
  constructor() {
    this.length = 0;
  }
  add(more) {
    var _a;
    (_a = this.bytes) != null ? _a : this.bytes = Buffer.allocUnsafeSlow(2 * KEPT_TAIL_BYTES);
    const added = more.slice(-KEPT_TAIL_BYTES);
    if (this.length + added.length > this.bytes.length) {
      this.bytes.copyWithin(0, this.length - KEPT_TAIL_BYTES, this.length);
      this.length = KEPT_TAIL_BYTES;
    }
    this.length += added.copy(this.bytes, this.length);
  }
  last(limit) {
    var _a, _b;
    const bytes = (_b = (_a = this.bytes) == null ? void 0 : _a.slice(0, this.length)) != null ? _b : Buffer.alloc(0);
    let start = Math.max(0, bytes.length - limit);
    if (start > 0) {
      const line = bytes.indexOf(NEWLINE, start - 1) + 1;
      if (line > 0 && line < bytes.length) start = line;
      else for (const end = start + 3; start < end && (bytes[start] & 192) === 128; ) start++;
    }
    return Buffer.from(bytes.slice(start));
  }
};
var MAX_TAIL_BYTES = 10 * 1024;
var JOURNAL_TAIL_BYTES = 2 * 1024;
var KEPT_TAIL_BYTES = MAX_TAIL_BYTES + 1;
var NEWLINE = 10;
function readyLength(bytes) {
  const lines = bytes.lastIndexOf(NEWLINE) + 1;
  if (lines > 0 || bytes.length < MAX_UNFINISHED_BYTES) return lines;
  const last = bytes.length - 1;
  for (let start = last; start > last - 4; start--) if ((bytes[start] & 192) !== 128) return start;
  return last;
}
function outputFormat(form, { job, run, hook }, source) {
  if (form === "raw") return void 0;
  const whose = quote(`${job}[${run != null ? run : ""}]${hook === void 0 ? "" : ` ${hook}`}`).slice(1, -1);
  return (bytes, isPartial) => {
    const time = (/* @__PURE__ */ new Date()).toISOString();
    const lines = (encoding) => bytes.toString(encoding).replace(/\n$/, "").split("\n");
    if (form === "prefix") {
      const start = Buffer.from(`${time} ${whose}: `).toString("latin1");
      return Buffer.from(
        lines("latin1").map((line) => `${start}${line}
`).join(""),
        "latin1"
      );
    }
    const partial = isPartial || void 0;
    const format = (message) => {
      if (partial || !isJsonObject(message)) return `${jsonText({ time, source, job, run, hook, message, partial })}
`;
      return `${jsonText({ time, source, job, run, hook }).slice(0, -1)},"data":${escapeUnsafe(message.trim())}}
`;
    };
    return Buffer.from(lines("utf8").map(format).join(""));
  };
}
function isJsonObject(line) {
  return line.trimStart().startsWith("{") && tryTo(() => JSON.parse(line)) !== void 0;
}
function formatIdentity({ pid, start }) {
  return `${pid}:${start}`;
}
function identify(pid) {
  const found = tryReadProcess(pid);
  return found && { pid, start: found.start };
}
function isAlive({ pid, start }) {
  var _a;
  if (start === 0) return false;
  try {
    return ((_a = parseStat(pid, fs.readFileSync(`/proc/${pid}/stat`, "latin1"))) == null ? void 0 : _a.start) === start;
  } catch (error) {
    return isShortage(error);
  }
}
function isShortage(error) {
  return ["EMFILE", "ENFILE", "ENOMEM"].includes(errorCode(error));
}
function tryReadProcess(pid) {
  var _a;
  return parseStat(pid, (_a = tryTo(() => fs.readFileSync(`/proc/${pid}/stat`, "latin1"))) != null ? _a : "");
}
function parseStat(pid, stat) {
  const [state, ...numbers] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (["", "Z", "X"].includes(state)) return void 0;
  const [parent, group, session, ...rest] = numbers.map(Number);
  return { pid, parent, group, session, start: rest[15] };
}
function ageOf({ start }) {
  var _a, _b;
  const own = (_b = (_a = identify(process.pid)) == null ? void 0 : _a.start) != null ? _b : start;
  return Math.max(0, (own - start) / CLOCK_TICKS_A_SECOND + process.uptime());
}
var CLOCK_TICKS_A_SECOND = 100;
function findRun(id, attempt) {
  const leader = processesOf(id, attempt).find(({ pid, session }) => session === pid);
  return leader && { pid: leader.pid, start: leader.start };
}
function hasGroup(leader, id, attempt) {
  return identify(leader.pid) === void 0 && processesOf(id, attempt).some(({ group }) => group === leader.pid);
}
var processesByRun;
function processesOf(id, attempt) {
  var _a;
  if (processesByRun === void 0) {
    processesByRun = scanProcesses();
    startTimer(1, () => {
      processesByRun = void 0;
    });
  }
  return (_a = processesByRun.get(`${id} ${attempt}`)) != null ? _a : [];
}
function scanProcesses() {
  var _a;
  const found = /* @__PURE__ */ new Map();
  for (const { pid, variable } of environments()) {
    const id = variable("SUPERTICK_ID");
    if (id === void 0 || variable("SUPERTICK_HOOK") !== void 0) continue;
    const run = `${id} ${variable("SUPERTICK_ATTEMPT")}`;
    const process2 = tryReadProcess(pid);
    if (process2 !== void 0) found.set(run, [...(_a = found.get(run)) != null ? _a : [], process2]);
  }
  return found;
}
function siblingsIn(group) {
  var _a, _b;
  const found = [];
  for (const { pid, variable } of environments()) {
    const isOfRun = variable("SUPERTICK_ID") !== process.env.SUPERTICK_ID;
    if (variable("SUPERVISOR_GROUP_NAME") !== group || isOfRun) continue;
    if (((_a = tryReadProcess(pid)) == null ? void 0 : _a.parent) === process.ppid) found.push((_b = variable("SUPERVISOR_PROCESS_NAME")) != null ? _b : "");
  }
  return found;
}
function* environments() {
  for (const pid of namesIn("/proc").filter((name) => /^\d+$/.test(name))) {
    const environment = `\0${tryReadFile(`/proc/${pid}/environ`)}`;
    const variable = (name) => {
      var _a;
      return (_a = environment.split(`\0${name}=`, 2)[1]) == null ? void 0 : _a.split("\0", 1)[0];
    };
    if (environment.length > 1) yield { pid: Number(pid), variable };
  }
}
function readUsers() {
  var _a;
  const users = /* @__PURE__ */ new Map();
  for (const line of tryReadFile("/etc/passwd").split("\n")) {
    const [, name, uid, gid, home, shell] = (_a = /^([^:]+):[^:]*:(\d+):(\d+):[^:]*:([^:]*):([^:]*)$/.exec(line)) != null ? _a : [];
    if (name === void 0 || users.has(name)) continue;
    users.set(name, { name, uid: Number(uid), gid: Number(gid), home, shell });
  }
  return users;
}
function userNamed(name, users = readUsers()) {
  const user = users.get(name);
  if (user === void 0) throw new UsageError(`user ${quote(name)}: there is no such user on this machine`);
  if (user.uid === process.geteuid()) return user;
  if (isBun && findSetpriv() === "")
    throw new UsageError(
      `user ${quote(name)}: on Bun that needs util-linux's setpriv (Alpine: apk add setpriv), or user= in a section of its own`
    );
  if (canChangeUser()) return user;
  throw new UsageError(`user ${quote(name)}: supertick may not run anything as another user (CAP_SETUID, CAP_SETGID)`);
}
function canChangeUser() {
  var _a;
  const [, capabilities] = (_a = /^CapEff:\s*\w*(\w\w)$/m.exec(tryReadFile("/proc/self/status"))) != null ? _a : [];
  return capabilities === void 0 ? process.geteuid() === 0 : (Number.parseInt(capabilities, 16) & 192) === 192;
}
function hasMoreGroups({ name }) {
  return new RegExp(`^[^:]*:[^:]*:[^:]*:(?:.*,)?${name.replace("$", "\\$")}(?:,|$)`, "m").test(
    tryReadFile("/etc/group")
  );
}
var findSetpriv = once(() => {
  var _a;
  const { execFileSync } = require("child_process");
  const isRight = (file) => tryTo(() => execFileSync(file, ["--help"], { stdio: ["ignore", "pipe", "ignore"] }).includes("--init-groups"));
  return (_a = inPath("setpriv").slice(0, 1).find(isRight)) != null ? _a : "";
});
function asUser({ command, env, user }) {
  if (user === void 0 || user.uid === process.geteuid()) return { command, options: { env } };
  const safe = Object.entries(env).filter(([name]) => !/^(?:LD_|GLIBC_|MALLOC_|GCONV_PATH|LOCPATH|NLSPATH)/.test(name));
  const options = { env: Object.fromEntries(safe) };
  const program = isBun || hasMoreGroups(user) ? findSetpriv() : "";
  if (program === "") return { command, options: { ...options, uid: user.uid, gid: user.gid } };
  return {
    command: [program, `--reuid=${user.uid}`, `--regid=${user.gid}`, "--init-groups", "--", ...command],
    options
  };
}
var identityOf = (pid) => {
  var _a;
  return pid === void 0 ? void 0 : (_a = identify(pid)) != null ? _a : { pid, start: 0 };
};
function startProcess(plan) {
  var _a, _b, _c;
  const { spawn } = require("child_process");
  const { output } = plan;
  const { stdio, pipes, childEnds } = openStdio(plan);
  const fail = (error) => plan.onEnd({ ...UNSEEN, error: startError(plan.command[0], plan.env.PATH, error) });
  try {
    const { command, options } = asUser(plan);
    const child = spawn(command[0], command.slice(1), { ...options, stdio, detached: true });
    (_a = child.stdin) == null ? void 0 : _a.on("error", () => {
    });
    (_c = child.stdin) == null ? void 0 : _c.end(bytesOf((_b = plan.input) != null ? _b : ""));
    const streams = STREAM_NAMES.flatMap((name, i) => {
      var _a2, _b2;
      const from = (_b2 = child[name]) != null ? _b2 : (_a2 = pipes[i]) == null ? void 0 : _a2.readEnd;
      return isPresent(from) ? [output.read(from, name)] : [];
    });
    child.on("error", (error) => child.pid === void 0 && fail(error));
    child.on("exit", (exit, signal) => whenRead(streams, plan, { exit, signal }));
    return identityOf(child.pid);
  } catch (error) {
    for (const { readEnd } of pipes) fs.closeSync(readEnd);
    setImmediate(fail, error);
    return void 0;
  } finally {
    for (const fd of childEnds) fs.closeSync(fd);
  }
}
function openStdio({ input, output, user }) {
  var _a, _b;
  const stdin = input === void 0 ? "ignore" : (_a = tryStore(input)) != null ? _a : "pipe";
  const pipes = (_b = output == null ? void 0 : output.makePipes()) != null ? _b : [];
  const ends = [stdin, ...pipes.map(({ writeEnd }) => writeEnd)];
  const childEnds = ends.filter((end) => typeof end === "number");
  if (user !== void 0) for (const fd of childEnds) tryTo(() => fs.fchownSync(fd, user.uid, user.gid));
  const [, stdout = output === void 0 || output.needsName ? 2 : "pipe", stderr = stdout] = ends;
  const stdio = [stdin, stdout, stderr];
  return { stdio, pipes, childEnds };
}
var LAST_OUTPUT_SECONDS = 1;
function whenRead(streams, plan, end) {
  var _a;
  const open = new Set(streams.filter((stream) => !stream.destroyed));
  if (open.size === 0) return plan.onEnd(end);
  const cancel = startTimer(LAST_OUTPUT_SECONDS, () => {
    var _a2;
    open.clear();
    (_a2 = plan.output) == null ? void 0 : _a2.finish();
    plan.onEnd(end);
  });
  for (const stream of open)
    stream.on("close", () => {
      if (!open.delete(stream) || open.size > 0) return;
      cancel();
      plan.onEnd(end);
    });
  (_a = plan.onExit) == null ? void 0 : _a.call(plan, end);
}
function tryMakePipes(count) {
  var _a;
  if (isBun || isDeno) return [];
  const { execFileSync } = require("child_process");
  const make = (files) => {
    if (!hasDescriptors(SPAWN_DESCRIPTORS)) return void 0;
    execFileSync("mkfifo", ["-m", "600", ...files], { stdio: "ignore" });
    const pipes = files.map((file) => tryTo(() => openPipe(file))).filter(isPresent);
    if (pipes.length === count) return pipes;
    for (const { readEnd, writeEnd } of pipes) for (const fd of [readEnd, writeEnd]) fs.closeSync(fd);
    return void 0;
  };
  return (_a = tryInPrivateDirectory(["1", "2"].slice(0, count), make)) != null ? _a : [];
}
var SPAWN_DESCRIPTORS = 16;
function hasDescriptors(count) {
  const free = [];
  while (free.length < count) {
    const fd = tryTo(() => fs.openSync("/dev/null", fs.constants.O_RDONLY));
    if (fd === void 0) break;
    free.push(fd);
  }
  for (const fd of free) fs.closeSync(fd);
  return free.length === count;
}
function openPipe(file) {
  const { O_RDONLY, O_RDWR, O_NONBLOCK } = fs.constants;
  const readEnd = fs.openSync(file, O_RDONLY | O_NONBLOCK);
  try {
    return { readEnd, writeEnd: fs.openSync(file, O_RDWR) };
  } catch (error) {
    fs.closeSync(readEnd);
    throw error;
  }
}
function readOn(pid, output) {
  if (isBun || isDeno) return;
  const { O_RDONLY, O_NONBLOCK } = fs.constants;
  const links = [1, 2].map((fd) => {
    var _a;
    return (_a = tryTo(() => fs.readlinkSync(`/proc/${pid}/fd/${fd}`))) != null ? _a : "";
  });
  STREAM_NAMES.forEach((name, i) => {
    if (!PIPE_NAME.test(links[i]) || links.indexOf(links[i]) < i) return;
    const fd = tryTo(() => fs.openSync(`/proc/${pid}/fd/${i + 1}`, O_RDONLY | O_NONBLOCK));
    if (fd === void 0) return;
    if (fs.fstatSync(fd).isFIFO())
      output.read(fd, name);
    else fs.closeSync(fd);
  });
}
function tryStore(input) {
  return tryInPrivateDirectory(["input"], ([file]) => {
    fs.writeFileSync(file, bytesOf(input), { mode: 384 });
    return fs.openSync(file, "r");
  });
}
function tryInPrivateDirectory(names, open) {
  const parents = [process.env.TMPDIR || "/tmp", "/tmp", "/dev/shm"];
  let directory;
  for (const parent of parents) directory != null ? directory : directory = tryTo(() => fs.mkdtempSync(`${parent}/${PRIVATE_PREFIX}`));
  if (!isSweepDone) setImmediate(() => new Set(parents).forEach(removeLeftovers));
  isSweepDone = true;
  if (directory === void 0) return void 0;
  const files = names.map((name) => `${directory}/${name}`);
  const opened = tryTo(() => open(files));
  for (const file of files) tryTo(() => fs.unlinkSync(file));
  tryTo(() => fs.rmdirSync(directory));
  return opened;
}
var PRIVATE_PREFIX = "supertick-pipe-";
var PIPE_NAME = new RegExp(`/${PRIVATE_PREFIX}[^/]+/[12] \\(deleted\\)$`);
var LEFT_OVER_MS = 6e4;
var isSweepDone = false;
function removeLeftovers(parent) {
  for (const name of namesIn(parent).filter((name2) => name2.startsWith(PRIVATE_PREFIX))) {
    const directory = `${parent}/${name}`;
    const stats = tryTo(() => fs.lstatSync(directory));
    const isOurs = (stats == null ? void 0 : stats.isDirectory()) && stats.uid === process.geteuid();
    const names = namesIn(directory);
    if (!isOurs || Date.now() - stats.mtimeMs < LEFT_OVER_MS || !names.every((name2) => /^[12]$|^input$/.test(name2)))
      continue;
    for (const name2 of names) tryTo(() => fs.unlinkSync(`${directory}/${name2}`));
    tryTo(() => fs.rmdirSync(directory));
  }
}
function startShell(text, limitSeconds, plan) {
  let isOver = false;
  const finish = (isKilled, end) => {
    if (isOver) return;
    isOver = true;
    cancelLimit();
    if (isKilled && leader !== void 0) signalGroup(leader.pid, "SIGKILL");
    if (end !== void 0) plan.onEnd(end, isKilled);
    plan.onGone();
  };
  const leader = startProcess({
    ...plan,
    command: ["/bin/sh", "-c", text],
    onExit: () => cancelLimit(),
    onEnd: (end) => finish(false, end)
  });
  const late = { ...UNSEEN, error: `no end after ${limitSeconds}s` };
  const cancelLimit = startTimer(limitSeconds, () => finish(true, late));
  return () => finish(true);
}
function startError(program, path, error) {
  var _a;
  const reasons = {
    ENOENT: `${quote(program)} ${whyNotFound(program, path)}`,
    EACCES: `${quote(program)} is not executable`,
    EAGAIN: "too many processes or too little memory",
    EPERM: "supertick may not run it as that user",
    E2BIG: "its arguments and environment are too long"
  };
  const code = errorCode(error);
  return `${code}: ${(_a = reasons[code]) != null ? _a : error.message}`;
}
function whyNotFound(program, path = "") {
  var _a, _b;
  const files = program.includes("/") ? [program] : path.split(":").map((directory) => `${directory || "."}/${program}`);
  const file = files.find(isExecutable);
  if (file === void 0) return `was not found${/^[^/]+\//.test(program) ? ` in ${process.cwd()}` : ""}`;
  const [, interpreter] = (_b = /^#![ \t]*([^ \t\n]*)/.exec((_a = tryTo(() => readStart(file))) != null ? _a : "")) != null ? _b : [];
  if (interpreter === void 0) return "is there, but its loader was not found: it may be built for another C library";
  if (interpreter.endsWith("\r")) return `has a carriage return behind #!${shown(interpreter.slice(0, -1))}`;
  return `begins with #!${shown(interpreter)}, which was not found`;
}
function signalGroup(leader, signal) {
  try {
    process.kill(-leader, signal);
    return true;
  } catch (error) {
    return errorCode(error) !== "ESRCH";
  }
}
var MAX_TIMER_SECONDS = 2 ** 31 / 1e3 - 1;
function startTimer(seconds, onEnd) {
  let timer;
  const arm = (left) => {
    const piece = Math.min(left, MAX_TIMER_SECONDS);
    timer = setTimeout(() => left > piece ? arm(left - piece) : onEnd(), piece * 1e3);
  };
  arm(seconds);
  return () => clearTimeout(timer);
}
function monotonicSeconds() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds + nanoseconds / 1e9;
}
function sleep(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
var PING_SECONDS = 10;
function createPinger(url, log, gate) {
  const problem = createProblemReport(log);
  const lastOfRun = /* @__PURE__ */ new Map();
  const send = async (id, what, body, before) => {
    await before;
    if (!await gate.enter()) return;
    const error = await sendPing(pingRequest(url, what, id), body);
    gate.leave();
    if (error === void 0) problem.clear();
    else problem.report(`--ping: ${new URL(url).host}: ${error}`);
  };
  return {
    async ping({ id }, what, body, onEnd) {
      const sent = send(id, what, body, lastOfRun.get(id));
      lastOfRun.set(id, sent);
      await sent;
      if (lastOfRun.get(id) === sent) lastOfRun.delete(id);
      onEnd();
    }
  };
}
function pingRequest(base, what, rid) {
  const url = new URL(base);
  const decode = (part) => {
    var _a;
    return (_a = tryTo(() => decodeURIComponent(part))) != null ? _a : part;
  };
  const credentials = `${decode(url.username)}:${decode(url.password)}`;
  const authorization = credentials === ":" ? void 0 : `Basic ${Buffer.from(credentials).toString("base64")}`;
  url.username = "";
  url.password = "";
  if (what !== "success") url.pathname = `${url.pathname.replace(/\/$/, "")}/${what}`;
  url.searchParams.set("rid", rid);
  return { url: url.href, authorization };
}
function sendPing({ url, authorization }, body = Buffer.alloc(0)) {
  const { request: open } = url.startsWith("https:") ? require("https") : require("http");
  const headers = {
    "user-agent": `supertick/${"0.2.0"}`,
    "content-type": "text/plain",
    "content-length": String(body.length)
  };
  if (authorization !== void 0) headers.authorization = authorization;
  return new Promise((resolve) => {
    const end = (error) => {
      cancel();
      resolve(error);
      request.destroy();
    };
    const cancel = startTimer(PING_SECONDS, () => end(`no answer after ${PING_SECONDS}s`));
    const request = open(
      url,
      { method: "POST", agent: false, headers },
      ({ statusCode = 0 }) => end(statusCode >= 200 && statusCode < 300 ? void 0 : `HTTP status ${statusCode}`)
    );
    request.on("error", (error) => end(errorCode(error)));
    request.end(body);
  });
}
var READ_BUFFER_BYTES = 4096;
function openInput(onBytes, onEnd) {
  let isOver = false;
  let bytesRead = 0;
  const stream = openInputStream((bytes) => {
    bytesRead += bytes.length;
    if (!isOver) onBytes(bytes.toString("latin1"));
  });
  const end = () => {
    if (!isOver) onEnd();
    isOver = true;
  };
  for (const event of ["end", "error", "close"]) stream.on(event, end);
  return {
    pause() {
      isOver = true;
      stream.pause();
    },
    bytesRead: () => bytesRead
  };
}
function openInputStream(onRead) {
  const stats = fs.fstatSync(0);
  if (isBun || !(stats.isFIFO() || stats.isSocket())) return process.stdin.on("data", onRead);
  return openSocket(0, Buffer.allocUnsafeSlow(READ_BUFFER_BYTES), onRead);
}
function openSocket(fd, buffer, onRead) {
  const { Socket } = require("net");
  const callback = (length) => {
    onRead(buffer.slice(0, length));
    return true;
  };
  const options = { fd, readable: true, writable: false, onread: { buffer, callback } };
  return new Socket(options);
}
function writeFully(fd, text) {
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  for (let done = 0; done < bytes.length; ) {
    try {
      done += fs.writeSync(fd, bytes, done);
    } catch (error) {
      if (errorCode(error) !== "EAGAIN") throw error;
      sleep(1);
    }
  }
}
function refuseForeign(path) {
  const directory = fs.statSync(directoryOf(path));
  const isShared = (directory.mode & 514) === 514;
  const owner = isShared ? tryTo(() => fs.lstatSync(path).uid) : void 0;
  if (owner === void 0 || owner === process.geteuid() || owner === directory.uid) return;
  throw codedError("it belongs to another user");
}
function directoryOf(path) {
  return path.replace(/[^/]*$/, "") || ".";
}
function openRegular(path, access = fs.constants.O_RDONLY) {
  refuseForeign(path);
  const fd = fs.openSync(path, access | fs.constants.O_NONBLOCK, 384);
  if (fs.fstatSync(fd).isFile()) return fd;
  fs.closeSync(fd);
  throw codedError("not a regular file");
}
function readWith(path, read) {
  const fd = openRegular(path);
  try {
    return read(fd);
  } finally {
    fs.closeSync(fd);
  }
}
function readStart(path) {
  const bytes = Buffer.alloc(4096);
  return readWith(path, (fd) => bytes.toString("utf8", 0, fs.readSync(fd, bytes, 0, bytes.length, 0)));
}
function tryReadFile(path) {
  var _a;
  return (_a = tryTo(() => readWith(path, (fd) => fs.readFileSync(fd, "utf8")))) != null ? _a : "";
}
function isExecutable(file) {
  var _a;
  return (_a = tryTo(() => {
    var _a2;
    return (_a2 = fs.accessSync(file, fs.constants.X_OK)) != null ? _a2 : true;
  })) != null ? _a : false;
}
var MOST_PLACES = 50;
function inPath(name, path) {
  return placesOf(name, path).filter(isProgram);
}
function placesOf(name, path = ((_a) => (_a = process.env.PATH) != null ? _a : "")()) {
  return path.split(":", MOST_PLACES).flatMap((folder) => folder === "" ? [] : [`${folder}/${name}`]);
}
function isProgram(file) {
  return fs.existsSync(file) && isExecutable(file) && fs.statSync(file).isFile();
}
function isLink(path) {
  var _a;
  return (_a = tryTo(() => fs.lstatSync(path).isSymbolicLink())) != null ? _a : false;
}
function namesIn(directory) {
  var _a;
  return (_a = tryTo(() => fs.readdirSync(directory).sort())) != null ? _a : [];
}
function syncDirectory(file) {
  const fd = tryTo(() => fs.openSync(directoryOf(file), fs.constants.O_RDONLY));
  if (fd === void 0) return;
  tryTo(() => fs.fsyncSync(fd));
  fs.closeSync(fd);
}
function tryTo(action) {
  try {
    return action();
  } catch (e) {
    return void 0;
  }
}
function once(make) {
  let made;
  return () => {
    made != null ? made : made = make();
    return made;
  };
}
function isPresent(value) {
  return value !== void 0 && value !== null;
}
function codedError(code, words = "") {
  return Object.assign(new Error(`${code}: ${words}`), { code });
}
function errorCode(error) {
  var _a;
  return (_a = error.code) != null ? _a : String(error);
}
function describeError(error) {
  var _a;
  const [, words] = (_a = /^E\w+: ([^,]+)/.exec(error.message)) != null ? _a : [];
  return words === void 0 ? errorCode(error) : `${words} (${errorCode(error)})`;
}
var COUNTER_FILE_BYTES = 512;
function formatCounter(content) {
  const { count, undecided = 0, tick, periodSeconds = 0, poolSerial, supervisor, listener, machine } = content;
  const { refused = 0 } = content;
  const fields = [
    tick && `when=${tick.whenSeconds.toFixed()}`,
    (tick == null ? void 0 : tick.serial) !== void 0 && `serial=${tick.serial.toFixed()}`,
    periodSeconds > 0 && `period=${periodSeconds}`,
    undecided > 0 && `undecided=${undecided}`,
    refused > 0 && `refused=${refused}`,
    supervisor && `supervisor=${formatIdentity(supervisor)}`,
    listener && `listener=${formatIdentity(listener)}`,
    machine && `machine=${machine}`,
    poolSerial !== void 0 && `pool=${poolSerial.toFixed()}`,
    `serials=${content.serials.format()}`
  ];
  return `${count.toFixed()}
${fields.filter(Boolean).join(" ")}`;
}
function parseCounter(text) {
  var _a, _b;
  const [first, second = ""] = text.split("\n");
  if (!/^(0|[1-9]\d{0,14})\r?$/.test(first.trim())) throw new Expectation(`a count, got ${quote(text)}`);
  const words = second.trim().split(" ");
  const fields = new Map(words.map((field) => field.split("=")));
  const number = (key) => {
    var _a2;
    return /^\d{1,16}$/.test((_a2 = fields.get(key)) != null ? _a2 : "") ? Number(fields.get(key)) : void 0;
  };
  const identity = (key) => {
    var _a2;
    const match = /^(\d{1,10}):(\d{1,16})$/.exec((_a2 = fields.get(key)) != null ? _a2 : "");
    return match === null ? void 0 : { pid: Number(match[1]), start: Number(match[2]) };
  };
  const [whenSeconds, serial, all] = ["when", "serial", "decided"].map(number);
  return {
    count: Number(first.trim()),
    undecided: number("undecided"),
    refused: number("refused"),
    poolSerial: number("pool"),
    tick: whenSeconds === void 0 ? void 0 : { whenSeconds, serial },
    periodSeconds: Object.values(TICK_PERIODS).find((period) => period === number("period")),
    serials: SerialSet.parse((_a = fields.get("serials")) != null ? _a : serial === void 0 ? "" : `${serial.toString(36)}-`),
    supervisor: identity("supervisor"),
    listener: identity("listener"),
    machine: fields.get("machine"),
    decided01: all === void 0 ? void 0 : { all, fixed: (_b = number("fixed")) != null ? _b : all }
  };
}
var NO_COUNTER = { count: 0, serials: new SerialSet() };
var CounterFile = class {
  constructor(path, log) {
    this.path = path;
    this.log = log;
    this.bytes = Buffer.alloc(COUNTER_FILE_BYTES);
    this.seen = Buffer.alloc(COUNTER_FILE_BYTES);
    this.problem = createProblemReport(this.log);
    this.isLinked = this.path !== void 0 && isLink(this.path);
    this.found = path === void 0 ? NO_COUNTER : this.find(path);
  }
  find(path) {
    let problem;
    try {
      const text = readStart(path);
      if (text !== "") return parseCounter(text);
      this.log.line(`${path} is empty; counting from 0`);
      return NO_COUNTER;
    } catch (error) {
      problem = error instanceof Expectation ? `expected ${error.message}` : errorCode(error);
    }
    if (problem === "ENOENT") return NO_COUNTER;
    const isUnread = problem.startsWith("E");
    const isAside = !isUnread && setAside(path);
    const what = isAside ? `kept as ${path}.bad, counting from 0` : "leaving it as it is, and counting in memory only";
    const remedy = ["EACCES", "EPERM"].includes(problem) ? `: chown it to uid ${process.geteuid()}, with mode 600` : "";
    this.log.error(`${path}: ${isUnread ? `it cannot be read (${problem})${remedy}` : problem}; ${what}`);
    if (!isAside) this.path = void 0;
    return NO_COUNTER;
  }
  get isInMemory() {
    return this.path === void 0;
  }
  findTaker() {
    if (this.path === void 0) return void 0;
    const text = tryTo(() => this.look(this.path));
    const content = text === void 0 ? void 0 : tryTo(() => parseCounter(text));
    if (content === void 0 || markOf(content) === markOf(this.found)) return void 0;
    const taker = rivalOf(content, true);
    const isBackup = (taker == null ? void 0 : taker.isElsewhere) && content.periodSeconds !== void 0 && !isRecent(content, this.path);
    if (taker === void 0 || isBackup) return void 0;
    this.path = void 0;
    return taker;
  }
  get foundRival() {
    return isRecent(this.found, this.path) ? rivalOf(this.found) : void 0;
  }
  look(path) {
    const { isLinked } = this;
    const now = tryTo(() => isLinked ? fs.statSync(path) : fs.lstatSync(path));
    if (this.fd === void 0 || (now == null ? void 0 : now.ino) !== this.opened.ino || now.dev !== this.opened.dev) {
      if (this.fd !== void 0) fs.closeSync(this.fd);
      const access = fs.constants.O_RDWR | (isLinked ? 0 : fs.constants.O_NOFOLLOW);
      this.fd = tryTo(() => openRegular(path, access));
      this.opened = this.fd === void 0 ? void 0 : fs.fstatSync(this.fd);
    } else this.opened = now;
    if (this.fd === void 0) return tryTo(() => readStart(path));
    const length = fs.readSync(this.fd, this.seen, 0, COUNTER_FILE_BYTES, 0);
    return this.seen.equals(this.bytes) ? void 0 : this.seen.toString("latin1", 0, length);
  }
  write(content) {
    if (this.path === void 0) return;
    this.bytes.fill(" ");
    this.bytes.write(formatCounter(content), "latin1");
    this.bytes.write("\n", COUNTER_FILE_BYTES - 1);
    try {
      this.overwrite(this.path);
      this.problem.clear();
    } catch (error) {
      this.problem.report(`cannot write ${this.path}: ${describeError(error)}; counting in memory until it can`);
    }
  }
  overwrite(path) {
    var _a, _b;
    (_a = this.fd) != null ? _a : this.fd = createCounterFile(path, this.isLinked, this.bytes);
    (_b = this.opened) != null ? _b : this.opened = fs.fstatSync(this.fd);
    if (fs.writeSync(this.fd, this.bytes, 0, COUNTER_FILE_BYTES, 0) < COUNTER_FILE_BYTES)
      throw codedError("ENOSPC", "no space left on device");
    if (this.opened.size > COUNTER_FILE_BYTES) fs.ftruncateSync(this.fd, COUNTER_FILE_BYTES);
  }
};
var MARK_PERIODS = 3;
var MIN_MARK_SECONDS = 180;
function isRecent({ tick, periodSeconds = 0 }, path) {
  var _a, _b;
  const now = Date.now() / 1e3;
  const changed = ((_a = tryTo(() => fs.statSync(path).mtimeMs)) != null ? _a : 0) / 1e3;
  const age = Math.max(Math.abs(now - changed), now - ((_b = tick == null ? void 0 : tick.whenSeconds) != null ? _b : now));
  return age <= Math.max(MIN_MARK_SECONDS, MARK_PERIODS * periodSeconds);
}
function rivalOf({ listener, supervisor, machine = machineId() }, isNew = false) {
  const isElsewhere = machine !== machineId();
  if (listener === void 0) return void 0;
  const isGone = !(isNew && listener.start === 0) && !isAlive(listener);
  if (!isElsewhere && (listener.pid === process.pid || isGone)) return void 0;
  return { ...listener, isElsewhere, isEnding: !isElsewhere && supervisor !== void 0 && !isAlive(supervisor) };
}
function markOf({ listener, machine }) {
  return listener === void 0 ? "" : `${formatIdentity(listener)} ${machine}`;
}
function inUseBy(path, rival) {
  return `${path} is in use by ${rivalName(rival)}: each needs a --name or --state of its own`;
}
function rivalName({ pid, isElsewhere }) {
  return isElsewhere ? `a listener in another container or machine (pid ${pid} there)` : `the listener with pid ${pid}`;
}
function setAside(path) {
  var _a;
  const bad = `${path}.bad`;
  const stats = tryTo(() => {
    for (const name of [path, bad]) refuseForeign(name);
    return fs.statSync(path);
  });
  const isFile = (_a = stats == null ? void 0 : stats.isFile()) != null ? _a : false;
  if (!isFile && !((stats == null ? void 0 : stats.isDirectory()) && namesIn(path).length === 0)) return false;
  if (tryTo(() => {
    var _a2;
    return (_a2 = fs.renameSync(path, bad)) != null ? _a2 : true;
  })) return true;
  if (!isFile || stats.size > MOST_READ_BYTES) return false;
  tryTo(() => fs.unlinkSync(bad));
  const copy = () => fs.writeFileSync(
    bad,
    readWith(path, (fd) => fs.readFileSync(fd)),
    { flag: "wx", mode: 384 }
  );
  return tryTo(() => {
    var _a2, _b;
    return (_b = (_a2 = copy()) != null ? _a2 : fs.truncateSync(path)) != null ? _b : true;
  }) === true;
}
function createCounterFile(path, isLinked, bytes) {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
  const draft = `${path}.${process.pid}.new`;
  refuseForeign(path);
  const fd = isLinked ? void 0 : tryTo(() => fs.openSync(draft, O_RDWR | O_CREAT | O_EXCL, 384));
  try {
    fs.writeSync(fd, bytes, 0, bytes.length, 0);
    fs.fsyncSync(fd);
    fs.renameSync(draft, path);
    syncDirectory(path);
    return fd;
  } catch (e) {
    if (fd !== void 0) {
      fs.closeSync(fd);
      fs.unlinkSync(draft);
    }
    const isThere = tryTo(() => fs.lstatSync(path)) !== void 0;
    return fs.openSync(path, O_RDWR | (isLinked ? O_CREAT : isThere ? O_NOFOLLOW : O_CREAT | O_EXCL), 384);
  }
}
var FURTHER_FILES = /\.(runs|runs\.1|bad|new|req)$/;
var STATE_DIRECTORY = "/var/lib/supertick";
function defaultStatePath(name, log) {
  const file = encodeURIComponent(name).replace(/^\./, "%2E").slice(0, 200).replace(FURTHER_FILES, "%2E$1");
  const uid = process.getuid();
  const problem = whyUnusable(STATE_DIRECTORY);
  if (problem === void 0) return `${STATE_DIRECTORY}/${file}`;
  const directory = `${process.env.TMPDIR || "/tmp"}/supertick-${uid}`;
  try {
    fs.mkdirSync(directory, 448);
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw new Error(`cannot make ${directory}: ${describeError(error)}`);
  }
  if (isPrivateTo(uid, directory)) {
    log.line(`${whyNotStandard(STATE_DIRECTORY, problem)}; using ${directory}, which may not outlive a restart`);
    return `${directory}/${file}`;
  }
  throw new Error(`${directory} is not a directory that belongs to user ${uid} alone`);
}
function whyNotStandard(directory, problem) {
  var _a;
  if (problem === "ENOENT") return `there is no ${directory}`;
  if (problem !== "EACCES") return `${directory}: it cannot be written (${problem})`;
  const name = (_a = [...readUsers().values()].find(({ uid }) => uid === process.geteuid())) == null ? void 0 : _a.name;
  return `${directory} is not writable by ${name != null ? name : `uid ${process.getuid()}`}`;
}
function whyUnusable(directory, mode = fs.constants.W_OK) {
  try {
    fs.accessSync(directory, mode | fs.constants.X_OK);
    if (isDeno && mode === fs.constants.W_OK) fs.rmdirSync(fs.mkdtempSync(`${directory}/.writable-`));
    return void 0;
  } catch (error) {
    return errorCode(error);
  }
}
function isPrivateTo(user, directory) {
  const stats = tryTo(() => fs.lstatSync(directory));
  return (stats == null ? void 0 : stats.isDirectory()) === true && stats.uid === user && (stats.mode & 63) === 0;
}
var machineId = once(() => {
  var _a;
  const boot = tryReadFile("/proc/sys/kernel/random/boot_id").slice(0, 8);
  const namespace = (_a = tryTo(() => fs.readlinkSync("/proc/self/ns/pid").replace(/\D/g, ""))) != null ? _a : "";
  return `${boot}:${namespace}`;
});
var MAX_JOURNAL_BYTES = 256 * 1024;
var MOST_READ_BYTES = 16 * 1024 * 1024;
var MAX_UNWRITTEN_LINES = 1e3;
var LINES_A_WRITE = 50;
function readJournalFiles(path) {
  const read = (fd) => fs.fstatSync(fd).size > MOST_READ_BYTES ? "" : fs.readFileSync(fd, "utf8");
  return [`${path}.1`, path].map((file) => {
    var _a;
    return (_a = tryTo(() => readWith(file, read))) != null ? _a : "";
  }).join("\n");
}
function isTooLarge(file) {
  return tryTo(() => readWith(file, (fd) => fs.fstatSync(fd).size > MOST_READ_BYTES)) === true;
}
function* linesOf(text) {
  for (let at = 0, end = 0; end >= 0; at = end + 1) {
    end = text.indexOf("\n", at);
    yield text.slice(at, end < 0 ? text.length : end);
  }
}
var Journal = class {
  constructor(path, log, states) {
    this.path = path;
    this.log = log;
    this.states = states;
    this.problem = createProblemReport(this.log);
    this.size = 0;
    this.sizeLimit = MAX_JOURNAL_BYTES;
    this.unwritten = [];
    this.mustSync = false;
    this.isBehind = false;
    for (const file of path === void 0 ? [] : [`${path}.1`, path]) this.passOverLarge(file);
    const text = path === void 0 ? "\n" : readJournalFiles(path);
    this.isTorn = !text.endsWith("\n");
    this.found = readJournal(linesOf(text));
  }
  passOverLarge(file) {
    if (!isTooLarge(file)) return;
    const isAside = setAside(file);
    const end = isAside ? `kept as ${file}.bad` : "left where it is, and no run is recorded: move it away";
    this.log.line(`${file} has over 16 MiB, as no journal has: not read, ${end}`);
    if (!isAside) this.path = void 0;
  }
  append(facts) {
    if (facts.length === 0) return;
    this.unwritten = [...this.unwritten, ...facts.map(journalLine)];
    this.mustSync || (this.mustSync = facts.some(([, { type }]) => /^(starting|paused|resumed)$/.test(type)));
    this.flush();
  }
  yield(supervisor) {
    const { path } = this;
    const line = journalLine([LISTENER, { type: "yielded", supervisor, at: Date.now() / 1e3 }]);
    tryTo(() => {
      var _a;
      return (_a = this.open(path)) != null ? _a : this.write([line]);
    });
    this.path = void 0;
  }
  get isBehindFacts() {
    return this.path !== void 0 && (this.unwritten.length > 0 || this.mustSync || this.isBehind);
  }
  flush() {
    if (this.path === void 0 || !this.isBehindFacts) return;
    try {
      this.open(this.path);
      if (this.size > 0) this.write(this.unwritten);
      this.unwritten = [];
      if (this.size === 0 || this.size > this.sizeLimit || this.isBehind) this.begin(this.path);
      this.isBehind = false;
      if (this.mustSync) fs.fdatasyncSync(this.fd);
      this.mustSync = false;
      this.problem.clear();
    } catch (error) {
      if (this.unwritten.length > MAX_UNWRITTEN_LINES) {
        this.unwritten = [];
        this.isBehind = true;
      }
      this.problem.report(`cannot write ${this.path}: ${describeError(error)}; runs are not recorded until it can`);
    }
  }
  open(path) {
    const stats = tryTo(() => fs.statSync(path));
    if (this.fd === void 0 || (stats == null ? void 0 : stats.ino) !== this.opened.ino || stats.dev !== this.opened.dev) this.reopen(path);
    else this.size = stats.size;
  }
  reopen(path) {
    if (this.fd !== void 0) fs.closeSync(this.fd);
    this.isBehind || (this.isBehind = this.fd !== void 0);
    this.fd = void 0;
    const { O_WRONLY, O_CREAT, O_EXCL, O_APPEND, O_NOFOLLOW } = fs.constants;
    const isThere = tryTo(() => fs.lstatSync(path)) !== void 0;
    const access = O_WRONLY | O_APPEND | O_NOFOLLOW;
    this.fd = openRegular(path, isThere ? access : access | O_CREAT | O_EXCL);
    this.opened = fs.fstatSync(this.fd);
    this.size = this.opened.size;
  }
  setAside(path) {
    if (tryTo(() => {
      var _a;
      return (_a = fs.renameSync(path, `${path}.1`)) != null ? _a : true;
    })) return this.reopen(path);
    fs.ftruncateSync(this.fd);
    this.size = 0;
  }
  begin(path) {
    if (this.size > 0) {
      this.setAside(path);
      this.mustSync = true;
    }
    this.isTorn = false;
    const at = Date.now() / 1e3;
    const lines = [];
    for (const [key, state] of this.states()) {
      for (const fact of factsOf(state, at)) lines.push(journalLine([key, fact]));
      if (lines.length >= LINES_A_WRITE) this.write(lines.splice(0));
    }
    this.write(lines);
    this.sizeLimit = Math.max(MAX_JOURNAL_BYTES, Math.min(2 * this.size, (this.size + MOST_READ_BYTES) / 2));
    syncDirectory(path);
  }
  write(lines) {
    if (lines.length === 0) return;
    const bytes = Buffer.from((this.isTorn ? "\n" : "") + lines.join(""));
    try {
      if (fs.writeSync(this.fd, bytes) < bytes.length) throw codedError("ENOSPC", "no space left on device");
    } catch (error) {
      fs.ftruncateSync(this.fd, this.size);
      throw error;
    }
    this.isTorn = false;
    this.size += bytes.length;
  }
};
function journalLine([key, fact]) {
  const head = `{"type":"${fact.type}"`;
  return `${head},"job":${JSON.stringify(key)}${JSON.stringify(fact).slice(head.length)}
`;
}
var REQUEST_NAME = /^\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.req$/;
var REQUEST_KINDS = ["run", "pause", "resume"];
var MAX_REQUEST_SECONDS = 60;
var REQUEST_FIELDS = {
  ask: isOneOf(REQUEST_KINDS),
  job: isText,
  seconds: isOptional(isCount),
  at: isAmount,
  machine: (value) => value === machineId()
};
function requestsBeside(statePath) {
  const base = baseName(statePath);
  const names = namesIn(directoryOf(statePath)).filter((name) => name.startsWith(base));
  return names.map((name) => {
    var _a;
    return (_a = REQUEST_NAME.exec(name.slice(base.length))) == null ? void 0 : _a[1];
  }).filter(isPresent);
}
var requestFile = (statePath, id) => `${statePath}.${id}.req`;
function takeRequest(statePath, id) {
  const path = requestFile(statePath, id);
  const text = readStart(path);
  fs.unlinkSync(path);
  const request = tryTo(() => JSON.parse(text));
  if (!has(REQUEST_FIELDS)(request)) throw codedError("it is not a request of this machine");
  if (Math.abs(Date.now() / 1e3 - request.at) > MAX_REQUEST_SECONDS) throw codedError("it is older than a minute");
  return { ...request, id };
}
function makeRequest(statePath, { id, ...request }) {
  const draft = `${statePath}.${id}.new`;
  const { uid, gid } = fs.statSync(statePath);
  const fd = fs.openSync(draft, "wx", 384);
  try {
    fs.writeSync(fd, JSON.stringify(request));
    if (process.geteuid() === 0) fs.fchownSync(fd, uid, gid);
    fs.renameSync(draft, requestFile(statePath, id));
  } catch (error) {
    fs.unlinkSync(draft);
    throw error;
  } finally {
    fs.closeSync(fd);
  }
}
var Turns = class {
  constructor(limit) {
    this.limit = limit;
    this.taken = 0;
    this.waiting = [];
    this.starts = [];
  }
  get freeSlots() {
    if (this.limit === 0) return Number.POSITIVE_INFINITY;
    return this.waiting.length > 0 ? Number.NEGATIVE_INFINITY : this.limit - this.taken;
  }
  take(slots) {
    this.taken += slots;
    if (slots < 0 && this.waiting.length > 0) setImmediate(() => this.grant());
  }
  queue(runner, id) {
    this.waiting.push({ runner, id });
    setImmediate(() => this.grant());
  }
  grant() {
    while (this.waiting.length > 0 && this.taken < this.limit) {
      const { runner, id } = this.waiting.shift();
      runner.apply({ type: "turn", id });
    }
  }
  soon(start) {
    if (this.starts.push(start) === 1) setImmediate(() => this.startNext());
  }
  startNext() {
    this.starts[0]();
    this.starts.shift();
    if (this.starts.length > 0) setImmediate(() => this.startNext());
  }
};
var GATE_WIDTH = 50;
var MAX_WAITING = 1e3;
var Gate = class {
  constructor(what, log, limit = MAX_WAITING) {
    this.what = what;
    this.log = log;
    this.limit = limit;
    this.entered = 0;
    this.dropped = 0;
    this.waiting = [];
  }
  enter() {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.admit();
      if (this.waiting.length <= this.limit) return;
      if (this.dropped++ === 0) this.log.line(`over ${this.limit} ${this.what} wait: the oldest are dropped`);
      this.waiting.shift()(false);
    });
  }
  leave() {
    this.entered--;
    this.admit();
  }
  admit() {
    for (; this.waiting.length > 0 && this.entered < GATE_WIDTH; this.entered++) this.waiting.shift()(true);
    if (this.dropped === 0 || this.waiting.length > 0) return;
    this.log.line(`${this.dropped} ${this.what} were dropped: no more wait`);
    this.dropped = 0;
  }
};
var GROUP_POLL_MS = 50;
var ORPHAN_POLL_MS = 1e3;
var ONLY_IF_SECONDS = 10;
var HOOK_SECONDS = 60;
var JobRunner = class {
  constructor(job, host, state) {
    this.job = job;
    this.host = host;
    this.state = state;
    this.attendances = void 0;
    this.outputs = void 0;
    this.sideTasks = NOTHING;
    this.pinger = void 0;
    this.delay = void 0;
    this.isDescribed = false;
    this.cancelDelayed = void 0;
    this.wakeAt = 0;
    this.isLeaving = false;
    this.hasLeftovers = !this.isDone;
  }
  get log() {
    return this.host.log.ofJob(this.job.name);
  }
  get known() {
    const { left, waiting } = this.state;
    return left.length === 0 ? this.state : { ...this.state, waiting: [...left, ...waiting] };
  }
  get isBusy() {
    return this.state.runs.length > 0;
  }
  get hasSideTasks() {
    return this.sideTasks.length > 0;
  }
  get isDone() {
    return openOf(this.state) === 0 && !this.hasSideTasks;
  }
  moment() {
    const secondsToNextRun = () => this.secondsToNextRun();
    const { isStopping, turns, now } = this.host;
    const { freeSlots } = turns;
    const tailOf = (run) => {
      var _a, _b;
      return ((_b = (_a = this.outputs) == null ? void 0 : _a.get(run)) == null ? void 0 : _b.tail(JOURNAL_TAIL_BYTES).toString()) || void 0;
    };
    const at = Date.now() / 1e3;
    return { at, seconds: monotonicSeconds(), now, freeSlots, isStopping, secondsToNextRun, tailOf };
  }
  begin() {
    return new Decision(this.job, this.state, this.moment());
  }
  decide(input) {
    if (input.type === "due" || input.type === "stop") this.lookBack();
    return this.adopt(decide(this.job, this.state, input, this.moment()));
  }
  adopt(decision) {
    const slots = slotsOf(decision.state) - slotsOf(this.state);
    this.state = decision.state;
    if (slots !== 0) this.host.turns.take(slots);
    return decision;
  }
  commit(decision) {
    this.host.commit([{ runner: this, decision: this.adopt(decision) }]);
  }
  apply(input) {
    this.commit(this.decide(input));
  }
  perform({ notes, effects }) {
    for (const note of notes) this.report(note);
    for (const effect of effects) this.carryOut(effect);
    if (notes.length === 0) return;
    this.endAttendances();
    if (!this.isBusy) this.host.settleSoon();
  }
  carryOut(effect) {
    switch (effect.do) {
      case "ask":
        return this.ask(effect.run);
      case "spawn":
        return this.host.turns.soon(() => this.spawn(effect.run.number));
      case "queue":
        return this.host.turns.queue(this, effect.id);
      case "signal":
        return this.signal(effect.run, effect.signal);
      case "alarm":
        return this.setAlarm(effect.run.number, effect.seconds);
      case "watch":
        return this.watch(effect.run);
      case "log":
        return this.log.line(effect.text);
    }
  }
  attend(run, what, cancel) {
    var _a, _b;
    (_a = this.attendances) != null ? _a : this.attendances = /* @__PURE__ */ new Map();
    (_b = this.attendances.get(`${run} ${what}`)) == null ? void 0 : _b();
    this.attendances.set(`${run} ${what}`, cancel);
  }
  endAttendances() {
    var _a, _b, _c;
    const isGone = (run) => !this.state.runs.some(({ number }) => number === run);
    for (const [key, cancel] of (_a = this.attendances) != null ? _a : []) {
      if (!isGone(Number.parseInt(key, 10))) continue;
      cancel();
      this.attendances.delete(key);
    }
    for (const run of (_c = (_b = this.outputs) == null ? void 0 : _b.keys()) != null ? _c : []) if (isGone(run)) this.outputs.delete(run);
  }
  outputOf({ name }, run) {
    var _a;
    const output = this.log.outputOf({ job: name, run });
    (_a = this.outputs) != null ? _a : this.outputs = /* @__PURE__ */ new Map();
    this.outputs.set(run, output);
    return output;
  }
  setAlarm(run, seconds) {
    const ring = () => this.apply({ type: "alarm", run });
    this.attend(run, "alarm", seconds === void 0 ? () => {
    } : startTimer(seconds, ring));
  }
  watch({ number, attempt, pid, end }) {
    const timer = setInterval(
      () => {
        this.lookBack();
        const run = this.state.runs.find((one) => one.number === number && one.attempt === attempt);
        if (run === void 0 || run.phase === "backoff") clearInterval(timer);
        else if (run.end !== void 0 && !signalGroup(pid, 0)) this.apply({ type: "groupGone", run: number });
      },
      end === void 0 ? ORPHAN_POLL_MS : GROUP_POLL_MS
    );
    this.attend(number, "watch", () => clearInterval(timer));
  }
  lookBack() {
    var _a, _b;
    this.takeOver();
    for (const { number, isOrphan, end, pid = 0, start = 0 } of this.state.runs)
      if (isOrphan && end === void 0 && pid > 0 && !isAlive({ pid, start })) {
        (_b = (_a = this.outputs) == null ? void 0 : _a.get(number)) == null ? void 0 : _b.finish();
        this.apply({ type: "exited", run: number, end: UNKNOWN_END });
      }
  }
  signal({ number, pid = 0, start = 0, id, attempt, isOrphan }, signal) {
    const leader = { pid, start };
    if (signal === "SIGKILL") this.log.line(`run ${number}: sent SIGKILL`);
    if (!isOrphan || isAlive(leader) || hasGroup(leader, id, attempt)) signalGroup(pid, signal);
  }
  ask(run) {
    var _a;
    const { onlyIf } = ((_a = run.job) != null ? _a : this.job).options;
    const kill = this.runShell(
      "only-if",
      onlyIf,
      ONLY_IF_SECONDS,
      run,
      {},
      (end, isLate) => this.apply({ type: "answered", run: run.number, ...verdictOf(end, isLate) })
    );
    this.attend(run.number, "question", kill);
  }
  spawn(number) {
    var _a, _b, _c;
    const run = this.state.runs.find((one) => one.number === number && one.phase === "starting");
    if (run === void 0) return;
    const job = (_a = run.job) != null ? _a : this.job;
    const variables = ownVariables(job);
    if (variables instanceof Error) return this.apply({ type: "startFailed", run: number, error: variables.message });
    const started = startProcess({
      command: argvOf(job),
      user: job.user,
      env: this.environment(run, variables),
      input: (_c = (_b = run.event) == null ? void 0 : _b.payload) != null ? _c : job.input,
      output: needsPipe(this.log.form, job.options, job.user) ? this.outputOf(job, number) : void 0,
      onExit: (end) => this.apply({ type: "outputLeft", run: number, end }),
      onEnd: (end) => this.apply(
        end.error === void 0 ? { type: "exited", run: number, end } : { type: "startFailed", run: number, error: end.error }
      )
    });
    if (started !== void 0) this.apply({ type: "started", run: number, ...started });
  }
  environment(about, own) {
    var _a;
    const { number, attempt, due, event, id, job = this.job } = about;
    const facts = {
      SUPERTICK_JOB: job.name,
      SUPERTICK_LISTENER: formatIdentity(this.host.self),
      SUPERTICK_DUE: String(due),
      SUPERTICK_REASON: reasonOf(about),
      SUPERTICK_ID: id
    };
    if (number !== void 0) facts.SUPERTICK_RUN = String(number);
    if (attempt !== void 0) facts.SUPERTICK_ATTEMPT = String(attempt);
    if (event !== void 0) facts.SUPERTICK_EVENT = event.name;
    if (about.lost !== void 0) facts.SUPERTICK_LOST = String(about.lost);
    if (event == null ? void 0 : event.isDropped) facts.SUPERTICK_PAYLOAD = "dropped";
    return { ...payloadTokens((_a = event == null ? void 0 : event.payload) != null ? _a : ""), ...this.host.env, ...own, ...job.env, ...facts };
  }
  report({ fact, about }) {
    const text = describeFact(fact, about);
    const { log } = this;
    if (text !== void 0)
      (isFailure(fact) ? log.error : log.line)(text, () => {
        const { type: event, at: _, tail: __, ...fields } = fact;
        return { event, due: about == null ? void 0 : about.due, reason: about && reasonOf(about), ...fields };
      });
    this.reportOutside(fact, about);
  }
  reportOutside(fact, run) {
    var _a, _b;
    if (fact.type === "started" && run.attempt === 1 && !run.isOrphan) this.ping(run, "start", void 0);
    if (fact.type === "ended" && fact.retryIn === void 0) this.reportResult(run, fact.result, fact, fact.seconds);
    if (fact.type === "dropped" && fact.result !== void 0)
      return this.reportResult(run, fact.result, (_a = run.end) != null ? _a : UNSEEN, (_b = run.seconds) != null ? _b : 0);
    if (fact.type === "skipped" || fact.type === "dropped" && fact.why !== "held")
      this.runHook("on-skip", run, { SUPERTICK_RESULT: "skipped" });
  }
  reportResult(run, result, { exit, signal }, seconds) {
    var _a, _b, _c, _d;
    const tail = (_d = (_b = (_a = this.outputs) == null ? void 0 : _a.get(run.number)) == null ? void 0 : _b.tail(MAX_TAIL_BYTES)) != null ? _d : Buffer.from((_c = run.tail) != null ? _c : "");
    this.ping(run, result === "success" ? "success" : "fail", tail);
    const facts = {
      SUPERTICK_RESULT: result,
      SUPERTICK_EXIT: String(exit != null ? exit : ""),
      SUPERTICK_SIGNAL: signal != null ? signal : "",
      SUPERTICK_SECONDS: String(seconds),
      SUPERTICK_FAILURES: String(this.state.failures)
    };
    this.runHook(result === "success" ? "on-success" : "on-failure", run, facts, tail);
  }
  runHook(hook, about, facts, input) {
    var _a;
    const { onFailure, onSuccess, onSkip } = ((_a = about.job) != null ? _a : this.job).options;
    const text = { "on-failure": onFailure, "on-success": onSuccess, "on-skip": onSkip }[hook];
    if (text === void 0) return;
    const onEnd = (end) => {
      if (end.exit !== 0) this.log.error(`--${hook} failed: ${howEnded(end)}`);
    };
    this.runShell(hook, text, HOOK_SECONDS, about, facts, onEnd, input);
  }
  runShell(hook, text, limitSeconds, about, facts, onEnd, input) {
    var _a;
    const job = (_a = about.job) != null ? _a : this.job;
    const { user } = hook === "only-if" ? job : { user: void 0 };
    const variables = hook === "only-if" ? ownVariables(job) : {};
    const own = variables instanceof Error ? {} : variables;
    const env = { ...this.environment(about, own), ...facts, SUPERTICK_HOOK: hook };
    const source = { job: this.job.name, run: about.number, hook };
    const output = needsPipe(this.log.form, {}, user) ? this.log.outputOf(source) : void 0;
    const gate = hook === "only-if" ? this.host.questions : this.host.hooks;
    const task = this.beginSideTask();
    const end = () => this.endSideTask(task);
    const onGone = () => {
      gate.leave();
      end();
    };
    const begin = () => {
      if (!this.sideTasks.includes(task)) return gate.leave();
      task.kill = startShell(text, limitSeconds, { user, env, input, output, onEnd, onGone });
    };
    gate.enter().then((isAdmitted) => isAdmitted ? this.host.turns.soon(begin) : end());
    return () => {
      var _a2;
      (_a2 = task.kill) == null ? void 0 : _a2.call(task);
      end();
    };
  }
  ping(run, what, body) {
    var _a, _b;
    const { ping: url } = ((_a = run.job) != null ? _a : this.job).options;
    if (url === void 0) return;
    if (((_b = this.pinger) == null ? void 0 : _b.url) !== url) this.pinger = { url, ...createPinger(url, this.log, this.host.pings) };
    const task = this.beginSideTask();
    this.pinger.ping(run, what, body, () => this.endSideTask(task));
  }
  beginSideTask() {
    const task = {};
    this.sideTasks = [...this.sideTasks, task];
    return task;
  }
  endSideTask(task) {
    this.sideTasks = this.sideTasks.filter((other) => other !== task);
    this.host.settleSoon();
  }
  killSideTasks() {
    for (const { kill } of this.sideTasks) kill == null ? void 0 : kill();
    this.sideTasks = NOTHING;
  }
  jobFact(decided) {
    var _a;
    const { name, schedule } = this.job;
    const delay = (_a = this.delay) != null ? _a : this.state.delay;
    this.isDescribed || (this.isDescribed = this.state.name === name && this.hasSameSchedule);
    if (this.isDescribed && this.state.delay === delay && decided === void 0) return void 0;
    this.isDescribed = true;
    return { type: "job", name, schedule: schedule.record, delay: delay || void 0, decided, at: Date.now() / 1e3 };
  }
  get hasSameSchedule() {
    return JSON.stringify(this.state.schedule) === JSON.stringify(this.job.schedule.record);
  }
  describe() {
    var _a, _b;
    const { last, periodSeconds } = this.host.ticks;
    const isChanged = this.state.schedule !== void 0 && !this.hasSameSchedule && isByClock(this.job.schedule);
    const named = Math.min((_a = this.state.decided) != null ? _a : 0, ((_b = last == null ? void 0 : last.whenSeconds) != null ? _b : 0) + periodSeconds);
    const fact = this.jobFact(isChanged && last ? Math.max(last.whenSeconds, named) : void 0);
    if (fact === void 0) return void 0;
    const decision = this.begin();
    decision.record(fact);
    return this.adopt(decision);
  }
  change(job) {
    var _a;
    this.job = job;
    this.isLeaving = this.isDescribed = false;
    this.delay = void 0;
    this.wakeAt = 0;
    (_a = this.cancelDelayed) == null ? void 0 : _a.call(this);
  }
  leave() {
    var _a;
    this.isLeaving = true;
    (_a = this.cancelDelayed) == null ? void 0 : _a.call(this);
  }
  fitTicks({ whenSeconds, periodSeconds }) {
    const { key, name, schedule } = this.job;
    for (const text of schedule.misfits(periodSeconds, whenSeconds)) this.log.line(text);
    const jitter = jitterOf(this.job);
    if (jitter === 0) return 0;
    const limit = longestDelay(schedule, whenSeconds, jitter);
    const { hostname } = require("os");
    const delay = stableDelay(`${hostname()} ${key === ONLY_JOB ? name : key}`, limit);
    this.log.line(`each run starts ${formatDuration(delay)} after its due time (--jitter)`);
    return delay;
  }
  onTick(tick, setBackSeconds) {
    var _a, _b;
    if (this.isLeaving) return void 0;
    (_a = this.cancelDelayed) == null ? void 0 : _a.call(this);
    (_b = this.delay) != null ? _b : this.delay = this.fitTicks(tick);
    const { schedule } = this.job;
    const decision = this.begin();
    const fact = this.jobFact(beginsAt(schedule, this.state, tick, setBackSeconds, this.delay));
    if (fact !== void 0) decision.record(fact);
    const isSetBack = Boolean(setBackSeconds);
    if (!isSetBack && schedule instanceof TickSchedule) this.dueByCount(schedule, tick, decision);
    else if (!isSetBack) this.dueBy(tick.whenSeconds - this.delay, tick, decision);
    this.adopt(decision);
    if (isByClock(schedule)) this.plan(tick, isSetBack);
    return decision.notes.length + decision.effects.length > 0 ? decision : void 0;
  }
  dueByCount(schedule, tick, decision) {
    var _a;
    const { count, undecided } = this.host.ticks;
    const { whenSeconds: due, serial } = tick;
    const { supervisorId: supervisor } = this.host;
    const { lastTick } = this.state;
    const isNamed = (lastTick == null ? void 0 : lastTick.serial) === serial && lastTick.due === due && ((_a = lastTick.supervisor) != null ? _a : supervisor) === supervisor;
    if (isNamed || !schedule.isReached(count, undecided)) return;
    decision.take({ type: "due", due, reason: "schedule", id: createId(), serial, supervisor });
  }
  dueBy(upTo, { serial, periodSeconds }, decision) {
    if (decision.isStillPaused()) return;
    const found = whatIsDue(this.job.schedule, decision.state, upTo, periodSeconds);
    if (found === void 0) return;
    const { due, is, count } = found;
    const { ticks } = this.host;
    const isTold = is !== "schedule" || count > 1 && ticks.pauseSeconds > periodSeconds;
    if (isTold) decision.effects.push({ do: "log", text: describeMissed(found, upTo, ticks) });
    if (is === "missed") return decision.record({ type: "missed", due, count, at: Date.now() / 1e3 });
    decision.take({ type: "due", due, reason: is, id: createId(), serial });
  }
  plan(tick, isSetBack) {
    var _a, _b;
    const delay = this.delay;
    const { whenSeconds, periodSeconds } = tick;
    const due = this.job.schedule.firstAfter(Math.max(this.state.decided, whenSeconds - delay));
    const wait = due + delay - whenSeconds;
    if (delay > 0 && wait < periodSeconds) this.cancelDelayed = startTimer(wait, () => this.onDelayOver(due, tick));
    const wakeAt = isSetBack ? 0 : whenSeconds + wait - (delay > 0 ? periodSeconds - 1 : 0);
    this.wakeAt = Math.min(wakeAt, (_b = (_a = this.state.paused) == null ? void 0 : _a.until) != null ? _b : wakeAt);
  }
  onDelayOver(due, tick) {
    if (this.host.isStopping) return;
    this.lookBack();
    const decision = this.begin();
    this.dueBy(due, tick, decision);
    this.commit(decision);
  }
  secondsToNextRun() {
    const { last, count, periodSeconds } = this.host.ticks;
    if (last === void 0 || periodSeconds === 0) return Number.POSITIVE_INFINITY;
    return nextRun(this.job.schedule, this.state, { ...last, count, periodSeconds }) - this.host.now;
  }
  onEvent(event, reason) {
    const { serial } = event;
    const { supervisorId: supervisor } = this.host;
    if (this.isLeaving) return void 0;
    const due = { ...dueNow(reason), serial, supervisor };
    return this.decide({ type: "due", ...due, event: reason === "event" ? event : void 0 });
  }
  loseEvents(lost) {
    const decision = this.begin();
    decision.skip({ ...dueNow("event"), lost }, `${lost} events never came`);
    return this.adopt(decision);
  }
  runNow(reason) {
    return this.isLeaving ? void 0 : this.decide({ type: "due", ...dueNow(reason) });
  }
  onRequest({ ask: ask2, id, seconds }) {
    this.wakeAt = 0;
    if (ask2 === "run") return this.decide({ type: "due", ...dueNow("remote"), id });
    return this.decide(ask2 === "pause" ? { type: "pause", id, seconds } : { type: "resume", id });
  }
  takeOver() {
    if (!this.hasLeftovers) return;
    this.hasLeftovers = false;
    this.state = { ...this.state, waiting: NOTHING, left: this.state.waiting };
    for (const run of [...this.state.runs].reverse()) this.takeOverRun(run);
    for (const due of this.state.left) this.takeOverDue(due);
  }
  takeOverRun(run) {
    const { number, attempt, id, pid, start = 0, phase } = run;
    const leader = phase === "backoff" ? void 0 : pid === void 0 ? findRun(id, attempt) : { pid, start };
    const isThere = leader !== void 0 && isAlive(leader);
    const hasRest = leader !== void 0 && phase === "ending" && hasGroup(leader, id, attempt);
    if (isThere || hasRest) {
      const what = phase === "ending" ? "is still being ended" : "is still going";
      this.log.line(`run ${number} of an earlier listener ${what} (pid ${leader.pid})`);
    }
    if (isThere) readOn(leader.pid, this.outputOf(this.job, number));
    const ageSeconds = isThere ? ageOf(leader) : 0;
    this.apply({ type: "found", run: number, leader, isAlive: isThere, hasGroup: hasRest, ageSeconds });
  }
  takeOverDue(due) {
    const isLost = due.reason === "event" || this.isLeaving;
    const end = isLost ? "is skipped" : "is due now";
    const text = `the run due ${formatTime(due.due)} (${due.reason}), which waited when the listener was killed, ${end}`;
    this.log.line(text);
    if (!isLost) return this.apply({ type: "due", ...due });
    const decision = this.begin();
    decision.skip(due, this.isLeaving ? "the job was removed" : DROP_REASONS.lost);
    this.commit(decision);
  }
};
function ownVariables({ user, command, options: { envFile } }) {
  const ofUser = {};
  if (user !== void 0) {
    const SHELL = typeof command === "string" || /\/(?:nologin|false)$/.test(user.shell) ? "/bin/sh" : user.shell;
    Object.assign(ofUser, { USER: user.name, LOGNAME: user.name, HOME: user.home, SHELL });
  }
  try {
    return envFile === void 0 ? ofUser : { ...ofUser, ...parseEnvFile(readEnvFile(envFile, user)) };
  } catch (error) {
    return new Error(`--job-env-file ${envFile}: ${describeError(error)}`);
  }
}
var MAX_ENV_FILE_BYTES = 1024 * 1024;
function readEnvFile(path, user) {
  return readWith(path, (fd) => {
    const { size, mode, uid, gid } = fs.fstatSync(fd);
    if (size > MAX_ENV_FILE_BYTES) throw codedError("it has over 1 MiB");
    const isOwn = user === void 0 || user.uid === process.geteuid();
    const [ofOwner, ofGroup] = [uid === (user == null ? void 0 : user.uid), gid === (user == null ? void 0 : user.gid)];
    const isReadable = (mode & (ofOwner ? 256 : ofGroup ? 32 : 4)) !== 0;
    if (!isOwn && !isReadable && !isRootsAlone(path)) throw codedError(`user ${user.name} may not read it`);
    return fs.readFileSync(fd, "utf8");
  });
}
function isRootsAlone(path) {
  if (fs.realpathSync(path) !== path) return false;
  const places = path.split("/").map((_, i, names) => names.slice(0, i + 1).join("/") || "/");
  return places.map((place) => fs.statSync(place)).every(({ uid, mode }) => uid === 0 && (mode & 18) === 0);
}
function parseEnvFile(text) {
  const lines = text.split(/\r?\n/).map((line) => /^\s*([A-Za-z_]\w*)=([^\0]*)$/.exec(line));
  return Object.fromEntries(lines.filter(isPresent).map(([, name, value]) => [name, value]));
}
function dueNow(reason) {
  return { due: Math.floor(Date.now() / 1e3), reason, id: createId() };
}
var randomHex = (digits) => Math.random().toString(16).slice(2).padEnd(digits, "0").slice(0, digits);
var ID_PREFIX = `${randomHex(8)}-${randomHex(4)}-4${randomHex(3)}-a${randomHex(3)}-`;
var ids = 0;
function createId() {
  return ID_PREFIX + (++ids).toString(16).padStart(12, "0");
}
function nextRun(schedule, { decided = 0, delay, paused }, { whenSeconds, periodSeconds, count }) {
  const { until = Infinity } = paused != null ? paused : { until: 0 };
  if (until === Infinity || schedule instanceof TickSchedule && until > whenSeconds) return Infinity;
  if (schedule instanceof TickSchedule) return whenSeconds + schedule.ticksToGo(count) * periodSeconds;
  const next = schedule.firstAfter(Math.max(decided, whenSeconds - delay, until)) + delay;
  return delay > 0 ? next : Math.ceil(next / periodSeconds) * periodSeconds;
}
function describeMissed({ due, is, count }, upTo, { pauseSeconds, periodSeconds }) {
  const why = pauseSeconds > periodSeconds ? `no tick came for ${formatDuration(pauseSeconds)}: ` : "";
  if (is === "schedule") {
    const missed = countWords(count < MOST_COUNTED ? count - 1 : count);
    return `${why}${missed} missed, made up for by the run due ${formatTime(due)}`;
  }
  const last = `the last at ${formatTime(due)}, ${formatDuration(upTo - due)} ago`;
  const end = is === "catch-up" ? "; made up for by one run" : ": longer than --catch-up, not made up for";
  return `${why}${countWords(count)} missed, ${last}${end}`;
}
function verdictOf(end, isLate) {
  if (end.exit === 0) return { verdict: "allowed" };
  if (end.exit === 1) return { verdict: "held" };
  return { verdict: isLate ? "timeout" : "error", error: howEnded(end) };
}
var MAX_TOKEN_BYTES = 2 ** 16;
var OWN_TOKENS = /^(job|run|due|id|attempt|reason|result|exit|signal|seconds|failures|hook|event|listener|payload|lost)$/i;
function payloadTokens(payload) {
  var _a;
  const tokens = {};
  let left = MAX_TOKEN_BYTES;
  for (const token of payload.split("\n", 1)[0].split(" ")) {
    const [, key, value] = (_a = /^([A-Za-z]\w*):([^\0]*)$/.exec(token)) != null ? _a : [];
    const bytes = Buffer.from(value != null ? value : "");
    if (key === void 0 || OWN_TOKENS.test(key) || key.length + bytes.length > left) continue;
    left -= key.length + bytes.length;
    tokens[`SUPERTICK_${key.toUpperCase()}`] = bytes.toString();
  }
  return tokens;
}
var SETTLE_SECONDS = 1;
var MAX_CRONTAB_BYTES = 1024 * 1024;
var CrontabSource = class {
  constructor(path, flags, environment, which, localZone = defaultZone) {
    this.path = path;
    this.flags = flags;
    this.environment = environment;
    this.which = which;
    this.localZone = localZone;
    this.isDirectory = false;
    this.problems = [];
    this.files = /* @__PURE__ */ new Map();
    this.listed = { stamp: "", paths: [this.path], passedOver: [] };
  }
  read(onlyChanged = false) {
    var _a, _b;
    this.list();
    const lookup = createLookup();
    const stamps = new Map(this.listed.paths.map((path) => [path, stampOf(path).text]));
    const isKept = (path, { stamp, crontab }) => onlyChanged && stamp === stamps.get(path) && crontab.mistakes.length === 0;
    const before = this.files;
    const files = new Map([...before].filter(([path, file]) => isKept(path, file)));
    const problems = [];
    const otherKeys = new Set([...files.values()].flatMap(({ jobs }) => jobs.map(({ key }) => key)));
    for (const [path, stamp] of stamps) {
      if (files.has(path)) continue;
      const crontab = this.readFile(path, lookup, otherKeys);
      const isRight = crontab.mistakes.length === 0;
      const jobs = isRight ? crontab.jobs : ((_b = (_a = before.get(path)) == null ? void 0 : _a.jobs) != null ? _b : []).filter(({ key }) => !otherKeys.has(key));
      files.set(path, { stamp, crontab, jobs });
      for (const { key } of jobs) otherKeys.add(key);
      const kept = `keeping the current jobs${this.isDirectory ? " of that file" : ""}`;
      if (!isRight) problems.push([firstOf(crontab.mistakes), jobs.length > 0 ? kept : "no job of that file runs"]);
    }
    this.files = new Map(this.listed.paths.map((path) => [path, files.get(path)]));
    return problems;
  }
  get jobs() {
    return toldApart([...this.files.values()].flatMap((file) => file.jobs));
  }
  get refused() {
    return [...this.files.values()].filter(({ crontab }) => crontab.mistakes.length > 0).length;
  }
  get mistakes() {
    return [...this.files.values()].flatMap(({ crontab }) => crontab.mistakes);
  }
  get warnings() {
    return [...this.files.values()].flatMap(({ crontab }) => crontab.warnings);
  }
  get isUnread() {
    return !this.isDirectory && [...this.files.values()].some(({ crontab }) => crontab.isUnread);
  }
  get doubts() {
    return [...this.files.values()].flatMap(({ crontab }) => {
      var _a;
      return (_a = crontab.doubts) != null ? _a : [];
    });
  }
  get parsedJobs() {
    return toldApart([...this.files.values()].flatMap(({ crontab }) => crontab.jobs));
  }
  describe() {
    const { isDirectory, path, listed: listed2 } = this;
    const columns = [...this.files].flatMap(([file, { crontab }]) => {
      const { userColumn } = crontab;
      const what = userColumn === void 0 ? "no column of users" : `a column of users (${userColumn})`;
      return isDirectory ? [`${baseName(file)}: ${what}`] : userColumn === void 0 ? [] : [what];
    });
    if (isDirectory && columns.length === 0) columns.push("no crontab is in it");
    if (listed2.passedOver.length > 0) columns.push(`passed over, as by cron: ${listed2.passedOver.join(", ")}`);
    return columns.length === 0 ? "" : `${path}: ${columns.join("; ")}`;
  }
  look() {
    var _a;
    this.list();
    let found = this.files.size === this.listed.paths.length ? "same" : "changed";
    for (const path of this.listed.paths) {
      const { text, changedSeconds } = stampOf(path);
      if (text === ((_a = this.files.get(path)) == null ? void 0 : _a.stamp)) continue;
      if (Math.abs(Date.now() / 1e3 - changedSeconds) < SETTLE_SECONDS) return "changing";
      found = "changed";
    }
    return found;
  }
  list() {
    const { text: stamp, isDirectory } = stampOf(this.path);
    if (!isDirectory || stamp === this.listed.stamp) return;
    this.isDirectory = true;
    const names = namesIn(this.path).filter((name) => !stampOf(`${this.path}/${name}`).isDirectory);
    const isRead = (name) => /^[\w-]+$/.test(name);
    const paths = names.filter(isRead).map((name) => `${this.path.replace(/\/+$/, "")}/${name}`);
    this.listed = { stamp, paths, passedOver: names.filter((name) => !isRead(name)) };
  }
  readFile(path, lookup, otherKeys) {
    const { flags, environment, localZone } = this;
    let zone;
    const isSpool = /\/(?:crontabs|tabs)\/[^/]*$/.test(path);
    const context = {
      ...{ path, flags, environment, otherKeys, ...lookup, readSecret, owner: isSpool ? baseName(path) : void 0 },
      defaultZone() {
        zone != null ? zone : zone = localZone();
        return zone;
      }
    };
    try {
      return readWith(path, (fd) => {
        const { size, mode, uid } = fs.fstatSync(fd);
        if (size > MAX_CRONTAB_BYTES) throw codedError("it has over 1 MiB");
        const crontab = parseCrontab(textOfLines(fs.readFileSync(fd)), context, this.which);
        return withOwner(crontab, path, mode, uid);
      });
    } catch (error) {
      const why = error instanceof UsageError ? error.message : `cannot read the crontab ${path}: ${describeError(error)}`;
      return { jobs: [], mistakes: [why], warnings: [], isUnread: true };
    }
  }
};
function withOwner(crontab, path, mode, uid) {
  if (crontab.userColumn === void 0 && !isSystemCrontab(path)) return crontab;
  const mistakes = [...crontab.mistakes];
  if ((mode & 2) !== 0) mistakes.push(`${path}: everybody may write to it, and say who runs what: chmod o-w`);
  const doubts2 = [];
  if (uid !== 0) doubts2.push(`it belongs to user ${uid}, not to root`);
  if ((mode & 16) !== 0) doubts2.push("its group may write to it");
  const warnings = doubts2.map((doubt) => `${path}: ${doubt}, and it says who runs what`);
  return { ...crontab, mistakes, warnings: [...warnings, ...crontab.warnings], doubts: warnings };
}
function stampOf(path) {
  try {
    const stats = fs.statSync(path);
    const { dev, ino, size, mtimeMs, ctimeMs } = stats;
    const changedSeconds = Math.max(mtimeMs, ctimeMs) / 1e3;
    return { text: [dev, ino, size, mtimeMs, ctimeMs].join(" "), changedSeconds, isDirectory: stats.isDirectory() };
  } catch (error) {
    return { text: errorCode(error), changedSeconds: 0, isDirectory: false };
  }
}
function describeRefused(files) {
  return `${countOf(files, "crontab file")} with mistakes`;
}
function firstOf([first, ...more]) {
  return first + (more.length === 0 ? "" : ` (mistakes in other lines: ${more.length})`);
}
function readSecret(path) {
  return readWith(path, (fd) => fs.readFileSync(fd, "utf8"));
}
function createLookup() {
  const users = readUsers();
  const known = /* @__PURE__ */ new Map();
  let knownPath = "";
  return {
    users: { has: (name) => users.has(name), get: (name) => userNamed(name, users) },
    isCommand(word, path = ((_a) => (_a = process.env.PATH) != null ? _a : "")()) {
      var _a2;
      if (path !== knownPath) known.clear();
      knownPath = path;
      const isThere = (_a2 = known.get(word)) != null ? _a2 : placesOf(word, path).some(isProgram);
      known.set(word, isThere);
      return isThere;
    }
  };
}
var Roster = class {
  constructor(jobs, host, found) {
    this.host = host;
    const runners = jobs.map((job) => {
      var _a;
      return new JobRunner(job, host, (_a = found.get(job.key)) != null ? _a : FRESH_STATE);
    });
    const keys = new Set(jobs.map(({ key }) => key));
    const gone = [...found].filter(([key]) => !keys.has(key));
    this.runners = [...runners, ...gone.map(([key, state]) => this.leftover(key, state))];
  }
  leftover(key, state) {
    var _a;
    const settings = valuesOf([], "crontab");
    const job = { ...jobOf((_a = state.name) != null ? _a : key, [], new EventSchedule([]), settings), key };
    const runner = new JobRunner(job, this.host, state);
    runner.leave();
    return runner;
  }
  countJobs() {
    return countOf(this.runners.filter(({ isLeaving }) => !isLeaving).length, "job");
  }
  change(jobs) {
    const before = new Map(this.runners.map((runner) => [runner.job.key, runner]));
    const isSame = createComparison();
    let [added, changed] = [0, 0];
    const runners = jobs.map((job) => {
      const runner = before.get(job.key);
      before.delete(job.key);
      if (runner === void 0) {
        added++;
        return new JobRunner(job, this.host, FRESH_STATE);
      }
      if (isSame(runner.job, job) && !runner.isLeaving) return runner;
      changed++;
      runner.change(job);
      return runner;
    });
    const gone = [...before.values()];
    const removed = gone.filter(({ isLeaving }) => !isLeaving).length;
    for (const runner of gone) runner.leave();
    this.runners = [...runners, ...gone];
    return `${added} new, ${changed} changed, ${removed} removed`;
  }
  *describe() {
    for (let i = 0; i < this.runners.length; i += LINES_A_WRITE)
      yield outcomesOf(
        this.runners.slice(i, i + LINES_A_WRITE),
        (runner) => runner.isLeaving ? void 0 : runner.describe()
      );
  }
  dismissDone() {
    const isGone = (runner) => runner.isLeaving && runner.isDone;
    const gone = this.runners.filter(isGone);
    if (gone.length > 0) this.runners = this.runners.filter((runner) => !isGone(runner));
    return gone.map(({ job }) => job.key);
  }
};
function createComparison() {
  const { isDeepStrictEqual } = require("util");
  const last = /* @__PURE__ */ new Map();
  const isCommon = (part, a, b) => {
    var _a;
    const [lastA, lastB, wasAlike] = (_a = last.get(part)) != null ? _a : [];
    const isAlike = lastA === a && lastB === b ? wasAlike : isDeepStrictEqual(a, b);
    last.set(part, [a, b, isAlike]);
    return isAlike;
  };
  const own = ({ name, schedule, command, input, user }) => JSON.stringify([schedule.record, schedule.catchUpSeconds, name, command, input, user]);
  return (a, b) => own(a) === own(b) && isCommon("options", a.options, b.options) && isCommon("env", a.env, b.env);
}
var IF_FORGOTTEN = "restart supervisord: it forgets a listener when another of the same priority= is removed";
var AMBIGUOUS_PAYLOAD_MS = 100;
var LATE_SECONDS = 5;
var LOST_EVENTS = `events of our pool never came: supervisord keeps the last buffer_size=, ${USUAL_BUFFER} by default, and drops older ones; write buffer_size=${EVENT_BUFFER} in the section`;
var WATCHDOG_PERIODS = 3;
var WATCHDOG_SECOND_LOOK_SECONDS = 1;
var LAST_SIDE_TASKS_SECONDS = 1;
var SLICE_SECONDS = 0.02;
var MAX_YOUNG_SECONDS = 60;
var Listener = class {
  constructor(jobs, settings, crontab, statePath, counter, log) {
    this.settings = settings;
    this.crontab = crontab;
    this.statePath = statePath;
    this.counter = counter;
    this.log = log;
    this.self = identityOf(process.pid);
    this.turns = new Turns(this.settings.maxRunning);
    this.pings = new Gate("pings", this.log);
    this.hooks = new Gate("hooks", this.log);
    this.questions = new Gate("questions", this.log, Number.POSITIVE_INFINITY);
    this.isStopping = false;
    this.supervisor = identityOf(process.ppid);
    this.reader = new EventReader();
    this.isWaitingForLate = false;
    this.warnings = /* @__PURE__ */ new Set();
    this.silence = createProblemReport(this.log);
    this.hasSeenEvent = false;
    this.isLookingAgain = false;
    this.isSettling = false;
    this.isWaitingForSideTasks = false;
    this.stopSignals = 0;
    this.stopDeadlineSeconds = Number.POSITIVE_INFINITY;
    this.exitStatus = 0;
    this.stopExpectingTicks = () => {
    };
    var _a;
    const { TICK_PING: _, SUPERTICK_HOOK: __, ...env } = process.env;
    this.env = env;
    const { pid, start } = this.supervisor;
    this.supervisorId = start === 0 ? void 0 : hash32(`${pid}:${start}:${machineId()}`).toString(36);
    const { count, undecided = 0, tick, serials, poolSerial, supervisor, machine = machineId() } = counter.found;
    const isSame = start > 0 && (supervisor == null ? void 0 : supervisor.pid) === pid && supervisor.start === start && machine === machineId();
    this.counted = isSame ? serials : new SerialSet();
    const isYoung = start > 0 && ageOf(this.supervisor) < MAX_YOUNG_SECONDS;
    this.gaps = new PoolGaps(isSame ? poolSerial : isYoung ? 0 : void 0);
    const last = tick && { serial: -1, ...tick, isForeign: !isSame || tick.serial === void 0 };
    this.ticks = { last, count, undecided, periodSeconds: 0, pauseSeconds: 0, lastSeconds: 0 };
    this.tickType = settings.tick;
    const states = () => [
      [LISTENER, this.yieldedBefore],
      ...this.runners.map(({ job, known }) => [job.key, known])
    ];
    this.journal = new Journal(statePath && `${statePath}.runs`, log, states);
    this.yieldedBefore = (_a = this.journal.found.get(LISTENER)) != null ? _a : FRESH_STATE;
    const { found, moved } = takeOver01(this.journal.found, jobs, counter.found);
    found.delete(LISTENER);
    this.roster = new Roster(jobs, this, found);
    for (const { state } of this.runners) this.turns.take(slotsOf(state));
    this.claimFiles();
    this.journal.append(moved);
    this.countNamed(found);
  }
  countNamed(states) {
    for (const { lastEvent } of states.values()) {
      const { serial = 0, supervisor } = lastEvent != null ? lastEvent : {};
      if (supervisor === void 0 || supervisor !== this.supervisorId || this.counted.has(serial)) continue;
      this.counted.add(serial);
      this.writeCounter();
    }
  }
  claimFiles() {
    const { yielded } = this.yieldedBefore;
    const isAgain = (yielded == null ? void 0 : yielded.supervisor) === this.supervisorName;
    const isJustNow = isAgain && Date.now() / 1e3 - yielded.at < MIN_MARK_SECONDS;
    const { found, foundRival } = this.counter;
    const before = isJustNow ? rivalOf(found) : isAgain ? foundRival : void 0;
    const rival = before != null ? before : this.counter.findTaker();
    if (rival !== void 0) refuseToStart(inUseBy(this.statePath, rival), this.log);
    if (foundRival == null ? void 0 : foundRival.isElsewhere)
      this.log.line(`took ${this.statePath} over from ${rivalName(foundRival)}: if that still lives, it ends its runs`);
    this.writeCounter();
    if (!isAgain) return;
    this.journal.append([[LISTENER, { type: "removed", at: Date.now() / 1e3 }]]);
    this.yieldedBefore = FRESH_STATE;
  }
  get now() {
    const { last, periodSeconds, lastSeconds } = this.ticks;
    if (last === void 0 || periodSeconds === 0) return Date.now() / 1e3;
    return last.whenSeconds + monotonicSeconds() - lastSeconds;
  }
  get supervisorName() {
    var _a;
    return (_a = this.supervisorId) != null ? _a : machineId();
  }
  get runners() {
    return this.roster.runners;
  }
  get onlyJob() {
    return this.crontab === void 0 ? this.runners[0].job : void 0;
  }
  start() {
    this.input = openInput(
      (bytes) => this.onBytes(bytes),
      () => this.onInputEnd()
    );
    this.logBeginning();
    this.describeJobs();
    this.takeOver(this.runners);
    this.runNow("start", ({ job }) => isRunOnStart(job));
    this.takeRequests();
    this.dismissDone();
    if (this.isTicking) this.expectTicks();
  }
  takeOver(runners) {
    const end = monotonicSeconds() + SLICE_SECONDS;
    const later = runners.findIndex((runner) => {
      runner.lookBack();
      return monotonicSeconds() > end;
    });
    if (later >= 0) setImmediate(() => this.takeOver(runners.slice(later + 1)));
  }
  describePlace() {
    const { statePath } = this;
    if (statePath === void 0) return "memory only";
    return this.counter.isInMemory ? `memory only, runs in ${statePath}.runs` : statePath;
  }
  logBeginning() {
    var _a, _b, _c, _d;
    const { crontab, onlyJob } = this;
    const what = (_a = onlyJob == null ? void 0 : onlyJob.schedule.describe()) != null ? _a : `${this.roster.countJobs()} of ${crontab.path}`;
    const tick = this.isTicking ? ` on ${(_b = this.tickType) != null ? _b : "the first type of tick seen"}` : "";
    const count = (onlyJob == null ? void 0 : onlyJob.schedule.kind) === "ticks" ? `; count ${this.ticks.count}` : "";
    const columns = (_c = crontab == null ? void 0 : crontab.describe()) != null ? _c : "";
    if (columns !== "") this.log.line(columns);
    for (const doubt of (_d = crontab == null ? void 0 : crontab.doubts) != null ? _d : []) this.log.line(doubt);
    this.log.line(`${what}${tick}${count}; state in ${this.describePlace()}`);
    const doubts2 = this.runners.map(({ job }) => outputDoubt(this.log.form, job.options)).filter(isPresent);
    if (doubts2.length > 0) this.log.line(doubts2[0]);
    for (const { log, state } of this.runners) if (state.paused !== void 0) log.line(describePause(state.paused));
  }
  onSignal(signal) {
    if (signal === "SIGHUP")
      this.reload(false);
    else if (signal === "SIGURG") this.takeRequests();
    else if (signal === "SIGUSR1") this.log.line("SIGUSR1 does nothing; SIGUSR2 runs every job now");
    else if (signal !== "SIGUSR2") this.onStopSignal(signal);
    else this.runNow("signal", () => true);
  }
  runNow(reason, isMeant) {
    this.commit(outcomesOf(this.runners.filter(isMeant), (runner) => runner.runNow(reason)));
  }
  takeRequests() {
    if (this.isStopping || this.statePath === void 0) return;
    for (const id of requestsBeside(this.statePath)) this.takeRequest(this.statePath, id);
  }
  takeRequest(statePath, id) {
    const ignore = (why) => this.warnOnce(id, `${requestFile(statePath, id)}: ${why}; nothing is done for it`);
    let request;
    try {
      request = takeRequest(statePath, id);
    } catch (error) {
      if (errorCode(error) !== "ENOENT") ignore(errorCode(error));
      return;
    }
    const runners = this.runners.filter(({ job, isLeaving }) => job.key === request.job && !isLeaving);
    if (runners.length === 0) ignore("its job is not here any more");
    this.commit(outcomesOf(runners, (runner) => runner.onRequest(request)));
  }
  commit(outcomes, isEvent = false) {
    const facts = outcomes.flatMap(
      ({ runner, decision }) => decision.notes.map(({ fact }) => [runner.job.key, fact])
    );
    const { isStopping } = this;
    if ((isEvent || facts.length > 0) && this.isTaken() && !isStopping) return;
    if (isEvent && this.isStopping) return;
    this.journal.append(facts);
    if (isEvent) this.writeCounter();
    if (isEvent) this.answer();
    for (const { runner, decision } of outcomes) runner.perform(decision);
  }
  isTaken() {
    const taker = this.counter.findTaker();
    if (taker === void 0) return false;
    this.journal.yield(this.supervisorName);
    this.fail(inUseBy(this.statePath, taker));
    return true;
  }
  lookAtCrontab() {
    var _a;
    const look = (_a = this.crontab) == null ? void 0 : _a.look();
    if (look === "changed") this.reload(true);
    if (look !== "changing" || this.isLookingAgain) return;
    this.isLookingAgain = true;
    startTimer(SETTLE_SECONDS, () => {
      this.isLookingAgain = false;
      this.lookAtCrontab();
    });
  }
  reload(onlyChanged) {
    const { crontab } = this;
    if (crontab === void 0 || this.isStopping) return;
    for (const [mistakes, sequel] of crontab.read(onlyChanged)) this.log.error(`${mistakes}; ${sequel}`);
    const changes = this.roster.change(crontab.jobs);
    this.describeJobs();
    this.dismissDone();
    const refused = crontab.refused === 0 ? "" : `; ${describeRefused(crontab.refused)}`;
    this.log.line(`${this.roster.countJobs()} of ${crontab.path}: ${changes}${refused}`);
  }
  describeJobs() {
    for (const decided of this.roster.describe()) this.commit(decided);
  }
  dismissDone() {
    if (this.crontab !== void 0 && this.crontab.refused > 0) return;
    const at = Date.now() / 1e3;
    this.journal.append(this.roster.dismissDone().map((key) => [key, { type: "removed", at }]));
  }
  onStopSignal(signal) {
    this.stopSignals++;
    if (!this.isStopping || this.stopSignals > 1) this.stop(signal, "drain");
  }
  onBytes(bytes) {
    try {
      const event = this.reader.push(bytes);
      if (event !== void 0) this.onEvent(event);
      else if (this.reader.isAmbiguous) this.settlePayload();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.fail(`got ${error.message} from supervisord; exiting so that it starts a fresh listener`);
    }
  }
  settlePayload() {
    const bytes = this.input.bytesRead();
    setTimeout(() => {
      if (this.reader.isAmbiguous && this.input.bytesRead() === bytes) this.onEvent(this.reader.settle());
    }, AMBIGUOUS_PAYLOAD_MS);
  }
  onEvent(event) {
    if (this.isStopping) return;
    const mistake = this.hasSeenEvent ? void 0 : poolMistake();
    this.hasSeenEvent = true;
    if (mistake !== void 0) return this.fail(mistake, 2);
    this.takeNumber(event);
    if (event.isDropped) this.log.line(`the payload of ${event.name}, serial ${event.serial}, is over 1 MiB: dropped`);
    if (TICK_PERIODS[event.name] !== void 0) return this.onTick(event);
    const asked = askedName(event);
    const isAsked = ({ job }) => asked === "" || asked === job.name;
    const meant = this.runners.filter((runner) => isAsked(runner) || isListenedTo(runner.job.schedule, event.name));
    if (meant.length === 0) return this.passOver(asked);
    if (this.counted.has(event.serial)) return this.ignoreCounted(event.serial);
    this.counted.add(event.serial);
    const reason = (runner) => isAsked(runner) ? "remote" : "event";
    this.commit(
      outcomesOf(meant, (runner) => runner.onEvent(event, reason(runner))),
      true
    );
  }
  passOver(asked) {
    if (asked !== void 0) {
      const names = this.runners.map(({ job }) => job.name);
      this.log.error(`asked to run ${quote(asked)}, but no job has that name${suggestion(asked, names)}`);
    }
    this.commit([], true);
  }
  takeNumber({ poolSerial }) {
    if (poolSerial !== void 0) this.gaps.add(poolSerial);
    if (this.isWaitingForLate || !this.gaps.isOpen) return;
    this.isWaitingForLate = true;
    this.waitForLate();
  }
  waitForLate() {
    startTimer(LATE_SECONDS, () => {
      const lost = this.isStopping ? 0 : this.gaps.look();
      if (lost > 0) this.reportLost(lost);
      this.isWaitingForLate = this.gaps.isOpen && !this.isStopping;
      if (this.isWaitingForLate) this.waitForLate();
    });
  }
  reportLost(lost) {
    const meant = this.runners.filter(({ job, isLeaving }) => job.schedule.kind === "events" && !isLeaving);
    if (meant.length === 0) return this.log.line(`events that supervisord did not keep for us: ${lost}`);
    this.log.error(`${lost} ${LOST_EVENTS}`);
    this.commit(outcomesOf(meant, (runner) => runner.loseEvents(lost)));
  }
  ignoreCounted(serial) {
    if (this.settings.verbose) this.log.line(`event serial ${serial} was counted before; answered and ignored`);
    this.commit([], true);
  }
  onTick(event) {
    var _a;
    if (this.tickType === void 0 && !this.isTicking) return this.commit([], true);
    const tick = parseTick(event);
    this.tickType = (_a = this.tickType) != null ? _a : event.name;
    if (tick === void 0) this.warnOnce("no time", `${event.name} has no time but ${quote(event.payload)}; ignored`);
    else if (event.name === this.tickType) return this.onCountedType(tick);
    else this.warnOnce("other tick", this.otherTickWarning(event.name));
    this.commit([], true);
  }
  get isTicking() {
    return this.crontab !== void 0 || this.runners.some(({ job }) => job.schedule.kind !== "events");
  }
  otherTickWarning(type) {
    const remedy = `write events=${this.tickType} and --tick ${this.tickType}, or ${type} in both places`;
    return `got a ${type}, but ${this.tickType} is what counts here; other types are ignored: ${remedy}`;
  }
  onCountedType(tick) {
    const { ticks } = this;
    if (ticks.periodSeconds === 0) this.beginTicking(tick);
    this.lookAtCrontab();
    if (this.journal.isBehindFacts && this.isTaken()) return;
    this.journal.flush();
    const counted = countTick(ticks.last, this.counted, tick);
    if (counted === void 0) return this.ignoreCounted(tick.serial);
    this.counted.add(tick.serial);
    ticks.lastSeconds = monotonicSeconds();
    ticks.count++;
    const { isLate, setBackSeconds } = counted;
    const { whenSeconds, serial } = tick;
    const before = ticks.last;
    if (!isLate) {
      ticks.pauseSeconds = before === void 0 ? 0 : whenSeconds - before.whenSeconds;
      ticks.last = { whenSeconds, serial };
    }
    if (setBackSeconds > 0)
      this.log.line(`the clock was set back by ${setBackSeconds}s; going on from ${formatTime(whenSeconds)}`);
    this.logTick(tick);
    const decided = isLate ? [] : this.decideTick(tick, before === void 0 ? void 0 : setBackSeconds);
    this.updateCount(isLate || setBackSeconds > 0);
    this.commit(decided, true);
  }
  decideTick(tick, setBackSeconds) {
    const isAwake = ({ wakeAt }) => wakeAt <= tick.whenSeconds || Boolean(setBackSeconds);
    return outcomesOf(this.runners.filter(isAwake), (runner) => runner.onTick(tick, setBackSeconds));
  }
  updateCount(isUndecided) {
    const { ticks, onlyJob } = this;
    const schedule = onlyJob == null ? void 0 : onlyJob.schedule;
    if (isUndecided) ticks.undecided++;
    else {
      if (schedule instanceof TickSchedule) ticks.count = schedule.countAfter(ticks.count);
      ticks.undecided = 0;
    }
  }
  beginTicking({ periodSeconds }) {
    this.stopExpectingTicks();
    this.ticks.periodSeconds = periodSeconds;
    this.ticks.lastSeconds = monotonicSeconds();
    this.watch(WATCHDOG_PERIODS * periodSeconds, false);
  }
  logTick(tick) {
    var _a;
    if (!this.settings.verbose) return;
    const schedule = (_a = this.onlyJob) == null ? void 0 : _a.schedule;
    const goal = schedule instanceof TickSchedule ? ` of ${schedule.every}` : void 0;
    const count = schedule === void 0 || goal !== void 0 ? `: count ${this.ticks.count}${goal != null ? goal : ""}` : "";
    this.log.line(`tick ${tick.whenSeconds} (${this.tickType})${count}`);
  }
  answer() {
    try {
      writeFully(1, ANSWER);
    } catch (error) {
      this.stop(`supervisord does not read any more (${errorCode(error)})`);
    }
  }
  get isByHand() {
    return !this.hasSeenEvent && process.env.SUPERVISOR_ENABLED === void 0;
  }
  onInputEnd() {
    if (!this.isByHand) return this.stop("supervisord closed our stdin");
    this.log.line(noSupervisord("supertick simulate --ticks 5 --for 15m -- echo hello".split(" ")));
    this.exitStatus = 2;
    this.stop("stdin ended");
  }
  writeCounter(isAtWork = true) {
    var _a, _b;
    const { count, undecided, last, periodSeconds: known } = this.ticks;
    const tick = (last == null ? void 0 : last.isForeign) ? { whenSeconds: last.whenSeconds } : last;
    const { counted: serials, self } = this;
    const refused = (_a = this.crontab) == null ? void 0 : _a.refused;
    const listener = isAtWork ? self : void 0;
    const supervisor = isAtWork || !this.isByHand ? this.supervisor : void 0;
    const { highest: poolSerial } = this.gaps;
    const periodSeconds = known || TICK_PERIODS[(_b = this.tickType) != null ? _b : ""] || this.counter.found.periodSeconds;
    const machine = machineId();
    const who = { supervisor, listener, machine };
    this.counter.write({ count, undecided, tick, periodSeconds, serials, poolSerial, refused, ...who });
  }
  warnOnce(kind, text) {
    if (!this.warnings.has(kind)) this.log.line(text);
    this.warnings.add(kind);
  }
  expectTicks() {
    var _a;
    const type = (_a = this.tickType) != null ? _a : USUAL_TICK;
    const seconds = WATCHDOG_PERIODS * TICK_PERIODS[type];
    const warn = () => {
      var _a2;
      const remedy = `is this an [eventlistener:x] section with events=${type}? If so, ${IF_FORGOTTEN}`;
      this.log.line(`no ${(_a2 = this.tickType) != null ? _a2 : "tick"} has come in ${formatDuration(seconds)}: ${remedy}`);
    };
    this.stopExpectingTicks = startTimer(seconds, () => {
      this.stopExpectingTicks = startTimer(WATCHDOG_SECOND_LOOK_SECONDS, warn);
    });
  }
  watch(seconds, isSecondLook) {
    startTimer(seconds, () => {
      const { periodSeconds, lastSeconds } = this.ticks;
      if (this.isStopping) return;
      const silentSeconds = monotonicSeconds() - lastSeconds;
      const leftSeconds = WATCHDOG_PERIODS * periodSeconds - silentSeconds;
      if (leftSeconds > 0) {
        this.silence.clear();
        return this.watch(leftSeconds, false);
      }
      if (!isSecondLook) return this.watch(WATCHDOG_SECOND_LOOK_SECONDS, true);
      const remedy = `exiting so that supervisord starts a fresh listener; if none comes then, ${IF_FORGOTTEN}`;
      const silence = `no ${this.tickType} for ${Math.round(silentSeconds)}s`;
      if (!this.runners.some(({ isBusy }) => isBusy)) return this.fail(`${silence}; ${remedy}`);
      this.silence.report("silence", `${silence} while a run is going on; when that ends: ${remedy}`);
      this.watch(periodSeconds, false);
    });
  }
  fail(why, exitStatus = 1) {
    this.log.error(why);
    if (this.isStopping) return;
    this.exitStatus = exitStatus;
    this.stop();
  }
  stop(why, first = "end") {
    if (why !== void 0 && this.exitStatus === 0) this.log.line(`${why}: stopping`);
    const how = !this.isStopping ? first : this.isAnyGoingOn ? "end" : "kill";
    const seconds = Math.max(0, ...this.runners.map(({ job, state }) => longestStop(job, state, how)));
    this.stopDeadlineSeconds = how === "kill" ? 0 : monotonicSeconds() + seconds;
    this.isStopping = true;
    for (const runner of this.runners) runner.apply({ type: "stop", how });
    if (!this.isAnyGoingOn) this.input.pause();
    this.settle();
  }
  get isAnyGoingOn() {
    return this.runners.some(({ state }) => state.runs.some(isGoingOn));
  }
  settleSoon() {
    if (!this.isSettling) setImmediate(() => this.settle());
    this.isSettling = true;
  }
  settle() {
    this.isSettling = false;
    if (!this.isStopping) return this.dismissDone();
    if (this.runners.some(({ isBusy }) => isBusy)) return;
    if (this.stopDeadlineSeconds === 0) for (const runner of this.runners) runner.killSideTasks();
    if (!this.runners.some(({ hasSideTasks }) => hasSideTasks)) return this.exit();
    if (this.isWaitingForSideTasks) return;
    this.isWaitingForSideTasks = true;
    const seconds = Math.max(LAST_SIDE_TASKS_SECONDS, this.stopDeadlineSeconds - monotonicSeconds());
    startTimer(seconds, () => {
      this.stopDeadlineSeconds = 0;
      this.settle();
    });
  }
  exit() {
    if (this.gaps.isOpen) this.log.line(`events that have not come before the end: ${this.gaps.missing}`);
    if (!this.isTaken()) {
      this.journal.flush();
      this.writeCounter(false);
    }
    this.log.flush();
    process.exit(this.exitStatus);
  }
};
function takeOver01(journal, jobs, counter) {
  var _a;
  const found = new Map(journal);
  const moved = [];
  const at = Date.now() / 1e3;
  const old = new Map([...journal].filter(([, { id01 }]) => id01 !== void 0));
  for (const job of old.size === 0 ? [] : jobs) {
    const id = idOf01(job);
    const names = [...old.keys()];
    const isOnly = job.key === ONLY_JOB && old.size === 1;
    const key = (_a = names.find((name) => old.get(name).id01 === id)) != null ? _a : names.find((name) => isOnly || name === job.name);
    if (key === void 0 || found.has(job.key) && key !== job.key) continue;
    const state = decidedAs01(old.get(key), job.schedule, counter);
    old.delete(key);
    found.delete(key);
    found.set(job.key, state);
    const facts = [{ type: "removed", at }, ...factsOf(state, at)];
    moved.push(...facts.map((fact) => [job.key, fact]));
    if (key !== job.key) moved.push([key, { type: "removed", at }]);
  }
  return { found, moved };
}
function decidedAs01(state, { isFixed }, { decided01, tick, periodSeconds = 60 }) {
  const { decided: named = 0, delay } = state;
  if (decided01 === void 0) return state;
  const decided = (isFixed ? decided01.fixed : decided01.all) - (delay - delay % periodSeconds);
  return { ...state, decided: tick !== void 0 && named <= tick.whenSeconds ? Math.max(decided, named) : decided };
}
function outcomesOf(runners, decide2) {
  for (const runner of runners) runner.lookBack();
  const decided = [];
  for (const runner of runners) {
    const decision = decide2(runner);
    if (decision !== void 0) decided.push({ runner, decision });
  }
  return decided;
}
function longestStop({ options }, { runs }, how) {
  const policies = runs.map(({ job }) => {
    var _a;
    return ((_a = job == null ? void 0 : job.options) != null ? _a : options).policy;
  });
  const times = policies.map((policy) => policy.killAfterSeconds + (how === "drain" ? policy.drainSeconds : 0));
  return Math.max(options.policy.killAfterSeconds, ...times);
}
function noSupervisord(trial) {
  const words = trial.map((word) => /^[\w%+=:@,./-]+$/.test(word) ? word : `'${word.replace(/'/g, "'\\''")}'`);
  return `supervisord must start this, as an [eventlistener:x] program; to try it here: ${words.join(" ")}`;
}
function askedName({ name, payload }) {
  if (name !== "REMOTE_COMMUNICATION") return void 0;
  const { type, data } = parseRemoteCommunication(payload);
  return type === "supertick" ? data.trim() : void 0;
}
function isListenedTo(schedule, eventName) {
  return schedule instanceof EventSchedule && isAmong(schedule.names, eventName);
}
function readInvocation({ layer: flags, command }, env = process.env) {
  const environment = parseEnvironment(env, readSecret);
  try {
    return { flags, environment, settings: resolveSettings([flags, environment.layer]), command };
  } catch (error) {
    const isNowhere = error instanceof UsageError && error.origin === void 0;
    throw isNowhere ? new UsageError([error.message, ...environment.warnings].join("; ")) : error;
  }
}
function startListener(args, scopes) {
  var _a, _b, _c, _d, _e, _f;
  const invocation = readInvocation(parseCommandLine(args, scopes));
  const { settings, environment, command } = invocation;
  checkCommand(invocation);
  checkDescriptors(args);
  const allLog = createLog(settings.log);
  const mistake = poolMistake(allLog);
  if (mistake !== void 0) throw new UsageError(mistake);
  const name = (_c = (_a = settings.name) != null ? _a : process.env.SUPERVISOR_PROCESS_NAME) != null ? _c : baseName((_b = settings.crontab) != null ? _b : command[0]) || "job";
  const log = settings.crontab === void 0 ? allLog.ofJob(name) : allLog;
  for (const warning of environment.warnings) log.line(warning);
  const crontab = crontabSource(invocation);
  const jobs = (_d = crontab == null ? void 0 : crontab.jobs) != null ? _d : [onlyJobOf(name, invocation)];
  for (const [mistakes, sequel] of (_e = crontab == null ? void 0 : crontab.problems) != null ? _e : []) log.error(`${mistakes}; ${sequel}`);
  for (const doubt of zoneDoubts(jobs.map(({ schedule }) => schedule))) log.line(doubt);
  const statePath = (_f = settings.state) != null ? _f : tryDefaultStatePath(name, log);
  whenRivalIsGone(statePath, settings.killAfter + RIVAL_PATIENCE_SECONDS, log, (counter) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGURG"])
      process.on(signal, () => listener.onSignal(signal));
    const listener = new Listener(jobs, settings, crontab, statePath, counter, log);
    sayReady(log);
    listener.start();
  });
}
function crontabSource({ settings, flags, environment }) {
  const { crontab: path, userColumn } = settings;
  if (path === void 0) return void 0;
  const source = new CrontabSource(path, flags, environment.layer, userColumn);
  source.problems = source.read();
  if (source.problems.length > 0 && !source.isDirectory) throw new UsageError(source.problems[0][0]);
  return source;
}
function onlyJobOf(name, { settings, command }) {
  const user = settings.user === void 0 ? void 0 : userNamed(settings.user);
  return jobOf(name, command, scheduleOf(settings, defaultZone), settings, user);
}
function checkDescriptors(args) {
  if (fs.fstatSync(0).isCharacterDevice() && require("tty").isatty(0))
    throw new UsageError(noSupervisord([...ownCommand(), "simulate", ...args]));
  if (isOnePipe())
    throw new UsageError("stdout and stderr are one pipe, but stdout belongs to the protocol: redirect_stderr=false");
}
function isOnePipe() {
  const [stdout, stderr] = [1, 2].map((fd) => tryTo(() => fs.fstatSync(fd)));
  if (stdout === void 0 || stderr === void 0) return false;
  return stdout.ino === stderr.ino && stdout.dev === stderr.dev && (stdout.isFIFO() || stdout.isSocket());
}
function checkCommand({ command, settings }) {
  if (settings.crontab !== void 0) {
    if (command.length === 0) return;
    throw new UsageError("the commands stand in the crontab: --crontab and a command behind -- don't go together");
  }
  if (command.length === 0)
    throw new UsageError("no command given: put it behind --, as in supertick --ticks 5 -- /path/to/command");
  if (command[0] === "") throw new UsageError("the command behind -- is empty");
}
function poolMistake(log) {
  const { SUPERVISOR_PROCESS_NAME: name, SUPERVISOR_GROUP_NAME: group } = process.env;
  if (name === void 0 || group === void 0 || name === group) return void 0;
  const why = "and supervisord would share the ticks out among them: set numprocs=1";
  if (identify(process.pid) === void 0) log == null ? void 0 : log.line(`${quote(name)} may be one of several processes, ${why}`);
  const isBefore = (other) => other.length < name.length || other.length === name.length && other < name;
  const first = siblingsIn(group).find(isBefore);
  return first && `the process ${quote(first)} is in the group ${quote(group)} too, ${why}`;
}
function tryDefaultStatePath(name, log) {
  try {
    return defaultStatePath(name, log);
  } catch (error) {
    log.error(
      `no place for the counter file: ${error.message}; counting in memory only, --state names a place`
    );
    return void 0;
  }
}
var RIVAL_PATIENCE_SECONDS = 2;
var RIVAL_POLL_SECONDS = 0.2;
function whenRivalIsGone(path, patienceSeconds, log, start) {
  const counter = new CounterFile(path, log);
  const rival = rivalOf(counter.found);
  if (rival === void 0 || rival.isElsewhere) return start(counter);
  if (rival.isEnding && patienceSeconds > 0) {
    startTimer(RIVAL_POLL_SECONDS, () => whenRivalIsGone(path, patienceSeconds - RIVAL_POLL_SECONDS, log, start));
    return;
  }
  refuseToStart(inUseBy(path, rival), log);
}
function refuseToStart(why, log) {
  log.error(why);
  log.flush();
  process.exit(1);
}
function sayReady(log) {
  try {
    writeFully(1, READY);
  } catch (e) {
    log.line("supervisord does not read our stdout: stopping");
    process.exit(0);
  }
}
function plannedJobs({ settings, flags, environment }, localZone = defaultZone) {
  if (settings.crontab === void 0) return [{ schedule: scheduleOf(settings, localZone), settings }];
  const source = new CrontabSource(settings.crontab, flags, environment.layer, settings.userColumn, localZone);
  const [problem] = source.read();
  if (problem !== void 0) throw new UsageError(problem[0]);
  return source.jobs;
}
function defaultZone(name = process.env.TZ) {
  var _a;
  if (name === void 0) return createZone(LOCAL_TIME, (at) => -60 * new Date(at * 1e3).getTimezoneOffset());
  const file = name.replace(/^:/, "");
  try {
    return createZone((_a = file === LOCALTIME ? systemZoneName() : behindZoneinfo(file)) != null ? _a : file || "UTC");
  } catch (error) {
    throw new UsageError(`TZ: ${error.message}; --tz wins over it`, "TZ");
  }
}
var LOCALTIME = "/etc/localtime";
var behindZoneinfo = (path) => {
  var _a;
  return (_a = /zoneinfo[^/]*\/(?:posix\/)?(.+)$/.exec(path)) == null ? void 0 : _a[1];
};
function systemZoneName() {
  const path = tryTo(() => fs.realpathSync(LOCALTIME));
  if (path === void 0 || /\n(?:UTC|GMT)0\n$/.test(tryReadFile(path))) return "UTC";
  return behindZoneinfo(path);
}
function zoneDoubts(schedules) {
  const isByLocalHour = (one) => one instanceof CronSchedule && one.zone.name === LOCAL_TIME && !one.cron.text.endsWith(" * * * *");
  if (!schedules.some(isByLocalHour) || systemZoneName() !== void 0) return [];
  return [`${LOCALTIME} is not a link into a zoneinfo tree, so local time is a guess: name the zone by --tz or TZ`];
}
function simulate(args, scopes) {
  const invocation = readInvocation(parseCommandLine(args, scopes));
  const { flags, settings, command } = invocation;
  checkCommand(invocation);
  if (settings.on !== void 0)
    throw new UsageError("simulate plays ticks only; --on waits for other events of supervisord");
  const plan = planTicks(invocation);
  const isPassedOn = (key) => key !== "state" && ["job", "listener"].includes(specOf(key).scope);
  const options = [...flags.texts].filter(([key]) => isPassedOn(key)).map(([, { text, origin }]) => `${origin}=${text}`);
  const directory = flags.texts.has("state") ? void 0 : makeTemporaryDirectory();
  const statePath = directory === void 0 ? settings.state : `${directory}/count`;
  const words = [`--state=${statePath}`, ...options, ...command.length > 0 ? ["--", ...command] : []];
  play(plan, statePath, words).catch((error) => {
    tryTo(() => show(`simulate: ${error.message}`));
    return 1;
  }).then((status2) => {
    for (const file of directory === void 0 ? [] : namesIn(directory)) fs.unlinkSync(`${directory}/${file}`);
    if (directory !== void 0) fs.rmdirSync(directory);
    process.exit(status2);
  });
}
function makeTemporaryDirectory() {
  const parent = process.env.TMPDIR || "/tmp";
  try {
    return fs.mkdtempSync(`${parent}/supertick-simulate-`);
  } catch (error) {
    throw new UsageError(
      `no place for simulate's counter file: ${parent}: ${describeError(error)}; --state names another`
    );
  }
}
function planTicks(invocation) {
  const { tick, from = Date.now() / 1e3, for: seconds, speed, frames } = invocation.settings;
  const jobs = plannedJobs(invocation);
  const isFine = fittingTick(jobs, from) === "TICK_5";
  const hasJitter = jobs.some(({ schedule, settings }) => settings.jitter > 0 && isByClock(schedule));
  const type = tick != null ? tick : isFine ? "TICK_5" : USUAL_TICK;
  const periodSeconds = TICK_PERIODS[type];
  const count = Math.floor(seconds / periodSeconds);
  if (count === 0) throw new UsageError(`--for: expected at least one ${type}, ${formatDuration(periodSeconds)}`);
  const firstWhen = Math.ceil(from / periodSeconds) * periodSeconds;
  return { type, periodSeconds, firstWhen, count, pauseSeconds: periodSeconds / speed, frames, hasJitter };
}
async function play(plan, statePath, words) {
  if (plan.hasJitter)
    show("simulate: a delay by --jitter is in real time: where ticks come faster, a run waits for one");
  const listener = new SimulatedListener(words, plan.frames);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => listener.stop());
  const before = countRuns(statePath);
  try {
    await Promise.race([sendTicks(plan, statePath, listener), listener.ended]);
  } finally {
    listener.stop();
    await listener.ended;
  }
  const end = await listener.ended;
  const runs = Object.entries(countRuns(statePath)).map(([what, count]) => [count - before[what], what]);
  const counts = runs.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  const summary = counts.length === 0 ? `no run${describeFirstRun(statePath, plan)}` : `runs: ${counts.join(", ")}`;
  const isFast = plan.pauseSeconds > 0 && counts.some((count) => count.endsWith(" skipped"));
  const hint = isFast ? " (a run takes its own time, and ticks came fast: --speed max waits for each)" : "";
  show(`simulate: ${countOf(listener.ticks, "tick")}, ${summary}${hint}; the listener ended ${end}`);
  return end === "with exit 0" ? 0 : 1;
}
function describeFirstRun(statePath, { firstWhen, periodSeconds, pauseSeconds }) {
  var _a;
  const counter = (_a = tryTo(() => parseCounter(readStart(statePath)))) != null ? _a : NO_COUNTER;
  const states = statesIn(statePath);
  const first = Math.min(
    ...states.map((state) => {
      var _a2;
      return (_a2 = tryNextRun(state, counter, Date.now() / 1e3)) != null ? _a2 : Number.POSITIVE_INFINITY;
    })
  );
  if (first === Number.POSITIVE_INFINITY || states.some(({ lastRun }) => lastRun > 0)) return "";
  const ticks = Math.ceil((first - firstWhen) / periodSeconds) + 1;
  const options = `--for ${formatDuration(ticks * periodSeconds)}${ticks * pauseSeconds > 60 ? " --speed max" : ""}`;
  return `; the first would be at ${formatTime(first)}: ${options} shows it`;
}
async function sendTicks(plan, statePath, listener) {
  const { type, periodSeconds, firstWhen, count, pauseSeconds } = plan;
  const wait = (seconds) => new Promise((resolve) => setTimeout(resolve, Math.max(0, seconds) * 1e3));
  const allEnded = async () => {
    while (countRuns(statePath).unfinished > 0) await wait(0.02);
  };
  const pause = pauseSeconds === 0 ? "without a pause" : `every ${Number(pauseSeconds.toPrecision(2))}s`;
  show(`simulate: ${countOf(count, "tick")} of ${type} from ${formatTime(firstWhen)}, ${pause}`);
  await listener.expect(READY, "ACKNOWLEDGED");
  const startedSeconds = monotonicSeconds();
  for (let i = 0; i < count; i++) {
    await (pauseSeconds === 0 ? allEnded() : wait(startedSeconds + i * pauseSeconds - monotonicSeconds()));
    await listener.tick(type, i + 1, firstWhen + i * periodSeconds);
  }
  await allEnded();
  await listener.expect("", "READY");
}
var SimulatedListener = class {
  constructor(words, isShowingFrames) {
    this.isShowingFrames = isShowingFrames;
    this.ticks = 0;
    this.received = "";
    this.onBytes = () => {
    };
    this.isStopping = false;
    this.lastTick = "";
    var _a;
    const { spawn } = require("child_process");
    const env = { ...process.env, SUPERVISOR_ENABLED: "1" };
    delete env.SUPERVISOR_PROCESS_NAME;
    delete env.SUPERVISOR_GROUP_NAME;
    const self = [...isDeno ? ["run", "-A"] : process.execArgv, process.argv[1]];
    const [pipe] = tryMakePipes(1);
    const child = spawn(process.execPath, [...self, ...words], {
      env,
      stdio: ["pipe", "pipe", (_a = pipe == null ? void 0 : pipe.writeEnd) != null ? _a : "pipe"]
    });
    if (pipe !== void 0) fs.closeSync(pipe.writeEnd);
    const onLog = (bytes) => this.onLog(bytes);
    const log = pipe === void 0 ? child.stderr.on("data", onLog) : openSocket(pipe.readEnd, outputBuffer(), onLog);
    this.stdin = child.stdin.on("error", () => {
    });
    child.stdout.on("data", (bytes) => {
      this.received += bytes.toString("latin1");
      this.onBytes();
    });
    this.ended = new Promise((resolve) => {
      const onEnd = (end) => resolve(`${this.isStopping ? "" : "early "}with ${howEnded(end)}`);
      child.on("exit", (exit, signal) => whenRead([child.stdout, log], { onEnd }, { exit, signal }));
    });
  }
  onLog(bytes) {
    try {
      if (this.lastTick !== "") show(this.lastTick);
      this.lastTick = "";
      writeFully(1, bytes);
    } catch (e) {
      this.stop();
    }
  }
  stop() {
    this.isStopping = true;
    this.lastTick = "";
    this.stdin.end();
  }
  async tick(type, serial, when) {
    await this.expect("", "READY");
    if (this.isStopping) return;
    const payload = `when:${when}`;
    const header = `ver:3.0 server:supervisor serial:${serial} pool:supertick poolserial:${serial} eventname:${type}`;
    const frame = `${header} len:${payload.length}
${payload}`;
    if (this.isShowingFrames) show(`${formatTime(when)} \u2192 ${JSON.stringify(frame)}`);
    else this.lastTick = `${formatTime(when)} tick ${serial}`;
    this.stdin.write(frame);
    await this.expect(ANSWER, "BUSY");
    this.ticks++;
  }
  async expect(text, state) {
    while (this.received !== text) {
      const what = `in state ${state} the listener wrote ${quote(this.received)}`;
      if (!text.startsWith(this.received))
        throw new Error(`UNKNOWN: ${what}, so supervisord would never talk to it again`);
      await new Promise((resolve) => {
        this.onBytes = resolve;
      });
    }
    this.received = "";
    if (this.isShowingFrames && text !== "") show(`${" ".repeat(21)}\u2190 ${JSON.stringify(text)}`);
  }
};
function show(line) {
  writeFully(1, `${line}
`);
}
var statesIn = (statePath) => jobsOf(statePath).map(({ state }) => state);
function countRuns(statePath) {
  var _a, _b;
  const counts = {
    success: 0,
    failure: 0,
    timeout: 0,
    interrupted: 0,
    unfinished: 0,
    skipped: 0
  };
  for (const state of statesIn(statePath)) {
    for (const result of RESULTS) counts[result] += (_a = state.counts[result]) != null ? _a : 0;
    counts.unfinished += openOf(state);
    counts.skipped += (_b = state.counts.skipped) != null ? _b : 0;
  }
  return counts;
}
var HOST_LOGS = ["/var/log/supervisor", "/var/log"];
var isSystemd = () => fs.existsSync("/run/systemd/system");
var logDirectory = () => isSystemd() ? HOST_LOGS.find((path) => fs.existsSync(path)) : void 0;
function init(args, scopes) {
  const section = args[0] === "serve" ? serveSection(args.slice(1)) : initSection(args, scopes);
  writeFully(1, `
${section}`);
}
function initSection(args, scopes) {
  var _a, _b, _c;
  const invocation = readInvocation(parseCommandLine(args, scopes));
  checkCommand(invocation);
  const { settings, flags, environment, command } = invocation;
  const jobs = plannedJobs(invocation);
  const from = Math.floor(Date.now() / 1e3);
  const tick = (_a = settings.tick) != null ? _a : fittingTick(jobs, from);
  const notes = [...environment.warnings, ...misfitsOf(jobs, tick, from)];
  for (const note of notes) writeFully(2, `supertick: note: ${note}
`);
  return formatSection({
    name: (_b = settings.name) != null ? _b : settings.crontab === void 0 ? commandName(command) : baseName(settings.crontab),
    command: [...ownCommand(), ...flagWords(flags, tick), ...command.length === 0 ? [] : ["--", ...command]],
    events: [...(_c = settings.on) != null ? _c : [], tick].filter(isPresent),
    graceSeconds: longestGrace(jobs),
    variables: [...environment.layer.texts.values()].filter(({ origin }) => origin !== OPTIONS.tick.env).map((given) => {
      var _a2;
      return { ...given, text: (_a2 = given.secretFile) != null ? _a2 : given.text };
    }),
    logDirectory: logDirectory()
  });
}
function serveSection(args) {
  const { where, hosts, places } = readServeSettings(args, SUBCOMMANDS.serve.scopes);
  const { resolve } = require("path");
  const names = hosts.length === 0 ? [] : ["--host", hosts.join(",")];
  const command = [...ownCommand(), "serve", ...names, where, ...places.map((place) => resolve(place))];
  return `${sectionLines("program", "supertick-serve", command, [], logDirectory()).join("\n")}
`;
}
function commandName(command) {
  const name = programOf(command);
  return runnerOf(name) === void 0 ? name : "job";
}
var baseName = (path) => path.slice(path.lastIndexOf("/") + 1);
function longestGrace(jobs) {
  return Math.max(0, ...jobs.map(({ settings: { drain, killAfter } }) => drain + killAfter));
}
function misfitsOf(jobs, tick, from) {
  const period = tick === void 0 ? void 0 : TICK_PERIODS[tick];
  return period === void 0 ? [] : [...new Set(jobs.flatMap(({ schedule }) => schedule.misfits(period, from)))];
}
function fittingTick(jobs, from) {
  var _a;
  if (jobs.length > 0 && jobs.every(({ schedule }) => schedule.kind === "events")) return void 0;
  const isFitting = (tick) => [from, from + 183 * SECONDS_IN_DAY].every((moment) => misfitsOf(jobs, tick, moment).length === 0);
  const coarsest = jobs.every(({ schedule }) => isByClock(schedule)) ? ["TICK_3600", USUAL_TICK] : [USUAL_TICK];
  return (_a = coarsest.find(isFitting)) != null ? _a : "TICK_5";
}
function ownCommand() {
  const file = require("path").resolve(process.argv[1]);
  if (isDeno) return [process.execPath, "run", "-A", file];
  return isBun || !isExecutable(file) ? [process.execPath, file] : [file];
}
function flagWords({ texts }, tick) {
  const words = [...texts].flatMap(([key, { text, origin }]) => {
    if (isSwitch(key)) return text === "yes" ? [origin] : [`${origin}=${text}`];
    const value = specOf(key).parse === parsePath ? require("path").resolve(text) : text;
    return value === "--" ? [`${origin}=--`] : [origin, value];
  });
  return tick === void 0 || texts.has("tick") ? words : [...words, "--tick", tick];
}
function formatSection(section) {
  const { name, command, events, graceSeconds, variables, logDirectory: logDirectory2 } = section;
  const stopSeconds = graceSeconds + STOP_MARGIN_SECONDS;
  const title = name.replace(/[^\p{L}\p{M}\p{N}_.-]+/gu, "-").replace(/^-+|-+$/g, "") || "job";
  const own = [
    `events=${[...new Set(events)].join(",")}`,
    ...events.every((name2) => name2 in TICK_PERIODS) ? [] : [BUFFER_NOTE, `buffer_size=${EVENT_BUFFER}`],
    "; its own: a listener of the same priority hands us its events, and takes ours along when it is removed",
    `priority=${-2 - hash32(title) % PRIORITIES}`
  ];
  const lines = sectionLines("eventlistener", title, command, own, logDirectory2);
  if (variables.length > 0) lines.push(`environment=${variables.map(quoteVariable).join(",")}`);
  if (stopSeconds > Number(DEFAULTS.stopwaitsecs)) lines.push(...PATIENCE, `stopwaitsecs=${stopSeconds}`);
  return `${lines.join("\n")}
`;
}
function sectionLines(kind, title, command, own, logs) {
  const log = logs === void 0 ? CONTAINER_LOG : [`stderr_logfile=${logs}/${title}.log`];
  const words = command.map(quoteWord).join(" ");
  return [`[${kind}:${title}]`, `command=${words}`, ...own, "autorestart=true", "stdout_logfile=NONE", ...log];
}
var PATIENCE = [
  "; above --drain and --kill-after: until then supertick ends its job, then supervisord kills. What stops a container",
  "; must wait longer than all its listeners, for they end one by one: docker stop -t, terminationGracePeriodSeconds"
];
var BUFFER_NOTE = `; of a burst of events supervisord keeps only so many, ${USUAL_BUFFER} by default, and drops the oldest`;
var CONTAINER_LOG = [
  "; for a container; where supervisord's stderr is a socket, as under systemd, name a file here",
  "stderr_logfile=/dev/stderr",
  "stderr_logfile_maxbytes=0"
];
var PRIORITIES = 9998;
var STOP_MARGIN_SECONDS = 5;
var BLANK = "[\\t-\\r\\x1c- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
var SPLIT_BEHIND = new RegExp(`${BLANK}(?=[;#])|%(?=\\()`, "g");
function quoteWord(word) {
  if (/[\r\n]/.test(word))
    throw new UsageError(`${quote(word)} has a line break, which supervisord.conf can't hold: put it into a script`);
  if (/^[\w@+=:,./-]+$/.test(word)) return word;
  return `"${word.replace(/["\\]/g, "\\$&").replace(SPLIT_BEHIND, '$&""').replace(/%/g, "%%")}"`;
}
function quoteVariable({ origin, text }) {
  var _a;
  const q = text.includes('"') ? "'" : '"';
  if (!text.includes(q) && !new RegExp(`[\r
]|${BLANK}[;#]|%\\(here\\)s|^["']|["']$`).test(text))
    return `${origin}=${q}${text.replace(/%/g, "%%")}${q}`;
  const flag = (_a = OPTION_KEYS.map(specOf).find(({ env }) => env === origin)) == null ? void 0 : _a.flag;
  throw new UsageError(`${origin} ${quote(text)} can't be a variable in supervisord.conf: give it as ${flag}`);
}
function check(args, scopes) {
  const files = [];
  const commandLine = parseCommandLine(args, scopes, files);
  if (files.length > 0) {
    const { layer, command: command2 } = commandLine;
    if (files.length > 1 || command2.length > 0 || layer.texts.size > Number(layer.texts.has("json")))
      throw notAnOption(files[0]);
    return checkConfiguration(files[0], isGiven(layer, "json"));
  }
  const invocation = readInvocation(commandLine);
  const { settings, environment, command } = invocation;
  if (settings.crontab !== void 0) return checkCrontab(settings.crontab, invocation);
  const schedule = scheduleOf(settings, defaultZone);
  const { warnings, ...rest } = forecastOf(schedule, settings, settings);
  const users = settings.user === void 0 ? [] : [userNamed(settings.user)];
  const doubts2 = commandDoubts(command);
  const others = [...zoneDoubts([schedule]), ...groupDoubts(users), ...warnings];
  const remarks = [...environment.warnings, doubts2.mistakes, doubts2.warnings, ...others];
  const forecast = { ...rest, warnings: remarks.filter(isPresent) };
  const text = settings.json ? JSON.stringify(forecast) : describeForecast(schedule, forecast, settings).join("\n");
  writeFully(1, `${text}
`);
  if (doubts2.mistakes !== void 0) process.exitCode = 1;
}
function groupDoubts(users) {
  const names = new Set(
    users.filter((user) => user.uid !== process.geteuid() && hasMoreGroups(user)).map(({ name }) => name)
  );
  if (names.size === 0 || findSetpriv() !== "") return [];
  return [
    `commands of ${listed([...names])} have the first group of that user alone: setpriv, of util-linux, is not here`
  ];
}
function checkCrontab(path, { settings, flags, environment }) {
  var _a;
  const crontab = new CrontabSource(path, flags, environment.layer, settings.userColumn);
  crontab.read();
  const { mistakes, parsedJobs } = crontab;
  if (crontab.isUnread) throw new UsageError(mistakes[0]);
  const zones = zoneDoubts(parsedJobs.map(({ schedule }) => schedule));
  const doubts2 = [...zones, ...groupDoubts(parsedJobs.map(({ user }) => user).filter(isPresent))];
  const warnings = [...environment.warnings, ...doubts2, ...crontab.warnings];
  const columns = crontab.describe();
  if (columns !== "") warnings.unshift(columns);
  for (const { env, path: file, line } of parsedJobs.filter((job, i, all) => {
    var _a2;
    return ((_a2 = all[i - 1]) == null ? void 0 : _a2.env.SHELL) !== job.env.SHELL;
  }))
    if (/[/ ]/.test((_a = env.SHELL) != null ? _a : "") && !isExecutable(env.SHELL))
      warnings.push(
        `${file}:${line}: SHELL: no program ${quote(env.SHELL)} is here, a path without arguments: no run starts`
      );
  const lines = [...mistakes, ...warnings.map((warning) => `note: ${warning}`)];
  const jobs = parsedJobs.map(({ name, path: file, line, schedule, user, settings: own }) => {
    const forecast = forecastOf(schedule, own, settings);
    const [words, ...more] = describeForecast(schedule, forecast, settings);
    const who = user === void 0 ? "" : `, as ${user.name}`;
    const place = crontab.isDirectory ? `${file}:${line}` : `line ${line}`;
    lines.push(`${place}, ${name}${who}: ${words}`, ...more.map((text2) => `  ${text2}`));
    return { name, file, line, user: user == null ? void 0 : user.name, ...forecast };
  });
  const text = settings.json ? JSON.stringify({ mistakes, warnings, jobs }) : lines.join("\n") || "no job";
  writeFully(1, `${text}
`);
  if (mistakes.length > 0) process.exitCode = 1;
}
var FOR_SHELL = new RegExp("^(?:cd|exec|\\.|source|export|set|umask|ulimit|\\w+=.*)$", "s");
function commandDoubts([program, ...args], path, directory) {
  var _a;
  const shown2 = quote((_a = program == null ? void 0 : program.replace(new RegExp("^(\\w+=).+|\\s.*", "s"), "$1\u2026")) != null ? _a : "");
  if (FOR_SHELL.test(program)) return { mistakes: `no shell reads it, and ${shown2} is not a program: /bin/sh -c "\u2026"` };
  const word = args.find((word2) => /^(\|\|?|&&?|\d?>>?(&\d)?|\d?>>?\/.*|<)$/.test(word2));
  if (word !== void 0)
    return { warnings: `no shell reads it, so ${quote(word.replace(new RegExp("\\/.*", "s"), ""))} is an argument: /bin/sh -c "\u2026"` };
  const own = args.find((word2) => OWN_FLAG.test(word2) && OPTION_KEYS.map(flagOf).includes(word2.replace(new RegExp("=.*", "s"), "")));
  if (own !== void 0) return { warnings: `${quote(own.replace(new RegExp("=.*", "s"), ""))} is behind --, and so the command's` };
  const isLocal = new RegExp("^[^/].*\\/", "s").test(program != null ? program : "");
  const file = isLocal && directory ? `${directory}/${program}` : program;
  if (file === void 0) return {};
  const found = file.includes("/") ? file : inPath(file, path)[0];
  if (found !== void 0 && isProgram(found)) return { warnings: fileDoubt(found, shown2, path) };
  const isText2 = /[|&;<>$`]/.test(program);
  if (args.length === 0 && program.includes(" "))
    return { warnings: `${shown2} is one word${isText2 ? NO_SHELL : ": leave out the quotes around all of it"}` };
  if (isLocal && !directory) return { warnings: `${shown2} is not here; it runs in the section's directory=` };
  return { warnings: fileDoubt(file, shown2) };
}
var OWN_FLAG = /^--(ticks|every|cron|crontab|on|only|run-on|kill|catch|retry|max|user-|job)/;
var NO_SHELL = ", and no shell reads it: /bin/sh -c '\u2026'";
function fileDoubt(file, shown2 = quote(file), path) {
  const missing = isProgram(file) ? missingInterpreter(file, path) : "";
  if (missing !== "") return missing && `${shown2} begins with #!, and needs ${quote(missing)}, which is not here`;
  return fs.existsSync(file) ? `${shown2} is not executable` : `there is no program ${shown2} on this machine`;
}
function missingInterpreter(file, path) {
  var _a, _b;
  const [, interpreter, name] = (_b = /^#![ \t]*(\S+)(?:[ \t]+([\w.+-]+))?/.exec((_a = tryTo(() => readStart(file))) != null ? _a : "")) != null ? _b : [];
  if (interpreter === void 0 || !isExecutable(interpreter)) return interpreter;
  return baseName(interpreter) === "env" && name && inPath(name, path).length === 0 ? name : void 0;
}
function hookDoubts({ onlyIf, onFailure, onSuccess, onSkip }) {
  return [onlyIf, onFailure, onSuccess, onSkip].flatMap((text) => {
    var _a;
    const [file] = (_a = /^\/[\w./+-]+(?=\s|$)/.exec(text != null ? text : "")) != null ? _a : [];
    const doubt = file === void 0 ? void 0 : fileDoubt(file);
    return doubt === void 0 ? [] : [doubt];
  });
}
function forecastOf(schedule, settings, asked) {
  var _a;
  const { jitter, onlyIf, runOnStart } = settings;
  const from = (_a = asked.from) != null ? _a : Math.floor(Date.now() / 1e3);
  const warnings = [...scheduleWarnings(schedule, asked.tick, from), ...hookDoubts(settings)];
  const doubt = outputDoubt(asked.log, settings);
  if (doubt !== void 0) warnings.push(doubt);
  if (jitter > 0 && isByClock(schedule)) {
    const longest = formatDuration(longestDelay(schedule, from, jitter));
    warnings.push(`each run starts later than listed, by less than ${longest} (--jitter)`);
  }
  if (runOnStart) warnings.push("it also runs once when the listener starts (--run-on-start)");
  if (onlyIf !== void 0 && !isByClock(schedule))
    warnings.push("--only-if as a lock among replicas needs due times that are the same for all: --every or --cron");
  const zone = systemZoneName();
  const words = schedule.describe().replace(new RegExp(`, ${LOCAL_TIME}$`), zone === void 0 ? "$&" : `$& (${zone})`);
  return { schedule: words, warnings, next: nextDueTimes(schedule, from, asked.number) };
}
function scheduleWarnings(schedule, tick, from) {
  const period = tick === void 0 ? void 0 : TICK_PERIODS[tick];
  if (schedule instanceof CronSchedule) return cronWarnings(schedule, from, period);
  const weeks = weekWarnings(schedule, from);
  if (period === void 0) return weeks;
  if (!(schedule instanceof TickSchedule)) return [...weeks, ...schedule.misfits(period, from)];
  return [`${schedule.describe()} of ${tick} is every ${formatDuration(schedule.every * period)}`];
}
function weekWarnings(schedule, from) {
  if (!(schedule instanceof SliceSchedule) || schedule.everySeconds % (7 * SECONDS_IN_DAY) !== 0) return [];
  const first = new Date(schedule.firstAfter(from) * 1e3);
  const weekday = `${WEEKDAYS[first.getUTCDay()]}s`;
  return [`it begins on ${weekday}, ${first.toISOString().slice(11, 16)} UTC, as the epoch did; --offset moves it`];
}
var NO_DUE_TIMES = {
  ticks: "when that is depends on when the count began",
  events: "when that is depends on what supervisord sends: name the same events in events=",
  start: "not when the crontab is read again"
};
function describeForecast(schedule, { schedule: words, warnings, next }, { tick, jitter }) {
  var _a;
  const lines = [words, ...warnings.map((warning) => `note: ${warning}`)];
  const instead = (_a = NO_DUE_TIMES[schedule.kind]) != null ? _a : next.length === 0 ? "no next run" : void 0;
  if (instead !== void 0) return [...lines, instead];
  const zone = schedule instanceof CronSchedule ? schedule.zone : createZone("UTC");
  const period = tick === void 0 || jitter > 0 ? 1 : TICK_PERIODS[tick];
  const rows = next.map((due) => {
    const start = Math.ceil(due / period) * period;
    return `  ${formatLocal(zone, due)}    ${formatTime(due)}${start === due ? "" : `, starts at ${formatTime(start)}`}`;
  });
  return [...lines, "next runs:", ...rows];
}
function formatLocal(zone, second) {
  const { offset } = zone.spanAt(second);
  const utcOffset = new Date(Math.abs(offset) * 1e3).toISOString().slice(11, 16);
  const reading = new Date((second + offset) * 1e3);
  const clock = reading.toISOString().slice(0, 19).replace("T", " ");
  return `${reading.toUTCString().slice(0, 3)} ${clock} ${offset < 0 ? "-" : "+"}${utcOffset}`;
}
var READER = `
import sys
sys.path[:] = [folder for folder in sys.path if folder] # no modules from the working directory
import json, re, shlex
from supervisor import events, options
section, programs, refused, unset, headers, asked = 'supervisord', [], [], {}, {}, {}
Server, Parser, expand = options.ServerOptions, options.UnhosedConfigParser, options.expand
prepare, read, get, types = Parser.__init__, Parser._read, Parser.saneget, vars(events.EventTypes).items()
class Names(dict): # what %(...)s may stand for
    def __missing__(self, name):
        if not name.startswith('ENV_'):
            raise KeyError(name)
        unset.setdefault(section, []).append(name[4:])
        return '1'
def scan(parser, file, name): # for what the parser merges or passes over
    for at, line in enumerate(file):
        for header in re.findall(r'^\\[(.+)\\]', line):
            places = headers.setdefault(header, [])
            places += [place for place in ['%s:%d' % (name, at + 1)] if place not in places]
    file.seek(0)
    return read(parser, file, name)
def ask(parser, name, key, *args, **more): # for the keys that nobody asks for
    asked.setdefault(name, set()).add(key)
    return get(parser, name, key, *args, **more)
def prepare_fragment(parser, *args, **more):
    prepare(parser, *args, **more)
    parser.add_section('supervisord') # which a file in conf.d does not have
class Options(Server):
    def usage(self, why):
        raise ValueError(why)
    def process_groups_from_parser(self, parser):
        global section
        for section in parser.sections():
            parser.sections = lambda: [section] # a mistake in one keeps no other from being read
            place = {'section': section, 'file': getattr(parser, 'section_to_file', {}).get(section, sys.argv[1])}
            try:
                for group in [] if section.startswith('group:') else Server.process_groups_from_parser(self, parser):
                    for process in group.process_configs[:1]:
                        programs.append(dict(
                            vars(process), words=shlex.split(process.command), numprocs=len(group.process_configs),
                            environment=dict(self.configroot.supervisord.environment, **process.environment),
                            group=group.name, texts=dict(parser.items(section), environment=None),
                            events=sorted(name for name, kind in types if kind in getattr(group, 'pool_events', [])),
                            keys=sorted(asked[section]), supervisor=self.configroot.supervisord.user,
                            unset=sorted(set(unset.get('supervisord', []) + unset.get(section, []))), **place))
            except Exception as why:
                refused.append(dict(place, why=str(why), command=dict(parser.items(section)).get('command')))
        del parser.sections
        section = ''
        return [] if refused else Server.process_groups_from_parser(self, parser) # for what a [group:x] lacks
options.expand = lambda text, names, key: expand(text, Names(names), key)
Parser.__init__, Parser._read, Parser.saneget = prepare_fragment, scan, ask
try:
    Options().realize(['-c', sys.argv[1]], doc='')
except Exception as why:
    refused.append({'section': '', 'file': sys.argv[1], 'why': str(why)})
answer = {'programs': programs, 'refused': refused, 'headers': headers}
print(json.dumps(answer, default=lambda value: getattr(value, '__name__', None)))
`;
function readConfiguration(file) {
  var _a, _b;
  const { spawnSync } = require("child_process");
  const script = (_a = tryTo(() => readStart(inPath("supervisord")[0]))) != null ? _a : "";
  const own = (_b = /^#!(.*\b(?:python|pypy)[\d.]*(?: .*)?)\n/.exec(script)) == null ? void 0 : _b[1].trim().split(/ +/);
  const failures = [];
  for (const python of [own, ...inPath("python3").map((path) => [path])].filter(isPresent)) {
    const [program, ...args] = [...python, "-B", "-c", READER, file];
    const limits = { timeout: 1e4, killSignal: "SIGKILL", maxBuffer: 2 ** 28 };
    const { error, signal, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", ...limits });
    const lastLine = (text) => (text != null ? text : "").trimEnd().split("\n").pop();
    const answer = tryTo(() => JSON.parse(lastLine(stdout)));
    if (Array.isArray(answer == null ? void 0 : answer.programs)) return answer;
    const end = error === void 0 ? signal && `killed by ${signal}` : errorCode(error);
    const why2 = end === "ETIMEDOUT" ? "no answer in 10s" : end || quote(lastLine(stderr || stdout));
    failures.push(`${python.join(" ")}: ${why2}`);
  }
  const why = failures.join("; ") || "there is no python3 in PATH";
  throw new UsageError(`check ${file} needs supervisor's own parser: ${why}`);
}
var DEFAULTS = {
  autorestart: "unexpected",
  buffer_size: "10",
  stderr_logfile: "AUTO",
  stderr_logfile_maxbytes: "50MB",
  stdout_logfile: "AUTO",
  stopwaitsecs: "10"
};
var Report = class {
  constructor(file) {
    this.file = file;
    this.sections = [];
    this.mistakes = [];
    this.warnings = [];
  }
  add(kind, key, message, place = {}) {
    var _a, _b;
    const { file = this.file, section = "", texts = {} } = place;
    const text = key === "command" ? (_a = texts[key]) == null ? void 0 : _a.trim().replace(new RegExp("\\s.*", "s"), " \u2026") : texts[key];
    const isDefault = text === void 0 && key in DEFAULTS || void 0;
    this[kind].push({ file, section, key, value: (_b = text != null ? text : DEFAULTS[key]) != null ? _b : null, isDefault, message });
  }
};
function checkCaller(caller, before, places, report) {
  report.sections.push(caller.section);
  const merged = `supervisord makes one section of ${listed(places)}, key by key: give each a name of its own`;
  if (places.length > 1) report.add("mistakes", "", merged, caller);
  for (const key of Object.keys(caller.texts).filter((key2) => !caller.keys.includes(key2))) {
    const hint = suggestion(key, caller.keys);
    if (hint !== "") report.add("mistakes", key, `supervisord passes over it${hint}`, { ...caller, texts: {} });
  }
  for (const [kind, key, find] of isListener(caller) ? RULES : []) {
    const message = find(caller, before);
    if (message) report.add(kind, key, message, caller);
  }
}
function checkConfiguration(file, isJson) {
  const text = readOrRefuse(file);
  if (/^[^\s#;[]/m.test(text) && !/^\[/m.test(text))
    throw new UsageError(`${file} has no [section]; of a crontab: supertick check --crontab ${file}`);
  const isFragment = !/^\s*\[supervisord\]/m.test(text);
  const report = new Report(file);
  const { programs, refused, headers } = readConfiguration(file);
  for (const place of refused) report.add("mistakes", "", refusalText(place), place);
  for (const section of Object.keys(headers)) {
    const hint = suggestionForSection(section);
    if (hint !== "") report.add("mistakes", "", `supervisord passes over it${hint}`, { section });
  }
  const callers = [];
  for (const program of programs) {
    const caller = readCaller(program, report);
    if (caller === void 0) continue;
    checkCaller(caller, callers, headers[program.section], report);
    callers.push(caller);
  }
  if (report.sections.length + report.mistakes.length === 0)
    report.add("mistakes", "", "no section runs supertick: nothing was checked");
  if (isFragment) report.add("warnings", "", "no [supervisord] in it: read as a file that another includes");
  writeFully(1, `${isJson ? JSON.stringify(report) : describeReport(report)}
`);
  process.exitCode = report.mistakes.length > 0 ? 1 : 0;
}
function readOrRefuse(file) {
  try {
    return fs.readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${describeError(error)}`);
  }
}
var SECTIONS = ["program", "eventlistener", "group", "fcgi-program", "rpcinterface", "ctlplugin"];
function suggestionForSection(section) {
  const [kind, name] = section.split(":");
  return name === void 0 || SECTIONS.includes(kind) ? "" : suggestion(kind, SECTIONS);
}
function describeReport({ sections, mistakes, warnings }) {
  const describe = ({ file, section, key, value, isDefault, message }) => {
    const text = value === null ? "" : `=${/^[ -~…]{0,80}$/.test(value) ? value : quote(value)}`;
    const setting = isDefault ? `${text} (default)` : text;
    return `${file}:${section && ` [${section}]`}${key && ` ${key}${setting}:`} ${message}`;
  };
  const lines = [...mistakes.map(describe), ...warnings.map((warning) => `note: ${describe(warning)}`)];
  if (mistakes.length === 0) lines.push(`no mistake in ${listed(sections.map((name) => `[${name}]`))}`);
  return lines.map(escapeAll).join("\n");
}
var SHORTENED = [
  [/\s+/g, " "],
  [/^(.*) in section .* \(file: .*\)$/, "$1"],
  [/^Format string .* for ('\S*') /, "the value of $1 "],
  [/ is badly formatted.*/, "$&; a % sign is written %%"],
  [/( Available names:| in value ').*/, ""],
  [/(\[line +\d+\]|, line: \d+\b).*/, "$1"],
  [
    /^No (closing quotation|escaped character)$/,
    "can't parse command or environment: $&; quotes don't nest, and a blank and ; begin a comment in them too"
  ],
  [/^Unexpected end of key\/value pairs.*/, "can't parse environment: $&; quotes don't nest"],
  [/requires an "events" line/, "$&: events="],
  [/Unknown event type.*/, "$&: ticks are TICK_5, TICK_60 and TICK_3600"],
  [/^(Invalid user name|The directory named) .*/, "$&, on this machine"]
];
function tickIn(command) {
  var _a, _b;
  return (_b = (_a = /--tick[= ](TICK_\d+)/.exec(command != null ? command : "")) == null ? void 0 : _a[1]) != null ? _b : USUAL_TICK;
}
function refusalText({ section, why, command }) {
  const short = SHORTENED.reduce((text2, [pattern, replacement]) => text2.replace(pattern, replacement), why);
  const text = short.replace(/: events=$/, `$&${tickIn(command)}`);
  return `supervisord refuses ${section === "" ? "the file and stops there" : "it"}: ${text}`;
}
var isListener = ({ section }) => section.startsWith("eventlistener:");
function readCaller(program, report) {
  var _a, _b, _c, _d;
  const call = callOf(program);
  if (call === void 0) return void 0;
  const { group, unset, environment } = program;
  const name = program.numprocs === 1 ? program.name : group;
  const caller = { ...program, name, jobs: [], jobCommand: [] };
  const warn = (key) => (text) => report.add("warnings", key, text, program);
  try {
    if (!isListener(program))
      throw new UsageError(
        `only event listeners get ticks: make it [eventlistener:${group}], with events=${tickIn(program.texts.command)}`
      );
    if (call.args === void 0 || unset.length > 0) {
      const need = `they may need ${listed(unset)}, not set on this machine`;
      warn("command")(`supertick's options are not checked: ${unset.length > 0 ? need : "a shell has a part in them"}`);
      return caller;
    }
    const own = { SUPERVISOR_PROCESS_NAME: name, SUPERVISOR_GROUP_NAME: group };
    const env = { ...process.env, ...environment, ...own, ...call.variables };
    const invocation = readInvocation(parseCommandLine(call.args, ["job", "listener"]), env);
    checkCommand(invocation);
    const { settings, command } = invocation;
    invocation.environment.warnings.forEach(warn("environment"));
    const isRoot = ((_a = program.uid) != null ? _a : process.geteuid()) === 0 && process.geteuid() === 0;
    if (settings.user !== void 0 && isRoot) userNamed(settings.user);
    const isThere = settings.crontab === void 0 || fs.existsSync(settings.crontab);
    const jobs = isThere ? plannedJobs(invocation, () => defaultZone(env.TZ)) : [];
    const state = (_c = settings.state) != null ? _c : `the default for ${quote((_b = settings.name) != null ? _b : name)}`;
    return { ...caller, settings, state, jobs, jobCommand: command };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const isVariable = ((_d = error.origin) == null ? void 0 : _d.startsWith("-")) === false;
    report.add("mistakes", isVariable ? "environment" : "command", error.message, program);
    return caller;
  }
}
function callOf(program) {
  const { words } = program;
  const isForShell = (i) => {
    var _a;
    return /^-\w*c$/.test((_a = words[i - 1]) != null ? _a : "");
  };
  const at = words.findIndex((word2, i) => (isForShell(i) ? word2.split(/[\s;&|()'"]+/) : [word2]).some(isSupertick));
  const [before, word, args] = [words.slice(0, at), words[at], words.slice(at + 1)];
  if (at < 0 || !isListener(program) && (isForShell(at) || args[0] in SUBCOMMANDS)) return void 0;
  if (isForShell(at)) return PLAIN_WORDS.test(word) ? callOf({ ...program, words: plainWords(word) }) : {};
  if (!isCalled(program, at)) return void 0;
  const variables = before.filter((word2) => /^\w+=/.test(word2)).map((word2) => word2.split(new RegExp("=(.*)", "s"), 2));
  return { args, variables: Object.fromEntries(variables) };
}
function isCalled(program, at) {
  const { words } = program;
  if (at === 0 || new RegExp("^(--|\\w+=.*)$", "s").test(words[at - 1]) || FOR_SHELL.test(words[0])) return true;
  if (behindRunners(words).at === at) return true;
  return words[at].includes("/") && (isListener(program) || /(^|\/)(node|bun|deno)$/.test(words[0]));
}
var PLAIN_WORDS = /^\s*(?:(?:[\w@%+=:,./-]|'[^']*'|"[^"$`\\]*")+(?:\s+|$))+$/;
var plainWords = (text) => text.match(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g).map((word) => word.replace(/'([^']*)'|"([^"]*)"/g, "$1$2"));
function isSupertick(word) {
  var _a;
  const isNamed = /^(\S*[^a-z\s])?(supertick(?![a-z])\S*|listener\.js)$/.test(baseName(word));
  if (baseName(word) === "supertick" || !word.includes("/")) return isNamed;
  const start = tryTo(() => fs.statSync(word).isFile() ? readStart(word) : "");
  return (_a = start == null ? void 0 : start.includes("\n// supertick ")) != null ? _a : isNamed;
}
var TO_DESCRIPTOR = /^\/(dev\/(std(out|err)|fd\/\d)|proc\/self\/fd\/\d)$/;
var LONG_STOP_SECONDS = 60;
function doubts(commandOf) {
  const find = (kind) => (caller) => caller.unset.length > 0 ? void 0 : commandDoubts(commandOf(caller), caller.environment.PATH, caller.texts.directory)[kind];
  return [
    ["mistakes", "command", find("mistakes")],
    ["warnings", "command", find("warnings")]
  ];
}
var RULES = [
  ["mistakes", "numprocs", ({ numprocs }) => numprocs !== 1 && "supervisord would share the ticks out among the processes: numprocs=1"],
  ["mistakes", "autorestart", ({ autorestart, exitcodes }) => {
    const final = autorestart === false ? ["of any kind"] : exitcodes.filter((code) => code <= 2);
    return autorestart !== "RestartUnconditionally" && final.length > 0 && `after an exit status ${final.join(" or ")} it stays down: autorestart=true`;
  }],
  ["mistakes", "stopsignal", ({ stopsignal }) => ![2, 3, 15].includes(stopsignal) && "supertick and its job end at TERM, INT or QUIT only: stopsignal=TERM"],
  ["mistakes", "stopwaitsecs", ({ stopwaitsecs, jobs }) => {
    const seconds = longestGrace(jobs);
    const what = jobs.some(({ settings }) => settings.drain > 0) ? "--drain and --kill-after" : "--kill-after";
    return stopwaitsecs <= seconds + (seconds > 0 ? LAST_SIDE_TASKS_SECONDS : 0) && `supervisord would kill supertick before ${what} (${formatDuration(seconds)}) and the last ping are over: stopwaitsecs=${seconds + STOP_MARGIN_SECONDS}`;
  }],
  ["mistakes", "stderr_logfile_maxbytes", ({ stderr_logfile: file, stderr_logfile_maxbytes: limit }) => limit !== 0 && TO_DESCRIPTOR.test(file != null ? file : "") && `supervisord can't rotate ${file} and would report an illegal seek at each line: stderr_logfile_maxbytes=0`],
  ["mistakes", "events", eventsMistake],
  ["mistakes", "command", ({ state }, before) => {
    const rival = before.find((other) => other.state === state);
    return state && rival && `[${rival.section}] has the same counter file, ${state}: give it a --name or --state of its own`;
  }],
  ["warnings", "command", ({ settings }) => (settings == null ? void 0 : settings.crontab) !== void 0 && !fs.existsSync(settings.crontab) && `there is no ${settings.crontab} on this machine: its jobs are not checked`],
  ["warnings", "command", (caller, before) => {
    const doubt = stateDoubt(caller);
    return before.every((other) => stateDoubt(other) !== doubt) && doubt;
  }],
  ...doubts(({ words }) => [words[0], "--"]),
  ...doubts(({ jobCommand }) => jobCommand),
  ["warnings", "command", ({ settings }) => settings && hookDoubts(settings).join("; ")],
  ["warnings", "command", ({ settings }) => settings && outputDoubt(settings.log, settings)],
  ["warnings", "stopwaitsecs", ({ stopwaitsecs, jobs }) => jobs.length > 0 && stopwaitsecs > longestGrace(jobs) + LONG_STOP_SECONDS && `supertick ends its job ${formatDuration(longestGrace(jobs))} after a stop: for one that needs longer, --kill-after`],
  ["warnings", "stdout_logfile", ({ stdout_logfile: file }) => file !== null && file !== "/dev/null" && "each RESULT would be logged: stdout_logfile=NONE"],
  ["warnings", "stderr_logfile", ({ stderr_logfile: file }) => file === "Automatic" && "the log is in a file that supervisord removes when it starts: name one, or /dev/stderr in a container"],
  ["warnings", "stderr_logfile", ({ stderr_logfile: file }) => isSystemd() && TO_DESCRIPTOR.test(file != null ? file : "") && "supervisord's stderr is a socket under systemd, and can't be opened: name a file"],
  ["warnings", "stderr_logfile", ({ supervisor, stderr_logfile: file }) => Boolean(supervisor) && !/^(root|0)$/.test(supervisor) && TO_DESCRIPTOR.test(file != null ? file : "") && `started as root, supervisord can't open it once it is ${supervisor}: start it as that user, or name a file`],
  ["warnings", "buffer_size", ({ settings, texts }) => (settings == null ? void 0 : settings.on) !== void 0 && texts.buffer_size === void 0 && `of more events at once the oldest are lost: buffer_size=${EVENT_BUFFER}`],
  ["warnings", "directory", ({ texts: { directory } }) => (directory == null ? void 0 : directory.startsWith("/")) && !fs.existsSync(directory) && "there is no such directory on this machine"],
  ["warnings", "user", ({ texts: { user }, environment }) => Boolean(user) && !/^(root|0)$/.test(user) && environment.HOME === void 0 && `HOME stays supervisord's: environment=HOME="\u2026",USER="${user}"`]
];
function stateDoubt({ settings, uid, texts }) {
  var _a, _b;
  const directory = directoryOf((_a = settings == null ? void 0 : settings.state) != null ? _a : `${STATE_DIRECTORY}/`).slice(0, -1);
  if (settings === void 0 || !directory.startsWith("/")) return void 0;
  const stats = tryTo(() => fs.statSync(directory));
  const why = "so that count and past would not be kept";
  if (stats === void 0) return `there is no ${directory} on this machine, ${why}: mkdir -p ${directory}`;
  const owner = uid != null ? uid : process.geteuid();
  if (owner === 0 || owner === stats.uid || (stats.mode & 18) !== 0) return void 0;
  const user = (_b = texts.user) != null ? _b : owner;
  return `${user} cannot write ${directory}, ${why}: chown ${user} ${directory}`;
}
function eventsMistake({ events, settings, jobs }) {
  if (settings === void 0) return void 0;
  const { on = [], tick: named } = settings;
  const from = Math.floor(Date.now() / 1e3);
  const fitting = fittingTick(jobs, from);
  const ticks = Object.keys(TICK_PERIODS).filter((type) => isAmong(events, type));
  const tick = named != null ? named : ticks.length === 1 ? ticks[0] : void 0;
  const misfits = misfitsOf(jobs, tick, from);
  if (misfits.length > 0 && tick !== fitting) return `${misfits.join("; ")}: events=${fitting} and --tick ${fitting}`;
  const needed = [...on, named != null ? named : ticks.length === 0 ? fitting : void 0].filter(isPresent);
  const missing = needed.filter((type) => !isAmong(events, type));
  const others = events.filter((name) => !name.startsWith("TICK"));
  if (missing.length > 0)
    return `${listed(missing)} would never come: events=${[.../* @__PURE__ */ new Set([...others, ...needed])].join(",")}`;
  if (fitting === void 0 || tick !== void 0) return void 0;
  return `of ${listed(ticks)} the first to come is the one that counts: add --tick ${fitting} to the command`;
}
var visibleProcesses = () => ({
  machine: machineId(),
  ageOf: (identity) => identity.start === 0 ? Infinity : isAlive(identity) ? ageOf(identity) : void 0
});
function status(args, scopes) {
  const words = [];
  const { layer, command } = parseCommandLine(args, scopes, words);
  const wanted = [...words, ...command];
  const now = Date.now() / 1e3;
  const all = findStateFiles().map((file) => reportOn(file, now));
  const states = wanted.length > 0 ? wanted.flatMap((word) => reportsOn(word, all, now)) : besideLiving(all);
  const [isJson, isMetrics] = [isGiven(layer, "json"), isGiven(layer, "prometheus")];
  if (isJson && isMetrics) throw new UsageError("--json and --prometheus exclude each other");
  const describe = isJson ? describeAsJson : isMetrics ? describeMetrics : describeReports;
  writeFully(1, `${describe(states, now)}
`);
  process.exitCode = isMetrics || isHealthy(states) ? 0 : 1;
}
function isHealthy(states) {
  const isWell = ({ problem, jobs }) => problem === void 0 && !jobs.some(isFailing);
  const judged = judgedOf(states);
  return judged.length > 0 && judged.every(isWell);
}
var judgedOf = (states) => states.filter(({ isApart }) => !isApart);
function besideLiving(states) {
  const isAnyUp = states.some(({ listener }) => listener !== void 0);
  return isAnyUp ? states : states.map((state) => ({ ...state, isApart: void 0 }));
}
var NO_SUCH_JOB = "no job of that name, and no such file; a FILE that was given as --state must be named";
function reportsOn(word, all, now) {
  if (word.includes("/")) return besideLiving([reportOn(word, now)]);
  const named = all.map((state) => ({
    ...state,
    jobs: state.jobs.filter(({ job }) => job === word),
    isDetailed: true
  }));
  const found = besideLiving(named.filter(({ jobs }) => jobs.length > 0));
  if (found.length > 0) return found;
  if (fs.existsSync(word)) return besideLiving([reportOn(word, now)]);
  const unread = all.filter(({ problem, jobs }) => problem !== void 0 && jobs.length === 0);
  return [{ file: word, problem: NO_SUCH_JOB, jobs: [] }, ...unread];
}
function findStateFiles() {
  const { TICK_STATE: file, TMPDIR } = process.env;
  if (file) return [file];
  const temporary = TMPDIR || "/tmp";
  const isUsersOwn = (name) => /^supertick-\d+$/.test(name) && isPrivateTo(Number(name.slice("supertick-".length)), `${temporary}/${name}`);
  const users = namesIn(temporary).filter(isUsersOwn);
  const directories = [STATE_DIRECTORY, ...users.map((name) => `${temporary}/${name}`)];
  const isShut = (directory) => whyUnusable(directory, fs.constants.R_OK) === "EACCES";
  return directories.flatMap((place) => isShut(place) ? [place] : stateFilesIn(place));
}
function stateFilesIn(directory) {
  return namesIn(directory).map((name) => `${directory}/${name}`).filter(isListeners);
}
function isListeners(path) {
  if (FURTHER_FILES.test(path) || !tryTo(() => fs.statSync(path).isFile())) return false;
  return fs.existsSync(`${path}.runs`) || tryTo(() => parseCounter(readStart(path)).machine) !== void 0;
}
function reportOn(file, now) {
  return reportOf(readStateFiles(file), visibleProcesses(), now);
}
function readStateFiles(file) {
  var _a;
  const writtenAt = ((_a = tryTo(() => fs.statSync(file).mtimeMs)) != null ? _a : 0) / 1e3;
  const journal = readJournalFiles(`${file}.runs`);
  try {
    const isTooMuch = [".runs", ".runs.1"].some((ending) => isTooLarge(file + ending));
    const problem = isTooMuch ? "its journal has over 16 MiB: not read" : void 0;
    return { file, counter: parseCounter(readStart(file)), problem, writtenAt, journal };
  } catch (error) {
    const isForeign = /^EACCES|another user/.test(errorCode(error));
    const remedy = isForeign ? ": ask as root, or as its user" : "";
    const why = errorCode(error) === "ENOENT" ? "there is no such file" : `can't be read${remedy}: ${describeError(error)}`;
    const problem = error instanceof Expectation ? `expected ${error.message}` : why;
    return { file, problem, isForeign, writtenAt, journal };
  }
}
var jobStatesIn = (journal) => [...readJournal(linesOf(journal))].filter(([key]) => key !== LISTENER);
function reportOf(files, processes, now) {
  var _a;
  const states = jobStatesIn(files.journal);
  const { file, counter = NO_COUNTER, problem, isForeign } = files;
  const { machine = processes.machine, tick, periodSeconds } = counter;
  const isHere = machine === processes.machine;
  const isAlive2 = (one) => isHere && processes.ageOf(one) !== void 0;
  const living = [counter.listener, counter.supervisor].map((one) => one && isAlive2(one) ? one : void 0);
  const [listener, supervisord] = living.map((one) => one == null ? void 0 : one.pid);
  const isAlone = living.every((one) => one === void 0);
  const age = living[0] && processes.ageOf(living[0]);
  const start = age === Infinity ? files.writtenAt : now - (age != null ? age : 0);
  const { refused = 0 } = counter;
  const refusal2 = refused > 0 ? `${describeRefused(refused)}: the log says which` : void 0;
  const weakness = (_a = describeSilence(counter, states, start, now)) != null ? _a : refusal2;
  return {
    file,
    problem: problem != null ? problem : listener === void 0 ? describeAbsence(counter, isHere, isAlone) : weakness,
    isApart: isForeign || counter !== NO_COUNTER && isAlone || void 0,
    listener,
    supervisord,
    lastTick: tick == null ? void 0 : tick.whenSeconds,
    period: periodSeconds,
    refused: refused > 0 ? refused : void 0,
    jobs: states.map(
      ([key, state]) => jobReport(key, state, listener === void 0 ? NO_COUNTER : counter, now, isAlive2)
    )
  };
}
function describeAbsence({ listener }, isHere, isAlone) {
  if (!isHere) return "its listener is in another container, or on another machine";
  const what = listener === void 0 ? "its listener has ended" : `its listener (pid ${listener.pid}) is dead`;
  return isAlone ? `${what}; its supervisord is gone too` : what;
}
function describeSilence({ listener, tick, periodSeconds }, states, start, now) {
  var _a;
  const isOnEventsAlone = states.length > 0 && states.every(([, { schedule }]) => Object(schedule).on !== void 0);
  const seconds = now - Math.max(start, (_a = tick == null ? void 0 : tick.whenSeconds) != null ? _a : 0);
  if (isOnEventsAlone || seconds <= 3 * (periodSeconds || 60)) return void 0;
  return `its listener (pid ${listener == null ? void 0 : listener.pid}) has had no tick for ${formatAge(seconds)}`;
}
function jobReport(key, state, counter, now, isAlive2) {
  var _a, _b, _c;
  const { name, last, earlier, lastSuccess, recent, counts, failures, paused, runs } = state;
  const schedule = tryReadSchedule(state.schedule, defaultZone);
  const begun = runs.filter(({ phase }) => phase !== "backoff");
  return {
    job: name != null ? name : key,
    schedule: schedule == null ? void 0 : schedule.describe(),
    last,
    earlier,
    lastSuccess,
    recent: [...recent].map((letter) => {
      var _a2;
      return (_a2 = RESULTS.find((result) => result[0] === letter)) != null ? _a2 : "none";
    }),
    runs: Object.fromEntries(RESULTS.map((result) => {
      var _a2;
      return [result, (_a2 = counts[result]) != null ? _a2 : 0];
    })),
    skipped: (_a = counts.skipped) != null ? _a : 0,
    missed: (_b = counts.missed) != null ? _b : 0,
    recentSeconds: secondsBeside(recent, (_c = state.recentSeconds) != null ? _c : []),
    failures,
    next: tryNextRun(state, counter, now, schedule),
    paused,
    running: begun.flatMap(
      ({ number: run, at: since, pid, start = 0 }) => pid !== void 0 && isAlive2({ pid, start }) ? [{ run, since, pid }] : []
    )
  };
}
function secondsBeside(recent, seconds) {
  let at = seconds.length - recent.replace(/-/g, "").length;
  return [...recent].map((letter) => {
    var _a;
    return letter === "-" ? null : (_a = seconds[at++]) != null ? _a : null;
  });
}
function tryNextRun(state, { tick, count, periodSeconds = 0 }, now, schedule = tryReadSchedule(state.schedule, defaultZone)) {
  if (schedule === void 0 || periodSeconds === 0) return void 0;
  if (tick === void 0 && !isByClock(schedule)) return void 0;
  const { whenSeconds = now - now % periodSeconds } = tick != null ? tick : {};
  const next = nextRun(schedule, state, { whenSeconds, count, periodSeconds });
  return next === Infinity ? void 0 : next;
}
var COLUMNS = ["JOB", "FILE", "LAST RUN", "SECONDS", "LAST 20", "FAILED", "NEXT"];
var CUT_COLUMNS = { "LAST 20": 7, FILE: 16, JOB: 9 };
var SIGNS = { success: "\u2713", failure: "\u2717", timeout: "\u23F1", interrupted: "\u2717", none: "\u2013" };
function describeReports(states, now) {
  if (states.length === 0) return "no state file found: name one, supertick status FILE";
  const rows = judgedOf(states).flatMap(({ jobs, file }) => jobs.map((job) => tableRow(job, file, now)));
  const lines = rows.length === 0 ? [] : tableLines([COLUMNS, ...rows]);
  for (const { file, problem, isApart, jobs } of states) {
    const names = isApart ? jobs.map(({ job }) => shown(job)) : [];
    const whose = names.length === 0 ? "" : `history of ${listed(names.slice(0, 9))}: `;
    if (problem !== void 0) lines.push(`${jsonText(file).slice(1, -1)}: ${whose}${problem}`);
  }
  const detailed = states.flatMap((state) => state.isDetailed ? state.jobs.map((job) => ({ job, state })) : []);
  for (const { job, state } of detailed) {
    const title = `${shown(job.job)} (${jsonText(state.file).slice(1, -1)}):`;
    lines.push(...detailed.length > 1 ? [title] : [], ...describeRuns(job));
  }
  return lines.map((line) => line.trimEnd()).join("\n") || "no job recorded yet";
}
function tableLines(all) {
  const isUnclear = new Set(all.map(([job]) => job)).size < all.length;
  const table = isUnclear ? all : all.map(([job, _, ...cells]) => [job, ...cells]);
  const widths = table[0].map((_, i) => Math.max(...table.map((row) => row[i].length)));
  let excess = widths.reduce((sum, width) => sum + width + 2, -2) - 80;
  for (const [title, least] of Object.entries(CUT_COLUMNS)) {
    const at = table[0].indexOf(title);
    const cut = Math.max(0, Math.min(excess, widths[at] - least)) || 0;
    widths[at] -= cut;
    excess -= cut;
  }
  const cell = (text, width) => text.length > width ? `\u2026${text.slice(1 - width)}` : text.padEnd(width);
  return table.map((row) => row.map((text, i) => cell(text, widths[i])).join("  "));
}
function describeAsJson(states) {
  return jsonText({ healthy: isHealthy(states), states });
}
var JOB_METRICS = [
  ["runs_total", "counter", "Runs that ended, by result.", ({ runs }) => runs],
  ["skipped_total", "counter", "Due times that no run started for.", ({ skipped }) => skipped],
  ["missed_total", "counter", "Due times at which no tick came.", ({ missed }) => missed],
  ["last_success_timestamp_seconds", "gauge", "When a run last succeeded.", ({ lastSuccess }) => lastSuccess],
  ["last_duration_seconds", "gauge", "Of the last run's last attempt.", ({ last }) => last == null ? void 0 : last.seconds],
  ["failures_in_a_row", "gauge", "Runs since the last success.", ({ failures }) => failures],
  ["next_due_timestamp_seconds", "gauge", "When the next run starts.", ({ next }) => next],
  ["running", "gauge", "Runs in progress.", ({ running }) => running.length],
  ["paused", "gauge", "1 while nothing of the job is due.", ({ paused }, now) => Number(isPaused(paused, now))]
];
var LISTENER_METRICS = [
  ["last_tick_timestamp_seconds", "gauge", "The last tick counted.", ({ lastTick }) => lastTick],
  ["listener_up", "gauge", "1 while the listener lives.", ({ listener }) => Number(listener !== void 0)],
  ["crontabs_refused", "gauge", "Crontab files with a mistake.", ({ refused = 0 }) => refused]
];
function describeMetrics(states, now) {
  const listeners = lastBy(({ file }) => file, judgedOf(states));
  const jobs = listeners.flatMap(
    (state) => lastBy(({ job }) => job, state.jobs).map((job) => [job, labelsOf(state, job)])
  );
  const labelled = listeners.map((state) => [state, labelsOf(state)]);
  return [...metricLines(JOB_METRICS, jobs, now), ...metricLines(LISTENER_METRICS, labelled, now)].join("\n");
}
function lastBy(keyOf2, all) {
  return [...new Map(all.map((one) => [keyOf2(one), one])).values()];
}
function metricLines(metrics, all, now) {
  return metrics.flatMap(([name, type, help, measure]) => {
    const samples = all.flatMap(([one, labels]) => {
      const value = measure(one, now);
      if (typeof value !== "object") return value === void 0 ? [] : [`supertick_${name}{${labels}} ${value}`];
      return Object.keys(value).map((result) => `supertick_${name}{${labels},result="${result}"} ${value[result]}`);
    });
    return [`# HELP supertick_${name} ${help}`, `# TYPE supertick_${name} ${type}`, ...samples];
  });
}
function labelsOf({ file }, job) {
  const label = (name, text) => `${name}="${text.replace(/[\\"\n]/g, (special) => special === "\n" ? "\\n" : `\\${special}`)}"`;
  return [job && label("job", job.job), label("listener", file)].filter(isPresent).join(",");
}
function describeRuns({ earlier = [], last }) {
  return [...earlier, last].filter(isPresent).reverse().flatMap(({ run, result, at, seconds, reason, tail, ...end }) => {
    var _a;
    const time = seconds > 0 ? `, ${seconds.toFixed(1)}s` : "";
    const when = result === "interrupted" && time === "" ? "noticed" : "ended";
    const how = `run ${run} ${result}: ${shown(howEnded(end))}${time}`;
    const lines = (_a = tail == null ? void 0 : tail.replace(/\n$/, "").split("\n")) != null ? _a : [];
    return [
      `${how}${reason === void 0 ? "" : `, ${shown(reason)}`}, ${when} ${formatTime(at)}`,
      ...lines.map((line) => `  ${escapeAll(line)}`)
    ];
  });
}
var isPaused = (paused, now) => {
  var _a;
  return paused !== void 0 && ((_a = paused.until) != null ? _a : now) >= now;
};
function tableRow({ job, last, recent, failures, next, paused, running }, file, now) {
  const coming = [];
  if (next !== void 0) coming.push(next > now ? `in ${formatAge(next - now)}` : "now");
  if (isPaused(paused, now))
    coming.push(`paused${(paused == null ? void 0 : paused.until) ? ` for another ${formatAge(paused.until - now)}` : ""}`);
  if (running.length > 0) coming.push(`running ${formatAge(now - running[0].since)}`);
  return [
    shown(job),
    jsonText(file).slice(1, -1),
    last === void 0 ? "none yet" : `${last.result} ${formatAge(now - last.at)} ago`,
    ((last == null ? void 0 : last.seconds) ? last.seconds.toFixed(1) : "").padStart(7),
    recent.map((result) => SIGNS[result]).join(""),
    String(failures).padStart(6),
    coming.join("; ") + (running.length > 1 ? ` (${running.length})` : "") || "\u2013"
  ];
}
function formatAge(seconds) {
  return formatDuration(Math.max(0, Math.round(seconds))).replace(/(\D).*/, "$1");
}
var REQUEST_BYTES = 4096;
var REQUEST_SECONDS = 5;
var CONNECTION_SECONDS = 30;
var MOST_CONNECTIONS = 64;
function serve(args, scopes) {
  const settings = readServeSettings(args, scopes);
  const { createServer } = require("http");
  const server = createServer({ maxHeaderSize: REQUEST_BYTES }, (request, response) => {
    const [status2, type, text] = answerTo(request, settings);
    const body = Buffer.from(text);
    const headers = { ...safeHeaders(), "Content-Type": `${type}; charset=utf-8` };
    response.writeHead(status2, { ...headers, "Content-Length": body.length });
    response.end(request.method === "HEAD" ? void 0 : body);
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.on("connection", (socket) => {
    const request = setTimeout(() => socket.bytesWritten === 0 && socket.destroy(), REQUEST_SECONDS * 1e3);
    const whole = setTimeout(() => socket.destroy(), CONNECTION_SECONDS * 1e3);
    socket.once("close", () => [request, whole].forEach(clearTimeout));
  });
  server.on("error", (error) => {
    writeFully(2, `supertick: cannot serve on port ${settings.port}: ${describeError(error)}
`);
    process.exit(1);
  });
  server.listen(settings.port, settings.address, () => {
    const { address, port } = server.address();
    writeFully(2, `supertick: serving http://${address.includes(":") ? `[${address}]` : address}:${port}/
`);
  });
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => process.exit(0));
}
function readServeSettings(args, scopes) {
  var _a, _b;
  const words = [];
  const { layer, command } = parseCommandLine(args, scopes, words);
  const [where = "", ...places] = [...words, ...command];
  const [, name = "127.0.0.1", port] = (_a = /^(?:(.+):)?(\d{1,5})$/.exec(where)) != null ? _a : [];
  if (port === void 0 || Number(port) > 65535 || !(isAddress(name) || name === "localhost"))
    throw new UsageError(`serve: expected [ADDRESS:]PORT, such as 9180 or 0.0.0.0:9180, got ${quote(where)}`);
  const address = name.replace(/[[\]]/g, "");
  return { where, address, port: Number(port), places, hosts: (_b = valuesOf([layer], "crontab").host) != null ? _b : [] };
}
var isAddress = (text) => require("net").isIP(text.replace(/^\[(.*)\]$/, "$1")) > 0;
function safeHeaders() {
  const { createHash } = require("crypto");
  const only = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  const own = `style-src ${only(STYLE)}; script-src ${only(SCRIPT)}; connect-src 'self'`;
  return {
    "Cache-Control": "no-store",
    Connection: "close",
    "Content-Security-Policy": `default-src 'none'; ${own}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff"
  };
}
function answerTo(request, { hosts, places }) {
  var _a;
  const { method = "", url = "", rawHeaders, headers } = request;
  const refuse = (status2, why) => [status2, "text/plain", `${why}
`];
  if (!/^(GET|HEAD)$/.test(method)) return refuse(405, "GET and HEAD only");
  if (url.length + rawHeaders.join("").length > REQUEST_BYTES) return refuse(431, "the request is too large");
  if (!isOwnHost(headers.host, hosts)) return refuse(403, "not a name of this server: start it with --host NAME");
  try {
    return (_a = viewOf(url.replace(new RegExp("\\?.*", "s"), ""), places)) != null ? _a : refuse(404, "there is /, /metrics, /health and /status.json");
  } catch (error) {
    writeFully(2, `supertick: cannot answer: ${quote(String(error.stack))}
`);
    return refuse(500, "it can't be shown: the log of serve says why");
  }
}
function isOwnHost(host = "", names) {
  const name = host.toLowerCase().replace(/:\d+$/, "");
  return isAddress(name) || ["localhost", ...names].includes(name);
}
function viewOf(path, places) {
  const now = Date.now() / 1e3;
  const states = () => besideLiving(filesIn(places).map((file) => servedReport(file, now)));
  switch (path) {
    case "/":
      return [200, "text/html", pageOf(states(), now)];
    case "/health":
      return isHealthy(states()) ? [200, "text/plain", "healthy\n"] : [503, "text/plain", "not healthy\n"];
    case "/status.json":
      return [200, "application/json", `${describeAsJson(states())}
`];
    case "/metrics":
      return [200, "text/plain; version=0.0.4", `${describeMetrics(states(), now)}
`];
    default:
      return void 0;
  }
}
function filesIn(places) {
  const files = places.flatMap((place) => stampOf(place).isDirectory ? stateFilesIn(place) : [place]);
  return places.length === 0 ? findStateFiles() : files;
}
function servedReport(file, now) {
  var _a;
  const links = [file, `${file}.runs`, `${file}.runs.1`].map((path) => tryTo(() => fs.lstatSync(path)));
  if (links.some((link) => (link == null ? void 0 : link.isSymbolicLink()) && link.uid !== 0 && link.uid !== process.geteuid()))
    return { file, problem: "it is another user's link: not read", isApart: true, jobs: [] };
  const report = reportOn(file, now);
  return { ...report, problem: (_a = report.problem) == null ? void 0 : _a.replace(new RegExp(", got .*", "s"), "") };
}
var Html = class {
  constructor(text) {
    this.text = text;
  }
};
function html(pieces, ...insets) {
  return new Html(pieces.reduce((text, piece, i) => text + htmlText(insets[i - 1]) + piece));
}
function htmlText(inset) {
  if (inset instanceof Html) return inset.text;
  if (typeof inset === "object") return inset.map(htmlText).join("");
  const text = inset === false ? "" : String(inset != null ? inset : "");
  return escapeLines(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
function pageOf(states, now) {
  var _a;
  const rowsOf = ({ file, jobs, isApart = false }) => jobs.map((job) => ({ job, file: states.length > 1 && file, rank: isApart ? 2 : isFailing(job) ? 0 : 1 }));
  const rows = states.flatMap(rowsOf).sort((a, b) => a.rank - b.rank);
  const failing = rows.filter(({ rank }) => rank === 0);
  const problems = judgedOf(states).filter(({ problem }) => problem !== void 0);
  const troubles = [plural(failing.length, "failing job"), plural(problems.length, "problem")].filter(isPresent);
  const summary = states.length === 0 ? "no state file found" : (_a = plural(rows.length, "job")) != null ? _a : "no job";
  const verdict = listed(troubles) || (isHealthy(states) ? "all is well" : "not healthy");
  const page = html`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${verdict} – supertick</title><style>${new Html(STYLE)}</style>
<header><h1>supertick</h1><label hidden><input type="checkbox" checked> refresh every minute</label>
<a href="./">refresh now</a><p role="status" id="lost"></p></header>
<main><p class="${isHealthy(states) ? "" : "bad"}"><b>${summary}: ${verdict}</b>, as of ${timeTag(now)}</p>
${states.map(problemOf)}
<ul role="list">${rows.map((row, i) => rowOf(row, now, `o${i}`))}</ul></main>
<footer>${SHAPE_NAMES.map(legendOf)}
<nav><a href="status.json">status.json</a> <a href="metrics">metrics</a>
<a href="health">health</a></nav></footer><script>${new Html(SCRIPT)}</script></html>
`;
  return page.text;
}
var problemOf = ({ file, problem, isApart }) => problem && html`<p class="${isApart ? "" : "bad"}">${shown(file)}: ${problem}</p>\n`;
var isFailing = ({ last }) => last !== void 0 && last.result !== "success";
var resultWord = (result) => result.replace("none", "not run");
var timeTag = (at) => html`<time datetime="${formatTime(at)}">${formatTime(at)}</time>`;
function plural(number, what) {
  return number === 0 ? void 0 : countOf(number, what);
}
var UNITS = { s: "second", m: "minute", h: "hour", d: "day", w: "week" };
function span(seconds) {
  var _a;
  const [, number, unit] = /(\d+)(.)/.exec(formatAge(seconds));
  return (_a = plural(Number(number), UNITS[unit])) != null ? _a : "0 seconds";
}
function rowOf({ job, file, rank }, now, id) {
  const { last, earlier = [], failures, schedule } = job;
  const told = [...earlier, last].reverse().find((one) => (one == null ? void 0 : one.tail) !== void 0);
  const streak = failures > 1 && html`; <b>${failures} failures in a row</b>`;
  const fold = told && html`<details><summary id="${id}">the end of what run ${told.run} wrote (${told.result})</summary>
<pre tabindex="0">${told.tail}</pre></details>`;
  return html`<li class="${rank === 0 ? "bad" : ""}"><div><h2>${shown(job.job)}</h2>
<small>${schedule}${file && ` in ${shown(file)}`}</small></div>
<div>${last === void 0 ? "no run yet" : lastWords(last, now)}${streak}</div>
<div>${stripOf(job)}</div>
<div>${comingOf(job, now).map((words, i) => [i > 0 ? "; " : "", words])}</div>
${fold}</li>
`;
}
function lastWords({ result, at, seconds, ...end }, now) {
  const how = result === "success" ? "" : ` (${shown(howEnded(end))})`;
  const mark = html`<span aria-hidden="true">${SIGNS[result]}</span>`;
  return html`<b class="${result}">${mark} ${result}</b>${how} ${span(now - at)} ago${seconds > 0 && html`, took ${seconds.toFixed(1)}s`}`;
}
function comingOf({ next, paused, running }, now) {
  const coming = [];
  if (running.length > 0) coming.push(html`<b>running</b> for ${span(now - running[0].since)}`);
  if (running.length > 1) coming.push(html`${running.length} runs in progress`);
  if (isPaused(paused, now))
    coming.push(html`<b>paused</b>${(paused == null ? void 0 : paused.until) !== void 0 && html` until ${timeTag(paused.until)}`}`);
  else if (next !== void 0)
    coming.push(html`next ${next > now ? `in ${span(next - now)}` : "now"}, ${timeTag(next)}`);
  return coming;
}
var SHAPES = {
  success: (x, h) => `M${x} 32v-${h}h6v${h}z`,
  failure: (x, h) => `M${x} 32v-${h}l3-6 3 6v${h}z`,
  timeout: (x, h) => `M${x} 32v-${h}h6v${h}zm2-2h2v-${h - 4}h-2z`,
  interrupted: (x, h) => `M${x} 32v-2h6v2zm0-4v-${h - 4}h6v${h - 4}z`,
  none: (x) => `M${x} 32v-2h6v2z`
};
var SHAPE_NAMES = Object.keys(SHAPES);
var SLOT = 8;
function stripOf({ recent, recentSeconds }) {
  if (recent.length === 0) return void 0;
  const start = (MAX_RECENT - recent.length) * SLOT + 1;
  const longest = Math.max(...recentSeconds.map(Number));
  const heightAt = (i) => {
    var _a;
    return 6 + Math.round(18 * ((_a = recentSeconds[i]) != null ? _a : 0) / (longest || 1));
  };
  const [paths, words] = [[], []];
  for (const kind of SHAPE_NAMES) {
    const places = [...recent.keys()].filter((i) => recent[i] === kind);
    const bars = places.map((i) => SHAPES[kind](start + i * SLOT, heightAt(i)));
    if (bars.length > 0) paths.push(html`<path class="${kind}" d="${bars.join("")}"/>`);
    if (bars.length > 0) words.push(`${bars.length} ${resultWord(kind)}`);
  }
  const label = `last ${recent.length}: ${listed(words)}; the longest took ${longest.toFixed(1)}s`;
  return html`<svg width="160" height="32" role="img" aria-label="${label}">${paths}</svg>`;
}
var legendOf = (kind) => html`<span><svg width="8" height="32" aria-hidden="true"><path class="${kind}"
d="${SHAPES[kind](1, 18)}"/></svg> ${resultWord(kind)}</span>`;
var STYLE = `
:root{color-scheme:light dark;--ok:#1a7f37;--bad:#c0261d;--late:#9a5b00;--cut:#7b3fc4;--dim:#666;--line:#8885}
@media(prefers-color-scheme:dark){:root{--ok:#4cc267;--bad:#ff7b72;--late:#e0a030;--cut:#c197ff;--dim:#a0a0a0}}
body{font:16px/1.45 system-ui,sans-serif;max-width:75rem;margin:auto;padding:1rem;overflow-wrap:anywhere}
header,footer{display:flex;flex-wrap:wrap;gap:.5rem 1.25rem;align-items:center}footer{align-items:end}
h1{font-size:1.3rem;margin:0 auto 0 0}h2{font-size:1rem;margin:0}
ul{list-style:none;margin:1rem 0;padding:0;border-top:1px solid var(--line)}
li{display:grid;grid-template-columns:2fr 3fr 160px 3fr;gap:.25rem 1.5rem;align-items:center;padding:.4rem .75rem;
border-left:4px solid #0000;border-bottom:1px solid var(--line)}
.bad{border-left:4px solid var(--bad)}p.bad{padding-left:.75rem}#lost{margin:0;color:var(--bad);width:100%}
small,footer,time{color:var(--dim)}time{display:inline-block}label,summary,a{padding:.3rem 0}
details{grid-column:1/-1;min-width:0}pre{white-space:pre-wrap;max-height:50vh;overflow:auto;margin:.3rem 0}
svg{vertical-align:bottom}path{fill:var(--dim);fill-rule:evenodd}
.success{color:var(--ok);fill:var(--ok)}.failure{color:var(--bad);fill:var(--bad)}
.timeout{color:var(--late);fill:var(--late)}.interrupted{color:var(--cut);fill:var(--cut)}
@media(max-width:50rem){li{grid-template-columns:1fr}}@media(forced-colors:active){path{fill:CanvasText}}
`;
var SCRIPT = `
const find = (what, page = document) => page.querySelector(what);
const show = () => {
  for (const time of document.querySelectorAll("time"))
    time.textContent = new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
};
show();
find("label").hidden = false;
setInterval(async () => {
  const mayNot = () => !find("input").checked || document.hidden || find("details[open]");
  if (mayNot()) return;
  const text = await fetch("./").then((answer) => answer.text(), () => "");
  const page = new DOMParser().parseFromString(text, "text/html");
  find("#lost").textContent = find("main", page) ? "" : "No answer: what you see may be old.";
  if (mayNot() || !find("main", page)) return;
  const { id } = document.activeElement;
  find("main").replaceWith(find("main", page));
  document.title = page.title;
  show();
  if (id) find("#" + id)?.focus();
}, 60000);
`;
var TAKING_SECONDS = 2;
var ANSWER_SECONDS = 5;
var LISTENER_ABSENCE_SECONDS = 60;
var JOURNAL_POLL_MS = 50;
function ask(kind, args, scopes) {
  const words = [];
  const { layer, command } = parseCommandLine(args, scopes, words);
  const [name, ...more] = [...words, ...command];
  const hint = kind === "pause" ? ", and --for D" : "";
  if (name === void 0 || more.length > 0) throw new UsageError(`${kind} takes the name of one job${hint}`);
  const { wait, pauseFor: seconds, requestState } = valuesOf([layer], "crontab");
  const job = findJob(name, requestState);
  if (kind === "resume" && job.state.paused === void 0) return show(`${job.name}: it is not paused`);
  const request = { id: createId(), ask: kind, job: job.key, seconds, at: Date.now() / 1e3, machine: machineId() };
  submit(job.file, request);
  process.exitCode = follow(job, request.id, wait);
}
function findJob(name, file) {
  const jobs = (file === void 0 ? findStateFiles() : [file]).flatMap(jobsOf);
  const named = jobs.filter((job) => job.name === name);
  const meant = named.length > 0 ? named : jobs.filter(({ key }) => key === name);
  const atWork = meant.filter((job) => listenerOf(job.file) !== void 0);
  const found = atWork.length > 0 ? atWork : meant;
  if (found.length === 1) return found[0];
  const files = found.map(({ file: file2 }) => file2);
  if (files.length > 0)
    throw new UsageError(`${quote(name)} is the name of several jobs: --state decides: ${listed(files)}`);
  const names = jobs.map((one) => one.name);
  const others = "; those of another user's listener are known to root and to that user";
  const hint = `${process.geteuid() === 0 ? "" : others}; of a listener with a --state: --state FILE here too`;
  throw new UsageError(`no listener has a job ${quote(name)}${suggestion(name, names)}${hint}`);
}
function jobsOf(file) {
  const states = jobStatesIn(readJournalFiles(`${file}.runs`));
  return states.map(([key, state]) => {
    var _a;
    return { file, key, name: (_a = state.name) != null ? _a : key, state };
  });
}
function listenerOf(file) {
  return tryTo(() => rivalOf(parseCounter(readStart(file))));
}
function submit(file, request) {
  var _a;
  let problem = "no listener is at work on it";
  const refuse = (why) => new UsageError(`${jsonText(file).slice(1, -1)}: ${why}`);
  try {
    if ((_a = listenerOf(file)) == null ? void 0 : _a.isElsewhere) throw codedError("its listener is in another container or machine: ask there");
    makeRequest(file, request);
  } catch (error) {
    const code = errorCode(error);
    throw refuse(/^E(ACCES|PERM)$/.test(code) ? `${code}: ask as root, or as the listener's user` : code);
  }
  const path = requestFile(file, request.id);
  const end = monotonicSeconds() + TAKING_SECONDS;
  while (monotonicSeconds() < end) {
    const listener = listenerOf(file);
    try {
      if (listener !== void 0) {
        problem = `its listener (pid ${listener.pid}) does not take it: it is stopping or busy, or its log says why`;
        process.kill(listener.pid, "SIGURG");
      }
    } catch (error) {
      problem = `the listener (pid ${listener.pid}) can't be asked: ${errorCode(error)}; ask as root, or as its user`;
    }
    sleep(JOURNAL_POLL_MS);
    if (!fs.existsSync(path)) return;
  }
  if (tryTo(() => {
    var _a2;
    return (_a2 = fs.unlinkSync(path)) != null ? _a2 : true;
  })) throw refuse(problem);
}
function follow(job, id, isWaiting) {
  const said = /* @__PURE__ */ new Set();
  let [stamp, seen] = ["", monotonicSeconds()];
  for (; ; ) {
    const before = stamp;
    stamp = stampOf(`${job.file}.runs`).text;
    const { lines, status: status2 } = stamp === before ? { lines: [], status: void 0 } : outcomeOf(job, id, isWaiting);
    for (const line of lines) if (!said.has(line)) show(`${shown(job.name)}: ${line}`);
    for (const line of lines) said.add(line);
    if (status2 !== void 0) return status2;
    if (said.size > 0 && listenerOf(job.file) !== void 0) seen = monotonicSeconds();
    if (monotonicSeconds() - seen > (said.size > 0 ? LISTENER_ABSENCE_SECONDS : ANSWER_SECONDS)) break;
    sleep(JOURNAL_POLL_MS);
  }
  writeFully(2, "supertick: what comes of it is not known: the listener is gone, or its log says why\n");
  return 1;
}
function outcomeOf({ file, key }, id, isWaiting) {
  const lines = [];
  let state = FRESH_STATE;
  let number;
  for (const text of linesOf(readJournalFiles(`${file}.runs`))) {
    const line = tryParseLine(text);
    if ((line == null ? void 0 : line.job) !== key) continue;
    const { fact } = line;
    if (fact.type === "starting" && fact.id === id) number = fact.run;
    const about = state.runs.find((run) => run.number === number);
    state = remember(state, fact);
    if ("run" in fact ? fact.run !== number : !("id" in fact) || fact.id !== id) continue;
    lines.push(...describeForAsker(fact, about));
    const status2 = statusAfter(fact, state, isWaiting);
    if (status2 !== void 0) return { lines, status: status2 };
  }
  return { lines };
}
function describeForAsker(fact, about) {
  if (fact.type === "starting")
    return [`run ${fact.run}${fact.attempt > 1 ? `, attempt ${fact.attempt},` : ""} starts`];
  if (fact.type === "ending" || "run" in fact && about === void 0) return [];
  if (fact.type !== "ended") return [describeFact(fact, about)].filter(isPresent);
  const { tail, ...end } = fact;
  const text = describeFact({ ...end, retryIn: void 0, why: void 0 }, { ...about, since: 0 });
  const output = isText(tail) ? [`it wrote:
${escapeLines(tail)}`] : [];
  return [
    ...output,
    text + (fact.retryIn === void 0 ? "" : `; it is tried again in ${formatDuration(fact.retryIn)}`)
  ];
}
function statusAfter(fact, { last }, isWaiting) {
  if (fact.type === "paused" || fact.type === "resumed") return 0;
  if (fact.type === "skipped") return 1;
  if (!isWaiting) return 0;
  if (fact.type !== "dropped" && (fact.type !== "ended" || fact.retryIn !== void 0)) return void 0;
  if ((last == null ? void 0 : last.run) !== fact.run || !/success|failure/.test(last.result)) return 1;
  return last.result === "success" ? 0 : last.exit || 1;
}
var SUBCOMMANDS = {
  "": {
    usage: ["[options] -- command [argument ...]", "[options] --crontab FILE"],
    about: "run a command, or the jobs of a crontab, on schedule: an event listener, which supervisord starts",
    scopes: ["job", "listener"],
    run: startListener
  },
  init: {
    usage: ["init [options] -- command ...", "init serve [ADDRESS:]PORT"],
    about: "print the section for supervisord.conf",
    scopes: ["job", "listener"],
    run: init
  },
  check: {
    usage: ["check [options] [-- command ...]", "check [--json] supervisord.conf"],
    about: "say in words what will happen and list the next runs, or what is wrong with the sections that run supertick; exit status 1 for a mistake in a file",
    scopes: ["job", "listener", "check", "trial", "report"],
    run: check
  },
  simulate: {
    usage: ["simulate [options] -- command ..."],
    about: "try it: play supervisord, fast, and send ticks over pipes",
    scopes: ["job", "listener", "simulate", "trial"],
    run: simulate
  },
  run: {
    usage: ["run NAME [--wait]"],
    about: "run a job now: asks the listener that has it",
    scopes: ["request", "run"],
    run: (args, scopes) => ask("run", args, scopes)
  },
  pause: {
    usage: ["pause NAME [--for D]"],
    about: "nothing of the job is due until it is resumed, or for D",
    scopes: ["request", "pause"],
    run: (args, scopes) => ask("pause", args, scopes)
  },
  resume: {
    usage: ["resume NAME"],
    about: "end a pause",
    scopes: ["request"],
    run: (args, scopes) => ask("resume", args, scopes)
  },
  status: {
    usage: ["status [--json|--prometheus] [NAME|FILE ...]"],
    about: "show what the state files say; exit status 1 if something is wrong",
    scopes: ["report", "status"],
    run: status
  },
  serve: {
    usage: ["serve [--host NAMES] [ADDRESS:]PORT [FILE|DIR ...]"],
    about: "show the same as a page, with /metrics, /health and /status.json; on 127.0.0.1 where no address is given",
    scopes: ["serve"],
    run: serve
  }
};
function helpText(name) {
  const isOverview = name === "";
  const names = isOverview ? Object.keys(SUBCOMMANDS) : [name];
  const usages = names.map((name2) => {
    const { usage, about } = SUBCOMMANDS[name2];
    const lines = usage.map((words) => `  supertick ${words}`);
    return [...lines.slice(0, -1), helpRow(lines[lines.length - 1], about)].join("\n");
  });
  const { scopes } = SUBCOMMANDS[name];
  const groups = Object.entries(GROUPS).map(([group, title]) => {
    const specs = OPTION_KEYS.map(specOf).filter((spec) => spec.group === group);
    const own = specs.filter(({ scope }) => isOverview || group === "trial" && scopes.includes(scope));
    return own.length === 0 ? "" : `
${isOverview ? title : "Options"}:
${own.map(optionRow).join("\n")}
`;
  });
  const more = scopes.includes("job") ? "It takes the options of a listener too: see supertick --help.\n" : "";
  return `supertick ${"0.2.0"}: cron for supervisord, in one file

${usages.join("\n")}
${isOverview ? `  supertick [SUBCOMMAND] --help | --version

${OVERVIEW}` : more && `
${more}`}${groups.join("")}`;
}
var OVERVIEW = `Each option is a flag or an environment variable, as in brackets; the flag wins.
Durations D: 90, 90s, 5m, 1h30m, 2d, 1w.
Try it:   supertick simulate --ticks 5 --for 15m -- echo hello
Run now:  supertick run NAME
`;
function optionRow({ flag, metavar, env, about, defaultText, default: standard = defaultText }) {
  const notes = [env, standard && `default: ${standard}`].filter(isPresent).join("; ");
  return helpRow(`  ${flag} ${metavar}`, notes === "" ? about : `${about} [${notes}]`);
}
function helpRow(head, text) {
  const indent = 21;
  const lines = text.match(new RegExp(`\\S.{0,${79 - indent}}(?= |$)`, "g"));
  const margin = " ".repeat(indent);
  const start = head.length < indent ? head.padEnd(indent) : `${head}
${margin}`;
  return start + lines.join(`
${margin}`);
}
function commandLineWords() {
  const words = process.argv.slice(2);
  if (!isBun) return words;
  const all = tryReadFile("/proc/self/cmdline").split("\0").slice(0, -1);
  return all[all.length - words.length - 1] === "--" ? ["--", ...words] : words;
}
function main() {
  var _a;
  const args = commandLineWords();
  const options = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
  const name = (_a = Object.keys(SUBCOMMANDS).find((name2) => name2 === args[0])) != null ? _a : "";
  try {
    if (options.includes("--help") || options.includes("-h")) writeFully(1, helpText(name));
    else if (options.includes("--version") || options.includes("-V")) writeFully(1, `supertick ${"0.2.0"}
`);
    else SUBCOMMANDS[name].run(name === "" ? args : args.slice(1), SUBCOMMANDS[name].scopes);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const { SUPERVISOR_PROCESS_NAME: listener = "" } = name === "" ? process.env : {};
    try {
      writeFully(2, `supertick: ${listener}${listener && ": "}${error.message}
`);
    } finally {
      process.exit(2);
    }
  }
}
0 && (module.exports = {
  main
});
return module.exports;
});
typeof require === "function"
  ? supertick(require, { exports: {} }).main()
  : eval('import("module")').then((builtin) => supertick(builtin.createRequire("/"), { exports: {} }).main());
