// Many jobs from one file: the grammar by parseCrontab, and through the shipped file what runs, when the file is read
// again, what becomes of records and runs then, and how many commands run at a time.

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { describe, it, type TestContext } from "node:test";
import * as fc from "fast-check";
import {
  argvOf,
  type Crontab,
  createZone,
  describeSchedule,
  jobId,
  type KnownJob,
  matchJobs,
  nextDues,
  parseCommandLine,
  parseCrontab,
  parseEnvironment,
  type Schedule,
  stableDelay,
} from "../listener";
import { runtimeWith, supertick, temporaryDirectory, until } from "./harness";
import { type Options, Supervisord } from "./supervisord";

const UTC = createZone("UTC");

function parse(text: string, args: string[] = [], env: Record<string, string> = {}): Crontab {
  return parseCrontab(text, {
    path: "jobs",
    flags: parseCommandLine(["--crontab", "jobs", ...args], ["job", "listener"]).layer,
    environment: parseEnvironment(env).layer,
    defaultZone: () => UTC,
    isUser: (word) => ["root", "www-data", "mail", "Debian-exim"].includes(word),
  });
}

function parsed(text: string, args?: string[], env?: Record<string, string>): Crontab["jobs"] {
  const { jobs, mistakes } = parse(text, args, env);
  assert.deepEqual(mistakes, []);
  return jobs;
}

// ── The text ───────────────────────────────────────────────────────────────

describe("a line of a crontab", () => {
  const schedules: Array<[line: string, words: string, command: string]> = [
    ["*/5 * * * * cmd a b", "every 5 minutes, UTC", "cmd a b"],
    ["30 2 * * SUN cmd", "at 02:30 on Sundays, UTC", "cmd"],
    ["  30\t2  * *\t* \t cmd  'a  b' ", "at 02:30, UTC", "cmd  'a  b'"],
    ["@daily cmd", "at 00:00, UTC", "cmd"],
    ["@hourly\tcmd", "every hour at :00, UTC", "cmd"],
    ["@every 1h30m cmd", "every 1h30m", "cmd"],
    ["@every 90 cmd", "every 1m30s", "cmd"],
    ["@ticks 5 cmd", "every 5 ticks", "cmd"],
    ["@start cmd", "when the listener starts", "cmd"],
    ["@reboot cmd", "when the listener starts", "cmd"],
    ["0 0 1 1 * A=1 cmd", "at 00:00 on the 1st in January, UTC", "A=1 cmd"],
    ["* * * * * 7z a x", "every minute, UTC", "7z a x"],
    ["* * * * * mail -s Subject me", "every minute, UTC", "mail -s Subject me"],
    ["* * * * * mail && x", "every minute, UTC", "mail && x"],
    ["* * * * * mon -c x", "every minute, UTC", "mon -c x"],
  ];
  for (const [line, words, command] of schedules) {
    it(`is a job: ${JSON.stringify(line)}`, () => {
      const [job] = parsed(line);
      assert.equal(describeSchedule(job.schedule), words);
      assert.equal(job.command, command);
      assert.deepEqual(argvOf(job), ["/bin/sh", "-c", command]);
    });
  }

  for (const line of [
    "",
    "   \t",
    "# 0 0 * * * cmd",
    "  # comment",
    "A=1",
    "TICK_TIMEOUT=5m",
    "CRON_TZ=Europe/Berlin",
  ]) {
    it(`is none: ${JSON.stringify(line)}`, () => assert.deepEqual(parsed(line), []));
  }

  const variables: Array<[line: string, name: string, value: string]> = [
    ["A=1", "A", "1"],
    ["A = b c ", "A", "b c"],
    ['A="  b  "', "A", "  b  "],
    ["A='b \"c\"'", "A", 'b "c"'],
    ['"A"=b', "A", "b"],
    ["A=", "A", ""],
    ['A=""', "A", ""],
    ["A=$HOME/x=y", "A", "$HOME/x=y"],
    ["A=b # c", "A", "b # c"],
    ["__proto__=x", "__proto__", "x"],
    ["node.options-of_me=x", "node.options-of_me", "x"],
  ];
  for (const [line, name, value] of variables) {
    it(`sets a variable of the jobs below, and of none above: ${line}`, () => {
      const [above, below] = parsed(`@daily cmd\n${line}\n@daily cmd`);
      assert.deepEqual(Object.entries(above.env), []);
      assert.deepEqual(Object.entries(below.env), [[name, value]]);
    });
  }

  const percents: Array<[command: string, shown: string, input?: string]> = [
    ["date +\\%F", "date +%F"],
    ["cat%one%two", "cat", "one\ntwo\n"],
    ["cat%one \\% two%", "cat", "one % two\n"],
    ["cat%", "cat", ""],
    ["printf '\\\\\\%'", "printf '\\\\%'"],
    ["echo a\\b\\%c", "echo a\\b%c"],
  ];
  for (const [command, shown, input] of percents) {
    it(`has what follows the first % as its stdin: ${command}`, () => {
      const [job] = parsed(`@daily ${command}`);
      assert.deepEqual([job.command, job.input], [shown, input]);
    });
  }

  it("may end in CR LF, be the last one without an end, and follow a byte order mark", () => {
    const text = "\ufeffA='x'\r\n@daily one\r\n\r\n@daily two";
    assert.deepEqual(
      parsed(text).map(({ command, env }) => [command, env.A]),
      [
        ["one", "x"],
        ["two", "x"],
      ],
    );
  });

  it("runs with the SHELL above it", () => {
    const [one, two] = parsed("@daily x\nSHELL=/bin/bash\n@daily y");
    assert.deepEqual(argvOf(one), ["/bin/sh", "-c", "x"]);
    assert.deepEqual(argvOf(two), ["/bin/bash", "-c", "y"]);
  });
});

describe("an option in a crontab", () => {
  it("holds for the jobs below, until it is set again or taken back", () => {
    const text = "TICK_TIMEOUT=5m\n@daily a\nTICK_TIMEOUT=1h\n@daily b\nTICK_TIMEOUT=\n@daily c";
    assert.deepEqual(
      parsed(text).map(({ settings }) => settings.timeout),
      [300, 3600, 0],
    );
  });

  it("goes before the environment and behind the flags", () => {
    const text = "@daily a\nTICK_TIMEOUT=2m\n@daily b";
    const timeouts = (args: string[]) => parsed(text, args, { TICK_TIMEOUT: "1m" }).map((job) => job.settings.timeout);
    assert.deepEqual(timeouts([]), [60, 120]);
    assert.deepEqual(timeouts(["--timeout", "3m"]), [180, 180]);
  });

  it("is the zone of the cron lines below, as CRON_TZ too", () => {
    const words = parsed("CRON_TZ=Europe/Berlin\n0 3 * * * a\nTICK_TZ=America/New_York\n0 3 * * * b\n@every 1h c");
    assert.deepEqual(
      words.map(({ schedule }) => describeSchedule(schedule)),
      ["at 03:00, Europe/Berlin", "at 03:00, America/New_York", "every 1h"],
    );
  });

  it("is not an environment variable of the commands", () => {
    assert.deepEqual(parsed("TICK_PING=https://x.example/secret\n@daily a")[0].env, {});
  });

  it("does not turn a schedule of the environment into one of the jobs", () => {
    assert.equal(parsed("@daily a", [], { TICK_GOAL: "5", TICK_NAME: "x" })[0].name, "a");
  });
});

describe("the name of a job", () => {
  const cases: Array<[text: string, names: string[]]> = [
    ["@daily /usr/bin/sync --all", ["sync"]],
    ["@daily A=1 B=2 /usr/bin/sync", ["sync"]],
    ["@daily sync\n@daily sync -x\n@daily sync -y", ["sync", "sync.2", "sync.3"]],
    ["@daily sync\nTICK_NAME=sync\n@daily x", ["sync.2", "sync"]],
    ["TICK_NAME=nightly sync\n@daily a\n@daily a", ["nightly sync", "a"]],
    ["@daily exec /usr/bin/sync", ["sync"]],
    ["@daily '/opt/my app/run'", ["my"]],
    ["@daily (cd /x; ./run)", ["cd"]],
    ["@daily .hidden", ["job"]],
    ["@daily /\n@daily /", ["job", "job.2"]],
  ];
  for (const [text, names] of cases) {
    it(`${JSON.stringify(text)}: ${names.join(", ")}`, () => {
      assert.deepEqual(
        parsed(text).map(({ name }) => name),
        names,
      );
    });
  }
});

describe("a mistake in a crontab", () => {
  const cases: Array<[text: string, mistake: string | RegExp]> = [
    ["0 25 * * * cmd", 'jobs:1: schedule "0 25 * * *": hour 25 is above 23'],
    ["\n\n* * * * FOO cmd", /^jobs:3: schedule "\* \* \* \* FOO": day-of-week "FOO" /],
    ["* * * * *", "jobs:1: expected five time fields and a command behind, as in 30 2 * * * /path/to/command"],
    ["* * * *", "jobs:1: expected five time fields and a command behind, as in 30 2 * * * /path/to/command"],
    ["@daily", "jobs:1: expected @daily and a command behind, as in @daily /path/to/command"],
    ["@every 5m", "jobs:1: expected @every and a command behind, as in @every 5 /path/to/command"],
    ["@every 0 cmd", 'jobs:1: @every: expected a duration of at least 1s, got "0"'],
    ["@every x cmd", 'jobs:1: @every: expected a duration such as 30s, 5m or 1h30m, got "x"'],
    ["@ticks 0 cmd", 'jobs:1: @ticks: expected a whole number from 1 to 2147483648, got "0"'],
    ["@dayly cmd", 'jobs:1: "@dayly" is no schedule; did you mean @daily?'],
    ["@sometimes cmd", /^jobs:1: "@sometimes" is no schedule: expected @hourly, .* or @reboot$/],
    ["0 30 2 * * * cmd", /^jobs:1: there is a sixth time field: a line has five/],
    ["*\u00a0* * * * cmd x", /^jobs:1: schedule .* has a no-break space \(U\+00A0\)/],
    [
      "17 * * * * root cd / && run-parts /etc/cron.hourly",
      /^jobs:1: "root" is a user, as in a system crontab: .*remove/,
    ],
    ["@daily www-data x", /^jobs:1: "www-data" is a user/],
    ["@daily Debian-exim [ -x /usr/sbin/exim4 ] && x", /^jobs:1: "Debian-exim" is a user/],
    ["0 0 2 * * MON-FRI cmd", /^jobs:1: there is a sixth time field: a line has five/],
    ["0 0 2 * * SUN cmd", /^jobs:1: there is a sixth time field: a line has five/],
    ["export A=1", 'jobs:1: a line that begins with "export" is neither a variable, NAME=value, nor a job'],
    ['A="b', 'jobs:1: the value of A has no closing "'],
    ["A='b'c", "jobs:1: the value of A goes on behind its closing '"],
    ["TICK_TIMEOUT=abc", 'jobs:1: TICK_TIMEOUT: expected a duration such as 30s, 5m or 1h30m, got "abc"'],
    ["CRON_TZ=Europe/Berln", /^jobs:1: CRON_TZ "Europe\/Berln": timezone/],
    ["TICK_TIMOUT=5m", "jobs:1: TICK_TIMOUT is not a variable of supertick; did you mean TICK_TIMEOUT?"],
    ["TICK_STATE=/x", "jobs:1: TICK_STATE is the listener's: give it as --state, or in its environment"],
    ["TICK_GOAL=5", /^jobs:1: TICK_GOAL is a schedule: here it stands at the beginning of the job's own line$/],
    ["TICK_NAME=a/b\n@daily x", /^jobs:1: TICK_NAME: expected a name/],
    ["TICK_NAME=x", "jobs:1: TICK_NAME names no job: none follows"],
    ["TICK_NAME=x\n@daily a\nTICK_NAME=x\n@daily b", 'jobs:4: the job in line 2 has the name "x" already'],
    ["TICK_OFFSET=2h\n@every 1h x", "jobs:2: @every 1h: the offset of 2h is not less than the slice"],
    ["@daily %x", "jobs:1: the command is empty: it begins with %"],
    ["@daily a\0b", "jobs:1: the line has a NUL byte: is this a text file?"],
  ];
  for (const [text, mistake] of cases) {
    it(`is told with file, line and field: ${JSON.stringify(text)}`, () => {
      const { mistakes } = parse(text);
      assert.equal(mistakes.length, 1);
      if (typeof mistake === "string") assert.equal(mistakes[0], mistake);
      else assert.match(mistakes[0], mistake);
    });
  }

  it("does not hide the others", () => {
    const { jobs, mistakes } = parse("@dayly a\n@daily b\nTICK_X=1\n@daily c");
    assert.deepEqual([jobs.length, mistakes.length], [2, 2]);
  });

  it("quotes no value of a variable and no command: they may be secrets", () => {
    const { mistakes } = parse(
      "PASSWORD='Gartenzaun\nexport PASSWORD=Gartenzaun\n* * * Gartenzaun\n1 1 1 1 1 * Gartenzaun",
    );
    assert.equal(mistakes.length, 4);
    assert.doesNotMatch(mistakes.join(), /Gartenzaun/);
  });

  it("never makes the reader throw, whatever the file holds", () => {
    const word = fc.constantFrom(
      "*",
      "@daily",
      "@every",
      "@ticks",
      "5",
      "%",
      "\\%",
      "A",
      "=",
      "TICK_NAME",
      "TICK_TZ",
      '"',
      "'",
      "\t",
      "\n",
      "\r\n",
      "\0",
      "#",
      "root",
      "é",
    );
    const texts = fc.oneof(
      fc.string(),
      fc.array(word, { maxLength: 30 }).map((words) => words.join(" ")),
      fc.array(word, { maxLength: 30 }).map((words) => words.join("")),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const { jobs, mistakes } = parse(text);
        for (const mistake of mistakes) assert.match(mistake, /^jobs:\d+: .+$/);
        assert.equal(new Set(jobs.map(({ name }) => name)).size + mistakes.length >= jobs.length, true);
      }),
    );
  });
});

describe("what differs from cron is noted", () => {
  const cases: Array<[text: string, note: RegExp]> = [
    ["MAILTO=root", /^jobs:1: MAILTO: supertick sends no mail; TICK_ON_FAILURE can$/],
    ["HOME=/srv", /^jobs:1: HOME: the commands start in supertick's own directory/],
    ["\nRANDOM_DELAY=5", /^jobs:2: RANDOM_DELAY: .*TICK_JITTER/],
    ["0 0 2 * * sun cmd", /^jobs:1: the command is "sun": a line has five time fields, then the command$/],
    ["0 0 2 * * Mon-Fri cmd", /^jobs:1: the command is "Mon-Fri": a line has five time fields/],
    ["TZ=Europe/Berlin", /^jobs:1: TZ: it is for the commands alone, as in cron; CRON_TZ or TICK_TZ/],
    [
      "@daily date +%F",
      /^jobs:1: the first % ends the command, and what follows is its stdin, as in cron; \\% is a %$/,
    ],
  ];
  for (const [text, note] of cases) {
    it(JSON.stringify(text), () => {
      const { warnings } = parse(text);
      assert.equal(warnings.length, 1);
      assert.match(warnings[0], note);
    });
  }

  it("and nothing else", () =>
    assert.deepEqual(parse("constructor=1\nPATH=/bin\n@daily date +\\%F\n@daily sunwait 5").warnings, []));
});

// ── Whose past is whose ────────────────────────────────────────────────────

describe("a job keeps its past", () => {
  const names = (jobs: string, known: string) => {
    const list = (text: string): KnownJob[] =>
      text
        .split(" ")
        .filter(Boolean)
        .map((one) => ({ name: one.split(":")[0], id: one.split(":")[1] }));
    return matchJobs(list(jobs), list(known))
      .map((name) => name ?? "-")
      .join(" ");
  };
  // name:id, where equal ids are equal schedules and commands
  const cases: Array<[title: string, jobs: string, known: string, pasts: string]> = [
    ["when nothing changed", "a:1 b:2", "a:1 b:2", "a b"],
    ["under a new name", "c:1", "a:1", "a"],
    ["with a new schedule or command", "a:2", "a:1", "a"],
    ["when the names of unchanged jobs move up", "a:2", "a:1 a.2:2", "a.2"],
    ["when two have changed places", "a:2 a.2:1", "a:1 a.2:2", "a.2 a"],
    ["when a new one takes its name", "a:9 a.2:1", "a:1", "- a"],
    ["among equals", "a:1 a.2:1 a.3:1", "a:1 a.2:1", "a a.2 -"],
    ["among equals, of which one has a new name", "b:1 x:1", "a:1 b:1", "b a"],
    ["from before schedules were recorded", "a:1", "a", "a"],
    ["and a new one has none", "b:2", "a:1", "-"],
  ];
  for (const [title, jobs, known, pasts] of cases) it(title, () => assert.equal(names(jobs, known), pasts));

  it("and no past goes to two jobs", () => {
    const job = fc.record({ name: fc.constantFrom("a", "b", "c", "d"), id: fc.constantFrom("1", "2", "3", undefined) });
    const jobs = fc.uniqueArray(job, { selector: ({ name }) => name });
    fc.assert(
      fc.property(jobs, jobs, (now, known) => {
        const taken = matchJobs(now, known).filter((name) => name !== undefined);
        assert.equal(new Set(taken).size, taken.length);
        const isUnchanged = ({ name, id }: KnownJob) =>
          id !== undefined && known.some((k) => k.name === name && k.id === id);
        const names = matchJobs(now, known);
        for (const [i, one] of now.entries()) if (isUnchanged(one)) assert.equal(names[i], one.name);
      }),
    );
  });

  it("known by an id of schedule and command", () => {
    const [a, b, c, d] = parsed("@daily x\n@hourly x\n@daily y\n0 0 * * * x");
    assert.equal(new Set([a.id, b.id, c.id]).size, 3);
    assert.equal(a.id, d.id);
    assert.equal(a.id, jobId(a.schedule, ["/bin/sh", "-c", "x"]));
    assert.notEqual(jobId(a.schedule, ["a", "b"]), jobId(a.schedule, ["ab"]));
  });
});

// ── Through the shipped file ───────────────────────────────────────────────

interface Listening extends Supervisord {
  crontab: string;
}

async function listen(t: TestContext, text: string, args: string[] = [], options: Options = {}): Promise<Listening> {
  const directory = temporaryDirectory(t);
  const crontab = path.join(directory, "crontab");
  fs.writeFileSync(crontab, text);
  const supervisord = await Supervisord.during(t, {
    args: ["--crontab", crontab, "--tick", "TICK_60", ...args],
    ...options,
  });
  return Object.assign(supervisord, { crontab });
}

/** As an editor does: another file under the same name. */
function rename(file: string, text: string): void {
  fs.writeFileSync(`${file}.new`, text);
  fs.renameSync(`${file}.new`, file);
}

/** A change of more than a second ago: a younger one may not be finished yet. */
function age(file: string): void {
  const minuteAgo = Date.now() / 1000 - 60;
  fs.utimesSync(file, minuteAgo, minuteAgo);
}

/** Ticks as often as it takes. */
async function tickUntil(supervisord: Supervisord, pattern: RegExp): Promise<void> {
  const isThere = async () => {
    if (pattern.test(supervisord.stderr)) return true;
    await supervisord.tick();
    return false;
  };
  await until(`${pattern} on stderr`, isThere, () => supervisord.stderr);
}

async function hangUp(supervisord: Supervisord, answer: RegExp): Promise<void> {
  supervisord.signal("SIGHUP");
  await supervisord.waitForLog(answer);
}

/** Other lines in its crontab, and a SIGHUP that says so. */
async function replaceJobs(supervisord: Listening, text: string, answer: RegExp): Promise<void> {
  fs.writeFileSync(supervisord.crontab, text);
  age(supervisord.crontab);
  await hangUp(supervisord, answer);
}

const NIGHT = `
*/7 2 * * * true
30 2 * * * true
0 */3 * * * true
15 4 * * 0 true
2/30 * 31 3 * true
@every 5m true
@every 1h30m true
CRON_TZ=UTC
50 0-3 * * * true
59 23 * * * true
0 0 29 2 * true
CRON_TZ=Asia/Kolkata
0 5-8/2 * * * true
@start true
`;

/** In (after, upTo]. */
function duesOf(schedule: Schedule, after: number, upTo: number): number[] {
  const first = Math.floor(after / 300) * 300; // all slices below are multiples of it
  const times = Array.from({ length: (upTo - first) / 300 + 1 }, (_, i) => first + i * 300);
  const dues =
    schedule.kind === "cron"
      ? nextDues(schedule.cron, schedule.zone, after, 1000)
      : times.filter((time) => schedule.kind === "slices" && time % schedule.everySeconds === 0);
  return dues.filter((due) => due > after && due <= upTo);
}

const lines = (supervisord: Supervisord, pattern: RegExp) => supervisord.stderr.match(new RegExp(pattern, "gm")) ?? [];

describe("the jobs of a crontab", { concurrency: 4 }, () => {
  for (const [title, night] of [
    ["forward", Date.UTC(2024, 2, 30, 20) / 1000],
    ["back", Date.UTC(2024, 9, 26, 20) / 1000],
  ] as const) {
    it(`are due when each of them is due by itself, in a night in which clocks are put ${title}`, async (t) => {
      const state = path.join(temporaryDirectory(t), "state");
      const args = ["--tz", "Europe/Berlin", "--overlap", "allow"];
      const supervisord = await listen(t, NIGHT, [...args, "--state", state]);
      supervisord.clock = night;
      for (let i = 0; i < 600; i++) await supervisord.tick();
      const jobs = parsed(NIGHT, args);
      const expected = jobs.flatMap(({ name, schedule }) =>
        duesOf(schedule, night, supervisord.clock).map((due) => `${name} ${due}`),
      );
      const started = fs
        .readFileSync(`${state}.runs`, "utf8")
        .split("\n")
        .filter((line) => line.includes('"type":"starting"'))
        .map((line) => JSON.parse(line))
        .filter(({ reason }) => reason === "schedule");
      assert.deepEqual(started.map(({ job, due }) => `${job} ${due}`).sort(), expected.sort());
      const placeOf = ({ job }: { job: string }) => jobs.findIndex(({ name }) => name === job);
      const pairs = started.slice(1).map((run, i) => [started[i], run]);
      for (const [one, next] of pairs) assert.ok(one.due < next.due || placeOf(one) < placeOf(next), "their order");
    });
  }

  it("run at their times, with their variables, shell, stdin and options", async (t) => {
    const supervisord = await listen(
      t,
      [
        "GREETING='hello  world'",
        '@ticks 1 echo "1: $GREETING, $SUPERTICK_JOB $SUPERTICK_REASON, $(env | grep -c ^TICK_) options"',
        "@ticks 2 cat%2: of stdin%and its second line",
        "TICK_TIMEOUT=1s",
        "TICK_NAME=sleeper",
        "@ticks 2 exec sleep 1000",
      ].join("\n"),
    );
    await supervisord.tick();
    await supervisord.waitForLog(/^1: hello {2}world, echo schedule, 0 options$/m);
    assert.doesNotMatch(supervisord.stderr, /of stdin|sleeper/);
    await supervisord.tick();
    await supervisord.waitForLog(/^2: of stdin\nand its second line$/m);
    await supervisord.waitForLog(/sleeper: run 1 timed out after 1s/);
    await supervisord.waitForLog(/sleeper: run 1 finished: SIGTERM/);
  });

  it("are counted in the listener's first line, and @start runs at once, a second time after a restart only", async (t) => {
    const supervisord = await listen(t, "@start echo begun $SUPERTICK_RUN $SUPERTICK_REASON\n@hourly true\n");
    await supervisord.waitForLog(/^supertick: 2 jobs of \S+ on TICK_60; state in /m);
    await supervisord.waitForLog(/^begun 1 start$/m);
    await supervisord.waitForLog(/echo: run 1 finished/); // or it would be in the way of the second
    await hangUp(supervisord, /2 jobs of .*: 0 new, 0 changed, 0 removed/);
    await supervisord.restartListener();
    await supervisord.waitForLog(/^begun 2 start$/m);
    assert.equal(lines(supervisord, /^begun/).length, 2);
  });

  it("share one count of ticks, which goes on after a restart", async (t) => {
    const supervisord = await listen(t, "@ticks 2 echo two $SUPERTICK_RUN\n@ticks 3 echo three $SUPERTICK_RUN\n", [
      "--overlap",
      "allow",
    ]);
    for (let i = 0; i < 3; i++) await supervisord.tick();
    for (const line of [/^two 1$/m, /^three 1$/m]) await supervisord.waitForLog(line);
    assert.equal(fs.readFileSync(supervisord.stateFile, "utf8").split("\n")[0], "3");
    await supervisord.restartListener();
    for (let i = 0; i < 3; i++) await supervisord.tick();
    for (const line of [/^two 2$/m, /^two 3$/m, /^three 2$/m]) await supervisord.waitForLog(line);
    assert.deepEqual([lines(supervisord, /^two/).length, lines(supervisord, /^three/).length], [3, 2]);
  });

  it("lose no due count when the clock is set back", async (t) => {
    const supervisord = await listen(t, "@ticks 2 echo two $SUPERTICK_RUN\n");
    await supervisord.tick();
    const back = supervisord.clock - 120;
    await supervisord.tick({ when: back });
    await supervisord.tick();
    await supervisord.waitForLog(/^two 1$/m);
  });

  it("run by hand one by one by name, or all", async (t) => {
    const supervisord = await listen(t, "TICK_NAME=a\n@yearly echo ran a\nTICK_NAME=b\n@yearly echo ran b\n");
    await supervisord.answered(supervisord.send("REMOTE_COMMUNICATION", "type:supertick\nb"));
    await supervisord.waitForLog(/^ran b$/m);
    assert.doesNotMatch(supervisord.stderr, /a: run 1/);
    supervisord.signal("SIGUSR2");
    await supervisord.waitForLog(/^ran a$/m);
  });

  it("that came while nobody counted have missed nothing, the others have", async (t) => {
    const supervisord = await listen(t, "TICK_CATCH_UP=1d\n0 * * * * echo old $SUPERTICK_REASON\n");
    await supervisord.tick();
    await supervisord.killListener();
    fs.appendFileSync(supervisord.crontab, "0 * * * * echo new $SUPERTICK_REASON\n@every 1d echo slice\n");
    await supervisord.restartListener();
    await supervisord.tick({ when: supervisord.clock + 2 * 3600 + 120 });
    await supervisord.waitForLog(/^old catch-up$/m);
    await supervisord.waitForLog(/echo: run 1 finished/);
    assert.doesNotMatch(supervisord.stderr, /echo\.[23]: run/);
  });

  it("stop together, each with its own grace", async (t) => {
    const supervisord = await listen(
      t,
      "@ticks 1 exec sleep 1000\n@ticks 1 trap '' TERM; echo deaf; while :; do sleep 1; done\n",
      ["--kill-after", "1s"],
    );
    await supervisord.tick();
    await supervisord.waitForLog(/^deaf$/m);
    await supervisord.waitForLog(/sleep: run 1 started/);
    const { code } = await supervisord.stop();
    assert.equal(code, 0);
    assert.match(supervisord.stderr, /sleep: run 1 finished: SIGTERM/);
    assert.match(supervisord.stderr, /trap: run 1 finished: SIGKILL/);
  });
});

describe("a crontab is read again", { concurrency: 4 }, () => {
  const ONE = "TICK_NAME=one\n@ticks 1 echo one $SUPERTICK_RUN\n";
  const TWO = "TICK_NAME=two\n@ticks 1 echo two $SUPERTICK_RUN\n";

  it("on SIGHUP", async (t) => {
    const supervisord = await listen(t, ONE);
    fs.writeFileSync(supervisord.crontab, ONE + TWO);
    await hangUp(supervisord, /2 jobs of .*: 1 new, 0 changed, 0 removed/);
    await supervisord.tick();
    await supervisord.waitForLog(/^two 1$/m);
  });

  it("on SIGHUP once it is whole: an editor may have emptied it and be about to write", async (t) => {
    // Its clock stands still at the moment of that change, however long the test takes.
    const clock = `${temporaryDirectory(t)}/clock.cjs`;
    const now = Math.floor(Date.now() / 1000);
    fs.writeFileSync(clock, `Date.now = () => ${now * 1000};`);
    const supervisord = await listen(t, ONE, [], { runtime: runtimeWith(clock).join(" ") });
    fs.writeFileSync(supervisord.crontab, "");
    fs.utimesSync(supervisord.crontab, now, now);
    for (let i = 0; i < 3; i++) {
      supervisord.signal("SIGHUP");
      await supervisord.tick();
    }
    fs.writeFileSync(supervisord.crontab, ONE + TWO);
    age(supervisord.crontab);
    await supervisord.waitForLog(/2 jobs of .*: 1 new, 0 changed, 0 removed/);
    assert.equal(lines(supervisord, /new, \d+ changed/).length, 1);
  });

  /** A job name whose delay on this host is no short one. */
  function farName(): string {
    const isFar = (name: string) => stableDelay(`${os.hostname()} ${name}`, 3540) > 600;
    return Array.from({ length: 1000 }, (_, i) => `j${i}`).find(isFar)!;
  }

  it("and another --jitter neither repeats a due time nor loses one", async (t) => {
    const hour = 1_700_006_400;
    const name = farName(); // else the next due time would come to its run, too
    const job = (jitter: string) => `TICK_JITTER=${jitter}\nTICK_NAME=${name}\n0 * * * * echo due $SUPERTICK_DUE\n`;
    const change = (supervisord: Listening, jitter: string) =>
      replaceJobs(supervisord, job(jitter), /0 new, 1 changed, 0 removed/);
    const delayed = await listen(t, job(""));
    await delayed.tick({ when: hour - 60 });
    await delayed.tick({ when: hour });
    await change(delayed, "59m");
    for (let when = hour + 60; when <= hour + 3660; when += 60) await delayed.tick({ when });
    const hurried = await listen(t, job("59m"));
    await hurried.tick({ when: hour - 60 });
    await hurried.tick({ when: hour });
    await change(hurried, "");
    await hurried.tick({ when: hour + 60 });
    await hurried.waitForLog(new RegExp(`^due ${hour}$`, "m"));
    await delayed.waitForLog(new RegExp(`^due ${hour}$`, "m"));
    assert.doesNotMatch(delayed.stderr, /run 2/);
  });

  for (const [title, before, after, expected] of [
    ["a shorter --jitter loses no due time that waited", "TICK_JITTER=59m\n", "", 1],
    ["a longer --jitter repeats none", "", "TICK_JITTER=59m\n", 1],
  ] as const) {
    it(`and a job that is removed and comes back between two ticks, its run still going: ${title}`, async (t) => {
      const hour = 1_700_006_400;
      const name = farName();
      const job = (jitter: string) =>
        `TICK_OVERLAP=allow\nTICK_NAME=${name}\n${jitter}0 * * * * echo due $SUPERTICK_DUE; exec sleep 60\n`;
      const supervisord = await listen(t, job(before));
      for (const when of [hour - 60, hour]) await supervisord.tick({ when });
      await supervisord.answered(supervisord.send("REMOTE_COMMUNICATION", `type:supertick\n${name}`));
      await supervisord.waitForLog(/remote\)/);
      await replaceJobs(supervisord, "# none\n", /0 jobs of .*, 1 removed/);
      await replaceJobs(supervisord, job(after), /1 job of .*, 1 changed/);
      for (let when = hour + 60; when <= hour + 3540; when += 60) await supervisord.tick({ when });
      await supervisord.waitForLog(new RegExp(`^due ${hour}$`, "m"));
      assert.equal(lines(supervisord, new RegExp(`^due ${hour}$`)).length, expected);
    });
  }

  describe("and another --jitter, with a listener that is killed,", () => {
    const hour = 1_700_006_400;
    const delayOf = (name: string, limit: number) => stableDelay(`${os.hostname()} ${name}`, limit);
    const isFar = (name: string) => delayOf(name, 3540) > 240 && delayOf(name, 3540) < 1200;
    const isNear = (name: string) => delayOf(name, 50) > 20;
    const name = Array.from({ length: 10_000 }, (_, i) => `j${i}`).find((name) => isFar(name) && isNear(name))!;
    const job = (jitter: string) => `TICK_JITTER=${jitter}\nTICK_NAME=${name}\n0 * * * * echo due $SUPERTICK_DUE\n`;
    const begin = async (t: TestContext, jitter: string) => {
      const supervisord = await listen(t, job(jitter));
      for (const when of [hour - 60, hour]) await supervisord.tick({ when });
      return supervisord;
    };
    const restart = async (supervisord: Listening) => {
      await supervisord.killListener();
      await supervisord.restartListener();
    };

    it("loses no due time that a shorter delay has passed", async (t) => {
      const supervisord = await begin(t, "59m");
      fs.writeFileSync(supervisord.crontab, job(""));
      await restart(supervisord);
      await restart(supervisord); // and the one before the first tick forgets nothing
      await supervisord.tick({ when: hour + 60 });
      await supervisord.waitForLog(new RegExp(`^due ${hour}$`, "m"));
    });

    it("nor repeats one if it is killed before the new delay is written down", async (t) => {
      const state = path.join(temporaryDirectory(t), "state");
      const supervisord = await listen(t, job("59m"), ["--state", state]);
      for (const when of [hour - 60, hour]) await supervisord.tick({ when });
      fs.writeFileSync(supervisord.crontab, job(""));
      await restart(supervisord);
      const before = fs.readFileSync(`${state}.runs`, "utf8").length;
      await supervisord.tick({ when: hour + 60 });
      await supervisord.waitForLog(/run 1 finished/);
      await supervisord.killListener();
      const journal = fs.readFileSync(`${state}.runs`, "utf8");
      const isRun = (line: string) => !line.startsWith('{"type":"job"');
      const added = journal.slice(before).split("\n");
      assert.equal(added.filter((line) => line !== "" && !isRun(line)).length, 1);
      fs.writeFileSync(`${state}.runs`, journal.slice(0, before) + added.filter(isRun).join("\n"));
      await supervisord.restartListener();
      for (let when = hour + 120; when <= hour + 3600; when += 60) await supervisord.tick({ when });
      await supervisord.waitForLog(new RegExp(`^due ${hour + 3600}$`, "m"));
      assert.equal(lines(supervisord, /^due \d+$/).length, 2);
    });

    it("repeats none if the clock is set back by a period after it", async (t) => {
      const supervisord = await begin(t, "");
      await supervisord.waitForLog(/run 1 finished/);
      await replaceJobs(supervisord, job("59m"), /0 new, 1 changed, 0 removed/);
      await supervisord.tick({ when: hour + 120 });
      for (let when = hour + 60; when <= hour + 1260; when += 60) await supervisord.tick({ when });
      await supervisord.waitForLog(/set back by 60s/);
      assert.deepEqual(lines(supervisord, /^due \d+$/), [`due ${hour}`]);
      assert.doesNotMatch(supervisord.stderr, /run 2/); // it may have yet to write its line
    });

    it("nor if it is the first tick after it that is set back", async (t) => {
      const supervisord = await begin(t, "");
      await supervisord.waitForLog(/run 1 finished/);
      await supervisord.tick({ when: hour + 120 });
      fs.writeFileSync(supervisord.crontab, job("59m"));
      await restart(supervisord);
      for (let when = hour + 60; when <= hour + 1260; when += 60) await supervisord.tick({ when });
      await supervisord.waitForLog(/set back by 60s/);
      assert.deepEqual(lines(supervisord, /^due \d+$/), [`due ${hour}`]);
      assert.doesNotMatch(supervisord.stderr, /run 2/); // it may have yet to write its line
    });

    it("loses none if the counter file is lost, too", async (t) => {
      const state = path.join(temporaryDirectory(t), "state");
      const supervisord = await listen(t, job("59m"), ["--state", state]);
      for (const when of [hour - 60, hour]) await supervisord.tick({ when });
      fs.writeFileSync(supervisord.crontab, job(""));
      await supervisord.killListener();
      fs.unlinkSync(state);
      await supervisord.restartListener();
      await supervisord.tick({ when: hour + 60 });
      await supervisord.waitForLog(new RegExp(`^due ${hour}$`, "m"));
    });

    for (const [title, isKept] of [
      ["before", false],
      ["after", true],
    ] as const) {
      it(`loses and repeats none if it is killed at the change, ${title} the new delay is written down`, async (t) => {
        const state = path.join(temporaryDirectory(t), "state");
        const supervisord = await listen(t, job("59m"), ["--state", state]);
        for (let when = hour - 3600; when <= hour; when += 60) await supervisord.tick({ when });
        await supervisord.waitForLog(/run 1 finished/);
        const before = fs.readFileSync(`${state}.runs`);
        await replaceJobs(supervisord, job(""), /0 new, 1 changed, 0 removed/);
        await supervisord.killListener();
        if (!isKept) fs.writeFileSync(`${state}.runs`, before);
        await supervisord.restartListener();
        for (let when = hour + 60; when <= hour + 240; when += 60) await supervisord.tick({ when });
        await supervisord.waitForLog(/run 2 finished/);
        assert.deepEqual(lines(supervisord, /^due \d+$/), [`due ${hour - 3600}`, `due ${hour}`]);
      });
    }

    it("loses none if it is killed before the tick after the change", async (t) => {
      const supervisord = await begin(t, "59m");
      await replaceJobs(supervisord, job(""), /0 new, 1 changed, 0 removed/);
      await restart(supervisord);
      await supervisord.tick({ when: hour + 60 });
      await supervisord.waitForLog(new RegExp(`^due ${hour}$`, "m"));
    });

    it("repeats no due time that a longer delay comes to again", async (t) => {
      const supervisord = await begin(t, "");
      await supervisord.waitForLog(/run 1 finished/);
      fs.writeFileSync(supervisord.crontab, job("59m"));
      await restart(supervisord);
      for (let when = hour + 60; when <= hour + 1320; when += 60) await supervisord.tick({ when });
      await supervisord.tick({ when: hour + 3600 });
      assert.doesNotMatch(supervisord.stderr, /run 2/);
    });

    it("loses no run that still waits for what is left of its delay when a shorter one comes", async (t) => {
      // The part of its delay below one period, a timer, is long enough for what follows.
      const isSlow = (name: string) => delayOf(name, 540) > 110 && delayOf(name, 540) % 60 > 50;
      const slow = Array.from({ length: 10_000 }, (_, i) => `s${i}`).find(isSlow)!;
      const text = (jitter: string) =>
        `TICK_JITTER=${jitter}\nTICK_NAME=${slow}\n*/10 * * * * echo due $SUPERTICK_DUE\n`;
      const supervisord = await listen(t, text("9m"));
      const periods = delayOf(slow, 540) - (delayOf(slow, 540) % 60);
      for (let when = hour - 60; when <= hour + periods; when += 60) await supervisord.tick({ when });
      await replaceJobs(supervisord, text(""), /0 new, 1 changed, 0 removed/);
      await restart(supervisord);
      await supervisord.tick({ when: hour + periods + 60 });
      await supervisord.waitForLog(new RegExp(`^due ${hour}$`, "m"));
    });

    it("loses no run that waited for what is left of its delay", async (t) => {
      const supervisord = await begin(t, "59m");
      await replaceJobs(supervisord, job("50s"), /0 new, 1 changed, 0 removed/);
      await supervisord.tick({ when: hour + 60 });
      await restart(supervisord);
      for (const when of [hour + 120, hour + 180, hour + 240]) await supervisord.tick({ when });
      await supervisord.waitForLog(new RegExp(`^due ${hour}$`, "m"));
      assert.doesNotMatch(supervisord.stderr, /run 2/);
    });
  });

  it("and one that stays empty has no jobs any more", async (t) => {
    const supervisord = await listen(t, ONE);
    await replaceJobs(supervisord, "", /0 jobs of .*: 0 new, 0 changed, 1 removed/);
  });

  const changes: Array<[title: string, change: (file: string) => void]> = [
    [
      "edited in place",
      (file) => {
        fs.writeFileSync(file, TWO);
        age(file);
      },
    ],
    ["renamed over", (file) => rename(file, TWO)],
  ];
  for (const [title, change] of changes) {
    it(`at a tick after it was ${title}, that tick included`, async (t) => {
      const supervisord = await listen(t, ONE);
      await supervisord.tick();
      await supervisord.waitForLog(/^one 1$/m);
      change(supervisord.crontab);
      await tickUntil(supervisord, /^two \d+$/m);
      assert.match(supervisord.stderr, /1 job of .*: 1 new, 0 changed, 1 removed/);
      assert.equal(lines(supervisord, /new, \d+ changed/).length, 1);
    });
  }

  it("at the very first tick, whose new jobs know its period", async (t) => {
    const supervisord = await listen(t, ONE);
    fs.writeFileSync(supervisord.crontab, "TICK_JITTER=50m\nTICK_NAME=late\n@every 1h true\n");
    age(supervisord.crontab);
    await supervisord.tick();
    await supervisord.waitForLog(/1 new, 0 changed, 1 removed/);
    await supervisord.waitForLog(/late: each run starts \S+ after its due time \(--jitter\)/);
  });

  it("when the symbolic link to it was swapped, as a ConfigMap's", async (t) => {
    const directory = temporaryDirectory(t);
    const version = (name: string, text: string) => {
      fs.mkdirSync(`${directory}/${name}`);
      fs.writeFileSync(`${directory}/${name}/crontab`, text);
      age(`${directory}/${name}/crontab`);
    };
    version("..1", ONE);
    fs.symlinkSync("..1", `${directory}/..data`);
    fs.symlinkSync("..data/crontab", `${directory}/crontab`);
    const supervisord = await listen(t, "", ["--crontab", `${directory}/crontab`].slice(2), {
      args: ["--crontab", `${directory}/crontab`, "--tick", "TICK_60"],
    });
    await supervisord.tick();
    await supervisord.waitForLog(/^one 1$/m);
    version("..2", TWO);
    fs.symlinkSync("..2", `${directory}/..new`);
    fs.renameSync(`${directory}/..new`, `${directory}/..data`);
    await tickUntil(supervisord, /^two \d+$/m);
  });

  it("and with a mistake, missing or unreadable it keeps the old jobs and says so once", async (t) => {
    const supervisord = await listen(t, ONE);
    fs.writeFileSync(supervisord.crontab, `${ONE}0 25 * * * x\nTICK_X=1\n`);
    age(supervisord.crontab);
    await tickUntil(supervisord, /the jobs stay as they are/);
    assert.match(
      supervisord.stderr,
      /crontab:3: schedule "0 25 \* \* \*": hour 25 is above 23 \(mistakes in other lines: 1\); the jobs stay as they are/,
    );
    await supervisord.idle();
    for (let i = 0; i < 3; i++) await supervisord.tick();
    fs.unlinkSync(supervisord.crontab);
    for (let i = 0; i < 3; i++) await supervisord.tick();
    await supervisord.waitForLog(/cannot read the crontab .*: ENOENT; the jobs stay as they are/);
    assert.equal(lines(supervisord, /the jobs stay as they are/).length, 2);
    await tickUntil(supervisord, /stay as they are[\s\S]*stay as they are[\s\S]*^one \d+$/m); // the old job runs on
  });

  it("and a run in progress goes on as what it was", async (t) => {
    const long = (word: string, timeout: string) =>
      `TICK_TIMEOUT=${timeout}\nTICK_ON_SUCCESS=echo hook ${word}\nTICK_NAME=long\n@ticks 1 echo ${word} $SUPERTICK_RUN; while [ ! -e go ]; do sleep 0.1; done\n`;
    const directory = temporaryDirectory(t);
    const supervisord = await listen(t, long("old", "1h"), [], { cwd: directory });
    await supervisord.tick();
    await supervisord.waitForLog(/^old 1$/m);
    fs.writeFileSync(supervisord.crontab, long("new", "2h"));
    await hangUp(supervisord, /0 new, 1 changed, 0 removed/);
    await supervisord.tick();
    await supervisord.waitForLog(/skipped the run .*: run 1 is still going/);
    fs.writeFileSync(`${directory}/go`, "");
    await supervisord.waitForLog(/^hook old$/m);
    await supervisord.tick();
    await supervisord.waitForLog(/^new 2$/m);
    await supervisord.waitForLog(/^hook new$/m);
  });

  it("and a removed job's run goes on to its end, and the listener stops it if need be", async (t) => {
    const supervisord = await listen(t, `TICK_NAME=gone\n@ticks 1 echo begun; exec sleep 1000\n${ONE}`);
    await supervisord.tick();
    await supervisord.waitForLog(/^begun$/m);
    fs.writeFileSync(supervisord.crontab, ONE);
    await hangUp(supervisord, /1 job of .*: 0 new, 0 changed, 1 removed/);
    await tickUntil(supervisord, /^one 2$/m);
    assert.doesNotMatch(supervisord.stderr, /gone: (skipped|run 1 finished)/);
    await supervisord.stop();
    assert.match(supervisord.stderr, /gone: run 1 finished: SIGTERM/);
  });

  it("and a job keeps its record under a new name, and leaves none behind when it is removed", async (t) => {
    const job = (name: string, seconds: number) => `TICK_NAME=${name}\n@every ${seconds} true\n`;
    const supervisord = await listen(t, job("a", 60) + job("b", 120));
    supervisord.signal("SIGUSR2");
    await supervisord.waitForLog(/a: run 1 finished/);
    await supervisord.waitForLog(/b: run 1 finished/);
    await supervisord.answered(supervisord.send("REMOTE_COMMUNICATION", "type:supertick\na"));
    await supervisord.waitForLog(/a: run 2 finished/);
    fs.writeFileSync(supervisord.crontab, job("b", 60) + job("a", 120)); // they change names
    await hangUp(supervisord, /0 new, 2 changed, 0 removed/);
    await supervisord.restartListener();
    await supervisord.answered(supervisord.send("REMOTE_COMMUNICATION", "type:supertick\n"));
    await supervisord.waitForLog(/b: run 3 finished/);
    await supervisord.waitForLog(/a: run 2 finished[\s\S]*a: run 2 finished/);
    fs.writeFileSync(supervisord.crontab, job("b", 60));
    await hangUp(supervisord, /1 removed/);
    const { stdout } = supertick(["status", "--json", supervisord.stateFile]);
    assert.deepEqual(
      JSON.parse(stdout).states[0].jobs.map(({ job, recent }: { job: string; recent: string[] }) => [
        job,
        recent.length,
      ]),
      [["b", 3]],
    );
  });
});

/** How many results the journal holds of each job. */
function resultsOf(supervisord: Supervisord): Record<string, number> {
  const { stdout } = supertick(["status", "--json", supervisord.stateFile]);
  const jobs: Array<{ job: string; recent: string[] }> = JSON.parse(stdout).states[0].jobs;
  return Object.fromEntries(jobs.map(({ job, recent }) => [job, recent.length]));
}

async function runByHand(supervisord: Supervisord, name: string, times: number): Promise<void> {
  const finished = () => lines(supervisord, /: run \d+ finished/).length;
  for (const before = finished(); times > 0; times--) {
    const count = finished();
    await supervisord.answered(supervisord.send("REMOTE_COMMUNICATION", `type:supertick\n${name}`));
    await supervisord.until(() => finished() > count, `a run of ${name} to finish (${before} before)`);
  }
}

describe("records follow their jobs when a line is put in front and all names move on", { concurrency: 4 }, () => {
  const BEFORE = "@every 1w true a\n@every 1w true b\n";
  const AFTER = `@every 1w true new\n${BEFORE}`;

  for (const isKilled of [false, true]) {
    it(isKilled ? "while the listener was dead" : "and the file is read again", async (t) => {
      const supervisord = await listen(t, BEFORE);
      await runByHand(supervisord, "true", 3);
      await runByHand(supervisord, "true.2", 2);
      if (isKilled) await supervisord.killListener();
      fs.writeFileSync(supervisord.crontab, AFTER);
      if (isKilled) {
        await supervisord.restartListener();
        await supervisord.waitForLog(/3 jobs of /);
      } else await hangUp(supervisord, /3 jobs of .*: 1 new, 2 changed, 0 removed/);
      await supervisord.until(() => resultsOf(supervisord)["true.3"] !== undefined, "the new names");
      assert.deepEqual(resultsOf(supervisord), { true: 0, "true.2": 3, "true.3": 2 });
      for (const name of ["true", "true.2", "true.3"]) await runByHand(supervisord, name, 1);
      assert.match(supervisord.stderr, /true: run 1 started[\s\S]*true\.2: run 4 started[\s\S]*true\.3: run 3 started/);
      await supervisord.restartListener();
      assert.deepEqual(resultsOf(supervisord), { true: 1, "true.2": 4, "true.3": 3 });
    });
  }

  it("and a run that is still going is only its own job's", async (t) => {
    const directory = temporaryDirectory(t);
    const wait = "while [ ! -e go ]; do sleep 0.05; done";
    const supervisord = await listen(t, `@every 1w ${wait}\n`, [], { cwd: directory });
    supervisord.signal("SIGUSR2");
    await supervisord.waitForLog(/while: run 1 started/);
    await supervisord.killListener();
    fs.writeFileSync(supervisord.crontab, `@every 1w while false; do :; done\n@every 1w ${wait}\n`);
    await supervisord.restartListener();
    await supervisord.waitForLog(/while\.2: run 1 of an earlier listener is still going/);
    assert.doesNotMatch(supervisord.stderr, /while: run 1 of an earlier/);
    fs.writeFileSync(`${directory}/go`, "");
    await supervisord.waitForLog(/while\.2: run 1 finished/);
    assert.deepEqual(resultsOf(supervisord), { while: 0, "while.2": 1 });
  });
});

it("a run that is still going stays with its renamed job when the journal begins a new file", async (t) => {
  const directory = temporaryDirectory(t);
  const jobs = (name: string) =>
    `TICK_NAME=${name}\n@every 1w while [ ! -e go ]; do sleep 0.05; done\nTICK_NAME=other\n@every 1w true\n`;
  const supervisord = await listen(t, jobs("a"), [], { cwd: directory });
  await supervisord.answered(supervisord.send("REMOTE_COMMUNICATION", "type:supertick\na"));
  await supervisord.waitForLog(/a: run 1 started/);
  fs.writeFileSync(supervisord.crontab, jobs("b"));
  await hangUp(supervisord, /0 new, 1 changed, 0 removed/);
  for (let i = 0; i < 2; i++) {
    fs.appendFileSync(`${supervisord.stateFile}.runs`, `${" ".repeat(300 * 1024)}\n`);
    await runByHand(supervisord, "other", 1);
  }
  await supervisord.restartListener();
  await supervisord.waitForLog(/b: run 1 of an earlier listener is still going/);
  fs.writeFileSync(`${directory}/go`, "");
  await supervisord.waitForLog(/b: run 1 finished/);
  assert.deepEqual(resultsOf(supervisord), { b: 1, other: 2 });
});

describe("a removed job whose run goes on", { concurrency: 4 }, () => {
  const job = (name: string, command: string) => `TICK_NAME=${name}\n@every 1w ${command}\n`;
  const started = (supervisord: Supervisord) => lines(supervisord, /: run 1 started/).length;

  it("has a name of its own, however often others take it", async (t) => {
    const supervisord = await listen(t, job("n", "exec sleep 1000") + job("a", "exec sleep 1001"));
    const change = async (text: string) => {
      fs.writeFileSync(supervisord.crontab, text);
      const before = lines(supervisord, /new, \d+ changed/).length;
      supervisord.signal("SIGHUP");
      await supervisord.until(() => lines(supervisord, /new, \d+ changed/).length > before, "the new jobs");
    };
    supervisord.signal("SIGUSR2");
    await supervisord.until(() => started(supervisord) === 2, "two runs");
    await change(job("n", "exec sleep 1001")); // a is n, and n is gone
    await change(job("n", "exec sleep 1001") + job("b", "exec sleep 1002"));
    supervisord.signal("SIGUSR2");
    await supervisord.until(() => started(supervisord) === 3, "three runs");
    await change(job("n", "exec sleep 1002")); // b is n, and n is gone once more
    await change(`# nothing new\n${job("n", "exec sleep 1002")}`);
    assert.deepEqual(Object.keys(resultsOf(supervisord)).sort(), ["n", "n.removed", "n.removed.removed"]);
    await supervisord.stop();
    assert.equal(lines(supervisord, /run 1 finished: SIGTERM/).length, 3);
  });

  it("and was removed while the listener was dead, too", async (t) => {
    const supervisord = await listen(t, job("n", "exec sleep 1000") + job("a", "true"));
    await runByHand(supervisord, "a", 2);
    await supervisord.answered(supervisord.send("REMOTE_COMMUNICATION", "type:supertick\nn"));
    await supervisord.waitForLog(/n: run 1 started/);
    await supervisord.killListener();
    fs.writeFileSync(supervisord.crontab, job("n", "true"));
    await supervisord.restartListener();
    await supervisord.waitForLog(/n\.removed: run 1 of an earlier listener is still going/);
    await runByHand(supervisord, "n", 1);
    process.kill(supervisord.jobProcesses()[0], "SIGKILL");
    await supervisord.waitForLog(/n\.removed: run 1 finished/);
    await supervisord.until(() => resultsOf(supervisord)["n.removed"] === undefined, "its removal");
    assert.deepEqual(resultsOf(supervisord), { n: 3 });
  });

  it("is the same job when it comes back under another name after a restart", async (t) => {
    const supervisord = await listen(t, job("a", "exec sleep 1000"));
    supervisord.signal("SIGUSR2");
    await supervisord.waitForLog(/a: run 1 started/);
    await supervisord.killListener();
    fs.writeFileSync(supervisord.crontab, "");
    await supervisord.restartListener();
    await supervisord.waitForLog(/a: run 1 of an earlier listener is still going/);
    fs.writeFileSync(supervisord.crontab, job("b", "exec sleep 1000"));
    await hangUp(supervisord, /1 job of .*: 0 new, 1 changed, 0 removed/);
    supervisord.signal("SIGUSR2");
    await supervisord.waitForLog(/b: skipped the run .*: run 1 is still going/);
  });
});

it("a further attempt of a job that was renamed meanwhile has the new name, under which it is written down", async (t) => {
  const text = (name: string) =>
    `TICK_RETRIES=9\nTICK_RETRY_DELAY=1s\nTICK_NAME=${name}\n@ticks 1 echo attempt $SUPERTICK_ATTEMPT of $SUPERTICK_JOB; [ ! -e go ] || exec sleep 1000; exit 1\n`;
  const directory = temporaryDirectory(t);
  const supervisord = await listen(t, text("old"), [], { cwd: directory });
  await supervisord.tick();
  await supervisord.waitForLog(/^attempt 1 of old$/m);
  await replaceJobs(supervisord, text("new"), /0 new, 1 changed, 0 removed/);
  fs.writeFileSync(`${directory}/go`, "");
  await supervisord.waitForLog(/^attempt \d of new$/m);
});

it("by hand, all jobs are written down at once, for a sync takes its time", async (t) => {
  const directory = temporaryDirectory(t);
  // Loaded before the listener: it counts the syncs.
  const counting = `
    const fs = require("fs");
    const sync = fs.fdatasyncSync;
    fs.fdatasyncSync = (fd) => {
      fs.appendFileSync("syncs", ".");
      return sync(fd);
    };`;
  fs.writeFileSync(`${directory}/counting.cjs`, counting);
  const text = Array.from({ length: 20 }, (_, i) => `TICK_NAME=j${i}\n@start true\n`).join("");
  const supervisord = await listen(t, text, [], {
    cwd: directory,
    runtime: runtimeWith(`${directory}/counting.cjs`).join(" "),
  });
  const finished = (run: number) => () => lines(supervisord, new RegExp(`: run ${run} finished`)).length === 20;
  await supervisord.until(finished(1), "the runs at the start");
  supervisord.signal("SIGUSR2");
  await supervisord.until(finished(2), "the runs by hand");
  assert.equal(fs.readFileSync(`${directory}/syncs`, "utf8"), "..");
});

it("swapped names are not in the way of a job with a strange name", async (t) => {
  const text = (...names: string[]) => names.map((name, i) => `TICK_NAME=${name}\n@ticks 9 true ${i}\n`).join("");
  const supervisord = await listen(t, text("a", "b", "~0"));
  supervisord.signal("SIGUSR2");
  for (const name of ["a", "b", "~0"]) await supervisord.waitForLog(new RegExp(`${name}: run 1 finished`));
  await replaceJobs(supervisord, text("b", "a", "~0"), /0 new, 2 changed, 0 removed/);
  await supervisord.restartListener();
  assert.deepEqual(resultsOf(supervisord), { a: 1, b: 1, "~0": 1 });
});

it("a run of a job that was removed while the listener was dead is looked after", async (t) => {
  const supervisord = await listen(
    t,
    "TICK_NAME=gone\n@ticks 1 echo begun; exec sleep 1000\nTICK_NAME=one\n@ticks 9 true\n",
  );
  await supervisord.tick();
  await supervisord.waitForLog(/^begun$/m);
  await supervisord.waitForLog(/gone: run 1 started/);
  await supervisord.killListener();
  fs.writeFileSync(supervisord.crontab, "TICK_NAME=one\n@ticks 9 true\n");
  await supervisord.restartListener();
  await supervisord.waitForLog(/gone: run 1 of an earlier listener is still going/);
  process.kill(supervisord.jobProcesses()[0], "SIGKILL");
  await supervisord.waitForLog(/gone: run 1 finished/);
  await supervisord.until(
    () => /"removed","job":"gone"/.test(fs.readFileSync(`${supervisord.stateFile}.runs`, "utf8")),
    "its removal",
  );
});

describe("what a job has become holds for", { concurrency: 2 }, () => {
  it("the runs that still wait: they are asked about where that is new", async (t) => {
    const directory = temporaryDirectory(t);
    const text = (onlyIf: string) =>
      `TICK_OVERLAP=queue\nTICK_ONLY_IF=${onlyIf}\nTICK_NAME=job\n@ticks 1 echo ran $SUPERTICK_RUN; while [ ! -e go ]; do sleep 0.05; done\n`;
    const supervisord = await listen(t, text(""), [], { cwd: directory });
    await supervisord.tick();
    await supervisord.waitForLog(/^ran 1$/m);
    await supervisord.tick();
    await supervisord.waitForLog(/waits for the end of run 1/);
    await replaceJobs(supervisord, text("exit 1"), /0 new, 1 changed, 0 removed/);
    fs.writeFileSync(`${directory}/go`, "");
    await supervisord.waitForLog(/run 2, due .*, does not start: held back by --only-if/);
    assert.doesNotMatch(supervisord.stderr, /run 2 started/);
  });

  it("no run that has begun: it is stopped and replaced with the grace that it began with", async (t) => {
    const text = (grace: string) =>
      `TICK_OVERLAP=replace\nTICK_KILL_AFTER=${grace}\nTICK_NAME=job\n@ticks 1 trap 'sleep 2; echo cleaned up $SUPERTICK_RUN; exit 0' TERM; echo begun; while :; do sleep 0.05; done\n`;
    const supervisord = await listen(t, text("1h"));
    await supervisord.tick();
    await supervisord.waitForLog(/^begun$/m);
    await replaceJobs(supervisord, text("1s"), /0 new, 1 changed, 0 removed/);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 finished/);
    assert.match(supervisord.stderr, /^cleaned up 1$/m);
    assert.doesNotMatch(supervisord.stderr, /sent SIGKILL$/m);
  });
});

// ── How many at a time ─────────────────────────────────────────────────────

describe("--max-running", { concurrency: 4 }, () => {
  const many = (count: number, command: string) =>
    Array.from({ length: count }, (_, i) => `TICK_NAME=j${i}\n@ticks 1 ${command}\n`).join("");

  it("lets so many commands run at a time, the rest in order", async (t) => {
    const directory = temporaryDirectory(t);
    const supervisord = await listen(
      t,
      many(6, "echo begin $SUPERTICK_JOB; while [ ! -e go ]; do sleep 0.05; done; echo end $SUPERTICK_JOB"),
      ["--max-running", "2"],
      { cwd: directory },
    );
    await supervisord.tick();
    await supervisord.waitForLog(/^begin j0$/m);
    await supervisord.waitForLog(/^begin j1$/m);
    await supervisord.tick(); // what waits for its turn is still going
    await supervisord.waitForLog(/j5: skipped the run .*: run 1 waits for its turn \(--max-running\)/);
    assert.equal(lines(supervisord, /^begin/).length, 2);
    fs.writeFileSync(`${directory}/go`, "");
    await supervisord.waitForLog(/j5: run 1 finished/);
    let running = 0;
    for (const [line] of supervisord.stderr.matchAll(/run 1 (started|finished)/g)) {
      running += line.endsWith("started") ? 1 : -1;
      assert.ok(running <= 2);
    }
    assert.deepEqual(
      [...supervisord.stderr.matchAll(/(j\d): run 1 started/g)].map(([, name]) => name),
      ["j0", "j1", "j2", "j3", "j4", "j5"],
    );
  });

  it("counts questions with the run that they are about, and what is held back gives its turn on", async (t) => {
    const supervisord = await listen(
      t,
      `TICK_ONLY_IF=exit 1\n${many(3, "true")}TICK_ONLY_IF=\nTICK_NAME=last\n@ticks 1 echo last\n`,
      ["--max-running", "1"],
    );
    await supervisord.tick();
    await supervisord.waitForLog(/^last$/m);
    assert.equal(lines(supervisord, /held back by --only-if/).length, 3);
  });

  it("a run that waits for its turn is replaced before it starts", async (t) => {
    const directory = temporaryDirectory(t);
    const supervisord = await listen(
      t,
      "TICK_NAME=first\n@ticks 1 while [ ! -e go ]; do sleep 0.05; done\nTICK_OVERLAP=replace\nTICK_NAME=next\n@ticks 1 echo ran $SUPERTICK_RUN\n",
      ["--max-running", "1"],
      { cwd: directory },
    );
    for (let i = 0; i < 3; i++) await supervisord.tick();
    fs.writeFileSync(`${directory}/go`, "");
    await supervisord.waitForLog(/^ran 3$/m);
    await supervisord.waitForLog(/next: run 3 finished/);
    assert.doesNotMatch(supervisord.stderr, /next: run [12] started/);
    assert.equal(lines(supervisord, /next: run [12], due .*, does not start: another one is due/).length, 2);
  });

  it("several runs that wait for their turn are replaced at once by the one that comes after a change", async (t) => {
    const directory = temporaryDirectory(t);
    const text = (overlap: string) =>
      `TICK_NAME=first\n@start while [ ! -e go ]; do sleep 0.05; done\nTICK_OVERLAP=${overlap}\nTICK_NAME=next\n@ticks 1 echo ran $SUPERTICK_RUN\n`;
    const supervisord = await listen(t, text("allow"), ["--max-running", "1"], { cwd: directory });
    await supervisord.waitForLog(/first: run 1 started/);
    for (let i = 0; i < 2; i++) await supervisord.tick();
    await replaceJobs(supervisord, text("replace"), /0 new, 1 changed, 0 removed/);
    await supervisord.tick();
    fs.writeFileSync(`${directory}/go`, "");
    await supervisord.waitForLog(/^ran 3$/m);
    await supervisord.waitForLog(/next: run 3 finished/);
    assert.doesNotMatch(supervisord.stderr, /next: run [12] started/);
    await supervisord.tick();
    await supervisord.waitForLog(/^ran 4$/m);
  });

  it("a job whose run holds the only turn can be replaced after a question", async (t) => {
    const supervisord = await listen(
      t,
      "TICK_OVERLAP=replace\nTICK_ONLY_IF=true\nTICK_NAME=job\n@ticks 1 echo ran $SUPERTICK_RUN; exec sleep 1000\n",
      ["--max-running", "1"],
    );
    await supervisord.tick();
    await supervisord.waitForLog(/^ran 1$/m);
    await supervisord.tick();
    await supervisord.waitForLog(/^ran 2$/m);
    assert.match(supervisord.stderr, /job: run 1 is replaced/);
  });

  it("a run that waits for its turn is replaced after a question also when its turn has come in between", async (t) => {
    const directory = temporaryDirectory(t);
    const supervisord = await listen(
      t,
      "TICK_NAME=first\n@start while [ ! -e go ]; do sleep 0.05; done\nTICK_OVERLAP=replace\nTICK_ONLY_IF=true\nTICK_NAME=job\n@ticks 1 echo ran $SUPERTICK_RUN; exec sleep 1000\n",
      ["--max-running", "1"],
      { cwd: directory },
    );
    await supervisord.waitForLog(/first: run 1 started/);
    await supervisord.answered(supervisord.send("REMOTE_COMMUNICATION", "type:supertick\njob")); // is not asked about
    await supervisord.tick();
    fs.writeFileSync(`${directory}/go`, "");
    await supervisord.waitForLog(/^ran 2$/m);
    assert.match(supervisord.stderr, /job: run 1 (is replaced|finished)/);
  });

  it("a stop ends what waits for its turn", async (t) => {
    const supervisord = await listen(t, many(3, "exec sleep 1000"), ["--max-running", "1"]);
    await supervisord.tick();
    await supervisord.waitForLog(/j0: run 1 started/);
    const { code } = await supervisord.stop();
    assert.equal(code, 0);
    assert.match(supervisord.stderr, /j2: run 1 failed to start: stopped before it started/);
  });

  it("counts a run that an earlier listener left", async (t) => {
    const supervisord = await listen(t, many(1, "exec sleep 1000"), ["--max-running", "1"]);
    await supervisord.tick();
    await supervisord.waitForLog(/j0: run 1 started/);
    await supervisord.killListener();
    fs.appendFileSync(supervisord.crontab, "TICK_NAME=next\n@ticks 1 echo next\n");
    await supervisord.restartListener();
    for (let i = 0; i < 2; i++) await supervisord.tick();
    await supervisord.waitForLog(/next: skipped the run .*: run 1 waits for its turn/);
    assert.doesNotMatch(supervisord.stderr, /next: run 1 started/);
    process.kill(supervisord.jobProcesses()[0], "SIGKILL");
    await supervisord.waitForLog(/^next$/m);
  });
});

it("a thousand jobs that are due at once all run, in order, and ticks are answered in between", async (t) => {
  const text = Array.from({ length: 1000 }, (_, i) => `TICK_NAME=j${i}\n@every 1h true\n`).join("");
  const supervisord = await listen(t, text);
  await supervisord.tick({ when: 1_700_006_400 });
  const started = () => lines(supervisord, /: run 1 started/).length;
  const atAnswer = started();
  assert.ok(atAnswer < 1000, "the answer does not wait for the jobs");
  let answersBetween = 0;
  while (started() < 1000) {
    await supervisord.tick();
    if (started() < 1000) answersBetween++;
  }
  assert.ok(answersBetween > 0, "a tick is answered while jobs are started");
  await supervisord.until(() => lines(supervisord, /run 1 finished/).length === 1000, "all to end");
  const order = [...supervisord.stderr.matchAll(/j(\d+): run 1 started/g)].map(([, i]) => Number(i));
  assert.deepEqual(
    order,
    order.map((_, i) => i),
  );
});

// ── check, simulate, mistakes on the command line ──────────────────────────

describe("supertick with --crontab", () => {
  function file(t: TestContext, text: string): string {
    const name = path.join(temporaryDirectory(t), "jobs");
    fs.writeFileSync(name, text);
    return name;
  }

  it("check shows each job with its next runs, and what differs from cron", (t) => {
    const name = file(t, "MAILTO=me\nCRON_TZ=Europe/Berlin\n30 2 * * * backup\n@every 1h x\n@ticks 5 y\n@start z\n");
    const { status, stdout } = supertick(["check", "--crontab", name, "-n", "1", "--from", "2025-03-25"]);
    assert.equal(status, 0);
    assert.equal(
      stdout.replaceAll(name, "FILE"),
      [
        "note: FILE:1: MAILTO: supertick sends no mail; TICK_ON_FAILURE can",
        "line 3, backup: at 02:30, Europe/Berlin",
        "  note: on 30 March 2025 the clock skips 02:30: it runs at 03:00 once",
        "  note: on 26 October 2025 the clock repeats 02:30: it runs the first time only",
        "  next runs:",
        "    Tue 2025-03-25 02:30:00 +01:00    2025-03-25T01:30:00Z",
        "line 4, x: every 1h",
        "  next runs:",
        "    Tue 2025-03-25 01:00:00 +00:00    2025-03-25T01:00:00Z",
        "line 5, y: every 5 ticks",
        "  when that is depends on when the counting began",
        "line 6, z: when the listener starts",
        "  not when the crontab is read again",
        "",
      ].join("\n"),
    );
  });

  it("check says where there is no job", (t) => {
    const file = path.join(temporaryDirectory(t), "crontab");
    fs.writeFileSync(file, "# none\n");
    assert.equal(supertick(["check", "--crontab", file]).stdout, "no job\n");
  });

  it("a user's name in front of a command is one only where PATH, the crontab's own first, has no such command", (t) => {
    const name = file(t, "@daily root x\n");
    assert.match(supertick(["check", "--crontab", name]).stdout, /:1: "root" is a user/);
    const bin = path.dirname(file(t, ""));
    fs.writeFileSync(`${bin}/root`, "#!/bin/sh\n", { mode: 0o755 });
    fs.writeFileSync(name, `PATH=${bin}:/bin\n@daily root x\n`);
    assert.equal(supertick(["check", "--crontab", name]).status, 0);
  });

  it("check --json gives the same as one object", (t) => {
    const name = file(t, "TICK_NAME=x\n@every 1h x\nTICK_ONLY_IF=true\n@ticks 5 y\n0 25 * * * z\n");
    const { status, stdout } = supertick(["check", "--crontab", name, "--json", "-n", "1", "--from", "1970-01-01"]);
    assert.equal(status, 2);
    const lock = "--only-if as a lock among replicas needs due times that are the same for all: --every or --cron";
    assert.deepEqual(JSON.parse(stdout), {
      mistakes: [`${name}:5: schedule "0 25 * * *": hour 25 is above 23`],
      warnings: [],
      jobs: [
        { name: "x", line: 2, schedule: "every 1h", warnings: [], next: [3600] },
        { name: "y", line: 4, schedule: "every 5 ticks", warnings: [lock], next: [] },
      ],
    });
  });

  it("simulate runs them all", (t) => {
    const name = file(t, "@every 5m echo five\n*/2 * * * * echo two\n");
    const { status, stdout } = supertick([
      "simulate",
      "--crontab",
      name,
      "--for",
      "10m",
      "--speed",
      "max",
      "--from",
      "2025-01-01",
    ]);
    assert.equal(status, 0, stdout);
    assert.match(stdout, /simulate: 10 ticks, runs: 7 success; the listener ended with exit 0\n$/);
  });

  it("init prints a section with the coarsest tick that fits all jobs, the longest grace, and the whole path", (t) => {
    const name = file(t, "@every 1h a\nTICK_KILL_AFTER=20s\n*/5 * * * * b\n@start c\n@ticks 5 d\n");
    const { status, stdout, stderr } = supertick(["init", "--crontab", path.relative(process.cwd(), name)]);
    assert.deepEqual([status, stderr], [0, ""]);
    assert.match(stdout, /^\[eventlistener:jobs\]$/m);
    assert.match(stdout, new RegExp(`^command=.*--crontab ${name} --tick TICK_60$`, "m"));
    assert.match(stdout, /^events=TICK_60$/m);
    assert.match(stdout, /^stopwaitsecs=25$/m);
    const finer = file(t, "@every 90s a\n@daily b\n");
    assert.match(supertick(["init", "--crontab", finer]).stdout, /--tick TICK_5\nevents=TICK_5\n/);
    const hourly = file(t, "@hourly a\n@daily b\n");
    assert.match(supertick(["init", "--crontab", hourly]).stdout, /--tick TICK_3600\nevents=TICK_3600\n/);
    const bad = supertick(["init", "--crontab", file(t, "@dayly a\n")]);
    assert.equal(bad.status, 2);
    assert.match(bad.stderr, /jobs:1: "@dayly" is no schedule/);
  });

  it("check supervisord.conf looks at each job of the crontab", (t) => {
    const name = file(t, "@every 90s a\n@every 1h b\nTICK_KILL_AFTER=20s\n@daily c\n");
    const conf = file(
      t,
      `[eventlistener:jobs]\ncommand=/x/supertick --crontab ${name} --tick TICK_60\nevents=TICK_60\nautorestart=true\nstdout_logfile=NONE\nstderr_logfile=/x\n`,
    );
    const { status, stdout } = supertick(["check", conf]);
    assert.equal(status, 1);
    assert.match(stdout, /\[eventlistener:jobs\] events=TICK_60: every 1m30s does not fit a tick every 1m; .*TICK_5/);
    assert.match(stdout, /stopwaitsecs=10: .*stopwaitsecs=25/);
    assert.equal(stdout.trim().split("\n").length, 2);
    fs.writeFileSync(name, "@dayly a\n");
    assert.match(supertick(["check", conf]).stdout, /jobs:1: "@dayly" is no schedule/);
    fs.unlinkSync(name);
    const absent = supertick(["check", conf]);
    assert.equal(absent.status, 0);
    assert.match(absent.stdout, /^note: .*there is no \S+ here: its jobs are not checked/m);
  });

  const refused: Array<[args: string[], env: Record<string, string>, says: RegExp]> = [
    [["--crontab", "/no/such"], {}, /^supertick: cannot read the crontab \/no\/such: ENOENT\n$/],
    [["--crontab", "/"], {}, /^supertick: cannot read the crontab \/: (EISDIR|no regular file)\n$/],
    [["--crontab", "/dev/null"], {}, /^supertick: cannot read the crontab \/dev\/null: no regular file\n$/],
    [["--crontab", "x", "--", "cmd"], {}, /^supertick: the commands stand in the crontab: .* don't go together\n$/],
    [["--crontab", "x", "--every", "5m"], {}, /^supertick: --every and --crontab are two schedules; give one\n$/],
    [["--crontab", "x", "--name", "n"], {}, /^supertick: --name has no effect with --crontab; it goes with /],
    [
      ["--max-running", "x", "--ticks", "1", "--", "y"],
      {},
      /^supertick: --max-running: expected a whole number from 0 to 2147483648, got "x"\n$/,
    ],
    [[], { TICK_CRONTAB: "/no/such" }, /^supertick: cannot read the crontab \/no\/such: ENOENT\n$/],
  ];
  for (const [args, env, says] of refused) {
    it(`ends with 2 and one line: ${args.join(" ")} ${Object.keys(env).join(" ")}`, () => {
      const { status, stderr, stdout } = supertick(args, env);
      assert.deepEqual([status, stdout], [2, ""]);
      assert.match(stderr, says);
    });
  }

  it("ends with 2 where the file is no crontab by its size: a log, an image", (t) => {
    const name = file(t, "");
    fs.truncateSync(name, 1024 * 1024 + 1);
    const { status, stderr } = supertick(["--crontab", name]);
    assert.equal(status, 2);
    assert.equal(stderr, `supertick: cannot read the crontab ${name}: it has over 1 MiB\n`);
    fs.writeFileSync(name, "@daily x #\n".padEnd(1024 * 1024, "#\n"));
    assert.equal(supertick(["check", "--crontab", name]).status, 0);
  });

  it("ends with 2 and the first mistake of a bad file", (t) => {
    const name = file(t, "@daily x\n0 25 * * * y\n@dayly z\n");
    const { status, stderr } = supertick(["--crontab", name]);
    assert.equal(status, 2);
    assert.equal(
      stderr,
      `supertick: ${name}:2: schedule "0 25 * * *": hour 25 is above 23 (mistakes in other lines: 1)\n`,
    );
  });

  it("a leftover schedule in the environment gives way to the flag", async (t) => {
    const supervisord = await listen(t, "@ticks 1 echo ran\n", [], { env: { TICK_GOAL: "5", TICK_NAME: "old" } });
    await supervisord.tick();
    await supervisord.waitForLog(/^ran$/m);
  });

  it("a crontab without a job is no mistake: jobs may come", async (t) => {
    const supervisord = await listen(t, "# nothing yet\n");
    await supervisord.tick();
    fs.appendFileSync(supervisord.crontab, "@ticks 1 echo ran\n");
    await hangUp(supervisord, /1 job of .*: 1 new/);
    await supervisord.tick();
    await supervisord.waitForLog(/^ran$/m);
    assert.equal((await supervisord.stop()).code, 0);
  });
});
