// What a steward may do with a release: sign it, put it into service, withdraw it.
import { api, page, tell, trying, word } from "./parts/talking";

const release = String(page["release"] ?? "");

function body(form: HTMLFormElement): Record<string, string> | undefined {
  const fields = [...new FormData(form)].map(([name, value]) => [name, String(value).trim()]).filter(([, value]) => value);
  return form.dataset["deed"] === "serve" ? undefined : Object.fromEntries(fields);
}

for (const form of document.querySelectorAll<HTMLFormElement>("form[data-deed]"))
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    if (button) button.disabled = true;
    void trying(async () => {
      await api("POST", `/releases/${encodeURIComponent(release)}/${form.dataset["deed"]}`, body(form));
      tell(word("done"));
      location.reload();
    }).finally(() => {
      if (button) button.disabled = false;
    });
  });
