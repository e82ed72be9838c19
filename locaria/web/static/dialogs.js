/** Questions within the page. `<dialog>` keeps the focus inside, closes on Esc and gives the focus back. */

import { h } from "./dom.js";

/**
 * Ask before something is done.
 * @param {{title: string, text: string, yes: string, no?: string, danger?: boolean, field?: string}} question
 *   `field`: label of a line that may be written along.
 * @returns {Promise<string|null>} what was written (or ""), null if not wanted.
 */
export function confirmAction({ title, text, yes, no = "Go back", danger = false, field = null }) {
  const input = field && h("input", { id: "dialog-field", autocomplete: "off", maxlength: "500" });
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", { id: "dialog-title" }, title),
    h("p", { id: "dialog-text" }, text),
    input && h("label", { for: "dialog-field" }, field),
    input,
    h(
      "div",
      { class: "buttons" },
      h("button", { value: "yes", class: danger ? "danger" : "primary" }, yes),
      h("button", { value: "no", type: "submit" }, no),
    ),
  );
  return show(form, (value) => (value === "yes" ? (input?.value.trim() ?? "") : null));
}

/**
 * Ask for the token of an identity.
 * @returns {Promise<string|null>} the token, null when put off.
 */
export function askToken(reason) {
  const input = h("input", {
    id: "token",
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    required: true,
  });
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", { id: "dialog-title" }, "Sign in"),
    h("p", { id: "dialog-text" }, reason || "This server requires authentication. Paste your access token."),
    h("label", { for: "token" }, "Token"),
    input,
    h("p", { class: "hint" }, "The token is kept only in this page’s memory, and is lost when you close or reload the page."),
    h(
      "div",
      { class: "buttons" },
      h("button", { value: "yes", class: "primary" }, "Sign in"),
      h("button", { value: "no", type: "submit", formnovalidate: true }, "Not now"),
    ),
  );
  return show(form, (value) => (value === "yes" ? input.value.trim() : null));
}

function show(form, answer) {
  const dialog = h("dialog", { "aria-labelledby": "dialog-title", "aria-describedby": "dialog-text" }, form);
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer(dialog.returnValue));
    });
    dialog.showModal();
  });
}
