// The proof in a real browser, on the adapter that browsers bring for machines without a GPU. What must not hold is made
// by changing what the browser gives to the worker, never by a switch in the page.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { withPage } from "./planner-page.mjs";

/** Every codec of the table that codecs are launched from, and the one whose layout follows from the data. */
const TABLE = await readFile(new URL("../../kernels/src/op/table.rs", import.meta.url), "utf8");
const CODECS = [...TABLE.matchAll(/^ {4}codec!\(\w+ (\w+):/gm)].map(([, name]) => name.toLowerCase());
CODECS.push("block_gtq_k3v3_packed");

/** Codecs a page, so that a run ends within a minute. */
const A_PAGE = 4;

/** Runs `code` in the worker before anything else. */
const first = (code) => (text) => `${code}\n${text}`;

test("the proof is not in the first load", async () => {
  await withPage({}, async ({ requests }) => {
    assert.ok(!requests.some((path) => path.includes("proof") && path.endsWith(".wasm")));
  });
});

test("the table of codecs is read whole", () => assert.ok(CODECS.length >= 28, `${CODECS.length}`));

for (let at = 0; at < CODECS.length; at += A_PAGE) {
  const named = CODECS.slice(at, at + A_PAGE);
  test(`${named.join(", ")} pack on WebGPU the bytes their twins pack and the planner predicts`, async (t) => {
    await withPage({}, async ({ proof, complaints }) => {
      await proof.start(...named);
      assert.equal(await proof.end(), "holds", `${await proof.words()} ${await proof.advice()}`);
      const rows = await proof.rows();
      const passed = new Set(rows.filter(({ state }) => state === "passed").map(({ codec }) => codec));
      assert.deepEqual([...passed].sort(), [...named].sort(), "every codec ran");
      for (const { codec, state, cells } of rows) {
        if (state === "skipped") {
          t.diagnostic(`${codec}: ${cells.at(-1)}`);
          continue;
        }
        assert.equal(state, "passed", `${codec}: ${cells}`);
        const [, shape, side, predicted, packed, bytes, values] = cells;
        assert.equal(packed, predicted, `${codec} ${side}, ${shape}`);
        assert.equal(bytes, "0", `${codec} ${side}, ${shape}`);
        assert.match(values, /^0( \([\d,]+ rounded\))?$/, `${codec} ${side}, ${shape}`);
        if (values !== "0") t.diagnostic(`${codec} ${side}: values ${values}`);
      }
      t.diagnostic(await proof.words());
      assert.deepEqual(complaints, []);
    });
  });
}

test("a kernel that packs something else is caught, and the page says so", async () => {
  const tamper = first(`
    const create = GPUDevice.prototype.createShaderModule;
    GPUDevice.prototype.createShaderModule = function (descriptor) {
      const code = descriptor.label === "quantize/q8_0" ? descriptor.code.replaceAll("127u", "126u").replaceAll("127.0", "126.0") : descriptor.code;
      return create.call(this, { ...descriptor, code });
    };`);
  await withPage({ worker: tamper }, async ({ proof }) => {
    await proof.start("q4_0", "q8_0");
    assert.equal(await proof.end(), "differs");
    const failed = (await proof.rows()).filter(({ state }) => state === "failed");
    assert.deepEqual([...new Set(failed.map(({ codec }) => codec))], ["q8_0"]);
    assert.ok(failed.some(({ cells }) => cells[5] !== "0"), "wrong bytes are counted");
  });
});

test("a browser without an adapter says so and what to do", async () => {
  await withPage({ adapter: false }, async ({ proof }) => {
    await proof.start();
    assert.equal(await proof.end(), "no-adapter");
    assert.match(await proof.words(), /^No adapter/);
    assert.match(await proof.advice(), /hardware acceleration/);
  });
});

test("a browser without WebGPU says so", async () => {
  const without = first(`Object.defineProperty(WorkerNavigator.prototype, "gpu", { value: undefined });`);
  await withPage({ worker: without }, async ({ proof, complaints }) => {
    await proof.start();
    assert.equal(await proof.end(), "no-webgpu");
    assert.match(await proof.advice(), /recent Chrome/);
    assert.deepEqual(complaints, []);
  });
});

test("a device lost on the way ends the run with that, and it can be run again", async () => {
  const lose = first(`
    const request = GPUAdapter.prototype.requestDevice;
    GPUAdapter.prototype.requestDevice = async function (descriptor) {
      const device = await request.call(this, descriptor);
      setTimeout(() => device.destroy(), 500);
      return device;
    };`);
  await withPage({ worker: lose }, async ({ page, proof }) => {
    await proof.start();
    assert.equal(await proof.end(), "device-lost");
    assert.match(await proof.words(), /^Device lost/);
    assert.ok(await page.isVisible("#run"));
  });
});

test("a run that is stopped says how far it came", async () => {
  await withPage({}, async ({ proof, complaints }) => {
    await proof.start();
    await proof.underWay();
    await proof.stop();
    assert.equal(await proof.end(), "stopped");
    assert.match(await proof.words(), /^Stopped after \d+ cases/);
    assert.deepEqual(complaints, []);
  });
});
