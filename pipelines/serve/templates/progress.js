"use strict";
// What runs is shown as it goes on, without loading the page anew. Without this script there is a link.
const shown = document.getElementById("progress");
async function look() {
  const answer = await fetch(location.pathname, { credentials: "same-origin", cache: "no-store" });
  const now = answer.ok
    ? new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("progress")
    : null;
  if (now === null) return;
  if (shown.textContent !== now.textContent) shown.replaceChildren(...now.childNodes);
  if (now.dataset.running === "yes") setTimeout(look, 2000);
  else {
    shown.dataset.running = "no";
    document.getElementById("meanwhile").remove();
  }
}
if (shown && shown.dataset.running === "yes") setTimeout(look, 2000);
