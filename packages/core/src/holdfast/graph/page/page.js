"use strict";
// Stored words only ever become text nodes and canvas text: never markup.
const data = JSON.parse(document.getElementById("data").textContent);
const by = (id) => document.getElementById(id);
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
const COLOURS = ["#2f6fb3", "#b4530a", "#3d8b5f", "#8d57a8", "#a88412", "#b03a5b", "#3b8f99"];
const DAY = 86400000;
const ink = dark ? "#e8ebf0" : "#1d2430";
const soft = dark ? "#8a95a5" : "#8b95a3";
const types = [...new Set(data.nodes.map((node) => node.type))].sort();
const colour = (type) => COLOURS[types.indexOf(type) % COLOURS.length];
const nodes = new Map(data.nodes.map((node) => [node.id, node]));
const starts = data.edges.map((edge) => edge.from);
const low = Math.floor(Math.min(...starts, Date.now()) / DAY) * DAY;
const today = Math.ceil(Date.now() / DAY) * DAY;
const high = Math.max(today, Math.ceil(Math.max(...starts, 0) / DAY) * DAY);
const small = innerWidth <= 720;
let chosen = null;

function element(tag, text, parent) {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

function date(moment) {
  return new Date(moment).toISOString().slice(0, 10);
}

const cy = cytoscape({
  container: by("graph"),
  elements: [
    ...data.nodes.map((node) => ({ data: { ...node, colour: colour(node.type) } })),
    ...data.edges.map((edge) => ({ data: { ...edge, shown: edge.label.replaceAll("_", " ") } })),
  ],
  style: [
    { selector: "node", style: {
      "background-color": "data(colour)", label: "data(name)", color: ink, "font-size": small ? 17 : 12,
      "text-valign": "bottom", "text-margin-y": 4, "text-wrap": "ellipsis", "text-max-width": 130,
      width: "mapData(degree, 1, 30, 18, 48)", height: "mapData(degree, 1, 30, 18, 48)",
      "min-zoomed-font-size": 5 } },
    { selector: "edge", style: {
      width: 1.4, "line-color": soft, "target-arrow-color": soft, "target-arrow-shape": "triangle",
      "arrow-scale": 0.8, "curve-style": "bezier", label: "data(shown)", "font-size": small ? 12 : 9, color: ink,
      "text-rotation": "autorotate", "text-background-color": dark ? "#12161c" : "#f5f7fa",
      "text-background-opacity": 0.85, "min-zoomed-font-size": 6 } },
    { selector: "edge.over", style: { "line-style": "dashed", opacity: 0.6 } },
    { selector: ".hidden", style: { display: "none" } },
    { selector: ".faint", style: { opacity: 0.15 } },
    { selector: "node:selected", style: { "border-width": 4, "border-color": ink } },
  ],
  layout: {
    name: "cose", animate: false, padding: 40, nodeDimensionsIncludeLabels: true,
    idealEdgeLength: () => 120, nodeRepulsion: () => 90000, gravity: 0.5, randomize: true,
    numIter: data.edges.length > 400 ? 300 : 1000,
  },
  minZoom: 0.05, maxZoom: 4,
});

function moment() {
  const asked = Number(by("when").value);
  return asked >= today ? Date.now() : asked;
}

function state(edge, at) {
  if (edge.to !== null && edge.to <= at) return "over";
  return edge.from > at && at < Date.now() - DAY ? "not yet" : "holds";
}

function visible(edge, at) {
  const now = state(edge, at);
  return now === "holds" || (now === "over" && by("over").checked);
}

function refresh() {
  const at = moment();
  by("day").textContent = at > Date.now() - DAY && at <= Date.now() ? "today" : date(at);
  cy.batch(() => {
    cy.edges().forEach((edge) => {
      edge.toggleClass("hidden", !visible(edge.data(), at));
      edge.toggleClass("over", state(edge.data(), at) === "over");
    });
    cy.nodes().forEach((node) => {
      node.toggleClass("hidden", node.connectedEdges().filter((edge) => !edge.hasClass("hidden")).empty());
    });
    const near = chosen && cy.getElementById(chosen).closedNeighborhood();
    cy.elements().forEach((one) => one.toggleClass("faint", Boolean(near) && !near.has(one)));
  });
  tell(at);
}

function button(id, parent) {
  const made = element("button", nodes.get(id).name, parent);
  made.addEventListener("click", () => choose(id, true));
}

function choose(id, move) {
  chosen = id;
  cy.elements().unselect();
  if (id) cy.getElementById(id).select();
  refresh();
  if (id && move) cy.animate({ center: { eles: cy.getElementById(id) }, duration: 250 });
}

function tell(at) {
  const told = by("told");
  told.replaceChildren();
  const edges = data.edges.filter(
    (edge) => visible(edge, at) && (!chosen || edge.source === chosen || edge.target === chosen));
  heading(told, edges.length);
  const list = element("ul", "", told);
  edges.sort((a, b) => b.from - a.from).slice(0, 200).forEach((edge) => line(edge, at, list));
  if (edges.length > 200) element("p", `and ${edges.length - 200} more`, told).className = "soft";
}

function heading(told, count) {
  const node = chosen && nodes.get(chosen);
  element("h2", node ? node.name : "All relations", told);
  const words = node
    ? [node.type, node.aliases.length && `also ${node.aliases.join(", ")}`,
       `seen ${date(node.first)} to ${date(node.last)}`].filter(Boolean).join(" · ")
    : `${count} shown of ${data.total}. Tap a name to see what is known of it.`;
  element("p", words, told).className = "soft";
}

function line(edge, at, list) {
  const item = element("li", "", list);
  if (state(edge, at) === "over") item.className = "over";
  button(edge.source, item);
  element("b", ` ${edge.label.replaceAll("_", " ")} `, item);
  button(edge.target, item);
  element("div", edge.text, item);
  const until = edge.to === null ? "" : ` to ${date(edge.to)}`;
  const turns = edge.turns === 1 ? "1 turn" : `${edge.turns} turns`;
  element("small", `from ${date(edge.from)}${until} · ${edge.turns ? `rests on ${turns}` : "stated"}`, item);
}

function find() {
  const words = by("find").value.trim().toLowerCase();
  if (!words) return choose(null, false);
  const found = data.nodes.find((node) =>
    [node.name, ...node.aliases].some((name) => name.toLowerCase().includes(words)));
  if (found) choose(found.id, true);
  return undefined;
}

Object.assign(by("when"), { min: low, max: high, step: DAY });
by("when").value = today;
by("when").addEventListener("input", refresh);
by("over").addEventListener("change", refresh);
by("find").addEventListener("input", find);
cy.on("tap", "node", (event) => choose(event.target.id(), false));
cy.on("tap", (event) => { if (event.target === cy) choose(null, false); });
types.forEach((type) => {
  const entry = element("span", "", by("legend"));
  element("i", "", entry).style.background = colour(type);
  entry.append(type || "unknown");
});
refresh();

function fit() {
  cy.resize(); // the legend has grown the header since the canvas was made
  cy.fit(cy.elements(":visible"), small ? 24 : 48);
}

new ResizeObserver(fit).observe(by("graph"));
fit();
