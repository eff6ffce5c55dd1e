"use strict";
// The page is whole without this: it adds the filter, and marks tables with columns out of sight.
const form = document.querySelector("form");
const items = [...document.querySelectorAll("[data-operation]")];
const groups = [...document.querySelectorAll("[data-group]")];
const failures = items.filter((item) => item.matches(".failure"));
const words = new Map(items.map((item) => [item, item.textContent.toLowerCase()]));

function filter() {
  const { operation, status, text } = form.elements;
  const wanted = text.value.trim().toLowerCase();
  for (const item of items) {
    item.hidden =
      (operation.value && item.dataset.operation !== operation.value) ||
      (status.value && !item.dataset.status.split(" ").includes(status.value)) ||
      !words.get(item).includes(wanted);
    if (operation.value && !item.hidden && item.matches("details")) item.open = true;
  }
  for (const group of groups) {
    group.hidden = !group.querySelector("[data-operation]:not([hidden])");
  }
  const shown = failures.filter((item) => !item.hidden).length;
  form.querySelector("output").value = `${shown} of ${failures.length} failures shown`;
}

function mark() {
  for (const scroll of document.querySelectorAll(".scroll")) {
    const left = scroll.scrollWidth - scroll.clientWidth - scroll.scrollLeft;
    scroll.parentElement.classList.toggle("more", left > 1);
  }
}

form.hidden = false;
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(filter));
document.addEventListener("scroll", mark, true);
document.addEventListener("toggle", mark, true);
addEventListener("resize", mark);
filter();
mark();
