// The shipped listener under the real supervisord, whose tick clock these tests step (see real-supervisord.ts).
// Answers come before runs, so after `tick` the count is on disk; what a run does is waited for.

import * as assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { describe, test as nodeTest, type TestContext } from "node:test";
import { asked, supertick, temporaryDirectory } from "./harness.ts";
import {
  CLOCK_START,
  createSupervisord,
  isAlive,
  membersOfGroup,
  type Supervisord,
  skipWithoutSupervisord,
} from "./real-supervisord.ts";

const waitForRelease = "while [ ! -e release ]; do sleep 0.05; done";
// The shell and both of its children inherit the ignored signal.
const ignoreTerm = 'trap "" TERM\nsleep 1000 &\nsleep 1000';

const countOf = (supervisord: Supervisord) => supervisord.read("state").split("\n")[0];
const runsIn = (supervisord: Supervisord) => supervisord.read("runs").split("\n").filter(Boolean);
const utc = (epochSeconds: number) => new Date(epochSeconds * 1000).toISOString().replace(".000Z", "Z");

/** Nothing is left of the job, nor of anything else: a process that was sent SIGKILL may take a moment to die. */
const untilGone = (supervisord: Supervisord, group: number) =>
  supervisord.waitUntil(
    "the job's processes to be gone",
    () => membersOfGroup(group).length === 0 && supervisord.leftover().length === 0,
  );

// Each test is skipped, not their suite, so that the summary counts them.
const test = (name: string, body: (t: TestContext) => Promise<void>) =>
  nodeTest(name, { skip: skipWithoutSupervisord }, body);

describe("under the real supervisord", { concurrency: 4 }, () => {
  test("status tells a listener that lives from what was left on a kept volume", async (t) => {
    const volume = temporaryDirectory(t);
    const directory = `${volume}/supertick-${process.getuid!()}`;
    fs.mkdirSync(directory, { mode: 0o700 });
    const stateOf = (name: string) => ({ TICK_STATE: `${directory}/${name}` });
    const status = (...names: string[]) => supertick(["status", ...names], { TMPDIR: volume });

    const before = createSupervisord(t);
    const jobs = { web: "/bin/true", old: "/bin/false", sleeper: before.script("sleeper", "exec sleep 1000") };
    for (const [name, job] of Object.entries(jobs))
      before.listener(name, ["--ticks", "1", "--", job], { environment: stateOf(name) });
    await before.start();
    await before.tick();
    await before.waitForStderr("run 1 finished", 1, "web");
    await before.waitForStderr("run 1 failed", 1, "old");
    const run = await before.pidOfRun(1);
    assert.match(status().stdout, /^sleeper .* running /m);

    const listener = before.pidOfListener("sleeper");
    before.signalDaemon("SIGSTOP"); // so that it starts no other one
    for (const pid of [listener, run]) process.kill(pid, "SIGKILL");
    await before.end("SIGKILL");
    await before.waitUntil("all to be gone", () => before.leftover().length === 0);
    const dead = status();
    assert.equal(dead.status, 1);
    assert.match(dead.stdout, /^sleeper +none yet +0 {2}–$/m, "neither running nor next");
    assert.match(dead.stdout, /sleeper: its listener \(pid \d+\) is dead; its supervisord is gone too$/m);
    assert.equal(status("web").status, 1);

    fs.writeFileSync(`${directory}/.gitkeep`, "");
    fs.writeFileSync(`${directory}/notes`, "not ours");
    const trial = supertick(["--every", "1m", "--", "/bin/true"], stateOf("trial"));
    assert.equal(trial.status, 2);
    const after = createSupervisord(t);
    const hourly = { environment: stateOf("web"), settings: { events: "TICK_3600" } };
    after.listener("web", ["--every", "2h", "--tick", "TICK_3600", "--", "/bin/true"], hourly);
    await after.start();
    const { status: exit, stdout } = status();
    assert.equal(exit, 0, stdout);
    assert.match(stdout, /^web +success /m);
    for (const name of ["old", "sleeper", "trial"])
      assert.match(stdout, new RegExp(`/${name}: history of ${name === "trial" ? "true" : name}: its listener `));
    assert.equal(stdout.trim().split("\n").length, 5, stdout);
    assert.deepEqual([status("web").status, status("old").status], [0, 1]);
  });

  test("takes the counting script's place: TICK_GOAL, TICK_STATE and its old counter file are enough", async (t) => {
    const supervisord = createSupervisord(t);
    const job = supervisord.script("note-run", "echo $SUPERTICK_RUN >> runs");
    supervisord.write("counter", "3\n");
    supervisord.scriptUsersListener("gitsync", job, { TICK_GOAL: "5", TICK_STATE: supervisord.path("counter") });
    const headLine = () => execFileSync("head", ["-n", "1", supervisord.path("counter")], { encoding: "utf8" });
    await supervisord.start();

    await supervisord.tick();
    assert.equal(headLine(), "4\n");
    await supervisord.tick();
    assert.equal(headLine(), "0\n");
    await supervisord.waitForStderr(`due ${utc(CLOCK_START + 120)}, schedule`);
    await supervisord.waitForStderr("run 1 finished: exit 0");
    await supervisord.tick(4);
    assert.equal(headLine(), "4\n");
    await supervisord.tick();
    await supervisord.waitForStderr("run 2 finished: exit 0");
    await supervisord.tick(5);
    await supervisord.waitForStderr("run 3 finished: exit 0");
    assert.deepEqual(runsIn(supervisord), ["1", "2", "3"]);
    assert.equal(headLine(), "0\n");
  });

  test("a job that outlasts 30 ticks loses none of them", async (t) => {
    const supervisord = createSupervisord(t);
    const job = supervisord.script("wait-for-release", waitForRelease);
    supervisord.listener("slow", ["--ticks", "4", "--", job]);
    await supervisord.start();

    await supervisord.tick(4);
    const pid = await supervisord.pidOfRun(1);
    await supervisord.tick(30);
    assert.ok(isAlive(pid));
    assert.equal(countOf(supervisord), "2");
    assert.doesNotMatch(supervisord.log(), /overflowed/);
    await supervisord.waitForStderr(/skipped the run due .* run 1 is still going/, 7);
    supervisord.write("release", "");
    await supervisord.waitForStderr("run 1 finished: exit 0");
    await supervisord.tick(2);
    await supervisord.waitForStderr("run 2 finished: exit 0");
  });

  describe("a neighbour that answers FAIL, whose events supervisord puts into our pool too", { concurrency: 4 }, () => {
    const neighbours = [
      { title: "on the same TICK_60", events: "TICK_60", options: [], foreign: false },
      { title: "on TICK_5, with --tick TICK_60", events: "TICK_5", options: ["--tick", "TICK_60"], foreign: true },
      { title: "on TICK_5, after our first TICK_60", events: "TICK_5", options: [], foreign: true },
    ];
    for (const { title, events, options, foreign } of neighbours) {
      test(`${title}, does not disturb the count`, async (t) => {
        const supervisord = createSupervisord(t);
        const job = supervisord.script("note-run", "echo $SUPERTICK_RUN >> runs");
        supervisord.listener("counted", ["--ticks", "8", ...options, "--", job]);
        supervisord.failingNeighbour("neighbour", events, 12);
        await supervisord.start();

        if (options.length > 0) await supervisord.tick(6, 5);
        await supervisord.tick(3);
        assert.equal(countOf(supervisord), "3");
        await supervisord.tick(5);
        await supervisord.waitForStderr("run 1 finished: exit 0");
        assert.deepEqual(runsIn(supervisord), ["1"]);
        assert.equal(countOf(supervisord), "0");

        // The trap was there: without a neighbour it is eight events, each one delivered once.
        await supervisord.waitForLog("neighbour: event was rejected", 12);
        const deliveries = Object.values(supervisord.deliveries("counted"));
        assert.ok(Math.max(...deliveries) > 1, `deliveries: ${deliveries}`);
        if (foreign) {
          assert.ok(deliveries.length > 8, `deliveries: ${deliveries}`);
          await supervisord.waitForStderr(/TICK_5\b.*events=.*--tick/);
        }
      });
    }
  });

  describe("leaves no orphan and needs no KILL from supervisord", { concurrency: 4 }, () => {
    const stops: { title: string; stop: (supervisord: Supervisord) => Promise<unknown> }[] = [
      { title: "supervisorctl stop", stop: (supervisord) => supervisord.ctl("stop", "stubborn") },
      {
        title: "supervisorctl shutdown",
        stop: async (supervisord) => {
          await supervisord.ctl("shutdown");
          await supervisord.waitForEnd();
        },
      },
      { title: "SIGTERM to supervisord", stop: (supervisord) => supervisord.end("SIGTERM") },
    ];
    for (const { title, stop } of stops) {
      test(`at ${title}, with a job whose processes ignore TERM`, async (t) => {
        const supervisord = createSupervisord(t);
        const job = supervisord.script("ignore-term", ignoreTerm);
        supervisord.listener("stubborn", ["--ticks", "1", "--kill-after", "1s", "--", job]);
        await supervisord.start();
        await supervisord.tick();
        const group = await supervisord.pidOfRun(1);
        await supervisord.waitUntil("the job to have its children", () => membersOfGroup(group).length === 3);

        await stop(supervisord);
        await untilGone(supervisord, group);
        await supervisord.waitForLog(/stopped: stubborn \(exit status 0\)/);
        assert.doesNotMatch(supervisord.log(), /killing 'stubborn' .* with SIGKILL/);
      });
    }

    test("at supervisorctl stop while no job runs", async (t) => {
      const supervisord = createSupervisord(t);
      supervisord.listener("idle", ["--ticks", "3", "--", "true"]);
      await supervisord.start();
      await supervisord.tick();
      await supervisord.ctl("stop", "idle");
      assert.deepEqual(supervisord.leftover(), []);
      await supervisord.waitForLog(/stopped: idle \(exit status 0\)/);
    });
  });

  test("SIGKILL of supervisord ends the listener, the job and the job's children", async (t) => {
    const supervisord = createSupervisord(t);
    const job = supervisord.script("ignore-term", ignoreTerm);
    supervisord.listener("widowed", ["--ticks", "1", "--kill-after", "1s", "--", job]);
    await supervisord.start();
    await supervisord.tick();
    const group = await supervisord.pidOfRun(1);
    await supervisord.waitUntil("the job to have its children", () => membersOfGroup(group).length === 3);
    const listener = supervisord.pidOfListener();

    await supervisord.end("SIGKILL");
    await supervisord.waitUntil("the listener to end", () => !isAlive(listener));
    await untilGone(supervisord, group);
  });

  test("with --drain the job goes on at supervisorctl stop, and ends with supervisord", async (t) => {
    const supervisord = createSupervisord(t);
    const job = supervisord.script("wait-for-release", waitForRelease);
    const args = ["--ticks", "1", "--drain", "10m", "--", job];
    supervisord.listener("drained", args, { settings: { stopwaitsecs: "610" } });
    await supervisord.start();
    await supervisord.tick();
    await supervisord.pidOfRun(1);
    const stopped = supervisord.ctl("stop", "drained");
    await supervisord.waitForStderr("run 1 may go on for 10m at most");
    supervisord.write("release", "");
    await stopped;
    await supervisord.waitForLog("stopped: drained (exit status 0)");
    assert.match(supervisord.stderr(), /run 1 finished: exit 0/);

    fs.unlinkSync(supervisord.path("release"));
    await supervisord.ctl("start", "drained");
    await supervisord.tick();
    const group = await supervisord.pidOfRun(2);
    process.kill(supervisord.pidOfListener(), "SIGTERM");
    await supervisord.waitForStderr("run 2 may go on for 10m at most");
    await supervisord.end("SIGKILL");
    await untilGone(supervisord, group);
  });

  test("the count survives supervisorctl restart", async (t) => {
    const supervisord = createSupervisord(t);
    supervisord.listener("restarted", ["--ticks", "5", "--", "true"]);
    await supervisord.start();
    await supervisord.tick(2);
    await supervisord.ctl("restart", "restarted");
    await supervisord.waitForStart(2);
    assert.equal(countOf(supervisord), "2");
    await supervisord.tick(2);
    assert.equal(countOf(supervisord), "4");
    await supervisord.tick();
    await supervisord.waitForStderr("run 1 finished: exit 0");
  });

  test("the count survives SIGKILL of the idle listener; ticks that come meanwhile are counted later", async (t) => {
    const supervisord = createSupervisord(t);
    supervisord.listener("killed", ["--ticks", "9", "--", "true"]);
    await supervisord.start();
    await supervisord.tick(3);
    process.kill(supervisord.pidOfListener(), "SIGKILL");
    await supervisord.waitForLog("exited: killed (terminated by SIGKILL; not expected)");
    await supervisord.stepClock(60);
    await supervisord.stepClock(60);
    await supervisord.waitForStart(2);
    await supervisord.waitForAnswers();
    assert.equal(countOf(supervisord), "5");
  });

  test("an event that was sent to a listener killed before it answered is counted once", async (t) => {
    const supervisord = createSupervisord(t);
    supervisord.listener("killed", ["--ticks", "9", "--", "true"]);
    await supervisord.start();
    await supervisord.tick(3);
    const before = Object.keys(supervisord.deliveries()).length;
    process.kill(supervisord.pidOfListener(), "SIGSTOP");
    await supervisord.stepClock(60);
    const sent = () => Object.keys(supervisord.deliveries()).length > before;
    await supervisord.waitUntil("the event to be sent", sent);
    process.kill(supervisord.pidOfListener(), "SIGKILL");
    await supervisord.waitForStart(2);
    await supervisord.waitForAnswers();
    assert.equal(Math.max(...Object.values(supervisord.deliveries())), 2);
    assert.equal(countOf(supervisord), "4");
  });

  test("an event counted before SIGKILL and delivered again after it is not counted twice", async (t) => {
    const supervisord = createSupervisord(t);
    supervisord.listener("killed", ["--ticks", "9", "--", "true"]);
    // It holds its answer until our listener was replaced; its FAIL then brings us the event that we have counted.
    supervisord.failingNeighbour("neighbour", "TICK_60", 1, supervisord.path("release"));
    await supervisord.start();
    await supervisord.stepClock(60);
    await supervisord.waitForLog("killed: event was processed");
    assert.equal(countOf(supervisord), "1");
    process.kill(supervisord.pidOfListener(), "SIGKILL");
    await supervisord.waitForStart(2);
    supervisord.write("release", "");
    await supervisord.waitForLog("neighbour: event was rejected");
    await supervisord.waitForAnswers();
    assert.deepEqual(Object.values(supervisord.deliveries()), [2]);
    assert.equal(countOf(supervisord), "1");
    await supervisord.tick();
    assert.equal(countOf(supervisord), "2");
  });

  test("SIGKILL of the listener while its job runs: the job goes on, once, and the count too", async (t) => {
    const supervisord = createSupervisord(t);
    const job = supervisord.script("wait-for-release", `echo $SUPERTICK_RUN >> runs; ${waitForRelease}`);
    supervisord.listener("killed", ["--ticks", "2", "--", job]);
    await supervisord.start();
    await supervisord.tick(3);
    const pid = await supervisord.pidOfRun(1);
    await supervisord.waitUntil("the job to note its run", () => runsIn(supervisord).length === 1);
    process.kill(supervisord.pidOfListener(), "SIGKILL");
    await supervisord.waitForStart(2);
    assert.equal(countOf(supervisord), "1");

    await supervisord.tick();
    await supervisord.waitForStderr(`run 1 is still going (pid ${pid})`);
    assert.ok(isAlive(pid));
    assert.deepEqual(runsIn(supervisord), ["1"]);

    supervisord.write("release", "");
    await supervisord.waitUntil("the job to end", () => !isAlive(pid));
    await supervisord.tick(2);
    await supervisord.waitForStderr("run 2 finished: exit 0");
    assert.deepEqual(runsIn(supervisord), ["1", "2"]);
  });

  test("supertick run, pause and resume: the run leaves the count alone, and in a pause no tick brings one", async (t) => {
    const supervisord = createSupervisord(t);
    const job = supervisord.script("note-reason", "echo $SUPERTICK_RUN $SUPERTICK_REASON >> runs; exit 3");
    supervisord.listener("asked", ["--every", "1m", "--tick", "TICK_60", "--", job]);
    await supervisord.start();
    await supervisord.tick();
    await supervisord.waitForStderr("run 1 failed: exit 3");
    const ask = (...words: string[]) => asked(words, { TICK_STATE: supervisord.path("state") });
    assert.equal((await ask("pause", "asked")).stdout, "asked: paused\n");
    await supervisord.tick(2);
    await supervisord.ctl("restart", "asked");
    await supervisord.waitForStart(2);
    await supervisord.tick(2);
    const run = await ask("run", "asked", "--wait");
    assert.deepEqual([run.status, run.stderr], [3, ""], run.stdout);
    assert.match(
      (await ask("resume", "asked")).stdout,
      /^asked: resumed; [45] due times went by while it was paused\n$/,
    );
    await supervisord.tick();
    await supervisord.waitForStderr("run 3 failed: exit 3");
    assert.deepEqual(runsIn(supervisord), ["1 schedule", "2 remote", "3 schedule"]);
  });

  test("supervisorctl signal USR2 runs the job now and leaves the count alone", async (t) => {
    const supervisord = createSupervisord(t);
    const job = supervisord.script("note-reason", "echo $SUPERTICK_RUN $SUPERTICK_REASON >> runs");
    supervisord.listener("now", ["--ticks", "3", "--", job]);
    await supervisord.start();
    await supervisord.tick();
    await supervisord.ctl("signal", "USR2", "now");
    await supervisord.waitForStderr("run 1 finished: exit 0");
    assert.equal(countOf(supervisord), "1");
    await supervisord.tick(2);
    await supervisord.waitForStderr("run 2 finished: exit 0");
    assert.deepEqual(runsIn(supervisord), ["1 signal", "2 schedule"]);
  });

  test("a REMOTE_COMMUNICATION event runs the job now if it is of type supertick and means this job", async (t) => {
    const supervisord = createSupervisord(t);
    const job = supervisord.script("note-reason", "echo $SUPERTICK_RUN $SUPERTICK_REASON >> runs");
    supervisord.listener("now", ["--ticks", "3", "--", job], { settings: { events: "TICK_60,REMOTE_COMMUNICATION" } });
    await supervisord.start();
    await supervisord.tick();
    const remotes = [
      { type: "supertick", data: "another", runs: false },
      { type: "supertick", data: "now", runs: true },
      { type: "other", data: "now", runs: false },
      { type: "supertick", data: "now and then", runs: false },
      { type: "supertick", data: "", runs: true },
      { type: "", data: "", runs: false },
      // Python 3's supervisord gives the length of such text in characters, not in bytes.
      { type: "supertick", data: "später 🚦", runs: false },
    ];
    let runs = 0;
    for (const { type, data, runs: isRun } of remotes) {
      await supervisord.remote(type, data);
      if (isRun) await supervisord.waitForStderr(`run ${++runs} finished: exit 0`);
    }
    assert.equal(countOf(supervisord), "1");
    // Events are handled in order: a run that one of the others had caused would have its number before this one's.
    await supervisord.tick(2);
    await supervisord.waitForStderr("run 3 finished: exit 0");
    assert.deepEqual(runsIn(supervisord), ["1 remote", "2 remote", "3 schedule"]);
  });

  test("an identifier that looks like a header does not confuse the header's reader", async (t) => {
    const supervisord = createSupervisord(t);
    supervisord.listener("named", ["--ticks", "2", "--", "true"]);
    await supervisord.start({ identifier: "süd 2: len:7 eventname:TICK_5 serial:0" });
    await supervisord.tick(3);
    await supervisord.waitForStderr("run 1 finished: exit 0");
    assert.equal(countOf(supervisord), "1");
  });

  test("what the job prints and the listener's own lines are in stderr_logfile, never in the protocol", async (t) => {
    const supervisord = createSupervisord(t);
    const job = supervisord.script(
      "pollute-stdout",
      [
        "printf 'READY\\nRESULT 4\\nFAIL\\n'",
        "echo to-stderr >&2",
        "cat; echo stdin ended",
        "printf '\\377\\000'",
      ].join("\n"),
    );
    supervisord.listener("loud", ["--ticks", "1", "--", job]);
    await supervisord.start();
    for (let run = 1; run <= 3; run++) {
      await supervisord.tick();
      await supervisord.waitForStderr(`run ${run} finished: exit 0`);
    }
    // The listener's lines may stand between two of the job's, since both write to one pipe.
    for (const line of [/^READY$/, /^RESULT 4$/, /^FAIL$/, /^to-stderr$/, /^stdin ended$/]) {
      await supervisord.waitForStderr(line, 3);
    }
    await supervisord.waitForStderr(/supertick: loud: run \d started \(pid \d+, due /, 3);
    assert.doesNotMatch(supervisord.log(), /-> UNKNOWN|bad result line|was rejected/);
    await supervisord.waitForLog("loud: BUSY -> ACKNOWLEDGED", 3);
  });

  test("a clock set back by an hour is one more tick, and counting goes on", async (t) => {
    const supervisord = createSupervisord(t);
    const job = supervisord.script("note-due", "echo $SUPERTICK_DUE >> runs");
    supervisord.listener("back", ["--ticks", "5", "--verbose", "--", job]);
    await supervisord.start();
    await supervisord.tick(2);
    await supervisord.setClockBack(3600);
    await supervisord.waitForStderr(/supertick: back: .*clock.* set back/);
    await supervisord.waitForStderr(`tick ${CLOCK_START + 120 - 3600} (TICK_60): count 3 of 5`);
    await supervisord.tick(2);
    await supervisord.waitForStderr("run 1 finished: exit 0");
    await supervisord.tick(5);
    await supervisord.waitForStderr("run 2 finished: exit 0");
    assert.deepEqual(runsIn(supervisord), [CLOCK_START + 240 - 3600, CLOCK_START + 540 - 3600].map(String));
  });

  test("jobs that fail are told in the log, and every event is still answered OK", async (t) => {
    const supervisord = createSupervisord(t);
    const exit3 = supervisord.script("exit-3", "exit 3");
    supervisord.listener("failing", ["--ticks", "1", "--", exit3]);
    await supervisord.start();
    for (let run = 1; run <= 3; run++) {
      await supervisord.tick();
      await supervisord.waitForStderr(`run ${run} failed: exit 3`);
    }
    await supervisord.waitForLog("failing: event was processed", 3);
    assert.doesNotMatch(supervisord.log(), /was rejected|-> UNKNOWN|exited: failing/);
  });

  test("a command that does not exist is a failed run with its reason, and the listener goes on", async (t) => {
    const supervisord = createSupervisord(t);
    supervisord.listener("missing", ["--ticks", "1", "--", supervisord.path("no-such-command")]);
    await supervisord.start();
    await supervisord.tick();
    await supervisord.waitForStderr("run 1 failed to start: ENOENT");
    await supervisord.tick();
    await supervisord.waitForStderr("run 2 failed to start: ENOENT");
    await supervisord.waitForLog("missing: event was processed", 2);
    assert.doesNotMatch(supervisord.log(), /exited: missing/);
  });

  test("with numprocs=2 the second process refuses to share the ticks and the first gets every one", async (t) => {
    const supervisord = createSupervisord(t);
    const settings = { numprocs: "2", process_name: "%(program_name)s_%(process_num)d", startretries: "0" };
    supervisord.listener("twin", ["--ticks", "3", "--", "true"], {
      settings: { ...settings, stderr_logfile: supervisord.path("%(program_name)s_%(process_num)d-stderr.log") },
    });
    await supervisord.start();
    await supervisord.waitForLog("exited: twin_1 (exit status 2; not expected)");
    await supervisord.waitForStderr(/numprocs/, 1, "twin_1");
    await supervisord.tick(2);
    assert.equal(countOf(supervisord), "2");
    await supervisord.tick();
    await supervisord.waitForStderr("run 1 finished: exit 0", 1, "twin_0");
    assert.equal(Object.keys(supervisord.deliveries("twin_0")).length, 3);
    assert.deepEqual(supervisord.deliveries("twin_1"), {});
  });

  test("a process_name that ends in a number is no pool of several", async (t) => {
    const supervisord = createSupervisord(t);
    supervisord.listener("sync", ["--ticks", "2", "--", "true"], { settings: { process_name: "sync-2" } });
    await supervisord.start();
    await supervisord.tick(2);
    await supervisord.waitForStderr("run 1 finished: exit 0");
    assert.doesNotMatch(supervisord.stderr(), /numprocs/);
  });

  const [, size] = /^buffer_size=(.*)$/m.exec(supertick(["init", "--on", "PROCESS_STATE", "--", "x"]).stdout) ?? [];
  for (const [what, settings] of [
    ["with init's buffer_size loses none", { buffer_size: size }],
    ["without it loses some, and the log says how many", {}],
  ] as const) {
    test(`of 200 processes that exit at once, an alert ${what}`, async (t) => {
      const supervisord = createSupervisord(t);
      const gate = supervisord.path("gate");
      execFileSync("mkfifo", [gate]);
      const exit = { startsecs: "0", autorestart: "false" };
      supervisord.program("first", { command: "true", ...exit });
      const burst = { process_name: "p%(process_num)d", numprocs: "200", ...exit };
      supervisord.program("burst", { command: `/bin/sh -c "read x <${gate}"`, ...burst });
      const note = supervisord.script("note-run", "echo x >> runs");
      const events = "PROCESS_STATE_EXITED";
      supervisord.listener("alert", ["--on", events, "--", note], { settings: { events, ...settings } });
      await supervisord.start();
      await supervisord.ctl("start", "first");
      await supervisord.waitForStderr("run 1 finished");
      await supervisord.call("supervisor.startProcessGroup", "burst", 0);
      await supervisord.waitForLog(/success: p\d+ entered RUNNING state/, 200);
      await supervisord.waitUntil("all to exit", () => {
        execFileSync("sh", ["-c", ': <>"$0"', gate]); // lets those go on that wait by now
        return supervisord.log().match(/exited: p\d+ /g)?.length === 200;
      });
      const lost = () =>
        [...supervisord.stderr().matchAll(/(\d+) events of our pool never came/g)].reduce(
          (sum, [, n]) => sum + Number(n),
          0,
        );
      await supervisord.waitUntil("all to run or to be missed", () => runsIn(supervisord).length + lost() === 201);
      assert.equal(lost() > 0, !("buffer_size" in settings));
    });
  }
});
