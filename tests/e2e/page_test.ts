// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** The page in a real browser, with a real balancer behind it. */

import assert from "node:assert/strict";
import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";
import { enter, startNamedBackend, visit } from "../support/backend.ts";
import { makeCertificate, noOpenssl } from "../support/certificates.ts";
import { type RunningCommand, sockbal, startSockbal } from "../support/command.ts";
import { ETCD, Etcd } from "../support/etcd.ts";
import { findProgram, skipWithout } from "../support/packages.ts";
import { refusedPort } from "../support/ports.ts";

const found = await findProgram("chromium", "chromium");
const skipped = "missing" in found ? ` (skipped: ${found.missing})` : "";

interface Setting {
  readonly page: Page;
  /** Of the admin side. */
  readonly origin: string;
  /** What the browser complained about, and requests to anybody else. */
  readonly complaints: string[];
}

/** Runs a test with a browser that has the page open. */
async function withPage(
  origin: string,
  test: (setting: Setting) => Promise<void>,
  width = 1280,
): Promise<void> {
  let browser: Browser | undefined;
  try {
    browser = await chromium.launch({
      executablePath: "path" in found ? found.path : "",
      args: ["--no-sandbox"],
    });
    const page = await browser.newPage({ viewport: { width, height: 900 } });
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => {
      // While the balancer is away the browser says so itself.
      const isOwn = !/Failed to load resource|ERR_CONNECTION|ERR_INCOMPLETE/.test(message.text());
      if (message.type() === "error" && isOwn) complaints.push(message.text());
    });
    page.on("request", (request) => {
      const { protocol, origin: to } = new URL(request.url());
      if (protocol !== "data:" && to !== origin) complaints.push(request.url());
    });
    await page.goto(origin);
    await test({ page, origin, complaints });
    assert.deepEqual(complaints, []);
  } finally {
    await browser?.close();
  }
}

async function writeConfig(
  backends: readonly string[],
  ports: { web: number; admin: number },
): Promise<string> {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  await Deno.writeTextFile(
    file,
    `listeners: [{ name: web, listen: 127.0.0.1:${ports.web}, pool: web }]
pools:
  web:
    backends: [${backends.join(", ")}]
    health_check: { interval: 100ms, rise: 1, fall: 1 }
admin: { listen: 127.0.0.1:${ports.admin} }
workers: 1
`,
  );
  return file;
}

async function start(file: string): Promise<RunningCommand> {
  const balancer = startSockbal("--role", "balancer", "--config", file);
  await balancer.sees(/ ready /);
  return balancer;
}

/** The row of a backend in the table of its pool. */
function row(page: Page, backend: string): ReturnType<Page["locator"]> {
  return page.locator("#pools tbody tr").filter({ hasText: backend });
}

Deno.test({
  name:
    `the page shows a backend going down and back, drains one, and survives a restart of the balancer${skipped}`,
  ignore: skipped !== "",
  // The browser's driver keeps timers and pipes of its own.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const ports = { web: refusedPort(), admin: refusedPort() };
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using flaky = startNamedBackend("flaky");
    const members = [a, b, flaky].map((it) => `{ address: ${it.member.address}, name: ${it.member.name} }`);
    const file = await writeConfig(members, ports);
    let balancer = await start(file);
    try {
      await withPage(`http://127.0.0.1:${ports.admin}`, async ({ page }) => {
        const flakyRow = row(page, "flaky");
        await flakyRow.getByText("up", { exact: true }).waitFor();
        await flaky.goDown();
        await flakyRow.getByText("down", { exact: true }).waitFor();
        await page.locator("#events").getByText(/flaky/).first().waitFor();
        flaky.comeUp();
        await flakyRow.getByText("up", { exact: true }).waitFor();

        await flakyRow.getByRole("button").click();
        await page.getByRole("menuitem", { name: "Drain…" }).click();
        await page.getByRole("dialog").getByRole("button", { name: "Drain" }).click();
        await flakyRow.getByText("draining", { exact: true }).waitFor();

        balancer.kill("SIGTERM");
        await balancer.finished;
        await page.getByText("reconnecting…").waitFor();
        balancer = await start(file);
        await flakyRow.getByText("up", { exact: true }).waitFor();
        assert.deepEqual(await violations(page), []);
      });
    } finally {
      await balancer[Symbol.asyncDispose]();
      await Deno.remove(file);
    }
  },
});

Deno.test({
  name: `the page of a balancer in a fleet says since when etcd is away${skipped}`,
  ignore: skipped !== "",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const ports = { web: refusedPort(), admin: refusedPort() };
    await using a = startNamedBackend("a");
    const file = await writeConfig([a.member.address], ports);
    const etcd = `{ endpoints: ["http://127.0.0.1:${refusedPort()}"], prefix: /fleet/ }`;
    const fleet = `fleet: { etcd: ${etcd}, name: lb1, advertise: 127.0.0.1:${ports.admin} }\n`;
    await Deno.writeTextFile(file, fleet, { append: true });
    await using _ = await start(file);
    await withPage(`http://127.0.0.1:${ports.admin}`, async ({ page }) => {
      await page.locator("#fleet").getByText(/etcd does not answer for \d+\ss .* connection refused/)
        .waitFor();
      await page.locator("#fleet").getByText("this one", { exact: true }).waitFor();
      assert.deepEqual(await violations(page), []);
    });
    await Deno.remove(file);
  },
});

Deno.test({
  name: `a thousand backends can be searched on the page, at the width of a phone too${skipped}`,
  ignore: skipped !== "",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const ports = { web: refusedPort(), admin: refusedPort() };
    const nobody = refusedPort();
    const many = Array.from(
      { length: 1_000 },
      (_, i) => `{ address: "127.0.${1 + i % 250}.${1 + Math.floor(i / 250)}:${nobody}", name: b${i} }`,
    );
    const file = await writeConfig(many, ports);
    const text = (await Deno.readTextFile(file)).replace(/ +health_check.*\n/, "");
    await Deno.writeTextFile(file, text);
    await using _balancer = await start(file);
    for (const width of [1280, 360]) {
      await withPage(`http://127.0.0.1:${ports.admin}`, async ({ page }) => {
        await row(page, "b999").first().waitFor({ state: "attached" });
        await page.locator("#search").fill("b77");
        await page.waitForFunction(
          `[...document.querySelectorAll("#pools tbody tr")].filter((it) => it.offsetParent !== null).length === 11`,
        );
        const overflow: unknown = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
        assert.ok(
          typeof overflow === "number" && overflow <= 0,
          `the page is ${overflow} pixels too wide at ${width}`,
        );
        assert.deepEqual(await violations(page), []);
      }, width);
    }
    await Deno.remove(file);
  },
});

Deno.test({
  name: `in an incident the page says so first, and has what an operator needs to act${skipped}`,
  ignore: skipped !== "",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const ports = { web: refusedPort(), admin: refusedPort() };
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    const members = [a, b].map((it) =>
      `{ address: ${it.member.address}, name: ${it.member.name}, weight: 2 }`
    );
    const file = await writeConfig(members, ports);
    await using _balancer = await start(file);
    const sessions = await Promise.all(
      [1, 2].map(() => Deno.connect({ hostname: "127.0.0.1", port: ports.web })),
    );
    await withPage(`http://127.0.0.1:${ports.admin}`, async ({ page, origin }) => {
      // A weight that differs from the file is put back.
      await fetch(`${origin}/api/pools/web/backends/a/weight`, {
        method: "PUT",
        headers: { "content-type": "application/json" },
        body: '{"weight": 5}',
      }).then((it) => it.body?.cancel());
      const rowOfA = page.locator("#pools tbody tr").first();
      await rowOfA.getByText("file: 2").waitFor();
      await rowOfA.getByRole("button").click();
      await page.getByRole("menuitem", { name: "Put weight back…" }).click();
      await page.getByRole("button", { name: "Set 2" }).click();
      await rowOfA.getByText("file: 2").waitFor({ state: "hidden" });

      // Sessions are found and ended one by one.
      await page.getByRole("button", { name: "Sessions…" }).click();
      await page.getByText("2 found").waitFor();
      const end = page.locator("#session-rows button").first();
      await end.click();
      await page.getByRole("button", { name: /^End the session/ }).first().click();
      await page.locator("#session-rows tr").nth(1).waitFor({ state: "detached" });
      assert.deepEqual(await violations(page), []);
      await page.locator("#sessions-close").click();

      // The configuration in force, which a check takes as it stands.
      await page.getByRole("button", { name: "Configuration…" }).click();
      await page.getByText("shutdown_timeout: 30s").waitFor();
      const shown = await page.locator("#config-text").textContent() ?? "";
      await Deno.writeTextFile(`${file}.shown.yaml`, shown);
      const checked = await sockbal("--role", "balancer", "--config", `${file}.shown.yaml`, "--check");
      assert.equal(checked.status, 0, checked.stderr);
      await Deno.remove(`${file}.shown.yaml`);
      await page.locator("#config-close").click();

      // The whole pool goes out of service.
      await page.getByRole("button", { name: "Whole pool…" }).click();
      await page.getByRole("menuitem", { name: "Disable…" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Disable" }).click();
      await page.getByText("web: 0 of 2 available").waitFor();
      await page.locator("#events").getByText("pool down").waitFor();
      await visit(ports.web);
      await page.locator(".chart").first().getByText("no backend").waitFor();
      await page.locator(".listeners tbody [data-part=refused]").getByText("1", { exact: true }).waitFor();
      assert.deepEqual(await violations(page), []);

      // What is shown stands in the address.
      await page.locator("#search").fill("a");
      await page.locator("#dense").check();
      await page.getByRole("button", { name: "1 min" }).click();
      await page.getByRole("button", { name: "Active" }).click();
      await page.reload();
      assert.equal(await page.locator("#search").inputValue(), "a");
      assert.equal(await page.locator("#dense").isChecked(), true);
      await page.locator('[data-range="60"][aria-pressed="true"]').waitFor();
      await page.locator('th[data-sort="active"][aria-sort="descending"]').waitFor();
      const beyond: unknown = await page.evaluate(
        "document.documentElement.scrollHeight - Math.ceil(document.querySelector('main').getBoundingClientRect().bottom + scrollY)",
      );
      assert.ok(typeof beyond === "number" && beyond <= 1, `${beyond} pixels of nothing below`);
    });
    for (const session of sessions) session.close();
    await Deno.remove(file);
  },
});

Deno.test({
  name: `the page says where backends are discovered, and what keeps that from working${skipped}`,
  ignore: skipped !== "",
  // The browser's driver keeps timers and pipes of its own.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    await using a = startNamedBackend("a");
    const ports = { web: refusedPort(), admin: refusedPort() };
    const file = await writeConfig([], ports);
    const members = await Deno.makeTempFile({ suffix: ".yaml" });
    const found = `- { name: found, address: ${a.member.address} }\n`;
    await Deno.writeTextFile(members, `${found}- { name: twin, address: ${a.member.address} }\n`);
    const config = await Deno.readTextFile(file);
    await Deno.writeTextFile(file, config.replace("backends: []", `discover: { file: ${members} }`));
    {
      await using _ = await start(file);
      await withPage(`http://127.0.0.1:${ports.admin}`, async ({ page }) => {
        const mark = page.locator("#pools [data-part=discovery]");
        await row(page, "found").waitFor();
        await mark.getByText("1 left out").waitFor();
        assert.equal(await mark.getAttribute("data-discovery"), "partly");
        await Deno.writeTextFile(members, "- nonsense\n");
        await mark.getByText("failing for").waitFor();
        assert.equal(await mark.getAttribute("data-discovery"), "failing");
        await Deno.writeTextFile(members, found);
        await page.locator("#pools [data-discovery=well]").waitFor();
      });
    }
    await Deno.remove(file);
    await Deno.remove(members);
  },
});

const noEtcd = skipWithout(ETCD);

Deno.test({
  name: `the page says what became of a change in etcd, and since when etcd is away${skipped}${noEtcd.why}`,
  ignore: skipped !== "" || noEtcd.ignore,
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const ports = { web: refusedPort(), admin: refusedPort() };
    const file = await writeConfig(["127.0.0.1:9"], ports);
    await using etcd = new Etcd();
    await etcd.start();
    const text = await Deno.readTextFile(file);
    await Deno.remove(file);
    await etcd.put("/balancer.yaml", text);
    await using _ = await start(`etcd://127.0.0.1:${etcd.port}/balancer.yaml`);
    await withPage(`http://127.0.0.1:${ports.admin}`, async ({ page }) => {
      const banner = page.locator("#rollout");
      await page.locator("#config[title^=digest]").waitFor();
      assert.equal(await banner.isVisible(), false);
      await etcd.put("/balancer.yaml", "nonsense");
      await banner.getByText(/^The configuration of revision \d+ is not in force until the next reload\.$/)
        .waitFor();
      await etcd.stop();
      await banner.getByText(/etcd cannot be asked for .* Everything goes on as it is\.$/).waitFor();
      await etcd.start();
      await etcd.put("/balancer.yaml", text);
      await banner.waitFor({ state: "hidden" });
    });
  },
});

const withCertificates = `${skipped}${noOpenssl.why}`;

Deno.test({
  name:
    `the page says when a certificate expires, with a mark when that is soon, until it is renewed${withCertificates}`,
  ignore: withCertificates !== "",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const ports = { web: refusedPort(), admin: refusedPort() };
    await using a = startNamedBackend("a");
    const folder = await Deno.makeTempDir();
    const { cert, key } = await makeCertificate(folder, "web", { days: 9 });
    const file = await writeConfig([a.member.address], ports);
    const tls = `tls: { certificates: [{ cert: ${cert}, key: ${key} }] }`;
    await Deno.writeTextFile(
      file,
      (await Deno.readTextFile(file)).replace("pool: web }", `pool: web, ${tls} }`),
    );
    await using _balancer = await start(file);
    await withPage(`http://127.0.0.1:${ports.admin}`, async ({ page }) => {
      const mark = page.locator("#listener-rows [data-part=certificates]");
      await mark.getByText("certificate expires in 8 days").waitFor();
      assert.equal(await mark.getAttribute("data-certificate"), "expires_soon");
      assert.match(
        await mark.getAttribute("title") ?? "",
        /^CN=web\.example · web\.example · valid from .* SHA-256 /,
      );
      assert.equal(
        await page.locator("#pools [data-part=certificates]").isHidden(),
        true,
        "the pool has none",
      );
      assert.deepEqual(await violations(page), []);
      await makeCertificate(folder, "web");
      await mark.getByText("certificate expires in 364 days").waitFor();
      assert.equal(await mark.getAttribute("data-certificate"), "valid");
      await page.locator("#events").getByText("keys renewed").waitFor();
      assert.deepEqual(await violations(page), []);
    });
    await Deno.remove(folder, { recursive: true });
    await Deno.remove(file);
  },
});

const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** What axe finds about contrast, labels and the rest of WCAG 2 AA, in the light and in the dark. */
async function violations(page: Page): Promise<string[]> {
  const all: string[] = [];
  await page.evaluate(axe.source);
  // What a search hides cannot be seen, and looking at a thousand rows takes ten seconds.
  await page.evaluate(`document.querySelectorAll("#pools tr[hidden]").forEach((it) => it.remove())`);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    const found = await page.evaluate(
      `axe.run(document, { runOnly: { type: "tag", values: ${JSON.stringify(TAGS)} } })
        .then(({ violations }) => violations.map((it) => it.id + ": " + it.nodes[0].html))`,
    ) as string[];
    all.push(...found.map((it) => `${colorScheme} ${it}`));
  }
  return all;
}

Deno.test({
  name:
    `the page shows who is held back and who is served, in light and dark and at the width of a phone${skipped}`,
  ignore: skipped !== "",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const ports = { web: refusedPort(), admin: refusedPort() };
    await using a = startNamedBackend("a");
    const file = await writeConfig([`{ address: ${a.member.address}, name: a }`], ports);
    const text = await Deno.readTextFile(file);
    await Deno.writeTextFile(
      file,
      text.replace("pool: web }", "pool: web, max_connections_per_source: 2, deny: [192.0.2.0/24] }"),
    );
    await using _balancer = await start(file);
    const held = (page: Page): ReturnType<Page["locator"]> => page.locator("#held-back-rows tr");
    await withPage(`http://127.0.0.1:${ports.admin}`, async ({ page }) => {
      await page.locator("#listener-rows tr").waitFor();
      assert.ok(!await page.locator("#held-back").isVisible(), "nobody is held back");
      const guests = [await enter(ports.web), await enter(ports.web)];
      await held(page).getByText("served").waitFor();
      assert.match(await held(page).first().innerText(), /^127\.0\.0\.1\s+web\s+served\s+[12] \/ 2\s*$/);
      assert.deepEqual([await visit(ports.web), await visit(ports.web)], ["", ""]);
      await held(page).getByText("too many at once").waitFor();
      await page.locator("#listener-rows").getByText("source limit 2").waitFor();
      assert.match(
        await held(page).first().innerText(),
        /127\.0\.0\.1\s+web\s+too many at once\s+2 \/ 2\s+2/,
      );
      assert.equal(await held(page).count(), 1, "it is not shown as served again");
      assert.deepEqual(await violations(page), []);
      for (const guest of guests) guest[Symbol.dispose]();
    });
    await withPage(`http://127.0.0.1:${ports.admin}`, async ({ page }) => {
      await held(page).getByText("too many at once").waitFor();
      const overflow: unknown = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      assert.ok(typeof overflow === "number" && overflow <= 0, `${overflow} pixels too wide`);
    }, 360);
    await Deno.remove(file);
  },
});
