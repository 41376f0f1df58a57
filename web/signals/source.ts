// Samples of one group: all of them at once where they are few, else minute by minute.
import type { Group, Piece } from "./types";

/** Values of a group that is fetched whole. */
const FEW = 2_000_000;
const CHUNK_SECONDS = 60;
const MOST_CHUNKS = 6;
/** Bins of the overview of a long recording. */
const BINS = 1000;

export type Fetch = (path: string) => Promise<ArrayBuffer>;

export class Source {
  readonly #chunks = new Map<number, Promise<Piece>>();
  readonly #whole: boolean;

  constructor(
    readonly group: Group,
    private readonly fetch: Fetch,
  ) {
    this.#whole = group.samples * group.leads.length <= FEW;
  }

  /** Whether it is longer than what is fetched at once. */
  get isLong(): boolean {
    return !this.#whole;
  }

  /** Pieces that together hold the samples between two moments, in seconds. */
  async between(from: number, to: number): Promise<Piece[]> {
    const length = this.#whole ? Infinity : CHUNK_SECONDS;
    const first = this.#whole ? 0 : Math.max(0, Math.floor(from / length));
    const last = this.#whole ? 0 : Math.max(first, Math.floor(to / length));
    const wanted: Promise<Piece>[] = [];
    for (let chunk = first; chunk <= last; chunk++) wanted.push(this.#chunk(chunk));
    return Promise.all(wanted);
  }

  /** The smallest and largest values of the first lead over the whole recording, in turn. */
  async overview(): Promise<Float32Array> {
    const step = Math.max(1, Math.ceil(this.group.samples / BINS));
    const values = new Float32Array(await this.fetch(`${this.group.number}?step=${step}`));
    return values.subarray(0, values.length / this.group.leads.length);
  }

  #chunk(number: number): Promise<Piece> {
    const kept = this.#chunks.get(number);
    if (kept) return kept;
    const made = this.#fetched(number);
    this.#chunks.set(number, made);
    made.catch(() => this.#chunks.delete(number));
    const oldest = this.#chunks.keys().next().value;
    if (this.#chunks.size > MOST_CHUNKS && oldest !== undefined) this.#chunks.delete(oldest);
    return made;
  }

  async #fetched(number: number): Promise<Piece> {
    const { rate, leads } = this.group;
    const from = number * CHUNK_SECONDS;
    const query = this.#whole ? "" : `?from=${from}&to=${from + CHUNK_SECONDS}`;
    const values = new Float32Array(await this.fetch(`${this.group.number}${query}`));
    const count = values.length / leads.length;
    return {
      first: this.#whole ? 0 : Math.round(from * rate),
      leads: leads.map((_, lead) => values.subarray(lead * count, (lead + 1) * count)),
    };
  }
}

/** A sample of a lead; nan where there is none. */
export function sampleOf(pieces: readonly Piece[], lead: number, number: number): number {
  for (const piece of pieces) {
    const value = piece.leads[lead]?.[number - piece.first];
    if (value !== undefined) return value;
  }
  return NaN;
}
