import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import {
  checkZone,
  clockChanges,
  createZone,
  cronWarnings,
  describeCron,
  dueTimes,
  nextDue,
  nextDues,
  parseCron,
  previousDue,
  quietUntil,
  readingAt,
  type Zone,
} from "../listener";

// ── Vectors ─────────────────────────────────────────────────────────────────

type Vector = { class: string; expr: string; tz: string; from: string; next: number[]; never?: true; note?: string };
type Refusal = { expr?: string; tz?: string; field: string; token: string };
type Debatable = { question: string; expr: string; tz: string; from: string; next: number[]; refused?: true };

const vectors = <T>(name: string): T[] => JSON.parse(fs.readFileSync(`${__dirname}/vectors/cron-${name}.json`, "utf8"));
const seconds = (iso: string) => Date.parse(iso) / 1000;

/** Sun 2025-03-30 03:00:00 +02:00, or "never": what a reader compares. */
function shown(zone: Zone, second: number | undefined): string {
  if (second === undefined) return "never";
  const { offset } = zone.spanAt(second);
  const reading = new Date((second + offset) * 1000);
  const minutes = Math.abs(offset) / 60;
  const utcOffset = [minutes / 60, minutes % 60].map((part) => String(Math.floor(part)).padStart(2, "0")).join(":");
  return `${reading.toUTCString().slice(0, 3)} ${reading.toISOString().slice(0, 19).replace("T", " ")} ${offset < 0 ? "-" : "+"}${utcOffset}`;
}

function checkDueTimes(c: { expr: string; tz: string; from: string; next: number[]; note?: string }): void {
  const [cron, zone] = [parseCron(c.expr), createZone(c.tz)];
  const due = nextDues(cron, zone, seconds(c.from), c.next.length);
  const title = `${c.expr} in ${c.tz} after ${c.from}${c.note ? ` (${c.note})` : ""}`;
  const show = (times: readonly number[]) => [title, ...times.map((second) => shown(zone, second))];
  assert.deepEqual(show(due), show(c.next));

  const backwards = c.next.map((_, i) =>
    previousDue(cron, zone, i + 1 < c.next.length ? c.next[i + 1] - 1 : c.next[i]),
  );
  assert.deepEqual(backwards, c.next, `${title}, backwards`);
  const last = c.next[c.next.length - 1];
  assert.deepEqual(dueTimes(cron, zone, seconds(c.from), last), { latest: last, count: c.next.length }, title);
}

const validVectors = vectors<Vector>("valid");
for (const name of new Set(validVectors.map((c) => c.class))) {
  test(`the due times of the vectors of class ${name} are right`, () => {
    for (const c of validVectors.filter((vector) => vector.class === name)) {
      if (c.never) assert.throws(() => parseCron(c.expr), /never matches/, c.expr);
      else checkDueTimes(c);
    }
  });
}

test("a refusal names the field and the token", () => {
  for (const { expr = "* * * * *", tz = "UTC", field, token } of vectors<Refusal>("invalid")) {
    const message = refusal(() => [checkZone(tz), parseCron(expr)]);
    assert.ok(message.includes(field) && message.includes(token), `${expr} ${tz}: ${message}`);
  }
});

test("where other implementations differ the recommendation holds", () => {
  for (const c of vectors<Debatable>("debatable")) {
    if (c.refused) assert.throws(() => parseCron(c.expr), `${c.question} ${c.expr}`);
    else checkDueTimes({ ...c, note: c.question });
  }
});

function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return (error as Error).message;
  }
  return "not refused";
}

// ── What is said ────────────────────────────────────────────────────────────

test("a refusal says what to write instead", () => {
  for (const [expr, message] of [
    ["0 25 * * *", "hour 25 is above 23"],
    ["0 24 * * *", "hour 24 is above 23: midnight is 0"],
    ["50-60 * * * *", 'minute 60 in "50-60" is above 59'],
    ["0 22-4 * * *", 'hour "22-4" runs backwards: write 22-23,0-4'],
    ["0 0 * * FRI-MON", 'day-of-week "FRI-MON" runs backwards: write FRI-SUN,MON'],
    ["0 0 * * 7-2", 'day-of-week "7-2" runs backwards: write 0-2'],
    ["0 22-4/2 * * *", 'hour "22-4/2" runs backwards: write a list'],
    ["*/90 * * * *", 'minute "*/90" has a step over the field\'s 60 values: use --every 90m'],
    ["1;2 * * * *", 'minute "1;2" has a semicolon: lists use commas'],
    ["0 0 * * 1,TUES", 'day-of-week "TUES" in "1,TUES" is not a name of three letters: did you mean TUE?'],
    ["0 0 * MON *", 'month "MON" is the name of a day-of-week: are the fields shifted?'],
    ["0 0 * * L", 'day-of-week "L" is ambiguous: the last Saturday is 6L, the month\'s last day is L in day-of-month'],
    ["0 0 L-3 * *", 'day-of-month "L-3" counts back from the last day, which is not supported'],
    ["@every 90m", 'macro "@every 90m" is unknown: use --every 90m'],
    ["@reboot", 'macro "@reboot" is unknown: use --run-on-start'],
    ["0 9 * *", 'expression "0 9 * *" has 4 fields, 5 needed: day-of-week is missing'],
    [
      "0 9 * *\u00a0*",
      'expression "0 9 * *\u00a0*" has a no-break space (U+00A0): fields are separated by spaces or tabs',
    ],
    [
      "0 9 * * * root /bin/x",
      `expression has "root" behind five fields: a crontab line's user and command do not belong here`,
    ],
    ["0 0 30 2 *", 'expression "0 0 30 2 *" never matches: its months have no such day'],
    ['"0 9 * * *"', 'minute "\\"0" has a quotation mark: the expression is given without'],
  ]) {
    assert.equal(
      refusal(() => parseCron(expr)),
      message,
    );
  }
});

test("a zone is legal or not whatever the runtime's Intl thinks", () => {
  for (const zone of "UTC GMT Etc/UTC Europe/Kyiv US/Pacific GB CET EST5EDT Etc/GMT+5 europe/berlin Asia/Kathmandu".split(
    " ",
  )) {
    assert.equal(
      refusal(() => checkZone(zone)),
      "not refused",
    );
  }
  for (const [zone, message] of [
    ["+01:00", 'timezone "+01:00" is an offset, not a zone: expected one such as Europe/Berlin'],
    ["UTC+2", 'timezone "UTC+2" is an offset, not a zone: expected one such as Europe/Berlin'],
    ["BST", 'timezone "BST" is an abbreviation, not a zone: expected one such as Europe/Berlin'],
    ["America", 'timezone "America" is a region, not a zone: expected one such as Europe/Berlin'],
    ["Europe/Berlin ", 'timezone "Europe/Berlin " has a blank: expected a zone such as Europe/Berlin'],
    [
      "SystemV/EST5",
      'timezone "SystemV/EST5" is not known: expected UTC or a name of the tz database such as Europe/Berlin',
    ],
    [" ", 'timezone " " is empty: leave the setting away, or name a zone such as Europe/Berlin'],
  ]) {
    assert.equal(
      refusal(() => checkZone(zone)),
      message,
    );
  }
});

test("a schedule is described in words", () => {
  for (const [expr, words] of [
    ["30 2 * * SUN", "at 02:30 on Sundays"],
    ["0 9,17 * * 1-5", "at 09:00 and 17:00 from Monday to Friday"],
    ["*/5 * * * *", "every 5 minutes"],
    ["1-59/2 * * * *", "every 2 minutes from :01"],
    ["* * * * *", "every minute"],
    ["* 2 * * *", "every minute from 02:00 to 02:59"],
    ["*/10 9-17 * * *", "every 10 minutes from 09:00 to 17:59"],
    ["*/10 */6 * * *", "every 10 minutes in every 6th hour"],
    ["@hourly", "every hour at :00"],
    ["5,51 * * * *", "every hour at :05 and :51"],
    ["30 */2 * * *", "every 2 hours at :30"],
    ["22,55-57 0-2 * * *", "at :22 and :55 to :57 in hours 0 to 2"],
    ["15 30 2 * * *", "at 02:30:15"],
    ["*/10 * * * * *", "every 10 seconds"],
    ["30 */5 * * * *", "at second 30 in these minutes: every 5 minutes"],
    ["0 0 1,15W,L * *", "at 00:00 on the 1st, the weekday nearest the 15th and the last day of the month"],
    ["0 0 LW 6-8 *", "at 00:00 on the last weekday of the month from June to August"],
    [
      "0 0 * 1,7 1#1,5L,SAT",
      "at 00:00 on Saturdays, the first Monday of the month and the last Friday of the month in January and July",
    ],
    ["0 0 * * 5-7", "at 00:00 from Friday to Sunday"],
    ["0 0 13 * FRI", "at 00:00 on the 13th or on Fridays (either day-of-month or day-of-week suffices)"],
    ["0 0 */31,1-7 * MON", "at 00:00 on the 1st to 7th if on Mondays (day-of-month and day-of-week must both match)"],
    ["0 0 1-31 * MON", "at 00:00"],
  ]) {
    assert.equal(describeCron(parseCron(expr), "Europe/Berlin"), `${words}, Europe/Berlin`, expr);
  }
});

test("what may surprise is said", () => {
  const from = seconds("2025-01-15T00:00:00Z");
  for (const [expr, zone, tickPeriod, ...warnings] of [
    ["0 9 * * 1-5", "UTC", 60],
    ["*/5 * * * *", "Europe/Berlin", 60],
    [
      "30 2 * * SUN",
      "Europe/Berlin",
      60,
      "on 30 March 2025 the clock skips 02:30: it runs at 03:00 once",
      "on 26 October 2025 the clock repeats 02:30: it runs the first time only",
    ],
    [
      "*/15 2 * * *",
      "Europe/Berlin",
      60,
      "on 30 March 2025 the clock skips 02:00, 02:15, 02:30 and 02:45: it does not run then",
      "on 26 October 2025 the clock repeats 02:00, 02:15, 02:30 and 02:45: it runs both times",
    ],
    [
      "59 1,2 * * *",
      "Africa/Casablanca",
      60,
      "on 23 February 2025 the clock repeats 02:59: it runs the first time only",
      "on 6 April 2025 the clock skips 02:59: it runs at 03:00 once",
    ],
    [
      "*/30 2 * 3 7L",
      "Europe/Berlin",
      60,
      "never due in Europe/Berlin: the clock skips every reading that matches",
      "on 30 March 2025 the clock skips 02:00 and 02:30: it does not run then",
    ],
    ["*/7 * * * *", "UTC", 60, "minute */7 begins anew with each hour: after 56 comes 0; --every 7m is even"],
    ["0 0 */2 * *", "UTC", 60, "day-of-month */2 begins anew with each month: after 31 comes 1; --every 2d is even"],
    ["*/60 * * * *", "UTC", 60, "minute */60 is the same as 0"],
    ["0 0 29 2 *", "UTC", 60, "due rarely: on 29 February 2028, and after that on 29 February 2032"],
    ["0 0 31 * *", "UTC", 60, "months without a 31st are passed over: L is the last day of every month"],
    [
      "0 0 13 * FRI",
      "UTC",
      60,
      "day-of-month and day-of-week are both set: a day that matches either is due (the first Monday of a month would be MON#1)",
    ],
    [
      "0 0 */31,1-7 * MON",
      "UTC",
      60,
      "day-of-month and day-of-week are both set: a day must match both, since one of them begins with *",
    ],
    ["30 10 * * *", "UTC", 3600, "runs start on ticks only: the one due at 10:30 starts at 11:00 with TICK_3600"],
    [
      "*/10 * * * * *",
      "UTC",
      60,
      "runs start on ticks only: the one due at 00:00:10 starts at 00:01 with TICK_60",
      "finer than TICK_60: due times between two ticks are one run",
    ],
    ["*/10 * * * * *", "UTC", undefined, "the seconds field needs TICK_5: runs start on ticks only"],
  ] as [string, string, number | undefined, ...string[]][]) {
    assert.deepEqual([expr, ...cronWarnings(parseCron(expr), createZone(zone), from, tickPeriod)], [expr, ...warnings]);
  }
});

// ── Zones ───────────────────────────────────────────────────────────────────

test("a clock skips an hour in spring and repeats one in autumn", () => {
  const zone = createZone("Europe/Berlin");
  for (const [instant, reading] of [
    ["2024-03-31T00:59:59Z", "2024-03-31T01:59:59Z"],
    ["2024-03-31T01:00:00Z", "2024-03-31T03:00:00Z"],
    ["2024-10-27T00:59:59Z", "2024-10-27T02:59:59Z"],
    ["2024-10-27T01:00:00Z", "2024-10-27T02:00:00Z"],
  ]) {
    assert.equal(readingAt(zone, seconds(instant)), seconds(reading), instant);
  }
  assert.equal(readingAt(createZone("UTC"), 7), 7);
});

test("a repeated hour is not leapt over on the way to the next matching day", () => {
  for (const [expr, zone, from, due] of [
    ["* 2 * * SUN", "Europe/Berlin", "2024-10-27T00:59:00Z", "2024-10-27T01:00:00Z"],
    ["*/20 1 * * SUN", "Antarctica/Troll", "2023-10-29T00:00:00Z", "2023-10-29T01:00:00Z"],
    ["30 * 27 10 *", "Europe/Berlin", "2024-10-27T00:30:00Z", "2024-10-27T01:30:00Z"],
  ]) {
    assert.deepEqual([expr, nextDue(parseCron(expr), createZone(zone), seconds(from))], [expr, seconds(due)]);
  }
});

test("an hour that is repeated on the edge of a slice is known as repeated", () => {
  for (const [expr, tz, ...next] of [
    ["30 3 * * *", "Asia/Baghdad", "1998-09-30T23:30:00Z", "1998-10-02T00:30:00Z"],
    ["30 23 * * *", "Asia/Amman", "1994-09-15T20:30:00Z", "1994-09-16T21:30:00Z"],
    ["30 1 * * *", "Asia/Istanbul", "1998-10-24T22:30:00Z", "1998-10-25T23:30:00Z"],
  ]) {
    checkDueTimes({
      expr,
      tz,
      from: new Date((seconds(next[0]) - 3600) * 1000).toISOString(),
      next: next.map(seconds),
    });
  }
});

test("a zone takes its offsets from the caller where he gives them", () => {
  const summerFrom1000 = createZone("Test/Zone", (second) => (second < 1000 ? 0 : 3600));
  assert.equal(nextDue(parseCron("30 0 * * *"), summerFrom1000, 0), 1000);
});

test("a zone's clock changes are found to the second, a short Ramadan's too", () => {
  for (const [zone, ...changes] of [
    ["Africa/Casablanca", "2024-03-10T02:00:00Z -3600", "2024-04-14T02:00:00Z 3600"],
    ["Australia/Lord_Howe", "2024-04-06T15:00:00Z -1800", "2024-10-05T15:30:00Z 1800"],
    ["Asia/Kathmandu"],
    ["UTC"],
  ]) {
    const found = clockChanges(createZone(zone), seconds("2024-01-01T00:00:00Z"), seconds("2025-01-01T00:00:00Z"));
    const shownChanges = found.map(
      ({ start, jump }) => `${new Date(start * 1000).toISOString().replace(".000", "")} ${jump}`,
    );
    assert.deepEqual([zone, ...shownChanges], [zone, ...changes]);
  }
});

// ── Limits ──────────────────────────────────────────────────────────────────

test("due times are counted to 1,000, and the latest is known beyond", () => {
  const [cron, zone] = [parseCron("* * * * *"), createZone("UTC")];
  assert.deepEqual(dueTimes(cron, zone, 0, 59), { latest: undefined, count: 0 });
  assert.deepEqual(dueTimes(cron, zone, 0, 60_000), { latest: 60_000, count: 1000 });
  assert.deepEqual(dueTimes(cron, zone, 0, 1_000_000_000), { latest: 999_999_960, count: 1001 });
});

test("a fraction of a second neither hides a due time nor doubles it", () => {
  const [cron, zone] = [parseCron("* * * * *"), createZone("UTC")];
  assert.equal(nextDue(cron, zone, 59.999), 60);
  assert.equal(nextDue(cron, zone, 60.001), 120);
  assert.equal(previousDue(cron, zone, 59.999), 0);
  assert.equal(previousDue(cron, zone, 60.001), 60);
});

test("what never matches in 400 years is refused, however it is written", () => {
  for (const expr of [
    "0 0 30 2 *",
    "0 0 31 4,6 *",
    "0 0 31W 11 *",
    "0 0 30W 2 *",
    "0 0 29W 2 */7",
    "0 0 */30 2 MON#5",
  ]) {
    assert.throws(() => parseCron(expr), /never matches/, expr);
  }
  for (const expr of ["0 0 31 2 MON", "0 0 29 2 *", "0 0 29W 2 *", "0 0 */28 2 7#5"]) assert.ok(parseCron(expr));
});

test("due times years away are found", () => {
  for (const [expr, from, due] of [
    ["0 0 29 2 */7", "2088-03-01T00:00:00Z", "2128-02-29T00:00:00.000Z"],
    ["0 0 */28 2 MON#5", "2024-01-01T00:00:00Z", "2044-02-29T00:00:00.000Z"],
  ]) {
    assert.equal(
      new Date((nextDue(parseCron(expr), createZone("UTC"), seconds(from)) as number) * 1000).toISOString(),
      due,
    );
  }
});

test("a search ends, wherever it begins and however far it may go", () => {
  for (const [expr, name, from, until] of [
    ["0 9 * * *", "UTC", Infinity, Infinity],
    ["0 9 * * *", "Europe/Berlin", Infinity, Infinity],
    ["0 9 * * *", "Europe/Berlin", 8e12, Infinity],
    ["0 9 * * *", "UTC", NaN, NaN],
    // No day has these readings, and each year has one that must be looked at to know.
    ["*/30 2 * 3 7L", "Europe/Berlin", 1_700_000_000, 999_999_999_999],
    ["*/30 2 * 3 7L", "Europe/Berlin", 1_700_000_000, Infinity],
  ] as const) {
    const zone = createZone(name);
    let asked = 0;
    const spanAt = (second: number) => {
      asked += 1;
      if (asked > 500) throw new Error("still searching");
      return zone.spanAt(second);
    };
    const title = `${expr} in ${name} from ${from} until ${until}`;
    assert.equal(nextDue(parseCron(expr), { name, spanAt }, from, until), undefined, title);
  }
});

// ── An oracle that walks ────────────────────────────────────────────────────
// It shares nothing with the search: it asks Intl all through a window what the clock shows, applies the rules to
// what it saw, and tests each reading against predicates that are made together with the random expression.

const LIMIT = 3 * 3600;
type Reading = { second: number; reading: number };
type Day = { year: number; month: number; day: number; weekday: number; length: number };
type Field = { text: string; matches: (value: number) => boolean };
type DayField = { text: string; matches: (day: Day) => boolean };
type Schedule = { text: string; isWildcard: boolean; matches: (reading: number) => boolean };

/** What the clock of a zone shows, step by step from `start` to `end`. It is asked each minute: clocks change on whole ones. */
function walk(zone: string, start: number, end: number, step: number): Reading[] {
  const clock = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
  const readings: Reading[] = [];
  for (let minute = start; minute < end; minute += 60) {
    const reading = Date.parse(`${clock.format(minute * 1000).replace(" ", "T")}Z`) / 1000;
    for (let past = 0; past < 60; past += step) readings.push({ second: minute + past, reading: reading + past });
  }
  return readings;
}

/** The due seconds of a window. Its first three hours only tell what the clock has shown before. */
function oracle(readings: readonly Reading[], schedule: Schedule): number[] {
  const step = readings[1].second - readings[0].second;
  const lastShown = new Map<number, number>();
  const due: number[] = [];
  readings.forEach(({ second, reading }, i) => {
    const isRepeated = second - (lastShown.get(reading) ?? -Infinity) < LIMIT;
    lastShown.set(reading, second);
    const expected = i === 0 ? reading : readings[i - 1].reading + step;
    let isDueNow = schedule.matches(reading) && (schedule.isWildcard || !isRepeated);
    if (!schedule.isWildcard && reading - expected < LIMIT) {
      for (let skipped = expected; skipped < reading; skipped += step) isDueNow = isDueNow || schedule.matches(skipped);
    }
    if (isDueNow && second >= readings[0].second + LIMIT) due.push(second);
  });
  return due;
}

/** One item of a field from low to high; its numbers are drawn up to `drawn`. */
const item = (low: number, high: number, drawn = high): fc.Arbitrary<Field> => {
  const value = fc.integer({ min: low, max: drawn });
  const step = fc.integer({ min: 1, max: Math.min(drawn - low + 1, high === 7 ? 7 : 60) });
  const field = (text: string, from: number, to: number, by: number) => ({
    text,
    matches: (v: number) => v >= from && v <= to && (v - from) % by === 0,
  });
  return fc.oneof(
    value.map((v) => field(`${v}`, v, v, 1)),
    step.map((n) => field(`*/${n}`, low, high, n)),
    fc.tuple(value, step).map(([v, n]) => field(`${v}/${n}`, v, high, n)),
    fc
      .tuple(value, value, step)
      .map(([a, b, n]) => field(`${Math.min(a, b)}-${Math.max(a, b)}/${n}`, Math.min(a, b), Math.max(a, b), n)),
    fc
      .tuple(value, value)
      .map(([a, b]) => field(`${Math.min(a, b)}-${Math.max(a, b)}`, Math.min(a, b), Math.max(a, b), 1)),
  );
};
const star: Field = { text: "*", matches: () => true };
const field = (low: number, high: number, drawn = high): fc.Arbitrary<Field> =>
  fc.oneof(
    fc.constant(star),
    item(low, high, drawn),
    fc.array(item(low, high, drawn), { minLength: 2, maxLength: 3 }).map((items) => union<number>(items)),
  );

function union<T>(items: readonly { text: string; matches: (value: T) => boolean }[]) {
  return { text: items.map((i) => i.text).join(","), matches: (value: T) => items.some((i) => i.matches(value)) };
}

const isWorkday = (weekday: number) => weekday % 7 !== 0 && weekday % 7 !== 6;
const dayItem: fc.Arbitrary<DayField> = fc.oneof(
  field(1, 31).map(({ text, matches }) => ({ text, matches: ({ day }: Day) => matches(day) })),
  fc.constant({ text: "L", matches: ({ day, length }: Day) => day === length }),
  fc.constant({
    text: "LW",
    matches: ({ day, weekday, length }: Day) =>
      isWorkday(weekday) && ![1, 2, 3].some((n) => day + n <= length && isWorkday(weekday + n)),
  }),
  fc.integer({ min: 1, max: 31 }).map((target) => ({
    text: `${target}W`,
    matches: ({ day, weekday, length }: Day) => {
      // Weekdays ordered by distance from the target; a Friday before a Saturday and a Monday after a Sunday are at 1.
      const workdays = Array.from({ length }, (_, i) => i + 1).filter((d) => isWorkday(weekday + d - day + 35));
      workdays.sort((a, b) => Math.abs(a - target) - Math.abs(b - target));
      return target <= length && workdays[0] === day;
    },
  })),
);
const weekdayItem: fc.Arbitrary<DayField> = fc.oneof(
  // 7 is Sunday too: an expression may reach it, as 5-7 and 1/2 do.
  item(0, 7).map(({ text, matches }) => ({
    text,
    matches: ({ weekday }: Day) => matches(weekday) || (weekday === 0 && matches(7)),
  })),
  fc.integer({ min: 0, max: 7 }).map((w) => ({
    text: `${w}L`,
    matches: ({ day, weekday, length }: Day) => weekday === w % 7 && day + 7 > length,
  })),
  fc.tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 1, max: 5 })).map(([w, n]) => ({
    text: `${w}#${n}`,
    matches: ({ day, weekday }: Day) => weekday === w % 7 && Math.ceil(day / 7) === n,
  })),
);
const dayField = (items: fc.Arbitrary<DayField>) =>
  fc.oneof(
    { weight: 2, arbitrary: fc.constant<DayField>({ text: "*", matches: () => true }) },
    { weight: 3, arbitrary: fc.array(items, { minLength: 1, maxLength: 2 }).map((list) => union<Day>(list)) },
  );

/** Hours are drawn to the small ones, where clocks change. */
const schedule = (withSeconds: boolean): fc.Arbitrary<Schedule> =>
  fc
    .record({
      second: withSeconds ? field(0, 59) : fc.constant<Field>({ text: "0", matches: (v) => v === 0 }),
      minute: field(0, 59),
      hour: fc.oneof(field(0, 23), field(0, 23, 4), fc.constant<Field>({ text: "23", matches: (v) => v === 23 })),
      day: dayField(dayItem),
      month: fc.oneof({ weight: 4, arbitrary: fc.constant(star) }, { weight: 1, arbitrary: field(1, 12) }),
      weekday: dayField(weekdayItem),
    })
    .map(({ second, minute, hour, day, month, weekday }) => ({
      text: [...(withSeconds ? [second] : []), minute, hour, day, month, weekday].map(({ text }) => text).join(" "),
      isWildcard: minute.text.startsWith("*") || hour.text.startsWith("*"),
      matches: (reading: number) => {
        const date = new Date(reading * 1000);
        if (
          !second.matches(date.getUTCSeconds()) ||
          !minute.matches(date.getUTCMinutes()) ||
          !hour.matches(date.getUTCHours())
        )
          return false;
        const [year, monthIndex] = [date.getUTCFullYear(), date.getUTCMonth()];
        const length = new Date(Date.UTC(year, monthIndex + 1, 0)).getUTCDate();
        const today: Day = { year, month: monthIndex + 1, day: date.getUTCDate(), weekday: date.getUTCDay(), length };
        const isBoth = day.text.startsWith("*") || weekday.text.startsWith("*");
        const [byDay, byWeekday] = [day.matches(today), weekday.matches(today)];
        return month.matches(today.month) && (isBoth ? byDay && byWeekday : byDay || byWeekday);
      },
    }));

const CLOCK_CHANGES: [zone: string, at: string][] = [
  ["Europe/Berlin", "2024-03-31T01:00:00Z"],
  ["Europe/Berlin", "2024-10-27T01:00:00Z"],
  ["America/New_York", "2025-03-09T07:00:00Z"],
  ["America/New_York", "2025-11-02T06:00:00Z"],
  ["Australia/Lord_Howe", "2023-09-30T15:30:00Z"],
  ["Australia/Lord_Howe", "2023-04-01T15:00:00Z"],
  ["Asia/Dhaka", "2009-06-19T17:00:00Z"],
  ["Pacific/Apia", "2011-12-30T10:00:00Z"],
  ["Antarctica/Casey", "2009-10-17T18:00:00Z"],
  ["Antarctica/Casey", "2010-03-04T15:00:00Z"],
  ["Africa/Casablanca", "2022-03-27T02:00:00Z"],
  ["Africa/Casablanca", "2022-05-08T02:00:00Z"],
  ["America/St_Johns", "2002-10-27T02:31:00Z"],
  ["America/St_Johns", "2003-04-06T03:31:00Z"],
  ["Asia/Kathmandu", "2024-05-14T00:00:00Z"],
  ["America/Scoresbysund", "2024-03-31T01:00:00Z"],
  ["America/Scoresbysund", "2023-10-29T01:00:00Z"],
  ["Africa/El_Aaiun", "2012-07-20T02:00:00Z"],
  ["Africa/El_Aaiun", "2012-08-20T02:00:00Z"],
  ["Antarctica/Troll", "2023-03-26T01:00:00Z"],
  ["Antarctica/Troll", "2023-10-29T01:00:00Z"],
  // Changes on the edges of the slices that a zone is cut into.
  ["Asia/Amman", "1994-09-15T21:00:00Z"],
  ["Asia/Baghdad", "1998-10-01T00:00:00Z"],
  ["Asia/Istanbul", "1998-10-24T23:00:00Z"],
  // The closest two changes that any zone has had.
  ["America/Noronha", "2000-10-08T02:00:00Z"],
  ["America/Noronha", "2000-10-15T01:00:00Z"],
];

/** Asked again and again, quietUntil arrives at the next due time and never passes it. */
function assertIsQuietUntilDue(
  cron: ReturnType<typeof parseCron>,
  zone: Zone,
  from: number,
  end: number,
  title: string,
): void {
  const due = nextDue(cron, zone, from, end) ?? end;
  for (let at = from; at < due; ) {
    const quiet = quietUntil(cron, zone, at);
    assert.ok(quiet > at, `${title}: quiet until ${shown(zone, quiet)}, asked at ${shown(zone, at)}`);
    assert.ok(quiet <= due || due === end, `${title}: quiet until ${shown(zone, quiet)}, due ${shown(zone, due)}`);
    at = quiet;
  }
}

// Ends the search for a smaller counterexample, each step of which walks the window again.
const LONGEST_PROPERTY_MS = 5_000;

for (const [name, step, hoursAround, withSeconds, numRuns] of [
  ["minute by minute", 60, 40, false, 60],
  ["second by second", 1, 4, true, 10],
] as const) {
  test(`next, previous and counted due times are those of a walk ${name} around clock changes`, () => {
    for (const [zoneName, at] of CLOCK_CHANGES) {
      const zone = createZone(zoneName);
      const readings = walk(zoneName, seconds(at) - hoursAround * 3600, seconds(at) + hoursAround * 3600, step);
      const [start, end] = [readings[0].second + LIMIT, readings[readings.length - 1].second];
      fc.assert(
        fc.property(schedule(withSeconds), fc.integer({ min: start, max: end }), (expected, from) => {
          if (/never matches/.test(refusal(() => parseCron(expected.text)))) return;
          const cron = parseCron(expected.text);
          const due = oracle(readings, expected).filter((second) => second > start);
          const [before, after] = [due.filter((second) => second <= from), due.filter((second) => second > from)];
          const title = `${expected.text} in ${zoneName} from ${shown(zone, from)}`;
          assert.equal(shown(zone, nextDue(cron, zone, from, end)), shown(zone, after[0]), `${title}: next`);
          assert.equal(nextDue(cron, zone, start, from) !== undefined, before.length > 0, `${title}: is due`);
          const latest = before[before.length - 1];
          if (latest !== undefined)
            assert.equal(shown(zone, previousDue(cron, zone, from)), shown(zone, latest), `${title}: previous`);
          assert.deepEqual(
            dueTimes(cron, zone, start, from),
            { latest, count: Math.min(before.length, 1001) },
            `${title}: counted`,
          );
          assertIsQuietUntilDue(cron, zone, from, end, title);
        }),
        { numRuns, interruptAfterTimeLimit: LONGEST_PROPERTY_MS },
      );
    }
  });
}

test("a description is made for every legal expression", () => {
  fc.assert(
    fc.property(schedule(true), ({ text }) => {
      if (/never matches/.test(refusal(() => parseCron(text)))) return;
      assert.match(describeCron(parseCron(text), "UTC"), /^(at|every) [^undefi]*.*, UTC$/);
    }),
  );
});

test("no text makes the parser fail otherwise than by a refusal", () => {
  const pieces = fc.constantFrom(
    ..."0 1 5 59 60 7 31 L W LW # - , / * ? MON JAN x @daily ~ ; .".split(" "),
    " ",
    " ",
    " ",
    "\t",
    "\u00a0",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(pieces, { maxLength: 20 }).map((parts) => parts.join("")),
      ),
      (text) => {
        assert.match(
          refusal(() => parseCron(text)),
          /^(not refused$|the expression |expression |macro |second |minute |hour |day-of-month |month |day-of-week )/,
        );
      },
    ),
    { numRuns: 2000 },
  );
});
