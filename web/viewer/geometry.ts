// Affine maps between voxels (z, y, x), pixels of a plane (slice, row, column) and patient millimetres (LPS).
import type { Description, Matrix, PlaneName, Point } from "./types";

/** A stack of parallel pictures through the volume. */
export interface Plane {
  name: PlaneName;
  count: number;
  rows: number;
  columns: number;
  /** Pixel (slice, row, column, 1) to voxel (z, y, x, 1); pixels and voxels are counted at their centres. */
  toVoxel: Matrix;
  /** Pixel (slice, row, column, 1) to millimetres; made up where the series has no geometry. */
  toWorld: Matrix;
  /** Height and width of a pixel in mm. */
  spacing: [number, number];
}

export const IDENTITY: Matrix = [
  [1, 0, 0, 0],
  [0, 1, 0, 0],
  [0, 0, 1, 0],
  [0, 0, 0, 1],
];

/** `a` after `b`. */
export function product(a: Matrix, b: Matrix): Matrix {
  return a.map((row) => [0, 1, 2, 3].map((j) => row.reduce((sum, value, k) => sum + value * (b[k]?.[j] ?? 0), 0)));
}

/** Where a map takes a point. */
export function apply(map: Matrix, [a, b, c]: Point): Point {
  const at = (i: number) => {
    const row = map[i] ?? [];
    return (row[0] ?? 0) * a + (row[1] ?? 0) * b + (row[2] ?? 0) * c + (row[3] ?? 0);
  };
  return [at(0), at(1), at(2)];
}

/** A column of a map: where one step along an axis leads. */
export function column(map: Matrix, index: number): Point {
  return [map[0]?.[index] ?? 0, map[1]?.[index] ?? 0, map[2]?.[index] ?? 0];
}

export function norm(vector: Point): number {
  return Math.hypot(...vector);
}

export function unit(vector: Point): Point {
  const length = norm(vector) || 1;
  return [vector[0] / length, vector[1] / length, vector[2] / length];
}

function cross(a: Point, b: Point): Point {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function dot(a: Point, b: Point): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/** The map back.
 *
 * @throws Error when the map flattens space.
 */
export function inverse(map: Matrix): Matrix {
  const [a, b, c, t] = [column(map, 0), column(map, 1), column(map, 2), column(map, 3)];
  const rows = [cross(b, c), cross(c, a), cross(a, b)];
  const determinant = dot(a, rows[0] as Point);
  if (Math.abs(determinant) < 1e-12) throw new Error("the geometry of the series is flat; ask for it as a list of frames");
  const turned = rows.map((row) => row.map((value) => value / determinant) as Point);
  return [...turned.map((row) => [...row, -dot(row, t)]), [0, 0, 0, 1]];
}

/** Voxel to millimetres of a series; made up from the pixel's size, else from 1 mm, where it is no volume. */
export function worldOf(description: Description): Matrix {
  if (description.affine) return description.affine;
  const [height, width] = description.spacing ?? [1, 1];
  return [
    [0, 0, width, 0],
    [0, height, 0, 0],
    [1, 0, 0, 0],
    [0, 0, 0, 1],
  ];
}

/** The frames as they were taken. */
export function framesOf(description: Description): Plane {
  const toWorld = worldOf(description);
  const { count, rows, columns } = description;
  const spacing: [number, number] = [norm(column(toWorld, 1)), norm(column(toWorld, 2))];
  return { name: "stack", count, rows, columns, toVoxel: IDENTITY, toWorld, spacing };
}

/** Directions of slice, row and column of the planes that radiologists look at, in LPS: feet to head, right to left, front to back. */
const VIEWS: Record<"axial" | "coronal" | "sagittal", [Point, Point, Point]> = {
  axial: [[0, 0, 1], [0, 1, 0], [1, 0, 0]],
  coronal: [[0, 1, 0], [0, 0, -1], [1, 0, 0]],
  sagittal: [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
};
const LARGEST = 1024;

/** A plane of the patient through the volume, which covers all of it.
 *
 * @throws Error when the series has no geometry.
 */
export function planeOf(description: Description, name: "axial" | "coronal" | "sagittal"): Plane {
  if (!description.affine) throw new Error("the series is no volume; show it as a stack");
  const affine = description.affine;
  const axes = VIEWS[name];
  const steps = axes.map((axis) => stepAlong(affine, axis));
  const fine = Math.min(steps[1] ?? 1, steps[2] ?? 1);
  const bounds = axes.map((axis) => extent(description, affine, axis));
  const longest = Math.max(...bounds.slice(1).map(([low, high]) => high - low));
  const pixel = Math.max(fine, longest / (LARGEST - 1));
  const sizes = [steps[0] ?? 1, pixel, pixel];
  const [count, rows, columns] = bounds.map(([low, high], i) => Math.round((high - low) / (sizes[i] ?? 1) + 1e-6) + 1);
  const toWorld = [0, 1, 2].map((i) => [
    ...axes.map((axis, j) => axis[i as 0 | 1 | 2] * (sizes[j] ?? 1)),
    axes.reduce((sum, axis, j) => sum + axis[i as 0 | 1 | 2] * (bounds[j]?.[0] ?? 0), 0),
  ]);
  toWorld.push([0, 0, 0, 1]);
  const toVoxel = tidy(product(inverse(affine), toWorld));
  return { name, count: count ?? 1, rows: rows ?? 1, columns: columns ?? 1, toVoxel, toWorld, spacing: [pixel, pixel] };
}

/** The size of a voxel along a direction: that of the grid's axis that lies nearest to it. */
function stepAlong(affine: Matrix, axis: Point): number {
  const axes = [0, 1, 2].map((index) => column(affine, index));
  const nearest = axes.reduce((best, one) => (Math.abs(dot(unit(one), axis)) > Math.abs(dot(unit(best), axis)) ? one : best));
  return norm(nearest) || 1;
}

/** The lowest and highest place of the volume's voxel centres along a direction. */
function extent(description: Description, affine: Matrix, axis: Point): [number, number] {
  const ends = [description.count - 1, description.rows - 1, description.columns - 1];
  const along: number[] = [];
  for (let corner = 0; corner < 8; corner++) {
    const voxel = ends.map((end, i) => ((corner >> i) & 1 ? end : 0)) as Point;
    along.push(dot(apply(affine, voxel), axis));
  }
  return [Math.min(...along), Math.max(...along)];
}

/** Rounds what floating point left over, so that straight grids are sampled exactly at their voxels. */
function tidy(map: Matrix): Matrix {
  return map.map((row) => row.map((value) => (Math.abs(value - Math.round(value)) < 1e-6 ? Math.round(value) : value)));
}

const NAMES: [string, string][] = [["L", "R"], ["P", "A"], ["H", "F"]];

/** The letters of the patient's sides that a direction points to, the strongest first: `L`, `LA`. */
export function letters(direction: Point): string {
  const towards = unit(direction);
  return [0, 1, 2]
    .map((i) => ({ i, value: towards[i as 0 | 1 | 2] }))
    .filter(({ value }) => Math.abs(value) > 0.25)
    .sort((a, b) => Math.abs(b.value) - Math.abs(a.value))
    .map(({ i, value }) => NAMES[i]?.[value > 0 ? 0 : 1] ?? "")
    .join("");
}
