// What the viewer is given, what it gives, and what it can be asked.

export type Point = [number, number, number];
export type Matrix = number[][];
export type Values = Uint8Array | Int16Array | Uint16Array | Int32Array | Float32Array;

/** A way to look at the values. */
export interface Preset {
  name: string;
  centre: number;
  width: number;
}

/** A series as `GET …/frames` describes it. */
export interface Description {
  study: string;
  series: string;
  revision?: number;
  modality: string;
  unit: string | null;
  count: number;
  rows: number;
  columns: number;
  samples: 1 | 3;
  type: "uint8" | "int16" | "uint16" | "int32" | "float32";
  /** Voxel (z, y, x, 1) to patient (x, y, z, 1) in LPS millimetres; null where the frames are no volume. */
  affine: Matrix | null;
  /** Whether the sizes are true ones, so that millimetres may be told. */
  physical: boolean;
  /** Millimetres between rows and between columns; null where nobody knows. */
  spacing?: [number, number] | null;
  /** Frames of one size that can be shown together, where the series is no one volume. */
  part?: number;
  parts?: { part: number; name: string; count: number; rows: number; columns: number }[];
  frame_of_reference?: string | null;
  windows: Preset[];
  /** The least and the greatest value of the frame in the middle. */
  range?: [number, number] | null;
  remarks?: string[];
}

/** One kind of thing in a mask. */
export interface Label {
  value: number;
  name: string;
  /** `#rrggbb`. */
  colour: string;
}

/** What is drawn over the pictures: one label a voxel, in order (z, y, x). */
export interface Mask {
  labels: Label[];
  voxels: Uint8Array;
}

/** A box on the grid, half-open, (z, y, x). */
export interface Box {
  id: string;
  start: Point;
  stop: Point;
  label: string;
  colour: string;
}

export type Layout = "stack" | "planes";
export type Tool =
  | "scroll" | "window" | "zoom" | "pan"
  | "length" | "region" | "probe"
  | "brush" | "eraser" | "polygon" | "box";

/** Something that a reader measured; lengths and areas are in `unit`, values in `valueUnit`. */
export interface Measurement {
  id: string;
  kind: "length" | "region" | "probe";
  plane: PlaneName;
  /** Number of the slice of that plane, from 0. */
  slice: number;
  /** Its points on the grid, (z, y, x). */
  points: Point[];
  length?: number;
  area?: number;
  /** "mm" or "px" (of the area: squared). */
  unit?: "mm" | "px";
  mean?: number;
  sd?: number;
  pixels?: number;
  value?: number;
  valueUnit?: string | null;
}

export type PlaneName = "stack" | "axial" | "coronal" | "sagittal";

/** What happened, by name. */
export interface Events {
  /** Another frame of the stack is shown, from 0. */
  frame: { index: number; count: number };
  /** The centre and the width of the window. */
  window: { centre: number; width: number; inverted: boolean };
  progress: { loaded: number; count: number };
  /** Every frame is in memory. */
  loaded: { count: number };
  /** Frames could not be had; `retry` asks again. */
  failed: { error: Error; retry: () => void };
  measured: { measurements: Measurement[] };
  /** A mask or a box was changed by hand, by undo or by redo. */
  edited: { dirty: boolean; what: "mask" | "boxes" };
  /** The place under the pointer, or null. */
  pointer: { voxel: Point; value: number | [number, number, number] } | null;
  tool: { tool: Tool };
}

/** What to open. */
export interface Wanted {
  study: string;
  series: string;
  /** The viewer's words by key, without `viewer.` before them. */
  words: Record<string, string>;
  /** Where the API is; `/api/v1` by default. */
  api?: string;
  /** The frame to begin with, from 0; the middle one by default. */
  first?: number;
  /** Which part of a series that is no one volume, from 1. */
  part?: number;
  /** How pictures are drawn; "cpu" by default, which needs no WebGL. */
  rendering?: "cpu" | "gpu";
}

/** A series on the screen. */
export interface Viewer {
  readonly description: Description;
  /** Whether planes through the volume can be shown. */
  readonly planar: boolean;
  readonly loaded: boolean;
  /** Whether something was drawn since the mask and the boxes were given. */
  readonly dirty: boolean;
  layout(): Layout;
  layout(name: Layout): Promise<void>;
  frame(): number;
  frame(index: number): void;
  window(): { centre: number; width: number };
  window(centre: number, width: number): void;
  preset(name: string): void;
  invert(on?: boolean): void;
  reset(): void;
  /** Times the size at which the whole picture fits. */
  zoom(): number;
  zoom(factor: number | "fit"): void;
  tool(): Tool;
  tool(name: Tool): void;
  /** Diameter of brush and eraser. */
  brushSize(size: number, unit: "mm" | "px"): void;
  mask(mask: Mask | null): void;
  maskVisible(which: number | "all", visible: boolean): void;
  /** Of masks and of maps. */
  maskOpacity(opacity: number): void;
  /** What is drawn from here on: a value of the mask, or one more kind of thing. */
  activeLabel(label: number | Label): void;
  /** The mask as it is now, a copy, (z, y, x). */
  readMask(): Uint8Array;
  /** From here on `dirty` tells of what is drawn after this. */
  saved(): void;
  undo(): void;
  redo(): void;
  boxes(list: Box[]): void;
  readBoxes(): Box[];
  /** The label and colour of boxes that are drawn next. */
  boxLabel(label: string, colour: string): void;
  /** A map on the grid: floats from 0 to 1, or bytes from 0 to 255; null takes it away. */
  heat(map: Float32Array | Uint8Array | null, opacity?: number): void;
  heatVisible(visible: boolean): void;
  /** Shows the slice of a voxel (z, y, x) and marks the place for a moment. */
  jumpTo(voxel: Point): void;
  measurements(): Measurement[];
  clearMeasurements(): void;
  on<K extends keyof Events>(name: K, heard: (event: Events[K]) => void): () => void;
  destroy(): void;
}
