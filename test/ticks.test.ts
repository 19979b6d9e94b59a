// Which ticks count, and what is due by the clock that they bring: tables, sequences of ticks, and what must hold whatever
// supervisord sends. What the listener makes of it is tested in protocol.test.ts and due.test.ts.

import * as assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  beginsAt,
  CronSchedule,
  countTick,
  createZone,
  EventSchedule,
  FRESH_STATE,
  type JobState,
  type LastTick,
  PoolGaps,
  parseCron,
  parseTick,
  remember,
  type Schedule,
  SerialSet,
  SliceSchedule,
  TICK_PERIODS,
  type Tick,
  TickSchedule,
  whatIsDue,
} from "../listener";
import { rowsOf } from "./files";
import * as vectors from "./vectors/ticks.json";

const HOUR = 3600;
const DAY = 24 * HOUR;
const PERIOD = 60;
const MIDNIGHT = 1_700_006_400; // 15 November 2023, UTC

function cronInUtc(expr: string, catchUpSeconds = HOUR): CronSchedule {
  return new CronSchedule(parseCron(expr), createZone("UTC"), catchUpSeconds);
}
const FIXED = cronInUtc("0 0 * * *");
const WILDCARD = cronInUtc("0 * * * *");

function tickAt(whenSeconds: number, serial: number): Tick {
  return { whenSeconds, serial, periodSeconds: PERIOD };
}

describe("the payload of a tick", () => {
  const cases: Array<[name: string, payload: string, when: number | undefined]> = [
    ["TICK_60", "when:1700000040", 1700000040],
    ["TICK_60", "when:1700000099", 1700000040],
    ["TICK_5", "when:1700000043\n", 1700000040],
    ["TICK_3600", "when:1700000043", 1699999200],
    ["TICK_60", "when:0", 0],
    ["TICK_60", "", undefined],
    ["TICK_60", "when:-60", undefined],
    ["TICK_60", "when:1e9", 0],
    ["TICK_60", "when:1234567890123", undefined],
    ["TICK_60", "x when:60", undefined],
    ["TICK_7", "when:70", undefined],
    ["PROCESS_STATE_EXITED", "when:60", undefined],
  ];
  for (const [name, payload, when] of cases) {
    it(`${name} ${JSON.stringify(payload)}: ${when ?? "no time"}`, () => {
      assert.equal(parseTick({ name, serial: 1, payload })?.whenSeconds, when);
    });
  }
});

describe("a tick, after those with the serials 18 and 20", () => {
  const T = MIDNIGHT;
  const [KNOWN, FOREIGN] = [
    { whenSeconds: T, serial: 20 },
    { whenSeconds: T, serial: 20, isForeign: true },
  ];
  const cases: Array<[title: string, last: LastTick | undefined, serial: number, when: number, is: string]> = [
    ["the next one", KNOWN, 21, T + 60, "counts"],
    ["the next one after a pause", KNOWN, 21, T + DAY, "counts"],
    ["the last one again", KNOWN, 20, T, "is ignored"],
    ["an older one again", KNOWN, 18, T - 120, "is ignored"],
    ["an older one for the first time", KNOWN, 19, T - 60, "is late"],
    ["an older one with a later time", KNOWN, 17, T + 60, "is late"],
    ["a newer one with the same time", KNOWN, 21, T, "counts"],
    ["a newer one with an older time", KNOWN, 22, T - 60, "is set back by 60 s"],
    ["of another supervisord, later", FOREIGN, 20, T + 60, "counts"],
    ["of another supervisord, the same time", FOREIGN, 3, T, "is ignored"],
    ["of another supervisord, older", FOREIGN, 20, T - HOUR, "is set back by 3600 s"],
    ["the first one", undefined, 0, T, "counts"],
  ];
  for (const [title, last, serial, when, is] of cases) {
    it(`${title}: ${is}`, () => {
      const counted = countTick(last, new SerialSet(last?.isForeign ? [] : [18, 20]), tickAt(when, serial));
      const setBack = counted?.setBackSeconds ? `is set back by ${counted.setBackSeconds} s` : "counts";
      assert.equal(counted === undefined ? "is ignored" : counted.isLate ? "is late" : setBack, is);
    });
  }
});

describe("the set of serials", () => {
  it("is read back from its text, and what that has no room for is taken for counted", () => {
    const serials = fc.uniqueArray(fc.oneof(fc.nat(200), fc.nat(1e12)), { maxLength: 150 });
    fc.assert(
      fc.property(serials, (serials) => {
        const set = new SerialSet();
        for (const serial of serials) set.add(serial);
        const text = set.format();
        const parsed = SerialSet.parse(text);
        const sorted = [...serials].sort((a, b) => a - b);
        const kept = text === "" ? [] : sorted.slice(-text.split(".").length);
        assert.ok(text.length <= 130 && kept.length >= Math.min(serials.length, 12), text);
        assert.equal(text.endsWith("-"), kept.length < serials.length);
        for (const near of kept.flatMap((serial) => [serial - 1, serial, serial + 1])) {
          assert.equal(parsed.has(near), set.has(near) || (text.endsWith("-") && near < kept[0]), `${text}: ${near}`);
        }
        assert.deepEqual([parsed.format(), new SerialSet(sorted).format()], [text, text]);
      }),
    );
  });
  it("keeps the last thousand, and what is older than all of them is old", () => {
    const set = new SerialSet();
    for (let i = 0; i < 1100; i++) set.add(2 * i);
    const has = [0, 1, 198, 199, 200, 2198, 2199].map((serial) => set.has(serial));
    assert.deepEqual(has, [true, true, true, false, true, true, false]);
    assert.match(set.format(), /^1p2(\.2){50,60}-$/);
  });
  it("is empty where the text is anything else", () => {
    for (const text of ["", "-", "x y", "1.", ".1", "1..2", "-1", "1-2", "1.2.A", "9".repeat(11), "__proto__"]) {
      assert.equal(SerialSet.parse(text).format(), "", text);
    }
  });
});

describe("what is due", () => {
  const [D, day] = [MIDNIGHT, MIDNIGHT - DAY];
  type Case = [title: string, schedule: Schedule, state: Partial<JobState>, upTo: number, due: string | undefined];
  const cases: Case[] = [
    ["at its time", FIXED, { decided: day }, D, "schedule 0 of 1"],
    ["a period late", FIXED, { decided: day }, D + 60, "schedule 0 of 1"],
    ["two periods late, within --catch-up", FIXED, { decided: day }, D + 120, "catch-up 0 of 1"],
    ["at the end of --catch-up", FIXED, { decided: day }, D + HOUR, "catch-up 0 of 1"],
    ["behind --catch-up", FIXED, { decided: day }, D + HOUR + 60, "missed 0 of 1"],
    ["with --catch-up 0", cronInUtc("0 0 * * *", 0), { decided: day }, D + 120, "missed 0 of 1"],
    ["the latest of many", WILDCARD, { decided: day }, D + 120, "catch-up 0 of 24"],
    ["more than are counted", cronInUtc("* * * * *"), { decided: day }, D + 30, "schedule 0 of 1001"],
    ["of a slice, however late", new SliceSchedule(DAY, 0), { decided: day - DAY }, D + HOUR, "catch-up 0 of 2"],
    ["not where it is decided", FIXED, { decided: D }, D, undefined],
    ["not where nothing is known", FIXED, {}, D, undefined],
    ["not a count", new TickSchedule(1), { decided: day }, D, undefined],
    ["not an event", new EventSchedule(["EVENT"]), { decided: day }, D, undefined],
    ["in the new time after a clock set back", WILDCARD, { decided: day, reached: D + HOUR }, D, "schedule 0 of 24"],
    ["not again once the ticks are past it", WILDCARD, { decided: 0, reached: D }, D + 60, undefined],
    ["not again where the ticks jump to it", WILDCARD, { decided: 0, reached: D }, D, undefined],
    ["what comes after it is", WILDCARD, { decided: 0, reached: D - HOUR }, D, "schedule 0 of 1"],
  ];
  for (const [title, schedule, state, upTo, expected] of cases) {
    it(`${title}: ${expected ?? "nothing"}`, () => {
      const found = whatIsDue(schedule, { ...FRESH_STATE, ...state }, upTo, PERIOD);
      assert.equal(found && `${found.is} ${found.due - D} of ${found.count}`, expected);
    });
  }
  it("more than a thousand are counted as 1,001", () => {
    const pause = { ...FRESH_STATE, decided: MIDNIGHT - DAY };
    assert.equal(whatIsDue(cronInUtc("* 1-22 * * *", 0), pause, MIDNIGHT, PERIOD)?.count, 1001);
  });
});

describe("a job begins", () => {
  const T = MIDNIGHT;
  type Case = [title: string, schedule: Schedule, decided?: number, setBack?: number, at?: number];
  const cases: Case[] = [
    ["a period before its first tick", FIXED, undefined, undefined, T - 60],
    ["so too later, and after a clock set back", FIXED, undefined, DAY, T - 60],
    ["not by a clock that goes forward", WILDCARD, T - DAY, 0],
    ["not where it is set back by two periods", WILDCARD, T + 120, 120],
    ["where it is set back by three", WILDCARD, T + 180, 180, T],
    ["a fixed job only where it is set back by 3 h", FIXED, T + 3 * HOUR, 3 * HOUR - 60],
    ["a fixed job then", FIXED, T + 3 * HOUR, 3 * HOUR, T],
    ["not where what is decided lies before", WILDCARD, T - 60, DAY],
    ["not with a first tick that is behind by two periods", WILDCARD, T + 120, undefined],
    ["with a first tick far behind: the counter was lost", WILDCARD, T + DAY, undefined, T],
    ["a fixed job too", FIXED, T + DAY, undefined, T],
    ["but not by less than 3 h", FIXED, T + HOUR, undefined],
    ["never a count", new TickSchedule(1), undefined, DAY],
  ];
  for (const [title, schedule, decided, setBack, at] of cases) {
    it(`${title}: ${at === undefined ? "goes on" : `at ${at - T}`}`, () => {
      const state = { ...FRESH_STATE, decided };
      assert.equal(beginsAt(schedule, state, tickAt(T, 9), setBack, 0), at);
      const withDelay = { ...state, decided: decided && decided - 600 }; // then all is so much earlier
      assert.equal(beginsAt(schedule, withDelay, tickAt(T, 9), setBack, 600), at === T ? T - 600 : at);
    });
  }
});

// ── Sequences of ticks ─────────────────────────────────────────────────────

type Restart = "same" | "another" | "counter lost";

/** Takes ticks as the listener does, for one job. */
class Ticker {
  readonly runs: Array<{ when: number; due: number }> = [];
  counts = 0;
  state: JobState = FRESH_STATE;
  private last: LastTick | undefined;
  private counted = new SerialSet();
  private count = 0;
  private undecided = 0;

  constructor(
    private readonly schedule: Schedule,
    private readonly period = PERIOD,
  ) {}

  /** The listener comes again: the same supervisord's, or another one's; without the counter nothing is known of ticks. */
  restart(is: Restart): void {
    if (is === "counter lost") this.last = undefined;
    if (this.last && is === "another") this.last = { ...this.last, isForeign: true };
    this.counted = is === "same" ? SerialSet.parse(this.counted.format()) : new SerialSet();
  }

  tick(whenSeconds: number, serial: number): void {
    const tick = { whenSeconds, serial, periodSeconds: this.period };
    const counted = countTick(this.last, this.counted, tick);
    if (counted === undefined) return;
    this.counted.add(serial);
    this.counts++;
    this.count++;
    const { isLate, setBackSeconds } = counted;
    const back = this.last && setBackSeconds;
    if (!isLate) this.last = { whenSeconds, serial };
    if (!isLate) this.decide(tick, back);
    if (isLate || setBackSeconds > 0) this.undecided++;
    else this.undecided = 0;
  }

  private decide(tick: Tick, setBackSeconds: number | undefined): void {
    const { schedule, period } = this;
    const { whenSeconds: when } = tick;
    const decided = beginsAt(schedule, this.state, tick, setBackSeconds, 0);
    const job = { type: "job", name: "job", schedule: schedule.record, at: 0 } as const;
    if (decided !== undefined) this.state = remember(this.state, { ...job, decided });
    if (setBackSeconds) return;
    if (schedule instanceof TickSchedule) {
      if (schedule.isReached(this.count, this.undecided)) this.runs.push({ when, due: when });
      this.count = schedule.countAfter(this.count);
      return;
    }
    const found = whatIsDue(schedule, this.state, when, period);
    if (found === undefined) return;
    const { due, is, count } = found;
    if (is !== "missed") this.runs.push({ when, due });
    const named = { due, reason: is as "schedule", id: `${due} ${this.runs.length}`, why: "", at: 0 };
    this.state = remember(
      this.state,
      is === "missed" ? { type: "missed", due, count, at: 0 } : { type: "skipped", ...named },
    );
  }
}

function minutes(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + i * PERIOD);
}

/** The minutes, behind midnight, of the due times that run. A text is a restart. */
function dueMinutes(schedule: Schedule, steps: ReadonlyArray<number | Restart>): Array<number | string> {
  const ticker = new Ticker(schedule);
  let serial = 0;
  for (const step of steps) {
    if (typeof step === "number") ticker.tick(step, serial++);
    else ticker.restart(step);
  }
  return ticker.runs.map(({ due }) => {
    if (due < DAY) return "1970";
    return due > MIDNIGHT + 300 * DAY ? "a year on" : (due - MIDNIGHT) / 60;
  });
}

describe("a clock that is wrong", () => {
  const D = MIDNIGHT;
  const back2h = [D - 60, D, D + 60, ...minutes(D - 2 * HOUR, 122)];
  const back4h = [D - 60, D, D - 4 * HOUR, ...minutes(D - 60, 3)];
  const inThePast = [...minutes(0, 62), ...minutes(D + 120, 120)];
  const aYearOn = [D + 365 * DAY - 60, D + 365 * DAY];
  type Case = [title: string, schedule: Schedule, steps: Array<number | Restart>, runs: Array<number | string>];
  const cases: Case[] = [
    ["back by 2 h: a fixed job waits for its next time", FIXED, back2h, [0]],
    ["back by 2 h: a wildcard job goes on in the new time", WILDCARD, back2h, [0, -60, 0]],
    ["back by 4 h: a fixed job goes on in the new time", FIXED, back4h, [0, 0]],
    ["back by a minute at each tick: nothing comes again", WILDCARD, [D, ...minutes(D - 540, 10).reverse()], [0]],
    ["a year ahead, and back again", WILDCARD, [...aYearOn, ...minutes(D + 120, 60)], ["a year on", 60]],
    ["the same, and the counter is lost", FIXED, [...aYearOn, "counter lost", D - 60, D], ["a year on", 0]],
    ["a machine without a clock of its own", WILDCARD, [D, "another", ...inThePast], [0, "1970", 60, 120]],
    ["that too, and the counter is lost", WILDCARD, [D, "counter lost", ...inThePast], [0, "1970", 60, 120]],
    ["the counter is lost, and nothing is wrong", WILDCARD, [D, "counter lost", D, D + 60], [0]],
    ["another supervisord sends the same tick", WILDCARD, [D, "another", D, D + 60], [0]],
  ];
  for (const [title, schedule, steps, runs] of cases) {
    it(title, () => assert.deepEqual(dueMinutes(schedule, steps), runs));
  }
});

// In the vectors a pair stands for all ticks from the first to the second; the same time twice in a row is the same event again.
function expand(whens: Array<number | number[]>, period: number): number[] {
  return whens.flatMap((item) => {
    if (typeof item === "number") return [item];
    const [first, last] = item;
    return Array.from({ length: (last - first) / period + 1 }, (_, i) => first + i * period);
  });
}

function runsOn(schedule: Schedule, whens: number[], period: number): Ticker["runs"] {
  const ticker = new Ticker(schedule, period);
  let serial = 0;
  for (const [i, when] of whens.entries()) ticker.tick(when, when === whens[i - 1] ? serial : ++serial);
  return ticker.runs;
}

describe("the vectors", () => {
  for (const { expr, tz, event, note, whens, runs } of vectors.cron) {
    const period = TICK_PERIODS[event]!;
    it(`${expr} in ${tz} on ${event}${note === "" ? "" : `: ${note}`}`, () => {
      const schedule = new CronSchedule(parseCron(expr), createZone(tz), DAY);
      const expected = runs.map(({ when, due }) => ({ when, due: expand(due, 300).pop() }));
      assert.deepEqual(runsOn(schedule, expand(whens, period), period), expected);
    });
  }
  for (const { mode, event, every, note, whens, fires } of vectors.every) {
    const period = TICK_PERIODS[event]!;
    const schedule = mode === "count" ? new TickSchedule(every) : new SliceSchedule(every * period, 0);
    it(`${mode}, every ${every} of ${event}: ${note}`, () => {
      const ran = runsOn(schedule, expand(whens, period), period);
      assert.deepEqual(
        ran.map(({ when }) => when),
        fires,
      );
    });
  }
});

describe("whatever supervisord sends", () => {
  const schedules: Schedule[] = [
    WILDCARD,
    FIXED,
    cronInUtc("*/7 * * * *"),
    new SliceSchedule(90, 7),
    new SliceSchedule(5000, 60),
  ];
  const schedule = fc.constantFrom<Schedule>(...schedules, new TickSchedule(3));
  const forward = fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.integer({ min: 2, max: 2000 }));
  const move = fc.oneof({ weight: 3, arbitrary: forward }, fc.integer({ min: -500, max: 0 }));
  const restart = fc.option(fc.constantFrom<Restart>("same", "another"));

  it("while time goes forward, a due time runs once, and none that a tick reaches in time is left out", () => {
    const step = fc.record({ move: forward, restart });
    const slices = fc.record({ every: fc.integer({ min: 1, max: 5000 }), offset: fc.nat(4999) });
    fc.assert(
      fc.property(slices, fc.array(step), ({ every, offset }, steps) => {
        const ticker = new Ticker(new SliceSchedule(every, offset % every));
        const sliceOf = (at: number) => Math.floor((at - (offset % every)) / every);
        const whens = steps.map(({ move }) => move * PERIOD);
        for (let i = 0; i < whens.length; i++) whens[i] += whens[i - 1] ?? MIDNIGHT;
        steps.forEach(({ restart }, i) => {
          if (restart !== null) ticker.restart(restart);
          ticker.tick(whens[i], i);
        });
        const ran = ticker.runs.map(({ due }) => sliceOf(due));
        assert.deepEqual(
          ran,
          [...new Set(ran)].sort((a, b) => a - b),
        );
        // What was due before the very first tick's period is not known.
        for (const when of whens.slice(1))
          if (sliceOf(when) > sliceOf(whens[0])) assert.ok(ran.includes(sliceOf(when)));
      }),
    );
  });

  it("each event counts once, however late and however often it comes, and whenever the listener is killed", () => {
    const again = fc.array(fc.nat(40), { maxLength: 4 });
    const event = fc.record({ move, again, jump: fc.nat(5), isKill: fc.boolean() });
    fc.assert(
      fc.property(schedule, fc.array(event, { maxLength: 100 }), (schedule, events) => {
        let when = MIDNIGHT;
        const ticks = events.map(({ move }, serial) => {
          when += move * PERIOD;
          return [when, serial] as const;
        });
        // Some come before those that were sent before them.
        const order = ticks.map((tick, i) => [i + events[i].jump, tick] as const).sort(([a], [b]) => a - b);
        const ticker = new Ticker(schedule);
        order.forEach(([, [when, serial]], i) => {
          if (events[i].isKill) ticker.restart("same");
          ticker.tick(when, serial);
          const { counts, runs, state } = { ...ticker, runs: [...ticker.runs] };
          for (const n of events[i].again) if (n <= i) ticker.tick(...order[i - n][1]);
          assert.deepEqual([ticker.counts, ticker.runs, ticker.state], [counts, runs, state]);
        });
        assert.equal(ticker.counts, ticks.length);
      }),
    );
  });

  it("late ticks change nothing but a count: what runs is what runs without them", () => {
    fc.assert(
      fc.property(fc.constantFrom(...schedules), fc.array(fc.boolean()), (schedule, isLate) => {
        const [ticker, without] = [new Ticker(schedule), new Ticker(schedule)];
        isLate.forEach((late, i) => {
          if (late) return;
          for (const one of [ticker, without]) one.tick(MIDNIGHT + 60 * i, i);
          if (isLate[i - 1]) ticker.tick(MIDNIGHT + 60 * (i - 1), i - 1);
        });
        assert.deepEqual(ticker.runs, without.runs);
      }),
    );
  });

  it("a count that a late tick has reached is run for at the next one", () => {
    for (const schedule of [new TickSchedule(3), new TickSchedule(3, true)]) {
      const ticker = new Ticker(schedule);
      for (const serial of [1, 3, 2, 4, 5, 6]) ticker.tick(MIDNIGHT + 60 * serial, serial);
      const ran = ticker.runs.map(({ when }) => (when - MIDNIGHT) / 60);
      assert.deepEqual(ran, schedule.isOfAll ? [4, 6] : [4]);
    }
  });
});

describe("a number in our pool", () => {
  const cases = rowsOf(`
    -  | 5 6 7             | 0 | 7 | each comes
    -  | 5 9               | 3 | 9 | three never come
    -  | 5 9 6 7 8         | 0 | 9 | they come late, behind a rejected event
    -  | 5 9 7             | 2 | 9 | one of them does
    -  | 5 9 4 3           | 3 | 9 | those below the first are of no matter
    -  | 5 7 7 9           | 2 | 9 | one comes again
    9  | 13                | 3 | 13 | over a restart of ours
    9  | 9 10              | 0 | 10 | again after it
    90 | 0 1 4             | 2 | 4 | in a pool that was made anew
    5  | 2 3 6             | 0 | 6 | late after a restart, where few have come
    90 | 89 91             | 0 | 91 | late after a restart`);
  for (const [highest, numbers, lost, after, title] of cases) {
    it(`is missed if it never comes: ${title}`, () => {
      const gaps = new PoolGaps(highest === "-" ? undefined : Number(highest));
      for (const number of numbers.split(" ")) gaps.add(Number(number));
      assert.equal(gaps.missing, Number(lost), "before the end too");
      assert.equal(gaps.look(), 0, "they may still come");
      assert.deepEqual([gaps.look(), gaps.highest, gaps.look()], [Number(lost), Number(after), 0]);
      assert.equal(gaps.isOpen, false);
    });
  }
});
