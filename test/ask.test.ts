// run, pause and resume: what is asked of a listener while it is at work, by whom, and what comes of it, once or not at all.

import * as assert from "node:assert/strict";
import { execFile } from "node:child_process";
import * as fs from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { formatCounter, SerialSet } from "../listener";
import { type Chance, createChance, pause, SEED } from "./chance";
import { type Answer, asked, atEnd, LISTENER, RUNTIME, temporaryDirectory } from "./harness";
import { type Options, Supervisord } from "./supervisord";

const EACH_TICK = ["--ticks", "1", "--tick", "TICK_60", "--name", "job"];

/** A listener whose jobs are in its journal. */
async function start(t: TestContext, args: string[], options: Options = {}): Promise<Supervisord> {
  const supervisord = await Supervisord.during(t, { args, ...options });
  const words = options.command ?? args;
  const file = words.includes("--state") ? words[words.indexOf("--state") + 1] : supervisord.stateFile;
  const isDescribed = () => fs.existsSync(`${file}.runs`) && ofType(file, "job").length > 0;
  await supervisord.until(isDescribed, "the jobs to be described");
  return supervisord;
}

const shell = (text: string) => ["--", "/bin/sh", "-c", text];

/** Asks the listener of this supervisord. */
const ask = ({ stateFile }: Supervisord, ...words: string[]) => asked(words, { TICK_STATE: stateFile });

interface Line {
  readonly type: string;
  readonly id?: string;
  readonly reason?: string;
}

const journal = (file: string): Line[] =>
  fs
    .readFileSync(`${file}.runs`, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
const ofType = (file: string, type: string) => journal(file).filter((line) => line.type === type);
const countOf = ({ stateFile }: Supervisord) => fs.readFileSync(stateFile, "utf8").split("\n")[0];

/** What is left beside the counter file: no request and no draft. */
function assertTidy({ directory }: Supervisord): void {
  assert.deepEqual(
    fs.readdirSync(directory).filter((name) => /\.(req|new)$/.test(name)),
    [],
  );
}

describe("run", { concurrency: 4 }, () => {
  it("starts the job outside its schedule, leaves the count alone, and says which run it is", async (t) => {
    const supervisord = await start(t, ["--ticks", "5", "--name", "job", ...shell("echo reason $SUPERTICK_REASON")]);
    await supervisord.answered(await supervisord.tick());
    assert.deepEqual(await ask(supervisord, "run", "job"), { status: 0, stdout: "job: run 1 starts\n", stderr: "" });
    await supervisord.waitForLog(/reason remote/);
    assert.equal(countOf(supervisord), "1");
    assertTidy(supervisord);
  });

  const ends: Array<[title: string, args: string[], status: number, said: RegExp]> = [
    ["0", shell("exit 0"), 0, /started \(pid \d+, due \S+, remote\)\njob: run 1 finished: exit 0, \d\.\ds\n$/],
    ["3", shell("exit 3"), 3, /job: run 1 failed: exit 3, \d\.\ds\n$/],
    ["1 for a signal", shell("kill -9 $$"), 1, /job: run 1 failed: SIGKILL, /],
    ["1 for a time-out", ["--timeout", "1s", "--kill-after", "1s", ...shell("sleep 1000")], 1, /timed out: SIGTERM/],
    ["1 for a command that is not there", ["--", "/no/such/command"], 1, /job: run 1 failed to start: ENOENT/],
    [
      "that of the last attempt",
      ["--retries", "1", "--retry-delay", "1s", ...shell("exit $((4 + SUPERTICK_ATTEMPT))")],
      6,
      /failed: exit 5, .*; it is tried again in 1s\n[\s\S]*attempt 2, starts\n[\s\S]*failed: exit 6/,
    ],
  ];
  for (const [title, args, status, said] of ends)
    it(`--wait follows it to its end, and exits with ${title}`, async (t) => {
      const supervisord = await start(t, [...EACH_TICK, ...args]);
      const answer = await ask(supervisord, "run", "job", "--wait");
      assert.deepEqual([answer.status, answer.stderr], [status, ""], answer.stdout);
      assert.match(answer.stdout, said);
    });

  it("obeys --overlap and passes --only-if over; --wait waits for what waits", async (t) => {
    const work = shell("while [ ! -e go ]; do sleep 0.05; done");
    for (const [overlap, status, said] of [
      ["skip", 1, /^job: skipped the run due \S+ \(remote\): run 1 is still going \(pid \d+\)\n$/],
      ["queue", 0, /^job: the run due \S+ waits for the end of run 1\n[\s\S]*job: run 2 finished: exit 0/],
    ] as const) {
      const supervisord = await start(t, [...EACH_TICK, "--overlap", overlap, "--only-if", "false", ...work]);
      assert.equal((await ask(supervisord, "run", "job")).status, 0);
      await supervisord.waitForLog(/run 1 started/);
      const answer = ask(supervisord, "run", "job", "--wait");
      await supervisord.waitForLog(/skipped|waits/);
      fs.writeFileSync(`${supervisord.directory}/go`, "");
      assert.equal((await answer).status, status);
      assert.match((await answer).stdout, said);
    }
  });

  it("--wait ends with Ctrl-C, the run does not", async (t) => {
    const supervisord = await start(t, [...EACH_TICK, ...shell("while [ ! -e go ]; do sleep 0.05; done")]);
    const [program, ...args] = [...RUNTIME, LISTENER, "run", "job", "--wait"];
    const env = { PATH: process.env.PATH, TICK_STATE: supervisord.stateFile };
    const asker = execFile(program, args, { env });
    const exit = new Promise((resolve) => asker.on("exit", (_, signal) => resolve(signal)));
    await supervisord.waitForLog(/run 1 started/);
    asker.kill("SIGINT");
    assert.equal(await exit, "SIGINT");
    fs.writeFileSync(`${supervisord.directory}/go`, "");
    await supervisord.waitForLog(/run 1 finished: exit 0/);
  });

  it("--wait follows a run over the death of its listener, and prints what a failed one wrote", async (t) => {
    const supervisord = await start(t, [...EACH_TICK, ...shell("while [ ! -e go ]; do sleep 0.05; done")]);
    const answer = ask(supervisord, "run", "job", "--wait");
    await supervisord.waitForLog(/run 1 started/);
    await supervisord.restartListener();
    await supervisord.waitForLog(/run 1 of an earlier listener is still going/);
    const tail = { run: 1, attempt: 1, result: "failure", seconds: 1, exit: 7, signal: null, tail: "no \u001b disk\n" };
    fs.appendFileSync(
      `${supervisord.stateFile}.runs`,
      `{"type":"ended","job":".","at":1,${JSON.stringify(tail).slice(1)}\n`,
    );
    assert.equal((await answer).status, 7);
    assert.match((await answer).stdout, /job: it wrote:\nno \\u001b disk\n\njob: run 1 failed: exit 7, 1\.0s\n$/);
  });
});

describe("pause and resume", { concurrency: 4 }, () => {
  const lines = ({ stateFile }: Supervisord) => journal(stateFile).length;
  const quiet = async (supervisord: Supervisord) => {
    const before = lines(supervisord);
    for (let n = 0; n < 3; n++) await supervisord.answered(await supervisord.tick());
    assert.equal(lines(supervisord), before);
  };

  it("nothing is due and no line is written, over restarts and reloads too; then it counts from there on", async (t) => {
    const crontab = `${temporaryDirectory(t)}/crontab`;
    fs.writeFileSync(crontab, "TICK_NAME=job\nTICK_RUN_ON_START=yes\n* * * * * true\n");
    const supervisord = await start(t, ["--crontab", crontab]);
    await supervisord.waitForLog(/run 1 finished/);
    await supervisord.tick();
    await supervisord.waitForLog(/run 2 finished/);
    assert.deepEqual(await ask(supervisord, "pause", "job"), { status: 0, stdout: "job: paused\n", stderr: "" });
    await quiet(supervisord);
    await supervisord.restartListener();
    await supervisord.waitForLog(/supertick: job: paused\n[\s\S]*supertick: job: paused\n/);
    await quiet(supervisord);
    fs.appendFileSync(crontab, "* * * * * echo other $SUPERTICK_REASON\n");
    supervisord.signal("SIGHUP");
    await supervisord.waitForLog(/1 new, 0 changed/);
    await supervisord.tick();
    await supervisord.waitForLog(/other schedule/);
    assert.equal(ofType(supervisord.stateFile, "starting").length, 3);

    assert.match((await ask(supervisord, "run", "job", "--wait")).stdout, /run 3 finished: exit 0/);
    assert.deepEqual(
      (await ask(supervisord, "resume", "job")).stdout,
      "job: resumed; 7 due times went by while it was paused\n",
    );
    assert.deepEqual((await ask(supervisord, "resume", "job")).stdout, "job: it is not paused\n");
    await supervisord.tick();
    await supervisord.waitForLog(/job: run 4 finished/);
  });

  it("--for ends by itself; what is due after that runs, and what went by is counted", async (t) => {
    const supervisord = await start(t, ["--every", "1m", "--tick", "TICK_60", "--name", "job", ...shell("true")]);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 finished/);
    const { stdout } = await ask(supervisord, "pause", "job", "--for", "90s");
    const until = new Date((supervisord.clock + 91) * 1000).toISOString().slice(0, 18);
    assert.ok(stdout.startsWith(`job: paused until ${until}`), stdout);
    await supervisord.answered(await supervisord.tick());
    assert.equal(ofType(supervisord.stateFile, "starting").length, 1);
    await supervisord.tick();
    await supervisord.waitForLog(/resumed; one due time went by while it was paused[\s\S]*run 2 finished/);
  });

  it("a goal that --ticks reaches in a pause has gone by", async (t) => {
    const supervisord = await start(t, ["--ticks", "2", "--name", "job", ...shell("true")]);
    await ask(supervisord, "pause", "job");
    for (let n = 0; n < 3; n++) await supervisord.answered(await supervisord.tick());
    await ask(supervisord, "resume", "job");
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 finished/);
    assert.equal(ofType(supervisord.stateFile, "starting").length, 1);
  });

  it("events bring nothing in a pause", async (t) => {
    const supervisord = await start(t, [
      "--on",
      "PROCESS_STATE_FATAL",
      "--name",
      "job",
      ...shell("echo $SUPERTICK_PROCESSNAME"),
    ]);
    await ask(supervisord, "pause", "job");
    await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", "processname:first"));
    await ask(supervisord, "resume", "job");
    await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", "processname:second"));
    await supervisord.waitForLog(/run 1 finished/);
    assert.match(supervisord.stderr, /^second$/m);
    assert.doesNotMatch(supervisord.stderr, /^first$/m);
  });
});

describe("a name", { concurrency: 4 }, () => {
  const CRONTAB = "* * * * * /bin/echo one\nTICK_NAME=backup\n* * * * * /bin/echo two\n* * * * * /bin/echo three\n";

  it("is one of a crontab, as it is shown", async (t) => {
    const crontab = `${temporaryDirectory(t)}/crontab`;
    fs.writeFileSync(crontab, CRONTAB);
    const supervisord = await start(t, ["--crontab", crontab]);
    assert.equal((await ask(supervisord, "run", "backup")).stdout, "backup: run 1 starts\n");
    await supervisord.waitForLog(/^two$/m);
    const echo = await ask(supervisord, "run", "echo");
    assert.match(
      echo.stderr,
      /^supertick: no listener has a job "echo"; did you mean echo\.\w{4} or echo\.\w{4}\?; of a listener with a --state: --state FILE here too\n$/,
    );
    const shown = ofType(supervisord.stateFile, "job").map((line) => (line as { name?: string }).name);
    const name = shown.find((one) => /^echo\.[0-9a-f]{4}$/.test(one ?? ""))!;
    assert.equal((await ask(supervisord, "run", name)).status, 0);
    await supervisord.waitForLog(/^(one|three)$/m);
    assert.doesNotMatch(supervisord.stderr, /^one$[\s\S]*^three$|^three$[\s\S]*^one$/m);
  });

  const mistakes: Array<[words: string[], message: string]> = [
    [
      ["run", "jub"],
      'no listener has a job "jub"; did you mean job?; of a listener with a --state: --state FILE here too',
    ],
    [["run"], "run takes the name of one job"],
    [["run", "job", "job"], "run takes the name of one job"],
    [["run", "job", "--for", "1h"], "--for does not belong here: see supertick --help for what takes it"],
    [["pause", "job", "2h"], "pause takes the name of one job, and --for D"],
    [["resume", "job", "--wait"], "--wait does not belong here: see supertick --help for what takes it"],
    [["pause", "job", "--for", "0"], '--for: expected a duration of at least 1s, got "0"'],
  ];
  for (const [words, message] of mistakes)
    it(`is not understood: ${words.join(" ")}`, async (t) => {
      const supervisord = await start(t, [...EACH_TICK, ...shell("true")]);
      assert.deepEqual(await ask(supervisord, ...words), { status: 2, stdout: "", stderr: `supertick: ${message}\n` });
    });

  it("of two listeners is refused until --state decides; one that is gone does not count", async (t) => {
    const directory = `${temporaryDirectory(t)}/supertick-${process.getuid!()}`;
    fs.mkdirSync(directory, { mode: 0o700 });
    const files = ["a", "b"].map((name) => `${directory}/${name}`);
    const [a, b] = await Promise.all(files.map((file) => start(t, ["--state", file, ...EACH_TICK, ...shell("true")])));
    const env = { TMPDIR: directory.replace(/\/[^/]*$/, "") };
    const { status, stderr } = await asked(["run", "job"], env);
    const both = `supertick: "job" is the name of several jobs: --state decides: ${files.join(" and ")}\n`;
    assert.deepEqual([status, stderr], [2, both]);
    assert.equal((await asked(["run", "job", "--state", files[0]], env)).status, 0);
    await a.waitForLog(/run 1 finished/);
    await a.stop();
    assert.equal((await asked(["run", "job"], env)).status, 0);
    await b.waitForLog(/run 1 finished/);
  });
});

describe("a request", { concurrency: 4 }, () => {
  const ID = "12345678-1234-4123-a123-123456789abc";
  const machine = () =>
    `${fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").slice(0, 8)}:${fs.readlinkSync("/proc/self/ns/pid").replace(/\D/g, "")}`;
  const request = (more: object = {}) =>
    JSON.stringify({ ask: "run", job: ".", at: Date.now() / 1000, machine: machine(), ...more });
  const place = ({ stateFile }: Supervisord, text: string, id = ID) => {
    fs.writeFileSync(`${stateFile}.${id}.req`, text, { mode: 0o600 });
  };

  it("that comes while the listener is started is done, once", async (t) => {
    const supervisord = await start(t, [...EACH_TICK, ...shell("echo ran")]);
    await supervisord.killListener();
    place(supervisord, request());
    await supervisord.restartListener();
    await supervisord.waitForLog(/run 1 finished/);
    assert.deepEqual(
      ofType(supervisord.stateFile, "starting").map(({ id, reason }) => [id, reason]),
      [[ID, "remote"]],
    );
    await supervisord.restartListener();
    await supervisord.tick();
    await supervisord.waitForLog(/run 2 finished/);
    assert.equal(supervisord.stderr.match(/^ran$/gm)?.length, 2);
    assertTidy(supervisord);
  });

  const bad: Array<[title: string, text: () => string, why: string]> = [
    ["older than a minute", () => request({ at: Date.now() / 1000 - 61 }), "it is older than a minute"],
    ["of a clock that was set", () => request({ at: Date.now() / 1000 + 3600 }), "it is older than a minute"],
    ["of another boot", () => request({ machine: "0:1" }), "it is not a request of this machine"],
    ["that is garbage", () => '\u0000"\u001b', "it is not a request of this machine"],
    ["for something else", () => request({ ask: "toString" }), "it is not a request of this machine"],
    ["for a job that is gone", () => request({ job: "x" }), "its job is not here any more"],
  ];
  for (const [title, text, why] of bad)
    it(`${title} is dropped with a line in the log`, async (t) => {
      const supervisord = await start(t, [...EACH_TICK, ...shell("true")]);
      place(supervisord, text());
      supervisord.signal("SIGURG");
      await supervisord.waitForLog(new RegExp(`${ID}.req: ${why}; nothing is done for it`));
      await supervisord.tick();
      await supervisord.waitForLog(/run 1 finished/);
      assert.deepEqual(ofType(supervisord.stateFile, "starting").length, 1);
      assertTidy(supervisord);
    });

  it("that is a FIFO, a directory or a link to nowhere does no harm", async (t) => {
    const supervisord = await start(t, [...EACH_TICK, ...shell("true")]);
    const { stateFile } = supervisord;
    execFile("mkfifo", [`${stateFile}.${ID}.req`]);
    await supervisord.until(() => fs.existsSync(`${stateFile}.${ID}.req`), "a FIFO");
    fs.mkdirSync(`${stateFile}.${ID.replace("1", "2")}.req`);
    fs.symlinkSync("/no/such/file", `${stateFile}.${ID.replace("1", "3")}.req`);
    supervisord.signal("SIGURG");
    await supervisord.waitForLog(/\.req: not a regular file; [\s\S]*\.req: not a regular file; /);
    assert.equal((await ask(supervisord, "run", "job", "--wait")).status, 0);
    assert.equal(supervisord.stderr.match(/not a regular file/g)?.length, 2, "each is logged once");
  });

  it("that nobody takes is withdrawn: the listener is stopped, or is in another container", async (t) => {
    const supervisord = await start(t, [...EACH_TICK, ...shell("true")]);
    supervisord.signal("SIGSTOP");
    const stopped = await ask(supervisord, "run", "job");
    assert.deepEqual([stopped.status, stopped.stdout], [2, ""]);
    assert.match(stopped.stderr, /^supertick: \S+\/state: its listener \(pid \d+\) does not take it: [^\n]*\n$/);
    assertTidy(supervisord);
    supervisord.signal("SIGCONT");
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 finished/);
    await supervisord.killListener();
    const dead = await ask(supervisord, "run", "job");
    assert.deepEqual(
      [dead.status, dead.stderr],
      [2, `supertick: ${supervisord.stateFile}: no listener is at work on it\n`],
    );
    assertTidy(supervisord);
    const listener = { pid: 1, start: 1 };
    const elsewhere = formatCounter({ count: 0, listener, machine: "0:1", serials: new SerialSet() });
    fs.writeFileSync(supervisord.stateFile, elsewhere);
    assert.match(
      (await ask(supervisord, "run", "job")).stderr,
      /its listener is in another container or machine: ask there/,
    );
    assert.equal(ofType(supervisord.stateFile, "starting").length, 1);
  });
});

describe("users", { concurrency: 4, skip: process.getuid?.() === 0 ? false : "only root can be another user" }, () => {
  const NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];

  /** A directory of that user's, and a copy of the file that anybody may read. */
  function placeFor(t: TestContext, uid: number): { file: string; state: string } {
    const directory = fs.mkdtempSync("/tmp/supertick-users-");
    atEnd(t, () => fs.rmSync(directory, { recursive: true, force: true }));
    fs.copyFileSync(LISTENER, `${directory}/listener.js`);
    fs.mkdirSync(`${directory}/state`);
    fs.chownSync(`${directory}/state`, uid, uid);
    for (const path of [directory, `${directory}/listener.js`, `${directory}/state`]) fs.chmodSync(path, 0o755);
    return { file: `${directory}/listener.js`, state: `${directory}/state/job` };
  }

  it("root asks another user's listener, with nothing configured", async (t) => {
    const { file, state } = placeFor(t, 65534);
    const command = [...NOBODY, ...RUNTIME, file, "--state", state, ...EACH_TICK, ...shell("echo ran")];
    const supervisord = await start(t, [], { command, cwd: "/" });
    const answer = await asked(["run", "job", "--wait"], { TICK_STATE: state });
    assert.deepEqual([answer.status, answer.stderr], [0, ""], supervisord.stderr);
  });

  it("another user gets one clear line", async (t) => {
    const { file, state } = placeFor(t, 0);
    const command = [...RUNTIME, file, "--state", state, ...EACH_TICK, ...shell("true")];
    const supervisord = await start(t, [], { command, cwd: "/" });
    const other = () => asked(["run", "job", "--state", state], {}, [...NOBODY, ...RUNTIME, file]);
    const strange = await other();
    assert.equal(strange.status, 2);
    assert.match(strange.stderr, /^supertick: no listener has a job "job"; those of another user's listener [^\n]*\n$/);
    for (const name of [state, `${state}.runs`]) fs.chmodSync(name, 0o644);
    assert.match((await other()).stderr, /^supertick: \S+\/job: EACCES: ask as root, or as the listener's user\n$/);
    fs.chmodSync(state.replace(/\/job$/, ""), 0o777);
    assert.match((await other()).stderr, /^supertick: .* can't be asked: EPERM; ask as root, or as its user\n$/);
    assert.doesNotMatch(supervisord.stderr, /run 1/);
  });
});

it("a request of another user, in a directory where everyone may make names, is left alone", {
  skip: process.getuid?.() === 0 ? false : "only root can be another user",
}, async (t) => {
  const supervisord = await start(t, [...EACH_TICK, ...shell("true")]);
  const request = `${supervisord.stateFile}.12345678-1234-4123-a123-123456789abc.req`;
  fs.writeFileSync(request, "{}");
  fs.chownSync(request, 65534, 65534);
  fs.chmodSync(supervisord.directory, 0o1777);
  supervisord.signal("SIGURG");
  await supervisord.waitForLog(/\.req: it belongs to another user; nothing is done for it/);
  assert.ok(fs.existsSync(request));
});

// ── Kills ──────────────────────────────────────────────────────────────────

it(`a listener that is killed at random moments runs what was asked for once or not at all (seed ${SEED})`, async (t) => {
  const chance: Chance = createChance(SEED);
  const supervisord = await start(t, [
    "--ticks",
    "1000",
    "--name",
    "job",
    "--overlap",
    "allow",
    ...shell("echo $SUPERTICK_ID >> ran"),
  ]);
  const answers: Answer[] = [];
  for (let n = 0; n < 12; n++) {
    const answer = ask(supervisord, "run", "job");
    await pause(chance.below(250));
    await supervisord.restartListener();
    answers.push(await answer);
  }
  const asker = answers.map(({ status }) => status);
  await supervisord.until(() => supervisord.jobProcesses().length === 0, "the runs to end");
  const file = `${supervisord.directory}/ran`;
  const ran = fs.existsSync(file) ? fs.readFileSync(file, "utf8").split("\n").slice(0, -1) : [];
  assert.equal(new Set(ran).size, ran.length, "a request ran twice");
  const begun = ofType(supervisord.stateFile, "starting").map(({ id }) => id!);
  assert.equal(new Set(begun).size, begun.length, "a request was begun twice");
  assert.ok(
    asker.every((status) => [0, 1, 2].includes(Number(status))),
    asker.join(),
  );
  assert.equal(begun.length, asker.filter((status) => status === 0).length, `${JSON.stringify(answers)}`);
  assertTidy(supervisord);
});
