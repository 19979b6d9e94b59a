// What all fault tests share: how much is done, a directory of their own, and what a journal and a counter file say.

import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { it, type TestContext } from "node:test";
import { type CounterContent, parseCounter } from "../../listener";
import { SEED } from "../chance";
import { temporaryDirectory } from "../harness";

export const isQuick = process.env.SUPERTICK_FAULTS !== "full";
export const isRoot = process.getuid?.() === 0;

/** `full` by npm run test:faults, `quick` with --quick. */
export function amount(full: number, quick: number): number {
  return isQuick ? quick : full;
}

/** A test with a directory of its own; whatever fails in it is told with the seed. */
export function fault(
  title: string,
  options: { skip?: string | false; timeout?: number },
  body: (t: TestContext, directory: string) => Promise<void>,
): void {
  it(title, options, async (t) => {
    const directory = temporaryDirectory(t);
    try {
      await body(t, directory);
    } catch (error) {
      (error as Error).message = `SUPERTICK_SEED=${SEED}: ${(error as Error).message}`;
      throw error;
    }
  });
}

export function hasProgram(...command: string[]): boolean {
  return spawnSync(command[0], command.slice(1), { stdio: "ignore" }).status === 0;
}

// biome-ignore lint/suspicious/noExplicitAny: what a test looks at
export type JournalLine = { type: string; job: string } & Record<string, any>;

/** Both files of the journal, whole lines only; how many were torn. A new file repeats what is still going on. */
export function readRuns(stateFile: string): { lines: JournalLine[]; torn: number } {
  const all = [`${stateFile}.runs.1`, `${stateFile}.runs`]
    .filter((file) => fs.existsSync(file))
    .flatMap((file) => fs.readFileSync(file, "utf8").split("\n"))
    .filter((text) => text !== "");
  const lines = all.flatMap((text) => {
    try {
      return [JSON.parse(text) as JournalLine];
    } catch {
      return [];
    }
  });
  const once = new Map(lines.map((line) => [JSON.stringify({ ...line, at: 0 }), line]));
  return { lines: [...once.values()], torn: all.length - lines.length };
}

export function readCounter(stateFile: string): CounterContent {
  return parseCounter(fs.readFileSync(stateFile, "latin1"));
}

export function repeated<T>(values: readonly T[]): T[] {
  return values.filter((value, i) => values.indexOf(value) !== i);
}

/** Each run has begun once, at one due time, and has come to one result. */
export function assertOneResultEach(lines: readonly JournalLine[]): void {
  const starting = lines.filter(({ type }) => type === "starting");
  assert.deepEqual(repeated(starting.map(({ run }) => run)), [], "a number was given twice");
  assert.deepEqual(repeated(starting.map(({ due }) => due)), [], "a due time was started twice");
  const isResult = ({ type, retryIn }: JournalLine) =>
    (type === "ended" && retryIn === undefined) || type === "dropped";
  const results = lines.filter(isResult).map(({ run }) => run);
  assert.deepEqual(
    results.sort((a, b) => a - b),
    starting.map(({ run }) => run).sort((a, b) => a - b),
    "results",
  );
}

/**
 * REFERENCE's rules for --every: what each tick makes due, in order: a due time, or nothing. `begun`: what a tick made decided
 * that was lost by a kill.
 */
export function createSliceModel(period: number, slice: number): (when: number, begun?: number) => number | undefined {
  let last: number | undefined;
  let decided = 0;
  let reached = 0;
  return (when, begun = last === undefined ? when - period : decided) => {
    const back = last === undefined ? 0 : last - when;
    decided = last === undefined ? begun : Math.min(decided, begun);
    if (back > 2 * period || (last === undefined && begun > when + 2 * period)) decided = Math.min(decided, when);
    last = when;
    const due = Math.floor(when / slice) * slice;
    // What ran before the clock was set back holds again once the ticks are past it, or jump to it.
    const next = Math.floor(decided / slice) * slice + slice;
    const holds = when > reached || (when === reached && next < reached);
    if (back > 0 || due <= decided || (holds && due <= reached)) return undefined;
    decided = due;
    reached = Math.max(reached, due);
    return due;
  };
}

/** What supervisord's log says of a listener's events, by serial: which it sent, which again, and which were answered. */
export function answersOf(log: string, listener: string) {
  const [sent, answered] = [new Set<string>(), new Set<string>()];
  let [serial, again] = ["", 0];
  const lines = new RegExp(`event (\\d+) sent to listener ${listener}$|${listener}: event was processed$`, "gm");
  for (const [, next] of log.matchAll(lines)) {
    if (next === undefined) answered.add(serial);
    else if (sent.has(next)) again++;
    serial = next ?? serial;
    sent.add(serial);
  }
  return { sent, answered, again };
}
