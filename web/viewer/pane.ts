// One picture on the screen: a plane, the slice of it that is shown, where its pixels lie, and what is drawn over it.
import { Enums, type RenderingEngine, type Types } from "@cornerstonejs/core";
import { make } from "../pages/parts/dom";
import { apply, column, letters, type Plane } from "./geometry";
import { idOf } from "./images";
import type { Source } from "./source";
import type { Point } from "./types";

type Place = [number, number];

/** Where pixels lie: the canvas place of the first pixel's corner, and of one step to the right and down, in CSS pixels. */
export interface Transform {
  origin: Place;
  right: Place;
  down: Place;
}

export interface PaneOptions {
  engine: RenderingEngine;
  key: string;
  plane: Plane;
  source: Source;
  rendering: "cpu" | "gpu";
  /** Called whenever the picture was drawn anew, with a context in CSS pixels. */
  paint: (pane: Pane, context: CanvasRenderingContext2D) => void;
}

/** A plane in an element. */
export class Pane {
  readonly plane: Plane;
  readonly root: HTMLDivElement;
  /** What listens to the pointer and holds the picture. */
  readonly port: HTMLDivElement;
  readonly readout: HTMLDivElement;
  readonly id: string;
  slice = 0;
  private readonly overlay: HTMLCanvasElement;
  private viewport: Types.IStackViewport | null = null;
  private fitted = 1;
  private asked = false;

  constructor(private readonly options: PaneOptions) {
    this.plane = options.plane;
    this.id = `pane-${options.key}-${options.plane.name}`;
    this.port = make("div", { class: "viewer-port" });
    this.overlay = make("canvas", { class: "viewer-overlay", "aria-hidden": "true" });
    this.readout = make("div", { class: "viewer-readout" });
    this.root = make("div", { class: "viewer-pane", "data-plane": this.plane.name }, this.port, this.overlay, ...this.letters(), this.readout);
  }

  /** Draws the first picture; the element must be in the page and have a size. */
  async start(slice: number): Promise<void> {
    const { engine } = this.options;
    const viewportId = this.id;
    engine.enableElement({ viewportId, type: Enums.ViewportType.STACK, element: this.port });
    this.viewport = engine.getViewport(viewportId) as Types.IStackViewport;
    this.port.addEventListener(Enums.Events.IMAGE_RENDERED, () => this.painted());
    this.slice = slice;
    this.sized();
    await this.viewport.setStack(this.ids(), slice);
    this.fit();
  }

  get started(): boolean {
    return this.viewport !== null;
  }

  show(slice: number): void {
    this.slice = slice;
    // It does not settle where a later slice overtakes it, so nobody may wait for it.
    void this.viewport?.setImageIdIndex(slice);
  }

  /** Shows the same slice from new levels. */
  async redraw(): Promise<void> {
    await this.viewport?.setStack(this.ids(), this.slice);
    this.fit();
  }

  private ids(): string[] {
    const { key, plane } = this.options;
    return Array.from({ length: plane.count }, (_, index) => idOf(key, plane, index));
  }

  window(centre: number, width: number, inverted: boolean): void {
    const { scale } = this.options.source;
    const middle = scale ? (centre - scale.intercept) / scale.slope : centre;
    const wide = Math.max(scale ? width / scale.slope : width, 1);
    const voiRange = { lower: middle - wide / 2, upper: middle + wide / 2 - 1 };
    this.viewport?.setProperties({ voiRange, invert: inverted });
    this.render();
  }

  render(): void {
    this.viewport?.render();
  }

  /** The whole picture in the middle. */
  fit(): void {
    if (!this.viewport) return;
    this.viewport.resetCamera();
    this.fitted = this.viewport.getZoom();
    this.render();
  }

  get zoom(): number {
    return this.viewport ? this.viewport.getZoom() / this.fitted : 1;
  }

  /** @param at The place on the canvas that stays where it is; its middle by default. */
  zoomTo(factor: number, at: Place = this.middle()): void {
    if (!this.viewport) return;
    const kept = this.pixelAt(at);
    this.viewport.setZoom(this.fitted * Math.min(40, Math.max(0.1, factor)));
    const now = this.placeOf(kept);
    this.pan(at[0] - now[0], at[1] - now[1]);
  }

  /** Moves the picture, in CSS pixels. */
  pan(right: number, down: number): void {
    if (!this.viewport) return;
    const [x, y] = this.middle();
    const camera = this.viewport.getCamera();
    const from = this.viewport.canvasToWorld([x, y]);
    const to = this.viewport.canvasToWorld([x - right, y - down]);
    const position = camera.position?.map((value, i) => value + (to[i] as number) - (from[i] as number)) as Types.Point3;
    this.viewport.setCamera({ focalPoint: to, position });
    this.render();
  }

  /** Fits the canvas to its element, and keeps what is seen. */
  resized(): void {
    if (!this.viewport || !this.port.clientWidth || !this.port.clientHeight) return;
    const factor = this.zoom;
    const kept = this.pixelAt(this.middle());
    this.sized();
    if (this.options.rendering === "gpu") this.options.engine.resize(true, false);
    this.fit();
    if (Math.abs(factor - 1) < 1e-3) return;
    this.viewport.setZoom(this.fitted * factor);
    const now = this.placeOf(kept);
    const [x, y] = this.middle();
    this.pan(x - now[0], y - now[1]);
  }

  /** Where pixels lie now. Without WebGL Cornerstone counts them from the first one's corner, else from its centre. */
  transform(): Transform {
    const viewport = this.viewport as Types.IStackViewport;
    const { rows, columns, toWorld } = this.plane;
    const at = (row: number, col: number) => viewport.worldToCanvas(apply(toWorld, [this.slice, row, col]));
    const [first, last, low] = [at(0, 0), at(0, columns), at(rows, 0)];
    const right: Place = [(last[0] - first[0]) / columns, (last[1] - first[1]) / columns];
    const down: Place = [(low[0] - first[0]) / rows, (low[1] - first[1]) / rows];
    const half = this.options.rendering === "gpu" ? 0.5 : 0;
    const origin: Place = [first[0] - half * (right[0] + down[0]), first[1] - half * (right[1] + down[1])];
    return { origin, right, down };
  }

  /** Row and column of a place of the canvas; whole numbers are centres of pixels. */
  pixelAt([x, y]: Place): Place {
    const { origin, right, down } = this.transform();
    const [a, b] = [x - origin[0], y - origin[1]];
    const area = right[0] * down[1] - right[1] * down[0];
    return [(right[0] * b - right[1] * a) / area - 0.5, (down[1] * a - down[0] * b) / area - 0.5];
  }

  /** The place on the canvas of a row and column. */
  placeOf([row, col]: Place): Place {
    const { origin, right, down } = this.transform();
    const [u, v] = [col + 0.5, row + 0.5];
    return [origin[0] + u * right[0] + v * down[0], origin[1] + u * right[1] + v * down[1]];
  }

  /** Row and column of a world place as Cornerstone's tools give it. */
  pixelOf(world: Types.Point3): Place {
    return this.pixelAt((this.viewport as Types.IStackViewport).worldToCanvas(world) as Place);
  }

  /** The place of a pointer on this pane's canvas. */
  placeOfPointer(event: MouseEvent): Place {
    const box = this.port.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** The voxel (z, y, x) at a row and column of the slice that is shown, not rounded. */
  voxelAt([row, col]: Place): Point {
    return apply(this.plane.toVoxel, [this.slice, row, col]);
  }

  /** Draws what lies over the picture once more, without the picture. */
  repaint(): void {
    if (this.asked || !this.viewport) return;
    this.asked = true;
    requestAnimationFrame(() => this.painted());
  }

  private painted(): void {
    this.asked = false;
    const context = this.overlay.getContext("2d");
    if (!context || !this.viewport) return;
    const ratio = window.devicePixelRatio || 1;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.overlay.width, this.overlay.height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.options.paint(this, context);
  }

  private middle(): Place {
    return [this.port.clientWidth / 2, this.port.clientHeight / 2];
  }

  /** Cornerstone's own canvas forgets the density of the screen when it draws without WebGL. */
  private sized(): void {
    const ratio = window.devicePixelRatio || 1;
    const size = { width: Math.round(this.port.clientWidth * ratio), height: Math.round(this.port.clientHeight * ratio) };
    Object.assign(this.overlay, size);
    if (this.options.rendering === "cpu" && this.viewport) Object.assign(this.viewport.canvas, size);
  }

  private letters(): HTMLElement[] {
    // A wrong side is worse than none: without true sizes nobody has said for sure how the frames lie.
    const { affine, physical } = this.options.source.description;
    if (!affine || !physical) return [];
    const [right, down] = [column(this.plane.toWorld, 2), column(this.plane.toWorld, 1)];
    const back = ([x, y, z]: Point): Point => [-x, -y, -z];
    const sides: [string, Point][] = [["right", right], ["left", back(right)], ["bottom", down], ["top", back(down)]];
    return sides.map(([side, towards]) => make("span", { class: "viewer-letter", "data-side": side, "aria-hidden": "true" }, letters(towards)));
  }
}
