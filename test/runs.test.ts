// What becomes of runs, through the shipped file: overlap, retries, --only-if and hooks.

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { temporaryDirectory } from "./harness";
import { withLimit } from "./haste";
import { type Options, Supervisord } from "./supervisord";

const EACH_TICK = ["--ticks", "1", "--tick", "TICK_60", "--name", "job"];

async function start(t: TestContext, args: string[], options: Options = {}): Promise<Supervisord> {
  return Supervisord.during(t, { args: [...EACH_TICK, ...args], ...options });
}

const shell = (text: string) => ["--", "/bin/sh", "-c", text];

/** The lines of the journal of that type. */
function facts(supervisord: Supervisord, type: string): Array<Record<string, unknown>> {
  const lines = fs.readFileSync(`${supervisord.stateFile}.runs`, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line)).filter((line) => line.type === type);
}

describe("overlap", { concurrency: 4 }, () => {
  it("replace ends the run that is going, then starts the new one", async (t) => {
    const supervisord = await start(t, [
      "--overlap",
      "replace",
      ...shell("echo begin $SUPERTICK_RUN; exec sleep 1000"),
    ]);
    await supervisord.tick();
    await supervisord.waitForLog(/begin 1/);
    await supervisord.tick();
    await supervisord.waitForLog(/begin 2/);
    await supervisord.waitForLog(
      /run 1 is being replaced; sent SIGTERM[\s\S]*run 1 interrupted: SIGTERM[\s\S]*run 2 started/,
    );
    assert.equal(facts(supervisord, "ended")[0].result, "interrupted");
  });

  it("allow runs them side by side, and a stop ends both", async (t) => {
    const supervisord = await start(t, ["--overlap", "allow", ...shell("echo begin $SUPERTICK_RUN; exec sleep 1000")]);
    for (const run of [1, 2]) {
      await supervisord.tick();
      await supervisord.waitForLog(new RegExp(`begin ${run}`));
    }
    assert.doesNotMatch(supervisord.stderr, /finished/);
    await supervisord.stop();
    assert.deepEqual(
      facts(supervisord, "ended").map(({ result }) => result),
      ["interrupted", "interrupted"],
    );
  });
});

describe("at a stop, with --drain", { concurrency: 4 }, () => {
  const DRAIN = ["--drain", "1h", "--kill-after", "1h"];
  const begin = async (t: TestContext, script: string) => {
    const supervisord = await start(t, [...DRAIN, ...shell(`echo begin; ${script}`)]);
    await supervisord.tick();
    await supervisord.waitForLog(/begin/);
    supervisord.signal("SIGTERM");
    await supervisord.waitForLog(/run 1 may go on for 1h at most \(--drain\)/);
    return supervisord;
  };
  const end = async (supervisord: Supervisord, result: string) => {
    assert.deepEqual(await supervisord.exited, { code: 0, signal: null });
    assert.deepEqual(facts(supervisord, "ended")[0].result, result);
  };

  it("the run goes on to its end, and nothing new starts", async (t) => {
    const supervisord = await begin(t, "while [ ! -e go ]; do sleep 0.05; done");
    supervisord.advance(60);
    supervisord.signal("SIGUSR2");
    fs.writeFileSync(`${supervisord.directory}/go`, "");
    await end(supervisord, "success");
    assert.equal(facts(supervisord, "starting").length, 1);
    assert.doesNotMatch(supervisord.stderr, /sent SIG/);
  });

  it("a second signal ends it, a third one kills", async (t) => {
    const supervisord = await begin(t, "trap 'echo trapped' TERM; while :; do sleep 0.05; done");
    supervisord.signal("SIGTERM");
    await supervisord.waitForLog(/is being stopped; sent SIGTERM[\s\S]*trapped/);
    assert.doesNotMatch(supervisord.stderr, /sent SIGKILL/);
    supervisord.signal("SIGTERM");
    await supervisord.waitForLog(/sent SIGKILL/);
    await end(supervisord, "interrupted");
  });

  it("supervisord's death ends it at once", async (t) => {
    const supervisord = await begin(t, "exec sleep 1000");
    supervisord.closeStdin();
    await end(supervisord, "interrupted");
  });
});

describe("what waits when the listener is killed", { concurrency: 4 }, () => {
  const LOOP = "echo begin $SUPERTICK_DUE $SUPERTICK_RUN; while [ ! -e go ]; do sleep 0.05; done";
  const begun = (supervisord: Supervisord) => supervisord.stderr.match(/^begin .*$/gm) ?? [];

  it("runs when the run that it waits for has ended, once", async (t) => {
    const supervisord = await start(t, ["--overlap", "queue", ...shell(LOOP)]);
    await supervisord.tick();
    await supervisord.waitForLog(/begin \d+ 1/);
    await supervisord.tick();
    const due = supervisord.clock;
    await supervisord.waitForLog(/waits for the end of run 1/);
    await supervisord.restartListener();
    await supervisord.waitForLog(/the run due \S+ \(schedule\), which waited when the listener was killed, is due now/);
    await supervisord.restartListener(); // once more while it waits
    await supervisord.idle();
    fs.writeFileSync(`${supervisord.directory}/go`, "");
    await supervisord.waitForLog(new RegExp(`begin ${due} 2`));
    await supervisord.waitForLog(/run 2 finished/);
    await supervisord.restartListener();
    await supervisord.tick();
    await supervisord.waitForLog(/run 3 finished/);
    assert.equal(begun(supervisord).length, 3);
    assert.equal(supervisord.stderr.match(/which waited/g)?.length, 2);
  });

  it("is told as skipped where it waited for an event, which is lost", async (t) => {
    const hook = ["--on-skip", "echo lost $SUPERTICK_REASON"];
    const args = ["--on", "PROCESS_STATE", "--name", "job", ...hook, ...shell(LOOP)];
    const supervisord = await Supervisord.start({ args });
    t.after(() => supervisord.dispose());
    for (const n of [1, 2]) await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", `processname:p${n}`));
    await supervisord.waitForLog(/waits for the end of run 1/);
    await supervisord.waitForLog(/^begin \d+ 1$/m); // later nobody reads it, and it would die of SIGPIPE
    await supervisord.restartListener();
    await supervisord.waitForLog(/\(event\), which waited when the listener was killed, is skipped/);
    await supervisord.waitForLog(/^lost event$/m);
    assert.equal(facts(supervisord, "skipped").length, 1);
    fs.writeFileSync(`${supervisord.directory}/go`, "");
    await supervisord.waitForLog(/run 1 interrupted/);
    await supervisord.restartListener();
    await supervisord.tick(); // answered once the start is over
    assert.equal(supervisord.stderr.match(/which waited/g)?.length, 1);
  });
});

describe("retries", { concurrency: 4 }, () => {
  const succeedAt = (attempt: number) =>
    shell(`echo "$SUPERTICK_ATTEMPT $SUPERTICK_REASON"; [ $SUPERTICK_ATTEMPT = ${attempt} ]`);

  it("a failed run is tried again until it succeeds, with its number and its due time", async (t) => {
    const supervisord = await start(t, ["--retries", "3", "--retry-delay", "1s", ...succeedAt(2)]);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 finished: exit 0/);
    assert.match(supervisord.stderr, /1 schedule[\s\S]*run 1 failed: exit 1[\s\S]*attempt 2 of 4 in 1s[\s\S]*2 retry/);
    const attempts = facts(supervisord, "ended").map(({ run, attempt, retryIn }) => [run, attempt, retryIn]);
    assert.deepEqual(attempts, [
      [1, 1, 1],
      [1, 2, undefined],
    ]);
  });

  it("a waiting one gives way to the next due run, and a hook hears of the failure", async (t) => {
    const hook = ["--on-failure", 'echo "hook $SUPERTICK_RUN $SUPERTICK_RESULT $SUPERTICK_FAILURES"'];
    const supervisord = await start(t, ["--retries", "3", "--retry-delay", "30s", ...hook, ...shell("exit 4")]);
    await supervisord.tick();
    await supervisord.waitForLog(/attempt 2 of 4 in 30s/);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 is not tried again: the next run is due first/);
    await supervisord.waitForLog(/hook 1 failure 1/);
    await supervisord.waitForLog(/run 2 failed: exit 4/);
  });

  it("one that would come after the next due run is not waited for", async (t) => {
    const supervisord = await start(t, ["--retries", "3", "--retry-delay", "2m", ...shell("exit 4")]);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 failed: exit 4, [\d.]+s; not tried again: the next run is due first/);
    assert.deepEqual(facts(supervisord, "dropped"), []);
  });

  it("a wait begins anew after the listener was killed", async (t) => {
    const limit = withLimit(t, 30);
    const supervisord = await start(t, ["--retries", "1", "--retry-delay", "30s", ...succeedAt(2)], limit.options);
    await supervisord.tick();
    await supervisord.waitForLog(/attempt 2 of 2 in 30s/);
    await supervisord.restartListener();
    limit.reach();
    await supervisord.waitForLog(/^2 retry$[\s\S]*run 1 finished: exit 0/m);
    assert.doesNotMatch(supervisord.stderr, /was interrupted/);
  });

  it("a stop ends the wait", async (t) => {
    const supervisord = await start(t, ["--retries", "1", "--retry-delay", "30s", ...shell("exit 4")]);
    await supervisord.tick();
    await supervisord.waitForLog(/attempt 2 of 2/);
    assert.deepEqual(await supervisord.stop(), { code: 0, signal: null });
    assert.match(supervisord.stderr, /run 1 is not tried again: supertick is being stopped/);
  });
});

describe("--only-if", { concurrency: 4 }, () => {
  const job = shell("echo ran $SUPERTICK_RUN");

  it("exit 0 runs it", async (t) => {
    const supervisord = await start(t, ["--only-if", '[ "$SUPERTICK_JOB-$SUPERTICK_HOOK" = job-only-if ]', ...job]);
    await supervisord.tick();
    await supervisord.waitForLog(/ran 1/);
  });

  const cases: Array<[title: string, question: string, log: RegExp, why: string, isHookRun: boolean]> = [
    ["exit 1 holds it back", "exit 1", /run 1, due .*, does not start: held back by --only-if\n/, "held", false],
    ["another status is an error", "exit 7", /held back, since --only-if failed \(exit 7\)/, "error", true],
    ["so is a signal", "kill -9 $$", /held back, since --only-if failed \(SIGKILL\)/, "error", true],
    ["so is a command that is not found", "/no/such/thing", /--only-if failed \(exit 127\)/, "error", true],
  ];
  for (const [title, question, log, why, isHookRun] of cases) {
    it(title, async (t) => {
      const supervisord = await start(t, ["--only-if", question, "--on-skip", "echo hook $SUPERTICK_RESULT", ...job]);
      await supervisord.tick();
      await supervisord.waitForLog(log);
      assert.equal(facts(supervisord, "dropped")[0].why, why);
      if (isHookRun) await supervisord.waitForLog(/hook skipped/);
      await supervisord.stop();
      if (!isHookRun) assert.doesNotMatch(supervisord.stderr, /^hook/m);
      assert.doesNotMatch(supervisord.stderr, /^ran/m); // nor does the random name of a directory count
    });
  }

  it("delays no answer, and a stop ends the question", async (t) => {
    const supervisord = await start(t, ["--only-if", "echo asked; exec sleep 1000", ...job]);
    await supervisord.tick();
    await supervisord.waitForLog(/asked/);
    await supervisord.tick();
    await supervisord.waitForLog(/skipped the run due .*: run 1 waits for --only-if/);
    await supervisord.stop();
    assert.match(supervisord.stderr, /run 1, due .*, does not start: supertick is being stopped/);
  });

  it("without an answer for 10 s is ended, and holds the run back", async (t) => {
    const limit = withLimit(t, 10);
    const args = ["--only-if", "echo asked; exec sleep 1000", "--on-skip", "echo hook", ...job];
    const supervisord = await start(t, args, limit.options);
    await supervisord.tick();
    await supervisord.waitForLog(/asked/);
    limit.reach();
    await supervisord.waitForLog(/run 1, due .*, does not start: .* --only-if did not answer \(no end after 10s\)/);
    await supervisord.waitForLog(/hook/);
    assert.equal(facts(supervisord, "dropped")[0].why, "timeout");
  });

  it("is asked again when the listener was killed before it answered, whatever --retries says", async (t) => {
    const question = "echo asked $SUPERTICK_ATTEMPT; [ $SUPERTICK_ATTEMPT = 1 ] && exec sleep 1000; exit 1";
    const supervisord = await start(t, ["--only-if", question, "--retries", "2", "--retry-delay", "1s", ...job]);
    await supervisord.tick();
    await supervisord.waitForLog(/asked 1/);
    await supervisord.restartListener();
    await supervisord.waitForLog(/run 1, due .*, was interrupted[\s\S]*run 1 is not tried again: held back/);
    assert.match(supervisord.stderr, /asked 2/);
    assert.doesNotMatch(supervisord.stderr, /ran 1/);
  });

  it("is not asked about a run by hand", async (t) => {
    const supervisord = await start(t, ["--only-if", "exit 1", ...job]);
    await supervisord.idle();
    supervisord.signal("SIGUSR2");
    await supervisord.waitForLog(/ran 1/);
  });
});

describe("hooks", { concurrency: 4 }, () => {
  const show =
    'echo "$SUPERTICK_HOOK $SUPERTICK_RUN $SUPERTICK_RESULT <$SUPERTICK_EXIT> <$SUPERTICK_SIGNAL> $SUPERTICK_FAILURES"';
  const hooks = ["--on-success", show, "--on-failure", show, "--on-skip", show];

  const cases: Array<[title: string, job: string, more: string[], expected: RegExp]> = [
    ["a success", "true", [], /on-success 1 success <0> <> 0\n/],
    ["a failure", "exit 3", [], /on-failure 1 failure <3> <> 1\n/],
    ["a signal", "kill -9 $$", [], /on-failure 1 failure <> <SIGKILL> 1\n/],
    ["a time-out", "exec sleep 1000", ["--timeout", "1s"], /on-failure 1 timeout <> <SIGTERM> 1\n/],
  ];
  for (const [title, job, more, expected] of cases) {
    it(`tell of ${title}`, async (t) => {
      const supervisord = await start(t, [...hooks, ...more, ...shell(job)]);
      await supervisord.tick();
      await supervisord.waitForLog(expected);
    });
  }

  it("tell of a skipped run", async (t) => {
    const supervisord = await start(t, [...hooks, ...shell("echo begin; exec sleep 1000")]);
    await supervisord.tick();
    await supervisord.waitForLog(/begin/);
    await supervisord.tick();
    await supervisord.waitForLog(/on-skip {2}skipped/);
  });

  it("tell of the event for which a run is skipped", async (t) => {
    const hook = 'echo "skipped $SUPERTICK_EVENT $SUPERTICK_PROCESSNAME"';
    const on = ["--on", "PROCESS_STATE", "--overlap", "skip", "--name", "job", "--on-skip", hook];
    const supervisord = await Supervisord.during(t, { args: [...on, ...shell("echo begun; exec sleep 1000")] });
    await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", "processname:web groupname:web"));
    await supervisord.waitForLog(/begun/);
    await supervisord.answered(supervisord.send("PROCESS_STATE_EXITED", "processname:mail groupname:mail"));
    await supervisord.waitForLog(/skipped PROCESS_STATE_EXITED mail\n/);
  });

  it("tell of events that supervisord's full pool has dropped, as the log does, with their number", async (t) => {
    const limit = withLimit(t, 5); // until the first of two looks
    const on = ["--on", "PROCESS_STATE", "--name", "job", "--on-skip", "echo skipped $SUPERTICK_LOST"];
    const supervisord = await Supervisord.during(t, { args: [...on, ...shell("echo run")], ...limit.options });
    const exit = () => supervisord.send("PROCESS_STATE_EXITED", "processname:web groupname:web");
    await supervisord.answered(exit());
    supervisord.signal("SIGSTOP");
    for (let i = 0; i < 30; i++) exit(); // one is on its way, ten are kept
    supervisord.signal("SIGCONT");
    await supervisord.idle();
    limit.reach();
    await supervisord.waitForLog(/^supertick: job: 19 events of our pool never came: .* buffer_size=1000 /m);
    await supervisord.waitForLog(/skipped the run due .*Z \(event\): 19 events never came\n[\s\S]*^skipped 19$/m);
    await supervisord.until(() => supervisord.stderr.match(/^run$/gm)?.length === 12, "the runs of the others");
  });

  it("and the job are told that a payload of over 1 MiB was dropped, as the log is", async (t) => {
    const tell = 'echo "$SUPERTICK_HOOK <$SUPERTICK_PAYLOAD> <$SUPERTICK_CHANNEL>" $(cat | wc -c)';
    const more = ["--only-if", tell, "--on-success", tell, "--name", "job", "--", "/bin/sh", "-c", tell];
    const supervisord = await Supervisord.during(t, { args: ["--on", "PROCESS_LOG", ...more] });
    for (const [bytes, told] of [
      [2 ** 20, `<> <stdout> `],
      [2 ** 20 + 1, "<dropped> <> "],
    ] as const) {
      const event = supervisord.send("PROCESS_LOG_STDOUT", `channel:stdout\n${"x".repeat(bytes - 15)}`);
      await supervisord.answered(event);
      const input = told.startsWith("<>") ? bytes : 0;
      await supervisord.waitForLog(
        new RegExp(`^only-if ${told}0\n[^]*^ ${told}${input}\n[^]*^on-success ${told}\\d+\n`, "m"),
      );
      const logged = `supertick: job: the payload of PROCESS_LOG_STDOUT, serial ${event.serial}, is over 1 MiB: dropped`;
      assert.equal(supervisord.stderr.includes(logged), input === 0);
    }
  });

  it("tell of a run that a stop ended, before the end of the stop", async (t) => {
    const supervisord = await start(t, [...hooks, ...shell("echo begin; exec sleep 1000")]);
    await supervisord.tick();
    await supervisord.waitForLog(/begin/);
    await supervisord.stop();
    assert.match(supervisord.stderr, /on-failure 1 interrupted <> <SIGTERM> 1\n/);
  });

  it("run 50 at a time, over all jobs, and the rest wait in order; so do questions, which wait for no hook", async (t) => {
    const wait = (name: string) => `echo ${name} $SUPERTICK_JOB; until [ -e ${name} ]; do sleep 0.1; done`;
    const directory = temporaryDirectory(t);
    const options = `TICK_ON_SKIP=${wait("hook")}\nTICK_ON_SUCCESS=${wait("hook")}\nTICK_ONLY_IF=${wait("question")}\n`;
    fs.writeFileSync(`${directory}/crontab`, `${options}${"* * * * * true\n".repeat(60)}`);
    const args = ["--tick", "TICK_60", "--crontab", `${directory}/crontab`];
    const supervisord = await Supervisord.during(t, { args, cwd: directory });
    const count = (name: string) => supervisord.stderr.match(new RegExp(`^${name} `, "gm"))?.length ?? 0;
    const begun = (name: string, number: number) =>
      supervisord.until(() => count(name) === number, `${number} of ${name}`);
    await supervisord.tick();
    await begun("question", 50);
    await supervisord.tick(); // while the first sixty are asked about: all are skipped
    await begun("hook", 50);
    assert.equal(count("question"), 50);
    fs.writeFileSync(`${directory}/question`, "");
    await begun("question", 60);
    await supervisord.until(() => supervisord.stderr.split(" finished: exit 0").length > 60, "all runs to end");
    assert.equal(count("hook"), 50);
    fs.writeFileSync(`${directory}/hook`, "");
    await begun("hook", 120);
  });

  it("that fail are one line in the log, and delay no run", async (t) => {
    const hook = ["--on-success", "echo hooked; exec sleep 1000", "--kill-after", "1s"];
    const supervisord = await start(t, [...hook, ...shell("true")]);
    for (const run of [1, 2]) {
      await supervisord.tick();
      await supervisord.waitForLog(new RegExp(`run ${run} finished`));
    }
    await supervisord.waitForLog(/hooked[\s\S]*hooked/);
    assert.deepEqual(await supervisord.stop(), { code: 0, signal: null });

    const failing = await start(t, ["--on-success", "exit 9", ...shell("true")]);
    await failing.tick();
    await failing.waitForLog(/--on-success failed: exit 9/);
  });
});

describe("a hook that does not end within 60 s", { concurrency: 4 }, () => {
  const hooks: Array<[title: string, hook: string]> = [
    ["ignores SIGTERM, as its child does", "trap '' TERM; sleep 1000 & echo hooked; wait"],
    ["dies of SIGTERM, but its child ignores it", "(trap '' TERM; echo hooked; exec sleep 1000) & wait"],
  ];
  for (const [title, hook] of hooks) {
    it(`is killed with its group after the grace, told once, and delays no run: one that ${title}`, async (t) => {
      const limit = withLimit(t, 60);
      const onFailure = ["--on-failure", `[ $SUPERTICK_RUN = 1 ] || exit 0; ${hook}`];
      const supervisord = await start(t, [...onFailure, ...shell("exit 3")], limit.options);
      await supervisord.tick();
      await supervisord.waitForLog(/hooked/);
      await supervisord.tick();
      await supervisord.waitForLog(/run 2 failed/);
      await supervisord.until(() => supervisord.jobProcesses().length === 2, "the hook and its child alone");
      assert.doesNotMatch(supervisord.stderr, /--on-failure/);

      limit.reach();
      await supervisord.waitForLog(/--on-failure failed: no end after 60s/);
      await supervisord.tick();
      await supervisord.waitForLog(/run 3 failed/);
      await supervisord.until(() => supervisord.jobProcesses().length === 0, "the end of the hook's group");
      assert.deepEqual(await supervisord.stop(), { code: 0, signal: null });
      assert.equal(supervisord.stderr.match(/--on-failure/g)?.length, 1);
    });
  }
});
