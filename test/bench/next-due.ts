// How long does one due time take, beside croner and cron-parser? Each on its own parsed expressions, those of the vectors; the
// figure is the median of all cases, and a case that a library refuses is left out of its own.

import { CronExpressionParser } from "cron-parser";
import { Cron } from "croner";
import { createZone, nextDue, parseCron } from "../../listener";
import * as vectors from "../vectors/cron-valid.json";

interface Case {
  expr: string;
  tz: string;
  from: string;
  next?: number[];
}

/** Epoch seconds → the next due time after them. */
type Search = (from: number) => number;

const LIBRARIES: Record<string, (c: Case) => Search> = {
  supertick: ({ expr, tz }) => {
    const [cron, zone] = [parseCron(expr), createZone(tz)];
    return (from) => nextDue(cron, zone, from) ?? Number.NaN;
  },
  croner: ({ expr, tz }) => {
    const cron = new Cron(expr, { timezone: tz, paused: true });
    return (from) => (cron.nextRun(new Date(from * 1000))?.getTime() ?? Number.NaN) / 1000;
  },
  "cron-parser": ({ expr, tz }) => {
    const cron = CronExpressionParser.parse(expr, { tz });
    return (from) => {
      cron.reset(new Date(from * 1000));
      return cron.next().getTime() / 1000;
    };
  },
};

const SEARCHES = 40;

/** Microseconds a due time, walking from one to the next: that never asks the same question twice. */
function measureWalk(search: Search, from: number): number {
  const start = process.hrtime.bigint();
  let second = from;
  for (let i = 0; i < SEARCHES; i++) second = search(second);
  return Number(process.hrtime.bigint() - start) / 1000 / SEARCHES;
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** One figure a round, by library. */
export function measureNextDue(rounds: number): Record<string, number[]> {
  const figures: Record<string, number[]> = {};
  const cases = (vectors as Case[]).filter((c) => c.next !== undefined && c.next.length > 0);
  for (let round = 0; round <= rounds; round++) {
    for (const [name, create] of Object.entries(LIBRARIES)) {
      const micros = cases.flatMap((c) => {
        try {
          return [measureWalk(create(c), Date.parse(c.from) / 1000)];
        } catch {
          return []; // this library refuses the expression, or finds no next time
        }
      });
      if (round > 0) figures[name] = [...(figures[name] ?? []), median(micros)]; // the first round is the compiler's
    }
  }
  return figures;
}
