// Why a release says so: a map of what led to a finding, and past cases that look alike. Both are asked for on demand.
import { make } from "../parts/dom";
import { api, ask, page, trying, word } from "../parts/talking";
import { opacity } from "./overlays";
import { room } from "./room";

interface Explanation {
  id: string;
  finding: string;
  explainer: string;
  title: string;
  shape: [number, number, number];
  sanity: { passed: boolean; words: Record<string, string> };
}

interface Explanations {
  items: Explanation[];
  jobs: { id: string; state: string }[];
  explainers: { name: string; title: string }[];
  words: Record<string, string>;
  refusals: Record<string, Record<string, string>>;
}

interface Similar {
  items: {
    study: string;
    patient: string;
    date: string;
    similarity: number;
    verdict: string | null;
    thumbnail: string;
    said: { finding: string; status: string; probability: number | null }[];
  }[];
  words: Record<string, string>;
}

const ASKED_EVERY = 1500;

for (const place of document.querySelectorAll<HTMLElement>("[data-more]")) {
  const card = place.closest<HTMLElement>("[data-finding]");
  const result = card?.dataset["result"] ?? "";
  const finding = place.dataset["more"] ?? "";
  place.append(
    folded(word("why"), (body) => explanations(body, result, finding)),
    folded(word("similar"), (body) => similar(body, result)),
  );
}

/** Something that is asked for when it is opened first. */
function folded(title: string, fill: (body: HTMLElement) => Promise<void>): HTMLElement {
  const body = make("div");
  const found = make("details", {}, make("summary", {}, title), body);
  found.addEventListener("toggle", () => {
    if (found.open && !body.hasChildNodes()) void trying(() => fill(body));
  });
  return found;
}

async function explanations(body: HTMLElement, result: string, finding: string): Promise<void> {
  const there = await api<Explanations>("GET", `/findings/${result}/explanations`);
  const why = there.words[page.lang];
  if (why) {
    body.replaceChildren(make("p", { class: "quiet" }, why));
    return;
  }
  const said = make("p", { class: "quiet", role: "status" });
  const buttons = there.explainers.map((one) => {
    const button = make("button", { type: "button", "aria-pressed": "false" }, one.title);
    button.addEventListener("click", () => void trying(() => pressed(button, said, result, finding, one.name)));
    return button;
  });
  body.replaceChildren(make("div", { class: "explainers" }, ...buttons), said);
}

async function pressed(button: HTMLElement, said: HTMLElement, result: string, finding: string, explainer: string): Promise<void> {
  const isOn = button.getAttribute("aria-pressed") === "true";
  for (const other of button.parentElement?.querySelectorAll("button") ?? []) other.setAttribute("aria-pressed", "false");
  const viewer = room.shown()?.viewer;
  const tracing = room.tracing();
  viewer?.heat(null);
  tracing?.heat(null);
  said.textContent = "";
  if (isOn || !(viewer ?? tracing)) return;
  const found = await made(said, result, finding, explainer);
  if (!found) return;
  said.textContent = found.sanity.words[page.lang] ?? "";
  if (!found.sanity.passed) return;
  const answer = await ask("GET", `/explanations/${found.id}/voxels`);
  const voxels = new Uint8Array(await answer.arrayBuffer());
  viewer?.heat(voxels, opacity());
  const laid = tracing?.heat(voxels, found.shape);
  if (laid) said.textContent = `${said.textContent} ${laid}.`;
  button.setAttribute("aria-pressed", "true");
}

/** The map, which is made where there is none yet. */
async function made(said: HTMLElement, result: string, finding: string, explainer: string): Promise<Explanation | undefined> {
  const path = `/findings/${result}/explanations`;
  const mine = (one: Explanation): boolean => one.finding === finding && one.explainer === explainer;
  let there = await api<Explanations>("GET", path);
  if (there.items.some(mine)) return there.items.find(mine);
  const { id } = await api<{ id: string }>("POST", path, { finding, explainer });
  said.textContent = word("explaining");
  for (;;) {
    await new Promise((done) => setTimeout(done, ASKED_EVERY));
    there = await api<Explanations>("GET", path);
    const found = there.items.find(mine);
    if (found) return found;
    const job = there.jobs.find((one) => one.id === id);
    if (!job || job.state === "failed" || job.state === "cancelled") {
      said.textContent = there.refusals[id]?.[page.lang] ?? word("no_map");
      return undefined;
    }
  }
}

async function similar(body: HTMLElement, result: string): Promise<void> {
  const found = await api<Similar>("GET", `/findings/${result}/similar?limit=5`);
  if (!found.items.length) {
    body.replaceChildren(make("p", { class: "quiet" }, found.words[page.lang] ?? word("none_alike")));
    return;
  }
  const items = found.items.map((one) => {
    const present = one.said.filter((each) => each.status === "present").map((each) => each.finding);
    const decided = one.verdict ? word(one.verdict) : word("undecided");
    return make(
      "li",
      {},
      make("a", { href: `/studies/${one.study}` }, small(one.thumbnail), make("code", {}, one.patient)),
      make("small", {}, `${present.join(", ") || "–"} · ${decided} · ${one.similarity.toFixed(2)}`),
    );
  });
  body.replaceChildren(make("ul", { class: "alike" }, ...items));
}

/** A small picture of a case; a recording has none. */
function small(src: string): HTMLElement {
  return room.tracing() ? make("span", { class: "trace-icon" }) : make("img", { src, alt: "", loading: "lazy" });
}
