#!/usr/bin/env node
// supertick 0.1.0: cron for supervisord, in one file. MIT License, the supertick authors.
// Made from listener.ts, where the comments are: read and change that one.
"use strict";
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
function createEventReader() {
  let line = "";
  let header;
  const payload = createPayloadReader();
  let isStrayLineAllowed = false;
  function readHeader(bytes) {
    const newline = bytes.indexOf("\n");
    line += newline < 0 ? bytes : bytes.slice(0, newline);
    if (line.length > MAX_HEADER_BYTES) throw new ProtocolError(`a line of more than 64 KiB: ${quoteBytes(line)}`);
    if (newline < 0) return "";
    header = parseHeader(line);
    if (header !== void 0) payload.begin(header.length);
    else if (!isStrayLineAllowed) throw new ProtocolError(`a line that is no event header: ${quoteBytes(line)}`);
    line = "";
    isStrayLineAllowed = false;
    return bytes.slice(newline + 1);
  }
  function complete({ name, serial }) {
    header = void 0;
    return { name, serial, payload: payload.text() };
  }
  return {
    push(bytes) {
      let rest = bytes;
      while (header === void 0) {
        if (rest === "") return void 0;
        rest = readHeader(rest);
      }
      const dropped = payload.push(rest);
      if (!payload.isComplete()) return void 0;
      isStrayLineAllowed = dropped > 0;
      return complete(header);
    },
    isAmbiguous: () => header !== void 0 && payload.isAmbiguous(),
    settle() {
      isStrayLineAllowed = true;
      return complete(header);
    }
  };
}
function parseHeader(line) {
  const tail = / eventname:([A-Z][A-Z0-9_]*) len:(\d+)$/.exec(line);
  if (tail === null) return void 0;
  const poolserialAt = line.lastIndexOf(" poolserial:", tail.index);
  const serialAt = line.lastIndexOf(" serial:", poolserialAt);
  if (poolserialAt < 0 || serialAt < 0) return void 0;
  const serial = /^\d{1,15}(?= )/.exec(line.slice(serialAt + " serial:".length));
  const length = Number(tail[2]);
  if (serial === null) return void 0;
  if (length > MAX_PAYLOAD_LENGTH) throw new ProtocolError(`an event that is too long: ${quoteBytes(line.slice(-80))}`);
  return { name: tail[1], serial: Number(serial[0]), length };
}
function createPayloadReader() {
  let length = 0;
  let kept = "";
  let byteCount = 0;
  let codePoints = 0;
  let owedBytes = 0;
  return {
    begin(expected) {
      length = expected;
      kept = "";
      byteCount = codePoints = owedBytes = 0;
    },
    push(bytes) {
      let end = 0;
      for (; end < bytes.length; end++) {
        const byte = bytes.charCodeAt(end);
        if (owedBytes > 0 && (byte & 192) === 128) {
          owedBytes--;
        } else {
          if (codePoints === length) break;
          codePoints++;
          owedBytes = byte < 192 ? 0 : byte < 224 ? 1 : byte < 240 ? 2 : 3;
        }
      }
      if (end < bytes.length) owedBytes = 0;
      byteCount += end;
      kept = byteCount > MAX_KEPT_PAYLOAD_BYTES ? "" : kept + bytes.slice(0, end);
      return bytes.length - end;
    },
    isComplete: () => codePoints === length && owedBytes === 0,
    isAmbiguous: () => byteCount === length,
    text: () => decodeUtf8(kept)
  };
}
function decodeUtf8(bytes) {
  return /^[\x00-\x7f]*$/.test(bytes) ? bytes : Buffer.from(bytes, "latin1").toString("utf8");
}
function parseRemoteCommunication(payload) {
  const newline = payload.indexOf("\n");
  const head = newline < 0 ? payload : payload.slice(0, newline);
  return { type: head.replace(/^type:/, ""), data: newline < 0 ? "" : payload.slice(newline + 1) };
}
function quote(text) {
  return jsonText(text.length > 80 ? `${text.slice(0, 80)}\u2026` : text);
}
function jsonText(value) {
  return escapeUnsafe(JSON.stringify(value));
}
function escapeUnsafe(text) {
  return text.replace(/[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, escapeCodeUnit);
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
function wasCounted(clock, { serial, whenSeconds }) {
  if (!clock.isRestored) return serial <= clock.serial;
  if (clock.isForeign) return serial === clock.serial && whenSeconds === clock.whenSeconds;
  return serial <= clock.serial && whenSeconds <= clock.whenSeconds;
}
var FIXED_JOBS_WAIT_SECONDS = 3 * 3600;
function windowOf({ whenSeconds, periodSeconds }) {
  const after = whenSeconds - periodSeconds;
  return { after, fixedAfter: after, upTo: whenSeconds };
}
function countTick(clock, tick) {
  const when = tick.whenSeconds;
  if (clock === void 0) {
    const first = { whenSeconds: when, serial: tick.serial, decidedSeconds: when, fixedDecidedSeconds: when };
    return { clock: { ...first, isRestored: false }, window: windowOf(tick), setBackSeconds: 0 };
  }
  if (wasCounted(clock, tick)) return void 0;
  const setBackSeconds = Math.max(0, clock.whenSeconds - when);
  const decided = setBackSeconds <= 2 * tick.periodSeconds ? clock.decidedSeconds : when;
  const fixedDecided = setBackSeconds < FIXED_JOBS_WAIT_SECONDS ? clock.fixedDecidedSeconds : when;
  return {
    clock: {
      whenSeconds: when,
      serial: tick.serial,
      decidedSeconds: Math.max(decided, when),
      fixedDecidedSeconds: Math.max(fixedDecided, when),
      isRestored: false
    },
    window: { after: decided, fixedAfter: fixedDecided, upTo: when },
    setBackSeconds
  };
}
function dueTime(schedule, count, window) {
  switch (schedule.kind) {
    case "ticks":
      return isGoalReached(schedule, count) ? window.upTo : void 0;
    case "slices": {
      const start2 = sliceStart(schedule, window.upTo);
      return start2 > window.after ? start2 : void 0;
    }
    case "cron": {
      const { cron, zone } = schedule;
      return dueTimes(cron, zone, cronAfter(cron, window), window.upTo).latest;
    }
    case "events":
    case "start":
      return void 0;
  }
}
function notDueBefore(schedule, from) {
  switch (schedule.kind) {
    case "ticks":
      return 0;
    case "slices":
      return sliceStart(schedule, from) + schedule.everySeconds;
    case "cron":
      return quietUntil(schedule.cron, schedule.zone, from);
    case "events":
    case "start":
      return Number.POSITIVE_INFINITY;
  }
}
function isGoalReached({ every, isOfAll }, count) {
  return isOfAll ? count > 0 && count % every === 0 : count >= every;
}
function ticksToGo({ every, isOfAll }, count) {
  return isOfAll ? every - count % every : Math.max(1, every - count);
}
function cronAfter(cron, window) {
  return cron.isFixed ? window.fixedAfter : window.after;
}
function judgeDueTime(schedule, due, upTo, periodSeconds) {
  if (schedule.kind !== "cron" || due > upTo - 2 * periodSeconds) return "schedule";
  return upTo - due <= schedule.catchUpSeconds ? "catch-up" : "missed";
}
function withUndecided(clock, { after, fixedAfter }) {
  return { ...clock, decidedSeconds: after, fixedDecidedSeconds: fixedAfter };
}
function delayWindow({ after, fixedAfter, upTo }, seconds) {
  return { after: after - seconds, fixedAfter: fixedAfter - seconds, upTo: upTo - seconds };
}
function countDueTimes(schedule, window) {
  if (schedule.kind !== "cron") return 1;
  return dueTimes(schedule.cron, schedule.zone, cronAfter(schedule.cron, window), window.upTo).count;
}
function nextDueTimes(schedule, from, count) {
  switch (schedule.kind) {
    case "ticks":
    case "events":
    case "start":
      return [];
    case "slices": {
      const first = sliceStart(schedule, from) + schedule.everySeconds;
      return Array.from({ length: count }, (_, i) => first + i * schedule.everySeconds);
    }
    case "cron":
      return nextDues(schedule.cron, schedule.zone, from, count);
  }
}
function countAfter(schedule, count) {
  return schedule.kind === "ticks" && !schedule.isOfAll && isGoalReached(schedule, count) ? 0 : count;
}
function nextRun(schedule, { clock, count, periodSeconds }, delaySeconds) {
  if (clock === void 0 || periodSeconds === 0) return void 0;
  if (schedule.kind === "ticks") return clock.whenSeconds + ticksToGo(schedule, count) * periodSeconds;
  const rest = delaySeconds % periodSeconds;
  const shift = delaySeconds - rest;
  const [due] = nextDueTimes(schedule, clock.decidedSeconds - shift, 1);
  return due === void 0 ? void 0 : Math.ceil((due + shift) / periodSeconds) * periodSeconds + rest;
}
function sliceStart(slices, at) {
  return Math.floor((at - slices.offsetSeconds) / slices.everySeconds) * slices.everySeconds + slices.offsetSeconds;
}
function isListenedTo(schedule, eventName) {
  return schedule.kind === "events" && isAmong(schedule.names, eventName);
}
function isAmong(eventNames, wanted) {
  return eventNames.some((name) => name === "EVENT" || name === wanted || wanted.startsWith(`${name}_`));
}
function stableDelay(key, limitSeconds) {
  return limitSeconds === 0 ? 0 : hash32(key) % limitSeconds;
}
function hash32(text) {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  return hash >>> 0;
}
function longestDelay(schedule, from, limit) {
  if (limit <= leastGap(schedule)) return limit;
  const dues = nextDueTimes(schedule, from, 100);
  return dues.slice(1).reduce((shortest, due, i) => Math.min(shortest, due - dues[i]), limit);
}
function leastGap(schedule) {
  if (schedule.kind !== "cron") return 0;
  const [second, minute, hour] = schedule.cron.text.split(" ");
  if (second !== "0") return 0;
  return /^\d+$/.test(minute) && /^\d+$/.test(hour) ? 20 * 3600 : 60;
}
function describeSchedule(schedule) {
  switch (schedule.kind) {
    case "ticks":
      return schedule.every === 1 ? "every tick" : `every ${schedule.every} ticks`;
    case "slices": {
      const offset = schedule.offsetSeconds === 0 ? "" : `, offset ${formatDuration(schedule.offsetSeconds)}`;
      return `every ${formatDuration(schedule.everySeconds)}${offset}`;
    }
    case "cron":
      return describeCron(schedule.cron, schedule.zone.name);
    case "events":
      return `on ${schedule.names.join(", ")}`;
    case "start":
      return "when the listener starts";
  }
}
function scheduleRecord(schedule) {
  switch (schedule.kind) {
    case "ticks":
      return { ticks: schedule.every, ofAll: schedule.isOfAll };
    case "slices":
      return { every: schedule.everySeconds, offset: schedule.offsetSeconds };
    case "cron":
      return { cron: schedule.cron.text, tz: schedule.zone.name === LOCAL_TIME ? void 0 : schedule.zone.name };
    case "events":
      return { on: schedule.names };
    case "start":
      return { start: true };
  }
}
function tryReadSchedule(record, localZone) {
  const { ticks, ofAll, every, offset, cron, tz, on, start: start2 } = Object(record);
  try {
    if (Number.isInteger(ticks)) return { kind: "ticks", every: Number(ticks), isOfAll: ofAll === true };
    if (Number.isInteger(every) && Number.isInteger(offset) && Number(every) > 0)
      return { kind: "slices", everySeconds: Number(every), offsetSeconds: Number(offset) };
    if (Array.isArray(on)) return { kind: "events", names: on.map(String) };
    if (start2 === true) return { kind: "start" };
    if (typeof cron !== "string") return void 0;
    const zone = tz === void 0 ? localZone() : zoneNamed(String(tz));
    return { kind: "cron", cron: parseCron(cron), zone, catchUpSeconds: 0 };
  } catch {
    return void 0;
  }
}
function tickMismatches(schedule, periodSeconds, from) {
  if (schedule.kind === "cron") return tickWarnings(schedule.cron, schedule.zone, from, periodSeconds);
  if (schedule.kind !== "slices") return [];
  if (schedule.everySeconds % periodSeconds === 0 && schedule.offsetSeconds % periodSeconds === 0) return [];
  const tick = `a tick every ${formatDuration(periodSeconds)}`;
  if (schedule.everySeconds < periodSeconds)
    return [`${describeSchedule(schedule)} is finer than ${tick}: due times between two ticks are one run`];
  return [`${describeSchedule(schedule)} does not fit ${tick}; each run comes with the first tick after its due time`];
}
var DURATION_UNITS = [
  ["w", 604800],
  ["d", 86400],
  ["h", 3600],
  ["m", 60],
  ["s", 1]
];
var DURATION = /^(?:(\d+)|(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?)$/;
var MAX_DURATION_SECONDS = Math.floor(Number.MAX_SAFE_INTEGER / 1e3);
function parseDuration(text) {
  const match = DURATION.exec(text.trim());
  if (match === null || match[0] === "") throw new Expectation("a duration such as 30s, 5m or 1h30m");
  const [, bare, ...parts] = match;
  const seconds = bare !== void 0 ? Number(bare) : sumDuration(parts);
  if (seconds > MAX_DURATION_SECONDS) throw new Expectation(`a duration of at most ${MAX_DURATION_SECONDS}s`);
  return seconds;
}
function sumDuration(parts) {
  return parts.reduce((sum, part, i) => sum + Number(part != null ? part : 0) * DURATION_UNITS[i][1], 0);
}
function formatDuration(seconds) {
  let rest = seconds;
  let text = "";
  for (const [unit, size] of DURATION_UNITS) {
    if (unit === "w" && seconds % size !== 0) continue;
    const n = Math.floor(rest / size);
    if (n > 0) text += `${n}${unit}`;
    rest -= n * size;
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
  { name: "second", low: 0, high: 59, size: 60, cycle: "minute", everyUnit: "s", names: [] },
  { name: "minute", low: 0, high: 59, size: 60, cycle: "hour", everyUnit: "m", names: [] },
  { name: "hour", low: 0, high: 23, size: 24, cycle: "day", everyUnit: "h", names: [] },
  { name: "day-of-month", low: 1, high: 31, size: 31, cycle: "month", everyUnit: "d", names: [] },
  { name: "month", low: 1, high: 12, size: 12, cycle: "year", everyUnit: "", names: MONTHS.map(threeLetters) },
  { name: "day-of-week", low: 0, high: 7, size: 7, cycle: "week", everyUnit: "d", names: WEEKDAYS.map(threeLetters) }
];
var MACROS = {
  "@hourly": "0 * * * *",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@weekly": "0 0 * * 0",
  "@monthly": "0 0 1 * *",
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *"
};
function parseCron(text) {
  const fields = splitCron(text);
  const sets = fields.map(fieldSets);
  const day = sets[3];
  const cron = {
    text: fields.join(" "),
    isFixed: !fields[1].startsWith("*") && !fields[2].startsWith("*"),
    needsBothDays: /^[*?]/.test(fields[3]) || /^[*?]/.test(fields[5]),
    seconds: fields[0] === "0" ? WHOLE_MINUTES : sets[0].values,
    minutes: sets[1].values,
    hours: sets[2].values,
    months: sets[4].values[0],
    days: day.values[0],
    nearestWeekdays: day.nearestWeekdays,
    weekdays: sets[5].weekdays
  };
  const isSurelyMet = (cron.days & 1073741822) !== 0 && fields[5] === "*";
  if (!isSurelyMet && firstDay(cron, 0, DAYS_IN_400_YEARS) === Infinity) {
    throw new Error(`expression ${quote(text)} never matches: its months have no such day`);
  }
  return cron;
}
var WHOLE_MINUTES = [1, 0];
var knownFields = CRON_FIELDS.map(() => /* @__PURE__ */ new Map());
var MAX_KNOWN_FIELDS = 100;
function fieldSets(text, index) {
  const known = knownFields[index];
  let sets = known.get(text);
  if (sets === void 0) {
    const items = parseField(CRON_FIELDS[index], text);
    const nearest = (bits, item) => item.is === "nearest-weekday" ? bits | 1 << item.day : bits;
    sets = { values: bitSet(items), nearestWeekdays: items.reduce(nearest, 0), weekdays: weekdayBits(items) };
    if (known.size >= MAX_KNOWN_FIELDS) known.clear();
    known.set(text, sets);
  }
  return sets;
}
function splitCron(text) {
  const strangeBlank = /[^\S \t]|[\u200b-\u200d\u2060]/.exec(text);
  if (strangeBlank !== null) {
    const code = strangeBlank[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
    const name = { "00A0": "a no-break space", "000A": "a line break", "000D": "a carriage return" }[code];
    const what = name === void 0 ? `the blank U+${code}` : `${name} (U+${code})`;
    throw new Error(`expression ${quote(text)} has ${what}: fields are separated by spaces or tabs`);
  }
  const isPlain = !text.includes("	") && !text.includes("  ") && text === text.trim();
  const fields = isPlain && text !== "" ? text.split(" ") : text.split(/[ \t]+/).filter((field) => field !== "");
  if (fields.length > 0 && fields[0].startsWith("@")) return ["0", ...expandMacro(fields).split(" ")];
  if (fields.length === 5) return ["0"].concat(fields);
  const mistake = countMistake(fields);
  if (mistake !== void 0) throw new Error(mistake);
  return fields;
}
function expandMacro(fields) {
  const [macro, argument] = fields;
  const known = Object.keys(MACROS);
  if (known.includes(macro) && argument === void 0) return MACROS[macro];
  let why = `is unknown: expected ${listed(known, "or")}`;
  if (known.includes(macro)) why = "has fields behind it: a macro stands alone";
  else if (known.includes(macro.toLowerCase())) why = `is unknown: macros are lower-case, ${macro.toLowerCase()}`;
  else if (macro === "@every") why = `is unknown: use --every ${argument === void 0 ? "90m" : argument}`;
  else if (macro === "@reboot") why = "is unknown: use --run-on-start";
  throw new Error(`macro ${quote(fields.join(" "))} ${why}`);
}
function countMistake(fields) {
  const text = fields.join(" ");
  if (fields.length === 0) return "the expression is empty: expected five fields such as 30 2 * * *";
  if (MACROS[`@${text}`] !== void 0) return `expression ${quote(text)} is no schedule: did you mean @${text}?`;
  if (fields.length < 5) {
    const missing = CRON_FIELDS.slice(fields.length + 1).map((field) => field.name);
    const verb = missing.length === 1 ? "is" : "are";
    const fieldWord = fields.length === 1 ? "field" : "fields";
    return `expression ${quote(text)} has ${fields.length} ${fieldWord}, 5 needed: ${listed(missing)} ${verb} missing`;
  }
  const isWord = /^[a-z_][\w.-]{2,}$|^[.~]*\/.*[a-z]/i.test(fields[5]);
  if (isWord && !WEEKDAYS.map(threeLetters).includes(threeLetters(fields[5]))) {
    return `expression has ${quote(fields[5])} behind five fields: a crontab line's user and command do not belong here`;
  }
  const split = fields.find((field) => /^[,/]|[,/-]$/.test(field));
  if (split !== void 0) return `expression has a blank beside ${quote(split)}, which splits the field`;
  if (fields.length === 6 && /^\d{4}$/.test(fields[5])) {
    return `day-of-week ${fields[5]} is above 7: with six fields the first is seconds, and there is no year field`;
  }
  if (fields.length === 6) return void 0;
  return `expression ${quote(text)} has ${fields.length} fields, 5 needed, or 6 with seconds in front; there is no year field`;
}
function parseField(field, text) {
  if (text === ",") throw refusal(field, text, text, "is an empty list");
  if (text.startsWith(",")) throw refusal(field, text, text, "begins with a comma");
  if (text.endsWith(",")) throw refusal(field, text, text, "ends with a comma: no blank may follow it");
  if (text.includes(",,")) throw refusal(field, text, text, "has an empty list element");
  if (text === "?" && field.name.startsWith("day")) return parseField(field, "*");
  return text.split(",").map((item) => parseDayItem(field, text, item) || parseRangeItem(field, text, item));
}
function parseDayItem(field, text, item) {
  if (field.name === "day-of-month") {
    const [, day, weekday] = /^(L|\d+(?=W))(W?)$/i.exec(item) || [];
    if (day === void 0) return void 0;
    const number = day.toUpperCase() === "L" ? 0 : parseValue(field, text, day);
    return weekday === "" ? { is: "day", day: number } : { is: "nearest-weekday", day: number };
  }
  if (field.name === "day-of-week") {
    const [, weekday, nth] = /^(\d+|[a-z]{3})(?:L|#([1-5]))$/i.exec(item) || [];
    if (weekday === void 0) return void 0;
    return { is: "nth-weekday", weekday: parseValue(field, text, weekday) % 7, nth: Number(nth || 0) };
  }
  return void 0;
}
function parseRangeItem(field, text, item) {
  const [, star, from, to, stepText] = /^(?:(\*)|(\d+|[a-z]{3,})(?:-(\d+|[a-z]{3,}))?)(?:\/(\d+))?$/i.exec(item) || [];
  if (star === void 0 && from === void 0) {
    throw refusal(field, text, item, syntaxHint(field, item) || `is not ${expectedValue(field)}`);
  }
  const step2 = stepText === void 0 ? 1 : Number(stepText);
  if (step2 === 0) throw refusal(field, text, item, `has a step of 0: expected 1 to ${field.size}`);
  if (step2 > field.size) {
    const instead = field.everyUnit === "" ? "" : `: use --every ${step2}${field.everyUnit}`;
    throw refusal(field, text, item, `has a step over the field's ${field.size} values${instead}`);
  }
  const low = star === "*" ? field.low : parseValue(field, text, from);
  let high = low;
  if (to !== void 0) high = parseValue(field, text, to);
  else if (star === "*") high = field.low + field.size - 1;
  else if (stepText !== void 0) high = field.high;
  if (field.name === "day-of-week" && high === 0 && low > 0) high = 7;
  if (low > high) {
    const instead = stepText === void 0 ? `write ${forwardRanges(field, from, to, low, high)}` : "write a list";
    throw refusal(field, text, item, `runs backwards: ${instead}`);
  }
  const values = [];
  for (let value = low; value <= high; value += step2) values.push(value);
  return { is: "values", values };
}
function forwardRanges(field, from, to, low, high) {
  const show = (value) => /\d/.test(from + to) ? String(value) : field.names[(value - field.low) % field.size];
  const range = (a, b) => a === b ? show(a) : `${show(a)}-${show(b)}`;
  if (field.name !== "day-of-week") return `${range(low, field.high)},${range(field.low, high)}`;
  return low === 7 ? range(0, high) : `${range(low, 7)},${range(1, high)}`;
}
function parseValue(field, text, token) {
  const named = field.names.indexOf(token.toUpperCase());
  if (named >= 0) return field.low + named;
  if (!/^\d+$/.test(token)) throw refusal(field, text, token, nameMistake(field, token));
  const value = Number(token);
  if (value < field.low) throw refusal(field, text, token, `is below ${field.low}`);
  if (value > field.high) throw refusal(field, text, token, syntaxHint(field, token) || `is above ${field.high}`);
  return value;
}
function nameMistake(field, token) {
  const name = threeLetters(token);
  if (field.names.includes(name)) return `is not a name of three letters: did you mean ${name}?`;
  const owner = CRON_FIELDS.find((other) => other.names.includes(name));
  if (owner === void 0) return `is not ${expectedValue(field)}`;
  return `is the name of a ${owner.name}: are the fields shifted?`;
}
function expectedValue(field) {
  if (field.names.length === 0) return "a number";
  return `a number or a name from ${field.names[0]} to ${field.names[field.names.length - 1]}`;
}
var [ANY, DAY_FIELD, OTHER_FIELD] = [/./, /^day/, /^(?!day)/];
var SYNTAX_HINTS = [
  [/^hour/, /^24$/, "is above 23: midnight is 0"],
  [ANY, /^@/, "is a macro: a macro stands alone"],
  [ANY, /["'`]/, "has a quotation mark: the expression is given without"],
  [ANY, /^[+-]/, "has a sign: values are plain numbers"],
  [ANY, /\/[+-]/, "has a sign in its step: steps are plain numbers"],
  [ANY, /\/.*\//, "has two slashes"],
  [ANY, /^\//, "has nothing before the slash: write * there"],
  [ANY, /\/$/, "has no step after the slash"],
  [ANY, /\.\./, "has dots: ranges use a hyphen"],
  [ANY, /\./, "has a point: values and steps are whole numbers"],
  [ANY, /;/, "has a semicolon: lists use commas"],
  [ANY, /[\u2010-\u2015\u2212]/, "has a dash that is no hyphen: ranges use -"],
  [ANY, /[^ -~]/, "has a character that is not ASCII: digits are 0 to 9"],
  [ANY, /~/, "is a random range, which is not supported: --jitter spreads runs"],
  [ANY, /^H($|[(/])/, "is Jenkins' hash, which is not supported: --jitter spreads runs"],
  [DAY_FIELD, /\?/, "has a question mark, which must stand alone"],
  [OTHER_FIELD, /\?/, "has a question mark, which means * in a day field only"],
  [OTHER_FIELD, /^\d*(L|W|LW)$|#/i, "is for the day fields: L, W and # mean nothing here"],
  [/^day-of-month/, /^L-/i, "counts back from the last day, which is not supported"],
  [/^day-of-month/, /-.*W$/i, "has W on a range: W goes with one day"],
  [/^day-of-month/, /L$|#/i, "names a weekday: nL and n#m belong in day-of-week"],
  [/^day-of-week/, /^L$/i, "is ambiguous: the last Saturday is 6L, the month's last day is L in day-of-month"],
  [/^day-of-week/, /W$/i, "is a day's nearest weekday: nW belongs in day-of-month"],
  [/^day-of-week/, /-.*(#|L$)/i, "has L or # on a range: they go with one weekday"],
  [/^day-of-week/, /#L$/i, "has no occurrence from 1 to 5: the last one is written as in 5L"],
  [/^day-of-week/, /#/, "has no occurrence from 1 to 5, as in 5#2"],
  [ANY, /^0x|\de\d/i, "is not a decimal number"],
  [ANY, /-.*-/, "has two hyphens"],
  [ANY, /-$/, "has no upper end"],
  [ANY, /\/.*\D/, "has a step that is not a number"]
];
function syntaxHint(field, item) {
  const row = SYNTAX_HINTS.find(([fields, items]) => fields.test(field.name) && items.test(item));
  return row === void 0 ? void 0 : row[2];
}
function refusal(field, text, token, why) {
  const shown = /^\d+$/.test(token) ? token : quote(token);
  return new Error(`${field.name} ${shown}${token === text ? "" : ` in ${quote(text)}`} ${why}`);
}
function bitSet(items) {
  let [low, high] = [0, 0];
  const add = (value) => {
    if (value < 32) low |= 1 << value;
    else high |= 1 << value - 32;
  };
  for (const item of items) {
    if (item.is === "values") item.values.forEach(add);
    else if (item.is === "day") add(item.day);
  }
  return [low, high];
}
function weekdayBits(items) {
  const bits = [0, 0, 0, 0, 0, 0];
  for (const item of items) {
    if (item.is === "nth-weekday") bits[item.nth] |= 1 << item.weekday;
    if (item.is !== "values") continue;
    for (const weekday of item.values) for (let nth = 1; nth <= 5; nth++) bits[nth] |= 1 << weekday % 7;
  }
  return bits;
}
function listed(words, conjunction = "and") {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} ${conjunction} ${words[words.length - 1]}`;
}
var SECONDS_IN_DAY = 86400;
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
function firstTime(cron, from) {
  const fromHour = Math.floor(from / 3600);
  const fromMinute = Math.floor(from / 60) % 60;
  let hour = firstMember(cron.hours, fromHour);
  let minute = -1;
  let second = -1;
  if (hour === fromHour) {
    minute = firstMember(cron.minutes, fromMinute);
    if (minute === fromMinute) {
      second = firstMember(cron.seconds, from % 60);
      if (second < 0) minute = firstMember(cron.minutes, fromMinute + 1);
    }
    if (minute < 0) hour = firstMember(cron.hours, fromHour + 1);
  }
  if (hour < 0) return -1;
  if (minute < 0) minute = firstMember(cron.minutes, 0);
  if (second < 0) second = firstMember(cron.seconds, 0);
  return hour * 3600 + minute * 60 + second;
}
function firstDay(cron, from, until) {
  let { year, month, day } = dateOf(from);
  for (; ; ) {
    const nextMonth = lowestBit(cron.months & -1 << month);
    if (nextMonth !== month) day = 1;
    month = nextMonth;
    if (month < 0) {
      year += 1;
      month = 1;
      continue;
    }
    const first = Date.UTC(year, month - 1, 1) / SECONDS_IN_DAY / 1e3;
    if (!(first <= until)) return Infinity;
    const length = month === 2 ? isLeapYear(year) ? 29 : 28 : 30 + (month + (month >> 3) & 1);
    const match = lowestBit(matchingDays(cron, first, length) & -1 << day);
    if (match >= 0) return first + match - 1;
    month += 1;
    day = 1;
  }
}
var lastDate = { at: Number.NaN, year: 0, month: 0, day: 0 };
function dateOf(at) {
  if (at !== lastDate.at) {
    const date = new Date(at * SECONDS_IN_DAY * 1e3);
    lastDate = { at, year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
  }
  return lastDate;
}
function matchingDays(cron, first, length) {
  const firstWeekday = ((first + 4) % 7 + 7) % 7;
  let byDay = cron.days | (cron.days & 1) << length;
  for (let rest = cron.nearestWeekdays; rest !== 0; rest &= rest - 1) {
    const day = lowestBit(rest) || length;
    if (day <= length) byDay |= 1 << nearestWeekday(day, length, (firstWeekday + day - 1) % 7);
  }
  let byWeekday = weekFrom(cron.weekdays[0], (firstWeekday + length) % 7) << length - 6;
  for (let nth = 1; nth <= 5; nth++) byWeekday |= weekFrom(cron.weekdays[nth], firstWeekday) << 7 * nth - 6;
  const month = -1 >>> 31 - length & ~1;
  return (cron.needsBothDays ? byDay & byWeekday : byDay | byWeekday) & month;
}
function weekFrom(weekdays, weekday) {
  return (weekdays | weekdays << 7) >> weekday & 127;
}
function nearestWeekday(day, length, weekday) {
  if (weekday === 6) return day > 1 ? day - 1 : day + 2;
  if (weekday === 0) return day < length ? day + 1 : day - 2;
  return day;
}
function isLeapYear(year) {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}
function firstMember(set, from) {
  const low = from < 32 ? set[0] & -1 << from : 0;
  if (low !== 0) return lowestBit(low);
  const high = from < 64 ? set[1] & -1 << Math.max(0, from - 32) : 0;
  return high === 0 ? -1 : 32 + lowestBit(high);
}
function lowestBit(bits) {
  return 31 - Math.clz32(bits & -bits);
}
var ZONE_AREAS = /^(Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Brazil|Canada|Chile|Etc|Europe|Indian|Mexico|Pacific)$/i;
var ZONE_LINKS = `
UTC=UTC UCT=UTC GMT=UTC GMT0=UTC GMT+0=UTC GMT-0=UTC Greenwich=UTC Universal=UTC Zulu=UTC Etc/UTC=UTC Etc/UCT=UTC
Etc/GMT=UTC Etc/GMT0=UTC Etc/GMT+0=UTC Etc/GMT-0=UTC Etc/Greenwich=UTC Etc/Universal=UTC Etc/Zulu=UTC
CET=Europe/Brussels EET=Europe/Athens MET=Europe/Brussels WET=Europe/Lisbon EST=America/Panama MST=America/Phoenix
HST=Pacific/Honolulu EST5EDT=America/New_York CST6CDT=America/Chicago MST7MDT=America/Denver PST8PDT=America/Los_Angeles
Cuba=America/Havana Egypt=Africa/Cairo Eire=Europe/Dublin GB=Europe/London GB-Eire=Europe/London Hongkong=Asia/Hong_Kong
Iceland=Atlantic/Reykjavik Iran=Asia/Tehran Israel=Asia/Jerusalem Jamaica=America/Jamaica Japan=Asia/Tokyo
Kwajalein=Pacific/Kwajalein Libya=Africa/Tripoli NZ=Pacific/Auckland NZ-CHAT=Pacific/Chatham Navajo=America/Denver
PRC=Asia/Shanghai Poland=Europe/Warsaw Portugal=Europe/Lisbon ROC=Asia/Taipei ROK=Asia/Seoul Singapore=Asia/Singapore
Turkey=Europe/Istanbul W-SU=Europe/Moscow US/Alaska=America/Anchorage US/Aleutian=America/Adak US/Arizona=America/Phoenix
US/Central=America/Chicago US/East-Indiana=America/Indianapolis US/Eastern=America/New_York US/Hawaii=Pacific/Honolulu
US/Indiana-Starke=America/Indiana/Knox US/Michigan=America/Detroit US/Mountain=America/Denver US/Pacific=America/Los_Angeles
US/Samoa=Pacific/Pago_Pago America/Argentina/ComodRivadavia=America/Catamarca America/Knox_IN=America/Indiana/Knox
America/Nuuk=America/Godthab Antarctica/McMurdo=Pacific/Auckland Australia/ACT=Australia/Sydney
Australia/LHI=Australia/Lord_Howe Australia/NSW=Australia/Sydney Brazil/DeNoronha=America/Noronha
Chile/EasterIsland=Pacific/Easter Europe/Kyiv=Europe/Kiev Mexico/BajaNorte=America/Tijuana Mexico/BajaSur=America/Mazatlan
Pacific/Kanton=Pacific/Enderbury`;
var STRETCH_SECONDS = 4 * SECONDS_IN_DAY;
var STRETCHES_KEPT = 100;
var SAVING_LIMIT_SECONDS = 3 * 3600;
var LARGEST_SHIFT_SECONDS = 26 * 3600;
var UTC_SPAN = { start: -Infinity, end: Infinity, offset: 0, jump: 0 };
var LOCAL_TIME = "local time";
function createZone(name, offsetAt = intlOffset(name)) {
  if (offsetAt === void 0) return { name, spanAt: () => UTC_SPAN };
  const stretches = /* @__PURE__ */ new Map();
  let latest;
  let spans = [];
  const spanAt = (second) => {
    const stretch = Math.floor(second / STRETCH_SECONDS);
    if (stretch !== latest) {
      if (stretches.size >= STRETCHES_KEPT) stretches.clear();
      spans = stretches.get(stretch) || spansOfStretch(offsetAt, stretch * STRETCH_SECONDS);
      stretches.set(stretch, spans);
      latest = stretch;
    }
    return second < spans[0].end ? spans[0] : spans[1];
  };
  return { name, spanAt };
}
var namedZones = /* @__PURE__ */ new Map();
function zoneNamed(name) {
  var _a2;
  const zone = (_a2 = namedZones.get(name)) != null ? _a2 : createZone(name);
  namedZones.set(name, zone);
  return zone;
}
function spansOfStretch(offsetAt, stretchStart) {
  const start2 = stretchStart - SAVING_LIMIT_SECONDS;
  const end = stretchStart + STRETCH_SECONDS;
  const before = offsetAt(start2);
  const after = offsetAt(end - 1);
  if (before === after) return [{ start: start2, end, offset: before, jump: 0 }];
  let [unchanged, changed] = [start2, end - 1];
  while (changed - unchanged > 1) {
    const middle = Math.floor((unchanged + changed) / 2);
    if (offsetAt(middle) === before) unchanged = middle;
    else changed = middle;
  }
  return [
    { start: start2, end: changed, offset: before, jump: 0 },
    { start: changed, end, offset: after, jump: after - before }
  ];
}
function readingAt(zone, second) {
  return second + zone.spanAt(second).offset;
}
function clockChanges(zone, from, until) {
  const changes = [];
  for (let second = zone.spanAt(from).end; second <= until; ) {
    const span = zone.spanAt(second);
    if (span.jump !== 0 && span.start === second) changes.push(span);
    second = span.end;
  }
  return changes;
}
function intlOffset(name) {
  const wanted = `${name.toLowerCase()}=`;
  const link = ZONE_LINKS.split(/\s/).find((pair) => pair.toLowerCase().startsWith(wanted));
  const known = link === void 0 ? name : link.slice(wanted.length);
  if (known === "UTC") return void 0;
  const clock = tryClock(known);
  if (clock === void 0) throw new Error(`timezone ${quote(name)} ${zoneMistake(name)}`);
  return (second) => {
    const [month, day, year, hours, minutes, seconds] = (clock.format(second * 1e3).match(/\d+/g) || []).map(Number);
    return Date.UTC(year, month - 1, day, hours, minutes, seconds) / 1e3 - second;
  };
}
function tryClock(zone) {
  if (!ZONE_AREAS.test(zone.split("/")[0])) return void 0;
  try {
    const date = { year: "numeric", month: "numeric", day: "numeric" };
    const time = { hour: "numeric", minute: "numeric", second: "numeric", hourCycle: "h23" };
    return new Intl.DateTimeFormat("en-US", { timeZone: zone, ...date, ...time });
  } catch {
    return void 0;
  }
}
function zoneMistake(name) {
  if (name.trim() === "") return "is empty: leave the setting away, or name a zone such as Europe/Berlin";
  if (/[,;]/.test(name)) return "is a list: expected one zone";
  if (/\s/.test(name)) return "has a blank: expected a zone such as Europe/Berlin";
  if (ZONE_AREAS.test(name) || name === "US") return "is a region, not a zone: expected one such as Europe/Berlin";
  if (/^(UTC|GMT)?[+-]\d/i.test(name)) return "is an offset, not a zone: expected one such as Europe/Berlin";
  if (/^[A-Z]{2,5}$/.test(name)) return "is an abbreviation, not a zone: expected one such as Europe/Berlin";
  return "is not known: expected UTC or a name of the tz database such as Europe/Berlin";
}
var SEARCH_SECONDS = 100 * 366 * SECONDS_IN_DAY;
var LAST_SECOND = 6e12;
var MOST_COUNTED = 1e3;
function nextDue(cron, zone, from, until = Infinity) {
  const last = Math.min(until, from + SEARCH_SECONDS, LAST_SECOND);
  let second = Math.floor(from) + 1;
  while (second <= last) {
    const span = zone.spanAt(second);
    const due = firstDueWithin(cron, span, second, last + LARGEST_SHIFT_SECONDS);
    if (due < span.end) return due <= last ? due : void 0;
    const isNearEnd = span.end - second < LARGEST_SHIFT_SECONDS;
    second = isNearEnd ? span.end : Math.max(span.end, due - LARGEST_SHIFT_SECONDS);
  }
  return void 0;
}
function firstDueWithin(cron, span, second, until) {
  let from = second + span.offset;
  if (cron.isFixed && span.jump !== 0 && Math.abs(span.jump) < SAVING_LIMIT_SECONDS) {
    const firstShown = span.start + span.offset;
    const isStart = second === span.start;
    if (span.jump > 0 && isStart && firstReading(cron, firstShown - span.jump, firstShown) < firstShown) return second;
    if (span.jump < 0) from = Math.max(from, firstShown - span.jump);
  }
  return firstReading(cron, from, until + span.offset) - span.offset;
}
function quietUntil(cron, zone, from) {
  const second = Math.floor(from) + 1;
  const { start: start2, end, offset } = zone.spanAt(second);
  if (second === start2) return second;
  const timeOfDay = (second + offset + 2 * SECONDS_IN_DAY) % SECONDS_IN_DAY;
  const time = firstTime(cron, timeOfDay);
  return Math.min(end, second + (time < 0 ? SECONDS_IN_DAY : time) - timeOfDay);
}
function previousDue(cron, zone, from) {
  let clear = Math.floor(from);
  let reach = 60;
  let due = nextDue(cron, zone, clear - reach, clear);
  while (due === void 0 && reach < SEARCH_SECONDS) {
    reach *= 2;
    due = nextDue(cron, zone, clear - reach, clear);
  }
  while (due !== void 0 && due < clear) {
    const middle = Math.floor((due + clear) / 2);
    const later = nextDue(cron, zone, middle, clear);
    if (later === void 0) clear = middle;
    else due = later;
  }
  return due;
}
function nextDues(cron, zone, from, count) {
  const dues = [];
  for (let due = nextDue(cron, zone, from); due !== void 0 && dues.length < count; due = nextDue(cron, zone, due)) {
    dues.push(due);
  }
  return dues;
}
function dueTimes(cron, zone, after, upTo) {
  let latest;
  let count = 0;
  for (let due = nextDue(cron, zone, after, upTo); due !== void 0; due = nextDue(cron, zone, due, upTo)) {
    latest = due;
    count += 1;
    if (count > MOST_COUNTED) return { latest: previousDue(cron, zone, upTo), count };
  }
  return { latest, count };
}
var MOST_TIMES_LISTED = 6;
function describeCron(cron, zoneName) {
  const words = [timeWords(cron), dayWords(cron), monthWords(cron)].filter((part) => part !== "");
  return `${words.join(" ")}, ${zoneName}`;
}
function timeWords(cron) {
  const [hours, minutes, seconds] = [members(cron.hours), members(cron.minutes), members(cron.seconds)];
  if (hours.length * minutes.length * seconds.length <= MOST_TIMES_LISTED) {
    const times = [];
    for (const h of hours) {
      for (const m of minutes) for (const s of seconds) times.push(clockWords(h * 3600 + m * 60 + s));
    }
    return `at ${listed(times)}`;
  }
  const isEveryMinute = hours.length * minutes.length === 24 * 60;
  const isWholeMinute = seconds.length === 1 && seconds[0] === 0;
  if (isWholeMinute) return minuteWords(hours, minutes);
  const step2 = evenStep(seconds, 60);
  const secondWords = step2 > 0 ? rhythmWords(step2, "second", seconds[0]) : `at second ${runs(seconds, String)}`;
  if (!isEveryMinute) return `${secondWords} in these minutes: ${minuteWords(hours, minutes)}`;
  return step2 > 0 ? secondWords : `${secondWords} of every minute`;
}
function minuteWords(hours, minutes) {
  const [hourStep, minuteStep] = [evenStep(hours, 24), evenStep(minutes, 60)];
  const isEveryHour = hours.length === 24;
  const isSteadyHour = hourStep > 0 && hours[0] === 0;
  if (minuteStep > 0) {
    const rhythm = rhythmWords(minuteStep, "minute", minutes[0]);
    if (isEveryHour) return rhythm;
    if (hours.length === 1 || isRun(hours)) {
      return `${rhythm} from ${twoDigits(hours[0])}:00 to ${twoDigits(hours[hours.length - 1])}:59`;
    }
    return `${rhythm} in ${isSteadyHour ? `every ${ordinal(hourStep)} hour` : `hours ${runs(hours, String)}`}`;
  }
  const marks = `at ${runs(minutes, (minute) => `:${twoDigits(minute)}`)}`;
  return isSteadyHour ? `${rhythmWords(hourStep, "hour", 0)} ${marks}` : `${marks} in hours ${runs(hours, String)}`;
}
function dayWords(cron) {
  const days = dayOfMonthWords(cron);
  const weekdays = dayOfWeekWords(cron);
  if (cron.needsBothDays) {
    if (days === "" || weekdays === "") return days + weekdays;
    return `${days} if ${weekdays} (day-of-month and day-of-week must both match)`;
  }
  return days === "" || weekdays === "" ? "" : `${days} or ${weekdays} (either day-of-month or day-of-week suffices)`;
}
function dayOfMonthWords(cron) {
  const days = members([cron.days & ~1, 0]);
  if (days.length === 31) return "";
  const words = days.length === 0 ? [] : [`the ${runs(days, ordinal)}`];
  for (const day of members([cron.nearestWeekdays & ~1, 0])) words.push(`the weekday nearest the ${ordinal(day)}`);
  if (cron.nearestWeekdays & 1) words.push("the last weekday of the month");
  if (cron.days & 1) words.push("the last day of the month");
  return `on ${listed(words)}`;
}
function dayOfWeekWords(cron) {
  const [last, ...nths] = cron.weekdays;
  const plain = nths.reduce((weekly, bits) => weekly & bits, 127);
  const days = members([(plain & 1) << 7 | plain & ~1, 0]);
  if (days.length === 7) return "";
  const words = days.length === 0 ? [] : [runs(days, (day) => `${WEEKDAYS[day % 7]}s`)];
  ["first", "second", "third", "fourth", "fifth", "last"].forEach((name, i) => {
    const bits = [...nths, last][i] & ~plain;
    for (const day of members([bits, 0])) words.push(`the ${name} ${WEEKDAYS[day]} of the month`);
  });
  return words.length === 1 && isRun(days) ? `from ${runs(days, (day) => WEEKDAYS[day % 7])}` : `on ${listed(words)}`;
}
function monthWords(cron) {
  const months = members([cron.months, 0]);
  if (months.length === 12) return "";
  return `${isRun(months) ? "from" : "in"} ${runs(months, (month) => MONTHS[month - 1])}`;
}
function cronWarnings(cron, zone, from, tickPeriod) {
  return [
    ...dayWarnings(cron),
    ...stepWarnings(cron),
    ...rarityWarnings(cron, zone, from),
    ...tickWarnings(cron, zone, from, tickPeriod),
    ...changeWarnings(cron, zone, from)
  ];
}
function dayWarnings(cron) {
  const [, , , day, , weekday] = cron.text.split(" ");
  const warnings = [];
  if (/[^*?]/.test(day) && /[^*?]/.test(weekday)) {
    const rule = cron.needsBothDays ? "a day must match both, since one of them begins with *" : "a day that matches either is due (the first Monday of a month would be MON#1)";
    warnings.push(`day-of-month and day-of-week are both set: ${rule}`);
  }
  const shortest = cron.days & 1 ? 0 : lowestBit(cron.days);
  const shorterMonths = shortest === 31 ? 2644 : 4;
  if (shortest > 28 && cron.needsBothDays && cron.months & shorterMonths && cron.months !== 4) {
    warnings.push(`months without a ${ordinal(shortest)} are passed over: L is the last day of every month`);
  }
  return warnings;
}
function stepWarnings(cron) {
  return cron.text.split(" ").flatMap((text, i) => {
    const field = CRON_FIELDS[i];
    const [item] = parseField(field, text);
    const [, end, step2] = /^(?:\*|\d+(?:-(\d+))?)\/(\d+)$/.exec(text) || [];
    if (step2 === void 0 || step2 === "1" || item.is !== "values") return [];
    if (end !== void 0 && Number(end) !== field.high) return [];
    const [first, last] = [item.values[0], item.values[item.values.length - 1]];
    if (first === last) return [`${field.name} ${text} is the same as ${first}`];
    if (field.name !== "day-of-month" && evenStep(item.values, field.size) > 0) return [];
    const instead = field.everyUnit === "" ? "" : `; --every ${step2}${field.everyUnit} is even`;
    return [`${field.name} ${text} begins anew with each ${field.cycle}: after ${last} comes ${first}${instead}`];
  });
}
function rarityWarnings(cron, zone, from) {
  const [due, later] = nextDues(cron, zone, from, 2);
  if (due === void 0) return [`never due in ${zone.name}: the clock skips every reading that matches`];
  if (later === void 0 || later - due <= 366 * SECONDS_IN_DAY) return [];
  const [date, laterDate] = [due, later].map((second) => dateWords(readingAt(zone, second)));
  return [`due rarely: on ${date}, and after that on ${laterDate}`];
}
function tickWarnings(cron, zone, from, tickPeriod) {
  if (tickPeriod === void 0) {
    return cron.text.startsWith("0 ") ? [] : ["the seconds field needs TICK_5: runs start on ticks only"];
  }
  const warnings = [];
  if (cron.text.startsWith("0 ") && 60 % tickPeriod === 0) return warnings;
  const dues = nextDues(cron, zone, from, 60);
  const tickOf = (due) => Math.ceil(due / tickPeriod) * tickPeriod;
  const late = dues.find((due) => tickOf(due) !== due);
  if (late !== void 0) {
    const [due, tick] = [late, tickOf(late)].map((second) => clockWords(readingAt(zone, second)));
    warnings.push(`runs start on ticks only: the one due at ${due} starts at ${tick} with TICK_${tickPeriod}`);
  }
  if (dues.some((due, i) => i > 0 && tickOf(due) === tickOf(dues[i - 1]))) {
    warnings.push(`finer than TICK_${tickPeriod}: due times between two ticks are one run`);
  }
  return warnings;
}
function changeWarnings(cron, zone, from) {
  if (!cron.isFixed && members(cron.hours).length === 24) return [];
  const warnings = [];
  for (const change of clockChanges(zone, from, from + 366 * SECONDS_IN_DAY)) {
    const after = change.start + change.offset;
    const [low, high] = [Math.min(after, after - change.jump), Math.max(after, after - change.jump)];
    const times = [];
    for (let match = firstReading(cron, low, high); match < high; match = firstReading(cron, match + 1, high)) {
      times.push(clockWords(match));
    }
    if (times.length === 0) continue;
    const shown = times.length > 4 ? [...times.slice(0, 3), "more"] : times;
    const verb = change.jump > 0 ? "skips" : "repeats";
    warnings.push(`on ${dateWords(low)} the clock ${verb} ${listed(shown)}: ${changeRule(cron, change)}`);
  }
  return warnings;
}
function changeRule(cron, change) {
  const isSaving = cron.isFixed && Math.abs(change.jump) < SAVING_LIMIT_SECONDS;
  if (change.jump < 0) return isSaving ? "it runs the first time only" : "it runs both times";
  return isSaving ? `it runs at ${clockWords(change.start + change.offset)} once` : "it does not run then";
}
function members(set) {
  const values = [];
  for (let value = firstMember(set, 0); value >= 0; value = firstMember(set, value + 1)) values.push(value);
  return values;
}
function evenStep(values, size) {
  const step2 = size / values.length;
  return values.length > 1 && values.every((value, i) => value === values[0] + i * step2) ? step2 : 0;
}
function isRun(values) {
  return values.length > 2 && values[values.length - 1] - values[0] === values.length - 1;
}
function runs(values, show) {
  const words = [];
  for (let i = 0; i < values.length; i++) {
    let end = i;
    while (values[end + 1] === values[end] + 1) end++;
    if (end - i < 2) words.push(show(values[i]));
    else {
      words.push(`${show(values[i])} to ${show(values[end])}`);
      i = end;
    }
  }
  return listed(words);
}
var twoDigits = (value) => String(value).padStart(2, "0");
function rhythmWords(step2, unit, start2) {
  return (step2 === 1 ? `every ${unit}` : `every ${step2} ${unit}s`) + (start2 === 0 ? "" : ` from :${twoDigits(start2)}`);
}
function ordinal(value) {
  const suffix = Math.floor(value / 10) === 1 ? void 0 : ["th", "st", "nd", "rd"][value % 10];
  return `${value}${suffix || "th"}`;
}
function clockWords(reading) {
  const text = new Date(reading * 1e3).toISOString();
  return text.slice(11, text.endsWith(":00.000Z") ? 16 : 19);
}
function dateWords(reading) {
  const date = new Date(reading * 1e3);
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
}
var RESULTS = ["success", "failure", "timeout", "interrupted"];
var CAUSES = ["timeout", "stop", "replace"];
var LAST_GRACE_SECONDS = 1;
var MAX_RETRY_DELAY_SECONDS = 3600;
var NOTHING = [];
var FRESH_STATE = { lastRun: 0, runs: NOTHING, waiting: NOTHING, failures: 0, isStopping: false };
function createJobState(lastRun, failures = 0) {
  if (lastRun === 0 && failures === 0) return FRESH_STATE;
  return { lastRun, runs: NOTHING, waiting: NOTHING, failures, isStopping: false };
}
function step(policy, state, input) {
  switch (input.type) {
    case "due":
      return takeDue(policy, state, input);
    case "stop":
      return stopAll(policy, state);
    case "adopted":
      return adopt(policy, state, input.run, input.elapsedSeconds);
    case "interrupted":
      return endAttempt(policy, withNewRun(state, input.run), { ...input.run, isOrphan: true }, input.end);
    case "resumed":
      return resume(policy, state, input.run);
  }
  const run = state.runs.find((r) => r.number === input.run);
  return run === void 0 ? [state, []] : stepRun(policy, state, run, input);
}
function stepRun(policy, state, run, input) {
  switch (input.type) {
    case "asked":
      return run.phase === "asking" ? takeVerdict(policy, state, run, input.verdict, input.error) : [state, []];
    case "overtaken":
      return run.phase === "starting" || run.phase === "asking" ? overtake(policy, state, run) : [state, []];
    case "started":
      return begin(policy, state, { ...run, phase: "running", pid: input.pid }, 0);
    case "startFailed":
      return endAttempt(policy, state, run, { exit: null, signal: null, error: input.error });
    case "outputLeft":
      return run.phase === "running" ? [withRun(state, { ...run, phase: "draining", end: input.end }), []] : [state, []];
    case "exited":
      return leaderExited(policy, state, { ...run, end: input.end });
    case "groupGone":
      return run.end === void 0 ? [state, []] : endAttempt(policy, state, run, run.end);
    case "deadline":
      return run.phase === "running" ? terminate(policy, state, run, "timeout") : [state, []];
    case "graceOver":
      return graceOver(policy, state, run);
    case "retryDue":
      return run.phase === "backoff" ? retry(policy, state, run) : [state, []];
    case "giveUp":
      return run.phase === "backoff" ? giveUp(policy, state, run, "due") : [state, []];
  }
}
function takeDue(policy, state, { type: _, ...dueRun }) {
  if (state.isStopping) return [state, []];
  const [cleared, gaveWay] = giveWay(policy, state);
  const [next, actions] = takeTurn(policy, cleared, dueRun);
  return [next, [...gaveWay, ...actions]];
}
function takeTurn(policy, state, dueRun) {
  const [behind] = state.runs;
  if (behind === void 0 || policy.overlap === "allow") return open(policy, state, dueRun);
  if (policy.overlap === "replace") {
    const [cleared, actions] = dismissAll(state, "replaced");
    const [next, more] = open(policy, cleared, dueRun);
    return [next, [...actions, ...more]];
  }
  if (policy.overlap === "skip" || state.waiting.length >= policy.queueLimit) {
    return [state, [{ type: "skip", ...dueRun, behind }]];
  }
  return [{ ...state, waiting: [...state.waiting, dueRun] }, [{ type: "wait", ...dueRun, behind }]];
}
function isAskedAbout(policy, { reason }) {
  return policy.isAsking && reason !== "signal" && reason !== "remote";
}
function open(policy, state, dueRun) {
  const isAsked = isAskedAbout(policy, dueRun);
  const run = { ...dueRun, number: state.lastRun + 1, attempt: 1, phase: isAsked ? "asking" : "next" };
  const opened = withNewRun({ ...state, lastRun: run.number }, run);
  const [next, actions] = isAsked ? [opened, [{ type: "ask", run }]] : makeWay(policy, opened, run);
  return [next, [{ type: "record", run }, ...actions]];
}
function takeVerdict(policy, state, run, verdict, error) {
  if (verdict === "allowed") return makeWay(policy, state, run);
  const [next, actions] = advance(policy, withoutRun(state, run));
  return [next, [{ type: "holdBack", run, why: verdict, error }, ...actions]];
}
function makeWay(policy, state, run) {
  const others = state.runs.filter((r) => r.number !== run.number);
  if (policy.overlap !== "replace" || others.length === 0) return start(state, run);
  let next = withRun(state, { ...run, phase: "next" });
  const actions = [];
  for (const other of others.filter((r) => r.phase === "running")) {
    const [after, more] = terminate(policy, next, other, "replace");
    next = after;
    actions.push(...more);
  }
  return [next, actions];
}
function start(state, run) {
  const starting = { ...run, phase: "starting" };
  return [withRun(state, starting), [{ type: "start", run: starting }]];
}
function dismissAll(state, why) {
  const isDismissed = ({ phase }) => phase === "asking" || phase === "next";
  const actions = state.runs.filter(isDismissed).flatMap((run) => {
    const holdBack = { type: "holdBack", run, why };
    return run.phase === "asking" ? [{ type: "stopAsking", run }, holdBack] : [holdBack];
  });
  return [{ ...state, runs: state.runs.filter((run) => !isDismissed(run)) }, actions];
}
function overtake(policy, state, run) {
  const notStarted = { exit: null, signal: null, error: "replaced before it started" };
  if (run.attempt > 1) return endAttempt(policy, state, { ...run, cause: "replace" }, notStarted);
  const [next, actions] = advance(policy, withoutRun(state, run));
  return [next, [{ type: "holdBack", run, why: "replaced" }, ...actions]];
}
function adopt(policy, state, run, elapsedSeconds) {
  const orphan = { ...run, isOrphan: true };
  const next = withNewRun(state, orphan);
  if (run.phase !== "ending") return begin(policy, next, orphan, elapsedSeconds);
  const seconds = Math.max(1, policy.killAfterSeconds - elapsedSeconds);
  const watch = run.end === void 0 ? [] : [{ type: "watchGroup", run: orphan }];
  return [next, [...watch, { type: "armGrace", run: orphan, seconds }]];
}
function begin(policy, state, run, elapsedSeconds) {
  if (state.runs.some((r) => r.phase === "next")) return terminate(policy, withRun(state, run), run, "replace");
  const seconds = Math.max(1, policy.timeoutSeconds - elapsedSeconds);
  return [withRun(state, run), policy.timeoutSeconds > 0 ? [{ type: "armDeadline", run, seconds }] : []];
}
function terminate(policy, state, run, cause) {
  const ending = { ...run, phase: "ending", cause };
  const grace = { type: "armGrace", run: ending, seconds: policy.killAfterSeconds };
  return [withRun(state, ending), [{ type: "terminate", run: ending }, grace]];
}
function kill(policy, state, run) {
  const killed = { ...run, phase: "killed" };
  const action = { type: "kill", run: killed };
  if (killed.end === void 0) {
    return [withRun(state, killed), [action, { type: "armGrace", run: killed, seconds: LAST_GRACE_SECONDS }]];
  }
  const [next, actions] = endAttempt(policy, state, killed, killed.end);
  return [next, [action, ...actions]];
}
function leaderExited(policy, state, run) {
  if (run.phase === "ending") return [withRun(state, run), [{ type: "watchGroup", run }]];
  return endAttempt(policy, state, run, run.end);
}
function graceOver(policy, state, run) {
  if (run.phase === "ending") return kill(policy, state, run);
  if (run.phase === "killed" && state.isStopping) {
    return endAttempt(policy, state, run, { exit: null, signal: null, error: "it did not die of SIGKILL" });
  }
  return [state, []];
}
function endAttempt(policy, state, run, end) {
  const result = resultOf(run, end);
  if (!isRetried(policy, state, run, result)) {
    const [next, actions] = conclude(policy, state, run, result, end);
    return [next, [{ type: "finish", run, result, end }, ...actions]];
  }
  const retrySeconds = backoffSeconds(policy, run.attempt);
  const backoff = { ...run, phase: "backoff", end };
  return [
    withRun(state, backoff),
    [
      { type: "finish", run, result, end, retrySeconds },
      { type: "armRetry", run: backoff, seconds: retrySeconds }
    ]
  ];
}
function resultOf(run, end) {
  if (run.cause === "timeout") return "timeout";
  if (run.cause !== void 0 || run.isOrphan) return "interrupted";
  return end.exit === 0 ? "success" : "failure";
}
function isRetried(policy, state, run, result) {
  if (result === "success" || run.attempt > policy.retries || state.isStopping) return false;
  if (run.cause === "stop" || run.cause === "replace" || isEventLost(run)) return false;
  const isLater = ({ number }) => policy.overlap !== "allow" && number > run.number;
  const isSomeoneDue = state.waiting.length > 0 || state.runs.some((r) => r.phase === "next" || isLater(r));
  return !(policy.isRetryYielding && isSomeoneDue);
}
function whyNotRetried({ retries }, run) {
  if (isEventLost(run)) return "lost";
  return run.attempt > retries ? "limit" : "due";
}
function isEventLost({ reason, event }) {
  return reason === "event" && event === void 0;
}
function backoffSeconds(policy, attempt) {
  return Math.min(MAX_RETRY_DELAY_SECONDS, policy.retryDelaySeconds * 2 ** (attempt - 1));
}
function retry(policy, state, before) {
  const isInTheWay = (run2) => policy.overlap === "replace" ? run2.number > before.number : run2.phase !== "backoff";
  if (policy.overlap !== "allow" && state.runs.some(isInTheWay)) return giveUp(policy, state, before, "busy");
  const { number, attempt, due, reason, serial, event } = before;
  const isAsked = before.isOrphan && before.pid === void 0 && isAskedAbout(policy, before);
  const phase = isAsked ? "asking" : "starting";
  const run = { number, attempt: attempt + 1, due, reason, serial, event, phase };
  const [next, actions] = isAsked ? [withRun(state, run), [{ type: "ask", run }]] : makeWay(policy, withRun(state, run), run);
  return [next, [{ type: "record", run }, ...actions]];
}
function resume(policy, state, run) {
  const backoff = { ...run, phase: "backoff" };
  const next = withNewRun(state, backoff);
  if (!isRetried(policy, state, run, resultOf(run, run.end)))
    return giveUp(policy, next, backoff, whyNotRetried(policy, run));
  return [next, [{ type: "armRetry", run: backoff, seconds: backoffSeconds(policy, run.attempt) }]];
}
function giveUp(policy, state, run, why) {
  const result = resultOf(run, run.end);
  const [next, actions] = conclude(policy, state, run, result, run.end);
  return [next, [{ type: "giveUp", run, result, why }, ...actions]];
}
function giveWay(policy, state) {
  if (!policy.isRetryYielding) return [state, []];
  let next = state;
  const actions = [];
  for (const run of state.runs.filter((r) => r.phase === "backoff")) {
    const [after, more] = giveUp(policy, next, run, "due");
    next = after;
    actions.push(...more);
  }
  return [next, actions];
}
function conclude(policy, state, run, result, end) {
  const failures = result === "success" ? 0 : state.failures + 1;
  const [next, actions] = advance(policy, { ...withoutRun(state, run), failures });
  return [next, [{ type: "conclude", run, result, end, failures }, ...actions]];
}
function advance(policy, state) {
  var _a2;
  const isLeft = (run) => run.phase !== "next";
  if (state.runs.some(isLeft)) return [state, []];
  if (state.runs.length > 0) return start(state, state.runs[0]);
  if (state.isStopping) return [state, [{ type: "stopped" }]];
  if (state.waiting.length === 0) return [state, []];
  const [first, ...waiting] = state.waiting;
  return open((_a2 = policy.ofNext) != null ? _a2 : policy, { ...state, waiting }, first);
}
function stopAll(policy, state) {
  const [behind] = state.runs;
  const skips = state.waiting.map((dueRun) => ({ type: "skip", ...dueRun, behind }));
  let [next, actions] = dismissAll({ ...state, waiting: [], isStopping: true }, "stopped");
  actions = [...skips, ...actions];
  if (next.runs.length === 0) return [next, [...actions, { type: "stopped" }]];
  for (const run of next.runs) {
    const [after, more] = stopOne(policy, next, run, state.isStopping);
    next = after;
    actions.push(...more);
  }
  return [next, actions];
}
function stopOne(policy, state, run, isSecond) {
  const notStarted = { exit: null, signal: null, error: "stopped before it started" };
  switch (run.phase) {
    case "starting":
      return endAttempt(policy, state, { ...run, cause: "stop" }, notStarted);
    case "running":
      return terminate(policy, state, run, "stop");
    case "ending":
      return isSecond ? kill(policy, state, run) : [state, []];
    case "draining":
      return isSecond ? endAttempt(policy, state, run, run.end) : [state, []];
    case "killed":
      return [state, [{ type: "armGrace", run, seconds: LAST_GRACE_SECONDS }]];
    case "backoff":
      return giveUp(policy, state, run, "stopped");
    case "asking":
    case "next":
      return [state, []];
  }
}
function withRun(state, run) {
  return { ...state, runs: state.runs.map((r) => r.number === run.number ? run : r) };
}
function withNewRun(state, run) {
  return { ...state, runs: [...state.runs, run].sort((a, b) => a.number - b.number) };
}
function withoutRun(state, run) {
  return { ...state, runs: state.runs.filter((r) => r.number !== run.number) };
}
var Expectation = class extends Error {
};
var UsageError = class extends Error {
};
var OPTIONS = {
  ticks: {
    flag: "--ticks",
    env: "TICK_GOAL",
    group: "schedule",
    scope: "job",
    metavar: "N",
    about: "run on every Nth tick counted (1 to 2^31)",
    parse: wholeNumber(1, 2 ** 31)
  },
  every: {
    flag: "--every",
    env: "TICK_EVERY",
    group: "schedule",
    scope: "job",
    metavar: "D",
    about: "run once in every slice of D; slices are aligned to the epoch, so 1h means on the hour (UTC)",
    parse: positiveDuration
  },
  cron: {
    flag: "--cron",
    env: "TICK_CRON",
    group: "schedule",
    scope: "job",
    metavar: "EXPR",
    about: "run at the times of a cron expression: minute hour day month weekday, or @daily and the like",
    parse: parseCron
  },
  on: {
    flag: "--on",
    env: "TICK_ON",
    group: "schedule",
    scope: "job",
    metavar: "EVENTS",
    about: "run on events of supervisord, such as PROCESS_STATE_FATAL; a list by comma, the payload on stdin",
    parse: parseEventNames
  },
  crontab: {
    flag: "--crontab",
    env: "TICK_CRONTAB",
    group: "schedule",
    scope: "listener",
    metavar: "FILE",
    about: "many jobs: a crontab, read again when it changes and on SIGHUP; no command behind --",
    parse: parsePath
  },
  offset: {
    flag: "--offset",
    env: "TICK_OFFSET",
    group: "schedule",
    scope: "job",
    metavar: "D",
    default: "0",
    onlyWith: ["every", "crontab"],
    about: "with --every: move the slices by D, less than the slice",
    parse: parseDuration
  },
  tick: {
    flag: "--tick",
    env: "TICK_EVENT",
    group: "when",
    scope: "listener",
    metavar: "TYPE",
    defaultText: "the first type seen",
    about: "which tick counts: TICK_5, TICK_60 or TICK_3600",
    parse: oneOf("TICK_5", "TICK_60", "TICK_3600")
  },
  tz: {
    flag: "--tz",
    env: "TICK_TZ",
    group: "when",
    scope: "job",
    metavar: "ZONE",
    defaultText: "TZ, else the system's",
    onlyWith: ["cron", "crontab"],
    about: "with --cron: the time zone, such as Europe/Berlin",
    parse: zoneNamed
  },
  catchUp: {
    flag: "--catch-up",
    env: "TICK_CATCH_UP",
    group: "when",
    scope: "job",
    metavar: "D",
    default: "1h",
    onlyWith: ["cron", "crontab"],
    about: "with --cron: make up for a due time missed by no more than D, by one run; 0: never",
    parse: parseDuration
  },
  jitter: {
    flag: "--jitter",
    env: "TICK_JITTER",
    group: "when",
    scope: "job",
    metavar: "D",
    default: "0",
    onlyWith: ["every", "cron", "crontab"],
    about: "with --every, --cron: delay each run by a time below D, always the same for the same host and job",
    parse: parseDuration
  },
  runOnStart: {
    flag: "--run-on-start",
    env: "TICK_RUN_ON_START",
    group: "when",
    scope: "job",
    default: "no",
    about: "also run once when the listener starts",
    parse: yesOrNo
  },
  name: {
    flag: "--name",
    env: "TICK_NAME",
    group: "how",
    scope: "job",
    metavar: "NAME",
    defaultText: "the process name that supervisord gives, else the command's basename",
    onlyWith: ["ticks", "every", "cron", "on"],
    about: "the job's name in log and state",
    parse: parseName
  },
  overlap: {
    flag: "--overlap",
    env: "TICK_OVERLAP",
    group: "how",
    scope: "job",
    metavar: "POLICY",
    defaultText: "skip; with --on queue",
    about: "what a due run does while the last one is still going: skip, queue (one waits; with --on 1,000), replace (ends it first) or allow (runs beside it)",
    parse: oneOf("skip", "queue", "replace", "allow")
  },
  timeout: {
    flag: "--timeout",
    env: "TICK_TIMEOUT",
    group: "how",
    scope: "job",
    metavar: "D",
    default: "0",
    about: "end a run after D: SIGTERM to its process group, SIGKILL after --kill-after; 0: no limit",
    parse: parseDuration
  },
  killAfter: {
    flag: "--kill-after",
    env: "TICK_KILL_AFTER",
    group: "how",
    scope: "job",
    metavar: "D",
    default: "5s",
    about: "grace between SIGTERM and SIGKILL, also at stop; keep it below supervisord's stopwaitsecs (10 s)",
    parse: positiveDuration
  },
  retries: {
    flag: "--retries",
    env: "TICK_RETRIES",
    group: "how",
    scope: "job",
    metavar: "N",
    default: "0",
    about: "try a failed run again, up to N times (at most 1000); a waiting retry gives way to the next due run",
    parse: wholeNumber(0, 1e3)
  },
  retryDelay: {
    flag: "--retry-delay",
    env: "TICK_RETRY_DELAY",
    group: "how",
    scope: "job",
    metavar: "D",
    default: "10s",
    needs: "retries",
    about: "with --retries: the wait before the first retry; it doubles with each, up to 1h",
    parse: parseRetryDelay
  },
  maxRunning: {
    flag: "--max-running",
    env: "TICK_MAX_RUNNING",
    group: "how",
    scope: "listener",
    metavar: "N",
    default: "0",
    about: "how many commands may run at a time in all, the rest wait in order; 0: no limit",
    parse: wholeNumber(0, 2 ** 31)
  },
  onlyIf: {
    flag: "--only-if",
    env: "TICK_ONLY_IF",
    group: "how",
    scope: "job",
    metavar: "CMD",
    about: "before a run, /bin/sh -c CMD: exit 0 runs it, 1 holds it back, anything else or 10s without an answer is an error and holds it back",
    parse: parseShellCommand
  },
  state: {
    flag: "--state",
    env: "TICK_STATE",
    group: "telling",
    scope: "listener",
    metavar: "FILE",
    defaultText: "/var/lib/supertick/NAME, else /tmp/supertick-UID/NAME",
    about: "the counter file; the run journal is FILE.runs beside it",
    parse: parsePath
  },
  verbose: {
    flag: "--verbose",
    env: "TICK_VERBOSE",
    group: "telling",
    scope: "listener",
    default: "no",
    about: "also log each tick and the count",
    parse: yesOrNo
  },
  log: {
    flag: "--log",
    env: "TICK_LOG",
    group: "telling",
    scope: "listener",
    metavar: "FORM",
    default: "raw",
    about: "raw: the command's output goes to stderr as it is; prefix: each line gets time, job and run; json: one object a line",
    parse: oneOf("raw", "prefix", "json")
  },
  onFailure: {
    flag: "--on-failure",
    env: "TICK_ON_FAILURE",
    group: "telling",
    scope: "job",
    metavar: "CMD",
    about: "after the last attempt of a run that failed, timed out or was interrupted: /bin/sh -c CMD, 60s at most",
    parse: parseShellCommand
  },
  onSuccess: {
    flag: "--on-success",
    env: "TICK_ON_SUCCESS",
    group: "telling",
    scope: "job",
    metavar: "CMD",
    about: "the same after a run that succeeded",
    parse: parseShellCommand
  },
  onSkip: {
    flag: "--on-skip",
    env: "TICK_ON_SKIP",
    group: "telling",
    scope: "job",
    metavar: "CMD",
    about: "the same for a due run that was skipped, or that --only-if could not decide on",
    parse: parseShellCommand
  },
  ping: {
    flag: "--ping",
    env: "TICK_PING",
    group: "telling",
    scope: "job",
    metavar: "URL",
    isSecret: true,
    about: "tell a service such as healthchecks: GET URL/start, then URL or URL/fail; 10s at most, no run waits for it",
    parse: parsePingUrl
  },
  for: {
    flag: "--for",
    group: "trial",
    scope: "simulate",
    metavar: "D",
    default: "1h",
    about: "simulate: how much of supervisord's time to play",
    parse: positiveDuration
  },
  speed: {
    flag: "--speed",
    group: "trial",
    scope: "simulate",
    metavar: "N",
    default: "600",
    about: "simulate: how many times faster than the clock; max: no pause, but no tick while a run is in progress",
    parse: parseSpeed
  },
  from: {
    flag: "--from",
    group: "trial",
    scope: "trial",
    metavar: "TIME",
    defaultText: "now",
    about: "simulate: the time to begin at; check: list the runs after it; such as 2025-03-30T00:55:00Z (UTC where no zone is given)",
    parse: parseTime
  },
  number: {
    flag: "-n",
    group: "trial",
    scope: "check",
    metavar: "N",
    default: "5",
    about: "check: how many of the next runs to list, 1 to 1000",
    parse: wholeNumber(1, 1e3)
  },
  json: {
    flag: "--json",
    group: "trial",
    scope: "report",
    default: "no",
    about: "check, status: print one JSON object",
    parse: yesOrNo
  }
};
var SCHEDULE_KEYS = ["ticks", "every", "cron", "on", "crontab"];
var OPTION_KEYS = Object.keys(OPTIONS);
var specOf = (key) => OPTIONS[key];
function parseCommandLine(args, scopes, files) {
  const texts = /* @__PURE__ */ new Map();
  const keys = OPTION_KEYS.filter((key) => scopes.includes(specOf(key).scope));
  for (let i = 0; i < args.length; i++) {
    const word = args[i];
    if (word === "--") return { layer: { isFlags: true, texts }, command: args.slice(i + 1) };
    if (!word.startsWith("-")) {
      if (isSwitch(keys, args[i - 1]) && [...YES, ...NO].includes(word.toLowerCase()))
        throw new UsageError(`${args[i - 1]} is a switch, its value is behind =: write ${args[i - 1]}=${word}`);
      if (files === void 0) throw noOption(word, i === 0 ? otherStart(word) : "");
      files.push(word);
      continue;
    }
    const [flag, ...inline] = word.split("=");
    const key = keys.find((k) => specOf(k).flag === flag);
    if (key === void 0) {
      if (OPTION_KEYS.some((k) => specOf(k).flag === flag))
        throw new UsageError(`${flag} does not belong here: see supertick --help for what takes it`);
      const flags = keys.map((k) => specOf(k).flag);
      throw new UsageError(`unknown option ${quote(flag)}${suggestion(flag, flags)}`);
    }
    if (texts.has(key)) throw new UsageError(`${flag} is given twice`);
    let text = inline.length > 0 ? inline.join("=") : void 0;
    if (text === void 0) text = specOf(key).metavar === void 0 ? "yes" : args[++i];
    if (text === void 0 || inline.length === 0 && text === "--") {
      throw new UsageError(`${flag} needs a value: ${specOf(key).about}`);
    }
    texts.set(key, { text, origin: flag });
  }
  return { layer: { isFlags: true, texts }, command: [] };
}
function optionVariables() {
  return OPTION_KEYS.map((key) => {
    var _a2;
    return (_a2 = specOf(key).env) != null ? _a2 : "";
  });
}
function isSwitch(keys, word) {
  return keys.some((key) => specOf(key).flag === word && specOf(key).metavar === void 0);
}
var SUBCOMMANDS = ["init", "check", "simulate", "status"];
function otherStart(word) {
  if (SUBCOMMANDS.includes(word)) return "";
  return ["--help", "--version"].includes(`--${word}`) ? `; did you mean --${word}?` : suggestion(word, SUBCOMMANDS);
}
function noOption(word, hint = "") {
  return new UsageError(
    hint === "" ? `${quote(word)} is no option: the command goes behind --, and a value with spaces needs quotes` : `${quote(word)} is no option${hint}`
  );
}
function parseEnvironment(env) {
  var _a2;
  const texts = /* @__PURE__ */ new Map();
  const warnings = [];
  const names = optionVariables();
  for (const name of Object.keys(env)) {
    if (!name.startsWith("TICK_")) continue;
    const at = names.indexOf(name);
    if (at >= 0) texts.set(OPTION_KEYS[at], { text: (_a2 = env[name]) != null ? _a2 : "", origin: name });
    else warnings.push(`${name.slice(0, 80)} is not a variable of supertick; it is ignored${suggestion(name, names)}`);
  }
  return { layer: { isFlags: false, texts }, warnings };
}
function resolveSettings(layers) {
  const settings = valuesOf(layers, chooseSchedule(layers));
  const { every, offset } = settings;
  if (every !== void 0 && offset >= every) {
    const { text, origin } = layers.find((l) => l.texts.has("offset")).texts.get("offset");
    throw new UsageError(`${origin}: expected less than the slice of ${formatDuration(every)}, got ${quote(text)}`);
  }
  return settings;
}
function valuesOf(layers, schedule) {
  var _a2;
  const settings = {};
  for (const key of OPTION_KEYS) {
    const spec = specOf(key);
    const layer = layers.find((l) => l.texts.has(key));
    const isSchedule = SCHEDULE_KEYS.includes(key);
    const isIdle = isSchedule ? key !== schedule : spec.onlyWith !== void 0 && !spec.onlyWith.includes(schedule);
    if (layer !== void 0 && isIdle && layer.isFlags) {
      const partners = ((_a2 = spec.onlyWith) != null ? _a2 : []).map((k) => specOf(k).flag).join(" or ");
      throw new UsageError(`${spec.flag} has no effect with ${specOf(schedule).flag}; it goes with ${partners}`);
    }
    const lacks = schedule === "crontab" ? void 0 : spec.needs;
    if ((layer == null ? void 0 : layer.isFlags) && lacks !== void 0 && !layers.some((l) => l.texts.has(lacks))) {
      throw new UsageError(`${spec.flag} has no effect without ${specOf(lacks).flag}`);
    }
    if (layer !== void 0 && !isIdle) settings[key] = parseSetting(key, layer.texts.get(key));
    else settings[key] = spec.default === void 0 ? void 0 : spec.parse(spec.default);
  }
  return settings;
}
function chooseSchedule(layers) {
  for (const { texts } of layers) {
    const given = SCHEDULE_KEYS.filter((key) => texts.has(key));
    if (given.length > 1) {
      throw new UsageError(`${given.map((key) => texts.get(key).origin).join(" and ")} are two schedules; give one`);
    }
    if (given.length === 1) return given[0];
  }
  const choices = SCHEDULE_KEYS.map((key) => `${specOf(key).flag} (${specOf(key).env})`);
  throw new UsageError(`when shall it run? Give one of ${choices.join(", ")}`);
}
function parseSetting(key, { text, origin }) {
  try {
    return specOf(key).parse(text);
  } catch (error) {
    const { message } = error;
    const got = specOf(key).isSecret ? "" : `, got ${quote(text)}`;
    throw new UsageError(
      error instanceof Expectation ? `${origin}: expected ${message}${got}` : `${origin} ${quote(text)}: ${message}`
    );
  }
}
function isGiven({ texts }, key) {
  const given = texts.get(key);
  return given !== void 0 && parseSetting(key, given) === true;
}
function scheduleOf(settings, defaultZone2) {
  var _a2;
  if (settings.cron !== void 0) {
    const zone = (_a2 = settings.tz) != null ? _a2 : defaultZone2();
    return { kind: "cron", cron: settings.cron, zone, catchUpSeconds: settings.catchUp };
  }
  if (settings.on !== void 0) return { kind: "events", names: settings.on };
  if (settings.every !== void 0) {
    return { kind: "slices", everySeconds: settings.every, offsetSeconds: settings.offset };
  }
  return { kind: "ticks", every: settings.ticks };
}
var MAX_WAITING_EVENTS = 1e3;
function policyOf(settings) {
  var _a2;
  const { on, timeout, killAfter, retries, retryDelay, onlyIf } = settings;
  const overlap = (_a2 = settings.overlap) != null ? _a2 : on === void 0 ? "skip" : "queue";
  return {
    overlap,
    queueLimit: on === void 0 ? 1 : MAX_WAITING_EVENTS,
    timeoutSeconds: timeout,
    killAfterSeconds: killAfter,
    retries,
    retryDelaySeconds: retryDelay,
    isRetryYielding: on === void 0 || overlap === "replace",
    isAsking: onlyIf !== void 0
  };
}
function wholeNumber(low, high) {
  return (text) => {
    const n = Number(text);
    if (!/^\d{1,16}$/.test(text) || n < low || n > high) throw new Expectation(`a whole number from ${low} to ${high}`);
    return n;
  };
}
function positiveDuration(text) {
  const seconds = parseDuration(text);
  if (seconds === 0) throw new Expectation("a duration of at least 1s");
  return seconds;
}
function parseRetryDelay(text) {
  const seconds = positiveDuration(text);
  if (seconds > MAX_RETRY_DELAY_SECONDS) throw new Expectation("a duration of at most 1h");
  return seconds;
}
function parseShellCommand(text) {
  if (text.trim() === "" || text.includes("\0")) throw new Expectation("a shell command");
  return text;
}
function parsePingUrl(text) {
  try {
    if (/^https?:$/.test(new URL(text).protocol)) return text;
  } catch {
  }
  throw new Expectation("an http or https URL");
}
function oneOf(...words) {
  return (text) => {
    const word = words.find((w) => w === text);
    if (word === void 0) throw new Expectation(words.join(" or "));
    return word;
  };
}
var YES = ["yes", "true", "1", "on"];
var NO = ["no", "false", "0", "off"];
function yesOrNo(text) {
  const word = text.toLowerCase();
  if (YES.includes(word)) return true;
  if (NO.includes(word)) return false;
  throw new Expectation("yes or no");
}
function isLegalName(text) {
  return /^[^\s/\p{C}.][^/\p{C}]{0,99}$/u.test(text);
}
function parseName(text) {
  if (!isLegalName(text)) {
    throw new Expectation(
      "a name of 1 to 100 characters, without / and control characters, that begins with no dot or space"
    );
  }
  return text;
}
function parsePath(text) {
  if (text === "" || text.includes("\0")) throw new Expectation("a file name");
  return text;
}
var EVENT_TYPES = `EVENT
PROCESS_STATE PROCESS_STATE_STARTING PROCESS_STATE_RUNNING PROCESS_STATE_BACKOFF PROCESS_STATE_STOPPING
PROCESS_STATE_EXITED PROCESS_STATE_STOPPED PROCESS_STATE_FATAL PROCESS_STATE_UNKNOWN REMOTE_COMMUNICATION
PROCESS_LOG PROCESS_LOG_STDOUT PROCESS_LOG_STDERR
PROCESS_COMMUNICATION PROCESS_COMMUNICATION_STDOUT PROCESS_COMMUNICATION_STDERR
SUPERVISOR_STATE_CHANGE SUPERVISOR_STATE_CHANGE_RUNNING SUPERVISOR_STATE_CHANGE_STOPPING
PROCESS_GROUP PROCESS_GROUP_ADDED PROCESS_GROUP_REMOVED`.split(/\s/);
function parseEventNames(text) {
  const names = text.split(",").map((name) => name.trim());
  for (const name of names) {
    if (name.startsWith("TICK")) throw new Error("ticks are for --ticks, --every and --cron");
    if (!EVENT_TYPES.includes(name)) {
      throw new Error(`${quote(name)} is no event type of supervisord${suggestion(name.toUpperCase(), EVENT_TYPES)}`);
    }
  }
  return names;
}
function parseSpeed(text) {
  if (text === "max") return Number.POSITIVE_INFINITY;
  const speed = Number(text);
  if (!/^\d{1,7}$/.test(text) || speed < 1 || speed > 1e6)
    throw new Expectation("a whole number from 1 to 1000000 or max");
  return speed;
}
function parseTime(text) {
  const iso = /^(\d{4})-(\d\d)-(\d\d)(T\d\d:\d\d(?::\d\d)?(Z|[+-]\d\d:\d\d)?)?$/.exec(text);
  const [, year, month, day, clock, zone] = iso != null ? iso : [];
  const seconds = Date.parse(clock === void 0 || zone !== void 0 ? text : `${text}Z`) / 1e3;
  const isRealDay = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === Number(day);
  if (iso === null || !isRealDay || !(seconds >= 0)) throw new Expectation("a time such as 2025-03-30T00:55:00Z");
  return seconds;
}
function suggestion(word, known) {
  const [nearest] = known.map((name) => ({ name, distance: editDistance(word, name) })).sort((a, b) => a.distance - b.distance);
  return nearest !== void 0 && nearest.distance <= Math.max(1, word.length / 4) ? `; did you mean ${nearest.name}?` : "";
}
function editDistance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}
var GROUP_TITLES = {
  schedule: "Schedule, exactly one",
  when: "When",
  how: "How",
  telling: "Telling",
  trial: "Subcommands"
};
function helpText() {
  const lines = [
    `supertick ${"0.1.0"}: cron for supervisord, in one file`,
    "",
    "  supertick [options] -- command [argument ...]    an event listener (supervisord starts it)",
    "  supertick [options] --crontab FILE               the same for many jobs",
    "  supertick init     [options] -- command ...      prints the section for supervisord.conf",
    "  supertick check    [options] [-- command ...]    says in words what will happen, and lists the next runs",
    "  supertick check    supervisord.conf [--json]     what is wrong with its sections that run supertick; exit status 1",
    "  supertick simulate [options] -- command ...      try it: plays supervisord, sends ticks over pipes, shows the frames",
    "  supertick status   [FILE ...] [--json]           what the state files say; exit status 1 if something is wrong",
    "  supertick --help | --version",
    "",
    "Each option is a flag or an environment variable; the flag goes first. Durations D: 90, 90s, 5m, 1h30m, 2d, 1w."
  ];
  for (const group of Object.keys(GROUP_TITLES)) {
    lines.push("", `${GROUP_TITLES[group]}:`);
    for (const key of OPTION_KEYS) if (specOf(key).group === group) lines.push(...helpRow(specOf(key)));
  }
  lines.push(
    "",
    "Try it:   supertick simulate --ticks 5 --for 15m -- echo hello",
    "Run now:  supervisorctl signal USR2 NAME"
  );
  return `${lines.join("\n")}
`;
}
function helpRow(spec) {
  var _a2, _b2;
  const flag = spec.metavar === void 0 ? spec.flag : `${spec.flag} ${spec.metavar}`;
  const standard = (_a2 = spec.defaultText) != null ? _a2 : spec.default;
  const note = standard === void 0 ? "" : ` (default: ${standard})`;
  const head = `  ${flag.padEnd(18)} ${((_b2 = spec.env) != null ? _b2 : "").padEnd(18)} `;
  return [`${head}${spec.about}${note}`];
}
function optionsOf(settings) {
  const { runOnStart, jitter, onlyIf, onFailure, onSuccess, onSkip, ping } = settings;
  return { policy: policyOf(settings), runOnStart, jitter, onlyIf, onFailure, onSuccess, onSkip, ping };
}
function jobOf(name, command, schedule, settings) {
  return { name, command, schedule, id: jobId(schedule, command), options: optionsOf(settings) };
}
function argvOf({ command, env }) {
  return typeof command === "string" ? [(env == null ? void 0 : env.SHELL) || "/bin/sh", "-c", command] : command;
}
function isRunOnStart({ schedule, options }) {
  return options.runOnStart || schedule.kind === "start";
}
function jitterOf({ schedule, options }) {
  return isByClock(schedule) ? options.jitter : 0;
}
function isByClock({ kind }) {
  return kind === "slices" || kind === "cron";
}
function jobId(schedule, command) {
  const text = JSON.stringify([scheduleRecord(schedule), command]);
  let a = 1;
  let b = 2;
  for (let i = 0; i < text.length; i++) {
    a = Math.imul(a ^ text.charCodeAt(i), 16777619);
    b = Math.imul(b ^ text.charCodeAt(i), 1540483477);
  }
  return ((a >>> 0) * 2 ** 21 + (b >>> 11)).toString(36);
}
var AT_WORDS = [...Object.keys(MACROS), "@every", "@ticks", "@start", "@reboot"];
var VARIABLES_OF_CRON = [
  ["MAILTO", "supertick sends no mail; TICK_ON_FAILURE can"],
  ["MAILFROM", "supertick sends no mail; TICK_ON_FAILURE can"],
  ["HOME", "the commands start in supertick's own directory, with cron they would in this one"],
  ["RANDOM_DELAY", "it delays nothing; TICK_JITTER does"],
  ["TZ", "it is for the commands alone, as in cron; CRON_TZ or TICK_TZ is for the schedules"]
];
function parseCrontab(text, context) {
  const reader = new CrontabReader(context);
  const mistakes = [];
  text.replace(/^\ufeff/, "").split("\n").forEach((line, i) => {
    try {
      reader.take(line.trim(), i + 1);
    } catch (error) {
      mistakes.push(`${context.path}:${i + 1}: ${error.message}`);
    }
  });
  const { jobs, warnings, pendingName } = reader;
  if (pendingName !== void 0)
    mistakes.push(`${context.path}:${pendingName.line}: TICK_NAME names no job: none follows`);
  nameJobs(jobs, mistakes, context.path);
  return { jobs, mistakes, warnings };
}
var CrontabReader = class {
  constructor(context) {
    this.context = context;
    this.jobs = [];
    this.warnings = [];
    this.options = /* @__PURE__ */ new Map();
    this.env = {};
    this.crons = /* @__PURE__ */ new Map();
  }
  take(line, number) {
    if (line === "" || line.startsWith("#")) return;
    if (line.includes("\0")) throw new Error("the line has a NUL byte: is this a text file?");
    const variable = VARIABLE_LINE.exec(line);
    if (variable === null) return this.takeJob(line, number);
    const name = variable[2];
    const text = unquote(name, variable[3]);
    if (name.startsWith("TICK_") || name === "CRON_TZ") return this.takeOption(name, text, number);
    this.env = { ...this.env, [name]: text };
    for (const [known, note] of VARIABLES_OF_CRON) if (name === known) this.warn(number, `${name}: ${note}`);
  }
  warn(line, text) {
    this.warnings.push(`${this.context.path}:${line}: ${text}`);
  }
  takeOption(name, text, line) {
    const key = name === "CRON_TZ" ? "tz" : OPTION_KEYS.find((k) => specOf(k).env === name);
    if (key === void 0)
      throw new Error(`${name} is not a variable of supertick${suggestion(name, optionVariables())}`);
    if (SCHEDULE_KEYS.includes(key))
      throw new Error(`${name} is a schedule: here it stands at the beginning of the job's own line`);
    if (specOf(key).scope !== "job")
      throw new Error(`${name} is the listener's: give it as ${specOf(key).flag}, or in its environment`);
    if (text !== "") parseSetting(key, { text, origin: name });
    if (key === "name") this.pendingName = text === "" ? void 0 : { text, line };
    else {
      if (text === "") this.options.delete(key);
      else this.options.set(key, { text, origin: name });
      this.common = void 0;
    }
  }
  takeJob(text, line) {
    var _a2;
    const { env } = this;
    const { settings, options } = (_a2 = this.common) != null ? _a2 : this.findCommon();
    const parts = splitJobLine(text);
    const schedule = this.lineSchedule(parts.schedule, settings);
    const { command, input } = splitPercent(parts.command);
    checkUserColumn(command, (word) => this.context.isUser(word, env.PATH));
    if (command.trim() === "") throw new Error("the command is empty: it begins with %");
    const name = this.pendingName === void 0 ? "" : this.pendingName.text;
    const id = jobId(schedule, argvOf({ command, env }));
    this.jobs.push({ name, command, schedule, id, options, env, input, line, settings });
    this.pendingName = void 0;
    if (WEEKDAY_COMMAND.test(command))
      this.warn(
        line,
        `the command is ${quote(command.split(/[ \t]/, 1)[0])}: a line has five time fields, then the command`
      );
    if (input !== void 0)
      this.warn(line, "the first % ends the command, and what follows is its stdin, as in cron; \\% is a %");
  }
  findCommon() {
    const { flags, environment } = this.context;
    const settings = valuesOf([flags, { isFlags: false, texts: this.options }, environment], "crontab");
    this.common = { settings, options: optionsOf(settings) };
    return this.common;
  }
  lineSchedule(text, { tz, catchUp, offset }) {
    if (text === "@start" || text === "@reboot") return { kind: "start" };
    if (text.startsWith("@ticks") || text.startsWith("@every")) {
      const [origin, value] = text.split(/[ \t]+/);
      if (origin === "@ticks")
        return { kind: "ticks", every: parseSetting("ticks", { text: value, origin }), isOfAll: true };
      const everySeconds = parseSetting("every", { text: value, origin });
      if (offset < everySeconds) return { kind: "slices", everySeconds, offsetSeconds: offset };
      throw new Error(`@every ${value}: the offset of ${formatDuration(offset)} is not less than the slice`);
    }
    let cron = this.crons.get(text);
    if (cron === void 0) {
      cron = parseSetting("cron", { text, origin: "schedule" });
      this.crons.set(text, cron);
    }
    return { kind: "cron", cron, zone: tz != null ? tz : this.context.defaultZone(), catchUpSeconds: catchUp };
  }
};
var VARIABLE_LINE = /^(["']?)([A-Za-z_][\w.-]*)\1[ \t]*=[ \t]*(.*)$/;
var FIELDS_LINE = /^((?:[^ \t]+[ \t]+){4}[^ \t]+)[ \t]+(.+)$/;
var VALUE_LINE = /^(@[^ \t]+[ \t]+[^ \t]+)[ \t]+(.+)$/;
var WORD_LINE = /^(@[^ \t]+)[ \t]+(.+)$/;
var SIXTH_FIELD = /^(?:[\d*?][\d*?,/-]*|(?:SUN|MON|TUE|WED|THU|FRI|SAT)(?:[-,#][\dA-Z,#-]+)?)(?:[ \t]|$)/;
var WEEKDAY_COMMAND = /^(?:sun|mon|tue|wed|thu|fri|sat)(?:[-,#][\da-z,#-]+)?[ \t]/i;
function unquote(name, value) {
  const mark = value[0];
  if (mark !== '"' && mark !== "'") return value;
  const end = value.indexOf(mark, 1);
  if (end < 0) throw new Error(`the value of ${name} has no closing ${mark}`);
  if (end < value.length - 1) throw new Error(`the value of ${name} goes on behind its closing ${mark}`);
  return value.slice(1, -1);
}
function splitJobLine(line) {
  const hasValue = /^@(?:every|ticks)(?:[ \t]|$)/.test(line);
  const form = line.startsWith("@") ? hasValue ? VALUE_LINE : WORD_LINE : FIELDS_LINE;
  const parts = form.exec(line);
  if (parts === null || form === WORD_LINE && !AT_WORDS.includes(parts[1])) throw jobLineMistake(line);
  if (form === FIELDS_LINE && SIXTH_FIELD.test(parts[2]))
    throw new Error(
      "there is a sixth time field: a line has five, then the command; @every 10s is finer than a minute"
    );
  return { schedule: parts[1], command: parts[2] };
}
function jobLineMistake(line) {
  const [word] = line.split(/[ \t]/, 1);
  const isWord = word.startsWith("@");
  if (isWord && !AT_WORDS.includes(word)) {
    const instead = suggestion(word, AT_WORDS) || `: expected ${listed(AT_WORDS, "or")}`;
    return new Error(`${quote(word)} is no schedule${instead}`);
  }
  if (/^[A-Za-z_]{4}/.test(word))
    return new Error(`a line that begins with ${quote(word)} is neither a variable, NAME=value, nor a job`);
  const hasValue = word === "@every" || word === "@ticks";
  const example = isWord ? `${word}${hasValue ? " 5" : ""}` : "30 2 * * *";
  const expected = isWord ? word : "five time fields";
  return new Error(`expected ${expected} and a command behind, as in ${example} /path/to/command`);
}
function splitPercent(text) {
  if (!text.includes("%")) return { command: text };
  let end = 0;
  while (end < text.length && text[end] !== "%") end += text[end] === "\\" ? 2 : 1;
  const command = text.slice(0, end).replace(/\\%/g, "%");
  if (end >= text.length) return { command };
  const input = text.slice(end + 1).replace(/\\?%/g, (mark) => mark === "%" ? "\n" : "%");
  return { command, input: input === "" || input.endsWith("\n") ? input : `${input}
` };
}
function checkUserColumn(command, isUser) {
  const words = /^([A-Za-z_][\w-]*)[ \t]+[^-|&;<>\s]/.exec(command);
  if (words === null || !isUser(words[1])) return;
  throw new Error(
    `${quote(words[1])} is a user, as in a system crontab: supertick runs every job as the user that it is itself; remove that column`
  );
}
function nameJobs(jobs, mistakes, path) {
  var _a2;
  const lines = /* @__PURE__ */ new Map();
  for (const { name, line } of jobs) {
    const other = name === "" ? void 0 : lines.get(name);
    if (other !== void 0)
      mistakes.push(`${path}:${line}: the job in line ${other} has the name ${quote(name)} already`);
    lines.set(name, line);
  }
  const counts = /* @__PURE__ */ new Map();
  for (const job of jobs) {
    if (job.name !== "") continue;
    const base = commandName(job.command);
    let count = (_a2 = counts.get(base)) != null ? _a2 : 0;
    do {
      count++;
      job.name = count === 1 ? base : `${base}.${count}`;
    } while (lines.has(job.name));
    counts.set(base, count);
    lines.set(job.name, job.line);
  }
}
function commandName(command) {
  const word = /^(?:(?:\w+=\S*|exec)\s+)*(\S*)/.exec(command)[1];
  const name = word.replace(/["'();]/g, "");
  const base = name.slice(name.lastIndexOf("/") + 1);
  return isLegalName(base) ? base : "job";
}
function matchJobs(jobs, known) {
  const left = new Map(known.map((one) => [one.name, one]));
  const byId = /* @__PURE__ */ new Map();
  for (const { name, id } of known) {
    const alike = id === void 0 ? void 0 : byId.get(id);
    if (alike !== void 0) alike.push(name);
    else if (id !== void 0) byId.set(id, [name]);
  }
  const names = jobs.map(() => void 0);
  const claim = (find) => jobs.forEach((job, i) => {
    const name = names[i] === void 0 ? find(job) : void 0;
    if (name !== void 0 && left.delete(name)) names[i] = name;
  });
  claim((job) => {
    var _a2;
    return ((_a2 = left.get(job.name)) == null ? void 0 : _a2.id) === job.id ? job.name : void 0;
  });
  claim((job) => {
    var _a2, _b2;
    return (_b2 = byId.get((_a2 = job.id) != null ? _a2 : "")) == null ? void 0 : _b2.find((name) => left.has(name));
  });
  claim((job) => job.name);
  return names;
}
var isBun = process.versions.bun !== void 0;
var isDeno = process.versions.deno !== void 0;
var MAX_QUEUED_LOG_BYTES = 64 * 1024;
var MAX_LOG_RETRY_MS = 200;
var LOG_PATIENCE_MS = 1e3;
var MAX_OUTPUT_LINE_BYTES = 64 * 1024;
function createLog(form) {
  const queue = new LogQueue(
    (lost) => ownLine(form, void 0, `the reader of this log was stopped; lines lost: ${lost}`, {})
  );
  function logOf(job) {
    return {
      line: (text, facts = {}) => queue.sendOwn(ownLine(form, job, text, facts)),
      ofJob: logOf,
      outputOf(source) {
        if (form === "raw") return void 0;
        const read = (stream, name) => copyLines(stream, outputFormat(form, source, name), queue);
        return { isStreamTold: form === "json", read };
      },
      flush: () => queue.flush()
    };
  }
  return logOf(void 0);
}
function createTroubleReport(log) {
  let told;
  return {
    is(text) {
      if (text !== told) log.line(text);
      told = text;
    },
    isOver() {
      told = void 0;
    }
  };
}
function copyLines(stream, format, queue) {
  const cutter = createLineCutter();
  const send = (lines) => {
    if (lines.length > 0) queue.send(format((/* @__PURE__ */ new Date()).toISOString(), lines));
  };
  const goOn = () => void stream.resume();
  stream.on("data", (bytes) => {
    send(cutter.push(bytes.toString("latin1")));
    if (queue.hasRoom) return;
    stream.pause();
    queue.waitingReaders.add(goOn);
  });
  stream.on("error", () => {
  });
  const end = () => {
    queue.waitingReaders.delete(goOn);
    send(cutter.end());
  };
  stream.on("end", end);
  stream.on("close", end);
}
var LogQueue = class {
  constructor(lostLine) {
    this.lostLine = lostLine;
    this.waitingReaders = /* @__PURE__ */ new Set();
    this.isOpen = false;
    this.queue = [];
    this.queuedBytes = 0;
    this.ownQueuedBytes = 0;
    this.lost = 0;
    this.retryMs = 1;
    this.isPatient = true;
  }
  get hasRoom() {
    return this.queuedBytes < MAX_QUEUED_LOG_BYTES;
  }
  send(bytes, isOwn = false) {
    if (!this.isOpen) this.own = openOwnStderr();
    this.isOpen = true;
    this.push(bytes, isOwn);
    this.drain();
    if (this.own === void 0) this.flush();
    this.drainLater();
  }
  sendOwn(line) {
    const bytes = Buffer.from(line);
    if (this.ownQueuedBytes + bytes.length > MAX_QUEUED_LOG_BYTES) this.lost++;
    else this.send(bytes, true);
  }
  flush() {
    for (const end = monotonicSeconds() + LOG_PATIENCE_MS / 1e3; this.queue.length > 0; sleep(10)) {
      this.drain();
      if (!this.isPatient || monotonicSeconds() > end) break;
    }
    this.isPatient = this.queue.length === 0;
  }
  push(bytes, isOwn) {
    this.queue.push({ bytes, isOwn });
    this.queuedBytes += bytes.length;
    if (isOwn) this.ownQueuedBytes += bytes.length;
  }
  drain() {
    var _a2;
    while (this.queue.length > 0) {
      const [first] = this.queue;
      const written = tryWrite((_a2 = this.own) != null ? _a2 : 2, first.bytes);
      if (written === void 0) return;
      this.retryMs = 1;
      this.queuedBytes -= written;
      if (first.isOwn) this.ownQueuedBytes -= written;
      if (written < first.bytes.length) first.bytes = first.bytes.slice(written);
      else this.queue.shift();
    }
    if (this.lost === 0) return;
    this.push(Buffer.from(this.lostLine(this.lost)), true);
    this.lost = 0;
    this.drain();
  }
  drainLater() {
    if (this.queue.length === 0 || this.retry !== void 0) return;
    this.retry = setTimeout(() => {
      this.retry = void 0;
      this.retryMs = Math.min(2 * this.retryMs, MAX_LOG_RETRY_MS);
      this.drain();
      if (this.hasRoom) this.goOnReading();
      this.drainLater();
    }, this.retryMs);
    this.retry.unref();
  }
  goOnReading() {
    const readers = [...this.waitingReaders];
    this.waitingReaders.clear();
    for (const goOn of readers) goOn();
  }
};
function ownLine(form, job, text, facts) {
  const time = form === "raw" ? "" : (/* @__PURE__ */ new Date()).toISOString();
  if (form === "json") return `${jsonText({ time, source: "supertick", job, ...facts, message: text })}
`;
  const whose = job === void 0 ? "" : `${job}: `;
  const line = `supertick: ${whose}${text}`.replace(/[\u0000-\u001f]/g, escapeCodeUnit);
  return form === "prefix" ? `${time} ${escapeUnsafe(line)}
` : `${escapeUnsafe(line)}
`;
}
function outputFormat(form, { job, run, hook }, source) {
  if (form === "json") {
    return (time, lines) => {
      const facts = jsonText({ time, source, job, run, hook }).slice(0, -1);
      const texts = textsOf(lines).map(({ encoding, message }, i) => {
        const partial = lines[i].isPartial ? ',"partial":true' : "";
        const text = /^[ !#-[\]-~]*$/.test(message) ? `"${message}"` : jsonText(message);
        return `${facts}${encoding},"message":${text}${partial}}
`;
      });
      return Buffer.from(texts.join(""));
    };
  }
  const whose = utf8Bytes(quote(`${job}[${run != null ? run : ""}]${hook === void 0 ? "" : ` ${hook}`}`).slice(1, -1));
  return (time, lines) => Buffer.from(lines.map(({ bytes }) => `${time} ${whose}: ${bytes}
`).join(""), "latin1");
}
function textsOf(lines) {
  const all = decodeUtf8(lines.map(({ bytes }) => bytes).join("\n"));
  if (!all.includes("\uFFFD")) return all.split("\n").map((message) => ({ encoding: "", message }));
  return lines.map(({ bytes }) => {
    const message = decodeUtf8(bytes);
    const isUtf8 = !message.includes("\uFFFD") || utf8Bytes(message) === bytes;
    return isUtf8 ? { encoding: "", message } : { encoding: ',"encoding":"latin1"', message: bytes };
  });
}
function utf8Bytes(text) {
  return Buffer.from(text).toString("latin1");
}
function createLineCutter() {
  let rest = "";
  const cut = (line, isOver, lines) => {
    let left = line;
    while (left.length > MAX_OUTPUT_LINE_BYTES) {
      const to = characterStart(left, MAX_OUTPUT_LINE_BYTES);
      lines.push({ bytes: left.slice(0, to), isPartial: true });
      left = left.slice(to);
    }
    rest = isOver ? "" : left;
    if (isOver) lines.push({ bytes: left, isPartial: false });
    return lines;
  };
  return {
    push(bytes) {
      const parts = (rest + bytes).split("\n");
      const lines = [];
      for (let i = 0; i < parts.length - 1; i++) cut(parts[i], true, lines);
      cut(parts[parts.length - 1], false, lines);
      return lines;
    },
    end: () => rest === "" ? [] : cut(rest, true, [])
  };
}
function characterStart(bytes, at) {
  for (let start2 = at; start2 > at - 4; start2--) if ((bytes.charCodeAt(start2) & 192) !== 128) return start2;
  return at;
}
function openOwnStderr() {
  const { O_WRONLY, O_APPEND, O_NONBLOCK } = fs.constants;
  try {
    if (fs.fstatSync(2).isFile()) return void 0;
    return fs.openSync("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK);
  } catch {
    return void 0;
  }
}
var MAX_WRITE_BYTES = isDeno ? 4096 : Number.POSITIVE_INFINITY;
function tryWrite(fd, bytes) {
  try {
    return fs.writeSync(fd, bytes, 0, Math.min(bytes.length, MAX_WRITE_BYTES));
  } catch (error) {
    return errorCode(error) === "EAGAIN" ? void 0 : bytes.length;
  }
}
function sleep(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
function monotonicSeconds() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds + nanoseconds / 1e9;
}
function hostName() {
  return require("os").hostname();
}
function codedError(code) {
  return Object.assign(new Error(), { code });
}
function errorCode(error) {
  var _a2;
  return (_a2 = error.code) != null ? _a2 : String(error);
}
function formatIdentity({ pid, start: start2 }) {
  return `${pid}:${start2}`;
}
function identify(pid) {
  const [state, , , , ...rest] = processFields(pid);
  return state === void 0 || state === "Z" || state === "X" ? void 0 : { pid, start: Number(rest[15]) };
}
function processFields(pid) {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}
function findRun(listener, job, run) {
  const facts = [`SUPERTICK_LISTENER=${formatIdentity(listener)}`, ...factsOf(job, run)];
  const leader = findProcess((pid) => processFields(Number(pid))[3] === pid && hasVariables(pid, facts));
  return leader === void 0 ? void 0 : identify(leader);
}
function hasLeftover(leader, job, run) {
  if (identify(leader.pid) !== void 0) return false;
  const group = String(leader.pid);
  const facts = factsOf(job, run);
  return findProcess((pid) => processFields(Number(pid))[2] === group && hasVariables(pid, facts)) !== void 0;
}
function factsOf(job, run) {
  return [`SUPERTICK_JOB=${job}`, `SUPERTICK_RUN=${run}`];
}
function hasVariables(pid, facts) {
  const variables = tryReadFile(`/proc/${pid}/environ`).split("\0");
  const isHook = variables.some((variable) => variable.startsWith("SUPERTICK_HOOK="));
  return facts.every((fact) => variables.includes(fact)) && !isHook;
}
function findProcess(isIt) {
  try {
    const found = fs.readdirSync("/proc").find((name) => /^\d+$/.test(name) && isIt(name));
    return found === void 0 ? void 0 : Number(found);
  } catch {
    return void 0;
  }
}
function isAlive(process2) {
  var _a2;
  return process2.start > 0 && ((_a2 = identify(process2.pid)) == null ? void 0 : _a2.start) === process2.start;
}
function startProcess({ command, env, input, output, onExit, onEnd }) {
  var _a2, _b2, _c, _d, _e, _f, _g, _h, _i;
  const { spawn } = require("child_process");
  const onError = (error) => onEnd({ exit: null, signal: null, error: startError(command[0], error) });
  const stdin = input === void 0 ? "ignore" : (_a2 = tryStore(input)) != null ? _a2 : "pipe";
  const pipes = output === void 0 ? void 0 : tryMakePipes(output.isStreamTold ? 2 : 1);
  const theirs = output === void 0 ? [2, 2] : (_b2 = pipes == null ? void 0 : pipes.writeEnds) != null ? _b2 : ["pipe", "pipe"];
  const stdio = [stdin, ...theirs];
  try {
    const child = spawn(command[0], command.slice(1), { env, stdio, detached: true });
    (_c = child.stdin) == null ? void 0 : _c.on("error", () => {
    });
    (_d = child.stdin) == null ? void 0 : _d.end(input);
    const [out, err] = (_e = pipes == null ? void 0 : pipes.streams) != null ? _e : [child.stdout, child.stderr];
    if (out) output == null ? void 0 : output.read(out, "stdout");
    if (err) output == null ? void 0 : output.read(err, "stderr");
    child.on("error", (error) => child.pid === void 0 && onError(error));
    child.on("exit", (exit, signal) => {
      const end = () => onEnd({ exit, signal });
      if (output === void 0) return end();
      onExit == null ? void 0 : onExit({ exit, signal });
      whenOutputEnds([out, err], pipes === void 0 ? [child] : pipes.streams, end);
    });
    return child.pid === void 0 ? void 0 : { pid: child.pid, start: (_g = (_f = identify(child.pid)) == null ? void 0 : _f.start) != null ? _g : 0 };
  } catch (error) {
    for (const stream of (_h = pipes == null ? void 0 : pipes.streams) != null ? _h : []) stream.destroy();
    setImmediate(onError, error);
    return void 0;
  } finally {
    for (const end of /* @__PURE__ */ new Set([stdin, ...(_i = pipes == null ? void 0 : pipes.writeEnds) != null ? _i : []])) if (typeof end === "number") fs.closeSync(end);
  }
}
var LAST_OUTPUT_SECONDS = 1;
function whenOutputEnds(streams, closing, onEnd) {
  const open2 = new Set(closing.filter((one) => !("destroyed" in one && one.destroyed)));
  if (open2.size === 0) return onEnd();
  let isOver = false;
  const end = () => {
    cancel();
    if (!isOver) onEnd();
    isOver = true;
  };
  const cancel = startTimer(LAST_OUTPUT_SECONDS, () => {
    for (const stream of streams) if (!(stream == null ? void 0 : stream.isPaused())) stream == null ? void 0 : stream.destroy();
    end();
  });
  for (const one of open2) {
    one.on("close", () => {
      open2.delete(one);
      if (open2.size === 0) end();
    });
  }
}
function tryMakePipes(count) {
  if (isBun || isDeno) return void 0;
  const { execFileSync } = require("child_process");
  const { Socket } = require("net");
  const { O_RDONLY, O_WRONLY, O_NONBLOCK } = fs.constants;
  return tryInPrivateDirectory(["1", "2"].slice(0, count), (names) => {
    execFileSync("mkfifo", ["-m", "600", ...names], { stdio: "ignore" });
    const ends = [];
    try {
      for (const name of names)
        for (const flags of [O_RDONLY | O_NONBLOCK, O_WRONLY]) ends.push(fs.openSync(name, flags));
      const streams = ends.filter((_, i) => i % 2 === 0).map((fd) => new Socket({ fd, readable: true, writable: false }));
      return { writeEnds: [ends[1], ends[ends.length - 1]], streams };
    } catch (error) {
      for (const end of ends) fs.closeSync(end);
      throw error;
    }
  });
}
function tryStore(input) {
  return tryInPrivateDirectory(["input"], ([file]) => {
    fs.writeFileSync(file, input, { mode: 384 });
    return fs.openSync(file, "r");
  });
}
function tryInPrivateDirectory(names, open2) {
  const directory = tryMakePrivateDirectory();
  if (directory === void 0) return void 0;
  const files = names.map((name) => `${directory}/${name}`);
  try {
    return open2(files);
  } catch {
    return void 0;
  } finally {
    for (const file of files) tryRemove(fs.unlinkSync, file);
    tryRemove(fs.rmdirSync, directory);
  }
}
function tryRemove(remove, path) {
  try {
    remove(path);
  } catch {
  }
}
function tryMakePrivateDirectory() {
  for (const parent of [process.env.TMPDIR || "/tmp", "/tmp", "/dev/shm"]) {
    try {
      return fs.mkdtempSync(`${parent}/supertick-pipe-`);
    } catch {
    }
  }
  return void 0;
}
var SHELL_GRACE_SECONDS = 1;
function startShell(text, limitSeconds, plan) {
  let isTold = false;
  let isLate = false;
  let isGone = false;
  const tell = (how) => {
    cancelLimit();
    if (!isTold) plan.onEnd(how, isLate);
    isTold = true;
  };
  const beGone = () => {
    if (!isGone) plan.onGone();
    isGone = true;
  };
  const onEnd = (how) => {
    tell(how);
    if (!isLate) beGone();
  };
  const onExit = () => cancelLimit();
  const leader = startProcess({ ...plan, command: ["/bin/sh", "-c", text], onExit, onEnd });
  const signal = (name) => leader !== void 0 && signalGroup(leader.pid, name);
  const kill2 = () => {
    isTold = true;
    cancelLimit();
    signal("SIGKILL");
    beGone();
  };
  const cancelLimit = startTimer(limitSeconds, () => {
    isLate = true;
    signal("SIGTERM");
    startTimer(SHELL_GRACE_SECONDS, kill2);
    tell({ exit: null, signal: null, error: `no end after ${limitSeconds}s` });
  });
  return kill2;
}
function startError(program, error) {
  var _a2;
  const reasons = {
    ENOENT: `${quote(program)} was not found`,
    EACCES: `${quote(program)} is not executable`,
    EAGAIN: "there is no room for another process: a limit of processes or memory",
    E2BIG: "its arguments and environment are too long"
  };
  const code = errorCode(error);
  return `${code}: ${(_a2 = reasons[code]) != null ? _a2 : error.message}`;
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
var PING_SECONDS = 10;
function createPinger(url, job, log) {
  const trouble = createTroubleReport(log);
  const lastOfRun = /* @__PURE__ */ new Map();
  const { host } = new URL(url);
  return {
    ping(run, what, onEnd) {
      var _a2;
      const before = (_a2 = lastOfRun.get(run.number)) != null ? _a2 : Promise.resolve();
      const ended = before.then(() => sendPing(pingUrl(url, what, pingRunId(job, run)))).then((error) => {
        if (error === void 0) trouble.isOver();
        else trouble.is(`--ping: ${host}: ${error}`);
        if (lastOfRun.get(run.number) === ended) lastOfRun.delete(run.number);
        onEnd();
      });
      lastOfRun.set(run.number, ended);
    }
  };
}
function pingUrl(base, what, rid) {
  const url = new URL(base);
  if (what !== "success") url.pathname = `${url.pathname.replace(/\/$/, "")}/${what}`;
  url.searchParams.set("rid", rid);
  for (const part of ["username", "password"])
    if (!isPercentEncoded(url[part])) url[part] = url[part].replace(/%/g, "%25");
  return url.href;
}
function isPercentEncoded(text) {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
function pingRunId(job, { number, due }) {
  const { createHash } = require("crypto");
  const hex = createHash("sha1").update(`${hostName()} ${job} ${number} ${due}`).digest("hex");
  const variant = (Number.parseInt(hex[16], 16) & 3 | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
function pingHeaders({ username, password }) {
  const headers = { "user-agent": `supertick/${"0.1.0"}` };
  if (username === "" && password === "") return headers;
  const credentials = Buffer.from([username, password].map(decodeURIComponent).join(":"));
  return { ...headers, authorization: `Basic ${credentials.toString("base64")}` };
}
function sendPing(url) {
  const { get } = url.startsWith("https:") ? require("https") : require("http");
  return new Promise((resolve) => {
    const end = (error) => {
      cancel();
      resolve(error);
      request.destroy();
    };
    const cancel = startTimer(PING_SECONDS, () => end(`no answer after ${PING_SECONDS}s`));
    const request = get(
      url,
      { agent: false, headers: pingHeaders(new URL(url)) },
      ({ statusCode = 0 }) => end(statusCode >= 200 && statusCode < 300 ? void 0 : `HTTP status ${statusCode}`)
    );
    request.on("error", (error) => end(errorCode(error)));
  });
}
var READ_BUFFER_BYTES = 4096;
function openInput(onBytes, onEnd) {
  let isPaused = false;
  let bytesRead = 0;
  const take = (buffer, length) => {
    bytesRead += length;
    if (!isPaused) onBytes(buffer.toString("latin1", 0, length));
  };
  const stream = openInputStream(take);
  let hasEnded = false;
  const end = () => {
    if (!hasEnded && !isPaused) onEnd();
    hasEnded = true;
  };
  for (const event of ["end", "error", "close"]) stream.on(event, end);
  return {
    pause() {
      isPaused = true;
      stream.pause();
    },
    bytesRead: () => bytesRead
  };
}
function openInputStream(take) {
  const stats = fs.fstatSync(0);
  if (!stats.isFIFO() && !stats.isSocket() || isBun) {
    return process.stdin.on("data", (bytes) => take(bytes, bytes.length));
  }
  const net = require("net");
  const buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
  const onread = {
    buffer,
    callback(length) {
      take(buffer, length);
      return true;
    }
  };
  return new net.Socket({ fd: 0, readable: true, writable: false, onread });
}
function writeToSupervisord(text) {
  writeFully(1, text);
}
function writeFully(fd, text) {
  const bytes = Buffer.from(text);
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
  if (!isShared) return;
  const owner = tryOwnerOf(path);
  if (owner === void 0 || owner === process.geteuid() || owner === directory.uid) return;
  throw codedError("it belongs to another user");
}
function directoryOf(path) {
  return path.replace(/[^/]*$/, "") || ".";
}
function tryOwnerOf(path) {
  try {
    return fs.lstatSync(path).uid;
  } catch {
    return void 0;
  }
}
function openRegularFile(path) {
  const { O_RDWR, O_RDONLY } = fs.constants;
  try {
    return { fd: openRegular(path, O_RDWR), isWritable: true };
  } catch (error) {
    if (errorCode(error) !== "EACCES" && errorCode(error) !== "EROFS") throw error;
    return { fd: openRegular(path, O_RDONLY), isWritable: false };
  }
}
function openRegular(path, access) {
  refuseForeign(path);
  const fd = fs.openSync(path, access | fs.constants.O_NONBLOCK);
  if (fs.fstatSync(fd).isFile()) return fd;
  fs.closeSync(fd);
  throw codedError("no regular file");
}
function readStart(fd) {
  const bytes = Buffer.alloc(4096);
  return bytes.toString("utf8", 0, fs.readSync(fd, bytes, 0, bytes.length, 0));
}
function readStartOf(path) {
  const { fd } = openRegularFile(path);
  try {
    return readStart(fd);
  } finally {
    fs.closeSync(fd);
  }
}
function tryReadFile(path) {
  try {
    const { fd } = openRegularFile(path);
    const text = fs.readFileSync(fd, "utf8");
    fs.closeSync(fd);
    return text;
  } catch {
    return "";
  }
}
function isReadableFile(path) {
  try {
    fs.accessSync(path, fs.constants.R_OK);
    return fs.statSync(path).isFile();
  } catch {
    return false;
  }
}
function isLink(path) {
  try {
    return fs.lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}
function isExecutable(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
function sizeOf(path) {
  try {
    return fs.lstatSync(path).size;
  } catch {
    return 0;
  }
}
function namesIn(directory) {
  try {
    return fs.readdirSync(directory).sort();
  } catch {
    return [];
  }
}
function syncDirectory(file) {
  try {
    const fd = fs.openSync(directoryOf(file), fs.constants.O_RDONLY);
    fs.fsyncSync(fd);
    fs.closeSync(fd);
  } catch {
  }
}
var COUNTER_FILE_BYTES = 256;
function formatCounter(content) {
  const { count, clock, supervisor, listener, periodSeconds } = content;
  const numbers = (clock2) => `when=${clock2.whenSeconds.toFixed()} serial=${clock2.serial.toFixed()} period=${periodSeconds} decided=${clock2.decidedSeconds.toFixed()} fixed=${clock2.fixedDecidedSeconds.toFixed()} `;
  const tick = clock === void 0 ? "" : numbers(clock);
  return `${count.toFixed()}
${tick}supervisor=${formatIdentity(supervisor)} listener=${formatIdentity(listener)}`;
}
function parseCounter(text) {
  var _a2, _b2;
  const [first, second = ""] = text.split("\n");
  if (!/^(0|[1-9]\d{0,14})\r?$/.test(first.trim())) throw new Expectation("a count on its first line");
  const fields = new Map(
    second.trim().split(" ").map((field) => field.split("="))
  );
  const number = (key) => {
    var _a3;
    return /^\d{1,16}$/.test((_a3 = fields.get(key)) != null ? _a3 : "") ? Number(fields.get(key)) : void 0;
  };
  const identity = (key) => {
    var _a3;
    const match = /^(\d{1,10}):(\d{1,16})$/.exec((_a3 = fields.get(key)) != null ? _a3 : "");
    return match === null ? void 0 : { pid: Number(match[1]), start: Number(match[2]) };
  };
  const [whenSeconds, serial] = [number("when"), number("serial")];
  const clock = whenSeconds === void 0 || serial === void 0 ? void 0 : {
    whenSeconds,
    serial,
    decidedSeconds: (_a2 = number("decided")) != null ? _a2 : whenSeconds,
    fixedDecidedSeconds: (_b2 = number("fixed")) != null ? _b2 : whenSeconds,
    isRestored: true
  };
  return {
    count: Number(first.trim()),
    clock,
    periodSeconds: Object.values(TICK_PERIODS).find((period) => period === number("period")),
    supervisor: identity("supervisor"),
    listener: identity("listener")
  };
}
function openCounterFile(path, log) {
  const bytes = Buffer.alloc(COUNTER_FILE_BYTES);
  const trouble = createTroubleReport(log);
  const { found, isKept, ...opened } = path === void 0 ? NO_FILE : findCounterFile(path, log);
  let fd = opened.fd;
  let opening = fd === void 0 ? void 0 : fs.fstatSync(fd);
  let isCut = false;
  function overwrite(file) {
    if (fd === void 0 || opening === void 0 || !isStillAt(file, opening)) {
      if (fd !== void 0) fs.closeSync(fd);
      fd = void 0;
      fd = createCounterFile(file, bytes);
      opening = fs.fstatSync(fd);
    }
    const written = fs.writeSync(fd, bytes, 0, bytes.length, 0);
    if (written < bytes.length) throw codedError("ENOSPC");
    if (!isCut) fs.ftruncateSync(fd, bytes.length);
    isCut = true;
  }
  return {
    found,
    write(content) {
      if (path === void 0 || isKept) return;
      bytes.fill(" ");
      bytes.write(formatCounter(content), "latin1");
      bytes.write("\n", COUNTER_FILE_BYTES - 1);
      try {
        overwrite(path);
        trouble.isOver();
      } catch (error) {
        trouble.is(`cannot write ${path}: ${errorCode(error)}; counting in memory until it can`);
      }
    }
  };
}
function findRival(path) {
  const { listener, supervisor } = path !== void 0 && tryReadCounter(path) || NO_FILE.found;
  if (listener === void 0 || listener.pid === process.pid || !isAlive(listener)) return void 0;
  return { ...listener, isEnding: supervisor !== void 0 && !isAlive(supervisor) };
}
function inUseBy(path, rival) {
  return `${path} is in use by the listener with pid ${rival.pid}: each needs a --name or --state of its own`;
}
var NO_FILE = { found: { count: 0 } };
function findCounterFile(path, log) {
  let got;
  let isAtFault = true;
  try {
    const { fd, isWritable } = openRegularFile(path);
    const text = readStart(fd);
    if (text === "") log.line(`${path} is empty; counting from 0`);
    const found = text === "" ? { count: 0 } : tryParseCounter(text);
    if (found !== void 0) return { found, fd: isWritable ? fd : void 0 };
    got = `expected a count, got ${quote(text)}`;
    fs.closeSync(fd);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return NO_FILE;
    got = `it cannot be read (${errorCode(error)})`;
    isAtFault = !["EMFILE", "ENFILE", "ENOMEM"].includes(errorCode(error));
  }
  const isAside = isAtFault && setAside(path);
  const kept = isAside ? `kept as ${path}.bad, counting from 0` : "it is left as it is, and the count is kept in memory only";
  log.line(`${path}: ${got}; ${kept}`);
  return { ...NO_FILE, isKept: !isAside };
}
function tryReadCounter(path) {
  try {
    return parseCounter(readStartOf(path));
  } catch {
    return void 0;
  }
}
function tryParseCounter(text) {
  try {
    return parseCounter(text);
  } catch {
    return void 0;
  }
}
function setAside(path) {
  try {
    refuseForeign(path);
  } catch {
    return false;
  }
  try {
    const there = fs.statSync(path);
    const isOurs = there.isFile() || there.isDirectory() && fs.readdirSync(path).length === 0;
    if (!isOurs) return false;
    fs.renameSync(path, `${path}.bad`);
    return true;
  } catch {
    try {
      if (!fs.statSync(path).isFile()) return false;
      fs.copyFileSync(path, `${path}.bad`);
      fs.truncateSync(path);
      return true;
    } catch {
      return false;
    }
  }
}
function isStillAt(path, opening) {
  try {
    const { ino, dev } = fs.statSync(path);
    return ino === opening.ino && dev === opening.dev;
  } catch {
    return false;
  }
}
function createCounterFile(path, bytes) {
  const { O_RDWR, O_CREAT, O_EXCL } = fs.constants;
  const draft = `${path}.${process.pid}.new`;
  refuseForeign(path);
  try {
    if (isLink(path)) throw new Error("renaming would replace the link, not what it names");
    const fd = fs.openSync(draft, O_RDWR | O_CREAT | O_EXCL, 384);
    try {
      fs.writeSync(fd, bytes, 0, bytes.length, 0);
      fs.fsyncSync(fd);
      fs.renameSync(draft, path);
      syncDirectory(path);
      return fd;
    } catch (error) {
      fs.closeSync(fd);
      fs.unlinkSync(draft);
      throw error;
    }
  } catch {
    return fs.openSync(path, O_RDWR | O_CREAT, 384);
  }
}
var FURTHER_FILES = /\.(runs|runs\.1|bad|new)$/;
function defaultStatePath(name) {
  const file = encodeURIComponent(name).replace(/^\./, "%2E").slice(0, 200).replace(FURTHER_FILES, "%2E$1");
  try {
    fs.accessSync("/var/lib/supertick/", fs.constants.W_OK | fs.constants.X_OK);
    if (isDeno) fs.rmdirSync(fs.mkdtempSync("/var/lib/supertick/.writable-"));
    return `/var/lib/supertick/${file}`;
  } catch {
    const uid = process.getuid();
    const directory = `${process.env.TMPDIR || "/tmp"}/supertick-${uid}`;
    try {
      fs.mkdirSync(directory, 448);
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw new Error(`cannot make ${directory}: ${errorCode(error)}`);
    }
    if (!isPrivateTo(uid, directory))
      throw new Error(`${directory} is not a directory that belongs to user ${uid} alone`);
    return `${directory}/${file}`;
  }
}
function isPrivateTo(uid, directory) {
  try {
    const there = fs.lstatSync(directory);
    return there.isDirectory() && there.uid === uid && (there.mode & 63) === 0;
  } catch {
    return false;
  }
}
var MAX_JOURNAL_BYTES = 256 * 1024;
var MAX_UNWRITTEN_LINES = 1e3;
var NO_PAST = {
  lastRun: 0,
  openRuns: [],
  waiting: NOTHING,
  failures: 0,
  recent: "",
  lastSerials: { remote: -1, event: -1 }
};
var MAX_RECENT = 20;
function readJournal(texts) {
  const pasts = /* @__PURE__ */ new Map();
  for (const text of texts) {
    const line = tryParseLine(text);
    if (line !== void 0) remember(pasts, line);
  }
  return pasts;
}
function remember(pasts, line) {
  if (line.type === "removed") pasts.delete(line.job);
  else pasts.set(line.job, foldLine(pastBefore(pasts, line), line));
  if (line.type === "job" && line.was !== void 0 && line.was !== line.job) pasts.delete(line.was);
}
function pastBefore(pasts, line) {
  var _a2;
  const name = line.type === "job" && typeof line.was === "string" ? line.was : line.job;
  return (_a2 = pasts.get(name)) != null ? _a2 : NO_PAST;
}
function foldLine(past, line) {
  var _a2, _b2;
  switch (line.type) {
    case "job":
      return foldJob(past, line);
    case "starting":
      return foldStarting(past, line);
    case "started":
      return withOpenRun(past, line.run, { started: line });
    case "ending":
      return withOpenRun(past, line.run, { ending: line });
    case "finished": {
      const { run, result, at, seconds, retryIn } = line;
      if (retryIn !== void 0) return withOpenRun(past, run, { finished: line });
      return concluded(past, run, { result, at, seconds });
    }
    case "givenUp": {
      const finished = (_a2 = past.openRuns.find(({ starting }) => starting.run === line.run)) == null ? void 0 : _a2.finished;
      return concluded(past, line.run, { result: line.result, at: line.at, seconds: (_b2 = finished == null ? void 0 : finished.seconds) != null ? _b2 : 0 });
    }
    case "held": {
      const left = withoutOpenRun(past, line.run);
      return line.why === "held" ? left : withRecent(left, "-");
    }
    case "skipped": {
      const left = withoutWaiting(past, line);
      return withRecent(isByTick(line) ? { ...left, lastDue: { due: line.due } } : left, "-");
    }
    case "waiting": {
      const { waiting } = withoutWaiting(past, line);
      return withDue({ ...past, waiting: [...waiting, line] }, line);
    }
    case "missed":
      return withRecent(past, "-");
    default:
      return past;
  }
}
function isByTick({ reason }) {
  return reason === "schedule" || reason === "catch-up";
}
function foldJob(past, line) {
  var _a2;
  const { schedule, delay, id, at, failures = past.failures, recent = past.recent, last = past.last } = line;
  const { openRuns, waiting, lastSerials } = past;
  return {
    job: { schedule, delay, id, at },
    openRuns,
    waiting,
    lastDue: isLastDue(line.lastDue) ? line.lastDue : past.lastDue,
    lastSerials,
    lastRun: Math.max(past.lastRun, (_a2 = line.lastRun) != null ? _a2 : 0),
    failures: isCount(failures) ? failures : past.failures,
    recent: String(recent).slice(-MAX_RECENT),
    last: isLastResult(last) ? last : past.last
  };
}
function isLastResult(value) {
  if (value === void 0) return false;
  const { result, at, seconds } = Object(value);
  return RESULTS.includes(result) && isAmount(at) && isAmount(seconds);
}
function isLastDue(value) {
  if (value === void 0) return false;
  const { due, run, serial } = Object(value);
  return isCount(due) && [run, serial].every((number) => number === void 0 || isCount(number));
}
function foldStarting(past, line) {
  const { run, attempt } = line;
  const before = past.openRuns.find(({ starting }) => starting.run === run);
  const isRepeated = (before == null ? void 0 : before.starting.attempt) === attempt;
  const open2 = { ...isRepeated ? before : {}, starting: line };
  const openRuns = before ? past.openRuns.map((o) => o === before ? open2 : o) : [...past.openRuns, open2];
  const { waiting } = withoutWaiting(past, line);
  const next = { ...past, openRuns, waiting, lastRun: Math.max(past.lastRun, run) };
  const isKnown = run <= past.lastRun && past.lastDue !== void 0 && isByTick(line);
  return isKnown ? next : withDue(next, line, run);
}
function withDue(past, { due, reason, serial }, run) {
  if (reason === "remote" || reason === "event") {
    const highest = Math.max(past.lastSerials[reason], serial != null ? serial : -1);
    return { ...past, lastSerials: { ...past.lastSerials, [reason]: highest } };
  }
  return serial === void 0 ? past : { ...past, lastDue: { due, run, serial } };
}
function withoutWaiting(past, { due, reason, serial }) {
  const found = past.waiting.find(
    (one) => one.due === due && one.reason === reason && (serial === void 0 || one.serial === serial)
  );
  return found === void 0 ? past : { ...past, waiting: past.waiting.filter((one) => one !== found) };
}
function withOpenRun(past, run, more) {
  return {
    ...past,
    openRuns: past.openRuns.map((open2) => open2.starting.run === run ? { ...open2, ...more } : open2)
  };
}
function withoutOpenRun(past, run) {
  return { ...past, openRuns: past.openRuns.filter(({ starting }) => starting.run !== run) };
}
function withRecent(past, letter) {
  return { ...past, recent: `${past.recent}${letter}`.slice(-MAX_RECENT) };
}
function concluded(past, run, last) {
  const failures = last.result === "success" ? 0 : past.failures + 1;
  return { ...withRecent(withoutOpenRun(past, run), last.result[0]), last, failures };
}
var NUMBERS_OF = {
  starting: ["run", "attempt", "due"],
  started: ["run", "pid", "start"],
  ending: ["run"],
  finished: ["run", "attempt", "seconds"],
  givenUp: ["run"],
  held: ["run"],
  skipped: ["due"],
  waiting: ["due"]
};
var FRACTIONS = ["at", "seconds"];
var PLAIN = ["was", "reason", "recent", "exit", "signal", "error"];
function tryParseLine(text) {
  var _a2;
  try {
    const line = JSON.parse(text);
    const numbers = ["at", ...(_a2 = NUMBERS_OF[line.type]) != null ? _a2 : []];
    const isPlausible = numbers.every((key) => (FRACTIONS.includes(key) ? isAmount : isCount)(line[key]));
    const isLegal = typeof line.job === "string" && PLAIN.every((key) => Object(line[key]) !== line[key]) && (line.result === void 0 || RESULTS.includes(line.result)) && (line.cause === void 0 || CAUSES.includes(line.cause)) && ["lastRun", "delay"].every((key) => line[key] === void 0 || isCount(line[key])) && (line.type !== "started" || line.pid > 1);
    return isPlausible && isLegal ? line : void 0;
  } catch {
    return void 0;
  }
}
function isAmount(value) {
  return Number.isFinite(value) && value >= 0 && value < 1e12;
}
function isCount(value) {
  return Number.isInteger(value) && isAmount(value);
}
function recordOf(job, action, seconds) {
  switch (action.type) {
    case "record": {
      const { number, attempt, due, reason, serial } = action.run;
      return { type: "starting", job, run: number, attempt, due, reason, serial };
    }
    case "terminate":
      return { type: "ending", job, run: action.run.number, cause: action.run.cause };
    case "finish": {
      const { run, result, end, retrySeconds } = action;
      const { number, attempt } = run;
      return { type: "finished", job, run: number, attempt, result, seconds, retryIn: retrySeconds, ...end };
    }
    case "giveUp":
      return { type: "givenUp", job, run: action.run.number, result: action.result };
    case "holdBack": {
      const { run, why, error } = action;
      return { type: "held", job, run: run.number, due: run.due, why, error };
    }
    case "skip":
      return { type: "skipped", job, due: action.due, reason: action.reason };
    case "wait":
      return { type: "waiting", job, due: action.due, reason: action.reason, serial: action.serial };
    default:
      return void 0;
  }
}
function openJournal(path, log) {
  var _a2;
  const trouble = createTroubleReport(log);
  const file = path === void 0 ? void 0 : new JournalFile(path);
  const pasts = readJournal((_a2 = file == null ? void 0 : file.read()) != null ? _a2 : []);
  const carried = () => [...pasts].flatMap(([job, past]) => linesOf(job, past));
  return {
    pasts,
    append(...records) {
      if (records.length === 0) return;
      const at = Date.now() / 1e3;
      const lines = records.map(
        (record) => record.type === "job" ? jobLine(record, at, pastBefore(pasts, record)) : { ...record, at }
      );
      try {
        file == null ? void 0 : file.append(lines, carried);
        trouble.isOver();
      } catch (error) {
        trouble.is(`cannot write ${path}: ${errorCode(error)}; runs are not recorded until it can`);
      }
      for (const line of lines) remember(pasts, line);
    }
  };
}
var JournalFile = class {
  constructor(path) {
    this.path = path;
    this.isTorn = false;
    this.sizeLimit = MAX_JOURNAL_BYTES;
    this.unwritten = [];
  }
  read() {
    const text = `${tryReadFile(`${this.path}.1`)}
${tryReadFile(this.path)}`;
    this.isTorn = !text.endsWith("\n");
    return text.split("\n");
  }
  append(lines, carried) {
    try {
      if (this.unwritten.length > 0) this.write(this.unwritten);
      this.unwritten = [];
      const size = sizeOf(this.path);
      if (size > this.sizeLimit) this.beginAnew(carried());
      this.write(lines);
      if (size === 0) syncDirectory(this.path);
    } catch (error) {
      this.unwritten = [...this.unwritten, ...lines].slice(-MAX_UNWRITTEN_LINES);
      throw error;
    }
  }
  write(lines) {
    const bytes = Buffer.from((this.isTorn ? "\n" : "") + lines.map(journalLine).join(""));
    const fd = openAppending(this.path);
    try {
      this.isTorn = true;
      appendWhole(fd, bytes);
      this.isTorn = false;
      if (lines.some((line) => line.type === "starting")) fs.fdatasyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  }
  beginAnew(lines) {
    try {
      fs.renameSync(this.path, `${this.path}.1`);
    } catch {
      fs.truncateSync(this.path);
    }
    this.isTorn = false;
    this.write(lines);
    this.sizeLimit = Math.max(MAX_JOURNAL_BYTES, 2 * sizeOf(this.path));
    syncDirectory(this.path);
  }
};
function jobLine(record, at, past) {
  const { type, job, was, schedule, delay, id } = record;
  const isNew = past.recent === "" && past.lastRun === 0;
  const { lastRun, failures, recent, last, lastDue } = isNew ? {} : past;
  return { type, job, was, schedule, delay, id, at, lastRun, failures, recent, last, lastDue };
}
function linesOf(name, past) {
  const { job, openRuns, waiting } = past;
  const runs2 = [
    ...openRuns.flatMap(
      ({ starting, started, ending, finished }) => [starting, started, ending, finished].filter(isPresent)
    ),
    ...waiting
  ].map((line) => ({ ...line, job: name }));
  return job === void 0 ? runs2 : [jobLine({ type: "job", job: name, ...job }, job.at, past), ...runs2];
}
function isPresent(value) {
  return value !== void 0;
}
function journalLine(line) {
  return `${JSON.stringify(line)}
`;
}
function appendWhole(fd, bytes) {
  const { size } = fs.fstatSync(fd);
  try {
    if (fs.writeSync(fd, bytes) < bytes.length) throw codedError("ENOSPC");
  } catch (error) {
    fs.ftruncateSync(fd, size);
    throw error;
  }
}
function openAppending(path) {
  const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  refuseForeign(path);
  return fs.openSync(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 384);
}
var START_SLICE_SECONDS = 0.02;
function createTurns(limit) {
  const prompt = [];
  const waiting = [];
  let running = 0;
  let sliceEnd;
  function goOn() {
    while (prompt.length > 0 || waiting.length > 0 && (limit === 0 || running < limit)) {
      sliceEnd = sliceEnd != null ? sliceEnd : beginSlice();
      if (monotonicSeconds() > sliceEnd) return;
      if (prompt.length > 0) prompt.shift()();
      else beginTurn(waiting.shift());
    }
  }
  function beginTurn(begin2) {
    running++;
    if (!begin2()) running--;
  }
  function beginSlice() {
    setImmediate(() => {
      sliceEnd = void 0;
      goOn();
    });
    return monotonicSeconds() + START_SLICE_SECONDS;
  }
  return {
    take(begin2) {
      waiting.push(begin2);
      goOn();
    },
    soon(begin2) {
      prompt.push(begin2);
      goOn();
    },
    occupy() {
      running++;
    },
    release() {
      running--;
      if (waiting.length > 0) setImmediate(goOn);
    }
  };
}
var UNKNOWN_END = {
  exit: null,
  signal: null,
  error: "exit status unknown, an earlier listener started it"
};
var GROUP_POLL_MS = 50;
var ORPHAN_POLL_MS = 1e3;
var ONLY_IF_SECONDS = 10;
var HOOK_SECONDS = 60;
var JobRuns = class {
  constructor(owner, host, { lastRun, failures }) {
    this.owner = owner;
    this.host = host;
    this.handles = NOTHING;
    this.errands = NOTHING;
    this.state = createJobState(lastRun, failures);
  }
  get name() {
    return this.owner.job.name;
  }
  get log() {
    return this.host.log.ofJob(this.name);
  }
  get isBusy() {
    return this.state.runs.length > 0;
  }
  get hasErrands() {
    return this.errands.length > 0;
  }
  get isStopping() {
    return this.state.isStopping;
  }
  stop() {
    this.apply({ type: "stop" });
  }
  killErrands() {
    for (const kill2 of this.errands) kill2();
    this.errands = NOTHING;
  }
  take(input) {
    if (input.type === "due") this.lookAtOrphans();
    const run = "run" in input && typeof input.run === "number" ? input.run : void 0;
    const { policy } = this.jobFor(run).options;
    const ofNext = this.owner.job.options.policy;
    const [state, actions] = step(policy === ofNext ? policy : { ...policy, ofNext }, this.state, input);
    this.state = state;
    return {
      records: actions.map((action) => this.recordOf(action)).filter(isPresent),
      perform: () => {
        for (const action of actions) this.perform(action);
      }
    };
  }
  recordOf(action) {
    if (action.type === "record") this.handleOf(action.run).recordedName = this.name;
    return recordOf(this.name, action, action.type === "finish" ? this.stopClock(action.run) : 0);
  }
  apply(input, beforeIt) {
    const { records, perform } = this.take(input);
    this.host.journal.append(...records);
    beforeIt == null ? void 0 : beforeIt();
    perform();
  }
  perform(action) {
    var _a2, _b2;
    switch (action.type) {
      case "record":
        return;
      case "ask":
        this.handleOf(action.run).stopAsking = void 0;
        if (this.isReplacing(action.run)) return this.ask(action.run);
        return this.whenItsTurn(action.run, () => this.ask(action.run));
      case "stopAsking":
        return (_b2 = (_a2 = this.handleFor(action.run.number)) == null ? void 0 : _a2.stopAsking) == null ? void 0 : _b2.call(_a2);
      case "start":
        return this.whenItsTurn(action.run, () => this.startRun(action.run));
      case "wait":
        return this.log.line(`the run due ${formatTime(action.due)} waits for the end of run ${action.behind.number}`);
      case "skip":
        return this.skip(action, action.behind);
      case "holdBack":
        return this.holdBack(action.run, action.why, action.error);
      case "armDeadline":
        return this.arm(action.run, action.seconds, "deadline");
      case "armGrace":
        return this.arm(action.run, this.graceOf(action.run, action.seconds), "graceOver");
      case "armRetry":
        return this.armRetry(action.run, action.seconds);
      case "terminate":
        return this.terminate(action.run);
      case "kill":
        this.log.line(`run ${action.run.number}: sent SIGKILL`);
        return void signalGroup(action.run.pid, "SIGKILL");
      case "watchGroup":
        return this.poll(action.run, GROUP_POLL_MS, () => {
          if (!signalGroup(action.run.pid, 0)) this.apply({ type: "groupGone", run: action.run.number });
        });
      case "finish":
        return this.finish(action);
      case "giveUp":
        return this.giveUp(action);
      case "conclude":
        return this.conclude(action);
      case "stopped":
        return this.host.onSettled();
    }
  }
  handleFor(run) {
    return this.handles.find((handle) => handle.run === run);
  }
  handleOf(run) {
    let handle = this.handleFor(run.number);
    if (handle === void 0) {
      handle = {
        run: run.number,
        job: this.owner.job,
        pinger: this.owner.pinger,
        hasTurn: false,
        startedSeconds: monotonicSeconds(),
        seconds: 0,
        cancels: []
      };
      this.handles = [...this.handles, handle];
    }
    return handle;
  }
  jobFor(run) {
    var _a2, _b2;
    return (_b2 = (_a2 = this.handleFor(run)) == null ? void 0 : _a2.job) != null ? _b2 : this.owner.job;
  }
  whenItsTurn(run, begin2) {
    const handle = this.handleOf(run);
    const now = () => this.state.runs.find((r) => r.number === run.number);
    if (handle.hasTurn) return this.host.turns.soon(() => now() !== void 0 && begin2());
    this.host.turns.take(() => {
      const current = now();
      if ((current == null ? void 0 : current.phase) !== run.phase || !this.isWaiting(current)) return false;
      const successor = this.state.runs.find((r) => r.phase === "next" && r.number !== run.number);
      if (successor !== void 0) return this.handOver(successor);
      handle.hasTurn = true;
      begin2();
      this.askWhatReplacesIt();
      return true;
    });
  }
  isWaiting({ number, phase }) {
    var _a2;
    const { hasTurn = false, stopAsking } = (_a2 = this.handleFor(number)) != null ? _a2 : {};
    return !hasTurn && (phase === "starting" || phase === "asking" && stopAsking === void 0);
  }
  askWhatReplacesIt() {
    for (const run of this.state.runs)
      if (run.phase === "asking" && this.isWaiting(run) && this.isReplacing(run)) this.ask(run);
  }
  handOver(successor) {
    const handle = this.handleOf(successor);
    const isNeeded = !handle.hasTurn;
    handle.hasTurn = true;
    for (const run of this.state.runs) if (this.isWaiting(run)) this.apply({ type: "overtaken", run: run.number });
    return isNeeded;
  }
  isReplacing({ number }) {
    const { overlap } = this.jobFor(number).options.policy;
    return overlap === "replace" && this.handles.some(({ run, hasTurn }) => hasTurn && run !== number);
  }
  endTurn(run) {
    const handle = this.handleFor(run.number);
    if (handle == null ? void 0 : handle.hasTurn) this.host.turns.release();
    if (handle !== void 0) handle.hasTurn = false;
  }
  ask(run) {
    const handle = this.handleOf(run);
    const { onlyIf } = handle.job.options;
    if (onlyIf === void 0) return this.apply({ type: "asked", run: run.number, verdict: "allowed" });
    const env = this.environment(run, { SUPERTICK_HOOK: "only-if" });
    handle.stopAsking = this.runShell(
      "only-if",
      onlyIf,
      ONLY_IF_SECONDS,
      run,
      env,
      (end, isLate) => this.apply({ type: "asked", run: run.number, ...verdictOf(end, isLate) })
    );
  }
  startRun(run) {
    var _a2;
    const { number, due, event } = run;
    const handle = this.handleOf(run);
    handle.startedSeconds = monotonicSeconds();
    handle.exitedSeconds = void 0;
    const started = startProcess({
      command: argvOf(handle.job),
      env: this.environment(run),
      input: (_a2 = event == null ? void 0 : event.payload) != null ? _a2 : handle.job.input,
      output: this.log.outputOf({ job: this.name, run: number }),
      onExit: (end) => {
        handle.exitedSeconds = monotonicSeconds();
        this.apply({ type: "outputLeft", run: number, end });
      },
      onEnd: (end) => this.onProcessEnd(run, end)
    });
    if (started === void 0) return;
    if (run.attempt === 1) this.ping(run, "start");
    const { pid, start: start2 } = started;
    this.host.journal.append({ type: "started", job: this.name, run: number, attempt: run.attempt, pid, start: start2 });
    const reason = reasonOf(run);
    this.log.line(`run ${number} started (pid ${pid}, due ${formatTime(due)}, ${reason})`, {
      event: "started",
      run: number,
      pid,
      due,
      reason
    });
    this.apply({ type: "started", run: number, pid });
  }
  environment(run, more = {}) {
    var _a2, _b2;
    return jobEnvironment(this.jobFor(run.number).env, run, {
      SUPERTICK_JOB: (_b2 = (_a2 = this.handleFor(run.number)) == null ? void 0 : _a2.recordedName) != null ? _b2 : this.name,
      SUPERTICK_LISTENER: formatIdentity(this.host.self),
      ...more
    });
  }
  onProcessEnd(run, end) {
    const { number } = run;
    this.apply(
      end.error === void 0 ? { type: "exited", run: number, end } : { type: "startFailed", run: number, error: end.error }
    );
  }
  graceOf({ number, phase, isOrphan }, seconds) {
    return phase === "ending" && !isOrphan ? this.jobFor(number).options.policy.killAfterSeconds : seconds;
  }
  arm(run, seconds, type) {
    var _a2;
    (_a2 = this.handleFor(run.number)) == null ? void 0 : _a2.cancels.push(startTimer(seconds, () => this.apply({ type, run: run.number })));
  }
  poll(run, ms, look) {
    var _a2;
    const timer = setInterval(look, ms);
    (_a2 = this.handleFor(run.number)) == null ? void 0 : _a2.cancels.push(() => clearInterval(timer));
  }
  terminate(run) {
    const { timeoutSeconds, killAfterSeconds } = this.jobFor(run.number).options.policy;
    const causes = { timeout: `timed out after ${timeoutSeconds}s`, stop: "is stopped", replace: "is replaced" };
    const why = causes[run.cause];
    this.log.line(`run ${run.number} ${why}; sent SIGTERM, SIGKILL follows in ${killAfterSeconds}s`);
    signalGroup(run.pid, "SIGTERM");
  }
  stopClock(run) {
    var _a2;
    const handle = this.handleOf(run);
    for (const cancel of handle.cancels) cancel();
    handle.cancels = [];
    handle.orphan = void 0;
    const endedSeconds = (_a2 = run.cause === void 0 ? handle.exitedSeconds : void 0) != null ? _a2 : monotonicSeconds();
    const seconds = handle.startedSeconds === void 0 ? 0 : endedSeconds - handle.startedSeconds;
    handle.seconds = Math.round(seconds * 1e3) / 1e3;
    return handle.seconds;
  }
  finish({ run, result, end }) {
    const { startedSeconds, seconds } = this.handleOf(run);
    const { number, attempt } = run;
    const { exit, signal } = end;
    const facts = { event: "finished", run: number, attempt, result, exit, signal, seconds };
    const isSeen = startedSeconds !== void 0;
    this.log.line(isSeen ? describeEnd(run, result, end, seconds) : describeInterruption(run, end), facts);
    this.endTurn(run);
  }
  skip({ due, reason, event }, behind) {
    const why = `run ${behind.number} ${describePhase(behind)}`;
    this.log.line(`skipped the run due ${formatTime(due)} (${reason}): ${why}`, { event: "skipped", due, reason });
    this.runHook("on-skip", { due, reason, event }, { SUPERTICK_RESULT: "skipped" });
  }
  holdBack(run, why, error) {
    const { number, due } = run;
    const detail = error === void 0 ? "" : ` (${error})`;
    const text = `run ${number}, due ${formatTime(due)}, does not start: ${HOLD_REASONS[why]}${detail}`;
    this.log.line(text, { event: "held", run: number, due, why });
    if (why !== "held") this.runHook("on-skip", run, { SUPERTICK_RESULT: "skipped" });
    this.forget(run);
  }
  armRetry(run, seconds) {
    const { number, attempt } = run;
    const { retries, isRetryYielding } = this.jobFor(number).options.policy;
    if (isRetryYielding && seconds >= this.owner.secondsToNextRun()) return this.apply({ type: "giveUp", run: number });
    this.log.line(`run ${number}: attempt ${attempt + 1} of ${retries + 1} in ${formatDuration(seconds)}`, {
      event: "retrying",
      run: number,
      attempt: attempt + 1,
      seconds
    });
    this.handleOf(run).cancels.push(startTimer(seconds, () => this.apply({ type: "retryDue", run: number })));
  }
  giveUp({ run, result, why }) {
    var _a2, _b2;
    for (const cancel of (_b2 = (_a2 = this.handleFor(run.number)) == null ? void 0 : _a2.cancels) != null ? _b2 : []) cancel();
    const { number } = run;
    this.log.line(`run ${number} is not tried again: ${GIVE_UP_REASONS[why]}`, {
      event: "givenUp",
      run: number,
      result
    });
  }
  conclude({ run, result, end, failures }) {
    var _a2, _b2, _c, _d;
    const seconds = (_b2 = (_a2 = this.handleFor(run.number)) == null ? void 0 : _a2.seconds) != null ? _b2 : 0;
    this.ping(run, result === "success" ? "success" : "fail");
    this.runHook(result === "success" ? "on-success" : "on-failure", run, {
      SUPERTICK_RESULT: result,
      SUPERTICK_EXIT: String((_c = end.exit) != null ? _c : ""),
      SUPERTICK_SIGNAL: (_d = end.signal) != null ? _d : "",
      SUPERTICK_SECONDS: String(seconds),
      SUPERTICK_FAILURES: String(failures)
    });
    this.forget(run);
  }
  forget(run) {
    this.endTurn(run);
    this.handles = this.handles.filter((handle) => handle.run !== run.number);
    this.settleSoon();
  }
  settleSoon() {
    setImmediate(() => this.host.onSettled());
  }
  runHook(hook, run, facts) {
    const { onFailure, onSuccess, onSkip } = this.jobFor(run.number).options;
    const text = { "on-failure": onFailure, "on-success": onSuccess, "on-skip": onSkip }[hook];
    if (text === void 0) return;
    const env = this.environment(run, { ...facts, SUPERTICK_HOOK: hook });
    let isCancelled = false;
    const cancel = () => {
      isCancelled = true;
    };
    this.errands = [...this.errands, cancel];
    this.host.turns.soon(() => {
      if (!isCancelled)
        this.runShell(hook, text, HOOK_SECONDS, run, env, (end) => {
          if (end.exit !== 0) this.log.line(`--${hook} failed: ${howEnded(end)}`);
        });
      this.endErrand(cancel);
    });
  }
  runShell(hook, text, limitSeconds, run, env, onEnd) {
    const kill2 = startShell(text, limitSeconds, {
      env,
      output: this.log.outputOf({ job: this.name, run: run.number, hook }),
      onEnd,
      onGone: () => this.endErrand(kill2)
    });
    this.errands = [...this.errands, kill2];
    return kill2;
  }
  ping(run, what) {
    var _a2;
    const { pinger } = (_a2 = this.handleFor(run.number)) != null ? _a2 : this.owner;
    if (pinger === void 0) return;
    const errand = () => {
    };
    this.errands = [...this.errands, errand];
    pinger.ping(run, what, () => this.endErrand(errand));
  }
  endErrand(errand) {
    this.errands = this.errands.filter((other) => other !== errand);
    this.settleSoon();
  }
  takeOver({ openRuns, waiting }, formerListener) {
    for (const { starting, started, ending, finished } of [...openRuns].reverse()) {
      const { run: number, attempt, due, reason, job } = starting;
      const base = { number, attempt, due, reason, phase: "running", pid: started == null ? void 0 : started.pid };
      if (finished !== void 0) {
        this.resume(base, finished);
        continue;
      }
      const leader = started != null ? started : formerListener && findRun(formerListener, job, number);
      const run = { ...base, pid: leader == null ? void 0 : leader.pid };
      const isLed = leader !== void 0 && isAlive(leader);
      if (leader !== void 0 && ending !== void 0 && (isLed || hasLeftover(leader, job, number))) {
        const end = isLed ? void 0 : UNKNOWN_END;
        this.adopt({ ...run, phase: "ending", cause: ending.cause, end }, leader, starting.at, ending.at);
      } else if (isLed) this.adopt(run, leader, (started != null ? started : starting).at);
      else this.takeInterrupted(run);
    }
    for (const line of waiting) this.takeWaiting(line);
  }
  takeWaiting({ due, reason, serial }) {
    const isLost = reason === "event" || this.owner.isLeaving;
    const end = isLost ? "is skipped" : "is due now";
    this.log.line(`the run due ${formatTime(due)} (${reason}), which waited when the listener was killed, ${end}`);
    if (!isLost) return this.apply({ type: "due", due, reason, serial });
    this.host.journal.append({ type: "skipped", job: this.name, due, reason });
    this.runHook("on-skip", { due, reason }, { SUPERTICK_RESULT: "skipped" });
  }
  adopt(run, orphan, startedAt, endingAt = startedAt) {
    const what = run.phase === "ending" ? "is still being ended" : "is still going";
    this.log.line(`run ${run.number} of an earlier listener ${what} (pid ${orphan.pid})`);
    const secondsSince = (at) => Math.max(0, Date.now() / 1e3 - at);
    const handle = this.handleOf(run);
    handle.startedSeconds = monotonicSeconds() - secondsSince(startedAt);
    handle.orphan = orphan;
    handle.hasTurn = true;
    this.host.turns.occupy();
    this.apply({ type: "adopted", run, elapsedSeconds: secondsSince(endingAt) });
    this.poll(run, ORPHAN_POLL_MS, () => this.lookAtOrphans());
  }
  lookAtOrphans() {
    for (const { run, orphan } of this.handles) {
      const isWaitedFor = this.state.runs.some((r) => r.number === run && r.end === void 0);
      if (orphan !== void 0 && isWaitedFor && !isAlive(orphan))
        this.apply({ type: "exited", run, end: UNKNOWN_END });
    }
  }
  takeInterrupted(run) {
    this.handleOf(run).startedSeconds = void 0;
    const error = "the listener was killed while it was going";
    this.apply({ type: "interrupted", run, end: { exit: null, signal: null, error } });
  }
  resume(run, { result, exit, signal, error, seconds }) {
    this.handleOf(run).seconds = seconds;
    const cause = result === "timeout" ? "timeout" : void 0;
    const isOrphan = result === "interrupted";
    this.apply({ type: "resumed", run: { ...run, cause, isOrphan, end: { exit, signal, error } } });
  }
};
function jobEnvironment(own, run, more) {
  var _a2;
  const { number, attempt, due, event } = run;
  const facts = { SUPERTICK_DUE: String(due), SUPERTICK_REASON: reasonOf(run) };
  if (number !== void 0) facts.SUPERTICK_RUN = String(number);
  if (attempt !== void 0) facts.SUPERTICK_ATTEMPT = String(attempt);
  if (event !== void 0) facts.SUPERTICK_EVENT = event.name;
  return { ...payloadTokens((_a2 = event == null ? void 0 : event.payload) != null ? _a2 : ""), ...inheritedVariables(), ...own, ...facts, ...more };
}
var inherited;
function inheritedVariables() {
  if (inherited === void 0) {
    inherited = { ...process.env };
    delete inherited.TICK_PING;
  }
  return inherited;
}
function reasonOf({ attempt, reason }) {
  return attempt !== void 0 && attempt > 1 ? "retry" : reason;
}
var GIVE_UP_REASONS = {
  due: "the next run is due first",
  busy: "another run is still going",
  limit: "--retries allows no more attempts now",
  lost: "its event was lost with the listener that had it",
  stopped: "it is stopped"
};
var HOLD_REASONS = {
  held: "held back by --only-if",
  error: "held back, for --only-if failed",
  timeout: "held back, for --only-if did not answer",
  replaced: "another one is due",
  stopped: "stopped before it started"
};
function verdictOf(end, isLate) {
  if (end.exit === 0) return { verdict: "allowed" };
  if (end.exit === 1) return { verdict: "held" };
  return { verdict: isLate ? "timeout" : "error", error: howEnded(end) };
}
function howEnded({ exit, signal, error }) {
  var _a2;
  return (_a2 = error != null ? error : signal) != null ? _a2 : `exit ${exit}`;
}
function describePhase({ phase, pid, attempt }) {
  if (phase === "asking") return "waits for --only-if";
  if (phase === "backoff") return `waits for its attempt ${attempt + 1}`;
  if (phase === "starting") return "waits for its turn (--max-running)";
  if (phase === "draining") return "is over, but its output is still being read";
  return `is still going (pid ${pid})`;
}
var MAX_VARIABLE_LENGTH = 2 ** 16;
function payloadTokens(payload) {
  var _a2;
  const tokens = {};
  for (const token of payload.split("\n", 1)[0].split(" ")) {
    const [, key, value] = (_a2 = /^([A-Za-z]\w*):([^\0]*)$/.exec(token)) != null ? _a2 : [];
    if (key !== void 0 && value.length <= MAX_VARIABLE_LENGTH) tokens[`SUPERTICK_${key.toUpperCase()}`] = value;
  }
  return tokens;
}
function describeInterruption({ number, due }, end) {
  return `run ${number}, due ${formatTime(due)}, was interrupted: ${end.error}`;
}
function describeEnd(run, result, end, seconds) {
  if (run.pid === void 0 && !run.isOrphan) return `run ${run.number} failed to start: ${end.error}`;
  return `run ${run.number} ${result === "failure" ? "failed" : "finished"}: ${howEnded(end)}, ${seconds.toFixed(1)}s`;
}
var JobRunner = class {
  constructor(job, host, recordedName, isSameSupervisor) {
    this.job = job;
    this.host = host;
    this.recordedName = recordedName;
    this.pinger = void 0;
    this.delaySeconds = 0;
    this.restSeconds = 0;
    this.isFitted = false;
    this.hasDecided = false;
    this.goesOnFrom = void 0;
    this.delayed = void 0;
    this.isClockAsBefore = true;
    this.restsUntil = 0;
    this.isLeaving = false;
    this.past = recordedName !== void 0 && host.journal.pasts.get(recordedName) || NO_PAST;
    this.lastSerials = (isSameSupervisor ? this.past : NO_PAST).lastSerials;
    this.change(job);
    this.runs = new JobRuns(this, host, this.past);
    this.isNew = this.past === NO_PAST && host.journal.pasts.size > 0;
  }
  get log() {
    return this.host.log.ofJob(this.job.name);
  }
  change(job) {
    const { name, options } = job;
    this.isLeaving = false;
    this.job = job;
    this.pinger = options.ping === void 0 ? void 0 : createPinger(options.ping, name, this.host.log.ofJob(name));
  }
  get isDone() {
    return !this.runs.isBusy && !this.runs.hasErrands && this.delayed === void 0;
  }
  get delayedWindow() {
    return this.delayed && delayWindow(this.delayed.window, -this.wholePeriods);
  }
  get resumesAt() {
    return this.goesOnFrom === void 0 || this.isLeaving ? void 0 : this.goesOnFrom + this.wholePeriods;
  }
  fitTicks(whenSeconds, periodSeconds) {
    var _a2;
    const { name, schedule } = this.job;
    const jitterSeconds = jitterOf(this.job);
    for (const text of tickMismatches(schedule, periodSeconds, whenSeconds)) this.log.line(text);
    if (schedule.kind !== "ticks") this.goesOnFrom = (_a2 = this.goesOnFrom) != null ? _a2 : this.decidedSeconds();
    this.isFitted = true;
    this.delaySeconds = this.restSeconds = 0;
    if (jitterSeconds === 0) return;
    const limit = longestDelay(schedule, whenSeconds, jitterSeconds);
    this.delaySeconds = stableDelay(`${hostName()} ${name}`, limit);
    this.restSeconds = this.delaySeconds % periodSeconds;
    this.log.line(`each run starts ${formatDuration(this.delaySeconds)} after its due time (--jitter)`);
  }
  decidedSeconds() {
    const { clock } = this.host.ticks;
    return this.hasDecided && clock !== void 0 ? clock.decidedSeconds - this.wholePeriods : void 0;
  }
  get wholePeriods() {
    return this.delaySeconds - this.restSeconds;
  }
  onTick(tick, counted, isFirst) {
    this.restsUntil = 0;
    const window = isFirst && this.isNew ? windowOf(tick) : counted.window;
    const shift = this.wholePeriods;
    if (isFirst) this.goesOnFrom = this.whereTheLastListenerStopped(window, shift, tick.periodSeconds);
    const goesOnInNewTime = counted.setBackSeconds > 0 && counted.window.after <= tick.whenSeconds;
    if (goesOnInNewTime || this.isLeaving) this.goesOnFrom = void 0;
    if (goesOnInNewTime) this.isClockAsBefore = false;
    if (this.isLeaving) this.hasDecided = false;
    if (counted.setBackSeconds > 0 || this.isLeaving) return void 0;
    const shifted = this.goOn(shift === 0 ? window : delayWindow(window, shift));
    if (shifted === void 0) return void 0;
    this.restsUntil = notDueBefore(this.job.schedule, shifted.after) + shift;
    if (this.restsUntil > tick.whenSeconds) return void 0;
    const due = dueTime(this.job.schedule, this.host.ticks.count, shifted);
    if (due === void 0 || this.wasStartedBefore(tick, due, isFirst)) return void 0;
    const dueRun = this.judge(tick, due, shifted);
    if (dueRun === void 0) return void 0;
    if (this.restSeconds === 0) return this.runs.take({ type: "due", ...dueRun });
    this.delay(dueRun, shifted);
    return void 0;
  }
  goOn(window) {
    const from = this.goesOnFrom;
    if (from !== void 0 && window.upTo <= from) return void 0;
    this.goesOnFrom = void 0;
    this.hasDecided = true;
    if (from === void 0) return window;
    return { after: from, fixedAfter: from + window.fixedAfter - window.after, upTo: window.upTo };
  }
  whereTheLastListenerStopped({ after }, shift, periodSeconds) {
    var _a2, _b2;
    const { past, job, host } = this;
    const hasTicked = host.formerPeriodSeconds !== void 0 || ((_a2 = past.job) == null ? void 0 : _a2.delay) !== void 0;
    if (past.job === void 0 || !hasTicked || job.schedule.kind === "ticks") return void 0;
    const { delay = 0 } = past.job;
    const formerShift = delay - delay % ((_b2 = host.formerPeriodSeconds) != null ? _b2 : periodSeconds);
    return formerShift === shift ? void 0 : after - formerShift;
  }
  delay(dueRun, window) {
    this.delayed = { dueRun, window, cancel: startTimer(this.restSeconds, () => this.startDelayed()) };
    this.host.delaying.add(this);
  }
  startDelayed() {
    if (this.delayed === void 0 || this.runs.isStopping) return;
    const { dueRun, cancel } = this.delayed;
    cancel();
    this.delayed = void 0;
    this.host.delaying.delete(this);
    this.runs.apply({ type: "due", ...dueRun }, () => this.host.writeCounter());
  }
  judge({ serial, periodSeconds }, due, window) {
    const { schedule, name } = this.job;
    const verdict = judgeDueTime(schedule, due, window.upTo, periodSeconds);
    if (verdict === "schedule") return { due, reason: verdict, serial };
    const count = countDueTimes(schedule, window);
    const times = count > MOST_COUNTED ? "over 1,000 due times" : count === 1 ? "one due time" : `${count} due times`;
    const pause = formatDuration(window.upTo - window.after);
    const last = `the last at ${formatTime(due)}, ${formatDuration(window.upTo - due)} ago`;
    const what = `no tick came for ${pause}: ${times} missed, ${last}`;
    if (verdict === "catch-up") {
      this.log.line(`${what}; made up for by one run`);
      return { due, reason: verdict, serial };
    }
    this.log.line(`${what}: longer than --catch-up, not made up for`);
    this.host.journal.append({ type: "missed", job: name, due, count });
    return void 0;
  }
  wasStartedBefore(tick, due, isFirst) {
    const last = this.past.lastDue;
    const isByCount = this.job.schedule.kind === "ticks";
    if (!isFirst && (isByCount || !this.isClockAsBefore)) return false;
    if (last === void 0 || last.due > tick.whenSeconds) return false;
    if (due !== last.due) return !isByCount && due < last.due;
    const isIt = !isByCount || last.serial === tick.serial;
    if (isIt && last.run !== void 0)
      this.log.line(`run ${last.run} is the one due ${formatTime(due)}; it is not started again`);
    return isIt;
  }
  onEvent(event, reason) {
    const { serial } = event;
    if (serial <= this.lastSerials[reason] || this.isLeaving) return void 0;
    this.lastSerials = { ...this.lastSerials, [reason]: serial };
    const due = Math.floor(Date.now() / 1e3);
    return this.runs.take({ type: "due", due, reason, serial, event: reason === "event" ? event : void 0 });
  }
  takeNow(reason) {
    if (this.isLeaving) return void 0;
    return this.runs.take({ type: "due", due: Math.floor(Date.now() / 1e3), reason });
  }
  secondsToNextRun() {
    const { ticks } = this.host;
    const next = nextRun(this.job.schedule, ticks, this.delaySeconds);
    if (ticks.clock === void 0 || next === void 0) return Number.POSITIVE_INFINITY;
    return next - (ticks.clock.whenSeconds + monotonicSeconds() - ticks.lastSeconds);
  }
  recordStarts(formerListener) {
    for (const { starting, started, finished } of this.past.openRuns) {
      if (started !== void 0 || finished !== void 0) continue;
      const { run, attempt } = starting;
      const leader = findRun(formerListener, starting.job, run);
      if (leader !== void 0)
        this.host.journal.append({ type: "started", job: this.recordedName, run, attempt, ...leader });
    }
  }
  takeOverRuns(formerListener) {
    if (this.past !== NO_PAST) this.runs.takeOver(this.past, formerListener);
  }
  jobRecord(moment) {
    var _a2, _b2;
    const { recordedName } = this;
    const { name, schedule, id } = this.job;
    const known = recordedName === void 0 ? void 0 : (_a2 = this.host.journal.pasts.get(recordedName)) == null ? void 0 : _a2.job;
    const was = recordedName === name ? void 0 : recordedName;
    const knownDelay = (_b2 = known == null ? void 0 : known.delay) != null ? _b2 : 0;
    let delay = this.isFitted ? this.delaySeconds : knownDelay;
    if (moment === "before counter") delay = Math.max(delay, knownDelay);
    if (was === void 0 && (this.isLeaving || (known == null ? void 0 : known.id) === id && knownDelay === delay)) return void 0;
    this.recordedName = name;
    return { type: "job", job: name, was, schedule: scheduleRecord(schedule), delay: delay || void 0, id };
  }
};
var SETTLE_SECONDS = 1;
var MAX_CRONTAB_BYTES = 1024 * 1024;
function openCrontab(path, flags, environment) {
  let appearance;
  let emptied;
  const isChanging = (now) => {
    const isJustEmptied = now.size === 0 && now.text !== emptied;
    if (isJustEmptied) emptied = now.text;
    return isJustEmptied || isYoung(now);
  };
  return {
    path,
    read() {
      appearance = appearanceOf(path).text;
      return withoutMistakes(readCrontab(path, flags, environment));
    },
    readAgain() {
      const known = appearance;
      appearance = appearanceOf(path).text;
      const found = readCrontab(path, flags, environment);
      const now = appearanceOf(path);
      const isWhole = now.text === appearance && (now.text === known || !isChanging(now));
      if (isWhole) return withoutMistakes(found);
      appearance = known;
      return void 0;
    },
    look() {
      const now = appearanceOf(path);
      return now.text === appearance ? "same" : isChanging(now) ? "changing" : "changed";
    }
  };
}
function isYoung({ changedSeconds }) {
  return Math.abs(Date.now() / 1e3 - changedSeconds) < SETTLE_SECONDS;
}
function appearanceOf(path) {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = fs.statSync(path);
    return { text: [dev, ino, size, mtimeMs, ctimeMs].join(" "), size, changedSeconds: mtimeMs / 1e3 };
  } catch (error) {
    return { text: errorCode(error), changedSeconds: 0 };
  }
}
function readCrontab(path, flags, environment, localZone = defaultZone) {
  let text;
  try {
    const fd = openRegular(path, fs.constants.O_RDONLY);
    const isTooLarge = fs.fstatSync(fd).size > MAX_CRONTAB_BYTES;
    text = isTooLarge ? "" : fs.readFileSync(fd, "utf8");
    fs.closeSync(fd);
    if (isTooLarge) throw codedError("it has over 1 MiB");
  } catch (error) {
    throw new UsageError(`cannot read the crontab ${path}: ${errorCode(error)}`);
  }
  let zone;
  const oneZone = () => {
    zone = zone != null ? zone : localZone();
    return zone;
  };
  return parseCrontab(text, { path, flags, environment, defaultZone: oneZone, isUser: createUserTest() });
}
function withoutMistakes({ jobs, mistakes }) {
  const [first, ...more] = mistakes;
  if (first === void 0) return jobs;
  throw new UsageError(first + (more.length === 0 ? "" : ` (mistakes in other lines: ${more.length})`));
}
function createUserTest() {
  const known = /* @__PURE__ */ new Map();
  let users;
  return (word, path = ((_a2) => (_a2 = process.env.PATH) != null ? _a2 : "")()) => {
    const question = `${word}\0${path}`;
    let answer = known.get(question);
    if (answer === void 0) {
      users = users != null ? users : tryReadFile("/etc/passwd");
      const isUser = word === "root" || `
${users}`.includes(`
${word}:`);
      answer = isUser && !path.split(":").some((place) => fs.existsSync(`${place}/${word}`));
      known.set(question, answer);
    }
    return answer;
  };
}
var RECORDS_AT_ONCE = 50;
var Roster = class {
  constructor(jobs, host, isSameSupervisor, isOnlyOne) {
    this.host = host;
    this.agenda = new Agenda([]);
    this.removed = [];
    const { pasts } = host.journal;
    const known = [...pasts].map(([name, { job }]) => ({ name, id: job == null ? void 0 : job.id }));
    const names = matchJobs(jobs, known);
    const [only] = known;
    if (isOnlyOne && known.length === 1) names[0] = only.name;
    const runners = jobs.map((job, i) => new JobRunner(job, host, names[i], isSameSupervisor));
    const freeName = createFreeNames(jobs);
    for (const [name, { openRuns, waiting, job }] of pasts) {
      if (names.includes(name)) continue;
      if (openRuns.length === 0 && waiting.length === 0) this.removed.push(name);
      else runners.push(this.caretaker(name, freeName(name), job == null ? void 0 : job.id, isSameSupervisor));
    }
    this.runners = runners;
  }
  get runners() {
    return this.agenda.runners;
  }
  set runners(runners) {
    this.agenda = new Agenda(runners);
  }
  caretaker(recordedName, name, id, isSameSupervisor) {
    const job = jobOf(name, [], { kind: "start" }, valuesOf([], "crontab"));
    const runner = new JobRunner({ ...job, id: id != null ? id : job.id }, this.host, recordedName, isSameSupervisor);
    runner.isLeaving = true;
    return runner;
  }
  countJobs() {
    const count = this.runners.filter(({ isLeaving }) => !isLeaving).length;
    return count === 1 ? "1 job" : `${count} jobs`;
  }
  change(jobs) {
    const before = new Map(this.runners.map((runner) => [runner.job.name, runner]));
    const names = matchJobs(
      jobs,
      [...before.values()].map(({ job }) => job)
    );
    const gone = [...before.values()].filter(({ job }) => !names.includes(job.name));
    let [added, changed, removed] = [0, 0, gone.filter(({ isLeaving }) => !isLeaving).length];
    const runners = jobs.map((job, i) => {
      const runner = names[i] === void 0 ? void 0 : before.get(names[i]);
      if (runner === void 0) {
        added++;
        return this.fitted(new JobRunner(job, this.host, void 0, true));
      }
      if (fingerprint(runner.job) === fingerprint(job) && !runner.isLeaving) return runner;
      changed++;
      runner.change(job);
      return this.fitted(runner);
    });
    const freeName = createFreeNames(jobs);
    this.runners = [...runners, ...gone.map((runner) => this.leave(runner, freeName(runner.job.name)))];
    return `${added} new, ${changed} changed, ${removed} removed`;
  }
  fitted(runner) {
    const { clock, periodSeconds } = this.host.ticks;
    if (clock !== void 0 && periodSeconds > 0) runner.fitTicks(clock.whenSeconds, periodSeconds);
    return runner;
  }
  leave(runner, name) {
    if (name !== runner.job.name) runner.change({ ...runner.job, name });
    runner.isLeaving = true;
    return runner;
  }
  dismissDone() {
    const isGone = (runner) => runner.isLeaving && runner.isDone;
    if (!this.runners.some(isGone)) return;
    this.removed.push(...this.runners.filter(isGone).map(({ job }) => job.name));
    this.runners = this.runners.filter((runner) => !isGone(runner));
    this.record("before counter");
  }
  record(moment) {
    const records = this.runners.map((runner) => runner.jobRecord(moment)).filter(isPresent);
    const givenUp = new Set(records.map(({ was }) => was));
    const isTaken = ({ job }) => givenUp.has(job);
    const lines = [
      ...this.removed.map((job) => ({ type: "removed", job })),
      ...records.map((record, i) => isTaken(record) ? { ...record, job: `/${i}` } : record),
      ...records.flatMap((record, i) => isTaken(record) ? [{ ...record, was: `/${i}` }] : [])
    ];
    for (let i = 0; i < lines.length; i += RECORDS_AT_ONCE)
      this.host.journal.append(...lines.slice(i, i + RECORDS_AT_ONCE));
    this.removed = [];
  }
};
var MINUTES_LOOKED_UP = 60;
var Agenda = class {
  constructor(runners) {
    this.runners = runners;
    this.resting = /* @__PURE__ */ new Map();
    this.minute = 0;
    this.watchful = runners.map((_, place) => place);
  }
  get watchfulRunners() {
    return this.watchful.map((place) => this.runners[place]);
  }
  onTick(tick, counted, isFirst) {
    if (counted.setBackSeconds > 0) this.wakeAll();
    this.wake(Math.floor(tick.whenSeconds / 60));
    const taken = this.watchful.map((place) => this.runners[place].onTick(tick, counted, isFirst));
    this.watchful = this.watchful.filter((place) => !this.rest(place));
    return taken;
  }
  wakeAll() {
    this.resting.clear();
    this.watchful = this.runners.map((_, place) => place);
  }
  wake(minute) {
    var _a2;
    if (minute - this.minute > MINUTES_LOOKED_UP) this.wakeAll();
    const woken = [];
    for (let m = this.minute + 1; m <= minute && this.resting.size > 0; m++) {
      woken.push(...(_a2 = this.resting.get(m)) != null ? _a2 : []);
      this.resting.delete(m);
    }
    this.minute = minute;
    if (woken.length > 0) this.watchful = [...this.watchful, ...woken].sort((a, b) => a - b);
  }
  rest(place) {
    const minute = Math.floor(this.runners[place].restsUntil / 60);
    if (!(minute > this.minute)) return false;
    const others = this.resting.get(minute);
    if (others === void 0) this.resting.set(minute, [place]);
    else others.push(place);
    return true;
  }
};
function fingerprint({ name, schedule, command, options, env, input }) {
  const catchUp = schedule.kind === "cron" ? schedule.catchUpSeconds : void 0;
  return JSON.stringify([scheduleRecord(schedule), catchUp, name, command, options, env, input]);
}
function createFreeNames(jobs) {
  const taken = new Set(jobs.map(({ name }) => name));
  return (wanted) => {
    let name = wanted;
    while (taken.has(name)) name += ".removed";
    taken.add(name);
    return name;
  };
}
var AMBIGUOUS_PAYLOAD_MS = 100;
var WATCHDOG_PERIODS = 3;
var WATCHDOG_SECOND_LOOK_SECONDS = 1;
var LAST_ERRANDS_SECONDS = 1;
var _a, _b;
var Listener = class {
  constructor(jobs, options, log) {
    this.options = options;
    this.log = log;
    this.reader = createEventReader();
    this.supervisor = (_a = identify(process.ppid)) != null ? _a : { pid: process.ppid, start: 0 };
    this.self = (_b = identify(process.pid)) != null ? _b : { pid: process.pid, start: 0 };
    this.warnings = /* @__PURE__ */ new Set();
    this.delaying = /* @__PURE__ */ new Set();
    this.hasSeenEvent = false;
    this.isLookingAgain = false;
    this.isStopping = false;
    this.isWaitingForErrands = false;
    this.stopSignals = 0;
    this.stopDeadlineSeconds = Number.POSITIVE_INFINITY;
    this.exitStatus = 0;
    this.stopExpectingTicks = () => {
    };
    this.turns = createTurns(options.maxRunning);
    this.counter = openCounterFile(options.statePath, log);
    const { found } = this.counter;
    this.journal = openJournal(options.statePath && `${options.statePath}.runs`, log);
    const isSame = this.isSameSupervisor();
    const clock = found.clock && { ...found.clock, isForeign: !isSame };
    this.ticks = { clock, count: found.count, periodSeconds: 0, lastSeconds: 0 };
    this.tickType = options.tickType;
    this.roster = new Roster(jobs, this, isSame, options.crontab === void 0);
    this.input = openInput(
      (bytes) => this.onBytes(bytes),
      () => this.onInputEnd()
    );
  }
  get runners() {
    return this.roster.runners;
  }
  get onlyJob() {
    return this.options.crontab === void 0 ? this.runners[0].job : void 0;
  }
  start() {
    const former = this.counter.found.listener;
    if (former !== void 0) for (const runner of this.runners) runner.recordStarts(former);
    this.writeCounter();
    this.tellBeginning();
    this.roster.record("before counter");
    for (const runner of this.runners) runner.takeOverRuns(former);
    const atStart = this.runners.filter(({ job }) => isRunOnStart(job));
    this.perform(atStart.map((runner) => runner.takeNow("start")));
    this.roster.dismissDone();
    if (this.isTicking) this.expectTicks();
  }
  tellBeginning() {
    const { statePath, tickType, crontab } = this.options;
    const where = statePath === void 0 ? "in memory only" : `in ${statePath}`;
    const tick = tickType != null ? tickType : "the first type of tick seen";
    if (crontab !== void 0)
      return this.log.line(`${this.roster.countJobs()} of ${crontab.path} on ${tick}; state ${where}`);
    const { schedule } = this.runners[0].job;
    let state = `on ${tick}; state ${where}`;
    if (schedule.kind === "ticks") state = `of ${tick}; count ${this.ticks.count} ${where}`;
    const glue = schedule.kind === "events" ? `; state ${where}` : ` ${state}`;
    this.log.line(`${describeSchedule(schedule)}${glue}`);
  }
  onSignal(signal) {
    if (signal === "SIGHUP")
      this.reload();
    else if (signal !== "SIGUSR2") this.onStopSignal(signal);
    else this.perform(this.runners.map((runner) => runner.takeNow("signal")));
  }
  lookAtCrontab() {
    var _a2;
    const look = (_a2 = this.options.crontab) == null ? void 0 : _a2.look();
    if (look === "changed") this.reload();
    if (look === "changing") this.lookAgain();
  }
  lookAgain() {
    if (this.isLookingAgain) return;
    this.isLookingAgain = true;
    startTimer(SETTLE_SECONDS, () => {
      this.isLookingAgain = false;
      this.lookAtCrontab();
    });
  }
  reload() {
    var _a2;
    const { crontab } = this.options;
    if (crontab === void 0 || this.isStopping) return;
    try {
      const jobs = crontab.readAgain();
      if (jobs === void 0) return this.lookAgain();
      const changes = this.roster.change(jobs);
      this.roster.record("before counter");
      if (((_a2 = this.ticks.clock) == null ? void 0 : _a2.isRestored) === false) {
        this.writeCounter();
        this.roster.record("after counter");
      }
      this.roster.dismissDone();
      this.log.line(`${this.roster.countJobs()} of ${crontab.path}: ${changes}`);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      this.log.line(`${error.message}; the jobs stay as they are`);
    }
  }
  onStopSignal(signal) {
    this.stopSignals++;
    if (!this.isStopping || this.stopSignals > 1) this.stop(signal);
  }
  onBytes(bytes) {
    try {
      const event = this.reader.push(bytes);
      if (event !== void 0) this.onEvent(event);
      else if (this.reader.isAmbiguous()) this.settlePayload();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.fail(`got ${error.message} from supervisord; exiting so that it starts a fresh listener`);
    }
  }
  settlePayload() {
    const bytes = this.input.bytesRead();
    setTimeout(() => {
      if (this.reader.isAmbiguous() && this.input.bytesRead() === bytes) this.onEvent(this.reader.settle());
    }, AMBIGUOUS_PAYLOAD_MS);
  }
  onEvent(event) {
    if (this.isStopping) return;
    this.hasSeenEvent = true;
    if (TICK_PERIODS[event.name] !== void 0) return this.onTick(event);
    this.answerAndPerform(this.runners.map((runner) => this.takeEvent(runner, event)));
  }
  takeEvent(runner, event) {
    if (isRunNow(event, runner.job.name)) return runner.onEvent(event, "remote");
    return isListenedTo(runner.job.schedule, event.name) ? runner.onEvent(event, "event") : void 0;
  }
  onTick(event) {
    var _a2;
    if (this.tickType === void 0 && !this.isTicking) return this.answer();
    const tick = parseTick(event);
    this.tickType = (_a2 = this.tickType) != null ? _a2 : event.name;
    if (tick === void 0)
      this.warnOnce("no time", `${event.name} brings no time but ${quote(event.payload)}; ignored`);
    else if (event.name === this.tickType) return this.onCountedType(tick);
    else this.warnOnce("other tick", this.otherTickWarning(event.name));
    this.answer();
  }
  get formerPeriodSeconds() {
    return this.counter.found.periodSeconds;
  }
  get isTicking() {
    return this.options.crontab !== void 0 || this.runners.some(({ job }) => job.schedule.kind !== "events");
  }
  otherTickWarning(type) {
    const remedy = `write events=${this.tickType} and --tick ${this.tickType}, or ${type} in both places`;
    return `got a ${type}, but ${this.tickType} is what counts here; other types are ignored: ${remedy}`;
  }
  onCountedType(tick) {
    const { ticks } = this;
    if (ticks.periodSeconds === 0) {
      const rival = findRival(this.options.statePath);
      if (rival !== void 0) return this.fail(inUseBy(this.options.statePath, rival));
    }
    this.lookAtCrontab();
    if (ticks.periodSeconds === 0) this.beginTicking(tick);
    const before = ticks.clock;
    const counted = countTick(before, tick);
    if (counted === void 0) {
      if (this.options.isVerbose) this.log.line(`event serial ${tick.serial} was counted before; answered and ignored`);
      return this.answer();
    }
    for (const runner of [...this.delaying]) runner.startDelayed();
    ticks.lastSeconds = monotonicSeconds();
    ticks.clock = counted.clock;
    if (counted.setBackSeconds === 0 || this.options.crontab === void 0) ticks.count++;
    if (counted.setBackSeconds > 0) {
      const now = formatTime(tick.whenSeconds);
      this.log.line(`the clock was set back by ${counted.setBackSeconds}s; going on from ${now}`);
    }
    this.tellTick(tick);
    const isFirst = before === void 0 || before.isRestored;
    const taken = this.roster.agenda.onTick(tick, counted, isFirst);
    if (this.onlyJob !== void 0 && counted.setBackSeconds === 0)
      ticks.count = countAfter(this.onlyJob.schedule, ticks.count);
    this.answerAndPerform(taken, () => this.writeCounter());
    if (isFirst) this.roster.record("after counter");
  }
  answerAndPerform(taken, beforeAnswer) {
    this.perform(taken, () => {
      beforeAnswer == null ? void 0 : beforeAnswer();
      this.answer();
    });
  }
  perform(taken, beforeIt = () => {
  }) {
    const all = taken.filter(isPresent);
    this.journal.append(...all.flatMap(({ records }) => records));
    beforeIt();
    for (const { perform } of all) perform();
  }
  beginTicking(tick) {
    this.stopExpectingTicks();
    this.ticks.periodSeconds = tick.periodSeconds;
    for (const runner of this.runners) runner.fitTicks(tick.whenSeconds, tick.periodSeconds);
    this.roster.record("before counter");
    this.ticks.lastSeconds = monotonicSeconds();
    this.watch(WATCHDOG_PERIODS * tick.periodSeconds, false);
  }
  tellTick(tick) {
    var _a2;
    if (!this.options.isVerbose) return;
    const { schedule } = (_a2 = this.onlyJob) != null ? _a2 : {};
    const goal = (schedule == null ? void 0 : schedule.kind) === "ticks" ? ` of ${schedule.every}` : void 0;
    const count = schedule === void 0 || goal !== void 0 ? `: count ${this.ticks.count}${goal != null ? goal : ""}` : "";
    this.log.line(`tick ${tick.whenSeconds} (${this.tickType})${count}`);
  }
  answer() {
    try {
      writeToSupervisord(ANSWER);
    } catch (error) {
      this.stop(`supervisord does not read any more (${errorCode(error)})`);
    }
  }
  onInputEnd() {
    if (this.hasSeenEvent || process.env.SUPERVISOR_ENABLED !== void 0)
      return this.stop("supervisord closed our stdin");
    this.log.line(NO_SUPERVISORD);
    this.exitStatus = 2;
    this.stop("stdin ended");
  }
  isSameSupervisor() {
    const before = this.counter.found.supervisor;
    return before !== void 0 && before.pid === this.supervisor.pid && before.start === this.supervisor.start;
  }
  writeCounter() {
    const { supervisor, self } = this;
    const { clock, count } = this.ticks;
    const periodSeconds = this.ticks.periodSeconds || this.counter.found.periodSeconds || 0;
    this.counter.write({
      count,
      clock: clock && this.withoutUndecided(clock),
      supervisor,
      listener: self,
      periodSeconds
    });
  }
  withoutUndecided(clock) {
    let written = clock;
    for (const { delayedWindow } of this.delaying)
      if (delayedWindow !== void 0 && delayedWindow.after < written.decidedSeconds)
        written = withUndecided(written, delayedWindow);
    for (const { resumesAt } of this.roster.agenda.watchfulRunners) {
      const back = resumesAt === void 0 ? 0 : written.decidedSeconds - resumesAt;
      if (back > 0) {
        const { decidedSeconds, fixedDecidedSeconds } = written;
        written = {
          ...written,
          decidedSeconds: decidedSeconds - back,
          fixedDecidedSeconds: fixedDecidedSeconds - back
        };
      }
    }
    return written;
  }
  warnOnce(kind, text) {
    if (!this.warnings.has(kind)) this.log.line(text);
    this.warnings.add(kind);
  }
  expectTicks() {
    var _a2;
    const type = (_a2 = this.tickType) != null ? _a2 : USUAL_TICK;
    const seconds = WATCHDOG_PERIODS * TICK_PERIODS[type];
    const tell = () => {
      var _a3;
      const remedy = `is this an [eventlistener:x] section with events=${type}?`;
      this.log.line(`no ${(_a3 = this.tickType) != null ? _a3 : "tick"} has come in ${formatDuration(seconds)}: ${remedy}`);
    };
    this.stopExpectingTicks = startTimer(seconds, () => {
      this.stopExpectingTicks = startTimer(WATCHDOG_SECOND_LOOK_SECONDS, tell);
    });
  }
  watch(seconds, isSecondLook) {
    startTimer(seconds, () => {
      const { periodSeconds, lastSeconds } = this.ticks;
      const silentSeconds = monotonicSeconds() - lastSeconds;
      const leftSeconds = WATCHDOG_PERIODS * periodSeconds - silentSeconds;
      if (leftSeconds > 0) return this.watch(leftSeconds, false);
      if (this.runners.some((runner) => runner.runs.isBusy)) return this.watch(periodSeconds, false);
      if (!isSecondLook) return this.watch(WATCHDOG_SECOND_LOOK_SECONDS, true);
      this.fail(
        `no ${this.tickType} for ${Math.round(silentSeconds)}s; exiting so that supervisord starts a fresh listener`
      );
    });
  }
  fail(why) {
    this.log.line(why);
    this.exitStatus = 1;
    this.stop();
  }
  stop(why) {
    if (why !== void 0 && this.exitStatus === 0) this.log.line(`${why}: stopping`);
    this.input.pause();
    const grace = Math.max(0, ...this.runners.map(({ job }) => job.options.policy.killAfterSeconds));
    this.stopDeadlineSeconds = this.isStopping ? 0 : monotonicSeconds() + grace;
    this.isStopping = true;
    for (const runner of this.runners) runner.runs.stop();
    this.onSettled();
  }
  onSettled() {
    if (!this.isStopping) return this.roster.dismissDone();
    if (this.runners.some((runner) => runner.runs.isBusy)) return;
    const isHurried = this.stopDeadlineSeconds === 0;
    if (isHurried) for (const runner of this.runners) runner.runs.killErrands();
    if (!this.runners.some((runner) => runner.runs.hasErrands)) return this.exit();
    if (this.isWaitingForErrands) return;
    this.isWaitingForErrands = true;
    const seconds = Math.max(LAST_ERRANDS_SECONDS, this.stopDeadlineSeconds - monotonicSeconds());
    startTimer(seconds, () => {
      this.stopDeadlineSeconds = 0;
      this.onSettled();
    });
  }
  exit() {
    this.log.flush();
    process.exit(this.exitStatus);
  }
};
var NO_SUPERVISORD = "supervisord must start this, as an [eventlistener:x] program; to try it here: supertick simulate --ticks 5 --for 15m -- echo hello";
function isRunNow(event, job) {
  if (event.name !== "REMOTE_COMMUNICATION") return false;
  const { type, data } = parseRemoteCommunication(event.payload);
  return type === "supertick" && ["", job].includes(data.trim());
}
function readInvocation({ layer: flags, command }, env = process.env) {
  const environment = parseEnvironment(env);
  return { flags, environment, settings: resolveSettings([flags, environment.layer]), command };
}
function startListener(args) {
  var _a2, _b2, _c, _d, _e;
  const invocation = readInvocation(parseCommandLine(args, ["job", "listener"]));
  const { settings, flags, environment, command } = invocation;
  checkCommand(invocation);
  if (fs.fstatSync(0).isCharacterDevice() && require("tty").isatty(0))
    throw new UsageError(NO_SUPERVISORD);
  const allLog = createLog(settings.log);
  checkProcessName(process.env, allLog);
  const program = (_a2 = settings.crontab) != null ? _a2 : command[0];
  const name = (_c = (_b2 = settings.name) != null ? _b2 : process.env.SUPERVISOR_PROCESS_NAME) != null ? _c : program.split("/").pop() || "job";
  const log = settings.crontab === void 0 ? allLog.ofJob(name) : allLog;
  for (const warning of environment.warnings) log.line(warning);
  const crontab = settings.crontab === void 0 ? void 0 : openCrontab(settings.crontab, flags, environment.layer);
  const jobs = (_d = crontab == null ? void 0 : crontab.read()) != null ? _d : [jobOf(name, command, scheduleOf(settings, defaultZone), settings)];
  const options = {
    tickType: settings.tick,
    statePath: (_e = settings.state) != null ? _e : tryDefaultStatePath(name, log),
    isVerbose: settings.verbose,
    maxRunning: settings.maxRunning,
    crontab
  };
  whenRivalIsGone(options.statePath, settings.killAfter + RIVAL_PATIENCE_SECONDS, log, () => {
    if (!announce((signal) => listener.onSignal(signal))) {
      log.line("supervisord does not read our stdout: stopping");
      process.exit(0);
    }
    const listener = new Listener(jobs, options, log);
    listener.start();
  });
}
function checkCommand({ command, settings }) {
  if (settings.crontab !== void 0) {
    if (command.length === 0) return;
    throw new UsageError("the commands stand in the crontab: --crontab and a command behind -- don't go together");
  }
  if (command.length === 0)
    throw new UsageError("which command shall run? Put it behind --: supertick --ticks 5 -- /path/to/command");
  if (command[0] === "") throw new UsageError("the command behind -- is empty");
}
function checkProcessName(env, log) {
  var _a2, _b2;
  const { SUPERVISOR_PROCESS_NAME: name, SUPERVISOR_GROUP_NAME: group } = env;
  if (name === void 0 || group === void 0 || name === group) return;
  const isFurther = Number((_b2 = (_a2 = /\d+$/.exec(name)) == null ? void 0 : _a2[0]) != null ? _b2 : 0) > 0;
  const why = `the process ${quote(name)} ${isFurther ? "is" : "may be"} one of several in the group ${quote(group)}, and supervisord shares the ticks out among them: set numprocs=1`;
  if (isFurther) throw new UsageError(why);
  log.line(why);
}
function tryDefaultStatePath(name, log) {
  try {
    return defaultStatePath(name);
  } catch (error) {
    log.line(
      `no place for the counter file: ${error.message}; counting in memory only, --state names a place`
    );
    return void 0;
  }
}
var RIVAL_PATIENCE_SECONDS = 2;
var RIVAL_POLL_SECONDS = 0.2;
function whenRivalIsGone(path, patienceSeconds, log, start2) {
  const rival = findRival(path);
  if (rival === void 0) return start2();
  if (rival.isEnding && patienceSeconds > 0) {
    startTimer(RIVAL_POLL_SECONDS, () => whenRivalIsGone(path, patienceSeconds - RIVAL_POLL_SECONDS, log, start2));
    return;
  }
  log.line(inUseBy(path, rival));
  log.flush();
  process.exit(1);
}
function announce(onSignal) {
  for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR2"]) process.on(signal, onSignal);
  try {
    writeToSupervisord(READY);
    return true;
  } catch {
    return false;
  }
}
function plannedJobs({ settings, flags, environment }, localZone = defaultZone) {
  if (settings.crontab === void 0) return [{ schedule: scheduleOf(settings, localZone), settings }];
  return withoutMistakes(readCrontab(settings.crontab, flags, environment.layer, localZone));
}
function defaultZone(name = process.env.TZ) {
  if (name === void 0) return createZone(LOCAL_TIME, (at) => -60 * new Date(at * 1e3).getTimezoneOffset());
  try {
    return createZone(name === "" ? "UTC" : name.replace(/^:/, ""));
  } catch (error) {
    throw new UsageError(`TZ: ${error.message}; --tz goes before it`);
  }
}
function simulate(args) {
  const invocation = readInvocation(parseCommandLine(args, ["job", "listener", "simulate", "trial"]));
  const { flags, settings } = invocation;
  checkCommand(invocation);
  if (settings.on !== void 0)
    throw new UsageError("simulate plays ticks only; --on waits for other events of supervisord");
  const plan = planSimulation(invocation);
  const statePath = flags.texts.has("state") ? settings.state : void 0;
  const directory = statePath === void 0 ? makeTemporaryDirectory() : void 0;
  play(plan, statePath != null ? statePath : `${directory}/count`).catch((error) => {
    console.log(`simulate: ${error.message}`);
    return 1;
  }).then((status2) => {
    if (directory !== void 0) removeDirectory(directory);
    process.exit(status2);
  });
}
function planSimulation(invocation) {
  var _a2, _b2;
  const { flags, settings, command } = invocation;
  const from = (_a2 = settings.from) != null ? _a2 : Date.now() / 1e3;
  const fitsMinutes = plannedJobs(invocation).every(({ schedule }) => tickMismatches(schedule, 60, from).length === 0);
  const tickType = (_b2 = settings.tick) != null ? _b2 : fitsMinutes ? "TICK_60" : "TICK_5";
  const periodSeconds = TICK_PERIODS[tickType];
  if (settings.for < periodSeconds)
    throw new UsageError(`--for: expected at least one ${tickType}, ${formatDuration(periodSeconds)}`);
  const options = [...flags.texts].filter(
    ([key]) => ["job", "listener"].includes(specOf(key).scope) && key !== "state"
  );
  return {
    tickType,
    periodSeconds,
    firstWhen: Math.ceil(from / periodSeconds) * periodSeconds,
    tickCount: Math.floor(settings.for / periodSeconds),
    pauseSeconds: periodSeconds / settings.speed,
    listenerArgs: [
      ...options.map(([, { text, origin }]) => `${origin}=${text}`),
      ...command.length === 0 ? [] : ["--", ...command]
    ]
  };
}
async function play(plan, statePath) {
  const listener = startSimulatedListener([`--state=${statePath}`, ...plan.listenerArgs]);
  const runs2 = followRuns(`${statePath}.runs`);
  const answers = createStrictReader(listener.stdout);
  const ended = new Promise((resolve) => {
    listener.on("exit", (code, signal) => resolve(signal != null ? signal : `exit ${code}`));
  });
  ended.then((how2) => {
    answers.end(`the listener ended (${how2})`);
    runs2.end();
  });
  showLines(listener.stderr, "    | ");
  listener.stdin.on("error", () => {
  });
  const stop = () => listener.stdin.end();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop);
  process.stdout.on("error", stop);
  let sent = 0;
  try {
    for await (const _ of sendTicks(plan, listener.stdin, answers, runs2, ended)) sent++;
    await runs2.allEnded();
  } finally {
    stop();
    await ended;
  }
  const how = await ended;
  console.log(
    `simulate: ${sent === 1 ? "1 tick" : `${sent} ticks`}, ${runs2.summary()}; the listener ended with ${how}`
  );
  return how === "exit 0" ? 0 : 1;
}
async function* sendTicks(plan, stdin, answers, runs2, ended) {
  const pause = plan.pauseSeconds === 0 ? "without a pause" : `every ${plan.pauseSeconds}s`;
  console.log(`simulate: ${plan.tickCount} ticks of ${plan.tickType} from ${formatTime(plan.firstWhen)}, ${pause}`);
  await answers.expect(READY, "ACKNOWLEDGED");
  const startedSeconds = monotonicSeconds();
  for (let i = 0; i < plan.tickCount; i++) {
    const how = await Promise.race([waitUntil(startedSeconds + i * plan.pauseSeconds), ended]);
    if (how !== void 0) return;
    if (plan.pauseSeconds === 0) await runs2.allEnded();
    const when = plan.firstWhen + i * plan.periodSeconds;
    const frame = formatEvent(plan.tickType, i + 1, when);
    const answer = answers.expect(ANSWER, "BUSY");
    console.log(`${formatTime(when)} \u2192 ${JSON.stringify(frame)}`);
    stdin.write(frame);
    await answer;
    runs2.look();
    yield;
  }
}
function startSimulatedListener(args) {
  const { spawn } = require("child_process");
  const env = { ...process.env, SUPERVISOR_ENABLED: "1" };
  delete env.SUPERVISOR_PROCESS_NAME;
  delete env.SUPERVISOR_GROUP_NAME;
  const runtimeArgs = isDeno ? ["run", "-A"] : process.execArgv;
  return spawn(process.execPath, [...runtimeArgs, process.argv[1], ...args], { env, stdio: "pipe" });
}
function formatEvent(name, serial, when) {
  const payload = `when:${when}`;
  return `ver:3.0 server:supervisor serial:${serial} pool:supertick poolserial:${serial} eventname:${name} len:${payload.length}
${payload}`;
}
function createStrictReader(stream) {
  let got = "";
  let wanted;
  let failure;
  function fail(error) {
    failure = failure != null ? failure : error;
    wanted == null ? void 0 : wanted.reject(failure);
  }
  function look() {
    var _a2;
    if (wanted === void 0 ? got !== "" : !wanted.text.startsWith(got)) {
      const state = (_a2 = wanted == null ? void 0 : wanted.state) != null ? _a2 : "READY";
      fail(
        new Error(
          `UNKNOWN: in state ${state} the listener wrote ${quote(got)}, so supervisord would never talk to it again`
        )
      );
    } else if (wanted !== void 0 && got === wanted.text) {
      const { text, resolve } = wanted;
      console.log(`${" ".repeat(21)}\u2190 ${JSON.stringify(text)}`);
      got = "";
      wanted = void 0;
      resolve();
    }
  }
  stream.on("data", (bytes) => {
    got += bytes.toString("latin1");
    look();
  });
  return {
    expect: (text, state) => new Promise((resolve, reject) => {
      wanted = { text, state, resolve, reject };
      if (failure === void 0) look();
      else reject(failure);
    }),
    end: (why) => fail(new Error(why))
  };
}
function showLines(stream, prefix) {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const line of lines) console.log(prefix + line);
  });
  stream.on("end", () => rest !== "" && console.log(prefix + rest));
}
function followRuns(path) {
  const open2 = /* @__PURE__ */ new Set();
  const results = /* @__PURE__ */ new Map();
  let offset = tryReadFile(path).length;
  let isListenerGone = false;
  function look() {
    var _a2;
    const text = tryReadFile(path);
    const isNew = text.length < offset;
    const end = text.lastIndexOf("\n") + 1;
    for (const line of text.slice(isNew ? 0 : offset, end).split("\n").map(tryParseLine)) {
      if (line === void 0 || !("run" in line)) continue;
      const run = `${line.run} ${line.job}`;
      if (line.type === "starting") open2.add(run);
      if (line.type === "held") open2.delete(run);
      const hasResult = line.type === "givenUp" || line.type === "finished" && line.retryIn === void 0;
      if (hasResult && open2.delete(run)) results.set(line.result, ((_a2 = results.get(line.result)) != null ? _a2 : 0) + 1);
    }
    offset = end;
  }
  return {
    look,
    async allEnded() {
      for (look(); open2.size > 0 && !isListenerGone; look()) await waitUntil(monotonicSeconds() + 0.01);
    },
    end() {
      isListenerGone = true;
    },
    summary() {
      const counts = [...results].map(([result, n]) => `${n} ${result}`);
      if (open2.size > 0) counts.push(`${open2.size} unfinished`);
      return counts.length === 0 ? "no run" : `runs: ${counts.join(", ")}`;
    }
  };
}
function waitUntil(seconds) {
  const ms = Math.max(0, (seconds - monotonicSeconds()) * 1e3);
  return new Promise((resolve) => setTimeout(resolve, ms));
}
function makeTemporaryDirectory() {
  const parent = process.env.TMPDIR || "/tmp";
  try {
    return fs.mkdtempSync(`${parent}/supertick-simulate-`);
  } catch (error) {
    throw new UsageError(`no place for simulate's counter file: ${parent}: ${errorCode(error)}; --state names another`);
  }
}
function removeDirectory(directory) {
  for (const name of fs.readdirSync(directory)) fs.unlinkSync(`${directory}/${name}`);
  fs.rmdirSync(directory);
}
function init(args) {
  var _a2, _b2, _c, _d, _e, _f;
  const invocation = readInvocation(parseCommandLine(args, ["job", "listener"]));
  const { settings, flags, environment, command } = invocation;
  checkCommand(invocation);
  const jobs = plannedJobs(invocation);
  const from = Math.floor(Date.now() / 1e3);
  const tick = (_a2 = settings.tick) != null ? _a2 : fittingTick(jobs, from);
  const mismatches = (type) => jobs.flatMap(({ schedule }) => tickMismatches(schedule, TICK_PERIODS[type], from));
  const section = formatSection({
    name: (_c = settings.name) != null ? _c : ((_b2 = settings.crontab) != null ? _b2 : command[0]).split("/").pop(),
    command: [...ownCommand(), ...flagWords(flags, tick), ...command.length === 0 ? [] : ["--", ...command]],
    events: [...(_d = settings.on) != null ? _d : [], ...tick === void 0 ? [] : [tick]],
    killAfterSeconds: longestGrace(jobs),
    environment: [...environment.layer.texts.values()].filter(({ origin }) => origin !== OPTIONS.tick.env).map(({ text, origin }) => [origin, text]).sort()
  });
  const relative = [(_e = settings.state) != null ? _e : "/", ((_f = command[0]) == null ? void 0 : _f.includes("/")) ? command[0] : "/"].filter((file) => !file.startsWith("/")).map((file) => `${quote(file)} is looked for where supervisord runs: give its whole path`);
  const late = tick === void 0 ? [] : new Set(mismatches(tick));
  const isUnusual = settings.tick === void 0 && tick !== void 0 && tick !== USUAL_TICK;
  const paces = isUnusual ? new Set(jobs.map(({ schedule }) => paceOn(schedule, tick)).filter(isPresent)) : [];
  for (const note of [...environment.warnings, ...late, ...paces, ...relative])
    writeFully(2, `supertick: note: ${note}
`);
  writeFully(1, section);
}
function longestGrace(jobs) {
  return Math.max(0, ...jobs.map(({ settings }) => settings.killAfter));
}
function fittingTick(jobs, from) {
  var _a2;
  const needed = jobs.map(({ schedule }) => fittingTickOf(schedule, from)).filter(isPresent);
  if (needed.length < jobs.length && needed.length === 0) return void 0;
  return (_a2 = ["TICK_5", "TICK_60", "TICK_3600"].find((type) => needed.includes(type))) != null ? _a2 : "TICK_60";
}
function fittingTickOf(schedule, from) {
  var _a2;
  if (schedule.kind === "events") return void 0;
  if (schedule.kind === "ticks" || schedule.kind === "start") return "TICK_60";
  const fits = (type, at) => tickMismatches(schedule, TICK_PERIODS[type], at).length === 0;
  return (_a2 = ["TICK_3600", "TICK_60"].find((type) => fits(type, from) && fits(type, from + 183 * SECONDS_IN_DAY))) != null ? _a2 : "TICK_5";
}
function ownCommand() {
  const given = require("path").resolve(process.argv[1]);
  const file = fs.existsSync(given) ? given : `${given}.js`;
  if (isDeno) return [process.execPath, "run", "-A", file];
  return isBun || !isExecutable(file) ? [process.execPath, file] : [file];
}
function flagWords({ texts }, tick) {
  const words = [...texts].flatMap(([key, { text, origin }]) => {
    if (specOf(key).metavar === void 0) return text === "yes" ? [origin] : [`${origin}=${text}`];
    const value = key === "crontab" ? require("path").resolve(text) : text;
    return value === "--" ? [`${origin}=--`] : [origin, value];
  });
  return tick === void 0 || texts.has("tick") ? words : [...words, "--tick", tick];
}
function formatSection({ name, command, events, killAfterSeconds, environment }) {
  const lines = [
    `[eventlistener:${name.replace(/[^\p{L}\p{M}\p{N}_.-]+/gu, "-").replace(/^-+|-+$/g, "") || "job"}]`,
    `command=${command.map(quoteWord).join(" ")}`,
    `events=${[...new Set(events)].join(",")}`,
    "autorestart=true",
    "stdout_logfile=NONE",
    "; for a container; where supervisord's stderr is a socket, as under systemd, name a file here",
    "stderr_logfile=/dev/stderr",
    "stderr_logfile_maxbytes=0"
  ];
  if (environment.length > 0) lines.push(`environment=${environment.map(quoteVariable).join(",")}`);
  const stopSeconds = killAfterSeconds + STOP_MARGIN_SECONDS;
  if (stopSeconds > STOP_WAIT_SECONDS)
    lines.push(
      "; above --kill-after: until then supertick ends its job, then supervisord kills",
      `stopwaitsecs=${stopSeconds}`
    );
  return `${lines.join("\n")}
`;
}
var STOP_WAIT_SECONDS = 10;
var STOP_MARGIN_SECONDS = 5;
var BLANK = "[\\t-\\r\\x1c- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
function quoteWord(word) {
  if (/[\r\n]/.test(word))
    throw new UsageError(`${quote(word)} has a line break, which supervisord.conf can't hold: put it into a script`);
  if (/^[\w@+=:,./-]+$/.test(word)) return word;
  const q = /["\\]/.test(word) && !word.includes("'") ? "'" : '"';
  const text = q === '"' ? word.replace(/["\\]/g, "\\$&") : word;
  const kept = text.replace(new RegExp(`${BLANK}(?=[;#])|%(?=\\()`, "g"), (before) => before + q + q);
  return q + kept.replace(/%/g, "%%") + q;
}
function quoteVariable([name, value]) {
  var _a2;
  const q = value.includes('"') ? "'" : '"';
  if (value.includes(q) || new RegExp(`[\r
]|${BLANK}[;#]|%\\(here\\)s|^["']|["']$`).test(value)) {
    const flag = (_a2 = OPTION_KEYS.map(specOf).find(({ env }) => env === name)) == null ? void 0 : _a2.flag;
    throw new UsageError(`${name} ${quote(value)} can't be a variable in supervisord.conf: give it as ${flag}`);
  }
  return `${name}=${q}${value.replace(/%/g, "%%")}${q}`;
}
function check(args) {
  const files = [];
  const commandLine = parseCommandLine(args, ["job", "listener", "check", "trial", "report"], files);
  if (files.length > 0) {
    const { layer, command } = commandLine;
    if (files.length > 1 || command.length > 0 || layer.texts.size > Number(layer.texts.has("json")))
      throw noOption(files[0]);
    return checkConfiguration(files[0], isGiven(layer, "json"));
  }
  const invocation = readInvocation(commandLine);
  const { settings, environment } = invocation;
  if (settings.crontab !== void 0) return checkCrontab(settings.crontab, invocation);
  const schedule = scheduleOf(settings, defaultZone);
  const forecast = forecastOf(schedule, settings, settings);
  const warnings = [...environment.warnings, ...forecast.warnings];
  const text = settings.json ? JSON.stringify({ ...forecast, warnings }) : describeForecast(schedule, { ...forecast, warnings }).join("\n");
  writeFully(1, `${text}
`);
}
function checkCrontab(path, { settings, flags, environment }) {
  const { jobs, ...crontab } = readCrontab(path, flags, environment.layer);
  const warnings = [...environment.warnings, ...crontab.warnings];
  const forecasts = jobs.map((job) => ({ job, forecast: forecastOf(job.schedule, job.settings, settings) }));
  const list = () => [
    ...crontab.mistakes,
    ...warnings.map((warning) => `note: ${warning}`),
    ...forecasts.flatMap(({ job, forecast }) => [
      `line ${job.line}, ${job.name}: ${forecast.schedule}`,
      ...describeForecast(job.schedule, forecast).slice(1).map((line) => `  ${line}`)
    ])
  ];
  const object = () => ({
    mistakes: crontab.mistakes,
    warnings,
    jobs: forecasts.map(({ job, forecast }) => ({ name: job.name, line: job.line, ...forecast }))
  });
  writeFully(1, `${settings.json ? JSON.stringify(object()) : list().join("\n") || "no job"}
`);
  if (crontab.mistakes.length > 0) process.exitCode = 2;
}
function forecastOf(schedule, { jitter, onlyIf, runOnStart }, asked) {
  var _a2;
  const from = (_a2 = asked.from) != null ? _a2 : Math.floor(Date.now() / 1e3);
  const warnings = scheduleWarnings(schedule, asked.tick, from);
  if (jitter > 0 && isByClock(schedule)) {
    const longest = formatDuration(longestDelay(schedule, from, jitter));
    warnings.push(`each run starts later than listed, by a time below ${longest} (--jitter)`);
  }
  if (runOnStart) warnings.push("it also runs once when the listener starts (--run-on-start)");
  if (onlyIf !== void 0 && !isByClock(schedule))
    warnings.push("--only-if as a lock among replicas needs due times that are the same for all: --every or --cron");
  return { schedule: describeSchedule(schedule), warnings, next: nextDueTimes(schedule, from, asked.number) };
}
function scheduleWarnings(schedule, tickType, from) {
  const periodSeconds = tickType === void 0 ? void 0 : TICK_PERIODS[tickType];
  const pace = tickType === void 0 ? void 0 : paceOn(schedule, tickType);
  if (pace !== void 0) return [pace];
  if (schedule.kind === "cron") return cronWarnings(schedule.cron, schedule.zone, from, periodSeconds);
  return periodSeconds === void 0 ? [] : tickMismatches(schedule, periodSeconds, from);
}
function paceOn(schedule, tickType) {
  if (schedule.kind !== "ticks") return void 0;
  const pace = formatDuration(schedule.every * TICK_PERIODS[tickType]);
  return `${describeSchedule(schedule)} of ${tickType} is every ${pace}`;
}
function describeForecast(schedule, forecast) {
  const zone = schedule.kind === "cron" ? schedule.zone : createZone("UTC");
  const lines = [forecast.schedule, ...forecast.warnings.map((warning) => `note: ${warning}`)];
  switch (schedule.kind) {
    case "ticks":
      return [...lines, "when that is depends on when the counting began"];
    case "events":
      return [...lines, "when that is depends on what supervisord sends: name them in events= too"];
    case "start":
      return [...lines, "not when the crontab is read again"];
  }
  if (forecast.next.length === 0) return [...lines, "no next run"];
  return [...lines, "next runs:", ...forecast.next.map((due) => `  ${formatLocal(zone, due)}    ${formatTime(due)}`)];
}
function formatLocal(zone, second) {
  const { offset } = zone.spanAt(second);
  const reading = new Date((second + offset) * 1e3);
  const minutes = Math.abs(offset) / 60;
  const utcOffset = `${twoDigits(Math.floor(minutes / 60))}:${twoDigits(Math.floor(minutes % 60))}`;
  const clock = reading.toISOString().slice(0, 19).replace("T", " ");
  return `${reading.toUTCString().slice(0, 3)} ${clock} ${offset < 0 ? "-" : "+"}${utcOffset}`;
}
function checkConfiguration(file, isJson) {
  const { sections, findings } = checkFile(file);
  const [mistakes, warnings] = [true, false].map(
    (isMistake) => findings.filter((finding) => finding.isMistake === isMistake).map(({ isMistake: _, ...finding }) => finding)
  );
  const lines = [...mistakes.map(describeFinding), ...warnings.map((warning) => `note: ${describeFinding(warning)}`)];
  if (mistakes.length === 0) lines.push(`no mistake in ${listed(sections.map((name) => `[${name}]`))}`);
  const shown = lines.map((line) => line.replace(/[\u0000-\u001f\u007f-\u009f]/g, escapeCodeUnit));
  const text = isJson ? JSON.stringify({ file, sections, mistakes, warnings }) : shown.join("\n");
  writeFully(1, `${text}
`);
  process.exitCode = mistakes.length > 0 ? 1 : 0;
}
function describeFinding({ file, line, section, key, value, message }) {
  const shown = value === null ? "" : `=${/^[ -~]{0,80}$/.test(value) ? value : quote(value)}`;
  return `${file}:${line}:${section === "" ? "" : ` [${section}] ${key}${shown}:`} ${message}`;
}
function checkFile(file) {
  const configuration = readConfiguration(file);
  const nowhere = { file, line: 1, section: "", key: "", value: null, isMistake: true };
  const findings = configuration.errors.map((error) => ({ ...nowhere, ...error }));
  const supervisord = createSectionReader(configuration, "supervisord", new Map(configuration.names));
  const common = supervisord.readVariables();
  findings.push(...supervisord.findings);
  const stateOwners = /* @__PURE__ */ new Map();
  const programs = [...configuration.sections.keys()].filter((name) => /^(eventlistener|(fcgi-)?program):/.test(name));
  const sections = programs.filter((header) => {
    const reader = createSectionReader(configuration, header, new Map(supervisord.names));
    const isSupertick2 = checkProgram(reader, { ...process.env, ...common }, stateOwners);
    if (isSupertick2) findings.push(...reader.findings);
    return isSupertick2;
  });
  if (sections.length === 0 && findings.length === 0)
    findings.push({ ...nowhere, message: "no section runs supertick: nothing was checked" });
  return { sections, findings };
}
function createSectionReader({ sections, defaults }, header, names) {
  const section = sections.get(header);
  const findings = [];
  const given = (key) => {
    var _a2;
    return (_a2 = section == null ? void 0 : section.values.get(key)) != null ? _a2 : section && defaults.get(key);
  };
  function tell(key, message, standard, isMistake = true) {
    var _a2;
    const { file, line, text = standard != null ? standard : null } = (_a2 = given(key)) != null ? _a2 : { ...section, text: void 0 };
    findings.push({ file, line, section: header, key, value: key === "environment" ? null : text, message, isMistake });
  }
  function read(key, standard, parse) {
    var _a2, _b2;
    try {
      return parse(expand((_b2 = (_a2 = given(key)) == null ? void 0 : _a2.text) != null ? _b2 : standard, names));
    } catch (error) {
      const { message } = error;
      tell(key, error instanceof Expectation ? `supervisord expects ${message}` : message);
      return void 0;
    }
  }
  function readVariables() {
    var _a2;
    const variables = (_a2 = read("environment", "", parseVariables)) != null ? _a2 : {};
    for (const name of Object.keys(variables)) names.set(`ENV_${name}`, variables[name]);
    return variables;
  }
  return { header, names, findings, textOf: (key) => {
    var _a2;
    return (_a2 = given(key)) == null ? void 0 : _a2.text;
  }, tell, read, readVariables };
}
function readProgram({ header, names, read, readVariables }) {
  var _a2, _b2;
  const group = header.slice(header.indexOf(":") + 1);
  const numprocs = (_a2 = read("numprocs", "1", parseInteger)) != null ? _a2 : 1;
  const process_num = (_b2 = read("numprocs_start", "0", parseInteger)) != null ? _b2 : 0;
  const facts = { program_name: group.trim(), group_name: group, numprocs, process_num };
  for (const [name, value] of Object.entries(facts)) names.set(name, value);
  const variables = readVariables();
  const words = read("command", "", splitWords);
  return { group, numprocs, variables, words, processName: read("process_name", "%(program_name)s", String) };
}
function checkProgram(reader, inherited2, stateOwners) {
  var _a2;
  const { header, tell, textOf } = reader;
  const { group, numprocs, variables, words, processName } = readProgram(reader);
  const isListener = header.startsWith("eventlistener:");
  const call = words === void 0 ? unreadableCall(textOf("command")) : (_a2 = supertickCall(words)) != null ? _a2 : isListener ? callByPath(words) : void 0;
  if (call === void 0 || !isListener && call.args !== void 0 && !isListening(call.args)) return false;
  if (/[ :/]/.test(group.trim()))
    tell("command", "supervisord refuses a name with a blank, : or / in it: rename the section");
  if (!isListener) {
    tell("command", `only event listeners get ticks: make it [eventlistener:${group}], with events=`);
    return true;
  }
  if (numprocs !== 1) tell("numprocs", "supervisord would share the ticks out among the processes: numprocs=1");
  const name = numprocs === 1 ? processName : group;
  const supervisorNames = { SUPERVISOR_PROCESS_NAME: name, SUPERVISOR_GROUP_NAME: group };
  const env = { ...inherited2, ...variables, ...supervisorNames, ...call.variables };
  if (words !== void 0 && call.args === void 0)
    tell("command", "it can't be told which options supertick gets: they are not checked", void 0, false);
  const listener = checkListener(reader, call, env);
  if (listener !== void 0) checkState(reader, listener.settings, name != null ? name : group, stateOwners);
  return true;
}
function checkState({ header, tell }, settings, name, owners) {
  var _a2, _b2;
  const place = (_b2 = settings.state) != null ? _b2 : `the default for ${quote((_a2 = settings.name) != null ? _a2 : name)}`;
  const owner = owners.get(place);
  if (owner !== void 0)
    tell("command", `[${owner}] has the same counter file, ${place}: give it a --name or --state of its own`);
  owners.set(place, header);
}
function checkListener(reader, { args }, env) {
  var _a2;
  if (reader.read("redirect_stderr", "false", yesOrNo)) {
    const why = "supervisord refuses it for an event listener, whose stdout is the protocol";
    reader.tell("redirect_stderr", `${why}: remove it`);
  }
  const listener = args === void 0 ? void 0 : readListener(reader, args, env);
  checkLogs(reader);
  checkEvents(reader, listener);
  checkEnd(reader, longestGrace((_a2 = listener == null ? void 0 : listener.jobs) != null ? _a2 : []));
  return listener;
}
function checkEnd({ tell, read }, killAfter) {
  var _a2, _b2;
  const restart = read(
    "autorestart",
    "unexpected",
    (text) => /^unexpected$/i.test(text) ? "unexpected" : yesOrNo(text)
  );
  const codes = (_a2 = read("exitcodes", "0", (text) => text.split(",").map((code) => parseInteger(code.trim())))) != null ? _a2 : [];
  const final = restart === "unexpected" ? codes.filter((code) => code >= 0 && code <= 2) : ["of any kind"];
  if (restart !== void 0 && restart !== true && final.length > 0)
    tell("autorestart", `after an exit status ${final.join(" or ")} it stays down: autorestart=true`, "unexpected");
  if (!/^((sig)?(term|int|quit)|15|2|3)$/i.test((_b2 = read("stopsignal", "TERM", String)) != null ? _b2 : "TERM"))
    tell("stopsignal", "supertick ends at TERM, INT or QUIT only, and its job with it: stopsignal=TERM");
  const stopSeconds = read("stopwaitsecs", String(STOP_WAIT_SECONDS), parseInteger);
  if (stopSeconds === void 0 || stopSeconds > killAfter) return;
  const why = `supervisord would kill supertick before --kill-after (${formatDuration(killAfter)}) is over`;
  tell("stopwaitsecs", `${why}: stopwaitsecs=${killAfter + STOP_MARGIN_SECONDS}`, String(STOP_WAIT_SECONDS));
}
function checkLogs({ tell, read }) {
  var _a2;
  for (const stream of ["stdout", "stderr"]) {
    const [fileKey, sizeKey] = [`${stream}_logfile`, `${stream}_logfile_maxbytes`];
    const file = (_a2 = read(fileKey, "AUTO", String)) != null ? _a2 : "NONE";
    const size = read(sizeKey, "50MB", parseBytes);
    if (/^\/(dev\/(std(out|err)|fd\/\d)|proc\/self\/fd\/\d)$/.test(file) && size !== 0)
      tell(
        sizeKey,
        `supervisord can't rotate ${file} and would complain of an illegal seek at each line: ${sizeKey}=0`,
        "50MB"
      );
    if (stream === "stdout" && !/^(none|off)$/i.test(file))
      tell(fileKey, "each RESULT would be logged: stdout_logfile=NONE", "AUTO", false);
  }
}
var SHELL_WORD = /^(\|\|?|&&?|\d?>>?(&\d)?|\d?>>?\/.*|<)$/;
function readListener({ tell }, args, env) {
  try {
    const invocation = readInvocation(parseCommandLine(args, ["job", "listener"]), env);
    const { settings, environment } = invocation;
    checkCommand(invocation);
    const forShells = invocation.command.find((word) => SHELL_WORD.test(word));
    if (forShells !== void 0)
      tell("command", `no shell reads it, so ${quote(forShells)} is an argument: /bin/sh -c "\u2026"`, void 0, false);
    for (const warning of environment.warnings) tell("environment", warning, void 0, false);
    checkProcessName(env, { line: (text) => tell("process_name", text, void 0, false) });
    if (settings.crontab === void 0 || fs.existsSync(settings.crontab))
      return { settings, jobs: plannedJobs(invocation, () => defaultZone(env.TZ)) };
    tell("command", `there is no ${settings.crontab} here: its jobs are not checked`, void 0, false);
    return { settings, jobs: [] };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const { message } = error;
    tell(
      /^(TICK_|TZ:)/.test(message) ? "environment" : /^the process/.test(message) ? "process_name" : "command",
      message
    );
    return void 0;
  }
}
var knownEvents = () => [...EVENT_TYPES, "TICK", ...Object.keys(TICK_PERIODS)];
function checkEvents({ tell, read }, listener) {
  var _a2;
  const split = (text) => text === "" ? [] : text.split(",").map((name) => name.trim().toUpperCase());
  const events = read("events", "", split);
  if (events === void 0) return;
  for (const name of events.filter((event) => !knownEvents().includes(event)))
    tell("events", `supervisord has no event ${quote(name)}${suggestion(name, knownEvents())}`);
  const from = Math.floor(Date.now() / 1e3);
  const { on = [], tick: named } = (_a2 = listener == null ? void 0 : listener.settings) != null ? _a2 : {};
  const fitting = listener === void 0 ? "TICK_60" : fittingTick(listener.jobs, from);
  const others = events.filter((name) => EVENT_TYPES.includes(name));
  const fix = `events=${[...new Set([...others, ...on, named != null ? named : fitting].filter(isPresent))].join(",")}`;
  if (events.length === 0) return tell("events", `supervisord refuses an event listener without: ${fix}`);
  if (listener === void 0) return;
  const isSent = (type) => isAmong(events, type);
  const ticks = Object.keys(TICK_PERIODS).filter(isSent);
  const tick = named != null ? named : ticks.length === 1 ? ticks[0] : void 0;
  const isTooCoarse = tick !== void 0 && fitting !== void 0 && TICK_PERIODS[tick] > TICK_PERIODS[fitting];
  const needed = [...on, isTooCoarse ? void 0 : named];
  const missing = needed.filter(isPresent).filter((type) => !isSent(type));
  if (missing.length > 0) tell("events", `${listed(missing)} would never come: ${fix}`);
  else if (fitting !== void 0 && ticks.length === 0 && !isTooCoarse)
    tell("events", `no tick would ever come: ${fix}`);
  else if (fitting !== void 0 && tick === void 0)
    tell(
      "events",
      `of ${listed(ticks)} the first to come is the one that counts: add --tick ${fitting} to the command`
    );
  if (tick === void 0 || fitting === void 0) return;
  const mismatches = listener.jobs.flatMap(({ schedule }) => tickMismatches(schedule, TICK_PERIODS[tick], from));
  for (const text of new Set(mismatches))
    tell("events", isTooCoarse ? `${text}: events=${fitting} and --tick ${fitting}` : text, void 0, isTooCoarse);
}
var SUPERTICK = /(^|[^a-z])(supertick(?![a-z])|listener\.js)/;
var isListening = ([first = ""]) => !/^(init|check|simulate|status|--help|-h|--version)$/.test(first);
var unreadableCall = (text = "") => SUPERTICK.test(text) ? {} : void 0;
function supertickCall(words) {
  var _a2, _b2;
  const variables = {};
  let before = "";
  for (let i = 0; i < words.length; i++) {
    const program = words[i].split("/").pop();
    if (isSupertick(words[i])) return { args: words.slice(i + 1), variables };
    if (/^(ba|da|a|z|k)?sh$/.test(program)) {
      const at = words.findIndex((word, j) => j > i && /^-\w*c$/.test(word));
      return at < 0 ? void 0 : callInShell((_a2 = words[at + 1]) != null ? _a2 : "");
    }
    const isLauncher = /^(node(js)?|bunx?|deno|npx|env|tini|dumb-init|exec|nice)$/.test(program);
    const [, name, value] = (_b2 = /^(\w+)=(.*)$/s.exec(words[i])) != null ? _b2 : [];
    if (!isLauncher && (before === "" || !(name || /^-|^run$/.test(words[i]) || before.startsWith("-"))))
      return void 0;
    if (name) variables[name] = value;
    before = words[i];
  }
  return void 0;
}
function callByPath(words) {
  const at = words.findIndex((word) => word.startsWith("/") && isSupertick(word));
  return at < 0 ? void 0 : { args: words.slice(at + 1) };
}
function callInShell(text) {
  try {
    if (!/[$`;&|<>(){}*?~#\\\n]/.test(text.replace(/'[^']*'/g, "")))
      return supertickCall(["exec", ...splitWords(text)]);
  } catch {
    return unreadableCall(text);
  }
  const commands = text.split(/[;&|\n(){}]+/).map((command) => command.trim().split(/\s+/));
  return commands.some((words) => supertickCall(["exec", ...words])) ? {} : void 0;
}
function isSupertick(word) {
  const name = word.split("/").pop();
  const isNamed = SUPERTICK.test(name);
  if (name === "supertick" || !word.includes("/")) return isNamed;
  try {
    if (!fs.statSync(word).isFile()) return false;
    const fd = fs.openSync(word, "r");
    const start2 = readStart(fd);
    fs.closeSync(fd);
    return start2.includes("\n// supertick ");
  } catch {
    return isNamed;
  }
}
function readConfiguration(file) {
  const { dirname, resolve } = require("path");
  const here = dirname(resolve(file));
  const names = /* @__PURE__ */ new Map([
    ["here", here],
    ["host_node_name", hostName()]
  ]);
  for (const name of Object.keys(process.env)) names.set(`ENV_${name}`, process.env[name]);
  const configuration = { sections: /* @__PURE__ */ new Map(), defaults: /* @__PURE__ */ new Map(), errors: [], names };
  addFile(configuration, file);
  const include = configuration.sections.get("include");
  if (include === void 0) return configuration;
  setHere(configuration, here);
  for (const pattern of includePatterns(configuration, include)) {
    for (const name of findFiles(pattern.startsWith("/") ? pattern : `${here}/${pattern}`)) {
      addFile(configuration, name);
      setHere(configuration, resolve(dirname(name)));
    }
  }
  return configuration;
}
function addFile(configuration, file) {
  let bytes;
  try {
    bytes = fs.readFileSync(file);
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${errorCode(error)}`);
  }
  const text = bytes.toString();
  if (Buffer.from(text).equals(bytes)) readLines(configuration, file, text);
  else configuration.errors.push({ file, line: 1, message: "it is not UTF-8, and supervisord would not start" });
}
function includePatterns({ defaults, errors, names }, include) {
  var _a2;
  const files = (_a2 = include.values.get("files")) != null ? _a2 : defaults.get("files");
  try {
    if (files === void 0) throw new Error("[include] has no files=");
    return expand(files.text, names).split(BLANKS).filter(Boolean);
  } catch (error) {
    const { file, line } = files != null ? files : include;
    errors.push({ file, line, message: error.message });
    return [];
  }
}
function setHere({ sections, defaults }, here) {
  for (const values of [defaults, ...[...sections.values()].map((section) => section.values)])
    for (const value of values.values()) value.text = value.text.split("%(here)s").join(here);
}
function readLines({ sections, defaults, errors }, file, text) {
  var _a2, _b2;
  let values;
  let value;
  let indent = 0;
  const lines = text.split(/\r\n|\r|\n/);
  for (let i = 0; i < lines.length; i++) {
    const place = { file, line: i + 1 };
    const end = commentStart(lines[i]);
    const content = strip(lines[i].slice(0, end));
    const depth = lines[i].search(NO_BLANK);
    if (content === "" || value !== void 0 && depth > indent) {
      if (value !== void 0 && (content !== "" || end === Number.POSITIVE_INFINITY)) value.text += `
${content}`;
      continue;
    }
    indent = depth;
    const header = (_a2 = /^\[(.+)\]/s.exec(content)) == null ? void 0 : _a2[1];
    const [, key, rest] = (_b2 = /^(.*?)[=:](.*)$/s.exec(content)) != null ? _b2 : [];
    if (header !== void 0) {
      if (header !== "DEFAULT" && !sections.has(header)) sections.set(header, { ...place, values: /* @__PURE__ */ new Map() });
      values = header === "DEFAULT" ? defaults : sections.get(header).values;
      value = void 0;
    } else if (values === void 0) {
      errors.push({ ...place, message: `${quote(content)} stands before any [section]` });
      return;
    } else if (!key) {
      errors.push({ ...place, message: `${quote(content)} is neither a [section] nor key=value` });
    } else {
      const given = { ...place, text: strip(rest) };
      values.set(strip(key).toLowerCase(), given);
      value = given;
    }
  }
  for (const { values: values2 } of [{ values: defaults }, ...sections.values()])
    for (const value2 of values2.values()) value2.text = strip(`.${value2.text}`).slice(1);
}
function commentStart(line) {
  if (/^[;#]/.test(strip(line))) return 0;
  let found = [";", "#"].map((sign) => ({ sign, at: -1 }));
  for (; ; ) {
    found = found.map(({ sign, at }) => ({ sign, at: line.indexOf(sign, at + 1) })).filter(({ at }) => at >= 0);
    const comments = found.filter(({ at }) => {
      var _a2;
      return !NO_BLANK.test((_a2 = line[at - 1]) != null ? _a2 : " ");
    });
    if (comments.length > 0 || found.length === 0) return Math.min(...comments.map(({ at }) => at));
  }
}
function findFiles(pattern) {
  let found = [""];
  for (const part of pattern.split("/").filter(Boolean)) {
    const isPattern = /[*?[]/.test(part);
    const matches = isPattern ? globMatcher(part) : () => false;
    found = found.flatMap(
      (directory) => (isPattern ? namesIn(directory || "/").filter(matches) : [part]).map((name) => `${directory}/${name}`)
    );
  }
  return found.filter((file) => fs.existsSync(file) && !fs.statSync(file).isDirectory()).sort();
}
function globMatcher(pattern) {
  const source = pattern.replace(
    /\*+|\?|\[(!|(?!!))(\][^\]]*|[^\]]+)\]|[\s\S]/g,
    (sign, not, set) => {
      if (set !== void 0) {
        const some = set.replace(/(.)-(.)/gsu, (range, low, high) => low > high ? "" : range);
        return `[${not === "!" ? "^" : ""}${some.replace(/[\\\]^[]/g, "\\$&")}]`;
      }
      return sign[0] === "*" ? "[\\s\\S]*" : sign === "?" ? "[\\s\\S]" : sign.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
    }
  );
  const regex = new RegExp(`^${source}$`, "u");
  return (name) => regex.test(name) && (pattern[0] === "." || name[0] !== ".");
}
function expand(text, names) {
  return text.replace(/%(?:%|\(([^()]*)\)([-0 ]*)(\d*)([sdi])|)/g, (sign, name, flags, width, type) => {
    if (sign === "%%") return "%";
    if (type === void 0) throw new Error("a % begins a name such as %(here)s: write %% for the sign");
    const value = names.get(name);
    if (value === void 0 && name.startsWith("ENV_"))
      throw new Error(`${name.slice(4)} is not set here, and supervisord does not start without it`);
    if (value === void 0 || type !== "s" && typeof value === "string")
      throw new Error(`supervisord has no ${sign}: write %% for the sign`);
    if (flags.includes("-")) return String(value).padEnd(width);
    return String(value).padStart(width, type !== "s" && flags.includes("0") ? "0" : " ");
  });
}
function splitWords(text) {
  var _a2, _b2;
  const words = [];
  let isOpen = false;
  for (const [piece, blanks, single, double, escaped] of text.matchAll(
    /([ \t\r\n]+)|'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])|[^ \t\r\n'"\\]+|[\s\S]/g
  )) {
    if (/^['"\\]$/.test(piece))
      throw new Error(piece === "\\" ? "nothing stands behind the \\" : `the ${piece} is never closed`);
    if (blanks === void 0) {
      if (!isOpen) words.push("");
      words[words.length - 1] += (_b2 = (_a2 = single != null ? single : double == null ? void 0 : double.replace(/\\(["\\])/g, "$1")) != null ? _a2 : escaped) != null ? _b2 : piece;
    }
    isOpen = blanks === void 0;
  }
  return words;
}
function parseVariables(text) {
  const tokens = [];
  const pattern = /[ \t\r\n]+|#[^\n]*\n?|("[^"]*"|'[^']*'|[\w/.+\-():](?:[\w/.+\-():"']|#[^\n]*\n?)*|[\s\S])/gu;
  for (const [, token] of text.matchAll(pattern)) {
    if (token === '"' || token === "'") throw new Error(`the ${token} is never closed`);
    if (token !== void 0) tokens.push(/^["']/.test(token) ? token : token.replace(/#[^\n]*\n?/g, ""));
  }
  const variables = {};
  for (let i = 0; i < tokens.length; i += 4) {
    const [name, sign, value] = tokens.slice(i, i + 3);
    if (sign !== "=" || value === void 0)
      throw new Error(`expected NAME="value",NAME="value" near ${quote(name)}, with no such quote in a value`);
    variables[name] = value.replace(/^["']+|["']+$/g, "");
  }
  return variables;
}
function parseInteger(text) {
  if (!/^[+-]?\d+$/.test(text)) throw new Expectation("a whole number");
  return Number(text);
}
function parseBytes(text) {
  if (!/^[+-]?\d+\s*([kmg]b)?$/i.test(text)) throw new Expectation("a size such as 50MB");
  return Number.parseInt(text, 10);
}
var NO_BLANK = new RegExp(`[^${BLANK.slice(1)}`);
var BLANKS = new RegExp(`${BLANK}+`);
function strip(text) {
  const start2 = text.search(NO_BLANK);
  let end = text.length;
  while (end > start2 && !NO_BLANK.test(text[end - 1])) end--;
  return start2 < 0 ? "" : text.slice(start2, end);
}
var NONE = { outcome: "none", sign: "\u2013", colour: 90 };
var OUTCOMES = {
  success: { outcome: "success", sign: "\u2713", colour: 32 },
  failure: { outcome: "failure", sign: "\u2717", colour: 31 },
  timeout: { outcome: "timeout", sign: "\u23F1", colour: 33 },
  interrupted: { outcome: "interrupted", sign: "\u2717", colour: 31 },
  none: NONE
};
function status(args) {
  const files = args.filter((arg) => !arg.startsWith("-"));
  const { layer } = parseCommandLine(
    args.filter((arg) => arg.startsWith("-")),
    ["report"]
  );
  const now = Date.now() / 1e3;
  const reports = (files.length > 0 ? files : findStateFiles()).map((file) => reportOf(file, now));
  const isHealthy = reports.length > 0 && reports.every(isWell);
  const text = isGiven(layer, "json") ? jsonText({ healthy: isHealthy, states: reports }) : describeReports(reports, now, openTerminal());
  writeFully(1, `${text}
`);
  process.exitCode = isHealthy ? 0 : 1;
}
function findStateFiles() {
  const { TICK_STATE: named, TMPDIR: temporary = "/tmp" } = process.env;
  if (named !== void 0 && named !== "") return [named];
  const isSomeones = (name) => {
    var _a2;
    const [, uid] = (_a2 = /^supertick-(\d+)$/.exec(name)) != null ? _a2 : [];
    return uid !== void 0 && isPrivateTo(Number(uid), `${temporary}/${name}`);
  };
  const directories = namesIn(temporary).filter(isSomeones);
  return ["/var/lib/supertick", ...directories.map((name) => `${temporary}/${name}`)].flatMap(
    (directory) => namesIn(directory).filter((name) => !FURTHER_FILES.test(name)).map((name) => `${directory}/${name}`).filter(isReadableFile)
  );
}
var STALE_PERIODS = 3;
var USUAL_PERIOD_SECONDS = 60;
function reportOf(file, now) {
  const pasts = [...readJournal(new JournalFile(`${file}.runs`).read())];
  const { content, problem } = lookAtCounter(file);
  const { clock, count = 0, periodSeconds = 0 } = content != null ? content : {};
  const jobs = pasts.map(([name, past]) => jobReport(name, past, { clock, count, periodSeconds }));
  const began = Math.max(0, ...pasts.map(([, { job }]) => {
    var _a2;
    return (_a2 = job == null ? void 0 : job.at) != null ? _a2 : 0;
  }));
  const isWaiting = jobs.length > 0 && jobs.every(({ schedule }) => schedule == null ? void 0 : schedule.startsWith("on "));
  const silent = isWaiting && clock === void 0 ? void 0 : describeSilence(clock, periodSeconds, began, now);
  return {
    file,
    problem: problem != null ? problem : silent,
    lastTick: clock == null ? void 0 : clock.whenSeconds,
    period: periodSeconds || void 0,
    jobs
  };
}
function lookAtCounter(file) {
  try {
    const text = readStartOf(file);
    if (text === "") return { problem: "the file is empty" };
    const content = tryParseCounter(text);
    return content === void 0 ? { problem: `expected a count, got ${quote(text)}` } : { content };
  } catch (error) {
    return { problem: errorCode(error) === "ENOENT" ? "there is no such file" : `cannot read it: ${errorCode(error)}` };
  }
}
function describeSilence(clock, period, began, now) {
  const limit = STALE_PERIODS * (period || USUAL_PERIOD_SECONDS);
  if (clock === void 0) return now - began <= limit ? void 0 : "no tick was counted yet";
  const age = now - clock.whenSeconds;
  if (age <= limit) return void 0;
  return `the last tick was counted ${formatAge(age)} ago, ${formatTime(clock.whenSeconds)}: no listener is at work`;
}
function jobReport(name, past, ticks) {
  var _a2, _b2, _c;
  const schedule = tryReadSchedule((_a2 = past.job) == null ? void 0 : _a2.schedule, defaultZone);
  const outcomes = Object.values(OUTCOMES);
  return {
    job: name,
    schedule: schedule && describeSchedule(schedule),
    last: past.last,
    recent: [...past.recent].map((letter) => {
      var _a3;
      return ((_a3 = outcomes.find(({ outcome }) => outcome[0] === letter)) != null ? _a3 : NONE).outcome;
    }),
    failures: past.failures,
    next: schedule && nextRun(schedule, ticks, (_c = (_b2 = past.job) == null ? void 0 : _b2.delay) != null ? _c : 0),
    running: past.openRuns.flatMap(
      ({ started, finished }) => started === void 0 || finished !== void 0 ? [] : [{ run: started.run, since: started.at }]
    )
  };
}
function isWell({ problem, jobs }) {
  return problem === void 0 && jobs.every(({ last }) => last === void 0 || last.result === "success");
}
function openTerminal() {
  const { isatty } = require("tty");
  if (!isatty(1)) return { columns: Number.POSITIVE_INFINITY, isColoured: false };
  return { columns: process.stdout.columns || 80, isColoured: !process.env.NO_COLOR };
}
function describeReports(reports, now, terminal) {
  if (reports.length === 0) return "no state file was found: name it, supertick status FILE";
  const problems = reports.flatMap(
    ({ file, problem }) => problem === void 0 ? [] : [`${jsonText(file).slice(1, -1)}: ${problem}`]
  );
  const jobs = reports.flatMap((report) => report.jobs);
  if (jobs.length === 0) return problems.length > 0 ? problems.join("\n") : "no job has been recorded yet";
  const isWide = terminal.columns >= WIDE_COLUMNS;
  const head = ["JOB", "LAST RUN", "SECONDS", "LAST 20", "FAILED", "NEXT"].map((text) => ({
    text,
    isRight: text === "SECONDS" || text === "FAILED",
    isNewestLast: text === "LAST 20"
  }));
  const table = [head, ...jobs.map((job) => tableRow(job, now, isWide, terminal.isColoured))];
  return [...layOut(table, terminal.columns), ...problems].join("\n");
}
var WIDE_COLUMNS = 110;
function tableRow(job, now, isWide, isColoured) {
  const painted = (colour) => (text) => isColoured ? `\x1B[${colour}m${text}\x1B[0m` : text;
  const { last, recent, failures, running } = job;
  const when = last === void 0 ? "" : `${formatAge(now - last.at)} ago`;
  const exactly = last !== void 0 && isWide ? `, ${formatTime(Math.floor(last.at))}` : "";
  const signs = recent.map((outcome) => OUTCOMES[outcome].sign).join("");
  const paintSign = (sign) => {
    var _a2;
    return painted(((_a2 = Object.values(OUTCOMES).find((outcome) => outcome.sign === sign)) != null ? _a2 : NONE).colour)(sign);
  };
  return [
    { text: quote(job.job).slice(1, -1) },
    last === void 0 ? { text: "none yet" } : { text: `${last.result} ${when}${exactly}`, paint: painted(OUTCOMES[last.result].colour) },
    { text: last === void 0 ? "" : last.seconds.toFixed(1), isRight: true },
    { text: signs, isNewestLast: true, paint: (text) => [...text].map(paintSign).join("") },
    { text: String(failures), isRight: true, paint: failures > 0 ? painted(OUTCOMES.failure.colour) : void 0 },
    { text: describeNext(job, now, isWide) + (running.length > 0 ? describeRunning(running, now) : "") }
  ];
}
function describeNext({ next, running }, now, isWide) {
  if (running.length > 0 && !isWide) return "";
  if (next === void 0) return isWide && running.length > 0 ? "" : "\u2013";
  const words = next > now ? `in ${formatAge(next - now)}` : "now";
  return isWide ? `${words}, ${formatTime(next)}${running.length > 0 ? "; " : ""}` : words;
}
function describeRunning(running, now) {
  const [oldest] = running;
  const more = running.length > 1 ? ` (${running.length})` : "";
  return `running ${formatAge(now - oldest.since)}${more}`;
}
function formatAge(seconds) {
  var _a2;
  const whole = Math.max(0, Math.round(seconds));
  const [unit, size] = (_a2 = DURATION_UNITS.find(([name, size2]) => name !== "w" && whole >= size2)) != null ? _a2 : ["s", 1];
  return `${Math.floor(whole / size)}${unit}`;
}
var MIN_NAME_COLUMNS = 8;
var MIN_RESULT_COLUMNS = 7;
function layOut(table, columns) {
  const widths = table[0].map((_, i) => Math.max(...table.map((row) => displayWidth(row[i].text))));
  const fit = (column, least) => {
    const all = widths.reduce((sum, width) => sum + width + COLUMN_GAP.length, -COLUMN_GAP.length);
    widths[column] = Math.min(widths[column], Math.max(least, widths[column] - (all - columns)));
  };
  fit(0, MIN_NAME_COLUMNS);
  fit(
    table[0].findIndex(({ isNewestLast }) => isNewestLast),
    MIN_RESULT_COLUMNS
  );
  return table.map(
    (row) => row.map(({ text, isRight, isNewestLast, paint = (plain) => plain }, i) => {
      const shown = isNewestLast ? [...text].slice(-widths[i]).join("") : shorten(text, widths[i]);
      const blanks = " ".repeat(widths[i] - displayWidth(shown));
      return isRight ? blanks + paint(shown) : paint(shown) + blanks;
    }).join(COLUMN_GAP).trimEnd()
  );
}
var COLUMN_GAP = "  ";
function shorten(text, columns) {
  if (displayWidth(text) <= columns) return text;
  const characters = [...text];
  while (displayWidth(characters.join("")) > columns - 1) characters.pop();
  return `${characters.join("")}\u2026`;
}
var WIDE_CHARACTER = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\ud83c-\ud83e][\udc00-\udfff]/g;
function displayWidth(text) {
  var _a2;
  const shown = text.replace(new RegExp("\\p{Mn}|\\p{Me}", "gu"), "");
  return [...shown].length + ((_a2 = shown.match(WIDE_CHARACTER)) != null ? _a2 : []).length;
}
function commandLineWords() {
  const words = process.argv.slice(2);
  if (!isBun) return words;
  const all = tryReadFile("/proc/self/cmdline").split("\0").slice(0, -1);
  return all[all.length - words.length - 1] === "--" ? ["--", ...words] : words;
}
function main() {
  const args = commandLineWords();
  const options = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
  try {
    if (options.includes("--help") || options.includes("-h")) writeFully(1, helpText());
    else if (options.includes("--version")) writeFully(1, `supertick ${"0.1.0"}
`);
    else if (args[0] === "init") init(args.slice(1));
    else if (args[0] === "check") check(args.slice(1));
    else if (args[0] === "status") status(args.slice(1));
    else if (args[0] === "simulate") simulate(args.slice(1));
    else startListener(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    try {
      writeFully(2, `supertick: ${error.message}
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
  : import("module").then((builtin) => supertick(builtin.createRequire("/"), { exports: {} }).main());
