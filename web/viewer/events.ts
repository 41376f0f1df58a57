// Telling whoever listens what happened.
import type { Events } from "./types";

type Heard<K extends keyof Events> = (event: Events[K]) => void;

/** Listeners by the name of what they wait for. */
export class Emitter {
  private readonly heard = new Map<keyof Events, Set<Heard<never>>>();

  /** Listens; the answer stops it. */
  on<K extends keyof Events>(name: K, heard: Heard<K>): () => void {
    const those = this.heard.get(name) ?? new Set();
    this.heard.set(name, those);
    those.add(heard);
    return () => those.delete(heard);
  }

  emit<K extends keyof Events>(name: K, event: Events[K]): void {
    for (const heard of this.heard.get(name) ?? []) (heard as unknown as Heard<K>)(event);
  }

  clear(): void {
    this.heard.clear();
  }
}
