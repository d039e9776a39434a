"use strict";
// Filters for what is on the page already; without this script everything is there, unfiltered.
for (const table of document.querySelectorAll("table[data-filter]")) {
  const rows = table.tBodies[0].rows;
  if (rows.length < 8) continue;
  const label = document.createElement("label");
  const input = document.createElement("input");
  input.type = "search";
  label.append("Filter these rows ", input);
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
  table.closest(".wide").before(label);
}
