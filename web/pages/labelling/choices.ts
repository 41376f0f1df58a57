// The labels to choose from: with the pointer, with Tab and Space, or with the number keys.
import { byId } from "../parts/dom";

const inputs = [...document.querySelectorAll<HTMLInputElement>("#choices input[name=label]")];
const none = document.getElementById("nothing") as HTMLInputElement | null;
let heard: (label: string) => void = () => undefined;

export const choices = {
  /** Names of the labels that are chosen. */
  chosen(): string[] {
    return inputs.filter((one) => one.checked).map((one) => one.value);
  },
  /** Whether the reader says that there is nothing. */
  nothing(): boolean {
    return none?.checked ?? false;
  },
  /** Chooses these and no others. */
  set(labels: string[], nothing = false): void {
    for (const one of inputs) one.checked = labels.includes(one.value);
    if (none) none.checked = nothing;
  },
  /** The label that is drawn with: the first where none was chosen yet. */
  active(): string {
    const found = inputs.find((one) => one.checked) ?? inputs[0];
    if (found) found.checked = true;
    return found?.value ?? "";
  },
  /** Called with a label when it is chosen. */
  on(call: (label: string) => void): void {
    heard = call;
  },
};

function chose(input: HTMLInputElement): void {
  if (input.checked && none && input.type === "checkbox") none.checked = false;
  if (input.checked) heard(input.value);
}

for (const one of inputs) one.addEventListener("change", () => chose(one));
none?.addEventListener("change", () => {
  if (none.checked) for (const one of inputs) if (one.type === "checkbox") one.checked = false;
});

/** Whether a key belongs to whoever writes words. */
export function writes(event: KeyboardEvent): boolean {
  const at = event.target as HTMLElement | null;
  const isText = at instanceof HTMLInputElement && !/^(radio|checkbox|range|button)$/.test(at.type);
  return isText || at instanceof HTMLTextAreaElement || at instanceof HTMLSelectElement;
}

// Before everybody else: in the viewer and in its toolbar number keys mean windows and zoom.
window.addEventListener(
  "keydown",
  (event) => {
    if (!/^[0-9]$/.test(event.key) || event.ctrlKey || event.metaKey || event.altKey || writes(event)) return;
    if (byId("answer").hidden) return;
    event.preventDefault();
    event.stopPropagation();
    const input = event.key === "0" ? none : inputs[Number(event.key) - 1];
    input?.click();
  },
  { capture: true },
);
