// Keeps the parts of a page that are marked data-live up to date, and submits a
// form when a field marked data-submit changes. Without it the pages work too.
(() => {
  // replace leaves the reader where they were: on the same link, at the newest
  // message.
  const replace = (part, html) => {
    const link = part.contains(document.activeElement) && document.activeElement.getAttribute("href");
    part.innerHTML = html;
    if (link) part.querySelector(`a[href="${CSS.escape(link)}"]`)?.focus();
    if (part.classList.contains("bubbles")) part.scrollTop = part.scrollHeight;
  };

  const refresh = async () => {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
    if (!answer?.ok) return; // Scrip is restarting: the next change brings the news
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = next.querySelector(`[data-live="${part.dataset.live}"]`);
      if (!fresh) return location.reload(); // the page has got another shape
      if (fresh.innerHTML !== part.innerHTML) replace(part, fresh.innerHTML);
    }
  };

  if (document.querySelector("[data-live]")) {
    let waiting = null;
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
  // What was typed into the details and not saved yet goes along with every button.
  const details = document.querySelector("form[data-along]");
  if (details) {
    addEventListener("formdata", (e) => {
      if (e.target === details || !details.checkValidity()) return;
      for (const [name, value] of new FormData(details)) e.formData.append(name, value);
    });
  }

  const bubbles = document.querySelector(".bubbles");
  if (bubbles) bubbles.scrollTop = bubbles.scrollHeight;
})();
