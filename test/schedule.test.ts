// Durations, ticks and slices: pure arithmetic, so tables and properties. What the outside world makes of them is tested
// in protocol.test.ts.

import * as assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  countAfter,
  countDueTimes,
  countTick,
  createZone,
  dueTime,
  formatDuration,
  judgeDueTime,
  longestDelay,
  nextDue,
  nextDues,
  parseCommandLine,
  parseCron,
  parseDuration,
  parseTick,
  resolveSettings,
  type Schedule,
  TICK_PERIODS,
  type Tick,
  type TickClock,
  tickMismatches,
} from "../listener";
import * as valid from "./vectors/cron-valid.json";
import * as durations from "./vectors/durations.json";
import * as vectors from "./vectors/ticks.json";

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

// ── The vectors ────────────────────────────────────────────────────────────
// `whens`: times of ticks; a pair stands for all from the first to the second. The same time twice in a row is the same
// event again.

function expand(whens: Array<number | number[]>, period: number): number[] {
  return whens.flatMap((item) => {
    if (typeof item === "number") return [item];
    const [first, last] = item;
    return Array.from({ length: (last - first) / period + 1 }, (_, i) => first + i * period);
  });
}

/** Feeds ticks as the listener does; returns the times of those that run something. */
function runningTicks(schedule: Schedule, whens: number[], periodSeconds: number): number[] {
  let clock: TickClock | undefined;
  let count = 0;
  let serial = 0;
  return whens.filter((whenSeconds, i) => {
    if (whenSeconds !== whens[i - 1]) serial++;
    const counted = countTick(clock, { serial, whenSeconds, periodSeconds });
    if (counted === undefined) return false;
    clock = counted.clock;
    count++;
    const due = dueTime(schedule, count, counted.window);
    count = countAfter(schedule, count);
    return due !== undefined;
  });
}

/** The same, with the due time that each run is for. */
function cronRuns(schedule: Schedule, whens: number[], periodSeconds: number): Array<{ when: number; due: number }> {
  const runs: Array<{ when: number; due: number }> = [];
  let clock: TickClock | undefined;
  let serial = 0;
  for (const [i, whenSeconds] of whens.entries()) {
    if (whenSeconds !== whens[i - 1]) serial++;
    const counted = countTick(clock, { serial, whenSeconds, periodSeconds });
    if (counted === undefined) continue;
    clock = counted.clock;
    const due = dueTime(schedule, 0, counted.window);
    if (due === undefined || judgeDueTime(schedule, due, whenSeconds, periodSeconds) === "missed") continue;
    runs.push({ when: whenSeconds, due });
  }
  return runs;
}

describe("a cron job on ticks", () => {
  for (const { expr, tz, event, note, whens, runs } of vectors.cron) {
    const period = TICK_PERIODS[event] ?? 0;
    it(`${expr} in ${tz} on ${event}${note === "" ? "" : `: ${note}`}`, () => {
      const schedule: Schedule = { kind: "cron", cron: parseCron(expr), zone: createZone(tz), catchUpSeconds: 86400 };
      const expected = runs.map(({ when, due }) => ({ when, due: expand(due, 300).pop() }));
      assert.deepEqual(cronRuns(schedule, expand(whens, period), period), expected);
    });
  }

  const daily: Schedule = { kind: "cron", cron: parseCron("0 3 * * *"), zone: createZone("UTC"), catchUpSeconds: 3600 };
  const three = 1715655600; // 14 May 2024, 03:00 UTC
  const cases: Array<[late: number, verdict: string]> = [
    [0, "schedule"],
    [60, "schedule"],
    [120, "catch-up"],
    [3600, "catch-up"],
    [3660, "missed"],
  ];
  for (const [late, verdict] of cases) {
    it(`a due time ${late} s ago, with --catch-up 1h on TICK_60: ${verdict}`, () => {
      assert.equal(judgeDueTime(daily, three, three + late, 60), verdict);
    });
  }
  it("with --catch-up 0 only the last two periods are run for", () => {
    const never: Schedule = { ...daily, catchUpSeconds: 0 };
    assert.equal(judgeDueTime(never, three, three + 60, 60), "schedule");
    assert.equal(judgeDueTime(never, three, three + 120, 60), "missed");
  });
  it("counts what was missed to 1,000 and no further", () => {
    const minutely: Schedule = { ...daily, cron: parseCron("* * * * *") };
    const windowOf = (seconds: number) => ({ after: three, fixedAfter: three, upTo: three + seconds });
    assert.equal(countDueTimes(minutely, windowOf(999 * 60)), 999);
    assert.equal(countDueTimes(minutely, windowOf(86400)), 1001);
  });
  it("set back by less than three hours, a fixed job waits for its next time and a wildcard job goes on", () => {
    const back = three - 7200;
    const ticks = [three - 60, three, three + 60, back, ...Array.from({ length: 121 }, (_, i) => back + i * 60)];
    const hourly: Schedule = { ...daily, cron: parseCron("0 * * * *") };
    assert.deepEqual(
      cronRuns(daily, ticks, 60).map(({ when }) => when - three),
      [0],
    );
    assert.deepEqual(
      cronRuns(hourly, ticks, 60).map(({ when }) => when - three),
      [0, -3600, 0],
    );
  });
});

describe("sequences of ticks", () => {
  for (const { mode, event, every, note, whens, fires } of vectors.every) {
    const period = TICK_PERIODS[event] ?? 0;
    const schedule: Schedule =
      mode === "count" ? { kind: "ticks", every } : { kind: "slices", everySeconds: every * period, offsetSeconds: 0 };
    it(`${mode}, every ${every} of ${event}: ${note}`, () => {
      assert.deepEqual(runningTicks(schedule, expand(whens, period), period), fires);
    });
  }
});

// ── Which ticks count ──────────────────────────────────────────────────────

const PERIOD = 60;
const T = 1_700_000_040;
const HOUR = 3600;

function clockAt(fields: Partial<TickClock> = {}): TickClock {
  const decided = { decidedSeconds: T, fixedDecidedSeconds: T };
  return { whenSeconds: T, serial: 20, ...decided, isRestored: false, ...fields };
}

function tickAt(whenSeconds: number, serial: number): Tick {
  return { whenSeconds, serial, periodSeconds: PERIOD };
}

describe("a tick is ignored if it was counted before", () => {
  const RESTORED = { isRestored: true };
  const ANOTHER_SUPERVISORD = { isRestored: true, serial: -1 };
  const cases: Array<[title: string, clock: Partial<TickClock>, when: number, serial: number, isCounted: boolean]> = [
    ["the next one", {}, T + 60, 21, true],
    ["the same event", {}, T, 20, false],
    ["an older event", {}, T - 60, 19, false],
    ["an older serial with a later time", {}, T + 60, 19, false],
    ["a new serial with the same time", {}, T, 21, true],
    ["a new serial with an older time", {}, T - 60, 21, true],
    ["after a restart, the same event", RESTORED, T, 20, false],
    ["after a restart, an older event", RESTORED, T - 300, 15, false],
    ["after a restart, the next one", RESTORED, T + 60, 21, true],
    ["after a restart, an older serial with a later time", RESTORED, T + 60, 0, true],
    ["after a restart, the same serial with a later time", RESTORED, T + 60, 20, true],
    ["after a restart, a new serial with the same time", RESTORED, T, 21, true],
    ["after a restart, a new serial with an older time", RESTORED, T - 60, 21, true],
    ["after a restart of supervisord, serials begin anew", ANOTHER_SUPERVISORD, T + 60, 0, true],
    ["after a restart of supervisord, the same time", ANOTHER_SUPERVISORD, T, 0, true],
    ["after a restart of supervisord, an older time", ANOTHER_SUPERVISORD, T - 60, 3, true],
  ];
  for (const [title, clock, when, serial, isCounted] of cases) {
    it(`${title}: ${isCounted ? "counts" : "is ignored"}`, () => {
      assert.equal(countTick(clockAt(clock), tickAt(when, serial)) !== undefined, isCounted);
    });
  }

  it("after a restart only until a first tick counts; then the serial alone tells", () => {
    const first = countTick(clockAt(RESTORED), tickAt(T + 60, 3));
    assert.equal(countTick(first?.clock, tickAt(T + 120, 3)), undefined);
    assert.notEqual(countTick(first?.clock, tickAt(T + 120, 4)), undefined);
  });
});

describe("a tick decides the time since the last one, (after, upTo]", () => {
  // All relative to T, the last tick: where the window begins, for fixed cron jobs too, and where it ends.
  type Case = [title: string, when: number, after: number, fixedAfter: number, setBack: number];
  const cases: Case[] = [
    ["the next tick", 60, 0, 0, 0],
    ["a tick after a pause of 8 h", 8 * HOUR, 0, 0, 0],
    ["the same time again", 0, 0, 0, 0],
    ["back by 1 period: nothing is due again", -60, 0, 0, 60],
    ["back by 2 periods: nothing is due again", -120, 0, 0, 120],
    ["back by 3 periods: fixed jobs wait, the others go on", -180, -180, 0, 180],
    ["back by an hour", -HOUR, -HOUR, 0, HOUR],
    ["back by one period less than 3 h", 60 - 3 * HOUR, 60 - 3 * HOUR, 0, 3 * HOUR - 60],
    ["back by 3 h: all go on", -3 * HOUR, -3 * HOUR, -3 * HOUR, 3 * HOUR],
    ["back by a year", -365 * 24 * HOUR, -365 * 24 * HOUR, -365 * 24 * HOUR, 365 * 24 * HOUR],
  ];
  for (const isRestored of [false, true]) {
    for (const [title, when, after, fixedAfter, setBackSeconds] of cases) {
      it(`${title}${isRestored ? ", after a restart" : ""}`, () => {
        const counted = countTick(clockAt({ isRestored }), tickAt(T + when, 21));
        assert.deepEqual(counted, {
          clock: {
            whenSeconds: T + when,
            serial: 21,
            decidedSeconds: T + Math.max(after, when),
            fixedDecidedSeconds: T + Math.max(fixedAfter, when),
            isRestored: false,
          },
          window: { after: T + after, fixedAfter: T + fixedAfter, upTo: T + when },
          setBackSeconds,
        });
      });
    }
  }

  it("without a record it is one period", () => {
    assert.deepEqual(countTick(undefined, tickAt(T, 7))?.window, { after: T - 60, fixedAfter: T - 60, upTo: T });
  });

  it("a clock that steps back by a minute again and again brings nothing back", () => {
    let clock = clockAt();
    for (let i = 1; i <= 10; i++) clock = countTick(clock, tickAt(T - 60 * i, 20 + i))?.clock ?? clock;
    assert.deepEqual([clock.whenSeconds, clock.decidedSeconds], [T - 600, T]);
  });
});

describe("when a slice is due", () => {
  const window = (after: number, upTo: number) => ({ after, fixedAfter: after, upTo });
  const cases: Array<[title: string, every: number, offset: number, after: number, upTo: number, due?: number]> = [
    ["at its start", 300, 0, 600, 900, 900],
    ["late, but for its own time", 300, 0, 840, 960, 900],
    ["not a second time", 300, 0, 900, 960, undefined],
    ["once for many missed, for the latest", 300, 0, 600, 3000, 3000],
    ["moved by the offset", 300, 60, 900, 960, 960],
    ["not at the start without the offset", 300, 60, 840, 900, undefined],
    ["a slice over a restart of a day", 86400, 3600, 86000, 200000, 176400],
    ["never in an empty window", 300, 0, 900, 600, undefined],
    ["never in a window that ends where it begins", 300, 0, 900, 900, undefined],
    ["at the epoch", 300, 0, -60, 0, 0],
  ];
  for (const [title, everySeconds, offsetSeconds, after, upTo, due] of cases) {
    it(title, () => {
      assert.equal(dueTime({ kind: "slices", everySeconds, offsetSeconds }, 1, window(after, upTo)), due);
    });
  }
});

describe("what a tick cannot meet exactly", () => {
  const cases: Array<[every: number, offset: number, period: number, isMet: boolean]> = [
    [300, 0, 60, true],
    [90, 0, 60, false],
    [90, 0, 5, true],
    [300, 30, 60, false],
    [300, 0, 3600, false],
    [7, 0, 5, false],
  ];
  for (const [everySeconds, offsetSeconds, period, isMet] of cases) {
    it(`every ${everySeconds} s, offset ${offsetSeconds} s, on a tick every ${period} s is ${isMet ? "met" : "told"}`, () => {
      const mismatches = tickMismatches({ kind: "slices", everySeconds, offsetSeconds }, period, 0);
      assert.equal(mismatches.length, isMet ? 0 : 1);
    });
  }

  it("a count is met by every tick", () => {
    assert.deepEqual(tickMismatches({ kind: "ticks", every: 7 }, 3600, 0), []);
  });
});

describe("the payload of a tick", () => {
  const cases: Array<[name: string, payload: string, when: number | undefined]> = [
    ["TICK_60", "when:1700000040", 1700000040],
    ["TICK_60", "when:1700000099", 1700000040],
    ["TICK_5", "when:1700000043\n", 1700000040],
    ["TICK_3600", "when:1700000043", 1699999200],
    ["TICK_60", "when:0", 0],
    ["TICK_60", "", undefined],
    ["TICK_60", "when:", undefined],
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

// ── Properties ─────────────────────────────────────────────────────────────

/** By how many periods the clock moves to the next tick. */
const forward = fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.integer({ min: 2, max: 2000 }));
const backAlittle = fc.integer({ min: -2, max: 0 });
const backFar = fc.integer({ min: -500, max: -3 });
const anyMove = fc.oneof({ weight: 3, arbitrary: forward }, backAlittle, backFar);
const isRestart = fc.boolean();

function restarted(clock: TickClock | undefined): TickClock | undefined {
  return clock && { ...clock, isRestored: true };
}

describe("whatever supervisord sends", () => {
  it("windows follow each other without gap or overlap, but where the clock goes back by more than two periods", () => {
    fc.assert(
      fc.property(fc.array(fc.record({ move: anyMove, isRestart })), (moves) => {
        let clock: TickClock | undefined;
        let when = T;
        let decided: number | undefined;
        moves.forEach(({ move, isRestart }, serial) => {
          when += move * PERIOD;
          const counted = countTick(isRestart ? restarted(clock) : clock, tickAt(when, serial));
          assert.ok(counted, "a new serial always counts");
          const { after, upTo } = counted.window;
          if (decided !== undefined && counted.setBackSeconds <= 2 * PERIOD) assert.equal(after, decided);
          if (counted.setBackSeconds > 2 * PERIOD) assert.equal(after, upTo, "nothing is due for that tick");
          decided = Math.max(after, upTo);
          clock = counted.clock;
        });
      }),
    );
  });

  it("no slice runs twice while time goes forward, and none that a tick falls into is left out", () => {
    const slices = fc.record({ every: fc.integer({ min: 1, max: 5000 }), offset: fc.nat(4999) });
    fc.assert(
      fc.property(slices, fc.array(fc.record({ move: forward, isRestart })), ({ every, offset }, moves) => {
        const schedule: Schedule = { kind: "slices", everySeconds: every, offsetSeconds: offset % every };
        const sliceOf = (at: number) => Math.floor((at - schedule.offsetSeconds) / every);
        let clock: TickClock | undefined;
        let when = T;
        const due: number[] = [];
        const entered = new Set<number>();
        moves.forEach(({ move, isRestart }, serial) => {
          when += move * PERIOD;
          const counted = countTick(isRestart ? restarted(clock) : clock, tickAt(when, serial));
          assert.ok(counted);
          const time = dueTime(schedule, 1, counted.window);
          if (time !== undefined) due.push(time);
          entered.add(sliceOf(when));
          clock = counted.clock;
        });
        const ran = due.map(sliceOf);
        assert.deepEqual(
          ran,
          [...new Set(ran)].sort((a, b) => a - b),
          "each once, in order",
        );
        // Without a record nobody knows whether the slice of the very first tick has run.
        for (const slice of [...entered].slice(1)) assert.ok(ran.includes(slice), `slice ${slice} was left out`);
      }),
    );
  });

  it("events that were counted change nothing when they come again, in any order", () => {
    const again = fc.array(fc.nat(), { maxLength: 4 });
    fc.assert(
      fc.property(fc.array(fc.record({ move: anyMove, again })), (moves) => {
        let clock: TickClock | undefined;
        let when = T;
        const counted: Tick[] = [];
        moves.forEach(({ move, again }, serial) => {
          when += move * PERIOD;
          const tick = tickAt(when, serial);
          clock = countTick(clock, tick)?.clock;
          counted.push(tick);
          for (const n of again) assert.equal(countTick(clock, counted[n % counted.length]), undefined);
        });
      }),
    );
  });

  it("nor do they after a restart, while time goes forward", () => {
    const again = fc.array(fc.nat(), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(fc.record({ move: forward, again }), { minLength: 1 }), (moves) => {
        let clock: TickClock | undefined;
        let when = T;
        const counted: Tick[] = [];
        moves.forEach(({ move, again }, serial) => {
          when += move * PERIOD;
          const tick = tickAt(when, serial);
          clock = countTick(restarted(clock), tick)?.clock;
          counted.push(tick);
          for (const n of again) assert.equal(countTick(restarted(clock), counted[n % counted.length]), undefined);
        });
      }),
    );
  });

  it("every Nth tick runs, and the count restarts there", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.nat(500), (every, ticks) => {
        const whens = Array.from({ length: ticks }, (_, i) => T + i * PERIOD);
        const ran = runningTicks({ kind: "ticks", every }, whens, PERIOD);
        assert.deepEqual(
          ran,
          whens.filter((_, i) => (i + 1) % every === 0),
        );
      }),
    );
  });
});

// ── At a glance ────────────────────────────────────────────────────────────

describe("what a tick decides at a glance is what a search finds", () => {
  const cases = Array.from(valid).flatMap(({ expr, tz, next }) => (next === undefined ? [] : [{ expr, tz, next }]));
  const schedules = new Map(
    cases.map(({ expr, tz }) => {
      const [cron, zone] = [parseCron(expr), createZone(tz)];
      return [`${expr} ${tz}`, { kind: "cron", cron, zone, catchUpSeconds: 0 } as const];
    }),
  );
  const decides = (expr: string, tz: string, after: number, upTo: number) => {
    const schedule = schedules.get(`${expr} ${tz}`)!;
    const found = dueTime(schedule, 0, { after, fixedAfter: after, upTo });
    let due = nextDue(schedule.cron, schedule.zone, after, upTo);
    for (let next = due; next !== undefined; next = nextDue(schedule.cron, schedule.zone, next, upTo)) due = next;
    assert.equal(found, due, `${expr} ${tz} (${after}, ${upTo}]`);
    return found;
  };

  it("around each due time of the vectors, on ticks of five and of sixty seconds", () => {
    let dues = 0;
    for (const { expr, tz, next } of cases) {
      for (const due of next) {
        for (const period of [5, 60]) {
          const tick = Math.ceil(due / period) * period;
          for (const upTo of [tick - period, tick, tick + period]) {
            if (decides(expr, tz, upTo - period, upTo) !== undefined) dues++;
          }
        }
      }
    }
    assert.ok(dues > 1000);
  });

  it("around any change of a clock, and anywhere else", () => {
    const zones = [
      "Europe/Berlin",
      "America/St_Johns",
      "Australia/Lord_Howe",
      "Asia/Kolkata",
      "UTC",
      "Africa/Casablanca",
    ];
    const expressions = ["30 2 * * *", "* 2 * * *", "*/7 * * * *", "0 */3 * * *", "59 23 31 12 *", "15,45 1-3 * * SUN"];
    for (const expr of expressions)
      for (const tz of zones)
        schedules.set(`${expr} ${tz}`, {
          kind: "cron",
          cron: parseCron(expr),
          zone: createZone(tz),
          catchUpSeconds: 0,
        });
    const change = fc.constantFrom(1743296400, 1761440400, 1741498200, 1762065000, 1728142200, 1743867000, 1700000000);
    fc.assert(
      fc.property(
        fc.constantFrom(...expressions),
        fc.constantFrom(...zones),
        change,
        fc.integer({ min: -200, max: 200 }),
        fc.constantFrom(5, 60),
        (expr, tz, near, minutes, period) => {
          const upTo = Math.floor((near + minutes * 60) / period) * period;
          decides(expr, tz, upTo - period, upTo);
        },
      ),
      { numRuns: 3000 },
    );
  });
});

it("a delay stays below the next due time, also where that is known without a look at a hundred of them", () => {
  const zones = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Africa/Casablanca",
  ];
  const number = (most: number) => fc.integer({ min: 0, max: most });
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      fc.oneof(number(59), fc.constant("*/7"), fc.constant("59,1")),
      fc.oneof(number(23), fc.constant("*"), fc.constant("2,3")),
      fc.integer({ min: 1_760_000_000, max: 2_000_000_000 }),
      fc.constantFrom(30, 60, 600, 7200, 86400, 100_000),
      (tz, minute, hour, from, limit) => {
        const [cron, zone] = [parseCron(`${minute} ${hour} * * *`), createZone(tz)];
        const dues = nextDues(cron, zone, from, 100);
        const gaps = dues.slice(1).map((due, i) => due - dues[i]);
        const schedule: Schedule = { kind: "cron", cron, zone, catchUpSeconds: 0 };
        assert.equal(longestDelay(schedule, from, limit), Math.min(limit, ...gaps));
      },
    ),
  );
});
