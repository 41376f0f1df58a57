// What every page can do: change the language and the theme, and log out.
import { api, page } from "./parts/talking";

const YEAR = 31536000;

function keep(name: string, value: string): void {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${name}=${value}; Path=/; Max-Age=${YEAR}; SameSite=Strict${secure}`;
  location.reload();
}

for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-language]"))
  button.addEventListener("click", () => keep("diascope-language", button.dataset["language"] ?? "en"));

for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-theme-to]"))
  button.addEventListener("click", () => keep("diascope-theme", button.dataset["themeTo"] ?? "dark"));

document.querySelector("button[data-logout]")?.addEventListener("click", async () => {
  if (page.csrf) await api("DELETE", "/session");
  location.assign("/");
});
