// Starts the page: the planner's module, which draws it; the proof, whose kernels load when someone asks for them; and the
// worker that keeps the page for when there is no network.

import init from "./{{planner.js}}";
import { proof } from "./{{proof-view.js}}";

proof(document, new URL("./{{proof-worker.js}}", import.meta.url));
await init({ module_or_path: new URL("./{{planner.wasm}}", import.meta.url) });
document.documentElement.dataset.ready = "";

// Without it (an insecure host, a private window) the page only needs its host again.
navigator.serviceWorker?.register("./sw.js").catch(() => {});
