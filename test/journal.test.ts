// The run journal, and what it and the counter file are for: after any crash nothing is counted twice, forgotten, or
// started a second time. End to end through dist/listener.js; SUPERTICK_RUNTIME chooses what runs it.

import * as assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { describe, it, type TestContext } from "node:test";
import { Worker } from "node:worker_threads";
import * as fc from "fast-check";
import {
  createJobState,
  type DueRun,
  formatTime,
  type JobAction,
  type JobInput,
  type JobPast,
  type JobPolicy,
  type JournalRecord,
  NO_PAST,
  parseCounter,
  type Reason,
  type Run,
  readJournal,
  recordOf,
  step,
} from "../listener";
import { createChance, pause } from "./chance";
import { atEnd, FIXTURES, HUMBLE, LISTENER, PERMISSIONS, RUNTIME, runtimeWith, temporaryDirectory } from "./harness";
import { type Options, Supervisord } from "./supervisord";

const EACH_TICK = ["--ticks", "1", "--", "/bin/true"];

// ── Helpers ────────────────────────────────────────────────────────────────

/** A listener whose counter file is `file`; it is ended with the test. */
async function listen(t: TestContext, file: string, args = EACH_TICK, options: Options = {}): Promise<Supervisord> {
  return Supervisord.during(t, { args: ["--state", file, ...args], ...options });
}

interface Line {
  type: string;
  at: number;
  job?: string;
  run?: number;
  due?: number;
  pid?: number;
  start?: number;
  reason?: string;
  result?: string;
  error?: string;
  lastRun?: number;
  id?: string;
}

function tryParse(text: string): Line | undefined {
  try {
    const value = JSON.parse(text);
    return typeof value?.type === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The lines of the journal, the oldest first; torn ones are left out. */
function lines(file: string, ...types: string[]): Line[] {
  const text = [`${file}.runs.1`, `${file}.runs`].map((name) =>
    fs.existsSync(name) ? fs.readFileSync(name, "utf8") : "",
  );
  const all = text.join("").split("\n").map(tryParse);
  return all.filter((line): line is Line => line !== undefined && (types.length === 0 || types.includes(line.type)));
}

function write(file: string, ...records: object[]): void {
  fs.writeFileSync(file, records.map((record) => `${JSON.stringify({ at: 1700000000, ...record })}\n`).join(""));
}

const job = (lastRun: number) => ({
  type: "job",
  job: "job",
  schedule: { ticks: 1 },
  lastRun,
  failures: 0,
  recent: "",
});
const starting = (run: number, more: object = {}) => ({
  type: "starting",
  job: "job",
  run,
  attempt: 1,
  due: 1700000000,
  reason: "schedule",
  ...more,
});
const started = (run: number, pid: number, start: number) => ({
  type: "started",
  job: "job",
  run,
  attempt: 1,
  pid,
  start,
});
const finished = (run: number) => ({
  ...{ type: "finished", job: "job", run, attempt: 1 },
  ...{ result: "success", seconds: 1, exit: 0, signal: null },
});

function startTimeOf(pid: number): number {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
}

/** A process as an earlier listener would have left it: the leader of a group of its own. */
function leaveProcess(
  t: TestContext,
  command = "/bin/sleep",
  args = ["1000"],
): ChildProcess & { pid: number; start: number } {
  const child = spawn(command, args, { detached: true, stdio: "ignore" });
  atEnd(t, () => child.exitCode === null && child.signalCode === null && child.kill("SIGKILL"));
  return Object.assign(child, { pid: child.pid as number, start: startTimeOf(child.pid as number) });
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {} // it is gone
}

// ── What is read ───────────────────────────────────────────────────────────

const readPast = (texts: string[]) => readJournal(texts).get("job") ?? NO_PAST;
const text = (...records: object[]) => records.map((record) => JSON.stringify({ at: 1, ...record }));

describe("a journal says", () => {
  const cases: Array<[title: string, texts: string[], lastRun: number, openRuns: number[]]> = [
    ["nothing when it is empty", [""], 0, []],
    ["which run was the last, and that it has ended", text(job(0), starting(1), started(1, 50, 9), finished(1)), 1, []],
    ["which run has not ended", text(starting(1), finished(1), starting(2), started(2, 50, 9)), 2, [2]],
    ["which run may not even have started", text(starting(7)), 7, [7]],
    ["how far runs were numbered in the file before", text(job(41)), 41, []],
    ["more than one unfinished run", text(starting(1), starting(2)), 2, [1, 2]],
    ["nothing by a line that is torn", [...text(starting(1)), '{"type":"finished","run":1'], 1, [1]],
    ["nothing by a type that it does not know", text({ type: "of another version", run: 9 }), 0, []],
    ["nothing by a start or an end without a beginning", text(started(3, 50, 9), finished(4)), 0, []],
  ];
  for (const [title, texts, lastRun, openRuns] of cases) {
    it(title, () => {
      const past = readPast(texts);
      assert.equal(past.lastRun, lastRun);
      assert.deepEqual(
        past.openRuns.map((run) => run.starting.run),
        openRuns,
      );
    });
  }

  const failed = (run: number, more: object = {}) => ({ ...finished(run), result: "failure", exit: 3, ...more });

  it("which run waits for its next attempt, and how the last one ended", () => {
    const [run] = readPast(text(starting(1), started(1, 50, 9), failed(1, { retryIn: 10 }))).openRuns;
    assert.deepEqual([run.finished?.exit, run.finished?.retryIn], [3, 10]);
  });

  it("nothing of an attempt any more when the next one has begun", () => {
    const texts = text(starting(1), started(1, 50, 9), failed(1, { retryIn: 10 }), starting(1, { attempt: 2 }));
    const [{ starting: line, ...rest }] = readPast(texts).openRuns;
    assert.deepEqual([line.attempt, rest], [2, {}]);
  });

  it("that a run is over which was given up, or held back", () => {
    const givenUp = { type: "givenUp", job: "job", run: 1, result: "failure" };
    assert.deepEqual(readPast(text(starting(1), failed(1, { retryIn: 10 }), givenUp)).openRuns, []);
    const held = { type: "held", job: "job", run: 1, due: 1, why: "held" };
    assert.deepEqual(readPast(text(starting(1), held)).openRuns, []);
  });

  it("how many runs in a row have failed", () => {
    const count = (...records: object[]) => readPast(text(...records)).failures;
    assert.equal(count(), 0);
    assert.equal(count(failed(1), failed(2)), 2);
    assert.equal(count(failed(1), finished(2), failed(3)), 1);
    assert.equal(count(failed(1, { retryIn: 1 }), failed(1)), 1, "an attempt is no run");
    assert.equal(count({ ...job(5), failures: 4 }, failed(6)), 5);
    for (const failures of [-1, 1.5, "x", null]) assert.equal(count(failed(1), { ...job(5), failures }), 1);
  });

  it("what the last twenty due times came to", () => {
    const recent = (...records: object[]) => readPast(text(...records)).recent;
    const timedOut = { ...finished(3), result: "timeout" };
    const skipped = { type: "skipped", job: "job", due: 1, reason: "schedule" };
    const held = (why: string) => ({ type: "held", job: "job", run: 1, due: 1, why });
    assert.equal(recent(finished(1), failed(2), timedOut, skipped, held("error")), "sft--");
    assert.equal(recent(failed(1, { retryIn: 9 }), { type: "missed", job: "job", due: 1, count: 5 }), "-");
    assert.equal(recent(held("held")), "", "what another replica runs is nothing to tell");
    assert.equal(
      recent(...Array.from({ length: 30 }, (_, i) => (i < 15 ? failed(i + 1) : finished(i + 1)))).length,
      20,
    );
    assert.equal(recent({ ...job(9), recent: "fffs" }, failed(10)), "fffsf");
  });

  it("the result of the last run, when that was, and how long its last attempt took", () => {
    const last = (...records: object[]) => readPast(text(...records)).last;
    assert.equal(last(starting(1)), undefined);
    assert.deepEqual(last(failed(1, { at: 7 }), finished(2)), { result: "success", at: 1, seconds: 1 });
    const givenUp = { type: "givenUp", job: "job", run: 1, result: "failure", at: 9 };
    assert.deepEqual(last(starting(1), failed(1, { seconds: 4, retryIn: 10 }), givenUp), {
      ...{ result: "failure", at: 9, seconds: 4 },
    });
    const kept = { result: "success", at: 5, seconds: 0.5 };
    assert.deepEqual(last({ ...job(3), last: kept }), kept);
    for (const bad of [7, null, {}, { ...kept, at: "x" }, { ...kept, result: "?" }])
      assert.equal(last({ ...job(3), last: bad }), undefined);
  });

  it("each job by its name, also after it got another one, and no more after it was removed", () => {
    const other = { ...finished(1), job: "other" };
    const named = (...records: object[]) => [...readJournal(text(...records)).keys()];
    assert.deepEqual(named(starting(1), other), ["job", "other"]);
    assert.deepEqual(named(starting(1), other, { type: "removed", job: "job" }), ["other"]);
    const past = readJournal(text(starting(4), other, { ...job(0), job: "new", was: "job", lastRun: 0 }));
    assert.deepEqual([...past.keys()], ["other", "new"]);
    assert.equal(past.get("new")?.lastRun, 4);
    assert.equal(past.get("new")?.openRuns.length, 1);
  });

  // Each would do harm further on: a due time that no date can show, a run number that no next one follows, a pid whose
  // group is every process (kill -1) or our own.
  const hostile: Array<[title: string, record: object]> = [
    ["a due time beyond all dates", starting(5, { due: 1e300 })],
    ["a due time before all dates", starting(5, { due: -1e300 })],
    ["a due time that is no number", starting(5, { due: "x" })],
    ["a run without a number", { ...starting(5), run: undefined }],
    ["a run number as text", { ...starting(5), run: "5" }],
    ["a run number beyond counting", starting(1e300)],
    ["a run number below 1", starting(-3)],
    ["a run number between two", starting(1.5)],
    ["a last run beyond counting", job(1e300)],
  ];
  for (const [title, record] of hostile) {
    it(`nothing by ${title}`, () => {
      const { lastRun, openRuns } = readPast(text(record));
      assert.deepEqual({ lastRun, openRuns }, { lastRun: 0, openRuns: [] });
    });
  }
  // What has no text throws where a text is made of it, and would end each next listener at its start.
  for (const key of ["was", "reason", "recent", "exit", "signal", "error"]) {
    it(`nothing of a line in which ${key} is an object`, () => {
      const texts = text(job(0), starting(5), finished(5)).map((line) =>
        JSON.stringify({ ...JSON.parse(line), [key]: { toString: 0 } }),
      );
      assert.deepEqual([...readJournal(texts)], []);
    });
  }
  for (const pid of [1, 0, -1, -5, 1.5, 1e300]) {
    it(`nothing by a process with pid ${pid}, whose group is no job's`, () => {
      const [run] = readPast(text(starting(5), started(5, pid, 1))).openRuns;
      assert.equal(run.started, undefined);
    });
  }

  // A listener that is killed while it begins a new file has written only a part of what it knew into that.
  it("which process a run has, also when its beginning stands there a second time", () => {
    const [run] = readPast(text(starting(5), started(5, 50, 9), starting(5))).openRuns;
    assert.equal(run.started?.pid, 50);
  });

  it("what it says whatever else is in it", () => {
    const junk = fc.oneof(
      fc.string(),
      fc.string({ unit: "binary" }),
      fc.json(),
      fc.constant('{"type":"__proto__","at":1}'),
    );
    const record = fc.oneof(
      fc.integer({ min: 1, max: 20 }).map((run) => starting(run)),
      fc.integer({ min: 1, max: 20 }).map((run) => finished(run)),
    );
    fc.assert(
      fc.property(fc.array(record), fc.array(fc.tuple(fc.nat(), junk)), (records, junks) => {
        const clean = text(...records);
        const dirty = [...clean];
        for (const [at, junk] of junks) dirty.splice(at % (dirty.length + 1), 0, ...junk.split("\n"));
        assert.deepEqual(readPast(dirty), readPast(clean));
      }),
    );
  });
});

it("a delay that is no number of seconds makes a line that is ignored", () => {
  for (const delay of ["x", -1, 1.5, null, {}]) assert.equal(readJournal(text({ ...job(0), delay })).size, 0);
});

it("the last due time is that of the last run, whatever a new file repeats of older ones and a retry adds", () => {
  const [older, last] = [starting(1, { due: 1700000000, serial: 1 }), starting(2, { due: 1700000060, serial: 2 })];
  const lastDue = { due: 1700000060, run: 2, serial: 2 };
  const newFile = [{ ...job(2), lastDue }, older];
  assert.deepEqual(readPast(text(older, last, ...newFile)).lastDue, lastDue);
  assert.deepEqual(readPast(text(...newFile)).lastDue, lastDue);
  assert.deepEqual(
    readPast(text(older, last, starting(1, { due: 1700000000, serial: 1, attempt: 2 }))).lastDue,
    lastDue,
  );
  assert.equal(readPast(text({ ...job(2), lastDue: { due: "x" } })).lastDue, undefined);
});

it("and a new file says it", async (t) => {
  const file = `${temporaryDirectory(t)}/state`;
  const old = Array.from({ length: 2500 }, (_, i) => finished(i + 1));
  write(`${file}.runs`, job(0), ...old, starting(2501, { due: 1_700_000_000, serial: 1 }), finished(2501));
  const supervisord = await listen(t, file, ["--ticks", "5", "--", `${FIXTURES}/exit-0`]);
  supervisord.signal("SIGUSR2");
  await supervisord.waitForLog(/run 2502 finished: exit 0/);
  fs.unlinkSync(`${file}.runs.1`);
  const { lastDue } = readPast(fs.readFileSync(`${file}.runs`, "utf8").split("\n"));
  assert.deepEqual(lastDue, { due: 1_700_000_000, run: 2501, serial: 1 });
});

it("a new journal holds what goes on, however much that is, and is not begun anew for each line", async (t) => {
  const file = `${temporaryDirectory(t)}/state`;
  const runs = Array.from({ length: 1500 }, (_, i) => starting(i + 1, { due: 1700000000 + i, reason: "event" }));
  write(`${file}.runs`, job(0), ...runs, ...runs);
  const supervisord = await listen(t, file, ["--ticks", "1", "--", `${FIXTURES}/exit-0`]);
  await supervisord.tick();
  await supervisord.waitForLog(/run 1501 finished: exit 0/);
  assert.ok(fs.statSync(`${file}.runs.1`).size > 256 * 1024);
  assert.deepEqual(readPast(fs.readFileSync(`${file}.runs`, "utf8").split("\n")).openRuns, []);
});

// ── What is written ────────────────────────────────────────────────────────

describe("the journal of a run", { concurrency: 4 }, () => {
  it("tells the job, what was about to start, what started and how it ended", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const before = Date.now() / 1000;
    const supervisord = await listen(t, file, ["--ticks", "1", "--", `${FIXTURES}/exit-3`]);
    const { serial } = await supervisord.tick();
    await supervisord.waitForLog(/run 1 failed/);
    const [first, ...run] = lines(file);
    for (const line of lines(file)) assert.ok(line.at >= before && line.at <= Date.now() / 1000);
    assert.deepEqual({ ...first, at: 0 }, { type: "job", job: "job", schedule: { ticks: 1 }, id: first.id, at: 0 });
    const { pid, start } = run[1];
    const [, logged] = await supervisord.waitForLog(/run 1 started \(pid (\d+)/);
    assert.equal(pid, Number(logged));
    assert.ok(Number.isInteger(start));
    assert.deepEqual(
      run.map((line) => ({ ...line, at: 0, seconds: 0 })),
      [
        { ...starting(1, { due: supervisord.clock }), serial, at: 0, seconds: 0 },
        { ...started(1, pid ?? 0, start ?? 0), at: 0, seconds: 0 },
        { ...finished(1), result: "failure", exit: 3, at: 0, seconds: 0 },
      ],
    );
  });

  const ends: Array<[fixture: string, end: object]> = [
    ["exit-0", { result: "success", exit: 0, signal: null }],
    ["die-by-sigkill", { result: "failure", exit: null, signal: "SIGKILL" }],
    ["no-such-file", { result: "failure", exit: null, signal: null }],
  ];
  for (const [fixture, end] of ends) {
    it(`tells how ${fixture} ended`, async (t) => {
      const file = `${temporaryDirectory(t)}/state`;
      const supervisord = await listen(t, file, ["--ticks", "1", "--", `${FIXTURES}/${fixture}`]);
      await supervisord.tick();
      const [line] = await supervisord.until(
        () => lines(file, "finished").length > 0 && lines(file, "finished"),
        "the end",
      );
      assert.deepEqual({ ...line, ...end }, line);
    });
  }

  it("tells what was skipped", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const supervisord = await listen(t, file, ["--ticks", "1", "--", "sleep", "1000"]);
    await supervisord.tick();
    await supervisord.tick();
    const skipped = () => lines(file, "skipped")[0];
    const { due, reason } = await supervisord.until(skipped, "the skipped run");
    assert.deepEqual([due, reason], [supervisord.clock, "schedule"]);
  });
});

// ── What an earlier listener left ──────────────────────────────────────────

describe("a run that an earlier listener left", { concurrency: 4 }, () => {
  it("goes on when that one is killed: no second run starts beside it, and its end is told", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const supervisord = await listen(t, file, ["--ticks", "1", "--", "sleep", "1000"]);
    await supervisord.tick();
    const [, pid] = await supervisord.waitForLog(/run 1 started \(pid (\d+)/);
    await supervisord.restartListener();
    await supervisord.waitForLog(new RegExp(`run 1 of an earlier listener is still going \\(pid ${pid}\\)`));
    await supervisord.tick();
    await supervisord.waitForLog(new RegExp(`skipped the run .*: run 1 is still going \\(pid ${pid}\\)`));
    assert.deepEqual(supervisord.jobProcesses(), [Number(pid)]);
    process.kill(Number(pid), "SIGKILL");
    await supervisord.waitForLog(/run 1 finished: exit status unknown/);
    await supervisord.tick();
    await supervisord.waitForLog(/run 2 started/);
    assert.deepEqual(
      lines(file, "starting", "finished").map(({ type, run }) => [type, run]),
      [
        ["starting", 1],
        ["finished", 1],
        ["starting", 2],
      ],
    );
  });

  it("and that ended after that one was killed is told as interrupted", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const supervisord = await listen(t, file, ["--ticks", "1", "--", "sleep", "1000"]);
    await supervisord.tick();
    const [, pid] = await supervisord.waitForLog(/run 1 started \(pid (\d+)/);
    await supervisord.killListener();
    process.kill(Number(pid), "SIGKILL");
    await supervisord.until(() => supervisord.jobProcesses().length === 0, "the end of the run");
    await supervisord.restartListener();
    await supervisord.waitForLog(/run 1, due .*, was interrupted/);
    const [end] = await supervisord.until(
      () => lines(file, "finished").length > 0 && lines(file, "finished"),
      "the end in the journal",
    );
    assert.deepEqual([end.run, end.result], [1, "interrupted"]);
  });

  it("is told as interrupted once, and the next one has the next number", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    write(`${file}.runs`, starting(6), finished(6), starting(7), started(7, process.pid, 1));
    const supervisord = await listen(t, file);
    await supervisord.waitForLog(/run 7, due 2023-11-14T22:13:20Z, was interrupted/);
    await supervisord.tick();
    await supervisord.waitForLog(/run 8 finished/);
    const [, told] = lines(file, "finished");
    assert.deepEqual([told.run, told.result], [7, "interrupted"]);
    await supervisord.restartListener();
    await supervisord.tick();
    await supervisord.waitForLog(/run 9 finished/);
    assert.equal(supervisord.stderr.match(/interrupted/g)?.length, 1);
  });

  it("is the running run while its process lives, and nothing starts beside it", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const left = leaveProcess(t);
    write(`${file}.runs`, starting(7), started(7, left.pid, left.start));
    const supervisord = await listen(t, file);
    await supervisord.waitForLog(new RegExp(`run 7 of an earlier listener is still going \\(pid ${left.pid}\\)`));
    await supervisord.tick();
    await supervisord.waitForLog(new RegExp(`skipped the run .*: run 7 is still going \\(pid ${left.pid}\\)`));
    left.kill("SIGKILL");
    await supervisord.waitForLog(/run 7 finished: exit status unknown/);
    await supervisord.tick();
    await supervisord.waitForLog(/run 8 finished: exit 0/);
    assert.equal(lines(file, "finished").find((line) => line.run === 7)?.result, "interrupted");
  });

  it("and whose end nobody has noticed yet does not hold up a due run", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const left = leaveProcess(t);
    write(`${file}.runs`, starting(7), started(7, left.pid, left.start));
    const supervisord = await listen(t, file);
    await supervisord.waitForLog(/run 7 of an earlier listener/);
    const gone = new Promise((resolve) => left.once("exit", resolve));
    left.kill("SIGKILL");
    await gone;
    await supervisord.tick();
    await supervisord.waitForLog(/run 8 finished: exit 0/);
    assert.doesNotMatch(supervisord.stderr, /skipped/);
  });

  it("is ended by a stop, with its group", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const left = leaveProcess(t);
    write(`${file}.runs`, starting(7), started(7, left.pid, left.start));
    const supervisord = await listen(t, file);
    await supervisord.waitForLog(/run 7 of an earlier listener/);
    assert.deepEqual(await supervisord.stop(), { code: 0, signal: null });
    await new Promise((resolve) => (left.signalCode === null ? left.once("exit", resolve) : resolve(0)));
    assert.equal(left.signalCode, "SIGTERM");
  });

  it("is ended by its time-out, counted from its own start", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const left = leaveProcess(t);
    write(`${file}.runs`, starting(7), { ...started(7, left.pid, left.start), at: Date.now() / 1000 - 3599 });
    const supervisord = await listen(t, file, ["--timeout", "1h", ...EACH_TICK]);
    await supervisord.waitForLog(/run 7 timed out/);
    await supervisord.waitForLog(/run 7 finished/);
    assert.equal(lines(file, "finished")[0].result, "timeout");
  });

  /** A group whose leader is gone, as of a shell that SIGTERM has ended and whose command cleans up. */
  async function leaveGroup(t: TestContext): Promise<{ pid: number; start: number; member: number }> {
    const env = { PATH: process.env.PATH, SUPERTICK_JOB: "job", SUPERTICK_RUN: "7" };
    const child = spawn("/bin/sh", ["-c", "sleep 1000 & echo $!; read line"], { detached: true, env });
    const pid = child.pid as number;
    atEnd(t, () => tryKill(-pid));
    const start = startTimeOf(pid);
    const [output] = await once(child.stdout, "data");
    child.stdin.end();
    await once(child, "exit");
    return { pid, start, member: Number(output) };
  }
  const isThere = (pid: number) =>
    fs.existsSync(`/proc/${pid}`) && !/ Z /.test(fs.readFileSync(`/proc/${pid}/stat`, "latin1"));
  const ending = (run: number) => ({ type: "ending", job: "job", run, cause: "timeout", at: Date.now() / 1000 });

  it("that was being ended has its grace, though its leader is gone, and nothing starts beside it", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const { pid, start, member } = await leaveGroup(t);
    write(`${file}.runs`, starting(7), started(7, pid, start), ending(7));
    const supervisord = await listen(t, file, ["--kill-after", "1h", ...EACH_TICK]);
    await supervisord.waitForLog(new RegExp(`run 7 of an earlier listener is still being ended \\(pid ${pid}\\)`));
    await supervisord.tick();
    await supervisord.waitForLog(/skipped the run .*: run 7 is still going/);
    assert.ok(isThere(member));
    process.kill(member, "SIGKILL");
    await supervisord.waitForLog(/run 7 finished: exit status unknown/);
    await supervisord.tick();
    await supervisord.waitForLog(/run 8 finished: exit 0/);
    assert.equal(lines(file, "finished").find((line) => line.run === 7)?.result, "timeout");
  });

  it("that was being ended is killed when its grace is over", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const { pid, start, member } = await leaveGroup(t);
    write(`${file}.runs`, starting(7), started(7, pid, start), ending(7));
    const supervisord = await listen(t, file, ["--kill-after", "1s", ...EACH_TICK]);
    await supervisord.waitForLog(/run 7: sent SIGKILL/);
    await supervisord.until(() => !isThere(member), "its end");
  });

  it("that had ended by itself is over, whatever it has left in its group", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const { pid, start, member } = await leaveGroup(t);
    write(`${file}.runs`, starting(7), started(7, pid, start));
    const supervisord = await listen(t, file);
    await supervisord.waitForLog(/run 7, .* was interrupted/);
    await supervisord.tick();
    await supervisord.waitForLog(/run 8 finished: exit 0/);
    assert.ok(isThere(member));
  });

  it("that was being ended is not taken for another run's group that has its number now", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const { pid, start, member } = await leaveGroup(t);
    write(`${file}.runs`, starting(8), started(8, pid, start), ending(8));
    const supervisord = await listen(t, file, ["--kill-after", "1s", ...EACH_TICK]);
    await supervisord.waitForLog(/run 8, .* was interrupted/);
    await supervisord.stop();
    assert.ok(isThere(member));
  });

  it("writes down that it is being ended", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const supervisord = await listen(t, file, ["--timeout", "1s", "--ticks", "1", "--", "/bin/sleep", "1000"]);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 finished: SIGTERM/);
    assert.deepEqual(
      lines(file).map(({ type }) => type),
      ["job", "starting", "started", "ending", "finished"],
    );
  });

  it("is not taken for another process that has its pid now", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const other = leaveProcess(t);
    write(`${file}.runs`, starting(7), started(7, other.pid, other.start - 1));
    const supervisord = await listen(t, file);
    await supervisord.waitForLog(/run 7, .* was interrupted/);
    await supervisord.stop();
    assert.equal(other.exitCode ?? other.signalCode, null, "the other process is not touched");
  });
});

// ── What is found in its place ─────────────────────────────────────────────

describe("whatever stands in the place of the journal, jobs run", { concurrency: 4 }, () => {
  it("a torn last line is ignored, and the next one is whole", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const torn = JSON.stringify(starting(8)).slice(0, -10);
    fs.writeFileSync(`${file}.runs`, `${text(starting(7), finished(7)).join("\n")}\n${torn}`);
    const supervisord = await listen(t, file);
    await supervisord.tick();
    await supervisord.waitForLog(/run 8 finished/);
    const unreadable = fs
      .readFileSync(`${file}.runs`, "utf8")
      .split("\n")
      .filter((line) => line !== "" && !tryParse(line));
    assert.deepEqual(unreadable, [torn]);
  });

  it("a torn last line of the file before does not hide the first of this one", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    fs.writeFileSync(`${file}.runs.1`, `${text(starting(7), finished(7)).join("\n")}\n{"type":"skip`);
    write(`${file}.runs`, job(41));
    const supervisord = await listen(t, file);
    await supervisord.tick();
    await supervisord.waitForLog(/run 42 finished/);
  });

  const contents: Array<[title: string, content: string | Buffer]> = [
    ["nothing", ""],
    ["binary", Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7) % 256))],
    ["a due time beyond all dates", `${text(starting(5, { due: 1e300 })).join("\n")}\n`],
    ["numbers as text", '{"type":"starting","run":"5","attempt":1,"due":"x","at":1}\n'],
    ["JSON that is no object", 'null\n[]\n5\n"starting"\n{}\n{"type":null}\n'],
    ["no end of a line in 1 MB", "x".repeat(1_000_000)],
  ];
  for (const [title, content] of contents) {
    it(`it holds ${title}`, async (t) => {
      const file = `${temporaryDirectory(t)}/state`;
      fs.writeFileSync(`${file}.runs`, content);
      const supervisord = await listen(t, file);
      await supervisord.tick();
      await supervisord.waitForLog(/run \d+ finished: exit 0/);
      await supervisord.until(
        () => lines(file, "finished").some((line) => line.result === "success"),
        "the end in the journal",
      );
    });
  }

  function assertWarnedOnce(supervisord: Supervisord, file: string, code: string): void {
    const told = supervisord.stderr.split("\n").filter((line) => line.includes("cannot write"));
    assert.deepEqual(told, [`supertick: job: cannot write ${file}.runs: ${code}; runs are not recorded until it can`]);
  }

  it("a directory: one warning", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    fs.mkdirSync(`${file}.runs`);
    const supervisord = await listen(t, file);
    for (const run of [1, 2]) {
      await supervisord.tick();
      await supervisord.waitForLog(new RegExp(`run ${run} finished: exit 0`));
    }
    assertWarnedOnce(supervisord, file, "EISDIR");
    fs.rmdirSync(`${file}.runs`);
    await supervisord.tick();
    await supervisord.waitForLog(/run 3 finished: exit 0/);
    assert.deepEqual(
      lines(file, "finished").map((line) => line.run),
      [1, 2, 3],
    );
  });

  it("a run that ends while nothing can be written is not taken for one that was interrupted", async (t) => {
    const directory = temporaryDirectory(t);
    const file = `${directory}/state`;
    const command = ["/bin/sh", "-c", `until [ -e ${directory}/end ]; do sleep 0.05; done`];
    const args = ["--ticks", "1", "--tick", "TICK_60", "--name", "job", "--retries", "3", "--", ...command];
    const supervisord = await listen(t, file, args);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 started/);
    fs.renameSync(`${file}.runs`, `${file}.aside`);
    fs.mkdirSync(`${file}.runs`);
    fs.writeFileSync(`${directory}/end`, "");
    await supervisord.waitForLog(/run 1 finished: exit 0/);
    fs.rmdirSync(`${file}.runs`);
    fs.renameSync(`${file}.aside`, `${file}.runs`);
    await supervisord.tick();
    await supervisord.waitForLog(/run 2 finished: exit 0/);
    await supervisord.restartListener();
    await supervisord.tick();
    await supervisord.waitForLog(/run 3 finished: exit 0/);
    assert.doesNotMatch(supervisord.stderr, /interrupted/);
    const types = lines(file, "starting").map(({ run }) => run);
    assert.deepEqual(types, [1, 2, 3]);
    assert.deepEqual(
      lines(file, "finished").map(({ run, result }) => [run, result]),
      [1, 2, 3].map((run) => [run, "success"]),
    );
  });

  it("a file that may not be written: one warning", PERMISSIONS, async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    fs.writeFileSync(`${file}.runs`, `${text(job(41)).join("\n")}\n`, { mode: 0o400 });
    const command = [...HUMBLE, ...RUNTIME, LISTENER, "--state", file, ...EACH_TICK];
    const supervisord = await listen(t, "", [], { command });
    for (const run of [42, 43]) {
      await supervisord.tick();
      await supervisord.waitForLog(new RegExp(`run ${run} finished: exit 0`));
    }
    assertWarnedOnce(supervisord, file, "EACCES");
    fs.chmodSync(`${file}.runs`, 0o600);
    await supervisord.tick();
    await supervisord.waitForLog(/run 44 finished: exit 0/);
    assert.deepEqual(
      lines(file, "finished").map((line) => line.run),
      [42, 43, 44],
    );
  });

  it("a link: it is not followed, for what it names may be anybody's", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    fs.writeFileSync(`${file}.precious`, "mine\n");
    fs.symlinkSync(`${file}.precious`, `${file}.runs`);
    const supervisord = await listen(t, file);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 finished: exit 0/);
    assertWarnedOnce(supervisord, file, "ELOOP");
    assert.equal(fs.readFileSync(`${file}.precious`, "utf8"), "mine\n");
  });

  for (const name of ["runs", "runs.1"]) {
    it(`a FIFO as FILE.${name} does not hang it`, async (t) => {
      const file = `${temporaryDirectory(t)}/state`;
      execFileSync("mkfifo", [`${file}.${name}`]);
      const supervisord = await listen(t, file);
      await supervisord.tick();
      await supervisord.waitForLog(/run 1 finished: exit 0/);
    });
  }
});

// ── Rotation ───────────────────────────────────────────────────────────────

it("the only job of a listener keeps its past under a new name, whatever else changes, and the old name is gone", async (t) => {
  const file = `${temporaryDirectory(t)}/state`;
  write(`${file}.runs`, job(40), {
    type: "finished",
    run: 40,
    attempt: 1,
    at: 1,
    job: "job",
    result: "timeout",
    seconds: 1,
  });
  const args = ["--state", file, "--ticks", "7", "--name", "new", "--", "/bin/true"];
  const supervisord = await listen(t, file, [], { args });
  await supervisord.tick();
  await supervisord.restartListener();
  await supervisord.tick();
  supervisord.signal("SIGUSR2");
  await supervisord.waitForLog(/new: run 41 finished/);
  const pasts = readJournal(fs.readFileSync(`${file}.runs`, "utf8").split("\n"));
  assert.deepEqual([...pasts.keys()], ["new"]);
  assert.equal(pasts.get("new")?.recent, "ts");
});

describe("what waits for the run before", () => {
  const waiting = (due: number, more: object = {}) => ({
    type: "waiting",
    job: "job",
    due,
    reason: "schedule",
    at: 1,
    ...more,
  });
  const dues = (...records: object[]) =>
    readPast(records.map((record) => JSON.stringify({ at: 1, ...record }))).waiting.map(({ due, serial }) => [
      due,
      serial,
    ]);

  const cases: Array<[title: string, records: object[], left: Array<[number, number | undefined]>]> = [
    [
      "is remembered, the oldest first",
      [waiting(300, { serial: 5 }), waiting(360, { serial: 6 })],
      [
        [300, 5],
        [360, 6],
      ],
    ],
    [
      "until it starts",
      [waiting(300, { serial: 5 }), waiting(360, { serial: 6 }), starting(1, { due: 300, serial: 5 })],
      [[360, 6]],
    ],
    [
      "until it is skipped",
      [waiting(300, { serial: 5 }), { type: "skipped", job: "job", due: 300, reason: "schedule" }],
      [],
    ],
    ["once, however often it is written", [waiting(300, { serial: 5 }), waiting(300, { serial: 5 })], [[300, 5]]],
    [
      "and is not taken for another reason's",
      [waiting(300), starting(1, { due: 300, reason: "signal" })],
      [[300, undefined]],
    ],
    ["but not without its due time", [{ type: "waiting", job: "job", reason: "schedule" }], []],
  ];
  for (const [title, records, left] of cases) it(title, () => assert.deepEqual(dues(...records), left));

  it("is not made due a second time by the tick that made it wait", () => {
    const past = readPast([JSON.stringify(waiting(300, { serial: 5 }))]);
    assert.deepEqual({ ...past.lastDue }, { due: 300, run: undefined, serial: 5 });
  });
});

describe("over 256 KiB the journal begins anew", { concurrency: 2 }, () => {
  const padding =
    `${JSON.stringify({ type: "skipped", at: 1, job: "job", due: 1, reason: "x".repeat(1000) })}\n`.repeat(260);

  /** Between its two names there is no file for a moment. */
  function isAnew(file: string): boolean {
    const there = fs.statSync(`${file}.runs`, { throwIfNoEntry: false });
    return there !== undefined && there.size < 2048;
  }

  it("and what goes on is known after two of them and a restart: run numbers, and the run in progress", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const left = leaveProcess(t);
    write(`${file}.runs`, starting(40), finished(40), starting(41), started(41, left.pid, left.start));
    fs.appendFileSync(`${file}.runs`, padding);
    const supervisord = await listen(t, file);
    await supervisord.waitForLog(/run 41 of an earlier listener/);
    await supervisord.tick();
    await supervisord.waitForLog(/skipped/);
    assert.ok(fs.statSync(`${file}.runs.1`).size > 256 * 1024);
    assert.ok(fs.statSync(`${file}.runs`).size < 2048);

    assert.equal(fs.statSync(`${file}.runs`).mode & 0o777, 0o600);

    fs.appendFileSync(`${file}.runs`, padding);
    await supervisord.tick();
    await supervisord.until(() => isAnew(file), "the second rotation");
    await supervisord.restartListener();
    await supervisord.until(() => supervisord.stderr.match(/run 41 of an earlier listener/g)?.length === 2, "the run");
    left.kill("SIGKILL");
    await supervisord.waitForLog(/run 41 finished/);
    await supervisord.tick();
    await supervisord.waitForLog(/run 42 finished: exit 0/);
    assert.deepEqual(fs.readdirSync(path.dirname(file)).sort(), ["state", "state.runs", "state.runs.1"]);
  });

  it("and numbers go on when all that is left of the runs is in the file before that", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    write(`${file}.runs`, job(0), starting(40), finished(40));
    const args = ["--state", file, "--ticks", "1000000", "--", "/bin/true"];
    const supervisord = await listen(t, file, [], { args });
    await supervisord.tick();
    for (const times of [1, 2]) {
      fs.appendFileSync(`${file}.runs`, padding);
      args[3] = String(1000000 + times); // what the job is has to be written down again
      await supervisord.restartListener();
      await supervisord.until(() => supervisord.stderr.match(/; count /g)?.length === times + 1, "the start");
      await supervisord.until(() => isAnew(file), "the rotation");
    }
    supervisord.signal("SIGUSR2");
    await supervisord.waitForLog(/run 41 finished/);
    assert.doesNotMatch(fs.readFileSync(`${file}.runs.1`, "utf8"), /starting/, "nothing else could have told");
  });
});

// ── A full disk ────────────────────────────────────────────────────────────

const isRoot = process.getuid?.() === 0;
const UNSHARE = isRoot ? ["unshare", "--mount"] : ["unshare", "--mount", "--map-root-user"];
const canMount = spawnSync(UNSHARE[0], [...UNSHARE.slice(1), "mount", "-t", "tmpfs", "none", os.tmpdir()]).status === 0;

describe("on a full disk jobs run, one warning tells that it is not recorded, and no line is torn", {
  skip: canMount ? false : "mounting is not possible here",
  concurrency: 3,
}, () => {
  // The journal has room to the end of its page; that end falls into the middle of one of these.
  for (const type of ["starting", "started", "finished"]) {
    it(`where the disk is full in the middle of a "${type}"`, async (t) => {
      const directory = temporaryDirectory(t);
      const setup = `mount -t tmpfs -o size=32k none ${directory}\nexec "$@"`;
      const args = [...RUNTIME, LISTENER, "--state", `${directory}/state`, ...EACH_TICK];
      const supervisord = await listen(t, "", [], { command: [...UNSHARE, "sh", "-ec", setup, "sh", ...args] });
      const file = `/proc/${supervisord.pid}/root${directory}/state`;
      async function run(number: number): Promise<void> {
        await supervisord.tick();
        await supervisord.waitForLog(new RegExp(`run ${number} finished: exit 0`));
      }
      await run(1);
      const written = fs.readFileSync(`${file}.runs`, "utf8");
      const line = written.lastIndexOf(`{"type":"${type}"`);
      const untilMiddle = (line + written.indexOf("\n", line)) / 2 - written.indexOf('{"type":"starting"');
      const pad = (length: number) => `{"pad":"${"x".repeat(length)}"}\n`;
      fs.appendFileSync(`${file}.runs`, pad(4096 - written.length - Math.round(untilMiddle) - pad(0).length));
      const fd = fs.openSync(`${file}.fill`, "a");
      assert.throws(() => {
        for (;;) fs.writeSync(fd, Buffer.alloc(4096));
      }, /ENOSPC/);
      fs.closeSync(fd);

      await run(2);
      await run(3);
      const told = supervisord.stderr.split("\n").filter((line) => line.includes("cannot write"));
      assert.deepEqual(told, [
        `supertick: job: cannot write ${directory}/state.runs: ENOSPC; runs are not recorded until it can`,
      ]);
      const whole = fs.readFileSync(`${file}.runs`, "utf8");
      assert.ok(whole.endsWith("\n") && !whole.includes('"run":3'));
      fs.unlinkSync(`${file}.fill`);
      await run(4);
      await run(5);
      for (const line of fs.readFileSync(`${file}.runs`, "utf8").split("\n")) if (line !== "") JSON.parse(line);
      for (const each of ["starting", "started", "finished"]) {
        assert.deepEqual(
          lines(file, each).map(({ run }) => run),
          [1, 2, 3, 4, 5],
          each,
        );
      }
    });
  }
});

// ── At most once ───────────────────────────────────────────────────────────
// Killed after the journal and before the counter file was written, a listener gets the tick again. Its run is in the
// journal: it must not start a second time.

describe("a tick that comes again, with its run in the journal, does not start it again", { concurrency: 4 }, () => {
  const DUE = 1_700_002_860;
  const supervisor = `supervisor=${process.pid}:${startTimeOf(process.pid)}`;
  const before = `when=${DUE - 60} serial=4 period=60 decided=${DUE - 60} fixed=${DUE - 60}`;
  const ours = (run: number) => starting(run, { due: DUE, serial: 5 });

  type Case = [title: string, counter: string | undefined, records: object[]];
  const cases: Case[] = [
    ["it was the last thing that happened", `0\n${before} ${supervisor}\n`, [job(0), ours(1)]],
    ["it was told as interrupted since", `0\n${before} ${supervisor}\n`, [ours(1), finished(1)]],
    ["it was the first tick of all", `0\n${supervisor}\n`, [job(0), ours(1)]],
    [
      "another run has started since, by hand or at the start",
      `0\n${before} ${supervisor}\n`,
      [ours(1), starting(2, { due: DUE + 7, reason: "start" }), finished(2)],
    ],
  ];
  for (const [title, counter, records] of cases) {
    it(`when ${title}`, async (t) => {
      const file = `${temporaryDirectory(t)}/state`;
      if (counter !== undefined) fs.writeFileSync(file, counter);
      write(`${file}.runs`, ...records);
      const supervisord = await listen(t, file);
      supervisord.clock = DUE;
      await supervisord.answered(supervisord.send("TICK_60", `when:${DUE}`, { serial: 5 }));
      await supervisord.waitForLog(/run 1 is the one due .*; it is not started again/);
      supervisord.nextSerial = 6;
      await supervisord.tick();
      await supervisord.waitForLog(/run \d finished: exit 0/);
      const dues = lines(file, "starting")
        .filter((line) => line.reason === "schedule")
        .map((line) => line.due);
      assert.deepEqual(dues, [DUE, DUE + 60]);
    });
  }

  it("but another tick of the same number, from another supervisord, does", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    fs.writeFileSync(file, `0\n${before} supervisor=${process.pid}:1\n`);
    write(`${file}.runs`, starting(1, { due: DUE - 60, serial: 5 }), finished(1));
    const supervisord = await listen(t, file);
    await supervisord.answered(supervisord.send("TICK_60", `when:${DUE}`, { serial: 5 }));
    await supervisord.waitForLog(new RegExp(`run 2 started \\(pid \\d+, due ${formatTime(DUE)}`));
  });
});

// ── Killed at every step ───────────────────────────────────────────────────
// A listener that is loaded with this ends itself by SIGKILL at the Nth thing it does to a file, a pipe or a process,
// counted from its first look at the counter file. A file says N, and is gone once read: the next listener lives.

const KILLER = `
  const fs = require("fs");
  let left, isArmed = false;
  try {
    left = Number(fs.readFileSync(process.env.KILL_AT, "utf8"));
    fs.unlinkSync(process.env.KILL_AT);
  } catch { return; }
  function trap(object, name) {
    const original = object[name];
    object[name] = function (...args) {
      if (args[0] === process.env.STATE) isArmed = true;
      if (isArmed && left-- === 0) process.kill(process.pid, "SIGKILL");
      return original.apply(this, args);
    };
  }
  const names = ["openSync", "closeSync", "readSync", "readFileSync", "writeSync", "fstatSync", "statSync", "lstatSync"];
  const more = ["fsyncSync", "fdatasyncSync", "renameSync", "unlinkSync", "ftruncateSync"];
  for (const name of [...names, ...more]) trap(fs, name);
  trap(require("child_process"), "spawn");`;

/** What the job has left of its runs: number and due time. */
function ran(file: string): string[] {
  return fs.existsSync(`${file}.ran`) ? fs.readFileSync(`${file}.ran`, "utf8").split("\n").filter(Boolean) : [];
}

const recordingJob = (file: string) => ["sh", "-c", `echo "$SUPERTICK_RUN $SUPERTICK_DUE" >>${file}.ran`];

/** No run that the journal does not know, none twice, and no due time twice. */
function assertAtMostOnce(file: string, message: string): void {
  const begun = lines(file, "starting");
  const known = begun.map((line) => `${line.run} ${line.due}`);
  assert.deepEqual(
    ran(file).filter((run) => !known.includes(run)),
    [],
    `${message}: unknown to the journal`,
  );
  assert.deepEqual(
    ran(file).filter((run, i, all) => all.indexOf(run) !== i),
    [],
    `${message}: ran twice`,
  );
  const dues = begun.filter((line) => line.reason === "schedule").map((line) => line.due);
  assert.deepEqual(
    dues.filter((due, i) => dues.indexOf(due) !== i),
    [],
    `${message}: started twice`,
  );
  const numbers = begun.map((line) => line.run);
  assert.deepEqual(
    numbers.filter((run, i) => numbers.indexOf(run) !== i),
    [],
    `${message}: a number given twice`,
  );
}

describe("killed at any step of its first tick, it counts that once and runs it once at most", {
  concurrency: 2,
}, () => {
  const cases: Array<[title: string, content: string | undefined, ticks: string, counts: number[]]> = [
    ["without a file", undefined, "2", [1, 0]],
    ["with the file of the replaced script", "1\n", "2", [0, 1]],
  ];
  for (const [title, content, goal, counts] of cases) {
    it(title, async (t) => {
      const directory = temporaryDirectory(t);
      fs.writeFileSync(`${directory}/killer.cjs`, KILLER);
      let isOver = false;

      async function killAt(step: number): Promise<void> {
        const file = `${directory}/${step}`;
        if (content !== undefined) fs.writeFileSync(file, content);
        fs.writeFileSync(`${file}.kill`, String(step));
        const supervisord = await Supervisord.start({
          args: ["--state", file, "--ticks", goal, "--", ...recordingJob(file)],
          runtime: runtimeWith(`${directory}/killer.cjs`).join(" "),
          env: { KILL_AT: `${file}.kill`, STATE: file },
        });
        try {
          const isDue = counts[0] === 0;
          const tick = supervisord.advance(60)[0];
          const isDone = () => tick.isDone && (!isDue || /run 1 finished/.test(supervisord.stderr));
          await supervisord.until(() => isDone() || !supervisord.isRunning, "the end of the first tick");
          // One that lived on has come to the end of its steps, or is about to: the next tick is for a fresh one too.
          if (supervisord.isRunning) isOver = true;
          await supervisord.restartListener();
          await supervisord.answered(tick);
          const count = () => parseCounter(fs.readFileSync(file, "latin1")).count;
          assert.equal(count(), counts[0], `step ${step}`);
          await supervisord.tick();
          assert.equal(count(), counts[1], `step ${step}`);
          assert.equal(fs.statSync(file).size, 256);
          const begun = lines(file, "starting").length;
          assert.equal(begun, 1, `step ${step}: ${begun} runs were about to start`);
          await supervisord.stop();
          assertAtMostOnce(file, `step ${step}`);
        } finally {
          await supervisord.dispose();
        }
      }

      let step = 0;
      const chain = async () => {
        while (!isOver && step < 300) await killAt(step++);
      };
      await Promise.all([chain(), chain(), chain()]);
      assert.ok(step > 15 && step < 300, `${step} steps`);
    });
  }
});

// ── Killed at random ───────────────────────────────────────────────────────

const SEED = Number(process.env.SUPERTICK_SEED ?? 20251124);

/** Mulberry32: numbers in [0, 1) that a seed determines. What happens in real time is different each time all the same. */
// Looks at the files from outside, all the time. A look may meet a write halfway, so a bad one is repeated at once.
const WATCHER = `
  const fs = require("fs");
  const { parentPort, workerData } = require("worker_threads");
  const stop = new Int32Array(workerData.stop);
  const seen = new Set();
  const bad = [];
  let looks = 0;
  function fault(file) {
    let text;
    try { text = fs.readFileSync(file, "latin1"); } catch (error) { return seen.has(file) ? error.code : undefined; }
    seen.add(file);
    return /^\\d+\\n[^\\n]*listener=\\d+:\\d+ *\\n$/.test(text) && text.length === 256 ? undefined : JSON.stringify(text);
  }
  while (Atomics.wait(stop, 0, 0, 1) === "timed-out") {
    for (const file of workerData.files) {
      looks++;
      const what = fault(file) && fault(file) && fault(file);
      if (what) bad.push(file + ": " + what);
    }
  }
  parentPort.postMessage({ bad, looks });`;

function watch(files: string[]): () => Promise<{ bad: string[]; looks: number }> {
  const stop = new SharedArrayBuffer(4);
  const worker = new Worker(WATCHER, { eval: true, workerData: { files, stop } });
  const result = new Promise<{ bad: string[]; looks: number }>((resolve, reject) => {
    worker.once("message", resolve).once("error", reject);
  });
  return () => {
    Atomics.store(new Int32Array(stop), 0, 1);
    Atomics.notify(new Int32Array(stop), 0);
    return result;
  };
}

it("killed 240 times at random points, it loses, doubles and tears nothing", async (t) => {
  const KILLS = 60;
  const directory = temporaryDirectory(t);
  const chains: Array<[name: string, options: string[], goal: number]> = [
    ["count", ["--ticks", "1000000"], 1_000_000],
    ["count-too", ["--ticks", "1000000", "--run-on-start"], 1_000_000],
    ["third", ["--ticks", "3", "--run-on-start"], 3],
    ["slice", ["--every", "2m"], Number.MAX_SAFE_INTEGER],
  ];
  const stopWatching = watch(chains.map(([name]) => `${directory}/${name}`));

  await Promise.all(
    chains.map(async ([name, options, goal], i) => {
      const { below } = createChance(SEED + i);
      const file = `${directory}/${name}`;
      const message = `${name}, SUPERTICK_SEED=${SEED}`;
      const supervisord = await listen(t, file, [...options, "--", ...recordingJob(file)]);
      let ticks = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        // The pool holds ten events; more would be lost, and rightly so.
        if (supervisord.pool.buffer.length > 5) await supervisord.idle();
        if (below(3) === 0) await supervisord.idle();
        for (let n = below(4); n > 0; n--, ticks++) supervisord.advance(60);
        if (below(2) === 0) await pause(below(40));
        else for (let turns = below(20); turns > 0; turns--) await new Promise(setImmediate);
        await supervisord.restartListener();
      }
      await supervisord.idle();
      await supervisord.tick();
      ticks++;
      assert.deepEqual(supervisord.pool.dropped, []);
      assert.equal(parseCounter(fs.readFileSync(file, "latin1")).count, ticks % goal, message);
      await supervisord.stop();
      assertAtMostOnce(file, message);
      const legal = (due = 0) => (due - 1_700_002_800) % (name === "third" ? 180 : name === "slice" ? 120 : 1) === 0;
      const dues = lines(file, "starting")
        .filter((line) => line.reason === "schedule")
        .map((line) => line.due);
      assert.deepEqual(
        dues.filter((due) => !legal(due)),
        [],
        `${message}: started at no due time`,
      );
      if (name === "third" || name === "slice")
        assert.ok(ran(file).length > 10, `${message}: ${ran(file).length} runs`);
    }),
  );

  const { bad, looks } = await stopWatching();
  assert.deepEqual(bad, [], "not 256 bytes of count and tick");
  assert.ok(looks > 1000, `${looks} looks`);
});

// ── Cut at any byte ────────────────────────────────────────────────────────
// A listener that is killed, or loses its power, leaves a part of what it was writing. Whole lines must be believed, the
// torn one not, and the next listener must be able to go on from there.

/** What a journal says of the only job in it. */
const pastOf = (journal: Buffer): JobPast => readPast(journal.toString().split("\n"));

/** The same in short: runs that have not come to an end as "3.1", number and attempt, and what is known of the attempt. */
interface Knowledge {
  lastRun: number;
  failures: number;
  lastForTick: number | undefined;
  open: string[];
  /** Due times. */
  waiting: number[];
}

function knowledgeIn({ lastRun, failures, lastDue, openRuns, waiting }: JobPast): Knowledge {
  const open = openRuns.map(({ starting: { run, attempt }, started, finished }) => {
    if (finished !== undefined) return `${run}.${attempt} waits ${finished.retryIn}`;
    return `${run}.${attempt}${started === undefined ? "" : ` is ${started.pid}`}`;
  });
  return { lastRun, failures, lastForTick: lastDue?.run, open, waiting: waiting.map(({ due }) => due) };
}

it("a journal that is cut at any byte says what its whole lines say", () => {
  const failed = (run: number, more: object) => ({ ...finished(run), result: "failure", exit: 3, ...more });
  const held = {
    type: "held",
    job: "job",
    run: 43,
    due: 1,
    why: "error",
    error: 'ENOENT: "/bin/h\u00f6lle\n\u{1f600}"',
  };
  type Row = [record: object, lastRun: number, failures: number, open: string[], lastForTick?: number];
  const rows: Row[] = [
    [{ ...job(40), failures: 4 }, 40, 4, []], // as a file begins that follows another
    [starting(41, { serial: 5 }), 41, 4, ["41.1"], 41],
    [started(41, 50, 9), 41, 4, ["41.1 is 50"], 41],
    [failed(41, { retryIn: 10 }), 41, 4, ["41.1 waits 10"], 41],
    [starting(41, { attempt: 2, serial: 5 }), 41, 4, ["41.2"], 41],
    [{ ...started(41, 51, 9), attempt: 2 }, 41, 4, ["41.2 is 51"], 41],
    [{ type: "skipped", job: "job", due: 1, reason: "schedule" }, 41, 4, ["41.2 is 51"]],
    [starting(42, { reason: "signal" }), 42, 4, ["41.2 is 51", "42.1"]],
    [failed(41, { attempt: 2 }), 42, 5, ["42.1"]],
    [started(42, 52, 9), 42, 5, ["42.1 is 52"]],
    [failed(42, { result: "timeout", retryIn: 20 }), 42, 5, ["42.1 waits 20"]],
    [{ type: "missed", job: "job", due: 1, count: 1001 }, 42, 5, ["42.1 waits 20"]],
    [{ type: "givenUp", job: "job", run: 42, result: "timeout" }, 42, 6, []],
    [starting(43, { serial: 8 }), 43, 6, ["43.1"], 43],
    [held, 43, 6, [], 43],
    [{ ...job(43), failures: 6 }, 43, 6, [], 43],
    [starting(44, { serial: 9 }), 44, 6, ["44.1"], 44],
    [started(44, 54, 9), 44, 6, ["44.1 is 54"], 44],
    [finished(44), 44, 0, [], 44],
  ];
  const texts = text(...rows.map(([record]) => record));
  const journal = Buffer.from(texts.map((line) => `${line}\n`).join(""));
  // With its last brace a line is whole; the newline after it may be missing.
  const ends = texts.map((_, i) => Buffer.byteLength(texts.slice(0, i + 1).join("\n")));
  for (let length = 0; length <= journal.length; length++) {
    const whole = ends.filter((end) => end <= length).length;
    const [, lastRun, failures, open, lastForTick]: Row = whole === 0 ? [{}, 0, 0, []] : rows[whole - 1];
    const expected = { lastRun, failures, lastForTick, open, waiting: [] };
    assert.deepEqual(knowledgeIn(pastOf(journal.subarray(0, length))), expected, `cut at ${length}`);
  }
});

type Happening =
  | { type: "due"; reason: Reason; isSupervisordGone: boolean }
  | { type: "report"; which: number }
  | { type: "first tick" }
  | { type: "missed" }
  | { type: "stop" };

/** A listener as far as its journal goes. It notes what a reader must know after each line. */
class JournalingListener {
  journal: Buffer;
  private readonly known: Array<{ length: number; knowledge: Knowledge }> = [];
  private state = createJobState(0);
  private lastRun: number;
  private failures: number;
  private lastForTick: number | undefined;
  private readonly open = new Map<number, string>();
  private waiting: DueRun[];
  private readonly processes = new Map<number, "not started" | "alive" | "leader gone">();
  private readonly questions = new Set<number>();
  private readonly timers = new Set<string>();
  private serial: number;
  private isOver = false;

  /** `areAlive`: the processes of the runs that an earlier listener left in `before`. */
  constructor(
    private readonly policy: JobPolicy,
    before: Buffer,
    areAlive: boolean,
  ) {
    const past = pastOf(before);
    const knowledge = knowledgeIn(past);
    ({ lastRun: this.lastRun, failures: this.failures, lastForTick: this.lastForTick } = knowledge);
    for (const [i, { starting }] of past.openRuns.entries()) this.open.set(starting.run, knowledge.open[i]);
    this.known.push({ length: before.length, knowledge });
    const isTorn = before.length > 0 && before[before.length - 1] !== 10;
    this.journal = isTorn ? Buffer.concat([before, Buffer.from("\n")]) : before;
    this.state = createJobState(past.lastRun, past.failures);
    this.serial = before.length; // above those of the listeners before
    this.waiting = [...past.waiting];
    this.writeJob();
    for (const open of past.openRuns) this.takeOver(open, areAlive);
    for (const { due, reason, serial } of past.waiting) this.takeWaiting({ due, reason, serial });
    this.checkAgainstPolicy();
  }

  take(happening: Happening): void {
    if (this.isOver) return;
    if (happening.type === "due") this.takeDue(happening.reason, happening.isSupervisordGone);
    else if (happening.type === "stop") this.tell({ type: "stop" });
    else if (happening.type === "first tick") this.writeJob();
    else if (happening.type === "missed") this.write({ type: "missed", job: "job", due: 60, count: 2 });
    else {
      const reports = this.reports();
      if (reports.length > 0) this.report(reports[happening.which % reports.length]);
    }
    this.checkAgainstPolicy();
  }

  /** What the first `length` bytes must tell. */
  knowledgeAt(length: number): Knowledge {
    return this.known.filter((line) => line.length <= length).slice(-1)[0].knowledge;
  }

  private takeDue(reason: Reason, isSupervisordGone: boolean): void {
    const due: DueRun = { due: 60 * ++this.serial, reason };
    if (reason !== "start" && reason !== "signal") Object.assign(due, { serial: this.serial });
    if (reason === "event") Object.assign(due, { event: { name: "X", serial: this.serial, payload: "" } });
    this.tell({ type: "due", ...due }, () => isSupervisordGone && this.tell({ type: "stop" }));
  }

  // An event is lost with the listener that had it.
  private takeWaiting(dueRun: DueRun): void {
    const { due, reason } = dueRun;
    if (reason !== "event") return this.tell({ type: "due", ...dueRun });
    this.noLongerWaits(due, reason);
    this.write({ type: "skipped", job: "job", due, reason });
  }

  private noLongerWaits(due: number, reason: Reason): void {
    this.waiting = this.waiting.filter((one) => one.due !== due || one.reason !== reason);
  }

  private takeOver({ starting, started, finished }: JobPast["openRuns"][number], isAlive: boolean): void {
    const { run: number, attempt, due, reason } = starting;
    const run: Run = { number, attempt, due, reason, phase: "running" };
    if (finished !== undefined) {
      const { exit, signal, result } = finished;
      const cause = result === "timeout" ? "timeout" : undefined;
      const end = { exit, signal };
      this.tell({ type: "resumed", run: { ...run, cause, isOrphan: result === "interrupted", end } });
    } else if (isAlive) {
      const pid = started?.pid ?? this.writeStarted(run);
      this.processes.set(number, "alive");
      this.tell({ type: "adopted", run: { ...run, pid }, elapsedSeconds: 1 });
    } else {
      this.tell({ type: "interrupted", run, end: { exit: null, signal: null, error: "killed" } });
    }
  }

  /** All that could be reported now. */
  private reports(): JobInput[] {
    const reports: JobInput[] = [];
    for (const [run, process] of this.processes) {
      if (process === "not started") reports.push({ type: "startFailed", run, error: "EAGAIN" });
      if (process === "alive")
        for (const exit of [0, 3]) reports.push({ type: "exited", run, end: { exit, signal: null } });
      if (process === "leader gone") reports.push({ type: "groupGone", run });
    }
    for (const run of this.questions)
      for (const verdict of ["allowed", "held", "error", "timeout"] as const)
        reports.push({ type: "asked", run, verdict });
    for (const timer of this.timers) {
      const [type, run] = timer.split(" ");
      reports.push({ type: type as "deadline" | "graceOver" | "retryDue", run: Number(run) });
    }
    return reports;
  }

  private report(input: JobInput): void {
    if (!("run" in input) || typeof input.run !== "number") return;
    if (input.type === "exited") this.processes.set(input.run, "leader gone");
    if (input.type === "groupGone" || input.type === "startFailed") this.processes.delete(input.run);
    if (input.type === "asked") this.questions.delete(input.run);
    this.timers.delete(`${input.type} ${input.run}`);
    this.tell(input);
  }

  /** In the listener's order: what is decided is written first. */
  private tell(input: JobInput, answer?: () => void): void {
    const [state, actions] = step(this.policy, this.state, input);
    this.state = state;
    for (const action of actions) {
      this.know(action);
      const record = recordOf("job", action, 1.25);
      if (record !== undefined) this.write(record);
    }
    answer?.();
    for (const action of actions) this.perform(action);
  }

  /** What a reader of the journal must know after this action. */
  private know(action: JobAction): void {
    switch (action.type) {
      case "record": {
        const { number, attempt, due, reason, serial } = action.run;
        this.noLongerWaits(due, reason);
        const isNew = number > this.lastRun; // a later attempt of an older run is no later tick's
        this.lastRun = Math.max(this.lastRun, number);
        if (isNew && serial !== undefined && reason !== "remote" && reason !== "event") this.lastForTick = number;
        return void this.open.set(number, `${number}.${attempt}`);
      }
      case "skip":
        this.noLongerWaits(action.due, action.reason);
        if (action.reason === "schedule" || action.reason === "catch-up") this.lastForTick = undefined;
        return;
      case "wait": {
        const { due, reason, serial } = action;
        this.noLongerWaits(due, reason);
        this.waiting.push({ due, reason, serial });
        if (serial !== undefined && reason !== "remote" && reason !== "event") this.lastForTick = undefined;
        return;
      }
      case "holdBack":
        return void this.open.delete(action.run.number);
      case "finish": {
        const { run, result, retrySeconds } = action;
        if (retrySeconds === undefined) return this.close(run, result);
        return void this.open.set(run.number, `${run.number}.${run.attempt} waits ${retrySeconds}`);
      }
      case "giveUp":
        return this.close(action.run, action.result);
    }
  }

  private close(run: Run, result: string): void {
    this.open.delete(run.number);
    this.failures = result === "success" ? 0 : this.failures + 1;
  }

  private perform(action: JobAction): void {
    switch (action.type) {
      case "start":
        return this.start(action.run);
      case "ask":
        return void this.questions.add(action.run.number);
      case "stopAsking":
        return void this.questions.delete(action.run.number);
      case "armDeadline":
        return void this.timers.add(`deadline ${action.run.number}`);
      case "armGrace":
        return void this.timers.add(`graceOver ${action.run.number}`);
      case "armRetry": // one run in three has the next due time before its retry
        if (!this.policy.isRetryYielding || action.run.number % 3 > 0)
          return void this.timers.add(`retryDue ${action.run.number}`);
        return this.tell({ type: "giveUp", run: action.run.number });
      case "finish":
        this.processes.delete(action.run.number);
        for (const type of ["deadline", "graceOver"]) this.timers.delete(`${type} ${action.run.number}`);
        return;
      case "giveUp":
        return void this.timers.delete(`retryDue ${action.run.number}`);
      case "stopped":
        this.isOver = true;
    }
  }

  // One attempt in five can't be started.
  private start(run: Run): void {
    if (!this.state.runs.some((r) => r.number === run.number)) return;
    const isStarted = (run.number + run.attempt) % 5 > 0;
    this.processes.set(run.number, isStarted ? "alive" : "not started");
    if (isStarted) this.tell({ type: "started", run: run.number, pid: this.writeStarted(run) });
  }

  private writeJob(): void {
    const { lastRun, failures } = this.state;
    this.write({ type: "job", job: "job", schedule: { ticks: 1 }, lastRun, failures });
  }

  private writeStarted({ number, attempt }: Run): number {
    const pid = 100 * number + attempt;
    this.open.set(number, `${number}.${attempt} is ${pid}`);
    this.write({ type: "started", job: "job", run: number, attempt, pid, start: 7 });
    return pid;
  }

  private write(record: JournalRecord): void {
    const line = Buffer.from(JSON.stringify({ ...record, at: 1700000000.5 }));
    const length = this.journal.length + line.length;
    this.journal = Buffer.concat([this.journal, line, Buffer.from("\n")]);
    const { lastRun, failures, lastForTick } = this;
    const [open, waiting] = [[...this.open.values()], this.waiting.map(({ due }) => due)];
    this.known.push({ length, knowledge: { lastRun, failures, lastForTick, open, waiting } });
  }

  /** Between two happenings, the policy knows no more and no less. */
  private checkAgainstPolicy(): void {
    const { lastRun, failures, runs } = this.state;
    assert.deepEqual([this.lastRun, this.failures], [lastRun, failures]);
    assert.deepEqual(
      [...this.open.keys()],
      runs.map((run) => run.number),
    );
  }
}

const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("due" as const),
      reason: fc.constantFrom<Reason>("schedule", "schedule", "catch-up", "start", "signal", "remote", "event"),
      isSupervisordGone: fc.nat(19).map((n) => n === 19),
    }),
  },
  { weight: 16, arbitrary: fc.record({ type: fc.constant("report" as const), which: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.constantFrom<Happening>({ type: "first tick" }, { type: "missed" }, { type: "stop" }) },
);

const anyPolicy: fc.Arbitrary<JobPolicy> = fc.record({
  overlap: fc.constantFrom("skip", "queue", "replace", "allow"),
  queueLimit: fc.constantFrom(1, 3),
  timeoutSeconds: fc.constantFrom(0, 300),
  killAfterSeconds: fc.constant(5),
  retries: fc.constantFrom(0, 1, 3),
  retryDelaySeconds: fc.constant(10),
  isRetryYielding: fc.boolean(),
  isAsking: fc.boolean(),
});

it("listener after listener is killed at any byte: each next one knows which runs have not ended, and goes on", () => {
  const life = fc.record({ happenings: fc.array(happening, { maxLength: 25 }), cut: fc.nat(), areAlive: fc.boolean() });
  fc.assert(
    fc.property(anyPolicy, fc.array(life, { minLength: 1, maxLength: 4 }), (policy, lives) => {
      let journal: Buffer = Buffer.alloc(0);
      for (const { happenings, cut, areAlive } of lives) {
        const listener = new JournalingListener(policy, journal, areAlive);
        for (const happening of happenings) listener.take(happening);
        const written = listener.journal.length - journal.length;
        journal = listener.journal.subarray(0, journal.length + (cut % (written + 1)));
        assert.deepEqual(knowledgeIn(pastOf(journal)), listener.knowledgeAt(journal.length));
      }
    }),
    { numRuns: 2000 },
  );
});
