// The planner in a real browser: what it opens on, what it is told, and what becomes of it.

import assert from "node:assert/strict";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { paste, ready, withPage } from "./planner-page.mjs";

// Qwen3.6-27B under llama.cpp: 16 full layers x 131,072 cells x 4 heads x 256 x 2 bytes, K and V, and 48 states of
// 3,268,608 bytes, as its own log prints them.
const EXAMPLE = 16 * 131_072 * 4 * 256 * 2 * 2 + 48 * 3_268_608;

test("the first visit opens on a plan that fits, without a complaint", async () => {
  await withPage({}, async ({ page, plan, complaints }) => {
    assert.equal(await plan.bytes("reserved"), EXAMPLE);
    assert.match(await plan.verdict(), /FITS.*RTX 5090.*131,072/);
    assert.match(await page.locator("legend .mark").textContent(), /example/);
    assert.match(await plan.command(), /llama-server .*-c 131072/);
    assert.deepEqual(complaints, []);
  });
});

test("a link opens on the same plan, and back and forward walk plans", async () => {
  await withPage({}, async ({ page, context, plan }) => {
    await plan.set("context", "64k");
    await page.selectOption("#in-cache-k", "q8_0");
    const [reserved, url] = [await plan.bytes("reserved"), await page.evaluate(() => location.href)];
    const second = await context.newPage();
    await second.goto(url);
    await ready(second);
    assert.equal(Number(await second.locator("[data-fact=reserved]").getAttribute("data-bytes")), reserved);
    assert.equal(await second.locator("#in-context").inputValue(), "65,536");
    await page.goBack();
    await page.waitForFunction((was) => Number(document.querySelector("[data-fact=reserved]").dataset.bytes) !== was, reserved);
    await page.goForward();
    await page.waitForFunction((was) => Number(document.querySelector("[data-fact=reserved]").dataset.bytes) === was, reserved);
  });
});

test("a change is undone and done again, and said", async () => {
  await withPage({}, async ({ page, plan }) => {
    await plan.set("context", "65536");
    assert.match(await plan.said(), /context 131,072 → 65,536/);
    assert.equal(await plan.bytes("reserved"), EXAMPLE - 65_536 * 65_536);
    await page.click("header >> text=undo");
    assert.equal(await plan.bytes("reserved"), EXAMPLE);
    await page.keyboard.press("Control+Shift+Z");
    assert.equal(await plan.context(), "65,536");
  });
});

test("what cannot be read stays in its field with the reason, and the plan stays", async () => {
  await withPage({}, async ({ page, plan }) => {
    await plan.set("context", "lots");
    assert.equal(await plan.context(), "lots");
    assert.equal(await page.getAttribute("#in-context", "aria-invalid"), "true");
    assert.match(await page.locator("#in-context-error").textContent(), /lots/);
    assert.equal(await plan.bytes("reserved"), EXAMPLE);
  });
});

test("the largest context fits and one token more does not, and it follows the cache's type", async () => {
  await withPage({}, async ({ page, plan }) => {
    // Weights so large that memory ends before the model's own limit.
    await page.selectOption("#in-weights", "Q8_0");
    await page.getByRole("button", { name: "= largest context" }).click();
    const most = Number((await plan.context()).replaceAll(",", ""));
    assert.doesNotMatch(await plan.verdict(), /OVER/);
    await page.selectOption("#in-cache-k", "q8_0");
    assert.ok(Number((await plan.context()).replaceAll(",", "")) > most);
    await page.click("header >> text=undo");
    await plan.set("context", String(most + 1));
    assert.match(await plan.verdict(), /OVER/);
  });
});

test("a draft, a projector and adapters take memory beside the model, and leave nothing behind", async () => {
  const line = "v=1&model=llama-3.1-70b&engine.name=llama.cpp&context=8192&weights.format=Q4_K_M&hardware.0.device=h200-sxm-141gb";
  await withPage({ line }, async ({ page, plan, complaints }) => {
    const free = () => page.locator("[data-device^=h200] [data-part=free]").getAttribute("data-bytes").then(Number);
    const alone = await free();
    await page.click("summary >> text=Draft model");
    await plan.set("projector", "1 GiB");
    await plan.set("adapters", "500 MB");
    assert.equal(await free(), alone - 1_073_741_824 - 500_000_000);
    const beside = await free();
    await page.focus("#in-draft");
    await page.selectOption("#in-draft", "llama-3.2-1b");
    assert.equal(await page.inputValue("#in-draft-weights"), "Q4_K_M", "a draft begins in the model's format");
    // 16 layers x 8,192 cells x 8 heads x 64 x 2 bytes, K and V; its weights and buffers come on top.
    const drafted = await free();
    assert.ok(drafted < beside - 16 * 8192 * 8 * 64 * 2 * 2, `${beside} ${drafted}`);
    await page.selectOption("#in-draft-k", "q8_0");
    assert.ok((await free()) > drafted, "34 bytes for 32 keys instead of 64");
    const command = await plan.command();
    for (const flag of [/-md Llama-3\.2-1B/, /-ctkd q8_0/, /-mm /, /--lora /]) assert.match(command, flag);
    await page.waitForFunction(() => /extras\.draft=llama-3\.2-1b/.test(location.hash));
    await page.selectOption("#in-draft", "");
    assert.equal(await free(), beside);
    await plan.set("projector", "");
    await plan.set("adapters", "");
    await page.waitForFunction(() => !/extras/.test(location.hash));
    assert.deepEqual(complaints, []);
  });
});

test("an alternative is looked at before it is taken", async () => {
  await withPage({}, async ({ page, plan }) => {
    const cell = page.locator(".alternatives td button").nth(2);
    await cell.waitFor();
    await cell.hover();
    await page.waitForSelector(".ghost");
    assert.equal(await plan.bytes("reserved"), EXAMPLE);
    await cell.click();
    assert.notEqual(await plan.bytes("reserved"), EXAMPLE);
  });
});

test("a GGUF larger than any memory gives its header, and a broken one its error", async () => {
  await withPage({}, async ({ page, plan, folder, complaints }) => {
    const [whole, broken] = [join(folder, "big.gguf"), join(folder, "broken.gguf")];
    await writeSparse(whole);
    await page.setInputFiles("#in-file", whole);
    await page.waitForFunction(() => document.getElementById("in-model").value === "big");
    // 4 layers x 131,072 cells x 2 heads x 64 x 2 bytes, K and V.
    assert.equal(await plan.bytes("reserved"), 4 * 131_072 * 2 * 64 * 2 * 2);
    assert.match(await plan.verdict(), /OVER/, "60 GB of weights");
    await writeFile(broken, Buffer.concat([Buffer.from("GGUF"), Buffer.alloc(60, 0xff)]));
    await page.setInputFiles("#in-file", broken);
    await page.waitForFunction(() => /broken\.gguf/.test(document.querySelector(".last").textContent));
    assert.equal(await page.inputValue("#in-model"), "big", "what was set stays");
    assert.deepEqual(complaints, []);
  });
});

test("a pasted command line is taken flag by flag", async () => {
  await withPage({}, async ({ page, plan }) => {
    await paste(page, "llama-server -m Qwen3-8B-Q4_K_M.gguf -c 32768 -np 1 --port 8080");
    await page.locator(".received").waitFor();
    // 36 layers x 32,768 cells x 8 heads x 128 x 2 bytes, K and V.
    assert.equal(await plan.bytes("reserved"), 4_831_838_208);
    assert.match(await page.locator(".received").textContent(), /--port/);
  });
});

test("what reads files is loaded when there is something to read, and what cannot be loaded is asked for again", async () => {
  await withPage({ options: { serviceWorkers: "block" } }, async ({ page, context, plan, requests }) => {
    const loads = () => requests.filter((path) => /intake/.test(path)).length;
    assert.equal(loads(), 0, "the first load is without it");
    await context.route("**/intake-*.wasm", (route) => route.abort());
    await paste(page, JSON.stringify(CONFIG));
    await page.waitForFunction(() => /check the network/.test(document.querySelector(".last").textContent));
    assert.equal(await plan.bytes("reserved"), EXAMPLE, "what was set stays");
    await context.unroute("**/intake-*.wasm");
    await paste(page, JSON.stringify(CONFIG));
    await page.waitForFunction((bytes) => Number(document.querySelector("[data-fact=reserved]").dataset.bytes) === bytes, CONFIG_AT_128K);
    assert.ok(loads() > 0);
  });
});

test("a link to a publisher's config opens on its plan, and back and forward walk past it", async () => {
  await withPage({}, async ({ page, context, plan, complaints }) => {
    await paste(page, JSON.stringify(CONFIG));
    const reserved = (bytes) => (tab) =>
      tab.waitForFunction((bytes) => Number(document.querySelector("[data-fact=reserved]").dataset.bytes) === bytes, bytes);
    await reserved(CONFIG_AT_128K)(page);
    const second = await context.newPage();
    await second.goto(await page.evaluate(() => location.href));
    await ready(second);
    assert.equal(Number(await second.locator("[data-fact=reserved]").getAttribute("data-bytes")), CONFIG_AT_128K);
    assert.doesNotMatch(await second.locator("#verdict").textContent(), /UNKNOWN/);
    await page.goBack();
    await reserved(EXAMPLE)(page);
    await page.goForward();
    await reserved(CONFIG_AT_128K)(page);
    assert.deepEqual(complaints, []);
  });
});

test("a plan is given as a file, with the request that asked for it", async () => {
  await withPage({}, async ({ page, complaints }) => {
    await page.click("summary >> text=share");
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=plan as JSON")]);
    const { request, plan } = JSON.parse(await readFile(await download.path(), "utf8"));
    assert.equal(request.model, "qwen3.6-27b");
    assert.equal(plan.kv.allocated_bytes, EXAMPLE);
    assert.deepEqual(complaints, []);
  });
});

test("a pull along the curve sets the context, as one step", async () => {
  await withPage({}, async ({ page, plan }) => {
    const box = await page.locator("canvas").boundingBox();
    const y = box.y + box.height * 0.75;
    await page.mouse.move(box.x + box.width * 0.3, y);
    await page.mouse.down();
    for (const part of [0.35, 0.4, 0.5]) await page.mouse.move(box.x + box.width * part, y);
    await page.mouse.up();
    assert.notEqual(await plan.context(), "131,072");
    await page.click("header >> text=undo");
    assert.equal(await plan.context(), "131,072");
  });
});

test("the page works without a network once it was open", async () => {
  await withPage({}, async ({ page, context, plan }) => {
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.waitForFunction(() => caches.open("kvplan").then((cache) => cache.keys()).then((keys) => keys.length > 4));
    await context.setOffline(true);
    await page.reload();
    await ready(page);
    assert.equal(await plan.bytes("reserved"), EXAMPLE);
    await plan.set("context", "64k");
    assert.equal(await plan.bytes("reserved"), EXAMPLE - 65_536 * 65_536);
    await paste(page, JSON.stringify(CONFIG));
    await page.waitForFunction((bytes) => Number(document.querySelector("[data-fact=reserved]").dataset.bytes) === bytes, CONFIG_AT_128K / 2);
  });
});

test("an input is answered on the screen within a frame or two", async (t) => {
  await withPage({}, async ({ page }) => {
    const times = await page.evaluate(async () => {
      const slider = document.querySelector("input[type=range]");
      const times = [];
      for (let at = 300; at < 400; at += 1) {
        await new Promise((next) => requestAnimationFrame(next));
        const begin = performance.now();
        slider.value = at;
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        // The page draws as microtasks after the event; the layout belongs to the answer.
        await new Promise((done) => setTimeout(done));
        document.body.getBoundingClientRect();
        times.push(performance.now() - begin);
      }
      return times.sort((a, b) => a - b);
    });
    const at = (share) => times[Math.floor(times.length * share)].toFixed(1);
    const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
    t.diagnostic(`slider to laid-out answer: median ${at(0.5)} ms, p95 ${at(0.95)} ms; first paint ${paint?.toFixed(0)} ms`);
    assert.ok(times[50] < 100, "far beyond what a busy machine excuses");
  });
});

test("nothing in either theme, on any screen or width, is in the way of anyone", async () => {
  const axe = await readFile(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
  for (const [colorScheme, width] of [["light", 1280], ["dark", 1280], ["light", 360]]) {
    await withPage({ options: { colorScheme, viewport: { width, height: 800 } } }, async ({ page }) => {
      await page.locator(".alternatives td button").first().waitFor();
      await page.evaluate(axe);
      for (const tab of ["Plan", "Compare", "Proof"]) {
        await page.click(`nav >> text=${tab}`);
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        const said = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).slice(0, 3).join(" ")}`);
        assert.deepEqual(said, [], `${tab}, ${colorScheme}, ${width} px`);
      }
    });
  }
});

/** A config as its publisher writes it, of 4 layers with 2 heads of 64. */
const CONFIG = {
  model_type: "llama",
  num_hidden_layers: 4,
  hidden_size: 512,
  intermediate_size: 1024,
  num_attention_heads: 8,
  num_key_value_heads: 2,
  vocab_size: 32_000,
  max_position_embeddings: 131_072,
};
const CONFIG_AT_128K = 4 * 131_072 * 2 * 64 * 2 * 2;

/** A GGUF of one 60 GB tensor that occupies a few kilobytes of disk. */
const writeSparse = async (path) => {
  const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32LE(n); return b; };
  const u64 = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64LE(BigInt(n)); return b; };
  const text = (words) => Buffer.concat([u64(Buffer.byteLength(words)), Buffer.from(words)]);
  const numbers = {
    "llama.block_count": 4,
    "llama.context_length": 131_072,
    "llama.embedding_length": 512,
    "llama.feed_forward_length": 1024,
    "llama.attention.head_count": 8,
    "llama.attention.head_count_kv": 2,
  };
  const keys = [Buffer.concat([text("general.architecture"), u32(8), text("llama")])];
  for (const [key, n] of Object.entries(numbers)) keys.push(Buffer.concat([text(key), u32(4), u32(n)]));
  const [columns, rows] = [30_000, 1_000_000];
  const tensor = Buffer.concat([text("token_embd.weight"), u32(2), u64(columns), u64(rows), u32(1), u64(0)]);
  const header = Buffer.concat([Buffer.from("GGUF"), u32(3), u64(1), u64(keys.length), ...keys, tensor]);
  const file = await open(path, "w");
  await file.write(header);
  await file.truncate(Math.ceil(header.length / 32) * 32 + columns * rows * 2);
  await file.close();
};
