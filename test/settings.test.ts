// Flags, environment variables and the sentences for a wrong one. What the shipped file says and how it exits is taken
// from dist/listener.js; SUPERTICK_RUNTIME chooses what runs it.

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { describe, it } from "node:test";
import {
  parseCommandLine,
  parseEnvironment,
  policyOf,
  resolveSettings,
  type Settings,
  SliceSchedule,
  scheduleOf,
  TickSchedule,
  UsageError,
} from "../listener";
import { DOCUMENTS, isDeno, LISTENER, ROOT, run, runtimeWith, supertick, temporaryDirectory } from "./harness";

type Env = Record<string, string>;

function settings(args: string[], env: Env = {}, scopes: Parameters<typeof parseCommandLine>[1] = ["job", "listener"]) {
  const { layer } = parseCommandLine(args, scopes);
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
    ["--drain", "TICK_DRAIN", "10m", "drain", 600, 0],
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
      const others = flag === "--retry-delay" ? [...SCHEDULE, "--retries", "1"] : SCHEDULE;
      assert.deepEqual(settings([...others, flag, text])[key], value);
      assert.deepEqual(settings([...others, `${flag}=${text}`])[key], value);
      assert.deepEqual(settings(others, { [env]: text })[key], value);
      assert.deepEqual(settings(SCHEDULE)[key], standard);
    });
  }

  it("of the environment is not given where it is empty, as compose files make it", () => {
    const empty = { TICK_EVERY: "", TICK_TIMEOUT: "", TICK_VERBOSE: "", TICK_GAOL: "" };
    assert.deepEqual(settings(SCHEDULE, empty), settings(SCHEDULE));
    assert.deepEqual(parseEnvironment(empty).warnings, []);
  });

  it("of the environment is not even read where it has no effect", () => {
    assert.equal(settings(SCHEDULE, { TICK_RETRY_DELAY: "2h" }).retryDelay, 10);
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

  it("is not looked for behind --, and may hold = in its value", () => {
    const { layer, command } = parseCommandLine(["--ticks=5", "--", "x", "--every", "--", "-h"], ["job"]);
    assert.deepEqual(command, ["x", "--every", "--", "-h"]);
    assert.equal(layer.texts.size, 1);
    assert.equal(settings([...SCHEDULE, "--state=/a=b"]).state, "/a=b");
  });

  it("of one letter may have a number right behind it", () => {
    for (const words of [["-n12"], ["-n=12"], ["-n", "12"]])
      assert.deepEqual([...parseCommandLine(words, ["check"]).layer.texts.values()], [{ text: "12", origin: "-n" }]);
    assert.throws(() => parseCommandLine(["-nx"], ["check"]), /unknown option "-n…"/);
    assert.throws(() => parseCommandLine(["--every5"], ["job"]), /unknown option/);
  });

  it("may be any name of 1 to 100 characters", () => {
    for (const name of ["a", "x".repeat(100), "sync-all:1", "日本", "a.b"])
      assert.equal(settings([...SCHEDULE, "--name", name]).name, name);
  });
});

describe("the schedule", () => {
  const TICKS_5 = new TickSchedule(5);
  const HOURLY = new SliceSchedule(3600, 0);
  const LATER = new SliceSchedule(3600, 300);
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
    ["an offset from the flags", ["--every", "1h", "--offset", "5m"], {}, LATER],
    ["an offset from the environment", ["--every", "1h"], { TICK_OFFSET: "5m" }, LATER],
    ["a variable without effect is ignored", ["--ticks", "5"], { TICK_OFFSET: "5m" }, TICKS_5],
    ["the largest count", ["--ticks", "2147483648"], {}, new TickSchedule(2 ** 31)],
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
  const args = ["--ticks", "5", "--timeout", "1m", "--kill-after", "7s", "--drain", "3m"];
  const standard = {
    overlap: "skip",
    queueLimit: 1,
    timeoutSeconds: 60,
    killAfterSeconds: 7,
    drainSeconds: 180,
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
const NO_SCHEDULE =
  "no schedule given: use one of --ticks (TICK_GOAL), --every (TICK_EVERY), --cron (TICK_CRON), --on (TICK_ON), --crontab (TICK_CRONTAB)";
const NO_OPTION =
  "is not an option: the command goes behind --, a value with spaces needs quotes, and a switch takes no value but =no";
const NO_COMMAND = "no command given: put it behind --, as in supertick --ticks 5 -- /path/to/command";
const LONG = "y".repeat(300);

describe("a mistake is one sentence: ", () => {
  const T = ["--ticks", "5"];
  // biome-ignore format: a table
  const cases: Array<[args: string[], message: string | RegExp, env?: Env]> = [
    // no schedule, or two
    [[], NO_SCHEDULE],
    [["--ticks", "5", "--every", "5m"], "--ticks and --every are two schedules; give one"],
    [["--on", "PROCESS_STATE", "--every", "5m"], "--every and --on are two schedules; give one"],
    [[], "TICK_GOAL and TICK_EVERY are two schedules; give one", { TICK_GOAL: "5", TICK_EVERY: "5m" }],
    // words that are not options
    [["x", ...T], `"x" ${NO_OPTION}`],
    [["PASSWORD=hunter2", ...T], `"PASSWORD=…" ${NO_OPTION}`],
    [[...T, "hunter2"], `a word behind --ticks ${NO_OPTION}`],
    [[...T, "--verbose", "yes"], `a word behind --verbose ${NO_OPTION}`],
    [[...T, "-phunter2"], 'unknown option "-p…"'],
    [["help"], '"help" is not an option; did you mean --help?'],
    [["version"], '"version" is not an option; did you mean --version?'],
    [["statsu"], '"statsu" is not an option; did you mean status?'],
    [["--on", "PROCESS_FATAL"], '--on "PROCESS_FATAL": unknown event "PROCESS_FATAL"; did you mean PROCESS_STATE_FATAL?'],
    [["--tiks", "5"], 'unknown option "--tiks"; did you mean --ticks?'],
    [["--kill_after=5", ...T], 'unknown option "--kill_after"; did you mean --kill-after?'],
    [["--max-runing", "5"], 'unknown option "--max-runing"; did you mean --max-running?'],
    [[...T, "--something-else"], 'unknown option "--something-else"'],
    [[...T, "-v"], 'unknown option "-v"'],
    [[...T, "--\u001b[31m"], 'unknown option "--\\u001b[31m"'],
    [["--ticks", "5", "--ticks", "6"], "--ticks is given twice"],
    [["--ticks"], "--ticks needs a value: run on every Nth tick counted (1 to 2^31)"],
    [["--ticks", "--", "x"], "--ticks needs a value: run on every Nth tick counted (1 to 2^31)"],
    [[...T, "--for", "1h"], "--for does not belong here: see supertick --help for what takes it"],
    // a flag without effect
    [[...T, "--offset", "5m"], "--offset has no effect here: it goes with --every or --crontab"],
    [[...T, "--tz", "UTC"], "--tz has no effect here: it goes with --cron or --crontab"],
    [[...T, "--jitter", "5m"], "--jitter has no effect here: it goes with --every, --cron or --crontab"],
    [[...T, "--retry-delay", "5s"], "--retry-delay has no effect here: it goes with --retries or --crontab"],
    // values
    ...["0", "-1", "2147483649", "1.5", "1e3", "0x5", "", " 5", "5\n6"].map((text): [string[], string] =>
      [["--ticks", text], `--ticks: ${COUNT}, got ${JSON.stringify(text)}`]),
    [["--ticks="], `--ticks: ${COUNT}, got ""`],
    [["--ticks", LONG], `--ticks: ${COUNT}, got "${LONG.slice(0, 80)}…"`],
    [[], `TICK_GOAL: ${COUNT}, got "five"`, { TICK_GOAL: "five" }],
    [[], NO_SCHEDULE, { TICK_GOAL: "" }],
    [["--every", "5x"], `--every: ${DURATION}, got "5x"`],
    [["--every", "0"], '--every: expected a duration of at least 1s, got "0"'],
    [[], 'TICK_EVERY: expected a duration such as 1h30m, got "1.5h"', { TICK_EVERY: "1.5h" }],
    [["--every", "9007199254741"], '--every: expected a duration of at most 9007199254740s, got "9007199254741"'],
    [["--every", "5m", "--offset", "x"], `--offset: ${DURATION}, got "x"`],
    [[...T, "--tick", "TICK_6"], '--tick: expected TICK_5 or TICK_60 or TICK_3600, got "TICK_6"'],
    [T, 'TICK_EVENT: expected TICK_5 or TICK_60 or TICK_3600, got "tick_60"', { TICK_EVENT: "tick_60" }],
    [[...T, "--run-on-start=maybe"], '--run-on-start: expected yes or no, got "maybe"'],
    [T, 'TICK_VERBOSE: expected yes or no, got " "', { TICK_VERBOSE: " " }],
    ...["", "../x", "a/b", ".hidden", " x", "a\u0007"].map((text): [string[], string] =>
      [[...T, "--name", text], `--name: ${NAME}, got ${JSON.stringify(text)}`]),
    [T, `TICK_NAME: ${NAME}, got "${"y".repeat(80)}…"`, { TICK_NAME: "y".repeat(101) }],
    [[...T, "--overlap", "quue"], '--overlap: expected skip or queue or replace or allow, got "quue"'],
    [["--cron", "0 25 * * *"], '--cron "0 25 * * *": hour 25 is above 23'],
    [["--cron", "0 22-4 * * *"], '--cron "0 22-4 * * *": hour "22-4" runs backwards: write 22-23,0-4'],
    [["--cron", "@daily"], `TICK_CATCH_UP: ${DURATION}, got "-1h"`, { TICK_CATCH_UP: "-1h" }],
    ...["PROCESS_STATE_FATL", "process_state_fatal"].map((name): [string[], string] =>
      [["--on", name], `--on "${name}": unknown event "${name}"; did you mean PROCESS_STATE_FATAL?`]),
    [["--on", "TICK_60"], '--on "TICK_60": ticks are for --ticks, --every and --cron'],
    [[...T, "--timeout", "-5"], `--timeout: ${DURATION}, got "-5"`],
    [T, `TICK_TIMEOUT: ${DURATION}, got "abc"`, { TICK_TIMEOUT: "abc" }],
    [[...T, "--kill-after", "0"], '--kill-after: expected a duration of at least 1s, got "0"'],
    [[...T, "--state", ""], '--state: expected a file name, got ""'],
    [[...T, "--log", "xml"], '--log: expected raw or prefix or json, got "xml"'],
    [[...T, "--retries", "1001"], '--retries: expected a whole number from 0 to 1000, got "1001"'],
    [[...T, "--retries", "1", "--retry-delay", "2h"], '--retry-delay: expected a duration of at most 1h, got "2h"'],
    [[...T, "--ping", "ftp://x"], "--ping: expected an http or https URL"],
    [T, "TICK_PING: expected an http or https URL", { TICK_PING: "hc-ping.com" }],
    [[...T, "--only-if", " "], '--only-if: expected a shell command, got " "'],
    [T, 'TICK_ON_FAILURE: expected a shell command, got " "', { TICK_ON_FAILURE: " " }],
    // one option's value for another
    [["--tick", "5"], '--tick: expected TICK_5 or TICK_60 or TICK_3600, got "5"; did you mean --ticks?'],
    [[], 'TICK_EVENT: expected TICK_5 or TICK_60 or TICK_3600, got "5"; did you mean --ticks?', { TICK_EVENT: "5" }],
    [["--ticks", "TICK_60"], `--ticks: ${COUNT}, got "TICK_60"; did you mean --tick?`],
    [["--every", "*/5 * * * *"], `--every: ${DURATION}, got "*/5 * * * *"; did you mean --cron?`],
    [["--cron", "5m"], /^--cron "5m": .*; did you mean --every\?$/],
    [[...T, "--retry", "5"], 'unknown option "--retry"; did you mean --retries or --retry-delay?'],
    [[...T, "--env-file", "x"], 'unknown option "--env-file"; did you mean --job-env-file?'],
    [[...T, "--kill", "5"], 'unknown option "--kill"; did you mean --kill-after?'],
  ];
  for (const [args, message, env = {}] of cases) {
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value} `);
    it(JSON.stringify(`${variables.join("")}${args.join(" ")}`.slice(0, 100)), () =>
      assert.throws(() => settings(args, env), { constructor: UsageError, message }),
    );
  }

  it("simulate has options of its own, and the others too", () => {
    // biome-ignore format: a table
    const cases: Array<[args: string[], expected: string]> = [
      [["--for", "0"], "a duration of at least 1s"],
      [["--speed", "0"], "a whole number from 1 to 1000000 or max"],
      [["--speed", "fast"], "a whole number from 1 to 1000000 or max"],
      ...["now", "2025-13-01", "2025-02-30", "2025-11-24T25:00", "1970-01-01T00:00-30:00", "24.11.2025", ""].map(
        (text): [string[], string] => [["--from", text], "a time such as 2025-03-30T00:55:00Z"]),
    ];
    for (const [[flag, text], expected] of cases) {
      const message = `${flag}: expected ${expected}, got ${JSON.stringify(text)}`;
      const parse = () => settings([...T, flag, text], {}, ["job", "listener", "simulate", "trial"]);
      assert.throws(parse, { message });
    }
  });
});

describe("the shipped file ends with 2 and exactly one line for", () => {
  // biome-ignore format: a table
  const cases: Array<[args: string, message: string, env?: Env]> = [
    ["-- x", NO_SCHEDULE],
    ["--ticks 0 -- x", `--ticks: ${COUNT}, got "0"`],
    ["-- x", `${NO_SCHEDULE}; TICK_EVRY is not a variable of supertick; did you mean TICK_EVERY?`, { TICK_EVRY: "5m" }],
    ["--ticks 5", NO_COMMAND],
    ["--ticks 5 --", NO_COMMAND],
    ["simulate --ticks 5", NO_COMMAND],
    ["--ticks 5 -- ", "the command behind -- is empty"],
    ["--every 5m --offset 5m -- x", "the offset of 5m is not less than the slice of 5m"],
    ["--every 5m -- x", "the offset of 10m is not less than the slice of 5m", { TICK_OFFSET: "600" }],
    ["simulate --on EVENT -- x", "simulate plays ticks only; --on waits for other events of supervisord"],
  ];
  for (const [args, message, env] of cases) {
    it(`${args} ${JSON.stringify(env ?? {})}`, () => {
      const { status, stdout, stderr } = supertick(args.split(" "), env);
      assert.deepEqual({ status, stdout, stderr }, { status: 2, stdout: "", stderr: `supertick: ${message}\n` });
    });
  }
});

it("a TICK_… variable that is not an option is logged once, with the one that may be meant", (t) => {
  const args = ["--ticks", "5", "--state", `${temporaryDirectory(t)}/state`, "--", "/bin/true"];
  const env = {
    TICK_GAOL: "7",
    TICK_TIMEOT: "7",
    TICK_ANYTHING_ELSE: "7",
    STICK_NAME: "x",
    TICKER: "y",
    TICK_LOG: "raw",
  };
  const { stderr, stdout } = supertick(args, env);
  const lines = stderr.split("\n").filter((line) => line.includes("TICK_"));
  assert.deepEqual(lines.map((line) => line.replace("supertick: true: ", "")).sort(), [
    "TICK_ANYTHING_ELSE is not a variable of supertick",
    "TICK_GAOL is not a variable of supertick; did you mean TICK_GOAL?",
    "TICK_TIMEOT is not a variable of supertick; did you mean TICK_TIMEOUT?",
  ]);
  assert.equal(stdout, "READY\n");
});

// ── Help and README ────────────────────────────────────────────────────────

describe("what it says of itself", () => {
  const OPTIONS =
    "--ticks --every --cron --on --crontab --user-column --offset --tick --tz --catch-up --jitter --run-on-start --name --overlap --timeout --kill-after --drain --retries --retry-delay --user --job-env-file --max-running --only-if --state --verbose --log --on-failure --on-success --on-skip --ping --for --speed --frames --from -n --wait --for --state --host --json --prometheus";
  // Its rows: `  --flag VALUE  text [TICK_VARIABLE; default: …]`, over several lines.
  const optionsIn = (help: string) =>
    [...help.matchAll(/^ {2}(--?[a-z-]+)(?: [A-Z]+)? +\S.*(?:\n {3}.*)*/gm)].map(([row, flag]) => ({
      flag,
      env: /\[(TICK_[A-Z_]+)/.exec(row)?.[1],
    }));
  const options = optionsIn(supertick(["--help"]).stdout);

  it("--help has a row with flag, variable and text for each option, and none other", () => {
    assert.deepEqual(options.map(({ flag }) => flag).join(" "), OPTIONS);
  });

  for (const flag of ["--help", "-h"]) {
    it(`${flag} exits 0, whatever else is wrong, with lines of at most 80 columns`, () => {
      const { status, stdout, stderr } = supertick(["--nonsense", flag]);
      assert.deepEqual([status, stderr], [0, ""]);
      for (const line of stdout.split("\n")) assert.ok(line === line.trimEnd() && line.length <= 80, line);
    });
  }

  // biome-ignore format: a table
  const subcommands: Array<[name: string, flags: string]> = [
    ["init", ""], ["check", "--from -n --json"], ["simulate", "--for --speed --frames --from"], ["status", "--json --prometheus"],
    ["serve", "--host"],
  ];
  for (const [name, flags] of subcommands) {
    it(`${name} --help shows how it is called, and the options that are its own`, () => {
      const { status, stdout } = supertick([name, "--ticks", "5", "--help"]);
      assert.deepEqual(
        [
          status,
          optionsIn(stdout)
            .map(({ flag }) => flag)
            .join(" "),
        ],
        [0, flags],
      );
      const calls = [...stdout.matchAll(/^ {2}supertick (\w+)/gm)].map(([, word]) => word);
      assert.deepEqual([...new Set(calls)], [name]);
      assert.equal(stdout.includes("the options of a listener too"), !/^s(tatus|erve)$/.test(name));
      assert.doesNotMatch(stdout, /[^\n]{81}/);
    });
  }

  it("--version is that of package.json", () => {
    const { version } = JSON.parse(fs.readFileSync(path.join(ROOT, "package.json"), "utf8"));
    for (const words of [["--version"], ["-V"], ["check", "-V"]]) {
      const { status, stdout, stderr } = supertick(words);
      assert.deepEqual([status, stdout, stderr], [0, `supertick ${version}\n`, ""]);
    }
  });

  it("on Node 10 it says what it needs, and so it does where Node 8 can read no more of it", { skip: isDeno }, (t) => {
    const preload = path.join(temporaryDirectory(t), "old.cjs");
    fs.writeFileSync(preload, 'Object.defineProperty(process, "version", { value: "v10.24.1" });');
    const { status, stdout, stderr } = run([...runtimeWith(preload), LISTENER, "--version"]);
    assert.deepEqual([status, stdout], [2, ""]);
    assert.equal(stderr, "supertick: needs Node 12 or later, this is v10.24.1\n");
    assert.doesNotMatch(fs.readFileSync(LISTENER, "utf8"), /\bcatch \{|[^"']\bimport\(|\/[gimu]*s[gimu]*[,;.)]$/m);
  });

  it("neither is taken from behind --", () => assert.equal(supertick(["--", "x", "--help"]).status, 2));

  it("REFERENCE's tables have a row for every option with its variable, and for no other", () => {
    const rows = [...DOCUMENTS.matchAll(/^\| `(--?[a-z-]+)[^`]*` \|(?: `(TICK_[A-Z_]+)` \|)?/gm)];
    const documented = rows.map(([, flag, env]) => ({ flag, env }));
    assert.deepEqual(documented, options);
  });

  it("README and REFERENCE name no variable that is none", () => {
    const named = new Set(DOCUMENTS.match(/\bTICK_[A-Z][A-Z_]*\b/g));
    for (const { env } of options) for (const name of [`${env}`, `${env}_FILE`]) named.delete(name);
    assert.deepEqual([...named], []);
  });
});
