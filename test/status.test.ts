// The status subcommand: what it says of good, bad and missing files, and the exit status that a health check gets.

import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import { describe, it, type TestContext } from "node:test";
import {
  type CounterContent,
  describeReports,
  formatCounter,
  type JobReport,
  SerialSet,
  type StateReport,
} from "../listener";
import { FIXTURES, HUMBLE, LISTENER, PERMISSIONS, RUNTIME, run, supertick, temporaryDirectory } from "./harness";
import { Supervisord } from "./supervisord";

const status = (args: string[], env: NodeJS.ProcessEnv = {}) => supertick(["status", ...args], env);

type Json = { healthy: boolean; states: StateReport[] };
const statusJson = (...args: string[]): Json => JSON.parse(status(["--json", ...args]).stdout);

const now = () => Math.floor(Date.now() / 1000);

const bootId = fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").slice(0, 8);
const machine = `${bootId}:${fs.readlinkSync("/proc/self/ns/pid").replace(/\D/g, "")}`;

/** A live process: as it is named in the files. */
function identityOf(pid: number) {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
  return { pid, start: Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]) };
}

/** A counter file whose last tick came `age` seconds ago, or up to a minute more, to a listener that lives. */
function writeCounter(file: string, age: number, more: Partial<CounterContent> = {}): void {
  const tick = { whenSeconds: Math.floor((now() - age) / 60) * 60, serial: 9 };
  const [listener, supervisor] = [process.pid, process.ppid].map(identityOf);
  const who = { listener, supervisor, machine };
  const content = { count: 3, periodSeconds: 60, tick, serials: new SerialSet([9]), ...who, ...more };
  fs.writeFileSync(file, formatCounter(content).padEnd(512));
}

/** A counter file of a listener that started `age` seconds ago and has had no tick. */
function writeTicklessCounter(file: string, age: number): void {
  fs.writeFileSync(file, "0\n");
  fs.utimesSync(file, now() - age, now() - age);
}

function writeJournal(file: string, ...facts: object[]): void {
  const text = facts.map((fact) => `${JSON.stringify({ job: ".", at: now() - 90, ...fact })}\n`);
  fs.writeFileSync(`${file}.runs`, text.join(""));
}

const JOB = { type: "job", name: "backup", schedule: { ticks: 5 } };
const ON_EVENTS = { ...JOB, schedule: { on: ["PROCESS_STATE_FATAL"] } };
const ended = (run: number, result: string) => ({
  ...{ type: "ended", run, attempt: 1, result, seconds: 1.25, exit: result === "success" ? 0 : 3, signal: null },
});

/** Both files of a listener that is at work. */
function writeState(t: TestContext, ...facts: object[]): string {
  const file = `${temporaryDirectory(t)}/backup`;
  writeCounter(file, 10);
  writeJournal(file, JOB, ...facts);
  return file;
}

// ── Health ─────────────────────────────────────────────────────────────────

describe("a health check", () => {
  const HOUR = 3600; // seconds are little beside it, however long status takes to start
  type Write = (file: string) => void;
  const tickless = (age: number) => (file: string) => writeTicklessCounter(file, age);
  const hourly = (age: number) => (file: string) => writeCounter(file, age, { periodSeconds: HOUR });
  const last = (result: string) => (file: string) => writeJournal(file, JOB, ended(1, "success"), ended(2, result));
  const onEvents = (file: string) => {
    writeTicklessCounter(file, HOUR);
    writeJournal(file, ON_EVENTS);
  };
  const cases: Array<[title: string, exit: number, write: Write, line: RegExp]> = [
    ["passes when the last run succeeded", 0, last("success"), /^backup {2}success 1m ago {6}1\.3 {2}✓✓ +0 {2}in \d/m],
    ["fails when it failed", 1, last("failure"), /^backup {2}failure .* ✓✗ +1 /m],
    ["fails when it timed out", 1, last("timeout"), /^backup {2}timeout .* ✓⏱ +1 /m],
    ["fails when it was interrupted", 1, last("interrupted"), /^backup {2}interrupted .* ✓✗ +1 /m],
    ["passes when no run was due yet", 0, () => {}, /^backup {2}none yet /m],
    ["passes before the first tick", 0, tickless(60), /^backup /m],
    ["fails three minutes later", 1, tickless(200), /backup: no tick was counted yet$/m],
    ["passes without ticks where all jobs wait for events", 0, onEvents, /^backup .* –$/m],
    ["passes within three periods of a tick", 0, hourly(3 * HOUR - 120), /^backup /m],
    ["fails after them", 1, hourly(3 * HOUR + 10), /: the last tick was counted 3h ago, .*Z: no listener is at work$/m],
  ];
  for (const [title, exit, write, line] of cases) {
    it(title, (t) => {
      const file = writeState(t);
      write(file);
      const answer = status([file]);
      assert.equal(answer.status, exit, answer.stdout);
      assert.match(answer.stdout, line);
    });
  }

  const broken: Array<[title: string, content: string | undefined, message: RegExp]> = [
    ["there is no file", undefined, /: there is no such file$/m],
    ["the file is empty", "", /: expected a count, got ""$/m],
    ["the file is garbage", "\u0000\u001b[31mx", /: expected a count, got "\\u0000\\u001b\[31mx"$/m],
  ];
  for (const [title, content, message] of broken) {
    it(`fails when ${title}, says so, and shows what the journal has`, (t) => {
      const file = writeState(t, ended(1, "success"));
      fs.unlinkSync(file);
      if (content !== undefined) fs.writeFileSync(file, content);
      const both = status([file]);
      assert.equal(both.status, 1);
      assert.match(both.stdout, message);
      assert.match(both.stdout, /^backup {2}success /m);
      fs.unlinkSync(`${file}.runs`);
      assert.match(status([file]).stdout, message);
    });
  }

  it("fails when one of several files does, and looks at TICK_STATE alone where no file is named", (t) => {
    const [good, bad] = [writeState(t, ended(1, "success")), writeState(t, ended(1, "failure"))];
    const env = { TICK_STATE: good };
    assert.deepEqual([status([], env).status, status([good, bad], env).status], [0, 1]);
  });

  it("fails on a directory, a device and a FIFO, without hanging", (t) => {
    const directory = temporaryDirectory(t);
    spawnSync("mkfifo", [`${directory}/fifo`]);
    for (const file of [directory, "/dev/null", `${directory}/fifo`]) assert.equal(status([file]).status, 1, file);
  });

  it("passes over garbage in a journal, and nothing in it acts on a terminal", (t) => {
    const file = writeState(t);
    const facts = [
      { ...JOB, name: "a\u001b[2J" },
      { ...ended(1, "failure"), at: 1 },
    ];
    writeJournal(file, ...facts);
    fs.appendFileSync(`${file}.runs`, "\u0000{\n");
    const { status: exit, stdout } = status([file]);
    assert.equal(exit, 1);
    assert.match(stdout, /^a\\u001b\[2J {2}failure /m);
    assert.doesNotMatch(stdout, /\u001b/);
  });
});

it("a pause is shown until it is over, in the JSON too", (t) => {
  const file = writeState(t);
  const until = now() + 3600;
  const cases: Array<[pause: object, next: RegExp]> = [
    [{}, / {2}paused$/m],
    [{ until }, / {2}paused until 20\S+Z$/m],
    [{ until: 60 }, / {2}in \d+m$/m],
  ];
  for (const [pause, next] of cases) {
    writeJournal(file, JOB, { type: "paused", ...pause });
    assert.match(status([file]).stdout, next);
    assert.deepEqual(statusJson(file).states[0].jobs[0].paused, pause);
  }
});

it("an option that status does not have is refused", () => {
  const { status: exit, stderr } = status(["--verbose"]);
  assert.equal(exit, 2);
  assert.match(stderr, /^supertick: --verbose does not belong here: see/);
});

// ── Where the files are ────────────────────────────────────────────────────

describe("without a FILE", () => {
  const { uid } = os.userInfo();

  /** TMPDIR, and in it the directory of our own counter files, with one called web. */
  function makeOurs(t: TestContext): { temporary: string; ours: string } {
    const temporary = temporaryDirectory(t);
    const ours = `${temporary}/supertick-${uid}`;
    fs.mkdirSync(ours, { mode: 0o700 });
    writeCounter(`${ours}/web`, 1);
    return { temporary, ours };
  }

  /** Which files below TMPDIR status looks at; the machine may have some of its own elsewhere. */
  function filesIn(temporary: string, words = [...RUNTIME, LISTENER]): string[] {
    const { states } = JSON.parse(run([...words, "status", "--json"], { TMPDIR: temporary }).stdout) as Json;
    return states.map(({ file }) => file).filter((file) => file.startsWith(temporary));
  }

  it("every counter file in the default places is looked at, and nothing else", (t) => {
    const { temporary, ours } = makeOurs(t);
    writeCounter(`${ours}/mail`, 1);
    writeJournal(`${ours}/web`, JOB);
    fs.writeFileSync(`${ours}/web.bad`, "garbage");
    fs.symlinkSync("/no/such/file", `${ours}/nowhere`);
    fs.symlinkSync(`${ours}/itself`, `${ours}/itself`);
    fs.mkdirSync(`${ours}/directory`);
    spawnSync("mkfifo", [`${ours}/fifo`]);
    assert.deepEqual(filesIn(temporary), [`${ours}/mail`, `${ours}/web`]);
  });

  it("what may not be read is passed over, as another user's", PERMISSIONS, (t) => {
    const { temporary, ours } = makeOurs(t);
    writeCounter(`${ours}/mail`, 1);
    fs.chmodSync(`${ours}/mail`, 0);
    assert.deepEqual(filesIn(temporary, [...HUMBLE, ...RUNTIME, LISTENER]), [`${ours}/web`]);
  });

  it("a directory with a user's name is passed over if it is another user's, open to others, or a link", (t) => {
    const { temporary, ours } = makeOurs(t);
    assert.deepEqual(filesIn(temporary), [`${ours}/web`]);
    fs.chmodSync(ours, 0o777);
    assert.deepEqual(filesIn(temporary), []);
    fs.chmodSync(ours, 0o700);
    fs.renameSync(ours, `${temporary}/supertick-${uid + 1}`);
    assert.deepEqual(filesIn(temporary), []);
    fs.symlinkSync(`supertick-${uid + 1}`, ours);
    assert.deepEqual(filesIn(temporary), []);
  });

  it("a file whose name would act on a terminal is shown escaped", (t) => {
    const { temporary, ours } = makeOurs(t);
    fs.writeFileSync(`${ours}/a\u001b[2J\u009b2J\n`, "garbage");
    for (const args of [[], ["--json"]]) {
      const { stdout } = status(args, { TMPDIR: temporary });
      assert.match(stdout, /a\\u001b\[2J\\u009b2J\\n/);
      assert.doesNotMatch(stdout.trim(), /[\u001b\u009b]/);
    }
  });

  it("a machine without any fails, and the message says what to do", (t) => {
    if (fs.existsSync("/var/lib/supertick")) t.skip("this machine has state files of its own");
    const { status: exit, stdout } = status([], { TMPDIR: temporaryDirectory(t) });
    assert.deepEqual([exit, stdout], [1, "no state file found: name one, supertick status FILE\n"]);
  });
});

// ── What it says ───────────────────────────────────────────────────────────

it("--json has every fact: times in epoch seconds, results in words", (t) => {
  const named = { due: 9, reason: "schedule", id: "1" };
  const alive = identityOf(process.pid);
  const start = (run: number) => ({ ...named, type: "starting", run, attempt: 1, due: 60 * run });
  const file = writeState(
    t,
    { ...ended(1, "success"), at: 1699999000.5 },
    { type: "skipped", ...named },
    { type: "missed", due: 60, count: 3 },
    start(2),
    ended(2, "timeout"),
    start(3),
    { type: "started", run: 3, ...alive, at: 1700000000 },
    start(4),
    { type: "started", run: 4, ...alive, start: alive.start - 1 },
  );
  const { healthy, states } = statusJson(file);
  assert.equal(healthy, false);
  const [{ lastTick = 0, jobs, ...facts }] = states;
  assert.deepEqual(facts, { file, listener: process.pid, supervisord: process.ppid, period: 60 });
  const [{ last, earlier, next, ...job }] = jobs;
  assert.deepEqual(job, {
    ...{ job: "backup", schedule: "every 5 ticks", recent: ["success", "none", "none", "timeout"], failures: 1 },
    ...{ lastSuccess: 1699999000.5, skipped: 1, missed: 3 },
    runs: { success: 1, failure: 0, timeout: 1, interrupted: 0 },
    running: [{ run: 3, since: 1700000000, pid: process.pid }], // the other one's pid is another process's by now
  });
  const timeout = { run: 2, due: 120, reason: "schedule", result: "timeout", seconds: 1.25, exit: 3, signal: null };
  assert.deepEqual({ ...last, at: 0 }, { ...timeout, at: 0 });
  assert.deepEqual(
    earlier?.map(({ run, result }) => `${run} ${result}`),
    ["1 success"],
  );
  assert.equal(next, lastTick + 2 * 60, "two more ticks till the count of 5");
});

const schedules: Array<[title: string, job: object, secondsAfterTick: number | undefined]> = [
  ["a count", { schedule: { ticks: 4 } }, 60],
  ["slices, at a tick", { schedule: { every: 60, offset: 30 } }, 60],
  ["a cron expression", { schedule: { cron: "* * * * *", tz: "UTC" } }, 60],
  ["a job with --jitter, at a second of its own", { schedule: { every: 60, offset: 0 }, delay: 90 }, 30],
  ["events", { schedule: { on: ["PROCESS_STATE"] } }, undefined],
  ["what a later version has written", { schedule: { moon: "full" } }, undefined],
  ["a zone that is unknown here", { schedule: { cron: "* * * * *", tz: "Mars/Base" } }, undefined],
];
for (const [title, job, secondsAfterTick] of schedules) {
  it(`the next run of ${title} is shown where it is known`, (t) => {
    const file = writeState(t);
    writeJournal(file, { ...JOB, ...job });
    const [{ lastTick = 0, jobs }] = statusJson(file).states;
    assert.equal(jobs[0].next, secondsAfterTick && lastTick + secondsAfterTick);
  });
}

it("passes over a journal of over 16 MiB, and says so", (t) => {
  const file = writeState(t);
  writeJournal(file, JOB);
  fs.truncateSync(`${file}.runs`, 2 ** 24 + 1);
  const [{ problem, jobs }] = statusJson(file).states;
  assert.deepEqual([problem, jobs], ["its journal has over 16 MiB: not read", []]);
});

it("it works beside the running listener", async (t) => {
  const file = `${temporaryDirectory(t)}/state`;
  const args = ["--state", file, "--ticks", "1", "--", `${FIXTURES}/exit-3`];
  const supervisord = await Supervisord.during(t, { args });
  await supervisord.until(() => fs.existsSync(file), "its counter file");
  const { problem } = statusJson(file).states[0];
  assert.equal(problem, undefined, "the first tick is still to come");
  await supervisord.tick();
  await supervisord.waitForLog(/run 1 failed/);
  const [{ jobs }] = statusJson(file).states;
  assert.deepEqual([jobs[0].job, jobs[0].recent, jobs[0].failures], ["job", ["failure"], 1]);
});

// ── The table ──────────────────────────────────────────────────────────────

const NOW = 1700000000;
const success = { run: 1, result: "success", at: NOW - 240, seconds: 0.2, exit: 0, signal: null } as const;
const someJob = (more: Partial<JobReport> = {}): JobReport => ({
  ...{ job: "backup", last: success, recent: ["success"], failures: 0, next: NOW + 56, running: [] },
  ...{ runs: { success: 1, failure: 0, timeout: 0, interrupted: 0 }, skipped: 0, missed: 0 },
  ...more,
});
const running = [NOW - 200, NOW - 2].map((since, i) => ({ run: 4 + i, since, pid: 71 + i }));
const failed = { ...success, result: "failure", at: NOW - 7300, seconds: 12 } as const;
const idle = { recent: [], last: undefined, next: undefined };

it("the table has a line a job, the longest of its runs in progress and how many there are", () => {
  const jobs = [
    someJob({ recent: ["success", "failure", "timeout", "interrupted", "none"], running }),
    someJob({ job: "mail", last: failed, failures: 12 }),
    someJob({ job: "x", ...idle, running: running.slice(0, 1) }),
    someJob({ job: "y", ...idle }),
    someJob({ job: "z", ...idle, next: NOW - 5 }),
  ];
  assert.deepEqual(describeReports([{ file: "/state", jobs }], NOW).split("\n"), [
    "JOB     LAST RUN        SECONDS  LAST 20  FAILED  NEXT",
    "backup  success 4m ago      0.2  ✓✗⏱✗–         0  in 56s; running 3m (2)",
    "mail    failure 2h ago     12.0  ✓            12  in 56s",
    "x       none yet                               0  running 3m",
    "y       none yet                               0  –",
    "z       none yet                               0  now",
  ]);
});
