"use strict";
// Stored words only ever become text nodes and canvas text: never markup.
const data = JSON.parse(document.getElementById("data").textContent);
const by = (id) => document.getElementById(id);
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
const COLOURS = ["#2f6fb3", "#b4530a", "#3d8b5f", "#8d57a8", "#a88412", "#b03a5b", "#3b8f99"];
const DAY = 86400000;
const ink = dark ? "#e8ebf0" : "#1d2430";
const back = dark ? "#12161c" : "#f5f7fa";
const soft = dark ? "#8a95a5" : "#8b95a3";
const types = [...new Set(data.nodes.map((node) => node.type))].sort();
const colour = (type) => COLOURS[types.indexOf(type) % COLOURS.length];
const nodes = new Map(data.nodes.map((node) => [node.id, node]));
const starts = data.edges.map((edge) => edge.from);
const low = Math.floor(Math.min(...starts, Date.now()) / DAY) * DAY;
const today = Math.ceil(Date.now() / DAY) * DAY;
const high = Math.max(today, Math.ceil(Math.max(...starts, 0) / DAY) * DAY);
const margin = innerWidth <= 720 ? 40 : 60;
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
      "background-color": "data(colour)", color: ink, "text-valign": "bottom",
      "text-outline-color": back, "text-outline-opacity": 0.9, "text-wrap": "ellipsis",
      width: "mapData(degree, 1, 30, 18, 48)", height: "mapData(degree, 1, 30, 18, 48)" } },
    { selector: "node.named", style: { label: "data(name)", "z-index": 9 } },
    { selector: "edge", style: {
      width: 1.4, "line-color": soft, "target-arrow-color": soft, "target-arrow-shape": "triangle",
      "arrow-scale": 0.8, "curve-style": "bezier", color: ink, "text-rotation": "autorotate",
      "text-background-color": back, "text-background-opacity": 0.85 } },
    { selector: "edge.named", style: { label: "data(shown)" } },
    { selector: "edge.over", style: { "line-style": "dashed", opacity: 0.6 } },
    { selector: ".hidden", style: { display: "none" } },
    { selector: ".faint", style: { opacity: 0.15 } },
    { selector: "node:selected", style: { "border-width": 4, "border-color": ink } },
  ],
  layout: { name: "preset" },
  minZoom: 0.05, maxZoom: 4,
});

// Of several relations between two entities one pulls: else those who share much lie on a heap.
function arrange() {
  const pairs = new Set();
  const pulling = cy.edges().filter((edge) => {
    const pair = [edge.data("source"), edge.data("target")].sort().join(" ");
    return !pairs.has(pair) && Boolean(pairs.add(pair));
  });
  cy.nodes().union(pulling).layout({
    name: "cose", animate: false, randomize: true, nodeOverlap: 30, gravity: 0.3,
    componentSpacing: 60, idealEdgeLength: () => 90, nodeRepulsion: () => 900000,
    edgeElasticity: () => 60, numIter: data.edges.length > 400 ? 400 : 1500,
  }).run();
  const box = cy.nodes().boundingBox();
  if ((box.w > box.h) !== (cy.width() > cy.height())) {
    cy.nodes().positions((node) => ({ x: node.position("y"), y: node.position("x") }));
  }
}

// Words keep their size on the screen, and only as many are written as there is room for: those of
// the best connected, of what is chosen and what is near it.
let fitted = 1;

function label() {
  const zoom = cy.zoom();
  const room = Math.max(12, (cy.width() * cy.height()) / 9000) * Math.max(1, zoom / fitted) ** 2;
  const near = chosen ? cy.getElementById(chosen).closedNeighborhood() : cy.collection();
  const shown = cy.nodes().not(".hidden").sort((a, b) => b.data("degree") - a.data("degree"));
  const edges = cy.edges().not(".hidden");
  cy.batch(() => {
    cy.elements().removeClass("named");
    (chosen ? near.nodes() : shown.slice(0, room)).addClass("named");
    (chosen ? near.edges() : edges.length <= room / 3 ? edges : cy.collection()).addClass("named");
    cy.nodes().style({ "font-size": 13 / zoom, "text-margin-y": 4 / zoom,
      "text-max-width": `${120 / zoom}px`, "text-outline-width": 2 / zoom });
    cy.edges().style({ "font-size": 11 / zoom });
  });
}

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
  label();
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
  if (!move) return;
  const near = id ? cy.getElementById(id).closedNeighborhood() : cy.elements();
  cy.animate({ fit: { eles: near.not(".hidden"), padding: margin }, duration: 250 });
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
    : data.total
      ? `${count} shown of ${data.total}. Tap a name to see what is known of it.`
      : "Nothing is known yet.";
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
  if (!words) return choose(null, true);
  const fits = [(name) => name === words, (name) => name.startsWith(words), (name) => name.includes(words)];
  const found = fits
    .map((fit) => data.nodes.find((node) => [node.name, ...node.aliases].some((name) => fit(name.toLowerCase()))))
    .find(Boolean);
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
arrange();
refresh();

function fit() {
  cy.resize(); // the legend has grown the header since the canvas was made
  cy.fit(cy.elements(":visible"), margin);
  fitted = cy.zoom();
  label();
}

cy.on("zoom", label);
new ResizeObserver(fit).observe(by("graph"));
fit();
