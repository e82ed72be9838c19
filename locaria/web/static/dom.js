/**
 * A small render layer. Elements are made once and patched in place. All text goes in as text nodes:
 * nothing in this dashboard parses a string as HTML, so whatever stands in a file name stays inert.
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element.
 * @param {string} tag
 * @param {Object<string, *>} [props] attributes; `class`; `on…` event listeners; true and false as boolean attributes.
 * @param {...*} children nodes, text, arrays of these; null and false are left out.
 * @returns {HTMLElement}
 */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** As `h`, for SVG. */
export function svg(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else setAttribute(node, name, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return node;
}

/** Set an attribute; null and false remove it. Nothing is touched that is so already. */
export function setAttribute(node, name, value) {
  if (value == null || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (node.getAttribute(name) !== text) node.setAttribute(name, text);
}

/** Set the text of an element that holds nothing else. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Replace all children. */
export function setChildren(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter((child) => child != null && child !== false));
}

/**
 * Children by key: made once, patched, in this order; those that are no longer wanted go. What somebody points at or
 * has the focus on stays the same element.
 * @param {Node} parent holds nothing else.
 * @param {(key: string) => Node} make the node has `show(item)`.
 */
export class Keyed {
  #nodes = new Map();
  #parent;
  #make;

  constructor(parent, make) {
    this.#parent = parent;
    this.#make = make;
  }

  /** @param {[string, *][]} items key and what is shown for it. */
  show(items) {
    const wanted = new Map(items);
    for (const [key, node] of this.#nodes) {
      if (wanted.has(key)) continue;
      node.remove();
      this.#nodes.delete(key);
    }
    let next = this.#parent.firstChild;
    for (const [key, item] of wanted) {
      if (!this.#nodes.has(key)) this.#nodes.set(key, this.#make(key));
      const node = this.#nodes.get(key);
      if (node === next) next = next.nextSibling;
      else this.#parent.insertBefore(node, next);
      node.show(item);
    }
  }
}

/** Text from outside: in a `<bdi>`, so that right-to-left text can't reorder what stands beside it. */
export function said(text, props) {
  return h("bdi", props, text);
}

/** A piece of SQL with a button that copies it. */
export function copyable(text, label = "Copy the SQL") {
  const button = h("button", { type: "button", class: "quiet small", "aria-label": label }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      setText(button, "Copied");
    } catch {
      // No right to the clipboard (or no TLS): select it, so that Ctrl+C does it.
      getSelection().selectAllChildren(code);
      setText(button, "Selected");
    }
    setTimeout(() => setText(button, "Copy"), 2000);
  });
  const code = h("code", { tabindex: "0" }, text);
  return h("div", { class: "copyable" }, h("pre", {}, code), button);
}
