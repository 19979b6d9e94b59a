// Time limits that a test ends, so that nobody waits for them.

import * as fs from "node:fs";
import type { TestContext } from "node:test";
import { runtimeWith, temporaryDirectory } from "./harness";
import type { Options } from "./supervisord";

// Loaded before the listener: its first timer of LIMIT_MS ends when the file LIMIT_REACHED is there. With LIMIT_AT_MS, that
// file is made when a timer of that length begins.
const HASTE = `
  const fs = require("fs");
  const { LIMIT_MS, LIMIT_AT_MS, LIMIT_REACHED } = process.env;
  const wait = setTimeout;
  let isTaken = false;
  global.setTimeout = (run, ms, ...args) => {
    if (String(ms) === LIMIT_AT_MS) fs.writeFileSync(LIMIT_REACHED, "");
    if (isTaken || String(ms) !== LIMIT_MS) return wait(run, ms, ...args);
    isTaken = true;
    const timer = setInterval(() => {
      if (!fs.existsSync(LIMIT_REACHED)) return;
      clearInterval(timer);
      run(...args);
    }, 10);
    return timer;
  };`;

/** For a listener whose first timer of so many seconds ends by `reach`, or as another one of `atSeconds` begins. */
export function withLimit(t: TestContext, seconds: number, atSeconds?: number): { options: Options; reach(): void } {
  const directory = temporaryDirectory(t);
  fs.writeFileSync(`${directory}/haste.cjs`, HASTE);
  const env = {
    LIMIT_MS: String(1000 * seconds),
    LIMIT_AT_MS: atSeconds === undefined ? undefined : String(1000 * atSeconds),
    LIMIT_REACHED: `${directory}/reached`,
  };
  return {
    options: { runtime: runtimeWith(`${directory}/haste.cjs`).join(" "), env },
    reach: () => fs.writeFileSync(env.LIMIT_REACHED, ""),
  };
}
