// Runs the fault tests of test/faults: what is killed, stopped, filled up or garbled while supertick works, and what must
// hold all the same. They need Linux and, for some, root: what is not possible is skipped with its reason.
//
//   npm run test:faults                        all of it, with the large numbers
//   npm run test:faults -- --quick             with small ones, as CI does
//   npm run test:faults -- --seed 7            the same chance again; a failure tells its seed
//   npm run test:faults -- kill disk           these files only

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

const FOLDER = path.join(__dirname, "faults");
const SUITES = fs
  .readdirSync(FOLDER)
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => name.replace(".test.ts", ""));

function main(args: string[]): number {
  const env: NodeJS.ProcessEnv = { ...process.env, SUPERTICK_FAULTS: "full" };
  env.SUPERTICK_SEED ??= String(Date.now() % 2 ** 31);
  const suites: string[] = [];
  for (let i = 0; i < args.length; i++) {
    if (args[i] === "--quick") env.SUPERTICK_FAULTS = "quick";
    else if (args[i] === "--seed" && /^\d{1,10}$/.test(args[i + 1] ?? "")) env.SUPERTICK_SEED = args[++i];
    else if (SUITES.includes(args[i])) suites.push(args[i]);
    else {
      console.error(`faults: expected --quick, --seed N or any of ${SUITES.join(", ")}; got "${args[i]}"`);
      return 2;
    }
  }
  console.log(`seed ${env.SUPERTICK_SEED}`);
  const files = (suites.length > 0 ? suites : SUITES).map((name) => path.join(FOLDER, `${name}.test.ts`));
  const options = ["--import", "tsx", "--test", "--test-concurrency=2", "--test-reporter=spec"];
  const { status } = spawnSync(process.execPath, [...options, ...files], { env, stdio: "inherit" });
  return status ?? 1;
}

process.exitCode = main(process.argv.slice(2));
