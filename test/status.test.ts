// The status subcommand: what it says of good, bad and missing files, and the exit status that a health check gets.

import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import { describe, it, type TestContext } from "node:test";
import { describeReports, formatCounter, type JobReport, type StateReport, scheduleRecord } from "../listener";
import { FIXTURES, HUMBLE, LISTENER, PERMISSIONS, RUNTIME, run, supertick, temporaryDirectory } from "./harness";
import { Supervisord } from "./supervisord";

// ── Helpers ────────────────────────────────────────────────────────────────

interface Answer {
  status: number | null;
  text: string;
  stderr: string;
}

function status(args: string[], env: NodeJS.ProcessEnv = {}): Answer {
  const { status, stdout, stderr } = supertick(["status", ...args], env);
  return { status, text: stdout, stderr };
}

interface Json {
  healthy: boolean;
  states: Array<StateReport & { jobs: JobReport[] }>;
}

function statusJson(...args: string[]): Json & { status: number | null } {
  const { status: exit, text } = status(["--json", ...args]);
  return { ...JSON.parse(text), status: exit };
}

const now = () => Math.floor(Date.now() / 1000);

/** A counter file whose last tick came `age` seconds ago. */
function writeCounter(file: string, age: number, count = 3, periodSeconds = 60): void {
  const whenSeconds = now() - age;
  const clock = { whenSeconds, serial: 9, decidedSeconds: whenSeconds, fixedDecidedSeconds: whenSeconds };
  const nobody = { pid: 999999, start: 1 };
  const text = formatCounter({
    ...{ count, periodSeconds, supervisor: nobody, listener: nobody },
    clock: { ...clock, isRestored: false },
  });
  fs.writeFileSync(file, `${text.padEnd(255)}\n`);
}

function writeJournal(file: string, ...records: object[]): void {
  const text = records.map((record) => `${JSON.stringify({ job: "backup", at: now() - 90, ...record })}\n`);
  fs.writeFileSync(`${file}.runs`, text.join(""));
}

const JOB = { type: "job", schedule: scheduleRecord({ kind: "ticks", every: 5 }), lastRun: 0, failures: 0 };
const ended = (run: number, result: string, more: object = {}) => ({
  ...{ type: "finished", run, attempt: 1, result, seconds: 1.25, exit: result === "success" ? 0 : 3, signal: null },
  ...more,
});

/** Both files of a listener that is at work. */
function writeState(t: TestContext, ...records: object[]): string {
  const file = `${temporaryDirectory(t)}/backup`;
  writeCounter(file, 10);
  writeJournal(file, JOB, ...records);
  return file;
}

// ── Health ─────────────────────────────────────────────────────────────────

describe("a health check passes", () => {
  it("when the last run succeeded and the ticks come", (t) => {
    const { status: exit, text } = status([writeState(t, ended(1, "failure"), ended(2, "success"))]);
    assert.equal(exit, 0);
    assert.match(text, /^backup {2}success 1m ago, \S+Z {6}1\.3 {2}✗✓ {12}0 {2}in \d/m);
  });

  it("when no run was due yet", (t) => {
    const { status: exit, text } = status([writeState(t)]);
    assert.equal(exit, 0);
    assert.match(text, /^backup {2}none yet /m);
  });

  it("before the first tick, for three minutes", (t) => {
    const file = `${temporaryDirectory(t)}/backup`;
    fs.writeFileSync(file, "0\n");
    writeJournal(file, { ...JOB, at: now() - 60 });
    assert.equal(status([file]).status, 0);
    writeJournal(file, { ...JOB, at: now() - 200 });
    const { status: exit, text } = status([file]);
    assert.equal(exit, 1);
    assert.match(text, /backup: no tick was counted yet$/m);
  });

  it("without ticks where jobs wait for events only", (t) => {
    const file = `${temporaryDirectory(t)}/backup`;
    fs.writeFileSync(file, "0\n");
    writeJournal(file, { ...JOB, schedule: { on: ["PROCESS_STATE_FATAL"] }, at: now() - 9999 });
    assert.equal(status([file]).status, 0);
  });
});

describe("a health check fails", () => {
  for (const result of ["failure", "timeout", "interrupted"]) {
    it(`when the last run came to ${result}`, (t) => {
      const { status: exit, text } = status([writeState(t, ended(1, "success"), ended(2, result))]);
      assert.equal(exit, 1);
      assert.match(text, new RegExp(`^backup {2}${result} .* ✓${result === "timeout" ? "⏱" : "✗"} +1 `, "m"));
    });
  }

  it("when the last tick is older than three periods", (t) => {
    const file = writeState(t, ended(1, "success"));
    const HOUR = 3600; // of which some seconds are little, however long status takes to start
    writeCounter(file, 3 * HOUR - 120, 3, HOUR);
    assert.equal(status([file]).status, 0);
    writeCounter(file, 3 * HOUR + 10, 3, HOUR);
    const { status: exit, text } = status([file]);
    assert.equal(exit, 1);
    assert.match(text, /: the last tick was counted 3h ago, .*Z: no listener is at work$/m);
  });

  const broken: Array<[title: string, content: string | undefined, message: RegExp]> = [
    ["there is no file", undefined, /: there is no such file$/m],
    ["the file is empty", "", /: the file is empty$/m],
    ["the file is garbage", "\u0000\u001b[31mx", /: expected a count, got "\\u0000\\u001b\[31mx"$/m],
    ["the count is no number", "08\n", /: expected a count, got "08\\n"$/m],
  ];
  for (const [title, content, message] of broken) {
    it(`when ${title}, and says so`, (t) => {
      const file = `${temporaryDirectory(t)}/state`;
      if (content !== undefined) fs.writeFileSync(file, content);
      const { status: exit, text } = status([file]);
      assert.equal(exit, 1);
      assert.match(text, message);
      assert.equal(text.trim().split("\n").length, 1);
    });
    it(`when ${title}, but tells what the journal knows`, (t) => {
      const file = writeState(t, ended(1, "success"));
      fs.unlinkSync(file);
      if (content !== undefined) fs.writeFileSync(file, content);
      const { status: exit, text } = status([file]);
      assert.equal(exit, 1);
      assert.match(text, message);
      assert.match(text, /^backup {2}success /m);
    });
  }

  it("when one of several files is not as it should be", (t) => {
    const [good, bad] = [writeState(t, ended(1, "success")), writeState(t, ended(1, "failure"))];
    assert.equal(status([good]).status, 0);
    assert.equal(status([good, bad]).status, 1);
  });

  it("on a directory, a device and a FIFO, without hanging", (t) => {
    const directory = temporaryDirectory(t);
    spawnSync("mkfifo", [`${directory}/fifo`]);
    for (const file of [directory, "/dev/null", `${directory}/fifo`]) assert.equal(status([file]).status, 1, file);
  });

  it("on a journal that is garbage, and whatever it holds reaches no terminal", (t) => {
    const file = writeState(t);
    fs.writeFileSync(
      `${file}.runs`,
      `${JSON.stringify({ ...ended(1, "failure"), job: "a\u001b[2J", at: 1 })}\n\u0000{\n`,
    );
    const { status: exit, text } = status([file]);
    assert.equal(exit, 1);
    assert.match(text, /^a\\u001b\[2J {2}failure /m);
    assert.doesNotMatch(text, /\u001b/);
  });
});

// ── Where the files are ────────────────────────────────────────────────────

describe("without a FILE", () => {
  it("TICK_STATE names it", (t) => {
    const file = writeState(t, ended(1, "success"));
    assert.equal(status([], { TICK_STATE: file }).status, 0);
  });

  it("every file in the default places is looked at", (t) => {
    const directory = temporaryDirectory(t);
    const ours = `${directory}/supertick-${os.userInfo().uid}`;
    fs.mkdirSync(ours, { mode: 0o700 });
    for (const name of ["web", "mail"]) {
      writeCounter(`${ours}/${name}`, 1);
      writeJournal(`${ours}/${name}`, { ...JOB, job: name });
    }
    fs.writeFileSync(`${ours}/web.bad`, "garbage");
    const { states } = JSON.parse(status(["--json"], { TMPDIR: directory }).text) as Json;
    const found = states.filter(({ file }) => file.startsWith(directory));
    assert.deepEqual(
      found.flatMap(({ jobs }) => jobs.map(({ job }) => job)),
      ["mail", "web"],
    );
  });

  it("what may not be read is passed over, as another user's", PERMISSIONS, (t) => {
    const directory = temporaryDirectory(t);
    const ours = `${directory}/supertick-${os.userInfo().uid}`;
    fs.mkdirSync(ours, { mode: 0o700 });
    for (const name of ["web", "mail"]) writeCounter(`${ours}/${name}`, 1);
    fs.chmodSync(`${ours}/mail`, 0);
    const { stdout } = run([...HUMBLE, ...RUNTIME, LISTENER, "status", "--json"], { TMPDIR: directory });
    const { states } = JSON.parse(stdout) as Json;
    assert.deepEqual(
      states.map(({ file }) => file).filter((file) => file.startsWith(directory)),
      [`${ours}/web`],
    );
  });

  const inTheWay: Array<[title: string, make: (file: string) => void]> = [
    ["a link to nowhere", (file) => fs.symlinkSync("/no/such/file", file)],
    ["a link to itself", (file) => fs.symlinkSync(file, file)],
    ["a directory", (file) => fs.mkdirSync(file)],
    ["a FIFO", (file) => spawnSync("mkfifo", [file])],
  ];
  for (const [title, make] of inTheWay) {
    it(`${title} among them is passed over`, (t) => {
      const directory = temporaryDirectory(t);
      const ours = `${directory}/supertick-${os.userInfo().uid}`;
      fs.mkdirSync(ours, { mode: 0o700 });
      writeCounter(`${ours}/web`, 1);
      make(`${ours}/mail`);
      const { states } = JSON.parse(status(["--json"], { TMPDIR: directory }).text) as Json;
      assert.deepEqual(
        states.map(({ file }) => file).filter((file) => file.startsWith(directory)),
        [`${ours}/web`],
      );
    });
  }

  it("a directory that somebody has put into another user's place is passed over", (t) => {
    const directory = temporaryDirectory(t);
    const { uid } = os.userInfo();
    const make = (name: string, mode: number) => {
      fs.mkdirSync(`${directory}/${name}`, { mode });
      writeCounter(`${directory}/${name}/web`, 1);
    };
    make(`supertick-${uid + 1}`, 0o700); // ours, under the next user's name
    fs.symlinkSync(`supertick-${uid + 1}`, `${directory}/supertick-${uid}`);
    const files = () =>
      (JSON.parse(status(["--json"], { TMPDIR: directory }).text) as Json).states.map(({ file }) => file);
    const isHere = (file: string) => file.startsWith(directory);
    assert.deepEqual(files().filter(isHere), []);
    fs.unlinkSync(`${directory}/supertick-${uid}`);
    make(`supertick-${uid}`, 0o777);
    fs.chmodSync(`${directory}/supertick-${uid}`, 0o777);
    assert.deepEqual(files().filter(isHere), []);
    fs.chmodSync(`${directory}/supertick-${uid}`, 0o700);
    assert.deepEqual(files().filter(isHere), [`${directory}/supertick-${uid}/web`]);
  });

  it("a file whose name would act on a terminal is shown escaped", (t) => {
    const directory = temporaryDirectory(t);
    const ours = `${directory}/supertick-${os.userInfo().uid}`;
    fs.mkdirSync(ours, { mode: 0o700 });
    fs.writeFileSync(`${ours}/a\u001b[2J\u009b2J\n`, "garbage");
    for (const args of [[], ["--json"]]) {
      const { text } = status(args, { TMPDIR: directory });
      assert.match(text, /a\\u001b\[2J\\u009b2J\\n/);
      assert.doesNotMatch(text.trim(), /[\u001b\u009b]/);
    }
  });

  it("a machine without any is told what to do", (t) => {
    if (fs.existsSync("/var/lib/supertick")) t.skip("this machine has state files of its own");
    const { status: exit, text } = status([], { TMPDIR: temporaryDirectory(t) });
    assert.equal(exit, 1);
    assert.equal(text, "no state file was found: name it, supertick status FILE\n");
  });
});

it("an option that is none of status's is refused", () => {
  const { status: exit, stderr } = status(["--verbose"]);
  assert.equal(exit, 2);
  assert.match(stderr, /^supertick: --verbose does not belong here: see/);
});

// ── What it tells ──────────────────────────────────────────────────────────

it("--json gives every fact: times in epoch seconds, results in words", (t) => {
  const file = writeState(
    t,
    ended(1, "success"),
    { type: "skipped", due: 5, reason: "schedule" },
    ended(2, "timeout"),
    { type: "starting", run: 3, attempt: 1, due: 9, reason: "schedule" },
    { type: "started", run: 3, attempt: 1, pid: 12345, start: 1, at: 1700000000 },
  );
  const { healthy, states, status: exit } = statusJson(file);
  assert.deepEqual([healthy, exit], [false, 1]);
  const [{ lastTick = 0, jobs, ...facts }] = states;
  assert.deepEqual(facts, { file, period: 60 });
  const [{ last, next, ...job }] = jobs;
  assert.deepEqual(job, {
    job: "backup",
    schedule: "every 5 ticks",
    recent: ["success", "none", "timeout"],
    failures: 1,
    running: [{ run: 3, since: 1700000000 }],
  });
  assert.deepEqual({ ...last, at: 0 }, { result: "timeout", at: 0, seconds: 1.25 });
  assert.equal(next, lastTick + 2 * 60, "two more ticks till the count of 5");
});

const schedules: Array<[title: string, record: object, next: (tick: number) => number | undefined]> = [
  ["a count", { ticks: 4 }, (tick) => tick + 60],
  [
    "slices",
    { every: 3600, offset: 60 },
    (tick) => Math.ceil((Math.floor((tick - 60) / 3600 + 1) * 3600 + 60) / 60) * 60,
  ],
  [
    "a cron expression",
    { cron: "0 30 * * * *", tz: "UTC" },
    (tick) => (Math.floor((tick - 1800) / 3600) + 1) * 3600 + 1800,
  ],
  ["events", { on: ["PROCESS_STATE"] }, () => undefined],
  ["what a later version has written", { moon: "full" }, () => undefined],
  ["a zone that is unknown here", { cron: "0 30 * * * *", tz: "Mars/Base" }, () => undefined],
];
for (const [title, schedule, next] of schedules) {
  it(`the next run of ${title} is told where it is known`, (t) => {
    const file = writeState(t);
    writeJournal(file, { ...JOB, schedule });
    const [{ lastTick = 0, jobs }] = statusJson(file).states;
    assert.equal(jobs[0].next, next(lastTick));
  });
}

it("a run that is delayed by its jitter is told at the time that it comes", (t) => {
  const file = writeState(t);
  writeJournal(file, { ...JOB, schedule: { every: 60, offset: 0 }, delay: 90 });
  const [{ lastTick = 0, jobs }] = statusJson(file).states;
  const first = Math.floor((lastTick - 60) / 60 + 1) * 60;
  assert.equal(jobs[0].next, Math.ceil((first + 60) / 60) * 60 + 30);
});

it("it works beside the running listener", async (t) => {
  const file = `${temporaryDirectory(t)}/state`;
  const args = ["--state", file, "--ticks", "1", "--", `${FIXTURES}/exit-3`];
  const supervisord = await Supervisord.during(t, { args });
  await supervisord.tick();
  await supervisord.waitForLog(/run 1 failed/);
  const [{ jobs }] = statusJson(file).states;
  assert.deepEqual([jobs[0].job, jobs[0].recent, jobs[0].failures], ["job", ["failure"], 1]);
});

// ── The table ──────────────────────────────────────────────────────────────

const NOW = 1700000000;
const report = (...jobs: JobReport[]): StateReport => ({ file: "/state", jobs });
const someJob = (more: Partial<JobReport> = {}): JobReport => ({
  ...{ job: "backup", last: { result: "success", at: NOW - 240, seconds: 0.2 }, failures: 0, running: [] },
  ...{ recent: Array.from({ length: 20 }, (_, i) => (i % 9 === 4 ? "failure" : "success")), next: NOW + 56 },
  ...more,
});
const plain = (columns: number, ...jobs: JobReport[]) =>
  describeReports([report(...jobs)], NOW, { columns, isColoured: false }).split("\n");

const tables: Array<[title: string, columns: number, jobs: JobReport[], lines: string[]]> = [
  [
    "at 80 columns ages alone are told",
    80,
    [someJob(), someJob({ job: "mail", last: { result: "failure", at: NOW - 7300, seconds: 12 }, failures: 12 })],
    [
      "JOB     LAST RUN        SECONDS  LAST 20               FAILED  NEXT",
      "backup  success 4m ago      0.2  ✓✓✓✓✗✓✓✓✓✓✓✓✓✗✓✓✓✓✓✓       0  in 56s",
      "mail    failure 2h ago     12.0  ✓✓✓✓✗✓✓✓✓✓✓✓✓✗✓✓✓✓✓✓      12  in 56s",
    ],
  ],
  [
    "at 200 columns the times are told too",
    200,
    [someJob({ running: [{ run: 4, since: NOW - 3 }] })],
    [
      "JOB     LAST RUN                              SECONDS  LAST 20               FAILED  NEXT",
      "backup  success 4m ago, 2023-11-14T22:09:20Z      0.2  ✓✓✓✓✗✓✓✓✓✓✓✓✓✗✓✓✓✓✓✓       0  in 56s, 2023-11-14T22:14:16Z; running 3s",
    ],
  ],
  [
    "what does not fit is taken off the names, then off the oldest results",
    66,
    [someJob({ job: "a-job-with-a-long-name" })],
    [
      "JOB       LAST RUN        SECONDS  LAST 20          FAILED  NEXT",
      "a-job-w…  success 4m ago      0.2  ✓✓✓✓✓✓✓✓✗✓✓✓✓✓✓       0  in 56s",
    ],
  ],
  [
    "a run in progress stands where the next one would",
    80,
    [
      someJob({
        recent: ["none"],
        running: [
          { run: 4, since: NOW - 200 },
          { run: 5, since: NOW - 2 },
        ],
      }),
    ],
    [
      "JOB     LAST RUN        SECONDS  LAST 20  FAILED  NEXT",
      "backup  success 4m ago      0.2  –             0  running 3m (2)",
    ],
  ],
  [
    "wide characters keep the columns",
    80,
    [someJob({ job: "备份", recent: [] }), someJob({ job: "x", recent: [], last: undefined, next: undefined })],
    [
      "JOB   LAST RUN        SECONDS  LAST 20  FAILED  NEXT",
      "备份  success 4m ago      0.2                0  in 56s",
      "x     none yet                               0  –",
    ],
  ],
  [
    "combining marks take no column",
    80,
    [someJob({ job: "cafe\u0301", recent: [] }), someJob({ job: "สี", recent: [] })],
    [
      "JOB   LAST RUN        SECONDS  LAST 20  FAILED  NEXT",
      "cafe\u0301  success 4m ago      0.2                0  in 56s",
      "สี     success 4m ago      0.2                0  in 56s",
    ],
  ],
];
for (const [title, columns, jobs, lines] of tables) it(title, () => assert.deepEqual(plain(columns, ...jobs), lines));

it("no line of the worst case is longer than 80 columns", () => {
  const worst = someJob({
    ...{ job: "n".repeat(100), last: { result: "interrupted", at: NOW - 3599, seconds: 86400 } },
    ...{
      failures: 123456,
      running: [
        { run: 4, since: NOW - 86399 },
        { run: 5, since: NOW },
      ],
    },
  });
  for (const line of plain(80, worst)) assert.ok([...line].length <= 80, line);
});

it("results are coloured on a terminal", () => {
  const [, line] = describeReports([report(someJob({ recent: ["success", "timeout"] }))], NOW, {
    ...{ columns: 80, isColoured: true },
  }).split("\n");
  assert.equal(
    line,
    "backup  \u001b[32msuccess 4m ago\u001b[0m      0.2  \u001b[32m✓\u001b[0m\u001b[33m⏱\u001b[0m            0  in 56s",
  );
});

it("to a pipe no colour is written", (t) => {
  assert.doesNotMatch(status([writeState(t, ended(1, "success"))]).text, /\u001b/);
});
