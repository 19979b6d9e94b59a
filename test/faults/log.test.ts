// A log whose reader has gone for good. One that has stopped for a while is in protocol.test.ts and output.test.ts.

import * as assert from "node:assert/strict";
import { describe } from "node:test";
import { Supervisord } from "../supervisord";
import { assertOneResultEach, fault, readCounter, readRuns } from "./faults";

const RUNS = 20;

describe("a log reader that is gone costs no tick and no run", { concurrency: 3 }, () => {
  for (const form of ["raw", "prefix", "json"]) {
    fault(`with --log ${form}`, {}, async (t) => {
      // With raw the command writes there itself: it must not mind.
      const job =
        'trap "" PIPE; i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo line $i; echo line $i >&2; done; exit 0';
      const args = ["--log", form, "--verbose", "--every", "1m", "--", "/bin/sh", "-c", job];
      const supervisord = await Supervisord.during(t, { args });
      const finished = () => readRuns(supervisord.stateFile).lines.filter(({ type }) => type === "ended");
      for (let run = 1; run <= RUNS; run++) {
        await supervisord.tick();
        if (run === 2) supervisord.closeLog(); // in the middle of it
        await supervisord.until(() => finished().length === run, `run ${run} to end`);
      }
      assert.equal(readCounter(supervisord.stateFile).count, RUNS);
      assertOneResultEach(readRuns(supervisord.stateFile).lines);
      assert.deepEqual([...new Set(finished().map(({ result }) => result))], ["success"]);
      assert.deepEqual(await supervisord.stop(), { code: 0, signal: null });
    });
  }
});
