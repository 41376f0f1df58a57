// A series as pictures: what a slice of a plane shows, and what the numbers are.
import { framesOf, type Plane } from "./geometry";
import type { Frames } from "./loading";
import { labelsOn, valuesOn } from "./slicing";
import type { Description, Point, Values } from "./types";

const LEVELS = 65535;

/** How stored numbers become values: `value = number * slope + intercept`. */
export interface Scale {
  slope: number;
  intercept: number;
}

/** The values of a series, by plane and slice. */
export class Source {
  readonly stack: Plane;
  /** Numbers of 32 bits are drawn as 65536 levels of the series' range; all others as they are. */
  scale: Scale | null = null;
  private range: [number, number];

  constructor(
    readonly description: Description,
    readonly frames: Frames,
    first: number,
  ) {
    this.stack = framesOf(description);
    this.range = description.range ?? rangeOf(frames.frame(first));
    const [low, high] = this.range;
    // The range is that of one frame; others may go further. What goes further still is seen when all have come.
    if (this.isWide) this.scale = scaleOf([low - (high - low), high + (high - low)]);
  }

  /** Fits the levels to all frames once they have come; says whether what was drawn before must be drawn anew. */
  rescale(): boolean {
    if (!this.isWide || !this.scale) return false;
    const [low, high] = (this.range = rangeOf(this.frames.values));
    const { slope, intercept } = this.scale;
    if (low >= intercept && high <= intercept + slope * LEVELS) return false;
    this.scale = scaleOf([low, high]);
    return true;
  }

  private get isWide(): boolean {
    return this.description.type === "int32" || this.description.type === "float32";
  }

  get isColour(): boolean {
    return this.description.samples === 3;
  }

  /** The window to begin with: the first that the server names, else one over the range. */
  get window(): { centre: number; width: number } {
    const [low, high] = this.range;
    if (this.isColour) return { centre: 128, width: 256 };
    const { centre, width } = this.description.windows[0] ?? { centre: (low + high) / 2, width: Math.max(high - low, this.finest) };
    return { centre, width };
  }

  /** The narrowest window that still shows something. */
  get finest(): number {
    return this.scale?.slope ?? 1;
  }

  /** The values of a slice; those of a frame are no copy. */
  values(plane: Plane, slice: number): Values {
    if (plane.name === "stack") return this.frames.frame(slice);
    return valuesOn(plane, slice, this.frames.values, this.description, this.range[0]);
  }

  /** What is drawn of a slice. */
  drawn(plane: Plane, slice: number): Values {
    const values = this.values(plane, slice);
    if (!this.scale) return values;
    const { slope, intercept } = this.scale;
    const levels = new Uint16Array(values.length);
    for (let i = 0; i < values.length; i++)
      levels[i] = Math.min(LEVELS, Math.max(0, Math.round(((values[i] as number) - intercept) / slope)));
    return levels;
  }

  /** The slice of something that lies on the grid, one byte a voxel. */
  labels(plane: Plane, slice: number, grid: Uint8Array): Uint8Array {
    const { rows, columns } = this.description;
    if (plane.name === "stack") return grid.subarray(slice * rows * columns, (slice + 1) * rows * columns);
    return labelsOn(plane, slice, grid, this.description);
  }

  /** The value of a voxel, or null outside the grid and where it has not come yet. */
  value([z, y, x]: Point): number | [number, number, number] | null {
    const { count, rows, columns } = this.description;
    if (z < 0 || y < 0 || x < 0 || z >= count || y >= rows || x >= columns || !this.frames.has(z)) return null;
    const at = (z * rows + y) * columns + x;
    const { values } = this.frames;
    if (!this.isColour) return values[at] as number;
    return [values[at * 3] as number, values[at * 3 + 1] as number, values[at * 3 + 2] as number];
  }
}

function scaleOf([low, high]: [number, number]): Scale {
  return { slope: (high - low || 1) / LEVELS, intercept: low };
}

/** The least and the greatest of some values that are numbers. */
export function rangeOf(values: Values): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value < low && value > -Infinity) low = value;
    if (value > high && value < Infinity) high = value;
  }
  return low <= high ? [low, high] : [0, 1];
}
