// What is dropped or pasted is read, and a plan is written, by a module of its own. It loads the first time, and again where
// that failed.

const load = async (catalogue) => {
  const module = await import("./{{intake.js}}");
  await module.default({ module_or_path: new URL("./{{intake.wasm}}", import.meta.url) });
  module.open(await catalogue);
  return module;
};

/** What asks the module what a text or a file is beside the model that is set, or for a file about a request (`ask`: "text", "file", "plan", "describe", "report"). */
export const readerWith = (catalogue) => {
  let loaded;
  return async (ask, given, set) => {
    loaded ??= load(catalogue);
    try {
      return (await loaded)[ask](given, set);
    } catch (error) {
      loaded = undefined;
      throw error;
    }
  };
};
