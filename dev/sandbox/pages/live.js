// Keeps the parts of a page that are marked data-live up to date, and submits a
// form when a field marked data-submit changes. Without it the pages work too.
(() => {
  const refresh = async () => {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = next.querySelector(`[data-live="${part.dataset.live}"]`);
      if (!fresh || fresh.innerHTML === part.innerHTML) continue;
      part.innerHTML = fresh.innerHTML;
      if (part.classList.contains("bubbles")) part.scrollTop = part.scrollHeight;
    }
  };

  let waiting = null;
  if (document.querySelector("[data-live]")) {
    const changes = new EventSource("/sandbox/changes");
    changes.onmessage = () => {
      clearTimeout(waiting);
      waiting = setTimeout(refresh, 150);
    };
    addEventListener("pagehide", () => changes.close());
  }

  for (const field of document.querySelectorAll("[data-submit]")) {
    field.addEventListener("change", () => field.form.requestSubmit());
  }
  const bubbles = document.querySelector(".bubbles");
  if (bubbles) bubbles.scrollTop = bubbles.scrollHeight;
})();
