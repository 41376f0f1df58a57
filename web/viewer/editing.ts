// Drawing by hand on a frame: brush, eraser and polygon.
import { polygon, stroke } from "./drawing";
import type { MaskStore } from "./masks";
import type { Pane } from "./pane";

type Place = [number, number];
const CLOSE = 10;
const FREEHAND = 8;

/** Changes the mask as the pointer goes. Places are rows and columns of the frame. */
export class Editing {
  /** Diameter, and what it is counted in. */
  size: { value: number; unit: "mm" | "px" } = { value: 12, unit: "px" };
  private last: Place | null = null;
  private corners: Place[] = [];
  private freehand = 0;
  private hover: Place | null = null;
  private label = 1;

  constructor(private readonly masks: MaskStore) {}

  /** Whether a polygon is begun. */
  get isOpen(): boolean {
    return this.corners.length > 0;
  }

  /** @param erase Whether what is painted goes away. */
  brushDown(pane: Pane, pixel: Place, erase: boolean): void {
    this.label = erase ? 0 : this.masks.active;
    this.masks.begin(pane.slice);
    this.last = pixel;
    this.brushMove(pane, pixel);
  }

  brushMove(pane: Pane, pixel: Place): void {
    if (!this.last) return;
    this.masks.fill(pane.slice, stroke(pane.plane, this.last, pixel, this.radius(pane)), this.label);
    this.last = pixel;
  }

  brushUp(): void {
    this.last = null;
    this.masks.end();
  }

  /** Sets a corner; at the first one, the polygon is closed and filled. */
  polygonDown(pane: Pane, pixel: Place, erase: boolean): void {
    this.label = erase ? 0 : this.masks.active;
    const first = this.corners[0];
    if (first && this.corners.length > 2 && apart(pane, first, pixel) < CLOSE) return this.close(pane);
    this.corners.push(pixel);
    this.freehand = 0;
  }

  /** Goes on freehand while the pointer is held. */
  polygonMove(pane: Pane, pixel: Place, held: boolean): void {
    this.hover = pixel;
    const last = this.corners.at(-1);
    if (!held || !last || apart(pane, last, pixel) < 3) return;
    this.corners.push(pixel);
    this.freehand += 1;
  }

  polygonUp(pane: Pane): void {
    if (this.freehand >= FREEHAND) this.close(pane);
  }

  /** Fills the polygon; one with fewer than three corners is dropped. */
  close(pane: Pane): void {
    const { corners } = this;
    this.corners = [];
    if (corners.length < 3) return;
    this.masks.begin(pane.slice);
    this.masks.fill(pane.slice, polygon(pane.plane, corners), this.label);
    this.masks.end();
  }

  cancel(): void {
    this.corners = [];
    if (this.last) this.masks.cancel();
    this.last = null;
  }

  /** Shows where the brush is. */
  hoverAt(pixel: Place | null): void {
    this.hover = pixel;
  }

  paintBrush(pane: Pane, context: CanvasRenderingContext2D): void {
    if (!this.hover) return;
    const [high, wide] = this.radius(pane);
    const { right, down } = pane.transform();
    context.beginPath();
    context.ellipse(...pane.placeOf(this.hover), wide * Math.hypot(...right), high * Math.hypot(...down), 0, 0, 2 * Math.PI);
    outline(context, this.masks.colourOf(this.masks.active));
  }

  paintPolygon(pane: Pane, context: CanvasRenderingContext2D): void {
    if (!this.corners.length) return;
    context.beginPath();
    for (const corner of this.hover ? [...this.corners, this.hover] : this.corners) context.lineTo(...pane.placeOf(corner));
    outline(context, this.masks.colourOf(this.masks.active));
    const [x, y] = pane.placeOf(this.corners[0] as Place);
    context.strokeRect(x - 4, y - 4, 8, 8);
  }

  /** Half the diameter, in rows and columns; a brush is round on the screen, too, where pixels are not square. */
  private radius(pane: Pane): Place {
    const [high, wide] = pane.plane.spacing;
    const { value, unit } = this.size;
    const half = Math.max(unit === "mm" ? value / wide : value, 1) / 2;
    return [Math.max((half * wide) / high, 0.5), half];
  }
}

function outline(context: CanvasRenderingContext2D, colour: string): void {
  context.lineWidth = 3;
  context.strokeStyle = "rgb(0 0 0 / 70%)";
  context.stroke();
  context.lineWidth = 1.5;
  context.strokeStyle = colour;
  context.stroke();
}

function apart(pane: Pane, one: Place, other: Place): number {
  const [a, b] = [pane.placeOf(one), pane.placeOf(other)];
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}
