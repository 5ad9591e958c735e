// What people come for, each as one would do it who has never read a manual.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { paste, withPage } from "./planner-page.mjs";

const log = (name) => readFile(new URL(`../../tests/data/logs/${name}`, import.meta.url), "utf8");

const number = (text) => Number(text.replaceAll(/[^0-9]/g, ""));

test("which weights and cache type reach 200k tokens on an RTX 5090 is read off a table and taken with a click", async () => {
  await withPage({}, async ({ page, plan }) => {
    const rows = page.locator(".alternatives tbody tr");
    await rows.first().waitFor();
    const head = await page.locator(".alternatives thead th").allTextContents();
    const [f16, q8] = [head.indexOf("f16"), head.indexOf("q8_0")];
    assert.ok(f16 > 0 && q8 > f16, `columns ${head}`);
    const row = rows.filter({ hasText: /^Q6_K / });
    const cell = (column) => row.locator("td").nth(column - 1).locator("button");
    assert.ok(number(await cell(f16).textContent()) < 200_000, "an f16 cache is too short for it");
    assert.ok(number(await cell(q8).textContent()) >= 200_000, "a q8_0 cache reaches it");
    await cell(q8).click();
    assert.ok(number(await plan.context()) >= 200_000);
    assert.match(await plan.verdict(), /FITS|BARELY/);
    assert.match(await plan.command(), /-ctk q8_0 -ctv q8_0|--cache-type-k q8_0/);
  });
});

test("a pasted log stands beside the plan, figure by figure", async () => {
  await withPage({}, async ({ page, complaints }) => {
    await paste(page, await log("llama.cpp-8164-gpt-oss-20b.log"));
    const received = page.locator(".received");
    await received.waitFor();
    const verdicts = await received.locator("tbody tr td:last-child").allTextContents();
    assert.ok(verdicts.length > 3, "figures of caches and buffers");
    assert.ok(verdicts.every((words) => !/differs/.test(words)), verdicts.join("; "));
    assert.match(await page.inputValue("#in-model"), /gpt-oss-20b/);
    assert.deepEqual(complaints, []);
  });
});

test("a pasted log that names no model stands beside the model that is set, and says so", async () => {
  await withPage({ line: "v=1&model=gpt-oss-120b&context=8192&engine.name=llama.cpp" }, async ({ page, complaints }) => {
    await paste(page, await log("llama.cpp-gpt-oss-120b.log"));
    const received = page.locator(".received");
    await received.waitFor();
    assert.match(await received.textContent(), /it does not name its model: beside it stands the one that is set/);
    assert.equal(await page.inputValue("#in-model"), "gpt-oss-120b");
    assert.deepEqual(complaints, []);
  });
});

test("codecs at equal stored bytes are told apart by their measured error", async () => {
  await withPage({}, async ({ page, plan }) => {
    await page.click("text=Research");
    const rows = page.locator(".alternatives tbody tr");
    await page.locator(".alternatives h2", { hasText: "BITS AGAINST ERROR" }).waitFor();
    const [bits, error] = [0, 1];
    const figures = await rows.evaluateAll((lines) =>
      lines.map((line) => [line.querySelector("th").textContent.trim(), ...[...line.querySelectorAll("td")].map((cell) => cell.textContent)]),
    );
    const of = (name) => figures.find(([codec]) => codec.split(" ")[0] === name)?.slice(1);
    // q4_0 and iq4_nl store 4.5 bits each, 18 bytes for 32 elements.
    assert.equal(of("q4_0")[bits], of("iq4_nl")[bits]);
    assert.notEqual(of("q4_0")[error], of("iq4_nl")[error]);
    assert.match(await page.locator(".alternatives").textContent(), /SmolLM2/, "the model the errors were measured on");
    const reserved = await plan.bytes("reserved");
    await rows.filter({ hasText: /^q4_0/ }).locator("button").first().click();
    // 4.5 bits for 16.
    assert.equal(await plan.bytes("needed"), (reserved / 16) * 4.5);
  });
});

test("a config that is not understood is named, its figure is withheld, and the last plan stays grey", async () => {
  await withPage({}, async ({ page, plan, complaints }) => {
    const config = { architectures: ["FooForCausalLM"], model_type: "foo", num_hidden_layers: 4, hidden_size: 512 };
    await paste(page, JSON.stringify(config));
    await page.waitForFunction(() => /UNKNOWN/.test(document.getElementById("verdict").textContent));
    assert.match(await page.locator(".headline").textContent(), /foo/);
    assert.equal(await page.locator(".bars.stale").count(), 1, "what is left of the last plan is not passed off as current");
    await page.keyboard.press("Escape");
    await page.fill("#in-model", "qwen3-8b");
    await page.press("#in-model", "Enter");
    assert.match(await plan.verdict(), /FITS|BARELY/, "and on it goes");
    assert.deepEqual(complaints, []);
  });
});

test("a plan that is over offers ways out, each with its price, and one click takes one", async () => {
  await withPage({}, async ({ page, plan }) => {
    await page.selectOption("#in-weights", "Q8_0");
    assert.match(await plan.verdict(), /OVER/);
    const fixes = page.locator(".fix");
    await fixes.first().waitFor();
    assert.match((await fixes.allTextContents()).join("; "), /KL|tokens|weights/);
    await fixes.first().click();
    await page.waitForFunction(() => !/OVER/.test(document.getElementById("verdict").textContent));
    await page.click("header >> text=undo");
    assert.match(await plan.verdict(), /OVER/);
  });
});

test("a fleet for two thousand sessions is counted from their lengths and what they have in common", async () => {
  await withPage({}, async ({ page, plan }) => {
    await page.click("text=Serving");
    await page.waitForFunction(() => document.getElementById("in-model").value === "deepseek-v3.2");
    for (const [field, text] of [["context", "160k"], ["typical_context", "64k"], ["shared_prefix", "40k"], ["sessions", "2000"]]) await plan.set(field, text);
    const row = (name) => page.locator(`.serving tr[data-length="${name}"]`);
    const cells = async (name) => ({
      held: number(await row(name).locator("[data-held]").textContent()),
      copies: number(await row(name).locator("[data-copies]").textContent()),
    });
    await row("typical").waitFor();
    const [full, typical] = [await cells("full length"), await cells("typical")];
    for (const { held, copies } of [full, typical]) assert.equal(copies, Math.ceil(2000 / held));
    assert.match(await page.locator(".serving").textContent(), /kept once/);
    assert.match(await page.locator(".serving").textContent(), /vLLM will print/);
  });
});
