// Passkeys: a form's button has an authenticator make one, or sign; its answer goes with the form.
// Without it, or in a browser that has none, one signs in by name and password.
"use strict";
(() => {
  const forms = document.querySelectorAll("[data-passkeys]");
  const able = window.PublicKeyCredential?.parseRequestOptionsFromJSON !== undefined;
  if (!able) return;

  function say(place, text) {
    let shown = place.querySelector("[role=alert]");
    if (!shown) {
      shown = document.createElement("p");
      shown.className = "note bad";
      shown.setAttribute("role", "alert");
      place.prepend(shown);
    }
    shown.textContent = text;
  }

  async function asked(place) {
    const said = JSON.parse(place.dataset.options);
    if (place.dataset.passkeys === "make") {
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(said);
      return navigator.credentials.create({ publicKey });
    }
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(said);
    // Beside a password, that somebody is there is enough.
    if (place.dataset.passkeys === "beside") publicKey.userVerification = "discouraged";
    return navigator.credentials.get({ publicKey });
  }

  async function answer(place, form) {
    if (!form.reportValidity()) return;
    try {
      const credential = await asked(place);
      place.querySelector("[name=credential]").value = JSON.stringify(credential.toJSON());
    } catch {
      say(place, place.dataset.refused);
      return;
    }
    form.submit();
  }

  for (const place of forms) {
    if (place.dataset.passkeys === "none") { place.remove(); continue; }
    place.hidden = false;
    if (place.dataset.passkeys === "beside") {
      place.querySelector("button").addEventListener("click", () => answer(place, place.closest("form")));
      continue;
    }
    place.addEventListener("submit", (event) => { event.preventDefault(); answer(place, place); });
  }
})();
