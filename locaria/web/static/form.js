/**
 * A form made from what a container publishes. The vocabulary of `parameters`: ["a","b"] one of these; "" text;
 * "x" text with default x; [] list of text; {} object; number, boolean: type and default; null: anything, optional.
 * `parameter_schema`, a JSON Schema, may say more: type, enum, description, limits, required.
 */

import { h, setAttribute, setText } from "./dom.js";
import { count } from "./format.js";

/** So many parameters with a default are shown at once. */
const MOST_OPEN = 3;
const SECRET = /^(credentials|password|secret|token)$/i;

/**
 * @param {{parameters?: Object, parameter_schema?: Object}} container
 * @returns {{nodes: HTMLElement[], read: () => Object|null, blame: (errors: {path: string, reason: string}[]) => Object[]}}
 *   `read` gives the parameters, or null after it has marked what can't be read; `blame` shows the errors of a 422 at
 *   their fields, and returns those that belong to none.
 */
export function parameterForm(container) {
  const schema = container.parameter_schema ?? {};
  const names = [...new Set([...Object.keys(container.parameters ?? {}), ...Object.keys(schema.properties ?? {})])];
  const fields = new Map(
    names.map((name) => {
      const published = container.parameters?.[name];
      const rule = schema.properties?.[name] ?? {};
      const isNeeded = (isChoices(published) || published === "") && !("default" in rule);
      const required = schema.required ? schema.required.includes(name) : isNeeded;
      return [name, makeField(name, kindOf(published, rule), published, rule, required)];
    }),
  );
  const rest = [...fields.values()].filter((field) => !field.required && field.hasDefault);
  const first = [...fields.values()].filter((field) => !rest.includes(field)).sort((a, b) => b.required - a.required);
  return {
    nodes: [first.map((field) => field.node), rest.length > MOST_OPEN ? fold(rest) : rest.map((field) => field.node)],
    read: () => readAll(fields),
    blame: (errors) => blameAll(fields, errors),
  };
}

/** What has a default need not be looked at: it is folded away, if there is much of it. */
function fold(fields) {
  if (fields.length === 0) return [];
  const words = `${count(fields.length, "more parameter")} with a default`;
  return h(
    "details",
    { class: "fold" },
    h("summary", {}, words),
    fields.map((field) => field.node),
  );
}

const isChoices = (value) => Array.isArray(value) && value.length > 0;

/** @returns {"choice"|"boolean"|"number"|"list"|"object"|"text"|"any"} */
function kindOf(published, rule) {
  if (isChoices(published) || Array.isArray(rule.enum)) return "choice";
  if (Array.isArray(published)) return "list";
  const type = typeof published;
  if (type === "boolean" || type === "number") return type;
  if (type === "string") return "text";
  if (published !== null && type === "object") return "object";
  const types = [rule.type ?? []].flat().filter((name) => name !== "null");
  if (types.length !== 1) return "any";
  return { string: "text", integer: "number", array: "list" }[types[0]] ?? types[0];
}

/** For each kind: the control, and how its text becomes a value. Undefined: not given. */
const KINDS = {
  choice: {
    control(props, published, rule, required) {
      const choices = isChoices(published) ? published : rule.enum;
      const usual = defaultOf(published, rule);
      const first = choices.includes(usual) ? null : h("option", { value: "" }, required ? "Choose…" : "(none)");
      const option = (choice) =>
        h("option", { value: JSON.stringify(choice), selected: choice === usual }, String(choice));
      const options = choices.map(option);
      return h("select", props, first, options);
    },
    read: (control) => (control.value === "" ? undefined : JSON.parse(control.value)),
  },
  boolean: {
    control: (props, published, rule) =>
      h("input", { ...props, type: "checkbox", checked: defaultOf(published, rule) === true, required: null }),
    read: (control) => control.checked,
  },
  number: {
    control(props, published, rule) {
      const limits = { min: rule.minimum, max: rule.maximum, step: rule.type === "integer" ? "1" : "any" };
      return h("input", {
        ...props,
        ...limits,
        type: "number",
        inputmode: "decimal",
        value: defaultOf(published, rule),
      });
    },
    read(control) {
      if (control.validity.badInput) throw new Error("Not a number.");
      return control.value === "" ? undefined : Number(control.value);
    },
  },
  list: {
    hint: "One per line.",
    control: (props) => h("textarea", { ...props, rows: "2" }),
    read(control) {
      const lines = control.value
        .split("\n")
        .map((text) => text.trim())
        .filter(Boolean);
      return lines.length ? lines : undefined;
    },
  },
  object: {
    hint: 'A JSON object, such as {"key": "value"}.',
    control: (props, published) =>
      h(
        "textarea",
        { ...props, rows: "2", class: "code" },
        hasKeys(published) ? JSON.stringify(published, null, 2) : "",
      ),
    read(control) {
      if (control.value.trim() === "") return undefined;
      const value = parseJson(control.value);
      if (value === null || typeof value !== "object" || Array.isArray(value))
        throw new Error("Not a JSON object: write { … }");
      return value;
    },
  },
  text: {
    control: (props, published, rule) =>
      h("input", {
        ...props,
        type: "text",
        placeholder: defaultOf(published, rule) || null,
        maxlength: rule.maxLength,
      }),
    read: (control) => (control.value === "" ? undefined : control.value),
  },
  any: {
    hint: "Text, or a JSON value.",
    control: (props) => h("input", { ...props, type: "text" }),
    read(control) {
      const text = control.value.trim();
      if (text === "") return undefined;
      return /^([[{"]|-?\d|true$|false$|null$)/.test(text) ? parseOr(text, control.value) : control.value;
    },
  },
};

const hasKeys = (value) => value && typeof value === "object" && Object.keys(value).length > 0;

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`Not valid JSON: ${error.message}`, { cause: error });
  }
}

/** A JSON value, or the text itself where it only looks like one ("2026-11-22"). */
function parseOr(text, otherwise) {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (/^[[{"]/.test(text)) throw new Error(`Not valid JSON: ${error.message}`, { cause: error });
    return otherwise;
  }
}

function makeField(name, kind, published, rule, required) {
  const id = `p-${name}`;
  const { control: makeControl, read, hint: usual } = KINDS[kind];
  const isSecret = SECRET.test(name);
  const hint = [
    rule.description?.replace(/\w$/, "$&."),
    usual,
    isSecret && "It is write-only: neither this page nor a log shows it again.",
  ]
    .filter(Boolean)
    .join(" ");
  const props = {
    id,
    name,
    required,
    autocomplete: "off",
    spellcheck: "false",
    "aria-describedby": `${id}-hint ${id}-error`,
  };
  const control = makeControl(props, published, rule, required);
  if (isSecret) control.classList.add("secret");
  const error = h("p", { class: "field-error", id: `${id}-error`, hidden: true });
  const label = h("label", { for: id }, name, required && h("span", { class: "required" }, " required"));
  const help = h("p", { class: "hint", id: `${id}-hint`, hidden: !hint }, hint);
  const parts =
    kind === "boolean" ? [h("div", { class: "check" }, control, label), help, error] : [label, control, help, error];
  const complain = (reason) => {
    if (reason) control.closest("details")?.setAttribute("open", "");
    setText(error, reason ?? "");
    setAttribute(error, "hidden", !reason);
    setAttribute(control, "aria-invalid", reason ? "true" : null);
  };
  control.addEventListener("input", () => complain(null));
  const usualValue = defaultOf(published, rule);
  return {
    name,
    control,
    required,
    hasDefault: usualValue !== undefined,
    complain,
    read: () => unlessUsual(read(control), usualValue),
    node: h("div", { class: "field", "data-kind": kind }, parts),
  };
}

/** What a parameter is if it is not given; undefined: nothing is said. */
function defaultOf(published, rule) {
  if ("default" in rule) return rule.default ?? undefined;
  return published === "" || isChoices(published) ? undefined : (published ?? undefined);
}

/** What is the default anyway is left out. */
const unlessUsual = (value, usual) => (JSON.stringify(value) === JSON.stringify(usual) ? undefined : value);

function readAll(fields) {
  const parameters = {};
  const wrong = [];
  for (const field of fields.values()) {
    field.complain(null);
    try {
      const value = field.read();
      if (value !== undefined) parameters[field.name] = value;
      else if (field.required) throw new Error("This is required.");
    } catch (error) {
      field.complain(error.message);
      wrong.push(field);
    }
  }
  wrong[0]?.control.focus();
  return wrong.length ? null : parameters;
}

/** The field that the path of an error names: "parameters.table", "/parameters/table/0", "table". */
function fieldOf(fields, path) {
  const parts = String(path ?? "")
    .split(/[.[\]/]+/)
    .filter((part) => part && part !== "$");
  return fields.get(parts[0] === "parameters" && !fields.has("parameters") ? parts[1] : parts[0]);
}

function blameAll(fields, errors) {
  const blamed = errors.map((error) => [error, fieldOf(fields, error.path)]);
  for (const [error, field] of blamed) field?.complain(error.reason);
  blamed.find(([, field]) => field)?.[1].control.focus();
  return blamed.filter(([, field]) => !field).map(([error]) => error);
}
