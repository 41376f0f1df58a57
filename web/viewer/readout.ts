// What the viewer says in text: which slice, which window, how large, and the value under the pointer.
import { make } from "../pages/parts/dom";
import type { Plane } from "./geometry";
import { rounded } from "./measuring";
import type { Pane } from "./pane";
import type { Description } from "./types";

export type Words = Record<string, string>;

/** A phrase with its blanks (`{n}`) filled in; the key itself shows that one is missing. */
export function say(words: Words, key: string, values: Record<string, string | number> = {}): string {
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (blank, name: string) => String(values[name] ?? blank));
}

/** What stands in the corners of a pane. */
export class Readout {
  private readonly slice = make("span", { class: "viewer-slice" });
  private readonly window = make("span", { class: "viewer-window" });
  private readonly zoom = make("span", { class: "viewer-zoom" });
  private readonly value = make("span", { class: "viewer-value" });

  constructor(
    private readonly pane: Pane,
    private readonly words: Words,
    description: Description,
  ) {
    const unsized = !description.physical && make("span", { class: "viewer-unsized" }, say(words, "unsized"));
    pane.readout.append(
      make("div", {}, pane.plane.name !== "stack" && make("span", { class: "viewer-plane" }, say(words, pane.plane.name)), this.slice),
      make("div", {}, this.window, this.zoom),
      make("div", {}, unsized, this.value),
    );
  }

  show(window: { centre: number; width: number }): void {
    const { words, pane } = this;
    write(this.slice, say(words, "slice", { n: pane.slice + 1, count: pane.plane.count }));
    write(this.window, say(words, "window", { centre: rounded(window.centre), width: rounded(window.width) }));
    write(this.zoom, say(words, "zoom", { percent: Math.round(pane.zoom * 100) }));
  }

  /** @param voxel (z, y, x), counted from 1 as readers do; null where the pointer is elsewhere. */
  point(voxel: readonly number[] | null, value: number | readonly number[] | null, unit: string | null): void {
    if (!voxel || value === null) return write(this.value, "");
    const said = typeof value === "number" ? rounded(value) : value.map((one) => rounded(one)).join(", ");
    const [z, y, x] = voxel.map((index) => index + 1);
    write(this.value, say(this.words, "value", { x: x ?? 0, y: y ?? 0, z: z ?? 0, value: unit ? `${said} ${unit}` : said }));
  }
}

/** What a pane is called by those who do not see it. */
export function named(words: Words, plane: Plane): string {
  return say(words, plane.name === "stack" ? "stack" : plane.name);
}

/** How far loading is. */
export class Progress {
  readonly element = make("div", { class: "viewer-progress", role: "status", hidden: true });

  constructor(private readonly words: Words) {}

  show(loaded: number, count: number): void {
    this.element.hidden = loaded === count;
    write(this.element, say(this.words, "loading", { loaded, count }));
  }

  fail(error: Error): void {
    this.element.hidden = false;
    write(this.element, `${say(this.words, "failed")} ${error.message}`);
  }
}

function write(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
