/** Submit a file: choose a container, fill in the form that it publishes. */

import { toast } from "../announce.js";
import { failure, may, whyNot } from "../actions.js";
import { h, said, setAttribute, setChildren, setText } from "../dom.js";
import { visible } from "../format.js";
import { parameterForm } from "../form.js";
import { fileHash, submitHash } from "../router.js";

/** @returns {import("../app.js").Page} */
export function submitPage(app, route) {
  const body = h("div", { "aria-busy": "true" });
  const node = h("div", { class: "narrow" }, h("h1", {}, "Submit a file"), body);
  let shown = "";

  async function load() {
    const { containers } = await app.request("get_containers");
    // After a reconnect a form that is being filled in stays as it is.
    const key = JSON.stringify(containers);
    if (key === shown) return;
    shown = key;
    setAttribute(body, "aria-busy", null);
    setChildren(body, ...content(app, containers, route.id));
  }
  return { node, title: "Submit a file", load, changed: () => {} };
}

function content(app, containers, wanted) {
  if (!may(app.identity, "instantiate_container"))
    return [h("p", { class: "notice" }, whyNot(app.identity, "instantiate_container"))];
  if (containers.length === 0) return [noContainers()];
  const container =
    containers.find((each) => each.name === wanted) ??
    (wanted === null && containers.length === 1 ? containers[0] : null);
  const choice = h(
    "nav",
    { class: "choice", "aria-label": "Containers" },
    containers.map((each) =>
      h(
        "a",
        { href: submitHash(each.name), "aria-current": each === container && "true" },
        h("strong", {}, each.name),
        h("span", { class: "kind" }, each.type),
        h("span", { class: "hint" }, said(visible(each.description ?? "", 300))),
      ),
    ),
  );
  const unknown =
    wanted !== null &&
    !container &&
    h("p", { class: "notice" }, "There is no container ", said(visible(wanted, 80)), ".");
  return [choice, unknown, container && form(app, container)];
}

function form(app, container) {
  const parameters = parameterForm(container);
  const debug = h("input", { type: "checkbox", id: "debug", name: "debug" });
  const rest = h("div", { class: "error-box", role: "alert", hidden: true });
  const send = h("button", { class: "primary", type: "submit" }, "Submit");
  const node = h(
    "form",
    { class: "parameters", novalidate: true, "aria-label": `Parameters of ${container.name}` },
    h("h2", {}, "Parameters of ", said(container.name)),
    parameters.nodes.length === 0 && h("p", { class: "hint" }, "This container takes no parameters."),
    parameters.nodes,
    h(
      "div",
      { class: "field" },
      h("div", { class: "check" }, debug, h("label", { for: "debug" }, "Keep debug messages in the log")),
    ),
    rest,
    h("div", { class: "buttons" }, send),
  );
  const complain = (...lines) => {
    setChildren(
      rest,
      lines.map((text) => h("p", {}, said(visible(text, 500)))),
    );
    setAttribute(rest, "hidden", lines.length === 0);
  };
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    complain();
    const values = parameters.read();
    if (values === null || send.disabled) return;
    send.disabled = true;
    setText(send, "Submitting…");
    try {
      const request = { name: container.name, parameters: values, debug: debug.checked };
      const reply = await app.request("instantiate_container", request);
      toast(reply.user_message ?? `File ${reply.container_id} was submitted.`);
      location.hash = fileHash(reply.container_id);
    } catch (error) {
      const homeless = parameters.blame(error.errors ?? []);
      const words = homeless.map(({ path, reason }) => `${path}: ${reason}`);
      if (error.errors?.length) complain(...words);
      else complain(failure(error));
    } finally {
      send.disabled = false;
      setText(send, "Submit");
    }
  });
  return node;
}

function noContainers() {
  return h(
    "div",
    { class: "empty" },
    h("h2", {}, "No containers registered"),
    h("p", {}, "Containers are defined in ", h("code", {}, "containers/dockers.json"), ". Register them with:"),
    h("pre", {}, h("code", {}, "locaria db register dockers.json")),
  );
}
