// Chance that can be had again: numbers that a seed determines. SUPERTICK_SEED=N gives the seed.

export const SEED = Number(process.env.SUPERTICK_SEED ?? Date.now() % 2 ** 31);

export interface Chance {
  /** In [0, limit). */
  below(limit: number): number;
  pick<T>(choices: readonly T[]): T;
}

/** Mulberry32. */
export function createChance(seed: number): Chance {
  let state = seed;
  const below = (limit: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return Math.floor((((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
  return { below, pick: (choices) => choices[below(choices.length)] };
}

/** Timers are no finer than a millisecond; what a tick does takes less. */
export function spin(microseconds: number): void {
  const end = process.hrtime.bigint() + BigInt(Math.round(microseconds)) * 1000n;
  while (process.hrtime.bigint() < end);
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
