// The job policy: every input in every phase as one table, and what must hold whatever happens in whichever order.

import * as assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  createJobState,
  type JobAction,
  type JobInput,
  type JobPolicy,
  type JobState,
  type ProcessEnd,
  type Run,
  type Step,
  step,
} from "../listener";

const POLICY: JobPolicy = { overlap: "skip", queueLimit: 1, timeoutSeconds: 300, killAfterSeconds: 5 };
const NO_LIMIT: JobPolicy = { ...POLICY, timeoutSeconds: 0 };
const EXIT_0: ProcessEnd = { exit: 0, signal: null };

function after(policy: JobPolicy, ...inputs: JobInput[]): JobState {
  return inputs.reduce((state, input) => step(policy, state, input)[0], createJobState(0));
}

// ── The table ──────────────────────────────────────────────────────────────

const INPUTS = {
  due: { type: "due", due: 600, reason: "schedule" },
  started: { type: "started", run: 1, pid: 71 },
  startFailed: { type: "startFailed", run: 1, error: "ENOENT" },
  deadline: { type: "deadline", run: 1 },
  graceOver: { type: "graceOver", run: 1 },
  exit0: { type: "exited", run: 1, end: EXIT_0 },
  exit3: { type: "exited", run: 1, end: { exit: 3, signal: null } },
  died: { type: "exited", run: 1, end: { exit: null, signal: "SIGTERM" } },
  groupGone: { type: "groupGone", run: 1 },
  stop: { type: "stop" },
} satisfies Record<string, JobInput>;

type InputName = keyof typeof INPUTS;
const { due, started, deadline, graceOver, died, exit0, stop } = INPUTS;
const ORPHAN: Run = { number: 1, attempt: 1, due: 300, reason: "schedule", phase: "running", pid: 71 };
const adopted: JobInput = { type: "adopted", run: ORPHAN, elapsedSeconds: 100 };

const STATES = {
  idle: [],
  starting: [due],
  running: [due, started],
  adopted: [adopted],
  "timed out": [due, started, deadline],
  "timed out, its leader gone": [due, started, deadline, died],
  "timed out, killed": [due, started, deadline, graceOver],
  stopping: [due, started, stop],
  "stopping, its leader gone": [due, started, stop, exit0],
  "stopping, killed": [due, started, stop, graceOver],
  stopped: [stop],
} satisfies Record<string, JobInput[]>;

/**
 * What is done, in order → the phase of run 1 afterwards. "–": nothing at all. "never": the listener does not say so, for
 * a process begins, or fails to begin, only once.
 */
const TABLE: Record<keyof typeof STATES, Record<InputName, string>> = {
  idle: {
    due: "start → starting",
    started: "–",
    startFailed: "–",
    deadline: "–",
    graceOver: "–",
    exit0: "–",
    exit3: "–",
    died: "–",
    groupGone: "–",
    stop: "stopped → gone",
  },
  starting: {
    due: "skip → starting",
    started: "armDeadline 300 → running",
    startFailed: "finish failure → gone",
    deadline: "–",
    graceOver: "–",
    exit0: "finish success → gone",
    exit3: "finish failure → gone",
    died: "finish failure → gone",
    groupGone: "–",
    stop: "finish interrupted, stopped → gone",
  },
  running: {
    due: "skip → running",
    started: "never",
    startFailed: "never",
    deadline: "terminate, armGrace 5 → ending",
    graceOver: "–",
    exit0: "finish success → gone",
    exit3: "finish failure → gone",
    died: "finish failure → gone",
    groupGone: "–",
    stop: "terminate, armGrace 5 → ending",
  },
  adopted: {
    due: "skip → running",
    started: "never",
    startFailed: "never",
    deadline: "terminate, armGrace 5 → ending",
    graceOver: "–",
    exit0: "finish interrupted → gone",
    exit3: "finish interrupted → gone",
    died: "finish interrupted → gone",
    groupGone: "–",
    stop: "terminate, armGrace 5 → ending",
  },
  "timed out": {
    due: "skip → ending",
    started: "never",
    startFailed: "never",
    deadline: "–",
    graceOver: "kill, armGrace 1 → killed",
    exit0: "watchGroup → ending",
    exit3: "watchGroup → ending",
    died: "watchGroup → ending",
    groupGone: "–",
    stop: "→ ending",
  },
  "timed out, its leader gone": {
    due: "skip → ending",
    started: "never",
    startFailed: "never",
    deadline: "–",
    graceOver: "kill, finish timeout → gone",
    exit0: "watchGroup → ending",
    exit3: "watchGroup → ending",
    died: "watchGroup → ending",
    groupGone: "finish timeout → gone",
    stop: "→ ending",
  },
  "timed out, killed": {
    due: "skip → killed",
    started: "never",
    startFailed: "never",
    deadline: "–",
    graceOver: "–",
    exit0: "finish timeout → gone",
    exit3: "finish timeout → gone",
    died: "finish timeout → gone",
    groupGone: "–",
    stop: "armGrace 1 → killed",
  },
  stopping: {
    due: "–",
    started: "never",
    startFailed: "never",
    deadline: "–",
    graceOver: "kill, armGrace 1 → killed",
    exit0: "watchGroup → ending",
    exit3: "watchGroup → ending",
    died: "watchGroup → ending",
    groupGone: "–",
    stop: "kill, armGrace 1 → killed",
  },
  "stopping, its leader gone": {
    due: "–",
    started: "never",
    startFailed: "never",
    deadline: "–",
    graceOver: "kill, finish interrupted, stopped → gone",
    exit0: "watchGroup → ending",
    exit3: "watchGroup → ending",
    died: "watchGroup → ending",
    groupGone: "finish interrupted, stopped → gone",
    stop: "kill, finish interrupted, stopped → gone",
  },
  "stopping, killed": {
    due: "–",
    started: "never",
    startFailed: "never",
    deadline: "–",
    graceOver: "finish interrupted, stopped → gone",
    exit0: "finish interrupted, stopped → gone",
    exit3: "finish interrupted, stopped → gone",
    died: "finish interrupted, stopped → gone",
    groupGone: "–",
    stop: "armGrace 1 → killed",
  },
  stopped: {
    due: "–",
    started: "–",
    startFailed: "–",
    deadline: "–",
    graceOver: "–",
    exit0: "–",
    exit3: "–",
    died: "–",
    groupGone: "–",
    stop: "stopped → gone",
  },
};

function word(action: JobAction): string {
  if (action.type === "finish") return `finish ${action.result}`;
  return "seconds" in action ? `${action.type} ${action.seconds}` : action.type;
}

function outcome(before: JobState, input: JobInput): string {
  const [state, actions] = step(POLICY, before, input);
  if (state === before && actions.length === 0) return "–";
  const phase = state.runs.find((run) => run.number === 1)?.phase ?? "gone";
  return `${actions.map(word).join(", ")} → ${phase}`.trim();
}

for (const [name, inputs] of Object.entries(STATES)) {
  describe(`a job that is ${name}`, () => {
    for (const [input, expected] of Object.entries(TABLE[name as keyof typeof STATES])) {
      if (expected === "never") continue;
      it(`${input}: ${expected}`, () => {
        assert.equal(outcome(after(POLICY, ...inputs), INPUTS[input as InputName]), expected);
      });
    }
  });
}

// ── What the table does not show ───────────────────────────────────────────

describe("a run", () => {
  it("is numbered on from the last one, and knows why and when it was due", () => {
    const [state, [action]] = step(POLICY, createJobState(41), { type: "due", due: 900, reason: "remote" });
    const run = { number: 42, attempt: 1, due: 900, reason: "remote", phase: "starting" };
    assert.deepEqual(action, { type: "start", run });
    assert.deepEqual(state, { lastRun: 42, runs: [run], waiting: [], isStopping: false });
  });

  it("that is skipped takes no number, and names the one it is behind", () => {
    const [state, [action]] = step(POLICY, after(POLICY, due, started), { type: "due", due: 900, reason: "signal" });
    assert.deepEqual(action, { type: "skip", due: 900, reason: "signal", behind: { ...state.runs[0] } });
    assert.equal(state.lastRun, 1);
  });

  it("waits its turn with overlap queue, and what is over the limit is skipped", () => {
    const policy: JobPolicy = { ...POLICY, overlap: "queue", queueLimit: 2 };
    const busy = after(policy, due, started);
    const dueAt = (time: number): JobInput => ({ type: "due", due: time, reason: "event", serial: time });
    const [one, waits] = step(policy, busy, dueAt(901));
    const [two] = step(policy, one, dueAt(902));
    const [three, skips] = step(policy, two, dueAt(903));
    assert.deepEqual([waits[0].type, skips[0].type], ["wait", "skip"]);
    assert.deepEqual(
      three.waiting.map((waiting) => waiting.due),
      [901, 902],
    );
    const [next, actions] = step(policy, three, { type: "exited", run: 1, end: EXIT_0 });
    assert.deepEqual(
      actions.map(({ type }) => type),
      ["finish", "start"],
    );
    assert.deepEqual(next.runs[0], {
      number: 2,
      attempt: 1,
      due: 901,
      reason: "event",
      serial: 901,
      phase: "starting",
    });
    assert.equal(next.waiting.length, 1);
  });

  it("that waits when the stop comes is told as skipped", () => {
    const policy: JobPolicy = { ...POLICY, overlap: "queue" };
    const waiting = after(policy, due, started, { type: "due", due: 901, reason: "event" });
    const [state, actions] = step(policy, waiting, { type: "stop" });
    assert.deepEqual(state.waiting, []);
    assert.deepEqual(actions[0], { type: "skip", due: 901, reason: "event", behind: waiting.runs[0] });
  });

  it("that waits is not started after a stop", () => {
    const policy: JobPolicy = { ...POLICY, overlap: "queue" };
    const state = after(policy, due, started, { type: "due", due: 901, reason: "schedule" }, { type: "stop" });
    const [, actions] = step(
      policy,
      { ...state, runs: [{ ...state.runs[0], end: EXIT_0 }] },
      { type: "groupGone", run: 1 },
    );
    assert.deepEqual(
      actions.map(({ type }) => type),
      ["finish", "stopped"],
    );
  });

  it("without a limit gets no deadline", () => {
    assert.deepEqual(step(NO_LIMIT, after(NO_LIMIT, due), started)[1], []);
  });

  it("that was adopted has what is left of its limit, and a second at least", () => {
    const left = [0, 100, 100_000].map((elapsedSeconds) => {
      const [, actions]: Step = step(POLICY, createJobState(1), { ...adopted, elapsedSeconds });
      return actions.map(word).join();
    });
    assert.deepEqual(left, ["armDeadline 300", "armDeadline 200", "armDeadline 1"]);
  });

  it("ends with how its process ended, or with why that is not known", () => {
    const ends = (policy: JobPolicy, inputs: JobInput[]) => {
      const state = after(policy, ...inputs.slice(0, -1));
      const finish = step(policy, state, inputs[inputs.length - 1])[1].find((action) => action.type === "finish");
      return finish?.type === "finish" ? finish.end : undefined;
    };
    const end = died.end;
    assert.deepEqual(ends(POLICY, [due, started, died]), end);
    assert.deepEqual(ends(POLICY, [due, started, deadline, died, { type: "groupGone", run: 1 }]), end);
    assert.deepEqual(ends(POLICY, [due, started, deadline, died, graceOver]), end);
    assert.match(ends(POLICY, [due, stop])?.error ?? "", /before it started/);
    assert.match(ends(POLICY, [due, started, stop, graceOver, graceOver])?.error ?? "", /SIGKILL/);
  });

  it("that is gone is not brought back by what comes late", () => {
    const gone = after(POLICY, due, started, exit0);
    for (const input of Object.values(INPUTS)) {
      if ("run" in input) assert.deepEqual(step(POLICY, gone, input), [gone, []]);
    }
  });
});

// ── Whatever happens ───────────────────────────────────────────────────────
// A world of processes and timers: it does what the policy asks for, and reports back in any order, late or twice.

class World {
  state = createJobState(0);
  isStopped = false;
  readonly startedRuns: number[] = [];
  readonly finishedRuns: number[] = [];
  private readonly processes = new Map<number, "starting" | "alive" | "leader gone" | "gone">();
  private readonly armed = new Set<string>();
  private hasStopBegun = false;

  constructor(private readonly policy: JobPolicy) {}

  tell(input: JobInput): void {
    if (input.type === "stop") this.hasStopBegun = true;
    const [state, actions] = step(this.policy, this.state, input);
    this.state = state;
    assert.ok(state.runs.length <= 1, "two runs at a time");
    for (const action of actions) this.perform(action);
  }

  /** All that could be reported now. */
  reports(): JobInput[] {
    const reports: JobInput[] = [];
    for (const [run, process] of this.processes) {
      if (process === "starting") reports.push({ type: "started", run, pid: 70 + run });
      if (process === "starting") reports.push({ type: "startFailed", run, error: "EAGAIN" });
      if (process === "alive") for (const end of [EXIT_0, died.end]) reports.push({ type: "exited", run, end });
      if (process === "leader gone") reports.push({ type: "groupGone", run });
    }
    for (const timer of this.armed) {
      const [type, run] = timer.split(" ");
      reports.push({ type: type as "deadline" | "graceOver", run: Number(run) });
    }
    return reports;
  }

  report(input: JobInput): void {
    if (input.type === "started") this.processes.set(input.run, "alive");
    if (input.type === "startFailed" || input.type === "groupGone") this.processes.set(input.run, "gone");
    if (input.type === "exited") this.processes.set(input.run, "leader gone");
    if (input.type === "deadline" || input.type === "graceOver") this.armed.delete(`${input.type} ${input.run}`);
    this.tell(input);
  }

  private perform(action: JobAction): void {
    switch (action.type) {
      case "start":
        assert.ok(!this.hasStopBegun, "nothing starts after a stop");
        this.startedRuns.push(action.run.number);
        this.processes.set(action.run.number, "starting");
        return;
      case "armDeadline":
      case "armGrace":
        assert.ok(action.seconds > 0);
        this.armed.add(`${action.type === "armGrace" ? "graceOver" : "deadline"} ${action.run.number}`);
        return;
      case "terminate":
      case "kill":
        assert.ok(action.run.pid !== undefined && action.run.pid > 1, "a signal needs a process");
        return;
      case "finish":
        assert.ok(this.startedRuns.includes(action.run.number), "finished, but never started");
        assert.ok(!this.finishedRuns.includes(action.run.number), "finished twice");
        this.finishedRuns.push(action.run.number);
        for (const type of ["deadline", "graceOver"]) this.armed.delete(`${type} ${action.run.number}`);
        return;
      case "stopped":
        this.isStopped = true;
    }
  }
}

type Event = { type: "due" } | { type: "stop" } | { type: "report"; which: number };

const lateInput: fc.Arbitrary<JobInput> = fc
  .record({ run: fc.nat(9), kind: fc.constantFrom(...Object.values(INPUTS)) })
  .map(({ run, kind }) => ("run" in kind ? { ...kind, run } : { type: "groupGone", run }));
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Event>({ type: "due" }) },
  { weight: 8, arbitrary: fc.record({ type: fc.constant("report" as const), which: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.constant<Event>({ type: "stop" }) },
);

function play(world: World, events: Event[]): void {
  events.forEach((event, i) => {
    if (event.type === "due") world.tell({ type: "due", due: 60 * i, reason: "schedule" });
    else if (event.type === "stop") world.tell({ type: "stop" });
    else {
      const reports = world.reports();
      if (reports.length > 0) world.report(reports[event.which % reports.length]);
    }
  });
}

const policy: fc.Arbitrary<JobPolicy> = fc.constantFrom(POLICY, NO_LIMIT, { ...POLICY, killAfterSeconds: 1 });

describe("whatever happens in whichever order", () => {
  it("never two runs at a time, every run ends in exactly one finish, and a stop ends", () => {
    fc.assert(
      fc.property(policy, fc.array(event, { maxLength: 60 }), fc.array(fc.nat(9)), (policy, events, order) => {
        const world = new World(policy);
        play(world, events);
        world.tell({ type: "stop" });
        // Reports go on to come until the stop is over, each state of the world needing a few of them at most.
        for (let i = 0; !world.isStopped; i++) {
          const reports = world.reports();
          assert.ok(i < 20 && reports.length > 0, `no end in sight: ${JSON.stringify(world.state)}`);
          world.report(reports[(order[i] ?? 0) % reports.length]);
        }
        assert.deepEqual(world.finishedRuns, world.startedRuns);
        assert.deepEqual(world.state.runs, []);
      }),
      { numRuns: 2000 },
    );
  });

  it("a process that survives even SIGKILL does not hold up a stop: the timers alone end it", () => {
    fc.assert(
      fc.property(policy, fc.array(event, { maxLength: 30 }), (policy, events) => {
        const world = new World(policy);
        play(world, events);
        world.tell({ type: "stop" });
        for (let i = 0; !world.isStopped; i++) {
          const timer = world.reports().find((report) => report.type === "graceOver" || report.type === "deadline");
          assert.ok(i < 5 && timer !== undefined, `no timer will end it: ${JSON.stringify(world.state)}`);
          world.report(timer);
        }
        assert.deepEqual(world.finishedRuns, world.startedRuns);
      }),
      { numRuns: 1000 },
    );
  });

  it("a second stop ends it without waiting for the grace", () => {
    fc.assert(
      fc.property(policy, fc.array(event, { maxLength: 30 }), (policy, events) => {
        const world = new World(policy);
        play(world, events);
        world.tell({ type: "stop" });
        world.tell({ type: "stop" });
        const [run] = world.state.runs;
        assert.ok(run === undefined || run.phase === "killed");
      }),
    );
  });

  it("inputs about other runs change nothing", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), lateInput, (events, input) => {
        const world = new World(POLICY);
        play(world, events);
        const { state } = world;
        if ("run" in input && state.runs.some((run) => run.number === input.run)) return;
        assert.deepEqual(step(POLICY, state, input), [state, []]);
      }),
    );
  });
});
