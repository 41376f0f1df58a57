// Getting the frames: the wanted one first, then the rest outward from it; all stay in memory.
import type { Description, Values } from "./types";

const CHUNK = 8 * 1024 * 1024;
const AT_ONCE = 2;

const ARRAYS = {
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  float32: Float32Array,
} as const;

/** Asks for the description of a series.
 *
 * @throws Error with the server's words when it is refused.
 */
export async function describe(address: string): Promise<Description> {
  const answer = await fetch(address, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw await refusal(answer);
  return (await answer.json()) as Description;
}

async function refusal(answer: Response): Promise<Error> {
  const body = (await answer.json().catch(() => null)) as { error?: { wrong?: string; todo?: string } } | null;
  const said = [body?.error?.wrong, body?.error?.todo].filter(Boolean).join(". ");
  return new Error(said || `${answer.status} ${answer.statusText}`);
}

/** Whoever wants to know that frames came. */
export interface Waiting {
  arrived(first: number, last: number): void;
  failed(error: Error): void;
}

/** The values of all frames, as far as they have come. */
export class Frames {
  readonly values: Values;
  loaded = 0;
  private readonly bytes: Uint8Array;
  private readonly frameBytes: number;
  private readonly here: Uint8Array;
  private readonly asked: Uint8Array;
  private readonly stop = new AbortController();
  private wanted = 0;
  private running = 0;
  private broken = false;
  private held = true;

  /**
   * @param address Of the series' frames, without a slash at its end.
   * @param query What follows the address of frames, with its question mark.
   * @throws RangeError when the series does not fit into memory.
   */
  constructor(
    private readonly address: string,
    private readonly query: string,
    private readonly description: Description,
    private readonly waiting: Waiting,
  ) {
    const { count, rows, columns, samples, type } = description;
    const Kind = ARRAYS[type];
    const buffer = new ArrayBuffer(count * rows * columns * samples * Kind.BYTES_PER_ELEMENT);
    this.values = new Kind(buffer);
    this.bytes = new Uint8Array(buffer);
    this.frameBytes = rows * columns * samples * Kind.BYTES_PER_ELEMENT;
    this.here = new Uint8Array(count);
    this.asked = new Uint8Array(count);
  }

  has(frame: number): boolean {
    return this.here[frame] === 1;
  }

  get complete(): boolean {
    return this.loaded === this.description.count;
  }

  /** The values of one frame, without a copy. */
  frame(index: number): Values {
    const size = this.values.length / this.description.count;
    return this.values.subarray(index * size, (index + 1) * size);
  }

  /** Loads what else there is. Until then only frames that are wanted come, so that the first is on the screen soon. */
  goOn(): void {
    this.held = false;
    this.next();
  }

  /** Loads a frame before all others. */
  want(frame: number): void {
    this.wanted = frame;
    this.broken = false;
    if (!this.asked[frame]) void this.get(frame, frame);
    else this.next();
  }

  close(): void {
    this.stop.abort();
  }

  private next(): void {
    while (this.running < AT_ONCE && !this.broken && !this.held) {
      const range = this.nearest();
      if (!range) return;
      void this.get(...range);
    }
  }

  /** The next chunk: the frames nearest to the wanted one that nobody has asked for. */
  private nearest(): [number, number] | null {
    const { count } = this.description;
    const most = Math.max(1, Math.floor(CHUNK / this.frameBytes));
    for (let away = 0; away < count; away++)
      for (const at of [this.wanted + away, this.wanted - away]) {
        if (at < 0 || at >= count || this.asked[at]) continue;
        const step = at >= this.wanted ? 1 : -1;
        let end = at;
        while (Math.abs(end + step - at) < most && this.asked[end + step] === 0) end += step;
        return [Math.min(at, end), Math.max(at, end)];
      }
    return null;
  }

  private async get(first: number, last: number): Promise<void> {
    this.asked.fill(1, first, last + 1);
    this.running += 1;
    let got = first;
    try {
      const answer = await fetch(`${this.address}/${first + 1}-${last + 1}${this.query}`, { signal: this.stop.signal });
      if (!answer.ok || !answer.body) throw await refusal(answer);
      got = await this.read(answer.body, first, last);
      if (got !== last + 1) throw new Error(`frames ${first + 1} to ${last + 1} came short`);
    } catch (error) {
      this.asked.fill(0, Math.max(got, this.arrivedUpTo(first, last)), last + 1);
      this.broken = true;
      if (!this.stop.signal.aborted) this.waiting.failed(error as Error);
    } finally {
      this.running -= 1;
    }
    this.next();
  }

  private arrivedUpTo(first: number, last: number): number {
    let at = first;
    while (at <= last && this.here[at]) at += 1;
    return at;
  }

  /** Copies what comes to its place, and tells each frame as soon as it is whole. */
  private async read(body: ReadableStream<Uint8Array>, first: number, last: number): Promise<number> {
    const reader = body.getReader();
    const end = (last + 1) * this.frameBytes;
    let at = first * this.frameBytes;
    let told = first;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return told;
      if (at + value.length > end) throw new Error(`frames ${first + 1} to ${last + 1} are longer than the series says`);
      this.bytes.set(value, at);
      at += value.length;
      const whole = Math.floor(at / this.frameBytes);
      if (whole > told) this.tell(told, whole - 1);
      told = whole;
    }
  }

  private tell(first: number, last: number): void {
    this.here.fill(1, first, last + 1);
    this.loaded += last - first + 1;
    this.waiting.arrived(first, last);
  }
}
