// Starts the page: the planner's module, which draws it; the reader of files and texts and the proof, which load when
// someone asks for them; and the worker that keeps the page for when there is no network.

import init, { open } from "./{{planner.js}}";
import { proof } from "./{{proof-view.js}}";
import { read } from "./{{reader.js}}";

proof(document, new URL("./{{proof-worker.js}}", import.meta.url));
await init({ module_or_path: new URL("./{{planner.wasm}}", import.meta.url) });
await open(read);
document.documentElement.dataset.ready = "";

// Without it (an insecure host, a private window) the page only needs its host again.
navigator.serviceWorker?.register("./sw.js").catch(() => {});
