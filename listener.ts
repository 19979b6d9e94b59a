// supertick: cron for supervisord, in one file.
//
// supervisord starts this program as an event listener and sends it ticks over stdin. The life of one tick:
//
//   bytes      stdin brings "ver:3.0 … eventname:TICK_60 len:15\nwhen:1700000040"
//   event      the reader cuts the bytes into one event
//   window     a tick that was counted before is ignored; any other one opens the window (last tick, this tick]
//   due?       the schedule says whether a due time lies in that window
//   journal    a run that is about to start is written down, and synced
//   counter    the count and the tick are written to the counter file
//   answer     "RESULT 2\nOKREADY\n" goes to stdout: at once, whatever the run will do
//   run        the command is started in a session of its own, watched, and its result is told
//
// The map. Start reading at `startListener`, or at `JobRunner.onTick` if you want to know why a job did not run. What
// stands above the double line is pure.
//
//   Event listener protocol    bytes in, events out
//   Ticks and windows          which ticks count, and the stretch of time that each of them decides
//   Schedules                  durations, ticks, slices, cron; dueTime
//   Cron expressions           the text, the calendar, time zones, due times, and all that in words
//   Job policy                 what a due run does to the runs in progress: a state machine
//   Settings                   ONE table of options for flags, environment, defaults, validation and --help
//   Jobs                       what is configured
//   Crontab                    many jobs from one text; whose past belongs to which job
//   ═══ the outside world ═══
//   Log                        stderr, our lines and the commands', without ever blocking on it
//   Processes                  who is alive; the commands that are run
//   Pings                      a service that watches over the job
//   Supervisord's pipes        events in, answers out
//   Files                      opened with care, for their names are known to all
//   Counter file               the count and the last tick, whole at every instant
//   Run journal                what was started and how it ended
//   Turns                      what the runners of the jobs share; in which order commands start
//   Runs of a job              the only place where what the policy asks for is performed
//   Job runner                 one job: what makes it due, and what the journal knows of it
//   Crontab file               where the jobs come from when there are many, and when it is read again
//   Roster                     all runners: each with its past, kept when the crontab changes; which of them see a tick
//   Listener                   events in, answers out, and what a tick means for each job
//   Start                      from the command line to a listener that is ready
//   simulate                   a supervisord for the newcomer
//   init                       the section for supervisord.conf
//   check                      what will happen, in words
//   check supervisord.conf     what is wrong with its sections that run supertick
//   supervisord.conf           how supervisord reads it
//   status                     what has happened
//   main
//
// Two rules. Stdout belongs to supervisord: nothing but READY and RESULT is ever written to it, or supervisord stops
// talking to us for good. And above the line that says so there is no clock, no file and no process.

import fs = require("fs");

declare const SUPERTICK_VERSION: string;

// ── Event listener protocol ─────────────────────────────────────────────────
// What supervisord sends: a header line, then a payload whose length the header gives. It sends the next event only
// after READY, so at most one is ever outstanding.
// To use more of an event: extend SupervisorEvent and parseHeader; to read another payload, add a parser beside parseTick.

/** One event as supervisord sent it. */
export interface SupervisorEvent {
  /** `eventname`: TICK_60, REMOTE_COMMUNICATION, PROCESS_STATE_FATAL, … */
  readonly name: string;
  /** `serial`: rises with every event of one supervisord. */
  readonly serial: number;
  /** Empty for a payload of more than 1 MiB: that is read and dropped. */
  readonly payload: string;
}

/** What arrived is not what supervisord sends. The message says what it was. */
export class ProtocolError extends Error {}

/** Said once, when the listener can take its first event. */
export const READY = "READY\n";
/** The answer to an event, and the readiness for the next one. Never FAIL: supervisord would resend the event at once. */
export const ANSWER = "RESULT 2\nOKREADY\n";

const MAX_HEADER_BYTES = 64 * 1024;
const MAX_PAYLOAD_LENGTH = 2 ** 31;
const MAX_KEPT_PAYLOAD_BYTES = 1024 * 1024;

/** Cuts the byte stream from supervisord into events. */
interface EventReader {
  /**
   * Takes the next bytes, one character each (latin1): strings cost a tick less than buffers. Returns the event that
   * they complete.
   * @throws ProtocolError on a line that is no header, a line over 64 KiB, a length over 2^31
   */
  push(bytes: string): SupervisorEvent | undefined;
  /** Is the payload complete if its length counts bytes, and incomplete if it counts code points? */
  isAmbiguous(): boolean;
  /** To be called when an ambiguous payload got no more bytes for 100 ms: then its length counted bytes. */
  settle(): SupervisorEvent;
}

export function createEventReader(): EventReader {
  let line = "";
  let header: EventHeader | undefined;
  const payload = createPayloadReader();
  let isStrayLineAllowed = false;

  // Returns what follows the line.
  function readHeader(bytes: string): string {
    const newline = bytes.indexOf("\n");
    line += newline < 0 ? bytes : bytes.slice(0, newline);
    if (line.length > MAX_HEADER_BYTES) throw new ProtocolError(`a line of more than 64 KiB: ${quoteBytes(line)}`);
    if (newline < 0) return "";
    header = parseHeader(line);
    if (header !== undefined) payload.begin(header.length);
    else if (!isStrayLineAllowed) throw new ProtocolError(`a line that is no event header: ${quoteBytes(line)}`);
    line = "";
    isStrayLineAllowed = false;
    return bytes.slice(newline + 1);
  }

  function complete({ name, serial }: EventHeader): SupervisorEvent {
    header = undefined;
    return { name, serial, payload: payload.text() };
  }

  return {
    push(bytes) {
      let rest = bytes;
      while (header === undefined) {
        if (rest === "") return undefined;
        rest = readHeader(rest);
      }
      const dropped = payload.push(rest);
      if (!payload.isComplete()) return undefined;
      isStrayLineAllowed = dropped > 0;
      return complete(header);
    },
    isAmbiguous: () => header !== undefined && payload.isAmbiguous(),
    settle() {
      isStrayLineAllowed = true;
      return complete(header!);
    },
  };
}

interface EventHeader {
  readonly name: string;
  readonly serial: number;
  readonly length: number;
}

// ver:3.0 server:ANY TEXT serial:21 pool:NAME poolserial:10 eventname:TICK_60 len:15
// The server's name is free text, with spaces and colons too: so the line is read from the right.
function parseHeader(line: string): EventHeader | undefined {
  const tail = / eventname:([A-Z][A-Z0-9_]*) len:(\d+)$/.exec(line);
  if (tail === null) return undefined;
  const poolserialAt = line.lastIndexOf(" poolserial:", tail.index);
  const serialAt = line.lastIndexOf(" serial:", poolserialAt);
  if (poolserialAt < 0 || serialAt < 0) return undefined;
  const serial = /^\d{1,15}(?= )/.exec(line.slice(serialAt + " serial:".length));
  const length = Number(tail[2]);
  if (serial === null) return undefined;
  if (length > MAX_PAYLOAD_LENGTH) throw new ProtocolError(`an event that is too long: ${quoteBytes(line.slice(-80))}`);
  return { name: tail[1], serial: Number(serial[0]), length };
}

// `len` counts bytes (supervisor 3, Go) or code points (supervisor 4 on Python 3); the header does not say which. For
// ASCII it is the same. Else: more bytes than `len` mean code points; exactly `len` bytes may be either, so the caller
// waits for more, and if none come they were bytes. What follows the last code point belongs to no event: it is dropped.
function createPayloadReader() {
  let length = 0;
  let kept = "";
  let byteCount = 0;
  let codePoints = 0;
  let owedBytes = 0; // continuation bytes that the last code point still lacks

  return {
    begin(expected: number): void {
      length = expected;
      kept = "";
      byteCount = codePoints = owedBytes = 0;
    },
    /** Returns how many bytes were dropped behind the payload. */
    push(bytes: string): number {
      let end = 0;
      for (; end < bytes.length; end++) {
        const byte = bytes.charCodeAt(end);
        if (owedBytes > 0 && (byte & 0xc0) === 0x80) {
          owedBytes--;
        } else {
          if (codePoints === length) break;
          codePoints++;
          owedBytes = byte < 0xc0 ? 0 : byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
        }
      }
      if (end < bytes.length) owedBytes = 0;
      byteCount += end;
      kept = byteCount > MAX_KEPT_PAYLOAD_BYTES ? "" : kept + bytes.slice(0, end);
      return bytes.length - end;
    },
    isComplete: () => codePoints === length && owedBytes === 0,
    isAmbiguous: () => byteCount === length,
    text: () => decodeUtf8(kept),
  };
}

function decodeUtf8(bytes: string): string {
  return /^[\x00-\x7f]*$/.test(bytes) ? bytes : Buffer.from(bytes, "latin1").toString("utf8");
}

/** The text of a REMOTE_COMMUNICATION event: `type:TYPE`, a newline, then the data. */
function parseRemoteCommunication(payload: string): { type: string; data: string } {
  const newline = payload.indexOf("\n");
  const head = newline < 0 ? payload : payload.slice(0, newline);
  return { type: head.replace(/^type:/, ""), data: newline < 0 ? "" : payload.slice(newline + 1) };
}

// Text of other people's, here and in all other sections:

/** Somebody else's text for a message of ours: quoted, cut, and with everything escaped that a terminal could act on. */
export function quote(text: string): string {
  return jsonText(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

/** JSON in which everything is escaped that a terminal could act on. */
function jsonText(value: unknown): string {
  return escapeUnsafe(JSON.stringify(value));
}

/** Escapes what a terminal could act on, but for the first 32 characters: those JSON, or the caller, has escaped. */
function escapeUnsafe(text: string): string {
  return text.replace(/[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, escapeCodeUnit);
}

function escapeCodeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Quotes what supervisord sent (latin1). */
function quoteBytes(bytes: string): string {
  return quote(decodeUtf8(bytes.slice(0, 400)));
}

// ── Ticks and windows ───────────────────────────────────────────────────────
// Which ticks count, and the stretch of time (after, upTo] that each of them decides. Half-open, so that no second is
// decided twice. No machine clock: the ticks bring the time.
//
// A clock set back: supervisord sends an extra tick with an older `when`, and later the same times again. That tick
// moves us back and makes nothing due by itself. Then, back by at most two periods: nothing is due again. Further back:
// everything goes on in the new time, but a fixed cron job ("30 2 * * *") waits for its next time if the clock went back
// by less than three hours. A clock set forward is the same thing as a pause.

/** The seconds between two ticks of each type. */
export const TICK_PERIODS: Readonly<Record<string, number | undefined>> = { TICK_5: 5, TICK_60: 60, TICK_3600: 3600 };

const USUAL_TICK = "TICK_60"; // where none is named

/** One tick. `whenSeconds`: epoch seconds, a multiple of the period. */
export interface Tick {
  readonly serial: number;
  readonly whenSeconds: number;
  readonly periodSeconds: number;
}

/** What is remembered of the ticks that were counted, also across a restart of the listener. Epoch seconds. */
export interface TickClock {
  /** The last tick counted. */
  readonly whenSeconds: number;
  readonly serial: number;
  /** Up to here everything was decided: nothing is due again at or before it. */
  readonly decidedSeconds: number;
  /** The same for fixed cron jobs. */
  readonly fixedDecidedSeconds: number;
  /** Read from the counter file, and no tick was counted since. */
  readonly isRestored: boolean;
  /** It was another supervisord that sent that tick (or we can't tell): its serials say nothing about this one's. */
  readonly isForeign?: boolean;
}

/** The times that one tick decides: (after, upTo], or (fixedAfter, upTo] for fixed cron jobs. May be empty. */
interface Window {
  readonly after: number;
  readonly fixedAfter: number;
  readonly upTo: number;
}

/** A tick that counts: the window it decides, and by how many seconds the clock was set back. */
interface CountedTick {
  readonly clock: TickClock;
  readonly window: Window;
  readonly setBackSeconds: number;
}

/**
 * Reads a TICK event. Python's supervisord sends the start of the period, the Go one raw seconds.
 * @returns undefined where the event is no tick or its payload says no time
 */
export function parseTick(event: SupervisorEvent): Tick | undefined {
  const periodSeconds = TICK_PERIODS[event.name];
  const when = /^when:(\d{1,12})(?!\d)/.exec(event.payload);
  if (periodSeconds === undefined || when === null) return undefined;
  const whenSeconds = Math.floor(Number(when[1]) / periodSeconds) * periodSeconds;
  return { serial: event.serial, whenSeconds, periodSeconds };
}

// The same event can come again: a neighbour of the same priority that answers FAIL gets its event put into our pool
// too, and after our own restart supervisord delivers again what we did not answer. After a restart the serial alone
// does not tell, for supervisord may have been restarted too and begun anew: a later `when` is always new.
function wasCounted(clock: TickClock, { serial, whenSeconds }: Tick): boolean {
  if (!clock.isRestored) return serial <= clock.serial;
  if (clock.isForeign) return serial === clock.serial && whenSeconds === clock.whenSeconds;
  return serial <= clock.serial && whenSeconds <= clock.whenSeconds;
}

/** After a clock was set back by less than this, fixed cron jobs wait for their next time. */
const FIXED_JOBS_WAIT_SECONDS = 3 * 3600;

/** The window of a tick before which nothing was decided: one period. */
function windowOf({ whenSeconds, periodSeconds }: Tick): Window {
  const after = whenSeconds - periodSeconds;
  return { after, fixedAfter: after, upTo: whenSeconds };
}

/**
 * Counts a tick; undefined if it was counted before. Its window begins where everything was decided, however long ago that
 * is: a pause, a restart and a clock set forward are all one long window. One that was set back makes it empty.
 */
export function countTick(clock: TickClock | undefined, tick: Tick): CountedTick | undefined {
  const when = tick.whenSeconds;
  if (clock === undefined) {
    const first = { whenSeconds: when, serial: tick.serial, decidedSeconds: when, fixedDecidedSeconds: when };
    return { clock: { ...first, isRestored: false }, window: windowOf(tick), setBackSeconds: 0 };
  }
  if (wasCounted(clock, tick)) return undefined;
  const setBackSeconds = Math.max(0, clock.whenSeconds - when);
  const decided = setBackSeconds <= 2 * tick.periodSeconds ? clock.decidedSeconds : when;
  const fixedDecided = setBackSeconds < FIXED_JOBS_WAIT_SECONDS ? clock.fixedDecidedSeconds : when;
  return {
    clock: {
      whenSeconds: when,
      serial: tick.serial,
      decidedSeconds: Math.max(decided, when),
      fixedDecidedSeconds: Math.max(fixedDecided, when),
      isRestored: false,
    },
    window: { after: decided, fixedAfter: fixedDecided, upTo: when },
    setBackSeconds,
  };
}

// ── Schedules ───────────────────────────────────────────────────────────────
// When is a job due? Pure arithmetic over the epoch seconds that supervisord sends.
// To add a kind: extend Schedule, then each switch over it that the compiler finds lacking, tryReadSchedule, the option that
// makes it, and the tables in test/schedule.test.ts.

export type Schedule =
  /** On every Nth tick counted. The count restarts with each run, or goes on (`isOfAll`) where several jobs share it. */
  | { readonly kind: "ticks"; readonly every: number; readonly isOfAll?: boolean }
  /** Once in every slice of time; slices begin at multiples of `everySeconds` since the epoch, plus the offset. */
  | { readonly kind: "slices"; readonly everySeconds: number; readonly offsetSeconds: number }
  /** At the times of a cron expression; one that was missed by no more than `catchUpSeconds` is made up for. */
  | { readonly kind: "cron"; readonly cron: CronExpression; readonly zone: Zone; readonly catchUpSeconds: number }
  /** On events of these types of supervisord's; no tick makes it due. */
  | { readonly kind: "events"; readonly names: readonly string[] }
  /** When the listener starts; no tick makes it due. */
  | { readonly kind: "start" };

/**
 * The due time, in epoch seconds, that the tick with this count and window brings; undefined if there is none.
 * Several due times in one window are one run, for the latest.
 */
export function dueTime(schedule: Schedule, count: number, window: Window): number | undefined {
  switch (schedule.kind) {
    case "ticks":
      return isGoalReached(schedule, count) ? window.upTo : undefined;
    case "slices": {
      const start = sliceStart(schedule, window.upTo);
      return start > window.after ? start : undefined;
    }
    case "cron": {
      const { cron, zone } = schedule;
      return dueTimes(cron, zone, cronAfter(cron, window), window.upTo).latest;
    }
    case "events":
    case "start":
      return undefined;
  }
}

/** In epoch seconds: no tick before this makes it due, all up to `from` being decided. 0: any may; Infinity: none. */
export function notDueBefore(schedule: Schedule, from: number): number {
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

type TickSchedule = Schedule & { kind: "ticks" };

function isGoalReached({ every, isOfAll }: TickSchedule, count: number): boolean {
  return isOfAll ? count > 0 && count % every === 0 : count >= every;
}

/** How many more ticks must be counted; at least one, as what the last tick made due has been decided. */
function ticksToGo({ every, isOfAll }: TickSchedule, count: number): number {
  return isOfAll ? every - (count % every) : Math.max(1, every - count);
}

function cronAfter(cron: CronExpression, window: Window): number {
  return cron.isFixed ? window.fixedAfter : window.after;
}

/**
 * What becomes of a due time that a tick brings. One of the last two periods is always run for: a tick may have been lost.
 * An older one was missed in a pause, a restart or a stopped container; a cron job makes up for it only so long.
 */
export function judgeDueTime(
  schedule: Schedule,
  due: number,
  upTo: number,
  periodSeconds: number,
): "schedule" | "catch-up" | "missed" {
  if (schedule.kind !== "cron" || due > upTo - 2 * periodSeconds) return "schedule";
  return upTo - due <= schedule.catchUpSeconds ? "catch-up" : "missed";
}

/** The clock as if that window had not been decided yet. */
function withUndecided(clock: TickClock, { after, fixedAfter }: Window): TickClock {
  return { ...clock, decidedSeconds: after, fixedDecidedSeconds: fixedAfter };
}

/** The window of a job whose runs come so much later than they are due. */
function delayWindow({ after, fixedAfter, upTo }: Window, seconds: number): Window {
  return { after: after - seconds, fixedAfter: fixedAfter - seconds, upTo: upTo - seconds };
}

/** How many due times the window holds, counted up to 1,001. */
export function countDueTimes(schedule: Schedule, window: Window): number {
  if (schedule.kind !== "cron") return 1;
  return dueTimes(schedule.cron, schedule.zone, cronAfter(schedule.cron, window), window.upTo).count;
}

/** The next `count` due times after `from`, in epoch seconds; none for a schedule that counts ticks. */
function nextDueTimes(schedule: Schedule, from: number, count: number): number[] {
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

/** The count after a tick: it restarts with the run that it brings, as in the script that supertick replaces. */
export function countAfter(schedule: Schedule, count: number): number {
  return schedule.kind === "ticks" && !schedule.isOfAll && isGoalReached(schedule, count) ? 0 : count;
}

/** The ticks so far. */
interface TickFacts {
  readonly clock: TickClock | undefined;
  readonly count: number;
  /** 0 where it is not known. */
  readonly periodSeconds: number;
}

/**
 * When the next run starts, in epoch seconds; undefined where that is not known.
 * @param delaySeconds by which each run comes later than it is due: whole periods of it move the tick that brings the run,
 * and the rest is waited for after that tick
 */
function nextRun(
  schedule: Schedule,
  { clock, count, periodSeconds }: TickFacts,
  delaySeconds: number,
): number | undefined {
  if (clock === undefined || periodSeconds === 0) return undefined;
  if (schedule.kind === "ticks") return clock.whenSeconds + ticksToGo(schedule, count) * periodSeconds;
  const rest = delaySeconds % periodSeconds;
  const shift = delaySeconds - rest;
  const [due] = nextDueTimes(schedule, clock.decidedSeconds - shift, 1);
  return due === undefined ? undefined : Math.ceil((due + shift) / periodSeconds) * periodSeconds + rest;
}

function sliceStart(slices: { everySeconds: number; offsetSeconds: number }, at: number): number {
  return Math.floor((at - slices.offsetSeconds) / slices.everySeconds) * slices.everySeconds + slices.offsetSeconds;
}

/** Does the job run on this event? */
function isListenedTo(schedule: Schedule, eventName: string): boolean {
  return schedule.kind === "events" && isAmong(schedule.names, eventName);
}

/** Does a list of events name this one? An abstract type means all of its kind: PROCESS_STATE also PROCESS_STATE_FATAL. */
function isAmong(eventNames: readonly string[], wanted: string): boolean {
  return eventNames.some((name) => name === "EVENT" || name === wanted || wanted.startsWith(`${name}_`));
}

/**
 * A delay in [0, limit) that is always the same for the same key: it spreads the jobs of many hosts without chance.
 */
export function stableDelay(key: string, limitSeconds: number): number {
  return limitSeconds === 0 ? 0 : hash32(key) % limitSeconds;
}

/** FNV-1a. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** The largest delay, up to a limit, that can't reach the next due time, looking at the next hundred. */
export function longestDelay(schedule: Schedule, from: number, limit: number): number {
  if (limit <= leastGap(schedule)) return limit; // a hundred due times of a thousand jobs would take seconds
  const dues = nextDueTimes(schedule, from, 100);
  return dues.slice(1).reduce((shortest, due, i) => Math.min(shortest, due - dues[i]), limit);
}

// Two due times are never closer, whatever the clock is set to; that it skips a whole day is in the past of a few zones.
function leastGap(schedule: Schedule): number {
  if (schedule.kind !== "cron") return 0;
  const [second, minute, hour] = schedule.cron.text.split(" ");
  if (second !== "0") return 0;
  return /^\d+$/.test(minute) && /^\d+$/.test(hour) ? 20 * 3600 : 60;
}

/** The schedule in words: "every 5 ticks", "every 1h30m". */
export function describeSchedule(schedule: Schedule): string {
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

/** A schedule as the run journal keeps it. A zone is left out where the process's own clock is meant. */
type ScheduleRecord =
  | { readonly ticks: number; readonly ofAll?: boolean }
  | { readonly every: number; readonly offset: number }
  | { readonly cron: string; readonly tz?: string }
  | { readonly on: readonly string[] }
  | { readonly start: true };

export function scheduleRecord(schedule: Schedule): ScheduleRecord {
  switch (schedule.kind) {
    case "ticks":
      return { ticks: schedule.every, ofAll: schedule.isOfAll };
    case "slices":
      return { every: schedule.everySeconds, offset: schedule.offsetSeconds };
    case "cron":
      return { cron: schedule.cron.text, tz: schedule.zone.name === LOCAL_TIME ? undefined : schedule.zone.name };
    case "events":
      return { on: schedule.names };
    case "start":
      return { start: true };
  }
}

/** What scheduleRecord has made of a schedule → the schedule; undefined for anything else. */
function tryReadSchedule(record: unknown, localZone: () => Zone): Schedule | undefined {
  const { ticks, ofAll, every, offset, cron, tz, on, start } = Object(record) as { [key: string]: unknown };
  try {
    if (Number.isInteger(ticks)) return { kind: "ticks", every: Number(ticks), isOfAll: ofAll === true };
    if (Number.isInteger(every) && Number.isInteger(offset) && Number(every) > 0)
      return { kind: "slices", everySeconds: Number(every), offsetSeconds: Number(offset) };
    if (Array.isArray(on)) return { kind: "events", names: on.map(String) };
    if (start === true) return { kind: "start" };
    if (typeof cron !== "string") return undefined;
    const zone = tz === undefined ? localZone() : zoneNamed(String(tz));
    return { kind: "cron", cron: parseCron(cron), zone, catchUpSeconds: 0 };
  } catch {
    return undefined;
  }
}

/** Why this schedule cannot be met exactly on ticks of that period, seen from a time; empty if it can. */
export function tickMismatches(schedule: Schedule, periodSeconds: number, from: number): string[] {
  if (schedule.kind === "cron") return tickWarnings(schedule.cron, schedule.zone, from, periodSeconds);
  if (schedule.kind !== "slices") return [];
  if (schedule.everySeconds % periodSeconds === 0 && schedule.offsetSeconds % periodSeconds === 0) return [];
  const tick = `a tick every ${formatDuration(periodSeconds)}`;
  if (schedule.everySeconds < periodSeconds)
    return [`${describeSchedule(schedule)} is finer than ${tick}: due times between two ticks are one run`];
  return [`${describeSchedule(schedule)} does not fit ${tick}; each run comes with the first tick after its due time`];
}

const DURATION_UNITS: ReadonlyArray<readonly [string, number]> = [
  ["w", 604800],
  ["d", 86400],
  ["h", 3600],
  ["m", 60],
  ["s", 1],
];

// duration = seconds | [weeks "w"] [days "d"] [hours "h"] [minutes "m"] [seconds "s"], each a whole number
const DURATION = /^(?:(\d+)|(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?)$/;
const MAX_DURATION_SECONDS = Math.floor(Number.MAX_SAFE_INTEGER / 1000);

/**
 * Seconds of a duration such as 90, 90s, 5m, 1h30m, 2d, 1w.
 * @throws Expectation
 */
export function parseDuration(text: string): number {
  const match = DURATION.exec(text.trim());
  if (match === null || match[0] === "") throw new Expectation("a duration such as 30s, 5m or 1h30m");
  const [, bare, ...parts] = match;
  const seconds = bare !== undefined ? Number(bare) : sumDuration(parts);
  if (seconds > MAX_DURATION_SECONDS) throw new Expectation(`a duration of at most ${MAX_DURATION_SECONDS}s`);
  return seconds;
}

function sumDuration(parts: Array<string | undefined>): number {
  return parts.reduce((sum, part, i) => sum + Number(part ?? 0) * DURATION_UNITS[i][1], 0);
}

/** 5400 → "1h30m"; 0 → "0s". */
export function formatDuration(seconds: number): string {
  let rest = seconds;
  let text = "";
  for (const [unit, size] of DURATION_UNITS) {
    if (unit === "w" && seconds % size !== 0) continue; // "10d" reads better than "1w3d"
    const n = Math.floor(rest / size);
    if (n > 0) text += `${n}${unit}`;
    rest -= n * size;
  }
  return text || "0s";
}

/** Epoch seconds as 2025-11-24T10:05:00Z. */
export function formatTime(epochSeconds: number): string {
  return new Date(epochSeconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");
}

// ── Cron expressions: the text ──────────────────────────────────────────────
// What may be written, and the sets that it becomes. When those are due is the next section's matter.
//
//   expression = [second] minute hour day-of-month month day-of-week     separated by spaces or tabs
//              | "@hourly" | "@daily" | …                                see MACROS
//   field      = item {"," item}
//              | "?"                                  day fields only: the same as "*"
//   item       = ("*" | value ["-" value]) ["/" step]
//              | "L" | "LW" | day "W"                 day-of-month: the last day, the last of Monday to Friday,
//                                                     the one of Monday to Friday that is nearest to a day
//              | weekday "L" | weekday "#" nth        day-of-week: the month's last such day, its nth one (1 to 5)
//   value      = digits | name                        JAN to DEC, SUN to SAT, in any case; Sunday is 0 and 7
//
// v/n goes on to the field's end, as v-max/n. A range up to Sunday ends at 7, so FRI-SUN and 5-0 are legal.
// To add a field or a name: CRON_FIELDS. To say more about a mistake: SYNTAX_HINTS.

type CronField = {
  readonly name: string;
  readonly low: number;
  readonly high: number;
  readonly size: number; // different values: both 0 and 7 are Sunday
  readonly cycle: string; // what begins anew when the field wraps
  readonly everyUnit: string; // the unit in which --every counts the same steps, "" where it has none
  readonly names: readonly string[]; // of low, low + 1, …
};

const MONTHS = "January February March April May June July August September October November December".split(" ");
const WEEKDAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");
const threeLetters = (name: string) => name.slice(0, 3).toUpperCase();

const CRON_FIELDS: readonly CronField[] = [
  { name: "second", low: 0, high: 59, size: 60, cycle: "minute", everyUnit: "s", names: [] },
  { name: "minute", low: 0, high: 59, size: 60, cycle: "hour", everyUnit: "m", names: [] },
  { name: "hour", low: 0, high: 23, size: 24, cycle: "day", everyUnit: "h", names: [] },
  { name: "day-of-month", low: 1, high: 31, size: 31, cycle: "month", everyUnit: "d", names: [] },
  { name: "month", low: 1, high: 12, size: 12, cycle: "year", everyUnit: "", names: MONTHS.map(threeLetters) },
  { name: "day-of-week", low: 0, high: 7, size: 7, cycle: "week", everyUnit: "d", names: WEEKDAYS.map(threeLetters) },
];

const MACROS: { readonly [macro: string]: string } = {
  "@hourly": "0 * * * *",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@weekly": "0 0 * * 0",
  "@monthly": "0 0 1 * *",
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
};

/** Members 0 to 31 are the bits of the first number, 32 to 63 those of the second. */
type BitSet = readonly [number, number];

type CronExpression = {
  readonly text: string; // six fields, one blank between them, macros spelled out
  readonly isFixed: boolean; // neither the minute nor the hour begins with "*": see the daylight saving rules
  readonly needsBothDays: boolean; // else a day that matches either day field suffices
  readonly seconds: BitSet;
  readonly minutes: BitSet;
  readonly hours: BitSet;
  readonly months: number; // bit m: month m
  readonly days: number; // bit d: day d; bit 0: the last day (L)
  readonly nearestWeekdays: number; // bit d: dW; bit 0: LW
  readonly weekdays: readonly number[]; // [n], bit w: the nth w of the month; [0]: its last w; a plain w is in 1 to 5
};

type CronItem =
  | { readonly is: "values"; readonly values: readonly number[] }
  | { readonly is: "day"; readonly day: number } // L: 0
  | { readonly is: "nearest-weekday"; readonly day: number } // LW: 0
  | { readonly is: "nth-weekday"; readonly weekday: number; readonly nth: number }; // wL: 0

/** Throws an Error that names the field, quotes what stands there and says what was expected. */
export function parseCron(text: string): CronExpression {
  const fields = splitCron(text);
  const sets = fields.map(fieldSets);
  const day = sets[3];
  const cron: CronExpression = {
    text: fields.join(" "),
    isFixed: !fields[1].startsWith("*") && !fields[2].startsWith("*"),
    needsBothDays: /^[*?]/.test(fields[3]) || /^[*?]/.test(fields[5]),
    seconds: fields[0] === "0" ? WHOLE_MINUTES : sets[0].values,
    minutes: sets[1].values,
    hours: sets[2].values,
    months: sets[4].values[0],
    days: day.values[0],
    nearestWeekdays: day.nearestWeekdays,
    weekdays: sets[5].weekdays,
  };
  // A day up to the 29th is in every month now and then, unless weekdays are chosen too.
  const isSurelyMet = (cron.days & 0x3ffffffe) !== 0 && fields[5] === "*";
  if (!isSurelyMet && firstDay(cron, 0, DAYS_IN_400_YEARS) === Infinity) {
    throw new Error(`expression ${quote(text)} never matches: its months have no such day`);
  }
  return cron;
}

const WHOLE_MINUTES: BitSet = [1, 0];

interface FieldSets {
  readonly values: BitSet;
  readonly nearestWeekdays: number;
  readonly weekdays: readonly number[];
}

const knownFields = CRON_FIELDS.map(() => new Map<string, FieldSets>()); // the lines of a crontab have few different ones
const MAX_KNOWN_FIELDS = 100;

function fieldSets(text: string, index: number): FieldSets {
  const known = knownFields[index];
  let sets = known.get(text);
  if (sets === undefined) {
    const items = parseField(CRON_FIELDS[index], text);
    const nearest = (bits: number, item: CronItem) => (item.is === "nearest-weekday" ? bits | (1 << item.day) : bits);
    sets = { values: bitSet(items), nearestWeekdays: items.reduce(nearest, 0), weekdays: weekdayBits(items) };
    if (known.size >= MAX_KNOWN_FIELDS) known.clear();
    known.set(text, sets);
  }
  return sets;
}

/** The texts of the six fields: seconds are "0" where there are five, a macro is replaced by what it stands for. */
function splitCron(text: string): string[] {
  const strangeBlank = /[^\S \t]|[\u200b-\u200d\u2060]/.exec(text);
  if (strangeBlank !== null) {
    const code = strangeBlank[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
    const name = { "00A0": "a no-break space", "000A": "a line break", "000D": "a carriage return" }[code];
    const what = name === undefined ? `the blank U+${code}` : `${name} (U+${code})`;
    throw new Error(`expression ${quote(text)} has ${what}: fields are separated by spaces or tabs`);
  }
  const isPlain = !text.includes("\t") && !text.includes("  ") && text === text.trim(); // nearly all are, and it costs less
  const fields = isPlain && text !== "" ? text.split(" ") : text.split(/[ \t]+/).filter((field) => field !== "");
  if (fields.length > 0 && fields[0].startsWith("@")) return ["0", ...expandMacro(fields).split(" ")];
  if (fields.length === 5) return ["0"].concat(fields);
  const mistake = countMistake(fields);
  if (mistake !== undefined) throw new Error(mistake);
  return fields;
}

function expandMacro(fields: readonly string[]): string {
  const [macro, argument] = fields;
  const known = Object.keys(MACROS);
  if (known.includes(macro) && argument === undefined) return MACROS[macro];
  let why = `is unknown: expected ${listed(known, "or")}`;
  if (known.includes(macro)) why = "has fields behind it: a macro stands alone";
  else if (known.includes(macro.toLowerCase())) why = `is unknown: macros are lower-case, ${macro.toLowerCase()}`;
  else if (macro === "@every") why = `is unknown: use --every ${argument === undefined ? "90m" : argument}`;
  else if (macro === "@reboot") why = "is unknown: use --run-on-start";
  throw new Error(`macro ${quote(fields.join(" "))} ${why}`);
}

/** What is wrong with a number of fields other than five; undefined where six of them are meant to be six. */
function countMistake(fields: readonly string[]): string | undefined {
  const text = fields.join(" ");
  if (fields.length === 0) return "the expression is empty: expected five fields such as 30 2 * * *";
  if (MACROS[`@${text}`] !== undefined) return `expression ${quote(text)} is no schedule: did you mean @${text}?`;
  if (fields.length < 5) {
    const missing = CRON_FIELDS.slice(fields.length + 1).map((field) => field.name);
    const verb = missing.length === 1 ? "is" : "are";
    const fieldWord = fields.length === 1 ? "field" : "fields";
    return `expression ${quote(text)} has ${fields.length} ${fieldWord}, 5 needed: ${listed(missing)} ${verb} missing`;
  }
  // What a crontab line has behind its five fields: a user, a command, or the path of one.
  const isWord = /^[a-z_][\w.-]{2,}$|^[.~]*\/.*[a-z]/i.test(fields[5]);
  if (isWord && !WEEKDAYS.map(threeLetters).includes(threeLetters(fields[5]))) {
    return `expression has ${quote(fields[5])} behind five fields: a crontab line's user and command do not belong here`;
  }
  const split = fields.find((field) => /^[,/]|[,/-]$/.test(field));
  if (split !== undefined) return `expression has a blank beside ${quote(split)}, which splits the field`;
  if (fields.length === 6 && /^\d{4}$/.test(fields[5])) {
    return `day-of-week ${fields[5]} is above 7: with six fields the first is seconds, and there is no year field`;
  }
  if (fields.length === 6) return undefined;
  return `expression ${quote(text)} has ${fields.length} fields, 5 needed, or 6 with seconds in front; there is no year field`;
}

function parseField(field: CronField, text: string): CronItem[] {
  if (text === ",") throw refusal(field, text, text, "is an empty list");
  if (text.startsWith(",")) throw refusal(field, text, text, "begins with a comma");
  if (text.endsWith(",")) throw refusal(field, text, text, "ends with a comma: no blank may follow it");
  if (text.includes(",,")) throw refusal(field, text, text, "has an empty list element");
  if (text === "?" && field.name.startsWith("day")) return parseField(field, "*");
  return text.split(",").map((item) => parseDayItem(field, text, item) || parseRangeItem(field, text, item));
}

/** L, LW, 15W, 5L and 5#2, each in the one field where it has a meaning. */
function parseDayItem(field: CronField, text: string, item: string): CronItem | undefined {
  if (field.name === "day-of-month") {
    const [, day, weekday] = /^(L|\d+(?=W))(W?)$/i.exec(item) || [];
    if (day === undefined) return undefined;
    const number = day.toUpperCase() === "L" ? 0 : parseValue(field, text, day);
    return weekday === "" ? { is: "day", day: number } : { is: "nearest-weekday", day: number };
  }
  if (field.name === "day-of-week") {
    const [, weekday, nth] = /^(\d+|[a-z]{3})(?:L|#([1-5]))$/i.exec(item) || [];
    if (weekday === undefined) return undefined;
    return { is: "nth-weekday", weekday: parseValue(field, text, weekday) % 7, nth: Number(nth || 0) };
  }
  return undefined;
}

/** `*`, `v`, `a-b`, each with an optional step. */
function parseRangeItem(field: CronField, text: string, item: string): CronItem {
  const [, star, from, to, stepText] = /^(?:(\*)|(\d+|[a-z]{3,})(?:-(\d+|[a-z]{3,}))?)(?:\/(\d+))?$/i.exec(item) || [];
  if (star === undefined && from === undefined) {
    throw refusal(field, text, item, syntaxHint(field, item) || `is not ${expectedValue(field)}`);
  }
  const step = stepText === undefined ? 1 : Number(stepText);
  if (step === 0) throw refusal(field, text, item, `has a step of 0: expected 1 to ${field.size}`);
  if (step > field.size) {
    const instead = field.everyUnit === "" ? "" : `: use --every ${step}${field.everyUnit}`;
    throw refusal(field, text, item, `has a step over the field's ${field.size} values${instead}`);
  }
  const low = star === "*" ? field.low : parseValue(field, text, from);
  let high = low;
  if (to !== undefined) high = parseValue(field, text, to);
  else if (star === "*") high = field.low + field.size - 1;
  else if (stepText !== undefined) high = field.high;
  if (field.name === "day-of-week" && high === 0 && low > 0) high = 7;
  if (low > high) {
    const instead = stepText === undefined ? `write ${forwardRanges(field, from, to, low, high)}` : "write a list";
    throw refusal(field, text, item, `runs backwards: ${instead}`);
  }
  const values: number[] = [];
  for (let value = low; value <= high; value += step) values.push(value);
  return { is: "values", values };
}

/** 22-4 in hours → 22-23,0-4; FRI-MON → FRI-SUN,MON. Names are answered with names. */
function forwardRanges(field: CronField, from: string, to: string, low: number, high: number): string {
  const show = (value: number) =>
    /\d/.test(from + to) ? String(value) : field.names[(value - field.low) % field.size];
  const range = (a: number, b: number) => (a === b ? show(a) : `${show(a)}-${show(b)}`);
  if (field.name !== "day-of-week") return `${range(low, field.high)},${range(field.low, high)}`;
  return low === 7 ? range(0, high) : `${range(low, 7)},${range(1, high)}`;
}

function parseValue(field: CronField, text: string, token: string): number {
  const named = field.names.indexOf(token.toUpperCase());
  if (named >= 0) return field.low + named;
  if (!/^\d+$/.test(token)) throw refusal(field, text, token, nameMistake(field, token));
  const value = Number(token);
  if (value < field.low) throw refusal(field, text, token, `is below ${field.low}`);
  if (value > field.high) throw refusal(field, text, token, syntaxHint(field, token) || `is above ${field.high}`);
  return value;
}

function nameMistake(field: CronField, token: string): string {
  const name = threeLetters(token);
  if (field.names.includes(name)) return `is not a name of three letters: did you mean ${name}?`;
  const owner = CRON_FIELDS.find((other) => other.names.includes(name));
  if (owner === undefined) return `is not ${expectedValue(field)}`;
  return `is the name of a ${owner.name}: are the fields shifted?`;
}

function expectedValue(field: CronField): string {
  if (field.names.length === 0) return "a number";
  return `a number or a name from ${field.names[0]} to ${field.names[field.names.length - 1]}`;
}

// The first row whose field and item fit says what is wrong. It completes the sentence: minute "1;2" …
const [ANY, DAY_FIELD, OTHER_FIELD] = [/./, /^day/, /^(?!day)/];
const SYNTAX_HINTS: readonly (readonly [field: RegExp, item: RegExp, says: string])[] = [
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
  [ANY, /\/.*\D/, "has a step that is not a number"],
];

function syntaxHint(field: CronField, item: string): string | undefined {
  const row = SYNTAX_HINTS.find(([fields, items]) => fields.test(field.name) && items.test(item));
  return row === undefined ? undefined : row[2];
}

/** `minute 60 in "50-60" is above 59`: names the field, quotes the token, and the field's text where that says more. */
function refusal(field: CronField, text: string, token: string, why: string): Error {
  const shown = /^\d+$/.test(token) ? token : quote(token);
  return new Error(`${field.name} ${shown}${token === text ? "" : ` in ${quote(text)}`} ${why}`);
}

function bitSet(items: readonly CronItem[]): BitSet {
  let [low, high] = [0, 0];
  const add = (value: number) => {
    if (value < 32) low |= 1 << value;
    else high |= 1 << (value - 32);
  };
  for (const item of items) {
    if (item.is === "values") item.values.forEach(add);
    else if (item.is === "day") add(item.day);
  }
  return [low, high];
}

function weekdayBits(items: readonly CronItem[]): number[] {
  const bits = [0, 0, 0, 0, 0, 0];
  for (const item of items) {
    if (item.is === "nth-weekday") bits[item.nth] |= 1 << item.weekday;
    if (item.is !== "values") continue;
    for (const weekday of item.values) for (let nth = 1; nth <= 5; nth++) bits[nth] |= 1 << (weekday % 7);
  }
  return bits;
}

/** a, b and c */
function listed(words: readonly string[], conjunction = "and"): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} ${conjunction} ${words[words.length - 1]}`;
}

// ── Cron expressions: the calendar ──────────────────────────────────────────
// The first matching reading of a local clock, found by fields: a month's days are one bit set, a day's times are three.
// A reading is a count of seconds like an epoch second, but of what a clock on the wall shows: reading = second + offset.

const SECONDS_IN_DAY = 86_400;
const DAYS_IN_400_YEARS = 146_097; // after which the calendar repeats, weekdays included

/** The first reading at or after `from` that matches; Infinity where no day up to that of `until` has one. */
function firstReading(cron: CronExpression, from: number, until: number): number {
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

/** The first matching second of a day at or after `from`, or -1. */
function firstTime(cron: CronExpression, from: number): number {
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

/** The first matching day at or after `from`, both in days since 1970; Infinity where there is none up to `until`. */
function firstDay(cron: CronExpression, from: number, until: number): number {
  let { year, month, day } = dateOf(from);
  for (;;) {
    const nextMonth = lowestBit(cron.months & (-1 << month));
    if (nextMonth !== month) day = 1;
    month = nextMonth;
    if (month < 0) {
      year += 1;
      month = 1;
      continue;
    }
    const first = Date.UTC(year, month - 1, 1) / SECONDS_IN_DAY / 1000;
    if (!(first <= until)) return Infinity; // nor is there one where `from` is no date
    const length = month === 2 ? (isLeapYear(year) ? 29 : 28) : 30 + ((month + (month >> 3)) & 1);
    const match = lowestBit(matchingDays(cron, first, length) & (-1 << day));
    if (match >= 0) return first + match - 1;
    month += 1;
    day = 1;
  }
}

let lastDate = { at: Number.NaN, year: 0, month: 0, day: 0 }; // all jobs ask for the same one

function dateOf(at: number): { year: number; month: number; day: number } {
  if (at !== lastDate.at) {
    const date = new Date(at * SECONDS_IN_DAY * 1000);
    lastDate = { at, year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
  }
  return lastDate;
}

/** The days of one month that match, as bits. `first` is the month's first day, in days since 1970. */
function matchingDays(cron: CronExpression, first: number, length: number): number {
  const firstWeekday = (((first + 4) % 7) + 7) % 7; // 1 January 1970 was a Thursday
  let byDay = cron.days | ((cron.days & 1) << length);
  for (let rest = cron.nearestWeekdays; rest !== 0; rest &= rest - 1) {
    const day = lowestBit(rest) || length;
    if (day <= length) byDay |= 1 << nearestWeekday(day, length, (firstWeekday + day - 1) % 7);
  }
  // A month is five weeks that begin with its first weekday; its last seven days are the week of the last ones.
  let byWeekday = weekFrom(cron.weekdays[0], (firstWeekday + length) % 7) << (length - 6);
  for (let nth = 1; nth <= 5; nth++) byWeekday |= weekFrom(cron.weekdays[nth], firstWeekday) << (7 * nth - 6);
  const month = (-1 >>> (31 - length)) & ~1;
  return (cron.needsBothDays ? byDay & byWeekday : byDay | byWeekday) & month;
}

/** A set of weekdays turned so that bit 0 is `weekday`, bit 1 the day after it. */
function weekFrom(weekdays: number, weekday: number): number {
  return ((weekdays | (weekdays << 7)) >> weekday) & 0x7f;
}

/** The day of Monday to Friday that is nearest to `day` and in the same month. */
function nearestWeekday(day: number, length: number, weekday: number): number {
  if (weekday === 6) return day > 1 ? day - 1 : day + 2;
  if (weekday === 0) return day < length ? day + 1 : day - 2;
  return day;
}

function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

/** The lowest member at or above `from`, or -1. */
function firstMember(set: BitSet, from: number): number {
  const low = from < 32 ? set[0] & (-1 << from) : 0;
  if (low !== 0) return lowestBit(low);
  const high = from < 64 ? set[1] & (-1 << Math.max(0, from - 32)) : 0;
  return high === 0 ? -1 : 32 + lowestBit(high);
}

/** -1 in an empty set. */
function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

// ── Time zones ──────────────────────────────────────────────────────────────
// A zone is a sequence of spans with one offset each, found by asking Intl, which brings its zone data along.
// Which names are legal must not hang on the runtime: Node 12 refuses US/Pacific and Europe/Kyiv, Node 26 takes +01:00
// for a zone, and all but Bun take BST for Bangladesh. So a name is legal if it is AREA/PLACE and Intl knows it, or if it
// stands in ZONE_LINKS: there the names without an area, and those that Node 12 lacks, point to one that all know.

const ZONE_AREAS =
  /^(Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Brazil|Canada|Chile|Etc|Europe|Indian|Mexico|Pacific)$/i;
const ZONE_LINKS = `
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

/** In seconds. While start ≤ second < end, a clock of the zone reads second + offset; `jump` is how far it was put forward at start. */
type ZoneSpan = { readonly start: number; readonly end: number; readonly offset: number; readonly jump: number };

export type Zone = { readonly name: string; readonly spanAt: (second: number) => ZoneSpan };

// Two probes, one at each end of a stretch, find every change as long as no two lie in one stretch: the closest two since
// 1970 are 6 days 23 hours apart (Brazil, October 2000), those around a Ramadan four weeks.
const STRETCH_SECONDS = 4 * SECONDS_IN_DAY;
const STRETCHES_KEPT = 100;
const SAVING_LIMIT_SECONDS = 3 * 3600; // a change of the clock by as much or more is no daylight saving
const LARGEST_SHIFT_SECONDS = 26 * 3600; // no change is larger: no two clocks on earth are further apart
const UTC_SPAN: ZoneSpan = { start: -Infinity, end: Infinity, offset: 0, jump: 0 };

/** The seconds by which a zone's clock is ahead of UTC at an instant. */
type OffsetAt = (second: number) => number;

/** Throws an Error that quotes the name and says why it is no time zone. */
export function checkZone(name: string): void {
  intlOffset(name);
}

/** The name of the zone that is the process's own clock. */
const LOCAL_TIME = "local time";

/**
 * Throws as checkZone does. One zone serves all its jobs: it keeps the spans of the stretches asked for last.
 * A caller that knows the offsets more cheaply than Intl does gives them.
 */
export function createZone(name: string, offsetAt: OffsetAt | undefined = intlOffset(name)): Zone {
  if (offsetAt === undefined) return { name, spanAt: () => UTC_SPAN };
  const stretches = new Map<number, readonly ZoneSpan[]>();
  let latest: number | undefined;
  let spans: readonly ZoneSpan[] = [];
  const spanAt = (second: number): ZoneSpan => {
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

const namedZones = new Map<string, Zone>(); // a formatter of Intl's is large

/** createZone, once for each name. */
function zoneNamed(name: string): Zone {
  const zone = namedZones.get(name) ?? createZone(name);
  namedZones.set(name, zone);
  return zone;
}

/** One span, or two where the clock changes. It looks back far enough to see a repeated hour that began before the stretch. */
function spansOfStretch(offsetAt: OffsetAt, stretchStart: number): ZoneSpan[] {
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
    { start: changed, end, offset: after, jump: after - before },
  ];
}

/** What a clock of the zone shows at an instant. */
export function readingAt(zone: Zone, second: number): number {
  return second + zone.spanAt(second).offset;
}

/** The spans in (from, until] that begin with a change of the clock. */
export function clockChanges(zone: Zone, from: number, until: number): ZoneSpan[] {
  const changes: ZoneSpan[] = [];
  for (let second = zone.spanAt(from).end; second <= until; ) {
    const span = zone.spanAt(second);
    if (span.jump !== 0 && span.start === second) changes.push(span);
    second = span.end;
  }
  return changes;
}

/** Undefined for UTC, which saves what the first use of Intl costs: some 12 ms and 1.6 MB. */
function intlOffset(name: string): OffsetAt | undefined {
  const wanted = `${name.toLowerCase()}=`;
  const link = ZONE_LINKS.split(/\s/).find((pair) => pair.toLowerCase().startsWith(wanted));
  const known = link === undefined ? name : link.slice(wanted.length);
  if (known === "UTC") return undefined;
  const clock = tryClock(known);
  if (clock === undefined) throw new Error(`timezone ${quote(name)} ${zoneMistake(name)}`);
  return (second) => {
    const [month, day, year, hours, minutes, seconds] = (clock.format(second * 1000).match(/\d+/g) || []).map(Number);
    return Date.UTC(year, month - 1, day, hours, minutes, seconds) / 1000 - second;
  };
}

function tryClock(zone: string): Intl.DateTimeFormat | undefined {
  if (!ZONE_AREAS.test(zone.split("/")[0])) return undefined;
  try {
    const date = { year: "numeric", month: "numeric", day: "numeric" } as const;
    const time = { hour: "numeric", minute: "numeric", second: "numeric", hourCycle: "h23" } as const;
    return new Intl.DateTimeFormat("en-US", { timeZone: zone, ...date, ...time });
  } catch {
    return undefined;
  }
}

function zoneMistake(name: string): string {
  if (name.trim() === "") return "is empty: leave the setting away, or name a zone such as Europe/Berlin";
  if (/[,;]/.test(name)) return "is a list: expected one zone";
  if (/\s/.test(name)) return "has a blank: expected a zone such as Europe/Berlin";
  if (ZONE_AREAS.test(name) || name === "US") return "is a region, not a zone: expected one such as Europe/Berlin";
  if (/^(UTC|GMT)?[+-]\d/i.test(name)) return "is an offset, not a zone: expected one such as Europe/Berlin";
  if (/^[A-Z]{2,5}$/.test(name)) return "is an abbreviation, not a zone: expected one such as Europe/Berlin";
  return "is not known: expected UTC or a name of the tz database such as Europe/Berlin";
}

// ── Cron expressions: due times ─────────────────────────────────────────────
// The daylight saving rules are those of Debian's cron:
// 1. A job is due at each real instant at which the zone's clock shows a matching reading.
// 2. A fixed job is not due again if the clock showed the same reading less than three hours ago.
// 3. A clock put forward by less than three hours makes a fixed job due at once if a reading that it skipped matches:
//    one run, however many were skipped, and merged with the one that may be due then anyway.
// Wildcard jobs follow the first rule alone, as do all jobs where the clock moves by three hours or more.
//
// There is one search, nextDue. All other questions are asked of it, so that they can't disagree.

const SEARCH_SECONDS = 100 * 366 * SECONDS_IN_DAY; // calendar days recur within 40 years: 29 February on a given weekday
const LAST_SECOND = 6e12; // in the year 192,104: some way before the end of what Date and Intl can tell
const MOST_COUNTED = 1000;

/** The first due time after `from` and not after `until`, in epoch seconds. What is not due in 100 years never is. */
export function nextDue(cron: CronExpression, zone: Zone, from: number, until = Infinity): number | undefined {
  const last = Math.min(until, from + SEARCH_SECONDS, LAST_SECOND);
  let second = Math.floor(from) + 1;
  while (second <= last) {
    const span = zone.spanAt(second);
    const due = firstDueWithin(cron, span, second, last + LARGEST_SHIFT_SECONDS);
    if (due < span.end) return due <= last ? due : undefined;
    // Nothing is due until a clock of this offset would show the match: go there, but for the reach of a change on the
    // way. Near the span's end go to the end only, since there the clock can be put back to readings before `second`.
    const isNearEnd = span.end - second < LARGEST_SHIFT_SECONDS;
    second = isNearEnd ? span.end : Math.max(span.end, due - LARGEST_SHIFT_SECONDS);
  }
  return undefined;
}

/** The first due time at or after `second`, taking the span to go on for ever. */
function firstDueWithin(cron: CronExpression, span: ZoneSpan, second: number, until: number): number {
  let from = second + span.offset;
  if (cron.isFixed && span.jump !== 0 && Math.abs(span.jump) < SAVING_LIMIT_SECONDS) {
    const firstShown = span.start + span.offset;
    const isStart = second === span.start;
    if (span.jump > 0 && isStart && firstReading(cron, firstShown - span.jump, firstShown) < firstShown) return second;
    if (span.jump < 0) from = Math.max(from, firstShown - span.jump);
  }
  return firstReading(cron, from, until + span.offset) - span.offset;
}

/**
 * Nothing is due after `from` and before this. It looks at the time of day, not at the date, so that itself may not be due
 * either; at most a day ahead. A thousand jobs may be asked at once, so it takes no memory.
 */
export function quietUntil(cron: CronExpression, zone: Zone, from: number): number {
  const second = Math.floor(from) + 1;
  const { start, end, offset } = zone.spanAt(second);
  if (second === start) return second; // a clock put forward makes a fixed job due in this very second
  const timeOfDay = (second + offset + 2 * SECONDS_IN_DAY) % SECONDS_IN_DAY; // positive even in 1970
  const time = firstTime(cron, timeOfDay);
  return Math.min(end, second + (time < 0 ? SECONDS_IN_DAY : time) - timeOfDay);
}

/** The latest due time at or before `from`. */
export function previousDue(cron: CronExpression, zone: Zone, from: number): number | undefined {
  let clear = Math.floor(from); // nothing is due in (clear, from]
  let reach = 60;
  let due = nextDue(cron, zone, clear - reach, clear);
  while (due === undefined && reach < SEARCH_SECONDS) {
    reach *= 2;
    due = nextDue(cron, zone, clear - reach, clear);
  }
  while (due !== undefined && due < clear) {
    const middle = Math.floor((due + clear) / 2);
    const later = nextDue(cron, zone, middle, clear);
    if (later === undefined) clear = middle;
    else due = later;
  }
  return due;
}

/** The first `count` due times after `from`, fewer where there are no more. */
export function nextDues(cron: CronExpression, zone: Zone, from: number, count: number): number[] {
  const dues: number[] = [];
  for (let due = nextDue(cron, zone, from); due !== undefined && dues.length < count; due = nextDue(cron, zone, due)) {
    dues.push(due);
  }
  return dues;
}

/** The latest due time in (after, upTo] and how many there are; 1,001 stands for any number above 1,000. */
export function dueTimes(
  cron: CronExpression,
  zone: Zone,
  after: number,
  upTo: number,
): { latest?: number; count: number } {
  let latest: number | undefined;
  let count = 0;
  for (let due = nextDue(cron, zone, after, upTo); due !== undefined; due = nextDue(cron, zone, due, upTo)) {
    latest = due;
    count += 1;
    if (count > MOST_COUNTED) return { latest: previousDue(cron, zone, upTo), count };
  }
  return { latest, count };
}

// ── Cron expressions: in words ──────────────────────────────────────────────
// For people who check a schedule before they trust it: what it means, and what may surprise them.
// To add a surprise: a function that returns sentences, and its line in cronWarnings.

const MOST_TIMES_LISTED = 6;

/** "at 02:30 on Sundays, Europe/Berlin": says what the sets mean, however the text spells them. */
export function describeCron(cron: CronExpression, zoneName: string): string {
  const words = [timeWords(cron), dayWords(cron), monthWords(cron)].filter((part) => part !== "");
  return `${words.join(" ")}, ${zoneName}`;
}

function timeWords(cron: CronExpression): string {
  const [hours, minutes, seconds] = [members(cron.hours), members(cron.minutes), members(cron.seconds)];
  if (hours.length * minutes.length * seconds.length <= MOST_TIMES_LISTED) {
    const times: string[] = [];
    for (const h of hours) {
      for (const m of minutes) for (const s of seconds) times.push(clockWords(h * 3600 + m * 60 + s));
    }
    return `at ${listed(times)}`;
  }
  const isEveryMinute = hours.length * minutes.length === 24 * 60;
  const isWholeMinute = seconds.length === 1 && seconds[0] === 0;
  if (isWholeMinute) return minuteWords(hours, minutes);
  const step = evenStep(seconds, 60);
  const secondWords = step > 0 ? rhythmWords(step, "second", seconds[0]) : `at second ${runs(seconds, String)}`;
  if (!isEveryMinute) return `${secondWords} in these minutes: ${minuteWords(hours, minutes)}`;
  return step > 0 ? secondWords : `${secondWords} of every minute`;
}

function minuteWords(hours: readonly number[], minutes: readonly number[]): string {
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

function dayWords(cron: CronExpression): string {
  const days = dayOfMonthWords(cron);
  const weekdays = dayOfWeekWords(cron);
  if (cron.needsBothDays) {
    if (days === "" || weekdays === "") return days + weekdays;
    return `${days} if ${weekdays} (day-of-month and day-of-week must both match)`;
  }
  return days === "" || weekdays === "" ? "" : `${days} or ${weekdays} (either day-of-month or day-of-week suffices)`;
}

/** "" for every day. */
function dayOfMonthWords(cron: CronExpression): string {
  const days = members([cron.days & ~1, 0]);
  if (days.length === 31) return "";
  const words = days.length === 0 ? [] : [`the ${runs(days, ordinal)}`];
  for (const day of members([cron.nearestWeekdays & ~1, 0])) words.push(`the weekday nearest the ${ordinal(day)}`);
  if (cron.nearestWeekdays & 1) words.push("the last weekday of the month");
  if (cron.days & 1) words.push("the last day of the month");
  return `on ${listed(words)}`;
}

/** "" for every day. */
function dayOfWeekWords(cron: CronExpression): string {
  const [last, ...nths] = cron.weekdays;
  const plain = nths.reduce((weekly, bits) => weekly & bits, 0x7f);
  // The week of a reader begins on Monday: Sunday is its 7.
  const days = members([((plain & 1) << 7) | (plain & ~1), 0]);
  if (days.length === 7) return "";
  const words = days.length === 0 ? [] : [runs(days, (day) => `${WEEKDAYS[day % 7]}s`)];
  ["first", "second", "third", "fourth", "fifth", "last"].forEach((name, i) => {
    const bits = [...nths, last][i] & ~plain;
    for (const day of members([bits, 0])) words.push(`the ${name} ${WEEKDAYS[day]} of the month`);
  });
  return words.length === 1 && isRun(days) ? `from ${runs(days, (day) => WEEKDAYS[day % 7])}` : `on ${listed(words)}`;
}

function monthWords(cron: CronExpression): string {
  const months = members([cron.months, 0]);
  if (months.length === 12) return "";
  return `${isRun(months) ? "from" : "in"} ${runs(months, (month) => MONTHS[month - 1])}`;
}

/** What may surprise in a schedule, each in a sentence. The tick's period is undefined where it is not known. */
export function cronWarnings(cron: CronExpression, zone: Zone, from: number, tickPeriod: number | undefined): string[] {
  return [
    ...dayWarnings(cron),
    ...stepWarnings(cron),
    ...rarityWarnings(cron, zone, from),
    ...tickWarnings(cron, zone, from, tickPeriod),
    ...changeWarnings(cron, zone, from),
  ];
}

function dayWarnings(cron: CronExpression): string[] {
  const [, , , day, , weekday] = cron.text.split(" ");
  const warnings: string[] = [];
  if (/[^*?]/.test(day) && /[^*?]/.test(weekday)) {
    const rule = cron.needsBothDays
      ? "a day must match both, since one of them begins with *"
      : "a day that matches either is due (the first Monday of a month would be MON#1)";
    warnings.push(`day-of-month and day-of-week are both set: ${rule}`);
  }
  const shortest = cron.days & 1 ? 0 : lowestBit(cron.days);
  const shorterMonths = shortest === 31 ? 0b101001010100 : 0b100;
  if (shortest > 28 && cron.needsBothDays && cron.months & shorterMonths && cron.months !== 0b100) {
    warnings.push(`months without a ${ordinal(shortest)} are passed over: L is the last day of every month`);
  }
  return warnings;
}

/** Steps begin anew with each hour, day, month …, which is uneven unless they divide it. */
function stepWarnings(cron: CronExpression): string[] {
  return cron.text.split(" ").flatMap((text, i) => {
    const field = CRON_FIELDS[i];
    const [item] = parseField(field, text);
    const [, end, step] = /^(?:\*|\d+(?:-(\d+))?)\/(\d+)$/.exec(text) || [];
    if (step === undefined || step === "1" || item.is !== "values") return [];
    if (end !== undefined && Number(end) !== field.high) return [];
    const [first, last] = [item.values[0], item.values[item.values.length - 1]];
    if (first === last) return [`${field.name} ${text} is the same as ${first}`];
    if (field.name !== "day-of-month" && evenStep(item.values, field.size) > 0) return [];
    const instead = field.everyUnit === "" ? "" : `; --every ${step}${field.everyUnit} is even`;
    return [`${field.name} ${text} begins anew with each ${field.cycle}: after ${last} comes ${first}${instead}`];
  });
}

function rarityWarnings(cron: CronExpression, zone: Zone, from: number): string[] {
  const [due, later] = nextDues(cron, zone, from, 2);
  if (due === undefined) return [`never due in ${zone.name}: the clock skips every reading that matches`];
  if (later === undefined || later - due <= 366 * SECONDS_IN_DAY) return [];
  const [date, laterDate] = [due, later].map((second) => dateWords(readingAt(zone, second)));
  return [`due rarely: on ${date}, and after that on ${laterDate}`];
}

function tickWarnings(cron: CronExpression, zone: Zone, from: number, tickPeriod: number | undefined): string[] {
  if (tickPeriod === undefined) {
    return cron.text.startsWith("0 ") ? [] : ["the seconds field needs TICK_5: runs start on ticks only"];
  }
  const warnings: string[] = [];
  if (cron.text.startsWith("0 ") && 60 % tickPeriod === 0) return warnings; // every minute begins with a tick
  const dues = nextDues(cron, zone, from, 60);
  const tickOf = (due: number) => Math.ceil(due / tickPeriod) * tickPeriod;
  const late = dues.find((due) => tickOf(due) !== due);
  if (late !== undefined) {
    const [due, tick] = [late, tickOf(late)].map((second) => clockWords(readingAt(zone, second)));
    warnings.push(`runs start on ticks only: the one due at ${due} starts at ${tick} with TICK_${tickPeriod}`);
  }
  if (dues.some((due, i) => i > 0 && tickOf(due) === tickOf(dues[i - 1]))) {
    warnings.push(`finer than TICK_${tickPeriod}: due times between two ticks are one run`);
  }
  return warnings;
}

/** The clock changes of the coming year that skip or repeat a due time. */
function changeWarnings(cron: CronExpression, zone: Zone, from: number): string[] {
  // A wildcard job of every hour keeps its rhythm whatever the clock shows.
  if (!cron.isFixed && members(cron.hours).length === 24) return [];
  const warnings: string[] = [];
  for (const change of clockChanges(zone, from, from + 366 * SECONDS_IN_DAY)) {
    // Between what the clock showed before the change and what it shows after, readings are skipped or come again.
    const after = change.start + change.offset;
    const [low, high] = [Math.min(after, after - change.jump), Math.max(after, after - change.jump)];
    const times: string[] = [];
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

function changeRule(cron: CronExpression, change: ZoneSpan): string {
  const isSaving = cron.isFixed && Math.abs(change.jump) < SAVING_LIMIT_SECONDS;
  if (change.jump < 0) return isSaving ? "it runs the first time only" : "it runs both times";
  return isSaving ? `it runs at ${clockWords(change.start + change.offset)} once` : "it does not run then";
}

function members(set: BitSet): number[] {
  const values: number[] = [];
  for (let value = firstMember(set, 0); value >= 0; value = firstMember(set, value + 1)) values.push(value);
  return values;
}

/** n where the values are every nth of a cycle, and more than one; else 0. */
function evenStep(values: readonly number[], size: number): number {
  const step = size / values.length;
  return values.length > 1 && values.every((value, i) => value === values[0] + i * step) ? step : 0;
}

/** Do the values, three at least, follow one another without a gap? */
function isRun(values: readonly number[]): boolean {
  return values.length > 2 && values[values.length - 1] - values[0] === values.length - 1;
}

/** 1, 2, 15 to 19 and 46 */
function runs(values: readonly number[], show: (value: number) => string): string {
  const words: string[] = [];
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

const twoDigits = (value: number) => String(value).padStart(2, "0");

/** every minute; every 20 minutes from :05 */
function rhythmWords(step: number, unit: string, start: number): string {
  return (step === 1 ? `every ${unit}` : `every ${step} ${unit}s`) + (start === 0 ? "" : ` from :${twoDigits(start)}`);
}

function ordinal(value: number): string {
  const suffix = Math.floor(value / 10) === 1 ? undefined : ["th", "st", "nd", "rd"][value % 10];
  return `${value}${suffix || "th"}`;
}

/** 02:30, or 02:30:15 where there are seconds. */
function clockWords(reading: number): string {
  const text = new Date(reading * 1000).toISOString();
  return text.slice(11, text.endsWith(":00.000Z") ? 16 : 19);
}

/** 30 March 2025 */
function dateWords(reading: number): string {
  const date = new Date(reading * 1000);
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
}

// ── Job policy ──────────────────────────────────────────────────────────────
// What happens to the runs of one job: a state machine. `step` takes what has happened and says what to do about it; the
// listener does it. Nothing here knows a process, a timer or a file.
//
//   due → asking → next → starting → running ──────── (draining) ──────────→ attempt over → concluded
//           │        ↑       ↑           └ deadline, stop, replace → ending → killed ┘ │
//           └ held   │       └──────────────────────── backoff ←──────────── failed, retries left
//                    └ with replace: until the run before it is gone
//
// `asking` is there with --only-if alone. In `draining` the command has ended by itself, and only the reading of what it
// wrote is left: no deadline, stop or replacement changes what it came to. In `ending` the group was sent SIGTERM and the
// grace runs. It runs for the group: a shell that dies at once must not leave the command it started beside the next run,
// so the leader's exit alone does not end the run. A run is one due time with all its attempts; only what it comes to in
// the end is its result.
// To add an input or an action: extend the union, then step (or `perform` of JobRuns), then test/policy.test.ts.

/** Why a run starts. */
export type Reason = "schedule" | "catch-up" | "start" | "signal" | "remote" | "event";
/** How an attempt, and with its last one the run, ended. */
const RESULTS = ["success", "failure", "timeout", "interrupted"] as const;
/** Why a run was ended before it ended by itself. */
const CAUSES = ["timeout", "stop", "replace"] as const;
type Result = (typeof RESULTS)[number];
/** What --only-if said: exit 0, exit 1, anything else, or nothing in time. */
export type Verdict = "allowed" | "held" | "error" | "timeout";
/** Why a run that was due did not start after all. */
type HoldReason = Exclude<Verdict, "allowed"> | "replaced" | "stopped";

export interface JobPolicy {
  /** What a due run does while the last one is still going. */
  readonly overlap: "skip" | "queue" | "replace" | "allow";
  /** With queue: how many may wait. */
  readonly queueLimit: number;
  /** Of one attempt. 0: no limit. */
  readonly timeoutSeconds: number;
  /** The grace between SIGTERM and SIGKILL. */
  readonly killAfterSeconds: number;
  /** How often a failed run is tried again. */
  readonly retries: number;
  /** Before the first retry; it doubles with each. */
  readonly retryDelaySeconds: number;
  /** Does a waiting retry give way to the next due run? Not where each run has an event of its own. */
  readonly isRetryYielding: boolean;
  /** Is a run asked about (--only-if) before it starts? */
  readonly isAsking: boolean;
  /** Of the runs that are still waiting, where the job has changed since this one began. */
  readonly ofNext?: JobPolicy;
}

/** How a process ended. All null where nobody could see it. */
export interface ProcessEnd {
  readonly exit: number | null;
  readonly signal: string | null;
  /** Why it could not be started, or why its end is not known. */
  readonly error?: string;
}

/** Why and for when a run shall start. */
export interface DueRun {
  /** Epoch seconds. */
  readonly due: number;
  readonly reason: Reason;
  /** Of the event that brought it. */
  readonly serial?: number;
  /** With --on: the event itself. */
  readonly event?: SupervisorEvent;
}

/** One due time, and what is done for it. */
export interface Run extends DueRun {
  readonly number: number;
  /** Counted from 1. */
  readonly attempt: number;
  readonly phase: "asking" | "next" | "starting" | "running" | "draining" | "ending" | "killed" | "backoff";
  /** Of the leader of its process group; undefined until it has started. */
  readonly pid?: number;
  /** Why it is being ended. */
  readonly cause?: (typeof CAUSES)[number];
  /** Set when the leader is gone. */
  readonly end?: ProcessEnd;
  /** Started by an earlier listener that was killed: its exit status will never be known. */
  readonly isOrphan?: boolean;
}

export interface JobState {
  readonly lastRun: number;
  /** In progress, the oldest first; those that wait for a retry too. */
  readonly runs: readonly Run[];
  /** Due, and waiting for the run in progress to end; the oldest first. */
  readonly waiting: readonly DueRun[];
  /** How many runs in a row have come to another result than success. */
  readonly failures: number;
  readonly isStopping: boolean;
}

export type JobInput =
  | ({ readonly type: "due" } & DueRun)
  /** Since it was started, or since it was sent SIGTERM if `run` is ending; `run.end`: its leader is gone already. */
  | { readonly type: "adopted"; readonly run: Run; readonly elapsedSeconds: number }
  /** An earlier listener started it, and nobody saw its end. */
  | { readonly type: "interrupted"; readonly run: Run; readonly end: ProcessEnd }
  /** An earlier listener was going to try it again; `run.end` is how the last attempt ended. */
  | { readonly type: "resumed"; readonly run: Run }
  | { readonly type: "asked"; readonly run: number; readonly verdict: Verdict; readonly error?: string }
  /** The turn that it waits for has come, to be asked about or to start, but with replace another one is due by now. */
  | { readonly type: "overtaken"; readonly run: number }
  | { readonly type: "started"; readonly run: number; readonly pid: number }
  | { readonly type: "startFailed"; readonly run: number; readonly error: string }
  | { readonly type: "deadline"; readonly run: number }
  | { readonly type: "graceOver"; readonly run: number }
  /** The leader is gone, and what it wrote is still being read; `exited` follows within a second. */
  | { readonly type: "outputLeft"; readonly run: number; readonly end: ProcessEnd }
  /** The leader is gone, and all it wrote has been read. */
  | { readonly type: "exited"; readonly run: number; readonly end: ProcessEnd }
  | { readonly type: "groupGone"; readonly run: number }
  | { readonly type: "retryDue"; readonly run: number }
  /** The next due run would come before the retry. */
  | { readonly type: "giveUp"; readonly run: number }
  | { readonly type: "stop" };

export type JobAction =
  /** Write down, before anything is done for it, that this attempt is about to start. */
  | { readonly type: "record"; readonly run: Run }
  | { readonly type: "ask"; readonly run: Run }
  | { readonly type: "stopAsking"; readonly run: Run }
  | { readonly type: "start"; readonly run: Run }
  | ({ readonly type: "skip"; readonly behind: Run } & DueRun)
  | ({ readonly type: "wait"; readonly behind: Run } & DueRun)
  | { readonly type: "holdBack"; readonly run: Run; readonly why: HoldReason; readonly error?: string }
  | { readonly type: "armDeadline"; readonly run: Run; readonly seconds: number }
  | { readonly type: "armGrace"; readonly run: Run; readonly seconds: number }
  | { readonly type: "armRetry"; readonly run: Run; readonly seconds: number }
  | { readonly type: "terminate"; readonly run: Run }
  | { readonly type: "kill"; readonly run: Run }
  | { readonly type: "watchGroup"; readonly run: Run }
  /** An attempt is over. With `retrySeconds` the run is tried again after them, else it has come to its result. */
  | {
      readonly type: "finish";
      readonly run: Run;
      readonly result: Result;
      readonly end: ProcessEnd;
      readonly retrySeconds?: number;
    }
  /** It was to be tried again, and is not: another run is due first or still going, or everything is stopped. */
  | {
      readonly type: "giveUp";
      readonly run: Run;
      readonly result: Result;
      readonly why: "due" | "busy" | "stopped" | "lost" | "limit";
    }
  /** The run has come to its result. */
  | {
      readonly type: "conclude";
      readonly run: Run;
      readonly result: Result;
      readonly end: ProcessEnd;
      readonly failures: number;
    }
  /** A stop was asked for, and nothing is left of the job. */
  | { readonly type: "stopped" };

export type Step = [JobState, JobAction[]];

/** How long a stop waits for a process that was sent SIGKILL: it may hang in the kernel. */
const LAST_GRACE_SECONDS = 1;
/** However often the delay before a retry has doubled. */
const MAX_RETRY_DELAY_SECONDS = 3600;

const NOTHING: readonly never[] = []; // one for all jobs at rest

const FRESH_STATE: JobState = { lastRun: 0, runs: NOTHING, waiting: NOTHING, failures: 0, isStopping: false };

export function createJobState(lastRun: number, failures = 0): JobState {
  if (lastRun === 0 && failures === 0) return FRESH_STATE;
  return { lastRun, runs: NOTHING, waiting: NOTHING, failures, isStopping: false };
}

/** What has happened → the new state, and what to do, in this order. An input about a run that is gone changes nothing. */
export function step(policy: JobPolicy, state: JobState, input: JobInput): Step {
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
  return run === undefined ? [state, []] : stepRun(policy, state, run, input);
}

type RunInput = Exclude<JobInput, { readonly type: "due" | "adopted" | "interrupted" | "resumed" | "stop" }>;

function stepRun(policy: JobPolicy, state: JobState, run: Run, input: RunInput): Step {
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
      return run.phase === "running"
        ? [withRun(state, { ...run, phase: "draining", end: input.end }), []]
        : [state, []];
    case "exited":
      return leaderExited(policy, state, { ...run, end: input.end });
    case "groupGone":
      return run.end === undefined ? [state, []] : endAttempt(policy, state, run, run.end);
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

// From due to started:

function takeDue(policy: JobPolicy, state: JobState, { type: _, ...dueRun }: JobInput & { type: "due" }): Step {
  if (state.isStopping) return [state, []];
  const [cleared, gaveWay] = giveWay(policy, state);
  const [next, actions] = takeTurn(policy, cleared, dueRun);
  return [next, [...gaveWay, ...actions]];
}

// What --overlap says about a due run that finds another one still there.
function takeTurn(policy: JobPolicy, state: JobState, dueRun: DueRun): Step {
  const [behind] = state.runs;
  if (behind === undefined || policy.overlap === "allow") return open(policy, state, dueRun);
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

// What the user asks for by hand is not asked about.
function isAskedAbout(policy: JobPolicy, { reason }: DueRun): boolean {
  return policy.isAsking && reason !== "signal" && reason !== "remote";
}

// A due run becomes a run: it has a number from here on, and stands in the journal, whether or not it ever starts.
function open(policy: JobPolicy, state: JobState, dueRun: DueRun): Step {
  const isAsked = isAskedAbout(policy, dueRun);
  const run: Run = { ...dueRun, number: state.lastRun + 1, attempt: 1, phase: isAsked ? "asking" : "next" };
  const opened = withNewRun({ ...state, lastRun: run.number }, run);
  const [next, actions]: Step = isAsked ? [opened, [{ type: "ask", run }]] : makeWay(policy, opened, run);
  return [next, [{ type: "record", run }, ...actions]];
}

function takeVerdict(policy: JobPolicy, state: JobState, run: Run, verdict: Verdict, error?: string): Step {
  if (verdict === "allowed") return makeWay(policy, state, run);
  const [next, actions] = advance(policy, withoutRun(state, run));
  return [next, [{ type: "holdBack", run, why: verdict, error }, ...actions]];
}

// With replace the runs before it are ended first; else nothing is in the way any more.
function makeWay(policy: JobPolicy, state: JobState, run: Run): Step {
  const others = state.runs.filter((r) => r.number !== run.number);
  if (policy.overlap !== "replace" || others.length === 0) return start(state, run);
  let next = withRun(state, { ...run, phase: "next" });
  const actions: JobAction[] = [];
  for (const other of others.filter((r) => r.phase === "running")) {
    const [after, more] = terminate(policy, next, other, "replace");
    next = after;
    actions.push(...more);
  }
  return [next, actions];
}

function start(state: JobState, run: Run): Step {
  const starting: Run = { ...run, phase: "starting" };
  return [withRun(state, starting), [{ type: "start", run: starting }]];
}

/** Holds back the runs that are being asked about, and the one that waits for another one's end. */
function dismissAll(state: JobState, why: HoldReason): Step {
  const isDismissed = ({ phase }: Run) => phase === "asking" || phase === "next";
  const actions = state.runs.filter(isDismissed).flatMap((run): JobAction[] => {
    const holdBack: JobAction = { type: "holdBack", run, why };
    return run.phase === "asking" ? [{ type: "stopAsking", run }, holdBack] : [holdBack];
  });
  return [{ ...state, runs: state.runs.filter((run) => !isDismissed(run)) }, actions];
}

// The first attempt is held back; a later one belongs to a run that has started before, and so has a result.
function overtake(policy: JobPolicy, state: JobState, run: Run): Step {
  const notStarted = { exit: null, signal: null, error: "replaced before it started" };
  if (run.attempt > 1) return endAttempt(policy, state, { ...run, cause: "replace" }, notStarted);
  const [next, actions] = advance(policy, withoutRun(state, run));
  return [next, [{ type: "holdBack", run, why: "replaced" }, ...actions]];
}

// An earlier listener started it, and it is still going, or being ended: its deadline and its grace go on.
function adopt(policy: JobPolicy, state: JobState, run: Run, elapsedSeconds: number): Step {
  const orphan: Run = { ...run, isOrphan: true };
  const next = withNewRun(state, orphan);
  if (run.phase !== "ending") return begin(policy, next, orphan, elapsedSeconds);
  const seconds = Math.max(1, policy.killAfterSeconds - elapsedSeconds);
  const watch: JobAction[] = run.end === undefined ? [] : [{ type: "watchGroup", run: orphan }];
  return [next, [...watch, { type: "armGrace", run: orphan, seconds }]];
}

function begin(policy: JobPolicy, state: JobState, run: Run, elapsedSeconds: number): Step {
  // While it was starting, a run came that is to replace it.
  if (state.runs.some((r) => r.phase === "next")) return terminate(policy, withRun(state, run), run, "replace");
  const seconds = Math.max(1, policy.timeoutSeconds - elapsedSeconds);
  return [withRun(state, run), policy.timeoutSeconds > 0 ? [{ type: "armDeadline", run, seconds }] : []];
}

// From running to gone:

function terminate(policy: JobPolicy, state: JobState, run: Run, cause: NonNullable<Run["cause"]>): Step {
  const ending: Run = { ...run, phase: "ending", cause };
  const grace: JobAction = { type: "armGrace", run: ending, seconds: policy.killAfterSeconds };
  return [withRun(state, ending), [{ type: "terminate", run: ending }, grace]];
}

function kill(policy: JobPolicy, state: JobState, run: Run): Step {
  const killed: Run = { ...run, phase: "killed" };
  const action: JobAction = { type: "kill", run: killed };
  if (killed.end === undefined) {
    return [withRun(state, killed), [action, { type: "armGrace", run: killed, seconds: LAST_GRACE_SECONDS }]];
  }
  const [next, actions] = endAttempt(policy, state, killed, killed.end);
  return [next, [action, ...actions]];
}

function leaderExited(policy: JobPolicy, state: JobState, run: Run): Step {
  // It was sent SIGTERM, and so was its group: what is left of that has the rest of the grace.
  if (run.phase === "ending") return [withRun(state, run), [{ type: "watchGroup", run }]];
  return endAttempt(policy, state, run, run.end!);
}

function graceOver(policy: JobPolicy, state: JobState, run: Run): Step {
  if (run.phase === "ending") return kill(policy, state, run);
  // Not even SIGKILL ended it. A stop must end, so it is left behind; else it counts as running until it is gone.
  if (run.phase === "killed" && state.isStopping) {
    return endAttempt(policy, state, run, { exit: null, signal: null, error: "it did not die of SIGKILL" });
  }
  return [state, []];
}

// From an attempt to the result:

// The attempt is over: either the run is tried again later, or this is its result.
function endAttempt(policy: JobPolicy, state: JobState, run: Run, end: ProcessEnd): Step {
  const result = resultOf(run, end);
  if (!isRetried(policy, state, run, result)) {
    const [next, actions] = conclude(policy, state, run, result, end);
    return [next, [{ type: "finish", run, result, end }, ...actions]];
  }
  const retrySeconds = backoffSeconds(policy, run.attempt);
  const backoff: Run = { ...run, phase: "backoff", end };
  return [
    withRun(state, backoff),
    [
      { type: "finish", run, result, end, retrySeconds },
      { type: "armRetry", run: backoff, seconds: retrySeconds },
    ],
  ];
}

// Why it was ended goes before how: a command may exit with 0 on SIGTERM.
function resultOf(run: Run, end: ProcessEnd): Result {
  if (run.cause === "timeout") return "timeout";
  if (run.cause !== undefined || run.isOrphan) return "interrupted";
  return end.exit === 0 ? "success" : "failure";
}

// A run that was ended on purpose is not tried again, nor one whose event was lost with the listener that had it.
function isRetried(policy: JobPolicy, state: JobState, run: Run, result: Result): boolean {
  if (result === "success" || run.attempt > policy.retries || state.isStopping) return false;
  if (run.cause === "stop" || run.cause === "replace" || isEventLost(run)) return false;
  // After a crash there may be a run that was due later.
  const isLater = ({ number }: Run) => policy.overlap !== "allow" && number > run.number;
  const isSomeoneDue = state.waiting.length > 0 || state.runs.some((r) => r.phase === "next" || isLater(r));
  return !(policy.isRetryYielding && isSomeoneDue);
}

function whyNotRetried({ retries }: JobPolicy, run: Run): "lost" | "limit" | "due" {
  if (isEventLost(run)) return "lost";
  return run.attempt > retries ? "limit" : "due";
}

function isEventLost({ reason, event }: Run): boolean {
  return reason === "event" && event === undefined;
}

function backoffSeconds(policy: JobPolicy, attempt: number): number {
  return Math.min(MAX_RETRY_DELAY_SECONDS, policy.retryDelaySeconds * 2 ** (attempt - 1));
}

// After a crash there may be several runs to go on with, and only one of them may be going; with replace it is the latest.
function retry(policy: JobPolicy, state: JobState, before: Run): Step {
  const isInTheWay = (run: Run) =>
    policy.overlap === "replace" ? run.number > before.number : run.phase !== "backoff";
  if (policy.overlap !== "allow" && state.runs.some(isInTheWay)) return giveUp(policy, state, before, "busy");
  const { number, attempt, due, reason, serial, event } = before;
  // Interrupted before anybody saw it start: then nobody knows that it was allowed to.
  const isAsked = before.isOrphan && before.pid === undefined && isAskedAbout(policy, before);
  const phase = isAsked ? "asking" : "starting";
  const run: Run = { number, attempt: attempt + 1, due, reason, serial, event, phase };
  const [next, actions]: Step = isAsked
    ? [withRun(state, run), [{ type: "ask", run }]]
    : makeWay(policy, withRun(state, run), run);
  return [next, [{ type: "record", run }, ...actions]];
}

// An earlier listener was killed while the run waited for its next attempt. Meanwhile --retries may have changed. The wait
// begins anew, for nobody knows how much of it is over.
function resume(policy: JobPolicy, state: JobState, run: Run): Step {
  const backoff: Run = { ...run, phase: "backoff" };
  const next = withNewRun(state, backoff);
  if (!isRetried(policy, state, run, resultOf(run, run.end!)))
    return giveUp(policy, next, backoff, whyNotRetried(policy, run));
  return [next, [{ type: "armRetry", run: backoff, seconds: backoffSeconds(policy, run.attempt) }]];
}

function giveUp(policy: JobPolicy, state: JobState, run: Run, why: (JobAction & { type: "giveUp" })["why"]): Step {
  const result = resultOf(run, run.end!);
  const [next, actions] = conclude(policy, state, run, result, run.end!);
  return [next, [{ type: "giveUp", run, result, why }, ...actions]];
}

// Runs that wait for a retry give way to one that is due.
function giveWay(policy: JobPolicy, state: JobState): Step {
  if (!policy.isRetryYielding) return [state, []];
  let next = state;
  const actions: JobAction[] = [];
  for (const run of state.runs.filter((r) => r.phase === "backoff")) {
    const [after, more] = giveUp(policy, next, run, "due");
    next = after;
    actions.push(...more);
  }
  return [next, actions];
}

function conclude(policy: JobPolicy, state: JobState, run: Run, result: Result, end: ProcessEnd): Step {
  const failures = result === "success" ? 0 : state.failures + 1;
  const [next, actions] = advance(policy, { ...withoutRun(state, run), failures });
  return [next, [{ type: "conclude", run, result, end, failures }, ...actions]];
}

/** A run is gone: whose turn is it? The one that replaces it, else the oldest that waits. */
function advance(policy: JobPolicy, state: JobState): Step {
  const isLeft = (run: Run) => run.phase !== "next";
  if (state.runs.some(isLeft)) return [state, []];
  if (state.runs.length > 0) return start(state, state.runs[0]);
  if (state.isStopping) return [state, [{ type: "stopped" }]];
  if (state.waiting.length === 0) return [state, []];
  const [first, ...waiting] = state.waiting;
  return open(policy.ofNext ?? policy, { ...state, waiting }, first);
}

// The first stop asks every run to end, and what has not started is skipped; the second one kills.
function stopAll(policy: JobPolicy, state: JobState): Step {
  const [behind] = state.runs;
  const skips = state.waiting.map((dueRun): JobAction => ({ type: "skip", ...dueRun, behind }));
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

function stopOne(policy: JobPolicy, state: JobState, run: Run, isSecond: boolean): Step {
  const notStarted = { exit: null, signal: null, error: "stopped before it started" };
  switch (run.phase) {
    case "starting":
      return endAttempt(policy, state, { ...run, cause: "stop" }, notStarted);
    case "running":
      return terminate(policy, state, run, "stop");
    case "ending":
      return isSecond ? kill(policy, state, run) : [state, []];
    case "draining":
      return isSecond ? endAttempt(policy, state, run, run.end!) : [state, []];
    case "killed":
      return [state, [{ type: "armGrace", run, seconds: LAST_GRACE_SECONDS }]];
    case "backoff":
      return giveUp(policy, state, run, "stopped");
    case "asking":
    case "next":
      return [state, []]; // dismissed before
  }
}

// The state with another list of runs:

function withRun(state: JobState, run: Run): JobState {
  return { ...state, runs: state.runs.map((r) => (r.number === run.number ? run : r)) };
}

function withNewRun(state: JobState, run: Run): JobState {
  return { ...state, runs: [...state.runs, run].sort((a, b) => a.number - b.number) };
}

function withoutRun(state: JobState, run: Run): JobState {
  return { ...state, runs: state.runs.filter((r) => r.number !== run.number) };
}

// ── Settings ────────────────────────────────────────────────────────────────
// ONE table of options. Flags, environment variables, defaults, validation and --help all come from it, and a test holds
// README's table against it. To add an option: add a row, then README's row; its type follows from its `parse`.
//
// A parser gets the text and returns the value. It throws an Expectation (what is legal) or an Error (what is wrong);
// parseSetting makes the sentence, with the option's name and the user's own text.

/** What a parser would have accepted: "a whole number from 1 to 1000". */
class Expectation extends Error {}

/** The user's mistake. The message is the one line to show; no stack trace. */
export class UsageError extends Error {}

interface OptionSpec {
  readonly flag: string;
  /** None for the options of a subcommand. */
  readonly env?: string;
  readonly group: "schedule" | "when" | "how" | "telling" | "trial";
  /** A job's option may differ between the jobs of one listener; the others belong to subcommands. */
  readonly scope: "job" | "listener" | "simulate" | "check" | "trial" | "report";
  /** Name of the value in --help. None: a switch. */
  readonly metavar?: string;
  readonly default?: string;
  /** What --help shows for a default that depends. */
  readonly defaultText?: string;
  /** Only with these schedules (their keys in OPTIONS) does the option have an effect. */
  readonly onlyWith?: readonly string[];
  /** No message shows the value. */
  readonly isSecret?: boolean;
  /** Only beside this option does it have an effect. */
  readonly needs?: string;
  readonly about: string;
  parse(text: string): unknown;
}

const OPTIONS = {
  ticks: {
    flag: "--ticks",
    env: "TICK_GOAL",
    group: "schedule",
    scope: "job",
    metavar: "N",
    about: "run on every Nth tick counted (1 to 2^31)",
    parse: wholeNumber(1, 2 ** 31),
  },
  every: {
    flag: "--every",
    env: "TICK_EVERY",
    group: "schedule",
    scope: "job",
    metavar: "D",
    about: "run once in every slice of D; slices are aligned to the epoch, so 1h means on the hour (UTC)",
    parse: positiveDuration,
  },
  cron: {
    flag: "--cron",
    env: "TICK_CRON",
    group: "schedule",
    scope: "job",
    metavar: "EXPR",
    about: "run at the times of a cron expression: minute hour day month weekday, or @daily and the like",
    parse: parseCron,
  },
  on: {
    flag: "--on",
    env: "TICK_ON",
    group: "schedule",
    scope: "job",
    metavar: "EVENTS",
    about: "run on events of supervisord, such as PROCESS_STATE_FATAL; a list by comma, the payload on stdin",
    parse: parseEventNames,
  },
  crontab: {
    flag: "--crontab",
    env: "TICK_CRONTAB",
    group: "schedule",
    scope: "listener",
    metavar: "FILE",
    about: "many jobs: a crontab, read again when it changes and on SIGHUP; no command behind --",
    parse: parsePath,
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
    parse: parseDuration,
  },
  tick: {
    flag: "--tick",
    env: "TICK_EVENT",
    group: "when",
    scope: "listener",
    metavar: "TYPE",
    defaultText: "the first type seen",
    about: "which tick counts: TICK_5, TICK_60 or TICK_3600",
    parse: oneOf("TICK_5", "TICK_60", "TICK_3600"),
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
    parse: zoneNamed,
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
    parse: parseDuration,
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
    parse: parseDuration,
  },
  runOnStart: {
    flag: "--run-on-start",
    env: "TICK_RUN_ON_START",
    group: "when",
    scope: "job",
    default: "no",
    about: "also run once when the listener starts",
    parse: yesOrNo,
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
    parse: parseName,
  },
  overlap: {
    flag: "--overlap",
    env: "TICK_OVERLAP",
    group: "how",
    scope: "job",
    metavar: "POLICY",
    defaultText: "skip; with --on queue",
    about:
      "what a due run does while the last one is still going: skip, queue (one waits; with --on 1,000), replace (ends it first) or allow (runs beside it)",
    parse: oneOf("skip", "queue", "replace", "allow"),
  },
  timeout: {
    flag: "--timeout",
    env: "TICK_TIMEOUT",
    group: "how",
    scope: "job",
    metavar: "D",
    default: "0",
    about: "end a run after D: SIGTERM to its process group, SIGKILL after --kill-after; 0: no limit",
    parse: parseDuration,
  },
  killAfter: {
    flag: "--kill-after",
    env: "TICK_KILL_AFTER",
    group: "how",
    scope: "job",
    metavar: "D",
    default: "5s",
    about: "grace between SIGTERM and SIGKILL, also at stop; keep it below supervisord's stopwaitsecs (10 s)",
    parse: positiveDuration,
  },
  retries: {
    flag: "--retries",
    env: "TICK_RETRIES",
    group: "how",
    scope: "job",
    metavar: "N",
    default: "0",
    about: "try a failed run again, up to N times (at most 1000); a waiting retry gives way to the next due run",
    parse: wholeNumber(0, 1000),
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
    parse: parseRetryDelay,
  },
  maxRunning: {
    flag: "--max-running",
    env: "TICK_MAX_RUNNING",
    group: "how",
    scope: "listener",
    metavar: "N",
    default: "0",
    about: "how many commands may run at a time in all, the rest wait in order; 0: no limit",
    parse: wholeNumber(0, 2 ** 31),
  },
  onlyIf: {
    flag: "--only-if",
    env: "TICK_ONLY_IF",
    group: "how",
    scope: "job",
    metavar: "CMD",
    about:
      "before a run, /bin/sh -c CMD: exit 0 runs it, 1 holds it back, anything else or 10s without an answer is an error and holds it back",
    parse: parseShellCommand,
  },
  state: {
    flag: "--state",
    env: "TICK_STATE",
    group: "telling",
    scope: "listener",
    metavar: "FILE",
    defaultText: "/var/lib/supertick/NAME, else /tmp/supertick-UID/NAME",
    about: "the counter file; the run journal is FILE.runs beside it",
    parse: parsePath,
  },
  verbose: {
    flag: "--verbose",
    env: "TICK_VERBOSE",
    group: "telling",
    scope: "listener",
    default: "no",
    about: "also log each tick and the count",
    parse: yesOrNo,
  },
  log: {
    flag: "--log",
    env: "TICK_LOG",
    group: "telling",
    scope: "listener",
    metavar: "FORM",
    default: "raw",
    about:
      "raw: the command's output goes to stderr as it is; prefix: each line gets time, job and run; json: one object a line",
    parse: oneOf("raw", "prefix", "json"),
  },
  onFailure: {
    flag: "--on-failure",
    env: "TICK_ON_FAILURE",
    group: "telling",
    scope: "job",
    metavar: "CMD",
    about: "after the last attempt of a run that failed, timed out or was interrupted: /bin/sh -c CMD, 60s at most",
    parse: parseShellCommand,
  },
  onSuccess: {
    flag: "--on-success",
    env: "TICK_ON_SUCCESS",
    group: "telling",
    scope: "job",
    metavar: "CMD",
    about: "the same after a run that succeeded",
    parse: parseShellCommand,
  },
  onSkip: {
    flag: "--on-skip",
    env: "TICK_ON_SKIP",
    group: "telling",
    scope: "job",
    metavar: "CMD",
    about: "the same for a due run that was skipped, or that --only-if could not decide on",
    parse: parseShellCommand,
  },
  ping: {
    flag: "--ping",
    env: "TICK_PING",
    group: "telling",
    scope: "job",
    metavar: "URL",
    isSecret: true,
    about: "tell a service such as healthchecks: GET URL/start, then URL or URL/fail; 10s at most, no run waits for it",
    parse: parsePingUrl,
  },
  for: {
    flag: "--for",
    group: "trial",
    scope: "simulate",
    metavar: "D",
    default: "1h",
    about: "simulate: how much of supervisord's time to play",
    parse: positiveDuration,
  },
  speed: {
    flag: "--speed",
    group: "trial",
    scope: "simulate",
    metavar: "N",
    default: "600",
    about: "simulate: how many times faster than the clock; max: no pause, but no tick while a run is in progress",
    parse: parseSpeed,
  },
  from: {
    flag: "--from",
    group: "trial",
    scope: "trial",
    metavar: "TIME",
    defaultText: "now",
    about:
      "simulate: the time to begin at; check: list the runs after it; such as 2025-03-30T00:55:00Z (UTC where no zone is given)",
    parse: parseTime,
  },
  number: {
    flag: "-n",
    group: "trial",
    scope: "check",
    metavar: "N",
    default: "5",
    about: "check: how many of the next runs to list, 1 to 1000",
    parse: wholeNumber(1, 1000),
  },
  json: {
    flag: "--json",
    group: "trial",
    scope: "report",
    default: "no",
    about: "check, status: print one JSON object",
    parse: yesOrNo,
  },
} satisfies Record<string, OptionSpec>;

/** The options that name a schedule: one of them must be given. */
const SCHEDULE_KEYS = ["ticks", "every", "cron", "on", "crontab"] as const;

type OptionKey = keyof typeof OPTIONS;
type ValueOf<O> = O extends { parse(text: string): infer V }
  ? O extends { default: string }
    ? V
    : V | undefined
  : never;
/** The value of every option; undefined where none was given and there is no default. */
export type Settings = { readonly [K in OptionKey]: ValueOf<(typeof OPTIONS)[K]> };

/** The settings of one source. A higher layer goes before a lower one, option by option. */
interface Layer {
  readonly isFlags: boolean;
  readonly texts: ReadonlyMap<OptionKey, { readonly text: string; readonly origin: string }>;
}

interface EnvironmentLayer {
  readonly layer: Layer;
  readonly warnings: readonly string[];
}

/** What a command line asks for. */
interface CommandLine {
  readonly layer: Layer;
  readonly command: readonly string[];
}

const OPTION_KEYS = Object.keys(OPTIONS) as OptionKey[];
const specOf = (key: OptionKey): OptionSpec => OPTIONS[key];

/**
 * Reads `[options] -- command …`.
 * @param scopes which options are legal here
 * @param files takes the words that are no options, where there may be any
 * @throws UsageError
 */
export function parseCommandLine(
  args: readonly string[],
  scopes: ReadonlyArray<OptionSpec["scope"]>,
  files?: string[],
): CommandLine {
  const texts = new Map<OptionKey, { text: string; origin: string }>();
  const keys = OPTION_KEYS.filter((key) => scopes.includes(specOf(key).scope));
  for (let i = 0; i < args.length; i++) {
    const word = args[i];
    if (word === "--") return { layer: { isFlags: true, texts }, command: args.slice(i + 1) };
    if (!word.startsWith("-")) {
      if (isSwitch(keys, args[i - 1]) && [...YES, ...NO].includes(word.toLowerCase()))
        throw new UsageError(`${args[i - 1]} is a switch, its value is behind =: write ${args[i - 1]}=${word}`);
      if (files === undefined) throw noOption(word, i === 0 ? otherStart(word) : "");
      files.push(word);
      continue;
    }
    const [flag, ...inline] = word.split("=");
    const key = keys.find((k) => specOf(k).flag === flag);
    if (key === undefined) {
      if (OPTION_KEYS.some((k) => specOf(k).flag === flag))
        throw new UsageError(`${flag} does not belong here: see supertick --help for what takes it`);
      const flags = keys.map((k) => specOf(k).flag);
      throw new UsageError(`unknown option ${quote(flag)}${suggestion(flag, flags)}`);
    }
    if (texts.has(key)) throw new UsageError(`${flag} is given twice`);
    let text = inline.length > 0 ? inline.join("=") : undefined;
    if (text === undefined) text = specOf(key).metavar === undefined ? "yes" : args[++i];
    if (text === undefined || (inline.length === 0 && text === "--")) {
      throw new UsageError(`${flag} needs a value: ${specOf(key).about}`);
    }
    texts.set(key, { text, origin: flag });
  }
  return { layer: { isFlags: true, texts }, command: [] };
}

/** The environment variable of each of OPTION_KEYS; "" where it has none. */
function optionVariables(): string[] {
  return OPTION_KEYS.map((key) => specOf(key).env ?? "");
}

function isSwitch(keys: readonly OptionKey[], word: string | undefined): boolean {
  return keys.some((key) => specOf(key).flag === word && specOf(key).metavar === undefined);
}

const SUBCOMMANDS: readonly string[] = ["init", "check", "simulate", "status"];

/** What is meant by a first word that is neither an option nor a subcommand; "" where nothing is near. */
function otherStart(word: string): string {
  if (SUBCOMMANDS.includes(word)) return "";
  return ["--help", "--version"].includes(`--${word}`) ? `; did you mean --${word}?` : suggestion(word, SUBCOMMANDS);
}

function noOption(word: string, hint = ""): UsageError {
  return new UsageError(
    hint === ""
      ? `${quote(word)} is no option: the command goes behind --, and a value with spaces needs quotes`
      : `${quote(word)} is no option${hint}`,
  );
}

/** Reads the `TICK_…` variables; warns of those that name no option. */
export function parseEnvironment(env: NodeJS.ProcessEnv): EnvironmentLayer {
  const texts = new Map<OptionKey, { text: string; origin: string }>();
  const warnings: string[] = [];
  const names = optionVariables();
  for (const name of Object.keys(env)) {
    if (!name.startsWith("TICK_")) continue;
    const at = names.indexOf(name);
    if (at >= 0) texts.set(OPTION_KEYS[at], { text: env[name] ?? "", origin: name });
    else warnings.push(`${name.slice(0, 80)} is not a variable of supertick; it is ignored${suggestion(name, names)}`);
  }
  return { layer: { isFlags: false, texts }, warnings };
}

/**
 * The values that hold, from the layers in order of precedence.
 * @throws UsageError for a value that is not legal, two schedules on one level, a flag that has no effect
 */
export function resolveSettings(layers: readonly Layer[]): Settings {
  const settings = valuesOf(layers, chooseSchedule(layers));
  const { every, offset } = settings;
  if (every !== undefined && offset >= every) {
    const { text, origin } = layers.find((l) => l.texts.has("offset"))!.texts.get("offset")!;
    throw new UsageError(`${origin}: expected less than the slice of ${formatDuration(every)}, got ${quote(text)}`);
  }
  return settings;
}

// An option that has no effect is a mistake as a flag. From the environment or a crontab it may be meant for other jobs.
function valuesOf(layers: readonly Layer[], schedule: OptionKey): Settings {
  const settings: Partial<Record<OptionKey, unknown>> = {};
  for (const key of OPTION_KEYS) {
    const spec = specOf(key);
    const layer = layers.find((l) => l.texts.has(key));
    const isSchedule = (SCHEDULE_KEYS as readonly string[]).includes(key);
    const isIdle = isSchedule ? key !== schedule : spec.onlyWith !== undefined && !spec.onlyWith.includes(schedule);
    if (layer !== undefined && isIdle && layer.isFlags) {
      const partners = (spec.onlyWith ?? []).map((k) => specOf(k as OptionKey).flag).join(" or ");
      throw new UsageError(`${spec.flag} has no effect with ${specOf(schedule).flag}; it goes with ${partners}`);
    }
    const lacks = schedule === "crontab" ? undefined : spec.needs; // a crontab's own lines may bring it
    if (layer?.isFlags && lacks !== undefined && !layers.some((l) => l.texts.has(lacks as OptionKey))) {
      throw new UsageError(`${spec.flag} has no effect without ${specOf(lacks as OptionKey).flag}`);
    }
    if (layer !== undefined && !isIdle) settings[key] = parseSetting(key, layer.texts.get(key)!);
    else settings[key] = spec.default === undefined ? undefined : spec.parse(spec.default);
  }
  return settings as Settings;
}

// A higher level's schedule replaces a lower one's, so that a TICK_GOAL left in the environment does not kill --every.
function chooseSchedule(layers: readonly Layer[]): OptionKey {
  for (const { texts } of layers) {
    const given = SCHEDULE_KEYS.filter((key) => texts.has(key));
    if (given.length > 1) {
      throw new UsageError(`${given.map((key) => texts.get(key)!.origin).join(" and ")} are two schedules; give one`);
    }
    if (given.length === 1) return given[0];
  }
  const choices = SCHEDULE_KEYS.map((key) => `${specOf(key).flag} (${specOf(key).env})`);
  throw new UsageError(`when shall it run? Give one of ${choices.join(", ")}`);
}

function parseSetting(key: OptionKey, { text, origin }: { text: string; origin: string }): unknown {
  try {
    return specOf(key).parse(text);
  } catch (error) {
    const { message } = error as Error;
    const got = specOf(key).isSecret ? "" : `, got ${quote(text)}`;
    throw new UsageError(
      error instanceof Expectation ? `${origin}: expected ${message}${got}` : `${origin} ${quote(text)}: ${message}`,
    );
  }
}

/** Is the switch on? For subcommands that have no settings else. */
function isGiven({ texts }: Layer, key: OptionKey): boolean {
  const given = texts.get(key);
  return given !== undefined && parseSetting(key, given) === true;
}

/** The schedule that the settings name. `defaultZone` is asked only if it is needed. */
export function scheduleOf(settings: Settings, defaultZone: () => Zone): Schedule {
  if (settings.cron !== undefined) {
    const zone = settings.tz ?? defaultZone();
    return { kind: "cron", cron: settings.cron, zone, catchUpSeconds: settings.catchUp };
  }
  if (settings.on !== undefined) return { kind: "events", names: settings.on };
  if (settings.every !== undefined) {
    return { kind: "slices", everySeconds: settings.every, offsetSeconds: settings.offset };
  }
  return { kind: "ticks", every: settings.ticks! };
}

const MAX_WAITING_EVENTS = 1000;

/** The policy that the settings name. */
export function policyOf(settings: Settings): JobPolicy {
  const { on, timeout, killAfter, retries, retryDelay, onlyIf } = settings;
  const overlap = settings.overlap ?? (on === undefined ? "skip" : "queue");
  return {
    overlap,
    queueLimit: on === undefined ? 1 : MAX_WAITING_EVENTS,
    timeoutSeconds: timeout,
    killAfterSeconds: killAfter,
    retries,
    retryDelaySeconds: retryDelay,
    isRetryYielding: on === undefined || overlap === "replace",
    isAsking: onlyIf !== undefined,
  };
}

// What `parse` is in the table:

function wholeNumber(low: number, high: number): (text: string) => number {
  return (text) => {
    const n = Number(text);
    if (!/^\d{1,16}$/.test(text) || n < low || n > high) throw new Expectation(`a whole number from ${low} to ${high}`);
    return n;
  };
}

function positiveDuration(text: string): number {
  const seconds = parseDuration(text);
  if (seconds === 0) throw new Expectation("a duration of at least 1s");
  return seconds;
}

function parseRetryDelay(text: string): number {
  const seconds = positiveDuration(text);
  if (seconds > MAX_RETRY_DELAY_SECONDS) throw new Expectation("a duration of at most 1h");
  return seconds;
}

function parseShellCommand(text: string): string {
  if (text.trim() === "" || text.includes("\0")) throw new Expectation("a shell command");
  return text;
}

function parsePingUrl(text: string): string {
  try {
    if (/^https?:$/.test(new URL(text).protocol)) return text;
  } catch {
    // told below
  }
  throw new Expectation("an http or https URL");
}

function oneOf<T extends string>(...words: T[]): (text: string) => T {
  return (text) => {
    const word = words.find((w) => w === text);
    if (word === undefined) throw new Expectation(words.join(" or "));
    return word;
  };
}

const YES: readonly string[] = ["yes", "true", "1", "on"];
const NO: readonly string[] = ["no", "false", "0", "off"];

function yesOrNo(text: string): boolean {
  const word = text.toLowerCase();
  if (YES.includes(word)) return true;
  if (NO.includes(word)) return false;
  throw new Expectation("yes or no");
}

function isLegalName(text: string): boolean {
  return /^[^\s/\p{C}.][^/\p{C}]{0,99}$/u.test(text);
}

function parseName(text: string): string {
  if (!isLegalName(text)) {
    throw new Expectation(
      "a name of 1 to 100 characters, without / and control characters, that begins with no dot or space",
    );
  }
  return text;
}

function parsePath(text: string): string {
  if (text === "" || text.includes("\0")) throw new Expectation("a file name");
  return text;
}

// Supervisor's types by its documentation, https://supervisord.org/events.html, but for the ticks. One that is abstract
// there means all types below it.
const EVENT_TYPES = `EVENT
PROCESS_STATE PROCESS_STATE_STARTING PROCESS_STATE_RUNNING PROCESS_STATE_BACKOFF PROCESS_STATE_STOPPING
PROCESS_STATE_EXITED PROCESS_STATE_STOPPED PROCESS_STATE_FATAL PROCESS_STATE_UNKNOWN REMOTE_COMMUNICATION
PROCESS_LOG PROCESS_LOG_STDOUT PROCESS_LOG_STDERR
PROCESS_COMMUNICATION PROCESS_COMMUNICATION_STDOUT PROCESS_COMMUNICATION_STDERR
SUPERVISOR_STATE_CHANGE SUPERVISOR_STATE_CHANGE_RUNNING SUPERVISOR_STATE_CHANGE_STOPPING
PROCESS_GROUP PROCESS_GROUP_ADDED PROCESS_GROUP_REMOVED`.split(/\s/);

function parseEventNames(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  for (const name of names) {
    if (name.startsWith("TICK")) throw new Error("ticks are for --ticks, --every and --cron");
    if (!EVENT_TYPES.includes(name)) {
      throw new Error(`${quote(name)} is no event type of supervisord${suggestion(name.toUpperCase(), EVENT_TYPES)}`);
    }
  }
  return names;
}

function parseSpeed(text: string): number {
  if (text === "max") return Number.POSITIVE_INFINITY;
  const speed = Number(text);
  if (!/^\d{1,7}$/.test(text) || speed < 1 || speed > 1e6)
    throw new Expectation("a whole number from 1 to 1000000 or max");
  return speed;
}

/** Epoch seconds of a time in ISO 8601. @throws Expectation */
function parseTime(text: string): number {
  const iso = /^(\d{4})-(\d\d)-(\d\d)(T\d\d:\d\d(?::\d\d)?(Z|[+-]\d\d:\d\d)?)?$/.exec(text);
  const [, year, month, day, clock, zone] = iso ?? [];
  const seconds = Date.parse(clock === undefined || zone !== undefined ? text : `${text}Z`) / 1000;
  // Date.parse takes 30 February for the 1st or 2nd of March.
  const isRealDay = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === Number(day);
  if (iso === null || !isRealDay || !(seconds >= 0)) throw new Expectation("a time such as 2025-03-30T00:55:00Z");
  return seconds;
}

/** "; did you mean …?" where one of the known words is near; else "". */
function suggestion(word: string, known: readonly string[]): string {
  const [nearest] = known
    .map((name) => ({ name, distance: editDistance(word, name) }))
    .sort((a, b) => a.distance - b.distance);
  return nearest !== undefined && nearest.distance <= Math.max(1, word.length / 4)
    ? `; did you mean ${nearest.name}?`
    : "";
}

// Levenshtein's distance, one row at a time.
function editDistance(a: string, b: string): number {
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

// The text of --help, from the table:

const GROUP_TITLES: Readonly<Record<OptionSpec["group"], string>> = {
  schedule: "Schedule, exactly one",
  when: "When",
  how: "How",
  telling: "Telling",
  trial: "Subcommands",
};

function helpText(): string {
  const lines = [
    `supertick ${SUPERTICK_VERSION}: cron for supervisord, in one file`,
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
    "Each option is a flag or an environment variable; the flag goes first. Durations D: 90, 90s, 5m, 1h30m, 2d, 1w.",
  ];
  for (const group of Object.keys(GROUP_TITLES) as Array<OptionSpec["group"]>) {
    lines.push("", `${GROUP_TITLES[group]}:`);
    for (const key of OPTION_KEYS) if (specOf(key).group === group) lines.push(...helpRow(specOf(key)));
  }
  lines.push(
    "",
    "Try it:   supertick simulate --ticks 5 --for 15m -- echo hello",
    "Run now:  supervisorctl signal USR2 NAME",
  );
  return `${lines.join("\n")}\n`;
}

function helpRow(spec: OptionSpec): string[] {
  const flag = spec.metavar === undefined ? spec.flag : `${spec.flag} ${spec.metavar}`;
  const standard = spec.defaultText ?? spec.default;
  const note = standard === undefined ? "" : ` (default: ${standard})`;
  const head = `  ${flag.padEnd(18)} ${(spec.env ?? "").padEnd(18)} `;
  return [`${head}${spec.about}${note}`];
}

// ── Jobs ────────────────────────────────────────────────────────────────────
// What is configured. A crontab may have thousands, so a job is small: what many have in common is one object for all.
// To give a job another option: JobOptions, then optionsOf; what is done with it stands in the section Runs of a job.

/** What is to be run, and when. */
export interface Job {
  readonly name: string;
  /** A text is for the shell: see argvOf. */
  readonly command: string | readonly string[];
  readonly schedule: Schedule;
  /** jobId of schedule and command. */
  readonly id: string;
  readonly options: JobOptions;
  /** Of a crontab: variables of its commands. */
  readonly env?: Readonly<Record<string, string>>;
  /** Of a crontab: for the command's stdin. */
  readonly input?: string;
}

/** How its runs go, and what is done around them. */
interface JobOptions
  extends Pick<Settings, "runOnStart" | "jitter" | "onlyIf" | "onFailure" | "onSuccess" | "onSkip" | "ping"> {
  readonly policy: JobPolicy;
}

function optionsOf(settings: Settings): JobOptions {
  const { runOnStart, jitter, onlyIf, onFailure, onSuccess, onSkip, ping } = settings;
  return { policy: policyOf(settings), runOnStart, jitter, onlyIf, onFailure, onSuccess, onSkip, ping };
}

function jobOf(name: string, command: readonly string[], schedule: Schedule, settings: Settings): Job {
  return { name, command, schedule, id: jobId(schedule, command), options: optionsOf(settings) };
}

/** The program to be run, and its arguments. */
export function argvOf({ command, env }: Pick<Job, "command" | "env">): readonly string[] {
  return typeof command === "string" ? [env?.SHELL || "/bin/sh", "-c", command] : command;
}

function isRunOnStart({ schedule, options }: Job): boolean {
  return options.runOnStart || schedule.kind === "start";
}

/** Each run is delayed by a time below this, in seconds. */
function jitterOf({ schedule, options }: Job): number {
  return isByClock(schedule) ? options.jitter : 0;
}

/** Are its due times the same everywhere? A count of ticks, an event and a start have none that could be shifted. */
function isByClock({ kind }: Schedule): boolean {
  return kind === "slices" || kind === "cron";
}

/** The same for the same schedule and command, and practically for no other: 53 bits of two multiplicative hashes. */
export function jobId(schedule: Schedule, command: readonly string[]): string {
  const text = JSON.stringify([scheduleRecord(schedule), command]);
  let a = 1;
  let b = 2;
  for (let i = 0; i < text.length; i++) {
    a = Math.imul(a ^ text.charCodeAt(i), 0x01000193);
    b = Math.imul(b ^ text.charCodeAt(i), 0x5bd1e995);
  }
  return ((a >>> 0) * 2 ** 21 + (b >>> 11)).toString(36);
}

// ── Crontab ─────────────────────────────────────────────────────────────────
// Many jobs in one file, in the form that people have:
//
//   line     = "" | "#" text
//            | NAME "=" value                        a variable of the commands below; quotes keep blanks at its ends
//            | "TICK_…" "=" value                    an option of the jobs below, TICK_NAME of the next one only; empty: as
//                                                    if it had never been set here. CRON_TZ is TICK_TZ
//            | schedule command
//   schedule = minute hour day month weekday | "@daily" | …
//            | "@every" D | "@ticks" N               as --every and --ticks; the count of ticks is one for all jobs
//            | "@start" | "@reboot"                  when the listener starts
//
// A command is the rest of its line, run by SHELL -c. As in cron, its first % ends it and what follows is its stdin, with
// further % as line ends; \% is a %. All mistakes are gathered: a file with one is not used at all.
// To add a kind of line: extend the grammar, then `take`; to add an @word: AT_WORDS and lineSchedule.

/** One job of a crontab. */
interface CrontabJob extends Job {
  readonly line: number;
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
  /** Of its own and of the layers around: see parseCrontab. */
  readonly settings: Settings;
}

export interface Crontab {
  readonly jobs: readonly CrontabJob[];
  /** FILE:LINE: what is wrong. */
  readonly mistakes: readonly string[];
  /** FILE:LINE: what is not as in cron. */
  readonly warnings: readonly string[];
}

/** What a crontab's text does not say itself. */
interface CrontabContext {
  /** For messages. */
  readonly path: string;
  readonly flags: Layer;
  readonly environment: Layer;
  defaultZone(): Zone;
  /** Is it the name of a user, and no command in PATH? Such a word in front of a command is a system crontab's. */
  isUser(word: string, path?: string): boolean;
}

const AT_WORDS = [...Object.keys(MACROS), "@every", "@ticks", "@start", "@reboot"];
const VARIABLES_OF_CRON = [
  ["MAILTO", "supertick sends no mail; TICK_ON_FAILURE can"],
  ["MAILFROM", "supertick sends no mail; TICK_ON_FAILURE can"],
  ["HOME", "the commands start in supertick's own directory, with cron they would in this one"],
  ["RANDOM_DELAY", "it delays nothing; TICK_JITTER does"],
  ["TZ", "it is for the commands alone, as in cron; CRON_TZ or TICK_TZ is for the schedules"],
] as const;

/** Reads a crontab. A job's options: flags go before its lines, those before the environment. Never throws. */
export function parseCrontab(text: string, context: CrontabContext): Crontab {
  const reader = new CrontabReader(context);
  const mistakes: string[] = [];
  text
    .replace(/^\ufeff/, "")
    .split("\n")
    .forEach((line, i) => {
      try {
        reader.take(line.trim(), i + 1);
      } catch (error) {
        mistakes.push(`${context.path}:${i + 1}: ${(error as Error).message}`);
      }
    });
  const { jobs, warnings, pendingName } = reader;
  if (pendingName !== undefined)
    mistakes.push(`${context.path}:${pendingName.line}: TICK_NAME names no job: none follows`);
  nameJobs(jobs, mistakes, context.path);
  return { jobs, mistakes, warnings };
}

/** A job before nameJobs: `name` is empty where the file gives none. */
type FoundJob = CrontabJob & { name: string };

// Takes line after line, and keeps what those so far have set for the ones below: options, variables, the next job's name. A
// crontab may have thousands of lines: what is done for each of them makes no more objects than it must.
class CrontabReader {
  readonly jobs: FoundJob[] = [];
  readonly warnings: string[] = [];
  pendingName: { text: string; line: number } | undefined;
  private readonly options = new Map<OptionKey, { text: string; origin: string }>();
  private common: Pick<CrontabJob, "settings" | "options"> | undefined; // of the options so far
  private env: Readonly<Record<string, string>> = {};
  private readonly crons = new Map<string, CronExpression>(); // many lines may have the same

  constructor(private readonly context: CrontabContext) {}

  /** @throws Error: what is wrong with the line */
  take(line: string, number: number): void {
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

  private warn(line: number, text: string): void {
    this.warnings.push(`${this.context.path}:${line}: ${text}`);
  }

  private takeOption(name: string, text: string, line: number): void {
    const key = name === "CRON_TZ" ? "tz" : OPTION_KEYS.find((k) => specOf(k).env === name);
    if (key === undefined)
      throw new Error(`${name} is not a variable of supertick${suggestion(name, optionVariables())}`);
    if ((SCHEDULE_KEYS as readonly string[]).includes(key))
      throw new Error(`${name} is a schedule: here it stands at the beginning of the job's own line`);
    if (specOf(key).scope !== "job")
      throw new Error(`${name} is the listener's: give it as ${specOf(key).flag}, or in its environment`);
    if (text !== "") parseSetting(key, { text, origin: name });
    if (key === "name") this.pendingName = text === "" ? undefined : { text, line };
    else {
      if (text === "") this.options.delete(key);
      else this.options.set(key, { text, origin: name });
      this.common = undefined;
    }
  }

  private takeJob(text: string, line: number): void {
    const { env } = this;
    const { settings, options } = this.common ?? this.findCommon();
    const parts = splitJobLine(text);
    const schedule = this.lineSchedule(parts.schedule, settings);
    const { command, input } = splitPercent(parts.command);
    checkUserColumn(command, (word) => this.context.isUser(word, env.PATH));
    if (command.trim() === "") throw new Error("the command is empty: it begins with %");
    const name = this.pendingName === undefined ? "" : this.pendingName.text;
    const id = jobId(schedule, argvOf({ command, env }));
    this.jobs.push({ name, command, schedule, id, options, env, input, line, settings });
    this.pendingName = undefined;
    if (WEEKDAY_COMMAND.test(command))
      this.warn(
        line,
        `the command is ${quote(command.split(/[ \t]/, 1)[0])}: a line has five time fields, then the command`,
      );
    if (input !== undefined)
      this.warn(line, "the first % ends the command, and what follows is its stdin, as in cron; \\% is a %");
  }

  private findCommon(): Pick<CrontabJob, "settings" | "options"> {
    const { flags, environment } = this.context;
    const settings = valuesOf([flags, { isFlags: false, texts: this.options }, environment], "crontab");
    this.common = { settings, options: optionsOf(settings) };
    return this.common;
  }

  private lineSchedule(text: string, { tz, catchUp, offset }: Settings): Schedule {
    if (text === "@start" || text === "@reboot") return { kind: "start" };
    if (text.startsWith("@ticks") || text.startsWith("@every")) {
      const [origin, value] = text.split(/[ \t]+/);
      if (origin === "@ticks")
        return { kind: "ticks", every: parseSetting("ticks", { text: value, origin }) as number, isOfAll: true };
      const everySeconds = parseSetting("every", { text: value, origin }) as number;
      if (offset < everySeconds) return { kind: "slices", everySeconds, offsetSeconds: offset };
      throw new Error(`@every ${value}: the offset of ${formatDuration(offset)} is not less than the slice`);
    }
    let cron = this.crons.get(text);
    if (cron === undefined) {
      cron = parseSetting("cron", { text, origin: "schedule" }) as CronExpression;
      this.crons.set(text, cron);
    }
    return { kind: "cron", cron, zone: tz ?? this.context.defaultZone(), catchUpSeconds: catchUp };
  }
}

const VARIABLE_LINE = /^(["']?)([A-Za-z_][\w.-]*)\1[ \t]*=[ \t]*(.*)$/;
const FIELDS_LINE = /^((?:[^ \t]+[ \t]+){4}[^ \t]+)[ \t]+(.+)$/;
const VALUE_LINE = /^(@[^ \t]+[ \t]+[^ \t]+)[ \t]+(.+)$/;
const WORD_LINE = /^(@[^ \t]+)[ \t]+(.+)$/;
// No command looks like this; cron would take a sixth time field for one.
const SIXTH_FIELD = /^(?:[\d*?][\d*?,/-]*|(?:SUN|MON|TUE|WED|THU|FRI|SAT)(?:[-,#][\dA-Z,#-]+)?)(?:[ \t]|$)/;

const WEEKDAY_COMMAND = /^(?:sun|mon|tue|wed|thu|fri|sat)(?:[-,#][\da-z,#-]+)?[ \t]/i; // most likely meant for a time field

/** The text between the quotes; without quotes, the text. Values may be secrets: no message shows one. */
function unquote(name: string, value: string): string {
  const mark = value[0];
  if (mark !== '"' && mark !== "'") return value;
  const end = value.indexOf(mark, 1);
  if (end < 0) throw new Error(`the value of ${name} has no closing ${mark}`);
  if (end < value.length - 1) throw new Error(`the value of ${name} goes on behind its closing ${mark}`);
  return value.slice(1, -1);
}

function splitJobLine(line: string): { schedule: string; command: string } {
  const hasValue = /^@(?:every|ticks)(?:[ \t]|$)/.test(line);
  const form = line.startsWith("@") ? (hasValue ? VALUE_LINE : WORD_LINE) : FIELDS_LINE;
  const parts = form.exec(line);
  if (parts === null || (form === WORD_LINE && !AT_WORDS.includes(parts[1]))) throw jobLineMistake(line);
  if (form === FIELDS_LINE && SIXTH_FIELD.test(parts[2]))
    throw new Error(
      "there is a sixth time field: a line has five, then the command; @every 10s is finer than a minute",
    );
  return { schedule: parts[1], command: parts[2] };
}

function jobLineMistake(line: string): Error {
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

// Cron's rule, by its do_command.c: a backslash before a % is taken off, any other one stays.
function splitPercent(text: string): { command: string; input?: string } {
  if (!text.includes("%")) return { command: text };
  let end = 0;
  while (end < text.length && text[end] !== "%") end += text[end] === "\\" ? 2 : 1;
  const command = text.slice(0, end).replace(/\\%/g, "%");
  if (end >= text.length) return { command };
  const input = text.slice(end + 1).replace(/\\?%/g, (mark) => (mark === "%" ? "\n" : "%"));
  return { command, input: input === "" || input.endsWith("\n") ? input : `${input}\n` };
}

function checkUserColumn(command: string, isUser: (word: string) => boolean): void {
  const words = /^([A-Za-z_][\w-]*)[ \t]+[^-|&;<>\s]/.exec(command); // no command begins with an option
  if (words === null || !isUser(words[1])) return;
  throw new Error(
    `${quote(words[1])} is a user, as in a system crontab: supertick runs every job as the user that it is itself; remove that column`,
  );
}

/** Those without a name get their command's, then .2, .3 …: by the order of the lines alone. */
function nameJobs(jobs: readonly FoundJob[], mistakes: string[], path: string): void {
  const lines = new Map<string, number>();
  for (const { name, line } of jobs) {
    const other = name === "" ? undefined : lines.get(name);
    if (other !== undefined)
      mistakes.push(`${path}:${line}: the job in line ${other} has the name ${quote(name)} already`);
    lines.set(name, line);
  }
  const counts = new Map<string, number>(); // a thousand jobs may have the same command
  for (const job of jobs) {
    if (job.name !== "") continue;
    const base = commandName(job.command);
    let count = counts.get(base) ?? 0;
    do {
      count++;
      job.name = count === 1 ? base : `${base}.${count}`;
    } while (lines.has(job.name));
    counts.set(base, count);
    lines.set(job.name, job.line);
  }
}

/** A=1 exec /usr/bin/sync-all --quiet → sync-all */
function commandName(command: string): string {
  const word = /^(?:(?:\w+=\S*|exec)\s+)*(\S*)/.exec(command)![1];
  const name = word.replace(/["'();]/g, "");
  const base = name.slice(name.lastIndexOf("/") + 1);
  return isLegalName(base) ? base : "job";
}

/** What makes a job the same when its name has changed. */
export interface KnownJob {
  readonly name: string;
  /** jobId of its schedule and command; undefined where that was not recorded. */
  readonly id?: string;
}

/**
 * Whose past belongs to which job: for each of `jobs` the name of one of `known`, or undefined for a new one. An unchanged
 * job (same schedule and command) keeps its past whatever its name has become; after that, names decide.
 */
export function matchJobs(jobs: readonly KnownJob[], known: readonly KnownJob[]): Array<string | undefined> {
  const left = new Map(known.map((one) => [one.name, one]));
  const byId = new Map<string, string[]>();
  for (const { name, id } of known) {
    const alike = id === undefined ? undefined : byId.get(id);
    if (alike !== undefined) alike.push(name);
    else if (id !== undefined) byId.set(id, [name]);
  }
  const names: Array<string | undefined> = jobs.map(() => undefined);
  const claim = (find: (job: KnownJob) => string | undefined) =>
    jobs.forEach((job, i) => {
      const name = names[i] === undefined ? find(job) : undefined;
      if (name !== undefined && left.delete(name)) names[i] = name;
    });
  claim((job) => (left.get(job.name)?.id === job.id ? job.name : undefined)); // unchanged
  claim((job) => byId.get(job.id ?? "")?.find((name) => left.has(name))); // another name
  claim((job) => job.name); // another schedule or command
  return names;
}

// ═══ The outside world starts here ══════════════════════════════════════════

// Where one of these is treated otherwise than Node, a comment says why.
const isBun = process.versions.bun !== undefined;
const isDeno = process.versions.deno !== undefined;

// ── Log ─────────────────────────────────────────────────────────────────────
// Lines for people, on stderr: our own and, with --log prefix or json, what the commands write. A pipe whose reader has
// stopped must cost no tick, so nothing here ever waits for it: our own lines are dropped and counted when too many are
// queued, and a command's pipe is not read until there is room.
//
// The descriptor 2 is shared with every job, and so is its O_NONBLOCK: set it, and jobs lose output. So we open a
// description of our own, which can be non-blocking without anybody noticing. process.stderr is never touched: Node
// would make the shared one non-blocking for good.
// To add a form: extend LogForm and the two functions below, ownLine and outputFormat.

const MAX_QUEUED_LOG_BYTES = 64 * 1024;
const MAX_LOG_RETRY_MS = 200;
const LOG_PATIENCE_MS = 1000;
const MAX_OUTPUT_LINE_BYTES = 64 * 1024;

type LogForm = "raw" | "prefix" | "json";
/** What a line of ours is about, for --log json. */
type LogFacts = Readonly<Record<string, string | number | null | undefined>>;

/** Whose output it is. */
interface OutputSource {
  readonly job: string;
  readonly run?: number;
  /** "only-if", "on-failure", …; none: the job's command. */
  readonly hook?: string;
}

/** Takes the output of one command. */
interface Output {
  /** Does a line say which of the two streams it came from? If not, one pipe for both keeps their order. */
  readonly isStreamTold: boolean;
  read(stream: NodeJS.ReadableStream, name: "stdout" | "stderr"): void;
}

interface Log {
  /** One line; control characters in it are escaped. */
  line(text: string, facts?: LogFacts): void;
  /** The log of one job: its name stands in every line. */
  ofJob(job: string): Log;
  /** undefined: the command writes to descriptor 2 itself. */
  outputOf(source: OutputSource): Output | undefined;
  /** What is still queued goes out, or is given up after a second. To be called before the process exits. */
  flush(): void;
}

function createLog(form: LogForm): Log {
  const queue = new LogQueue((lost) =>
    ownLine(form, undefined, `the reader of this log was stopped; lines lost: ${lost}`, {}),
  );
  function logOf(job: string | undefined): Log {
    return {
      line: (text, facts = {}) => queue.sendOwn(ownLine(form, job, text, facts)),
      ofJob: logOf,
      outputOf(source) {
        if (form === "raw") return undefined;
        const read: Output["read"] = (stream, name) => copyLines(stream, outputFormat(form, source, name), queue);
        return { isStreamTold: form === "json", read };
      },
      flush: () => queue.flush(),
    };
  }
  return logOf(undefined);
}

/** Tells a trouble that lasts once, and again when it is another one or was over in between. */
function createTroubleReport(log: Log) {
  let told: string | undefined;
  return {
    is(text: string): void {
      if (text !== told) log.line(text);
      told = text;
    },
    isOver(): void {
      told = undefined;
    },
  };
}

/** Whole lines of what a command writes go to the log; while that is full, nothing is read. */
function copyLines(stream: NodeJS.ReadableStream, format: OutputFormat, queue: LogQueue): void {
  const cutter = createLineCutter();
  const send = (lines: OutputLine[]) => {
    if (lines.length > 0) queue.send(format(new Date().toISOString(), lines));
  };
  const goOn = () => void stream.resume();
  stream.on("data", (bytes: Buffer) => {
    send(cutter.push(bytes.toString("latin1")));
    if (queue.hasRoom) return;
    stream.pause();
    queue.waitingReaders.add(goOn);
  });
  stream.on("error", () => {}); // "close" follows
  const end = () => {
    queue.waitingReaders.delete(goOn);
    send(cutter.end());
  };
  stream.on("end", end); // comes before the child's "close"
  stream.on("close", end); // comes alone when the pipe was let go
}

/** What is on its way to stderr. */
class LogQueue {
  /** To be called, each once, when there is room again. */
  readonly waitingReaders = new Set<() => void>();
  private own: number | undefined;
  private isOpen = false;
  private readonly queue: Array<{ bytes: Buffer; isOwn: boolean }> = [];
  private queuedBytes = 0;
  private ownQueuedBytes = 0;
  private lost = 0;
  private retry: NodeJS.Timeout | undefined;
  private retryMs = 1;
  private isPatient = true; // until the reader lets us wait in vain

  /** @param lostLine says how many of our lines were dropped */
  constructor(private readonly lostLine: (lost: number) => string) {}

  get hasRoom(): boolean {
    return this.queuedBytes < MAX_QUEUED_LOG_BYTES;
  }

  /** Is taken in any case: `hasRoom` tells whether to send more. */
  send(bytes: Buffer, isOwn = false): void {
    if (!this.isOpen) this.own = openOwnStderr(); // not before READY, which goes out as early as it can
    this.isOpen = true;
    this.push(bytes, isOwn);
    this.drain();
    // Without a description of our own the write may meet EAGAIN only because a job made the shared one non-blocking;
    // its reader is alive then, so waiting a little loses nothing.
    if (this.own === undefined) this.flush();
    this.drainLater();
  }

  /** Of ours, what is too much is dropped and counted. */
  sendOwn(line: string): void {
    const bytes = Buffer.from(line);
    if (this.ownQueuedBytes + bytes.length > MAX_QUEUED_LOG_BYTES) this.lost++;
    else this.send(bytes, true);
  }

  /** What is still queued goes out, or is given up after a second. */
  flush(): void {
    for (const end = monotonicSeconds() + LOG_PATIENCE_MS / 1000; this.queue.length > 0; sleep(10)) {
      this.drain();
      if (!this.isPatient || monotonicSeconds() > end) break;
    }
    this.isPatient = this.queue.length === 0;
  }

  private push(bytes: Buffer, isOwn: boolean): void {
    this.queue.push({ bytes, isOwn });
    this.queuedBytes += bytes.length;
    if (isOwn) this.ownQueuedBytes += bytes.length;
  }

  private drain(): void {
    while (this.queue.length > 0) {
      const [first] = this.queue;
      const written = tryWrite(this.own ?? 2, first.bytes);
      if (written === undefined) return;
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

  private drainLater(): void {
    if (this.queue.length === 0 || this.retry !== undefined) return;
    this.retry = setTimeout(() => {
      this.retry = undefined;
      this.retryMs = Math.min(2 * this.retryMs, MAX_LOG_RETRY_MS);
      this.drain();
      if (this.hasRoom) this.goOnReading();
      this.drainLater();
    }, this.retryMs);
    this.retry.unref();
  }

  private goOnReading(): void {
    const readers = [...this.waitingReaders];
    this.waitingReaders.clear();
    for (const goOn of readers) goOn();
  }
}

/** A line of our own, in a form of --log. */
function ownLine(form: LogForm, job: string | undefined, text: string, facts: LogFacts): string {
  const time = form === "raw" ? "" : new Date().toISOString();
  if (form === "json") return `${jsonText({ time, source: "supertick", job, ...facts, message: text })}\n`;
  const whose = job === undefined ? "" : `${job}: `;
  const line = `supertick: ${whose}${text}`.replace(/[\u0000-\u001f]/g, escapeCodeUnit);
  return form === "prefix" ? `${time} ${escapeUnsafe(line)}\n` : `${escapeUnsafe(line)}\n`;
}

type OutputFormat = (time: string, lines: readonly OutputLine[]) => Buffer;

/** How lines are written that a command wrote. */
function outputFormat(form: LogForm, { job, run, hook }: OutputSource, source: "stdout" | "stderr"): OutputFormat {
  if (form === "json") {
    return (time, lines) => {
      const facts = jsonText({ time, source, job, run, hook }).slice(0, -1);
      const texts = textsOf(lines).map(({ encoding, message }, i) => {
        const partial = lines[i].isPartial ? ',"partial":true' : "";
        const text = /^[ !#-[\]-~]*$/.test(message) ? `"${message}"` : jsonText(message); // most need no escape
        return `${facts}${encoding},"message":${text}${partial}}\n`;
      });
      return Buffer.from(texts.join(""));
    };
  }
  const whose = utf8Bytes(quote(`${job}[${run ?? ""}]${hook === undefined ? "" : ` ${hook}`}`).slice(1, -1));
  return (time, lines) => Buffer.from(lines.map(({ bytes }) => `${time} ${whose}: ${bytes}\n`).join(""), "latin1");
}

// Decoded all at once, which is much faster than line by line. A line that is no UTF-8 keeps every byte as one code unit,
// and says so: where one is, each line must be looked at.
function textsOf(lines: readonly OutputLine[]): Array<{ encoding: string; message: string }> {
  const all = decodeUtf8(lines.map(({ bytes }) => bytes).join("\n"));
  if (!all.includes("\ufffd")) return all.split("\n").map((message) => ({ encoding: "", message }));
  return lines.map(({ bytes }) => {
    const message = decodeUtf8(bytes);
    const isUtf8 = !message.includes("\ufffd") || utf8Bytes(message) === bytes;
    return isUtf8 ? { encoding: "", message } : { encoding: ',"encoding":"latin1"', message: bytes };
  });
}

function utf8Bytes(text: string): string {
  return Buffer.from(text).toString("latin1");
}

/** A piece of what a command writes: a line without its newline, or 64 KiB of one. One character a byte (latin1). */
interface OutputLine {
  readonly bytes: string;
  /** The line goes on. */
  readonly isPartial: boolean;
}

/** Cuts a stream of bytes (latin1) into lines; no character of UTF-8 is ever cut in two. */
export function createLineCutter(): { push(bytes: string): OutputLine[]; end(): OutputLine[] } {
  let rest = "";
  const cut = (line: string, isOver: boolean, lines: OutputLine[]): OutputLine[] => {
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
      const lines: OutputLine[] = [];
      for (let i = 0; i < parts.length - 1; i++) cut(parts[i], true, lines);
      cut(parts[parts.length - 1], false, lines);
      return lines;
    },
    end: () => (rest === "" ? [] : cut(rest, true, [])),
  };
}

// Where the character begins that this byte belongs to; in what is no UTF-8, the byte itself.
function characterStart(bytes: string, at: number): number {
  for (let start = at; start > at - 4; start--) if ((bytes.charCodeAt(start) & 0xc0) !== 0x80) return start;
  return at;
}

function openOwnStderr(): number | undefined {
  const { O_WRONLY, O_APPEND, O_NONBLOCK } = fs.constants;
  try {
    if (fs.fstatSync(2).isFile()) return undefined; // it never blocks, and the offset that jobs write at is shared
    return fs.openSync("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK);
  } catch {
    return undefined; // a socket, another user's pipe, or no /proc
  }
}

// Deno's writeSync goes on until all is written: when the pipe fills up halfway, it throws and does not say how much went
// out. Of so few bytes a pipe takes all or none.
const MAX_WRITE_BYTES = isDeno ? 4096 : Number.POSITIVE_INFINITY;

/** Bytes written; undefined if the reader is behind. A log that nobody can ever read again swallows everything. */
function tryWrite(fd: number, bytes: Buffer): number | undefined {
  try {
    return fs.writeSync(fd, bytes, 0, Math.min(bytes.length, MAX_WRITE_BYTES));
  } catch (error) {
    return errorCode(error) === "EAGAIN" ? undefined : bytes.length;
  }
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function monotonicSeconds(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds + nanoseconds / 1e9;
}

function hostName(): string {
  return (require("os") as typeof import("os")).hostname();
}

/** An error of ours that is told as those of the system are: by its code alone. */
function codedError(code: string): Error {
  return Object.assign(new Error(), { code });
}

function errorCode(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

// ── Processes ───────────────────────────────────────────────────────────────
// Who is alive, and the commands that are run: each the leader of a session and process group of its own, so that a signal
// reaches all that it has started, and none that is meant for supertick reaches it.
// To start something else: startProcess for a command, startShell for what has a time limit and beside which runs go on.

/** A process that can be recognised later: its pid may be somebody else's by then, its pid and start time may not. */
interface ProcessIdentity {
  readonly pid: number;
  /** In clock ticks since the machine's boot; 0 where there is no /proc. */
  readonly start: number;
}

function formatIdentity({ pid, start }: ProcessIdentity): string {
  return `${pid}:${start}`;
}

/** The live process with this pid; undefined if there is none, or only its zombie. */
function identify(pid: number): ProcessIdentity | undefined {
  const [state, , , , ...rest] = processFields(pid);
  return state === undefined || state === "Z" || state === "X" ? undefined : { pid, start: Number(rest[15]) };
}

// pid (any text) state ppid group session …: those behind the name, of which the 20th is the start time.
function processFields(pid: number): string[] {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}

/**
 * The leader of a run whose pid was not written down, because its listener was killed right after it had started it: it
 * is known by the variables that every run gets.
 */
function findRun(listener: ProcessIdentity, job: string, run: number): ProcessIdentity | undefined {
  const facts = [`SUPERTICK_LISTENER=${formatIdentity(listener)}`, ...factsOf(job, run)];
  const leader = findProcess((pid) => processFields(Number(pid))[3] === pid && hasVariables(pid, facts));
  return leader === undefined ? undefined : identify(leader);
}

/** Is there something left of the process group of a run whose leader is gone? Its number may be another group's by now. */
function hasLeftover(leader: ProcessIdentity, job: string, run: number): boolean {
  if (identify(leader.pid) !== undefined) return false;
  const group = String(leader.pid);
  const facts = factsOf(job, run);
  return findProcess((pid) => processFields(Number(pid))[2] === group && hasVariables(pid, facts)) !== undefined;
}

function factsOf(job: string, run: number): string[] {
  return [`SUPERTICK_JOB=${job}`, `SUPERTICK_RUN=${run}`];
}

/** Does a command that is no hook have them in its environment? */
function hasVariables(pid: string, facts: readonly string[]): boolean {
  const variables = tryReadFile(`/proc/${pid}/environ`).split("\0");
  const isHook = variables.some((variable) => variable.startsWith("SUPERTICK_HOOK="));
  return facts.every((fact) => variables.includes(fact)) && !isHook;
}

function findProcess(isIt: (pid: string) => boolean): number | undefined {
  try {
    const found = fs.readdirSync("/proc").find((name) => /^\d+$/.test(name) && isIt(name));
    return found === undefined ? undefined : Number(found);
  } catch {
    return undefined;
  }
}

function isAlive(process: ProcessIdentity): boolean {
  return process.start > 0 && identify(process.pid)?.start === process.start;
}

type ChildProcess = import("child_process").ChildProcess;
type Readable = import("stream").Readable;

interface ProcessPlan {
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** For its stdin; undefined: nothing. */
  readonly input?: string;
  /** undefined: it writes where our log goes, for stdout is supervisord's. */
  readonly output?: Output;
  /** With `output`: it is gone, and what it wrote is still being read. `onEnd` follows within LAST_OUTPUT_SECONDS. */
  onExit?(end: ProcessEnd): void;
  onEnd(end: ProcessEnd): void;
}

/**
 * Starts a command as the leader of a session and process group of its own.
 * @returns undefined where it could not be started; `onEnd` says why, later
 */
function startProcess({ command, env, input, output, onExit, onEnd }: ProcessPlan): ProcessIdentity | undefined {
  const { spawn } = require("child_process") as typeof import("child_process");
  const onError = (error: unknown) => onEnd({ exit: null, signal: null, error: startError(command[0], error) });
  const stdin = input === undefined ? "ignore" : (tryStore(input) ?? "pipe");
  const pipes = output === undefined ? undefined : tryMakePipes(output.isStreamTold ? 2 : 1);
  const theirs = output === undefined ? [2, 2] : (pipes?.writeEnds ?? ["pipe", "pipe"]);
  const stdio = [stdin, ...theirs] as Array<number | "ignore" | "pipe">;
  try {
    const child = spawn(command[0], command.slice(1), { env, stdio, detached: true });
    child.stdin?.on("error", () => {}); // a command need not read it
    child.stdin?.end(input);
    const [out, err] = pipes?.streams ?? [child.stdout, child.stderr];
    if (out) output?.read(out, "stdout");
    if (err) output?.read(err, "stderr");
    child.on("error", (error) => child.pid === undefined && onError(error));
    child.on("exit", (exit, signal) => {
      const end = () => onEnd({ exit, signal });
      if (output === undefined) return end();
      onExit?.({ exit, signal });
      whenOutputEnds([out, err], pipes === undefined ? [child] : pipes.streams, end);
    });
    return child.pid === undefined ? undefined : { pid: child.pid, start: identify(child.pid)?.start ?? 0 };
  } catch (error) {
    for (const stream of pipes?.streams ?? []) stream.destroy();
    setImmediate(onError, error);
    return undefined;
  } finally {
    for (const end of new Set([stdin, ...(pipes?.writeEnds ?? [])])) if (typeof end === "number") fs.closeSync(end);
  }
}

const LAST_OUTPUT_SECONDS = 1;

// What a command left behind may hold its pipes open. They are let go after a second, but for one that is not read because
// the log is full: what is in it shall not be lost. A child is "closed" when it has exited and Node's pipes to it are.
function whenOutputEnds(
  streams: ReadonlyArray<Readable | null | undefined>,
  closing: ReadonlyArray<Readable | ChildProcess>,
  onEnd: () => void,
): void {
  const open = new Set(closing.filter((one) => !("destroyed" in one && one.destroyed)));
  if (open.size === 0) return onEnd();
  let isOver = false;
  const end = () => {
    cancel();
    if (!isOver) onEnd();
    isOver = true;
  };
  const cancel = startTimer(LAST_OUTPUT_SECONDS, () => {
    for (const stream of streams) if (!stream?.isPaused()) stream?.destroy();
    end();
  });
  for (const one of open) {
    one.on("close", () => {
      open.delete(one);
      if (open.size === 0) end();
    });
  }
}

interface OutputPipes {
  /** Of stdout and stderr; they may be the same. The child's: to be closed as soon as it has been started. */
  readonly writeEnds: readonly [number, number];
  /** What comes out of them: one for both, or one of each. */
  readonly streams: readonly Readable[];
}

/**
 * Node would give a command sockets, and a socket can't be opened anew by its name: `echo x >/dev/stderr` fails. Node
 * can't make pipes, but mkfifo(1) can, and once its name is gone a FIFO is a pipe in every respect.
 * @returns undefined where that can't be done: then sockets must do
 */
function tryMakePipes(count: 1 | 2): OutputPipes | undefined {
  // Bun can't read from one; what Deno itself would make are pipes already.
  if (isBun || isDeno) return undefined;
  const { execFileSync } = require("child_process") as typeof import("child_process");
  const { Socket } = require("net") as typeof import("net");
  const { O_RDONLY, O_WRONLY, O_NONBLOCK } = fs.constants;
  return tryInPrivateDirectory(["1", "2"].slice(0, count), (names) => {
    execFileSync("mkfifo", ["-m", "600", ...names], { stdio: "ignore" });
    const ends: number[] = [];
    try {
      // Our end first: without a reader, the opening of the other one would wait for it.
      for (const name of names)
        for (const flags of [O_RDONLY | O_NONBLOCK, O_WRONLY]) ends.push(fs.openSync(name, flags));
      const streams = ends
        .filter((_, i) => i % 2 === 0)
        .map((fd) => new Socket({ fd, readable: true, writable: false }));
      return { writeEnds: [ends[1], ends[ends.length - 1]], streams };
    } catch (error) {
      for (const end of ends) fs.closeSync(end);
      throw error;
    }
  });
}

/** For a command's stdin. A file, so that nothing has to be fed, and `cat /dev/stdin` works. */
function tryStore(input: string): number | undefined {
  return tryInPrivateDirectory(["input"], ([file]) => {
    fs.writeFileSync(file, input, { mode: 0o600 });
    return fs.openSync(file, "r");
  });
}

// What is opened in it loses its name at once, so nothing is left behind. The names are known, for reading the directory
// would take a descriptor, and there may be none.
function tryInPrivateDirectory<T>(names: readonly string[], open: (files: string[]) => T): T | undefined {
  const directory = tryMakePrivateDirectory();
  if (directory === undefined) return undefined;
  const files = names.map((name) => `${directory}/${name}`);
  try {
    return open(files);
  } catch {
    return undefined;
  } finally {
    for (const file of files) tryRemove(fs.unlinkSync, file);
    tryRemove(fs.rmdirSync, directory);
  }
}

function tryRemove(remove: (path: string) => void, path: string): void {
  try {
    remove(path);
  } catch {} // it was never made
}

// A container's read-only root mostly leaves /dev/shm.
function tryMakePrivateDirectory(): string | undefined {
  for (const parent of [process.env.TMPDIR || "/tmp", "/tmp", "/dev/shm"]) {
    try {
      return fs.mkdtempSync(`${parent}/supertick-pipe-`);
    } catch {} // the next one may do
  }
  return undefined;
}

const SHELL_GRACE_SECONDS = 1;

interface ShellPlan extends Omit<ProcessPlan, "command" | "onExit" | "onEnd"> {
  /** It has ended, or its time is over. */
  onEnd(end: ProcessEnd, isLate: boolean): void;
  /** Nothing is left to do about it: after its end, or when what was late has been killed. */
  onGone(): void;
}

/**
 * Runs a shell command beside the jobs: a hook, a question. After `limitSeconds` it is ended, and `onEnd` is told so at once.
 * @returns the function that kills it; `onEnd` is not called then
 */
function startShell(text: string, limitSeconds: number, plan: ShellPlan): () => void {
  let isTold = false;
  let isLate = false;
  let isGone = false;
  const tell = (how: ProcessEnd) => {
    cancelLimit();
    if (!isTold) plan.onEnd(how, isLate);
    isTold = true;
  };
  const beGone = () => {
    if (!isGone) plan.onGone();
    isGone = true;
  };
  const onEnd = (how: ProcessEnd) => {
    tell(how);
    if (!isLate) beGone();
  };
  const onExit = () => cancelLimit(); // the answer is there, whatever holds its output open
  const leader = startProcess({ ...plan, command: ["/bin/sh", "-c", text], onExit, onEnd });
  const signal = (name: NodeJS.Signals) => leader !== undefined && signalGroup(leader.pid, name);
  const kill = () => {
    isTold = true;
    cancelLimit();
    signal("SIGKILL");
    beGone();
  };
  const cancelLimit = startTimer(limitSeconds, () => {
    isLate = true;
    signal("SIGTERM");
    startTimer(SHELL_GRACE_SECONDS, kill); // the group may outlive its leader
    tell({ exit: null, signal: null, error: `no end after ${limitSeconds}s` });
  });
  return kill;
}

/** Why a command could not be started, in words. */
function startError(program: string, error: unknown): string {
  const reasons: Record<string, string> = {
    ENOENT: `${quote(program)} was not found`,
    EACCES: `${quote(program)} is not executable`,
    EAGAIN: "there is no room for another process: a limit of processes or memory",
    E2BIG: "its arguments and environment are too long",
  };
  const code = errorCode(error);
  return `${code}: ${reasons[code] ?? (error as Error).message}`;
}

/** Sends a signal to a process group. Is anything of it left? Signal 0 only asks. */
function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-leader, signal);
    return true;
  } catch (error) {
    return errorCode(error) !== "ESRCH";
  }
}

const MAX_TIMER_SECONDS = 2 ** 31 / 1000 - 1;

/** setTimeout for any length: Node's own fires at once beyond 2^31 ms. Returns the function that cancels it. */
function startTimer(seconds: number, onEnd: () => void): () => void {
  let timer: NodeJS.Timeout;
  const arm = (left: number) => {
    const piece = Math.min(left, MAX_TIMER_SECONDS);
    timer = setTimeout(() => (left > piece ? arm(left - piece) : onEnd()), piece * 1000);
  };
  arm(seconds);
  return () => clearTimeout(timer);
}

// ── Pings ───────────────────────────────────────────────────────────────────
// Tell a service that a run has begun and what it came to: GET URL/start, then URL or URL/fail, as healthchecks has it
// (https://healthchecks.io/docs/http_api/). Best effort: no run waits, and what fails is told once, until it fails
// in another way. The URL may hold a secret: only its host is ever logged.
// To speak to another kind of service: pingUrl makes the addresses, and PingKind is what there is to tell.

const PING_SECONDS = 10;

type PingKind = "start" | "success" | "fail";

interface Pinger {
  /** The pings of one run go out in order. */
  ping(run: DueRun & { readonly number: number }, what: PingKind, onEnd: () => void): void;
}

function createPinger(url: string, job: string, log: Log): Pinger {
  const trouble = createTroubleReport(log);
  const lastOfRun = new Map<number, Promise<void>>();
  const { host } = new URL(url);

  return {
    ping(run, what, onEnd) {
      const before = lastOfRun.get(run.number) ?? Promise.resolve();
      const ended = before
        .then(() => sendPing(pingUrl(url, what, pingRunId(job, run))))
        .then((error) => {
          if (error === undefined) trouble.isOver();
          else trouble.is(`--ping: ${host}: ${error}`);
          if (lastOfRun.get(run.number) === ended) lastOfRun.delete(run.number);
          onEnd();
        });
      lastOfRun.set(run.number, ended);
    },
  };
}

/** The address of one ping. `rid`: a UUID that the service knows the run by. */
export function pingUrl(base: string, what: PingKind, rid: string): string {
  const url = new URL(base);
  if (what !== "success") url.pathname = `${url.pathname.replace(/\/$/, "")}/${what}`;
  url.searchParams.set("rid", rid);
  // These two are decoded, which throws where a % is just a %.
  for (const part of ["username", "password"] as const)
    if (!isPercentEncoded(url[part])) url[part] = url[part].replace(/%/g, "%25");
  return url.href;
}

function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

// The same after a restart: a hash of what the run is, in the form of a UUID of version 5 (RFC 9562).
function pingRunId(job: string, { number, due }: { number: number; due: number }): string {
  const { createHash } = require("crypto") as typeof import("crypto");
  const hex = createHash("sha1").update(`${hostName()} ${job} ${number} ${due}`).digest("hex");
  const variant = ((Number.parseInt(hex[16], 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

// Node 12 would send user and password as they stand in the URL, encoded.
function pingHeaders({ username, password }: URL): Record<string, string> {
  const headers = { "user-agent": `supertick/${SUPERTICK_VERSION}` };
  if (username === "" && password === "") return headers;
  const credentials = Buffer.from([username, password].map(decodeURIComponent).join(":"));
  return { ...headers, authorization: `Basic ${credentials.toString("base64")}` };
}

/** What went wrong; undefined if the service has taken it. Redirects are not followed. */
function sendPing(url: string): Promise<string | undefined> {
  const { get } = require(url.startsWith("https:") ? "https" : "http") as typeof import("http");
  return new Promise((resolve) => {
    const end = (error?: string) => {
      cancel();
      resolve(error);
      request.destroy();
    };
    const cancel = startTimer(PING_SECONDS, () => end(`no answer after ${PING_SECONDS}s`));
    const request = get(url, { agent: false, headers: pingHeaders(new URL(url)) }, ({ statusCode = 0 }) =>
      end(statusCode >= 200 && statusCode < 300 ? undefined : `HTTP status ${statusCode}`),
    );
    request.on("error", (error) => end(errorCode(error)));
  });
}

// ── Supervisord's pipes ─────────────────────────────────────────────────────
// Events come in through descriptor 0, answers go out through descriptor 1. process.stdin and process.stdout are not
// touched: they load more code, and make pipes that others share non-blocking.

interface Input {
  /** Takes nothing more; what comes stays in the pipe. */
  pause(): void;
  bytesRead(): number;
}

const READ_BUFFER_BYTES = 4096;

/** @param onBytes gets latin1, one character a byte @param onEnd is called once, at the end of the input or an error */
function openInput(onBytes: (bytes: string) => void, onEnd: () => void): Input {
  let isPaused = false;
  let bytesRead = 0;
  const take = (buffer: Buffer, length: number) => {
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
    bytesRead: () => bytesRead,
  };
}

// A socket on the descriptor waits without a thread, so signals are acted on; reads of a pipe by fs would block one.
// With `onread` every read lands in the same small buffer.
function openInputStream(take: (buffer: Buffer, length: number) => void): NodeJS.ReadableStream {
  const stats = fs.fstatSync(0);
  if ((!stats.isFIFO() && !stats.isSocket()) || isBun) {
    return process.stdin.on("data", (bytes: Buffer) => take(bytes, bytes.length));
  }
  const net = require("net") as typeof import("net");
  const buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
  const onread = {
    buffer,
    callback(length: number): boolean {
      take(buffer, length);
      return true;
    },
  };
  // `onread` belongs to the constructor's options too, but not to its type.
  return new net.Socket({ fd: 0, readable: true, writable: false, onread } as import("net").SocketConstructorOpts);
}

/** @throws EPIPE when supervisord has closed the pipe */
function writeToSupervisord(text: string): void {
  writeFully(1, text);
}

/** Writes all of it, also where that takes several writes. */
function writeFully(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) {
    try {
      done += fs.writeSync(fd, bytes, done);
    } catch (error) {
      // Somebody else who holds the pipe has made it non-blocking.
      if (errorCode(error) !== "EAGAIN") throw error;
      sleep(1);
    }
  }
}

// ── Files ───────────────────────────────────────────────────────────────────
// Somebody else may have made what stands under the name of a file of ours. So what is no regular file is not opened, and
// in a directory that all may write to, neither is what belongs to others. Whoever asks for what is not there or can't be had
// gets nothing (try…, …Of), or an error whose code tells why.

/**
 * In a directory like /tmp anybody may have made the name before us: as a link to what is ours, or with a run in it that
 * we would kill. So what belongs neither to us nor to the directory's owner is left alone, as by the kernel's
 * protected_symlinks. Elsewhere the owner may be anybody, as on a container's volume.
 * @throws with a code that says so
 */
function refuseForeign(path: string): void {
  const directory = fs.statSync(directoryOf(path));
  const isShared = (directory.mode & 0o1002) === 0o1002;
  if (!isShared) return;
  const owner = tryOwnerOf(path);
  if (owner === undefined || owner === process.geteuid!() || owner === directory.uid) return;
  throw codedError("it belongs to another user");
}

function directoryOf(path: string): string {
  return path.replace(/[^/]*$/, "") || ".";
}

function tryOwnerOf(path: string): number | undefined {
  try {
    return fs.lstatSync(path).uid;
  } catch {
    return undefined;
  }
}

/**
 * Opens a file for reading and, where that is allowed, for writing: one that can only be read still has a count to take over.
 * @throws with a code of the system's or of ours
 */
function openRegularFile(path: string): { fd: number; isWritable: boolean } {
  const { O_RDWR, O_RDONLY } = fs.constants;
  try {
    return { fd: openRegular(path, O_RDWR), isWritable: true };
  } catch (error) {
    if (errorCode(error) !== "EACCES" && errorCode(error) !== "EROFS") throw error;
    return { fd: openRegular(path, O_RDONLY), isWritable: false };
  }
}

// O_NONBLOCK: a FIFO in its place must not hang us.
function openRegular(path: string, access: number): number {
  refuseForeign(path);
  const fd = fs.openSync(path, access | fs.constants.O_NONBLOCK);
  if (fs.fstatSync(fd).isFile()) return fd;
  fs.closeSync(fd);
  throw codedError("no regular file");
}

/** Its first 4 KiB: no counter file is longer. */
function readStart(fd: number): string {
  const bytes = Buffer.alloc(4096);
  return bytes.toString("utf8", 0, fs.readSync(fd, bytes, 0, bytes.length, 0));
}

/** @throws as openRegularFile does */
function readStartOf(path: string): string {
  const { fd } = openRegularFile(path);
  try {
    return readStart(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** All of it; "" where it cannot be read. */
function tryReadFile(path: string): string {
  try {
    const { fd } = openRegularFile(path);
    const text = fs.readFileSync(fd, "utf8");
    fs.closeSync(fd);
    return text;
  } catch {
    return "";
  }
}

function isReadableFile(path: string): boolean {
  try {
    fs.accessSync(path, fs.constants.R_OK);
    return fs.statSync(path).isFile();
  } catch {
    return false; // a link to nowhere, another user's, or in another user's directory
  }
}

function isLink(path: string): boolean {
  try {
    return fs.lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** In bytes; 0 where there is none. */
function sizeOf(path: string): number {
  try {
    return fs.lstatSync(path).size;
  } catch {
    return 0;
  }
}

/** What is in a directory; nothing where it cannot be read. */
function namesIn(directory: string): string[] {
  try {
    return fs.readdirSync(directory).sort();
  } catch {
    return [];
  }
}

/** A new name is on the disk only when its directory is. */
function syncDirectory(file: string): void {
  try {
    const fd = fs.openSync(directoryOf(file), fs.constants.O_RDONLY);
    fs.fsyncSync(fd);
    fs.closeSync(fd);
  } catch {
    // not every file system can
  }
}

// ── Counter file ────────────────────────────────────────────────────────────
// 256 bytes, overwritten by one write at each tick: killed at any instruction, the old or the new content is there.
// Line 1 is the count alone, as the script that supertick replaces wrote it. Line 2 is the last tick, and who counts:
//
//   3
//   when=1700000040 serial=21 period=60 decided=1700000040 fixed=1700000040 supervisor=1:310 listener=77:412   (padded)
//
// It is read at start only. A file that cannot be written costs a warning, not the count: that goes on in memory.
// To keep something more: CounterContent, formatCounter and parseCounter, which passes over what it does not know.

const COUNTER_FILE_BYTES = 256;

/** What the counter file says. The replaced script left the count only. */
export interface CounterContent {
  readonly count: number;
  readonly clock?: TickClock;
  /** Seconds between two ticks. */
  readonly periodSeconds?: number;
  readonly supervisor?: ProcessIdentity;
  readonly listener?: ProcessIdentity;
}

/** What is written to it. */
export interface NewCounterContent extends CounterContent {
  readonly periodSeconds: number;
  readonly supervisor: ProcessIdentity;
  readonly listener: ProcessIdentity;
}

/** The text of the file, without the spaces and the newline at its end. */
export function formatCounter(content: NewCounterContent): string {
  const { count, clock, supervisor, listener, periodSeconds } = content;
  // toFixed, since V8 caches the texts of plain conversions, and the young generation grows by them.
  const numbers = (clock: TickClock) =>
    `when=${clock.whenSeconds.toFixed()} serial=${clock.serial.toFixed()} period=${periodSeconds} ` +
    `decided=${clock.decidedSeconds.toFixed()} fixed=${clock.fixedDecidedSeconds.toFixed()} `;
  const tick = clock === undefined ? "" : numbers(clock);
  return `${count.toFixed()}\n${tick}supervisor=${formatIdentity(supervisor)} listener=${formatIdentity(listener)}`;
}

/**
 * Reads what formatCounter or the replaced script wrote; anything else is refused.
 * @throws Expectation
 */
export function parseCounter(text: string): CounterContent {
  const [first, second = ""] = text.split("\n");
  if (!/^(0|[1-9]\d{0,14})\r?$/.test(first.trim())) throw new Expectation("a count on its first line");
  const fields = new Map(
    second
      .trim()
      .split(" ")
      .map((field) => field.split("=") as [string, string]),
  );
  const number = (key: string) => (/^\d{1,16}$/.test(fields.get(key) ?? "") ? Number(fields.get(key)) : undefined);
  const identity = (key: string) => {
    const match = /^(\d{1,10}):(\d{1,16})$/.exec(fields.get(key) ?? "");
    return match === null ? undefined : { pid: Number(match[1]), start: Number(match[2]) };
  };
  const [whenSeconds, serial] = [number("when"), number("serial")];
  const clock =
    whenSeconds === undefined || serial === undefined
      ? undefined
      : {
          whenSeconds,
          serial,
          decidedSeconds: number("decided") ?? whenSeconds,
          fixedDecidedSeconds: number("fixed") ?? whenSeconds,
          isRestored: true,
        };
  return {
    count: Number(first.trim()),
    clock,
    periodSeconds: Object.values(TICK_PERIODS).find((period) => period === number("period")),
    supervisor: identity("supervisor"),
    listener: identity("listener"),
  };
}

interface CounterFile {
  /** As it was found; a count of 0 where there was none, or a bad one. */
  readonly found: CounterContent;
  /** Never throws: what cannot be written is told once, and tried again at the next tick. */
  write(content: NewCounterContent): void;
}

/** @param path undefined: the count lives in memory only */
function openCounterFile(path: string | undefined, log: Log): CounterFile {
  const bytes = Buffer.alloc(COUNTER_FILE_BYTES);
  const trouble = createTroubleReport(log);
  const { found, isKept, ...opened } = path === undefined ? NO_FILE : findCounterFile(path, log);
  let fd = opened.fd;
  let opening = fd === undefined ? undefined : fs.fstatSync(fd);
  let isCut = false; // the replaced script's file may have been longer

  // The first write may have to make the file, and so may one after somebody took it away.
  function overwrite(file: string): void {
    if (fd === undefined || opening === undefined || !isStillAt(file, opening)) {
      if (fd !== undefined) fs.closeSync(fd);
      fd = undefined;
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
      if (path === undefined || isKept) return;
      bytes.fill(" ");
      bytes.write(formatCounter(content), "latin1");
      bytes.write("\n", COUNTER_FILE_BYTES - 1);
      try {
        overwrite(path);
        trouble.isOver();
      } catch (error) {
        trouble.is(`cannot write ${path}: ${errorCode(error)}; counting in memory until it can`);
      }
    },
  };
}

/** Another live listener whose name stands in the counter file. `isEnding`: its supervisord is dead. */
interface Rival extends ProcessIdentity {
  readonly isEnding: boolean;
}

/** undefined: none, or it is dead, or we are it. */
function findRival(path: string | undefined): Rival | undefined {
  const { listener, supervisor } = (path !== undefined && tryReadCounter(path)) || NO_FILE.found;
  if (listener === undefined || listener.pid === process.pid || !isAlive(listener)) return undefined;
  return { ...listener, isEnding: supervisor !== undefined && !isAlive(supervisor) };
}

function inUseBy(path: string, rival: Rival): string {
  return `${path} is in use by the listener with pid ${rival.pid}: each needs a --name or --state of its own`;
}

interface FoundCounterFile {
  readonly found: CounterContent;
  readonly fd?: number;
  /** Something stands there that is the user's and could not be set aside: it must not be overwritten. */
  readonly isKept?: boolean;
}

const NO_FILE: FoundCounterFile = { found: { count: 0 } };

// What can't be a counter file is set aside, not overwritten: a wrong --state must not cost anybody a file.
function findCounterFile(path: string, log: Log): FoundCounterFile {
  let got: string;
  let isAtFault = true;
  try {
    const { fd, isWritable } = openRegularFile(path);
    const text = readStart(fd);
    if (text === "") log.line(`${path} is empty; counting from 0`);
    const found = text === "" ? { count: 0 } : tryParseCounter(text);
    if (found !== undefined) return { found, fd: isWritable ? fd : undefined };
    got = `expected a count, got ${quote(text)}`;
    fs.closeSync(fd);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return NO_FILE;
    got = `it cannot be read (${errorCode(error)})`;
    isAtFault = !["EMFILE", "ENFILE", "ENOMEM"].includes(errorCode(error)); // it may be as good as ever
  }
  const isAside = isAtFault && setAside(path);
  const kept = isAside
    ? `kept as ${path}.bad, counting from 0`
    : "it is left as it is, and the count is kept in memory only";
  log.line(`${path}: ${got}; ${kept}`);
  return { ...NO_FILE, isKept: !isAside };
}

function tryReadCounter(path: string): CounterContent | undefined {
  try {
    return parseCounter(readStartOf(path));
  } catch {
    return undefined;
  }
}

function tryParseCounter(text: string): CounterContent | undefined {
  try {
    return parseCounter(text);
  } catch {
    return undefined;
  }
}

// Renamed where that is possible; a bind-mounted file is copied and emptied. A directory with something in it stays, and so
// does what is no file: --state /dev/null must not cost the machine its /dev/null.
function setAside(path: string): boolean {
  try {
    refuseForeign(path);
  } catch {
    return false;
  }
  try {
    const there = fs.statSync(path);
    const isOurs = there.isFile() || (there.isDirectory() && fs.readdirSync(path).length === 0);
    if (!isOurs) return false;
    fs.renameSync(path, `${path}.bad`);
    return true;
  } catch {
    try {
      if (!fs.statSync(path).isFile()) return false; // copying a FIFO would hang
      fs.copyFileSync(path, `${path}.bad`);
      fs.truncateSync(path);
      return true;
    } catch {
      return false;
    }
  }
}

// Not so when it was deleted, moved away or replaced under us.
function isStillAt(path: string, opening: fs.Stats): boolean {
  try {
    const { ino, dev } = fs.statSync(path);
    return ino === opening.ino && dev === opening.dev;
  } catch {
    return false;
  }
}

/** Makes the file whole under another name and renames it; where that is refused, it is written in place. */
function createCounterFile(path: string, bytes: Buffer): number {
  const { O_RDWR, O_CREAT, O_EXCL } = fs.constants;
  const draft = `${path}.${process.pid}.new`;
  refuseForeign(path);
  try {
    if (isLink(path)) throw new Error("renaming would replace the link, not what it names");
    const fd = fs.openSync(draft, O_RDWR | O_CREAT | O_EXCL, 0o600);
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
    return fs.openSync(path, O_RDWR | O_CREAT, 0o600);
  }
}

/** What the files beside a counter file are called; no job's own counter file is called so. */
const FURTHER_FILES = /\.(runs|runs\.1|bad|new)$/;

/**
 * Where the files are when --state says nothing: /var/lib/supertick if that is writable, else a directory of our own
 * below $TMPDIR or /tmp. That one must really be ours alone, for anybody may make names in /tmp.
 * @throws Error with the reason why there is no safe place
 */
function defaultStatePath(name: string): string {
  const file = encodeURIComponent(name).replace(/^\./, "%2E").slice(0, 200).replace(FURTHER_FILES, "%2E$1");
  try {
    fs.accessSync("/var/lib/supertick/", fs.constants.W_OK | fs.constants.X_OK);
    // Deno looks at the permissions alone, which say nothing about a disk that is read-only.
    if (isDeno) fs.rmdirSync(fs.mkdtempSync("/var/lib/supertick/.writable-"));
    return `/var/lib/supertick/${file}`;
  } catch {
    const uid = process.getuid!();
    const directory = `${process.env.TMPDIR || "/tmp"}/supertick-${uid}`;
    try {
      fs.mkdirSync(directory, 0o700);
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw new Error(`cannot make ${directory}: ${errorCode(error)}`);
    }
    if (!isPrivateTo(uid, directory))
      throw new Error(`${directory} is not a directory that belongs to user ${uid} alone`);
    return `${directory}/${file}`;
  }
}

/** Is it a real directory that belongs to that user alone? */
function isPrivateTo(uid: number, directory: string): boolean {
  try {
    const there = fs.lstatSync(directory);
    return there.isDirectory() && there.uid === uid && (there.mode & 0o077) === 0;
  } catch {
    return false;
  }
}

// ── Run journal ─────────────────────────────────────────────────────────────
// FILE.runs: one JSON object a line, appended: what was started, and how it ended. `starting` is on the disk before the
// process exists, so that after a crash, even a power cut, no run is started a second time unknowingly.
// Over 256 KiB the file becomes FILE.runs.1; both are read. A line that is torn or damaged is ignored.
// To record something new: extend JournalRecord, then foldLine; whoever reads the journal passes over types it does not know.

const MAX_JOURNAL_BYTES = 256 * 1024;
const MAX_UNWRITTEN_LINES = 1000;

export type JournalRecord =
  /** What the job is. `was`: its name until now. The journal adds what it knows of its past. */
  | ({ type: "job"; job: string; was?: string } & JobRecord & Partial<PastRecord>)
  /** It is not configured any more, and nothing of it is in progress. */
  | { type: "removed"; job: string }
  | { type: "starting"; job: string; run: number; attempt: number; due: number; reason: Reason; serial?: number }
  | { type: "started"; job: string; run: number; attempt: number; pid: number; start: number }
  /** It was sent SIGTERM: its group has a grace from then on. */
  | { type: "ending"; job: string; run: number; cause: NonNullable<Run["cause"]> }
  /** `retryIn`: it is tried again after so many seconds; else this is the result of the run. */
  | ({
      type: "finished";
      job: string;
      run: number;
      attempt: number;
      result: Result;
      seconds: number;
      retryIn?: number;
    } & ProcessEnd)
  /** It was to be tried again, and is not: the result of the run. */
  | { type: "givenUp"; job: string; run: number; result: Result }
  /** It was due, and did not start. */
  | { type: "held"; job: string; run: number; due: number; why: HoldReason; error?: string }
  | { type: "skipped"; job: string; due: number; reason: Reason }
  /** It was due, and waits for the run before; `starting` or `skipped` follows. */
  | { type: "waiting"; job: string; due: number; reason: Reason; serial?: number }
  /** `count`: 1,001 stands for any number above 1,000; `due`: the latest of them. */
  | { type: "missed"; job: string; due: number; count: number };

/** What a job is, as far as the journal tells. */
interface JobRecord {
  readonly schedule: ScheduleRecord;
  /** Seconds by which each run starts later than it is due. */
  readonly delay?: number;
  /** The same for the same schedule and command. */
  readonly id?: string;
}

/** What a new file begins with, so that two rotations forget nothing of a job. */
interface PastRecord {
  readonly lastRun: number;
  readonly failures: number;
  readonly recent: string;
  readonly last?: LastResult;
  readonly lastDue?: LastDue;
}

/** The last run that a tick brought; of one that waits or was skipped, no number. */
interface LastDue {
  readonly due: number;
  readonly run?: number;
  readonly serial?: number;
}

/** A record as it stands in the file. `at`: epoch seconds of the machine's clock, with fraction. */
type JournalLine = JournalRecord & { at: number };
type LineOf<T extends JournalRecord["type"]> = Extract<JournalRecord, { type: T }> & { at: number };

/** What the last run came to. */
interface LastResult {
  readonly result: Result;
  /** Epoch seconds. */
  readonly at: number;
  /** Of its last attempt. */
  readonly seconds: number;
}

/** A run that the journal saw start but not come to its result: what it says of the last attempt. */
interface OpenRun {
  readonly starting: LineOf<"starting">;
  readonly started?: LineOf<"started">;
  readonly ending?: LineOf<"ending">;
  /** It waits for its next attempt. */
  readonly finished?: LineOf<"finished">;
}

/** What the journal says of one job's past. */
export interface JobPast {
  readonly job?: JobRecord & { readonly at: number };
  readonly lastRun: number;
  readonly openRuns: readonly OpenRun[];
  /** Due, and not started yet. */
  readonly waiting: ReadonlyArray<LineOf<"waiting">>;
  /** How many runs in a row came to another result than success. */
  readonly failures: number;
  readonly last?: LastResult;
  /** The last twenty, a letter each: the first one of its result, or "-" for a due time that nothing ran for. */
  readonly recent: string;
  readonly lastDue?: LastDue;
  /** Of the last event of each kind that started a run; -1 if there was none. */
  readonly lastSerials: Readonly<Record<"remote" | "event", number>>;
}

export const NO_PAST: JobPast = {
  lastRun: 0,
  openRuns: [],
  waiting: NOTHING,
  failures: 0,
  recent: "",
  lastSerials: { remote: -1, event: -1 },
};

const MAX_RECENT = 20;

/** The past of each job, from the lines of a journal, the oldest first. */
export function readJournal(texts: readonly string[]): Map<string, JobPast> {
  const pasts = new Map<string, JobPast>();
  for (const text of texts) {
    const line = tryParseLine(text);
    if (line !== undefined) remember(pasts, line);
  }
  return pasts;
}

function remember(pasts: Map<string, JobPast>, line: JournalLine): void {
  if (line.type === "removed") pasts.delete(line.job);
  else pasts.set(line.job, foldLine(pastBefore(pasts, line), line));
  if (line.type === "job" && line.was !== undefined && line.was !== line.job) pasts.delete(line.was);
}

/** The past that a line adds to: with a new name, a job keeps that of its old one. */
function pastBefore(pasts: ReadonlyMap<string, JobPast>, line: JournalRecord): JobPast {
  const name = line.type === "job" && typeof line.was === "string" ? line.was : line.job;
  return pasts.get(name) ?? NO_PAST;
}

function foldLine(past: JobPast, line: JournalLine): JobPast {
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
      if (retryIn !== undefined) return withOpenRun(past, run, { finished: line });
      return concluded(past, run, { result, at, seconds });
    }
    case "givenUp": {
      const finished = past.openRuns.find(({ starting }) => starting.run === line.run)?.finished;
      return concluded(past, line.run, { result: line.result, at: line.at, seconds: finished?.seconds ?? 0 });
    }
    case "held": {
      const left = withoutOpenRun(past, line.run);
      return line.why === "held" ? left : withRecent(left, "-"); // somebody else runs it: nothing to tell
    }
    case "skipped": {
      const left = withoutWaiting(past, line);
      return withRecent(isByTick(line) ? { ...left, lastDue: { due: line.due } } : left, "-");
    }
    case "waiting": {
      const { waiting } = withoutWaiting(past, line); // it may be repeated, by a new file or after a restart
      return withDue({ ...past, waiting: [...waiting, line] }, line);
    }
    case "missed":
      return withRecent(past, "-");
    default:
      return past;
  }
}

function isByTick({ reason }: { reason: Reason }): boolean {
  return reason === "schedule" || reason === "catch-up";
}

function foldJob(past: JobPast, line: LineOf<"job">): JobPast {
  const { schedule, delay, id, at, failures = past.failures, recent = past.recent, last = past.last } = line;
  const { openRuns, waiting, lastSerials } = past;
  return {
    job: { schedule, delay, id, at },
    openRuns,
    waiting,
    lastDue: isLastDue(line.lastDue) ? line.lastDue : past.lastDue,
    lastSerials,
    lastRun: Math.max(past.lastRun, line.lastRun ?? 0),
    failures: isCount(failures) ? failures : past.failures,
    recent: String(recent).slice(-MAX_RECENT),
    last: isLastResult(last) ? last : past.last,
  };
}

function isLastResult(value: unknown): value is LastResult {
  if (value === undefined) return false;
  const { result, at, seconds } = Object(value);
  return RESULTS.includes(result) && isAmount(at) && isAmount(seconds);
}

function isLastDue(value: unknown): value is LastDue {
  if (value === undefined) return false;
  const { due, run, serial } = Object(value);
  return isCount(due) && [run, serial].every((number) => number === undefined || isCount(number));
}

function foldStarting(past: JobPast, line: LineOf<"starting">): JobPast {
  const { run, attempt } = line;
  const before = past.openRuns.find(({ starting }) => starting.run === run);
  const isRepeated = before?.starting.attempt === attempt; // by a new file
  const open = { ...(isRepeated ? before : {}), starting: line };
  const openRuns = before ? past.openRuns.map((o) => (o === before ? open : o)) : [...past.openRuns, open];
  const { waiting } = withoutWaiting(past, line);
  const next = { ...past, openRuns, waiting, lastRun: Math.max(past.lastRun, run) };
  // A later attempt, or what a new file repeats, does not move it back.
  const isKnown = run <= past.lastRun && past.lastDue !== undefined && isByTick(line);
  return isKnown ? next : withDue(next, line, run);
}

/** What is remembered of the tick or event that brought it, so that the same one brings it once. */
function withDue(past: JobPast, { due, reason, serial }: LineOf<"starting" | "waiting">, run?: number): JobPast {
  if (reason === "remote" || reason === "event") {
    const highest = Math.max(past.lastSerials[reason], serial ?? -1);
    return { ...past, lastSerials: { ...past.lastSerials, [reason]: highest } };
  }
  return serial === undefined ? past : { ...past, lastDue: { due, run, serial } };
}

/** A skipped one is told without its serial: then it is the first that is due so. */
function withoutWaiting(past: JobPast, { due, reason, serial }: DueRun): JobPast {
  const found = past.waiting.find(
    (one) => one.due === due && one.reason === reason && (serial === undefined || one.serial === serial),
  );
  return found === undefined ? past : { ...past, waiting: past.waiting.filter((one) => one !== found) };
}

function withOpenRun(past: JobPast, run: number, more: Partial<OpenRun>): JobPast {
  return {
    ...past,
    openRuns: past.openRuns.map((open) => (open.starting.run === run ? { ...open, ...more } : open)),
  };
}

function withoutOpenRun(past: JobPast, run: number): JobPast {
  return { ...past, openRuns: past.openRuns.filter(({ starting }) => starting.run !== run) };
}

function withRecent(past: JobPast, letter: string): JobPast {
  return { ...past, recent: `${past.recent}${letter}`.slice(-MAX_RECENT) };
}

function concluded(past: JobPast, run: number, last: LastResult): JobPast {
  const failures = last.result === "success" ? 0 : past.failures + 1;
  return { ...withRecent(withoutOpenRun(past, run), last.result[0]), last, failures };
}

/** Which numbers a line of each type must have. */
const NUMBERS_OF: Readonly<Record<string, readonly string[]>> = {
  starting: ["run", "attempt", "due"],
  started: ["run", "pid", "start"],
  ending: ["run"],
  finished: ["run", "attempt", "seconds"],
  givenUp: ["run"],
  held: ["run"],
  skipped: ["due"],
  waiting: ["due"],
};
const FRACTIONS = ["at", "seconds"]; // all other numbers are whole
const PLAIN = ["was", "reason", "recent", "exit", "signal", "error"]; // neither an object nor a list

// The file is not trusted: what is used later is checked here. Signals to pid 1 would go to everybody.
function tryParseLine(text: string): JournalLine | undefined {
  try {
    const line = JSON.parse(text);
    const numbers = ["at", ...(NUMBERS_OF[line.type] ?? [])];
    const isPlausible = numbers.every((key) => (FRACTIONS.includes(key) ? isAmount : isCount)(line[key]));
    const isLegal =
      typeof line.job === "string" &&
      PLAIN.every((key) => Object(line[key]) !== line[key]) &&
      (line.result === undefined || RESULTS.includes(line.result)) &&
      (line.cause === undefined || CAUSES.includes(line.cause)) &&
      ["lastRun", "delay"].every((key) => line[key] === undefined || isCount(line[key])) &&
      (line.type !== "started" || line.pid > 1);
    return isPlausible && isLegal ? line : undefined;
  } catch {
    return undefined;
  }
}

function isAmount(value: unknown): value is number {
  return Number.isFinite(value) && (value as number) >= 0 && (value as number) < 1e12;
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && isAmount(value);
}

/** What is written down of an action of the policy's; undefined: nothing. `seconds`: of the attempt that is over. */
export function recordOf(job: string, action: JobAction, seconds: number): JournalRecord | undefined {
  switch (action.type) {
    case "record": {
      const { number, attempt, due, reason, serial } = action.run;
      return { type: "starting", job, run: number, attempt, due, reason, serial };
    }
    case "terminate":
      return { type: "ending", job, run: action.run.number, cause: action.run.cause! };
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
      return undefined;
  }
}

interface Journal {
  /** The past of each job as it is now. */
  readonly pasts: ReadonlyMap<string, JobPast>;
  /** In one write. Never throws. A `starting` is synced to the disk. */
  append(...records: readonly JournalRecord[]): void;
}

/** @param path undefined: nothing is recorded */
function openJournal(path: string | undefined, log: Log): Journal {
  const trouble = createTroubleReport(log);
  const file = path === undefined ? undefined : new JournalFile(path);
  const pasts = readJournal(file?.read() ?? []);
  // What is known now, so that a new file says it all without the old one.
  const carried = () => [...pasts].flatMap(([job, past]) => linesOf(job, past));
  return {
    pasts,
    append(...records) {
      if (records.length === 0) return;
      const at = Date.now() / 1000;
      const lines = records.map((record) =>
        record.type === "job" ? jobLine(record, at, pastBefore(pasts, record)) : { ...record, at },
      );
      try {
        file?.append(lines, carried);
        trouble.isOver();
      } catch (error) {
        trouble.is(`cannot write ${path}: ${errorCode(error)}; runs are not recorded until it can`);
      }
      for (const line of lines) remember(pasts, line);
    },
  };
}

// Opened for each write, so that it may be moved away or deleted at any time, and costs no descriptor in between.
class JournalFile {
  private isTorn = false; // its last line has no end
  private sizeLimit = MAX_JOURNAL_BYTES;
  // Written when it can be: without its end, a run that is over would be taken for one that was interrupted.
  private unwritten: readonly JournalLine[] = [];

  constructor(private readonly path: string) {}

  /** The lines of both files, the oldest first. */
  read(): string[] {
    const text = `${tryReadFile(`${this.path}.1`)}\n${tryReadFile(this.path)}`;
    this.isTorn = !text.endsWith("\n");
    return text.split("\n");
  }

  /**
   * In one write. What could not be written goes before the lines of the next call.
   * @param carried what a new file has to begin with
   * @throws with the system's code, where it can't be written
   */
  append(lines: readonly JournalLine[], carried: () => JournalLine[]): void {
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

  private write(lines: readonly JournalLine[]): void {
    const bytes = Buffer.from((this.isTorn ? "\n" : "") + lines.map(journalLine).join(""));
    const fd = openAppending(this.path);
    try {
      this.isTorn = true; // until it is known to be whole
      appendWhole(fd, bytes);
      this.isTorn = false;
      if (lines.some((line) => line.type === "starting")) fs.fdatasyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  }

  private beginAnew(lines: readonly JournalLine[]): void {
    try {
      fs.renameSync(this.path, `${this.path}.1`);
    } catch {
      fs.truncateSync(this.path); // renaming is refused, as for a bind-mounted file
    }
    this.isTorn = false;
    this.write(lines);
    this.sizeLimit = Math.max(MAX_JOURNAL_BYTES, 2 * sizeOf(this.path)); // many jobs, many open runs
    syncDirectory(this.path);
  }
}

/** What it says of the past is left out where nothing has happened yet. */
function jobLine(record: JournalRecord & { type: "job" }, at: number, past: JobPast): LineOf<"job"> {
  const { type, job, was, schedule, delay, id } = record;
  const isNew = past.recent === "" && past.lastRun === 0;
  const { lastRun, failures, recent, last, lastDue }: Partial<PastRecord> = isNew ? {} : past;
  return { type, job, was, schedule, delay, id, at, lastRun, failures, recent, last, lastDue };
}

/** What a new file must say of a job. A run may have started under another name. */
function linesOf(name: string, past: JobPast): JournalLine[] {
  const { job, openRuns, waiting } = past;
  const runs = [
    ...openRuns.flatMap(({ starting, started, ending, finished }) =>
      [starting, started, ending, finished].filter(isPresent),
    ),
    ...waiting,
  ].map((line) => ({ ...line, job: name }));
  return job === undefined ? runs : [jobLine({ type: "job", job: name, ...job }, job.at, past), ...runs];
}

function isPresent<T>(value: T | undefined): value is T {
  return value !== undefined;
}

function journalLine(line: JournalLine): string {
  return `${JSON.stringify(line)}\n`;
}

/**
 * All of it or nothing. Deno throws when the disk gets full halfway, Node tells how much it wrote.
 * @throws with the system's code
 */
function appendWhole(fd: number, bytes: Buffer): void {
  const { size } = fs.fstatSync(fd);
  try {
    if (fs.writeSync(fd, bytes) < bytes.length) throw codedError("ENOSPC");
  } catch (error) {
    fs.ftruncateSync(fd, size);
    throw error;
  }
}

function openAppending(path: string): number {
  const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  refuseForeign(path);
  return fs.openSync(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0o600);
}

// ── Turns ───────────────────────────────────────────────────────────────────
// What the runners of the jobs share with the listener, and in which order their commands start.

/** What the runners share with the listener. */
interface JobHost {
  /** The process that they live in. */
  readonly self: ProcessIdentity;
  readonly journal: Journal;
  readonly log: Log;
  readonly ticks: TickState;
  /** Seconds between two ticks of the listener before, where that is known. */
  readonly formerPeriodSeconds: number | undefined;
  readonly turns: Turns;
  /** The runners with a run that --jitter delays. */
  readonly delaying: Set<JobRunner>;
  /** A delayed run starts: by now the counter file may say that its window is decided. */
  writeCounter(): void;
  /** Something of a job is over, that its removal or a stop may have waited for. */
  onSettled(): void;
}

/** The ticks so far, as they are counted. */
interface TickState {
  clock: TickClock | undefined;
  count: number;
  /** 0 before the first tick. */
  periodSeconds: number;
  /** When the last tick came, on the monotonic clock. */
  lastSeconds: number;
}

/**
 * Lets commands start in order: so many at a time, and however many are due, in slices of time, so that ticks are answered
 * in between.
 */
interface Turns {
  /** Calls `begin` when it is its turn; it returns false if it needs none any more. */
  take(begin: () => boolean): void;
  /** Calls `begin`, which needs no turn: at once, but for what the slice of time can't hold any more. */
  soon(begin: () => void): void;
  /** Something runs already: it counts too. */
  occupy(): void;
  release(): void;
}

const START_SLICE_SECONDS = 0.02;

/** @param limit 0: none */
function createTurns(limit: number): Turns {
  const prompt: Array<() => void> = [];
  const waiting: Array<() => boolean> = [];
  let running = 0;
  let sliceEnd: number | undefined; // of this turn of the event loop

  function goOn(): void {
    while (prompt.length > 0 || (waiting.length > 0 && (limit === 0 || running < limit))) {
      sliceEnd = sliceEnd ?? beginSlice();
      if (monotonicSeconds() > sliceEnd) return;
      if (prompt.length > 0) prompt.shift()!();
      else beginTurn(waiting.shift()!);
    }
  }

  function beginTurn(begin: () => boolean): void {
    running++;
    if (!begin()) running--;
  }

  function beginSlice(): number {
    setImmediate(() => {
      sliceEnd = undefined;
      goOn();
    });
    return monotonicSeconds() + START_SLICE_SECONDS;
  }

  return {
    take(begin) {
      waiting.push(begin);
      goOn();
    },
    soon(begin) {
      prompt.push(begin);
      goOn();
    },
    occupy() {
      running++;
    },
    release() {
      running--;
      if (waiting.length > 0) setImmediate(goOn); // not in the middle of what another job does
    },
  };
}

// ── Runs of a job ───────────────────────────────────────────────────────────
// All that is done for one job once it is due: the policy decides, and here alone is performed what it asks for. Always in
// this order: a run that is about to start is journaled, the counter is written, supervisord gets its answer, and only then
// things happen. Hence `take`: it changes the state at once, and returns what is to be journaled and what is to be done, for
// the listener to do both at the right moment.
// To add an action: extend the policy, then `perform`.

/** What the listener is to do for an input: write the records down, answer, then perform. */
interface Taken {
  readonly records: readonly JournalRecord[];
  perform(): void;
}

/** Whose runs they are. */
interface RunOwner {
  // Both as they are now: a run keeps those of its beginning.
  readonly job: Job;
  readonly pinger: Pinger | undefined;
  readonly isLeaving: boolean;
  secondsToNextRun(): number;
}

const UNKNOWN_END: ProcessEnd = {
  exit: null,
  signal: null,
  error: "exit status unknown, an earlier listener started it",
};
const GROUP_POLL_MS = 50;
const ORPHAN_POLL_MS = 1000;
const ONLY_IF_SECONDS = 10;
const HOOK_SECONDS = 60;

/** What a command is run for: a run, or a due time that was skipped and so has no number. */
type RunFacts = DueRun & Partial<Run>;

/** What is kept for a run in progress. */
interface RunHandle {
  readonly run: number;
  readonly job: Job; // as at its beginning: what is changed later holds for later runs
  readonly pinger: Pinger | undefined;
  recordedName?: string; // of the job, when this attempt was written down: findRun looks for it
  hasTurn: boolean; // it counts as running; else it waits for its turn, or for its next attempt
  startedSeconds?: number; // of the attempt, on the monotonic clock; an earlier listener's may have no known end
  exitedSeconds?: number; // likewise: its command has ended, what it wrote may still be read
  seconds: number; // of the last attempt that is over
  cancels: Array<() => void>; // end the timers of the attempt
  orphan?: ProcessIdentity; // not our child: its end must be looked for
  stopAsking?: () => void;
}

class JobRuns {
  // Lists that are made anew when they change, since most jobs of a large crontab are at rest and may share the empty one.
  private handles: readonly RunHandle[] = NOTHING;
  private errands: ReadonlyArray<() => void> = NOTHING; // shell commands and pings on their way; each ends its own
  private state: JobState;

  constructor(
    private readonly owner: RunOwner,
    private readonly host: JobHost,
    { lastRun, failures }: JobPast,
  ) {
    this.state = createJobState(lastRun, failures);
  }

  private get name(): string {
    return this.owner.job.name;
  }

  private get log(): Log {
    return this.host.log.ofJob(this.name);
  }

  get isBusy(): boolean {
    return this.state.runs.length > 0;
  }

  /** Shell commands and pings are still on their way. */
  get hasErrands(): boolean {
    return this.errands.length > 0;
  }

  get isStopping(): boolean {
    return this.state.isStopping;
  }

  /** The first stop ends the runs, with a grace; the second one at once. */
  stop(): void {
    this.apply({ type: "stop" });
  }

  killErrands(): void {
    for (const kill of this.errands) kill();
    this.errands = NOTHING;
  }

  // What the policy says:

  /** Changes the state at once; the records are to be written before anything is performed. */
  take(input: JobInput): Taken {
    if (input.type === "due") this.lookAtOrphans(); // one that has just ended shall not be in its way
    // A run goes on by the policy that it began with.
    const run = "run" in input && typeof input.run === "number" ? input.run : undefined;
    const { policy } = this.jobFor(run).options;
    const ofNext = this.owner.job.options.policy;
    const [state, actions] = step(policy === ofNext ? policy : { ...policy, ofNext }, this.state, input);
    this.state = state;
    return {
      records: actions.map((action) => this.recordOf(action)).filter(isPresent),
      perform: () => {
        for (const action of actions) this.perform(action);
      },
    };
  }

  private recordOf(action: JobAction): JournalRecord | undefined {
    if (action.type === "record") this.handleOf(action.run).recordedName = this.name;
    return recordOf(this.name, action, action.type === "finish" ? this.stopClock(action.run) : 0);
  }

  /** Takes it, writes the records down and performs. `beforeIt`: in between. */
  apply(input: JobInput, beforeIt?: () => void): void {
    const { records, perform } = this.take(input);
    this.host.journal.append(...records);
    beforeIt?.();
    perform();
  }

  private perform(action: JobAction): void {
    switch (action.type) {
      case "record":
        return; // that is all
      case "ask":
        this.handleOf(action.run).stopAsking = undefined; // of an attempt before
        if (this.isReplacing(action.run)) return this.ask(action.run);
        return this.whenItsTurn(action.run, () => this.ask(action.run));
      case "stopAsking":
        return this.handleFor(action.run.number)?.stopAsking?.();
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
        return void signalGroup(action.run.pid!, "SIGKILL");
      case "watchGroup":
        return this.poll(action.run, GROUP_POLL_MS, () => {
          if (!signalGroup(action.run.pid!, 0)) this.apply({ type: "groupGone", run: action.run.number });
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

  private handleFor(run: number | undefined): RunHandle | undefined {
    return this.handles.find((handle) => handle.run === run);
  }

  /** Made when something is first done for the run; `forget` ends it. */
  private handleOf(run: Run): RunHandle {
    let handle = this.handleFor(run.number);
    if (handle === undefined) {
      handle = {
        run: run.number,
        job: this.owner.job,
        pinger: this.owner.pinger,
        hasTurn: false,
        startedSeconds: monotonicSeconds(),
        seconds: 0,
        cancels: [],
      };
      this.handles = [...this.handles, handle];
    }
    return handle;
  }

  private jobFor(run: number | undefined): Job {
    return this.handleFor(run)?.job ?? this.owner.job;
  }

  // Its turn, and what is asked before:

  // A run keeps its turn from the question to the end of the attempt.
  private whenItsTurn(run: Run, begin: () => void): void {
    const handle = this.handleOf(run);
    // Supervisord may close our stdout in the meantime: then the stop has taken the run back.
    const now = () => this.state.runs.find((r) => r.number === run.number);
    if (handle.hasTurn) return this.host.turns.soon(() => now() !== undefined && begin());
    this.host.turns.take(() => {
      const current = now();
      if (current?.phase !== run.phase || !this.isWaiting(current)) return false; // it was asked about meanwhile
      const successor = this.state.runs.find((r) => r.phase === "next" && r.number !== run.number);
      if (successor !== undefined) return this.handOver(successor);
      handle.hasTurn = true;
      begin();
      this.askWhatReplacesIt();
      return true;
    });
  }

  /** For its turn: it is neither being asked about nor started yet. */
  private isWaiting({ number, phase }: Run): boolean {
    const { hasTurn = false, stopAsking } = this.handleFor(number) ?? {};
    return !hasTurn && (phase === "starting" || (phase === "asking" && stopAsking === undefined));
  }

  // A question must not wait for the end of the run that it is about to replace.
  private askWhatReplacesIt(): void {
    for (const run of this.state.runs)
      if (run.phase === "asking" && this.isWaiting(run) && this.isReplacing(run)) this.ask(run);
  }

  // With replace: the turn of a run that has waited for it goes to the one that replaces it, unless that has one already. All
  // that still wait are replaced at once: their turn might be the very one that they hold up.
  private handOver(successor: Run): boolean {
    const handle = this.handleOf(successor);
    const isNeeded = !handle.hasTurn;
    handle.hasTurn = true;
    for (const run of this.state.runs) if (this.isWaiting(run)) this.apply({ type: "overtaken", run: run.number });
    return isNeeded;
  }

  /** Is there a run with a turn that this one replaces? */
  private isReplacing({ number }: Run): boolean {
    const { overlap } = this.jobFor(number).options.policy;
    return overlap === "replace" && this.handles.some(({ run, hasTurn }) => hasTurn && run !== number);
  }

  private endTurn(run: Run): void {
    const handle = this.handleFor(run.number);
    if (handle?.hasTurn) this.host.turns.release();
    if (handle !== undefined) handle.hasTurn = false;
  }

  private ask(run: Run): void {
    const handle = this.handleOf(run);
    const { onlyIf } = handle.job.options;
    // It waited in the queue, and since then the question is no longer asked.
    if (onlyIf === undefined) return this.apply({ type: "asked", run: run.number, verdict: "allowed" });
    const env = this.environment(run, { SUPERTICK_HOOK: "only-if" });
    handle.stopAsking = this.runShell("only-if", onlyIf, ONLY_IF_SECONDS, run, env, (end, isLate) =>
      this.apply({ type: "asked", run: run.number, ...verdictOf(end, isLate) }),
    );
  }

  // An attempt:

  private startRun(run: Run): void {
    const { number, due, event } = run;
    const handle = this.handleOf(run);
    handle.startedSeconds = monotonicSeconds();
    handle.exitedSeconds = undefined;
    const started = startProcess({
      command: argvOf(handle.job),
      env: this.environment(run),
      input: event?.payload ?? handle.job.input,
      output: this.log.outputOf({ job: this.name, run: number }),
      onExit: (end) => {
        handle.exitedSeconds = monotonicSeconds();
        this.apply({ type: "outputLeft", run: number, end });
      },
      onEnd: (end) => this.onProcessEnd(run, end),
    });
    if (started === undefined) return; // onEnd will say why
    if (run.attempt === 1) this.ping(run, "start");
    const { pid, start } = started;
    this.host.journal.append({ type: "started", job: this.name, run: number, attempt: run.attempt, pid, start });
    const reason = reasonOf(run);
    this.log.line(`run ${number} started (pid ${pid}, due ${formatTime(due)}, ${reason})`, {
      event: "started",
      run: number,
      pid,
      due,
      reason,
    });
    this.apply({ type: "started", run: number, pid });
  }

  private environment(run: RunFacts, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    return jobEnvironment(this.jobFor(run.number).env, run, {
      SUPERTICK_JOB: this.handleFor(run.number)?.recordedName ?? this.name,
      SUPERTICK_LISTENER: formatIdentity(this.host.self),
      ...more,
    });
  }

  private onProcessEnd(run: Run, end: ProcessEnd): void {
    const { number } = run;
    this.apply(
      end.error === undefined
        ? { type: "exited", run: number, end }
        : { type: "startFailed", run: number, error: end.error },
    );
  }

  // A stop, and a run that replaces others, know of the job as it is now alone.
  private graceOf({ number, phase, isOrphan }: Run, seconds: number): number {
    return phase === "ending" && !isOrphan ? this.jobFor(number).options.policy.killAfterSeconds : seconds;
  }

  // Timers end with the attempt: see stopClock.
  private arm(run: Run, seconds: number, type: "deadline" | "graceOver"): void {
    this.handleFor(run.number)?.cancels.push(startTimer(seconds, () => this.apply({ type, run: run.number })));
  }

  private poll(run: Run, ms: number, look: () => void): void {
    const timer = setInterval(look, ms);
    this.handleFor(run.number)?.cancels.push(() => clearInterval(timer));
  }

  private terminate(run: Run): void {
    const { timeoutSeconds, killAfterSeconds } = this.jobFor(run.number).options.policy;
    const causes = { timeout: `timed out after ${timeoutSeconds}s`, stop: "is stopped", replace: "is replaced" };
    const why = causes[run.cause!];
    this.log.line(`run ${run.number} ${why}; sent SIGTERM, SIGKILL follows in ${killAfterSeconds}s`);
    signalGroup(run.pid!, "SIGTERM");
  }

  /** Ends the timers of an attempt that is over. Returns the seconds that it took; 0 where nobody saw it. */
  private stopClock(run: Run): number {
    const handle = this.handleOf(run);
    for (const cancel of handle.cancels) cancel();
    handle.cancels = [];
    handle.orphan = undefined;
    // One that is ended is over when nothing is left of its group.
    const endedSeconds = (run.cause === undefined ? handle.exitedSeconds : undefined) ?? monotonicSeconds();
    const seconds = handle.startedSeconds === undefined ? 0 : endedSeconds - handle.startedSeconds;
    handle.seconds = Math.round(seconds * 1000) / 1000;
    return handle.seconds;
  }

  /** Tells how an attempt ended. */
  private finish({ run, result, end }: JobAction & { type: "finish" }): void {
    const { startedSeconds, seconds } = this.handleOf(run);
    const { number, attempt } = run;
    const { exit, signal } = end;
    const facts = { event: "finished", run: number, attempt, result, exit, signal, seconds };
    const isSeen = startedSeconds !== undefined;
    this.log.line(isSeen ? describeEnd(run, result, end, seconds) : describeInterruption(run, end), facts);
    this.endTurn(run);
  }

  // What becomes of a run:

  private skip({ due, reason, event }: DueRun, behind: Run): void {
    const why = `run ${behind.number} ${describePhase(behind)}`;
    this.log.line(`skipped the run due ${formatTime(due)} (${reason}): ${why}`, { event: "skipped", due, reason });
    this.runHook("on-skip", { due, reason, event }, { SUPERTICK_RESULT: "skipped" });
  }

  // A lock that another replica holds is an everyday matter; a lock that cannot be asked is not.
  private holdBack(run: Run, why: HoldReason, error?: string): void {
    const { number, due } = run;
    const detail = error === undefined ? "" : ` (${error})`;
    const text = `run ${number}, due ${formatTime(due)}, does not start: ${HOLD_REASONS[why]}${detail}`;
    this.log.line(text, { event: "held", run: number, due, why });
    if (why !== "held") this.runHook("on-skip", run, { SUPERTICK_RESULT: "skipped" });
    this.forget(run);
  }

  private armRetry(run: Run, seconds: number): void {
    const { number, attempt } = run;
    const { retries, isRetryYielding } = this.jobFor(number).options.policy;
    if (isRetryYielding && seconds >= this.owner.secondsToNextRun()) return this.apply({ type: "giveUp", run: number });
    this.log.line(`run ${number}: attempt ${attempt + 1} of ${retries + 1} in ${formatDuration(seconds)}`, {
      event: "retrying",
      run: number,
      attempt: attempt + 1,
      seconds,
    });
    this.handleOf(run).cancels.push(startTimer(seconds, () => this.apply({ type: "retryDue", run: number })));
  }

  private giveUp({ run, result, why }: JobAction & { type: "giveUp" }): void {
    for (const cancel of this.handleFor(run.number)?.cancels ?? []) cancel();
    const { number } = run;
    this.log.line(`run ${number} is not tried again: ${GIVE_UP_REASONS[why]}`, {
      event: "givenUp",
      run: number,
      result,
    });
  }

  /** The result is there: the service and the hooks are told. */
  private conclude({ run, result, end, failures }: JobAction & { type: "conclude" }): void {
    const seconds = this.handleFor(run.number)?.seconds ?? 0;
    this.ping(run, result === "success" ? "success" : "fail");
    this.runHook(result === "success" ? "on-success" : "on-failure", run, {
      SUPERTICK_RESULT: result,
      SUPERTICK_EXIT: String(end.exit ?? ""),
      SUPERTICK_SIGNAL: end.signal ?? "",
      SUPERTICK_SECONDS: String(seconds),
      SUPERTICK_FAILURES: String(failures),
    });
    this.forget(run);
  }

  /** Nothing is left of the run but errands. */
  private forget(run: Run): void {
    this.endTurn(run);
    this.handles = this.handles.filter((handle) => handle.run !== run.number);
    this.settleSoon();
  }

  // After what is being done now.
  private settleSoon(): void {
    setImmediate(() => this.host.onSettled());
  }

  // Shell commands and pings:

  // Beside the runs: no run ever waits for a hook.
  private runHook(hook: "on-failure" | "on-success" | "on-skip", run: RunFacts, facts: NodeJS.ProcessEnv): void {
    const { onFailure, onSuccess, onSkip } = this.jobFor(run.number).options;
    const text = { "on-failure": onFailure, "on-success": onSuccess, "on-skip": onSkip }[hook];
    if (text === undefined) return;
    const env = this.environment(run, { ...facts, SUPERTICK_HOOK: hook });
    let isCancelled = false;
    const cancel = () => {
      isCancelled = true;
    };
    this.errands = [...this.errands, cancel]; // until it has started
    this.host.turns.soon(() => {
      if (!isCancelled)
        this.runShell(hook, text, HOOK_SECONDS, run, env, (end) => {
          if (end.exit !== 0) this.log.line(`--${hook} failed: ${howEnded(end)}`);
        });
      this.endErrand(cancel);
    });
  }

  private runShell(
    hook: string,
    text: string,
    limitSeconds: number,
    run: RunFacts,
    env: NodeJS.ProcessEnv,
    onEnd: ShellPlan["onEnd"],
  ): () => void {
    const kill = startShell(text, limitSeconds, {
      env,
      output: this.log.outputOf({ job: this.name, run: run.number, hook }),
      onEnd,
      onGone: () => this.endErrand(kill),
    });
    this.errands = [...this.errands, kill];
    return kill;
  }

  // An errand, so that an exit waits for it a little, as for a hook.
  private ping(run: Run, what: PingKind): void {
    const { pinger } = this.handleFor(run.number) ?? this.owner;
    if (pinger === undefined) return;
    const errand = () => {}; // an exit ends it
    this.errands = [...this.errands, errand];
    pinger.ping(run, what, () => this.endErrand(errand));
  }

  private endErrand(errand: () => void): void {
    this.errands = this.errands.filter((other) => other !== errand);
    this.settleSoon();
  }

  // What an earlier listener left:

  // The latest first: an older one gives way to it. Each of them waits for its next attempt, is still going or being ended, or
  // was cut off; one whose start is not written down may have been started all the same, in the instant before its listener
  // was killed.
  takeOver({ openRuns, waiting }: JobPast, formerListener: ProcessIdentity | undefined): void {
    for (const { starting, started, ending, finished } of [...openRuns].reverse()) {
      const { run: number, attempt, due, reason, job } = starting;
      const base: Run = { number, attempt, due, reason, phase: "running", pid: started?.pid };
      if (finished !== undefined) {
        this.resume(base, finished);
        continue;
      }
      const leader = started ?? (formerListener && findRun(formerListener, job, number));
      const run: Run = { ...base, pid: leader?.pid };
      const isLed = leader !== undefined && isAlive(leader);
      if (leader !== undefined && ending !== undefined && (isLed || hasLeftover(leader, job, number))) {
        const end = isLed ? undefined : UNKNOWN_END;
        this.adopt({ ...run, phase: "ending", cause: ending.cause, end }, leader, starting.at, ending.at);
      } else if (isLed) this.adopt(run, leader, (started ?? starting).at);
      else this.takeInterrupted(run);
    }
    for (const line of waiting) this.takeWaiting(line);
  }

  // It has not started, so it may start now; but an event is lost with the listener that had it.
  private takeWaiting({ due, reason, serial }: LineOf<"waiting">): void {
    const isLost = reason === "event" || this.owner.isLeaving;
    const end = isLost ? "is skipped" : "is due now";
    this.log.line(`the run due ${formatTime(due)} (${reason}), which waited when the listener was killed, ${end}`);
    if (!isLost) return this.apply({ type: "due", due, reason, serial });
    this.host.journal.append({ type: "skipped", job: this.name, due, reason });
    this.runHook("on-skip", { due, reason }, { SUPERTICK_RESULT: "skipped" });
  }

  /** @param startedAt, endingAt in epoch seconds; the latter: when it was sent SIGTERM */
  private adopt(run: Run, orphan: ProcessIdentity, startedAt: number, endingAt = startedAt): void {
    const what = run.phase === "ending" ? "is still being ended" : "is still going";
    this.log.line(`run ${run.number} of an earlier listener ${what} (pid ${orphan.pid})`);
    const secondsSince = (at: number) => Math.max(0, Date.now() / 1000 - at);
    const handle = this.handleOf(run);
    handle.startedSeconds = monotonicSeconds() - secondsSince(startedAt);
    handle.orphan = orphan;
    handle.hasTurn = true;
    this.host.turns.occupy(); // it is going already, whatever --max-running says
    this.apply({ type: "adopted", run, elapsedSeconds: secondsSince(endingAt) });
    this.poll(run, ORPHAN_POLL_MS, () => this.lookAtOrphans());
  }

  // No event tells of the end of a process that is not our child.
  private lookAtOrphans(): void {
    for (const { run, orphan } of this.handles) {
      const isWaitedFor = this.state.runs.some((r) => r.number === run && r.end === undefined);
      if (orphan !== undefined && isWaitedFor && !isAlive(orphan))
        this.apply({ type: "exited", run, end: UNKNOWN_END });
    }
  }

  private takeInterrupted(run: Run): void {
    this.handleOf(run).startedSeconds = undefined;
    const error = "the listener was killed while it was going";
    this.apply({ type: "interrupted", run, end: { exit: null, signal: null, error } });
  }

  // The listener was killed while the run waited for its next attempt.
  private resume(run: Run, { result, exit, signal, error, seconds }: LineOf<"finished">): void {
    this.handleOf(run).seconds = seconds;
    const cause = result === "timeout" ? "timeout" : undefined;
    const isOrphan = result === "interrupted";
    this.apply({ type: "resumed", run: { ...run, cause, isOrphan, end: { exit, signal, error } } });
  }
}

/** The environment of a command that is run for a job, or of a shell command about it. @param own the job's variables */
function jobEnvironment(own: Job["env"], run: RunFacts, more: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { number, attempt, due, event } = run;
  const facts: NodeJS.ProcessEnv = { SUPERTICK_DUE: String(due), SUPERTICK_REASON: reasonOf(run) };
  if (number !== undefined) facts.SUPERTICK_RUN = String(number);
  if (attempt !== undefined) facts.SUPERTICK_ATTEMPT = String(attempt);
  if (event !== undefined) facts.SUPERTICK_EVENT = event.name;
  return { ...payloadTokens(event?.payload ?? ""), ...inheritedVariables(), ...own, ...facts, ...more };
}

let inherited: NodeJS.ProcessEnv | undefined; // reading process.env takes time, and nobody changes it

/** Our own environment, but for TICK_PING: that may hold a secret. */
function inheritedVariables(): NodeJS.ProcessEnv {
  if (inherited === undefined) {
    inherited = { ...process.env };
    delete inherited.TICK_PING;
  }
  return inherited;
}

function reasonOf({ attempt, reason }: RunFacts): string {
  return attempt !== undefined && attempt > 1 ? "retry" : reason;
}

const GIVE_UP_REASONS = {
  due: "the next run is due first",
  busy: "another run is still going",
  limit: "--retries allows no more attempts now",
  lost: "its event was lost with the listener that had it",
  stopped: "it is stopped",
} as const;

const HOLD_REASONS: Readonly<Record<HoldReason, string>> = {
  held: "held back by --only-if",
  error: "held back, for --only-if failed",
  timeout: "held back, for --only-if did not answer",
  replaced: "another one is due",
  stopped: "stopped before it started",
};

function verdictOf(end: ProcessEnd, isLate: boolean): { verdict: Verdict; error?: string } {
  if (end.exit === 0) return { verdict: "allowed" };
  if (end.exit === 1) return { verdict: "held" };
  return { verdict: isLate ? "timeout" : "error", error: howEnded(end) };
}

function howEnded({ exit, signal, error }: ProcessEnd): string {
  return error ?? signal ?? `exit ${exit}`;
}

function describePhase({ phase, pid, attempt }: Run): string {
  if (phase === "asking") return "waits for --only-if";
  if (phase === "backoff") return `waits for its attempt ${attempt + 1}`;
  if (phase === "starting") return "waits for its turn (--max-running)";
  if (phase === "draining") return "is over, but its output is still being read";
  return `is still going (pid ${pid})`;
}

const MAX_VARIABLE_LENGTH = 2 ** 16; // the kernel refuses a command one of whose variables has 128 KiB

/** processname:web groupname:web … on the first line → SUPERTICK_PROCESSNAME=web … */
export function payloadTokens(payload: string): Record<string, string> {
  const tokens: Record<string, string> = {};
  for (const token of payload.split("\n", 1)[0].split(" ")) {
    const [, key, value] = /^([A-Za-z]\w*):([^\0]*)$/.exec(token) ?? [];
    if (key !== undefined && value.length <= MAX_VARIABLE_LENGTH) tokens[`SUPERTICK_${key.toUpperCase()}`] = value;
  }
  return tokens;
}

function describeInterruption({ number, due }: Run, end: ProcessEnd): string {
  return `run ${number}, due ${formatTime(due)}, was interrupted: ${end.error}`;
}

function describeEnd(run: Run, result: Result, end: ProcessEnd, seconds: number): string {
  if (run.pid === undefined && !run.isOrphan) return `run ${run.number} failed to start: ${end.error}`;
  return `run ${run.number} ${result === "failure" ? "failed" : "finished"}: ${howEnded(end)}, ${seconds.toFixed(1)}s`;
}

// ── Job runner ──────────────────────────────────────────────────────────────
// One job: whether a tick or an event makes it due, how long --jitter delays that, what was missed, and what the journal
// knows of it. What becomes of a due run is the section before.
// Why did a job not run? Each way out of onTick is one reason: follow them in order. It sees no tick before restsUntil.
// --jitter delays a job: whole periods of it move the job's windows, the rest below one is a timer. Where the next listener
// begins comes from two places: it is `decided` of the counter file, one for all jobs, less the whole periods of the delay in
// the job's own record. When a delay changes, the two must fit at whatever write a kill comes: goesOnFrom, delayedWindow,
// resumesAt and Roster.record see to that.

/** A run that waits for the part of its --jitter below one period. */
interface DelayedRun {
  readonly dueRun: DueRun;
  /** In which it was due, the delay taken off: should the listener be killed meanwhile, that is to be decided again. */
  readonly window: Window;
  /** Ends its timer. */
  readonly cancel: () => void;
}

class JobRunner implements RunOwner {
  readonly runs: JobRuns;
  private readonly past: JobPast; // what earlier listeners did
  private lastSerials: JobPast["lastSerials"];
  // Each field gets a value in the constructor, be it undefined: one that came later would cost every runner an object.
  pinger: Pinger | undefined = undefined;
  private delaySeconds = 0; // by --jitter
  private restSeconds = 0; // of it, below one period
  private isFitted = false; // delaySeconds is that of the present ticks
  private hasDecided = false; // the last tick was decided for this job too
  private goesOnFrom: number | undefined = undefined; // where the next window begins if the delay has changed
  private delayed: DelayedRun | undefined = undefined;
  private isClockAsBefore = true; // it was not set back since the listener started
  private readonly isNew: boolean; // others have a past, it has none
  /** In epoch seconds, as of the last tick that it looked at: no tick before this means anything to it. */
  restsUntil = 0;
  /** It is not configured any more: nothing becomes due, and what was due before comes to its end. */
  isLeaving = false;

  /** @param recordedName under which the journal knows its past; undefined: it has none, whoever had its name */
  constructor(
    public job: Job,
    private readonly host: JobHost,
    private recordedName: string | undefined,
    isSameSupervisor: boolean,
  ) {
    this.past = (recordedName !== undefined && host.journal.pasts.get(recordedName)) || NO_PAST;
    this.lastSerials = (isSameSupervisor ? this.past : NO_PAST).lastSerials;
    this.change(job);
    this.runs = new JobRuns(this, host, this.past);
    this.isNew = this.past === NO_PAST && host.journal.pasts.size > 0;
  }

  private get log(): Log {
    return this.host.log.ofJob(this.job.name);
  }

  /** From now on it is that job. Runs in progress go on as what they were. */
  change(job: Job): void {
    const { name, options } = job;
    this.isLeaving = false;
    this.job = job;
    this.pinger = options.ping === undefined ? undefined : createPinger(options.ping, name, this.host.log.ofJob(name));
  }

  /** Nothing of it is left to be done. */
  get isDone(): boolean {
    return !this.runs.isBusy && !this.runs.hasErrands && this.delayed === undefined;
  }

  // Both in the counter file's time: its whole periods are put back, which the next listener takes off again.

  /** The window of the run that --jitter delays. */
  get delayedWindow(): Window | undefined {
    return this.delayed && delayWindow(this.delayed.window, -this.wholePeriods);
  }

  /** Where the next window begins, after another --jitter. */
  get resumesAt(): number | undefined {
    return this.goesOnFrom === undefined || this.isLeaving ? undefined : this.goesOnFrom + this.wholePeriods;
  }

  // When it is due:

  /** To be called when the period is known, and when the job has changed. */
  fitTicks(whenSeconds: number, periodSeconds: number): void {
    const { name, schedule } = this.job;
    const jitterSeconds = jitterOf(this.job);
    for (const text of tickMismatches(schedule, periodSeconds, whenSeconds)) this.log.line(text);
    // By the delay until now, so before it changes:
    if (schedule.kind !== "ticks") this.goesOnFrom = this.goesOnFrom ?? this.decidedSeconds();
    this.isFitted = true;
    this.delaySeconds = this.restSeconds = 0;
    if (jitterSeconds === 0) return;
    // Whole periods move the window; only the rest below one is a timer.
    const limit = longestDelay(schedule, whenSeconds, jitterSeconds);
    this.delaySeconds = stableDelay(`${hostName()} ${name}`, limit);
    this.restSeconds = this.delaySeconds % periodSeconds;
    this.log.line(`each run starts ${formatDuration(this.delaySeconds)} after its due time (--jitter)`);
  }

  // Due times up to here are decided, the delay taken off; undefined where no tick has told so yet.
  private decidedSeconds(): number | undefined {
    const { clock } = this.host.ticks;
    return this.hasDecided && clock !== undefined ? clock.decidedSeconds - this.wholePeriods : undefined;
  }

  /** By which --jitter moves its windows. */
  private get wholePeriods(): number {
    return this.delaySeconds - this.restSeconds;
  }

  /** What the tick means for this job; undefined: nothing. `isFirst`: since the listener started. */
  onTick(tick: Tick, counted: CountedTick, isFirst: boolean): Taken | undefined {
    this.restsUntil = 0;
    // A job that came while nobody counted has missed nothing.
    const window = isFirst && this.isNew ? windowOf(tick) : counted.window;
    const shift = this.wholePeriods;
    if (isFirst) this.goesOnFrom = this.whereTheLastListenerStopped(window, shift, tick.periodSeconds);
    const goesOnInNewTime = counted.setBackSeconds > 0 && counted.window.after <= tick.whenSeconds;
    if (goesOnInNewTime || this.isLeaving) this.goesOnFrom = undefined;
    if (goesOnInNewTime) this.isClockAsBefore = false;
    if (this.isLeaving) this.hasDecided = false;
    // A clock set back makes nothing due by itself: a count that is reached waits for the next tick.
    if (counted.setBackSeconds > 0 || this.isLeaving) return undefined;
    const shifted = this.goOn(shift === 0 ? window : delayWindow(window, shift));
    if (shifted === undefined) return undefined;
    this.restsUntil = notDueBefore(this.job.schedule, shifted.after) + shift; // fixedAfter is no earlier: at worst too soon
    if (this.restsUntil > tick.whenSeconds) return undefined;
    const due = dueTime(this.job.schedule, this.host.ticks.count, shifted);
    if (due === undefined || this.wasStartedBefore(tick, due, isFirst)) return undefined;
    const dueRun = this.judge(tick, due, shifted);
    if (dueRun === undefined) return undefined;
    if (this.restSeconds === 0) return this.runs.take({ type: "due", ...dueRun });
    this.delay(dueRun, shifted);
    return undefined;
  }

  // After another --jitter the windows are shifted by another time: without this, due times would be lost or come twice.
  private goOn(window: Window): Window | undefined {
    const from = this.goesOnFrom;
    if (from !== undefined && window.upTo <= from) return undefined; // decided already, with the shorter delay
    this.goesOnFrom = undefined;
    this.hasDecided = true;
    if (from === undefined) return window;
    return { after: from, fixedAfter: from + window.fixedAfter - window.after, upTo: window.upTo };
  }

  // An earlier listener may have had another --jitter, or another host's name. undefined: the same delay, or it saw no tick.
  private whereTheLastListenerStopped({ after }: Window, shift: number, periodSeconds: number): number | undefined {
    const { past, job, host } = this;
    const hasTicked = host.formerPeriodSeconds !== undefined || past.job?.delay !== undefined;
    if (past.job === undefined || !hasTicked || job.schedule.kind === "ticks") return undefined;
    const { delay = 0 } = past.job;
    const formerShift = delay - (delay % (host.formerPeriodSeconds ?? periodSeconds)); // the counter file may be lost
    return formerShift === shift ? undefined : after - formerShift;
  }

  // The part of --jitter below one period. Until the run starts, the counter file says that its window is not decided:
  // after a restart the next tick decides it again, so that nothing is lost.
  private delay(dueRun: DueRun, window: Window): void {
    this.delayed = { dueRun, window, cancel: startTimer(this.restSeconds, () => this.startDelayed()) };
    this.host.delaying.add(this);
  }

  /** Its time has come, or the next tick has. */
  startDelayed(): void {
    if (this.delayed === undefined || this.runs.isStopping) return;
    const { dueRun, cancel } = this.delayed;
    cancel();
    this.delayed = undefined;
    this.host.delaying.delete(this);
    this.runs.apply({ type: "due", ...dueRun }, () => this.host.writeCounter());
  }

  /** The run for a due time; undefined where it was missed for good. Tells what was missed, and what is made up for. */
  private judge({ serial, periodSeconds }: Tick, due: number, window: Window): DueRun | undefined {
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
    return undefined;
  }

  // Killed between the journal and the counter: supervisord sends the tick again, and its run is in the journal already.
  // The same where the counter file left a window undecided for a run that was delayed, and, some ticks later, where
  // the delay has become longer; then the window may end before what was started last.
  private wasStartedBefore(tick: Tick, due: number, isFirst: boolean): boolean {
    const last = this.past.lastDue;
    const isByCount = this.job.schedule.kind === "ticks";
    if (!isFirst && (isByCount || !this.isClockAsBefore)) return false;
    if (last === undefined || last.due > tick.whenSeconds) return false;
    if (due !== last.due) return !isByCount && due < last.due;
    const isIt = !isByCount || last.serial === tick.serial;
    if (isIt && last.run !== undefined)
      this.log.line(`run ${last.run} is the one due ${formatTime(due)}; it is not started again`);
    return isIt;
  }

  /** A run for an event of supervisord's. Events are delivered again as ticks are, and each kind is counted by itself. */
  onEvent(event: SupervisorEvent, reason: "remote" | "event"): Taken | undefined {
    const { serial } = event;
    if (serial <= this.lastSerials[reason] || this.isLeaving) return undefined;
    this.lastSerials = { ...this.lastSerials, [reason]: serial };
    const due = Math.floor(Date.now() / 1000);
    return this.runs.take({ type: "due", due, reason, serial, event: reason === "event" ? event : undefined });
  }

  /** A run that no tick and no event brings: it is due now. */
  takeNow(reason: "start" | "signal"): Taken | undefined {
    if (this.isLeaving) return undefined;
    return this.runs.take({ type: "due", due: Math.floor(Date.now() / 1000), reason });
  }

  // By supervisord's clock, which the last tick told.
  secondsToNextRun(): number {
    const { ticks } = this.host;
    const next = nextRun(this.job.schedule, ticks, this.delaySeconds);
    if (ticks.clock === undefined || next === undefined) return Number.POSITIVE_INFINITY;
    return next - (ticks.clock.whenSeconds + monotonicSeconds() - ticks.lastSeconds);
  }

  /** What an earlier listener started and could not write down. Nobody finds it once the counter file has our name in it. */
  recordStarts(formerListener: ProcessIdentity): void {
    for (const { starting, started, finished } of this.past.openRuns) {
      if (started !== undefined || finished !== undefined) continue;
      const { run, attempt } = starting;
      const leader = findRun(formerListener, starting.job, run);
      if (leader !== undefined)
        this.host.journal.append({ type: "started", job: this.recordedName!, run, attempt, ...leader });
    }
  }

  /** What an earlier listener left. */
  takeOverRuns(formerListener: ProcessIdentity | undefined): void {
    if (this.past !== NO_PAST) this.runs.takeOver(this.past, formerListener);
  }

  /** What is still to be written down of it, and taken for written from then on; undefined: nothing. */
  jobRecord(moment: RecordMoment): (JournalRecord & { type: "job" }) | undefined {
    const { recordedName } = this;
    const { name, schedule, id } = this.job;
    const known = recordedName === undefined ? undefined : this.host.journal.pasts.get(recordedName)?.job;
    const was = recordedName === name ? undefined : recordedName;
    const knownDelay = known?.delay ?? 0;
    let delay = this.isFitted ? this.delaySeconds : knownDelay; // which the first tick asks for
    if (moment === "before counter") delay = Math.max(delay, knownDelay);
    if (was === undefined && (this.isLeaving || (known?.id === id && knownDelay === delay))) return undefined;
    this.recordedName = name;
    return { type: "job", job: name, was, schedule: scheduleRecord(schedule), delay: delay || undefined, id };
  }
}

// ── Crontab file ────────────────────────────────────────────────────────────
// Where the jobs come from when there are many. It is read at start, on SIGHUP, and at a tick when it does not look as it
// did when it was read: edited in place, renamed over, or behind a symbolic link that was swapped, as a ConfigMap's.

interface CrontabFile {
  readonly path: string;
  /** @throws UsageError: it cannot be read, or has a mistake */
  read(): readonly Job[];
  /** The same; undefined: it is changing. */
  readAgain(): readonly Job[] | undefined;
  /** "changing": it was changed less than a second ago, and may be only half written. */
  look(): "same" | "changing" | "changed";
}

const SETTLE_SECONDS = 1;
const MAX_CRONTAB_BYTES = 1024 * 1024; // some ten thousand jobs; reading more would keep supervisord waiting

function openCrontab(path: string, flags: Layer, environment: Layer): CrontabFile {
  let appearance: string | undefined; // when it was read
  let emptied: string | undefined; // its appearance then
  // While a file is being emptied it has no bytes, but still its old times: so that is looked at twice.
  const isChanging = (now: Appearance) => {
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
      // Looked at before and behind: cp -p writes it and makes it look old at once.
      const now = appearanceOf(path);
      const isWhole = now.text === appearance && (now.text === known || !isChanging(now));
      if (isWhole) return withoutMistakes(found);
      appearance = known;
      return undefined;
    },
    look() {
      const now = appearanceOf(path);
      return now.text === appearance ? "same" : isChanging(now) ? "changing" : "changed";
    },
  };
}

interface Appearance {
  readonly text: string;
  readonly size?: number;
  readonly changedSeconds: number;
}

/** Either side, for a file has finer times than Date.now(). */
function isYoung({ changedSeconds }: Appearance): boolean {
  return Math.abs(Date.now() / 1000 - changedSeconds) < SETTLE_SECONDS;
}

function appearanceOf(path: string): Appearance {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = fs.statSync(path);
    return { text: [dev, ino, size, mtimeMs, ctimeMs].join(" "), size, changedSeconds: mtimeMs / 1000 };
  } catch (error) {
    return { text: errorCode(error), changedSeconds: 0 };
  }
}

/** @throws UsageError where it cannot be read */
function readCrontab(path: string, flags: Layer, environment: Layer, localZone = defaultZone): Crontab {
  let text: string;
  try {
    const fd = openRegular(path, fs.constants.O_RDONLY);
    const isTooLarge = fs.fstatSync(fd).size > MAX_CRONTAB_BYTES;
    text = isTooLarge ? "" : fs.readFileSync(fd, "utf8");
    fs.closeSync(fd);
    if (isTooLarge) throw codedError("it has over 1 MiB");
  } catch (error) {
    throw new UsageError(`cannot read the crontab ${path}: ${errorCode(error)}`);
  }
  let zone: Zone | undefined;
  const oneZone = () => {
    zone = zone ?? localZone();
    return zone;
  };
  return parseCrontab(text, { path, flags, environment, defaultZone: oneZone, isUser: createUserTest() });
}

/** @throws UsageError with the first mistake */
function withoutMistakes({ jobs, mistakes }: Crontab): readonly CrontabJob[] {
  const [first, ...more] = mistakes;
  if (first === undefined) return jobs;
  throw new UsageError(first + (more.length === 0 ? "" : ` (mistakes in other lines: ${more.length})`));
}

// Some users have the names of commands: sync, mail, man. A crontab may have thousands of lines, so nothing is looked up twice.
function createUserTest(): CrontabContext["isUser"] {
  const known = new Map<string, boolean>();
  let users: string | undefined;
  return (word, path = process.env.PATH ?? "") => {
    const question = `${word}\0${path}`;
    let answer = known.get(question);
    if (answer === undefined) {
      users = users ?? tryReadFile("/etc/passwd");
      const isUser = word === "root" || `\n${users}`.includes(`\n${word}:`);
      answer = isUser && !path.split(":").some((place) => fs.existsSync(`${place}/${word}`));
      known.set(question, answer);
    }
    return answer;
  };
}

// ── Roster ──────────────────────────────────────────────────────────────────
// The runners of all jobs: each with its past from the journal, and kept when the crontab changes, so that a job that is the
// same goes on as if nothing had happened. One whose job is gone stays until its runs have come to their end.
// Which job is the same is decided by matchJobs.

/**
 * The counter file says what is decided by the delays as they are now, or does not yet. A delay that has grown goes into the
 * journal before the counter, one that has shrunk behind it: killed in between, the next listener begins too early, never too
 * late, and it knows what was started.
 */
type RecordMoment = "before counter" | "after counter";

const RECORDS_AT_ONCE = 50; // so that the text of a thousand is never in memory as a whole

class Roster {
  agenda = new Agenda([]);
  private removed: string[] = []; // jobs that the journal may forget

  // Each job with its past. Of a job that is gone, only a run that may still be going needs somebody to look after it.
  constructor(
    jobs: readonly Job[],
    private readonly host: JobHost,
    isSameSupervisor: boolean,
    isOnlyOne: boolean,
  ) {
    const { pasts } = host.journal;
    const known = [...pasts].map(([name, { job }]) => ({ name, id: job?.id }));
    const names = matchJobs(jobs, known);
    const [only] = known;
    if (isOnlyOne && known.length === 1) names[0] = only.name; // its name may have changed
    const runners = jobs.map((job, i) => new JobRunner(job, host, names[i], isSameSupervisor));
    const freeName = createFreeNames(jobs);
    for (const [name, { openRuns, waiting, job }] of pasts) {
      if (names.includes(name)) continue;
      if (openRuns.length === 0 && waiting.length === 0) this.removed.push(name);
      else runners.push(this.caretaker(name, freeName(name), job?.id, isSameSupervisor));
    }
    this.runners = runners;
  }

  get runners(): readonly JobRunner[] {
    return this.agenda.runners;
  }

  /** Another Agenda: all of them see the next tick. */
  set runners(runners: readonly JobRunner[]) {
    this.agenda = new Agenda(runners);
  }

  // A runner without a schedule, for the runs that are left of a job that is gone.
  private caretaker(recordedName: string, name: string, id: string | undefined, isSameSupervisor: boolean): JobRunner {
    const job = jobOf(name, [], { kind: "start" }, valuesOf([], "crontab"));
    const runner = new JobRunner({ ...job, id: id ?? job.id }, this.host, recordedName, isSameSupervisor);
    runner.isLeaving = true;
    return runner;
  }

  countJobs(): string {
    const count = this.runners.filter(({ isLeaving }) => !isLeaving).length;
    return count === 1 ? "1 job" : `${count} jobs`;
  }

  /** To be recorded. @returns what has changed, in words */
  change(jobs: readonly Job[]): string {
    const before = new Map(this.runners.map((runner) => [runner.job.name, runner]));
    const names = matchJobs(
      jobs,
      [...before.values()].map(({ job }) => job),
    );
    const gone = [...before.values()].filter(({ job }) => !names.includes(job.name));
    let [added, changed, removed] = [0, 0, gone.filter(({ isLeaving }) => !isLeaving).length];
    const runners = jobs.map((job, i) => {
      const runner = names[i] === undefined ? undefined : before.get(names[i]);
      if (runner === undefined) {
        added++;
        return this.fitted(new JobRunner(job, this.host, undefined, true));
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

  private fitted(runner: JobRunner): JobRunner {
    const { clock, periodSeconds } = this.host.ticks;
    if (clock !== undefined && periodSeconds > 0) runner.fitTicks(clock.whenSeconds, periodSeconds);
    return runner;
  }

  // Its runs go on. If another job has its name now, it needs one that is free.
  private leave(runner: JobRunner, name: string): JobRunner {
    if (name !== runner.job.name) runner.change({ ...runner.job, name });
    runner.isLeaving = true;
    return runner;
  }

  dismissDone(): void {
    const isGone = (runner: JobRunner) => runner.isLeaving && runner.isDone;
    if (!this.runners.some(isGone)) return;
    this.removed.push(...this.runners.filter(isGone).map(({ job }) => job.name));
    this.runners = this.runners.filter((runner) => !isGone(runner));
    this.record("before counter");
  }

  /**
   * Writes down what has changed since the last time. A new name may be one that another job has yet to give up: those go by
   * a name in between that no job can have, /0, /1 …, and foldJob hands the past on through it.
   */
  record(moment: RecordMoment): void {
    const records = this.runners.map((runner) => runner.jobRecord(moment)).filter(isPresent);
    const givenUp = new Set(records.map(({ was }) => was));
    const isTaken = ({ job }: JournalRecord & { type: "job" }) => givenUp.has(job);
    const lines: JournalRecord[] = [
      ...this.removed.map((job) => ({ type: "removed", job }) as const),
      ...records.map((record, i) => (isTaken(record) ? { ...record, job: `/${i}` } : record)),
      ...records.flatMap((record, i) => (isTaken(record) ? [{ ...record, was: `/${i}` }] : [])),
    ];
    for (let i = 0; i < lines.length; i += RECORDS_AT_ONCE)
      this.host.journal.append(...lines.slice(i, i + RECORDS_AT_ONCE));
    this.removed = [];
  }
}

const MINUTES_LOOKED_UP = 60; // after a longer pause all see the tick

// Which runners see a tick: most jobs of a large crontab can tell for hours that none means anything to them.
class Agenda {
  private watchful: readonly number[]; // the places of those that see the next tick
  private readonly resting = new Map<number, number[]>(); // of the others, by the minute since 1970 that wakes them
  private minute = 0; // of the last tick; before it nobody rests

  constructor(readonly runners: readonly JobRunner[]) {
    this.watchful = runners.map((_, place) => place);
  }

  /** Those that see the next tick. */
  get watchfulRunners(): readonly JobRunner[] {
    return this.watchful.map((place) => this.runners[place]);
  }

  /** What the tick means for each job that it means something to, in their order. `isFirst`: since the listener started. */
  onTick(tick: Tick, counted: CountedTick, isFirst: boolean): Array<Taken | undefined> {
    if (counted.setBackSeconds > 0) this.wakeAll();
    this.wake(Math.floor(tick.whenSeconds / 60));
    const taken = this.watchful.map((place) => this.runners[place].onTick(tick, counted, isFirst));
    this.watchful = this.watchful.filter((place) => !this.rest(place));
    return taken;
  }

  private wakeAll(): void {
    this.resting.clear();
    this.watchful = this.runners.map((_, place) => place);
  }

  private wake(minute: number): void {
    if (minute - this.minute > MINUTES_LOOKED_UP) this.wakeAll();
    const woken: number[] = [];
    for (let m = this.minute + 1; m <= minute && this.resting.size > 0; m++) {
      woken.push(...(this.resting.get(m) ?? []));
      this.resting.delete(m);
    }
    this.minute = minute;
    if (woken.length > 0) this.watchful = [...this.watchful, ...woken].sort((a, b) => a - b);
  }

  private rest(place: number): boolean {
    const minute = Math.floor(this.runners[place].restsUntil / 60);
    if (!(minute > this.minute)) return false;
    const others = this.resting.get(minute);
    if (others === undefined) this.resting.set(minute, [place]);
    else others.push(place);
    return true;
  }
}

/** The same for jobs that are alike in everything. */
function fingerprint({ name, schedule, command, options, env, input }: Job): string {
  const catchUp = schedule.kind === "cron" ? schedule.catchUpSeconds : undefined;
  return JSON.stringify([scheduleRecord(schedule), catchUp, name, command, options, env, input]);
}

/** For removed jobs whose runs go on: names that neither another job nor another one of them has. */
function createFreeNames(jobs: readonly Job[]): (name: string) => string {
  const taken = new Set(jobs.map(({ name }) => name));
  return (wanted) => {
    let name = wanted;
    while (taken.has(name)) name += ".removed";
    taken.add(name);
    return name;
  };
}

// ── Listener ────────────────────────────────────────────────────────────────
// One process between supervisord and the jobs: events in, answers out, and what a tick means for each job in between.
// To listen to another event: extend `onEvent`.

interface ListenerOptions {
  /** The type that counts; undefined: the first one seen. */
  readonly tickType?: string;
  /** Undefined: nothing is kept on disk. */
  readonly statePath?: string;
  readonly isVerbose: boolean;
  /** Commands at a time; 0: no limit. */
  readonly maxRunning: number;
  /** Where the jobs come from, if there can be many. */
  readonly crontab?: CrontabFile;
}

const AMBIGUOUS_PAYLOAD_MS = 100;
const WATCHDOG_PERIODS = 3;
const WATCHDOG_SECOND_LOOK_SECONDS = 1;
const LAST_ERRANDS_SECONDS = 1;

class Listener implements JobHost {
  readonly journal: Journal;
  readonly ticks: TickState;
  private readonly reader = createEventReader();
  private readonly supervisor = identify(process.ppid) ?? { pid: process.ppid, start: 0 };
  readonly self = identify(process.pid) ?? { pid: process.pid, start: 0 };
  private readonly warnings = new Set<string>();
  private readonly counter: CounterFile;
  private readonly input: Input;
  readonly turns: Turns;
  readonly delaying = new Set<JobRunner>();
  private readonly roster: Roster;
  private tickType: string | undefined;
  private hasSeenEvent = false;
  private isLookingAgain = false; // the crontab was still changing
  private isStopping = false;
  private isWaitingForErrands = false; // the runs are over
  private stopSignals = 0;
  private stopDeadlineSeconds = Number.POSITIVE_INFINITY; // on the monotonic clock
  private exitStatus = 0;
  private stopExpectingTicks = () => {};

  constructor(
    jobs: readonly Job[],
    private readonly options: ListenerOptions,
    readonly log: Log,
  ) {
    this.turns = createTurns(options.maxRunning);
    this.counter = openCounterFile(options.statePath, log);
    const { found } = this.counter;
    this.journal = openJournal(options.statePath && `${options.statePath}.runs`, log);
    const isSame = this.isSameSupervisor(); // then its serials go on where they were
    const clock = found.clock && { ...found.clock, isForeign: !isSame };
    this.ticks = { clock, count: found.count, periodSeconds: 0, lastSeconds: 0 };
    this.tickType = options.tickType;
    this.roster = new Roster(jobs, this, isSame, options.crontab === undefined);
    this.input = openInput(
      (bytes) => this.onBytes(bytes),
      () => this.onInputEnd(),
    );
  }

  private get runners(): readonly JobRunner[] {
    return this.roster.runners;
  }

  /** The job, where there is no crontab. */
  private get onlyJob(): Job | undefined {
    return this.options.crontab === undefined ? this.runners[0].job : undefined;
  }

  start(): void {
    const former = this.counter.found.listener;
    if (former !== undefined) for (const runner of this.runners) runner.recordStarts(former);
    this.writeCounter(); // takes the file for us
    this.tellBeginning();
    this.roster.record("before counter");
    for (const runner of this.runners) runner.takeOverRuns(former);
    const atStart = this.runners.filter(({ job }) => isRunOnStart(job));
    this.perform(atStart.map((runner) => runner.takeNow("start")));
    this.roster.dismissDone();
    if (this.isTicking) this.expectTicks();
  }

  private tellBeginning(): void {
    const { statePath, tickType, crontab } = this.options;
    const where = statePath === undefined ? "in memory only" : `in ${statePath}`;
    const tick = tickType ?? "the first type of tick seen";
    if (crontab !== undefined)
      return this.log.line(`${this.roster.countJobs()} of ${crontab.path} on ${tick}; state ${where}`);
    const { schedule } = this.runners[0].job;
    let state = `on ${tick}; state ${where}`;
    if (schedule.kind === "ticks") state = `of ${tick}; count ${this.ticks.count} ${where}`;
    const glue = schedule.kind === "events" ? `; state ${where}` : ` ${state}`;
    this.log.line(`${describeSchedule(schedule)}${glue}`);
  }

  onSignal(signal: NodeJS.Signals): void {
    if (signal === "SIGHUP")
      this.reload(); // HUP is no stop
    else if (signal !== "SIGUSR2") this.onStopSignal(signal);
    else this.perform(this.runners.map((runner) => runner.takeNow("signal")));
  }

  // The jobs may change:

  private lookAtCrontab(): void {
    const look = this.options.crontab?.look();
    if (look === "changed") this.reload();
    if (look === "changing") this.lookAgain();
  }

  private lookAgain(): void {
    if (this.isLookingAgain) return;
    this.isLookingAgain = true;
    startTimer(SETTLE_SECONDS, () => {
      this.isLookingAgain = false;
      this.lookAtCrontab();
    });
  }

  private reload(): void {
    const { crontab } = this.options;
    if (crontab === undefined || this.isStopping) return;
    try {
      const jobs = crontab.readAgain();
      if (jobs === undefined) return this.lookAgain();
      const changes = this.roster.change(jobs);
      this.roster.record("before counter");
      if (this.ticks.clock?.isRestored === false) {
        this.writeCounter(); // another --jitter moves what is undecided
        this.roster.record("after counter"); // else the first tick does it
      }
      this.roster.dismissDone();
      this.log.line(`${this.roster.countJobs()} of ${crontab.path}: ${changes}`);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      this.log.line(`${error.message}; the jobs stay as they are`);
    }
  }

  // The second one kills at once. One that comes while supervisord's end is stopping us is the first.
  private onStopSignal(signal: NodeJS.Signals): void {
    this.stopSignals++;
    if (!this.isStopping || this.stopSignals > 1) this.stop(signal);
  }

  // From bytes to the answer:

  private onBytes(bytes: string): void {
    try {
      const event = this.reader.push(bytes);
      if (event !== undefined) this.onEvent(event);
      else if (this.reader.isAmbiguous()) this.settlePayload();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.fail(`got ${error.message} from supervisord; exiting so that it starts a fresh listener`);
    }
  }

  /** Nothing more comes in for a while: then the payload is complete. */
  private settlePayload(): void {
    const bytes = this.input.bytesRead();
    setTimeout(() => {
      if (this.reader.isAmbiguous() && this.input.bytesRead() === bytes) this.onEvent(this.reader.settle());
    }, AMBIGUOUS_PAYLOAD_MS);
  }

  private onEvent(event: SupervisorEvent): void {
    if (this.isStopping) return; // for the next listener
    this.hasSeenEvent = true;
    if (TICK_PERIODS[event.name] !== undefined) return this.onTick(event);
    this.answerAndPerform(this.runners.map((runner) => this.takeEvent(runner, event)));
  }

  /** An event asks for a run by hand, or is one that the job runs on, or means nothing to it. */
  private takeEvent(runner: JobRunner, event: SupervisorEvent): Taken | undefined {
    if (isRunNow(event, runner.job.name)) return runner.onEvent(event, "remote");
    return isListenedTo(runner.job.schedule, event.name) ? runner.onEvent(event, "event") : undefined;
  }

  private onTick(event: SupervisorEvent): void {
    // Nobody subscribes --on jobs to ticks: this one is a neighbour's, whose ticks may never come again.
    if (this.tickType === undefined && !this.isTicking) return this.answer();
    const tick = parseTick(event);
    this.tickType = this.tickType ?? event.name;
    if (tick === undefined)
      this.warnOnce("no time", `${event.name} brings no time but ${quote(event.payload)}; ignored`);
    else if (event.name === this.tickType) return this.onCountedType(tick);
    else this.warnOnce("other tick", this.otherTickWarning(event.name));
    this.answer();
  }

  get formerPeriodSeconds(): number | undefined {
    return this.counter.found.periodSeconds;
  }

  private get isTicking(): boolean {
    return this.options.crontab !== undefined || this.runners.some(({ job }) => job.schedule.kind !== "events");
  }

  private otherTickWarning(type: string): string {
    const remedy = `write events=${this.tickType} and --tick ${this.tickType}, or ${type} in both places`;
    return `got a ${type}, but ${this.tickType} is what counts here; other types are ignored: ${remedy}`;
  }

  /** A tick of the type that counts: it is counted, what it makes due is written down, it is answered, and runs start. */
  private onCountedType(tick: Tick): void {
    const { ticks } = this;
    if (ticks.periodSeconds === 0) {
      // Two listeners that start in the same moment both find the file free. The later one's name stands in it.
      const rival = findRival(this.options.statePath);
      if (rival !== undefined) return this.fail(inUseBy(this.options.statePath!, rival));
    }
    this.lookAtCrontab();
    if (ticks.periodSeconds === 0) this.beginTicking(tick);
    const before = ticks.clock;
    const counted = countTick(before, tick);
    if (counted === undefined) {
      if (this.options.isVerbose) this.log.line(`event serial ${tick.serial} was counted before; answered and ignored`);
      return this.answer();
    }
    for (const runner of [...this.delaying]) runner.startDelayed(); // this tick came early
    ticks.lastSeconds = monotonicSeconds();
    ticks.clock = counted.clock;
    // Nothing is due at a clock that was set back. A single job's goal is reached all the same and waits for the next tick;
    // the jobs of a crontab share the count, and a multiple of theirs that went by here would be lost.
    if (counted.setBackSeconds === 0 || this.options.crontab === undefined) ticks.count++;
    if (counted.setBackSeconds > 0) {
      const now = formatTime(tick.whenSeconds);
      this.log.line(`the clock was set back by ${counted.setBackSeconds}s; going on from ${now}`);
    }
    this.tellTick(tick);
    const isFirst = before === undefined || before.isRestored;
    const taken = this.roster.agenda.onTick(tick, counted, isFirst);
    if (this.onlyJob !== undefined && counted.setBackSeconds === 0)
      ticks.count = countAfter(this.onlyJob.schedule, ticks.count);
    this.answerAndPerform(taken, () => this.writeCounter());
    if (isFirst) this.roster.record("after counter");
  }

  // The order that makes a kill at any instant harmless: journal, counter, answer, and only then the commands.
  private answerAndPerform(taken: ReadonlyArray<Taken | undefined>, beforeAnswer?: () => void): void {
    this.perform(taken, () => {
      beforeAnswer?.();
      this.answer();
    });
  }

  // However many jobs: one write, and one sync.
  private perform(taken: ReadonlyArray<Taken | undefined>, beforeIt = () => {}): void {
    const all = taken.filter(isPresent);
    this.journal.append(...all.flatMap(({ records }) => records));
    beforeIt();
    for (const { perform } of all) perform();
  }

  // With the first tick the period is known, and with it how each job fits it.
  private beginTicking(tick: Tick): void {
    this.stopExpectingTicks();
    this.ticks.periodSeconds = tick.periodSeconds;
    for (const runner of this.runners) runner.fitTicks(tick.whenSeconds, tick.periodSeconds);
    this.roster.record("before counter");
    this.ticks.lastSeconds = monotonicSeconds();
    this.watch(WATCHDOG_PERIODS * tick.periodSeconds, false);
  }

  /** With --verbose. The count is told where it may decide: with a crontab, and of a single job with --ticks. */
  private tellTick(tick: Tick): void {
    if (!this.options.isVerbose) return;
    const { schedule } = this.onlyJob ?? {};
    const goal = schedule?.kind === "ticks" ? ` of ${schedule.every}` : undefined;
    const count = schedule === undefined || goal !== undefined ? `: count ${this.ticks.count}${goal ?? ""}` : "";
    this.log.line(`tick ${tick.whenSeconds} (${this.tickType})${count}`);
  }

  private answer(): void {
    try {
      writeToSupervisord(ANSWER);
    } catch (error) {
      this.stop(`supervisord does not read any more (${errorCode(error)})`);
    }
  }

  // Without a supervisord that ever spoke to us, somebody has started this by hand: then it is a mistake, not a stop.
  private onInputEnd(): void {
    if (this.hasSeenEvent || process.env.SUPERVISOR_ENABLED !== undefined)
      return this.stop("supervisord closed our stdin");
    this.log.line(NO_SUPERVISORD);
    this.exitStatus = 2;
    this.stop("stdin ended");
  }

  private isSameSupervisor(): boolean {
    const before = this.counter.found.supervisor;
    return before !== undefined && before.pid === this.supervisor.pid && before.start === this.supervisor.start;
  }

  writeCounter(): void {
    const { supervisor, self } = this;
    const { clock, count } = this.ticks;
    const periodSeconds = this.ticks.periodSeconds || this.counter.found.periodSeconds || 0;
    this.counter.write({
      count,
      clock: clock && this.withoutUndecided(clock),
      supervisor,
      listener: self,
      periodSeconds,
    });
  }

  // What --jitter delays, or another --jitter has made due by now, is not decided yet: the oldest of it is where the next
  // listener must begin.
  private withoutUndecided(clock: TickClock): TickClock {
    let written = clock;
    for (const { delayedWindow } of this.delaying)
      if (delayedWindow !== undefined && delayedWindow.after < written.decidedSeconds)
        written = withUndecided(written, delayedWindow);
    // One that resumes sees the next tick: goOn leaves its restsUntil at 0, and a change makes another Agenda.
    for (const { resumesAt } of this.roster.agenda.watchfulRunners) {
      const back = resumesAt === undefined ? 0 : written.decidedSeconds - resumesAt;
      if (back > 0) {
        const { decidedSeconds, fixedDecidedSeconds } = written;
        written = {
          ...written,
          decidedSeconds: decidedSeconds - back,
          fixedDecidedSeconds: fixedDecidedSeconds - back,
        };
      }
    }
    return written;
  }

  private warnOnce(kind: string, text: string): void {
    if (!this.warnings.has(kind)) this.log.line(text);
    this.warnings.add(kind);
  }

  // Who has no ticks looks healthy to supervisord. That is told, and no more: a fresh listener would get none either.
  private expectTicks(): void {
    const type = this.tickType ?? USUAL_TICK;
    const seconds = WATCHDOG_PERIODS * TICK_PERIODS[type]!;
    const tell = () => {
      const remedy = `is this an [eventlistener:x] section with events=${type}?`;
      this.log.line(`no ${this.tickType ?? "tick"} has come in ${formatDuration(seconds)}: ${remedy}`);
    };
    this.stopExpectingTicks = startTimer(seconds, () => {
      this.stopExpectingTicks = startTimer(WATCHDOG_SECOND_LOOK_SECONDS, tell); // as below
    });
  }

  // Ticks stop coming when supervisord is wedged or has put us into UNKNOWN; only a fresh listener gets out of that. The
  // timer is re-armed only when it fires, so that ticks cost nothing. After a SIGSTOP it may fire before the tick that
  // waits in the pipe is read: hence the second look.
  private watch(seconds: number, isSecondLook: boolean): void {
    startTimer(seconds, () => {
      const { periodSeconds, lastSeconds } = this.ticks;
      const silentSeconds = monotonicSeconds() - lastSeconds;
      const leftSeconds = WATCHDOG_PERIODS * periodSeconds - silentSeconds;
      if (leftSeconds > 0) return this.watch(leftSeconds, false);
      if (this.runners.some((runner) => runner.runs.isBusy)) return this.watch(periodSeconds, false);
      if (!isSecondLook) return this.watch(WATCHDOG_SECOND_LOOK_SECONDS, true);
      this.fail(
        `no ${this.tickType} for ${Math.round(silentSeconds)}s; exiting so that supervisord starts a fresh listener`,
      );
    });
  }

  // The end:

  /** Ends with exit status 1, at which supervisord starts a fresh listener. */
  private fail(why: string): void {
    this.log.line(why);
    this.exitStatus = 1;
    this.stop();
  }

  /** The first stop ends the runs, with a grace; the second one at once. What comes in is left for the next listener. */
  private stop(why?: string): void {
    if (why !== undefined && this.exitStatus === 0) this.log.line(`${why}: stopping`);
    this.input.pause();
    const grace = Math.max(0, ...this.runners.map(({ job }) => job.options.policy.killAfterSeconds));
    this.stopDeadlineSeconds = this.isStopping ? 0 : monotonicSeconds() + grace;
    this.isStopping = true;
    for (const runner of this.runners) runner.runs.stop();
    this.onSettled();
  }

  // Errands get what is left of the grace, and at least a second; with a second stop nothing.
  onSettled(): void {
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

  private exit(): void {
    this.log.flush();
    process.exit(this.exitStatus);
  }
}

const NO_SUPERVISORD =
  "supervisord must start this, as an [eventlistener:x] program; to try it here: supertick simulate --ticks 5 --for 15m -- echo hello";

/** Does the event ask for a run of this job, by its name or for all? */
function isRunNow(event: SupervisorEvent, job: string): boolean {
  if (event.name !== "REMOTE_COMMUNICATION") return false;
  const { type, data } = parseRemoteCommunication(event.payload);
  return type === "supertick" && ["", job].includes(data.trim());
}

// ── Start ───────────────────────────────────────────────────────────────────
// From the words of a command line to a listener that is ready. What it was called with is all read, and any mistake told,
// before READY goes out: then supervisord shows it as FATAL, instead of a listener that runs nothing.

/** What supertick was called with. */
interface Invocation {
  readonly flags: Layer;
  readonly environment: EnvironmentLayer;
  readonly settings: Settings;
  readonly command: readonly string[];
}

/** @throws UsageError */
function readInvocation({ layer: flags, command }: CommandLine, env: NodeJS.ProcessEnv = process.env): Invocation {
  const environment = parseEnvironment(env);
  return { flags, environment, settings: resolveSettings([flags, environment.layer]), command };
}

function startListener(args: readonly string[]): void {
  const invocation = readInvocation(parseCommandLine(args, ["job", "listener"]));
  const { settings, flags, environment, command } = invocation;
  checkCommand(invocation);
  if (fs.fstatSync(0).isCharacterDevice() && (require("tty") as typeof import("tty")).isatty(0))
    throw new UsageError(NO_SUPERVISORD);
  const allLog = createLog(settings.log);
  checkProcessName(process.env, allLog);
  const program = settings.crontab ?? command[0];
  const name = settings.name ?? process.env.SUPERVISOR_PROCESS_NAME ?? (program.split("/").pop() || "job");
  const log = settings.crontab === undefined ? allLog.ofJob(name) : allLog;
  for (const warning of environment.warnings) log.line(warning);
  const crontab = settings.crontab === undefined ? undefined : openCrontab(settings.crontab, flags, environment.layer);
  const jobs = crontab?.read() ?? [jobOf(name, command, scheduleOf(settings, defaultZone), settings)];
  const options = {
    tickType: settings.tick,
    statePath: settings.state ?? tryDefaultStatePath(name, log),
    isVerbose: settings.verbose,
    maxRunning: settings.maxRunning,
    crontab,
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

/** @throws UsageError where --crontab or a command is missing, and where both are there */
function checkCommand({ command, settings }: Invocation): void {
  if (settings.crontab !== undefined) {
    if (command.length === 0) return;
    throw new UsageError("the commands stand in the crontab: --crontab and a command behind -- don't go together");
  }
  if (command.length === 0)
    throw new UsageError("which command shall run? Put it behind --: supertick --ticks 5 -- /path/to/command");
  if (command[0] === "") throw new UsageError("the command behind -- is empty");
}

// Python's supervisord shares the ticks out among the processes of a pool. When all but the first refuse, it gets every
// one. A name that ends in a number above 0 and is not the group's is such a further process.
function checkProcessName(env: NodeJS.ProcessEnv, log: Pick<Log, "line">): void {
  const { SUPERVISOR_PROCESS_NAME: name, SUPERVISOR_GROUP_NAME: group } = env;
  if (name === undefined || group === undefined || name === group) return;
  const isFurther = Number(/\d+$/.exec(name)?.[0] ?? 0) > 0;
  const why = `the process ${quote(name)} ${isFurther ? "is" : "may be"} one of several in the group ${quote(group)}, and supervisord shares the ticks out among them: set numprocs=1`;
  if (isFurther) throw new UsageError(why);
  log.line(why);
}

function tryDefaultStatePath(name: string, log: Log): string | undefined {
  try {
    return defaultStatePath(name);
  } catch (error) {
    log.line(
      `no place for the counter file: ${(error as Error).message}; counting in memory only, --state names a place`,
    );
    return undefined;
  }
}

const RIVAL_PATIENCE_SECONDS = 2;
const RIVAL_POLL_SECONDS = 0.2;

// Two live listeners on one file would count double, so the second one ends. But one whose supervisord is dead is only
// ending its job, with a grace: it is waited for, or supervisord's few attempts to start us would be used up by then.
function whenRivalIsGone(path: string | undefined, patienceSeconds: number, log: Log, start: () => void): void {
  const rival = findRival(path);
  if (rival === undefined) return start();
  if (rival.isEnding && patienceSeconds > 0) {
    startTimer(RIVAL_POLL_SECONDS, () => whenRivalIsGone(path, patienceSeconds - RIVAL_POLL_SECONDS, log, start));
    return;
  }
  log.line(inUseBy(path!, rival));
  log.flush();
  process.exit(1);
}

// READY as soon as the settings are known to be right: events wait in the pipe while the rest is loaded. The signals are
// caught before, for a USR2 would otherwise end us; their handler runs only when the listener is there.
function announce(onSignal: (signal: NodeJS.Signals) => void): boolean {
  for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR2"] as const) process.on(signal, onSignal);
  try {
    writeToSupervisord(READY);
    return true;
  } catch {
    return false;
  }
}

/** What subcommands need to know of a job. */
type PlannedJob = Pick<CrontabJob, "schedule" | "settings">;

/** The jobs of a listener that is called so. @throws UsageError */
function plannedJobs({ settings, flags, environment }: Invocation, localZone = defaultZone): readonly PlannedJob[] {
  if (settings.crontab === undefined) return [{ schedule: scheduleOf(settings, localZone), settings }];
  return withoutMistakes(readCrontab(settings.crontab, flags, environment.layer, localZone));
}

// TZ as the C library reads it: a colon may stand in front, and empty means UTC. Without it the process's own clock knows
// the system's zone, and asking that spares the listener what Intl costs.
function defaultZone(name = process.env.TZ): Zone {
  if (name === undefined) return createZone(LOCAL_TIME, (at) => -60 * new Date(at * 1000).getTimezoneOffset());
  try {
    return createZone(name === "" ? "UTC" : name.replace(/^:/, ""));
  } catch (error) {
    throw new UsageError(`TZ: ${(error as Error).message}; --tz goes before it`);
  }
}

// ── simulate ────────────────────────────────────────────────────────────────
// Plays supervisord for the newcomer: starts this very file as a child, sends it ticks over pipes, as strictly as
// Python's supervisord would, and shows every frame. The count of a trial is kept in a temporary directory.
// To play other events than ticks: planSimulation and sendTicks.

interface SimulationPlan {
  readonly tickType: string;
  readonly periodSeconds: number;
  /** Epoch seconds. */
  readonly firstWhen: number;
  readonly tickCount: number;
  /** The machine's seconds between two ticks; 0: none. */
  readonly pauseSeconds: number;
  /** Without --state. */
  readonly listenerArgs: readonly string[];
}

function simulate(args: readonly string[]): void {
  const invocation = readInvocation(parseCommandLine(args, ["job", "listener", "simulate", "trial"]));
  const { flags, settings } = invocation;
  checkCommand(invocation);
  if (settings.on !== undefined)
    throw new UsageError("simulate plays ticks only; --on waits for other events of supervisord");
  const plan = planSimulation(invocation);
  const statePath = flags.texts.has("state") ? settings.state : undefined; // never that of TICK_STATE: it may be in use
  const directory = statePath === undefined ? makeTemporaryDirectory() : undefined;
  play(plan, statePath ?? `${directory}/count`)
    .catch((error: Error) => {
      console.log(`simulate: ${error.message}`);
      return 1;
    })
    .then((status) => {
      if (directory !== undefined) removeDirectory(directory);
      process.exit(status); // a timer may still be waiting for the next tick
    });
}

function planSimulation(invocation: Invocation): SimulationPlan {
  const { flags, settings, command } = invocation;
  const from = settings.from ?? Date.now() / 1000;
  const fitsMinutes = plannedJobs(invocation).every(({ schedule }) => tickMismatches(schedule, 60, from).length === 0);
  const tickType = settings.tick ?? (fitsMinutes ? "TICK_60" : "TICK_5");
  const periodSeconds = TICK_PERIODS[tickType]!;
  if (settings.for < periodSeconds)
    throw new UsageError(`--for: expected at least one ${tickType}, ${formatDuration(periodSeconds)}`);
  const options = [...flags.texts].filter(
    ([key]) => ["job", "listener"].includes(specOf(key).scope) && key !== "state",
  );
  return {
    tickType,
    periodSeconds,
    firstWhen: Math.ceil(from / periodSeconds) * periodSeconds,
    tickCount: Math.floor(settings.for / periodSeconds),
    pauseSeconds: periodSeconds / settings.speed,
    listenerArgs: [
      ...options.map(([, { text, origin }]) => `${origin}=${text}`),
      ...(command.length === 0 ? [] : ["--", ...command]),
    ],
  };
}

/** Returns the exit status. */
async function play(plan: SimulationPlan, statePath: string): Promise<number> {
  const listener = startSimulatedListener([`--state=${statePath}`, ...plan.listenerArgs]);
  const runs = followRuns(`${statePath}.runs`);
  const answers = createStrictReader(listener.stdout!);
  // Resolves to "exit 0", "SIGTERM" …
  const ended = new Promise<string>((resolve) => {
    listener.on("exit", (code, signal) => resolve(signal ?? `exit ${code}`));
  });
  ended.then((how) => {
    answers.end(`the listener ended (${how})`);
    runs.end();
  });
  showLines(listener.stderr!, "    | ");
  listener.stdin!.on("error", () => {}); // its end is told by `ended`
  const stop = () => listener.stdin!.end();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  process.stdout.on("error", stop); // as with | head
  let sent = 0;
  try {
    for await (const _ of sendTicks(plan, listener.stdin!, answers, runs, ended)) sent++;
    await runs.allEnded();
  } finally {
    stop();
    await ended;
  }
  const how = await ended;
  console.log(
    `simulate: ${sent === 1 ? "1 tick" : `${sent} ticks`}, ${runs.summary()}; the listener ended with ${how}`,
  );
  return how === "exit 0" ? 0 : 1;
}

// Yields after each tick that was answered; ends early when the listener does.
async function* sendTicks(
  plan: SimulationPlan,
  stdin: NodeJS.WritableStream,
  answers: ReturnType<typeof createStrictReader>,
  runs: ReturnType<typeof followRuns>,
  ended: Promise<string>,
): AsyncGenerator<void> {
  const pause = plan.pauseSeconds === 0 ? "without a pause" : `every ${plan.pauseSeconds}s`;
  console.log(`simulate: ${plan.tickCount} ticks of ${plan.tickType} from ${formatTime(plan.firstWhen)}, ${pause}`);
  await answers.expect(READY, "ACKNOWLEDGED");
  const startedSeconds = monotonicSeconds();
  for (let i = 0; i < plan.tickCount; i++) {
    const how = await Promise.race([waitUntil(startedSeconds + i * plan.pauseSeconds), ended]);
    if (how !== undefined) return;
    if (plan.pauseSeconds === 0) await runs.allEnded();
    const when = plan.firstWhen + i * plan.periodSeconds;
    const frame = formatEvent(plan.tickType, i + 1, when);
    const answer = answers.expect(ANSWER, "BUSY");
    console.log(`${formatTime(when)} → ${JSON.stringify(frame)}`);
    stdin.write(frame);
    await answer;
    runs.look();
    yield;
  }
}

function startSimulatedListener(args: readonly string[]): import("child_process").ChildProcess {
  const { spawn } = require("child_process") as typeof import("child_process");
  const env: NodeJS.ProcessEnv = { ...process.env, SUPERVISOR_ENABLED: "1" };
  delete env.SUPERVISOR_PROCESS_NAME; // of a supervisord that this trial may itself run under
  delete env.SUPERVISOR_GROUP_NAME;
  const runtimeArgs = isDeno ? ["run", "-A"] : process.execArgv;
  return spawn(process.execPath, [...runtimeArgs, process.argv[1], ...args], { env, stdio: "pipe" });
}

/** A frame as Python's supervisord makes it. */
function formatEvent(name: string, serial: number, when: number): string {
  const payload = `when:${when}`;
  return `ver:3.0 server:supervisor serial:${serial} pool:supertick poolserial:${serial} eventname:${name} len:${payload.length}\n${payload}`;
}

// The state names are those of Python's supervisord. A byte out of turn puts a listener into UNKNOWN, for good.
function createStrictReader(stream: NodeJS.ReadableStream) {
  let got = "";
  let wanted: { text: string; state: string; resolve(): void; reject(error: Error): void } | undefined;
  let failure: Error | undefined;

  function fail(error: Error): void {
    failure = failure ?? error;
    wanted?.reject(failure);
  }

  function look(): void {
    if (wanted === undefined ? got !== "" : !wanted.text.startsWith(got)) {
      const state = wanted?.state ?? "READY";
      fail(
        new Error(
          `UNKNOWN: in state ${state} the listener wrote ${quote(got)}, so supervisord would never talk to it again`,
        ),
      );
    } else if (wanted !== undefined && got === wanted.text) {
      const { text, resolve } = wanted;
      console.log(`${" ".repeat(21)}← ${JSON.stringify(text)}`);
      got = "";
      wanted = undefined;
      resolve();
    }
  }

  stream.on("data", (bytes: Buffer) => {
    got += bytes.toString("latin1");
    look();
  });
  return {
    /** Waits until exactly this text has come. */
    expect: (text: string, state: string) =>
      new Promise<void>((resolve, reject) => {
        wanted = { text, state, resolve, reject };
        if (failure === undefined) look();
        else reject(failure);
      }),
    end: (why: string) => fail(new Error(why)),
  };
}

/** What the listener logs, line by line. */
function showLines(stream: NodeJS.ReadableStream, prefix: string): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) console.log(prefix + line);
  });
  stream.on("end", () => rest !== "" && console.log(prefix + rest));
}

// Which runs are in progress, from the journal. It is written before the answer: after an answer it knows every run that the
// tick has started.
function followRuns(path: string) {
  const open = new Set<string>();
  const results = new Map<string, number>();
  let offset = tryReadFile(path).length; // what stands there already is not of this trial
  let isListenerGone = false;

  function look(): void {
    const text = tryReadFile(path);
    const isNew = text.length < offset;
    const end = text.lastIndexOf("\n") + 1;
    for (const line of text
      .slice(isNew ? 0 : offset, end)
      .split("\n")
      .map(tryParseLine)) {
      if (line === undefined || !("run" in line)) continue;
      const run = `${line.run} ${line.job}`;
      if (line.type === "starting") open.add(run);
      if (line.type === "held") open.delete(run);
      const hasResult = line.type === "givenUp" || (line.type === "finished" && line.retryIn === undefined);
      if (hasResult && open.delete(run)) results.set(line.result, (results.get(line.result) ?? 0) + 1);
    }
    offset = end;
  }

  return {
    look,
    async allEnded(): Promise<void> {
      for (look(); open.size > 0 && !isListenerGone; look()) await waitUntil(monotonicSeconds() + 0.01);
    },
    /** The listener is gone: nobody will write the end of a run any more. */
    end(): void {
      isListenerGone = true;
    },
    summary(): string {
      const counts = [...results].map(([result, n]) => `${n} ${result}`);
      if (open.size > 0) counts.push(`${open.size} unfinished`);
      return counts.length === 0 ? "no run" : `runs: ${counts.join(", ")}`;
    },
  };
}

/** @param seconds on the monotonic clock */
function waitUntil(seconds: number): Promise<void> {
  const ms = Math.max(0, (seconds - monotonicSeconds()) * 1000);
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** @throws UsageError */
function makeTemporaryDirectory(): string {
  const parent = process.env.TMPDIR || "/tmp";
  try {
    return fs.mkdtempSync(`${parent}/supertick-simulate-`);
  } catch (error) {
    throw new UsageError(`no place for simulate's counter file: ${parent}: ${errorCode(error)}; --state names another`);
  }
}

function removeDirectory(directory: string): void {
  for (const name of fs.readdirSync(directory)) fs.unlinkSync(`${directory}/${name}`);
  fs.rmdirSync(directory);
}

// ── init ────────────────────────────────────────────────────────────────────
// Prints the section for supervisord.conf. To add a line to it: formatSection.
//
// How supervisord reads `command=`: a blank before ; or # begins a comment, also between quotes; then %(…)s is replaced and
// %% is %; then shlex.split makes words. Adjacent quotes are one word, so "a "";"" b" keeps its semicolon.

/** One event listener of supervisord.conf. */
export interface ListenerSection {
  readonly name: string;
  readonly command: readonly string[];
  readonly events: readonly string[];
  readonly killAfterSeconds: number;
  readonly environment: ReadonlyArray<readonly [name: string, value: string]>;
}

function init(args: readonly string[]): void {
  const invocation = readInvocation(parseCommandLine(args, ["job", "listener"]));
  const { settings, flags, environment, command } = invocation;
  checkCommand(invocation);
  const jobs = plannedJobs(invocation);
  const from = Math.floor(Date.now() / 1000);
  const tick = settings.tick ?? fittingTick(jobs, from);
  const mismatches = (type: string) =>
    jobs.flatMap(({ schedule }) => tickMismatches(schedule, TICK_PERIODS[type]!, from));
  const section = formatSection({
    name: settings.name ?? (settings.crontab ?? command[0]).split("/").pop()!,
    command: [...ownCommand(), ...flagWords(flags, tick), ...(command.length === 0 ? [] : ["--", ...command])],
    events: [...(settings.on ?? []), ...(tick === undefined ? [] : [tick])],
    killAfterSeconds: longestGrace(jobs),
    environment: [...environment.layer.texts.values()]
      .filter(({ origin }) => origin !== OPTIONS.tick.env)
      .map(({ text, origin }): [string, string] => [origin, text])
      .sort(),
  });
  const relative = [settings.state ?? "/", command[0]?.includes("/") ? command[0] : "/"]
    .filter((file) => !file.startsWith("/"))
    .map((file) => `${quote(file)} is looked for where supervisord runs: give its whole path`);
  const late = tick === undefined ? [] : new Set(mismatches(tick));
  // The tick is that of the job with the finest schedule: who counts ticks may have thought of another.
  const isUnusual = settings.tick === undefined && tick !== undefined && tick !== USUAL_TICK;
  const paces = isUnusual ? new Set(jobs.map(({ schedule }) => paceOn(schedule, tick)).filter(isPresent)) : [];
  for (const note of [...environment.warnings, ...late, ...paces, ...relative])
    writeFully(2, `supertick: note: ${note}\n`);
  writeFully(1, section);
}

function longestGrace(jobs: readonly PlannedJob[]): number {
  return Math.max(0, ...jobs.map(({ settings }) => settings.killAfter));
}

/** The coarsest tick on which every run starts at its due time; for a count of ticks the usual one, for events none. */
function fittingTick(jobs: readonly PlannedJob[], from: number): string | undefined {
  const needed = jobs.map(({ schedule }) => fittingTickOf(schedule, from)).filter(isPresent);
  if (needed.length < jobs.length && needed.length === 0) return undefined;
  return ["TICK_5", "TICK_60", "TICK_3600"].find((type) => needed.includes(type)) ?? "TICK_60";
}

function fittingTickOf(schedule: Schedule, from: number): string | undefined {
  if (schedule.kind === "events") return undefined;
  if (schedule.kind === "ticks" || schedule.kind === "start") return "TICK_60";
  // Half a year on as well: in summer a zone may be off the full hour by another half.
  const fits = (type: string, at: number) => tickMismatches(schedule, TICK_PERIODS[type]!, at).length === 0;
  return (
    ["TICK_3600", "TICK_60"].find((type) => fits(type, from) && fits(type, from + 183 * SECONDS_IN_DAY)) ?? "TICK_5"
  );
}

/** What starts this very file under supervisord: its name where it is executable, else the runtime in front. */
function ownCommand(): string[] {
  const given = (require("path") as typeof import("path")).resolve(process.argv[1]);
  const file = fs.existsSync(given) ? given : `${given}.js`; // Node takes the name without it too
  if (isDeno) return [process.execPath, "run", "-A", file];
  return isBun || !isExecutable(file) ? [process.execPath, file] : [file]; // its first line asks for Node
}

/** The flags as they were given, and --tick. */
function flagWords({ texts }: Layer, tick: string | undefined): string[] {
  const words = [...texts].flatMap(([key, { text, origin }]) => {
    if (specOf(key).metavar === undefined) return text === "yes" ? [origin] : [`${origin}=${text}`];
    const value = key === "crontab" ? (require("path") as typeof import("path")).resolve(text) : text;
    return value === "--" ? [`${origin}=--`] : [origin, value];
  });
  return tick === undefined || texts.has("tick") ? words : [...words, "--tick", tick];
}

/** @throws UsageError for what a value in supervisord.conf can't hold */
export function formatSection({ name, command, events, killAfterSeconds, environment }: ListenerSection): string {
  const lines = [
    `[eventlistener:${name.replace(/[^\p{L}\p{M}\p{N}_.-]+/gu, "-").replace(/^-+|-+$/g, "") || "job"}]`,
    `command=${command.map(quoteWord).join(" ")}`,
    `events=${[...new Set(events)].join(",")}`,
    "autorestart=true",
    "stdout_logfile=NONE",
    "; for a container; where supervisord's stderr is a socket, as under systemd, name a file here",
    "stderr_logfile=/dev/stderr",
    "stderr_logfile_maxbytes=0",
  ];
  if (environment.length > 0) lines.push(`environment=${environment.map(quoteVariable).join(",")}`);
  const stopSeconds = killAfterSeconds + STOP_MARGIN_SECONDS;
  if (stopSeconds > STOP_WAIT_SECONDS)
    lines.push(
      "; above --kill-after: until then supertick ends its job, then supervisord kills",
      `stopwaitsecs=${stopSeconds}`,
    );
  return `${lines.join("\n")}\n`;
}

/** supervisord's default. */
const STOP_WAIT_SECONDS = 10;
const STOP_MARGIN_SECONDS = 5;
// What Python takes for a blank.
const BLANK = "[\\t-\\r\\x1c- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";

function quoteWord(word: string): string {
  if (/[\r\n]/.test(word))
    throw new UsageError(`${quote(word)} has a line break, which supervisord.conf can't hold: put it into a script`);
  if (/^[\w@+=:,./-]+$/.test(word)) return word;
  const q = /["\\]/.test(word) && !word.includes("'") ? "'" : '"';
  const text = q === '"' ? word.replace(/["\\]/g, "\\$&") : word;
  // supervisord puts a directory for %(here)s wherever it stands, after a % too.
  const kept = text.replace(new RegExp(`${BLANK}(?=[;#])|%(?=\\()`, "g"), (before) => before + q + q);
  return q + kept.replace(/%/g, "%%") + q;
}

// A value ends at the next such quote, and loses the quotes of either kind at its ends.
function quoteVariable([name, value]: readonly [string, string]): string {
  const q = value.includes('"') ? "'" : '"';
  if (value.includes(q) || new RegExp(`[\r\n]|${BLANK}[;#]|%\\(here\\)s|^["']|["']$`).test(value)) {
    const flag = OPTION_KEYS.map(specOf).find(({ env }) => env === name)?.flag;
    throw new UsageError(`${name} ${quote(value)} can't be a variable in supervisord.conf: give it as ${flag}`);
  }
  return `${name}=${q}${value.replace(/%/g, "%%")}${q}`;
}

// ── check ───────────────────────────────────────────────────────────────────
// Says in words what will happen, before it is trusted: the schedule, what may surprise, the next runs.
// To warn of something more: forecastOf for what an option does, scheduleWarnings for what a schedule does.

function check(args: readonly string[]): void {
  const files: string[] = [];
  const commandLine = parseCommandLine(args, ["job", "listener", "check", "trial", "report"], files);
  if (files.length > 0) {
    const { layer, command } = commandLine;
    if (files.length > 1 || command.length > 0 || layer.texts.size > Number(layer.texts.has("json")))
      throw noOption(files[0]);
    return checkConfiguration(files[0], isGiven(layer, "json"));
  }
  const invocation = readInvocation(commandLine);
  const { settings, environment } = invocation;
  if (settings.crontab !== undefined) return checkCrontab(settings.crontab, invocation);
  const schedule = scheduleOf(settings, defaultZone);
  const forecast = forecastOf(schedule, settings, settings);
  const warnings = [...environment.warnings, ...forecast.warnings];
  const text = settings.json
    ? JSON.stringify({ ...forecast, warnings })
    : describeForecast(schedule, { ...forecast, warnings }).join("\n");
  writeFully(1, `${text}\n`);
}

function checkCrontab(path: string, { settings, flags, environment }: Invocation): void {
  const { jobs, ...crontab } = readCrontab(path, flags, environment.layer);
  const warnings = [...environment.warnings, ...crontab.warnings];
  const forecasts = jobs.map((job) => ({ job, forecast: forecastOf(job.schedule, job.settings, settings) }));
  const list = () => [
    ...crontab.mistakes,
    ...warnings.map((warning) => `note: ${warning}`),
    ...forecasts.flatMap(({ job, forecast }) => [
      `line ${job.line}, ${job.name}: ${forecast.schedule}`,
      ...describeForecast(job.schedule, forecast)
        .slice(1)
        .map((line) => `  ${line}`),
    ]),
  ];
  const object = () => ({
    mistakes: crontab.mistakes,
    warnings,
    jobs: forecasts.map(({ job, forecast }) => ({ name: job.name, line: job.line, ...forecast })),
  });
  writeFully(1, `${settings.json ? JSON.stringify(object()) : list().join("\n") || "no job"}\n`);
  if (crontab.mistakes.length > 0) process.exitCode = 2;
}

/** What will happen. */
interface Forecast {
  /** In words. */
  readonly schedule: string;
  readonly warnings: readonly string[];
  /** Epoch seconds. */
  readonly next: readonly number[];
}

/** @param asked what the user of `check` asks for: --from, -n, --tick */
function forecastOf(schedule: Schedule, { jitter, onlyIf, runOnStart }: Settings, asked: Settings): Forecast {
  const from = asked.from ?? Math.floor(Date.now() / 1000);
  const warnings = scheduleWarnings(schedule, asked.tick, from);
  if (jitter > 0 && isByClock(schedule)) {
    const longest = formatDuration(longestDelay(schedule, from, jitter));
    warnings.push(`each run starts later than listed, by a time below ${longest} (--jitter)`);
  }
  if (runOnStart) warnings.push("it also runs once when the listener starts (--run-on-start)");
  if (onlyIf !== undefined && !isByClock(schedule))
    warnings.push("--only-if as a lock among replicas needs due times that are the same for all: --every or --cron");
  return { schedule: describeSchedule(schedule), warnings, next: nextDueTimes(schedule, from, asked.number) };
}

function scheduleWarnings(schedule: Schedule, tickType: string | undefined, from: number): string[] {
  const periodSeconds = tickType === undefined ? undefined : TICK_PERIODS[tickType];
  const pace = tickType === undefined ? undefined : paceOn(schedule, tickType);
  if (pace !== undefined) return [pace];
  if (schedule.kind === "cron") return cronWarnings(schedule.cron, schedule.zone, from, periodSeconds);
  return periodSeconds === undefined ? [] : tickMismatches(schedule, periodSeconds, from);
}

/** How often a job runs that counts ticks, in words; undefined for others. */
function paceOn(schedule: Schedule, tickType: string): string | undefined {
  if (schedule.kind !== "ticks") return undefined;
  const pace = formatDuration(schedule.every * TICK_PERIODS[tickType]!);
  return `${describeSchedule(schedule)} of ${tickType} is every ${pace}`;
}

function describeForecast(schedule: Schedule, forecast: Forecast): string[] {
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

/** Sun 2025-03-30 03:00:00 +02:00 */
function formatLocal(zone: Zone, second: number): string {
  const { offset } = zone.spanAt(second);
  const reading = new Date((second + offset) * 1000);
  const minutes = Math.abs(offset) / 60;
  const utcOffset = `${twoDigits(Math.floor(minutes / 60))}:${twoDigits(Math.floor(minutes % 60))}`;
  const clock = reading.toISOString().slice(0, 19).replace("T", " ");
  return `${reading.toUTCString().slice(0, 3)} ${clock} ${offset < 0 ? "-" : "+"}${utcOffset}`;
}

// ── check supervisord.conf ──────────────────────────────────────────────────
// What is wrong with the sections that run supertick. To tell of another mistake: checkListener, or a function beside
// checkLogs that it calls. How the file is read is the next section's matter.

interface Finding extends Place {
  readonly section: string;
  readonly key: string;
  /** null: there is none, or it may hold a secret. */
  readonly value: string | null;
  readonly message: string;
  readonly isMistake: boolean;
}

function checkConfiguration(file: string, isJson: boolean): void {
  const { sections, findings } = checkFile(file);
  const [mistakes, warnings] = [true, false].map((isMistake) =>
    findings.filter((finding) => finding.isMistake === isMistake).map(({ isMistake: _, ...finding }) => finding),
  );
  const lines = [...mistakes.map(describeFinding), ...warnings.map((warning) => `note: ${describeFinding(warning)}`)];
  if (mistakes.length === 0) lines.push(`no mistake in ${listed(sections.map((name) => `[${name}]`))}`);
  const shown = lines.map((line) => line.replace(/[\u0000-\u001f\u007f-\u009f]/g, escapeCodeUnit));
  const text = isJson ? JSON.stringify({ file, sections, mistakes, warnings }) : shown.join("\n");
  writeFully(1, `${text}\n`);
  process.exitCode = mistakes.length > 0 ? 1 : 0;
}

function describeFinding({ file, line, section, key, value, message }: Omit<Finding, "isMistake">): string {
  const shown = value === null ? "" : `=${/^[ -~]{0,80}$/.test(value) ? value : quote(value)}`;
  return `${file}:${line}:${section === "" ? "" : ` [${section}] ${key}${shown}:`} ${message}`;
}

/** `sections`: those that run supertick. */
function checkFile(file: string): { sections: string[]; findings: Finding[] } {
  const configuration = readConfiguration(file);
  const nowhere = { file, line: 1, section: "", key: "", value: null, isMistake: true };
  const findings: Finding[] = configuration.errors.map((error) => ({ ...nowhere, ...error }));
  const supervisord = createSectionReader(configuration, "supervisord", new Map(configuration.names));
  const common = supervisord.readVariables();
  findings.push(...supervisord.findings);
  const stateOwners = new Map<string, string>();
  const programs = [...configuration.sections.keys()].filter((name) => /^(eventlistener|(fcgi-)?program):/.test(name));
  const sections = programs.filter((header) => {
    const reader = createSectionReader(configuration, header, new Map(supervisord.names));
    const isSupertick = checkProgram(reader, { ...process.env, ...common }, stateOwners);
    if (isSupertick) findings.push(...reader.findings);
    return isSupertick;
  });
  if (sections.length === 0 && findings.length === 0)
    findings.push({ ...nowhere, message: "no section runs supertick: nothing was checked" });
  return { sections, findings };
}

type SectionReader = ReturnType<typeof createSectionReader>;

/** Reads the values of one section and takes down what is wrong with them. `names`: what %(…)s may stand for. */
export function createSectionReader(
  { sections, defaults }: Configuration,
  header: string,
  names: Map<string, string | number>,
) {
  const section = sections.get(header);
  const findings: Finding[] = [];
  const given = (key: string) => section?.values.get(key) ?? (section && defaults.get(key));

  /** @param standard supervisord's default, which stands where the section says nothing */
  function tell(key: string, message: string, standard?: string, isMistake = true) {
    const { file, line, text = standard ?? null } = given(key) ?? { ...section!, text: undefined };
    findings.push({ file, line, section: header, key, value: key === "environment" ? null : text, message, isMistake });
  }

  /** What `parse` makes of the value; undefined if it can't, which is told. */
  function read<T>(key: string, standard: string, parse: (text: string) => T): T | undefined {
    try {
      return parse(expand(given(key)?.text ?? standard, names));
    } catch (error) {
      const { message } = error as Error;
      tell(key, error instanceof Expectation ? `supervisord expects ${message}` : message);
      return undefined;
    }
  }

  function readVariables(): NodeJS.ProcessEnv {
    const variables = read("environment", "", parseVariables) ?? {};
    for (const name of Object.keys(variables)) names.set(`ENV_${name}`, variables[name]);
    return variables;
  }

  return { header, names, findings, textOf: (key: string) => given(key)?.text, tell, read, readVariables };
}

/** What supervisord takes from the section of a program; what it would refuse is told. */
export function readProgram({ header, names, read, readVariables }: SectionReader) {
  const group = header.slice(header.indexOf(":") + 1);
  const numprocs = read("numprocs", "1", parseInteger) ?? 1;
  const process_num = read("numprocs_start", "0", parseInteger) ?? 0;
  const facts = { program_name: group.trim(), group_name: group, numprocs, process_num };
  for (const [name, value] of Object.entries(facts)) names.set(name, value);
  const variables = readVariables();
  const words = read("command", "", splitWords);
  return { group, numprocs, variables, words, processName: read("process_name", "%(program_name)s", String) };
}

/**
 * Does the section run supertick? Then what is wrong with it is told.
 * @param stateOwners the sections before it, by what they count in
 */
function checkProgram(reader: SectionReader, inherited: NodeJS.ProcessEnv, stateOwners: Map<string, string>): boolean {
  const { header, tell, textOf } = reader;
  const { group, numprocs, variables, words, processName } = readProgram(reader);
  const isListener = header.startsWith("eventlistener:");
  const call =
    words === undefined
      ? unreadableCall(textOf("command"))
      : (supertickCall(words) ?? (isListener ? callByPath(words) : undefined));
  if (call === undefined || (!isListener && call.args !== undefined && !isListening(call.args))) return false;
  if (/[ :/]/.test(group.trim()))
    tell("command", "supervisord refuses a name with a blank, : or / in it: rename the section");
  if (!isListener) {
    tell("command", `only event listeners get ticks: make it [eventlistener:${group}], with events=`);
    return true;
  }
  if (numprocs !== 1) tell("numprocs", "supervisord would share the ticks out among the processes: numprocs=1");
  const name = numprocs === 1 ? processName : group;
  const supervisorNames = { SUPERVISOR_PROCESS_NAME: name, SUPERVISOR_GROUP_NAME: group };
  const env = { ...inherited, ...variables, ...supervisorNames, ...call.variables };
  if (words !== undefined && call.args === undefined)
    tell("command", "it can't be told which options supertick gets: they are not checked", undefined, false);
  const listener = checkListener(reader, call, env);
  if (listener !== undefined) checkState(reader, listener.settings, name ?? group, stateOwners);
  return true;
}

// Two listeners that count in one file: the second one refuses to start.
function checkState({ header, tell }: SectionReader, settings: Settings, name: string, owners: Map<string, string>) {
  const place = settings.state ?? `the default for ${quote(settings.name ?? name)}`;
  const owner = owners.get(place);
  if (owner !== undefined)
    tell("command", `[${owner}] has the same counter file, ${place}: give it a --name or --state of its own`);
  owners.set(place, header);
}

// What only a section whose command is understood can be asked: args is undefined where it is not.
function checkListener(
  reader: SectionReader,
  { args }: SupertickCall,
  env: NodeJS.ProcessEnv,
): CheckedListener | undefined {
  if (reader.read("redirect_stderr", "false", yesOrNo)) {
    const why = "supervisord refuses it for an event listener, whose stdout is the protocol";
    reader.tell("redirect_stderr", `${why}: remove it`);
  }
  const listener = args === undefined ? undefined : readListener(reader, args, env);
  checkLogs(reader);
  checkEvents(reader, listener);
  checkEnd(reader, longestGrace(listener?.jobs ?? []));
  return listener;
}

// What becomes of supertick when it ends or is stopped: it must come back, and its jobs must have their grace.
function checkEnd({ tell, read }: SectionReader, killAfter: number): void {
  const restart = read("autorestart", "unexpected", (text) =>
    /^unexpected$/i.test(text) ? "unexpected" : yesOrNo(text),
  );
  const codes = read("exitcodes", "0", (text) => text.split(",").map((code) => parseInteger(code.trim()))) ?? [];
  const final = restart === "unexpected" ? codes.filter((code) => code >= 0 && code <= 2) : ["of any kind"];
  if (restart !== undefined && restart !== true && final.length > 0)
    tell("autorestart", `after an exit status ${final.join(" or ")} it stays down: autorestart=true`, "unexpected");
  if (!/^((sig)?(term|int|quit)|15|2|3)$/i.test(read("stopsignal", "TERM", String) ?? "TERM"))
    tell("stopsignal", "supertick ends at TERM, INT or QUIT only, and its job with it: stopsignal=TERM");
  const stopSeconds = read("stopwaitsecs", String(STOP_WAIT_SECONDS), parseInteger);
  if (stopSeconds === undefined || stopSeconds > killAfter) return;
  const why = `supervisord would kill supertick before --kill-after (${formatDuration(killAfter)}) is over`;
  tell("stopwaitsecs", `${why}: stopwaitsecs=${killAfter + STOP_MARGIN_SECONDS}`, String(STOP_WAIT_SECONDS));
}

// Where supervisord writes what supertick says: to a file that it can rotate, or to none; stdout is the protocol.
function checkLogs({ tell, read }: SectionReader): void {
  for (const stream of ["stdout", "stderr"]) {
    const [fileKey, sizeKey] = [`${stream}_logfile`, `${stream}_logfile_maxbytes`];
    const file = read(fileKey, "AUTO", String) ?? "NONE";
    const size = read(sizeKey, "50MB", parseBytes);
    if (/^\/(dev\/(std(out|err)|fd\/\d)|proc\/self\/fd\/\d)$/.test(file) && size !== 0)
      tell(
        sizeKey,
        `supervisord can't rotate ${file} and would complain of an illegal seek at each line: ${sizeKey}=0`,
        "50MB",
      );
    if (stream === "stdout" && !/^(none|off)$/i.test(file))
      tell(fileKey, "each RESULT would be logged: stdout_logfile=NONE", "AUTO", false);
  }
}

/** A word that people write for a shell: of a pipe, a redirection, a list. find(1) wants a ";". */
const SHELL_WORD = /^(\|\|?|&&?|\d?>>?(&\d)?|\d?>>?\/.*|<)$/;

interface CheckedListener {
  readonly settings: Settings;
  readonly jobs: readonly PlannedJob[];
}

/** What the listener makes of its command line and environment; undefined where it refuses them, which is told. */
function readListener(
  { tell }: SectionReader,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): CheckedListener | undefined {
  try {
    const invocation = readInvocation(parseCommandLine(args, ["job", "listener"]), env);
    const { settings, environment } = invocation;
    checkCommand(invocation);
    const forShells = invocation.command.find((word) => SHELL_WORD.test(word));
    if (forShells !== undefined)
      tell("command", `no shell reads it, so ${quote(forShells)} is an argument: /bin/sh -c "…"`, undefined, false);
    for (const warning of environment.warnings) tell("environment", warning, undefined, false);
    checkProcessName(env, { line: (text) => tell("process_name", text, undefined, false) });
    if (settings.crontab === undefined || fs.existsSync(settings.crontab))
      return { settings, jobs: plannedJobs(invocation, () => defaultZone(env.TZ)) };
    tell("command", `there is no ${settings.crontab} here: its jobs are not checked`, undefined, false);
    return { settings, jobs: [] };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const { message } = error; // begins with what it is about
    tell(
      /^(TICK_|TZ:)/.test(message) ? "environment" : /^the process/.test(message) ? "process_name" : "command",
      message,
    );
    return undefined;
  }
}

/** All that may stand in events=. */
const knownEvents = () => [...EVENT_TYPES, "TICK", ...Object.keys(TICK_PERIODS)];

// Do the events that the jobs need come, and on ticks that are fine enough? `fix` is the line that does it.
function checkEvents({ tell, read }: SectionReader, listener: CheckedListener | undefined): void {
  const split = (text: string) => (text === "" ? [] : text.split(",").map((name) => name.trim().toUpperCase()));
  const events = read("events", "", split);
  if (events === undefined) return;
  for (const name of events.filter((event) => !knownEvents().includes(event)))
    tell("events", `supervisord has no event ${quote(name)}${suggestion(name, knownEvents())}`);
  const from = Math.floor(Date.now() / 1000);
  const { on = [], tick: named } = listener?.settings ?? {};
  const fitting = listener === undefined ? "TICK_60" : fittingTick(listener.jobs, from);
  const others = events.filter((name) => EVENT_TYPES.includes(name));
  const fix = `events=${[...new Set([...others, ...on, named ?? fitting].filter(isPresent))].join(",")}`;
  if (events.length === 0) return tell("events", `supervisord refuses an event listener without: ${fix}`);
  if (listener === undefined) return;
  const isSent = (type: string) => isAmong(events, type);
  const ticks = Object.keys(TICK_PERIODS).filter(isSent);
  const tick = named ?? (ticks.length === 1 ? ticks[0] : undefined);
  const isTooCoarse = tick !== undefined && fitting !== undefined && TICK_PERIODS[tick]! > TICK_PERIODS[fitting]!;
  const needed = [...on, isTooCoarse ? undefined : named]; // of a tick that is too coarse, below
  const missing = needed.filter(isPresent).filter((type) => !isSent(type));
  if (missing.length > 0) tell("events", `${listed(missing)} would never come: ${fix}`);
  else if (fitting !== undefined && ticks.length === 0 && !isTooCoarse)
    tell("events", `no tick would ever come: ${fix}`);
  else if (fitting !== undefined && tick === undefined)
    tell(
      "events",
      `of ${listed(ticks)} the first to come is the one that counts: add --tick ${fitting} to the command`,
    );
  if (tick === undefined || fitting === undefined) return;
  const mismatches = listener.jobs.flatMap(({ schedule }) => tickMismatches(schedule, TICK_PERIODS[tick]!, from));
  for (const text of new Set(mismatches))
    tell("events", isTooCoarse ? `${text}: events=${fitting} and --tick ${fitting}` : text, undefined, isTooCoarse);
}

interface SupertickCall {
  /** What stands behind supertick's own name; undefined where a shell has a part in it. */
  readonly args?: readonly string[];
  /** Set on the way, by env or a shell. */
  readonly variables?: NodeJS.ProcessEnv;
}

const SUPERTICK = /(^|[^a-z])(supertick(?![a-z])|listener\.js)/;

/** Is it called as a listener, not as a subcommand? */
const isListening = ([first = ""]: readonly string[]) =>
  !/^(init|check|simulate|status|--help|-h|--version)$/.test(first);

/** Of a command that can't be split into words: a call if it looks like one. */
const unreadableCall = (text = ""): SupertickCall | undefined => (SUPERTICK.test(text) ? {} : undefined);

/** The call of supertick that a command is, by itself or behind a runtime, env, tini or a shell; undefined if it is none. */
function supertickCall(words: readonly string[]): SupertickCall | undefined {
  const variables: NodeJS.ProcessEnv = {};
  let before = "";
  for (let i = 0; i < words.length; i++) {
    const program = words[i].split("/").pop()!;
    if (isSupertick(words[i])) return { args: words.slice(i + 1), variables };
    if (/^(ba|da|a|z|k)?sh$/.test(program)) {
      const at = words.findIndex((word, j) => j > i && /^-\w*c$/.test(word));
      return at < 0 ? undefined : callInShell(words[at + 1] ?? "");
    }
    const isLauncher = /^(node(js)?|bunx?|deno|npx|env|tini|dumb-init|exec|nice)$/.test(program);
    // Behind a launcher: its options, their values, variables, and the `run` of Bun and Deno.
    const [, name, value] = /^(\w+)=(.*)$/s.exec(words[i]) ?? [];
    if (!isLauncher && (before === "" || !(name || /^-|^run$/.test(words[i]) || before.startsWith("-"))))
      return undefined;
    if (name) variables[name] = value;
    before = words[i];
  }
  return undefined;
}

/** An event listener with supertick's path in it runs supertick, whatever stands in front: gosu, chpst, setpriv … */
function callByPath(words: readonly string[]): SupertickCall | undefined {
  const at = words.findIndex((word) => word.startsWith("/") && isSupertick(word));
  return at < 0 ? undefined : { args: words.slice(at + 1) };
}

// What a shell would change is not guessed at.
function callInShell(text: string): SupertickCall | undefined {
  try {
    if (!/[$`;&|<>(){}*?~#\\\n]/.test(text.replace(/'[^']*'/g, "")))
      return supertickCall(["exec", ...splitWords(text)]);
  } catch {
    return unreadableCall(text);
  }
  const commands = text.split(/[;&|\n(){}]+/).map((command) => command.trim().split(/\s+/));
  return commands.some((words) => supertickCall(["exec", ...words])) ? {} : undefined;
}

/** This very file, or one that begins like it; where there is no such file here, the name tells. */
function isSupertick(word: string): boolean {
  const name = word.split("/").pop()!;
  const isNamed = SUPERTICK.test(name);
  if (name === "supertick" || !word.includes("/")) return isNamed;
  try {
    if (!fs.statSync(word).isFile()) return false;
    const fd = fs.openSync(word, "r");
    const start = readStart(fd);
    fs.closeSync(fd);
    return start.includes("\n// supertick ");
  } catch {
    return isNamed;
  }
}

// ── supervisord.conf ────────────────────────────────────────────────────────
// What supervisord makes of the file and of those it includes: Python's ConfigParser, % on the values, shlex.
//
//   file     = {section}                       of one name: one section; of one key: its last value
//   section  = "[" name "]" {key ("=" | ":") value {continuation}}
//   comment  = (";" | "#") …                   at the beginning of a line or behind a blank, between quotes too
//   continuation: a line that is indented further than its key, or an empty one
//   [DEFAULT] holds for every section; [include] files= is a list of patterns; what is included includes nothing.
//
// Whatever looks odd here is so in supervisord: test/check-conf.test.ts compares the two, file by file.

interface Place {
  readonly file: string;
  readonly line: number;
}

interface ConfigurationSection extends Place {
  readonly values: Map<string, Place & { text: string }>;
}

interface Configuration {
  readonly sections: Map<string, ConfigurationSection>;
  /** [DEFAULT] */
  readonly defaults: ConfigurationSection["values"];
  /** Why supervisord would refuse the file. */
  readonly errors: Array<Place & { message: string }>;
  /** What %(…)s may stand for in every section. */
  readonly names: ReadonlyMap<string, string | number>;
}

/** @throws UsageError if it cannot be read */
export function readConfiguration(file: string): Configuration {
  const { dirname, resolve } = require("path") as typeof import("path");
  const here = dirname(resolve(file));
  const names = new Map<string, string | number>([
    ["here", here],
    ["host_node_name", hostName()],
  ]);
  for (const name of Object.keys(process.env)) names.set(`ENV_${name}`, process.env[name]!);
  const configuration: Configuration = { sections: new Map(), defaults: new Map(), errors: [], names };
  addFile(configuration, file);
  const include = configuration.sections.get("include");
  if (include === undefined) return configuration;
  setHere(configuration, here);
  for (const pattern of includePatterns(configuration, include)) {
    for (const name of findFiles(pattern.startsWith("/") ? pattern : `${here}/${pattern}`)) {
      addFile(configuration, name);
      setHere(configuration, resolve(dirname(name)));
    }
  }
  return configuration;
}

/** Adds what stands in a file to the configuration. */
function addFile(configuration: Configuration, file: string): void {
  let bytes: Buffer;
  try {
    bytes = fs.readFileSync(file);
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${errorCode(error)}`);
  }
  const text = bytes.toString();
  if (Buffer.from(text).equals(bytes)) readLines(configuration, file, text);
  else configuration.errors.push({ file, line: 1, message: "it is not UTF-8, and supervisord would not start" });
}

function includePatterns({ defaults, errors, names }: Configuration, include: ConfigurationSection): string[] {
  const files = include.values.get("files") ?? defaults.get("files");
  try {
    if (files === undefined) throw new Error("[include] has no files=");
    return expand(files.text, names).split(BLANKS).filter(Boolean);
  } catch (error) {
    const { file, line } = files ?? include;
    errors.push({ file, line, message: (error as Error).message });
    return [];
  }
}

// With [include], supervisord puts the directory of each file wherever %(here)s stands, behind a % too.
function setHere({ sections, defaults }: Configuration, here: string): void {
  for (const values of [defaults, ...[...sections.values()].map((section) => section.values)])
    for (const value of values.values()) value.text = value.text.split("%(here)s").join(here);
}

function readLines({ sections, defaults, errors }: Configuration, file: string, text: string): void {
  let values: ConfigurationSection["values"] | undefined;
  let value: { text: string } | undefined;
  let indent = 0;
  const lines = text.split(/\r\n|\r|\n/);
  for (let i = 0; i < lines.length; i++) {
    const place = { file, line: i + 1 };
    const end = commentStart(lines[i]);
    const content = strip(lines[i].slice(0, end));
    const depth = lines[i].search(NO_BLANK);
    if (content === "" || (value !== undefined && depth > indent)) {
      if (value !== undefined && (content !== "" || end === Number.POSITIVE_INFINITY)) value.text += `\n${content}`;
      continue;
    }
    indent = depth;
    const header = /^\[(.+)\]/s.exec(content)?.[1];
    const [, key, rest] = /^(.*?)[=:](.*)$/s.exec(content) ?? [];
    if (header !== undefined) {
      if (header !== "DEFAULT" && !sections.has(header)) sections.set(header, { ...place, values: new Map() });
      values = header === "DEFAULT" ? defaults : sections.get(header)!.values;
      value = undefined;
    } else if (values === undefined) {
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
  for (const { values } of [{ values: defaults }, ...sections.values()])
    for (const value of values.values()) value.text = strip(`.${value.text}`).slice(1);
}

// The first of either kind may be no comment; then the next of both are looked at, and the nearer one is.
function commentStart(line: string): number {
  if (/^[;#]/.test(strip(line))) return 0;
  let found = [";", "#"].map((sign) => ({ sign, at: -1 }));
  for (;;) {
    found = found.map(({ sign, at }) => ({ sign, at: line.indexOf(sign, at + 1) })).filter(({ at }) => at >= 0);
    const comments = found.filter(({ at }) => !NO_BLANK.test(line[at - 1] ?? " "));
    if (comments.length > 0 || found.length === 0) return Math.min(...comments.map(({ at }) => at));
  }
}

/** The files that a pattern of Python's glob names, in the order in which supervisord reads them. */
function findFiles(pattern: string): string[] {
  let found = [""];
  for (const part of pattern.split("/").filter(Boolean)) {
    const isPattern = /[*?[]/.test(part);
    const matches = isPattern ? globMatcher(part) : () => false;
    found = found.flatMap((directory) =>
      (isPattern ? namesIn(directory || "/").filter(matches) : [part]).map((name) => `${directory}/${name}`),
    );
  }
  return found.filter((file) => fs.existsSync(file) && !fs.statSync(file).isDirectory()).sort();
}

function globMatcher(pattern: string): (name: string) => boolean {
  const source = pattern.replace(
    /\*+|\?|\[(!|(?!!))(\][^\]]*|[^\]]+)\]|[\s\S]/g,
    (sign, not?: string, set?: string) => {
      if (set !== undefined) {
        const some = set.replace(/(.)-(.)/gsu, (range, low, high) => (low > high ? "" : range));
        return `[${not === "!" ? "^" : ""}${some.replace(/[\\\]^[]/g, "\\$&")}]`;
      }
      return sign[0] === "*" ? "[\\s\\S]*" : sign === "?" ? "[\\s\\S]" : sign.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
    },
  );
  const regex = new RegExp(`^${source}$`, "u");
  return (name) => regex.test(name) && (pattern[0] === "." || name[0] !== ".");
}

/**
 * Python's `text % names`, with which supervisord reads every value.
 * @throws Error
 */
export function expand(text: string, names: ReadonlyMap<string, string | number>): string {
  return text.replace(/%(?:%|\(([^()]*)\)([-0 ]*)(\d*)([sdi])|)/g, (sign, name, flags, width, type) => {
    if (sign === "%%") return "%";
    if (type === undefined) throw new Error("a % begins a name such as %(here)s: write %% for the sign");
    const value = names.get(name);
    if (value === undefined && name.startsWith("ENV_"))
      throw new Error(`${name.slice(4)} is not set here, and supervisord does not start without it`);
    if (value === undefined || (type !== "s" && typeof value === "string"))
      throw new Error(`supervisord has no ${sign}: write %% for the sign`);
    if (flags.includes("-")) return String(value).padEnd(width);
    return String(value).padStart(width, type !== "s" && flags.includes("0") ? "0" : " ");
  });
}

/**
 * Python's shlex.split.
 * @throws Error
 */
function splitWords(text: string): string[] {
  const words: string[] = [];
  let isOpen = false; // does the next piece belong to the last word?
  for (const [piece, blanks, single, double, escaped] of text.matchAll(
    /([ \t\r\n]+)|'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])|[^ \t\r\n'"\\]+|[\s\S]/g,
  )) {
    if (/^['"\\]$/.test(piece))
      throw new Error(piece === "\\" ? "nothing stands behind the \\" : `the ${piece} is never closed`);
    if (blanks === undefined) {
      if (!isOpen) words.push("");
      words[words.length - 1] += single ?? double?.replace(/\\(["\\])/g, "$1") ?? escaped ?? piece;
    }
    isOpen = blanks === undefined;
  }
  return words;
}

/**
 * What environment= sets. Here quotes are closed by the next of their kind, and a word ends at most other signs.
 * @throws Error
 */
function parseVariables(text: string): Record<string, string> {
  const tokens: string[] = [];
  const pattern = /[ \t\r\n]+|#[^\n]*\n?|("[^"]*"|'[^']*'|[\w/.+\-():](?:[\w/.+\-():"']|#[^\n]*\n?)*|[\s\S])/gu;
  for (const [, token] of text.matchAll(pattern)) {
    if (token === '"' || token === "'") throw new Error(`the ${token} is never closed`);
    if (token !== undefined) tokens.push(/^["']/.test(token) ? token : token.replace(/#[^\n]*\n?/g, ""));
  }
  const variables: Record<string, string> = {};
  for (let i = 0; i < tokens.length; i += 4) {
    const [name, sign, value] = tokens.slice(i, i + 3);
    if (sign !== "=" || value === undefined)
      throw new Error(`expected NAME="value",NAME="value" near ${quote(name)}, with no such quote in a value`);
    variables[name] = value.replace(/^["']+|["']+$/g, "");
  }
  return variables;
}

function parseInteger(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw new Expectation("a whole number");
  return Number(text);
}

function parseBytes(text: string): number {
  if (!/^[+-]?\d+\s*([kmg]b)?$/i.test(text)) throw new Expectation("a size such as 50MB");
  return Number.parseInt(text, 10);
}

const NO_BLANK = new RegExp(`[^${BLANK.slice(1)}`);
const BLANKS = new RegExp(`${BLANK}+`);

// Not by one regex: on a long row of blanks within the text that would take for ever.
function strip(text: string): string {
  const start = text.search(NO_BLANK);
  let end = text.length;
  while (end > start && !NO_BLANK.test(text[end - 1])) end--;
  return start < 0 ? "" : text.slice(start, end);
}

// ── status ──────────────────────────────────────────────────────────────────
// What the two files of a listener say: a table for people, an exit status for a health check. It only reads, so it works
// beside the running listener, and after its end.
// To add a column: extend JobReport, then tableRow.

/** What the files of one listener say. */
export interface StateReport {
  readonly file: string;
  /** What is not as it should be with the listener, or why nothing is known. */
  readonly problem?: string;
  /** Epoch seconds. */
  readonly lastTick?: number;
  /** Seconds between two ticks. */
  readonly period?: number;
  readonly jobs: readonly JobReport[];
}

export interface JobReport {
  readonly job: string;
  /** In words. */
  readonly schedule?: string;
  readonly last?: LastResult;
  /** The last twenty due times: what the run came to, or "none" where nothing ran. */
  readonly recent: ReadonlyArray<Result | "none">;
  readonly failures: number;
  /** Epoch seconds of the tick that the next run comes with. */
  readonly next?: number;
  /** Runs in progress; `since`: epoch seconds. */
  readonly running: ReadonlyArray<{ readonly run: number; readonly since: number }>;
}

const NONE = { outcome: "none", sign: "–", colour: 90 } as const;
const OUTCOMES = {
  success: { outcome: "success", sign: "✓", colour: 32 },
  failure: { outcome: "failure", sign: "✗", colour: 31 },
  timeout: { outcome: "timeout", sign: "⏱", colour: 33 },
  interrupted: { outcome: "interrupted", sign: "✗", colour: 31 },
  none: NONE,
} as const;

function status(args: readonly string[]): void {
  const files = args.filter((arg) => !arg.startsWith("-"));
  const { layer } = parseCommandLine(
    args.filter((arg) => arg.startsWith("-")),
    ["report"],
  );
  const now = Date.now() / 1000;
  const reports = (files.length > 0 ? files : findStateFiles()).map((file) => reportOf(file, now));
  const isHealthy = reports.length > 0 && reports.every(isWell);
  const text = isGiven(layer, "json")
    ? jsonText({ healthy: isHealthy, states: reports })
    : describeReports(reports, now, openTerminal());
  writeFully(1, `${text}\n`);
  process.exitCode = isHealthy ? 0 : 1;
}

/** The counter files that can be read where defaultStatePath puts them, or the one that TICK_STATE names. */
function findStateFiles(): string[] {
  const { TICK_STATE: named, TMPDIR: temporary = "/tmp" } = process.env;
  if (named !== undefined && named !== "") return [named];
  const isSomeones = (name: string) => {
    const [, uid] = /^supertick-(\d+)$/.exec(name) ?? [];
    return uid !== undefined && isPrivateTo(Number(uid), `${temporary}/${name}`); // not whoever came first
  };
  const directories = namesIn(temporary).filter(isSomeones);
  return ["/var/lib/supertick", ...directories.map((name) => `${temporary}/${name}`)].flatMap((directory) =>
    namesIn(directory)
      .filter((name) => !FURTHER_FILES.test(name))
      .map((name) => `${directory}/${name}`)
      .filter(isReadableFile),
  );
}

const STALE_PERIODS = 3;
const USUAL_PERIOD_SECONDS = 60;

/** `now`: epoch seconds. */
function reportOf(file: string, now: number): StateReport {
  const pasts = [...readJournal(new JournalFile(`${file}.runs`).read())];
  const { content, problem } = lookAtCounter(file);
  const { clock, count = 0, periodSeconds = 0 } = content ?? {};
  const jobs = pasts.map(([name, past]) => jobReport(name, past, { clock, count, periodSeconds }));
  const began = Math.max(0, ...pasts.map(([, { job }]) => job?.at ?? 0));
  // Jobs that run on events alone need no tick.
  const isWaiting = jobs.length > 0 && jobs.every(({ schedule }) => schedule?.startsWith("on "));
  const silent = isWaiting && clock === undefined ? undefined : describeSilence(clock, periodSeconds, began, now);
  return {
    file,
    problem: problem ?? silent,
    lastTick: clock?.whenSeconds,
    period: periodSeconds || undefined,
    jobs,
  };
}

/** What the counter file says, or what is wrong with it. */
function lookAtCounter(file: string): { content?: CounterContent; problem?: string } {
  try {
    const text = readStartOf(file);
    if (text === "") return { problem: "the file is empty" };
    const content = tryParseCounter(text);
    return content === undefined ? { problem: `expected a count, got ${quote(text)}` } : { content };
  } catch (error) {
    return { problem: errorCode(error) === "ENOENT" ? "there is no such file" : `cannot read it: ${errorCode(error)}` };
  }
}

/** Why the listener seems to get no ticks; a fresh one has three periods for the first. */
function describeSilence(clock: TickClock | undefined, period: number, began: number, now: number): string | undefined {
  const limit = STALE_PERIODS * (period || USUAL_PERIOD_SECONDS);
  if (clock === undefined) return now - began <= limit ? undefined : "no tick was counted yet";
  const age = now - clock.whenSeconds;
  if (age <= limit) return undefined;
  return `the last tick was counted ${formatAge(age)} ago, ${formatTime(clock.whenSeconds)}: no listener is at work`;
}

function jobReport(name: string, past: JobPast, ticks: TickFacts): JobReport {
  const schedule = tryReadSchedule(past.job?.schedule, defaultZone);
  const outcomes = Object.values(OUTCOMES);
  return {
    job: name,
    schedule: schedule && describeSchedule(schedule),
    last: past.last,
    recent: [...past.recent].map((letter) => (outcomes.find(({ outcome }) => outcome[0] === letter) ?? NONE).outcome),
    failures: past.failures,
    next: schedule && nextRun(schedule, ticks, past.job?.delay ?? 0),
    running: past.openRuns.flatMap(({ started, finished }) =>
      started === undefined || finished !== undefined ? [] : [{ run: started.run, since: started.at }],
    ),
  };
}

/** Does it deserve exit status 0? A job that has not run yet does. */
function isWell({ problem, jobs }: StateReport): boolean {
  return problem === undefined && jobs.every(({ last }) => last === undefined || last.result === "success");
}

/** Where the table is shown. */
interface Terminal {
  readonly columns: number;
  readonly isColoured: boolean;
}

function openTerminal(): Terminal {
  const { isatty } = require("tty") as typeof import("tty");
  if (!isatty(1)) return { columns: Number.POSITIVE_INFINITY, isColoured: false };
  return { columns: process.stdout.columns || 80, isColoured: !process.env.NO_COLOR };
}

/** One cell of the table. */
interface Cell {
  readonly text: string;
  readonly isRight?: boolean;
  /** Where there is no room for all of it, its end is shown. */
  readonly isNewestLast?: boolean;
  paint?(text: string): string;
}

/** The table. `now`: epoch seconds. */
export function describeReports(reports: readonly StateReport[], now: number, terminal: Terminal): string {
  if (reports.length === 0) return "no state file was found: name it, supertick status FILE";
  const problems = reports.flatMap(({ file, problem }) =>
    problem === undefined ? [] : [`${jsonText(file).slice(1, -1)}: ${problem}`],
  );
  const jobs = reports.flatMap((report) => report.jobs);
  if (jobs.length === 0) return problems.length > 0 ? problems.join("\n") : "no job has been recorded yet";
  const isWide = terminal.columns >= WIDE_COLUMNS;
  const head = ["JOB", "LAST RUN", "SECONDS", "LAST 20", "FAILED", "NEXT"].map((text) => ({
    text,
    isRight: text === "SECONDS" || text === "FAILED",
    isNewestLast: text === "LAST 20",
  }));
  const table = [head, ...jobs.map((job) => tableRow(job, now, isWide, terminal.isColoured))];
  return [...layOut(table, terminal.columns), ...problems].join("\n");
}

const WIDE_COLUMNS = 110;

/** @param isWide is there room for exact times? */
function tableRow(job: JobReport, now: number, isWide: boolean, isColoured: boolean): Cell[] {
  const painted = (colour: number) => (text: string) => (isColoured ? `\u001b[${colour}m${text}\u001b[0m` : text);
  const { last, recent, failures, running } = job;
  const when = last === undefined ? "" : `${formatAge(now - last.at)} ago`;
  const exactly = last !== undefined && isWide ? `, ${formatTime(Math.floor(last.at))}` : "";
  const signs = recent.map((outcome) => OUTCOMES[outcome].sign).join("");
  const paintSign = (sign: string) =>
    painted((Object.values(OUTCOMES).find((outcome) => outcome.sign === sign) ?? NONE).colour)(sign);
  return [
    { text: quote(job.job).slice(1, -1) },
    last === undefined
      ? { text: "none yet" }
      : { text: `${last.result} ${when}${exactly}`, paint: painted(OUTCOMES[last.result].colour) },
    { text: last === undefined ? "" : last.seconds.toFixed(1), isRight: true },
    { text: signs, isNewestLast: true, paint: (text) => [...text].map(paintSign).join("") },
    { text: String(failures), isRight: true, paint: failures > 0 ? painted(OUTCOMES.failure.colour) : undefined },
    { text: describeNext(job, now, isWide) + (running.length > 0 ? describeRunning(running, now) : "") },
  ];
}

function describeNext({ next, running }: JobReport, now: number, isWide: boolean): string {
  if (running.length > 0 && !isWide) return "";
  if (next === undefined) return isWide && running.length > 0 ? "" : "–";
  const words = next > now ? `in ${formatAge(next - now)}` : "now";
  return isWide ? `${words}, ${formatTime(next)}${running.length > 0 ? "; " : ""}` : words;
}

function describeRunning(running: JobReport["running"], now: number): string {
  const [oldest] = running;
  const more = running.length > 1 ? ` (${running.length})` : "";
  return `running ${formatAge(now - oldest.since)}${more}`;
}

/** The largest unit alone: 3h */
function formatAge(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [unit, size] = DURATION_UNITS.find(([name, size]) => name !== "w" && whole >= size) ?? ["s", 1];
  return `${Math.floor(whole / size)}${unit}`;
}

const MIN_NAME_COLUMNS = 8;
const MIN_RESULT_COLUMNS = 7;

/** Columns side by side. What does not fit is taken off the names, then off the older results. */
function layOut(table: readonly Cell[][], columns: number): string[] {
  const widths = table[0].map((_, i) => Math.max(...table.map((row) => displayWidth(row[i].text))));
  const fit = (column: number, least: number) => {
    const all = widths.reduce((sum, width) => sum + width + COLUMN_GAP.length, -COLUMN_GAP.length);
    widths[column] = Math.min(widths[column], Math.max(least, widths[column] - (all - columns)));
  };
  fit(0, MIN_NAME_COLUMNS);
  fit(
    table[0].findIndex(({ isNewestLast }) => isNewestLast),
    MIN_RESULT_COLUMNS,
  );
  return table.map((row) =>
    row
      .map(({ text, isRight, isNewestLast, paint = (plain) => plain }, i) => {
        const shown = isNewestLast ? [...text].slice(-widths[i]).join("") : shorten(text, widths[i]);
        const blanks = " ".repeat(widths[i] - displayWidth(shown));
        return isRight ? blanks + paint(shown) : paint(shown) + blanks;
      })
      .join(COLUMN_GAP)
      .trimEnd(),
  );
}

const COLUMN_GAP = "  ";

function shorten(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  const characters = [...text];
  while (displayWidth(characters.join("")) > columns - 1) characters.pop();
  return `${characters.join("")}…`;
}

const WIDE_CHARACTER =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\ud83c-\ud83e][\udc00-\udfff]/g;

/** The columns of a terminal that a text takes: East Asian characters and emoji take two, combining marks none. */
function displayWidth(text: string): number {
  const shown = text.replace(/\p{Mn}|\p{Me}/gu, "");
  return [...shown].length + (shown.match(WIDE_CHARACTER) ?? []).length;
}

// ── main ────────────────────────────────────────────────────────────────────
// To add a subcommand: its name in SUBCOMMANDS, its line in helpText, a section like those above, and its line in main.

// Bun leaves out a `--` that is the first word. The kernel has it.
function commandLineWords(): string[] {
  const words = process.argv.slice(2);
  if (!isBun) return words;
  const all = tryReadFile("/proc/self/cmdline").split("\0").slice(0, -1);
  return all[all.length - words.length - 1] === "--" ? ["--", ...words] : words;
}

/** Everything starts here; the last line of the built file calls it. */
export function main(): void {
  const args = commandLineWords();
  const options = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
  try {
    if (options.includes("--help") || options.includes("-h")) writeFully(1, helpText());
    else if (options.includes("--version")) writeFully(1, `supertick ${SUPERTICK_VERSION}\n`);
    else if (args[0] === "init") init(args.slice(1));
    else if (args[0] === "check") check(args.slice(1));
    else if (args[0] === "status") status(args.slice(1));
    else if (args[0] === "simulate") simulate(args.slice(1));
    else startListener(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    try {
      writeFully(2, `supertick: ${error.message}\n`);
    } finally {
      process.exit(2);
    }
  }
}
