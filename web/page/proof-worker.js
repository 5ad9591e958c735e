// Runs the proof beside the page, which stays alive while the twins compute. In: {full} to start, "cancel" to stop.
// Out: {progress} while it runs, and one {state, …} at its end.

import init, { cancel, prove } from "./{{proof.js}}";

const finish = (end) => self.postMessage(end);

self.onmessage = async ({ data }) => {
  if (data === "cancel") {
    cancel();
    return;
  }
  if (!navigator.gpu) {
    finish({ state: "no-webgpu", secure: self.isSecureContext });
    return;
  }
  try {
    await init({ module_or_path: new URL("./{{proof.wasm}}", import.meta.url) });
    finish(JSON.parse(await prove(JSON.stringify(data.wanted), (text) => self.postMessage(JSON.parse(text)))));
  } catch (error) {
    finish({ state: "failed", message: String(error) });
  }
};
