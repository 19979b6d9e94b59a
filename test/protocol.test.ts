// The event listener protocol and its traps, end to end: the shipped dist/listener.js under the supervisord of
// supervisord.ts, which fails a test at the first byte out of turn. That every test passes under it is half of what
// is tested here. SUPERTICK_RUNTIME chooses what runs the listener.

import * as assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, describe, it, type TestContext } from "node:test";
import { EventReader } from "../listener";
import { atEnd, FIXTURES, isDeno, LISTENER, RUNTIME, run, temporaryDirectory } from "./harness";
import { type Options, Supervisord } from "./supervisord";

const NEVER = ["--ticks", "1000000"];
const EACH_TICK = ["--ticks", "1"];

function job(fixture: string, ...args: string[]): string[] {
  return ["--", path.join(FIXTURES, fixture), ...args];
}

function listen(t: TestContext, args: string[], options: Options = {}): Promise<Supervisord> {
  return Supervisord.during(t, { args, ...options });
}

/** Line 1 of the counter file. */
function count(supervisord: Supervisord): string {
  return fs.readFileSync(supervisord.stateFile, "latin1").split("\n")[0];
}

// biome-ignore lint/suspicious/noExplicitAny: what a test looks at
function journal(supervisord: Supervisord, type: string): Array<Record<string, any>> {
  const lines = fs.readFileSync(`${supervisord.stateFile}.runs`, "utf8").split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line)).filter((entry) => entry.type === type);
}

function dueTimes(supervisord: Supervisord): number[] {
  return journal(supervisord, "starting").map((entry) => entry.due);
}

async function ticks(supervisord: Supervisord, number: number, type?: string): Promise<void> {
  for (let i = 0; i < number; i++) await supervisord.tick({ type });
}

/** How the log says that a run has ended. */
async function endedRun(supervisord: Supervisord, run: number): Promise<string> {
  const [, outcome] = await supervisord.waitForLog(
    new RegExp(`run ${run} (?:finished|failed|timed out): (.*), \\d+\\.\\ds`),
  );
  return outcome;
}

async function finished(supervisord: Supervisord, run: number) {
  const entry = () => journal(supervisord, "ended").find((finished) => finished.run === run);
  return supervisord.until(entry, `the end of run ${run} in the journal`);
}

/** Nothing of what the jobs started is left. */
async function noJobLeft(supervisord: Supervisord): Promise<void> {
  await supervisord.until(() => supervisord.jobProcesses().length === 0, "every process of the job to be gone");
}

function splitAfter(bytes: Buffer, length: number): Buffer[] {
  return [bytes.subarray(0, length), bytes.subarray(length)];
}

/** Flags as /proc shows them, in octal. */
function isNonBlocking(flags: string): boolean {
  return (Number.parseInt(flags, 8) & fs.constants.O_NONBLOCK) !== 0;
}

function hasNonBlockingStderr({ pid }: Supervisord): boolean {
  return isNonBlocking(/flags:\s*(\d+)/.exec(fs.readFileSync(`/proc/${pid}/fdinfo/2`, "utf8"))![1]);
}

// Two at a time: the first takes 16 s and does nothing, and all groups run beside it, one after the other.
describe("supertick under supervisord", { concurrency: 2 }, () => {
  it("silence for three periods ends it with 1, but not before a first tick, in a run, or after a stop by SIGSTOP", async (t) => {
    const args = [...NEVER, "--tick", "TICK_5"];
    const [silenced, unticked, running, frozen, stopping] = await Promise.all([
      listen(t, [...args, ...job("exit-0")], { events: ["TICK_5"] }),
      listen(t, [...args, ...job("exit-0")], { events: ["TICK_5"] }),
      listen(t, [...EACH_TICK, "--tick", "TICK_5", ...job("sleep-long")], { events: ["TICK_5"] }),
      listen(t, [...args, ...job("exit-0")], { events: ["TICK_5"] }),
      listen(t, [...EACH_TICK, "--kill-after", "60s", "--on-success", "exec sleep 1000", ...job("exit-0")], {
        events: ["TICK_5"],
      }),
    ]);
    await stopping.tick();
    await stopping.waitForLog(/run 1 finished/);
    stopping.signal("SIGTERM");
    await running.tick();
    await running.waitForLog(/run 1 started/);
    await frozen.tick();
    frozen.signal("SIGSTOP");
    // The last of them to get its tick is the clock of this test: the time of the others is over before its own is.
    const before = Date.now();
    await silenced.tick();
    assert.deepEqual(await silenced.exited, { code: 1, signal: null });
    assert.ok(Date.now() - before >= 15_000, `after ${Date.now() - before} ms`);
    assert.match(
      silenced.stderr,
      /supertick: job: no TICK_5 for \d+s; exiting .*; if none comes then, restart supervisord/,
    );
    await running.waitForLog(/no TICK_5 for \d+s while a run is going on; when that ends: exiting/);

    const waiting = frozen.advance(5);
    frozen.signal("SIGCONT");
    await frozen.answered(waiting[0]);
    await unticked.waitForLog(
      /no TICK_5 has come in 15s: is this an \[eventlistener:x\] section with events=TICK_5\? If so, restart/,
    );
    await unticked.tick();
    await running.tick();
    for (const supervisord of [unticked, running, frozen, stopping]) assert.ok(supervisord.isRunning);
    assert.doesNotMatch(stopping.stderr, /exiting/);
    stopping.signal("SIGTERM");
    assert.deepEqual(await stopping.exited, { code: 0, signal: null });
    for (const supervisord of [silenced, running, frozen]) assert.doesNotMatch(supervisord.stderr, /has come in/);
  });

  describe("a job cannot disturb the protocol", { concurrency: 8 }, () => {
    it("its output goes to stderr, whatever it prints", async (t) => {
      const supervisord = await listen(t, [...EACH_TICK, ...job("shout")]);
      for (const run of [1, 2, 3]) {
        await supervisord.tick();
        assert.equal(await endedRun(supervisord, run), "exit 0");
      }
      assert.equal(supervisord.stderr.match(/^READY on stdout$/gm)?.length, 3);
      assert.equal(supervisord.stderr.match(/^READY on stderr$/gm)?.length, 3);
    });

    it("its stdin is /dev/null, its output our stderr", async (t) => {
      const supervisord = await listen(t, [...EACH_TICK, ...job("print-stdio")]);
      await supervisord.tick();
      await endedRun(supervisord, 1);
      const files = [...supervisord.stderr.matchAll(/^fd \d: (.*) flags \d+$/gm)].map(([, file]) => file);
      const own = fs.readlinkSync(`/proc/${supervisord.pid}/fd/2`);
      assert.deepEqual(files, ["/dev/null", own, own]);
    });

    // A spawn makes the three descriptors blocking again, so it has to be looked at before the first one and after.
    it("and that stderr, which it shares with us, is never made non-blocking", async (t) => {
      const supervisord = await listen(t, ["--ticks", "2", "--verbose", ...job("print-stdio")]);
      assert.equal(hasNonBlockingStderr(supervisord), false, "at READY");
      for (const run of [1, 2]) {
        await supervisord.tick();
        assert.equal(hasNonBlockingStderr(supervisord), false, "after a tick without a run");
        await supervisord.tick();
        await endedRun(supervisord, run);
        assert.equal(hasNonBlockingStderr(supervisord), false, "after a run");
      }
      const flags = [...supervisord.stderr.matchAll(/^fd [12]: .* flags (\d+)$/gm)].map(([, octal]) => octal);
      assert.deepEqual(flags.map(isNonBlocking), [false, false, false, false], "as the job has it");
    });

    it("it leads a session and a process group of its own", async (t) => {
      const supervisord = await listen(t, [...EACH_TICK, ...job("sleep-long")]);
      await supervisord.tick();
      const [, pid] = await supervisord.waitForLog(/run 1 started \(pid (\d+)/);
      const [, , group, session] = fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
      assert.deepEqual([group, session], [pid, pid]);
    });

    it("a grandchild that holds its output open does not keep the run going", async (t) => {
      const supervisord = await listen(t, [...EACH_TICK, ...job("leave-grandchild")]);
      for (const run of [1, 2]) {
        await supervisord.tick();
        assert.equal(await endedRun(supervisord, run), "exit 0");
      }
    });
  });

  describe("every event is answered OK, at once", { concurrency: 8 }, () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), "supertick-scripts-"));
    after(() => fs.rmSync(directory, { recursive: true }));
    const scripts: Array<[title: string, text: string, line: RegExp]> = isDeno
      ? []
      : [
          ["without its interpreter", "#! /no/bash -e\n", /ENOENT: ".*" begins with #!\/no\/bash, which was not found/],
          ["of another system", "#!/bin/sh\r\n", /ENOENT: ".*" has a carriage return behind #!\/bin\/sh/],
        ];
    const outcomes: Array<[title: string, command: string[], line: RegExp]> = [
      ["that exits 3", job("exit-3"), /run 1 failed: exit 3, \d+\.\ds/],
      ["that dies of a signal", job("die-by-sigkill"), /run 1 failed: SIGKILL, \d+\.\ds/],
      ["that is not there", ["--", "./no/such"], /run 1 failed to start: ENOENT: ".\/no\/such" was not found in \//],
      ["that is nowhere", job("no-such-file"), /run 1 failed to start: .*(ENOENT|not found)/],
      ["that is not executable", job("not-executable"), /run 1 failed to start: .*(EACCES|not executable)/],
      ...scripts.map(([title, text, line]): [string, string[], RegExp] => {
        const file = path.join(directory, title.replaceAll(" ", "-"));
        fs.writeFileSync(file, text, { mode: 0o755 });
        return [title, ["--", file], line];
      }),
    ];
    for (const [title, command, line] of outcomes) {
      it(`also for a job ${title}, and the next tick runs it again`, async (t) => {
        const supervisord = await listen(t, [...EACH_TICK, ...command]);
        await supervisord.tick();
        await supervisord.waitForLog(line);
        await supervisord.tick();
        await supervisord.waitForLog(/run 2 (finished|failed)/);
      });
    }

    it("also while a run is going on; what is due meanwhile is skipped", async (t) => {
      const supervisord = await listen(t, [...EACH_TICK, ...job("run-until", "go")]);
      await ticks(supervisord, 20);
      await supervisord.waitForLog(
        /skipped the run due 2023-11-14T23:20:00Z \(schedule\): run 1 is still going \(pid \d+\)/,
      );
      fs.writeFileSync(`${supervisord.directory}/go`, "");
      assert.equal(await endedRun(supervisord, 1), "exit 0");
      await supervisord.tick();
      assert.equal(await endedRun(supervisord, 2), "exit 0");
      assert.equal(journal(supervisord, "skipped").length, 19);
    });

    it("not before the tick is counted and its run is in the journal", async (t) => {
      const supervisord = await listen(t, ["--ticks", "2", ...job("exit-0")]);
      await supervisord.tick();
      assert.equal(count(supervisord), "1");
      const { serial } = await supervisord.tick();
      assert.equal(count(supervisord), "0");
      const [{ at: _, id, supervisor, ...starting }] = journal(supervisord, "starting");
      const expected = { type: "starting", job: ".", run: 1, attempt: 1, due: 1700002920, reason: "schedule", serial };
      assert.deepEqual(starting, expected);
      assert.match(id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      assert.match(supervisor, /^[0-9a-z]+$/);
    });

    it("with the log reader stopped and the pipe full, 100 verbose ticks; no line is lost or torn", async (t) => {
      const supervisord = await listen(t, [...EACH_TICK, "--verbose", ...job("spew", "500")], { readLog: false });
      await ticks(supervisord, 100);
      supervisord.readLog();
      await supervisord.waitForLog(/^spewed$/m);
      assert.equal(await endedRun(supervisord, 1), "exit 0");
      // One may stand behind half a line of the job's: what that writes at once can be more than the pipe takes.
      await supervisord.waitForLog(new RegExp(`supertick: job: tick ${supervisord.clock} \\(TICK_60\\): .*$`, "m"));
      assert.equal(supervisord.stderr.match(/supertick: job: tick \d+ \(TICK_60\): count \d+ of 1$/gm)?.length, 100);
    });

    it("with the log reader stopped for long: the lines that are lost are counted", async (t) => {
      const supervisord = await listen(t, [...EACH_TICK, "--verbose", ...job("spew", "500")], { readLog: false });
      await ticks(supervisord, 1500);
      supervisord.readLog();
      const [, lost] = await supervisord.waitForLog(/lost: (\d+)\n/);
      // 1500 ticks and 1499 skipped runs; the line about the end of the only run may be lost too. One may stand behind
      // half a line of the job's.
      const shown = supervisord.stderr.match(/supertick: job: (tick|skipped) .*$/gm)?.length ?? 0;
      assert.ok([2999, 3000].includes(shown + Number(lost)), `${shown} lines shown, ${lost} lost by count`);
      await supervisord.tick();
      await supervisord.waitForLog(new RegExp(`tick ${supervisord.clock} `));
    });
  });

  describe("every payload is read to its end", { concurrency: 8 }, () => {
    it("0 bytes to 3 MB of events that it never asked for", async (t) => {
      const supervisord = await listen(t, [...NEVER, ...job("exit-0")]);
      for (const size of [0, 1, 70_000, 300_000, 3_000_000]) {
        const payload = `processname:x groupname:x pid:1 channel:stdout\n${"x".repeat(size)}`.slice(0, size);
        await supervisord.answered(supervisord.send("PROCESS_LOG_STDOUT", payload));
        await supervisord.tick();
      }
      assert.equal(count(supervisord), "5");
    });

    // What a payload looks like on the wire is of no interest to the schedule, but where it ends is.
    const payloads = [
      "ä",
      "日本語",
      "a 😀 b\n",
      "\n\n",
      "ü".repeat(40_000),
      "ver:3.0 eventname:TICK_60 len:7\nwhen:5\n",
      "🧨 end",
    ];
    const deliveries: Array<[title: string, cut: Options["cut"]]> = [
      ["in one piece", undefined],
      ["cut in the middle of a character", (bytes) => [bytes.subarray(0, -2), bytes.subarray(-2)]],
      ["header and payload apart", (bytes) => splitAfter(bytes, bytes.indexOf("\n") + 1)],
      ["byte by byte", (bytes) => (bytes.length > 300 ? [bytes] : Array.from(bytes, (byte) => Buffer.from([byte])))],
    ];
    for (const lengthIn of ["bytes", "code points"] as const) {
      for (const [title, cut] of deliveries) {
        it(`len counts ${lengthIn}, delivered ${title}`, async (t) => {
          const supervisord = await listen(t, [...NEVER, ...job("exit-0")], { header: { lengthIn }, cut });
          for (const payload of payloads) {
            await supervisord.answered(supervisord.send("REMOTE_COMMUNICATION", `type:süper\n${payload}`));
            await supervisord.tick();
          }
          assert.equal(count(supervisord), String(payloads.length));
        });
      }
    }

    it("after three that only make sense in bytes it waits no more, until one only makes sense in code points", () => {
      const reader = new EventReader();
      const push = (payload: string, length: number) => {
        const bytes = Buffer.from(
          `ver:3.0 server:s serial:1 pool:p poolserial:1 eventname:X len:${length}\n${payload}`,
        );
        return (reader.push(bytes.toString("latin1")) ?? (reader.isAmbiguous ? "waits" : "lacks bytes")) as unknown;
      };
      const event = (payload: string) => ({ name: "X", serial: 1, poolSerial: 1, payload, isDropped: undefined });
      for (let time = 1; time <= 3; time++) {
        assert.equal(push("ää", 4), "waits");
        assert.deepEqual(reader.settle(), event("ää"));
      }
      assert.deepEqual(push("öö", 4), event("öö"));
      assert.deepEqual(push("ö日本", 8), event("ö日本"));
      assert.deepEqual(push("äöü", 3), event("ä\ufffd")); // that supervisord was mistaken for one that counts bytes
      assert.deepEqual(push("äöü", 3), event("äöü"));
      assert.equal(push("ää", 4), "waits");
    });

    // What follows is what the reader has to make of a payload whose last part is late: len is forged for that.
    it("the tail of one that was taken for complete is skipped, also as a line of its own", async (t) => {
      const supervisord = await listen(t, [...NEVER, ...job("exit-0")]);
      for (const tail of ["ö", "ö\n", "ö garbage"]) {
        await supervisord.answered(supervisord.send("REMOTE_COMMUNICATION", "ää", { len: "4" }));
        supervisord.sendRaw(tail);
        await supervisord.tick();
      }
      supervisord.cut = (bytes) => splitAfter(bytes, bytes.length - 5);
      await supervisord.answered(supervisord.send("REMOTE_COMMUNICATION", "type:a\nmore than that\n", { len: "6" }));
      supervisord.cut = undefined;
      await supervisord.tick();
      assert.equal(count(supervisord), "4");
    });

    it("but only there, and only once", async (t) => {
      const supervisord = await listen(t, [...NEVER, ...job("exit-0")]);
      await supervisord.answered(supervisord.send("REMOTE_COMMUNICATION", "ää", { len: "4" }));
      supervisord.sendRaw("ö\nsecond line\n");
      assert.deepEqual(await supervisord.exited, { code: 1, signal: null });
      assert.match(supervisord.stderr, /second line/);
    });
  });

  it("the server's name in the header may be any text", async (t) => {
    const supervisord = await listen(t, [...NEVER, ...job("exit-0")]);
    const servers = [
      "my server",
      "a:b:c",
      "süpervisor ☃ 😀",
      "x eventname:TICK_5 len:3",
      "serial:99999 pool:y",
      "",
      " ",
      "len:1e9",
    ];
    for (const lengthIn of ["bytes", "code points"] as const) {
      for (const server of servers) {
        Object.assign(supervisord.header, { server, lengthIn });
        await supervisord.tick();
      }
    }
    assert.equal(count(supervisord), String(2 * servers.length));
  });

  describe("what no supervisord sends ends it with 1 and one line that quotes it", { concurrency: 8 }, () => {
    const header = "ver:3.0 server:s serial:1 pool:p poolserial:1 eventname:TICK_60 len:";
    const cases: Array<[title: string, bytes: string | Buffer, quoted: RegExp]> = [
      ["a word", "hello\n", /hello/],
      ["an empty line", "\n", /""/],
      ["NULs", "\0\0\0\n", /\\u0000/],
      ["escape sequences", "\x1b[31mred\n", /\\u001b\[31mred/],
      ["bytes that are not UTF-8", Buffer.from([0xff, 0xfe, 0x80, 10]), /\ufffd/],
      ["a header without len", header.replace(" len:", "\n"), /eventname:TICK_60/],
      ["a header without eventname", "ver:3.0 server:s serial:1 pool:p poolserial:1 len:5\n", /len:5/],
      ["a serial that is not a number", `${header.replace("serial:1 ", "serial:1x ")}1\n`, /serial:1x/],
      ...["1e12", "2147483649", "9".repeat(30), "-5", "5x"].map((len): [string, string, RegExp] => [
        `len:${len}`,
        `${header}${len}\n`,
        new RegExp(`len:${len}`),
      ]),
      ["a line of 70,000 bytes without an end", "x".repeat(70_000), /x{20}/],
      ["a line of 1 MB", `${"y".repeat(1_000_000)}\n`, /y{20}/],
    ];
    for (const [title, bytes, quoted] of cases) {
      it(title, async (t) => {
        const supervisord = await listen(t, [...NEVER, ...job("exit-0")]);
        await supervisord.tick();
        supervisord.sendRaw(bytes);
        assert.deepEqual(await supervisord.exited, { code: 1, signal: null });
        const lines = supervisord.stderr.split("\n").filter((line) => quoted.test(line));
        assert.equal(lines.length, 1, supervisord.stderr);
        assert.match(lines[0], /^supertick: job: .{1,980}$/);
        assert.doesNotMatch(supervisord.stderr, /[\0-\x09\x0b-\x1f\x7f]/);
      });
    }
  });

  describe("an event is counted once", { concurrency: 8 }, () => {
    it("also when a neighbour's failure brings it again", async (t) => {
      const supervisord = await listen(t, [...NEVER, "--verbose", ...job("exit-0")]);
      const first = await supervisord.tick();
      const second = await supervisord.tick();
      for (const known of [second, first, first]) {
        await supervisord.answered(supervisord.rejectedByNeighbour(known));
      }
      assert.equal(count(supervisord), "2");
      await supervisord.waitForLog(new RegExp(`serial ${second.serial} was counted before`));
      await supervisord.tick();
      assert.equal(count(supervisord), "3");
    });

    it("and a foreign event with a high serial does not hide the ticks after it", async (t) => {
      const supervisord = await listen(t, [...NEVER, "--tick", "TICK_60", ...job("exit-0")]);
      await supervisord.tick();
      for (const name of ["PROCESS_STATE_EXITED", "TICK_5", "TICK_3600"]) {
        const foreign = { name, payload: name.startsWith("TICK") ? "when:1700006400" : "processname:x", serial: 900 };
        await supervisord.answered(supervisord.rejectedByNeighbour(foreign));
      }
      await supervisord.tick();
      assert.equal(count(supervisord), "2");
    });

    it("when it dies between counting and answering", async (t) => {
      const supervisord = await listen(t, [...EACH_TICK, "--verbose", ...job("exit-0")]);
      await supervisord.tick();
      const last = await supervisord.tick();
      const runs = journal(supervisord, "starting").length;
      await supervisord.killListener();
      const again = supervisord.rejectedByNeighbour(last);
      await supervisord.restartListener();
      await supervisord.answered(again);
      await supervisord.waitForLog(new RegExp(`serial ${last.serial} was counted before`));
      assert.equal(journal(supervisord, "starting").length, runs);
    });

    it("but of another supervisord every one is new and decides, whatever its serial", async (t) => {
      const supervisord = await listen(t, ["--ticks", "5", "--", `${FIXTURES}/exit-0`]);
      await ticks(supervisord, 3);
      await supervisord.killListener();
      const counter = fs.readFileSync(supervisord.stateFile, "latin1");
      fs.writeFileSync(supervisord.stateFile, counter.replace(/ supervisor=\S+/, " supervisor=1:1"));
      supervisord.nextSerial = 0;
      await supervisord.restartListener(); // killed again before a tick comes
      supervisord.advance(60);
      await supervisord.restartListener();
      await supervisord.idle();
      await supervisord.tick();
      assert.equal(count(supervisord), "0");
      await supervisord.waitForLog(/run 1 started/);
    });
  });

  describe("of several TICK types one counts", { concurrency: 8 }, () => {
    it("the first that comes; the others are answered, with one warning", async (t) => {
      const supervisord = await listen(t, [...NEVER, ...job("exit-0")]);
      await supervisord.tick({ type: "TICK_60" });
      await ticks(supervisord, 4, "TICK_5");
      await supervisord.tick({ type: "TICK_3600" });
      await supervisord.tick({ type: "TICK_60" });
      assert.equal(count(supervisord), "2");
      const warnings = supervisord.stderr.split("\n").filter((line) => line.includes("--tick"));
      assert.equal(warnings.length, 1, supervisord.stderr);
      assert.match(warnings[0], /got a TICK_5, .*: write events=TICK_60 and --tick TICK_60, or TICK_5 in both places$/);
    });

    it("the one that --tick names, even if it comes last", async (t) => {
      const supervisord = await listen(t, [...NEVER, "--tick", "TICK_5", ...job("exit-0")]);
      await ticks(supervisord, 2, "TICK_60");
      await ticks(supervisord, 3, "TICK_5");
      assert.equal(count(supervisord), "3");
      assert.equal(supervisord.stderr.split("\n").filter((line) => line.includes("events=")).length, 1);
    });
  });

  describe("the time of a tick", { concurrency: 8 }, () => {
    const SLICE = 1_700_003_100;
    const minutes = (...numbers: number[]) => numbers.map((minute) => SLICE + 60 * minute);
    const aFew = Array.from({ length: 12 }, (_, i) => i - 4);
    const rows: Array<[title: string, ticks: number[], dues: number[]]> = [
      ["is the start of the slice under Python: a slice of 5 min runs once", minutes(...aFew), minutes(0, 5)],
      [
        "is any second under Go: the due time is still the slice's",
        minutes(...aFew).map((when, i) => when + [3, 3, 4, 4, 5, 5, 59, 0, 1, 1, 2, 3][i]),
        minutes(0, 5),
      ],
      ["goes back by a minute: no slice runs twice", minutes(-1, 0, -1, 0, 1, 5), minutes(0, 5)],
      ["goes back by hours: slices go on in the new time", minutes(-1, 0, -120, -119, -115), minutes(0, -115)],
      ["jumps over slices in a pause: one run, for the latest", minutes(-1, 62), minutes(60)],
    ];
    for (const [title, times, dues] of rows) {
      it(title, async (t) => {
        const supervisord = await listen(t, ["--every", "5m", "--tick", "TICK_60", ...job("exit-0")]);
        for (const when of times) {
          await supervisord.tick({ when });
          // Each run ends before the next tick: none is skipped.
          const started = dueTimes(supervisord).length;
          if (started > 0) await finished(supervisord, started);
        }
        assert.deepEqual(dueTimes(supervisord), dues);
        assert.equal(/the clock was set back by/.test(supervisord.stderr), title.startsWith("goes back"));
      });
    }

    it("is too coarse for the schedule: the log says so at the first tick", async (t) => {
      const supervisord = await listen(t, ["--every", "90s", ...job("exit-0")]);
      await supervisord.tick();
      await supervisord.waitForLog(/(90s|1m30s).* (TICK_60|tick)/);
    });
  });

  describe("numprocs would share the ticks out", { concurrency: 8 }, () => {
    /** Another process of the pool. Like the listener's, its parent is this process, in supervisord's place. */
    function startSibling(t: TestContext, name: string, group: string, more = {}): void {
      const env = { ...process.env, SUPERVISOR_PROCESS_NAME: name, SUPERVISOR_GROUP_NAME: group, ...more };
      const sibling = spawn("sleep", ["1000"], { env, stdio: "ignore" });
      atEnd(t, () => sibling.kill("SIGKILL"));
    }
    const reason = /: the process "pool\d_9" is in the group "pool\d" too, .*: set numprocs=1$/m;

    it("so a process behind another one of its pool ends with 2 and the reason", async (t) => {
      for (const [group, env] of [
        ["pool1"],
        ["pool8", { SUPERTICK_ID: "of a run that started supervisord" }],
      ] as const) {
        startSibling(t, `${group}_9`, group, env);
        const supervisord = await listen(t, [...NEVER, ...job("exit-0")], { name: `${group}_10`, group, env });
        assert.deepEqual(await supervisord.exited, { code: 2, signal: null });
        assert.match(supervisord.stderr, reason);
      }
    });

    it("also where the other one starts later: at the first tick, which is left for it", async (t) => {
      const supervisord = await listen(t, [...NEVER, ...job("exit-0")], { name: "pool2_10", group: "pool2" });
      startSibling(t, "pool2_9", "pool2");
      supervisord.send("TICK_60", "when:1700002860");
      assert.deepEqual(await supervisord.exited, { code: 2, signal: null });
      assert.match(supervisord.stderr, reason);
      assert.equal(supervisord.pool.buffer.length, 1);
    });

    const alone: Array<[name: string, group: string, sibling?: string, env?: object]> = [
      ["sync-2", "pool3"],
      ["other", "pool4"],
      ["pool5_9", "pool5", "pool5_10"],
      ["pool6_10", "pool6", "pool6_9", { SUPERTICK_ID: "of a run" }],
      ["pool7", "pool7", "pool6"],
    ];
    for (const [name, group, sibling, env] of alone) {
      it(`process ${name} of section ${group} runs without a warning`, async (t) => {
        if (sibling !== undefined) startSibling(t, sibling, group, env);
        const supervisord = await listen(t, [...NEVER, ...job("exit-0")], { name, group });
        await supervisord.tick();
        assert.equal(count(supervisord), "1");
        await supervisord.stop();
        assert.doesNotMatch(supervisord.stderr, /numprocs/);
      });
    }
  });

  describe("when supervisord goes away, the job goes too, and the listener exits 0", { concurrency: 8 }, () => {
    const GRACE = ["--kill-after", "1s"];
    const ways: Array<[title: string, leave: (supervisord: Supervisord) => void]> = [
      ["stdin ends", (supervisord) => supervisord.closeStdin()],
      ["all its pipes are closed", (supervisord) => supervisord.die()],
      [
        "stdout is closed",
        (supervisord) => {
          supervisord.closeStdout();
          supervisord.advance(60);
        },
      ],
    ];
    for (const [title, leave] of ways) {
      for (const fixture of ["sleep-long", "child-ignores-term"]) {
        it(`${title}, job ${fixture}`, async (t) => {
          const supervisord = await listen(t, [...EACH_TICK, ...GRACE, ...job(fixture)]);
          await supervisord.tick();
          await supervisord.waitForLog(/armed/);
          leave(supervisord);
          assert.deepEqual(await supervisord.exited, { code: 0, signal: null });
          await noJobLeft(supervisord);
        });
      }
    }

    it("stdin ends in the middle of an event, which is not counted", async (t) => {
      const supervisord = await listen(t, [...NEVER, ...job("exit-0")]);
      await supervisord.tick();
      supervisord.sendRaw("ver:3.0 server:s serial:1 pool:p poolserial:1 eventname:TICK_60 len:15\nwhen:17");
      supervisord.closeStdin();
      assert.deepEqual(await supervisord.exited, { code: 0, signal: null });
      assert.equal(count(supervisord), "1");
    });
  });

  describe("stop", { concurrency: 8 }, () => {
    it("before the first tick", async (t) => {
      const supervisord = await listen(t, [...NEVER, ...job("exit-0")]);
      assert.deepEqual(await supervisord.stop(), { code: 0, signal: null });
    });

    for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
      it(`${signal} while idle after a tick`, async (t) => {
        const supervisord = await listen(t, [...EACH_TICK, ...job("exit-0")]);
        await supervisord.tick();
        await endedRun(supervisord, 1);
        assert.deepEqual(await supervisord.stop(signal), { code: 0, signal: null });
      });

      it(`${signal} with a job whose child ignores TERM: its group is killed after --kill-after`, async (t) => {
        const supervisord = await listen(t, [...EACH_TICK, "--kill-after", "1s", ...job("child-ignores-term")]);
        await supervisord.tick();
        await supervisord.waitForLog(/armed/);
        const before = Date.now();
        assert.deepEqual(await supervisord.stop(signal), { code: 0, signal: null });
        assert.ok(Date.now() - before >= 950, "the grace was given");
        await noJobLeft(supervisord);
      });
    }

    it("TERM, unlike HUP, reaches a job that heeds it; how it ended is logged and recorded", async (t) => {
      const supervisord = await listen(t, [...EACH_TICK, "--kill-after", "1h", ...job("sleep-long")]);
      await supervisord.tick();
      await supervisord.waitForLog(/armed/);
      supervisord.signal("SIGHUP");
      await ticks(supervisord, 2);
      assert.deepEqual(await supervisord.stop(), { code: 0, signal: null });
      await noJobLeft(supervisord);
      assert.match(supervisord.stderr, /run 1 interrupted: SIGTERM/);
      assert.equal(journal(supervisord, "ended")[0].signal, "SIGTERM");
    });

    it("a second signal kills at once", async (t) => {
      const supervisord = await listen(t, [...EACH_TICK, "--kill-after", "1h", ...job("child-ignores-term")]);
      await supervisord.tick();
      await supervisord.waitForLog(/armed/);
      const exited = supervisord.stop();
      await supervisord.waitForLog(/run 1 is being stopped; sent SIGTERM/);
      supervisord.signal("SIGTERM");
      assert.deepEqual(await exited, { code: 0, signal: null });
      await noJobLeft(supervisord);
    });
  });

  describe("without a supervisord it says so, shows simulate and exits 2", { concurrency: 8 }, () => {
    const env = { PATH: process.env.PATH, HOME: process.env.HOME };
    const words = [...RUNTIME, LISTENER, "--state", "/nonexistent/state", ...NEVER, ...job("exit-0")];

    it("its stdin ends before any event", async (t) => {
      const supervisord = await listen(t, [...NEVER, ...job("exit-0")], { env: { SUPERVISOR_ENABLED: undefined } });
      supervisord.closeStdin();
      assert.deepEqual(await supervisord.exited, { code: 2, signal: null });
      assert.match(supervisord.stderr, /simulate/);
    });

    it("its stdin is /dev/null", () => {
      const { status, stderr } = spawnSync(words[0], words.slice(1), { env, stdio: ["ignore", "ignore", "pipe"] });
      assert.equal(status, 2);
      assert.match(String(stderr), /simulate/);
    });

    it("its stdin is a file, whose text it quotes", (t) => {
      const file = `${temporaryDirectory(t)}/file`;
      fs.writeFileSync(file, "what no supervisord sends\n");
      const stdin = fs.openSync(file, "r");
      const { status, stderr } = spawnSync(words[0], words.slice(1), { env, stdio: [stdin, "ignore", "pipe"] });
      fs.closeSync(stdin);
      assert.equal(status, 1);
      assert.match(String(stderr), /^supertick: exit-0: got .*"what no supervisord sends"/m);
    });

    const hasScript = spawnSync("script", ["--version"]).status === 0;
    it("its stdin is a terminal", { skip: hasScript ? false : "script(1) is not installed" }, () => {
      const { status, stdout } = spawnSync("script", ["-qec", words.join(" "), "/dev/null"], { env, encoding: "utf8" });
      assert.equal(status, 2, stdout);
      const line = words.slice(RUNTIME.length).join(" ");
      assert.ok(stdout.includes(line.replace(LISTENER, `${LISTENER} simulate`)), stdout);
    });
  });

  it("where stdout and stderr are one pipe, as with redirect_stderr=true, it exits 2 before READY", () => {
    const words = [...RUNTIME, LISTENER, ...EACH_TICK, ...job("exit-0")];
    for (const redirect of ['exec "$@" 2>&1', '("$@"; echo "status $?") 2>&1 | cat']) {
      const { stdout } = run(["sh", "-c", redirect, "sh", ...words]);
      assert.match(stdout, /^supertick: stdout and stderr are one pipe, .*: redirect_stderr=false\n(status 2\n)?$/);
    }
    const help = run(["sh", "-c", 'exec "$@" 2>&1', "sh", ...RUNTIME, LISTENER, "check", ...EACH_TICK]);
    assert.equal(help.status, 0, help.stdout);
  });

  describe("a run outside the schedule", { concurrency: 8 }, () => {
    it("USR2 starts one and leaves the count alone; while it goes on, another is skipped", async (t) => {
      const supervisord = await listen(t, [...NEVER, ...job("run-until", "go")]);
      await ticks(supervisord, 2);
      supervisord.signal("SIGUSR2");
      await supervisord.waitForLog(/run 1 started \(pid \d+, .*signal\)/);
      supervisord.signal("SIGUSR2");
      await supervisord.waitForLog(/skipped the run .*run 1 is still going/);
      fs.writeFileSync(`${supervisord.directory}/go`, "");
      assert.equal(await endedRun(supervisord, 1), "exit 0");
      await supervisord.tick();
      assert.equal(count(supervisord), "3");
    });

    it("USR1 starts none, opens no debugger and ends nothing", async (t) => {
      const supervisord = await listen(t, [...NEVER, ...job("exit-0")]);
      supervisord.signal("SIGUSR1");
      await supervisord.waitForLog(/SIGUSR1 does nothing; SIGUSR2 runs every job now/);
      supervisord.signal("SIGUSR2");
      assert.equal(await endedRun(supervisord, 1), "exit 0");
      await supervisord.stop();
      assert.doesNotMatch(supervisord.stderr, /[Dd]ebugger|run 2/);
    });

    it("REMOTE_COMMUNICATION starts one by the job's name or for all, and no other does", async (t) => {
      const supervisord = await listen(t, [...NEVER, ...job("exit-0")]);
      const send = (text: string) => supervisord.answered(supervisord.send("REMOTE_COMMUNICATION", text));
      for (const other of ["type:supertick\nanother", "type:else\njob", "type:else\n", "type:supertick2\n"]) {
        await send(other);
      }
      await send("type:supertick\njob");
      await endedRun(supervisord, 1);
      await send("type:supertick\n");
      await endedRun(supervisord, 2);
      const started = journal(supervisord, "starting").map(({ run, reason }) => `${run} ${reason}`);
      assert.deepEqual(started, ["1 remote", "2 remote"]);
    });

    it("--run-on-start starts one before any tick, and the schedule follows", async (t) => {
      const supervisord = await listen(t, [...EACH_TICK, "--run-on-start", ...job("exit-0")]);
      assert.equal(await endedRun(supervisord, 1), "exit 0");
      await supervisord.tick();
      assert.equal(await endedRun(supervisord, 2), "exit 0");
      assert.deepEqual(
        journal(supervisord, "starting").map(({ reason }) => reason),
        ["start", "schedule"],
      );
    });
  });

  describe("--timeout", { concurrency: 8 }, () => {
    const LIMITS = ["--timeout", "1s", "--kill-after", "1s"];

    it("ends a run by TERM", async (t) => {
      const supervisord = await listen(t, [...EACH_TICK, ...LIMITS, ...job("sleep-long")]);
      await supervisord.tick();
      await supervisord.waitForLog(/run 1 timed out after 1s; sent SIGTERM, SIGKILL follows in 1s/);
      assert.equal(await endedRun(supervisord, 1), "SIGTERM");
      assert.equal((await finished(supervisord, 1)).result, "timeout");
    });

    for (const fixture of ["ignore-term", "child-ignores-term"]) {
      it(`kills the group of ${fixture} after --kill-after`, async (t) => {
        const supervisord = await listen(t, [...EACH_TICK, ...LIMITS, ...job(fixture)]);
        await supervisord.tick();
        await endedRun(supervisord, 1);
        await noJobLeft(supervisord);
        assert.equal((await finished(supervisord, 1)).result, "timeout");
      });
    }
  });

  it("a job has the listener's environment and the facts of its run", async (t) => {
    const supervisord = await listen(t, ["--ticks", "2", "--name", "nightly", ...job("print-environment")], {
      env: { MINE: "a b" },
    });
    await ticks(supervisord, 2);
    await endedRun(supervisord, 1);
    await ticks(supervisord, 2);
    await endedRun(supervisord, 2);
    const facts = supervisord.stderr.match(/^SUPERTICK_.*$/gm)?.sort();
    const listener = supervisord.stderr.match(/^SUPERTICK_LISTENER=\d+:\d+$/m)?.[0] ?? "SUPERTICK_LISTENER=?";
    const ids = supervisord.stderr.match(/^SUPERTICK_ID=\S{36}$/gm) ?? [];
    const both = ["SUPERTICK_ATTEMPT=1", "SUPERTICK_JOB=nightly", listener, "SUPERTICK_REASON=schedule"];
    const each = [...ids, "SUPERTICK_DUE=1700002920", "SUPERTICK_DUE=1700003040", "SUPERTICK_RUN=1", "SUPERTICK_RUN=2"];
    assert.deepEqual(facts, [...both, ...both, ...each].sort());
    assert.equal(new Set(ids).size, 2);
    assert.match(supervisord.stderr, /^MINE=a b$/m);
    assert.match(supervisord.stderr, /^SUPERVISOR_PROCESS_NAME=job$/m);
    assert.match(
      supervisord.stderr,
      /^supertick: nightly: run 1 started \(pid \d+, due 2023-11-14T23:02:00Z, schedule\)$/m,
    );
  });
});
