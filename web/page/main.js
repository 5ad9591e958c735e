// The page: a plan from the planner's module, and the proof from a worker that is started when asked for.

import init, { answer } from "./{{planner.js}}";
import { proof } from "./{{proof-view.js}}";

const form = document.getElementById("plan");
const output = document.getElementById("answer");

const planned = () => {
  const { model, context, engine } = Object.fromEntries(new FormData(form));
  const plan = JSON.parse(answer(JSON.stringify({ id: 1, model, context: tokens(context), engine: { name: engine } })));
  output.textContent = plan.error ? refusal(plan.error) : figures(plan.kv);
};

// "128k" as the command line reads it; anything else goes to the planner as it is, which says what it takes.
const tokens = (text) => {
  const [, digits, unit] = /^\s*([0-9][0-9,_]*)\s*([kKmM]?)\s*$/.exec(text) ?? [];
  if (digits === undefined) return text;
  return Number(digits.replaceAll(/[,_]/g, "")) * { "": 1, k: 1024, m: 1024 * 1024 }[unit.toLowerCase()];
};

const refusal = ({ field, message }) => (field ? `${field}: ${message}` : message);

const bytes = (count) => `${count.toLocaleString("en-US")} B`;

const figures = ({ payload_bytes: needed, allocated_bytes: reserved }) =>
  `reserved ${bytes(reserved)}\nneeded ${bytes(needed)}, padding ${bytes(reserved - needed)}`;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  planned();
});

proof(document, new URL("./{{proof-worker.js}}", import.meta.url));
await init({ module_or_path: new URL("./{{planner.wasm}}", import.meta.url) });
planned();
