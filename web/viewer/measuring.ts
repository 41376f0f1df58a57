// What a measurement says. Numbers come from the series' own values; sizes are millimetres only where they are true ones.
import { apply, type Plane } from "./geometry";
import type { Source } from "./source";
import type { Measurement, Point } from "./types";

type Place = [number, number];

/** What was drawn: its points as rows and columns of a slice. */
export interface Drawn {
  id: string;
  kind: Measurement["kind"];
  plane: Plane;
  slice: number;
  /** Two ends, one point, or the bottom, top, left and right of an ellipse. */
  pixels: Place[];
}

/** Measures what was drawn. */
export function measure(source: Source, drawn: Drawn): Measurement {
  const { id, kind, plane, slice, pixels } = drawn;
  const points = pixels.map((pixel) => apply(plane.toVoxel, [slice, ...pixel]));
  const found: Measurement = { id, kind, plane: plane.name, slice, points };
  if (kind === "length") return { ...found, ...lengthOf(source, plane, pixels) };
  if (kind === "region") return { ...found, ...regionOf(source, plane, slice, pixels) };
  return { ...found, ...probeOf(source, plane, slice, pixels[0] as Place) };
}

/** Height and width of a pixel, and what they are counted in. */
function sizeOf(source: Source, plane: Plane): { size: Place; unit: "mm" | "px" } {
  return source.description.physical ? { size: plane.spacing, unit: "mm" } : { size: [1, 1], unit: "px" };
}

function lengthOf(source: Source, plane: Plane, [from, to]: Place[]): Partial<Measurement> {
  const { size, unit } = sizeOf(source, plane);
  if (!from || !to) return { length: 0, unit };
  return { length: Math.hypot((to[0] - from[0]) * size[0], (to[1] - from[1]) * size[1]), unit };
}

function regionOf(source: Source, plane: Plane, slice: number, pixels: Place[]): Partial<Measurement> {
  const { size, unit } = sizeOf(source, plane);
  const rim = rimOf(pixels);
  const area = Math.PI * rim.high * rim.wide * size[0] * size[1];
  const values = source.isColour ? [] : inEllipse(source, plane, slice, rim);
  const valueUnit = source.description.unit;
  if (!values.length) return { area, unit, pixels: 0, valueUnit };
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { area, unit, mean, sd: Math.sqrt(variance), pixels: values.length, valueUnit };
}

interface Rim {
  row: number;
  col: number;
  high: number;
  wide: number;
}

/** An upright ellipse by its four ends. */
function rimOf(pixels: Place[]): Rim {
  const rows = pixels.map(([row]) => row);
  const cols = pixels.map(([, col]) => col);
  const [top, bottom, left, right] = [Math.min(...rows), Math.max(...rows), Math.min(...cols), Math.max(...cols)];
  return { row: (top + bottom) / 2, col: (left + right) / 2, high: (bottom - top) / 2, wide: (right - left) / 2 };
}

/** The values of the pixels whose centres lie within an ellipse. */
function inEllipse(source: Source, plane: Plane, slice: number, { row, col, high, wide }: Rim): number[] {
  const values = source.values(plane, slice);
  const found: number[] = [];
  for (let y = Math.max(0, Math.ceil(row - high)); y <= Math.min(plane.rows - 1, row + high); y++)
    for (let x = Math.max(0, Math.ceil(col - wide)); x <= Math.min(plane.columns - 1, col + wide); x++)
      if (((y - row) / high) ** 2 + ((x - col) / wide) ** 2 <= 1) found.push(values[y * plane.columns + x] as number);
  return found.filter(Number.isFinite);
}

function probeOf(source: Source, plane: Plane, slice: number, pixel: Place): Partial<Measurement> {
  const voxel = apply(plane.toVoxel, [slice, ...pixel]).map(Math.round) as Point;
  const value = source.value(voxel);
  const valueUnit = source.description.unit;
  return typeof value === "number" ? { value, valueUnit } : { valueUnit };
}

/** The words beside a measurement.
 *
 * @param words By key: `mean`, `sd`, `area`.
 */
export function linesOf(found: Measurement, words: Record<string, string>): string[] {
  const value = (number: number) => `${rounded(number)}${found.valueUnit ? ` ${found.valueUnit}` : ""}`;
  if (found.kind === "length") return [`${rounded(found.length ?? 0)} ${found.unit}`];
  if (found.kind === "probe") return found.value === undefined ? [] : [value(found.value)];
  const lines = [`${words["area"] ?? "area"} ${rounded(found.area ?? 0)} ${found.unit}²`];
  if (found.mean === undefined) return lines;
  return [...lines, `${words["mean"] ?? "mean"} ${value(found.mean)}`, `${words["sd"] ?? "sd"} ${value(found.sd ?? 0)}`];
}

/** A number as short as it still says enough. */
export function rounded(number: number): string {
  const size = Math.abs(number);
  return number.toFixed(Number.isInteger(number) || size >= 100 ? 0 : size >= 1 ? 1 : 3);
}
