// The run journal, and what it is for: after any crash nothing is counted twice, forgotten, or started a second time.
// End to end through dist/listener.js; SUPERTICK_RUNTIME chooses what runs it.

import * as assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { describe, it, type TestContext } from "node:test";
import * as fc from "fast-check";
import {
  Decision,
  decide,
  type Effect,
  type Fact,
  FRESH_STATE,
  factsOf,
  type Job,
  type JobInput,
  type JobPolicy,
  type JobState,
  type Moment,
  type Reason,
  type Run,
  readJournal,
} from "../listener";
import { fill, MOUNTS, mounted, rowsOf, within } from "./files";
import {
  atEnd,
  FIXTURES,
  HUMBLE,
  LISTENER,
  PERMISSIONS,
  RUNTIME,
  runtimeWith,
  temporaryDirectory,
  until,
} from "./harness";
import { type Options, Supervisord } from "./supervisord";

const EACH_TICK = ["--ticks", "1", "--", "/bin/true"];
const NEVER = ["--ticks", "1000000", "--", "/bin/true"];

// Says so when a process that leads a group of its own has the pid $1, which is free as soon as nobody waits for it.
const TAKE_PID = `
  while [ "$pid" != $1 ]; do
    [ "$pid" ] && kill $pid
    echo $(($1 - 1)) >$2
    setsid sleep 1000 & pid=$!
  done
  until tr '\\0' ' ' </proc/$1/cmdline | grep -q ^sleep; do :; done
  echo taken`;

// ── Helpers ────────────────────────────────────────────────────────────────

/** A listener whose counter file is `file`; it is ended with the test. */
async function listen(t: TestContext, file: string, args = EACH_TICK, options: Options = {}): Promise<Supervisord> {
  return Supervisord.during(t, { args: ["--state", file, ...args], ...options });
}

/** Sends a tick, and waits for the end of that run. */
async function run(supervisord: Supervisord, number: number): Promise<void> {
  await supervisord.tick();
  await supervisord.waitForLog(new RegExp(`run ${number} finished: exit 0`));
}

type Line = Record<string, unknown> & { type: string; at: number; run?: number; due?: number; pid?: number };

/** The lines of the journal, the oldest first; torn ones are left out. */
function lines(file: string, ...types: string[]): Line[] {
  const texts = [`${file}.runs.1`, `${file}.runs`].filter((name) => fs.existsSync(name));
  const all = texts.flatMap((name) => fs.readFileSync(name, "utf8").split("\n"));
  const isJson = (line: string) => /^{"type":.*}$/.test(line) && !line.includes('"pad":');
  const parsed = all.filter(isJson).map((line): Line => JSON.parse(line));
  return parsed.filter(({ type }) => types.length === 0 || types.includes(type));
}

const column = (key: string, of: readonly Line[]) => of.map((line) => line[key]);
const numbers = (file: string, type: string) => column("run", lines(file, type));

const KNOWN: Record<string, object> = {
  job: { name: "job", schedule: { ticks: 1 } },
  waiting: { reason: "schedule", why: "", serial: 5 },
  skipped: { reason: "schedule", why: "", serial: 5 },
  starting: { attempt: 1, due: 1_700_000_000, reason: "schedule" },
  started: { pid: 50, start: 9 },
  ending: { cause: "timeout" },
  ended: { attempt: 1, result: "success", seconds: 1, exit: 0, signal: null },
  failed: { type: "ended", attempt: 1, result: "failure", seconds: 1, exit: 3, signal: null },
  dropped: { why: "due" },
};

/** "starting 7 attempt=2; skipped 60": the facts as objects. The number is the run's, or the due time. */
function facts(text: string): object[] {
  return text.split(";").flatMap((part) => {
    const [type, number, ...more] = part.trim().split(" ");
    if (type === "") return [];
    const key = type === "waiting" || type === "skipped" || type === "missed" ? "due" : "run";
    const id = type === "starting" || key === "due" ? { id: `id-${number}` } : {};
    const fields = more
      .map((field) => field.split("="))
      .map(([key, value]) => [key, /^\d/.test(value) ? Number(value) : value]);
    const about = number === undefined ? {} : { [key]: Number(number) };
    return [{ type, ...KNOWN[type], ...about, ...id, ...Object.fromEntries(fields) }];
  });
}

const text = (...records: object[]) =>
  records.map((one) => JSON.stringify({ type: "", job: ".", at: 1_700_000_000, ...one }));
const past = (lastRun: unknown, more: object = {}) => ({ lastRun, failures: 0, recent: "", counts: {}, ...more });
const jobWith = (more: object) => ({ ...facts("job")[0], ...more });

function write(file: string, ...records: object[]): void {
  fs.writeFileSync(`${file}.runs`, `${text(...records).join("\n")}\n`, { mode: 0o600 });
}

// ── What is read ───────────────────────────────────────────────────────────

const stateOf = (texts: string[]): JobState => readJournal(texts).get(".") ?? FRESH_STATE;
const stateIn = (file: string) => stateOf(fs.readFileSync(`${file}.runs`, "utf8").split("\n"));
const statesIn = (file: string) => [...readJournal(fs.readFileSync(`${file}.runs`, "utf8").split("\n")).values()];
const readState = (...records: object[]) => stateOf(text(...records));

/** Runs that have not come to an end as "3.1", number and attempt, and what is known of the attempt. */
function openRuns({ runs }: JobState): string[] {
  return runs.map(({ number, attempt, phase, pid }) => `${number}.${attempt} ${phase}${pid ? ` ${pid}` : ""}`);
}

describe("a journal says", () => {
  const rows = rowsOf(`
    nothing when it is empty                       |                                              | 0 |
    which run was the last, and that it has ended  | job; starting 1; started 1; ended 1          | 1 |
    which run has not ended                        | starting 1; ended 1; starting 2; started 2   | 2 | 2.1 running 50
    which run may not even have started            | starting 7                                   | 7 | 7.1 starting
    which run is being ended                       | starting 7; started 7; ending 7              | 7 | 7.1 ending 50
    more than one unfinished run | starting 1; starting 2 | 2 | 1.1 starting, 2.1 starting
    that a run waits for its next attempt          | starting 1; started 1; failed 1 retryIn=9    | 1 | 1.1 backoff 50
    nothing of an attempt when the next begins     | starting 1; started 1; starting 1 attempt=2  | 1 | 1.2 starting
    that a run was given up                        | starting 1; failed 1 retryIn=9; dropped 1 result=failure | 1 |
    that a run was held back                       | starting 1; dropped 1 why=held               | 1 |
    nothing by a type that it does not know        | of-another-version 9; __proto__ 9            | 0 |
    nothing by a start or an end without beginning | started 3; ending 4                          | 0 |
    nothing any more of a job that was removed     | starting 4; removed                          | 0 |
    nothing by a due time that is not one          | starting 5 due=1e300; starting 5 due=x; starting 5 due=-5 | 0 |
    nothing by a strange run number                | starting 1 run=1e300; starting -3; starting 1.5 | 0 |
    nothing by a process whose group is no job's | starting 5; started 5 pid=1; started 5 pid=0; started 5 pid=-1 | 5 | 5.1 starting`);
  for (const [title, records, lastRun, open] of rows) {
    it(title, () => {
      const state = readState(...facts(records));
      assert.deepEqual([state.lastRun, openRuns(state).join(", ")], [Number(lastRun), open]);
    });
  }

  const waits = rowsOf(`
    what waits, the oldest first       | waiting 300; waiting 360                          | 300 360
    until it starts                    | waiting 300; waiting 360; starting 1 id=id-300 | 360
    until it is skipped                | waiting 300; skipped 300                          |
    once, however often it is written  | waiting 300; waiting 300                          | 300
    but not without its due time       | waiting                                           |`);
  for (const [title, records, left] of waits) {
    it(title, () => {
      const state = readState(...facts(records));
      assert.equal(state.waiting.map(({ due }) => due).join(" "), left);
    });
  }
});

it("a journal that is cut at any byte says what its whole lines say", () => {
  const rows = rowsOf(`
    starting 41                     | 41 | 4 | 41.1 starting
    started 41                      | 41 | 4 | 41.1 running 50
    failed 41 retryIn=10            | 41 | 4 | 41.1 backoff 50
    starting 41 attempt=2           | 41 | 4 | 41.2 starting
    started 41 pid=51               | 41 | 4 | 41.2 running 51
    skipped 60                      | 41 | 4 | 41.2 running 51
    starting 42 reason=signal       | 42 | 4 | 41.2 running 51, 42.1 starting
    failed 41 attempt=2             | 42 | 5 | 42.1 starting
    started 42 pid=52               | 42 | 5 | 42.1 running 52
    ending 42                       | 42 | 5 | 42.1 ending 52
    failed 42 retryIn=20            | 42 | 5 | 42.1 backoff 52
    missed 60 count=1001            | 42 | 5 | 42.1 backoff 52
    dropped 42 result=timeout       | 42 | 6 |
    starting 43                     | 43 | 6 | 43.1 starting
    dropped 43 error="h\u00f6lle\u{1f600} | 43 | 6 |
    starting 44                     | 44 | 6 | 44.1 starting
    ended 44                        | 44 | 0 |`);
  const carried = jobWith({ past: past(40, { failures: 4 }) }); // as a file begins that follows another
  const texts = text(carried, ...rows.flatMap(([fact]) => facts(fact)));
  const journal = Buffer.from(`${texts.join("\n")}\n`);
  // With its last brace a line is whole; the newline after it may be missing.
  const ends = texts.map((_, i) => Buffer.byteLength(texts.slice(0, i + 1).join("\n")));
  for (let length = 0; length <= journal.length; length++) {
    const whole = ends.filter((end) => end <= length).length;
    const expected = [["", "0", "0", ""], ["", "40", "4", ""], ...rows][whole].slice(1);
    const state = stateOf(journal.toString("utf8", 0, length).split("\n"));
    const { lastRun, failures } = state;
    assert.deepEqual([`${lastRun}`, `${failures}`, openRuns(state).join(", ")], expected, `cut at ${length}`);
  }
});

// ── Killed at any byte ─────────────────────────────────────────────────────
// A world of processes, and listener after listener that is killed in the middle of a write. Each does what `decide` asks
// for, in the listener's order: what is decided is written first.

class Killed extends Error {}

/** `hasGroup`: the leader is gone and something of its group goes on, though it was sent SIGTERM. */
interface ModelProcess {
  pid: number;
  isLeaderAlive: boolean;
  hasGroup: boolean;
}

class World {
  /** FILE.runs.1 and FILE.runs. */
  files = [Buffer.alloc(0), Buffer.alloc(0)];
  time = 0;
  readonly facts: Fact[] = []; // whole ones
  readonly processes = new Map<string, ModelProcess>(); // by id and attempt
  readonly ids = new Map<number, string>(); // by run number
  readonly accepted = new Set<string>(); // ids of what was due, and must not be lost

  read(): JobState {
    return stateOf(this.files.join("\n").split("\n"));
  }

  processOf({ id, attempt }: Run): ModelProcess | undefined {
    return this.processes.get(`${id} ${attempt}`);
  }

  /** No attempt is started twice; where runs must not overlap, it is alone. */
  spawn(run: Run, isAlone: boolean): number {
    const { id, attempt, number } = run;
    assert.equal(this.processOf(run), undefined, `${id} ${attempt} was started twice`);
    assert.equal(this.ids.get(number) ?? id, id, `number ${number} was given twice`);
    const others = [...this.processes.values()].filter((one) => one.isLeaderAlive || one.hasGroup);
    if (isAlone) assert.deepEqual(others, [], `run ${number} starts beside others`);
    const pid = 100 + this.processes.size;
    this.processes.set(`${id} ${attempt}`, { pid, isLeaderAlive: true, hasGroup: false });
    this.ids.set(number, id);
    return pid;
  }

  kill(run: Run): void {
    Object.assign(this.processOf(run)!, { isLeaderAlive: false, hasGroup: false });
  }

  assertEachEndedOnce(): void {
    const ids = new Map<number, string>();
    const ends = new Map([...this.accepted].map((id) => [id, 0]));
    for (const fact of this.facts) {
      if (fact.type === "starting") ids.set(fact.run, fact.id);
      const isLast = fact.type === "dropped" || (fact.type === "ended" && fact.retryIn === undefined);
      const id = fact.type === "skipped" ? fact.id : isLast ? ids.get(fact.run)! : undefined;
      if (id !== undefined) ends.set(id, (ends.get(id) ?? 0) + 1);
    }
    for (const [id, count] of ends) assert.equal(count, 1, `${id} has ${count} ends`);
  }
}

type Happening = { type: "due"; reason: Reason } | { type: "report"; which: number } | { type: "stop" | "rotate" };

class ModelListener {
  private state: JobState;
  private readonly pending = new Map<string, JobInput & { run: number }>(); // what may be reported next
  private isStopping = false;
  private readonly job: Job;

  /** It is killed in the `writes`th write, of which `part` is written. */
  constructor(
    private readonly world: World,
    private readonly policy: JobPolicy,
    private writes: number,
    private readonly part: number,
  ) {
    this.job = { key: ".", name: "job", command: "true", options: { policy } } as unknown as Job;
    this.state = world.read();
  }

  /** As JobRunner.takeOver does it. */
  begin(): void {
    this.record({ type: "job", name: "job", schedule: { ticks: 1 }, at: 1 });
    for (const run of [...this.state.runs].reverse()) {
      const process = run.phase === "backoff" ? undefined : this.world.processOf(run);
      const { isLeaderAlive: isAlive = false, hasGroup = false, pid = 0 } = process ?? {};
      const leader = isAlive || run.pid !== undefined ? { pid, start: 7 } : undefined;
      this.apply({ type: "found", run: run.number, leader, isAlive, hasGroup, ageSeconds: 1 });
    }
    const { waiting: left } = this.state;
    this.state = { ...this.state, waiting: [], left };
    for (const due of left) {
      if (due.reason === "event") this.record({ type: "skipped", ...due, why: "lost", at: 1 });
      else this.apply({ type: "due", ...due });
    }
  }

  take(happening: Happening): void {
    if (happening.type === "report") this.report(happening.which);
    else if (happening.type === "rotate") this.rotate();
    else if (happening.type === "due") this.takeDue(happening.reason);
    else {
      const how = this.isStopping ? "kill" : "end";
      this.isStopping = true;
      this.apply({ type: "stop", how });
    }
    assert.deepEqual(persistent(this.world.read()), persistent(this.state));
  }

  /** Reports until nothing is left to report. */
  finish(): void {
    for (let i = 0; this.pending.size > 0; i++) {
      assert.ok(i < 1000, "it comes to no end");
      this.report(i);
    }
    assert.deepEqual([this.state.runs, this.state.waiting], [[], []]);
  }

  private takeDue(reason: Reason): void {
    const due = 60 * ++this.world.time;
    const event = reason === "event" ? { name: "X", serial: due, payload: "" } : undefined;
    this.apply({ type: "due", due, reason, id: `id ${due}`, serial: due, event });
    if (!this.isStopping) this.world.accepted.add(`id ${due}`);
  }

  // What is reported has happened in the world before. One leader in three that was sent SIGTERM leaves its group behind.
  private report(which: number): void {
    const [key, input] = [...this.pending][which % this.pending.size] ?? [];
    if (input === undefined) return;
    this.pending.delete(key);
    const run = this.state.runs.find(({ number }) => number === input.run);
    const process = run && this.world.processOf(run);
    if (process && input.type === "exited") {
      process.hasGroup = process.isLeaderAlive && run.phase === "ending" && run.number % 3 === 0;
      process.isLeaderAlive = false;
    }
    if (process && input.type === "groupGone") process.hasGroup = false;
    this.apply(input);
  }

  private moment(): Moment {
    const secondsToNextRun = () => (this.state.lastRun % 3 === 0 ? 5 : 1000);
    const { isStopping } = this;
    const { time: seconds } = this.world;
    return { at: 1, seconds, now: 1, freeSlots: Number.POSITIVE_INFINITY, isStopping, secondsToNextRun };
  }

  private apply(input: JobInput): void {
    this.commit(decide(this.job, this.state, input, this.moment()));
  }

  private record(fact: Fact): void {
    const decision = new Decision(this.job, this.state, this.moment());
    decision.record(fact);
    this.commit(decision);
  }

  private commit({ state, notes, effects }: Decision): void {
    this.state = state;
    // Killed between the write and this, it would leave a group that has ignored SIGTERM.
    for (const effect of effects)
      if (effect.do === "signal" && effect.signal === "SIGKILL") this.world.kill(effect.run);
    this.world.facts.push(...this.write(notes.map(({ fact }) => fact)));
    for (const effect of effects) this.have(effect);
  }

  private rotate(): void {
    this.world.files = [this.world.files[1], Buffer.alloc(0)];
    this.write(factsOf(this.state, 1));
  }

  /** @returns what was written whole, but for a newline */
  private write(facts: readonly Fact[]): readonly Fact[] {
    const [before, file] = this.world.files;
    const newline = Buffer.from(file.length > 0 && file[file.length - 1] !== 10 ? "\n" : "");
    const lines = facts.map((fact) => Buffer.from(`${JSON.stringify({ job: ".", ...fact })}\n`));
    const all = Buffer.concat([newline, ...lines]);
    const isKilled = all.length > 0 && this.writes-- === 0;
    const length = isKilled ? Math.round(all.length * this.part) : all.length;
    this.world.files = [before, Buffer.concat([file, all.subarray(0, length)])];
    const whole = facts.filter((_, i) => Buffer.concat([newline, ...lines.slice(0, i + 1)]).length - 1 <= length);
    if (!isKilled) return whole;
    this.world.facts.push(...whole);
    throw new Killed();
  }

  private have(effect: Effect): void {
    if (effect.do === "log" || effect.do === "queue") return;
    const { run } = effect;
    const number = run.number;
    const expect = (input: JobInput & { run: number }) => this.pending.set(`${input.type} ${number}`, input);
    if (effect.do === "ask") {
      const verdict = (["allowed", "held", "error"] as const)[number % 3];
      expect({ type: "answered", run: number, verdict });
    } else if (effect.do === "alarm") {
      this.pending.delete(`alarm ${number}`);
      if (effect.seconds !== undefined) expect({ type: "alarm", run: number });
    } else if (effect.do === "watch") {
      if (run.end === undefined) expect({ type: "exited", run: number, end: { exit: null, signal: null } });
      else expect({ type: "groupGone", run: number });
    } else if (effect.do === "spawn") this.spawn(number);
  }

  // One attempt in five can't be started.
  private spawn(number: number): void {
    const run = this.state.runs.find((one) => one.number === number && one.phase === "starting");
    if (run === undefined) return;
    const expect = (input: JobInput & { run: number }) => this.pending.set(`${input.type} ${number}`, input);
    if ((number + run.attempt) % 5 === 0) return void expect({ type: "startFailed", run: number, error: "EAGAIN" });
    const pid = this.world.spawn(run, this.policy.overlap !== "allow");
    expect({ type: "exited", run: number, end: { exit: (number + run.attempt) % 2, signal: null } });
    this.apply({ type: "started", run: number, pid, start: 7 });
  }
}

const LIVE = "phase job hasSlot since isOrphan awaitsSlot bytes end result seconds event at".split(" ");

/** What of a state outlives a listener. */
function persistent(state: JobState): unknown {
  return JSON.parse(JSON.stringify(state, (key, value) => (LIVE.includes(key) ? undefined : value)));
}

const anyReason = fc.constantFrom<Reason>("schedule", "schedule", "catch-up", "start", "signal", "remote", "event");
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 8, arbitrary: anyReason.map((reason) => ({ type: "due" as const, reason })) },
  { weight: 16, arbitrary: fc.nat(9).map((which) => ({ type: "report" as const, which })) },
  { weight: 1, arbitrary: fc.constantFrom<Happening>({ type: "stop" }, { type: "rotate" }) },
);

const anyPolicy: fc.Arbitrary<JobPolicy> = fc.record({
  overlap: fc.constantFrom("skip", "queue", "replace", "allow"),
  queueLimit: fc.constantFrom(1, 3),
  timeoutSeconds: fc.constantFrom(0, 300),
  killAfterSeconds: fc.constant(5),
  drainSeconds: fc.constant(0),
  retries: fc.constantFrom(0, 1, 3),
  retryDelaySeconds: fc.constant(10),
  isRetryYielding: fc.boolean(),
  isAsking: fc.boolean(),
});

/** A journal that is begun anew, of which only the start is written: what goes on must still be known. */
const CUT_BEHIND_FIRST_LINE: [JobPolicy, Array<{ happenings: Happening[]; writes: number; part: number; exits: [] }>] =
  [
    {
      ...{ overlap: "skip", queueLimit: 1, timeoutSeconds: 0, killAfterSeconds: 5, drainSeconds: 0, retries: 0 },
      ...{ retryDelaySeconds: 10, isRetryYielding: false, isAsking: true },
    },
    [
      {
        happenings: [{ type: "due", reason: "schedule" }, { type: "due", reason: "schedule" }, { type: "rotate" }],
        ...{ writes: 3, part: 0.0988538681948424, exits: [] },
      },
    ],
  ];

it("listener after listener is killed at any byte: each next one goes on, nothing is lost and nothing starts twice", () => {
  const part = fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true }));
  const happenings = fc.array(happening, { maxLength: 25 });
  const life = fc.record({ happenings, writes: fc.nat(30), part, exits: fc.array(fc.boolean()) });
  fc.assert(
    fc.property(anyPolicy, fc.array(life, { minLength: 1, maxLength: 4 }), (policy, lives) => {
      const world = new World();
      for (const { happenings, writes, part, exits } of lives) {
        const listener = new ModelListener(world, policy, writes, part);
        try {
          listener.begin();
          for (const happening of happenings) listener.take(happening);
        } catch (error) {
          if (!(error instanceof Killed)) throw error;
        }
        // While no listener is there, some leaders exit.
        for (const [i, process] of [...world.processes.values()].entries())
          if (exits[i]) Object.assign(process, { isLeaderAlive: false, hasGroup: false });
      }
      const last = new ModelListener(world, policy, Number.POSITIVE_INFINITY, 1);
      last.begin();
      last.finish();
      world.assertEachEndedOnce();
    }),
    { numRuns: 1000, examples: [CUT_BEHIND_FIRST_LINE] },
  );
});

// ── What is written ────────────────────────────────────────────────────────

describe("the journal of a run", { concurrency: 4 }, () => {
  for (const [fixture, end] of [
    ["exit-0", "ended 1"],
    ["exit-3", "failed 1"],
    ["die-by-sigkill", "failed 1 signal=SIGKILL"],
  ]) {
    it(`names the job, what was about to start, what started and how ${fixture} ended`, async (t) => {
      const file = `${temporaryDirectory(t)}/state`;
      const before = Date.now() / 1000;
      const supervisord = await listen(t, file, ["--ticks", "1", "--", `${FIXTURES}/${fixture}`]);
      const { serial } = await supervisord.tick();
      await supervisord.until(() => numbers(file, "ended").length > 0, "the end");
      const all = lines(file);
      for (const line of all) assert.ok(line.at >= before && line.at <= Date.now() / 1000);
      const [, { id, supervisor }, { pid, start }, { exit }] = all;
      const [, logged] = await supervisord.waitForLog(/run 1 started \(pid (\d+)/);
      assert.ok(pid === Number(logged) && Number.isInteger(start));
      assert.match(String(id), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
      const more = [{ past: past(0) }, { due: supervisord.clock, serial, id, supervisor }, { pid, start }, { exit }];
      const known = facts(`job; starting 1; started 1; ${end}`).map((fact, i) => ({ ...fact, ...more[i] }));
      const common = { job: ".", at: 0, seconds: 0 };
      for (const [i, line] of all.entries()) assert.deepEqual({ ...line, ...common }, { ...known[i], ...common });
      assert.equal(exit, fixture === "die-by-sigkill" ? null : Number(fixture.slice(-1)));
    });
  }

  const others: Array<[title: string, args: string[], ticks: number, types: string[]]> = [
    ["a command that is not there", ["--", "/none"], 1, ["starting", "ended"]],
    ["what is skipped", ["--", "sleep", "1000"], 2, ["starting", "started", "skipped"]],
    ["what waits", ["--overlap", "queue", "--", "sleep", "1000"], 2, ["starting", "started", "waiting"]],
    ["what is ended", ["--timeout", "1s", "--", "sleep", "1000"], 1, ["starting", "started", "ending", "ended"]],
    ["what is held back", ["--only-if", "exit 1", "--", "true"], 1, ["starting", "dropped"]],
  ];
  for (const [title, args, ticks, types] of others) {
    it(`has ${title}`, async (t) => {
      const file = `${temporaryDirectory(t)}/state`;
      const supervisord = await listen(t, file, ["--ticks", "1", ...args]);
      for (let i = 0; i < ticks; i++) await supervisord.tick();
      await supervisord.until(() => lines(file).length > types.length, "the facts");
      assert.deepEqual(column("type", lines(file)), ["job", ...types]);
    });
  }
});

// ── What an earlier listener left ──────────────────────────────────────────

function startTimeOf(pid: number): number {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
}

const isThere = (pid: number) =>
  fs.existsSync(`/proc/${pid}`) && !/\) Z /.test(fs.readFileSync(`/proc/${pid}/stat`, "latin1"));

type Kind = "leader" | "stubborn" | "group" | "";

/** A process as an earlier listener leaves it: the leader of a session. `group`: only what it has started is left. */
async function leaveProcess(t: TestContext, kind: Kind, id: string) {
  if (kind === "") return { pid: 1e7, start: 0, member: 0 };
  const env = { PATH: process.env.PATH, SUPERTICK_ID: id, SUPERTICK_ATTEMPT: "1" };
  const trap = kind === "stubborn" ? "trap '' TERM; " : "";
  const command = kind === "group" ? "sleep 1000 & echo $!; read line" : `${trap}echo $$; exec sleep 1000`;
  const child = spawn("/bin/sh", ["-c", command], { detached: true, env, stdio: ["pipe", "pipe", "ignore"] });
  const pid = child.pid as number;
  atEnd(t, () => tryKill(-pid));
  const start = startTimeOf(pid);
  const [output] = await once(child.stdout, "data");
  child.stdin.end();
  if (kind === "group") await once(child, "exit");
  return { pid, start, member: Number(output) };
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {} // it is gone
}

describe("a run that an earlier listener left", { concurrency: 4 }, () => {
  const logs: Record<string, RegExp> = {
    going: /run 7 of an earlier listener is still going \(pid \d+\)/,
    ending: /run 7 of an earlier listener is still being ended \(pid \d+\)/,
    interrupted: /run 7, due 2023-11-14T22:13:20Z, was interrupted/,
    killed: /run 7: sent SIGKILL/,
    timedOut: /run 7 timed out/,
    retried: /run 7 started .*, retry\)/,
    givenUp: /run 7 is not tried again: --retries allows no more/,
  };
  // What is left of its process; its facts ("other" has another id, "started-later" another start time); options; what is
  // logged; * where it is the run in progress until it is killed; what it comes to.
  const rows = rowsOf(`
    goes on while its process lives | leader | starting started | | going | * | interrupted
    is known by its id where its start was not written | leader | starting | | going | * | interrupted
    was interrupted if its process is gone | | starting started | | interrupted | | interrupted
    was interrupted if it never started | | starting | | interrupted | | interrupted
    is not another process with its pid | leader | other started-later | | interrupted | | interrupted
    is ended anew if it was being ended | leader | starting started ending | | ending | | timeout
    has its grace, though only its group is left | group | starting started ending | --kill-after 1h | ending | * | timeout
    is killed when its grace is over | stubborn | starting started ending | --kill-after 1s | killed | | timeout
    is over with its leader, whatever is left | group | starting started | | interrupted | | interrupted
    is not another run's group with its number | group | other started ending | | interrupted | | timeout
    is ended by its time-out | leader | starting started | --timeout 1s | timedOut | | timeout
    is tried again if it waited for that | | starting waits | --retries 2 --retry-delay 1s | retried | | success
    is not tried again more often than it may | | starting waits | | givenUp | | failure
    is tried again if it was interrupted | | starting | --retries 1 --retry-delay 1s | retried | | success`);
  for (const [title, kind, left, options, log, blocks, result] of rows) {
    it(title, async (t) => {
      const file = `${temporaryDirectory(t)}/state`;
      const { pid, start, member } = await leaveProcess(t, kind as Kind, title);
      const id = { id: title };
      const known: Record<string, object> = {
        ...{
          starting: { ...facts("starting 7")[0], ...id },
          other: facts("starting 7")[0],
          ending: facts("ending 7")[0],
        },
        ...{ started: facts(`started 7 pid=${pid} start=${start}`)[0], waits: facts("failed 7 retryIn=500")[0] },
        "started-later": facts(`started 7 pid=${pid} start=${start + 1}`)[0],
      };
      write(file, ...left.split(" ").map((fact) => known[fact]));
      const supervisord = await listen(t, file, [...options.split(" ").filter(Boolean), ...EACH_TICK]);
      await supervisord.waitForLog(logs[log]);
      if (blocks !== "") {
        await supervisord.tick();
        await supervisord.waitForLog(new RegExp(`skipped the run .*: run 7 is still going \\(pid ${pid}\\)`));
        process.kill(member, "SIGKILL");
      }
      const results = () =>
        lines(file, "ended", "dropped").filter((line) => line.run === 7 && line.retryIn === undefined);
      await supervisord.until(() => results().length > 0, "its result");
      await run(supervisord, 8);
      await supervisord.restartListener();
      await run(supervisord, 9);
      assert.deepEqual(column("result", results()), [result], "one result, and no more after a restart");
      assert.ok((supervisord.stderr.match(/interrupted/g)?.length ?? 0) <= 1);
      if (kind !== "" && log === "interrupted") assert.ok(isThere(member), "what is not its process is left alone");
    });
  }

  it("is ended by a stop; one whose end was not noticed yet does not hold up a due run", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const [first, second] = [await leaveProcess(t, "leader", "first"), await leaveProcess(t, "leader", "second")];
    const left = (run: number, { pid, start }: typeof first) =>
      facts(`starting ${run}; started ${run} pid=${pid} start=${start}`);
    write(file, ...left(7, first));
    const supervisord = await listen(t, file);
    await supervisord.waitForLog(logs.going);
    process.kill(first.pid, "SIGKILL");
    await supervisord.until(() => !isThere(first.pid), "its end");
    await run(supervisord, 8);
    assert.doesNotMatch(supervisord.stderr, /skipped/);
    fs.appendFileSync(`${file}.runs`, `${text(...left(9, second)).join("\n")}\n`);
    await supervisord.restartListener();
    await supervisord.waitForLog(/run 9 of an earlier listener is still going/);
    assert.deepEqual(await supervisord.stop(), { code: 0, signal: null });
    await supervisord.until(() => !isThere(second.pid), "its end");
    assert.deepEqual(column("result", lines(file, "ended")), ["interrupted", "success", "interrupted"]);
  });

  const lastPid = "/proc/sys/kernel/ns_last_pid";
  const skip = fs.existsSync(lastPid) && process.getuid?.() === 0 ? false : "needs root, to choose a pid";
  it("is sent no signal once another process may have its number", { skip }, async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const supervisord = await listen(t, file, ["--ticks", "1", "--kill-after", "2s", "--", `${FIXTURES}/ignore-term`]);
    await supervisord.tick();
    const [, pid] = await supervisord.waitForLog(/run 1 started \(pid (\d+)/);
    await supervisord.waitForLog(/armed/);
    await supervisord.restartListener();
    await supervisord.waitForLog(/run 1 of an earlier listener is still going/);
    supervisord.signal("SIGTERM");
    await supervisord.waitForLog(/is being stopped; sent SIGTERM/);
    supervisord.signal("SIGSTOP");
    process.kill(Number(pid), "SIGKILL");
    // It leads a group of its own, and has the environment of nobody's run.
    const other = spawn("/bin/sh", ["-c", TAKE_PID, "sh", pid, lastPid], { detached: true, env: {}, stdio: "pipe" });
    atEnd(t, () => other.kill("SIGKILL"));
    await once(other.stdout!, "data");
    supervisord.signal("SIGCONT");
    assert.equal((await supervisord.exited).code, 0);
    assert.ok(isThere(Number(pid)), supervisord.stderr);
    const name = fs.readFileSync(`/proc/${pid}/cmdline`, "latin1"); // a zombie has none
    process.kill(Number(pid), "SIGKILL");
    assert.match(name, /^sleep/);
  });

  it("that waited for the run before is due now; but an event is lost with its listener", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    write(file, ...facts("waiting 1700000000; waiting 1700000060 reason=event"));
    const supervisord = await listen(t, file, NEVER);
    await supervisord.waitForLog(/run due 2023-11-14T22:13:20Z \(schedule\), which waited .* is due now/);
    await supervisord.waitForLog(/run 1 finished: exit 0/);
    await supervisord.waitForLog(/skipped the run due 2023-11-14T22:14:20Z \(event\): its event was lost/);
    assert.deepEqual(stateIn(file).waiting, []);
  });

  // Loaded before the listener: it is killed when the command has been started, and no line says so yet.
  const KILL_AT_SPAWN = `
    const fs = require("fs"), processes = require("child_process");
    const { spawn } = processes;
    processes.spawn = (...args) => {
      const child = spawn(...args);
      if (fs.existsSync(process.env.KILL)) { fs.unlinkSync(process.env.KILL); process.kill(process.pid, "SIGKILL"); }
      return child;
    };`;
  it("and killed before it could write down its start: the next listener finds it", async (t) => {
    const directory = temporaryDirectory(t);
    const [file, script, kill] = ["state", "kill.cjs", "kill"].map((name) => `${directory}/${name}`);
    fs.writeFileSync(script, KILL_AT_SPAWN);
    fs.writeFileSync(kill, "");
    const options = { runtime: runtimeWith(script).join(" "), env: { KILL: kill } };
    const supervisord = await listen(t, file, ["--ticks", "1", "--", "sleep", "1000"], options);
    supervisord.advance(60);
    await supervisord.exited;
    assert.deepEqual(column("type", lines(file)), ["job", "starting"]);
    await supervisord.restartListener();
    const [, pid] = await supervisord.waitForLog(/run 1 of an earlier listener is still going \(pid (\d+)\)/);
    await supervisord.idle();
    await supervisord.tick();
    await supervisord.waitForLog(/skipped the run/);
    assert.deepEqual(supervisord.jobProcesses(), [Number(pid)]);
  });
});

// ── A journal of version 0.1 ───────────────────────────────────────────────

describe("the files of version 0.1 are taken over", { concurrency: 4 }, () => {
  const DUE = 1_700_003_040;
  const same = `supervisor=${process.pid}:${startTimeOf(process.pid)} listener=1:1`;
  const counter = (count: number) =>
    `${`${count}\nwhen=${DUE} serial=3 period=60 decided=${DUE} fixed=${DUE} ${same}`.padEnd(255)}\n`;
  const begun = (run: number, job: string) => ({
    ...facts(`starting ${run} due=${DUE} serial=3`)[0],
    job,
    id: undefined,
  });
  const described = (job: string, schedule: object, id: string, lastRun: number) => ({
    ...{ type: "job", job, schedule, id, lastRun, failures: 2, recent: "sff" },
  });

  // Its id was of the schedule and the words; a listener's only job was known whatever it was called.
  const singles: Array<[title: string, id: string, job: string, ticks: number]> = [
    ["by its id, under another name", "18rxp1jr87v", "other", 2],
    ["whatever has changed, as it is the only one", "x", "other", 7],
  ];
  for (const [title, id, job, ticks] of singles) {
    it(`a single job, known ${title}: its count, its last results, and a run that is still going`, async (t) => {
      const file = `${temporaryDirectory(t)}/state`;
      fs.writeFileSync(file, counter(1));
      const { pid, start } = await leaveProcess(t, "leader", "not one of 0.1");
      const running = { ...facts(`started 4 pid=${pid} start=${start} attempt=1`)[0], job };
      write(file, described(job, { ticks: 2 }, id, 3), begun(4, job), running);
      const supervisord = await listen(t, file, ["--ticks", `${ticks}`, "--", "/bin/sh", "-c", "sleep 0.1"]);
      await supervisord.waitForLog(/count 1;/);
      await supervisord.waitForLog(/run 4 of an earlier listener is still going/);
      supervisord.clock = DUE;
      await supervisord.answered(supervisord.send("TICK_60", `when:${DUE}`, { serial: 3 }));
      supervisord.nextSerial = 4;
      assert.match(fs.readFileSync(file, "latin1"), /^1\n/, "the last tick comes again and is known");
      process.kill(pid, "SIGKILL");
      await supervisord.waitForLog(/run 4 interrupted: exit status unknown/);
      for (let i = 1; i < ticks; i++) await supervisord.tick();
      await supervisord.waitForLog(/run 5 finished: exit 0/);
      assert.equal(fs.statSync(file).size, 512);
      assert.deepEqual([statesIn(file).length, stateIn(file).recent], [1, "sffis"]);
    });
  }

  it("a crontab's jobs, by id and by name: nothing that was decided starts again, and what is due next does", async (t) => {
    const directory = temporaryDirectory(t);
    const [file, crontab] = [`${directory}/state`, `${directory}/crontab`];
    fs.writeFileSync(crontab, "TICK_NAME=named\n*/2 * * * * echo changed\n@ticks 3 true\n@every 2m true\n");
    fs.writeFileSync(file, counter(5));
    const jobs = [
      described("named", { cron: "0 */2 * * * *" }, "1uevyek2zlm", 3),
      described("true", { ticks: 3, ofAll: true }, "gadbaffrb4", 8),
      described("true.3", { every: 120, offset: 0 }, "pbp3sb4sot", 6),
      described("gone", { every: 120, offset: 0 }, "gone", 9),
    ];
    const done = { ...facts("ended 4")[0], type: "finished", job: "named" };
    write(file, ...jobs, begun(4, "named"), done, begun(7, "true.3"));
    const supervisord = await listen(t, file, ["--crontab", crontab]);
    await supervisord.waitForLog(/true.*: run 7, due 2023-11-14T23:04:00Z, was interrupted/);
    supervisord.clock = DUE;
    supervisord.nextSerial = 4;
    await supervisord.tick();
    await supervisord.waitForLog(/run 9 finished/); // @ticks 3, at a count of 6
    await supervisord.tick();
    await supervisord.waitForLog(/named: run 5 finished/);
    await supervisord.waitForLog(/run 8 finished/);
    assert.deepEqual(
      statesIn(file)
        .map(({ lastRun }) => lastRun)
        .sort(),
      [5, 8, 9],
    );
    const dues = lines(file, "starting").map(({ due = 0 }) => due - DUE);
    assert.equal(dues.filter((due) => due > 0).join(), "60,120,120");
  });
});

// ── What is found in its place ─────────────────────────────────────────────

describe("whatever stands in the place of the journal, jobs run", { concurrency: 4 }, () => {
  const join = (...records: object[]) => text(...records).join("\n");
  const torn = join(...facts("starting 8")).slice(0, -10);
  const carried = join(jobWith({ past: past(41) }));
  const tornBefore = `${join(...facts("ended 7"))}\n${torn}`;
  const contents: Array<[title: string, content: string | Buffer, before: string, run: number]> = [
    ["nothing", "", "", 1],
    ["binary", Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7) % 256)), "", 1],
    ["JSON that is not an object", 'null\n[]\n5\n"starting"\n{}\n{"type":null}\n', "", 1],
    ["1 MB without the end of a line", "x".repeat(1_000_000), "", 1],
    ["a torn last line: the next one is whole", `${join(...facts("starting 7; ended 7"))}\n${torn}`, "", 8],
    ["no end where the one before is torn", carried, tornBefore, 42],
  ];
  for (const [title, content, before, number] of contents) {
    it(`it holds ${title}`, async (t) => {
      const file = `${temporaryDirectory(t)}/state`;
      fs.writeFileSync(`${file}.runs`, content);
      if (before !== "") fs.writeFileSync(`${file}.runs.1`, before);
      const supervisord = await listen(t, file);
      await run(supervisord, number);
      await supervisord.until(() => numbers(file, "ended").includes(number), "the end in the journal");
    });
  }

  function assertWarnedOnce(supervisord: Supervisord, file: string, code: string): void {
    const warnings = supervisord.stderr.split("\n").filter((line) => line.includes("cannot write"));
    const end = "runs are not recorded until it can";
    const withoutWords = warnings.map((line) => line.replace(/: [a-z -]+ \((E\w+)\)/, ": $1"));
    assert.deepEqual(withoutWords, [`supertick: job: cannot write ${file}.runs: ${code}; ${end}`]);
  }

  it("a directory: one warning, and all is written once that is gone, at the next tick or at the end", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    fs.mkdirSync(`${file}.runs`);
    const supervisord = await listen(t, file, ["--ticks", "2", "--", "/bin/true"]);
    await supervisord.tick();
    await run(supervisord, 1);
    assertWarnedOnce(supervisord, file, "EISDIR");
    fs.rmdirSync(`${file}.runs`);
    await supervisord.tick(); // at which nothing is due
    assert.deepEqual([stateIn(file).lastRun, openRuns(stateIn(file))], [1, []]);
    fs.renameSync(`${file}.runs`, `${file}.aside`);
    fs.mkdirSync(`${file}.runs`);
    await run(supervisord, 2);
    fs.rmdirSync(`${file}.runs`);
    fs.renameSync(`${file}.aside`, `${file}.runs`);
    await supervisord.stop();
    const { counts, lastRun } = stateIn(file);
    assert.deepEqual([counts, lastRun], [{ success: 2 }, 2], "neither counted twice nor lost");
  });

  it("a file that may not be written: one warning", PERMISSIONS, async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    fs.writeFileSync(`${file}.runs`, join(jobWith({ past: past(41) })), { mode: 0o400 });
    const command = [...HUMBLE, ...RUNTIME, LISTENER, "--state", file, ...EACH_TICK];
    const supervisord = await listen(t, "", [], { command });
    for (const number of [42, 43]) await run(supervisord, number);
    assertWarnedOnce(supervisord, file, "EACCES");
    fs.chmodSync(`${file}.runs`, 0o600);
    await run(supervisord, 44);
    await supervisord.until(() => numbers(file, "ended").length === 3, "the facts");
  });

  it("a link: it is not followed, for what it names may be anybody's", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    fs.writeFileSync(`${file}.precious`, "mine\n");
    fs.symlinkSync(`${file}.precious`, `${file}.runs`);
    const supervisord = await listen(t, file);
    await run(supervisord, 1);
    assertWarnedOnce(supervisord, file, "ELOOP");
    assert.equal(fs.readFileSync(`${file}.precious`, "utf8"), "mine\n");
  });

  it("a FIFO as either of its files does not hang it", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    execFileSync("mkfifo", [`${file}.runs`, `${file}.runs.1`]);
    await run(await listen(t, file), 1);
  });

  // The journal has room to the end of its page; that end falls into the middle of one of these.
  for (const type of ["starting", "started", "ended"]) {
    it(`a disk that gets full in the middle of a "${type}": one warning, and no line is torn`, MOUNTS, async (t) => {
      const directory = temporaryDirectory(t);
      const args = ["--state", `${directory}/state`, ...EACH_TICK];
      const command = mounted(`mount -t tmpfs -o size=32k none ${directory}`, args);
      const supervisord = await listen(t, "", [], { command });
      const file = within(supervisord, `${directory}/state`);
      await run(supervisord, 1);
      const written = fs.readFileSync(`${file}.runs`, "utf8");
      const line = written.lastIndexOf(`{"type":"${type}"`);
      const untilMiddle = (line + written.indexOf("\n", line)) / 2 - written.indexOf('{"type":"starting"');
      const pad = (length: number) => `{"pad":"${"x".repeat(length)}"}\n`;
      fs.appendFileSync(`${file}.runs`, pad(4096 - written.length - Math.round(untilMiddle) - pad(0).length));
      const makeRoom = fill(`${file}.fill`);
      for (const number of [2, 3]) await run(supervisord, number);
      assertWarnedOnce(supervisord, `${directory}/state`, "ENOSPC");
      const whole = fs.readFileSync(`${file}.runs`, "utf8");
      assert.ok(whole.endsWith("\n") && !whole.includes('"run":3'));
      makeRoom();
      for (const number of [4, 5]) await run(supervisord, number);
      for (const line of fs.readFileSync(`${file}.runs`, "utf8").split("\n")) if (line !== "") JSON.parse(line);
      for (const each of ["starting", "started", "ended"]) assert.deepEqual(numbers(file, each), [1, 2, 3, 4, 5], each);
    });
  }
});

// ── A new file ─────────────────────────────────────────────────────────────

describe("the journal begins anew, with all that goes on", { concurrency: 4 }, () => {
  const padding = `${JSON.stringify({ type: "pad", at: 1, job: ".", pad: "x".repeat(1000) })}\n`.repeat(260);
  const ways: Array<[title: string, take: (file: string) => void]> = [
    ["over 256 KiB", (file) => fs.appendFileSync(file, padding)],
    ["when it was moved away", (file) => fs.renameSync(file, `${file}.moved`)],
    ["when it was deleted", (file) => fs.unlinkSync(file)],
    ["when it was emptied", (file) => fs.truncateSync(file)],
    ["when another one was put in its place", replace],
  ];
  /** By a file that is torn. */
  function replace(file: string): void {
    fs.writeFileSync(`${file}.new`, '{"type":"started","job":".","at":1,"ru', { mode: 0o600 });
    fs.renameSync(`${file}.new`, file);
  }
  for (const [title, take] of ways) {
    it(`${title}: twice, and all is known after a restart`, async (t) => {
      const file = `${temporaryDirectory(t)}/state`;
      const { pid, start } = await leaveProcess(t, "leader", "id-41");
      const left = `starting 41 serial=1; started 41 pid=${pid} start=${start}`;
      write(file, ...facts(`failed 38; failed 39; ended 40; ${left}`));
      const supervisord = await listen(t, file);
      await supervisord.waitForLog(/run 41 of an earlier listener/);
      await supervisord.until(() => lines(file, "job").length > 0, "the start to be over");
      for (const skipped of [1, 2]) {
        take(`${file}.runs`);
        await supervisord.tick();
        const size = () => fs.statSync(`${file}.runs`, { throwIfNoEntry: false })?.size ?? 0;
        await supervisord.until(() => size() > 0 && size() < 2048, "a new file");
        assert.equal(fs.statSync(`${file}.runs`).mode & 0o777, 0o600);
        const { lastRun, recent, counts, lastTick, failures } = stateIn(file);
        assert.deepEqual(counts, { failure: 2, success: 1, skipped });
        assert.deepEqual([lastRun, recent, failures], [41, `ffs${"-".repeat(skipped)}`, 0]);
        assert.deepEqual(
          { ...lastTick, supervisor: 0 },
          { due: supervisord.clock, serial: skipped - 1, supervisor: 0 },
        );
        assert.deepEqual(openRuns(stateIn(file)), [`41.1 running ${pid}`]);
      }
      await supervisord.restartListener();
      await supervisord.until(() => supervisord.stderr.match(/run 41 of an earlier/g)?.length === 2, "the run");
      process.kill(pid, "SIGKILL");
      await supervisord.waitForLog(/run 41 interrupted/);
      await run(supervisord, 42);
    });
  }

  it("but not for each line, however much that is", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const event = (i: number) => facts(`waiting ${i} reason=event supervisor=${"x".repeat(200)}`)[0];
    write(file, ...facts("job"), ...Array.from({ length: 1500 }, (_, i) => event(i)));
    const supervisord = await listen(t, file);
    await supervisord.tick();
    await until("the end of the run", () => stateIn(file).counts.success === 1); // its line in the log may be dropped
    assert.ok(fs.statSync(`${file}.runs.1`).size > 256 * 1024);
    assert.deepEqual([stateIn(file).counts, stateIn(file).waiting], [{ skipped: 1500, success: 1 }, []]);
  });
});

describe("a journal of over 16 MiB", { concurrency: 4 }, () => {
  for (const name of ["runs", "runs.1"])
    it(`is set aside unread, is logged, and the next one begins: FILE.${name}`, async (t) => {
      const file = `${temporaryDirectory(t)}/state`;
      write(file, ...facts("job; starting 41"));
      if (name === "runs.1") fs.renameSync(`${file}.runs`, `${file}.runs.1`);
      const large = `${file}.${name}`;
      fs.truncateSync(large, 2 ** 24 + 1); // sparse
      const supervisord = await listen(t, file);
      await supervisord.waitForLog(/state\.runs\S* has over 16 MiB, as no journal has: not read, kept as \S*\.bad/);
      assert.equal(fs.statSync(`${large}.bad`).size, 2 ** 24 + 1);
      await run(supervisord, 1);
    });

  it("is none: 16 MiB with garbage in them are read", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    write(file, ...facts("job; starting 41"));
    fs.truncateSync(`${file}.runs`, 2 ** 24);
    const supervisord = await listen(t, file);
    await supervisord.waitForLog(/run 41/);
    await run(supervisord, 42);
  });
});

// ── At most once ───────────────────────────────────────────────────────────
// Killed after the journal and before the counter file was written, a listener gets the tick again. What it made due is in
// the journal: it must not start a second time.

describe("what comes again after a kill, and is in the journal, does not start again", { concurrency: 4 }, () => {
  const DUE = 1_700_002_860;
  const before = `when=${DUE - 60} serial=4 period=60 serials=4.1.1.1.1`;
  const same = `supervisor=${process.pid}:${startTimeOf(process.pid)}`;
  const ours = `starting 1 due=${DUE} serial=5`;
  const byHand = "starting 2 reason=start; ended 2";
  const everyMinute = { schedule: { every: 60, offset: 0 } };
  const cases: Array<[title: string, schedule: string, counter: string, facts: object[]]> = [
    ["it was the last thing that happened", "--ticks 1", `${before} ${same}`, facts(`job; ${ours}`)],
    ["the same by the clock", "--every 1m", `${before} ${same}`, [jobWith(everyMinute), ...facts(ours)]],
    ["it has ended since", "--ticks 1", `${before} ${same}`, facts(`${ours}; ended 1`)],
    ["it was the first tick of all", "--ticks 1", same, facts(`job; ${ours}`)],
    ["it was skipped", "--ticks 1", `${before} ${same}`, facts(`skipped ${DUE} serial=5`)],
    ["another run has started since", "--ticks 1", `${before} ${same}`, facts(`${ours}; ${byHand}`)],
  ];
  for (const [title, schedule, counter, left] of cases) {
    it(`a tick: ${title}`, async (t) => {
      const file = `${temporaryDirectory(t)}/state`;
      fs.writeFileSync(file, `0\n${counter}\n`);
      write(file, ...left);
      const supervisord = await listen(t, file, [...schedule.split(" "), "--", "/bin/true"]);
      supervisord.clock = DUE;
      await supervisord.answered(supervisord.send("TICK_60", `when:${DUE}`, { serial: 5 }));
      supervisord.nextSerial = 6;
      await supervisord.tick();
      await supervisord.waitForLog(/run \d finished: exit 0/);
      const dues = lines(file, "starting", "skipped").filter((line) => line.reason === "schedule");
      assert.deepEqual(column("due", dues), [DUE, DUE + 60]);
    });
  }

  for (const [title, counter, left] of [
    ["number", `supervisor=${process.pid}:1`, `due=${DUE - 60} serial=5`],
    ["number and time", same, `due=${DUE} serial=5 supervisor=another`],
  ])
    it(`but another tick of the same ${title}, from another supervisord, does`, async (t) => {
      const file = `${temporaryDirectory(t)}/state`;
      fs.writeFileSync(file, `0\n${before} ${counter}\n`);
      write(file, ...facts(`starting 1 ${left}; ended 1`));
      const supervisord = await listen(t, file);
      await supervisord.answered(supervisord.send("TICK_60", `when:${DUE}`, { serial: 5 }));
      await supervisord.waitForLog(/run 2 started \(pid \d+, due 2023-11-14T23:01:00Z/);
    });

  const KILL_BEFORE_COUNTER = `
    const fs = require("fs"), { writeSync } = fs;
    fs.writeSync = (fd, bytes, ...more) => {
      if (bytes.length === 512 && fs.existsSync(process.env.KILL)) { fs.unlinkSync(process.env.KILL); process.kill(process.pid, "SIGKILL"); }
      return writeSync(fd, bytes, ...more);
    };`;
  for (const [name, payload, args] of [
    ["PROCESS_STATE_EXITED", "processname:web", ["--on", "PROCESS_STATE_EXITED", "--", "/bin/true"]],
    ["REMOTE_COMMUNICATION", "type:supertick\njob", NEVER],
  ] as const) {
    it(`an event of type ${name}, also where another one comes before it again`, async (t) => {
      const directory = temporaryDirectory(t);
      const [file, script, kill] = ["state", "kill.cjs", "kill"].map((name) => `${directory}/${name}`);
      fs.writeFileSync(script, KILL_BEFORE_COUNTER);
      const options = { runtime: runtimeWith(script).join(" "), env: { KILL: kill } };
      const supervisord = await listen(t, file, [...args], options);
      await supervisord.waitForLog(/ in \//);
      fs.writeFileSync(kill, "");
      const event = supervisord.send(name, payload);
      await supervisord.exited;
      assert.deepEqual(numbers(file, "starting"), [1]);
      supervisord.rejectedByNeighbour({ name, payload });
      await supervisord.restartListener();
      await supervisord.answered(event);
      await supervisord.waitForLog(/run 2 finished/);
      await supervisord.answered(supervisord.send(name, payload));
      await supervisord.waitForLog(/run 3 finished/);
      assert.deepEqual(numbers(file, "starting"), [1, 2, 3]);
    });
  }
});
