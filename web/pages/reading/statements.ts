// What releases say of texts and of laboratory results: the words that led to it, and asking one. Text stays text.
import { make } from "../parts/dom";
import { api, read, trying } from "../parts/talking";

interface Part {
  start: number;
  stop: number;
  value: number;
}

interface Facts {
  led?: Record<string, Record<string, Part[]>>;
  study?: string;
  words?: Record<string, string>;
}

const LEVELS = 4;
const ASKED_EVERY = 1000;
const facts = read<Facts>("statements");

function word(key: string): string {
  return facts.words?.[key] ?? key;
}

/** A text whose words are shaded by how much they count; places count code points, as the server does. */
function shaded(text: string, parts: Part[]): (Node | string)[] {
  const letters = [...text];
  const made: (Node | string)[] = [];
  let at = 0;
  for (const part of parts) {
    made.push(letters.slice(at, part.start).join(""));
    const isFor = part.value > 0;
    const level = Math.min(LEVELS, Math.max(1, Math.ceil(Math.abs(part.value) * LEVELS)));
    const attributes = { class: `weighed ${isFor ? "for" : "against"} l${level}`, "data-sign": isFor ? "+" : "−", title: part.value.toFixed(2) };
    made.push(make("span", attributes, letters.slice(part.start, part.stop).join("")));
    at = part.stop;
  }
  return [...made, letters.slice(at).join("")];
}

async function show(button: HTMLElement, place: HTMLElement): Promise<void> {
  const isOpen = button.getAttribute("aria-expanded") === "true";
  if (!isOpen && !place.hasChildNodes()) {
    const { text } = await api<{ text: string }>("GET", button.dataset["address"] ?? "");
    const parts = facts.led?.[button.dataset["shade"] ?? ""]?.[button.dataset["of"] ?? ""] ?? [];
    const legend = make("p", { class: "quiet" }, word(parts.length ? "legend" : "none"));
    place.replaceChildren(legend, make("p", { class: "words", tabindex: 0 }, ...shaded(text, parts)));
  }
  place.hidden = isOpen;
  button.setAttribute("aria-expanded", String(!isOpen));
  button.textContent = word(isOpen ? "show" : "hide");
}

for (const button of document.querySelectorAll<HTMLElement>("[data-shade]")) {
  const place = button.nextElementSibling;
  if (place instanceof HTMLElement) button.addEventListener("click", () => void trying(() => show(button, place)));
}

async function ask(button: HTMLButtonElement): Promise<void> {
  button.disabled = true;
  const said = make("span", { role: "status" }, word("asked"));
  button.after(said);
  const body = { release: button.dataset["ask"] ?? "", document: button.dataset["document"] ?? null };
  let job = await api<{ id: string; state: string }>("POST", `/studies/${facts.study ?? ""}/statements`, body);
  while (job.state === "queued" || job.state === "running") {
    await new Promise((done) => setTimeout(done, ASKED_EVERY));
    job = await api("GET", `/jobs/${job.id}`);
  }
  if (job.state !== "done") {
    said.textContent = word("failed");
    button.disabled = false;
    return;
  }
  // A report may be half written on this page: the reader says when it is loaded again.
  const again = make("button", { type: "button" }, word("reload"));
  again.addEventListener("click", () => location.reload());
  said.replaceChildren(word("there"), " ", again);
}

for (const button of document.querySelectorAll<HTMLButtonElement>("[data-ask]"))
  button.addEventListener("click", () => void trying(() => ask(button)));
