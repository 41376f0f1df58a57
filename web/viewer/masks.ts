// The mask over the pictures: its labels, how it is shown, and what is changed in it.
import type { History } from "./history";
import { Layer, type Palette } from "./layer";
import type { Source } from "./source";
import type { Label, Mask } from "./types";

/** Labels on the grid that can be seen and changed. */
export class MaskStore {
  readonly layer: Layer;
  labels: Label[] = [];
  active = 1;
  private opacity = 0.4;
  private readonly hidden = new Set<number>();
  private before: { frame: number; values: Uint8Array } | null = null;

  constructor(
    private readonly source: Source,
    private readonly history: History,
  ) {
    this.layer = new Layer(source, new Uint8ClampedArray(1024), true, false);
  }

  /** Another mask, or none.
   *
   * @throws RangeError when it is not of the series' size.
   */
  give(mask: Mask | null): void {
    const { count, rows, columns } = this.source.description;
    if (mask && mask.voxels.length !== count * rows * columns)
      throw new RangeError(`the mask has ${mask.voxels.length} voxels, the series ${count * rows * columns}`);
    this.labels = mask ? [...mask.labels] : [];
    this.layer.grid = mask ? mask.voxels.slice() : null;
    this.active = this.labels[0]?.value ?? 1;
    this.hidden.clear();
    this.history.forget("mask");
    this.coloured();
  }

  /** What is drawn from here on; a label that is not known yet is one more. */
  activate(label: number | Label): void {
    const value = typeof label === "number" ? label : label.value;
    if (typeof label !== "number" && !this.labels.some((one) => one.value === value)) this.labels.push(label);
    this.active = value;
    this.coloured();
  }

  /** The voxels, which are made empty where there was no mask. */
  get voxels(): Uint8Array {
    const { count, rows, columns } = this.source.description;
    return (this.layer.grid ??= new Uint8Array(count * rows * columns));
  }

  show(which: number | "all", visible: boolean): void {
    if (which === "all") {
      this.layer.visible = visible;
      if (visible) this.hidden.clear();
    } else if (visible) {
      this.hidden.delete(which);
      this.layer.visible = true;
    } else this.hidden.add(which);
    this.coloured();
  }

  fade(opacity: number): void {
    this.opacity = Math.min(1, Math.max(0, opacity));
    this.coloured();
  }

  colourOf(value: number): string {
    return this.labels.find((label) => label.value === value)?.colour ?? "#ffd54a";
  }

  /** Remembers a frame before strokes change it. */
  begin(frame: number): void {
    this.before = { frame, values: this.frame(frame).slice() };
  }

  /** Gives every pixel for which `inside` a label; returns at once, the step ends with `end`. */
  fill(frame: number, pixels: Iterable<number>, label: number): void {
    const values = this.frame(frame);
    for (const pixel of pixels) values[pixel] = label;
    this.layer.changed();
  }

  /** Ends a step: what differs from its beginning can be undone. */
  end(): void {
    const { before } = this;
    this.before = null;
    if (!before) return;
    const now = this.frame(before.frame);
    const places: number[] = [];
    for (let at = 0; at < now.length; at++) if (now[at] !== before.values[at]) places.push(at);
    if (!places.length) return;
    const where = Uint32Array.from(places);
    const old = Uint8Array.from(where, (at) => before.values[at] as number);
    const young = Uint8Array.from(where, (at) => now[at] as number);
    const put = (values: Uint8Array) => {
      const frame = this.frame(before.frame);
      where.forEach((at, index) => (frame[at] = values[index] as number));
      this.layer.changed();
    };
    this.history.did({ what: "mask", undo: () => put(old), redo: () => put(young) });
  }

  /** Takes back what was begun and not ended. */
  cancel(): void {
    if (this.before) this.frame(this.before.frame).set(this.before.values);
    this.before = null;
    this.layer.changed();
  }

  private frame(index: number): Uint8Array {
    const { rows, columns } = this.source.description;
    return this.voxels.subarray(index * rows * columns, (index + 1) * rows * columns);
  }

  private coloured(): void {
    const palette: Palette = new Uint8ClampedArray(1024);
    for (let value = 1; value < 256; value++) {
      if (this.hidden.has(value)) continue;
      palette.set([...bytesOf(this.colourOf(value)), Math.round(this.opacity * 255)], value * 4);
    }
    this.layer.changed(palette);
  }
}

/** Red, green and blue of `#rrggbb`. */
export function bytesOf(colour: string): [number, number, number] {
  const number = parseInt(colour.slice(1, 7), 16) || 0;
  return [(number >> 16) & 255, (number >> 8) & 255, number & 255];
}
