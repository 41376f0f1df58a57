// Builds the static files of the reading room into the Python package; `make web` calls it.
import { readdirSync } from "node:fs";
import { defineConfig } from "vite";

const pages = readdirSync(new URL("./pages", import.meta.url))
  .filter((name) => name.endsWith(".ts"))
  .map((name) => `pages/${name}`);

export default defineConfig({
  base: "/static/",
  publicDir: false,
  build: {
    outDir: "../src/diascope/serve/room/static",
    emptyOutDir: true,
    manifest: "manifest.json",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    chunkSizeWarningLimit: 4000,
    rollupOptions: { input: [...pages, "style/room.css"] },
  },
  worker: { format: "es" },
});
