// The worklist by keyboard: j and k go down and up, Enter opens, / searches.
import { byId, isTyping, make } from "./parts/dom";
import { api, page, trying, word } from "./parts/talking";

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
    if (!(event.target as HTMLElement).closest("a, button")) link(row)?.click();
  });

// Searching by whose studies they are: what was typed goes to the API and nowhere else; its answer is pseudonyms, of
// which the list is then shown.
interface Found {
  items: { patient: string }[];
  more: boolean;
}

async function searched(): Promise<void> {
  const place = byId("people-said");
  const typed = (name: string): string => byId<HTMLInputElement>(`people-${name}`).value.trim();
  const wanted = { name: typed("name"), number: typed("number"), birth_date: typed("birth_date").replaceAll("-", "") };
  if (!Object.values(wanted).some(Boolean)) {
    place.textContent = word("people.nothing");
    return;
  }
  const found = await api<Found>("POST", "/studies/search", { ...wanted, words: !/[*?^=]/.test(wanted.name), identities: false });
  const patients = [...new Set(found.items.map((one) => one.patient))];
  const most = Number(page["most"]);
  if (!patients.length) place.textContent = word("people.none");
  else if (found.more || patients.length > most) place.textContent = word("people.many", { most });
  else {
    const address = new URL(location.href);
    address.searchParams.delete("patient");
    address.searchParams.delete("page");
    for (const patient of patients) address.searchParams.append("patient", patient);
    location.assign(address);
  }
}

document.getElementById("people")?.addEventListener("submit", (event) => {
  event.preventDefault();
  void trying(searched);
});

for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-whose]"))
  button.addEventListener("click", () => {
    void trying(async () => {
      const { name } = await api<{ name: string }>("GET", `/studies/${button.dataset["whose"] ?? ""}/identity`);
      const text = name.replace(/\^+/g, " ").trim() || word("whose.unknown");
      const shown = make("strong", { tabindex: -1 }, text);
      button.replaceWith(shown);
      shown.focus();
    });
  });
