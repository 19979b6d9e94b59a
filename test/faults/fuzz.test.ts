// Random and mutated frames, cut at random, against the reader and against the shipped listener. Three outcomes are
// allowed: the right answer, a clean exit 1, or a wait for the rest of an event that is not whole. What is right is
// said by a model that reads whole frames from their bytes and shares nothing with the reader.

import * as assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { EventReader, ProtocolError, type SupervisorEvent } from "../../listener";
import { type Chance, createChance, SEED } from "../chance";
import { LISTENER, RUNTIME } from "../harness";
import { amount, fault, readCounter } from "./faults";

const FRAMES_READ = amount(1_000_000, 300_000);
const FRAMES_SENT = amount(20_000, 4_000);
const LISTENERS_ENDED = amount(400, 60);

// ── Frames ─────────────────────────────────────────────────────────────────

const SERVERS = ["supervisor", "a b", "x serial:9 pool:y", "größe", "eventname:TICK_5 len:3", "🙂", ""];
const NAMES = ["TICK_60", "TICK_5", "TICK_3600", "PROCESS_STATE_FATAL", "PROCESS_LOG_STDOUT", "REMOTE_COMMUNICATION"];
const TEXTS = ["", "a", "\n", "é", "€", "🙂", "when:", "ver:3.0 ", "eventname:TICK_60 len:4\n", "\u0000", "READY\n"];

/** Makes one of supervisord's frames, as bytes. */
function makeFrame(chance: Chance, serial: number): Buffer {
  const name = chance.pick(NAMES);
  let payload = name.startsWith("TICK") ? `when:${1_700_000_000 + 60 * serial}` : "";
  for (let n = name.startsWith("TICK") ? 0 : chance.below(12); n > 0; n--) payload += chance.pick(TEXTS);
  const length = chance.below(2) === 0 ? Buffer.byteLength(payload) : [...payload].length;
  const header = `ver:3.0 server:${chance.pick(SERVERS)} serial:${serial} pool:job poolserial:${serial} eventname:${name} len:${length}\n`;
  return Buffer.from(header + payload);
}

/** Bytes changed, added, removed, doubled. */
function mutate(frame: Buffer, chance: Chance): Buffer {
  let bytes = frame;
  for (let n = 1 + chance.below(3); n > 0; n--) {
    const at = chance.below(bytes.length + 1);
    const some = chance.pick([
      Buffer.from([chance.below(256)]),
      Buffer.from(chance.pick(TEXTS)),
      bytes.subarray(at, at + 9),
    ]);
    const [from, to] = chance.pick([
      [at, at],
      [at, at + 1],
      [at, at + chance.below(20)],
    ]);
    bytes = Buffer.concat([
      bytes.subarray(0, from),
      chance.below(4) === 0 ? Buffer.alloc(0) : some,
      bytes.subarray(to),
    ]);
  }
  return bytes;
}

function cut(bytes: Buffer, chance: Chance): Buffer[] {
  const pieces: Buffer[] = [];
  for (let from = 0; from < bytes.length; ) {
    const to = from + (chance.below(3) === 0 ? bytes.length : 1 + chance.below(40));
    pieces.push(bytes.subarray(from, to));
    from = to;
  }
  return pieces;
}

// ── The model ──────────────────────────────────────────────────────────────
// The bytes of one frame, after which nothing comes until it is answered. `more`: bytes were left behind the payload.

type Verdict = { is: "event"; event: SupervisorEvent; more: boolean } | { is: "garbage" } | { is: "waiting" };

function judge(frame: Buffer): Verdict {
  const newline = frame.indexOf(10);
  if (newline > 65_536 || (newline < 0 && frame.length > 65_536)) return { is: "garbage" };
  if (newline < 0) return { is: "waiting" };
  const words = readHeader(frame.toString("latin1", 0, newline));
  if (words === undefined || words.length > 2 ** 31) return { is: "garbage" };
  const body = frame.subarray(newline + 1);
  const characters = characterEnds(body);
  // As code points if there are so many, whole; else as bytes, if they are all that came.
  const end = words.length === 0 ? 0 : characters[words.length - 1];
  const isWhole = end !== undefined && end <= body.length;
  if (!isWhole && body.length !== words.length) return { is: "waiting" };
  const payload = body.subarray(0, isWhole ? end : words.length).toString("utf8");
  return {
    is: "event",
    event: { name: words.name, serial: words.serial, poolSerial: words.poolSerial, payload, isDropped: undefined },
    more: isWhole && end < body.length,
  };
}

function readHeader(
  line: string,
): { name: string; serial: number; poolSerial: number | undefined; length: number } | undefined {
  const tail = / eventname:([A-Z][A-Z0-9_]*) len:(\d+)$/.exec(line);
  if (tail === null) return undefined;
  const before = line.slice(0, tail.index);
  const pool = before.split(" poolserial:");
  if (pool.length < 2) return undefined;
  const serials = pool.slice(0, -1).join(" poolserial:").split(" serial:");
  const serial = /^(\d{1,15}) /.exec(`${serials[serials.length - 1]} `);
  if (serials.length < 2 || serial === null) return undefined;
  const number = pool[pool.length - 1];
  const poolSerial = /^\d{1,15}$/.test(number) ? Number(number) : undefined;
  return { name: tail[1], serial: Number(serial[1]), poolSerial, length: Number(tail[2]) };
}

/** Where each code point ends, if the bytes that its first one promises follow. A stray byte is one by itself. */
function characterEnds(body: Buffer): number[] {
  const ends: number[] = [];
  for (let at = 0; at < body.length; ) {
    const first = body[at++];
    const owed = first < 0xc0 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    let got = 0;
    while (got < owed && at < body.length && (body[at] & 0xc0) === 0x80) {
      at++;
      got++;
    }
    // Cut off by the end of what came: not whole yet.
    ends.push(got < owed && at === body.length ? body.length + 1 : at);
  }
  return ends;
}

// ── The reader ─────────────────────────────────────────────────────────────

/** What a fresh reader makes of one frame; `settle` is what the listener does when no more bytes come. */
function read(pieces: readonly Buffer[]): { is: string; event?: SupervisorEvent } {
  const reader = new EventReader();
  try {
    for (const piece of pieces) {
      const event = reader.push(piece.toString("latin1"));
      if (event !== undefined) return { is: "event", event };
    }
    return reader.isAmbiguous ? { is: "event", event: reader.settle() } : { is: "waiting" };
  } catch (error) {
    if (error instanceof ProtocolError) return { is: "garbage" };
    throw error;
  }
}

fault(`of ${FRAMES_READ} frames, random and mutated, the reader makes what a model makes of them`, {}, async (t) => {
  const chance = createChance(SEED);
  const seen: Record<string, number> = { event: 0, garbage: 0, waiting: 0 };
  for (let n = 0; n < FRAMES_READ; n++) {
    const whole = makeFrame(chance, n);
    const frame = chance.below(3) === 0 ? whole : mutate(whole, chance);
    const expected = judge(frame);
    // All in one piece where bytes follow the payload: in pieces, the event is complete before they come.
    const got = read(expected.is === "event" && expected.more ? [frame] : cut(frame, chance));
    seen[expected.is]++;
    const { more: _, ...right } = { more: false, ...expected };
    if (JSON.stringify(got) !== JSON.stringify(right))
      assert.deepEqual({ ...got, frame: frame.toString("latin1") }, { ...right, frame: frame.toString("latin1") });
  }
  t.diagnostic(`seed ${SEED}: ${JSON.stringify(seen)}`);
  for (const [kind, times] of Object.entries(seen)) assert.ok(times > FRAMES_READ / 100, `${kind}: ${times}`);
});

// ── The listener ───────────────────────────────────────────────────────────

const READY = "READY\n";
const ANSWER = "RESULT 2\nOKREADY\n";
const FRAMES_A_LISTENER = 500;
const LIMIT_MS = 30_000;

/** dist/listener.js on pipes, and all that it has said. */
class Listener {
  stdout = "";
  stderr = "";
  status: number | string | undefined;
  private wake: () => void = () => {};
  private readonly child: ChildProcess;

  constructor(readonly file: string) {
    const args = ["--state", file, "--tick", "TICK_60", "--ticks", "1000000", "--", "/bin/true"];
    const env = { PATH: process.env.PATH, SUPERVISOR_ENABLED: "1" };
    this.child = spawn(RUNTIME[0], [...RUNTIME.slice(1), LISTENER, ...args], { env, stdio: "pipe" });
    this.child.stdin!.on("error", () => {}); // it has ended; its status tells
    this.child.stdout!.setEncoding("latin1").on("data", (text) => {
      this.stdout += text;
      this.wake();
    });
    this.child.stderr!.setEncoding("utf8").on("data", (text) => {
      this.stderr += text;
    });
    this.child.on("close", (code, signal) => {
      this.status = signal ?? code ?? undefined;
      this.wake();
    });
  }

  /** Waits for a state of things; not for ever. */
  async until(condition: () => boolean, frame: Buffer): Promise<void> {
    const deadline = setTimeout(() => this.child.kill("SIGKILL"), LIMIT_MS);
    while (!condition()) {
      const what = `${this.status}: ${JSON.stringify(frame.toString("latin1"))}\n${this.stderr.slice(-1000)}`;
      assert.ok(this.status === undefined, `it ended with ${what}`);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    clearTimeout(deadline);
  }

  write(bytes: Buffer): void {
    this.child.stdin!.write(bytes);
  }

  end(): void {
    this.child.stdin!.end();
  }
}

/** How many ticks are counted of these events: each once, by its serial, in whatever order they came. */
function countTicks(events: readonly SupervisorEvent[]): number {
  const isTick = ({ name, payload }: SupervisorEvent) => name === "TICK_60" && /^when:\d{1,12}(\D|$)/.test(payload);
  return new Set(events.filter(isTick).map(({ serial }) => serial)).size;
}

/** Bytes that are no UTF-8 or cut off may be counted in bytes: the listener then waits for 100 ms. A few of these will do. */
const isSettled = (frame: Buffer) => read([frame]).is === "event" && !isAmbiguous(frame);

function isAmbiguous(frame: Buffer): boolean {
  const reader = new EventReader();
  return reader.push(frame.toString("latin1")) === undefined && reader.isAmbiguous;
}

fault(
  `of ${FRAMES_SENT} frames the listener answers each, and counts what a model counts`,
  {},
  async (t, directory) => {
    const chance = createChance(SEED + 1);
    let [sent, counted, listeners] = [0, 0, 0];
    while (sent < FRAMES_SENT) {
      const listener = new Listener(`${directory}/${listeners++}`);
      const events: SupervisorEvent[] = [];
      for (let n = 0; n < FRAMES_A_LISTENER; n++) {
        // One in four comes again, or late: with a serial of the past.
        const whole = makeFrame(chance, chance.below(4) === 0 ? chance.below(n + 1) : n);
        const frame = chance.below(2) === 0 ? whole : mutate(whole, chance);
        const verdict = judge(frame);
        if (verdict.is !== "event" || (!isSettled(frame) && chance.below(50) > 0)) continue;
        await listener.until(() => listener.stdout === READY + ANSWER.repeat(events.length), frame);
        events.push(verdict.event);
        for (const piece of verdict.more ? [frame] : cut(frame, chance)) {
          listener.write(piece);
          if (chance.below(20) === 0) await new Promise(setImmediate);
        }
      }
      await listener.until(() => listener.stdout === READY + ANSWER.repeat(events.length), Buffer.from("the last one"));
      listener.end();
      await listener.until(() => listener.status !== undefined, Buffer.from("the end"));
      assert.equal(listener.status, 0, listener.stderr);
      assert.equal(readCounter(listener.file).count, countTicks(events), `listener ${listeners}`);
      sent += events.length;
      counted += countTicks(events);
    }
    t.diagnostic(`seed ${SEED}: ${sent} frames answered by ${listeners} listeners, ${counted} ticks counted`);
  },
);

fault(
  `of ${LISTENERS_ENDED} listeners each ends with 1 at garbage, and with 0 within an event`,
  {},
  async (t, directory) => {
    const chance = createChance(SEED + 2);
    const seen = { garbage: 0, waiting: 0 };
    const frames: Array<{ frame: Buffer; is: "garbage" | "waiting" }> = [];
    while (frames.length < LISTENERS_ENDED) {
      const frame = mutate(makeFrame(chance, 1), chance);
      const { is } = judge(frame);
      // More of the garbage than chance brings would be more of the same.
      if (is !== "event" && seen[is] <= LISTENERS_ENDED / 2) {
        frames.push({ frame, is });
        seen[is]++;
      }
    }
    const endOne = async ({ frame, is }: (typeof frames)[number], n: number) => {
      const listener = new Listener(`${directory}/${n}`);
      const first = Buffer.from(
        "ver:3.0 server:supervisor serial:0 pool:job poolserial:0 eventname:TICK_60 len:15\nwhen:1700000040",
      );
      listener.write(first);
      await listener.until(() => listener.stdout === READY + ANSWER, first);
      for (const piece of cut(frame, chance)) listener.write(piece);
      if (is === "waiting") listener.end();
      await listener.until(() => listener.status !== undefined, frame);
      const text = JSON.stringify(frame.toString("latin1"));
      assert.equal(listener.status, is === "garbage" ? 1 : 0, `${is}: ${text}\n${listener.stderr}`);
      assert.equal(listener.stdout, READY + ANSWER, text);
      assert.equal(/ at .*listener\.js/.test(listener.stderr), false, listener.stderr);
      assert.equal(readCounter(listener.file).count, 1, text);
    };
    const queue = [...frames.entries()];
    const worker = async () => {
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) await endOne(next[1], next[0]);
    };
    await Promise.all([worker(), worker()]);
    t.diagnostic(`seed ${SEED}: ${JSON.stringify(seen)}`);
  },
);
