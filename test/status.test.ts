// The status subcommand: what it says of good, bad and missing files, and the exit status that a health check gets.

import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import { describe, it, type TestContext } from "node:test";
import {
  besideLiving,
  type CounterContent,
  describeMetrics,
  describeReports,
  formatCounter,
  isHealthy,
  type JobReport,
  reportOf,
  SerialSet,
  type StateReport,
} from "../listener";
import { identityOf, machine } from "./files";
import { FIXTURES, HUMBLE, LISTENER, PERMISSIONS, RUNTIME, run, supertick, temporaryDirectory } from "./harness";
import { Supervisord } from "./supervisord";

const status = (args: string[], env: NodeJS.ProcessEnv = {}) => supertick(["status", ...args], env);

type Json = { healthy: boolean; states: StateReport[] };
const statusJson = (...args: string[]): Json => JSON.parse(status(["--json", ...args]).stdout);

const NOW = 1700000000;
const now = () => Math.floor(Date.now() / 1000);

/** A counter file whose last tick came `age` seconds ago, or up to a minute more, to a listener that lives. */
function writeCounter(file: string, age: number, more: Partial<CounterContent> = {}): void {
  const tick = { whenSeconds: Math.floor((now() - age) / 60) * 60, serial: 9 };
  const [listener, supervisor] = [process.pid, process.ppid].map(identityOf);
  const who = { listener, supervisor, machine };
  const content = { count: 3, periodSeconds: 60, tick, serials: new SerialSet([9]), ...who, ...more };
  fs.writeFileSync(file, formatCounter(content).padEnd(512));
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
  type Write = (file: string) => void;
  const last = (result: string) => (file: string) => writeJournal(file, JOB, ended(1, "success"), ended(2, result));
  const cases: Array<[title: string, exit: number, write: Write, line: RegExp]> = [
    ["passes when the last run succeeded", 0, last("success"), /^backup {2}success 1m ago {6}1\.3 {2}✓✓ +0 {2}in \d/m],
    ["fails when it failed", 1, last("failure"), /^backup {2}failure .* ✓✗ +1 /m],
    ["fails when it timed out", 1, last("timeout"), /^backup {2}timeout .* ✓⏱ +1 /m],
    ["fails when it was interrupted", 1, last("interrupted"), /^backup {2}interrupted .* ✓✗ +1 /m],
    ["passes when no run was due yet", 0, () => {}, /^backup {2}none yet /m],
    ["passes before the first tick", 0, (file) => writeCounter(file, 0, { tick: undefined }), /^backup .* –$/m],
    ["passes after a long time without a listener", 0, (file) => writeCounter(file, 18000), /^backup .* now$/m],
    [
      "fails without a listener",
      1,
      (file) => writeCounter(file, 0, { listener: undefined }),
      /: its listener has ended$/m,
    ],
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
    ["the file may be anything", "7 is not alone", /: expected a count, got "7 is not alone"$/m],
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
  const until = now() + 3500;
  const cases: Array<[pause: object, next: RegExp]> = [
    [{}, / {2}paused$/m],
    [{ until }, / paused for another \d+m$/m],
    [{ until: 60 }, / {2}(in \d+[ms]|now)$/m],
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

// ── Listeners, living and dead ─────────────────────────────────────────────

describe("a listener", () => {
  const HOUR = 3600;
  const AGE = 5 * HOUR; // of the process with pid 7; 8 is its supervisord, and there is no 9
  const processes = { machine: "a:1", ageOf: ({ pid }: { pid: number }) => ({ 7: AGE, 8: AGE })[pid] };
  const reportWith = (counter: Partial<CounterContent>, facts: object[] = [JOB], ageOf = processes.ageOf) => {
    const [listener, supervisor] = [7, 8].map((pid) => ({ pid, start: 100 }));
    const content = { count: 1, serials: new SerialSet(), listener, supervisor, machine: "a:1", ...counter };
    const journal = facts.map((fact) => `${JSON.stringify({ job: ".", at: NOW, ...fact })}\n`).join("");
    const files = { file: "/state", counter: content, writtenAt: NOW - AGE, journal };
    return reportOf(files, { ...processes, ageOf }, NOW);
  };
  const tick = (age: number) => ({ tick: { whenSeconds: NOW - age, serial: 1 } });
  const gone = { pid: 9, start: 100 };
  const dead = { listener: gone, ...tick(10), periodSeconds: 60 };
  const cases: Array<[title: string, counter: Partial<CounterContent>, problem?: string]> = [
    ["that lives and has ticks is well", { ...tick(10), periodSeconds: 60 }],
    ["may wait three periods", { ...tick(180), periodSeconds: 60 }],
    ["may not wait longer", { ...tick(181), periodSeconds: 60 }, "its listener (pid 7) has had no tick for 3m"],
    ["may wait three hours", { ...tick(3 * HOUR), periodSeconds: HOUR }],
    [
      "may not wait for the first tick for ever",
      { periodSeconds: HOUR },
      "its listener (pid 7) has had no tick for 5h",
    ],
    ["is dead", dead, "its listener (pid 9) is dead"],
    [
      "is dead with its supervisord",
      { ...dead, supervisor: gone },
      "its listener (pid 9) is dead; its supervisord is gone too",
    ],
    ["has ended", { listener: undefined }, "its listener has ended"],
    ["is elsewhere", { machine: "a:2" }, "its listener is in another container, or on another machine"],
  ];
  for (const [title, counter, problem] of cases) it(title, () => assert.equal(reportWith(counter).problem, problem));

  it("that has just started may wait from then on, whatever it found", () => {
    for (const counter of [tick(AGE), {}]) assert.equal(reportWith(counter, [JOB], () => 180).problem, undefined);
  });
  it("knows before its first tick when a job by the clock runs", () => {
    const job = { ...JOB, schedule: { every: 3600, offset: 0 } };
    const { jobs } = reportWith({ tick: undefined, periodSeconds: 3600 }, [job]);
    assert.equal(jobs[0].next! % 3600, 0);
    assert.ok(jobs[0].next! > NOW && jobs[0].next! <= NOW + 3600, String(jobs[0].next));
  });

  it("needs no ticks where all jobs wait for events", () => {
    assert.equal(reportWith({}, [ON_EVENTS]).problem, undefined);
    assert.match(reportWith({}, [ON_EVENTS, { ...JOB, job: "b" }]).problem!, /no tick/);
  });
  it("is known by its ticks alone without /proc", () => {
    const [start, anyAge] = [0, () => Infinity];
    const counter = { listener: { pid: 7, start }, supervisor: { pid: 8, start }, periodSeconds: 60 };
    assert.equal(reportWith({ ...counter, ...tick(180) }, [JOB], anyAge).problem, undefined);
    assert.match(reportWith(counter, [JOB], anyAge).problem!, /no tick for 5h/);
  });
  it("that is dead runs nothing next", () => {
    assert.equal(reportWith({ ...tick(10), periodSeconds: 60 }).jobs[0].next, NOW - 10 + 4 * 60);
    assert.equal(reportWith(dead).jobs[0].next, undefined);
  });
  it("that lives makes history of what is left of others, and of nothing else", () => {
    const well = reportWith({ ...tick(10), periodSeconds: 60 });
    const left = [
      reportWith({ ...dead, supervisor: gone }, [JOB, ended(1, "failure")]),
      reportWith({ machine: "a:2" }),
    ];
    assert.equal(isHealthy(besideLiving([...left, well])), true);
    assert.equal(isHealthy(besideLiving(left)), false);
    assert.equal(isHealthy(besideLiving([well, reportWith(dead)])), false, "its supervisord lives");
    assert.equal(isHealthy([]), false);
    const [table] = describeReports(besideLiving([...left, well]), NOW).split("\n/state: ");
    assert.equal(table.split("\n").length, 2);
    assert.match(
      describeReports(besideLiving([...left, well]), NOW),
      /^\/state: history of backup: its listener \(pid 9\)/m,
    );
  });
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
    for (const name of ["web.bad", "notes"]) fs.writeFileSync(`${ours}/${name}`, "garbage");
    fs.writeFileSync(`${ours}/.gitkeep`, "");
    fs.writeFileSync(`${ours}/number`, "7\n");
    fs.symlinkSync("/no/such/file", `${ours}/nowhere`);
    fs.symlinkSync(`${ours}/itself`, `${ours}/itself`);
    fs.mkdirSync(`${ours}/directory`);
    spawnSync("mkfifo", [`${ours}/fifo`]);
    assert.deepEqual(filesIn(temporary), [`${ours}/mail`, `${ours}/web`]);
  });

  it("what may not be read is shown as that, without a say beside a listener that lives", PERMISSIONS, (t) => {
    const { temporary, ours } = makeOurs(t);
    writeCounter(`${ours}/mail`, 1);
    writeJournal(`${ours}/mail`, JOB);
    for (const file of ["mail", "mail.runs"]) fs.chmodSync(`${ours}/${file}`, 0);
    const humble = (...names: string[]) =>
      run([...HUMBLE, ...RUNTIME, LISTENER, "status", ...names], { TMPDIR: temporary });
    const unread = new RegExp(`^${ours}/mail: can't be read: ask as root, or as its user: permission denied`, "m");
    assert.match(humble().stdout, unread);
    assert.equal(humble().status, 0);
    assert.match(humble("backup").stdout, unread);
    fs.unlinkSync(`${ours}/web`);
    assert.match(humble().stdout, unread);
    assert.equal(humble().status, 1);
    fs.chmodSync(ours, 0);
    assert.match(humble().stdout, new RegExp(`^${ours}: can't be read: `, "m"));
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
    const file = `${ours}/a\u001b[2J\u009b2J\n`;
    fs.writeFileSync(file, "garbage");
    writeJournal(file, JOB);
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
    ...{ lastSuccess: 1699999000.5, skipped: 1, missed: 3, recentSeconds: [1.25, null, null, 1.25] },
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

const success = { run: 1, result: "success", at: NOW - 240, seconds: 0.2, exit: 0, signal: null } as const;
const someJob = (more: Partial<JobReport> = {}): JobReport => ({
  ...{ job: "backup", last: success, recent: ["success"], failures: 0, next: NOW + 56, running: [] },
  ...{ runs: { success: 1, failure: 0, timeout: 0, interrupted: 0 }, skipped: 0, missed: 0, recentSeconds: [0.2] },
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

it("the table fits 80 columns, and tells jobs of the same name apart by their files", () => {
  const full = { recent: Array.from({ length: 20 }, () => "success" as const), last: failed, failures: 12, running };
  const long = "synchronise-all-of-the-customers";
  const two = ["/var/lib/supertick/sync", "/tmp/supertick-0/sync"].map((file) => ({
    file,
    jobs: [someJob({ job: "sync" })],
  }));
  assert.deepEqual(
    describeReports([{ file: "/a", jobs: [someJob({ ...full, job: long })] }, two[0]], NOW).split("\n"),
    [
      "JOB             LAST RUN        SECONDS  LAST 20  FAILED  NEXT",
      "…the-customers  failure 2h ago     12.0  …✓✓✓✓✓✓      12  in 56s; running 3m (2)",
      "sync            success 4m ago      0.2  ✓             0  in 56s",
    ],
  );
  assert.deepEqual(describeReports(two, NOW).split("\n"), [
    "JOB   FILE                     LAST RUN        SECONDS  LAST 20  FAILED  NEXT",
    "sync  /var/lib/supertick/sync  success 4m ago      0.2  ✓             0  in 56s",
    "sync  /tmp/supertick-0/sync    success 4m ago      0.2  ✓             0  in 56s",
  ]);
});

// ── Metrics ────────────────────────────────────────────────────────────────

/** What Prometheus' own client makes of a text: the samples, each as name, labels and value. */
function parseMetrics(
  text: string,
): Array<[type: string, name: string, labels: Record<string, string>, value: number]> {
  const { stdout, stderr } = spawnSync("/usr/bin/python3", ["-c", METRICS_PARSER], { input: text, encoding: "utf8" });
  assert.equal(stderr, "");
  return JSON.parse(stdout);
}
const METRICS_PARSER = `
import io, json, sys
from prometheus_client.parser import text_fd_to_metric_families
text = sys.stdin.buffer.read().decode("utf-8")
families = text_fd_to_metric_families(io.StringIO(text, newline="\\n"))
print(json.dumps([[f.type, s.name, s.labels, s.value] for f in families for s in f.samples]))`;
const hasParser = spawnSync("/usr/bin/python3", ["-c", "import prometheus_client"]).status === 0;
const PARSER = { skip: hasParser || process.env.CI === "true" ? false : "python3-prometheus-client is not installed" };

describe("--prometheus", PARSER, () => {
  const metricsOf = (...states: StateReport[]) => parseMetrics(`${describeMetrics(states, NOW)}\n`);

  it("has a metric for each fact, under the conventional names", () => {
    const paused = { until: NOW + 60 };
    const more = { runs: { success: 7, failure: 2, timeout: 1, interrupted: 0 }, skipped: 4, missed: 1001 };
    const job = someJob({ ...more, last: failed, lastSuccess: NOW - 99.5, failures: 3, running, paused });
    const samples = metricsOf({ file: "/a", listener: 7, lastTick: NOW - 9, refused: 2, jobs: [job] });
    assert.deepEqual(
      samples.map(([type, name, { job, listener, result = "" }, value]) =>
        [type, name, job, listener, result, value].join(" "),
      ),
      [
        ...["success 7", "failure 2", "timeout 1", "interrupted 0"].map(
          (s) => `counter supertick_runs_total backup /a ${s}`,
        ),
        "counter supertick_skipped_total backup /a  4",
        "counter supertick_missed_total backup /a  1001",
        "gauge supertick_last_success_timestamp_seconds backup /a  1699999900.5",
        "gauge supertick_last_duration_seconds backup /a  12",
        "gauge supertick_failures_in_a_row backup /a  3",
        "gauge supertick_next_due_timestamp_seconds backup /a  1700000056",
        "gauge supertick_running backup /a  2",
        "gauge supertick_paused backup /a  1",
        "gauge supertick_last_tick_timestamp_seconds  /a  1699999991",
        "gauge supertick_listener_up  /a  1",
        "gauge supertick_crontabs_refused  /a  2",
      ],
    );
  });
  it("leaves out what is not known, and history", () => {
    const jobs = [someJob(idle)];
    const names = metricsOf({ file: "/a", jobs }, { file: "/b", jobs, isApart: true }).map(([, name]) =>
      name.slice(10),
    );
    const runs = Array.from({ length: 4 }, () => "runs_total");
    const rest = [
      "skipped_total",
      "missed_total",
      "failures_in_a_row",
      "running",
      "paused",
      "listener_up",
      "crontabs_refused",
    ];
    assert.deepEqual(names, [...runs, ...rest]);
  });
  it("shows every name as it is, and none twice", () => {
    const names = ["a", '"', "\\", "\\n", "\n", "}", " ", "\u2028", "\r", '{x="1"} 1 # ', "日本", "a"];
    const jobs = names.map((job, i) => someJob({ job, failures: i }));
    for (const state of [
      { file: "/a", jobs },
      { file: '/"\\\n', jobs },
    ]) {
      const samples = metricsOf(state, state).filter(([, name]) => name.endsWith("failures_in_a_row"));
      const shown = samples.map(([, , { job, listener }, value]) => [job, listener, value]);
      const expected = [["a", 11], ...names.slice(1, -1).map((job, i) => [job, i + 1])];
      assert.deepEqual(
        shown,
        expected.map(([job, value]) => [job, state.file, value]),
      );
    }
  });
  it("is what status prints, with exit status 0 even if a run failed, so that a job can collect it", (t) => {
    const file = writeState(t, ended(1, "failure"));
    const { status: exit, stdout } = status(["--prometheus", file]);
    assert.equal(exit, 0);
    assert.equal(parseMetrics(stdout).find(([, name]) => name === "supertick_failures_in_a_row")?.[3], 1);
    assert.equal(status(["--prometheus", "--json", file]).status, 2);
  });
});
