// Everything that the pointer does to the view is possible by keyboard, too.
import { isTyping } from "../pages/parts/dom";
import type { Pane } from "./pane";
import type { Viewer } from "./types";

/** What keys can do. */
export interface Keys {
  step(by: number): void;
  end(last: boolean): void;
  window(right: number, down: number): void;
  pan(right: number, down: number): void;
  zoom(times: number): void;
  fit(): void;
  invert(): void;
  reset(): void;
  /** Closes a polygon, or makes a box reach this frame; says whether there was one. */
  finish(): boolean;
  cancel(): boolean;
  remove(): boolean;
  undo(): void;
  redo(): void;
}

const STEP = 10;
const NUDGE = 20;
const ARROWS: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** What keys do by what anybody can ask of a viewer. */
export function actions(viewer: Viewer, pane: () => Pane): Pick<Keys, "pan" | "zoom" | "fit" | "invert" | "reset" | "undo" | "redo"> {
  return {
    pan: (right, down) => pane().pan(right, down),
    zoom: (times) => pane().zoomTo(pane().zoom * times),
    fit: () => viewer.zoom("fit"),
    invert: () => viewer.invert(),
    reset: () => viewer.reset(),
    undo: () => viewer.undo(),
    redo: () => viewer.redo(),
  };
}

/** Listens to the keys of an element: arrows scroll, with Shift they change the window, with Alt they move the picture. */
export function listen(element: HTMLElement, keys: Keys): void {
  element.addEventListener("keydown", (event) => {
    if (isTyping(event)) return;
    if (!handled(event, keys)) return;
    event.preventDefault();
    event.stopPropagation();
  });
}

function handled(event: KeyboardEvent, keys: Keys): boolean {
  if (event.ctrlKey || event.metaKey) return withControl(event, keys);
  const arrow = ARROWS[event.key];
  if (arrow) {
    const [right, down] = arrow;
    if (event.shiftKey) keys.window(right * NUDGE, down * NUDGE);
    else if (event.altKey) keys.pan(-right * NUDGE, -down * NUDGE);
    else keys.step(right + down);
    return true;
  }
  return !event.altKey && plain(event.key, keys);
}

function withControl(event: KeyboardEvent, keys: Keys): boolean {
  const key = event.key.toLowerCase();
  if (key === "z" && !event.shiftKey) keys.undo();
  else if (key === "y" || (key === "z" && event.shiftKey)) keys.redo();
  else return false;
  return true;
}

function plain(key: string, keys: Keys): boolean {
  if (key === "Enter") return keys.finish();
  if (key === "Escape") return keys.cancel();
  if (key === "Delete" || key === "Backspace") return keys.remove();
  const does: Record<string, () => void> = {
    PageDown: () => keys.step(STEP),
    PageUp: () => keys.step(-STEP),
    Home: () => keys.end(false),
    End: () => keys.end(true),
    "+": () => keys.zoom(1.25),
    "=": () => keys.zoom(1.25),
    "-": () => keys.zoom(0.8),
    "0": () => keys.fit(),
    i: () => keys.invert(),
    r: () => keys.reset(),
  };
  does[key]?.();
  return key in does;
}
