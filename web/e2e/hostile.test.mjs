// What nobody should drop here, dropped: each is answered with what is wrong and what to do, the plan that was set stays, and
// the page goes on.

import assert from "node:assert/strict";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { paste, withPage } from "./planner-page.mjs";

const said = (page) => page.locator(".last").textContent();
const settled = (page) => page.waitForFunction(() => !/^Reading/.test(document.querySelector(".last").textContent));

const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32LE(n); return b; };
const u64 = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64LE(BigInt(n)); return b; };
const gguf = (...rest) => Buffer.concat([Buffer.from("GGUF"), ...rest]);

/** A file's name, its bytes, and what has to be said. */
const FILES = [
  ["empty.gguf", Buffer.alloc(0), /empty/],
  ["empty.json", Buffer.alloc(0), /empty/],
  ["short.gguf", Buffer.from("GGUF"), /short\.gguf/],
  ["version.gguf", gguf(u32(99), u64(0), u64(0)), /version/],
  ["endless.gguf", gguf(u32(3), u64(2n ** 60n), u64(2n ** 60n)), /endless\.gguf/],
  ["long-key.gguf", gguf(u32(3), u64(0), u64(1), u64(2n ** 50n)), /long-key\.gguf/],
  ["cut.json", Buffer.from('{"model_type": "llama", "num_hidden'), /cut\.json/],
  ["list.json", Buffer.from("[1, 2, 3]"), /list\.json/],
  ["nothing.json", Buffer.from("{}"), /model_type|model/],
  ["deep.json", Buffer.from("[".repeat(100_000)), /deep\.json/],
  ["picture.png", Buffer.from([0x89, 0x50, 0x4e, 0x47, 0xff, 0xfe, 0, 1]), /picture\.png/],
  ["words.txt", Buffer.from("It was a dark and stormy night.\nNothing else."), /not understood/],
  ["short.safetensors", Buffer.from([1, 2, 3]), /short\.safetensors|safetensors/],
  ["wide.safetensors", Buffer.concat([u64(2n ** 62n), Buffer.from("{}")]), /safetensors|header/],
  ["open.toml", Buffer.from('name = "x"\n[[layers]]\ncount = 4\nkind = "?"\n'), /kind|\?/],
];

test("files that are no models, or broken ones, are named with what is wrong, and the plan that is set stays", async () => {
  await withPage({}, async ({ page, plan, folder, complaints }) => {
    const reserved = await plan.bytes("reserved");
    for (const [name, bytes, words] of FILES) {
      const path = join(folder, name);
      await writeFile(path, bytes);
      await page.setInputFiles("#in-file", path);
      await page.waitForFunction(
        (before) => document.querySelector(".last").textContent !== before,
        "",
      );
      await settled(page);
      const answer = await said(page);
      if (name === "nothing.json") {
        // An object without a word of what it is may be a config: what it lacks stands in the headline, until it is undone.
        assert.match(await plan.verdict(), /UNKNOWN/);
        await page.click("header >> text=undo");
      } else {
        assert.match(answer, words, `${name}: ${answer}`);
        assert.doesNotMatch(await plan.verdict(), /UNKNOWN/, name);
      }
      assert.equal(await plan.bytes("reserved"), reserved, name);
      assert.doesNotMatch(answer, /panic|unreachable|undefined|\[object/, `${name}: ${answer}`);
      // What was said belongs to this file.
      await page.click("header >> text=GiB");
      await page.click("header >> text=GB");
    }
    assert.deepEqual(complaints, []);
  });
});

test("a file of 300 MB that is nothing is refused by its size, without reading it", async () => {
  await withPage({}, async ({ page, plan, folder }) => {
    const path = join(folder, "noise.bin");
    const file = await open(path, "w");
    await file.write(Buffer.from("noise, not a model"));
    await file.truncate(300 * 2 ** 20);
    await file.close();
    const begin = Date.now();
    await page.setInputFiles("#in-file", path);
    await page.waitForFunction(() => /noise\.bin: too large/.test(document.querySelector(".last").textContent));
    assert.ok(Date.now() - begin < 20_000);
    assert.match(await plan.verdict(), /FITS/);
  });
});

const TEXTS = [
  ["llama-server", /-m|model/],
  ["llama-server -m Qwen3-8B-Q4_K_M.gguf -c lots", /lots|-c/],
  ["vllm serve nobody/knows-this-one", /knows-this-one/],
  ['{"model": "qwen3-8b", "context": -1}', /context/],
  ['{"model": "qwen3-8b", "contxt": 8192}', /contxt/],
  ["v=1&model=qwen3-8b&context=1&contxt=2", /contxt|link/],
  ["v=99&model=qwen3-8b", /version|99/],
  ["🦙".repeat(5000), /not understood/],
];

test("texts that ask for what is not there are named with what is wrong, and the plan that is set stays", async () => {
  await withPage({}, async ({ page, plan, complaints }) => {
    const reserved = await plan.bytes("reserved");
    for (const [text, words] of TEXTS) {
      await paste(page, text);
      await page.waitForFunction(() => !/^(Reading|last change|$)/.test(document.querySelector(".last").textContent));
      const answer = `${await said(page)} ${await page.locator(".headline").textContent()}`;
      assert.match(answer, words, `${text.slice(0, 60)}: ${answer}`);
      if (/UNKNOWN/.test(await plan.verdict())) await page.click("header >> text=undo");
      assert.equal(await plan.bytes("reserved"), reserved, text.slice(0, 60));
      await page.click("header >> text=GiB");
      await page.click("header >> text=GB");
    }
    assert.deepEqual(complaints, []);
  });
});

test("a model that is not understood keeps its weights, can be described by hand and can be reported", async () => {
  const text = (words) => Buffer.concat([u64(Buffer.byteLength(words)), Buffer.from(words)]);
  const number = (key, n) => Buffer.concat([text(key), u32(4), u32(n)]);
  const keys = [
    Buffer.concat([text("general.architecture"), u32(8), text("foo")]),
    number("foo.block_count", 4),
    number("foo.context_length", 131_072),
    number("foo.embedding_length", 512),
    number("foo.attention.head_count", 8),
    number("foo.attention.head_count_kv", 2),
  ];
  // 1,024 × 512 elements of two bytes: 1 MiB.
  const tensor = Buffer.concat([text("token_embd.weight"), u32(2), u64(1024), u64(512), u32(1), u64(0)]);
  const header = gguf(u32(3), u64(1), u64(keys.length), ...keys, tensor);
  const whole = Buffer.concat([header, Buffer.alloc((32 - (header.length % 32)) % 32), Buffer.alloc(2 ** 20)]);
  await withPage({}, async ({ page, plan, folder, complaints }) => {
    const path = join(folder, "foo.gguf");
    await writeFile(path, whole);
    await page.setInputFiles("#in-file", path);
    await page.waitForFunction(() => /UNKNOWN/.test(document.getElementById("verdict").textContent));
    await page.locator(".next", { hasText: "Weights alone: 1.00 MiB, exact." }).waitFor();
    const given = async (words) => {
      const [download] = await Promise.all([page.waitForEvent("download"), page.click(`.way >> text=${words}`)]);
      return readFile(await download.path(), "utf8");
    };
    assert.match(await given("report"), /general\.architecture/);
    const open = await given("describe it");
    assert.match(open, /kind = "\?"/);
    const filled = join(folder, "model.toml");
    await writeFile(filled, open.replace('kind = "?"', 'kind = "full"'));
    await page.setInputFiles("#in-file", filled);
    await page.waitForFunction(() => !/UNKNOWN/.test(document.getElementById("verdict").textContent));
    // 4 layers x 131,072 cells x 2 heads x 64 x 2 bytes, K and V.
    assert.equal(await plan.bytes("reserved"), 4 * 131_072 * 2 * 64 * 2 * 2);
    assert.deepEqual(complaints, []);
  });
});
