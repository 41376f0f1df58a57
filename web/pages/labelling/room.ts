// One case after the other: asks which, shows it, sends the answer, and goes on without loading the page again.
import { byId, make } from "../parts/dom";
import { api, tell, trying, word } from "../parts/talking";
import { facts, room, type Shown } from "../reading/room";
import { attach } from "../reading/toolbar";
import { answerOf, asked, type Answer, type Before, prepare } from "./answer";
import { choices, writes } from "./choices";

interface Next {
  study: string | null;
  series: string | null;
  revision: number | null;
  patient: string | null;
  why: { kind: string; uncertainty: number | null; diversity: number | null } | null;
  mine: Before | null;
  waiting: number;
}

const loading = byId("loading");
const comment = byId<HTMLTextAreaElement>("comment");
const skipped: string[] = [];
let current: Next | null = null;
let isBusy = false;

/** One thing at a time: who presses Enter twice answers once. */
async function alone(work: () => Promise<void>): Promise<void> {
  if (isBusy) return;
  isBusy = true;
  await trying(work);
  isBusy = false;
}

async function following(chosen: { study: string; series: string } | null = null): Promise<void> {
  const query = new URLSearchParams(chosen ?? undefined);
  for (const one of skipped) query.append("skip", one);
  const next = await api<Next>("GET", `/labellings/${asked.labelling}/next?${query}`);
  current = next;
  comment.value = next.mine?.comment ?? "";
  choices.set([]);
  byId("patient").textContent = next.patient ?? "";
  byId("waiting").textContent = word("waiting", { n: next.waiting });
  byId("why").textContent = whyOf(next);
  room.show(null);
  finished(next);
  if (next.study && next.series) await open(next.study, next.series, next.mine);
}

async function open(study: string, series: string, before: Before | null): Promise<void> {
  const { openViewer } = await import("../../viewer/index");
  facts.study = study;
  const element = byId("viewer");
  delete element.dataset["loaded"];
  const viewer = await openViewer(element, { study, series, words: facts.viewerWords });
  const shown: Shown = { series, viewer, labels: [], overlaid: Promise.resolve() };
  room.show(shown);
  attach(viewer);
  viewer.on("progress", ({ loaded, count }) => {
    loading.textContent = loaded < count ? word("loading", { n: loaded, all: count }) : "";
  });
  const whole = (): void => {
    loading.textContent = "";
    element.dataset["loaded"] = series;
  };
  await prepare(shown, before);
  viewer.on("loaded", whole);
  if (viewer.loaded) whole();
  element.focus({ preventScroll: true });
}

function whyOf({ why, mine }: Next): string {
  if (!why) return "";
  const part = (value: number | null): string => (value === null ? "" : value.toFixed(2));
  const both = why.kind === "unsure" && why.diversity !== null;
  const said = word(`why.${both ? "both" : why.kind}`, { u: part(why.uncertainty), d: part(why.diversity) });
  return mine ? `${said} · ${word("mine")}` : said;
}

/** Where nothing is left: says why, and offers what was put off. */
function finished(next: Next): void {
  const isOver = !next.series;
  const place = byId("finished");
  byId("answer").hidden = isOver;
  byId("stage").hidden = isOver;
  place.hidden = !isOver;
  if (!isOver) return;
  const key = next.waiting > 0 ? "held" : skipped.length > 0 ? "skipped" : "finished";
  const again = make("button", { type: "button" }, word("again"));
  again.addEventListener("click", () => {
    skipped.length = 0;
    void alone(following);
  });
  place.replaceChildren(make("span", {}, word(key)), " ", ...(key === "finished" ? [] : [again]));
}

async function save(isUnsure: boolean): Promise<void> {
  if (!current?.study || !current.series || current.revision === null) return;
  const { study, series, revision } = current;
  const answer: Answer = isUnsure ? {} : await answerOf(room.shown(), revision);
  const body = { study, series, revision, answer, unsure: isUnsure, comment: comment.value.trim() };
  await api("POST", `/labellings/${asked.labelling}/annotations`, body);
  tell(word("saved"));
  await following();
}

function skip(): void {
  if (current?.series) skipped.push(current.series);
  void alone(following);
}

byId<HTMLFormElement>("answer").addEventListener("submit", (event) => {
  event.preventDefault();
  void alone(() => save(false));
});
byId("unsure").addEventListener("click", () => void alone(() => save(true)));
byId("skip").addEventListener("click", skip);

/** Enter belongs to the viewer where it ends a polygon, or makes a box reach a frame: there Ctrl+Enter saves. */
window.addEventListener(
  "keydown",
  (event) => {
    if (event.key !== "Enter" || byId("answer").hidden) return;
    const isFlat = asked.asks === "boxes" && room.shown()?.viewer.description.count === 1;
    const inViewer = byId("viewer").contains(event.target as Node);
    if (!(event.ctrlKey || event.metaKey) && !(isFlat && inViewer)) return;
    event.preventDefault();
    event.stopPropagation();
    void alone(() => save(false));
  },
  { capture: true },
);

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || writes(event) || byId("answer").hidden) return;
  if (event.key === "u") void alone(() => save(true));
  else if (event.key === "n") skip();
  else if (event.key === "Enter") {
    // Whoever stands on a button or a link presses that; in the form the browser sends it.
    if ((event.target as HTMLElement | null)?.closest("button, a, summary, form")) return;
    event.preventDefault();
    void alone(() => save(false));
  }
});

void alone(() => following(asked.chosen));
