// The page as its tests see it: a browser, the page's parts by name, and everything the browser complained about.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

export const address = process.env.KVPLAN_URL;
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

/**
 * Opens the page, gives it to `use`, and closes all. `adapter: false` is a browser that finds no GPU, `worker` changes the
 * proof's worker, `line` is the state in the address, `options` go to the browser.
 */
export const withPage = async ({ adapter = true, worker, line = "", options = {} }, use) => {
  const folder = await mkdtemp(join(tmpdir(), "kvplan-browser-"));
  const context = await chromium.launchPersistentContext(folder, {
    executablePath,
    headless: true,
    chromiumSandbox: process.getuid?.() !== 0,
    args: [...QUIET, ...(adapter ? SWIFTSHADER : [])],
    viewport: { width: 1280, height: 900 },
    ...options,
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
    if (worker) {
      await context.route("**/proof-worker-*.js", async (route) => {
        const response = await route.fetch();
        await route.fulfill({ response, body: worker(await response.text()) });
      });
    }
    await page.goto(line ? `${address}#${line}` : address);
    await ready(page);
    await use({ page, context, complaints, requests, folder, proof: proofOf(page), plan: planOf(page) });
  } finally {
    await context.close();
    await rm(folder, { recursive: true, force: true });
  }
};

/** Waits until the planner draws. */
export const ready = (page) => page.waitForSelector("html[data-ready] [data-fact=needed]");

/** Pastes a text into the page, not into a field. */
export const paste = (page, text) =>
  page.evaluate((text) => {
    const data = new DataTransfer();
    data.setData("text/plain", text);
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
  }, text);

const planOf = (page) => ({
  /** The exact bytes of a figure: needed, reserved, padding, pool left. */
  bytes: (name) => page.locator(`[data-fact="${name}"]`).getAttribute("data-bytes").then(Number),
  verdict: () => page.locator("#verdict").textContent(),
  next: () => page.locator(".next").textContent(),
  /** What was said of the last action. */
  said: () => page.locator(".last").textContent(),
  context: () => page.locator("#in-context").inputValue(),
  command: () => page.locator(".run pre").textContent(),
  set: async (field, text) => {
    await page.fill(`#in-${field}`, text);
    await page.press(`#in-${field}`, "Tab");
  },
  open: (line) => page.evaluate((line) => void (location.hash = line), line),
});

const proofOf = (page) => {
  const status = page.locator("#status");
  return {
    /** Starts the proof, of `codecs` alone where they are named. */
    start: async (...codecs) => {
      await page.click("nav >> text=Proof");
      await page.fill("#codecs", codecs.join(" "));
      await page.click("#run");
    },
    stop: () => page.click("#cancel"),
    words: () => status.textContent(),
    advice: () => page.locator("#advice").textContent(),
    /** Waits until the proof has ended and says how. */
    end: async (timeout = 300_000) => {
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
