// What README tells to paste into supervisord.conf: supervisord's own parser takes it, and makes of it what is meant.

import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { describe, test as nodeTest, type TestContext } from "node:test";
import { skipWithoutSupervisord, supervisorPython } from "./real-supervisord";
import { Supervisord } from "./supervisord";

const ROOT = path.join(__dirname, "..");
const LISTENER = path.join(ROOT, "dist", "listener.js");
const README = fs.readFileSync(path.join(ROOT, "README.md"), "utf8");
const BLOCKS = [...README.matchAll(/^```ini\n(.*?)^```$/gms)].map(([, text]) => text);

/** A section for the blocks that are lines of one. */
const SECTION = "[eventlistener:sync]\ncommand=supertick --every 5m -- /bin/true\nevents=TICK_60\n";

/** What supervisord made of a section; see parse-supervisord-conf.py. */
interface Program {
  name: string;
  command: string[];
  environment: Record<string, string>;
  events: string[];
}

function temporaryDirectory(t: TestContext): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "supertick-readme-"));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  return directory;
}

/** The programs of a block. Fails with what supervisord says against it. */
function parse(t: TestContext, block: string): Program[] {
  const file = path.join(temporaryDirectory(t), "supervisord.conf");
  fs.writeFileSync(file, `[supervisord]\n${block.startsWith("[") ? "" : SECTION}${block}`);
  const [python, ...args] = [...supervisorPython(), path.join(__dirname, "parse-supervisord-conf.py"), file];
  const { status, stdout, stderr } = spawnSync(python, args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

/** What supervisord makes of the one block that sets a variable. */
function parsedVariable(t: TestContext, name: string): string {
  const blocks = BLOCKS.filter((block) => block.includes(`${name}=`));
  assert.equal(blocks.length, 1, `one recipe sets ${name}`);
  return parse(t, blocks[0])[0].environment[name];
}

/** What README shows between the quotes. */
function shownVariable(name: string): string | undefined {
  return new RegExp(`^environment=${name}="(.*)"$`, "m").exec(README)?.[1].replaceAll("%%", "%");
}

// Each test is skipped, not their suite, so that the summary counts them.
const test = (name: string, body: (t: TestContext) => void | Promise<void>) =>
  nodeTest(name, { skip: skipWithoutSupervisord }, body);

describe("README's ini blocks", () => {
  for (const block of BLOCKS) {
    const title = block.split("\n", 1)[0].slice(0, 60);

    test(`supervisord takes, and supertick its settings: ${title}`, (t) => {
      const programs = parse(t, block);
      assert.notEqual(programs.length, 0);
      for (const { command, environment, events } of programs) {
        assert.notDeepEqual(events, [], "no event listener");
        const [, ...args] = command;
        const env = { PATH: process.env.PATH, ...environment };
        const { status, stdout, stderr } = spawnSync(process.execPath, [LISTENER, "check", ...args], {
          env,
          encoding: "utf8",
        });
        assert.equal(status, 0, stderr);
        assert.doesNotMatch(stdout, /^note:/m);
      }
    });
  }

  test("are found, also those of one line", () => {
    assert.ok(BLOCKS.length >= 4 && BLOCKS.some((block) => !block.startsWith("[")));
  });

  for (const value of ['"echo "x y""', '"date +%F"', '"echo x ;echo y"', '"echo x']) {
    test(`would be refused with ${value}`, (t) => {
      assert.throws(() => parse(t, `environment=TICK_ON_FAILURE=${value}\n`), /in section 'eventlistener:sync'/);
    });
  }
});

describe("README's recipes", () => {
  for (const name of ["TICK_ON_FAILURE", "TICK_PING"]) {
    test(`the value of ${name} is what it shows`, (t) => {
      assert.notEqual(shownVariable(name), undefined);
      assert.equal(parsedVariable(t, name), shownVariable(name));
    });
  }

  test("the address of the ping is whole", (t) => {
    assert.equal(new URL(parsedVariable(t, "TICK_PING")).href, "https://hc-ping.com/YOUR-UUID");
  });

  test("the mail has a subject, an empty line, and how the job ended", async (t) => {
    const directory = temporaryDirectory(t);
    const mail = path.join(directory, "message");
    const post = `#!/bin/sh\n{ echo "to $*"; cat; } >${mail}.new && mv ${mail}.new ${mail}\n`;
    for (const program of ["sendmail", "mail"]) fs.writeFileSync(path.join(directory, program), post, { mode: 0o755 });
    const supervisord = await Supervisord.start({
      args: ["--ticks", "1", "--", "/bin/sh", "-c", "exit 3"],
      name: "sync",
      env: { TICK_ON_FAILURE: parsedVariable(t, "TICK_ON_FAILURE"), PATH: `${directory}:${process.env.PATH}` },
    });
    t.after(() => supervisord.dispose());
    await supervisord.tick();
    await supervisord.until(() => fs.existsSync(mail), "the mail");
    const message = "to ops@example.org\nSubject: sync: failure\n\nexit 3, run 1\n";
    assert.equal(fs.readFileSync(mail, "utf8"), message);
  });
});
