// What hands and eyes do with the planner: a figure that lights up in every place, a line that is pulled, a finger instead of
// a pointer, a screen that must not move.

import assert from "node:assert/strict";
import { test } from "node:test";
import { withPage } from "./planner-page.mjs";

const MEMORY_ENDS = "v=1&model=qwen3-8b&context=8192&engine.name=llama.cpp&sequences=1&hardware.0.device=rtx-4060-ti-8gb&weights.format=Q4_K_M";

test("a layer lights up its like, its stretch of memory, the cell it decides and its arithmetic; once more, and all is as it was", async () => {
  await withPage({}, async ({ page }) => {
    await page.locator(".alternatives td button").first().waitFor();
    const lit = async () => ({
      layers: await page.locator(".layer.lit").allTextContents().then((letters) => [letters.length, [...new Set(letters)].join("")]),
      stretches: await page.locator(".track .part.lit").evaluateAll((parts) => parts.map((part) => part.className)),
      cells: await page.locator(".cell.lit").count(),
      columns: await page.locator(".alternatives th.lit").allTextContents(),
      why: await page.locator("#why-title").textContent(),
    });
    const before = await lit();
    assert.deepEqual([before.layers[0], before.stretches.length, before.cells], [0, 0, 0]);
    await page.click("#layer-3");
    const full = await lit();
    // Of 64 layers every fourth is a full one: 16 x 131,072 x 4 x 256 x 2 x 2 bytes are 8 GiB.
    assert.deepEqual(full.layers, [16, "F"]);
    assert.equal(full.stretches.length, 1);
    assert.match(full.stretches[0], /\bfull\b/);
    assert.deepEqual([full.cells, full.columns], [1, ["f16"]]);
    assert.match(full.why, /cache = 8\.00 GiB/);
    await page.click(".legend [data-part=state]");
    const state = await lit();
    assert.deepEqual(state.layers, [48, "s"]);
    assert.match(state.why, /fixed state/);
    await page.click(".legend [data-part=state]");
    assert.deepEqual(await lit(), before);
  });
});

test("rows of layers end where their pattern does", async () => {
  await withPage({}, async ({ page }) => {
    const rounds = await page.locator(".round").evaluateAll((all) =>
      all.map((round) => new Set([...round.children].map((cell) => cell.getBoundingClientRect().top)).size),
    );
    assert.equal(rounds.length, 16);
    assert.ok(rounds.every((lines) => lines === 1), `${rounds}`);
  });
});

test("where memory ends a longer context, the headline says what comes next", async () => {
  await withPage({ line: MEMORY_ENDS }, async ({ page, plan }) => {
    await page.locator(".next", { hasText: "q8_0 cache would reach" }).waitFor();
    assert.match(await plan.next(), /Memory runs out at [\d,]+ tokens\. q8_0 cache would reach/);
  });
});

test("on a scale of doublings the same place of the chart is a shorter context", async () => {
  await withPage({}, async ({ page, plan }) => {
    const pull = async (x) => {
      const box = await page.locator("canvas").boundingBox();
      await page.keyboard.down("Alt");
      await page.mouse.move(box.x + box.width * x - 4, box.y + box.height * 0.75);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * x, box.y + box.height * 0.75);
      await page.mouse.up();
      await page.keyboard.up("Alt");
      return Number((await plan.context()).replaceAll(",", ""));
    };
    const straight = await pull(0.5);
    await page.click(".curve >> text=log");
    const doubled = await pull(0.5);
    // Half of ten doublings of 256 tokens is about 8,192; half of 262,144 about 131,072.
    assert.ok(straight > 100_000 && straight < 160_000, `${straight}`);
    assert.ok(doubled > 4096 && doubled < 16_384, `${doubled}`);
  });
});

test("the capacity's line pulled down keeps memory free, pulled up it is the next larger card, by name", async () => {
  await withPage({ line: MEMORY_ENDS }, async ({ page, plan }) => {
    const box = await page.locator("canvas").boundingBox();
    const line = async (to) => {
      // The line is where its label stands: sought from the top, for it is drawn.
      for (let y = 24; y < box.height - 30; y += 6) {
        await page.mouse.move(box.x + box.width * 0.3, box.y + y);
        await page.mouse.down();
        await page.mouse.move(box.x + box.width * 0.3, box.y + y + to, { steps: 4 });
        await page.mouse.up();
        const kept = await page.inputValue("#in-keep_free");
        const device = await page.inputValue("#in-device");
        if (kept || device !== "rtx-4060-ti-8gb") return { kept, device };
        if ((await plan.context()) !== "8,192") await page.click("header >> text=undo");
      }
      return {};
    };
    assert.match((await line(30)).kept ?? "", /iB$/);
    await page.click("header >> text=undo");
    const { device } = await line(-24);
    assert.ok(device && device !== "rtx-4060-ti-8gb", `${device}`);
    assert.match(await plan.said(), /GiB: pull again/);
  });
});

test("a finger opens the sheet, changes the plan and leaves it, and nothing is wider than the telephone", async () => {
  const options = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 3 };
  await withPage({ options }, async ({ page, plan, complaints }) => {
    const wide = () => page.evaluate(() => document.documentElement.scrollWidth);
    assert.equal(await wide(), 360);
    assert.equal(await page.locator(".inputs").isVisible(), false);
    await page.tap(".pull");
    assert.equal(await page.locator(".inputs").isVisible(), true);
    await page.tap(".inputs >> text=4090");
    assert.match(await plan.verdict(), /RTX 4090/);
    assert.equal(await wide(), 360);
    await page.tap(".pull");
    assert.equal(await page.locator(".inputs").isVisible(), false);
    const small = await page.locator("button:visible, select:visible, summary:visible, .layer:visible").evaluateAll((all) =>
      all.map((one) => [one.textContent.slice(0, 20), one.getBoundingClientRect()])
        .filter(([, box]) => box.width < 24 || box.height < 24)
        .map(([text, box]) => `${text} ${box.width}x${box.height}`),
    );
    assert.deepEqual(small, [], "smaller than a finger can mean");
    await page.tap("#layer-3");
    assert.equal(await page.locator(".layer.lit").count(), 16);
    // The answer stays on top while the rest is scrolled.
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    const top = await page.locator("#verdict").evaluate((node) => node.getBoundingClientRect().top);
    assert.ok(top >= 0 && top < 200, `${top}`);
    assert.deepEqual(complaints, []);
  });
});

test("who asked for a screen that does not move gets one", async () => {
  await withPage({ options: { reducedMotion: "reduce" } }, async ({ page, plan }) => {
    await plan.set("context", "64k");
    const moving = await page.evaluate(() => document.getAnimations().length);
    assert.equal(moving, 0);
    const durations = await page.evaluate(() =>
      [...document.querySelectorAll("*")].filter((one) => getComputedStyle(one).transitionDuration.split(", ").some((time) => time !== "0s")).length,
    );
    assert.equal(durations, 0);
  });
});
