// The clock is set by a second, an hour, a year, forward and back, while runs go on: by the time that the ticks bring, for
// supertick has no other. What is due then is said by a model of REFERENCE's rules for slices.

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import { createChance, SEED } from "../chance";
import { Supervisord } from "../supervisord";
import { amount, createSliceModel, fault, readCounter, readRuns } from "./faults";

const STEPS = amount(2_000, 400);
const PERIOD = 60;
const SLICE = 300;
const JUMPS = [1, 30, 59, 60, 61, 119, 120, 121, 300, 3600, 3 * 3600, 86_400, 30 * 86_400, 365 * 86_400];

fault(
  `of ${STEPS} ticks whose clock is set again and again each counts, and what is due runs once`,
  {},
  async (t, directory) => {
    const chance = createChance(SEED);
    const file = `${directory}/state`;
    const job = ["/bin/sh", "-c", `echo "$SUPERTICK_DUE" >>${directory}/ran; exec sleep 0.01`];
    const supervisord = await Supervisord.during(t, {
      args: ["--state", file, "--every", "5m", "--tick", "TICK_60", "--overlap", "allow", "--", ...job],
    });
    const ran = () => fs.readFileSync(`${directory}/ran`, "utf8").trimEnd().split("\n").filter(Boolean).map(Number);
    fs.writeFileSync(`${directory}/ran`, "");
    const dueAt = createSliceModel(PERIOD, SLICE);
    const expected: number[] = [];
    let clock = 1_700_000_000;
    const history: string[] = [];
    let jumps = 0;
    for (let n = 1; n <= STEPS; n++) {
      clock += PERIOD;
      if (chance.below(4) === 0) {
        jumps++;
        clock += chance.pick(JUMPS) * chance.pick([1, -1]);
        if (clock < 1_000_000_000) clock = 1_700_000_000 + chance.below(86_400);
      }
      const when = Math.floor(clock / PERIOD) * PERIOD;
      await supervisord.tick({ when });
      const due = dueAt(when);
      if (due !== undefined) expected.push(due);
      if (chance.below(100) === 0) {
        // A run may be lost whose process has not begun when the listener is killed: never twice, rather not at all.
        await supervisord.until(() => ran().length === expected.length, "the runs to begin");
        history.push("killed"); // the next one knows it all from the files
        await supervisord.killListener();
        await supervisord.restartListener();
      }
    }
    // The last tick may be answered before its run has a process.
    await supervisord.until(() => ran().length >= expected.length, "the last run to begin");
    await supervisord.until(() => supervisord.jobProcesses().length === 0, "the end of the runs");
    await supervisord.stop();
    assert.equal(readCounter(file).count, STEPS);
    assert.equal(readRuns(file).torn, 0);
    const sorted = (dues: number[]) => [...dues].sort((a, b) => a - b);
    assert.deepEqual(sorted(ran()), sorted(expected));
    t.diagnostic(`seed ${SEED}: the clock was set ${jumps} times; ${expected.length} runs`);
  },
);
