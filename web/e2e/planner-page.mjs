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
/// An adapter without a GPU: the one that browsers bring for this.
const SWIFTSHADER = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

/** Opens the page, gives it to `use`, and closes all. `adapter: false` is a browser that finds no GPU. */
export const withPage = async ({ adapter = true, worker = (text) => text }, use) => {
  const folder = await mkdtemp(join(tmpdir(), "kvplan-browser-"));
  const context = await chromium.launchPersistentContext(folder, {
    executablePath,
    headless: true,
    chromiumSandbox: process.getuid?.() !== 0,
    args: [...QUIET, ...(adapter ? SWIFTSHADER : [])],
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
    await context.route("**/proof-worker-*.js", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: worker(await response.text()) });
    });
    await page.goto(address);
    await page.waitForFunction(() => !document.getElementById("answer").textContent.startsWith("Loading"));
    await use({ page, complaints, requests, proof: proofOf(page) });
  } finally {
    await context.close();
    await rm(folder, { recursive: true, force: true });
  }
};

const proofOf = (page) => {
  const status = page.locator("#status");
  return {
    /** Starts the proof, of `codecs` alone where they are named. */
    start: async (...codecs) => {
      await page.fill("#codecs", codecs.join(" "));
      await page.click("#run");
    },
    stop: () => page.click("#cancel"),
    words: () => status.textContent(),
    advice: () => page.locator("#advice").textContent(),
    /** Waits until the proof has ended and says how. */
    end: async (timeout = 150_000) => {
      await page.waitForFunction(
        () => !["idle", "running"].includes(document.getElementById("status").dataset.state),
        undefined,
        { timeout },
      );
      return status.getAttribute("data-state");
    },
    underWay: () => page.waitForFunction(() => /^[1-9]/.test(document.getElementById("status").textContent)),
    /** Every row of the table: its codec, its case's state, its cells. */
    rows: () =>
      page.locator("#results tr[data-codec]").evaluateAll((lines) =>
        lines.map((line) => ({
          codec: line.dataset.codec,
          state: line.dataset.state,
          cells: [...line.cells].map((cell) => cell.textContent),
        })),
      ),
  };
};
