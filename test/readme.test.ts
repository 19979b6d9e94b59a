// What README and REFERENCE show is taken from them and tried: supervisord's own parser takes what is pasted into its file,
// and makes of it what is meant.

import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { describe, it, test as nodeTest, type TestContext } from "node:test";
import { DOCUMENTS, LISTENER, PAGES, postServer, ROOT, run, supertick, temporaryDirectory } from "./harness";
import { type Program, parseConfiguration, skipWithoutSupervisord } from "./real-supervisord";
import { Supervisord } from "./supervisord";

const blocksOf = (language: string) =>
  [...DOCUMENTS.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map(([, text]) => text);
const MANIFESTS = blocksOf("yaml");
/** What stands behind `|` in a manifest, without the indentation. */
const MOUNTED = MANIFESTS.flatMap((manifest) =>
  [...manifest.matchAll(/^ +\S+\.conf: \|\n((?: {4}.*\n|\n)+)/gm)].map(([, text]) => text.replace(/^ {4}/gm, "")),
);
/** A section without a listener in it. */
const SERVE = blocksOf("ini").find((block) => block.includes("supertick serve"))!;
const BLOCKS = [...blocksOf("ini"), ...MOUNTED].filter((block) => block !== SERVE);

/** A section for the blocks that are lines of one. */
const SECTION =
  "[eventlistener:sync]\ncommand=supertick --every 5m -- /bin/true\nevents=TICK_60\nautorestart=true\nstdout_logfile=NONE\n" +
  "stderr_logfile=NONE\n";
const isLines = (block: string) => !/^\[/m.test(block);
const wholeFile = (block: string) => `[supervisord]\n${isLines(block) ? SECTION : ""}${block}`;

/** A block's last heading, or its first line. */
const titleOf = (block: string) =>
  (block.match(/^\[.*\]$/gm)?.pop() ?? block).slice(0, 60).split("\n")[0] +
  (MOUNTED.includes(block) ? " of a manifest" : "");

/** The programs of a block. Fails with what supervisord says against it. */
function parse(t: TestContext, block: string): Program[] {
  const file = path.join(temporaryDirectory(t), "supervisord.conf");
  fs.writeFileSync(file, wholeFile(block));
  return parseConfiguration(file);
}

/** What supervisord makes of the one block that sets a variable. */
function parsedVariable(t: TestContext, name: string): string {
  const blocks = BLOCKS.filter((block) => block.includes(`${name}=`));
  assert.equal(blocks.length, 1, `one recipe sets ${name}`);
  return parse(t, blocks[0])[0].environment[name];
}

/** What README shows between the quotes. */
function shownVariable(name: string): string | undefined {
  return new RegExp(`^environment=${name}="(.*)"$`, "m").exec(DOCUMENTS)?.[1].replaceAll("%%", "%");
}

// Each test is skipped, not their suite, so that the summary counts them.
const test = (name: string, body: (t: TestContext) => void | Promise<void>) =>
  nodeTest(name, { skip: skipWithoutSupervisord }, body);

describe("README's ini blocks", () => {
  for (const block of BLOCKS) {
    test(`supervisord takes, and supertick its settings: ${titleOf(block)}`, (t) => {
      const listeners = parse(t, block).filter(({ events }) => events.length > 0);
      assert.notEqual(listeners.length, 0);
      for (const { command, environment } of listeners) {
        const [, ...args] = command;
        const { status, stdout, stderr } = supertick(["check", ...args], environment);
        assert.equal(status, 0, stderr);
        assert.doesNotMatch(
          stdout,
          /^note: (?!on .* the clock (skips|repeats) |there is no program |every 5 ticks of )/m,
        );
      }
    });

    test(`supertick finds no mistake: ${titleOf(block)}`, (t) => {
      const file = path.join(temporaryDirectory(t), "supervisord.conf");
      fs.writeFileSync(file, wholeFile(block));
      const { status, stdout } = supertick(["check", file]);
      assert.equal(status, 0, stdout);
      assert.match(stdout, /^no mistake in \[eventlistener:\w+\]$/m);
      const notes = stdout.match(/^note: (?!.* there is no (?:program "\S+" )?.*on this machine).*$/gm) ?? [];
      assert.deepEqual(notes, []);
    });
  }

  test("supervisord takes, as a program: serve", (t) => {
    const [{ name, command, events }] = parse(t, SERVE);
    assert.deepEqual([name, command.slice(1), events], ["supertick-serve", ["serve", "9180"], []]);
  });

  test("are found, also those of one line", () => {
    assert.ok(BLOCKS.length >= 7 && BLOCKS.some(isLines));
    assert.equal(MOUNTED.length, 1);
    assert.equal(BLOCKS.filter((block) => /^\[supervisord\]/m.test(block)).length, 3);
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

  test("the ping's address is whole, and the end of the output arrives there", async (t) => {
    const address = new URL(parsedVariable(t, "TICK_PING"));
    assert.equal(address.href, "https://hc-ping.com/YOUR-UUID");
    const { url, bodies } = await postServer(t, address.pathname);
    const args = ["--ticks", "1", "--", "/bin/sh", "-c", "echo no db; exit 3"];
    const supervisord = await Supervisord.during(t, { args, env: { TICK_PING: url } });
    await supervisord.tick();
    await supervisord.until(() => bodies.has("/YOUR-UUID/fail"), "the last ping");
    assert.equal(bodies.get("/YOUR-UUID/fail")!.toString(), "no db\n");
    assert.ok(bodies.has("/YOUR-UUID/start"));
  });

  test("the mail has a subject, an empty line, and how the job ended", async (t) => {
    const directory = temporaryDirectory(t);
    const mail = path.join(directory, "message");
    const post = `#!/bin/sh\n{ echo "to $*"; cat; } >${mail}.new && mv ${mail}.new ${mail}\n`;
    for (const program of ["sendmail", "mail"]) fs.writeFileSync(path.join(directory, program), post, { mode: 0o755 });
    const supervisord = await Supervisord.during(t, {
      args: ["--ticks", "1", "--", "/bin/sh", "-c", "echo no db; exit 3"],
      name: "sync",
      env: { TICK_ON_FAILURE: parsedVariable(t, "TICK_ON_FAILURE"), PATH: `${directory}:${process.env.PATH}` },
    });
    await supervisord.tick();
    await supervisord.until(() => fs.existsSync(mail), "the mail");
    const message = "to ops@example.org\nSubject: sync: failure\n\nexit 3, run 1\n\nno db\n";
    assert.equal(fs.readFileSync(mail, "utf8"), message);
  });

  const withCurl = { skip: spawnSync("curl", ["--version"]).status === 0 ? false : "curl is not installed" };
  it("the message in a chat is JSON, whatever the job wrote", withCurl, async (t) => {
    const script = blocksOf("sh").find((text) => text.includes("# /usr/local/bin/to-chat"))!;
    const hook = path.join(temporaryDirectory(t), "to-chat");
    fs.writeFileSync(hook, script, { mode: 0o755 });
    const { url, bodies } = await postServer(t, "/chat");
    const supervisord = await Supervisord.during(t, {
      args: [
        "--ticks",
        "1",
        "--on-failure",
        hook,
        "--",
        "/bin/sh",
        "-c",
        `printf '"a" \\\\ b\\t\\033[1m\\nä\\000'; exit 4`,
      ],
      name: "sync",
      env: { CHAT_URL: url },
    });
    await supervisord.tick();
    await supervisord.until(() => bodies.has("/chat"), "the message");
    const { text } = JSON.parse(bodies.get("/chat")!.toString());
    assert.equal(text, 'sync: failure (exit 4)\n"a" \\ b [1m\nä\n');
  });
});

// ── Images ─────────────────────────────────────────────────────────────────

/** A Dockerfile's instructions, with continued lines joined and comments left out. */
function instructionsOf(dockerfile: string): string[] {
  const text = dockerfile.replace(/^\s*#.*\n/gm, "").replace(/\\\n/g, " ");
  return text.split("\n").filter((line) => line.trim() !== "");
}

describe("README's Dockerfiles", () => {
  const dockerfiles = blocksOf("dockerfile");
  const whole = dockerfiles.filter((text) => text.startsWith("FROM "));

  it("are one for Debian and one for Alpine, and lines for others", () => {
    const images = whole.map((text) => text.split(":")[0]);
    assert.deepEqual(images, ["FROM debian", "FROM alpine"]);
    assert.ok(dockerfiles.length > whole.length);
  });

  for (const text of dockerfiles) {
    it(`are instructions: ${text.split("\n")[0]}`, () => {
      for (const line of instructionsOf(text)) {
        const [, word, rest] = /^(FROM|RUN|COPY|ADD|HEALTHCHECK|CMD) +(\S.*)$/.exec(line) ?? assert.fail(line);
        if (word === "RUN") assert.equal(run(["sh", "-n", "-c", rest]).stderr, "");
        if (word === "CMD" || word === "HEALTHCHECK") assert.ok(JSON.parse(/\[.*/.exec(rest)![0]).length > 0);
        if (word !== "COPY") continue;
        const [source, target, ...more] = rest.split(" ").filter((part) => !part.startsWith("--"));
        assert.ok(source === "supervisord.conf" || fs.existsSync(path.join(ROOT, source)), source);
        assert.deepEqual([target[0], more], ["/", []]);
      }
    });
  }

  for (const text of whole) {
    it(`check and start the file that they copy: ${text.split("\n")[0]}`, () => {
      const instructions = instructionsOf(text).join("\n");
      const file = /^COPY supervisord.* (\S+)$/m.exec(instructions)![1];
      for (const line of [
        "COPY --chmod=755 dist/listener.js /usr/local/bin/supertick",
        `RUN supertick check ${file}`,
        `CMD ["supervisord", "-n", "-c", "${file}"]`,
      ])
        assert.ok(instructions.split("\n").includes(line), line);
      assert.match(instructions, /^RUN (apt|apk).* nodejs .*supervisor.* && mkdir -p \/var\/lib\/supertick$/m);
    });
  }
});

// ── Kubernetes ─────────────────────────────────────────────────────────────

const YAML = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin.read()))))";
/** A Python that has a parser for YAML. */
const yamlPython = ["/usr/bin/python3", "python3"].find(
  (python) => spawnSync(python, ["-c", "import yaml"]).status === 0,
);

describe("README's manifest for Kubernetes", () => {
  interface Manifest {
    kind: string;
    metadata: { name: string };
    // biome-ignore lint/suspicious/noExplicitAny: whatever the file says
    spec: any;
    data: Record<string, string>;
  }

  nodeTest(
    "mounts the configuration that supervisord is started with",
    { skip: yamlPython ? false : "python3-yaml is not installed" },
    () => {
      const { stdout } = spawnSync(yamlPython!, ["-c", YAML], { input: MANIFESTS[0], encoding: "utf8" });
      const [map, deployment]: Manifest[] = JSON.parse(stdout);
      assert.deepEqual([map.kind, deployment.kind], ["ConfigMap", "Deployment"]);
      const { replicas, selector, template } = deployment.spec;
      assert.equal(replicas, 3);
      assert.deepEqual(selector.matchLabels, template.metadata.labels);
      const { containers, volumes } = template.spec;
      const [{ command, volumeMounts, env }] = containers;
      const mount = volumeMounts.find(({ name }: { name: string }) => name === "configuration");
      assert.deepEqual(
        command.slice(-1),
        Object.keys(map.data).map((name) => `${mount.mountPath}/${name}`),
      );
      assert.deepEqual(
        volumes.map(({ name }: { name: string }) => name),
        volumeMounts.map(({ name }: { name: string }) => name),
      );
      assert.equal(volumes[0].configMap.name, map.metadata.name);
      assert.deepEqual(env, [{ name: "REDIS_URL", value: "redis://redis:6379" }]);
      assert.deepEqual(Object.values(map.data), MOUNTED);
    },
  );

  test("asks the same question as the recipe for Redis", (t) => {
    const [own, recipe] = [MOUNTED[0], BLOCKS.find((block) => block.includes("REDIS_URL="))!].map(
      (block) => parse(t, block)[0].environment.TICK_ONLY_IF,
    );
    assert.equal(own.replace(/\s+/g, " "), recipe.replace(/\s+/g, " "));
  });
});

// ── What init and check say ────────────────────────────────────────────────

describe("README's examples", () => {
  it("init prints what is shown", () => {
    const [, args, section] = /^\$ supertick (init .*)\n([^`]*)```/m.exec(DOCUMENTS)!;
    const { stdout } = run(["sh", "-c", `"$0" "$1" ${args}`, process.execPath, LISTENER]);
    assert.equal(stdout.replace(LISTENER, "/usr/local/bin/supertick"), `\n${section}`);
  });

  test("init makes a section without a mistake of each of its lines", (t) => {
    const directory = temporaryDirectory(t);
    fs.writeFileSync(path.join(directory, "supertick.crontab"), "@daily true\n");
    const lines = [...DOCUMENTS.matchAll(/^supertick (init [^[].*)$/gm)].map(([, args]) =>
      args.replace("/etc/", `${directory}/`),
    );
    const sections = lines.map((args) => run(["sh", "-c", `"$0" "$1" ${args}`, process.execPath, LISTENER]).stdout);
    fs.writeFileSync(path.join(directory, "supervisord.conf"), `[supervisord]\n${sections.join("")}`);
    const { stdout } = supertick(["check", path.join(directory, "supervisord.conf")]);
    const names = ["sync-all", "fetch-mail", "telescope-prune", "alert", "supertick.crontab", "schedule-run"];
    const titles = sections.map((text) => /:(.*)\]/.exec(text)?.[1]);
    assert.deepEqual(titles, names);
    const remarks = stdout.split("\n").filter((line) => !/ there is no .* on this machine|^$/.test(line));
    assert.deepEqual(
      remarks.map((line) => line.split(" [", 1)[0]),
      ["no mistake in"],
    );
  });

  it("check says what is shown", (t) => {
    const directory = temporaryDirectory(t);
    fs.mkdirSync(path.join(directory, "conf.d"));
    fs.writeFileSync(path.join(directory, "supervisord.conf"), "[supervisord]\n[include]\nfiles = conf.d/*.conf\n");
    const section = `[eventlistener:sync]\ncommand=${LISTENER} --every 5m --state /tmp/sync -- /bin/true\nevents=TICK_3600\n`;
    fs.writeFileSync(path.join(directory, "conf.d", "sync.conf"), section);
    const [, shown] = /^\$ supertick check \/etc\/.*\n([^`]*)```/m.exec(DOCUMENTS)!;
    const { stdout } = supertick(["check", path.join(directory, "supervisord.conf")]);
    assert.equal(stdout.split(directory).join("/etc/supervisor"), shown);
  });
});

// ── Links ──────────────────────────────────────────────────────────────────

it("README has at most 450 lines", () => {
  assert.ok(fs.readFileSync(path.join(ROOT, "README.md"), "utf8").split("\n").length <= 451);
});

describe("README's and REFERENCE's links", () => {
  /** A page without what is in fences or code. */
  const proseOf = (page: string) =>
    fs
      .readFileSync(path.join(ROOT, page), "utf8")
      .replace(/^```[\s\S]*?^```$/gm, "")
      .replace(/`[^`\n]*`/g, "x");
  /** As GitHub makes them of headings. */
  const anchorsOf = (page: string) =>
    [...proseOf(page).matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_ -]/gu, "")
        .replaceAll(" ", "-"),
    );

  for (const page of PAGES)
    it(`of ${page} lead to a file, and to a heading that is there once`, () => {
      const links = [...proseOf(page).matchAll(/\]\(([^)#]*)(?:#([^)]*))?\)/g)];
      assert.ok(links.length > 5);
      for (const [link, file, anchor] of links) {
        assert.ok(fs.existsSync(path.join(ROOT, file)), link);
        if (anchor !== undefined) assert.equal(anchorsOf(file || page).filter((a) => a === anchor).length, 1, link);
      }
    });
});
