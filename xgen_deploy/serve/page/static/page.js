// What htmx does not do: values in place, charts, copying, dialogs, logs.
"use strict";

const figure = (value, digits = 0) => (value == null ? "–" : value.toFixed(digits));
const gib = (mib) => (mib / 1024).toFixed(1);

function place(element, what, text) {
  const shown = element.querySelector(`[data-value="${what}"]`);
  if (shown && shown.textContent !== text) shown.textContent = text;
}

function showGPU(element, gpu) {
  const meter = element.querySelector("meter");
  if (meter && gpu.memory_used_mb != null) {
    meter.value = gpu.memory_used_mb;
    const total = Number(meter.max);
    const shown = element.querySelector('[data-value="memory"]');
    // The sentence's own words stay: only its figures are replaced, in the order that it has them.
    const inOrder = shown.textContent.trim().startsWith(gib(total)) ? [total, gpu.memory_used_mb] : [gpu.memory_used_mb, total];
    let next = 0;
    shown.textContent = shown.textContent.replace(/\d+\.\d/g, () => gib(inOrder[next++]));
  }
  if (gpu.utilization_percent != null) place(element, "utilization", `${gpu.utilization_percent} %`);
  const more = [];
  if (gpu.temperature_celsius != null) more.push(`${Math.round(gpu.temperature_celsius)} °C`);
  if (gpu.power_watts != null) more.push(`${Math.round(gpu.power_watts)} W`);
  place(element, "more", more.length ? `· ${more.join(" · ")}` : "");
}

function showValues(hosts) {
  for (const element of document.querySelectorAll("[data-gpu]")) {
    const [host, index] = split(element.dataset.gpu);
    const gpu = hosts[host]?.gpus?.find((g) => String(g.index) === index);
    if (gpu) showGPU(element, gpu);
  }
  for (const element of document.querySelectorAll("[data-instance]")) {
    const [host, name] = split(element.dataset.instance);
    const rates = hosts[host]?.instances?.[name];
    if (!rates) continue;
    place(element, "tokens_per_second", figure(rates.tokens_per_second, 1));
    place(element, "running", figure(rates.running));
    place(element, "waiting", figure(rates.waiting));
  }
}

function split(name) {
  const at = name.lastIndexOf("/");
  return [name.slice(0, at), name.slice(at + 1)];
}

async function draw(details) {
  const box = details.querySelector(".chart");
  const answer = await fetch(`/api/hosts/${encodeURIComponent(details.dataset.chart)}/last-hour`);
  if (!answer.ok) return;
  const curves = await answer.json();
  const name = `instance/${details.dataset.chartInstance}/`;
  const none = curves.at.map(() => null);
  const colours = getComputedStyle(document.documentElement);
  const [text, line, first, second] = ["--text", "--line", "--link", "--warning"].map((v) => colours.getPropertyValue(v).trim());
  const axis = { stroke: text, grid: { stroke: line, width: 1 }, ticks: { stroke: line } };
  box.replaceChildren();
  new uPlot(
    {
      width: box.clientWidth,
      height: 180,
      axes: [axis, { ...axis, size: 60 }],
      scales: { y: { range: (_, low, high) => [0, Math.max(1, high ?? 1)] } },
      series: [
        {},
        { label: box.dataset.tokens, stroke: first, width: 2 },
        { label: box.dataset.waiting, stroke: second, width: 2, dash: [6, 4] },
      ],
    },
    [curves.at, curves.curves[name + "tokens_per_second"] ?? none, curves.curves[name + "waiting"] ?? none],
    box,
  );
}

async function copy(button) {
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    button.after(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  const before = button.textContent;
  button.textContent = button.dataset.copied;
  setTimeout(() => (button.textContent = before), 1500);
}

async function follow(log) {
  const ends = new AbortController();
  document.getElementById("dialog").addEventListener("close", () => ends.abort(), { once: true });
  try {
    const answer = await fetch(log.dataset.log, { signal: ends.signal });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 40;
      log.append(value);
      while (log.childNodes.length > 5000) log.firstChild.remove();
      if (atEnd) log.scrollTop = log.scrollHeight;
    }
  } catch (error) {
    if (error.name !== "AbortError") log.append(`\n${error.message}`);
  }
}

// The engine's own words, a line each; then how it ended.
function progress(list) {
  const source = new EventSource(list.dataset.progress);
  const shown = new Map();
  const end = () => {
    source.close();
    htmx.ajax("GET", list.dataset.then, "#dialog-content");
  };
  source.onmessage = (event) => {
    const line = JSON.parse(event.data);
    if (line.kind === "end") return end();
    const who = [line.host, line.instance].filter(Boolean).join("/");
    const text = [who, line.kind, line.text].filter(Boolean).join("  ");
    const item = (line.kind === "progress" && shown.get(who)) || list.appendChild(document.createElement("li"));
    item.textContent = text;
    item.className = line.kind === "failed" ? "bad" : line.kind === "done" ? "good" : "";
    shown.set(who, line.kind === "progress" ? item : undefined);
    item.scrollIntoView({ block: "nearest" });
  };
  document.getElementById("dialog").addEventListener("close", () => source.close(), { once: true });
}

// The slider goes to the model's own count, once a forecast told it.
function layers(box) {
  const slider = document.querySelector("[data-layers]");
  const count = box.querySelector("[data-layer-count]")?.dataset.layerCount;
  if (!slider || !count) return;
  const before = slider.max === "0";
  slider.max = count;
  if (before) slider.value = count;
  allLayers();
}

function allLayers() {
  const slider = document.querySelector("[data-layers]");
  const all = document.querySelector("[data-all-layers]");
  if (!slider || !all || slider.max === "0") return;
  slider.disabled = all.checked;
  document.getElementById(slider.dataset.shows).textContent = all.checked ? slider.max : slider.value;
}

async function logIn(form) {
  const { name, password } = Object.fromEntries(new FormData(form));
  const answer = await fetch("/api/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name, password }),
  });
  if (answer.ok) location.assign("/");
  else form.querySelector("[role=alert]").textContent = answer.status === 429 ? form.dataset.often : form.dataset.failed;
}

document.addEventListener("submit", (event) => {
  if (!("login" in event.target.dataset)) return;
  event.preventDefault();
  logIn(event.target);
});
document.addEventListener("htmx:sseBeforeMessage", (event) => {
  if (event.detail.type !== "values") return;
  event.preventDefault();
  showValues(JSON.parse(event.detail.data).hosts);
});
document.addEventListener("htmx:sseOpen", () => (document.getElementById("lost").hidden = true));
document.addEventListener("htmx:sseError", () => (document.getElementById("lost").hidden = false));
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status === 401) location.assign("/login");
});
document.addEventListener("htmx:afterRequest", (event) => {
  const next = event.detail.elt.dataset?.then;
  if (next && event.detail.successful) location.assign(next);
});
// What somebody opened, or is typing in, is not replaced under their hands.
document.addEventListener("htmx:beforeSwap", (event) => {
  const target = event.detail.target;
  const refreshed = event.detail.requestConfig?.triggeringEvent?.type?.startsWith("sse:");
  if (refreshed && target.querySelector("details[data-chart][open], input:focus")) event.detail.shouldSwap = false;
});
document.addEventListener("htmx:afterSwap", (event) => {
  const dialog = document.getElementById("dialog");
  if (event.detail.target.id === "forecast") layers(event.detail.target);
  if (event.detail.target.id !== "dialog-content") return;
  if (!dialog.open) dialog.showModal();
  const log = dialog.querySelector("[data-log]");
  if (log) follow(log);
  const list = dialog.querySelector("[data-progress]");
  if (list) progress(list);
});
document.addEventListener("toggle", (event) => {
  if (event.target.matches?.("details[data-chart][open]")) draw(event.target);
}, true);
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
  if (event.target.closest("[data-close]")) document.getElementById("dialog").close();
});
document.addEventListener("input", (event) => {
  const wanted = event.target.dataset?.confirms;
  if (wanted !== undefined) event.target.form.querySelector("[data-confirmed]").disabled = event.target.value !== wanted;
  const shown = event.target.dataset?.shows;
  if (shown) document.getElementById(shown).textContent = event.target.value;
  if ("allLayers" in (event.target.dataset ?? {})) allLayers();
});
