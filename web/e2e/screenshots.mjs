// Pictures of the page for the documentation: what a visitor sees first, as wide as a telephone, a laptop and a large
// screen, in both themes. Taken again whenever the page looks different.

import { fileURLToPath } from "node:url";
import { withPage } from "./planner-page.mjs";

const folder = new URL("../../docs/page/", import.meta.url);
const SIZES = [[360, 740], [1280, 900], [2560, 1300]];

for (const colorScheme of ["light", "dark"]) {
  for (const [width, height] of SIZES) {
    await withPage({ options: { colorScheme, viewport: { width, height } } }, async ({ page }) => {
      await page.locator(".alternatives td button").first().waitFor();
      // The chart is drawn once its place has a size.
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
      await page.screenshot({ path: fileURLToPath(new URL(`${width}-${colorScheme}.png`, folder)) });
    });
  }
}
