/** The list of files: live, filtered, paged by key. All of its state stands in the address. */

import { announce } from "../announce.js";
import { throttled } from "../batch.js";
import { Keyed, copyable, h, setAttribute, setChildren, setText } from "../dom.js";
import { PHASES } from "../file_words.js";
import { count, number } from "../format.js";
import { filesHash } from "../router.js";
import { FileTable } from "../table.js";
import { chip, filterForm, matches, readFilters, requestOf } from "./filters.js";

const PER_PAGE = 50;
const AGAIN_MS = 2000;
/** What `why` says grows old ("in 5 s"); while something is under way the page is asked for again. */
const AGES_AFTER_MS = 15_000;
const ALWAYS = ["queued", "running", "failed", "done"];
const EXAMPLE = `insert into locaria.files (attributes)
values ('{"path": "/data/airports.csv", "table": "airports"}')
returning id;`;

/** @returns {import("../app.js").Page} */
export function filesPage(app, route) {
  let filters = readFilters(route.query);
  let next = null;
  let loading = 0;
  /** New files that are held back while somebody reads the list. */
  let held = new Map();
  /** What was pushed while an answer is under way, by id; null: none is. */
  let arrived = null;
  const table = new FileTable(app, "Files, newest first");
  const chipBar = h("nav", { class: "chips", "aria-label": "Filter by phase" });
  const chips = new Keyed(chipBar, chip);
  const form = filterForm(() => filters);
  const more = h("button", { type: "button", class: "fresh", hidden: true, onclick: showHeld });
  const older = h("a", { rel: "next" }, "Older →");
  const newer = h("a", { rel: "prev" }, "← Newer");
  const newest = h("a", {}, "Newest");
  const pages = h("nav", { class: "pages", "aria-label": "Pages of the list" }, newest, newer, older);
  const empty = h("div", { hidden: true });
  const node = h(
    "div",
    { "aria-busy": "true" },
    h("h1", {}, "Files"),
    chipBar,
    form.node,
    more,
    table.node,
    empty,
    pages,
  );
  const countAgain = throttled(() => app.refresh(loadCounts), AGAIN_MS);
  const loadAgain = throttled(() => app.refresh(loadFiles), AGAIN_MS);
  const ageing = setInterval(() => {
    const moving = table.files.some((file) => !["done", "failed", "cancelled", "deleted"].includes(file.phase));
    if (moving && !document.hidden) loadAgain();
  }, AGES_AFTER_MS);

  const isNewest = () => !filters.after && !filters.before;

  async function loadFiles() {
    loading += 1;
    const turn = loading;
    let meanwhile = null;
    arrived = new Map();
    const reply = await app.request("get_files", { limit: PER_PAGE, ...requestOf(filters) }).finally(() => {
      if (turn === loading) [meanwhile, arrived] = [arrived, null];
    });
    if (turn !== loading) return; // Asked again meanwhile, perhaps with another filter.
    next = reply.next ?? null;
    held = new Map();
    table.replace(reply.files);
    form.offer({ statuses: reply.files.map((file) => file.status) });
    // What was pushed meanwhile may be newer than the answer.
    const shown = new Map(reply.files.map((file) => [file.container_id, file]));
    for (const [id, event] of meanwhile) {
      if (!(event.file.last_update < shown.get(id)?.last_update)) place(event.file);
    }
    finish();
  }

  async function loadCounts() {
    const { phases, containers } = await app.request("get_overview");
    counted = phases;
    showChips(phases);
    form.offer({ containers: containers.map((container) => container.name) });
  }

  /** Put a changed file where it belongs: its row, a new row, or nowhere. */
  function place(file) {
    const id = file.container_id;
    const wanted = matches(filters, file);
    if (table.has(id)) {
      if (wanted) table.put(file);
      else table.dismiss(file);
    } else if (wanted && isNewest() && (table.size < PER_PAGE || id > table.ids.at(-1))) {
      if (isRead(id)) held.set(id, file);
      else table.put(file);
    }
  }

  /** Would a new row on top move what somebody is reading? */
  function isRead(id) {
    return table.size > 0 && id > table.ids[0] && (scrollY > 200 || table.hasFocus);
  }

  function showHeld() {
    for (const file of held.values()) table.put(file);
    held.clear();
    scrollTo(0, 0);
    finish();
    document.getElementById("main").focus({ preventScroll: true });
  }

  function changed(files, tooMany) {
    if (tooMany) loadAgain();
    const before = new Map(table.files.map((file) => [file.container_id, file.phase]));
    // The newest are enough: older ones than a page holds would be trimmed at once.
    const events = [...files].sort(([a], [b]) => b - a);
    let unknown = 0;
    for (const [id, event] of events) {
      arrived?.set(id, event);
      if (table.has(id) || (unknown += 1) <= PER_PAGE) place(event.file);
      const { phase } = event.file;
      if (before.has(id) && before.get(id) !== phase) announce(`File ${id}: ${phase}`);
    }
    finish();
    countAgain();
  }

  function finish() {
    if (table.size > PER_PAGE && isNewest()) {
      table.trim(PER_PAGE);
      next = table.ids.at(-1);
    }
    setAttribute(node, "aria-busy", null);
    setAttribute(more, "hidden", held.size === 0);
    setText(more, `Show ${count(held.size, "new file")}`);
    setAttribute(table.node, "hidden", table.size === 0);
    setAttribute(empty, "hidden", table.size > 0);
    if (table.size === 0) setChildren(empty, ...emptyState(filters));
    const own = { ...filters, after: null, before: null };
    setAttribute(newest, "href", filesHash(own));
    setAttribute(newest, "hidden", isNewest());
    setAttribute(newer, "href", filesHash({ ...own, before: table.ids[0] }));
    setAttribute(newer, "hidden", isNewest() || table.size === 0);
    setAttribute(older, "href", filesHash({ ...own, after: next }));
    setAttribute(older, "hidden", next === null);
  }

  function showChips(phases) {
    const own = { ...filters, after: null, before: null, status: null };
    const names = Object.keys(PHASES).filter((p) => ALWAYS.includes(p) || phases[p] > 0 || p === filters.phase);
    const item = (phase, files) => ({
      href: filesHash({ ...own, phase }),
      isCurrent: (filters.phase ?? "") === phase,
      files: files == null ? "" : number(files),
    });
    chips.show([["", item("")], ...names.map((phase) => [phase, item(phase, phases[phase])])]);
  }

  let counted = {};
  showChips({});
  return {
    node,
    title: "Files",
    follows: null,
    changed,
    load: () => Promise.all([loadFiles(), loadCounts()]),
    update(changedRoute) {
      filters = readFilters(changedRoute.query);
      form.show(filters);
      showChips(counted);
      return true;
    },
    close() {
      clearInterval(ageing);
      countAgain.stop();
      loadAgain.stop();
    },
  };
}

function emptyState(filters) {
  const own = Object.entries(filters).filter(([, value]) => value);
  if (own.length > 0) {
    const words = own.map(([name, value]) => `${name === "with" ? "attribute" : name} ${value}`).join(", ");
    const text = h("p", {}, "Nothing matches ", h("bdi", {}, words), ".");
    return [
      h(
        "div",
        { class: "empty" },
        h("h2", {}, "No matching files"),
        text,
        h("p", {}, h("a", { href: "#/files" }, "Show all files")),
      ),
    ];
  }
  return [emptyQueue()];
}

/** What to do when there are no files at all. */
export function emptyQueue() {
  return h(
    "div",
    { class: "empty" },
    h("h2", {}, "No files yet"),
    h("p", {}, "Insert a row, and a container loads the data that it names. The file appears here immediately."),
    copyable(EXAMPLE),
    h("p", {}, "Or use the form: ", h("a", { href: "#/submit" }, "submit a file"), "."),
  );
}
