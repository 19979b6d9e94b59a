// Flags, environment variables and the sentences for a wrong one. What the shipped file says and how it exits is taken
// from dist/listener.js; SUPERTICK_RUNTIME chooses what runs it.

import * as assert from "node:assert/strict";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { describe, it } from "node:test";
import { parseCommandLine, parseEnvironment, policyOf, resolveSettings, type Settings, scheduleOf } from "../listener";
import { LISTENER, ROOT, RUNTIME, temporaryDirectory } from "./harness";

type Env = Record<string, string>;

interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs the shipped file with nothing on stdin. */
function supertick(args: string[], env: Env = {}): Promise<Outcome> {
  const [command, ...prefix] = RUNTIME;
  const clean = { PATH: process.env.PATH, HOME: process.env.HOME, ...env };
  const child = spawn(command, [...prefix, LISTENER, ...args], {
    env: clean,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const outcome: Outcome = { status: null, stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text) => {
    outcome.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    outcome.stderr += text;
  });
  return new Promise((resolve) => child.on("close", (status) => resolve({ ...outcome, status })));
}

function settings(args: string[], env: Env = {}): Settings {
  const { layer } = parseCommandLine(args, ["job", "listener"]);
  return resolveSettings([layer, parseEnvironment(env).layer]);
}

// ── Values ─────────────────────────────────────────────────────────────────

describe("an option", () => {
  const SCHEDULE = ["--ticks", "5"];
  type Case = [flag: string, env: string, text: string, key: keyof Settings, value: unknown, standard: unknown];
  const cases: Case[] = [
    ["--tick", "TICK_EVENT", "TICK_5", "tick", "TICK_5", undefined],
    ["--name", "TICK_NAME", "nightly sync", "name", "nightly sync", undefined],
    ["--overlap", "TICK_OVERLAP", "queue", "overlap", "queue", undefined],
    ["--timeout", "TICK_TIMEOUT", "1h30m", "timeout", 5400, 0],
    ["--kill-after", "TICK_KILL_AFTER", "90", "killAfter", 90, 5],
    ["--retries", "TICK_RETRIES", "3", "retries", 3, 0],
    ["--retry-delay", "TICK_RETRY_DELAY", "1m", "retryDelay", 60, 10],
    ["--only-if", "TICK_ONLY_IF", "test -e /x && true", "onlyIf", "test -e /x && true", undefined],
    ["--on-failure", "TICK_ON_FAILURE", "exit 1", "onFailure", "exit 1", undefined],
    ["--on-success", "TICK_ON_SUCCESS", "exit 1", "onSuccess", "exit 1", undefined],
    ["--on-skip", "TICK_ON_SKIP", "exit 1", "onSkip", "exit 1", undefined],
    ["--ping", "TICK_PING", "https://x.example/a", "ping", "https://x.example/a", undefined],
    ["--max-running", "TICK_MAX_RUNNING", "3", "maxRunning", 3, 0],
    ["--state", "TICK_STATE", "/a b/c", "state", "/a b/c", undefined],
    ["--log", "TICK_LOG", "json", "log", "json", "raw"],
  ];
  for (const [flag, env, text, key, value, standard] of cases) {
    it(`${flag} is a flag in two spellings, the variable ${env}, and has a default`, () => {
      const more = flag === "--retry-delay" ? ["--retries", "1"] : [];
      assert.deepEqual(settings([...SCHEDULE, ...more, flag, text])[key], value);
      assert.deepEqual(settings([...SCHEDULE, ...more, `${flag}=${text}`])[key], value);
      assert.deepEqual(settings(SCHEDULE, { [env]: text })[key], value);
      assert.deepEqual(settings(SCHEDULE)[key], standard);
    });
  }

  it("may hold = in its value", () => {
    assert.equal(settings([...SCHEDULE, "--state=/a=b"]).state, "/a=b");
  });

  const switches: Array<[flag: string, env: string, key: "verbose" | "runOnStart"]> = [
    ["--verbose", "TICK_VERBOSE", "verbose"],
    ["--run-on-start", "TICK_RUN_ON_START", "runOnStart"],
  ];
  for (const [flag, env, key] of switches) {
    it(`${flag} is a switch: it takes no value from the next word, and yes or no in ${env}`, () => {
      assert.equal(settings(SCHEDULE)[key], false);
      assert.equal(settings([flag, ...SCHEDULE])[key], true);
      assert.equal(settings([`${flag}=no`, ...SCHEDULE], { [env]: "yes" })[key], false);
      for (const text of ["yes", "true", "1", "on", "YES"])
        assert.equal(settings(SCHEDULE, { [env]: text })[key], true);
      for (const text of ["no", "false", "0", "off"]) assert.equal(settings(SCHEDULE, { [env]: text })[key], false);
    });
  }

  it("is not looked for behind --", () => {
    const { layer, command } = parseCommandLine(["--ticks", "5", "--", "x", "--every", "--", "-h"], ["job"]);
    assert.deepEqual(command, ["x", "--every", "--", "-h"]);
    assert.equal(layer.texts.size, 1);
  });

  it("may be any name of 1 to 100 characters", () => {
    for (const name of ["a", "x".repeat(100), "sync-all:1", "日本", "a.b"]) {
      assert.equal(settings([...SCHEDULE, "--name", name]).name, name);
    }
  });
});

describe("the schedule", () => {
  const TICKS_5 = { kind: "ticks", every: 5 };
  const HOURLY = { kind: "slices", everySeconds: 3600, offsetSeconds: 0 };
  const cases: Array<[title: string, args: string[], env: Env, schedule: object]> = [
    ["a flag", ["--ticks", "5"], {}, TICKS_5],
    ["a variable", [], { TICK_GOAL: "5" }, TICKS_5],
    ["the other flag", ["--every", "1h"], {}, HOURLY],
    ["the other variable", [], { TICK_EVERY: "1h" }, HOURLY],
    ["a flag before its variable", ["--ticks", "5"], { TICK_GOAL: "7" }, TICKS_5],
    ["a flag before the other schedule's variable", ["--every", "1h"], { TICK_GOAL: "5" }, HOURLY],
    ["a flag before two variables", ["--ticks", "5"], { TICK_GOAL: "7", TICK_EVERY: "1h" }, TICKS_5],
    ["a flag, even if the other's variable is wrong", ["--every", "1h"], { TICK_GOAL: "abc" }, HOURLY],
    ["a flag, even if its variable is wrong", ["--every", "1h"], { TICK_EVERY: "abc" }, HOURLY],
    ["an offset from the flags", ["--every", "1h", "--offset", "5m"], {}, { ...HOURLY, offsetSeconds: 300 }],
    ["an offset from the environment", ["--every", "1h"], { TICK_OFFSET: "5m" }, { ...HOURLY, offsetSeconds: 300 }],
    ["a variable without effect is ignored", ["--ticks", "5"], { TICK_OFFSET: "5m" }, TICKS_5],
    ["the largest count", ["--ticks", "2147483648"], {}, { kind: "ticks", every: 2 ** 31 }],
  ];
  for (const [title, args, env, schedule] of cases) {
    it(title, () => assert.deepEqual(scheduleOf(settings(args, env), noZone), schedule));
  }
});

/** These schedules have no zone. */
function noZone(): never {
  throw new Error("nobody may ask for it");
}

it("the policy is made of overlap, times, retries and the question", () => {
  const args = ["--ticks", "5", "--timeout", "1m", "--kill-after", "7s"];
  const standard = {
    overlap: "skip",
    queueLimit: 1,
    timeoutSeconds: 60,
    killAfterSeconds: 7,
    retries: 0,
    retryDelaySeconds: 10,
    isRetryYielding: true,
    isAsking: false,
  };
  const policyFor = (...more: string[]) => policyOf(settings([...args, ...more]));
  assert.deepEqual(policyFor(), standard);
  for (const overlap of ["skip", "queue", "replace", "allow"]) {
    assert.deepEqual(policyFor("--overlap", overlap), { ...standard, overlap });
  }
  const retries = { ...standard, retries: 3, retryDelaySeconds: 60 };
  assert.deepEqual(policyFor("--retries", "3", "--retry-delay", "1m"), retries);
  assert.deepEqual(policyFor("--only-if", "true"), { ...standard, isAsking: true });
  const events = ["--on", "PROCESS_STATE", ...args.slice(2)];
  const inOrder = { ...standard, overlap: "queue", queueLimit: 1000, isRetryYielding: false };
  assert.deepEqual(policyOf(settings(events)), inOrder);
});

// ── Mistakes ───────────────────────────────────────────────────────────────

const DURATION = "expected a duration such as 30s, 5m or 1h30m";
const COUNT = "expected a whole number from 1 to 2147483648";
const NAME =
  "expected a name of 1 to 100 characters, without / and control characters, that begins with no dot or space";
const LONG = "y".repeat(300);

describe("a mistake ends it with 2 and exactly one line", { concurrency: 8 }, () => {
  const X = ["--", "x"];
  const T = ["--ticks", "5"];
  const cases: Array<[args: string[], env: Env, message: string]> = [
    // no schedule, two, or no command
    [
      X,
      {},
      "when shall it run? Give one of --ticks (TICK_GOAL), --every (TICK_EVERY), --cron (TICK_CRON), --on (TICK_ON), --crontab (TICK_CRONTAB)",
    ],
    [
      [],
      {},
      "when shall it run? Give one of --ticks (TICK_GOAL), --every (TICK_EVERY), --cron (TICK_CRON), --on (TICK_ON), --crontab (TICK_CRONTAB)",
    ],
    [["--ticks", "5", "--every", "5m", ...X], {}, "--ticks and --every are two schedules; give one"],
    [X, { TICK_GOAL: "5", TICK_EVERY: "5m" }, "TICK_GOAL and TICK_EVERY are two schedules; give one"],
    [T, {}, "which command shall run? Put it behind --: supertick --ticks 5 -- /path/to/command"],
    [[...T, "--"], {}, "which command shall run? Put it behind --: supertick --ticks 5 -- /path/to/command"],
    [[...T, "--", ""], {}, "the command behind -- is empty"],
    // words that are no options
    [[...T, "x"], {}, '"x" is no option: the command goes behind --, and a value with spaces needs quotes'],
    [[...T, "x", "yes"], {}, '"x" is no option: the command goes behind --, and a value with spaces needs quotes'],
    [["statu"], {}, '"statu" is no option; did you mean status?'],
    [["help"], {}, '"help" is no option; did you mean --help?'],
    [["version"], {}, '"version" is no option; did you mean --version?'],
    [[...T, "--verbose", "yes", ...X], {}, "--verbose is a switch, its value is behind =: write --verbose=yes"],
    [
      ["--run-on-start", "OFF", ...T, ...X],
      {},
      "--run-on-start is a switch, its value is behind =: write --run-on-start=OFF",
    ],
    [["--tiks", "5", ...X], {}, 'unknown option "--tiks"; did you mean --ticks?'],
    [["--kill_after=5", ...T, ...X], {}, 'unknown option "--kill_after"; did you mean --kill-after?'],
    [[...T, "--something-else", ...X], {}, 'unknown option "--something-else"'],
    [[...T, "-v", ...X], {}, 'unknown option "-v"'],
    [[...T, "--\u001b[31m", ...X], {}, 'unknown option "--\\u001b[31m"'],
    [["--ticks", "5", "--ticks", "6", ...X], {}, "--ticks is given twice"],
    [["--ticks"], {}, "--ticks needs a value: run on every Nth tick counted (1 to 2^31)"],
    [["--ticks", ...X], {}, "--ticks needs a value: run on every Nth tick counted (1 to 2^31)"],
    // a flag without effect
    [[...T, "--offset", "5m", ...X], {}, "--offset has no effect with --ticks; it goes with --every or --crontab"],
    // values
    [["--ticks", "0", ...X], {}, `--ticks: ${COUNT}, got "0"`],
    [["--ticks", "-1", ...X], {}, `--ticks: ${COUNT}, got "-1"`],
    [["--ticks", "2147483649", ...X], {}, `--ticks: ${COUNT}, got "2147483649"`],
    [["--ticks", "1.5", ...X], {}, `--ticks: ${COUNT}, got "1.5"`],
    [["--ticks", "1e3", ...X], {}, `--ticks: ${COUNT}, got "1e3"`],
    [["--ticks", "0x5", ...X], {}, `--ticks: ${COUNT}, got "0x5"`],
    [["--ticks", "", ...X], {}, `--ticks: ${COUNT}, got ""`],
    [["--ticks=", ...X], {}, `--ticks: ${COUNT}, got ""`],
    [["--ticks", " 5", ...X], {}, `--ticks: ${COUNT}, got " 5"`],
    [["--ticks", "5\n6", ...X], {}, `--ticks: ${COUNT}, got "5\\n6"`],
    [["--ticks", LONG, ...X], {}, `--ticks: ${COUNT}, got "${LONG.slice(0, 80)}…"`],
    [X, { TICK_GOAL: "five" }, `TICK_GOAL: ${COUNT}, got "five"`],
    [X, { TICK_GOAL: "" }, `TICK_GOAL: ${COUNT}, got ""`],
    [["--every", "5x", ...X], {}, `--every: ${DURATION}, got "5x"`],
    [["--every", "0", ...X], {}, '--every: expected a duration of at least 1s, got "0"'],
    [X, { TICK_EVERY: "1.5h" }, `TICK_EVERY: ${DURATION}, got "1.5h"`],
    [
      ["--every", "9007199254741", ...X],
      {},
      '--every: expected a duration of at most 9007199254740s, got "9007199254741"',
    ],
    [["--every", "5m", "--offset", "x", ...X], {}, `--offset: ${DURATION}, got "x"`],
    [["--every", "5m", "--offset", "5m", ...X], {}, '--offset: expected less than the slice of 5m, got "5m"'],
    [["--every", "5m", ...X], { TICK_OFFSET: "600" }, 'TICK_OFFSET: expected less than the slice of 5m, got "600"'],
    [[...T, "--tick", "TICK_6", ...X], {}, '--tick: expected TICK_5 or TICK_60 or TICK_3600, got "TICK_6"'],
    [[...T, ...X], { TICK_EVENT: "tick_60" }, 'TICK_EVENT: expected TICK_5 or TICK_60 or TICK_3600, got "tick_60"'],
    [[...T, "--run-on-start=maybe", ...X], {}, '--run-on-start: expected yes or no, got "maybe"'],
    [[...T, ...X], { TICK_VERBOSE: "" }, 'TICK_VERBOSE: expected yes or no, got ""'],
    [[...T, "--name", "", ...X], {}, `--name: ${NAME}, got ""`],
    [[...T, "--name", "../x", ...X], {}, `--name: ${NAME}, got "../x"`],
    [[...T, "--name", "a/b", ...X], {}, `--name: ${NAME}, got "a/b"`],
    [[...T, "--name", ".hidden", ...X], {}, `--name: ${NAME}, got ".hidden"`],
    [[...T, "--name", "a\u0007", ...X], {}, `--name: ${NAME}, got "a\\u0007"`],
    [[...T, ...X], { TICK_NAME: "y".repeat(101) }, `TICK_NAME: ${NAME}, got "${"y".repeat(80)}…"`],
    [[...T, "--overlap", "quue", ...X], {}, '--overlap: expected skip or queue or replace or allow, got "quue"'],
    [["--cron", "0 25 * * *", ...X], {}, '--cron "0 25 * * *": hour 25 is above 23'],
    [["--cron", "0 22-4 * * *", ...X], {}, '--cron "0 22-4 * * *": hour "22-4" runs backwards: write 22-23,0-4'],
    [[...T, "--tz", "UTC", ...X], {}, "--tz has no effect with --ticks; it goes with --cron or --crontab"],
    [
      [...T, "--jitter", "5m", ...X],
      {},
      "--jitter has no effect with --ticks; it goes with --every or --cron or --crontab",
    ],
    [
      ["--cron", "@daily", ...X],
      { TICK_CATCH_UP: "-1h" },
      'TICK_CATCH_UP: expected a duration such as 30s, 5m or 1h30m, got "-1h"',
    ],
    [
      ["--on", "PROCESS_STATE_FATL", ...X],
      {},
      '--on "PROCESS_STATE_FATL": "PROCESS_STATE_FATL" is no event type of supervisord; did you mean PROCESS_STATE_FATAL?',
    ],
    [
      ["--on", "process_state_fatal", ...X],
      {},
      '--on "process_state_fatal": "process_state_fatal" is no event type of supervisord; did you mean PROCESS_STATE_FATAL?',
    ],
    [["simulate", "--on", "EVENT", ...X], {}, "simulate plays ticks only; --on waits for other events of supervisord"],
    [["--on", "TICK_60", ...X], {}, '--on "TICK_60": ticks are for --ticks, --every and --cron'],
    [["--on", "PROCESS_STATE", "--every", "5m", ...X], {}, "--every and --on are two schedules; give one"],
    [[...T, "--timeout", "-5", ...X], {}, `--timeout: ${DURATION}, got "-5"`],
    [[...T, ...X], { TICK_TIMEOUT: "abc" }, `TICK_TIMEOUT: ${DURATION}, got "abc"`],
    [[...T, "--kill-after", "0", ...X], {}, '--kill-after: expected a duration of at least 1s, got "0"'],
    [[...T, "--state", "", ...X], {}, '--state: expected a file name, got ""'],
    [[...T, "--log", "xml", ...X], {}, '--log: expected raw or prefix or json, got "xml"'],
    [[...T, "--retries", "1001", ...X], {}, '--retries: expected a whole number from 0 to 1000, got "1001"'],
    [[...T, "--retry-delay", "5s", ...X], {}, "--retry-delay has no effect without --retries"],
    [[...T, ...X], { TICK_RETRY_DELAY: "2h" }, 'TICK_RETRY_DELAY: expected a duration of at most 1h, got "2h"'],
    [[...T, "--ping", "ftp://x", ...X], {}, "--ping: expected an http or https URL"],
    [[...T, ...X], { TICK_PING: "hc-ping.com" }, "TICK_PING: expected an http or https URL"],
    [[...T, "--only-if", " ", ...X], {}, '--only-if: expected a shell command, got " "'],
    [[...T, ...X], { TICK_ON_FAILURE: "" }, 'TICK_ON_FAILURE: expected a shell command, got ""'],
    // simulate has options of its own, and the others too
    [[...T, "--for", "1h", ...X], {}, "--for does not belong here: see supertick --help for what takes it"],
    [["simulate", ...T], {}, "which command shall run? Put it behind --: supertick --ticks 5 -- /path/to/command"],
    [["simulate", "--ticks", "x", ...X], {}, `--ticks: ${COUNT}, got "x"`],
    [["simulate", ...T, "--for", "0", ...X], {}, '--for: expected a duration of at least 1s, got "0"'],
    [
      ["simulate", ...T, "--speed", "0", ...X],
      {},
      '--speed: expected a whole number from 1 to 1000000 or max, got "0"',
    ],
    [
      ["simulate", ...T, "--speed", "fast", ...X],
      {},
      '--speed: expected a whole number from 1 to 1000000 or max, got "fast"',
    ],
    ...["now", "2025-13-01", "2025-02-30", "2025-11-24T25:00", "1970-01-01T00:00-30:00", "24.11.2025", ""].map(
      (text): [string[], Env, string] => [
        ["simulate", ...T, "--from", text, ...X],
        {},
        `--from: expected a time such as 2025-03-30T00:55:00Z, got ${JSON.stringify(text)}`,
      ],
    ),
  ];
  for (const [args, env, message] of cases) {
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value} `);
    it(JSON.stringify(`${variables.join("")}${args.join(" ")}`.slice(0, 100)), async () => {
      const outcome = await supertick(args, env);
      assert.deepEqual(outcome, { status: 2, stdout: "", stderr: `supertick: ${message}\n` });
    });
  }
});

describe("a TICK_… variable that is no option", { concurrency: 8 }, () => {
  const cases: Array<[name: string, warning: string]> = [
    ["TICK_GAOL", "TICK_GAOL is not a variable of supertick; it is ignored; did you mean TICK_GOAL?"],
    ["TICK_TIMEOT", "TICK_TIMEOT is not a variable of supertick; it is ignored; did you mean TICK_TIMEOUT?"],
    ["TICK_WHATEVER_ELSE", "TICK_WHATEVER_ELSE is not a variable of supertick; it is ignored"],
  ];
  for (const [name, warning] of cases) {
    it(`${name} is told once, and ignored`, async (t) => {
      const args = ["--ticks", "5", "--state", `${temporaryDirectory(t)}/state`, "--", "/bin/true"];
      const { stderr, stdout } = await supertick(args, { [name]: "7", STICK_NAME: "x", TICKER: "y" });
      assert.deepEqual(
        stderr.split("\n").filter((line) => line.includes("TICK_")),
        [`supertick: true: ${warning}`],
      );
      assert.equal(stdout, "READY\n");
    });
  }

  it("is none of the known ones", () => {
    const env = { TICK_GOAL: "5", TICK_NAME: "x", PATH: "/bin" };
    assert.deepEqual(parseEnvironment(env).warnings, []);
  });
});

// ── Help and README ────────────────────────────────────────────────────────

interface Documented {
  flag: string;
  env: string | undefined;
}

/** The rows of --help: `  --flag VALUE  TICK_VARIABLE  text`. */
async function helpedOptions(): Promise<Documented[]> {
  const { stdout } = await supertick(["--help"]);
  return [...stdout.matchAll(/^ {2}(--?[a-z-]+)(?: [A-Z]+)? +(TICK_[A-Z_]+)? +\S/gm)].map(([, flag, env]) => ({
    flag,
    env,
  }));
}

describe("what it says of itself", { concurrency: 4 }, () => {
  const OPTIONS =
    "--ticks --every --cron --on --crontab --offset --tick --tz --catch-up --jitter --run-on-start --name --overlap --timeout --kill-after --retries --retry-delay --max-running --only-if --state --verbose --log --on-failure --on-success --on-skip --ping --for --speed --from -n --json";

  for (const flag of ["--help", "-h"]) {
    it(`${flag} shows every option and exits 0, whatever else is wrong`, async () => {
      const outcome = await supertick(["--nonsense", flag]);
      assert.equal(outcome.status, 0);
      assert.equal(outcome.stderr, "");
      for (const option of OPTIONS.split(" ")) assert.match(outcome.stdout, new RegExp(`^  ${option}\\b`, "m"));
      for (const line of outcome.stdout.split("\n")) assert.equal(line, line.trimEnd());
    });
  }

  it("--help has a row with flag, variable and text for each", async () => {
    assert.deepEqual((await helpedOptions()).map(({ flag }) => flag).sort(), OPTIONS.split(" ").sort());
  });

  it("--version is that of package.json", async () => {
    const { version } = JSON.parse(fs.readFileSync(path.join(ROOT, "package.json"), "utf8"));
    assert.deepEqual(await supertick(["--version"]), { status: 0, stdout: `supertick ${version}\n`, stderr: "" });
  });

  it("neither is taken from behind --", async () => {
    assert.equal((await supertick(["--", "x", "--help"])).status, 2);
  });

  it("README's tables have a row for every option with its variable, and for no other", async () => {
    const readme = fs.readFileSync(path.join(ROOT, "README.md"), "utf8");
    const rows = [...readme.matchAll(/^\| `(--?[a-z-]+)[^`]*` \|(?: `(TICK_[A-Z_]+)` \|)?/gm)];
    const documented = rows.map(([, flag, env]): Documented => ({ flag, env }));
    assert.deepEqual(documented, await helpedOptions());
  });

  it("README names no variable that is none", async () => {
    const readme = fs.readFileSync(path.join(ROOT, "README.md"), "utf8");
    const known = (await helpedOptions()).map(({ env }) => env);
    const named = readme.match(/\bTICK_[A-Z][A-Z_]*\b/g) ?? [];
    assert.deepEqual(
      [...new Set(named)].filter((name) => !known.includes(name)),
      [],
    );
  });
});
