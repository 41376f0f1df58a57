// The worklist by keyboard: j and k go down and up, Enter opens, / searches.
import { isTyping } from "./parts/dom";

const rows = [...document.querySelectorAll<HTMLTableRowElement>("#worklist tbody tr")];

function link(row: HTMLTableRowElement | undefined): HTMLAnchorElement | null {
  return row?.querySelector("a") ?? null;
}

function move(step: number): void {
  const now = rows.findIndex((row) => row.contains(document.activeElement));
  const next = now < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, now + step));
  link(rows[next])?.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
  const steps: Record<string, number> = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };
  const step = steps[event.key];
  if (step !== undefined) {
    event.preventDefault();
    move(step);
  } else if (event.key === "/") {
    event.preventDefault();
    document.querySelector<HTMLInputElement>("input[type=search]")?.focus();
  }
});

for (const row of rows)
  row.addEventListener("click", (event) => {
    if (!(event.target as HTMLElement).closest("a")) link(row)?.click();
  });
