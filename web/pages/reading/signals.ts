// A series that is a recording: its paper in the place of the viewer, its tools, and the same in words.
import { type Group, inMillivolts, isVoltage, type Lead, type Measured, type Recording, type Setting, SignalView, Source } from "../../signals/index";
import { byId, make } from "../parts/dom";
import { api, ask, trying } from "../parts/talking";
import { facts, room, type Tracing } from "./room";

const words = facts.signalWords;

function word(key: string, values: Record<string, string | number> = {}): string {
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (blank, name: string) => String(values[name] ?? blank));
}

let view: SignalView | null = null;

/** Shows a series in the place of the viewer. */
export async function openSignal(series: string): Promise<void> {
  const path = `/studies/${facts.study}/series/${series}/signal`;
  const { groups, revision } = await api<Recording>("GET", path);
  const fetched = async (tail: string): Promise<ArrayBuffer> => {
    const query = `${tail}${tail.includes("?") ? "&" : "?"}revision=${revision}`;
    return (await ask("GET", `${path}/${query}`)).arrayBuffer();
  };
  const choice = byId<HTMLSelectElement>("signal-group");
  choice.replaceChildren(...groups.map((one) => make("option", { value: one.number }, named(one))));
  if (choice.parentElement) choice.parentElement.hidden = groups.length < 2;
  const first = groups.find((one) => one.original) ?? groups[0];
  if (!first) return;
  choice.value = String(first.number);
  choice.onchange = () => void trying(() => open(groups.find((one) => String(one.number) === choice.value) ?? first));
  let heat: { values: Uint8Array; shape: Shape } | null = null;
  const open = async (group: Group): Promise<void> => {
    await opened(group, fetched);
    if (heat) lay(groups, group, heat);
  };
  const tracing: Tracing = {
    series,
    close,
    heat(values, shape) {
      heat = values && shape ? { values, shape } : null;
      if (!view) return null;
      if (!heat) view.heat(null);
      return heat && !lay(groups, view.group, heat) ? word("heat_apart") : heat ? word("heat") : null;
    },
    hide(on) {
      if (on) view?.heat(null);
      else if (heat && view) lay(groups, view.group, heat);
    },
  };
  room.trace(tracing);
  await open(first);
  byId("signal").dataset["loaded"] = series;
}

type Shape = [number, number, number];

/** Takes it away again. */
function close(): void {
  view?.destroy();
  view = null;
  byId("signal").hidden = true;
  delete byId("signal").dataset["loaded"];
}

async function opened(group: Group, fetched: (tail: string) => Promise<ArrayBuffer>): Promise<void> {
  view?.destroy();
  byId("signal").hidden = false;
  view = new SignalView(byId<HTMLCanvasElement>("signal-canvas"), byId("paper"), new Source(group, fetched));
  const mine = view;
  mine.setting.speed = Number(speed?.value ?? 25);
  await mine.open();
  if (view !== mine) return;
  tools(mine);
  mine.onChange = () => told(mine);
  told(mine);
  describe(mine);
  if (mine.seconds > mine.span) void trying(() => overview(mine));
}

/** Lays the map of an explanation on a group: its rows are the leads of all recorded groups, one after the other. */
function lay(groups: Group[], group: Group, heat: { values: Uint8Array; shape: Shape }): boolean {
  const some = groups.filter((one) => one.original);
  const read = some.length ? some : groups;
  const before = read.slice(0, Math.max(0, read.indexOf(group)));
  const leads = (some: Group[]): number => some.reduce((sum, one) => sum + one.leads.length, 0);
  const [, rows, samples] = heat.shape;
  const fits = read.includes(group) && rows === leads(read) && samples <= group.samples;
  if (fits && view?.setting.layout === "standard") view.set({ layout: "rows" }); // on the sheet most of it would not be seen
  view?.heat(fits ? { values: heat.values, row: leads(before), samples } : null);
  if (view) tools(view);
  return fits;
}

function named(group: Group): string {
  const leads = group.leads.map((one) => one.name).slice(0, 12).join(" ");
  const name = `${group.number}${group.label ? ` ${group.label}` : ""}`;
  return word("shown", { name, leads, duration: `${round(group.samples / group.rate)} s` });
}

const speed = document.getElementById("signal-speed") as HTMLSelectElement | null;
const gain = document.getElementById("signal-gain") as HTMLSelectElement | null;
const layout = document.getElementById("signal-layout") as HTMLSelectElement | null;
const measure = document.getElementById("signal-measure");

/** The tools say what is set. */
function tools(mine: SignalView): void {
  if (!speed || !gain || !layout) return;
  speed.value = String(mine.setting.speed);
  gain.value = mine.setting.gain === null ? "fit" : String(mine.setting.gain);
  gain.disabled = !mine.group.leads.some(isVoltage);
  layout.value = mine.setting.layout;
  layout.disabled = !mine.hasSheet;
}

speed?.addEventListener("change", () => view?.set({ speed: Number(speed.value) }));
gain?.addEventListener("change", () => view?.set({ gain: gain.value === "fit" ? null : Number(gain.value) }));
layout?.addEventListener("change", () => view?.set({ layout: layout.value as Setting["layout"] }));
measure?.addEventListener("click", () => view?.measure(!view.isMeasuring));
document.getElementById("signal-in")?.addEventListener("click", () => view?.zoom(1));
document.getElementById("signal-out")?.addEventListener("click", () => view?.zoom(-1));
document.getElementById("signal-reset")?.addEventListener("click", () => view?.reset());

/** What the paper shows, in a line: its scale, and what is measured. */
function told(mine: SignalView): void {
  measure?.setAttribute("aria-pressed", String(mine.isMeasuring));
  byId("signal-scale").textContent = scaleOf(mine);
  byId("signal-measured").textContent = mine.measured ? between(mine, mine.measured) : "";
  byId("paper").dataset["heat"] = String(mine.hasHeat);
  const begin = byId<HTMLInputElement>("signal-begin");
  begin.max = String(Math.max(0, mine.seconds - mine.span));
  begin.step = String(Math.max(0.1, mine.span / 20));
  begin.value = String(mine.begin);
  begin.setAttribute("aria-valuetext", `${round(mine.begin)} s`);
  if (begin.parentElement) begin.parentElement.hidden = mine.seconds <= mine.span + 0.001;
}

function scaleOf(mine: SignalView): string {
  const values = { speed: mine.setting.speed, ms: round(1000 / mine.setting.speed) };
  if (mine.setting.gain !== null)
    return word("scale", { ...values, gain: mine.setting.gain, mv: round(1 / mine.setting.gain) });
  const units = new Set(mine.group.leads.map((one) => one.unit));
  const [unit] = units;
  const first = mine.leadScales[0];
  if (units.size > 1 || !unit || !first) return word("scale_own", values);
  return word("scale_fit", { ...values, value: round(1 / first.mm), unit });
}

function between(mine: SignalView, { lead, first, last }: Measured): string {
  const one = mine.group.leads[lead];
  if (!one) return "";
  if (!first) return word("mark", { lead: one.name, seconds: last.seconds.toFixed(3), value: valued(mine, last.value, one) });
  const ms = Math.round(Math.abs(last.seconds - first.seconds) * 1000);
  if (!ms) return word("between_same", { lead: one.name });
  return word("between", { lead: one.name, ms, value: valued(mine, last.value - first.value, one), bpm: Math.round(60000 / ms) });
}

/** A value in the unit of the paper where that is mV, else in that of the file. */
function valued(mine: SignalView, value: number, lead: Lead): string {
  if (Number.isNaN(value)) return word("nothing");
  const millivolts = mine.setting.gain === null ? null : inMillivolts(value, lead);
  if (millivolts !== null) return `${round(millivolts)} mV`;
  return `${round(value)} ${lead.unit || `(${word("no_unit")})`}`;
}

/** Three digits that count. */
function round(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** The recording in words, for those who do not see the paper. */
function describe(mine: SignalView): void {
  const { group } = mine;
  const lines = [word("duration", { seconds: round(mine.seconds), rate: round(group.rate) })];
  if (group.start) lines.push(word("starts", { seconds: round(group.start) }));
  if (!group.original) lines.push(word("computed"));
  lines.push(word("counted"));
  const head = make("tr", {}, ...["lead", "unit", "range", "filters"].map((key) => make("th", { scope: "col" }, word(key))));
  const rows = group.leads.map((one, at) => {
    const scale = mine.leadScales[at];
    const range = scale ? `${round(scale.low)} … ${round(scale.high)}` : "";
    const cells = [one.unit || word("no_unit"), range, filtered(one)].map((text) => make("td", {}, text));
    return make("tr", {}, make("th", { scope: "row" }, one.name), ...cells);
  });
  const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
  byId("signal-facts").replaceChildren(...lines.map((line) => make("p", {}, line)), table);
}

function filtered({ filters }: Lead): string {
  const parts = (["low", "high", "notch"] as const).flatMap((key) => {
    const value = filters[key];
    return value === null ? [] : [word(key, { n: round(value) })];
  });
  return parts.join(", ") || "–";
}

/** The whole recording as one line below the paper. */
async function overview(mine: SignalView): Promise<void> {
  const values = await mine.source.overview();
  const canvas = byId<HTMLCanvasElement>("signal-overview");
  if (canvas.parentElement) canvas.parentElement.hidden = false;
  const pen = canvas.getContext("2d");
  if (view !== mine || !pen) return;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  [canvas.width, canvas.height] = [width, height];
  const known = [...values].filter((one) => !Number.isNaN(one));
  const low = known.reduce((one, other) => Math.min(one, other), Infinity);
  const span = known.reduce((one, other) => Math.max(one, other), -Infinity) - low || 1;
  pen.strokeStyle = getComputedStyle(byId("paper")).getPropertyValue("--paper-trace");
  pen.beginPath();
  for (let bin = 0; bin < values.length / 2; bin++) {
    const x = (bin / (values.length / 2)) * width;
    pen.moveTo(x, height - (((values[2 * bin] ?? NaN) - low) / span) * height);
    pen.lineTo(x, height - (((values[2 * bin + 1] ?? NaN) - low) / span) * height - 1);
  }
  pen.stroke();
}

const begin = document.getElementById("signal-begin") as HTMLInputElement | null;
begin?.addEventListener("input", () => void trying(async () => view?.scroll(Number(begin.value))));

const paper = document.getElementById("paper");
let held: { x: number; begin: number } | null = null;

paper?.addEventListener("pointerdown", (event) => {
  if (!view || event.button) return;
  paper.setPointerCapture(event.pointerId);
  if (view.isMeasuring) view.point(...placeOf(event), true);
  held = { x: event.clientX, begin: view.begin };
});
paper?.addEventListener("pointermove", (event) => {
  if (!view || !held) return;
  if (view.isMeasuring) view.point(...placeOf(event), false);
  else drag(event.clientX);
});
for (const name of ["pointerup", "pointercancel"] as const) paper?.addEventListener(name, () => (held = null));
paper?.addEventListener(
  "wheel",
  (event) => {
    if (!view || (event.shiftKey && !event.ctrlKey)) return;
    if (event.ctrlKey) view.zoom(event.deltaY < 0 ? 1 : -1, placeOf(event)[0]);
    else if (view.seconds > view.span) {
      const way = event.deltaX || event.deltaY;
      void view.scroll(view.begin + (Math.sign(way) * view.span) / 10);
    } else return;
    event.preventDefault();
  },
  { passive: false },
);
paper?.addEventListener("keydown", (event) => {
  if (!view || event.altKey || event.metaKey || (event.ctrlKey && event.key !== "Home")) return;
  if (!pressed(view, event)) return;
  event.preventDefault();
  event.stopPropagation();
});

function drag(x: number): void {
  if (view && held) void view.scroll(held.begin - (x - held.x) / (view.setting.speed * view.scale));
}

function placeOf(event: MouseEvent): [number, number] {
  const box = byId("signal-canvas").getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

/** What a key does; false where it does nothing here. */
function pressed(mine: SignalView, event: KeyboardEvent): boolean {
  const far = mine.span / (event.shiftKey ? 2 : 10);
  const samples = Math.max(1, Math.round((event.shiftKey ? 0.1 : 0.01) * mine.group.rate));
  const does: Record<string, () => void> = {
    Home: () => void mine.scroll(0),
    End: () => void mine.scroll(mine.seconds),
    "+": () => mine.zoom(1),
    "=": () => mine.zoom(1),
    "-": () => mine.zoom(-1),
    k: () => mine.measure(!mine.isMeasuring),
  };
  if (mine.isMeasuring)
    Object.assign(does, {
      ArrowLeft: () => mine.move(-samples, 0),
      ArrowRight: () => mine.move(samples, 0),
      ArrowUp: () => mine.move(0, -1),
      ArrowDown: () => mine.move(0, 1),
      Enter: () => mine.fix(),
      Escape: () => mine.measure(false),
    });
  else
    Object.assign(does, {
      ArrowLeft: () => void mine.scroll(mine.begin - far),
      ArrowRight: () => void mine.scroll(mine.begin + far),
      PageUp: () => void mine.scroll(mine.begin - mine.span),
      PageDown: () => void mine.scroll(mine.begin + mine.span),
    });
  const work = does[event.key];
  work?.();
  return !!work;
}

