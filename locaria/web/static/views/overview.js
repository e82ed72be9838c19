/** How Locaria is: what is under way, the last hour, each container, and what is not well. */

import { throttled } from "../batch.js";
import { HourChart } from "../chart.js";
import { Keyed, copyable, h, said, setAttribute, setChildren, setText } from "../dom.js";
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
  const tiles = new Keyed(numbers, tile);
  const health = h("section", { class: "health" });
  const chart = new HourChart();
  const cardList = h("ul", { class: "cards" });
  const cards = new Keyed(cardList, card);
  const table = new FileTable(app, "The latest files");
  const latest = h(
    "section",
    {},
    h("div", { class: "bar" }, h("h2", {}, "Latest files"), h("a", { href: "#/files" }, "All files")),
    table.node,
  );
  const empty = h("div", { hidden: true }, emptyQueue());
  const node = h(
    "div",
    { class: "overview", "aria-busy": "true" },
    h("h1", {}, "Overview"),
    numbers,
    health,
    empty,
    latest,
    h("section", {}, h("h2", {}, "Last hour"), chart.node),
    h("section", {}, h("h2", {}, "Containers"), cardList),
  );
  const again = throttled(() => app.refresh(loadNumbers), AGAIN_MS);
  let descriptions = new Map();
  const latestAgain = throttled(() => app.refresh(loadLatest), AGAIN_MS);
  const timer = setInterval(() => document.hidden || again(), AT_LEAST_MS);

  async function loadDescriptions() {
    const { containers } = await app.request("get_containers");
    descriptions = new Map(containers.map((container) => [container.name, container.description]));
  }

  async function loadNumbers() {
    const overview = await app.request("get_overview");
    showTiles(tiles, overview.phases ?? {});
    showHealth(health, overview.health ?? []);
    chart.show(overview.throughput ?? []);
    showCards(cards, overview.containers ?? [], descriptions);
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
    load: async () => {
      await loadDescriptions();
      await Promise.all([loadNumbers(), loadLatest()]);
    },
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

function showTiles(tiles, phases) {
  const names = Object.keys(PHASES).filter(
    (phase) => ALWAYS.includes(phase) || (phases[phase] > 0 && phase !== "deleted"),
  );
  tiles.show(names.map((phase) => [phase, phases[phase] ?? 0]));
}

/** A phase, with how many files are in it. */
function tile(phase) {
  const files = h("strong", {});
  const props = { href: filesHash({ phase }), "data-phase": phase, title: PHASES[phase] };
  const item = h("li", {}, h("a", props, files, h("span", {}, phase)));
  item.show = (n) => setText(files, number(n));
  return item;
}

function showHealth(section, checks) {
  const rank = { crit: 0, warn: 1 };
  const findings = checks.filter((check) => check.level in rank).sort((a, b) => rank[a.level] - rank[b.level]);
  const key = JSON.stringify(findings.length ? findings : checks.length);
  if (section.dataset.shown === key) return;
  section.dataset.shown = key;
  if (findings.length === 0) {
    setChildren(section, h("p", { class: "well" }, `Healthy: ${count(checks.length, "check")} passed.`));
    return;
  }
  setChildren(section, h("h2", {}, "Health"), h("ul", { class: "findings" }, findings.map(finding)));
}

function finding(check) {
  const level = check.level === "crit" ? "critical" : "warning";
  return h(
    "li",
    { "data-level": check.level },
    h(
      "p",
      {},
      h("span", { class: "badge" }, level),
      h("strong", {}, said(check.check)),
      " ",
      said(visible(check.value ?? "", 400)),
    ),
    h("p", { class: "hint" }, said(visible(check.advice ?? "", 600))),
    check.fix_sql && copyable(check.fix_sql),
  );
}

function showCards(cards, known, descriptions) {
  cards.show(
    known.map((container) => [container.name, { ...container, description: descriptions.get(container.name) }]),
  );
}

/** A container: what waits for it, and what is alive. */
function card(name) {
  const type = h("span", { class: "kind" });
  const paused = h("span", { class: "badge", "data-phase": "held" }, "paused");
  const pausedBy = h("bdi", { class: "hint" });
  const description = h("bdi", { class: "hint" });
  const error = h("bdi", { class: "card-error" });
  const facts = new Map(["waiting", "running", "live tasks", "idle"].map((label) => [label, h("dd", {})]));
  const item = h(
    "li",
    { class: "card" },
    h("p", { class: "card-head" }, h("a", { href: filesHash({ container: name }) }, said(name)), type, paused),
    pausedBy,
    description,
    h(
      "dl",
      { class: "facts-row" },
      [...facts].map(([label, value]) => h("div", {}, h("dt", {}, label), value)),
    ),
    error,
    h("p", { class: "card-foot" }, h("a", { href: submitHash(name) }, "Submit a file")),
  );
  item.show = (container) => {
    setText(type, container.type);
    setAttribute(paused, "hidden", !container.paused);
    const why = container.paused_why ? `: ${container.paused_why}` : "";
    setText(pausedBy, container.paused_by ? visible(`paused by ${container.paused_by}${why}`, 300) : "");
    setText(description, visible(container.description ?? "", 300));
    setText(error, visible(container.error ?? "", 300));
    const alive = `${number(container.living)} of ${number(container.max_tasks)}`;
    const values = [number(container.waiting), number(container.running), alive, number(container.idle)];
    [...facts.values()].forEach((value, index) => setText(value, values[index]));
  };
  return item;
}
