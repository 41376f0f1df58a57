// The tools: buttons and keys that change what the viewer does.
import type { Tool, Viewer } from "../../viewer/index";
import { byId, isTyping, make } from "../parts/dom";
import { tell, word } from "../parts/talking";
import { labelOf, opacity } from "./overlays";
import { room, type Shown } from "./room";

const tools = [...document.querySelectorAll<HTMLButtonElement>("button[data-tool]")];
const preset = byId<HTMLSelectElement>("preset");
const planes = byId<HTMLButtonElement>("planes");
const invert = byId<HTMLButtonElement>("invert");

function press(button: HTMLButtonElement, on: boolean): void {
  button.setAttribute("aria-pressed", String(on));
}

export function choose(tool: Tool): void {
  room.shown()?.viewer.tool(tool);
}

/** Shows or hides the tools that draw. */
export function drawing(on: boolean): void {
  const group = document.querySelector<HTMLElement>('[data-group="tools.drawing"]');
  if (group) group.hidden = !on;
}

/** Begins the outline of a structure with the brush; gives its value in the mask, 0 where an outline has no place. */
export function outline(shown: Shown, name: string): number {
  if (!shown.viewer.description.affine) {
    tell(word("no_outline"), "bad");
    return 0;
  }
  const label = labelOf(shown, name);
  shown.viewer.activeLabel(label);
  choose("brush");
  tell(word("outline"));
  return label.value;
}

/** Makes the toolbar that of a viewer that was just opened. */
export function attach(viewer: Viewer): void {
  preset.replaceChildren(
    ...viewer.description.windows.map((one) =>
      make("option", { value: one.name }, one.name === "as sent" ? word("as_sent") : one.name),
    ),
  );
  preset.hidden = viewer.description.windows.length === 0;
  planes.hidden = !viewer.planar;
  press(planes, false);
  press(invert, false);
  viewer.on("tool", ({ tool }) => tools.forEach((button) => press(button, button.dataset["tool"] === tool)));
  viewer.on("window", ({ inverted }) => press(invert, inverted));
  tools.forEach((button) => press(button, button.dataset["tool"] === viewer.tool()));
}

for (const button of tools) button.addEventListener("click", () => choose(button.dataset["tool"] as Tool));
preset.addEventListener("change", () => room.shown()?.viewer.preset(preset.value));
invert.addEventListener("click", () => room.shown()?.viewer.invert());
byId("reset").addEventListener("click", () => room.shown()?.viewer.reset());
byId("opacity").addEventListener("input", () => room.shown()?.viewer.maskOpacity(opacity()));
planes.addEventListener("click", () => {
  const viewer = room.shown()?.viewer;
  if (!viewer) return;
  const next = viewer.layout() === "stack" ? "planes" : "stack";
  void viewer.layout(next).then(() => press(planes, next === "planes"));
});

const KEYS: Record<string, Tool> = { s: "scroll", w: "window", z: "zoom", m: "pan", l: "length", e: "region", v: "probe", b: "brush", x: "eraser" };

document.addEventListener("keydown", (event) => {
  const viewer = room.shown()?.viewer;
  if (!viewer || isTyping(event)) return;
  if ((event.ctrlKey || event.metaKey) && event.key === "z") {
    event.preventDefault();
    viewer.undo();
  } else if ((event.ctrlKey || event.metaKey) && event.key === "y") {
    event.preventDefault();
    viewer.redo();
  } else if (!event.ctrlKey && !event.metaKey && !event.altKey) {
    const tool = KEYS[event.key];
    const button = tools.find((one) => one.dataset["tool"] === tool);
    if (tool && button && !button.closest<HTMLElement>("[role=group]")?.hidden) choose(tool);
    if (event.key === "i") viewer.invert();
    const number = Number(event.key);
    const wanted = Number.isInteger(number) && number > 0 ? viewer.description.windows[number - 1] : undefined;
    if (wanted) {
      viewer.preset(wanted.name);
      preset.value = wanted.name;
    }
  }
});
