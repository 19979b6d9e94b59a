// supertick run, pause and resume under the real supervisord, whose listener is killed or restarted at moments that a seed
// chooses. What was asked for is done once or not at all, and who asked knows which; nothing is due in a pause.

import * as assert from "node:assert/strict";
import { createChance, pause, SEED } from "../chance";
import { type Answer, asked } from "../harness";
import { childrenOf, createSupervisord, isAlive, skipWithoutSupervisord } from "../real-supervisord";
import { amount, fault, readRuns, repeated } from "./faults";

const REQUESTS = amount(150, 20);
const KINDS = ["run", "run", "pause", "resume"] as const;

fault(
  `killed over ${REQUESTS} requests, a listener does what it is asked for once or not at all`,
  { skip: skipWithoutSupervisord },
  async (t) => {
    const supervisord = createSupervisord(t);
    const chance = createChance(SEED);
    const file = supervisord.path("state");
    const job = 'echo "$SUPERTICK_ID" >> ran';
    const args = ["--every", "1m", "--tick", "TICK_60", "--overlap", "allow", "--", "/bin/sh", "-c", job];
    supervisord.listener("job", args, { settings: { startsecs: "0", directory: supervisord.path(".") } });
    await supervisord.start();
    await supervisord.tick();

    const runs: Answer[] = [];
    let kills = 0;
    for (let n = 0; n < REQUESTS; n++) {
      const kind = chance.pick(KINDS);
      const answer = asked([kind, "job"], { TICK_STATE: file });
      await pause(chance.below(150));
      if (chance.below(3) === 0) await supervisord.ctl("restart", "job");
      else
        for (const { pid } of childrenOf(supervisord.pid()))
          if (isAlive(pid)) kills += Number(process.kill(pid, "SIGKILL"));
      await supervisord.tick();
      if (kind === "run") runs.push(await answer);
      assert.ok([0, 1, 2].includes(Number((await answer).status)), JSON.stringify(await answer));
    }
    await supervisord.ctl("stop", "job");

    const { lines } = readRuns(file);
    const begun = lines.filter(({ type }) => type === "starting");
    assert.deepEqual(repeated(begun.map(({ id }) => id)), [], "a request was begun twice");
    const ran = supervisord.read("ran").split("\n").filter(Boolean);
    assert.deepEqual(repeated(ran), [], "a request ran twice");
    const done = runs.filter(({ status }) => status === 0);
    const byHand = begun.filter(({ reason }) => reason === "remote");
    assert.equal(byHand.length, done.length, "who asked knows it");
    let isPaused = false;
    for (const { type, reason, due } of lines) {
      if (/paused|resumed/.test(type)) isPaused = type === "paused";
      assert.ok(!isPaused || type !== "starting" || reason === "remote", `due in a pause: ${due}`);
    }
    t.diagnostic(
      `seed ${SEED}; ${kills} kills; ${runs.length} runs asked for, ${done.length} begun; ${begun.length} in all`,
    );
  },
);
