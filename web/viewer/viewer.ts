// One open series: what can be asked of it, put together from the parts beside this file.
import { BoxStore } from "./boxes";
import { Editing } from "./editing";
import { Emitter } from "./events";
import { HeatStore } from "./heat";
import { History } from "./history";
import { dismiss, startCornerstone } from "./images";
import { actions, type Keys, listen } from "./keyboard";
import type { Frames } from "./loading";
import { MaskStore } from "./masks";
import type { Pane } from "./pane";
import { Pointing } from "./pointing";
import { Progress, say } from "./readout";
import { Rulers } from "./rulers";
import type { Source } from "./source";
import { Stage } from "./stage";
import type { Box, Events, Label, Layout, Mask, Measurement, Point, Tool, Viewer, Wanted } from "./types";

type Place = [number, number];

/** A viewer whose first frame has come. */
export class SeriesViewer implements Viewer {
  readonly source: Source;
  private readonly emitter = new Emitter();
  private readonly history: History;
  private readonly masks: MaskStore;
  private readonly heatMap: HeatStore;
  private readonly boxStore: BoxStore;
  private readonly editing: Editing;
  private readonly stage: Stage;
  private readonly rulers: Rulers;
  private readonly progress: Progress;
  private chosen: Tool = "scroll";
  private wanted: number;
  private focused: Pane;

  constructor(
    private readonly root: HTMLElement,
    private readonly options: Wanted,
    private readonly frames: Frames,
    source: Source,
    first: number,
  ) {
    const rendering = options.rendering ?? "cpu";
    startCornerstone(rendering);
    this.source = source;
    this.wanted = first;
    this.history = new History((what) => this.edited(what));
    this.masks = new MaskStore(source, this.history);
    this.heatMap = new HeatStore(source);
    this.boxStore = new BoxStore(source, this.history);
    this.editing = new Editing(this.masks);
    this.progress = new Progress(options.words);
    const overlays = { masks: this.masks, heat: this.heatMap, boxes: this.boxStore, editing: this.editing };
    const made = (pane: Pane) => this.made(pane);
    this.stage = new Stage({ root, source, words: options.words, rendering, overlays, tool: () => this.chosen, made });
    this.stage.cross[0] = first;
    this.focused = this.stage.stack;
    const half = rendering === "cpu" ? 0.5 : 0;
    this.rulers = new Rulers(this.stage.key, source, options.words, half, () => this.measured());
  }

  /** Shows the first picture. */
  async start(): Promise<void> {
    const { root, source, options } = this;
    root.classList.add("viewer");
    root.tabIndex = 0;
    root.setAttribute("role", "application");
    root.setAttribute("aria-label", say(options.words, "label", { count: source.description.count }));
    this.progress.show(this.frames.loaded, source.description.count);
    root.append(this.progress.element);
    listen(root, this.keys());
    Object.assign(this.stage.look, source.window);
    await this.stage.set("stack");
  }

  /** Called by the loader when frames came. */
  arrived(first: number, last: number): void {
    const { count } = this.description;
    if (this.wanted >= first && this.wanted <= last) this.stage.show(this.stage.stack, this.wanted);
    this.progress.show(this.frames.loaded, count);
    this.emitter.emit("progress", { loaded: this.frames.loaded, count });
    if (!this.loaded) return;
    if (this.source.rescale()) void this.stage.redraw();
    this.emitter.emit("loaded", { count });
  }

  failed(error: Error): void {
    this.progress.fail(error);
    this.emitter.emit("failed", { error, retry: () => this.frames.want(this.wanted) });
  }

  get description() {
    return this.source.description;
  }

  get planar(): boolean {
    return this.stage.planar;
  }

  get loaded(): boolean {
    return this.frames.complete;
  }

  get dirty(): boolean {
    return this.history.dirty;
  }

  layout(): Layout;
  layout(name: Layout): Promise<void>;
  layout(name?: Layout): Layout | Promise<void> {
    return name === undefined ? this.stage.layout : this.arrange(name);
  }

  private async arrange(name: Layout): Promise<void> {
    if (name === "planes" && !this.planar) throw new Error(say(this.options.words, "flat"));
    if (name === "planes" && !this.loaded) await new Promise<void>((done) => this.on("loaded", () => done()));
    await this.stage.set(name);
    this.focused = this.stage.panes[0] ?? this.stage.stack;
    if (name === "stack") this.frame(this.stage.stack.slice);
  }

  frame(): number;
  frame(index: number): void;
  frame(index?: number): number | void {
    if (index === undefined) return this.wanted;
    this.wanted = Math.min(this.description.count - 1, Math.max(0, Math.round(index)));
    if (this.frames.has(this.wanted)) this.stage.show(this.stage.stack, this.wanted);
    else this.frames.want(this.wanted);
    this.emitter.emit("frame", { index: this.wanted, count: this.description.count });
  }

  window(): { centre: number; width: number };
  window(centre: number, width: number): void;
  window(centre?: number, width?: number): { centre: number; width: number } | void {
    const { look } = this.stage;
    if (centre === undefined || width === undefined) return { centre: look.centre, width: look.width };
    this.stage.window(centre, Math.max(width, this.source.finest), look.inverted);
    this.emitter.emit("window", { ...this.stage.look });
  }

  /** @throws Error when the series has no window of that name. */
  preset(name: string): void {
    const found = this.description.windows.find((one) => one.name === name);
    if (!found) throw new Error(`no window is named ${name}; there are ${this.description.windows.map((one) => one.name).join(", ")}`);
    this.window(found.centre, found.width);
  }

  invert(on = !this.stage.look.inverted): void {
    const { centre, width } = this.stage.look;
    this.stage.window(centre, width, on);
    this.emitter.emit("window", { ...this.stage.look });
  }

  reset(): void {
    const { centre, width } = this.source.window;
    this.stage.look.inverted = false;
    this.window(centre, width);
    this.zoom("fit");
  }

  zoom(): number;
  zoom(factor: number | "fit"): void;
  zoom(factor?: number | "fit"): number | void {
    if (factor === undefined) return this.focused.zoom;
    for (const pane of this.stage.panes) factor === "fit" ? pane.fit() : pane.zoomTo(factor);
  }

  tool(): Tool;
  tool(name: Tool): void;
  tool(name?: Tool): Tool | void {
    if (name === undefined) return this.chosen;
    this.editing.cancel();
    this.chosen = name;
    this.root.dataset["tool"] = name;
    this.rulers.use(name);
    if (name !== "box") this.boxStore.selected = null;
    this.stage.repaint();
    this.emitter.emit("tool", { tool: name });
  }

  brushSize(size: number, unit: "mm" | "px"): void {
    const known = this.description.physical ? unit : "px";
    this.editing.size = { value: size, unit: known };
    this.stage.repaint();
  }

  mask(mask: Mask | null): void {
    this.masks.give(mask);
    this.stage.repaint();
  }

  maskVisible(which: number | "all", visible: boolean): void {
    this.masks.show(which, visible);
    this.stage.repaint();
  }

  maskOpacity(opacity: number): void {
    for (const over of [this.masks, this.heatMap]) over.fade(opacity);
    this.stage.repaint();
  }

  activeLabel(label: number | Label): void {
    this.masks.activate(label);
    this.stage.repaint();
  }

  readMask(): Uint8Array {
    return this.masks.voxels.slice();
  }

  saved(): void {
    this.history.saved();
  }

  undo(): void {
    this.history.undo();
  }

  redo(): void {
    this.history.redo();
  }

  boxes(list: Box[]): void {
    this.boxStore.give(list);
    this.stage.repaint();
  }

  readBoxes(): Box[] {
    return this.boxStore.read();
  }

  boxLabel(label: string, colour: string): void {
    this.boxStore.next = { label, colour };
  }

  heat(map: Float32Array | Uint8Array | null, opacity = 0.5): void {
    this.heatMap.give(map, opacity);
    this.stage.repaint();
  }

  heatVisible(visible: boolean): void {
    this.heatMap.layer.visible = visible;
    this.stage.repaint();
  }

  jumpTo(voxel: Point): void {
    if (this.stage.layout === "stack") {
      this.frame(voxel[0]);
      this.stage.cross = [this.wanted, voxel[1], voxel[2]];
    } else this.stage.goTo(voxel);
    this.stage.mark(voxel);
  }

  measurements(): Measurement[] {
    return this.rulers.list();
  }

  clearMeasurements(): void {
    this.rulers.clear();
    this.stage.panes.forEach((pane) => pane.render());
  }

  on<K extends keyof Events>(name: K, heard: (event: Events[K]) => void): () => void {
    return this.emitter.on(name, heard);
  }

  destroy(): void {
    this.frames.close();
    this.rulers.close();
    this.stage.close();
    dismiss(this.stage.key);
    this.emitter.clear();
    this.root.replaceChildren();
  }

  private made(pane: Pane): void {
    this.rulers.add(pane, this.stage.engine.id);
    new Pointing(pane, {
      tool: () => this.chosen,
      slice: (which) => this.sliceOf(which),
      scroll: (which, from, by) => this.scroll(which, from + by),
      window: (right, down) => this.windowBy(right, down),
      cross: (which, pixel) => this.crossAt(which, pixel),
      draw: (phase, which, pixel, event) => this.draw(phase, which, pixel, event),
      hover: (which, pixel) => this.hover(which, pixel),
      focus: (which) => this.focus(which),
    });
  }

  private focus(pane: Pane): void {
    this.focused = pane;
    this.root.focus({ preventScroll: true });
  }

  private sliceOf(pane: Pane): number {
    return pane === this.stage.stack ? this.wanted : pane.slice;
  }

  private scroll(pane: Pane, slice: number): void {
    if (pane === this.stage.stack) {
      if (slice !== this.wanted) this.frame(slice);
      return;
    }
    const within = Math.min(pane.plane.count - 1, Math.max(0, slice));
    if (within !== pane.slice) this.stage.show(pane, within);
  }

  /** A drag over the picture changes the window by about what is seen; never so little that it seems stuck. */
  private windowBy(right: number, down: number): void {
    const { centre, width } = this.stage.look;
    const part = Math.max(width / 256, this.source.finest);
    this.window(centre + down * part, width + right * part);
  }

  private crossAt(pane: Pane, pixel: Place): boolean {
    if (pane.plane.name === "stack") return false;
    const { count, rows, columns } = this.description;
    const voxel = pane.voxelAt(pixel).map((at, i) => Math.min(([count, rows, columns][i] as number) - 1, Math.max(0, at)));
    this.stage.goTo(voxel as Point);
    return true;
  }

  private draw(phase: "down" | "move" | "up" | "cancel", pane: Pane, pixel: Place, event: PointerEvent): void {
    const { editing, chosen } = this;
    if (phase === "cancel") this.cancel();
    else if (chosen === "box") this.box(phase, pane, pixel);
    else if (chosen === "polygon") this.polygon(phase, pane, pixel, event);
    else if (phase === "down") editing.brushDown(pane, pixel, chosen === "eraser" || event.shiftKey);
    else if (phase === "move") editing.brushMove(pane, pixel);
    else editing.brushUp();
    pane.repaint();
  }

  private box(phase: "down" | "move" | "up", pane: Pane, pixel: Place): void {
    if (phase === "down") this.boxStore.down(pane, pixel);
    else if (phase === "move") this.boxStore.move(pixel);
    else this.boxStore.up();
  }

  private polygon(phase: "down" | "move" | "up", pane: Pane, pixel: Place, event: PointerEvent): void {
    if (phase === "down") this.editing.polygonDown(pane, pixel, event.shiftKey);
    else if (phase === "move") this.editing.polygonMove(pane, pixel, event.buttons !== 0);
    else this.editing.polygonUp(pane);
  }

  private hover(pane: Pane, pixel: Place | null): void {
    const voxel = pixel && (pane.voxelAt(pixel).map(Math.round) as Point);
    const value = voxel && this.source.value(voxel);
    this.stage.readoutOf(pane)?.point(voxel, value, this.description.unit);
    this.emitter.emit("pointer", voxel && value !== null ? { voxel, value } : null);
    this.editing.hoverAt(pixel);
    if (["brush", "eraser", "polygon"].includes(this.chosen)) pane.repaint();
  }

  private edited(what: "mask" | "boxes"): void {
    this.stage.repaint();
    this.emitter.emit("edited", { dirty: this.history.dirty, what });
  }

  private measured(): void {
    this.emitter.emit("measured", { measurements: this.rulers.list() });
  }

  private keys(): Keys {
    const pane = () => this.focused;
    return {
      ...actions(this, pane),
      step: (by) => this.scroll(pane(), this.sliceOf(pane()) + by),
      end: (last) => this.scroll(pane(), last ? pane().plane.count - 1 : 0),
      window: (right, down) => this.windowBy(right, down),
      finish: () => this.finish(),
      cancel: () => this.cancel(),
      remove: () => this.remove(),
    };
  }

  private finish(): boolean {
    if (this.chosen === "box") return this.boxStore.reach(this.wanted);
    if (!this.editing.isOpen) return false;
    this.editing.close(this.stage.stack);
    this.stage.repaint();
    return true;
  }

  private cancel(): boolean {
    const open = this.editing.isOpen || this.boxStore.selected !== null;
    this.editing.cancel();
    this.boxStore.cancel();
    this.boxStore.selected = null;
    this.stage.repaint();
    return open;
  }

  private remove(): boolean {
    const gone = this.boxStore.remove() || this.rulers.remove();
    for (const pane of this.stage.panes) pane.render();
    return gone;
  }
}
