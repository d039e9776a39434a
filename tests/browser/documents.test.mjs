// Mermaid parses and draws every diagram of the documents.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

const HERE = resolve(fileURLToPath(import.meta.url), "..");
const DOCUMENTS = join(HERE, "../../docs");

let browser;
let page;

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu"],
  });
  page = await browser.newPage();
  await page.addScriptTag({ path: join(HERE, "node_modules/mermaid/dist/mermaid.min.js") });
  await page.evaluate(() => window.mermaid.initialize({ startOnLoad: false }));
});

after(() => browser?.close());

test("every diagram can be drawn", async () => {
  let drawn = 0;
  for (const name of readdirSync(DOCUMENTS).filter((name) => name.endsWith(".md"))) {
    const document = readFileSync(join(DOCUMENTS, name), "utf8");
    for (const [, text] of document.matchAll(/^```mermaid\n(.*?)^```$/gms)) {
      const svg = await page
        .evaluate(async ([id, text]) => (await window.mermaid.render(id, text)).svg, [`diagram-${drawn}`, text])
        .catch((error) => assert.fail(`${name}: ${error.message}\n${text}`));
      assert.match(svg, /^<svg/);
      drawn += 1;
    }
  }
  assert.ok(drawn >= 5, `${drawn} diagrams found`);
});
