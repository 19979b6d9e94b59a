// What is known of a job: the fold of its facts. That the facts of a state make it anew, what `decided` says, and what no line
// of a file can do.

import * as assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  describeFact,
  type Fact,
  FRESH_STATE,
  factsOf,
  type Job,
  type JobState,
  type Reason,
  type Run,
  readJournal,
  remember,
} from "../listener";

const AT = 1_700_000_000;
const JOB = { type: "job", name: "sync", schedule: { every: 60, offset: 0 }, at: AT } as const;
const EXIT_3 = { result: "failure", seconds: 1.5, exit: 3, signal: null } as const;

const named = (due: number, reason: Reason = "schedule", more = {}) => ({ due, reason, id: `${due}`, at: AT, ...more });
const starting = (run: number, due: number, reason?: Reason, more = {}): Fact => {
  return { type: "starting", run, attempt: 1, ...named(due, reason), ...more };
};
const started = (run: number): Fact => ({ type: "started", run, pid: 70 + run, start: 7, at: AT });
const ended = (run: number, more: object = {}): Fact => ({
  type: "ended",
  run,
  attempt: 1,
  ...EXIT_3,
  at: AT,
  ...more,
});
const skipped = (due: number, reason?: Reason): Fact => ({ type: "skipped", why: "", ...named(due, reason) });
const waiting = (due: number, reason?: Reason): Fact => ({ type: "waiting", why: "", ...named(due, reason) });

function fold(facts: readonly Fact[], state: JobState = FRESH_STATE): JobState {
  return facts.reduce(remember, state);
}

function lines(facts: readonly object[]): string[] {
  return facts.map((fact) => JSON.stringify({ job: ".", ...fact }));
}

/** As a journal of these lines leaves it. */
function read(...facts: object[]): JobState {
  return readJournal(lines(facts)).get(".") ?? FRESH_STATE;
}

// ── The facts of a state ───────────────────────────────────────────────────

/** What may happen next to a job, as facts. */
function possible(state: JobState, id: string, due: number, serial: number): Fact[] {
  const { lastRun, waiting, runs } = state;
  const more = { id, serial, supervisor: "s" };
  const facts: Fact[] = [
    { ...JOB, delay: due % 3 ? undefined : 7, decided: due % 2 ? undefined : due },
    { type: "missed", due, count: 3, at: AT },
    { type: "paused", id, until: due % 2 ? undefined : due, at: AT },
    { type: "resumed", count: 3, decided: due % 2 ? undefined : due, at: AT },
  ];
  for (const reason of ["schedule", "catch-up", "signal", "event", "remote"] as const) {
    const about = named(due, reason, more);
    facts.push({ type: "waiting", why: "", ...about }, { type: "skipped", why: "", ...about });
    facts.push({ type: "starting", run: lastRun + 1, attempt: 1, ...about });
  }
  for (const { awaitsSlot: _, event: __, bytes: ___, ...about } of waiting) {
    facts.push({ type: "skipped", why: "", ...about, at: AT });
    facts.push({ type: "starting", run: lastRun + 1, attempt: 1, ...about, at: AT });
  }
  for (const run of runs) {
    const { number, attempt, phase, pid, reason } = run;
    const again = {
      type: "starting",
      run: number,
      attempt: attempt + 1,
      ...named(run.due, reason, { id: run.id }),
    } as const;
    if (phase === "backoff") facts.push(again, { type: "dropped", run: number, why: "due", result: "failure", at: AT });
    else facts.push(ended(number, { attempt }), ended(number, { attempt, retryIn: 10, error: "why" }));
    if (phase === "starting") facts.push(started(number), { type: "dropped", run: number, why: "held", at: AT });
    if (phase === "running") facts.push({ type: "ending", run: number, cause: "timeout", at: AT });
    if (pid !== undefined) facts.push(ended(number, { attempt, result: "success", exit: 0 }));
  }
  return facts;
}

const happenings = fc.array(fc.record({ which: fc.nat(), due: fc.nat(100), serial: fc.nat(9) }), { maxLength: 40 });

function factsFor(choices: ReadonlyArray<{ which: number; due: number; serial: number }>): Fact[] {
  const facts: Fact[] = [JOB];
  let state = fold(facts);
  for (const { which, due, serial } of choices) {
    const next = possible(state, `id ${facts.length}`, due, serial);
    facts.push(next[which % next.length]);
    state = remember(state, facts[facts.length - 1]);
  }
  return facts;
}

describe("the facts of a state", () => {
  it("make it anew, alone and behind those that made it: both files are read", () => {
    fc.assert(
      fc.property(happenings, (choices) => {
        const facts = factsFor(choices);
        const state = fold(facts);
        const known = (state: JobState) => JSON.stringify(factsOf(state, AT));
        assert.deepEqual(known(read(...factsOf(state, AT))), known(state));
        assert.deepEqual(known(read(...facts, ...factsOf(state, AT))), known(state));
        assert.deepEqual(known(read(...facts)), known(state));
        const { runs, ...rest } = read(...factsOf(state, AT));
        const plain = (value: object) => JSON.parse(JSON.stringify(value));
        assert.deepEqual(plain(rest), plain({ ...state, runs: undefined }));
        for (const run of runs) {
          const { hasSlot: _, ...before } = state.runs.find(({ number }) => number === run.number)!;
          assert.deepEqual({ ...plain(run), hasSlot: undefined }, { ...plain(before), hasSlot: undefined });
        }
      }),
      { numRuns: 500, includeErrorInReport: true },
    );
  });

  it("say nothing of a job that is not known, and no more once it was removed", () => {
    assert.deepEqual(factsOf(FRESH_STATE, AT), []);
    const text = lines([JOB, starting(1, 60), { type: "removed", at: AT }]);
    assert.equal(readJournal(text).size, 0);
    assert.equal(readJournal([...text, ...lines([starting(1, 120)])]).get(".")?.decided, 120);
  });

  it("hold the counts that there are, and the last twenty results, whatever a file says", () => {
    const long = { recent: "s".repeat(99), recentSeconds: Array(99).fill(1.5) };
    const past = { lastRun: 1, failures: 0, ...long, counts: { success: 1, missed: 2, other: 3 } };
    const state = readJournal(lines([{ ...JOB, past } as Fact])).get(".")!;
    assert.deepEqual(
      [state.counts, state.recent.length, state.recentSeconds?.length],
      [{ success: 1, missed: 2 }, 20, 20],
    );
  });

  it("keep that the listener has yielded", () => {
    const yielded: Fact = { type: "yielded", supervisor: "a", at: AT };
    assert.deepEqual(factsOf(remember(FRESH_STATE, yielded), AT + 9), [yielded]);
  });

  it("are believed up to 1,500 open runs of a job, 10,000 in all, and 20,000 jobs: the latest runs", () => {
    const open = (job: string, count: number, from = 0) =>
      lines(Array.from({ length: count }, (_, i) => ({ ...starting(from + i + 1, 60), job })));
    const numbersOf = (text: string[], job: string) =>
      readJournal(text)
        .get(job)!
        .runs.map((run) => run.number);
    assert.deepEqual(
      numbersOf(open("a", 1501), "a"),
      [...Array(1500).keys()].map((i) => i + 2),
    );
    assert.deepEqual(
      numbersOf(open("a", 1501).reverse(), "a"),
      [...Array(1500).keys()].map((i) => i + 2),
    );
    const many = Array.from({ length: 7 }, (_, i) => open(`job ${i}`, 1500)).flat();
    const believed = [...readJournal(many).values()].reduce((sum, { runs }) => sum + runs.length, 0);
    assert.ok(believed > 9000 && believed <= 10_000, `${believed}`);
    const jobs = Array.from({ length: 20_001 }, (_, i) => ({ ...JOB, job: `${i}` }));
    assert.equal(readJournal(lines(jobs)).size, 20_000);
    assert.equal(readJournal(lines([...jobs, { type: "removed", job: "1", at: AT }])).size, 19_999);
  });
});

describe("what is decided", () => {
  const at = (due: number) => ({ ...JOB, decided: due });
  const cases: Array<[title: string, facts: Fact[], decided: number | undefined, reached?: number]> = [
    ["nothing at first", [JOB], undefined],
    ["where the job begins", [at(60)], 60],
    ["the highest that is named", [at(60), starting(1, 180), starting(2, 120)], 180, 180],
    ["what waits, is skipped or was missed too", [at(60), waiting(120), skipped(180)], 180, 180],
    [
      "out of order too",
      [at(60), skipped(180), waiting(120), { type: "missed", due: 240, count: 9, at: AT }],
      240,
      240,
    ],
    ["what is made up for", [at(60), starting(1, 180, "catch-up")], 180, 180],
    [
      "not by hand, at the start or for an event",
      [at(60), ...(["signal", "remote", "start", "event"] as const).map((reason, i) => starting(i + 1, 180, reason))],
      60,
    ],
    [
      "not by a further attempt",
      [at(60), starting(1, 120), at(60), starting(1, 120, "schedule", { attempt: 2 })],
      60,
      120,
    ],
    ["where it begins anew; what was reached stays", [at(60), starting(1, 180), at(120)], 120, 180],
    ["not by what waited as it began anew", [waiting(180), at(60), starting(1, 180)], 60, 180],
    [
      "from where it goes on after a pause",
      [at(60), { type: "paused", id: "", at: AT }, { type: "resumed", decided: 180, count: 2, at: AT }],
      180,
    ],
    ["as it was where only its name has changed", [at(60), starting(1, 180), JOB], 180, 180],
  ];
  for (const [title, facts, decided, reached] of cases) {
    it(title, () => assert.deepEqual([fold(facts).decided, fold(facts).reached], [decided, reached]));
  }
});

describe("what a job has come to", () => {
  it("is counted, and the last twenty are kept", () => {
    const state = fold([
      starting(1, 60),
      ended(1, { result: "success", exit: 0 }),
      starting(2, 120),
      ended(2, { retryIn: 10 }),
      starting(2, 120, "schedule", { attempt: 2 }),
      ended(2, { result: "timeout" }),
      skipped(180),
      { type: "missed", due: 240, count: 1001, at: AT },
      starting(3, 300),
      { type: "dropped", run: 3, why: "held", at: AT },
      starting(4, 360),
      { type: "dropped", run: 4, why: "error", at: AT },
      starting(5, 420),
      ended(5, { retryIn: 10 }),
      { type: "dropped", run: 5, why: "due", result: "failure", at: AT + 1 },
    ]);
    assert.deepEqual([state.recent, state.failures, state.lastRun, state.runs], ["st---f", 2, 5, []]);
    assert.deepEqual(state.counts, { success: 1, timeout: 1, skipped: 2, missed: 1001, failure: 1 });
    assert.deepEqual(state.last, { run: 5, ...EXIT_3, at: AT + 1, due: 420, reason: "schedule", tail: undefined });
    assert.equal(state.lastSuccess, AT);
    assert.deepEqual(
      state.earlier?.map(({ run, result }) => `${run} ${result}`),
      ["1 success", "2 timeout"],
    );
    assert.equal(fold(Array.from({ length: 30 }, (_, i) => skipped(i))).recent, "-".repeat(20));
    const runs = Array.from({ length: 30 }, (_, i) => [starting(i + 1, i), ended(i + 1, { seconds: i })]).flat();
    assert.deepEqual(
      fold(runs).recentSeconds,
      Array.from({ length: 20 }, (_, i) => 10 + i),
    );
  });
  it("names the last tick, and the last event of which supervisord: one that comes again is known", () => {
    const event = (serial: number, supervisor?: string) => starting(serial, 60, "event", { serial, supervisor });
    const tick = starting(9, 120, "schedule", { serial: 7, supervisor: "a" });
    const { lastTick, lastEvent } = fold([tick, skipped(180), event(1, "a"), event(3, "b"), event(2)]);
    assert.deepEqual(
      { lastTick, lastEvent },
      { lastTick: { due: 120, serial: 7, supervisor: "a" }, lastEvent: { serial: 3, supervisor: "b" } },
    );
  });
});

// ── The file is not trusted ────────────────────────────────────────────────

describe("a journal", () => {
  const past = { lastRun: 9, failures: 1, recent: "f", counts: { failure: 1 } };
  const whole: Fact[] = [
    ...[JOB, starting(1, 60), started(1), { type: "ending", run: 1, cause: "stop", at: AT } as const, ended(1)],
    { type: "paused", id: "", at: AT },
    { type: "resumed", count: 0, at: AT },
  ];
  // What makes a line that is legal one that is not, by its type.
  const bad = {
    started: `type="toString" type="__proto__" type=["started"] type="job" at=-1 at="1" job=7 run=null start=1.5
      pid=1 pid=0 pid=-71 pid="71" pid=1e300`,
    starting: `due="60" due=-60 reason={} id=7 id="a\\u0000" serial=-1 attempt=[]`,
    ending: `cause="toString" cause=null`,
    ended: `result="constructor" exit={"toString":1} signal=[] seconds=-1 retryIn="9" error={}`,
    job: `name=7 decided=1e300 delay="7" past=null past=7 past={}`,
    paused: `until="7" until=-1`,
    resumed: `count=null decided=1e300`,
  };
  for (const [type, changes] of Object.entries(bad)) {
    for (const change of changes.split(/\s+/)) {
      it(`passes over a line of type ${type} with ${change}`, () => {
        const line = whole.find((fact) => fact.type === type)!;
        const text = lines([line])[0].replace(/}$/, `,"${change.replace("=", '":')}}`);
        const before = whole.slice(0, 3);
        assert.deepEqual(readJournal([...lines(before), text]), readJournal(lines(before)));
      });
    }
  }
  for (const change of [
    { counts: null },
    { lastTick: null },
    { lastEvent: {} },
    { last: 7 },
    { lastSuccess: "x" },
    { reached: "x" },
    { lastRun: -1 },
    { paused: null },
    { paused: { until: "x" } },
  ]) {
    it(`passes over a past with ${JSON.stringify(change)}`, () => {
      assert.deepEqual(read(JOB, { ...JOB, past: { ...past, ...change } }), read(JOB));
    });
  }
  it("passes over lines that are torn, or not its own", () => {
    const [job, start] = lines([JOB, starting(1, 60)]);
    const torn = ["", "null", "7", '"x"', "[]", "{}", start.slice(0, -5), `${start}${start}`, "\0", "x".repeat(1e5)];
    assert.deepEqual(readJournal([job, ...torn]), readJournal([job]));
  });
  it("believes of a missed due time that no tick brought it", () => {
    const missed: Fact = { type: "missed", due: 240, count: 2, at: AT };
    assert.deepEqual(read(JOB, { ...missed, serial: {} } as Fact), read(JOB, missed));
  });
  it("believes of a past what a past has", () => {
    const { runs, waiting, lastRun } = read({ ...JOB, past: { ...past, runs: [{ pid: 1 }], waiting: 7, x: 1 } });
    assert.deepEqual([runs, waiting, lastRun], [[], [], 9]);
  });
  it("never throws, and what it has read can be written and read again", () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom(1, 60, AT, "schedule", "failure", "timeout", null, past, { every: 60 }),
    );
    const fields =
      `run due id serial reason attempt pid start result seconds retryIn exit signal cause why name schedule
      past count decided was until`.split(/\s+/);
    const types = `job waiting skipped missed starting started ending ended dropped paused resumed removed finished held givenUp toString`;
    const type = fc.constantFrom(...types.split(" "));
    const line = fc
      .tuple(type, fc.dictionary(fc.constantFrom(...fields), value))
      .map(([type, more]) => JSON.stringify({ type, job: ".", at: AT, ...more }));
    const good = happenings.map((choices) => lines(factsFor(choices)));
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), line)), good, fc.nat(), (odd, good, place) => {
        const texts = [...good];
        for (const [i, text] of odd.entries()) texts.splice((place * (i + 1)) % (texts.length + 1), 0, text);
        for (const state of readJournal(texts).values()) {
          const again = read(...factsOf(state, AT));
          if (state.name !== undefined && state.schedule !== undefined) assert.equal(again.decided, state.decided);
          assert.ok(state.runs.every(({ pid }) => pid === undefined || pid > 1));
        }
      }),
      { numRuns: 500, includeErrorInReport: true },
    );
  });
});

it("a journal of version 0.1 is read: finished, givenUp, held, and a job with its name, its id and the past", () => {
  const job = { type: "job", job: "b", id: "i1", was: "a", schedule: { ticks: 5 }, at: AT };
  const last = { result: "failure", at: AT, seconds: 2 };
  const begun = { ...job, was: undefined, lastRun: 7, failures: 2, recent: "sff", last, lastDue: { due: 60, run: 7 } };
  const old = { run: 8, attempt: 1, due: 120, reason: "schedule", at: AT };
  const ofA = [
    { ...begun, job: "a" },
    { type: "starting", ...old, job: "a" },
  ];
  const texts = (...more: object[]) => [...ofA, job, ...more].map((line) => JSON.stringify({ job: "b", ...line }));
  const open = readJournal(texts()).get("b")!;
  assert.deepEqual([...readJournal(texts()).keys()], ["b"]);
  assert.deepEqual([open.id01, open.name, open.decided, open.recent, open.failures], ["i1", "b", 120, "sff", 2]);
  assert.deepEqual([open.runs.map(({ number, id }) => [number, id]), open.last?.exit], [[[8, "120 schedule"]], null]);
  const finished = { type: "finished", run: 8, attempt: 1, ...EXIT_3, at: AT };
  const ends: Array<[line: object, recent: string]> = [
    [finished, "sfff"],
    [{ type: "held", run: 8, due: 120, why: "held", at: AT }, "sff"],
    [{ type: "held", run: 8, due: 120, why: "error", at: AT }, "sff-"],
  ];
  for (const [line, recent] of ends) assert.deepEqual(readJournal(texts(line)).get("b")?.recent, recent);
  const given = readJournal(
    texts({ ...finished, retryIn: 9 }, { type: "givenUp", run: 8, result: "failure", at: AT }),
  ).get("b")!;
  assert.deepEqual([given.runs, given.recent, given.last?.seconds], [[], "sfff", 1.5]);
  const now = readJournal([...texts(), ...lines([{ ...JOB, job: "b" }])]).get("b")!;
  assert.deepEqual([now.id01, now.decided], [undefined, 120], "it is of version 0.1 no more");
});

describe("the log says of a fact", () => {
  const policy = { timeoutSeconds: 300, killAfterSeconds: 5, retries: 2 };
  const job = { options: { policy } } as unknown as Job;
  const run = { number: 1, due: AT, reason: "schedule", attempt: 1, pid: 71, since: 0, job, id: "x" } as Run;
  const ending = (cause: "timeout" | "stop" | "replace"): Fact => ({ type: "ending", run: 1, cause, at: AT });
  const dropped = (fields: object) => ({ type: "dropped", run: 1, at: AT, ...fields }) as Fact;
  const cases: Array<[fact: Fact, about?: Partial<Run>]> = [
    [JOB],
    [starting(1, AT)],
    [{ ...waiting(AT), why: "for the end of run 1" } as Fact],
    [{ ...skipped(AT, "signal"), why: "run 1 is starting" } as Fact],
    [started(1)],
    [started(1), { attempt: 2 }],
    [ending("timeout")],
    [ending("stop")],
    [ending("replace")],
    [ended(1, { result: "success", exit: 0 })],
    [ended(1)],
    [ended(1, { result: "timeout", exit: null, signal: "SIGKILL" })],
    [ended(1, { result: "interrupted", exit: 0 })],
    [ended(1, { error: "ENOENT" }), { pid: undefined }],
    [ended(1, { retryIn: 10 })],
    [ended(1, { why: "due" })],
    [ended(1, { error: "the listener was killed" }), { since: undefined }],
    [dropped({ why: "error", error: "exit 2" })],
    [dropped({ why: "busy", result: "failure" })],
    [{ type: "resumed", count: 1000, at: AT }],
    [{ type: "resumed", count: 1001, at: AT }],
  ];
  const texts = `nothing
    nothing
    the run due 2023-11-14T22:13:20Z waits for the end of run 1
    skipped the run due 2023-11-14T22:13:20Z (signal): run 1 is starting
    run 1 started (pid 71, due 2023-11-14T22:13:20Z, schedule)
    run 1 started (pid 71, due 2023-11-14T22:13:20Z, retry)
    run 1 timed out after 300s; sent SIGTERM, SIGKILL follows in 5s
    run 1 is being stopped; sent SIGTERM, SIGKILL follows in 5s
    run 1 is being replaced; sent SIGTERM, SIGKILL follows in 5s
    run 1 finished: exit 0, 1.5s
    run 1 failed: exit 3, 1.5s
    run 1 timed out: SIGKILL, 1.5s
    run 1 interrupted: exit 0, 1.5s
    run 1 failed to start: ENOENT
    run 1 failed: exit 3, 1.5s; attempt 2 of 3 in 10s
    run 1 failed: exit 3, 1.5s; not tried again: the next run is due first
    run 1, due 2023-11-14T22:13:20Z, was interrupted: the listener was killed
    run 1, due 2023-11-14T22:13:20Z, does not start: held back, since --only-if failed (exit 2)
    run 1 is not tried again: another run is still going
    resumed; 1000 due times went by while it was paused
    resumed; over 1,000 due times went by while it was paused`.split(/\n +/);
  cases.forEach(([fact, about], i) => {
    it(texts[i], () => assert.equal(describeFact(fact, { ...run, ...about }) ?? "nothing", texts[i]));
  });
});
