// A world made for one listener: files in memory, clocks that the test moves, commands that last as long as their text says,
// and a supervisord that delivers each event until it is answered. The listener is the shipped file, loaded into this process
// with this world's modules and globals in place of Node's. So it can be killed at any of its writes, thousands of times in a
// few seconds. A command outlives its listener, and the next one finds it in this world's /proc.

import * as assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import * as fs from "node:fs";
import * as util from "node:util";
import * as vm from "node:vm";
import { LISTENER } from "../harness";
import type { JournalLine } from "./faults";

const STATE = "/state";
const JOURNAL = `${STATE}.runs`;
export const CRONTAB = "/crontab";
const STDOUT = 1;
const STDERR = 2;
const BOOT_MS = 1_600_000_000_000;
const MS_TO_DIE = 100; // of a signal

// What the file has from Node when it runs by itself, as far as this world has its own.
const GIVEN = "require process Date setTimeout clearTimeout setInterval clearInterval setImmediate".split(" ");
const source = fs.readFileSync(LISTENER, "utf8");
const load = vm.compileFunction(source.slice(source.indexOf("\n")), GIVEN, { filename: LISTENER }); // without its #! line

/** A SIGKILL before the nth write of all the listeners of a world, or right after it. */
export interface Kill {
  readonly write: number;
  readonly moment: "before" | "after";
}

/** What a call into the system throws in a listener that is dead: nothing of it reaches the world any more. */
const KILLED = new Error("killed");
const NO_SUCH_FILE = Object.assign(new Error("no such file"), { code: "ENOENT" });

interface File {
  readonly inode: number;
  /** One character each (latin1). */
  bytes: string;
  changedMs: number;
}

interface OpenFile {
  readonly file: File;
  readonly isAppending: boolean;
}

interface Timer {
  atMs: number;
  readonly act: () => void;
  /** Of setInterval. */
  readonly everyMs?: number;
}

/** A command that goes on: it leads a process group of its own. */
export interface Process {
  readonly pid: number;
  readonly startMs: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly child: EventEmitter;
  readonly parent: Life;
}

/** One listener, from its start to its death. */
interface Life {
  isDead: boolean;
  /** It was sent SIGTERM. */
  isStopping: boolean;
  readonly pid: number;
  readonly openFiles: Map<number, OpenFile>;
  readonly timers: Set<Timer>;
  readonly immediates: Array<() => void>;
  readonly signalHandlers: Map<string, (signal: string) => void>;
  /** Takes what supervisord sends, once the listener reads its stdin. */
  receive: (bytes: string) => void;
}

// biome-ignore lint/suspicious/noExplicitAny: functions of any kind
type Calls = Record<string, (...args: any[]) => unknown>;

export class World {
  /** Writes so far, to the journal, to the counter file and to supervisord, and files removed, by all listeners together. */
  writes = 0;
  /** What was written to stderr, and by whom. */
  log = "";
  /** When a listener was killed, in epoch seconds. */
  readonly deaths: number[] = [];
  private readonly files = new Map<string, File>();
  /** Goes on, whatever is done to the clock. */
  private nowMs: number;
  private clockOffsetMs = 0;
  private readonly processes = new Map<number, Process>();
  private readonly ends = new Set<Timer>(); // of the processes
  private inodes = 0;
  private descriptors = STDERR;
  private supervisord = { pid: 900, startMs: BOOT_MS };
  private pids = this.supervisord.pid;
  private serial = 0;
  /** The event that is not answered yet. */
  private event: string | undefined;
  private lastEvent: string | undefined;
  private heldEvent: string | undefined;
  private isReady = false;
  private life = this.createLife();

  constructor(
    private readonly args: readonly string[],
    startSeconds: number,
    private readonly kills: readonly Kill[],
    private readonly onJournalLine: (line: JournalLine) => void,
    private readonly onSpawn: (process: Process, others: readonly Process[]) => void,
  ) {
    this.nowMs = startSeconds * 1000;
  }

  /** What the machine's clock shows, epoch milliseconds. */
  private get clockMs(): number {
    return this.nowMs + this.clockOffsetMs;
  }

  get seconds(): number {
    return this.nowMs / 1000;
  }

  get isIdle(): boolean {
    return this.processes.size === 0;
  }

  get isAnswered(): boolean {
    return this.event === undefined;
  }

  get counterText(): string {
    return this.files.get(STATE)!.bytes;
  }

  /** What supervisord does when a listener has ended: it starts the next one, which gets the unanswered event again. */
  onDeath = (): void => this.startListener();

  // What a test does:

  startListener(): void {
    this.life = this.createLife();
    this.isReady = false;
    this.log += `listener ${this.life.pid} starts\n`;
    this.run(() => load(...this.given()));
    this.deliver();
  }

  kill(): void {
    this.life.isDead = true;
    this.run(() => {});
  }

  /** An event that is not answered goes with it. The listener must be dead. */
  replaceSupervisord(pid: number): void {
    this.supervisord = { pid, startMs: this.nowMs };
    this.takeBack();
  }

  /** The event that a dead listener has not answered is not sent to the next one by itself. */
  takeBack(): void {
    this.event = undefined;
  }

  writeCrontab(text: string): void {
    this.files.set(CRONTAB, this.createFile(text, this.clockMs - 60_000)); // it is not changing any more
  }

  loseCounterFile(): void {
    this.files.delete(STATE);
  }

  /** A request of `supertick run`. */
  ask(key: string, id: string): void {
    const request = { ask: "run", job: key, at: this.clockMs / 1000, machine: ":" };
    this.files.set(`${STATE}.${id}.req`, this.createFile(JSON.stringify(request), this.clockMs));
    this.sendSignal("SIGURG");
  }

  setClock(seconds: number): void {
    this.clockOffsetMs += seconds * 1000;
  }

  sendSignal(signal: string): void {
    this.life.isStopping = signal === "SIGTERM";
    this.run(() => this.life.signalHandlers.get(signal)!(signal));
  }

  /** With the start of the period that the clock shows. */
  sendTick(name: string, periodSeconds: number): void {
    this.send(this.tickEvent(name, periodSeconds));
  }

  /** A tick that another listener has got first: it comes with `release`. */
  holdTick(name: string, periodSeconds: number): void {
    this.heldEvent = this.tickEvent(name, periodSeconds);
  }

  release(): void {
    this.send(this.heldEvent!);
  }

  /** The last event comes again, for another listener has failed it. */
  repeat(): void {
    if (this.lastEvent !== undefined) this.send(this.lastEvent);
  }

  private tickEvent(name: string, periodSeconds: number): string {
    const periodMs = periodSeconds * 1000;
    const payload = `when:${(Math.floor(this.clockMs / periodMs) * periodMs) / 1000}`;
    const serial = ++this.serial;
    const header = `ver:3.0 server:supervisor serial:${serial} pool:job poolserial:${serial} eventname:${name}`;
    return `${header} len:${payload.length}\n${payload}`;
  }

  send(event: string): void {
    assert.equal(this.event, undefined, "the event before is not answered");
    this.event = event;
    this.lastEvent = event;
    this.deliver();
  }

  /** Lets time pass, and what the listener has planned for it happen. */
  passUntil(seconds: number): void {
    const ms = seconds * 1000;
    for (let next = this.nextTimer(); next.atMs <= ms; next = this.nextTimer()) {
      this.nowMs = Math.max(this.nowMs, next.atMs);
      if (this.ends.delete(next)) {
        next.act();
        continue;
      }
      if (next.everyMs === undefined) this.life.timers.delete(next);
      else next.atMs += next.everyMs;
      this.run(next.act);
    }
    this.nowMs = ms;
  }

  private nextTimer(): Timer {
    let next: Timer = NO_TIMER;
    for (const timers of [this.ends, this.life.timers])
      for (const timer of timers) if (timer.atMs < next.atMs) next = timer;
    return next;
  }

  // Supervisord:

  /** Lets the listener do something, and what follows from it at once. If that kills it, the next one starts. */
  private run(act: () => void): void {
    const { life } = this;
    try {
      act();
      while (!life.isDead && life.immediates.length > 0) life.immediates.shift()!();
    } catch (error) {
      if (!life.isDead) throw error;
    }
    if (!life.isDead || life !== this.life) return;
    life.timers.clear();
    this.onDeath();
  }

  private deliver(): void {
    if (!this.isReady || this.event === undefined) return;
    this.isReady = false;
    const { event } = this;
    this.run(() => this.life.receive(event));
  }

  private onOutput(text: string): void {
    if (text.startsWith("RESULT")) this.event = undefined;
    this.isReady = true;
  }

  // The listener's processes:

  private createLife(): Life {
    return {
      isDead: false,
      isStopping: false,
      pid: ++this.pids,
      openFiles: new Map(),
      timers: new Set(),
      immediates: [],
      signalHandlers: new Map(),
      receive: () => {},
    };
  }

  private die(): never {
    this.life.isDead = true;
    this.deaths.push(this.nowMs / 1000);
    throw KILLED;
  }

  private exit(status: number): never {
    assert.ok(status === 0 && this.life.isStopping, `the listener exits with status ${status}`);
    return this.die();
  }

  /** A dead process calls nobody: whatever of its code still runs has no effect. */
  private mortal(calls: Calls): Calls {
    const { life } = this;
    const guarded = Object.entries(calls).map(([name, call]) => [
      name,
      (...args: unknown[]) => {
        if (life.isDead) throw KILLED;
        return call(...args);
      },
    ]);
    return Object.fromEntries(guarded);
  }

  /** In the order of GIVEN. */
  private given(): unknown[] {
    const { life } = this;
    const now = () => this.clockMs;
    class VirtualDate extends Date {
      static override now = now;
    }
    const setTimer = (act: () => void, ms: number, everyMs?: number): Timer => {
      const timer = { atMs: this.nowMs + ms, act, everyMs };
      life.timers.add(timer);
      return timer;
    };
    const setTimeout = (act: () => void, ms: number) => setTimer(act, ms);
    const setInterval = (act: () => void, ms: number) => setTimer(act, ms, ms);
    const clear = (timer: Timer) => life.timers.delete(timer);
    const setImmediate = (act: () => void) => life.immediates.push(act);
    const [require, process] = [this.createRequire(), this.createProcess()];
    return [require, process, VirtualDate, setTimeout, clear, setInterval, clear, setImmediate];
  }

  private createRequire() {
    const { life } = this;
    class Socket extends EventEmitter {
      constructor({ onread: { buffer, callback } }: import("node:net").SocketConstructorOpts & { onread: OnRead }) {
        super();
        life.receive = (bytes) => callback(buffer.write(bytes, "latin1"), buffer);
      }

      pause() {}
    }
    const modules: Record<string, unknown> = {
      fs: { constants: fs.constants, ...this.mortal(this.createFileCalls()) },
      net: { Socket },
      os: { hostname: () => "host" }, // the delays of --jitter depend on it
      util,
      child_process: this.mortal({
        spawn: (_: string, [, text]: string[], { env }: { env: Process["environment"] }) => this.spawn(text, env),
      }),
    };
    return (name: string) => modules[name] ?? assert.fail(`the listener wants the module ${name}`);
  }

  private createProcess() {
    const { life } = this;
    return {
      pid: life.pid,
      ppid: this.supervisord.pid,
      argv: ["node", LISTENER, "--state", STATE, ...this.args],
      env: { PATH: "/bin", TZ: "UTC", SUPERVISOR_ENABLED: "1" },
      version: process.version,
      versions: { node: process.versions.node },
      uptime: () => (this.nowMs - BOOT_MS) / 1000,
      hrtime: () => [Math.floor(this.nowMs / 1000), (this.nowMs % 1000) * 1e6],
      kill: (group: number, signal: string | 0) => life.isDead || this.signal(-group, signal),
      on: (signal: string, handler: (signal: string) => void) => life.signalHandlers.set(signal, handler),
      exit: (status: number) => life.isDead || this.exit(status),
    };
  }

  /** A command ends well, after so many seconds as its last word says. */
  private spawn(text: string, environment: Process["environment"]) {
    const pid = ++this.pids;
    const process = { pid, startMs: this.nowMs, environment, child: new EventEmitter(), parent: this.life };
    this.onSpawn(process, [...this.processes.values()]);
    this.processes.set(pid, process);
    this.endLater(process, Number(/\S+$/.exec(text)) * 1000, 0, null);
    return Object.assign(process.child, { pid });
  }

  private endLater(process: Process, ms: number, exit: number | null, signal: string | null): void {
    const act = () => {
      if (!this.processes.delete(process.pid) || process.parent !== this.life) return;
      this.run(() => process.child.emit("exit", exit, signal));
    };
    this.ends.add({ atMs: this.nowMs + ms, act });
  }

  private signal(pid: number, signal: string | 0): void {
    const process = this.processes.get(pid);
    if (process === undefined) throw Object.assign(new Error("no such process"), { code: "ESRCH" });
    if (signal !== 0) this.endLater(process, MS_TO_DIE, null, signal);
  }

  // Files:

  private createFile(bytes: string, changedMs: number): File {
    return { inode: ++this.inodes, bytes, changedMs };
  }

  /** What the listener calls of `fs`. */
  private createFileCalls(): Calls {
    const { files, life } = this;
    const fileOf = (fd: number) => life.openFiles.get(fd)!.file;
    const fileAt = (path: string) => this.fileAt(path);
    const statsAt = (path: string) => (path.endsWith("/") ? DIRECTORY : statsOf(fileAt(path)));
    return {
      openSync: (path: string, flags: number) => this.open(path, flags),
      closeSync: (fd: number) => life.openFiles.delete(fd),
      readSync: (fd: number, buffer: Buffer) => buffer.write(fileOf(fd).bytes, "latin1"),
      readFileSync: (from: number | string) => (typeof from === "number" ? fileOf(from) : fileAt(from)).bytes,
      writeSync: (fd: number, bytes: Buffer, from = 0) => this.write(fd, bytes.subarray(from)),
      fstatSync: (fd: number) => (fd < STDERR ? PIPE : fd === STDERR ? LOG_FILE : statsOf(fileOf(fd))),
      statSync: statsAt,
      lstatSync: statsAt,
      ftruncateSync: (fd: number, length: number) => {
        fileOf(fd).bytes = fileOf(fd).bytes.slice(0, length);
      },
      renameSync: (from: string, to: string) => {
        files.set(to, fileAt(from));
        files.delete(from);
      },
      fsyncSync: () => {},
      fdatasyncSync: () => {},
      unlinkSync: (path: string) => this.writeAndMayDie(() => files.delete(path)),
      readdirSync: (path: string) =>
        path === "/proc" ? [...this.processes.keys()].map(String) : [...files.keys()].map((file) => file.slice(1)),
      existsSync: (path: string) => files.has(path),
    };
  }

  private fileAt(path: string): File {
    const proc = this.readProc(path);
    if (proc !== undefined) return this.createFile(proc, 0);
    const file = this.files.get(path);
    if (file === undefined) throw NO_SUCH_FILE;
    return file;
  }

  private readProc(path: string): string | undefined {
    const [, pid, file] = /^\/proc\/(\d+)\/(stat|environ)$/.exec(path) ?? [];
    if (Number(pid) === this.supervisord.pid) return statOf(this.supervisord.pid, this.supervisord.startMs);
    if (Number(pid) === this.life.pid) return statOf(this.life.pid, BOOT_MS); // as its uptime
    const process = this.processes.get(Number(pid));
    if (process === undefined) return undefined;
    if (file === "stat") return statOf(process.pid, process.startMs);
    return Object.entries(process.environment)
      .map(([name, value]) => `${name}=${value}\0`)
      .join("");
  }

  private open(path: string, flags: number): number {
    if (!this.files.has(path) && (flags & fs.constants.O_CREAT) !== 0)
      this.files.set(path, this.createFile("", this.clockMs));
    const file = this.fileAt(path);
    this.life.openFiles.set(++this.descriptors, { file, isAppending: (flags & fs.constants.O_APPEND) !== 0 });
    return this.descriptors;
  }

  private write(fd: number, bytes: Buffer): number {
    const text = bytes.toString("latin1");
    if (fd === STDERR) this.log += text;
    else this.writeAndMayDie(() => (fd === STDOUT ? this.onOutput(text) : this.writeToFile(fd, text)));
    return bytes.length;
  }

  /** A write to supervisord or to a file is all that others can see of a listener: so it is killed before or after one. */
  private writeAndMayDie(perform: () => void): void {
    const write = ++this.writes;
    const kill = this.kills.find((one) => one.write === write);
    if (kill?.moment === "before") this.die();
    perform();
    if (kill?.moment === "after") this.die();
  }

  /** The journal is appended to, the counter file overwritten from its beginning. */
  private writeToFile(fd: number, bytes: string): void {
    const { file, isAppending } = this.life.openFiles.get(fd)!;
    file.bytes = isAppending ? file.bytes + bytes : bytes;
    file.changedMs = this.clockMs;
    if (file !== this.files.get(JOURNAL)) return;
    for (const line of bytes.trimEnd().split("\n")) this.onJournalLine(JSON.parse(line));
  }
}

interface OnRead {
  readonly buffer: Buffer;
  readonly callback: (length: number, buffer: Buffer) => void;
}

const PIPE = { ino: 1, isFIFO: () => true, isSocket: () => false, isCharacterDevice: () => false };
const LOG_FILE = { ino: 2, isFile: () => true };
const DIRECTORY = { mode: 0o755 };

function statsOf({ inode, bytes, changedMs }: File) {
  return {
    dev: 1,
    ino: inode,
    size: bytes.length,
    mtimeMs: changedMs,
    ctimeMs: changedMs,
    isFile: () => true,
    isSymbolicLink: () => false,
  };
}

const NO_TIMER: Timer = { atMs: Number.POSITIVE_INFINITY, act: () => {} };

/** Of a process that leads its session; its start time, in clock ticks, is the 22nd field. */
function statOf(pid: number, startMs: number): string {
  return `${pid} (a process) S 1 ${pid} ${pid} ${"0 ".repeat(15)}${1 + Math.round((startMs - BOOT_MS) / 10)} 0`;
}
