// The counter file: what is written can be read again, nothing that is found in its place is trusted or lost, and no
// trouble with it costs a tick. End to end through dist/listener.js; SUPERTICK_RUNTIME chooses what runs it.

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { describe, it, type TestContext } from "node:test";
import * as fc from "fast-check";
import { type CounterContent, formatCounter, parseCounter, SerialSet } from "../listener";
import { fill, MOUNTS, mounted, rowsOf, shell, within } from "./files";
import { HUMBLE, LISTENER, PERMISSIONS, RUNTIME, runtimeWith, temporaryDirectory } from "./harness";
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
  assert.equal(bytes.length, 512);
  assert.equal(bytes[511], 10);
  return parseCounter(bytes.toString("latin1")).count;
}

/** All that it has logged but for the first line, which says the schedule. */
function messages(supervisord: Supervisord): string[] {
  return supervisord.stderr.split("\n").filter((line) => line !== "" && !/: every .*; count \d+; state in /.test(line));
}

function modeOf(file: string): string {
  return (fs.statSync(file).mode & 0o777).toString(8);
}

const isRoot = process.getuid?.() === 0;

/** The command line of a listener that permissions bind. */
function humble(args: string[]): string[] {
  return [...HUMBLE, ...RUNTIME, LISTENER, ...args];
}

// ── Text ───────────────────────────────────────────────────────────────────

describe("the text of the counter file", () => {
  const whole = fc.nat(999_999_999_999);
  const identity = fc.record({ pid: fc.integer({ min: 1, max: 4194304 }), start: whole }, { noNullPrototype: true });
  const serials = fc.array(fc.nat(9_999_999_999), { maxLength: 1100 });
  const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
  const content: fc.Arbitrary<CounterContent> = fc.record(
    {
      count: fc.nat(2 ** 31),
      undecided: optional(fc.integer({ min: 1, max: 999 })),
      refused: optional(fc.integer({ min: 1, max: 9999 })),
      tick: optional(fc.record({ whenSeconds: whole, serial: optional(whole) }, { noNullPrototype: true })),
      periodSeconds: fc.constantFrom(undefined, 5, 60, 3600),
      serials: serials.map((all) => setOf(all)),
      poolSerial: optional(fc.nat(9_999_999_999)),
      supervisor: identity,
      listener: identity,
      machine: fc.constantFrom(undefined, "1a2b3c4d:4026531836"),
    },
    { noNullPrototype: true },
  );

  function setOf(serials: readonly number[]): SerialSet {
    const set = new SerialSet();
    for (const serial of serials) if (!set.has(serial)) set.add(serial);
    return set;
  }

  it("is read as it was written, padded or not, and has room in 512 bytes", () => {
    fc.assert(
      fc.property(content, (content) => {
        const text = formatCounter(content);
        const { serials: _, decided01, ...read } = parseCounter(text);
        const { serials: __, ...expected } = content;
        assert.ok(text.length < 512, `${text.length} bytes`);
        assert.deepEqual([read, decided01], [expected, undefined]);
        assert.deepEqual(parseCounter(`${text.padEnd(511)}\n`), parseCounter(text));
        assert.equal(text.split("\n")[0], String(content.count), "line 1 is the count alone");
      }),
    );
  });

  it("keeps the highest serials; what is older than those is taken for counted", () => {
    fc.assert(
      fc.property(serials, fc.nat(9_999_999_999), (all, other) => {
        const set = setOf(all);
        const { serials: read } = parseCounter(formatCounter({ count: 0, serials: set }));
        for (const serial of all) assert.ok(set.has(serial) && read.has(serial), `${serial} is forgotten`);
        const tenth = [...new Set(all)].sort((a, b) => b - a)[9] ?? -1;
        if (other > tenth && !all.includes(other))
          assert.ok(!set.has(other) && !read.has(other), `${other} is invented`);
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
          assert.match((error as Error).message, /^a count, got /);
          return;
        }
        const numbers = JSON.stringify({ ...read, serials: 0, machine: 0 }).match(/-?[\d.]+(e[+-]?\d+)?/g) ?? [];
        for (const number of numbers) assert.match(number, /^\d{1,16}$/);
      }),
      { numRuns: 1000 },
    );
  });

  it("has the period of one of supervisord's ticks, or none", () => {
    assert.equal(parseCounter("3\nwhen=60 serial=1 period=60").periodSeconds, 60);
    for (const period of ["0", "61", "99999999999999", "-5", "x"])
      assert.equal(parseCounter(`3\nwhen=60 serial=1 period=${period}`).periodSeconds, undefined);
  });

  it("may be that of the replaced script: a count alone", () => {
    for (const text of ["3", "3\n", "3\r\n", " 3 \n", "3\nanything\n"]) {
      const { count, serials, ...rest } = parseCounter(text);
      assert.deepEqual([count, serials.has(0)], [3, false]);
      assert.ok(Object.values(rest).every((value) => value === undefined));
    }
    for (const count of [0, 999_999_999_999_999]) assert.equal(parseCounter(`${count}\n`).count, count);
  });

  it("may be that of version 0.1: all serials up to its own were counted, and up to a time all was decided", () => {
    const { serials, tick, decided01 } = parseCounter("3\nwhen=120 serial=7 period=60 decided=120 fixed=60");
    assert.equal([0, 7, 8].map((serial) => serials.has(serial)).join(), "true,true,false");
    assert.deepEqual(tick, { whenSeconds: 120, serial: 7 });
    assert.deepEqual(decided01, { all: 120, fixed: 60 });
  });
});

// ── What is found ──────────────────────────────────────────────────────────

describe("a file that is found", { concurrency: 4 }, () => {
  const taken: Array<[title: string, content: string]> = [
    ["of the script that it replaces", "3\n"],
    ["without a newline", "3"],
    ["with a carriage return", "3\r\n"],
    ["that is longer than a count should be", `3\n${"x".repeat(5000)}\n`],
    ["of version 0.1", `${"3\nwhen=60 serial=1 period=60 supervisor=1:2".padEnd(255)}\n`],
  ];
  for (const [title, content] of taken) {
    it(`${title} is taken over, and has 512 bytes from then on`, async (t) => {
      const file = `${temporaryDirectory(t)}/state`;
      fs.writeFileSync(file, content);
      const supervisord = await listen(t, file);
      await supervisord.waitForLog(/; count 3; /);
      await tick(supervisord);
      assert.equal(count(file), 4);
      assert.deepEqual(messages(supervisord), []);
    });
  }

  it("of the script runs the job at the tick at which the script would have", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    fs.writeFileSync(file, "3\n");
    const env = { TICK_GOAL: "5", TICK_STATE: file };
    const supervisord = await listen(t, file, [], { args: ["--", "/bin/true"], env });
    await tick(supervisord);
    assert.equal(count(file), 4);
    await tick(supervisord);
    await supervisord.waitForLog(/run 1 finished: exit 0/);
    assert.equal(count(file), 0);
  });

  const garbage: Array<[title: string, content: string | Buffer, quoted: string]> = [
    ["a word", "Garbage\n", '"Garbage\\n"'],
    ["only a newline", "\n", '"\\n"'],
    ["08", "08\n", '"08\\n"'],
    ["-1", "-1\n", '"-1\\n"'],
    ["1.5", "1.5\n", '"1.5\\n"'],
    ["10^30", `1${"0".repeat(30)}\n`, `"1${"0".repeat(30)}\\n"`],
    ["two numbers", "3 4\n", '"3 4\\n"'],
    ["what a shell would run", "a[$(touch x)]\n", '"a[$(touch x)]\\n"'],
    ["escape sequences", "\u001b[31m\u0007\u202e\n", '"\\u001b[31m\\u0007\\u202e\\n"'],
    ["binary", Buffer.from([0, 1, 2, 255, 254, 10]), "\\u0000\\u0001\\u0002"],
    ["10 MB without a line", Buffer.alloc(10_000_000, "z"), `"${"z".repeat(80)}…"`],
  ];
  for (const [title, content, quoted] of garbage) {
    it(`that holds ${title} is set aside, logged once, and nothing runs for it`, async (t) => {
      const file = `${temporaryDirectory(t)}/state`;
      fs.writeFileSync(file, content);
      const supervisord = await listen(t, file, FIVE);
      await tick(supervisord, 4);
      assert.equal(count(file), 4);
      const [message, ...more] = messages(supervisord);
      assert.ok(message.startsWith(`supertick: job: ${file}: `) && message.includes(quoted), message);
      assert.ok(message.includes(`${file}.bad`) && message.length < 600, message);
      assert.deepEqual(more, []);
      assert.ok(fs.readFileSync(`${file}.bad`).equals(Buffer.from(content)), "the bad file is as it was");
      assert.deepEqual(fs.readdirSync(path.dirname(file)).sort(), ["state", "state.bad", "state.runs"]);
      assert.ok(!fs.existsSync(`${supervisord.directory}/x`));
      await tick(supervisord);
      await supervisord.waitForLog(/run 1 finished/);
    });
  }

  const places = rowsOf(`
    an empty file                    | : >$F                  | state is empty; counting from 0
    an empty directory               | mkdir $F               | kept as \\S*state.bad, counting from 0
    a directory that holds something | mkdir -p $F/mine       | leaving it as it is, and counting in memory only
    a FIFO                           | mkfifo $F              | leaving it as it is, and counting in memory only
    a device                         | mknod $F c 1 3         | leaving it as it is, and counting in memory only
    an unreadable file               | echo 3 >$F; chmod 0 $F | cannot be read \\(EACCES\\): chown it to uid \\d+, .* counting in memory only`);
  for (const [title, make, log] of places) {
    const skip = title === "a device" ? !isRoot : title === "an unreadable file" ? PERMISSIONS.skip : false;
    it(`as ${title} costs one line in the log, and no tick`, { skip }, async (t) => {
      const file = `${temporaryDirectory(t)}/state`;
      shell(make, file);
      const { mode, rdev } = fs.statSync(file);
      const supervisord = await listen(t, "", [], { command: humble(["--state", file, ...FIVE]) });
      await tick(supervisord, 2);
      if (!log.includes("in memory")) assert.equal(count(file), 2);
      else assert.deepEqual([fs.statSync(file).mode, fs.statSync(file).rdev], [mode, rdev]);
      await tick(supervisord, 3);
      await supervisord.waitForLog(/run 1 finished/);
      const warnings = messages(supervisord).filter((line) => !/run 1 /.test(line));
      assert.match(warnings.join("\n"), new RegExp(`^.*${log}.*$`));
      const place = log.includes("in memory") ? `memory only, runs in ${file}.runs` : file;
      assert.ok(supervisord.stderr.includes(`; state in ${place}\n`), supervisord.stderr);
    });
  }

  // How many descriptors a start takes depends on the runtime: from too few for it to enough for us.
  it("stays where no descriptor is left to read it with", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    fs.writeFileSync(file, "7\n");
    let log = "";
    for (let limit = 12; limit < 64 && !/count 7/.test(log); limit++) {
      const shell = ["sh", "-c", `ulimit -n ${limit}; exec "$@"`, "sh"];
      const command = [...shell, ...RUNTIME, LISTENER, "--state", file, ...NEVER];
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
      assert.match(log, /cannot be read \(EMFILE\); leaving it as it is/);
  });

  it("as a symbolic link is followed, also to a file that is yet to be made, and the link stays", async (t) => {
    for (const content of ["7\n", undefined]) {
      const directory = temporaryDirectory(t);
      fs.mkdirSync(`${directory}/volume`);
      if (content !== undefined) fs.writeFileSync(`${directory}/volume/target`, content);
      fs.symlinkSync("volume/target", `${directory}/state`);
      const supervisord = await listen(t, `${directory}/state`);
      await tick(supervisord);
      assert.equal(count(`${directory}/volume/target`), content === undefined ? 1 : 8);
      assert.ok(fs.lstatSync(`${directory}/state`).isSymbolicLink());
    }
  });

  it("is read once, at the start: what is written into it later is overwritten", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const supervisord = await listen(t, file);
    await tick(supervisord);
    fs.writeFileSync(file, "99\n");
    await tick(supervisord);
    assert.equal(count(file), 2);
  });
});

// ── What cannot be written ─────────────────────────────────────────────────

describe("a file that cannot be written costs a warning, and not a tick", { concurrency: 4 }, () => {
  /** Warnings about the counter file, which name it and the reason. */
  function assertWarned(supervisord: Supervisord, file: string, code: string, times = 1): void {
    const warnings = messages(supervisord).filter((line) => line.includes(`cannot write ${file}: `));
    const text = `supertick: job: cannot write ${file}: ${code}; counting in memory until it can`;
    const withoutWords = warnings.map((line) => line.replace(/: [a-z -]+ \((E\w+)\)/, ": $1"));
    assert.deepEqual(withoutWords, Array(times).fill(text));
  }

  const readOnly = (directory: string) =>
    `mount --bind ${directory} ${directory}\nmount -o remount,bind,ro ${directory}`;
  for (const [title, content, runsAt] of [
    ["missing", undefined, 5],
    ["there, and its count is taken over", "3\n", 2],
  ] as const) {
    it(`${title}, in a read-only directory`, MOUNTS, async (t) => {
      const directory = temporaryDirectory(t);
      const file = `${directory}/state`;
      if (content !== undefined) fs.writeFileSync(file, content);
      const supervisord = await listen(t, "", [], {
        command: mounted(readOnly(directory), ["--state", file, ...FIVE]),
      });
      await tick(supervisord, runsAt);
      await supervisord.waitForLog(/run 1 finished: exit 0/);
      assertWarned(supervisord, file, "EROFS");
      assert.equal(fs.existsSync(file) ? fs.readFileSync(file, "latin1") : undefined, content);
    });
  }

  it("without permission, missing or there, until that is given", PERMISSIONS, async (t) => {
    for (const before of [0, 3]) {
      const directory = temporaryDirectory(t);
      const file = `${directory}/state`;
      if (before > 0) fs.writeFileSync(file, `${before}\n`, { mode: 0o400 });
      fs.chmodSync(directory, 0o500);
      const supervisord = await listen(t, "", [], { command: humble(["--state", file, ...NEVER]) });
      await tick(supervisord, 3);
      assertWarned(supervisord, file, "EACCES");
      fs.chmodSync(before > 0 ? file : directory, 0o700);
      await tick(supervisord);
      assert.equal(count(file), before + 4);
      assertWarned(supervisord, file, "EACCES");
    }
  });

  it("in a directory that is not there, until it is made; and when that is gone again, it warns again", async (t) => {
    const directory = `${temporaryDirectory(t)}/later`;
    const supervisord = await listen(t, `${directory}/state`);
    for (const times of [1, 2]) {
      await tick(supervisord, 2);
      assertWarned(supervisord, `${directory}/state`, "ENOENT", times);
      fs.mkdirSync(directory);
      await tick(supervisord);
      assert.equal(count(`${directory}/state`), 3 * times);
      fs.rmSync(directory, { recursive: true });
    }
  });

  it("missing, on a full disk, until there is room", MOUNTS, async (t) => {
    const directory = temporaryDirectory(t);
    const file = `${directory}/state`;
    const setup = `mount -t tmpfs -o size=16k none ${directory}\nhead -c 16384 /dev/zero >${directory}/fill`;
    const supervisord = await listen(t, "", [], { command: mounted(setup, ["--state", file, ...FIVE]) });
    await tick(supervisord, 5);
    await supervisord.waitForLog(/run 1 finished: exit 0/);
    await tick(supervisord, 2);
    assertWarned(supervisord, file, "ENOSPC");
    fs.unlinkSync(within(supervisord, `${directory}/fill`));
    await tick(supervisord);
    assert.equal(count(within(supervisord, file)), 3);
    await tick(supervisord, 2);
    await supervisord.waitForLog(/run 2 finished: exit 0/);
    assertWarned(supervisord, file, "ENOSPC");
  });

  it(
    "there, when the disk gets full: it has its block, and is written on; deleted, it is made when there is room",
    MOUNTS,
    async (t) => {
      const directory = temporaryDirectory(t);
      const file = `${directory}/state`;
      const setup = `mount -t tmpfs -o size=32k none ${directory}`;
      const supervisord = await listen(t, "", [], { command: mounted(setup, ["--state", file, ...NEVER]) });
      await tick(supervisord, 2);
      const makeRoom = fill(within(supervisord, `${directory}/fill`));
      await tick(supervisord, 3);
      assert.equal(count(within(supervisord, file)), 5);
      assert.deepEqual(messages(supervisord), []);
      fs.renameSync(within(supervisord, file), within(supervisord, `${file}.moved`));
      await tick(supervisord, 3);
      assertWarned(supervisord, file, "ENOSPC");
      makeRoom();
      await tick(supervisord);
      assert.equal(count(within(supervisord, file)), 9);
    },
  );
});

// ── Under us ───────────────────────────────────────────────────────────────

describe("a file that is taken away is made anew at the next tick", { concurrency: 4 }, () => {
  const ways = rowsOf(`
    deleted                                       | rm $F
    renamed                                       | mv $F $F.moved
    truncated                                     | : >$F
    replaced by another one                       | echo 99 >$F.other; mv $F.other $F
    its whole directory renamed, and made again   | mv $D $D.moved; mkdir $D
    its whole directory deleted, and made again   | rm -r $D; mkdir $D`);
  for (const [title, take] of ways) {
    it(title, async (t) => {
      const file = `${temporaryDirectory(t)}/sub/state`;
      shell("mkdir $D", file);
      const supervisord = await listen(t, file);
      await tick(supervisord, 2);
      shell(take, file);
      await tick(supervisord);
      assert.equal(count(file), 3);
      await supervisord.restartListener();
      await tick(supervisord);
      assert.equal(count(file), 4);
    });
  }

  it("but not where it is replaced by a link to nowhere: the count goes on in memory", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const supervisord = await listen(t, file, FIVE);
    await tick(supervisord, 2);
    fs.unlinkSync(file);
    fs.symlinkSync("/nonexistent/file", file);
    await tick(supervisord, 3);
    await supervisord.waitForLog(/run 1 finished/);
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
      const [outside, file, precious] = ["outside", "state", "precious"].map((name) => `${directory}/${name}`);
      fs.writeFileSync(outside, content);
      fs.writeFileSync(file, "");
      fs.writeFileSync(precious, "precious\n");
      if (bad !== undefined) fs.symlinkSync(precious, `${file}.bad`); // it gives way, and is not followed
      const command = mounted(`mount --bind ${outside} ${file}`, ["--state", file, ...NEVER]);
      const supervisord = await listen(t, "", [], { command });
      await tick(supervisord);
      assert.equal(count(outside), expected);
      assert.equal(fs.readFileSync(file, "latin1"), "", "the place of the mount is as it was");
      assert.equal(fs.readFileSync(precious, "latin1"), "precious\n");
      assert.equal(fs.existsSync(`${file}.bad`) ? fs.readFileSync(`${file}.bad`, "latin1") : undefined, bad);
      await tick(supervisord);
      assert.equal(count(outside), expected + 1);
    });
  }
});

// ── Serials ────────────────────────────────────────────────────────────────

describe("an event is counted once, by its serial", { concurrency: 4 }, () => {
  const TICK = ["TICK_60", (serial: number) => `when:${1_700_002_800 + 60 * serial}`] as const;
  const EVENT = ["PROCESS_STATE_EXITED", () => "processname:web"] as const;
  for (const [title, [name, payload], args] of [
    ["ticks", TICK, NEVER],
    ["events", EVENT, ["--on", "PROCESS_STATE_EXITED", "--overlap", "allow", "--", "/bin/true"]],
  ] as const) {
    it(`${title}, in any order and over restarts; those of another supervisord are new`, async (t) => {
      const file = `${temporaryDirectory(t)}/state`;
      const supervisord = await listen(
        t,
        file,
        [...args, "--verbose"].sort((a) => (a === "--verbose" ? -1 : 0)),
      );
      const send = (serial: number) => supervisord.answered(supervisord.send(name, payload(serial), { serial }));
      const starts = () => fs.readFileSync(`${file}.runs`, "utf8").match(/"type":"starting"/g)?.length;
      const results = () => (title === "ticks" ? count(file) : starts());
      const assertCounted = (expected: number) =>
        supervisord.until(() => results() === expected, `${expected} counted`);
      await send(3);
      await send(1);
      await supervisord.restartListener();
      for (const serial of [2, 3, 1, 2, 4]) await send(serial);
      await assertCounted(4);
      assert.equal(supervisord.stderr.match(/was counted before/g)?.length, 3);
      await supervisord.killListener();
      fs.writeFileSync(file, fs.readFileSync(file, "latin1").replace(/supervisor=\d+:/, "supervisor=1:"), "latin1");
      await supervisord.restartListener();
      await send(5);
      await send(2);
      await assertCounted(6);
    });
  }
});

// ── Where it is ────────────────────────────────────────────────────────────

const COMMON = "/var/lib/supertick";
const DEFAULT_PLACE = { skip: fs.existsSync(COMMON) ? `${COMMON} exists here` : false };

describe("without --state", { concurrency: 4 }, () => {
  const uid = process.getuid?.();

  /** A listener without a place; the job is called `job`. It has had five ticks, and run once. */
  async function placed(t: TestContext, temporary: string, setup?: string, args: string[] = []): Promise<Supervisord> {
    const command = setup === undefined ? [...RUNTIME, LISTENER, ...args, ...FIVE] : mounted(setup, FIVE);
    const supervisord = await listen(t, "", [], { command, env: { TMPDIR: temporary } });
    await tick(supervisord, 5);
    await supervisord.waitForLog(/run 1 finished: exit 0/);
    return supervisord;
  }

  it(`the file is in ${COMMON} if that is writable, else in a directory of our own in TMPDIR`, MOUNTS, async (t) => {
    const temporary = temporaryDirectory(t);
    const setup = `mount -t tmpfs none /var/lib\nmkdir ${COMMON}`;
    const supervisord = await placed(t, temporary, setup);
    assert.equal(count(within(supervisord, `${COMMON}/job`)), 0);
    assert.deepEqual(fs.readdirSync(temporary), []);
    assert.doesNotMatch(supervisord.stderr, /cannot be written/);
    const other = await placed(t, temporary, `${setup}\nmount -o remount,ro /var/lib`);
    const place = `${temporary}/supertick-${isRoot ? uid : 0}`;
    assert.equal(count(`${place}/job`), 0);
    const notice = `supertick: job: ${COMMON}: it cannot be written (EROFS); using ${place}, which may not outlive a restart`;
    assert.equal(other.stderr.split("\n").filter((line) => line === notice).length, 1, other.stderr);
  });

  it("which is made for us alone, as are the files in it", DEFAULT_PLACE, async (t) => {
    const temporary = temporaryDirectory(t);
    const supervisord = await placed(t, temporary);
    const directory = `${temporary}/supertick-${uid}`;
    assert.deepEqual([directory, `${directory}/job`, `${directory}/job.runs`].map(modeOf), ["700", "600", "600"]);
    await supervisord.restartListener();
    await tick(supervisord);
    assert.equal(count(`${directory}/job`), 1);
  });

  it("a job's name cannot lead out of it, nor be that of another job's files", DEFAULT_PLACE, async (t) => {
    const temporary = temporaryDirectory(t);
    const names = ["a b%$\u00fc", "job", "job.1.new", "job.bad", "job.runs", "job.runs.1"];
    for (const name of names) {
      const supervisord = await placed(t, temporary, undefined, ["--name", name]);
      await supervisord.stop();
      assert.doesNotMatch(supervisord.stderr, /cannot|expected a count/);
    }
    const directory = `${temporary}/supertick-${uid}`;
    const jobs = fs.readdirSync(directory).filter((name) => fs.existsSync(`${directory}/${name}.runs`));
    assert.deepEqual(jobs.map(decodeURIComponent).sort(), [...names].sort());
  });

  const foreign = rowsOf(`
    belongs to another user    | mkdir -m 700 $F; chown 65534:65534 $F
    others may write to        | mkdir $F; chmod 777 $F
    is a link to another one   | ln -s /tmp $F
    is a file                  | : >$F
    cannot be made             | rmdir $D`);
  for (const [title, make] of foreign) {
    const skip = DEFAULT_PLACE.skip || (title.includes("another user") && !isRoot);
    it(`a directory that ${title} is not used: it counts in memory`, { skip }, async (t) => {
      const temporary = `${temporaryDirectory(t)}/temporary`;
      const directory = `${temporary}/supertick-${uid}`;
      fs.mkdirSync(temporary);
      shell(make, directory);
      const supervisord = await placed(t, temporary);
      const warnings = messages(supervisord).filter((line) => line.includes(directory));
      assert.match(warnings.join("\n"), /^.*in memory.*$/);
      assert.ok(!fs.existsSync(`${directory}/job`));
    });
  }
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
  const inUseBy = (pid: number) =>
    new RegExp(`: \\S+ is in use by the listener with pid ${pid}: each needs a --name or --state of its own$`, "m");

  it("the second one exits 1 and says whose it is; one that was killed does not hold the file", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const first = await listen(t, file);
    for (const expected of [0, 1]) {
      const second = await listen(t, file);
      assert.deepEqual(await second.exited, { code: 1, signal: null });
      assert.match(second.stderr, inUseBy(first.pid));
      assert.equal(count(file), expected);
      await tick(first);
    }
    await first.killListener();
    const third = await listen(t, file);
    Object.assign(third, { clock: first.clock, nextSerial: first.nextSerial });
    await tick(third);
    assert.equal(count(file), 3);
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
      const [file, script, meeting] = ["state", "meeting.cjs", "meeting"].map((name) => `${directory}/${name}`);
      if (content !== undefined) fs.writeFileSync(file, content);
      fs.mkdirSync(meeting);
      fs.writeFileSync(script, MEETING);
      const options = { runtime: runtimeWith(script).join(" "), env: { MEETING: meeting, MEETING_AT: file } };
      const both = await Promise.all([listen(t, file, NEVER, options), listen(t, file, NEVER, options)]);
      const isStarted = (one: Supervisord) => !one.isRunning || /; count /.test(one.stderr);
      await Promise.all(both.map((one) => one.until(() => isStarted(one), "the start")));
      await Promise.all(both.map((one) => one.isRunning && one.tick().catch(() => one.exited)));
      const [alive, ...others] = both.filter(({ isRunning }) => isRunning);
      const [other] = both.filter(({ isRunning }) => !isRunning);
      assert.deepEqual([others.length, await other.exited], [0, { code: 1, signal: null }]);
      assert.match(other.stderr, inUseBy(alive.pid));
      await tick(alive);
      assert.equal(count(file), (content === undefined ? 0 : 3) + 2);
    });
  }
});

describe("a listener in another container takes the file", { concurrency: 4 }, () => {
  const now = Math.floor(Date.now() / 60_000) * 60;
  const OTHERS = `7\nwhen=${now} serial=3 period=60 supervisor=1:31 listener=7:41 machine=0:1`.padEnd(511).concat("\n");
  const IN_USE =
    /: \S+ is in use by a listener in another container or machine \(pid 7 there\): each needs a --name or/;
  const LONG = ["--ticks", "1", "--overlap", "allow", "--", "/bin/sleep", "1000"];
  const overwrite = (file: string) => fs.writeFileSync(file, OTHERS, { flag: "r+" });
  const replace = (file: string) => {
    fs.writeFileSync(`${file}.other`, OTHERS);
    fs.renameSync(`${file}.other`, file);
  };

  /** One that runs something as another one takes its file, and yields at what happens then. */
  async function yielded(t: TestContext, take: typeof overwrite, happen: (supervisord: Supervisord) => void) {
    const file = `${temporaryDirectory(t)}/state`;
    const supervisord = await listen(t, file, LONG);
    await supervisord.tick();
    const [, pid] = await supervisord.waitForLog(/run 1 started \(pid (\d+)/);
    const before = fs.readFileSync(`${file}.runs`, "utf8");
    take(file);
    happen(supervisord);
    assert.deepEqual(await supervisord.exited, { code: 1, signal: null });
    assert.match(supervisord.stderr, IN_USE);
    assert.doesNotMatch(supervisord.stderr, /run 2 started/);
    assert.ok(!fs.existsSync(`/proc/${pid}/exe`), "its run was ended");
    assert.equal(fs.readFileSync(file, "latin1"), OTHERS);
    const added = fs.readFileSync(`${file}.runs`, "utf8").slice(before.length);
    assert.match(added, /^{"type":"yielded","job":"","supervisor":"[^"]+","at":[\d.]+}\n$/);
    return { file, supervisord };
  }

  for (const take of [overwrite, replace]) {
    it(`by ${take.name}: at a tick it leaves that to the other, ends its run, writes one line and exits 1`, async (t) => {
      const { supervisord } = await yielded(t, take, (one) => one.advance(60));
      assert.deepEqual(
        supervisord.pool.buffer.map(({ isDone }) => isDone),
        [false],
      );
    });
  }

  it("and so before a run by hand", async (t) => {
    await yielded(t, overwrite, (supervisord) => supervisord.signal("SIGUSR2"));
  });

  it("and the one that takes it says so, unless the other was gone long ago, or ended in order", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const took = new RegExp(`took ${file} over from a listener in another container or machine \\(pid 7 there\\)`);
    for (const [text, isTaken] of [
      [OTHERS, true],
      [OTHERS.replace(`when=${now}`, `when=${now - 900}`), false],
      [OTHERS.replace(/listener=\S+ /, ""), false],
    ] as const) {
      fs.writeFileSync(file, text);
      const supervisord = await listen(t, file);
      await tick(supervisord);
      await supervisord.stop();
      assert.equal(took.test(supervisord.stderr), isTaken);
    }
  });

  it("but not where a backup was put back, whose last tick was long ago", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const supervisord = await listen(t, file);
    await tick(supervisord);
    fs.writeFileSync(file, OTHERS.replace(`when=${now}`, `when=${now - 900}`));
    await tick(supervisord);
    assert.equal(count(file), 2);
  });

  it("nor from one that has ended: its counter names no listener", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const supervisord = await listen(t, file);
    await tick(supervisord);
    await supervisord.stop();
    assert.doesNotMatch(fs.readFileSync(file, "latin1"), /listener=/);
  });

  it("at a stop it writes nothing more", async (t) => {
    const file = `${temporaryDirectory(t)}/state`;
    const supervisord = await listen(t, file, LONG);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 started/);
    overwrite(file);
    assert.deepEqual(await supervisord.stop(), { code: 0, signal: null });
    assert.equal(fs.readFileSync(file, "latin1"), OTHERS);
    assert.doesNotMatch(fs.readFileSync(`${file}.runs`, "utf8"), /"ended"/);
  });

  it("started again by the same supervisord, it refuses before READY as long as the other one is there", async (t) => {
    const { file, supervisord } = await yielded(t, overwrite, (one) => one.advance(60));
    await supervisord.restartListener();
    assert.deepEqual(await supervisord.exited, { code: 1, signal: null });
    assert.equal(fs.readFileSync(file, "latin1"), OTHERS);
    const journal = fs.readFileSync(`${file}.runs`, "utf8");
    const earlier = Date.now() / 1000 - 181;
    const old = journal.replace(/(?<="yielded".*"at":)[\d.]+/, String(earlier));
    const cases: Array<[title: string, journal: string, change: () => void]> = [
      ["that was long ago, and the other one is gone", old, () => fs.utimesSync(file, earlier, earlier)],
      ["it has another supervisord", journal.replace(/(?<="yielded".*supervisor":")/, "x"), () => {}],
      ["the other one has ended", journal, () => fs.writeFileSync(file, OTHERS.replace("listener=7:41", "nobody=7"))],
    ];
    for (const [title, text, change] of cases) {
      await supervisord.killListener();
      fs.writeFileSync(`${file}.runs`, text);
      overwrite(file);
      change();
      await supervisord.restartListener();
      assert.ok(supervisord.isRunning, title);
      await tick(supervisord);
      assert.match(fs.readFileSync(file, "latin1"), new RegExp(` listener=${supervisord.pid}:`), title);
    }
  });
});
