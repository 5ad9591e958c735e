// Starts the page: the planner's module, which draws it, and the catalogue of models and devices it plans with; the reader
// of files and texts and the proof, which load when someone asks for them; and the worker that keeps the page for when there
// is no network.

import init, { open } from "./{{planner.js}}";
import { readerWith } from "./{{reader.js}}";

const catalogue = fetch(new URL("./{{catalogue.txt}}", import.meta.url)).then((response) => {
  if (!response.ok) throw new Error(`the catalogue: ${response.status}`);
  return response.text();
});
await Promise.all([catalogue, init({ module_or_path: new URL("./{{planner.wasm}}", import.meta.url) })]);
await open(await catalogue, readerWith(catalogue));
document.documentElement.dataset.ready = "";

// What shows the proof loads with the first click on its button, and takes the button over.
const run = document.getElementById("run");
run.addEventListener(
  "click",
  async () => {
    const { proof } = await import("./{{proof-view.js}}");
    proof(document, new URL("./{{proof-worker.js}}", import.meta.url));
    run.click();
  },
  { once: true },
);

// Without it (an insecure host, a private window) the page only needs its host again.
navigator.serviceWorker?.register("./sw.js").catch(() => {});
