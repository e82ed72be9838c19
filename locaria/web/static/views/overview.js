/** How Locaria is: what is under way, the last hour, each container, and what is not well. */

import { throttled } from "../batch.js";
import { HourChart } from "../chart.js";
import { copyable, h, said, setAttribute, setChildren } from "../dom.js";
import { PHASES } from "../file_words.js";
import { count, number, visible } from "../format.js";
import { filesHash, submitHash } from "../router.js";
import { FileTable } from "../table.js";
import { emptyQueue } from "./files.js";

const AGAIN_MS = 2000;
/** Without any change: minutes pass, and the queue grows older. */
const AT_LEAST_MS = 30_000;
const LATEST = 6;
const ALWAYS = ["queued", "running", "failed", "done"];

/** @returns {import("../app.js").Page} */
export function overviewPage(app) {
  const numbers = h("ul", { class: "tiles" });
  const health = h("section", { class: "health" });
  const chart = new HourChart();
  const cards = h("ul", { class: "cards" });
  const table = new FileTable(app, "The latest files");
  const latest = h("section", {}, h("div", { class: "bar" }, h("h2", {}, "Latest files"), h("a", { href: "#/files" }, "All files")), table.node);
  const empty = h("div", { hidden: true }, emptyQueue());
  const node = h(
    "div",
    { class: "overview", "aria-busy": "true" },
    h("h1", {}, "Overview"),
    numbers,
    health,
    empty,
    latest,
    h("section", {}, h("h2", {}, "The last hour"), chart.node),
    h("section", {}, h("h2", {}, "Containers"), cards),
  );
  const again = throttled(() => app.isConnected && loadNumbers().catch(() => {}), AGAIN_MS);
  const latestAgain = throttled(() => app.isConnected && loadLatest().catch(() => {}), AGAIN_MS);
  const timer = setInterval(() => document.hidden || again(), AT_LEAST_MS);

  async function loadNumbers() {
    const overview = await app.request("get_overview");
    showTiles(numbers, overview.phases ?? {});
    showHealth(health, overview.health ?? []);
    chart.show(overview.throughput ?? []);
    showCards(cards, overview.containers ?? [], overview.phases ?? {});
    setAttribute(node, "aria-busy", null);
  }

  async function loadLatest() {
    const reply = await app.request("get_files", { limit: LATEST });
    table.replace(reply.files);
    showEmpty();
  }

  function showEmpty() {
    setAttribute(latest, "hidden", table.size === 0);
    setAttribute(empty, "hidden", table.size > 0);
  }

  return {
    node,
    title: "Overview",
    follows: null,
    load: () => Promise.all([loadNumbers(), loadLatest()]),
    changed(files, tooMany) {
      if (tooMany) latestAgain();
      const newest = [...files.keys()].sort((a, b) => b - a).slice(0, LATEST);
      for (const [id, event] of files) {
        if (table.has(id) || newest.includes(id)) table.put(event.file);
      }
      table.trim(LATEST);
      showEmpty();
      again();
    },
    close() {
      clearInterval(timer);
      again.stop();
      latestAgain.stop();
    },
  };
}

function showTiles(list, phases) {
  const names = Object.keys(PHASES).filter((phase) => ALWAYS.includes(phase) || (phases[phase] > 0 && phase !== "deleted"));
  const focused = document.activeElement?.closest?.(".tiles a")?.getAttribute("href");
  setChildren(
    list,
    names.map((phase) => {
      const props = { href: filesHash({ phase }), "data-phase": phase, title: PHASES[phase] };
      return h("li", {}, h("a", props, h("strong", {}, number(phases[phase] ?? 0)), h("span", {}, phase)));
    }),
  );
  if (focused) list.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
}

function showHealth(section, checks) {
  const rank = { crit: 0, warn: 1 };
  const findings = checks.filter((check) => check.level in rank).sort((a, b) => rank[a.level] - rank[b.level]);
  const key = JSON.stringify(findings.length ? findings : checks.length);
  if (section.dataset.shown === key) return;
  section.dataset.shown = key;
  if (findings.length === 0) {
    setChildren(section, h("p", { class: "well" }, `All well: ${count(checks.length, "check")}, nothing found.`));
    return;
  }
  setChildren(section, h("h2", {}, "Health"), h("ul", { class: "findings" }, findings.map(finding)));
}

function finding(check) {
  const level = check.level === "crit" ? "broken" : "warning";
  return h(
    "li",
    { "data-level": check.level },
    h("p", {}, h("span", { class: "badge" }, level), h("strong", {}, said(check.check)), " ", said(visible(check.value ?? "", 400))),
    h("p", { class: "hint" }, said(visible(check.advice ?? "", 600))),
    check.fix_sql && copyable(check.fix_sql),
  );
}

function showCards(list, containers) {
  const key = JSON.stringify(containers);
  if (list.dataset.shown === key) return;
  list.dataset.shown = key;
  const focused = document.activeElement?.closest?.(".cards a")?.getAttribute("href");
  setChildren(list, containers.map(card));
  if (focused) list.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  if (containers.length === 0) setChildren(list, h("li", { class: "card" }, "No container is registered."));
}

function card(container) {
  const { name, type, description, paused, error, waiting = 0, running = 0, living = 0, idle = 0 } = container;
  const fact = (label, value) => value != null && h("div", {}, h("dt", {}, label), h("dd", {}, value));
  const most = container.max_tasks == null ? "" : ` of ${number(container.max_tasks)}`;
  return h(
    "li",
    { class: "card" },
    h(
      "p",
      { class: "card-head" },
      h("a", { href: filesHash({ container: name }) }, said(name)),
      h("span", { class: "kind" }, type),
      paused && h("span", { class: "badge", "data-phase": "held" }, "paused"),
    ),
    description && h("p", { class: "hint" }, said(visible(description, 300))),
    h(
      "dl",
      { class: "facts-row" },
      fact("waiting", number(waiting)),
      fact("running", number(running)),
      fact("tasks alive", `${number(living)}${most}`),
      fact("idle", number(idle)),
    ),
    error && h("p", { class: "card-error" }, said(visible(error, 300))),
    h("p", { class: "card-foot" }, h("a", { href: submitHash(name) }, "Submit to it")),
  );
}
