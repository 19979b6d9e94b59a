// Measures supertick beside what it is compared with, all in one run and over pipes, and prints one table.
//
//   npm run bench                          every measurement; exit status 1 when a bound is missed
//   npm run bench -- --quick               fewer ticks, runs and rounds: a look, not a verdict
//   npm run bench -- --only tick           one measurement (may be given several times; the names are in MEASUREMENTS)
//   --ticks N --runs N --rounds N --idle SECONDS --listener FILE   what is written under "Settings" below
//
// A contender's samples are taken in turn with the others', round by round, so that a load from outside falls on all
// of them. A column is the median of the rounds; a ratio is the median of the rounds' own ratios.
//
// To add a figure: write a measurement that returns Figures, name it in MEASUREMENTS, give it its bounds in BOUNDS.

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

// ── Bounds ─────────────────────────────────────────────────────────────────

interface Bound {
  /** Another column, or another series of the same figure; without it the bound is absolute, in the figure's unit. */
  readonly against?: string;
  readonly atMost: number;
}

const BOUNDS: Record<string, Bound[]> = {
  start: [
    { against: "floor", atMost: 1.1 },
    { against: "childutils", atMost: 0.65 },
  ],
  idleMemory: [
    { against: "floor", atMost: 1.12 },
    { against: "childutils", atMost: 0.7 },
  ],
  laterMemory: [{ against: "itself, idle", atMost: 2 }],
  // The heap breathes by some hundred KiB; a leak of 16 bytes a tick is twice this.
  slope: [{ atMost: 0.75 }],
  tick: [
    { against: "floor", atMost: 1.3 },
    { against: "bash counter", atMost: 0.01 },
  ],
  wakeUps: [{ atMost: 0 }],
  run: [{ against: "floor", atMost: 1.2 }],
  readRun: [{ against: "with prefix", atMost: 1.3 }],
  flood: [{ atMost: 2000 }], // 100 MB/s
  readerMemory: [{ atMost: 0.1 }],
  crontabMemory: [{ against: "floor", atMost: 1.3 }],
  crontabTick: [{ atMost: 200 }],
  crontabReading: [{ atMost: 1000 }],
  directoryReading: [{ atMost: 150 }],
  status: [{ atMost: 250 }],
  serveMemory: [{ against: "bare Node", atMost: 1.5 }],
  serveMetrics: [{ atMost: 100 }],
  memoryLimit: [{ atMost: 8 }],
  nextDue: [{ atMost: 50 }, { against: "croner", atMost: 1 }, { against: "cron-parser", atMost: 1 }],
};

// ── Settings ───────────────────────────────────────────────────────────────

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true },
    /** Ticks and runs of the "later" measurement. */
    ticks: { type: "string" },
    runs: { type: "string" },
    rounds: { type: "string" },
    /** How long wake-ups are counted, in seconds. */
    idle: { type: "string" },
    listener: { type: "string", default: path.join(__dirname, "..", "dist", "listener.js") },
  },
});

function setting(text: string | undefined, full: number, quick: number): number {
  const value = text === undefined ? (flags.quick ? quick : full) : Number(text);
  assert(value > 0, `expected a number above 0, got "${text}"`);
  return value;
}

const LISTENER = path.resolve(flags.listener);
const TICKS = setting(flags.ticks, 100_000, 10_000);
const RUNS = setting(flags.runs, 100, 20);
const ROUNDS = setting(flags.rounds, 9, 3);
const IDLE_SECONDS = setting(flags.idle, 30, 5);
const TICKS_PER_ROUND = flags.quick ? 5_000 : 20_000;
const RUNS_PER_ROUND = flags.quick ? 50 : 200;
const RESTARTS_PER_ROUND = flags.quick ? 10 : 30;
// Until the heap and the compiler have settled, a tick costs several times as much.
const WARM_UP_TICKS = flags.quick ? 3_000 : 10_000;
const JOBS = 1000;
const JOBS_READ = 50;
const FLOOD_MB = 200;
const MAX_UNREAD = 2 ** 16;
const CRONTAB_TICKS = { warmUp: 200, measured: flags.quick ? 500 : 2_000 };
const LEAST_LIMIT_MB = 5;
const GREATEST_LIMIT_MB = 20;
const ASLEEP_NANOSECONDS = 60_000n;
const WARM_UP_RUNS = 10;
const SETTLE_SECONDS = 0.5;
const LIMIT_SECONDS = 60;

// ── Contenders ─────────────────────────────────────────────────────────────

type Name = "supertick" | "floor" | "bare Node" | "childutils" | "bash counter";

interface Work {
  directory: string;
  /** Run the command on every Nth tick. Without it: never, though the ticks are counted. */
  runEvery?: number;
  /** The jobs of this file instead. */
  crontab?: string;
  /** Further options of supertick's. */
  options?: string[];
  /** Instead of the usual one. */
  job?: string[];
  /** Started in this control group. */
  group?: string;
}

interface Contender {
  isInstalled: boolean;
  command(work: Work): string[];
  /** Answers one tick and exits. */
  isRestarted?: boolean;
}

const RAN = "the command ran";
const COMMAND = ["/bin/echo", RAN];
const NEVER = "1000000";
// What supervisord adds to the environment, and nothing from ours: NODE_OPTIONS or NODE_EXTRA_CA_CERTS alone can
// double the cost of a start.
const ENVIRONMENT = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  SUPERVISOR_ENABLED: "1",
  SUPERVISOR_PROCESS_NAME: "bench",
  SUPERVISOR_GROUP_NAME: "bench",
};

const fixture = (name: string) => path.join(__dirname, "bench", name);
const succeeds = (command: string, ...args: string[]) => spawnSync(command, args, { env: ENVIRONMENT }).status === 0;

const CONTENDERS: Record<Name, Contender> = {
  supertick: {
    isInstalled: true,
    command: ({ directory, runEvery, crontab, options = [], job = COMMAND }) => [
      ...[process.execPath, LISTENER, "--tick", "TICK_60", "--state", path.join(directory, "counter"), ...options],
      ...(crontab ? ["--crontab", crontab] : ["--ticks", String(runEvery ?? NEVER), "--", ...job]),
    ],
  },
  // The least that keeps the promises: it tells a bound that is missed by supertick from one that can't be met.
  floor: {
    isInstalled: true,
    command: ({ directory, runEvery, crontab }) => [
      ...[process.execPath, floorAsLongAsUs(), String(runEvery ?? NEVER), path.join(directory, "counter")],
      ...(crontab ? ["--crontab", crontab] : COMMAND),
    ],
  },
  "bare Node": {
    isInstalled: true,
    command: ({ runEvery }) =>
      runEvery === undefined
        ? [process.execPath, fixture("bare-node.js")]
        : [process.execPath, fixture("bare-spawn.js"), String(runEvery), ...COMMAND],
  },
  childutils: {
    isInstalled: succeeds("/usr/bin/python3", "-c", "import supervisor.childutils"),
    command: () => ["/usr/bin/python3", fixture("childutils.py")],
  },
  "bash counter": {
    isInstalled: succeeds("bash", "-c", ":"),
    command: ({ directory }) => ["bash", fixture("count-and-exit.sh"), NEVER, path.join(directory, "count"), "true"],
    isRestarted: true,
  },
};
const NAMES = Object.keys(CONTENDERS) as Name[];
const THOSE_THAT_RUN: Name[] = ["supertick", "floor", "bare Node"];

// ── What /proc says of a process ───────────────────────────────────────────

const cannotMeasure =
  ["smaps_rollup", "schedstat", "task/self/children"].map((file) => missingProc(file)).find(Boolean) ?? "";

function missingProc(file: string): string {
  const where = `/proc/self/${file.replace("self", String(process.pid))}`;
  return fs.existsSync(where) ? "" : `this machine has no ${where.replace(String(process.pid), "TID")}`;
}

function numberAfter(text: string, key: string): number {
  const found = new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(text);
  assert(found, `no ${key} in ${text}`);
  return Number(found[1]);
}

function ofEachThread(pid: number, file: string): string[] {
  const texts: string[] = [];
  for (const thread of fs.readdirSync(`/proc/${pid}/task`)) {
    try {
      texts.push(fs.readFileSync(`/proc/${pid}/task/${thread}/${file}`, "utf8"));
    } catch {
      // The thread has ended meanwhile.
    }
  }
  return texts;
}

const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);

/** Nanoseconds on a CPU of all threads, V8's own included. */
const cpuNanoseconds = (pid: number) => sum(ofEachThread(pid, "schedstat").map((text) => Number(text.split(" ")[0])));

/** A thread that blocks gives up the CPU by itself and has to be woken: one voluntary switch for each wake-up. */
const wakeUps = (pid: number) =>
  sum(ofEachThread(pid, "status").map((text) => numberAfter(text, "voluntary_ctxt_switches")));

/**
 * Private memory is Private_Dirty: what the process wrote, which goes when it ends and cannot be had back before.
 * Private_Clean does not belong here. It is pages of the executable, which the kernel may drop at any time, and which
 * turn into Shared_Clean once a second process runs the same file: 30 MB for Node on one machine, 0 when Node ran twice.
 */
const privateMiB = (pid: number) =>
  numberAfter(fs.readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"), "Private_Dirty") / 1024;

const childrenOf = (pid: number) => ofEachThread(pid, "children").join("").trim();

const CLOCK_TICKS_PER_SECOND = Number(spawnSync("getconf", ["CLK_TCK"], { encoding: "utf8" }).stdout || 100);

/** Nanoseconds of the children that were waited for, and of theirs; in steps of a clock tick (10 ms). */
function childrenNanoseconds(pid: number): number {
  const afterName = fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").pop()!.split(" ");
  return ((Number(afterName[13]) + Number(afterName[14])) / CLOCK_TICKS_PER_SECOND) * 1e9;
}

/** Node keeps a file's whole text in memory. So behind the floor's stands ours, as a comment, which costs nothing else. */
function floorAsLongAsUs(): string {
  const file = path.join(SCRATCH, "floor.js");
  if (fs.existsSync(file)) return file;
  const ours = fs.readFileSync(LISTENER, "latin1").replace(/\*\//g, "* ");
  fs.writeFileSync(file, `${fs.readFileSync(fixture("floor.js"), "latin1")}/*\n${ours}*/\n`, "latin1");
  return file;
}

// ── Control groups ─────────────────────────────────────────────────────────
// Version 2 wants the memory controller delegated to us, version 1 (mounted beside it) a writable directory.

/** One with a limit of memory that can be set; undefined where the machine gives us none. */
function tryMakeGroup(): string | undefined {
  const own = fs.existsSync("/proc/self/cgroup") ? fs.readFileSync("/proc/self/cgroup", "utf8") : "";
  const [, unified = ""] = /^0::(.*)$/m.exec(own) ?? [];
  const [, memory = ""] = /^\d+:memory:(.*)$/m.exec(own) ?? [];
  const name = `supertick-bench-${process.pid}`;
  for (const parent of [`/sys/fs/cgroup${unified}`, "/sys/fs/cgroup/memory", `/sys/fs/cgroup/memory${memory}`]) {
    const group = path.join(parent, name);
    try {
      fs.mkdirSync(group);
    } catch {
      continue;
    }
    if (limitFile(group) !== undefined) return group;
    fs.rmdirSync(group);
  }
  return undefined;
}

const limitFile = (group: string) =>
  ["memory.max", "memory.limit_in_bytes"].map((file) => path.join(group, file)).find((file) => fs.existsSync(file));

function limitGroup(group: string, megabytes: number): void {
  fs.writeFileSync(limitFile(group)!, String(megabytes * 2 ** 20));
  for (const file of ["memory.swap.max", "memory.swappiness"].map((name) => path.join(group, name))) {
    if (fs.existsSync(file)) fs.writeFileSync(file, "0");
  }
}

const inGroup = (group: string, command: string[]) => [
  ...["/bin/sh", "-c", 'echo $$ >"$0" && exec "$@"', path.join(group, "cgroup.procs")],
  ...command,
];

// ── A listener and its pipes ───────────────────────────────────────────────
// supervisord gives its listeners pipes. "pipe" in Node's stdio is a socket pair, which costs a reader more: so FIFOs.

const SCRATCH = fs.mkdtempSync(path.join(diskDirectory(), "supertick-bench-"));
process.once("exit", () => fs.rmSync(SCRATCH, { recursive: true, force: true }));

/** A counter on a tmpfs would cost less than the real one. */
function diskDirectory(): string {
  const TMPFS = 0x01021994;
  const candidates = [os.tmpdir(), "/var/tmp", path.join(__dirname, "..", "node_modules")];
  const onDisk = candidates.find((directory) => fs.existsSync(directory) && fs.statfsSync(directory).type !== TMPFS);
  return onDisk ?? os.tmpdir();
}

/** The listener's end blocks; our readers do not, so that it is only the listener's end that it could wait for. */
function openPipe(directory: string, name: string): { reader: number; writer: number } {
  const file = path.join(directory, name);
  execFileSync("mkfifo", [file]);
  const both = fs.openSync(file, "r+");
  const pipe = { reader: fs.openSync(file, "r"), writer: fs.openSync(file, "w") };
  fs.closeSync(both);
  fs.unlinkSync(file);
  return pipe;
}

/** Bytes from the listener, and someone who waits for a text to be complete in them. */
class Output {
  private unread = "";
  private wanted: { text: string; done: () => void } | undefined;
  private readonly socket: net.Socket;

  constructor(fd: number) {
    const read = (length: number, buffer: Uint8Array) => {
      this.unread += Buffer.from(buffer.buffer, buffer.byteOffset, length).toString("latin1");
      this.check();
      return true;
    };
    const onread = { buffer: Buffer.alloc(65536), callback: read };
    this.socket = new net.Socket({ fd, readable: true, writable: false, onread } as net.SocketConstructorOpts);
    this.socket.on("error", () => {}).resume();
  }

  expect(text: string, done: () => void): void {
    this.wanted = { text, done };
    this.check();
  }

  private check(): void {
    if (!this.wanted) return;
    const { text, done } = this.wanted;
    const start = this.unread.indexOf(text);
    if (start < 0 && this.unread.length > MAX_UNREAD) this.unread = this.unread.slice(-text.length);
    if (start < 0) return;
    this.unread = this.unread.slice(start + text.length);
    this.wanted = undefined;
    done();
  }

  close(): void {
    this.socket.destroy();
  }

  toString(): string {
    return JSON.stringify(this.unread.slice(0, 300));
  }
}

class Listener {
  readonly pid: number;
  private readonly child: ChildProcess;
  private readonly exit: Promise<unknown>;
  private readonly stdin: number;
  private readonly stdout: Output;
  private readonly stderr: Output;
  private when = 1_700_002_800;
  private serial = 0;
  private fail: (reason: Error) => void = () => {};
  private readonly limit: NodeJS.Timeout;

  private constructor(command: string[], directory: string) {
    const [stdin, stdout, stderr] = ["stdin", "stdout", "stderr"].map((name) => openPipe(directory, name));
    const stdio = [stdin.reader, stdout.writer, stderr.writer];
    this.child = spawn(command[0], command.slice(1), { cwd: directory, env: ENVIRONMENT, stdio });
    for (const fd of stdio) fs.closeSync(fd);
    this.stdin = stdin.writer;
    this.stdout = new Output(stdout.reader);
    this.stderr = new Output(stderr.reader);
    const say = (what: string) =>
      new Error(`${command.join(" ")}: ${what}; stdout ${this.stdout}; stderr ${this.stderr}`);
    this.limit = setTimeout(() => this.fail(say(`nothing for ${LIMIT_SECONDS} s`)), LIMIT_SECONDS * 1000);
    this.exit = once(this.child, "exit").then(([code, signal]) => this.fail(say(`ended by ${signal ?? code}`)));
    this.exit.catch((error) => this.fail(error));
    this.pid = this.child.pid ?? 0;
  }

  static async start(command: string[], directory: string): Promise<Listener> {
    const listener = new Listener(command, directory);
    await listener.seen(listener.stdout, "READY\n");
    return listener;
  }

  /** Sends one tick, a minute after the last one, and waits for the answer. */
  tick(answer = "RESULT 2\nOKREADY\n"): Promise<void> {
    this.when += 60;
    this.serial++;
    const payload = `when:${this.when}`;
    const ids = `serial:${this.serial} pool:bench poolserial:${this.serial}`;
    fs.writeSync(this.stdin, `ver:3.0 server:supervisor ${ids} eventname:TICK_60 len:${payload.length}\n${payload}`);
    return this.seen(this.stdout, answer);
  }

  /** In life a tick always finds the listener asleep. The spin sees to that; it costs us, not the listener. */
  async ticks(count: number): Promise<void> {
    for (let sent = 0; sent < count; sent++) {
      await this.tick();
      for (const end = process.hrtime.bigint() + ASLEEP_NANOSECONDS; process.hrtime.bigint() < end; );
    }
  }

  seenLine(): Promise<void> {
    return this.seen(this.stderr, `${RAN}\n`);
  }

  /** Once the child is gone from the process table, the listener's exit handler has run: it waited for the child. */
  async commandRan(): Promise<void> {
    await this.seenLine();
    while (childrenOf(this.pid) !== "") await sleep(1);
  }

  async exited(): Promise<void> {
    await this.exit;
    this.close();
  }

  async stop(): Promise<void> {
    fs.closeSync(this.stdin);
    this.limit.refresh();
    const killer = setTimeout(() => this.child.kill("SIGKILL"), 10_000);
    await this.exit;
    clearTimeout(killer);
    this.close(false);
  }

  private close(isStdinOpen = true): void {
    clearTimeout(this.limit);
    if (isStdinOpen) fs.closeSync(this.stdin);
    this.stdout.close();
    this.stderr.close();
  }

  private seen(output: Output, text: string): Promise<void> {
    this.limit.refresh();
    return new Promise((done, fail) => {
      this.fail = fail;
      output.expect(text, done);
    });
  }
}

let directories = 0;

async function withListener<T>(
  name: Name,
  work: Omit<Work, "directory">,
  use: (of: Listener) => Promise<T>,
): Promise<T> {
  const directory = path.join(SCRATCH, String(directories++));
  fs.mkdirSync(directory);
  const command = CONTENDERS[name].command({ directory, ...work });
  const listener = await Listener.start(work.group === undefined ? command : inGroup(work.group, command), directory);
  try {
    return await use(listener);
  } finally {
    await listener.stop();
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

// ── Measurements ───────────────────────────────────────────────────────────

/** One value a round, for each column, or under another name as something that a bound compares with. */
type Samples = Partial<Record<string, number[]>>;

interface Figure {
  title: string;
  unit: "ms" | "µs" | "MB" | "times";
  samples: Samples;
  bounds: Bound[];
  /** Why it was not measured: then there are no samples. */
  missing?: string;
}

const notMeasured = (title: string, missing: string): Figure => ({
  title,
  unit: "times",
  samples: {},
  bounds: [],
  missing,
});

function add(samples: Samples, name: string, value: number): void {
  samples[name] = [...(samples[name] ?? []), value];
}

/** Takes a sample of each contender in turn, ROUNDS times. */
async function takeTurns(names: Name[], sample: (name: Name) => Promise<number>, rounds = ROUNDS): Promise<Samples> {
  const samples: Samples = {};
  for (let round = 0; round < rounds; round++) {
    for (const name of names.filter((name) => CONTENDERS[name].isInstalled)) {
      add(samples, name, await sample(name));
    }
  }
  return samples;
}

async function measureStart(): Promise<Figure[]> {
  const samples = await takeTurns(NAMES, (name) =>
    withListener(name, {}, async (listener) => cpuNanoseconds(listener.pid) / 1e6),
  );
  return [{ title: "CPU from start to READY", unit: "ms", samples, bounds: BOUNDS.start }];
}

async function measureIdleMemory(): Promise<Figure[]> {
  const samples = await takeTurns(NAMES, (name) =>
    withListener(name, {}, async (listener) => {
      await sleep(SETTLE_SECONDS * 1000);
      return privateMiB(listener.pid);
    }),
  );
  return [{ title: "private memory idle, before the first run", unit: "MB", samples, bounds: BOUNDS.idleMemory }];
}

/** Twenty samples on the way, always between runs; growth is what the last quarter has over the second one. */
async function measureLaterMemory(): Promise<Figure[]> {
  const SAMPLES = 20;
  const idle: number[] = [];
  const slope: Samples = {};
  const rounds = Math.min(3, ROUNDS);
  const sample = (name: Name) =>
    withListener(name, { runEvery: Math.floor(TICKS / RUNS) }, async (listener) => {
      await sleep(SETTLE_SECONDS * 1000);
      if (name === "supertick") idle.push(privateMiB(listener.pid));
      const onTheWay: number[] = [];
      for (let run = 1; run <= RUNS; run++) {
        await listener.ticks(Math.floor(TICKS / RUNS));
        await listener.commandRan();
        if (run % Math.max(1, Math.floor(RUNS / SAMPLES)) === 0) onTheWay.push(privateMiB(listener.pid));
      }
      const quarter = (number: number) =>
        onTheWay.slice((onTheWay.length * (number - 1)) / 4, (onTheWay.length * number) / 4);
      add(slope, name, (median(quarter(4)) - median(quarter(2))) * 2);
      return privateMiB(listener.pid);
    });
  const samples = await takeTurns(THOSE_THAT_RUN, sample, rounds);
  const after = `${TICKS.toLocaleString("en")} ticks and ${RUNS.toLocaleString("en")} runs`;
  return [
    {
      title: `the same after ${after}`,
      unit: "MB",
      samples: { ...samples, "itself, idle": idle },
      bounds: BOUNDS.laterMemory,
    },
    { title: "  its slope there: growth in as many more", unit: "MB", samples: slope, bounds: BOUNDS.slope },
  ];
}

async function measureTick(): Promise<Figure[]> {
  const samples = await takeTurns(NAMES, (name) =>
    CONTENDERS[name].isRestarted ? costOfRestarts(name) : costOfTicks(name),
  );
  return [{ title: "CPU a tick that runs nothing, counter on disk", unit: "µs", samples, bounds: BOUNDS.tick }];
}

const costOfTicks = (name: Name, count = { warmUp: WARM_UP_TICKS, measured: TICKS_PER_ROUND }, work = {}) =>
  withListener(name, work, async (listener) => {
    await listener.ticks(count.warmUp);
    const before = cpuNanoseconds(listener.pid);
    await listener.ticks(count.measured);
    return (cpuNanoseconds(listener.pid) - before) / count.measured / 1000;
  });

/** The whole life of a process for each tick; it is ours, so what it used is added to our children's time. */
async function costOfRestarts(name: Name): Promise<number> {
  const directory = path.join(SCRATCH, "restarts");
  fs.mkdirSync(directory, { recursive: true });
  let used = 0;
  for (let restart = 0; restart < RESTARTS_PER_ROUND; restart++) {
    // Not counted: mkfifo is our child too.
    const listener = await Listener.start(CONTENDERS[name].command({ directory }), directory);
    const before = childrenNanoseconds(process.pid);
    await listener.tick("RESULT 2\nOK");
    await listener.exited();
    used += childrenNanoseconds(process.pid) - before;
  }
  return used / RESTARTS_PER_ROUND / 1000;
}

/** All at once, as they wait for nothing but time. A few ticks first: only then there is a watchdog. */
async function measureWakeUps(): Promise<Figure[]> {
  const one = (name: Name) =>
    withListener(name, {}, async (listener) => {
      if (!CONTENDERS[name].isRestarted) await listener.ticks(3);
      // V8 still has its own timers for a moment.
      await sleep(2000);
      const before = wakeUps(listener.pid);
      await sleep(IDLE_SECONDS * 1000);
      return wakeUps(listener.pid) - before;
    });
  const samples: Samples = {};
  const measured = NAMES.filter((name) => CONTENDERS[name].isInstalled);
  await Promise.all(
    measured.map(async (name) => {
      samples[name] = [await one(name)];
    }),
  );
  // Older ones have a thread that looks at the clock.
  const bounds = Number(process.versions.node.split(".")[0]) >= 18 ? BOUNDS.wakeUps : [];
  return [{ title: `wake-ups between ticks, in ${IDLE_SECONDS} s`, unit: "times", samples, bounds }];
}

/** The CPU of a run in ms, from the tick on: the listener's own, and the command's too. */
const costOfRun = (name: Name, options: string[] = []) =>
  withListener(name, { runEvery: 1, options }, async (listener) => {
    const run = async () => {
      await listener.tick();
      await listener.commandRan();
    };
    for (let runs = 0; runs < WARM_UP_RUNS; runs++) await run();
    const cpu = () => [cpuNanoseconds(listener.pid), childrenNanoseconds(listener.pid)];
    const [ownBefore, childrenBefore] = cpu();
    for (let runs = 0; runs < RUNS_PER_ROUND; runs++) await run();
    const [ownAfter, childrenAfter] = cpu();
    const own = (ownAfter - ownBefore) / RUNS_PER_ROUND / 1e6;
    return { own, all: own + (childrenAfter - childrenBefore) / RUNS_PER_ROUND / 1e6 };
  });

const READ = ["--on-failure", "true"]; // so that output is read and passed on

/** What it costs that output is read: by a run, by many bytes, and in memory while jobs run. */
async function measureOutput(): Promise<Figure[]> {
  const read: Samples = {};
  const flood: Samples = {};
  const memory: Samples = {};
  const jobs = `* * * * * yes | head -c 100000; echo ${RAN}; exec sleep 1000\n`.repeat(JOBS_READ);
  const running = (file: string) =>
    withListener("supertick", { crontab: file }, async (listener) => {
      await listener.tick();
      for (let job = 0; job < JOBS_READ; job++) await listener.seenLine();
      await sleep(SETTLE_SECONDS * 1000);
      return privateMiB(listener.pid);
    });
  for (let round = 0; round < Math.min(3, ROUNDS); round++) {
    add(read, "supertick", (await costOfRun("supertick", READ)).all);
    add(read, "with prefix", (await costOfRun("supertick", ["--log", "prefix"])).all);
    const job = ["/bin/sh", "-c", `yes | head -c ${FLOOD_MB}000000; echo ${RAN}`];
    const seconds = await withListener("supertick", { runEvery: 1, options: READ, job }, async (listener) => {
      const before = process.hrtime.bigint();
      await listener.tick();
      await listener.seenLine();
      return Number(process.hrtime.bigint() - before) / 1e6;
    });
    add(flood, "supertick", seconds);
    const [raw, passed] = ["", "TICK_ON_FAILURE=true\n"].map((head, i) => {
      const file = path.join(SCRATCH, `read-${i}`);
      fs.writeFileSync(file, `${head}${jobs}`);
      return file;
    });
    add(memory, "supertick", ((await running(passed)) - (await running(raw))) / JOBS_READ);
  }
  return [
    { title: "CPU a run whose output is passed on", unit: "ms", samples: read, bounds: BOUNDS.readRun },
    { title: `time to pass on ${FLOOD_MB} MB`, unit: "ms", samples: flood, bounds: BOUNDS.flood },
    { title: "memory added by a running job that is read", unit: "MB", samples: memory, bounds: BOUNDS.readerMemory },
  ];
}

async function measureRun(): Promise<Figure[]> {
  const own: Samples = {};
  const all = await takeTurns(THOSE_THAT_RUN, async (name) => {
    const cost = await costOfRun(name);
    add(own, name, cost.own);
    return cost.all;
  });
  return [
    { title: "CPU a run, raw log (bare: child_process.spawn)", unit: "ms", samples: all, bounds: BOUNDS.run },
    { title: "  of it the listener's own", unit: "ms", samples: own, bounds: [] },
  ];
}

/** What 1,000 jobs cost more than one, and what a tick costs that makes none of them due. */
async function measureCrontab(): Promise<Figure[]> {
  const title = `${JOBS.toLocaleString("en")} jobs in one crontab, none due`;
  const help = execFileSync(process.execPath, [LISTENER, "--help"], { encoding: "utf8", env: ENVIRONMENT });
  if (!help.includes("--crontab")) return [notMeasured(title, "this listener has no --crontab")];
  const few = crontab("one", 1);
  const many = crontab("many", JOBS);
  const idle = (name: Name, file: string) =>
    withListener(name, { crontab: file }, async (listener) => {
      // The file may be read after READY, and the schedules be looked at only with the first ticks.
      await listener.ticks(3);
      await sleep(SETTLE_SECONDS * 1000);
      return privateMiB(listener.pid);
    });
  const those: Name[] = ["supertick", "floor"];
  const memory = await takeTurns(those, async (name) => (await idle(name, many)) - (await idle(name, few)));
  const ticks = await takeTurns(those, (name) => costOfTicks(name, CRONTAB_TICKS, { crontab: many }));
  return [
    { title: `${title}: memory added`, unit: "MB", samples: memory, bounds: BOUNDS.crontabMemory },
    { title: "  CPU a tick", unit: "µs", samples: ticks, bounds: BOUNDS.crontabTick },
  ];
}

/** Due in April: the ticks of a round are November's and December's. */
function crontab(name: string, jobs: number): string {
  const lines = Array.from({ length: jobs }, (_, i) => `${i % 60} ${i % 24} ${(i % 28) + 1} 4 * /bin/echo ${i}`);
  const file = path.join(SCRATCH, name);
  fs.writeFileSync(file, `${lines.join("\n")}\n`);
  return file;
}

/** A tick waits while a crontab is read. Whatever is in it, and whether it is refused or not: the worst one counts. */
async function measureCrontabReading(): Promise<Figure[]> {
  const jobs = (before: (i: number) => string) => (i: number) => `${before(i)}${i % 60} ${i % 24} 1 4 * x ${i}\n`;
  const one = (start: string, filling: string, end: string) => (i: number) =>
    i === 0 ? start + filling.repeat((2 ** 20 - start.length - end.length) / filling.length) + end : "";
  const contents: Record<string, (i: number) => string> = {
    jobs: jobs(() => ""),
    "jobs that are alike": () => "@daily x\n",
    "variables between jobs": jobs((i) => `V${i}=v\n`),
    "options between jobs": jobs(
      (i) => `${i === 0 ? `TICK_ON_SKIP=${"x".repeat(2 ** 19)}\n` : ""}TICK_TIMEOUT=${i + 1}\n`,
    ),
    "a long variable": jobs((i) => (i === 0 ? `V=${"x".repeat(2 ** 19)}\n` : "")),
    "impossible dates": (i) => `${i % 60} ${i % 24} 31 2 * x\n`,
    "rare dates": (i) => `${i % 60} ${i % 24} 29 2 */7 x ${i}\n`,
    zones: (i) => `CRON_TZ=${[..."america/lima"].map((c, at) => ((i >> at) & 1 ? c.toUpperCase() : c)).join("")}\n`,
    "users in a long PATH": (i) => (i === 0 ? `PATH=${"/x:".repeat(2 ** 17)}\n` : "@daily root x\n"),
    mistakes: () => "@\n",
    nothing: () => "\n",
    "$(": () => `@daily ${"$(".repeat(490)}\n`,
    "a list": one("0", ",0", " * * * * x"),
    "blanks and a line separator": one("* * * * *", " ", "x\u2028x"),
    backslashes: one("@daily x", "\\", ""),
  };
  const samples: number[] = [];
  for (const line of Object.values(contents)) {
    let text = "";
    for (let i = 0, next = line(0); next !== "" && text.length + next.length < 2 ** 20; next = line(++i)) text += next;
    const file = path.join(SCRATCH, "hostile");
    fs.writeFileSync(file, text);
    samples.push(startWith(["--crontab", file, "--state", `${file}.state`]));
    for (const name of fs.readdirSync(SCRATCH)) if (name.startsWith("hostile")) fs.unlinkSync(path.join(SCRATCH, name));
  }
  const title = "CPU to start with a crontab of 1 MiB of the worst content";
  const worst: Figure = {
    title,
    unit: "ms",
    samples: { supertick: [Math.max(...samples)] },
    bounds: BOUNDS.crontabReading,
  };
  return [worst, measureDirectoryReading()];
}

/** Twenty files with a column of users, a thousand lines in all; what a start with one line takes is taken off. */
function measureDirectoryReading(): Figure {
  const samples: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const [whole, one] = [20, 1].map((files) => {
      const directory = fs.mkdtempSync(path.join(SCRATCH, "cron.d-"));
      const lines = Array.from(
        { length: files === 1 ? 1 : 50 },
        (_, i) => `${i} 3 * * * root /bin/echo ${round} ${i}\n`,
      );
      for (let i = 0; i < files; i++) fs.writeFileSync(`${directory}/file${i}`, lines.join(""));
      const cpu = startWith(["--crontab", directory, "--state", `${directory}/.state`]);
      fs.rmSync(directory, { recursive: true });
      return cpu;
    });
    samples.push(whole - one);
  }
  const title = "CPU to read a directory of 20 crontabs with 1,000 lines";
  return { title, unit: "ms", samples: { supertick: samples }, bounds: BOUNDS.directoryReading };
}

/** CPU of a listener whose stdin is at its end, in milliseconds. */
function startWith(args: readonly string[]): number {
  const env = { ...ENVIRONMENT, SUPERVISOR_ENABLED: "1" };
  const before = childrenNanoseconds(process.pid);
  spawnSync(process.execPath, [LISTENER, ...args], { input: "", env });
  return (childrenNanoseconds(process.pid) - before) / 1e6;
}

/** Of jobs that all have a past, and the output of a failed run. */
function makeStateOfMany(): string {
  const file = path.join(SCRATCH, "many.state");
  const result = (run: number) => ({ run, result: "failure", at: 9, seconds: 1, exit: 1, signal: null });
  const earlier = [1, 2, 3, 4].map(result);
  const last = { ...result(5), tail: "x".repeat(500) };
  const past = { lastRun: 5, failures: 5, recent: "f".repeat(20), counts: { failure: 5 }, last, earlier };
  const job = (i: number) => {
    const schedule = { cron: `${i % 60} ${i % 24} * * *`, tz: i % 2 === 0 ? "UTC" : "Europe/Berlin" };
    return `${JSON.stringify({ type: "job", job: `${i}`, at: 9, name: `job-${i}`, schedule, decided: 9, past })}\n`;
  };
  fs.writeFileSync(`${file}.runs`, Array.from({ length: JOBS }, (_, i) => job(i)).join(""));
  const { pid, start } = { pid: process.pid, start: fs.readFileSync("/proc/self/stat", "latin1").split(" ")[21] };
  fs.writeFileSync(file, `1\nwhen=1700000040 serial=1 period=60 listener=${pid}:${start}\n`);
  return file;
}

async function measureStatus(): Promise<Figure[]> {
  const file = makeStateOfMany();
  const samples: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = childrenNanoseconds(process.pid);
    const { stdout } = spawnSync(process.execPath, [LISTENER, "status", file], { env: ENVIRONMENT, encoding: "utf8" });
    assert(stdout.includes(`job-${JOBS - 1} `), stdout);
    samples.push((childrenNanoseconds(process.pid) - before) / 1e6);
  }
  const title = `CPU of status with ${JOBS.toLocaleString("en")} jobs`;
  return [{ title, unit: "ms", samples: { supertick: samples }, bounds: BOUNDS.status }];
}

async function measureServe(): Promise<Figure[]> {
  const bare = 'require("http").createServer(() => {}).listen(0, () => console.error("serving"))';
  const memory: Record<string, number[]> = { supertick: [], "bare Node": [] };
  const metrics: number[] = [];
  const file = makeStateOfMany();
  for (let round = 0; round < ROUNDS; round++)
    for (const [name, args] of [
      ["supertick", [LISTENER, "serve", "0", file]],
      ["bare Node", ["-e", bare]],
    ] as const) {
      const server = spawn(process.execPath, args, { env: ENVIRONMENT, stdio: ["ignore", "ignore", "pipe"] });
      const [said] = await once(server.stderr, "data");
      await sleep(SETTLE_SECONDS * 1000);
      memory[name].push(privateMiB(server.pid!));
      const url = /http:\S+/.exec(String(said))?.[0];
      for (let request = 0; url !== undefined && request < 5; request++) {
        const before = cpuNanoseconds(server.pid!);
        assert.match(await (await fetch(`${url}metrics`)).text(), /^supertick_/m);
        if (request > 0) metrics.push((cpuNanoseconds(server.pid!) - before) / 1e6); // the first one compiles
      }
      server.kill();
      await once(server, "exit");
    }
  const title = `CPU of /metrics with ${JOBS.toLocaleString("en")} jobs`;
  return [
    { title: "private memory of serve, idle", unit: "MB", samples: memory, bounds: BOUNDS.serveMemory },
    { title, unit: "ms", samples: { supertick: metrics }, bounds: BOUNDS.serveMetrics },
  ];
}

/** The smallest limit, in whole MB, under which it says READY, answers three ticks and is alive after that. */
async function measureMemoryLimit(): Promise<Figure[]> {
  const title = "memory limit it runs in, idle";
  const group = tryMakeGroup();
  if (group === undefined) return [notMeasured(title, "no control group with a memory limit can be made here")];
  const samples: Samples = {};
  try {
    for (const name of ["supertick", "floor", "bare Node"] as const) {
      let megabytes = LEAST_LIMIT_MB;
      while (megabytes < GREATEST_LIMIT_MB && !(await runsWithin(group, megabytes, name))) megabytes++;
      add(samples, name, megabytes);
    }
  } finally {
    fs.rmdirSync(group);
  }
  // The bound is meant for this Node; others need more or less themselves.
  const bounds = process.versions.node.startsWith("20.") ? BOUNDS.memoryLimit : [];
  return [{ title, unit: "MB", samples, bounds }];
}

async function runsWithin(group: string, megabytes: number, name: Name): Promise<boolean> {
  limitGroup(group, megabytes);
  try {
    await withListener(name, { group }, async (listener) => {
      await listener.ticks(3);
      await sleep(SETTLE_SECONDS * 1000);
      await listener.ticks(1);
    });
    return true;
  } catch (error) {
    if (/ended by SIGKILL/.test(String(error))) return false;
    throw error;
  }
}

/** Loaded here, since only this one needs croner and cron-parser. */
async function measureSchedules(): Promise<Figure[]> {
  const { measureNextDue } = await import("./bench/next-due.ts");
  const samples = measureNextDue(flags.quick ? 1 : 5);
  return [{ title: "a due time (the vectors' median)", unit: "µs", samples, bounds: BOUNDS.nextDue }];
}

const MEASUREMENTS: Record<string, () => Promise<Figure[]>> = {
  start: measureStart,
  "idle-memory": measureIdleMemory,
  "later-memory": measureLaterMemory,
  tick: measureTick,
  "wake-ups": measureWakeUps,
  run: measureRun,
  output: measureOutput,
  crontab: measureCrontab,
  "crontab-reading": measureCrontabReading,
  status: measureStatus,
  serve: measureServe,
  "memory-limit": measureMemoryLimit,
  "next-due": measureSchedules,
};

// ── The table ──────────────────────────────────────────────────────────────

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
}

const number = (value: number) =>
  Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);

interface Verdict {
  ratio: string;
  bound: string;
  isMet: boolean | undefined;
}

function judge({ samples, unit }: Figure, { against, atMost }: Bound, whose: Name = "supertick"): Verdict {
  const own = samples[whose] ?? [];
  const wanted = `≤ ${atMost}`;
  if (against === undefined) {
    return { ratio: "", bound: `${wanted} ${unit}`, isMet: median(own) <= atMost };
  }
  const other = samples[against];
  if (other === undefined) return { ratio: `× ${against}`, bound: wanted, isMet: undefined };
  const ratio = median(own.map((value, round) => value / other[round]));
  const text = ratio < 0.1 ? ratio.toFixed(4) : ratio.toFixed(2);
  return { ratio: `${text} × ${against}`, bound: wanted, isMet: ratio <= atMost };
}

const COLUMNS = [48, ...NAMES.map(() => 13), 24, 10, 7];
const line = (cells: string[]) =>
  cells
    .map((cell, at) => (at > 0 && at <= NAMES.length ? cell.padStart(COLUMNS[at]) : ` ${cell.padEnd(COLUMNS[at])}`))
    .join("");

/** A line for the figure, with its first bound; one more for each further bound. */
function show(figure: Figure): boolean {
  const { title, unit, samples, bounds, missing } = figure;
  if (missing !== undefined) console.log(line([title, `not measured: ${missing}`]));
  if (missing !== undefined) return true;
  const cells = NAMES.map((name) => {
    if (!CONTENDERS[name].isInstalled) return "not installed";
    const taken = samples[name];
    return taken === undefined ? "-" : unit === "times" ? String(median(taken)) : `${number(median(taken))} ${unit}`;
  });
  const rows = bounds.map((bound) => ({ bound, verdict: judge(figure, bound) }));
  const cellsOf = ({ bound, verdict }: (typeof rows)[0]) => [
    verdict.ratio,
    verdict.bound,
    inWords(figure, bound, verdict),
  ];
  const [first, ...more] = rows;
  console.log(line([title, ...cells, ...(first === undefined ? ["", "", ""] : cellsOf(first))]));
  for (const row of more) console.log(line(["", ...NAMES.map(() => ""), ...cellsOf(row)]));
  return rows.every(({ verdict }) => verdict.isMet !== false);
}

/** Of a bound that is missed, also whether the least that keeps the promises would meet it. */
function inWords(figure: Figure, bound: Bound, { isMet }: Verdict): string {
  if (isMet !== false) return isMet ? "ok" : "-";
  if (figure.samples.floor === undefined || bound.against === "floor") return "MISSED";
  const floor = judge(figure, bound, "floor");
  return `MISSED, ${floor.isMet ? "the floor meets it" : "by the floor too"}${floor.ratio && `: ${floor.ratio}`}`;
}

async function main(): Promise<void> {
  const chosen = flags.only ?? Object.keys(MEASUREMENTS);
  for (const name of chosen) {
    assert(name in MEASUREMENTS, `--only ${name}: expected one of ${Object.keys(MEASUREMENTS).join(", ")}`);
  }
  const cpu = os.cpus();
  console.log(`Node ${process.versions.node}, ${os.type()} ${os.release()}, ${cpu.length} × ${cpu[0]?.model}\n`);
  console.log(line(["figure", ...NAMES, "ratio", "bound", ""]));
  let isAllMet = true;
  for (const name of chosen) {
    if (cannotMeasure) console.log(line([name, `cannot be measured here: ${cannotMeasure}`]));
    else for (const figure of await MEASUREMENTS[name]()) isAllMet = show(figure) && isAllMet;
  }
  if (!isAllMet) process.exitCode = 1;
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
