/** Telling people what changed: a message in the corner, and the same to a screen reader. */

import { h, setChildren } from "./dom.js";

const STAYS_MS = 6000;
const GATHER_MS = 1500;
const MOST = 3;

let gathered = [];
let timer = 0;

/** Say something to a screen reader; what comes quickly one after another is said together. */
export function announce(text) {
  gathered.push(text);
  if (timer) return;
  timer = setTimeout(() => {
    const more = gathered.length - MOST;
    const words = gathered.slice(-MOST).join(". ");
    document.getElementById("announcer").textContent = more > 0 ? `${more} more changes. ${words}` : words;
    gathered = [];
    timer = 0;
  }, GATHER_MS);
}

/**
 * Show the outcome of an action; once, while it is shown.
 * @param {string} text
 * @param {"good"|"bad"} kind bad ones stay until they are closed.
 */
export function toast(text, kind = "good") {
  const said = [...document.querySelectorAll(".toast p")].some((known) => known.textContent === text);
  if (said) return;
  const close = h("button", { type: "button", class: "quiet small", "aria-label": "Dismiss the message" }, "×");
  const node = h("div", { class: "toast", "data-kind": kind, role: kind === "bad" ? "alert" : "status" });
  close.addEventListener("click", () => node.remove());
  document.getElementById("toasts").append(node);
  // Filled after it is in the document: an empty live region that gets its text is what is read out.
  requestAnimationFrame(() => setChildren(node, h("p", {}, text), close));
  if (kind === "good") setTimeout(() => node.matches(":hover, :focus-within") || node.remove(), STAYS_MS);
}
