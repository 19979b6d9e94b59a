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
// The map. Start reading at `startListener` if you want to know why a job did not run; the sections above it are pure.
//
//   Event listener protocol    bytes in, events out
//   Ticks and windows          which ticks count, and the stretch of time that each of them decides
//   Schedules                  durations, ticks, slices; dueTime
//   Job policy                 what a due run does to the runs in progress: a state machine
//   Settings                   ONE table of options for flags, environment, defaults, validation and --help
//   ═══ the outside world ═══
//   Log                        stderr, without ever blocking on it
//   Processes                  who is alive; the commands that are run
//   Counter file               the count and the last tick, whole at every instant
//   Run journal                what was started and how it ended
//   Listener                   the only one to perform what the policy asks for
//   simulate                   a supervisord for the newcomer
//   main
//
// Two rules. Stdout belongs to supervisord: nothing but READY and RESULT is ever written to it, or supervisord stops
// talking to us for good. And above the line that says so there is no clock, no file and no process.

import * as fs from "fs";

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
export interface EventReader {
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
  const serial = Number.parseInt(line.slice(serialAt + " serial:".length), 10);
  const length = Number(tail[2]);
  if (Number.isNaN(serial)) return undefined;
  if (length > MAX_PAYLOAD_LENGTH) throw new ProtocolError(`an event of ${tail[2]} bytes: ${quoteBytes(line)}`);
  return { name: tail[1], serial, length };
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
export function parseRemoteCommunication(payload: string): { type: string; data: string } {
  const newline = payload.indexOf("\n");
  const head = newline < 0 ? payload : payload.slice(0, newline);
  return { type: head.replace(/^type:/, ""), data: newline < 0 ? "" : payload.slice(newline + 1) };
}

/** Somebody else's text for a message of ours: quoted, cut, and with everything escaped that a terminal could act on. */
export function quote(text: string): string {
  const cut = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return JSON.stringify(cut).replace(
    /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    escapeCodeUnit,
  );
}

function quoteBytes(bytes: string): string {
  return quote(decodeUtf8(bytes.slice(0, 400)));
}

function escapeCodeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
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
}

/** The times that one tick decides: (after, upTo], or (fixedAfter, upTo] for fixed cron jobs. May be empty. */
export interface Window {
  readonly after: number;
  readonly fixedAfter: number;
  readonly upTo: number;
}

/** A tick that counts: the window it decides, and by how many seconds the clock was set back. */
export interface CountedTick {
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
function wasCounted(clock: TickClock, tick: Tick): boolean {
  return tick.serial <= clock.serial && (!clock.isRestored || tick.whenSeconds <= clock.whenSeconds);
}

const FIXED_JOBS_WAIT_SECONDS = 3 * 3600;

/** Counts a tick; undefined if it was counted before. Without a clock the window is one period long. */
export function countTick(clock: TickClock | undefined, tick: Tick): CountedTick | undefined {
  const when = tick.whenSeconds;
  if (clock === undefined) {
    const after = when - tick.periodSeconds;
    const first = { whenSeconds: when, serial: tick.serial, decidedSeconds: when, fixedDecidedSeconds: when };
    return {
      clock: { ...first, isRestored: false },
      window: { after, fixedAfter: after, upTo: when },
      setBackSeconds: 0,
    };
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
// To add a kind: extend Schedule, then dueTime and describeSchedule, then the option that makes it, then the tables in
// test/schedule.test.ts.

export type Schedule =
  /** On every Nth tick counted. */
  | { readonly kind: "ticks"; readonly every: number }
  /** Once in every slice of time; slices begin at multiples of `everySeconds` since the epoch, plus the offset. */
  | { readonly kind: "slices"; readonly everySeconds: number; readonly offsetSeconds: number };

/**
 * The due time, in epoch seconds, that the tick with this count and window brings; undefined if there is none.
 * Several due times in one window are one run, for the latest.
 */
export function dueTime(schedule: Schedule, count: number, window: Window): number | undefined {
  switch (schedule.kind) {
    case "ticks":
      return count >= schedule.every ? window.upTo : undefined;
    case "slices": {
      const start = sliceStart(schedule, window.upTo);
      return start > window.after ? start : undefined;
    }
  }
}

/** The count after this tick: it restarts when the goal is reached, as in the script that supertick replaces. */
export function countAfter(schedule: Schedule, count: number): number {
  return schedule.kind === "ticks" && count >= schedule.every ? 0 : count;
}

function sliceStart(slices: { everySeconds: number; offsetSeconds: number }, at: number): number {
  return Math.floor((at - slices.offsetSeconds) / slices.everySeconds) * slices.everySeconds + slices.offsetSeconds;
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
  }
}

/** Why this schedule cannot be met exactly on ticks of that period; undefined if it can. */
export function tickMismatch(schedule: Schedule, periodSeconds: number): string | undefined {
  if (schedule.kind !== "slices") return undefined;
  const isMet = schedule.everySeconds % periodSeconds === 0 && schedule.offsetSeconds % periodSeconds === 0;
  if (isMet) return undefined;
  return `${describeSchedule(schedule)} does not fit a tick every ${formatDuration(periodSeconds)}; each run comes with the first tick after its due time`;
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

// ── Job policy ──────────────────────────────────────────────────────────────
// What happens to the runs of one job: a state machine. `step` takes what has happened and says what to do about it; the
// listener does it. Nothing here knows a process, a timer or a file.
//
//   due → starting → running ──────────────────────────────→ finished
//                       └ deadline or stop → ending → killed ┘
//
// In `ending` the group was sent SIGTERM and the grace runs. It runs for the group: a shell that dies at once must not
// leave the command it started beside the next run, so the leader's exit alone does not end the run.
// To add an input or an action: extend the union, then step (or the listener's `perform`), then test/policy.test.ts.

/** Why a run starts. */
export type Reason = "schedule" | "start" | "signal" | "remote";
/** How a run ended. */
export type Result = "success" | "failure" | "timeout" | "interrupted";

export interface JobPolicy {
  /** What a due run does while the last one is still going. */
  readonly overlap: "skip";
  /** 0: no limit. */
  readonly timeoutSeconds: number;
  /** The grace between SIGTERM and SIGKILL. */
  readonly killAfterSeconds: number;
}

/** How a process ended. All null where nobody could see it. */
export interface ProcessEnd {
  readonly exit: number | null;
  readonly signal: string | null;
  /** Why it could not be started, or why its end is not known. */
  readonly error?: string;
}

/** One execution of the job. */
export interface Run {
  readonly number: number;
  readonly attempt: number;
  /** Epoch seconds. */
  readonly due: number;
  readonly reason: Reason;
  readonly phase: "starting" | "running" | "ending" | "killed";
  /** Of the leader of its process group; undefined until it has started. */
  readonly pid?: number;
  /** Why it is being ended. */
  readonly cause?: "timeout" | "stop";
  /** Set when the leader is gone. */
  readonly end?: ProcessEnd;
  /** Started by an earlier listener that was killed: its exit status will never be known. */
  readonly isOrphan?: boolean;
}

export interface JobState {
  readonly lastRun: number;
  readonly runs: readonly Run[];
  readonly isStopping: boolean;
}

export type JobInput =
  | { readonly type: "due"; readonly due: number; readonly reason: Reason }
  | { readonly type: "adopted"; readonly run: Run; readonly elapsedSeconds: number }
  | { readonly type: "started"; readonly run: number; readonly pid: number }
  | { readonly type: "startFailed"; readonly run: number; readonly error: string }
  | { readonly type: "deadline"; readonly run: number }
  | { readonly type: "graceOver"; readonly run: number }
  | { readonly type: "exited"; readonly run: number; readonly end: ProcessEnd }
  | { readonly type: "groupGone"; readonly run: number }
  | { readonly type: "stop" };

export type JobAction =
  | { readonly type: "start"; readonly run: Run }
  | { readonly type: "skip"; readonly due: number; readonly reason: Reason; readonly behind: Run }
  | { readonly type: "armDeadline"; readonly run: Run; readonly seconds: number }
  | { readonly type: "armGrace"; readonly run: Run; readonly seconds: number }
  | { readonly type: "terminate"; readonly run: Run }
  | { readonly type: "kill"; readonly run: Run }
  | { readonly type: "watchGroup"; readonly run: Run }
  | { readonly type: "finish"; readonly run: Run; readonly result: Result; readonly end: ProcessEnd }
  /** A stop was asked for, and nothing is left of the job. */
  | { readonly type: "stopped" };

export type Step = [JobState, JobAction[]];

/** How long a stop waits for a process that was sent SIGKILL: it may hang in the kernel. */
const LAST_GRACE_SECONDS = 1;

export function createJobState(lastRun: number): JobState {
  return { lastRun, runs: [], isStopping: false };
}

/** What has happened → the new state, and what to do, in this order. An input about a run that is gone changes nothing. */
export function step(policy: JobPolicy, state: JobState, input: JobInput): Step {
  if (input.type === "due") return startOrSkip(state, input);
  if (input.type === "stop") return stopAll(policy, state);
  if (input.type === "adopted") return adopt(policy, state, input.run, input.elapsedSeconds);
  const run = state.runs.find((r) => r.number === input.run);
  if (run === undefined) return [state, []];
  switch (input.type) {
    case "started":
      return begin(policy, state, { ...run, phase: "running", pid: input.pid }, 0);
    case "startFailed":
      return finish(state, run, { exit: null, signal: null, error: input.error });
    case "exited":
      return leaderExited(state, { ...run, end: input.end });
    case "groupGone":
      return run.end === undefined ? [state, []] : finish(state, run, run.end);
    case "deadline":
      return run.phase === "running" ? terminate(policy, state, run, "timeout") : [state, []];
    case "graceOver":
      return graceOver(state, run);
  }
}

function startOrSkip(state: JobState, { due, reason }: { due: number; reason: Reason }): Step {
  if (state.isStopping) return [state, []];
  const behind = state.runs[0];
  if (behind !== undefined) return [state, [{ type: "skip", due, reason, behind }]];
  const run: Run = { number: state.lastRun + 1, attempt: 1, due, reason, phase: "starting" };
  return [{ ...state, lastRun: run.number, runs: [...state.runs, run] }, [{ type: "start", run }]];
}

function adopt(policy: JobPolicy, state: JobState, run: Run, elapsedSeconds: number): Step {
  const orphan: Run = { ...run, phase: "running", isOrphan: true };
  return begin(policy, { ...state, runs: [...state.runs, orphan] }, orphan, elapsedSeconds);
}

function begin(policy: JobPolicy, state: JobState, run: Run, elapsedSeconds: number): Step {
  const seconds = Math.max(1, policy.timeoutSeconds - elapsedSeconds);
  return [withRun(state, run), policy.timeoutSeconds > 0 ? [{ type: "armDeadline", run, seconds }] : []];
}

function terminate(policy: JobPolicy, state: JobState, run: Run, cause: "timeout" | "stop"): Step {
  const ending: Run = { ...run, phase: "ending", cause };
  const grace: JobAction = { type: "armGrace", run: ending, seconds: policy.killAfterSeconds };
  return [withRun(state, ending), [{ type: "terminate", run: ending }, grace]];
}

function kill(state: JobState, run: Run): Step {
  const killed: Run = { ...run, phase: "killed" };
  const action: JobAction = { type: "kill", run: killed };
  if (killed.end === undefined) {
    return [withRun(state, killed), [action, { type: "armGrace", run: killed, seconds: LAST_GRACE_SECONDS }]];
  }
  const [next, actions] = finish(state, killed, killed.end);
  return [next, [action, ...actions]];
}

function leaderExited(state: JobState, run: Run): Step {
  if (run.phase === "ending") return [withRun(state, run), [{ type: "watchGroup", run }]];
  return finish(state, run, run.end!);
}

function graceOver(state: JobState, run: Run): Step {
  if (run.phase === "ending") return kill(state, run);
  // Not even SIGKILL ended it. A stop must end, so it is left behind; else it counts as running until it is gone.
  if (run.phase === "killed" && state.isStopping) {
    return finish(state, run, { exit: null, signal: null, error: "it did not die of SIGKILL" });
  }
  return [state, []];
}

// The first stop asks every run to end; the second one kills.
function stopAll(policy: JobPolicy, state: JobState): Step {
  let next: JobState = { ...state, isStopping: true };
  const actions: JobAction[] = [];
  for (const run of state.runs) {
    const [after, more] = stopOne(policy, next, run, state.isStopping);
    next = after;
    actions.push(...more);
  }
  if (state.runs.length === 0) actions.push({ type: "stopped" });
  return [next, actions];
}

function stopOne(policy: JobPolicy, state: JobState, run: Run, isSecond: boolean): Step {
  switch (run.phase) {
    case "starting":
      return finish(state, { ...run, cause: "stop" }, { exit: null, signal: null, error: "stopped before it started" });
    case "running":
      return terminate(policy, state, run, "stop");
    case "ending":
      return isSecond ? kill(state, run) : [state, []];
    case "killed":
      return [state, [{ type: "armGrace", run, seconds: LAST_GRACE_SECONDS }]];
  }
}

function finish(state: JobState, run: Run, end: ProcessEnd): Step {
  const next = { ...state, runs: state.runs.filter((r) => r.number !== run.number) };
  const actions: JobAction[] = [{ type: "finish", run, result: resultOf(run, end), end }];
  if (next.isStopping && next.runs.length === 0) actions.push({ type: "stopped" });
  return [next, actions];
}

function resultOf(run: Run, end: ProcessEnd): Result {
  if (run.cause === "timeout") return "timeout";
  if (run.cause === "stop" || run.isOrphan) return "interrupted";
  return end.exit === 0 ? "success" : "failure";
}

function withRun(state: JobState, run: Run): JobState {
  return { ...state, runs: state.runs.map((r) => (r.number === run.number ? run : r)) };
}

// ── Settings ────────────────────────────────────────────────────────────────
// ONE table of options. Flags, environment variables, defaults, validation and --help all come from it, and a test holds
// README's table against it. To add an option: add a row, then README's row; its type follows from its `parse`.
//
// A parser gets the text and returns the value. It throws an Expectation (what is legal) or an Error (what is wrong);
// parseSetting makes the sentence, with the option's name and the user's own text.

/** What a parser would have accepted: "a duration such as 30s, 5m or 1h30m". */
export class Expectation extends Error {}

/** The user's mistake. The message is the one line to show; no stack trace. */
export class UsageError extends Error {}

interface OptionSpec {
  readonly flag: string;
  /** None for the options of a subcommand. */
  readonly env?: string;
  readonly group: "schedule" | "when" | "how" | "telling" | "simulate";
  /** A job's option may differ between the jobs of one listener. */
  readonly scope: "job" | "listener" | "simulate";
  /** Name of the value in --help. None: a switch. */
  readonly metavar?: string;
  readonly default?: string;
  /** What --help shows for a default that depends. */
  readonly defaultText?: string;
  /** Only with these schedules does the option have an effect. */
  readonly onlyWith?: readonly string[];
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
  offset: {
    flag: "--offset",
    env: "TICK_OFFSET",
    group: "schedule",
    scope: "job",
    metavar: "D",
    default: "0",
    onlyWith: ["every"],
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
    about: "the job's name in log and state",
    parse: parseName,
  },
  overlap: {
    flag: "--overlap",
    env: "TICK_OVERLAP",
    group: "how",
    scope: "job",
    metavar: "POLICY",
    default: "skip",
    about: "what a due run does while the last one is still going: skip",
    parse: oneOf("skip"),
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
    about: "raw: the command's output goes to stderr as it is",
    parse: oneOf("raw"),
  },
  for: {
    flag: "--for",
    group: "simulate",
    scope: "simulate",
    metavar: "D",
    default: "1h",
    about: "how much of supervisord's time to play",
    parse: positiveDuration,
  },
  speed: {
    flag: "--speed",
    group: "simulate",
    scope: "simulate",
    metavar: "N",
    default: "600",
    about: "how many times faster than the clock; max: no pause between ticks, but none while a run is in progress",
    parse: parseSpeed,
  },
  from: {
    flag: "--from",
    group: "simulate",
    scope: "simulate",
    metavar: "TIME",
    defaultText: "now",
    about: "the time of the first tick, such as 2025-03-30T00:55:00Z (UTC where no zone is given)",
    parse: parseTime,
  },
} satisfies Record<string, OptionSpec>;

/** The options that name a schedule: one of them must be given. */
const SCHEDULE_KEYS = ["ticks", "every"] as const;

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

/** What a command line asks for. */
export interface CommandLine {
  readonly layer: Layer;
  readonly command: readonly string[];
}

const OPTION_KEYS = Object.keys(OPTIONS) as OptionKey[];
const specOf = (key: OptionKey): OptionSpec => OPTIONS[key];

/**
 * Reads `[options] -- command …`.
 * @param scopes which options are legal here
 * @throws UsageError
 */
export function parseCommandLine(args: readonly string[], scopes: ReadonlyArray<OptionSpec["scope"]>): CommandLine {
  const texts = new Map<OptionKey, { text: string; origin: string }>();
  const keys = OPTION_KEYS.filter((key) => scopes.includes(specOf(key).scope));
  for (let i = 0; i < args.length; i++) {
    const word = args[i];
    if (word === "--") return { layer: { isFlags: true, texts }, command: args.slice(i + 1) };
    if (!word.startsWith("-")) throw new UsageError(`${quote(word)} is no option; the command goes behind --`);
    const [flag, ...inline] = word.split("=");
    const key = keys.find((k) => specOf(k).flag === flag);
    if (key === undefined) {
      throw new UsageError(
        `unknown option ${quote(flag)}${suggestion(
          flag,
          keys.map((k) => specOf(k).flag),
        )}`,
      );
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

/** Reads the `TICK_…` variables; warns of those that name no option. */
export function parseEnvironment(env: NodeJS.ProcessEnv): { layer: Layer; warnings: string[] } {
  const texts = new Map<OptionKey, { text: string; origin: string }>();
  const warnings: string[] = [];
  const names = OPTION_KEYS.map((key) => specOf(key).env ?? "");
  for (const name of Object.keys(env)) {
    if (!name.startsWith("TICK_")) continue;
    const at = names.indexOf(name);
    if (at >= 0) texts.set(OPTION_KEYS[at], { text: env[name] ?? "", origin: name });
    else warnings.push(`${name} is not a variable of supertick; it is ignored${suggestion(name, names)}`);
  }
  return { layer: { isFlags: false, texts }, warnings };
}

/**
 * The values that hold, from the layers in order of precedence.
 * @throws UsageError for a value that is not legal, two schedules on one level, a flag that has no effect
 */
export function resolveSettings(layers: readonly Layer[]): Settings {
  const schedule = chooseSchedule(layers);
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
    if (layer !== undefined && !isIdle) settings[key] = parseSetting(key, layer.texts.get(key)!);
    else settings[key] = spec.default === undefined ? undefined : spec.parse(spec.default);
  }
  const { every, offset } = settings as Settings;
  if (every !== undefined && offset >= every) {
    const { text, origin } = layers.find((l) => l.texts.has("offset"))!.texts.get("offset")!;
    throw new UsageError(`${origin}: expected less than the slice of ${formatDuration(every)}, got ${quote(text)}`);
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
    throw new UsageError(
      error instanceof Expectation
        ? `${origin}: expected ${message}, got ${quote(text)}`
        : `${origin} ${quote(text)}: ${message}`,
    );
  }
}

/** The schedule that the settings name. */
export function scheduleOf(settings: Settings): Schedule {
  if (settings.every !== undefined) {
    return { kind: "slices", everySeconds: settings.every, offsetSeconds: settings.offset };
  }
  return { kind: "ticks", every: settings.ticks! };
}

/** The policy that the settings name. */
export function policyOf(settings: Settings): JobPolicy {
  return { overlap: settings.overlap, timeoutSeconds: settings.timeout, killAfterSeconds: settings.killAfter };
}

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

function oneOf<T extends string>(...words: T[]): (text: string) => T {
  return (text) => {
    const word = words.find((w) => w === text);
    if (word === undefined) throw new Expectation(words.join(" or "));
    return word;
  };
}

function yesOrNo(text: string): boolean {
  const word = text.toLowerCase();
  if (["yes", "true", "1", "on"].includes(word)) return true;
  if (["no", "false", "0", "off"].includes(word)) return false;
  throw new Expectation("yes or no");
}

function parseName(text: string): string {
  if (!/^[^\s/\p{C}.][^/\p{C}]{0,99}$/u.test(text)) {
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

function parseSpeed(text: string): number {
  if (text === "max") return Number.POSITIVE_INFINITY;
  const speed = Number(text);
  if (!/^\d{1,7}$/.test(text) || speed < 1 || speed > 1e6)
    throw new Expectation("a whole number from 1 to 1000000 or max");
  return speed;
}

function parseTime(text: string): number {
  const iso = /^(\d{4})-(\d\d)-(\d\d)(T\d\d:\d\d(?::\d\d)?(Z|[+-]\d\d:\d\d)?)?$/.exec(text);
  const [, year, month, day, clock, zone] = iso ?? [];
  const seconds = Date.parse(clock === undefined || zone !== undefined ? text : `${text}Z`) / 1000;
  // Date.parse takes 30 February for the 1st or 2nd of March.
  const isRealDay = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === Number(day);
  if (iso === null || !isRealDay || !(seconds >= 0)) throw new Expectation("a time such as 2025-03-30T00:55:00Z");
  return seconds;
}

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

const GROUP_TITLES: Readonly<Record<OptionSpec["group"], string>> = {
  schedule: "Schedule, exactly one",
  when: "When",
  how: "How",
  telling: "Telling",
  simulate: "simulate only",
};

/** The text of --help, made from the table. */
export function helpText(): string {
  const lines = [
    `supertick ${SUPERTICK_VERSION}: cron for supervisord, in one file`,
    "",
    "  supertick [options] -- command [argument ...]    an event listener (supervisord starts it)",
    "  supertick simulate [options] -- command ...      try it: plays supervisord, sends ticks over pipes, shows the frames",
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

// ═══ The outside world starts here ══════════════════════════════════════════

// ── Log ─────────────────────────────────────────────────────────────────────
// Lines for people, on stderr. A pipe whose reader has stopped must cost no tick, so a line is never waited for.
//
// The descriptor 2 is shared with every job, and so is its O_NONBLOCK: set it, and jobs lose output. So we open a
// description of our own, which can be non-blocking without anybody noticing. process.stderr is never touched: Node
// would make the shared one non-blocking for good.

const MAX_QUEUED_LOG_BYTES = 64 * 1024;
const LOG_RETRY_MS = 200;
const LOG_PATIENCE_MS = 1000;

export interface Log {
  /** One line; control characters in it are escaped. */
  line(text: string): void;
  /** What is still queued goes out, or is given up after a second. To be called before the process exits. */
  flush(): void;
}

export function createLog(): Log {
  const own = openOwnStderr();
  const queue: Buffer[] = [];
  let queuedBytes = 0;
  let lost = 0;
  let retry: NodeJS.Timeout | undefined;

  function drain(): void {
    while (queue.length > 0) {
      const written = tryWrite(own ?? 2, queue[0]);
      if (written === undefined) return;
      queuedBytes -= written;
      if (written < queue[0].length) queue[0] = queue[0].slice(written);
      else queue.shift();
    }
    if (lost === 0) return;
    const note = Buffer.from(`supertick: the reader of this log was stopped; lines lost: ${lost}\n`);
    lost = 0;
    push(note);
    drain();
  }

  function push(bytes: Buffer): void {
    queue.push(bytes);
    queuedBytes += bytes.length;
  }

  function drainLater(): void {
    if (queue.length === 0 || retry !== undefined) return;
    retry = setTimeout(() => {
      retry = undefined;
      drain();
      drainLater();
    }, LOG_RETRY_MS);
    retry.unref();
  }

  function drainWithPatience(): void {
    for (const end = monotonicSeconds() + LOG_PATIENCE_MS / 1000; queue.length > 0; sleep(10)) {
      drain();
      if (monotonicSeconds() > end) break;
    }
  }

  return {
    line(text) {
      const bytes = Buffer.from(`supertick: ${text.replace(/[\u0000-\u001f\u007f-\u009f]/g, escapeCodeUnit)}\n`);
      if (queuedBytes + bytes.length > MAX_QUEUED_LOG_BYTES) {
        lost++;
        return;
      }
      push(bytes);
      drain();
      // Without a description of our own the write may meet EAGAIN only because a job made the shared one non-blocking;
      // its reader is alive then, so waiting a little loses nothing.
      if (own === undefined) drainWithPatience();
      drainLater();
    },
    flush: drainWithPatience,
  };
}

function openOwnStderr(): number | undefined {
  const { O_WRONLY, O_APPEND, O_NONBLOCK } = fs.constants;
  try {
    return fs.openSync("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK);
  } catch {
    return undefined; // a socket, another user's pipe, or no /proc
  }
}

/** Bytes written; undefined if the reader is behind. A log that nobody can ever read again swallows everything. */
function tryWrite(fd: number, bytes: Buffer): number | undefined {
  try {
    return fs.writeSync(fd, bytes);
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

function errorCode(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

// ── Processes ───────────────────────────────────────────────────────────────
// Who is alive, and the commands that are run.

/** A process that can be recognised later: its pid may be somebody else's by then, its pid and start time may not. */
export interface ProcessIdentity {
  readonly pid: number;
  /** In clock ticks since the machine's boot; 0 where there is no /proc. */
  readonly start: number;
}

/** The live process with this pid; undefined if there is none, or only its zombie. */
function identify(pid: number): ProcessIdentity | undefined {
  let stat: string;
  try {
    stat = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // pid (any text) state ppid … : the 20th field behind the name is the start time
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : { pid, start: Number(fields[19]) };
}

function isAlive(process: ProcessIdentity): boolean {
  return process.start > 0 && identify(process.pid)?.start === process.start;
}

/**
 * Starts a command as the leader of a session and process group of its own, with stdin from /dev/null and all its
 * output going where our log goes, for stdout is supervisord's.
 * @returns undefined where it could not be started; `onEnd` says why, later
 */
function startProcess(
  command: readonly string[],
  env: NodeJS.ProcessEnv,
  onEnd: (end: ProcessEnd) => void,
): ProcessIdentity | undefined {
  const { spawn } = require("child_process") as typeof import("child_process");
  const onError = (error: unknown) => onEnd({ exit: null, signal: null, error: startError(command[0], error) });
  try {
    const child = spawn(command[0], command.slice(1), { env, stdio: ["ignore", 2, 2], detached: true });
    child.on("error", (error) => child.pid === undefined && onError(error));
    child.on("exit", (exit, signal) => onEnd({ exit, signal }));
    return child.pid === undefined ? undefined : { pid: child.pid, start: identify(child.pid)?.start ?? 0 };
  } catch (error) {
    setImmediate(onError, error);
    return undefined;
  }
}

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

// ── Supervisord's pipes ─────────────────────────────────────────────────────
// Events come in through descriptor 0, answers go out through descriptor 1. process.stdin and process.stdout are not
// touched: they load more code, and make pipes that others share non-blocking.

interface Input {
  /** Takes nothing more; what comes stays in the pipe. */
  pause(): void;
  bytesRead(): number;
}

const READ_BUFFER_BYTES = 4096;

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
  if ((!stats.isFIFO() && !stats.isSocket()) || process.versions.bun !== undefined) {
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

/** Writes all of it. @throws EPIPE when supervisord has closed the pipe */
function writeToSupervisord(text: string): void {
  writeFully(1, Buffer.from(text));
}

function writeFully(fd: number, bytes: Buffer): void {
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

// ── Counter file ────────────────────────────────────────────────────────────
// 256 bytes, overwritten by one write at each tick: killed at any instruction, the old or the new content is there.
// Line 1 is the count alone, as the script that supertick replaces wrote it. Line 2 is the last tick, and who counts:
//
//   3
//   when=1700000040 serial=21 period=60 decided=1700000040 fixed=1700000040 supervisor=1:310 listener=77:412   (padded)
//
// It is read at start only. A file that cannot be written costs a warning, not the count: that goes on in memory.

const COUNTER_FILE_BYTES = 256;

/** What the counter file says. The replaced script left the count only. */
export interface CounterContent {
  readonly count: number;
  readonly clock?: TickClock;
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
  const tick =
    clock === undefined
      ? ""
      : `when=${clock.whenSeconds} serial=${clock.serial} period=${periodSeconds} decided=${clock.decidedSeconds} fixed=${clock.fixedDecidedSeconds} `;
  return `${count}\n${tick}supervisor=${formatIdentity(supervisor)} listener=${formatIdentity(listener)}`;
}

function formatIdentity({ pid, start }: ProcessIdentity): string {
  return `${pid}:${start}`;
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
  return { count: Number(first.trim()), clock, supervisor: identity("supervisor"), listener: identity("listener") };
}

interface CounterFile {
  /** As it was found; a count of 0 where there was none, or a bad one. */
  readonly found: CounterContent;
  /** Never throws: what cannot be written is told once, and tried again at the next tick. */
  write(content: NewCounterContent): void;
  /** Another live listener whose name stands in the file now. */
  rival(): ProcessIdentity | undefined;
}

/** @param path undefined: the count lives in memory only */
function openCounterFile(path: string | undefined, log: Log): CounterFile {
  const bytes = Buffer.alloc(COUNTER_FILE_BYTES);
  const trouble = createTroubleReport(log);
  const { found, isKept, ...opened } = path === undefined ? NO_FILE : findCounterFile(path, log);
  let fd = opened.fd;
  let opening = fd === undefined ? undefined : fs.fstatSync(fd);
  let isCut = false; // the replaced script's file may have been longer

  function overwrite(file: string): void {
    if (fd === undefined || opening === undefined || !isStillAt(file, opening)) {
      if (fd !== undefined) fs.closeSync(fd);
      fd = undefined;
      fd = createCounterFile(file, bytes);
      opening = fs.fstatSync(fd);
    }
    const written = fs.writeSync(fd, bytes, 0, bytes.length, 0);
    if (written < bytes.length) throw Object.assign(new Error(), { code: "ENOSPC" });
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
    rival() {
      const listener = path === undefined ? undefined : tryReadCounter(path)?.listener;
      return listener !== undefined && listener.pid !== process.pid && isAlive(listener) ? listener : undefined;
    },
  };
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

interface FoundCounterFile {
  readonly found: CounterContent;
  readonly fd?: number;
  /** Something stands there that is the user's and could not be set aside: it must not be overwritten. */
  readonly isKept?: boolean;
}

const NO_FILE: FoundCounterFile = { found: { count: 0 } };

function findCounterFile(path: string, log: Log): FoundCounterFile {
  let got: string;
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
  }
  const isAside = setAside(path);
  const kept = isAside
    ? `kept as ${path}.bad, counting from 0`
    : "it is left as it is, and the count is kept in memory only";
  log.line(`${path}: ${got}; ${kept}`);
  return { ...NO_FILE, isKept: !isAside };
}

// O_NONBLOCK: a FIFO in its place must not hang us. A file that can only be read still has a count to take over.
function openRegularFile(path: string): { fd: number; isWritable: boolean } {
  const { O_RDWR, O_RDONLY, O_NONBLOCK } = fs.constants;
  let fd: number;
  let isWritable = true;
  try {
    fd = fs.openSync(path, O_RDWR | O_NONBLOCK);
  } catch (error) {
    if (errorCode(error) !== "EACCES" && errorCode(error) !== "EROFS") throw error;
    fd = fs.openSync(path, O_RDONLY | O_NONBLOCK);
    isWritable = false;
  }
  if (fs.fstatSync(fd).isFile()) return { fd, isWritable };
  fs.closeSync(fd);
  throw Object.assign(new Error(), { code: "no regular file" });
}

function readStart(fd: number): string {
  const bytes = Buffer.alloc(4096);
  return bytes.toString("utf8", 0, fs.readSync(fd, bytes, 0, bytes.length, 0));
}

function tryReadCounter(path: string): CounterContent | undefined {
  try {
    const { fd } = openRegularFile(path);
    const text = readStart(fd);
    fs.closeSync(fd);
    return parseCounter(text);
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

// Renamed where that is possible; a bind-mounted file is copied and emptied. A directory with something in it stays.
function setAside(path: string): boolean {
  try {
    if (fs.statSync(path).isDirectory() && fs.readdirSync(path).length > 0) return false;
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
  try {
    if (isLink(path)) throw new Error("renaming would replace the link, not what it names");
    const fd = fs.openSync(draft, O_RDWR | O_CREAT | O_EXCL, 0o600);
    try {
      fs.writeSync(fd, bytes, 0, bytes.length, 0);
      fs.fsyncSync(fd);
      fs.renameSync(draft, path);
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

function isLink(path: string): boolean {
  try {
    return fs.lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}

/**
 * Where the files are when --state says nothing: /var/lib/supertick if that is writable, else a directory of our own
 * below $TMPDIR or /tmp. That one must really be ours alone, for anybody may make names in /tmp.
 * @throws Error with the reason why there is no safe place
 */
function defaultStatePath(name: string): string {
  const file = encodeURIComponent(name).replace(/^\./, "%2E").slice(0, 200);
  try {
    fs.accessSync("/var/lib/supertick/", fs.constants.W_OK | fs.constants.X_OK);
    return `/var/lib/supertick/${file}`;
  } catch {
    const uid = process.getuid!();
    const directory = `${process.env.TMPDIR || "/tmp"}/supertick-${uid}`;
    try {
      fs.mkdirSync(directory, 0o700);
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw new Error(`cannot make ${directory}: ${errorCode(error)}`);
    }
    const there = fs.lstatSync(directory);
    if (!there.isDirectory() || there.uid !== uid || (there.mode & 0o077) !== 0) {
      throw new Error(`${directory} is not a directory that belongs to user ${uid} alone`);
    }
    return `${directory}/${file}`;
  }
}

// ── Run journal ─────────────────────────────────────────────────────────────
// FILE.runs: one JSON object a line, appended: what was started, and how it ended. `starting` is on the disk before the
// process exists, so that after a crash, even a power cut, no run is started a second time unknowingly.
// Over 256 KiB the file becomes FILE.runs.1; both are read. A line that is torn or damaged is ignored.
// To record something new: extend JournalRecord; whoever reads the journal passes over types it does not know.

const MAX_JOURNAL_BYTES = 256 * 1024;

export type JournalRecord =
  | { type: "job"; job: string; schedule: string; period?: number; lastRun: number }
  | { type: "starting"; job: string; run: number; attempt: number; due: number; reason: Reason; serial?: number }
  | { type: "started"; job: string; run: number; attempt: number; pid: number; start: number }
  | ({ type: "finished"; job: string; run: number; attempt: number; result: Result; seconds: number } & ProcessEnd)
  | { type: "skipped"; job: string; due: number; reason: Reason };

/** A record as it stands in the file. `at`: epoch seconds of the machine's clock, with fraction. */
type JournalLine = JournalRecord & { at: number };
type LineOf<T extends JournalRecord["type"]> = Extract<JournalRecord, { type: T }> & { at: number };

/** A run that the journal saw start but not end. */
export interface OpenRun {
  readonly starting: LineOf<"starting">;
  readonly started?: LineOf<"started">;
}

/** What the journal says of the past. */
export interface JournalPast {
  readonly lastRun: number;
  readonly openRuns: readonly OpenRun[];
  /** The last run that was about to start. */
  readonly lastStarting?: LineOf<"starting">;
}

/** Reads the lines of a journal, the oldest first. */
export function readJournal(texts: readonly string[]): JournalPast {
  const open = new Map<number, OpenRun>();
  let lastRun = 0;
  let lastStarting: LineOf<"starting"> | undefined;
  for (const text of texts) {
    const line = tryParseLine(text);
    if (line?.type === "job") lastRun = Math.max(lastRun, line.lastRun);
    if (line?.type === "starting") {
      open.set(line.run, { starting: line });
      lastRun = Math.max(lastRun, line.run);
      lastStarting = line;
    }
    if (line?.type === "started") {
      const run = open.get(line.run);
      if (run !== undefined) open.set(line.run, { ...run, started: line });
    }
    if (line?.type === "finished") open.delete(line.run);
  }
  return { lastRun, openRuns: [...open.values()], lastStarting };
}

const NUMBERS_OF: Readonly<Record<string, readonly string[]>> = {
  job: ["lastRun"],
  starting: ["run", "attempt", "due"],
  started: ["run", "pid", "start"],
  finished: ["run"],
};

// The file is not trusted: the numbers that are used later are checked here.
function tryParseLine(text: string): JournalLine | undefined {
  try {
    const line = JSON.parse(text);
    const numbers = ["at", ...(NUMBERS_OF[line.type] ?? [])];
    return numbers.every((key) => Number.isFinite(line[key])) ? line : undefined;
  } catch {
    return undefined;
  }
}

interface Journal {
  readonly past: JournalPast;
  /** Never throws. A `starting` is synced to the disk. */
  append(record: JournalRecord): void;
}

/** @param path undefined: nothing is recorded */
function openJournal(path: string | undefined, log: Log): Journal {
  const trouble = createTroubleReport(log);
  const text = path === undefined ? "" : tryReadFile(`${path}.1`) + tryReadFile(path);
  const past = readJournal(text.split("\n"));
  let isTorn = text !== "" && !text.endsWith("\n");
  // A new file begins with what the old one knew of the present, so that two rotations forget nothing that goes on.
  let present: JournalLine[] = past.openRuns.flatMap(({ starting, started }) =>
    started ? [starting, started] : [starting],
  );
  let lastRun = past.lastRun;

  function remember(line: JournalLine): void {
    if (line.type === "starting") lastRun = line.run;
    if (line.type === "finished") present = present.filter((l) => !("run" in l) || l.run !== line.run);
    if (line.type === "job") present = [line, ...present.filter((l) => l.type !== "job")];
    if (line.type === "starting" || line.type === "started") present.push(line);
  }

  function write(file: string, line: JournalLine): void {
    let fd = openAppending(file);
    try {
      if (fs.fstatSync(fd).size > MAX_JOURNAL_BYTES) {
        fs.closeSync(fd);
        fd = startNewJournal(
          file,
          present.map((l) => (l.type === "job" ? { ...l, lastRun } : l)),
        );
        isTorn = false;
      }
      const bytes = Buffer.from((isTorn ? "\n" : "") + journalLine(line));
      isTorn = true;
      if (fs.writeSync(fd, bytes) < bytes.length) throw Object.assign(new Error(), { code: "ENOSPC" });
      isTorn = false;
      if (line.type === "starting") fs.fdatasyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  }

  return {
    past,
    append(record) {
      const line = { ...record, at: Date.now() / 1000 };
      try {
        if (path !== undefined) write(path, line);
        trouble.isOver();
      } catch (error) {
        trouble.is(`cannot write ${path}: ${errorCode(error)}; runs are not recorded until it can`);
      }
      remember(line);
    },
  };
}

function journalLine(line: JournalLine): string {
  return `${JSON.stringify(line)}\n`;
}

function openAppending(path: string): number {
  const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  return fs.openSync(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0o600);
}

function startNewJournal(path: string, lines: readonly JournalLine[]): number {
  try {
    fs.renameSync(path, `${path}.1`);
  } catch {
    fs.truncateSync(path); // renaming is refused, as for a bind-mounted file
  }
  const fd = openAppending(path);
  fs.writeSync(fd, lines.map(journalLine).join(""));
  return fd;
}

function tryReadFile(path: string): string {
  try {
    return fs.readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

// ── Listener ────────────────────────────────────────────────────────────────
// One process between supervisord and the job. It alone performs what the policy asks for, always in this order: a run
// that is about to start is journaled, the counter is written, supervisord gets its answer, and only then things happen.
// To add an action: extend the policy, then `perform`. To listen to another event: extend `onEvent`.

/** What is to be run, and when. */
export interface Job {
  readonly name: string;
  readonly command: readonly string[];
  readonly schedule: Schedule;
  readonly policy: JobPolicy;
  readonly isRunOnStart: boolean;
}

interface ListenerOptions {
  /** The type that counts; undefined: the first one seen. */
  readonly tickType?: string;
  /** Undefined: nothing is kept on disk. */
  readonly statePath?: string;
  readonly isVerbose: boolean;
}

/** Why the listener cannot start or go on; it exits with status 1. */
class ListenerError extends Error {}

const AMBIGUOUS_PAYLOAD_MS = 100;
const WATCHDOG_PERIODS = 3;
const WATCHDOG_SECOND_LOOK_SECONDS = 1;
const GROUP_POLL_MS = 50;
const ORPHAN_POLL_MS = 1000;

/** What the listener holds of a run in progress. */
interface RunningProcess {
  readonly startedSeconds: number; // on the monotonic clock
  readonly cancels: Array<() => void>; // end the timers of the run
  readonly orphan?: ProcessIdentity; // not our child: its end must be looked for
}

class Listener {
  private readonly reader = createEventReader();
  private readonly supervisor = identify(process.ppid) ?? { pid: process.ppid, start: 0 };
  private readonly self = identify(process.pid) ?? { pid: process.pid, start: 0 };
  private readonly processes = new Map<number, RunningProcess>();
  private readonly warnings = new Set<string>();
  private readonly counter: CounterFile;
  private readonly journal: Journal;
  private readonly input: Input;
  private state: JobState;
  private count: number;
  private clock: TickClock | undefined;
  private tickType: string | undefined;
  private periodSeconds = 0;
  private lastTickSeconds = 0; // on the monotonic clock
  private lastRemoteSerial = -1;
  private hasSeenEvent = false;
  private exitStatus = 0;

  constructor(
    private readonly job: Job,
    private readonly options: ListenerOptions,
    private readonly log: Log,
  ) {
    this.counter = openCounterFile(options.statePath, log);
    const { found } = this.counter;
    this.journal = openJournal(options.statePath && `${options.statePath}.runs`, log);
    this.state = createJobState(this.journal.past.lastRun);
    this.tickType = options.tickType;
    this.count = found.count;
    // Serials of another supervisord say nothing about this one's.
    this.clock = found.clock && (this.isSameSupervisor() ? found.clock : { ...found.clock, serial: -1 });
    this.input = openInput(
      (bytes) => this.onBytes(bytes),
      () => this.onInputEnd(),
    );
  }

  start(): void {
    const { job, options, log } = this;
    const rival = this.counter.rival();
    if (rival !== undefined) throw new ListenerError(this.inUseBy(rival));
    this.writeCounter(); // takes the file for us
    const where = options.statePath === undefined ? "in memory only" : `in ${options.statePath}`;
    log.line(
      `${describeSchedule(job.schedule)} of ${options.tickType ?? "the first type seen"}; count ${this.count} ${where}`,
    );
    this.recordJob();
    this.takeOverRuns();
    if (job.isRunOnStart) this.runNow("start");
  }

  onSignal(signal: NodeJS.Signals): void {
    if (signal === "SIGUSR2") this.runNow("signal");
    else if (signal !== "SIGHUP") this.stop(signal); // HUP is no stop: it is for re-reading files
  }

  // From bytes to the answer:

  private onBytes(bytes: string): void {
    try {
      const event = this.reader.push(bytes);
      if (event !== undefined) this.onEvent(event);
      else if (this.reader.isAmbiguous()) this.settleSoon();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.fail(`got ${error.message} from supervisord; exiting so that it starts a fresh listener`);
    }
  }

  private settleSoon(): void {
    const bytes = this.input.bytesRead();
    setTimeout(() => {
      if (this.reader.isAmbiguous() && this.input.bytesRead() === bytes) this.onEvent(this.reader.settle());
    }, AMBIGUOUS_PAYLOAD_MS);
  }

  private onEvent(event: SupervisorEvent): void {
    this.hasSeenEvent = true;
    if (TICK_PERIODS[event.name] !== undefined) this.onTick(event);
    else if (event.name === "REMOTE_COMMUNICATION") this.onRemoteCommunication(event);
    else this.answer();
  }

  private onTick(event: SupervisorEvent): void {
    const tick = parseTick(event);
    this.tickType = this.tickType ?? event.name;
    if (tick === undefined)
      this.warnOnce("no time", `${event.name} brings no time but ${quote(event.payload)}; ignored`);
    else if (event.name === this.tickType) return this.onCountedType(tick);
    else this.warnOnce("other tick", this.otherTickWarning(event.name));
    this.answer();
  }

  private otherTickWarning(type: string): string {
    return `got a ${type}, but ${this.tickType} is what counts here; other types are ignored. One type in events= is enough, and --tick says which`;
  }

  private onCountedType(tick: Tick): void {
    if (this.periodSeconds === 0 && !this.isFirstTickOurs(tick)) return;
    const isRestored = this.clock?.isRestored === true;
    const counted = countTick(this.clock, tick);
    if (counted === undefined) {
      if (this.options.isVerbose) this.log.line(`event serial ${tick.serial} was counted before; answered and ignored`);
      return this.answer();
    }
    this.lastTickSeconds = monotonicSeconds();
    this.clock = counted.clock;
    this.count++;
    if (counted.setBackSeconds > 0) {
      this.log.line(
        `the clock was set back by ${counted.setBackSeconds}s; going on from ${formatTime(tick.whenSeconds)}`,
      );
    }
    this.tellTick(tick);
    const due = dueTime(this.job.schedule, this.count, counted.window);
    this.count = countAfter(this.job.schedule, this.count);
    const answer = () => {
      this.writeCounter();
      this.answer();
    };
    if (due === undefined || (isRestored && this.wasStartedBefore(tick, due))) answer();
    else this.apply({ type: "due", due, reason: "schedule" }, answer, tick.serial);
  }

  // Two listeners that start in the same moment both find the file free. The later one's name stands in it.
  private isFirstTickOurs(tick: Tick): boolean {
    const rival = this.counter.rival();
    if (rival !== undefined) {
      this.fail(this.inUseBy(rival));
      return false;
    }
    this.periodSeconds = tick.periodSeconds;
    const mismatch = tickMismatch(this.job.schedule, tick.periodSeconds);
    if (mismatch !== undefined) this.log.line(mismatch);
    this.recordJob();
    this.lastTickSeconds = monotonicSeconds();
    this.watch(WATCHDOG_PERIODS * tick.periodSeconds, false);
    return true;
  }

  private inUseBy(rival: ProcessIdentity): string {
    return `${this.options.statePath} is in use by the listener with pid ${rival.pid}`;
  }

  // Killed between the journal and the counter: supervisord sends the tick again, and its run is in the journal already.
  private wasStartedBefore(tick: Tick, due: number): boolean {
    const last = this.journal.past.lastStarting;
    const isIt = last !== undefined && last.serial === tick.serial && last.due === due && this.isSameSupervisor();
    if (isIt) this.log.line(`run ${last.run} is the one due ${formatTime(due)}; it is not started again`);
    return isIt;
  }

  private tellTick(tick: Tick): void {
    if (!this.options.isVerbose) return;
    const { schedule } = this.job;
    const count = schedule.kind === "ticks" ? `: count ${this.count} of ${schedule.every}` : "";
    this.log.line(`tick ${tick.whenSeconds} (${this.tickType})${count}`);
  }

  private onRemoteCommunication(event: SupervisorEvent): void {
    const { type, data } = parseRemoteCommunication(event.payload);
    const isForUs = type === "supertick" && ["", this.job.name].includes(data.trim());
    if (!isForUs || event.serial <= this.lastRemoteSerial) return this.answer();
    this.lastRemoteSerial = event.serial;
    this.runNow("remote", () => this.answer());
  }

  private runNow(reason: Reason, answer?: () => void): void {
    this.apply({ type: "due", due: Math.floor(Date.now() / 1000), reason }, answer);
  }

  private answer(): void {
    this.say(ANSWER);
  }

  private say(text: string): void {
    try {
      writeToSupervisord(text);
    } catch (error) {
      this.stop(`supervisord does not read any more (${errorCode(error)})`);
    }
  }

  private onInputEnd(): void {
    if (this.hasSeenEvent || process.env.SUPERVISOR_ENABLED !== undefined)
      return this.stop("supervisord closed our stdin");
    this.log.line(NO_SUPERVISORD);
    this.exitStatus = 2;
    this.stop("stdin ended");
  }

  // Runs:

  /** Lets the policy decide; `answer` goes out when what is about to start is on the disk, and before it starts. */
  private apply(input: JobInput, answer?: () => void, serial?: number): void {
    if (input.type === "due") this.lookAtOrphans();
    const [state, actions] = step(this.job.policy, this.state, input);
    this.state = state;
    for (const action of actions) {
      if (action.type !== "start") continue;
      const { number, attempt, due, reason } = action.run;
      this.journal.append({ type: "starting", job: this.job.name, run: number, attempt, due, reason, serial });
    }
    answer?.();
    for (const action of actions) this.perform(action);
  }

  private perform(action: JobAction): void {
    switch (action.type) {
      case "start":
        return this.startRun(action.run);
      case "skip":
        return this.skip(action.due, action.reason, action.behind);
      case "armDeadline":
        return this.arm(action.run, action.seconds, "deadline");
      case "armGrace":
        return this.arm(action.run, action.seconds, "graceOver");
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
        return this.finish(action.run, action.result, action.end);
      case "stopped":
        return this.exit();
    }
  }

  private startRun(run: Run): void {
    // Supervisord may have closed our stdout in the meantime: then the stop has taken the run back.
    if (!this.state.runs.some((r) => r.number === run.number)) return;
    this.processes.set(run.number, { startedSeconds: monotonicSeconds(), cancels: [] });
    const onEnd = (end: ProcessEnd) => this.onProcessEnd(run, end);
    const started = startProcess(this.job.command, jobEnvironment(this.job, run), onEnd);
    if (started === undefined) return; // onEnd will say why
    this.recordStarted(run, started);
    const { number, due, reason } = run;
    this.log.line(`run ${number} started (pid ${started.pid}, due ${formatTime(due)}, ${reason})`);
    this.apply({ type: "started", run: number, pid: started.pid });
  }

  private onProcessEnd(run: Run, end: ProcessEnd): void {
    const { number } = run;
    this.apply(
      end.error === undefined
        ? { type: "exited", run: number, end }
        : { type: "startFailed", run: number, error: end.error },
    );
  }

  private skip(due: number, reason: Reason, behind: Run): void {
    this.log.line(`skipped the run due ${formatTime(due)}: run ${behind.number} is still going (pid ${behind.pid})`);
    this.journal.append({ type: "skipped", job: this.job.name, due, reason });
  }

  private arm(run: Run, seconds: number, type: "deadline" | "graceOver"): void {
    this.processes.get(run.number)?.cancels.push(startTimer(seconds, () => this.apply({ type, run: run.number })));
  }

  private poll(run: Run, ms: number, look: () => void): void {
    const timer = setInterval(look, ms);
    this.processes.get(run.number)?.cancels.push(() => clearInterval(timer));
  }

  private terminate(run: Run): void {
    const { timeoutSeconds, killAfterSeconds } = this.job.policy;
    const why = run.cause === "timeout" ? `timed out after ${timeoutSeconds}s` : "is stopped";
    this.log.line(`run ${run.number} ${why}; sent SIGTERM, SIGKILL follows in ${killAfterSeconds}s`);
    signalGroup(run.pid!, "SIGTERM");
  }

  private finish(run: Run, result: Result, end: ProcessEnd): void {
    const startedSeconds = this.processes.get(run.number)?.startedSeconds ?? monotonicSeconds();
    for (const cancel of this.processes.get(run.number)?.cancels ?? []) cancel();
    this.processes.delete(run.number);
    const seconds = Math.round((monotonicSeconds() - startedSeconds) * 1000) / 1000;
    const { number, attempt } = run;
    this.journal.append({ type: "finished", job: this.job.name, run: number, attempt, result, seconds, ...end });
    this.log.line(describeEnd(run, end, seconds));
  }

  // What an earlier listener left:

  private takeOverRuns(): void {
    for (const { starting, started } of this.journal.past.openRuns) {
      const { run: number, attempt, due, reason } = starting;
      const run: Run = { number, attempt, due, reason, phase: "running", pid: started?.pid };
      if (started !== undefined && isAlive(started)) this.adopt(run, started, Date.now() / 1000 - started.at);
      else this.tellInterrupted(run);
    }
  }

  private adopt(run: Run, orphan: ProcessIdentity, elapsedSeconds: number): void {
    this.log.line(`run ${run.number} of an earlier listener is still going (pid ${orphan.pid})`);
    const startedSeconds = monotonicSeconds() - Math.max(0, elapsedSeconds);
    this.processes.set(run.number, { startedSeconds, cancels: [], orphan });
    this.apply({ type: "adopted", run, elapsedSeconds });
    this.poll(run, ORPHAN_POLL_MS, () => this.lookAtOrphans());
  }

  private lookAtOrphans(): void {
    const end = { exit: null, signal: null, error: "exit status unknown, an earlier listener started it" };
    for (const [run, { orphan }] of this.processes) {
      if (orphan !== undefined && !isAlive(orphan)) this.apply({ type: "exited", run, end });
    }
  }

  private tellInterrupted(run: Run): void {
    this.log.line(
      `run ${run.number}, due ${formatTime(run.due)}, was interrupted: the listener was killed while it was going`,
    );
    const end = { exit: null, signal: null, error: "the listener was killed" };
    const { number, attempt } = run;
    this.journal.append({
      type: "finished",
      job: this.job.name,
      run: number,
      attempt,
      result: "interrupted",
      seconds: 0,
      ...end,
    });
  }

  private isSameSupervisor(): boolean {
    const before = this.counter.found.supervisor;
    return before !== undefined && before.pid === this.supervisor.pid && before.start === this.supervisor.start;
  }

  // Files and the end:

  private writeCounter(): void {
    const { count, clock, supervisor, self, periodSeconds } = this;
    this.counter.write({ count, clock, supervisor, listener: self, periodSeconds });
  }

  private recordJob(): void {
    const { job, periodSeconds, state } = this;
    this.journal.append({
      type: "job",
      job: job.name,
      schedule: describeSchedule(job.schedule),
      period: periodSeconds || undefined,
      lastRun: state.lastRun,
    });
  }

  private recordStarted(run: Run, { pid, start }: ProcessIdentity): void {
    this.journal.append({ type: "started", job: this.job.name, run: run.number, attempt: run.attempt, pid, start });
  }

  private warnOnce(kind: string, text: string): void {
    if (!this.warnings.has(kind)) this.log.line(text);
    this.warnings.add(kind);
  }

  // Ticks stop coming when supervisord is wedged or has put us into UNKNOWN; only a fresh listener gets out of that. The
  // timer is re-armed only when it fires, so that ticks cost nothing. After a SIGSTOP it may fire before the tick that
  // waits in the pipe is read: hence the second look.
  private watch(seconds: number, isSecondLook: boolean): void {
    startTimer(seconds, () => {
      const silentSeconds = monotonicSeconds() - this.lastTickSeconds;
      const leftSeconds = WATCHDOG_PERIODS * this.periodSeconds - silentSeconds;
      if (leftSeconds > 0) return this.watch(leftSeconds, false);
      if (this.state.runs.length > 0) return this.watch(this.periodSeconds, false);
      if (!isSecondLook) return this.watch(WATCHDOG_SECOND_LOOK_SECONDS, true);
      this.fail(
        `no ${this.tickType} for ${Math.round(silentSeconds)}s; exiting so that supervisord starts a fresh listener`,
      );
    });
  }

  private fail(why: string): void {
    this.log.line(why);
    this.exitStatus = 1;
    this.stop();
  }

  /** The first stop ends the runs, with a grace; the second one at once. What comes in is left for the next listener. */
  private stop(why?: string): void {
    if (why !== undefined && this.exitStatus === 0) this.log.line(`${why}: stopping`);
    this.input.pause();
    this.apply({ type: "stop" });
  }

  private exit(): void {
    this.log.flush();
    process.exit(this.exitStatus);
  }
}

const NO_SUPERVISORD =
  "supervisord must start this, as an [eventlistener:x] program; to try it here: supertick simulate --ticks 5 --for 15m -- echo hello";

function jobEnvironment(job: Job, run: Run): NodeJS.ProcessEnv {
  return {
    ...process.env,
    SUPERTICK_JOB: job.name,
    SUPERTICK_RUN: String(run.number),
    SUPERTICK_DUE: String(run.due),
    SUPERTICK_ATTEMPT: String(run.attempt),
    SUPERTICK_REASON: run.reason,
  };
}

function describeEnd(run: Run, end: ProcessEnd, seconds: number): string {
  if (run.pid === undefined) return `run ${run.number} failed to start: ${end.error}`;
  const how = end.error ?? end.signal ?? `exit ${end.exit}`;
  return `run ${run.number} finished: ${how}, ${seconds.toFixed(1)}s`;
}

// ── simulate ────────────────────────────────────────────────────────────────
// Plays supervisord for the newcomer: starts this very file as a child, sends it ticks over pipes, as strictly as
// Python's supervisord would, and shows every frame. The count of a trial is kept in a temporary directory.

interface SimulationPlan {
  readonly tickType: string;
  readonly periodSeconds: number;
  /** Epoch seconds. */
  readonly firstWhen: number;
  readonly tickCount: number;
  /** The machine's seconds between two ticks; 0: none. */
  readonly pauseSeconds: number;
  readonly listenerArgs: readonly string[];
  readonly statePath: string;
}

function simulate(args: readonly string[]): void {
  const { layer, command } = parseCommandLine(args, ["job", "listener", "simulate"]);
  const settings = resolveSettings([layer, parseEnvironment(process.env).layer]);
  checkCommand(command);
  const directory = settings.state === undefined || !layer.texts.has("state") ? makeTemporaryDirectory() : undefined;
  const plan = planSimulation(
    settings,
    layer,
    command,
    directory === undefined ? settings.state! : `${directory}/count`,
  );
  play(plan)
    .catch((error: Error) => {
      console.log(`simulate: ${error.message}`);
      return 1;
    })
    .then((status) => {
      if (directory !== undefined) removeDirectory(directory);
      process.exitCode = status;
    });
}

function planSimulation(
  settings: Settings,
  layer: Layer,
  command: readonly string[],
  statePath: string,
): SimulationPlan {
  const tickType = settings.tick ?? (tickMismatch(scheduleOf(settings), 60) === undefined ? "TICK_60" : "TICK_5");
  const periodSeconds = TICK_PERIODS[tickType]!;
  const options = [...layer.texts].filter(([key]) => specOf(key).scope !== "simulate" && key !== "state");
  const from = settings.from ?? Date.now() / 1000;
  return {
    tickType,
    periodSeconds,
    firstWhen: Math.ceil(from / periodSeconds) * periodSeconds,
    tickCount: Math.floor(settings.for / periodSeconds),
    pauseSeconds: periodSeconds / settings.speed,
    listenerArgs: [
      ...options.map(([, { text, origin }]) => `${origin}=${text}`),
      `--state=${statePath}`,
      "--",
      ...command,
    ],
    statePath,
  };
}

async function play(plan: SimulationPlan): Promise<number> {
  const listener = startSimulatedListener(plan.listenerArgs);
  const answers = createStrictReader(listener.stdout!);
  const ended = new Promise<string>((resolve) => {
    listener.on("exit", (code, signal) => resolve(signal ?? `exit ${code}`));
  });
  const runs = followRuns(`${plan.statePath}.runs`);
  ended.then((how) => {
    answers.end(`the listener ended (${how})`);
    runs.end();
  });
  showLines(listener.stderr!, "    | ");
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => listener.stdin!.end());
  listener.stdin!.on("error", () => {}); // its end is told by `ended`

  const pause = plan.pauseSeconds === 0 ? "without a pause" : `every ${plan.pauseSeconds}s`;
  console.log(`simulate: ${plan.tickCount} ticks of ${plan.tickType} from ${formatTime(plan.firstWhen)}, ${pause}`);
  await answers.expect(READY, "ACKNOWLEDGED");
  const startedSeconds = monotonicSeconds();
  for (let i = 0; i < plan.tickCount; i++) {
    await waitUntil(startedSeconds + i * plan.pauseSeconds);
    if (plan.pauseSeconds === 0) await runs.allEnded();
    const frame = formatEvent(plan.tickType, i + 1, plan.firstWhen + i * plan.periodSeconds);
    console.log(`${formatTime(plan.firstWhen + i * plan.periodSeconds)} → ${JSON.stringify(frame)}`);
    listener.stdin!.write(frame);
    await answers.expect(ANSWER, "BUSY");
  }
  await runs.allEnded();
  listener.stdin!.end();
  const how = await ended;
  console.log(`simulate: ${plan.tickCount} ticks, ${runs.summary()}; the listener ended with ${how}`);
  return how === "exit 0" ? 0 : 1;
}

function startSimulatedListener(args: readonly string[]): import("child_process").ChildProcess {
  const { spawn } = require("child_process") as typeof import("child_process");
  const env: NodeJS.ProcessEnv = { ...process.env, SUPERVISOR_ENABLED: "1" };
  delete env.SUPERVISOR_PROCESS_NAME; // of a supervisord that this trial may itself run under
  delete env.SUPERVISOR_GROUP_NAME;
  const runtimeArgs = "deno" in process.versions ? ["run", "-A"] : process.execArgv;
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

// The journal is written before the answer: after an answer it knows every run that the tick has started.
function followRuns(path: string) {
  const open = new Set<number>();
  const results = new Map<string, number>();
  let offset = 0;
  let isOver = false;

  function look(): void {
    const text = tryReadFile(path);
    const isNew = text.length < offset;
    const end = text.lastIndexOf("\n") + 1;
    for (const line of text
      .slice(isNew ? 0 : offset, end)
      .split("\n")
      .map(tryParseLine)) {
      if (line?.type === "starting") open.add(line.run);
      if (line?.type === "finished" && open.delete(line.run))
        results.set(line.result, (results.get(line.result) ?? 0) + 1);
    }
    offset = end;
  }

  return {
    async allEnded(): Promise<void> {
      for (look(); open.size > 0 && !isOver; look()) await waitUntil(monotonicSeconds() + 0.01);
    },
    /** The listener is gone: nobody will write the end of a run any more. */
    end(): void {
      isOver = true;
    },
    summary(): string {
      const counts = [...results].map(([result, n]) => `${n} ${result}`);
      return counts.length === 0 ? "no run" : `runs: ${counts.join(", ")}`;
    },
  };
}

function waitUntil(seconds: number): Promise<void> {
  const ms = Math.max(0, (seconds - monotonicSeconds()) * 1000);
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function makeTemporaryDirectory(): string {
  return fs.mkdtempSync(`${process.env.TMPDIR || "/tmp"}/supertick-simulate-`);
}

function removeDirectory(directory: string): void {
  for (const name of fs.readdirSync(directory)) fs.unlinkSync(`${directory}/${name}`);
  fs.rmdirSync(directory);
}

// ── main ────────────────────────────────────────────────────────────────────

function checkCommand(command: readonly string[]): void {
  if (command.length === 0)
    throw new UsageError("which command shall run? Put it behind --: supertick --ticks 5 -- /path/to/command");
  if (command[0] === "") throw new UsageError("the command behind -- is empty");
}

// Python's supervisord shares the ticks out among the processes of a pool. When all but the first refuse, it gets every
// one. A name that ends in a number above 0 and is not the group's is such a further process.
function checkProcessName(env: NodeJS.ProcessEnv, log: Log): void {
  const { SUPERVISOR_PROCESS_NAME: name, SUPERVISOR_GROUP_NAME: group } = env;
  if (name === undefined || group === undefined || name === group) return;
  const why = `the process ${quote(name)} is one of several in the group ${quote(group)}, and supervisord shares the ticks out among them: set numprocs=1`;
  if (Number(/\d+$/.exec(name)?.[0] ?? 0) > 0) throw new UsageError(why);
  log.line(`if ${why}`);
}

function startListener(args: readonly string[]): void {
  const { layer, command } = parseCommandLine(args, ["job", "listener"]);
  const environment = parseEnvironment(process.env);
  const settings = resolveSettings([layer, environment.layer]);
  checkCommand(command);
  if (fs.fstatSync(0).isCharacterDevice() && (require("tty") as typeof import("tty")).isatty(0))
    throw new UsageError(NO_SUPERVISORD);
  const log = createLog();
  checkProcessName(process.env, log);
  const name = settings.name ?? process.env.SUPERVISOR_PROCESS_NAME ?? command[0].split("/").pop()!;
  const jobLog: Log = { line: (text) => log.line(`${name}: ${text}`), flush: log.flush };
  environment.warnings.forEach(jobLog.line);
  const job: Job = {
    name,
    command,
    schedule: scheduleOf(settings),
    policy: policyOf(settings),
    isRunOnStart: settings.runOnStart,
  };
  if (!announce((signal) => listener.onSignal(signal))) {
    jobLog.line("supervisord does not read our stdout: stopping");
    process.exit(0);
  }
  const statePath = settings.state ?? tryDefaultStatePath(name, jobLog);
  let listener: Listener;
  try {
    listener = new Listener(job, { tickType: settings.tick, statePath, isVerbose: settings.verbose }, jobLog);
    listener.start();
  } catch (error) {
    if (!(error instanceof ListenerError)) throw error;
    jobLog.line(error.message);
    jobLog.flush();
    process.exit(1);
  }
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

/** Everything starts here; the last line of the built file calls it. */
export function main(): void {
  const args = process.argv.slice(2);
  const options = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
  try {
    if (options.includes("--help") || options.includes("-h")) writeFully(1, Buffer.from(helpText()));
    else if (options.includes("--version")) writeFully(1, Buffer.from(`supertick ${SUPERTICK_VERSION}\n`));
    else if (args[0] === "simulate") simulate(args.slice(1));
    else startListener(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    writeFully(2, Buffer.from(`supertick: ${error.message}\n`));
    process.exit(2);
  }
}
