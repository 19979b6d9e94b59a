// The tests' supervisord is itself tested where it could be too lax: then it would let a bug of the listener through. That
// it is right in the rest, real-supervisord.test.ts shows, where the same listener meets the real one.

import * as assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { nextLook } from "./harness";
import { EventPool, ListenerOutput, type Options, Supervisord } from "./supervisord";

/** Feeds pieces to a listener's stdout; "→" stands for an event that is sent. Returns the violation, or the state. */
function verdict(pieces: string[]): string {
  let violation: string | undefined;
  const output = new ListenerOutput({
    ...{ ready() {}, result() {}, violation: ({ state, bytes }) => (violation = `${state}: ${bytes}`) },
  });
  for (const piece of pieces) {
    if (piece === "→") output.eventSent();
    else output.feed(Buffer.from(piece));
  }
  return violation ?? output.state;
}

describe("a byte out of turn is a violation", () => {
  const BUSY = ["READY\n", "→"];
  const cases: Array<[title: string, pieces: string[], verdict: string]> = [
    ["a byte in READY", ["READY\n", "x"], "READY: x"],
    ["a result that is too long", [...BUSY, "RESULT 2\nOKAYREADY\n"], "ACKNOWLEDGED: AYREADY\n"],
    ["an answer and READY", [...BUSY, "RESULT 2\nOKREADY\n"], "READY"],
    ["a word that can't become READY", ["hi"], "ACKNOWLEDGED: hi"],
    ["a job's output in place of an answer", [...BUSY, "done"], "BUSY: done"],
    ["a length that only Python takes", [...BUSY, "RESULT +2\nOK"], "BUSY: RESULT +2\nOK"],
  ];
  for (const [title, pieces, expected] of cases) it(title, () => assert.equal(verdict(pieces), expected));
});

it("a full pool drops its oldest event, also for one that is put back at the front", () => {
  const pool = new EventPool(3);
  const event = (serial: number) => ({
    name: "TICK_5",
    payload: "",
    serial,
    deliveries: 0,
    failures: 0,
    isDone: false,
  });
  for (const serial of [1, 2, 3, 4]) pool.accept(event(serial));
  pool.accept(event(0), "front");
  assert.equal([pool.dropped, pool.buffer].map((list) => list.map(({ serial }) => serial)).join(" | "), "1,2 | 0,3,4");
});

// say() writes to stdout, header() and read() block until the header or the whole event is in.
const WORDS = `
  const fs = require("fs");
  const say = (text) => fs.writeSync(1, text);
  const bytes = (n) => { const b = Buffer.alloc(n); for (let i = 0; i < n; ) {
    const length = fs.readSync(0, b, i, n - i); if (!length) process.exit(9); i += length; } return b; };
  const header = () => { let line = ""; while (!line.endsWith("\\n")) line += bytes(1); return line; };
  const read = () => { const line = header(); bytes(Number(/len:(\\d+)/.exec(line)[1])); return line; };
  const answer = () => { fs.writeSync(2, read().match(/ serial:(\\d+)/)[1] + "\\n"); say("RESULT 2\\nOKREADY\\n"); };
`;

describe("a listener over pipes", { concurrency: 4 }, () => {
  const optionsOf = (script: string): Options => ({ command: [process.execPath, "-e", WORDS + script] });
  const start = (t: TestContext, script: string) => Supervisord.during(t, optionsOf(script));

  it("fails the test for bytes before READY", async () => {
    const started = Supervisord.start(optionsOf('say("hello\\n"); read();'));
    await assert.rejects(started, /in state ACKNOWLEDGED: expected "READY\\n", got "hello\\n"$/);
  });

  it("fails the test at its end for a violation that no call has thrown", async () => {
    const supervisord = await Supervisord.start(optionsOf('say("READY\\n"); read(); say("x"); read();'));
    supervisord.send("TICK_5", "when:5");
    while (supervisord.state !== "UNKNOWN") await nextLook(5);
    await assert.rejects(supervisord.dispose(), /in state BUSY: expected "RESULT ", got "x"/);
  });

  it("fails a tick that is not answered with OK", async (t) => {
    const supervisord = await start(t, 'say("READY\\n"); read(); say("RESULT 4\\nFAILREADY\\n"); for (;;) answer();');
    await assert.rejects(supervisord.tick(), /answered with something other than OK/);
  });

  it("fails the test where supervisord would crash: READY with a pipe full of unread payload", async (t) => {
    const script = 'say("READY\\n"); header(); say("RESULT 2\\nOKREADY\\n"); setTimeout(read, 1e6)';
    const supervisord = await start(t, script);
    await supervisord.answered(supervisord.send("PROCESS_LOG", "x".repeat(300_000)));
    supervisord.send("TICK_5", "when:5");
    await assert.rejects(supervisord.idle(), /supervisord crashes at event 1 \(EAGAIN on stdin\)/);
  });
});
