// Which pixels a brush or a polygon covers; rows and columns are counted at the centres of pixels.

type Place = [number, number];

/** Pixels of a picture by their number, row after row. */
export interface Picture {
  rows: number;
  columns: number;
}

/** The pixels under a round brush that goes along a line.
 *
 * @param radius Rows and columns from the middle to the rim.
 */
export function stroke(picture: Picture, from: Place, to: Place, radius: Place): Set<number> {
  const pixels = new Set<number>();
  const length = Math.hypot((to[0] - from[0]) / radius[0], (to[1] - from[1]) / radius[1]);
  const steps = Math.max(1, Math.ceil(length * 2));
  for (let step = 0; step <= steps; step++) {
    const part = step / steps;
    disc(picture, [from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part], radius, pixels);
  }
  return pixels;
}

function disc({ rows, columns }: Picture, [row, col]: Place, [high, wide]: Place, pixels: Set<number>): void {
  const middle: Place = [Math.round(row), Math.round(col)];
  if (inside(middle[0], rows) && inside(middle[1], columns)) pixels.add(middle[0] * columns + middle[1]);
  for (let y = Math.max(0, Math.ceil(row - high)); y <= Math.min(rows - 1, row + high); y++) {
    const reach = wide * Math.sqrt(Math.max(0, 1 - ((y - row) / high) ** 2));
    for (let x = Math.max(0, Math.ceil(col - reach)); x <= Math.min(columns - 1, col + reach); x++) pixels.add(y * columns + x);
  }
}

function inside(value: number, size: number): boolean {
  return value >= 0 && value < size;
}

/** The pixels whose centres lie within a polygon (even-odd). */
export function polygon({ rows, columns }: Picture, corners: Place[]): Set<number> {
  const pixels = new Set<number>();
  const heights = corners.map(([row]) => row);
  const first = Math.max(0, Math.ceil(Math.min(...heights)));
  const last = Math.min(rows - 1, Math.floor(Math.max(...heights)));
  for (let row = first; row <= last; row++) {
    const crossings = crossingsOf(corners, row);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const end = Math.min(columns - 1, Math.floor(crossings[i + 1] as number));
      for (let col = Math.max(0, Math.ceil(crossings[i] as number)); col <= end; col++) pixels.add(row * columns + col);
    }
  }
  return pixels;
}

/** Columns at which the sides of a polygon cross a row, from left to right. */
function crossingsOf(corners: Place[], row: number): number[] {
  const found: number[] = [];
  corners.forEach(([y, x], index) => {
    const [other, beside] = corners[(index + 1) % corners.length] as Place;
    if (y <= row === other <= row) return;
    found.push(x + ((row - y) / (other - y)) * (beside - x));
  });
  return found.sort((a, b) => a - b);
}
