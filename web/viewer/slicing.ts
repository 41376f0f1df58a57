// Cutting planes out of a grid: values between voxels are weighted by distance, labels are those of the nearest voxel.
import { apply, column, type Plane } from "./geometry";
import type { Description, Values } from "./types";

type Grid = Pick<Description, "count" | "rows" | "columns">;
const EDGE = 0.5;

/** The values of one slice of a plane, in the type of the grid.
 *
 * @param outside What is told where the plane leaves the grid.
 */
export function valuesOn(plane: Plane, slice: number, values: Values, grid: Grid, outside: number): Values {
  const out = new (values.constructor as new (size: number) => Values)(plane.rows * plane.columns);
  const whole = !(values instanceof Float32Array);
  const [dz, dy, dx] = column(plane.toVoxel, 2);
  for (let row = 0, at = 0; row < plane.rows; row++) {
    let [z, y, x] = apply(plane.toVoxel, [slice, row, 0]);
    for (let col = 0; col < plane.columns; col++, at++, z += dz, y += dy, x += dx) {
      const value = inside(z, y, x, grid) ? between(values, grid, z, y, x) : outside;
      out[at] = whole ? Math.round(value) : value;
    }
  }
  return out;
}

/** The labels of one slice of a plane; 0 where it leaves the grid. */
export function labelsOn(plane: Plane, slice: number, labels: Uint8Array, grid: Grid): Uint8Array {
  const out = new Uint8Array(plane.rows * plane.columns);
  const [dz, dy, dx] = column(plane.toVoxel, 2);
  for (let row = 0, at = 0; row < plane.rows; row++) {
    let [z, y, x] = apply(plane.toVoxel, [slice, row, 0]);
    for (let col = 0; col < plane.columns; col++, at++, z += dz, y += dy, x += dx)
      if (inside(z, y, x, grid)) out[at] = labels[nearest(grid, z, y, x)] ?? 0;
  }
  return out;
}

function inside(z: number, y: number, x: number, { count, rows, columns }: Grid): boolean {
  return z >= -EDGE && y >= -EDGE && x >= -EDGE && z < count - EDGE && y < rows - EDGE && x < columns - EDGE;
}

function nearest({ count, rows, columns }: Grid, z: number, y: number, x: number): number {
  const [k, j, i] = [Math.round(z), Math.round(y), Math.round(x)];
  return (Math.min(k, count - 1) * rows + Math.min(j, rows - 1)) * columns + Math.min(i, columns - 1);
}

function between(values: Values, grid: Grid, z: number, y: number, x: number): number {
  const { count, rows, columns } = grid;
  const k = clamp(z, count - 1);
  const j = clamp(y, rows - 1);
  const i = clamp(x, columns - 1);
  const [k0, j0, i0] = [Math.floor(k), Math.floor(j), Math.floor(i)];
  const [fk, fj, fi] = [k - k0, j - j0, i - i0];
  const at = (k0 * rows + j0) * columns + i0;
  const stepK = fk > 0 ? rows * columns : 0;
  const stepJ = fj > 0 ? columns : 0;
  const stepI = fi > 0 ? 1 : 0;
  const edge = (base: number) => (values[base] as number) * (1 - fi) + (values[base + stepI] as number) * fi;
  const face = (base: number) => edge(base) * (1 - fj) + edge(base + stepJ) * fj;
  return face(at) * (1 - fk) + face(at + stepK) * fk;
}

function clamp(value: number, most: number): number {
  return value < 0 ? 0 : value > most ? most : value;
}
