// What commands write and read, through the shipped file: the forms of the log, and the pipes of a command.

import * as assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import { describe, it, type TestContext } from "node:test";
import * as fc from "fast-check";
import { findRun, hasGroup, readyLength } from "../listener";
import { shell as make, rowsOf } from "./files";
import { atEnd, isBun, isDeno, LISTENER, RUNTIME, temporaryDirectory, until } from "./harness";
import { withLimit } from "./haste";
import { type Options, Supervisord } from "./supervisord";

const FORMS = ["prefix", "json"] as const;
const EACH_TICK = ["--ticks", "1", "--tick", "TICK_60", "--name", "job"];
const EACH_EVENT = ["--on", "PROCESS_STATE", "--name", "job"];

function start(t: TestContext, args: string[], options: Options = {}): Promise<Supervisord> {
  const schedule = args.includes("--on") ? [] : EACH_TICK;
  return Supervisord.during(t, { args: [...schedule, ...args], ...options });
}

const shell = (text: string) => ["--", "/bin/sh", "-c", text];

function journaled(supervisord: Supervisord, type: string): Array<Record<string, unknown>> {
  const lines = fs.readFileSync(`${supervisord.stateFile}.runs`, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line)).filter((line) => line.type === type);
}

/** What the command wrote, as "stream: line"; with prefix, which does not name the stream, as "line". */
function written(supervisord: Supervisord, form: string): string[] {
  const lines = supervisord.stderr.split("\n").slice(0, -1);
  if (form === "prefix") return lines.flatMap((line) => /(?<=Z job\[\d+\]: ).*/.exec(line) ?? []);
  return lines
    .map((line) => JSON.parse(line))
    .filter(({ source }) => source !== "supertick")
    .map(({ source, message }) => `${source}: ${message}`);
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));
const bare = (line: string) => line.replace("stdout: ", "");
/** Its lines, but for the one that Bun can't read a pipe of ours. */
const linesOf = (log: string) =>
  log
    .trimEnd()
    .split("\n")
    .filter((line) => !line.includes("no pipe can be made"));

describe("the log", { concurrency: 4 }, () => {
  const output = "echo one; printf 'two\\nthr'; echo ee; printf '\\377\\033[1m\\n\\303\\244\\n'; printf unfinished";

  it("with prefix has time, job and run before whole lines, the last one too, and keeps every byte", async (t) => {
    const cwd = temporaryDirectory(t);
    const words = [...RUNTIME, LISTENER, ...EACH_TICK, "--state", `${cwd}/state`, "--log", "prefix", ...shell(output)];
    const supervisord = await Supervisord.during(t, {
      command: ["/bin/sh", "-c", 'exec "$@" 2>log', "sh", ...words],
      cwd,
    });
    await supervisord.tick();
    const log = () => fs.readFileSync(`${cwd}/log`, "latin1");
    await supervisord.until(() => /run 1 finished/.test(log()), "the end of the run");
    const lines = linesOf(log());
    const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?=(supertick: job|job\[1\]): )/;
    for (const line of lines) assert.match(line, time);
    const expected = ["one", "two", "three", "\xff\x1b[1m", "\xc3\xa4", "unfinished"];
    assert.deepEqual(
      lines.flatMap((line) => /(?<=Z job\[1\]: ).*/.exec(line) ?? []),
      expected,
    );
  });

  it("with json is one valid object a line, whatever the command writes", async (t) => {
    const supervisord = await start(t, ["--log", "json", ...shell(output)]);
    await supervisord.tick();
    await supervisord.waitForLog(/"event":"ended"/);
    const objects = linesOf(supervisord.stderr).map((line) => JSON.parse(line));
    for (const { job } of objects) assert.equal(job, "job");
    const ofCommand = objects.filter(({ source }) => source === "stdout");
    const expected = ["one", "two", "three", "\ufffd\u001b[1m", "ä", "unfinished"];
    assert.deepEqual(
      ofCommand.map(({ message, run }) => `${run} ${message}`),
      expected.map((line) => `1 ${line}`),
    );
    const { result, exit } = objects.find(({ event }) => event === "ended");
    assert.deepEqual([result, exit], ["success", 0]);
    assert.doesNotMatch(supervisord.stderr, /\u001b/);
  });

  it("with json passes a line that is a JSON object as data, unchanged, and has a level on lines of ours", async (t) => {
    const lines = ['{"level":"warn","id":12345678901234567890,"text":"\u2028"}', '{"a":1', "[1]", ' {"b":{}}\t'];
    const supervisord = await start(t, ["--log", "json", ...shell(`printf '%s\\n' '${lines.join("' '")}'; exit 3`)]);
    await supervisord.tick();
    await supervisord.waitForLog(/"event":"ended"/);
    const objects = linesOf(supervisord.stderr).map((line) => JSON.parse(line));
    const ofCommand = objects.filter(({ source }) => source === "stdout");
    const data = [JSON.parse(lines[0]), undefined, undefined, { b: {} }];
    assert.deepEqual(
      ofCommand.map(({ data }) => data),
      data,
    );
    assert.deepEqual(
      ofCommand.map(({ message }) => message),
      [undefined, lines[1], lines[2], undefined],
    );
    assert.match(
      supervisord.stderr,
      /"run":1,"data":\{"level":"warn","id":12345678901234567890,"text":"\\u2028"\}\}\n/,
    );
    const levels = objects
      .filter(({ source }) => source === "supertick")
      .map(({ event, level }) => `${event} ${level}`);
    assert.deepEqual(levels, ["undefined info", "started info", "ended error"]);
  });

  for (const form of FORMS) {
    it(`with ${form} and a stopped reader costs no tick and no output: the command waits`, async (t) => {
      const job = shell("i=0; while [ $i -lt 40000 ]; do echo line $i; i=$((i+1)); done");
      const supervisord = await start(t, ["--log", form, ...job], { readLog: false });
      for (let i = 0; i < 20; i++) await supervisord.tick();
      supervisord.readLog();
      await supervisord.waitForLog(/line 39999\b/);
      const lines = supervisord.stderr.match(/(?<=line )\d+(?="|$)/gm);
      assert.deepEqual(lines, numbers(40_000));
    });
  }
});

describe("what holds a pipe of the command open behind it", { concurrency: 4 }, () => {
  // The time limit passes in that second.
  it("is waited for no longer than a second, which is not the run's: neither its time nor a time-out", async (t) => {
    const { options } = withLimit(t, 77, 1);
    const args = ["--log", "prefix", "--timeout", "77s", ...shell("sleep 1000 & echo left")];
    const supervisord = await start(t, args, options);
    const before = Date.now() / 1000;
    await supervisord.tick();
    await supervisord.waitForLog(/job\[1\]: left[\s\S]*run 1 finished: exit 0/);
    const [{ result, seconds, at }] = journaled(supervisord, "ended");
    assert.equal(result, "success");
    assert.ok(Number(seconds) <= Number(at) - before - 0.99, `${seconds} s of ${Number(at) - before} s`);
    process.kill(-Number(journaled(supervisord, "started")[0].pid), "SIGKILL");
  });

  it("is killed when it survives the SIGTERM of a time-out, and the pipe is let go", async (t) => {
    const limit = withLimit(t, 77);
    const limits = ["--timeout", "77s", "--kill-after", "2s"];
    const command = ["--", `${__dirname}/fixtures/child-ignores-term`];
    const supervisord = await start(t, ["--log", "prefix", ...limits, ...command], limit.options);
    await supervisord.tick();
    await supervisord.waitForLog(/armed/);
    limit.reach();
    await supervisord.waitForLog(/armed[\s\S]*timed out after 77s[\s\S]*sent SIGKILL[\s\S]*run 1 timed out: SIGTERM/);
    await supervisord.until(() => supervisord.jobProcesses().length === 0, "the end of what was left behind");
    assert.equal(journaled(supervisord, "ended")[0].result, "timeout");
  });
});

describe("the pipes of a command", { concurrency: 4 }, () => {
  const ON_PIPES = { skip: isBun ? "Bun gives a command sockets, which have no name" : false };
  const IN_ORDER = {
    skip: isBun || isDeno ? "Bun and Deno give a command two of them, so the order may change" : false,
  };
  const PRLIMIT = { skip: spawnSync("prlimit", ["--version"]).status !== 0 && "needs prlimit" };

  const anew = "echo x >/dev/stderr; echo y >/dev/stdout; echo z >&2";
  const plain = "echo out; echo err >&2; printf end";
  const cases: Array<[title: string, env: Record<string, string>, text: string, lines: string[], options: object]> = [
    ["can be opened anew by their names", {}, anew, ["stderr: x", "stdout: y", "stderr: z"], ON_PIPES],
    ["also where TMPDIR is not writable", { TMPDIR: "/x" }, anew, ["stderr: x", "stdout: y", "stderr: z"], ON_PIPES],
    ["are sockets where there is no mkfifo", { PATH: "/x" }, plain, ["stdout: out", "stderr: err", "stdout: end"], {}],
  ];
  for (const form of FORMS) {
    for (const [title, env, text, lines, options] of cases) {
      it(`with ${form} ${title}`, options, async (t) => {
        const supervisord = await start(t, ["--log", form, ...shell(text)], { env });
        await supervisord.tick();
        await supervisord.waitForLog(/run 1 finished: exit 0/);
        const expected = lines.map((line) => (form === "json" ? line : line.slice("stdout: ".length)));
        assert.deepEqual(written(supervisord, form).sort(), expected.sort());
      });
    }

    it(`with ${form} are all that it inherits, also beside another one`, async (t) => {
      const command = shell("ls /proc/$$/fd; [ $SUPERTICK_RUN = 2 ] || exec sleep 1000");
      const supervisord = await start(t, ["--log", form, "--overlap", "allow", ...command]);
      await supervisord.tick();
      await supervisord.waitForLog(form === "json" ? /"message":"2"/ : /job\[1\]: 2\n/);
      await supervisord.tick(); // the first run is still going
      await supervisord.waitForLog(/run 2 finished: exit 0/);
      // What this test was started with goes on to everybody, but Bun passes nothing on.
      const inherited = () => execFileSync("/bin/sh", ["-c", "ls /proc/$$/fd; :"], { encoding: "utf8" });
      const usual = isBun ? ["0", "1", "2"] : inherited().trimEnd().split("\n");
      assert.deepEqual(written(supervisord, form).map(bare), [...usual, ...usual]);
    });

    const many: Array<[title: string, command: string, ending: string, lines: string[]]> = [
      ["over 60 runs with a payload", "/bin/cat", "finished: exit 0", numbers(60)],
      ["over 60 runs that can't be started", "/no/such/command", "failed to start: ENOENT", []],
    ];
    for (const [title, command, ending, lines] of many) {
      it(`with ${form} leave no descriptor and no file behind, ${title}`, async (t) => {
        const directory = fs.mkdtempSync(`${os.tmpdir()}/supertick-output-test-`);
        atEnd(t, () => fs.rmdirSync(directory)); // refuses if something is left in it
        const args = ["--log", form, ...EACH_EVENT, "--", command];
        const supervisord = await start(t, args, { env: { TMPDIR: directory } });
        const descriptors = () => fs.readdirSync(`/proc/${supervisord.pid}/fd`).length;
        let before = 0;
        for (let run = 1; run <= 60; run++) {
          await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", String(run - 1)));
          await supervisord.waitForLog(new RegExp(`run ${run} ${ending}`));
          if (run === 10) before = descriptors();
        }
        await supervisord.until(() => descriptors() <= before, "the descriptors to be closed");
        assert.deepEqual(written(supervisord, form).map(bare), lines);
      });
    }
  }

  const leftovers = rowsOf(`
    is removed    | mkdir $D/supertick-pipe-1; mkfifo $D/supertick-pipe-1/1 $D/supertick-pipe-1/2
    is removed    | mkdir $D/supertick-pipe-1; echo x >$D/supertick-pipe-1/input
    is removed    | mkdir $D/supertick-pipe-1
    is left alone | mkdir -p $D/supertick-pipe-1/1/mine
    is left alone | mkdir $D/supertick-pipe-1; echo x >$D/supertick-pipe-1/other
    is left alone | mkdir $D/other; ln -s other $D/supertick-pipe-1
    is left alone | mkdir $D/supertick-pipe-1; exec touch $D/supertick-pipe-1 # in use
    is left alone | mkdir $D/supertick-pipe-1; chown 65534 $D/supertick-pipe-1`);
  for (const [fate, left] of leftovers) {
    const skip = left.includes("chown") && process.getuid?.() !== 0;
    it(`what a killed listener seems to have left ${fate}: ${left}`, { skip }, async (t) => {
      const directory = temporaryDirectory(t);
      make(`${left}; touch -h -d "2 minutes ago" $D/supertick-pipe-1`, `${directory}/`);
      const supervisord = await start(t, [...EACH_EVENT, "--", "/bin/cat"], { env: { TMPDIR: directory } });
      for (const run of [1, 2]) {
        await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", "payload"));
        await supervisord.waitForLog(new RegExp(`run ${run} finished: exit 0`));
      }
      const names = fs.readdirSync(directory).filter((name) => name.startsWith("supertick-pipe-"));
      assert.deepEqual(names, fate === "is removed" ? [] : ["supertick-pipe-1"]);
    });
  }

  it("are done without where no descriptor is left, which fails the run and not the listener", PRLIMIT, async (t) => {
    for (const form of ["raw", ...FORMS]) {
      const supervisord = await start(t, ["--log", form, ...EACH_EVENT, "--on-failure", "true", "--", "/bin/cat"]);
      const runWith = async (run: number, limit: number | string) => {
        execFileSync("prlimit", ["--pid", String(supervisord.pid), `--nofile=${limit}:`]);
        await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", "payload"));
        await supervisord.waitForLog(new RegExp(`run ${run} (failed to start: EMFILE|finished: exit 0)`));
      };
      await runWith(1, 1024);
      const open = fs.readdirSync(`/proc/${supervisord.pid}/fd`).map(Number);
      const free = Array.from({ length: 100 }, (_, fd) => fd).filter((fd) => !open.includes(fd));
      for (let run = 2; run <= 12; run++) await runWith(run, free[run - 2]);
      await runWith(13, 1024);
      assert.match(supervisord.stderr, /run 2 failed to start[\s\S]*run 13 finished/);
      const left = fs.readdirSync(supervisord.directory).filter((name) => name.startsWith("supertick-pipe"));
      assert.deepEqual(left, []);
    }
  });

  it("with prefix are one, which keeps the order of what is written to both", IN_ORDER, async (t) => {
    const command = shell("i=0; while [ $i -lt 3000 ]; do echo $i; echo $((i+1)) >&2; i=$((i+2)); done");
    const supervisord = await start(t, ["--log", "prefix", ...command]);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 finished/);
    assert.deepEqual(written(supervisord, "prefix"), numbers(3000));
  });

  for (const form of ["raw", "prefix"]) {
    it(`with ${form} and --on bring it the payload, also by the name of its stdin, and whole`, async (t) => {
      const command = shell("head -n 1 /dev/stdin; cat /dev/stdin | wc -c");
      const supervisord = await start(t, ["--log", form, ...EACH_EVENT, ...command]);
      const payload = `processname:web\n${"\u00e4".repeat(400_000)}`;
      await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", payload));
      await supervisord.waitForLog(/run 1 finished/);
      assert.match(supervisord.stderr, /^(.*: )?processname:web$/m);
      assert.match(supervisord.stderr, new RegExp(`^(.*: )?${Buffer.byteLength(payload)}$`, "m"));
    });
  }
});

describe("what is passed on of a command's output so far", () => {
  const CHUNK = 65_536; // what Node reads at a time

  it("is whole lines or, of long ones, pieces of whole characters", () => {
    const units = ["a", "\n", "\u00e4", "\u20ac", "\u{1f600}", "x".repeat(40_000)];
    const text = fc.string({ unit: fc.constantFrom(...units), maxLength: 30 });
    fc.assert(
      fc.property(text, fc.array(fc.nat(CHUNK), { maxLength: 20 }), (text, lengths) => {
        let [input, rest] = [Buffer.from(text), Buffer.alloc(0)];
        for (const length of lengths) {
          rest = Buffer.concat([rest, input.subarray(0, length)]);
          input = input.subarray(length);
          const piece = rest.subarray(0, readyLength(rest));
          rest = rest.subarray(piece.length);
          const isPartial = piece.length > 0 && !piece.toString().endsWith("\n");
          assert.ok(rest.length < CHUNK && !rest.includes("\n"));
          assert.ok(Buffer.from(piece.toString()).equals(piece), "a character was cut in two");
          assert.ok(!isPartial || (piece.length > CHUNK - 4 && !piece.includes("\n")));
        }
      }),
    );
  });

  it("is nearly all of what is not UTF-8 too", () => {
    assert.equal(readyLength(Buffer.alloc(70_000, 0x80)), 69_999);
  });
});

describe("a run in /proc", { skip: !fs.existsSync("/proc/self/environ") && "needs /proc" }, () => {
  const [id, hookId] = ["0b5e1f0c-9d6f-4a39-a9a5-7f6f3c0f7d11", "5a1c6a52-52d4-4a5b-8e0a-0f5e1a6c2f22"];

  /** Starts the leader of a session, whose child goes on when it is gone. */
  async function lead(t: TestContext, env: Record<string, string>) {
    const child = spawn("/bin/sh", ["-c", "sleep 1000 & wait"], { detached: true, stdio: "ignore", env });
    t.after(() => process.kill(-child.pid!, "SIGKILL"));
    await until("its child", () => spawnSync("pgrep", ["-P", String(child.pid)]).status === 0);
    return child;
  }

  it("is found by its id and attempt, and what is left of its group too; a hook of it is not", async (t) => {
    await lead(t, { SUPERTICK_ID: hookId, SUPERTICK_ATTEMPT: "2", SUPERTICK_HOOK: "on-failure" });
    const child = await lead(t, { SUPERTICK_ID: id, SUPERTICK_ATTEMPT: "2" });
    const leader = findRun(id, 2)!;
    assert.equal(leader.pid, child.pid);
    for (const attempt of [1, 22]) assert.equal(findRun(id, attempt), undefined);
    assert.equal(findRun(hookId, 2), undefined);
    assert.equal(hasGroup(leader, id, 2), false); // its leader is alive
    child.kill("SIGKILL");
    await until("the end of the leader", () => findRun(id, 2) === undefined);
    assert.deepEqual([hasGroup(leader, id, 2), hasGroup(leader, id, 1)], [true, false]);
  });
});
