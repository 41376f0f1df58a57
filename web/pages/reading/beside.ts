// What lies beside the pictures: tabs, and texts whose marked places are shown. Text stays text.
import { make } from "../parts/dom";
import { api, read, trying } from "../parts/talking";
import { room } from "./room";

interface Span {
  label: string;
  start: number;
  stop: number;
  probability: number | null;
}

interface Mark {
  release: string;
  state: "answered" | "unavailable";
  reason: string;
  spans: Span[];
}

/** A text that was brought in, or the words of a DICOM report, which nobody marks. */
interface Text {
  text: string;
  kind?: string;
  title?: string;
  complete?: string;
  verified?: string;
  marks?: Mark[];
}

/** A stretch of characters, and every span that covers it. */
interface Piece {
  text: string;
  spans: Span[];
}

const COLOURS = 7;
const ASKED_EVERY = 1000;
const words = read<{ words?: Record<string, string> }>("beside").words ?? {};

function word(key: string, values: Record<string, string | number> = {}): string {
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (blank, name: string) => String(values[name] ?? blank));
}

const tabs = [...document.querySelectorAll<HTMLElement>(".beside [role=tab]")];

function choose(tab: HTMLElement): void {
  for (const one of tabs) {
    const isChosen = one === tab;
    one.setAttribute("aria-selected", String(isChosen));
    one.tabIndex = isChosen ? 0 : -1;
    const panel = document.getElementById(one.getAttribute("aria-controls") ?? "");
    if (panel) panel.hidden = !isChosen;
  }
}

for (const [number, tab] of tabs.entries()) {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const to = event.key === "Home" ? 0 : event.key === "End" ? tabs.length - 1 : step ? (number + step + tabs.length) % tabs.length : null;
    const next = to === null ? undefined : tabs[to];
    if (!next) return;
    event.preventDefault();
    event.stopPropagation();
    choose(next);
    next.focus();
  });
}

/** Cuts a text where a span begins or ends. Spans count code points, as the server does; they may lie over each other. */
function pieces(text: string, spans: Span[]): Piece[] {
  const letters = [...text];
  const cuts = [...new Set([0, letters.length, ...spans.flatMap((one) => [one.start, one.stop])])]
    .filter((at) => at >= 0 && at <= letters.length)
    .sort((a, b) => a - b);
  return cuts.slice(0, -1).map((start, number) => ({
    text: letters.slice(start, cuts[number + 1]).join(""),
    spans: spans.filter((one) => one.start <= start && one.stop > start),
  }));
}

const place = document.getElementById("text");
let shown: { address: string; content: Text; release: string; hidden: Set<string> } | null = null;

function sure(one: Span): string {
  if (one.probability === null) return one.label;
  return word("sure", { label: one.label, p: Math.min(99, Math.floor(100 * one.probability)) });
}

function marked(piece: Piece, labels: string[]): Node | string {
  const [first] = piece.spans;
  if (!first) return piece.text;
  const names = [...new Set(piece.spans.map((one) => one.label))].join(" + ");
  return make(
    "mark",
    {
      class: `c${labels.indexOf(first.label) % COLOURS}${piece.spans.length > 1 ? " several" : ""}`,
      "data-label": names,
      title: piece.spans.map(sure).join("; "),
    },
    piece.text,
  );
}

function legend(labels: string[], spans: Span[], hidden: Set<string>): HTMLElement {
  const buttons = labels.map((label, number) => {
    const many = spans.filter((one) => one.label === label).length;
    const swatch = make("span", { class: `swatch c${number % COLOURS}`, "aria-hidden": "true" });
    const button = make("button", { type: "button", "aria-pressed": String(!hidden.has(label)), "data-filter": label }, swatch, label, make("small", {}, ` ${many}`));
    button.addEventListener("click", () => {
      if (!hidden.delete(label)) hidden.add(label);
      draw();
      place?.querySelector<HTMLElement>(`[data-filter="${CSS.escape(label)}"]`)?.focus();
    });
    return button;
  });
  return make("div", { class: "legend", role: "group", "aria-label": word("labels") }, ...buttons);
}

function chooser(marks: Mark[], release: string): HTMLElement | null {
  if (marks.length < 2) return null;
  const select = make("select", { id: "text-release" });
  for (const one of marks) select.append(make("option", { value: one.release, selected: one.release === release }, one.release));
  select.addEventListener("change", () => {
    if (!shown) return;
    shown = { ...shown, release: select.value, hidden: new Set() };
    draw();
    document.getElementById("text-release")?.focus();
  });
  return make("p", {}, make("label", { for: "text-release" }, `${word("release")} `), select);
}

/** What is above the text: the state of a report, and what one release says. */
function above(content: Text, mark: Mark | undefined, labels: string[], hidden: Set<string>): (Node | null)[] {
  const quiet = (text: string): HTMLElement => make("p", { class: "quiet" }, text);
  const state = [
    content.complete === "PARTIAL" ? make("p", { class: "warning" }, word("partial")) : null,
    content.verified === "UNVERIFIED" ? quiet(word("unverified")) : null,
  ];
  if (!mark) return state;
  if (room.without) return [...state, quiet(word("hidden"))];
  const head = chooser(content.marks ?? [], mark.release);
  if (mark.state !== "answered") return [...state, head, quiet(word("why_above", { release: mark.release }))];
  if (!mark.spans.length) return [...state, head, quiet(word("nothing", { release: mark.release }))];
  return [...state, head ?? quiet(`${word("release")} ${mark.release}`), legend(labels, mark.spans, hidden)];
}

function draw(): void {
  if (!place || !shown) return;
  const { content, release, hidden } = shown;
  const mark = content.marks?.find((one) => one.release === release);
  const labels = [...new Set(mark?.spans.map((one) => one.label) ?? [])].sort();
  const spans = room.without ? [] : (mark?.spans ?? []).filter((one) => !hidden.has(one.label));
  const close = make("button", { type: "button", class: "close" }, word("close"));
  close.addEventListener("click", closed);
  const title = content.title ?? word(`kind.${content.kind ?? ""}`);
  place.replaceChildren(
    make("header", {}, make("h2", {}, title), close),
    ...above(content, mark, labels, hidden).filter((one) => one !== null),
    make("p", { class: "words", tabindex: 0 }, ...pieces(content.text, spans).map((one) => marked(one, labels))),
  );
  place.hidden = false;
}

/** Which text is open: it stands below its own button. */
function expanded(address: string | null): void {
  for (const button of document.querySelectorAll<HTMLElement>("[data-text]")) {
    const isOpen = button.dataset["text"] === address;
    button.setAttribute("aria-expanded", String(isOpen));
    if (isOpen && place) button.closest("li")?.append(place);
  }
}

function closed(): void {
  if (!place || !shown) return;
  const { address } = shown;
  shown = null;
  place.hidden = true;
  place.replaceChildren();
  expanded(null);
  document.querySelector<HTMLElement>(`[data-text="${CSS.escape(address)}"]`)?.focus();
}

async function open(address: string): Promise<void> {
  const content = await api<Text>("GET", address);
  const first = content.marks?.find((one) => one.state === "answered") ?? content.marks?.[0];
  shown = { address, content, release: first?.release ?? "", hidden: new Set() };
  expanded(address);
  draw();
}

for (const button of document.querySelectorAll<HTMLElement>("[data-text]"))
  button.addEventListener("click", () => {
    const address = button.dataset["text"] ?? "";
    if (shown?.address === address) closed();
    else void trying(() => open(address));
  });

async function ask(button: HTMLButtonElement): Promise<void> {
  const address = button.dataset["mark"] ?? "";
  const release = button.dataset["release"] ?? "";
  button.disabled = true;
  const said = make("span", { role: "status" }, word("asked"));
  button.after(said);
  let job = await api<{ id: string; state: string }>("POST", `${address}/marks`, { release });
  while (job.state === "queued" || job.state === "running") {
    await new Promise((done) => setTimeout(done, ASKED_EVERY));
    job = await api("GET", `/jobs/${job.id}`);
  }
  if (job.state !== "done") {
    said.textContent = word("failed");
    button.disabled = false;
    return;
  }
  await open(address);
  const mark = shown?.content.marks?.find((one) => one.release === release);
  if (!shown || !mark) return;
  shown.release = release;
  draw();
  if (mark.state === "answered") button.parentElement?.remove();
  else button.parentElement?.replaceChildren(word("not_marked", { release, why: mark.reason }));
}

for (const button of document.querySelectorAll<HTMLButtonElement>("[data-mark]"))
  button.addEventListener("click", () => void trying(() => ask(button)));

// Whoever reads without suggestions sees no marks either.
const without = document.getElementById("without-ai");
if (without) new MutationObserver(draw).observe(without, { attributeFilter: ["aria-pressed"] });
