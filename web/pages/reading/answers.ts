// The reader's answer to a result: accept, correct, reject with a reason, can't tell.
import { byId, isTyping, make } from "../parts/dom";
import { api, tell, trying, word } from "../parts/talking";
import { added } from "./adding";
import { keep } from "./drawings";
import { colour, type Decided, facts, type Finding, type Point, type Result, resultOf, room, seen } from "./room";
import { drawnBy, overlay } from "./overlays";
import { choose, drawing, outline } from "./toolbar";

type Verdict = "accept" | "amend" | "reject" | "unsure";
interface Correction {
  status?: string;
  value?: number;
  unit?: string;
  drawing?: string;
  boxes?: { start: Point; stop: Point }[];
}

/** Findings whose outline the reader draws anew, by result and finding. */
const redrawn = new Map<string, { value: number }>();
/** Findings whose boxes the reader draws anew. */
const reboxed = new Set<string>();

for (const card of document.querySelectorAll<HTMLElement>("[data-result].result")) {
  const result = resultOf(card.dataset["result"] ?? "");
  if (!result) continue;
  offerOriginal(card, result);
  for (const button of card.querySelectorAll<HTMLButtonElement>("[data-verdict]"))
    button.addEventListener("click", () => pressed(card, result, button.dataset["verdict"] as Verdict));
  form(card, "reason")?.addEventListener("submit", (event) => {
    event.preventDefault();
    const reason = card.querySelector<HTMLSelectElement>("select[name=reason]")?.value;
    void trying(() => send(card, result, { verdict: "reject", reason }));
  });
  form(card, "amend")?.addEventListener("submit", (event) => {
    event.preventDefault();
    void trying(() => amend(card, result));
  });
  for (const name of ["reason", "amend"] as const) form(card, name)?.addEventListener("reset", () => given(card));
}

/** Where a reader drew something else, what the release drew can be looked at. */
function offerOriginal(card: HTMLElement, result: Result): void {
  const said = card.querySelector<HTMLElement>("[data-decided]");
  if (!said || !drawnBy(result).length || card.querySelector("[data-original]")) return;
  const button = make("button", { type: "button", "aria-pressed": String(room.original), "data-original": true }, word("original"));
  button.addEventListener("click", () => {
    const shown = room.shown();
    if (!shown || shown.viewer.dirty) return;
    room.original = !room.original;
    for (const one of document.querySelectorAll("[data-original]")) one.setAttribute("aria-pressed", String(room.original));
    void trying(() => overlay(shown));
  });
  said.after(button);
}

document.addEventListener("keydown", (event) => {
  if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
  const verdict = { a: "accept", c: "amend", r: "reject", u: "unsure" }[event.key] as Verdict | undefined;
  const card = [...document.querySelectorAll<HTMLElement>(".result")].find((one) => !one.closest("[hidden]") && one.dataset["done"] !== "true");
  const result = card && resultOf(card.dataset["result"] ?? "");
  if (verdict && card && result && facts.mayAnswer) pressed(card, result, verdict);
});

function form(card: HTMLElement, name: "reason" | "amend"): HTMLFormElement | null {
  return card.querySelector<HTMLFormElement>(`form.${name}`);
}

function opened(card: HTMLElement, name: "reason" | "amend" | null): void {
  for (const one of ["reason", "amend"] as const) {
    const found = form(card, one);
    if (found) found.hidden = one !== name;
  }
  drawing(name === "amend");
  if (name !== "amend") {
    redrawn.clear();
    reboxed.clear();
  }
}

/** Takes back what was begun: what was drawn goes, what the release said is shown again. */
function given(card: HTMLElement): void {
  opened(card, null);
  const shown = room.shown();
  if (shown?.viewer.dirty) void trying(() => overlay(shown));
}

function pressed(card: HTMLElement, result: Result, verdict: Verdict): void {
  if (verdict === "reject") {
    opened(card, "reason");
    card.querySelector<HTMLSelectElement>("select[name=reason]")?.focus();
  } else if (verdict === "amend") {
    opened(card, "amend");
    corrections(card, result);
  } else void trying(() => send(card, result, { verdict }));
}

/** For each finding what may be set right. */
function corrections(card: HTMLElement, result: Result): void {
  const place = card.querySelector<HTMLElement>(".corrections");
  place?.replaceChildren(...result.findings.filter((one) => one.status !== "abstained").map((one, number) => correction(result, one, number)));
  place?.querySelector<HTMLElement>("select, input, button")?.focus();
}

function correction(result: Result, finding: Finding, number: number): HTMLElement {
  const id = `right-${result.id}-${number}`;
  const said = document.querySelector(`[data-result="${result.id}"][data-finding="${CSS.escape(finding.concept)}"] h3`);
  const row = make("div", { class: "correction", "data-of": finding.concept }, make("label", { for: id }, said?.textContent ?? finding.concept));
  const choices = [["", word("right")], ["present", word("there")], ["absent", word("not_there")]].filter(([value]) => value !== finding.status);
  row.append(make("select", { id, "data-status": true }, ...choices.map(([value, text]) => make("option", { value }, text))));
  const measured = Object.entries(finding.measures).find(([name]) => name !== "probability" && name !== "confidence");
  if (measured && !result.outlines && measured[1].value !== null) {
    const [name, one] = measured;
    const entry = make("input", { type: "number", step: "any", value: one.value ?? "", "data-value": one.value ?? "", "data-unit": one.unit, "aria-label": `${name} (${one.unit})` });
    row.append(entry, make("small", {}, one.unit));
  }
  if (result.outlines) {
    const button = make("button", { type: "button", "aria-pressed": "false" }, word("draw"));
    button.addEventListener("click", () => void trying(() => draw(result, finding, button)));
    row.append(button);
  }
  if (!result.outlines && finding.place) {
    const button = make("button", { type: "button", "aria-pressed": "false" }, word("box"));
    button.addEventListener("click", () => box(result, finding, button));
    row.append(button);
  }
  return row;
}

/** Boxes of the finding are moved, or drawn new; they have its name. */
function box(result: Result, finding: Finding, button: HTMLButtonElement): void {
  const viewer = room.shown()?.viewer;
  if (!viewer) return;
  reboxed.add(`${result.id}:${finding.concept}`);
  viewer.boxLabel(finding.concept, colour(result.findings.indexOf(finding)));
  choose("box");
  button.setAttribute("aria-pressed", "true");
  tell(word("boxed"));
}

async function draw(result: Result, finding: Finding, button: HTMLButtonElement): Promise<void> {
  const shown = room.shown();
  await shown?.overlaid; // before, there is nothing to correct
  if (!shown) return;
  const value = outline(shown, finding.concept);
  if (!value) return;
  redrawn.set(`${result.id}:${finding.concept}`, { value });
  button.setAttribute("aria-pressed", "true");
}

async function amend(card: HTMLElement, result: Result): Promise<void> {
  const amended: Record<string, Correction> = {};
  for (const row of card.querySelectorAll<HTMLElement>(".correction")) {
    const found = await corrected(row, result);
    if (Object.keys(found).length) amended[row.dataset["of"] ?? ""] = found;
  }
  const comment = card.querySelector<HTMLTextAreaElement>("textarea[name=comment]")?.value ?? "";
  await send(card, result, { verdict: "amend", amended, comment });
}

async function corrected(row: HTMLElement, result: Result): Promise<Correction> {
  const found: Correction = {};
  const concept = row.dataset["of"] ?? "";
  const status = row.querySelector<HTMLSelectElement>("[data-status]")?.value;
  if (status) found.status = status;
  const entry = row.querySelector<HTMLInputElement>("[data-value]");
  if (entry && entry.value !== entry.dataset["value"] && entry.value !== "") {
    found.value = Number(entry.value);
    found.unit = entry.dataset["unit"] ?? "1";
  }
  if (reboxed.has(`${result.id}:${concept}`)) {
    const mine = room.shown()?.viewer.readBoxes().filter((one) => one.label === concept) ?? [];
    if (mine.length) found.boxes = mine.map(({ start, stop }) => ({ start, stop }));
    else found.status = "absent";
  }
  const drawn = redrawn.get(`${result.id}:${concept}`);
  const shown = room.shown();
  if (!drawn || !shown) return found;
  if (!shown.viewer.readMask().includes(drawn.value)) return { ...found, status: "absent" };
  const wasAbsent = result.findings.some((one) => one.concept === concept && one.status === "absent");
  return { ...found, ...(wasAbsent ? { status: "present" } : {}), drawing: await keep(shown, drawn.value, concept) };
}

async function send(card: HTMLElement, result: Result, answer: Record<string, unknown>): Promise<void> {
  const body = { result: result.id, shown: seen(), comment: "", ...answer, added: added.take() };
  result.reading = await api<Decided>("POST", "/readings", body);
  card.dataset["done"] = "true";
  offerOriginal(card, result);
  const told = card.querySelector<HTMLElement>("[data-decided]");
  if (told) told.textContent = word(String(answer["verdict"]));
  opened(card, null);
  tell(word("saved"));
  byId("draft").focus();
}
