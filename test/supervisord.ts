// A supervisord for tests: the part of Python's supervisord that an event listener can see, over real pipes.
//
// It starts the listener as supervisord does, sends it events one at a time and reads its answers byte by byte. The
// real one puts a listener that writes one byte too many into UNKNOWN and never says so; this one fails the test and
// quotes the bytes. It is strict beyond the original: what can only become garbage is a violation at its first byte.
//
// The facts are those of supervisor 4.2 (dispatchers.py, process.py, events.py):
//   * ACKNOWLEDGED --READY\n--> READY --an event is written--> BUSY --RESULT n\n + n bytes--> ACKNOWLEDGED …;
//     anything else leads to UNKNOWN, and only a new process leaves it.
//   * A pool buffers 10 events. One more drops the oldest, also when it is put back at the front.
//   * A result other than OK, a bad result line, or death while BUSY puts the event back at the front.
//   * Rejected events go into every pool of the same priority: our neighbours' too, with the serial they had.
//   * A write that the pipe takes nothing of (EAGAIN) ends supervisord itself.
//
// Not modelled: startsecs (a listener counts as RUNNING once started), several processes in a pool, autorestart
// (tests call restartListener), capture and log files.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { StringDecoder } from "node:string_decoder";
import type { TestContext } from "node:test";
import { TICK_PERIODS } from "../listener";
import { atEnd, LIMIT_SECONDS, LISTENER, nextLook, processesWith, RUNTIME } from "./harness";

// On the hour, so that a first tick of any type is one period later.
const START_OF_TIME = 1_700_002_800;

// ── Events and their pool ──────────────────────────────────────────────────

export interface PoolEvent {
  readonly name: string;
  readonly payload: string | Buffer;
  /** Given once, when a pool first takes the event, and kept through every redelivery. */
  serial?: number;
  /** Of the pool that sends it; given once too. */
  poolSerial?: number;
  /** The envelope's `len` where it is to differ from the truth. */
  len?: string;
  deliveries: number;
  /** How often it was answered, but not with OK; dying over it does not count. */
  failures: number;
  /** OK is in, and the READY after it. */
  isDone: boolean;
}

/** The buffer in front of a listener: first in, first out, the oldest lost when it is full. */
export class EventPool {
  readonly buffer: PoolEvent[] = [];
  readonly dropped: PoolEvent[] = [];
  private readonly serials = new Map<PoolEvent, number>();

  constructor(readonly size = 10) {}

  accept(event: PoolEvent, place: "back" | "front" = "back"): void {
    if (!this.serials.has(event)) this.serials.set(event, this.serials.size);
    if (this.buffer.length >= this.size) {
      const oldest = this.buffer.shift();
      if (oldest) this.dropped.push(oldest);
    }
    if (place === "front") this.buffer.unshift(event);
    else this.buffer.push(event);
  }

  /** The one to be sent next. */
  take(): PoolEvent | undefined {
    const event = this.buffer.shift();
    if (event !== undefined) event.poolSerial = this.serials.get(event);
    return event;
  }
}

// ── What the listener writes to stdout ─────────────────────────────────────
// Pure: bytes in, calls out.

export type ListenerState = "ACKNOWLEDGED" | "READY" | "BUSY" | "UNKNOWN";

export class ProtocolViolation extends Error {
  constructor(
    readonly state: ListenerState,
    /** One character each. */
    readonly bytes: string,
    expected: string,
  ) {
    const more = bytes.length > 200 ? `… (${bytes.length} bytes)` : "";
    const shown = JSON.stringify(bytes.slice(0, 200)) + more;
    super(`stdout, byte out of turn in state ${state}: expected ${expected}, got ${shown}`);
  }
}

export interface OutputReader {
  /** READY came in. */
  ready(): void;
  /** A whole result came in; the state is ACKNOWLEDGED again. */
  result(result: string): void;
  /** The state is UNKNOWN from here on. While BUSY, the event has to go back to its pool. */
  violation(violation: ProtocolViolation): void;
}

interface Token {
  readonly whole: RegExp;
  readonly expected: string;
  isBegunBy(bytes: string): boolean;
}

/** Stricter than the original, which never looks at the first seven bytes, and whose int() takes `+2`, ` 2` and `0_2`. */
const TOKENS: Partial<Record<ListenerState, Token>> = {
  ACKNOWLEDGED: {
    whole: /^READY\n/,
    expected: '"READY\\n"',
    isBegunBy: (bytes) => "READY\n".startsWith(bytes),
  },
  BUSY: {
    whole: /^RESULT (\d+)\n/,
    expected: '"RESULT "',
    isBegunBy: (bytes) => "RESULT ".startsWith(bytes) || /^RESULT \d+$/.test(bytes),
  },
};

export class ListenerOutput {
  state: ListenerState = "ACKNOWLEDGED";
  private unread = "";
  private resultLength: number | undefined;

  constructor(private readonly reader: OutputReader) {}

  eventSent(): void {
    this.state = "BUSY";
  }

  feed(bytes: Buffer): void {
    this.unread += bytes.toString("latin1");
    while (this.unread !== "" && this.state !== "UNKNOWN" && this.step());
  }

  /** Takes one token. False: more bytes are needed. Like the original's, an empty result ends with the byte behind it. */
  private step(): boolean {
    const { unread, resultLength } = this;
    if (resultLength !== undefined) return unread.length >= resultLength && this.takeResult(resultLength);
    const token = TOKENS[this.state];
    if (token === undefined) return this.violate("nothing before the next event");
    const found = token.whole.exec(unread);
    if (found === null) return !token.isBegunBy(unread) && this.violate(token.expected);
    this.unread = unread.slice(found[0].length);
    if (this.state === "BUSY") {
      this.resultLength = Number(found[1]);
    } else {
      this.state = "READY";
      this.reader.ready();
    }
    return true;
  }

  private takeResult(length: number): boolean {
    const result = this.unread.slice(0, length);
    this.unread = this.unread.slice(length);
    this.resultLength = undefined;
    this.state = "ACKNOWLEDGED";
    this.reader.result(result);
    return true;
  }

  private violate(expected: string): boolean {
    const violation = new ProtocolViolation(this.state, this.unread, expected);
    this.state = "UNKNOWN";
    this.unread = "";
    this.reader.violation(violation);
    return true;
  }
}

// ── The envelope of an event ───────────────────────────────────────────────

export interface HeaderFormat {
  /** supervisord's `identifier`: free text. */
  server: string;
  /** Python 3's supervisord counts code points, 3.x and Go count bytes. */
  lengthIn: "code points" | "bytes";
}

export function envelope(event: PoolEvent, pool: string, format: HeaderFormat): Buffer {
  const payload = typeof event.payload === "string" ? Buffer.from(event.payload) : event.payload;
  const length = format.lengthIn === "bytes" ? payload.length : Array.from(payload.toString()).length;
  const header =
    `ver:3.0 server:${format.server} serial:${event.serial} pool:${pool} ` +
    `poolserial:${event.poolSerial} eventname:${event.name} len:${event.len ?? length}\n`;
  return Buffer.concat([Buffer.from(header), payload]);
}

// ── Pipes ──────────────────────────────────────────────────────────────────
// supervisord gives its children pipes; "pipe" in Node's stdio is a socket pair, on which O_NONBLOCK, /proc/self/fd
// and short writes behave differently. A FIFO that is unlinked once both ends are open is a pipe in every respect.
// Node opens with O_CLOEXEC, so no child inherits our ends, and closing them is what the listener sees as EOF.

interface Ends {
  ours: number;
  theirs: number;
}

function openPipes(directory: string): Record<"stdin" | "stdout" | "stderr", Ends> {
  const files = ["stdin", "stdout", "stderr"].map((name) => path.join(directory, `.${name}`));
  execFileSync("mkfifo", files);
  const { O_RDONLY, O_WRONLY, O_NONBLOCK } = fs.constants;
  const [stdin, stdout, stderr] = files.map((file, fd): Ends => {
    // A reader that does not block must be first: a writer alone would block, or get ENXIO.
    const reader = fs.openSync(file, O_RDONLY | O_NONBLOCK);
    if (fd !== 0) return { ours: reader, theirs: fs.openSync(file, O_WRONLY) };
    const writer = fs.openSync(file, O_WRONLY | O_NONBLOCK);
    const blockingReader = fs.openSync(file, O_RDONLY);
    fs.closeSync(reader);
    return { ours: writer, theirs: blockingReader };
  });
  for (const file of files) fs.unlinkSync(file);
  return { stdin, stdout, stderr };
}

function readerOf(fd: number, read: (bytes: Buffer) => void): net.Socket {
  return new net.Socket({ fd, readable: true, writable: false }).on("error", () => {}).on("data", read);
}

/** Reads what is in the pipe now, as supervisord does when a process has ended; a grandchild may keep it open. */
function drain(socket: net.Socket): Buffer {
  const chunks: Buffer[] = [];
  while (!socket.destroyed) {
    const chunk = Buffer.alloc(65536);
    const length = tryIO(() => fs.readSync(descriptorOf(socket), chunk));
    if (typeof length !== "number" || length === 0) break;
    chunks.push(chunk.subarray(0, length));
  }
  return Buffer.concat(chunks);
}

function descriptorOf(socket: net.Socket): number {
  return (socket as unknown as { _handle: { fd: number } })._handle.fd;
}

/** The number of bytes, or the error's code. */
function tryIO(action: () => number): number | string {
  try {
    return action();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

// ── One process of the listener ────────────────────────────────────────────

export interface ExitStatus {
  code: number | null;
  signal: NodeJS.Signals | null;
}

interface Watcher extends OutputReader {
  stdout(): void;
  log(text: string): void;
  exit(): void;
}

interface Place {
  directory: string;
  cwd: string;
  env: NodeJS.ProcessEnv;
}

class ListenerProcess {
  readonly child: ChildProcess;
  readonly output: ListenerOutput;
  /** The event it is BUSY with. */
  event: PoolEvent | undefined;
  /** Answered with OK, READY not seen yet. */
  answered: PoolEvent | undefined;
  exit: ExitStatus | undefined;
  isStopping = false;
  private stdin: number | undefined;
  private readonly stdout: net.Socket;
  private stderr: net.Socket | undefined;
  private readonly stderrFd: number;
  private readonly decoder = new StringDecoder("utf8");
  private unwritten: Buffer[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(
    [command, ...args]: string[],
    { directory, cwd, env }: Place,
    private readonly on: Watcher,
  ) {
    this.output = new ListenerOutput(on);
    const { stdin, stdout, stderr } = openPipes(directory);
    const theirs = [stdin, stdout, stderr].map((ends) => ends.theirs);
    // supervisord calls setpgrp() for each child; a session of its own is the nearest that Node offers.
    this.child = spawn(command, args, { cwd, env, stdio: theirs, detached: true });
    this.child.once("error", (error) => {
      this.on.log(`(the test could not start ${command}: ${error.message})\n`);
      this.finish({ code: 127, signal: null });
    });
    this.child.once("exit", (code, signal) => this.finish({ code, signal }));
    for (const fd of theirs) fs.closeSync(fd);
    this.stdin = stdin.ours;
    this.stderrFd = stderr.ours;
    this.stdout = readerOf(stdout.ours, (bytes) => {
      this.output.feed(bytes);
      this.on.stdout();
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Until this is called nobody reads stderr, and it fills up. */
  readLog(): void {
    if (this.stderr || this.exit) return;
    this.stderr = readerOf(this.stderrFd, (bytes) => this.on.log(this.decoder.write(bytes)));
  }

  /** Writes as much as the pipe takes, the rest as it drains; several pieces are a millisecond or more apart. */
  write(pieces: Buffer[]): "written" | "EAGAIN" | "EPIPE" {
    this.unwritten.push(...pieces);
    return this.flush();
  }

  closeStdin(): void {
    if (this.stdin !== undefined) fs.closeSync(this.stdin);
    this.stdin = undefined;
    this.unwritten = [];
  }

  closeStdout(): void {
    this.stdout.destroy();
  }

  closeStderr(): void {
    this.readLog();
    this.stderr?.destroy();
  }

  private flush(): "written" | "EAGAIN" | "EPIPE" {
    clearTimeout(this.timer);
    const { stdin: fd } = this;
    const [piece] = this.unwritten;
    if (fd === undefined) {
      this.unwritten = [];
      return "EPIPE";
    }
    if (!piece) return "written";
    const length = tryIO(() => fs.writeSync(fd, piece));
    if (typeof length === "string" && length !== "EAGAIN") {
      this.closeStdin();
      return "EPIPE";
    }
    const written = typeof length === "number" ? length : 0;
    if (written === piece.length) this.unwritten.shift();
    else this.unwritten[0] = piece.subarray(written);
    if (this.unwritten.length > 0) this.timer = setTimeout(() => this.flush(), 1);
    return written === 0 && piece.length > 0 ? "EAGAIN" : "written";
  }

  /** The order of supervisord: what is still in the pipes counts, then they are closed, then the event goes back. */
  private finish(status: ExitStatus): void {
    if (this.exit) return;
    this.readLog();
    this.output.feed(drain(this.stdout));
    if (this.stderr) this.on.log(this.decoder.end(drain(this.stderr)));
    clearTimeout(this.timer);
    this.closeStdin();
    this.closeStdout();
    this.stderr?.destroy();
    this.exit = status;
    this.on.exit();
  }
}

// ── supervisord ────────────────────────────────────────────────────────────

export interface Options {
  /** Arguments of supertick; `--state` in the temporary directory is added unless they or the environment name one. */
  args?: string[];
  /** A whole command line in place of runtime, listener.js and args. */
  command?: string[];
  /** Command prefix, separated by spaces; default: SUPERTICK_RUNTIME, else this very Node. */
  runtime?: string;
  /** Added to the clean environment; undefined removes a variable. */
  env?: Record<string, string | undefined>;
  cwd?: string;
  /** TICK types that advance() sends. */
  events?: string[];
  /** Name of the process (`x_01` with numprocs) and of its section, which is also the pool's. */
  name?: string;
  group?: string;
  header?: Partial<HeaderFormat>;
  /** Cuts what is written to stdin into pieces that arrive one by one. */
  cut?: (bytes: Buffer) => Buffer[];
  /** False: nobody reads stderr until readLog() is called. */
  readLog?: boolean;
  /** False: start() does not wait for the first READY. */
  waitForReady?: boolean;
}

export class Supervisord {
  /** Temporary directory of this supervisord and TMPDIR of all that it starts. */
  readonly directory = fs.mkdtempSync(path.join(os.tmpdir(), "supervisord-"));
  readonly stateFile = path.join(this.directory, "state");
  readonly pool = new EventPool();
  readonly header: HeaderFormat;
  /** Seconds since the epoch; only tick() and advance() move it. */
  clock = START_OF_TIME;
  /** The serial of the next event; 0 again after a restart of supervisord. */
  nextSerial = 0;
  cut: ((bytes: Buffer) => Buffer[]) | undefined;
  stderr = "";
  private listener!: ListenerProcess; // missing only where its very start threw
  private violation: Error | undefined;
  private violationWasReported = false;
  private waiters: Array<() => void> = [];

  /** Starts the listener; resolves at its first READY, or when it has ended before. */
  static async start(options: Options): Promise<Supervisord> {
    const supervisord = new Supervisord(options);
    try {
      supervisord.spawnListener();
      if (options.waitForReady !== false) await supervisord.readyOrEnded();
    } catch (error) {
      await supervisord.dispose();
      throw error;
    }
    return supervisord;
  }

  /** The same for the time of a test: at its end the listener is ended, and what it started. */
  static async during(t: TestContext, options: Options): Promise<Supervisord> {
    const supervisord = await Supervisord.start(options);
    atEnd(t, () => supervisord.dispose());
    return supervisord;
  }

  private constructor(private readonly options: Options) {
    this.header = { server: "supervisor", lengthIn: "code points", ...options.header };
    this.cut = options.cut;
  }

  get name(): string {
    return this.options.name ?? "job";
  }

  get group(): string {
    return this.options.group ?? this.name;
  }

  get pid(): number {
    return this.listener.pid;
  }

  get state(): ListenerState {
    return this.listener.output.state;
  }

  get isRunning(): boolean {
    return this.listener !== undefined && this.listener.exit === undefined;
  }

  /** How the listener ended. */
  get exited(): Promise<ExitStatus> {
    return this.until(() => this.listener.exit, "the listener to end");
  }

  /** Sends one TICK, by default the next one of its type, and waits for its answer and the READY after it. */
  async tick(tick: { when?: number; type?: string } = {}): Promise<PoolEvent> {
    const type = tick.type ?? this.tickTypes[0];
    const period = TICK_PERIODS[type]!;
    this.clock = tick.when ?? Math.floor(this.clock / period) * period + period;
    return this.answered(this.send(type, `when:${this.clock}`));
  }

  /**
   * Moves the clock in one step, as after a pause of that length: however many slices of a TICK type it crosses, in
   * whichever direction, supervisord sends one event with the start of the slice it is in now.
   */
  advance(seconds: number): PoolEvent[] {
    const before = this.clock;
    this.clock += seconds;
    return this.tickTypes.flatMap((type) => {
      const period = TICK_PERIODS[type]!;
      const slice = Math.floor(this.clock / period);
      return slice === Math.floor(before / period) ? [] : [this.send(type, `when:${slice * period}`)];
    });
  }

  /** Puts an event into the pool and sends what can be sent; wait with answered(). */
  send(name: string, payload: string | Buffer, given: { serial?: number; len?: string } = {}): PoolEvent {
    const event: PoolEvent = { name, payload, ...given, deliveries: 0, failures: 0, isDone: false };
    event.serial ??= this.nextSerial++;
    this.pool.accept(event);
    this.dispatch();
    return event;
  }

  /** A listener of the same priority failed this event, so it goes to the front of our pool, asked for or not. */
  rejectedByNeighbour(event: { name: string; payload: string | Buffer; serial?: number }): PoolEvent {
    const rejected: PoolEvent = Object.assign(event, { deliveries: 0, failures: 0, isDone: false });
    rejected.serial ??= this.nextSerial++;
    this.pool.accept(rejected, "front");
    this.dispatch();
    return rejected;
  }

  /** Writes bytes that no supervisord would send; no answer may follow. */
  sendRaw(bytes: Buffer | string): void {
    this.listener.write([typeof bytes === "string" ? Buffer.from(bytes) : bytes]);
  }

  async answered(event: PoolEvent): Promise<PoolEvent> {
    await this.until(
      () => event.isDone,
      `the answer to event ${event.serial} (${event.name}, ${event.deliveries} times delivered) and READY`,
      () => {
        if (event.failures > 0) return "it was answered with something other than OK";
        if (this.pool.dropped.includes(event)) return "the full pool dropped it";
        return this.endOfListener();
      },
    );
    // What the listener wrote to stderr before its answer is in the pipe: now it is read too.
    await new Promise((resolve) => setImmediate(resolve));
    return event;
  }

  /** All that was sent is answered. */
  async idle(): Promise<void> {
    await this.until(
      () => this.state === "READY" && this.pool.buffer.length === 0,
      "all events to be answered",
      () => this.endOfListener(),
    );
  }

  waitForLog(pattern: RegExp): Promise<RegExpMatchArray> {
    return this.until(
      () => this.stderr.match(pattern),
      `${pattern} on stderr`,
      () => this.endOfListener(),
    );
  }

  /** Waits for a condition; fails after a generous time, at any violation, or when `hopeless` gives a reason. */
  async until<T>(
    condition: () => T | undefined | null | false,
    what: string,
    hopeless: () => string | undefined = () => undefined,
  ): Promise<T> {
    for (const deadline = Date.now() + LIMIT_SECONDS * 1000; ; ) {
      if (this.violation) throw this.reportedViolation();
      const value = condition();
      if (value) return value;
      const reason = hopeless() ?? (Date.now() > deadline ? `not within ${LIMIT_SECONDS} s` : undefined);
      if (reason) throw new Error(`waiting for ${what}: ${reason}; ${this.describe()}`);
      // Conditions on files and processes announce no change.
      await Promise.race([nextLook(20), new Promise<void>((resolve) => this.waiters.push(resolve))]);
    }
  }

  /** A signal to the listener's process alone, as `supervisorctl signal`. */
  signal(signal: NodeJS.Signals): void {
    if (this.isRunning && this.pid > 0) process.kill(this.pid, signal);
  }

  /** `supervisorctl stop`: no event is sent any more, and stdin stays open. */
  stop(signal: NodeJS.Signals = "SIGTERM"): Promise<ExitStatus> {
    this.listener.isStopping = true;
    this.signal(signal);
    return this.exited;
  }

  /** Ends the listener where it stands. An unanswered event goes back to the front. */
  killListener(): Promise<ExitStatus> {
    this.signal("SIGKILL");
    return this.exited;
  }

  /** Starts the listener again (kills it first if need be); once READY it gets what is buffered. */
  async restartListener(): Promise<void> {
    await this.killListener();
    this.spawnListener();
    if (this.options.waitForReady !== false) await this.readyOrEnded();
  }

  closeStdin(): void {
    this.listener.closeStdin();
  }

  closeStdout(): void {
    this.listener.closeStdout();
  }

  /** supervisord is killed: every pipe is closed at once, and the listener gets no signal. */
  die(): void {
    this.listener.closeStdin();
    this.listener.closeStdout();
    this.listener.closeStderr();
  }

  readLog(): void {
    this.listener.readLog();
  }

  /** Nobody will ever read stderr again. */
  closeLog(): void {
    this.listener.closeStderr();
  }

  /** Pids of the living that have our TMPDIR, without the listener: its jobs and whatever these started. */
  jobProcesses(): number[] {
    return this.processes().filter((pid) => pid !== this.pid);
  }

  /** Ends all that was started, by pid, and removes the directory. Throws a violation that no call has told yet. */
  async dispose(): Promise<void> {
    const toKill = (): number[] => [...(this.isRunning && this.pid ? [-this.pid] : []), ...this.processes()];
    const deadline = Date.now() + LIMIT_SECONDS * 1000;
    for (let pids = toKill(); pids.length > 0; pids = toKill()) {
      if (Date.now() > deadline) throw new Error(`cannot end ${pids.join(", ")}`);
      for (const pid of pids) tryIO(() => Number(process.kill(pid, "SIGKILL")));
      await nextLook(5);
    }
    fs.rmSync(this.directory, { recursive: true, force: true });
    if (this.violation && !this.violationWasReported) throw this.violation;
  }

  private get tickTypes(): string[] {
    return this.options.events ?? ["TICK_60"];
  }

  private spawnListener(): void {
    const place = { directory: this.directory, cwd: this.options.cwd ?? this.directory, env: this.environment() };
    const process: ListenerProcess = new ListenerProcess(this.commandLine(), place, {
      ready: () => {
        if (process.answered) process.answered.isDone = true;
        process.answered = undefined;
      },
      result: (result) => this.accountFor(process, result === "OK"),
      violation: (violation) => {
        if (violation.state === "BUSY") this.accountFor(process, false);
        this.violation ??= violation;
      },
      stdout: () => this.dispatch(),
      log: (text) => {
        this.stderr += text;
        this.poke();
      },
      exit: () => {
        if (process.event) this.pool.accept(process.event, "front");
        this.poke();
      },
    });
    if (this.options.readLog !== false) process.readLog();
    this.listener = process;
  }

  private accountFor(process: ListenerProcess, isOk: boolean): void {
    const { event } = process;
    process.event = undefined;
    if (!event) return;
    if (isOk) {
      process.answered = event;
      return;
    }
    event.failures++;
    this.pool.accept(event, "front");
  }

  /** Sends the oldest event if the listener can take one. Called after all of a chunk has been judged, never within. */
  private dispatch(): void {
    const { listener } = this;
    while (listener.output.state === "READY" && !listener.exit && !listener.isStopping) {
      const event = this.pool.take();
      if (!event) break;
      const bytes = envelope(event, this.group, this.header);
      const outcome = listener.write(this.cut ? this.cut(bytes) : [bytes]);
      if (outcome === "EPIPE") {
        this.pool.accept(event, "front");
        break;
      }
      if (outcome === "EAGAIN") {
        this.violation ??= new Error(
          `supervisord crashes at event ${event.serial} (EAGAIN on stdin): the listener said READY, ` +
            "but has not read all of the event before",
        );
      }
      event.deliveries++;
      listener.event = event;
      listener.output.eventSent();
    }
    this.poke();
  }

  private poke(): void {
    for (const look of this.waiters.splice(0)) look();
  }

  private reportedViolation(): Error | undefined {
    this.violationWasReported = true;
    return this.violation;
  }

  private async readyOrEnded(): Promise<void> {
    await this.until(() => this.state !== "ACKNOWLEDGED" || this.listener.exit, "the first READY");
  }

  private endOfListener(): string | undefined {
    const { exit } = this.listener;
    return exit && `the listener has ended (${exit.signal ?? `exit ${exit.code}`})`;
  }

  private describe(): string {
    return `state ${this.state}, ${this.pool.buffer.length} buffered; stderr:\n${this.stderr.slice(-4000)}`;
  }

  private commandLine(): string[] {
    const { command, args = [], env = {} } = this.options;
    if (command) return command;
    const runtime = this.options.runtime?.split(" ") ?? RUNTIME;
    const isStateGiven = args.some((arg) => /^--state(=|$)/.test(arg)) || "TICK_STATE" in env;
    return [...runtime, LISTENER, ...(isStateGiven ? [] : ["--state", this.stateFile]), ...args];
  }

  /** Built from nothing: NODE_OPTIONS and the like of the test run would change what is tested. */
  private environment(): NodeJS.ProcessEnv {
    const env: NodeJS.ProcessEnv = {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      TMPDIR: this.directory,
      SUPERVISOR_ENABLED: "1",
      SUPERVISOR_PROCESS_NAME: this.name,
      SUPERVISOR_GROUP_NAME: this.group,
      ...this.options.env,
    };
    for (const [name, value] of Object.entries(env)) if (value === undefined) delete env[name];
    return env;
  }

  private processes(): number[] {
    return processesWith("TMPDIR", this.directory);
  }
}
