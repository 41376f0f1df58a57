// Mouse, pen and fingers: what a drag does with each tool, the wheel, and two fingers.
import type { Pane } from "./pane";
import type { Tool } from "./types";

type Place = [number, number];

/** What can be done with a pointer, by name. */
export interface Gestures {
  tool(): Tool;
  /** The slice that a pane shows, or that it is to show as soon as it has come. */
  slice(pane: Pane): number;
  /** Shows another slice of a pane's plane, `by` slices further than `from`. */
  scroll(pane: Pane, from: number, by: number): void;
  window(right: number, down: number): void;
  /** Planes only: puts the cross-hair there; says whether it did. */
  cross(pane: Pane, pixel: Place): boolean;
  draw(phase: "down" | "move" | "up" | "cancel", pane: Pane, pixel: Place, event: PointerEvent): void;
  hover(pane: Pane, pixel: Place | null): void;
  focus(pane: Pane): void;
}

type Kind = "scroll" | "window" | "zoom" | "pan" | "draw" | "cross" | "none";

interface Drag {
  kind: Kind;
  start: Place;
  last: Place;
  slice: number;
  zoom: number;
}

const DRAWING: readonly Tool[] = ["brush", "eraser", "polygon", "box"];
const NOTCH = 40;
const MEASURING: readonly Tool[] = ["length", "region", "probe"];

/** Listens to the pointers of a pane. */
export class Pointing {
  private readonly places = new Map<number, Place>();
  private drag: Drag | null = null;
  private turned = 0;
  private pinched: { apart: number; middle: Place; zoom: number } | null = null;

  constructor(
    private readonly pane: Pane,
    private readonly gestures: Gestures,
  ) {
    const { port } = pane;
    port.addEventListener("pointerdown", (event) => this.down(event));
    port.addEventListener("pointermove", (event) => this.move(event));
    port.addEventListener("pointerup", (event) => this.up(event, "up"));
    port.addEventListener("pointercancel", (event) => this.up(event, "cancel"));
    port.addEventListener("pointerleave", () => gestures.hover(pane, null));
    port.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    port.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  private down(event: PointerEvent): void {
    const { pane } = this;
    const at = pane.placeOfPointer(event);
    this.gestures.focus(pane);
    this.places.set(event.pointerId, at);
    if (event.pointerType !== "mouse" && this.places.size === 2) return this.pinch();
    if (this.places.size > 1) return;
    const kind = this.kindOf(event);
    this.drag = { kind, start: at, last: at, slice: this.gestures.slice(pane), zoom: pane.zoom };
    if (kind === "none") return;
    pane.port.setPointerCapture(event.pointerId);
    if (kind === "draw") this.gestures.draw("down", pane, pane.pixelAt(at), event);
    if (kind === "cross") this.gestures.cross(pane, pane.pixelAt(at));
  }

  /** Left drags do what the tool says; right drags change the window (zoom where that is the tool), middle ones move. */
  private kindOf(event: PointerEvent): Kind {
    const tool = this.gestures.tool();
    if (event.button === 1) return "pan";
    if (event.button === 2) return tool === "window" ? "zoom" : "window";
    if (MEASURING.includes(tool)) return "none";
    if (DRAWING.includes(tool)) return this.pane.plane.name === "stack" ? "draw" : "none";
    if (tool === "scroll" && this.pane.plane.name !== "stack") return "cross";
    return tool as Kind;
  }

  private move(event: PointerEvent): void {
    const { pane, gestures, drag } = this;
    const at = pane.placeOfPointer(event);
    if (this.places.has(event.pointerId)) this.places.set(event.pointerId, at);
    if (this.pinched) return this.pinch();
    gestures.hover(pane, pane.pixelAt(at));
    if (!drag || !this.places.has(event.pointerId)) {
      if (gestures.tool() === "polygon") gestures.draw("move", pane, pane.pixelAt(at), event);
      return;
    }
    this.dragged(drag, at, event);
    drag.last = at;
  }

  private dragged(drag: Drag, at: Place, event: PointerEvent): void {
    const { pane, gestures } = this;
    const [right, down] = [at[0] - drag.last[0], at[1] - drag.last[1]];
    if (drag.kind === "scroll") gestures.scroll(pane, drag.slice, Math.round((at[1] - drag.start[1]) / this.perSlice()));
    else if (drag.kind === "window") gestures.window(right, down);
    else if (drag.kind === "zoom") pane.zoomTo(drag.zoom * Math.exp((drag.start[1] - at[1]) / 150), drag.start);
    else if (drag.kind === "pan") pane.pan(right, down);
    else if (drag.kind === "cross") gestures.cross(pane, pane.pixelAt(at));
    else if (drag.kind === "draw")
      for (const one of event.getCoalescedEvents?.() ?? [event]) gestures.draw("move", pane, pane.pixelAt(pane.placeOfPointer(one)), one);
  }

  private up(event: PointerEvent, phase: "up" | "cancel"): void {
    const { drag } = this;
    this.places.delete(event.pointerId);
    if (this.places.size < 2) this.pinched = null;
    if (this.places.size) return;
    this.drag = null;
    if (drag?.kind === "draw") this.gestures.draw(phase, this.pane, this.pane.pixelAt(this.pane.placeOfPointer(event)), event);
  }

  /** Two fingers zoom and move; what one of them began is taken back. */
  private pinch(): void {
    const { pane } = this;
    const [one, other] = [...this.places.values()] as [Place, Place];
    const apart = Math.max(10, Math.hypot(one[0] - other[0], one[1] - other[1]));
    const middle: Place = [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2];
    if (!this.pinched) {
      if (this.drag?.kind === "draw") this.gestures.draw("cancel", pane, [0, 0], new PointerEvent("pointercancel"));
      this.drag = null;
      this.pinched = { apart, middle, zoom: pane.zoom };
      return;
    }
    pane.pan(middle[0] - this.pinched.middle[0], middle[1] - this.pinched.middle[1]);
    pane.zoomTo(this.pinched.zoom * (apart / this.pinched.apart), middle);
    this.pinched.middle = middle;
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const { pane } = this;
    if (event.ctrlKey) return pane.zoomTo(pane.zoom * Math.exp(-event.deltaY / 300), pane.placeOfPointer(event));
    // A notch of a wheel is a slice; the many small steps of a touch pad are gathered.
    this.turned = Math.abs(event.deltaY) >= NOTCH ? Math.sign(event.deltaY) * NOTCH : this.turned + event.deltaY;
    const by = Math.trunc(this.turned / NOTCH);
    this.turned -= by * NOTCH;
    if (by) this.gestures.scroll(pane, this.gestures.slice(pane), by);
  }

  /** A drag over the picture's height goes through the whole stack, but not faster than the hand can stop. */
  private perSlice(): number {
    return Math.min(24, Math.max(3, this.pane.port.clientHeight / this.pane.plane.count));
  }
}
