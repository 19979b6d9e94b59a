// SIGSTOP of listener, job and supervisord, for longer than three periods of the ticks where ticks go on, and SIGCONT.
// It is real time that passes here: the listener's watchdog has no other clock.

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import { describe } from "node:test";
import { pause } from "../chance";
import { childrenOf, createSupervisord, skipWithoutSupervisord } from "../real-supervisord";
import { amount, assertOneResultEach, fault, readCounter, readRuns } from "./faults";

const STOPPED_SECONDS = amount(30, 17); // three TICK_5 are 15 s
const TITLE = `stopped for ${STOPPED_SECONDS} s`;

type Supervisord = ReturnType<typeof createSupervisord>;

/** One TICK_5 each five seconds while the victim is stopped, answered or not. */
async function tickWhileStopped(supervisord: Supervisord, pid: number, isAnswering: boolean): Promise<number> {
  process.kill(pid, "SIGSTOP");
  let sent = 0;
  try {
    for (let second = 1; second <= STOPPED_SECONDS; second++) {
      await pause(1000);
      if (second % 5 !== 0) continue;
      if (isAnswering) await supervisord.tick(1, 5);
      else await supervisord.stepClock(5);
      sent++;
    }
  } finally {
    process.kill(pid, "SIGCONT");
  }
  return sent;
}

function assertNoRestart(supervisord: Supervisord, pid: number): void {
  assert.equal(supervisord.pidOfListener(), pid, "another listener");
  assert.equal(supervisord.log().match(/spawned: 'job'/g)?.length, 1);
  assert.doesNotMatch(supervisord.stderr(), /exiting/);
}

describe("SIGSTOP and SIGCONT", { concurrency: 3 }, () => {
  fault(
    `the listener, ${TITLE}: it is not restarted, and counts every tick`,
    { skip: skipWithoutSupervisord },
    async (t) => {
      const supervisord = createSupervisord(t);
      const job = ["--ticks", "2", "--tick", "TICK_5", "--", "/bin/true"];
      supervisord.listener("job", job, { settings: { events: "TICK_5" } });
      await supervisord.start();
      await supervisord.tick(2, 5);
      const pid = supervisord.pidOfListener();
      const sent = await tickWhileStopped(supervisord, pid, false);
      await supervisord.waitForAnswers();
      await pause(2000); // the watchdog's second look
      await supervisord.tick(2, 5);
      assertNoRestart(supervisord, pid);
      const ticks = sent + 4;
      assert.equal(readCounter(supervisord.path("state")).count, ticks % 2);
      await supervisord.waitForStderr(/finished|skipped/, Math.floor(ticks / 2));
      const { lines } = readRuns(supervisord.path("state"));
      const due = lines.filter(({ type }) => type === "starting" || type === "skipped");
      assert.equal(due.length, Math.floor(ticks / 2));
    },
  );

  fault(
    `the job, ${TITLE}: every tick is answered, nothing runs beside it, and it ends as it would have`,
    { skip: skipWithoutSupervisord },
    async (t) => {
      const supervisord = createSupervisord(t);
      const command = ["/bin/sh", "-c", "while [ ! -e over ]; do sleep 0.1; done; exit 3"];
      const job = ["--ticks", "1", "--tick", "TICK_5", "--", ...command];
      supervisord.listener("job", job, { settings: { events: "TICK_5", directory: supervisord.path(".") } });
      await supervisord.start();
      await supervisord.tick(1, 5);
      const pid = supervisord.pidOfListener();
      const leader = await supervisord.pidOfRun(1);
      const sent = await tickWhileStopped(supervisord, leader, true);
      assertNoRestart(supervisord, pid);
      await supervisord.waitForStderr(/skipped the run/, sent); // told after the answer
      assert.equal(supervisord.stderr().match(/skipped the run/g)?.length, sent);
      fs.writeFileSync(supervisord.path("over"), "");
      await supervisord.waitForStderr(/run 1 failed: exit 3/);
      assert.equal(childrenOf(pid).length, 0);
      const { lines } = readRuns(supervisord.path("state"));
      assert.equal(lines.filter(({ type }) => type === "starting").length, 1);
      assertOneResultEach(lines);
    },
  );

  // No tick comes in that time: on TICK_5 three periods of silence would rightly end the listener.
  fault(
    `supervisord, ${TITLE}, on TICK_60: nothing is restarted, and the next tick counts`,
    { skip: skipWithoutSupervisord },
    async (t) => {
      const supervisord = createSupervisord(t);
      const job = ["--every", "1m", "--tick", "TICK_60", "--", "/bin/true"];
      supervisord.listener("job", job);
      await supervisord.start();
      const tickAndRun = async (run: number) => {
        await supervisord.tick();
        await supervisord.waitForStderr(new RegExp(`run ${run} finished: exit 0`));
      };
      for (const run of [1, 2]) await tickAndRun(run);
      const pid = supervisord.pidOfListener();
      process.kill(supervisord.pid(), "SIGSTOP");
      await pause(STOPPED_SECONDS * 1000);
      process.kill(supervisord.pid(), "SIGCONT");
      for (const run of [3, 4]) await tickAndRun(run);
      assertNoRestart(supervisord, pid);
      assert.equal(readCounter(supervisord.path("state")).count, 4);
    },
  );
});
