// When jobs run and what is said of it, through the shipped file: cron on ticks, what was missed, events, jitter, check.

import * as assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { describe, it, type TestContext } from "node:test";
import { payloadTokens, stableDelay } from "../listener";
import { LISTENER, RUNTIME, runtimeWith, temporaryDirectory } from "./harness";
import { type Options, Supervisord } from "./supervisord";
import * as valid from "./vectors/cron-valid.json";

const JOB = ["--", "/bin/sh", "-c", 'echo "due $SUPERTICK_DUE $SUPERTICK_REASON"'];
const THREE = 1715655600; // 14 May 2024, 03:00 UTC

async function start(t: TestContext, args: string[], options: Options = {}): Promise<Supervisord> {
  return Supervisord.during(t, { args: ["--name", "job", ...args], ...options });
}

function count(text: string, pattern: RegExp): number {
  return text.match(new RegExp(pattern, "g"))?.length ?? 0;
}

describe("a cron job", { concurrency: 4 }, () => {
  const nightly = ["--cron", "0 3 * * *", "--tz", "UTC", "--tick", "TICK_60"];

  it("runs at its time, for its time, once", async (t) => {
    const supervisord = await start(t, [...nightly, ...JOB]);
    for (const when of [THREE - 120, THREE - 60, THREE, THREE + 60, THREE + 120]) await supervisord.tick({ when });
    await supervisord.waitForLog(/run 1 finished/);
    assert.equal(count(supervisord.stderr, /due \d+ schedule/), 1);
    assert.match(supervisord.stderr, new RegExp(`due ${THREE} schedule`));
  });

  it("whose tick was lost runs with the next one, for its own time", async (t) => {
    const supervisord = await start(t, [...nightly, ...JOB]);
    for (const when of [THREE - 60, THREE + 60]) await supervisord.tick({ when });
    await supervisord.waitForLog(new RegExp(`due ${THREE} schedule`));
  });

  it("missed by half an hour is made up for by one run, and that is told", async (t) => {
    const supervisord = await start(t, [...nightly, ...JOB]);
    for (const when of [THREE - 60, THREE + 1800]) await supervisord.tick({ when });
    await supervisord.waitForLog(new RegExp(`due ${THREE} catch-up`));
    assert.match(supervisord.stderr, /no tick came for 31m: one due time missed.*made up for by one run/);
  });

  it("missed by five hours is not made up for, and that is told and recorded with its number", async (t) => {
    const supervisord = await start(t, ["--cron", "0 3,4 * * *", ...nightly.slice(2), ...JOB]);
    for (const when of [THREE - 60, THREE + 5 * 3600]) await supervisord.tick({ when });
    await supervisord.waitForLog(/2 due times missed.*longer than --catch-up, not made up for/);
    const journal = fs.readFileSync(`${supervisord.stateFile}.runs`, "utf8");
    assert.match(journal, new RegExp(`"type":"missed","job":"job","due":${THREE + 3600},"count":2`));
    assert.doesNotMatch(supervisord.stderr, /run 1 started/);
  });

  it("missed while the listener was stopped is made up for after its restart", async (t) => {
    const supervisord = await start(t, [...nightly, ...JOB]);
    await supervisord.tick({ when: THREE - 60 });
    await supervisord.stop();
    await supervisord.restartListener();
    await supervisord.tick({ when: THREE + 1800 });
    await supervisord.waitForLog(new RegExp(`due ${THREE} catch-up`));
  });

  it("in a zone where the clock skips its time runs once at the end of the gap", async (t) => {
    const gap = 1743296400; // 30 March 2025, 03:00 in Berlin, where 02:00 to 03:00 is skipped
    const supervisord = await start(t, ["--cron", "30 2 * * *", "--tz", "Europe/Berlin", ...JOB]);
    for (let when = gap - 120; when <= gap + 3600; when += 60) await supervisord.tick({ when });
    await supervisord.waitForLog(/run 1 finished/);
    assert.equal(count(supervisord.stderr, /due \d+ schedule/), 1);
    assert.match(supervisord.stderr, new RegExp(`due ${gap} schedule`));
  });
});

describe("on events of supervisord", { concurrency: 4 }, () => {
  const FATAL = "processname:web groupname:web from_state:BACKOFF";
  const show =
    'read -r line; echo "got $line|$SUPERTICK_EVENT|$SUPERTICK_PROCESSNAME|$SUPERTICK_REASON|$SUPERTICK_JOB"';

  it("the command gets the payload on stdin and its tokens in the environment", async (t) => {
    const supervisord = await start(t, ["--on", "PROCESS_STATE", "--", "/bin/sh", "-c", show]);
    await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", FATAL));
    await supervisord.waitForLog(/^got /m);
    assert.ok(supervisord.stderr.includes(`got ${FATAL}|PROCESS_STATE_FATAL|web|event|job\n`), supervisord.stderr);
  });

  it("tokens never replace another variable", async (t) => {
    const supervisord = await start(t, ["--on", "PROCESS_STATE", "--", "/bin/sh", "-c", show], {
      env: { SUPERTICK_PROCESSNAME: "mine" },
    });
    await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", "processname:web job:theirs event:theirs"));
    await supervisord.waitForLog(/\|PROCESS_STATE_FATAL\|mine\|event\|job\n/);
  });

  it("others are answered and ignored, and so is one that comes again", async (t) => {
    const supervisord = await start(t, ["--on", "PROCESS_STATE_FATAL", ...JOB]);
    await supervisord.answered(supervisord.send("PROCESS_STATE_EXITED", FATAL, { serial: 7 }));
    await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", FATAL, { serial: 8 }));
    await supervisord.waitForLog(/run 1 finished/);
    await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", FATAL, { serial: 8 }));
    await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", FATAL, { serial: 9 }));
    await supervisord.waitForLog(/run 2 finished/);
    assert.equal(count(supervisord.stderr, /due \d+ event/), 2);
  });

  it("each is a run of its own, one after the other, in order", async (t) => {
    const supervisord = await start(t, ["--on", "PROCESS_STATE", "--", "/bin/sh", "-c", 'echo "ran $SUPERTICK_N"']);
    const events = [1, 2, 3, 4, 5, 6].map((n) => supervisord.send("PROCESS_STATE_EXITED", `n:${n}`));
    for (const event of events) await supervisord.answered(event);
    await supervisord.waitForLog(/run 6 finished/);
    assert.deepEqual(supervisord.stderr.match(/^ran \d$/gm), ["ran 1", "ran 2", "ran 3", "ran 4", "ran 5", "ran 6"]);
  });

  it("a tick that a neighbour lets come is answered and starts no watch for more", async (t) => {
    const supervisord = await start(t, ["--on", "PROCESS_STATE", "--verbose", ...JOB]);
    await supervisord.tick({ type: "TICK_5" });
    await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", FATAL));
    await supervisord.waitForLog(/run 1 finished/);
    assert.doesNotMatch(supervisord.stderr, /TICK_5/);
  });

  it("a command that does not read a large payload is no trouble", async (t) => {
    const supervisord = await start(t, ["--on", "PROCESS_LOG", "--", "/bin/true"]);
    await supervisord.answered(supervisord.send("PROCESS_LOG_STDOUT", "x".repeat(300_000)));
    await supervisord.waitForLog(/run 1 finished: exit 0/);
    await supervisord.answered(supervisord.send("PROCESS_LOG_STDOUT", "y"));
    await supervisord.waitForLog(/run 2 finished: exit 0/);
  });
});

describe("with --jitter", { concurrency: 4 }, () => {
  it("whole periods of the delay pass by ticks", async (t) => {
    const name = nameWithDelay((delay) => delay >= 120 && delay % 60 === 0, 600);
    const delay = stableDelay(`${os.hostname()} ${name}`, 600);
    const args = ["--name", name, "--every", "1h", "--jitter", "10m", "--tick", "TICK_60", ...JOB];
    const supervisord = await Supervisord.during(t, { args });
    for (let when = THREE - 60; when < THREE + delay; when += 60) await supervisord.tick({ when });
    assert.doesNotMatch(supervisord.stderr, /started/);
    await supervisord.tick({ when: THREE + delay });
    await supervisord.waitForLog(new RegExp(`due ${THREE} schedule`));
  });

  it("a run that is still being held is not lost when the listener is killed", async (t) => {
    const name = nameWithDelay((delay) => delay > 1000, 3600);
    const args = ["--name", name, "--every", "1d", "--jitter", "1h", "--tick", "TICK_3600", ...JOB];
    const supervisord = await Supervisord.during(t, { args });
    const midnight = 1715644800;
    const hour = (when: number) => supervisord.tick({ when, type: "TICK_3600" });
    for (const when of [midnight - 3600, midnight]) await hour(when);
    supervisord.signal("SIGKILL");
    await supervisord.exited;
    await supervisord.restartListener();
    assert.doesNotMatch(supervisord.stderr, /run 1 started/);
    await hour(midnight + 3600); // held again, for what is below one period
    await hour(midnight + 7200); // this one comes before the timer
    await supervisord.waitForLog(new RegExp(`due ${midnight} schedule`));
    await supervisord.waitForLog(/run 1 finished/);
    await hour(midnight + 10800); // and nothing is held a second time that this one could bring forward
    await hour(midnight + 14400);
    assert.equal(count(supervisord.stderr, /run \d+ started/), 1);
  });

  // Loaded before the listener: a timer of 3 s passes while it is being stopped, and not before.
  const HELD = `
    const wait = setTimeout;
    global.setTimeout = (run, ms, ...args) => {
      if (ms !== 3000) return wait(run, ms, ...args);
      process.once("SIGTERM", () => wait(run, 0, ...args));
      return wait(() => {}, ms);
    };`;

  it("a run that is being held when the listener is stopped is run for after its restart", async (t) => {
    const preload = `${temporaryDirectory(t)}/held.cjs`;
    fs.writeFileSync(preload, HELD);
    const name = nameWithDelay((delay) => delay === 3, 5);
    const job = ["--", "/bin/sh", "-c", 'trap "" TERM; echo "due $SUPERTICK_DUE"; sleep 1000'];
    const args = ["--name", name, "--every", "1m", "--jitter", "5s", "--tick", "TICK_5", "--kill-after", "1s", ...job];
    const supervisord = await Supervisord.during(t, { args, runtime: runtimeWith(preload).join(" ") });
    const tick = (when: number) => supervisord.tick({ when, type: "TICK_5" });
    await tick(THREE - 5);
    supervisord.signal("SIGUSR2");
    await supervisord.waitForLog(/^due \d+$/m);
    await tick(THREE);
    assert.deepEqual(await supervisord.stop(), { code: 0, signal: null });
    await supervisord.restartListener();
    await tick(THREE + 5);
    await tick(THREE + 10); // before the timer
    await supervisord.waitForLog(new RegExp(`^due ${THREE}$`, "m"));
  });

  /** A job name whose delay on this host is of the kind wanted. */
  function nameWithDelay(isWanted: (delay: number) => boolean, limit: number): string {
    for (let i = 0; ; i++) if (isWanted(stableDelay(`${os.hostname()} j${i}`, limit))) return `j${i}`;
  }
});

describe("a run whose pid could not be written down any more", { concurrency: 2 }, () => {
  /** What is left of it: a process, and the files that its listener has left. */
  function leaveRun(t: TestContext, directory: string, listenerPid: number): ChildProcess {
    const runOf = (listener: string) => {
      const env = { SUPERTICK_LISTENER: listener, SUPERTICK_JOB: "job", SUPERTICK_RUN: "7" };
      const child = spawn("/bin/sleep", ["1000"], { env, detached: true, stdio: "ignore" });
      t.after(() => child.kill("SIGKILL"));
      return child;
    };
    const former = `${listenerPid}:${process.pid}`;
    runOf(`${listenerPid}:${process.pid + 1}`); // of a listener with other files
    const left = runOf(former);
    const run = { type: "starting", job: "job", run: 7, attempt: 1, due: 1700000000, reason: "schedule" };
    fs.writeFileSync(`${directory}/state`, `0\nsupervisor=1:1 listener=${former}\n`);
    fs.writeFileSync(`${directory}/state.runs`, `${JSON.stringify({ ...run, at: 1700000000 })}\n`);
    return left;
  }

  async function goesOn(supervisord: Supervisord, left: ChildProcess): Promise<void> {
    await supervisord.tick();
    await supervisord.waitForLog(new RegExp(`skipped .*: run 7 is still going \\(pid ${left.pid}\\)`));
    left.kill("SIGKILL");
    await supervisord.waitForLog(/run 7 finished/);
    await supervisord.tick();
    await supervisord.waitForLog(/run 8 finished: exit 0/);
  }

  it("is found, and nothing is started beside it", async (t) => {
    const directory = temporaryDirectory(t);
    const left = leaveRun(t, directory, 999999999);
    const supervisord = await start(t, ["--ticks", "1", "--state", `${directory}/state`, ...JOB]);
    await goesOn(supervisord, left);
  });

  // Loaded before the listener: it is killed once its name stands in the counter file, the first time.
  const KILLED = `
    const fs = require("fs");
    const write = fs.writeSync;
    fs.writeSync = (...args) => {
      const written = write(...args);
      if (args[4] === 0 && fs.existsSync("first")) {
        fs.unlinkSync("first");
        process.kill(process.pid, "SIGKILL");
      }
      return written;
    };`;

  it("is found also by the listener after the next, when that one is killed too", async (t) => {
    const directory = temporaryDirectory(t);
    const left = leaveRun(t, directory, 999999998);
    fs.writeFileSync(`${directory}/killed.cjs`, KILLED);
    fs.writeFileSync(`${directory}/first`, "");
    const supervisord = await start(t, ["--ticks", "1", "--state", `${directory}/state`, ...JOB], {
      cwd: directory,
      runtime: runtimeWith(`${directory}/killed.cjs`).join(" "),
    });
    assert.deepEqual(await supervisord.exited, { code: null, signal: "SIGKILL" });
    assert.doesNotMatch(fs.readFileSync(`${directory}/state`, "latin1"), /listener=999999998/);
    await supervisord.restartListener();
    await goesOn(supervisord, left);
  });
});

describe("check", { concurrency: 2 }, () => {
  const check = (args: string[], env: NodeJS.ProcessEnv = {}) =>
    spawnSync(RUNTIME[0], [...RUNTIME.slice(1), LISTENER, "check", ...args], {
      encoding: "utf8",
      env: { PATH: process.env.PATH, ...env },
    });

  for (const { expr, tz, from, next } of valid.filter((_, i) => i % 24 === 5).filter((c) => c.next !== undefined)) {
    it(`--json gives the due times of ${expr} in ${tz} after ${from}`, () => {
      const args = ["--json", "--cron", expr, "--tz", tz, "--from", from, "-n", String(next?.length), "--", "true"];
      assert.deepEqual(JSON.parse(check(args).stdout).next, next);
    });
  }

  it("says in words what will happen", () => {
    const args = ["--cron", "30 2 * * SUN", "--tz", "Europe/Berlin", "--from", "2025-03-25", "-n", "2"];
    const readme = fs.readFileSync(path.join(__dirname, "..", "README.md"), "utf8");
    assert.ok(readme.includes(`\n${check(args).stdout}`), "README shows the same");
  });

  it("notes a run at the start, which no list of due times has", () => {
    const note = /^note: it also runs once when the listener starts \(--run-on-start\)$/m;
    assert.match(check(["--ticks", "5", "--run-on-start"]).stdout, note);
    assert.doesNotMatch(check(["--ticks", "5"]).stdout, note);
  });

  it("knows TZ, with --tz before it", () => {
    const next = (args: string[], env: NodeJS.ProcessEnv) =>
      JSON.parse(
        check(["--json", "--cron", "0 12 * * *", "--from", "2024-05-14T00:00:00Z", "-n", "1", ...args], env).stdout,
      ).next[0];
    assert.equal(next([], { TZ: "" }), 1715688000);
    assert.equal(next([], { TZ: ":Europe/Berlin" }), 1715688000 - 7200);
    assert.equal(next(["--tz", "UTC"], { TZ: "Europe/Berlin" }), 1715688000);
  });

  const refused: Array<[title: string, args: string[], env: NodeJS.ProcessEnv, told: RegExp]> = [
    ["an expression", ["--cron", "0 25 * * *"], {}, /^supertick: --cron "0 25 \* \* \*": hour 25 is above 23\n$/],
    [
      "a zone",
      ["--cron", "@daily", "--tz", "CEST"],
      {},
      /^supertick: --tz "CEST": timezone "CEST" is an abbreviation.*\n$/,
    ],
    ["an empty zone", ["--cron", "@daily"], { TICK_TZ: "" }, /^supertick: TICK_TZ "": timezone "" is empty.*\n$/],
    [
      "a wrong TZ",
      ["--cron", "@daily"],
      { TZ: "Mars/Olympus" },
      /^supertick: TZ: timezone "Mars\/Olympus" is not known.*\n$/,
    ],
  ];
  for (const [title, args, env, told] of refused) {
    it(`refuses ${title} with 2 and the reason`, () => {
      const { status, stderr, stdout } = check(args, env);
      assert.deepEqual([status, stdout], [2, ""]);
      assert.match(stderr, told);
    });
  }

  it("tells which ticks are too coarse", () => {
    assert.match(
      check(["--every", "90s", "--tick", "TICK_60"]).stdout,
      /note: every 1m30s does not fit a tick every 1m/,
    );
    assert.match(
      check(["--cron", "*/5 * * * *", "--tick", "TICK_3600", "--tz", "UTC"]).stdout,
      /note: finer than TICK_3600/,
    );
    assert.match(
      check(["--every", "5m", "--tick", "TICK_3600"]).stdout,
      /note: every 5m is finer than a tick every 1h: due times between two ticks are one run/,
    );
  });

  it("tells how often a count of ticks is reached", () => {
    assert.match(check(["--ticks", "5", "--tick", "TICK_5"]).stdout, /^note: every 5 ticks of TICK_5 is every 25s$/m);
    assert.doesNotMatch(check(["--ticks", "5"]).stdout, /is every/);
  });

  it("tells of jitter, and that no list can be made for events and counts", () => {
    assert.match(
      check(["--every", "1h", "--jitter", "10m"]).stdout,
      /note: each run starts later than listed, .* below 10m/,
    );
    assert.match(
      check(["--on", "PROCESS_STATE"]).stdout,
      /^on PROCESS_STATE\nwhen that is depends on what supervisord sends/,
    );
    assert.match(check(["--ticks", "5"]).stdout, /^every 5 ticks\nwhen that is depends on when the counting began/);
  });

  it("what README's table says of a schedule, it says", () => {
    const readme = fs.readFileSync(path.join(__dirname, "..", "README.md"), "utf8");
    const rows = [...readme.matchAll(/`--cron ('[^']+'|@\w+)` \| ([^|]+) \|$/gm)];
    assert.ok(rows.length >= 6);
    for (const [, expr, words] of rows) {
      const command = `"$@" check --tz UTC -n 1 --cron ${expr}`;
      const said = execFileSync("/bin/sh", ["-c", command, "sh", ...RUNTIME, LISTENER], { encoding: "utf8" });
      assert.equal(said.split("\n")[0], `${words}, UTC`);
    }
  });
});

describe("check warns of a lock among replicas whose due times differ", () => {
  const note =
    /^note: --only-if as a lock among replicas needs due times that are the same for all: --every or --cron$/m;
  const cases: Array<[schedule: string[], isWarned: boolean]> = [
    [["--ticks", "5"], true],
    [["--on", "PROCESS_STATE_FATAL"], true],
    [["--every", "5m"], false],
    [["--cron", "@daily"], false],
  ];
  for (const [schedule, isWarned] of cases) {
    it(schedule.join(" "), () => {
      const [command, ...prefix] = RUNTIME;
      const args = [...prefix, LISTENER, "check", ...schedule, "--only-if", "mkdir /shared/$SUPERTICK_DUE"];
      const { status, stdout } = spawnSync(command, args, { encoding: "utf8" });
      assert.equal(status, 0);
      assert.equal(note.test(stdout), isWarned, stdout);
    });
  }
});

describe("the tokens of a payload", () => {
  const cases: Array<[payload: string, tokens: Record<string, string>]> = [
    [
      "processname:web groupname:a:b pid:7\ndata:x",
      { SUPERTICK_PROCESSNAME: "web", SUPERTICK_GROUPNAME: "a:b", SUPERTICK_PID: "7" },
    ],
    ["type:\n", { SUPERTICK_TYPE: "" }],
    ["no tokens 1:2 -a:b", {}],
    [`a:1 type:${"x".repeat(2 ** 16 + 1)} b:2`, { SUPERTICK_A: "1", SUPERTICK_B: "2" }], // too long for a variable
  ];
  for (const [payload, tokens] of cases) {
    it(JSON.stringify(payload.slice(0, 40)), () => assert.deepEqual(payloadTokens(payload), tokens));
  }
});
