// Containers, one after the other, on kept state: a supervisord with pid 1 and serials from 0 on, whose tick clock may show
// an earlier time, all of it killed at a random moment or stopped. The real supervisord, in a pid namespace; in a time
// namespace too every other time, where start times are earlier ones than before. They never repeat: a process of the same
// pid, start time and namespace as an earlier one can only be taken for that.

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import { createChance, pause, SEED, spin } from "../chance";
import { supertick, temporaryDirectory } from "../harness";
import { createSupervisord, skipWithoutSupervisord } from "../real-supervisord";
import {
  amount,
  answersOf,
  fault,
  hasProgram,
  isRoot,
  type JournalLine,
  readCounter,
  readRuns,
  repeated,
} from "./faults";

const CONTAINERS = amount(100, 4);
const UPTIME = 10_000_000; // seconds, in a time namespace
const SLICE = 300;
const CLOCK_SETS = [0, 0, 0, 30, 600, -7200];
const LISTENERS = ["every", "counter", "events"] as const;
type Name = (typeof LISTENERS)[number];

const UNSHARE = ["setpriv", "--pdeathsig", "TERM", "unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
const canUnshare = isRoot && hasProgram(...UNSHARE, "true");
const canSetTime = canUnshare && hasProgram("unshare", "--time", "--boottime", "9", "true");
const CONTAINER = skipWithoutSupervisord || (canUnshare ? false : "root can't make pid namespaces here");

fault(
  `in ${CONTAINERS} containers on kept state every tick counts, and no event and no due time is lost or used twice`,
  { skip: CONTAINER },
  async (t) => {
    const chance = createChance(SEED);
    let latest = UPTIME;
    const timeOptions = () => {
      latest -= 1000;
      const uptime = Math.floor(Number.parseFloat(fs.readFileSync("/proc/uptime", "utf8")));
      return canSetTime && chance.below(2) === 0 ? ["--time", "--boottime", String(latest - uptime)] : [];
    };
    const supervisord = createSupervisord(t, () => [...UNSHARE, ...timeOptions()]);
    const add = (name: Name, events: string, args: string[]) => {
      const settings = {
        events,
        priority: String(100 + LISTENERS.indexOf(name)),
        startsecs: "0",
        buffer_size: "1000",
        directory: supervisord.path("."),
      };
      const environment = { TICK_STATE: supervisord.path(`${name}.state`) };
      const job = `echo "$SUPERTICK_ID" >> ran; sleep 0.0$((SUPERTICK_RUN % 10))`;
      supervisord.listener(name, [...args, "--", "/bin/sh", "-c", job], { settings, environment });
    };
    add("every", "TICK_60,REMOTE_COMMUNICATION", ["--every", "5m", "--tick", "TICK_60", "--overlap", "allow"]);
    add("counter", "TICK_60", ["--ticks", "1000000", "--tick", "TICK_60"]);
    add("events", "PROCESS_STATE_STOPPED,PROCESS_STATE_EXITED", ["--on", "PROCESS_STATE_STOPPED,PROCESS_STATE_EXITED"]);
    supervisord.program("web", { command: "/bin/sleep 1000", startsecs: "0", stopsignal: "KILL" });
    supervisord.program("done", { command: "/bin/true", startsecs: "0" });
    supervisord.write("ran", "");

    const lines = { every: new Map<string, JournalLine>(), counter: new Map(), events: new Map() };
    /** A fact of each id that was due so far, in order; the journals begin anew from time to time. */
    const duesOf = (name: Name): JournalLine[] => {
      for (const line of readRuns(supervisord.path(`${name}.state`)).lines) lines[name].set(JSON.stringify(line), line);
      const all = [...lines[name].values()].filter(({ id }) => id !== undefined);
      return [...new Map(all.map((line) => [line.id, line])).values()];
    };
    const figures = () => ({
      counter: readCounter(supervisord.path("counter.state")).count,
      events: duesOf("events").length,
      asked: duesOf("every").filter(({ reason }) => reason === "remote").length,
    });
    let logBefore = 0;
    let asked = 0;
    /** What this container's log says that is to be added to the figures, at least and at most. */
    const expected = () => {
      const log = supervisord.log().slice(logBefore);
      const [counter, events] = (["counter", "events"] as const).map((name) => answersOf(log, name));
      const most = ({ sent }: typeof events) => sent.size + 1; // it is sent before the log says so
      return { counter: [counter.answered.size, most(counter)], events: [events.answered.size, most(events)] };
    };

    const isItsState = ({ message }: Error) => assert.match(message, /ALREADY_STARTED|NOT_RUNNING|SPAWN_ERROR/);
    const actions: Array<() => Promise<unknown>> = [
      () => supervisord.stepClock(60),
      () => supervisord.call("supervisor.startProcess", "done", 0).catch(isItsState),
      () => supervisord.call("supervisor.startProcess", "web", 0).catch(isItsState),
      () => supervisord.call("supervisor.stopProcess", "web").catch(isItsState),
      () => {
        asked++;
        return supervisord.call("supervisor.sendRemoteCommEvent", "supertick", "every");
      },
    ];
    const eras: number[][] = []; // due times, between settings of the clock
    let eraBegin = supervisord.clock();
    const totals = { killed: 0, clocksSet: 0, listenersKilled: 0, events: 0, dismissed: 0 };
    let before = { counter: 0, events: 0, asked: 0 };
    let duesBefore = 0;
    const duesOfEra = (): number[] =>
      duesOf("every")
        .flatMap(({ reason, due }) => (/schedule|catch-up/.test(reason) ? [due] : []))
        .slice(duesBefore);
    const endEra = () => {
      eras.push(duesOfEra());
      duesBefore += eras[eras.length - 1].length;
    };
    /** What the last tick made due is named, unless the clock was set within the slice, or had shown that time before. */
    const isSliceNamed = (): boolean => {
      const due = supervisord.clock() - (supervisord.clock() % SLICE);
      const reached = Math.max(0, ...eras.flat());
      const isCertain = due > eraBegin + 60 && (due > reached || supervisord.clock() < reached);
      return !isCertain || duesOfEra().includes(due);
    };
    const identity = () =>
      supervisord
        .read("counter.state")
        .match(/(supervisor|machine)=\S+/g)
        ?.join(" ");
    /** With the pid, the start time and the namespace of the one before, a supervisord can only be taken for that one. */
    const begin = async (clockSetSeconds: number): Promise<void> => {
      const old = identity();
      logBefore = supervisord.log().length;
      await (old === undefined ? supervisord.start() : supervisord.startAgain(clockSetSeconds));
      if (identity() !== old) return;
      totals.dismissed++;
      await supervisord.end("SIGKILL");
      await begin(0);
    };
    for (let n = 1; n <= CONTAINERS; n++) {
      const seconds = n === 1 ? 0 : chance.pick(CLOCK_SETS);
      if (seconds < 0) endEra();
      totals.clocksSet += Number(seconds < 0);
      await begin(seconds);
      if (seconds < 0) eraBegin = supervisord.clock();
      asked = 0;
      // First in peace: each event is used once. Some listeners are killed meanwhile, but not all else.
      for (const action of [...actions, ...actions]) await action();
      if (chance.below(2) === 0) {
        totals.listenersKilled++;
        await supervisord.call("supervisor.signalProcess", chance.pick(LISTENERS), "KILL");
      }
      for (const action of actions) await action().catch(() => {});
      await supervisord.waitForAnswers();
      const isUsed = () => {
        const [now, { counter, events }] = [figures(), expected()];
        const used = [now.counter - before.counter, now.events - before.events, now.asked - before.asked];
        return isSliceNamed() && JSON.stringify(used) === JSON.stringify([counter[0], events[0], asked]);
      };
      await supervisord.waitUntil("each event to be used once", isUsed);
      // Then in haste, until all of it is killed, or stopped.
      const askedInPeace = asked;
      const doing = Array.from({ length: 1 + chance.below(6) }, () =>
        chance
          .pick(actions)()
          .catch(() => {}),
      );
      await pause(chance.below(40));
      spin(chance.below(1000));
      const signal = chance.pick(["SIGKILL", "SIGKILL", "SIGTERM"] as const);
      totals.killed += Number(signal === "SIGKILL");
      await supervisord.end(signal);
      await Promise.all(doing);
      const [now, { counter, events }] = [figures(), expected()];
      for (const [what, number, [least, most]] of [
        ["ticks", now.counter - before.counter, counter],
        ["events", now.events - before.events, events],
        ["runs asked for", now.asked - before.asked, [askedInPeace, asked]],
      ] as const)
        assert.ok(number >= least && number <= most, `${what} in container ${n}: ${number}, of ${least} to ${most}`);
      totals.events += now.events - before.events;
      before = now;
    }
    endEra();
    for (const dues of eras) assert.deepEqual(repeated(dues), [], "a due time was used twice");
    assert.deepEqual(repeated(supervisord.read("ran").trimEnd().split("\n")), [], "what ran twice");
    const figure = { ...totals, ticks: before.counter, asked: before.asked };
    t.diagnostic(`seed ${SEED}: ${JSON.stringify(figure)}; ${eras.flat().length} due times`);
    await supervisord.startAgain();
    await supervisord.ctl("stop", "all");
    for (const name of LISTENERS) {
      duesOf(name);
      const all = [...lines[name].values()];
      const over = new Set(all.flatMap(({ type, run }) => (type === "ended" || type === "dropped" ? [run] : [])));
      const open = all.filter(({ type, run }) => type === "starting" && !over.has(run));
      assert.deepEqual(open, [], "runs without a result");
    }
  },
);

fault(
  "status knows a listener of another container, and what one that was replaced has left",
  { skip: CONTAINER },
  async (t) => {
    const volume = temporaryDirectory(t);
    fs.mkdirSync(`${volume}/supertick-0`, { mode: 0o700 });
    const status = (...names: string[]) => supertick(["status", ...names], { TMPDIR: volume });
    const startListener = async (name: string, container?: () => string[]) => {
      const supervisord = createSupervisord(t, container);
      const environment = { TICK_STATE: `${volume}/supertick-0/${name}` };
      supervisord.listener(name, ["--ticks", "1", "--", "/bin/true"], { environment });
      await supervisord.start();
      await supervisord.tick();
      await supervisord.waitForStderr("run 1 finished");
    };
    await startListener("there", () => UNSHARE);
    assert.match(status().stdout, /there: its listener is in another container, or on another machine$/m);
    assert.equal(status().status, 1, "where none lives");
    await startListener("here");
    assert.match(status().stdout, /there: history of there: its listener is in another container/m);
    assert.deepEqual([status().status, status("there").status], [0, 1]);
  },
);
