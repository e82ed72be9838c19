/** Which files the list shows: the filters, as they stand in the address, in the form, and in a request. */

import { h, setAttribute, setText } from "../dom.js";
import { PHASES } from "../file_words.js";
import { filesHash } from "../router.js";

/** Those that every site has; a site's own are offered once a file of theirs was seen. */
const STATUSES = [
  "REGISTERED",
  "DOWNLOAD_REQUESTED",
  "FARGATE_PROCESSING",
  "FARGATE_PROCESSED",
  "DOWNLOAD_COMPLETE",
  "ERROR",
  "CANCELLED",
  "DELETED",
];

/** A phase to filter by, with how many files are in it. */
export function chip(phase) {
  const files = h("span", { class: "n" });
  const link = h("a", { "data-phase": phase, title: PHASES[phase] }, phase || "All", files);
  link.show = (item) => {
    setAttribute(link, "href", item.href);
    setAttribute(link, "aria-current", item.isCurrent && "true");
    setAttribute(files, "hidden", item.files === "");
    setText(files, item.files);
  };
  return link;
}

/** The filters that stand in the address; null: not filtered by that. */
export function readFilters(query) {
  const names = ["phase", "status", "container", "with", "after", "before"];
  return Object.fromEntries(names.map((name) => [name, query.get(name)]));
}

/** The filters as parameters of get_files. */
export function requestOf({ phase, status, container, with: pair, after, before }) {
  const request = {};
  if (phase) request.phase = phase;
  if (status) request.status = status;
  if (container) request.container = container;
  if (pair) request.attributes = attributesOf(pair);
  if (Number(after)) request.after = Number(after);
  if (Number(before)) request.before = Number(before);
  return request;
}

/** `table=airports` → {table: "airports"}; a value that is JSON (12, true) means that. */
function attributesOf(pair) {
  const [name, ...rest] = pair.split("=");
  const text = rest.join("=").trim();
  try {
    return { [name.trim()]: JSON.parse(text) };
  } catch {
    return { [name.trim()]: text };
  }
}

/** Does a pushed file belong to the list? As get_files would have it. */
export function matches({ phase, status, container, with: pair }, file) {
  if (phase && file.phase !== phase) return false;
  if (status && file.status !== status) return false;
  if (container && file.container !== container) return false;
  if (!pair) return true;
  const wanted = Object.entries(attributesOf(pair));
  return wanted.every(([name, value]) => JSON.stringify(file.attributes?.[name]) === JSON.stringify(value));
}

/** Let a select offer these, too. */
function addOptions(select, values) {
  const known = new Set([...select.options].map((option) => option.value));
  const fresh = new Set(values.filter((value) => value && !known.has(value)));
  select.append(...[...fresh].map((value) => h("option", { value }, value)));
}

/**
 * Container, status and attribute to filter by: a change goes to the address.
 * @param {() => Object} filtersNow
 */
export function filterForm(filtersNow) {
  const container = h("select", { id: "by-container", name: "container" }, h("option", { value: "" }, "any"));
  const status = h(
    "select",
    { id: "by-status", name: "status" },
    h("option", { value: "" }, "any"),
    STATUSES.map((name) => h("option", { value: name }, name)),
  );
  const pair = h("input", {
    id: "by-attribute",
    name: "with",
    placeholder: "table=airports",
    autocomplete: "off",
    spellcheck: "false",
  });
  const go = () => {
    const own = { ...filtersNow(), after: null, before: null };
    const wanted = { container: container.value, status: status.value, with: pair.value.includes("=") && pair.value };
    location.hash = filesHash({ ...own, ...wanted });
  };
  const node = h(
    "form",
    { class: "filters", role: "search", "aria-label": "Filter the files" },
    h("label", { for: "by-container" }, "Container", container),
    h("label", { for: "by-status" }, "Status", status),
    h("label", { for: "by-attribute" }, "Attribute", pair),
  );
  node.addEventListener("change", go);
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    go();
  });
  const offer = ({ containers = [], statuses = [] }) => {
    addOptions(container, containers);
    addOptions(status, statuses);
  };
  const show = (filters) => {
    offer({ containers: [filters.container], statuses: [filters.status] });
    container.value = filters.container ?? "";
    status.value = filters.status ?? "";
    if (document.activeElement !== pair) pair.value = filters.with ?? "";
  };
  show(filtersNow());
  return { node, offer, show };
}
