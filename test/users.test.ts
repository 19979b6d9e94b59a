// Commands of other users, a directory of crontabs as cron reads it, and variables from files: through the shipped file, as
// root where that is needed, with an /etc/passwd and an /etc/group of the test's own.

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { parseEnvFile } from "../listener";
import { MOUNTS, mounted } from "./files";
import { LISTENER, RUNTIME, run, supertick, temporaryDirectory } from "./harness";
import { type Options, Supervisord } from "./supervisord";

const isRoot = process.getuid?.() === 0;
const ROOT = { skip: isRoot ? MOUNTS.skip : "needs root" };
const PASSWD =
  "root:x:0:0::/root:/bin/sh\nblank:x:::::\nhex:x:0x0:0:::\nann:x:4001:4002::/home/ann:/bin/bash\nbob:x:4003:4003::/:/bin/sh\nann:x:0:0:::\n";
const GROUP = "root:x:0:\nann:x:4002:\nbob:x:4003:\nwheel:x:4010:bob,ann\n";
const FACTS =
  'echo "$(id -u) $(id -g) $(id -G) $HOME $USER $LOGNAME $SHELL $A $(env | grep -c ^LD_)" >>$D/facts; touch $D/made.$SUPERTICK_RUN';

const NO_SETPRIV = "for f in $(which -a setpriv); do mount --bind /bin/true $f; done";

/** In a directory that everybody may write to, as $D of its commands. */
async function listen(t: TestContext, args: (d: string) => string[], setup = "", options: Options = {}) {
  const d = temporaryDirectory(t);
  fs.chmodSync(d, 0o777);
  fs.writeFileSync(`${d}/passwd`, PASSWD);
  fs.writeFileSync(`${d}/group`, GROUP);
  const mounts = `mount --bind ${d}/passwd /etc/passwd; mount --bind ${d}/group /etc/group; ${setup}`;
  const command = mounted(mounts, ["--state", `${d}/state`, ...args(d)]);
  const supervisord = await Supervisord.during(t, { command, ...options, env: { D: d, A: "a", ...options.env } });
  return { d, supervisord, facts: () => fs.readFileSync(`${d}/facts`, "utf8").trim() };
}

describe("a command of another user", { concurrency: 4, ...ROOT }, () => {
  for (const [title, setup, groups] of [
    ["has uid, gid, groups and variables of that user, and what it makes belongs to it", "", "4002 4010"],
    ["has the first group alone without setpriv", NO_SETPRIV, "4002"],
  ])
    it(title, async (t) => {
      const job = ["--ticks", "1", "--user", "ann", "--only-if", FACTS, "--", "/bin/sh", "-c", FACTS];
      const { d, supervisord, facts } = await listen(t, () => job, setup, { env: { LD_X: "x" } });
      await supervisord.tick();
      await supervisord.waitForLog(/run 1 finished: exit 0/);
      const line = `4001 4002 ${groups} /home/ann ann ann /bin/bash a 0`;
      assert.equal(facts(), `${line}\n${line}`);
      const { uid, gid } = fs.statSync(`${d}/made.1`);
      assert.deepEqual([uid, gid], [4001, 4002]);
    });

  it("reads its stdin and writes to its output by name, and is ended at its time limit", async (t) => {
    const lines = "TICK_TIMEOUT=2s\nTICK_USER=ann\n@ticks 1 cat /dev/stdin >/dev/stdout; exec sleep 1000%hello\n";
    const write = (d: string) => fs.writeFileSync(`${d}/tab`, lines);
    const { supervisord } = await listen(t, (d) => [write(d) ?? "--crontab", `${d}/tab`, "--log", "prefix"]);
    await supervisord.tick();
    await supervisord.waitForLog(/cat\[1\]: hello/);
    await supervisord.waitForLog(/run 1 timed out: SIGTERM/);
  });

  it("named in a crontab's column, under the crontab's own variables; root in it is supertick's own", async (t) => {
    const text = `HOME=/tmp\n@ticks 1 ann ${FACTS}\n@ticks 2 root ${FACTS}\n`;
    const write = (d: string) => fs.writeFileSync(`${d}/tab`, text);
    const { supervisord, facts } = await listen(t, (d) => [write(d) ?? "--crontab", `${d}/tab`, "--max-running", "1"]);
    await supervisord.waitForLog(/a column of users \(line 2 names the user ann\)/);
    for (const runs of [1, 3]) {
      await supervisord.tick();
      await supervisord.until(() => supervisord.stderr.match(/finished: exit 0/g)?.length === runs, `run ${runs}`);
    }
    const [first, , ...rest] = facts().split("\n");
    assert.equal(first, "4001 4002 4002 4010 /tmp ann ann /bin/sh a 0");
    assert.ok([...facts().split("\n")].includes("0 0 0 /tmp root root /bin/sh a 0"), rest.join());
  });

  it("whose name a file in a spool has", async (t) => {
    const write = (d: string) => {
      fs.mkdirSync(`${d}/crontabs`);
      for (const name of ["ann", "carl"]) fs.writeFileSync(`${d}/crontabs/${name}`, `@ticks 1 ${FACTS}\n`);
    };
    const { supervisord, facts } = await listen(t, (d) => [write(d) ?? "--crontab", `${d}/crontabs`]);
    await supervisord.waitForLog(/carl:1: user "carl": there is no such user/);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 finished: exit 0/);
    assert.match(facts(), /^4001 4002 /);
  });

  it("that would lack groups is noted by check, and one that does not exist is refused", (t) => {
    const d = temporaryDirectory(t);
    fs.writeFileSync(`${d}/passwd`, PASSWD);
    fs.writeFileSync(`${d}/group`, GROUP);
    const mounts = `mount --bind ${d}/passwd /etc/passwd; mount --bind ${d}/group /etc/group; ${NO_SETPRIV}`;
    const check = (user: string) => run(mounted(mounts, ["check", "--ticks", "1", "--user", user, "--", "true"]));
    assert.match(check("ann").stdout, /note: commands of ann have the first group of that user alone: setpriv, of/);
    for (const user of ["carl", "blank", "hex"]) assert.equal(check(user).status, 2, user);
  });

  it("is refused where supertick may not change user, though it is root", (t) => {
    const drop = ["setpriv", "--bounding-set", "-setuid", "--inh-caps", "-setuid", ...RUNTIME, LISTENER];
    const { status, stderr } = run([...drop, "--ticks", "1", "--user", "nobody", "--", "true"]);
    assert.deepEqual([status, stderr.split("\n").length], [2, 2]);
    assert.match(stderr, /user "nobody": supertick may not run anything as another user \(CAP_SETUID/);
    const tab = `${temporaryDirectory(t)}/tab`;
    fs.writeFileSync(tab, "@daily root true\n@daily nobody true\n");
    assert.match(run([...drop, "--crontab", tab]).stderr, /tab:2: user "nobody": supertick may not/);
  });

  it("gets no file of variables that it could not read, unless none but root can have put it there", async (t) => {
    const d = temporaryDirectory(t);
    fs.chmodSync(d, 0o755);
    fs.writeFileSync(`${d}/secret`, "X=secret\n", { mode: 0o600 });
    fs.symlinkSync("secret", `${d}/env`);
    const args = (file: string) => [
      "--ticks",
      "1",
      "--job-env-file",
      file,
      "--user",
      "ann",
      "--",
      "/bin/sh",
      "-c",
      "echo X is $X",
    ];
    const { supervisord } = await listen(t, () => args(`${d}/env`));
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 failed to start: .*user ann may not read it/);
    fs.chmodSync(`${d}/secret`, 0o604);
    await supervisord.tick();
    await supervisord.waitForLog(/X is secret/);
  });

  it("is not taken from a crontab that everybody may write to", (t) => {
    const tab = `${temporaryDirectory(t)}/tab`;
    fs.writeFileSync(tab, "@daily root true\n");
    fs.chmodSync(tab, 0o666);
    assert.match(
      supertick(["check", "--crontab", tab]).stdout,
      /tab: everybody may write to it, and say who runs what: chmod o-w/,
    );
  });
});

it("a user who does not exist ends it with 2", () => {
  const { status, stderr } = supertick(["--ticks", "1", "--user", "nosuch", "--", "true"]);
  assert.deepEqual([status, stderr], [2, 'supertick: user "nosuch": there is no such user on this machine\n']);
});

// ── A directory of crontabs ────────────────────────────────────────────────

describe("a directory of crontabs", () => {
  it("is all files with names as cron wants them; they come, go, break and heal, and no other one minds", async (t) => {
    const d = `${temporaryDirectory(t)}/jobs`;
    fs.mkdirSync(`${d}/sub`, { recursive: true });
    let age = 1000;
    const write = (name: string, text: string) => {
      fs.writeFileSync(`${d}/${name}`, text);
      age -= 10;
      fs.utimesSync(`${d}/${name}`, Date.now() / 1000 - age, Date.now() / 1000 - age);
    };
    write("b", "TICK_NAME=b\n@ticks 1 true\n");
    write("a", 'X=1\nTICK_NAME=a\n@ticks 1 test "$X" = 1\n0 25 * * * x\n');
    write(".placeholder", "@ticks 1 no\n");
    write("c.bak", "@ticks 1 no\n");
    const supervisord = await Supervisord.during(t, { args: ["--crontab", d, "--tick", "TICK_60"] });
    await supervisord.waitForLog(
      /jobs: a: no column of users; b: no column of users; passed over, .*: \.placeholder, c\.bak$/m,
    );
    await supervisord.waitForLog(/a:4: schedule .*hour 25 is above 23; no job of that file runs/);
    const health = () => {
      const { status, stdout } = supertick(["status", supervisord.stateFile]);
      return [status, / with mistakes: .*/.exec(stdout)?.[0]];
    };
    assert.deepEqual(health(), [1, " with mistakes: the log says which"]);
    await supervisord.waitForLog(/: 1 job of \S+ on TICK_60/);
    write("a", 'X=1\nTICK_NAME=a\n@ticks 1 test "$X" = 1\n');
    write("c", 'TICK_NAME=c\n@ticks 1 test -z "$X"\n');
    // What was changed less than a second ago is left alone: the files above look older, their directory does not matter.
    const counts = async (jobs: RegExp) => {
      supervisord.signal("SIGHUP");
      await supervisord.waitForLog(jobs);
      await supervisord.tick();
    };
    await counts(/3 jobs of \S+: 2 new, 0 changed, 0 removed$/m);
    for (const name of "abc") await supervisord.waitForLog(new RegExp(`${name}: run 1 finished: exit 0`));
    assert.deepEqual(health(), [0, undefined]);
    write("b", "TICK_NAME=b\n@ticks 1 exit 1\n* nonsense\n");
    fs.unlinkSync(`${d}/c`);
    await counts(
      /b:3: .*; keeping the current jobs of that file\n.*2 jobs of \S+: 0 new, 0 changed, 1 removed; 1 crontab file with mistakes/,
    );
    await supervisord.waitForLog(/b: run 2 finished: exit 0/);
    assert.deepEqual(health(), [1, " with mistakes: the log says which"]);
    await supervisord.restartListener();
    await supervisord.waitForLog(/b:3: .*; no job of that file runs\n[\s\S]*: 1 job of \S+ on TICK_60/);
    write("b", "TICK_NAME=b\n@ticks 1 exit 1\n"); // what went before is still known
    await counts(/2 jobs of \S+: 0 new, 1 changed, 0 removed/);
    await supervisord.waitForLog(/b: run 3 failed: exit 1/);
  });

  it("loses no job that moves to another file", async (t) => {
    const d = `${temporaryDirectory(t)}/jobs`;
    fs.mkdirSync(d);
    fs.writeFileSync(`${d}/b`, "TICK_NAME=n\n@ticks 1 true\n@ticks 1 echo x\n");
    const supervisord = await Supervisord.during(t, { args: ["--crontab", d, "--tick", "TICK_60"] });
    await supervisord.tick();
    await supervisord.waitForLog(/n: run 1 finished/);
    fs.renameSync(`${d}/b`, `${d}/a`);
    supervisord.signal("SIGHUP");
    await supervisord.waitForLog(/2 jobs of \S+: 0 new, 0 changed, 0 removed/);
    fs.writeFileSync(`${d}/b`, fs.readFileSync(`${d}/a`));
    supervisord.signal("SIGHUP");
    await supervisord.waitForLog(/b:2: a job in another file already has the name "n"/);
    fs.unlinkSync(`${d}/a`);
    const old = Date.now() / 1000 - 100;
    fs.utimesSync(d, old, old);
    await supervisord.until(async () => {
      await supervisord.tick();
      return /jobs: b: no column.*\n.*2 jobs of|2 jobs of \S+: \d new, \d changed, \d removed\n[\s\S]*2 jobs of/.test(
        supervisord.stderr,
      );
    }, "the job in its new file");
  });

  it("is shown by check, with who runs what; what can't be read ends it with 2", (t) => {
    const d = temporaryDirectory(t);
    fs.writeFileSync(`${d}/a`, "@daily root true\n");
    assert.match(supertick(["check", "--crontab", d]).stdout, /^\S+\/\w+:1, true, as root: at 00:00/m);
    const { status, stderr } = supertick(["check", "--crontab", `${d}/none`]);
    assert.deepEqual([status, stderr.startsWith("supertick: cannot read the crontab")], [2, true]);
  });

  it("may have the same line in two files, but no name twice", (t) => {
    const d = temporaryDirectory(t);
    for (const name of "ab") fs.writeFileSync(`${d}/${name}`, "@daily x\n");
    fs.writeFileSync(`${d}/c`, "TICK_NAME=n\n@daily x\n");
    fs.writeFileSync(`${d}/d`, "TICK_NAME=n\n@daily y\n");
    const { stdout } = supertick(["check", "--crontab", d]);
    assert.match(stdout, /d:2: a job in another file already has the name "n"/);
    assert.equal(stdout.match(/x\.[0-9a-f]{4}(\.2)?: at 00:00/g)?.length, 2);
  });
});

// ── Variables from files ───────────────────────────────────────────────────

describe("variables from files", () => {
  it("--job-env-file has NAME=value lines, without quotes and expansion", () => {
    const text = '# no\nA=1\n B="2" # x\nC=$A=x\nnot one\n=x\nD=\r\nA=3\n';
    assert.deepEqual(parseEnvFile(text), { A: "3", B: '"2" # x', C: "$A=x", D: "" });
  });

  it("--job-env-file is read anew before each run; one that can't be read fails the run with its reason", async (t) => {
    const file = `${temporaryDirectory(t)}/env`;
    fs.writeFileSync(file, "X=1\n");
    const args = ["--ticks", "1", "--job-env-file", file, "--", "/bin/sh", "-c", "echo X is $X"];
    const supervisord = await Supervisord.during(t, { args });
    await supervisord.tick();
    await supervisord.waitForLog(/^X is 1$/m);
    await supervisord.waitForLog(/run 1 finished/);
    fs.writeFileSync(file, "X=2\n");
    await supervisord.tick();
    await supervisord.waitForLog(/^X is 2$/m);
    await supervisord.waitForLog(/run 2 finished/);
    fs.unlinkSync(file);
    await supervisord.tick();
    await supervisord.waitForLog(
      /run 3 failed to start: --job-env-file \S+env: no such file or directory \(ENOENT\)$/m,
    );
  });

  it("TICK_X_FILE holds what TICK_X would, and no message shows it", (t) => {
    const file = `${temporaryDirectory(t)}/secret`;
    const check = (text: string, env: NodeJS.ProcessEnv) => {
      fs.writeFileSync(file, text);
      return supertick(["check", "--", "true"], env);
    };
    assert.match(check("5m\n", { TICK_EVERY_FILE: file }).stdout, /^every 5m$/m);
    const env = { TICK_EVERY_FILE: file };
    assert.equal(
      check("s3cret", env).stderr,
      "supertick: TICK_EVERY_FILE: expected a duration such as 30s, 5m or 1h30m\n",
    );
    assert.match(
      check("5m", { ...env, TICK_EVERY: "1h" }).stderr,
      /TICK_EVERY and TICK_EVERY_FILE are given; give one/,
    );
    assert.match(
      check("5m", { TICK_EVERY_FILE: "/no/such" }).stderr,
      /TICK_EVERY_FILE: cannot read "\/no\/such": no such file or directory/,
    );
    assert.match(check("5m", { TICK_STATE_FILE: file, TICK_EVERY: "1h" }).stdout, /TICK_STATE_FILE is not a variable/);
  });
});
