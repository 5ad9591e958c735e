// The proof as a person sees it: what runs, how far it is, what came of it, and what to do where it cannot run. The
// worker computes; everything here is words.

const ENDS = {
  "no-webgpu": {
    status: "No WebGPU: this browser does not offer it.",
    advice: ({ secure }) =>
      secure
        ? "Use a recent Chrome, Edge, Firefox or Safari."
        : "Browsers offer it to secure pages only: open this page over https, or from localhost.",
  },
  "no-adapter": {
    status: "No adapter: the browser offers WebGPU but found no GPU it may use.",
    advice: () =>
      "Turn on hardware acceleration in the browser’s settings, update the graphics driver, or try another browser. " +
      "Chrome says at chrome://gpu why it refuses.",
  },
  unfit: {
    status: "This adapter cannot run the kernels.",
    advice: ({ message }) => message,
  },
  "device-lost": {
    status: "Device lost: the browser or the driver took the GPU away while kernels ran.",
    advice: ({ message }) => `Run it again, with fewer programs on the GPU. (${message})`,
  },
  failed: {
    status: "The proof could not go on.",
    advice: ({ message }) => message,
  },
};

const COLUMNS = ["codec", "shape", "side", "predicted B", "packed B", "wrong bytes", "wrong values", "attention / bound"];

/** Wires the proof's elements to a worker at `url`, made anew for every run. */
export const proof = (page, url) => {
  const element = (id) => page.getElementById(id);
  const [run, cancel, full, only, bar, status, advice, table] =
    ["run", "cancel", "full", "codecs", "progress", "status", "advice", "results"].map(element);
  let worker;

  const show = (state, words, more = "") => {
    status.dataset.state = state;
    status.textContent = words;
    advice.textContent = more;
    advice.hidden = more === "";
  };

  const running = (is) => {
    run.hidden = is;
    cancel.hidden = !is;
    bar.hidden = !is;
    (is ? cancel : run).focus();
  };

  const ended = (end) => {
    worker.terminate();
    running(false);
    if (end.state === "report") {
      const { state, words } = verdict(end.report);
      show(state, words, end.report.notes.join(" "));
      fill(table, end.report.cases);
    } else {
      show(end.state, ENDS[end.state].status, ENDS[end.state].advice(end));
    }
  };

  run.addEventListener("click", () => {
    worker = new Worker(url, { type: "module" });
    worker.onmessage = ({ data }) => {
      if (data.progress === undefined) {
        ended(data);
        return;
      }
      const { done, steps, codec, stage } = data.progress;
      bar.max = steps;
      bar.value = done;
      status.textContent = `${done} of ${steps}: ${codec}, ${stage}`;
    };
    worker.onerror = (event) => {
      event.preventDefault();
      ended({ state: "failed", message: event.message ?? "the proof’s files could not be loaded" });
    };
    table.hidden = true;
    bar.removeAttribute("value");
    show("running", "Loading the kernels.");
    running(true);
    const codecs = only.value.split(/[\s,]+/).filter(Boolean);
    worker.postMessage({ wanted: { full: full.checked, codecs } });
  });

  cancel.addEventListener("click", () => worker.postMessage("cancel"));
};

const verdict = ({ processor, summary }) => {
  const { ran, failed, skipped, codecs, cancelled } = summary;
  const where = processor.adapter ? adapter(processor.adapter) : "the CPU";
  if (failed > 0) return { state: "differs", words: `Does not hold: ${failed} of ${ran} cases differ on ${where}.` };
  const left = skipped > 0 ? `, ${skipped} skipped` : "";
  if (cancelled) return { state: "stopped", words: `Stopped after ${ran} cases on ${where}; all of them hold.` };
  if (ran === 0) return { state: "failed", words: `Nothing ran on ${where}${left}.` };
  return {
    state: "holds",
    words: `Holds: ${codecs} codecs, ${ran} cases byte for byte as predicted on ${where}${left}.`,
  };
};

const adapter = ({ name, kind, driver }) => `${name || "an unnamed adapter"} (${[kind, driver].filter(Boolean).join(", ")})`;

const fill = (table, cases) => {
  const head = row("th", COLUMNS.map((text) => ({ text })));
  const rows = cases.flatMap((it) => caseRows(it).map((cells) => row("td", cells, it)));
  table.replaceChildren(head, ...rows);
  table.hidden = false;
};

const caseRows = ({ codec, shape, state, reason, ...measured }) => {
  const first = [{ text: codec }, { text: shape.label }];
  if (reason !== undefined) return [[...first, { text: `${state}: ${reason}`, span: COLUMNS.length - 2 }]];
  const attention = measured.attention
    ? Math.max(measured.attention.decode.worst_share, measured.attention.prefill.worst_share)
    : undefined;
  return ["k", "v"].map((side) => {
    const { predicted_bytes: predicted, measured_bytes: packed, packed: bytes, unpacked: values } = measured[side];
    return [
      ...first,
      { text: side.toUpperCase() },
      number(predicted, false),
      number(packed, packed !== predicted),
      number(bytes.differing, bytes.differing > 0),
      unpacked(values),
      attention === undefined
        ? { text: measured.attention_skipped ?? "not run" }
        : { text: attention.toFixed(3), number: true, bad: !(attention <= 1) },
    ];
  });
};

// A device may round a decoded value its own way; packed bytes have no such allowance.
const unpacked = (values) => {
  if (!values) return { text: "not compared" };
  const rounded = values.rounded > 0 ? ` (${values.rounded.toLocaleString("en-US")} rounded)` : "";
  return { text: `${values.differing.toLocaleString("en-US")}${rounded}`, number: true, bad: values.differing > 0 };
};

const number = (count, bad) => ({ text: count.toLocaleString("en-US"), number: true, bad });

const row = (tag, cells, { codec = "", state = "" } = {}) => {
  const line = document.createElement("tr");
  Object.assign(line.dataset, codec ? { codec, state } : {});
  line.append(
    ...cells.map(({ text, number, bad, span }) => {
      const cell = document.createElement(tag);
      cell.textContent = text;
      if (number) cell.classList.add("number");
      if (bad) cell.classList.add("bad");
      if (span) cell.colSpan = span;
      return cell;
    }),
  );
  return line;
};
