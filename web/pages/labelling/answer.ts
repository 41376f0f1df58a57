// What the reader answers: classes, a mask that was drawn, or boxes; made for the server from what is on the screen.
import { api, ask, page, word } from "../parts/talking";
import { deflated } from "../reading/drawings";
import { colour, facts, type Label, type Point, type Shown } from "../reading/room";
import { choose, drawing } from "../reading/toolbar";
import { choices } from "./choices";

export interface Answer {
  classes?: string[];
  drawing?: string;
  boxes?: { label: string; start: Point; stop: Point }[];
}

/** What the same reader answered before. */
export type Before = Answer & { unsure: boolean; comment: string };

/** What the page is told about its labelling. */
export const asked = page as unknown as {
  labelling: string;
  asks: "classes" | "masks" | "boxes";
  labels: string[];
  exclusive: boolean;
  chosen: { study: string; series: string } | null;
};

const labels: Label[] = asked.labels.map((name, number) => ({ value: number + 1, name, colour: colour(number) }));
const TOOLS = { classes: [], masks: ["brush", "eraser", "polygon"], boxes: ["box"] };

/** Makes the viewer ready for an answer: empty, or with what the reader said before. */
export async function prepare(shown: Shown, before: Before | null): Promise<void> {
  const { viewer } = shown;
  choices.set(before?.classes ?? []);
  shown.labels = labels;
  if (asked.asks === "classes") return;
  drawing(true);
  for (const button of document.querySelectorAll<HTMLElement>('[data-group="tools.drawing"] button'))
    button.hidden = !TOOLS[asked.asks].includes(button.dataset["tool"] ?? "");
  if (asked.asks === "masks") {
    viewer.mask({ labels, voxels: await voxelsOf(shown, before) });
    choose("brush");
  } else {
    const own = before?.boxes ?? [];
    viewer.boxes(own.map((one, number) => ({ ...one, id: `before-${number}`, colour: colourOf(one.label) })));
    choose("box");
  }
  choices.on(use);
  use(choices.active());

  function use(name: string): void {
    const label = labels.find((one) => one.name === name);
    if (!label) return;
    if (asked.asks === "masks") viewer.activeLabel(label.value);
    else viewer.boxLabel(label.name, label.colour);
  }
}

/** The answer; throws with words for the reader where there is none, or it contradicts itself. */
export async function answerOf(shown: Shown | null, revision: number): Promise<Answer> {
  const nothing = choices.nothing();
  if (asked.asks === "classes") {
    const classes = choices.chosen();
    check(classes.length > 0, nothing);
    return { classes };
  }
  if (!shown) throw new Error(word("nothing_chosen"));
  if (asked.asks === "boxes") {
    const boxes = shown.viewer.readBoxes().map(({ label, start, stop }) => ({ label, start, stop }));
    check(boxes.length > 0, nothing);
    return { boxes };
  }
  const mask = shown.viewer.readMask();
  check(mask.some((one) => one > 0), nothing);
  return { drawing: await keep(shown, mask, revision) };
}

function check(isSomething: boolean, nothing: boolean): void {
  if (isSomething && nothing) throw new Error(word("contradiction"));
  if (!isSomething && !nothing) throw new Error(word("nothing_chosen"));
}

async function keep(shown: Shown, mask: Uint8Array, revision: number): Promise<string> {
  const query = new URLSearchParams({ revision: String(revision) });
  for (const one of labels) query.append("label", `${one.value}:${one.name}`);
  const path = `/studies/${facts.study}/series/${shown.series}/drawings?${query}`;
  const kept = await api<{ id: string }>("POST", path, await deflated(mask));
  shown.viewer.saved();
  return kept.id;
}

async function voxelsOf(shown: Shown, before: Before | null): Promise<Uint8Array> {
  const { count, rows, columns } = shown.viewer.description;
  const voxels = new Uint8Array(count * rows * columns);
  if (!before?.drawing) return voxels;
  const told = await api<{ labels: { value: number; name: string }[] }>("GET", `/drawings/${before.drawing}`);
  const values = new Map(told.labels.map((one) => [one.value, labels.find((label) => label.name === one.name)?.value ?? 0]));
  const answer = await ask("GET", `/drawings/${before.drawing}/voxels`);
  new Uint8Array(await answer.arrayBuffer()).forEach((value, at) => {
    if (value) voxels[at] = values.get(value) ?? 0;
  });
  return voxels;
}

function colourOf(name: string): string {
  return labels.find((one) => one.name === name)?.colour ?? colour(0);
}
