/** Times that grow old on the page: "3 min ago" is brought up to date by one timer for all. */

import { h, setAttribute, setText } from "./dom.js";
import { ago, dateTime } from "./format.js";

const EVERY_MS = 1000;

/** A `<time>` that says how long ago it was; its title says when exactly. */
export function timeAgo(iso) {
  const node = h("time", { "data-ago": "" });
  setTime(node, iso);
  return node;
}

/** Show another time in a `<time>` of timeAgo; null empties it. */
export function setTime(node, iso) {
  setAttribute(node, "datetime", iso);
  setAttribute(node, "title", iso && dateTime(iso));
  setText(node, iso ? ago(iso) : "");
}

/** Keep all of them up to date while the page is seen. */
export function startClock() {
  setInterval(() => {
    if (document.hidden) return;
    for (const node of document.querySelectorAll("time[data-ago][datetime]")) {
      setText(node, ago(node.getAttribute("datetime")));
    }
  }, EVERY_MS);
}
