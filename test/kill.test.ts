// SIGKILL at random moments: a listener that is killed while it starts, reads, writes or answers, and started again by
// supervisord, counts every tick once and starts no run twice. What happens in real time differs from run to run; what is
// tried is determined by a seed: SUPERTICK_SEED=N repeats it, a failure reports it. The faults kill at every write.

import * as assert from "node:assert/strict";
import { once } from "node:events";
import * as fs from "node:fs";
import { it } from "node:test";
import { Worker } from "node:worker_threads";
import { parseCounter } from "../listener";
import { type Chance, createChance, pause, SEED, spin } from "./chance";
import { runtimeWith, temporaryDirectory } from "./harness";
import { type PoolEvent, Supervisord } from "./supervisord";

const START_OF_TIME = 1_700_002_800; // where the model's clock begins
const ENOUGH_BUFFERED = 6; // supervisord buffers ten events, and loses the oldest of more

// ── When it is killed ──────────────────────────────────────────────────────
// To add a moment: a function that returns when the listener is to be killed. `tick` sends the next one.

type Moment = (supervisord: Supervisord, tick: () => PoolEvent, chance: Chance) => Promise<void>;

const MOMENTS: Record<string, Moment> = {
  // Node alone takes most of this time; what is buffered is sent at READY, before all is loaded.
  async whileItStarts(_supervisord, tick, chance) {
    if (chance.below(2) === 0) tick();
    await pause(chance.below(80));
  },
  async rightAfterReady(supervisord, tick, chance) {
    tick();
    await supervisord.until(() => supervisord.state === "READY", "READY");
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

/** A listener over many lives; at the end all is answered, and it and its jobs are gone. @returns the ticks */
async function liveAndDie(file: string, args: string[], kills: number, chance: Chance): Promise<PoolEvent[]> {
  fs.writeFileSync(`${file}.slow.cjs`, SLOW_DISK);
  const runtime = runtimeWith(`${file}.slow.cjs`).join(" ");
  const supervisord = await Supervisord.start({ args: ["--state", file, ...args], runtime, waitForReady: false });
  const ticks: PoolEvent[] = [];
  const tick = () => ticks[ticks.push(...supervisord.advance(60)) - 1];
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
    return ticks;
  } finally {
    await supervisord.dispose();
  }
}

// A thread reads the counter file over and over. A look may meet a write halfway: what was there twice in a row counts.
const WATCHER = `
  const fs = require("fs");
  const { parentPort, workerData } = require("worker_threads");
  const stop = new Int32Array(workerData.stop);
  const contents = [];
  const look = () => {
    try { return fs.readFileSync(workerData.file, "latin1"); } catch (error) { return error.code; }
  };
  while (Atomics.wait(stop, 0, 0, 1) === "timed-out") {
    let content = look();
    for (let again; (again = look()) !== content; content = again);
    if (content !== contents[contents.length - 1]) contents.push(content);
  }
  parentPort.postMessage(contents);`;

/** @returns the function that ends it, and returns what it saw */
function watch(file: string): () => Promise<string[]> {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(WATCHER, { eval: true, workerData: { file, stop: stop.buffer } });
  const seen = once(worker, "message");
  return async () => {
    Atomics.store(stop, 0, 1);
    Atomics.notify(stop, 0);
    return (await seen)[0];
  };
}

it("killed 80 times, it counts each tick once, tears nothing, and loses no run, and starts none twice", async (t) => {
  const file = `${temporaryDirectory(t)}/state`;
  const seeded = `SUPERTICK_SEED=${SEED}`;
  fs.writeFileSync(`${file}.crontab`, `@ticks 2 echo "$SUPERTICK_RUN $SUPERTICK_DUE" >>${file}.ran\n`);
  const endWatch = watch(file);
  const ticks = await liveAndDie(file, ["--crontab", `${file}.crontab`], 80, createChance(SEED)).finally(endWatch);
  const contents = (await endWatch()).filter((content, i) => !(i === 0 && content === "ENOENT"));

  assert.equal(parseCounter(fs.readFileSync(file, "latin1")).count, ticks.length, seeded);
  const hits = ticks.filter(({ deliveries }) => deliveries > 1).length;
  assert.ok(hits > 0 && contents.length > 20, `${hits} ticks were hit, ${contents.length} contents seen`);
  for (const content of contents) assert.equal(content.length, 512, `${seeded}: ${JSON.stringify(content)}`);
  const counts = contents.map((content) => parseCounter(content).count);
  assertNone(
    counts.filter((count, i) => i > 0 && count < counts[i - 1]),
    "a count that went back",
  );

  const lines = fs.readFileSync(`${file}.runs`, "utf8").trimEnd().split("\n"); // a kill tears no line
  const facts = lines.map((line) => JSON.parse(line)).filter(({ type }) => type === "starting" || type === "skipped");
  const dues = ticks.flatMap((_, i) => (i % 2 === 1 ? [START_OF_TIME + 60 * (i + 1)] : []));
  assert.deepEqual(
    facts.map(({ due }) => due),
    dues,
    `${seeded}: each second tick starts or skips a run`,
  );
  const started = facts.filter(({ type }) => type === "starting");
  const known = started.map(({ run, due }) => `${run} ${due}`);
  const ran = fs.readFileSync(`${file}.ran`, "utf8").trimEnd().split("\n");
  assertNone(repeated(started.map(({ run }) => run)), "a number given twice");
  assertNone(
    ran.filter((run) => !known.includes(run)),
    "what the journal does not know",
  );
  assertNone(repeated(ran), "what ran twice");
  assert.ok(ran.length > dues.length / 3, `only ${ran.length} of ${dues.length} due runs ran`);

  function assertNone(values: unknown[], what: string): void {
    assert.deepEqual(values, [], `${seeded}: ${what}`);
  }
});

function repeated<T>(values: readonly T[]): T[] {
  return values.filter((value, i) => values.indexOf(value) !== i);
}
