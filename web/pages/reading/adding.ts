// What the release missed: a name, a place from the picture, and a word; sent with the next answer.
import { byId, make } from "../parts/dom";
import { api, tell, trying, word } from "../parts/talking";
import { keep } from "./drawings";
import { drawing, outline } from "./toolbar";
import { facts, type Missed, type Point, room, seen } from "./room";

const waiting: Missed[] = [];

export const added = {
  /** What was added, once: it belongs to the answer that is sent now. */
  take(): Missed[] {
    return waiting.splice(0);
  },
};

const form = document.getElementById("add") as HTMLFormElement | null;
const names = new Set(facts.results.flatMap((one) => one.findings.map((finding) => finding.concept)));
document.getElementById("concepts")?.replaceChildren(...[...names].map((value) => make("option", { value })));

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  void trying(async () => {
    const fields = new FormData(form);
    const one: Missed = { concept: String(fields.get("concept")), comment: String(fields.get("comment") ?? "") };
    const id = await drawn(one.concept);
    const place = id ? null : where();
    if (id) one.drawing = id;
    else if (place) one.place = place;
    await put(one);
    form.reset();
  });
});

const folded = form?.closest("details");
folded?.addEventListener("toggle", () => drawing(folded.open));

/** The structure that is being outlined: its value in the mask, 0 while there is none. */
let outlined = 0;

const outliner = document.getElementById("add-outline");
outliner?.addEventListener("click", () => {
  const shown = room.shown();
  const concept = document.getElementById("add-concept") as HTMLInputElement;
  if (!shown || !concept.reportValidity()) return;
  outlined = outline(shown, concept.value.trim());
});

/** Keeps the outline that was drawn; gives its id, or "" where nothing was drawn. */
async function drawn(concept: string): Promise<string> {
  const shown = room.shown();
  const value = outlined;
  outlined = 0;
  if (!shown || !value || !shown.viewer.readMask().includes(value)) return "";
  return keep(shown, value, concept);
}

/** The box that was drawn last, else the image that is looked at. */
function where(): { start: Point; stop: Point } | null {
  const shown = room.shown();
  if (!shown) return null;
  const drawn = shown.viewer.readBoxes().filter((one) => !one.id.includes(":")).at(-1);
  if (drawn) return { start: drawn.start, stop: drawn.stop };
  const { rows, columns } = shown.viewer.description;
  const frame = shown.viewer.frame();
  return { start: [frame, 0, 0], stop: [frame + 1, rows, columns] };
}

/** Added to a result that was answered already, it goes with that answer once more; else it waits for the answer. */
async function put(one: Missed): Promise<void> {
  const read = facts.results.filter((result) => result.series === room.series() && result.state === "answered");
  if (!read.length) throw new Error(word("no_result"));
  const answered = read.find((result) => result.reading);
  if (answered?.reading) {
    const { verdict, reason, amended, comment } = answered.reading;
    answered.reading.added.push(one);
    const again = { verdict, comment, ...(reason ? { reason } : {}), ...(amended ? { amended } : {}) };
    await api("POST", "/readings", { result: answered.id, shown: seen(), ...again, added: answered.reading.added });
  } else waiting.push(one);
  const image = one.place ? `, ${word("image", { n: one.place.start[0] + 1 })}` : "";
  byId("added").append(make("li", {}, `${one.concept}${image}`));
  tell(word("missed", { what: one.concept }));
}
