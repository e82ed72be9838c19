/** What a file is called and how its state reads: the words of the list and of a file's page. */

import { bytes, count, duration, number, percent, visible } from "./format.js";

/** Phases as the view `status` has them, each with what it means to a reader. */
export const PHASES = {
  queued: "waiting for a task",
  scheduled: "waiting for its scheduled time",
  held: "on hold until it is released",
  dispatched: "a task has been requested",
  starting: "a task is starting",
  running: "a task is processing it",
  retrying: "an attempt failed; it will be retried automatically",
  done: "finished successfully",
  failed: "failed with an error",
  cancelled: "cancelled by a user",
  deleted: "marked as deleted",
};

const AT_REST = new Set(["done", "failed", "cancelled", "deleted"]);
const NAMING = ["path", "url", "name", "data_set", "command", "bundle", "query"];

/** Whether something is still to come. */
export const isActive = (file) => !AT_REST.has(file.phase);

/** Whether it can be run again. */
export const canRetry = (file) => ["done", "failed", "cancelled"].includes(file.phase);

/** A short name for a person, out of the attributes: "airports.csv → airports". */
export function titleOf(file) {
  const attributes = { ...file.attributes, ...asObject(file.attributes?.parameters) };
  const key = NAMING.find((name) => isText(attributes[name]));
  const target = isText(attributes.table) ? attributes.table : null;
  const what = key
    ? lastPart(attributes[key], key)
    : Object.values(attributes).find((value) => isText(value) && value !== target);
  return visible([what, target].filter(Boolean).join(" → ") || file.container || "file", 200);
}

const asObject = (value) => (value && typeof value === "object" ? value : {});
const isText = (value) => typeof value === "string" && value.trim() !== "";

function lastPart(text, key) {
  if (key !== "path" && key !== "url") return text;
  return (
    text
      .replace(/[?#].*$/s, "")
      .replace(/\/+$/, "")
      .split("/")
      .pop() || text
  );
}

/** Why is it not done, or what came of it: one sentence. */
export function sentence(file) {
  if (file.phase === "done") return visible([amount(file), took(file)].filter(Boolean).join(" in ") || "done", 300);
  if (file.phase === "failed") return visible(file.last_error || file.why || "failed", 300);
  if (file.phase === "running" && file.endpoint) {
    const doing = file.command ? `executing ${file.command}` : "listening";
    return visible(`${doing}, ${file.endpoint}`, 300);
  }
  return visible(file.why ?? "", 300);
}

/** "1,200 of 4,000 rows", "10.6 MB", or null when nothing was counted. */
export function amount(file) {
  if (file.rows_done != null) {
    const unit = file.unit && file.unit !== "rows" ? file.unit : null;
    const total = file.rows_total > file.rows_done ? `${number(file.rows_done)} of ` : "";
    const n = file.rows_total > file.rows_done ? file.rows_total : file.rows_done;
    return total + (unit ? `${number(n)} ${unit}` : count(n, "row"));
  }
  if (file.bytes_done != null) {
    return file.bytes_total ? `${bytes(file.bytes_done)} of ${bytes(file.bytes_total)}` : bytes(file.bytes_done);
  }
  return null;
}

function took(file) {
  return file.started && file.finished && duration((new Date(file.finished) - new Date(file.started)) / 1000);
}

/** "42 %", or empty. */
export const percentOf = (file) => (file.progress == null ? "" : percent(file.progress));

/** Is a progress bar of any use? A listener that waits for commands has nothing to get done. */
export const hasBar = (file) =>
  (file.phase === "running" && (!file.endpoint || file.command != null)) || (file.phase === "retrying" && file.progress > 0);
