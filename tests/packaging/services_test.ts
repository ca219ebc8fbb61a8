import assert from "node:assert/strict";
import { load, loadAll } from "js-yaml";
import { parseConfig } from "../../lib/config/parse.ts";
import { PERMISSIONS, UNSTABLE, V8_FLAGS } from "../../tools/permissions.ts";
import { runCommand, SOCKBAL } from "../support/command.ts";
import { findProgram, pathOf, skipWithout } from "../support/packages.ts";

const packaging = new URL("../../packaging/", import.meta.url).pathname;

const systemd = await findProgram("systemd-analyze", "systemd");
const prometheus = await findProgram("promtool", "prometheus");
const logrotate = await findProgram("logrotate", "logrotate");

const needsSystemd = skipWithout(systemd);
const unit = `${packaging}systemd/sockbal.service`;

Deno.test(`the units have no fault${needsSystemd.why}`, needsSystemd, async () => {
  const folder = await Deno.makeTempDir();
  // What it runs has to be there, and the manual page is installed elsewhere.
  const text = (await Deno.readTextFile(unit)).replaceAll("/usr/local/bin/sockbal", "/bin/true")
    .replace(/^Documentation=.*\n/m, "");
  await Deno.writeTextFile(`${folder}/sockbal.service`, text);
  await Deno.copyFile(`${packaging}systemd/sockbal.socket`, `${folder}/sockbal.socket`);
  const units = ["service", "socket"].map((kind) => `${folder}/sockbal.${kind}`);
  const { status, stderr } = await runCommand([pathOf(systemd), "verify", ...units]);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a start of the service is one process, since only the status of that one says whether to try again", async () => {
  const text = await Deno.readTextFile(unit);
  assert.deepEqual(text.match(/^Exec(Condition|Start)\w*(?==)/gm), ["ExecStart"]);
  assert.match(text, /^RestartPreventExitStatus=2$/m);
});

Deno.test(
  `the service can do little else than balance: exposure under 3.0${needsSystemd.why}`,
  needsSystemd,
  async () => {
    const { stdout } = await runCommand([
      pathOf(systemd),
      "security",
      "--offline=yes",
      "--threshold=30",
      unit,
    ]);
    const exposure = Number(/Overall exposure level for sockbal\.service: ([\d.]+)/.exec(stdout)?.[1]);
    assert.ok(exposure < 3, stdout);
  },
);

const needsPrometheus = skipWithout(prometheus);

Deno.test(
  `the rules for Prometheus tell of what they should, and of nothing else${needsPrometheus.why}`,
  needsPrometheus,
  async () => {
    const folder = `${packaging}prometheus/`;
    for (
      const [kind, file] of [["check", "sockbal.rules.yml"], ["test", "sockbal.rules.test.yml"]] as const
    ) {
      // deno-lint-ignore no-await-in-loop -- the tests are of use only to rules that can be read
      const { status, stdout, stderr } = await runCommand([pathOf(prometheus), kind, "rules", folder + file]);
      assert.equal(status, 0, stdout + stderr);
    }
  },
);

/** Names of metrics in an expression of PromQL. */
function metricsIn(text: string): string[] {
  return [...text.matchAll(/\bsockbal_[a-z0-9_]+/g)].map(([name]) => name.replace(/_bucket$/, ""));
}

async function namesOfMetrics(): Promise<Set<string>> {
  const admin = new URL("../../lib/admin/", import.meta.url);
  const texts = await Promise.all(
    ["metrics.ts", "histogram_metrics.ts"].map((file) => Deno.readTextFile(new URL(file, admin))),
  );
  return new Set(texts.flatMap((text) => metricsIn(text)));
}

Deno.test("rules and dashboard name only metrics that there are", async () => {
  const known = await namesOfMetrics();
  const rules = load(await Deno.readTextFile(`${packaging}prometheus/sockbal.rules.yml`)) as {
    groups: { rules: { expr: string }[] }[];
  };
  const dashboard = JSON.parse(await Deno.readTextFile(`${packaging}grafana/sockbal.json`)) as {
    panels: { targets: { expr: string }[] }[];
  };
  const used = [
    ...rules.groups.flatMap((group) => group.rules.map(({ expr }) => expr)),
    ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
  ].flatMap(metricsIn);
  assert.ok(used.length > 20);
  assert.deepEqual(used.filter((name) => !known.has(name)), []);
});

Deno.test(
  `every query of the dashboard is one for Prometheus${needsPrometheus.why}`,
  needsPrometheus,
  async () => {
    const { panels } = JSON.parse(await Deno.readTextFile(`${packaging}grafana/sockbal.json`)) as {
      panels: { title: string; targets: { expr: string }[] }[];
    };
    const folder = await Deno.makeTempDir();
    // What Grafana puts in.
    const filled = (expr: string): string =>
      expr.replaceAll("$__rate_interval", "1m").replaceAll("$instance", ".*").replaceAll("$pool", ".*");
    const rules = panels.flatMap(({ targets }, i) =>
      targets.map(({ expr }, j) => ({ record: `panel:${i}:${j}`, expr: filled(expr) }))
    );
    await Deno.writeTextFile(
      `${folder}/queries.yml`,
      JSON.stringify({ groups: [{ name: "queries", rules }] }),
    );
    const { status, stdout, stderr } = await runCommand([
      pathOf(prometheus),
      "check",
      "rules",
      `${folder}/queries.yml`,
    ]);
    assert.equal(status, 0, stdout + stderr);
    await Deno.remove(folder, { recursive: true });
  },
);

Deno.test("the panels of the dashboard do not overlap, and each has its own number and title", async () => {
  const { panels } = JSON.parse(await Deno.readTextFile(`${packaging}grafana/sockbal.json`)) as {
    panels: { id: number; title: string; gridPos: { x: number; y: number; w: number; h: number } }[];
  };
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  assert.equal(new Set(panels.map(({ title }) => title)).size, panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) => {
    assert.ok(x + w <= 24);
    return Array.from({ length: w * h }, (_, i) => `${x + i % w} ${y + Math.floor(i / w)}`);
  });
  assert.equal(new Set(cells).size, cells.length);
});

const needsLogrotate = skipWithout(logrotate);
Deno.test(`logrotate takes its file${needsLogrotate.why}`, needsLogrotate, async () => {
  const folder = await Deno.makeTempDir();
  // The user of the service is not on every machine.
  const text = (await Deno.readTextFile(`${packaging}logrotate/sockbal`)).replaceAll(
    "sockbal sockbal",
    "root root",
  )
    .replaceAll("/var/log/sockbal", folder);
  await Deno.writeTextFile(`${folder}/rotate`, text);
  await Deno.writeTextFile(`${folder}/sessions.log`, "a record\n");
  const command = [pathOf(logrotate), "--debug", "--state", `${folder}/state`, `${folder}/rotate`];
  const { stdout, stderr } = await runCommand(command);
  assert.doesNotMatch(stdout + stderr, /error/);
  assert.match(stderr, /considering log .*sessions\.log/);
  await Deno.remove(folder, { recursive: true });
});

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
}

/** Where the schema of each kind is in the package. */
const MODELS: Readonly<Record<string, string>> = {
  ConfigMap: "v1",
  Secret: "v1",
  Service: "v1",
  Deployment: "apps/v1",
  PodDisruptionBudget: "policy/v1",
};

/** Not one of the project's own packages: it has thousands of files, and only this test needs it. */
const SCHEMAS = "kubernetes-models@5.1.0";

const npm = await findProgram("npm", "npm");
const needsNpm = skipWithout(npm);
Deno.test(`each manifest is what the schema of Kubernetes asks for${needsNpm.why}`, needsNpm, async () => {
  const manifests = loadAll(await Deno.readTextFile(`${packaging}kubernetes/sockbal.yaml`)) as Manifest[];
  assert.deepEqual(manifests.map(({ kind }) => kind).sort(), Object.keys(MODELS).sort());
  const folder = await Deno.makeTempDir();
  const install = [pathOf(npm), "install", "--no-audit", "--no-fund", "--prefix", folder, SCHEMAS];
  const installed = await runCommand(install);
  assert.equal(installed.status, 0, installed.stderr);
  const checks = manifests.map((manifest, i) => {
    const path = `kubernetes-models/${MODELS[manifest.kind]}/${manifest.kind}`;
    return `import { ${manifest.kind} as Model${i} } from "${path}";
new Model${i}(${JSON.stringify(manifest)}).validate();`;
  });
  await Deno.writeTextFile(`${folder}/check.mjs`, checks.join("\n"));
  const { status, stderr } = await runCommand(["node", `${folder}/check.mjs`]);
  assert.equal(status, 0, stderr);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("the configuration in the manifests is one for sockbal", async () => {
  const manifests = loadAll(await Deno.readTextFile(`${packaging}kubernetes/sockbal.yaml`)) as Manifest[];
  const text = manifests.find(({ kind }) => kind === "ConfigMap")?.data?.["balancer.yaml"] ?? "";
  const config = parseConfig(text, "/etc/sockbal/balancer.yaml");
  assert.equal(config.listeners.length, 1);
  assert.ok(config.shutdownDelayMs + config.shutdownTimeoutMs < 75_000);
});

Deno.test("the Dockerfile copies what there is, pins Deno as the README does, and runs as no root", async () => {
  const text = await Deno.readTextFile(`${packaging}docker/Dockerfile`);
  const copies = [...text.matchAll(/^COPY (?!--from)(.*)$/gm)].flatMap(([, words = ""]) =>
    words.split(" ").slice(0, -1)
  );
  await Promise.all(copies.map((path) => Deno.stat(`${packaging}../${path}`)));
  const readme = await Deno.readTextFile(`${packaging}../README.md`);
  assert.equal(/deno@([\d.]+)/.exec(text)?.[1], /deno@([\d.]+)/.exec(readme)?.[1]);
  assert.match(text, /^USER [1-9]/m);
  assert.match(text, /^HEALTHCHECK/m);
});

Deno.test("the configuration in the image is one for sockbal, and listens where its port can be published", async () => {
  const file = `${packaging}docker/balancer.yaml`;
  const { status, stdout, stderr } = await runCommand(
    [...SOCKBAL, "--role", "balancer", "--config", file, "--check"],
    { env: { BACKEND: "10.0.0.5:8080" } },
  );
  assert.deepEqual([status, stdout, stderr], [0, `${file}: ok (1 listener, 1 pool, 1 backend)\n`, ""]);
  const { listeners } = load(await Deno.readTextFile(file)) as { listeners: { listen: string }[] };
  const image = await Deno.readTextFile(`${packaging}docker/Dockerfile`);
  assert.deepEqual(listeners.map(({ listen }) => listen), [`:${/^EXPOSE (\d+)$/m.exec(image)?.[1]}`]);
  assert.match(image, /^COPY packaging\/docker\/balancer\.yaml \/etc\/sockbal\/balancer\.yaml$/m);
});

Deno.test("the command of the container has the permissions of every other packed form", async () => {
  const text = await Deno.readTextFile(`${packaging}docker/sockbal`);
  const flags = text.match(/(?<=\s)--\S+/g) ?? [];
  const ofTheContainer = ["--quiet", "--no-config", "--cached-only"];
  assert.deepEqual(flags.sort(), [...ofTheContainer, ...PERMISSIONS, ...UNSTABLE, V8_FLAGS].sort());
});
