// A study: opens the viewer on its first series and connects it with the cards, the tools and the report.
import type { Viewer } from "../viewer/index";
import { byId } from "./parts/dom";
import { api, trying, word } from "./parts/talking";
import "./reading/answers";
import "./reading/beside";
import { end as endComparing } from "./reading/comparing";
import { bring, hide, largest, overlay } from "./reading/overlays";
import "./reading/reasons";
import "./reading/report";
import { facts, type Point, room, type Shown } from "./reading/room";
import { openSignal } from "./reading/signals";
import "./reading/statements";
import { attach } from "./reading/toolbar";

const STILL = 5 * 60 * 1000;
const loading = byId("loading");

async function open(series: string): Promise<void> {
  endComparing();
  delete byId("viewer").dataset["loaded"];
  room.show(null);
  for (const button of document.querySelectorAll<HTMLElement>("[data-series][aria-pressed]"))
    button.setAttribute("aria-pressed", String(button.dataset["series"] === series));
  for (const card of document.querySelectorAll<HTMLElement>(".result")) card.hidden = card.dataset["series"] !== series;
  const isSignal = facts.series.some((one) => one.uid === series && one.signal);
  byId("stage").classList.toggle("recorded", isSignal);
  loading.textContent = "";
  await (isSignal ? openSignal(series) : openPictures(series));
}

async function openPictures(series: string): Promise<void> {
  const { openViewer } = await import("../viewer/index");
  const viewer: Viewer = await openViewer(byId("viewer"), { study: facts.study, series, words: facts.viewerWords });
  const shown: Shown = { series, viewer, labels: [], overlaid: Promise.resolve() };
  room.show(shown);
  attach(viewer);
  viewer.on("progress", ({ loaded, count }) => {
    loading.textContent = loaded < count ? word("loading", { n: loaded, all: count }) : "";
  });
  const whole = (): void => {
    loading.textContent = "";
    void shown.overlaid.then(() => (byId("viewer").dataset["loaded"] = series));
  };
  shown.overlaid = overlay(shown);
  viewer.on("loaded", whole);
  if (viewer.loaded) whole();
  await shown.overlaid;
}

for (const button of document.querySelectorAll<HTMLElement>("button[data-series]"))
  button.addEventListener("click", () => void trying(() => open(button.dataset["series"] ?? "")));

for (const button of document.querySelectorAll<HTMLElement>("[data-jump]"))
  button.addEventListener("click", () => {
    const card = button.closest<HTMLElement>("[data-place]");
    const place = card?.dataset["place"];
    const shown = room.shown();
    if (!place || !shown) return;
    const inside = largest(shown, card.dataset["finding"] ?? "");
    if (inside) {
      shown.viewer.jumpTo(inside);
      return;
    }
    const { start, stop } = JSON.parse(place) as { start: Point; stop: Point };
    const middle = start.map((from, axis) => Math.floor((from + (stop[axis] ?? from) - 1) / 2)) as Point;
    shown.viewer.jumpTo(middle);
  });

const without = byId<HTMLButtonElement>("without-ai");

function withSuggestions(on: boolean): void {
  room.without = !on;
  without.setAttribute("aria-pressed", String(!on));
  byId("cards").hidden = !on;
  const shown = room.shown();
  if (shown) (on ? bring : hide)(shown);
  room.tracing()?.hide(!on);
}

without.addEventListener("click", () => {
  // Whoever has seen the suggestions has seen them: only who began without them read without them.
  withSuggestions(room.without);
});
if (facts.lookFirst) {
  room.beganWithout = true;
  withSuggestions(false);
}

async function begin(): Promise<void> {
  const first = facts.series[0];
  if (!first) {
    loading.textContent = word("no_series");
    return;
  }
  if (facts.mayAnswer) {
    void api("POST", `/studies/${facts.study}/openings`, { still: false });
    setInterval(() => document.hidden || void api("POST", `/studies/${facts.study}/openings`, { still: true }), STILL);
  }
  await open(first.uid);
}

void trying(begin);
