// Logging in, and setting a password; the page that was asked for is then loaded again.
import { byId } from "./parts/dom";
import { api, page, word } from "./parts/talking";

async function submitted(form: HTMLFormElement, work: (fields: Record<string, string>) => Promise<void>): Promise<void> {
  const wrong = byId("wrong");
  wrong.textContent = "";
  const fields = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]));
  try {
    await work(fields);
    location.reload();
  } catch (error) {
    const code = (error as { code?: string }).code ?? "";
    const known = code in page.words ? code : "failed";
    wrong.textContent = known === "wrong_login" ? word(known) : `${word(known)} ${(error as Error).message}.`;
    form.querySelector<HTMLInputElement>("input[type=password]")?.focus();
  }
}

function on(id: string, work: (fields: Record<string, string>) => Promise<void>): void {
  const form = document.getElementById(id) as HTMLFormElement | null;
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    void submitted(form, work);
  });
  form?.querySelector<HTMLInputElement>("input")?.focus();
}

on("login", async ({ name, password }) => {
  await api("POST", "/session", { name, password });
});
on("password", async (fields) => {
  await api("PUT", "/me/password", { old: fields["old"], new: fields["new"] });
});
