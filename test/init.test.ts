// The section that init prints: supervisord's own parser makes of it what was asked for, whatever is in the arguments.

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { describe, it, test as nodeTest, type TestContext } from "node:test";
import * as fc from "fast-check";
import { formatSection, type ListenerSection, UsageError } from "../listener";
import { LISTENER, RUNTIME, run, supertick, temporaryDirectory } from "./harness";
import { createSupervisord, skipWithoutSupervisord, supervisorPython } from "./real-supervisord";

// ── Helpers ────────────────────────────────────────────────────────────────

type Env = Record<string, string>;

const init = (args: string[], env: Env = {}) => supertick(["init", ...args], env);

/** The lines of the section for these arguments. */
function linesOf(args: string[], env: Env = {}): string[] {
  const { status, stdout, stderr } = init(args, env);
  assert.deepEqual([status, stderr], [0, ""]);
  return stdout.split("\n");
}

/** What supervisord made of a section; see parse-supervisord-conf.py. */
interface Program {
  name: string;
  command: string[];
  environment: Env;
  events: string[];
}

/** What supervisord reads. [include] makes its parser go over every value once more. */
function parse(t: TestContext, sections: string): Program[] {
  const file = path.join(temporaryDirectory(t), "supervisord.conf");
  fs.writeFileSync(file, `[supervisord]\n[include]\nfiles = none/*.conf\n${sections}`);
  const { status, stdout, stderr } = run([
    ...supervisorPython(),
    path.join(__dirname, "parse-supervisord-conf.py"),
    file,
  ]);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

const section = (more: Partial<ListenerSection>): ListenerSection => ({
  ...{ name: "sync", command: ["supertick"], events: ["TICK_60"], killAfterSeconds: 5, environment: [] },
  ...more,
});

// Each test is skipped, not their suite, so that the summary counts them.
const test = (name: string, body: (t: TestContext) => void | Promise<void>) =>
  nodeTest(name, { skip: skipWithoutSupervisord }, body);

// ── The section ────────────────────────────────────────────────────────────

describe("init", () => {
  it("prints a section to paste", () => {
    assert.deepEqual(linesOf(["--every", "5m", "--verbose", "--", "/usr/local/bin/sync-all", "--quiet"]), [
      "[eventlistener:sync-all]",
      `command=${startOf(LISTENER)} --every 5m --verbose --tick TICK_60 -- /usr/local/bin/sync-all --quiet`,
      "events=TICK_60",
      "autorestart=true",
      "stdout_logfile=NONE",
      "; for a container; where supervisord's stderr is a socket, as under systemd, name a file here",
      "stderr_logfile=/dev/stderr",
      "stderr_logfile_maxbytes=0",
      "",
    ]);
  });

  const ticks: Array<[args: string[], events: string, flag: string | undefined, env?: Env]> = [
    [["--every", "1h"], "TICK_3600", "TICK_3600"],
    [["--every", "1d", "--offset", "2h"], "TICK_3600", "TICK_3600"],
    [["--every", "1d", "--offset", "90m"], "TICK_60", "TICK_60"],
    [["--every", "90m"], "TICK_60", "TICK_60"],
    [["--every", "90s"], "TICK_5", "TICK_5"],
    [["--cron", "@daily", "--tz", "UTC"], "TICK_3600", "TICK_3600"],
    [["--cron", "@daily", "--tz", "Asia/Kolkata"], "TICK_60", "TICK_60"],
    [["--cron", "@daily", "--tz", "Australia/Lord_Howe"], "TICK_60", "TICK_60"],
    [["--cron", "30 2 * * *"], "TICK_60", "TICK_60"],
    [["--cron", "*/10 * * * * *"], "TICK_5", "TICK_5"],
    [["--ticks", "5"], "TICK_60", "TICK_60"],
    [["--ticks", "5", "--tick=TICK_5"], "TICK_5", "TICK_5"],
    [["--ticks", "5"], "TICK_3600", "TICK_3600", { TICK_EVENT: "TICK_3600" }],
    [["--on", "PROCESS_STATE_FATAL, PROCESS_STATE_EXITED"], "PROCESS_STATE_FATAL,PROCESS_STATE_EXITED", undefined],
    [["--on", "PROCESS_STATE", "--tick", "TICK_60"], "PROCESS_STATE,TICK_60", "TICK_60"],
  ];
  for (const [args, events, flag, env] of ticks) {
    it(`${args.join(" ")}${env ? ` with ${Object.entries(env)}` : ""} listens to ${events}`, () => {
      const [, command, eventsLine, ...rest] = linesOf([...args, "--", "true"], env);
      assert.equal(eventsLine, `events=${events}`);
      assert.equal(/--tick[ =](\w+)/.exec(command)?.[1], flag);
      assert.doesNotMatch(rest.join("\n"), /^environment/m);
    });
  }

  const names: Array<[args: string[], header: string]> = [
    [["--", "/usr/bin/sync-all"], "sync-all"],
    [["--name", "nightly sync: a", "--", "x"], "nightly-sync-a"],
    [["--", "/opt/back:up %;#[x].sh"], "back-up-x-.sh"],
    [["--", "/opt/täglich"], "täglich"],
    [["--", "/opt/:"], "job"],
    [["--", "/opt/"], "job"],
  ];
  for (const [args, name] of names) {
    it(`names the section of ${args.join(" ")} ${name}`, () => {
      assert.equal(linesOf(["--ticks", "5", ...args])[0], `[eventlistener:${name}]`);
    });
  }

  it("gives supervisord more patience than --kill-after, if the usual ten seconds are too few", () => {
    const stopLine = (...args: string[]) => linesOf(["--ticks", "5", ...args, "--", "true"]).at(-2);
    assert.equal(stopLine("--kill-after", "5s"), "stderr_logfile_maxbytes=0");
    assert.equal(stopLine("--kill-after", "6s"), "stopwaitsecs=11");
    assert.equal(stopLine("--kill-after", "1m"), "stopwaitsecs=65");
  });

  const whole: Array<[args: string[], env?: Env]> = [
    ...ticks.map(([args, , , env]): [string[], Env?] => [[...args, "--", "true"], env]),
    ...names.map(([args]): [string[]] => [["--ticks", "5", ...args]]),
    [["--every", "7s", "--kill-after", "1h", "--", "semi ; colon", "100%", "it's", 'say "x"', "\\"]],
    [["--cron", "*/5 * * * *", "--only-if", "a ; b # c", "--verbose=no", "--", "x"], { TICK_PING: "http://x/%20" }],
  ];
  it("prints what check finds no mistake in", (t) => {
    const file = path.join(temporaryDirectory(t), "a.conf");
    for (const [args, env] of whole) {
      fs.writeFileSync(file, init(args, env).stdout);
      const { status, stdout } = run([...RUNTIME, LISTENER, "check", file]);
      assert.equal(status, 0, stdout);
      assert.match(stdout, /^no mistake in \[eventlistener:[^\]]+\]$/m);
    }
  });

  it("keeps variables variables, so that a secret stays out of ps", () => {
    const env = { TICK_GOAL: "5", TICK_PING: "https://hc-ping.com/x%20y", TICK_ON_SKIP: 'echo "no" >&2' };
    const lines = linesOf(["--", "true"], env);
    assert.ok(lines.includes(`command=${startOf(LISTENER)} --tick TICK_60 -- true`));
    assert.equal(
      lines.at(-2),
      `environment=TICK_GOAL="5",TICK_ON_SKIP='echo "no" >&2',TICK_PING="https://hc-ping.com/x%%20y"`,
    );
  });

  it("tells on stderr what it would otherwise hide", () => {
    const { status, stdout, stderr } = init(["--every", "90s", "--tick", "TICK_60", "--", "true"], { TICK_GAOL: "5" });
    assert.equal(status, 0);
    assert.match(stderr, /^supertick: note: TICK_GAOL is not a variable of supertick.*TICK_GOAL\?$/m);
    assert.match(stderr, /^supertick: note: every 1m30s does not fit a tick every 1m;/m);
    assert.match(stdout, /^events=TICK_60$/m);
  });

  it("tells how often a job that counts ticks runs, where another job has chosen the tick", (t) => {
    const directory = temporaryDirectory(t);
    const crontabOf = (text: string) => {
      const file = `${directory}/crontab`;
      fs.writeFileSync(file, text);
      return file;
    };
    const note = /^supertick: note: every 5 ticks of TICK_5 is every 25s$/m;
    const withFine = crontabOf("@every 90s true\n@ticks 5 true\n");
    assert.match(init(["--crontab", withFine]).stderr, note);
    assert.doesNotMatch(init(["--crontab", withFine, "--tick", "TICK_5"]).stderr, note);
    assert.equal(init(["--crontab", crontabOf("@every 5m true\n@ticks 5 true\n")]).stderr, "");
  });

  it("tells that a relative name is not for pasting", () => {
    const { stderr } = init(["--ticks", "5", "--state", "count", "--", "./sync-all"]);
    assert.match(stderr, /^supertick: note: "count" is looked for where supervisord runs: give its whole path$/m);
    assert.match(stderr, /^supertick: note: "\.\/sync-all" is looked for where supervisord runs/m);
  });

  const refused: Array<[args: string[], message: string, env?: Env]> = [
    [[], "when shall it run?"],
    [["--ticks", "5"], "which command shall run? Put it behind --"],
    [["--ticks", "5", "--", ""], "the command behind -- is empty"],
    [["--ticks", "5", "--json", "--", "x"], "--json does not belong here"],
    [["--ticks", "5", "--", "a", "b\nc"], '"b\\nc" has a line break, which supervisord.conf can\'t hold: put it into'],
    [["--ticks", "5", "--", "b\rc"], '"b\\rc" has a line break'],
    [["--ticks", "5", "--only-if", "a\nb", "--", "x"], '"a\\nb" has a line break'],
    [["--ticks", "5", "--", "x"], 'TICK_ONLY_IF "a ;b" can\'t be a variable', { TICK_ONLY_IF: "a ;b" }],
    [["--ticks", "5", "--", "x"], "give it as --only-if", { TICK_GOAL: "5", TICK_ONLY_IF: `say "x"` }],
    [["--ticks", "5", "--", "x"], "give it as --on-skip", { TICK_ON_SKIP: "a\nb" }],
  ];
  for (const [args, message, env] of refused) {
    it(`refuses ${JSON.stringify(args)}${env ? ` with ${JSON.stringify(env)}` : ""}`, () => {
      const { status, stdout, stderr } = init(args, env);
      assert.deepEqual([status, stdout], [2, ""]);
      assert.ok(stderr.startsWith("supertick: ") && stderr.includes(message), stderr);
    });
  }
});

// ── The path of supertick itself ───────────────────────────────────────────

/** How init says that the file is started. */
function startOf(file: string): string {
  return RUNTIME.length === 1 && /node$/.test(RUNTIME[0]) ? file : [...RUNTIME, file].join(" ");
}

describe("init writes supertick's own path", { skip: !/node$/.test(RUNTIME[0]) }, () => {
  const commandOf = (words: string[]) => {
    const { status, stdout, stderr } = run([...words, "init", "--ticks", "5", "--", "true"]);
    assert.deepEqual([status, stderr], [0, ""]);
    return /^command=(.*) --ticks 5 --tick TICK_60 -- true$/m.exec(stdout)?.[1];
  };
  const copy = (t: TestContext, name: string, mode: number) => {
    const file = path.join(temporaryDirectory(t), name);
    fs.copyFileSync(LISTENER, file);
    fs.chmodSync(file, mode);
    return file;
  };

  it("as it was started, through a link too", (t) => {
    const file = copy(t, "supertick", 0o755);
    const link = path.join(temporaryDirectory(t), "cron");
    fs.symlinkSync(file, link);
    assert.equal(commandOf([file]), file);
    assert.equal(commandOf([link]), link);
  });

  it("with node in front where it is not executable", (t) => {
    const file = copy(t, "listener.js", 0o644);
    assert.equal(commandOf([process.execPath, file]), `${process.execPath} ${file}`);
  });

  it("with the ending that was left out", (t) => {
    const file = copy(t, "listener.js", 0o755);
    assert.equal(commandOf([process.execPath, file.replace(/\.js$/, "")]), file);
  });

  it("in quotes where it has a blank", (t) => {
    assert.match(commandOf([copy(t, "super tick", 0o755)]) ?? "", /^"\/.*\/super tick"$/);
  });
});

// ── What supervisord makes of it ───────────────────────────────────────────

const NASTY = [
  ...['"', "'", "\\", "%", "$", ";", "#", " ", "\t", ",", "=", ":", "[x]", "(here)s", "%(here)s", "%(ENV_HOME)s", "%%"],
  ...[
    "\u00a0",
    "\u2028",
    "\u001c",
    "\u0085",
    "\u000b",
    "\ufeff",
    "é",
    "日",
    "🙂",
    "a",
    "-",
    "--",
    "\\n",
    "`",
    "*",
    "~",
  ],
];
const nastyText = fc.oneof(
  fc.array(fc.constantFrom(...NASTY), { maxLength: 8 }).map((parts) => parts.join("")),
  fc.string({ unit: "binary", maxLength: 12 }).map((text) => text.replace(/[\0\r\n\ud800-\udfff]/g, "")),
);

describe("supervisord reads init's section:", () => {
  const words = [
    ..."plain,semi ; colon,;x,a ;,a #b,#,100%,%(here)s,%%(here)s,%(program_name)s,date +%s,it's,$HOME".split(","),
    ...['say "hi"', `both ' and "`, `' ; " #`, "back\\slash", "end\\", '\\" ;\\', "\\\\", "", " ", " lead", "trail "],
    ...[
      "tab\t;x",
      "täglich",
      "日本 ;x",
      "\u00a0;x",
      "\u2003#",
      "a,b",
      "[section]",
      "key=value",
      "-- ;",
      "🙂",
      "'",
      '"',
    ],
  ];
  test("every word of the command is whole", (t) => {
    const sections = words.map((word, i) => formatSection(section({ name: `job${i}`, command: ["supertick", word] })));
    const programs = parse(t, sections.join("\n"));
    const parsed = new Map(programs.map(({ name, command }) => [name, command]));
    words.forEach((word, i) => {
      assert.deepEqual(parsed.get(`job${i}`), ["supertick", word]);
    });
  });

  test("any command and any variables", (t) => {
    const listener = fc.record({
      command: fc.array(nastyText, { minLength: 1, maxLength: 6 }),
      value: nastyText,
    });
    // One start of Python for many cases.
    const property = fc.property(fc.array(listener, { minLength: 150, maxLength: 150 }), (listeners) => {
      const expected: Program[] = [];
      let sections = "";
      listeners.forEach(({ command, value }, i) => {
        const name = `job${String(i).padStart(3, "0")}`;
        const environment = isRefused(value) ? [] : [["TICK_ON_SKIP", value] as const, ["TICK_GOAL", "5"] as const];
        sections += formatSection(section({ name, command, environment }));
        expected.push({ name, command, environment: Object.fromEntries(environment), events: ["Tick60Event"] });
      });
      assert.deepEqual(parse(t, sections), expected);
    });
    fc.assert(property, { numRuns: 8, endOnFailure: true });
  });

  function isRefused(value: string): boolean {
    try {
      formatSection(section({ environment: [["TICK_ON_SKIP", value]] }));
      return false;
    } catch (error) {
      assert.ok(error instanceof UsageError);
      return true;
    }
  }

  test("and the listener runs its command as it was given", async (t) => {
    const supervisord = createSupervisord(t);
    const print = supervisord.script("täg lich", `printf '%s|' "$@" > printed.new && mv printed.new printed`);
    const args = ["semi ; colon", "", 'say "hi" #x', "it's ;", "100%", "%(here)s", "$HOME", "\\", "é\t;"];
    const own = ["--ticks", "2", "--kill-after", "11s", "--state", supervisord.path("state"), "--only-if", "exit 0 ;:"];
    const { stdout } = init([...own, "--", print, ...args]);
    supervisord.section(stdout.replace("/dev/stderr", supervisord.path("täg-lich-stderr.log")));
    await supervisord.start();
    await supervisord.tick(2);
    await supervisord.waitForStderr("run 1 finished: exit 0", 1, "täg-lich");
    assert.equal(supervisord.read("printed"), args.map((arg) => `${arg}|`).join(""));
  });
});
