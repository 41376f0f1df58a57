// Bytes on the grid, drawn over the picture through a palette: masks and heat maps.
import type { Plane } from "./geometry";
import type { Pane } from "./pane";
import type { Source } from "./source";

/** A palette of 256 colours as bytes red, green, blue, alpha. */
export type Palette = Uint8ClampedArray;

interface Drawn {
  slice: number;
  version: number;
  canvas: HTMLCanvasElement;
  empty: boolean;
}

/** One grid of bytes over all panes. */
export class Layer {
  grid: Uint8Array | null = null;
  visible = true;
  private version = 0;
  private readonly drawn = new WeakMap<Pane, Drawn>();

  /**
   * @param edges Whether the border of an area is drawn stronger than its inside.
   */
  constructor(
    private readonly source: Source,
    private palette: Palette,
    private readonly edges: boolean,
    private readonly smooth: boolean,
  ) {}

  /** Other colours, or other bytes in the same grid. */
  changed(palette: Palette = this.palette): void {
    this.palette = palette;
    this.version += 1;
  }

  paint(pane: Pane, context: CanvasRenderingContext2D): void {
    if (!this.grid || !this.visible) return;
    const drawn = this.slice(pane, this.grid);
    if (drawn.empty) return;
    const { origin, right, down } = pane.transform();
    context.save();
    context.transform(right[0], right[1], down[0], down[1], origin[0], origin[1]);
    context.imageSmoothingEnabled = this.smooth;
    context.drawImage(drawn.canvas, 0, 0);
    context.restore();
  }

  private slice(pane: Pane, grid: Uint8Array): Drawn {
    const before = this.drawn.get(pane);
    if (before && before.slice === pane.slice && before.version === this.version) return before;
    const canvas = before?.canvas ?? document.createElement("canvas");
    const bytes = this.source.labels(pane.plane, pane.slice, grid);
    const empty = !bytes.some((value) => value > 0);
    if (!empty) colour(canvas, bytes, pane.plane, this.palette, this.edges);
    const drawn = { slice: pane.slice, version: this.version, canvas, empty };
    this.drawn.set(pane, drawn);
    return drawn;
  }
}

function colour(canvas: HTMLCanvasElement, bytes: Uint8Array, plane: Plane, palette: Palette, edges: boolean): void {
  const { rows, columns } = plane;
  if (canvas.width !== columns || canvas.height !== rows) Object.assign(canvas, { width: columns, height: rows });
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  const image = context.createImageData(columns, rows);
  const out = new Uint32Array(image.data.buffer);
  const colours = new Uint32Array(palette.buffer);
  for (let at = 0; at < bytes.length; at++) {
    const value = bytes[at] as number;
    if (value) out[at] = colours[value] as number;
  }
  if (edges) strengthen(image.data, bytes, rows, columns);
  context.putImageData(image, 0, 0);
}

/** Makes the pixels of an area that touch another less transparent. */
function strengthen(data: Uint8ClampedArray, bytes: Uint8Array, rows: number, columns: number): void {
  for (let row = 0, at = 0; row < rows; row++)
    for (let col = 0; col < columns; col++, at++) {
      const value = bytes[at];
      if (!value || !data[at * 4 + 3]) continue;
      const inner =
        col > 0 && bytes[at - 1] === value &&
        col < columns - 1 && bytes[at + 1] === value &&
        row > 0 && bytes[at - columns] === value &&
        row < rows - 1 && bytes[at + columns] === value;
      if (!inner) data[at * 4 + 3] = Math.min(255, (data[at * 4 + 3] as number) + 90);
    }
}
