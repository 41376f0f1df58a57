// A recording on the screen: scrolled, enlarged, measured; the paper is drawn anew whenever something changes.
import { type Colours, draw, heightOf, perSecond, type Sheet } from "./drawing";
import { inRows, type Layout, onSheet } from "./layout";
import { laneOf, type Scale, scales, suitsGain } from "./scaling";
import { sampleOf, type Source } from "./source";
import type { Heat, Mark, Piece, Setting } from "./types";

/** Seconds that the paper shows at first. */
const SHOWN = 10;
/** Pixels of a mm: at first, and at all. */
const FIRST = [1.6, 6] as const;
const ENDS = [1.2, 16] as const;
const STEP = 1.25;

/** What was measured: one mark, or two of one lead. */
export interface Measured {
  lead: number;
  first: { seconds: number; value: number } | null;
  last: { seconds: number; value: number };
}

export class SignalView {
  setting: Setting = { speed: 25, gain: 10, layout: "standard" };
  begin = 0;
  onChange: () => void = () => undefined;
  #scale = 4;
  #isFitted = true;
  #pieces: Piece[] = [];
  #scales: Scale[] = [];
  #heat: Heat | null = null;
  #marks: Mark[] = [];
  #isMeasuring = false;
  #asked = 0;
  readonly #watch: ResizeObserver;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly place: HTMLElement,
    readonly source: Source,
  ) {
    this.#watch = new ResizeObserver(() => this.#resized());
    this.#watch.observe(place);
  }

  get group(): Source["group"] {
    return this.source.group;
  }

  get seconds(): number {
    return this.group.samples / this.group.rate;
  }

  /** Seconds from the left edge to the right one. */
  get span(): number {
    return this.#width / (this.setting.speed * this.#scale);
  }

  get scale(): number {
    return this.#scale;
  }

  get leadScales(): readonly Scale[] {
    return this.#scales;
  }

  get hasSheet(): boolean {
    return onSheet(this.group.leads, this.seconds) !== null;
  }

  get isMeasuring(): boolean {
    return this.#isMeasuring;
  }

  get hasHeat(): boolean {
    return this.#heat !== null;
  }

  /** What lies between the marks; null where there is none. */
  get measured(): Measured | null {
    const last = this.#marks.at(-1);
    if (!last) return null;
    const at = (mark: Mark): { seconds: number; value: number } => ({
      seconds: mark.sample / this.group.rate,
      value: sampleOf(this.#pieces, mark.lead, mark.sample),
    });
    const first = this.#marks.length > 1 ? this.#marks[0] : undefined;
    return { lead: last.lead, first: first ? at(first) : null, last: at(last) };
  }

  /** Fetches the first samples and shows them. */
  async open(): Promise<void> {
    if (!this.hasSheet) this.setting = { ...this.setting, layout: "rows" };
    this.#fit();
    this.#pieces = await this.source.between(0, this.span);
    if (!suitsGain(this.group.leads, this.#pieces)) this.setting = { ...this.setting, gain: null };
    this.#rescale();
  }

  set(change: Partial<Setting>): void {
    this.setting = { ...this.setting, ...change };
    if (this.#isFitted) this.#fit();
    this.#rescale();
    void this.scroll(this.begin);
  }

  /** Goes to a moment; what is missing is fetched. */
  async scroll(begin: number): Promise<void> {
    this.begin = Math.min(Math.max(0, this.seconds - this.span), Math.max(0, begin));
    const asked = ++this.#asked;
    this.#draw();
    const pieces = await this.source.between(this.begin, this.begin + this.span);
    if (asked !== this.#asked) return;
    const isNew = pieces.some((one) => !this.#pieces.includes(one));
    this.#pieces = pieces;
    if (isNew) this.#rescale();
    else this.#draw();
  }

  /** Larger (1) or smaller (-1), about a place on the screen. */
  zoom(steps: number, x = this.#width / 2): void {
    const moment = this.begin + x / (this.setting.speed * this.#scale);
    this.#scale = Math.min(ENDS[1], Math.max(ENDS[0], this.#scale * STEP ** steps));
    this.#isFitted = false;
    this.#rescale();
    void this.scroll(moment - x / (this.setting.speed * this.#scale));
  }

  reset(): void {
    this.#isFitted = true;
    this.#marks = [];
    this.#isMeasuring = false;
    this.#fit();
    void this.scroll(0);
  }

  heat(heat: Heat | null): void {
    this.#heat = heat;
    this.#draw();
  }

  /** Begins or ends measuring; the mark starts in the middle of the first row. */
  measure(on: boolean): void {
    this.#isMeasuring = on;
    this.#marks = [];
    if (on) this.#put(0, this.begin + this.span / 2, 0);
    else this.#draw();
  }

  /** Puts the mark at a place on the screen; `first` begins a measure there. */
  point(x: number, y: number, first: boolean): void {
    const lane = Math.floor(y / (this.#lane * this.#scale));
    if (first) this.#marks = [];
    const kept = first ? 0 : 1;
    this.#put(kept, this.begin + x / (this.setting.speed * this.#scale), this.#marks[0]?.lane ?? lane);
    if (first) this.#marks = [...this.#marks, ...this.#marks];
  }

  /** Moves the mark by samples and rows. */
  move(samples: number, lanes: number): void {
    const last = this.#marks.at(-1);
    if (!last) return;
    const lane = this.#marks.length > 1 ? last.lane : Math.min(this.#layout.lanes - 1, Math.max(0, last.lane + lanes));
    this.#put(this.#marks.length - 1, (last.sample + samples) / this.group.rate, lane);
  }

  /** Keeps the first point where the mark is, and goes on with the second; again begins anew. */
  fix(): void {
    const last = this.#marks.at(-1);
    if (last) this.#marks = this.#marks.length > 1 ? [last] : [last, last];
    this.#draw();
  }

  destroy(): void {
    this.#watch.disconnect();
    this.#asked++;
  }

  get #width(): number {
    return Math.max(100, this.place.clientWidth);
  }

  /** mm of a row. */
  get #lane(): number {
    return laneOf(this.setting, this.place.clientHeight / this.#scale / this.#layout.lanes);
  }

  get #layout(): Layout {
    const sheet = this.setting.layout === "standard" ? onSheet(this.group.leads, this.seconds) : null;
    return sheet ?? inRows(this.group.leads, this.seconds);
  }

  /** A mark as number `place` of those there are, on the lead that lies there; marks of one measure lie on one lead. */
  #put(place: number, seconds: number, lane: number): void {
    const rate = this.group.rate;
    const sample = Math.min(this.group.samples - 1, Math.max(0, Math.round(seconds * rate)));
    const there = this.#layout.stretches(sample / rate, (sample + 1) / rate);
    const lead = there.find((one) => one.lane === lane)?.lead;
    const first = this.#marks[0];
    if (lead === undefined || (place > 0 && first && first.lead !== lead)) return;
    this.#marks = [...this.#marks.slice(0, place), { lane, lead, sample }];
    const at = sample / rate;
    if (at < this.begin || at > this.begin + this.span) void this.scroll(at - this.span / 2);
    this.#draw();
  }

  #fit(): void {
    const wide = Math.min(SHOWN, this.seconds) * this.setting.speed;
    this.#scale = Math.min(FIRST[1], Math.max(FIRST[0], this.#width / wide));
  }

  #resized(): void {
    if (this.#isFitted) this.#fit();
    if (!this.#pieces.length) return;
    this.#rescale();
    void this.scroll(this.begin);
  }

  #rescale(): void {
    this.#scales = scales(this.group.leads, this.#pieces, this.setting, this.#lane);
    this.#draw();
  }

  #draw(): void {
    const sheet: Sheet = {
      group: this.group,
      pieces: this.#pieces,
      layout: this.#layout,
      scales: this.#scales,
      heat: this.#heat,
      marks: this.#marks,
      begin: this.begin,
      width: this.#width,
      lane: this.#lane,
      scale: this.#scale,
      speed: this.setting.speed,
    };
    const dots = window.devicePixelRatio || 1;
    const height = heightOf(sheet);
    this.canvas.width = Math.round(sheet.width * dots);
    this.canvas.height = Math.round(height * dots);
    this.canvas.style.width = `${sheet.width}px`;
    this.canvas.style.height = `${height}px`;
    const pen = this.canvas.getContext("2d");
    if (!pen) return;
    pen.scale(dots, dots);
    draw(pen, sheet, coloursOf(this.place));
    Object.assign(this.place.dataset, { begin: this.begin.toFixed(3), perSecond: perSecond(sheet).toFixed(3) });
    this.onChange();
  }
}

function coloursOf(place: HTMLElement): Colours {
  const style = getComputedStyle(place);
  const of = (name: string): string => style.getPropertyValue(`--paper-${name}`).trim();
  return { fine: of("fine"), bold: of("bold"), trace: of("trace"), heat: of("heat"), mark: of("mark"), ground: of("ground") };
}
