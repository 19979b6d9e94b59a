// Lives of a listener that is killed at every single write that it makes, to the journal, the counter file and supervisord,
// before the write and right after it; and every other time the next listener is killed too, some writes later. Meanwhile the
// crontab changes: --jitter grows and shrinks, jobs come, go and move to other lines; and what else a life brings is in
// KINDS. What is started is compared with the same life without a kill.
// To add something that happens: a Step, `take`, and a row of KINDS whose lives it is in.

import * as assert from "node:assert/strict";
import { type Chance, createChance, SEED } from "../chance";
import { repeated } from "./faults";
import { CRONTAB, type Kill, World } from "./world";

const TICKS = 24;
const TICKS_BEFORE_THE_HOUR = 10;
const CHANGES = 12;
/** In ticks, from one of them to what happens after it: mostly so early that what it made due still waits. */
const PAUSES = [0.1, 0.1, 0.1, 0.5, 0.9];
const MOST_WRITES_BETWEEN_KILLS = 8;
/** A kill puts a run off by at most one tick and what is left of its delay, and two kills by twice that. */
const MOST_TICKS_LATER = 4;
/** At the end, until all that waits has run. */
const LAST_TICKS = 4;
const MOST_LAST_TICKS = 60;
const FULL_HOUR = 1_700_006_400;

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

/** What a life has beside a crontab that changes. */
interface Kind {
  readonly title: string;
  readonly options?: readonly string[];
  readonly mostJobs?: number;
  /** Of the commands, in ticks. */
  readonly lasts?: readonly number[];
  /** What happens a few times, at a tick or after it. */
  readonly happens?: readonly Happening[];
}

type Happening = "clock" | "late" | "again" | "lost" | "by hand" | "ask";

const KINDS: readonly Kind[] = [
  { title: "commands that end at once" },
  { title: "runs by hand", happens: ["by hand", "by hand", "by hand", "by hand"] },
  { title: "runs that are asked for", happens: ["ask", "ask", "ask", "ask", "by hand"] },
  { title: "a clock that is set", happens: ["clock", "clock", "clock"] },
  { title: "late ticks, and ticks that come again", happens: ["late", "late", "again", "again", "again"] },
  { title: "a counter file that is lost", happens: ["lost", "lost", "lost", "late", "again"] },
  { title: "--overlap queue", options: ["--overlap", "queue"], mostJobs: 5, lasts: [0, 0.5, 3, 7] },
  {
    title: "--max-running 1",
    options: ["--overlap", "queue", "--max-running", "1"],
    mostJobs: 4,
    lasts: [0, 0.5, 0.9],
    happens: ["late", "again"],
  },
  { title: "--overlap replace", options: ["--overlap", "replace"], mostJobs: 5, lasts: [0, 0.5, 3, 13] },
  { title: "--timeout", options: ["--timeout", "2s"], mostJobs: 5, lasts: [0, 0.5, 3], happens: ["lost"] },
];

/** A job, by its lines in the crontab. No two have the same command, and those without TICK_NAME are known by it. */
interface CrontabJob {
  readonly name: string | undefined;
  readonly schedule: Schedule;
  /** Which of the schedule's jitters it has. */
  readonly level: (typeof LEVELS)[number];
  readonly command: string;
  /** In seconds. */
  readonly lasts: number;
}

type Crontab = readonly CrontabJob[];

/** `at`: epoch seconds, of a clock that is never set. */
type Step = { readonly at: number } & (
  | { readonly do: "tick" | "hold" | "release" | "again" | "lost" | "by hand" | "ask" }
  /** By so many seconds, back if below 0. */
  | { readonly do: "clock"; readonly seconds: number }
  /** It takes the place of the one before. */
  | { readonly do: "crontab"; readonly crontab: Crontab }
);

interface Story {
  readonly kind: Kind;
  readonly pace: Pace;
  /** The first one is the crontab that the first listener finds. */
  readonly steps: readonly Step[];
  /** What is due later need not have run. */
  readonly end: number;
}

/** A run that a tick brought, at the moment when it was written down that it starts. */
interface Start {
  readonly command: string;
  readonly due: number;
  readonly at: number;
}

// What happens:

function createStory(kind: Kind, chance: Chance): Story {
  const pace = chance.pick(PACES);
  const { period } = pace;
  const start = FULL_HOUR - TICKS_BEFORE_THE_HOUR * period;
  const editor = createEditor(pace, kind, chance);
  let crontab: Crontab = [];
  for (let jobs = 1 + chance.below(3); jobs > 0; jobs--) crontab = editor.add(crontab);
  const steps: Step[] = [{ at: start, do: "crontab", crontab }];
  const aTick = () => 1 + chance.below(TICKS - 2);
  const changing = Array.from({ length: CHANGES }, aTick);
  const happens = (kind.happens ?? []).map((what) => ({ n: aTick(), what }));
  for (let n = 1; n <= TICKS; n++) {
    const at = start + n * period;
    const here = happens.filter((one) => one.n === n).map(({ what }) => what);
    const isHeld = here.includes("late") && !happens.some((one) => one.n === n - 1 && one.what === "late");
    steps.push({ at, do: isHeld ? "hold" : "tick" });
    if (isHeld) steps.push({ at: at + period + 0.01, do: "release" });
    for (const what of here) steps.push(...stepsOf(what, at, period, chance));
    if (!changing.includes(n)) continue;
    crontab = editor.change(crontab);
    steps.push({ at: at + chance.pick(PAUSES) * period, do: "crontab", crontab });
  }
  // In the end --jitter is taken away, so that all that still waits for its delay starts.
  const end = start + TICKS * period;
  steps.push({ at: end + 0.95 * period, do: "crontab", crontab: crontab.map((job) => ({ ...job, level: 0 })) });
  return { kind, pace, steps: steps.sort((a, b) => a.at - b.at), end: end + LAST_TICKS * period };
}

function stepsOf(what: Happening, at: number, period: number, chance: Chance): Step[] {
  const then = at + (chance.pick(PAUSES) - 0.05) * period;
  if (what === "late") return [];
  if (what !== "clock") return [{ at: then, do: what }];
  const seconds = chance.pick([1, period - 1, 2 * period, 2 * period + 1, 3600, 5 * 3600, 3 * 86_400]);
  return [{ at: then, do: "clock", seconds: seconds * chance.pick([1, -1]) }];
}

/**
 * Chance seldom brings this: one job's delay grows when its run has just started, and another one's, which was long, goes.
 * A listener that is killed then leaves a window that begins long ago and ends before the last run of the first job.
 */
function createCrossing(): Story {
  const [pace] = PACES;
  const [minutely, , , hourly] = pace.schedules;
  const crontab: Crontab = [
    { name: "job-12", schedule: minutely, level: 0, command: "command-1", lasts: 0 },
    { name: "job-77", schedule: hourly, level: 2, command: "command-2", lasts: 0 },
  ];
  const changed = crontab.map((job) => ({ ...job, level: OPPOSITE[job.level] }));
  const start = FULL_HOUR - 2 * pace.period;
  const end = start + 30 * pace.period;
  const steps: Step[] = [{ at: start, do: "crontab", crontab }];
  for (let at = start + pace.period; at <= end; at += pace.period) steps.push({ at, do: "tick" });
  steps.push({ at: FULL_HOUR + 65.5, do: "crontab", crontab: changed });
  return { kind: KINDS[0], pace, steps: steps.sort((a, b) => a.at - b.at), end };
}

const KINDS_OF_CHANGE = [
  ...["one jitter", "one jitter", "one jitter", "all jitters", "opposite jitters", "opposite jitters"],
  ...["add", "remove", "move"],
];

/** Edits crontabs. No two jobs have the same command, not even one after the other. */
function createEditor({ schedules, period }: Pace, { mostJobs = 15, lasts = [0] }: Kind, chance: Chance) {
  let commands = 0;

  function add(jobs: Crontab): Crontab {
    const command = `command-${++commands}`;
    const name = chance.below(2) === 0 ? undefined : `job-${commands}-${chance.below(1_000_000)}`; // --jitter hangs on it
    const [schedule, level] = [chance.pick(schedules), chance.pick(LEVELS)];
    return [...jobs, { name, schedule, level, command, lasts: period * chance.pick(lasts) }];
  }

  function change(jobs: Crontab): Crontab {
    const one = chance.pick(jobs);
    const level = chance.pick(LEVELS.filter((level) => level !== one.level));
    switch (chance.pick(KINDS_OF_CHANGE)) {
      case "one jitter":
        return jobs.map((job) => (job === one ? { ...job, level } : job));
      case "all jitters":
        return jobs.map((job) => ({ ...job, level }));
      case "opposite jitters":
        return jobs.map((job) => ({ ...job, level: OPPOSITE[job.level] }));
      case "add":
        return jobs.length < mostJobs ? add(jobs) : jobs;
      case "remove":
        return jobs.length > 1 ? jobs.filter((job) => job !== one) : jobs;
      default:
        return [...jobs].reverse();
    }
  }

  return { add, change };
}

function crontabText(jobs: Crontab): string {
  const text = ({ name, schedule, level, command, lasts }: CrontabJob) =>
    `${name === undefined ? "" : `TICK_NAME=${name}\n`}TICK_JITTER=${schedule.jitters[level]}\n${schedule.text} ${command} ${lasts}\n`;
  return jobs.map(text).join("");
}

// What is started:

interface Life {
  readonly starts: readonly Start[];
  /** By signal. */
  readonly byHand: number;
  /** How often each request is in the journal: as a run, or as skipped. */
  readonly asked: ReadonlyMap<string, number>;
  /** Processes that were started beside others. */
  readonly besides: readonly string[];
  /** When a listener was killed. */
  readonly deaths: readonly number[];
  readonly writes: number;
  readonly log: string;
}

function live({ kind, pace, steps }: Story, kills: readonly Kill[]): Life {
  const starts: Start[] = [];
  const besides: string[] = [];
  const commands = new Map<string, string>(); // by name; without TICK_NAME the command is the name
  const names = new Map<string, string>(); // by key
  const asked = new Map<string, number>();
  let byHand = 0;
  const options = ["--crontab", CRONTAB, "--tick", pace.tick, ...(kind.options ?? [])];
  // By default what is over an hour late is missed, and a --jitter of nearly an hour may come to that.
  if (!kind.happens?.includes("clock")) options.push("--catch-up", "1d");
  const isOneAtATime = options.includes("--max-running");
  const world = new World(
    options,
    steps[0].at,
    kills,
    (line) => {
      if (line.type === "job") names.set(line.job, line.name);
      if (/starting|skipped/.test(line.type) && asked.has(line.id)) asked.set(line.id, asked.get(line.id)! + 1);
      if (line.type !== "starting") return;
      const command = commands.get(names.get(line.job) ?? "");
      if (line.reason === "signal") byHand++;
      else if (line.reason !== "remote" && command !== undefined)
        starts.push({ command, due: line.due, at: world.seconds });
    },
    ({ environment: { SUPERTICK_JOB: name } }, others) => {
      const other = others.find(({ environment }) => isOneAtATime || environment.SUPERTICK_JOB === name);
      if (other !== undefined) besides.push(`${name} is started beside ${other.environment.SUPERTICK_JOB}`);
    },
  );
  for (const [i, step] of steps.entries()) {
    world.passUntil(step.at);
    if (step.do === "crontab") for (const { name, command } of step.crontab) commands.set(name ?? command, command);
    if (step.do !== "ask") {
      take(world, pace, step, i === 0);
      continue;
    }
    const id = `00000000-0000-4000-a000-${String(i).padStart(12, "0")}`;
    asked.set(id, 0);
    world.ask([...names.keys()].sort()[0], id);
  }
  for (let n = 1; n <= LAST_TICKS || (!world.isIdle && n < MOST_LAST_TICKS); n++) {
    world.passUntil(steps[steps.length - 1].at + (n - 0.95) * pace.period + pace.period);
    world.sendTick(pace.tick, pace.period);
  }
  return { starts, byHand, asked, besides, deaths: world.deaths, writes: world.writes, log: world.log };
}

function take(world: World, { tick, period }: Pace, step: Exclude<Step, { do: "ask" }>, isFirst: boolean): void {
  switch (step.do) {
    case "tick":
      return world.sendTick(tick, period);
    case "hold":
      return world.holdTick(tick, period);
    case "release":
      return world.release();
    case "again":
      return world.repeat();
    case "lost":
      return world.loseCounterFile();
    case "by hand":
      return world.sendSignal("SIGUSR2");
    case "clock":
      return world.setClock(step.seconds);
    case "crontab":
      world.writeCrontab(crontabText(step.crontab));
      return isFirst ? world.startListener() : world.sendSignal("SIGHUP");
  }
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
  for (const step of steps) {
    if (step.do === "tick") lastTick = step.at;
    if (step.do !== "crontab") continue;
    const { at, crontab } = step;
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
 * only one, with it; and no other one has. A run counts from when it is written down that it starts: killed then, it is logged
 * as interrupted. Only this is left open:
 * - A job that has just come has missed nothing, so it need not run for what was due up to the tick before it came. It may:
 *   with --jitter the windows of its first ticks are earlier, and after a kill they begin where other jobs have come to.
 * - A job that goes may take with it what a kill has put off.
 * - So may a clock that is set: forward, and the run is missed or made up for; back, and its due time comes again.
 * - A counter file that is lost takes the count of @ticks with it.
 * - A run by hand, or one that is asked for, may be lost, but there is never one more.
 */
function differences(story: Story, unkilled: Life, killed: Life): string[] {
  const { kind, pace, steps, end } = story;
  const stays = staysOf(story);
  const late = MOST_TICKS_LATER * pace.period;
  const settings = steps.filter((step) => step.do === "clock").map(({ at }) => at);
  const ticksJobs = new Set(
    jobsOf(story).flatMap(({ schedule, command }) => (/@ticks/.test(schedule.text) ? command : [])),
  );
  const isLost = kind.happens?.includes("lost") ?? false;
  const isOpen = ({ command, at }: Start) =>
    (isLost && ticksJobs.has(command)) || settings.some((setting) => Math.abs(setting - at) <= late);
  const open = new Set([...unkilled.starts, ...killed.starts].filter(isOpen).map(nameOf));
  const isCertain = (start: Start) => {
    const { from, to } = stays.get(start.command)!;
    const isThere = settings.length > 0 ? start.at - late > from : start.due > from;
    return isThere && start.at < to - late && start.at <= end && !open.has(nameOf(start));
  };
  const [expected, started] = [unkilled, killed].map((life) => countOf(life.starts));
  const certain = (life: Life) => [...new Set(life.starts.filter(isCertain).map(nameOf))];
  return [
    ...killed.besides,
    ...(killed.byHand > unkilled.byHand ? [`${killed.byHand} runs by hand`] : []),
    ...[...killed.asked].filter(([, times]) => times > 1).map(([id]) => `${id}, which was asked for, begins twice`),
    ...[...started]
      .filter(([run, times]) => times > Math.max(1, expected.get(run) ?? 0) && !open.has(run))
      .map(([run]) => `${run}, runs twice`),
    ...certain(unkilled)
      .filter((run) => !started.has(run))
      .map((run) => `${run}, is lost`),
    ...certain(killed)
      .filter((run) => !expected.has(run))
      .map((run) => `${run}, runs with the kills only`),
  ];
}

function jobsOf({ steps }: Story): CrontabJob[] {
  return steps.flatMap((step) => (step.do === "crontab" ? step.crontab : []));
}

function countOf(starts: readonly Start[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const run of starts.map(nameOf)) counts.set(run, (counts.get(run) ?? 0) + 1);
  return counts;
}

function nameOf({ command, due }: Start): string {
  return `${command}, due ${timeText(due)}`;
}

function timeText(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

/** All that is needed to see what went wrong. */
function report(
  { kind, pace, steps }: Story,
  kills: readonly Kill[],
  { deaths, log }: Life,
  found: readonly string[],
): string {
  const where = kills.map(({ write, moment }, i) => {
    const death = deaths[i];
    return `${moment} write ${write}, ${death === undefined ? "which never came" : `at ${timeText(death)}`}`;
  });
  const happened = steps.flatMap((step) => {
    if (step.do === "tick") return [];
    const what =
      step.do === "crontab" ? `\n${crontabText(step.crontab)}` : step.do === "clock" ? ` ${step.seconds}` : "";
    return [`${timeText(step.at)} ${step.do}${what}`];
  });
  return [...found, `${kind.title}, ${pace.tick}; killed ${where.join("; then ")}`, ...happened, "The log:", log].join(
    "\n",
  );
}

/**
 * Lives through so many stories, killed at every `stride`th write.
 * @returns what was done, in words
 */
export function killAtEachWrite(lives: number, stride: number): string {
  let [deaths, runs] = [0, 0];
  for (let n = 0; n < lives; n++) {
    const chance = createChance(SEED + n);
    const kind = KINDS[n % KINDS.length];
    const story = n === 0 ? createCrossing() : createStory(kind, chance);
    const unkilled = live(story, []);
    const isClockSet = kind.happens?.includes("clock") ?? false;
    assert.deepEqual(
      [...(isClockSet ? [] : repeated(unkilled.starts.map(nameOf))), ...unkilled.besides],
      [],
      "without a kill",
    );
    runs += unkilled.starts.length;
    for (const [i, kills] of killsOf(unkilled.writes, chance).entries()) {
      if (i % stride !== n % stride) continue;
      const killed = live(story, kills);
      const found = differences(story, unkilled, killed);
      assert.ok(found.length === 0, `life ${n}: ${report(story, kills, killed, found)}`);
      assert.ok(killed.deaths.length > 0, "nothing was killed");
      deaths += killed.deaths.length;
    }
  }
  assert.ok(runs > 3 * lives, `only ${runs} runs`);
  return `seed ${SEED}: ${deaths} kills; ${runs} runs without them`;
}
