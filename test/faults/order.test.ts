// Events in every order in which supervisord can send them. Neighbours of the same priority reject events, or die over
// them: each goes to the head of all their pools, ours too. Our listener is killed, stopped and down for a while, and
// supervisord itself is replaced by another one, whose serials begin anew. What becomes of each event is compared with
// what the pools say of it: answered, or not. To add something that happens: a row of ACTIONS.

import * as assert from "node:assert/strict";
import { parseCounter } from "../../listener";
import { type Chance, createChance, SEED } from "../chance";
import { EventPool, envelope, type PoolEvent } from "../supervisord";
import { amount, createSliceModel, fault, type JournalLine } from "./faults";
import { type Kill, World } from "./world";

const HISTORIES = amount(10_000, 300);
const STEPS = 30;
const LAST_STEPS = 12; // until all is answered
const PERIOD = 60;
const SLICE = 300;
const START = 1_700_006_400 - 300; // the hour is near
const PERIODS = { TICK_5: 5, TICK_60: PERIOD, TICK_3600: 3600 };
const STATES = ["PROCESS_STATE_FATAL", "PROCESS_STATE_EXITED", "PROCESS_STATE_STOPPED"];
const FORMAT = { server: "supervisor", lengthIn: "code points" } as const;

/** What our listener is, and what it counts. `goal`: of --ticks. */
interface Kind {
  readonly args: readonly string[];
  readonly types: readonly string[];
  readonly goal?: number;
}

const TICKS = ["TICK_60", "REMOTE_COMMUNICATION"];
const KINDS: readonly Kind[] = [
  { args: ["--tick", "TICK_60", "--every", "5m"], types: TICKS },
  { args: ["--tick", "TICK_60", "--every", "5m", "--overlap", "queue"], types: TICKS },
  { args: ["--tick", "TICK_60", "--ticks", "2", "--overlap", "allow"], types: TICKS, goal: 2 },
  { args: ["--tick", "TICK_60", "--ticks", "5"], types: TICKS, goal: 5 },
  { args: ["--on", "PROCESS_STATE_FATAL,PROCESS_STATE_EXITED"], types: [...STATES, "REMOTE_COMMUNICATION"] },
];

/** `life`: of which supervisord. `ids`: of what came of it, mostly a run. `isCounted`: it stands in the counter file. */
interface Sent extends PoolEvent {
  readonly payload: string;
  readonly life: number;
  readonly ids: Set<string>;
  isCounted: boolean;
}

/** Another listener. It answers when the test says so. */
interface Neighbour {
  readonly types: readonly string[];
  pool: EventPool;
  event?: PoolEvent;
  isDown: boolean;
}

const ACTIONS: ReadonlyArray<readonly [number, (history: History) => void]> = [
  [8, (history) => history.notify(history.chance.pick(STATES), "processname:web groupname:web from_state:BACKOFF")],
  [4, (history) => history.notify("REMOTE_COMMUNICATION", `type:supertick\n${history.chance.pick(["job", "", "x"])}`)],
  [6, (history) => history.endBusy("OK")],
  [6, (history) => history.endBusy("FAIL")],
  [3, (history) => history.endBusy("death")],
  [4, (history) => history.killWithin()],
  [2, (history) => history.kill()],
  [1, (history) => history.stop()],
  [1, (history) => history.replaceSupervisord()],
];
const WEIGHTED = ACTIONS.flatMap(([weight, act]) => Array.from({ length: weight }, () => act));

class History {
  readonly kind = this.chance.pick(KINDS);
  readonly world: World;
  readonly totals = { answered: 0, again: 0, rejected: 0, deaths: 0, supervisords: 1 };
  private readonly kills: Kill[] = [];
  private readonly events: Sent[] = [];
  private readonly neighbours: Neighbour[] = [];
  private readonly ends = new Map<string, string>(); // what became of each id
  private readonly runs = new Map<number, string>(); // the id of each run
  private readonly named: number[] = []; // due times, as the journal says
  private readonly expected: number[] = [];
  private readonly torn: number[] = []; // named for a tick that was not counted then
  private readonly dueAt = createSliceModel(PERIOD, SLICE);
  private pool = new EventPool();
  private life = 1;
  private serial = 0;
  private clockOffset = 0;
  private slices: Record<string, number> = {};
  private tickedSeconds = 0;
  private isDown = true;
  private isStopping = false;
  private isOver = false; // nothing is killed any more
  private current: Sent | undefined;
  private last: { when: number; serial: number; life: number } | undefined;
  private count = 0;
  private isSetBack = false; // once: what was due may be due again
  private begins: number | undefined; // by the current event: up to where nothing is due
  private begun: number | undefined; // by one that was not counted
  private tornUpTo = 0; // named for one that was not counted: that holds until the clock is seen to be set back

  constructor(readonly chance: Chance) {
    const command = ["--", "/bin/sh", "-c", `command ${chance.pick([0, 0.5, 30, 200])}`];
    const args = [...this.kind.args, "--name", "job", "--verbose", ...command];
    const onLine = (line: JournalLine) => this.onJournalLine(line);
    this.world = new World(args, START, this.kills, onLine, () => {});
    this.world.onDeath = () => {
      this.totals.deaths++;
      this.isDown = true;
    };
    const types = [...Object.keys(PERIODS), ...STATES, "REMOTE_COMMUNICATION"];
    for (let n = chance.below(3); n >= 0; n--) {
      const some = types.filter(() => chance.below(2) === 0);
      this.neighbours.push({ types: some, pool: new EventPool(), isDown: false });
    }
    this.startSlices();
  }

  live(): void {
    this.startListener();
    for (let n = 0; n < STEPS; n++) {
      this.pass(this.chance.pick([0, 0, 1, 7, 60]));
      this.chance.pick(WEIGHTED)(this);
      if (this.isDown && this.chance.below(3) > 0) this.startListener();
      this.dispatch();
    }
    this.kills.length = 0;
    this.isOver = true;
    for (let n = 0; n < LAST_STEPS; n++) {
      this.pass(PERIOD);
      for (const _ of this.neighbours) this.endBusy("OK");
      if (this.isDown) this.startListener();
      this.dispatch();
    }
    this.stop();
    this.world.passUntil(this.world.seconds + PERIOD);
    this.judgeAll();
  }

  // What supervisord does:

  /**
   * Its clock goes on: a slice that begins is a tick, whose time is its start. Set back again and again, it would keep
   * the ticks away for so long that the listener rightly ends.
   */
  private pass(seconds: number): void {
    const isSet = this.chance.below(40) === 0 && this.world.seconds < this.tickedSeconds + PERIOD;
    if (isSet) this.clockOffset += this.chance.pick([-3600, -130, -60, -1, 1, 130, 3600]);
    this.world.passUntil(this.world.seconds + seconds);
    for (const [type, period] of Object.entries(PERIODS)) {
      const slice = Math.floor(this.clock / period);
      if (slice === this.slices[type]) continue;
      this.slices[type] = slice;
      if (period === PERIOD) this.tickedSeconds = this.world.seconds;
      this.notify(type, `when:${slice * period}`);
    }
  }

  private get clock(): number {
    return this.world.seconds + this.clockOffset;
  }

  private startSlices(): void {
    for (const [type, period] of Object.entries(PERIODS)) this.slices[type] = Math.floor(this.clock / period);
  }

  notify(name: string, payload: string): void {
    const ids = new Set<string>();
    const event: Sent = {
      name,
      payload,
      life: this.life,
      ids,
      isCounted: false,
      deliveries: 0,
      failures: 0,
      isDone: false,
    };
    const pools = [...this.neighbours, { types: this.kind.types, pool: this.pool }];
    for (const { pool } of pools.filter(({ types }) => types.includes(name))) {
      event.serial ??= this.serial++;
      pool.accept(event);
    }
    this.events.push(event);
    this.dispatch();
  }

  private reject(event: PoolEvent): void {
    this.totals.rejected++;
    for (const pool of [...this.neighbours.map((one) => one.pool), this.pool]) pool.accept(event, "front");
  }

  /** A neighbour that is BUSY comes to an end with it; one that is down is started again. */
  endBusy(how: "OK" | "FAIL" | "death"): void {
    const neighbour = this.chance.pick(this.neighbours);
    const { event } = neighbour;
    neighbour.isDown = event !== undefined && how === "death";
    neighbour.event = undefined;
    if (event !== undefined && how !== "OK") this.reject(event);
  }

  replaceSupervisord(): void {
    this.kill();
    this.totals.supervisords++;
    this.life++;
    this.serial = 0;
    this.pool = new EventPool();
    for (const neighbour of this.neighbours)
      Object.assign(neighbour, { pool: new EventPool(), event: undefined, isDown: false });
    this.world.passUntil(this.world.seconds + this.chance.pick([1, 20, 60, 400, 4000]));
    this.world.replaceSupervisord(this.chance.pick([1, this.life]));
    if (this.chance.below(5) === 0) this.clockOffset -= this.chance.pick([30, 600, 7200]);
    this.startSlices();
  }

  private startListener(): void {
    this.isDown = this.isStopping = false;
    this.world.startListener();
  }

  kill(): void {
    if (!this.isDown) this.world.kill();
  }

  stop(): void {
    if (this.isDown || this.isStopping) return;
    this.isStopping = true;
    this.world.sendSignal("SIGTERM");
  }

  killWithin(): void {
    const write = this.world.writes + 1 + this.chance.below(5);
    this.kills.push({ write, moment: this.chance.pick(["before", "after"]) });
  }

  private dispatch(): void {
    for (const neighbour of this.neighbours) if (!neighbour.isDown) neighbour.event ??= neighbour.pool.take();
    while (!this.isDown && !this.isStopping && this.pool.buffer.length > 0) this.deliver(this.pool.take() as Sent);
  }

  private deliver(event: Sent): void {
    if (event.deliveries++ > 0) this.totals.again++;
    this.current = event;
    this.begins = undefined;
    const named = this.named.length;
    const isRead = this.isOver || this.chance.below(30) > 0; // else it is still in the pipe
    if (isRead) this.world.send(envelope(event, "job", FORMAT).toString("latin1"));
    else this.world.kill();
    const isAnswered = isRead && this.world.isAnswered;
    this.world.takeBack();
    this.world.log += `(${event.name} ${event.serial} ${JSON.stringify(event.payload)}, ${isAnswered ? "answered" : "not answered"})\n`;
    this.judge(event, isAnswered, this.named.slice(named));
    this.current = undefined;
    if (!isAnswered) return this.reject(event);
    this.totals.answered++;
    event.isDone = true;
  }

  // What must hold:

  private onJournalLine({ type, id, run, due, reason, serial, decided }: JournalLine): void {
    if (type === "job") this.begins = decided;
    if (type === "starting") this.runs.set(run, id);
    if (id === undefined) {
      if (type === "ended" || type === "dropped") this.ends.set(this.runs.get(run)!, type);
      return;
    }
    if (type === "skipped" && serial === undefined) {
      assert.ok(this.pool.dropped.length > 0, "events never came, but the pool has dropped none");
      return;
    }
    if (!this.ends.has(id)) {
      assert.equal(serial, this.current?.serial, `${type} of another event`);
      this.current!.ids.add(id);
      if (reason === "schedule" || reason === "catch-up")
        this.named.push(this.kind.goal === undefined ? due : keyOf(this.current!));
    }
    this.ends.set(id, type);
  }

  /** A late tick counts, and decides nothing; so does one of a clock that was set back. */
  private kindOfTick({ name, payload, serial, life, isCounted }: Sent): "ignored" | "late" | "set back" | "in order" {
    if (name !== "TICK_60" || isCounted || !this.kind.args.includes("--tick")) return "ignored";
    const { last } = this;
    const when = whenOf(payload);
    if (last === undefined) return "in order";
    if (last.life !== life && when === last.when) return "ignored"; // it can only be taken for the same one
    if (last.life === life && serial! < last.serial) return "late";
    return when < last.when ? "set back" : "in order";
  }

  private judge(event: Sent, isAnswered: boolean, named: readonly number[]): void {
    const kind = this.kindOfTick(event);
    const goal = this.kind.goal ?? Number.POSITIVE_INFINITY;
    const counted = this.count + (kind === "ignored" ? 0 : 1);
    const isReached = kind === "in order" && counted >= goal;
    const expected = isReached ? 0 : counted;
    const { count } = parseCounter(this.world.counterText);
    const what = `the count after ${event.name} ${event.serial} of supervisord ${event.life}, ${kind}`;
    if (isAnswered) assert.equal(count, expected, what);
    else assert.ok(count === expected || count === this.count, what);
    if (kind === "ignored" || kind === "late" || kind === "set back") assert.deepEqual(named, [], `due at ${kind}`);
    if (kind === "ignored") return;
    if (kind === "set back") this.isSetBack = true;
    if (kind === "set back") this.tornUpTo = 0;
    if (count !== expected) {
      this.torn.push(...named);
      if (this.kind.goal === undefined) this.tornUpTo = Math.max(this.tornUpTo, ...named);
      this.begun = this.begins ?? this.begun;
      return;
    }
    const when = whenOf(event.payload);
    this.count = count;
    event.isCounted = true;
    if (kind === "late") return;
    this.last = { when, serial: event.serial!, life: event.life };
    const due = this.kind.goal === undefined ? this.dueAt(when, this.begun) : isReached ? keyOf(event) : undefined;
    if (due !== undefined && due > this.tornUpTo) this.expected.push(due);
    this.begun = undefined;
  }

  /** A due time that was named for a tick which was not counted then need not be due at the one that is. */
  private judgeAll(): void {
    const times = (dues: readonly number[], due: number) => dues.filter((one) => one === due).length;
    for (const due of new Set([...this.named, ...this.expected])) {
      const [named, expected] = [times(this.named, due), times(this.expected, due)];
      const torn = times(this.torn, due);
      const isRight = torn > 0 ? named <= Math.max(1, expected + (this.isSetBack ? torn : 0)) : named === expected;
      assert.ok(isRight, `due ${due}: ${named} times, expected ${expected}`);
    }
    for (const { name, payload, serial, life, ids, isDone } of this.events) {
      const data = /^type:supertick\n(job)?$/.test(payload);
      const isMeant = data || (this.kind.args[0] === "--on" && this.kind.args[1].includes(name));
      const [least, most] = isMeant ? [isDone ? 1 : 0, 1] : [0, name === "TICK_60" ? 1 : 0];
      assert.ok(ids.size >= least && ids.size <= most, `${name} ${serial} of supervisord ${life}: ${ids.size} runs`);
    }
    for (const [id, end] of this.ends) assert.match(end, /ended|skipped|dropped/, `the run ${id}`);
  }
}

/** Of a goal: it has no due time, and the clock may show the same one again. */
const keyOf = ({ life, serial }: Sent) => 10_000 * life + serial!;
const whenOf = (payload: string) => Number(payload.slice("when:".length));

fault(
  `in ${HISTORIES} histories each event counts once, and makes one run or is logged, in whatever order`,
  {},
  async (t) => {
    const totals: Record<string, number> = {};
    for (let n = 0; n < HISTORIES; n++) {
      const history = new History(createChance(SEED + n));
      try {
        history.live();
      } catch (error) {
        (error as Error).message =
          `history ${n}, ${history.kind.args.join(" ")}: ${(error as Error).message}\n${history.world.log}`;
        throw error;
      }
      for (const [what, number] of Object.entries(history.totals)) totals[what] = (totals[what] ?? 0) + number;
    }
    t.diagnostic(`seed ${SEED}: ${JSON.stringify(totals)}`);
    for (const [what, number] of Object.entries(totals)) assert.ok(number > HISTORIES / 2, `${what}: ${number}`);
  },
);
