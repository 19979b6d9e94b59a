// SIGKILL of the listener, its job and supervisord itself, under the real supervisord, at moments that a seed chooses.
// Afterwards no due time has run twice or not at all, no count is wrong, nothing is left, and the journal knows all.
// kill.test.ts and journal.test.ts kill the listener alone, more often and closer to each step.

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import { createChance, pause, SEED, spin } from "../chance";
import { CLOCK_START, childrenOf, createSupervisord, isAlive, skipWithoutSupervisord } from "../real-supervisord";
import { amount, assertOneResultEach, fault, readCounter, readRuns, repeated } from "./faults";

const KILLS = amount(300, 45);
const PERIOD = 60;
const SLICE = 120; // every second tick is due
const VICTIMS = ["listener", "job", "supervisord"] as const;

type Supervisord = ReturnType<typeof createSupervisord>;

/** Which ticks were counted. Those on their way when supervisord dies may be lost: the counter file's time tells. */
function createTickBook() {
  let outstanding: number[] = [];
  const counted: number[] = [];
  return {
    counted,
    sent: (when: number) => outstanding.push(when),
    allAnswered() {
      counted.push(...outstanding);
      outstanding = [];
    },
    supervisordDied(lastCounted: number) {
      counted.push(...outstanding.filter((when) => when <= lastCounted));
      outstanding = [];
    },
  };
}

async function kill(supervisord: Supervisord, victim: (typeof VICTIMS)[number], file: string): Promise<boolean> {
  if (victim === "supervisord") {
    await supervisord.end("SIGKILL");
    await supervisord.waitUntil("listener and job to be gone", () => supervisord.leftover().length === 0);
    return true;
  }
  const started = readRuns(file).lines.filter(({ type }) => type === "started");
  const pid = victim === "job" ? started[started.length - 1]?.pid : childrenOf(supervisord.pid())[0]?.pid;
  if (pid === undefined || !isAlive(pid)) return false;
  try {
    process.kill(pid, "SIGKILL");
    return true;
  } catch {
    return false; // it has ended in this moment
  }
}

async function assertNoZombies(supervisord: Supervisord): Promise<void> {
  await supervisord.waitUntil("zombies to be gone", () => {
    const listeners = childrenOf(supervisord.pid());
    return [...listeners, ...listeners.flatMap(({ pid }) => childrenOf(pid))].every(({ state }) => state !== "Z");
  });
}

fault(
  `killed ${KILLS} times, a listener, its job and supervisord lose no tick and no due time, and run none twice`,
  { skip: skipWithoutSupervisord },
  async (t) => {
    const supervisord = createSupervisord(t);
    const chance = createChance(SEED);
    const file = supervisord.path("state");
    // Every fourth run would last for 100 s: it is killed, stopped or timed out.
    const job =
      'echo "$SUPERTICK_RUN $SUPERTICK_DUE" >> ran; n=$((SUPERTICK_RUN % 4)); [ $n = 3 ] && n=1003; exec sleep $((n / 10)).$((n % 10))';
    supervisord.listener(
      "job",
      ["--every", "2m", "--tick", "TICK_60", "--timeout", "2s", "--kill-after", "1s", "--", "/bin/sh", "-c", job],
      {
        settings: { startsecs: "0", directory: supervisord.path(".") },
      },
    );
    await supervisord.start();
    const book = createTickBook();
    const send = (): Promise<unknown> => {
      const sending = supervisord.stepClock(PERIOD).catch(() => {}); // supervisord may be killed over it
      book.sent(supervisord.clock());
      return sending;
    };
    const settle = async () => {
      await supervisord.waitForAnswers();
      book.allAnswered();
    };
    await send();
    await settle();

    const killed: Record<string, number> = { listener: 0, job: 0, supervisord: 0 };
    for (let total = 0; total < KILLS; ) {
      const sending = send();
      if (chance.below(2) === 0) await sending;
      await pause(chance.below(30));
      spin(chance.below(1000));
      const victim = chance.pick(VICTIMS);
      if (await kill(supervisord, victim, file)) {
        killed[victim]++;
        total++;
      }
      if (victim === "supervisord") {
        book.supervisordDied(readCounter(file).tick?.whenSeconds ?? 0);
        await supervisord.startAgain();
      }
      await sending;
      await settle();
      await send();
      await settle();
      await assertNoZombies(supervisord);
    }
    // The last run ends by itself; a stop would count as its result too.
    await supervisord.waitUntil("the last run to end", () => {
      const { lines } = readRuns(file);
      return (
        lines.filter(({ type }) => type === "ended").length === lines.filter(({ type }) => type === "starting").length
      );
    });
    await supervisord.ctl("stop", "job");
    t.diagnostic(`seed ${SEED}; killed: ${JSON.stringify(killed)}; ticks counted: ${book.counted.length}`);

    assert.equal(readCounter(file).count, book.counted.length, "the count");
    const { lines, torn } = readRuns(file);
    assert.equal(torn, 0);
    assertOneResultEach(lines);
    const ran = fs.readFileSync(supervisord.path("ran"), "utf8").trimEnd().split("\n");
    assert.deepEqual(repeated(ran.map((line) => line.split(" ")[1])), [], "a due time ran twice");
    const begun = lines.filter(({ type }) => type === "starting");
    const known = new Set(begun.map(({ run, due }) => `${run} ${due}`));
    assert.deepEqual(
      ran.filter((line) => !known.has(line)),
      [],
      "ran, unknown to the journal",
    );
    const decided = new Set([...begun, ...lines.filter(({ type }) => type === "skipped")].map(({ due }) => due));
    const dues = [];
    for (let due = CLOCK_START + SLICE; due <= supervisord.clock(); due += SLICE) dues.push(due);
    assert.deepEqual(
      [...decided].sort((a, b) => a - b),
      dues,
      "due times that were run for or skipped",
    );
    assert.ok(ran.length > KILLS / 10, `only ${ran.length} runs`);
  },
);
