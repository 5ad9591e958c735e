// The page as its tests see it: a browser, the page's parts by name, and everything the browser complained about.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const address = process.env.KVPLAN_URL;
const executablePath = process.env.KVPLAN_BROWSER;
if (!address || !executablePath) throw new Error("run by `cargo xtask test --only browser`, which serves the page");

const QUIET = [
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** Opens the page, gives it to `use`, and closes all. */
export const withPage = async (use) => {
  const folder = await mkdtemp(join(tmpdir(), "kvplan-browser-"));
  const context = await chromium.launchPersistentContext(folder, {
    executablePath,
    headless: true,
    chromiumSandbox: process.getuid?.() !== 0,
    args: QUIET,
  });
  try {
    const page = await context.newPage();
    const complaints = [];
    const requests = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    context.on("request", (request) => requests.push(new URL(request.url()).pathname));
    context.on("requestfailed", (request) => complaints.push(`${request.url()} failed`));
    await page.goto(address);
    await page.waitForFunction(() => !document.getElementById("answer").textContent.startsWith("Loading"));
    await use({ page, complaints, requests });
  } finally {
    await context.close();
    await rm(folder, { recursive: true, force: true });
  }
};
