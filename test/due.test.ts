// When jobs run, through the shipped file: cron on ticks, what was missed, events, jitter; and what check says of it.

import * as assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { describe, it, type TestContext } from "node:test";
import { payloadTokens, stableDelay } from "../listener";
import { DOCUMENTS, LISTENER, ROOT, RUNTIME, run, runtimeWith, supertick, temporaryDirectory } from "./harness";
import { type Options, Supervisord } from "./supervisord";
import * as valid from "./vectors/cron-valid.json";

const JOB = ["--", "/bin/sh", "-c", 'echo "due $SUPERTICK_DUE $SUPERTICK_REASON"'];
const THREE = 1715655600; // 14 May 2024, 03:00 UTC

function start(t: TestContext, args: string[], options: Options = {}): Promise<Supervisord> {
  return Supervisord.during(t, { args: ["--name", "job", ...args], ...options });
}

function duesOf({ stderr }: Supervisord): string[] {
  return stderr.match(/^due .*$/gm) ?? [];
}

describe("a cron job", { concurrency: 4 }, () => {
  const NIGHTLY = ["--cron", "0 3 * * *", "--tz", "UTC"];
  const GAP = 1743296400; // 30 March 2025, 03:00 in Berlin, where 02:00 to 03:00 is skipped
  const rows: Array<[title: string, args: string[], ticks: number[], due: string]> = [
    [
      "runs at its time, for its time, once",
      NIGHTLY,
      [-2, -1, 0, 1, 2].map((n) => THREE + 60 * n),
      `${THREE} schedule`,
    ],
    ["whose tick was lost runs with the next one", NIGHTLY, [THREE - 60, THREE + 60], `${THREE} schedule`],
    [
      "in a zone where the clock skips its time runs once at the end of the gap",
      ["--cron", "30 2 * * *", "--tz", "Europe/Berlin"],
      Array.from({ length: 63 }, (_, n) => GAP + 60 * (n - 2)),
      `${GAP} schedule`,
    ],
  ];
  for (const [title, args, ticks, due] of rows) {
    it(title, async (t) => {
      const supervisord = await start(t, [...args, ...JOB]);
      for (const when of ticks) await supervisord.tick({ when });
      await supervisord.waitForLog(/run 1 finished/);
      assert.deepEqual(duesOf(supervisord), [`due ${due}`]);
    });
  }

  it("missed by half an hour is made up for by one run, and the log says so", async (t) => {
    const supervisord = await start(t, [...NIGHTLY, ...JOB]);
    for (const when of [THREE - 60, THREE + 1800]) await supervisord.tick({ when });
    await supervisord.waitForLog(new RegExp(`due ${THREE} catch-up`));
    assert.match(supervisord.stderr, /no tick came for 31m: one due time missed.*made up for by one run/);
  });

  for (const schedule of [
    ["--cron", "* * * * *", "--tz", "UTC"],
    ["--every", "1m"],
  ])
    it(`of ${schedule.join(" ")}, missed while the next one comes in time, is told`, async (t) => {
      const supervisord = await start(t, [...schedule, ...JOB]);
      await supervisord.tick({ when: THREE });
      await supervisord.waitForLog(/run 1 finished/);
      await supervisord.restartListener();
      await supervisord.tick({ when: THREE + 180 });
      await supervisord.waitForLog(new RegExp(`due ${THREE + 180} schedule`));
      assert.match(
        supervisord.stderr,
        /no tick came for 3m: 2 due times missed, made up for by the run due \S+T03:03:00Z/,
      );
      await supervisord.waitForLog(/run 2 finished/);
      await supervisord.tick({ when: THREE + 240 });
      await supervisord.waitForLog(/run 3 finished/);
      assert.equal(supervisord.stderr.match(/missed/g)?.length, 1);
    });

  it("of --every, missed however long, is made up for by one run, and the log says so", async (t) => {
    const supervisord = await start(t, ["--every", "1h", ...JOB]);
    for (const when of [THREE - 60, THREE + 86_400 + 1800]) await supervisord.tick({ when });
    await supervisord.waitForLog(new RegExp(`due ${THREE + 86_400} catch-up`));
    assert.match(supervisord.stderr, /no tick came for 1d31m: 25 due times missed.*, 30m ago; made up for by one run/);
  });

  it("missed by five hours is not made up for, but logged and recorded with its number", async (t) => {
    const supervisord = await start(t, ["--cron", "0 3,4 * * *", "--tz", "UTC", ...JOB]);
    for (const when of [THREE - 60, THREE + 5 * 3600]) await supervisord.tick({ when });
    await supervisord.waitForLog(/2 due times missed.*longer than --catch-up, not made up for/);
    const journal = fs.readFileSync(`${supervisord.stateFile}.runs`, "utf8");
    assert.match(journal, new RegExp(`"type":"missed","job":"\\.","due":${THREE + 3600},"count":2`));
    assert.doesNotMatch(supervisord.stderr, /run 1 started/);
  });

  it("missed while the listener was stopped is made up for after its restart", async (t) => {
    const supervisord = await start(t, [...NIGHTLY, ...JOB]);
    await supervisord.tick({ when: THREE - 60 });
    await supervisord.stop();
    await supervisord.restartListener();
    await supervisord.tick({ when: THREE + 1800 });
    await supervisord.waitForLog(new RegExp(`due ${THREE} catch-up`));
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

  it("tokens are not what supertick says itself, nor is what a hook that started supervisord was given", async (t) => {
    const own = 'echo "got <$SUPERTICK_HOOK$SUPERTICK_RESULT$SUPERTICK_EXIT> $SUPERTICK_RUN"';
    const supervisord = await start(t, ["--on", "PROCESS_STATE", "--", "/bin/sh", "-c", own], {
      env: { SUPERTICK_HOOK: "on-failure" },
    });
    await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", "hook:x result:success exit:0 run:99"));
    await supervisord.waitForLog(/got <> 1\n/);
  });

  it("others are answered and ignored, and so is one that comes again", async (t) => {
    const supervisord = await start(t, ["--on", "PROCESS_STATE_FATAL", ...JOB]);
    await supervisord.answered(supervisord.send("PROCESS_STATE_EXITED", FATAL, { serial: 7 }));
    await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", FATAL, { serial: 8 }));
    await supervisord.waitForLog(/run 1 finished/);
    await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", FATAL, { serial: 8 }));
    await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", FATAL, { serial: 9 }));
    await supervisord.waitForLog(/run 2 finished/);
    assert.equal(duesOf(supervisord).length, 2);
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
    assert.equal(duesOf(supervisord).length, 1);
  });

  it("a run that is being held when the listener is stopped starts after its restart", async (t) => {
    const name = nameWithDelay((delay) => delay === 4, 5);
    const args = ["--name", name, "--every", "1m", "--jitter", "5s", "--tick", "TICK_5", ...JOB];
    const supervisord = await Supervisord.during(t, { args });
    const tick = (when: number) => supervisord.tick({ when, type: "TICK_5" });
    for (const when of [THREE - 5, THREE]) await tick(when);
    assert.deepEqual(await supervisord.stop(), { code: 0, signal: null });
    await supervisord.restartListener();
    for (const when of [THREE + 5, THREE + 10]) await tick(when); // before the timer
    await supervisord.waitForLog(new RegExp(`^due ${THREE} schedule$`, "m"));
  });

  /** A job name whose delay on this host is of the kind wanted. */
  function nameWithDelay(isWanted: (delay: number) => boolean, limit: number): string {
    for (let i = 0; ; i++) if (isWanted(stableDelay(`${os.hostname()} j${i}`, limit))) return `j${i}`;
  }
});

describe("a run whose pid could not be written down any more", { concurrency: 2 }, () => {
  /** What is left of it: a process, and the files that its listener has left. */
  function leaveRun(t: TestContext, directory: string): ChildProcess {
    const processOf = (id: string) => {
      const env = { SUPERTICK_ID: id, SUPERTICK_ATTEMPT: "1" };
      const child = spawn("/bin/sleep", ["1000"], { env, detached: true, stdio: "ignore" });
      t.after(() => child.kill("SIGKILL"));
      return child;
    };
    const id = path.basename(directory);
    processOf(`${id}-another`);
    const left = processOf(id);
    const run = { type: "starting", job: ".", run: 7, attempt: 1, due: 1700000000, reason: "schedule", id };
    fs.writeFileSync(`${directory}/state.runs`, `${JSON.stringify({ ...run, at: 1700000000 })}\n`);
    return left;
  }

  async function goesOn(supervisord: Supervisord, left: ChildProcess): Promise<void> {
    await supervisord.tick();
    await supervisord.waitForLog(new RegExp(`skipped .*: run 7 is still going \\(pid ${left.pid}\\)`));
    left.kill("SIGKILL");
    await supervisord.waitForLog(/run 7 interrupted/);
    await supervisord.tick();
    await supervisord.waitForLog(/run 8 finished: exit 0/);
  }

  it("is found, and nothing is started beside it", async (t) => {
    const directory = temporaryDirectory(t);
    const left = leaveRun(t, directory);
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
    const left = leaveRun(t, directory);
    fs.writeFileSync(`${directory}/killed.cjs`, KILLED);
    fs.writeFileSync(`${directory}/first`, "");
    const supervisord = await start(t, ["--ticks", "1", "--state", `${directory}/state`, ...JOB], {
      cwd: directory,
      runtime: runtimeWith(`${directory}/killed.cjs`).join(" "),
    });
    assert.deepEqual(await supervisord.exited, { code: null, signal: "SIGKILL" });
    await supervisord.restartListener();
    await goesOn(supervisord, left);
  });
});

describe("check", { concurrency: 2 }, () => {
  const check = (args: string[], env: NodeJS.ProcessEnv = {}) => supertick(["check", ...args], env);

  for (const { expr, tz, from, next } of valid.filter((c, i) => i % 48 === 5 && c.next !== undefined)) {
    it(`--json gives the due times of ${expr} in ${tz} after ${from}`, () => {
      const args = ["--json", "--cron", expr, "--tz", tz, "--from", from, "-n", String(next?.length), "--", "true"];
      assert.deepEqual(JSON.parse(check(args).stdout).next, next);
    });
  }

  it("says in words what will happen, as README shows it", () => {
    const args = ["--cron", "30 2 * * SUN", "--tz", "Europe/Berlin", "--from", "2025-03-25", "-n", "2"];
    assert.ok(DOCUMENTS.includes(`\n${check(args).stdout}`));
  });

  it("says what README's table says of a schedule", () => {
    const rows = [...DOCUMENTS.matchAll(/`--cron ('[^']+'|@\w+)` \| ([^|]+) \|$/gm)];
    assert.ok(rows.length >= 6);
    for (const [, expr, words] of rows) {
      const command = `"$@" check --tz UTC -n 1 --cron ${expr}`;
      const said = execFileSync("/bin/sh", ["-c", command, "sh", ...RUNTIME, LISTENER], { encoding: "utf8" });
      assert.equal(said.split("\n")[0], `${words}, UTC`);
    }
  });

  const LOCK = /^note: --only-if as a lock among replicas needs due times that are the same for all/m;
  const ON_START = /^note: it also runs once when the listener starts \(--run-on-start\)$/m;
  const lock = ["--only-if", "mkdir /shared/$SUPERTICK_DUE"];
  const said: Array<[args: string[], text: RegExp, not?: "not"]> = [
    [["--ticks", "5", "--run-on-start"], ON_START],
    [["--ticks", "5"], ON_START, "not"],
    [["--ticks", "5"], /^every 5 ticks\nwhen that is depends on when the count began/],
    [["--ticks", "5", "--tick", "TICK_5"], /^note: every 5 ticks of TICK_5 is every 25s$/m],
    [["--ticks", "5"], /is every/, "not"],
    [["--on", "PROCESS_STATE"], /^on PROCESS_STATE\nwhen that is depends on what supervisord sends/],
    [["--every", "90s", "--tick", "TICK_60"], /note: every 1m30s does not fit a tick every 1m/],
    [["--every", "5m", "--tick", "TICK_3600"], /note: every 5m is finer than a tick every 1h: due times between two/],
    [["--cron", "*/5 * * * *", "--tick", "TICK_3600", "--tz", "UTC"], /note: .* is finer than a tick every 1h/],
    [
      ["--every", "90s", "--tick", "TICK_60", "--from", "2025-03-25"],
      /T00:01:30Z, starts at 2025-03-25T00:02:00Z\n.*T00:03:00Z\n/,
    ],
    [["--every", "1w"], /^note: it begins on Thursdays, 00:00 UTC, as the epoch did; --offset moves it$/m],
    [["--every", "2w", "--offset", "4d3h"], /^note: it begins on Mondays, 03:00 UTC/m],
    [["--every", "6d"], /it begins/, "not"],
    [["--cron", "@daily"], /^at 00:00, local time \(\w+(\/\w+)*\)\n/],
    [["--ticks", "5", "--", "/no/such"], /^note: there is no program "\/no\/such" on this machine$/m],
    [["--ticks", "5", "--", "/bin/true"], /^note: /m, "not"],
    [["--ticks", "5", "--", "echo hi > /x"], /^note: "echo…" is one word, and no shell reads it: \/bin\/sh -c '…'$/m],
    [["--ticks", "5", "--", "true", "--on-failure=x"], /^note: "--on-failure" is behind --, and so the command's$/m],
    [["--ticks", "5", "--", "true", "--user", "x", "--every-day"], /^note: /m, "not"],
    [["--ticks", "5", "--", "bin/x y"], /^note: "bin\/x…" is one word: leave out the quotes around all of it$/m],
    [["--ticks", "5", "--", "./no-such"], /^note: ".\/no-such" is not here; it runs in the section's directory=$/m],
    [["--ticks", "5", "--on-failure", "/no/hook x"], /^note: there is no program "\/no\/hook" on this machine$/m],
    [["--ticks", "5", "--only-if", "/etc/passwd"], /^note: "\/etc\/passwd" is not executable$/m],
    [["--every", "5m", "--on-skip", "/bin/true x; y", "--only-if", "x=/no/such"], /^note: /m, "not"],
    [["--every", "1h", "--jitter", "10m"], /note: each run starts later than listed, by less than 10m/],
    [["--ticks", "5", ...lock], LOCK],
    [["--on", "PROCESS_STATE_FATAL", ...lock], LOCK],
    [["--every", "5m", ...lock], LOCK, "not"],
    [["--cron", "@daily", ...lock], LOCK, "not"],
  ];
  for (const [args, text, not] of said) {
    it(`of ${args.join(" ")} says ${not ?? ""} ${text.source.slice(0, 60)}`, () => {
      const { status, stdout } = check(args);
      assert.equal(status, 0);
      assert.equal(text.test(stdout), not === undefined, stdout);
    });
  }

  it("ends with 1 for a command that only a shell knows", () => {
    const { status, stdout } = check(["--ticks", "5", "--", "cd", "/srv", "&&", "./sync"]);
    assert.match(stdout, /^note: no shell reads it, and "cd" is not a program: \/bin\/sh -c "…"$/m);
    assert.equal(status, 1);
  });

  it("takes a time in many forms", () => {
    const nextFrom = (from: string) =>
      JSON.parse(check(["--every", "1s", "-n", "1", "--json", "--from", from]).stdout).next;
    const forms = ["1742864400", "2025-03-25T01:00", "2025-03-25 01:00:00", "2025-03-25T01:00:00.123Z"];
    for (const from of [...forms, "2025-03-25 03:00+0200", "2025-03-24T20:00:00-05:00"])
      assert.deepEqual(nextFrom(from), [1742864401], from);
  });

  it("knows TZ, with --tz before it", () => {
    const noon = ["--json", "--cron", "0 12 * * *", "--from", "2024-05-14T00:00:00Z", "-n", "1"];
    const next = (args: string[], TZ: string) => JSON.parse(check([...noon, ...args], { TZ }).stdout).next[0];
    assert.equal(next([], ""), 1715688000);
    for (const berlin of [
      "Europe/Berlin",
      ":Europe/Berlin",
      "/usr/share/zoneinfo/CET",
      ":/usr/share/zoneinfo/posix/CET",
    ])
      assert.equal(next([], berlin), 1715688000 - 7200, berlin);
    for (const utc of ["UTC0", "UTC-0", "GMT0", ":/usr/share/zoneinfo/Etc/UTC"])
      assert.equal(next([], utc), 1715688000, utc);
    assert.equal(next(["--tz", "UTC"], "Europe/Berlin"), 1715688000);
  });

  const unshared = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc && exec "$@"'];
  const skip = run([...unshared, ROOT, "true"]).status !== 0 && "needs unshare --mount";
  it("asks for the zone where /etc/localtime does not tell it", { skip }, (t) => {
    const etc = temporaryDirectory(t);
    fs.writeFileSync(`${etc}/jobs`, "@hourly x\n@daily y\n@weekly z\n");
    const says = (args: string, env: NodeJS.ProcessEnv = {}) => {
      const { stdout, stderr } = run([...unshared, etc, ...RUNTIME, LISTENER, ...args.split(" ")], env);
      return stdout + stderr;
    };
    const asks = (...given: Parameters<typeof says>) =>
      says(...given).match(/localtime is not a link .*: name the zone by --tz or TZ$/gm)?.length ?? 0;
    const its = { TZ: ":/etc/localtime" };
    const localtimeIs = (text: string) => fs.writeFileSync(`${etc}/localtime`, text);
    localtimeIs("TZif2\0\nIST-1GMT0,M10.5.0,M3.5.0/1\n");
    for (const args of [
      "check --cron @daily",
      "check --crontab /etc/jobs",
      "--cron @daily -- true",
      "--crontab /etc/jobs",
    ])
      assert.equal(asks(args), 1, args);
    for (const args of [
      "check --cron @hourly",
      "check --every 1d",
      "--ticks 5 -- true",
      "--cron @daily --tz UTC -- true",
    ])
      assert.equal(asks(args), 0, args);
    assert.equal(asks("check --cron @daily", { TZ: "UTC" }), 0);
    assert.match(says("check --cron @daily", its), /TZ: timezone "\/etc\/localtime" is unknown/);
    localtimeIs("TZif2\0\nUTC0\n");
    assert.equal(asks("check --cron @daily"), 0);
    fs.unlinkSync(`${etc}/localtime`);
    fs.symlinkSync("/usr/share/zoneinfo/Europe/Dublin", `${etc}/localtime`);
    assert.equal(asks("check --cron @daily"), 0);
    assert.match(says("check --cron @daily", its), /^at 00:00, Europe\/Dublin$/m);
  });

  const refused: Array<[args: string[], env: NodeJS.ProcessEnv, why: RegExp]> = [
    [
      ["--cron", "@daily"],
      { TZ: "CET-1CEST,M3.5.0" },
      /^supertick: TZ: timezone "CET-1CEST,M3.5.0" is a POSIX rule: .*\n$/,
    ],
    [
      ["--cron", "@daily", "--tz", "<+03>-3"],
      {},
      /^supertick: --tz .* is a POSIX rule: .* a zone such as Europe\/Berlin\n$/,
    ],
    [["--cron", "0 25 * * *"], {}, /^supertick: --cron "0 25 \* \* \*": hour 25 is above 23\n$/],
    [["--cron", "@daily", "--tz", "CEST"], {}, /^supertick: --tz "CEST": timezone "CEST" is an abbreviation.*\n$/],
    [["--cron", "@daily"], { TICK_TZ: " " }, /^supertick: TICK_TZ " ": timezone " " is empty.*\n$/],
    [["--cron", "@daily"], { TZ: "Mars/Olympus" }, /^supertick: TZ: timezone "Mars\/Olympus" is unknown.*\n$/],
  ];
  for (const [args, env, why] of refused) {
    it(`refuses ${args.join(" ")} ${JSON.stringify(env)} with 2 and the reason`, () => {
      const { status, stderr, stdout } = check(args, env);
      assert.deepEqual([status, stdout], [2, ""]);
      assert.match(stderr, why);
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
    [`a:1 type:${"x".repeat(2 ** 16)} b:2`, { SUPERTICK_A: "1", SUPERTICK_B: "2" }], // 64 KiB in all
    [`a:${"x".repeat(2 ** 16 - 1)} b:2`, { SUPERTICK_A: "x".repeat(2 ** 16 - 1) }],
  ];
  for (const [payload, tokens] of cases) {
    it(JSON.stringify(payload.slice(0, 40)), () => assert.deepEqual(payloadTokens(payload), tokens));
  }
});
