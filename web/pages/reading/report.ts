// The report: a draft from the answers, edited, signed.
import { byId, make } from "../parts/dom";
import { api, tell, trying, word } from "../parts/talking";
import { facts } from "./room";

interface Section {
  name: string;
  title: string;
  text: string;
}

interface Draft {
  language: string;
  sections: Section[];
  unanswered: unknown[];
  readings: string[];
}

interface Signature {
  id: string;
  reader: string;
}

const form = document.getElementById("report") as HTMLFormElement | null;
const language = document.getElementById("report-language") as HTMLSelectElement | null;

document.getElementById("draft")?.addEventListener("click", () => void trying(draft));
language?.addEventListener("change", () => {
  if (form && !form.hidden) void trying(draft);
});

async function draft(): Promise<void> {
  if (!form || !language) return;
  const found = await api<Draft>("GET", `/studies/${facts.study}/report?language=${language.value}`);
  const fields = found.sections.map((one) => {
    const text = make("textarea", { id: `section-${one.name}`, "data-section": one.name, rows: Math.min(10, one.text.split("\n").length + 1) });
    text.value = one.text;
    return make("div", {}, make("label", { for: `section-${one.name}` }, one.title), text);
  });
  const sign = make("button", { type: "submit", class: "main" }, word("sign"));
  sign.disabled = found.unanswered.length > 0;
  const hint = sign.disabled ? make("p", { class: "quiet" }, word("unanswered")) : null;
  form.replaceChildren(...fields, ...(hint ? [hint] : []), sign);
  form.hidden = false;
  form.lang = found.language;
  form.onsubmit = (event) => {
    event.preventDefault();
    void trying(() => signed(found));
  };
  form.querySelector("textarea")?.focus();
}

async function signed(found: Draft): Promise<void> {
  if (!form) return;
  const sections = [...form.querySelectorAll<HTMLTextAreaElement>("textarea[data-section]")]
    .map((one) => ({ name: one.dataset["section"] ?? "", text: one.value.trim() }))
    .filter((one) => one.text);
  const body = { language: found.language, sections, readings: found.readings };
  const made = await api<Signature>("POST", `/studies/${facts.study}/signatures`, body);
  const links = ["pdf", "sr", "fhir"].map((kind) => make("a", { href: `/api/v1/signatures/${made.id}/${kind}`, download: true }, ` ${kind.toUpperCase()} `));
  byId("signed").prepend(make("li", {}, `${word("state.signed")}: ${made.reader} `, ...links));
  const state = byId("state");
  state.textContent = word("state.signed");
  state.className = "state signed";
  form.hidden = true;
  tell(word("signed"));
}
