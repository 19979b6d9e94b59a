// The tests' supervisord is itself tested: a model that is too mild would let a bug through, and one that is wrong
// would send the listener the wrong way. First the states, as tables of bytes; then small listeners that misbehave.

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { EventPool, envelope, ListenerOutput, type Options, type PoolEvent, Supervisord } from "./supervisord";

// ── States ─────────────────────────────────────────────────────────────────

/** Feeds pieces to a listener's stdout; "→" stands for an event that is sent. Returns what came of it. */
function transitions(pieces: string[], strict = false): string[] {
  const seen: string[] = [];
  const output = new ListenerOutput(
    {
      ready: () => seen.push("READY"),
      result: (result) => seen.push(`result ${JSON.stringify(result.toString())}`),
      violation: (violation) => seen.push(`${violation.state}: ${JSON.stringify(violation.bytes.toString())}`),
    },
    strict,
  );
  for (const piece of pieces) {
    if (piece === "→") output.eventSent();
    else output.feed(Buffer.from(piece));
  }
  return [...seen, `= ${output.state}`];
}

const BUSY = ["READY\n", "→"];

describe("a byte of the listener changes its state as in Python's supervisord", () => {
  const cases: Array<[title: string, pieces: string[], outcome: string[]]> = [
    ["ACKNOWLEDGED waits for all of READY", ["REA", "DY"], ["= ACKNOWLEDGED"]],
    ["ACKNOWLEDGED to READY", ["REA", "DY\n"], ["READY", "= READY"]],
    ["ACKNOWLEDGED to UNKNOWN by a greeting", ["hello\n"], ['ACKNOWLEDGED: "hello\\n"', "= UNKNOWN"]],
    ["ACKNOWLEDGED keeps a short wrong word", ["hi"], ["= ACKNOWLEDGED"]],
    ["READY to UNKNOWN by a byte", ["READY\n", "x"], ["READY", 'READY: "x"', "= UNKNOWN"]],
    ["READY to UNKNOWN by a second READY", ["READY\nREADY\n"], ["READY", 'READY: "READY\\n"', "= UNKNOWN"]],
    ["UNKNOWN stays so", ["hello\n", "READY\n"], ['ACKNOWLEDGED: "hello\\n"', "= UNKNOWN"]],
    ["BUSY waits for the length", [...BUSY, "RESULT 2"], ["READY", "= BUSY"]],
    ["BUSY waits for the result", [...BUSY, "RESULT 2\nO"], ["READY", "= BUSY"]],
    ["BUSY to ACKNOWLEDGED", [...BUSY, "RESULT 2\nOK"], ["READY", 'result "OK"', "= ACKNOWLEDGED"]],
    ["BUSY to READY in one write", [...BUSY, "RESULT 2\nOKREADY\n"], ["READY", 'result "OK"', "READY", "= READY"]],
    ["BUSY to UNKNOWN by a length", [...BUSY, "RESULT x\n"], ["READY", 'BUSY: "RESULT x\\n"', "= UNKNOWN"]],
    ["BUSY to UNKNOWN without a length", [...BUSY, "RESULT\n"], ["READY", 'BUSY: "RESULT\\n"', "= UNKNOWN"]],
    [
      "a result that is too long spoils the READY after it",
      [...BUSY, "RESULT 2\nOKAYREADY\n"],
      ["READY", 'result "OK"', 'ACKNOWLEDGED: "AYREADY\\n"', "= UNKNOWN"],
    ],
    [
      "the word before the length is not looked at",
      [...BUSY, "result:+2\nOK"],
      ["READY", 'result "OK"', "= ACKNOWLEDGED"],
    ],
    ["an empty result waits for the next byte", [...BUSY, "RESULT 0\n"], ["READY", "= BUSY"]],
    ["an empty result, then READY", [...BUSY, "RESULT 0\n", "READY\n"], ["READY", 'result ""', "READY", "= READY"]],
  ];
  for (const [title, pieces, outcome] of cases) {
    it(title, () => assert.deepEqual(transitions(pieces), outcome));
  }

  it("BUSY to READY, wherever the answer is cut", () => {
    const answer = "RESULT 2\nOKREADY\n";
    for (let cut = 1; cut < answer.length; cut++) {
      const outcome = transitions([...BUSY, answer.slice(0, cut), answer.slice(cut)], true);
      assert.deepEqual(outcome, ["READY", 'result "OK"', "READY", "= READY"], `cut after ${cut} bytes`);
    }
  });
});

describe("the strict model judges the first wrong byte", () => {
  const cases: Array<[title: string, pieces: string[], verdict: string]> = [
    ["a word that cannot become READY", ["hi"], 'ACKNOWLEDGED: "hi"'],
    ["an answer that cannot become RESULT", [...BUSY, "R\n"], 'BUSY: "R\\n"'],
    ["a job's output in place of an answer", [...BUSY, "done"], 'BUSY: "done"'],
    ["a length that only Python takes", [...BUSY, "RESULT +2\nOK"], 'BUSY: "RESULT +2\\nOK"'],
    ["a wrong word before a good length", [...BUSY, "result 2\nOK"], 'BUSY: "result 2\\nOK"'],
  ];
  for (const [title, pieces, verdict] of cases) {
    it(title, () => assert.deepEqual(transitions(pieces, true).slice(-2), [verdict, "= UNKNOWN"]));
  }
});

// ── Pool and envelope ──────────────────────────────────────────────────────

function event(serial: number, payload: string | Buffer = "when:5"): PoolEvent {
  return { name: "TICK_5", payload, serial, deliveries: 0, failures: 0, isDone: false };
}

describe("the pool in front of the listener", () => {
  const serials = (events: PoolEvent[]) => events.map(({ serial }) => serial);

  it("drops the oldest event when the eleventh comes", () => {
    const pool = new EventPool();
    for (let serial = 0; serial < 12; serial++) pool.accept(event(serial));
    assert.deepEqual(serials(pool.dropped), [0, 1]);
    assert.deepEqual(serials(pool.buffer), [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  it("drops the oldest of a full buffer for an event that is put back at the front", () => {
    const pool = new EventPool(3);
    for (const serial of [1, 2, 3]) pool.accept(event(serial));
    pool.accept(event(0), "front");
    assert.deepEqual(serials(pool.dropped), [1]);
    assert.deepEqual(serials(pool.buffer), [0, 2, 3]);
  });

  it("keeps the pool serial that an event was given first", () => {
    const pool = new EventPool();
    const first = event(7);
    for (const accepted of [first, event(8), first]) pool.accept(accepted, "front");
    assert.equal(first.poolSerial, 0);
  });
});

describe("the envelope", () => {
  const sent = { ...event(21, "processname:ä 😀"), poolSerial: 10 };

  it("counts code points, as Python 3 does", () => {
    const bytes = envelope(sent, "job", { server: "supervisor", lengthIn: "code points" });
    const header = "ver:3.0 server:supervisor serial:21 pool:job poolserial:10 eventname:TICK_5 len:15\n";
    assert.equal(bytes.toString(), `${header}processname:ä 😀`);
  });

  it("counts bytes, as 3.x and Go do, and lets the server's name be any text", () => {
    const bytes = envelope(sent, "job", { server: "my len:3 süper", lengthIn: "bytes" });
    assert.match(bytes.toString(), /^ver:3\.0 server:my len:3 süper serial:21 .* len:19\n/);
  });
});

// ── Listeners that misbehave ───────────────────────────────────────────────

// say() writes to stdout, read() blocks until a whole event is in and returns its header, until() waits for a file.
const WORDS = `
  const fs = require("fs");
  const say = (text) => fs.writeSync(1, text);
  const bytes = (n) => { const b = Buffer.alloc(n); for (let i = 0; i < n; ) {
    const got = fs.readSync(0, b, i, n - i); if (!got) process.exit(9); i += got; } return b; };
  const header = () => { let line = ""; while (!line.endsWith("\\n")) line += bytes(1); return line; };
  const read = () => { const line = header(); bytes(Number(/len:(\\d+)/.exec(line)[1])); return line; };
  const until = (file) => { while (!fs.existsSync(file)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5); };
  const log = (text) => fs.writeSync(2, text + "\\n");
`;
const ANSWER = 'log(read().match(/ serial:(\\d+)/)[1]); say("RESULT 2\\nOKREADY\\n");';

async function start(t: TestContext, script: string, options: Options = {}): Promise<Supervisord> {
  return Supervisord.during(t, { command: [process.execPath, "-e", WORDS + script], ...options });
}

describe("a listener over pipes", { concurrency: 8 }, () => {
  it("READY to BUSY to READY: an event is answered", async (t) => {
    const supervisord = await start(t, `say("READY\\n"); for (;;) { ${ANSWER} }`);
    for (const serial of [0, 1, 2]) assert.equal((await supervisord.tick()).serial, serial);
    assert.equal(supervisord.state, "READY");
  });

  it("fails the test for bytes before READY", async () => {
    const command = [process.execPath, "-e", `${WORDS} say("hello\\n"); read();`];
    await assert.rejects(Supervisord.start({ command }), /in state ACKNOWLEDGED: expected "READY\\n", got "hello\\n"$/);
  });

  it("fails the test for a byte in READY", async (t) => {
    const supervisord = await start(t, `say("READY\\n"); ${ANSWER} until("go"); say("x"); read();`);
    await supervisord.tick();
    fs.writeFileSync(`${supervisord.directory}/go`, "");
    await assert.rejects(supervisord.exited, /in state READY: expected nothing before the next event, got "x"$/);
  });

  it("fails the test at its end for a violation that no call has told", async () => {
    const supervisord = await Supervisord.start({
      command: [process.execPath, "-e", `${WORDS} say("READY\\n"); read(); say("x"); log("said"); read()`],
    });
    supervisord.send("TICK_5", "when:5");
    while (supervisord.state !== "UNKNOWN") await new Promise((resolve) => setTimeout(resolve, 5));
    await assert.rejects(supervisord.dispose(), /in state BUSY: expected "RESULT ", got "x"/);
  });

  it("BUSY to UNKNOWN: a bad length puts the event back, and no other is sent", async (t) => {
    const supervisord = await start(t, 'say("READY\\n"); read(); say("RESULT two\\nOKREADY\\n"); read()', {
      lenient: true,
    });
    const first = supervisord.send("TICK_5", "when:5");
    await supervisord.until(() => supervisord.state === "UNKNOWN", "UNKNOWN");
    const second = supervisord.send("TICK_5", "when:10");
    assert.deepEqual(supervisord.pool.buffer, [first, second]);
    assert.ok(supervisord.isRunning);
  });

  it("UNKNOWN to READY: a new process gets what was kept", async (t) => {
    const script = `if (fs.existsSync("second")) { say("READY\\n"); for (;;) { ${ANSWER} } }
      fs.writeFileSync("second", ""); say("READY\\n"); read(); say("RESULT two\\n"); read();`;
    const supervisord = await start(t, script, { lenient: true });
    const events = [5, 10].map((when) => supervisord.send("TICK_5", `when:${when}`));
    await supervisord.until(() => supervisord.state === "UNKNOWN", "UNKNOWN");
    await supervisord.restartListener();
    await supervisord.idle();
    assert.deepEqual(
      events.map((sent) => sent.deliveries),
      [2, 1],
    );
  });

  it("BUSY to ACKNOWLEDGED by FAIL: the event comes again at once, before the later ones", async (t) => {
    const script = `say("READY\\n"); log(header().match(/ serial:\\d+/)); bytes(6); until("go");
      say("RESULT 4\\nFAILREADY\\n"); for (;;) log(read().match(/ serial:\\d+/)), say("RESULT 2\\nOKREADY\\n");`;
    const supervisord = await start(t, script);
    const failed = supervisord.send("TICK_5", "when:5");
    const later = supervisord.send("TICK_5", "when:10");
    fs.writeFileSync(`${supervisord.directory}/go`, "");
    await supervisord.idle();
    assert.deepEqual([failed.deliveries, later.deliveries], [2, 1]);
    await supervisord.waitForLog(/^ serial:0\n serial:0\n serial:1\n/);
  });

  it("fails a tick that was not answered with OK", async (t) => {
    const supervisord = await start(
      t,
      `say("READY\\n"); read(); say("RESULT 4\\nFAILREADY\\n"); for (;;) { ${ANSWER} }`,
    );
    await assert.rejects(supervisord.tick(), /answered with something other than OK/);
  });

  it("death while BUSY: the event is the first that the next process gets", async (t) => {
    const script = `if (fs.existsSync("second")) { say("READY\\n"); for (;;) { ${ANSWER} } }
      fs.writeFileSync("second", ""); say("READY\\n"); read(); log("busy"); bytes(1);`;
    const supervisord = await start(t, script);
    const events = [5, 10].map((when) => supervisord.send("TICK_5", `when:${when}`));
    await supervisord.waitForLog(/busy/);
    await supervisord.restartListener();
    for (const sent of events) await supervisord.answered(sent);
    await supervisord.waitForLog(/busy\n0\n1\n/);
  });

  it("death between answer and READY: the event does not come again", async (t) => {
    const script = `if (fs.existsSync("second")) { say("READY\\n"); for (;;) { ${ANSWER} } }
      fs.writeFileSync("second", ""); say("READY\\n"); read(); say("RESULT 2\\nOK");`;
    const supervisord = await start(t, script);
    await assert.rejects(supervisord.tick(), /the listener has ended \(exit 0\)/);
    await supervisord.restartListener();
    await supervisord.tick();
    await supervisord.waitForLog(/^1\n/);
  });

  it("overflow: with the listener BUSY, the eleventh event drops the oldest one that waits", async (t) => {
    const supervisord = await start(
      t,
      `say("READY\\n"); read(); log("busy"); until("go"); say("RESULT 2\\nOKREADY\\n"); for (;;) { ${ANSWER} }`,
    );
    const events = Array.from({ length: 13 }, (_, i) => supervisord.send("TICK_5", `when:${i * 5}`));
    await supervisord.waitForLog(/busy/);
    fs.writeFileSync(`${supervisord.directory}/go`, "");
    await supervisord.idle();
    assert.deepEqual(supervisord.pool.dropped, events.slice(1, 3));
    await assert.rejects(supervisord.answered(events[1]), /the full pool dropped it/);
  });

  it("an event that a neighbour rejected comes again with the serial it had", async (t) => {
    const supervisord = await start(t, `say("READY\\n"); for (;;) { ${ANSWER} }`);
    const own = await supervisord.tick();
    const foreign = supervisord.rejectedByNeighbour({ name: "TICK_5", payload: "when:5", serial: 100 });
    await supervisord.answered(foreign);
    await supervisord.answered(supervisord.rejectedByNeighbour(own));
    await supervisord.waitForLog(/^0\n100\n0\n/);
  });

  it("fails the test where supervisord would crash: READY with a pipe full of unread payload", async (t) => {
    const supervisord = await start(
      t,
      'say("READY\\n"); header(); say("RESULT 2\\nOKREADY\\n"); setTimeout(read, 1e6)',
    );
    await supervisord.answered(supervisord.send("PROCESS_LOG", "x".repeat(300_000)));
    supervisord.send("TICK_5", "when:5");
    await assert.rejects(supervisord.idle(), /supervisord crashes at event 1 \(EAGAIN on stdin\)/);
  });

  it("a closed stdin leaves events in the pool", async (t) => {
    const supervisord = await start(t, 'say("READY\\n"); fs.closeSync(0); log("closed"); setTimeout(() => {}, 1e6)');
    await supervisord.waitForLog(/closed/);
    const unsent = supervisord.send("TICK_5", "when:5");
    assert.deepEqual(supervisord.pool.buffer, [unsent]);
    assert.equal(supervisord.state, "READY");
  });

  for (const stdio of ["pipe", "socket"] as const) {
    it(`kind ${stdio}: three of them, blocking, and closing ours is EOF`, async (t) => {
      const script = `say("READY\\n"); for (const fd of [0, 1, 2]) { const s = fs.fstatSync(fd);
        const blocking = !(parseInt(/flags:\\s*(\\d+)/.exec(fs.readFileSync("/proc/self/fdinfo/" + fd))[1], 8) & 0o4000);
        log(fd + (s.isFIFO() ? "pipe" : s.isSocket() ? "socket" : "other") + blocking); } read();`;
      const supervisord = await start(t, script, { stdio });
      await supervisord.waitForLog(new RegExp(`^0${stdio}true\n1${stdio}true\n2${stdio}true\n`));
      supervisord.closeStdin();
      assert.deepEqual(await supervisord.exited, { code: 9, signal: null });
    });
  }

  it("supervisord's death closes every pipe and sends no signal", async (t) => {
    const script = `say("READY\\n"); until("dead"); let closed = 0;
      for (const fd of [1, 2]) try { fs.writeSync(fd, "x") } catch (e) { closed++ }
      if (fs.readSync(0, Buffer.alloc(1)) === 0 && closed === 2) process.exit(7);`;
    const supervisord = await start(t, script);
    supervisord.die();
    fs.writeFileSync(`${supervisord.directory}/dead`, "");
    assert.deepEqual(await supervisord.exited, { code: 7, signal: null });
  });

  it("nobody reads the log until told to", async (t) => {
    const script =
      'say("READY\\n"); setImmediate(() => { log("x".repeat(200000)); log("through") }); fs.writeFileSync("started", "");';
    const supervisord = await start(t, script, { readLog: false });
    await supervisord.until(() => fs.existsSync(`${supervisord.directory}/started`), "the start");
    assert.equal(supervisord.stderr, "");
    supervisord.readLog();
    await supervisord.waitForLog(/^x{200000}\nthrough\n/);
  });

  it("cuts what it sends into pieces that arrive one by one", async (t) => {
    const script = `say("READY\\n"); const b = Buffer.alloc(1000); for (;;) { const sizes = []; let all = "";
      while (!all.endsWith("when:5")) { const n = fs.readSync(0, b); sizes.push(n); all += b.toString("latin1", 0, n); }
      log(all.split("\\n")[0]); log("reads " + (sizes.length > 10 ? "many" : sizes)); say("RESULT 2\\nOKREADY\\n"); }`;
    const cut = (bytes: Buffer) => Array.from(bytes, (byte) => Buffer.from([byte]));
    const supervisord = await start(t, script, { cut });
    // A listener that is not scheduled for a while finds many pieces at once; not each time.
    for (let tries = 0; tries < 20 && !/many/.test(supervisord.stderr); tries++)
      await supervisord.answered(supervisord.send("TICK_5", "when:5"));
    assert.match(supervisord.stderr, / len:6\nreads many\n$/);
  });

  it("gives a clean environment", async (t) => {
    const supervisord = await start(t, 'say("READY\\n"); log(JSON.stringify(process.env)); read();', {
      name: "web",
      env: { GIVEN: "1", HOME: undefined },
    });
    const [line] = await supervisord.waitForLog(/^\{.*\}\n/);
    assert.deepEqual(JSON.parse(line), {
      PATH: process.env.PATH,
      TMPDIR: supervisord.directory,
      SUPERVISOR_ENABLED: "1",
      SUPERVISOR_PROCESS_NAME: "web",
      SUPERVISOR_GROUP_NAME: "web",
      GIVEN: "1",
    });
  });

  it("its stop is a signal to the one process, after which no event is sent", async (t) => {
    const script =
      'process.on("SIGINT", () => setTimeout(() => process.exit(5), 50)); say("READY\\n"); setTimeout(() => {}, 1e6)';
    const supervisord = await start(t, script);
    const stopped = supervisord.stop("SIGINT");
    const unsent = supervisord.send("TICK_5", "when:5");
    assert.deepEqual(await stopped, { code: 5, signal: null });
    assert.equal(unsent.deliveries, 0);
  });

  it("a command that cannot be started is told as such", async () => {
    await assert.rejects(Supervisord.start({ command: ["no\0thing"] }), /without null bytes/);
    const supervisord = await Supervisord.start({ command: ["/no/such/file"] });
    assert.deepEqual(await supervisord.exited, { code: 127, signal: null });
    assert.match(supervisord.stderr, /ENOENT/);
    await supervisord.dispose();
  });

  it("ends everything it started, in whatever session, and leaves no file", async () => {
    const script = `require("child_process").spawn("sleep", ["1000"], { detached: true, stdio: "ignore" }).unref();
      say("READY\\n"); read();`;
    const supervisord = await Supervisord.start({ command: [process.execPath, "-e", WORDS + script] });
    await supervisord.until(() => supervisord.jobProcesses().length === 1, "the child");
    await supervisord.dispose();
    assert.deepEqual(supervisord.jobProcesses(), []);
    assert.equal(supervisord.isRunning, false);
    assert.equal(fs.existsSync(supervisord.directory), false);
  });
});

describe("the clock", { concurrency: 8 }, () => {
  const events = ["TICK_5", "TICK_60", "TICK_3600"];
  const HOUR = 1_700_002_800;
  const cases: Array<[title: string, steps: number[], ticks: string[]]> = [
    ["no tick within a slice", [4], []],
    ["one tick in each slice of 5 s", [5, 5], ["TICK_5 5", "TICK_5 10"]],
    ["every type whose slice is new, the finest first", [60], ["TICK_5 60", "TICK_60 60"]],
    ["after a pause one tick of each type", [130], ["TICK_5 130", "TICK_60 120"]],
    ["the start of the slice, not the time", [63], ["TICK_5 60", "TICK_60 60"]],
    ["set back: one more tick, with an older time", [60, -30], ["TICK_5 60", "TICK_60 60", "TICK_5 30", "TICK_60 0"]],
    ["an hour on: all three", [3600], ["TICK_5 3600", "TICK_60 3600", "TICK_3600 3600"]],
  ];
  for (const [title, steps, ticks] of cases) {
    it(title, async (t) => {
      const supervisord = await start(t, `say("READY\\n"); for (;;) { ${ANSWER} }`, { events });
      const sent = steps.flatMap((seconds) => supervisord.advance(seconds));
      await supervisord.idle();
      assert.deepEqual(
        sent.map(({ name, payload }) => `${name} ${Number(String(payload).slice(5)) - HOUR}`),
        ticks,
      );
    });
  }
});
