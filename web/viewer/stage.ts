// The panes of a viewer: one for the frames, three for the planes of a volume, and what is drawn over all of them.
import { RenderingEngine } from "@cornerstonejs/core";
import type { BoxStore } from "./boxes";
import type { Editing } from "./editing";
import { apply, inverse, planeOf, type Plane } from "./geometry";
import type { HeatStore } from "./heat";
import { enroll, redraw } from "./images";
import type { MaskStore } from "./masks";
import { Pane } from "./pane";
import { named, Readout, type Words } from "./readout";
import type { Source } from "./source";
import type { Layout, Point, Tool } from "./types";

const MARKED = 1800;
const CROSS = "#5bd1ff";

/** What is drawn over the pictures, from below. */
export interface Overlays {
  masks: MaskStore;
  heat: HeatStore;
  boxes: BoxStore;
  editing: Editing;
}

export interface StageOptions {
  root: HTMLElement;
  source: Source;
  words: Words;
  rendering: "cpu" | "gpu";
  overlays: Overlays;
  tool: () => Tool;
  /** Called for each pane that was made, before it is drawn. */
  made: (pane: Pane) => void;
}

/** All panes, and where in the volume they look. */
export class Stage {
  readonly key: string;
  readonly engine: RenderingEngine;
  readonly stack: Pane;
  readonly planes: Pane[];
  layout: Layout = "stack";
  /** Where the planes cross, (z, y, x). */
  cross: Point;
  look = { centre: 0, width: 1, inverted: false };
  private readonly readouts = new Map<Pane, Readout>();
  private readonly resizing: ResizeObserver;
  private marked: { voxel: Point; until: number } | null = null;

  constructor(private readonly options: StageOptions) {
    const { source } = options;
    const cuts = this.planar ? (["axial", "coronal", "sagittal"] as const).map((name) => planeOf(source.description, name)) : [];
    this.key = enroll(source, [source.stack, ...cuts]);
    this.engine = new RenderingEngine(`viewer-${this.key}`);
    this.stack = this.pane(source.stack);
    this.planes = cuts.map((plane) => this.pane(plane));
    const { count, rows, columns } = source.description;
    this.cross = [(count - 1) / 2, (rows - 1) / 2, (columns - 1) / 2].map(Math.round) as Point;
    this.resizing = new ResizeObserver(() => this.panes.forEach((pane) => pane.resized()));
  }

  get planar(): boolean {
    const { affine, count, samples, physical } = this.options.source.description;
    return affine !== null && physical && count > 1 && samples === 1;
  }

  /** Those that are on the screen. */
  get panes(): Pane[] {
    return this.layout === "stack" ? [this.stack] : this.planes;
  }

  readoutOf(pane: Pane): Readout | undefined {
    return this.readouts.get(pane);
  }

  /** Puts the panes of a layout on the screen. */
  async set(layout: Layout): Promise<void> {
    this.layout = layout;
    this.options.root.dataset["layout"] = layout;
    for (const pane of [this.stack, ...this.planes]) pane.root.hidden = !this.panes.includes(pane);
    for (const pane of this.panes) {
      if (!pane.root.isConnected) this.options.root.append(pane.root);
      const slice = pane === this.stack ? Math.round(this.cross[0]) : this.sliceAt(pane.plane, this.cross);
      if (pane.started) {
        pane.resized();
        pane.show(slice);
        continue;
      }
      this.resizing.observe(pane.port);
      await pane.start(slice);
      this.options.made(pane);
    }
    this.window(this.look.centre, this.look.width, this.look.inverted);
  }

  window(centre: number, width: number, inverted: boolean): void {
    this.look = { centre, width, inverted };
    for (const pane of this.panes) pane.window(centre, width, inverted);
  }

  /** Shows a slice of a plane; in the planes the cross-hair goes along. */
  show(pane: Pane, slice: number): void {
    if (pane === this.stack) this.cross = [slice, this.cross[1], this.cross[2]];
    else {
      const back = inverse(pane.plane.toVoxel);
      const [, row, col] = apply(back, this.cross);
      this.cross = apply(pane.plane.toVoxel, [slice, row, col]);
    }
    pane.show(slice);
    for (const other of this.panes) if (other !== pane) other.repaint();
  }

  /** Lets all panes look at a voxel. */
  goTo(voxel: Point): void {
    this.cross = voxel;
    for (const pane of this.panes) {
      const slice = pane === this.stack ? Math.round(voxel[0]) : this.sliceAt(pane.plane, voxel);
      if (slice !== pane.slice) pane.show(slice);
      pane.repaint();
    }
  }

  /** Makes the pictures anew: how numbers become levels has changed. */
  async redraw(): Promise<void> {
    redraw(this.key);
    for (const pane of [this.stack, ...this.planes]) await pane.redraw();
    this.window(this.look.centre, this.look.width, this.look.inverted);
  }

  /** Rings a voxel for a moment. */
  mark(voxel: Point): void {
    this.marked = { voxel, until: performance.now() + MARKED };
    this.repaint();
    setTimeout(() => this.repaint(), MARKED + 50);
  }

  repaint(): void {
    for (const pane of this.panes) pane.repaint();
  }

  close(): void {
    this.resizing.disconnect();
    this.engine.destroy();
  }

  private pane(plane: Plane): Pane {
    const { source, rendering, words } = this.options;
    const paint = (pane: Pane, context: CanvasRenderingContext2D) => this.paint(pane, context);
    const pane = new Pane({ engine: this.engine, key: this.key, plane, source, rendering, paint });
    pane.port.setAttribute("role", "img");
    pane.port.setAttribute("aria-label", named(words, plane));
    this.readouts.set(pane, new Readout(pane, words, source.description));
    return pane;
  }

  private sliceAt(plane: Plane, voxel: Point): number {
    const slice = Math.round(apply(inverse(plane.toVoxel), voxel)[0]);
    return Math.min(plane.count - 1, Math.max(0, slice));
  }

  private paint(pane: Pane, context: CanvasRenderingContext2D): void {
    const { overlays, tool } = this.options;
    overlays.heat.layer.paint(pane, context);
    overlays.masks.layer.paint(pane, context);
    overlays.boxes.paint(pane, context);
    if (pane.plane.name === "stack") {
      if (tool() === "brush" || tool() === "eraser") overlays.editing.paintBrush(pane, context);
      if (tool() === "polygon") overlays.editing.paintPolygon(pane, context);
    } else this.paintCross(pane, context);
    this.paintMark(pane, context);
    this.readouts.get(pane)?.show(this.look);
  }

  private paintCross(pane: Pane, context: CanvasRenderingContext2D): void {
    const [, row, col] = apply(inverse(pane.plane.toVoxel), this.cross);
    const [x, y] = pane.placeOf([row, col]);
    const { clientWidth, clientHeight } = pane.port;
    context.strokeStyle = CROSS;
    context.lineWidth = 1;
    context.globalAlpha = 0.75;
    context.beginPath();
    for (const [from, to] of [[0, x - 14], [x + 14, clientWidth]] as const) (context.moveTo(from, y), context.lineTo(to, y));
    for (const [from, to] of [[0, y - 14], [y + 14, clientHeight]] as const) (context.moveTo(x, from), context.lineTo(x, to));
    context.stroke();
    context.globalAlpha = 1;
  }

  private paintMark(pane: Pane, context: CanvasRenderingContext2D): void {
    if (!this.marked || performance.now() > this.marked.until) return;
    const [slice, row, col] = apply(inverse(pane.plane.toVoxel), this.marked.voxel);
    if (Math.round(slice) !== pane.slice) return;
    context.beginPath();
    context.arc(...pane.placeOf([row, col]), 22, 0, 2 * Math.PI);
    context.lineWidth = 5;
    context.strokeStyle = "rgb(0 0 0 / 60%)";
    context.stroke();
    context.lineWidth = 2.5;
    context.strokeStyle = "#ffe14d";
    context.stroke();
  }
}
