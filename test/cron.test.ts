import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import {
  CronSchedule,
  clockChanges,
  createZone,
  cronWarnings,
  describeCron,
  formatTime,
  nextDue,
  nextDueTimes,
  parseCron,
  type Zone,
} from "../listener";

// ── Vectors ─────────────────────────────────────────────────────────────────

type DueTimes = { expr: string; tz: string; from: string; next: number[] };
type Vector = DueTimes & { class: string; never?: true; note?: string };
type Refusal = { expr?: string; tz?: string; field: string; token: string };
type Debatable = DueTimes & { question: string; refused?: true };

const vectors = <T>(name: string): T[] => JSON.parse(fs.readFileSync(`${__dirname}/vectors/cron-${name}.json`, "utf8"));
const seconds = (iso: string) => Date.parse(iso) / 1000;

/** Sun, 30 Mar 2025 03:00:00 at 120 minutes before UTC, or "never": what a reader compares. */
function shown({ spanAt }: Zone, second: number): string {
  if (second === Infinity) return "never";
  const { offset } = spanAt(second);
  return `${new Date((second + offset) * 1000).toUTCString().replace("GMT", "at")} ${offset / 60} minutes before UTC`;
}

const inZone = (expr: string, tz: string) => new CronSchedule(parseCron(expr), createZone(tz), 0);

function checkDueTimes(c: DueTimes, note = ""): void {
  const schedule = inZone(c.expr, c.tz);
  const from = seconds(c.from);
  const title = `${c.expr} in ${c.tz} after ${c.from} ${note}`;
  const show = (times: readonly number[]) => [title, ...times.map((second) => shown(schedule.zone, second))];
  assert.deepEqual(show(nextDueTimes(schedule, from, c.next.length)), show(c.next));

  c.next.forEach((due, i) => {
    const justBefore = i + 1 < c.next.length ? c.next[i + 1] - 1 : due;
    const backwards = [schedule.latestIn(from, justBefore), schedule.latestIn(due - 60, due)];
    assert.deepEqual([...backwards, schedule.countIn(from, justBefore)], [due, due, i + 1], `${title}, backwards`);
  });
}

const validVectors = vectors<Vector>("valid");
for (const name of new Set(validVectors.map((c) => c.class))) {
  test(`the due times of the vectors of class ${name} are right`, () => {
    for (const c of validVectors.filter((vector) => vector.class === name)) {
      if (c.never) assert.throws(() => parseCron(c.expr), /never matches/, c.expr);
      else checkDueTimes(c, c.note);
    }
  });
}

test("a refusal names the field and the token", () => {
  for (const { expr = "* * * * *", tz = "UTC", field, token } of vectors<Refusal>("invalid")) {
    const message = refusal(() => [createZone(tz), parseCron(expr)]);
    assert.ok(message.includes(field) && message.includes(token), `${expr} ${tz}: ${message}`);
  }
});

test("where other implementations differ the recommendation holds", () => {
  for (const c of vectors<Debatable>("debatable")) {
    if (c.refused) assert.throws(() => parseCron(c.expr), `${c.question} ${c.expr}`);
    else checkDueTimes(c, c.question);
  }
});

function refusal(action: () => unknown): string {
  try {
    action();
    return "not refused";
  } catch (error) {
    return (error as Error).message;
  }
}

const mistakeIn = (expr: string) => refusal(() => parseCron(expr));
const mistakeInZone = (zone: string) => refusal(() => createZone(zone));

/** Rows of cells with two spaces at least between them. */
function table(text: string): string[][] {
  const rows = text.trim().split("\n");
  return rows.map((row) => row.trim().split(/ {2,}/));
}

// ── What is said ────────────────────────────────────────────────────────────

test("a refusal says what to write instead", () => {
  const cases = `
    0 25 * * *        hour 25 is above 23
    0 24 * * *        hour 24 is above 23: midnight is 0
    0 0 * * 2025      day-of-week 2025 is above 7: there is no year field
    50-60 * * * *     minute 60 in "50-60" is above 59
    0 22-4 * * *      hour "22-4" runs backwards: write 22-23,0-4
    0 0 * * FRI-MON   day-of-week "FRI-MON" runs backwards: write FRI-7,1-MON
    0 22-4/2 * * *    hour "22-4/2" runs backwards: write a list
    */90 * * * *      minute "*/90" has a step of 90: expected 1 to 60, or --every 90m
    1;2 * * * *       minute "1;2" has a semicolon: lists use commas
    1, 2 * * * *      second "1," has an empty list element: no blank may be beside a comma
    0 0 * * 1,TUES    day-of-week "TUES" in "1,TUES" is not a name of three letters: did you mean TUE?
    0 0 * MON *       month "MON" is the name of a day-of-week: fields shifted?
    0 0 * * 1-3L      day-of-week "1-3L" has L, W or # on a range: they go with one day
    0 0 5#2 * *       day-of-month "5#2" names a weekday: nL and n#m belong in day-of-week
    0 0 * * 3W        day-of-week "3W" is a day's nearest weekday: nW and LW belong in day-of-month
    0 0 * * L         day-of-week "L" is the month's last day in day-of-month; the last Saturday is 6L in day-of-week
    0 0 L-31 * *      day-of-month "L-31" is not L-1 to L-30, the days before the last
    0 0 1,L-0 * *     day-of-month "L-0" in "1,L-0" is not L-1 to L-30, the days before the last
    0 0 L-3W * *      day-of-month "L-3W" has L, W or # on a range: they go with one day
    0 0 * * MON-FRIL  day-of-week "MON-FRIL" has L, W or # on a range: they go with one day
    0 0 1 JAN-APRIL *  month "APRIL" in "JAN-APRIL" is not a name of three letters: did you mean APR?
    0 0 WL * *        day-of-month "WL" has the W in front: write LW
    0 0 1,W15 * *     day-of-month "W15" in "1,W15" has the W in front: write 15W
    0 0 * * L5        day-of-week "L5" has the L in front: write 5L
    * * -1 * *        day-of-month "-1" counts from the month's end: L is its last day, L-1 the one before
    0 0 */100,1-7 * MON  expression "0 0 */100,1-7 * MON" has a step over 31: the first such weekday is MON#1
    0 0 29 2 * 2012-2015  expression "0 0 29 2 * 2012-2015" has the year 2012-2015: there is no year field
    * * * * * 2013,2014   expression "* * * * * 2013,2014" has the year 2013,2014: there is no year field
    0 9 * * 1 * 2025  expression "0 9 * * 1 * 2025" has the year 2025: there is no year field
    */5 * * * * * *   expression "*/5 * * * * * *" has a year field: leave out the last *, in a crontab the seconds too
    * * * * * */15    expression "* * * * * */15" has */15 as day-of-week: seconds come first, in a crontab @every 15s
    TZ=UTC @daily     expression "TZ=UTC @daily" has a zone: that is --tz UTC, in a crontab a line CRON_TZ=UTC
    CRON_TZ=GB * * * * *  expression "CRON_TZ=GB * * * * *" has a zone: that is --tz GB, in a crontab a line CRON_TZ=GB
    0 * * * * UTC     expression "0 * * * * UTC" has a zone: that is --tz UTC, in a crontab a line CRON_TZ=UTC
    0 * * * * Asia/Kabul  expression "0 * * * * Asia/Kabul" has a zone: that is --tz Asia/Kabul, in a crontab a line CRON_TZ=Asia/Kabul
    @Every 90m        expression "@Every 90m" is an option of its own: --every 90m
    @every 1.5h       expression "@every 1.5h" is an option of its own: --every 1h30m
    @minutely         macro "@minutely" is unknown: expected @hourly, @daily, @midnight, @noon, @weekly, @monthly, @yearly or @annually, or the options --every and --run-on-start
    daily             expression "daily" is not a schedule: did you mean @daily?
    0 9 * *           expression "0 9 * *": expected five fields, minute, hour, day-of-month, month and day-of-week, or six with seconds in front
    0 9 * * *\u00a0*  expression has U+00A0 in "*\u00a0": blanks are spaces or tabs, ranges use -
    0 0 30 2 *        expression "0 0 30 2 *" never matches: its months have no such day
    "0 9 * * *"       minute "\\"0" has a quotation mark: write the expression without quotes`;
  for (const [expr, message] of table(cases)) assert.equal(mistakeIn(expr), message);
});

test("a zone is legal or not whatever the runtime's Intl thinks", () => {
  const legal = "UTC GMT Etc/UTC Europe/Kyiv US/Pacific GB CET EST5EDT Etc/GMT+5 europe/berlin Asia/Kathmandu Japan";
  for (const zone of legal.split(" ")) assert.equal(mistakeInZone(zone), "not refused");
  const refused = `
    +01:00  is an offset
    UTC+2  is an offset
    BST  is an abbreviation
    America  is unknown
    Europe/Berlin;  is unknown
    SystemV/EST5  is unknown`;
  for (const [zone, why] of [...table(refused), [" ", "is empty"]]) {
    const message = `timezone ${JSON.stringify(zone)} ${why}: expected UTC or a zone such as Europe/Berlin`;
    assert.equal(mistakeInZone(zone), message);
  }
});

test("a schedule is described in words", () => {
  const cases = `
    30 2 * * SUN          at 02:30 on Sundays
    0 9,17 * * 1-5        at 09:00 and 17:00 on Mondays to Fridays
    */5 * * * *           every 5th minute
    * * * * *             every minute
    * 2 * * *             every minute of hour 2
    */10 9-17 * * *       every 10th minute of hours 9 to 17
    */10 */2 * * *        every 10th minute of every 2nd hour
    @hourly               at minute 0 of every hour
    5,51 * * * *          at minutes 5 and 51 of every hour
    30 */2 * * *          at minute 30 of every 2nd hour
    1-59/20 * * * *       at minutes 1, 21 and 41 of every hour
    22,55-57 0-2 * * *    at minutes 22 and 55 to 57 of hours 0 to 2
    15 30 2 * * *         at 02:30:15
    */10 * * * * *        every 10th second
    */10 * 2 * * *        every 10th second of hour 2
    30 */5 * * * *        at second 30 of every 5th minute
    7,9 5,51 * * * *      at seconds 7 and 9 of minutes 5 and 51 of every hour
    0 0 1,15W,L * *       at 00:00 on the 1st, the weekday nearest the 15th and the last day of the month
    0 0 L-1 * *           at 00:00 on the 2nd last day of the month
    0 0 1,L-2,L * *       at 00:00 on the 1st, the 3rd last day of the month and the last day of the month
    0 18 * * fri#l        at 18:00 on the last Friday of the month
    0 0 * * MON/2         at 00:00 on Mondays, Wednesdays and Fridays
    0 0 * * 7/2           at 00:00 on Sundays
    @Daily                at 00:00
    @NOON                 at 12:00
    0 0 LW 6-8 *          at 00:00 on the weekday nearest the last day of the month in June to August
    0 0 * 1,7 1#1,5L,SAT  at 00:00 on Saturdays, the last Friday of the month and the 1st Monday of the month in January and July
    0 0 * * 5-7           at 00:00 on Fridays to Sundays
    0 0 13 * FRI          at 00:00 on the 13th or on Fridays
    0 0 */31,1-7 * MON    at 00:00 on the 1st to the 7th if also on Mondays
    0 0 1-31 * MON        at 00:00`;
  for (const [expr, words] of table(cases)) {
    assert.equal(describeCron(parseCron(expr), "Europe/Berlin"), `${words}, Europe/Berlin`, expr);
  }
});

test("what may surprise is said", () => {
  const from = seconds("2025-01-15T00:00:00Z");
  const cases = `
    0 9 * * 1-5     UTC
    */5 * * * *     Europe/Berlin
    30 2 * * SUN    Europe/Berlin      on 2025-03-30 the clock skips 02:30: it runs at 03:00 once  on 2025-10-26 the clock repeats 02:30: it runs the first time only
    */15 2 * * *    Europe/Berlin      on 2025-03-30 the clock skips 02:00, 02:15, 02:30 and more: it does not run then  on 2025-10-26 the clock repeats 02:00, 02:15, 02:30 and more: it runs both times
    59 1,2 * * *    Africa/Casablanca  on 2025-02-23 the clock repeats 02:59: it runs the first time only  on 2025-04-06 the clock skips 02:59: it runs at 03:00 once
    */7 * * * *     UTC  minute */7 is uneven: after 56 comes 0; --every 7m is even
    0 0 */2 * *     UTC  day-of-month */2 is uneven: after 31 comes 1; --every 2d is even
    */60 * * * *    UTC  minute */60 is the same as 0
    0 0 13 * FRI    UTC  day-of-month and day-of-week are both set: a day that matches either is due (the first Monday of a month would be MON#1)
    0 0 */31,1-7 * MON  UTC  day-of-month and day-of-week are both set: a day must match both, since one of them begins with *
    0 0 31W * *     UTC  day-of-month 31W: not every month has it; LW is the last one
    0 0 15,30 * *   UTC  day-of-month 30: not every month has it; L is the last one
    0 0 31 1,7 *    UTC
    0 0 28-31 * *   UTC
    0 0 * * MON/2   UTC  day-of-week MON/2 is uneven: after 5 comes 1; --every 2d is even
    0 0 * * 7/2     UTC  day-of-week 7/2 is the same as 7
    0 12 ? * 1      UTC  day-of-week 1: 1 is Monday here; Quartz's 1 is Sunday
    0 12 ? * MON#1  UTC
    0 30 2 * * *    UTC  six fields: the first, 0, is seconds
    */10 * * * * *  UTC  six fields: the first, */10, is seconds  every 10th second, UTC is finer than a tick every 1m: due times between two ticks are one run`;
  for (const [expr, zone, ...warnings] of table(cases)) {
    assert.deepEqual([expr, ...cronWarnings(inZone(expr, zone), from)], [expr, ...warnings]);
  }
  assert.equal(cronWarnings(inZone("*/10 * * * * *", "UTC"), from, 5).length, 1);
});

// ── Zones ───────────────────────────────────────────────────────────────────

test("a zone takes its offsets from the caller where it gives them", () => {
  const summerFrom1000 = createZone("Test/Zone", (second) => (second < 1000 ? 0 : 3600));
  assert.equal(nextDue(parseCron("30 0 * * *"), summerFrom1000, 0), 1000);
});

test("a zone's clock changes are found to the second, a short Ramadan's too", () => {
  const cases = `
    Africa/Casablanca    2024-03-10T02:00:00Z -3600  2024-04-14T02:00:00Z 3600
    Australia/Lord_Howe  2024-04-06T15:00:00Z -1800  2024-10-05T15:30:00Z 1800
    Asia/Kathmandu
    UTC`;
  for (const [zone, ...changes] of table(cases)) {
    const found = clockChanges(createZone(zone), seconds("2024-01-01T00:00:00Z"), seconds("2025-01-01T00:00:00Z"));
    assert.deepEqual([zone, ...found.map(({ start, jump }) => `${formatTime(start)} ${jump}`)], [zone, ...changes]);
  }
});

// ── Limits ──────────────────────────────────────────────────────────────────

test("due times are counted to 1,000, and the latest is known beyond", () => {
  const minutely = inZone("* * * * *", "UTC");
  const found = [59, 60_000, 1e9].map((upTo) => [minutely.latestIn(0, upTo), minutely.countIn(0, upTo)]);
  assert.deepEqual(found, [
    [undefined, 0],
    [60_000, 1000],
    [999_999_960, 1001],
  ]);
});

test("a fraction of a second neither hides a due time nor doubles it", () => {
  const minutely = inZone("* * * * *", "UTC");
  assert.deepEqual([minutely.firstAfter(59.999), minutely.firstAfter(60.001)], [60, 120]);
  assert.deepEqual([minutely.latestIn(-60.5, 59.999), minutely.latestIn(0, 60.001)], [0, 60]);
});

test("what never matches in 400 years is refused, however it is written", () => {
  for (const expr of ["0 0 31 4,6 *", "0 0 31W 11 *", "0 0 30W 2 *", "0 0 29W 2 */7", "0 0 */30 2 MON#5"]) {
    assert.throws(() => parseCron(expr), /never matches/, expr);
  }
  for (const expr of ["0 0 31 2 MON", "0 0 29 2 *", "0 0 29W 2 *", "0 0 */28 2 7#5"]) assert.ok(parseCron(expr));
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
    assert.equal(nextDue(parseCron(expr), { name, spanAt }, from, until), Infinity, title);
  }
});

// ── An oracle that walks ────────────────────────────────────────────────────
// It shares nothing with the search: it asks Intl all through a window what the clock shows, applies the rules to
// what it saw, and tests each reading against predicates that are made together with the random expression.

const LIMIT = 3 * 3600;
type Reading = { second: number; reading: number };
type Day = { day: number; weekday: number; length: number };
type Part<T> = { text: string; matches: (value: T) => boolean };
type Schedule = Part<number> & { isWildcard: boolean };

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
    if (isDueNow && second > readings[0].second + LIMIT) due.push(second);
  });
  return due;
}

const int = (min: number, max: number) => fc.integer({ min, max });
const part = <T>(text: string, matches: (value: T) => boolean): Part<T> => ({ text, matches });

/** One item of a field from low to high; its numbers are drawn up to `drawn`. */
const item = (low: number, high: number, drawn = high): fc.Arbitrary<Part<number>> => {
  const value = int(low, drawn);
  const step = int(1, Math.min(drawn - low + 1, high === 7 ? 7 : 60));
  const every = (text: string, from: number, to: number, by: number) =>
    part<number>(text, (v) => v >= from && v <= to && (v - from) % by === 0);
  return fc.oneof(
    value.map((v) => every(`${v}`, v, v, 1)),
    step.map((n) => every(`*/${n}`, low, high, n)),
    fc.tuple(value, step).map(([v, n]) => every(`${v}/${n}`, v, high === 7 ? Math.max(v, 6) : high, n)),
    fc.tuple(value, value, step).map(([a, b, n]) => {
      const [from, to] = [Math.min(a, b), Math.max(a, b)];
      return n % 2 === 0 ? every(`${from}-${to}/${n}`, from, to, n) : every(`${from}-${to}`, from, to, 1);
    }),
  );
};

/** A star, or a list of items. */
const field = <T>(items: fc.Arbitrary<Part<T>>): fc.Arbitrary<Part<T>> =>
  fc.oneof(
    { weight: 2, arbitrary: fc.constant(part<T>("*", () => true)) },
    { weight: 3, arbitrary: fc.array(items, { minLength: 1, maxLength: 3 }).map((list) => union<T>(list)) },
  );

function union<T>(items: ReadonlyArray<Part<T>>): Part<T> {
  return part(items.map(({ text }) => text).join(","), (value) => items.some(({ matches }) => matches(value)));
}

const isWorkday = (weekday: number) => weekday % 7 !== 0 && weekday % 7 !== 6;
const dayItem: fc.Arbitrary<Part<Day>> = fc.oneof(
  item(1, 31).map(({ text, matches }) => part<Day>(text, ({ day }) => matches(day))),
  fc.constant(part<Day>("L", ({ day, length }) => day === length)),
  int(1, 30).map((n) => part<Day>(`L-${n}`, ({ day, length }) => day === length - n)),
  fc.constant(
    part<Day>("LW", ({ day, weekday, length }) => {
      return isWorkday(weekday) && ![1, 2, 3].some((n) => day + n <= length && isWorkday(weekday + n));
    }),
  ),
  int(1, 31).map((target) =>
    part<Day>(`${target}W`, ({ day, weekday, length }) => {
      // Weekdays ordered by distance from the target; a Friday before a Saturday and a Monday after a Sunday are at 1.
      const workdays = Array.from({ length }, (_, i) => i + 1).filter((d) => isWorkday(weekday + d - day + 35));
      workdays.sort((a, b) => Math.abs(a - target) - Math.abs(b - target));
      return target <= length && workdays[0] === day;
    }),
  ),
);
const weekdayItem: fc.Arbitrary<Part<Day>> = fc.oneof(
  // 7 is Sunday too: an expression may reach it, as 5-7 does.
  item(0, 7).map(({ text, matches }) =>
    part<Day>(text, ({ weekday }) => matches(weekday) || (weekday === 0 && matches(7))),
  ),
  fc
    .tuple(int(0, 7), fc.constantFrom("L", "#L"))
    .map(([w, last]) => part<Day>(`${w}${last}`, ({ day, weekday, length }) => weekday === w % 7 && day + 7 > length)),
  fc
    .tuple(int(0, 7), int(1, 5))
    .map(([w, n]) => part<Day>(`${w}#${n}`, ({ day, weekday }) => weekday === w % 7 && Math.ceil(day / 7) === n)),
);

/** Hours are drawn to the small ones, where clocks change. */
const schedule = (withSeconds: boolean): fc.Arbitrary<Schedule> => {
  const second = withSeconds ? field(item(0, 59)) : fc.constant(part<number>("0", (v) => v === 0));
  const hour = fc.oneof(field(item(0, 23)), field(item(0, 23, 4)), fc.constant(part<number>("23", (v) => v === 23)));
  const month = fc.oneof(fc.constant(part<number>("*", () => true)), field(item(1, 12)));
  const fields = fc.tuple(second, field(item(0, 59)), hour, field(dayItem), month, field(weekdayItem));
  return fields.map(([second, minute, hour, day, month, weekday]) => ({
    text: [second, minute, hour, day, month, weekday].map(({ text }) => text).join(" "),
    isWildcard: minute.text.startsWith("*") || hour.text.startsWith("*"),
    matches: (reading: number) => {
      const date = new Date(reading * 1000);
      if (!second.matches(date.getUTCSeconds()) || !minute.matches(date.getUTCMinutes())) return false;
      if (!hour.matches(date.getUTCHours()) || !month.matches(date.getUTCMonth() + 1)) return false;
      const length = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
      const today: Day = { day: date.getUTCDate(), weekday: date.getUTCDay(), length };
      const isBoth = day.text.startsWith("*") || weekday.text.startsWith("*");
      const [byDay, byWeekday] = [day.matches(today), weekday.matches(today)];
      return isBoth ? byDay && byWeekday : byDay || byWeekday;
    },
  }));
};

const CLOCK_CHANGES = `
Europe/Berlin 2024-03-31T01:00Z, Europe/Berlin 2024-10-27T01:00Z, America/New_York 2025-03-09T07:00Z,
America/New_York 2025-11-02T06:00Z, Australia/Lord_Howe 2023-09-30T15:30Z, Australia/Lord_Howe 2023-04-01T15:00Z,
Asia/Dhaka 2009-06-19T17:00Z, Pacific/Apia 2011-12-30T10:00Z, Antarctica/Casey 2009-10-17T18:00Z,
Antarctica/Casey 2010-03-04T15:00Z, Africa/Casablanca 2022-03-27T02:00Z, Africa/Casablanca 2022-05-08T02:00Z,
America/St_Johns 2002-10-27T02:31Z, America/St_Johns 2003-04-06T03:31Z, Asia/Kathmandu 2024-05-14T00:00Z,
America/Scoresbysund 2024-03-31T01:00Z, America/Scoresbysund 2023-10-29T01:00Z, Africa/El_Aaiun 2012-07-20T02:00Z,
Africa/El_Aaiun 2012-08-20T02:00Z, Antarctica/Troll 2023-03-26T01:00Z, Antarctica/Troll 2023-10-29T01:00Z,
on the edges of the stretches that a zone is cut into:
Asia/Amman 1994-09-15T21:00Z, Asia/Baghdad 1998-10-01T00:00Z, Asia/Istanbul 1998-10-24T23:00Z,
the closest two changes that any zone has had:
America/Noronha 2000-10-08T02:00Z, America/Noronha 2000-10-15T01:00Z`.match(/[A-Z]\S+ \d\S+Z/g)!;

// Ends the search for a smaller counterexample, each step of which walks the window again.
const LONGEST_PROPERTY_MS = 5_000;

for (const [name, step, hoursAround, withSeconds, numRuns] of [
  ["minute by minute", 60, 40, false, 60],
  ["second by second", 1, 4, true, 10],
] as const) {
  test(`next, previous and counted due times are those of a walk ${name} around clock changes`, () => {
    for (const [zoneName, at] of CLOCK_CHANGES.map((change) => change.split(" "))) {
      const zone = createZone(zoneName);
      const readings = walk(zoneName, seconds(at) - hoursAround * 3600, seconds(at) + hoursAround * 3600, step);
      const [start, end] = [readings[0].second + LIMIT, readings[readings.length - 1].second];
      const property = fc.property(schedule(withSeconds), int(start, end), (expected, from) => {
        if (/never matches/.test(mistakeIn(expected.text))) return;
        const cron = new CronSchedule(parseCron(expected.text), zone, 0);
        const due = oracle(readings, expected);
        const before = due.filter((second) => second <= from);
        const show = (next = Infinity, latest = Infinity, count = 0) =>
          `${expected.text} from ${shown(zone, from)}: next ${shown(zone, next)}, latest ${shown(zone, latest)}, ${count}`;
        assert.equal(
          show(cron.firstAfter(from, end), cron.latestIn(start, from), cron.countIn(start, from)),
          show(due[before.length], before[before.length - 1], Math.min(before.length, 1001)),
        );
        assert.match(cron.describe(), /^(at|every) (?!.*undefined).*, [\w/]+$/);
      });
      fc.assert(property, { numRuns, interruptAfterTimeLimit: LONGEST_PROPERTY_MS });
    }
  });
}

test("no text makes the parser fail otherwise than by a refusal", () => {
  const pieces = [
    ..."0 1 5 59 60 7 31 L W LW # - , / * ? MON JAN x @daily ~ ; .".split(" "),
    " ",
    "  ",
    "\t",
    "\u00a0",
  ];
  const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...pieces), maxLength: 20 }));
  const refused = /^(not refused$|expression |macro |second |minute |hour |day-of-month |month |day-of-week )/;
  const property = fc.property(text, (expr) => assert.match(mistakeIn(expr), refused));
  fc.assert(property, { numRuns: 2000 });
});
