// Everything works without this file; with it the image stays chosen, can be dropped anywhere, and answers come in place.
"use strict";
const form = document.getElementById("ask"), answer = document.getElementById("answer");
const state = document.getElementById("state"), image = document.getElementById("image");
const captions = document.getElementById("captions"), drop = document.getElementById("drop");

async function ask() {
  if (!form.reportValidity()) return;
  state.textContent = "comparing ...";
  try {
    const reply = await fetch("", { method: "POST", body: new FormData(form), headers: { "X-Part": "answer" } });
    answer.innerHTML = await reply.text(); // made by our own template, which escapes all that a user wrote
    state.textContent = "";
  } catch (error) {
    state.textContent = "the server does not answer";
  }
}

form.addEventListener("submit", (event) => { event.preventDefault(); ask(); });
answer.addEventListener("click", (event) => {
  if (!event.target.matches("button.add")) return;
  captions.value = captions.value.trimEnd() + "\n" + event.target.dataset.caption;
  ask();
});
for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
document.addEventListener("dragover", () => drop.classList.add("over"));
document.addEventListener("dragleave", () => drop.classList.remove("over"));
document.addEventListener("drop", (event) => {
  drop.classList.remove("over");
  if (!event.dataTransfer.files.length) return;
  image.files = event.dataTransfer.files;
  if (captions.value.trim()) ask();
});
