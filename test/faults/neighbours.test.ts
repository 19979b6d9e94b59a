// The real supervisord sends events in another order than they happened: listeners of the same priority reject some of
// them, or die over them, while programs go FATAL, ticks come, and our listeners are killed.

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import { createChance, pause, SEED, spin } from "../chance";
import { createSupervisord, skipWithoutSupervisord, supervisorPython } from "../real-supervisord";
import { amount, answersOf, fault, type JournalLine, readCounter, readRuns, repeated } from "./faults";

const KILLS = amount(100, 5);
const PROGRAMS = Array.from({ length: 12 }, (_, i) => `program-${i}`);
const NEIGHBOURS = ["PROCESS_STATE_FATAL,TICK_60", "PROCESS_STATE,TICK_5", "REMOTE_COMMUNICATION,TICK_60"];
const OURS = ["alert", "counter"] as const;

// What one rejects comes to all three again: if they rejected a third of all, there would be no end of it.
const NEIGHBOUR = `
import os, random, sys
from supervisor.childutils import listener
chance = random.Random(int(sys.argv[1]) + os.getpid())
while True:
    listener.wait()
    how = chance.random()
    if how < 0.05:
        sys.exit(1)
    listener.fail() if how < 0.25 else listener.ok()
`;

fault(
  `killed ${KILLS} times beside failing neighbours, listeners lose no event and no tick, and use none twice`,
  { skip: skipWithoutSupervisord },
  async (t) => {
    const supervisord = createSupervisord(t);
    const chance = createChance(SEED);
    const common = { startsecs: "0", autorestart: "true", stdout_logfile: "NONE", buffer_size: "1000" };
    supervisord.write("neighbour.py", NEIGHBOUR);
    for (const [i, events] of NEIGHBOURS.entries()) {
      const command = [...supervisorPython(), supervisord.path("neighbour.py"), String(SEED + i)].join(" ");
      supervisord.eventListener(`neighbour-${i}`, { ...common, command, events, buffer_size: "10" });
    }
    for (const name of PROGRAMS) supervisord.program(name, { command: "/bin/false", startretries: "0" });
    const stateOf = (name: (typeof OURS)[number]) => supervisord.path(`${name}.state`);
    const options = (name: (typeof OURS)[number], events: string) => ({
      environment: { TICK_STATE: stateOf(name) },
      settings: { ...common, events, directory: supervisord.path(".") },
    });
    const job = `echo "$SUPERTICK_REASON $SUPERTICK_PROCESSNAME $SUPERTICK_ID" >> ran`;
    supervisord.listener(
      "counter",
      ["--tick", "TICK_60", "--ticks", "1000000", "--", "/bin/true"],
      options("counter", "TICK_60"),
    );
    supervisord.listener(
      "alert",
      ["--on", "PROCESS_STATE_FATAL", "--", "/bin/sh", "-c", job],
      options("alert", "PROCESS_STATE_FATAL,REMOTE_COMMUNICATION"),
    );
    await supervisord.start();
    supervisord.write("ran", "");

    // It may have ended before the call does: that is the call's failure.
    const begin = (name: string) =>
      supervisord.call("supervisor.startProcess", name, 0).catch((error) => assert.match(error.message, /SPAWN_ERROR/));
    const lines = new Map<string, JournalLine>(); // the journal of a long life begins anew
    const fatal = () => [...supervisord.log().matchAll(/gave up: (\S+) entered FATAL/g)].map(([, name]) => name);
    let [started, ticks, remote] = [0, 0, 0];
    for (let kill = 1; kill <= KILLS; kill++) {
      const some = kill % 5 === 1 ? PROGRAMS : PROGRAMS.filter(() => chance.below(4) === 0);
      const sending: Array<Promise<unknown>> = some.map(begin);
      sending.push(supervisord.stepClock(60));
      if (chance.below(2) === 0) sending.push(supervisord.call("supervisor.sendRemoteCommEvent", "supertick", "alert"));
      remote += sending.length - some.length - 1;
      started += some.length;
      ticks++;
      await pause(chance.below(60));
      spin(chance.below(1000));
      process.kill(supervisord.pidOfListener(chance.pick(OURS)), "SIGKILL");
      await Promise.all(sending);
      await supervisord.waitUntil("all to be FATAL", () => fatal().length === started);
      await supervisord.waitForAnswers();
      for (const line of readRuns(stateOf("alert")).lines) lines.set(JSON.stringify(line), line);
    }
    const all = () => [...lines.values(), ...readRuns(stateOf("alert")).lines];
    const ids = (...types: string[]) => new Set(all().flatMap(({ type, id }) => (types.includes(type) ? [id] : [])));
    await supervisord.waitUntil("the last run", () => ids("starting", "skipped").size === started + remote);
    await supervisord.ctl("stop", "alert");

    assert.equal(readCounter(stateOf("counter")).count, ticks, "ticks");
    const ran = fs.readFileSync(supervisord.path("ran"), "utf8").trimEnd().split("\n");
    assert.deepEqual(repeated(ran), [], "an event ran twice");
    const lost = started + remote - ran.length;
    const interrupted = new Set(
      all().flatMap(({ type, run, result }) => (type === "ended" && result === "interrupted" ? [run] : [])),
    );
    const logged = ids("skipped").size + interrupted.size;
    assert.ok(lost >= 0 && lost <= logged, `${lost} events without a run, ${logged} of them logged`);
    for (const name of PROGRAMS) {
      const runs = ran.filter((line) => line.split(" ")[1] === name).length;
      const times = fatal().filter((one) => one === name).length;
      assert.ok(runs <= times && runs >= times - lost, `${name}: FATAL ${times} times, ${runs} runs`);
    }
    const answers = OURS.map((name) => answersOf(supervisord.log(), name));
    const again = answers.reduce((sum, one) => sum + one.again, 0);
    t.diagnostic(
      `seed ${SEED}: ${started} times FATAL, ${remote} runs asked for, ${ticks} ticks, ${again} events sent again; ` +
        `lost with a kill and logged: ${lost}`,
    );
    assert.ok(again > KILLS, "too few events came again");
  },
);
