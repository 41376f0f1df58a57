// What was drawn, step by step, so that it can be taken back.

/** One thing that was done. */
export interface Step {
  what: "mask" | "boxes";
  undo(): void;
  redo(): void;
}

const MOST = 200;

/** Steps in order; whoever goes back and does something else loses what came after. */
export class History {
  private steps: Step[] = [];
  private at = 0;
  private clean = 0;

  constructor(private readonly changed: (what: "mask" | "boxes") => void) {}

  /** Whether anything differs from what was given. */
  get dirty(): boolean {
    return this.at !== this.clean;
  }

  /** What there is now was kept elsewhere. */
  saved(): void {
    this.clean = this.at;
  }

  /** Keeps a step that has been done. */
  did(step: Step): void {
    if (this.clean > this.at) this.clean = -1;
    this.steps = [...this.steps.slice(0, this.at), step];
    if (this.steps.length > MOST) {
      this.steps.shift();
      this.clean -= 1;
    }
    this.at = this.steps.length;
    this.changed(step.what);
  }

  undo(): void {
    const step = this.steps[this.at - 1];
    if (!step) return;
    this.at -= 1;
    step.undo();
    this.changed(step.what);
  }

  redo(): void {
    const step = this.steps[this.at];
    if (!step) return;
    this.at += 1;
    step.redo();
    this.changed(step.what);
  }

  /** Forgets the steps of one kind: what they changed was replaced. */
  forget(what: "mask" | "boxes"): void {
    this.steps = this.steps.filter((step, index) => index < this.at && step.what !== what);
    this.at = this.steps.length;
    this.clean = this.steps.length ? -1 : 0;
  }
}
