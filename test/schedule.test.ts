// Durations and each kind of schedule: pure arithmetic, so tables and properties.

import * as assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  CronSchedule,
  createZone,
  EventSchedule,
  formatDuration,
  longestDelay,
  nextDueTimes,
  parseCommandLine,
  parseCron,
  parseDuration,
  resolveSettings,
  type Schedule,
  SliceSchedule,
  StartSchedule,
  stableDelay,
  TickSchedule,
  tryReadSchedule,
  type Zone,
} from "../listener";
import * as durations from "./vectors/durations.json";

// ── Durations ──────────────────────────────────────────────────────────────

function option(flag: string, text: string): { every?: number; timeout: number; offset: number; killAfter: number } {
  const schedule = flag === "--every" ? [] : ["--every", "1d"];
  return resolveSettings([parseCommandLine([...schedule, flag, text], ["job", "listener"]).layer]);
}

describe("durations", () => {
  for (const [text, seconds] of durations.valid as Array<[string, number]>) {
    it(`${JSON.stringify(text)} is ${seconds} s`, () => {
      assert.equal(parseDuration(text), seconds);
      assert.equal(option("--every", text).every, seconds);
    });
  }

  for (const text of durations.invalid) {
    it(`${JSON.stringify(text)} is refused`, () => {
      assert.throws(() => parseDuration(text));
      assert.throws(() => option("--every", text), /^(Usage)?Error: --every: expected a duration/);
    });
  }

  for (const text of durations.zero) {
    it(`${JSON.stringify(text)} is legal only where 0 is the default`, () => {
      for (const key of ["timeout", "offset"] as const) assert.equal(option(`--${key}`, text)[key], 0);
      for (const flag of ["--every", "--kill-after"]) assert.throws(() => option(flag, text), /at least 1s/);
    });
  }

  it("the longest is 2^53 - 1 ms", () => {
    assert.equal(parseDuration("9007199254740s"), 9007199254740);
    assert.throws(() => parseDuration("9007199254741s"), /at most 9007199254740s/);
    assert.throws(() => parseDuration("99999999999999w"), /at most 9007199254740s/);
  });

  it("are written as they are read", () => {
    const seconds = fc.oneof(fc.nat(400_000), fc.nat(9007199254740));
    fc.assert(fc.property(seconds, (n) => parseDuration(formatDuration(n)) === n));
  });

  const written = { 0: "0s", 90: "1m30s", 5400: "1h30m", 604800: "1w", 864000: "10d", 90061: "1d1h1m1s" };
  for (const [seconds, text] of Object.entries(written)) {
    it(`${seconds} s are written ${text}`, () => assert.equal(formatDuration(Number(seconds)), text));
  }
});

// ── Each kind by itself ────────────────────────────────────────────────────

const UTC = createZone("UTC");
const LOCAL = createZone("local time", () => 0);
const BERLIN = createZone("Europe/Berlin");
const cronIn = (zone: Zone, expr: string) => new CronSchedule(parseCron(expr), zone, 3600);
const cronInUtc = (expr: string) => cronIn(UTC, expr);

describe("a schedule is read back from its record", () => {
  const cases: Array<[schedule: Schedule, record: object, words: string]> = [
    [new TickSchedule(1), { ticks: 1 }, "every tick"],
    [new TickSchedule(5, true), { ticks: 5, ofAll: true }, "every 5 ticks"],
    [new SliceSchedule(5400, 0), { every: 5400, offset: 0 }, "every 1h30m"],
    [new SliceSchedule(3600, 60), { every: 3600, offset: 60 }, "every 1h, offset 1m"],
    [cronInUtc("@daily"), { cron: "0 0 0 * * *", tz: "UTC" }, "at 00:00, UTC"],
    [cronIn(LOCAL, "30 2 * * 7"), { cron: "0 30 2 * * 7" }, "at 02:30 on Sundays, local time"],
    [new EventSchedule(["TICK_60", "EVENT"]), { on: ["TICK_60", "EVENT"] }, "on TICK_60, EVENT"],
    [new StartSchedule(), { start: true }, "when the listener starts"],
  ];
  for (const [schedule, record, words] of cases) {
    it(words, () => {
      assert.equal(JSON.stringify(schedule.record), JSON.stringify(record));
      const read = tryReadSchedule(record, () => LOCAL);
      assert.deepEqual([read?.record, read?.describe()], [schedule.record, words]);
    });
  }
  it("anything else is not a schedule", () => {
    const strange = [undefined, 7, {}, { cron: "x" }, { cron: "* * * * *", tz: "Mars" }, { every: 0, offset: 0 }];
    const read = strange.map((record) => tryReadSchedule(record, () => UTC));
    assert.deepEqual(read, Array(strange.length).fill(undefined));
  });
});

describe("a slice is due", () => {
  const cases: Array<[title: string, every: number, offset: number, decided: number, upTo: number, due?: number]> = [
    ["at its start", 300, 0, 600, 900, 900],
    ["late, but for its own time", 300, 0, 840, 960, 900],
    ["not a second time", 300, 0, 900, 960, undefined],
    ["once for many missed, for the latest", 300, 0, 600, 3000, 3000],
    ["moved by the offset", 300, 60, 900, 960, 960],
    ["not at the start without the offset", 300, 60, 840, 900, undefined],
    ["over a restart of a day", 86400, 3600, 86000, 200000, 176400],
    ["never in an interval that ends before it begins", 300, 0, 900, 600, undefined],
    ["never in an interval that ends where it begins", 300, 0, 900, 900, undefined],
    ["at the epoch", 300, 0, -60, 0, 0],
  ];
  for (const [title, every, offset, decided, upTo, due] of cases) {
    it(title, () => assert.equal(new SliceSchedule(every, offset).latestIn(decided, upTo), due));
  }
});

describe("ticks that can't meet a schedule exactly", () => {
  const cases: Array<[schedule: Schedule, period: number, mismatch?: RegExp]> = [
    [new SliceSchedule(300, 0), 60],
    [new SliceSchedule(90, 0), 5],
    [new SliceSchedule(90, 0), 60, /^every 1m30s does not fit a tick every 1m; each run starts with the first tick/],
    [new SliceSchedule(300, 30), 60, /^every 5m, offset 30s does not fit a tick every 1m/],
    [new SliceSchedule(300, 0), 3600, /^every 5m is finer than a tick every 1h: due times between two ticks are one/],
    [new SliceSchedule(7, 0), 5, /^every 7s does not fit a tick every 5s/],
    [cronInUtc("30 10 * * *"), 60],
    [cronInUtc("30 10 * * *"), 3600, /^at 10:30, UTC does not fit a tick every 1h/],
    [cronInUtc("*/10 * * * * *"), 5],
    [cronInUtc("*/10 * * * * *"), 60, /^every 10th second, UTC is finer than a tick every 1m/],
    [new TickSchedule(7), 3600],
    [new EventSchedule(["EVENT"]), 3600],
    [new StartSchedule(), 3600],
  ];
  for (const [schedule, period, mismatch] of cases) {
    it(`${schedule.describe()} on a tick every ${period} s: ${mismatch === undefined ? "met" : "reported"}`, () => {
      const misfits = schedule.misfits(period, 0);
      assert.equal(misfits.length, mismatch === undefined ? 0 : 1);
      if (mismatch !== undefined) assert.match(misfits[0], mismatch);
    });
  }
});

it("no clock makes a count, an event or a start due", () => {
  for (const schedule of [new TickSchedule(1), new EventSchedule(["EVENT"]), new StartSchedule()]) {
    assert.deepEqual(
      [schedule.firstAfter(0), schedule.latestIn(0, 1e9), schedule.countIn(0, 1e9)],
      [Infinity, undefined, 0],
    );
    assert.deepEqual(nextDueTimes(schedule, 0, 3), []);
  }
});

it("the due times of an interval, their number and the latest are what a walk over them finds", () => {
  const crons = [cronInUtc("*/7 * * * *"), cronInUtc("15,45 1-3 * * SUN"), cronIn(BERLIN, "30 2 * * *")];
  const any = fc.constantFrom<Schedule>(new SliceSchedule(90, 7), new SliceSchedule(86400, 0), ...crons);
  const length = fc.oneof(fc.constantFrom(0, 5, 60), fc.nat(86400), fc.nat(30 * 86400));
  fc.assert(
    fc.property(any, fc.integer({ min: 1.7e9, max: 1.8e9 }), length, (schedule, from, length) => {
      const dues = nextDueTimes(schedule, from, 1001).filter((due) => due <= from + length);
      assert.equal(schedule.countIn(from, from + length), dues.length);
      if (dues.length <= 1000) assert.equal(schedule.latestIn(from, from + length), dues.pop());
    }),
  );
});

describe("a delay for --jitter", () => {
  it("is always the same for the same key, and below its limit", () => {
    assert.equal(stableDelay("host job", 600), 388);
    fc.assert(fc.property(fc.string(), fc.nat(10_000), (key, limit) => stableDelay(key, limit) < Math.max(1, limit)));
  });
  it("is below what the next fifty due times are apart", () => {
    const cases: Array<[schedule: Schedule, limit: number, longest: number]> = [
      [new SliceSchedule(300, 0), 3600, 300],
      [cronInUtc("0 3 * * *"), 3600, 3600],
      [cronInUtc("*/7 * * * *"), 3600, 240],
      [cronInUtc("*/2,59 * * * *"), 3600, 60],
      [cronIn(BERLIN, "0 2,4 * * *"), 86400, 3600],
      [new TickSchedule(5), 60, 60],
    ];
    const march = 1_742_000_000; // a fortnight before the clock skips an hour
    for (const [schedule, limit, longest] of cases) {
      assert.equal(longestDelay(schedule, march, limit), longest, schedule.describe());
    }
  });
});

describe("a count of ticks", () => {
  const [alone, shared] = [new TickSchedule(3), new TickSchedule(3, true)];
  const cases: Array<[schedule: TickSchedule, count: number, isReached: boolean, toGo: number, after: number]> = [
    [alone, 0, false, 3, 0],
    [alone, 2, false, 1, 2],
    [alone, 3, true, 1, 0],
    [alone, 7, true, 1, 0],
    [shared, 1, false, 2, 1],
    [shared, 2, false, 1, 2],
    [shared, 3, true, 3, 3],
    [shared, 7, false, 2, 7],
  ];
  for (const [schedule, count, isReached, toGo, after] of cases) {
    it(`of ${schedule.isOfAll ? "all jobs" : "one job"}, at ${count} of 3: goes on from ${after}`, () => {
      assert.equal(schedule.isReached(count), isReached);
      assert.deepEqual([schedule.ticksToGo(count), schedule.countAfter(count)], [toGo, after]);
    });
  }
  it("of all jobs is reached too by a tick that follows one which could not run anything", () => {
    assert.deepEqual([shared.isReached(7, 1), shared.isReached(8, 1)], [true, false]);
  });
});
