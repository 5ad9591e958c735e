// What is dropped or pasted is read by a module of its own. It loads the first time, and again where that failed.

let loaded;

const load = async () => {
  const module = await import("./{{intake.js}}");
  await module.default({ module_or_path: new URL("./{{intake.wasm}}", import.meta.url) });
  return module;
};

/** Asks the module what `given` is: `ask` is "text" or "file". */
export const read = async (ask, given) => {
  loaded ??= load();
  try {
    return (await loaded)[ask](given);
  } catch (error) {
    loaded = undefined;
    throw error;
  }
};
