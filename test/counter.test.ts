// The counter file: what is written can be read again, nothing that is found in its place is trusted or lost, and no
// trouble with it costs a tick. End to end through dist/listener.js; SUPERTICK_RUNTIME chooses what runs it.

import * as assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { describe, it, type TestContext } from "node:test";
import * as fc from "fast-check";
import { formatCounter, type NewCounterContent, parseCounter } from "../listener";
import { LISTENER, RUNTIME, runtimeWith, temporaryDirectory } from "./harness";
import { type Options, Supervisord } from "./supervisord";

const NEVER = ["--ticks", "1000000", "--", "/bin/true"];
const FIVE = ["--ticks", "5", "--", "/bin/true"];

// ── Helpers ────────────────────────────────────────────────────────────────

/** A listener whose counter file is `file`; it is ended with the test. */
async function listen(t: TestContext, file: string, args = NEVER, options: Options = {}): Promise<Supervisord> {
  return Supervisord.during(t, { args: ["--state", file, ...args], ...options });
}

async function tick(supervisord: Supervisord, times = 1): Promise<void> {
  for (let i = 0; i < times; i++) await supervisord.tick();
}

/** The count in the file, which must have the right size and shape. */
function count(file: string): number {
  assert.ok(fs.statSync(file).isFile(), "a FIFO would hang this test");
  const bytes = fs.readFileSync(file);
  assert.equal(bytes.length, 256);
  assert.equal(bytes[255], 10);
  return parseCounter(bytes.toString("latin1")).count;
}

/** All that it has said but for the first line, which tells the schedule. */
function messages(supervisord: Supervisord): string[] {
  return supervisord.stderr.split("\n").filter((line) => line !== "" && !/: every .*; count \d+ in /.test(line));
}

function modeOf(file: string): string {
  return (fs.statSync(file).mode & 0o777).toString(8);
}

const isRoot = process.getuid?.() === 0;
const UNSHARE = isRoot ? ["unshare", "--mount"] : ["unshare", "--mount", "--map-root-user"];
const canMount = spawnSync(UNSHARE[0], [...UNSHARE.slice(1), "mount", "-t", "tmpfs", "none", os.tmpdir()]).status === 0;
const MOUNTS = { skip: canMount ? false : "mounting is not possible here" };

/** The command line of a listener that sees mounts of its own, made by `setup`, a piece of shell. */
function mounted(setup: string, args: string[]): string[] {
  return [...UNSHARE, "sh", "-ec", `${setup}\nexec "$@"`, "sh", ...RUNTIME, LISTENER, ...args];
}

/** A file as the listener sees it. */
function within(supervisord: Supervisord, file: string): string {
  return `/proc/${supervisord.pid}/root${file}`;
}

// Root ignores permissions; without these two capabilities it does not.
const CAPABILITIES = "-dac_override,-dac_read_search";
const DROP = ["setpriv", "--bounding-set", CAPABILITIES, "--inh-caps", CAPABILITIES];
const HUMBLE = isRoot ? DROP : [];
const canBeHumble = !isRoot || spawnSync(DROP[0], [...DROP.slice(1), "true"]).status === 0;
const PERMISSIONS = { skip: canBeHumble ? false : "root's permissions cannot be dropped here" };

/** The command line of a listener that permissions bind. */
function humble(args: string[]): string[] {
  return [...HUMBLE, ...RUNTIME, LISTENER, ...args];
}

// ── Text ───────────────────────────────────────────────────────────────────

describe("the text of the counter file", () => {
  const whole = fc.nat(999_999_999_999);
  const identity = fc.record({ pid: fc.integer({ min: 1, max: 4194304 }), start: whole }, { noNullPrototype: true });
  const clock = fc.record(
    {
      whenSeconds: whole,
      serial: fc.nat(Number.MAX_SAFE_INTEGER),
      decidedSeconds: whole,
      fixedDecidedSeconds: whole,
      isRestored: fc.constant(true),
    },
    { noNullPrototype: true },
  );
  const content: fc.Arbitrary<NewCounterContent> = fc.record(
    {
      count: fc.nat(2 ** 31),
      clock: fc.option(clock, { nil: undefined }),
      supervisor: identity,
      listener: identity,
      periodSeconds: fc.constantFrom(0, 5, 60, 3600),
    },
    { noNullPrototype: true },
  );

  it("is read as it was written, padded or not, and has room in 256 bytes", () => {
    fc.assert(
      fc.property(content, (content) => {
        const text = formatCounter(content);
        const isKnown = content.clock !== undefined && content.periodSeconds > 0;
        const expected = { ...content, periodSeconds: isKnown ? content.periodSeconds : undefined };
        assert.ok(text.length < 256, `${text.length} bytes`);
        assert.deepEqual(parseCounter(text), expected);
        assert.deepEqual(parseCounter(`${text.padEnd(255)}\n`), expected);
        assert.equal(text.split("\n")[0], String(content.count), "line 1 is the count alone");
      }),
    );
  });

  it("may be anything: it is read or refused, and what is read is safe to count with", () => {
    const anything = fc.oneof(
      fc.string(),
      fc.string({ unit: "binary" }),
      fc
        .tuple(content.map(formatCounter), fc.nat(300), fc.string())
        .map(([text, at, junk]) => text.slice(0, at) + junk + text.slice(at + 1)),
    );
    fc.assert(
      fc.property(anything, (text) => {
        let read: ReturnType<typeof parseCounter>;
        try {
          read = parseCounter(text);
        } catch (error) {
          assert.match((error as Error).message, /^a count on its first line$/);
          return;
        }
        const { clock, supervisor, listener } = read;
        const numbers = [
          read.count,
          clock?.whenSeconds,
          clock?.serial,
          clock?.decidedSeconds,
          supervisor?.pid,
          listener?.start,
        ];
        for (const n of numbers) assert.ok(n === undefined || (Number.isInteger(n) && n >= 0 && n <= 1e16));
      }),
      { numRuns: 1000 },
    );
  });

  const legal: Array<[text: string, count: number]> = [
    ["3", 3],
    ["3\n", 3],
    ["0\n", 0],
    ["3\r\n", 3],
    [" 3 \n", 3],
    ["999999999999999\n", 999999999999999],
    ["3\nanything\n", 3],
  ];
  it("has the period of one of supervisord's ticks, or none", () => {
    assert.equal(parseCounter("3\nwhen=60 serial=1 period=60").periodSeconds, 60);
    for (const period of ["0", "61", "99999999999999", "-5", "x"])
      assert.equal(parseCounter(`3\nwhen=60 serial=1 period=${period}`).periodSeconds, undefined);
  });

  for (const [text, count] of legal) {
    it(`${JSON.stringify(text)} is a count of ${count}`, () => {
      const { count: read, ...rest } = parseCounter(text);
      assert.equal(read, count);
      assert.deepEqual(
        Object.values(rest).filter((value) => value !== undefined),
        [],
      );
    });
  }
});

// ── What is found ──────────────────────────────────────────────────────────

describe("a file that is found", { concurrency: 4 }, () => {
  const taken: Array<[title: string, content: string, count: number]> = [
    ["of the script that it replaces", "3\n", 3],
    ["without a newline", "3", 3],
    ["with a carriage return", "3\r\n", 3],
    ["that is longer than a count should be", `3\n${"x".repeat(5000)}\n`, 3],
  ];
  for (const [title, content, found] of taken) {
    it(`${title} is taken over, and has 256 bytes from then on`, async (t) => {
      const file = `${temporaryDirectory(t)}/state`;
      fs.writeFileSync(file, content);
      const supervisord = await listen(t, file);
      await supervisord.waitForLog(new RegExp(`; count ${found} in `));
      await tick(supervisord);
      assert.equal(count(file), found + 1);
      assert.deepEqual(messages(supervisord), []);
    });
  }

  it("of the script runs the job at the tick at which the script would have", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    fs.writeFileSync(file, "3\n");
    const supervisord = await listen(t, file, [], {
      args: ["--", "/bin/true"],
      env: { TICK_GOAL: "5", TICK_STATE: file },
    });
    await tick(supervisord);
    assert.equal(count(file), 4);
    await tick(supervisord);
    await supervisord.waitForLog(/run 1 finished: exit 0/);
    assert.equal(count(file), 0);
  });

  it("empty starts at 0, with one line in the log", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    fs.writeFileSync(file, "");
    const supervisord = await listen(t, file);
    await tick(supervisord);
    assert.equal(count(file), 1);
    assert.deepEqual(messages(supervisord), [`supertick: job: ${file} is empty; counting from 0`]);
    assert.ok(!fs.existsSync(`${file}.bad`));
  });

  const garbage: Array<[title: string, content: string | Buffer, quoted: string]> = [
    ["a word", "Garbage\n", '"Garbage\\n"'],
    ["only a newline", "\n", '"\\n"'],
    ["08", "08\n", '"08\\n"'],
    ["-1", "-1\n", '"-1\\n"'],
    ["+1", "+1\n", '"+1\\n"'],
    ["1.5", "1.5\n", '"1.5\\n"'],
    ["0x10", "0x10\n", '"0x10\\n"'],
    ["10^30", `1${"0".repeat(30)}\n`, `"1${"0".repeat(30)}\\n"`],
    ["two numbers", "3 4\n", '"3 4\\n"'],
    ["what a shell would run", "a[$(touch x)]\n", '"a[$(touch x)]\\n"'],
    ["escape sequences", "\u001b[31m\u0007\u202e\n", '"\\u001b[31m\\u0007\\u202e\\n"'],
    ["binary", Buffer.from([0, 1, 2, 255, 254, 10]), "\\u0000\\u0001\\u0002"],
    ["full-width digits", "３\n", '"３\\n"'],
    ["10 MB without a line", Buffer.alloc(10_000_000, "z"), `"${"z".repeat(80)}…"`],
  ];
  for (const [title, content, quoted] of garbage) {
    it(`that holds ${title} is kept, told once, and nothing runs for it`, async (t) => {
      const file = `${temporaryDirectory(t)}/state`;
      fs.writeFileSync(file, content);
      const supervisord = await listen(t, file, FIVE);
      await tick(supervisord, 4);
      assert.equal(count(file), 4);
      const [told, ...more] = messages(supervisord);
      assert.ok(told.startsWith(`supertick: job: ${file}: `) && told.includes(quoted), told);
      assert.ok(told.includes(`${file}.bad`) && told.length < 600, told);
      assert.deepEqual(more, []);
      assert.ok(fs.readFileSync(`${file}.bad`).equals(Buffer.from(content)), "the bad file is as it was");
      assert.deepEqual(fs.readdirSync(path.dirname(file)).sort(), ["state", "state.bad", "state.runs"]);
      assert.ok(!fs.existsSync(`${supervisord.directory}/x`));
      await tick(supervisord);
      await supervisord.waitForLog(/run 1 finished/);
    });
  }

  it("as an empty directory is put aside", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    fs.mkdirSync(file);
    const supervisord = await listen(t, file);
    await tick(supervisord, 2);
    assert.equal(count(file), 2);
    assert.equal(messages(supervisord).length, 1, supervisord.stderr);
    assert.ok(fs.statSync(`${file}.bad`).isDirectory());
  });

  it("as a directory that holds something is left alone, and the count is kept in memory", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    fs.mkdirSync(file);
    fs.writeFileSync(`${file}/mine`, "");
    const supervisord = await listen(t, file, FIVE);
    await tick(supervisord, 5);
    await supervisord.waitForLog(/run 1 finished/);
    const told = messages(supervisord).filter((line) => line.includes(`${file}: `));
    assert.equal(told.length, 1, supervisord.stderr);
    assert.match(told[0], /in memory/);
    assert.ok(fs.existsSync(`${file}/mine`));
  });

  const devices: Array<[title: string, make: string[], skip: string | false]> = [
    ["a FIFO", ["mkfifo"], false],
    ["a device, such as /dev/null", ["sh", "-c", 'mknod "$0" c 1 3'], isRoot ? false : "only root can make one"],
  ];
  for (const [title, [command, ...args], skip] of devices) {
    it(`as ${title} does not hang it and stays what it is; the count is kept in memory`, { skip }, async (t) => {
      const file = `${temporaryDirectory(t)}/state`;
      execFileSync(command, [...args, file]);
      const before = fs.statSync(file);
      const supervisord = await listen(t, file, FIVE);
      await tick(supervisord, 5);
      await supervisord.waitForLog(/run 1 finished/);
      const [told] = messages(supervisord);
      assert.match(told, /in memory/);
      assert.deepEqual([fs.statSync(file).mode, fs.statSync(file).rdev], [before.mode, before.rdev]);
    });
  }

  it("as a FIFO in a read-only directory does not hang it either", MOUNTS, async (t) => {
    const directory = temporaryDirectory(t);
    execFileSync("mkfifo", [`${directory}/state`]);
    const setup = `mount --bind ${directory} ${directory}\nmount -o remount,bind,ro ${directory}`;
    const supervisord = await listen(t, "", [], {
      command: mounted(setup, ["--state", `${directory}/state`, ...FIVE]),
    });
    await tick(supervisord, 5);
    await supervisord.waitForLog(/run 1 finished/);
  });

  // How many descriptors a start takes depends on the runtime: from too few for it to enough for us.
  it("stays where no descriptor is left to read it with", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    fs.writeFileSync(file, "7\n");
    let log = "";
    for (let limit = 12; limit < 64 && !/count 7/.test(log); limit++) {
      const command = [
        "sh",
        "-c",
        `ulimit -n ${limit}; exec "$@"`,
        "sh",
        ...RUNTIME,
        LISTENER,
        "--state",
        file,
        ...NEVER,
      ];
      // The warning takes the log's descriptor before the file is read.
      const supervisord = await listen(t, "", [], { command, env: { TICK_UNKNOWN: "1" } });
      await supervisord.until(() => !supervisord.isRunning || /count \d/.test(supervisord.stderr), "its first line");
      if (supervisord.isRunning) await supervisord.stop();
      log += supervisord.stderr;
      assert.match(fs.readFileSync(file, "utf8"), /^7\n/);
      assert.ok(!fs.existsSync(`${file}.bad`));
    }
    assert.match(log, /count 7/);
    if (process.env.SUPERTICK_RUNTIME === undefined)
      assert.match(log, /cannot be read \(EMFILE\); it is left as it is/);
  });

  it("as a symbolic link is followed, and the link stays", async (t) => {
    const directory = temporaryDirectory(t);
    fs.writeFileSync(`${directory}/target`, "7\n");
    fs.symlinkSync("target", `${directory}/state`);
    const supervisord = await listen(t, `${directory}/state`);
    await tick(supervisord);
    assert.equal(count(`${directory}/target`), 8);
    assert.ok(fs.lstatSync(`${directory}/state`).isSymbolicLink());
  });

  it("as a symbolic link to a file that is yet to be made is followed too", async (t) => {
    const directory = temporaryDirectory(t);
    fs.mkdirSync(`${directory}/volume`);
    fs.symlinkSync("volume/target", `${directory}/state`);
    const supervisord = await listen(t, `${directory}/state`);
    await tick(supervisord);
    assert.equal(count(`${directory}/volume/target`), 1);
    assert.ok(fs.lstatSync(`${directory}/state`).isSymbolicLink());
  });

  it("unreadable is put aside, told with the reason", PERMISSIONS, async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    fs.writeFileSync(file, "3\n", { mode: 0o000 });
    const supervisord = await listen(t, "", [], { command: humble(["--state", file, ...NEVER]) });
    await tick(supervisord);
    assert.equal(count(file), 1);
    await supervisord.waitForLog(/state\.bad/);
    const [told, ...more] = messages(supervisord);
    assert.match(told, /EACCES.*state\.bad/);
    assert.deepEqual(more, []);
    assert.equal(fs.readFileSync(`${file}.bad`, "latin1"), "3\n");
  });
});

// ── What cannot be written ─────────────────────────────────────────────────

describe("a file that cannot be written costs a warning, and not a tick", { concurrency: 4 }, () => {
  /** One warning about the counter file, which names it and the reason. */
  function assertWarnedOnce(supervisord: Supervisord, file: string, code: string): void {
    const told = messages(supervisord).filter((line) => line.includes(`cannot write ${file}: `));
    assert.deepEqual(told, [`supertick: job: cannot write ${file}: ${code}; counting in memory until it can`]);
  }

  it("missing, in a read-only directory", MOUNTS, async (t) => {
    const directory = temporaryDirectory(t);
    const file = `${directory}/state`;
    const setup = `mount --bind ${directory} ${directory}\nmount -o remount,bind,ro ${directory}`;
    const supervisord = await listen(t, "", [], { command: mounted(setup, ["--state", file, ...FIVE]) });
    await tick(supervisord, 5);
    await supervisord.waitForLog(/run 1 finished: exit 0/);
    assertWarnedOnce(supervisord, file, "EROFS");
    assert.deepEqual(fs.readdirSync(directory), []);
  });

  it("there, in a read-only directory: its count is taken over", MOUNTS, async (t) => {
    const directory = temporaryDirectory(t);
    const file = `${directory}/state`;
    fs.writeFileSync(file, "3\n");
    const setup = `mount --bind ${directory} ${directory}\nmount -o remount,bind,ro ${directory}`;
    const supervisord = await listen(t, "", [], { command: mounted(setup, ["--state", file, ...FIVE]) });
    await tick(supervisord, 2);
    await supervisord.waitForLog(/run 1 finished: exit 0/);
    assertWarnedOnce(supervisord, file, "EROFS");
    assert.equal(fs.readFileSync(file, "latin1"), "3\n");
  });

  it("missing, in a directory without permission, until that is given", PERMISSIONS, async (t) => {
    const directory = temporaryDirectory(t);
    const file = `${directory}/state`;
    fs.chmodSync(directory, 0o500);
    const supervisord = await listen(t, "", [], { command: humble(["--state", file, ...NEVER]) });
    await tick(supervisord, 3);
    assertWarnedOnce(supervisord, file, "EACCES");
    fs.chmodSync(directory, 0o700);
    await tick(supervisord);
    assert.equal(count(file), 4);
    assertWarnedOnce(supervisord, file, "EACCES");
  });

  it("there, without permission, until that is given", PERMISSIONS, async (t) => {
    const directory = temporaryDirectory(t);
    const file = `${directory}/state`;
    fs.writeFileSync(file, "3\n", { mode: 0o400 });
    fs.chmodSync(directory, 0o500);
    const supervisord = await listen(t, "", [], { command: humble(["--state", file, ...NEVER]) });
    await tick(supervisord, 2);
    assertWarnedOnce(supervisord, file, "EACCES");
    fs.chmodSync(file, 0o600);
    await tick(supervisord);
    assert.equal(count(file), 6);
  });

  it("in a directory that is not there, until it is made", async (t) => {
    const directory = `${temporaryDirectory(t)}/later`;
    const supervisord = await listen(t, `${directory}/state`);
    await tick(supervisord, 2);
    assertWarnedOnce(supervisord, `${directory}/state`, "ENOENT");
    fs.mkdirSync(directory);
    await tick(supervisord);
    assert.equal(count(`${directory}/state`), 3);
  });

  it("a new trouble of the same kind is told again", async (t) => {
    const directory = `${temporaryDirectory(t)}/later`;
    const supervisord = await listen(t, `${directory}/state`);
    const warnings = () => messages(supervisord).filter((line) => line.includes(`cannot write ${directory}/state: `));
    await tick(supervisord);
    fs.mkdirSync(directory);
    await tick(supervisord);
    assert.equal(warnings().length, 1);
    fs.rmSync(directory, { recursive: true });
    await tick(supervisord, 2);
    assert.equal(warnings().length, 2, supervisord.stderr);
  });

  /** Writes until the disk is full. */
  function fill(file: string): void {
    const fd = fs.openSync(file, "a");
    try {
      for (;;) fs.writeSync(fd, Buffer.alloc(4096));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
    } finally {
      fs.closeSync(fd);
    }
  }

  it("missing, on a full disk, until there is room", MOUNTS, async (t) => {
    const directory = temporaryDirectory(t);
    const file = `${directory}/state`;
    const setup = `mount -t tmpfs -o size=16k none ${directory}\nhead -c 16384 /dev/zero >${directory}/fill`;
    const supervisord = await listen(t, "", [], { command: mounted(setup, ["--state", file, ...FIVE]) });
    await tick(supervisord, 5);
    await supervisord.waitForLog(/run 1 finished: exit 0/);
    await tick(supervisord, 2);
    assertWarnedOnce(supervisord, file, "ENOSPC");
    fs.unlinkSync(within(supervisord, `${directory}/fill`));
    await tick(supervisord);
    assert.equal(count(within(supervisord, file)), 3);
    await tick(supervisord, 2);
    await supervisord.waitForLog(/run 2 finished: exit 0/);
    assertWarnedOnce(supervisord, file, "ENOSPC");
  });

  it("there, when the disk gets full: it has its block, so it is written on", MOUNTS, async (t) => {
    const directory = temporaryDirectory(t);
    const file = `${directory}/state`;
    const setup = `mount -t tmpfs -o size=32k none ${directory}`;
    const supervisord = await listen(t, "", [], { command: mounted(setup, ["--state", file, ...NEVER]) });
    await tick(supervisord, 2);
    fill(within(supervisord, `${directory}/fill`));
    await tick(supervisord, 3);
    assert.equal(count(within(supervisord, file)), 5);
    assert.deepEqual(messages(supervisord), []);
  });

  it("deleted on a full disk: made anew when there is room", MOUNTS, async (t) => {
    const directory = temporaryDirectory(t);
    const file = `${directory}/state`;
    const setup = `mount -t tmpfs -o size=32k none ${directory}`;
    const supervisord = await listen(t, "", [], { command: mounted(setup, ["--state", file, ...NEVER]) });
    await tick(supervisord, 2);
    fs.renameSync(within(supervisord, file), within(supervisord, `${file}.moved`));
    fill(within(supervisord, `${directory}/fill`));
    await tick(supervisord, 3);
    assertWarnedOnce(supervisord, file, "ENOSPC");
    fs.unlinkSync(within(supervisord, `${directory}/fill`));
    await tick(supervisord);
    assert.equal(count(within(supervisord, file)), 6);
  });
});

// ── Under its feet ─────────────────────────────────────────────────────────

describe("a file that is taken away is made anew at the next tick", { concurrency: 4 }, () => {
  const ways: Array<[title: string, take: (file: string) => void]> = [
    ["deleted", (file) => fs.unlinkSync(file)],
    ["renamed", (file) => fs.renameSync(file, `${file}.moved`)],
    [
      "replaced by another one",
      (file) => {
        fs.writeFileSync(`${file}.other`, "99\n");
        fs.renameSync(`${file}.other`, file);
      },
    ],
    [
      "replaced by a link to nowhere",
      (file) => {
        fs.unlinkSync(file);
        fs.symlinkSync("/nonexistent/file", file);
      },
    ],
  ];
  for (const [title, take] of ways) {
    it(title, async (t) => {
      const file = `${temporaryDirectory(t)}/state`;
      const supervisord = await listen(t, file);
      await tick(supervisord, 2);
      take(file);
      await tick(supervisord);
      if (!title.includes("nowhere")) assert.equal(count(file), 3);
      await tick(supervisord);
      if (!title.includes("nowhere")) assert.equal(count(file), 4);
      await supervisord.restartListener();
      await tick(supervisord);
      assert.equal(supervisord.isRunning, true);
    });
  }

  it("truncated, as the script did it to start again: it is whole again, and the count goes on", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const supervisord = await listen(t, file);
    await tick(supervisord, 2);
    fs.truncateSync(file);
    await tick(supervisord);
    assert.equal(count(file), 3);
  });

  it("its whole directory renamed, and made again", async (t) => {
    const parent = temporaryDirectory(t);
    fs.mkdirSync(`${parent}/sub`);
    const supervisord = await listen(t, `${parent}/sub/state`);
    await tick(supervisord, 2);
    fs.renameSync(`${parent}/sub`, `${parent}/moved`);
    fs.mkdirSync(`${parent}/sub`);
    await tick(supervisord);
    assert.equal(count(`${parent}/sub/state`), 3);
  });

  it("its whole directory deleted, and made again", async (t) => {
    const directory = `${temporaryDirectory(t)}/sub`;
    fs.mkdirSync(directory);
    const supervisord = await listen(t, `${directory}/state`);
    await tick(supervisord, 2);
    fs.rmSync(directory, { recursive: true });
    fs.mkdirSync(directory);
    await tick(supervisord);
    assert.equal(count(`${directory}/state`), 3);
  });
});

describe("a single file that is mounted, so that no rename is possible", { concurrency: 4 }, () => {
  const cases: Array<[title: string, content: string, count: number, bad: string | undefined]> = [
    ["is overwritten in place", "3\n", 4, undefined],
    ["is started in place when it is empty", "", 1, undefined],
    ["is copied aside when it is bad", "Garbage\n", 1, "Garbage\n"],
  ];
  for (const [title, content, expected, bad] of cases) {
    it(title, MOUNTS, async (t) => {
      const directory = temporaryDirectory(t);
      const [outside, file] = [`${directory}/outside`, `${directory}/state`];
      fs.writeFileSync(outside, content);
      fs.writeFileSync(file, "");
      const setup = `mount --bind ${outside} ${file}`;
      const supervisord = await listen(t, "", [], { command: mounted(setup, ["--state", file, ...NEVER]) });
      await tick(supervisord);
      assert.equal(count(outside), expected);
      assert.equal(fs.readFileSync(file, "latin1"), "", "the place of the mount is as it was");
      if (bad === undefined) assert.ok(!fs.existsSync(`${file}.bad`));
      else assert.equal(fs.readFileSync(`${file}.bad`, "latin1"), bad);
      await tick(supervisord);
      assert.equal(count(outside), expected + 1);
    });
  }
});

// ── Where it is ────────────────────────────────────────────────────────────

const COMMON = "/var/lib/supertick";
const hasCommon = fs.existsSync(COMMON);
const DEFAULT_PLACE = { skip: hasCommon ? `${COMMON} exists here` : false };

describe("without --state", { concurrency: 4 }, () => {
  const uid = process.getuid?.();

  /** A listener that is told no place; the job is called `job`. */
  function placed(t: TestContext, temporary: string, setup?: string, args = FIVE): Promise<Supervisord> {
    const command = setup === undefined ? [...RUNTIME, LISTENER, ...args] : mounted(setup, args);
    return listen(t, "", [], { command, env: { TMPDIR: temporary } });
  }

  it(`the file is in ${COMMON} if that is writable`, MOUNTS, async (t) => {
    const temporary = temporaryDirectory(t);
    const setup = `mount -t tmpfs none /var/lib\nmkdir ${COMMON}`;
    const supervisord = await placed(t, temporary, setup);
    await tick(supervisord);
    assert.equal(count(within(supervisord, `${COMMON}/job`)), 1);
    assert.deepEqual(fs.readdirSync(temporary), []);
  });

  it(`else in a directory of our own in TMPDIR, as when ${COMMON} is read-only`, MOUNTS, async (t) => {
    const temporary = temporaryDirectory(t);
    const setup = `mount -t tmpfs none /var/lib\nmkdir ${COMMON}\nmount -o remount,ro /var/lib`;
    const supervisord = await placed(t, temporary, setup);
    await tick(supervisord);
    assert.equal(count(`${temporary}/supertick-${isRoot ? uid : 0}/job`), 1);
  });

  it("which is made for us alone, as are the files in it", DEFAULT_PLACE, async (t) => {
    const temporary = temporaryDirectory(t);
    const supervisord = await placed(t, temporary);
    await tick(supervisord);
    const directory = `${temporary}/supertick-${uid}`;
    assert.equal(count(`${directory}/job`), 1);
    assert.deepEqual([directory, `${directory}/job`, `${directory}/job.runs`].map(modeOf), ["700", "600", "600"]);
    await supervisord.restartListener();
    await tick(supervisord);
    assert.equal(count(`${directory}/job`), 2);
  });

  it("a job's name cannot lead out of it", DEFAULT_PLACE, async (t) => {
    const temporary = temporaryDirectory(t);
    const supervisord = await placed(t, temporary, undefined, ["--name", "a b%$ü", ...FIVE]);
    await tick(supervisord);
    const names = fs.readdirSync(`${temporary}/supertick-${uid}`);
    assert.deepEqual(names.map(decodeURIComponent).sort(), ["a b%$ü", "a b%$ü.runs"]);
  });

  it("a job's name cannot be that of another job's files", DEFAULT_PLACE, async (t) => {
    const temporary = temporaryDirectory(t);
    for (const name of ["job", "job.runs", "job.runs.1", "job.bad", "job.1.new"]) {
      const supervisord = await placed(t, temporary, undefined, ["--name", name, ...FIVE]);
      await tick(supervisord, 5);
      await supervisord.waitForLog(/run 1 finished: exit 0/);
      await supervisord.stop();
      assert.doesNotMatch(supervisord.stderr, /cannot|expected a count/);
    }
    const directory = `${temporary}/supertick-${uid}`;
    assert.equal(count(`${directory}/job`), 0);
    const jobs = fs.readdirSync(directory).filter((name) => fs.existsSync(`${directory}/${name}.runs`));
    const names = jobs.map(decodeURIComponent);
    assert.deepEqual(names.sort(), ["job", "job.1.new", "job.bad", "job.runs", "job.runs.1"]);
  });

  const foreign: Array<[title: string, make: (directory: string) => void, skip: string | false]> = [
    [
      "belongs to another user",
      (directory) => {
        fs.mkdirSync(directory, { mode: 0o700 });
        fs.chownSync(directory, 65534, 65534);
      },
      isRoot ? false : "only root can give a directory away",
    ],
    [
      "others may write to",
      (directory) => {
        fs.mkdirSync(directory);
        fs.chmodSync(directory, 0o777);
      },
      false,
    ],
    ["is a link to another one", (directory) => fs.symlinkSync("/tmp", directory), false],
    ["is a file", (directory) => fs.writeFileSync(directory, ""), false],
  ];
  for (const [title, make, skip] of foreign) {
    it(`a directory of that name that ${title} is refused, and counted in memory`, {
      skip: skip || DEFAULT_PLACE.skip,
    }, async (t) => {
      const temporary = temporaryDirectory(t);
      const directory = `${temporary}/supertick-${uid}`;
      make(directory);
      const supervisord = await placed(t, temporary);
      await tick(supervisord, 5);
      await supervisord.waitForLog(/run 1 finished: exit 0/);
      const told = messages(supervisord).filter((line) => line.includes(directory));
      assert.equal(told.length, 1, supervisord.stderr);
      assert.match(told[0], /in memory/);
      assert.ok(!fs.existsSync(`${directory}/job`));
    });
  }

  it("and without any place at all it counts in memory", DEFAULT_PLACE, async (t) => {
    const supervisord = await placed(t, `${temporaryDirectory(t)}/none`);
    await tick(supervisord, 5);
    await supervisord.waitForLog(/run 1 finished: exit 0/);
    assert.match(supervisord.stderr, /in memory/);
  });
});

it("both files are for their owner alone, whatever the umask", async (t) => {
  const file = `${temporaryDirectory(t)}/state`;
  const command = ["sh", "-c", 'umask 0; exec "$@"', "sh", ...RUNTIME, LISTENER, "--state", file, ...NEVER];
  const supervisord = await listen(t, "", [], { command });
  await tick(supervisord);
  assert.deepEqual([file, `${file}.runs`].map(modeOf), ["600", "600"]);
});

// ── Whose it is ────────────────────────────────────────────────────────────

describe("two live listeners on one file", { concurrency: 2 }, () => {
  it("the second one exits 1 and says whose it is; the first is not disturbed", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const first = await listen(t, file);
    await tick(first, 2);
    const second = await listen(t, file);
    assert.deepEqual(await second.exited, { code: 1, signal: null });
    assert.match(
      second.stderr,
      new RegExp(
        `^supertick: job: ${file} is in use by the listener with pid ${first.pid}: each needs a --name or --state of its own$`,
        "m",
      ),
    );
    await tick(first);
    assert.equal(count(file), 3);
  });

  it("a second one is told also before the first has got a tick", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const first = await listen(t, file);
    await first.waitForLog(/count 0 in/);
    await first.until(() => fs.existsSync(file), "the counter file");
    const second = await listen(t, file);
    assert.deepEqual(await second.exited, { code: 1, signal: null });
  });

  it("one that was killed does not hold the file", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const first = await listen(t, file);
    await tick(first);
    await first.killListener();
    const second = await listen(t, file);
    second.clock = first.clock;
    await tick(second);
    assert.equal(count(file), 2);
  });

  // Each waits, once it knows what is at the place of the file, until the other knows it too.
  const MEETING = `
    const fs = require("fs");
    const { openSync } = fs;
    fs.openSync = (file, ...rest) => {
      if (file !== process.env.MEETING_AT) return openSync(file, ...rest);
      fs.openSync = openSync;
      let opened, failure;
      try { opened = openSync(file, ...rest); } catch (error) { failure = error; }
      fs.writeFileSync(process.env.MEETING + "/" + process.pid, "");
      const cell = new Int32Array(new SharedArrayBuffer(4));
      while (fs.readdirSync(process.env.MEETING).length < 2) Atomics.wait(cell, 0, 0, 1);
      if (failure) throw failure;
      return opened;
    };`;
  for (const [title, content] of [
    ["no file", undefined],
    ["a file of the replaced script", "3\n"],
  ] as const) {
    it(`started in the same moment, both finding ${title}: one gives way`, async (t) => {
      const directory = temporaryDirectory(t);
      const file = `${directory}/state`;
      if (content !== undefined) fs.writeFileSync(file, content);
      fs.mkdirSync(`${directory}/meeting`);
      fs.writeFileSync(`${directory}/meeting.cjs`, MEETING);
      const options: Options = {
        runtime: runtimeWith(`${directory}/meeting.cjs`).join(" "),
        env: { MEETING: `${directory}/meeting`, MEETING_AT: file },
      };
      const both = await Promise.all([listen(t, file, NEVER, options), listen(t, file, NEVER, options)]);
      await Promise.all(
        both.map((supervisord) =>
          supervisord.until(() => !supervisord.isRunning || /; count /.test(supervisord.stderr), "the start"),
        ),
      );
      await Promise.all(
        both.map((supervisord) => supervisord.isRunning && supervisord.tick().catch(() => supervisord.exited)),
      );
      const alive = both.filter((supervisord) => supervisord.isRunning);
      assert.equal(alive.length, 1, `${alive.length} of them count`);
      const [other] = both.filter((supervisord) => !supervisord.isRunning);
      assert.deepEqual(await other.exited, { code: 1, signal: null });
      assert.match(other.stderr, new RegExp(`in use by the listener with pid ${alive[0].pid}: `, "m"));
      await tick(alive[0]);
      assert.equal(count(file), (content === undefined ? 0 : 3) + 2);
    });
  }
});
