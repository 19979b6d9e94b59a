// SIGKILL at random moments: a listener that is killed while it starts, reads, writes or answers, and started again by
// supervisord, counts every tick once and starts no run twice. What happens in real time differs from run to run; what
// is tried is determined by a seed: SUPERTICK_SEED=N repeats it, a failure tells it.
// journal.test.ts kills at every single step of one tick; here the moments are random, and add up over many lives.

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { it, type TestContext } from "node:test";
import { Worker } from "node:worker_threads";
import { parseCounter } from "../listener";
import { type Chance, createChance, pause, SEED, spin } from "./chance";
import { runtimeWith } from "./harness";
import { type PoolEvent, Supervisord } from "./supervisord";

const START_OF_TIME = 1_700_002_800; // where the model's clock begins
const ENOUGH_BUFFERED = 6; // supervisord buffers ten events, and loses the oldest of more

// ── When it is killed ──────────────────────────────────────────────────────
// To add a moment: a function that returns when the listener is to be killed. `tick` sends the next one.

type Moment = (supervisord: Supervisord, tick: () => PoolEvent, chance: Chance) => Promise<void>;

async function ready(supervisord: Supervisord): Promise<void> {
  await supervisord.until(() => supervisord.state === "READY", "READY");
}

const MOMENTS: Record<string, Moment> = {
  // Node alone takes most of this time; what is buffered is sent at READY, before all is loaded.
  async whileItStarts(_supervisord, tick, chance) {
    if (chance.below(2) === 0) tick();
    await pause(chance.below(80));
  },
  async rightAfterReady(supervisord, tick, chance) {
    tick();
    await ready(supervisord);
    spin(chance.below(2000));
  },
  async atATick(supervisord, tick, chance) {
    await supervisord.idle();
    tick();
    spin(chance.below(4000));
  },
  async atAnAnswer(supervisord, tick, chance) {
    await supervisord.idle();
    await supervisord.answered(tick());
    spin(chance.below(4000));
  },
  async amongMany(supervisord, tick, chance) {
    await supervisord.idle();
    for (let n = chance.below(4); n >= 0; n--) tick();
    await pause(chance.below(20));
  },
};

// Between the journal, the counter and the answer there are microseconds, which chance hardly ever hits. This makes the
// disk slow, and every pipe: each write takes up to a millisecond longer.
const SLOW_DISK = `
  const fs = require("fs");
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (const name of ["writeSync", "fsyncSync", "fdatasyncSync", "renameSync"]) {
    const original = fs[name];
    fs[name] = (...args) => {
      const result = original.apply(fs, args);
      Atomics.wait(cell, 0, 0, Math.random());
      return result;
    };
  }`;

interface Life {
  readonly file: string;
  readonly args: string[];
  readonly kills: number;
  readonly seed: number;
}

/** A listener over many lives. At the end it has answered everything, and it and its jobs are gone. */
async function liveAndDie({ file, args, kills, seed }: Life): Promise<{ ticks: PoolEvent[]; log: string }> {
  fs.writeFileSync(`${file}.slow.cjs`, SLOW_DISK);
  const runtime = runtimeWith(`${file}.slow.cjs`).join(" ");
  const supervisord = await Supervisord.start({ args: ["--state", file, ...args], runtime, waitForReady: false });
  const chance = createChance(seed);
  const ticks: PoolEvent[] = [];
  const tick = (): PoolEvent => {
    const [event] = supervisord.advance(60);
    ticks.push(event);
    return event;
  };
  try {
    for (let kill = 0; kill < kills; kill++) {
      if (supervisord.pool.buffer.length >= ENOUGH_BUFFERED) await supervisord.idle();
      await MOMENTS[chance.pick(Object.keys(MOMENTS))](supervisord, tick, chance);
      assert.ok(supervisord.isRunning, `it ended by itself:\n${supervisord.stderr.slice(-2000)}`);
      await supervisord.restartListener();
    }
    await supervisord.idle();
    await supervisord.answered(tick());
    assert.deepEqual(supervisord.pool.dropped, []);
    await supervisord.stop();
    return { ticks, log: supervisord.stderr };
  } finally {
    await supervisord.dispose();
  }
}

// ── Looking on ─────────────────────────────────────────────────────────────
// A thread reads the counter file over and over and keeps every content that it saw. A look may meet a write halfway, so
// only a content that was there twice in a row counts as seen.

const WATCHER = `
  const fs = require("fs");
  const { parentPort, workerData } = require("worker_threads");
  const stop = new Int32Array(workerData.stop);
  const contents = [];
  let looks = 0;
  const look = () => {
    try { return fs.readFileSync(workerData.file, "latin1"); } catch (error) { return error.code; }
  };
  while (Atomics.load(stop, 0) === 0) {
    let content = look();
    for (let again; (again = look()) !== content; content = again);
    if (content !== contents[contents.length - 1]) contents.push(content);
    looks++;
    Atomics.wait(stop, 0, 0, 1);
  }
  parentPort.postMessage({ contents, looks });`;

interface Seen {
  /** In the order in which they stood there; where there was no file, the code of the error. */
  contents: string[];
  looks: number;
}

/** @returns the function that ends it */
function watch(file: string): () => Promise<Seen> {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(WATCHER, { eval: true, workerData: { file, stop: stop.buffer } });
  const seen = new Promise<Seen>((resolve, reject) => {
    worker.once("message", resolve).once("error", reject);
  });
  return () => {
    Atomics.store(stop, 0, 1);
    Atomics.notify(stop, 0);
    return seen;
  };
}

// ── What must hold ─────────────────────────────────────────────────────────

/** Runs the body in a directory of its own; whatever fails in it is told with the seed. */
function killTest(title: string, body: (t: TestContext, file: string) => Promise<void>): void {
  it(title, async (t) => {
    const directory = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), "supertick-kill-"));
    try {
      await body(t, `${directory}/state`);
    } catch (error) {
      (error as Error).message = `SUPERTICK_SEED=${SEED}: ${(error as Error).message}`;
      throw error;
    } finally {
      fs.rmSync(directory, { recursive: true, force: true });
    }
  });
}

function repeated<T>(values: readonly T[]): T[] {
  return values.filter((value, i) => values.indexOf(value) !== i);
}

killTest("killed 90 times, it has counted each tick once, and its file was whole all the time", async (t, file) => {
  const endWatch = watch(file);
  const life = { file, args: ["--ticks", "1000000", "--verbose", "--", "/bin/true"], kills: 90, seed: SEED };
  const { ticks, log } = await liveAndDie(life).finally(endWatch);
  const { contents, looks } = await endWatch();

  assert.equal(parseCounter(fs.readFileSync(file, "latin1")).count, ticks.length);
  assert.ok(
    ticks.some(({ deliveries }) => deliveries > 1),
    "no kill has hit a tick",
  );
  t.diagnostic(`${log.match(/was counted before/g)?.length ?? 0} ticks came again that had been counted`);

  const whole = contents.filter((content, i) => !(i === 0 && content === "ENOENT"));
  for (const content of whole) assert.equal(content.length, 256, JSON.stringify(content));
  const counts = whole.map((content) => parseCounter(content).count);
  assert.deepEqual(
    counts.filter((count, i) => i > 0 && count < counts[i - 1]),
    [],
    "the count went back",
  );
  assert.ok(looks > 100 && counts.length > 30, `${looks} looks saw ${counts.length} contents`);
});

killTest(
  "killed 60 times, it has started nothing twice, and nothing that the journal does not know",
  async (t, file) => {
    const job = ["sh", "-c", `echo "$SUPERTICK_RUN $SUPERTICK_DUE" >>${file}.ran`];
    const life = { file, args: ["--ticks", "2", "--", ...job], kills: 60, seed: SEED + 1 };
    const { ticks, log } = await liveAndDie(life);

    assert.equal(parseCounter(fs.readFileSync(file, "latin1")).count, ticks.length % 2);
    t.diagnostic(
      `${log.match(/it is not started again/g)?.length ?? 0} due ticks came again whose run had been started`,
    );
    const lines = fs.readFileSync(`${file}.runs`, "utf8").trimEnd().split("\n");
    const records = lines.map((line) => JSON.parse(line)); // a kill tears no line
    const starting = records.filter(({ type }) => type === "starting");
    const ran = fs.readFileSync(`${file}.ran`, "utf8").trimEnd().split("\n");
    const known = new Set(starting.map(({ run, due }) => `${run} ${due}`));
    assert.deepEqual(
      ran.filter((run) => !known.has(run)),
      [],
      "unknown to the journal",
    );
    assert.deepEqual(repeated(ran), [], "ran twice");
    assert.deepEqual(repeated(starting.map(({ due }) => due)), [], "started twice");
    assert.deepEqual(repeated(starting.map(({ run }) => run)), [], "a number given twice");

    // Every second tick is due. It was started, or skipped behind a run that an earlier life had left.
    const dues = ticks.filter((_, i) => i % 2 === 1).map((_, i) => START_OF_TIME + 120 * (i + 1));
    assert.deepEqual(
      starting.filter(({ due }) => !dues.includes(due)),
      [],
      "started at no due time",
    );
    assert.ok(ran.length > 5, `only ${ran.length} of ${dues.length} due runs ran`);
  },
);
