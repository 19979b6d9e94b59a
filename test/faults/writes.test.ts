// A listener is killed at every single write that it makes, to the journal, the counter file and supervisord, before the
// write and right after it; and every other time the next listener is killed too, some writes later. Meanwhile the crontab
// changes: --jitter grows and shrinks, jobs come, go, take other names and swap them. What is started is compared with the
// same life without a kill.

import * as assert from "node:assert/strict";
import { type Chance, createChance, SEED } from "../chance";
import { amount, fault, repeated } from "./faults";
import { type Kill, World } from "./world";

const LIVES = amount(70, 5);
const TICKS = 24;
const TICKS_BEFORE_THE_HOUR = 10;
const LAST_TICKS = 4;
const CHANGES = 12;
/** In ticks, from one of them to the change of the crontab: mostly so early that what it made due still waits. */
const PAUSES = [0.1, 0.1, 0.1, 0.5, 0.9];
const MOST_WRITES_BETWEEN_KILLS = 8;
/** A kill puts a run off by at most one tick and what is left of its delay, and two kills by twice that. */
const MOST_TICKS_LATER = 4;
const FULL_HOUR = 1_700_006_400;
const NAMES = 16;

interface Pace {
  readonly tick: string;
  readonly period: number;
  readonly schedules: readonly Schedule[];
}

/** `jitters`: none, a short one and a long one. */
interface Schedule {
  readonly text: string;
  readonly jitters: readonly [string, string, string];
}

// Each --jitter ends three ticks before the next due time, or earlier: so what a kill has put off starts before that is due,
// and each due time has a run of its own. Else one run would stand for two, rightly, and a loss might look the same.
const PACES: readonly Pace[] = [
  {
    tick: "TICK_5",
    period: 5,
    schedules: [
      { text: "* * * * *", jitters: ["0s", "15s", "45s"] },
      { text: "@every 90s", jitters: ["0s", "20s", "75s"] },
      { text: "*/2 * * * *", jitters: ["0s", "30s", "105s"] },
      { text: "0 * * * *", jitters: ["0s", "2m", "59m"] },
      { text: "@ticks 7", jitters: ["0s", "0s", "0s"] },
    ],
  },
  {
    tick: "TICK_60",
    period: 60,
    schedules: [
      { text: "*/5 * * * *", jitters: ["0s", "100s", "2m"] },
      { text: "@every 6m", jitters: ["0s", "2m", "3m"] },
      { text: "@every 8m", jitters: ["0s", "2m", "5m"] },
      { text: "0 * * * *", jitters: ["0s", "5m", "57m"] },
      { text: "@ticks 7", jitters: ["0s", "0s", "0s"] },
    ],
  },
];
const LEVELS = [0, 1, 2] as const;
const OPPOSITE = [2, 1, 0] as const;

/** A job, by its lines in the crontab. The command is its own: by it a job is known whatever its name becomes. */
interface CrontabJob {
  readonly name: string;
  readonly schedule: Schedule;
  /** Which of the schedule's jitters it has. */
  readonly level: (typeof LEVELS)[number];
  readonly command: string;
}

type Crontab = readonly CrontabJob[];

/** A tick; or with a crontab, the SIGHUP that says that it has taken the place of the one before. `at`: epoch seconds. */
interface Step {
  readonly at: number;
  readonly crontab?: Crontab;
}

interface Story {
  readonly pace: Pace;
  /** The first one is the crontab that the first listener finds. */
  readonly steps: readonly Step[];
}

/** A run that a tick brought, at the moment when it was written down that it starts. */
interface Start {
  readonly command: string;
  readonly due: number;
  readonly at: number;
}

// What happens:

function createStory(chance: Chance): Story {
  const pace = chance.pick(PACES);
  const start = FULL_HOUR - TICKS_BEFORE_THE_HOUR * pace.period;
  const editor = createEditor(pace, chance);
  let crontab: Crontab = [];
  for (let jobs = 1 + chance.below(3); jobs > 0; jobs--) crontab = editor.add(crontab);
  const steps: Step[] = [{ at: start, crontab }];
  const changing = Array.from({ length: CHANGES }, () => 1 + chance.below(TICKS - 1));
  for (let n = 1; n <= TICKS; n++) {
    const at = start + n * pace.period;
    steps.push({ at });
    if (!changing.includes(n)) continue;
    crontab = editor.change(crontab);
    steps.push({ at: at + chance.pick(PAUSES) * pace.period, crontab });
  }
  return { pace, steps: [...steps, ...lastSteps(crontab, start + TICKS * pace.period, pace)] };
}

/**
 * Chance seldom brings this: one job's delay grows when its run has just started, and another one's, which was long, goes.
 * A listener that is killed then leaves a window that begins long ago and ends before the last run of the first job.
 */
function createCrossing(): Story {
  const [pace] = PACES;
  const [minutely, , , hourly] = pace.schedules;
  const crontab: Crontab = [
    { name: "job-12", schedule: minutely, level: 0, command: "command-1" },
    { name: "job-77", schedule: hourly, level: 2, command: "command-2" },
  ];
  const changed = crontab.map((job) => ({ ...job, level: OPPOSITE[job.level] }));
  const start = FULL_HOUR - 2 * pace.period;
  const ticks = Array.from({ length: 30 }, (_, i) => ({ at: start + (i + 1) * pace.period }));
  const steps = [{ at: start, crontab }, ...ticks, { at: FULL_HOUR + 65.5, crontab: changed }];
  return { pace, steps: steps.sort((a, b) => a.at - b.at) };
}

// In the end --jitter is taken away, so that all that still waits for its delay starts.
function lastSteps(crontab: Crontab, end: number, { period }: Pace): Step[] {
  const undelayed = crontab.map((job) => ({ ...job, level: 0 as const }));
  const ticks = Array.from({ length: LAST_TICKS }, (_, i) => ({ at: end + (i + 1) * period }));
  return [{ at: end + 0.95 * period, crontab: undelayed }, ...ticks];
}

const KINDS_OF_CHANGE = [
  "one jitter",
  "one jitter",
  "one jitter",
  "all jitters",
  "opposite jitters",
  "opposite jitters",
  "add",
  "remove",
  "rename",
  "swap",
] as const;

/** Somebody who edits crontabs. No two jobs have the same command, not even one after the other. */
function createEditor({ schedules }: Pace, chance: Chance) {
  const names = Array.from({ length: NAMES }, () => `job-${chance.below(1_000_000)}`); // --jitter delays each otherwise
  const pickFreeName = (jobs: Crontab) => chance.pick(names.filter((name) => !jobs.some((job) => job.name === name)));
  let commands = 0;

  function add(jobs: Crontab): Crontab {
    const name = pickFreeName(jobs);
    const command = `command-${++commands}`;
    return [...jobs, { name, schedule: chance.pick(schedules), level: chance.pick(LEVELS), command }];
  }

  function change(jobs: Crontab): Crontab {
    const [one, other] = [chance.pick(jobs), chance.pick(jobs)];
    const level = chance.pick(LEVELS.filter((level) => level !== one.level));
    switch (chance.pick(KINDS_OF_CHANGE)) {
      case "one jitter":
        return jobs.map((job) => (job === one ? { ...job, level } : job));
      case "all jitters":
        return jobs.map((job) => ({ ...job, level }));
      case "opposite jitters":
        return jobs.map((job) => ({ ...job, level: OPPOSITE[job.level] }));
      case "add":
        return jobs.length < NAMES - 1 ? add(jobs) : jobs;
      case "remove":
        return jobs.length > 1 ? jobs.filter((job) => job !== one) : jobs;
      case "rename": {
        const name = pickFreeName(jobs);
        return jobs.map((job) => (job === one ? { ...job, name } : job));
      }
      case "swap":
        return jobs.map((job) => ({ ...job, name: job === one ? other.name : job === other ? one.name : job.name }));
    }
  }

  return { add, change };
}

function crontabText(jobs: Crontab): string {
  const text = ({ name, schedule, level, command }: CrontabJob) =>
    `TICK_NAME=${name}\nTICK_JITTER=${schedule.jitters[level]}\n${schedule.text} ${command}\n`;
  return jobs.map(text).join("");
}

// What is started:

interface Life {
  readonly starts: readonly Start[];
  /** When a listener was killed. */
  readonly deaths: readonly number[];
  readonly writes: number;
  readonly log: string;
}

function live({ pace, steps }: Story, kills: readonly Kill[]): Life {
  const starts: Start[] = [];
  const commands = new Map<string, string>(); // by the job's name, which a job that is gone keeps until another one takes it
  // By default what is over an hour late is missed, and a --jitter of nearly an hour may come to that.
  const options = ["--tick", pace.tick, "--catch-up", "1d"];
  const world = new World(options, steps[0].at, kills, (line) => {
    const command = commands.get(line.job);
    if (line.type === "starting" && command !== undefined) starts.push({ command, due: line.due, at: line.at });
  });
  const install = (crontab: Crontab) => {
    for (const { name, command } of crontab) commands.set(name, command);
    world.writeCrontab(crontabText(crontab));
  };
  for (const [i, { at, crontab }] of steps.entries()) {
    world.passUntil(at);
    if (crontab !== undefined) install(crontab);
    if (i === 0) world.startListener();
    else if (crontab !== undefined) world.sendSignal("SIGHUP");
    else world.sendTick(pace.tick);
  }
  return { starts, deaths: world.deaths, writes: world.writes, log: world.log };
}

/** Each kill at each write. The second one comes by chance. */
function killsOf(writes: number, chance: Chance): Kill[][] {
  const moments = ["before", "after"] as const;
  const firsts = Array.from({ length: writes }, (_, i) => moments.map((moment) => ({ write: i + 1, moment }))).flat();
  return firsts.map((first) => {
    const write = first.write + 1 + chance.below(MOST_WRITES_BETWEEN_KILLS);
    return chance.below(2) === 0 ? [first] : [first, { write, moment: chance.pick(moments) }];
  });
}

// What must hold:

/** How long a job is there: from the last tick before it came, until it goes, in epoch seconds. */
interface Stay {
  readonly from: number;
  readonly to: number;
}

/** By command. */
function staysOf({ steps }: Story): Map<string, Stay> {
  const stays = new Map<string, Stay>();
  let lastTick = steps[0].at;
  for (const { at, crontab } of steps) {
    if (crontab === undefined) {
      lastTick = at;
      continue;
    }
    const isGone = (command: string) => !crontab.some((job) => job.command === command);
    for (const [command, { from, to }] of stays)
      if (isGone(command)) stays.set(command, { from, to: Math.min(to, at) });
    for (const { command } of crontab)
      if (!stays.has(command)) stays.set(command, { from: lastTick, to: Number.POSITIVE_INFINITY });
  }
  return stays;
}

/**
 * What the kills have changed, which must be nothing: each due time that has a run without a kill has one, and
 * only one, with it; and no other one has. A run counts from when it is written down that it starts: killed then, it is told as
 * interrupted. Only this is left open:
 * - A job that has just come has missed nothing, so it need not run for what was due up to the tick before it came. It may:
 *   with --jitter the windows of its first ticks are earlier, and after a kill they begin where other jobs have come to.
 * - A job that goes may take with it what a kill has put off.
 */
function differences(story: Story, unkilled: Life, killed: Life): string[] {
  const stays = staysOf(story);
  const isCertain = ({ command, due, at }: Start) => {
    const { from, to } = stays.get(command)!;
    return due > from && at < to - MOST_TICKS_LATER * story.pace.period;
  };
  const expected = new Set(unkilled.starts.map(nameOf));
  const started = killed.starts.map(nameOf);
  const certain = (life: Life) => life.starts.filter(isCertain).map(nameOf);
  return [
    ...repeated(started).map((run) => `${run}, runs twice`),
    ...certain(unkilled)
      .filter((run) => !started.includes(run))
      .map((run) => `${run}, is lost`),
    ...certain(killed)
      .filter((run) => !expected.has(run))
      .map((run) => `${run}, runs with the kills only`),
  ];
}

function nameOf({ command, due }: Start): string {
  return `${command}, due ${timeText(due)}`;
}

function timeText(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

/** All that is needed to see what went wrong. */
function report({ pace, steps }: Story, kills: readonly Kill[], killed: Life, found: readonly string[]): string {
  const where = kills.map(({ write, moment }, i) => {
    const death = killed.deaths[i];
    return `${moment} write ${write}, ${death === undefined ? "which never came" : `at ${timeText(death)}`}`;
  });
  const crontabs = steps.flatMap(({ at, crontab }) =>
    crontab === undefined ? [] : [`The crontab from ${timeText(at)} on:`, crontabText(crontab)],
  );
  return [...found, `${pace.tick}; killed ${where.join("; then ")}`, ...crontabs, "The log:", killed.log].join("\n");
}

fault(`killed at each write of ${LIVES} lives, a listener loses no due time and runs none twice`, {}, async (t) => {
  let [deaths, runs] = [0, 0];
  for (let n = 0; n < LIVES; n++) {
    const chance = createChance(SEED + n);
    const story = n === 0 ? createCrossing() : createStory(chance);
    const unkilled = live(story, []);
    assert.deepEqual(repeated(unkilled.starts.map(nameOf)), [], "runs twice without a kill");
    runs += unkilled.starts.length;
    for (const kills of killsOf(unkilled.writes, chance)) {
      const killed = live(story, kills);
      const found = differences(story, unkilled, killed);
      assert.ok(found.length === 0, `life ${n}: ${report(story, kills, killed, found)}`);
      assert.ok(killed.deaths.length > 0, "nothing was killed");
      deaths += killed.deaths.length;
    }
  }
  t.diagnostic(`seed ${SEED}: ${deaths} kills; ${runs} runs without them`);
  assert.ok(runs > 3 * LIVES, `only ${runs} runs`);
});
