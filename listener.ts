// supertick: cron for supervisord, in one file.
//
// supervisord starts this program as an event listener and sends it ticks over stdin. The life of one tick:
//
//   bytes      stdin brings "ver:3.0 … eventname:TICK_60 len:15\nwhen:1700000040"
//   event      the reader cuts the bytes into one event
//   dedupe     a tick that was counted before is answered and ignored
//   due?       for each job: does its schedule have a due time after what is decided, up to this tick?
//   facts      what becomes of it is appended to the run journal; that a run is about to start is synced
//   counter    the count and the tick are written to the counter file
//   answer     "RESULT 2\nOKREADY\n" goes to stdout: at once, whatever the run will do
//   effects    the command is started in a session of its own, watched, and its result is logged
//
// The map. Start reading at `Listener`, or at `JobRunner.onTick` if you want to know why a job did not run. What stands
// above the double line is pure.
//
//   Event listener protocol    bytes in, events out
//   Ticks                      which ticks count, and what they say about the clock
//   Schedules                  one class a kind: the next due time, the latest one; durations
//   Cron expressions           the text, the calendar, time zones, due times, and all that in words
//   Facts                      what is known of a job: the fold of its facts, each a line of the journal
//   Job policy                 what is due, and what happens to the runs of a job: decide(job, state, input, moment)
//   Settings                   ONE table of options for flags, environment, defaults, validation and --help
//   Jobs                       what is configured
//   Crontab                    many jobs from one text
//   ═══ the outside world ═══
//   Log                        stderr, our lines and the commands', without ever blocking on it
//   Processes                  which are alive; the commands that supertick runs
//   Pings                      a service that watches over the job
//   Supervisord's pipes        events in, answers out
//   Files                      opened with care, for their names are known to all
//   Counter file               the count, the last tick, and who counts; whole at every instant
//   Run journal                the facts of all jobs, appended
//   Requests                   what a listener is asked for while it is at work
//   Jobs at work               a runner for each job: it holds the state, and carries out the effects
//   Crontab files              where the jobs come from when there are many, and when it is read again
//   Roster                     all runners, kept when the crontab changes
//   Listener                   events in, answers out; the order of facts, counter, answer and effects
//   Start                      from the command line to a listener that is ready
//   simulate                   a supervisord for the newcomer
//   init                       the section for supervisord.conf
//   check                      what will happen, in words
//   check supervisord.conf     what is wrong with its sections that run supertick
//   status                     what has happened
//   serve                      the same as a page, and for machines
//   run, pause, resume         ask the listener that has the job
//   main
//
// Two rules. Stdout belongs to supervisord: nothing but READY and RESULT is ever written to it, or supervisord stops
// talking to us for good. And above the line that says so there is no clock, no file and no process.

import fs = require("fs");

declare const SUPERTICK_VERSION: string;

// ── Event listener protocol ─────────────────────────────────────────────────
// What supervisord sends: a header line, then a payload whose length the header gives. It sends the next event only
// after READY, so at most one is ever outstanding.
// To use more of an event: extend SupervisorEvent and parseHeader; to read another payload, add a parser beside
// parseTick.

/** One event as supervisord sent it. */
export interface SupervisorEvent {
  /** `eventname`: TICK_60, REMOTE_COMMUNICATION, PROCESS_STATE_FATAL, … */
  readonly name: string;
  /** `serial`: rises with every event of one supervisord. */
  readonly serial: number;
  /** `poolserial`: rises by one with every event that is put into our pool. */
  readonly poolSerial?: number;
  readonly payload: string;
  /** It had more than 1 MiB: it was read and dropped, and `payload` is empty. */
  readonly isDropped?: boolean;
}

/** What arrived is not what supervisord sends. The message says what it was. */
export class ProtocolError extends Error {}

/** Said once, when the listener can take its first event. */
export const READY = "READY\n";
/**
 * The answer to an event, and the readiness for the next one. Never FAIL: supervisord would resend the event at once.
 */
export const ANSWER = "RESULT 2\nOKREADY\n";

const MAX_HEADER_BYTES = 64 * 1024;
const MAX_PAYLOAD_LENGTH = 2 ** 31;
const MAX_KEPT_PAYLOAD_BYTES = 1024 * 1024;
const MIN_BYTE_LENGTHS = 3; // before a supervisord is believed to count bytes

/**
 * Cuts the byte stream from supervisord into events. Bytes come one character each (latin1): strings cost a tick less
 * than buffers.
 *
 * `len` counts bytes (supervisor 3, Go) or code points (supervisor 4 on Python 3); the header does not say which. For
 * ASCII it is the same. Else: more bytes than `len` mean code points; exactly `len` bytes may be either, so the caller
 * waits for more, and if none come they were bytes; after three of those, this supervisord counts bytes. What follows
 * the last one belongs to no event: it is dropped.
 */
export class EventReader {
  private line = "";
  private header: EventHeader | undefined; // of the payload that is being read
  private kept = "";
  private byteCount = 0;
  private codePoints = 0;
  private owedBytes = 0; // continuation bytes that the last code point still lacks
  private byteLengths = 0; // payloads whose length counted bytes, since the last one that can only count code points
  private isStrayLineAllowed = false;

  /**
   * Takes the next bytes. Returns the event that they complete.
   * @throws ProtocolError on a line that is not a header, a line over 64 KiB, a length over 2^31
   */
  push(bytes: string): SupervisorEvent | undefined {
    let rest = bytes;
    while (this.header === undefined) {
      if (rest === "") return undefined;
      rest = this.readHeader(rest);
    }
    const { length } = this.header;
    const end = this.readPayload(rest, length);
    const isWhole = this.countsBytes ? this.isAmbiguous : this.codePoints === length && this.owedBytes === 0;
    if (!isWhole) return undefined;
    // Only one event is outstanding, so that nothing can follow what is counted right.
    const hasMore = end < rest.length;
    if (hasMore || this.byteCount > length) this.byteLengths = 0;
    return this.complete(this.header, hasMore || (this.countsBytes && !isAscii(this.kept)));
  }

  /** Is the payload complete if its length counts bytes, and incomplete if it counts code points? */
  get isAmbiguous(): boolean {
    return this.header !== undefined && this.byteCount === this.header.length;
  }

  /** To be called when an ambiguous payload got no more bytes for 100 ms: then its length counted bytes. */
  settle(): SupervisorEvent {
    this.byteLengths++;
    return this.complete(this.header!, true);
  }

  private get countsBytes(): boolean {
    return this.byteLengths >= MIN_BYTE_LENGTHS;
  }

  // Returns what follows the line.
  private readHeader(bytes: string): string {
    const newline = bytes.indexOf("\n");
    this.line += newline < 0 ? bytes : bytes.slice(0, newline);
    const { line } = this;
    if (line.length > MAX_HEADER_BYTES) throw new ProtocolError(`a line of more than 64 KiB: ${quoteBytes(line)}`);
    if (newline < 0) return "";
    this.header = parseHeader(line);
    if (this.header === undefined && !this.isStrayLineAllowed)
      throw new ProtocolError(`a line that is not an event header: ${quoteBytes(line)}`);
    this.line = this.kept = "";
    this.byteCount = this.codePoints = this.owedBytes = 0;
    this.isStrayLineAllowed = false;
    return bytes.slice(newline + 1);
  }

  // Returns where the payload ends, or the bytes do.
  private readPayload(bytes: string, length: number): number {
    const end = this.countsBytes ? Math.min(bytes.length, length - this.byteCount) : this.readCodePoints(bytes, length);
    this.byteCount += end;
    this.kept = this.byteCount > MAX_KEPT_PAYLOAD_BYTES ? "" : this.kept + bytes.slice(0, end);
    return end;
  }

  private readCodePoints(bytes: string, length: number): number {
    let end = 0;
    for (; end < bytes.length; end++) {
      const byte = bytes.charCodeAt(end);
      if (this.owedBytes > 0 && (byte & 0xc0) === 0x80) {
        this.owedBytes--;
      } else {
        this.owedBytes = 0;
        if (this.codePoints === length) break;
        this.codePoints++;
        this.owedBytes = byte < 0xc0 ? 0 : byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
      }
    }
    return end;
  }

  private complete({ name, serial, poolSerial }: EventHeader, isStrayLineAllowed: boolean): SupervisorEvent {
    this.header = undefined;
    this.isStrayLineAllowed = isStrayLineAllowed;
    const isDropped = this.byteCount > MAX_KEPT_PAYLOAD_BYTES || undefined;
    return { name, serial, poolSerial, payload: decodeUtf8(this.kept), isDropped };
  }
}

type EventHeader = Pick<SupervisorEvent, "name" | "serial" | "poolSerial"> & { readonly length: number };

// ver:3.0 server:ANY TEXT serial:21 pool:NAME poolserial:10 eventname:TICK_60 len:15
// The server's name is free text, with spaces and colons too: so the line is read from the right.
function parseHeader(line: string): EventHeader | undefined {
  const tail = / eventname:([A-Z][A-Z0-9_]*) len:(\d+)$/.exec(line);
  if (tail === null) return undefined;
  const poolSerialAt = line.lastIndexOf(" poolserial:", tail.index);
  const serialAt = line.lastIndexOf(" serial:", poolSerialAt);
  const serial = /^ serial:(\d{1,15}) /.exec(line.slice(serialAt));
  const length = Number(tail[2]);
  if (poolSerialAt < 0 || serialAt < 0 || serial === null) return undefined;
  if (length > MAX_PAYLOAD_LENGTH) throw new ProtocolError(`an event that is too long: ${quoteBytes(line.slice(-80))}`);
  const poolSerial = line.slice(poolSerialAt + " poolserial:".length, tail.index);
  const isNumber = /^\d{1,15}$/.test(poolSerial);
  return { name: tail[1], serial: Number(serial[1]), poolSerial: isNumber ? Number(poolSerial) : undefined, length };
}

function decodeUtf8(bytes: string): string {
  return isAscii(bytes) ? bytes : Buffer.from(bytes, "latin1").toString("utf8");
}

function isAscii(bytes: string): boolean {
  return /^[\x00-\x7f]*$/.test(bytes);
}

/** The text of a REMOTE_COMMUNICATION event: `type:TYPE`, a newline, then the data. */
function parseRemoteCommunication(payload: string): { type: string; data: string } {
  const [, type, data = ""] = /^(?:type:)?([^\n]*)(?:\n([\s\S]*))?$/.exec(payload)!;
  return { type, data };
}

// Other people's text, here and in all other sections:

/**
 * Text that is not ours for a message of ours: quoted, cut, and with everything escaped that a terminal could act on.
 */
export function quote(text: string): string {
  return jsonText(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

/** The same without quotation marks. */
function shown(text: string): string {
  return quote(text).slice(1, -1);
}

/** Quotes what may be PASSWORD=secret or -psecret, where something else was expected, without the secret. */
function quoteName(text: string): string {
  return quote(text.replace(/=.*/s, "=…").replace(/^(-[a-z]).+/is, "$1…"));
}

/** JSON in which everything is escaped that a terminal could act on. */
function jsonText(value: unknown): string {
  return escapeUnsafe(JSON.stringify(value));
}

/** Escapes what a terminal could act on, but for the first 32 characters: those JSON, or the caller, has escaped. */
function escapeUnsafe(text: string): string {
  return text.replace(/[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, escapeCodeUnit);
}

function escapeAll(text: string): string {
  return escapeUnsafe(text.replace(/[\u0000-\u001f]/g, escapeCodeUnit));
}

/** Of several lines: newlines and tabs stay. */
function escapeLines(text: string): string {
  return escapeUnsafe(text.replace(/[\0-\x08\x0b-\x1f]/g, escapeCodeUnit));
}

function escapeCodeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Quotes what supervisord sent (latin1). */
function quoteBytes(bytes: string): string {
  return quote(decodeUtf8(bytes.slice(0, 400)));
}

// ── Ticks ───────────────────────────────────────────────────────────────────
// Which ticks count, and what each says about supervisord's clock. No machine clock: the ticks bring the time.
//
// An event can come again, or late: a neighbour of the same priority that answers FAIL, or dies, gets its event put at
// the head of our pool too, and after our own restart supervisord delivers again what we did not answer. So an event is
// counted once, by its own serial, never for being below another one. An older serial is a late tick: it counts, and
// decides nothing, for the newer one decided all up to its own time. A newer serial with an older `when` is a clock set
// back. A clock set forward is the same thing as a pause.

/** The seconds between two ticks of each type. */
export const TICK_PERIODS: Readonly<Record<string, number | undefined>> = { TICK_5: 5, TICK_60: 60, TICK_3600: 3600 };

const USUAL_TICK = "TICK_60"; // where none is named

/** One tick. `whenSeconds`: epoch seconds, a multiple of the period. */
export interface Tick {
  readonly serial: number;
  readonly whenSeconds: number;
  readonly periodSeconds: number;
}

/** The last tick counted; late ones leave it as it is. */
export interface LastTick {
  readonly whenSeconds: number;
  readonly serial: number;
  /** Another supervisord sent it, or we can't tell: its serials say nothing about this one's. */
  readonly isForeign?: boolean;
}

/**
 * Reads a TICK event. Python's supervisord sends the start of the period, the Go one raw seconds.
 * @returns undefined where the event is not a tick, or its payload has no time
 */
export function parseTick(event: SupervisorEvent): Tick | undefined {
  const periodSeconds = TICK_PERIODS[event.name];
  const when = /^when:(\d{1,12})(?!\d)/.exec(event.payload);
  if (periodSeconds === undefined || when === null) return undefined;
  const whenSeconds = Math.floor(Number(when[1]) / periodSeconds) * periodSeconds;
  return { serial: event.serial, whenSeconds, periodSeconds };
}

const MAX_SERIALS = 1000;
const MAX_SERIALS_TEXT = 120; // some forty serials at least, where ticks are half of the events

/** The serials of one supervisord's events that were counted, as far back as memory goes: what is older is old. */
export class SerialSet {
  private steps = ""; // from the highest down to each next lower one, as text; as many as fit

  /** @param serials ascending @param floor up to here all are taken for counted */
  constructor(
    private readonly serials: number[] = [],
    private floor = -1,
  ) {
    this.countSteps();
  }

  has(serial: number): boolean {
    return serial <= this.floor || this.serials.includes(serial);
  }

  add(serial: number): void {
    const { serials } = this;
    const highest = serials.length === 0 ? -1 : serials[serials.length - 1];
    let place = serials.length;
    while (place > 0 && serials[place - 1] > serial) place--;
    serials.splice(place, 0, serial);
    if (serials.length > MAX_SERIALS) this.floor = serials.shift()!;
    if (serial < highest) this.countSteps();
    else if (highest >= 0) this.steps = fitSteps(`.${(serial - highest).toString(36)}${this.steps}`);
  }

  // Only after one out of order: each tick would pay for it.
  private countSteps(): void {
    const { serials } = this;
    let steps = this.floor < 0 ? "" : "-";
    for (let i = 1; i < serials.length; i++) steps = `.${(serials[i] - serials[i - 1]).toString(36)}${steps}`;
    this.steps = fitSteps(steps);
  }

  /** In base 36: the highest serial, then how much less each next lower one is; a hyphen where there were more. */
  format(): string {
    const { serials, steps } = this;
    return serials.length === 0 ? "" : serials[serials.length - 1].toString(36) + steps;
  }

  /** What `format` wrote; an empty set for anything else. */
  static parse(text: string): SerialSet {
    if (!/^[0-9a-z]{1,10}(\.[0-9a-z]{1,10}){0,999}-?$/.test(text)) return new SerialSet();
    const serials: number[] = [];
    for (const part of text.replace("-", "").split(".")) {
      const number = Number.parseInt(part, 36);
      serials.unshift(serials.length === 0 ? number : serials[0] - number);
    }
    return new SerialSet(serials, text.endsWith("-") ? serials[0] - 1 : -1);
  }
}

function fitSteps(steps: string): string {
  return steps.length <= MAX_SERIALS_TEXT ? steps : `${steps.slice(0, steps.lastIndexOf(".", MAX_SERIALS_TEXT))}-`;
}

const USUAL_BUFFER = 10; // supervisord's buffer_size=
const EVENT_BUFFER = 1000; // what we advise for events that come in a burst: beyond it the oldest would be lost

/**
 * Which events of our pool never come: when it is full, supervisord drops the oldest without a word. A number may come
 * late, for an event that a neighbour has rejected comes before those that wait.
 */
export class PoolGaps {
  private gaps: Array<{ readonly from: number; readonly to: number; readonly isOld: boolean }> = [];
  private isFirst = true;

  /** @param highest that came before our start; undefined: numbers below the first are of no matter */
  constructor(public highest?: number) {}

  get isOpen(): boolean {
    return this.gaps.length > 0;
  }

  /** How many have not come yet. */
  get missing(): number {
    return this.gaps.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  }

  /** An event with this number has come. */
  add(number: number): void {
    // A pool that was made anew since then counts from 0; one that is late has hardly more than ten before it.
    if (this.isFirst && number < (this.highest ?? 0) / 2 - USUAL_BUFFER) this.highest = undefined;
    this.isFirst = false;
    const next = (this.highest ?? number) + 1;
    this.highest = Math.max(number, next - 1);
    if (number > next) this.gaps.push({ from: next, to: number - 1, isOld: false });
    if (!this.isOpen) return;
    const halves = this.gaps.flatMap((gap) => [
      { ...gap, to: Math.min(gap.to, number - 1) },
      { ...gap, from: Math.max(gap.from, number + 1) },
    ]);
    this.gaps = halves.filter(({ from, to }) => from <= to);
  }

  /** How many were missing at the last look too: nobody waits for them any more. */
  look(): number {
    const count = this.gaps.reduce((sum, { from, to, isOld }) => sum + (isOld ? to - from + 1 : 0), 0);
    this.gaps = this.gaps.filter(({ isOld }) => !isOld).map((gap) => ({ ...gap, isOld: true }));
    return count;
  }
}

/** What a tick is, beside those before. Set back: by so many seconds, mostly 0. */
export type CountedTick = { readonly isLate: boolean; readonly setBackSeconds: number };

/** Compares a tick with those before; undefined if it was counted before. */
export function countTick(last: LastTick | undefined, counted: SerialSet, tick: Tick): CountedTick | undefined {
  const { serial, whenSeconds } = tick;
  const isKnown = last !== undefined && !last.isForeign;
  if (isKnown ? counted.has(serial) : whenSeconds === last?.whenSeconds) return undefined;
  if (isKnown && serial < last.serial) return { isLate: true, setBackSeconds: 0 };
  return { isLate: false, setBackSeconds: Math.max(0, (last?.whenSeconds ?? 0) - whenSeconds) };
}

// ── Schedules ───────────────────────────────────────────────────────────────
// When is a job due? Pure arithmetic over the epoch seconds that supervisord sends, one class a kind.
// To add a kind: its class here, a line in tryReadSchedule, the option that makes it, and the tables in
// test/schedule.test.ts.

/** A schedule as the journal keeps it: equal records are the same schedule. */
export type ScheduleRecord = { readonly [setting: string]: number | string | boolean | readonly string[] | undefined };

const MOST_COUNTED = 1001;

/** When a job is due, in epoch seconds. Without a firstAfter of its own a kind has no due times by the clock. */
export abstract class Schedule {
  abstract readonly kind: "ticks" | "slices" | "cron" | "events" | "start";
  abstract readonly record: ScheduleRecord;
  /** Does it keep its due times over a change for daylight saving? See the daylight saving rules. */
  readonly isFixed: boolean = false;
  /** A due time missed by more than two periods is made up for if it is no older. */
  readonly catchUpSeconds: number = Number.POSITIVE_INFINITY;

  /** In words: "every 5 ticks", "every 1h30m", "at 02:30 on Sundays, Europe/Berlin". */
  abstract describe(): string;

  /** The first due time after an instant and not after `until`; Infinity if there is none. */
  firstAfter(_decided: number, _until = Infinity): number {
    return Infinity;
  }

  /** The latest due time in (decided, upTo]; undefined if there is none. */
  latestIn(decided: number, upTo: number): number | undefined {
    let due = this.firstAfter(decided, upTo);
    let clear = Math.floor(upTo); // nothing is due in (clear, upTo]
    while (due < clear) {
      const middle = Math.floor((due + clear) / 2);
      const later = this.firstAfter(middle, clear);
      if (later <= clear) due = later;
      else clear = middle;
    }
    return due <= upTo ? due : undefined;
  }

  /** How many due times (decided, upTo] holds, counted up to 1,001. */
  countIn(decided: number, upTo: number): number {
    let count = 0;
    for (let due = decided; count < MOST_COUNTED; count++) {
      due = this.firstAfter(due, upTo);
      if (due > upTo) break;
    }
    return count;
  }

  /** Why ticks of that period can't meet it exactly, as its due times from an instant on show; empty if they can. */
  misfits(periodSeconds: number, from: number): string[] {
    const ticks = nextDueTimes(this, from, 60).map((due) => due / periodSeconds);
    if (ticks.every(Number.isInteger)) return [];
    const isFiner = ticks.some((tick, i) => Math.ceil(tick) === Math.ceil(ticks[i + 1]));
    const [verb, why] = isFiner
      ? ["is finer than", ": due times between two ticks are one run"]
      : ["does not fit", "; each run starts with the first tick after its due time"];
    return [`${this.describe()} ${verb} a tick every ${formatDuration(periodSeconds)}${why}`];
  }
}

/** On every Nth tick counted. The count restarts with each run, or goes on (`isOfAll`) where several jobs share it. */
export class TickSchedule extends Schedule {
  readonly kind = "ticks";
  readonly record = { ticks: this.every, ofAll: this.isOfAll || undefined };
  constructor(
    readonly every: number,
    readonly isOfAll = false,
  ) {
    super();
  }

  describe(): string {
    return this.every === 1 ? "every tick" : `every ${this.every} ticks`;
  }

  /** Is the job due on the tick with this count, and so many before it that could not run anything? */
  isReached(count: number, undecided = 0): boolean {
    if (!this.isOfAll) return count >= this.every;
    return Math.floor(count / this.every) > Math.floor((count - 1 - undecided) / this.every);
  }

  /** How many more ticks must be counted; at least one, as what the last tick made due has been decided. */
  ticksToGo(count: number): number {
    return this.isOfAll ? this.every - (count % this.every) : Math.max(1, this.every - count);
  }

  /** The count that goes on from here: it restarts with a run. */
  countAfter(count: number): number {
    return !this.isOfAll && this.isReached(count) ? 0 : count;
  }
}

/** Once in every slice of time. Slices begin at multiples of `everySeconds` since the epoch, plus the offset. */
export class SliceSchedule extends Schedule {
  readonly kind = "slices";
  readonly record = { every: this.everySeconds, offset: this.offsetSeconds };
  constructor(
    readonly everySeconds: number,
    readonly offsetSeconds: number,
  ) {
    super();
  }

  describe(): string {
    const offset = this.offsetSeconds === 0 ? "" : `, offset ${formatDuration(this.offsetSeconds)}`;
    return `every ${formatDuration(this.everySeconds)}${offset}`;
  }

  override firstAfter(decided: number): number {
    const { everySeconds, offsetSeconds } = this;
    return (Math.floor((decided - offsetSeconds) / everySeconds) + 1) * everySeconds + offsetSeconds;
  }
}

/** At the times of a cron expression, as the clock of a zone shows them. */
export class CronSchedule extends Schedule {
  readonly kind = "cron";
  readonly record = { cron: this.cron.text, tz: this.zone.name === LOCAL_TIME ? undefined : this.zone.name };
  override readonly isFixed = this.cron.isFixed;
  constructor(
    readonly cron: CronExpression,
    readonly zone: Zone,
    override readonly catchUpSeconds: number,
  ) {
    super();
  }

  describe(): string {
    return describeCron(this.cron, this.zone.name);
  }

  override firstAfter(decided: number, until?: number): number {
    return nextDue(this.cron, this.zone, decided, until);
  }

  // Minutes begin where UTC's do in every time zone of today, so whole minutes fit without a look at sixty due times:
  // for each of a thousand jobs, those would take longer than all else at the first tick.
  override misfits(periodSeconds: number, from: number): string[] {
    const isByMinutes = this.cron.seconds.every((second) => second === 0);
    return isByMinutes && 60 % periodSeconds === 0 ? [] : super.misfits(periodSeconds, from);
  }
}

/** On events of these types of supervisord's. */
export class EventSchedule extends Schedule {
  readonly kind = "events";
  readonly record = { on: this.names };
  constructor(readonly names: readonly string[]) {
    super();
  }

  describe(): string {
    return `on ${this.names.join(", ")}`;
  }
}

/** When the listener starts. */
export class StartSchedule extends Schedule {
  readonly kind = "start";
  readonly record = { start: true } as const;

  describe(): string {
    return "when the listener starts";
  }
}

/** The schedule that a record was made of; undefined for anything else. `localZone` is asked only if it is needed. */
export function tryReadSchedule(record: unknown, localZone: () => Zone): Schedule | undefined {
  const { ticks, ofAll, every, offset, cron, tz, on, start } = Object(record) as { [key: string]: unknown };
  if (Number.isInteger(ticks)) return new TickSchedule(Number(ticks), ofAll === true);
  if (Number.isInteger(offset) && Number(every) > 0) return new SliceSchedule(Number(every), Number(offset));
  if (Array.isArray(on)) return new EventSchedule(on.map(String));
  if (start === true) return new StartSchedule();
  try {
    return new CronSchedule(parseCron(String(cron)), tz === undefined ? localZone() : zoneNamed(String(tz)), 0);
  } catch {
    return undefined;
  }
}

/** Are its due times the same everywhere? A count of ticks, an event and a start have none that could be shifted. */
export function isByClock({ kind }: Schedule): boolean {
  return kind === "slices" || kind === "cron";
}

/** The first `count` due times after `from`; fewer where no more are left. */
export function nextDueTimes(schedule: Schedule, from: number, count: number): number[] {
  const dues: number[] = [];
  for (let due = from; dues.length < count; dues.push(due)) {
    due = schedule.firstAfter(due);
    if (due === Infinity) break;
  }
  return dues;
}

/**
 * Does a list of events name this one? An abstract type stands for all of its kind: PROCESS_STATE, PROCESS_STATE_FATAL.
 */
export function isAmong(eventNames: readonly string[], wanted: string): boolean {
  return eventNames.some((name) => name === "EVENT" || name === wanted || wanted.startsWith(`${name}_`));
}

/** A delay in [0, limit) that is always the same for the same key: it spreads the jobs of many hosts without chance. */
export function stableDelay(key: string, limitSeconds: number): number {
  return hash32(key) % Math.max(1, limitSeconds);
}

/** FNV-1a. */
function hash32(text: string, basis = 0x811c9dc5, prime = 0x01000193): number {
  let hash = basis;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), prime);
  return hash >>> 0;
}

/** The largest delay in seconds, up to a limit, that can't reach the next due time, looking at the next fifty. */
export function longestDelay(schedule: Schedule, from: number, limit: number): number {
  const dues = nextDueTimes(schedule, from, 50);
  return dues.slice(1).reduce((shortest, due, i) => Math.min(shortest, due - dues[i]), limit);
}

const DURATION_UNITS = { w: 604_800, d: 86_400, h: 3600, m: 60, s: 1 };
const MAX_DURATION_SECONDS = Math.floor(Number.MAX_SAFE_INTEGER / 1000);

// duration = seconds | [weeks "w"] [days "d"] [hours "h"] [minutes "m"] [seconds "s"], each a whole number
const DURATION = /^(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/;

/**
 * Seconds of a duration such as 90, 90s, 5m, 1h30m, 2d, 1w.
 * @throws Expectation
 */
export function parseDuration(text: string): number {
  const [all, ...counts] = DURATION.exec(text.trim().replace(/^\d+$/, "$&s")) ?? [""];
  if (all === "") throw new Expectation(`a duration such as ${withoutFraction(text) ?? "30s, 5m or 1h30m"}`);
  const seconds = Object.values(DURATION_UNITS).reduce((sum, size, i) => sum + Number(counts[i] ?? 0) * size, 0);
  if (seconds > MAX_DURATION_SECONDS) throw new Expectation(`a duration of at most ${MAX_DURATION_SECONDS}s`);
  return seconds;
}

/** 1.5h → "1h30m". */
function withoutFraction(text: string): string | undefined {
  const [, count, unit] = /^(\d*\.\d+)([wdhms])$/.exec(text) ?? [];
  const seconds = Number(count) * DURATION_UNITS[unit as keyof typeof DURATION_UNITS];
  return seconds >= 0 ? formatDuration(Math.max(1, Math.round(seconds))) : undefined;
}

/** 5400 → "1h30m"; 0 → "0s". */
export function formatDuration(seconds: number): string {
  let rest = seconds;
  let text = "";
  for (const [unit, size] of Object.entries(DURATION_UNITS)) {
    if (unit === "w" && seconds % size !== 0) continue; // "10d" reads better than "1w3d"
    if (rest >= size) text += `${Math.floor(rest / size)}${unit}`;
    rest %= size;
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
//              | "@hourly" | "@daily" | …                                see MACROS, in any case
//   field      = item {"," item}
//              | "?"                                  day fields only: the same as "*"
//   item       = ("*" | value ["-" value]) ["/" step]
//              | "L" | "L-" n | "LW" | day "W"        day-of-month: the last day, n days before it, the last of Monday
//                                                     to Friday, the one of those that is nearest to a day
//              | weekday "L" | weekday "#L"           day-of-week: the month's last such day
//              | weekday "#" nth                      day-of-week: the month's nth such day (1 to 5)
//   value      = digits | name                        JAN to DEC, SUN to SAT, in any case; Sunday is 0 and 7
//
// v/n goes on to the field's end, as v-max/n, and to Saturday. A range up to Sunday ends at 7, so FRI-SUN and 5-0 are
// legal.
// To add a field or a name: CRON_FIELDS. To say more about a mistake: SYNTAX_HINTS.

type CronField = {
  readonly name: string;
  readonly low: number;
  readonly high: number;
  readonly size: number; // different values: both 0 and 7 are Sunday
  readonly everyUnit: string; // the unit in which --every counts the same steps, "" where it has none
  readonly names: readonly string[]; // of low, low + 1, …
};

const MONTHS = "January February March April May June July August September October November December".split(" ");
const WEEKDAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");
const threeLetters = (name: string) => name.slice(0, 3).toUpperCase();

const CRON_FIELDS: readonly CronField[] = [
  { name: "second", low: 0, high: 59, size: 60, everyUnit: "s", names: [] },
  { name: "minute", low: 0, high: 59, size: 60, everyUnit: "m", names: [] },
  { name: "hour", low: 0, high: 23, size: 24, everyUnit: "h", names: [] },
  { name: "day-of-month", low: 1, high: 31, size: 31, everyUnit: "d", names: [] },
  { name: "month", low: 1, high: 12, size: 12, everyUnit: "", names: MONTHS.map(threeLetters) },
  { name: "day-of-week", low: 0, high: 7, size: 7, everyUnit: "d", names: WEEKDAYS.map(threeLetters) },
];

const MACROS: { readonly [macro: string]: string } = {
  "@hourly": "0 * * * *",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@noon": "0 12 * * *",
  "@weekly": "0 0 * * 0",
  "@monthly": "0 0 1 * *",
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
};

/** Sets in ascending order; those of days and weekdays hold what parseDayItem makes. */
type CronSets = {
  readonly [unit in "seconds" | "minutes" | "hours" | "days" | "months" | "weekdays"]: readonly number[];
};

export type CronExpression = CronSets & {
  readonly text: string; // six fields, one space between them, macros spelled out
  readonly hasSeconds: boolean; // six fields were written
  readonly isFixed: boolean; // neither the minute nor the hour begins with "*": see the daylight saving rules
  readonly needsBothDays: boolean; // else a day that matches either day field suffices
};

/** @throws Error that names the field, quotes what it holds and says what was expected */
export function parseCron(text: string): CronExpression {
  const fields = splitCron(text);
  const [seconds, minutes, hours, days, months, weekdays] = fields.map(knownField);
  const cron: CronExpression = {
    ...{ seconds, minutes, hours, days, months, weekdays },
    text: fields.join(" "),
    hasSeconds: /^\S+(?:\s+\S+){5}$/.test(text.trim()),
    isFixed: !fields[1].startsWith("*") && !fields[2].startsWith("*"),
    needsBothDays: /^[*?]/.test(fields[3]) || /^[*?]/.test(fields[5]),
  };
  if (firstDay(cron, 0, DAYS_IN_400_YEARS) < Infinity) return cron;
  throw new Error(`expression ${quote(text)} never matches: its months have no such day`);
}

const MAX_CRON_LENGTH = 1000; // with every value in a list it is half as long

/** The texts of the six fields: seconds are "0" where there are five, a macro is replaced by what it means. */
function splitCron(text: string): string[] {
  if (text.length > MAX_CRON_LENGTH)
    throw new Error(`expression ${quote(text)} has over ${MAX_CRON_LENGTH} characters`);
  const [token = ""] = /[^ \t]*?[^ -~\t]/.exec(text) ?? []; // no further: a command may stand there
  if (token !== "") {
    const code = escapeCodeUnit(token.slice(-1)).slice(2).toUpperCase();
    throw new Error(`expression has U+${code} in ${quote(token)}: blanks are spaces or tabs, ranges use -`);
  }
  const words = text.split(/[ \t]+/).filter((word) => word !== "");
  const plain = words.join(" ");
  checkExpression(plain);
  const fields = words.length === 6 ? words : `0 ${MACROS[plain.toLowerCase()] ?? plain}`.split(" ");
  if (fields.length === 6) return fields;
  if (plain.startsWith("@")) {
    const known = listed(Object.keys(MACROS), "or");
    throw new Error(`macro ${quote(plain)} is unknown: expected ${known}, or the options --every and --run-on-start`);
  }
  if (MACROS[`@${plain.toLowerCase()}`] !== undefined)
    throw new Error(`expression ${quote(plain)} is not a schedule: did you mean @${plain}?`);
  const names = listed(CRON_FIELDS.slice(1).map(({ name }) => name));
  throw new Error(`expression ${quote(plain)}: expected five fields, ${names}, or six with seconds in front`);
}

// The lines of a crontab have few different fields: a thousand jobs share their sets.
const KNOWN_FIELDS = CRON_FIELDS.map(() => new Map<string, ReturnType<typeof parseField>>());
const MOST_KNOWN_FIELDS = 100;

function knownField(text: string, i: number): ReturnType<typeof parseField> {
  const known = KNOWN_FIELDS[i];
  const set = known.get(text) ?? parseField(CRON_FIELDS[i], text);
  if (known.size >= MOST_KNOWN_FIELDS) known.clear();
  known.set(text, set);
  return set;
}

/** The values in ascending order. In the day fields they are those that parseDayItem makes. */
function parseField(field: CronField, text: string): number[] {
  const items = text === "?" && field.name.startsWith("day") ? ["*"] : text.split(",");
  const values = items.flatMap((item) => {
    if (item === "") throw refusal(field, text, text, "has an empty list element: no blank may be beside a comma");
    return parseDayItem(field, text, item) || parseRange(field, text, item);
  });
  return [...new Set(values)].sort((a, b) => a - b);
}

const NEAREST_WEEKDAY = 100;

/**
 * What the day fields have beside numbers. Day-of-month: L is 0, L-3 is -3, 15W is 115, LW is 100. Day-of-week: the nth
 * w of the month is 7n + w, and wL is w; a plain w is its first to fifth.
 */
function parseDayItem(field: CronField, text: string, item: string): number[] | undefined {
  if (field.name === "day-of-month") {
    const [, back] = /^L-([1-9]|[12]\d|30)$/i.exec(item) || [];
    if (back !== undefined) return [-Number(back)];
    const [, day, weekday] = /^(L|\d+(?=W))(W?)$/i.exec(item) || [];
    if (day === undefined) return undefined;
    const number = day.toUpperCase() === "L" ? 0 : parseValue(field, text, day);
    return [weekday === "" ? number : NEAREST_WEEKDAY + number];
  }
  if (field.name !== "day-of-week") return undefined;
  const [, weekday, nth = 0] = /^(\d+|[a-z]{3})(?:#?L|#([1-5]))$/i.exec(item) || [];
  if (weekday !== undefined) return [7 * Number(nth) + (parseValue(field, text, weekday) % 7)];
  return parseRange(field, text, item).flatMap((day) => [1, 2, 3, 4, 5].map((n) => 7 * n + (day % 7)));
}

/** `*`, `v`, `a-b`, each with an optional step. */
function parseRange(field: CronField, text: string, item: string): number[] {
  const match = /^(?:\*|(\d+|[a-z]{3,})(?:-(\d+|[a-z]{3,}(?<!-...L)))?)(?:\/(\d+))?$/i.exec(item);
  if (match === null)
    throw refusal(field, text, item, syntaxHint(field.name, item) || `is not ${expectedValue(field)}`);
  const [, from, to, step = "1"] = match;
  if (Number(step) < 1 || Number(step) > field.size) {
    const instead = Number(step) < 1 || field.everyUnit === "" ? "" : `, or --every ${step}${field.everyUnit}`;
    throw refusal(field, text, item, `has a step of ${step}: expected 1 to ${field.size}${instead}`);
  }
  let [low, high] = [field.low, field.low + field.size - 1];
  if (from !== undefined) [low, high] = parseBounds(field, text, item, from, to);
  return Array.from({ length: Math.floor((high - low) / Number(step)) + 1 }, (_, i) => low + i * Number(step));
}

function parseBounds(field: CronField, text: string, item: string, from: string, to: string | undefined): number[] {
  const hasStep = item.includes("/");
  const low = parseValue(field, text, from);
  if (to === undefined) return [low, hasStep ? Math.max(low, field.low + field.size - 1) : low];
  let high = parseValue(field, text, to);
  const isWeekday = field.name === "day-of-week";
  if (isWeekday && high === 0 && low > 0) high = 7;
  if (low <= high) return [low, high];
  const [first, last] = isWeekday ? [1, 7] : [field.low, field.high];
  const instead = hasStep ? "write a list" : `write ${from}-${last},${first}-${to}`;
  throw refusal(field, text, item, `runs backwards: ${instead}`);
}

function parseValue(field: CronField, text: string, token: string): number {
  const named = field.names.indexOf(token.toUpperCase());
  if (named >= 0) return field.low + named;
  if (!/^\d+$/.test(token)) throw refusal(field, text, token, nameMistake(field, token));
  const value = Number(token);
  if (value < field.low) throw refusal(field, text, token, `is below ${field.low}`);
  if (value > field.high) throw refusal(field, text, token, syntaxHint(field.name, token) || `is above ${field.high}`);
  return value;
}

function nameMistake(field: CronField, token: string): string {
  const name = threeLetters(token);
  const owner = CRON_FIELDS.find(({ names }) => names.includes(name));
  if (owner === field) return `is not a name of three letters: did you mean ${name}?`;
  return owner === undefined ? `is not ${expectedValue(field)}` : `is the name of a ${owner.name}: fields shifted?`;
}

function expectedValue({ names }: CronField): string {
  return names.length === 0 ? "a number" : `a number or a name from ${names[0]} to ${names[names.length - 1]}`;
}

const HAS_ZONE = "has a zone: that is --tz $1, in a crontab a line CRON_TZ=$1";

// The first row that fits says what is wrong, and completes the sentence: expression "@every 5m" …, minute "1;2" …
// In it, $1 is the item's first group. Of a crontab's line the expression is what looks like fields.
const SYNTAX_HINTS: readonly (readonly [field: RegExp, item: RegExp, says: string])[] = [
  [/^expr/, /^(?:CRON_)?TZ=(\S*)/i, HAS_ZONE],
  [/^expr/, /^(?:\S+ ){5,6}(UTC|GMT|[A-Z]\w+\/[A-Z]\S*)/, HAS_ZONE],
  [/^expr/, /^(?:\S+ ){5,6}(\d{4}(?:[-,/]\S*)?)$/, "has the year $1: there is no year field"],
  [/^expr/, /^(?:\S+ ){6}[*?]$/, "has a year field: leave out the last *, in a crontab the seconds too"],
  [/^expr/, /^(?:\S+ ){5}\*\/([89]|\d\d+)$/, "has */$1 as day-of-week: seconds come first, in a crontab @every $1s"],
  [/^expr/, /^@every (\S+)$/i, "is an option of its own: --every $1"],
  [
    /^expr/,
    / \*\/(?:3[2-9]|[4-9]\d|\d{3,}),1-7 \S+ (\d|[a-z]{3})$/i,
    "has a step over 31: the first such weekday is $1#1",
  ],
  [/^expr/, /^/, ""], // the rows below are of fields
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
  [/./, /[-/]/, "is not a range such as 1-5 or a step such as */5"],
];

function syntaxHint(field: string, text: string): string | undefined {
  const [, item, says] = SYNTAX_HINTS.find(([fields, items]) => fields.test(field) && items.test(text)) ?? [];
  const found = item?.exec(text)?.[1] ?? "";
  return says?.replace(/\$1/g, () => withoutFraction(found) ?? found);
}

/** @throws Error where the whole text shows a mistake, so that no field of it does */
function checkExpression(text: string): void {
  const hint = syntaxHint("expression", text);
  if (hint) throw new Error(`expression ${quote(text)} ${hint}`);
}

/** `minute 60 in "50-60" is above 59`: names the field, quotes the token, and the field's text where that says more. */
function refusal(field: CronField, text: string, token: string, why: string): Error {
  const shown = /^\d+$/.test(token) ? token : quoteName(token);
  return new Error(`${field.name} ${shown}${token === text ? "" : ` in ${quoteName(text)}`} ${why}`);
}

/** a, b and c */
function listed(words: readonly string[], conjunction = "and"): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} ${conjunction} ${words[words.length - 1]}`;
}

// ── Cron expressions: the calendar ──────────────────────────────────────────
// The first matching reading of a local clock: first the day, then its time.
// A reading is a count of seconds like an epoch second, but of what a clock on the wall shows: that is,
// second + offset.

const SECONDS_IN_DAY = DURATION_UNITS.d;
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
function firstTime({ hours, minutes, seconds }: CronExpression, from: number): number {
  for (const hour of hours) {
    if ((hour + 1) * 3600 <= from) continue;
    for (const minute of minutes) {
      const start = hour * 3600 + minute * 60;
      if (start + 60 > from) for (const second of seconds) if (start + second >= from) return start + second;
    }
  }
  return -1;
}

/** The first matching day at or after `from`, both in days since 1970; Infinity where there is none up to `until`. */
function firstDay(cron: CronExpression, from: number, until: number): number {
  const date = new Date(from * SECONDS_IN_DAY * 1000);
  let day = date.getUTCDate();
  for (let month = date.getUTCFullYear() * 12 + date.getUTCMonth(); ; month++) {
    const first = firstOfMonth(month);
    if (!(first <= until)) return Infinity; // nor is there one where `from` is not a date
    const length = cron.months.includes((month % 12) + 1) ? firstOfMonth(month + 1) - first : 0;
    for (; day <= length; day++) if (matchesDay(cron, day, length, first)) return first + day - 1;
    day = 1;
  }
}

/** In days since 1970. Months are counted from January of the year 0. */
function firstOfMonth(month: number): number {
  return Date.UTC(Math.floor(month / 12), month % 12, 1) / 1000 / SECONDS_IN_DAY;
}

/** Does the day of a month match? `first` is the month's first day, in days since 1970. */
function matchesDay(cron: CronExpression, day: number, length: number, first: number): boolean {
  const { days, weekdays, needsBothDays } = cron;
  const byDay = days.includes(day) || days.some((value) => dayOf(value, length, first) === day);
  if (byDay !== needsBothDays) return byDay; // whatever its weekday is
  const weekday = weekdayOf(first + day - 1);
  return weekdays.includes(7 * Math.ceil(day / 7) + weekday) || (day + 7 > length && weekdays.includes(weekday));
}

/** The day that a value of day-of-month is: 15W the day of Monday to Friday nearest to the 15th in the same month. */
function dayOf(value: number, length: number, first: number): number {
  const number = value % NEAREST_WEEKDAY;
  const day = number > 0 ? number : length + number;
  const weekday = value < NEAREST_WEEKDAY || day > length ? undefined : weekdayOf(first + day - 1);
  if (weekday === 6) return day > 1 ? day - 1 : day + 2;
  if (weekday === 0) return day < length ? day + 1 : day - 2;
  return day;
}

/** 1 January 1970 was a Thursday. */
const weekdayOf = (day: number) => (((day + 4) % 7) + 7) % 7;

// ── Time zones ──────────────────────────────────────────────────────────────
// A zone is a sequence of spans with one offset each, found by asking Intl, which brings its zone data along. Runtimes
// differ in the names that they take, +01:00 and BST among them. So a name is legal if it is AREA/PLACE or a word such
// as Portugal and Intl knows it, or if ZONE_LINKS has it: other names without an area, and those that Node 12 lacks.

const ZONE_AREAS =
  /^(Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Brazil|Canada|Chile|Etc|Europe|Indian|Mexico|Pacific|US)\//i;
const ZONE_LINKS = `
UTC=UTC UCT=UTC GMT=UTC Zulu=UTC Universal=UTC Etc/UTC=UTC Etc/GMT=UTC CET=Europe/Brussels MET=Europe/Brussels
EET=Europe/Athens WET=Europe/Lisbon EST=America/Panama MST=America/Phoenix HST=Pacific/Honolulu EST5EDT=America/New_York
CST6CDT=America/Chicago MST7MDT=America/Denver PST8PDT=America/Los_Angeles GB=Europe/London NZ=Pacific/Auckland
Hongkong=Asia/Hong_Kong Israel=Asia/Jerusalem Japan=Asia/Tokyo PRC=Asia/Shanghai ROK=Asia/Seoul Singapore=Asia/Singapore
Turkey=Europe/Istanbul US/Alaska=America/Anchorage US/Arizona=America/Phoenix US/Central=America/Chicago
US/Eastern=America/New_York US/Hawaii=Pacific/Honolulu US/Michigan=America/Detroit US/Mountain=America/Denver
US/Pacific=America/Los_Angeles America/Nuuk=America/Godthab Europe/Kyiv=Europe/Kiev`;

/**
 * While start ≤ second < end, a clock of the zone reads second + offset. At start it was put forward by `jump` seconds.
 */
type ZoneSpan = { readonly start: number; readonly end: number; readonly offset: number; readonly jump: number };

/** `spanAt` takes epoch seconds. */
export type Zone = { readonly name: string; readonly spanAt: (second: number) => ZoneSpan };

/** The seconds by which a zone's clock is ahead of UTC at an instant. */
type OffsetAt = (second: number) => number;

// Two probes, one at each end of a stretch, find every change as long as no two lie in one stretch: the closest two
// since 1970 are 6 days 23 hours apart (Brazil, October 2000), those around a Ramadan four weeks.
const STRETCH_SECONDS = 4 * SECONDS_IN_DAY;
const STRETCHES_KEPT = 100;
const SAVING_LIMIT_SECONDS = 3 * 3600; // a change of the clock by as much or more is not for daylight saving
const LARGEST_SHIFT_SECONDS = 26 * 3600; // no change is larger: no two clocks on earth are further apart
const UTC_SPAN: ZoneSpan = { start: -Infinity, end: Infinity, offset: 0, jump: 0 };

/** The name of the zone that is the process's own clock. */
const LOCAL_TIME = "local time";

/**
 * A zone keeps the spans of the stretches asked for last, so one should serve all jobs: see zoneNamed.
 * @param offsetAt where the caller knows the offsets more cheaply than Intl does
 * @throws Error that quotes the name and says why it is not a time zone
 */
export function createZone(name: string, offsetAt: OffsetAt | undefined = intlOffset(name)): Zone {
  if (offsetAt === undefined) return { name, spanAt: () => UTC_SPAN };
  const stretches = new Map<number, readonly ZoneSpan[]>();
  const spanAt = (second: number): ZoneSpan => {
    const stretch = Math.floor(second / STRETCH_SECONDS);
    if (stretches.size > STRETCHES_KEPT) stretches.clear();
    const spans = stretches.get(stretch) ?? spansOfStretch(offsetAt, stretch * STRETCH_SECONDS);
    stretches.set(stretch, spans);
    return second < spans[0].end ? spans[0] : spans[1];
  };
  return { name, spanAt };
}

const namedZones = new Map<string, Zone>(); // one each, since a formatter of Intl's is large

/** createZone, once for each name. */
function zoneNamed(name: string): Zone {
  const zone = namedZones.get(name) ?? createZone(name);
  namedZones.set(name, zone);
  return zone;
}

/**
 * One span, or two where the clock changes. They begin early enough to hold an hour that is repeated in the stretch.
 */
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

/** The spans in (from, until] that begin with a change of the clock. */
export function clockChanges(zone: Zone, from: number, until: number): ZoneSpan[] {
  const changes: ZoneSpan[] = [];
  for (let second = zone.spanAt(from).end; second <= until; second = zone.spanAt(second).end) {
    const span = zone.spanAt(second);
    if (span.jump !== 0 && span.start === second) changes.push(span);
  }
  return changes;
}

/** Undefined for UTC, which saves what the first use of Intl costs: some 12 ms and 1.6 MB. */
function intlOffset(name: string): OffsetAt | undefined {
  const wanted = `${name.toLowerCase()}=`;
  const link = ZONE_LINKS.split(/\s/).find((pair) => pair.toLowerCase().startsWith(wanted));
  const known = link?.slice(wanted.length) ?? name;
  if (/^(?:UTC|(?:UTC|GMT)[+-]?0)$/i.test(known)) return undefined;
  const date = { year: "numeric", month: "numeric", day: "numeric" } as const;
  const time = { hour: "numeric", minute: "numeric", second: "numeric", hourCycle: "h23" } as const;
  try {
    if (!ZONE_AREAS.test(known) && !/^[A-Z][a-z]+$/.test(known)) throw new RangeError();
    const clock = new Intl.DateTimeFormat("en-US", { timeZone: known, ...date, ...time });
    return (second) => {
      const [month, day, year, hours, minutes, seconds] = (clock.format(second * 1000).match(/\d+/g) || []).map(Number);
      return Date.UTC(year, month - 1, day, hours, minutes, seconds) / 1000 - second;
    };
  } catch {
    throw new Error(`timezone ${quote(name)} ${zoneMistake(name)}: expected UTC or a zone such as Europe/Berlin`);
  }
}

function zoneMistake(name: string): string {
  if (name.trim() === "") return "is empty";
  if (/^(UTC|GMT)?[+-]\d/i.test(name)) return "is an offset";
  if (/^(?:[a-z]{3,}|<[^>]*>)[+-]?\d/i.test(name)) return "is a POSIX rule";
  return /^[A-Z]{2,5}$/.test(name) ? "is an abbreviation" : "is unknown";
}

// ── Cron expressions: due times ─────────────────────────────────────────────
// The daylight saving rules are those of Debian's cron:
// 1. A job is due at each real instant at which the zone's clock shows a matching reading.
// 2. A fixed job is not due again if the clock showed the same reading less than three hours ago.
// 3. A clock put forward by less than three hours makes a fixed job due at once if a reading that it skipped matches:
//    one run, however many were skipped, and merged with the one that may be due then anyway.
// Wildcard jobs follow the first rule alone, as do all jobs where the clock moves by three hours or more.
//
// There is one search, nextDue. All other questions are asked of it, so that the answers can't disagree.

const SEARCH_SECONDS = 100 * 366 * SECONDS_IN_DAY; // a date recurs within 40 years: 29 February on a given weekday
const LAST_SECOND = 6e12; // in the year 192,104: some way before the end of what Date and Intl can tell

/**
 * The first due time after `from` and not after `until`, in epoch seconds; Infinity if there is none. A job that is not
 * due in 100 years never is.
 */
export function nextDue(cron: CronExpression, zone: Zone, from: number, until = Infinity): number {
  const last = Math.min(until, from + SEARCH_SECONDS, LAST_SECOND);
  let second = Math.floor(from) + 1;
  while (second <= last) {
    const span = zone.spanAt(second);
    const due = firstDueWithin(cron, span, second, last + LARGEST_SHIFT_SECONDS);
    if (due < span.end) return due <= last ? due : Infinity;
    // Nothing is due until a clock of this offset would show the match: go there, but for the reach of a change on the
    // way. Near the span's end go to the end only, since there the clock can be put back to readings before `second`.
    const isNearEnd = span.end - second < LARGEST_SHIFT_SECONDS;
    second = isNearEnd ? span.end : Math.max(span.end, due - LARGEST_SHIFT_SECONDS);
  }
  return Infinity;
}

/** The first due time at or after `second`, as if the span went on for ever. */
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

// ── Cron expressions: in words ──────────────────────────────────────────────
// For people who check a schedule before they trust it: what it means, and what may surprise them.
// To add a surprise: a function that returns sentences, and its line in cronWarnings.

const MOST_TIMES_LISTED = 6;

/** "at 02:30 on Sundays, Europe/Berlin": says what the sets mean, however the text spells them. */
export function describeCron(cron: CronExpression, zoneName: string): string {
  const months = rangeWords(cron.months, (month) => MONTHS[month - 1]);
  const monthWords = cron.months.length === 12 ? "" : `in ${listed(months)}`;
  return `${[timeWords(cron), dayWords(cron), monthWords].filter((part) => part !== "").join(" ")}, ${zoneName}`;
}

/** at 02:30 and 14:30; every 5th minute of hours 9 to 17; at minutes 5 and 51 of every hour */
function timeWords({ hours, minutes, seconds }: CronExpression): string {
  if (hours.length * minutes.length * seconds.length <= MOST_TIMES_LISTED) {
    const readings = hours.flatMap((h) => minutes.flatMap((m) => seconds.map((s) => h * 3600 + m * 60 + s)));
    return `at ${listed(readings.map(clockWords))}`;
  }
  const words = [setWords("second", seconds, 60), setWords("minute", minutes, 60), setWords("hour", hours, 24)];
  if (words[0] === "second 0") words.shift();
  // "every 5th minute of every hour" says no more than "every 5th minute".
  const text = words.join(" of ").replace(/(every( \w+)? (second|minute))( of every (minute|hour))+/, "$1");
  return text.startsWith("every") ? text : `at ${text}`;
}

function setWords(unit: string, values: readonly number[], size: number): string {
  if (values.length === size) return `every ${unit}`;
  if (values[0] === 0 && isEven(values, size)) return `every ${ordinal(values[1])} ${unit}`;
  return `${unit}${values.length === 1 ? "" : "s"} ${listed(rangeWords(values, String))}`;
}

/** "" for every day. */
function dayWords(cron: CronExpression): string {
  const [days, weekdays] = [dayOfMonthWords(cron), dayOfWeekWords(cron)];
  if (days !== "" && weekdays !== "") return `on ${days} ${cron.needsBothDays ? "if also" : "or"} on ${weekdays}`;
  return cron.needsBothDays && days + weekdays !== "" ? `on ${days}${weekdays}` : "";
}

/** "" for every day. */
function dayOfMonthWords({ days }: CronExpression): string {
  const plain = days.filter((day) => day > 0 && day < NEAREST_WEEKDAY);
  if (plain.length === 31) return "";
  const fromEnd = (day: number) => `the ${day === 0 ? "" : `${ordinal(1 - day)} `}last day of the month`;
  const name = (day: number) => (day > 0 ? `the ${ordinal(day)}` : fromEnd(day));
  const nearest = days.filter((day) => day >= NEAREST_WEEKDAY);
  const words = nearest.map((day) => `the weekday nearest ${name(day - NEAREST_WEEKDAY)}`);
  return listed([...rangeWords(plain, name), ...words, ...days.filter((day) => day <= 0).map(name)]);
}

/** "" for every day. */
function dayOfWeekWords({ weekdays }: CronExpression): string {
  const isWeekly = (day: number) => [1, 2, 3, 4, 5].every((n) => weekdays.includes(7 * n + (day % 7)));
  const weekly = [1, 2, 3, 4, 5, 6, 7].filter(isWeekly); // a week begins on Monday: Sunday is its 7
  if (weekly.length === 7) return "";
  const others = weekdays.filter((value) => !weekly.includes(value % 7 || 7));
  const nth = (value: number) => (value < 7 ? "last" : ordinal(Math.floor(value / 7)));
  const words = others.map((value) => `the ${nth(value)} ${WEEKDAYS[value % 7]} of the month`);
  return listed([...rangeWords(weekly, (day) => `${WEEKDAYS[day % 7]}s`), ...words]);
}

/** What may surprise in a schedule, each in a sentence. The tick's period is in seconds. */
export function cronWarnings(schedule: CronSchedule, from: number, tickPeriod = 60): string[] {
  const misfits = schedule.misfits(tickPeriod, from);
  const warnings = [fieldWarnings, dayWarnings, stepWarnings].flatMap((warningsOf) => warningsOf(schedule.cron));
  return [...warnings, ...misfits, ...changeWarnings(schedule, from)];
}

function fieldWarnings({ text, hasSeconds, months }: CronExpression): string[] {
  const [second, , , day, , weekday] = text.split(" ");
  const warnings = hasSeconds ? [`six fields: the first, ${second}, is seconds`] : [];
  if (day === "?" && /\d/.test(weekday.replace(/[#/]\d/g, "")))
    warnings.push(`day-of-week ${weekday}: 1 is Monday here; Quartz's 1 is Sunday`);
  const length = (month: number) => firstOfMonth(1970 * 12 + month) - firstOfMonth(1970 * 12 + month - 1);
  const shortest = Math.min(...months.map(length));
  const late = day.split(",").find((item) => /^\d+W?$/i.test(item) && parseInt(item, 10) > shortest);
  if (late !== undefined)
    warnings.push(`day-of-month ${late}: not every month has it; ${late.replace(/\d+/, "L")} is the last one`);
  return warnings;
}

function dayWarnings({ text, needsBothDays }: CronExpression): string[] {
  const [, , , day, , weekday] = text.split(" ");
  if (/^[*?]$/.test(day) || /^[*?]$/.test(weekday)) return [];
  const rule = needsBothDays
    ? "a day must match both, since one of them begins with *"
    : "a day that matches either is due (the first Monday of a month would be MON#1)";
  return [`day-of-month and day-of-week are both set: ${rule}`];
}

/** Steps begin anew with each hour, day, month …, which is uneven unless they divide it. */
function stepWarnings(cron: CronExpression): string[] {
  return cron.text.split(" ").flatMap((text, i) => {
    const [, step] = /^(?:\*|\w+)\/(\d+)$/.exec(text) || [];
    if (step === undefined || step === "1") return [];
    const field = CRON_FIELDS[i];
    const values = parseRange(field, text, text);
    const [first, last] = [values[0], values[values.length - 1]];
    if (first === last) return [`${field.name} ${text} is the same as ${first}`];
    if (field.name !== "day-of-month" && isEven(values, field.size)) return [];
    const instead = field.everyUnit === "" ? "" : `; --every ${step}${field.everyUnit} is even`;
    return [`${field.name} ${text} is uneven: after ${last} comes ${first}${instead}`];
  });
}

/** The clock changes of the coming year that skip or repeat a due time. */
function changeWarnings({ cron, zone }: CronSchedule, from: number): string[] {
  // A wildcard job of every hour keeps its rhythm whatever the clock shows.
  if (!cron.isFixed && cron.hours.length === 24) return [];
  return clockChanges(zone, from, from + 366 * SECONDS_IN_DAY).flatMap(({ start, offset, jump }) => {
    // Between what the clock showed before the change and what it shows after, readings are skipped or come again.
    const [before, after] = [start + offset - jump, start + offset];
    const [low, high] = [Math.min(before, after), Math.max(before, after)];
    const times: string[] = [];
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

/** Are the values every nth of a cycle, and more than one? */
function isEven(values: readonly number[], size: number): boolean {
  const step = size / values.length;
  return values.length > 1 && values.every((value, i) => value === values[0] + i * step);
}

/** 1, 15 to 19, 46 */
function rangeWords(values: readonly number[], show: (value: number) => string): string[] {
  const lasts = values.filter((value) => !values.includes(value + 1));
  return values
    .filter((value) => !values.includes(value - 1))
    .map((first, i) => (first === lasts[i] ? show(first) : `${show(first)} to ${show(lasts[i])}`));
}

function ordinal(value: number): string {
  const suffix = Math.floor(value / 10) === 1 ? undefined : ["th", "st", "nd", "rd"][value % 10];
  return `${value}${suffix || "th"}`;
}

/** 02:30, or 02:30:15 where there are seconds. */
const clockWords = (reading: number) => formatTime(reading).slice(11, 19).replace(/:00$/, "");

// ── Facts ───────────────────────────────────────────────────────────────────
// What is known of a job. A fact is something that has happened to it, and a line of the run journal; the state of a
// job is the fold of its facts, and nothing else of a job outlives a listener. The same fold, `remember`, makes the
// state at the start, from the file, and with each fact that is added.
//
// One number says up to where a job is decided: the highest due time that a fact has named since its last `job` fact,
// or what that one says (`decided`). No tick starts what is due at or before it; what no fact names is still above it,
// and the next tick finds it. To record something new: extend Fact, then `remember`, FIELDS (a file is not trusted),
// factsOf if a new journal must carry it, and describeFact.

/** Why a run starts. The first two come from a tick by the clock; all others leave `decided` as it is. */
export type Reason = "schedule" | "catch-up" | "start" | "signal" | "remote" | "event";
/** How an attempt, and with its last one the run, ended. Their first letters stand in `recent`. */
const RESULTS = ["success", "failure", "timeout", "interrupted"] as const;
/** Why a run was ended before it ended by itself. */
const CAUSES = ["timeout", "stop", "replace"] as const;
export type Result = (typeof RESULTS)[number];
type Cause = (typeof CAUSES)[number];

/** How a process ended. All null where nobody could see it. */
export interface ProcessEnd {
  readonly exit: number | null;
  readonly signal: string | null;
  /** Why it could not be started, or why its end is not known. */
  readonly error?: string;
}

/** A due time, and why the job is due. */
export interface Due {
  /** Epoch seconds. */
  readonly due: number;
  readonly reason: Reason;
  /** A UUID: of the run that comes of it too. */
  readonly id: string;
  /** Of the tick or event that brought it. */
  readonly serial?: number;
  /** Of the supervisord that sent that event; undefined where it can't be known again. */
  readonly supervisor?: string;
  /** With --on: the event itself. It is lost with the listener. */
  readonly event?: SupervisorEvent;
  /** It stands for so many events that never came. */
  readonly lost?: number;
  /** It waits for a turn (--max-running), not for a run of its own job. */
  readonly awaitsSlot?: boolean;
  /** While it waits: what its event takes in memory. */
  readonly bytes?: number;
}

/** One due time, and what is done for it. A restart loses the fields marked as live. */
export interface Run extends Due {
  readonly number: number;
  /** Counted from 1. */
  readonly attempt: number;
  readonly phase: "starting" | "running" | "ending" | "backoff" | LivePhase;
  /** Epoch seconds, of its last `starting` or `started`. */
  readonly at: number;
  /** Of the leader of its process group. */
  readonly pid?: number;
  readonly start?: number;
  readonly cause?: Cause;
  /** Of the last attempt that is over: in `backoff`, of the whole of it; else set as soon as the leader is gone. */
  readonly end?: ProcessEnd;
  readonly result?: Result;
  readonly seconds?: number;
  readonly tail?: string;
  /** Live: the job as it was when the run began. */
  readonly job?: Job;
  /** Live: it counts against --max-running. */
  readonly hasSlot?: boolean;
  /** Live: when the attempt began, on the monotonic clock; undefined where nobody saw it. */
  readonly since?: number;
  /** Live: an earlier listener started it, and its exit status will never be known. */
  readonly isOrphan?: boolean;
}

/**
 * Live: it waits for the answer of --only-if; for the end of the run that it replaces; a further attempt for its turn;
 * at a stop it may go on for a while; it was sent SIGKILL.
 */
type LivePhase = "asking" | "next" | "queued" | "draining" | "killed";

/** What facts keep of it. */
type NamedDue = Pick<Due, "due" | "reason" | "id" | "serial" | "supervisor">;

/** `at`: epoch seconds of the machine's clock, with fraction. */
export type Fact = { readonly at: number } & (
  | /** What the job is. `decided`: nothing at or before it becomes due. `past`: only where a new file begins. */
  { type: "job"; name: string; schedule: ScheduleRecord; delay?: number; decided?: number; past?: Past }
  /** It is due, and `why` says what it waits for; `starting` or `skipped` follows. */
  | ({ type: "waiting"; why: string } & NamedDue)
  | ({ type: "skipped"; why: string } & NamedDue)
  /** `count`: 1,001 stands for any number above 1,000; `due`: the latest of them. */
  | { type: "missed"; due: number; count: number }
  | ({ type: "starting"; run: number; attempt: number } & NamedDue)
  | { type: "started"; run: number; pid: number; start: number }
  /** It was sent SIGTERM: its group has a grace from then on. */
  | { type: "ending"; run: number; cause: Cause }
  /** An attempt is over. `retryIn`: it is tried again after so many seconds; else this is the result of the run. */
  | ({
      type: "ended";
      run: number;
      attempt: number;
      result: Result;
      seconds: number;
      retryIn?: number;
      why?: DropReason;
      /** The end of what it wrote; of one that succeeded it is not kept. */
      tail?: string;
    } & ProcessEnd)
  /** It does not start, or with `result`: it is not tried again. */
  | { type: "dropped"; run: number; why: DropReason; result?: Result; error?: string }
  /** Nothing of it is due any more: until then, in epoch seconds, or until `resumed`. `id`: of the request. */
  | ({ type: "paused"; id: string } & Pause)
  /** `decided`: nothing at or before it becomes due; `count`: so many due times went by, as with `missed`. */
  | { type: "resumed"; decided?: number; count: number; id?: string }
  /** It is not configured any more, and nothing of it is in progress. */
  | { type: "removed" }
  /** Another listener has taken the files: the one of that supervisord writes no more. Its key is LISTENER. */
  | { type: "yielded"; supervisor: string }
);
/** The key of what is known of the listener itself. */
const LISTENER = "";
type FactOf<T extends Fact["type"]> = Extract<Fact, { type: T }>;

/** What the last run came to. */
interface LastResult extends ProcessEnd {
  readonly run: number;
  readonly due?: number;
  readonly result: Result;
  /** Epoch seconds. */
  readonly at: number;
  /** Of its last attempt. */
  readonly seconds: number;
  readonly reason?: Reason;
  /** The end of what it wrote, of the latest run that did not succeed. */
  readonly tail?: string;
}

interface Pause {
  readonly until?: number;
}

/** What a journal that is begun anew must carry of a job, beside its runs. */
interface Past {
  readonly lastRun: number;
  /** How many runs in a row came to another result than success. */
  readonly failures: number;
  /** The last twenty, a letter each: the first one of its result, or "-" for a due time that nothing ran for. */
  readonly recent: string;
  /** Of the runs among them, the newest last; of the first ones it may not be known. */
  readonly recentSeconds?: readonly number[];
  readonly last?: LastResult;
  /** Of up to four runs before that one, the oldest first. */
  readonly earlier?: readonly LastResult[];
  /** When the last run that succeeded ended. */
  readonly lastSuccess?: number;
  /** How many runs came to each result, and how many due times were "skipped" and "missed". */
  readonly counts: Readonly<Record<string, number>>;
  /** The highest due time ever named; it outlives a clock set back. */
  readonly reached?: number;
  /** Of the last tick and of the last event that a fact names: one that comes again after a kill is known by it. */
  readonly lastTick?: { readonly due: number; readonly serial: number; readonly supervisor?: string };
  readonly lastEvent?: { readonly serial: number; readonly supervisor: string };
  readonly paused?: Pause;
}

export interface JobState extends Past {
  /** Undefined before its first `job` fact. */
  readonly name?: string;
  readonly schedule?: ScheduleRecord;
  /** By --jitter, in seconds. */
  readonly delay: number;
  readonly decided?: number;
  /** In progress, the oldest first; those that wait for a further attempt too. */
  readonly runs: readonly Run[];
  /** Due and not started, the oldest first. */
  readonly waiting: readonly Due[];
  /** Live: what waited when the listener before was killed, until it is taken over. */
  readonly left: readonly Due[];
  /** Only of a journal of version 0.1: idOf01 of the job. */
  readonly id01?: string;
  /** Of LISTENER: to another one, by the listener of this supervisord, at this time. */
  readonly yielded?: { readonly supervisor: string; readonly at: number };
}

const NOTHING: readonly never[] = []; // one for all jobs at rest
const MAX_RECENT = 20;
const MAX_EARLIER = 4;

export const FRESH_STATE: JobState = {
  lastRun: 0,
  failures: 0,
  recent: "",
  counts: {},
  delay: 0,
  runs: NOTHING,
  waiting: NOTHING,
  left: NOTHING,
};

/** The state after one more fact. */
export function remember(state: JobState, fact: Fact): JobState {
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
      return { ...state, paused: undefined, decided: decided && highest(state.decided, decided) };
    }
    case "removed":
      return FRESH_STATE;
    case "yielded":
      return { ...state, yielded: { supervisor: fact.supervisor, at: fact.at } };
  }
}

function rememberJob(
  state: JobState,
  { name, schedule, delay = 0, decided = state.decided, past }: FactOf<"job">,
): JobState {
  return { ...state, ...(past && pastOf(past)), name, schedule, delay, decided };
}

function rememberStarting(state: JobState, fact: FactOf<"starting">): JobState {
  const { run: number, attempt, at } = fact;
  const place = placeOf(state.runs, number);
  const before = state.runs[place]?.number === number ? state.runs[place] : undefined;
  const run: Run = { ...before, ...NO_ATTEMPT, ...dueOf(fact), number, attempt, at, phase: "starting", hasSlot: true };
  const runs = [...state.runs];
  runs.splice(place, before === undefined ? 0 : 1, run);
  const changes = { runs, lastRun: Math.max(state.lastRun, number) };
  return attempt === 1 ? withDue(state, changes, fact) : { ...state, ...changes };
}

// What waited was named as it came to wait, and the clock may have been set back since: it is not named again.
function withDue(state: JobState, changes: Partial<JobState>, fact: NamedDue): JobState {
  const [waiting, left] = [without(state.waiting, fact), without(state.left, fact)];
  const isNamed = waiting.length < state.waiting.length || left.length < state.left.length;
  const next = { ...state, waiting, left, ...changes };
  return isNamed ? next : withNamed(next, fact);
}

/** What a run does not keep of the attempt before. */
const NO_ATTEMPT: Partial<Run> = {
  pid: undefined,
  start: undefined,
  cause: undefined,
  end: undefined,
  result: undefined,
  seconds: undefined,
  tail: undefined,
  isOrphan: undefined,
};

function rememberEnded(state: JobState, fact: FactOf<"ended">): JobState {
  const { run, result, at, seconds, exit, signal, error, retryIn, tail } = fact;
  const end = error === undefined ? { exit, signal } : { exit, signal, error };
  if (retryIn !== undefined)
    return changeRun(state, run, { phase: "backoff", end, result, seconds, tail, hasSlot: false });
  return withResult(state, { run, result, at, seconds, tail, ...end });
}

// Another replica runs it: that is neither a result nor a loss.
function rememberDropped(state: JobState, { run: number, why, result, at }: FactOf<"dropped">): JobState {
  const run = state.runs.find((one) => one.number === number);
  if (result !== undefined)
    return withResult(state, {
      ...(run?.end ?? UNSEEN),
      ...{ run: number, result, at, seconds: run?.seconds ?? 0, tail: run?.tail },
    });
  const left = withoutRun(state, number);
  return why === "held" ? left : withCounted(left, "skipped");
}

const UNSEEN: ProcessEnd = { exit: null, signal: null };

function withResult(state: JobState, last: LastResult): JobState {
  const { result, seconds, tail } = last;
  const failures = result === "success" ? 0 : state.failures + 1;
  const recentSeconds = [...(state.recentSeconds ?? []), seconds].slice(-MAX_RECENT);
  const { earlier = [], last: before } = state;
  const known = [...earlier, before].filter(isPresent).slice(-MAX_EARLIER);
  const kept = tail === undefined ? known : known.map((one) => ({ ...one, tail: undefined }));
  const { due, reason } = state.runs.find(({ number }) => number === last.run) ?? {};
  const lastSuccess = result === "success" ? last.at : state.lastSuccess;
  const next = withCounted(withoutRun(state, last.run), result);
  return { ...next, last: { ...last, due, reason }, earlier: kept, lastSuccess, failures, recentSeconds };
}

function withCounted(state: JobState, what: Result | "skipped" | "missed", times = 1): JobState {
  const letter = what === "skipped" || what === "missed" ? "-" : what[0];
  const counts = { ...state.counts, [what]: (state.counts[what] ?? 0) + times };
  return { ...state, counts, recent: `${state.recent}${letter}`.slice(-MAX_RECENT) };
}

/** What a fact names is decided. */
function withNamed(state: JobState, { due, reason, serial, supervisor }: Omit<NamedDue, "id">): JobState {
  if (reason === "event" || reason === "remote")
    return serial === undefined || supervisor === undefined ? state : { ...state, lastEvent: { serial, supervisor } };
  if (!isByTick(reason)) return state;
  const lastTick = serial === undefined ? state.lastTick : { due, serial, supervisor };
  return { ...state, decided: highest(state.decided, due), reached: highest(state.reached, due), lastTick };
}

export function isByTick(reason: Reason): boolean {
  return reason === "schedule" || reason === "catch-up";
}

function highest(a: number | undefined, b: number): number {
  return a === undefined ? b : Math.max(a, b);
}

function dueOf({ due, reason, id, serial, supervisor }: NamedDue): NamedDue {
  return { due, reason, id, serial, supervisor };
}

function without(waiting: readonly Due[], { id }: NamedDue): readonly Due[] {
  return waiting.some((one) => one.id === id) ? waiting.filter((one) => one.id !== id) : waiting;
}

/** Where the run with this number stands among those in progress, or would stand. */
function placeOf(runs: readonly Run[], number: number): number {
  let [low, high] = [0, runs.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (runs[middle].number < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

function changeRun(state: JobState, number: number, changes: Partial<Run>): JobState {
  const place = placeOf(state.runs, number);
  if (state.runs[place]?.number !== number) return state;
  const runs = [...state.runs];
  runs[place] = { ...runs[place], ...changes };
  return { ...state, runs };
}

function withoutRun(state: JobState, number: number): JobState {
  const runs = state.runs.filter((run) => run.number !== number);
  return { ...state, runs: runs.length === 0 ? NOTHING : runs };
}

/**
 * The facts that make a state anew: what a journal begins with, so that two rotations forget nothing of a job. First
 * what the older file says is forgotten, last comes what the facts about open runs must not move: what is decided.
 */
export function factsOf(state: JobState, at: number): Fact[] {
  const { name, schedule, delay, decided, runs, waiting, yielded } = state;
  if (yielded !== undefined) return [{ type: "yielded", ...yielded }];
  const waits = waiting.map((due): Fact => ({ type: "waiting", ...dueOf(due), why: "", at }));
  const open = [...runs.flatMap(runFacts), ...waits];
  if (name === undefined || schedule === undefined) return open;
  const job: Fact = { type: "job", name, schedule, delay: delay || undefined, decided, past: pastOf(state), at };
  return [...open, job]; // the job's past is whole, so that what is read twice counts once
}

/** Nothing but that, whatever else a file holds. */
function pastOf(past: Past): Past {
  const { lastRun, failures, recent, recentSeconds, last, earlier, lastSuccess, counts } = past;
  const { reached, lastTick, lastEvent, paused } = past;
  const known = [...RESULTS, "skipped", "missed"].filter((what) => counts[what] !== undefined);
  const few = Object.fromEntries(known.map((what) => [what, counts[what]]));
  const results = { lastRun, failures, recent: recent.slice(-MAX_RECENT), last, earlier, lastSuccess, counts: few };
  return { ...results, recentSeconds: recentSeconds?.slice(-MAX_RECENT), reached, lastTick, lastEvent, paused };
}

function runFacts(run: Run): Fact[] {
  const { number, attempt, pid, start = 0, cause, end, result, seconds = 0, tail, at } = run;
  const facts: Fact[] = [{ type: "starting", run: number, attempt, ...dueOf(run), at }];
  if (pid !== undefined) facts.push({ type: "started", run: number, pid, start, at });
  if (cause !== undefined) facts.push({ type: "ending", run: number, cause, at });
  if (result !== undefined)
    facts.push({ type: "ended", run: number, attempt, result, seconds, retryIn: 0, tail, ...end!, at });
  return facts;
}

/** The state of each job, by its key, from the lines of a journal, the oldest first. */
export function readJournal(lines: Iterable<string>): Map<string, JobState> {
  const states = new Map<string, JobState>();
  let open = 0; // runs, and what waits, of all jobs
  for (const text of lines) {
    const line = tryParseLine(text);
    if (line === undefined) continue;
    const { job: key, was, fact } = line;
    const before = states.get(was ?? key);
    if (before === undefined && states.size === MOST_JOBS_BELIEVED) continue;
    const state = believable(remember(before ?? FRESH_STATE, fact), open < MOST_OPEN_OF_ALL ? MOST_OPEN : 1);
    open += openOf(state) - openOf(before ?? FRESH_STATE);
    if (was !== undefined) states.delete(was);
    if (fact.type === "removed") states.delete(key);
    else states.set(key, fact.type === "job" ? { ...state, id01: line.id01 } : state);
  }
  return states;
}

// A file that is not ours, or damaged, must not take longer to read for what it claims.
const MOST_JOBS_BELIEVED = 20_000;
const MOST_OPEN = 1500; // runs of a job, and as many that wait
const MOST_OPEN_OF_ALL = 10_000; // beyond that the latest of each job

const openOf = ({ runs, waiting }: JobState) => runs.length + waiting.length;

/** The latest of what is open. */
function believable(state: JobState, most: number): JobState {
  const { runs, waiting } = state;
  if (runs.length <= most && waiting.length <= most) return state;
  return { ...state, runs: runs.slice(-most), waiting: waiting.slice(-most) };
}

interface JournalLine {
  readonly job: string;
  readonly fact: Fact;
  /** Only of version 0.1: the job's id, and its name until then. */
  readonly id01?: string;
  readonly was?: string;
}

// The file is not trusted: what is used later is checked here. Signals to pid 1 would go to all processes.
type Check = (value: unknown) => boolean;
type Checks = { readonly [field: string]: Check };
const isText: Check = (value) => typeof value === "string" && !value.includes("\0");
const isOptional = (is: Check) => (value: unknown) => value === undefined || is(value);
const isOneOf = (values: readonly unknown[]) => (value: unknown) => values.includes(value);
const has = (fields: Checks) => (value: unknown) =>
  Object(value) === value && Object.keys(fields).every((field) => fields[field](Object(value)[field]));
const DUE_FIELDS = {
  due: isCount,
  reason: isText,
  serial: isOptional(isCount),
  supervisor: isOptional(isText),
  id: isOptional(isText),
};
const END_FIELDS = {
  run: isCount,
  result: isOneOf(RESULTS),
  seconds: isAmount,
  exit: (value: unknown) => value === null || isCount(value),
  signal: (value: unknown) => value === null || isText(value),
  error: isOptional(isText),
  tail: isOptional((value) => typeof value === "string"),
};
const PAUSE_FIELDS = { until: isOptional(isCount) };
const isResult = has({ ...END_FIELDS, at: isAmount, due: isOptional(isCount), reason: isOptional(isText) });
const PAST_FIELDS = {
  lastRun: isCount,
  failures: isCount,
  recent: isText,
  recentSeconds: isOptional((value) => Array.isArray(value) && value.every(isAmount)),
  last: isOptional(isResult),
  earlier: isOptional((value) => Array.isArray(value) && value.every(isResult)),
  lastSuccess: isOptional(isAmount),
  counts: (value: unknown) => Object(value) === value && Object.values(value as object).every(isCount),
  reached: isOptional(isCount),
  lastTick: isOptional(has({ due: isCount, serial: isCount, supervisor: isOptional(isText) })),
  lastEvent: isOptional(has({ serial: isCount, supervisor: isText })),
  paused: isOptional(has(PAUSE_FIELDS)),
};
const JOB_FIELDS = { name: isText, was: isOptional(isText), delay: isOptional(isCount), decided: isOptional(isCount) };
const FIELDS: Readonly<Record<Fact["type"], Checks>> = {
  job: { ...JOB_FIELDS, past: isOptional(has(PAST_FIELDS)) },
  waiting: DUE_FIELDS,
  skipped: DUE_FIELDS,
  missed: { due: isCount, count: isCount },
  starting: { ...DUE_FIELDS, run: isCount, attempt: isCount },
  started: { run: isCount, pid: (value) => isCount(value) && (value as number) > 1, start: isCount },
  ending: { run: isCount, cause: isOneOf(CAUSES) },
  ended: { ...END_FIELDS, attempt: isCount, retryIn: isOptional(isAmount) },
  dropped: { run: isCount, why: isText, result: isOptional(isOneOf(RESULTS)) },
  paused: PAUSE_FIELDS,
  resumed: { decided: isOptional(isCount), count: isCount },
  removed: {},
  yielded: { supervisor: isText },
};

const LEAST_LINE = '{"type":"removed","job":"","at":0}'.length;
const MOST_LINE = 2 ** 16;

function tryParseLine(text: string): JournalLine | undefined {
  const { length } = text; // JSON.parse takes its time to refuse
  if (length < LEAST_LINE || length > MOST_LINE || text[0] !== "{" || text[length - 1] !== "}") return undefined;
  try {
    const whole = from01(JSON.parse(text));
    const { job, was, id, ...line } = whole;
    const isKnown = isOneOf(Object.keys(FIELDS))(line.type);
    if (!isKnown || !isText(job) || !isAmount(line.at) || !has(FIELDS[line.type as Fact["type"]])(whole))
      return undefined;
    if (line.type === "job") return { job, was, id01: isText(id) ? id : undefined, fact: line };
    return { job, fact: { ...line, id: id ?? `${line.due} ${line.reason}` } };
  } catch {
    return undefined;
  }
}

// biome-ignore lint/suspicious/noExplicitAny: what is in a file may be anything
type Anything = any;

/** A line of version 0.1 as it would be written now; any other one as it is. */
function from01(line: Anything): Anything {
  const { type, job, lastRun = 0, failures = 0, recent = "", last, lastDue } = line;
  if (type === "finished") return { ...line, type: "ended" };
  if (type === "givenUp") return { ...line, type: "dropped", why: "due" };
  if (type === "held") return { ...line, type: "dropped" };
  if (type !== "job" || !isText(line.id)) return line;
  const past = lastRun === 0 && recent === "" ? undefined : { lastRun, failures, recent, counts: {} };
  const result = last === undefined ? {} : { last: { ...UNSEEN, run: lastRun, ...last } };
  return { ...line, name: job, decided: lastDue?.due, past: past && { ...past, ...result } };
}

function isAmount(value: unknown): value is number {
  return Number.isFinite(value) && (value as number) >= 0 && (value as number) < 1e12;
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && isAmount(value);
}

// In words, for the log: what is written down is logged.

const DROP_REASONS = {
  held: "held back by --only-if",
  error: "held back, since --only-if failed",
  timeout: "held back, since --only-if did not answer",
  replaced: "another one is due",
  stopped: "supertick is being stopped",
  paused: "the job is paused",
  due: "the next run is due first",
  busy: "another run is still going",
  limit: "--retries allows no more attempts now",
  lost: "its event was lost with the listener that had it",
} as const;
/** Why a run does not start, or is not tried again. */
export type DropReason = keyof typeof DROP_REASONS;

/** What the log says of a fact; undefined: nothing. `about`: the run, as it was before, if there is one. */
export function describeFact(fact: Fact, about?: Due & Partial<Run>): string | undefined {
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
      return `run ${fact.run} started (pid ${fact.pid}, due ${formatTime(about!.due)}, ${reasonOf(about!)})`;
    case "ending":
      return describeEnding(fact, about!.job!.options.policy);
    case "ended":
      return describeEnded(fact, about!);
    case "dropped": {
      const what =
        fact.result === undefined ? `, due ${formatTime(about!.due)}, does not start` : " is not tried again";
      const detail = fact.error === undefined ? "" : ` (${fact.error})`;
      return `run ${fact.run}${what}: ${DROP_REASONS[fact.why]}${detail}`;
    }
    default:
      return undefined;
  }
}

/** Did something go wrong? */
function isFailure(fact: Fact): boolean {
  if (fact.type !== "ended" && fact.type !== "dropped") return false;
  return fact.error !== undefined || (fact.result ?? "success") !== "success";
}

function describeEnding({ run, cause }: FactOf<"ending">, { timeoutSeconds, killAfterSeconds }: JobPolicy): string {
  const causes = {
    timeout: `timed out after ${timeoutSeconds}s`,
    stop: "is being stopped",
    replace: "is being replaced",
  };
  return `run ${run} ${causes[cause]}; sent SIGTERM, SIGKILL follows in ${killAfterSeconds}s`;
}

function describeEnded(fact: FactOf<"ended">, { due, pid, isOrphan, since, job }: Due & Partial<Run>): string {
  const { run, attempt, result, seconds, retryIn, why } = fact;
  const how = howEnded(fact);
  let text = `run ${run} ${ENDED[result]}: ${how}, ${seconds.toFixed(1)}s`;
  if (since === undefined) text = `run ${run}, due ${formatTime(due)}, was interrupted: ${how}`;
  else if (pid === undefined && !isOrphan) text = `run ${run} failed to start: ${how}`;
  if (retryIn === undefined) return why === undefined ? text : `${text}; not tried again: ${DROP_REASONS[why]}`;
  return `${text}; attempt ${attempt + 1} of ${job!.options.policy.retries + 1} in ${formatDuration(retryIn)}`;
}

const ENDED: Record<Result, string> = {
  success: "finished",
  failure: "failed",
  timeout: "timed out",
  interrupted: "interrupted",
};

function howEnded({ exit, signal, error }: ProcessEnd): string {
  return error ?? signal ?? `exit ${exit}`;
}

function reasonOf({ attempt, reason }: Due & { readonly attempt?: number }): string {
  return attempt !== undefined && attempt > 1 ? "retry" : reason;
}

// ── Job policy ──────────────────────────────────────────────────────────────
// What is due, and what happens to the runs of one job. `decide` takes what has happened, and returns the facts to
// write down, the state that they make, and the effects to carry out once they are written. It knows no process, no
// timer and no file.
//
//   due → (waiting) → asking → next → starting → running ──────────────────────────→ attempt over → result
//            │          │       ↑       ↑          └ deadline, stop, replace → ending → killed ┘ │
//            └ skipped  └ held  │       └──────── queued ←──── backoff ←─────── failed, retries left
//                               └ with replace: until the run before it is gone
//
// `waiting` is there with queue and --max-running, `asking` with --only-if. In `ending` the group was sent SIGTERM and
// the grace runs. It runs for the group: a shell that dies at once must not leave the command it started beside the
// next run, so the leader's exit alone does not end such a run. A run is one due time with all its attempts; only what
// it comes to in the end is its result. With a slot it counts against --max-running, from the question to the end of
// the attempt; a run that replaces another inherits its slot. A run has one alarm, whose meaning is its phase.
// To add an input or an effect: extend the union, then Decision (or `carryOut` of JobRunner), then test/policy.test.ts.

export interface JobPolicy {
  /** What a due run does while the last one is still going. */
  readonly overlap: "skip" | "queue" | "replace" | "allow";
  /** With queue: how many may wait. */
  readonly queueLimit: number;
  /** Of one attempt. 0: no limit. */
  readonly timeoutSeconds: number;
  /** The grace between SIGTERM and SIGKILL. */
  readonly killAfterSeconds: number;
  /** How long an attempt may go on at a stop, before SIGTERM. */
  readonly drainSeconds: number;
  /** How often a failed run is tried again. */
  readonly retries: number;
  /** Before the first retry; it doubles with each. */
  readonly retryDelaySeconds: number;
  /** Does a waiting retry give way to the next due run? Not where each run has an event of its own. */
  readonly isRetryYielding: boolean;
  /** Is a run asked about (--only-if) before it starts? */
  readonly isAsking: boolean;
}

/** A due time that a tick has reached. `count`: how many it stands for, where the ticks paused; up to 1,001. */
export interface DueTime {
  readonly due: number;
  readonly is: "schedule" | "catch-up" | "missed";
  readonly count: number;
}

/**
 * What is due by the clock at `upTo`: a tick's time less the job's delay. A due time of the last two periods always
 * runs, for a tick may have been lost. An older one was missed in a pause, a restart or a stopped container, and is
 * made up for only so long.
 */
export function whatIsDue(
  schedule: Schedule,
  state: JobState,
  upTo: number,
  periodSeconds: number,
): DueTime | undefined {
  // What was named before a clock was set back holds again once the ticks are past it, or jump to it.
  const { decided: begin = upTo, reached = upTo + 1 } = state;
  const isPast = reached < upTo || (reached === upTo && schedule.firstAfter(begin) < reached);
  const decided = isPast ? Math.max(begin, reached) : begin;
  const due = schedule.latestIn(decided, upTo);
  if (due === undefined) return undefined;
  const count = decided < upTo - periodSeconds ? schedule.countIn(decided, upTo) : 1; // several within a period are one
  if (due > upTo - 2 * periodSeconds) return { due, is: "schedule", count };
  return { due, is: upTo - due <= schedule.catchUpSeconds ? "catch-up" : "missed", count };
}

/**
 * Where a job begins, or begins anew, with a tick; undefined where it goes on from what is decided. A job that is new
 * begins a period before its first tick. After a clock set back by more than two periods it goes on in the new time, a
 * fixed cron job only where that were three hours. A due time that far above a first tick, of which nothing is known
 * before, is such a clock.
 */
export function beginsAt(
  schedule: Schedule,
  { decided }: JobState,
  { whenSeconds, periodSeconds }: Tick,
  setBackSeconds: number | undefined,
  delay: number,
): number | undefined {
  if (!isByClock(schedule)) return undefined;
  if (decided === undefined) return Math.max(0, whenSeconds - periodSeconds);
  const begin = Math.max(0, whenSeconds - delay);
  const backSeconds = setBackSeconds ?? decided - whenSeconds;
  const isSetBack = schedule.isFixed ? backSeconds >= SAVING_LIMIT_SECONDS : backSeconds > 2 * periodSeconds;
  return isSetBack && decided > begin ? begin : undefined;
}

/** What --only-if said: exit 0, exit 1, anything else, or nothing in time. */
export type Verdict = "allowed" | "held" | "error" | "timeout";

export type JobInput =
  | ({ readonly type: "due" } & Due)
  /** What waited has a slot now. */
  | { readonly type: "turn"; readonly id: string }
  | { readonly type: "stop"; readonly how: Stop }
  /** `seconds`: how long; undefined: until `resume`. */
  | { readonly type: "pause"; readonly id: string; readonly seconds?: number }
  | { readonly type: "resume"; readonly id: string }
  | { readonly type: "answered"; readonly run: number; readonly verdict: Verdict; readonly error?: string }
  | { readonly type: "started"; readonly run: number; readonly pid: number; readonly start: number }
  | { readonly type: "startFailed"; readonly run: number; readonly error: string }
  /** The leader is gone, and what it wrote is still being read; `exited` follows within a second. */
  | { readonly type: "outputLeft"; readonly run: number; readonly end: ProcessEnd }
  /** The leader is gone, and all it wrote has been read. */
  | { readonly type: "exited"; readonly run: number; readonly end: ProcessEnd }
  | { readonly type: "groupGone"; readonly run: number }
  | { readonly type: "alarm"; readonly run: number }
  /** A run that an earlier listener has left, and what is alive of it. `ageSeconds`: of its process. */
  | {
      readonly type: "found";
      readonly run: number;
      readonly leader?: { readonly pid: number; readonly start: number };
      readonly isAlive: boolean;
      readonly hasGroup: boolean;
      readonly ageSeconds: number;
    };

/** What becomes of a run in progress: it goes on as long as --drain says; it is sent SIGTERM; SIGKILL, if it was before. */
type Stop = "drain" | "end" | "kill";

export type Effect =
  | { readonly do: "ask"; readonly run: Run }
  | { readonly do: "spawn"; readonly run: Run }
  /** Let it have a turn, as soon as a slot is free and it is its turn. */
  | { readonly do: "queue"; readonly id: string }
  | { readonly do: "signal"; readonly run: Run; readonly signal: "SIGTERM" | "SIGKILL" }
  /** In place of the run's last alarm; undefined: none. */
  | { readonly do: "alarm"; readonly run: Run; readonly seconds: number | undefined }
  /** Look for its end: of an orphan, or of its process group. */
  | { readonly do: "watch"; readonly run: Run }
  | { readonly do: "log"; readonly text: string };

/** A fact, and what it is about as it was before: a run, or what never became one. */
export interface Note {
  readonly fact: Fact;
  readonly about?: Due & Partial<Run>;
}

/** When it is decided. */
export interface Moment {
  /** Epoch seconds of the machine's clock, for stamps alone. */
  readonly at: number;
  /** Of the monotonic clock. */
  readonly seconds: number;
  /** Epoch seconds of supervisord's clock. */
  readonly now: number;
  /** How many more runs may start (--max-running). */
  readonly freeSlots: number;
  readonly isStopping: boolean;
  secondsToNextRun(): number;
  /** The end of what a run has written. */
  tailOf?(run: number): string | undefined;
}

/** How long a stop waits for a process that was sent SIGKILL: it may hang in the kernel. */
const LAST_GRACE_SECONDS = 1;
/** However often the delay before a retry has doubled. */
const MAX_RETRY_DELAY_SECONDS = 3600;
/** Of all events that wait. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
const UNKNOWN_END: ProcessEnd = { ...UNSEEN, error: "exit status unknown, an earlier listener started it" };

/** What has happened → what to write down, and what to do then. */
export function decide(job: Job, state: JobState, input: JobInput, moment: Moment): Decision {
  const decision = new Decision(job, state, moment);
  decision.take(input);
  return decision;
}

export function slotsOf({ runs }: JobState): number {
  return runs.reduce((slots, { hasSlot }) => slots + (hasSlot ? 1 : 0), 0);
}

/** The facts, the effects, and the state that they make. */
export class Decision {
  readonly notes: Note[] = [];
  readonly effects: Effect[] = [];
  private readonly slotsBefore: number;

  constructor(
    private readonly job: Job,
    public state: JobState,
    private readonly moment: Moment,
  ) {
    this.slotsBefore = slotsOf(state);
  }

  record(fact: Fact, about: Note["about"] = "run" in fact ? this.runOf(fact.run) : undefined): void {
    this.notes.push({ fact, about });
    this.state = remember(this.state, fact);
  }

  /** An input about a run that is gone changes nothing. */
  take(input: JobInput): void {
    if (input.type === "due") return this.takeDue(input);
    if (input.type === "turn") return this.takeTurn(input.id);
    if (input.type === "stop") return this.stop(input.how);
    if (input.type === "pause") return this.pause(input.id, input.seconds);
    if (input.type === "resume") return this.endPause(input.id);
    const run = this.runOf(input.run);
    if (run !== undefined) this.takeOfRun(run, input);
  }

  private takeOfRun(run: Run, input: Extract<JobInput, { readonly run: number }>): void {
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
        return this.exited(run, run.end ?? input.end);
      case "groupGone":
        return run.end !== undefined && isBeingEnded(run) ? this.endAttempt(run, run.end) : undefined;
      case "alarm":
        return this.alarm(run);
      case "found":
        return this.found(run, input);
    }
  }

  // The state, as it changes:

  private runOf(number: number): Run | undefined {
    return this.state.runs.find((run) => run.number === number);
  }

  private change(run: Run, changes: Partial<Run>): Run {
    this.state = changeRun(this.state, run.number, changes);
    return { ...run, ...changes };
  }

  private setAlarm(run: Run, seconds: number | undefined): void {
    this.effects.push({ do: "alarm", run, seconds });
  }

  private get policy(): JobPolicy {
    return this.job.options.policy;
  }

  // A run goes on by the policy that it began with.
  private policyOf({ job }: Run): JobPolicy {
    return (job ?? this.job).options.policy;
  }

  private hasFreeSlot(): boolean {
    return this.moment.freeSlots > slotsOf(this.state) - this.slotsBefore;
  }

  // From due to started:

  private takeDue({ type: _, ...due }: Due & { type: "due" }): void {
    if (this.moment.isStopping || (!isByHand(due) && this.isStillPaused())) return;
    const { overlap, queueLimit } = this.policy;
    this.giveWay();
    const behind = overlap === "allow" ? undefined : describeBehind(this.state);
    const inherits = overlap === "replace" && slotsOf(this.state) > 0;
    if (behind !== undefined && overlap === "replace") this.dismissAll("replaced");
    if (behind === undefined || overlap === "replace") return this.admit(due, inherits);
    const waiting = this.state.waiting.filter(({ awaitsSlot }) => !awaitsSlot).length;
    if (overlap === "skip" || waiting >= queueLimit) return this.skip(due, behind.why);
    this.wait(due, behind.until, false);
  }

  skip(due: Due, why: string): void {
    this.record({ type: "skipped", ...dueOf(due), why, at: this.moment.at }, due);
  }

  private wait(due: Due, why: string, awaitsSlot: boolean): void {
    const bytes = due.event && memoryOf(due.event.payload);
    if (!this.state.waiting.some(({ id }) => id === due.id)) {
      const reason = bytes === undefined ? undefined : this.whyNoRoom(bytes);
      if (reason !== undefined) return this.skip(due, reason);
      this.record({ type: "waiting", ...dueOf(due), why, at: this.moment.at }, due);
    }
    const waiting = this.state.waiting.map((one) => (one.id === due.id ? { ...due, awaitsSlot, bytes } : one));
    this.state = { ...this.state, waiting };
    if (awaitsSlot) this.effects.push({ do: "queue", id: due.id });
  }

  private whyNoRoom(more: number): string | undefined {
    const { waiting } = this.state;
    if (waiting.length > this.policy.queueLimit) return `${waiting.length} events wait`;
    const bytes = waiting.reduce((sum, { bytes = 0 }) => sum + bytes, more);
    return bytes > MAX_WAITING_BYTES ? "the events that wait would have over 64 MiB" : undefined;
  }

  // What is due becomes a run as soon as a slot is free; with replace it has that of the run that it replaces, now or
  // later.
  private admit(due: Due, inherits = false): void {
    if (inherits || this.hasFreeSlot()) return this.open(due, !inherits || slotsOf(this.state) === 0);
    this.wait(due, "for its turn (--max-running)", true);
  }

  // The turn of what has been replaced meanwhile is that of the oldest which waits.
  private takeTurn(id: string): void {
    const run = this.state.runs.find((one) => one.id === id && one.phase === "queued");
    if (run !== undefined) return this.beginAttempt(run, true);
    const due = this.state.waiting.find(({ awaitsSlot }) => awaitsSlot);
    if (due !== undefined) this.open(due, true);
  }

  // It has a number from here on, and stands in the journal, whether or not it ever starts.
  private open(due: Due, hasSlot: boolean): void {
    const run: Run = { ...due, job: this.job, number: this.state.lastRun + 1, attempt: 0, phase: "queued", at: 0 };
    this.state = { ...this.state, runs: [...this.state.runs, run] };
    this.beginAttempt(run, hasSlot);
  }

  private beginAttempt(before: Run, hasSlot: boolean): void {
    const { at, seconds: since } = this.moment;
    const { number, attempt, result, pid } = before;
    // What the user asks for by hand is not asked about. Interrupted before it was known to start, it is not known
    // either that it was allowed to.
    const isNew = attempt === 0 || (result === "interrupted" && pid === undefined);
    const isAsked = this.policyOf(before).isAsking && !isByHand(before) && isNew;
    this.record({ type: "starting", run: number, attempt: attempt + 1, ...dueOf(before), at });
    const run = this.change(this.runOf(number)!, { hasSlot, since, phase: isAsked ? "asking" : "next" });
    if (isAsked) this.effects.push({ do: "ask", run });
    else this.makeWay(run);
  }

  private takeAnswer(run: Run, verdict: Verdict, error?: string): void {
    if (run.phase !== "asking") return;
    if (verdict === "allowed") return this.makeWay(this.change(run, { phase: "next" }));
    this.drop(run, verdict, error);
    this.advance(run);
  }

  // With replace the runs before it are ended first, or not tried again; else nothing is in the way any more.
  private makeWay(run: Run): void {
    const isReplacing = this.policyOf(run).overlap === "replace";
    for (const other of isReplacing ? this.state.runs : NOTHING) {
      if (other.phase === "running") this.terminate(other, "replace");
      else if (/backoff|queued/.test(other.phase)) this.drop(other, "replaced");
    }
    if (!isReplacing || this.state.runs.length === 1) this.start(run);
  }

  private start(run: Run): void {
    this.effects.push({ do: "spawn", run: this.change(run, { phase: "starting" }) });
  }

  private begin(run: Run, pid: number, start: number): void {
    const { at, seconds } = this.moment;
    this.record({ type: "started", run: run.number, pid, start, at });
    const running = this.change(this.runOf(run.number)!, { since: seconds });
    // While it was starting, a run came that is to replace it.
    if (this.state.runs.some(({ phase }) => phase === "next")) return this.terminate(running, "replace");
    this.setDeadline(running, 0);
  }

  private setDeadline(run: Run, elapsedSeconds: number): void {
    const { timeoutSeconds } = this.policyOf(run);
    if (timeoutSeconds > 0) this.setAlarm(run, Math.max(1, timeoutSeconds - elapsedSeconds));
  }

  /** Drops what has not started: what waits, is asked about, is next, or waits (for its turn) to be tried again. */
  private dismissAll(why: "replaced" | "stopped" | "paused"): void {
    for (const due of this.state.waiting) this.skip(due, DROP_REASONS[why]);
    const phases = why === "replaced" ? /asking|next|queued/ : /asking|next|queued|backoff/;
    for (const run of this.state.runs) if (phases.test(run.phase)) this.drop(run, why);
  }

  // What is due already does not start either; what has started goes on.
  private pause(id: string, seconds?: number): void {
    const until = seconds && Math.ceil(this.moment.now) + seconds;
    this.record({ type: "paused", until, id, at: this.moment.at });
    this.dismissAll("paused");
  }

  /** Ends a pause whose time is over. */
  isStillPaused(): boolean {
    const { until = Infinity } = this.state.paused ?? {};
    if (until <= this.moment.now) this.endPause();
    return this.state.paused !== undefined;
  }

  // The job counts from then on, or from where the time was over.
  private endPause(id?: string): void {
    const { paused, decided: before } = this.state;
    if (paused === undefined) return;
    const { schedule } = this.job;
    const { now } = this.moment;
    const decided = isByClock(schedule) ? Math.floor(Math.min(now, paused.until ?? now)) : undefined;
    const count = before === undefined || decided === undefined ? 0 : schedule.countIn(before, decided);
    this.record({ type: "resumed", decided, count, id, at: this.moment.at });
  }

  // A later attempt belongs to a run that has started before, and so has a result.
  private drop({ number, attempt, end, result = "interrupted" }: Run, why: DropReason, error?: string): void {
    const isOver = attempt > 1 || end !== undefined;
    const { at } = this.moment;
    this.record({ type: "dropped", run: number, why, result: isOver ? result : undefined, error, at });
  }

  // From running to gone:

  private alarm(run: Run): void {
    if (run.phase === "running") this.terminate(run, "timeout");
    else if (run.phase === "draining") this.terminate(run, "stop");
    else if (run.phase === "ending") this.kill(run);
    else if (run.phase === "backoff") this.retry(run);
    // Not even SIGKILL ended it. A stop must end, so it is left behind, as is what only belongs to its group; else it
    // counts as running until it is gone.
    else if (run.phase === "killed" && (run.end !== undefined || this.moment.isStopping))
      this.endAttempt(run, run.end ?? { ...UNSEEN, error: "SIGKILL did not end it" });
  }

  // One whose leader has exited by itself only lacks the rest of its output: nothing changes what it has come to.
  private terminate(run: Run, cause: Cause): void {
    if (run.end !== undefined) return;
    this.record({ type: "ending", run: run.number, cause, at: this.moment.at });
    const ending = this.runOf(run.number)!;
    this.effects.push({ do: "signal", run: ending, signal: "SIGTERM" });
    this.setAlarm(ending, this.policyOf(run).killAfterSeconds);
  }

  private kill(run: Run): void {
    const killed = this.change(run, { phase: "killed" });
    this.effects.push({ do: "signal", run: killed, signal: "SIGKILL" });
    this.setAlarm(killed, LAST_GRACE_SECONDS); // its end is written down only when it has had the signal
  }

  private leaderExited(run: Run, end: ProcessEnd): void {
    if (!/running|draining/.test(run.phase)) return;
    this.setAlarm(this.change(run, { phase: "running", end, seconds: this.secondsOf(run) }), undefined);
  }

  private exited(run: Run, end: ProcessEnd): void {
    if (run.phase !== "ending") return this.endAttempt(run, end);
    // It was sent SIGTERM, and so was its group: what is left of that has the rest of the grace.
    this.effects.push({ do: "watch", run: this.change(run, { end }) });
  }

  private secondsOf({ since }: Run): number {
    return since === undefined ? 0 : Math.round((this.moment.seconds - since) * 1000) / 1000;
  }

  // From an attempt to the result:

  // The attempt is over: either the run is tried again later, or this is its result.
  private endAttempt(run: Run, end: ProcessEnd): void {
    const { number, attempt, cause } = run;
    const result = resultOf(run, end);
    const why = result === "success" ? undefined : this.whyNotRetried(run);
    const retryIn = result === "success" || why !== undefined ? undefined : this.retryDelayOf(run);
    const seconds = cause === undefined && run.seconds !== undefined ? run.seconds : this.secondsOf(run);
    const { at } = this.moment;
    const shown = why === "limit" ? undefined : why;
    const tail = result === "success" ? undefined : this.moment.tailOf?.(number);
    this.record({ type: "ended", run: number, attempt, result, seconds, retryIn, why: shown, tail, ...end, at });
    if (retryIn !== undefined) this.setAlarm(run, retryIn);
    this.advance(run);
  }

  private retryDelayOf(run: Run): number {
    return Math.min(MAX_RETRY_DELAY_SECONDS, this.policyOf(run).retryDelaySeconds * 2 ** (run.attempt - 1));
  }

  /** Undefined: it may be. One that was ended on purpose is not, nor one whose event was lost with its listener. */
  private whyNotRetried(run: Run): DropReason | undefined {
    const { retries, overlap, isRetryYielding } = this.policyOf(run);
    if (run.attempt > retries) return "limit";
    if (this.moment.isStopping || run.cause === "stop") return "stopped";
    if (this.state.paused !== undefined) return "paused";
    if (run.cause === "replace" || this.state.runs.some(({ phase }) => phase === "next")) return "replaced";
    if (run.reason === "event" && run.event === undefined) return "lost";
    if (!isRetryYielding) return undefined;
    // After a crash there may be a run that was due later.
    const isLater = ({ number }: Run) => overlap !== "allow" && number > run.number;
    if (this.state.waiting.length > 0 || this.state.runs.some(isLater)) return "due";
    return this.retryDelayOf(run) >= this.moment.secondsToNextRun() ? "due" : undefined;
  }

  private retry(run: Run): void {
    const { overlap } = this.policyOf(run);
    const isInTheWay = (other: Run) => (overlap === "replace" ? other.number > run.number : other.phase !== "backoff");
    if (overlap !== "allow" && this.state.runs.some(isInTheWay)) {
      this.drop(run, "busy");
      return this.advance(run);
    }
    if (this.hasFreeSlot()) return this.beginAttempt(run, true);
    this.change(run, { phase: "queued" });
    this.effects.push({ do: "queue", id: run.id });
  }

  // Runs that wait for a further attempt give way to one that is due.
  private giveWay(): void {
    for (const run of this.state.runs)
      if (/backoff|queued/.test(run.phase) && this.policyOf(run).isRetryYielding) this.drop(run, "due");
  }

  /** A run has left, or its attempt is over: whose turn is it? The one that replaces it, else the oldest that waits. */
  private advance({ number, hasSlot }: Run): void {
    const heir = this.state.runs.find((run) => /asking|next/.test(run.phase) && !run.hasSlot && run.number !== number);
    if (hasSlot && heir !== undefined) this.change(heir, { hasSlot: true });
    if (this.state.runs.some(({ phase }) => phase !== "next")) return;
    const [next] = this.state.runs;
    if (next !== undefined) return this.start(next);
    const [first] = this.state.waiting;
    if (first !== undefined && !first.awaitsSlot && !this.moment.isStopping) this.admit(first);
  }

  // What has not started is dropped.
  private stop(how: Stop): void {
    this.dismissAll("stopped");
    for (const run of this.state.runs) this.stopOne(run, how);
  }

  private stopOne(run: Run, how: Stop): void {
    const { drainSeconds } = this.policyOf(run);
    if (run.phase === "starting")
      this.endAttempt({ ...run, cause: "stop" }, { ...UNSEEN, error: "stopped before it started" });
    else if (run.phase === "killed") this.setAlarm(run, LAST_GRACE_SECONDS);
    else if (run.phase === "ending") {
      if (how === "kill") this.kill(run);
    } else if (run.end !== undefined) {
      if (how === "kill") this.endAttempt(run, run.end);
    } else if (how === "drain" && drainSeconds > 0) this.drain(run, drainSeconds);
    else this.terminate(run, "stop");
  }

  // Its time limit may be over before that: then it keeps that alarm.
  private drain(run: Run, seconds: number): void {
    const { timeoutSeconds } = this.policyOf(run);
    const isLimited = timeoutSeconds > 0 && timeoutSeconds - this.secondsOf(run) < seconds;
    if (!isLimited) this.setAlarm(this.change(run, { phase: "draining" }), seconds);
    const limit = isLimited ? "until its --timeout" : `for ${formatDuration(seconds)} at most`;
    this.effects.push({ do: "log", text: `run ${run.number} may go on ${limit} (--drain)` });
  }

  // What an earlier listener has left of a run:

  private found(before: Run, { leader, isAlive, hasGroup, ageSeconds }: JobInput & { type: "found" }): void {
    const { at, seconds } = this.moment;
    if (before.phase === "backoff") return this.resume(this.change(before, { job: this.job }));
    if (before.pid === undefined && leader !== undefined)
      this.record({ type: "started", run: before.number, ...leader, at });
    const run = this.change(this.runOf(before.number)!, { job: this.job, isOrphan: true });
    if (!isAlive && !(hasGroup && run.phase === "ending"))
      return this.endAttempt(run, { ...UNSEEN, error: "the listener was killed while it was going" });
    const orphan = this.change(run, {
      hasSlot: true,
      since: seconds - ageSeconds,
      end: isAlive ? undefined : UNKNOWN_END,
    });
    this.effects.push({ do: "watch", run: orphan });
    if (run.phase === "ending") return this.terminate({ ...orphan, end: undefined }, run.cause!);
    this.setDeadline(this.change(orphan, { phase: "running" }), ageSeconds);
  }

  // It waited for its next attempt. That wait begins anew, for it is not known how much of it is over; and the job may
  // have changed.
  private resume(run: Run): void {
    const why = this.whyNotRetried({ ...run, cause: undefined });
    if (why === undefined) this.setAlarm(run, this.retryDelayOf(run));
    else this.drop(run, why);
  }
}

// Why it was ended goes before how: a command may exit with 0 on SIGTERM.
function resultOf(run: Run, end: ProcessEnd): Result {
  if (run.cause === "timeout") return "timeout";
  if (run.cause !== undefined || run.isOrphan) return "interrupted";
  return end.exit === 0 ? "success" : "failure";
}

/** Has it not ended, and is nothing done about that? At a stop it is draining then. */
function isGoingOn({ phase, end }: Run): boolean {
  return /running|draining/.test(phase) && end === undefined;
}

function isByHand({ reason }: Due): boolean {
  return reason === "signal" || reason === "remote";
}

function describePause({ until }: Pause): string {
  return until === undefined ? "paused" : `paused until ${formatTime(until)}`;
}

const countOf = (number: number, what: string) => `${number} ${what}${number === 1 ? "" : "s"}`;

/** Of due times; MOST_COUNTED stands for any number above 1,000. */
function countWords(count: number): string {
  return count >= MOST_COUNTED ? "over 1,000 due times" : count === 1 ? "one due time" : `${count} due times`;
}

/** What it takes in memory, at most. */
function memoryOf(text: string): number {
  return isAscii(text) ? text.length : 2 * text.length;
}

function isBeingEnded({ phase }: Run): boolean {
  return phase === "ending" || phase === "killed";
}

/** What is in the way of a run that is due: why it can't start, and what it would wait for. */
function describeBehind({ runs, waiting }: JobState): { why: string; until: string } | undefined {
  const [run] = runs;
  if (run !== undefined)
    return { why: `run ${run.number} ${describePhase(run)}`, until: `for the end of run ${run.number}` };
  const [due] = waiting;
  if (due === undefined) return undefined;
  const what = `the run due ${formatTime(due.due)}`;
  return { why: `${what} waits for its turn (--max-running)`, until: `for the end of ${what}` };
}

function describePhase({ phase, pid, attempt, end }: Run): string {
  if (phase === "asking") return "waits for --only-if";
  if (phase === "backoff") return `waits for its attempt ${attempt + 1}`;
  if (phase === "queued") return "waits for its turn (--max-running)";
  if (phase === "running" && end !== undefined) return "is over, but its output is still being read";
  return pid === undefined ? "is starting" : `is still going (pid ${pid})`;
}

// ── Settings ────────────────────────────────────────────────────────────────
// ONE table of options. Flags, environment variables, lines of a crontab, defaults, validation and --help come from it,
// and a test compares the tables of REFERENCE.md with it. To add an option: a row here and one there; its type is its parser's.
//
// A parser turns a text into a value. It throws an Expectation (what is legal) or an Error (what is wrong), of which
// parseSetting makes a sentence with the option's name and the user's own text.

/** What a parser would have accepted: "a whole number from 1 to 1000". */
class Expectation extends Error {}

/** The user's mistake. The message is the one line to show; no stack trace. */
export class UsageError extends Error {
  /** @param origin the flag or variable that holds the mistake, where it is one */
  constructor(
    message: string,
    readonly origin?: string,
  ) {
    super(message);
  }
}

// The parsers:

function checked<V>(expected: string, convert: (text: string) => V, isLegal: (value: V) => boolean) {
  return (text: string): V => {
    const value = convert(text);
    if (isLegal(value)) return value;
    throw new Expectation(expected);
  };
}

function wholeNumber(low: number, high: number, alternative = "") {
  const convert = (text: string) => (/^\d{1,16}$/.test(text) ? Number(text) : Number.NaN);
  return checked(`a whole number from ${low} to ${high}${alternative}`, convert, (n) => n >= low && n <= high);
}

function oneOf<T extends string>(...words: T[]) {
  const isListed = (word: T) => words.includes(word);
  return checked(words.join(" or "), (text) => text as T, isListed);
}

const USER_NAME = /^[A-Za-z_][\w.-]*\$?$/;
const NAME = "a name of 1 to 100 characters, without / and control characters, that begins with no dot or space";
const parseName = checked(NAME, String, (text) => /^[^\s/\p{C}.][^/\p{C}]{0,99}$/u.test(text));
const parseUserName = checked("the name of a user", String, (text) => USER_NAME.test(text));
const parsePath = checked("a file name", String, (text) => /^[^\0]+$/.test(text));
const parseShellCommand = checked("a shell command", String, (text) => /^[^\0]*[^\s\0][^\0]*$/.test(text));
const parseHosts = checked("names of hosts, by comma", (text) => text.toLowerCase().split(","), areHosts);
const parseUrl = checked("an http or https URL", String, isWebUrl);
const yesOrNo = checked("yes or no", (text) => /^(?:(yes|true|1|on)|no|false|0|off)$/i.exec(text), Boolean);
const parseSwitch = (text: string) => yesOrNo(text)![1] !== undefined;
const parseSpeed = (text: string) => (text === "max" ? Number.POSITIVE_INFINITY : wholeNumber(1, 1e6, " or max")(text));
const positiveDuration = checked("a duration of at least 1s", parseDuration, (seconds) => seconds > 0);
const parseRetryDelay = checked("a duration of at most 1h", positiveDuration, (s) => s <= MAX_RETRY_DELAY_SECONDS);
const parsePause = checked("a duration of at most 3650d", positiveDuration, (s) => s <= 3650 * SECONDS_IN_DAY);
const parseTime = checked("a time such as 2025-03-30T00:55:00Z", secondsOf, (seconds) => seconds >= 0);

function areHosts(names: readonly string[]): boolean {
  return names.every((name) => /^[\w-]+(\.[\w-]+)*$/.test(name));
}

function isWebUrl(text: string): boolean {
  try {
    return /^https?:$/.test(new URL(text).protocol);
  } catch {
    return false;
  }
}

/** Epoch seconds of a time in ISO 8601, in UTC where it names no zone, or of themselves; NaN for anything else. */
function secondsOf(text: string): number {
  if (/^\d{5,12}$/.test(text)) return Number(text);
  const pattern = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d+)?(?:Z|([+-]\d\d):?(\d\d))?)?$/;
  const [, day, clock = "00:00", hours = "+00", minutes = "00"] = pattern.exec(text) ?? [];
  // Date.parse takes 30 February for 1 or 2 March.
  if (day === undefined || !new Date(Date.parse(day) || 0).toISOString().startsWith(day)) return Number.NaN;
  return Date.parse(`${day}T${clock}${hours}:${minutes}`) / 1000;
}

// Those of https://supervisord.org/events.html but for the ticks. An abstract one stands for all below it.
const EVENT_TYPES = `EVENT PROCESS_STATE PROCESS_STATE_STARTING PROCESS_STATE_RUNNING PROCESS_STATE_BACKOFF
PROCESS_STATE_STOPPING PROCESS_STATE_EXITED PROCESS_STATE_STOPPED PROCESS_STATE_FATAL PROCESS_STATE_UNKNOWN
REMOTE_COMMUNICATION PROCESS_LOG PROCESS_LOG_STDOUT PROCESS_LOG_STDERR
PROCESS_COMMUNICATION PROCESS_COMMUNICATION_STDOUT PROCESS_COMMUNICATION_STDERR
SUPERVISOR_STATE_CHANGE SUPERVISOR_STATE_CHANGE_RUNNING SUPERVISOR_STATE_CHANGE_STOPPING
PROCESS_GROUP PROCESS_GROUP_ADDED PROCESS_GROUP_REMOVED`.split(/\s/);

function parseEventNames(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !EVENT_TYPES.includes(name));
  if (unknown === undefined) return names;
  if (unknown.startsWith("TICK")) throw new Error("ticks are for --ticks, --every and --cron");
  const kin = EVENT_TYPES.filter((name) => name.endsWith(unknown.replace(/^.*_/, "_").toUpperCase()));
  const near = suggestion(unknown.toUpperCase(), EVENT_TYPES) || (kin.length === 1 ? `; did you mean ${kin[0]}?` : "");
  throw new Error(`unknown event ${quote(unknown)}${near}`);
}

// The table:

const GROUPS = { schedule: "Schedule, one of", when: "When", how: "How", telling: "Telling", trial: "Subcommands" };

/** A job's option may differ between the jobs of one listener; those behind `listener` are options of subcommands. */
type Scope = "job" | "listener" | "simulate" | "check" | "trial" | "report" | "status" | RequestScope | "serve";
type RequestScope = "run" | "pause" | "request";

interface OptionExtras {
  /** Its variable, if that is not TICK_ and the flag in capitals. The options of subcommands have none. */
  readonly env?: string;
  readonly default?: string;
  /** What --help shows for a default that depends. */
  readonly defaultText?: string;
  /** It has an effect only with one of these options (their keys in OPTIONS). */
  readonly onlyWith?: readonly string[];
  /** What is meant where only that option takes the value. */
  readonly twin?: string;
  /** No message shows the value. */
  readonly isSecret?: boolean;
}

/** A row of OPTIONS. Without a name of its value in `usage` it is a switch. */
function option<V, const M extends OptionExtras>(
  usage: string,
  group: keyof typeof GROUPS,
  scope: Scope,
  parse: (text: string) => V,
  about: string,
  more = {} as M,
) {
  const [flag, metavar = ""] = usage.split(" ");
  const variable = group === "trial" ? undefined : `TICK_${flag.slice(2).replace(/-/g, "_").toUpperCase()}`;
  return { flag, metavar, env: variable, scope, group, parse, about, ...more };
}

// biome-ignore format: a table
const OPTIONS = {
  ticks: option("--ticks N", "schedule", "job", wholeNumber(1, 2 ** 31),
    "run on every Nth tick counted (1 to 2^31)", { env: "TICK_GOAL", twin: "tick" }),
  every: option("--every D", "schedule", "job", positiveDuration,
    "run once in every slice of D; slices are aligned to the epoch, so 1h means on the hour (UTC)",
    { twin: "cron" }),
  cron: option("--cron EXPR", "schedule", "job", parseCron,
    "run at the times of a cron expression: minute hour day month weekday, or @daily and the like",
    { twin: "every" }),
  on: option("--on EVENTS", "schedule", "job", parseEventNames,
    "run on events of supervisord, such as PROCESS_STATE_FATAL; a list by comma, the payload on stdin"),
  crontab: option("--crontab FILE", "schedule", "listener", parsePath,
    "many jobs: a crontab, or a directory such as /etc/cron.d, read again when it changes and on SIGHUP"),
  userColumn: option("--user-column WHICH", "schedule", "listener", oneOf("auto", "yes", "no"),
    "with --crontab: is there a user before each command? auto looks at the words", { default: "auto",
      onlyWith: ["crontab"] }),
  offset: option("--offset D", "schedule", "job", parseDuration,
    "with --every: move the slices by D, less than the slice", { default: "0", onlyWith: ["every", "crontab"] }),

  tick: option("--tick TYPE", "when", "listener", oneOf("TICK_5", "TICK_60", "TICK_3600"),
    "which tick counts: TICK_5, TICK_60 or TICK_3600",
    { env: "TICK_EVENT", defaultText: "the first type seen", twin: "ticks" }),
  tz: option("--tz ZONE", "when", "job", zoneNamed, "with --cron: the time zone, such as Europe/Berlin",
    { defaultText: "TZ, else the system's", onlyWith: ["cron", "crontab"] }),
  catchUp: option("--catch-up D", "when", "job", parseDuration, "make up for a cron run missed by up to D; 0: never",
    { default: "1h", onlyWith: ["cron", "crontab"] }),
  jitter: option("--jitter D", "when", "job", parseDuration, "delay each run by a time below D, fixed by host and job",
    { default: "0", onlyWith: ["every", "cron", "crontab"] }),
  runOnStart: option("--run-on-start", "when", "job", parseSwitch, "also run once at start", { default: "no" }),

  name: option("--name NAME", "how", "job", parseName, "the job's name in log and state",
    { defaultText: "supervisord's process name, else the command's", onlyWith: ["ticks", "every", "cron", "on"] }),
  overlap: option("--overlap POLICY", "how", "job", oneOf("skip", "queue", "replace", "allow"),
    "what a due run does while the last one is still going: skip, queue (one waits; with --on 1,000), " +
    "replace (ends it first) or allow (runs beside it)", { defaultText: "skip; with --on queue" }),
  timeout: option("--timeout D", "how", "job", parseDuration,
    "end a run after D: SIGTERM to its process group, SIGKILL after --kill-after; 0: no limit", { default: "0" }),
  killAfter: option("--kill-after D", "how", "job", positiveDuration,
    "time from SIGTERM to SIGKILL, also at stop; keep it below supervisord's stopwaitsecs (10 s)", { default: "5s" }),
  drain: option("--drain D", "how", "job", parseDuration,
    "at a stop, let a run go on for D before SIGTERM; keep D and --kill-after below stopwaitsecs", { default: "0" }),
  retries: option("--retries N", "how", "job", wholeNumber(0, 1000),
    "try a failed run again up to N times (1000 at most); a retry gives way to the next due run", { default: "0" }),
  retryDelay: option("--retry-delay D", "how", "job", parseRetryDelay,
    "the wait before the first retry; it doubles, up to 1h", { default: "10s", onlyWith: ["retries", "crontab"] }),
  user: option("--user NAME", "how", "job", parseUserName,
    "run the command, and --only-if, as that user of this machine, with its groups, HOME, USER, LOGNAME and SHELL"),
  envFile: option("--job-env-file FILE", "how", "job", parsePath,
    "more variables for the command: NAME=value lines, without quotes, read before each run", { env: "TICK_ENV_FILE" }),
  maxRunning: option("--max-running N", "how", "listener", wholeNumber(0, 2 ** 31),
    "how many commands may run at a time in all, the rest wait in order; 0: no limit", { default: "0" }),
  onlyIf: option("--only-if CMD", "how", "job", parseShellCommand,
    "before a run, /bin/sh -c CMD: exit 0 runs it, 1 holds it back, as does an error: any other exit, or 10s"),

  state: option("--state FILE", "telling", "listener", parsePath, "the counter file; the run journal is FILE.runs " +
    "beside it", { defaultText: "/var/lib/supertick/NAME, else /tmp/supertick-UID/NAME" }),
  verbose: option("--verbose", "telling", "listener", parseSwitch, "also log ticks and the count", { default: "no" }),
  log: option("--log FORM", "telling", "listener", oneOf("raw", "prefix", "json"),
    "raw: output as it is; prefix: time, job and run before each line; json: an object a line", { default: "raw" }),
  onFailure: option("--on-failure CMD", "telling", "job", parseShellCommand,
    "after the last attempt of a run that failed, timed out or was interrupted: /bin/sh -c CMD, 60s at most"),
  onSuccess: option("--on-success CMD", "telling", "job", parseShellCommand, "the same after a run that succeeded"),
  onSkip: option("--on-skip CMD", "telling", "job", parseShellCommand,
    "the same for a due run that was skipped, or that --only-if could not decide on"),
  ping: option("--ping URL", "telling", "job", parseUrl, "report to a service such as healthchecks: POST URL/start, " +
    "then URL or URL/fail; 10s at most, no run waits for it", { isSecret: true }),

  for: option("--for D", "trial", "simulate", positiveDuration,
    "simulate: how much of supervisord's time to play", { default: "1h" }),
  speed: option("--speed N", "trial", "simulate", parseSpeed,
    "simulate: how many times faster than the clock, or max: no pause, but no tick during a run", { default: "600" }),
  frames: option("--frames", "trial", "simulate", parseSwitch, "simulate: show the bytes of every message",
    { default: "no" }),
  from: option("--from TIME", "trial", "trial", parseTime,
    "simulate, check: the time to begin at, as 2025-03-30T00:55:00Z; UTC without a zone", { defaultText: "now" }),
  number: option("-n N", "trial", "check", wholeNumber(1, 1000),
    "check: how many of the next runs to list, 1 to 1000", { default: "5" }),
  wait: option("--wait", "trial", "run", parseSwitch, "run: follow the run to its end, and exit as it does",
    { default: "no" }),
  pauseFor: option("--for D", "trial", "pause", parsePause, "pause: for so long; else until resume"),
  requestState: option("--state FILE", "trial", "request", parsePath,
    "run, pause, resume: the counter file of the listener that is meant"),
  host: option("--host NAMES", "trial", "serve", parseHosts,
    "serve: names, by comma, under which it may be asked for; an address and localhost always may"),
  json: option("--json", "trial", "report", parseSwitch, "check, status: print one JSON object", { default: "no" }),
  prometheus: option("--prometheus", "trial", "status", parseSwitch,
    "status: print metrics in Prometheus' text format; the exit status is 0", { default: "no" }),
};

type OptionKey = keyof typeof OPTIONS;
type OptionSpec = ReturnType<typeof option<unknown, OptionExtras>>;
type ValueOf<O extends OptionSpec> = ReturnType<O["parse"]> | (O extends { default: string } ? never : undefined);
/** The value of every option; undefined where none was given and there is no default. */
export type Settings = { readonly [K in OptionKey]: ValueOf<(typeof OPTIONS)[K]> };

/** The text that was given for an option, where ("--every", "TICK_EVERY"), and its value if that is known already. */
type Given = { readonly text: string; readonly origin: string; readonly value?: unknown; readonly secretFile?: string };
/** The options of one source. The first layer that has an option decides it. */
type Layer = { readonly texts: ReadonlyMap<OptionKey, Given> };
type EnvironmentLayer = { readonly layer: Layer; readonly warnings: readonly string[] };
type CommandLine = { readonly layer: Layer; readonly command: readonly string[] };

const OPTION_KEYS = Object.keys(OPTIONS) as OptionKey[];
/** The options that name a schedule: one of them must be given. */
const SCHEDULE_KEYS: readonly OptionKey[] = ["ticks", "every", "cron", "on", "crontab"];
const specOf = (key: OptionKey): OptionSpec => OPTIONS[key];
const flagOf = (key: string) => specOf(key as OptionKey).flag;
const isSwitch = (key: OptionKey) => specOf(key).metavar === "";
/** The environment variables of OPTION_KEYS, in their order; "" where there is none. */
const OPTION_VARIABLES = OPTION_KEYS.map((key) => specOf(key).env ?? "");

/**
 * Reads `[options] -- command …`.
 * @param scopes which options are legal here
 * @param files collects the words that are not options, where such words are legal
 * @throws UsageError
 */
export function parseCommandLine(args: readonly string[], scopes: readonly Scope[], files?: string[]): CommandLine {
  const texts = new Map<OptionKey, Given>();
  const words = args.slice(0, [...args, "--"].indexOf("--"));
  for (let at = 0; at < words.length; at++) {
    const [, flag, value] = /^(-\w|-[^=]*)(?:(?:=|(?=\d))(.*))?$/s.exec(words[at]) ?? [];
    if (flag === undefined) {
      if (files === undefined) throw notAnOption(words[at], [...texts.values()].pop());
      files.push(words[at]);
      continue;
    }
    const key = optionOf(flag, scopes);
    const text = value ?? (isSwitch(key) ? "yes" : words[++at]);
    if (texts.has(key)) throw new UsageError(`${flag} is given twice`);
    if (text === undefined) throw new UsageError(`${flag} needs a value: ${specOf(key).about}`);
    texts.set(key, { text, origin: flag });
  }
  return { layer: { texts }, command: args.slice(words.length + 1) };
}

/** @throws UsageError for a flag that is unknown, or legal elsewhere only */
function optionOf(flag: string, scopes: readonly Scope[]): OptionKey {
  const isLegal = (key: OptionKey) => scopes.includes(specOf(key).scope);
  const keys = OPTION_KEYS.filter((k) => flagOf(k) === flag);
  const key = keys.find(isLegal) ?? keys[0];
  if (key !== undefined && isLegal(key)) return key;
  if (key !== undefined) throw new UsageError(`${flag} does not belong here: see supertick --help for what takes it`);
  const flags = OPTION_KEYS.filter(isLegal).map(flagOf);
  throw new UsageError(`unknown option ${quoteName(flag)}${suggestion(flag, flags)}`);
}

// Behind an option it may be the rest of a hook, a secret in it, that has lost its quotes.
function notAnOption(word: string, before?: Given): UsageError {
  const hint = ": the command goes behind --, a value with spaces needs quotes, and a switch takes no value but =no";
  const shown = before === undefined ? quoteName(word) : `a word behind ${before.origin}`;
  const near = suggestion(`--${word}`, ["--help", "--version"]) || suggestion(word, Object.keys(SUBCOMMANDS));
  return new UsageError(`${shown} is not an option${near || hint}`);
}

function unknownVariable(name: string): string {
  return `${name.slice(0, 80)} is not a variable of supertick${suggestion(name, OPTION_VARIABLES)}`;
}

/** Which option a variable sets; with `isFile`, to what a file holds: TICK_PING_FILE=/run/secrets/ping. */
function optionOfVariable(name: string): { key: OptionKey | undefined; isFile: boolean } {
  const key = OPTION_KEYS[OPTION_VARIABLES.indexOf(name)];
  const other = OPTION_KEYS[OPTION_VARIABLES.indexOf(name.replace(/_FILE$/, ""))];
  const isFile = key === undefined && other !== undefined && specOf(other).parse !== parsePath;
  return { key: isFile ? other : key, isFile };
}

/**
 * Reads the `TICK_…` variables, and warns of those that are not options. An empty one counts as not given.
 * @param readSecret the text of a file
 * @throws UsageError where one option is given twice, or a file can't be read
 */
export function parseEnvironment(
  env: NodeJS.ProcessEnv,
  readSecret: (path: string) => string = () => "",
): EnvironmentLayer {
  const texts = new Map<OptionKey, Given>();
  const warnings: string[] = [];
  // Sorted, for Deno's environment has a different order each time.
  const own = Object.entries(env).filter(([name, text]) => name.startsWith("TICK_") && text !== ""); // compose files
  for (const [name, text = ""] of own.sort()) {
    const { key, isFile } = optionOfVariable(name);
    if (key === undefined) warnings.push(unknownVariable(name));
    else if (texts.has(key)) throw new UsageError(`${texts.get(key)!.origin} and ${name} are given; give one`, name);
    else texts.set(key, givenBy(name, text, isFile, readSecret));
  }
  return { layer: { texts }, warnings };
}

function givenBy(origin: string, text: string, isFile: boolean, readSecret: (path: string) => string): Given {
  if (!isFile) return { text, origin };
  try {
    return { text: readSecret(text).replace(/\r?\n$/, ""), origin, secretFile: text };
  } catch (error) {
    throw new UsageError(`${origin}: cannot read ${quote(text)}: ${describeError(error)}`, origin);
  }
}

/**
 * The values that result from the layers, in order of precedence. A higher layer's schedule replaces a lower one's, so
 * that a TICK_GOAL left in the environment does not kill --every.
 * @throws UsageError for an illegal value, two schedules in one layer, a flag without effect
 */
export function resolveSettings(layers: readonly Layer[]): Settings {
  for (const { texts } of layers) {
    const given = SCHEDULE_KEYS.filter((key) => texts.has(key));
    const origins = given.map((key) => texts.get(key)!.origin);
    if (given.length > 1) throw new UsageError(`${origins.join(" and ")} are two schedules; give one`, origins[0]);
    if (given.length === 1) return valuesOf(layers, given[0]);
  }
  for (const { texts } of layers) if (texts.has("tick")) parseSetting("tick", texts.get("tick")!); // for --ticks?
  const choices = SCHEDULE_KEYS.map((key) => `${flagOf(key)} (${specOf(key).env})`);
  throw new UsageError(`no schedule given: use one of ${choices.join(", ")}`);
}

// An option without effect is a mistake as a flag. From the environment or a crontab it may be meant for other jobs.
function valuesOf(layers: readonly Layer[], schedule: OptionKey): Settings {
  const find = (key: OptionKey) => layers.find(({ texts }) => texts.has(key))?.texts.get(key);
  const isInUse = (key: OptionKey) => (SCHEDULE_KEYS.includes(key) ? key === schedule : find(key) !== undefined);
  const settings: Partial<Record<OptionKey, unknown>> = {};
  for (const key of OPTION_KEYS) {
    const { flag, parse, default: standard, onlyWith = [key] } = specOf(key);
    const given = find(key);
    if (given !== undefined && (onlyWith as OptionKey[]).some(isInUse)) settings[key] = parseSetting(key, given);
    else if (given?.origin.startsWith("-"))
      throw new UsageError(`${flag} has no effect here: it goes with ${listed(onlyWith.map(flagOf), "or")}`);
    else settings[key] = standard === undefined ? undefined : parse(standard);
  }
  return settings as Settings;
}

/** The value of an option's text. @throws UsageError */
function parseSetting(key: OptionKey, { text, origin, value, secretFile }: Given): unknown {
  if (value !== undefined) return value;
  const isSecret = specOf(key).isSecret || secretFile !== undefined;
  const { parse, twin } = specOf(key);
  try {
    return parse(text);
  } catch (error) {
    const isTwins = twin !== undefined && tryTo(() => specOf(twin as OptionKey).parse(text)) !== undefined;
    const hint = isTwins ? `; did you mean ${flagOf(twin)}?` : "";
    const { message } = error as Error;
    // A crontab's schedule may be a command, without one or continued: it is shown as far as it looks like a schedule.
    const shown = origin === "schedule" ? text.replace(/(^|\s)(?![\d*?]|[a-z]{3}\b(?!=)).*/is, "$1…") : text;
    const whole = isSecret ? `${origin}: not a legal value` : `${origin} ${quote(shown)}: ${message}${hint}`;
    if (!(error instanceof Expectation)) throw new UsageError(whole, origin);
    throw new UsageError(`${origin}: expected ${message}${isSecret ? "" : `, got ${quote(text)}`}${hint}`, origin);
  }
}

/** Is the switch on? For subcommands that have no other settings. */
const isGiven = (layer: Layer, key: OptionKey) => valuesOf([layer], "crontab")[key] === true;

/** Those that a schedule is made of. */
type ScheduleSettings = Pick<Settings, "tz" | "catchUp" | "offset" | "crontab"> &
  Partial<Pick<Settings, "cron" | "on" | "every" | "ticks">>;

/**
 * The schedule that the settings name. `defaultZone` is only called where it is needed.
 * @throws UsageError for an offset that is not less than the slice
 */
export function scheduleOf(settings: ScheduleSettings, defaultZone: () => Zone): Schedule {
  const { cron, tz, catchUp, on, every, offset, ticks, crontab } = settings;
  if (cron !== undefined) return new CronSchedule(cron, tz ?? defaultZone(), catchUp);
  if (on !== undefined) return new EventSchedule(on);
  if (every === undefined) return new TickSchedule(ticks!, crontab !== undefined);
  if (offset < every) return new SliceSchedule(every, offset);
  throw new UsageError(
    `the offset of ${formatDuration(offset)} is not less than the slice of ${formatDuration(every)}`,
  );
}

const MAX_WAITING_EVENTS = 1000;

/** The policy that the settings name. */
export function policyOf(settings: Settings): JobPolicy {
  const { on, overlap = on === undefined ? "skip" : "queue" } = settings;
  return {
    overlap,
    queueLimit: on === undefined ? 1 : MAX_WAITING_EVENTS,
    timeoutSeconds: settings.timeout,
    killAfterSeconds: settings.killAfter,
    drainSeconds: settings.drain,
    retries: settings.retries,
    retryDelaySeconds: settings.retryDelay,
    isRetryYielding: on === undefined || overlap === "replace",
    isAsking: settings.onlyIf !== undefined,
  };
}

/**
 * "; did you mean …?" where one of the known words is one or, if it is a long one, two letters away, or where it is the
 * beginning or the end of some; else "".
 */
function suggestion(word: string, known: readonly string[]): string {
  const near = (edits: number) => known.find((name) => isNear(word, name, edits));
  const name = near(1) ?? (word.length < 8 ? undefined : near(2));
  const isPartOf = (other: string) =>
    other.startsWith(`${word}.`) ||
    (word.length >= 6 && (other.startsWith(word.slice(0, -1)) || other.endsWith(word.replace(/^-/, ""))));
  const longer = known.filter(isPartOf);
  const meant = listed(name === undefined ? longer : [name], "or");
  return meant === "" ? "" : `; did you mean ${meant}?`;
}

/** Does it take at most so many letters that are left out, added, replaced or swapped to make one word the other? */
function isNear(a: string, b: string, edits: number): boolean {
  if (a === b) return true;
  const [restOfA, restOfB] = [a.slice(1), b.slice(1)];
  if (a[0] === b[0]) return isNear(restOfA, restOfB, edits);
  const isNearer = (x: string, y: string) => isNear(x, y, edits - 1);
  const isSwapped = edits > 0 && a !== "" && a[0] === b[1] && a[1] === b[0] && isNearer(a.slice(2), b.slice(2));
  return edits > 0 && (isSwapped || isNearer(a, restOfB) || isNearer(restOfA, b) || isNearer(restOfA, restOfB));
}

// ── Jobs ────────────────────────────────────────────────────────────────────
// What is configured. A crontab may have thousands of jobs, so a job is small: what many have in common is one object.
// To give a job another option: optionsOf. To have jobName pass over a word: PREPARATION or RUNNER.

/** What is to be run, and when. */
export interface Job {
  /** By this its past is kept: ONLY_JOB, TICK_NAME or, in a crontab, what keyOf makes. */
  readonly key: string;
  /** For people: in the log, in status and for hooks. */
  readonly name: string;
  /** A text is for the shell: see argvOf. */
  readonly command: string | readonly string[];
  readonly schedule: Schedule;
  readonly options: JobOptions;
  /** Who runs it, if that is said. */
  readonly user?: User;
  /** Of a crontab: variables of its commands, and the command's stdin. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

/** As passwd has it. */
export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

/** The key of a job that is the only one of its listener, whatever it does. No TICK_NAME begins with a dot. */
export const ONLY_JOB = ".";

/** How its runs go, and what is done around them. */
type JobOptions = Readonly<ReturnType<typeof optionsOf>>;

function optionsOf(settings: Settings) {
  const { runOnStart, jitter, onlyIf, onFailure, onSuccess, onSkip, ping, envFile } = settings;
  return { policy: policyOf(settings), runOnStart, jitter, onlyIf, onFailure, onSuccess, onSkip, ping, envFile };
}

function jobOf(name: string, command: readonly string[], schedule: Schedule, settings: Settings, user?: User): Job {
  return { key: ONLY_JOB, name, command, schedule, options: optionsOf(settings), user };
}

/** The program to be run, and its arguments. */
export function argvOf({ command, env }: Pick<Job, "command" | "env">): readonly string[] {
  return typeof command === "string" ? [env?.SHELL || "/bin/sh", "-c", asUtf8(command)] : command;
}

// Bytes that are not UTF-8 are kept as U+DC80 to U+DCFF, which stand in no text. Arguments are UTF-8 always, so the
// shell itself makes such bytes.
const STRAY_BYTE = /[\udc80-\udcff]/u;

function asUtf8(command: string): string {
  if (!STRAY_BYTE.test(command)) return command;
  const octal = (sign: string) => `\\${(sign.charCodeAt(0) & 0xff).toString(8).padStart(3, "0")}`;
  return `eval "$(printf '${command.replace(/%/g, "%%").replace(/[\\'\udc80-\udcff]/gu, octal)}')"`;
}

/** A text may be that of a line with such bytes. */
function bytesOf(text: string | Buffer): Buffer {
  if (typeof text !== "string") return text;
  if (!STRAY_BYTE.test(text)) return Buffer.from(text);
  return Buffer.from(Array.from(text, (sign) => sign.charCodeAt(0) & 0xff));
}

/** The text of lines that need not be UTF-8. */
function textOfLines(bytes: Buffer): string {
  const text = bytes.toString();
  if (!text.includes("\ufffd")) return text;
  const lines = bytes.toString("latin1").split("\n");
  if (lines.length > 1) return lines.map((line) => textOfLines(Buffer.from(line, "latin1"))).join("\n");
  return lines[0].replace(/[\x80-\xff]/g, (byte) => String.fromCharCode(0xdc00 | byte.charCodeAt(0)));
}

const isRunOnStart = ({ schedule, options }: Job) => options.runOnStart || schedule.kind === "start";
/** Each run is delayed by a time below this, in seconds. */
const jitterOf = ({ schedule, options }: Job) => (isByClock(schedule) ? options.jitter : 0);

/** The key of a job without TICK_NAME: eight hex digits, the same for the same schedule, command, stdin and user. */
export function keyOf({
  schedule,
  command,
  input,
  user,
}: Pick<Job, "schedule" | "command" | "input" | "user">): string {
  const hash = hash32(JSON.stringify([schedule.record, command, input, ...(user === undefined ? [] : [user.name])]));
  return hash.toString(16).padStart(8, "0");
}

/** How a journal of version 0.1 names the job: 53 bits of two hashes of its schedule and its words. */
export function idOf01(job: Pick<Job, "schedule" | "command" | "env">): string {
  const text = JSON.stringify([job.schedule.record, argvOf(job)]);
  return (hash32(text, 1) * 2 ** 21 + (hash32(text, 2, 0x5bd1e995) >>> 11)).toString(36);
}

// token = redirection | operators | word, where a word has quoted parts, escapes and $(…) in it. No more of the shell's
// grammar is needed to find the program: a name that is not the best one harms nothing.
const SHELL_TOKEN =
  /\d*[<>]+&?[ \t]*[^\s;&|()<>]*|[;&|()\n]+|(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|\$\([^)]*\)?|[^\s;&|()<>"'\\])+/gs;
/** In front of the program: the shell's own words, assignments, and a runner's options, numbers and durations. */
const PASSED_OVER = /^(?:[!{}]|if|then|elif|else|fi|while|until|do|done|[\w.]+=.*|-.*|\d+[smhd]?)$/s;
const OPTION_WITH_WORD =
  /^(?:(?:sudo|runuser|chpst) -[ueg]|su -s|ionice -c|env -u|timeout -s|(?:perl|ruby) -I|bash -o|php -c|node -r|python -[WX])$/;
/** They prepare the command, or ask whether it is needed. */
const PREPARATION = /^(?:cd|[.:]|source|export|set|umask|ulimit|trap|test|\[\[?|command|sleep|mkdir|for|case)$/;
/** They run the words behind them. */
const RUNNER = new RegExp(
  "^(?:exec|nohup|time|setsid|env|nice|ionice|timeout|chronic|chpst|tini|dumb-init|sudo|runuser|bundle|" +
    "sh|bash|php|python|node|ruby|perl)$",
);
/** The same, with a file or a user in between. */
const RUNNER_WITH_WORD = /^(?:flock|su|gosu|su-exec|setuser|s6-setuidgid)$/;
const CONSOLE = /^(?:artisan|manage|console|(?:gitlab-)?rake|wp|occ|magento|yii|drush)$/;

/** What a shell command is about: its program, script or subcommand. No other word of it, for that may be a secret. */
export function jobName(command: string): string {
  const commands: string[][] = [[]];
  for (const [token] of command.slice(0, 1000).matchAll(SHELL_TOKEN)) {
    if (/^[;&|()\n]/.test(token)) commands.push([]);
    else if (!/^\d*[<>]/.test(token)) commands[commands.length - 1].push(token);
  }
  const names = commands.map((words) => programOf(words)).filter((name) => name !== "");
  const isAbout = (name: string) => !PREPARATION.test(name) && runnerOf(name) === undefined;
  const name = names.find(isAbout) ?? names[names.length - 1] ?? "";
  return /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.:@+-]{0,99}$/u.test(name) ? name : "job";
}

/** python3.12 → python; undefined for a program that is not a runner. */
function runnerOf(program: string): string | undefined {
  const name = program.replace(/[\d.]+$/, "");
  return RUNNER.test(name) || RUNNER_WITH_WORD.test(name) ? name : undefined;
}

/** The name of what the words of a simple command run. */
function programOf(words: readonly string[]): string {
  const { at, runner, name } = behindRunners(words);
  if (at >= words.length) return name;
  const word = words[at].replace(/^(["'])(.*)\1$/s, "$2");
  // A text with blanks is code: that of sh -c is a command, that of python -c is nothing to show.
  if (runner !== "" && /[\s;&|()<>]/.test(word)) return /^(?:ba)?sh$/.test(runner) ? jobName(word) : name;
  const program = programName(word);
  // Behind an option without = it may be that option's word.
  const subcommand = CONSOLE.test(program) ? words.slice(at + 1).find((one) => !/^-.*=/.test(one)) : undefined;
  return /^\w[\w:.-]*/.exec(subcommand ?? "")?.[0] ?? program;
}

const programName = (word: string) =>
  word.replace(/["'\\]/g, "").replace(/^.*\/|\.(?:sh|bash|py|php|[cm]?js|ts|rb|pl)$/gs, "");

/** Where in a simple command the words begin that its runners run; the last of these, and its name as it stands there. */
function behindRunners(words: readonly string[]): { at: number; runner: string; name: string } {
  let [at, runner, name] = [0, "", ""];
  for (; at < words.length; at++) {
    if (PASSED_OVER.test(words[at]) || OPTION_WITH_WORD.test(`${runner} ${words[at - 1]}`)) continue;
    if (RUNNER_WITH_WORD.test(runner)) {
      runner = "sh"; // the file or user; su and gosu then take what a shell takes
      continue;
    }
    const program = programName(words[at]);
    const next = runnerOf(program);
    if (next === undefined) break;
    [runner, name] = [next, program];
  }
  return { at, runner, name };
}

// ── Crontab ─────────────────────────────────────────────────────────────────
// Many jobs in one file, in the form that people have:
//
//   line     = "" | "#" text
//            | NAME "=" value                        a variable of the commands below; quotes keep blanks at its ends
//            | "TICK_…" "=" value                    an option of the jobs below, TICK_NAME of the next one only;
//                                                    an empty value takes it back. CRON_TZ is TICK_TZ
//            | schedule [user] command               the whole file has users or none: see findUserColumn
//   schedule = minute hour day month weekday | "@daily" | …      the words in any case
//            | "@every" D | "@ticks" N               as --every and --ticks; the count of ticks is one for all jobs
//            | "@start" | "@reboot"                  when the listener starts
//
// A command is the rest of its line, run by SHELL -c. As in cron its first % ends it, and what follows is its stdin, in
// which % is a line end. \% is a %. All mistakes are reported: a file with one is not used at all.
// To add a kind of line: extend the grammar, then `take`; to add an @word: SCHEDULE_WORDS and lineSchedule.

/** One job of a crontab. */
interface CrontabJob extends Job {
  readonly path: string;
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
  /** Why its lines name users; undefined: they name none. */
  readonly userColumn?: string;
  readonly isUnread?: boolean;
  /** Of the warnings, those for the log. */
  readonly doubts?: readonly string[];
}

/** What a crontab's text does not say itself. */
interface CrontabContext {
  /** For messages. */
  readonly path: string;
  readonly flags: Layer;
  readonly environment: Layer;
  defaultZone(): Zone;
  readonly users: {
    has(name: string): boolean;
    /** @throws Error: there is no such user, or we can't run anything as that user */
    get(name: string): User;
  };
  /** Is it a program in that PATH? */
  isCommand(word: string, path?: string): boolean;
  /** The text of a file. @throws with a code */
  readSecret(path: string): string;
  /** Those of the jobs in other files. */
  readonly otherKeys: ReadonlySet<string>;
  /** Whose crontab it is, in a spool: a file there is called after its user. */
  readonly owner?: string;
}

/** What is not as it looks in a line such as NAME=value. */
const VARIABLE_NOTES: readonly (readonly [line: RegExp, note: string])[] = [
  [/^MAILTO=(?!(?:""|'')?$)/, "supertick sends no mail; TICK_ON_FAILURE can"],
  [/^HOME=/, "the commands start in supertick's own directory, not in this one as under cron"],
  [/^RANDOM_DELAY=/, "it delays nothing; TICK_JITTER does"],
  [/^TZ=/, "it reaches the commands only, as in cron; schedules use CRON_TZ or TICK_TZ"],
  [/^PATH=.*\$/, "$ is not expanded in it, as in cron: write the directories"],
  [/=[^"'].*\s#/, "the value goes on to the end of the line, # included, as in cron"],
];

const EVERY_MINUTE = /^0 \*(?:\/1)? \* \* \* \*$/;
const EVERY_MINUTE_NOTE =
  "as of each line for every minute: while its last run goes on, that of the next minute is skipped; " +
  "cron would start it, as TICK_OVERLAP=allow does";

// A tick waits while a crontab is read, so whatever is in it that takes a second at most.
const MOST_JOBS = 10_000;
const MOST_VARIABLES = 1000;
const MOST_ZONES = 100;
const MOST_MISTAKES = 100;

/**
 * Reads a crontab. Of a job's options, flags go before its lines, and those before the environment. Never throws.
 * @param which yes or no: whether its lines name users; auto: the file itself tells
 */
export function parseCrontab(text: string, context: CrontabContext, which: Settings["userColumn"] = "auto"): Crontab {
  const lines = text
    .replace(/^\ufeff/, "")
    .split("\n")
    .map((line) => line.trim());
  const userColumn = which === "auto" ? findUserColumn(lines, context) : which === "yes" ? "--user-column" : undefined;
  const reader = new CrontabReader(context, userColumn, which === "auto");
  const mistakes: string[] = [];
  for (let i = 0; i < lines.length && mistakes.length < MOST_MISTAKES; i++) {
    try {
      reader.take(lines[i], i + 1);
    } catch (error) {
      mistakes.push(`${context.path}:${i + 1}: ${(error as Error).message}`);
    }
  }
  if (mistakes.length === MOST_MISTAKES) mistakes.push(`${context.path}: what follows was not read`);
  const { jobs, warnings, title } = reader;
  if (title !== undefined) mistakes.push(`${context.path}:${title.line}: TICK_NAME without a job below it`);
  const minutely = jobs.find((job) => !job.settings.overlap && EVERY_MINUTE.test(`${job.schedule.record.cron}`));
  if (minutely !== undefined) reader.warn(minutely.line, EVERY_MINUTE_NOTE);
  const lacksUsers = userColumn === undefined && which === "auto" && isSystemCrontab(context.path);
  if (lacksUsers && jobs.length > 0) reader.warn(jobs[0].line, NO_USERS_NOTE);
  return { jobs: toldApart(jobs), mistakes, warnings, userColumn };
}

const NO_USERS_NOTE = "no line names a user, so that all commands run as supertick's own";

const isSystemCrontab = (path: string) => /^\/etc\/crontab$|(?:^|\/)cron\.d\/[^/]*$/.test(path);

/** The first word behind the schedule. */
const COMMAND_WORD = /^(?:@(?:every|ticks)[ \t]+\S+|@\S+|(?:\S+[ \t]+){4}\S+)[ \t]+(\S+)/i;
const SHELL_WORD =
  /^(?:cd|if|for|while|until|case|exec|eval|export|set|source|trap|umask|ulimit|unset|wait|type|time)$/;
/** What can't be a user, and need not be a program: a path, an assignment, a word of the shell's own. */
const isOtherWord = (word: string) => !USER_NAME.test(word) || SHELL_WORD.test(word);

/**
 * Do the lines have a user before the command? They do if that word is one in any of them, and no program. Where cron
 * itself wants users, a program's name may be a user's too, and they do unless all of those words can be commands.
 */
function findUserColumn(lines: readonly string[], { path, users, isCommand }: CrontabContext): string | undefined {
  const isSystem = isSystemCrontab(path);
  let searchPath: string | undefined;
  let strange: number | undefined;
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i].startsWith("#") ? "" : lines[i];
    const [, , name, value = ""] = VARIABLE_LINE.exec(line) ?? [];
    if (name === "PATH") searchPath = value.replace(/^(["'])(.*)\1$/, "$2");
    const [, word = ""] = (name === undefined && COMMAND_WORD.exec(line)) || [];
    const [user] = word.replace(/["']/g, "").split(/[:,]/, 1);
    const isProgram = isOtherWord(user) || isCommand(user, searchPath);
    if (users.has(user) && (isSystem || !isProgram)) return `line ${i + 1} names the user ${user}`;
    if (!isProgram) strange ??= i + 1;
  }
  if (strange === undefined || !isSystem) return undefined;
  return `cron wants one here, and line ${strange} begins with no command`;
}

/** Jobs of the same name, unless it is a TICK_NAME, show as many digits of their keys as tell them apart: sync.3f2a. */
function toldApart(jobs: readonly CrontabJob[], digits = 4): readonly CrontabJob[] {
  const counts = new Map<string, number>();
  for (const { name } of jobs) counts.set(name, (counts.get(name) ?? 0) + 1);
  if (counts.size === jobs.length || digits > 8) return jobs;
  const named = jobs.map((job) => {
    if (counts.get(job.name) === 1 || job.key === job.name) return job;
    return { ...job, name: `${jobName(job.command)}.${job.key.slice(0, digits)}${job.key.slice(8)}` };
  });
  return toldApart(named, digits + 4);
}

// Takes line after line, and keeps what they have set for those below: options, variables, the next job's name. What
// jobs have in common is one object, for there may be thousands.
class CrontabReader {
  readonly jobs: CrontabJob[] = [];
  readonly warnings: string[] = [];
  /** TICK_NAME of the next job. */
  title: { readonly text: string; readonly line: number } | undefined;
  private readonly lines = new Map<string, number>(); // of the keys
  private readonly copies = new Map<string, number>(); // of lines that are alike, by their hash
  private readonly zones = new Set<string>();
  private variables = 0; // lines that change one
  private readonly parsed = new Map<string, unknown>(); // schedules, by their text
  private readonly texts = new Map<OptionKey, Given>();
  private settings: Settings | undefined; // from the texts so far
  private options: JobOptions | undefined; // from the settings
  private env: Readonly<Record<string, string>> = {};

  constructor(
    private readonly context: CrontabContext,
    private readonly userColumn: string | undefined,
    private readonly mustLookForUsers: boolean,
  ) {}

  /** @throws Error: what is wrong with the line */
  take(line: string, number: number): void {
    if (line === "" || line.startsWith("#")) return;
    if (line.includes("\0")) throw new Error("the line has a NUL byte: is this a text file?");
    if (line.endsWith("\\"))
      this.warn(number, "the backslash at its end does not join it and the next line, as in cron");
    const [, , name, value] = VARIABLE_LINE.exec(line) ?? [];
    if (name === undefined) return this.takeJob(line, number);
    if (/^(?:CRON_)?TZ$/.test(name) && /^\S+[ \t]+[\d*@]/.test(value)) checkExpression(line.split(/[ \t]/, 1)[0]);
    const text = withoutQuotes(name, value);
    if (name.startsWith("TICK_") || name === "CRON_TZ") return this.takeOption(name, text, number);
    if (this.env[name] !== text) this.setVariable(name, text);
    for (const [pattern, note] of VARIABLE_NOTES)
      if (pattern.test(`${name}=${value}`)) this.warn(number, `${name}: ${note}`);
  }

  private setVariable(name: string, text: string): void {
    if (++this.variables > MOST_VARIABLES) throw new Error(`over ${MOST_VARIABLES} lines that change a variable`);
    this.env = { ...this.env, [name]: text };
  }

  warn(line: number, text: string): void {
    this.warnings.push(`${this.context.path}:${line}: ${text}`);
  }

  private takeOption(name: string, text: string, line: number): void {
    const { key, isFile } = optionOfVariable(name === "CRON_TZ" ? "TICK_TZ" : name);
    if (key === undefined) throw new Error(unknownVariable(name));
    if (SCHEDULE_KEYS.includes(key)) throw new Error(`${name} is a schedule: it goes at the beginning of a job's line`);
    if (specOf(key).scope !== "job")
      throw new Error(`${name} is an option of the listener: give it as ${flagOf(key)}, or in its environment`);
    const given = text === "" ? { text, origin: name } : givenBy(name, text, isFile, this.context.readSecret);
    if (key === "tz" && this.zones.add(text).size > MOST_ZONES) throw new Error(`over ${MOST_ZONES} time zones`);
    const value = text === "" ? undefined : parseSetting(key, given);
    if (key === "name") {
      this.title = text === "" ? undefined : { text, line };
      return;
    }
    if (text === "") this.texts.delete(key);
    else this.texts.set(key, { ...given, value });
    this.settings = this.options = undefined;
  }

  private takeJob(text: string, line: number): void {
    const { env, title, context } = this;
    this.title = undefined;
    if (this.jobs.length === MOST_JOBS) throw new Error(`over ${MOST_JOBS} jobs`);
    this.settings ??= valuesOf([context.flags, { texts: this.texts }, context.environment], "crontab");
    this.options ??= optionsOf(this.settings);
    const { settings, options } = this;
    const [times, rest] = splitJobLine(text);
    const schedule = this.lineSchedule(times, settings);
    const [userName = settings.user, words] = this.splitUser(rest);
    const { command, input } = splitPercent(words);
    if (/^\s*(?:#|$)/.test(command)) throw new Error("the command is empty, or only a comment");
    const user = userName === undefined ? undefined : context.users.get(userName);
    const key = this.newKey(title?.text, keyOf({ schedule, command, input, user }), line);
    const name = title?.text ?? jobName(command);
    this.jobs.push({ key, name, command, schedule, options, user, env, input, path: context.path, line, settings });
    if (input !== undefined)
      this.warn(line, "the first % ends the command, and its stdin follows, as in cron, not as in busybox; \\% is a %");
  }

  // A user must never be run as a command, nor a command be taken for a user.
  private splitUser(text: string): [user: string | undefined, command: string] {
    const { context, userColumn } = this;
    const [word, next = ""] = text.split(/[ \t]+/, 2);
    if (userColumn !== undefined) {
      const remedy = /names the user/.test(userColumn)
        ? "make that user, correct the name, or --user-column no"
        : "--user-column no";
      if (!context.users.has(word))
        throw new Error(`${quote(word)} is not a user of this machine, but ${userColumn}: ${remedy}`);
      if (/^(?:[-|&;<>]|$)/.test(next)) throw new Error(`there is no command behind the user ${quote(word)}`);
      return [word, text.slice(word.length).trimStart()];
    }
    const isProgram = (one: string) => SHELL_WORD.test(one) || context.isCommand(one, this.env.PATH);
    const isBeforeProgram = /^(?:[$!(]|\w+=)|\//.test(next) || runnerOf(next) !== undefined || isProgram(next);
    if (this.mustLookForUsers && next !== "" && !isOtherWord(word) && !isProgram(word) && isBeforeProgram)
      throw new Error(`${quote(word)} is neither a command nor a user of this machine: --user-column says which it is`);
    return [context.owner, text];
  }

  // Keys are unique, or two jobs would share their past. Which of identical lines is the first does not matter.
  private newKey(title: string | undefined, hash: string, line: number): string {
    let copy = this.copies.get(hash) ?? 1;
    let key = title ?? hash;
    const { otherKeys } = this.context;
    while (title === undefined && (this.lines.has(key) || otherKeys.has(key))) key = `${hash}.${++copy}`;
    this.copies.set(hash, copy);
    if (otherKeys.has(key)) throw new Error(`a job in another file already has the name ${quote(key)}`);
    const other = this.lines.get(key);
    if (other !== undefined) throw new Error(`the job in line ${other} already has the name ${quote(key)}`);
    this.lines.set(key, line);
    return key;
  }

  private lineSchedule(text: string, settings: Settings): Schedule {
    const [first, value] = text.split(/[ \t]+/);
    const word = first.toLowerCase();
    if (word === "@start" || word === "@reboot") return new StartSchedule();
    const key = word === "@every" ? "every" : word === "@ticks" ? "ticks" : "cron";
    const given = key === "cron" ? { text, origin: "schedule" } : { text: value, origin: word };
    const parsed = this.parsed.get(text) ?? parseSetting(key, given);
    this.parsed.set(text, parsed);
    const { tz, catchUp, offset, crontab } = settings;
    return scheduleOf({ tz, catchUp, offset, crontab, [key]: parsed }, () => this.context.defaultZone());
  }
}

const SCHEDULE_WORDS = [...Object.keys(MACROS), "@every", "@ticks", "@start", "@reboot"];
const VARIABLE_LINE = /^(["']?)([A-Za-z_][\w.-]*)\1[ \t]*=[ \t]*((?:[^ \t].*)?)$/;
// Time fields and zones: no command looks like them; cron would take a sixth field for one.
const FIELD_OR_UTC = /[\d*?][\d*?,/-]*|(?:SUN|MON|TUE|WED|THU|FRI|SAT)(?:[-,#][\dA-Z,#-]+)?|UTC|GMT/;
const BEYOND_FIVE = new RegExp(`^(?:(?:${FIELD_OR_UTC.source}|${ZONE_AREAS.source.slice(1)}[A-Z]\\S*)(?:[ \\t]+|$))+`);

/** The text between the quotes; without quotes, the text. Values may be secrets: no message shows one. */
function withoutQuotes(name: string, value: string): string {
  if (STRAY_BYTE.test(value)) throw new Error(`the value of ${name} is not UTF-8, as variables and options must be`);
  const mark = value[0];
  if (mark !== '"' && mark !== "'") return value;
  if (value.length > 1 && value.indexOf(mark, 1) === value.length - 1) return value.slice(1, -1);
  throw new Error(`the value of ${name} has no closing ${mark} at its end`);
}

// Quotes the first word at most: a command may hold secrets.
function splitJobLine(line: string): [schedule: string, command: string] {
  const [first] = line.split(/[ \t]/, 1);
  const isWord = first.startsWith("@");
  if (isWord && !SCHEDULE_WORDS.includes(first.toLowerCase())) {
    const instead = suggestion(first.toLowerCase(), SCHEDULE_WORDS) || `: expected ${listed(SCHEDULE_WORDS, "or")}`;
    throw new Error(`${quote(first)} is not a schedule${instead}`);
  }
  const isWithValue = /^@(?:every|ticks)$/i.test(first);
  const count = isWithValue ? 2 : isWord ? 1 : 5;
  const [, schedule, command] = new RegExp(`^((?:[^ \\t]+[ \\t]+){${count}})([^ \\t].*)$`).exec(line) ?? [];
  if (command === undefined) {
    const example = isWithValue ? `${first} 5` : isWord ? first : "30 2 * * *";
    throw new Error(`expected a schedule and then a command, as in ${example} /path/to/command`);
  }
  const [unit] = (isWithValue && /^[smhdw](?=[ \t])/.exec(command)) || [];
  if (unit !== undefined) throw new Error(`there is a blank in the duration: write ${schedule.trim()}${unit}`);
  const [beyond] = (!isWord && BEYOND_FIVE.exec(command)) || [];
  if (beyond !== undefined) {
    checkExpression((schedule + beyond).trim().replace(/[ \t]+/g, " "));
    throw new Error("there is a sixth time field: a line has five, then the command; for seconds use @every 10s");
  }
  return [schedule.trim(), command];
}

// Cron's rule, by its do_command.c: a backslash before a % is taken off, any other one stays.
function splitPercent(text: string): { command: string; input?: string } {
  const [before] = /^(?:\\.|[^%])*/.exec(text)!;
  const command = before.replace(/\\%/g, "%");
  if (before === text) return { command };
  const input = text.slice(before.length + 1).replace(/\\?%/g, (mark) => (mark === "%" ? "\n" : "%"));
  return { command, input: input === "" || input.endsWith("\n") ? input : `${input}\n` };
}

// ═══ The outside world starts here ══════════════════════════════════════════

// Where one of these is treated otherwise than Node, a comment says why.
const isBun = process.versions.bun !== undefined;
const isDeno = process.versions.deno !== undefined;

// ── Log ─────────────────────────────────────────────────────────────────────
// Lines for people, on stderr: our own and, with --log prefix or json, what the commands write. Nothing here waits for
// a reader that has stopped, since that would cost ticks: our own lines are dropped and counted when too many are
// queued, and a command's pipe is not read until the queue is empty.
//
// Descriptor 2 and its O_NONBLOCK are shared with every job: if we set it, jobs would lose output. So we open a
// description of our own, which can be non-blocking without any effect on theirs. process.stderr is never touched,
// since Node would make the shared one non-blocking for good.
// To add a form: extend --log in OPTIONS, ownLine and outputFormat.

const MAX_QUEUED_LINES = 1000; // before lines of our own are lost
const LOG_RETRY_MS = 10;
const LOG_EAGER_SECONDS = 0.002;
const LOG_PATIENCE_SECONDS = 1;
const MAX_UNFINISHED_BYTES = 64 * 1024; // of a line of a command's

type Readable = import("stream").Readable;
type LogForm = Settings["log"];
/** What a line of ours is about, for --log json. */
type LogFacts = Readonly<Record<string, unknown>>;
/** Whose output it is. `hook`: "only-if", "on-failure", …; undefined: the job's command. */
type OutputSource = { readonly job: string; readonly run?: number; readonly hook?: string };
const STREAM_NAMES = ["stdout", "stderr"] as const;
type StreamName = (typeof STREAM_NAMES)[number];

interface Log {
  /** Logs one line; control characters in it are escaped. */
  line(text: string, facts?: () => LogFacts): void;
  /** The same of what went wrong. */
  error(text: string, facts?: () => LogFacts): void;
  /** The log of one job, with its name in every line. */
  ofJob(job: string): Log;
  readonly form: LogForm;
  outputOf(source: OutputSource): Output;
  /** Writes what is still queued, or gives up after a second. For the end of the process. */
  flush(): void;
}

function createLog(form: LogForm): Log {
  const queue = new LogQueue(form);
  const logOf = (job?: string): Log => ({
    line: (text, facts) => queue.sendLine(ownLine(form, "info", job, text, facts)),
    error: (text, facts) => queue.sendLine(ownLine(form, "error", job, text, facts)),
    ofJob: logOf,
    form,
    outputOf: (source) => new Output(form, source, queue, pipeProblem),
    flush: () => queue.flush(),
  });
  const log = logOf();
  const pipeProblem = createProblemReport(log);
  return log;
}

/** Whose output goes through pipes of ours? Else the command writes to descriptor 2 itself, which costs nothing. */
function needsPipe(form: LogForm, options: Partial<JobOptions> = {}, user?: User): boolean {
  if (form === "raw" && isBun) return false; // it can't read one
  const isOther = user !== undefined && user.uid !== process.geteuid!(); // who can't open it by its name
  return form !== "raw" || isOther || tellsOutput(options) || !hasStderrName();
}

function tellsOutput({ onFailure, onSuccess, ping }: Partial<JobOptions>): boolean {
  return [onFailure, onSuccess, ping].some(isPresent);
}

function outputDoubt(form: LogForm, options: Partial<JobOptions>): string | undefined {
  if (!isBun || form !== "raw" || !tellsOutput(options)) return undefined;
  return "on Bun, hooks and pings get the end of the output with --log prefix or json only; commands can't open /dev/stderr then";
}

/** Can /dev/stderr be opened? Not where it is a socket or, as with user= in the section, another user's pipe. */
const hasStderrName = once(() => {
  try {
    fs.closeSync(reopenStderr());
    return true;
  } catch (error) {
    return !["EACCES", "ENXIO"].includes(errorCode(error));
  }
});

function reopenStderr(): number {
  const { O_WRONLY, O_APPEND, O_NONBLOCK } = fs.constants;
  return fs.openSync("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK);
}

/** Logs a lasting problem once, and again when it changes or comes back. */
type ProblemReport = ReturnType<typeof createProblemReport>;

function createProblemReport(log: Log) {
  let reported: string | undefined;
  return {
    report(problem: string, text = problem): void {
      if (problem !== reported) log.error(text);
      reported = problem;
    },
    clear(): void {
      reported = undefined;
    },
  };
}

/** What is on its way to stderr, the oldest first. */
class LogQueue {
  private fd: number | undefined;
  private readonly queue: Buffer[] = [];
  private lost = 0; // lines of ours
  private readonly paused: Readable[] = []; // until nothing is queued
  private isWaiting = false; // to try again
  private writtenSeconds = 0; // when bytes last went out
  private isLineOpen = false; // what a command wrote last has no newline yet
  private mayWait = true; // false once a wait timed out

  constructor(private readonly form: LogForm) {}

  /**
   * Takes the bytes in any case. What they were read from, if anything, is paused until all is written; the bytes may
   * change then.
   */
  send(bytes: Buffer, stream?: Readable): void {
    this.fd ??= openStderr(); // not before READY, which goes out as early as it can
    this.isLineOpen = bytes[bytes.length - 1] !== NEWLINE;
    this.queue.push(bytes);
    this.drain();
    // The shared description meets EAGAIN only when a job has made it non-blocking. Then its reader is alive, and a
    // little patience loses nothing.
    if (this.fd === 2) this.flush();
    if (stream !== undefined && this.queue.length > 0) {
      this.queue.push(Buffer.from(this.queue.pop()!));
      this.paused.push(stream.pause());
    }
    this.drainLater();
  }

  /** A line of our own is lost when too many are queued. A command adds few to them: then its pipe is not read. */
  sendLine(line: string): void {
    if (this.queue.length < MAX_QUEUED_LINES) this.send(Buffer.from(this.isLineOpen ? `\n${line}` : line));
    else this.lost++;
  }

  /** Writes what is queued, or gives up after a second; the next time at once. */
  flush(): void {
    const end = monotonicSeconds() + LOG_PATIENCE_SECONDS;
    this.drain();
    while (this.queue.length > 0 && this.mayWait) {
      sleep(10);
      this.drain();
      if (monotonicSeconds() > end) this.mayWait = false;
    }
  }

  /** Writes until the pipe is full or the queue empty; then it reports what was lost. */
  private drain(): void {
    while (this.queue.length > 0) {
      const [first] = this.queue;
      const written = tryWrite(this.fd!, first);
      if (written === undefined) return;
      this.writtenSeconds = monotonicSeconds();
      if (written < first.length) this.queue[0] = first.slice(written);
      else this.queue.shift();
    }
    this.mayWait = true;
    if (this.lost === 0) return;
    const text = `the reader of this log was stopped; lines lost: ${this.lost}`;
    this.lost = 0;
    this.sendLine(ownLine(this.form, "error", undefined, text));
  }

  // A reader that has just read is about to read more; one that has stopped costs nothing.
  private drainLater(): void {
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
}

/** A description of our own, or the shared one: 2. */
function openStderr(): number {
  if (tryTo(() => fs.fstatSync(2).isFile())) return 2; // it never blocks, and jobs write at the offset that it shares
  return tryTo(reopenStderr) ?? 2; // not possible for a socket, for another user's pipe and without /proc
}

// Deno's writeSync goes on until all is written: when the pipe fills up halfway, it throws and does not say how much
// went out. Of so few bytes a pipe takes all or none.
const MAX_WRITE_BYTES = isDeno ? 4096 : Number.POSITIVE_INFINITY;

/** Bytes written; undefined: the pipe is full. A log that can never be read again swallows everything. */
function tryWrite(fd: number, bytes: Buffer): number | undefined {
  try {
    return fs.writeSync(fd, bytes, 0, Math.min(bytes.length, MAX_WRITE_BYTES));
  } catch (error) {
    return errorCode(error) === "EAGAIN" ? undefined : bytes.length;
  }
}

/** A line of our own, in a form of --log. */
function ownLine(
  form: LogForm,
  level: "info" | "error",
  job: string | undefined,
  text: string,
  facts: () => LogFacts = () => ({}),
): string {
  const time = form === "raw" ? "" : new Date().toISOString();
  if (form === "json") return `${jsonText({ time, level, source: "supertick", job, ...facts(), message: text })}\n`;
  const whose = job === undefined ? "" : `${job}: `;
  const line = escapeAll(`supertick: ${whose}${text}`);
  return form === "prefix" ? `${time} ${line}\n` : `${line}\n`;
}

/** Takes what one command writes: passes it on to the log, and keeps its end for whoever must know. */
class Output {
  private readonly end = new Tail();
  private readonly readers: OutputReader[] = [];

  constructor(
    private readonly form: LogForm,
    private readonly source: OutputSource,
    private readonly queue: LogQueue,
    private readonly pipeProblem: ProblemReport,
  ) {}

  /** None where none can be made. What shares one, keeps its order. */
  makePipes(): readonly Pipe[] {
    const pipes = tryMakePipes(this.form === "json" ? 2 : 1);
    if (pipes.length > 0 || isDeno) this.pipeProblem.clear();
    else this.pipeProblem.report("no pipe", `${NO_PIPE}: ${this.needsName ? NO_TAIL : NO_NAME}`);
    return pipes;
  }

  /** Without a pipe of ours, is descriptor 2 better than what Node makes, which has no name? */
  get needsName(): boolean {
    return this.form === "raw" && !isDeno;
  }

  /** Reads a stream of Node's, or a descriptor of ours; but nothing while the log is full. */
  read(from: Readable | number, name: StreamName): Readable {
    const take = (bytes: Buffer) => {
      this.end.add(bytes);
      copy.take(bytes);
    };
    const stream = typeof from === "number" ? openSocket(from, outputBuffer(), take) : from.on("data", take);
    const copy = copyOutput(outputFormat(this.form, this.source, name), (bytes) => this.queue.send(bytes, stream));
    stream.on("error", () => {}); // "close" follows
    // "end" comes before the end of the run is reported.
    for (const event of ["end", "close"]) stream.on(event, copy.finish);
    this.readers.push({ stream, fd: typeof from === "number" ? from : undefined, take, finish: copy.finish });
    return stream;
  }

  /** Takes what is in the pipes, and waits for no more; a line need not have an end then. While the log is full: later. */
  finish(): void {
    const buffer = outputBuffer();
    for (const { stream, fd, take, finish } of this.readers) {
      if (stream.isPaused()) continue;
      for (let left = MAX_LAST_READS; fd !== undefined && !stream.destroyed && left > 0; left--) {
        const length = tryTo(() => fs.readSync(fd, buffer, 0, buffer.length, null)) ?? 0;
        if (length === 0) break;
        take(buffer.slice(0, length));
      }
      finish();
    }
  }

  tail(limit: number): Buffer {
    return this.end.last(limit);
  }
}

const NO_PIPE = `no pipe can be made (${isBun ? "Bun can't read one" : "mkfifo in $TMPDIR, /tmp or /dev/shm"})`;
const NO_TAIL = "hooks and pings don't get the end of the output";
const NO_NAME = "commands write to sockets, which can't be opened as /dev/stdout and /dev/stderr";
const OUTPUT_BUFFER_BYTES = 64 * 1024;
const MAX_LAST_READS = 16; // a pipe holds 64 KiB, and 1 MiB if a command asked for that

interface OutputReader {
  readonly stream: Readable;
  /** Of the stream, where that is ours. */
  readonly fd: number | undefined;
  take(bytes: Buffer): void;
  finish(): void;
}

/** One for all commands: what is read into it is written or copied at once. */
const outputBuffer = once(() => Buffer.allocUnsafeSlow(OUTPUT_BUFFER_BYTES));

/** Formats what a command writes as far as it is ready; undefined: it is passed on as it is. */
function copyOutput(format: OutputFormat | undefined, send: (bytes: Buffer) => void) {
  if (format === undefined) return { take: send, finish() {} };
  let rest = Buffer.alloc(0);
  const sendStart = (length: number, isPartial: boolean) => {
    if (length > 0) send(format(rest.slice(0, length), isPartial));
    rest = rest.slice(length);
  };
  return {
    take(bytes: Buffer): void {
      rest = Buffer.concat([rest, bytes]);
      const length = readyLength(rest);
      sendStart(length, rest[length - 1] !== NEWLINE);
    },
    finish: () => sendStart(rest.length, false),
  };
}

/** The last bytes of what is written. */
export class Tail {
  private bytes: Buffer | undefined;
  private length = 0;

  add(more: Buffer): void {
    this.bytes ??= Buffer.allocUnsafeSlow(2 * KEPT_TAIL_BYTES);
    const added = more.slice(-KEPT_TAIL_BYTES);
    if (this.length + added.length > this.bytes.length) {
      this.bytes.copyWithin(0, this.length - KEPT_TAIL_BYTES, this.length);
      this.length = KEPT_TAIL_BYTES;
    }
    this.length += added.copy(this.bytes, this.length);
  }

  /** A copy: of so many bytes at most, whole lines, or whole characters where a line is longer. */
  last(limit: number): Buffer {
    const bytes = this.bytes?.slice(0, this.length) ?? Buffer.alloc(0);
    let start = Math.max(0, bytes.length - limit);
    if (start > 0) {
      const line = bytes.indexOf(NEWLINE, start - 1) + 1;
      if (line > 0 && line < bytes.length) start = line;
      else for (const end = start + 3; start < end && (bytes[start] & 0xc0) === 0x80; ) start++;
    }
    return Buffer.from(bytes.slice(start));
  }
}

/** What hooks and pings get; the journal keeps less, of a run that did not succeed. */
const MAX_TAIL_BYTES = 10 * 1024;
const JOURNAL_TAIL_BYTES = 2 * 1024;
const KEPT_TAIL_BYTES = MAX_TAIL_BYTES + 1; // one more shows whether a line begins there

const NEWLINE = 0x0a;

/**
 * How much of a command's output is logged now: whole lines or, where 64 KiB have no end of a line, whole characters.
 */
export function readyLength(bytes: Buffer): number {
  const lines = bytes.lastIndexOf(NEWLINE) + 1;
  if (lines > 0 || bytes.length < MAX_UNFINISHED_BYTES) return lines;
  const last = bytes.length - 1;
  for (let start = last; start > last - 4; start--) if ((bytes[start] & 0xc0) !== 0x80) return start;
  return last; // it is not UTF-8
}

/** `isPartial`: it is the beginning of a line that goes on. */
type OutputFormat = (bytes: Buffer, isPartial: boolean) => Buffer;

/**
 * How the log shows what a command has written; undefined: as it is. prefix keeps every byte, json has U+FFFD for what
 * is not UTF-8.
 */
function outputFormat(form: LogForm, { job, run, hook }: OutputSource, source: StreamName): OutputFormat | undefined {
  if (form === "raw") return undefined;
  const whose = quote(`${job}[${run ?? ""}]${hook === undefined ? "" : ` ${hook}`}`).slice(1, -1);
  return (bytes, isPartial) => {
    const time = new Date().toISOString();
    const lines = (encoding: BufferEncoding) => bytes.toString(encoding).replace(/\n$/, "").split("\n");
    if (form === "prefix") {
      const start = Buffer.from(`${time} ${whose}: `).toString("latin1"); // one character a byte, as the lines
      return Buffer.from(
        lines("latin1")
          .map((line) => `${start}${line}\n`)
          .join(""),
        "latin1",
      );
    }
    const partial = isPartial || undefined;
    const format = (message: string) => {
      if (partial || !isJsonObject(message)) return `${jsonText({ time, source, job, run, hook, message, partial })}\n`;
      // As it was written: to parse it and write it anew could change its numbers.
      return `${jsonText({ time, source, job, run, hook }).slice(0, -1)},"data":${escapeUnsafe(message.trim())}}\n`;
    };
    return Buffer.from(lines("utf8").map(format).join(""));
  };
}

function isJsonObject(line: string): boolean {
  return line.trimStart().startsWith("{") && tryTo(() => JSON.parse(line)) !== undefined;
}

// ── Processes ───────────────────────────────────────────────────────────────
// Which processes are alive, and the commands that supertick runs. Each leads a session and process group of its own,
// so that a signal reaches all that it has started, and no signal that is meant for supertick reaches it.
// To start something else: startProcess for a command; startShell for a hook or a question, which has a time limit.

/** A process that can be recognised later: another one may get its pid, but not its pid and its start time. */
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
  const found = tryReadProcess(pid);
  return found && { pid, start: found.start };
}

function isAlive({ pid, start }: ProcessIdentity): boolean {
  if (start === 0) return false;
  try {
    return parseStat(pid, fs.readFileSync(`/proc/${pid}/stat`, "latin1"))?.start === start;
  } catch (error) {
    return isShortage(error); // it can't be seen now: nothing may start beside it
  }
}

/** Is it for the want of descriptors or memory, and not of the file? */
function isShortage(error: unknown): boolean {
  return ["EMFILE", "ENFILE", "ENOMEM"].includes(errorCode(error));
}

/** undefined: there is no such process, or only its zombie. */
function tryReadProcess(pid: number) {
  return parseStat(pid, tryTo(() => fs.readFileSync(`/proc/${pid}/stat`, "latin1")) ?? "");
}

function parseStat(pid: number, stat: string) {
  // pid (any text) state parent group session …; the start time is the 20th of those behind the text.
  const [state, ...numbers] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (["", "Z", "X"].includes(state)) return undefined;
  const [parent, group, session, ...rest] = numbers.map(Number);
  return { pid, parent, group, session, start: rest[15] };
}

/** For how many seconds a process has been there, by our own start: /proc/uptime may be a container's. */
function ageOf({ start }: ProcessIdentity): number {
  const own = identify(process.pid)?.start ?? start;
  return Math.max(0, (own - start) / CLOCK_TICKS_A_SECOND + process.uptime());
}

const CLOCK_TICKS_A_SECOND = 100; // USER_HZ, the same on every Linux that Node runs on

/** The live leader of an attempt's session. Its pid need not be known: that may not have been written down. */
export function findRun(id: string, attempt: number): ProcessIdentity | undefined {
  const leader = processesOf(id, attempt).find(({ pid, session }) => session === pid);
  return leader && { pid: leader.pid, start: leader.start };
}

/** Is the leader gone, but something of its process group alive? Its pid alone may be another group's by now. */
export function hasGroup(leader: ProcessIdentity, id: string, attempt: number): boolean {
  return identify(leader.pid) === undefined && processesOf(id, attempt).some(({ group }) => group === leader.pid);
}

type RunningProcess = NonNullable<ReturnType<typeof tryReadProcess>>;

// By the id and the attempt of their run. One look at /proc serves what is asked within a second, for a former listener
// may have left many runs.
let processesByRun: Map<string, RunningProcess[]> | undefined;

/** The live processes of an attempt, known by their environment; hooks are not among them. */
function processesOf(id: string, attempt: number): readonly RunningProcess[] {
  if (processesByRun === undefined) {
    processesByRun = scanProcesses();
    startTimer(1, () => {
      processesByRun = undefined;
    });
  }
  return processesByRun.get(`${id} ${attempt}`) ?? [];
}

function scanProcesses(): Map<string, RunningProcess[]> {
  const found = new Map<string, RunningProcess[]>();
  for (const { pid, variable } of environments()) {
    const id = variable("SUPERTICK_ID");
    if (id === undefined || variable("SUPERTICK_HOOK") !== undefined) continue;
    const run = `${id} ${variable("SUPERTICK_ATTEMPT")}`;
    const process = tryReadProcess(pid);
    if (process !== undefined) found.set(run, [...(found.get(run) ?? []), process]);
  }
  return found;
}

/** What supervisord calls our siblings in a group of its: the other processes of a pool. */
function siblingsIn(group: string): string[] {
  const found: string[] = [];
  for (const { pid, variable } of environments()) {
    // Where supervisord has pid 1, what a dead listener started is its child too; supervisord itself may be a run's.
    const isOfRun = variable("SUPERTICK_ID") !== process.env.SUPERTICK_ID;
    if (variable("SUPERVISOR_GROUP_NAME") !== group || isOfRun) continue;
    if (tryReadProcess(pid)?.parent === process.ppid) found.push(variable("SUPERVISOR_PROCESS_NAME") ?? "");
  }
  return found;
}

/** Of each process whose environment may be read: its pid, and what a variable is there. */
function* environments() {
  for (const pid of namesIn("/proc").filter((name) => /^\d+$/.test(name))) {
    const environment = `\0${tryReadFile(`/proc/${pid}/environ`)}`;
    const variable = (name: string) => environment.split(`\0${name}=`, 2)[1]?.split("\0", 1)[0];
    if (environment.length > 1) yield { pid: Number(pid), variable };
  }
}

/** Those of /etc/passwd. */
function readUsers(): ReadonlyMap<string, User> {
  const users = new Map<string, User>();
  for (const line of tryReadFile("/etc/passwd").split("\n")) {
    const [, name, uid, gid, home, shell] = /^([^:]+):[^:]*:(\d+):(\d+):[^:]*:([^:]*):([^:]*)$/.exec(line) ?? [];
    if (name === undefined || users.has(name)) continue; // the first one counts, as for the C library
    users.set(name, { name, uid: Number(uid), gid: Number(gid), home, shell });
  }
  return users;
}

/** @throws UsageError: there is no such user, or we may not run anything as that user */
function userNamed(name: string, users = readUsers()): User {
  const user = users.get(name);
  if (user === undefined) throw new UsageError(`user ${quote(name)}: there is no such user on this machine`);
  if (user.uid === process.geteuid!()) return user;
  if (isBun && findSetpriv() === "")
    throw new UsageError(
      `user ${quote(name)}: on Bun that needs util-linux's setpriv (Alpine: apk add setpriv), or user= in a section of its own`,
    );
  if (canChangeUser()) return user;
  throw new UsageError(`user ${quote(name)}: supertick may not run anything as another user (CAP_SETUID, CAP_SETGID)`);
}

/** Being root is not enough: a container may have dropped it. */
function canChangeUser(): boolean {
  const [, capabilities] = /^CapEff:\s*\w*(\w\w)$/m.exec(tryReadFile("/proc/self/status")) ?? [];
  return capabilities === undefined ? process.geteuid!() === 0 : (Number.parseInt(capabilities, 16) & 0xc0) === 0xc0;
}

/** Does the user belong to more groups than the one of passwd? */
function hasMoreGroups({ name }: User): boolean {
  return new RegExp(`^[^:]*:[^:]*:[^:]*:(?:.*,)?${name.replace("$", "\\$")}(?:,|$)`, "m").test(
    tryReadFile("/etc/group"),
  );
}

/** Util-linux' setpriv, which gives a command all groups of its user; busybox' one can't. "" where there is none. */
const findSetpriv = once(() => {
  const { execFileSync } = require("child_process") as typeof import("child_process");
  const isRight = (file: string) =>
    tryTo(() => execFileSync(file, ["--help"], { stdio: ["ignore", "pipe", "ignore"] }).includes("--init-groups"));
  return inPath("setpriv").slice(0, 1).find(isRight) ?? "";
});

/**
 * How a command is started as that user. Node gives it the user's first group alone, and Bun takes no notice. As su and
 * sudo do, it leaves out the variables that would have the linker load what the user likes: setpriv begins as root.
 */
function asUser({ command, env, user }: ProcessPlan) {
  if (user === undefined || user.uid === process.geteuid!()) return { command, options: { env } };
  const safe = Object.entries(env).filter(([name]) => !/^(?:LD_|GLIBC_|MALLOC_|GCONV_PATH|LOCPATH|NLSPATH)/.test(name));
  const options = { env: Object.fromEntries(safe) };
  const program = isBun || hasMoreGroups(user) ? findSetpriv() : "";
  if (program === "") return { command, options: { ...options, uid: user.uid, gid: user.gid } };
  return {
    command: [program, `--reuid=${user.uid}`, `--regid=${user.gid}`, "--init-groups", "--", ...command],
    options,
  };
}

interface ProcessPlan {
  /** undefined: our own. */
  readonly user?: User;
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** For its stdin; undefined: nothing. */
  readonly input?: string | Buffer;
  /** undefined: it writes where our log goes, since stdout is supervisord's. */
  readonly output?: Output;
  /** The leader is gone, but its output is still being read. */
  onExit?(end: ProcessEnd): void;
  /** The leader is gone and its output is read, LAST_OUTPUT_SECONDS later at most; or it could not be started. */
  onEnd(end: ProcessEnd): void;
}

const identityOf = (pid: number | undefined): ProcessIdentity | undefined =>
  pid === undefined ? undefined : (identify(pid) ?? { pid, start: 0 });

/**
 * Starts a command as the leader of a session and process group of its own.
 * @returns undefined where it could not be started; `onEnd` says why, later
 */
function startProcess(plan: ProcessPlan): ProcessIdentity | undefined {
  const { spawn } = require("child_process") as typeof import("child_process");
  const { output } = plan;
  const { stdio, pipes, childEnds } = openStdio(plan);
  const fail = (error: unknown) => plan.onEnd({ ...UNSEEN, error: startError(plan.command[0], plan.env.PATH, error) });
  try {
    const { command, options } = asUser(plan);
    const child = spawn(command[0], command.slice(1), { ...options, stdio, detached: true });
    child.stdin?.on("error", () => {}); // a command need not read it
    child.stdin?.end(bytesOf(plan.input ?? ""));
    // Node's own pipes, or ours.
    const streams = STREAM_NAMES.flatMap((name, i) => {
      const from = child[name] ?? pipes[i]?.readEnd;
      return isPresent(from) ? [output!.read(from, name)] : [];
    });
    child.on("error", (error) => child.pid === undefined && fail(error));
    child.on("exit", (exit, signal) => whenRead(streams, plan, { exit, signal }));
    return identityOf(child.pid);
  } catch (error) {
    for (const { readEnd } of pipes) fs.closeSync(readEnd);
    setImmediate(fail, error);
    return undefined;
  } finally {
    for (const fd of childEnds) fs.closeSync(fd);
  }
}

/**
 * What a command gets as descriptors 0, 1 and 2. Of a pipe that is missing in `pipes`, Node makes one. `childEnds` must
 * be closed once the command has been started.
 */
function openStdio({ input, output, user }: ProcessPlan) {
  const stdin = input === undefined ? "ignore" : (tryStore(input) ?? "pipe");
  const pipes = output?.makePipes() ?? [];
  const ends: Array<number | "ignore" | "pipe"> = [stdin, ...pipes.map(({ writeEnd }) => writeEnd)];
  const childEnds = ends.filter((end): end is number => typeof end === "number");
  // Or that user could not open /dev/stdin and /dev/stdout.
  if (user !== undefined) for (const fd of childEnds) tryTo(() => fs.fchownSync(fd, user.uid, user.gid));
  const [, stdout = output === undefined || output.needsName ? 2 : "pipe", stderr = stdout] = ends;
  const stdio: typeof ends = [stdin, stdout, stderr];
  return { stdio, pipes, childEnds };
}

const LAST_OUTPUT_SECONDS = 1;

type EndPlan = Pick<ProcessPlan, "output" | "onExit" | "onEnd">;

// What a command left behind may hold its pipes open. The run does not wait for it longer than a second; what it writes
// is still read, for it would neither get SIGPIPE nor go on.
function whenRead(streams: readonly Readable[], plan: EndPlan, end: ProcessEnd): void {
  const open = new Set(streams.filter((stream) => !stream.destroyed));
  if (open.size === 0) return plan.onEnd(end);
  const cancel = startTimer(LAST_OUTPUT_SECONDS, () => {
    open.clear();
    plan.output?.finish();
    plan.onEnd(end);
  });
  for (const stream of open)
    stream.on("close", () => {
      if (!open.delete(stream) || open.size > 0) return;
      cancel();
      plan.onEnd(end);
    });
  plan.onExit?.(end);
}

/**
 * Node would give a command sockets, and a socket can't be opened anew by its name: `echo x >/dev/stderr` fails. Node
 * can't make pipes, but mkfifo(1) can, and once its name is gone a FIFO is a pipe in every respect.
 * @returns none where it can't be done, and sockets must do
 */
function tryMakePipes(count: 1 | 2): readonly Pipe[] {
  // Bun can't read from one; what Deno itself would make are pipes already.
  if (isBun || isDeno) return [];
  const { execFileSync } = require("child_process") as typeof import("child_process");
  const make = (files: readonly string[]) => {
    if (!hasDescriptors(SPAWN_DESCRIPTORS)) return undefined;
    execFileSync("mkfifo", ["-m", "600", ...files], { stdio: "ignore" });
    const pipes = files.map((file) => tryTo(() => openPipe(file))).filter(isPresent);
    if (pipes.length === count) return pipes;
    for (const { readEnd, writeEnd } of pipes) for (const fd of [readEnd, writeEnd]) fs.closeSync(fd);
    return undefined;
  };
  return tryInPrivateDirectory(["1", "2"].slice(0, count), make) ?? [];
}

const SPAWN_DESCRIPTORS = 16;

/** Are so many free? Where execFileSync meets their limit, Node never closes those that it has opened by then. */
function hasDescriptors(count: number): boolean {
  const free: number[] = [];
  while (free.length < count) {
    const fd = tryTo(() => fs.openSync("/dev/null", fs.constants.O_RDONLY));
    if (fd === undefined) break;
    free.push(fd);
  }
  for (const fd of free) fs.closeSync(fd);
  return free.length === count;
}

interface Pipe {
  readonly readEnd: number;
  readonly writeEnd: number;
}

// The command holds its end open for reading too: so it gets no SIGPIPE when we are killed, and waits, once the pipe is
// full, for the next listener to read on.
function openPipe(file: string): Pipe {
  const { O_RDONLY, O_RDWR, O_NONBLOCK } = fs.constants;
  const readEnd = fs.openSync(file, O_RDONLY | O_NONBLOCK);
  try {
    return { readEnd, writeEnd: fs.openSync(file, O_RDWR) };
  } catch (error) {
    fs.closeSync(readEnd);
    throw error;
  }
}

/** Reads on from the pipes that an earlier listener made for a process, known by their names. */
function readOn(pid: number, output: Output): void {
  if (isBun || isDeno) return;
  const { O_RDONLY, O_NONBLOCK } = fs.constants;
  const links = [1, 2].map((fd) => tryTo(() => fs.readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? "");
  STREAM_NAMES.forEach((name, i) => {
    if (!PIPE_NAME.test(links[i]) || links.indexOf(links[i]) < i) return; // they may share one
    const fd = tryTo(() => fs.openSync(`/proc/${pid}/fd/${i + 1}`, O_RDONLY | O_NONBLOCK));
    if (fd === undefined) return;
    if (fs.fstatSync(fd).isFIFO())
      output.read(fd, name); // the process may call what it likes so
    else fs.closeSync(fd);
  });
}

/** For a command's stdin: a file, so that nothing has to be fed and `cat /dev/stdin` works. */
function tryStore(input: string | Buffer): number | undefined {
  return tryInPrivateDirectory(["input"], ([file]) => {
    fs.writeFileSync(file, bytesOf(input), { mode: 0o600 });
    return fs.openSync(file, "r");
  });
}

/** What `open` opens in a directory of our own loses its name at once, so nothing is left behind. */
function tryInPrivateDirectory<T>(names: readonly string[], open: (files: readonly string[]) => T): T | undefined {
  // With a read-only root, a container mostly has /dev/shm. `open` is tried once: where child_process meets the limit
  // of descriptors, Node never closes some of its own.
  const parents = [process.env.TMPDIR || "/tmp", "/tmp", "/dev/shm"];
  let directory: string | undefined;
  for (const parent of parents) directory ??= tryTo(() => fs.mkdtempSync(`${parent}/${PRIVATE_PREFIX}`));
  if (!isSweepDone) setImmediate(() => new Set(parents).forEach(removeLeftovers));
  isSweepDone = true;
  if (directory === undefined) return undefined;
  const files = names.map((name) => `${directory}/${name}`);
  const opened = tryTo(() => open(files));
  for (const file of files) tryTo(() => fs.unlinkSync(file));
  tryTo(() => fs.rmdirSync(directory!));
  return opened;
}

const PRIVATE_PREFIX = "supertick-pipe-";
const PIPE_NAME = new RegExp(`/${PRIVATE_PREFIX}[^/]+/[12] \\(deleted\\)$`);
const LEFT_OVER_MS = 60_000;
let isSweepDone = false;

/** Such directories are in use for as long as mkfifo takes; one that is old was left by a listener that was killed. */
function removeLeftovers(parent: string): void {
  for (const name of namesIn(parent).filter((name) => name.startsWith(PRIVATE_PREFIX))) {
    const directory = `${parent}/${name}`;
    const stats = tryTo(() => fs.lstatSync(directory));
    const isOurs = stats?.isDirectory() && stats.uid === process.geteuid!();
    const names = namesIn(directory);
    if (!isOurs || Date.now() - stats!.mtimeMs < LEFT_OVER_MS || !names.every((name) => /^[12]$|^input$/.test(name)))
      continue;
    for (const name of names) tryTo(() => fs.unlinkSync(`${directory}/${name}`));
    tryTo(() => fs.rmdirSync(directory));
  }
}

interface ShellPlan extends Omit<ProcessPlan, "command" | "onExit" | "onEnd"> {
  /** It has ended, or `isLate`: its time is over. */
  onEnd(end: ProcessEnd, isLate: boolean): void;
  /** Nothing is left of it to be done: it has ended or was killed. */
  onGone(): void;
}

/**
 * Runs a shell command beside the jobs: a hook, a question. After `limitSeconds` its process group is killed.
 * @returns the function that kills it before that; `onEnd` is not called then
 */
function startShell(text: string, limitSeconds: number, plan: ShellPlan): () => void {
  let isOver = false;
  const finish = (isKilled: boolean, end?: ProcessEnd) => {
    if (isOver) return;
    isOver = true;
    cancelLimit();
    if (isKilled && leader !== undefined) signalGroup(leader.pid, "SIGKILL");
    if (end !== undefined) plan.onEnd(end, isKilled);
    plan.onGone();
  };
  const leader = startProcess({
    ...plan,
    command: ["/bin/sh", "-c", text],
    onExit: () => cancelLimit(), // it was in time, even if something holds its output open
    onEnd: (end) => finish(false, end),
  });
  const late: ProcessEnd = { ...UNSEEN, error: `no end after ${limitSeconds}s` };
  const cancelLimit = startTimer(limitSeconds, () => finish(true, late));
  return () => finish(true);
}

/** Why a command could not be started, in words. */
function startError(program: string, path: string | undefined, error: unknown): string {
  const reasons: Record<string, string> = {
    ENOENT: `${quote(program)} ${whyNotFound(program, path)}`,
    EACCES: `${quote(program)} is not executable`,
    EAGAIN: "too many processes or too little memory",
    EPERM: "supertick may not run it as that user",
    E2BIG: "its arguments and environment are too long",
  };
  const code = errorCode(error);
  return `${code}: ${reasons[code] ?? (error as Error).message}`;
}

/** The system says the same of a file that is there, but asks for an interpreter that is not. */
function whyNotFound(program: string, path = ""): string {
  const files = program.includes("/")
    ? [program]
    : path.split(":").map((directory) => `${directory || "."}/${program}`);
  const file = files.find(isExecutable);
  if (file === undefined) return `was not found${/^[^/]+\//.test(program) ? ` in ${process.cwd()}` : ""}`;
  const [, interpreter] = /^#![ \t]*([^ \t\n]*)/.exec(tryTo(() => readStart(file)) ?? "") ?? [];
  if (interpreter === undefined) return "is there, but its loader was not found: it may be built for another C library";
  if (interpreter.endsWith("\r")) return `has a carriage return behind #!${shown(interpreter.slice(0, -1))}`;
  return `begins with #!${shown(interpreter)}, which was not found`;
}

/** Sends a signal to a process group; 0 only asks. Is anything of the group left? */
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

function monotonicSeconds(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds + nanoseconds / 1e9;
}

/** Blocks everything. */
function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

// ── Pings ───────────────────────────────────────────────────────────────────
// Reports to a service that a run has begun and how it ended: POST URL/start, then URL or URL/fail with the end of the
// output, as healthchecks has it (https://healthchecks.io/docs/http_api/). Best effort: no run waits for it, and a lasting
// problem is logged once. The URL may hold a secret: only its host is ever logged.
// To speak to another kind of service: PingKind is what there is to report, pingRequest makes a request of it.

const PING_SECONDS = 10;

type PingKind = "start" | "success" | "fail";

interface Pinger {
  /** Never throws. The pings of one run, known by its UUID, go out in order. */
  ping(run: { readonly id: string }, what: PingKind, body: Buffer | undefined, onEnd: () => void): void;
}

function createPinger(url: string, log: Log, gate: Gate): Pinger {
  const problem = createProblemReport(log);
  const lastOfRun = new Map<string, Promise<void>>(); // run → its latest ping, while that is on its way
  const send = async (id: string, what: PingKind, body: Buffer | undefined, before: Promise<void> | undefined) => {
    await before;
    if (!(await gate.enter())) return;
    const error = await sendPing(pingRequest(url, what, id), body);
    gate.leave();
    if (error === undefined) problem.clear();
    else problem.report(`--ping: ${new URL(url).host}: ${error}`);
  };
  return {
    async ping({ id }, what, body, onEnd) {
      const sent = send(id, what, body, lastOfRun.get(id));
      lastOfRun.set(id, sent);
      await sent;
      if (lastOfRun.get(id) === sent) lastOfRun.delete(id);
      onEnd();
    },
  };
}

/** A ping's address and its credentials. @param rid a UUID that the service knows the run by */
export function pingRequest(base: string, what: PingKind, rid: string) {
  const url = new URL(base);
  // A header, since Node 12 would send them as they are encoded, and later ones refuse a % that is just a %.
  const decode = (part: string) => tryTo(() => decodeURIComponent(part)) ?? part;
  const credentials = `${decode(url.username)}:${decode(url.password)}`;
  const authorization = credentials === ":" ? undefined : `Basic ${Buffer.from(credentials).toString("base64")}`;
  url.username = "";
  url.password = "";
  if (what !== "success") url.pathname = `${url.pathname.replace(/\/$/, "")}/${what}`;
  url.searchParams.set("rid", rid);
  return { url: url.href, authorization };
}

/** What went wrong; undefined: the service has answered with a 2xx. Redirects are not followed. */
function sendPing(
  { url, authorization }: ReturnType<typeof pingRequest>,
  body: Buffer = Buffer.alloc(0),
): Promise<string | undefined> {
  const { request: open } = require(url.startsWith("https:") ? "https" : "http") as typeof import("http");
  const headers: Record<string, string> = {
    "user-agent": `supertick/${SUPERTICK_VERSION}`,
    "content-type": "text/plain",
    "content-length": String(body.length),
  };
  if (authorization !== undefined) headers.authorization = authorization;
  return new Promise((resolve) => {
    const end = (error?: string) => {
      cancel();
      resolve(error);
      request.destroy();
    };
    const cancel = startTimer(PING_SECONDS, () => end(`no answer after ${PING_SECONDS}s`));
    const request = open(url, { method: "POST", agent: false, headers }, ({ statusCode = 0 }) =>
      end(statusCode >= 200 && statusCode < 300 ? undefined : `HTTP status ${statusCode}`),
    );
    request.on("error", (error) => end(errorCode(error)));
    request.end(body);
  });
}

// ── Supervisord's pipes ─────────────────────────────────────────────────────
// Events come in through descriptor 0, answers go out through descriptor 1. process.stdin and process.stdout are not
// touched: they load more code, and make pipes non-blocking that others share.

interface Input {
  /** Reads no more; what comes stays in the pipe. */
  pause(): void;
  bytesRead(): number;
}

const READ_BUFFER_BYTES = 4096;

/** @param onBytes gets latin1, one character a byte @param onEnd is called once, at the end of the input or an error */
function openInput(onBytes: (bytes: string) => void, onEnd: () => void): Input {
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
    bytesRead: () => bytesRead,
  };
}

function openInputStream(onRead: (bytes: Buffer) => void): NodeJS.ReadableStream {
  const stats = fs.fstatSync(0);
  if (isBun || !(stats.isFIFO() || stats.isSocket())) return process.stdin.on("data", onRead);
  return openSocket(0, Buffer.allocUnsafeSlow(READ_BUFFER_BYTES), onRead);
}

// A socket on the descriptor waits without a thread, so signals are acted on; fs would block a thread to read a pipe.
// With `onread` every read lands in the same buffer.
function openSocket(fd: number, buffer: Buffer, onRead: (bytes: Buffer) => void): Readable {
  const { Socket } = require("net") as typeof import("net");
  const callback = (length: number) => {
    onRead(buffer.slice(0, length));
    return true;
  };
  // `onread` belongs to the constructor's options too, but not to its type.
  const options = { fd, readable: true, writable: false, onread: { buffer, callback } };
  return new Socket(options as import("net").SocketConstructorOpts);
}

/** Writes all of it, in several writes if need be. @throws EPIPE when nobody reads it any more */
function writeFully(fd: number, text: string | Buffer): void {
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  for (let done = 0; done < bytes.length; ) {
    try {
      done += fs.writeSync(fd, bytes, done);
    } catch (error) {
      // Another process that shares the pipe has made it non-blocking.
      if (errorCode(error) !== "EAGAIN") throw error;
      sleep(1);
    }
  }
}

// ── Files ───────────────────────────────────────────────────────────────────
// Another user may have made what stands under the name of a file of ours. So only regular files are opened, and in a
// directory where everybody may make names, none of another user. What is only read is opened read-only.
// What throws, throws an error whose code says why; what has a result for a file that can't be had, does not.

/**
 * In a directory like /tmp anyone may have made the name before us: as a link to a file of ours, or with a run in it
 * that we would kill. So, as the kernel's protected_symlinks does, what belongs neither to us nor to the directory's
 * owner is refused. Elsewhere the owner may be anyone, as on a container's volume.
 * @throws with a code that says so
 */
function refuseForeign(path: string): void {
  const directory = fs.statSync(directoryOf(path));
  const isShared = (directory.mode & 0o1002) === 0o1002;
  const owner = isShared ? tryTo(() => fs.lstatSync(path).uid) : undefined;
  if (owner === undefined || owner === process.geteuid!() || owner === directory.uid) return;
  throw codedError("it belongs to another user");
}

function directoryOf(path: string): string {
  return path.replace(/[^/]*$/, "") || ".";
}

/** Opens a regular file, of ours if it must be made. @throws with a code of the system's or of ours */
function openRegular(path: string, access = fs.constants.O_RDONLY): number {
  refuseForeign(path);
  const fd = fs.openSync(path, access | fs.constants.O_NONBLOCK, 0o600); // a FIFO in its place must not hang us
  if (fs.fstatSync(fd).isFile()) return fd;
  fs.closeSync(fd);
  throw codedError("not a regular file");
}

/** @throws as openRegular does */
function readWith<T>(path: string, read: (fd: number) => T): T {
  const fd = openRegular(path);
  try {
    return read(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Its first 4 KiB: no counter file is longer. @throws as openRegular does */
function readStart(path: string): string {
  const bytes = Buffer.alloc(4096);
  return readWith(path, (fd) => bytes.toString("utf8", 0, fs.readSync(fd, bytes, 0, bytes.length, 0)));
}

/** All of it; "" where it cannot be read. */
function tryReadFile(path: string): string {
  return tryTo(() => readWith(path, (fd) => fs.readFileSync(fd, "utf8"))) ?? "";
}

function isExecutable(file: string): boolean {
  return tryTo(() => fs.accessSync(file, fs.constants.X_OK) ?? true) ?? false;
}

const MOST_PLACES = 50; // of a PATH

/** The programs of that name, in the order of PATH. */
function inPath(name: string, path?: string): string[] {
  return placesOf(name, path).filter(isProgram);
}

function placesOf(name: string, path = process.env.PATH ?? ""): string[] {
  return path.split(":", MOST_PLACES).flatMap((folder) => (folder === "" ? [] : [`${folder}/${name}`]));
}

function isProgram(file: string): boolean {
  return fs.existsSync(file) && isExecutable(file) && fs.statSync(file).isFile(); // what throws is slow
}

function isLink(path: string): boolean {
  return tryTo(() => fs.lstatSync(path).isSymbolicLink()) ?? false;
}

/** The sorted names in a directory; none where it cannot be read. */
function namesIn(directory: string): string[] {
  return tryTo(() => fs.readdirSync(directory).sort()) ?? [];
}

/** A new name is on the disk only when its directory is, but not every file system can do that. */
function syncDirectory(file: string): void {
  const fd = tryTo(() => fs.openSync(directoryOf(file), fs.constants.O_RDONLY));
  if (fd === undefined) return;
  tryTo(() => fs.fsyncSync(fd));
  fs.closeSync(fd);
}

/** What the action returns, or undefined where it throws. */
function tryTo<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}

/** The function that makes it when it is first called, and returns the same from then on. */
function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

function isPresent<T>(value: T | undefined | null): value is T {
  return value !== undefined && value !== null;
}

/** An error of ours that is logged as those of the system are. */
function codedError(code: string, words = ""): Error {
  return Object.assign(new Error(`${code}: ${words}`), { code });
}

function errorCode(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

/** "no such file or directory (ENOENT)", in the system's own words. */
function describeError(error: unknown): string {
  const [, words] = /^E\w+: ([^,]+)/.exec((error as Error).message) ?? [];
  return words === undefined ? errorCode(error) : `${words} (${errorCode(error)})`;
}

// ── Counter file ────────────────────────────────────────────────────────────
// 512 bytes, overwritten by one write at each tick: killed at any instruction, the old or the new content is there.
// Line 1 is the count alone, as the script that supertick replaces wrote it. Line 2 is the last tick, the serials of
// the events that were counted, the last number in our pool, and who counts; blanks fill the rest:
//
//   3
//   when=1700000040 serial=21 period=60 supervisor=1:310 listener=77:412 machine=1a2b3c4d:4026531836 pool=9 serials=l.1.2
//
// Its content is taken over at start only. Before anything is written, here or to the journal, the file is looked at: if
// another listener has put its name there, as one in another container with the same volume, both files are its. A file
// that cannot be written costs a warning, not the count: that goes on in memory. What is due is no matter of this file:
// see Facts.
// To keep something more: CounterContent, formatCounter and parseCounter, which passes over what it does not know.

const COUNTER_FILE_BYTES = 512;

/** What the counter file says. The replaced script left the count only. */
export interface CounterContent {
  readonly count: number;
  /** How many of them are from ticks that could not run anything: late ones, or of a clock set back. */
  readonly undecided?: number;
  /** Without a serial: another supervisord sent it than the one that is named here. */
  readonly tick?: { readonly whenSeconds: number; readonly serial?: number };
  /** Seconds between two ticks. */
  readonly periodSeconds?: number;
  readonly serials: SerialSet;
  /** The highest poolserial that came. */
  readonly poolSerial?: number;
  /** How many crontab files have a mistake. */
  readonly refused?: number;
  readonly supervisor?: ProcessIdentity;
  readonly listener?: ProcessIdentity;
  /** Where those two processes are: see machineId. */
  readonly machine?: string;
  /** Only of version 0.1: up to here all was decided, for fixed cron jobs and for others. Epoch seconds. */
  readonly decided01?: { readonly all: number; readonly fixed: number };
}

/** The text of the file, without the spaces and the newline at its end. */
export function formatCounter(content: CounterContent): string {
  const { count, undecided = 0, tick, periodSeconds = 0, poolSerial, supervisor, listener, machine } = content;
  const { refused = 0 } = content;
  // toFixed, since V8 caches the texts of plain conversions, and the young generation grows by them.
  const fields = [
    tick && `when=${tick.whenSeconds.toFixed()}`,
    tick?.serial !== undefined && `serial=${tick.serial.toFixed()}`,
    periodSeconds > 0 && `period=${periodSeconds}`,
    undecided > 0 && `undecided=${undecided}`,
    refused > 0 && `refused=${refused}`,
    supervisor && `supervisor=${formatIdentity(supervisor)}`,
    listener && `listener=${formatIdentity(listener)}`,
    machine && `machine=${machine}`,
    poolSerial !== undefined && `pool=${poolSerial.toFixed()}`,
    `serials=${content.serials.format()}`,
  ];
  return `${count.toFixed()}\n${fields.filter(Boolean).join(" ")}`;
}

/**
 * Reads what formatCounter, version 0.1 or the replaced script wrote; anything else is refused.
 * @throws Expectation
 */
export function parseCounter(text: string): CounterContent {
  const [first, second = ""] = text.split("\n");
  if (!/^(0|[1-9]\d{0,14})\r?$/.test(first.trim())) throw new Expectation(`a count, got ${quote(text)}`);
  const words = second.trim().split(" ");
  const fields = new Map(words.map((field) => field.split("=") as [string, string]));
  const number = (key: string) => (/^\d{1,16}$/.test(fields.get(key) ?? "") ? Number(fields.get(key)) : undefined);
  const identity = (key: string) => {
    const match = /^(\d{1,10}):(\d{1,16})$/.exec(fields.get(key) ?? "");
    return match === null ? undefined : { pid: Number(match[1]), start: Number(match[2]) };
  };
  const [whenSeconds, serial, all] = ["when", "serial", "decided"].map(number);
  return {
    count: Number(first.trim()),
    undecided: number("undecided"),
    refused: number("refused"),
    poolSerial: number("pool"),
    tick: whenSeconds === undefined ? undefined : { whenSeconds, serial },
    periodSeconds: Object.values(TICK_PERIODS).find((period) => period === number("period")),
    serials: SerialSet.parse(fields.get("serials") ?? (serial === undefined ? "" : `${serial.toString(36)}-`)),
    supervisor: identity("supervisor"),
    listener: identity("listener"),
    machine: fields.get("machine"),
    decided01: all === undefined ? undefined : { all, fixed: number("fixed") ?? all },
  };
}

const NO_COUNTER: CounterContent = { count: 0, serials: new SerialSet() };

class CounterFile {
  /** As it was found; a count of 0 where there was none, or a bad one. */
  readonly found: CounterContent;
  private readonly bytes = Buffer.alloc(COUNTER_FILE_BYTES); // as last written
  private readonly seen = Buffer.alloc(COUNTER_FILE_BYTES);
  private readonly problem = createProblemReport(this.log);
  private fd: number | undefined;
  private opened: fs.Stats | undefined;
  private readonly isLinked = this.path !== undefined && isLink(this.path); // one that comes later is not followed

  /** @param path undefined: the count lives in memory only */
  constructor(
    private path: string | undefined,
    private readonly log: Log,
  ) {
    this.found = path === undefined ? NO_COUNTER : this.find(path);
  }

  // What can't be a counter file is set aside, not overwritten: a wrong --state must not cost a file.
  private find(path: string): CounterContent {
    let problem: string;
    try {
      const text = readStart(path);
      if (text !== "") return parseCounter(text);
      this.log.line(`${path} is empty; counting from 0`);
      return NO_COUNTER;
    } catch (error) {
      problem = error instanceof Expectation ? `expected ${error.message}` : errorCode(error);
    }
    if (problem === "ENOENT") return NO_COUNTER;
    // What cannot be read may be fine: there were no descriptors left, or it was root's before an upgrade.
    const isUnread = problem.startsWith("E");
    const isAside = !isUnread && setAside(path);
    const what = isAside ? `kept as ${path}.bad, counting from 0` : "leaving it as it is, and counting in memory only";
    const remedy = ["EACCES", "EPERM"].includes(problem)
      ? `: chown it to uid ${process.geteuid!()}, with mode 600`
      : "";
    this.log.error(`${path}: ${isUnread ? `it cannot be read (${problem})${remedy}` : problem}; ${what}`);
    if (!isAside) this.path = undefined;
    return NO_COUNTER;
  }

  get isInMemory(): boolean {
    return this.path === undefined;
  }

  /** The listener that has put its name into the file since we looked last. Nothing is written any more then. */
  findTaker(): Rival | undefined {
    if (this.path === undefined) return undefined;
    const text = tryTo(() => this.look(this.path!));
    const content = text === undefined ? undefined : tryTo(() => parseCounter(text));
    if (content === undefined || markOf(content) === markOf(this.found)) return undefined;
    const taker = rivalOf(content, true);
    const isBackup = taker?.isElsewhere && content.periodSeconds !== undefined && !isRecent(content, this.path);
    if (taker === undefined || isBackup) return undefined;
    this.path = undefined;
    return taker;
  }

  /** Who counted there when it was found, if that listener may be at work. */
  get foundRival(): Rival | undefined {
    return isRecent(this.found, this.path!) ? rivalOf(this.found) : undefined;
  }

  /** What stands in the file; undefined: what we wrote, or nothing. It is opened again if it is another one by now. */
  private look(path: string): string | undefined {
    const { isLinked } = this;
    const now = tryTo(() => (isLinked ? fs.statSync(path) : fs.lstatSync(path)));
    if (this.fd === undefined || now?.ino !== this.opened!.ino || now.dev !== this.opened!.dev) {
      if (this.fd !== undefined) fs.closeSync(this.fd);
      const access = fs.constants.O_RDWR | (isLinked ? 0 : fs.constants.O_NOFOLLOW);
      this.fd = tryTo(() => openRegular(path, access));
      this.opened = this.fd === undefined ? undefined : fs.fstatSync(this.fd);
    } else this.opened = now; // of another size, if something else has written it
    if (this.fd === undefined) return tryTo(() => readStart(path));
    const length = fs.readSync(this.fd, this.seen, 0, COUNTER_FILE_BYTES, 0);
    return this.seen.equals(this.bytes) ? undefined : this.seen.toString("latin1", 0, length);
  }

  /** After a look. Never throws: what cannot be written is logged once, and tried again at the next tick. */
  write(content: CounterContent): void {
    if (this.path === undefined) return;
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

  // The first write may have to make the file, and so may one after it was deleted or moved away. A file of the replaced
  // script may have been longer.
  private overwrite(path: string): void {
    this.fd ??= createCounterFile(path, this.isLinked, this.bytes);
    this.opened ??= fs.fstatSync(this.fd);
    if (fs.writeSync(this.fd, this.bytes, 0, COUNTER_FILE_BYTES, 0) < COUNTER_FILE_BYTES)
      throw codedError("ENOSPC", "no space left on device");
    if (this.opened.size > COUNTER_FILE_BYTES) fs.ftruncateSync(this.fd, COUNTER_FILE_BYTES);
  }
}

/** Another listener whose name stands in the counter file. */
interface Rival extends ProcessIdentity {
  /** In another container, or on another machine: it may be alive. */
  readonly isElsewhere: boolean;
  /** Its supervisord is dead. */
  readonly isEnding: boolean;
}

const MARK_PERIODS = 3; // a listener that has not written for so long is gone
const MIN_MARK_SECONDS = 180;

/** Has a listener written it lately, by the time of its last tick too? A backup may be restored at any time. */
function isRecent({ tick, periodSeconds = 0 }: CounterContent, path: string): boolean {
  const now = Date.now() / 1000;
  const changed = (tryTo(() => fs.statSync(path).mtimeMs) ?? 0) / 1000;
  const age = Math.max(Math.abs(now - changed), now - (tick?.whenSeconds ?? now));
  return age <= Math.max(MIN_MARK_SECONDS, MARK_PERIODS * periodSeconds);
}

/** undefined: none, or it is dead, or we are it. @param isNew it was written while we run, without /proc as well */
function rivalOf({ listener, supervisor, machine = machineId() }: CounterContent, isNew = false): Rival | undefined {
  const isElsewhere = machine !== machineId();
  if (listener === undefined) return undefined;
  const isGone = !(isNew && listener.start === 0) && !isAlive(listener);
  if (!isElsewhere && (listener.pid === process.pid || isGone)) return undefined;
  return { ...listener, isElsewhere, isEnding: !isElsewhere && supervisor !== undefined && !isAlive(supervisor) };
}

/** Who counts. */
function markOf({ listener, machine }: CounterContent): string {
  return listener === undefined ? "" : `${formatIdentity(listener)} ${machine}`;
}

function inUseBy(path: string, rival: Rival): string {
  return `${path} is in use by ${rivalName(rival)}: each needs a --name or --state of its own`;
}

function rivalName({ pid, isElsewhere }: Rival): string {
  return isElsewhere ? `a listener in another container or machine (pid ${pid} there)` : `the listener with pid ${pid}`;
}

// Renamed where that is possible; a bind-mounted file is copied and emptied. A directory with something in it stays,
// and so does what is not a file: --state /dev/null must not cost the machine its /dev/null. What has the name already
// gives way, but for another user's; nothing is written through it.
function setAside(path: string): boolean {
  const bad = `${path}.bad`;
  const stats = tryTo(() => {
    for (const name of [path, bad]) refuseForeign(name);
    return fs.statSync(path);
  });
  const isFile = stats?.isFile() ?? false;
  if (!isFile && !(stats?.isDirectory() && namesIn(path).length === 0)) return false;
  if (tryTo(() => fs.renameSync(path, bad) ?? true)) return true;
  if (!isFile || stats!.size > MOST_READ_BYTES) return false;
  tryTo(() => fs.unlinkSync(bad));
  const copy = () =>
    fs.writeFileSync(
      bad,
      readWith(path, (fd) => fs.readFileSync(fd)),
      { flag: "wx", mode: 0o600 },
    );
  return tryTo(() => copy() ?? fs.truncateSync(path) ?? true) === true;
}

/**
 * Makes the file whole under another name and renames it; where that is refused, it is written in place.
 * @param isLinked the name is a link of the user's own, which renaming would replace
 */
function createCounterFile(path: string, isLinked: boolean, bytes: Buffer): number {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
  const draft = `${path}.${process.pid}.new`;
  refuseForeign(path);
  const fd = isLinked ? undefined : tryTo(() => fs.openSync(draft, O_RDWR | O_CREAT | O_EXCL, 0o600));
  try {
    fs.writeSync(fd!, bytes, 0, bytes.length, 0);
    fs.fsyncSync(fd!);
    fs.renameSync(draft, path);
    syncDirectory(path);
    return fd!;
  } catch {
    if (fd !== undefined) {
      fs.closeSync(fd);
      fs.unlinkSync(draft);
    }
    const isThere = tryTo(() => fs.lstatSync(path)) !== undefined;
    return fs.openSync(path, O_RDWR | (isLinked ? O_CREAT : isThere ? O_NOFOLLOW : O_CREAT | O_EXCL), 0o600);
  }
}

/** What the files beside a counter file are called; no job's own counter file is called so. */
const FURTHER_FILES = /\.(runs|runs\.1|bad|new|req)$/;

const STATE_DIRECTORY = "/var/lib/supertick";

/**
 * Where the files are when --state says nothing: STATE_DIRECTORY if that is writable, else a directory of our own
 * below $TMPDIR or /tmp. That one must really be ours alone, for anybody may make names in /tmp.
 * @throws Error with the reason why there is no safe place
 */
function defaultStatePath(name: string, log: Log): string {
  const file = encodeURIComponent(name).replace(/^\./, "%2E").slice(0, 200).replace(FURTHER_FILES, "%2E$1");
  const uid = process.getuid!();
  const problem = whyUnusable(STATE_DIRECTORY);
  if (problem === undefined) return `${STATE_DIRECTORY}/${file}`;
  const directory = `${process.env.TMPDIR || "/tmp"}/supertick-${uid}`;
  try {
    fs.mkdirSync(directory, 0o700);
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw new Error(`cannot make ${directory}: ${describeError(error)}`);
  }
  if (isPrivateTo(uid, directory)) {
    log.line(`${whyNotStandard(STATE_DIRECTORY, problem)}; using ${directory}, which may not outlive a restart`);
    return `${directory}/${file}`;
  }
  throw new Error(`${directory} is not a directory that belongs to user ${uid} alone`);
}

function whyNotStandard(directory: string, problem: string): string {
  if (problem === "ENOENT") return `there is no ${directory}`;
  if (problem !== "EACCES") return `${directory}: it cannot be written (${problem})`;
  const name = [...readUsers().values()].find(({ uid }) => uid === process.geteuid!())?.name;
  return `${directory} is not writable by ${name ?? `uid ${process.getuid!()}`}`;
}

/** Why no file can be made in a directory, or with R_OK be found: the error's code; undefined where one can. */
function whyUnusable(directory: string, mode = fs.constants.W_OK): string | undefined {
  try {
    fs.accessSync(directory, mode | fs.constants.X_OK);
    // Deno looks at the permissions alone, which say nothing about a disk that is read-only.
    if (isDeno && mode === fs.constants.W_OK) fs.rmdirSync(fs.mkdtempSync(`${directory}/.writable-`));
    return undefined;
  } catch (error) {
    return errorCode(error);
  }
}

/** Is it a real directory that belongs to that user alone? */
function isPrivateTo(user: number, directory: string): boolean {
  const stats = tryTo(() => fs.lstatSync(directory));
  return stats?.isDirectory() === true && stats.uid === user && (stats.mode & 0o077) === 0;
}

/** Where pids and start times mean the same: this boot of this machine, and this pid namespace. */
const machineId = once(() => {
  const boot = tryReadFile("/proc/sys/kernel/random/boot_id").slice(0, 8);
  const namespace = tryTo(() => fs.readlinkSync("/proc/self/ns/pid").replace(/\D/g, "")) ?? "";
  return `${boot}:${namespace}`;
});

// ── Run journal ─────────────────────────────────────────────────────────────
// FILE.runs: the facts of all jobs, one JSON object a line, appended. `starting` is on the disk before the process
// exists, so that after a crash, even a power cut, no run is started a second time unknowingly.
// Over 256 KiB the file becomes FILE.runs.1, and the new one begins with the states as they are; both are read. So does
// a file that was moved away or deleted. A line that is torn or damaged is passed over.

const MAX_JOURNAL_BYTES = 256 * 1024;
const MOST_READ_BYTES = 16 * 1024 * 1024; // a journal of ten thousand jobs stays below it
const MAX_UNWRITTEN_LINES = 1000;
const LINES_A_WRITE = 50; // so that the text of a thousand jobs is never in memory as a whole

/** What is written down of which job. */
type KeyedFact = readonly [key: string, fact: Fact];

/** Both files, the older one first; one that is too large is passed over. */
function readJournalFiles(path: string): string {
  const read = (fd: number) => (fs.fstatSync(fd).size > MOST_READ_BYTES ? "" : fs.readFileSync(fd, "utf8"));
  return [`${path}.1`, path].map((file) => tryTo(() => readWith(file, read)) ?? "").join("\n");
}

function isTooLarge(file: string): boolean {
  return tryTo(() => readWith(file, (fd) => fs.fstatSync(fd).size > MOST_READ_BYTES)) === true;
}

/** Splitting would make an array of all. */
function* linesOf(text: string): Iterable<string> {
  for (let at = 0, end = 0; end >= 0; at = end + 1) {
    end = text.indexOf("\n", at);
    yield text.slice(at, end < 0 ? text.length : end);
  }
}

// The file stays open, and each write looks whether the name still means the same one.
class Journal {
  /** By the keys of the jobs. */
  readonly found: ReadonlyMap<string, JobState>;
  private readonly problem = createProblemReport(this.log);
  private fd: number | undefined;
  private opened: fs.Stats | undefined;
  private size = 0;
  private sizeLimit = MAX_JOURNAL_BYTES;
  private isTorn: boolean; // its last line has no end
  // Written when it can be: without its end, a run that is over would be taken for one that was interrupted.
  private unwritten: readonly string[] = [];
  private mustSync = false;
  private isBehind = false; // it lacks what was not written, or another file was put in its place

  /** @param path undefined: nothing is recorded @param states as they are, what is being appended included */
  constructor(
    private path: string | undefined,
    private readonly log: Log,
    private readonly states: () => Iterable<readonly [key: string, state: JobState]>,
  ) {
    for (const file of path === undefined ? [] : [`${path}.1`, path]) this.passOverLarge(file);
    const text = path === undefined ? "\n" : readJournalFiles(path);
    this.isTorn = !text.endsWith("\n");
    this.found = readJournal(linesOf(text));
  }

  private passOverLarge(file: string): void {
    if (!isTooLarge(file)) return;
    const isAside = setAside(file);
    const end = isAside ? `kept as ${file}.bad` : "left where it is, and no run is recorded: move it away";
    this.log.line(`${file} has over 16 MiB, as no journal has: not read, ${end}`);
    if (!isAside) this.path = undefined;
  }

  /**
   * In one write; a `starting`, or a pause, is synced to the disk. Never throws: what can't be written goes before the
   * next facts.
   */
  append(facts: readonly KeyedFact[]): void {
    if (facts.length === 0) return;
    this.unwritten = [...this.unwritten, ...facts.map(journalLine)];
    this.mustSync ||= facts.some(([, { type }]) => /^(starting|paused|resumed)$/.test(type));
    this.flush();
  }

  /** Says that another listener has the file now; nothing is written any more. */
  yield(supervisor: string): void {
    const { path } = this;
    const line = journalLine([LISTENER, { type: "yielded", supervisor, at: Date.now() / 1000 }]);
    tryTo(() => this.open(path!) ?? this.write([line]));
    this.path = undefined;
  }

  get isBehindFacts(): boolean {
    return this.path !== undefined && (this.unwritten.length > 0 || this.mustSync || this.isBehind);
  }

  /** Writes what could not be written before. */
  flush(): void {
    if (this.path === undefined || !this.isBehindFacts) return;
    try {
      this.open(this.path);
      if (this.size > 0) this.write(this.unwritten);
      this.unwritten = [];
      if (this.size === 0 || this.size > this.sizeLimit || this.isBehind) this.begin(this.path);
      this.isBehind = false;
      if (this.mustSync) fs.fdatasyncSync(this.fd!);
      this.mustSync = false;
      this.problem.clear();
    } catch (error) {
      if (this.unwritten.length > MAX_UNWRITTEN_LINES) {
        this.unwritten = []; // the states know it all
        this.isBehind = true;
      }
      this.problem.report(`cannot write ${this.path}: ${describeError(error)}; runs are not recorded until it can`);
    }
  }

  private open(path: string): void {
    const stats = tryTo(() => fs.statSync(path));
    if (this.fd === undefined || stats?.ino !== this.opened!.ino || stats.dev !== this.opened!.dev) this.reopen(path);
    else this.size = stats.size; // it may have been emptied
  }

  private reopen(path: string): void {
    if (this.fd !== undefined) fs.closeSync(this.fd);
    this.isBehind ||= this.fd !== undefined;
    this.fd = undefined;
    const { O_WRONLY, O_CREAT, O_EXCL, O_APPEND, O_NOFOLLOW } = fs.constants;
    const isThere = tryTo(() => fs.lstatSync(path)) !== undefined;
    const access = O_WRONLY | O_APPEND | O_NOFOLLOW;
    this.fd = openRegular(path, isThere ? access : access | O_CREAT | O_EXCL);
    this.opened = fs.fstatSync(this.fd);
    this.size = this.opened.size;
  }

  private setAside(path: string): void {
    if (tryTo(() => fs.renameSync(path, `${path}.1`) ?? true)) return this.reopen(path);
    fs.ftruncateSync(this.fd!); // renaming is refused, as for a bind-mounted file
    this.size = 0;
  }

  // The states say what was to be appended too; but what ends a run must stand in the old file, for both are read.
  private begin(path: string): void {
    if (this.size > 0) {
      this.setAside(path);
      this.mustSync = true; // it must be whole before the older file goes
    }
    this.isTorn = false;
    const at = Date.now() / 1000;
    const lines: string[] = [];
    for (const [key, state] of this.states()) {
      for (const fact of factsOf(state, at)) lines.push(journalLine([key, fact]));
      if (lines.length >= LINES_A_WRITE) this.write(lines.splice(0));
    }
    this.write(lines);
    // Many jobs, many open runs.
    this.sizeLimit = Math.max(MAX_JOURNAL_BYTES, Math.min(2 * this.size, (this.size + MOST_READ_BYTES) / 2));
    syncDirectory(path);
  }

  // All of it or nothing. Deno throws when the disk gets full halfway, Node returns how much it wrote.
  private write(lines: readonly string[]): void {
    if (lines.length === 0) return;
    const bytes = Buffer.from((this.isTorn ? "\n" : "") + lines.join(""));
    try {
      if (fs.writeSync(this.fd!, bytes) < bytes.length) throw codedError("ENOSPC", "no space left on device");
    } catch (error) {
      fs.ftruncateSync(this.fd!, this.size);
      throw error;
    }
    this.isTorn = false;
    this.size += bytes.length;
  }
}

// The key goes behind the type, which is first in each fact: a copy of the fact would cost each run more.
function journalLine([key, fact]: KeyedFact): string {
  const head = `{"type":"${fact.type}"`;
  return `${head},"job":${JSON.stringify(key)}${JSON.stringify(fact).slice(head.length)}\n`;
}

// ── Requests ────────────────────────────────────────────────────────────────
// What `run`, `pause` and `resume` ask a listener for: a file beside its counter file, FILE.ID.req, and SIGURG, which a
// process without a handler ignores. Who removes the file decides: the listener, which then does what it says; or who
// made it, where nobody has come. So it is done once or, if the listener is killed right then, not at all.

const REQUEST_NAME = /^\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.req$/;
const REQUEST_KINDS = ["run", "pause", "resume"] as const;
const MAX_REQUEST_SECONDS = 60;

interface Request {
  /** A UUID: of the run, or of the fact, that comes of it too. */
  readonly id: string;
  readonly ask: (typeof REQUEST_KINDS)[number];
  /** Its key. */
  readonly job: string;
  /** For how long to pause; undefined: until `resume`. */
  readonly seconds?: number;
  /** Epoch seconds of the machine's clock. */
  readonly at: number;
  /** See machineId. After a power cut a file may be back that was removed. */
  readonly machine: string;
}

const REQUEST_FIELDS = {
  ask: isOneOf(REQUEST_KINDS),
  job: isText,
  seconds: isOptional(isCount),
  at: isAmount,
  machine: (value: unknown) => value === machineId(),
};

/** The ids of the requests that wait beside a counter file. */
function requestsBeside(statePath: string): string[] {
  const base = baseName(statePath);
  const names = namesIn(directoryOf(statePath)).filter((name) => name.startsWith(base));
  return names.map((name) => REQUEST_NAME.exec(name.slice(base.length))?.[1]).filter(isPresent);
}

const requestFile = (statePath: string, id: string) => `${statePath}.${id}.req`;

/** Removes the file, and returns what it says. @throws with a code that says why it is not to be done */
function takeRequest(statePath: string, id: string): Request {
  const path = requestFile(statePath, id);
  const text = readStart(path);
  fs.unlinkSync(path);
  const request = tryTo(() => JSON.parse(text));
  if (!has(REQUEST_FIELDS)(request)) throw codedError("it is not a request of this machine");
  if (Math.abs(Date.now() / 1000 - request.at) > MAX_REQUEST_SECONDS) throw codedError("it is older than a minute");
  return { ...request, id };
}

/** Whole, for the listener's user alone. @throws with a code of the system's */
function makeRequest(statePath: string, { id, ...request }: Request): void {
  const draft = `${statePath}.${id}.new`;
  const { uid, gid } = fs.statSync(statePath);
  const fd = fs.openSync(draft, "wx", 0o600);
  try {
    fs.writeSync(fd, JSON.stringify(request));
    if (process.geteuid!() === 0) fs.fchownSync(fd, uid, gid);
    fs.renameSync(draft, requestFile(statePath, id));
  } catch (error) {
    fs.unlinkSync(draft);
    throw error;
  } finally {
    fs.closeSync(fd);
  }
}

// ── Jobs at work ────────────────────────────────────────────────────────────
// A JobRunner for each job: what a tick or an event means for it, and the effects that the policy asks for. Its state
// lives here, and changes by a Decision; only what waited for a former listener is taken out of it (takeOver).
// To add an effect: extend Effect, then `carryOut`.
//
// Why did a job not run? The ways out, in order:
//   Listener.onEvent, onTick      supertick is stopping; another type of tick counts; the tick came before, or is late
//   Listener.decideTick           nothing can be due before the job's wakeAt
//   JobRunner.onTick              the job was removed; the clock was set back; a timer of --jitter still runs (plan)
//   dueBy, Decision.takeDue       the job is paused
//   dueByCount, whatIsDue         the count is not reached; no due time in (decided, upTo]; later than --catch-up
//   Decision.takeDue, admit       --overlap skips it or lets it wait; --max-running: no slot is free
//   Decision.takeAnswer, makeWay  --only-if holds it back; with replace the run before it is not gone yet
//   JobRunner.spawn               the command could not be started

interface Outcome {
  readonly runner: JobRunner;
  readonly decision: Decision;
}

/** The ticks so far, as they are counted. */
interface TickState {
  last: LastTick | undefined;
  count: number;
  /** How many of them are from ticks that could not run anything. */
  undecided: number;
  /** 0 before the first tick. */
  periodSeconds: number;
  /** From the tick before to the last one; 0 where that is not known. */
  pauseSeconds: number;
  /** When the last tick came, on the monotonic clock. */
  lastSeconds: number;
}

/**
 * Who may start, and when: so many runs at a time (--max-running), in order; and one process for each turn of the event
 * loop, so that ticks are answered in between, however many are due.
 */
class Turns {
  private taken = 0;
  private readonly waiting: Array<{ runner: JobRunner; id: string }> = [];
  private readonly starts: Array<() => void> = [];

  /** @param limit 0: none */
  constructor(private readonly limit: number) {}

  /** How many more runs may start now. None, where others wait. */
  get freeSlots(): number {
    if (this.limit === 0) return Number.POSITIVE_INFINITY;
    return this.waiting.length > 0 ? Number.NEGATIVE_INFINITY : this.limit - this.taken;
  }

  /** So many slots more are taken, or less. */
  take(slots: number): void {
    this.taken += slots;
    if (slots < 0 && this.waiting.length > 0) setImmediate(() => this.grant()); // not in the middle of what another job does
  }

  /** Gives the runner a turn for what it calls `id`, when a slot is free. */
  queue(runner: JobRunner, id: string): void {
    this.waiting.push({ runner, id });
    setImmediate(() => this.grant());
  }

  private grant(): void {
    while (this.waiting.length > 0 && this.taken < this.limit) {
      const { runner, id } = this.waiting.shift()!;
      runner.apply({ type: "turn", id });
    }
  }

  /** Starts a process, behind those that are to be started already. */
  soon(start: () => void): void {
    if (this.starts.push(start) === 1) setImmediate(() => this.startNext());
  }

  private startNext(): void {
    this.starts[0]();
    this.starts.shift();
    if (this.starts.length > 0) setImmediate(() => this.startNext());
  }
}

const GATE_WIDTH = 50;
const MAX_WAITING = 1000;

/**
 * What is done beside the runs: so many at a time, over all jobs, and the rest wait in order. Too many: the oldest that
 * waits is dropped, for a later one says more.
 */
export class Gate {
  private entered = 0;
  private dropped = 0;
  private readonly waiting: Array<(isAdmitted: boolean) => void> = [];

  /** @param what for the log */
  constructor(
    private readonly what: string,
    private readonly log: Pick<Log, "line">,
    private readonly limit = MAX_WAITING,
  ) {}

  /** Waits until it is its turn. `false`: it is dropped; else `leave` must follow. */
  enter(): Promise<boolean> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.admit();
      if (this.waiting.length <= this.limit) return;
      if (this.dropped++ === 0) this.log.line(`over ${this.limit} ${this.what} wait: the oldest are dropped`);
      this.waiting.shift()!(false);
    });
  }

  leave(): void {
    this.entered--;
    this.admit();
  }

  private admit(): void {
    for (; this.waiting.length > 0 && this.entered < GATE_WIDTH; this.entered++) this.waiting.shift()!(true);
    if (this.dropped === 0 || this.waiting.length > 0) return;
    this.log.line(`${this.dropped} ${this.what} were dropped: no more wait`);
    this.dropped = 0;
  }
}

const GROUP_POLL_MS = 50;
const ORPHAN_POLL_MS = 1000;
const ONLY_IF_SECONDS = 10;
const HOOK_SECONDS = 60;

/** A hook, a question or a ping on its way. */
interface SideTask {
  /** Undefined before it has started, and of a ping. */
  kill?: () => void;
}

class JobRunner {
  // Each field gets a value here, even undefined: one that came later would cost every runner of a large crontab an
  // object.
  private attendances: Map<string, () => void> | undefined = undefined; // see attend
  private outputs: Map<number, Output> | undefined = undefined; // run → what takes its output
  private sideTasks: readonly SideTask[] = NOTHING;
  private pinger: { readonly url: string; readonly ping: Pinger["ping"] } | undefined = undefined;
  private hasLeftovers: boolean; // of the listener before; true until they are taken over
  private delay: number | undefined = undefined; // by --jitter; undefined before the first tick
  private isDescribed = false; // by its journal, but for the delay
  private cancelDelayed: (() => void) | undefined = undefined;
  /** No tick before this means anything to it, epoch seconds. */
  wakeAt = 0;
  /** It is not configured any more: nothing becomes due, and what was due before comes to its end. */
  isLeaving = false;

  constructor(
    public job: Job,
    private readonly host: Listener,
    public state: JobState,
  ) {
    this.hasLeftovers = !this.isDone;
  }

  get log(): Log {
    return this.host.log.ofJob(this.job.name);
  }

  /** For the journal. */
  get known(): JobState {
    const { left, waiting } = this.state;
    return left.length === 0 ? this.state : { ...this.state, waiting: [...left, ...waiting] };
  }

  get isBusy(): boolean {
    return this.state.runs.length > 0;
  }

  get hasSideTasks(): boolean {
    return this.sideTasks.length > 0;
  }

  /** Nothing of it is left to be done. */
  get isDone(): boolean {
    return openOf(this.state) === 0 && !this.hasSideTasks;
  }

  // What is decided:

  private moment(): Moment {
    const secondsToNextRun = () => this.secondsToNextRun();
    const { isStopping, turns, now } = this.host;
    const { freeSlots } = turns;
    const tailOf = (run: number) => this.outputs?.get(run)?.tail(JOURNAL_TAIL_BYTES).toString() || undefined;
    const at = Date.now() / 1000;
    return { at, seconds: monotonicSeconds(), now, freeSlots, isStopping, secondsToNextRun, tailOf };
  }

  private begin(): Decision {
    return new Decision(this.job, this.state, this.moment());
  }

  private decide(input: JobInput): Decision {
    if (input.type === "due" || input.type === "stop") this.lookBack();
    return this.adopt(decide(this.job, this.state, input, this.moment()));
  }

  /** The state changes at once; the facts must be written before the effects are carried out. */
  private adopt(decision: Decision): Decision {
    const slots = slotsOf(decision.state) - slotsOf(this.state);
    this.state = decision.state;
    if (slots !== 0) this.host.turns.take(slots);
    return decision;
  }

  private commit(decision: Decision): void {
    this.host.commit([{ runner: this, decision: this.adopt(decision) }]);
  }

  apply(input: JobInput): void {
    this.commit(this.decide(input));
  }

  /** The facts are written: logs them, and carries out the effects. */
  perform({ notes, effects }: Decision): void {
    for (const note of notes) this.report(note);
    for (const effect of effects) this.carryOut(effect);
    if (notes.length === 0) return;
    this.endAttendances();
    if (!this.isBusy) this.host.settleSoon();
  }

  private carryOut(effect: Effect): void {
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

  // Of a run that goes on, outside:

  /** What goes on for a run, until it is gone or something else takes the place: its alarm, a watch, a question. */
  private attend(run: number, what: "alarm" | "watch" | "question", cancel: () => void): void {
    this.attendances ??= new Map();
    this.attendances.get(`${run} ${what}`)?.();
    this.attendances.set(`${run} ${what}`, cancel);
  }

  private endAttendances(): void {
    const isGone = (run: number) => !this.state.runs.some(({ number }) => number === run);
    for (const [key, cancel] of this.attendances ?? []) {
      if (!isGone(Number.parseInt(key, 10))) continue;
      cancel();
      this.attendances!.delete(key);
    }
    for (const run of this.outputs?.keys() ?? []) if (isGone(run)) this.outputs!.delete(run);
  }

  private outputOf({ name }: Job, run: number): Output {
    const output = this.log.outputOf({ job: name, run });
    this.outputs ??= new Map();
    this.outputs.set(run, output);
    return output;
  }

  private setAlarm(run: number, seconds: number | undefined): void {
    const ring = () => this.apply({ type: "alarm", run });
    this.attend(run, "alarm", seconds === undefined ? () => {} : startTimer(seconds, ring));
  }

  // No event says that a process group is empty, or that a process which is not our child has ended.
  private watch({ number, attempt, pid, end }: Run): void {
    const timer = setInterval(
      () => {
        this.lookBack();
        const run = this.state.runs.find((one) => one.number === number && one.attempt === attempt);
        if (run === undefined || run.phase === "backoff") clearInterval(timer);
        else if (run.end !== undefined && !signalGroup(pid!, 0)) this.apply({ type: "groupGone", run: number });
      },
      end === undefined ? ORPHAN_POLL_MS : GROUP_POLL_MS,
    );
    this.attend(number, "watch", () => clearInterval(timer));
  }

  /** What an earlier listener left must not be in the way of a decision if it is over. */
  lookBack(): void {
    this.takeOver();
    for (const { number, isOrphan, end, pid = 0, start = 0 } of this.state.runs)
      if (isOrphan && end === undefined && pid > 0 && !isAlive({ pid, start })) {
        this.outputs?.get(number)?.finish();
        this.apply({ type: "exited", run: number, end: UNKNOWN_END });
      }
  }

  // One that is not our child may be gone by now, and its number another's.
  private signal({ number, pid = 0, start = 0, id, attempt, isOrphan }: Run, signal: "SIGTERM" | "SIGKILL"): void {
    const leader = { pid, start };
    if (signal === "SIGKILL") this.log.line(`run ${number}: sent SIGKILL`);
    if (!isOrphan || isAlive(leader) || hasGroup(leader, id, attempt)) signalGroup(pid, signal);
  }

  private ask(run: Run): void {
    const { onlyIf } = (run.job ?? this.job).options;
    const kill = this.runShell("only-if", onlyIf!, ONLY_IF_SECONDS, run, {}, (end, isLate) =>
      this.apply({ type: "answered", run: run.number, ...verdictOf(end, isLate) }),
    );
    this.attend(run.number, "question", kill);
  }

  private spawn(number: number): void {
    // A stop may have come in the meantime.
    const run = this.state.runs.find((one) => one.number === number && one.phase === "starting");
    if (run === undefined) return;
    const job = run.job ?? this.job;
    const variables = ownVariables(job);
    if (variables instanceof Error) return this.apply({ type: "startFailed", run: number, error: variables.message });
    const started = startProcess({
      command: argvOf(job),
      user: job.user,
      env: this.environment(run, variables),
      input: run.event?.payload ?? job.input,
      output: needsPipe(this.log.form, job.options, job.user) ? this.outputOf(job, number) : undefined,
      onExit: (end) => this.apply({ type: "outputLeft", run: number, end }),
      onEnd: (end) =>
        this.apply(
          end.error === undefined
            ? { type: "exited", run: number, end }
            : { type: "startFailed", run: number, error: end.error },
        ),
    });
    if (started !== undefined) this.apply({ type: "started", run: number, ...started }); // else onEnd will say why
  }

  /**
   * Of a command that is run for the job, or of a shell command about it. A payload never replaces another variable.
   */
  private environment(about: Due & Partial<Run>, own: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
    const { number, attempt, due, event, id, job = this.job } = about;
    const facts: NodeJS.ProcessEnv = {
      SUPERTICK_JOB: job.name,
      SUPERTICK_LISTENER: formatIdentity(this.host.self),
      SUPERTICK_DUE: String(due),
      SUPERTICK_REASON: reasonOf(about),
      SUPERTICK_ID: id,
    };
    if (number !== undefined) facts.SUPERTICK_RUN = String(number);
    if (attempt !== undefined) facts.SUPERTICK_ATTEMPT = String(attempt);
    if (event !== undefined) facts.SUPERTICK_EVENT = event.name;
    if (about.lost !== undefined) facts.SUPERTICK_LOST = String(about.lost);
    if (event?.isDropped) facts.SUPERTICK_PAYLOAD = "dropped";
    return { ...payloadTokens(event?.payload ?? ""), ...this.host.env, ...own, ...job.env, ...facts };
  }

  // What is reported: the log, the hooks and the pings follow from the facts.

  private report({ fact, about }: Note): void {
    const text = describeFact(fact, about);
    const { log } = this;
    if (text !== undefined)
      (isFailure(fact) ? log.error : log.line)(text, () => {
        const { type: event, at: _, tail: __, ...fields } = fact as FactOf<"ended">;
        return { event, due: about?.due, reason: about && reasonOf(about), ...fields };
      });
    this.reportOutside(fact, about as Run);
  }

  private reportOutside(fact: Fact, run: Run): void {
    if (fact.type === "started" && run.attempt === 1 && !run.isOrphan) this.ping(run, "start", undefined);
    if (fact.type === "ended" && fact.retryIn === undefined) this.reportResult(run, fact.result, fact, fact.seconds);
    if (fact.type === "dropped" && fact.result !== undefined)
      return this.reportResult(run, fact.result, run.end ?? UNSEEN, run.seconds ?? 0);
    // A lock that another replica holds is an everyday matter; a lock that cannot be asked is not.
    if (fact.type === "skipped" || (fact.type === "dropped" && fact.why !== "held"))
      this.runHook("on-skip", run, { SUPERTICK_RESULT: "skipped" });
  }

  private reportResult(run: Run, result: Result, { exit, signal }: ProcessEnd, seconds: number): void {
    const tail = this.outputs?.get(run.number)?.tail(MAX_TAIL_BYTES) ?? Buffer.from(run.tail ?? "");
    this.ping(run, result === "success" ? "success" : "fail", tail);
    const facts = {
      SUPERTICK_RESULT: result,
      SUPERTICK_EXIT: String(exit ?? ""),
      SUPERTICK_SIGNAL: signal ?? "",
      SUPERTICK_SECONDS: String(seconds),
      SUPERTICK_FAILURES: String(this.state.failures),
    };
    this.runHook(result === "success" ? "on-success" : "on-failure", run, facts, tail);
  }

  // Beside the runs: no run ever waits for a hook.
  private runHook(
    hook: "on-failure" | "on-success" | "on-skip",
    about: Due & Partial<Run>,
    facts: NodeJS.ProcessEnv,
    input?: Buffer,
  ): void {
    const { onFailure, onSuccess, onSkip } = (about.job ?? this.job).options;
    const text = { "on-failure": onFailure, "on-success": onSuccess, "on-skip": onSkip }[hook];
    if (text === undefined) return;
    const onEnd = (end: ProcessEnd) => {
      if (end.exit !== 0) this.log.error(`--${hook} failed: ${howEnded(end)}`);
    };
    this.runShell(hook, text, HOOK_SECONDS, about, facts, onEnd, input);
  }

  /** Returns what kills it. */
  private runShell(
    hook: string,
    text: string,
    limitSeconds: number,
    about: Due & Partial<Run>,
    facts: NodeJS.ProcessEnv,
    onEnd: ShellPlan["onEnd"],
    input?: Buffer,
  ): () => void {
    // A question is part of the run; a hook is ours.
    const job = about.job ?? this.job;
    const { user } = hook === "only-if" ? job : { user: undefined };
    const variables = hook === "only-if" ? ownVariables(job) : {};
    const own = variables instanceof Error ? {} : variables;
    const env = { ...this.environment(about, own), ...facts, SUPERTICK_HOOK: hook };
    const source = { job: this.job.name, run: about.number, hook };
    const output = needsPipe(this.log.form, {}, user) ? this.log.outputOf(source) : undefined;
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
    gate.enter().then((isAdmitted) => (isAdmitted ? this.host.turns.soon(begin) : end()));
    return () => {
      task.kill?.();
      end();
    };
  }

  private ping(run: Run, what: PingKind, body: Buffer | undefined): void {
    const { ping: url } = (run.job ?? this.job).options;
    if (url === undefined) return;
    if (this.pinger?.url !== url) this.pinger = { url, ...createPinger(url, this.log, this.host.pings) };
    const task = this.beginSideTask();
    this.pinger.ping(run, what, body, () => this.endSideTask(task));
  }

  private beginSideTask(): SideTask {
    const task: SideTask = {};
    this.sideTasks = [...this.sideTasks, task];
    return task;
  }

  private endSideTask(task: SideTask): void {
    this.sideTasks = this.sideTasks.filter((other) => other !== task);
    this.host.settleSoon();
  }

  killSideTasks(): void {
    for (const { kill } of this.sideTasks) kill?.();
    this.sideTasks = NOTHING;
  }

  // When it is due:

  /** What its journal must say of it; undefined: it says so already. `decided`: where it begins. */
  private jobFact(decided: number | undefined): Fact | undefined {
    const { name, schedule } = this.job;
    const delay = this.delay ?? this.state.delay;
    this.isDescribed ||= this.state.name === name && this.hasSameSchedule;
    if (this.isDescribed && this.state.delay === delay && decided === undefined) return undefined;
    this.isDescribed = true;
    return { type: "job", name, schedule: schedule.record, delay: delay || undefined, decided, at: Date.now() / 1000 };
  }

  private get hasSameSchedule(): boolean {
    return JSON.stringify(this.state.schedule) === JSON.stringify(this.job.schedule.record);
  }

  /** Writes down what the job is, where that has changed. A schedule that has changed begins with the last tick. */
  describe(): Decision | undefined {
    const { last, periodSeconds } = this.host.ticks;
    const isChanged = this.state.schedule !== undefined && !this.hasSameSchedule && isByClock(this.job.schedule);
    // What a timer has run for since that tick is decided too.
    const named = Math.min(this.state.decided ?? 0, (last?.whenSeconds ?? 0) + periodSeconds);
    const fact = this.jobFact(isChanged && last ? Math.max(last.whenSeconds, named) : undefined);
    if (fact === undefined) return undefined;
    const decision = this.begin();
    decision.record(fact);
    return this.adopt(decision);
  }

  /** From now on it is that job. Runs in progress go on as what they were. */
  change(job: Job): void {
    this.job = job;
    this.isLeaving = this.isDescribed = false;
    this.delay = undefined;
    this.wakeAt = 0;
    this.cancelDelayed?.();
  }

  /** Nothing becomes due any more. */
  leave(): void {
    this.isLeaving = true;
    this.cancelDelayed?.();
  }

  /** With the first tick, and with the first one after a change. */
  private fitTicks({ whenSeconds, periodSeconds }: Tick): number {
    const { key, name, schedule } = this.job;
    for (const text of schedule.misfits(periodSeconds, whenSeconds)) this.log.line(text);
    const jitter = jitterOf(this.job);
    if (jitter === 0) return 0;
    const limit = longestDelay(schedule, whenSeconds, jitter);
    const { hostname } = require("os") as typeof import("os");
    const delay = stableDelay(`${hostname()} ${key === ONLY_JOB ? name : key}`, limit);
    this.log.line(`each run starts ${formatDuration(delay)} after its due time (--jitter)`);
    return delay;
  }

  /**
   * What the tick means for this job; undefined: nothing.
   * @param setBackSeconds undefined where no tick is known before
   */
  onTick(tick: Tick, setBackSeconds: number | undefined): Decision | undefined {
    if (this.isLeaving) return undefined;
    this.cancelDelayed?.();
    this.delay ??= this.fitTicks(tick);
    const { schedule } = this.job;
    const decision = this.begin();
    const fact = this.jobFact(beginsAt(schedule, this.state, tick, setBackSeconds, this.delay));
    if (fact !== undefined) decision.record(fact);
    const isSetBack = Boolean(setBackSeconds); // that makes nothing due by itself
    if (!isSetBack && schedule instanceof TickSchedule) this.dueByCount(schedule, tick, decision);
    else if (!isSetBack) this.dueBy(tick.whenSeconds - this.delay, tick, decision);
    this.adopt(decision);
    if (isByClock(schedule)) this.plan(tick, isSetBack);
    return decision.notes.length + decision.effects.length > 0 ? decision : undefined;
  }

  // A goal that is reached by a tick which may not run stays reached until the next. The same tick again, after a kill
  // before the counter was written, is known by what it is named for.
  private dueByCount(schedule: TickSchedule, tick: Tick, decision: Decision): void {
    const { count, undecided } = this.host.ticks;
    const { whenSeconds: due, serial } = tick;
    const { supervisorId: supervisor } = this.host;
    const { lastTick } = this.state;
    const isNamed =
      lastTick?.serial === serial && lastTick.due === due && (lastTick.supervisor ?? supervisor) === supervisor;
    if (isNamed || !schedule.isReached(count, undecided)) return;
    decision.take({ type: "due", due, reason: "schedule", id: createId(), serial, supervisor });
  }

  /** Decides what is due up to then, and says what was missed. */
  private dueBy(upTo: number, { serial, periodSeconds }: Tick, decision: Decision): void {
    if (decision.isStillPaused()) return;
    const found = whatIsDue(this.job.schedule, decision.state, upTo, periodSeconds);
    if (found === undefined) return;
    const { due, is, count } = found;
    const { ticks } = this.host;
    const isTold = is !== "schedule" || (count > 1 && ticks.pauseSeconds > periodSeconds);
    if (isTold) decision.effects.push({ do: "log", text: describeMissed(found, upTo, ticks) });
    if (is === "missed") return decision.record({ type: "missed", due, count, at: Date.now() / 1000 });
    decision.take({ type: "due", due, reason: is, id: createId(), serial });
  }

  // When it looks again: at a tick or, where the delay by --jitter ends between two ticks, by a timer. Until that fires
  // no fact names the due time, so that a restart loses nothing.
  private plan(tick: Tick, isSetBack: boolean): void {
    const delay = this.delay!;
    const { whenSeconds, periodSeconds } = tick;
    const due = this.job.schedule.firstAfter(Math.max(this.state.decided!, whenSeconds - delay));
    const wait = due + delay - whenSeconds;
    if (delay > 0 && wait < periodSeconds) this.cancelDelayed = startTimer(wait, () => this.onDelayOver(due, tick));
    const wakeAt = isSetBack ? 0 : whenSeconds + wait - (delay > 0 ? periodSeconds - 1 : 0);
    this.wakeAt = Math.min(wakeAt, this.state.paused?.until ?? wakeAt);
  }

  private onDelayOver(due: number, tick: Tick): void {
    if (this.host.isStopping) return;
    this.lookBack();
    const decision = this.begin();
    this.dueBy(due, tick, decision);
    this.commit(decision);
  }

  private secondsToNextRun(): number {
    const { last, count, periodSeconds } = this.host.ticks;
    if (last === undefined || periodSeconds === 0) return Number.POSITIVE_INFINITY;
    return nextRun(this.job.schedule, this.state, { ...last, count, periodSeconds }) - this.host.now;
  }

  /** A run for an event of supervisord's. */
  onEvent(event: SupervisorEvent, reason: "remote" | "event"): Decision | undefined {
    const { serial } = event;
    const { supervisorId: supervisor } = this.host;
    if (this.isLeaving) return undefined;
    const due: Due = { ...dueNow(reason), serial, supervisor };
    return this.decide({ type: "due", ...due, event: reason === "event" ? event : undefined });
  }

  /** Some of the events that never came may have been meant for it. */
  loseEvents(lost: number): Decision {
    const decision = this.begin();
    decision.skip({ ...dueNow("event"), lost }, `${lost} events never came`);
    return this.adopt(decision);
  }

  /** A run that no tick and no event brings: it is due now. */
  runNow(reason: "start" | "signal"): Decision | undefined {
    return this.isLeaving ? undefined : this.decide({ type: "due", ...dueNow(reason) });
  }

  /** What `run`, `pause` or `resume` asks for. */
  onRequest({ ask, id, seconds }: Request): Decision {
    this.wakeAt = 0;
    if (ask === "run") return this.decide({ type: "due", ...dueNow("remote"), id });
    return this.decide(ask === "pause" ? { type: "pause", id, seconds } : { type: "resume", id });
  }

  // What an earlier listener left:

  // The latest run first: an older one gives way to it. What waited is due now; but an event is lost with its listener.
  private takeOver(): void {
    if (!this.hasLeftovers) return;
    this.hasLeftovers = false;
    this.state = { ...this.state, waiting: NOTHING, left: this.state.waiting };
    for (const run of [...this.state.runs].reverse()) this.takeOverRun(run);
    for (const due of this.state.left) this.takeOverDue(due);
  }

  private takeOverRun(run: Run): void {
    const { number, attempt, id, pid, start = 0, phase } = run;
    const leader = phase === "backoff" ? undefined : pid === undefined ? findRun(id, attempt) : { pid, start };
    const isThere = leader !== undefined && isAlive(leader);
    const hasRest = leader !== undefined && phase === "ending" && hasGroup(leader, id, attempt);
    if (isThere || hasRest) {
      const what = phase === "ending" ? "is still being ended" : "is still going";
      this.log.line(`run ${number} of an earlier listener ${what} (pid ${leader!.pid})`);
    }
    if (isThere) readOn(leader.pid, this.outputOf(this.job, number));
    const ageSeconds = isThere ? ageOf(leader) : 0;
    this.apply({ type: "found", run: number, leader, isAlive: isThere, hasGroup: hasRest, ageSeconds });
  }

  private takeOverDue(due: Due): void {
    const isLost = due.reason === "event" || this.isLeaving;
    const end = isLost ? "is skipped" : "is due now";
    const text = `the run due ${formatTime(due.due)} (${due.reason}), which waited when the listener was killed, ${end}`;
    this.log.line(text);
    if (!isLost) return this.apply({ type: "due", ...due });
    const decision = this.begin();
    decision.skip(due, this.isLeaving ? "the job was removed" : DROP_REASONS.lost);
    this.commit(decision);
  }
}

/** Those of its user, and of its --env-file; an Error where that can't be read. */
function ownVariables({ user, command, options: { envFile } }: Job): Record<string, string> | Error {
  const ofUser: Record<string, string> = {};
  if (user !== undefined) {
    // As cron, for some programs run theirs; and who may not log in has one that runs nothing.
    const SHELL = typeof command === "string" || /\/(?:nologin|false)$/.test(user.shell) ? "/bin/sh" : user.shell;
    Object.assign(ofUser, { USER: user.name, LOGNAME: user.name, HOME: user.home, SHELL });
  }
  try {
    return envFile === undefined ? ofUser : { ...ofUser, ...parseEnvFile(readEnvFile(envFile, user)) };
  } catch (error) {
    return new Error(`--job-env-file ${envFile}: ${describeError(error)}`);
  }
}

const MAX_ENV_FILE_BYTES = 1024 * 1024;

/** Another user's command gets no file that this user could not read, but where nobody else can have put it there. */
function readEnvFile(path: string, user: User | undefined): string {
  return readWith(path, (fd) => {
    const { size, mode, uid, gid } = fs.fstatSync(fd);
    if (size > MAX_ENV_FILE_BYTES) throw codedError("it has over 1 MiB");
    const isOwn = user === undefined || user.uid === process.geteuid!();
    const [ofOwner, ofGroup] = [uid === user?.uid, gid === user?.gid];
    const isReadable = (mode & (ofOwner ? 0o400 : ofGroup ? 0o040 : 0o004)) !== 0;
    if (!isOwn && !isReadable && !isRootsAlone(path)) throw codedError(`user ${user!.name} may not read it`);
    return fs.readFileSync(fd, "utf8");
  });
}

/** Is there no link in the way to it, and nothing that another user than root can change? */
function isRootsAlone(path: string): boolean {
  if (fs.realpathSync(path) !== path) return false;
  const places = path.split("/").map((_, i, names) => names.slice(0, i + 1).join("/") || "/");
  return places.map((place) => fs.statSync(place)).every(({ uid, mode }) => uid === 0 && (mode & 0o022) === 0);
}

/** As docker run --env-file has it: NAME=value lines, with everything behind the first = as it is. */
export function parseEnvFile(text: string): Record<string, string> {
  const lines = text.split(/\r?\n/).map((line) => /^\s*([A-Za-z_]\w*)=([^\0]*)$/.exec(line));
  return Object.fromEntries(lines.filter(isPresent).map(([, name, value]) => [name, value]));
}

function dueNow(reason: Reason): Due {
  return { due: Math.floor(Date.now() / 1000), reason, id: createId() };
}

const randomHex = (digits: number) => Math.random().toString(16).slice(2).padEnd(digits, "0").slice(0, digits);
const ID_PREFIX = `${randomHex(8)}-${randomHex(4)}-4${randomHex(3)}-a${randomHex(3)}-`;
let ids = 0;

/** A UUID of version 4. It need not be a secret, only its own. */
function createId(): string {
  return ID_PREFIX + (++ids).toString(16).padStart(12, "0");
}

/** When the next run starts, in epoch seconds; Infinity where that is not known. */
function nextRun(
  schedule: Schedule,
  { decided = 0, delay, paused }: JobState,
  { whenSeconds, periodSeconds, count }: { whenSeconds: number; periodSeconds: number; count: number },
): number {
  const { until = Infinity } = paused ?? { until: 0 };
  if (until === Infinity || (schedule instanceof TickSchedule && until > whenSeconds)) return Infinity;
  if (schedule instanceof TickSchedule) return whenSeconds + schedule.ticksToGo(count) * periodSeconds;
  const next = schedule.firstAfter(Math.max(decided, whenSeconds - delay, until)) + delay;
  return delay > 0 ? next : Math.ceil(next / periodSeconds) * periodSeconds;
}

function describeMissed({ due, is, count }: DueTime, upTo: number, { pauseSeconds, periodSeconds }: TickState): string {
  const why = pauseSeconds > periodSeconds ? `no tick came for ${formatDuration(pauseSeconds)}: ` : "";
  if (is === "schedule") {
    const missed = countWords(count < MOST_COUNTED ? count - 1 : count); // but for the last, which is in time
    return `${why}${missed} missed, made up for by the run due ${formatTime(due)}`;
  }
  const last = `the last at ${formatTime(due)}, ${formatDuration(upTo - due)} ago`;
  const end = is === "catch-up" ? "; made up for by one run" : ": longer than --catch-up, not made up for";
  return `${why}${countWords(count)} missed, ${last}${end}`;
}

function verdictOf(end: ProcessEnd, isLate: boolean): { verdict: Verdict; error?: string } {
  if (end.exit === 0) return { verdict: "allowed" };
  if (end.exit === 1) return { verdict: "held" };
  return { verdict: isLate ? "timeout" : "error", error: howEnded(end) };
}

const MAX_TOKEN_BYTES = 2 ** 16; // of all: the kernel refuses a variable of 128 KiB, and a thousand hooks may wait
// What supertick says itself, or leaves unset, can't come from a payload.
const OWN_TOKENS =
  /^(job|run|due|id|attempt|reason|result|exit|signal|seconds|failures|hook|event|listener|payload|lost)$/i;

/** processname:web groupname:web … on the first line → SUPERTICK_PROCESSNAME=web … */
export function payloadTokens(payload: string): Record<string, string> {
  const tokens: Record<string, string> = {};
  let left = MAX_TOKEN_BYTES;
  for (const token of payload.split("\n", 1)[0].split(" ")) {
    const [, key, value] = /^([A-Za-z]\w*):([^\0]*)$/.exec(token) ?? [];
    const bytes = Buffer.from(value ?? ""); // a part of the payload would keep all of it in memory
    if (key === undefined || OWN_TOKENS.test(key) || key.length + bytes.length > left) continue;
    left -= key.length + bytes.length;
    tokens[`SUPERTICK_${key.toUpperCase()}`] = bytes.toString();
  }
  return tokens;
}

// ── Crontab files ───────────────────────────────────────────────────────────
// Where the jobs come from when there are many: a crontab, or a directory of them. A file is read at start, on SIGHUP,
// and at a tick when it does not look as it did when it was read: edited in place, renamed over, or behind a symbolic
// link that was swapped, as a ConfigMap's. One with a mistake keeps the jobs that it had.

const SETTLE_SECONDS = 1;
const MAX_CRONTAB_BYTES = 1024 * 1024; // some ten thousand jobs; reading more would keep supervisord waiting

/** A crontab as it was read last. */
interface CrontabFile {
  readonly stamp: string;
  readonly crontab: Crontab;
  /** Those of before where it has mistakes. */
  readonly jobs: readonly CrontabJob[];
}

class CrontabSource {
  isDirectory = false;
  /** Of the first reading. */
  problems: ReturnType<CrontabSource["read"]> = [];
  private files: ReadonlyMap<string, CrontabFile> = new Map();
  private listed = { stamp: "", paths: [this.path] as readonly string[], passedOver: [] as readonly string[] };

  constructor(
    readonly path: string,
    private readonly flags: Layer,
    private readonly environment: Layer,
    private readonly which: Settings["userColumn"],
    private readonly localZone = defaultZone,
  ) {}

  /**
   * Reads all, or `onlyChanged`, and then those with mistakes too, for it may be another file that has mended them. Never
   * throws. @returns the mistakes, a line for each file that has some, and what becomes of its jobs
   */
  read(onlyChanged = false): Array<readonly [mistakes: string, sequel: string]> {
    this.list();
    const lookup = createLookup();
    const stamps = new Map(this.listed.paths.map((path) => [path, stampOf(path).text]));
    const isKept = (path: string, { stamp, crontab }: CrontabFile) =>
      onlyChanged && stamp === stamps.get(path) && crontab.mistakes.length === 0;
    const before = this.files;
    const files = new Map([...before].filter(([path, file]) => isKept(path, file)));
    const problems: Array<readonly [string, string]> = [];
    const otherKeys = new Set([...files.values()].flatMap(({ jobs }) => jobs.map(({ key }) => key)));
    for (const [path, stamp] of stamps) {
      if (files.has(path)) continue;
      const crontab = this.readFile(path, lookup, otherKeys);
      const isRight = crontab.mistakes.length === 0;
      const jobs = isRight ? crontab.jobs : (before.get(path)?.jobs ?? []).filter(({ key }) => !otherKeys.has(key));
      files.set(path, { stamp, crontab, jobs });
      for (const { key } of jobs) otherKeys.add(key);
      const kept = `keeping the current jobs${this.isDirectory ? " of that file" : ""}`;
      if (!isRight) problems.push([firstOf(crontab.mistakes), jobs.length > 0 ? kept : "no job of that file runs"]);
    }
    this.files = new Map(this.listed.paths.map((path) => [path, files.get(path)!]));
    return problems;
  }

  get jobs(): readonly CrontabJob[] {
    return toldApart([...this.files.values()].flatMap((file) => file.jobs));
  }

  /** How many files have a mistake. */
  get refused(): number {
    return [...this.files.values()].filter(({ crontab }) => crontab.mistakes.length > 0).length;
  }

  get mistakes(): readonly string[] {
    return [...this.files.values()].flatMap(({ crontab }) => crontab.mistakes);
  }

  get warnings(): readonly string[] {
    return [...this.files.values()].flatMap(({ crontab }) => crontab.warnings);
  }

  /** The only file can't be read. */
  get isUnread(): boolean {
    return !this.isDirectory && [...this.files.values()].some(({ crontab }) => crontab.isUnread);
  }

  get doubts(): readonly string[] {
    return [...this.files.values()].flatMap(({ crontab }) => crontab.doubts ?? []);
  }

  /** As they were read, also those of files with a mistake. */
  get parsedJobs(): readonly CrontabJob[] {
    return toldApart([...this.files.values()].flatMap(({ crontab }) => crontab.jobs));
  }

  /** Whose lines name users, and what is passed over; "" where there is nothing to say. */
  describe(): string {
    const { isDirectory, path, listed } = this;
    const columns = [...this.files].flatMap(([file, { crontab }]) => {
      const { userColumn } = crontab;
      const what = userColumn === undefined ? "no column of users" : `a column of users (${userColumn})`;
      return isDirectory ? [`${baseName(file)}: ${what}`] : userColumn === undefined ? [] : [what];
    });
    if (isDirectory && columns.length === 0) columns.push("no crontab is in it");
    if (listed.passedOver.length > 0) columns.push(`passed over, as by cron: ${listed.passedOver.join(", ")}`);
    return columns.length === 0 ? "" : `${path}: ${columns.join("; ")}`;
  }

  /** "changing": something was changed less than a second ago, and may be only half written. */
  look(): "same" | "changing" | "changed" {
    this.list();
    let found: "same" | "changed" = this.files.size === this.listed.paths.length ? "same" : "changed";
    for (const path of this.listed.paths) {
      const { text, changedSeconds } = stampOf(path);
      if (text === this.files.get(path)?.stamp) continue;
      // Either side, for a file has finer times than Date.now().
      if (Math.abs(Date.now() / 1000 - changedSeconds) < SETTLE_SECONDS) return "changing";
      found = "changed";
    }
    return found;
  }

  // A directory that can't be read any more keeps its files, each of which has its own mistake then.
  private list(): void {
    const { text: stamp, isDirectory } = stampOf(this.path);
    if (!isDirectory || stamp === this.listed.stamp) return;
    this.isDirectory = true;
    const names = namesIn(this.path).filter((name) => !stampOf(`${this.path}/${name}`).isDirectory);
    const isRead = (name: string) => /^[\w-]+$/.test(name); // as run-parts and cron
    const paths = names.filter(isRead).map((name) => `${this.path.replace(/\/+$/, "")}/${name}`);
    this.listed = { stamp, paths, passedOver: names.filter((name) => !isRead(name)) };
  }

  private readFile(path: string, lookup: ReturnType<typeof createLookup>, otherKeys: ReadonlySet<string>): Crontab {
    const { flags, environment, localZone } = this;
    let zone: Zone | undefined;
    const isSpool = /\/(?:crontabs|tabs)\/[^/]*$/.test(path);
    const context: CrontabContext = {
      ...{ path, flags, environment, otherKeys, ...lookup, readSecret, owner: isSpool ? baseName(path) : undefined },
      defaultZone() {
        zone ??= localZone();
        return zone;
      },
    };
    try {
      return readWith(path, (fd) => {
        const { size, mode, uid } = fs.fstatSync(fd);
        if (size > MAX_CRONTAB_BYTES) throw codedError("it has over 1 MiB");
        const crontab = parseCrontab(textOfLines(fs.readFileSync(fd)), context, this.which);
        return withOwner(crontab, path, mode, uid);
      });
    } catch (error) {
      const why =
        error instanceof UsageError ? error.message : `cannot read the crontab ${path}: ${describeError(error)}`;
      return { jobs: [], mistakes: [why], warnings: [], isUnread: true };
    }
  }
}

// Who may write it, chooses what runs as which user.
function withOwner(crontab: Crontab, path: string, mode: number, uid: number): Crontab {
  if (crontab.userColumn === undefined && !isSystemCrontab(path)) return crontab;
  const mistakes = [...crontab.mistakes];
  if ((mode & 0o002) !== 0) mistakes.push(`${path}: everybody may write to it, and say who runs what: chmod o-w`);
  const doubts = [];
  if (uid !== 0) doubts.push(`it belongs to user ${uid}, not to root`);
  if ((mode & 0o020) !== 0) doubts.push("its group may write to it");
  const warnings = doubts.map((doubt) => `${path}: ${doubt}, and it says who runs what`);
  return { ...crontab, mistakes, warnings: [...warnings, ...crontab.warnings], doubts: warnings };
}

function stampOf(path: string): { text: string; changedSeconds: number; isDirectory: boolean } {
  try {
    const stats = fs.statSync(path);
    const { dev, ino, size, mtimeMs, ctimeMs } = stats;
    const changedSeconds = Math.max(mtimeMs, ctimeMs) / 1000;
    return { text: [dev, ino, size, mtimeMs, ctimeMs].join(" "), changedSeconds, isDirectory: stats.isDirectory() };
  } catch (error) {
    return { text: errorCode(error), changedSeconds: 0, isDirectory: false };
  }
}

function describeRefused(files: number): string {
  return `${countOf(files, "crontab file")} with mistakes`;
}

function firstOf([first, ...more]: readonly string[]): string {
  return first + (more.length === 0 ? "" : ` (mistakes in other lines: ${more.length})`);
}

function readSecret(path: string): string {
  return readWith(path, (fd) => fs.readFileSync(fd, "utf8"));
}

/** The users and programs of this machine, as they are now; each word is looked for once. */
function createLookup(): Pick<CrontabContext, "users" | "isCommand"> {
  const users = readUsers();
  const known = new Map<string, boolean>(); // in the PATH of the last word
  let knownPath = "";
  return {
    users: { has: (name) => users.has(name), get: (name) => userNamed(name, users) },
    isCommand(word, path = process.env.PATH ?? "") {
      if (path !== knownPath) known.clear();
      knownPath = path;
      const isThere = known.get(word) ?? placesOf(word, path).some(isProgram);
      known.set(word, isThere);
      return isThere;
    },
  };
}

// ── Roster ──────────────────────────────────────────────────────────────────
// The runners of all jobs, each with its state from the journal, and kept when the crontab changes. A job is its key:
// whatever happens to the lines around it, one with the same key goes on as if nothing had happened. A runner whose job
// is gone stays until its runs have come to their end, and until every crontab can be read: it may stand in the other.

class Roster {
  runners: readonly JobRunner[];

  constructor(
    jobs: readonly Job[],
    private readonly host: Listener,
    found: ReadonlyMap<string, JobState>,
  ) {
    const runners = jobs.map((job) => new JobRunner(job, host, found.get(job.key) ?? FRESH_STATE));
    const keys = new Set(jobs.map(({ key }) => key));
    const gone = [...found].filter(([key]) => !keys.has(key));
    this.runners = [...runners, ...gone.map(([key, state]) => this.leftover(key, state))];
  }

  // Of a job that is gone, for its past and the runs that are left.
  private leftover(key: string, state: JobState): JobRunner {
    const settings = valuesOf([], "crontab");
    const job = { ...jobOf(state.name ?? key, [], new EventSchedule([]), settings), key };
    const runner = new JobRunner(job, this.host, state);
    runner.leave();
    return runner;
  }

  countJobs(): string {
    return countOf(this.runners.filter(({ isLeaving }) => !isLeaving).length, "job");
  }

  /** @returns what has changed, in words */
  change(jobs: readonly Job[]): string {
    const before = new Map(this.runners.map((runner) => [runner.job.key, runner]));
    const isSame = createComparison();
    let [added, changed] = [0, 0];
    const runners = jobs.map((job) => {
      const runner = before.get(job.key);
      before.delete(job.key);
      if (runner === undefined) {
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

  /** What is to be written down of jobs that have come or changed, for so many at a time. */
  *describe(): Iterable<Outcome[]> {
    for (let i = 0; i < this.runners.length; i += LINES_A_WRITE)
      yield outcomesOf(this.runners.slice(i, i + LINES_A_WRITE), (runner) =>
        runner.isLeaving ? undefined : runner.describe(),
      );
  }

  /** The keys of jobs that are gone for good; each is returned once. */
  dismissDone(): string[] {
    const isGone = (runner: JobRunner) => runner.isLeaving && runner.isDone;
    const gone = this.runners.filter(isGone);
    if (gone.length > 0) this.runners = this.runners.filter((runner) => !isGone(runner));
    return gone.map(({ job }) => job.key);
  }
}

/** Are jobs alike in everything? What many have in common is compared once, as long as they stand in the same order. */
function createComparison(): (a: Job, b: Job) => boolean {
  const { isDeepStrictEqual } = require("util") as typeof import("util");
  const last = new Map<"options" | "env", readonly [unknown, unknown, boolean]>();
  const isCommon = (part: "options" | "env", a: unknown, b: unknown) => {
    const [lastA, lastB, wasAlike] = last.get(part) ?? [];
    const isAlike = lastA === a && lastB === b ? wasAlike! : isDeepStrictEqual(a, b);
    last.set(part, [a, b, isAlike]);
    return isAlike;
  };
  const own = ({ name, schedule, command, input, user }: Job) =>
    JSON.stringify([schedule.record, schedule.catchUpSeconds, name, command, input, user]);
  return (a, b) => own(a) === own(b) && isCommon("options", a.options, b.options) && isCommon("env", a.env, b.env);
}

// ── Listener ────────────────────────────────────────────────────────────────
// One process between supervisord and the jobs: events in, answers out, and what they mean for each job in between.
// To listen to another event: extend `onEvent`.

/** Supervisor 3.3.4 and later, on a Python before 3.8, then forgets the wrong one's subscription. */
const IF_FORGOTTEN = "restart supervisord: it forgets a listener when another of the same priority= is removed";
const AMBIGUOUS_PAYLOAD_MS = 100;
const LATE_SECONDS = 5; // until the first look for what has not come, and to the next, which gives it up
const LOST_EVENTS =
  `events of our pool never came: supervisord keeps the last buffer_size=, ${USUAL_BUFFER} by default, and drops ` +
  `older ones; write buffer_size=${EVENT_BUFFER} in the section`;
const WATCHDOG_PERIODS = 3;
const WATCHDOG_SECOND_LOOK_SECONDS = 1;
const LAST_SIDE_TASKS_SECONDS = 1;
const SLICE_SECONDS = 0.02;
const MAX_YOUNG_SECONDS = 60;

class Listener {
  readonly self = identityOf(process.pid)!;
  /** Undefined where it could not be known again after a restart of ours. */
  readonly supervisorId: string | undefined;
  readonly ticks: TickState;
  readonly turns = new Turns(this.settings.maxRunning);
  readonly pings = new Gate("pings", this.log);
  readonly hooks = new Gate("hooks", this.log);
  readonly questions = new Gate("questions", this.log, Number.POSITIVE_INFINITY); // a run waits for each
  /** For all that we start, but for TICK_PING, which may hold a secret. Reading process.env takes time. */
  readonly env: NodeJS.ProcessEnv;
  isStopping = false;
  private readonly supervisor = identityOf(process.ppid)!;
  private readonly reader = new EventReader();
  private readonly counted: SerialSet; // the serials of its events
  private readonly gaps: PoolGaps; // in the numbers of our pool
  private isWaitingForLate = false;
  private readonly journal: Journal;
  private yieldedBefore: JobState; // what the journal knows of LISTENER
  private readonly warnings = new Set<string>();
  private readonly silence = createProblemReport(this.log);
  private input!: Input; // opened by start(), after READY: that takes a sixth of the time to get there
  private readonly roster: Roster;
  private tickType: string | undefined;
  private hasSeenEvent = false;
  private isLookingAgain = false; // the crontab was still changing
  private isSettling = false;
  private isWaitingForSideTasks = false; // the runs are over
  private stopSignals = 0;
  private stopDeadlineSeconds = Number.POSITIVE_INFINITY; // on the monotonic clock
  private exitStatus = 0;
  private stopExpectingTicks = () => {};

  /**
   * @param crontab where the jobs come from, if there can be many @param statePath undefined: nothing is kept on disk
   */
  constructor(
    jobs: readonly Job[],
    private readonly settings: Settings,
    private readonly crontab: CrontabSource | undefined,
    private readonly statePath: string | undefined,
    private readonly counter: CounterFile,
    readonly log: Log,
  ) {
    const { TICK_PING: _, SUPERTICK_HOOK: __, ...env } = process.env; // a hook may have started supervisord
    this.env = env;
    const { pid, start } = this.supervisor;
    this.supervisorId = start === 0 ? undefined : hash32(`${pid}:${start}:${machineId()}`).toString(36);
    const { count, undecided = 0, tick, serials, poolSerial, supervisor, machine = machineId() } = counter.found;
    const isSame = start > 0 && supervisor?.pid === pid && supervisor.start === start && machine === machineId();
    this.counted = isSame ? serials : new SerialSet();
    // In a pool that is as young as its supervisord, what came before us is missing too: its numbers begin at 0 or 1.
    const isYoung = start > 0 && ageOf(this.supervisor) < MAX_YOUNG_SECONDS;
    this.gaps = new PoolGaps(isSame ? poolSerial : isYoung ? 0 : undefined);
    const last = tick && { serial: -1, ...tick, isForeign: !isSame || tick.serial === undefined };
    this.ticks = { last, count, undecided, periodSeconds: 0, pauseSeconds: 0, lastSeconds: 0 };
    this.tickType = settings.tick;
    const states = () => [
      [LISTENER, this.yieldedBefore] as const,
      ...this.runners.map(({ job, known }) => [job.key, known] as const),
    ];
    this.journal = new Journal(statePath && `${statePath}.runs`, log, states);
    this.yieldedBefore = this.journal.found.get(LISTENER) ?? FRESH_STATE;
    const { found, moved } = takeOver01(this.journal.found, jobs, counter.found);
    found.delete(LISTENER);
    this.roster = new Roster(jobs, this, found);
    for (const { state } of this.runners) this.turns.take(slotsOf(state)); // until we know which of them are over
    this.claimFiles();
    this.journal.append(moved);
    this.countNamed(found);
  }

  // An event that was named right before a kill, and so is not in the counter file, counts: it comes again, but not
  // always before all others.
  private countNamed(states: ReadonlyMap<string, JobState>): void {
    for (const { lastEvent } of states.values()) {
      const { serial = 0, supervisor } = lastEvent ?? {};
      if (supervisor === undefined || supervisor !== this.supervisorId || this.counted.has(serial)) continue;
      this.counted.add(serial);
      this.writeCounter();
    }
  }

  // Started again by the supervisord whose listener has yielded to another one, it would only take turns with that: so
  // it ends before READY, and supervisord shows it as FATAL. That one writes at each tick, if ticks are what it gets.
  private claimFiles(): void {
    const { yielded } = this.yieldedBefore;
    const isAgain = yielded?.supervisor === this.supervisorName;
    const isJustNow = isAgain && Date.now() / 1000 - yielded!.at < MIN_MARK_SECONDS;
    const { found, foundRival } = this.counter;
    const before = isJustNow ? rivalOf(found) : isAgain ? foundRival : undefined;
    const rival = before ?? this.counter.findTaker();
    if (rival !== undefined) refuseToStart(inUseBy(this.statePath!, rival), this.log);
    if (foundRival?.isElsewhere)
      this.log.line(`took ${this.statePath} over from ${rivalName(foundRival)}: if that still lives, it ends its runs`);
    this.writeCounter();
    if (!isAgain) return;
    this.journal.append([[LISTENER, { type: "removed", at: Date.now() / 1000 }]]);
    this.yieldedBefore = FRESH_STATE;
  }

  /** Supervisord's clock, in epoch seconds: the last tick told it; before the first one it is the machine's. */
  get now(): number {
    const { last, periodSeconds, lastSeconds } = this.ticks;
    if (last === undefined || periodSeconds === 0) return Date.now() / 1000;
    return last.whenSeconds + monotonicSeconds() - lastSeconds;
  }

  private get supervisorName(): string {
    return this.supervisorId ?? machineId();
  }

  private get runners(): readonly JobRunner[] {
    return this.roster.runners;
  }

  /** The job, where there is no crontab. */
  private get onlyJob(): Job | undefined {
    return this.crontab === undefined ? this.runners[0].job : undefined;
  }

  start(): void {
    this.input = openInput(
      (bytes) => this.onBytes(bytes),
      () => this.onInputEnd(),
    );
    this.logBeginning();
    this.describeJobs();
    this.takeOver(this.runners);
    this.runNow("start", ({ job }) => isRunOnStart(job));
    this.takeRequests();
    this.dismissDone();
    if (this.isTicking) this.expectTicks();
  }

  // What the listener before left, in slices, so that events are answered in between. A job for which something is
  // decided before its turn takes over at once.
  private takeOver(runners: readonly JobRunner[]): void {
    const end = monotonicSeconds() + SLICE_SECONDS;
    const later = runners.findIndex((runner) => {
      runner.lookBack();
      return monotonicSeconds() > end;
    });
    if (later >= 0) setImmediate(() => this.takeOver(runners.slice(later + 1)));
  }

  private describePlace(): string {
    const { statePath } = this;
    if (statePath === undefined) return "memory only";
    return this.counter.isInMemory ? `memory only, runs in ${statePath}.runs` : statePath;
  }

  private logBeginning(): void {
    const { crontab, onlyJob } = this;
    const what = onlyJob?.schedule.describe() ?? `${this.roster.countJobs()} of ${crontab!.path}`;
    const tick = this.isTicking ? ` on ${this.tickType ?? "the first type of tick seen"}` : "";
    const count = onlyJob?.schedule.kind === "ticks" ? `; count ${this.ticks.count}` : "";
    const columns = crontab?.describe() ?? "";
    if (columns !== "") this.log.line(columns);
    for (const doubt of crontab?.doubts ?? []) this.log.line(doubt);
    this.log.line(`${what}${tick}${count}; state in ${this.describePlace()}`);
    const doubts = this.runners.map(({ job }) => outputDoubt(this.log.form, job.options)).filter(isPresent);
    if (doubts.length > 0) this.log.line(doubts[0]);
    for (const { log, state } of this.runners) if (state.paused !== undefined) log.line(describePause(state.paused));
  }

  onSignal(signal: NodeJS.Signals): void {
    if (signal === "SIGHUP")
      this.reload(false); // HUP is not a stop
    else if (signal === "SIGURG") this.takeRequests();
    else if (signal === "SIGUSR1") this.log.line("SIGUSR1 does nothing; SIGUSR2 runs every job now");
    else if (signal !== "SIGUSR2") this.onStopSignal(signal);
    else this.runNow("signal", () => true);
  }

  private runNow(reason: "start" | "signal", isMeant: (runner: JobRunner) => boolean): void {
    this.commit(outcomesOf(this.runners.filter(isMeant), (runner) => runner.runNow(reason)));
  }

  private takeRequests(): void {
    if (this.isStopping || this.statePath === undefined) return;
    for (const id of requestsBeside(this.statePath)) this.takeRequest(this.statePath, id);
  }

  private takeRequest(statePath: string, id: string): void {
    const ignore = (why: string) => this.warnOnce(id, `${requestFile(statePath, id)}: ${why}; nothing is done for it`);
    let request: Request;
    try {
      request = takeRequest(statePath, id);
    } catch (error) {
      if (errorCode(error) !== "ENOENT") ignore(errorCode(error)); // else it was withdrawn
      return;
    }
    const runners = this.runners.filter(({ job, isLeaving }) => job.key === request.job && !isLeaving);
    if (runners.length === 0) ignore("its job is not here any more");
    this.commit(outcomesOf(runners, (runner) => runner.onRequest(request)));
  }

  // The order that makes a kill at any instant harmless: facts, counter, answer, and only then the effects. However
  // many jobs: one write, and one sync.
  commit(outcomes: readonly Outcome[], isEvent = false): void {
    const facts = outcomes.flatMap(({ runner, decision }) =>
      decision.notes.map(({ fact }) => [runner.job.key, fact] as const),
    );
    const { isStopping } = this;
    if ((isEvent || facts.length > 0) && this.isTaken() && !isStopping) return;
    if (isEvent && this.isStopping) return; // it is for the next listener
    this.journal.append(facts);
    if (isEvent) this.writeCounter();
    if (isEvent) this.answer();
    for (const { runner, decision } of outcomes) runner.perform(decision);
  }

  /** Has another listener taken the files? Then nothing is written any more, and we end. */
  private isTaken(): boolean {
    const taker = this.counter.findTaker();
    if (taker === undefined) return false;
    this.journal.yield(this.supervisorName);
    this.fail(inUseBy(this.statePath!, taker));
    return true;
  }

  // The jobs may change:

  private lookAtCrontab(): void {
    const look = this.crontab?.look();
    if (look === "changed") this.reload(true);
    if (look !== "changing" || this.isLookingAgain) return;
    this.isLookingAgain = true;
    startTimer(SETTLE_SECONDS, () => {
      this.isLookingAgain = false;
      this.lookAtCrontab();
    });
  }

  private reload(onlyChanged: boolean): void {
    const { crontab } = this;
    if (crontab === undefined || this.isStopping) return;
    for (const [mistakes, sequel] of crontab.read(onlyChanged)) this.log.error(`${mistakes}; ${sequel}`);
    const changes = this.roster.change(crontab.jobs);
    this.describeJobs();
    this.dismissDone();
    const refused = crontab.refused === 0 ? "" : `; ${describeRefused(crontab.refused)}`;
    this.log.line(`${this.roster.countJobs()} of ${crontab.path}: ${changes}${refused}`);
  }

  private describeJobs(): void {
    for (const decided of this.roster.describe()) this.commit(decided);
  }

  private dismissDone(): void {
    if (this.crontab !== undefined && this.crontab.refused > 0) return;
    const at = Date.now() / 1000;
    this.journal.append(this.roster.dismissDone().map((key) => [key, { type: "removed", at }]));
  }

  // One that comes while supervisord's end is stopping us is the first.
  private onStopSignal(signal: NodeJS.Signals): void {
    this.stopSignals++;
    if (!this.isStopping || this.stopSignals > 1) this.stop(signal, "drain");
  }

  // From bytes to the answer:

  private onBytes(bytes: string): void {
    try {
      const event = this.reader.push(bytes);
      if (event !== undefined) this.onEvent(event);
      else if (this.reader.isAmbiguous) this.settlePayload();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.fail(`got ${error.message} from supervisord; exiting so that it starts a fresh listener`);
    }
  }

  /** Nothing more comes in for a while: then the payload is complete. */
  private settlePayload(): void {
    const bytes = this.input.bytesRead();
    setTimeout(() => {
      if (this.reader.isAmbiguous && this.input.bytesRead() === bytes) this.onEvent(this.reader.settle());
    }, AMBIGUOUS_PAYLOAD_MS);
  }

  private onEvent(event: SupervisorEvent): void {
    if (this.isStopping) return; // for the next listener
    const mistake = this.hasSeenEvent ? undefined : poolMistake(); // at the start a sibling may not have been there
    this.hasSeenEvent = true;
    if (mistake !== undefined) return this.fail(mistake, 2);
    this.takeNumber(event);
    if (event.isDropped) this.log.line(`the payload of ${event.name}, serial ${event.serial}, is over 1 MiB: dropped`);
    if (TICK_PERIODS[event.name] !== undefined) return this.onTick(event);
    const asked = askedName(event);
    const isAsked = ({ job }: JobRunner) => asked === "" || asked === job.name;
    const meant = this.runners.filter((runner) => isAsked(runner) || isListenedTo(runner.job.schedule, event.name));
    if (meant.length === 0) return this.passOver(asked);
    if (this.counted.has(event.serial)) return this.ignoreCounted(event.serial);
    this.counted.add(event.serial);
    const reason = (runner: JobRunner) => (isAsked(runner) ? "remote" : "event");
    this.commit(
      outcomesOf(meant, (runner) => runner.onEvent(event, reason(runner))),
      true,
    );
  }

  private passOver(asked: string | undefined): void {
    if (asked !== undefined) {
      const names = this.runners.map(({ job }) => job.name);
      this.log.error(`asked to run ${quote(asked)}, but no job has that name${suggestion(asked, names)}`);
    }
    this.commit([], true);
  }

  private takeNumber({ poolSerial }: SupervisorEvent): void {
    if (poolSerial !== undefined) this.gaps.add(poolSerial);
    if (this.isWaitingForLate || !this.gaps.isOpen) return;
    this.isWaitingForLate = true;
    this.waitForLate();
  }

  private waitForLate(): void {
    startTimer(LATE_SECONDS, () => {
      const lost = this.isStopping ? 0 : this.gaps.look();
      if (lost > 0) this.reportLost(lost);
      this.isWaitingForLate = this.gaps.isOpen && !this.isStopping;
      if (this.isWaitingForLate) this.waitForLate();
    });
  }

  private reportLost(lost: number): void {
    const meant = this.runners.filter(({ job, isLeaving }) => job.schedule.kind === "events" && !isLeaving);
    // Of ticks that came while we were away the last one tells all.
    if (meant.length === 0) return this.log.line(`events that supervisord did not keep for us: ${lost}`);
    this.log.error(`${lost} ${LOST_EVENTS}`);
    this.commit(outcomesOf(meant, (runner) => runner.loseEvents(lost)));
  }

  private ignoreCounted(serial: number): void {
    if (this.settings.verbose) this.log.line(`event serial ${serial} was counted before; answered and ignored`);
    this.commit([], true);
  }

  private onTick(event: SupervisorEvent): void {
    // An --on listener has no ticks of its own: this one leaked in from another pool. Answer, but start no watchdog on
    // it.
    if (this.tickType === undefined && !this.isTicking) return this.commit([], true);
    const tick = parseTick(event);
    this.tickType = this.tickType ?? event.name;
    if (tick === undefined) this.warnOnce("no time", `${event.name} has no time but ${quote(event.payload)}; ignored`);
    else if (event.name === this.tickType) return this.onCountedType(tick);
    else this.warnOnce("other tick", this.otherTickWarning(event.name));
    this.commit([], true);
  }

  private get isTicking(): boolean {
    return this.crontab !== undefined || this.runners.some(({ job }) => job.schedule.kind !== "events");
  }

  private otherTickWarning(type: string): string {
    const remedy = `write events=${this.tickType} and --tick ${this.tickType}, or ${type} in both places`;
    return `got a ${type}, but ${this.tickType} is what counts here; other types are ignored: ${remedy}`;
  }

  /** A tick of the type that counts: what it makes due is written down, it is counted and answered, and runs start. */
  private onCountedType(tick: Tick): void {
    const { ticks } = this;
    if (ticks.periodSeconds === 0) this.beginTicking(tick);
    this.lookAtCrontab();
    if (this.journal.isBehindFacts && this.isTaken()) return;
    this.journal.flush();
    const counted = countTick(ticks.last, this.counted, tick);
    if (counted === undefined) return this.ignoreCounted(tick.serial);
    this.counted.add(tick.serial);
    ticks.lastSeconds = monotonicSeconds();
    ticks.count++;
    const { isLate, setBackSeconds } = counted;
    const { whenSeconds, serial } = tick;
    const before = ticks.last;
    if (!isLate) {
      ticks.pauseSeconds = before === undefined ? 0 : whenSeconds - before.whenSeconds;
      ticks.last = { whenSeconds, serial };
    }
    if (setBackSeconds > 0)
      this.log.line(`the clock was set back by ${setBackSeconds}s; going on from ${formatTime(whenSeconds)}`);
    this.logTick(tick);
    const decided = isLate ? [] : this.decideTick(tick, before === undefined ? undefined : setBackSeconds);
    this.updateCount(isLate || setBackSeconds > 0);
    this.commit(decided, true);
  }

  private decideTick(tick: Tick, setBackSeconds: number | undefined): Outcome[] {
    const isAwake = ({ wakeAt }: JobRunner) => wakeAt <= tick.whenSeconds || Boolean(setBackSeconds);
    return outcomesOf(this.runners.filter(isAwake), (runner) => runner.onTick(tick, setBackSeconds));
  }

  // A late tick, and one of a clock that was set back, run nothing: what they count is decided with the next one.
  private updateCount(isUndecided: boolean): void {
    const { ticks, onlyJob } = this;
    const schedule = onlyJob?.schedule;
    if (isUndecided) ticks.undecided++;
    else {
      if (schedule instanceof TickSchedule) ticks.count = schedule.countAfter(ticks.count);
      ticks.undecided = 0;
    }
  }

  // With the first tick the period is known.
  private beginTicking({ periodSeconds }: Tick): void {
    this.stopExpectingTicks();
    this.ticks.periodSeconds = periodSeconds;
    this.ticks.lastSeconds = monotonicSeconds();
    this.watch(WATCHDOG_PERIODS * periodSeconds, false);
  }

  /** With --verbose. The count is logged where it may decide: with a crontab, and of a single job with --ticks. */
  private logTick(tick: Tick): void {
    if (!this.settings.verbose) return;
    const schedule = this.onlyJob?.schedule;
    const goal = schedule instanceof TickSchedule ? ` of ${schedule.every}` : undefined;
    const count = schedule === undefined || goal !== undefined ? `: count ${this.ticks.count}${goal ?? ""}` : "";
    this.log.line(`tick ${tick.whenSeconds} (${this.tickType})${count}`);
  }

  private answer(): void {
    try {
      writeFully(1, ANSWER);
    } catch (error) {
      this.stop(`supervisord does not read any more (${errorCode(error)})`);
    }
  }

  /** No supervisord ever spoke to us. */
  private get isByHand(): boolean {
    return !this.hasSeenEvent && process.env.SUPERVISOR_ENABLED === undefined;
  }

  // By hand it is a mistake, not a stop.
  private onInputEnd(): void {
    if (!this.isByHand) return this.stop("supervisord closed our stdin");
    this.log.line(noSupervisord("supertick simulate --ticks 5 --for 15m -- echo hello".split(" ")));
    this.exitStatus = 2;
    this.stop("stdin ended");
  }

  private writeCounter(isAtWork = true): void {
    const { count, undecided, last, periodSeconds: known } = this.ticks;
    const tick = last?.isForeign ? { whenSeconds: last.whenSeconds } : last;
    const { counted: serials, self } = this;
    const refused = this.crontab?.refused;
    const listener = isAtWork ? self : undefined;
    const supervisor = isAtWork || !this.isByHand ? this.supervisor : undefined; // a trial's shell is none
    const { highest: poolSerial } = this.gaps;
    const periodSeconds = known || TICK_PERIODS[this.tickType ?? ""] || this.counter.found.periodSeconds;
    const machine = machineId();
    const who = { supervisor, listener, machine };
    this.counter.write({ count, undecided, tick, periodSeconds, serials, poolSerial, refused, ...who });
  }

  private warnOnce(kind: string, text: string): void {
    if (!this.warnings.has(kind)) this.log.line(text);
    this.warnings.add(kind);
  }

  // A listener without ticks looks healthy to supervisord. Log it, but don't exit: a fresh one would get none either.
  private expectTicks(): void {
    const type = this.tickType ?? USUAL_TICK;
    const seconds = WATCHDOG_PERIODS * TICK_PERIODS[type]!;
    const warn = () => {
      const remedy = `is this an [eventlistener:x] section with events=${type}? If so, ${IF_FORGOTTEN}`;
      this.log.line(`no ${this.tickType ?? "tick"} has come in ${formatDuration(seconds)}: ${remedy}`);
    };
    this.stopExpectingTicks = startTimer(seconds, () => {
      this.stopExpectingTicks = startTimer(WATCHDOG_SECOND_LOOK_SECONDS, warn); // as below
    });
  }

  // Ticks stop coming when supervisord is wedged or has put us into UNKNOWN; only a fresh listener gets out of that.
  // The timer is re-armed only when it fires, so that ticks cost nothing. After a SIGSTOP it may fire before the tick
  // that waits in the pipe is read: hence the second look.
  private watch(seconds: number, isSecondLook: boolean): void {
    startTimer(seconds, () => {
      const { periodSeconds, lastSeconds } = this.ticks;
      if (this.isStopping) return; // nothing is read any more
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

  // The end:

  /** Ends with an exit status at which supervisord starts a fresh listener. */
  private fail(why: string, exitStatus = 1): void {
    this.log.error(why);
    if (this.isStopping) return;
    this.exitStatus = exitStatus;
    this.stop();
  }

  /**
   * The first stop ends the runs, with a grace; or lets them drain, and the next one ends them. One after that kills.
   * What comes in is left for the next listener; but while runs drain, supervisord's end must be seen.
   */
  private stop(why?: string, first: Stop = "end"): void {
    if (why !== undefined && this.exitStatus === 0) this.log.line(`${why}: stopping`);
    const how = !this.isStopping ? first : this.isAnyGoingOn ? "end" : "kill";
    const seconds = Math.max(0, ...this.runners.map(({ job, state }) => longestStop(job, state, how)));
    this.stopDeadlineSeconds = how === "kill" ? 0 : monotonicSeconds() + seconds;
    this.isStopping = true;
    for (const runner of this.runners) runner.apply({ type: "stop", how });
    if (!this.isAnyGoingOn) this.input.pause();
    this.settle();
  }

  private get isAnyGoingOn(): boolean {
    return this.runners.some(({ state }) => state.runs.some(isGoingOn));
  }

  // After what is being done now.
  settleSoon(): void {
    if (!this.isSettling) setImmediate(() => this.settle());
    this.isSettling = true;
  }

  // Side tasks get what is left of the grace, and at least a second; with a second stop nothing.
  private settle(): void {
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

  // Who is gone takes nothing from anybody: the counter names no listener any more.
  private exit(): void {
    if (this.gaps.isOpen) this.log.line(`events that have not come before the end: ${this.gaps.missing}`);
    if (!this.isTaken()) {
      this.journal.flush();
      this.writeCounter(false);
    }
    this.log.flush();
    process.exit(this.exitStatus);
  }
}

/**
 * What a journal of version 0.1 knows, under the keys of today: there a job was known by its id, or by its name.
 * @returns the states, and what the journal must say of them
 */
function takeOver01(
  journal: ReadonlyMap<string, JobState>,
  jobs: readonly Job[],
  counter: CounterContent,
): { found: Map<string, JobState>; moved: KeyedFact[] } {
  const found = new Map(journal);
  const moved: KeyedFact[] = [];
  const at = Date.now() / 1000;
  const old = new Map([...journal].filter(([, { id01 }]) => id01 !== undefined));
  for (const job of old.size === 0 ? [] : jobs) {
    const id = idOf01(job);
    const names = [...old.keys()];
    const isOnly = job.key === ONLY_JOB && old.size === 1;
    const key = names.find((name) => old.get(name)!.id01 === id) ?? names.find((name) => isOnly || name === job.name);
    if (key === undefined || (found.has(job.key) && key !== job.key)) continue;
    const state = decidedAs01(old.get(key)!, job.schedule, counter);
    old.delete(key);
    found.delete(key);
    found.set(job.key, state);
    const facts: Fact[] = [{ type: "removed", at }, ...factsOf(state, at)];
    moved.push(...facts.map((fact) => [job.key, fact] as const));
    if (key !== job.key) moved.push([key, { type: "removed", at }]);
  }
  return { found, moved };
}

// What was decided stood in the counter file, less the whole periods of the job's delay.
function decidedAs01(
  state: JobState,
  { isFixed }: Schedule,
  { decided01, tick, periodSeconds = 60 }: CounterContent,
): JobState {
  const { decided: named = 0, delay } = state;
  if (decided01 === undefined) return state;
  const decided = (isFixed ? decided01.fixed : decided01.all) - (delay - (delay % periodSeconds));
  return { ...state, decided: tick !== undefined && named <= tick.whenSeconds ? Math.max(decided, named) : decided };
}

function outcomesOf(runners: readonly JobRunner[], decide: (runner: JobRunner) => Decision | undefined): Outcome[] {
  // One that has just ended must not be in the way. Its end is written down here, for no decision is under way yet.
  for (const runner of runners) runner.lookBack();
  const decided: Outcome[] = [];
  for (const runner of runners) {
    const decision = decide(runner);
    if (decision !== undefined) decided.push({ runner, decision });
  }
  return decided;
}

/** Until the last run of a job is killed; its hooks have the grace in any case. */
function longestStop({ options }: Job, { runs }: JobState, how: Stop): number {
  const policies = runs.map(({ job }) => (job?.options ?? options).policy);
  const times = policies.map((policy) => policy.killAfterSeconds + (how === "drain" ? policy.drainSeconds : 0));
  return Math.max(options.policy.killAfterSeconds, ...times);
}

function noSupervisord(trial: readonly string[]): string {
  const words = trial.map((word) => (/^[\w%+=:@,./-]+$/.test(word) ? word : `'${word.replace(/'/g, "'\\''")}'`));
  return `supervisord must start this, as an [eventlistener:x] program; to try it here: ${words.join(" ")}`;
}

/** Which job the event asks to run, "" for all; undefined: it asks for none. */
function askedName({ name, payload }: SupervisorEvent): string | undefined {
  if (name !== "REMOTE_COMMUNICATION") return undefined;
  const { type, data } = parseRemoteCommunication(payload);
  return type === "supertick" ? data.trim() : undefined;
}

function isListenedTo(schedule: Schedule, eventName: string): boolean {
  return schedule instanceof EventSchedule && isAmong(schedule.names, eventName);
}

// ── Start ───────────────────────────────────────────────────────────────────
// From the words of a command line to a listener that is ready. All settings are read, and any mistake reported, before
// READY goes out: then supervisord shows it as FATAL, instead of a listener that runs nothing.

/** What supertick was called with. */
interface Invocation {
  readonly flags: Layer;
  readonly environment: EnvironmentLayer;
  readonly settings: Settings;
  readonly command: readonly string[];
}

/** @throws UsageError */
function readInvocation({ layer: flags, command }: CommandLine, env: NodeJS.ProcessEnv = process.env): Invocation {
  const environment = parseEnvironment(env, readSecret);
  try {
    return { flags, environment, settings: resolveSettings([flags, environment.layer]), command };
  } catch (error) {
    // A schedule may be missing because its variable is misspelt.
    const isNowhere = error instanceof UsageError && error.origin === undefined;
    throw isNowhere ? new UsageError([error.message, ...environment.warnings].join("; ")) : error;
  }
}

function startListener(args: readonly string[], scopes: readonly Scope[]): void {
  const invocation = readInvocation(parseCommandLine(args, scopes));
  const { settings, environment, command } = invocation;
  checkCommand(invocation);
  checkDescriptors(args);
  const allLog = createLog(settings.log);
  const mistake = poolMistake(allLog);
  if (mistake !== undefined) throw new UsageError(mistake);
  const name =
    settings.name ?? process.env.SUPERVISOR_PROCESS_NAME ?? (baseName(settings.crontab ?? command[0]) || "job");
  const log = settings.crontab === undefined ? allLog.ofJob(name) : allLog;
  for (const warning of environment.warnings) log.line(warning);
  const crontab = crontabSource(invocation);
  const jobs = crontab?.jobs ?? [onlyJobOf(name, invocation)];
  for (const [mistakes, sequel] of crontab?.problems ?? []) log.error(`${mistakes}; ${sequel}`);
  for (const doubt of zoneDoubts(jobs.map(({ schedule }) => schedule))) log.line(doubt);
  const statePath = settings.state ?? tryDefaultStatePath(name, log);
  whenRivalIsGone(statePath, settings.killAfter + RIVAL_PATIENCE_SECONDS, log, (counter) => {
    // The signals are caught first, for a USR2 would otherwise end us, and a USR1 open Node's debugger; the handlers
    // run when the listener is there.
    for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGURG"] as const)
      process.on(signal, () => listener.onSignal(signal));
    const listener = new Listener(jobs, settings, crontab, statePath, counter, log);
    sayReady(log);
    listener.start();
  });
}

/** @throws UsageError where the only file has a mistake; in a directory the other files count */
function crontabSource({ settings, flags, environment }: Invocation): CrontabSource | undefined {
  const { crontab: path, userColumn } = settings;
  if (path === undefined) return undefined;
  const source = new CrontabSource(path, flags, environment.layer, userColumn);
  source.problems = source.read();
  if (source.problems.length > 0 && !source.isDirectory) throw new UsageError(source.problems[0][0]);
  return source;
}

function onlyJobOf(name: string, { settings, command }: Invocation): Job {
  const user = settings.user === undefined ? undefined : userNamed(settings.user);
  return jobOf(name, command, scheduleOf(settings, defaultZone), settings, user);
}

/** @throws UsageError on a terminal, and where what we log would go to supervisord as an answer */
function checkDescriptors(args: readonly string[]): void {
  if (fs.fstatSync(0).isCharacterDevice() && (require("tty") as typeof import("tty")).isatty(0))
    throw new UsageError(noSupervisord([...ownCommand(), "simulate", ...args]));
  if (isOnePipe())
    throw new UsageError("stdout and stderr are one pipe, but stdout belongs to the protocol: redirect_stderr=false");
}

function isOnePipe(): boolean {
  const [stdout, stderr] = [1, 2].map((fd) => tryTo(() => fs.fstatSync(fd)));
  if (stdout === undefined || stderr === undefined) return false;
  return stdout.ino === stderr.ino && stdout.dev === stderr.dev && (stdout.isFIFO() || stdout.isSocket());
}

/** @throws UsageError where --crontab or a command is missing, and where both are there */
function checkCommand({ command, settings }: Invocation): void {
  if (settings.crontab !== undefined) {
    if (command.length === 0) return;
    throw new UsageError("the commands stand in the crontab: --crontab and a command behind -- don't go together");
  }
  if (command.length === 0)
    throw new UsageError("no command given: put it behind --, as in supertick --ticks 5 -- /path/to/command");
  if (command[0] === "") throw new UsageError("the command behind -- is empty");
}

// Python's supervisord shares the ticks out among the processes of a pool, as numprocs=2 makes it. When all but the
// first refuse, that one gets every tick. Only a process that is not called as its group can be one of several.
function poolMistake(log?: Log): string | undefined {
  const { SUPERVISOR_PROCESS_NAME: name, SUPERVISOR_GROUP_NAME: group } = process.env;
  if (name === undefined || group === undefined || name === group) return undefined;
  const why = "and supervisord would share the ticks out among them: set numprocs=1";
  if (identify(process.pid) === undefined) log?.line(`${quote(name)} may be one of several processes, ${why}`);
  // sync_2 comes before sync_10
  const isBefore = (other: string) => other.length < name.length || (other.length === name.length && other < name);
  const first = siblingsIn(group).find(isBefore);
  return first && `the process ${quote(first)} is in the group ${quote(group)} too, ${why}`;
}

function tryDefaultStatePath(name: string, log: Log): string | undefined {
  try {
    return defaultStatePath(name, log);
  } catch (error) {
    log.error(
      `no place for the counter file: ${(error as Error).message}; counting in memory only, --state names a place`,
    );
    return undefined;
  }
}

const RIVAL_PATIENCE_SECONDS = 2;
const RIVAL_POLL_SECONDS = 0.2;

// Two live listeners on one file would count double, so the second one ends. But one whose supervisord is dead is only
// ending its job, with a grace: wait for it, or supervisord's few attempts to start us would be used up by then.
function whenRivalIsGone(
  path: string | undefined,
  patienceSeconds: number,
  log: Log,
  start: (counter: CounterFile) => void,
): void {
  const counter = new CounterFile(path, log);
  const rival = rivalOf(counter.found);
  if (rival === undefined || rival.isElsewhere) return start(counter);
  if (rival.isEnding && patienceSeconds > 0) {
    startTimer(RIVAL_POLL_SECONDS, () => whenRivalIsGone(path, patienceSeconds - RIVAL_POLL_SECONDS, log, start));
    return;
  }
  refuseToStart(inUseBy(path!, rival), log);
}

function refuseToStart(why: string, log: Log): never {
  log.error(why);
  log.flush();
  process.exit(1);
}

function sayReady(log: Log): void {
  try {
    writeFully(1, READY);
  } catch {
    log.line("supervisord does not read our stdout: stopping");
    process.exit(0);
  }
}

/** What subcommands need to know of a job. */
type PlannedJob = Pick<CrontabJob, "schedule" | "settings">;

/** The jobs of a listener that is called so. @throws UsageError */
function plannedJobs({ settings, flags, environment }: Invocation, localZone = defaultZone): readonly PlannedJob[] {
  if (settings.crontab === undefined) return [{ schedule: scheduleOf(settings, localZone), settings }];
  const source = new CrontabSource(settings.crontab, flags, environment.layer, settings.userColumn, localZone);
  const [problem] = source.read();
  if (problem !== undefined) throw new UsageError(problem[0]);
  return source.jobs;
}

// TZ as the C library reads it: a colon may stand in front, or a path be given, and empty means UTC. Without it the
// process's own clock knows the system's zone, and asking that spares the listener what Intl costs.
function defaultZone(name = process.env.TZ): Zone {
  if (name === undefined) return createZone(LOCAL_TIME, (at) => -60 * new Date(at * 1000).getTimezoneOffset());
  const file = name.replace(/^:/, "");
  try {
    return createZone((file === LOCALTIME ? systemZoneName() : behindZoneinfo(file)) ?? (file || "UTC"));
  } catch (error) {
    throw new UsageError(`TZ: ${(error as Error).message}; --tz wins over it`, "TZ");
  }
}

const LOCALTIME = "/etc/localtime";
const behindZoneinfo = (path: string): string | undefined => /zoneinfo[^/]*\/(?:posix\/)?(.+)$/.exec(path)?.[1];

/** Undefined where LOCALTIME does not say: it is a plain file, and not UTC's. */
function systemZoneName(): string | undefined {
  const path = tryTo(() => fs.realpathSync(LOCALTIME));
  if (path === undefined || /\n(?:UTC|GMT)0\n$/.test(tryReadFile(path))) return "UTC";
  return behindZoneinfo(path);
}

// Of a plain file runtimes look for one with that content, and take the zone of another country, or of older rules.
function zoneDoubts(schedules: readonly Schedule[]): string[] {
  const isByLocalHour = (one: Schedule) =>
    one instanceof CronSchedule && one.zone.name === LOCAL_TIME && !one.cron.text.endsWith(" * * * *");
  if (!schedules.some(isByLocalHour) || systemZoneName() !== undefined) return [];
  return [`${LOCALTIME} is not a link into a zoneinfo tree, so local time is a guess: name the zone by --tz or TZ`];
}

// ── simulate ────────────────────────────────────────────────────────────────
// Plays supervisord, so that you can try a command line without one: starts this file as a child, sends it ticks over
// pipes, and shows what it logs, each time below the tick that it follows. It is as strict as Python's supervisord.
// Without --state the files of a trial are temporary.
// To send other events than ticks: planTicks and sendTicks.

function simulate(args: readonly string[], scopes: readonly Scope[]): void {
  const invocation = readInvocation(parseCommandLine(args, scopes));
  const { flags, settings, command } = invocation;
  checkCommand(invocation);
  if (settings.on !== undefined)
    throw new UsageError("simulate plays ticks only; --on waits for other events of supervisord");
  const plan = planTicks(invocation);
  const isPassedOn = (key: OptionKey) => key !== "state" && ["job", "listener"].includes(specOf(key).scope);
  const options = [...flags.texts]
    .filter(([key]) => isPassedOn(key))
    .map(([, { text, origin }]) => `${origin}=${text}`);
  // TICK_STATE is passed over: that file may be in use by the real listener.
  const directory = flags.texts.has("state") ? undefined : makeTemporaryDirectory();
  const statePath = directory === undefined ? settings.state! : `${directory}/count`;
  const words = [`--state=${statePath}`, ...options, ...(command.length > 0 ? ["--", ...command] : [])];
  play(plan, statePath, words)
    .catch((error: Error) => {
      tryTo(() => show(`simulate: ${error.message}`)); // the reader may be gone
      return 1;
    })
    .then((status) => {
      for (const file of directory === undefined ? [] : namesIn(directory)) fs.unlinkSync(`${directory}/${file}`);
      if (directory !== undefined) fs.rmdirSync(directory);
      process.exit(status); // a timer may still be waiting for the next tick
    });
}

/** @throws UsageError */
function makeTemporaryDirectory(): string {
  const parent = process.env.TMPDIR || "/tmp";
  try {
    return fs.mkdtempSync(`${parent}/supertick-simulate-`);
  } catch (error) {
    throw new UsageError(
      `no place for simulate's counter file: ${parent}: ${describeError(error)}; --state names another`,
    );
  }
}

type TickPlan = ReturnType<typeof planTicks>;

/** Which ticks to send; `pauseSeconds`: real seconds between two, 0: each one when all runs have ended. */
function planTicks(invocation: Invocation) {
  const { tick, from = Date.now() / 1000, for: seconds, speed, frames } = invocation.settings;
  const jobs = plannedJobs(invocation);
  const isFine = fittingTick(jobs, from) === "TICK_5";
  const hasJitter = jobs.some(({ schedule, settings }) => settings.jitter > 0 && isByClock(schedule));
  const type = tick ?? (isFine ? "TICK_5" : USUAL_TICK);
  const periodSeconds = TICK_PERIODS[type]!;
  const count = Math.floor(seconds / periodSeconds);
  if (count === 0) throw new UsageError(`--for: expected at least one ${type}, ${formatDuration(periodSeconds)}`);
  const firstWhen = Math.ceil(from / periodSeconds) * periodSeconds;
  return { type, periodSeconds, firstWhen, count, pauseSeconds: periodSeconds / speed, frames, hasJitter };
}

/** Returns the exit status. @throws Error when the listener breaks the protocol */
async function play(plan: TickPlan, statePath: string, words: readonly string[]): Promise<number> {
  if (plan.hasJitter)
    show("simulate: a delay by --jitter is in real time: where ticks come faster, a run waits for one");
  const listener = new SimulatedListener(words, plan.frames);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => listener.stop());
  const before = countRuns(statePath);
  try {
    await Promise.race([sendTicks(plan, statePath, listener), listener.ended]);
  } finally {
    listener.stop();
    await listener.ended;
  }
  const end = await listener.ended;
  const runs = Object.entries(countRuns(statePath)).map(([what, count]) => [count - before[what], what] as const);
  const counts = runs.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  const summary = counts.length === 0 ? `no run${describeFirstRun(statePath, plan)}` : `runs: ${counts.join(", ")}`;
  const isFast = plan.pauseSeconds > 0 && counts.some((count) => count.endsWith(" skipped"));
  const hint = isFast ? " (a run takes its own time, and ticks came fast: --speed max waits for each)" : "";
  show(`simulate: ${countOf(listener.ticks, "tick")}, ${summary}${hint}; the listener ended ${end}`);
  return end === "with exit 0" ? 0 : 1;
}

/** When it would be, and how to see it; "" where due times were held back, and where there is none. */
function describeFirstRun(statePath: string, { firstWhen, periodSeconds, pauseSeconds }: TickPlan): string {
  const counter = tryTo(() => parseCounter(readStart(statePath))) ?? NO_COUNTER;
  const states = statesIn(statePath);
  const first = Math.min(
    ...states.map((state) => tryNextRun(state, counter, Date.now() / 1000) ?? Number.POSITIVE_INFINITY),
  );
  if (first === Number.POSITIVE_INFINITY || states.some(({ lastRun }) => lastRun > 0)) return "";
  const ticks = Math.ceil((first - firstWhen) / periodSeconds) + 1;
  const options = `--for ${formatDuration(ticks * periodSeconds)}${ticks * pauseSeconds > 60 ? " --speed max" : ""}`;
  return `; the first would be at ${formatTime(first)}: ${options} shows it`;
}

async function sendTicks(plan: TickPlan, statePath: string, listener: SimulatedListener): Promise<void> {
  const { type, periodSeconds, firstWhen, count, pauseSeconds } = plan;
  const wait = (seconds: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, seconds) * 1000));
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

/** The listener as supervisord sees it. */
class SimulatedListener {
  /** How many were answered. */
  ticks = 0;
  /** How it ended, in words. */
  readonly ended: Promise<string>;
  private readonly stdin: import("stream").Writable;
  private received = "";
  private onBytes = () => {};
  private isStopping = false;
  private lastTick = ""; // that nothing was logged after

  constructor(
    words: readonly string[],
    private readonly isShowingFrames: boolean,
  ) {
    const { spawn } = require("child_process") as typeof import("child_process");
    const env: NodeJS.ProcessEnv = { ...process.env, SUPERVISOR_ENABLED: "1" };
    delete env.SUPERVISOR_PROCESS_NAME; // of a supervisord that simulate runs under
    delete env.SUPERVISOR_GROUP_NAME;
    const self = [...(isDeno ? ["run", "-A"] : process.execArgv), process.argv[1]];
    const [pipe] = tryMakePipes(1);
    const child = spawn(process.execPath, [...self, ...words], {
      env,
      stdio: ["pipe", "pipe", pipe?.writeEnd ?? "pipe"],
    });
    if (pipe !== undefined) fs.closeSync(pipe.writeEnd);
    const onLog = (bytes: Buffer) => this.onLog(bytes);
    const log = pipe === undefined ? child.stderr!.on("data", onLog) : openSocket(pipe.readEnd, outputBuffer(), onLog);
    this.stdin = child.stdin!.on("error", () => {}); // it has ended
    child.stdout!.on("data", (bytes: Buffer) => {
      this.received += bytes.toString("latin1");
      this.onBytes();
    });
    this.ended = new Promise((resolve) => {
      const onEnd = (end: ProcessEnd) => resolve(`${this.isStopping ? "" : "early "}with ${howEnded(end)}`);
      child.on("exit", (exit, signal) => whenRead([child.stdout!, log], { onEnd }, { exit, signal }));
    });
  }

  private onLog(bytes: Buffer): void {
    try {
      if (this.lastTick !== "") show(this.lastTick);
      this.lastTick = "";
      writeFully(1, bytes);
    } catch {
      this.stop(); // our reader is gone
    }
  }

  stop(): void {
    this.isStopping = true;
    this.lastTick = ""; // what follows is not of a tick
    this.stdin.end();
  }

  async tick(type: string, serial: number, when: number): Promise<void> {
    await this.expect("", "READY");
    if (this.isStopping) return;
    const payload = `when:${when}`;
    // As Python's supervisord writes it.
    const header = `ver:3.0 server:supervisor serial:${serial} pool:supertick poolserial:${serial} eventname:${type}`;
    const frame = `${header} len:${payload.length}\n${payload}`;
    if (this.isShowingFrames) show(`${formatTime(when)} → ${JSON.stringify(frame)}`);
    else this.lastTick = `${formatTime(when)} tick ${serial}`;
    this.stdin.write(frame);
    await this.expect(ANSWER, "BUSY");
    this.ticks++;
  }

  /**
   * Resolves when this text has come; nothing else may come, before or after it. The states have the names that
   * Python's supervisord gives them: a byte out of turn makes a listener UNKNOWN, for good.
   */
  async expect(text: string, state: "ACKNOWLEDGED" | "READY" | "BUSY"): Promise<void> {
    while (this.received !== text) {
      const what = `in state ${state} the listener wrote ${quote(this.received)}`;
      if (!text.startsWith(this.received))
        throw new Error(`UNKNOWN: ${what}, so supervisord would never talk to it again`);
      await new Promise<void>((resolve) => {
        this.onBytes = resolve;
      });
    }
    this.received = "";
    if (this.isShowingFrames && text !== "") show(`${" ".repeat(21)}← ${JSON.stringify(text)}`);
  }
}

/** @throws with EPIPE when its reader is gone */
function show(line: string): void {
  writeFully(1, `${line}\n`);
}

const statesIn = (statePath: string): JobState[] => jobsOf(statePath).map(({ state }) => state);

/**
 * How many runs came to each result, and how many are not over. A run is in the journal before its tick is answered.
 */
function countRuns(statePath: string): Record<string, number> {
  const counts: Record<string, number> = {
    success: 0,
    failure: 0,
    timeout: 0,
    interrupted: 0,
    unfinished: 0,
    skipped: 0,
  };
  for (const state of statesIn(statePath)) {
    for (const result of RESULTS) counts[result] += state.counts[result] ?? 0;
    counts.unfinished += openOf(state);
    counts.skipped += state.counts.skipped ?? 0;
  }
  return counts;
}

// ── init ────────────────────────────────────────────────────────────────────
// Prints the section for supervisord.conf. To add a line to it: formatSection.
//
// How supervisord reads `command=`: a blank before ; or # begins a comment, also between quotes; then %(…)s is replaced
// and %% is %; then shlex.split makes words. Adjacent quotes are one word, so "a "";"" b" keeps its semicolon.

/** One event listener of supervisord.conf. */
export interface ListenerSection {
  readonly name: string;
  readonly command: readonly string[];
  readonly events: readonly string[];
  /** How long a stop may take, but for the last pings and hooks. */
  readonly graceSeconds: number;
  readonly variables: readonly Given[];
  /** For a log of its own; undefined: it goes to supervisord's stderr. */
  readonly logDirectory?: string;
}

/** Debian's directory for the logs of supervisord's programs, and what every host has. */
const HOST_LOGS = ["/var/log/supervisor", "/var/log"];
/** Is it the machine's init? Then supervisord's stderr is a socket, which can't be opened by its name. */
const isSystemd = () => fs.existsSync("/run/systemd/system");
const logDirectory = () => (isSystemd() ? HOST_LOGS.find((path) => fs.existsSync(path)) : undefined);

function init(args: readonly string[], scopes: readonly Scope[]): void {
  const section = args[0] === "serve" ? serveSection(args.slice(1)) : initSection(args, scopes);
  writeFully(1, `\n${section}`); // the file that it is appended to may lack its last line break
}

function initSection(args: readonly string[], scopes: readonly Scope[]): string {
  const invocation = readInvocation(parseCommandLine(args, scopes));
  checkCommand(invocation);
  const { settings, flags, environment, command } = invocation;
  const jobs = plannedJobs(invocation);
  const from = Math.floor(Date.now() / 1000);
  const tick = settings.tick ?? fittingTick(jobs, from);
  const notes = [...environment.warnings, ...misfitsOf(jobs, tick, from)];
  for (const note of notes) writeFully(2, `supertick: note: ${note}\n`);
  return formatSection({
    name: settings.name ?? (settings.crontab === undefined ? commandName(command) : baseName(settings.crontab)),
    command: [...ownCommand(), ...flagWords(flags, tick), ...(command.length === 0 ? [] : ["--", ...command])],
    events: [...(settings.on ?? []), tick].filter(isPresent),
    graceSeconds: longestGrace(jobs),
    variables: [...environment.layer.texts.values()]
      .filter(({ origin }) => origin !== OPTIONS.tick.env)
      .map((given) => ({ ...given, text: given.secretFile ?? given.text })),
    logDirectory: logDirectory(),
  });
}

/** @throws UsageError */
function serveSection(args: readonly string[]): string {
  const { where, hosts, places } = readServeSettings(args, SUBCOMMANDS.serve.scopes);
  const { resolve } = require("path") as typeof import("path");
  const names = hosts.length === 0 ? [] : ["--host", hosts.join(",")];
  const command = [...ownCommand(), "serve", ...names, where, ...places.map((place) => resolve(place))];
  return `${sectionLines("program", "supertick-serve", command, [], logDirectory()).join("\n")}\n`;
}

/** What the command is about; never what only runs it. */
function commandName(command: readonly string[]): string {
  const name = programOf(command);
  return runnerOf(name) === undefined ? name : "job";
}

const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

function longestGrace(jobs: readonly PlannedJob[]): number {
  return Math.max(0, ...jobs.map(({ settings: { drain, killAfter } }) => drain + killAfter));
}

/** Why ticks of this type can't meet the jobs exactly, each sentence once; see Schedule.misfits. */
function misfitsOf(jobs: readonly PlannedJob[], tick: string | undefined, from: number): string[] {
  const period = tick === undefined ? undefined : TICK_PERIODS[tick];
  return period === undefined ? [] : [...new Set(jobs.flatMap(({ schedule }) => schedule.misfits(period, from)))];
}

/** The tick on which every run starts at its due time: the usual one where that is fine enough; none for events. */
function fittingTick(jobs: readonly PlannedJob[], from: number): string | undefined {
  if (jobs.length > 0 && jobs.every(({ schedule }) => schedule.kind === "events")) return undefined;
  // Half a year later too: in summer a zone may be half an hour off the full hour.
  const isFitting = (tick: string) =>
    [from, from + 183 * SECONDS_IN_DAY].every((moment) => misfitsOf(jobs, tick, moment).length === 0);
  const coarsest = jobs.every(({ schedule }) => isByClock(schedule)) ? ["TICK_3600", USUAL_TICK] : [USUAL_TICK];
  return coarsest.find(isFitting) ?? "TICK_5";
}

/** What starts this very file under supervisord: its name where it is executable, else the runtime in front. */
function ownCommand(): string[] {
  const file = (require("path") as typeof import("path")).resolve(process.argv[1]);
  if (isDeno) return [process.execPath, "run", "-A", file];
  return isBun || !isExecutable(file) ? [process.execPath, file] : [file]; // its first line asks for Node
}

/** The flags as they were given, and --tick. */
function flagWords({ texts }: Layer, tick: string | undefined): string[] {
  const words = [...texts].flatMap(([key, { text, origin }]) => {
    if (isSwitch(key)) return text === "yes" ? [origin] : [`${origin}=${text}`];
    const value = specOf(key).parse === parsePath ? (require("path") as typeof import("path")).resolve(text) : text;
    return value === "--" ? [`${origin}=--`] : [origin, value];
  });
  return tick === undefined || texts.has("tick") ? words : [...words, "--tick", tick];
}

/** @throws UsageError for what a value in supervisord.conf can't hold */
export function formatSection(section: ListenerSection): string {
  const { name, command, events, graceSeconds, variables, logDirectory } = section;
  const stopSeconds = graceSeconds + STOP_MARGIN_SECONDS;
  const title = name.replace(/[^\p{L}\p{M}\p{N}_.-]+/gu, "-").replace(/^-+|-+$/g, "") || "job";
  const own = [
    `events=${[...new Set(events)].join(",")}`,
    ...(events.every((name) => name in TICK_PERIODS) ? [] : [BUFFER_NOTE, `buffer_size=${EVENT_BUFFER}`]),
    "; its own: a listener of the same priority hands us its events, and takes ours along when it is removed",
    `priority=${-2 - (hash32(title) % PRIORITIES)}`,
  ];
  const lines = sectionLines("eventlistener", title, command, own, logDirectory);
  if (variables.length > 0) lines.push(`environment=${variables.map(quoteVariable).join(",")}`);
  if (stopSeconds > Number(DEFAULTS.stopwaitsecs)) lines.push(...PATIENCE, `stopwaitsecs=${stopSeconds}`);
  return `${lines.join("\n")}\n`;
}

function sectionLines(kind: string, title: string, command: readonly string[], own: readonly string[], logs?: string) {
  const log = logs === undefined ? CONTAINER_LOG : [`stderr_logfile=${logs}/${title}.log`];
  const words = command.map(quoteWord).join(" ");
  return [`[${kind}:${title}]`, `command=${words}`, ...own, "autorestart=true", "stdout_logfile=NONE", ...log];
}

const PATIENCE = [
  "; above --drain and --kill-after: until then supertick ends its job, then supervisord kills. What stops a container",
  "; must wait longer than all its listeners, for they end one by one: docker stop -t, terminationGracePeriodSeconds",
];
const BUFFER_NOTE = `; of a burst of events supervisord keeps only so many, ${USUAL_BUFFER} by default, and drops the oldest`;
const CONTAINER_LOG = [
  "; for a container; where supervisord's stderr is a socket, as under systemd, name a file here",
  "stderr_logfile=/dev/stderr",
  "stderr_logfile_maxbytes=0",
];
/** Below -1, the default of event listeners: what is lower starts earlier, and programs have 999. */
const PRIORITIES = 9998;
const STOP_MARGIN_SECONDS = 5;
// What Python takes for a blank.
const BLANK = "[\\t-\\r\\x1c- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
// Such blanks, and the % that supervisord replaces in %(here)s even behind another %.
const SPLIT_BEHIND = new RegExp(`${BLANK}(?=[;#])|%(?=\\()`, "g");

function quoteWord(word: string): string {
  if (/[\r\n]/.test(word))
    throw new UsageError(`${quote(word)} has a line break, which supervisord.conf can't hold: put it into a script`);
  if (/^[\w@+=:,./-]+$/.test(word)) return word;
  return `"${word.replace(/["\\]/g, "\\$&").replace(SPLIT_BEHIND, '$&""').replace(/%/g, "%%")}"`;
}

// A value ends at the next such quote, and loses the quotes of either kind at its ends.
function quoteVariable({ origin, text }: Given): string {
  const q = text.includes('"') ? "'" : '"';
  if (!text.includes(q) && !new RegExp(`[\r\n]|${BLANK}[;#]|%\\(here\\)s|^["']|["']$`).test(text))
    return `${origin}=${q}${text.replace(/%/g, "%%")}${q}`;
  const flag = OPTION_KEYS.map(specOf).find(({ env }) => env === origin)?.flag;
  throw new UsageError(`${origin} ${quote(text)} can't be a variable in supervisord.conf: give it as ${flag}`);
}

// ── check ───────────────────────────────────────────────────────────────────
// Explains a schedule before you trust it: in words, with what may surprise, and the next runs.
// To warn of something more: forecastOf for what an option does, scheduleWarnings for what a schedule does.

function check(args: readonly string[], scopes: readonly Scope[]): void {
  const files: string[] = [];
  const commandLine = parseCommandLine(args, scopes, files);
  if (files.length > 0) {
    const { layer, command } = commandLine;
    if (files.length > 1 || command.length > 0 || layer.texts.size > Number(layer.texts.has("json")))
      throw notAnOption(files[0]);
    return checkConfiguration(files[0], isGiven(layer, "json"));
  }
  const invocation = readInvocation(commandLine);
  const { settings, environment, command } = invocation;
  if (settings.crontab !== undefined) return checkCrontab(settings.crontab, invocation);
  const schedule = scheduleOf(settings, defaultZone);
  const { warnings, ...rest } = forecastOf(schedule, settings, settings);
  const users = settings.user === undefined ? [] : [userNamed(settings.user)];
  const doubts = commandDoubts(command);
  const others = [...zoneDoubts([schedule]), ...groupDoubts(users), ...warnings];
  const remarks = [...environment.warnings, doubts.mistakes, doubts.warnings, ...others];
  const forecast = { ...rest, warnings: remarks.filter(isPresent) };
  const text = settings.json ? JSON.stringify(forecast) : describeForecast(schedule, forecast, settings).join("\n");
  writeFully(1, `${text}\n`);
  if (doubts.mistakes !== undefined) process.exitCode = 1; // each run would fail
}

/** Users whose commands will lack some of their groups. */
function groupDoubts(users: readonly User[]): string[] {
  const names = new Set(
    users.filter((user) => user.uid !== process.geteuid!() && hasMoreGroups(user)).map(({ name }) => name),
  );
  if (names.size === 0 || findSetpriv() !== "") return [];
  return [
    `commands of ${listed([...names])} have the first group of that user alone: setpriv, of util-linux, is not here`,
  ];
}

function checkCrontab(path: string, { settings, flags, environment }: Invocation): void {
  const crontab = new CrontabSource(path, flags, environment.layer, settings.userColumn);
  crontab.read();
  const { mistakes, parsedJobs } = crontab;
  if (crontab.isUnread) throw new UsageError(mistakes[0]);
  const zones = zoneDoubts(parsedJobs.map(({ schedule }) => schedule));
  const doubts = [...zones, ...groupDoubts(parsedJobs.map(({ user }) => user).filter(isPresent))];
  const warnings = [...environment.warnings, ...doubts, ...crontab.warnings];
  const columns = crontab.describe();
  if (columns !== "") warnings.unshift(columns);
  for (const { env, path: file, line } of parsedJobs.filter((job, i, all) => all[i - 1]?.env.SHELL !== job.env.SHELL))
    if (/[/ ]/.test(env.SHELL ?? "") && !isExecutable(env.SHELL))
      warnings.push(
        `${file}:${line}: SHELL: no program ${quote(env.SHELL)} is here, a path without arguments: no run starts`,
      );
  const lines = [...mistakes, ...warnings.map((warning) => `note: ${warning}`)];
  const jobs = parsedJobs.map(({ name, path: file, line, schedule, user, settings: own }) => {
    const forecast = forecastOf(schedule, own, settings);
    const [words, ...more] = describeForecast(schedule, forecast, settings);
    const who = user === undefined ? "" : `, as ${user.name}`;
    const place = crontab.isDirectory ? `${file}:${line}` : `line ${line}`;
    lines.push(`${place}, ${name}${who}: ${words}`, ...more.map((text) => `  ${text}`));
    return { name, file, line, user: user?.name, ...forecast };
  });
  const text = settings.json ? JSON.stringify({ mistakes, warnings, jobs }) : lines.join("\n") || "no job";
  writeFully(1, `${text}\n`);
  if (mistakes.length > 0) process.exitCode = 1;
}

/** What only a shell knows, or makes no sense without one. */
const FOR_SHELL = /^(?:cd|exec|\.|source|export|set|umask|ulimit|\w+=.*)$/s;

/**
 * What is wrong with words that no shell reads; what is missing here may be there where they run.
 * @param directory where they run, if that is known
 */
function commandDoubts(
  [program, ...args]: readonly string[],
  path?: string,
  directory?: string | null,
): { [kind in Kind]?: string } {
  const shown = quote(program?.replace(/^(\w+=).+|\s.*/s, "$1…") ?? ""); // the rest may be a secret
  if (FOR_SHELL.test(program)) return { mistakes: `no shell reads it, and ${shown} is not a program: /bin/sh -c "…"` };
  const word = args.find((word) => /^(\|\|?|&&?|\d?>>?(&\d)?|\d?>>?\/.*|<)$/.test(word)); // find(1) wants a ";"
  if (word !== undefined)
    return { warnings: `no shell reads it, so ${quote(word.replace(/\/.*/s, ""))} is an argument: /bin/sh -c "…"` };
  const own = args.find((word) => OWN_FLAG.test(word) && OPTION_KEYS.map(flagOf).includes(word.replace(/=.*/s, "")));
  if (own !== undefined) return { warnings: `${quote(own.replace(/=.*/s, ""))} is behind --, and so the command's` };
  const isLocal = /^[^/].*\//s.test(program ?? "");
  const file = isLocal && directory ? `${directory}/${program}` : program;
  if (file === undefined) return {};
  const found = file.includes("/") ? file : inPath(file, path)[0];
  if (found !== undefined && isProgram(found)) return { warnings: fileDoubt(found, shown, path) };
  const isText = /[|&;<>$`]/.test(program);
  if (args.length === 0 && program.includes(" "))
    return { warnings: `${shown} is one word${isText ? NO_SHELL : ": leave out the quotes around all of it"}` };
  if (isLocal && !directory) return { warnings: `${shown} is not here; it runs in the section's directory=` };
  return { warnings: fileDoubt(file, shown) };
}

/** Other programs have --user and --timeout. */
const OWN_FLAG = /^--(ticks|every|cron|crontab|on|only|run-on|kill|catch|retry|max|user-|job)/;
const NO_SHELL = ", and no shell reads it: /bin/sh -c '…'";

function fileDoubt(file: string, shown = quote(file), path?: string): string | undefined {
  const missing = isProgram(file) ? missingInterpreter(file, path) : "";
  if (missing !== "") return missing && `${shown} begins with #!, and needs ${quote(missing)}, which is not here`;
  return fs.existsSync(file) ? `${shown} is not executable` : `there is no program ${shown} on this machine`;
}

/** Of a script's first line: what the kernel, or env, would not find. */
function missingInterpreter(file: string, path?: string): string | undefined {
  const [, interpreter, name] = /^#![ \t]*(\S+)(?:[ \t]+([\w.+-]+))?/.exec(tryTo(() => readStart(file)) ?? "") ?? [];
  if (interpreter === undefined || !isExecutable(interpreter)) return interpreter;
  return baseName(interpreter) === "env" && name && inPath(name, path).length === 0 ? name : undefined;
}

/** Of hooks and questions that are a program of their own. */
function hookDoubts({ onlyIf, onFailure, onSuccess, onSkip }: Settings): string[] {
  return [onlyIf, onFailure, onSuccess, onSkip].flatMap((text) => {
    const [file] = /^\/[\w./+-]+(?=\s|$)/.exec(text ?? "") ?? [];
    const doubt = file === undefined ? undefined : fileDoubt(file);
    return doubt === undefined ? [] : [doubt];
  });
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
function forecastOf(schedule: Schedule, settings: Settings, asked: Settings): Forecast {
  const { jitter, onlyIf, runOnStart } = settings;
  const from = asked.from ?? Math.floor(Date.now() / 1000);
  const warnings = [...scheduleWarnings(schedule, asked.tick, from), ...hookDoubts(settings)];
  const doubt = outputDoubt(asked.log, settings);
  if (doubt !== undefined) warnings.push(doubt);
  if (jitter > 0 && isByClock(schedule)) {
    const longest = formatDuration(longestDelay(schedule, from, jitter));
    warnings.push(`each run starts later than listed, by less than ${longest} (--jitter)`);
  }
  if (runOnStart) warnings.push("it also runs once when the listener starts (--run-on-start)");
  if (onlyIf !== undefined && !isByClock(schedule))
    warnings.push("--only-if as a lock among replicas needs due times that are the same for all: --every or --cron");
  const zone = systemZoneName();
  const words = schedule.describe().replace(new RegExp(`, ${LOCAL_TIME}$`), zone === undefined ? "$&" : `$& (${zone})`);
  return { schedule: words, warnings, next: nextDueTimes(schedule, from, asked.number) };
}

function scheduleWarnings(schedule: Schedule, tick: string | undefined, from: number): string[] {
  const period = tick === undefined ? undefined : TICK_PERIODS[tick];
  if (schedule instanceof CronSchedule) return cronWarnings(schedule, from, period);
  const weeks = weekWarnings(schedule, from);
  if (period === undefined) return weeks;
  if (!(schedule instanceof TickSchedule)) return [...weeks, ...schedule.misfits(period, from)];
  return [`${schedule.describe()} of ${tick} is every ${formatDuration(schedule.every * period)}`];
}

function weekWarnings(schedule: Schedule, from: number): string[] {
  if (!(schedule instanceof SliceSchedule) || schedule.everySeconds % (7 * SECONDS_IN_DAY) !== 0) return [];
  const first = new Date(schedule.firstAfter(from) * 1000);
  const weekday = `${WEEKDAYS[first.getUTCDay()]}s`;
  return [`it begins on ${weekday}, ${first.toISOString().slice(11, 16)} UTC, as the epoch did; --offset moves it`];
}

/** In place of the next runs, for schedules that the clock does not decide. */
const NO_DUE_TIMES: Partial<Record<Schedule["kind"], string>> = {
  ticks: "when that is depends on when the count began",
  events: "when that is depends on what supervisord sends: name the same events in events=",
  start: "not when the crontab is read again",
};

function describeForecast(
  schedule: Schedule,
  { schedule: words, warnings, next }: Forecast,
  { tick, jitter }: Settings,
): string[] {
  const lines = [words, ...warnings.map((warning) => `note: ${warning}`)];
  const instead = NO_DUE_TIMES[schedule.kind] ?? (next.length === 0 ? "no next run" : undefined);
  if (instead !== undefined) return [...lines, instead];
  const zone = schedule instanceof CronSchedule ? schedule.zone : createZone("UTC");
  const period = tick === undefined || jitter > 0 ? 1 : TICK_PERIODS[tick]!;
  const rows = next.map((due) => {
    const start = Math.ceil(due / period) * period;
    return `  ${formatLocal(zone, due)}    ${formatTime(due)}${start === due ? "" : `, starts at ${formatTime(start)}`}`;
  });
  return [...lines, "next runs:", ...rows];
}

/** Sun 2025-03-30 03:00:00 +02:00 */
function formatLocal(zone: Zone, second: number): string {
  const { offset } = zone.spanAt(second);
  const utcOffset = new Date(Math.abs(offset) * 1000).toISOString().slice(11, 16);
  const reading = new Date((second + offset) * 1000);
  const clock = reading.toISOString().slice(0, 19).replace("T", " ");
  return `${reading.toUTCString().slice(0, 3)} ${clock} ${offset < 0 ? "-" : "+"}${utcOffset}`;
}

// ── check supervisord.conf ──────────────────────────────────────────────────
// What is wrong with the sections that run supertick. Supervisor's own parser reads the file, in the Python that runs
// supervisord, and what that refuses is reported in its words. To find another mistake: add a row to RULES.

/** For Python 2.7 and 3, supervisor 3 and 4: reads the file section by section, writes none, prints a Configuration. */
const READER = `
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

/** What the reader prints. `section` is "" where the file as a whole is refused. */
interface Configuration {
  readonly programs: readonly Program[];
  readonly refused: ReadonlyArray<Readonly<Record<"file" | "section" | "why", string>> & { readonly command?: string }>;
  /** Where each section's header stands, as FILE:LINE. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
}

/**
 * The section of a program as supervisord understands it; of several processes, the first. `group`: sync of
 * program:sync; `keys`: those that it looks for; `unset`: the X of each %(ENV_X)s that is not set here, for which the
 * reader puts a 1.
 */
interface Program
  extends Readonly<Record<"file" | "section" | "group" | "name", string>>,
    Readonly<Record<"words" | "events" | "keys" | "unset", readonly string[]>>,
    Readonly<Record<"numprocs" | "stopsignal" | "stopwaitsecs" | "stderr_logfile_maxbytes", number>>,
    Readonly<Record<"stdout_logfile" | "stderr_logfile", string | null>> {
  /** The values as they stand in the file; without environment=, which may hold secrets. */
  readonly texts: { readonly [key: string]: string | null | undefined };
  /** With what [supervisord] sets. */
  readonly environment: NodeJS.ProcessEnv;
  /** Null: supervisord's own. */
  readonly uid: number | null;
  /** The user of [supervisord]. */
  readonly supervisor: string | null;
  readonly autorestart: "RestartUnconditionally" | "RestartWhenExitUnexpected" | false;
  readonly exitcodes: readonly number[];
}

/** Asks the Python in supervisord's first line, then each python3 in PATH. @throws UsageError where none answers */
function readConfiguration(file: string): Configuration {
  const { spawnSync } = require("child_process") as typeof import("child_process");
  const script = tryTo(() => readStart(inPath("supervisord")[0])) ?? "";
  const own = /^#!(.*\b(?:python|pypy)[\d.]*(?: .*)?)\n/.exec(script)?.[1].trim().split(/ +/);
  const failures: string[] = [];
  for (const python of [own, ...inPath("python3").map((path) => [path])].filter(isPresent)) {
    const [program, ...args] = [...python, "-B", "-c", READER, file];
    const limits = { timeout: 10_000, killSignal: "SIGKILL", maxBuffer: 2 ** 28 } as const;
    const { error, signal, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", ...limits });
    const lastLine = (text: string | null) => (text ?? "").trimEnd().split("\n").pop()!;
    const answer = tryTo(() => JSON.parse(lastLine(stdout))); // above it is what extensions of supervisor print
    if (Array.isArray(answer?.programs)) return answer;
    const end = error === undefined ? signal && `killed by ${signal}` : errorCode(error);
    const why = end === "ETIMEDOUT" ? "no answer in 10s" : end || quote(lastLine(stderr || stdout));
    failures.push(`${python.join(" ")}: ${why}`);
  }
  const why = failures.join("; ") || "there is no python3 in PATH";
  throw new UsageError(`check ${file} needs supervisor's own parser: ${why}`);
}

/** Is it wrong, or does it deserve a note? */
type Kind = "mistakes" | "warnings";
/** On the value of a key, on a whole section where `key` is "", on the whole file where `section` is. */
interface Remark extends Readonly<Record<"file" | "section" | "key" | "message", string>> {
  readonly value: string | null;
  /** It is supervisord's, since the file has none. */
  readonly isDefault?: true;
}

const DEFAULTS: { readonly [key: string]: string } = {
  autorestart: "unexpected",
  buffer_size: "10",
  stderr_logfile: "AUTO",
  stderr_logfile_maxbytes: "50MB",
  stdout_logfile: "AUTO",
  stopwaitsecs: "10",
};

/** What --json prints. */
class Report {
  readonly sections: string[] = []; // those that run supertick
  readonly mistakes: Remark[] = [];
  readonly warnings: Remark[] = [];

  constructor(readonly file: string) {}

  add(kind: Kind, key: string, message: string, place: Partial<Program> = {}): void {
    const { file = this.file, section = "", texts = {} } = place;
    const text = key === "command" ? texts[key]?.trim().replace(/\s.*/s, " …") : texts[key]; // the rest may be secret
    const isDefault = (text === undefined && key in DEFAULTS) || undefined;
    this[kind].push({ file, section, key, value: text ?? DEFAULTS[key] ?? null, isDefault, message });
  }
}

/** @param places where its section begins */
function checkCaller(caller: Caller, before: readonly Caller[], places: readonly string[], report: Report): void {
  report.sections.push(caller.section);
  const merged = `supervisord makes one section of ${listed(places)}, key by key: give each a name of its own`;
  if (places.length > 1) report.add("mistakes", "", merged, caller);
  for (const key of Object.keys(caller.texts).filter((key) => !caller.keys.includes(key))) {
    const hint = suggestion(key, caller.keys);
    if (hint !== "") report.add("mistakes", key, `supervisord passes over it${hint}`, { ...caller, texts: {} }); // a secret
  }
  for (const [kind, key, find] of isListener(caller) ? RULES : []) {
    const message = find(caller, before);
    if (message) report.add(kind, key, message, caller);
  }
}

function checkConfiguration(file: string, isJson: boolean): void {
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
  const callers: Caller[] = [];
  for (const program of programs) {
    const caller = readCaller(program, report);
    if (caller === undefined) continue;
    checkCaller(caller, callers, headers[program.section], report);
    callers.push(caller);
  }
  if (report.sections.length + report.mistakes.length === 0)
    report.add("mistakes", "", "no section runs supertick: nothing was checked");
  if (isFragment) report.add("warnings", "", "no [supervisord] in it: read as a file that another includes");
  writeFully(1, `${isJson ? JSON.stringify(report) : describeReport(report)}\n`);
  process.exitCode = report.mistakes.length > 0 ? 1 : 0;
}

/** @throws UsageError */
function readOrRefuse(file: string): string {
  try {
    return fs.readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${describeError(error)}`);
  }
}

const SECTIONS = ["program", "eventlistener", "group", "fcgi-program", "rpcinterface", "ctlplugin"];

function suggestionForSection(section: string): string {
  const [kind, name] = section.split(":");
  return name === undefined || SECTIONS.includes(kind) ? "" : suggestion(kind, SECTIONS);
}

function describeReport({ sections, mistakes, warnings }: Report): string {
  const describe = ({ file, section, key, value, isDefault, message }: Remark) => {
    const text = value === null ? "" : `=${/^[ -~…]{0,80}$/.test(value) ? value : quote(value)}`;
    const setting = isDefault ? `${text} (default)` : text;
    return `${file}:${section && ` [${section}]`}${key && ` ${key}${setting}:`} ${message}`;
  };
  const lines = [...mistakes.map(describe), ...warnings.map((warning) => `note: ${describe(warning)}`)];
  if (mistakes.length === 0) lines.push(`no mistake in ${listed(sections.map((name) => `[${name}]`))}`);
  return lines.map(escapeAll).join("\n");
}

/** Leaves out of supervisord's words what is shown anyway, values that may be secrets, and a list of all variables. */
const SHORTENED: ReadonlyArray<readonly [pattern: RegExp, replacement: string]> = [
  [/\s+/g, " "],
  [/^(.*) in section .* \(file: .*\)$/, "$1"],
  [/^Format string .* for ('\S*') /, "the value of $1 "],
  [/ is badly formatted.*/, "$&; a % sign is written %%"],
  [/( Available names:| in value ').*/, ""],
  [/(\[line +\d+\]|, line: \d+\b).*/, "$1"],
  [
    /^No (closing quotation|escaped character)$/,
    "can't parse command or environment: $&; quotes don't nest, and a blank and ; begin a comment in them too",
  ],
  [/^Unexpected end of key\/value pairs.*/, "can't parse environment: $&; quotes don't nest"],
  [/requires an "events" line/, "$&: events="],
  [/Unknown event type.*/, "$&: ticks are TICK_5, TICK_60 and TICK_3600"],
  [/^(Invalid user name|The directory named) .*/, "$&, on this machine"],
];

/** What its --tick names, else the usual one. */
function tickIn(command?: string | null): string {
  return /--tick[= ](TICK_\d+)/.exec(command ?? "")?.[1] ?? USUAL_TICK;
}

function refusalText({ section, why, command }: Configuration["refused"][number]): string {
  const short = SHORTENED.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), why);
  const text = short.replace(/: events=$/, `$&${tickIn(command)}`);
  return `supervisord refuses ${section === "" ? "the file and stops there" : "it"}: ${text}`;
}

/** A section that runs supertick, and what supertick makes of its command line and environment. */
interface Caller extends Program {
  /** Undefined where supertick refuses them, or where they can't be known. */
  readonly settings?: Settings;
  /** Where it counts, in words if that is not given. */
  readonly state?: string;
  readonly jobs: readonly PlannedJob[];
  readonly jobCommand: readonly string[];
}

const isListener = ({ section }: Pick<Program, "section">): boolean => section.startsWith("eventlistener:");

/** Undefined for a section that does not run supertick. */
function readCaller(program: Program, report: Report): Caller | undefined {
  const call = callOf(program);
  if (call === undefined) return undefined;
  const { group, unset, environment } = program;
  const name = program.numprocs === 1 ? program.name : group;
  const caller: Caller = { ...program, name, jobs: [], jobCommand: [] };
  const warn = (key: string) => (text: string) => report.add("warnings", key, text, program);
  try {
    if (!isListener(program))
      throw new UsageError(
        `only event listeners get ticks: make it [eventlistener:${group}], with events=${tickIn(program.texts.command)}`,
      );
    if (call.args === undefined || unset.length > 0) {
      const need = `they may need ${listed(unset)}, not set on this machine`;
      warn("command")(`supertick's options are not checked: ${unset.length > 0 ? need : "a shell has a part in them"}`);
      return caller;
    }
    const own = { SUPERVISOR_PROCESS_NAME: name, SUPERVISOR_GROUP_NAME: group };
    const env: NodeJS.ProcessEnv = { ...process.env, ...environment, ...own, ...call.variables };
    const invocation = readInvocation(parseCommandLine(call.args, ["job", "listener"]), env);
    checkCommand(invocation);
    const { settings, command } = invocation;
    invocation.environment.warnings.forEach(warn("environment"));
    const isRoot = (program.uid ?? process.geteuid!()) === 0 && process.geteuid!() === 0;
    if (settings.user !== undefined && isRoot) userNamed(settings.user);
    const isThere = settings.crontab === undefined || fs.existsSync(settings.crontab);
    const jobs = isThere ? plannedJobs(invocation, () => defaultZone(env.TZ)) : [];
    const state = settings.state ?? `the default for ${quote(settings.name ?? name)}`;
    return { ...caller, settings, state, jobs, jobCommand: command };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const isVariable = error.origin?.startsWith("-") === false;
    report.add("mistakes", isVariable ? "environment" : "command", error.message, program);
    return caller;
  }
}

/**
 * How a section calls supertick; undefined if it does not. No `args`: a shell makes them. In front of supertick's path
 * anything may stand: node, tini, gosu. A mere name counts as the first word, behind --, behind runners or behind words
 * that only a shell reads: there is crashmail -p supertick.
 */
function callOf(program: Pick<Program, "words" | "section">): Call | undefined {
  const { words } = program;
  const isForShell = (i: number) => /^-\w*c$/.test(words[i - 1] ?? "");
  const at = words.findIndex((word, i) => (isForShell(i) ? word.split(/[\s;&|()'"]+/) : [word]).some(isSupertick));
  const [before, word, args] = [words.slice(0, at), words[at], words.slice(at + 1)];
  if (at < 0 || (!isListener(program) && (isForShell(at) || args[0] in SUBCOMMANDS))) return undefined;
  if (isForShell(at)) return PLAIN_WORDS.test(word) ? callOf({ ...program, words: plainWords(word) }) : {};
  if (!isCalled(program, at)) return undefined;
  const variables = before.filter((word) => /^\w+=/.test(word)).map((word) => word.split(/=(.*)/s, 2));
  return { args, variables: Object.fromEntries(variables) };
}

/** Is the word run, and not only an argument? */
function isCalled(program: Pick<Program, "words" | "section">, at: number): boolean {
  const { words } = program;
  if (at === 0 || /^(--|\w+=.*)$/s.test(words[at - 1]) || FOR_SHELL.test(words[0])) return true;
  if (behindRunners(words).at === at) return true;
  return words[at].includes("/") && (isListener(program) || /(^|\/)(node|bun|deno)$/.test(words[0]));
}

interface Call {
  readonly args?: readonly string[];
  readonly variables?: NodeJS.ProcessEnv;
}

/** Of a shell's text: words with quotes, and nothing else. */
const PLAIN_WORDS = /^\s*(?:(?:[\w@%+=:,./-]|'[^']*'|"[^"$`\\]*")+(?:\s+|$))+$/;
const plainWords = (text: string): string[] =>
  text.match(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g)!.map((word) => word.replace(/'([^']*)'|"([^"]*)"/g, "$1$2"));

/** This very file, or one that begins like it; where there is no such file here, the name tells. */
function isSupertick(word: string): boolean {
  const isNamed = /^(\S*[^a-z\s])?(supertick(?![a-z])\S*|listener\.js)$/.test(baseName(word));
  if (baseName(word) === "supertick" || !word.includes("/")) return isNamed;
  const start = tryTo(() => (fs.statSync(word).isFile() ? readStart(word) : "")); // a device may mind being opened
  return start?.includes("\n// supertick ") ?? isNamed;
}

const TO_DESCRIPTOR = /^\/(dev\/(std(out|err)|fd\/\d)|proc\/self\/fd\/\d)$/;
const LONG_STOP_SECONDS = 60; // Laravel's example has 3600

/** What to say of a key's value, if anything. `before`: the sections in front of it that run supertick. */
type Rule = readonly [Kind, string, (caller: Caller, before: readonly Caller[]) => string | false | undefined];

function doubts(commandOf: (caller: Caller) => readonly string[]): Rule[] {
  const find = (kind: Kind) => (caller: Caller) =>
    caller.unset.length > 0
      ? undefined
      : commandDoubts(commandOf(caller), caller.environment.PATH, caller.texts.directory)[kind];
  return [
    ["mistakes", "command", find("mistakes")],
    ["warnings", "command", find("warnings")],
  ];
}

// biome-ignore format: a table
const RULES: readonly Rule[] = [
  ["mistakes", "numprocs", ({ numprocs }) => numprocs !== 1 &&
    "supervisord would share the ticks out among the processes: numprocs=1"],
  ["mistakes", "autorestart", ({ autorestart, exitcodes }) => {
    const final = autorestart === false ? ["of any kind"] : exitcodes.filter((code) => code <= 2); // supertick's own
    return autorestart !== "RestartUnconditionally" && final.length > 0 &&
      `after an exit status ${final.join(" or ")} it stays down: autorestart=true`;
  }],
  ["mistakes", "stopsignal", ({ stopsignal }) => ![2, 3, 15].includes(stopsignal) &&
    "supertick and its job end at TERM, INT or QUIT only: stopsignal=TERM"],
  ["mistakes", "stopwaitsecs", ({ stopwaitsecs, jobs }) => {
    const seconds = longestGrace(jobs);
    const what = jobs.some(({ settings }) => settings.drain > 0) ? "--drain and --kill-after" : "--kill-after";
    return stopwaitsecs <= seconds + (seconds > 0 ? LAST_SIDE_TASKS_SECONDS : 0) &&
      `supervisord would kill supertick before ${what} (${formatDuration(seconds)}) and the last ping are over: ` +
      `stopwaitsecs=${seconds + STOP_MARGIN_SECONDS}`;
  }],
  ["mistakes", "stderr_logfile_maxbytes", ({ stderr_logfile: file, stderr_logfile_maxbytes: limit }) => limit !== 0 &&
    TO_DESCRIPTOR.test(file ?? "") &&
    `supervisord can't rotate ${file} and would report an illegal seek at each line: stderr_logfile_maxbytes=0`],
  ["mistakes", "events", eventsMistake],
  ["mistakes", "command", ({ state }, before) => {
    const rival = before.find((other) => other.state === state);
    return state && rival &&
      `[${rival.section}] has the same counter file, ${state}: give it a --name or --state of its own`;
  }],
  ["warnings", "command", ({ settings }) => settings?.crontab !== undefined && !fs.existsSync(settings.crontab) &&
    `there is no ${settings.crontab} on this machine: its jobs are not checked`],
  ["warnings", "command", (caller, before) => {
    const doubt = stateDoubt(caller);
    return before.every((other) => stateDoubt(other) !== doubt) && doubt;
  }],
  ...doubts(({ words }) => [words[0], "--"]),
  ...doubts(({ jobCommand }) => jobCommand),
  ["warnings", "command", ({ settings }) => settings && hookDoubts(settings).join("; ")],
  ["warnings", "command", ({ settings }) => settings && outputDoubt(settings.log, settings)],
  ["warnings", "stopwaitsecs", ({ stopwaitsecs, jobs }) => jobs.length > 0 &&
    stopwaitsecs > longestGrace(jobs) + LONG_STOP_SECONDS &&
    `supertick ends its job ${formatDuration(longestGrace(jobs))} after a stop: for one that needs longer, --kill-after`],
  ["warnings", "stdout_logfile", ({ stdout_logfile: file }) => file !== null && file !== "/dev/null" &&
    "each RESULT would be logged: stdout_logfile=NONE"],
  ["warnings", "stderr_logfile", ({ stderr_logfile: file }) => file === "Automatic" &&
    "the log is in a file that supervisord removes when it starts: name one, or /dev/stderr in a container"],
  ["warnings", "stderr_logfile", ({ stderr_logfile: file }) => isSystemd() && TO_DESCRIPTOR.test(file ?? "") &&
    "supervisord's stderr is a socket under systemd, and can't be opened: name a file"],
  ["warnings", "stderr_logfile", ({ supervisor, stderr_logfile: file }) => Boolean(supervisor) &&
    !/^(root|0)$/.test(supervisor!) && TO_DESCRIPTOR.test(file ?? "") &&
    `started as root, supervisord can't open it once it is ${supervisor}: start it as that user, or name a file`],
  ["warnings", "buffer_size", ({ settings, texts }) => settings?.on !== undefined && texts.buffer_size === undefined &&
    `of more events at once the oldest are lost: buffer_size=${EVENT_BUFFER}`],
  ["warnings", "directory", ({ texts: { directory } }) => directory?.startsWith("/") && !fs.existsSync(directory) &&
    "there is no such directory on this machine"],
  ["warnings", "user", ({ texts: { user }, environment }) => Boolean(user) && !/^(root|0)$/.test(user!) &&
    environment.HOME === undefined && `HOME stays supervisord's: environment=HOME="…",USER="${user}"`],
];

/** Will the counter file be where it outlives the container? */
function stateDoubt({ settings, uid, texts }: Caller): string | undefined {
  const directory = directoryOf(settings?.state ?? `${STATE_DIRECTORY}/`).slice(0, -1);
  if (settings === undefined || !directory.startsWith("/")) return undefined;
  const stats = tryTo(() => fs.statSync(directory));
  const why = "so that count and past would not be kept";
  if (stats === undefined) return `there is no ${directory} on this machine, ${why}: mkdir -p ${directory}`;
  const owner = uid ?? process.geteuid!();
  if (owner === 0 || owner === stats.uid || (stats.mode & 0o022) !== 0) return undefined;
  const user = texts.user ?? owner;
  return `${user} cannot write ${directory}, ${why}: chown ${user} ${directory}`;
}

/** Do the events that the jobs need come, and on ticks that are fine enough? */
function eventsMistake({ events, settings, jobs }: Caller): string | undefined {
  if (settings === undefined) return undefined;
  const { on = [], tick: named } = settings;
  const from = Math.floor(Date.now() / 1000);
  const fitting = fittingTick(jobs, from);
  const ticks = Object.keys(TICK_PERIODS).filter((type) => isAmong(events, type));
  const tick = named ?? (ticks.length === 1 ? ticks[0] : undefined);
  const misfits = misfitsOf(jobs, tick, from);
  if (misfits.length > 0 && tick !== fitting) return `${misfits.join("; ")}: events=${fitting} and --tick ${fitting}`;
  const needed = [...on, named ?? (ticks.length === 0 ? fitting : undefined)].filter(isPresent);
  const missing = needed.filter((type) => !isAmong(events, type));
  const others = events.filter((name) => !name.startsWith("TICK"));
  if (missing.length > 0)
    return `${listed(missing)} would never come: events=${[...new Set([...others, ...needed])].join(",")}`;
  if (fitting === undefined || tick !== undefined) return undefined;
  return `of ${listed(ticks)} the first to come is the one that counts: add --tick ${fitting} to the command`;
}

// ── status ──────────────────────────────────────────────────────────────────
// What the two files of a listener say: a table for people, an exit status for health checks. It only reads, so it
// works beside a running listener and after its end.
// To add a column: extend JobReport, COLUMNS and tableRow; a metric: a row of JOB_METRICS or LISTENER_METRICS.

/** What the files of one listener say. Times are epoch seconds. */
export interface StateReport {
  readonly file: string;
  /** Why the listener is not healthy, or why nothing is known of it. */
  readonly problem?: string;
  /** It has no say in health: a supervisord that is gone, or elsewhere, has left it; or it is another user's. */
  readonly isApart?: boolean;
  /** The pids of the listener and of its supervisord, while they live. */
  readonly listener?: number;
  readonly supervisord?: number;
  readonly lastTick?: number;
  /** Seconds between two ticks. */
  readonly period?: number;
  /** How many crontab files have a mistake. */
  readonly refused?: number;
  readonly jobs: readonly JobReport[];
  /** The jobs were asked for by name. */
  readonly isDetailed?: boolean;
}

export interface JobReport {
  readonly job: string;
  /** In words. */
  readonly schedule?: string;
  readonly last?: LastResult;
  readonly earlier?: readonly LastResult[];
  readonly lastSuccess?: number;
  /** The last twenty due times: the result of the run, or "none" where nothing ran. */
  readonly recent: ReadonlyArray<Result | "none">;
  /** How many runs came to each result, since there is a journal. */
  readonly runs: Readonly<Record<Result, number>>;
  /** How many due times nothing ran for. */
  readonly skipped: number;
  readonly missed: number;
  /** What each of them took; null where nothing ran, or where it is not known. */
  readonly recentSeconds: ReadonlyArray<number | null>;
  /** How many runs in a row did not succeed. */
  readonly failures: number;
  /** When the next run starts. */
  readonly next?: number;
  /** Nothing is due: until then, or until `resume`. */
  readonly paused?: Pause;
  /** Runs in progress. */
  readonly running: ReadonlyArray<{ readonly run: number; readonly since: number; readonly pid: number }>;
}

/** What the files of a listener hold. */
export interface StateFiles {
  readonly file: string;
  /** Undefined where it can't be read: then `problem` says why, which may also be about the journal. */
  readonly counter?: CounterContent;
  readonly problem?: string;
  /** It may be read by another user only. */
  readonly isForeign?: boolean;
  /** When the counter file was. */
  readonly writtenAt: number;
  readonly journal: string;
}

/** The processes that can be seen. */
export interface VisibleProcesses {
  /** See machineId. */
  readonly machine: string;
  /** In seconds; undefined: it is dead; Infinity: it can't be known, for there is no /proc. */
  ageOf(process: ProcessIdentity): number | undefined;
}

const visibleProcesses = (): VisibleProcesses => ({
  machine: machineId(),
  ageOf: (identity) => (identity.start === 0 ? Infinity : isAlive(identity) ? ageOf(identity) : undefined),
});

function status(args: readonly string[], scopes: readonly Scope[]): void {
  const words: string[] = [];
  const { layer, command } = parseCommandLine(args, scopes, words);
  const wanted = [...words, ...command]; // also behind --
  const now = Date.now() / 1000;
  const all = findStateFiles().map((file) => reportOn(file, now));
  const states = wanted.length > 0 ? wanted.flatMap((word) => reportsOn(word, all, now)) : besideLiving(all);
  const [isJson, isMetrics] = [isGiven(layer, "json"), isGiven(layer, "prometheus")];
  if (isJson && isMetrics) throw new UsageError("--json and --prometheus exclude each other");
  const describe = isJson ? describeAsJson : isMetrics ? describeMetrics : describeReports;
  writeFully(1, `${describe(states, now)}\n`);
  process.exitCode = isMetrics || isHealthy(states) ? 0 : 1; // a job may collect metrics: it has not failed
}

/** A job that has not run yet is healthy. */
export function isHealthy(states: readonly StateReport[]): boolean {
  const isWell = ({ problem, jobs }: StateReport) => problem === undefined && !jobs.some(isFailing);
  const judged = judgedOf(states);
  return judged.length > 0 && judged.every(isWell);
}

const judgedOf = (states: readonly StateReport[]) => states.filter(({ isApart }) => !isApart);

/** What stands apart does so beside a listener that lives. */
export function besideLiving(states: readonly StateReport[]): readonly StateReport[] {
  const isAnyUp = states.some(({ listener }) => listener !== undefined);
  return isAnyUp ? states : states.map((state) => ({ ...state, isApart: undefined }));
}

const NO_SUCH_JOB = "no job of that name, and no such file; a FILE that was given as --state must be named";

/** What all files say of the jobs of that name or, where there is none, what a file says that is called so. */
function reportsOn(word: string, all: readonly StateReport[], now: number): readonly StateReport[] {
  if (word.includes("/")) return besideLiving([reportOn(word, now)]);
  const named = all.map((state) => ({
    ...state,
    jobs: state.jobs.filter(({ job }) => job === word),
    isDetailed: true,
  }));
  const found = besideLiving(named.filter(({ jobs }) => jobs.length > 0));
  if (found.length > 0) return found;
  if (fs.existsSync(word)) return besideLiving([reportOn(word, now)]);
  const unread = all.filter(({ problem, jobs }) => problem !== undefined && jobs.length === 0); // it may be there
  return [{ file: word, problem: NO_SUCH_JOB, jobs: [] }, ...unread];
}

/** The file that TICK_STATE names, else all of listeners where defaultStatePath puts them; or such a place, if it is shut. */
function findStateFiles(): string[] {
  const { TICK_STATE: file, TMPDIR } = process.env;
  if (file) return [file];
  const temporary = TMPDIR || "/tmp";
  // A directory in /tmp is trusted only if it belongs to the user in its name.
  const isUsersOwn = (name: string) =>
    /^supertick-\d+$/.test(name) && isPrivateTo(Number(name.slice("supertick-".length)), `${temporary}/${name}`);
  const users = namesIn(temporary).filter(isUsersOwn);
  const directories = [STATE_DIRECTORY, ...users.map((name) => `${temporary}/${name}`)];
  const isShut = (directory: string) => whyUnusable(directory, fs.constants.R_OK) === "EACCES";
  return directories.flatMap((place) => (isShut(place) ? [place] : stateFilesIn(place)));
}

function stateFilesIn(directory: string): string[] {
  return namesIn(directory)
    .map((name) => `${directory}/${name}`)
    .filter(isListeners);
}

/** Is it the counter file of a listener? Others may have put something there too. */
function isListeners(path: string): boolean {
  if (FURTHER_FILES.test(path) || !tryTo(() => fs.statSync(path).isFile())) return false;
  return fs.existsSync(`${path}.runs`) || tryTo(() => parseCounter(readStart(path)).machine) !== undefined;
}

function reportOn(file: string, now: number): StateReport {
  return reportOf(readStateFiles(file), visibleProcesses(), now);
}

function readStateFiles(file: string): StateFiles {
  const writtenAt = (tryTo(() => fs.statSync(file).mtimeMs) ?? 0) / 1000;
  const journal = readJournalFiles(`${file}.runs`);
  try {
    const isTooMuch = [".runs", ".runs.1"].some((ending) => isTooLarge(file + ending));
    const problem = isTooMuch ? "its journal has over 16 MiB: not read" : undefined;
    return { file, counter: parseCounter(readStart(file)), problem, writtenAt, journal };
  } catch (error) {
    const isForeign = /^EACCES|another user/.test(errorCode(error));
    const remedy = isForeign ? ": ask as root, or as its user" : "";
    const why =
      errorCode(error) === "ENOENT" ? "there is no such file" : `can't be read${remedy}: ${describeError(error)}`;
    const problem = error instanceof Expectation ? `expected ${error.message}` : why;
    return { file, problem, isForeign, writtenAt, journal };
  }
}

const jobStatesIn = (journal: string) => [...readJournal(linesOf(journal))].filter(([key]) => key !== LISTENER);

/** What they say, whoever has read them. */
export function reportOf(files: StateFiles, processes: VisibleProcesses, now: number): StateReport {
  const states = jobStatesIn(files.journal);
  const { file, counter = NO_COUNTER, problem, isForeign } = files;
  const { machine = processes.machine, tick, periodSeconds } = counter;
  const isHere = machine === processes.machine;
  const isAlive = (one: ProcessIdentity) => isHere && processes.ageOf(one) !== undefined;
  const living = [counter.listener, counter.supervisor].map((one) => (one && isAlive(one) ? one : undefined));
  const [listener, supervisord] = living.map((one) => one?.pid);
  const isAlone = living.every((one) => one === undefined);
  const age = living[0] && processes.ageOf(living[0]);
  const start = age === Infinity ? files.writtenAt : now - (age ?? 0);
  const { refused = 0 } = counter;
  const refusal = refused > 0 ? `${describeRefused(refused)}: the log says which` : undefined;
  const weakness = describeSilence(counter, states, start, now) ?? refusal;
  return {
    file,
    problem: problem ?? (listener === undefined ? describeAbsence(counter, isHere, isAlone) : weakness),
    isApart: isForeign || (counter !== NO_COUNTER && isAlone) || undefined,
    listener,
    supervisord,
    lastTick: tick?.whenSeconds,
    period: periodSeconds,
    refused: refused > 0 ? refused : undefined,
    jobs: states.map(([key, state]) =>
      jobReport(key, state, listener === undefined ? NO_COUNTER : counter, now, isAlive),
    ),
  };
}

/** Why no listener is at work. */
function describeAbsence({ listener }: CounterContent, isHere: boolean, isAlone: boolean): string {
  if (!isHere) return "its listener is in another container, or on another machine";
  const what = listener === undefined ? "its listener has ended" : `its listener (pid ${listener.pid}) is dead`;
  return isAlone ? `${what}; its supervisord is gone too` : what;
}

/** Why the listener seems to get no ticks. From its start on, as from any tick on, the next may take three periods. */
function describeSilence(
  { listener, tick, periodSeconds }: CounterContent,
  states: ReadonlyArray<readonly [key: string, state: JobState]>,
  start: number,
  now: number,
): string | undefined {
  const isOnEventsAlone = states.length > 0 && states.every(([, { schedule }]) => Object(schedule).on !== undefined);
  const seconds = now - Math.max(start, tick?.whenSeconds ?? 0);
  if (isOnEventsAlone || seconds <= 3 * (periodSeconds || 60)) return undefined;
  return `its listener (pid ${listener?.pid}) has had no tick for ${formatAge(seconds)}`;
}

function jobReport(
  key: string,
  state: JobState,
  counter: CounterContent,
  now: number,
  isAlive: (leader: ProcessIdentity) => boolean,
): JobReport {
  const { name, last, earlier, lastSuccess, recent, counts, failures, paused, runs } = state;
  const schedule = tryReadSchedule(state.schedule, defaultZone);
  const begun = runs.filter(({ phase }) => phase !== "backoff");
  return {
    job: name ?? key,
    schedule: schedule?.describe(),
    last,
    earlier,
    lastSuccess,
    recent: [...recent].map((letter) => RESULTS.find((result) => result[0] === letter) ?? "none"),
    runs: Object.fromEntries(RESULTS.map((result) => [result, counts[result] ?? 0])) as Record<Result, number>,
    skipped: counts.skipped ?? 0,
    missed: counts.missed ?? 0,
    recentSeconds: secondsBeside(recent, state.recentSeconds ?? []),
    failures,
    next: tryNextRun(state, counter, now, schedule),
    paused,
    running: begun.flatMap(({ number: run, at: since, pid, start = 0 }) =>
      pid !== undefined && isAlive({ pid, start }) ? [{ run, since, pid }] : [],
    ),
  };
}

function secondsBeside(recent: string, seconds: readonly number[]): Array<number | null> {
  let at = seconds.length - recent.replace(/-/g, "").length;
  return [...recent].map((letter) => (letter === "-" ? null : (seconds[at++] ?? null)));
}

/** Undefined where it is not known. */
function tryNextRun(
  state: JobState,
  { tick, count, periodSeconds = 0 }: CounterContent,
  now: number,
  schedule = tryReadSchedule(state.schedule, defaultZone),
): number | undefined {
  if (schedule === undefined || periodSeconds === 0) return undefined;
  // Before the first tick of all it is known where the clock alone decides.
  if (tick === undefined && !isByClock(schedule)) return undefined;
  const { whenSeconds = now - (now % periodSeconds) } = tick ?? {};
  const next = nextRun(schedule, state, { whenSeconds, count, periodSeconds });
  return next === Infinity ? undefined : next;
}

const COLUMNS = ["JOB", "FILE", "LAST RUN", "SECONDS", "LAST 20", "FAILED", "NEXT"];
/** Which columns are cut, down to how many characters, where a line would have over 80. */
const CUT_COLUMNS = { "LAST 20": 7, FILE: 16, JOB: 9 };
const SIGNS = { success: "✓", failure: "✗", timeout: "⏱", interrupted: "✗", none: "–" };

/** The table, and a line for each problem. `now`: epoch seconds. */
export function describeReports(states: readonly StateReport[], now: number): string {
  if (states.length === 0) return "no state file found: name one, supertick status FILE";
  const rows = judgedOf(states).flatMap(({ jobs, file }) => jobs.map((job) => tableRow(job, file, now)));
  const lines = rows.length === 0 ? [] : tableLines([COLUMNS, ...rows]);
  for (const { file, problem, isApart, jobs } of states) {
    const names = isApart ? jobs.map(({ job }) => shown(job)) : [];
    const whose = names.length === 0 ? "" : `history of ${listed(names.slice(0, 9))}: `;
    if (problem !== undefined) lines.push(`${jsonText(file).slice(1, -1)}: ${whose}${problem}`);
  }
  const detailed = states.flatMap((state) => (state.isDetailed ? state.jobs.map((job) => ({ job, state })) : []));
  for (const { job, state } of detailed) {
    const title = `${shown(job.job)} (${jsonText(state.file).slice(1, -1)}):`;
    lines.push(...(detailed.length > 1 ? [title] : []), ...describeRuns(job));
  }
  return lines.map((line) => line.trimEnd()).join("\n") || "no job recorded yet";
}

/** Where no name is there twice, without the column FILE. */
function tableLines(all: readonly string[][]): string[] {
  const isUnclear = new Set(all.map(([job]) => job)).size < all.length;
  const table = isUnclear ? all : all.map(([job, _, ...cells]) => [job, ...cells]);
  const widths = table[0].map((_, i) => Math.max(...table.map((row) => row[i].length)));
  let excess = widths.reduce((sum, width) => sum + width + 2, -2) - 80;
  for (const [title, least] of Object.entries(CUT_COLUMNS)) {
    const at = table[0].indexOf(title);
    const cut = Math.max(0, Math.min(excess, widths[at] - least)) || 0; // NaN where it is not there
    widths[at] -= cut;
    excess -= cut;
  }
  const cell = (text: string, width: number) =>
    text.length > width ? `…${text.slice(1 - width)}` : text.padEnd(width);
  return table.map((row) => row.map((text, i) => cell(text, widths[i])).join("  "));
}

/** All facts, the field names of StateReport; documented in the reference. */
export function describeAsJson(states: readonly StateReport[]): string {
  return jsonText({ healthy: isHealthy(states), states });
}

type Metrics<T> = ReadonlyArray<
  readonly [
    name: string,
    type: "counter" | "gauge",
    help: string,
    /** By result, where there are several; undefined: it is not known. */
    measure: (one: T, now: number) => number | Readonly<Record<string, number>> | undefined,
  ]
>;

const JOB_METRICS: Metrics<JobReport> = [
  ["runs_total", "counter", "Runs that ended, by result.", ({ runs }) => runs],
  ["skipped_total", "counter", "Due times that no run started for.", ({ skipped }) => skipped],
  ["missed_total", "counter", "Due times at which no tick came.", ({ missed }) => missed],
  ["last_success_timestamp_seconds", "gauge", "When a run last succeeded.", ({ lastSuccess }) => lastSuccess],
  ["last_duration_seconds", "gauge", "Of the last run's last attempt.", ({ last }) => last?.seconds],
  ["failures_in_a_row", "gauge", "Runs since the last success.", ({ failures }) => failures],
  ["next_due_timestamp_seconds", "gauge", "When the next run starts.", ({ next }) => next],
  ["running", "gauge", "Runs in progress.", ({ running }) => running.length],
  ["paused", "gauge", "1 while nothing of the job is due.", ({ paused }, now) => Number(isPaused(paused, now))],
];
const LISTENER_METRICS: Metrics<StateReport> = [
  ["last_tick_timestamp_seconds", "gauge", "The last tick counted.", ({ lastTick }) => lastTick],
  ["listener_up", "gauge", "1 while the listener lives.", ({ listener }) => Number(listener !== undefined)],
  ["crontabs_refused", "gauge", "Crontab files with a mistake.", ({ refused = 0 }) => refused],
];

/** Prometheus' text format, version 0.0.4, without the last newline. History has no metrics. */
export function describeMetrics(states: readonly StateReport[], now: number): string {
  const listeners = lastBy(({ file }) => file, judgedOf(states));
  // A job that is about to leave may have the name of the one that takes its place: that one is behind it.
  const jobs = listeners.flatMap((state) =>
    lastBy(({ job }) => job, state.jobs).map((job) => [job, labelsOf(state, job)] as const),
  );
  const labelled = listeners.map((state) => [state, labelsOf(state)] as const);
  return [...metricLines(JOB_METRICS, jobs, now), ...metricLines(LISTENER_METRICS, labelled, now)].join("\n");
}

function lastBy<T>(keyOf: (one: T) => string, all: readonly T[]): T[] {
  return [...new Map(all.map((one) => [keyOf(one), one])).values()];
}

function metricLines<T>(metrics: Metrics<T>, all: ReadonlyArray<readonly [T, labels: string]>, now: number): string[] {
  return metrics.flatMap(([name, type, help, measure]) => {
    const samples = all.flatMap(([one, labels]) => {
      const value = measure(one, now);
      if (typeof value !== "object") return value === undefined ? [] : [`supertick_${name}{${labels}} ${value}`];
      return Object.keys(value).map((result) => `supertick_${name}{${labels},result="${result}"} ${value[result]}`);
    });
    return [`# HELP supertick_${name} ${help}`, `# TYPE supertick_${name} ${type}`, ...samples];
  });
}

function labelsOf({ file }: StateReport, job?: JobReport): string {
  const label = (name: string, text: string) =>
    `${name}="${text.replace(/[\\"\n]/g, (special) => (special === "\n" ? "\\n" : `\\${special}`))}"`;
  return [job && label("job", job.job), label("listener", file)].filter(isPresent).join(",");
}

/** The last runs, the newest first, and the end of what a failed one wrote. */
function describeRuns({ earlier = [], last }: JobReport): string[] {
  return [...earlier, last]
    .filter(isPresent)
    .reverse()
    .flatMap(({ run, result, at, seconds, reason, tail, ...end }) => {
      const time = seconds > 0 ? `, ${seconds.toFixed(1)}s` : ""; // none where its end was not seen
      const when = result === "interrupted" && time === "" ? "noticed" : "ended";
      const how = `run ${run} ${result}: ${shown(howEnded(end))}${time}`;
      const lines = tail?.replace(/\n$/, "").split("\n") ?? [];
      return [
        `${how}${reason === undefined ? "" : `, ${shown(reason)}`}, ${when} ${formatTime(at)}`,
        ...lines.map((line) => `  ${escapeAll(line)}`),
      ];
    });
}

const isPaused = (paused: Pause | undefined, now: number) => paused !== undefined && (paused.until ?? now) >= now;

function tableRow({ job, last, recent, failures, next, paused, running }: JobReport, file: string, now: number) {
  const coming = [];
  if (next !== undefined) coming.push(next > now ? `in ${formatAge(next - now)}` : "now");
  if (isPaused(paused, now))
    coming.push(`paused${paused?.until ? ` for another ${formatAge(paused.until - now)}` : ""}`);
  if (running.length > 0) coming.push(`running ${formatAge(now - running[0].since)}`);
  return [
    shown(job),
    jsonText(file).slice(1, -1),
    last === undefined ? "none yet" : `${last.result} ${formatAge(now - last.at)} ago`,
    (last?.seconds ? last.seconds.toFixed(1) : "").padStart(7),
    recent.map((result) => SIGNS[result]).join(""),
    String(failures).padStart(6),
    coming.join("; ") + (running.length > 1 ? ` (${running.length})` : "") || "–",
  ];
}

/** The largest unit alone: 3h */
function formatAge(seconds: number): string {
  return formatDuration(Math.max(0, Math.round(seconds))).replace(/(\D).*/, "$1");
}

// ── serve ───────────────────────────────────────────────────────────────────
// What status says as a page, for Prometheus and for probes: one process for all listeners of the machine. It reads the
// files at each request, keeps nothing and changes nothing. All that others wrote gets into the page through `html`.
// To serve something more: a case of `viewOf`.

const REQUEST_BYTES = 4096;
const REQUEST_SECONDS = 5; // until the whole of it is there
const CONNECTION_SECONDS = 30; // until the answer is taken
const MOST_CONNECTIONS = 64;

type ServeSettings = ReturnType<typeof readServeSettings>;
type View = readonly [status: number, type: string, body: string];

function serve(args: readonly string[], scopes: readonly Scope[]): void {
  const settings = readServeSettings(args, scopes);
  const { createServer } = require("http") as typeof import("http");
  const server = createServer({ maxHeaderSize: REQUEST_BYTES }, (request, response) => {
    const [status, type, text] = answerTo(request, settings);
    const body = Buffer.from(text);
    const headers = { ...safeHeaders(), "Content-Type": `${type}; charset=utf-8` };
    response.writeHead(status, { ...headers, "Content-Length": body.length });
    response.end(request.method === "HEAD" ? undefined : body);
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.on("connection", (socket) => {
    const request = setTimeout(() => socket.bytesWritten === 0 && socket.destroy(), REQUEST_SECONDS * 1000);
    const whole = setTimeout(() => socket.destroy(), CONNECTION_SECONDS * 1000);
    socket.once("close", () => [request, whole].forEach(clearTimeout));
  });
  server.on("error", (error) => {
    writeFully(2, `supertick: cannot serve on port ${settings.port}: ${describeError(error)}\n`);
    process.exit(1);
  });
  server.listen(settings.port, settings.address, () => {
    const { address, port } = server.address() as import("net").AddressInfo;
    writeFully(2, `supertick: serving http://${address.includes(":") ? `[${address}]` : address}:${port}/\n`);
  });
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => process.exit(0)); // also as PID 1
}

/** `places`: files and directories; all that status finds where there is none. @throws UsageError */
function readServeSettings(args: readonly string[], scopes: readonly Scope[]) {
  const words: string[] = [];
  const { layer, command } = parseCommandLine(args, scopes, words);
  const [where = "", ...places] = [...words, ...command];
  const [, name = "127.0.0.1", port] = /^(?:(.+):)?(\d{1,5})$/.exec(where) ?? [];
  if (port === undefined || Number(port) > 65535 || !(isAddress(name) || name === "localhost"))
    throw new UsageError(`serve: expected [ADDRESS:]PORT, such as 9180 or 0.0.0.0:9180, got ${quote(where)}`);
  const address = name.replace(/[[\]]/g, "");
  return { where, address, port: Number(port), places, hosts: valuesOf([layer], "crontab").host ?? [] };
}

const isAddress = (text: string) => (require("net") as typeof import("net")).isIP(text.replace(/^\[(.*)\]$/, "$1")) > 0;

/** No other site's page gets anything out of ours, and ours takes nothing but its own style and script. */
function safeHeaders(): Record<string, string> {
  const { createHash } = require("crypto") as typeof import("crypto");
  const only = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  const own = `style-src ${only(STYLE)}; script-src ${only(SCRIPT)}; connect-src 'self'`;
  return {
    "Cache-Control": "no-store",
    Connection: "close",
    "Content-Security-Policy": `default-src 'none'; ${own}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
  };
}

function answerTo(request: import("http").IncomingMessage, { hosts, places }: ServeSettings): View {
  const { method = "", url = "", rawHeaders, headers } = request;
  const refuse = (status: number, why: string): View => [status, "text/plain", `${why}\n`];
  if (!/^(GET|HEAD)$/.test(method)) return refuse(405, "GET and HEAD only");
  if (url.length + rawHeaders.join("").length > REQUEST_BYTES) return refuse(431, "the request is too large");
  if (!isOwnHost(headers.host, hosts)) return refuse(403, "not a name of this server: start it with --host NAME");
  try {
    return viewOf(url.replace(/\?.*/s, ""), places) ?? refuse(404, "there is /, /metrics, /health and /status.json");
  } catch (error) {
    writeFully(2, `supertick: cannot answer: ${quote(String((error as Error).stack))}\n`);
    return refuse(500, "it can't be shown: the log of serve says why");
  }
}

/** A name that leads here only by somebody else's DNS has a browser believe that ours is their site. */
function isOwnHost(host = "", names: readonly string[]): boolean {
  const name = host.toLowerCase().replace(/:\d+$/, "");
  return isAddress(name) || ["localhost", ...names].includes(name);
}

function viewOf(path: string, places: readonly string[]): View | undefined {
  const now = Date.now() / 1000;
  const states = () => besideLiving(filesIn(places).map((file) => servedReport(file, now)));
  switch (path) {
    case "/":
      return [200, "text/html", pageOf(states(), now)];
    case "/health":
      return isHealthy(states()) ? [200, "text/plain", "healthy\n"] : [503, "text/plain", "not healthy\n"];
    case "/status.json":
      return [200, "application/json", `${describeAsJson(states())}\n`];
    case "/metrics":
      return [200, "text/plain; version=0.0.4", `${describeMetrics(states(), now)}\n`];
    default:
      return undefined;
  }
}

function filesIn(places: readonly string[]): string[] {
  const files = places.flatMap((place) => (stampOf(place).isDirectory ? stateFilesIn(place) : [place]));
  return places.length === 0 ? findStateFiles() : files;
}

// Who may make names here may make links to what only we may read: none of theirs is followed, and should one get there
// between the two looks, nothing of a file that is no counter file is shown.
function servedReport(file: string, now: number): StateReport {
  const links = [file, `${file}.runs`, `${file}.runs.1`].map((path) => tryTo(() => fs.lstatSync(path)));
  if (links.some((link) => link?.isSymbolicLink() && link.uid !== 0 && link.uid !== process.geteuid!()))
    return { file, problem: "it is another user's link: not read", isApart: true, jobs: [] };
  const report = reportOn(file, now);
  return { ...report, problem: report.problem?.replace(/, got .*/s, "") };
}

// The page:

/** What is HTML already. */
class Html {
  constructor(readonly text: string) {}
}
type Inset = string | number | false | undefined | Html | readonly Inset[];

/** HTML in which everything is escaped that stands for a text. */
export function html(pieces: TemplateStringsArray, ...insets: readonly Inset[]): Html {
  return new Html(pieces.reduce((text, piece, i) => text + htmlText(insets[i - 1]) + piece));
}

function htmlText(inset: Inset): string {
  if (inset instanceof Html) return inset.text;
  if (typeof inset === "object") return inset.map(htmlText).join("");
  const text = inset === false ? "" : String(inset ?? "");
  return escapeLines(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

export function pageOf(states: readonly StateReport[], now: number): string {
  const rowsOf = ({ file, jobs, isApart = false }: StateReport) =>
    jobs.map((job) => ({ job, file: states.length > 1 && file, rank: isApart ? 2 : isFailing(job) ? 0 : 1 }));
  const rows = states.flatMap(rowsOf).sort((a, b) => a.rank - b.rank);
  const failing = rows.filter(({ rank }) => rank === 0);
  const problems = judgedOf(states).filter(({ problem }) => problem !== undefined);
  const troubles = [plural(failing.length, "failing job"), plural(problems.length, "problem")].filter(isPresent);
  const summary = states.length === 0 ? "no state file found" : (plural(rows.length, "job") ?? "no job");
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

const problemOf = ({ file, problem, isApart }: StateReport) =>
  problem && html`<p class="${isApart ? "" : "bad"}">${shown(file)}: ${problem}</p>\n`;
const isFailing = ({ last }: JobReport) => last !== undefined && last.result !== "success";
const resultWord = (result: string) => result.replace("none", "not run");
const timeTag = (at: number) => html`<time datetime="${formatTime(at)}">${formatTime(at)}</time>`;

function plural(number: number, what: string): string | undefined {
  return number === 0 ? undefined : countOf(number, what);
}

const UNITS: Readonly<Record<string, string>> = { s: "second", m: "minute", h: "hour", d: "day", w: "week" };

/** 56 → "56 seconds" */
function span(seconds: number): string {
  const [, number, unit] = /(\d+)(.)/.exec(formatAge(seconds))!;
  return plural(Number(number), UNITS[unit]) ?? "0 seconds";
}

/** `rank`: 0 for a failing job, 2 for one that has no say in health. */
type PageRow = { readonly job: JobReport; readonly file: string | false; readonly rank: number };

function rowOf({ job, file, rank }: PageRow, now: number, id: string): Html {
  const { last, earlier = [], failures, schedule } = job;
  const told = [...earlier, last].reverse().find((one) => one?.tail !== undefined);
  const streak = failures > 1 && html`; <b>${failures} failures in a row</b>`;
  const fold =
    told &&
    html`<details><summary id="${id}">the end of what run ${told.run} wrote (${told.result})</summary>
<pre tabindex="0">${told.tail}</pre></details>`;
  return html`<li class="${rank === 0 ? "bad" : ""}"><div><h2>${shown(job.job)}</h2>
<small>${schedule}${file && ` in ${shown(file)}`}</small></div>
<div>${last === undefined ? "no run yet" : lastWords(last, now)}${streak}</div>
<div>${stripOf(job)}</div>
<div>${comingOf(job, now).map((words, i) => [i > 0 ? "; " : "", words])}</div>
${fold}</li>
`;
}

function lastWords({ result, at, seconds, ...end }: LastResult, now: number): Html {
  const how = result === "success" ? "" : ` (${shown(howEnded(end))})`;
  const mark = html`<span aria-hidden="true">${SIGNS[result]}</span>`;
  return html`<b class="${result}">${mark} ${result}</b>${how} ${span(now - at)} ago${
    seconds > 0 && html`, took ${seconds.toFixed(1)}s`
  }`;
}

function comingOf({ next, paused, running }: JobReport, now: number): Html[] {
  const coming: Html[] = [];
  if (running.length > 0) coming.push(html`<b>running</b> for ${span(now - running[0].since)}`);
  if (running.length > 1) coming.push(html`${running.length} runs in progress`);
  if (isPaused(paused, now))
    coming.push(html`<b>paused</b>${paused?.until !== undefined && html` until ${timeTag(paused.until)}`}`);
  else if (next !== undefined)
    coming.push(html`next ${next > now ? `in ${span(next - now)}` : "now"}, ${timeTag(next)}`);
  return coming;
}

/** A bar at x, of height h: what it came to is to be seen without colour too. */
const SHAPES: Readonly<Record<Result | "none", (x: number, h: number) => string>> = {
  success: (x, h) => `M${x} 32v-${h}h6v${h}z`,
  failure: (x, h) => `M${x} 32v-${h}l3-6 3 6v${h}z`,
  timeout: (x, h) => `M${x} 32v-${h}h6v${h}zm2-2h2v-${h - 4}h-2z`,
  interrupted: (x, h) => `M${x} 32v-2h6v2zm0-4v-${h - 4}h6v${h - 4}z`,
  none: (x) => `M${x} 32v-2h6v2z`,
};
const SHAPE_NAMES = Object.keys(SHAPES) as Array<Result | "none">;
const SLOT = 8;

/** The newest on the right; from a height of 6, where it took no time or that is not known, to 24 for the longest. */
function stripOf({ recent, recentSeconds }: Pick<JobReport, "recent" | "recentSeconds">): Html | undefined {
  if (recent.length === 0) return undefined;
  const start = (MAX_RECENT - recent.length) * SLOT + 1;
  const longest = Math.max(...recentSeconds.map(Number));
  const heightAt = (i: number) => 6 + Math.round((18 * (recentSeconds[i] ?? 0)) / (longest || 1));
  const [paths, words]: [Html[], string[]] = [[], []];
  for (const kind of SHAPE_NAMES) {
    const places = [...recent.keys()].filter((i) => recent[i] === kind);
    const bars = places.map((i) => SHAPES[kind](start + i * SLOT, heightAt(i)));
    if (bars.length > 0) paths.push(html`<path class="${kind}" d="${bars.join("")}"/>`);
    if (bars.length > 0) words.push(`${bars.length} ${resultWord(kind)}`);
  }
  const label = `last ${recent.length}: ${listed(words)}; the longest took ${longest.toFixed(1)}s`;
  return html`<svg width="160" height="32" role="img" aria-label="${label}">${paths}</svg>`;
}

const legendOf = (
  kind: Result | "none",
) => html`<span><svg width="8" height="32" aria-hidden="true"><path class="${kind}"
d="${SHAPES[kind](1, 18)}"/></svg> ${resultWord(kind)}</span>`;

const STYLE = `
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

const SCRIPT = `
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

// ── run, pause, resume ──────────────────────────────────────────────────────
// Finds the listener that has the job, makes a request (see Requests), and reads in the journal what comes of it. To ask
// for something more: REQUEST_KINDS, then JobRunner.onRequest.

const TAKING_SECONDS = 2;
const ANSWER_SECONDS = 5;
const LISTENER_ABSENCE_SECONDS = 60;
const JOURNAL_POLL_MS = 50;

/** A job of a listener, as its files say. */
interface FoundJob {
  readonly file: string;
  readonly key: string;
  readonly name: string;
  readonly state: JobState;
}

function ask(kind: Request["ask"], args: readonly string[], scopes: readonly Scope[]): void {
  const words: string[] = [];
  const { layer, command } = parseCommandLine(args, scopes, words);
  const [name, ...more] = [...words, ...command];
  const hint = kind === "pause" ? ", and --for D" : "";
  if (name === undefined || more.length > 0) throw new UsageError(`${kind} takes the name of one job${hint}`);
  const { wait, pauseFor: seconds, requestState } = valuesOf([layer], "crontab");
  const job = findJob(name, requestState);
  if (kind === "resume" && job.state.paused === undefined) return show(`${job.name}: it is not paused`);
  const request = { id: createId(), ask: kind, job: job.key, seconds, at: Date.now() / 1000, machine: machineId() };
  submit(job.file, request);
  process.exitCode = follow(job, request.id, wait);
}

/** @throws UsageError where it is not one job, of a listener that may be asked */
function findJob(name: string, file: string | undefined): FoundJob {
  const jobs = (file === undefined ? findStateFiles() : [file]).flatMap(jobsOf);
  const named = jobs.filter((job) => job.name === name);
  const meant = named.length > 0 ? named : jobs.filter(({ key }) => key === name);
  // What a listener has left that is gone counts where no other one has the name: it may be about to start again.
  const atWork = meant.filter((job) => listenerOf(job.file) !== undefined);
  const found = atWork.length > 0 ? atWork : meant;
  if (found.length === 1) return found[0];
  const files = found.map(({ file }) => file);
  if (files.length > 0)
    throw new UsageError(`${quote(name)} is the name of several jobs: --state decides: ${listed(files)}`);
  const names = jobs.map((one) => one.name);
  const others = "; those of another user's listener are known to root and to that user";
  const hint = `${process.geteuid!() === 0 ? "" : others}; of a listener with a --state: --state FILE here too`;
  throw new UsageError(`no listener has a job ${quote(name)}${suggestion(name, names)}${hint}`);
}

function jobsOf(file: string): FoundJob[] {
  const states = jobStatesIn(readJournalFiles(`${file}.runs`));
  return states.map(([key, state]) => ({ file, key, name: state.name ?? key, state }));
}

function listenerOf(file: string): Rival | undefined {
  return tryTo(() => rivalOf(parseCounter(readStart(file))));
}

/** Until somebody has taken it. @throws UsageError where nobody does: then it is withdrawn */
function submit(file: string, request: Request): void {
  let problem = "no listener is at work on it";
  const refuse = (why: string) => new UsageError(`${jsonText(file).slice(1, -1)}: ${why}`);
  try {
    if (listenerOf(file)?.isElsewhere) throw codedError("its listener is in another container or machine: ask there");
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
      if (listener !== undefined) {
        problem = `its listener (pid ${listener.pid}) does not take it: it is stopping or busy, or its log says why`;
        process.kill(listener.pid, "SIGURG");
      }
    } catch (error) {
      problem = `the listener (pid ${listener!.pid}) can't be asked: ${errorCode(error)}; ask as root, or as its user`;
    }
    sleep(JOURNAL_POLL_MS);
    if (!fs.existsSync(path)) return;
  }
  if (tryTo(() => fs.unlinkSync(path) ?? true)) throw refuse(problem);
}

/** Prints what comes of a request. Returns the exit status: with `isWaiting`, that of the command. */
function follow(job: FoundJob, id: string, isWaiting: boolean): number {
  const said = new Set<string>();
  let [stamp, seen] = ["", monotonicSeconds()];
  for (;;) {
    const before = stamp;
    stamp = stampOf(`${job.file}.runs`).text;
    const { lines, status } = stamp === before ? { lines: [], status: undefined } : outcomeOf(job, id, isWaiting);
    for (const line of lines) if (!said.has(line)) show(`${shown(job.name)}: ${line}`);
    for (const line of lines) said.add(line);
    if (status !== undefined) return status;
    if (said.size > 0 && listenerOf(job.file) !== undefined) seen = monotonicSeconds();
    if (monotonicSeconds() - seen > (said.size > 0 ? LISTENER_ABSENCE_SECONDS : ANSWER_SECONDS)) break;
    sleep(JOURNAL_POLL_MS);
  }
  writeFully(2, "supertick: what comes of it is not known: the listener is gone, or its log says why\n");
  return 1;
}

/** What the journal says of a request so far. `status`: once there is no more to come. */
function outcomeOf({ file, key }: FoundJob, id: string, isWaiting: boolean): { lines: string[]; status?: number } {
  const lines: string[] = [];
  let state = FRESH_STATE;
  let number: number | undefined;
  for (const text of linesOf(readJournalFiles(`${file}.runs`))) {
    const line = tryParseLine(text);
    if (line?.job !== key) continue;
    const { fact } = line;
    if (fact.type === "starting" && fact.id === id) number = fact.run;
    const about = state.runs.find((run) => run.number === number);
    state = remember(state, fact);
    if ("run" in fact ? fact.run !== number : !("id" in fact) || fact.id !== id) continue;
    lines.push(...describeForAsker(fact, about));
    const status = statusAfter(fact, state, isWaiting);
    if (status !== undefined) return { lines, status };
  }
  return { lines };
}

function describeForAsker(fact: Fact, about: Run | undefined): string[] {
  if (fact.type === "starting")
    return [`run ${fact.run}${fact.attempt > 1 ? `, attempt ${fact.attempt},` : ""} starts`];
  if (fact.type === "ending" || ("run" in fact && about === undefined)) return [];
  if (fact.type !== "ended") return [describeFact(fact, about)].filter(isPresent);
  const { tail, ...end } = fact as FactOf<"ended"> & { tail?: unknown };
  const text = describeFact({ ...end, retryIn: undefined, why: undefined }, { ...about!, since: 0 })!;
  const output = isText(tail) ? [`it wrote:\n${escapeLines(tail as string)}`] : [];
  return [
    ...output,
    text + (fact.retryIn === undefined ? "" : `; it is tried again in ${formatDuration(fact.retryIn)}`),
  ];
}

function statusAfter(fact: Fact, { last }: JobState, isWaiting: boolean): number | undefined {
  if (fact.type === "paused" || fact.type === "resumed") return 0;
  if (fact.type === "skipped") return 1;
  if (!isWaiting) return 0;
  if (fact.type !== "dropped" && (fact.type !== "ended" || fact.retryIn !== undefined)) return undefined;
  if (last?.run !== fact.run || !/success|failure/.test(last.result)) return 1;
  return last.result === "success" ? 0 : last.exit || 1;
}

// ── main ────────────────────────────────────────────────────────────────────
// To add a subcommand: its row in SUBCOMMANDS, and a section like those above.

interface Subcommand {
  readonly usage: readonly string[];
  readonly about: string;
  /** Which options it takes. */
  readonly scopes: readonly Scope[];
  readonly run: (args: readonly string[], scopes: readonly Scope[]) => void;
}

/** By the first word; "" where that is none of them. */
const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  "": {
    usage: ["[options] -- command [argument ...]", "[options] --crontab FILE"],
    about: "run a command, or the jobs of a crontab, on schedule: an event listener, which supervisord starts",
    scopes: ["job", "listener"],
    run: startListener,
  },
  init: {
    usage: ["init [options] -- command ...", "init serve [ADDRESS:]PORT"],
    about: "print the section for supervisord.conf",
    scopes: ["job", "listener"],
    run: init,
  },
  check: {
    usage: ["check [options] [-- command ...]", "check [--json] supervisord.conf"],
    about:
      "say in words what will happen and list the next runs, or what is wrong with the sections that run supertick; " +
      "exit status 1 for a mistake in a file",
    scopes: ["job", "listener", "check", "trial", "report"],
    run: check,
  },
  simulate: {
    usage: ["simulate [options] -- command ..."],
    about: "try it: play supervisord, fast, and send ticks over pipes",
    scopes: ["job", "listener", "simulate", "trial"],
    run: simulate,
  },
  run: {
    usage: ["run NAME [--wait]"],
    about: "run a job now: asks the listener that has it",
    scopes: ["request", "run"],
    run: (args, scopes) => ask("run", args, scopes),
  },
  pause: {
    usage: ["pause NAME [--for D]"],
    about: "nothing of the job is due until it is resumed, or for D",
    scopes: ["request", "pause"],
    run: (args, scopes) => ask("pause", args, scopes),
  },
  resume: {
    usage: ["resume NAME"],
    about: "end a pause",
    scopes: ["request"],
    run: (args, scopes) => ask("resume", args, scopes),
  },
  status: {
    usage: ["status [--json|--prometheus] [NAME|FILE ...]"],
    about: "show what the state files say; exit status 1 if something is wrong",
    scopes: ["report", "status"],
    run: status,
  },
  serve: {
    usage: ["serve [--host NAMES] [ADDRESS:]PORT [FILE|DIR ...]"],
    about: "show the same as a page, with /metrics, /health and /status.json; on 127.0.0.1 where no address is given",
    scopes: ["serve"],
    run: serve,
  },
};

/** The text of --help: of all, or of one subcommand with the options that only subcommands have. */
function helpText(name: string): string {
  const isOverview = name === "";
  const names = isOverview ? Object.keys(SUBCOMMANDS) : [name];
  const usages = names.map((name) => {
    const { usage, about } = SUBCOMMANDS[name];
    const lines = usage.map((words) => `  supertick ${words}`);
    return [...lines.slice(0, -1), helpRow(lines[lines.length - 1], about)].join("\n");
  });
  const { scopes } = SUBCOMMANDS[name];
  const groups = Object.entries(GROUPS).map(([group, title]) => {
    const specs = OPTION_KEYS.map(specOf).filter((spec) => spec.group === group);
    const own = specs.filter(({ scope }) => isOverview || (group === "trial" && scopes.includes(scope)));
    return own.length === 0 ? "" : `\n${isOverview ? title : "Options"}:\n${own.map(optionRow).join("\n")}\n`;
  });
  const more = scopes.includes("job") ? "It takes the options of a listener too: see supertick --help.\n" : "";
  return `supertick ${SUPERTICK_VERSION}: cron for supervisord, in one file

${usages.join("\n")}
${isOverview ? `  supertick [SUBCOMMAND] --help | --version\n\n${OVERVIEW}` : more && `\n${more}`}${groups.join("")}`;
}

const OVERVIEW = `Each option is a flag or an environment variable, as in brackets; the flag wins.
Durations D: 90, 90s, 5m, 1h30m, 2d, 1w.
Try it:   supertick simulate --ticks 5 --for 15m -- echo hello
Run now:  supertick run NAME
`;

function optionRow({ flag, metavar, env, about, defaultText, default: standard = defaultText }: OptionSpec): string {
  const notes = [env, standard && `default: ${standard}`].filter(isPresent).join("; ");
  return helpRow(`  ${flag} ${metavar}`, notes === "" ? about : `${about} [${notes}]`);
}

/** A text of at most 80 columns beside what it explains, or below that where it is long. */
function helpRow(head: string, text: string): string {
  const indent = 21;
  const lines = text.match(new RegExp(`\\S.{0,${79 - indent}}(?= |$)`, "g"))!;
  const margin = " ".repeat(indent);
  const start = head.length < indent ? head.padEnd(indent) : `${head}\n${margin}`;
  return start + lines.join(`\n${margin}`);
}

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
  const name = Object.keys(SUBCOMMANDS).find((name) => name === args[0]) ?? "";
  try {
    if (options.includes("--help") || options.includes("-h")) writeFully(1, helpText(name));
    else if (options.includes("--version") || options.includes("-V")) writeFully(1, `supertick ${SUPERTICK_VERSION}\n`);
    else SUBCOMMANDS[name].run(name === "" ? args : args.slice(1), SUBCOMMANDS[name].scopes);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const { SUPERVISOR_PROCESS_NAME: listener = "" } = name === "" ? process.env : {}; // one of several, in one log
    try {
      writeFully(2, `supertick: ${listener}${listener && ": "}${error.message}\n`);
    } finally {
      process.exit(2);
    }
  }
}
