/** One file: how far it is, what it says, how each attempt went, what happened to it and when. */

import { announce } from "../announce.js";
import { actionButton } from "../actions.js";
import { logs, throttled } from "../batch.js";
import { timeAgo } from "../clock.js";
import { h, said, setAttribute, setChildren, setText } from "../dom.js";
import { PHASES, amount, hasBar, isActive, percentOf, sentence, titleOf } from "../file_words.js";
import { bytes, count, dateTime, duration, number, timeOfDay, visible } from "../format.js";
import { LogBox } from "../log.js";
import { filesHash } from "../router.js";
import { ApiError } from "../socket.js";
import { showBar } from "../table.js";

const AGAIN_MS = 1000;
const AGES_AFTER_MS = 10_000;

/** @returns {import("../app.js").Page} */
export function filePage(app, route) {
  const id = Number(route.id);
  let file = null;
  let seen = "";
  let isClosed = false;
  let isLoaded = false;
  /** Messages that were pushed before the first answer, which has them to the microsecond. */
  const early = [];
  const heading = h("h1", {}, `File ${route.id}`);
  const subtitle = h("p", { class: "subtitle" });
  const badge = h("span", { class: "badge" });
  const why = h("bdi", { class: "why" });
  const bar = h("progress", { max: "100", "aria-label": "Progress" });
  const share = h("span", { class: "share" });
  const pace = h("span", { class: "amount" });
  const meter = h("div", { class: "meter big" }, bar, share, pace);
  const button = actionButton(app);
  const error = h("div", { class: "error-box", hidden: true });
  const facts = h("dl", { class: "facts" });
  const log = new LogBox();
  const runs = h("section", {});
  const timeline = h("section", {});
  const attributes = h("section", {});
  const node = h(
    "article",
    { class: "file", "aria-busy": "true" },
    h("p", { class: "crumb" }, h("a", { href: "#/files" }, "← Files")),
    h("div", { class: "title-row" }, h("div", {}, heading, subtitle), button),
    h("div", { class: "state-row" }, badge, why),
    meter,
    error,
    h(
      "div",
      { class: "columns" },
      h("div", {}, log.node, runs, timeline),
      h("aside", {}, h("h2", {}, "Facts"), facts, attributes),
    ),
  );
  const again = throttled(() => app.refresh(load), AGAIN_MS);
  const ageing = setInterval(() => file && isActive(file) && !document.hidden && again(), AGES_AFTER_MS);

  async function load() {
    let reply;
    try {
      reply = await app.request("get_file", { container_id: id });
    } catch (failure) {
      if (!(failure instanceof ApiError) || failure.code !== 404) throw failure;
      setChildren(node, ...notFound(route.id));
      setAttribute(node, "aria-busy", null);
      return;
    }
    if (isClosed) return;
    show(reply.file);
    log.add(reply.log_messages ?? []);
    log.add(early.splice(0));
    isLoaded = true;
    showRuns(runs, reply.runs ?? []);
    showTimeline(timeline, reply.timeline ?? []);
    setAttribute(node, "aria-busy", null);
  }

  function show(now) {
    if (file && file.phase !== now.phase) announce(`File ${id}: ${now.phase}. ${sentence(now)}`);
    file = now;
    const title = titleOf(now);
    setChildren(heading, said(title));
    setText(subtitle, `File ${number(id)}, ${visible(now.container ?? "", 60)}`);
    document.title = `${now.phase}: ${title} · Locaria`;
    setAttribute(node, "data-phase", now.phase);
    setText(badge, now.phase);
    setAttribute(badge, "title", PHASES[now.phase]);
    setText(
      why,
      now.phase === "failed" ? `after ${now.attempts} of ${count(now.max_attempts, "attempt")}` : sentence(now),
    );
    setAttribute(meter, "hidden", !hasBar(now));
    showBar(bar, now);
    setText(share, percentOf(now));
    setText(pace, paceOf(now));
    button.show(now);
    showError(error, now);
    showFacts(facts, now);
    const text = JSON.stringify(now.attributes ?? {}, null, 2);
    if (text !== seen) setChildren(attributes, h("h2", {}, "Attributes"), json(text));
    seen = text;
  }

  return {
    node,
    title: `File ${route.id}`,
    follows: id,
    load,
    changed(files, tooMany) {
      const event = files.get(id);
      if (tooMany || !file) again();
      if (!event) return;
      const before = file;
      show(event.file);
      if (!isLoaded) early.push(...logs(event));
      for (const message of isLoaded ? log.add(logs(event)) : []) {
        if (message.level === "error" || message.level === "warning") announce(visible(message.log ?? "", 200));
      }
      const steps = ["phase", "stage", "attempts", "finished", "command"];
      if (!before || steps.some((name) => before[name] !== event.file[name])) again();
    },
    close() {
      isClosed = true;
      clearInterval(ageing);
      again.stop();
    },
  };
}

function notFound(id) {
  return [
    h(
      "div",
      { class: "empty" },
      h("h1", {}, "There is no file ", said(visible(String(id), 40))),
      h("p", {}, "It may have been removed, or never existed."),
      h("p", {}, h("a", { href: "#/files" }, "All files")),
    ),
  ];
}

/** "1,200 of 4,000 rows, 350 a second, done in 8 s". */
function paceOf(file) {
  const rate = file.phase === "running" && file.rate_per_s > 0 && `${number(Math.round(file.rate_per_s))} a second`;
  const left = file.phase === "running" && file.eta && (new Date(file.eta) - Date.now()) / 1000;
  return [amount(file), rate, left > 0 && `about ${duration(left)} left`].filter(Boolean).join(", ");
}

function showError(box, file) {
  const failed = file.last_error && file.phase !== "done" && file.phase !== "cancelled";
  setAttribute(box, "hidden", !failed);
  const title = file.phase === "failed" ? "Error" : "Error of the previous attempt";
  if (failed) setChildren(box, h("h2", {}, title), h("p", {}, said(visible(file.last_error, 4000))));
}

function showFacts(list, file) {
  const time = (iso) => iso && [timeAgo(iso), h("small", {}, dateTime(iso))];
  const filter = (name) => h("a", { href: filesHash({ [name]: file[name] }) }, said(visible(file[name], 80)));
  const facts = [
    ["Container", file.container && filter("container")],
    ["Status", file.status && filter("status")],
    ["Code", file.code],
    ["Stage", file.stage],
    ["Endpoint", file.endpoint],
    ["Executing", file.command],
    ["Attempt", file.attempts != null && `${file.attempts} of ${file.max_attempts}`],
    ["Rows", file.rows_done != null && number(file.rows_done)],
    ["Bytes", file.bytes_done != null && bytes(file.bytes_done)],
    ["Priority", file.priority || null],
    ["Submitted by", file.submitted_by],
    ["Inserted", time(file.created)],
    ["Not before", isActive(file) && new Date(file.run_after) > new Date() && time(file.run_after)],
    ["Last update", time(file.last_update)],
    ["Finished", time(file.finished)],
    ["Last message", file.last_message],
  ];
  const wanted = facts.filter(([, value]) => value != null && value !== false && value !== "");
  const key = JSON.stringify(
    wanted.map(([name, value]) => [name, typeof value === "object" ? file.last_update : value]),
  );
  if (list.dataset.shown === key) return;
  list.dataset.shown = key;
  setChildren(
    list,
    wanted.map(([name, value]) => {
      const shown = typeof value === "string" ? said(visible(value, 500)) : value;
      return h("div", {}, h("dt", {}, name), h("dd", {}, shown));
    }),
  );
}

/** The attempts, newest first. */
function showRuns(section, runs) {
  const key = JSON.stringify(runs);
  if (section.dataset.shown === key) return;
  section.dataset.shown = key;
  setChildren(
    section,
    h("h2", {}, "Runs"),
    runs.length === 0 && h("p", { class: "hint" }, "No task has claimed this file yet."),
    h("ol", { class: "runs" }, [...runs].reverse().map(run)),
  );
}

function run(facts) {
  const outcome = facts.outcome ?? "running";
  const numbers = [
    facts.run_s != null && duration(facts.run_s),
    facts.rows_done != null && count(facts.rows_done, "row"),
    facts.rows_rejected > 0 && `${number(facts.rows_rejected)} rejected`,
    facts.exit_code != null && `exit code ${facts.exit_code}`,
    facts.stage && `stage ${facts.stage}`,
  ].filter(Boolean);
  const lines = [facts.error ?? facts.stopped_reason, facts.error_detail].filter(
    (text) => typeof text === "string" && text,
  );
  return h(
    "li",
    { "data-outcome": outcome },
    h(
      "p",
      {},
      h("strong", {}, `Attempt ${facts.attempt}`),
      h("span", { class: "badge" }, said(visible(outcome, 40))),
      facts.error_kind && h("span", { class: "kind" }, said(visible(facts.error_kind, 40))),
      h("span", { class: "numbers" }, said(visible(numbers.join(" · "), 300))),
    ),
    h(
      "p",
      { class: "hint" },
      "started ",
      facts.started_at && timeAgo(facts.started_at),
      facts.task_arn && [" by ", said(visible(shortArn(facts.task_arn), 80))],
    ),
    lines.map((text) => h("pre", { class: "said" }, said(visible(text, 4000)))),
    facts.result && result(facts.result),
  );
}

function result(facts) {
  const text = visible(JSON.stringify(facts, null, 2), 4000);
  return h("details", { class: "fold" }, h("summary", {}, "Result"), h("pre", { class: "said" }, said(text)));
}

const shortArn = (arn) => `task ${String(arn).split("/").pop().slice(0, 12)}`;

function showTimeline(section, entries) {
  const key = JSON.stringify(entries);
  if (section.dataset.shown === key) return;
  section.dataset.shown = key;
  const line = (entry) =>
    h(
      "li",
      {},
      h("time", { datetime: entry.at, title: dateTime(entry.at) }, timeOfDay(entry.at)),
      h("span", { class: "event" }, said(visible(entry.what ?? "", 80))),
      h("span", { class: "detail" }, said(visible(entry.detail ?? "", 600))),
    );
  setChildren(
    section,
    h("h2", {}, "Timeline"),
    h("ol", { class: "timeline", tabindex: "0", "aria-label": "Timeline" }, entries.slice(-300).map(line)),
  );
}

function json(text) {
  return h("pre", { class: "json", tabindex: "0", "aria-label": "Attributes" }, visible(text, 20000));
}
