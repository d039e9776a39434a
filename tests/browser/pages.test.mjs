// Tests all pages of the built function in Debian's Chromium.
//
//   PROGRAM=target/debug/target-allocator node --test tests/browser
//
// CHROMIUM names another browser. SCREENSHOTS names a folder for pictures of the main pages.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import axe from "axe-core";
import { chromium } from "playwright-core";

import { start } from "./function.mjs";
import { HOSTILE, many } from "./many.mjs";

const ROOT = resolve(fileURLToPath(import.meta.url), "../../..");
const PROGRAM = resolve(process.env.PROGRAM ?? join(ROOT, "target/debug/target-allocator"));
const PAGES = [
  "",
  "debug/jobs",
  "debug/job?job_id=serviceMonitor/shop/backends/0",
  "debug/targets",
  "debug/collectors",
  "debug/collector?collector_id=otel-collector-0",
  "debug/scrape_configs",
  "debug/report",
  "explain",
  "explain?monitor=ServiceMonitor/shop/backends",
  "explain?monitor=ServiceMonitor/payments/refunds",
  "explain?service=shop/web",
  "explain?collector=nobody",
  "explain?any=web",
];

let browser;
let shop;
let folder;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "target-allocator-browser-"));
  writeFileSync(join(folder, "many.json"), JSON.stringify(many(250)));
  shop = await start(
    PROGRAM,
    {
      CLUSTER: `prod=manifests:${ROOT}/examples/shop/cluster,many=manifests:${folder}/many.json`,
      ALLOCATOR_CONFIG_FILE: `${ROOT}/examples/shop/targetallocator.yaml`,
      SECRETS: "inline",
      SNAPSHOT_TTL: "600",
    },
    "prod",
  );
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu"],
  });
});

after(async () => {
  await browser?.close();
  shop?.stop();
  rmSync(folder, { recursive: true, force: true });
});

// A tab. Its errors and dialogs fail the test at its end.
async function tab(t, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 800 }, ...options });
  const page = await context.newPage();
  const faults = [];
  // The browser logs an error for a page with status 404. The status has its own check.
  page.on("console", (message) => message.type() === "error" && !message.text().includes("404 (Not Found)") && faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("dialog", (dialog) => {
    faults.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  t.after(async () => {
    await context.close();
    assert.deepEqual(faults, []);
  });
  return page;
}

async function open(page, path, base = shop.base) {
  const answer = await page.goto(base + path);
  assert.equal(answer.status(), 200, path);
  assert.match(answer.headers()["content-type"], /^text\/html/, path);
  return answer;
}

async function violations(page) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 120)).join(" | ")}`);
}

async function picture(page, name) {
  if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`) });
}

for (const colorScheme of ["light", "dark"]) {
  for (const [width, height] of [
    [1100, 800],
    [360, 740],
  ]) {
    test(`every page is accessible and fits: ${colorScheme}, ${width} pixels wide`, async (t) => {
      const page = await tab(t, { colorScheme, viewport: { width, height } });
      for (const path of PAGES) {
        await open(page, path);
        assert.deepEqual(await violations(page), [], path);
        const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${path} is ${wide} pixels too wide`);
        const [ground, text] = await page.evaluate(() => {
          const { backgroundColor, color } = getComputedStyle(document.body);
          return [backgroundColor, color].map((color) => Number(color.match(/\d+/)[0]));
        });
        assert.equal(ground < text, colorScheme === "dark", path);
      }
    });
  }
}

test("every link leads to a page, wherever the base is", async (t) => {
  const page = await tab(t);
  const seen = new Set();
  const queue = [shop.base];
  while (queue.length > 0 && seen.size < 150) {
    const url = queue.shift();
    if (seen.has(url)) continue;
    seen.add(url);
    const answer = await page.goto(url);
    assert.equal(answer.status(), 200, url);
    const links = await page.$$eval("a[href]", (links) => links.map((link) => link.href.split("#")[0]));
    for (const link of links) {
      assert.ok(link.startsWith(shop.base), `${url} links to ${link}`);
      queue.push(link);
    }
  }
  assert.ok(seen.size > 100, `only ${seen.size} pages`);
});

test("the base without a cluster offers the clusters", async (t) => {
  const page = await tab(t);
  await open(page, "", shop.top);
  await page.getByRole("link", { name: "prod" }).click();
  assert.equal(page.url(), shop.base);
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  await picture(page, "overview");
});

test("targets are searched and paged by the server", async (t) => {
  const page = await tab(t);
  const base = shop.base.replace("/prod/", "/many/");
  await open(page, "debug/targets?q=10.1.", base);
  const shown = () => page.locator(".paging span").innerText();
  const rows = () => page.locator("tbody tr").count();
  assert.equal(await shown(), "1 to 100 of 250");
  assert.equal(await rows(), 100);
  await page.getByRole("link", { name: "Next" }).click();
  await page.getByRole("link", { name: "Next" }).click();
  assert.equal(await shown(), "201 to 250 of 250");
  assert.equal(await rows(), 50);
  await page.getByRole("link", { name: "Previous" }).click();
  assert.equal(await shown(), "101 to 200 of 250");
  await page.getByLabel("Address, job or label contains").fill("10.1.0.24");
  await page.keyboard.press("Enter");
  await page.waitForURL(/q=10\.1\.0\.24/);
  assert.equal(await shown(), "1 to 11 of 11");
  await page.getByLabel("Filter these rows").fill("10.1.0.249");
  assert.equal(await page.locator("tbody tr:visible").count(), 1);
  await page.getByRole("link", { name: "10.1.0.249:80" }).click();
  await page.getByRole("heading", { name: "Target 10.1.0.249:80" }).waitFor();
  await open(page, "debug/targets?q=10.1.&collector_id=none", base);
  assert.equal(await shown(), "1 to 100 of 250", "no collector is assigned these targets");
});

test("a dropped target is explained by the rule that dropped it", async (t) => {
  const page = await tab(t);
  await open(page, "explain");
  const canary = (await (await fetch(`${shop.base}explain?service=shop/catalog`)).json()).targets.find(
    (trace) => trace.fate.is === "dropped" && trace.fate.reason.includes("canary"),
  );
  await page.getByLabel("Kind").selectOption("target");
  await page.getByLabel("Name", { exact: true }).fill(canary.address);
  await page.getByRole("button", { name: "Explain" }).click();
  assert.match(await page.locator("#summary").innerText(), /is not scraped: \d+ dropped/);
  const trace = page.locator("details.trace", { hasText: "spec.endpoints[0].relabelings[0]: drop where" }).first();
  if (!(await trace.evaluate((details) => details.open))) await trace.locator("summary").first().click();
  const dropping = trace.locator("tr.drops");
  assert.match(await dropping.innerText(), /__meta_kubernetes_pod_label_track.*canary/s);
  const idle = trace.locator("details", { hasText: "Rules without effect" });
  assert.equal(await idle.locator("table").isVisible(), false, "rules that did nothing are folded");
  await idle.locator("summary").click();
  assert.ok((await idle.locator("tbody tr:visible").count()) > 0);
  assert.equal(await dropping.isVisible(), true);
  await picture(page, "explain");
  await open(page, "debug/job?job_id=serviceMonitor/shop/backends/0");
  await picture(page, "job");
});

test("the overview has a verdict with links to explanations", async (t) => {
  const page = await tab(t);
  await open(page, "");
  const verdict = page.locator("#verdict");
  assert.match(await verdict.innerText(), /refused, in full or in part/);
  await verdict.getByRole("link").first().click();
  assert.ok(await page.locator("#summary").isVisible(), "the first link leads to an explanation");
});

test("a service that no monitor selects shows the nearest monitors", async (t) => {
  const page = await tab(t);
  await open(page, "explain?service=near/website", shop.base.replace("/prod/", "/many/"));
  assert.match(await page.locator("#nearest").innerText(), /app=web required, app=website found/);
});

test("without scripts everything is there and forms work", async (t) => {
  const page = await tab(t, { javaScriptEnabled: false });
  await open(page, "debug/jobs");
  assert.equal(await page.getByLabel("Filter these rows").count(), 0);
  await page.getByLabel("Name contains").fill("BACKENDS");
  await page.getByRole("button", { name: "Search" }).click();
  assert.equal(await page.locator("tbody tr").count(), 1);
  await page.getByRole("link", { name: "serviceMonitor/shop/backends/0" }).click();
  await page.locator("summary").first().click();
  assert.ok(await page.locator("details[open] table").first().isVisible());
  await page.getByRole("link", { name: "Explain" }).click();
  await page.getByLabel("Name", { exact: true }).fill("shop/bckends");
  await page.getByRole("button", { name: "Explain" }).click();
  assert.match(await page.locator("#summary").innerText(), /did you mean ServiceMonitor\/shop\/backends\?/);
  await page.locator("#candidates a").first().click();
  await page.getByRole("heading", { name: "Is ServiceMonitor/shop/backends scraped?" }).waitFor();
  assert.match(await page.locator("#summary").innerText(), /is scraped by .* every .* as job/);
  await page.getByLabel("Kind").selectOption("pod");
  await page.getByLabel("Name", { exact: true }).fill("a/b/c");
  await page.getByRole("button", { name: "Explain" }).click();
  assert.match(await page.getByRole("alert").innerText(), /pod must be NAMESPACE\/NAME/);
});

test("the keyboard reaches everything", async (t) => {
  const page = await tab(t);
  await open(page, "debug/targets");
  const focused = () => page.evaluate(() => document.activeElement.innerText || document.activeElement.name);
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Skip to the content");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, "solid", "the focus is seen");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "q", "the links of the header are skipped");
  await page.keyboard.type("redis");
  await page.keyboard.press("Enter");
  await page.waitForURL(/q=redis/);
  assert.ok((await page.locator("tbody tr").count()) > 0);
});

// Pages that show texts of tenants, and pages that show texts of the request.
function hostilePages(text, at) {
  const asked = encodeURIComponent(text);
  return [
    `debug/targets?q=odd-${at}`,
    `debug/targets?q=${asked}`,
    `debug/jobs?q=${asked}`,
    `debug/targets?job_id=${asked}&collector_id=${asked}`,
    `debug/job?job_id=serviceMonitor/odd/odd-${at}/0`,
    `debug/job?job_id=serviceMonitor/odd/${asked}/0`,
    `explain?by=pod&name=${asked}`,
    `explain?pod=odd/${asked}`,
    `explain?service=odd/odd-${at}`,
    `explain?monitor=ServiceMonitor/odd/${asked}`,
    `explain?monitor=ServiceMonitor/odd/left%20out%20${asked}`,
    `explain?collector=${asked}`,
    `explain?target=10.9.9.${at}:80`,
  ];
}

// A text as a page shows it: characters without width, or that change the direction, are written out.
const HIDDEN = /[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/gu;
const visible = (text) => text.replace(HIDDEN, (hidden) => `\\u{${hidden.codePointAt(0).toString(16)}}`);

// Elements of the document that could run, load or send something.
function content(page) {
  return page.evaluate(() => {
    const elements = [...document.querySelectorAll("*")];
    const attributes = elements.flatMap((element) => element.getAttributeNames());
    const links = elements.filter((element) => element.href ?? element.src ?? element.action);
    return {
      elements: [...new Set(elements.map((element) => element.localName))],
      attributes: [...new Set(attributes)],
      addresses: [...new Set(links.map((link) => link.href ?? link.src ?? link.action))],
      scripts: document.scripts.length,
    };
  });
}

test("hostile texts stay text", async (t) => {
  const page = await tab(t);
  const base = shop.base.replace("/prod/", "/many/");
  const known = { elements: new Set(), attributes: new Set() };
  const harmlessPages = [...PAGES, "explain?pod=nothing"].map((path) => shop.base + path);
  for (const url of [...harmlessPages, `${base}debug/targets?q=10.1.0.`, `${base}debug/nothing`]) {
    await page.goto(url);
    const { elements, attributes } = await content(page);
    elements.forEach((name) => known.elements.add(name));
    attributes.forEach((name) => known.attributes.add(name));
  }
  const harmless = async (path) => {
    const { elements, attributes, addresses, scripts } = await content(page);
    const strange = [...elements.filter((name) => !known.elements.has(name)), ...attributes.filter((name) => !known.attributes.has(name))];
    assert.deepEqual(strange, [], path);
    assert.deepEqual(addresses.filter((address) => !address.startsWith(shop.top)), [], path);
    assert.equal(scripts, 1, path);
    const text = await page.evaluate(() => document.documentElement.textContent);
    assert.ok(visible(text) === text, `${path} holds what is not seen`);
    const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${path} is ${wide} pixels too wide`);
    assert.ok(await page.getByRole("heading", { level: 1 }).isVisible(), path);
  };
  for (const path of ["", "debug/jobs", "debug/targets", "debug/scrape_configs", "debug/report"]) {
    await open(page, path, base);
    await harmless(path);
  }
  for (const [at, [name, text]] of Object.entries(HOSTILE).entries()) {
    for (const path of hostilePages(text, at)) {
      const answer = await page.goto(base + path);
      assert.ok(answer.status() < 500, `${name}: ${path.slice(0, 200)}`);
      await harmless(`${name}: ${path.slice(0, 200)}`);
    }
    const shown = await page.locator("main").evaluate((main) => main.textContent);
    assert.ok(shown.includes(visible(text)), `${name}: it is shown, as text`);
    await open(page, "debug/targets", base);
    await page.getByLabel("Address, job or label contains").fill(text);
    await page.getByRole("button", { name: "Search" }).click();
    assert.equal(await page.getByLabel("Address, job or label contains").inputValue(), text, `${name}: it is searched for`);
    assert.ok((await page.locator("tbody tr").count()) > 0, `${name}: and found`);
  }
});

test("what machines get is JSON, and pages can do nothing but show", async () => {
  for (const [path, accept, type] of [
    ["", "application/json", /^application\/json/],
    ["", "*/*", /^application\/json/],
    ["", "text/html,*/*;q=0.8", /^text\/html/],
    ["jobs", "*/*", /^application\/json/],
    ["jobs", "text/html", /^text\/html/],
    ["scrape_configs", "text/html", /^text\/html/],
    ["explain?pod=shop/x", "*/*", /^application\/json/],
    ["debug/report", "*/*", /^application\/json/],
    ["debug/jobs", "*/*", /^text\/html/],
  ]) {
    const answer = await fetch(shop.base + path, { headers: { accept } });
    const { headers } = answer;
    assert.match(headers.get("content-type"), type, `${path} ${accept}`);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    const text = await answer.text();
    if (headers.get("content-type").startsWith("text/html")) {
      assert.match(headers.get("content-security-policy"), /^default-src 'none'; style-src 'sha256-[^;]*'; script-src 'sha256-/);
      assert.equal(headers.get("referrer-policy"), "no-referrer");
    }
  }
  const secrets = readFileSync(`${ROOT}/examples/shop/cluster/3-credentials.yaml`, "utf8");
  const password = Buffer.from(secrets.match(/name: fraud-scrape.*?password: (\S+)/s)[1], "base64").toString();
  for (const path of ["debug/scrape_configs", "debug/job?job_id=serviceMonitor/payments/fraud/0"]) {
    const text = await (await fetch(shop.base + path)).text();
    assert.ok(!text.includes(password) && text.includes("&lt;secret&gt;") | text.includes("&#60;secret&#62;"), path);
  }
});
