// Every figure of the page against the command line's, for states as people set them, sensible or not.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { withPage } from "./planner-page.mjs";

/** Plans that are compared; refusals come on top. */
const PLANS = 100;

const GGUF = ["f16", "q8_0", "q4_0"];
const SERVED = ["bf16", "fp8_e4m3"];
// Each with cache types and weights that it takes, and one that not all of them do.
const ENGINES = [
  [{ name: "llama.cpp" }, GGUF, "Q4_K_M"],
  [{ name: "llama.cpp", kv_unified: true, n_ubatch: 1024 }, GGUF, "Q8_0"],
  [{ name: "llama.cpp", n_cpu_moe: 8, flash_attn: "off" }, GGUF, "fp8"],
  [{ name: "vllm" }, SERVED, "fp8"],
  [{ name: "vllm", kv_cache_memory_bytes: 20_000_000_000 }, SERVED, "bf16"],
  [{ name: "sglang" }, SERVED, "bf16"],
  [{ name: "transformers" }, SERVED, "bf16"],
  [{ name: "mlx" }, SERVED, "bf16"],
  [{ name: "payload" }, GGUF, "bf16"],
];
const MACHINES = [
  [[], 1],
  [[{ device: "rtx-5090" }], 1],
  [[{ device: "rtx-4090", count: 2 }, { device: "CPU", memory_bytes: 68_719_476_736 }], 2],
  [[{ device: "h200-sxm-141gb", count: 8 }], 8],
  [[{ device: "m4-max-64gb" }], 1],
  [[{ device: "my card", memory_bytes: 48_000_000_000 }], 1],
];
const MODELS = [
  "qwen3.6-27b",
  "qwen3-8b",
  "gemma-3-12b",
  "gpt-oss-20b",
  "gpt-oss-120b",
  "deepseek-v3.1",
  "deepseek-v4-flash",
  "llama-3.1-70b",
  "qwen3-30b-a3b",
];
const RESERVES = [{}, { in_use_bytes: 900_000_000 }, { in_use_bytes: 900_000_000, keep_free_bytes: 1_073_741_824 }];

const drawn = (pick) => {
  const [engine, codecs, format] = pick(ENGINES);
  const [hardware, devices] = pick(MACHINES);
  return {
    model: pick(MODELS),
    engine,
    hardware,
    context: 500 + Math.floor(pick() * 400_000),
    sequences: pick([1, 1, 2, 5, 32]),
    cache: { kv: pick(codecs) },
    placement: ["vllm", "sglang"].includes(engine.name) ? { tp: devices } : {},
    weights: pick([undefined, { bytes: 12_345_678_901 }, { format }, { format }]),
    reserve: pick(RESERVES),
  };
};

/** The same numbers every time: a share of one, or one of a list. */
const random = (seed) => (list) => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  const share = seed / 2 ** 32;
  return list ? list[Math.floor(share * list.length)] : share;
};

/** What the program answers, a line a request. */
const answers = (states) => {
  const input = states.map((state) => `${JSON.stringify(state)}\n`).join("");
  const { stdout, status } = spawnSync(process.env.KVPLAN_PROGRAM, ["batch"], { input, maxBuffer: 1 << 28 });
  assert.ok(status === 0 || status === 1, `kvplan batch: ${status}`);
  return String(stdout).trim().split("\n").map((line) => JSON.parse(line));
};

/** A state as a link writes it: names with dots, every byte shown. */
const link = (state) => {
  const line = new URLSearchParams({ v: 1, exact: true });
  const write = (name, value) => {
    if (value === undefined) return;
    if (value !== null && typeof value === "object") {
      for (const [key, inner] of Object.entries(value)) write(name ? `${name}.${key}` : key, inner);
    } else line.append(name, value);
  };
  write("", state);
  return line.toString();
};

const grouped = (n) => Math.abs(n).toLocaleString("en-US");

/** A number whose half goes to the even neighbour. */
const even = (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

/** An estimated rate: tenths below ten. A quarter of a tenth is the only tie that a double can be. */
const rate = (x) => {
  if (x >= 10) return `~${grouped(even(x))}`;
  return `~${(Number.isInteger(x * 4) ? even(x * 10) / 10 : x).toFixed(1)}`;
};

/** What the page draws, in numbers. */
const figures = (page) =>
  page.evaluate(() => {
    const bytes = (node) => (node ? Number(node.dataset.bytes) : undefined);
    const bars = [...document.querySelectorAll(".bars .bar")].map((bar) => {
      const entries = [...bar.querySelectorAll(".entry")].map((entry) => [entry.dataset.part, bytes(entry)]);
      const of = (name) => bytes(bar.querySelector(`.legend [data-part="${name}"]`));
      return { name: bar.dataset.device, entries, free: of("free"), room: of("room") };
    });
    const facts = [...document.querySelectorAll("[data-fact][data-bytes]")];
    return { bars, facts: Object.fromEntries(facts.map((fact) => [fact.dataset.fact, bytes(fact)])) };
  });

const BESIDE = ["weights", "compute", "in-use", "kept-free"];

/** The devices of an answer, as the bars draw them. */
const bars = (answer) =>
  answer.devices.map((device) => {
    const entries = [device.weights_bytes, device.compute_bytes, device.in_use_bytes, device.keep_free_bytes];
    const beside = Object.fromEntries(BESIDE.map((part, at) => [part, entries[at] ?? 0]));
    return { name: device.name, ...beside, cache: device.kv_bytes, left: device.free_bytes };
  });

/**
 * The same of what is drawn. Room for more is the rest of a pool of a fixed size, a part of the cache; else what an engine that
 * fills its device will take, and none of it is free.
 */
const read = ({ name, entries, free, room }, fixed) => {
  const beside = Object.fromEntries(BESIDE.map((part) => [part, 0]));
  let cache = fixed ? (room ?? 0) : 0;
  for (const [part, bytes] of entries) {
    if (part in beside) beside[part] = bytes;
    else cache += bytes;
  }
  return { name, ...beside, cache, left: fixed ? free : (room ?? free) };
};

const WORDS = { fits: /FITS/, barely: /BARELY/, over: /OVER/, unknown: /NEEDS/ };

test("the page's figures are the command line's, for a hundred plans of random states", async (t) => {
  const pick = random(20261123);
  const states = Array.from({ length: 2 * PLANS }, () => drawn(pick));
  const all = answers(states);
  const count = { plans: 0, refusals: 0, machines: 0, speeds: 0 };
  await withPage({}, async ({ page, plan, complaints }) => {
    for (const [at, state] of states.entries()) {
      if (count.plans === PLANS) break;
      const [answer, said] = [all[at], JSON.stringify(state)];
      await plan.open(link(state));
      await page.waitForFunction(
        ([model, context]) =>
          document.getElementById("in-model").value === model && document.getElementById("in-context").value === context,
        [state.model, grouped(state.context)],
      );
      const verdict = await plan.verdict();
      if (answer.error) {
        assert.match(verdict, /UNKNOWN|REFUSED/, said);
        assert.ok(verdict.includes(answer.error.message.slice(0, 60)), `${said}\n${verdict}\n${answer.error.message}`);
        count.refusals += 1;
        continue;
      }
      count.plans += 1;
      const shown = await figures(page);
      const { payload_bytes, allocated_bytes, waste_bytes, pool_free_bytes } = answer.kv;
      const { needed, reserved, padding, "pool left": pool } = shown.facts;
      assert.deepEqual([needed, reserved, padding, pool], [payload_bytes, allocated_bytes, waste_bytes, pool_free_bytes], said);
      assert.match(verdict, WORDS[answer.fit.state], `${said}\n${verdict}`);
      if (answer.devices?.length) {
        count.machines += 1;
        const drawn = shown.bars.map((bar) => read(bar, pool_free_bytes !== undefined));
        // Neighbours that hold the same are one bar, under the first one's name.
        let bar;
        for (const device of bars(answer)) {
          bar = drawn.find(({ name }) => name === device.name) ?? { ...bar, name: device.name };
          assert.deepEqual(bar, device, said);
        }
      }
      if (answer.fit.state === "over") {
        assert.ok(verdict.includes(`${grouped(answer.fit.spare_bytes)} B over`), `${said}\n${verdict}`);
      } else if (answer.speed) {
        count.speeds += 1;
        const next = await plan.next();
        assert.ok(next.includes(`${rate(answer.speed.decode_tokens_per_s)} tokens/s`), `${said}\n${next}`);
      }
    }
    assert.deepEqual(complaints, []);
  });
  t.diagnostic(JSON.stringify(count));
  assert.equal(count.plans, PLANS);
  assert.ok(count.refusals >= 10 && count.machines >= 60 && count.speeds >= 20, JSON.stringify(count));
});
