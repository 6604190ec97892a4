"use strict";
const part = document.getElementById("part").dataset, by = document.getElementById("by");
const mode = document.getElementById("mode"), answer = document.getElementById("answer");
let known = Number(part.known), busy = false;
by.value = localStorage.getItem("kensa-reviewer") || "";
by.addEventListener("change", () => localStorage.setItem("kensa-reviewer", by.value.trim()));

function tell(text, bad) { answer.textContent = text; answer.classList.toggle("bad", bad); }

function go(number) { location.href = String(Math.min(Math.max(number, 1), Number(part.count))); }

async function send(where, values) {
  if (busy) return null;
  if (!by.value.trim()) { tell(part.name, true); by.focus(); return null; }
  localStorage.setItem("kensa-reviewer", by.value.trim());
  busy = true;
  try {
    const reply = await fetch(where, { method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ by: by.value.trim(), ...values }) });
    const told = await reply.json();
    if (reply.ok) return told;
    if ("known" in told) known = told.known;
    tell(told.refused, true);
  } catch { tell(part.lost, true); } finally { busy = false; }
  return null;
}

async function decide(name) {
  const told = await send("../decisions", { record: part.record, mode: name, known });
  if (told) go(told.next);
}

async function publish() {
  const pull = document.getElementById("pull");
  const told = await send("../publish", { pull_request: Boolean(pull && pull.checked) });
  if (told) { tell(`${part.sent}: ${told.labels} (${told.where})`, false); document.getElementById("publish").hidden = true; }
}

function act(button) {
  if ("mode" in button.dataset) decide(button.dataset.mode);
  else if ("go" in button.dataset) go(Number(button.dataset.go));
  else if (button.id === "undo") decide(null);
  else if (button.id === "publish") publish();
}

document.querySelectorAll("button").forEach((button) => button.addEventListener("click", () => act(button)));
mode.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && mode.value.trim()) decide(mode.value.trim());
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.activeElement.blur();
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.target.matches("input")) return;
  const button = [...document.querySelectorAll("button[data-key]:not([hidden])")].find((one) => one.dataset.key === event.key);
  if (event.key === "n") { event.preventDefault(); mode.focus(); }
  else if (event.key === "ArrowRight") go(Number(part.number) + 1);
  else if (event.key === "ArrowLeft") go(Number(part.number) - 1);
  else if (button) { event.preventDefault(); act(button); }
});
