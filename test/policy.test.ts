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
  type Verdict,
} from "../listener";

const POLICY: JobPolicy = {
  overlap: "skip",
  queueLimit: 1,
  timeoutSeconds: 300,
  killAfterSeconds: 5,
  retries: 0,
  retryDelaySeconds: 10,
  isRetryYielding: true,
  isAsking: false,
};
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
  outputLeft: { type: "outputLeft", run: 1, end: EXIT_0 },
  exit0: { type: "exited", run: 1, end: EXIT_0 },
  exit3: { type: "exited", run: 1, end: { exit: 3, signal: null } },
  died: { type: "exited", run: 1, end: { exit: null, signal: "SIGTERM" } },
  groupGone: { type: "groupGone", run: 1 },
  stop: { type: "stop" },
} satisfies Record<string, JobInput>;

type InputName = keyof typeof INPUTS;
const { due, started, deadline, graceOver, outputLeft, died, exit0, stop } = INPUTS;
const ORPHAN: Run = { number: 1, attempt: 1, due: 300, reason: "schedule", phase: "running", pid: 71 };
const adopted: JobInput = { type: "adopted", run: ORPHAN, elapsedSeconds: 100 };

const STATES = {
  idle: [],
  starting: [due],
  running: [due, started],
  draining: [due, started, outputLeft],
  "draining and stopping": [due, started, outputLeft, stop],
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
    outputLeft: "–",
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
    outputLeft: "–",
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
    outputLeft: "→ draining",
    exit0: "finish success → gone",
    exit3: "finish failure → gone",
    died: "finish failure → gone",
    groupGone: "–",
    stop: "terminate, armGrace 5 → ending",
  },
  draining: {
    due: "skip → draining",
    started: "never",
    startFailed: "never",
    deadline: "–",
    graceOver: "–",
    outputLeft: "–",
    exit0: "finish success → gone",
    exit3: "finish failure → gone",
    died: "finish failure → gone",
    groupGone: "never",
    stop: "→ draining",
  },
  "draining and stopping": {
    due: "–",
    started: "never",
    startFailed: "never",
    deadline: "–",
    graceOver: "–",
    outputLeft: "–",
    exit0: "finish success, stopped → gone",
    exit3: "finish failure, stopped → gone",
    died: "finish failure, stopped → gone",
    groupGone: "never",
    stop: "finish success, stopped → gone",
  },
  adopted: {
    due: "skip → running",
    started: "never",
    startFailed: "never",
    deadline: "terminate, armGrace 5 → ending",
    graceOver: "–",
    outputLeft: "→ draining",
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
    outputLeft: "–",
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
    outputLeft: "–",
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
    outputLeft: "–",
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
    outputLeft: "–",
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
    outputLeft: "–",
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
    outputLeft: "–",
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
    outputLeft: "–",
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
  const told = actions.filter(({ type }) => type !== "record" && type !== "conclude"); // see below
  return `${told.map(word).join(", ")} → ${phase}`.trim();
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
    const [state, actions] = step(POLICY, createJobState(41, 2), { type: "due", due: 900, reason: "remote" });
    const run = { number: 42, attempt: 1, due: 900, reason: "remote", phase: "starting" };
    assert.deepEqual(
      actions.map(({ type }) => type),
      ["record", "start"],
    );
    assert.deepEqual(actions[1], { type: "start", run });
    assert.deepEqual(state, { lastRun: 42, runs: [run], waiting: [], failures: 2, isStopping: false });
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
      ["finish", "conclude", "record", "start"],
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
      ["finish", "conclude", "stopped"],
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

  it("that was adopted while it was being ended has what is left of its grace, and a second at least", () => {
    const ending: Run = { ...ORPHAN, phase: "ending", cause: "timeout" };
    const take = (run: Run, elapsedSeconds: number) =>
      step(POLICY, createJobState(1), { type: "adopted", run, elapsedSeconds });
    const actions = (run: Run, elapsedSeconds: number) => take(run, elapsedSeconds)[1].map(word).join();
    assert.deepEqual(
      [0, 2, 100].map((elapsed) => actions(ending, elapsed)),
      ["armGrace 5", "armGrace 3", "armGrace 1"],
    );
    const withoutLeader: Run = { ...ending, end: { exit: null, signal: null } };
    assert.equal(actions(withoutLeader, 2), "watchGroup,armGrace 3");
    const [state] = take(withoutLeader, 2);
    const [next, last] = step(POLICY, state, graceOver);
    assert.equal(last.map(word).join(), "kill,finish timeout,conclude");
    assert.deepEqual(next.runs, []);
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

// ── The other policies ─────────────────────────────────────────────────────
// A line each: what has happened → what is done, then the runs that are left ("number.attempt phase").

const exit3 = INPUTS.exit3;
const dueAgain: JobInput = { type: "due", due: 900, reason: "schedule" };
const asked = (verdict: Verdict): JobInput => ({ type: "asked", run: 1, verdict });
const of = (run: number, input: JobInput): JobInput => ({ ...input, run }) as JobInput;
const RETRIES = { retries: 2 };
const UNSEEN: ProcessEnd = { exit: null, signal: null };

const CASES: ReadonlyArray<readonly [string, Partial<JobPolicy>, JobInput[], string]> = [
  [
    "replace: the last one is ended",
    { overlap: "replace" },
    [due, started, dueAgain],
    "record, terminate, armGrace 5 → 1.1 ending, 2.1 next",
  ],
  [
    "replace: the new one starts when the last one is gone",
    { overlap: "replace" },
    [due, started, dueAgain, died, INPUTS.groupGone],
    "finish interrupted, conclude interrupted 1, start → 2.1 starting",
  ],
  [
    "replace: a third one takes the place of the second",
    { overlap: "replace" },
    [due, started, dueAgain, dueAgain],
    "holdBack replaced, record → 1.1 ending, 3.1 next",
  ],
  [
    "replace: one that comes while the last one starts ends it then",
    { overlap: "replace" },
    [due, dueAgain, started],
    "terminate, armGrace 5 → 1.1 ending, 2.1 next",
  ],
  [
    "replace: one that comes while the last one waits for its turn takes it",
    { overlap: "replace" },
    [due, dueAgain, { type: "overtaken", run: 1 }],
    "holdBack replaced, start → 2.1 starting",
  ],
  [
    "replace: also one that is still to be asked about",
    { isAsking: true },
    [due, { type: "overtaken", run: 1 }],
    "holdBack replaced → ",
  ],
  [
    "replace: also while the last one waits to be tried again, which has then come to a result",
    { ...RETRIES, overlap: "replace" },
    [due, started, exit3, { type: "retryDue", run: 1 }, dueAgain, { type: "overtaken", run: 1 }],
    "finish interrupted, conclude interrupted 1, start → 2.1 starting",
  ],
  [
    "queue: what waits is asked about when the job has changed so since",
    { overlap: "queue", ofNext: { ...POLICY, isAsking: true } },
    [due, started, dueAgain, exit0],
    "finish success, conclude success 0, record, ask → 2.1 asking",
  ],
  [
    "replace: what waits for its turn is dropped by a stop",
    { overlap: "replace" },
    [due, started, dueAgain, stop],
    "holdBack stopped → 1.1 ending",
  ],
  [
    "replace and only-if: the last one goes on until the question is answered",
    { overlap: "replace", isAsking: true },
    [due, asked("allowed"), started, dueAgain],
    "record, ask → 1.1 running, 2.1 asking",
  ],
  [
    "replace and only-if: held back, the last one is left alone",
    { overlap: "replace", isAsking: true },
    [due, asked("allowed"), started, dueAgain, of(2, asked("held"))],
    "holdBack held → 1.1 running",
  ],
  [
    "replace and only-if: allowed, the last one is ended",
    { overlap: "replace", isAsking: true },
    [due, asked("allowed"), started, dueAgain, of(2, asked("allowed"))],
    "terminate, armGrace 5 → 1.1 ending, 2.1 next",
  ],
  [
    "replace and only-if: a question is replaced by the next one",
    { overlap: "replace", isAsking: true },
    [due, dueAgain],
    "stopAsking, holdBack replaced, record, ask → 2.1 asking",
  ],
  [
    "allow: they run side by side",
    { overlap: "allow" },
    [due, started, dueAgain],
    "record, start → 1.1 running, 2.1 starting",
  ],
  [
    "allow: a stop ends each",
    { overlap: "allow" },
    [due, started, dueAgain, of(2, started), stop],
    "terminate, armGrace 5, terminate, armGrace 5 → 1.1 ending, 2.1 ending",
  ],
  [
    "allow: a stop is over with the last of them",
    { overlap: "allow" },
    [due, started, dueAgain, stop],
    "terminate, armGrace 5, finish interrupted, conclude interrupted 1 → 1.1 ending",
  ],
  ["only-if: the run waits for the answer", { isAsking: true }, [due], "record, ask → 1.1 asking"],
  ["only-if: allowed, it starts", { isAsking: true }, [due, asked("allowed")], "start → 1.1 starting"],
  ["only-if: held, it does not", { isAsking: true }, [due, asked("held")], "holdBack held → "],
  ["only-if: an error holds it back", { isAsking: true }, [due, asked("error")], "holdBack error → "],
  [
    "only-if: a late answer changes nothing",
    { isAsking: true },
    [due, asked("allowed"), started, asked("held")],
    " → 1.1 running",
  ],
  ["only-if: a due run meanwhile is skipped", { isAsking: true }, [due, dueAgain], "skip → 1.1 asking"],
  ["only-if: a stop ends the question", { isAsking: true }, [due, stop], "stopAsking, holdBack stopped, stopped → "],
  [
    "only-if: a run by hand is not asked about",
    { isAsking: true },
    [{ ...due, reason: "signal" }],
    "record, start → 1.1 starting",
  ],
  [
    "only-if: a retry is not asked about",
    { isAsking: true, ...RETRIES },
    [due, asked("allowed"), started, exit3, { type: "retryDue", run: 1 }],
    "record, start → 1.2 starting",
  ],
  [
    "only-if: nor is one that was seen to start before the listener was killed",
    { isAsking: true, ...RETRIES },
    [
      { type: "interrupted", run: ORPHAN, end: UNSEEN },
      { type: "retryDue", run: 1 },
    ],
    "record, start → 1.2 starting",
  ],
  [
    "only-if: a retry is asked about where nobody saw the run start before the listener was killed",
    { isAsking: true, ...RETRIES },
    [
      { type: "interrupted", run: { ...ORPHAN, pid: undefined }, end: UNSEEN },
      { type: "retryDue", run: 1 },
    ],
    "record, ask → 1.2 asking",
  ],
  [
    "only-if: also when the listener was killed a second time",
    { isAsking: true, ...RETRIES },
    [
      { type: "resumed", run: { ...ORPHAN, pid: undefined, isOrphan: true, end: UNSEEN } },
      { type: "retryDue", run: 1 },
    ],
    "record, ask → 1.2 asking",
  ],
  [
    "only-if and queue: the one that waited is asked about in its turn",
    { overlap: "queue", isAsking: true },
    [due, dueAgain, asked("held")],
    "holdBack held, record, ask → 2.1 asking",
  ],
  ["retries: a failed run waits", RETRIES, [due, started, exit3], "finish failure, armRetry 10 → 1.1 backoff"],
  [
    "retries: it is tried again",
    RETRIES,
    [due, started, exit3, { type: "retryDue", run: 1 }],
    "record, start → 1.2 starting",
  ],
  [
    "retries: the wait doubles",
    RETRIES,
    [due, started, exit3, { type: "retryDue", run: 1 }, started, exit3],
    "finish failure, armRetry 20 → 1.2 backoff",
  ],
  [
    "retries: up to an hour",
    { retries: 9, retryDelaySeconds: 2000 },
    [due, started, exit3, { type: "retryDue", run: 1 }, started, exit3],
    "finish failure, armRetry 3600 → 1.2 backoff",
  ],
  [
    "retries: the last attempt is the result",
    { retries: 1 },
    [due, started, exit3, { type: "retryDue", run: 1 }, started, exit3],
    "finish failure, conclude failure 1 → ",
  ],
  [
    "retries: success ends it",
    RETRIES,
    [due, started, exit3, { type: "retryDue", run: 1 }, started, exit0],
    "finish success, conclude success 0 → ",
  ],
  [
    "retries: one that could not be started is tried again",
    RETRIES,
    [due, INPUTS.startFailed],
    "finish failure, armRetry 10 → 1.1 backoff",
  ],
  [
    "retries: a time-out is tried again",
    RETRIES,
    [due, started, deadline, died, INPUTS.groupGone],
    "finish timeout, armRetry 10 → 1.1 backoff",
  ],
  [
    "retries: each attempt has its own time limit",
    RETRIES,
    [due, started, deadline, died, INPUTS.groupGone, { type: "retryDue", run: 1 }, started],
    "armDeadline 300 → 1.2 running",
  ],
  [
    "retries: an interrupted attempt is tried again",
    RETRIES,
    [{ type: "interrupted", run: ORPHAN, end: { exit: null, signal: null } }],
    "finish interrupted, armRetry 10 → 1.1 backoff",
  ],
  [
    "retries: not when its event is lost",
    RETRIES,
    [{ type: "interrupted", run: { ...ORPHAN, reason: "event" }, end: { exit: null, signal: null } }],
    "finish interrupted, conclude interrupted 1 → ",
  ],
  [
    "retries: an orphan that is gone is tried again",
    RETRIES,
    [adopted, exit0],
    "finish interrupted, armRetry 10 → 1.1 backoff",
  ],
  [
    "retries: a waiting one gives way to the next due run",
    RETRIES,
    [due, started, exit3, dueAgain],
    "giveUp failure, conclude failure 1, record, start → 2.1 starting",
  ],
  [
    "retries: none where one waits in the queue",
    { ...RETRIES, overlap: "queue" },
    [due, started, dueAgain, exit3],
    "finish failure, conclude failure 1, record, start → 2.1 starting",
  ],
  [
    "retries: none of what is replaced",
    { ...RETRIES, overlap: "replace" },
    [due, started, dueAgain, died, INPUTS.groupGone],
    "finish interrupted, conclude interrupted 1, start → 2.1 starting",
  ],
  [
    "retries: an event waits for the retry of the one before",
    { ...RETRIES, overlap: "queue", isRetryYielding: false, queueLimit: 9 },
    [due, started, exit3, dueAgain],
    "wait → 1.1 backoff",
  ],
  [
    "retries: a stop ends the wait",
    RETRIES,
    [due, started, exit3, stop],
    "giveUp failure, conclude failure 1, stopped → ",
  ],
  [
    "retries: none of what a stop ended",
    RETRIES,
    [due, started, stop, died, INPUTS.groupGone],
    "finish interrupted, conclude interrupted 1, stopped → ",
  ],
  [
    "retries: a time-out during which the stop comes is the result",
    RETRIES,
    [due, started, deadline, stop, died, INPUTS.groupGone],
    "finish timeout, conclude timeout 1, stopped → ",
  ],
  [
    "retries: one that is given up has its result",
    RETRIES,
    [due, started, exit3, { type: "giveUp", run: 1 }],
    "giveUp failure, conclude failure 1 → ",
  ],
  [
    "retries: a wait is taken up again after a restart",
    RETRIES,
    [{ type: "resumed", run: { ...ORPHAN, isOrphan: true, end: { exit: null, signal: null } } }],
    "armRetry 10 → 1.1 backoff",
  ],
  [
    "retries: or not, when fewer are allowed now",
    { retries: 0 },
    [{ type: "resumed", run: { ...ORPHAN, end: { exit: 3, signal: null } } }],
    "giveUp failure, conclude failure 1 → ",
  ],
  [
    "retries: after a crash an older run gives way to a later one",
    RETRIES,
    [
      { type: "interrupted", run: { ...ORPHAN, number: 2 }, end: { exit: null, signal: null } },
      { type: "interrupted", run: ORPHAN, end: { exit: null, signal: null } },
    ],
    "finish interrupted, conclude interrupted 1 → 2.1 backoff",
  ],
  [
    "retries: after a crash the latest one replaces what is still going",
    { ...RETRIES, overlap: "replace" },
    [
      { type: "interrupted", run: { ...ORPHAN, number: 2 }, end: { exit: null, signal: null } },
      adopted,
      { type: "retryDue", run: 2 },
    ],
    "record, terminate, armGrace 5 → 1.1 ending, 2.2 next",
  ],
  [
    "failures in a row are counted",
    {},
    [due, started, exit3, dueAgain, of(2, started), of(2, exit3)],
    "finish failure, conclude failure 2 → ",
  ],
];

describe("with other policies", () => {
  for (const [name, more, inputs, expected] of CASES) {
    it(name, () => {
      const policy = { ...POLICY, ...more };
      const [state, actions] = step(policy, after(policy, ...inputs.slice(0, -1)), inputs[inputs.length - 1]);
      const left = state.runs.map(({ number, attempt, phase }) => `${number}.${attempt} ${phase}`).join(", ");
      assert.equal(`${actions.map(longWord).join(", ")} → ${left}`, expected);
    });
  }
});

function longWord(action: JobAction): string {
  if (action.type === "conclude") return `conclude ${action.result} ${action.failures}`;
  if (action.type === "giveUp") return `giveUp ${action.result}`;
  if (action.type === "holdBack") return `holdBack ${action.why}`;
  return word(action);
}

// ── Whatever happens ───────────────────────────────────────────────────────
// A world of processes and timers: it does what the policy asks for, and reports back in any order, late or twice.

class World {
  state = createJobState(0);
  isStopped = false;
  /** Runs that were opened, and those that came to an end, in whichever way. */
  readonly opened: number[] = [];
  readonly ended: number[] = [];
  private readonly processes = new Map<number, "starting" | "alive" | "output left" | "leader gone">();
  private readonly questions = new Set<number>();
  private readonly armed = new Set<string>();
  private hasStopBegun = false;

  constructor(private readonly policy: JobPolicy) {}

  tell(input: JobInput): void {
    if (input.type === "stop") this.hasStopBegun = true;
    const [state, actions] = step(this.policy, this.state, input);
    this.state = state;
    for (const action of actions) this.perform(action);
    if (this.policy.overlap !== "allow") assert.ok(this.processes.size <= 1, "two processes at a time");
    const limit = this.policy.overlap === "queue" ? this.policy.queueLimit : 0;
    assert.ok(state.waiting.length <= limit, "more wait than may");
  }

  /** All that could be reported now. */
  reports(): JobInput[] {
    const reports: JobInput[] = [];
    for (const [run, process] of this.processes) {
      if (process === "starting") reports.push({ type: "started", run, pid: 70 + run });
      if (process === "starting") reports.push({ type: "startFailed", run, error: "EAGAIN" });
      const isOvertaken = process === "starting" && this.state.runs.some(({ phase }) => phase === "next");
      if (isOvertaken) reports.push({ type: "overtaken", run });
      if (process === "alive") for (const end of [EXIT_0, died.end]) reports.push({ type: "outputLeft", run, end });
      if (process === "alive") for (const end of [EXIT_0, died.end]) reports.push({ type: "exited", run, end });
      if (process === "leader gone") reports.push({ type: "groupGone", run });
    }
    for (const run of this.questions) {
      for (const verdict of ["allowed", "held", "error", "timeout"] as const)
        reports.push({ type: "asked", run, verdict });
    }
    return [...reports, ...this.timers()];
  }

  /** What comes without anything that lives: the reading of output is given up after a second. */
  timers(): JobInput[] {
    const timers = [...this.armed].map((timer): JobInput => {
      const [type, run] = timer.split(" ");
      return { type: type as "deadline" | "graceOver" | "retryDue", run: Number(run) };
    });
    const drained = [...this.processes].filter(([, process]) => process === "output left");
    return [...timers, ...drained.map(([run]): JobInput => ({ type: "exited", run, end: EXIT_0 }))];
  }

  report(input: JobInput): void {
    if (input.type === "started") this.processes.set(input.run, "alive");
    if (input.type === "startFailed" || input.type === "groupGone") this.processes.delete(input.run);
    if (input.type === "overtaken") this.processes.delete(input.run);
    if (input.type === "outputLeft") this.processes.set(input.run, "output left");
    if (input.type === "exited") this.processes.set(input.run, "leader gone");
    if (input.type === "asked") this.questions.delete(input.run);
    if ("run" in input && typeof input.run === "number") this.armed.delete(`${input.type} ${input.run}`);
    this.tell(input);
  }

  private perform(action: JobAction): void {
    if ("run" in action) assert.ok(!this.ended.includes(action.run.number), `${action.type} of a run that has ended`);
    switch (action.type) {
      case "record":
        if (action.run.attempt === 1) this.opened.push(action.run.number);
        assert.ok(this.opened.includes(action.run.number), "a retry of a run that was never opened");
        assert.ok(action.run.attempt <= this.policy.retries + 1, "too many attempts");
        return;
      case "ask":
        this.questions.add(action.run.number);
        return;
      case "stopAsking":
        this.questions.delete(action.run.number);
        return;
      case "start":
        assert.ok(!this.hasStopBegun, "nothing starts after a stop");
        assert.ok(this.opened.includes(action.run.number), "started, but not written down");
        assert.ok(!this.processes.has(action.run.number), "started twice");
        this.processes.set(action.run.number, "starting");
        return;
      case "armDeadline":
      case "armGrace":
      case "armRetry": {
        const inputs = { armDeadline: "deadline", armGrace: "graceOver", armRetry: "retryDue" };
        assert.ok(action.seconds > 0 && action.seconds <= 3600);
        this.armed.add(`${inputs[action.type]} ${action.run.number}`);
        return;
      }
      case "terminate":
      case "kill":
        assert.ok(action.run.pid !== undefined && action.run.pid > 1, "a signal needs a process");
        return;
      case "finish":
        this.processes.delete(action.run.number);
        for (const type of ["deadline", "graceOver"]) this.armed.delete(`${type} ${action.run.number}`);
        return;
      case "holdBack":
      case "conclude":
        this.ended.push(action.run.number);
        this.armed.delete(`retryDue ${action.run.number}`);
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

const policy: fc.Arbitrary<JobPolicy> = fc.record({
  overlap: fc.constantFrom("skip", "queue", "replace", "allow"),
  queueLimit: fc.constantFrom(1, 3),
  timeoutSeconds: fc.constantFrom(0, 300),
  killAfterSeconds: fc.constantFrom(1, 5),
  retries: fc.constantFrom(0, 1, 3),
  retryDelaySeconds: fc.constantFrom(1, 10, 3600),
  isRetryYielding: fc.boolean(),
  isAsking: fc.boolean(),
});

describe("whatever happens in whichever order", () => {
  it("never more runs than the policy allows, every run ends once, and a stop ends", () => {
    fc.assert(
      fc.property(policy, fc.array(event, { maxLength: 60 }), fc.array(fc.nat(9)), (policy, events, order) => {
        const world = new World(policy);
        play(world, events);
        world.tell({ type: "stop" });
        // Reports go on to come until the stop is over, each run needing a few of them at most.
        const limit = 8 * (world.state.runs.length + 1);
        for (let i = 0; !world.isStopped; i++) {
          const reports = world.reports();
          assert.ok(i < limit && reports.length > 0, `no end in sight: ${JSON.stringify(world.state)}`);
          world.report(reports[(order[i] ?? 0) % reports.length]);
        }
        assert.deepEqual([...world.ended].sort(), [...world.opened].sort());
        assert.deepEqual(world.state.runs, []);
      }),
      { numRuns: 5000 },
    );
  });

  it("without a stop, everything comes to an end too", () => {
    fc.assert(
      fc.property(policy, fc.array(event, { maxLength: 40 }), (policy, events) => {
        const world = new World(policy);
        play(
          world,
          events.filter(({ type }) => type !== "stop"),
        );
        const limit = 60 * (world.state.runs.length + world.state.waiting.length + 1);
        for (let i = 0; world.reports().length > 0; i++) {
          assert.ok(i < limit, `no end in sight: ${JSON.stringify(world.state)}`);
          world.report(world.reports()[0]);
        }
        assert.deepEqual([...world.ended].sort(), [...world.opened].sort());
        assert.deepEqual([world.state.runs, world.state.waiting], [[], []]);
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
        const limit = 5 * (world.state.runs.length + 1);
        for (let i = 0; !world.isStopped; i++) {
          const [timer] = world.timers();
          assert.ok(i < limit && timer !== undefined, `no timer will end it: ${JSON.stringify(world.state)}`);
          world.report(timer);
        }
        assert.deepEqual([...world.ended].sort(), [...world.opened].sort());
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
        for (const run of world.state.runs) assert.equal(run.phase, "killed");
      }),
    );
  });

  it("inputs about other runs change nothing", () => {
    fc.assert(
      fc.property(policy, fc.array(event, { maxLength: 30 }), lateInput, (policy, events, input) => {
        const world = new World(policy);
        play(world, events);
        const { state } = world;
        if ("run" in input && state.runs.some((run) => run.number === input.run)) return;
        assert.deepEqual(step(policy, state, input), [state, []]);
      }),
    );
  });
});
