// What SECURITY.md says is defended. Much of it is tested where it belongs: the default directory and the modes of the files
// in counter.test.ts, the journal's links and pids in journal.test.ts, escapes in protocol.test.ts and status.test.ts, the
// ping's URL in runs.test.ts, the payload's tokens in due.test.ts.

import * as assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { parseCounter } from "../listener";
import { LISTENER, RUNTIME, temporaryDirectory } from "./harness";
import { type Options, Supervisord } from "./supervisord";

const EACH_TICK = ["--ticks", "1", "--", "/bin/true"];
const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;
const AS_ROOT = { skip: isRoot ? false : "only root can make a file that belongs to another user" };
const ESCAPES = "\u001b[2J\u001b]0;gotcha\u0007\u009b31m\r\u202e";

function listen(t: TestContext, args: string[], options: Options = {}): Promise<Supervisord> {
  return Supervisord.during(t, { args, ...options });
}

/** Like /tmp: everybody may make names in it, and only their owners remove them. */
function sharedDirectory(t: TestContext): string {
  const directory = temporaryDirectory(t);
  fs.chmodSync(directory, 0o1777);
  return directory;
}

/** A file of ours that must stay as it is. */
function precious(directory: string, text: string): string {
  fs.mkdirSync(`${directory}/ours`, { mode: 0o700 });
  fs.writeFileSync(`${directory}/ours/precious`, text);
  return `${directory}/ours/precious`;
}

function giveAway(file: string): void {
  fs.lchownSync(file, NOBODY, NOBODY);
}

describe("in a directory where everybody may make names", { concurrency: 4 }, () => {
  // What another user may have put where the counter file is to be.
  const traps: Array<[title: string, text: string]> = [
    ["a count, which would be overwritten", "7\n"],
    ["nothing, which would be overwritten", ""],
    ["text, which would be moved away", "root:x:0:0\n"],
  ];
  for (const [title, text] of traps) {
    it(`another user's link is not followed to a file of ours that holds ${title}`, AS_ROOT, async (t) => {
      const directory = sharedDirectory(t);
      const file = precious(directory, text);
      fs.symlinkSync(file, `${directory}/state`);
      giveAway(`${directory}/state`);
      const supervisord = await listen(t, ["--state", `${directory}/state`, ...EACH_TICK]);
      await supervisord.tick();
      await supervisord.waitForLog(/run 1 finished: exit 0/);
      assert.equal(fs.readFileSync(file, "utf8"), text);
      assert.equal(fs.readlinkSync(`${directory}/state`), file);
      assert.match(supervisord.stderr, /state: it cannot be read \(it belongs to another user\); it is left as it is/);
      assert.deepEqual(fs.readdirSync(directory).sort(), ["ours", "state", "state.runs"]);
    });
  }

  it("another user's counter file is neither believed nor written to", AS_ROOT, async (t) => {
    const directory = sharedDirectory(t);
    fs.writeFileSync(`${directory}/state`, "3\n");
    giveAway(`${directory}/state`);
    const supervisord = await listen(t, ["--state", `${directory}/state`, "--ticks", "5", "--", "/bin/true"]);
    for (let i = 0; i < 5; i++) await supervisord.tick();
    await supervisord.waitForLog(/run 1 finished: exit 0/);
    assert.equal(supervisord.stderr.match(/run \d+ started/g)?.length, 1, "it counted from 0");
    assert.equal(fs.readFileSync(`${directory}/state`, "utf8"), "3\n");
  });

  it("a run in another user's journal is none: its process is neither waited for nor killed", AS_ROOT, async (t) => {
    const directory = sharedDirectory(t);
    const other = spawn("/bin/sleep", ["1000"], { detached: true, stdio: "ignore" });
    t.after(() => other.kill("SIGKILL"));
    const start = Number(fs.readFileSync(`/proc/${other.pid}/stat`, "latin1").split(") ")[1].split(" ")[19]);
    const facts = { job: "job", run: 7, attempt: 1, due: 1_700_000_000, at: 1_700_000_000 };
    const journal = [
      { ...facts, type: "starting", reason: "schedule" },
      { ...facts, type: "started", pid: other.pid, start },
    ];
    const text = journal.map((line) => `${JSON.stringify(line)}\n`).join("");
    fs.writeFileSync(`${directory}/state.runs`, text);
    giveAway(`${directory}/state.runs`);
    const supervisord = await listen(t, ["--state", `${directory}/state`, "--timeout", "1s", ...EACH_TICK]);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 finished: exit 0/);
    await supervisord.stop();
    assert.doesNotMatch(supervisord.stderr, /run 7/);
    assert.equal(other.signalCode, null);
    assert.equal(supervisord.stderr.match(/cannot write .*state\.runs: it belongs to another user/g)?.length, 1);
    assert.equal(fs.readFileSync(`${directory}/state.runs`, "utf8"), text);
  });

  it("status does not believe another user's files", AS_ROOT, (t) => {
    const directory = sharedDirectory(t);
    fs.writeFileSync(`${directory}/state`, "3\n");
    giveAway(`${directory}/state`);
    const [command, ...args] = [...RUNTIME, LISTENER, "status", `${directory}/state`];
    const { status, stdout } = spawnSync(command, args, { encoding: "utf8" });
    assert.equal(status, 1);
    assert.match(stdout, /it belongs to another user/);
  });

  it("another user's crontab is not run, nor one that another user puts in the place of ours", AS_ROOT, async (t) => {
    const directory = sharedDirectory(t);
    const crontab = `${directory}/crontab`;
    fs.writeFileSync(crontab, "@start echo gotcha\n");
    giveAway(crontab);
    const [command, ...args] = [...RUNTIME, LISTENER, "--crontab", crontab];
    const { status, stderr } = spawnSync(command, args, { encoding: "utf8", input: "" });
    assert.equal(status, 2);
    assert.match(stderr, /^supertick: cannot read the crontab \S+: it belongs to another user\n$/);
    fs.unlinkSync(crontab);
    fs.writeFileSync(crontab, "@ticks 1 echo ours\n");
    const supervisord = await listen(t, ["--crontab", crontab]);
    fs.unlinkSync(crontab);
    fs.writeFileSync(crontab, "@ticks 1 echo gotcha\n");
    giveAway(crontab);
    supervisord.signal("SIGHUP");
    await supervisord.waitForLog(/it belongs to another user; the jobs stay as they are/);
    await supervisord.tick();
    await supervisord.waitForLog(/^ours$/m);
    assert.doesNotMatch(supervisord.stderr, /gotcha/);
  });

  it("files and links of our own are used as anywhere", async (t) => {
    const directory = sharedDirectory(t);
    fs.writeFileSync(`${directory}/named`, "3\n");
    fs.symlinkSync(`${directory}/named`, `${directory}/state`);
    const supervisord = await listen(t, ["--state", `${directory}/state`, "--ticks", "1000", "--", "/bin/true"]);
    await supervisord.tick();
    assert.equal(parseCounter(fs.readFileSync(`${directory}/named`, "latin1")).count, 4);
  });
});

it("elsewhere a counter file of another user is taken over, as a volume's owner may be anybody", AS_ROOT, async (t) => {
  const directory = sharedDirectory(t);
  fs.chmodSync(directory, 0o755);
  fs.writeFileSync(`${directory}/state`, "3\n");
  giveAway(`${directory}/state`);
  const supervisord = await listen(t, ["--state", `${directory}/state`, "--ticks", "1000", "--", "/bin/true"]);
  await supervisord.tick();
  assert.equal(parseCounter(fs.readFileSync(`${directory}/state`, "latin1")).count, 4);
});

describe("what others have written reaches the log escaped", { concurrency: 4 }, () => {
  const assertPlain = (text: string) => assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);

  for (const form of ["raw", "prefix", "json"]) {
    it(`the payload of a tick, with --log ${form}`, async (t) => {
      const supervisord = await listen(t, ["--log", form, ...EACH_TICK]);
      await supervisord.answered(supervisord.send("TICK_60", `when${ESCAPES}`));
      await supervisord.waitForLog(/brings no time but/);
      assertPlain(supervisord.stderr);
    });

    it(`the counter file, with --log ${form}`, async (t) => {
      const directory = sharedDirectory(t);
      fs.writeFileSync(`${directory}/state`, ESCAPES);
      const supervisord = await listen(t, ["--log", form, "--state", `${directory}/state`, ...EACH_TICK]);
      await supervisord.waitForLog(/expected a count, got/);
      assertPlain(supervisord.stderr);
    });
  }

  it("a crontab's names and mistakes", async (t) => {
    const directory = sharedDirectory(t);
    const crontab = `${directory}/crontab`;
    fs.writeFileSync(crontab, `@ticks 1 /x/${ESCAPES.replace(/\r/g, "")}ls\n`);
    // With prefix a line of the shell's is whole, and known as such: else ours may stand in the middle of it.
    const supervisord = await listen(t, ["--log", "prefix", "--crontab", crontab]);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 failed/);
    fs.writeFileSync(crontab, `${ESCAPES} * * * * ls\n@${ESCAPES} ls\n`);
    supervisord.signal("SIGHUP");
    await supervisord.waitForLog(/the jobs stay as they are/);
    assertPlain(supervisord.stderr.replace(/^\S+ job\[1\]: .*$/gm, ""));
  });

  it("the name of a variable, and of a command that is not there", async (t) => {
    const env = { [`TICK_${ESCAPES}`]: "1" };
    const supervisord = await listen(t, ["--ticks", "1", "--", `/none/${ESCAPES}`], { env });
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 failed to start/);
    assert.match(supervisord.stderr, /is not a variable of supertick/);
    assertPlain(supervisord.stderr);
  });
});

describe("a secret in TICK_PING", { concurrency: 4 }, () => {
  const SECRET = "c0ffee-c0ffee";
  const env = { TICK_PING: `http://127.0.0.1:1/${SECRET}` };

  it("is in the environment of neither the command nor a question nor a hook", async (t) => {
    const show = 'echo "seen by $SUPERTICK_HOOK"; tr "\\0" "\\n" </proc/$$/environ';
    const hooks = ["--only-if", show, "--on-success", show];
    const supervisord = await listen(t, ["--ticks", "1", ...hooks, "--", "/bin/sh", "-c", show], { env });
    await supervisord.tick();
    for (const who of ["", "only-if", "on-success"]) await supervisord.waitForLog(new RegExp(`^seen by ${who}$`, "m"));
    await supervisord.waitForLog(/^SUPERTICK_HOOK=on-success$/m);
    await supervisord.stop();
    assert.doesNotMatch(supervisord.stderr, new RegExp(SECRET));
  });

  it("is seen by no ps, and told in no log", async (t) => {
    const supervisord = await listen(t, ["--ticks", "1", "--", "/bin/sh", "-c", "sleep 1000; :"], { env });
    await supervisord.tick();
    await supervisord.until(() => supervisord.jobProcesses().length === 2, "the command and its child");
    for (const pid of [supervisord.pid, ...supervisord.jobProcesses()])
      assert.doesNotMatch(fs.readFileSync(`/proc/${pid}/cmdline`, "latin1"), new RegExp(SECRET));
    await supervisord.waitForLog(/--ping: 127\.0\.0\.1:1: /);
    assert.doesNotMatch(supervisord.stderr, new RegExp(SECRET));
  });
});

for (const form of ["raw", "prefix", "json"]) {
  it(`the log tells neither arguments nor environment, with --log ${form}`, async (t) => {
    const job = ["/bin/sh", "-c", "exit 3", "argument-c0ffee"];
    const args = [
      "--log",
      form,
      "--verbose",
      "--only-if",
      "exit $((0 + c0ffee))",
      "--on-failure",
      ": hook-c0ffee; exit 4",
    ];
    const supervisord = await listen(t, [...args, "--ticks", "1", "--", ...job], { env: { VARIABLE: "value-c0ffee" } });
    await supervisord.tick();
    await supervisord.waitForLog(/--on-failure failed: exit 4/);
    await supervisord.stop();
    assert.doesNotMatch(supervisord.stderr, /c0ffee/);
  });
}
