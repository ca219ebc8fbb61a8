// @ts-check

/** The configuration in force, as text that balancer.yaml takes. */

import { fetchJson, Problem } from "./api.js";
import { byId, byIdAs, setText } from "./dom.js";

export function createConfigView() {
  const dialog = byIdAs("config-view", HTMLDialogElement);
  const text = byId("config-text");
  const copy = byIdAs("config-copy", HTMLButtonElement);
  byId("config-close").addEventListener("click", () => dialog.close());
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent ?? "");
      setText(copy, "Copied");
    } catch {
      // Without HTTPS a browser may refuse; the text can be marked by hand.
      getSelection()?.selectAllChildren(text);
    }
  });
  return {
    async open() {
      setText(text, "…");
      setText(copy, "Copy");
      dialog.showModal();
      try {
        setText(text, yamlOf(await fetchJson("config")));
      } catch (error) {
        setText(text, error instanceof Problem ? error.message : String(error));
      }
    },
  };
}

/**
 * Plain data as YAML: maps and lists of maps in blocks, everything else as JSON, which YAML reads as it is.
 *
 * @param {unknown} value
 * @param {string} indent
 * @return {string}
 */
export function yamlOf(value, indent = "") {
  if (Array.isArray(value)) {
    return value.map((it) => `${indent}- ${yamlOf(it, `${indent}  `).trimStart()}`).join("");
  }
  if (typeof value !== "object" || value === null) return `${indent}${plain(value)}\n`;
  return Object.entries(value).map(([key, it]) => {
    const isBlock = typeof it === "object" && it !== null && Object.keys(it).length > 0;
    return `${indent}${plain(key)}:${isBlock ? `\n${yamlOf(it, `${indent}  `)}` : ` ${plain(it)}\n`}`;
  }).join("");
}

/** A word, or a duration. */
const PLAIN = /^(?:[A-Za-z][\w.\/-]*|(?:\d+(?:ms|[smh]))+)$/;

/** @param {unknown} value */
function plain(value) {
  const text = JSON.stringify(value);
  return typeof value === "string" && PLAIN.test(value) && !/^(true|false|null)$/i.test(value) ? value : text;
}
