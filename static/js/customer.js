// Buttons that need a script on the customer's page: shown only where they work.
for (const item of document.querySelectorAll("[data-share]")) {
  if (!navigator.share) continue;
  item.hidden = false;
  item.addEventListener("click", () => navigator.share({ text: item.dataset.share }).catch(() => {}));
}
for (const item of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  item.hidden = false;
  const button = item.querySelector("button");
  item.addEventListener("click", () => navigator.clipboard.writeText(item.dataset.copy).then(() => { button.textContent = item.dataset.copied; }, () => {}));
}
