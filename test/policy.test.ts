// The job policy: every input in every phase as one table, the other policies as cases, and what must hold whatever happens in
// whichever order, at whichever instant the listener is killed.

import * as assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  type Decision,
  type Due,
  decide,
  type Effect,
  type Fact,
  FRESH_STATE,
  factsOf,
  type Job,
  type JobInput,
  type JobPolicy,
  type JobState,
  type Moment,
  type ProcessEnd,
  type Reason,
  readJournal,
  SliceSchedule,
  StartSchedule,
  slotsOf,
} from "../listener";

/** What a case is about: a policy, how many runs may start, and in how many seconds the next one is due. */
interface Setting extends Partial<JobPolicy> {
  slots?: number;
  next?: number;
}

const POLICY: JobPolicy = {
  overlap: "skip",
  queueLimit: 1,
  timeoutSeconds: 300,
  killAfterSeconds: 5,
  drainSeconds: 0,
  retries: 0,
  retryDelaySeconds: 10,
  isRetryYielding: true,
  isAsking: false,
};

function jobWith({ slots: _, next: __, ...policy }: Setting, key = "."): Job {
  const options = { policy: { ...POLICY, ...policy }, runOnStart: false, jitter: 0 } as Job["options"];
  return { key, name: "job", command: ["work"], schedule: new StartSchedule(), options };
}

function momentOf({ slots = Infinity, next = Infinity }: Setting, isStopping: boolean, seconds = 0): Moment {
  return { at: 1000, seconds, now: 1000, freeSlots: slots, isStopping, secondsToNextRun: () => next };
}

/** The state that a listener finds which comes after a kill: a journal of these facts, read. */
function reread(facts: readonly Fact[], key = "."): JobState {
  return readJournal(facts.map((fact) => JSON.stringify({ ...fact, job: key }))).get(key) ?? FRESH_STATE;
}

// ── What has happened, in words ────────────────────────────────────────────
// "due started exit0": inputs, about run 1; "2:started" is about run 2. The nth "due" has the id n. "kill": the listener is.

const EXIT_0: ProcessEnd = { exit: 0, signal: null };
const DIED: ProcessEnd = { exit: null, signal: "SIGTERM" };
const LEADER = { pid: 71, start: 7 };
const GONE = { isAlive: false, hasGroup: false, ageSeconds: 0 };
const ABOUT_RUN = {
  allowed: { type: "answered", verdict: "allowed" },
  held: { type: "answered", verdict: "held" },
  error: { type: "answered", verdict: "error", error: "exit 2" },
  silent: { type: "answered", verdict: "timeout" },
  started: { type: "started", ...LEADER },
  startFailed: { type: "startFailed", error: "ENOENT" },
  outputLeft: { type: "outputLeft", end: EXIT_0 },
  exit0: { type: "exited", end: EXIT_0 },
  exit3: { type: "exited", end: { exit: 3, signal: null } },
  died: { type: "exited", end: DIED },
  groupGone: { type: "groupGone" },
  alarm: { type: "alarm" },
  gone: { type: "found", ...GONE },
  alive: { type: "found", ...GONE, leader: LEADER, isAlive: true, ageSeconds: 100 },
  old: { type: "found", ...GONE, leader: LEADER, isAlive: true, ageSeconds: 1e5 },
  group: { type: "found", ...GONE, leader: LEADER, hasGroup: true },
} as const;

function inputOf(word: string, dues: number): JobInput {
  const [, number, name] = /^(?:(\d+):)?(\w+?)$/.exec(word)!;
  if (name === "pause") return { type: "pause", id: "p", seconds: number === undefined ? undefined : Number(number) };
  if (name === "resume") return { type: "resume", id: "r" };
  if (name === "stop") return { type: "stop", how: number === "2" ? "kill" : number === "1" ? "end" : "drain" };
  if (name === "turn") return { type: "turn", id: number ?? "1" };
  if (name in ABOUT_RUN) return { ...ABOUT_RUN[name as "alarm"], run: Number(number ?? 1) } as JobInput;
  const due = { type: "due", due: 300 * dues, id: String(dues) } as const;
  if (name !== "event") return { ...due, reason: name === "due" ? "schedule" : (name as Reason) };
  return { ...due, reason: "event", serial: dues, event: { name: "EVENT", serial: dues, payload: "" } };
}

interface Played {
  state: JobState;
  last?: Decision;
}

function play(setting: Setting, words: string): Played {
  const job = jobWith(setting);
  const facts: Fact[] = [];
  const played: Played = { state: FRESH_STATE };
  let [dues, isStopping] = [0, false];
  for (const word of words.split(" ").filter(Boolean)) {
    if (word === "kill") played.state = reread(facts);
    else {
      if (/due|event|signal|start$/.test(word)) dues++;
      isStopping ||= /stop/.test(word);
      const slots = /turn/.test(word) ? 1 : setting.slots;
      played.last = decide(job, played.state, inputOf(word, dues), momentOf({ ...setting, slots }, isStopping));
      facts.push(...played.last.notes.map(({ fact }) => fact));
      played.state = played.last.state;
    }
  }
  return played;
}

/** What is written down and done, in order → the runs afterwards, as number.attempt and phase. */
function outcome(setting: Setting, words: string): string {
  const { state, last } = play(setting, words);
  const done = [...last!.notes.map(({ fact }) => factInWords(fact)), ...last!.effects.map(effectInWords)];
  const runs = state.runs.map(({ number, attempt, phase, end }) => {
    const isReading = phase === "running" && end !== undefined;
    return `${number}.${attempt} ${isReading ? "reading" : phase}`;
  });
  return `${done.join(", ")} → ${runs.join(", ") || "none"}`.trim();
}

function factInWords(fact: Fact): string {
  const { type, cause, result, why, retryIn } = { cause: "", result: "", why: "", retryIn: undefined, ...fact };
  if (type === "skipped" || type === "waiting" || why === "limit") return [type, result].join(" ").trim();
  return [type, cause, why, result, retryIn && `again in ${retryIn}`].filter(Boolean).join(" ");
}

function effectInWords(effect: Effect): string {
  if (effect.do === "alarm") return effect.seconds === undefined ? "no alarm" : `alarm ${effect.seconds}`;
  return effect.do === "signal" ? effect.signal : effect.do;
}

// ── The table ──────────────────────────────────────────────────────────────

function inPhase(phase: string, words: string, setting: Setting = {}) {
  return ([text]: TemplateStringsArray) => ({ phase, words, setting, outcomes: linesOf(text) });
}

/** "a b ⇒ c": [["a b", "c"]]. What is indented further belongs to the line before. */
function linesOf(text: string): string[][] {
  return text
    .trim()
    .replace(/\n +⇒/g, " ⇒")
    .split(/\n +/)
    .map((line) => line.split(" ⇒ "));
}

const INPUTS =
  "due 1:turn allowed held started startFailed outputLeft exit0 exit3 died groupGone alarm stop 2:stop".split(" ");

/** In which phases a process reports. Its start, or that it failed, comes once. */
const WITH_PROCESS = /^(running|reading|ending|killed|idle)/;
const REPORTS: Record<string, RegExp> = {
  ...{ started: /^(starting|idle)/, startFailed: /^(starting|idle)/ },
  ...{ outputLeft: WITH_PROCESS, exit0: WITH_PROCESS, exit3: WITH_PROCESS, died: WITH_PROCESS },
};

/** What each input does in each phase: of one that stands in no line, nothing comes. */
const TABLE = [
  inPhase("idle", "")`
    due ⇒ starting, spawn → 1.1 starting`,
  inPhase("waiting", "due", { slots: 0 })`
    due stop 2:stop ⇒ skipped → none
    1:turn ⇒ starting, spawn → 1.1 starting`,
  inPhase("asking", "due", { isAsking: true })`
    due ⇒ skipped → 1.1 asking
    allowed ⇒ spawn → 1.1 starting
    held ⇒ dropped held → none
    stop 2:stop ⇒ dropped stopped → none`,
  inPhase("next", "due started due", { overlap: "replace" })`
    due ⇒ dropped replaced, starting → 1.1 ending, 3.1 next
    exit0 exit3 died ⇒ watch → 1.1 ending, 2.1 next
    alarm ⇒ SIGKILL, alarm 1 → 1.1 killed, 2.1 next
    stop ⇒ dropped stopped → 1.1 ending
    2:stop ⇒ dropped stopped, SIGKILL, alarm 1 → 1.1 killed`,
  inPhase("starting", "due")`
    due ⇒ skipped → 1.1 starting
    started ⇒ started, alarm 300 → 1.1 running
    startFailed ⇒ ended failure → none
    stop 2:stop ⇒ ended interrupted → none`,
  inPhase("running", "due started")`
    due ⇒ skipped → 1.1 running
    outputLeft ⇒ no alarm → 1.1 reading
    exit0 ⇒ ended success → none
    exit3 died ⇒ ended failure → none
    alarm ⇒ ending timeout, SIGTERM, alarm 5 → 1.1 ending
    stop 2:stop ⇒ ending stop, SIGTERM, alarm 5 → 1.1 ending`,
  inPhase("reading", "due started outputLeft")`
    due ⇒ skipped → 1.1 reading
    outputLeft ⇒ no alarm → 1.1 reading
    exit0 exit3 died 2:stop ⇒ ended success → none`,
  inPhase("reading at a stop", "due started outputLeft stop")`
    outputLeft ⇒ no alarm → 1.1 reading
    exit0 exit3 died 2:stop ⇒ ended success → none`,
  inPhase("ending", "due started alarm")`
    due ⇒ skipped → 1.1 ending
    exit0 exit3 died ⇒ watch → 1.1 ending
    alarm 2:stop ⇒ SIGKILL, alarm 1 → 1.1 killed`,
  inPhase("ending without its leader", "due started alarm exit0")`
    due ⇒ skipped → 1.1 ending
    exit0 exit3 died ⇒ watch → 1.1 ending
    groupGone ⇒ ended timeout → none
    alarm 2:stop ⇒ SIGKILL, alarm 1 → 1.1 killed`,
  inPhase("killed", "due started alarm alarm")`
    due ⇒ skipped → 1.1 killed
    exit0 exit3 died ⇒ ended timeout → none
    stop 2:stop ⇒ alarm 1 → 1.1 killed`,
  inPhase("ending at a stop", "due started stop")`
    exit0 exit3 died ⇒ watch → 1.1 ending
    alarm 2:stop ⇒ SIGKILL, alarm 1 → 1.1 killed`,
  inPhase("ending at a stop without its leader", "due started stop exit0")`
    exit0 exit3 died ⇒ watch → 1.1 ending
    groupGone ⇒ ended interrupted → none
    alarm 2:stop ⇒ SIGKILL, alarm 1 → 1.1 killed`,
  inPhase("killed at a stop", "due started stop alarm")`
    exit0 exit3 died alarm ⇒ ended interrupted → none
    stop 2:stop ⇒ alarm 1 → 1.1 killed`,
  inPhase("backoff", "due started exit3", { retries: 1 })`
    due ⇒ dropped due failure, starting, spawn → 2.1 starting
    alarm ⇒ starting, spawn → 1.2 starting
    stop 2:stop ⇒ dropped stopped failure → none`,
  inPhase("queued", "due 1:turn started exit3 alarm", { retries: 1, slots: 0 })`
    due ⇒ dropped due failure, waiting, queue → none
    1:turn ⇒ starting, spawn → 1.2 starting
    stop 2:stop ⇒ dropped stopped failure → none`,
];

for (const { phase, setting, words, outcomes } of TABLE) {
  describe(`a job whose run is ${phase}`, () => {
    for (const input of INPUTS.filter((input) => REPORTS[input]?.test(phase) ?? true)) {
      const [, expected] = outcomes.find(([inputs]) => inputs.split(" ").includes(input)) ?? [];
      it(`${input}: ${expected ?? "nothing"}`, () => {
        if (expected !== undefined) return assert.equal(outcome(setting, `${words} ${input}`), expected);
        const [before, after] = [play(setting, words), play(setting, `${words} ${input}`)];
        assert.deepEqual([after.state, after.last!.effects, after.last!.notes], [before.state, [], []]);
      });
    }
  });
}

// ── The other policies ─────────────────────────────────────────────────────
// What has happened ⇒ what is written down and done with the last of it → the runs that are left.

function withPolicy(title: string, setting: Setting) {
  return ([text]: TemplateStringsArray) => ({ title, setting, cases: linesOf(text) });
}

const RETRIED = { retries: 1, isRetryYielding: false };

const CASES = [
  withPolicy("replace", { overlap: "replace" })`
    the last one is ended: due started due ⇒ starting, ending replace, SIGTERM, alarm 5 → 1.1 ending, 2.1 next
    the new one starts when the last one is gone: due started due died groupGone
      ⇒ ended interrupted, spawn → 2.1 starting
    one that comes while the last one starts ends it then: due due started
      ⇒ started, ending replace, SIGTERM, alarm 5 → 1.1 ending, 2.1 next
    one that could not be started is in no way: due due startFailed ⇒ ended failure, spawn → 2.1 starting
    what is left of its output is waited for: due started outputLeft due ⇒ starting → 1.1 reading, 2.1 next
    then it starts: due started outputLeft due exit0 ⇒ ended success, spawn → 2.1 starting`,
  withPolicy("replace and only-if", { overlap: "replace", isAsking: true })`
    the last one goes on until the question is answered: due allowed started due
      ⇒ starting, ask → 1.1 running, 2.1 asking
    held back, the last one is left alone: due allowed started due 2:held ⇒ dropped held → 1.1 running
    allowed, the last one is ended: due allowed started due 2:allowed
      ⇒ ending replace, SIGTERM, alarm 5 → 1.1 ending, 2.1 next
    a question is replaced by the next one: due due ⇒ dropped replaced, starting, ask → 2.1 asking
    the last one ends meanwhile: due allowed started due exit0 2:allowed ⇒ spawn → 2.1 starting`,
  withPolicy("replace of events that are tried again", { overlap: "replace", isAsking: true, ...RETRIED })`
    one that waits for its next attempt is replaced: signal started exit3 signal
      ⇒ starting, dropped replaced failure, spawn → 2.1 starting
    also when the question is answered: event allowed started event exit3 2:allowed
      ⇒ dropped replaced failure, spawn → 2.1 starting
    one that fails while the next one is there is not tried again: signal signal startFailed
      ⇒ ended replaced failure, spawn → 2.1 starting`,
  withPolicy("allow", { overlap: "allow", retries: 1 })`
    they run side by side: due started due ⇒ starting, spawn → 1.1 running, 2.1 starting
    a stop ends each: due started due 2:started stop
      ⇒ ending stop, ending stop, SIGTERM, alarm 5, SIGTERM, alarm 5 → 1.1 ending, 2.1 ending
    one fails beside another: due started due exit3
      ⇒ ended failure again in 10, alarm 10 → 1.1 backoff, 2.1 starting
    and is tried again beside it: due started due exit3 alarm ⇒ starting, spawn → 1.2 starting, 2.1 starting`,
  withPolicy("queue", { overlap: "queue", queueLimit: 2, retries: 1 })`
    the next one waits: due started due ⇒ waiting → 1.1 running
    as many as may: due started due due due ⇒ skipped → 1.1 running
    the oldest is next: due started due due exit0 ⇒ ended success, starting, spawn → 2.1 starting
    a failed one is not tried again where one waits: due started due exit3
      ⇒ ended due failure, starting, spawn → 2.1 starting
    what waits is skipped at a stop: due started due stop ⇒ skipped, ending stop, SIGTERM, alarm 5 → 1.1 ending`,
  withPolicy("queue of events that are tried again", { overlap: "queue", queueLimit: 9, ...RETRIED })`
    an event waits for the retry of the one before: event started exit3 event ⇒ waiting → 1.1 backoff
    and is next: event started exit3 event alarm started exit3 ⇒ ended failure, starting, spawn → 2.1 starting
    what was lost with the listener is not tried again: event started kill gone ⇒ ended lost interrupted → none`,
  withPolicy("only-if", { isAsking: true, retries: 1 })`
    the run waits for the answer: due ⇒ starting, ask → 1.1 asking
    an error holds it back: due error ⇒ dropped error → none
    silence holds it back: due silent ⇒ dropped timeout → none
    a late answer changes nothing: due allowed started held ⇒ → 1.1 running
    a due run meanwhile is skipped: due due ⇒ skipped → 1.1 asking
    a run by hand is not asked about: signal ⇒ starting, spawn → 1.1 starting
    a retry is not asked about: due allowed started exit3 alarm ⇒ starting, spawn → 1.2 starting
    nor is one that was seen to start before the listener was killed: due allowed started kill gone alarm
      ⇒ starting, spawn → 1.2 starting
    but one that was not: due kill gone alarm ⇒ starting, ask → 1.2 asking
    also after a second kill: due kill gone kill gone alarm ⇒ starting, ask → 1.2 asking
    held back then, it was interrupted: due kill gone alarm held ⇒ dropped held interrupted → none`,
  withPolicy("drain", { drainSeconds: 60, retries: 1 })`
    what runs goes on at a stop: due started stop ⇒ alarm 60, log → 1.1 draining
    and comes to its own end: due started stop exit0 ⇒ ended success → none
    also while its output is read: due started stop outputLeft ⇒ no alarm → 1.1 reading
    a failure is not tried again: due started stop exit3 ⇒ ended stopped failure → none
    when the time is over it is ended: due started stop alarm ⇒ ending stop, SIGTERM, alarm 5 → 1.1 ending
    the next stop ends it at once: due started stop 1:stop ⇒ ending stop, SIGTERM, alarm 5 → 1.1 ending
    one more kills: due started stop 1:stop 2:stop ⇒ SIGKILL, alarm 1 → 1.1 killed
    supervisord's end is no reason to wait: due started 1:stop ⇒ ending stop, SIGTERM, alarm 5 → 1.1 ending
    nothing starts: due stop ⇒ ended stopped interrupted → none
    nor is due: due started stop due ⇒ → 1.1 draining
    nor is tried again: due started exit3 stop ⇒ dropped stopped failure → none
    what is being ended has its grace: due started alarm stop ⇒ → 1.1 ending`,
  withPolicy("drain and queue", { drainSeconds: 60, overlap: "queue" })`
    what waits is skipped: due started due stop ⇒ skipped, alarm 60, log → 1.1 draining`,
  withPolicy("drain beyond the time limit", { drainSeconds: 600 })`
    the limit holds: due started stop ⇒ log → 1.1 running
    and ends it as such: due started stop alarm ⇒ ending timeout, SIGTERM, alarm 5 → 1.1 ending
    the next stop ends it before: due started stop 1:stop ⇒ ending stop, SIGTERM, alarm 5 → 1.1 ending`,
  withPolicy("a pause", { retries: 1 })`
    what runs goes on: due started pause ⇒ paused → 1.1 running
    nothing is due: pause due ⇒ → none
    nor at the start: pause start ⇒ → none
    nor for an event: pause event ⇒ → none
    but what is asked for by hand: pause signal ⇒ starting, spawn → 1.1 starting
    which is not tried again: pause signal started exit3 ⇒ ended paused failure → none
    nor is what ran before: due started pause exit3 ⇒ ended paused failure → none
    or waited to be: due started exit3 pause ⇒ paused, dropped paused failure → none
    a killed listener knows: due started pause kill gone ⇒ ended paused interrupted → none
    one that lasts: 60:pause due ⇒ → none
    one that is over ends with what is due: 0:pause due ⇒ resumed, starting, spawn → 1.1 starting
    or by hand: pause resume due ⇒ starting, spawn → 1.1 starting
    once: pause resume resume ⇒ → none
    a stop is a stop: due started pause stop ⇒ ending stop, SIGTERM, alarm 5 → 1.1 ending`,
  withPolicy("a pause and queue", { overlap: "queue" })`
    what waits is skipped: due started due pause ⇒ paused, skipped → 1.1 running
    what is asked for by hand waits: due started pause signal exit0 ⇒ ended success, starting, spawn → 2.1 starting`,
  withPolicy("a pause and replace", { overlap: "replace" })`
    what would start next does not: due started due pause ⇒ paused, dropped paused → 1.1 ending`,
  withPolicy("a pause and only-if", { isAsking: true })`
    what is asked about does not start: due pause ⇒ paused, dropped paused → none`,
  withPolicy("retries", { retries: 2 })`
    a failed run waits: due started exit3 ⇒ ended failure again in 10, alarm 10 → 1.1 backoff
    the wait doubles: due started exit3 alarm started exit3 ⇒ ended failure again in 20, alarm 20 → 1.2 backoff
    the last attempt is the result: due started exit3 alarm started exit3 alarm started exit3 ⇒ ended failure → none
    success ends it: due started exit3 alarm started exit0 ⇒ ended success → none
    one that could not be started is tried again: due startFailed
      ⇒ ended failure again in 10, alarm 10 → 1.1 backoff
    a time-out is tried again: due started alarm died groupGone ⇒ ended timeout again in 10, alarm 10 → 1.1 backoff
    its group is not looked for any more: due started alarm died groupGone groupGone ⇒ → 1.1 backoff
    each attempt has its own time limit: due started alarm died groupGone alarm started
      ⇒ started, alarm 300 → 1.2 running
    none of what a stop ended: due started stop died groupGone ⇒ ended stopped interrupted → none
    a time-out during which the stop comes is the result: due started alarm stop died groupGone
      ⇒ ended stopped timeout → none`,
  withPolicy("retries, at most an hour apart", { retries: 9, retryDelaySeconds: 2000 })`
    the wait doubles up to there: due started exit3 alarm started exit3
      ⇒ ended failure again in 3600, alarm 3600 → 1.2 backoff`,
  withPolicy("retries of a job that is due in 10 s", { retries: 2, next: 10 })`
    none where it would give way: due started exit3 ⇒ ended due failure → none`,
  withPolicy("max-running, all slots taken", { slots: 0, overlap: "allow", retries: 1 })`
    what is due waits for its turn: due ⇒ waiting, queue → none
    and gets it: due due 2:turn ⇒ starting, spawn → 1.1 starting
    a turn that nothing waits for is passed on: due 1:turn 1:turn ⇒ → 1.1 starting
    a retry waits for its turn: due 1:turn started exit3 alarm ⇒ queue → 1.1 queued
    with its turn it starts: due 1:turn started exit3 alarm 1:turn ⇒ starting, spawn → 1.2 starting`,
  withPolicy("max-running and queue", { slots: 0, overlap: "queue", queueLimit: 1 })`
    one waits for its turn, and one for that: due due ⇒ waiting → none
    a third is skipped: due due due ⇒ skipped → none
    the second one has the first one's slot: due due 1:turn started exit0
      ⇒ ended success, starting, spawn → 2.1 starting`,
  withPolicy("max-running and replace", { slots: -Infinity, overlap: "replace", isAsking: true })`
    what waits for its turn is replaced: due due ⇒ skipped, waiting, queue → none
    the new one has its place in the line: due due 1:turn ⇒ starting, ask → 1.1 asking
    with a slot, a question hands it on: due 1:turn due ⇒ dropped replaced, starting, ask → 2.1 asking
    so does what runs: due 1:turn allowed started due 2:allowed exit0 groupGone
      ⇒ ended interrupted, spawn → 2.1 starting`,
  withPolicy("what a killed listener has left", { retries: 1 })`
    it is gone: due started kill gone ⇒ ended interrupted again in 10, alarm 10 → 1.1 backoff
    it is gone after its last attempt: due started exit3 alarm started kill gone ⇒ ended interrupted → none
    it goes on, and has the rest of its time: due started kill alive ⇒ watch, alarm 200 → 1.1 running
    it has a second at least: due started kill old ⇒ watch, alarm 1 → 1.1 running
    its start could not be written down: due kill alive ⇒ started, watch, alarm 200 → 1.1 running
    its exit status is not known: due started kill alive exit0
      ⇒ ended interrupted again in 10, alarm 10 → 1.1 backoff
    it was being ended, and is so anew: due started alarm kill alive
      ⇒ ending timeout, watch, SIGTERM, alarm 5 → 1.1 ending
    so is the rest of its group: due started alarm kill group ⇒ ending timeout, watch, SIGTERM, alarm 5 → 1.1 ending
    which is killed in the end: due started alarm kill group alarm groupGone
      ⇒ ended timeout again in 10, alarm 10 → 1.1 backoff
    or left behind: due started alarm kill group alarm alarm ⇒ ended timeout again in 10, alarm 10 → 1.1 backoff
    or goes by itself: due started alarm kill group groupGone ⇒ ended timeout again in 10, alarm 10 → 1.1 backoff
    a group that was not being ended is none of ours: due started kill group
      ⇒ ended interrupted again in 10, alarm 10 → 1.1 backoff
    the wait for its next attempt begins anew: due started exit3 kill gone ⇒ alarm 10 → 1.1 backoff
    one that is over is not brought back: due started exit0 kill gone ⇒ → none`,
];

for (const { title, setting, cases } of CASES) {
  describe(`with ${title}`, () => {
    for (const [given, expected] of cases) {
      const [, name, words] = /^(.*?): (.*)$/.exec(given)!;
      it(name, () => assert.equal(outcome(setting, words), expected));
    }
  });
}

// ── What the tables do not show ────────────────────────────────────────────

describe("a run", () => {
  it("is numbered on from the last one, knows why and when it was due, and has the job as it is now", () => {
    const state = { ...FRESH_STATE, lastRun: 41 };
    const { effects, notes } = decide(jobWith({}), state, inputOf("signal", 3), momentOf({}, false));
    const named = { due: 900, reason: "signal", id: "3", serial: undefined, supervisor: undefined };
    assert.deepEqual(notes[0].fact, { type: "starting", run: 42, attempt: 1, ...named, at: 1000 });
    const [{ run }] = effects as [Extract<Effect, { do: "spawn" }>];
    assert.deepEqual([run.number, run.attempt, run.job, run.hasSlot], [42, 1, jobWith({}), true]);
  });

  it("for an event has the event, in order", () => {
    const { last } = play({ overlap: "queue", queueLimit: 9 }, "event event event started exit0 started 2:exit0");
    const spawned = last!.effects.flatMap((effect) => (effect.do === "spawn" ? [effect.run.event] : []));
    assert.deepEqual(spawned, [{ name: "EVENT", serial: 3, payload: "" }]);
  });

  it("that is skipped takes no number, and says which one it is behind", () => {
    const behind: Array<[setting: Setting, words: string, why: string]> = [
      [{}, "due due", "run 1 is starting"],
      [{}, "due started due", "run 1 is still going (pid 71)"],
      [{}, "due started outputLeft due", "run 1 is over, but its output is still being read"],
      [{ isAsking: true }, "due due", "run 1 waits for --only-if"],
      [{ retries: 1, isRetryYielding: false }, "signal started exit3 due", "run 1 waits for its attempt 2"],
      [{ slots: 0 }, "due due", "the run due 1970-01-01T00:05:00Z waits for its turn (--max-running)"],
      [{ overlap: "queue" }, "due started due stop", "supertick is being stopped"],
    ];
    for (const [setting, words, why] of behind) {
      const { last, state } = play(setting, words);
      const { fact } = last!.notes[0];
      assert.deepEqual([fact.type, "why" in fact && fact.why], ["skipped", why]);
      assert.ok(state.lastRun <= 1);
    }
  });

  it("is skipped where its event, in memory, would make more than 64 MiB of those that wait, or more than may wait", () => {
    const payloads: Array<[payload: string, fits: number]> = [
      ["x".repeat(2 ** 20), 64],
      ["é".repeat(2 ** 20), 32],
      ["日".repeat(2 ** 20), 32],
      ["", 1001], // 1,000 wait for the one that waits for its turn
    ];
    const settings: Setting[] = [{ overlap: "queue" }, { overlap: "queue", slots: 0 }, { overlap: "allow", slots: 0 }];
    for (const [payload, fits] of payloads)
      for (const setting of settings.slice(payload === "" ? 1 : 0)) {
        const job = jobWith({ queueLimit: 1000, ...setting });
        let state = FRESH_STATE;
        const take = (n: number) => {
          const event = { name: "EVENT", serial: n, payload };
          const input: JobInput = { type: "due", due: n, reason: "event", id: String(n), serial: n, event };
          const { notes, state: next } = decide(job, state, input, momentOf(setting, false));
          state = next;
          return notes.map(({ fact }) => fact.type);
        };
        if (setting.slots !== 0) take(0);
        for (let n = 1; n <= fits; n++) assert.deepEqual(take(n), ["waiting"]);
        assert.deepEqual(take(fits + 1), ["skipped"]);
        assert.equal(state.waiting.length, fits);
      }
  });

  it("ends with how its process ended, or with why that is not known", () => {
    const ends: Array<[words: string, end: object]> = [
      ["due started died", DIED],
      ["due started alarm died groupGone", DIED],
      ["due started alarm died alarm groupGone", DIED],
      ["due started outputLeft died", EXIT_0],
      ["due startFailed", { exit: null, signal: null, error: "ENOENT" }],
      ["due stop", { exit: null, signal: null, error: "stopped before it started" }],
      ["due started stop alarm alarm", { exit: null, signal: null, error: "SIGKILL did not end it" }],
      ["due started kill gone", { exit: null, signal: null, error: "the listener was killed while it was going" }],
    ];
    for (const [words, end] of ends) {
      const { fact } = play({}, words).last!.notes[0];
      const { exit, signal, error } = fact as Extract<Fact, { type: "ended" }>;
      assert.deepEqual({ exit, signal, ...(error && { error }) }, end, words);
    }
  });

  it("took the time that its last attempt took, without what was read of its output afterwards", () => {
    const job = jobWith({});
    let { state } = play({}, "due");
    for (const [word, seconds] of Object.entries({ started: 10, outputLeft: 12.3456, exit0: 13 })) {
      state = decide(job, state, inputOf(word, 0), momentOf({}, false, seconds)).state;
    }
    assert.equal(state.last?.seconds, 2.346);
  });

  it("goes on by the policy that it began with", () => {
    const { state } = play({}, "due started");
    const { effects } = decide(jobWith({ killAfterSeconds: 60 }), state, inputOf("stop", 0), momentOf({}, true));
    assert.deepEqual(effects.map(effectInWords), ["SIGTERM", "alarm 5"]);
  });

  it("is due after a pause from its end on, and what went by is counted", () => {
    const job = { ...jobWith({}), schedule: new SliceSchedule(60, 0) };
    const known = { ...FRESH_STATE, decided: 600 };
    const pause = decide(job, known, inputOf("90:pause", 0), momentOf({}, false));
    assert.deepEqual(pause.state.paused, { until: 1090 });
    const cases: Array<[paused: JobState["paused"], words: string, decided: number, count: number]> = [
      [{}, "resume", 1000, 6],
      [{ until: 900 }, "due", 900, 5],
      [{ until: 5000 }, "resume", 1000, 6],
    ];
    for (const [paused, word, decided, count] of cases) {
      const { notes, state } = decide(job, { ...known, paused }, inputOf(word, 4), momentOf({}, false));
      const { fact } = notes[0] as { fact: Extract<Fact, { type: "resumed" }> };
      assert.deepEqual([fact.type, fact.decided, fact.count, state.paused], ["resumed", decided, count, undefined]);
    }
  });

  it("that is gone is not brought back by what comes late", () => {
    const { state } = play({}, "due started exit0");
    for (const name of Object.keys(ABOUT_RUN)) {
      const { notes, effects, state: after } = decide(jobWith({}), state, inputOf(name, 0), momentOf({}, false));
      assert.deepEqual([notes, effects, after], [[], [], state], name);
    }
  });
});

// ── Whatever happens ───────────────────────────────────────────────────────
// A world of two jobs, their processes, alarms and turns: it has the effects, and reports back in any order. It may kill the
// listener: then all is forgotten but the facts, and the processes live on or not.

type Process = "starting" | "alive" | "output left" | "leader gone";

/** What each may report, and what it is then. */
const REPORTS_OF: Record<Process, Array<[word: string, becomes?: Process]>> = {
  starting: [["started", "alive"], ["startFailed"]],
  alive: ["outputLeft", "exit0", "died"].map((word) => [word, word === "outputLeft" ? "output left" : "leader gone"]),
  "output left": [["exit0", "leader gone"]],
  "leader gone": [["groupGone"]],
};

class JobInWorld {
  state: JobState = FRESH_STATE;
  facts: Fact[] = [];
  readonly processes = new Map<number, Process>();
  readonly questions = new Set<number>();
  readonly alarms = new Set<number>();

  constructor(
    readonly job: Job,
    private readonly world: World,
  ) {}

  take(input: JobInput, freeSlots = this.world.freeSlots): void {
    const { isStopping } = this.world;
    const decision = decide(this.job, this.state, input, momentOf({ slots: freeSlots }, isStopping));
    this.state = decision.state;
    for (const { fact } of decision.notes) this.check(fact);
    for (const effect of decision.effects) this.have(effect);
    const isGone = (run: number) => !this.state.runs.some(({ number }) => number === run);
    for (const set of [this.alarms, this.questions, this.processes])
      for (const run of [...set.keys()]) if (isGone(run)) set.delete(run);
    if (!this.world.isBeginning) this.checkState();
  }

  private check(fact: Fact): void {
    this.facts.push(fact);
    if (fact.type === "ended") this.processes.delete(fact.run);
    if (fact.type !== "starting") return;
    assert.ok(!this.world.isStopping, "nothing begins after a stop");
    assert.equal(this.state.paused, undefined, "nothing begins in a pause");
    assert.ok(fact.attempt <= this.job.options.policy.retries + 1, "too many attempts");
  }

  private have(effect: Effect): void {
    if (effect.do === "queue") return void this.world.line.push({ job: this, id: effect.id });
    if (effect.do === "log") return;
    const { number, pid, hasSlot } = effect.run;
    if (effect.do === "ask") this.questions.add(number);
    if (effect.do === "spawn") {
      assert.ok(!this.processes.has(number), "started twice");
      assert.ok(hasSlot, "started without a slot");
      this.processes.set(number, "starting");
    }
    if (effect.do === "signal") assert.ok(pid! > 1, "a signal needs a process");
    if (effect.do !== "alarm") return;
    this.alarms.delete(number);
    if (effect.seconds === undefined) return;
    assert.ok(effect.seconds > 0 && effect.seconds <= 3600);
    this.alarms.add(number);
  }

  checkState(): void {
    const { overlap, queueLimit, timeoutSeconds } = this.job.options.policy;
    const { runs, waiting } = this.state;
    if (overlap !== "allow") assert.ok(this.processes.size <= 1, "two processes at a time");
    assert.ok(
      waiting.filter(({ awaitsSlot }) => !awaitsSlot).length <= (overlap === "queue" ? queueLimit : 0),
      "too many wait",
    );
    for (const { number, phase, end, hasSlot } of runs) {
      const isTimed = end === undefined && (phase === "draining" || (phase === "running" && timeoutSeconds > 0));
      if (isTimed || phase === "ending" || phase === "backoff") assert.ok(this.alarms.has(number), `${phase} for ever`);
      if (phase === "backoff" || phase === "queued") assert.ok(!hasSlot, `${phase} with a slot`);
    }
  }

  /** All that could happen now. `isKind`: no more than must. */
  reports(isKind: boolean): Array<() => void> {
    const reports: Array<() => void> = [];
    for (const [run, process] of this.processes) {
      for (const [word, becomes = process] of isKind || process !== "alive" ? REPORTS_OF[process] : []) {
        reports.push(() => this.processes.set(run, becomes) && this.take(inputOf(`${run}:${word}`, 0)));
      }
    }
    for (const run of this.questions) {
      const answer = (word: string) => () => this.questions.delete(run) && this.take(inputOf(`${run}:${word}`, 0));
      reports.push(...["allowed", "held", "silent"].map(answer));
    }
    for (const run of this.alarms) reports.push(() => this.alarms.delete(run) && this.take(inputOf(`${run}:alarm`, 0)));
    return reports;
  }

  /** The listener is killed, and so is every other process. What a new one reads is what this one knew. */
  kill(): void {
    const state = reread(this.facts);
    const facts = (of: JobState) => JSON.stringify(factsOf({ ...of, name: "job", schedule: { start: true } }, 0));
    assert.equal(facts(state), facts(this.state));
    this.state = state;
    for (const set of [this.alarms, this.questions]) set.clear();
    for (const [run, process] of this.processes) if (process !== "alive" || run % 2 === 0) this.processes.delete(run);
  }

  takeOverRuns(): readonly Due[] {
    const { waiting } = this.state;
    this.state = { ...this.state, waiting: [] };
    for (const { number } of [...this.state.runs].reverse()) {
      this.take(inputOf(`${number}:${this.processes.has(number) ? "alive" : "gone"}`, 0));
    }
    return waiting;
  }
}

class World {
  isStopping = false;
  isBeginning = false;
  readonly jobs: JobInWorld[];
  line: Array<{ job: JobInWorld; id: string }> = [];
  private dues = 0;

  constructor(
    policies: readonly JobPolicy[],
    private readonly limit: number,
  ) {
    this.jobs = policies.map((policy, i) => new JobInWorld(jobWith(policy, String(i)), this));
  }

  get freeSlots(): number {
    const taken = this.jobs.reduce((sum, { state }) => sum + slotsOf(state), 0);
    assert.ok(this.isBeginning || taken <= this.limit, `${taken} slots of ${this.limit}`);
    return this.line.length > 0 ? -Infinity : this.limit - taken;
  }

  happen(event: Event): void {
    const job = this.jobs[event.which % this.jobs.length];
    if (event.type === "due") job.take(inputOf("due", ++this.dues));
    else if (event.type === "pause") this.pause(job);
    else if (event.type === "stop") this.stop();
    else if (event.type === "kill") this.kill();
    else this.go(event.which, true);
  }

  stop(): void {
    const word = this.isStopping ? "2:stop" : "stop";
    this.isStopping = true;
    for (const job of this.jobs) job.take(inputOf(word, 0));
  }

  private pause(job: JobInWorld): void {
    job.take(inputOf(job.state.paused === undefined ? "pause" : "resume", 0));
    this.giveTurns();
  }

  private kill(): void {
    if (this.isStopping) return;
    this.isBeginning = true;
    this.line = [];
    for (const job of this.jobs) job.kill();
    const waiting = this.jobs.map((job) => [job, job.takeOverRuns()] as const);
    for (const [job, dues] of waiting) for (const due of dues) job.take({ type: "due", ...due });
    this.isBeginning = false;
    for (const job of this.jobs) job.checkState();
  }

  /** Something happens; false where nothing is left that could. Whoever is next in the line has its turn at once. */
  go(which: number, isKind: boolean): boolean {
    const reports = this.jobs.flatMap((job) => job.reports(isKind));
    if (reports.length > 0) reports[which % reports.length]();
    this.giveTurns();
    return reports.length > 0;
  }

  private giveTurns(): void {
    const taken = () => this.jobs.reduce((sum, { state }) => sum + slotsOf(state), 0);
    while (this.line.length > 0 && taken() < this.limit) {
      const { job, id } = this.line.shift()!;
      job.take({ type: "turn", id }, 1);
    }
  }

  /** Until nothing is left to happen. Then each due time has come to one end, and so has each run. */
  end(order: readonly number[], isKind: boolean): void {
    for (let i = 0; this.go(order[i] ?? 0, isKind); i++) assert.ok(i < 2000, "no end in sight");
    for (const { facts, state } of this.jobs) {
      assert.deepEqual([state.runs, state.waiting, slotsOf(state)], [[], [], 0]);
      const first = facts.flatMap((fact) => (fact.type === "starting" && fact.attempt === 1 ? [fact] : []));
      const isEnd = (fact: Fact) => (fact.type === "ended" && fact.retryIn === undefined) || fact.type === "dropped";
      const ends = facts.flatMap((fact) => ("run" in fact && isEnd(fact) ? [fact.run] : []));
      assert.deepEqual(ends.sort(), first.map(({ run }) => run).sort());
      const idsOf = (type: string) => facts.flatMap((fact) => (fact.type === type && "id" in fact ? [fact.id] : []));
      const begun = [...idsOf("skipped"), ...first.map(({ id }) => id)];
      assert.equal(new Set(begun).size, begun.length, "a due time began or was skipped twice");
      assert.ok(
        idsOf("waiting").every((id) => begun.includes(id)),
        "it waits for ever",
      );
    }
  }
}

type Event = { readonly type: "due" | "report" | "kill" | "stop" | "pause"; readonly which: number };

const which = fc.nat(20);
const kinds = [...Array(6).fill("due"), ...Array(12).fill("report"), "kill", "pause"];
const event: fc.Arbitrary<Event> = fc.record({ type: fc.constantFrom(...kinds), which });
const policy: fc.Arbitrary<JobPolicy> = fc.record({
  overlap: fc.constantFrom("skip", "queue", "replace", "allow"),
  queueLimit: fc.constantFrom(1, 3),
  timeoutSeconds: fc.constantFrom(0, 300),
  killAfterSeconds: fc.constantFrom(1, 5),
  drainSeconds: fc.constantFrom(0, 600),
  retries: fc.constantFrom(0, 1, 3),
  retryDelaySeconds: fc.constantFrom(1, 10, 3600),
  isRetryYielding: fc.boolean(),
  isAsking: fc.boolean(),
});

describe("whatever happens in whichever order, and whenever the listener is killed", () => {
  for (const overlap of ["skip", "queue", "replace", "allow"] as const) {
    for (const limit of [Infinity, 1, 2]) {
      for (const stops of ["no stop", "a stop", "two stops", "a stop of what survives SIGKILL"]) {
        const turns = limit === Infinity ? "" : `, --max-running ${limit}`;
        it(`${overlap}${turns}, ${stops}: all comes to one end, and never more run at a time than may`, () => {
          for (const [timeoutSeconds, retries] of [
            [0, 0],
            [0, 2],
            [300, 0],
            [300, 2],
          ]) {
            const end = (own: JobPolicy, other: JobPolicy, events: Event[], order: number[]) => {
              const world = new World([{ ...own, overlap, timeoutSeconds, retries }, other], limit);
              for (const event of events) world.happen(event);
              if (stops !== "no stop") world.stop();
              if (stops === "two stops") world.stop();
              world.end(order, stops !== "a stop of what survives SIGKILL");
            };
            const events = fc.array(event, { maxLength: 50 });
            const property = fc.property(policy, policy, events, fc.array(which), end);
            fc.assert(property, { numRuns: 100, includeErrorInReport: true });
          }
        });
      }
    }
  }
});
