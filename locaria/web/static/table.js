/** Rows of files: made once per file, patched when it changes, never rendered anew as a whole. */

import { actionButton } from "./actions.js";
import { setTime, timeAgo } from "./clock.js";
import { h, setAttribute, setText } from "./dom.js";
import { amount, hasBar, percentOf, sentence, titleOf } from "./file_words.js";
import { number, visible } from "./format.js";
import { fileHash } from "./router.js";

/** How long a row stays that the filter no longer wants, so that one sees what became of it. */
const LEAVES_MS = 2500;

export class FileTable {
  /** Rows by id, newest first as in the document. */
  #rows = new Map();
  #body;
  #app;

  /**
   * @param {import("./app.js").App} app
   * @param {string} caption for who can't see the table.
   */
  constructor(app, caption) {
    this.#app = app;
    this.#body = h("tbody", { role: "rowgroup" });
    const heads = ["File", "What", "State", "Why", "Changed", ""];
    // Roles are named since CSS makes other boxes of the rows on a narrow screen, which hides what they are.
    this.node = h(
      "table",
      { class: "files", role: "table" },
      h("caption", { class: "unseen" }, caption),
      h(
        "thead",
        { role: "rowgroup" },
        h(
          "tr",
          { role: "row" },
          heads.map((head) =>
            h("th", { role: "columnheader", scope: "col" }, head || h("span", { class: "unseen" }, "Actions")),
          ),
        ),
      ),
      this.#body,
    );
  }

  get size() {
    return this.#rows.size;
  }

  has(id) {
    return this.#rows.has(id);
  }

  /** The ids that are shown, newest first. */
  get ids() {
    return [...this.#rows.keys()].sort((a, b) => b - a);
  }

  get files() {
    return [...this.#rows.values()].map((row) => row.file);
  }

  /** Is somebody at one of the rows just now? */
  get hasFocus() {
    return this.#body.contains(document.activeElement);
  }

  /** Show exactly these files, newest first; rows that stay are patched. */
  replace(files) {
    const wanted = new Set(files.map((file) => file.container_id));
    for (const id of [...this.#rows.keys()]) if (!wanted.has(id)) this.remove(id);
    for (const file of files) this.put(file);
  }

  /** Add a file, or patch its row. */
  put(file) {
    const id = file.container_id;
    const known = this.#rows.get(id);
    if (known) {
      known.show(file);
      return;
    }
    const row = this.#makeRow(file);
    this.#rows.set(id, row);
    let below = this.#body.firstElementChild;
    while (below && Number(below.dataset.id) > id) below = below.nextElementSibling;
    this.#body.insertBefore(row.node, below);
  }

  /** Patch a row that no longer belongs here, and take it away when nobody is at it. */
  dismiss(file) {
    const row = this.#rows.get(file.container_id);
    row.show(file);
    if (row.leaving) return;
    row.leaving = true;
    row.node.classList.add("leaving");
    const leave = () => {
      if (!row.leaving || this.#rows.get(file.container_id) !== row) return;
      if (row.node.contains(document.activeElement)) setTimeout(leave, LEAVES_MS);
      else this.remove(file.container_id);
    };
    setTimeout(leave, LEAVES_MS);
  }

  remove(id) {
    this.#rows.get(id).node.remove();
    this.#rows.delete(id);
  }

  /** Forget the oldest rows beyond a number of rows. */
  trim(most) {
    for (const id of this.ids.slice(most)) this.remove(id);
  }

  #makeRow(file) {
    const id = file.container_id;
    const title = h("a", { class: "title", href: fileHash(id) });
    const container = h("span", { class: "container-name" });
    const badge = h("span", { class: "badge" });
    const bar = h("progress", { max: "100", "aria-label": `Progress of file ${id}` });
    const share = h("span", { class: "share" });
    const rows = h("span", { class: "amount" });
    const meter = h("div", { class: "meter" }, bar, share, rows);
    const why = h("bdi", { class: "why" });
    const time = timeAgo(null);
    const button = actionButton(this.#app, "small", (now) => now.phase !== "done");
    const node = h(
      "tr",
      { role: "row", "data-id": id },
      cell("id", number(id)),
      cell("what", h("bdi", {}, title), container),
      cell("state", badge),
      cell("progress", meter, why),
      cell("when", time),
      cell("act", button),
    );
    const row = { node, file, leaving: false, show };
    function show(now) {
      row.file = now;
      row.leaving = false;
      node.classList.remove("leaving");
      setAttribute(node, "data-phase", now.phase);
      setText(title, titleOf(now));
      setText(container, visible(now.container ?? "", 60));
      setText(badge, now.phase);
      showBar(bar, now);
      setAttribute(meter, "hidden", !hasBar(now));
      setText(share, percentOf(now));
      setText(rows, amount(now) ?? "");
      setText(why, sentence(now));
      setTime(time, now.finished ?? now.last_update ?? now.created);
      button.show(now);
    }
    show(file);
    return row;
  }
}

function cell(name, ...children) {
  return h("td", { role: "cell", class: name }, ...children);
}

/** A bar without a value says: at work, nobody knows how far. */
export function showBar(bar, file) {
  setAttribute(bar, "value", file.progress == null ? null : Math.max(0, Math.min(100, file.progress)));
  setAttribute(bar, "aria-valuetext", file.progress == null ? "running" : percentOf(file));
}
