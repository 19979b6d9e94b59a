// What a run said: its output goes through pipes of ours where a hook or a ping wants its end, and that end reaches them,
// the journal and `status`.

import * as assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { describe, it, type TestContext } from "node:test";
import * as fc from "fast-check";
import { Tail } from "../listener";
import { isBun, isDeno, LISTENER, postServer, RUNTIME, run, supertick, temporaryDirectory, until } from "./harness";
import { type Options, Supervisord } from "./supervisord";

const EACH_TICK = ["--ticks", "1", "--tick", "TICK_60", "--name", "job"];
const shell = (text: string) => ["--", "/bin/sh", "-c", text];
const PIPES = { skip: isBun || isDeno ? "needs pipes of ours" : false };

function start(t: TestContext, args: string[], options: Options = {}): Promise<Supervisord> {
  return Supervisord.during(t, { args: [...EACH_TICK, ...args], ...options });
}

/** The last `ended` in the journal. */
function lastEnded(supervisord: Supervisord): { tail?: string; result: string } {
  const lines = fs.readFileSync(`${supervisord.stateFile}.runs`, "utf8").split("\n").slice(0, -1);
  return lines
    .map((line) => JSON.parse(line))
    .filter(({ type }) => type === "ended")
    .pop();
}

describe("the last bytes", () => {
  it("are whole lines, or whole characters of a line that is too long, and all where they are few", () => {
    const units = ["a", "\n", "ä", "€", "\u{1f600}", "x".repeat(3000)];
    const pieces = fc.array(fc.string({ unit: fc.constantFrom(...units), maxLength: 20 }), { maxLength: 10 });
    fc.assert(
      fc.property(pieces, fc.constantFrom(100, 2048, 10_240), (pieces, limit) => {
        const tail = new Tail();
        for (const piece of pieces) tail.add(Buffer.from(piece));
        const all = pieces.join("");
        const [last, bytes] = [tail.last(limit), Buffer.from(all)];
        assert.ok(last.equals(bytes.subarray(bytes.length - last.length)), "it is the end");
        assert.ok(Buffer.from(last.toString()).equals(last), "a character was cut in two");
        assert.ok(last.length <= limit);
        const before = bytes.subarray(0, bytes.length - last.length).toString();
        if (before === "" || before.endsWith("\n")) return;
        assert.ok(!last.subarray(0, -1).includes("\n") && last.length > limit - 4, "a line was cut in two");
      }),
    );
  });
});

describe("raw output that a hook wants the end of", { concurrency: 4, ...PIPES }, () => {
  const cases: Array<[title: string, text: string]> = [
    ["without a newline", "printf one; printf two >&2; printf three"],
    ["with NULs and halves of characters", "printf 'a\\000b\\303'; printf '\\244\\n\\377\\200' >&2"],
    ["in order from stdout and stderr", "i=0; while [ $i -lt 2000 ]; do echo $i; echo $i >&2; i=$((i+1)); done"],
    ["of 20 MB in long and short lines", "yes | head -c 10000000; head -c 10000000 /dev/zero"],
    ["by the names of its descriptors", "echo x >/dev/stderr; echo y >/dev/stdout; echo z >&2"],
    ["from what goes on behind it", "echo first; (while [ ! -e go ]; do sleep 0.02; done; echo last) & true"],
  ];
  for (const [title, text] of cases) {
    it(`is passed on byte for byte: ${title}`, async (t) => {
      const cwd = temporaryDirectory(t);
      const args = [...EACH_TICK, "--state", `${cwd}/state`, "--on-failure", "true", ...shell(text)];
      const words = [...RUNTIME, LISTENER, ...args];
      const command = ["/bin/sh", "-c", 'mkfifo f; cat f >log & exec "$@" 2>f', "sh", ...words];
      const supervisord = await Supervisord.during(t, { command, cwd });
      await supervisord.tick();
      const log = () => fs.readFileSync(`${cwd}/log`, "latin1");
      await supervisord.until(() => /run 1 finished/.test(log()), "the end of the run");
      fs.writeFileSync(`${cwd}/go`, "");
      if (text.includes("last")) await supervisord.until(() => /last/.test(log()), "what comes later");
      execFileSync("/bin/sh", ["-c", `{ ${text}; } 2>&1 | cat >expected`], { cwd });
      const expected = fs.readFileSync(`${cwd}/expected`, "latin1");
      const written = log().replace(/^supertick: .*\n/gm, "");
      // A line of ours begins a line of its own.
      assert.ok(written === expected || written === `${expected}\n`, `${written.length} bytes of ${expected.length}`);
    });
  }

  it("is not passed through a pipe where nobody wants it", async (t) => {
    const supervisord = await start(t, ["--on-skip", "true", ...shell("readlink /proc/$$/fd/2")]);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 finished/);
    assert.match(supervisord.stderr, /^\S+\/\.stderr \(deleted\)$/m); // supervisord's
  });

  // As supervisord's user= leaves it.
  const nobody = ["setpriv", "--reuid", "65534", "--clear-groups"];
  const canBeNobody = spawnSync(nobody[0], [...nobody.slice(1), process.execPath, LISTENER, "--version"]).status === 0;
  it("is passed through one where its user could not open the log's by name", { skip: !canBeNobody }, async (t) => {
    const cwd = temporaryDirectory(t);
    fs.chmodSync(cwd, 0o777);
    const args = [...EACH_TICK, "--state", `${cwd}/state`, ...shell("echo x >/dev/stderr; echo y >/dev/stdout")];
    const command = [...nobody, ...RUNTIME, LISTENER, ...args];
    const supervisord = await Supervisord.during(t, { command, cwd, env: { TMPDIR: cwd } });
    await supervisord.tick();
    await supervisord.waitForLog(/^x\ny\nsupertick: job: run 1 finished: exit 0/m);
  });

  it("waits while nobody reads the log; ticks do not", async (t) => {
    const job = shell("i=0; while [ $i -lt 40000 ]; do echo line $i; i=$((i+1)); done");
    const supervisord = await start(t, ["--on-failure", "true", ...job], { readLog: false });
    for (let i = 0; i < 20; i++) await supervisord.tick();
    supervisord.readLog();
    await supervisord.waitForLog(/line 39999\b/);
    const numbers = supervisord.stderr.match(/(?<=^line )\d+$/gm);
    assert.deepEqual(numbers, [...Array(40_000).keys()].map(String));
  });
});

describe("the end of the output", { concurrency: 4, skip: isBun && "needs a pipe" }, () => {
  const LINES = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; printf '\\033[1mend';";
  const text = `${[...Array(3000).keys()].map((i) => `line ${i}\n`).join("")}\u001b[1mend`;
  const endOf = (bytes: number) => text.slice(text.indexOf("\n", text.length - bytes - 1) + 1);

  for (const [exit, hook, ping] of [
    [3, "--on-failure", "/ping/fail"],
    [0, "--on-success", "/ping"],
  ] as const) {
    it(`reaches ${hook} and the last ping: 10 KiB in whole lines; 2 KiB are kept of a failed run`, async (t) => {
      const server = await postServer(t, "/ping");
      const options = { env: { TICK_PING: server.url } };
      const supervisord = await start(
        t,
        [hook, "cat >said.new; mv said.new said", ...shell(`${LINES} exit ${exit}`)],
        options,
      );
      await supervisord.tick();
      const said = `${supervisord.directory}/said`;
      await supervisord.until(() => fs.existsSync(said) && server.bodies.has(ping), "hook and ping");
      assert.equal(fs.readFileSync(said, "utf8"), endOf(10_240));
      assert.equal(server.bodies.get(ping)?.toString(), endOf(10_240));
      assert.equal(server.bodies.get("/ping/start")?.length, 0);
      assert.equal(lastEnded(supervisord).tail, exit === 0 ? undefined : endOf(2048));
      assert.equal(fs.statSync(`${supervisord.stateFile}.runs`).mode & 0o777, 0o600);
    });
  }

  it("is that of the last attempt, also of a run that is not tried again", async (t) => {
    const job = shell("echo run $SUPERTICK_RUN, attempt $SUPERTICK_ATTEMPT; exit 3");
    const retries = ["--retries", "3", "--retry-delay", "30s", "--on-failure", "sed 's/^/hook: /' >&2"];
    const supervisord = await start(t, [...retries, ...job]);
    await supervisord.tick();
    await supervisord.waitForLog(/attempt 2 of 4/);
    await supervisord.restartListener(); // the journal has it
    await supervisord.tick();
    await supervisord.waitForLog(/is not tried again[\s\S]*^hook: run 1, attempt 1$/m);
  });

  it("of a run that was ended at its time limit is what it wrote until then", async (t) => {
    const job = shell("echo begun; trap 'echo ending; exit' TERM; while :; do sleep 0.1; done");
    const supervisord = await start(t, ["--timeout", "1s", "--on-failure", "cat >&2; echo hooked >&2", ...job]);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 timed out: .*\nbegun\n(.*\n)?ending\nhooked/);
    assert.match(lastEnded(supervisord).tail ?? "", /^begun\n(.*\n)?ending\n$/);
  });

  it("does no harm to a hook that does not read it", async (t) => {
    const supervisord = await start(t, ["--on-failure", "exec <&-; echo hooked", ...shell(`${LINES} exit 3`)]);
    await supervisord.tick();
    await supervisord.waitForLog(/^hooked$/m);
    await supervisord.tick();
    await supervisord.waitForLog(/run 2 failed/);
    assert.doesNotMatch(supervisord.stderr, /--on-failure failed/);
  });

  it("is shown by status, escaped, with the last runs, for a job's name", async (t) => {
    const job = shell('[ $SUPERTICK_RUN != 3 ] || { printf "one\\033[2J\\ntwo"; exit 7; }');
    const supervisord = await start(t, ["--on-failure", "true", ...job]);
    for (let run = 1; run <= 4; run++) {
      await supervisord.tick();
      await supervisord.waitForLog(new RegExp(`run ${run} (finished|failed)`));
    }
    const env = { TICK_STATE: supervisord.stateFile };
    const { stdout } = supertick(["status", "job"], env);
    const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g;
    assert.deepEqual(
      stdout
        .replace(time, "TIME")
        .replace(/\d\.\d/g, "0.0")
        .split("\n")
        .slice(-7),
      [
        "run 4 success: exit 0, 0.0s, schedule, ended TIME",
        "run 3 failure: exit 7, 0.0s, schedule, ended TIME",
        "  one\\u001b[2J",
        "  two",
        "run 2 success: exit 0, 0.0s, schedule, ended TIME",
        "run 1 success: exit 0, 0.0s, schedule, ended TIME",
        "",
      ],
    );
    assert.doesNotMatch(supertick(["status", supervisord.stateFile]).stdout, /^run/m);
    const unknown = supertick(["status", "other"], env);
    const why = "no job of that name, and no such file; a FILE that was given as --state must be named";
    assert.deepEqual([unknown.status, unknown.stdout], [1, `other: ${why}\n`]);
    const twice = supertick(["status", "job", "job"], env).stdout.match(/^job \(\S+\):\nrun 4 success/gm);
    assert.equal(twice?.length, 2, "with a title each");
    const directory = temporaryDirectory(t);
    for (const name of ["job", "other"]) fs.mkdirSync(`${directory}/${name}`);
    const there = (name: string) =>
      run(["sh", "-c", 'cd "$0" && exec "$@"', directory, ...RUNTIME, LISTENER, "status", name], env);
    assert.match(there("job").stdout, /^run 4 success/m);
    assert.match(there("other").stdout, /^other: can't be read: not a regular file/);
  });
});

describe("a job outlives its listener, and the next one reads on", { concurrency: 4, ...PIPES }, () => {
  const forms: Array<[title: string, args: string[]]> = [
    ["raw with a hook", ["--on-failure", "cat >said.new; mv said.new said"]],
    ["prefix", ["--log", "prefix"]],
    ["json", ["--log", "json"]],
  ];
  for (const [title, args] of forms) {
    it(`with ${title}: it ends by itself, and nothing it wrote meanwhile is lost`, async (t) => {
      const lines =
        "i=0; while [ $i -lt 20000 ]; do echo number $i; i=$((i+1)); done; printf 'the end'; echo $? >ended";
      const job = shell(`trap '' TERM; echo begun; while [ ! -e go ]; do sleep 0.02; done; ${lines}`);
      const supervisord = await start(t, [...args, ...job]);
      await supervisord.tick();
      await supervisord.waitForLog(/begun/);
      await supervisord.killListener();
      fs.writeFileSync(`${supervisord.directory}/go`, "");
      await until("a full pipe", () => supervisord.jobProcesses().some((pid) => /pipe/.test(waitsIn(pid))));
      await supervisord.restartListener();
      // Where the log is full as it ends, what is still in its pipe is read after that.
      for (const said of [/still going/, /the end/, /exit status unknown/]) await supervisord.waitForLog(said);
      assert.equal(fs.readFileSync(`${supervisord.directory}/ended`, "utf8"), "0\n");
      const numbers = supervisord.stderr.match(/(?<=number )\d+/g);
      assert.deepEqual(numbers, [...Array(20_000).keys()].map(String));
      assert.match(lastEnded(supervisord).tail ?? "", /number \d+\n(the end)?$/);
      if (title.startsWith("raw"))
        await supervisord.until(() => fs.existsSync(`${supervisord.directory}/said`), "the hook");
    });
  }

  function waitsIn(pid: number): string {
    try {
      return fs.readFileSync(`/proc/${pid}/wchan`, "utf8");
    } catch {
      return "";
    }
  }
});
