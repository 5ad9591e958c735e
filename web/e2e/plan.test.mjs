// The planner's module answers as the command line does.

import assert from "node:assert/strict";
import { test } from "node:test";
import { withPage } from "./planner-page.mjs";

test("the page plans on first load without a complaint, and says what it refuses", async () => {
  await withPage({}, async ({ page, complaints }) => {
    // 36 layers x 131,072 tokens x 8 heads x 128 x 2 bytes, K and V: what llama.cpp's own log prints as 18432 MiB.
    assert.match(await page.locator("#answer").textContent(), /reserved 19,327,352,832 B/);
    await page.fill("[name=model]", "no-such-model");
    await page.click("#plan button");
    assert.match(await page.locator("#answer").textContent(), /no-such-model/);
    assert.deepEqual(complaints, []);
  });
});
