// What SECURITY.md says is defended. Much of it is tested where it belongs: the default directory and the modes of the files
// in counter.test.ts, the journal's links and pids in journal.test.ts, escapes in protocol.test.ts and status.test.ts, the
// ping's URL in ping.test.ts, the payload's tokens in due.test.ts.

import * as assert from "node:assert/strict";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { parseCounter } from "../listener";
import { LISTENER, run, runtimeWith, supertick, temporaryDirectory } from "./harness";
import { skipWithoutSupervisord } from "./real-supervisord";
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

const giveAway = (file: string) => fs.lchownSync(file, NOBODY, NOBODY);

describe("in a directory where everybody may make names", { concurrency: 4 }, () => {
  // What another user may have put where the counter file is to be: a link to a file of ours, or a file.
  const traps: Array<[title: string, text: string, isLink: boolean]> = [
    ["link to a count, which would be overwritten", "7\n", true],
    ["link to an empty file, which would be overwritten", "", true],
    ["link to text, which would be moved away", "root:x:0:0\n", true],
    ["counter file, which would be believed", "3\n", false],
  ];
  for (const [title, text, isLink] of traps) {
    it(`another user's name is left alone, also by status: a ${title}`, AS_ROOT, async (t) => {
      const directory = sharedDirectory(t);
      const state = `${directory}/state`;
      const file = isLink ? `${temporaryDirectory(t)}/precious` : state;
      fs.writeFileSync(file, text);
      if (isLink) fs.symlinkSync(file, state);
      giveAway(state);
      const supervisord = await listen(t, ["--state", state, "--ticks", "5", "--", "/bin/true"]);
      for (let i = 0; i < 5; i++) await supervisord.tick();
      await supervisord.waitForLog(/run 1 finished: exit 0/);
      assert.equal(supervisord.stderr.match(/run \d+ started/g)?.length, 1, "it counted from 0");
      assert.match(supervisord.stderr, /state: it belongs to another user; leaving it as it is/);
      const { status, stdout } = supertick(["status", state]);
      assert.equal(status, 1);
      assert.match(stdout, /it belongs to another user/);
      assert.equal(fs.readFileSync(file, "utf8"), text);
      assert.equal(fs.lstatSync(state).isSymbolicLink(), isLink);
      assert.deepEqual(fs.readdirSync(directory).sort(), ["state", "state.runs"]);
    });
  }

  it("what cannot be a count stays where its place aside, FILE.bad, is another user's", AS_ROOT, async (t) => {
    const state = `${sharedDirectory(t)}/state`;
    const precious = `${temporaryDirectory(t)}/precious`;
    fs.writeFileSync(precious, "precious\n");
    fs.writeFileSync(state, "garbage\n");
    fs.symlinkSync(precious, `${state}.bad`);
    giveAway(`${state}.bad`);
    const supervisord = await listen(t, ["--state", state, ...EACH_TICK]);
    await supervisord.tick();
    await supervisord.waitForLog(
      /expected a count, got "garbage\\n"; leaving it as it is, and counting in memory only/,
    );
    assert.deepEqual(
      [state, precious].map((file) => fs.readFileSync(file, "utf8")),
      ["garbage\n", "precious\n"],
    );
    assert.ok(fs.lstatSync(`${state}.bad`).isSymbolicLink());
  });

  it("a run in another user's journal is none: its process is neither waited for nor killed", AS_ROOT, async (t) => {
    const directory = sharedDirectory(t);
    const other = spawn("/bin/sleep", ["1000"], { detached: true, stdio: "ignore" });
    t.after(() => other.kill("SIGKILL"));
    const start = Number(fs.readFileSync(`/proc/${other.pid}/stat`, "latin1").split(") ")[1].split(" ")[19]);
    const facts = { job: ".", id: "x", run: 7, attempt: 1, due: 1, at: 1, reason: "schedule", pid: other.pid, start };
    const text = ["starting", "started"].map((type) => `${JSON.stringify({ ...facts, type })}\n`).join("");
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

  it("another user's crontab is not run, nor one that another user puts in the place of ours", AS_ROOT, async (t) => {
    const directory = sharedDirectory(t);
    const crontab = `${directory}/crontab`;
    fs.writeFileSync(crontab, "@start echo gotcha\n");
    giveAway(crontab);
    const { status, stderr } = supertick(["--crontab", crontab]);
    assert.equal(status, 2);
    assert.match(stderr, /^supertick: cannot read the crontab \S+: it belongs to another user\n$/);
    fs.unlinkSync(crontab);
    fs.writeFileSync(crontab, "@ticks 1 echo ours\n");
    const supervisord = await listen(t, ["--crontab", crontab]);
    fs.unlinkSync(crontab);
    fs.writeFileSync(crontab, "@ticks 1 echo gotcha\n");
    giveAway(crontab);
    supervisord.signal("SIGHUP");
    await supervisord.waitForLog(/it belongs to another user; keeping the current jobs/);
    await supervisord.tick();
    await supervisord.waitForLog(/^ours$/m);
    assert.doesNotMatch(supervisord.stderr, /gotcha/);
  });
});

const ours: Array<[title: string, isShared: boolean, isForeign: boolean]> = [
  ["in a directory where everybody may make names, files and links of our own are used", true, false],
  ["elsewhere a counter file of another user is taken over, as a volume's owner may be anybody", false, true],
];
for (const [title, isShared, isForeign] of ours) {
  it(title, isForeign ? AS_ROOT : {}, async (t) => {
    const directory = isShared ? sharedDirectory(t) : temporaryDirectory(t);
    fs.writeFileSync(`${directory}/named`, "3\n");
    fs.symlinkSync(`${directory}/named`, `${directory}/state`);
    if (isForeign) for (const name of ["named", "state"]) giveAway(`${directory}/${name}`);
    const supervisord = await listen(t, ["--state", `${directory}/state`, "--ticks", "1000", "--", "/bin/true"]);
    await supervisord.tick();
    assert.equal(parseCounter(fs.readFileSync(`${directory}/named`, "latin1")).count, 4);
  });
}

it("a link that takes the place of the counter file or the journal while we run is not written through", async (t) => {
  const state = `${temporaryDirectory(t)}/state`;
  const precious = `${temporaryDirectory(t)}/precious`;
  const supervisord = await listen(t, ["--state", state, "--ticks", "1000", "--", "/bin/true"]);
  await supervisord.tick();
  for (const isFull of [false, true]) {
    if (isFull) fs.writeFileSync(precious, "precious\n");
    for (const file of [state, `${state}.runs`]) {
      fs.unlinkSync(file);
      fs.symlinkSync(precious, file);
    }
    await supervisord.tick();
    supervisord.signal("SIGUSR2"); // a run, for the journal
    await supervisord.waitForLog(isFull ? /run 2 finished: exit 0/ : /run 1 finished: exit 0/);
    assert.equal(isFull && fs.readFileSync(precious, "utf8"), isFull && "precious\n");
    assert.equal(fs.existsSync(precious), isFull);
    assert.equal(parseCounter(fs.readFileSync(state, "latin1")).count, isFull ? 3 : 2, "it is made anew");
  }
});

// Loaded before the listener: at its end it writes the names that were opened for writing.
const WATCH_OPENS = `
  const fs = require("fs");
  const { openSync } = fs;
  const names = [];
  fs.openSync = (name, flags = "r", ...more) => {
    if (flags !== "r" && (flags & 3) !== fs.constants.O_RDONLY) names.push(name);
    return openSync(name, flags, ...more);
  };
  process.on("exit", () => fs.writeSync(2, "for writing: " + names.join(" ") + "\\n"));`;

it("what is only read is opened read-only, also by root", (t) => {
  const directory = temporaryDirectory(t);
  const [script, crontab, state] = ["watch.cjs", "crontab", "state"].map((name) => `${directory}/${name}`);
  fs.writeFileSync(script, WATCH_OPENS);
  fs.writeFileSync(crontab, "0 0 * * * ls\n");
  fs.writeFileSync(state, "3\n");
  const opened = (...args: string[]) => {
    const { stderr } = run([...runtimeWith(script), LISTENER, ...args]);
    return new Set(/for writing: (.*)/.exec(stderr)?.[1].split(" "));
  };
  assert.deepEqual(opened("check", "--crontab", crontab), new Set([""]));
  assert.deepEqual(opened("status", state), new Set([""]));
  const names = opened("--crontab", crontab, "--state", state);
  assert.ok(names.has(state));
  for (const name of names) assert.ok(name.startsWith(state) || name === "/proc/self/fd/2", name);
});

describe("what others have written reaches the log escaped", { concurrency: 4 }, () => {
  const assertPlain = (text: string) => assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);

  for (const form of ["raw", "prefix", "json"]) {
    it(`the payload of a tick and the counter file, with --log ${form}`, async (t) => {
      const state = `${temporaryDirectory(t)}/state`;
      fs.writeFileSync(state, ESCAPES);
      const supervisord = await listen(t, ["--log", form, "--state", state, ...EACH_TICK]);
      await supervisord.answered(supervisord.send("TICK_60", `when${ESCAPES}`));
      await supervisord.waitForLog(/expected a count, got[\s\S]*has no time but/);
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
    await supervisord.waitForLog(/keeping the current jobs/);
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

it("a secret in TICK_PING is in the environment of neither command, question nor hook, seen by no ps, and not logged", async (t) => {
  const env = { TICK_PING: "http://127.0.0.1:1/c0ffee-c0ffee" };
  const show = 'echo "seen by $SUPERTICK_HOOK"; tr "\\0" "\\n" </proc/$$/environ';
  const hooks = ["--only-if", show, "--on-success", show];
  const command = ["/bin/sh", "-c", `${show}; until [ -e "$TMPDIR/end" ]; do sleep 0.05; done`];
  const supervisord = await listen(t, ["--ticks", "1", ...hooks, "--", ...command], { env });
  await supervisord.tick();
  await supervisord.waitForLog(/^seen by $/m);
  const [, pid] = await supervisord.waitForLog(/run 1 started \(pid (\d+)/);
  for (const one of [supervisord.pid, pid])
    assert.doesNotMatch(fs.readFileSync(`/proc/${one}/cmdline`, "latin1"), /c0ffee/);
  fs.writeFileSync(`${supervisord.directory}/end`, "");
  for (const who of ["only-if", "on-success"]) await supervisord.waitForLog(new RegExp(`^SUPERTICK_HOOK=${who}$`, "m"));
  await supervisord.waitForLog(/--ping: 127\.0\.0\.1:1: /);
  await supervisord.stop();
  assert.doesNotMatch(supervisord.stderr, /c0ffee/);
});

for (const form of ["raw", "prefix", "json"]) {
  it(`the log has neither arguments nor environment, with --log ${form}`, async (t) => {
    const job = ["/bin/sh", "-c", "exit 3", "argument-c0ffee"];
    const hooks = ["--only-if", "exit $((0 + c0ffee))", "--on-failure", ": hook-c0ffee; exit 4"];
    const args = ["--log", form, "--verbose", ...hooks];
    const supervisord = await listen(t, [...args, "--ticks", "1", "--", ...job], { env: { VARIABLE: "value-c0ffee" } });
    await supervisord.tick();
    await supervisord.waitForLog(/--on-failure failed: exit 4/);
    await supervisord.stop();
    assert.doesNotMatch(supervisord.stderr, /c0ffee/);
  });
}

describe("what may be a secret is shown by no check", { concurrency: 4 }, () => {
  const KEYS = "events=TICK_60\nautorestart=true\nstderr_logfile=/dev/stderr\nstderr_logfile_maxbytes=0\n";
  const section = (name: string, command: string, more = "") =>
    `[eventlistener:${name}]\ncommand=${command}\n${KEYS}${more}\n`;
  const commands = [
    "supertick --evry 5m -- x --token hunter2",
    "supertick --ticks 5 hunter2",
    "supertick TOKEN=hunter2 x",
    "supertick --on-failure notify hunter2 -- x",
    "supertick --ticks 5 --only-if redis-cli -ahunter2 -- x",
    "supertick --ticks 5 --tokn=hunter2 -- x",
    "supertick --ticks 5 --ping ftp://hunter2 -- x",
    "supertick --ticks 5 -- x >/hunter2",
    "env TICK_PING=hunter2 /usr/bin/supertick --ticks 5 -- x",
    'sh -c "TOKEN=hunter2 supertick --ticks 5 -- x"',
    "supertick --ticks 5 %(ENV_SECRET)s -- x",
    'supertick --ticks 5 -- x "hunter2',
    "supertick --ticks 5 -- x %hunter2",
  ];
  const variables = [
    'TICK_PING="%(ENV_SECRET)s"',
    'TICK_GAOL="%(ENV_SECRET)s",TICK_ON_FAILURE="mail hunter2"',
    'A="1",hunter2',
    'A="hunter2%"',
  ];
  const sections = [
    ...commands.map((command, i) => section(`c${i}`, command)),
    ...variables.map((text, i) => section(`v${i}`, "supertick --ticks 5 -- x", `environment=${text}`)),
  ].join("");
  const configurations: Array<[title: string, text: string]> = [
    ["command lines and variables", `[supervisord]\n${sections}`],
    ["a line that is none", `[supervisord]\n${section("x", "supertick --ticks 5 -- x")}hunter2\n`],
    ["a line without a section", `TOKEN=hunter2\n[supervisord]\n${section("x", "supertick --ticks 5 -- x")}`],
    ["variables for all", `[supervisord]\nenvironment=A="1",hunter2\n${section("x", "supertick --ticks 5 -- x")}`],
  ];
  for (const [title, text] of configurations) {
    it(`of a supervisord.conf: ${title}`, { skip: skipWithoutSupervisord }, (t) => {
      const file = `${temporaryDirectory(t)}/supervisord.conf`;
      fs.writeFileSync(file, text);
      for (const form of ["--json=no", "--json"]) {
        const { status, stdout, stderr } = supertick(["check", form, file], { SECRET: "hunter2" });
        assert.equal(status, 1);
        assert.doesNotMatch(stdout + stderr, /hunter2/);
      }
    });
  }

  const right = `TOKEN=hunter2
TICK_PING=http://127.0.0.1:1/hunter2
TICK_ON_FAILURE=: hunter2
TICK_ONLY_IF=: hunter2
@ticks 1 PASSWORD='a hunter2' false --token hunter2%hunter2`;
  const crontabs: Array<[text: string, isRight?: boolean]> = [
    [right, true],
    ["TICK_PING=ftp://hunter2\n@daily x"],
    ['TOKEN="hunter2\n@daily x'],
    ["@daily mysql \\\n  -phunter2 a b c d e"],
    ["@daily mysql \\\n  --password=hunter2 a b c d e"],
    ["curl -H Authorization:hunter2 http://x y z"],
    ["export TOKEN=hunter2 a b c d"],
    ["0 3 * * PGPASSWORD=hunter2 pg_dump x"],
    ["30 2 * *\u00a0* mysql\u00a0-phunter2 x"],
    ["@dialy hunter2"],
  ];
  for (const [text, isRight] of crontabs) {
    it(`of a crontab: ${JSON.stringify(text)}`, (t) => {
      const crontab = `${temporaryDirectory(t)}/crontab`;
      fs.writeFileSync(crontab, `${text}\n`);
      for (const args of [["check"], ["check", "--json"], ...(isRight ? [] : [[]])]) {
        const { status, stdout, stderr } = supertick([...args, "--crontab", crontab]);
        assert.equal(status, isRight ? 0 : args.length === 0 ? 2 : 1, stdout + stderr);
        assert.doesNotMatch(stdout + stderr, /hunter2/);
      }
    });
  }

  it("of a crontab, and neither by its log nor by status", async (t) => {
    const directory = temporaryDirectory(t);
    const [crontab, state] = [`${directory}/crontab`, `${directory}/state`];
    fs.writeFileSync(crontab, `${right}\n`);
    const supervisord = await listen(t, ["--verbose", "--state", state, "--crontab", crontab]);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 failed: exit 1/);
    await supervisord.waitForLog(/--ping: 127\.0\.0\.1:1: /);
    const reports = [
      ["status", state],
      ["status", "--json", state],
    ].map((args) => supertick(args).stdout);
    await supervisord.stop();
    for (const text of [supervisord.stderr, ...reports]) assert.doesNotMatch(text, /hunter2/);
  });
});
